#include "base/str.h"

#include "base/assert.h"

bool sg_str_to_u64(struct sg_str s, uint64_t *out)
{
    SG_ASSERT(out != NULL);
    uint64_t v = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.ptr[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = v;
    return true;
}
