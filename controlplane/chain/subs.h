/* subs - subscriptions to a chain's servers over WebSocket (eth_subscribe and Solana's likes), on a
 * thread of its own: one server at a time, and the next one, after a while, when it fails. What is
 * heard is one server's word: a hint to look, never a fact. */
#ifndef SGC_CHAIN_SUBS_H
#define SGC_CHAIN_SUBS_H

#include "controlplane/chain/rpc.h"

#define SGC_SUBS_MAX         100u /* as many as providers of Solana's RPC let one connection have */
#define SGC_SUBS_SERVERS_MAX 16
#define SGC_SUB_PARAMS_MAX   320

struct sgc_sub {
    const char *method;   /* "eth_subscribe"; NULL: nothing is subscribed to there, for now */
    struct sg_str params; /* "[\"newHeads\"]" */
};
struct sgc_subs_options {
    const struct sgc_rpc_options *servers; /* ws: or wss: URLs */
    uint32_t servers_count;
    uint32_t first_server;      /* which is tried first: so that several spread out */
    const struct sgc_sub *subs; /* copied, with their params; `method` lives as long as they do */
    uint32_t subs_count;
    uint32_t quiet_ms; /* a ping after such a silence, the end after twice it; 0: 15 s */
    /* On the thread: what subs[sub] said. `result` is borrowed for the call. */
    void (*notice)(void *ctx, uint32_t sub, struct sg_jsonread result);
    void *ctx;
};
struct sgc_subs;
SG_MUST_USE enum sg_err sgc_subs_open(const struct sgc_subs_options *options,
                                      struct sgc_subs **out);
/* What is subscribed to at `index` from now on, in place of what was. Any thread; the server hears
 * of it on the other. */
void sgc_subs_put(struct sgc_subs *subs, uint32_t index, const struct sgc_sub *sub);
/* Waits for the thread: at most a connection attempt's time. Accepts NULL. */
void sgc_subs_close(struct sgc_subs *subs);

struct sgc_subs_stats {
    bool is_up;            /* subscribed to all, at one of them */
    uint32_t asked, heard; /* subscriptions there are to be; that a server has taken */
    uint64_t connects, failures, notices;
};
void sgc_subs_stats(const struct sgc_subs *subs, struct sgc_subs_stats *out);

#endif
