/* disk - how long the disk tier's readers wait while others write to it: `disk DIR [SECONDS [WRITES
 * A SECOND [FLUSH MS]]]` fills a volume of 1 GiB in DIR, then asks for one object of 64 KiB after
 * the other, SECONDS (5) with nothing else going on and as long with WRITES (4000) new objects of 4
 * KiB a second. Each flush of the disk takes FLUSH MS (0) longer, by a shim of ours: as on a busy
 * disk. A reading is the load of its slice, and the look-up before it where that left memory; it
 * counts from when it was due, so that one which waits makes those behind it wait. */
#include "base/clock.h"
#include "bench/store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OBJECTS       8192u
#define READ_BYTES    (64u << 10)
#define WRITE_BYTES   (4u << 10)
#define READ_EVERY_NS (2 * SG_NS_PER_MS)
#define READS_MAX     (1u << 20)

static uint32_t took_us[READS_MAX], reads, refused;

static useconds_t flush_us;

/* In place of the C library's, for the index's library too. */
int fdatasync(int fd)
{
    usleep(flush_us);
    return (int)syscall(SYS_fdatasync, fd);
}

static struct sge_key key_of(const char *kind, uint32_t i, char text[64])
{
    struct sge_key key;
    int len = snprintf(text, 64, "films\n/%s/%u", kind, i);
    sge_key_make(content, (struct sg_str){text, (size_t)len}, (size_t)len, &key);
    return key;
}

static bool put_named(const char *kind, uint32_t i, uint32_t bytes)
{
    char text[64];
    struct sge_key key = key_of(kind, i, text);
    return put(&key, bytes, (int)i);
}

/* All of it, no faster than the volume takes it. */
static void fill(void)
{
    struct sge_volume_counts counts = {0};
    struct sge_event event;
    for (uint32_t i = 0; i < OBJECTS;) {
        (void)turn(&event);
        (void)sge_content_volume_counts(content, &counts);
        if (i > counts.kept + 200)
            usleep(50);
        else
            i += put_named("read", i, READ_BYTES);
    }
    uint64_t end_ns = sg_clock_mono_ns() + SG_NS_PER_SEC; /* the last of it, and its commit */
    while (sg_clock_mono_ns() < end_ns)
        (void)turn(&event);
}

/* ---- reading while writing ---- */

struct pace {
    uint64_t begin_ns, rate; /* objects a second */
    uint32_t written;
};

/* One turn of the loop, and what is due to be written. Sleeps as a worker does. */
static bool step(struct pace *pace, struct sge_event *event)
{
    struct pollfd wake = {.fd = sg_mail_wake_fd(mail, 0), .events = POLLIN};
    uint64_t due = (sg_clock_mono_ns() - pace->begin_ns) * pace->rate / SG_NS_PER_SEC, count;
    bool behind = pace->written < due;
    if (behind && put_named("new", pace->written, WRITE_BYTES))
        pace->written++;
    if (turn(event))
        return true;
    if (!behind && !sg_mail_sleep_begin(mail, 0)) {
        if (poll(&wake, 1, 1) > 0)
            (void)!read(wake.fd, &count, sizeof(count));
        sg_mail_sleep_end(mail, 0);
    }
    return turn(event);
}

/* In memory or on disk, with a reference; NULL: nowhere, or it could not be asked for. */
static struct sge_object *find(struct pace *pace, uint32_t i)
{
    char text[64];
    struct sge_event event = {0};
    struct sge_key key = key_of("read", i, text);
    struct sge_object *object = sge_content_find(content, &key);
    if (object != NULL || !sge_shard_look_up(shard, &key, i))
        return object;
    while (!step(pace, &event))
        continue;
    return event.object;
}

static bool load(struct pace *pace, struct sge_body *body)
{
    struct sge_event event = {0};
    if (!sge_body_slice_claim(shard, body, 0))
        return false;
    if (sge_body_load(shard, body, 0, 0))
        while (!step(pace, &event))
            continue;
    if (!event.ok)
        sge_body_slice_abandon(shard, body, 0);
    return event.ok;
}

/* True: it was read from disk, or should have been. */
static bool read_one(struct pace *pace, uint32_t i, uint64_t due_ns)
{
    struct sge_event event;
    struct sg_slice slice;
    size_t count;
    struct sge_object *object = find(pace, i);
    if (object == NULL) {
        refused++;
        (void)step(pace, &event);
        return true;
    }
    bool in_memory = sge_body_read(object->body, 0, READ_BYTES, &slice, 1, &count) == SGE_READ_OK;
    if (in_memory)
        sg_slice_drop(&slice);
    else if (!load(pace, object->body))
        refused++;
    else if (reads < READS_MAX)
        took_us[reads++] = (uint32_t)((sg_clock_mono_ns() - due_ns) / SG_NS_PER_US);
    sg_hold_unref(&object->hold);
    return !in_memory;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void measure(const char *what, uint32_t seconds, uint64_t rate)
{
    struct pace pace = {.begin_ns = sg_clock_mono_ns(), .rate = rate};
    struct sge_volume_counts before, after;
    uint32_t random = 1;
    reads = refused = 0;
    (void)sge_content_volume_counts(content, &before);
    uint64_t due_ns = pace.begin_ns;
    while (due_ns - pace.begin_ns < seconds * SG_NS_PER_SEC) {
        struct sge_event event;
        while (sg_clock_mono_ns() < due_ns)
            (void)step(&pace, &event);
        random = random * 1664525u + 1013904223u;
        if (read_one(&pace, (random >> 8) % OBJECTS, due_ns))
            due_ns += READ_EVERY_NS;
    }
    (void)sge_content_volume_counts(content, &after);
    if (reads == 0) {
        printf("%-10s no reads, %u refused\n", what, refused);
        return;
    }
    qsort(took_us, reads, sizeof(took_us[0]), by_size);
    printf("%-10s %8u reads, us: p50 %6u p90 %6u p99 %6u p99.9 %6u max %6u; %u refused; %lu "
           "objects written, %lu bad\n",
           what, reads, took_us[reads / 2], took_us[reads * 9 / 10], took_us[reads * 99ul / 100],
           took_us[reads * 999ul / 1000], took_us[reads - 1], refused,
           (unsigned long)(after.kept - before.kept),
           (unsigned long)(after.record_errors - before.record_errors));
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: disk DIR [SECONDS [WRITES A SECOND [FLUSH MS]]]\n");
        return 2;
    }
    uint32_t seconds = argc > 2 ? (uint32_t)atoi(argv[2]) : 5;
    uint64_t rate = argc > 3 ? (uint64_t)atoi(argv[3]) : 4000;
    flush_us = argc > 4 ? (useconds_t)atoi(argv[4]) * 1000 : 0;
    store_open(argv[1], 64 << 20, 1ull << 30);
    fill();
    measure("quiet", seconds, 0);
    measure("writing", seconds, rate);
    store_close();
    return 0;
}
