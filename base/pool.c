#include "base/pool.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <sys/mman.h>

enum sg_err sg_pool_init(struct sg_pool *pool, uint32_t count, size_t item_bytes)
{
    SG_ASSERT(pool != NULL);
    SG_ASSERT(count > 0 && item_bytes > 0);
    item_bytes = (item_bytes + SG_CACHELINE - 1) & ~(size_t)(SG_CACHELINE - 1);
    uint32_t *stack = sg_boot_alloc_array(count, sizeof(*stack));
    if (stack == NULL)
        return SG_ENOMEM;
    uint8_t *memory = mmap(NULL, count * item_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        sg_boot_free(stack);
        return SG_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++)
        stack[i] = count - 1 - i; /* low addresses first: few pages are ever touched */
    *pool = (struct sg_pool){memory, stack, count, count, item_bytes};
    return SG_OK;
}

void sg_pool_fini(struct sg_pool *pool)
{
    if (pool == NULL || pool->memory == NULL)
        return;
    munmap(pool->memory, pool->item_count * pool->item_bytes);
    sg_boot_free(pool->free_stack);
    *pool = (struct sg_pool){0};
}

void *sg_pool_take(struct sg_pool *pool)
{
    if (pool->free_count == 0)
        return NULL;
    return pool->memory + pool->item_bytes * pool->free_stack[--pool->free_count];
}

void sg_pool_give(struct sg_pool *pool, void *item)
{
    if (item == NULL)
        return;
    size_t offset = (size_t)((uint8_t *)item - pool->memory);
    SG_ASSERT(offset < pool->item_count * pool->item_bytes && offset % pool->item_bytes == 0);
    SG_ASSERT(pool->free_count < pool->item_count);
    pool->free_stack[pool->free_count++] = (uint32_t)(offset / pool->item_bytes);
}
