/* wheel - timers by the hundred thousand: one ring of slots of some milliseconds, each a list.
 * Setting and removing cost a few stores; moving a timer later, which is what keep-alive and send
 * timeouts do all the time, costs one. One core owns it. Allocates nothing. Never early. */
#ifndef SGD_WHEEL_H
#define SGD_WHEEL_H

#include "base/clock.h"
#include "base/list.h"

#include <stdint.h>

#define SGD_WHEEL_SLOTS   4096u
#define SGD_WHEEL_TICK_NS (8 * SG_NS_PER_MS)

struct sgd_timer {
    struct sg_list node;
    uint64_t due_ns;     /* SG_NEVER: unset, though it may still lie in a slot */
    uint64_t filed_tick; /* the slot it lies in, when it lies in one */
};

struct sgd_wheel {
    struct sg_list slots[SGD_WHEEL_SLOTS];
    uint64_t busy[SGD_WHEEL_SLOTS / 64]; /* which slots may hold something */
    uint64_t tick;                       /* all ticks before it are done */
};

void sgd_wheel_init(struct sgd_wheel *wheel, uint64_t now_ns);
void sgd_timer_init(struct sgd_timer *timer);
/* SG_NEVER unsets. */
void sgd_wheel_set(struct sgd_wheel *wheel, struct sgd_timer *timer, uint64_t due_ns);
/* Takes it out for good: before its memory goes. */
void sgd_wheel_remove(struct sgd_timer *timer);
/* No timer is due before that; SG_NEVER when there is none. May be earlier than the first. */
uint64_t sgd_wheel_next_ns(const struct sgd_wheel *wheel);
/* One timer that is due, now unset, or NULL. Call until NULL. */
struct sgd_timer *sgd_wheel_expire(struct sgd_wheel *wheel, uint64_t now_ns);

#endif
