#include "base/sys/rcu.h"

#include "base/assert.h"

#include <urcu/urcu-qsbr.h>

_Static_assert(sizeof(struct rcu_head) == sizeof((struct sg_rcu_head){0}.priv),
               "sg_rcu_head.priv holds liburcu's rcu_head");

/* The library is not instrumented: tell ThreadSanitizer what a grace period orders. */
#ifdef __has_feature
#define RCU_TSAN __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#else
#define RCU_TSAN 0
#endif
#if RCU_TSAN
#include <sanitizer/tsan_interface.h>
static char grace, done;
#define RCU_RELEASE(addr) __tsan_release(addr)
#define RCU_ACQUIRE(addr) __tsan_acquire(addr)
#else
#define RCU_RELEASE(addr) ((void)0)
#define RCU_ACQUIRE(addr) ((void)0)
#endif

static _Thread_local unsigned registered;

void sg_rcu_register(void)
{
    if (registered++ == 0)
        urcu_qsbr_register_thread();
}

void sg_rcu_unregister(void)
{
    SG_ASSERT(registered > 0);
    RCU_RELEASE(&grace);
    if (--registered == 0)
        urcu_qsbr_unregister_thread();
}

bool sg_rcu_registered(void)
{
    return registered > 0;
}

void sg_rcu_quiescent(void)
{
    SG_ASSERT(registered > 0);
    RCU_RELEASE(&grace);
    urcu_qsbr_quiescent_state();
}

void sg_rcu_offline(void)
{
    SG_ASSERT(registered > 0);
    RCU_RELEASE(&grace);
    urcu_qsbr_thread_offline();
}

void sg_rcu_online(void)
{
    SG_ASSERT(registered > 0);
    urcu_qsbr_thread_online();
}

static void rcu_deferred(struct rcu_head *priv)
{
    struct sg_rcu_head *head = (struct sg_rcu_head *)priv; /* priv comes first */
    RCU_ACQUIRE(head);
    RCU_ACQUIRE(&grace);
    head->fn(head);
    RCU_RELEASE(&done);
}

void sg_rcu_defer(struct sg_rcu_head *head, void (*fn)(struct sg_rcu_head *head))
{
    SG_ASSERT(head != NULL);
    SG_ASSERT(fn != NULL);
    head->fn = fn;
    RCU_RELEASE(head);
    urcu_qsbr_call_rcu((struct rcu_head *)head->priv, rcu_deferred);
}

void sg_rcu_barrier(void)
{
    RCU_RELEASE(&grace); /* it goes offline while it waits */
    urcu_qsbr_barrier();
    RCU_ACQUIRE(&done);
}
