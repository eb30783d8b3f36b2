/* shares - which part of the store each tenant may count on. A tenant with a share is a group of
 * its own; all others compete in group 0, which has what is left of the hundred. Set by any one
 * control thread at a time; read by shards without locks. A group, once given, is the tenant's for
 * good. */
#ifndef SGE_CONTENT_SHARES_H
#define SGE_CONTENT_SHARES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SGE_GROUPS_MAX   64
#define SGE_GROUP_COMMON 0

struct sge_shares {
    _Atomic uint32_t count;                  /* groups given, the common one not counted */
    _Atomic uint32_t tenant[SGE_GROUPS_MAX]; /* of groups 1 .. count */
    _Atomic uint32_t percent[SGE_GROUPS_MAX];
};

void sge_shares_init(struct sge_shares *shares);
/* percent 0: the tenant competes with all others again. False: no group is left for it. */
bool sge_shares_set(struct sge_shares *shares, uint32_t tenant, uint32_t percent);
/* The group that new content of `tenant` belongs to. */
uint8_t sge_shares_group(const struct sge_shares *shares, uint32_t tenant);
/* At least 1 for the common group. */
uint32_t sge_shares_percent(const struct sge_shares *shares, uint8_t group);

#endif
