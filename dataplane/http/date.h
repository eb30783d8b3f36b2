/* date - HTTP's dates: RFC 9110 section 5.6.7. Pure. */
#ifndef SGD_HTTP_DATE_H
#define SGD_HTTP_DATE_H

#include "base/str.h"

/* IMF-fixdate, RFC 850 and asctime forms, in any case (RFC 9111 section 4.2), GMT only. Writes
 * *out, Unix seconds, only when true. */
bool sgd_http_date(struct sg_str text, int64_t *out);
/* "Sun, 06 Nov 1994 08:49:37 GMT": 29 bytes, no NUL. */
void sgd_http_date_write(int64_t unix_s, char out[29]);
/* RFC 3339: "1994-11-06T08:49:37Z", 20 bytes, no NUL. Years 0 to 9999. */
void sgd_rfc3339_write(int64_t unix_s, char out[20]);

#endif
