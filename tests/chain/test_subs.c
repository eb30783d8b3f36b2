/* Subscriptions at a real anvil, and at npm's `ws`, which sends what anvil does not. */
#include "tests/sgt.h"

#include "base/clock.h"
#include "controlplane/chain/eth.h"
#include "controlplane/chain/subs.h"
#include "tests/chain/anvil.h"
#include "tests/sgt_dir.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sgt_anvil chain;
static char dir[SGT_DIR_BYTES], ca_file[SGT_DIR_BYTES + 16];

struct peer {
    pid_t pid;
    int in;
    uint16_t port;
};
static struct peer plain, secure;

static void peer_start(struct peer *peer, const char *key, const char *cert)
{
    int in[2], out[2];
    char text[16] = "";
    assert_int_equal(pipe(in) | pipe(out), 0);
    peer->pid = fork();
    if (peer->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        execlp("node", "node", getenv("SG_CHAIN_WS"), key, cert, NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    peer->in = in[1];
    assert_true(read(out[0], text, sizeof(text) - 1) > 0);
    peer->port = (uint16_t)atoi(text);
    close(out[0]);
}

static void peer_stop(struct peer *peer)
{
    if (peer->pid == 0)
        return;
    close(peer->in);
    kill(peer->pid, SIGTERM);
    waitpid(peer->pid, NULL, 0);
}

/* What was heard. */
struct heard {
    pthread_mutex_t lock;
    uint32_t notices[2];
    uint64_t number;
    uint64_t fragments, pongs;
    size_t longest;
    struct sgc_eth_log log;
};

static void hear(void *ctx, uint32_t sub, struct sg_jsonread result)
{
    struct heard *heard = ctx;
    static uint8_t scratch[1024];
    struct sg_jsonread value;
    pthread_mutex_lock(&heard->lock);
    heard->longest = SG_MAX(heard->longest, result.len);
    if (sg_jsonread_member(result, "number", &value))
        sgc_eth_u64(value, &heard->number);
    if (sg_jsonread_member(result, "fragments", &value))
        sg_jsonread_u64(value, &heard->fragments);
    if (sg_jsonread_member(result, "pongs", &value))
        sg_jsonread_u64(value, &heard->pongs);
    if (sg_jsonread_member(result, "topics", &value) &&
        !sgc_eth_read_log(result, scratch, sizeof(scratch), &heard->log))
        heard->log.topics_count = 99;
    heard->notices[sub]++;
    pthread_mutex_unlock(&heard->lock);
}

static uint32_t notices_of(struct heard *heard, uint32_t sub)
{
    pthread_mutex_lock(&heard->lock);
    uint32_t count = heard->notices[sub];
    pthread_mutex_unlock(&heard->lock);
    return count;
}

/* Until `what` holds, 10 s at most. */
#define SOON(what)                                                                                 \
    do {                                                                                           \
        uint64_t until_ns = sg_clock_mono_ns() + 10 * SG_NS_PER_SEC;                               \
        while (!(what) && sg_clock_mono_ns() < until_ns)                                           \
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);                               \
        assert_true(what);                                                                         \
    } while (0)

static struct sgc_subs_stats stats_of(const struct sgc_subs *subs)
{
    struct sgc_subs_stats stats;
    sgc_subs_stats(subs, &stats);
    return stats;
}

static struct sgc_subs *open_at(const struct sgc_rpc_options *servers, uint32_t count,
                                struct heard *heard, uint32_t quiet_ms)
{
    static const struct sgc_sub both[] = {{"eth_subscribe", {"[\"newHeads\"]", 12}},
                                          {"eth_subscribe", {"[\"logs\",{}]", 11}}};
    struct sgc_subs *subs = NULL;
    *heard = (struct heard){.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct sgc_subs_options options = {.servers = servers,
                                             .servers_count = count,
                                             .subs = both,
                                             .subs_count = 2,
                                             .quiet_ms = quiet_ms,
                                             .notice = hear,
                                             .ctx = heard};
    assert_int_equal(sgc_subs_open(&options, &subs), SG_OK);
    return subs;
}

static const char *url_of(const char *scheme, uint16_t port, const char *path)
{
    static char urls[4][64];
    static uint32_t turn;
    char *url = urls[turn++ % 4];
    snprintf(url, sizeof(urls[0]), "%s://localhost:%u%s", scheme, port, path);
    return url;
}

static void anvils_new_heads_and_logs_are_heard_within_a_moment(void **fixture)
{
    struct heard heard;
    uint8_t films[20];
    const struct sgc_rpc_options server = {.url = url_of("ws", chain.port, "")};
    sgt_anvil_deploy(&chain, films, "Film721", "");
    struct sgc_subs *subs = open_at(&server, 1, &heard, 0);
    SOON(stats_of(subs).is_up);
    uint64_t before_ns = sg_clock_mono_ns();
    sgt_anvil_send(&chain, NULL, films, "mint(address,uint256)", "au", chain.accounts[1],
                   (uint64_t)5);
    SOON(notices_of(&heard, 0) == 1 && notices_of(&heard, 1) == 1);
    assert_true(sg_clock_mono_ns() - before_ns < 2 * SG_NS_PER_SEC);
    sgc_subs_close(subs);
    assert_true(heard.number > 0);
    assert_int_equal(heard.log.topics_count, 4);
    assert_memory_equal(heard.log.address, films, 20);
    assert_false(heard.log.removed);
    (void)fixture;
}

static void a_server_that_is_not_there_is_passed_over(void **fixture)
{
    struct heard heard;
    const struct sgc_rpc_options servers[] = {{.url = "ws://127.0.0.1:1"},
                                              {.url = url_of("ws", chain.port, "/")}};
    struct sgc_subs *subs = open_at(servers, 2, &heard, 0);
    SOON(stats_of(subs).is_up);
    assert_true(stats_of(subs).failures >= 1);
    sgt_anvil_mine(&chain, 1);
    SOON(notices_of(&heard, 0) >= 1);
    sgc_subs_close(subs);
    (void)fixture;
}

static void fragments_pings_and_long_messages_of_the_ws_library_are_taken(void **fixture)
{
    struct heard heard;
    const struct sgc_rpc_options server = {.url = url_of("ws", plain.port, "/")};
    struct sgc_subs *subs = open_at(&server, 1, &heard, 0);
    SOON(notices_of(&heard, 0) == 2 && notices_of(&heard, 1) == 1);
    sgc_subs_close(subs);
    assert_int_equal(heard.fragments, 3);
    assert_int_equal(heard.pongs, 2); /* both of its pings were answered */
    assert_true(heard.longest > 300000);
    (void)fixture;
}

static void a_connection_that_ends_is_made_anew(void **fixture)
{
    struct heard heard;
    const struct sgc_rpc_options server = {.url = url_of("ws", plain.port, "/close")};
    struct sgc_subs *subs = open_at(&server, 1, &heard, 0);
    SOON(stats_of(subs).connects >= 3);
    assert_true(notices_of(&heard, 1) >= 2);
    sgc_subs_close(subs);
    (void)fixture;
}

static void a_silent_server_is_pinged_and_left_alone_only_when_it_does_not_answer(void **fixture)
{
    struct heard heard;
    const struct sgc_rpc_options server = {.url = url_of("ws", plain.port, "/mute")};
    struct sgc_subs *subs = open_at(&server, 1, &heard, 50);
    SOON(stats_of(subs).connects == 1);
    nanosleep(&(struct timespec){.tv_nsec = 400000000}, NULL); /* its pongs keep it */
    assert_int_equal(stats_of(subs).failures, 0);
    kill(plain.pid, SIGSTOP);
    SOON(stats_of(subs).failures > 0);
    kill(plain.pid, SIGCONT);
    sgc_subs_close(subs);
    (void)fixture;
}

static void a_server_that_answers_garbage_is_left(void **fixture)
{
    struct heard heard;
    const struct sgc_rpc_options server = {.url = url_of("ws", plain.port, "/garbage")};
    struct sgc_subs *subs = open_at(&server, 1, &heard, 0);
    SOON(stats_of(subs).failures >= 2);
    assert_false(stats_of(subs).is_up);
    sgc_subs_close(subs);
    (void)fixture;
}

static void fields_of_a_file_are_sent(void **fixture)
{
    struct heard heard;
    char path[SGT_DIR_BYTES + 16];
    snprintf(path, sizeof(path), "%s/fields", dir);
    FILE *file = fopen(path, "w");
    fputs("X-Key: 7\n\nX-Other: a\r\n", file);
    fclose(file);
    const struct sgc_rpc_options server = {.url = url_of("ws", plain.port, "/field"),
                                           .fields_file = path};
    struct sgc_subs *subs = open_at(&server, 1, &heard, 0);
    SOON(stats_of(subs).is_up);
    sgc_subs_close(subs);
    (void)fixture;
}

static void a_certificate_is_checked(void **fixture)
{
    struct heard heard;
    const struct sgc_rpc_options good = {.url = url_of("wss", secure.port, "/"),
                                         .ca_file = ca_file};
    struct sgc_subs *subs = open_at(&good, 1, &heard, 0);
    SOON(stats_of(subs).is_up);
    SOON(notices_of(&heard, 1) == 1); /* 300 KB, in records */
    sgc_subs_close(subs);
    const struct sgc_rpc_options unknown = {.url = good.url};
    subs = open_at(&unknown, 1, &heard, 0);
    SOON(stats_of(subs).failures >= 1);
    assert_int_equal(stats_of(subs).connects, 0);
    sgc_subs_close(subs);
    (void)fixture;
}

static void urls_of_other_kinds_are_refused(void **fixture)
{
    static const char *const bad[] = {
        "http://localhost", "ws://", "ws://user@host/", "ws://h/a b", "ws://host?x",
        "ws:/host",         ""};
    static const struct sgc_sub sub = {"m", {"[]", 2}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct sgc_rpc_options server = {.url = bad[i]};
        struct sgc_subs *subs = NULL;
        const struct sgc_subs_options options = {
            .servers = &server, .servers_count = 1, .subs = &sub, .subs_count = 1, .notice = hear};
        assert_int_equal(sgc_subs_open(&options, &subs), SG_EINVAL);
    }
    (void)fixture;
}

static int set_up(void)
{
    char command[4 * SGT_DIR_BYTES], key[SGT_DIR_BYTES + 16];
    sgt_dir_make(dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    snprintf(ca_file, sizeof(ca_file), "%s/cert.pem", dir);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s "
             "-out %s -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null",
             key, ca_file);
    if (system(command) != 0)
        return -1;
    peer_start(&plain, NULL, NULL);
    peer_start(&secure, key, ca_file);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anvils_new_heads_and_logs_are_heard_within_a_moment),
        cmocka_unit_test(a_server_that_is_not_there_is_passed_over),
        cmocka_unit_test(fragments_pings_and_long_messages_of_the_ws_library_are_taken),
        cmocka_unit_test(a_connection_that_ends_is_made_anew),
        cmocka_unit_test(a_silent_server_is_pinged_and_left_alone_only_when_it_does_not_answer),
        cmocka_unit_test(a_server_that_answers_garbage_is_left),
        cmocka_unit_test(fields_of_a_file_are_sent),
        cmocka_unit_test(a_certificate_is_checked),
        cmocka_unit_test(urls_of_other_kinds_are_refused),
    };
    if (!sgt_anvil_start(&chain, NULL))
        return SGT_SKIP;
    int failed = set_up();
    if (failed == 0)
        failed = sgt_main("subs", tests, sizeof(tests) / sizeof(tests[0]));
    peer_stop(&plain);
    peer_stop(&secure);
    sgt_dir_remove(dir);
    sgt_anvil_stop(&chain);
    return failed;
}
