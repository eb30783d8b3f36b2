/* jsonread - reads JSON (RFC 8259, strict) in place: checked whole once, then walked without
 * allocation. For answers of servers that nobody vouches for: depth is bounded, a key that comes
 * twice is found the first time only, numbers are read as unsigned integers or left as text. Any
 * thread. */
#ifndef SG_BASE_JSONREAD_H
#define SG_BASE_JSONREAD_H

#include "base/err.h"
#include "base/out.h"

#define SG_JSONREAD_DEPTH_MAX 64

/* A value within checked text, without blanks around it. Borrowed from the text. */
struct sg_jsonread {
    const char *ptr;
    size_t len;
};

enum sg_jsonread_kind {
    SG_JSONREAD_NULL,
    SG_JSONREAD_BOOL,
    SG_JSONREAD_NUMBER,
    SG_JSONREAD_STRING,
    SG_JSONREAD_ARRAY,
    SG_JSONREAD_OBJECT,
};

/* False: not one JSON value with nothing after it, nested deeper than `depth_max` (at most
 * SG_JSONREAD_DEPTH_MAX), or with bytes that are no UTF-8. All below take only what this gave. */
SG_MUST_USE bool sg_jsonread_check(struct sg_str text, uint32_t depth_max, struct sg_jsonread *out);
enum sg_jsonread_kind sg_jsonread_kind(struct sg_jsonread value);

/* The items of an array or the members of an object, in order; of anything else: none. `key` may
 * be NULL; it is what stands between the quotes, escapes as they are; of an array empty. */
struct sg_jsonread_walk {
    const char *at, *end;
    bool is_object;
};
struct sg_jsonread_walk sg_jsonread_walk(struct sg_jsonread value);
bool sg_jsonread_next(struct sg_jsonread_walk *walk, struct sg_str *key, struct sg_jsonread *value);

/* False: no object, or it has no such member. */
bool sg_jsonread_member(struct sg_jsonread object, const char *key, struct sg_jsonread *out);
/* False: no array, or it is shorter. */
bool sg_jsonread_item(struct sg_jsonread array, uint32_t index, struct sg_jsonread *out);
/* What stands between the quotes. False: no string, or one with escapes. */
bool sg_jsonread_plain(struct sg_jsonread value, struct sg_str *out);
/* The string with its escapes undone, appended; a lone surrogate becomes U+FFFD. False: no string.
 */
bool sg_jsonread_text(struct sg_jsonread value, struct sg_out *out);
/* Digits only. False: anything else, or above 2^64 - 1. */
bool sg_jsonread_u64(struct sg_jsonread value, uint64_t *out);
bool sg_jsonread_i64(struct sg_jsonread value, int64_t *out);
bool sg_jsonread_bool(struct sg_jsonread value, bool *out);
static inline bool sg_jsonread_is_null(struct sg_jsonread value)
{
    return sg_jsonread_kind(value) == SG_JSONREAD_NULL;
}

#endif
