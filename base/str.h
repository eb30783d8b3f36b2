/* str - borrowed bytes with a length; never owns, never assumes a NUL. */
#ifndef SG_BASE_STR_H
#define SG_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct sg_str {
    const char *ptr;
    size_t len;
};

/* printf("%.*s", SG_STR_ARG(s)) */
#define SG_STR_ARG(s) (int)(s).len, (s).ptr
#define SG_STR(lit)                                                                                \
    (struct sg_str)                                                                                \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }
#define SG_STR_NONE                                                                                \
    (struct sg_str)                                                                                \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

static inline struct sg_str sg_str_from(const char *nul_terminated)
{
    return (struct sg_str){nul_terminated, nul_terminated != NULL ? strlen(nul_terminated) : 0};
}

static inline bool sg_str_eq(struct sg_str a, struct sg_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII case is folded; other bytes compare as they are. */
static inline bool sg_str_eq_nocase(struct sg_str a, struct sg_str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool sg_str_starts(struct sg_str s, struct sg_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline struct sg_str sg_str_skip(struct sg_str s, size_t n)
{
    return n >= s.len ? SG_STR_NONE : (struct sg_str){s.ptr + n, s.len - n};
}

/* Without leading and trailing SP and HTAB. */
static inline struct sg_str sg_str_trim(struct sg_str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Digits only, no sign, no blank, no overflow. Writes *out only when true. */
bool sg_str_to_u64(struct sg_str s, uint64_t *out);

#endif
