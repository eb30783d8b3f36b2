#include "dataplane/gate/verdicts.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/pool.h"
#include "base/siphash.h"
#include "base/sys/crypto.h"

#define WAYS       4
#define TAIL_CHARS 43 /* the MAC is at the end: what makes one token another */

/* A cache line a set: a look-up that finds nothing touches no more. */
struct set {
    uint64_t hash[WAYS];
    struct sgd_verdict *entry[WAYS]; /* NULL: never used */
};
_Static_assert(sizeof(struct set) == SG_CACHELINE, "a set is a cache line");

struct sgd_verdicts {
    uint8_t key[16];
    uint32_t sets_mask;
    uint32_t turn; /* which way of a full set goes next */
    struct set *sets;
    struct sg_pool entries;
};

enum sg_err sgd_verdicts_open(uint32_t entries, struct sgd_verdicts **out)
{
    SG_ASSERT(entries <= 1u << 24);
    SG_ASSERT(out != NULL);
    uint32_t count = 16;
    while (count < entries)
        count *= 2;
    struct sgd_verdicts *verdicts = sg_boot_alloc(sizeof(*verdicts));
    if (verdicts == NULL)
        return SG_ENOMEM;
    enum sg_err err = sg_pool_init(&verdicts->entries, count, sizeof(struct sgd_verdict));
    if (err != SG_OK)
        goto out;
    verdicts->sets_mask = count / WAYS - 1;
    verdicts->sets = sg_boot_alloc_array(count / WAYS, sizeof(*verdicts->sets));
    if (verdicts->sets == NULL) {
        err = SG_ENOMEM;
        goto out;
    }
    sg_random(verdicts->key, sizeof(verdicts->key));
    *out = SG_TAKE(verdicts);
out:
    sgd_verdicts_close(verdicts);
    return err;
}

void sgd_verdicts_close(struct sgd_verdicts *verdicts)
{
    if (verdicts == NULL)
        return;
    sg_pool_fini(&verdicts->entries);
    sg_boot_free(verdicts->sets);
    sg_boot_free(verdicts);
}

static uint64_t text_hash(const struct sgd_verdicts *verdicts, struct sg_str text)
{
    size_t tail = SG_MIN(text.len, (size_t)TAIL_CHARS);
    return sg_siphash64(verdicts->key, text.ptr + text.len - tail, tail);
}

struct sgd_verdict *sgd_verdicts_find(struct sgd_verdicts *verdicts, uint64_t gate,
                                      struct sg_str text, uint64_t *hash)
{
    SG_ASSERT(verdicts != NULL);
    SG_ASSERT(gate != 0);
    *hash = 0;
    if (text.len == 0 || text.len > SGD_VERDICT_TEXT_MAX)
        return NULL;
    *hash = text_hash(verdicts, text);
    struct set *set = &verdicts->sets[*hash & verdicts->sets_mask];
    for (int i = 0; i < WAYS; i++) {
        struct sgd_verdict *entry = set->entry[i];
        if (set->hash[i] == *hash && entry != NULL && entry->gate == gate &&
            entry->text_len == text.len && memcmp(entry->text, text.ptr, text.len) == 0)
            return entry;
    }
    return NULL;
}

/* A way never used or no longer findable, else one in turn. As many entries as ways: one is there.
 */
static int way_for(struct sgd_verdicts *verdicts, struct set *set)
{
    int way = (int)(verdicts->turn++ % WAYS);
    for (int i = 0; i < WAYS; i++)
        if (set->entry[i] == NULL || set->entry[i]->gate == 0)
            way = i;
    if (set->entry[way] == NULL)
        set->entry[way] = sg_pool_take(&verdicts->entries);
    SG_ASSERT(set->entry[way] != NULL);
    return way;
}

struct sgd_verdict *sgd_verdicts_place(struct sgd_verdicts *verdicts, uint64_t hash,
                                       struct sg_str text, struct sg_str payload)
{
    SG_ASSERT(verdicts != NULL);
    if (text.len == 0 || text.len > SGD_VERDICT_TEXT_MAX || payload.len > SGD_VERDICT_PAYLOAD_MAX)
        return NULL;
    struct set *set = &verdicts->sets[hash & verdicts->sets_mask];
    int way = way_for(verdicts, set);
    struct sgd_verdict *entry = set->entry[way];
    set->hash[way] = hash;
    entry->gate = 0;
    entry->state_version = 0;
    entry->text_len = (uint16_t)text.len;
    memcpy(entry->text, text.ptr, text.len);
    memcpy(entry->payload, payload.ptr, payload.len);
    return entry;
}
