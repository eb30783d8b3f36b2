#include "dataplane/engine/wheel.h"

static uint32_t wheel_slot(uint64_t tick)
{
    return (uint32_t)(tick % SGD_WHEEL_SLOTS);
}

void sgd_wheel_init(struct sgd_wheel *wheel, uint64_t now_ns)
{
    for (uint32_t i = 0; i < SGD_WHEEL_SLOTS; i++)
        sg_list_init(&wheel->slots[i]);
    for (uint32_t i = 0; i < SG_COUNT(wheel->busy); i++)
        wheel->busy[i] = 0;
    wheel->tick = now_ns / SGD_WHEEL_TICK_NS;
}

void sgd_timer_init(struct sgd_timer *timer)
{
    sg_list_init(&timer->node);
    timer->due_ns = SG_NEVER;
    timer->filed_tick = 0;
}

/* Into the slot of the first tick that begins at or after its time, but never one that is done. A
 * time beyond one round lies in the slot it would pass last before it comes. */
static void wheel_file(struct sgd_wheel *wheel, struct sgd_timer *timer)
{
    uint64_t tick = timer->due_ns / SGD_WHEEL_TICK_NS + (timer->due_ns % SGD_WHEEL_TICK_NS != 0);
    tick = SG_MAX(tick, wheel->tick);
    tick = SG_MIN(tick, wheel->tick + SGD_WHEEL_SLOTS - 1);
    uint32_t slot = wheel_slot(tick);
    timer->filed_tick = tick;
    sg_list_push_back(&wheel->slots[slot], &timer->node);
    wheel->busy[slot / 64] |= 1ull << (slot % 64);
}

void sgd_wheel_set(struct sgd_wheel *wheel, struct sgd_timer *timer, uint64_t due_ns)
{
    timer->due_ns = due_ns;
    if (due_ns == SG_NEVER)
        return; /* its slot will find it unset */
    if (!sg_list_empty(&timer->node)) {
        if (timer->filed_tick * SGD_WHEEL_TICK_NS <= due_ns)
            return; /* its slot will file it again */
        sg_list_remove(&timer->node);
    }
    wheel_file(wheel, timer);
}

void sgd_wheel_remove(struct sgd_timer *timer)
{
    sg_list_remove(&timer->node);
    timer->due_ns = SG_NEVER;
}

/* How many ticks from `wheel->tick` on until a busy slot; SGD_WHEEL_SLOTS: none. */
static uint32_t wheel_distance(const struct sgd_wheel *wheel)
{
    uint32_t start = wheel_slot(wheel->tick), words = SG_COUNT(wheel->busy);
    uint64_t word = wheel->busy[start / 64] & (~0ull << (start % 64));
    for (uint32_t i = 0; i <= words; i++) {
        if (word != 0) {
            uint32_t slot = (start / 64 + i) % words * 64 + (uint32_t)__builtin_ctzll(word);
            return (slot + SGD_WHEEL_SLOTS - start) % SGD_WHEEL_SLOTS;
        }
        word = wheel->busy[(start / 64 + i + 1) % words];
    }
    return SGD_WHEEL_SLOTS;
}

uint64_t sgd_wheel_next_ns(const struct sgd_wheel *wheel)
{
    uint32_t distance = wheel_distance(wheel);
    return distance == SGD_WHEEL_SLOTS ? SG_NEVER : (wheel->tick + distance) * SGD_WHEEL_TICK_NS;
}

struct sgd_timer *sgd_wheel_expire(struct sgd_wheel *wheel, uint64_t now_ns)
{
    uint64_t now_tick = now_ns / SGD_WHEEL_TICK_NS;
    for (;;) {
        uint32_t distance = wheel_distance(wheel);
        if (distance == SGD_WHEEL_SLOTS || wheel->tick + distance > now_tick) {
            /* Nothing lies up to now_tick; later filings belong behind it. */
            wheel->tick = SG_MAX(wheel->tick, now_tick);
            return NULL;
        }
        wheel->tick += distance;
        uint32_t slot = wheel_slot(wheel->tick);
        struct sg_list *node;
        while ((node = sg_list_pop_front(&wheel->slots[slot])) != NULL) {
            struct sgd_timer *timer = sg_list_entry(node, struct sgd_timer, node);
            if (timer->due_ns <= now_ns) {
                timer->due_ns = SG_NEVER;
                return timer;
            }
            if (timer->due_ns != SG_NEVER) { /* it was moved, or lies more than a round ahead */
                wheel_file(wheel, timer);
                SG_ASSERT(timer->filed_tick != wheel->tick); /* or this loop would not end */
            }
        }
        wheel->busy[slot / 64] &= ~(1ull << (slot % 64));
        wheel->tick++;
    }
}
