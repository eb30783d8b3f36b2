#include "controlplane/chain/onchain.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/secret.h"
#include "controlplane/chain/agreed.h"
#include "controlplane/chain/chainconf.h"
#include "controlplane/chain/eip1271.h"
#include "controlplane/chain/solask.h"
#include "controlplane/chain/squads.h"
#include "controlplane/sys/ed25519.h"
#include "dataplane/gate/budget.h"
#include "edgecache/state/state.h"

#include <pthread.h>

struct chain {
    struct sg_caip_chain name;
    pthread_mutex_t turn;
    struct sgc_servers *servers;
    bool is_itself; /* under `turn`: its servers are those of the chain that it is called after */
};

/* What a reload replaces as a whole. */
struct desk {
    uint32_t users; /* under the lock; whoever is the last ends it */
    struct sgc_ed25519 *key;
    uint32_t per_tenant_per_minute;
    uint32_t count;
    struct chain chains[SGC_ONCHAIN_CHAINS_MAX];
};

struct sgc_onchain {
    struct sgd_onchain seam, here;
    pthread_mutex_t lock;
    pthread_cond_t left; /* the relay */
    struct desk *desk;   /* NULL: no chain is asked here */
    struct sgd_budget *budget;
    const struct sgd_onchain *relay;
    uint32_t at_relay;
    uint64_t held, refused, unanswered; /* atomic */
};

/* ---- what is asked with ---- */

static void desk_close(struct desk *desk)
{
    if (desk == NULL)
        return;
    for (uint32_t i = 0; i < desk->count; i++) {
        pthread_mutex_destroy(&desk->chains[i].turn);
        sgc_servers_close(desk->chains[i].servers);
    }
    sgc_ed25519_close(desk->key);
    sg_boot_free(desk);
}

static struct desk *desk_ref(struct sgc_onchain *onchain)
{
    pthread_mutex_lock(&onchain->lock);
    struct desk *desk = onchain->desk;
    if (desk != NULL)
        desk->users++;
    pthread_mutex_unlock(&onchain->lock);
    return desk;
}

static void desk_unref(struct sgc_onchain *onchain, struct desk *desk)
{
    if (desk == NULL)
        return;
    pthread_mutex_lock(&onchain->lock);
    SG_ASSERT(desk->users > 0);
    bool last = --desk->users == 0;
    pthread_mutex_unlock(&onchain->lock);
    if (last)
        desk_close(desk);
}

static enum sg_err desk_add(struct desk *desk, const struct sgc_onchain_chain *conf)
{
    struct chain *chain = &desk->chains[desk->count];
    if (desk->count == SGC_ONCHAIN_CHAINS_MAX)
        return SG_EFULL;
    enum sg_err err = sgc_servers_open(&conf->servers, &chain->servers);
    if (err != SG_OK)
        return err;
    chain->name = conf->chain;
    pthread_mutex_init(&chain->turn, NULL);
    desk->count++;
    return SG_OK;
}

static enum sg_err desk_open(const char *key_file, uint32_t per_tenant_per_minute,
                             struct desk **out)
{
    struct desk *desk = sg_boot_alloc(sizeof(*desk));
    if (desk == NULL)
        return SG_ENOMEM;
    desk->users = 1;
    desk->per_tenant_per_minute = per_tenant_per_minute;
    enum sg_err err = sgc_ed25519_load(key_file, &desk->key);
    if (err == SG_OK)
        *out = SG_TAKE(desk);
    desk_close(desk);
    return err;
}

static void desk_replace(struct sgc_onchain *onchain, struct desk *desk)
{
    pthread_mutex_lock(&onchain->lock);
    struct desk *before = onchain->desk;
    onchain->desk = desk;
    pthread_mutex_unlock(&onchain->lock);
    desk_unref(onchain, before);
}

/* ---- asking ---- */

static struct chain *chain_find(struct desk *desk, const struct sg_caip_chain *name)
{
    for (uint32_t i = 0; desk != NULL && i < desk->count; i++) {
        if (sg_caip_chain_eq(&desk->chains[i].name, name))
            return &desk->chains[i];
    }
    return NULL;
}

/* Another chain's servers would speak of another chain's wallets. */
static enum sg_err chain_check(struct chain *chain)
{
    uint64_t id = 0;
    char genesis[33] = "";
    if (chain->is_itself)
        return SG_OK;
    enum sg_err err = chain->name.ns == SG_CAIP_SOLANA ? sgc_solask_genesis(chain->servers, genesis)
                                                       : sgc_agreed_chain_id(chain->servers, &id);
    chain->is_itself =
        err == SG_OK && id == chain->name.evm_id && strcmp(genesis, chain->name.solana) == 0;
    return err == SG_OK && !chain->is_itself ? SG_ENOTSUP : err;
}

static enum sg_err ask_contract(struct chain *chain, const struct sgd_grant *grant)
{
    uint8_t digest[32];
    enum sg_err err = sgd_grant_digest(grant, digest);
    return err != SG_OK ? err
                        : sgc_eip1271_ask(chain->servers, grant->account.address.bytes, digest,
                                          grant->signature);
}

static enum sg_err ask_multisig(struct chain *chain, const struct sgd_grant *grant)
{
    struct sgd_multisig multisig;
    return sgd_grant_multisig(grant, &multisig)
               ? sgc_squads_ask(chain->servers, grant->account.address.bytes, &multisig)
               : SG_EAUTH;
}

static enum sg_err chain_ask_in_turn(struct chain *chain, const struct sgd_grant *grant)
{
    enum sg_err err = chain_check(chain);
    if (err != SG_OK)
        return err;
    return chain->name.ns == SG_CAIP_SOLANA ? ask_multisig(chain, grant)
                                            : ask_contract(chain, grant);
}

static enum sg_err chain_ask(struct chain *chain, const struct sgd_grant *grant, uint64_t until_ns)
{
    const struct timespec until = {.tv_sec = (time_t)(until_ns / SG_NS_PER_SEC),
                                   .tv_nsec = (long)(until_ns % SG_NS_PER_SEC)};
    if (pthread_mutex_clocklock(&chain->turn, CLOCK_MONOTONIC, &until) != 0)
        return SG_ETIMEDOUT;
    sgc_servers_until(chain->servers, until_ns);
    enum sg_err err = chain_ask_in_turn(chain, grant);
    pthread_mutex_unlock(&chain->turn);
    return err == SG_EAGAIN && sg_clock_mono_ns() >= until_ns ? SG_ETIMEDOUT : err;
}

static enum sg_err countersign(const struct desk *desk, const struct sgd_grant *grant,
                               uint8_t out[64])
{
    char memory[2 * SGD_GRANT_BYTES_MAX];
    struct sg_out structure = sg_out_init(memory, sizeof(memory));
    enum sg_err err = sgd_grant_put_countersigned(&structure, grant);
    if (err == SG_OK)
        err = sgc_ed25519_sign(desk->key, sg_out_view(&structure), out);
    return err;
}

static void count(struct sgc_onchain *onchain, enum sg_err err)
{
    uint64_t *counter = err == SG_OK      ? &onchain->held
                        : err == SG_EAUTH ? &onchain->refused
                                          : &onchain->unanswered;
    __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static bool may_ask(struct sgc_onchain *onchain, const struct desk *desk,
                    const struct sgd_grant *grant)
{
    return sgd_budget_name(onchain->budget, sge_tenant_id(grant->tenant),
                           desk->per_tenant_per_minute, sg_clock_wall_ns() / SG_NS_PER_SEC);
}

static enum sg_err desk_ask(struct sgc_onchain *onchain, struct desk *desk,
                            const struct sgd_grant *grant, uint64_t until_ns, uint8_t out[64])
{
    struct chain *chain = chain_find(desk, &grant->account.chain);
    if (chain == NULL)
        return SG_ENOTSUP;
    enum sg_err err = may_ask(onchain, desk, grant) ? chain_ask(chain, grant, until_ns) : SG_EBUSY;
    if (err == SG_OK)
        err = countersign(desk, grant, out);
    return err;
}

/* SG_ENOTSUP: not here. Any other end is counted. */
static enum sg_err ask_here(struct sgc_onchain *onchain, const struct sgd_grant *grant,
                            uint32_t timeout_ms, uint8_t out[64])
{
    uint64_t until_ns = sg_clock_mono_ns() + timeout_ms * SG_NS_PER_MS;
    struct desk *desk = desk_ref(onchain);
    enum sg_err err = desk_ask(onchain, desk, grant, until_ns, out);
    desk_unref(onchain, desk);
    if (err != SG_ENOTSUP)
        count(onchain, err);
    return err;
}

static enum sg_err ask_relay(struct sgc_onchain *onchain, const struct sgd_grant *grant,
                             uint32_t timeout_ms, uint8_t out[64])
{
    pthread_mutex_lock(&onchain->lock);
    const struct sgd_onchain *relay = onchain->relay;
    onchain->at_relay += relay != NULL;
    pthread_mutex_unlock(&onchain->lock);
    if (relay == NULL)
        return SG_ENOTSUP;
    enum sg_err err = relay->ask(relay->ctx, grant, timeout_ms, out);
    pthread_mutex_lock(&onchain->lock);
    onchain->at_relay--;
    pthread_cond_broadcast(&onchain->left);
    pthread_mutex_unlock(&onchain->lock);
    count(onchain, err);
    return err;
}

static enum sg_err on_ask_here(void *ctx, const struct sgd_grant *grant, uint32_t timeout_ms,
                               uint8_t out[64])
{
    SG_ASSERT(grant->alg == SGD_GRANT_ON_CHAIN && grant->signature.ptr != NULL);
    return ask_here(ctx, grant, timeout_ms, out);
}

static enum sg_err on_ask(void *ctx, const struct sgd_grant *grant, uint32_t timeout_ms,
                          uint8_t out[64])
{
    enum sg_err err = on_ask_here(ctx, grant, timeout_ms, out);
    return err == SG_ENOTSUP ? ask_relay(ctx, grant, timeout_ms, out) : err;
}

/* ---- opening ---- */

enum sg_err sgc_onchain_open(struct sgc_onchain **out)
{
    SG_ASSERT(out != NULL);
    struct sgc_onchain *onchain = sg_boot_alloc(sizeof(*onchain));
    if (onchain == NULL)
        return SG_ENOMEM;
    onchain->seam = (struct sgd_onchain){onchain, on_ask};
    onchain->here = (struct sgd_onchain){onchain, on_ask_here};
    pthread_mutex_init(&onchain->lock, NULL);
    pthread_cond_init(&onchain->left, NULL);
    enum sg_err err = sgd_budget_open(&onchain->budget);
    if (err == SG_OK)
        *out = SG_TAKE(onchain);
    sgc_onchain_close(onchain);
    return err;
}

void sgc_onchain_close(struct sgc_onchain *onchain)
{
    if (onchain == NULL)
        return;
    SG_ASSERT(onchain->at_relay == 0);
    desk_close(onchain->desk);
    sgd_budget_close(onchain->budget);
    pthread_cond_destroy(&onchain->left);
    pthread_mutex_destroy(&onchain->lock);
    sg_boot_free(onchain);
}

enum sg_err sgc_onchain_set(struct sgc_onchain *onchain, const struct sgc_onchain_options *options)
{
    SG_ASSERT(onchain != NULL && options != NULL);
    struct desk *desk = NULL;
    enum sg_err err = SG_OK;
    if (options->key_file != NULL)
        err = desk_open(options->key_file, options->per_tenant_per_minute, &desk);
    for (uint32_t i = 0; desk != NULL && err == SG_OK && i < options->count; i++)
        err = desk_add(desk, &options->chains[i]);
    if (err == SG_OK)
        desk_replace(onchain, SG_TAKE(desk));
    desk_close(desk);
    return err;
}

static enum sg_err desk_add_configured(struct desk *desk, const struct sg_conf_chain *conf)
{
    struct sgc_rpc_options servers[SGC_SERVERS_MAX];
    struct sgc_onchain_chain chain = {.servers = sgc_chainconf_servers(conf, servers)};
    bool right = sg_caip_chain_read(sg_str_from(conf->id), &chain.chain);
    SG_ASSERT(right); /* the configuration was checked */
    return desk_add(desk, &chain);
}

enum sg_err sgc_onchain_configure(struct sgc_onchain *onchain, const struct sg_config *config,
                                  struct sg_out *report)
{
    SG_ASSERT(onchain != NULL && config != NULL);
    const char *key_file = config->gate.countersign_key;
    struct desk *desk = NULL;
    enum sg_err err = SG_OK;
    if (key_file != NULL)
        err = desk_open(key_file, config->gate.on_chain_per_tenant_per_minute, &desk);
    if (err != SG_OK)
        sg_out_fmt(report,
                   "gate.countersign_key: %s: %s; right would be an Ed25519 key that only "
                   "its owner may read\n",
                   key_file, sg_secret_fault(err));
    for (uint32_t i = 0; desk != NULL && err == SG_OK && i < config->chains_count; i++) {
        err = desk_add_configured(desk, &config->chains[i]);
        if (err != SG_OK)
            sg_out_fmt(report, "chains[%u]: %s: %s\n", i, config->chains[i].id, sg_err_text(err));
    }
    if (err == SG_OK)
        desk_replace(onchain, SG_TAKE(desk));
    desk_close(desk);
    return err;
}

void sgc_onchain_set_relay(struct sgc_onchain *onchain, const struct sgd_onchain *relay)
{
    SG_ASSERT(onchain != NULL);
    pthread_mutex_lock(&onchain->lock);
    onchain->relay = NULL;
    while (onchain->at_relay > 0)
        pthread_cond_wait(&onchain->left, &onchain->lock);
    onchain->relay = relay;
    pthread_mutex_unlock(&onchain->lock);
}

uint32_t sgc_onchain_chains(struct sgc_onchain *onchain,
                            struct sg_caip_chain out[SGC_ONCHAIN_CHAINS_MAX])
{
    struct desk *desk = desk_ref(onchain);
    uint32_t count = desk != NULL ? desk->count : 0;
    for (uint32_t i = 0; i < count; i++)
        out[i] = desk->chains[i].name;
    desk_unref(onchain, desk);
    return count;
}

const struct sgd_onchain *sgc_onchain_seam(const struct sgc_onchain *onchain)
{
    return &onchain->seam;
}

const struct sgd_onchain *sgc_onchain_here(const struct sgc_onchain *onchain)
{
    return &onchain->here;
}

void sgc_onchain_metrics(const struct sgc_onchain *onchain, struct sg_out *out)
{
    const struct {
        const char *said;
        const uint64_t *count;
    } rows[] = {
        {"yes", &onchain->held}, {"no", &onchain->refused}, {"nothing", &onchain->unanswered}};
    sg_out_lit(out,
               "# HELP streamgate_onchain_signatures_total Signatures that chains were asked "
               "about, by what they said.\n# TYPE streamgate_onchain_signatures_total counter\n");
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        sg_out_fmt(out, "streamgate_onchain_signatures_total{said=\"%s\"} %llu\n", rows[i].said,
                   (unsigned long long)__atomic_load_n(rows[i].count, __ATOMIC_RELAXED));
}
