/* rpc - JSON-RPC 2.0 over HTTP with one server of a chain: single calls, batches, and the same
 * moment's calls to several servers. Connections are kept; time, size and depth of an answer are
 * bounded; https is verified. Calls block. One thread uses a server and the loop it belongs to.
 * An answer is borrowed from the server's buffer until its next call. */
#ifndef SGC_CHAIN_RPC_H
#define SGC_CHAIN_RPC_H

#include "base/err.h"
#include "base/jsonread.h"
#include "controlplane/sys/curl.h"

#include <stdbool.h>
#include <stdint.h>

#define SGC_RPC_BATCH_MAX 1000
#define SGC_RPC_DEPTH_MAX 32

enum sgc_rpc_end {
#define RPC(name, fault, text) SGC_RPC_##name,
#include "controlplane/chain/rpc.def"
#undef RPC
    SGC_RPC_ENDS
};
const char *sgc_rpc_end_name(enum sgc_rpc_end end);
const char *sgc_rpc_end_text(enum sgc_rpc_end end);
/* The server is at fault: it is asked less from now on. */
bool sgc_rpc_end_is_fault(enum sgc_rpc_end end);

struct sgc_rpc;
struct sgc_rpc_options {
    const char *url;             /* http or https */
    const char *fields_file;     /* "Authorization: Bearer ..." lines; NULL: none */
    const char *ca_file;         /* PEM; NULL: the system's */
    uint32_t timeout_ms;         /* of a call as a whole; 0: 10 s */
    uint32_t connect_timeout_ms; /* 0: 3 s */
    uint32_t answer_bytes_max;   /* 0: 64 MiB */
};
/* Copies the options and reads the files. Errors of the files as they are. */
SG_MUST_USE enum sg_err sgc_rpc_open(struct sgc_curl *curl, const struct sgc_rpc_options *options,
                                     struct sgc_rpc **out);
void sgc_rpc_close(struct sgc_rpc *rpc);
/* Fields or certificates: a small file whole, into memory of SGC_RPC_FILE_BYTES_MAX; `path` NULL:
 * nothing. SG_EMSGSIZE: it is not small. */
SG_MUST_USE enum sg_err sgc_rpc_read_file(const char *path, char *memory, struct sg_str *out);
#define SGC_RPC_FILE_BYTES_MAX 65536
/* scheme://host:port of the URL: no path, where keys often stand. For logs and metrics. */
const char *sgc_rpc_name(const struct sgc_rpc *rpc);

struct sgc_rpc_ask {
    const char *method;
    struct sg_str params; /* JSON, "[...]" */
    /* The answer. */
    enum sgc_rpc_end end;
    struct sg_jsonread result; /* ok: the result; reverted: the error's data, or ptr NULL */
    int64_t code;              /* of an error; 0: none */
    struct sg_str message;     /* of an error, JSON escapes as they are; for a log line */
};
/* All asks of one server: one of them is a plain call, more are a batch. */
struct sgc_rpc_job {
    struct sgc_rpc *rpc; /* no server twice in a call */
    struct sgc_rpc_ask *asks;
    uint32_t asks_count; /* 1 .. SGC_RPC_BATCH_MAX */
    uint32_t timeout_ms; /* 0: the server's */
    /* What all of them have in common. */
    uint32_t took_us;
    uint32_t retry_after_s; /* 0: it did not say */
    size_t answer_bytes;
};
/* Asks all servers at once and waits for all. All belong to one loop. */
void sgc_rpc_each(struct sgc_rpc_job *jobs, uint32_t count);
/* One server; returns the end that the only ask has. */
enum sgc_rpc_end sgc_rpc_call(struct sgc_rpc *rpc, struct sgc_rpc_ask *ask);
void sgc_rpc_batch(struct sgc_rpc *rpc, struct sgc_rpc_ask *asks, uint32_t count);

/* Exposed for tests and its fuzzer: reads the answer to `asks`, whose ids count from `first_id`. */
void sgc_rpc_read(struct sg_str answer, uint16_t status, uint32_t first_id,
                  struct sgc_rpc_ask *asks, uint32_t count);

#endif
