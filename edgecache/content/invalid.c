#include "edgecache/content/invalid.h"

#include "base/alloc.h"
#include "edgecache/state/mapfile.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* As it lies in the file. A slot's number is 0 while it is written, else one more than the word's.
 */
struct invalid_slot {
    _Atomic uint64_t number;
    _Atomic uint64_t hash[2], owner_hash, at_ns;
    _Atomic uint64_t teller;
};
struct invalid_ring {
    SG_ALIGNED _Atomic uint64_t end;
    SG_ALIGNED struct invalid_slot slots[SGE_INVALID_WORDS];
};

struct sge_invalid {
    struct invalid_ring *ring;
    uint64_t teller; /* this opening: drawn */
    int fd;
};

enum sg_err sge_invalid_open(const char *dir, struct sge_invalid **out)
{
    void *map;
    struct sge_invalid *invalid = sg_boot_alloc(sizeof(*invalid));
    if (invalid == NULL)
        return SG_ENOMEM;
    enum sg_err err =
        sge_mapfile_open(dir, "invalidated", sizeof(struct invalid_ring), true, &map, &invalid->fd);
    if (err == SG_OK) {
        invalid->ring = map;
        if (getrandom(&invalid->teller, sizeof(invalid->teller), 0) != sizeof(invalid->teller))
            err = SG_EIO;
    }
    if (err == SG_OK)
        *out = SG_TAKE(invalid);
    sge_invalid_close(invalid);
    return err;
}

void sge_invalid_close(struct sge_invalid *invalid)
{
    if (invalid == NULL)
        return;
    if (invalid->ring != NULL) {
        munmap(invalid->ring, sizeof(*invalid->ring));
        close(invalid->fd);
    }
    sg_boot_free(invalid);
}

static void word_set(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

static uint64_t word_get(const _Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

void sge_invalid_tell(struct sge_invalid *invalid, const struct sge_key *key, uint64_t now_ns)
{
    /* Before the word: who looks after it was told looks at least that far. */
    uint64_t number = atomic_fetch_add_explicit(&invalid->ring->end, 1, memory_order_acq_rel);
    struct invalid_slot *slot = &invalid->ring->slots[number % SGE_INVALID_WORDS];
    word_set(&slot->number, 0);
    atomic_thread_fence(memory_order_release);
    word_set(&slot->hash[0], key->hash[0]);
    word_set(&slot->hash[1], key->hash[1]);
    word_set(&slot->owner_hash, key->owner_hash);
    word_set(&slot->at_ns, now_ns);
    word_set(&slot->teller, invalid->teller);
    atomic_store_explicit(&slot->number, number + 1, memory_order_release);
}

uint64_t sge_invalid_end(const struct sge_invalid *invalid)
{
    return atomic_load_explicit(&invalid->ring->end, memory_order_acquire);
}

enum sge_invalid_got sge_invalid_get(const struct sge_invalid *invalid, uint64_t number,
                                     struct sge_invalid_word *out)
{
    const struct invalid_slot *slot = &invalid->ring->slots[number % SGE_INVALID_WORDS];
    uint64_t before = atomic_load_explicit(&slot->number, memory_order_acquire);
    struct sge_invalid_word word = {.hash = {word_get(&slot->hash[0]), word_get(&slot->hash[1])},
                                    .owner_hash = word_get(&slot->owner_hash),
                                    .at_ns = word_get(&slot->at_ns)};
    bool own = word_get(&slot->teller) == invalid->teller;
    atomic_thread_fence(memory_order_acquire);
    uint64_t after = word_get(&slot->number);
    if (sge_invalid_end(invalid) - number > SGE_INVALID_WORDS)
        return SGE_INVALID_LOST;
    if (before != number + 1 || after != before)
        return SGE_INVALID_NONE;
    *out = word;
    return own ? SGE_INVALID_OWN : SGE_INVALID_WORD;
}
