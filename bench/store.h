/* store - a store with a disk tier, of one worker, for the benchmarks of that tier. */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include "base/sys/rcu.h"
#include "edgecache/content/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sge_content *content;
static struct sge_shard *shard;
static struct sg_mail *mail;

/* In DIR, which is there; ends the program where it can't be. */
static inline void store_open(const char *dir, uint64_t ram_bytes, uint64_t disk_bytes)
{
    char disk[4096], index[4096];
    snprintf(disk, sizeof(disk), "%s/volume", dir);
    snprintf(index, sizeof(index), "%s/index", dir);
    struct sge_content_conf conf = {.ram_bytes = ram_bytes,
                                    .slice_bytes = 1 << 20,
                                    .workers = 1,
                                    .disk_path = disk,
                                    .disk_bytes = disk_bytes,
                                    .index_dir = index,
                                    .volume_mail_id = 1};
    if (sg_mail_open(1 + SGE_VOLUME_MAILS, 1024, &mail) != SG_OK)
        exit(EXIT_FAILURE);
    conf.mail = mail;
    if (sge_content_open(&conf, &content) != SG_OK)
        exit(EXIT_FAILURE);
    shard = sge_content_shard(content, 0);
    sg_rcu_register();
}

static inline void store_close(void)
{
    sg_rcu_unregister();
    sge_content_close(content);
    sg_mail_close(mail);
}

/* One turn of the worker's loop. True: the shard has an event. */
static inline bool turn(struct sge_event *event)
{
    struct sg_msg msg;
    bool got = false;
    sge_shard_turn(shard);
    while (!got && sg_mail_take(mail, 0, &msg, 1) == 1)
        got = sge_shard_message(shard, &msg, event);
    sg_rcu_quiescent();
    return got;
}

/* An object of `bytes` of `fill`. False: there is no room right now. */
static inline bool put(const struct sge_key *key, uint32_t bytes, int fill)
{
    struct sge_meta meta = {.status = 200, .tenant = 1, .body_bytes = bytes};
    struct sge_body *body = sge_body_make(shard, bytes, 1, false);
    struct sge_object *object = NULL;
    uint8_t *memory;
    uint32_t room;
    if (body == NULL)
        return false;
    if (sge_body_window(shard, body, 0, &memory, &room)) {
        memset(memory, fill, room);
        sge_body_filled(shard, body, 0, room);
        sge_body_finish(shard, body, true);
        struct sge_object_new from = {key, &meta, SG_STR("content-type: video/mp4\r\n"), body};
        object = sge_object_make(shard, &from);
    }
    if (object != NULL)
        sge_object_publish(shard, object, true);
    sg_hold_unref(sge_body_hold(body));
    return object != NULL;
}

#endif
