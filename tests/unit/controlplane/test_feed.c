/* From the ledger to the state of eight edges, over each implementation of the bus: ledger,
 * publisher and agents are the real ones. Usage: test_feed embedded|nats */
#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/feed/agent.h"
#include "controlplane/feed/beat.h"
#include "controlplane/feed/copies.h"
#include "controlplane/feed/edges.h"
#include "controlplane/feed/entry.h"
#include "controlplane/feed/publisher.h"
#include "tests/sgt_nats.h"
#include "tests/unit/controlplane/ledger_rig.h"

#define EDGES   8
#define TENANT  42
#define BEAT_MS 100

struct edge {
    char dir[SGT_DIR_BYTES + 16], name[16];
    struct sge_state *state;
    struct sgc_agent *agent;
};

static bool with_nats;
static struct sgt_nats server;

struct world {
    struct rig *rig;
    uint64_t block;
    struct sgc_bus *bus;
    struct sgc_feed feed;
    struct sgc_publisher *publisher;
    struct sgc_copies *copies;
    struct sgc_edges *edges_seen;
    struct edge edges[EDGES]; /* the first one is the node that feeds the others */
};

/* ---- the world ---- */

static void bus_open(struct world *world)
{
    char url[64], memory[512], dir[SGT_DIR_BYTES + 8];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    snprintf(url, sizeof(url), "nats://127.0.0.1:%u", server.port);
    snprintf(dir, sizeof(dir), "%s/bus", world->rig->dir);
    const struct sgc_bus_options options = {
        .url = with_nats ? url : "embedded:", .dir = dir, .name = "test", .timeout_ms = 3000};
    assert_int_equal(sgc_bus_open(&options, &report, &world->bus), SG_OK);
    assert_true(sgc_feed_init(&world->feed, world->bus, "here"));
}

static void edge_open(struct world *world, int i)
{
    struct edge *edge = &world->edges[i];
    snprintf(edge->dir, sizeof(edge->dir), "%s/edge%d", world->rig->dir, i);
    snprintf(edge->name, sizeof(edge->name), "edge-%d", i);
    assert_int_equal(sge_state_open(edge->dir, true, &edge->state), SG_OK);
}

static void agent_open(struct world *world, int i)
{
    struct edge *edge = &world->edges[i];
    const struct sgc_agent_options options = {
        .feed = &world->feed, .state = edge->state, .name = edge->name, .first = i == 0};
    assert_int_equal(sgc_agent_open(&options, &edge->agent), SG_OK);
}

static void agent_close(struct world *world, int i)
{
    sgc_agent_close(SG_TAKE(world->edges[i].agent));
}

static void head_open_of(struct world *world, uint32_t beat_ms)
{
    const struct sgc_publisher_options options = {.feed = &world->feed,
                                                  .ledger = world->rig->ledger,
                                                  .state = world->edges[0].state,
                                                  .beat_ms = beat_ms};
    assert_int_equal(sgc_publisher_open(&options, &world->publisher), SG_OK);
    assert_int_equal(sgc_copies_open(&world->feed, world->edges[0].state, &world->copies), SG_OK);
    assert_int_equal(sgc_edges_open(&world->feed, &world->edges_seen), SG_OK);
}

static void head_open(struct world *world)
{
    head_open_of(world, BEAT_MS);
}

static void head_close(struct world *world)
{
    sgc_publisher_close(SG_TAKE(world->publisher));
    sgc_copies_close(SG_TAKE(world->copies));
    sgc_edges_close(SG_TAKE(world->edges_seen));
}

static int begin(void **fixture)
{
    struct world *world = calloc(1, sizeof(*world));
    if (with_nats)
        sgt_nats_start(&server);
    world->rig = rig_new();
    rig_base(world->rig);
    rig_join(world->rig, rig_asset(SG_CAIP_ERC721, 1));
    world->block = 100;
    bus_open(world);
    for (int i = 0; i < EDGES; i++)
        edge_open(world, i);
    head_open(world);
    for (int i = 0; i < EDGES; i++)
        agent_open(world, i);
    *fixture = world;
    return 0;
}

static int end(void **fixture)
{
    struct world *world = *fixture;
    for (int i = 0; i < EDGES; i++)
        agent_close(world, i);
    head_close(world);
    for (int i = 0; i < EDGES; i++)
        sge_state_close(world->edges[i].state);
    sgc_bus_close(world->bus);
    rig_free(world->rig);
    if (with_nats)
        sgt_nats_end(&server);
    free(world);
    return 0;
}

/* ---- what happens in it ---- */

static void transfer(struct world *world, uint64_t token, uint8_t to)
{
    struct sgc_event event = rig_owner(1, token, to);
    world->block++;
    rig_add(world->rig, world->block, 0, 0, &event, 1);
}

static bool fact_of(struct edge *edge, uint64_t token, struct sge_change *fact,
                    uint64_t *generation)
{
    struct sge_state_reader *reader;
    struct sg_caip_asset asset = rig_token(SG_CAIP_ERC721, 1, token);
    struct sge_fact_id id;
    sge_fact_owner(&asset, &id);
    assert_int_equal(sge_state_reader_open(edge->state, &reader), SG_OK);
    assert_int_equal(sge_state_begin(reader), SG_OK);
    bool there = sge_state_fact_get(reader, &id, fact, generation) == SG_OK;
    sge_state_end(reader);
    sge_state_reader_close(reader);
    return there;
}

static bool owns(struct edge *edge, uint64_t token, uint8_t who)
{
    struct sge_change fact;
    uint64_t generation;
    uint8_t account[32];
    rig_account(who, account);
    return fact_of(edge, token, &fact, &generation) && memcmp(fact.head, account, 32) == 0;
}

#define UNTIL(what, ms)                                                                            \
    do {                                                                                           \
        for (int until_ = 0; until_ < (ms) && !(what); until_++)                                   \
            usleep(1000);                                                                          \
        assert_true(what);                                                                         \
    } while (0)

static void digest(struct edge *edge, struct sge_digest *out)
{
    struct sge_state_reader *reader;
    assert_int_equal(sge_state_reader_open(edge->state, &reader), SG_OK);
    assert_int_equal(sge_state_begin(reader), SG_OK);
    assert_int_equal(sge_state_digest(reader, out), SG_OK);
    sge_state_end(reader);
    sge_state_reader_close(reader);
}

static void assert_all_the_same(struct world *world)
{
    static struct sge_digest first, other;
    digest(&world->edges[0], &first);
    for (int i = 1; i < EDGES; i++) {
        digest(&world->edges[i], &other);
        assert_memory_equal(&first.mark, &other.mark, sizeof(first.mark));
        assert_memory_equal(first.root, other.root, sizeof(first.root));
    }
}

static uint32_t epoch_min(struct edge *edge)
{
    struct sge_state_reader *reader;
    assert_int_equal(sge_state_reader_open(edge->state, &reader), SG_OK);
    assert_int_equal(sge_state_begin(reader), SG_OK);
    uint32_t epoch = sge_state_epoch_min(reader, TENANT);
    sge_state_end(reader);
    sge_state_reader_close(reader);
    return epoch;
}

static struct sgc_agent_view view_of(struct edge *edge)
{
    struct sgc_agent_view view;
    sgc_agent_view(edge->agent, &view);
    return view;
}

static uint64_t young_ns(struct edge *edge)
{
    return sge_state_fed_ns(edge->state);
}

/* ---- tests, in this order in one world ---- */

static void a_transfer_reaches_every_edge_under_one_generation(void **fixture)
{
    struct world *world = *fixture;
    struct sge_change fact;
    uint64_t first, generation;
    transfer(world, 7, 1);
    for (int i = 0; i < EDGES; i++)
        UNTIL(owns(&world->edges[i], 7, 1), 5000);
    transfer(world, 7, 2);
    for (int i = 0; i < EDGES; i++)
        UNTIL(owns(&world->edges[i], 7, 2), 5000);
    assert_true(fact_of(&world->edges[0], 7, &fact, &first));
    for (int i = 1; i < EDGES; i++) {
        assert_true(fact_of(&world->edges[i], 7, &fact, &generation));
        assert_int_equal(generation, first);
    }
    assert_all_the_same(world);
}

/* From the block in the ledger, through outbox, bus and copy on disk, to each edge's state. */
static void a_hundred_transfers_are_everywhere_within_a_second(void **fixture)
{
    struct world *world = *fixture;
    uint64_t worst_ns = 0, sum_ns = 0;
    for (uint64_t token = 1000; token < 1100; token++) {
        uint64_t began_ns = sg_clock_mono_ns();
        transfer(world, token, 9);
        for (int i = 0; i < EDGES; i++)
            while (!owns(&world->edges[i], token, 9) &&
                   sg_clock_mono_ns() - began_ns < 5 * SG_NS_PER_SEC)
                usleep(200);
        uint64_t took_ns = sg_clock_mono_ns() - began_ns;
        sum_ns += took_ns;
        worst_ns = SG_MAX(worst_ns, took_ns);
    }
    print_message("# block to the last of %d edges: mean %.1f ms, worst %.1f ms\n", EDGES,
                  (double)sum_ns / 100 / 1e6, (double)worst_ns / 1e6);
    assert_true(worst_ns < SG_NS_PER_SEC);
}

static void the_head_knows_when_each_edge_had_it(void **fixture)
{
    struct world *world = *fixture;
    struct sgc_edge seen[EDGES + 1];
    struct sgc_agent_view view = view_of(&world->edges[0]);
    UNTIL(sgc_edges_list(world->edges_seen, seen, EDGES + 1) == EDGES, 2000);
    for (int i = 0; i < EDGES; i++) {
        UNTIL((sgc_edges_list(world->edges_seen, seen, EDGES + 1), seen[i].seq == view.mark.seq),
              2000);
        assert_string_equal(seen[i].name, world->edges[i].name);
        assert_true(seen[i].took_ns < 2 * SG_NS_PER_SEC);
    }
}

static void beats_keep_those_young_who_have_everything(void **fixture)
{
    struct world *world = *fixture;
    for (int i = 0; i < EDGES; i++)
        UNTIL(young_ns(&world->edges[i]) + SG_NS_PER_SEC > sg_clock_wall_ns(), 3000);
}

/* A beat for an entry that nobody has seen yet. */
static void a_beat_that_is_ahead_keeps_nobody_young(void **fixture)
{
    struct world *world = *fixture;
    static struct sgc_beat beat;
    struct sgc_stream_info info;
    char bytes[256];
    struct sg_out out = sg_out_init(bytes, sizeof(bytes));
    sgc_publisher_close(SG_TAKE(world->publisher));
    usleep(50000);
    uint64_t before = young_ns(&world->edges[1]);
    assert_int_equal(sgc_feed_at(&world->feed, &info, &beat.mark), SG_OK);
    beat.mark.seq++;
    beat.at_ns = sg_clock_wall_ns();
    assert_true(sgc_beat_write(&beat, &out));
    assert_int_equal(sgc_bus_publish(world->bus, world->feed.beats, sg_out_view(&out)), SG_OK);
    UNTIL(view_of(&world->edges[1]).known == beat.mark.seq, 2000);
    assert_int_equal(young_ns(&world->edges[1]), before);
    const struct sge_word word = {.kind = SGE_WORD_INDEX, .tenant = TENANT, .number = 5};
    uint64_t seq;
    assert_int_equal(sgc_feed_say(&world->feed, &word, 1, &seq), SG_OK);
    assert_int_equal(seq, beat.mark.seq);
    UNTIL(young_ns(&world->edges[1]) == beat.at_ns, 2000); /* now it has caught up with it */
    head_close(world);
    head_open(world);
}

static void an_edge_that_joins_hears_a_beat_at_once(void **fixture)
{
    struct world *world = *fixture;
    agent_close(world, 2);
    head_close(world);
    head_open_of(world, 60000);
    struct sgc_publisher_view view = {0};
    UNTIL((sgc_publisher_view(world->publisher, &view), view.beats == 1), 3000);
    usleep(20000);
    uint64_t before = young_ns(&world->edges[2]);
    agent_open(world, 2);
    UNTIL(young_ns(&world->edges[2]) > before, 2000);
    head_close(world);
    head_open(world);
}

static void an_epoch_raised_in_an_emergency_is_everywhere_in_time(void **fixture)
{
    struct world *world = *fixture;
    const struct sge_word word = {.kind = SGE_WORD_EPOCH, .tenant = TENANT, .number = 20000};
    uint64_t seq, began_ns = sg_clock_mono_ns();
    assert_int_equal(sgc_feed_say(&world->feed, &word, 1, &seq), SG_OK);
    for (int i = 0; i < EDGES; i++)
        UNTIL(epoch_min(&world->edges[i]) == 20000, 5000);
    assert_true(sg_clock_mono_ns() - began_ns < 5 * SG_NS_PER_SEC);
}

static void an_edge_that_was_away_catches_up_before_it_is_young(void **fixture)
{
    struct world *world = *fixture;
    agent_close(world, 3);
    uint64_t before = young_ns(&world->edges[3]);
    for (uint64_t token = 100; token < 150; token++)
        transfer(world, token, 3);
    UNTIL(owns(&world->edges[0], 149, 3), 5000);
    assert_false(owns(&world->edges[3], 100, 3));
    assert_int_equal(young_ns(&world->edges[3]), before);
    agent_open(world, 3);
    UNTIL(young_ns(&world->edges[3]) > before, 5000);
    assert_true(owns(&world->edges[3], 149, 3)); /* by the time it is young it has it all */
    assert_int_equal(view_of(&world->edges[3]).copies, 0);
}

static void stream_keeps(struct world *world, uint64_t messages)
{
    const struct sgc_stream_options options = {.name = world->feed.stream,
                                               .subjects = world->feed.entries,
                                               .messages_max = messages,
                                               .dedup_s = 86400};
    assert_int_equal(sgc_stream_open(world->bus, &options), SG_OK);
}

static void who_missed_what_the_stream_forgot_loads_a_copy(void **fixture)
{
    struct world *world = *fixture;
    agent_close(world, 4);
    for (uint64_t token = 200; token < 220; token++)
        transfer(world, token, 4);
    UNTIL(owns(&world->edges[0], 219, 4), 5000);
    stream_keeps(world, 3);
    for (uint64_t token = 220; token < 224; token++) {
        transfer(world, token, 4);
        for (int i = 0; i < EDGES; i++)
            UNTIL(i == 4 || owns(&world->edges[i], token, 4), 5000);
    }
    agent_open(world, 4);
    UNTIL(owns(&world->edges[4], 223, 4), 5000);
    assert_true(owns(&world->edges[4], 200, 4));
    UNTIL(view_of(&world->edges[4]).copies == 1, 2000);
    transfer(world, 224, 4);
    for (int i = 0; i < EDGES; i++)
        UNTIL(owns(&world->edges[i], 224, 4), 5000);
    assert_all_the_same(world);
}

static void edge_wipe(struct world *world, int i)
{
    agent_close(world, i);
    sge_state_close(world->edges[i].state);
    sgt_dir_remove(world->edges[i].dir);
    edge_open(world, i);
    agent_open(world, i);
}

static void await_all(struct world *world, uint64_t token, uint8_t who)
{
    for (int i = 0; i < EDGES; i++)
        UNTIL(owns(&world->edges[i], token, who), 10000);
    assert_all_the_same(world);
}

/* Who came late would find neither the stream's beginning nor a copy that reaches it. */
static void the_stream_waits_for_the_state_that_copies_are_made_of(void **fixture)
{
    struct world *world = *fixture;
    struct sgc_publisher_view before, view;
    stream_keeps(world, SGC_PUBLISHER_AHEAD_MAX + 2);
    agent_close(world, 0);
    sgc_publisher_view(world->publisher, &before);
    for (uint64_t token = 2000; token < 2000 + SGC_PUBLISHER_AHEAD_MAX + 20; token++)
        transfer(world, token, 2);
    UNTIL((sgc_publisher_view(world->publisher, &view),
           view.entries >= before.entries + SGC_PUBLISHER_AHEAD_MAX),
          10000);
    usleep(50000);
    sgc_publisher_view(world->publisher, &view);
    assert_int_equal(view.entries, before.entries + SGC_PUBLISHER_AHEAD_MAX);
    agent_open(world, 0);
    await_all(world, 2000 + SGC_PUBLISHER_AHEAD_MAX + 19, 2);
    assert_int_equal(view_of(&world->edges[0]).copies, 0);
}

/* The stream has the last entries only: each of the new ones begins with a copy, of a moment
 * between two writes. */
static void new_edges_load_copies_while_writes_go_on(void **fixture)
{
    struct world *world = *fixture;
    uint64_t token = 400;
    stream_keeps(world, 50);
    for (int round = 0; round < 3; round++)
        for (int i = 5; i < EDGES; i++) {
            edge_wipe(world, i);
            for (uint64_t n = 0; n < 10; n++, token++) /* new ones, and some of before */
                transfer(world, n % 2 == 0 ? token : 1000 + token * 7 % 100,
                         (uint8_t)(1 + token % 5));
        }
    transfer(world, token, 6);
    await_all(world, token, 6);
    for (int i = 5; i < EDGES; i++)
        assert_true(view_of(&world->edges[i]).copies >= 1);
}

/* As `nats stream purge` does it. */
static void stream_purge(const struct world *world)
{
    char text[256], answer[512];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server.port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    int len = snprintf(text, sizeof(text),
                       "CONNECT {\"verbose\":false}\r\nSUB purged 1\r\n"
                       "PUB $JS.API.STREAM.PURGE.%s purged 0\r\n\r\n",
                       world->feed.stream);
    assert_int_equal(write(fd, text, (size_t)len), len);
    size_t got = 0;
    while (got < sizeof(answer) - 1) {
        ssize_t more = read(fd, answer + got, sizeof(answer) - 1 - got);
        assert_true(more > 0);
        got += (size_t)more;
        answer[got] = '\0';
        if (strstr(answer, "\"success\":true") != NULL)
            break;
    }
    close(fd);
}

static void a_stream_that_is_emptied_under_us_costs_a_copy_and_no_fact(void **fixture)
{
    struct world *world = *fixture;
    if (!with_nats)
        return; /* it is about the server */
    agent_close(world, 6);
    for (uint64_t token = 600; token < 610; token++)
        transfer(world, token, 2);
    UNTIL(owns(&world->edges[0], 609, 2), 5000);
    stream_purge(world);
    uint64_t young = young_ns(&world->edges[1]); /* who has everything is none the worse */
    UNTIL(young_ns(&world->edges[1]) > young, 3000);
    agent_open(world, 6);
    UNTIL(owns(&world->edges[6], 609, 2), 5000);
    transfer(world, 610, 2);
    await_all(world, 610, 2);
}

static void a_server_that_is_killed_and_comes_back_loses_nothing(void **fixture)
{
    struct world *world = *fixture;
    if (!with_nats)
        return; /* it is about the server */
    for (uint64_t token = 700; token < 703; token++) {
        transfer(world, token, 3);
        sgt_nats_stop(&server, SIGKILL);
        usleep(2 * BEAT_MS * 1000); /* what was under way has come */
        uint64_t young = young_ns(&world->edges[1]);
        transfer(world, token, 4);
        usleep(3 * BEAT_MS * 1000);
        assert_int_equal(young_ns(&world->edges[1]), young); /* nobody speaks */
        sgt_nats_run(&server, NULL, NULL);
        await_all(world, token, 4);
    }
}

static void an_entry_of_a_newer_version_is_never_passed_over(void **fixture)
{
    struct world *world = *fixture;
    uint64_t seq;
    agent_close(world, 0);
    for (int i = 2; i < EDGES; i++)
        agent_close(world, i);
    assert_int_equal(sgc_stream_append(world->bus, world->feed.entries, NULL, SGC_ANY,
                                       SG_STR("\177from tomorrow"), &seq),
                     SG_OK);
    UNTIL(view_of(&world->edges[1]).trouble == SG_EVERSION, 3000);
    uint64_t young = young_ns(&world->edges[1]);
    transfer(world, 300, 5);
    usleep(3 * BEAT_MS * 1000);
    assert_false(owns(&world->edges[1], 300, 5));
    assert_true(young_ns(&world->edges[1]) <= young + BEAT_MS * SG_NS_PER_MS);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_transfer_reaches_every_edge_under_one_generation),
    cmocka_unit_test(a_hundred_transfers_are_everywhere_within_a_second),
    cmocka_unit_test(the_head_knows_when_each_edge_had_it),
    cmocka_unit_test(beats_keep_those_young_who_have_everything),
    cmocka_unit_test(a_beat_that_is_ahead_keeps_nobody_young),
    cmocka_unit_test(an_edge_that_joins_hears_a_beat_at_once),
    cmocka_unit_test(an_epoch_raised_in_an_emergency_is_everywhere_in_time),
    cmocka_unit_test(an_edge_that_was_away_catches_up_before_it_is_young),
    cmocka_unit_test(who_missed_what_the_stream_forgot_loads_a_copy),
    cmocka_unit_test(the_stream_waits_for_the_state_that_copies_are_made_of),
    cmocka_unit_test(new_edges_load_copies_while_writes_go_on),
    cmocka_unit_test(a_stream_that_is_emptied_under_us_costs_a_copy_and_no_fact),
    cmocka_unit_test(a_server_that_is_killed_and_comes_back_loses_nothing),
    cmocka_unit_test(an_entry_of_a_newer_version_is_never_passed_over),
};

int main(int argc, char **argv)
{
    with_nats = argc > 1 && strcmp(argv[1], "nats") == 0;
    if (with_nats && !sgt_nats_here())
        return SGT_SKIP;
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, begin, end);
}
