#include "controlplane/chain/solwatch.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/siphash.h"
#include "base/sys/crypto.h"

#include <fcntl.h>
#include <unistd.h>

#define NAME_NFT    'n'
#define NAME_HOLDER 'h'

/* One name in the file. */
struct name {
    uint8_t kind;
    uint8_t want[SGC_SOL_KEY_BYTES];
    uint8_t key[SGC_SOL_KEY_BYTES]; /* mint, or owner */
};
_Static_assert(sizeof(struct name) == 65, "format on disk");

#define HOLDERS_BIT 0x80000000u /* of a slot: the row is one of holders */

/* ---- tables, and one index over both ---- */

static bool is_named(const struct sgc_solwatch *watch, uint32_t slot, const uint8_t *key,
                     uint32_t want)
{
    uint32_t row = (slot & ~HOLDERS_BIT) - 1;
    if ((slot & HOLDERS_BIT) == 0)
        return want == SGC_SOLWATCH_MAX && memcmp(watch->nfts[row].mint, key, 32) == 0;
    return want == watch->holders[row].want && memcmp(watch->holders[row].owner, key, 32) == 0;
}

/* Where the name stands, or would. A holder is named by its want too, a mint by itself. */
static uint32_t *slot_of(const struct sgc_solwatch *watch, const uint8_t *key, uint32_t want)
{
    uint32_t mask = watch->slots_count - 1;
    uint32_t i = ((uint32_t)sg_siphash64(watch->hash_key, key, SGC_SOL_KEY_BYTES) + want) & mask;
    while (watch->slots[i] != 0 && !is_named(watch, watch->slots[i], key, want))
        i = (i + 1) & mask;
    return &watch->slots[i];
}

static void index_all(struct sgc_solwatch *watch)
{
    for (uint32_t i = 0; i < watch->nfts_count; i++)
        *slot_of(watch, watch->nfts[i].mint, SGC_SOLWATCH_MAX) = i + 1;
    for (uint32_t i = 0; i < watch->holders_count; i++)
        *slot_of(watch, watch->holders[i].owner, watch->holders[i].want) = (i + 1) | HOLDERS_BIT;
}

/* The index is twice what both tables have room for. */
static enum sg_err reindex(struct sgc_solwatch *watch)
{
    uint32_t count = 128;
    while (count < 2 * (watch->nfts_cap + watch->holders_cap))
        count *= 2;
    uint32_t *slots = sg_boot_alloc_array(count, sizeof(*slots));
    if (slots == NULL)
        return SG_ENOMEM;
    sg_boot_free(watch->slots);
    watch->slots = slots;
    watch->slots_count = count;
    index_all(watch);
    return SG_OK;
}

static struct sgc_solnft *nft_find(const struct sgc_solwatch *watch, const uint8_t *mint)
{
    uint32_t row = watch->slots == NULL ? 0 : *slot_of(watch, mint, SGC_SOLWATCH_MAX);
    return row == 0 ? NULL : &watch->nfts[row - 1];
}

static struct sgc_solholder *holder_find(const struct sgc_solwatch *watch, const uint8_t *owner,
                                         uint32_t want)
{
    uint32_t row = watch->slots == NULL ? 0 : *slot_of(watch, owner, want);
    return row == 0 ? NULL : &watch->holders[(row & ~HOLDERS_BIT) - 1];
}

/* Room for one more of `bytes` each, and in the index. */
static enum sg_err grow(struct sgc_solwatch *watch, void **rows, uint32_t count, uint32_t *cap,
                        size_t bytes)
{
    if (count < *cap)
        return SG_OK;
    uint32_t more = *cap == 0 ? 64 : *cap * 2;
    if (more > SGC_SOLWATCH_MAX)
        return SG_EFULL;
    void *grown = sg_boot_alloc_array(more, bytes);
    if (grown == NULL)
        return SG_ENOMEM;
    if (count > 0)
        memcpy(grown, *rows, count * bytes);
    sg_boot_free(*rows);
    *rows = grown;
    *cap = more;
    return reindex(watch);
}

static enum sg_err nft_add(struct sgc_solwatch *watch, const uint8_t *mint, uint32_t want)
{
    enum sg_err err = grow(watch, (void **)&watch->nfts, watch->nfts_count, &watch->nfts_cap,
                           sizeof(watch->nfts[0]));
    if (err != SG_OK)
        return err;
    struct sgc_solnft *nft = &watch->nfts[watch->nfts_count++];
    memcpy(nft->mint, mint, SGC_SOL_KEY_BYTES);
    nft->want = want;
    nft->regroup = true; /* what the ledger has may be from another want, and of then */
    *slot_of(watch, mint, SGC_SOLWATCH_MAX) = watch->nfts_count;
    return SG_OK;
}

static enum sg_err holder_add(struct sgc_solwatch *watch, const uint8_t *owner, uint32_t want)
{
    enum sg_err err = grow(watch, (void **)&watch->holders, watch->holders_count,
                           &watch->holders_cap, sizeof(watch->holders[0]));
    if (err != SG_OK)
        return err;
    struct sgc_solholder *holder = &watch->holders[watch->holders_count++];
    memcpy(holder->owner, owner, SGC_SOL_KEY_BYTES);
    holder->want = want;
    *slot_of(watch, owner, want) = watch->holders_count | HOLDERS_BIT;
    return SG_OK;
}

/* ---- the file ---- */

static enum sg_err name_take(struct sgc_solwatch *watch, const struct name *name,
                             const uint8_t (*wants)[SGC_SOL_KEY_BYTES], uint32_t wants_count)
{
    uint32_t want = 0;
    while (want < wants_count && memcmp(wants[want], name->want, SGC_SOL_KEY_BYTES) != 0)
        want++;
    if (want == wants_count)
        return SG_OK; /* of a rule that is gone */
    if (name->kind == NAME_NFT && nft_find(watch, name->key) == NULL)
        return nft_add(watch, name->key, want);
    if (name->kind == NAME_HOLDER && holder_find(watch, name->key, want) == NULL)
        return holder_add(watch, name->key, want);
    return SG_OK;
}

static enum sg_err names_read(struct sgc_solwatch *watch, const uint8_t (*wants)[SGC_SOL_KEY_BYTES],
                              uint32_t wants_count, bool *known)
{
    struct name name;
    enum sg_err err = SG_OK;
    off_t at = 0;
    ssize_t n;
    while (err == SG_OK && (n = pread(watch->fd, &name, sizeof(name), at)) == sizeof(name)) {
        err = name_take(watch, &name, wants, wants_count);
        at += n;
    }
    *known = at > 0;
    if (err == SG_OK && ftruncate(watch->fd, at) != 0) /* a name that was cut short */
        err = sg_err_from_errno(errno);
    return err;
}

static enum sg_err name_write(const struct sgc_solwatch *watch, uint8_t kind, const uint8_t *want,
                              const uint8_t *key)
{
    struct name name = {.kind = kind};
    memcpy(name.want, want, sizeof(name.want));
    memcpy(name.key, key, sizeof(name.key));
    ssize_t n = write(watch->fd, &name, sizeof(name)); /* O_APPEND */
    return n == sizeof(name) ? SG_OK : n < 0 ? sg_err_from_errno(errno) : SG_ENOSPC;
}

enum sg_err sgc_solwatch_open(const char *file, const uint8_t (*wants)[SGC_SOL_KEY_BYTES],
                              uint32_t wants_count, bool *known, struct sgc_solwatch *out)
{
    SG_ASSERT(file != NULL && known != NULL);
    *out = (struct sgc_solwatch){.fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640)};
    if (out->fd < 0)
        return sg_err_from_errno(errno);
    sg_random(out->hash_key, sizeof(out->hash_key));
    enum sg_err err = names_read(out, wants, wants_count, known);
    if (err != SG_OK)
        sgc_solwatch_close(out);
    return err;
}

void sgc_solwatch_close(struct sgc_solwatch *watch)
{
    sg_boot_free(watch->nfts);
    sg_boot_free(watch->holders);
    sg_boot_free(watch->slots);
    if (watch->fd >= 0)
        close(watch->fd);
    *watch = (struct sgc_solwatch){.fd = -1};
}

enum sg_err sgc_solwatch_nft(struct sgc_solwatch *watch, const uint8_t mint[SGC_SOL_KEY_BYTES],
                             uint32_t want, const uint8_t want_key[SGC_SOL_KEY_BYTES],
                             struct sgc_solnft **out)
{
    struct sgc_solnft *nft = nft_find(watch, mint);
    if (nft == NULL) {
        enum sg_err err = name_write(watch, NAME_NFT, want_key, mint);
        if (err == SG_OK)
            err = nft_add(watch, mint, want);
        if (err != SG_OK)
            return err;
        nft = &watch->nfts[watch->nfts_count - 1];
    }
    *out = nft;
    return SG_OK;
}

enum sg_err sgc_solwatch_holder(struct sgc_solwatch *watch, const uint8_t owner[SGC_SOL_KEY_BYTES],
                                uint32_t want, const uint8_t want_key[SGC_SOL_KEY_BYTES],
                                struct sgc_solholder **out)
{
    struct sgc_solholder *holder = holder_find(watch, owner, want);
    if (holder == NULL) {
        enum sg_err err = name_write(watch, NAME_HOLDER, want_key, owner);
        if (err == SG_OK)
            err = holder_add(watch, owner, want);
        if (err != SG_OK)
            return err;
        holder = &watch->holders[watch->holders_count - 1];
    }
    *out = holder;
    return SG_OK;
}

enum sg_err sgc_solwatch_sync(struct sgc_solwatch *watch)
{
    return fdatasync(watch->fd) == 0 ? SG_OK : sg_err_from_errno(errno);
}
