/* A real anvil, and in front of it a shim of our own (liar.py) that does what bad servers do. */
#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/chain/agreed.h"
#include "controlplane/chain/proof.h"
#include "tests/chain/anvil.h"
#include "tests/chain/liar.h"
#include "tests/sgt_dir.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static struct sgt_anvil chain;
static struct sgt_liar the_liar;
static uint8_t films[20];
static struct sgc_eth_block head;

/* `good` connections to anvil, one to the liar, in front. */
static struct sgc_servers *open_with(const char *mode, uint32_t good, uint32_t agree)
{
    char liar[64];
    struct sgc_servers *servers = NULL;
    snprintf(liar, sizeof(liar), "http://127.0.0.1:%u/%s", the_liar.port, mode);
    const struct sgc_rpc_options options[] = {
        {.url = liar, .timeout_ms = 1000, .answer_bytes_max = 4u << 20},
        {.url = chain.url},
        {.url = chain.url},
    };
    const struct sgc_servers_options all = {
        .servers = options, .count = good + 1, .agree = agree, .check_headers = true};
    assert_int_equal(sgc_servers_open(&all, &servers), SG_OK);
    return servers;
}

static struct sgc_servers_stats stats_of(const struct sgc_servers *servers)
{
    struct sgc_servers_stats stats;
    sgc_servers_stats(servers, &stats);
    return stats;
}

static bool count_log(void *ctx, const struct sgc_eth_log *log)
{
    (void)log;
    ++*(uint32_t *)ctx;
    return true;
}

static struct sgc_eth_filter all_logs(void)
{
    return (struct sgc_eth_filter){
        .addresses = &films, .addresses_count = 1, .from = 0, .to = head.number};
}

static void ask_head(struct sgc_servers *servers)
{
    struct sgc_eth_block block;
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &block), SG_OK);
    assert_memory_equal(&block, &head, sizeof(head));
    const struct sgc_eth_at at = {.kind = SGC_ETH_NUMBER, .number = 3};
    assert_int_equal(sgc_agreed_block(servers, &at, &block), SG_OK);
}

static void ask_logs(struct sgc_servers *servers)
{
    uint32_t count = 0;
    const struct sgc_eth_filter filter = all_logs();
    assert_int_equal(sgc_agreed_logs(servers, &filter, count_log, &count), SG_OK);
    assert_int_equal(count, 10);
}

static void ask_call(struct sgc_servers *servers)
{
    static const uint8_t owner_of_seven[36] = {0x63, 0x52, 0x21, 0x1e, [35] = 7};
    struct sgc_eth_call call = {.has_to = true, .data = owner_of_seven, .data_len = 36};
    uint8_t owner[32];
    size_t len;
    bool reverted;
    memcpy(call.to, films, 20);
    memcpy(call.at.hash, head.hash, 32);
    call.at.kind = SGC_ETH_HASH;
    assert_int_equal(sgc_agreed_call(servers, &call, owner, sizeof(owner), &len, &reverted), SG_OK);
    assert_memory_equal(owner + 12, chain.accounts[7], 20);
}

static void one_of_three_behind_our_shim_changes_nothing_and_is_left_out(void **fixture)
{
    static const struct {
        const char *mode;
        void (*ask)(struct sgc_servers *servers); /* the first question: all are asked it */
        enum sgc_rpc_end end;
    } rows[] = {
        {"hash", ask_head, SGC_RPC_unproven},    {"root", ask_head, SGC_RPC_unproven},
        {"lag", ask_head, SGC_RPC_behind},       {"form", ask_head, SGC_RPC_garbage},
        {"omit", ask_logs, SGC_RPC_disagrees},   {"twice", ask_logs, SGC_RPC_garbage},
        {"foreign", ask_logs, SGC_RPC_garbage},  {"id", ask_call, SGC_RPC_garbage},
        {"error", ask_logs, SGC_RPC_refused},    {"garbage", ask_logs, SGC_RPC_garbage},
        {"empty", ask_logs, SGC_RPC_garbage},    {"cut", ask_logs, SGC_RPC_garbage},
        {"deep", ask_logs, SGC_RPC_garbage},     {"array", ask_logs, SGC_RPC_garbage},
        {"null", ask_logs, SGC_RPC_garbage},     {"limited", ask_logs, SGC_RPC_limited},
        {"broken", ask_logs, SGC_RPC_http},      {"drop", ask_logs, SGC_RPC_unreachable},
        {"half", ask_logs, SGC_RPC_unreachable}, {"endless", ask_logs, SGC_RPC_too_large},
        {"bomb", ask_logs, SGC_RPC_too_large},   {"badgzip", ask_head, SGC_RPC_garbage},
        {"unavailable", ask_head, SGC_RPC_http},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sgc_servers *servers = open_with(rows[i].mode, 2, 2);
        rows[i].ask(servers);
        struct sgc_servers_stats stats = stats_of(servers);
        if (stats.servers[0].ends[rows[i].end] == 0 || stats.servers[0].left_out_ms == 0 ||
            stats.in_use != 2)
            fail_msg("%s: %u in use", rows[i].mode, stats.in_use);
        ask_head(servers); /* the other two suffice */
        ask_logs(servers);
        ask_call(servers);
        sgc_servers_close(servers);
    }
    (void)fixture;
}

/* Whoever wrote a contract can have it fail, and say one thing here and another there. */
static void what_comes_of_a_strangers_code_is_held_against_no_server(void **fixture)
{
    static const char *const modes[] = {"call", "error"};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct sgc_servers *servers = open_with(modes[i], 2, 2);
        ask_call(servers); /* what two of three say is so all the same */
        struct sgc_servers_stats stats = stats_of(servers);
        if (stats.in_use != 3 || stats.servers[0].left_out_ms != 0)
            fail_msg("%s: %u in use", modes[i], stats.in_use);
        sgc_servers_close(servers);
    }
    (void)fixture;
}

static void what_a_server_packs_is_unpacked(void **fixture)
{
    struct sgc_servers *servers = open_with("gzip", 0, 1);
    ask_head(servers);
    ask_logs(servers);
    ask_call(servers);
    assert_int_equal(stats_of(servers).in_use, 1);
    sgc_servers_close(servers);
    (void)fixture;
}

/* Nodes that have thrown old blocks away say null, or nothing at all. */
static void a_server_that_has_pruned_what_the_others_have_is_no_quorum_against_them(void **fixture)
{
    struct sgc_servers *servers = open_with("pruned", 2, 2);
    ask_logs(servers);
    ask_call(servers);
    assert_int_equal(stats_of(servers).no_quorum, 0);
    sgc_servers_close(servers);
    servers = open_with("pruned", 0, 1);
    uint32_t count = 0;
    struct sgc_eth_filter filter = all_logs();
    assert_int_not_equal(sgc_agreed_logs(servers, &filter, count_log, &count), SG_OK);
    assert_int_equal(count, 0);
    sgc_servers_close(servers);
    (void)fixture;
}

/* libcurl 7.88 writes to freed memory if its handle had a transfer before. */
static void a_head_that_begins_with_a_folded_line_does_no_harm(void **fixture)
{
    struct sgc_servers *servers = open_with("folded", 2, 2);
    for (int i = 0; i < 4; i++) {
        ask_head(servers);
        ask_logs(servers);
        ask_call(servers);
    }
    sgc_servers_close(servers);
    (void)fixture;
}

static void one_honest_server_and_a_lying_shim_are_no_quorum(void **fixture)
{
    static const char *const modes[] = {"omit", "call"};
    for (size_t i = 0; i < 2; i++) {
        struct sgc_servers *servers = open_with(modes[i], 1, 2);
        const struct sgc_eth_filter filter = all_logs();
        static const uint8_t name[4] = {0x06, 0xfd, 0xde, 0x03};
        struct sgc_eth_call call = {.has_to = true, .data = name, .data_len = 4};
        uint8_t out[256];
        uint32_t count = 0;
        size_t len;
        bool reverted;
        memcpy(call.to, films, 20);
        enum sg_err err = i == 0
                              ? sgc_agreed_logs(servers, &filter, count_log, &count)
                              : sgc_agreed_call(servers, &call, out, sizeof(out), &len, &reverted);
        assert_int_equal(err, SG_EAGAIN);
        assert_int_equal(count, 0); /* nothing was told */
        assert_int_equal(stats_of(servers).no_quorum, 1);
        assert_int_equal(stats_of(servers).in_use, 2); /* who of the two lies nobody knows */
        sgc_servers_close(servers);
    }
    (void)fixture;
}

static void a_server_that_comes_to_its_senses_is_asked_again(void **fixture)
{
    sgt_liar_becomes(&the_liar, "broken");
    struct sgc_servers *servers = open_with("now", 1, 2);
    struct sgc_eth_block block;
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &block), SG_EAGAIN);
    assert_int_equal(stats_of(servers).in_use, 1);
    assert_int_equal(stats_of(servers).no_quorum, 1);
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &block), SG_EAGAIN);
    assert_int_equal(stats_of(servers).servers[0].asked, 1); /* not while it is left out */
    sgt_liar_becomes(&the_liar, "honest");
    uint64_t due_ns = sgc_servers_due_ns(servers), now_ns = sg_clock_mono_ns();
    assert_true(due_ns > now_ns && due_ns - now_ns < SG_NS_PER_SEC);
    nanosleep(&(struct timespec){.tv_nsec = (long)(due_ns - now_ns)}, NULL);
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &block), SG_OK);
    assert_int_equal(stats_of(servers).in_use, 2);
    sgc_servers_close(servers);
    (void)fixture;
}

static void who_fails_again_is_left_out_for_longer(void **fixture)
{
    struct sgc_servers *servers = open_with("broken", 1, 1);
    uint32_t before_ms = 0;
    for (uint32_t i = 0; i < 6; i++) {
        sgc_servers_blame(servers, 0, SGC_RPC_http);
        uint32_t ms = stats_of(servers).servers[0].left_out_ms;
        assert_true(ms > before_ms);
        before_ms = ms;
    }
    assert_in_range(before_ms, 7900, 8100);
    for (uint32_t i = 0; i < 40; i++)
        sgc_servers_blame(servers, 0, SGC_RPC_http);
    assert_true(stats_of(servers).servers[0].left_out_ms <= 60001);
    sgc_servers_close(servers);
    (void)fixture;
}

static void a_server_behind_our_shim_that_limits_us_says_for_how_long(void **fixture)
{
    struct sgc_servers *servers = open_with("limited", 1, 1);
    struct sgc_eth_block block;
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &block), SG_OK);
    assert_in_range(stats_of(servers).servers[0].left_out_ms, 800, 1001); /* Retry-After: 1 */
    sgc_servers_close(servers);
    (void)fixture;
}

static void too_many_results_are_told_and_nobodys_fault(void **fixture)
{
    struct sgc_servers *servers = open_with("too_many", 1, 2);
    const struct sgc_eth_filter filter = all_logs();
    uint32_t count = 0;
    assert_int_equal(sgc_agreed_logs(servers, &filter, count_log, &count), SG_EMSGSIZE);
    assert_int_equal(stats_of(servers).in_use, 2);
    sgc_servers_close(servers);
    (void)fixture;
}

static void a_false_proof_is_seen_and_another_server_asked(void **fixture)
{
    static const uint8_t slot[32] = {[31] = 2};
    struct sgc_servers *servers = open_with("proof", 1, 1);
    const struct sg_u256 id = sg_u256_of(7);
    uint8_t owner[20];
    assert_int_equal(sgc_proof_owner(servers, &head, films, slot, &id, owner), SG_OK);
    assert_memory_equal(owner, chain.accounts[7], 20);
    assert_int_equal(stats_of(servers).servers[0].ends[SGC_RPC_unproven], 1);
    sgc_servers_close(servers);
    (void)fixture;
}

static void no_call_outlives_the_time_that_it_has(void **fixture)
{
    struct sgc_servers *servers = open_with("slow", 2, 3);
    struct sgc_eth_block block;
    uint64_t before_ns = sg_clock_mono_ns();
    sgc_servers_until(servers, before_ns + 200 * SG_NS_PER_MS);
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &block), SG_EAGAIN);
    assert_true(sg_clock_mono_ns() - before_ns < 700 * SG_NS_PER_MS);
    assert_int_equal(stats_of(servers).servers[0].ends[SGC_RPC_timeout], 1);
    sgc_servers_until(servers, before_ns); /* none is left */
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &block), SG_EAGAIN);
    assert_int_equal(stats_of(servers).servers[1].asked, 1);
    sgc_servers_close(servers);
    (void)fixture;
}

static void calls_keep_to_a_rate(void **fixture)
{
    struct sgc_servers *servers = NULL;
    const struct sgc_rpc_options options = {.url = chain.url};
    uint64_t id, before_ns = sg_clock_mono_ns();
    assert_int_equal(sgc_servers_open(
                         &(struct sgc_servers_options){
                             .servers = &options, .count = 1, .agree = 1, .calls_per_s = 20},
                         &servers),
                     SG_OK);
    for (uint32_t i = 0; i < 28; i++) /* 20 at once, 8 more at 20 a second */
        assert_int_equal(sgc_agreed_chain_id(servers, &id), SG_OK);
    uint64_t took_ms = (sg_clock_mono_ns() - before_ns) / SG_NS_PER_MS;
    assert_in_range(took_ms, 380, 2000);
    sgc_servers_close(servers);
    (void)fixture;
}

/* Its bytes come so slowly that no pause is long. */
static void an_answer_that_trickles_in_has_no_longer_than_another(void **fixture)
{
    struct sgc_servers *servers = open_with("trickle", 0, 1);
    uint64_t id, before_ns = sg_clock_mono_ns();
    assert_int_equal(sgc_agreed_chain_id(servers, &id), SG_EAGAIN);
    assert_in_range((sg_clock_mono_ns() - before_ns) / SG_NS_PER_MS, 990, 4000);
    assert_int_equal(stats_of(servers).servers[0].ends[SGC_RPC_timeout], 1);
    sgc_servers_close(servers);
    (void)fixture;
}

/* Our shim answers the last one first. */
static void a_batch_is_answered_one_by_one_in_whatever_order(void **fixture)
{
    char reversed[64];
    const char *const urls[] = {chain.url, reversed};
    snprintf(reversed, sizeof(reversed), "http://127.0.0.1:%u/", the_liar.port);
    for (size_t i = 0; i < SG_COUNT(urls); i++) {
        struct sgc_curl *curl = NULL;
        struct sgc_rpc *rpc = NULL;
        struct sgc_rpc_ask asks[] = {
            {.method = "eth_chainId", .params = SG_STR("[]")},
            {.method = "eth_nonsense", .params = SG_STR("[]")},
            {.method = "eth_getBlockByNumber", .params = SG_STR("[\"latest\",false]")},
            {.method = "eth_getBlockByNumber", .params = SG_STR("[7]")},
        };
        assert_int_equal(sgc_curl_open(&curl), SG_OK);
        assert_int_equal(sgc_rpc_open(curl, &(struct sgc_rpc_options){.url = urls[i]}, &rpc),
                         SG_OK);
        sgc_rpc_batch(rpc, asks, 4);
        assert_int_equal(asks[0].end, SGC_RPC_ok);
        assert_true(sg_str_eq((struct sg_str){asks[0].result.ptr, asks[0].result.len},
                              SG_STR("\"0x7a69\"")));
        assert_int_equal(asks[1].end, SGC_RPC_method);
        assert_int_equal(asks[2].end, SGC_RPC_ok);
        assert_int_equal(asks[3].end, SGC_RPC_params);
        sgc_rpc_close(rpc);
        sgc_curl_close(curl);
    }
    (void)fixture;
}

static enum sgc_rpc_end ask_once(const struct sgc_rpc_options *options)
{
    struct sgc_curl *curl = NULL;
    struct sgc_rpc *rpc = NULL;
    struct sgc_rpc_ask ask = {.method = "eth_chainId", .params = SG_STR("[]")};
    assert_int_equal(sgc_curl_open(&curl), SG_OK);
    assert_int_equal(sgc_rpc_open(curl, options, &rpc), SG_OK);
    enum sgc_rpc_end end = sgc_rpc_call(rpc, &ask);
    sgc_rpc_close(rpc);
    sgc_curl_close(curl);
    return end;
}

static void a_certificate_is_checked_and_fields_of_a_file_are_sent(void **fixture)
{
    char dir[SGT_DIR_BYTES], key[SGT_DIR_BYTES + 16], cert[SGT_DIR_BYTES + 16];
    char fields[SGT_DIR_BYTES + 16], command[4 * SGT_DIR_BYTES], url[64], other[64];
    struct sgt_liar secure = {0};
    sgt_dir_make(dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(fields, sizeof(fields), "%s/fields", dir);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s "
             "-out %s -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null && "
             "printf 'X-Key: 7\\r\\n' >%s",
             key, cert, fields);
    assert_int_equal(system(command), 0);
    assert_true(sgt_liar_start(&secure, chain.url, key, cert));
    snprintf(url, sizeof(url), "https://localhost:%u/field", secure.port);
    snprintf(other, sizeof(other), "https://127.0.0.1:%u/field", secure.port);
    struct sgc_rpc_options options = {.url = url, .ca_file = cert, .fields_file = fields};
    assert_int_equal(ask_once(&options), SGC_RPC_ok);
    options.url = other; /* not the certificate's name */
    assert_int_equal(ask_once(&options), SGC_RPC_tls);
    options = (struct sgc_rpc_options){.url = url, .fields_file = fields};
    assert_int_equal(ask_once(&options), SGC_RPC_tls); /* nobody's that the system knows */
    options = (struct sgc_rpc_options){.url = url, .ca_file = cert};
    assert_int_equal(ask_once(&options), SGC_RPC_forbidden);
    sgt_liar_stop(&secure);
    sgt_dir_remove(dir);
    (void)fixture;
}

static void names_keep_paths_and_passwords_to_themselves(void **fixture)
{
    struct sgc_curl *curl = NULL;
    struct sgc_rpc *rpc = NULL;
    assert_int_equal(sgc_curl_open(&curl), SG_OK);
    const struct sgc_rpc_options options = {.url =
                                                "https://user:pw@rpc.example.org:8545/v3/KEY?k=1"};
    assert_int_equal(sgc_rpc_open(curl, &options, &rpc), SG_OK);
    assert_string_equal(sgc_rpc_name(rpc), "https://rpc.example.org:8545");
    sgc_rpc_close(rpc);
    assert_int_equal(
        sgc_rpc_open(curl, &(struct sgc_rpc_options){.url = "file:///etc/passwd"}, &rpc),
        SG_EINVAL);
    sgc_curl_close(curl);
    (void)fixture;
}

static void opening_undoes_itself_at_every_failing_allocation(void **fixture)
{
    const struct sgc_rpc_options options[] = {{.url = chain.url}, {.url = chain.url}};
    const struct sgc_servers_options all = {.servers = options, .count = 2, .agree = 2};
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgc_servers *servers = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sgc_servers_open(&all, &servers);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK ? servers != NULL : servers == NULL && err == SG_ENOMEM);
        sgc_servers_close(servers);
    }
    (void)fixture;
}

static void a_call_without_memory_ends_and_blames_nobody(void **fixture)
{
    struct sgc_servers *servers = open_with("honest", 1, 2);
    const struct sgc_eth_filter filter = all_logs();
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        uint32_t count = 0;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sgc_agreed_logs(servers, &filter, count_log, &count);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK ? count == 10 : count == 0 && err == SG_ENOMEM);
        assert_int_equal(stats_of(servers).in_use, 2);
    }
    sgc_servers_close(servers);
    (void)fixture;
}

static void cancelling_ends_everything(void **fixture)
{
    struct sgc_servers *servers = open_with("honest", 1, 1);
    struct sgc_eth_block block;
    const struct sgc_eth_at at = {.kind = SGC_ETH_NUMBER};
    sgc_servers_cancel(servers);
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &block), SG_ECANCELED);
    assert_int_equal(sgc_agreed_block(servers, &at, &block), SG_ECANCELED);
    sgc_servers_close(servers);
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_three_behind_our_shim_changes_nothing_and_is_left_out),
        cmocka_unit_test(a_head_that_begins_with_a_folded_line_does_no_harm),
        cmocka_unit_test(one_honest_server_and_a_lying_shim_are_no_quorum),
        cmocka_unit_test(what_comes_of_a_strangers_code_is_held_against_no_server),
        cmocka_unit_test(what_a_server_packs_is_unpacked),
        cmocka_unit_test(a_server_that_has_pruned_what_the_others_have_is_no_quorum_against_them),
        cmocka_unit_test(a_server_that_comes_to_its_senses_is_asked_again),
        cmocka_unit_test(who_fails_again_is_left_out_for_longer),
        cmocka_unit_test(a_server_behind_our_shim_that_limits_us_says_for_how_long),
        cmocka_unit_test(too_many_results_are_told_and_nobodys_fault),
        cmocka_unit_test(a_false_proof_is_seen_and_another_server_asked),
        cmocka_unit_test(no_call_outlives_the_time_that_it_has),
        cmocka_unit_test(calls_keep_to_a_rate),
        cmocka_unit_test(an_answer_that_trickles_in_has_no_longer_than_another),
        cmocka_unit_test(a_batch_is_answered_one_by_one_in_whatever_order),
        cmocka_unit_test(a_certificate_is_checked_and_fields_of_a_file_are_sent),
        cmocka_unit_test(names_keep_paths_and_passwords_to_themselves),
        cmocka_unit_test(opening_undoes_itself_at_every_failing_allocation),
        cmocka_unit_test(a_call_without_memory_ends_and_blames_nobody),
        cmocka_unit_test(cancelling_ends_everything),
    };
    if (!sgt_anvil_start(&chain, NULL))
        return SGT_SKIP;
    if (!sgt_liar_start(&the_liar, chain.url, NULL, NULL))
        return 1;
    sgt_anvil_deploy(&chain, films, "Film721", "");
    for (uint64_t id = 0; id < 10; id++)
        sgt_anvil_send(&chain, NULL, films, "mint(address,uint256)", "au", chain.accounts[id % 10],
                       id);
    sgt_anvil_mine(&chain, 60);
    struct sgc_servers *servers = open_with("honest", 1, 2);
    int failed = sgc_agreed_head(servers, SGC_ETH_LATEST, &head);
    sgc_servers_close(servers);
    if (failed == 0)
        failed = sgt_main("servers", tests, sizeof(tests) / sizeof(tests[0]));
    sgt_liar_stop(&the_liar);
    sgt_anvil_stop(&chain);
    return failed;
}
