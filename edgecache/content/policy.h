/* policy - what to evict next: S3-FIFO (Yang and others, SOSP 2023), one pair of queues a tenant
 * group. New entries enter `small` (a tenth of the group's bytes); what was used there more than
 * once moves to `main`, the rest leaves and is remembered in `ghost`, so that it enters `main` when
 * it comes back soon. `main` is a FIFO whose used entries go round again.
 *
 * One shard's, on its thread; only an entry's use counter is written by other threads. */
#ifndef SGE_CONTENT_POLICY_H
#define SGE_CONTENT_POLICY_H

#include "base/err.h"
#include "base/list.h"
#include "edgecache/content/shares.h"

#define SGE_USES_MAX 3

enum sge_entry_kind { SGE_ENTRY_SLICE, SGE_ENTRY_OBJECT };
/* Embedded in what can be evicted. */
struct sge_entry {
    struct sg_list link;
    uint32_t bytes;
    uint8_t group;
    uint8_t queue; /* enum policy_queue */
    uint8_t kind;  /* enum sge_entry_kind */
    _Atomic uint8_t uses;
};

/* Any thread. Writes only until the counter is at its end: no cache line is fought over for long.
 */
static inline void sge_entry_use(struct sge_entry *entry)
{
    uint8_t uses = atomic_load_explicit(&entry->uses, memory_order_relaxed);
    if (uses < SGE_USES_MAX)
        atomic_store_explicit(&entry->uses, (uint8_t)(uses + 1), memory_order_relaxed);
}

struct sge_policy;
/* Remembers about `ghosts` evicted entries. */
SG_MUST_USE enum sg_err sge_policy_open(const struct sge_shares *shares, uint32_t ghosts,
                                        struct sge_policy **out);
void sge_policy_close(struct sge_policy *policy);

void sge_entry_init(struct sge_entry *entry, enum sge_entry_kind kind);
/* Whether it is in a queue. */
bool sge_entry_queued(const struct sge_entry *entry);
/* `name` is a hash that is the same when the same content comes again; 0: it has none. */
void sge_policy_insert(struct sge_policy *policy, struct sge_entry *entry, uint32_t bytes,
                       uint8_t group, uint64_t name);
/* Harmless for one that is in no queue. */
void sge_policy_remove(struct sge_policy *policy, struct sge_entry *entry);
/* Remembers that what is called `name` was evicted. */
void sge_policy_ghost(struct sge_policy *policy, uint64_t name);

/* Asked of a candidate: nobody is using it right now. */
typedef bool (*sge_policy_free)(const struct sge_entry *entry);
/* The next to go, still in its queue, from the group that is furthest over its share; NULL: none
 * was found within a bounded search. */
struct sge_entry *sge_policy_victim(struct sge_policy *policy, sge_policy_free is_free);
/* Any entry, or NULL: for emptying. */
struct sge_entry *sge_policy_any(struct sge_policy *policy);
/* Bytes of entries in all queues of `group`. */
uint64_t sge_policy_bytes(const struct sge_policy *policy, uint8_t group);

#endif
