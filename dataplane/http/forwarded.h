/* forwarded - whom a request is from, as proxies in front of us tell it (RFC 7239). Believed only
 * as far as they are the configuration's: each of them appends who asked it, so the field is read
 * from its end, until an address that is no proxy's. Pure. */
#ifndef SGD_HTTP_FORWARDED_H
#define SGD_HTTP_FORWARDED_H

#include "dataplane/http/message.h"

/* `trusted`: networks of those proxies, as texts. Writes address and port (0: not told); "::",
 * which is nobody's, where it is malformed or hidden, so that nobody passes for the proxy that way.
 * False, *out untouched: there is no such field. */
bool sgd_forwarded_for(const struct sgd_request *req, const char *const *trusted, uint32_t count,
                       struct sockaddr_in6 *out);

#endif
