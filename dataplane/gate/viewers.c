#include "dataplane/gate/viewers.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/siphash.h"
#include "dataplane/gate/token.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#define SETS      8192u
#define WAYS      4u /* sets that one token may have */
#define SEEN_BITS 24 /* of seconds: half a year until they come round again */
#define SEEN_MASK ((1ull << SEEN_BITS) - 1)

/* A slot is who (40 bits of a hash, never 0) and when he was seen last, in one word. */
struct viewers_set {
    _Atomic uint64_t token; /* 0: nobody's */
    _Atomic uint64_t slots[SGD_TOKEN_VIEWERS_MAX];
};

struct sgd_viewers {
    uint8_t key[16];
    struct viewers_set sets[SETS];
};

enum sg_err sgd_viewers_open(struct sgd_viewers **out)
{
    SG_ASSERT(out != NULL);
    struct sgd_viewers *viewers = sg_boot_alloc(sizeof(*viewers));
    if (viewers == NULL)
        return SG_ENOMEM;
    if (getrandom(viewers->key, sizeof(viewers->key), 0) != (ssize_t)sizeof(viewers->key)) {
        sg_boot_free(viewers);
        return SG_EIO;
    }
    *out = viewers;
    return SG_OK;
}

void sgd_viewers_close(struct sgd_viewers *viewers)
{
    sg_boot_free(viewers);
}

static uint64_t who_of(const struct sgd_viewers *viewers, const struct in6_addr *address)
{
    uint64_t hash = 0;
    if (address != NULL)
        hash = sg_siphash64(viewers->key, address, IN6_IS_ADDR_V4MAPPED(address) ? 16 : 8);
    return hash >> SEEN_BITS << SEEN_BITS | 1ull << SEEN_BITS;
}

static bool slot_here(uint64_t slot, uint64_t now_s)
{
    return slot != 0 && ((now_s - slot) & SEEN_MASK) < SGD_VIEWER_S;
}

/* How many are here, and where `who` is, or else a slot that is free now. */
static uint32_t set_count(struct viewers_set *set, uint64_t who, uint64_t now_s,
                          _Atomic uint64_t **his, _Atomic uint64_t **unused)
{
    uint32_t here = 0;
    *his = *unused = NULL;
    for (size_t i = 0; i < SGD_TOKEN_VIEWERS_MAX; i++) {
        uint64_t slot = atomic_load_explicit(&set->slots[i], memory_order_relaxed);
        if (!slot_here(slot, now_s)) {
            *unused = &set->slots[i];
            continue;
        }
        here++;
        if ((slot & ~SEEN_MASK) == who)
            *his = &set->slots[i];
    }
    return here;
}

/* The token's set, or one that nobody uses now; NULL: there is none. */
static struct viewers_set *set_of(struct sgd_viewers *viewers, uint64_t token, uint64_t now_s)
{
    struct viewers_set *sets = &viewers->sets[token % (SETS / WAYS) * WAYS];
    _Atomic uint64_t *his, *unused;
    for (uint32_t i = 0; i < WAYS; i++)
        if (atomic_load_explicit(&sets[i].token, memory_order_relaxed) == token)
            return &sets[i];
    for (uint32_t i = 0; i < WAYS; i++) {
        uint64_t before = atomic_load_explicit(&sets[i].token, memory_order_relaxed);
        if (set_count(&sets[i], 0, now_s, &his, &unused) == 0 &&
            atomic_compare_exchange_strong_explicit(&sets[i].token, &before, token,
                                                    memory_order_relaxed, memory_order_relaxed))
            return &sets[i];
    }
    return NULL;
}

bool sgd_viewers_enter(struct sgd_viewers *viewers, struct sg_str id, uint32_t limit,
                       const struct in6_addr *address, uint64_t now_s)
{
    SG_ASSERT(limit > 0 && limit <= SGD_TOKEN_VIEWERS_MAX);
    uint64_t token = sg_siphash64(viewers->key, id.ptr, id.len) | 1;
    uint64_t who = who_of(viewers, address), seen = who | (now_s & SEEN_MASK);
    struct viewers_set *set = set_of(viewers, token, now_s);
    if (set == NULL)
        return true;
    _Atomic uint64_t *his, *unused;
    for (;;) {
        uint32_t here = set_count(set, who, now_s, &his, &unused);
        if (his != NULL) {
            if (atomic_load_explicit(his, memory_order_relaxed) != seen)
                atomic_store_explicit(his, seen, memory_order_relaxed);
            return true;
        }
        if (here >= limit)
            return false;
        uint64_t before = atomic_load_explicit(unused, memory_order_relaxed);
        if (!slot_here(before, now_s) &&
            atomic_compare_exchange_strong_explicit(unused, &before, seen, memory_order_relaxed,
                                                    memory_order_relaxed))
            break;
    }
    if (set_count(set, who, now_s, &his, &unused) <= limit)
        return true;
    if (his != NULL) /* two at once came for the last place */
        atomic_store_explicit(his, 0, memory_order_relaxed);
    return false;
}
