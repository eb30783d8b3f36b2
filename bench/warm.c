/* warm - a restart with a full disk tier: `warm fill DIR [OBJECTS]` writes them (default a million,
 * 1 KiB each, 8 GiB of disk), `warm start DIR [OBJECTS]` opens the store and asks for some of them:
 * how long from open to the first hit, and to the hundredth. */
#include "base/clock.h"
#include "bench/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_BYTES 1024u

static struct sge_key key_of(uint32_t i, char text[64])
{
    struct sge_key key;
    int len = snprintf(text, 64, "films\n/a/longer/path/seg-%07u.m4s", i);
    sge_key_make(content, (struct sg_str){text, (size_t)len}, (size_t)len, &key);
    return key;
}

static bool put_one(uint32_t i)
{
    char text[64];
    struct sge_key key = key_of(i, text);
    return put(&key, BODY_BYTES, (int)i);
}

static void fill(uint32_t objects)
{
    struct sge_volume_counts counts = {0};
    struct sge_event event;
    uint64_t begin_ns = sg_clock_mono_ns();
    for (uint32_t i = 0; i < objects; i++) {
        while (!put_one(i))
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
    if (argc < 3) {
        fprintf(stderr, "usage: warm fill|start DIR [OBJECTS]\n");
        return 2;
    }
    uint32_t objects = argc > 3 ? (uint32_t)atoi(argv[3]) : 1000000;
    uint64_t begin_ns = sg_clock_mono_ns();
    store_open(argv[2], 256 << 20, 8ull << 30);
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
    store_close();
    printf("close          %8.2f ms\n", (double)(sg_clock_mono_ns() - begin_ns) / 1e6);
    return 0;
}
