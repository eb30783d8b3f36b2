/* request - the fields of a request to an origin, and the loops that they reveal (RFC 8586). Pure.
 */
#ifndef SGD_ORIGIN_REQUEST_H
#define SGD_ORIGIN_REQUEST_H

#include "base/out.h"
#include "dataplane/http/message.h"

#define SGD_ORIGIN_NODE_BYTES 128

/* What we call ourselves in CDN-Loop and Via: "streamgate-" and the node's name, with what no token
 * may have replaced by '-'. Writes a NUL-terminated string. */
void sgd_origin_node_id(const char *node_name, char out[SGD_ORIGIN_NODE_BYTES]);

/* Whether a viewer's request has been through this node before: answer 508. */
bool sgd_origin_loops(const struct sgd_field *fields, uint32_t count, const char *node_id);

/* Writes `fields` ("name: value\r\n" lines) without framing and connection-specific ones, with
 * Host, and with ourselves added to CDN-Loop and Via. NUL-terminated. False: it does not fit, or a
 * line is malformed. *loops: we are in CDN-Loop already. */
bool sgd_origin_request_fields(struct sg_str fields, struct sg_str host, const char *node_id,
                               struct sg_out *out, bool *loops);

#endif
