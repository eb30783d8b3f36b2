#include "dataplane/gate/verdicts.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/siphash.h"
#include "base/sys/crypto.h"

#define WAYS       4
#define TAIL_CHARS 43 /* the MAC is at the end: what makes one token another */

struct sgd_verdicts {
    uint8_t key[16];
    uint32_t sets_mask;
    uint32_t turn; /* which way of a full set goes next */
    struct sgd_verdict *entries;
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
    enum sg_err err = SG_ENOMEM;
    verdicts->entries = sg_boot_alloc_array(count, sizeof(*verdicts->entries));
    if (verdicts->entries == NULL)
        goto out;
    verdicts->sets_mask = count / WAYS - 1;
    sg_random(verdicts->key, sizeof(verdicts->key));
    *out = SG_TAKE(verdicts);
    err = SG_OK;
out:
    sgd_verdicts_close(verdicts);
    return err;
}

void sgd_verdicts_close(struct sgd_verdicts *verdicts)
{
    if (verdicts == NULL)
        return;
    sg_boot_free(verdicts->entries);
    sg_boot_free(verdicts);
}

static uint64_t text_hash(const struct sgd_verdicts *verdicts, struct sg_str text)
{
    size_t tail = SG_MIN(text.len, (size_t)TAIL_CHARS);
    return sg_siphash64(verdicts->key, text.ptr + text.len - tail, tail);
}

static struct sgd_verdict *set_of(struct sgd_verdicts *verdicts, uint64_t hash)
{
    return &verdicts->entries[(size_t)(hash & verdicts->sets_mask) * WAYS];
}

struct sgd_verdict *sgd_verdicts_find(struct sgd_verdicts *verdicts, uint64_t gate,
                                      struct sg_str text)
{
    SG_ASSERT(verdicts != NULL);
    SG_ASSERT(gate != 0);
    if (text.len == 0 || text.len > SGD_VERDICT_TEXT_MAX)
        return NULL;
    uint64_t hash = text_hash(verdicts, text);
    struct sgd_verdict *set = set_of(verdicts, hash);
    for (int i = 0; i < WAYS; i++)
        if (set[i].hash == hash && set[i].gate == gate && set[i].text_len == text.len &&
            memcmp(set[i].text, text.ptr, text.len) == 0)
            return &set[i];
    return NULL;
}

/* An empty way, else one in turn. */
static struct sgd_verdict *victim_of(struct sgd_verdicts *verdicts, struct sgd_verdict *set)
{
    for (int i = 0; i < WAYS; i++)
        if (set[i].gate == 0)
            return &set[i];
    return &set[verdicts->turn++ % WAYS];
}

struct sgd_verdict *sgd_verdicts_place(struct sgd_verdicts *verdicts, struct sg_str text,
                                       struct sg_str payload)
{
    SG_ASSERT(verdicts != NULL);
    if (text.len == 0 || text.len > SGD_VERDICT_TEXT_MAX || payload.len > SGD_VERDICT_PAYLOAD_MAX)
        return NULL;
    uint64_t hash = text_hash(verdicts, text);
    struct sgd_verdict *entry = victim_of(verdicts, set_of(verdicts, hash));
    entry->gate = 0;
    entry->hash = hash;
    entry->state_version = 0;
    entry->text_len = (uint16_t)text.len;
    memcpy(entry->text, text.ptr, text.len);
    memcpy(entry->payload, payload.ptr, payload.len);
    return entry;
}
