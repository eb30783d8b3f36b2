/* facts - what ownership costs: the state with many assets, a probe, a rule, a copy.
 *   bench_facts [ASSETS [SECONDS A CASE]]
 * apply    entries of the stream of 1000 facts each, one durable transaction an entry
 * probe    a fact by its key, as every request with a token asks; "name": by its whole name
 * rules    sgd_rule_check() of usual rules, for accounts that meet them
 * digest, copy, load: of the whole state
 * Keys are hashes, so their order here is a random one there. Times of probes and rules are CPU
 * time of the thread. Assets are ERC-721 tokens, spread over a tenth as many accounts. */
#include "edgecache/state/facts.h"
#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/gate/rule.h"
#include "tests/sgt_dir.h"

#include <sys/stat.h>
#include <time.h>

#define ENTRY    1000u
#define CONTRACT "0x06012c8cf97bead5deae237070f9587f8e7a266d"
#define A721     "eip155:1/erc721:" CONTRACT
#define A1155    "eip155:1/erc1155:" CONTRACT
#define ROUNDS   15

static struct sge_state *state;
static struct sge_state_reader *reader;
static struct sge_fact_id *ids;
static struct sg_caip_account *accounts;
static uint32_t assets, holders;
static struct sgd_rule *rule;
static struct sgd_rule_answer answer;
static double round_s = 0.05;

static uint32_t spread(size_t i, uint32_t below)
{
    return (uint32_t)((i * 0x9e3779b97f4a7c15ull >> 32) % below);
}

static void account_make(uint32_t i)
{
    SG_ASSERT(sg_caip_chain_read(SG_STR("eip155:1"), &accounts[i].chain));
    accounts[i].address = (struct sg_caip_address){.len = 20};
    uint64_t v = (i + 1) * 0x9e3779b97f4a7c15ull;
    memcpy(accounts[i].address.bytes, &v, sizeof(v));
    memcpy(accounts[i].address.bytes + 8, &v, sizeof(v));
}

static struct sge_change change_of(uint32_t i)
{
    struct sg_caip_asset asset;
    struct sge_change change = {
        .kind = SGE_FACT_OWNER, .bump = true, .block = 20000000 + i, .groups_count = 1};
    SG_ASSERT(sg_caip_asset_read(SG_STR(A721 "/0"), &asset));
    asset.id = sg_u256_of(i);
    sge_fact_owner(&asset, &change.id);
    sg_caip_account_id(&accounts[i % holders], change.head);
    memcpy(change.safe, change.head, 32);
    memcpy(change.holder, change.head, 32);
    memcpy(change.token, asset.id.bytes, 32);
    change.chain = sge_chain_id(&asset.chain);
    change.groups[0] = sge_group_contract(&asset);
    ids[i] = change.id;
    return change;
}

static struct sge_change balance_of(uint32_t i)
{
    struct sg_caip_asset asset;
    struct sge_change change = change_of(i);
    struct sg_u256 amount = sg_u256_of(5);
    SG_ASSERT(sg_caip_asset_read(SG_STR(A1155 "/7"), &asset));
    change.kind = SGE_FACT_BALANCE;
    sge_fact_balance(&asset, change.holder, &change.id);
    memcpy(change.head, amount.bytes, 32);
    memcpy(change.safe, amount.bytes, 32);
    change.groups[0] = sge_group_contract(&asset);
    return change;
}

static void followed_make(const char *name, struct sge_change *out)
{
    struct sg_caip_asset asset;
    SG_ASSERT(sg_caip_asset_read(sg_str_from(name), &asset));
    sge_followed_make(sge_group_contract(&asset), sge_chain_id(&asset.chain), SGE_FOLLOWED_WHOLE,
                      out);
}

static double seconds(void)
{
    return (double)sg_clock_mono_ns() / 1e9;
}

/* Of this thread: what others do on the machine does not count. */
static double cpu_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void fill(const char *dir)
{
    static struct sge_change changes[ENTRY];
    uint64_t seq = 0, used = 0;
    struct stat st;
    char path[SGT_DIR_BYTES + 32];
    double from = seconds();
    for (uint32_t at = 0; at < assets; at += ENTRY) {
        uint32_t count = SG_MIN(ENTRY, assets - at);
        for (uint32_t i = 0; i < count; i++)
            changes[i] = change_of(at + i);
        const struct sge_batch batch = {
            .stream = "bench of facts.", .seq = ++seq, .changes = changes, .changes_count = count};
        SG_ASSERT(sge_state_apply(state, &batch) == SG_OK);
    }
    double took = seconds() - from;
    for (uint32_t i = 0; i < 16; i++)
        changes[i] = balance_of(spread(i * 16, assets));
    followed_make(A721 "/1", &changes[16]);
    followed_make(A1155 "/7", &changes[17]);
    const struct sge_batch batch = {
        .stream = "bench of facts.", .seq = ++seq, .changes = changes, .changes_count = 18};
    SG_ASSERT(sge_state_apply(state, &batch) == SG_OK);
    snprintf(path, sizeof(path), "%s/state/data.mdb", dir);
    SG_ASSERT(stat(path, &st) == 0);
    used = (uint64_t)st.st_blocks * 512;
    printf("%-28s %8.0f changes/s (with making them), %u assets\n", "apply", assets / took, assets);
    printf("%-28s %8.1f MB on disk, %.0f bytes an asset\n", "state", (double)used / 1e6,
           (double)used / assets);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(const char *name, void (*step)(size_t))
{
    double ns[ROUNDS];
    size_t count = 0;
    for (int round = -1; round < ROUNDS; round++) { /* one to warm up */
        double from = cpu_seconds(), now = from;
        size_t before = count;
        for (; now - from < round_s; now = cpu_seconds())
            for (size_t end = count + 256; count < end; count++)
                step(count);
        if (round >= 0)
            ns[round] = (now - from) * 1e9 / (double)(count - before);
    }
    qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
    printf("%-28s %8.1f ns median %8.1f best\n", name, ns[ROUNDS / 2], ns[0]);
}

static void step_probe(size_t i)
{
    struct sge_fact fact;
    SG_ASSERT(sge_state_fact(reader, ids[i % assets].key, &fact) == SG_OK);
}

static void step_probe_few(size_t i)
{
    struct sge_fact fact;
    SG_ASSERT(sge_state_fact(reader, ids[spread(i % 64, assets)].key, &fact) == SG_OK);
}

static void step_name(size_t i)
{
    struct sge_change change;
    uint64_t generation;
    SG_ASSERT(sge_state_fact_get(reader, &ids[i % assets], &change, &generation) == SG_OK);
}

static void check_as(uint32_t i)
{
    const struct sgd_holder holder = {
        .account = accounts[i % holders], .any_evm_chain = true, .now_s = 1764000000};
    sgd_rule_check(rule, reader, &holder, &answer);
    SG_ASSERT(answer.holds);
}

static void step_rule_few(size_t i)
{
    check_as(spread(i % 16 * 16, assets));
}

static void step_rule_many(size_t i)
{
    check_as((uint32_t)(i % assets));
}

static void rule_measure(const char *name, const char *text, void (*step)(size_t))
{
    char memory[256];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    SG_ASSERT(sgd_rule_compile(sg_str_from(text), 7, &report, &rule) == SG_OK);
    measure(name, step);
    sgd_rule_free(rule);
}

static void measure_rules(void)
{
    char one[256];
    rule_measure("rule: any, few accounts", "erc721(" A721 ")", step_rule_few);
    rule_measure("rule: any, all accounts", "erc721(" A721 ")", step_rule_many);
    rule_measure("rule: erc1155, few", "erc1155(" A1155 "/7, 3)", step_rule_few);
    rule_measure("rule: any and window, few",
                 "between(\"2025-01-01T00:00Z\", \"2026-01-01T00:00Z\") and erc721(" A721 ")",
                 step_rule_few);
    rule_measure("rule: windows, no look-up",
                 "between(\"2025-01-01T00:00Z\", \"2026-01-01T00:00Z\") and not "
                 "between(\"2026-01-01T00:00Z\", \"2026-02-01T00:00Z\")",
                 step_rule_few);
    snprintf(one, sizeof(one), "erc721(" A721 "/%u) or erc721(" A721 ")", spread(0, assets));
    rule_measure("rule: one or any, few", one, step_rule_few);
}

static void measure_copy(void)
{
    static char piece[1 << 20];
    struct sge_digest digest, again;
    struct sge_state *other = NULL;
    struct sge_state_reader *other_reader = NULL;
    struct sge_load *load = NULL;
    struct sge_copy_at at = {.table = 0};
    char dir[SGT_DIR_BYTES];
    uint64_t bytes = 0;
    double from = seconds();
    SG_ASSERT(sge_state_digest(reader, &digest) == SG_OK);
    printf("%-28s %8.0f ms\n", "digest", (seconds() - from) * 1e3);
    sgt_dir_make(dir);
    SG_ASSERT(sge_state_open(dir, true, &other) == SG_OK);
    SG_ASSERT(sge_state_load_begin(other, &digest.mark, &load) == SG_OK);
    from = seconds();
    for (;;) {
        struct sg_out out = sg_out_init(piece, sizeof(piece));
        if (sge_state_copy(reader, &at, sizeof(piece) - 1024, &out) != SG_OK)
            break;
        SG_ASSERT(sge_state_load_add(load, sg_out_view(&out)) == SG_OK);
        bytes += out.len;
    }
    printf("%-28s %8.0f ms, %.1f MB\n", "copy, and judging it", (seconds() - from) * 1e3,
           (double)bytes / 1e6);
    from = seconds();
    SG_ASSERT(sge_state_load_end(load) == SG_OK);
    printf("%-28s %8.0f ms\n", "load", (seconds() - from) * 1e3);
    SG_ASSERT(sge_state_reader_open(other, &other_reader) == SG_OK);
    SG_ASSERT(sge_state_begin(other_reader) == SG_OK);
    SG_ASSERT(sge_state_digest(other_reader, &again) == SG_OK);
    SG_ASSERT(memcmp(&digest, &again, sizeof(digest)) == 0);
    sge_state_end(other_reader);
    sge_state_reader_close(other_reader);
    sge_state_close(other);
    sgt_dir_remove(dir);
}

int main(int argc, char **argv)
{
    char dir[SGT_DIR_BYTES];
    assets = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    round_s = (argc > 2 ? atof(argv[2]) : 1.0) / (ROUNDS + 1);
    holders = assets / 10 + 1;
    ids = malloc(assets * sizeof(*ids));
    accounts = malloc(holders * sizeof(*accounts));
    SG_ASSERT(ids != NULL && accounts != NULL && assets > 0);
    for (uint32_t i = 0; i < holders; i++)
        account_make(i);
    sgt_dir_make(dir);
    SG_ASSERT(sge_state_open(dir, true, &state) == SG_OK);
    fill(dir);
    sge_state_close(state); /* what a node opens is read in: no page fault is measured */
    SG_ASSERT(sge_state_open(dir, true, &state) == SG_OK);
    SG_ASSERT(sge_state_reader_open(state, &reader) == SG_OK);
    SG_ASSERT(sge_state_begin(reader) == SG_OK);
    measure("probe, all facts", step_probe);
    measure("probe, few facts", step_probe_few);
    measure("probe by name, all facts", step_name);
    measure_rules();
    measure_copy();
    sge_state_end(reader);
    sge_state_reader_close(reader);
    sge_state_close(state);
    sgt_dir_remove(dir);
    free(ids);
    free(accounts);
    return 0;
}
