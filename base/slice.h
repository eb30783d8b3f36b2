/* slice - bytes on their way to the wire: an address, a length, and a reference that keeps them
 * alive. Whoever is handed a slice owns one reference and ends
 * it with sg_slice_drop(). The bytes never change while a reference is held. */
#ifndef SG_BASE_SLICE_H
#define SG_BASE_SLICE_H

#include "base/assert.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sg_hold;
struct sg_hold_ops {
    /* The last reference is gone. Runs on the thread that dropped it; must not block. */
    void (*release)(struct sg_hold *hold);
};

/* What keeps bytes alive. Counted atomically: content is shared by all workers. */
struct sg_hold {
    _Atomic uint32_t refs;
    uint32_t region; /* SG_REGION_NONE, or which registered memory the bytes lie in */
    const struct sg_hold_ops *ops;
};

#define SG_REGION_NONE 0xffffffffu

struct sg_slice {
    const uint8_t *bytes;
    uint32_t len;
    struct sg_hold *hold; /* NULL: the bytes are static */
};

static inline void sg_hold_init(struct sg_hold *hold, const struct sg_hold_ops *ops)
{
    atomic_init(&hold->refs, 1);
    hold->region = SG_REGION_NONE;
    hold->ops = ops;
}

/* For holders of a reference: takes one more. */
static inline void sg_hold_ref(struct sg_hold *hold)
{
    uint32_t was = atomic_fetch_add_explicit(&hold->refs, 1, memory_order_relaxed);
    SG_ASSERT(was != 0 && was < UINT32_MAX / 2);
}

/* For those who found it without holding it: true and one reference, or false: it is going away. */
static inline bool sg_hold_try_ref(struct sg_hold *hold)
{
    uint32_t refs = atomic_load_explicit(&hold->refs, memory_order_relaxed);
    do {
        if (refs == 0)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&hold->refs, &refs, refs + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    return true;
}

static inline void sg_hold_unref(struct sg_hold *hold)
{
    uint32_t was = atomic_fetch_sub_explicit(&hold->refs, 1, memory_order_acq_rel);
    SG_ASSERT(was != 0);
    if (was == 1)
        hold->ops->release(hold);
}

static inline void sg_slice_drop(struct sg_slice *slice)
{
    if (slice->hold != NULL)
        sg_hold_unref(slice->hold);
    slice->hold = NULL;
    slice->len = 0;
}

#endif
