#include "controlplane/chain/servers.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/keccak.h"
#include "base/log.h"

#include <time.h>

#define OUT_FIRST_MS    250u
#define OUT_MAX_MS      60000u
#define OUT_LIAR_MS     2000u /* disagreeing near the head may be a fork seen early */
#define OUT_LIAR_MAX_MS 600000u
#define FAULT_US        100000u /* what a fault in a row weighs beside slowness */

struct server {
    struct sgc_rpc *rpc;
    uint32_t faults;           /* in a row */
    enum sgc_rpc_end last_end; /* of the last of them */
    uint64_t paid_until_ns;    /* calls so far, at calls_per_s */
    /* Read by any thread. */
    uint64_t out_until_ns; /* 0: in use */
    uint64_t asked, ends[SGC_RPC_ENDS], head;
    uint32_t took_us;
};

struct sgc_servers {
    struct sgc_curl *curl;
    uint32_t count, agree, calls_per_s;
    bool check_headers;
    bool cancelled; /* atomic */
    uint64_t until_ns;
    uint64_t questions, no_quorum, head;
    struct server servers[SGC_SERVERS_MAX];
};

/* Counters have one writer; readers need whole numbers, no order. */
#define STORE(where, v) __atomic_store_n(&(where), (v), __ATOMIC_RELAXED)
#define LOAD(where)     __atomic_load_n(&(where), __ATOMIC_RELAXED)
#define COUNT(where)    STORE(where, (where) + 1)

enum sg_err sgc_servers_open(const struct sgc_servers_options *options, struct sgc_servers **out)
{
    SG_ASSERT(options->count > 0 && options->count <= SGC_SERVERS_MAX);
    SG_ASSERT(options->agree > 0 && options->agree <= options->count);
    SG_ASSERT(out != NULL);
    struct sgc_servers *servers = sg_boot_alloc(sizeof(*servers));
    if (servers == NULL)
        return SG_ENOMEM;
    servers->agree = options->agree;
    servers->calls_per_s = options->calls_per_s;
    servers->check_headers = options->check_headers;
    servers->until_ns = SG_NEVER;
    enum sg_err err = sgc_curl_open(&servers->curl);
    for (uint32_t i = 0; err == SG_OK && i < options->count; i++) {
        err = sgc_rpc_open(servers->curl, &options->servers[i], &servers->servers[i].rpc);
        servers->count += err == SG_OK;
    }
    if (err == SG_OK)
        *out = SG_TAKE(servers);
    sgc_servers_close(servers);
    return err;
}

void sgc_servers_close(struct sgc_servers *servers)
{
    if (servers == NULL)
        return;
    for (uint32_t i = 0; i < servers->count; i++)
        sgc_rpc_close(servers->servers[i].rpc);
    sgc_curl_close(servers->curl);
    sg_boot_free(servers);
}

void sgc_servers_cancel(struct sgc_servers *servers)
{
    __atomic_store_n(&servers->cancelled, true, __ATOMIC_RELEASE);
    sgc_curl_cancel(servers->curl);
}

static bool is_cancelled(const struct sgc_servers *servers)
{
    return __atomic_load_n(&servers->cancelled, __ATOMIC_ACQUIRE);
}

/* ---- who is asked ---- */

static bool server_in_use(const struct server *server, uint64_t now_ns)
{
    return server->out_until_ns <= now_ns;
}

static uint64_t server_weight(const struct server *server)
{
    return server->took_us + (uint64_t)server->faults * FAULT_US;
}

/* The best that is in use and not in `asked`; count: none. */
static uint32_t pick(const struct sgc_servers *servers, uint32_t asked, uint64_t now_ns)
{
    uint32_t best = servers->count;
    for (uint32_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->servers[i];
        if ((asked & SG_BIT(i)) != 0 || !server_in_use(server, now_ns))
            continue;
        if (best == servers->count ||
            server_weight(server) < server_weight(&servers->servers[best]))
            best = i;
    }
    return best;
}

/* Books a call; returns how long to wait before it may be sent. A second's worth may come at once.
 */
static uint64_t server_pay(struct sgc_servers *servers, struct server *server, uint64_t now_ns)
{
    if (servers->calls_per_s == 0)
        return 0;
    server->paid_until_ns =
        SG_MAX(server->paid_until_ns, now_ns) + SG_NS_PER_SEC / servers->calls_per_s;
    uint64_t ahead_ns = server->paid_until_ns - now_ns;
    return ahead_ns > SG_NS_PER_SEC ? ahead_ns - SG_NS_PER_SEC : 0;
}

/* ---- what becomes of who fails ---- */

static void server_fault(struct server *server, enum sgc_rpc_end end, uint32_t retry_after_s)
{
    bool lies = end == SGC_RPC_disagrees || end == SGC_RPC_garbage || end == SGC_RPC_unproven;
    uint64_t ms = lies ? OUT_LIAR_MS : OUT_FIRST_MS;
    uint64_t max = lies ? OUT_LIAR_MAX_MS : OUT_MAX_MS;
    uint32_t doublings = SG_MIN(server->faults, 16u);
    ms = SG_MIN(ms << doublings, max);
    if (retry_after_s != 0)
        ms = SG_MIN((uint64_t)retry_after_s * 1000, (uint64_t)OUT_LIAR_MAX_MS);
    if (server->faults == 0 || server->last_end != end)
        sg_warn("chain server %s: %s; left out for %llu ms", sgc_rpc_name(server->rpc),
                sgc_rpc_end_text(end), (unsigned long long)ms);
    server->faults++;
    server->last_end = end;
    STORE(server->out_until_ns, sg_clock_mono_ns() + ms * SG_NS_PER_MS);
}

void sgc_servers_praise(struct sgc_servers *servers, uint32_t server_index)
{
    SG_ASSERT(server_index < servers->count);
    struct server *server = &servers->servers[server_index];
    if (server->faults > 0)
        sg_info("chain server %s answers well again", sgc_rpc_name(server->rpc));
    server->faults = 0;
    STORE(server->out_until_ns, 0);
}

static void server_ended(struct server *server, const struct sgc_rpc_job *job, enum sgc_rpc_end end)
{
    COUNT(server->asked);
    COUNT(server->ends[end]);
    if (job->took_us != 0)
        STORE(server->took_us,
              server->took_us == 0 ? job->took_us : (server->took_us * 7 + job->took_us) / 8);
    if (sgc_rpc_end_is_fault(end))
        server_fault(server, end, job->retry_after_s);
}

/* ---- asking ---- */

struct round {
    uint32_t count;
    uint32_t who[SGC_SERVERS_MAX];
    struct sgc_rpc_job jobs[SGC_SERVERS_MAX];
    struct sgc_rpc_ask asks[SGC_SERVERS_MAX];
};

static void wait_ns(struct sgc_servers *servers, uint64_t ns)
{
    uint64_t until_ns = SG_MIN(sg_clock_mono_ns() + ns, servers->until_ns);
    for (uint64_t now_ns; (now_ns = sg_clock_mono_ns()) < until_ns && !is_cancelled(servers);) {
        uint64_t step_ns = SG_MIN(until_ns - now_ns, 100 * SG_NS_PER_MS);
        nanosleep(&(struct timespec){.tv_nsec = (long)step_ns}, NULL);
    }
}

void sgc_servers_until(struct sgc_servers *servers, uint64_t until_ns)
{
    servers->until_ns = until_ns;
}

/* How long a call may take; 0: as long as the server may. UINT32_MAX: no time is left. */
static uint32_t time_left_ms(const struct sgc_servers *servers, uint64_t now_ns)
{
    if (servers->until_ns == SG_NEVER)
        return 0;
    if (servers->until_ns <= now_ns)
        return UINT32_MAX;
    return (uint32_t)SG_MIN((servers->until_ns - now_ns) / SG_NS_PER_MS + 1, 600000ull);
}

/* Asks up to `want` servers that are not in *asked, at once, and adds them to it. */
static void round_run(struct sgc_servers *servers, const char *method, struct sg_str params,
                      uint32_t want, uint32_t *asked, struct round *round)
{
    uint64_t now_ns = sg_clock_mono_ns(), delay_ns = 0;
    uint32_t left_ms = time_left_ms(servers, now_ns);
    round->count = 0;
    while (round->count < want && left_ms != UINT32_MAX) {
        uint32_t i = pick(servers, *asked, now_ns), n = round->count;
        if (i == servers->count)
            break;
        *asked |= SG_BIT(i);
        round->who[n] = i;
        round->asks[n] = (struct sgc_rpc_ask){.method = method, .params = params};
        round->jobs[n] = (struct sgc_rpc_job){.rpc = servers->servers[i].rpc,
                                              .asks = &round->asks[n],
                                              .asks_count = 1,
                                              .timeout_ms = left_ms};
        delay_ns = SG_MAX(delay_ns, server_pay(servers, &servers->servers[i], now_ns));
        round->count++;
    }
    if (delay_ns > 0)
        wait_ns(servers, delay_ns);
    if (round->count > 0)
        sgc_rpc_each(round->jobs, round->count);
}

/* Those that said one and the same. */
struct group {
    uint8_t digest[32];
    bool reverted, absent;
    uint32_t members, members_count; /* bits by server */
    struct sg_jsonread result;
};

struct tally {
    struct group groups[SGC_SERVERS_MAX];
    uint32_t groups_count, best;
    uint32_t ends; /* bits: how those ended who gave no answer */
};

static uint32_t tally_best(const struct tally *tally)
{
    return tally->groups_count == 0 ? 0 : tally->groups[tally->best].members_count;
}

static void tally_add(struct tally *tally, const struct group *said, uint32_t server)
{
    uint32_t i = 0;
    while (i < tally->groups_count &&
           (tally->groups[i].reverted != said->reverted ||
            tally->groups[i].absent != said->absent ||
            memcmp(tally->groups[i].digest, said->digest, sizeof(said->digest)) != 0))
        i++;
    if (i == tally->groups_count)
        tally->groups[tally->groups_count++] = *said;
    struct group *group = &tally->groups[i];
    group->members |= SG_BIT(server);
    group->members_count++;
    if (group->members_count > tally->groups[tally->best].members_count)
        tally->best = i;
}

/* SGC_RPC_ok: *said is an answer. A revert is one: what a contract does is the chain's word. */
static enum sgc_rpc_end judge(const struct sgc_servers_question *question,
                              const struct sgc_rpc_ask *ask, struct group *said)
{
    const bool failed = question->is_strangers && ask->end == SGC_RPC_refused;
    *said =
        (struct group){.reverted = ask->end == SGC_RPC_reverted || failed, .result = ask->result};
    if (said->reverted) /* its texts differ between servers' makers; its data does not */
        return SGC_RPC_ok;
    if (ask->end != SGC_RPC_ok)
        return ask->end;
    said->absent = sg_jsonread_is_null(ask->result);
    if (said->absent)
        return SGC_RPC_ok;
    if (question->digest != NULL)
        return question->digest(question->ctx, ask->result, said->digest);
    sg_keccak256(ask->result.ptr, ask->result.len, said->digest);
    return SGC_RPC_ok;
}

static void round_tally(struct sgc_servers *servers, const struct sgc_servers_question *question,
                        const struct round *round, struct tally *tally)
{
    for (uint32_t i = 0; i < round->count; i++) {
        struct group said;
        enum sgc_rpc_end end = judge(question, &round->asks[i], &said);
        server_ended(&servers->servers[round->who[i]], &round->jobs[i], end);
        if (end == SGC_RPC_ok)
            tally_add(tally, &said, round->who[i]);
        else
            tally->ends |= SG_BIT(end);
    }
}

/* A quorum is there: who said otherwise is wrong; but who has what the others lack may be ahead. */
static void tally_settle(struct sgc_servers *servers, const struct tally *tally)
{
    for (uint32_t g = 0; g < tally->groups_count; g++) {
        for (uint32_t i = 0; i < servers->count; i++) {
            if ((tally->groups[g].members & SG_BIT(i)) == 0)
                continue;
            if (g == tally->best)
                sgc_servers_praise(servers, i);
            else if (!tally->groups[tally->best].absent)
                sgc_servers_blame(servers, i,
                                  tally->groups[g].absent ? SGC_RPC_behind : SGC_RPC_disagrees);
        }
    }
}

/* Why there is none. */
static enum sg_err tally_error(const struct sgc_servers *servers, const struct tally *tally)
{
    const uint32_t shrink = SG_BIT(SGC_RPC_too_many) | SG_BIT(SGC_RPC_too_large);
    const uint32_t unable = SG_BIT(SGC_RPC_method) | SG_BIT(SGC_RPC_params);
    if (is_cancelled(servers) || (tally->ends & SG_BIT(SGC_RPC_cancelled)) != 0)
        return SG_ECANCELED;
    if ((tally->ends & SG_BIT(SGC_RPC_no_memory)) != 0)
        return SG_ENOMEM;
    if ((tally->ends & shrink) != 0)
        return SG_EMSGSIZE;
    if (tally->groups_count == 0 && tally->ends != 0 && (tally->ends & ~unable) == 0)
        return SG_ENOTSUP;
    return SG_EAGAIN;
}

enum sg_err sgc_servers_ask(struct sgc_servers *servers,
                            const struct sgc_servers_question *question,
                            struct sgc_servers_answer *out)
{
    struct round round;
    struct tally tally = {.groups_count = 0};
    uint32_t asked = 0, agree = question->is_proven ? 1 : servers->agree;
    COUNT(servers->questions);
    do {
        round_run(servers, question->method, question->params, agree - tally_best(&tally), &asked,
                  &round);
        round_tally(servers, question, &round, &tally);
    } while (round.count > 0 && tally_best(&tally) < agree && !is_cancelled(servers));
    if (tally_best(&tally) < agree) {
        COUNT(servers->no_quorum);
        return tally_error(servers, &tally);
    }
    if (!question->is_strangers)
        tally_settle(servers, &tally);
    const struct group *best = &tally.groups[tally.best];
    *out = (struct sgc_servers_answer){best->result, best->reverted, best->members_count};
    return best->absent ? SG_ENOENT : SG_OK;
}

uint32_t sgc_servers_poll(struct sgc_servers *servers, const char *method, struct sg_str params,
                          struct sgc_servers_said out[SGC_SERVERS_MAX])
{
    struct round round;
    uint32_t asked = 0, answered = 0;
    COUNT(servers->questions);
    round_run(servers, method, params, servers->count, &asked, &round);
    for (uint32_t i = 0; i < round.count; i++) {
        server_ended(&servers->servers[round.who[i]], &round.jobs[i], round.asks[i].end);
        if (round.asks[i].end == SGC_RPC_ok)
            out[answered++] = (struct sgc_servers_said){round.who[i], round.asks[i].result};
    }
    return answered;
}

void sgc_servers_blame(struct sgc_servers *servers, uint32_t server, enum sgc_rpc_end end)
{
    SG_ASSERT(server < servers->count);
    SG_ASSERT(sgc_rpc_end_is_fault(end));
    COUNT(servers->servers[server].ends[end]);
    server_fault(&servers->servers[server], end, 0);
}

/* ---- seeing it ---- */

void sgc_servers_note_head(struct sgc_servers *servers, uint32_t server, uint64_t number)
{
    SG_ASSERT(server < servers->count);
    STORE(servers->servers[server].head, number);
}

void sgc_servers_note_agreed_head(struct sgc_servers *servers, uint64_t number)
{
    STORE(servers->head, number);
}

enum sg_err sgc_servers_no_quorum(struct sgc_servers *servers)
{
    COUNT(servers->no_quorum);
    return is_cancelled(servers) ? SG_ECANCELED : SG_EAGAIN;
}

uint32_t sgc_servers_agree(const struct sgc_servers *servers)
{
    return servers->agree;
}

bool sgc_servers_check_headers(const struct sgc_servers *servers)
{
    return servers->check_headers;
}

uint64_t sgc_servers_due_ns(const struct sgc_servers *servers)
{
    uint64_t now_ns = sg_clock_mono_ns(), due_ns = SG_NEVER;
    for (uint32_t i = 0; i < servers->count; i++) {
        if (servers->servers[i].out_until_ns > now_ns)
            due_ns = SG_MIN(due_ns, servers->servers[i].out_until_ns);
    }
    return due_ns;
}

static void server_stats(const struct server *server, uint64_t now_ns, struct sgc_server_stats *out)
{
    uint64_t out_until_ns = LOAD(server->out_until_ns);
    out->name = sgc_rpc_name(server->rpc);
    out->asked = LOAD(server->asked);
    for (uint32_t i = 0; i < SGC_RPC_ENDS; i++)
        out->ends[i] = LOAD(server->ends[i]);
    out->head = LOAD(server->head);
    out->took_us = LOAD(server->took_us);
    out->left_out_ms =
        out_until_ns > now_ns ? (uint32_t)((out_until_ns - now_ns) / SG_NS_PER_MS) + 1 : 0;
}

void sgc_servers_stats(const struct sgc_servers *servers, struct sgc_servers_stats *out)
{
    uint64_t now_ns = sg_clock_mono_ns();
    *out = (struct sgc_servers_stats){.count = servers->count, .agree = servers->agree};
    out->questions = LOAD(servers->questions);
    out->no_quorum = LOAD(servers->no_quorum);
    out->head = LOAD(servers->head);
    for (uint32_t i = 0; i < servers->count; i++) {
        server_stats(&servers->servers[i], now_ns, &out->servers[i]);
        out->in_use += out->servers[i].left_out_ms == 0;
    }
}
