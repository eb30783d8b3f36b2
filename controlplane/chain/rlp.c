#include "controlplane/chain/rlp.h"

#include "base/assert.h"

/* A length of `len` bytes, in its shortest form and over 55. */
static bool length_read(const uint8_t *at, const uint8_t *end, uint32_t len, uint64_t *out)
{
    uint64_t v = 0;
    if ((size_t)(end - at) < len || at[0] == 0)
        return false;
    for (uint32_t i = 0; i < len; i++)
        v = v << 8 | at[i];
    *out = v;
    return v > 55;
}

static bool item_read(const uint8_t *at, const uint8_t *end, struct sgc_rlp_item *out)
{
    uint8_t first = at[0];
    uint64_t len = 1;
    uint32_t prefix = 0;
    bool is_list = first >= 0xc0;
    if (first >= 0x80) {
        uint8_t base = is_list ? 0xc0 : 0x80;
        prefix = 1;
        len = first - base;
        if (len > 55) {
            prefix += (uint32_t)len - 55;
            if (!length_read(at + 1, end, prefix - 1, &len))
                return false;
        }
    }
    if (len > (size_t)(end - at) - prefix)
        return false;
    if (!is_list && prefix == 1 && len == 1 && at[1] < 0x80)
        return false; /* a small byte stands for itself */
    *out = (struct sgc_rlp_item){is_list, at + prefix, (size_t)len, at, prefix + (size_t)len};
    return true;
}

bool sgc_rlp_read(const uint8_t *bytes, size_t len, struct sgc_rlp_item *out)
{
    struct sgc_rlp_item item;
    if (len == 0 || !item_read(bytes, bytes + len, &item) || item.whole_len != len)
        return false;
    *out = item;
    return true;
}

struct sgc_rlp sgc_rlp_items(const struct sgc_rlp_item *list)
{
    if (!list->is_list)
        return (struct sgc_rlp){list->ptr, list->ptr, true};
    return (struct sgc_rlp){list->ptr, list->ptr + list->len, false};
}

bool sgc_rlp_next(struct sgc_rlp *rlp, struct sgc_rlp_item *out)
{
    if (rlp->malformed || rlp->at == rlp->end)
        return false;
    rlp->malformed = !item_read(rlp->at, rlp->end, out);
    if (!rlp->malformed)
        rlp->at += out->whole_len;
    return !rlp->malformed;
}

bool sgc_rlp_u64(const struct sgc_rlp_item *item, uint64_t *out)
{
    if (item->is_list || item->len > 8 || (item->len > 0 && item->ptr[0] == 0))
        return false;
    *out = 0;
    for (size_t i = 0; i < item->len; i++)
        *out = *out << 8 | item->ptr[i];
    return true;
}

static void put_prefix(struct sg_out *out, uint8_t base, size_t len)
{
    uint32_t bytes = 0;
    if (len <= 55) {
        sg_out_char(out, (char)(base + len));
        return;
    }
    while (bytes < 8 && len >> (8 * bytes) != 0)
        bytes++;
    sg_out_char(out, (char)(base + 55 + bytes));
    while (bytes-- > 0)
        sg_out_char(out, (char)(len >> (8 * bytes)));
}

void sgc_rlp_put_bytes(struct sg_out *out, const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    if (len != 1 || b[0] >= 0x80)
        put_prefix(out, 0x80, len);
    sg_out_bytes(out, bytes, len);
}

void sgc_rlp_put_number(struct sg_out *out, const uint8_t *bytes, size_t len)
{
    while (len > 0 && bytes[0] == 0) {
        bytes++;
        len--;
    }
    sgc_rlp_put_bytes(out, bytes, len);
}

void sgc_rlp_put_list(struct sg_out *out, size_t len)
{
    put_prefix(out, 0xc0, len);
}
