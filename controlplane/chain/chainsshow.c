/* The followers for those who look at them: JSON of the admin server, metrics. */
#include "base/clock.h"
#include "controlplane/chain/chains.h"
#include "controlplane/chain/chainsin.h"

/* ---- JSON ---- */

static void put_server(const struct sgc_server_stats *server, struct sg_json *json)
{
    sg_json_object(json, NULL);
    sg_json_text(json, "name", server->name);
    sg_json_bool(json, "in_use", server->left_out_ms == 0);
    sg_json_u64(json, "left_out_ms", server->left_out_ms);
    sg_json_u64(json, "head", server->head);
    sg_json_u64(json, "asked", server->asked);
    sg_json_u64(json, "took_us", server->took_us);
    sg_json_object(json, "ends");
    for (int end = 0; end < SGC_RPC_ENDS; end++)
        if (server->ends[end] != 0)
            sg_json_u64(json, sgc_rpc_end_name((enum sgc_rpc_end)end), server->ends[end]);
    sg_json_object_end(json);
    sg_json_object_end(json);
}

static void put_servers(const struct sgc_servers_stats *servers, struct sg_json *json)
{
    sg_json_u64(json, "agree", servers->agree);
    sg_json_u64(json, "questions", servers->questions);
    sg_json_u64(json, "no_quorum", servers->no_quorum);
    sg_json_array(json, "servers");
    for (uint32_t i = 0; i < servers->count; i++)
        put_server(&servers->servers[i], json);
    sg_json_array_end(json);
}

static void put_counts(const struct sgc_follow_counts *counts, struct sg_json *json)
{
    sg_json_object(json, "counts");
    sg_json_u64(json, "turns", counts->turns);
    sg_json_u64(json, "turns_failed", counts->turns_failed);
    sg_json_u64(json, "blocks", counts->blocks);
    sg_json_u64(json, "logs", counts->logs);
    sg_json_u64(json, "events", counts->events);
    sg_json_u64(json, "history_logs", counts->history_logs);
    sg_json_u64(json, "history_ranges", counts->history_ranges);
    sg_json_u64(json, "history_refused", counts->history_refused);
    sg_json_u64(json, "skipped", counts->skipped);
    sg_json_object_end(json);
    sg_json_object(json, "reorgs");
    sg_json_u64(json, "count", counts->reorgs);
    sg_json_u64(json, "depth", counts->reorg_depth);
    sg_json_u64(json, "depth_max", counts->reorg_depth_max);
    sg_json_object_end(json);
}

static uint64_t lag_of(const struct sgc_follow_status *status)
{
    return status->latest > status->head ? status->latest - status->head : 0;
}

/* What wakes the follower between two polls. False: no server has a ws_url. */
static bool hearing_of(const struct sgc_chain *chain, struct sgc_solhear_stats *out)
{
    *out = (struct sgc_solhear_stats){.connections = 1};
    if (chain->solana != NULL)
        return sgc_soltrack_hearing(chain->solana, out);
    if (chain->subs != NULL)
        sgc_subs_stats(chain->subs, &out->subs);
    return chain->subs != NULL;
}

static void put_subs(const struct sgc_chain *chain, struct sg_json *json)
{
    struct sgc_solhear_stats hearing;
    if (!hearing_of(chain, &hearing))
        return;
    sg_json_object(json, "subscription");
    sg_json_bool(json, "up", hearing.subs.is_up);
    sg_json_u64(json, "connections", hearing.connections);
    sg_json_u64(json, "asked", hearing.subs.asked);
    sg_json_u64(json, "taken", hearing.subs.heard);
    sg_json_u64(json, "polled", hearing.polled);
    sg_json_u64(json, "notices", hearing.subs.notices);
    sg_json_u64(json, "connects", hearing.subs.connects);
    sg_json_u64(json, "failures", hearing.subs.failures);
    sg_json_object_end(json);
}

static void put_chain(const struct sgc_chain *chain, struct sg_json *json)
{
    struct sgc_follow_status now;
    const struct sgc_follow_status *status = &now;
    sgc_chain_status(chain, &now);
    sg_json_object(json, NULL);
    sg_json_text(json, "chain", status->chain);
    sg_json_text(json, "state", sgc_follow_state_text(status->state));
    sg_json_text(json, "why", status->why[0] != '\0' ? status->why : NULL);
    sg_json_u64(json, "head", status->head);
    sg_json_u64(json, "safe", status->safe);
    sg_json_u64(json, "latest", status->latest);
    sg_json_u64(json, "lag_blocks", lag_of(status));
    if (status->head_s != 0)
        sg_json_time(json, "head_time", status->head_s * SG_NS_PER_SEC);
    if (status->heard_ns != 0)
        sg_json_time(json, "heard", status->heard_ns);
    sg_json_object(json, "contracts");
    sg_json_u64(json, "all", status->contracts);
    sg_json_u64(json, "joined", status->joined);
    sg_json_u64(json, "refused", status->refused);
    if (status->joined + status->refused < status->contracts)
        sg_json_u64(json, "read_to", status->history_to);
    sg_json_object_end(json);
    put_counts(&status->counts, json);
    put_subs(chain, json);
    put_servers(&status->servers, json);
    sg_json_object_end(json);
}

void sgc_chains_status(struct sgc_chains *chains, struct sg_json *json)
{
    sg_json_array(json, "chains");
    for (uint32_t i = 0; chains != NULL && i < chains->count; i++)
        put_chain(&chains->all[i], json);
    sg_json_array_end(json);
}

/* ---- metrics: one family after the other, as Prometheus wants them ---- */

enum family_kind { GAUGE, COUNTER };
struct family {
    const char *name;
    enum family_kind kind;
    const char *help;
    double (*value)(const struct sgc_follow_status *status);
};

#define VALUE(function, expr)                                                                      \
    static double function(const struct sgc_follow_status *status)                                 \
    {                                                                                              \
        return (double)(expr);                                                                     \
    }
VALUE(value_head, status->head)
VALUE(value_safe, status->safe)
VALUE(value_latest, status->latest)
VALUE(value_lag, lag_of(status))
VALUE(value_head_time, status->head_s)
VALUE(value_heard, (double)status->heard_ns / 1e9)
VALUE(value_following, status->state == SGC_FOLLOW_FOLLOWING)
VALUE(value_closed, status->state == SGC_FOLLOW_CLOSED)
VALUE(value_contracts, status->contracts)
VALUE(value_joined, status->joined)
VALUE(value_refused, status->refused)
VALUE(value_blocks, status->counts.blocks)
VALUE(value_events, status->counts.events)
VALUE(value_history, status->counts.history_logs)
VALUE(value_ranges_refused, status->counts.history_refused)
VALUE(value_skipped, status->counts.skipped)
VALUE(value_failed, status->counts.turns_failed)
VALUE(value_reorgs, status->counts.reorgs)
VALUE(value_depth, status->counts.reorg_depth)
VALUE(value_depth_max, status->counts.reorg_depth_max)
VALUE(value_turns, status->counts.turns)
VALUE(value_logs, status->counts.logs)
VALUE(value_ranges, status->counts.history_ranges)
VALUE(value_odd, status->odd)
VALUE(value_undone, status->undone)
VALUE(value_questions, status->servers.questions)
VALUE(value_mints, status->solana.mints)
VALUE(value_holders, status->solana.holders)
VALUE(value_pending, status->solana.pending)
VALUE(value_lookups, status->solana.lookups)
VALUE(value_no_quorum, status->servers.no_quorum)
VALUE(value_proven, status->counts.proven)
VALUE(value_disproven, status->counts.disproven)
VALUE(value_cut, status->counts.cut)

static const struct family families[] = {
    {"head", GAUGE, "The block up to which the chain is followed.", value_head},
    {"safe", GAUGE, "The block up to which it is safe.", value_safe},
    {"latest", GAUGE, "The block that the servers agreed on last.", value_latest},
    {"lag_blocks", GAUGE, "Blocks that the servers have and the ledger has not.", value_lag},
    {"head_time_seconds", GAUGE, "The head's own time.", value_head_time},
    {"heard_seconds", GAUGE, "When a head was last told to the edges.", value_heard},
    {"following", GAUGE, "Is all well?", value_following},
    {"closed", GAUGE, "Can something not be right, so that the head is not told?", value_closed},
    {"contracts", GAUGE, "Contracts to be followed.", value_contracts},
    {"contracts_joined", GAUGE, "Contracts that are followed at the head.", value_joined},
    {"contracts_refused", GAUGE, "Contracts that can't be read: nobody owns anything of them.",
     value_refused},
    {"blocks_total", COUNTER, "Blocks that were added at the head.", value_blocks},
    {"logs_total", COUNTER, "Logs of blocks at the head.", value_logs},
    {"events_total", COUNTER, "Events of ownership at the head.", value_events},
    {"history_logs_total", COUNTER, "Logs of history that were read.", value_history},
    {"history_ranges_total", COUNTER, "Ranges of blocks of history that were read.", value_ranges},
    {"history_refused_total", COUNTER, "Ranges that the servers found too large.",
     value_ranges_refused},
    {"skipped_total", COUNTER, "Logs that say nothing of ownership.", value_skipped},
    {"odd_total", COUNTER, "Moves of more than was there, ever: a contract does not add up.",
     value_odd},
    {"turns_total", COUNTER, "Looks at the head.", value_turns},
    {"turns_failed_total", COUNTER, "Looks at the head that came to nothing.", value_failed},
    {"reorgs_total", COUNTER, "Reorgs that were undone.", value_reorgs},
    {"undone_blocks_total", COUNTER, "Blocks that were taken back, ever.", value_undone},
    {"reorg_depth", GAUGE, "Blocks that the last reorg took back.", value_depth},
    {"reorg_depth_max", GAUGE, "Blocks that the deepest reorg took back.", value_depth_max},
    {"questions_total", COUNTER, "Questions to the servers.", value_questions},
    {"no_quorum_total", COUNTER, "Questions on which too few servers agreed.", value_no_quorum},
    {"proven_total", COUNTER, "Owners and balances that were proven against a block's state root.",
     value_proven},
    {"disproven_total", COUNTER, "Blocks whose logs said what the state does not.",
     value_disproven},
    {"proven_cut_total", COUNTER, "Blocks with more balances than are proven.", value_cut},
    {"solana_mints", GAUGE, "Mints of one that are watched.", value_mints},
    {"solana_holders", GAUGE, "Holders of other mints that are watched.", value_holders},
    {"solana_pending", GAUGE, "Changes at head that are not safe yet.", value_pending},
    {"solana_lookups_total", COUNTER, "Mints that were not where they were, and were looked for.",
     value_lookups},
};

static void put_head(struct sg_out *out, const char *name, enum family_kind kind, const char *help)
{
    sg_out_fmt(out, "# HELP streamgate_chain_%s %s\n# TYPE streamgate_chain_%s %s\n", name, help,
               name, kind == GAUGE ? "gauge" : "counter");
}

static void put_family(struct sgc_chains *chains, const struct family *family, struct sg_out *out)
{
    struct sgc_follow_status status;
    put_head(out, family->name, family->kind, family->help);
    for (uint32_t i = 0; i < chains->count; i++) {
        sgc_chain_status(&chains->all[i], &status);
        sg_out_fmt(out, "streamgate_chain_%s{chain=\"%s\"} %.15g\n", family->name, status.chain,
                   family->value(&status));
    }
}

/* By server and how its calls ended: errors and disagreement among them. */
static void put_calls(struct sgc_chains *chains, struct sg_out *out)
{
    struct sgc_follow_status status;
    put_head(out, "server_calls_total", COUNTER, "Calls to servers by how they ended.");
    for (uint32_t i = 0; i < chains->count; i++) {
        sgc_chain_status(&chains->all[i], &status);
        for (uint32_t j = 0; j < status.servers.count; j++)
            for (int end = 0; end < SGC_RPC_ENDS; end++)
                sg_out_fmt(
                    out,
                    "streamgate_chain_server_calls_total{chain=\"%s\",server=\"%u\",end=\"%s\"} "
                    "%llu\n",
                    status.chain, j, sgc_rpc_end_name((enum sgc_rpc_end)end),
                    (unsigned long long)status.servers.servers[j].ends[end]);
    }
}

static void put_in_use(struct sgc_chains *chains, struct sg_out *out)
{
    struct sgc_follow_status status;
    put_head(out, "server_in_use", GAUGE, "Is the server asked, or left out for its faults?");
    for (uint32_t i = 0; i < chains->count; i++) {
        sgc_chain_status(&chains->all[i], &status);
        for (uint32_t j = 0; j < status.servers.count; j++)
            sg_out_fmt(
                out, "streamgate_chain_server_in_use{chain=\"%s\",server=\"%u\",name=\"%s\"} %d\n",
                status.chain, j, status.servers.servers[j].name,
                status.servers.servers[j].left_out_ms == 0);
    }
}

static double value_up(const struct sgc_solhear_stats *hearing)
{
    return hearing->subs.is_up;
}
static double value_taken(const struct sgc_solhear_stats *hearing)
{
    return hearing->subs.heard;
}
static double value_polled(const struct sgc_solhear_stats *hearing)
{
    return (double)hearing->subs.asked - hearing->subs.heard + hearing->polled;
}
static double value_notices(const struct sgc_solhear_stats *hearing)
{
    return (double)hearing->subs.notices;
}

static const struct {
    const char *name;
    enum family_kind kind;
    const char *help;
    double (*value)(const struct sgc_solhear_stats *hearing);
} hearings[] = {
    {"subscribed", GAUGE, "Does a server tell of all news? Without, they are polled.", value_up},
    {"subscriptions", GAUGE, "Subscriptions that servers have taken.", value_taken},
    {"subscriptions_missing", GAUGE,
     "Subscriptions that no server has taken, or that there is no room for: it is polled.",
     value_polled},
    {"notices_total", COUNTER, "News that servers told by subscription.", value_notices},
};

static void put_hearing(struct sgc_chains *chains, struct sg_out *out)
{
    struct sgc_follow_status status;
    struct sgc_solhear_stats hearing;
    for (size_t f = 0; f < SG_COUNT(hearings); f++) {
        put_head(out, hearings[f].name, hearings[f].kind, hearings[f].help);
        for (uint32_t i = 0; i < chains->count; i++) {
            if (!hearing_of(&chains->all[i], &hearing))
                continue;
            sgc_chain_status(&chains->all[i], &status);
            sg_out_fmt(out, "streamgate_chain_%s{chain=\"%s\"} %.0f\n", hearings[f].name,
                       status.chain, hearings[f].value(&hearing));
        }
    }
}

void sgc_chains_metrics(struct sgc_chains *chains, struct sg_out *out)
{
    if (chains == NULL || chains->count == 0)
        return;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        put_family(chains, &families[i], out);
    put_calls(chains, out);
    put_in_use(chains, out);
    put_hearing(chains, out);
}
