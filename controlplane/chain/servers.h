/* servers - several servers of one chain, none of which is trusted: what decides about ownership
 * is taken only when `agree` of them say the same. Who lies, lags, drops, answers garbage or limits
 * our rate is left out for a while, the longer the more often, and tried again later. One server
 * alone (agree 1) is believed: that is the operator's choice. agreed.h asks the usual questions.
 * Calls block, up to a server's time limit for each round of asking. One thread uses it; stats and
 * cancel are any thread's. */
#ifndef SGC_CHAIN_SERVERS_H
#define SGC_CHAIN_SERVERS_H

#include "controlplane/chain/rpc.h"

#define SGC_SERVERS_MAX 16

struct sgc_servers;
struct sgc_servers_options {
    const struct sgc_rpc_options *servers;
    uint32_t count;       /* 1 .. SGC_SERVERS_MAX */
    uint32_t agree;       /* 1 .. count */
    uint32_t calls_per_s; /* to each server; 0: no limit */
    bool check_headers;   /* EVM: a block must hash to its hash (proof.h); not for chains whose
                             headers have fields of their own */
};
/* Copies the options; connects to nobody yet. Errors as of sgc_rpc_open(). */
SG_MUST_USE enum sg_err sgc_servers_open(const struct sgc_servers_options *options,
                                         struct sgc_servers **out);
void sgc_servers_close(struct sgc_servers *servers);
/* What is under way, and all that comes later, ends with SG_ECANCELED. */
void sgc_servers_cancel(struct sgc_servers *servers);

struct sgc_servers_question {
    const char *method;
    struct sg_str params; /* JSON, "[...]" */
    /* What two servers must say alike, as a digest; it also judges the form. SGC_RPC_ok, or why
     * the answer is none: _garbage, _behind, _unproven. Not asked of null. NULL: the text as it is.
     */
    enum sgc_rpc_end (*digest)(void *ctx, struct sg_jsonread result, uint8_t out[32]);
    void *ctx;
    bool is_proven; /* digest() takes only what is proven: one server is enough */
    /* Runs code that a stranger wrote, who could make servers fail or differ at will: an error that
     * is about nothing else is as much as a revert, and who says otherwise than a quorum is not to
     * blame. */
    bool is_strangers;
};
struct sgc_servers_answer {
    struct sg_jsonread result; /* until the next question */
    bool reverted;             /* `result` is then the data of it, or ptr NULL */
    uint32_t agreed;           /* how many said so */
};
/* Nothing below waits beyond this moment (monotonic), however many rounds it takes; SG_NEVER: only
 * the servers' own limits count, as at first. */
void sgc_servers_until(struct sgc_servers *servers, uint64_t until_ns);

/* The answer that a quorum gives; the best servers are asked first, others where they fail.
 * SG_ENOENT    they all say null: there is no such thing, or not yet.
 * SG_EAGAIN    no quorum: servers disagree, are behind, or too few are to be had: try again, at the
 *              latest at sgc_servers_due_ns().
 * SG_EMSGSIZE  too many results, or too large: ask for less.
 * SG_ENOTSUP   they know no such method, or refuse these parameters.
 * SG_ECANCELED, SG_ENOMEM */
SG_MUST_USE enum sg_err sgc_servers_ask(struct sgc_servers *servers,
                                        const struct sgc_servers_question *question,
                                        struct sgc_servers_answer *out);

/* Each server in use by itself, all at once: what their heads are. Returns how many answered;
 * results live until the next question. */
struct sgc_servers_said {
    uint32_t server; /* for sgc_servers_blame() */
    struct sg_jsonread result;
};
uint32_t sgc_servers_poll(struct sgc_servers *servers, const char *method, struct sg_str params,
                          struct sgc_servers_said out[SGC_SERVERS_MAX]);
/* What a server said in poll turned out to be wrong: SGC_RPC_garbage, _behind, _disagrees,
 * _unproven. */
void sgc_servers_blame(struct sgc_servers *servers, uint32_t server, enum sgc_rpc_end end);
/* It turned out to be what a quorum says: earlier faults are forgotten. */
void sgc_servers_praise(struct sgc_servers *servers, uint32_t server);
/* The head that a server named, and the one that a quorum has: for the stats. */
void sgc_servers_note_head(struct sgc_servers *servers, uint32_t server, uint64_t number);
void sgc_servers_note_agreed_head(struct sgc_servers *servers, uint64_t number);

/* Of what was polled no quorum came out: counted. Returns SG_EAGAIN, or SG_ECANCELED. */
enum sg_err sgc_servers_no_quorum(struct sgc_servers *servers);

uint32_t sgc_servers_agree(const struct sgc_servers *servers);
bool sgc_servers_check_headers(const struct sgc_servers *servers);
/* When a server that is left out now is tried again, monotonic; SG_NEVER: none is. */
uint64_t sgc_servers_due_ns(const struct sgc_servers *servers);

struct sgc_server_stats {
    const char *name; /* lives as long as the servers */
    uint64_t asked;
    uint64_t ends[SGC_RPC_ENDS];
    uint64_t head;        /* the last it named */
    uint32_t took_us;     /* lately, on average */
    uint32_t left_out_ms; /* from now; 0: in use */
};
struct sgc_servers_stats {
    uint64_t questions, no_quorum;
    uint64_t head; /* the last agreed upon */
    uint32_t count, in_use, agree;
    struct sgc_server_stats servers[SGC_SERVERS_MAX];
};
void sgc_servers_stats(const struct sgc_servers *servers, struct sgc_servers_stats *out);

#endif
