/* bench_chain                        reading eth_getLogs' answers from memory: logs a second
 * bench_chain URL CONTRACT FROM TO   the same from a server: asked, received, read, told */
#include "base/assert.h"
#include "base/clock.h"
#include "base/keccak.h"
#include "controlplane/chain/agreed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGS     20000u
#define LOG_TEXT 1024u

static double seconds_since(uint64_t from_ns)
{
    return (double)(sg_clock_mono_ns() - from_ns) / 1e9;
}

/* An ERC-721's Transfer as servers write it. */
static void put_log(struct sg_out *out, uint32_t n)
{
    uint8_t hash[32];
    sg_keccak256(&n, sizeof(n), hash);
    sg_out_lit(out, "{\"address\":");
    sgc_eth_put_bytes(out, hash, 20);
    sg_out_lit(out, ",\"topics\":[");
    for (uint32_t i = 0; i < 4; i++) {
        sg_out_str(out, i > 0 ? SG_STR(",") : SG_STR_NONE);
        sgc_eth_put_bytes(out, hash, 32);
    }
    sg_out_lit(out, "],\"data\":\"0x\",\"blockHash\":");
    sgc_eth_put_bytes(out, hash, 32);
    sg_out_lit(out, ",\"blockNumber\":");
    sgc_eth_put_u64(out, 20000000 + n / 100);
    sg_out_lit(out, ",\"blockTimestamp\":\"0x6b04857f\",\"transactionHash\":");
    sgc_eth_put_bytes(out, hash, 32);
    sg_out_lit(out, ",\"transactionIndex\":\"0x1\",\"logIndex\":");
    sgc_eth_put_u64(out, n % 100);
    sg_out_lit(out, ",\"removed\":false}");
}

static void from_memory(void)
{
    char *text = malloc(LOGS * LOG_TEXT);
    uint8_t scratch[1024];
    struct sg_out out = sg_out_init(text, LOGS * LOG_TEXT);
    SG_ASSERT(text != NULL);
    sg_out_lit(&out, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[");
    for (uint32_t i = 0; i < LOGS; i++) {
        sg_out_str(&out, i > 0 ? SG_STR(",") : SG_STR_NONE);
        put_log(&out, i);
    }
    sg_out_lit(&out, "]}");
    SG_ASSERT(!out.full);
    uint64_t count = 0, from_ns = sg_clock_mono_ns();
    while (seconds_since(from_ns) < 2) {
        struct sgc_rpc_ask ask = {.method = "eth_getLogs"};
        struct sgc_eth_logs logs;
        struct sgc_eth_log log;
        sgc_rpc_read(sg_out_view(&out), 200, 1, &ask, 1);
        bool is_array = ask.end == SGC_RPC_ok &&
                        sgc_eth_logs_begin(&logs, ask.result, scratch, sizeof(scratch));
        SG_ASSERT(is_array);
        while (sgc_eth_logs_next(&logs, &log))
            count++;
    }
    double took_s = seconds_since(from_ns);
    printf("from memory: %.0f logs/s, %.0f MB/s\n", (double)count / took_s,
           (double)count / LOGS * (double)out.len / took_s / 1e6);
    free(text);
}

static bool count_log(void *ctx, const struct sgc_eth_log *log)
{
    (void)log;
    ++*(uint64_t *)ctx;
    return true;
}

static int from_server(char **argv)
{
    const struct sgc_rpc_options options = {
        .url = argv[1], .timeout_ms = 60000, .answer_bytes_max = 512u << 20};
    struct sgc_servers *servers = NULL;
    uint8_t address[20];
    uint64_t count = 0, cpu_before = (uint64_t)clock();
    if (sgc_servers_open(&(struct sgc_servers_options){.servers = &options, .count = 1, .agree = 1},
                         &servers) != SG_OK)
        return 1;
    for (uint32_t i = 0; i < 20; i++)
        sscanf(argv[2] + 2 + 2 * i, "%2hhx", &address[i]);
    uint64_t from_ns = sg_clock_mono_ns();
    enum sg_err err = SG_OK;
    for (uint64_t at = strtoull(argv[3], NULL, 10);
         err == SG_OK && at <= strtoull(argv[4], NULL, 10); at++) {
        const struct sgc_eth_filter filter = {.addresses = (const uint8_t(*)[20]) & address,
                                              .addresses_count = 1,
                                              .from = at,
                                              .to = at};
        err = sgc_agreed_logs(servers, &filter, count_log, &count);
    }
    printf("from the server: %s, %llu logs, %.0f logs/s, %.1f us of our CPU a log\n",
           sg_err_text(err), (unsigned long long)count, (double)count / seconds_since(from_ns),
           (double)((uint64_t)clock() - cpu_before) / (double)count);
    sgc_servers_close(servers);
    return err != SG_OK;
}

int main(int argc, char **argv)
{
    if (argc == 5)
        return from_server(argv);
    from_memory();
    return 0;
}
