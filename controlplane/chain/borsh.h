/* borsh - Solana programs' bytes (Borsh), read one thing after another; a reader that ran out, or
 * met what Borsh does not write, says so once, at the end. */
#ifndef SGC_CHAIN_BORSH_H
#define SGC_CHAIN_BORSH_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct sgc_borsh {
    const uint8_t *at, *end;
    bool bad;
};

static inline struct sgc_borsh sgc_borsh_init(const uint8_t *bytes, size_t len)
{
    return (struct sgc_borsh){.at = bytes, .end = bytes + len};
}

/* NULL: there are no more so many. */
static inline const uint8_t *sgc_borsh_take(struct sgc_borsh *in, size_t len)
{
    if (in->bad || len > (size_t)(in->end - in->at)) {
        in->bad = true;
        return NULL;
    }
    const uint8_t *at = in->at;
    in->at += len;
    return at;
}

/* An unsigned number of `bytes` bytes, 1 to 8; 0 when there is none. */
static inline uint64_t sgc_borsh_number(struct sgc_borsh *in, size_t bytes)
{
    const uint8_t *at = sgc_borsh_take(in, bytes);
    uint64_t v = 0;
    for (size_t i = at != NULL ? bytes : 0; i-- > 0;)
        v = v << 8 | at[i];
    return v;
}

/* 0 or 1; anything else is no Borsh. */
static inline bool sgc_borsh_flag(struct sgc_borsh *in)
{
    uint64_t flag = sgc_borsh_number(in, 1);
    in->bad |= flag > 1;
    return flag == 1;
}

#endif
