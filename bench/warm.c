/* warm - a restart with a full disk tier: `warm fill DIR [OBJECTS]` writes them (default a million,
 * 1 KiB each, 8 GiB of disk), `warm start DIR [OBJECTS]` opens the store and asks for some of them:
 * how long from open to the first hit, and to the hundredth. */
#include "base/clock.h"
#include "base/sys/rcu.h"
#include "edgecache/content/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_BYTES 1024u

static struct sge_content *content;
static struct sge_shard *shard;
static struct sg_mail *mail;

static bool turn(struct sge_event *event)
{
    struct sg_msg msg;
    bool got = false;
    sge_shard_turn(shard);
    while (!got && sg_mail_take(mail, 0, &msg, 1) == 1)
        got = sge_shard_message(shard, &msg, event);
    sg_rcu_quiescent();
    return got;
}

static struct sge_key key_of(uint32_t i, char text[64])
{
    struct sge_key key;
    int len = snprintf(text, 64, "films\n/a/longer/path/seg-%07u.m4s", i);
    sge_key_make(content, (struct sg_str){text, (size_t)len}, (size_t)len, &key);
    return key;
}

static bool put(uint32_t i)
{
    char text[64];
    struct sge_key key = key_of(i, text);
    struct sge_meta meta = {.status = 200, .tenant = 1, .body_bytes = BODY_BYTES};
    struct sge_body *body = sge_body_make(shard, BODY_BYTES, 1, false);
    uint8_t *memory;
    uint32_t room;
    if (body == NULL)
        return false;
    struct sge_object *object = NULL;
    if (sge_body_window(shard, body, 0, &memory, &room)) {
        memset(memory, (int)i, room);
        sge_body_filled(shard, body, 0, room);
        sge_body_finish(shard, body, true);
        struct sge_object_new from = {&key, &meta, SG_STR("content-type: video/mp4\r\n"), body};
        object = sge_object_make(shard, &from);
    }
    if (object != NULL)
        sge_object_publish(shard, object, true);
    sg_hold_unref(sge_body_hold(body));
    return object != NULL;
}

static void fill(uint32_t objects)
{
    struct sge_volume_counts counts = {0};
    struct sge_event event;
    uint64_t begin_ns = sg_clock_mono_ns();
    for (uint32_t i = 0; i < objects; i++) {
        while (!put(i))
            (void)turn(&event);
        (void)turn(&event);
        while (sge_content_volume_counts(content, &counts) && i > counts.kept + 400) {
            (void)turn(&event);
            usleep(50);
        }
    }
    printf("filled with %u objects in %.1f s\n", objects,
           (double)(sg_clock_mono_ns() - begin_ns) / 1e9);
}

static void get(uint32_t i)
{
    char text[64];
    struct sge_event event;
    struct sge_key key = key_of(i, text);
    if (!sge_shard_look_up(shard, &key, i))
        abort();
    while (!turn(&event))
        usleep(5);
    if (event.object == NULL) {
        printf("object %u is not there\n", i);
        return;
    }
    if (!sge_body_slice_claim(shard, event.object->body, 0) ||
        !sge_body_load(shard, event.object->body, 0, i))
        abort();
    struct sge_object *object = event.object;
    while (!turn(&event))
        usleep(5);
    if (!event.ok)
        printf("object %u could not be loaded\n", i);
    sg_hold_unref(&object->hold);
}

int main(int argc, char **argv)
{
    char disk[4096], index[4096];
    if (argc < 3) {
        fprintf(stderr, "usage: warm fill|start DIR [OBJECTS]\n");
        return 2;
    }
    uint32_t objects = argc > 3 ? (uint32_t)atoi(argv[3]) : 1000000;
    snprintf(disk, sizeof(disk), "%s/volume", argv[2]);
    snprintf(index, sizeof(index), "%s/index", argv[2]);
    uint64_t begin_ns = sg_clock_mono_ns();
    struct sge_content_conf conf = {.ram_bytes = 256 << 20,
                                    .slice_bytes = 1 << 20,
                                    .workers = 1,
                                    .disk_path = disk,
                                    .disk_bytes = 8ull << 30,
                                    .index_dir = index,
                                    .volume_mail_id = 1};
    if (sg_mail_open(1 + SGE_VOLUME_MAILS, 1024, &mail) != SG_OK)
        return 1;
    conf.mail = mail;
    if (sge_content_open(&conf, &content) != SG_OK)
        return 1;
    shard = sge_content_shard(content, 0);
    sg_rcu_register();
    if (strcmp(argv[1], "fill") == 0) {
        fill(objects);
    } else {
        printf("open           %8.2f ms\n", (double)(sg_clock_mono_ns() - begin_ns) / 1e6);
        get(objects / 2);
        printf("first hit      %8.2f ms\n", (double)(sg_clock_mono_ns() - begin_ns) / 1e6);
        for (uint32_t i = 1; i < 100; i++)
            get(i * (objects / 100) + 1);
        printf("hundredth hit  %8.2f ms\n", (double)(sg_clock_mono_ns() - begin_ns) / 1e6);
    }
    begin_ns = sg_clock_mono_ns();
    sg_rcu_unregister();
    sge_content_close(content);
    sg_mail_close(mail);
    printf("close          %8.2f ms\n", (double)(sg_clock_mono_ns() - begin_ns) / 1e6);
    return 0;
}
