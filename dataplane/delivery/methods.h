/* methods - which methods of a request go on to the origin. GET and HEAD always may, OPTIONS is
 * answered here unless the site lists it, and all else only goes where it is listed. Pure. */
#ifndef SGD_METHODS_H
#define SGD_METHODS_H

#include "base/config.h"
#include "base/out.h"
#include "dataplane/http/message.h"

/* The site's `methods` list it. */
bool sgd_methods_pass(const struct sg_conf_site *site, const struct sgd_request *req);
/* An OPTIONS is the origin's to answer. Where the site has rules of its own for who may ask, it is
 * ours; and where it was to come this far and no further (RFC 9110 section 7.6.2). */
bool sgd_methods_options_pass(const struct sg_conf_site *site, const struct sgd_request *req);
/* A browser's question before the request that it means (Fetch standard): it has no token. */
bool sgd_methods_preflight(const struct sgd_request *req);
/* For Allow: "GET, HEAD, OPTIONS" and what the site adds; it may be NULL. */
void sgd_methods_allow(const struct sg_conf_site *site, struct sg_out *out);

#endif
