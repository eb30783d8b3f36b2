/* json - writes JSON, a value after the other, into a bounded buffer. Commas are its own business;
 * nesting is the caller's. */
#ifndef SG_BASE_JSON_H
#define SG_BASE_JSON_H

#include "base/out.h"

struct sg_json {
    struct sg_out *out;
    bool comma; /* a value stands before on this level */
};

static inline struct sg_json sg_json_init(struct sg_out *out)
{
    return (struct sg_json){out, false};
}

/* `key` NULL: an item of an array, or the outermost value. */
void sg_json_object(struct sg_json *json, const char *key);
void sg_json_object_end(struct sg_json *json);
void sg_json_array(struct sg_json *json, const char *key);
void sg_json_array_end(struct sg_json *json);
/* Bytes that are no UTF-8 become U+FFFD, one each. */
void sg_json_str(struct sg_json *json, const char *key, struct sg_str value);
/* NULL becomes null. */
void sg_json_text(struct sg_json *json, const char *key, const char *value);
void sg_json_u64(struct sg_json *json, const char *key, uint64_t value);
void sg_json_i64(struct sg_json *json, const char *key, int64_t value);
void sg_json_bool(struct sg_json *json, const char *key, bool value);
void sg_json_hex(struct sg_json *json, const char *key, const void *bytes, size_t len);
/* Unix nanoseconds as "2026-01-31T09:30:00.123Z". */
void sg_json_time(struct sg_json *json, const char *key, uint64_t wall_ns);

#endif
