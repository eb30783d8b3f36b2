/* What every bus promises: the same tests over the embedded one and over a real nats-server.
 * Usage: test_bus embedded|nats */
#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/bus/bus.h"
#include "tests/sgt_nats.h"

#include <pthread.h>
#include <stdatomic.h>

#define HEARD_MAX 20000
#define LEAVES    200

static bool with_nats;
static struct sgt_nats server;
static char dir[SGT_DIR_BYTES];
static struct sgc_bus *bus;

static enum sg_err open_bus(void)
{
    char url[64], memory[512];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    snprintf(url, sizeof(url), "nats://127.0.0.1:%u", server.port);
    const struct sgc_bus_options options = {
        .url = with_nats ? url : "embedded:", .dir = dir, .name = "test", .timeout_ms = 1500};
    return sgc_bus_open(&options, &report, &bus);
}

static int begin(void **fixture)
{
    if (with_nats)
        sgt_nats_start(&server);
    snprintf(dir + strlen(sgt_dir_make(dir)), 8, "/bus");
    assert_int_equal(open_bus(), SG_OK);
    (void)fixture;
    return 0;
}

static int end(void **fixture)
{
    sgc_bus_close(bus);
    if (with_nats)
        sgt_nats_end(&server);
    *strrchr(dir, '/') = '\0';
    sgt_dir_remove(dir);
    (void)fixture;
    return 0;
}

static void open_again(void)
{
    sgc_bus_close(bus);
    assert_int_equal(open_bus(), SG_OK);
}

/* ---- what callbacks heard ---- */

struct heard {
    pthread_mutex_t lock;
    uint32_t count, refuse; /* refuse: how many callbacks are to fail */
    uint64_t seqs[HEARD_MAX], at_ns[HEARD_MAX];
    bool again[HEARD_MAX];
    char last_subject[64], last_data[64];
    char text[1024]; /* all subjects and data, while there is room */
    struct sgc_sub *end_me;
};

static void heard_clear(struct heard *heard)
{
    memset(heard, 0, sizeof(*heard));
    pthread_mutex_init(&heard->lock, NULL);
}

static enum sg_err hear(void *ctx, const struct sgc_msg *msg)
{
    struct heard *heard = ctx;
    pthread_mutex_lock(&heard->lock);
    uint32_t i = heard->count++;
    assert_true(i < HEARD_MAX);
    heard->seqs[i] = msg->seq;
    heard->at_ns[i] = msg->at_ns;
    heard->again[i] = msg->again;
    snprintf(heard->last_subject, 64, "%.*s", SG_STR_ARG(msg->subject));
    snprintf(heard->last_data, 64, "%.*s", SG_STR_ARG(msg->data));
    size_t len = strlen(heard->text);
    snprintf(heard->text + len, sizeof(heard->text) - len, "%s=%s ", heard->last_subject,
             heard->last_data);
    bool refuse = heard->refuse > 0;
    heard->refuse -= refuse;
    struct sgc_sub *end_me = heard->end_me;
    pthread_mutex_unlock(&heard->lock);
    sgc_sub_end(end_me);
    return refuse ? SG_EBUSY : SG_OK;
}

static void hear_message(void *ctx, const struct sgc_msg *msg)
{
    assert_int_equal(hear(ctx, msg), SG_OK);
}

static uint32_t count_of(struct heard *heard)
{
    pthread_mutex_lock(&heard->lock);
    uint32_t count = heard->count;
    pthread_mutex_unlock(&heard->lock);
    return count;
}

static void wait_for(struct heard *heard, uint32_t count)
{
    for (int i = 0; i < 10000 && count_of(heard) < count; i++)
        usleep(1000);
    assert_int_equal(count_of(heard), count);
}

static struct heard heard, heard2;

static void publish(const char *subject, const char *text)
{
    assert_int_equal(sgc_bus_publish(bus, subject, sg_str_from(text)), SG_OK);
}

static uint64_t append(const char *subject, const char *text)
{
    uint64_t seq = 0;
    assert_int_equal(sgc_stream_append(bus, subject, NULL, SGC_ANY, sg_str_from(text), &seq),
                     SG_OK);
    return seq;
}

static void stream(const char *name, const char *subjects, uint64_t messages_max)
{
    const struct sgc_stream_options options = {
        .name = name, .subjects = subjects, .messages_max = messages_max};
    assert_int_equal(sgc_stream_open(bus, &options), SG_OK);
}

static struct sgc_sub *consume(const char *name, const char *filter, const char *durable,
                               uint64_t from, struct heard *to)
{
    struct sgc_sub *sub = NULL;
    const struct sgc_consume_options options = {
        .stream = name, .filter = filter, .durable = durable, .from = from, .ack_wait_s = 1};
    assert_int_equal(sgc_stream_consume(bus, &options, hear, to, &sub), SG_OK);
    return sub;
}

/* ---- to whom it may concern ---- */

static void a_message_reaches_those_whose_filter_matches(void **fixture)
{
    struct sgc_sub *subs[3];
    heard_clear(&heard);
    heard_clear(&heard2);
    assert_int_equal(sgc_bus_subscribe(bus, "a.*.c", hear_message, &heard, &subs[0]), SG_OK);
    assert_int_equal(sgc_bus_subscribe(bus, "a.>", hear_message, &heard2, &subs[1]), SG_OK);
    publish("a.b.c", "1");
    publish("a.b", "2");
    publish("b.b.c", "3");
    publish("a.x.c", "4");
    publish("a.b.c.d", "5");
    wait_for(&heard, 2);
    wait_for(&heard2, 4);
    assert_string_equal(heard.text, "a.b.c=1 a.x.c=4 ");
    assert_string_equal(heard2.text, "a.b.c=1 a.b=2 a.x.c=4 a.b.c.d=5 ");
    sgc_sub_end(subs[0]);
    publish("a.b.c", "6");
    wait_for(&heard2, 5);
    assert_int_equal(heard.count, 2);
    sgc_sub_end(subs[1]);
    (void)fixture;
}

static void a_subscription_may_be_ended_from_its_own_callback(void **fixture)
{
    struct sgc_sub *sub;
    heard_clear(&heard);
    assert_int_equal(sgc_bus_subscribe(bus, "own.end", hear_message, &heard, &sub), SG_OK);
    heard.end_me = sub;
    publish("own.end", "1");
    wait_for(&heard, 1);
    usleep(20000); /* until sgc_sub_end() has run */
    publish("own.end", "2");
    usleep(20000);
    assert_int_equal(count_of(&heard), 1);
    (void)fixture;
}

static void *publish_on(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        publish("rush", "x");
    return NULL;
}

static void count_up(void *count, const struct sgc_msg *msg)
{
    atomic_fetch_add((atomic_uint *)count, 1);
    (void)msg;
}

static void one_may_leave_while_messages_come(void **fixture)
{
    pthread_t publisher;
    atomic_bool stop = false;
    struct sgc_sub *sub;
    assert_int_equal(pthread_create(&publisher, NULL, publish_on, &stop), 0);
    for (int i = 0; i < LEAVES; i++) {
        atomic_uint count = 0;
        assert_int_equal(sgc_bus_subscribe(bus, "rush", count_up, &count, &sub), SG_OK);
        for (int wait = 0; wait < 50000 && atomic_load(&count) == 0; wait++)
            usleep(100);
        assert_true(atomic_load(&count) > 0);
        sgc_sub_end(sub);
    }
    atomic_store(&stop, true);
    pthread_join(publisher, NULL);
    (void)fixture;
}

static void what_is_no_subject_is_refused(void **fixture)
{
    struct sgc_sub *sub;
    static const char *const subjects[] = {"", "a..b", ".a", "a.", "a b", "a.*", ">", "a,b"};
    static const char *const filters[] = {"", "a.>.b", "*a", "a.b*", "a."};
    for (size_t i = 0; i < SG_COUNT(subjects); i++)
        assert_int_equal(sgc_bus_publish(bus, subjects[i], SG_STR("x")), SG_EINVAL);
    for (size_t i = 0; i < SG_COUNT(filters); i++)
        assert_int_equal(sgc_bus_subscribe(bus, filters[i], hear_message, &heard, &sub), SG_EINVAL);
    static char large[SGC_MESSAGE_BYTES_MAX + 1];
    assert_int_equal(sgc_bus_publish(bus, "a", (struct sg_str){large, sizeof(large)}), SG_EMSGSIZE);
    assert_int_equal(sgc_bus_publish(bus, "a", (struct sg_str){large, sizeof(large) - 1}), SG_OK);
    (void)fixture;
}

/* ---- requests ---- */

static enum sg_err answer_twice(void *ctx, struct sg_str request, struct sg_out *reply)
{
    if (sg_str_eq(request, SG_STR("slow")))
        usleep(300000);
    if (sg_str_eq(request, SG_STR("no")))
        return SG_EACCES;
    sg_out_str(reply, request);
    sg_out_str(reply, request);
    (void)ctx;
    return SG_OK;
}

static enum sg_err ask(const char *text, uint32_t timeout_ms, char reply[64])
{
    struct sg_out out = sg_out_init(reply, 63);
    enum sg_err err = sgc_bus_request(bus, "svc.twice", sg_str_from(text), timeout_ms, &out);
    reply[out.len] = '\0';
    return err;
}

static void a_request_is_answered_by_one_who_serves_it(void **fixture)
{
    struct sgc_sub *subs[2];
    char reply[64];
    assert_int_equal(ask("ab", 1000, reply), SG_ENOENT);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sgc_bus_serve(bus, "svc.twice", answer_twice, NULL, &subs[i]), SG_OK);
    assert_int_equal(ask("ab", 1000, reply), SG_OK);
    assert_string_equal(reply, "abab");
    assert_int_equal(ask("no", 1000, reply), SG_EACCES);
    assert_int_equal(ask("slow", 50, reply), SG_ETIMEDOUT);
    assert_int_equal(ask("slow", 2000, reply), SG_OK); /* and its late answer is nobody's */
    assert_string_equal(reply, "slowslow");
    for (int i = 0; i < 2; i++)
        sgc_sub_end(subs[i]);
    assert_int_equal(ask("ab", 1000, reply), SG_ENOENT);
    (void)fixture;
}

/* ---- streams ---- */

static void a_stream_numbers_what_is_appended(void **fixture)
{
    struct sgc_stream_info info;
    uint64_t before_ns = sg_clock_wall_ns(), seq = 0;
    stream("numbers", "num.>,other", 0);
    stream("numbers", "num.>,other", 0);
    const struct sgc_stream_options differs = {.name = "numbers", .subjects = "num.>"};
    assert_int_equal(sgc_stream_open(bus, &differs), SG_EEXIST);
    assert_int_equal(sgc_stream_info(bus, "numbers", &info), SG_OK);
    assert_int_equal(info.first, 1);
    assert_int_equal(info.last, 0);
    assert_true(info.made_ns >= before_ns - SG_NS_PER_SEC &&
                info.made_ns <= sg_clock_wall_ns() + SG_NS_PER_SEC);
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(append(i % 2 ? "num.a" : "other", "x"), i);
    assert_int_equal(sgc_stream_info(bus, "numbers", &info), SG_OK);
    assert_int_equal(info.last, 5);
    assert_int_equal(sgc_stream_info(bus, "none", &info), SG_ENOENT);
    assert_int_equal(sgc_stream_append(bus, "nobodys", NULL, SGC_ANY, SG_STR("x"), &seq),
                     SG_ENOENT);
    (void)fixture;
}

static void what_has_an_id_is_appended_once(void **fixture)
{
    uint64_t seq = 0;
    stream("dedup", "dedup", 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sgc_stream_append(bus, "dedup", "id-1", SGC_ANY, SG_STR("x"), &seq),
                         SG_OK);
        assert_int_equal(seq, 1);
    }
    assert_int_equal(sgc_stream_append(bus, "dedup", "id-2", SGC_ANY, SG_STR("x"), &seq), SG_OK);
    assert_int_equal(seq, 2);
    assert_int_equal(sgc_stream_append(bus, "dedup", "id-1", 1, SG_STR("x"), &seq), SG_OK);
    assert_int_equal(seq, 1); /* known: what it expects of the stream does not matter any more */
    (void)fixture;
}

static void an_append_may_say_what_it_must_follow(void **fixture)
{
    uint64_t seq = 77;
    stream("after", "after", 0);
    assert_int_equal(sgc_stream_append(bus, "after", NULL, 3, SG_STR("x"), &seq), SG_ESTALE);
    assert_int_equal(seq, 77);
    assert_int_equal(sgc_stream_append(bus, "after", NULL, 0, SG_STR("x"), &seq), SG_OK);
    assert_int_equal(sgc_stream_append(bus, "after", NULL, 0, SG_STR("x"), &seq), SG_ESTALE);
    assert_int_equal(sgc_stream_append(bus, "after", NULL, 1, SG_STR("x"), &seq), SG_OK);
    assert_int_equal(seq, 2);
    (void)fixture;
}

static void one_consumes_from_a_number_on_in_order(void **fixture)
{
    heard_clear(&heard);
    stream("order", "ord.>", 0);
    for (int i = 0; i < 10; i++)
        append(i % 2 ? "ord.odd" : "ord.even", "x");
    struct sgc_sub *sub = consume("order", NULL, NULL, 4, &heard);
    wait_for(&heard, 7);
    append("ord.even", "late");
    wait_for(&heard, 8);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(heard.seqs[i], 4 + i);
    assert_string_equal(heard.last_data, "late");
    assert_string_equal(heard.last_subject, "ord.even");
    assert_true(heard.at_ns[7] + 60 * SG_NS_PER_SEC > sg_clock_wall_ns());
    sgc_sub_end(sub);
    heard_clear(&heard);
    sub = consume("order", "ord.odd", NULL, 0, &heard);
    wait_for(&heard, 5);
    append("ord.even", "x");
    append("ord.odd", "x");
    wait_for(&heard, 6);
    assert_int_equal(heard.seqs[0], 2);
    assert_int_equal(heard.seqs[5], 13);
    sgc_sub_end(sub);
    (void)fixture;
}

static void what_is_refused_comes_again_before_what_follows(void **fixture)
{
    heard_clear(&heard);
    stream("refused", "refused", 0);
    for (int i = 0; i < 3; i++)
        append("refused", "x");
    heard.refuse = 2;
    struct sgc_sub *sub = consume("refused", NULL, NULL, 0, &heard);
    wait_for(&heard, 5);
    static const uint64_t seqs[] = {1, 1, 1, 2, 3};
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(heard.seqs[i], seqs[i]);
        assert_int_equal(heard.again[i], i == 1 || i == 2);
    }
    sgc_sub_end(sub);
    (void)fixture;
}

static void a_durable_goes_on_where_it_was(void **fixture)
{
    heard_clear(&heard);
    stream("durable", "dur", 0);
    for (int i = 0; i < 6; i++)
        append("dur", "x");
    heard.refuse = 1;
    struct sgc_sub *sub = consume("durable", NULL, "worker", 0, &heard);
    wait_for(&heard, 7); /* the first one twice */
    assert_int_equal(heard.seqs[1], 1);
    assert_true(heard.again[1]);
    assert_int_equal(heard.seqs[6], 6);
    usleep(50000); /* the last acknowledgement is on its way */
    sgc_sub_end(sub);
    append("dur", "x");
    open_again();
    heard_clear(&heard);
    sub = consume("durable", NULL, "worker", 0, &heard);
    wait_for(&heard, 1);
    assert_int_equal(heard.seqs[0], 7);
    sgc_sub_end(sub);
    (void)fixture;
}

static void two_who_share_a_durable_share_the_work(void **fixture)
{
    bool seen[21] = {false};
    heard_clear(&heard);
    heard_clear(&heard2);
    stream("shared", "shr", 0);
    struct sgc_sub *one = consume("shared", NULL, "pair", 0, &heard);
    struct sgc_sub *two = consume("shared", NULL, "pair", 0, &heard2);
    for (int i = 0; i < 20; i++)
        append("shr", "x");
    for (int i = 0; i < 5000 && count_of(&heard) + count_of(&heard2) < 20; i++)
        usleep(1000);
    sgc_sub_end(one);
    sgc_sub_end(two);
    assert_int_equal(heard.count + heard2.count, 20);
    for (uint32_t i = 0; i < heard.count; i++)
        seen[heard.seqs[i]] = true;
    for (uint32_t i = 0; i < heard2.count; i++) {
        assert_false(seen[heard2.seqs[i]]);
        seen[heard2.seqs[i]] = true;
    }
    (void)fixture;
}

static void a_gap_that_limits_made_shows_in_the_numbers(void **fixture)
{
    struct sgc_stream_info info;
    heard_clear(&heard);
    stream("limited", "lim", 10);
    for (int i = 0; i < 25; i++)
        append("lim", "x");
    assert_int_equal(sgc_stream_info(bus, "limited", &info), SG_OK);
    assert_int_equal(info.first, 16);
    assert_int_equal(info.last, 25);
    struct sgc_sub *sub = consume("limited", NULL, NULL, 5, &heard);
    wait_for(&heard, 10);
    assert_int_equal(heard.seqs[0], 16);
    assert_int_equal(heard.seqs[9], 25);
    sgc_sub_end(sub);
    (void)fixture;
}

static void ten_thousand_messages_come_once_each_and_in_order(void **fixture)
{
    heard_clear(&heard);
    stream("many", "many", 0);
    struct sgc_sub *sub = consume("many", NULL, NULL, 0, &heard);
    for (int i = 0; i < 10000; i++)
        append("many", "the bytes of a message of some length, such as an entry has");
    wait_for(&heard, 10000);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(heard.seqs[i], i + 1);
    sgc_sub_end(sub);
    (void)fixture;
}

static void streams_survive_close_and_open(void **fixture)
{
    struct sgc_stream_info before, after;
    uint64_t seq;
    stream("kept", "kept", 0);
    assert_int_equal(sgc_stream_append(bus, "kept", "one", SGC_ANY, SG_STR("first"), &seq), SG_OK);
    assert_int_equal(sgc_stream_info(bus, "kept", &before), SG_OK);
    open_again();
    stream("kept", "kept", 0);
    assert_int_equal(sgc_stream_info(bus, "kept", &after), SG_OK);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(sgc_stream_append(bus, "kept", "one", SGC_ANY, SG_STR("first"), &seq), SG_OK);
    assert_int_equal(seq, 1);
    heard_clear(&heard);
    struct sgc_sub *sub = consume("kept", NULL, NULL, 0, &heard);
    wait_for(&heard, 1);
    assert_string_equal(heard.last_data, "first");
    sgc_sub_end(sub);
    (void)fixture;
}

/* ---- values ---- */

static enum sg_err get(const char *key, char value[64], uint64_t *revision)
{
    struct sg_out out = sg_out_init(value, 63);
    enum sg_err err = sgc_kv_get(bus, "values", key, &out, revision);
    value[out.len] = '\0';
    return err;
}

static void a_value_is_put_got_swapped_and_deleted(void **fixture)
{
    char value[64];
    uint64_t one = 0, two = 0, three = 0, got = 0;
    assert_int_equal(sgc_kv_open(bus, "values"), SG_OK);
    assert_int_equal(get("a.key", value, &got), SG_ENOENT);
    assert_int_equal(sgc_kv_put(bus, "values", "a.key", SG_STR("1"), &one), SG_OK);
    assert_int_equal(get("a.key", value, &got), SG_OK);
    assert_string_equal(value, "1");
    assert_int_equal(got, one);
    assert_int_equal(sgc_kv_swap(bus, "values", "a.key", 0, SG_STR("x"), &two), SG_ESTALE);
    assert_int_equal(sgc_kv_swap(bus, "values", "a.key", one + 9, SG_STR("x"), &two), SG_ESTALE);
    assert_int_equal(sgc_kv_swap(bus, "values", "a.key", one, SG_STR("2"), &two), SG_OK);
    assert_true(two > one);
    assert_int_equal(sgc_kv_swap(bus, "values", "a.key", one, SG_STR("3"), &three), SG_ESTALE);
    assert_int_equal(sgc_kv_delete(bus, "values", "a.key"), SG_OK);
    assert_int_equal(get("a.key", value, &got), SG_ENOENT);
    assert_int_equal(sgc_kv_swap(bus, "values", "a.key", 0, SG_STR("4"), &three), SG_OK);
    assert_true(three > two);
    open_again();
    assert_int_equal(get("a.key", value, &got), SG_OK);
    assert_string_equal(value, "4");
    assert_int_equal(got, three);
    (void)fixture;
}

struct watched {
    pthread_mutex_t lock;
    uint32_t count;
    char text[1024];
};

static void watch(void *ctx, const char *key, struct sg_str value, uint64_t revision)
{
    struct watched *watched = ctx;
    pthread_mutex_lock(&watched->lock);
    size_t len = strlen(watched->text);
    if (value.ptr == NULL)
        snprintf(watched->text + len, sizeof(watched->text) - len, "%s gone ", key);
    else
        snprintf(watched->text + len, sizeof(watched->text) - len, "%s=%.*s ", key,
                 SG_STR_ARG(value));
    watched->count++;
    pthread_mutex_unlock(&watched->lock);
    assert_true(revision > 0);
}

static void watched_wait(struct watched *watched, uint32_t count)
{
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&watched->lock);
        bool done = watched->count >= count;
        pthread_mutex_unlock(&watched->lock);
        if (done)
            return;
        usleep(1000);
    }
    fail_msg("%u of %u: %s", watched->count, count, watched->text);
}

static void put(const char *key, const char *value)
{
    uint64_t revision;
    assert_int_equal(sgc_kv_put(bus, "watched", key, sg_str_from(value), &revision), SG_OK);
}

static void a_watch_tells_what_is_there_then_what_changes(void **fixture)
{
    struct watched watched = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct sgc_sub *sub;
    assert_int_equal(sgc_kv_open(bus, "watched"), SG_OK);
    put("n.one", "1");
    put("n.two", "1");
    put("other", "1");
    put("n.gone", "1");
    assert_int_equal(sgc_kv_delete(bus, "watched", "n.gone"), SG_OK);
    put("n.one", "2");
    assert_int_equal(sgc_kv_watch(bus, "watched", "n.*", watch, &watched, &sub), SG_OK);
    watched_wait(&watched, 2);
    put("other", "2");
    put("n.two", "2");
    watched_wait(&watched, 3);
    assert_int_equal(sgc_kv_delete(bus, "watched", "n.one"), SG_OK);
    watched_wait(&watched, 4);
    assert_string_equal(watched.text, "n.two=1 n.one=2 n.two=2 n.one gone ");
    sgc_sub_end(sub);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_message_reaches_those_whose_filter_matches),
    cmocka_unit_test(a_subscription_may_be_ended_from_its_own_callback),
    cmocka_unit_test(one_may_leave_while_messages_come),
    cmocka_unit_test(what_is_no_subject_is_refused),
    cmocka_unit_test(a_request_is_answered_by_one_who_serves_it),
    cmocka_unit_test(a_stream_numbers_what_is_appended),
    cmocka_unit_test(what_has_an_id_is_appended_once),
    cmocka_unit_test(an_append_may_say_what_it_must_follow),
    cmocka_unit_test(one_consumes_from_a_number_on_in_order),
    cmocka_unit_test(what_is_refused_comes_again_before_what_follows),
    cmocka_unit_test(a_durable_goes_on_where_it_was),
    cmocka_unit_test(two_who_share_a_durable_share_the_work),
    cmocka_unit_test(a_gap_that_limits_made_shows_in_the_numbers),
    cmocka_unit_test(ten_thousand_messages_come_once_each_and_in_order),
    cmocka_unit_test(streams_survive_close_and_open),
    cmocka_unit_test(a_value_is_put_got_swapped_and_deleted),
    cmocka_unit_test(a_watch_tells_what_is_there_then_what_changes),
};

int main(int argc, char **argv)
{
    with_nats = argc > 1 && strcmp(argv[1], "nats") == 0;
    if (with_nats && !sgt_nats_here())
        return SGT_SKIP;
    if (access("/dev/shm", W_OK) == 0) /* ten thousand durable appends are slow on a slow disk */
        setenv("TMPDIR", "/dev/shm", 0);
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, begin, end);
}
