/* rcu - the door to liburcu's QSBR flavour: readers cost nothing, and in return say once a loop
 * turn that they hold nothing (quiescent), and leave the count around every wait (offline/online).
 *
 * A thread that reads what others may free registers first. Between two quiescent states of its own
 * it may follow any pointer that it found in an RCU structure; nothing found that way lives longer
 * unless a reference was taken. Threads that only wait (main, tests) need not register. */
#ifndef SG_BASE_SYS_RCU_H
#define SG_BASE_SYS_RCU_H

#include <stdbool.h>

/* Nests: the last unregister counts. A registered thread is online. */
void sg_rcu_register(void);
void sg_rcu_unregister(void);
/* Whether this thread is registered. */
bool sg_rcu_registered(void);
/* Registered threads only: "I hold no RCU pointer at this moment". */
void sg_rcu_quiescent(void);
/* The same, and for longer: around every wait that may block. */
void sg_rcu_offline(void);
void sg_rcu_online(void);

/* Lives in what is to be freed. Opaque. */
struct sg_rcu_head {
    void *priv[2];
    void (*fn)(struct sg_rcu_head *head);
};
/* Calls fn(head), on a thread of the library, once every thread that was reading is quiescent.
 * Never blocks. Any thread. */
void sg_rcu_defer(struct sg_rcu_head *head, void (*fn)(struct sg_rcu_head *head));
/* Waits until all that was deferred before has been called. Blocks; not within fn. */
void sg_rcu_barrier(void);

#endif
