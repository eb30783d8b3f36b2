/* pool - a fixed number of items of one size, taken at boot. One core owns it. */
#ifndef SG_BASE_POOL_H
#define SG_BASE_POOL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sg_pool {
    uint8_t *memory;
    uint32_t *free_stack;
    uint32_t free_count;
    uint32_t item_count;
    size_t item_bytes;
};

/* Uses the caller's struct; takes memory for `count` items of `item_bytes` (rounded up to a cache
 * line). Untouched pages cost nothing until first use. */
SG_MUST_USE enum sg_err sg_pool_init(struct sg_pool *pool, uint32_t count, size_t item_bytes);
void sg_pool_fini(struct sg_pool *pool);
/* An item with whatever its last user left in it, or NULL: all are out. */
void *sg_pool_take(struct sg_pool *pool);
/* `item` came from this pool. NULL is accepted. */
void sg_pool_give(struct sg_pool *pool, void *item);
static inline uint32_t sg_pool_in_use(const struct sg_pool *pool)
{
    return pool->item_count - pool->free_count;
}

#endif
