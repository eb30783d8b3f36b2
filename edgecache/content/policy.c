#include "edgecache/content/policy.h"

#include "base/alloc.h"

#define SEARCH_MAX    64 /* entries looked at for one victim */
#define SMALL_PERCENT 10

enum policy_queue { QUEUE_NONE, QUEUE_SMALL, QUEUE_MAIN, QUEUE_COUNT };

struct policy_group {
    struct sg_list queue[QUEUE_COUNT];
    uint64_t bytes[QUEUE_COUNT];
};

/* Where a name's hash points: the upper half of the name, and when it was evicted. */
struct policy_ghost {
    uint32_t name;
    uint32_t when;
};

struct sge_policy {
    const struct sge_shares *shares;
    struct policy_ghost *ghosts;
    uint32_t ghosts_mask;
    uint32_t evicted; /* counts up: a ghost's clock */
    struct policy_group groups[SGE_GROUPS_MAX];
};

enum sg_err sge_policy_open(const struct sge_shares *shares, uint32_t ghosts,
                            struct sge_policy **out)
{
    SG_ASSERT(shares != NULL);
    SG_ASSERT(ghosts > 0 && ghosts <= 1u << 30);
    uint32_t size = 1;
    while (size < ghosts)
        size *= 2;
    struct sge_policy *policy = sg_boot_alloc(sizeof(*policy));
    if (policy == NULL)
        return SG_ENOMEM;
    policy->ghosts = sg_boot_alloc_array(size, sizeof(*policy->ghosts));
    if (policy->ghosts == NULL) {
        sg_boot_free(policy);
        return SG_ENOMEM;
    }
    policy->shares = shares;
    policy->ghosts_mask = size - 1;
    for (int g = 0; g < SGE_GROUPS_MAX; g++)
        for (int q = 0; q < QUEUE_COUNT; q++)
            sg_list_init(&policy->groups[g].queue[q]);
    *out = policy;
    return SG_OK;
}

void sge_policy_close(struct sge_policy *policy)
{
    if (policy == NULL)
        return;
    sg_boot_free(policy->ghosts);
    sg_boot_free(policy);
}

void sge_entry_init(struct sge_entry *entry, enum sge_entry_kind kind)
{
    sg_list_init(&entry->link);
    entry->queue = QUEUE_NONE;
    entry->kind = (uint8_t)kind;
    atomic_store_explicit(&entry->uses, 0, memory_order_relaxed);
}

bool sge_entry_queued(const struct sge_entry *entry)
{
    return entry->queue != QUEUE_NONE;
}

static void policy_enqueue(struct sge_policy *policy, struct sge_entry *entry, uint8_t queue)
{
    struct policy_group *group = &policy->groups[entry->group];
    entry->queue = queue;
    group->bytes[queue] += entry->bytes;
    sg_list_push_back(&group->queue[queue], &entry->link);
}

void sge_policy_remove(struct sge_policy *policy, struct sge_entry *entry)
{
    struct policy_group *group = &policy->groups[entry->group];
    if (entry->queue == QUEUE_NONE)
        return;
    SG_ASSERT(group->bytes[entry->queue] >= entry->bytes);
    group->bytes[entry->queue] -= entry->bytes;
    entry->queue = QUEUE_NONE;
    sg_list_remove(&entry->link);
}

/* ---- ghosts ---- */

void sge_policy_ghost(struct sge_policy *policy, uint64_t name)
{
    if (name == 0)
        return;
    policy->ghosts[name & policy->ghosts_mask] =
        (struct policy_ghost){(uint32_t)(name >> 32), ++policy->evicted};
}

/* True once: it is then forgotten. */
static bool policy_ghost_take(struct sge_policy *policy, uint64_t name)
{
    struct policy_ghost *ghost = &policy->ghosts[name & policy->ghosts_mask];
    if (name == 0 || ghost->when == 0 || ghost->name != (uint32_t)(name >> 32) ||
        policy->evicted - ghost->when > policy->ghosts_mask)
        return false;
    ghost->when = 0;
    return true;
}

void sge_policy_insert(struct sge_policy *policy, struct sge_entry *entry, uint32_t bytes,
                       uint8_t group, uint64_t name)
{
    SG_ASSERT(entry->queue == QUEUE_NONE);
    SG_ASSERT(group < SGE_GROUPS_MAX);
    entry->bytes = bytes;
    entry->group = group;
    policy_enqueue(policy, entry, policy_ghost_take(policy, name) ? QUEUE_MAIN : QUEUE_SMALL);
}

/* ---- victims ---- */

uint64_t sge_policy_bytes(const struct sge_policy *policy, uint8_t group)
{
    SG_ASSERT(group < SGE_GROUPS_MAX);
    return policy->groups[group].bytes[QUEUE_SMALL] + policy->groups[group].bytes[QUEUE_MAIN];
}

/* How full a group is, as parts of its share; those without a share that still hold something are
 * over it by any measure. */
static uint64_t policy_fullness(const struct sge_policy *policy, uint8_t group)
{
    uint32_t percent = sge_shares_percent(policy->shares, group);
    uint64_t bytes = sge_policy_bytes(policy, group);
    return percent == 0 ? bytes * 100 : bytes / percent;
}

static struct policy_group *policy_fullest(struct sge_policy *policy)
{
    uint32_t groups = atomic_load_explicit(&policy->shares->count, memory_order_acquire) + 1;
    uint8_t fullest = SGE_GROUP_COMMON;
    uint64_t most = 0;
    for (uint8_t g = 0; g < groups; g++) {
        uint64_t fullness = policy_fullness(policy, g);
        if (fullness > most) {
            most = fullness;
            fullest = g;
        }
    }
    return &policy->groups[fullest];
}

static uint8_t group_turn(const struct policy_group *group)
{
    uint64_t total = group->bytes[QUEUE_SMALL] + group->bytes[QUEUE_MAIN];
    if (sg_list_empty(&group->queue[QUEUE_MAIN]))
        return QUEUE_SMALL;
    if (sg_list_empty(&group->queue[QUEUE_SMALL]))
        return QUEUE_MAIN;
    return group->bytes[QUEUE_SMALL] * 100 > total * SMALL_PERCENT ? QUEUE_SMALL : QUEUE_MAIN;
}

/* Moves `entry` on if it was used; false: it is the one to go. */
static bool policy_spare(struct sge_policy *policy, struct sge_entry *entry)
{
    uint8_t uses = atomic_load_explicit(&entry->uses, memory_order_relaxed);
    uint8_t queue = entry->queue;
    if (queue == QUEUE_SMALL ? uses <= 1 : uses == 0)
        return false;
    sge_policy_remove(policy, entry);
    uses = queue == QUEUE_SMALL ? 0 : (uint8_t)(uses - 1);
    atomic_store_explicit(&entry->uses, uses, memory_order_relaxed);
    policy_enqueue(policy, entry, QUEUE_MAIN);
    return true;
}

struct sge_entry *sge_policy_victim(struct sge_policy *policy, sge_policy_free is_free)
{
    struct policy_group *group = policy_fullest(policy);
    for (int i = 0; i < SEARCH_MAX; i++) {
        uint8_t queue = group_turn(group);
        if (sg_list_empty(&group->queue[queue]))
            return NULL;
        struct sge_entry *entry = sg_list_entry(group->queue[queue].next, struct sge_entry, link);
        if (policy_spare(policy, entry))
            continue;
        if (is_free(entry))
            return entry;
        sge_policy_remove(policy, entry);
        policy_enqueue(policy, entry, queue);
    }
    return NULL;
}

struct sge_entry *sge_policy_any(struct sge_policy *policy)
{
    for (int g = 0; g < SGE_GROUPS_MAX; g++)
        for (int q = 0; q < QUEUE_COUNT; q++)
            if (!sg_list_empty(&policy->groups[g].queue[q]))
                return sg_list_entry(policy->groups[g].queue[q].next, struct sge_entry, link);
    return NULL;
}
