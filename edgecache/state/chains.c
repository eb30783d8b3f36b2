/* The file `chains`: one slot a chain, never given back. A slot has two copies of what is known,
 * and a count that says which is good: a writer fills the other one and then counts on. So a reader
 * never waits for a writer, not for one that died half-way either. */
#include "base/alloc.h"
#include "base/assert.h"
#include "edgecache/state/inside.h"
#include "edgecache/state/mapfile.h"

#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS (sizeof(struct sge_chain) / sizeof(uint64_t))
#define TRIES 64 /* each means that a whole word came in between */

struct slot {
    _Atomic uint64_t count;
    _Atomic uint32_t id; /* 0: free, and so are all after it */
    uint32_t zero;
    _Atomic uint64_t copies[2][WORDS];
};
_Static_assert(sizeof(struct sge_chain) % sizeof(uint64_t) == 0, "copied in words");

struct sge_chains {
    struct slot *slots; /* SGE_CHAINS_MAX */
    int fd;
    bool writable;
    pthread_mutex_t writer; /* of this process; the file's lock is for the others */
};

enum sg_err sge_chains_open(const char *folder, bool writable, struct sge_chains **out)
{
    SG_ASSERT(out != NULL);
    struct sge_chains *chains = sg_boot_alloc(sizeof(*chains));
    void *map;
    if (chains == NULL)
        return SG_ENOMEM;
    chains->writable = writable;
    enum sg_err err = sge_mapfile_open(folder, "chains", SGE_CHAINS_MAX * sizeof(struct slot),
                                       writable, &map, &chains->fd);
    if (err != SG_OK) {
        sg_boot_free(chains);
        return err;
    }
    chains->slots = map;
    pthread_mutex_init(&chains->writer, NULL);
    *out = chains;
    return SG_OK;
}

void sge_chains_close(struct sge_chains *chains)
{
    if (chains == NULL)
        return;
    munmap(chains->slots, SGE_CHAINS_MAX * sizeof(struct slot));
    close(chains->fd);
    pthread_mutex_destroy(&chains->writer);
    sg_boot_free(chains);
}

static struct slot *slot_find(const struct sge_chains *chains, uint32_t id)
{
    for (uint32_t i = 0; i < SGE_CHAINS_MAX; i++) {
        uint32_t known = atomic_load_explicit(&chains->slots[i].id, memory_order_acquire);
        if (known == id)
            return &chains->slots[i];
        if (known == 0)
            break;
    }
    return NULL;
}

static void slot_write(struct slot *slot, const struct sge_chain *chain)
{
    uint64_t words[WORDS], count = atomic_load_explicit(&slot->count, memory_order_relaxed);
    _Atomic uint64_t *copy = slot->copies[(count + 1) % 2];
    memcpy(words, chain, sizeof(words));
    atomic_thread_fence(memory_order_seq_cst); /* who still reads this copy sees the count moved */
    for (size_t i = 0; i < WORDS; i++)
        atomic_store_explicit(&copy[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&slot->count, count + 1, memory_order_release);
    atomic_store_explicit(&slot->id, chain->id, memory_order_release);
}

/* Words from..from + n of the chain. */
static enum sg_err slot_read(const struct slot *slot, size_t from, size_t n, void *out)
{
    uint64_t words[WORDS];
    SG_ASSERT(from + n <= WORDS);
    for (int i = 0; i < TRIES; i++) {
        uint64_t count = atomic_load_explicit(&slot->count, memory_order_acquire);
        for (size_t w = 0; w < n; w++)
            words[w] =
                atomic_load_explicit(&slot->copies[count % 2][from + w], memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&slot->count, memory_order_relaxed) == count) {
            memcpy(out, words, n * sizeof(words[0]));
            return SG_OK;
        }
    }
    return SG_EAGAIN;
}

enum sg_err sge_state_chain_heard(struct sge_state *state, const struct sge_chain *chain)
{
    SG_ASSERT(state != NULL);
    SG_ASSERT(chain != NULL && chain->id != 0);
    struct sge_chains *chains = state->chains;
    if (!chains->writable)
        return SG_EACCES;
    pthread_mutex_lock(&chains->writer);
    flock(chains->fd, LOCK_EX);
    struct slot *slot = slot_find(chains, chain->id);
    for (uint32_t i = 0; slot == NULL && i < SGE_CHAINS_MAX; i++)
        if (atomic_load_explicit(&chains->slots[i].id, memory_order_relaxed) == 0)
            slot = &chains->slots[i];
    if (slot != NULL)
        slot_write(slot, chain);
    flock(chains->fd, LOCK_UN);
    pthread_mutex_unlock(&chains->writer);
    return slot != NULL ? SG_OK : SG_EFULL;
}

enum sg_err sge_state_chain(const struct sge_state *state, uint32_t id, struct sge_chain *out)
{
    SG_ASSERT(state != NULL && out != NULL);
    const struct slot *slot = id == 0 ? NULL : slot_find(state->chains, id);
    return slot == NULL ? SG_ENOENT : slot_read(slot, 0, WORDS, out);
}

enum sg_err sge_state_chain_times(const struct sge_state *state, uint32_t id,
                                  struct sge_chain_times *out)
{
    SG_ASSERT(state != NULL && out != NULL);
    _Static_assert(offsetof(struct sge_chain, late_s) ==
                       offsetof(struct sge_chain, head_s) +
                           offsetof(struct sge_chain_times, late_s),
                   "one run of words");
    const struct slot *slot = id == 0 ? NULL : slot_find(state->chains, id);
    return slot == NULL ? SG_ENOENT
                        : slot_read(slot, offsetof(struct sge_chain, head_s) / sizeof(uint64_t),
                                    sizeof(*out) / sizeof(uint64_t), out);
}

uint32_t sge_state_chains(const struct sge_state *state, struct sge_chain *out, uint32_t max)
{
    SG_ASSERT(state != NULL);
    uint32_t count = 0;
    for (uint32_t i = 0; i < SGE_CHAINS_MAX && count < max; i++) {
        const struct slot *slot = &state->chains->slots[i];
        if (atomic_load_explicit(&slot->id, memory_order_acquire) == 0)
            break;
        if (slot_read(slot, 0, WORDS, &out[count]) == SG_OK)
            count++;
    }
    return count;
}
