/* How fast a contract's history goes from a server's answer to an edge's state: bench_history URL
 * CONTRACT (its name, such as eip155:31337/erc721:0x...), with what the node has between them:
 * follower, ledger, publisher, embedded bus, agent. In folders of its own under $TMPDIR.
 * bench/history starts the servers. */
#include "base/clock.h"
#include "bench/must.h"
#include "controlplane/chain/follow.h"
#include "controlplane/feed/agent.h"
#include "controlplane/feed/publisher.h"
#include "tests/sgt_dir.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static struct node {
    char dir[SGT_DIR_BYTES], bus_dir[SGT_DIR_BYTES + 8], ledger_dir[SGT_DIR_BYTES + 8];
    struct sge_state *state;
    struct sgc_bus *bus;
    struct sgc_feed feed;
    struct sgc_ledger *ledger;
    struct sgc_publisher *publisher;
    struct sgc_agent *agent;
    struct sgc_follow *follow;
} node;

static void heard(void *ctx, const struct sge_chain *chain)
{
    (void)ctx;
    MUST_BE_OK(sge_state_chain_heard(node.state, chain));
}

static void node_open(void)
{
    char memory[512];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    sgt_dir_make(node.dir);
    snprintf(node.bus_dir, sizeof(node.bus_dir), "%s/bus", node.dir);
    snprintf(node.ledger_dir, sizeof(node.ledger_dir), "%s/ledger", node.dir);
    const struct sgc_bus_options bus = {.url = "embedded:", .dir = node.bus_dir, .name = "bench"};
    MUST_BE_OK(sge_state_open(node.dir, true, &node.state));
    MUST_BE_OK(sgc_bus_open(&bus, &report, &node.bus));
    if (!sgc_feed_init(&node.feed, node.bus, "bench"))
        exit(EXIT_FAILURE);
    MUST_BE_OK(sgc_ledger_open(node.ledger_dir, &node.ledger));
    const struct sgc_publisher_options publisher = {
        .feed = &node.feed, .ledger = node.ledger, .state = node.state};
    const struct sgc_agent_options agent = {
        .feed = &node.feed, .state = node.state, .name = "bench", .first = true};
    MUST_BE_OK(sgc_publisher_open(&publisher, &node.publisher));
    MUST_BE_OK(sgc_agent_open(&agent, &node.agent));
}

static void node_close(void)
{
    sgc_follow_close(node.follow);
    sgc_agent_close(node.agent);
    sgc_publisher_close(node.publisher);
    sgc_ledger_close(node.ledger);
    sgc_bus_close(node.bus);
    sge_state_close(node.state);
    sgt_dir_remove(node.dir);
}

static void follow(const char *url, const char *name)
{
    static struct sgc_evm_contract contract;
    const struct sgc_rpc_options server = {.url = url};
    contract.first_block = 1;
    if (!sg_caip_asset_read(sg_str_from(name), &contract.asset)) {
        fprintf(stderr, "%s is no contract\n", name);
        exit(EXIT_FAILURE);
    }
    contract.source = sge_group_contract(&contract.asset);
    const struct sgc_follow_options options = {
        .chain = contract.asset.chain,
        .servers = {.servers = &server, .count = 1, .agree = 1},
        .contracts = &contract,
        .contracts_count = 1,
        .finality = SGC_FINALITY_DEPTH,
        .depth = 2,
        .poll_ms = 100,
        .range_blocks_max = 1000,
        .ledger = node.ledger,
        .heard = heard,
    };
    MUST_BE_OK(sgc_follow_open(&options, &node.follow));
}

/* The contract's history is in the ledger. */
static bool is_read(struct sgc_follow_status *status)
{
    sgc_follow_status(node.follow, status);
    if (status->state == SGC_FOLLOW_CLOSED) {
        fprintf(stderr, "closed: %s\n", status->why);
        exit(EXIT_FAILURE);
    }
    return status->joined == status->contracts && status->contracts != 0;
}

static bool is_published(void)
{
    struct pollfd outbox = {.fd = sgc_ledger_fd(node.ledger), .events = POLLIN};
    return poll(&outbox, 1, 0) == 0;
}

/* What the stream has is in the state. */
static bool is_applied(void)
{
    struct sgc_agent_view view;
    struct sgc_stream_info info;
    struct sge_mark last;
    sgc_agent_view(node.agent, &view);
    return sgc_feed_at(&node.feed, &info, &last) == SG_OK && view.mark.seq == last.seq;
}

static double cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double report(const char *what, uint64_t logs, uint64_t began_ns)
{
    double s = (double)(sg_clock_mono_ns() - began_ns) / 1e9;
    printf("  %-12s %9llu logs %7.2f s %9.0f logs/s\n", what, (unsigned long long)logs, s,
           (double)logs / s);
    return s;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

int main(int argc, char **argv)
{
    struct sgc_follow_status status;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_history URL CONTRACT\n");
        return EXIT_FAILURE;
    }
    node_open();
    double cpu_began_s = cpu_s();
    uint64_t began_ns = sg_clock_mono_ns();
    follow(argv[1], argv[2]);
    while (!is_read(&status))
        nap();
    uint64_t logs = status.counts.history_logs;
    report("in the ledger", logs, began_ns);
    while (!is_published())
        nap();
    report("published", logs, began_ns);
    while (!is_applied())
        nap();
    double s = report("in the state", logs, began_ns), cpu = cpu_s() - cpu_began_s;
    printf("  our CPU      %6.2f s: %.1f us a log, %.0f %% of a core\n", cpu,
           cpu * 1e6 / (double)logs, 100 * cpu / s);
    node_close();
    return EXIT_SUCCESS;
}
