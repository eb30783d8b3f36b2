/* vary - which request fields select a stored response, and their normal form: RFC 9111 section
 * 4.1. Pure. */
#ifndef SGD_HTTP_VARY_H
#define SGD_HTTP_VARY_H

#include "base/out.h"
#include "dataplane/http/message.h"

/* True: the head has Vary; *star: it lists "*" (or more names than we keep) and never matches.
 * Else the names go to `out` in lower case, sorted, without repeats, comma-separated. */
bool sgd_vary_names(struct sg_str lines, struct sg_out *out, bool *star);
/* The variant part of a key: for each of `names` "\nname:value", "\nname" where the request has no
 * such field. Values in normal form: lines joined, lists re-spaced, Accept-Encoding reduced as
 * below. No field value has a control character, so no value can pass for another's name. */
void sgd_vary_key(const struct sgd_request *req, struct sg_str names, struct sg_out *out);
/* The codings acceptable to the viewer among those that we key on, in a fixed order: "br, gzip".
 * That is also what goes to the origin as Accept-Encoding (nothing written: leave it out), or what
 * it chose for one viewer would not suit the others under the same key. */
void sgd_vary_accept_encoding(const struct sgd_request *req, struct sg_out *out);

#endif
