/* rcuhash - the door to liburcu's lock-free hash table: any registered thread finds, adds and
 * removes without locks. Nodes live in the caller's structs; what was removed may be freed after a
 * grace period (sg_rcu_defer). The number of buckets is fixed at open. */
#ifndef SG_BASE_SYS_RCUHASH_H
#define SG_BASE_SYS_RCUHASH_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct sg_rcuhash;
struct sg_rcuhash_node {
    void *priv[2];
};
/* Whether `node` is what `key` asks for. Runs on the finding thread. */
typedef bool (*sg_rcuhash_match)(const struct sg_rcuhash_node *node, const void *key);

/* `buckets` is rounded up to a power of two; about one a node is right. Blocks. */
SG_MUST_USE enum sg_err sg_rcuhash_open(uint32_t buckets, struct sg_rcuhash **out);
/* Empty and no longer used by anybody. Accepts NULL. */
void sg_rcuhash_close(struct sg_rcuhash *hash);

/* On registered threads, online. Valid until the caller's next quiescent state. */
struct sg_rcuhash_node *sg_rcuhash_find(struct sg_rcuhash *hash, uint64_t h, sg_rcuhash_match match,
                                        const void *key);
/* Puts `node` in, in place of what matches `key`: readers see the one or the other. Returns the
 * replaced node, or NULL. */
struct sg_rcuhash_node *sg_rcuhash_replace(struct sg_rcuhash *hash, uint64_t h,
                                           sg_rcuhash_match match, const void *key,
                                           struct sg_rcuhash_node *node);
/* False: it had been removed or replaced. */
bool sg_rcuhash_remove(struct sg_rcuhash *hash, struct sg_rcuhash_node *node);

#endif
