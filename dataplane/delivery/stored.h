/* stored - a response's head as it is kept: the origin's field lines without what is not the
 * representation's (framing, ages, tags, what private= and no-cache= name). Pure. */
#ifndef SGD_STORED_H
#define SGD_STORED_H

#include "base/config.h"
#include "base/out.h"
#include "dataplane/http/fresh.h"

/* The head has a validator that tells two representations apart byte by byte (RFC 9110 8.8.1). */
bool sgd_stored_strong(struct sg_str head);

/* Writes what of `lines` is kept; a Date is added when the origin sent none (RFC 9110 6.6.1). Of a
 * `part`, whose head is to be the whole's, Content-Range is not. */
void sgd_stored_head(const struct sg_conf_site *site, struct sg_str lines, bool part,
                     uint64_t response_ns, struct sg_out *out);
/* Writes what of `lines` only the viewer who was the reason for them gets: what private= and
 * no-cache= name (RFC 9111 sections 5.2.2.4 and 5.2.2.7). */
void sgd_stored_named(struct sg_str lines, struct sg_out *out);
/* A 304's fields over the stored ones (RFC 9111 section 3.2): every field that the 304 has replaces
 * all of that name, but what tells how many the stored bytes are, or their coding or digest. */
void sgd_stored_freshen(const struct sg_conf_site *site, struct sg_str stored, struct sg_str lines,
                        uint64_t response_ns, struct sg_out *out);

#endif
