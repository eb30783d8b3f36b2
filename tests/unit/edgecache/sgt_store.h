/* sgt_store - a store of one worker with a disk, for tests: the test's thread is the worker. */
#ifndef SGT_STORE_H
#define SGT_STORE_H

#include "base/clock.h"
#include "base/sys/rcu.h"
#include "edgecache/content/content.h"
#include "tests/sgt_dir.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SGT_SLICE      (64u << 10)
#define SGT_DISK_BYTES (25ull << 20) /* six segments of 4 MiB */

struct sgt_store {
    char dir[SGT_DIR_BYTES];
    struct sge_content_conf conf;
    struct sg_mail *mail;
    struct sge_content *content;
    struct sge_shard *shard;
    uint32_t tenant; /* of what is put */
    char disk[SGT_DIR_BYTES + 16], index[SGT_DIR_BYTES + 16];
};

static inline void sgt_store_configure(struct sgt_store *s, const char *dir, uint64_t disk_bytes)
{
    snprintf(s->disk, sizeof(s->disk), "%s/volume", dir);
    snprintf(s->index, sizeof(s->index), "%s/index", dir);
    s->tenant = 5;
    s->conf = (struct sge_content_conf){.ram_bytes = 24 << 20,
                                        .slice_bytes = SGT_SLICE,
                                        .workers = 1,
                                        .disk_path = s->disk,
                                        .disk_bytes = disk_bytes,
                                        .index_dir = s->index,
                                        .volume_mail_id = 1};
}

static inline enum sg_err sgt_store_open(struct sgt_store *s)
{
    enum sg_err err = sg_mail_open(1 + SGE_VOLUME_MAILS, 256, &s->mail);
    s->conf.mail = s->mail;
    if (err == SG_OK)
        err = sge_content_open(&s->conf, &s->content);
    if (err != SG_OK) {
        sg_mail_close(s->mail);
        return err;
    }
    s->shard = sge_content_shard(s->content, 0);
    sg_rcu_register();
    return SG_OK;
}

/* Harmless when it is not open. */
static inline void sgt_store_close(struct sgt_store *s)
{
    if (s->content == NULL)
        return;
    sg_rcu_unregister();
    sge_content_close(s->content);
    sg_mail_close(s->mail);
    s->content = NULL;
}

/* As a worker's turn: true when something came for the director. */
static inline bool sgt_store_turn(struct sgt_store *s, struct sge_event *event)
{
    struct sg_msg msg;
    bool got = false;
    sge_shard_turn(s->shard);
    if (sg_mail_take(s->mail, 0, &msg, 1) == 1)
        got = sge_shard_message(s->shard, &msg, event);
    sg_rcu_quiescent();
    return got;
}

/* Waits for the next event, ten seconds at most. */
static inline bool sgt_store_event(struct sgt_store *s, struct sge_event *event)
{
    uint64_t end_ns = sg_clock_mono_ns() + 10 * SG_NS_PER_SEC;
    while (sg_clock_mono_ns() < end_ns) {
        if (sgt_store_turn(s, event))
            return true;
        usleep(50);
    }
    return false;
}

static inline struct sge_key sgt_store_key(struct sgt_store *s, uint32_t number, char text[16])
{
    struct sge_key key;
    int len = snprintf(text, 16, "/%u", number);
    sge_key_make(s->content, (struct sg_str){text, (size_t)len}, (size_t)len, &key);
    return key;
}

/* What object `number`, in its `version`, is made of. */
static inline uint64_t sgt_store_length(uint32_t number)
{
    return number % 4 == 3 ? 200000 + number % 977 : 1 + number * 131 % 9000;
}

static inline uint8_t sgt_store_byte(uint32_t number, uint32_t version, uint64_t offset)
{
    return (uint8_t)((number * 7919u + version * 31u + offset) * 2654435761u >> 9);
}

/* Publishes it with `keep`; false: no room right now. */
static inline bool sgt_store_put(struct sgt_store *s, uint32_t number, uint32_t version, bool keep)
{
    char text[16], head[32];
    uint64_t length = sgt_store_length(number), at = 0;
    struct sge_key key = sgt_store_key(s, number, text);
    struct sge_meta meta = {.status = 200, .tenant = s->tenant, .birth_purge_seq = version};
    struct sge_body *body = sge_body_make(s->shard, length, s->tenant, false);
    int head_len = snprintf(head, sizeof(head), "version: %u\r\n", version);
    struct sge_object_new from = {&key, &meta, {head, (size_t)head_len}, body};
    if (body == NULL)
        return false;
    struct sge_object *object = NULL;
    while (at < length) {
        uint8_t *memory;
        uint32_t room, slice = (uint32_t)(at / SGT_SLICE);
        if (!sge_body_window(s->shard, body, slice, &memory, &room))
            break;
        for (uint32_t i = 0; i < room; i++)
            memory[i] = sgt_store_byte(number, version, at + i);
        sge_body_filled(s->shard, body, slice, room);
        at += room;
    }
    if (at == length)
        object = sge_object_make(s->shard, &from);
    if (object != NULL) {
        sge_body_finish(s->shard, body, true);
        sge_object_publish(s->shard, object, keep);
    }
    sg_hold_unref(sge_body_hold(body));
    return object != NULL;
}

/* From RAM or disk, with a reference; NULL: nowhere. */
static inline struct sge_object *sgt_store_get(struct sgt_store *s, uint32_t number)
{
    char text[16];
    struct sge_event event;
    struct sge_key key = sgt_store_key(s, number, text);
    struct sge_object *object = sge_content_find(s->content, &key);
    if (object != NULL || !sge_shard_look_up(s->shard, &key, number))
        return object;
    if (!sgt_store_event(s, &event) || event.kind != SGE_EVENT_LOOKED_UP || event.cookie != number)
        abort();
    return event.object;
}

/* Reads all of it, from disk where it must. 1: every byte is right; 0: not all of it is there; -1:
 * a wrong byte. */
static inline int sgt_store_verify(struct sgt_store *s, struct sge_object *object, uint32_t number)
{
    uint64_t at = 0, length = sgt_store_length(number);
    uint32_t version = (uint32_t)object->meta.birth_purge_seq;
    while (at < length) {
        struct sg_slice slice;
        size_t count = 0;
        uint32_t n = (uint32_t)(at / SGT_SLICE);
        enum sge_read got = sge_body_read(object->body, at, 1 << 20, &slice, 1, &count);
        if (got == SGE_READ_OK) {
            for (uint32_t i = 0; i < slice.len; i++)
                if (slice.bytes[i] != sgt_store_byte(number, version, at + i))
                    return -1;
            at += slice.len;
            sg_slice_drop(&slice);
            continue;
        }
        struct sge_event event;
        if (got != SGE_READ_MISSING || !sge_body_slice_claim(s->shard, object->body, n) ||
            !sge_body_load(s->shard, object->body, n, n))
            return 0;
        if (!sgt_store_event(s, &event) || event.kind != SGE_EVENT_LOADED || !event.ok)
            return 0;
    }
    return sge_body_bytes(object->body) == length ? 1 : -1;
}

/* Waits until the volume has taken what was given to it. */
static inline void sgt_store_settle(struct sgt_store *s, uint64_t kept)
{
    struct sge_volume_counts counts;
    struct sge_event event;
    uint64_t end_ns = sg_clock_mono_ns() + 10 * SG_NS_PER_SEC;
    do {
        (void)sgt_store_turn(s, &event);
        usleep(200);
    } while (sge_content_volume_counts(s->content, &counts) && counts.kept < kept &&
             sg_clock_mono_ns() < end_ns);
}

/* And until that can be found there. */
static inline void sgt_store_commit(struct sgt_store *s)
{
    struct sge_volume_counts counts;
    struct sge_event event;
    uint64_t end_ns = sg_clock_mono_ns() + 10 * SG_NS_PER_SEC;
    do {
        (void)sgt_store_turn(s, &event);
        usleep(200);
    } while (sge_content_volume_counts(s->content, &counts) && counts.kept_for_good < counts.kept &&
             sg_clock_mono_ns() < end_ns);
}

#endif
