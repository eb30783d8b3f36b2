#include "dataplane/gate/budget.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/siphash.h"
#include "base/sys/crypto.h"

#include <stdatomic.h>
#include <string.h>

#define ROWS     2
#define COUNTERS 16384u

struct sgd_budget {
    uint8_t key[16];
    _Atomic uint64_t counters[ROWS][COUNTERS]; /* the minute above, the count below */
};

enum sg_err sgd_budget_open(struct sgd_budget **out)
{
    SG_ASSERT(out != NULL);
    struct sgd_budget *budget = sg_boot_alloc(sizeof(*budget));
    if (budget == NULL)
        return SG_ENOMEM;
    sg_random(budget->key, sizeof(budget->key));
    *out = budget;
    return SG_OK;
}

void sgd_budget_close(struct sgd_budget *budget)
{
    sg_boot_free(budget);
}

/* One more in this minute; returns how many there were. A minute that ends in between loses a count
 * or two. */
static uint32_t count_up(_Atomic uint64_t *counter, uint32_t minute)
{
    uint64_t was = atomic_load_explicit(counter, memory_order_relaxed);
    if ((uint32_t)(was >> 32) != minute) {
        atomic_store_explicit(counter, (uint64_t)minute << 32 | 1, memory_order_relaxed);
        return 0;
    }
    if ((uint32_t)was < UINT32_MAX / 2) /* the minute above is never carried into */
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    return (uint32_t)was;
}

/* `kind` tells what is counted from what else has the same bytes; `most` 0: no limit. */
static bool take(struct sgd_budget *budget, char kind, const void *who, size_t len, uint32_t most,
                 uint64_t now_s)
{
    uint64_t hash[ROWS];
    uint8_t whole[1 + 16];
    uint32_t lowest = UINT32_MAX;
    SG_ASSERT(budget != NULL && len < sizeof(whole));
    if (most == 0)
        return true;
    whole[0] = (uint8_t)kind;
    memcpy(whole + 1, who, len);
    sg_siphash128(budget->key, whole, 1 + len, hash);
    for (int i = 0; i < ROWS; i++) {
        uint32_t was =
            count_up(&budget->counters[i][hash[i] % COUNTERS], (uint32_t)(now_s / SGD_BUDGET_S));
        lowest = SG_MIN(lowest, was);
    }
    return lowest < most;
}

bool sgd_budget_address(struct sgd_budget *budget, enum sgd_budget_of of,
                        const struct in6_addr *address, const struct sgd_budget_most *most,
                        uint64_t now_s)
{
    const bool v4 = IN6_IS_ADDR_V4MAPPED(address);
    const char kind = (char)('a' + of);
    return take(budget, kind, address, v4 ? 16 : 8, most->address, now_s) &&
           take(budget, kind, address, v4 ? 15 : 6, most->network, now_s) &&
           take(budget, kind, address, v4 ? 14 : 4, most->block, now_s);
}

bool sgd_budget_name(struct sgd_budget *budget, uint64_t name, uint32_t most, uint64_t now_s)
{
    return take(budget, 'n', &name, sizeof(name), most, now_s);
}
