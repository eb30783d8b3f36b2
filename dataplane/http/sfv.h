/* sfv - Structured Fields, as much as cache directives need: a dictionary read member by member
 * (RFC 8941 section 4.2.2). Pure; borrows what it reads. */
#ifndef SGD_HTTP_SFV_H
#define SGD_HTTP_SFV_H

#include "base/str.h"

enum sgd_sfv_type {
    SGD_SFV_BOOLEAN,
    SGD_SFV_INTEGER,
    SGD_SFV_DECIMAL,
    SGD_SFV_STRING,
    SGD_SFV_TOKEN,
    SGD_SFV_BYTES,
    SGD_SFV_LIST,
};
struct sgd_sfv_item {
    enum sgd_sfv_type type;
    int64_t integer;    /* of an INTEGER, and 0 or 1 of a BOOLEAN */
    struct sg_str text; /* of a STRING: between the quotes, escapes as they came */
};

enum sgd_sfv_next { SGD_SFV_MEMBER, SGD_SFV_END, SGD_SFV_BAD };
/* Takes one member off *rest, which begins as a whole field value without surrounding blanks;
 * parameters are checked and dropped. After BAD the whole field is to be ignored. A key may come
 * again: the last one counts. */
enum sgd_sfv_next sgd_sfv_dict_next(struct sg_str *rest, struct sg_str *key,
                                    struct sgd_sfv_item *item);

#endif
