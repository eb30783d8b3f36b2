#include "tests/sgt.h"

#include "base/sys/rcu.h"
#include "dataplane/delivery/delivery.h"
#include "dataplane/engine/listen.h"
#include "dataplane/tls/handshake.h"
#include "dataplane/worker/worker.h"

#include <string.h>

#define CONTROL 1u
#define TURN_NS (5 * SG_NS_PER_MS)

/* A worker whose engine is a script: one call a turn, which plays control and the viewers. Time is
 * virtual, and passes by TURN_NS a turn. */
struct sgd_conn {
    struct sgd_peer peer;
    bool drained, aborted;
};

static struct {
    struct sgd_worker worker;
    void (*script)(uint32_t turn);
    uint32_t turn;
    uint64_t wake_at_ns; /* as the worker asked */
    uint32_t conns;      /* open ones, the first so many of `conn` */
    struct sgd_conn conn[2];
    uint32_t delivery_busy;
    uint64_t delivery_wake_ns;
    /* what was asked for */
    uint32_t stops, listens, aborts, messages, shard_turns;
    uint32_t last_arg;
    bool letting_go;
    struct sgd_snapshot *snapshot_at_listen;
    const struct sgd_listener *listeners;
    struct sgd_tls_ctx *handshake_ctx;
    uint32_t http1s;
} rig;

/* ---- what the rig stands in for ---- */

static uint32_t refs_of[4], holds_of[4]; /* by serial */

void sgd_snapshot_hold(struct sgd_snapshot *snapshot, uint16_t worker)
{
    assert_int_equal(worker, rig.worker.id);
    holds_of[snapshot->serial]++;
}

void sgd_snapshot_release(struct sgd_snapshot *snapshot, uint16_t worker)
{
    assert_int_equal(worker, rig.worker.id);
    assert_true(holds_of[snapshot->serial]-- > 0);
}

void sgd_snapshot_unref(struct sgd_snapshot *snapshot)
{
    assert_true(refs_of[snapshot->serial]-- > 0);
}

const struct sgd_listener *sgd_listen_worker(const struct sgd_listen *set, uint32_t worker,
                                             size_t *count)
{
    assert_int_equal(worker, rig.worker.id);
    *count = 1;
    return (const struct sgd_listener *)(const void *)set;
}

void sge_shard_turn(struct sge_shard *shard)
{
    rig.shard_turns++;
    (void)shard;
}

void sgd_delivery_message(struct sgd_delivery *delivery, const struct sg_msg *msg)
{
    assert_int_equal(msg->type, SGD_MSG_GOT);
    assert_int_equal(msg->arg32, rig.last_arg++); /* in order */
    rig.messages++;
    (void)delivery;
}

uint64_t sgd_delivery_turn(struct sgd_delivery *delivery, uint64_t now_ns)
{
    assert_int_equal(now_ns, rig.worker.now_ns);
    (void)delivery;
    return rig.delivery_wake_ns;
}

uint32_t sgd_delivery_busy(const struct sgd_delivery *delivery)
{
    (void)delivery;
    return rig.delivery_busy;
}

void sgd_delivery_abort(struct sgd_delivery *delivery)
{
    rig.aborts++;
    (void)delivery;
}

bool sgd_handshake_start(struct sgd_handshakes *handshakes, struct sgd_conn *conn,
                         struct sgd_tls_ctx *ctx, const struct sgd_handshake_next *next,
                         uint64_t now_ns, uint64_t timeout_ns)
{
    rig.handshake_ctx = ctx;
    assert_ptr_equal(next, rig.worker.protocols);
    assert_int_equal(timeout_ns, 7 * SG_NS_PER_MS);
    (void)handshakes, (void)conn, (void)now_ns;
    return true;
}

static bool http1_start(struct sgd_worker *worker, struct sgd_conn *conn)
{
    rig.http1s++;
    (void)worker, (void)conn;
    return true;
}

const struct sgd_peer *sgd_conn_peer(const struct sgd_conn *conn)
{
    return &conn->peer;
}

void sgd_conn_abort(struct sgd_conn *conn, enum sgd_close why)
{
    assert_int_equal(why, SGD_CLOSE_drained);
    conn->aborted = true;
}

static void conn_drain(void *self, uint64_t now_ns)
{
    struct sgd_conn *conn = self;
    assert_false(conn->drained);
    conn->drained = true;
    (void)now_ns;
}

/* ---- the engine ---- */

static uint32_t engine_turn(struct sgd_engine *engine, uint64_t wake_at_ns)
{
    assert_true(rig.turn < 1000); /* a loop that never ends */
    rig.wake_at_ns = wake_at_ns;
    rig.worker.now_ns += TURN_NS;
    rig.script(rig.turn++);
    (void)engine;
    return 0;
}

static void engine_listen(struct sgd_engine *engine, const struct sgd_listener *listeners,
                          size_t count)
{
    assert_int_equal(count, 1);
    rig.listens++;
    rig.listeners = listeners;
    rig.snapshot_at_listen = rig.worker.snapshot;
    (void)engine;
}

static bool engine_letting_go(const struct sgd_engine *engine)
{
    (void)engine;
    return rig.letting_go;
}

static void engine_stop_accepting(struct sgd_engine *engine)
{
    rig.stops++;
    (void)engine;
}

static void engine_each_conn(struct sgd_engine *engine,
                             void (*visit)(struct sgd_conn *conn, const struct sgd_proto *proto,
                                           void *self, void *arg),
                             void *arg)
{
    static const struct sgd_proto drains = {.name = "drains", .drain = conn_drain};
    static const struct sgd_proto does_not = {.name = "does not"};
    for (uint32_t i = 0; i < rig.conns; i++)
        visit(&rig.conn[i], i == 0 ? &drains : &does_not, &rig.conn[i], arg);
    (void)engine;
}

static uint32_t engine_conn_count(const struct sgd_engine *engine)
{
    (void)engine;
    return rig.conns;
}

static const struct sgd_engine_ops engine_ops = {
    .name = "script",
    .turn = engine_turn,
    .listen = engine_listen,
    .letting_go = engine_letting_go,
    .stop_accepting = engine_stop_accepting,
    .each_conn = engine_each_conn,
    .conn_count = engine_conn_count,
};

/* ---- the rig ---- */

static struct sge_stats stats;
static struct sg_conf_listener conf_listeners[2];
static struct sg_config config = {.listeners = conf_listeners, .listeners_count = 2};
static struct sgd_snapshot first = {.serial = 1, .config = &config};
static struct sgd_snapshot second = {.serial = 2, .config = &config};
static const struct sgd_handshake_next protocols = {.http1 = http1_start};

static int setup(void **fixture)
{
    memset(&rig, 0, sizeof(rig));
    memset(refs_of, 0, sizeof(refs_of));
    memset(holds_of, 0, sizeof(holds_of));
    refs_of[1] = refs_of[2] = 1;
    first.tls = second.tls = NULL;
    config.limits.handshake_timeout_ms = 7;
    rig.delivery_wake_ns = SG_NEVER;
    rig.worker = (struct sgd_worker){
        .engine_ops = &engine_ops,
        .engine = (struct sgd_engine *)&rig, /* never looked into */
        .delivery = (struct sgd_delivery *)&rig,
        .snapshot = &first,
        .protocols = &protocols,
        .stats = &stats,
    };
    assert_int_equal(sg_mail_open(2, 1024, &rig.worker.mail), SG_OK);
    (void)fixture;
    return 0;
}

static int teardown(void **fixture)
{
    sg_mail_close(rig.worker.mail);
    (void)fixture;
    return 0;
}

static void tell(const struct sg_msg *msg)
{
    assert_true(sg_mail_send(rig.worker.mail, CONTROL, rig.worker.id, msg));
}

static void tell_stop(void)
{
    tell(&(struct sg_msg){.type = SGD_MSG_STOP});
}

static void run(void (*script)(uint32_t turn))
{
    rig.script = script;
    sgd_worker_run(&rig.worker);
}

static bool is_deaf(void)
{
    return atomic_load(&rig.worker.deaf);
}

static bool is_quiet(void)
{
    return atomic_load(&rig.worker.quiet);
}

/* ---- sentences ---- */

static void a_connection_gets_the_protocol_that_its_listener_speaks(void **fixture)
{
    struct sgd_tls_ctx *tls[2] = {NULL, (struct sgd_tls_ctx *)&rig}, *old[1] = {tls[1]};
    struct sgd_listener listener = {.index = 0};
    struct sgd_conn conn = {.peer = {.listener = &listener}};
    first.tls = tls;
    assert_true(sgd_worker_accept(&rig.worker, &conn));
    assert_int_equal(rig.http1s, 1);
    listener.index = 1;
    assert_true(sgd_worker_accept(&rig.worker, &conn));
    assert_ptr_equal(rig.handshake_ctx, tls[1]);
    /* A reload took it away: not what has its number now, but what it was. */
    second.tls = old;
    listener = (struct sgd_listener){.index = 0, .gone = &second};
    rig.handshake_ctx = NULL;
    assert_true(sgd_worker_accept(&rig.worker, &conn));
    assert_ptr_equal(rig.handshake_ctx, old[0]);
    assert_int_equal(rig.http1s, 1);
    (void)fixture;
}

static const struct sgd_listener next_listener = {.index = 1};

static void switch_script(uint32_t turn)
{
    uint32_t listens_by = atomic_load(&rig.worker.listens_by);
    if (turn == 1) {
        assert_int_equal(listens_by, 1);
        rig.letting_go = true; /* as the engine's listen() would find */
        tell(&(struct sg_msg){.type = SGD_MSG_SNAPSHOT,
                              .ptr = {&second, (void *)(uintptr_t)&next_listener}});
    } else if (turn == 2) {
        assert_int_equal(rig.listens, 1);
        assert_ptr_equal(rig.listeners, &next_listener);
        assert_ptr_equal(rig.snapshot_at_listen, &first); /* listeners that go keep that */
        assert_ptr_equal(rig.worker.snapshot, &second);
        assert_int_equal(holds_of[1], 0);
        assert_int_equal(holds_of[2], 1);
        assert_int_equal(refs_of[1], 0);
        assert_int_equal(refs_of[2], 1);
    } else if (turn == 4) {
        assert_int_equal(listens_by, 1); /* the old sockets are in use still */
        rig.letting_go = false;
    } else if (turn == 5) {
        assert_int_equal(listens_by, 2);
        tell_stop();
    }
}

static void a_new_configuration_holds_at_once_and_old_sockets_are_told_when_they_are_free(void **f)
{
    run(switch_script);
    assert_int_equal(holds_of[2], 0);
    assert_int_equal(refs_of[2], 1); /* the thread's own, which its closing gives back */
    (void)f;
}

#define DRAIN_MS 100u

static void drain_script(uint32_t turn)
{
    uint64_t began = 2; /* the turn in whose mail it is told */
    if (turn == began) {
        rig.conns = 2;
        tell(&(struct sg_msg){.type = SGD_MSG_DRAIN,
                              .arg64 = rig.worker.now_ns + DRAIN_MS * SG_NS_PER_MS});
    } else if (turn == began + 1) {
        assert_true(rig.stops >= 1);
        assert_true(rig.conn[0].drained); /* the other's protocol cannot be told */
        assert_true(rig.wake_at_ns <= rig.worker.now_ns - TURN_NS + 10 * SG_NS_PER_MS);
        assert_false(is_deaf());
        rig.conns = 0; /* but others may come */
    } else if (turn == began + 10) {
        assert_false(is_deaf() || is_quiet()); /* what the kernel accepted is on its way, 50 ms */
        rig.conns = 1;                         /* here it is */
        assert_int_equal(rig.stops, 11);
    } else if (turn == began + 11) {
        assert_true(is_deaf());
    } else if (turn == began + 13) {
        assert_int_equal(rig.stops, 12); /* the sockets may be closed by now */
        assert_false(is_quiet());
        rig.conns = 0;
        rig.delivery_busy = 1; /* another worker's wants its shard */
    } else if (turn == began + 15) {
        assert_false(is_quiet());
        rig.delivery_busy = 0;
    } else if (turn == began + 17) {
        assert_true(is_quiet());
        tell(&(struct sg_msg){.type = SGD_MSG_GOT}); /* it stays, for others */
    } else if (turn == began + 18) {
        assert_int_equal(rig.messages, 1);
        assert_int_equal(rig.aborts, 0);
        tell_stop();
    }
}

static void a_drain_waits_for_what_is_under_way_and_for_what_is_on_its_way(void **fixture)
{
    run(drain_script);
    assert_false(rig.conn[0].aborted || rig.conn[1].aborted);
    assert_int_equal(rig.turn, 2 + 19);
    (void)fixture;
}

static void deadline_script(uint32_t turn)
{
    rig.conns = rig.conn[1].aborted ? 0 : 2;
    if (turn == 0)
        tell(&(struct sg_msg){.type = SGD_MSG_DRAIN,
                              .arg64 = rig.worker.now_ns + DRAIN_MS * SG_NS_PER_MS});
    else if (turn == DRAIN_MS / 5)
        assert_false(rig.conn[0].aborted || rig.aborts > 0);
    else if (turn == DRAIN_MS / 5 + 1)
        assert_true(rig.conn[0].aborted && rig.conn[1].aborted && rig.aborts > 0);
    else if (turn == DRAIN_MS / 5 + 3)
        assert_true(is_quiet());
    else if (turn == DRAIN_MS / 5 + 4)
        tell_stop();
}

static void at_the_end_of_a_drain_what_is_left_is_cut(void **fixture)
{
    run(deadline_script);
    assert_int_equal(rig.turn, DRAIN_MS / 5 + 5);
    (void)fixture;
}

static void hang_script(uint32_t turn)
{
    rig.conns = 1; /* it never ends, whatever is done */
    if (turn == 0)
        tell_stop();
}

static void a_stop_cuts_at_once_and_waits_half_a_second_for_what_hangs(void **fixture)
{
    run(hang_script);
    assert_true(rig.conn[0].aborted && rig.aborts > 0);
    assert_int_equal(rig.turn, 1 + 500 / 5);
    (void)fixture;
}

static void idle_stop_script(uint32_t turn)
{
    if (turn == 0)
        tell_stop();
}

static void a_worker_with_nothing_under_way_stops_in_the_turn_that_it_is_told(void **fixture)
{
    run(idle_stop_script);
    assert_int_equal(rig.turn, 1);
    assert_int_equal(rig.shard_turns, 1);
    (void)fixture;
}

static void mail_script(uint32_t turn)
{
    if (turn == 0) {
        for (uint32_t i = 0; i < 300; i++)
            tell(&(struct sg_msg){.type = SGD_MSG_GOT, .arg32 = i});
        rig.delivery_wake_ns = 12345;
    } else if (turn == 1) {
        assert_int_equal(rig.messages, 256);
        assert_int_equal(rig.wake_at_ns, 12345); /* as delivery wants it */
    } else if (turn == 2) {
        assert_int_equal(rig.messages, 300);
        tell_stop();
    }
}

static void a_turn_takes_so_many_messages_and_the_next_goes_on(void **fixture)
{
    run(mail_script);
    (void)fixture;
}

#define WORKER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
    WORKER(a_connection_gets_the_protocol_that_its_listener_speaks),
    WORKER(a_new_configuration_holds_at_once_and_old_sockets_are_told_when_they_are_free),
    WORKER(a_drain_waits_for_what_is_under_way_and_for_what_is_on_its_way),
    WORKER(at_the_end_of_a_drain_what_is_left_is_cut),
    WORKER(a_stop_cuts_at_once_and_waits_half_a_second_for_what_hangs),
    WORKER(a_worker_with_nothing_under_way_stops_in_the_turn_that_it_is_told),
    WORKER(a_turn_takes_so_many_messages_and_the_next_goes_on),
};
SGT_MAIN("worker", tests)
