/* What the checker accepts is walked to its last value without leaving the text; jansson, which is
 * nearly as strict, must take it too. */
#include "base/assert.h"
#include "base/jsonread.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define DEPTH_MAX 20

static void walk(struct sg_jsonread value, struct sg_jsonread whole, uint32_t depth)
{
    struct sg_jsonread_walk items = sg_jsonread_walk(value);
    struct sg_jsonread item;
    struct sg_str key, text;
    char memory[256];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    uint64_t number;
    int64_t negative;
    SG_ASSERT(value.ptr >= whole.ptr && value.ptr + value.len <= whole.ptr + whole.len);
    SG_ASSERT(depth <= DEPTH_MAX);
    bool is_text = sg_jsonread_text(value, &out);
    SG_ASSERT(is_text || !sg_jsonread_plain(value, &text));
    SG_ASSERT(!sg_jsonread_u64(value, &number) || !is_text);
    SG_ASSERT(!sg_jsonread_i64(value, &negative) || !is_text);
    while (sg_jsonread_next(&items, &key, &item))
        walk(item, whole, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sg_jsonread whole;
    json_error_t error = {.line = 0};
    if (!sg_jsonread_check((struct sg_str){(const char *)bytes, len}, DEPTH_MAX, &whole))
        return 0;
    walk(whole, whole, 0);
    json_t *same = json_loadb((const char *)bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    enum json_error_code code = json_error_code(&error); /* numbers so large, NUL in keys: not it */
    SG_ASSERT(same != NULL || code == json_error_numeric_overflow ||
              code == json_error_null_byte_in_key || code == json_error_invalid_syntax);
    json_decref(same);
    return 0;
}
