/* What providers' documentation says that they answer, and what it means to us. The texts are
 * theirs; no provider was asked. */
#include "tests/sgt.h"

#include "controlplane/chain/rpc.h"

#include <stdio.h>

static enum sgc_rpc_end end_of(const char *method, uint16_t status, const char *body)
{
    struct sgc_rpc_ask ask = {.method = method};
    sgc_rpc_read(sg_str_from(body), status, 1, &ask, 1);
    return ask.end;
}

static void documented_errors_mean_what_their_documentation_says(void **fixture)
{
    static const struct {
        const char *method;
        int code;
        const char *message;
        enum sgc_rpc_end want;
    } rows[] = {
        {"eth_getLogs", -32005, "query returned more than 10000 results", SGC_RPC_too_many},
        {"eth_getLogs", -32005, "limit exceeded", SGC_RPC_too_many},
        {"eth_call", -32005, "limit exceeded", SGC_RPC_limited},
        {"eth_getLogs", -32005, "daily request count exceeded, request rate limited",
         SGC_RPC_limited},
        {"eth_getLogs", -32602,
         "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block "
         "range and no limit on the response size",
         SGC_RPC_too_many},
        {"eth_getLogs", -32614, "eth_getLogs is limited to a 10,000 range", SGC_RPC_too_many},
        {"eth_getLogs", -32000, "exceed maximum block range: 5000", SGC_RPC_too_many},
        {"eth_getLogs", -32000, "block range is too wide", SGC_RPC_too_many},
        {"eth_getLogs", -32600, "Please limit the query to at most 1000 blocks", SGC_RPC_too_many},
        {"eth_getLogs", -32701, "Please specify less number of addresses", SGC_RPC_too_many},
        {"eth_getLogs", -32005, "query exceeds max results 20000, retry with the range 1-2",
         SGC_RPC_too_many},
        {"eth_call", 429, "Your app has exceeded its compute units per second capacity",
         SGC_RPC_limited},
        {"eth_call", -32007, "15/second request limit reached", SGC_RPC_limited},
        {"eth_call", -32029, "Too Many Requests", SGC_RPC_limited},
        {"eth_getProof", -32000, "missing trie node 01ab (path ) state is not available",
         SGC_RPC_behind},
        {"eth_getLogs", 4444, "pruned history unavailable", SGC_RPC_behind},
        {"eth_getProof", -32000, "distance to target block exceeds maximum proof window",
         SGC_RPC_behind},
        {"eth_call", -32000, "No state available for block 17", SGC_RPC_behind},
        {"eth_call", -32000, "header not found", SGC_RPC_behind},
        {"eth_getProof", -32601, "the method eth_getProof does not exist/is not available",
         SGC_RPC_method},
        {"eth_getProof", -32601, "Method not found", SGC_RPC_method},
        {"eth_call", 3, "execution reverted: no", SGC_RPC_reverted},
        {"eth_call", -32603, "Internal error", SGC_RPC_refused},
        /* These were seen: Hardhat's node, then Ganache. */
        {"eth_nope", -32004, "Method eth_nope is not supported", SGC_RPC_method},
        {"eth_call", -32000, "Received invalid block tag 0xabab. Latest block number is 2",
         SGC_RPC_behind},
        {"eth_getLogs", -32602, "blockHash cannot be found", SGC_RPC_behind},
        {"eth_call", -32603,
         "Error: VM Exception while processing transaction: reverted with an unrecognized custom "
         "error (return data: 0x7e273289)",
         SGC_RPC_reverted},
        {"eth_getProof", -32700, "Cannot wrap a \\\"object\\\" as a json-rpc type", SGC_RPC_params},
        {"eth_call", -32700, "header not found", SGC_RPC_behind},
    };
    char body[512];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(body, sizeof(body),
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":%d,\"message\":\"%s\"}}",
                 rows[i].code, rows[i].message);
        if (end_of(rows[i].method, 200, body) != rows[i].want)
            fail_msg("%s: %s", rows[i].message,
                     sgc_rpc_end_name(end_of(rows[i].method, 200, body)));
    }
    (void)fixture;
}

static void an_error_counts_under_whatever_status_it_comes(void **fixture)
{
    static const char too_many[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"block range is "
        "too wide\"}}";
    assert_int_equal(end_of("eth_getLogs", 200, too_many), SGC_RPC_too_many);
    assert_int_equal(end_of("eth_getLogs", 400, too_many), SGC_RPC_too_many);
    assert_int_equal(end_of("eth_call", 429, "slow down"), SGC_RPC_limited);
    assert_int_equal(end_of("eth_call", 403, "{}"), SGC_RPC_forbidden);
    assert_int_equal(end_of("eth_call", 503, "<html>"), SGC_RPC_http);
    assert_int_equal(
        end_of("eth_call", 200,
               "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32029,\"message\":\"too many "
               "requests\"}}"),
        SGC_RPC_limited);
    assert_int_equal(end_of("eth_call", 200, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}"),
                     SGC_RPC_ok); /* who asked says what null means */
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(documented_errors_mean_what_their_documentation_says),
    cmocka_unit_test(an_error_counts_under_whatever_status_it_comes),
};
SGT_MAIN("rpcerrors", tests)
