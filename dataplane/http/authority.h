/* authority - the host and port that a request is for, as Host and absolute targets write them: RFC
 * 3986 section 3.2, without what HTTP has no use for (user info, empty hosts, escaped and
 * delimiting characters in names). Pure. */
#ifndef SGD_HTTP_AUTHORITY_H
#define SGD_HTTP_AUTHORITY_H

#include "base/str.h"

/* Puts the host in lower case, in place, and leaves an empty or the scheme's own port out of *out:
 * one spelling a server. False: malformed; the text may have changed, *out has not. */
bool sgd_authority_read(char *text, size_t len, bool https, struct sg_str *out);

#endif
