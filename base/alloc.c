#include "base/alloc.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local uint32_t fail_in = UINT32_MAX;

void sg_alloc_fail_nth(uint32_t nth)
{
    fail_in = nth;
}

void *sg_boot_alloc_array(size_t count, size_t bytes)
{
    size_t total;
    if (fail_in != UINT32_MAX && fail_in-- == 0)
        return NULL;
    if (__builtin_mul_overflow(count, bytes, &total) || total > PTRDIFF_MAX - SG_CACHELINE)
        return NULL;
    total = (SG_MAX(total, (size_t)1) + SG_CACHELINE - 1) & ~(size_t)(SG_CACHELINE - 1);
    void *ptr = aligned_alloc(SG_CACHELINE, total);
    if (ptr != NULL)
        memset(ptr, 0, total);
    return ptr;
}

void *sg_boot_alloc(size_t bytes)
{
    return sg_boot_alloc_array(1, bytes);
}

void sg_boot_free(void *ptr)
{
    free(ptr);
}
