/* rlp - Ethereum's serialisation (yellow paper, appendix B), read strictly: each thing has one
 * form, and another form of it is malformed. In place, no allocation, any thread. */
#ifndef SGC_CHAIN_RLP_H
#define SGC_CHAIN_RLP_H

#include "base/out.h"

#include <stdbool.h>
#include <stdint.h>

struct sgc_rlp_item {
    bool is_list;
    const uint8_t *ptr; /* what is in it */
    size_t len;
    const uint8_t *whole; /* with its prefix */
    size_t whole_len;
};
/* Items one after the other: a list's. */
struct sgc_rlp {
    const uint8_t *at, *end;
    bool malformed; /* why next() said false */
};
/* One item and nothing after it. False: malformed. */
bool sgc_rlp_read(const uint8_t *bytes, size_t len, struct sgc_rlp_item *out);
/* The items of a list; of a string: none, malformed. */
struct sgc_rlp sgc_rlp_items(const struct sgc_rlp_item *list);
bool sgc_rlp_next(struct sgc_rlp *rlp, struct sgc_rlp_item *out);
/* A whole number of at most 8 bytes without leading zeros. */
bool sgc_rlp_u64(const struct sgc_rlp_item *item, uint64_t *out);

void sgc_rlp_put_bytes(struct sg_out *out, const void *bytes, size_t len);
/* Big-endian: leading zeros are left out. */
void sgc_rlp_put_number(struct sg_out *out, const uint8_t *bytes, size_t len);
/* Before `len` bytes of items. */
void sgc_rlp_put_list(struct sg_out *out, size_t len);

#endif
