#include "dataplane/origin/pool.h"

uint32_t sgd_pool_pick(struct sgd_pool *pool, uint32_t tried, uint64_t now_ns)
{
    (void)now_ns;
    for (uint32_t i = 0; i < pool->urls_count; i++)
        if (!(tried & SG_BIT(i)))
            return i;
    return SGD_POOL_URL_NONE;
}

void sgd_pool_result(struct sgd_pool *pool, uint32_t url, enum sgd_outcome outcome, uint64_t now_ns)
{
    (void)pool;
    (void)url;
    (void)outcome;
    (void)now_ns;
}
