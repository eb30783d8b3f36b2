/* request - the fields of a request to an origin, and the loops that they reveal (RFC 8586). Pure.
 */
#ifndef SGD_ORIGIN_REQUEST_H
#define SGD_ORIGIN_REQUEST_H

#include "dataplane/origin/pool.h"

#define SGD_ORIGIN_NODE_BYTES 128

/* What we call ourselves in CDN-Loop and Via: "streamgate-" and the node's name, with what no token
 * may have replaced by '-'. Writes a NUL-terminated string. */
void sgd_origin_node_id(const char *node_name, char out[SGD_ORIGIN_NODE_BYTES]);

/* Whether a viewer's request has been through this node before: answer 508. Names in lower case. */
bool sgd_origin_loops(const struct sgd_field *fields, uint32_t count, const char *node_name);

/* What is asked of one URL of a pool. */
struct sgd_ask {
    const struct sgd_pool *pool;
    const struct sgd_url *url;
    const char *node_id;
    const char *version; /* of HTTP as the request came, for Via */
    struct sg_str method;
    struct sg_str path;        /* and ?query, percent-encoded */
    struct sg_str viewer_host; /* may be empty */
    struct sg_str fields;      /* "name: value\r\n" lines */
    bool has_body;
    uint64_t wall_s;
};

/* Writes the target (base, path and query) and the fields: those of `ask` without framing and
 * connection-specific ones, Host, ourselves in CDN-Loop and Via, and a signature where the origin
 * wants one. Both are NUL-terminated. SGD_ORIGIN_loop: CDN-Loop names us already.
 * SGD_ORIGIN_internal: it does not fit, or is malformed. */
enum sgd_origin_error sgd_ask_write(const struct sgd_ask *ask, struct sg_out *target,
                                    struct sg_out *fields);

#endif
