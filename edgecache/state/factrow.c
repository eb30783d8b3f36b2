#include "edgecache/state/factrow.h"

#include "base/assert.h"

#include <stddef.h>

#define ALSO_HEAD 0xff
#define HAS_UNTIL 1

struct fixed {
    uint8_t kind, groups_count, head, safe, holder, token, flags, zero;
    uint32_t chain, log;
    uint64_t generation, check, block, changed_ns;
};
_Static_assert(sizeof(struct fixed) == SGE_FACTROW_FIXED, "format on disk");
_Static_assert(offsetof(struct fixed, changed_ns) == SGE_FACTROW_CHANGED, "format on disk");

/* How many bytes of a value are left without its leading zeros. */
static uint8_t len_of(const uint8_t value[32])
{
    uint8_t zeros = 0;
    while (zeros < 32 && value[zeros] == 0)
        zeros++;
    return (uint8_t)(32 - zeros);
}

static uint8_t len_beside(const uint8_t value[32], const uint8_t head[32])
{
    return memcmp(value, head, 32) == 0 ? ALSO_HEAD : len_of(value);
}

static uint8_t *value_put(uint8_t *to, const uint8_t value[32], uint8_t len)
{
    if (len == ALSO_HEAD)
        return to;
    memcpy(to, value + 32 - len, len);
    return to + len;
}

size_t sge_factrow_put(const struct sge_factrow *row, uint8_t out[SGE_FACTROW_MAX])
{
    const struct sge_change *change = &row->change;
    SG_ASSERT(change->groups_count <= SGE_FACT_GROUPS_MAX);
    struct fixed fixed = {.kind = change->kind,
                          .groups_count = change->groups_count,
                          .head = len_of(change->head),
                          .safe = len_beside(change->safe, change->head),
                          .holder = len_beside(change->holder, change->head),
                          .token = len_beside(change->token, change->head),
                          .flags = change->until_s != 0 ? HAS_UNTIL : 0,
                          .chain = change->chain,
                          .log = change->log,
                          .generation = row->generation,
                          .check = change->id.check,
                          .block = change->block,
                          .changed_ns = row->changed_ns};
    uint8_t *to = out + sizeof(fixed);
    memcpy(out, &fixed, sizeof(fixed));
    if (change->until_s != 0) {
        memcpy(to, &change->until_s, sizeof(change->until_s));
        to += sizeof(change->until_s);
    }
    to = value_put(to, change->head, fixed.head);
    to = value_put(to, change->safe, fixed.safe);
    to = value_put(to, change->holder, fixed.holder);
    to = value_put(to, change->token, fixed.token);
    memcpy(to, change->groups, change->groups_count * sizeof(change->groups[0]));
    return (size_t)(to - out) + change->groups_count * sizeof(change->groups[0]);
}

static bool take(struct sg_str *rest, void *to, size_t len)
{
    if (len > rest->len)
        return false;
    memcpy(to, rest->ptr, len);
    rest->ptr += len;
    rest->len -= len;
    return true;
}

static bool value_take(struct sg_str *rest, uint8_t len, const uint8_t *head, uint8_t value[32])
{
    if (len == ALSO_HEAD && head != NULL) {
        memcpy(value, head, 32);
        return true;
    }
    memset(value, 0, 32);
    return len <= 32 && take(rest, value + 32 - len, len);
}

bool sge_factrow_read(struct sg_str bytes, struct sge_factrow *out)
{
    struct fixed fixed;
    struct sge_change *change = &out->change;
    if (!take(&bytes, &fixed, sizeof(fixed)) || fixed.groups_count > SGE_FACT_GROUPS_MAX)
        return false;
    *out = (struct sge_factrow){.generation = fixed.generation, .changed_ns = fixed.changed_ns};
    change->kind = fixed.kind;
    change->chain = fixed.chain;
    change->log = fixed.log;
    change->block = fixed.block;
    change->id.check = fixed.check;
    change->groups_count = fixed.groups_count;
    return ((fixed.flags & HAS_UNTIL) == 0 ||
            take(&bytes, &change->until_s, sizeof(change->until_s))) &&
           value_take(&bytes, fixed.head, NULL, change->head) &&
           value_take(&bytes, fixed.safe, change->head, change->safe) &&
           value_take(&bytes, fixed.holder, change->head, change->holder) &&
           value_take(&bytes, fixed.token, change->head, change->token) &&
           take(&bytes, change->groups, fixed.groups_count * sizeof(change->groups[0])) &&
           bytes.len == 0;
}

bool sge_factrow_brief(struct sg_str bytes, struct sge_fact *out)
{
    struct fixed fixed;
    if (!take(&bytes, &fixed, sizeof(fixed)) || fixed.groups_count > SGE_FACT_GROUPS_MAX)
        return false;
    const size_t groups_bytes = fixed.groups_count * sizeof(out->groups[0]);
    if (bytes.len < groups_bytes)
        return false;
    bytes.len -= groups_bytes;
    memcpy(out->groups, bytes.ptr + bytes.len, groups_bytes);
    out->groups_count = fixed.groups_count;
    if ((fixed.flags & HAS_UNTIL) != 0)
        bytes = sg_str_skip(bytes, sizeof(uint64_t));
    out->generation = fixed.generation;
    out->block = fixed.block;
    out->log = fixed.log;
    out->changed_ns = fixed.changed_ns;
    out->chain = fixed.chain;
    return value_take(&bytes, fixed.head, NULL, out->owner_head) &&
           value_take(&bytes, fixed.safe, out->owner_head, out->owner_safe);
}
