/* Three nats-servers, of which the one that leads the stream is killed in mid-stream: nothing that
 * was acknowledged is lost, and nothing comes twice to one who follows. */
#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/bus/bus.h"
#include "tests/sgt_nats.h"

#include <pthread.h>

#define SERVERS  3
#define MESSAGES 3000
#define KILL_AT  1000
#define PATIENCE 30000 /* ms: an election takes seconds */

struct world {
    struct sgt_nats servers[SERVERS];
    struct sgc_bus *bus;
    char routes[256];
};

static void server_run(struct world *world, int i)
{
    char name[8];
    snprintf(name, sizeof(name), "n%d", i);
    sgt_nats_run(&world->servers[i], name, world->routes);
}

/* All but the last, which comes later. */
static void servers_run(struct world *world)
{
    char *routes = world->routes;
    for (int i = 0; i < SERVERS; i++) {
        sgt_dir_make(world->servers[i].dir);
        world->servers[i].port = sgt_port_free();
        world->servers[i].cluster_port = sgt_port_free();
        size_t len = strlen(routes);
        snprintf(routes + len, sizeof(world->routes) - len, "%snats://127.0.0.1:%u",
                 i > 0 ? "," : "", world->servers[i].cluster_port);
    }
    for (int i = 0; i < SERVERS - 1; i++)
        server_run(world, i);
}

static int begin(void **fixture)
{
    struct world *world = calloc(1, sizeof(*world));
    char url[128], memory[512];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    servers_run(world);
    snprintf(url, sizeof(url), "nats://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u",
             world->servers[0].port, world->servers[1].port, world->servers[2].port);
    const struct sgc_bus_options options = {.url = url, .name = "test", .timeout_ms = PATIENCE};
    assert_int_equal(sgc_bus_open(&options, &report, &world->bus), SG_OK);
    *fixture = world;
    return 0;
}

static int end(void **fixture)
{
    struct world *world = *fixture;
    sgc_bus_close(world->bus);
    for (int i = 0; i < SERVERS; i++)
        sgt_nats_end(&world->servers[i]);
    free(world);
    return 0;
}

/* What the servers' own interface says of a stream. */
static const char *told_of(struct world *world, const char *stream)
{
    static char memory[8192];
    char subject[64];
    struct sg_out reply = sg_out_init(memory, sizeof(memory) - 1);
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s", stream);
    assert_int_equal(sgc_bus_request(world->bus, subject, SG_STR(""), PATIENCE, &reply), SG_OK);
    memory[reply.len] = '\0';
    return memory;
}

static bool has_replicas(struct world *world, const char *stream)
{
    return strstr(told_of(world, stream), "\"num_replicas\":3") != NULL;
}

static int leader_of(struct world *world, const char *stream)
{
    const char *leader = strstr(told_of(world, stream), "\"leader\":\"n");
    assert_non_null(leader);
    return leader[strlen("\"leader\":\"n")] - '0';
}

/* Two of three servers are there, then all. */
static void a_stream_gets_its_replicas_when_the_servers_have_come(void **fixture)
{
    struct world *world = *fixture;
    const struct sgc_stream_options stream = {.name = "cluster", .subjects = "clu"};
    assert_int_equal(sgc_stream_open(world->bus, &stream), SG_OK);
    assert_false(has_replicas(world, "cluster"));
    server_run(world, SERVERS - 1);
    for (int i = 0; i < 300 && !has_replicas(world, "cluster"); i++) {
        assert_int_equal(sgc_stream_open(world->bus, &stream), SG_OK);
        usleep(100000);
    }
    assert_true(has_replicas(world, "cluster"));
}

struct heard {
    pthread_mutex_t lock;
    uint32_t count, again;
    uint64_t last;
    bool out_of_order;
    uint8_t seen[MESSAGES + 1];
};

static enum sg_err hear(void *ctx, const struct sgc_msg *msg)
{
    struct heard *heard = ctx;
    uint64_t number;
    assert_true(sg_str_to_u64(msg->data, &number) && number <= MESSAGES);
    pthread_mutex_lock(&heard->lock);
    heard->out_of_order |= msg->seq <= heard->last && heard->seen[number] == 0;
    heard->last = SG_MAX(heard->last, msg->seq);
    heard->count += heard->seen[number] == 0;
    heard->again += heard->seen[number] > 0;
    heard->seen[number] = 1;
    pthread_mutex_unlock(&heard->lock);
    return SG_OK;
}

static bool has_all(struct heard *heard)
{
    pthread_mutex_lock(&heard->lock);
    bool all = heard->count == MESSAGES;
    pthread_mutex_unlock(&heard->lock);
    return all;
}

static void wait_all(struct heard *heard)
{
    for (int i = 0; i < PATIENCE && !has_all(heard); i++)
        usleep(1000);
    assert_int_equal(heard->count, MESSAGES);
    assert_false(heard->out_of_order);
}

static struct heard own = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct heard durable = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void nothing_is_lost_and_nothing_comes_twice_when_the_leader_dies(void **fixture)
{
    struct world *world = *fixture;
    struct sgc_sub *subs[2];
    uint64_t last = 0, seq;
    const struct sgc_stream_options stream = {.name = "cluster", .subjects = "clu"};
    const struct sgc_consume_options from_first = {.stream = "cluster"};
    const struct sgc_consume_options named = {
        .stream = "cluster", .durable = "worker", .ack_wait_s = 2};
    assert_int_equal(sgc_stream_open(world->bus, &stream), SG_OK);
    assert_int_equal(sgc_stream_consume(world->bus, &from_first, hear, &own, &subs[0]), SG_OK);
    assert_int_equal(sgc_stream_consume(world->bus, &named, hear, &durable, &subs[1]), SG_OK);
    for (uint32_t i = 1; i <= MESSAGES; i++) {
        char text[16], id[16];
        snprintf(text, sizeof(text), "%u", i);
        snprintf(id, sizeof(id), "id-%u", i);
        if (i == KILL_AT)
            sgt_nats_stop(&world->servers[leader_of(world, "cluster")], SIGKILL);
        assert_int_equal(sgc_stream_append(world->bus, "clu", id, SGC_ANY, sg_str_from(text), &seq),
                         SG_OK);
        assert_true(seq > last);
        last = seq;
    }
    assert_int_equal(last, MESSAGES);
    wait_all(&own);
    assert_int_equal(own.again, 0);
    wait_all(&durable);
    sgc_sub_end(subs[0]);
    sgc_sub_end(subs[1]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_stream_gets_its_replicas_when_the_servers_have_come),
    cmocka_unit_test(nothing_is_lost_and_nothing_comes_twice_when_the_leader_dies),
};

int main(void)
{
    if (!sgt_nats_here())
        return SGT_SKIP;
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, begin, end);
}
