/* Several workers on one store that is far too small: what one fills, others read, wait for and
 * hold, while it is evicted and replaced. Meant for ThreadSanitizer too. */
#include "tests/sgt.h"

#include "base/clock.h"
#include "base/sys/rcu.h"
#include "edgecache/content/content.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORKERS 3
#define KEYS    48u
#define SLICE   (64u << 10)
#define RUN_NS  (1500 * SG_NS_PER_MS)

static struct sg_mail *mail;
static struct sge_content *content;
static uint64_t end_ns;
static _Atomic uint64_t bytes_read, waits, ends, fails;

/* One fill and one reader: what a worker does at a time. */
struct player {
    uint16_t id;
    struct sge_shard *shard;
    uint32_t random;
    /* the fill */
    struct sge_body *filling;
    uint64_t filled, length;
    uint32_t fill_key;
    bool fill_whole;
    /* the reader */
    struct sge_object *object;
    uint64_t offset;
    uint32_t read_key;
    bool asleep; /* until BODY_MOVED */
    struct sg_slice held[8];
    size_t held_count;
};

static uint32_t next_random(struct player *p)
{
    p->random = p->random * 1664525u + 1013904223u;
    return p->random >> 8;
}

static uint8_t pattern(uint32_t key, uint64_t offset)
{
    return (uint8_t)((key * 7919u + offset) * 2654435761u >> 11);
}

static uint64_t length_of(uint32_t key)
{
    return key % 3 == 0 ? 900 : (uint64_t)key * 9001 + 1;
}

static struct sge_key key_of(uint32_t number, char text[16])
{
    struct sge_key key;
    snprintf(text, 16, "/%u", number);
    sge_key_make(content, sg_str_from(text), strlen(text), &key);
    return key;
}

static void fill_begin(struct player *p, uint32_t number)
{
    char text[16];
    struct sge_key key = key_of(number, text);
    struct sge_meta meta = {.status = 200, .tenant = number % 2};
    p->fill_key = number;
    p->filled = 0;
    p->length = length_of(number);
    p->fill_whole = next_random(p) % 8 != 0;
    bool unknown = next_random(p) % 2 == 0;
    p->filling =
        sge_body_make(p->shard, unknown ? SGE_LENGTH_UNKNOWN : p->length, number % 2, false);
    if (p->filling == NULL)
        return;
    (void)!sge_body_slice_claim(p->shard, p->filling, SGE_SLICES_ALL);
    struct sge_object_new from = {&key, &meta, SG_STR_NONE, p->filling};
    struct sge_object *object = sge_object_make(p->shard, &from);
    if (object != NULL) /* readers come while it is filled */
        sge_object_publish(p->shard, object, false);
}

static void fill_on(struct player *p)
{
    uint8_t *memory;
    uint32_t room, slice = (uint32_t)(p->filled / SLICE);
    if (p->filled == p->length || (!p->fill_whole && p->filled > p->length / 2)) {
        sge_body_finish(p->shard, p->filling, p->filled == p->length);
        sg_hold_unref(sge_body_hold(p->filling));
        p->filling = NULL;
        return;
    }
    if (!sge_body_window(p->shard, p->filling, slice, &memory, &room))
        return; /* full: later */
    uint64_t left = SG_MIN(p->length - p->filled, (uint64_t)room);
    uint32_t n = (uint32_t)SG_MIN(left, (uint64_t)(next_random(p) % 30000 + 1));
    for (uint32_t i = 0; i < n; i++)
        memory[i] = pattern(p->fill_key, p->filled + i);
    sge_body_filled(p->shard, p->filling, slice, n);
    p->filled += n;
}

static void read_end(struct player *p)
{
    for (size_t i = 0; i < p->held_count; i++)
        sg_slice_drop(&p->held[i]);
    p->held_count = 0;
    sg_hold_unref(&p->object->hold);
    p->object = NULL;
    p->asleep = false;
}

static void read_check(struct player *p, struct sg_slice *slice)
{
    for (uint32_t i = 0; i < slice->len; i += 97)
        SG_ASSERT(slice->bytes[i] == pattern(p->read_key, p->offset + i));
    p->offset += slice->len;
    atomic_fetch_add(&bytes_read, slice->len);
    if (p->held_count == SG_COUNT(p->held)) /* the oldest was sent, so to say */
        sg_slice_drop(&p->held[--p->held_count]);
    p->held[p->held_count++] = *slice;
}

static void read_on(struct player *p)
{
    struct sg_slice slices[2];
    size_t count = 0;
    switch (sge_body_read(p->object->body, p->offset, 50000, slices, 2, &count)) {
    case SGE_READ_OK:
        for (size_t i = 0; i < count; i++)
            read_check(p, &slices[i]);
        return;
    case SGE_READ_WAIT:
        p->asleep = !sge_body_watch(p->object->body, p->id);
        atomic_fetch_add(&waits, p->asleep);
        return;
    case SGE_READ_END:
        SG_ASSERT(p->offset == length_of(p->read_key));
        atomic_fetch_add(&ends, 1);
        break;
    case SGE_READ_FAILED:
    case SGE_READ_MISSING:
        atomic_fetch_add(&fails, 1);
        break;
    }
    read_end(p);
}

static void read_begin(struct player *p)
{
    char text[16];
    p->read_key = next_random(p) % KEYS;
    struct sge_key key = key_of(p->read_key, text);
    p->offset = 0;
    p->object = sge_content_find(content, &key);
    if (p->object == NULL && p->filling == NULL && sge_key_owner(content, &key) == p->id)
        fill_begin(p, p->read_key);
    else if (p->object != NULL && next_random(p) % 64 == 0 && p->object->shard == p->id)
        sge_object_withdraw(p->shard, p->object);
}

static void take_mail(struct player *p)
{
    struct sg_msg msgs[16];
    uint32_t n = sg_mail_take(mail, p->id, msgs, 16);
    for (uint32_t i = 0; i < n; i++)
        if (p->object != NULL && msgs[i].ptr[0] == p->object->body)
            p->asleep = false;
}

/* A reader that nobody would wake would sleep for a second, and then not at all. */
static void sleep_a_little(struct player *p)
{
    struct pollfd pfd = {sg_mail_wake_fd(mail, p->id), POLLIN, 0};
    uint64_t count;
    if (sg_mail_sleep_begin(mail, p->id))
        return;
    sg_rcu_offline();
    int ready = poll(&pfd, 1, 2000);
    sg_rcu_online();
    SG_ASSERT(ready == 1 || sg_clock_mono_ns() > end_ns);
    if (ready == 1)
        SG_ASSERT(read(pfd.fd, &count, sizeof(count)) == sizeof(count));
    sg_mail_sleep_end(mail, p->id);
}

static void *play(void *arg)
{
    struct player *p = arg;
    sg_rcu_register();
    while (sg_clock_mono_ns() < end_ns || p->filling != NULL) {
        take_mail(p);
        if (p->filling != NULL)
            fill_on(p);
        if (p->object == NULL)
            read_begin(p);
        else if (!p->asleep)
            read_on(p);
        sge_shard_turn(p->shard);
        sg_rcu_quiescent();
        if (p->asleep && p->filling == NULL)
            sleep_a_little(p);
    }
    if (p->object != NULL)
        read_end(p);
    sg_rcu_unregister();
    return NULL;
}

static void readers_on_other_workers_see_whole_bytes_or_none(void **fixture)
{
    static struct player players[WORKERS];
    pthread_t threads[WORKERS];
    struct sge_content_conf conf = {.ram_bytes = WORKERS * (10 << 20),
                                    .slice_bytes = SLICE,
                                    .workers = WORKERS,
                                    .objects_max = 30};
    assert_int_equal(sg_mail_open(WORKERS, 64, &mail), SG_OK);
    conf.mail = mail;
    assert_int_equal(sge_content_open(&conf, &content), SG_OK);
    end_ns = sg_clock_mono_ns() + RUN_NS;
    for (uint16_t i = 0; i < WORKERS; i++) {
        players[i] =
            (struct player){.id = i, .random = i + 1u, .shard = sge_content_shard(content, i)};
        assert_int_equal(pthread_create(&threads[i], NULL, play, &players[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    print_message("# %llu MiB read, %llu ends, %llu waits, %llu cut\n",
                  (unsigned long long)(atomic_load(&bytes_read) >> 20),
                  (unsigned long long)atomic_load(&ends), (unsigned long long)atomic_load(&waits),
                  (unsigned long long)atomic_load(&fails));
    assert_true(atomic_load(&ends) > 0 && atomic_load(&waits) > 0);
    sge_content_close(content);
    sg_mail_close(mail);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(readers_on_other_workers_see_whole_bytes_or_none),
};
SGT_MAIN("content_threads", tests)
