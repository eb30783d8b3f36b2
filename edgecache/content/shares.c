#include "edgecache/content/shares.h"

#include "base/assert.h"

static uint32_t share_load(const _Atomic uint32_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

void sge_shares_init(struct sge_shares *shares)
{
    *shares = (struct sge_shares){0};
    atomic_store_explicit(&shares->percent[SGE_GROUP_COMMON], 100, memory_order_relaxed);
}

static uint8_t shares_find(const struct sge_shares *shares, uint32_t tenant)
{
    uint32_t count = atomic_load_explicit(&shares->count, memory_order_acquire);
    for (uint32_t i = 1; i <= count; i++)
        if (share_load(&shares->tenant[i]) == tenant)
            return (uint8_t)i;
    return SGE_GROUP_COMMON;
}

static void shares_leave_rest(struct sge_shares *shares)
{
    uint32_t given = 0, count = share_load(&shares->count);
    for (uint32_t i = 1; i <= count; i++)
        given += share_load(&shares->percent[i]);
    atomic_store_explicit(&shares->percent[SGE_GROUP_COMMON], given < 100 ? 100 - given : 1,
                          memory_order_relaxed);
}

bool sge_shares_set(struct sge_shares *shares, uint32_t tenant, uint32_t percent)
{
    SG_ASSERT(percent <= 100);
    uint8_t group = shares_find(shares, tenant);
    if (group == SGE_GROUP_COMMON) {
        uint32_t count = share_load(&shares->count);
        if (percent == 0)
            return true;
        if (count + 1 == SGE_GROUPS_MAX)
            return false;
        group = (uint8_t)(count + 1);
        atomic_store_explicit(&shares->tenant[group], tenant, memory_order_relaxed);
        atomic_store_explicit(&shares->count, group, memory_order_release);
    }
    atomic_store_explicit(&shares->percent[group], percent, memory_order_relaxed);
    shares_leave_rest(shares);
    return true;
}

uint8_t sge_shares_group(const struct sge_shares *shares, uint32_t tenant)
{
    uint8_t group = shares_find(shares, tenant);
    return share_load(&shares->percent[group]) == 0 ? SGE_GROUP_COMMON : group;
}

uint32_t sge_shares_percent(const struct sge_shares *shares, uint8_t group)
{
    SG_ASSERT(group < SGE_GROUPS_MAX);
    return share_load(&shares->percent[group]);
}
