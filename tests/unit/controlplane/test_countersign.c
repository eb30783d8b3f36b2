/* Questions about signatures from an edge to whom can ask the chain, over each implementation of
 * the bus; the chain is a function of this test. Usage: test_countersign embedded|nats */
#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/chain/onchain.h"
#include "controlplane/feed/countersign.h"
#include "tests/sgt_nats.h"

#include <pthread.h>
#include <semaphore.h>

static bool with_nats;
static struct sgt_nats server;
static const struct sg_caip_chain anvil = {.ns = SG_CAIP_EIP155, .evm_id = 31337};

struct world {
    char dir[SGT_DIR_BYTES];
    struct sgc_bus *bus;
    struct sgc_feed feed;
    struct sgc_countersign *countersign;
    struct sgc_relay relay;
    /* the chain */
    struct sgd_onchain by;
    _Atomic uint32_t asked, answered;
    enum sg_err says;
    uint32_t takes_ms;
};

static enum sg_err chain_says(void *ctx, const struct sgd_grant *grant, uint32_t timeout_ms,
                              uint8_t out[64])
{
    struct world *world = ctx;
    world->asked++;
    assert_true(timeout_ms > 0);
    assert_true(sg_str_eq(grant->signature, SG_STR("a wallet's word")));
    usleep(world->takes_ms * 1000);
    memcpy(out, grant->cti, 16);
    memset(out + 16, 7, 48);
    world->answered++;
    return world->says;
}

static void bus_open(struct world *world)
{
    char url[64], memory[512], dir[SGT_DIR_BYTES + 8];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    snprintf(url, sizeof(url), "nats://127.0.0.1:%u", server.port);
    snprintf(dir, sizeof(dir), "%s/bus", world->dir);
    const struct sgc_bus_options options = {
        .url = with_nats ? url : "embedded:", .dir = dir, .name = "test", .timeout_ms = 3000};
    assert_int_equal(sgc_bus_open(&options, &report, &world->bus), SG_OK);
    assert_true(sgc_feed_init(&world->feed, world->bus, "here"));
}

static int begin(void **fixture)
{
    static struct world world;
    world = (struct world){.by = {&world, chain_says}};
    if (with_nats)
        sgt_nats_start(&server);
    sgt_dir_make(world.dir);
    bus_open(&world);
    sgc_relay_init(&world.relay, &world.feed);
    assert_int_equal(sgc_countersign_open(&world.feed, &world.by, &anvil, 1, &world.countersign),
                     SG_OK);
    *fixture = &world;
    return 0;
}

static int end(void **fixture)
{
    struct world *world = *fixture;
    sgc_countersign_close(world->countersign);
    sgc_bus_close(world->bus);
    if (with_nats)
        sgt_nats_end(&server);
    sgt_dir_remove(world->dir);
    return 0;
}

/* A grant as it came, and its bytes. */
struct made {
    char header[128], payload[1024], whole[2048];
    struct sgd_grant grant;
    struct sg_str bytes;
};

static void make(struct made *it, uint8_t number, int64_t expires_in_s)
{
    uint64_t now_s = sg_clock_wall_ns() / SG_NS_PER_SEC;
    struct sg_out header = sg_out_init(it->header, sizeof(it->header));
    struct sg_out payload = sg_out_init(it->payload, sizeof(it->payload));
    struct sg_out whole = sg_out_init(it->whole, sizeof(it->whole));
    it->grant = (struct sgd_grant){
        .alg = SGD_GRANT_ON_CHAIN,
        .account = {.chain = anvil, .address = {.len = 20, .bytes = {number}}},
        .tenant = SG_STR("films"),
        .domain = SG_STR("play.example.org"),
        .expires_s = now_s + (uint64_t)expires_in_s,
        .not_before_s = now_s - 3600,
        .issued_s = now_s - 3600,
        .cti = {number},
        .ckt = {2},
        .matches_count = 2,
        .matches = {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("play.example.org")},
                    {SGD_MATCH_PATH, SGD_MATCH_PREFIX, SG_STR("/films/")}},
        .signature = SG_STR("a wallet's word"),
    };
    sgd_grant_put_header(&header, &it->grant);
    sgd_grant_put_claims(&payload, &it->grant);
    it->grant.protected_header = sg_out_view(&header);
    it->grant.payload = sg_out_view(&payload);
    sgd_grant_put(&whole, &it->grant);
    assert_false(whole.full);
    it->bytes = sg_out_view(&whole);
}

static enum sg_err ask(struct world *world, const struct sgd_grant *grant, uint32_t timeout_ms,
                       uint8_t out[64])
{
    return world->relay.seam.ask(world->relay.seam.ctx, grant, timeout_ms, out);
}

static void a_yes_comes_back_as_the_countersignature_and_a_no_as_a_no(void **fixture)
{
    struct world *world = *fixture;
    struct made one, two, three;
    make(&one, 1, 3600);
    make(&two, 2, 3600);
    make(&three, 3, 3600);
    uint8_t out[64] = {0};
    assert_int_equal(ask(world, &one.grant, 2000, out), SG_OK);
    assert_true(out[0] == 1 && out[63] == 7);
    world->says = SG_EAUTH;
    assert_int_equal(ask(world, &two.grant, 2000, out), SG_EAUTH);
    world->says = SG_EBUSY;
    assert_int_equal(ask(world, &three.grant, 2000, out), SG_EBUSY);
    world->says = SG_EAGAIN;
    assert_int_equal(ask(world, &three.grant, 2000, out), SG_EAGAIN);
}

static void the_same_again_is_answered_from_memory(void **fixture)
{
    struct world *world = *fixture;
    uint64_t answered, remembered;
    uint8_t out[64];
    struct made one;
    make(&one, 1, 3600);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(world, &one.grant, 2000, out), SG_OK);
    assert_int_equal(world->asked, 1);
    struct made two;
    make(&two, 2, 3600);
    world->says = SG_EAUTH;
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(world, &two.grant, 2000, out), SG_EAUTH);
    assert_int_equal(world->asked, 2);
    struct made three;
    make(&three, 3, 3600);
    world->says = SG_EAGAIN; /* what could not be asked is asked again */
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(world, &three.grant, 2000, out), SG_EAGAIN);
    assert_int_equal(world->asked, 7);
    sgc_countersign_counts(world->countersign, &answered, &remembered);
    assert_int_equal(answered, 15);
    assert_int_equal(remembered, 8);
}

static void a_chain_that_nobody_serves_is_said_so_at_once(void **fixture)
{
    struct world *world = *fixture;
    uint8_t out[64];
    struct made one;
    make(&one, 1, 3600);
    one.grant.account.chain.evm_id = 1;
    uint64_t began_ns = sg_clock_mono_ns();
    assert_int_equal(ask(world, &one.grant, 5000, out), SG_ENOENT);
    assert_true(sg_clock_mono_ns() - began_ns < SG_NS_PER_SEC);
    make(&one, 1, 3600);
    sgc_countersign_close(SG_TAKE(world->countersign));
    assert_int_equal(ask(world, &one.grant, 5000, out), SG_ENOENT);
    assert_int_equal(world->asked, 0);
}

static void nobody_waits_longer_than_they_said(void **fixture)
{
    struct world *world = *fixture;
    uint8_t out[64];
    struct made one;
    make(&one, 1, 3600);
    world->takes_ms = 600;
    uint64_t began_ns = sg_clock_mono_ns();
    assert_int_equal(ask(world, &one.grant, 100, out), SG_ETIMEDOUT);
    assert_true(sg_clock_mono_ns() - began_ns < 500 * SG_NS_PER_MS);
    if (!with_nats)
        return;
    sgt_nats_stop(&server, SIGKILL);
    for (int i = 0; i < 500 && sgc_bus_connected(world->bus); i++)
        usleep(10000);
    began_ns = sg_clock_mono_ns();
    assert_int_equal(ask(world, &one.grant, 5000, out), SG_ENOTCONN);
    assert_true(sg_clock_mono_ns() - began_ns < SG_NS_PER_SEC);
}

static enum sg_err ask_bytes(struct world *world, uint64_t sent_ns, struct sg_str grant)
{
    char subject[SGC_COUNTERSIGN_SUBJECT_BYTES], memory[SGC_COUNTERSIGN_ASK_BYTES], back[128];
    struct sg_out request = sg_out_init(memory, sizeof(memory));
    struct sg_out reply = sg_out_init(back, sizeof(back));
    const struct sgc_countersign_ask it = {.sent_ns = sent_ns, .timeout_ms = 2000, .grant = grant};
    assert_true(sgc_countersign_ask_write(&it, &request));
    sgc_countersign_subject(&world->feed, &anvil, subject);
    assert_string_equal(subject, "streamgate.here.countersign.eip155-31337");
    return sgc_bus_request(world->bus, subject, sg_out_view(&request), 2000, &reply);
}

static void what_is_late_or_no_grant_for_a_chain_is_not_asked(void **fixture)
{
    struct world *world = *fixture;
    uint64_t now_ns = sg_clock_wall_ns();
    struct made made;
    make(&made, 1, 3600);
    char bytes[2048];
    memcpy(bytes, made.bytes.ptr, made.bytes.len);
    const struct sg_str grant = {bytes, made.bytes.len};
    assert_int_equal(ask_bytes(world, now_ns - 60 * SG_NS_PER_SEC, grant), SG_ETIMEDOUT);
    assert_int_equal(ask_bytes(world, now_ns, (struct sg_str){bytes, grant.len - 1}), SG_EINVAL);
    assert_int_equal(ask_bytes(world, now_ns, SG_STR("no grant")), SG_EINVAL);
    make(&made, 1, -60);
    assert_int_equal(ask_bytes(world, now_ns, made.bytes), SG_EINVAL); /* it is over */
    assert_int_equal(world->asked, 0);
    assert_int_equal(ask_bytes(world, now_ns, grant), SG_OK);
    /* Of another chain than the subject's. */
    struct made other;
    make(&other, 2, 3600);
    struct sg_out payload = sg_out_init(other.payload, sizeof(other.payload));
    struct sg_out whole = sg_out_init(other.whole, sizeof(other.whole));
    other.grant.account.chain.evm_id = 1;
    sgd_grant_put_claims(&payload, &other.grant);
    other.grant.payload = sg_out_view(&payload);
    sgd_grant_put(&whole, &other.grant);
    assert_int_equal(ask_bytes(world, now_ns, sg_out_view(&whole)), SG_EINVAL);
    assert_int_equal(world->asked, 1);
}

static void requests_that_are_none_are_refused(void **fixture)
{
    struct world *world = *fixture;
    struct sgc_countersign_ask out;
    static const char large[SGC_COUNTERSIGN_ASK_BYTES + 1] = {1};
    assert_int_equal(sgc_countersign_ask_read(SG_STR(""), &out), SG_EPROTO);
    for (size_t len = 0; len <= 13; len++) /* no grant in it */
        assert_int_equal(sgc_countersign_ask_read((struct sg_str){large, len}, &out), SG_EPROTO);
    assert_int_equal(sgc_countersign_ask_read((struct sg_str){large, 14}, &out), SG_OK);
    assert_int_equal(sgc_countersign_ask_read((struct sg_str){large, sizeof(large)}, &out),
                     SG_EPROTO);
    assert_int_equal(sgc_countersign_ask_read((struct sg_str){large + 1, 14}, &out), SG_EPROTO);
    (void)world;
}

/* ---- with onchain ---- */

struct asking {
    struct sgc_onchain *onchain;
    struct sgd_grant grant;
    enum sg_err err;
    sem_t begun;
};

static void *ask_main(void *arg)
{
    struct asking *asking = arg;
    const struct sgd_onchain *seam = sgc_onchain_seam(asking->onchain);
    uint8_t out[64];
    sem_post(&asking->begun);
    asking->err = seam->ask(seam->ctx, &asking->grant, 3000, out);
    return NULL;
}

static void whoever_takes_the_relay_away_waits_for_those_who_ask(void **fixture)
{
    struct world *world = *fixture;
    struct made one;
    make(&one, 1, 3600);
    struct asking asking = {.grant = one.grant, .err = SG_EIO};
    pthread_t thread;
    uint8_t out[64];
    sem_init(&asking.begun, 0, 0);
    assert_int_equal(sgc_onchain_open(&asking.onchain), SG_OK);
    const struct sgd_onchain *seam = sgc_onchain_seam(asking.onchain);
    assert_int_equal(seam->ask(seam->ctx, &one.grant, 100, out), SG_ENOTSUP);
    sgc_onchain_set_relay(asking.onchain, &world->relay.seam);
    world->takes_ms = 200;
    assert_int_equal(pthread_create(&thread, NULL, ask_main, &asking), 0);
    sem_wait(&asking.begun);
    for (int i = 0; i < 5000 && world->asked == 0; i++)
        usleep(1000);
    sgc_onchain_set_relay(asking.onchain, NULL);
    assert_int_equal(world->answered, 1); /* and the answer was back */
    pthread_join(thread, NULL);
    assert_int_equal(asking.err, SG_OK);
    assert_int_equal(seam->ask(seam->ctx, &one.grant, 100, out), SG_ENOTSUP);
    const struct sgd_onchain *here = sgc_onchain_here(asking.onchain);
    sgc_onchain_set_relay(asking.onchain, &world->relay.seam);
    assert_int_equal(here->ask(here->ctx, &one.grant, 100, out), SG_ENOTSUP); /* and no circle */
    sgc_onchain_set_relay(asking.onchain, NULL);
    sgc_onchain_close(asking.onchain);
    sem_destroy(&asking.begun);
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct world *world = *fixture;
    enum sg_err err = SG_ENOMEM;
    sgc_countersign_close(SG_TAKE(world->countersign));
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        assert_true(nth < 16);
        sg_alloc_fail_nth(nth);
        err = sgc_countersign_open(&world->feed, &world->by, &anvil, 1, &world->countersign);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK ? world->countersign != NULL
                                 : world->countersign == NULL && err == SG_ENOMEM);
    }
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(a_yes_comes_back_as_the_countersignature_and_a_no_as_a_no),
        T(the_same_again_is_answered_from_memory),
        T(a_chain_that_nobody_serves_is_said_so_at_once),
        T(nobody_waits_longer_than_they_said),
        T(what_is_late_or_no_grant_for_a_chain_is_not_asked),
        T(requests_that_are_none_are_refused),
        T(whoever_takes_the_relay_away_waits_for_those_who_ask),
        T(open_undoes_itself_at_every_failing_allocation),
    };
    with_nats = argc > 1 && strcmp(argv[1], "nats") == 0;
    if (with_nats && !sgt_nats_here())
        return SGT_SKIP;
    return sgt_main(with_nats ? "countersign_nats" : "countersign_embedded", tests,
                    sizeof(tests) / sizeof(tests[0]));
}
