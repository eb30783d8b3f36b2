#include "edgecache/content/content.h"

#include "base/alloc.h"
#include "base/siphash.h"
#include "base/sys/rcu.h"
#include "edgecache/content/store.h"
#include "edgecache/content/tier.h"
#include "edgecache/content/volume.h"

#include <sys/random.h>

#define BYTES_PER_OBJECT 4096u /* of RAM: what one object takes at least, roughly */
#define OBJECTS_MAX      (1u << 24)
#define GHOSTS_MAX       (1u << 20)

static enum sg_err shard_open(struct sge_content *content, uint16_t id)
{
    struct sge_shard *shard = &content->shards[id];
    shard->content = content;
    shard->id = id;
    shard->part = sge_arena_part(content->arena, id);
    sg_list_init(&shard->untold);
    uint32_t ghosts = SG_MIN(content->objects_max, GHOSTS_MAX);
    return sge_policy_open(&content->shares, ghosts, &shard->policy);
}

static enum sg_err content_open_ram(struct sge_content *content,
                                    const struct sge_content_conf *conf)
{
    enum sg_err err =
        sge_arena_open(conf->ram_bytes, conf->hugepages, conf->workers, &content->arena);
    if (err != SG_OK)
        return err;
    uint64_t objects = conf->objects_max != 0 ? conf->objects_max
                                              : sge_arena_bytes(content->arena) / BYTES_PER_OBJECT;
    objects = SG_MIN(objects, (uint64_t)OBJECTS_MAX);
    content->objects_max = SG_MAX((uint32_t)objects / conf->workers, 1u);
    err = sg_rcuhash_open(content->objects_max * conf->workers, &content->index);
    for (uint16_t i = 0; err == SG_OK && i < conf->workers; i++)
        err = shard_open(content, i);
    return err;
}

static enum sg_err content_open_disk(struct sge_content *content,
                                     const struct sge_content_conf *conf)
{
    content->disk_second_hit = conf->disk_second_hit;
    enum sg_err err = sge_volume_open(content, conf, content->hash_key, &content->volume);
    if (content->volume == NULL)
        return err;
    for (uint32_t i = 0; err == SG_OK && i < conf->workers; i++)
        err = sge_tier_open(&content->shards[i]);
    return err;
}

enum sg_err sge_content_open(const struct sge_content_conf *conf, struct sge_content **out)
{
    SG_ASSERT(conf->workers > 0 && conf->workers <= SGE_WORKERS_MAX);
    SG_ASSERT(conf->slice_bytes >= 64u << 10 && conf->slice_bytes <= SGE_BLOCK_BYTES);
    SG_ASSERT((conf->slice_bytes & (conf->slice_bytes - 1)) == 0);
    SG_ASSERT(conf->mail != NULL);
    struct sge_content *content = sg_boot_alloc(sizeof(*content));
    if (content == NULL)
        return SG_ENOMEM;
    enum sg_err err = SG_ENOMEM;
    content->mail = conf->mail;
    content->workers = conf->workers;
    content->slice_bytes = conf->slice_bytes;
    sge_shares_init(&content->shares);
    content->shards = sg_boot_alloc_array(conf->workers, sizeof(*content->shards));
    if (content->shards == NULL)
        goto out;
    if (getrandom(content->hash_key, sizeof(content->hash_key), 0) != sizeof(content->hash_key)) {
        err = SG_EIO;
        goto out;
    }
    err = content_open_ram(content, conf);
    if (err == SG_OK && conf->disk_path != NULL)
        err = content_open_disk(content, conf);
    if (err != SG_OK)
        goto out;
    *out = SG_TAKE(content);
out:
    sge_content_close(content);
    return err;
}

void sge_content_close(struct sge_content *content)
{
    if (content == NULL)
        return;
    sge_volume_close(content->volume); /* it still reads from the arena */
    sg_rcu_register();                 /* removing from the index reads it */
    for (uint32_t i = 0; content->shards != NULL && i < content->workers; i++)
        if (content->shards[i].policy != NULL)
            sge_shard_empty(&content->shards[i]);
    sg_rcu_unregister();
    sg_rcu_barrier(); /* objects wait for it in cells of the arena */
    for (uint32_t i = 0; content->shards != NULL && i < content->workers; i++) {
        sge_policy_close(content->shards[i].policy);
        sge_tier_close(content->shards[i].tier);
    }
    sg_rcuhash_close(content->index);
    sge_arena_close(content->arena);
    sg_boot_free(content->shards);
    sg_boot_free(content);
}

uint32_t sge_content_slice_bytes(const struct sge_content *content)
{
    return content->slice_bytes;
}

bool sge_content_give_up_disk(struct sge_content *content, uint64_t patience_ns)
{
    return content->volume == NULL || sge_volume_give_up(content->volume, patience_ns);
}

bool sge_content_volume_counts(const struct sge_content *content, struct sge_volume_counts *out)
{
    if (content->volume != NULL)
        sge_volume_counts(content->volume, out);
    return content->volume != NULL;
}

struct sge_shard *sge_content_shard(struct sge_content *content, uint16_t worker)
{
    SG_ASSERT(worker < content->workers);
    return &content->shards[worker];
}

void sge_content_arena(const struct sge_content *content, struct sge_arena_view *out)
{
    *out = (struct sge_arena_view){
        .base = sge_arena_base(content->arena),
        .bytes = sge_arena_bytes(content->arena),
        .fd = sge_arena_fd(content->arena),
        .kind = sge_arena_kind(content->arena),
    };
}

bool sge_content_share(struct sge_content *content, uint32_t tenant, uint32_t percent)
{
    return sge_shares_set(&content->shares, tenant, percent);
}

void sge_key_make(const struct sge_content *content, struct sg_str bytes, size_t primary_len,
                  struct sge_key *key)
{
    SG_ASSERT(primary_len <= bytes.len && bytes.len <= SGE_KEY_BYTES_MAX);
    key->bytes = bytes;
    sg_siphash128(content->hash_key, bytes.ptr, bytes.len, key->hash);
    key->owner_hash = sg_siphash64(content->hash_key, bytes.ptr, primary_len);
}

uint16_t sge_key_owner(const struct sge_content *content, const struct sge_key *key)
{
    return (uint16_t)(((key->owner_hash >> 32) * content->workers) >> 32);
}
