/* What the ledger costs: bench_ledger [LOGS], from memory, in a folder of its own under $TMPDIR.
 * History from a server: bench/history. */
#include "controlplane/chain/ledger.h"
#include "base/clock.h"
#include "bench/must.h"
#include "tests/sgt_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_LOGS   40000u
#define HEAD_BLOCKS 200u
#define BLOCK_LOGS  200u
#define PEOPLE      1000u

static struct sg_caip_chain chain = {.ns = SG_CAIP_EIP155, .evm_id = 31337};

static struct sg_caip_asset contract_of(enum sg_caip_standard standard)
{
    struct sg_caip_asset asset = {.chain = chain, .standard = standard};
    asset.contract.len = 20;
    asset.contract.bytes[0] = (uint8_t)(1 + standard);
    return asset;
}

static struct sg_caip_address person(uint32_t i)
{
    struct sg_caip_address address = {.len = 20};
    memcpy(address.bytes, &i, sizeof(i));
    address.bytes[19] = 1;
    return address;
}

static struct sgc_event event_of(const struct sg_caip_asset *contract, uint64_t source, uint32_t i,
                                 uint32_t to)
{
    bool is_721 = contract->standard == SG_CAIP_ERC721;
    struct sgc_event event = {.kind = is_721 ? SGC_EVENT_OWNER : SGC_EVENT_MOVE,
                              .has_asset = true,
                              .asset = *contract,
                              .source = source,
                              .to = person(to % PEOPLE),
                              .amount = sg_u256_of(1),
                              .log = i};
    event.asset.has_id = true;
    event.asset.id = sg_u256_of(is_721 ? i : i / PEOPLE % 100);
    return event;
}

static void report(const char *what, uint64_t logs, uint64_t began_ns)
{
    double s = (double)(sg_clock_mono_ns() - began_ns) / 1e9;
    printf("%-34s %9llu logs %7.2f s %9.0f logs/s\n", what, (unsigned long long)logs, s,
           (double)logs / s);
}

/* ---- from memory ---- */

static void history(struct sgc_ledger *ledger, enum sg_caip_standard standard, uint32_t logs)
{
    struct sg_caip_asset contract = contract_of(standard);
    uint64_t source = sge_group_contract(&contract), began_ns = sg_clock_mono_ns();
    struct sgc_event *events = calloc(SPAN_LOGS, sizeof(*events));
    for (uint32_t at = 0, number = 1; at < logs; at += SPAN_LOGS, number++) {
        for (uint32_t i = 0; i < SPAN_LOGS; i++)
            events[i] = event_of(&contract, source, at + i, at + i);
        struct sgc_block block = {
            .chain = &chain, .number = number, .events = events, .events_count = SPAN_LOGS};
        struct sgc_span span = {&chain, &contract, 1, number, &block, 1};
        MUST_BE_OK(sgc_ledger_add_safe(ledger, &span));
    }
    report(standard == SG_CAIP_ERC721 ? "history, ERC-721" : "history, ERC-1155", logs, began_ns);
    free(events);
}

static void join(struct sgc_ledger *ledger, enum sg_caip_standard standard, uint64_t number,
                 uint32_t logs)
{
    struct sg_caip_asset contract = contract_of(standard);
    struct sgc_span rest = {&chain, &contract, 1, number, NULL, 0};
    uint64_t began_ns = sg_clock_mono_ns();
    MUST_BE_OK(sgc_ledger_add_safe(ledger, &rest));
    MUST_BE_OK(sgc_ledger_join(ledger, &contract));
    report("joining: into the outbox", logs, began_ns);
}

static void drain(struct sgc_ledger *ledger)
{
    static struct sge_change changes[SGC_OUTBOX_CHANGES_MAX];
    uint64_t id, all = 0, began_ns = sg_clock_mono_ns();
    for (uint32_t n; (n = sgc_ledger_outbox(ledger, &id, changes, SGC_OUTBOX_CHANGES_MAX)) != 0;) {
        MUST_BE_OK(sgc_ledger_sent(ledger, id));
        all += n;
    }
    report("out of the outbox", all, began_ns);
}

static void head(struct sgc_ledger *ledger, uint64_t number)
{
    struct sg_caip_asset contract = contract_of(SG_CAIP_ERC721);
    uint64_t source = sge_group_contract(&contract), began_ns = sg_clock_mono_ns();
    struct sgc_event events[BLOCK_LOGS];
    for (uint32_t i = 1; i <= HEAD_BLOCKS; i++) {
        for (uint32_t j = 0; j < BLOCK_LOGS; j++)
            events[j] = event_of(&contract, source, (i * 7919 + j * 104729) % 100000, i + 7 * j);
        struct sgc_block block = {
            .chain = &chain, .number = number + i, .events = events, .events_count = BLOCK_LOGS};
        uint64_t parent = number + i - 1;
        memcpy(block.hash, &block.number, sizeof(block.number));
        memcpy(block.parent, &parent, sizeof(parent));
        MUST_BE_OK(sgc_ledger_add(ledger, &block));
    }
    report("head: blocks of 200, each on disk", HEAD_BLOCKS * BLOCK_LOGS, began_ns);
    began_ns = sg_clock_mono_ns();
    MUST_BE_OK(sgc_ledger_undo(ledger, &chain, number + HEAD_BLOCKS - 64));
    report("a reorg of 64 of them", 64 * BLOCK_LOGS, began_ns);
}

static void from_memory(struct sgc_ledger *ledger, uint32_t logs)
{
    uint64_t number = logs;
    struct sgc_block base = {.chain = &chain, .number = number};
    history(ledger, SG_CAIP_ERC721, logs);
    history(ledger, SG_CAIP_ERC1155, logs);
    memcpy(base.hash, &number, sizeof(number));
    MUST_BE_OK(sgc_ledger_base(ledger, &base));
    join(ledger, SG_CAIP_ERC721, number, logs);
    drain(ledger);
    head(ledger, number);
}

int main(int argc, char **argv)
{
    char dir[SGT_DIR_BYTES];
    struct sgc_ledger *ledger = NULL;
    MUST_BE_OK(sgc_ledger_open(sgt_dir_make(dir), &ledger));
    from_memory(ledger, argc == 2 ? (uint32_t)atoi(argv[1]) / SPAN_LOGS * SPAN_LOGS : 1000000);
    sgc_ledger_close(ledger);
    sgt_dir_remove(dir);
    return EXIT_SUCCESS;
}
