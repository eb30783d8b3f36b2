/* content - what a hit costs in the store: find + read + drop of a hot 1 KiB object, alone and with
 * other workers at the same objects; and filling. Prints one line a case: ns an operation. */
#include "edgecache/content/content.h"
#include "base/clock.h"
#include "base/sys/rcu.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS     10000u
#define ROUNDS      2000000u
#define BODY_BYTES  1024u
#define THREADS_MAX 4

static struct sge_content *content;
static struct sge_key keys[OBJECTS];
static char texts[OBJECTS][64];

static void put(uint32_t i)
{
    struct sge_shard *shard = sge_content_shard(content, sge_key_owner(content, &keys[i]));
    struct sge_meta meta = {.status = 200, .tenant = 1, .body_bytes = BODY_BYTES};
    struct sge_body *body = sge_body_make(shard, BODY_BYTES, 1, false);
    uint8_t *memory;
    uint32_t room;
    if (body == NULL || !sge_body_window(shard, body, 0, &memory, &room))
        abort();
    memset(memory, (int)i, room);
    sge_body_filled(shard, body, 0, room);
    sge_body_finish(shard, body, true);
    struct sge_object_new from = {&keys[i], &meta, SG_STR("content-type: video/mp4\r\n"), body};
    struct sge_object *object = sge_object_make(shard, &from);
    if (object == NULL)
        abort();
    sge_object_publish(shard, object, false);
    sg_hold_unref(sge_body_hold(body));
}

static void hit(uint32_t i)
{
    struct sg_slice slice;
    size_t count = 0;
    struct sge_object *object = sge_content_find(content, &keys[i]);
    if (object == NULL ||
        sge_body_read(object->body, 0, UINT64_MAX, &slice, 1, &count) != SGE_READ_OK)
        abort();
    sg_slice_drop(&slice);
    sg_hold_unref(&object->hold);
}

struct job {
    uint32_t objects; /* asked for in turn: 1 is the hottest there is */
    double ns;
};

static void *run(void *arg)
{
    struct job *job = arg;
    sg_rcu_register();
    uint64_t begin_ns = sg_clock_mono_ns();
    uint32_t at = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        hit(at);
        at = at + 1 == job->objects ? 0 : at + 1;
        if (i % 64 == 0)
            sg_rcu_quiescent();
    }
    job->ns = (double)(sg_clock_mono_ns() - begin_ns) / ROUNDS;
    sg_rcu_unregister();
    return NULL;
}

static void measure(const char *name, uint32_t threads, uint32_t objects)
{
    pthread_t ids[THREADS_MAX];
    struct job jobs[THREADS_MAX];
    double worst = 0;
    for (uint32_t t = 0; t < threads; t++) {
        jobs[t] = (struct job){objects, 0};
        if (pthread_create(&ids[t], NULL, run, &jobs[t]) != 0)
            abort();
    }
    for (uint32_t t = 0; t < threads; t++) {
        pthread_join(ids[t], NULL);
        worst = jobs[t].ns > worst ? jobs[t].ns : worst;
    }
    printf("%-44s %8.1f ns\n", name, worst);
}

static void fill_all(void)
{
    sg_rcu_register();
    uint64_t begin_ns = sg_clock_mono_ns();
    for (uint32_t i = 0; i < OBJECTS; i++) {
        int len = snprintf(texts[i], sizeof(texts[i]), "films\n/a/longer/path/seg-%06u.m4s", i);
        sge_key_make(content, (struct sg_str){texts[i], (size_t)len}, (size_t)len, &keys[i]);
        put(i);
    }
    double ns = (double)(sg_clock_mono_ns() - begin_ns) / OBJECTS;
    sg_rcu_unregister();
    printf("%-44s %8.1f ns\n", "make key, fill and publish 1 KiB", ns);
}

int main(void)
{
    struct sge_content_conf conf = {.ram_bytes = 256 << 20, .slice_bytes = 1 << 20, .workers = 2};
    if (sg_mail_open(2, 64, &conf.mail) != SG_OK || sge_content_open(&conf, &content) != SG_OK)
        return 1;
    fill_all();
    measure("hit, one object", 1, 1);
    measure("hit, 100 objects", 1, 100);
    measure("hit, 10000 objects", 1, OBJECTS);
    measure("hit, one object, two workers at it", 2, 1);
    measure("hit, 10000 objects, two workers at them", 2, OBJECTS);
    sge_content_close(content);
    sg_mail_close(conf.mail);
    return 0;
}
