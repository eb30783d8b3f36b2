#include "dataplane/gate/gate.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/b64url.h"
#include "base/clock.h"
#include "base/secret.h"
#include "dataplane/gate/check.h"
#include "dataplane/gate/grant.h"
#include "dataplane/gate/keys.h"
#include "dataplane/gate/rules.h"
#include "dataplane/gate/verdicts.h"
#include "dataplane/gate/viewers.h"

#include <stdatomic.h>

/* A heartbeat that is further ahead of us than this was given by a clock that was wrong. */
#define FED_AHEAD_NS (60 * SG_NS_PER_SEC)
/* A tenant that chose "shorten" lets tokens pass until the feed is this many limits old. */
#define SHORTEN_LIMITS 2

struct tenant {
    const struct sg_conf_tenant *conf;
    struct sg_str name;
    struct sgd_verify_key **issuers;
    uint32_t issuers_count;
    uint32_t id; /* sge_tenant_id() */
    bool keyed;
    uint8_t key[SGD_KEY_BYTES];
    uint32_t regions_count; /* that we take over from, and ours under another secret */
    struct {
        struct sg_str name;
        uint8_t key[SGD_KEY_BYTES];
    } regions[SG_CONF_REGIONS_MAX];
    uint32_t skew_s;
    uint64_t stale_limit_ns;
    enum sg_conf_on_stale on_stale;
};

struct site {
    const struct sg_conf_site *conf;
    struct sg_str name;
    enum sg_conf_access access;
    bool readable; /* false: closed, whatever its access says */
    bool allows_only, denies, any_host;
    uint32_t tenant, rule_version;
    const struct sgd_rule *rule;
    struct sgd_countries allow, deny;
};

struct sgd_gate {
    uint64_t
        serial; /* never given twice in a process: what a worker keeps of one gate is no other's */
    struct sg_str region;
    struct sgd_geo geo;
    struct sgd_verify_key **countersigners;
    uint32_t countersigners_count;
    struct tenant *tenants; /* with their keys: secret memory */
    size_t tenants_bytes;
    uint32_t tenants_count;
    struct site *sites;
    uint32_t sites_count;
    struct sgd_rules *rules;
};

struct sgd_gate_core {
    struct sgd_verdicts *verdicts;
    struct sgd_keyring keyring;
    struct sgd_geo_cache geo;
    struct sgd_verdict large; /* a token too large to be kept, while it is judged */
    uint8_t bytes[SGD_TOKEN_BYTES_MAX];
};

/* ---- opening ---- */

/* Keys that can't be read are left out: what they would have vouched for is refused. */
static enum sg_err keys_open(const struct sg_conf_public_key *files, uint32_t count,
                             struct sg_out *report, struct sgd_verify_key ***out, uint32_t *opened)
{
    *out = sg_boot_alloc_array(count, sizeof(**out));
    if (*out == NULL && count > 0)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        enum sg_err err = sgd_verify_key_load(files[i].key_file, &(*out)[*opened]);
        *opened += err == SG_OK;
        if (err != SG_OK)
            sg_out_fmt(report, "key_file %s: %s\n", files[i].key_file, sg_err_text(err));
    }
    return SG_OK;
}

static void keys_close(struct sgd_verify_key **keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sgd_verify_key_close(keys[i]);
    sg_boot_free(keys);
}

static const char *secret_fault(enum sg_err err)
{
    return err == SG_ERANGE ? "must hold 32 to 1024 bytes" : sg_secret_fault(err);
}

/* A region whose secret can't be read is one whose tokens are refused. */
static void regions_open(struct tenant *tenant, uint32_t index, struct sg_out *report)
{
    const struct sg_conf_tenant *conf = tenant->conf;
    for (uint32_t i = 0; i < conf->regions_count; i++) {
        const struct sg_conf_region *region = &conf->regions[i];
        uint32_t at = tenant->regions_count;
        enum sg_err err =
            at == SG_CONF_REGIONS_MAX
                ? SG_EFULL
                : sgd_key_tenant_load(region->secret_file, tenant->name, tenant->regions[at].key);
        if (err != SG_OK) {
            sg_out_fmt(report, "tenants[%u].regions[%u].secret_file: %s: %s\n", index, i,
                       region->secret_file, secret_fault(err));
            continue;
        }
        tenant->regions[at].name = sg_str_from(region->name);
        tenant->regions_count++;
    }
}

static enum sg_err tenant_open(struct tenant *tenant, const struct sg_config *config,
                               uint32_t index, struct sg_out *report)
{
    const struct sg_conf_tenant *conf = tenant->conf = &config->tenants[index];
    tenant->name = sg_str_from(conf->name);
    tenant->id = sge_tenant_id(tenant->name);
    tenant->skew_s = conf->clock_skew_s;
    tenant->stale_limit_ns = conf->stale_limit_s * SG_NS_PER_SEC;
    tenant->on_stale = conf->on_stale;
    enum sg_err opened = keys_open(conf->issuers, conf->issuers_count, report, &tenant->issuers,
                                   &tenant->issuers_count);
    if (conf->secret_file == NULL)
        return opened;
    enum sg_err err = sgd_key_tenant_load(conf->secret_file, tenant->name, tenant->key);
    tenant->keyed = err == SG_OK;
    if (err != SG_OK)
        sg_out_fmt(report, "tenants[%u].secret_file: %s: %s\n", index, conf->secret_file,
                   secret_fault(err));
    regions_open(tenant, index, report);
    return opened;
}

static void db_open(const char *key, const char *path, struct sgd_mmdb **db, struct sg_out *report)
{
    enum sg_err err = path == NULL ? SG_OK : sgd_mmdb_open(path, db);
    if (err != SG_OK)
        sg_out_fmt(report, "gate.%s: %s: %s\n", key, path, sg_err_text(err));
}

static bool countries_open(const char *const *codes, uint32_t count, struct sgd_countries *set)
{
    bool good = true;
    for (uint32_t i = 0; i < count; i++)
        good = sgd_countries_add(set, sg_str_from(codes[i])) && good;
    return good;
}

/* NULL, or why the site can't be opened. */
static const char *site_fault(const struct sgd_gate *gate, struct site *site, bool geo_good)
{
    const char *fault = NULL;
    if (!geo_good)
        return "geo: a country is two letters";
    if ((site->allows_only || site->denies) && gate->geo.country == NULL)
        return "geo needs a readable gate.country_db";
    if (site->access != SG_CONF_ACCESS_TOKEN)
        return NULL;
    if (site->tenant == gate->tenants_count)
        return "access: token needs a tenant";
    if (!gate->tenants[site->tenant].keyed)
        return "access: token needs a readable tenant secret_file";
    if (site->conf->rule != NULL)
        site->rule = sgd_rules_of(gate->rules, site->conf, gate->geo.country != NULL,
                                  &site->rule_version, &fault);
    return fault;
}

static void site_open(const struct sgd_gate *gate, const struct sg_config *config, uint32_t index,
                      struct sg_out *report)
{
    struct site *site = &gate->sites[index];
    const struct sg_conf_site *conf = &config->sites[index];
    const struct sg_conf_geo *geo = &conf->geo;
    struct sg_str tenant = sg_str_from(conf->tenant);
    while (site->tenant < gate->tenants_count &&
           !sg_str_eq(gate->tenants[site->tenant].name, tenant))
        site->tenant++;
    site->conf = conf;
    site->name = sg_str_from(conf->name);
    site->access = conf->access;
    site->allows_only = geo->allow_count > 0;
    site->denies = geo->deny_count > 0;
    for (uint32_t i = 0; i < conf->hosts_count; i++)
        site->any_host = site->any_host || strcmp(conf->hosts[i], "*") == 0;
    bool geo_good =
        countries_open((const char *const *)geo->allow, geo->allow_count, &site->allow) &&
        countries_open((const char *const *)geo->deny, geo->deny_count, &site->deny);
    const char *fault = site_fault(gate, site, geo_good);
    site->readable = fault == NULL;
    if (fault != NULL)
        sg_out_fmt(report, "sites[%u]: site %s is closed: %s\n", index, conf->name, fault);
}

enum sg_err sgd_gate_open(const struct sg_config *config, struct sg_out *report,
                          struct sgd_gate **out)
{
    static _Atomic uint64_t serials;
    SG_ASSERT(config != NULL && report != NULL);
    SG_ASSERT(out != NULL);
    struct sgd_gate *gate = sg_boot_alloc(sizeof(*gate));
    if (gate == NULL)
        return SG_ENOMEM;
    enum sg_err err = SG_ENOMEM;
    gate->serial = gate->geo.serial = atomic_fetch_add(&serials, 1) + 1;
    gate->region = sg_str_from(config->node.region);
    gate->tenants_bytes = config->tenants_count * sizeof(*gate->tenants);
    gate->tenants = sg_secret_alloc(gate->tenants_bytes);
    gate->sites = sg_boot_alloc_array(config->sites_count, sizeof(*gate->sites));
    if (gate->tenants == NULL || gate->sites == NULL)
        goto out;
    db_open("country_db", config->gate.country_db, &gate->geo.country, report);
    db_open("asn_db", config->gate.asn_db, &gate->geo.asn, report);
    err = keys_open(config->gate.countersigners, config->gate.countersigners_count, report,
                    &gate->countersigners, &gate->countersigners_count);
    gate->tenants_count = config->tenants_count;
    for (uint32_t i = 0; i < gate->tenants_count && err == SG_OK; i++)
        err = tenant_open(&gate->tenants[i], config, i, report);
    if (err != SG_OK)
        goto out;
    err = sgd_rules_open(config, report, &gate->rules);
    if (err != SG_OK)
        goto out;
    gate->sites_count = config->sites_count;
    for (uint32_t i = 0; i < gate->sites_count; i++)
        site_open(gate, config, i, report);
    *out = SG_TAKE(gate);
out:
    sgd_gate_close(gate);
    return err;
}

void sgd_gate_close(struct sgd_gate *gate)
{
    if (gate == NULL)
        return;
    sgd_mmdb_close(gate->geo.country);
    sgd_mmdb_close(gate->geo.asn);
    sgd_rules_close(gate->rules);
    keys_close(gate->countersigners, gate->countersigners_count);
    for (uint32_t i = 0; gate->tenants != NULL && i < gate->tenants_count; i++)
        keys_close(gate->tenants[i].issuers, gate->tenants[i].issuers_count);
    sg_secret_free(gate->tenants, gate->tenants_bytes);
    sg_boot_free(gate->sites);
    sg_boot_free(gate);
}

const struct sgd_rule *sgd_gate_rule(const struct sgd_gate *gate, uint32_t site)
{
    SG_ASSERT(gate != NULL && site < gate->sites_count);
    return gate->sites[site].readable ? gate->sites[site].rule : NULL;
}

uint32_t sgd_gate_unreadable(const struct sgd_gate *gate)
{
    SG_ASSERT(gate != NULL);
    uint32_t count = 0;
    for (uint32_t i = 0; i < gate->sites_count; i++)
        count += !gate->sites[i].readable;
    return count;
}

bool sgd_gate_terms(const struct sgd_gate *gate, uint32_t site, struct sgd_gate_terms *out)
{
    SG_ASSERT(gate != NULL && site < gate->sites_count);
    const struct site *s = &gate->sites[site];
    if (s->access != SG_CONF_ACCESS_TOKEN || !s->readable)
        return false;
    const struct tenant *tenant = &gate->tenants[s->tenant];
    *out = (struct sgd_gate_terms){
        .site = s->name,
        .path = sg_str_from(s->conf->path),
        .region = gate->region,
        .tenant = tenant->name,
        .tenant_id = tenant->id,
        .tenant_keys = {tenant->key},
        .tenant_keys_count = 1,
        .skew_s = tenant->skew_s,
        .token_lifetime_s = tenant->conf->token_lifetime_s,
        .provisional_s = tenant->conf->provisional_s,
        .domains = (const char *const *)tenant->conf->sign_in_domains,
        .domains_count = tenant->conf->sign_in_domains_count,
        .any_host = s->any_host,
        .issuers = tenant->issuers,
        .issuers_count = tenant->issuers_count,
        .countersigners = gate->countersigners,
        .countersigners_count = gate->countersigners_count,
        .sign_in = s->conf->sign_in,
        .list_proofs_url = s->conf->list_proofs_url,
        .rule = s->rule,
        .rule_version = s->rule_version,
        .geo = &gate->geo,
    };
    for (uint32_t i = 0; i < tenant->regions_count; i++)
        if (sg_str_eq(tenant->regions[i].name, gate->region))
            out->tenant_keys[out->tenant_keys_count++] = tenant->regions[i].key;
    return true;
}

enum sg_err sgd_gate_core_open(uint32_t entries, struct sgd_gate_core **out)
{
    SG_ASSERT(out != NULL);
    struct sgd_gate_core *core = sg_secret_alloc(sizeof(*core)); /* for its keyring */
    if (core == NULL)
        return SG_ENOMEM;
    enum sg_err err = sgd_verdicts_open(entries, &core->verdicts);
    if (err == SG_OK)
        *out = SG_TAKE(core);
    sgd_gate_core_close(core);
    return err;
}

void sgd_gate_core_close(struct sgd_gate_core *core)
{
    if (core == NULL)
        return;
    sgd_verdicts_close(core->verdicts);
    sg_secret_free(core, sizeof(*core));
}

/* ---- deciding ---- */

/* One decision under way. */
struct look {
    const struct sgd_gate *gate;
    struct sgd_gate_core *core;
    struct sge_state_reader *reader;
    struct sge_stats *stats;
    const struct sgd_gate_request *in;
    struct sgd_gate_answer *out;
    const struct site *site;
    const struct tenant *tenant; /* of token sites */
    uint64_t now_s;
};

static const struct in6_addr *address_of(const struct look *look)
{
    const struct sgd_peer *peer = look->in->req->peer;
    return peer != NULL ? &peer->remote.sin6_addr : NULL;
}

static struct sgd_place place_of(const struct look *look)
{
    const struct in6_addr *address = address_of(look);
    if (address == NULL)
        return (struct sgd_place){.asn = 0};
    return sgd_geo_find(&look->gate->geo, &look->core->geo, address);
}

/* Where a rule says "only these", a viewer from nowhere known is not one of them. */
static bool site_country_holds(const struct look *look)
{
    const struct site *site = look->site;
    if (!site->allows_only && !site->denies)
        return true;
    struct sgd_place place = place_of(look);
    return (!site->allows_only || sgd_countries_has(&site->allow, place.country)) &&
           !sgd_countries_has(&site->deny, place.country);
}

/* The tenant's keys: the region's, and then those of `regions`; the first that is `name`'s, from
 * `at` on. A region that changes its secret has two for a while. */
static bool key_find(const struct look *look, struct sg_str name, uint32_t *at)
{
    const struct tenant *tenant = look->tenant;
    while (*at <= tenant->regions_count &&
           !sg_str_eq(name, *at == 0 ? look->gate->region : tenant->regions[*at - 1].name))
        ++*at;
    return *at <= tenant->regions_count;
}

/* Which key the token says it is under: this site's tenant's, of an epoch that is open. */
static enum sgd_gate_verdict kid_check(const struct look *look, const struct sgd_token *token,
                                       struct sgd_kid *kid)
{
    uint32_t at = 0;
    enum sgd_gate_verdict verdict = sgd_kid_read(token->kid, kid);
    if (verdict != SGD_GATE_allowed)
        return verdict;
    if (!key_find(look, kid->region, &at))
        return SGD_GATE_key_unknown;
    if (!sg_str_eq(kid->tenant, look->tenant->name))
        return SGD_GATE_tenant;
    uint32_t epoch_min = sge_state_epoch_min(look->reader, look->tenant->id);
    return sgd_epoch_accepted(kid->epoch, look->now_s, look->tenant->skew_s, epoch_min)
               ? SGD_GATE_allowed
               : SGD_GATE_epoch;
}

static bool mac_holds(const struct look *look, const struct sgd_token *token,
                      const struct sgd_kid *kid)
{
    const struct tenant *tenant = look->tenant;
    for (uint32_t at = 0; key_find(look, kid->region, &at); at++) {
        uint32_t number = look->site->tenant + at * look->gate->tenants_count;
        sge_stat_add(look->stats, SGE_STAT_gate_macs, 1);
        if (sgd_token_mac_holds(
                token, sgd_keyring_get(&look->core->keyring, look->gate->serial, number, kid->epoch,
                                       at == 0 ? tenant->key : tenant->regions[at - 1].key)))
            return true;
    }
    return false;
}

/* From the text to claims that can be believed; *out is kept for the next time where it fits. */
static enum sgd_gate_verdict token_verify(const struct look *look, struct sg_str text,
                                          uint64_t hash, struct sgd_verdict **out)
{
    struct sgd_gate_core *core = look->core;
    struct sgd_token token;
    struct sgd_kid kid;
    size_t len;
    if (text.len > SGD_TOKEN_TEXT_MAX)
        return SGD_GATE_too_large;
    if (!sg_b64url_read(text, core->bytes, sizeof(core->bytes), &len))
        return SGD_GATE_malformed;
    enum sgd_gate_verdict verdict =
        sgd_token_read((struct sg_str){(const char *)core->bytes, len}, &token);
    if (verdict == SGD_GATE_allowed)
        verdict = kid_check(look, &token, &kid);
    if (verdict != SGD_GATE_allowed)
        return verdict;
    if (!mac_holds(look, &token, &kid))
        return SGD_GATE_mac;
    struct sgd_verdict *entry = sgd_verdicts_place(core->verdicts, hash, text, token.payload);
    struct sg_str payload = token.payload;
    if (entry != NULL)
        payload.ptr = (const char *)entry->payload;
    else
        entry = &core->large;
    verdict = sgd_claims_read(payload, &entry->claims);
    if (verdict == SGD_GATE_allowed && entry == &core->large && entry->claims.viewers > 0)
        verdict = SGD_GATE_claim_unknown; /* who used it is only known of tokens that are kept */
    if (verdict != SGD_GATE_allowed)
        return verdict;
    if (!entry->claims.has_cti) { /* every token has a name, for the log and to revoke it by */
        uint8_t digest[SG_SHA256_BYTES];
        sg_sha256(text.ptr, text.len, digest);
        memcpy(entry->claims.cti, digest, sizeof(entry->claims.cti));
    }
    entry->tenant = look->site->tenant;
    entry->epoch = kid.epoch;
    entry->state_version = 0;
    entry->gate = look->gate->serial;
    *out = entry;
    return SGD_GATE_allowed;
}

static enum sgd_gate_verdict token_find(const struct look *look, struct sgd_verdict **out)
{
    struct sg_str text = look->in->stripped->token;
    uint64_t hash;
    struct sgd_verdict *known =
        sgd_verdicts_find(look->core->verdicts, look->gate->serial, text, &hash);
    if (known == NULL || known->tenant != look->site->tenant)
        return token_verify(look, text, hash, out);
    sge_stat_add(look->stats, SGE_STAT_gate_verdict_hits, 1);
    *out = known;
    return SGD_GATE_allowed;
}

/* The state answers the same as long as its version is the same: so it is asked once a version. */
static enum sgd_gate_verdict state_check(const struct look *look, struct sgd_verdict *token)
{
    struct sgd_token_fact fact = {0};
    uint64_t version = sge_state_reader_version(look->reader);
    if (token->state_version != version) {
        token->epoch_min = sge_state_epoch_min(look->reader, look->tenant->id);
        enum sgd_gate_verdict verdict =
            sgd_check_state(&token->claims, look->reader, look->tenant->id, &fact, &token->chains);
        look->out->fact_key = fact.key;
        look->out->fact_generation = fact.generation;
        if (verdict != SGD_GATE_allowed)
            return verdict;
        token->state_version = version;
    } else if (token->claims.facts_count > 0) {
        look->out->fact_key = token->claims.facts[0].key;
        look->out->fact_generation = token->claims.facts[0].generation;
    }
    return sgd_epoch_accepted(token->epoch, look->now_s, look->tenant->skew_s, token->epoch_min)
               ? SGD_GATE_allowed
               : SGD_GATE_epoch;
}

/* What is that old: may it serve on? Told in *stale and *until_ns where it may. */
static enum sgd_gate_verdict age_check(const struct tenant *tenant, uint64_t age_ns,
                                       uint64_t wall_ns, enum sgd_gate_verdict refusal, bool *stale,
                                       uint64_t *until_ns)
{
    const uint64_t limit_ns = tenant->stale_limit_ns;
    if (age_ns <= limit_ns)
        return SGD_GATE_allowed;
    *stale = true;
    if (tenant->on_stale == SG_CONF_STALE_SERVE)
        return SGD_GATE_allowed;
    if (tenant->on_stale == SG_CONF_STALE_REFUSE || age_ns >= SHORTEN_LIMITS * limit_ns)
        return refusal;
    *until_ns = SG_MIN(*until_ns, wall_ns - age_ns + SHORTEN_LIMITS * limit_ns);
    return SGD_GATE_allowed;
}

/* UINT64_MAX: never heard of, or told by a clock that is wrong. */
static uint64_t age_of(uint64_t then_ns, uint64_t wall_ns)
{
    if (then_ns == 0 || then_ns > wall_ns + FED_AHEAD_NS)
        return UINT64_MAX;
    return then_ns > wall_ns ? 0 : wall_ns - then_ns;
}

/* Since the servers last agreed on a head; and where the head itself is so old that the chain, or
 * all of them, stand still: since that head. */
static uint64_t chain_age(const struct sge_state *state, uint32_t chain, uint64_t wall_ns)
{
    struct sge_chain_times times;
    if (sge_state_chain_times(state, chain, &times) != SG_OK)
        return UINT64_MAX;
    uint64_t heard_ns = age_of(times.heard_ns, wall_ns);
    uint64_t head_ns = age_of(times.head_s * SG_NS_PER_SEC, wall_ns);
    bool still = times.late_s != 0 && head_ns > times.late_s * SG_NS_PER_SEC;
    return still ? SG_MAX(heard_ns, head_ns) : heard_ns;
}

enum sgd_gate_verdict sgd_gate_feed_check(const struct sgd_gate *gate, uint32_t site,
                                          const struct sge_state *state,
                                          const struct sgd_chains *chains, uint64_t wall_ns,
                                          struct sgd_gate_feed *out)
{
    SG_ASSERT(site < gate->sites_count && gate->sites[site].tenant < gate->tenants_count);
    const struct tenant *tenant = &gate->tenants[gate->sites[site].tenant];
    *out = (struct sgd_gate_feed){.until_ns = UINT64_MAX};
    enum sgd_gate_verdict verdict =
        age_check(tenant, age_of(sge_state_fed_ns(state), wall_ns), wall_ns, SGD_GATE_feed_stale,
                  &out->stale, &out->until_ns);
    for (uint8_t i = 0; i < chains->count && verdict == SGD_GATE_allowed; i++)
        verdict = age_check(tenant, chain_age(state, chains->ids[i], wall_ns), wall_ns,
                            SGD_GATE_chain_stale, &out->stale_chain, &out->until_ns);
    return verdict;
}

/* How old what we know of ownership is; asked only of tokens that rest on it. */
static enum sgd_gate_verdict freshness_check(const struct look *look,
                                             const struct sgd_chains *chains)
{
    struct sgd_gate_feed feed;
    enum sgd_gate_verdict verdict = sgd_gate_feed_check(
        look->gate, look->in->site, sge_state_of(look->reader), chains, look->in->wall_ns, &feed);
    if (verdict != SGD_GATE_allowed)
        return verdict;
    look->out->expires_ns = SG_MIN(look->out->expires_ns, feed.until_ns);
    look->out->stale_knowledge = feed.stale;
    look->out->stale_chain = feed.stale_chain;
    sge_stat_add(look->stats, SGE_STAT_gate_stale_feed, feed.stale);
    sge_stat_add(look->stats, SGE_STAT_gate_stale_chain, feed.stale_chain);
    return SGD_GATE_allowed;
}

static enum sgd_gate_verdict claims_check(const struct look *look, const struct sgd_claims *claims)
{
    const struct sgd_request *req = look->in->req;
    struct sgd_place place = {.asn = 0};
    enum sgd_gate_verdict verdict = sgd_check_tenant(claims, look->tenant->name);
    if (verdict == SGD_GATE_allowed)
        verdict = sgd_check_time(claims, look->now_s, look->tenant->skew_s);
    if (verdict == SGD_GATE_allowed && claims->site.ptr != NULL &&
        !sg_str_eq(claims->site, look->site->name))
        verdict = SGD_GATE_path; /* what another site's rule let in is not let in here */
    if (verdict == SGD_GATE_allowed)
        verdict = sgd_check_uri(claims, req->authority, look->in->path);
    if (verdict == SGD_GATE_allowed)
        verdict = sgd_check_method(claims, req->method);
    if (verdict != SGD_GATE_allowed || claims->networks_count + claims->countries_count == 0)
        return verdict;
    place = place_of(look);
    return sgd_check_place(claims, address_of(look), &place);
}

static void tell_renewal(const struct look *look, const struct sgd_claims *claims)
{
    struct sgd_gate_answer *out = look->out;
    if (claims->renewal.ptr == NULL)
        return;
    SG_ASSERT(claims->renewal.len < sizeof(out->location));
    memcpy(out->location, claims->renewal.ptr, claims->renewal.len);
    out->location[claims->renewal.len] = 0;
    out->renewable = true;
}

/* What tells it from others: the grant that it goes back to, or the token itself. */
static struct sg_str token_id(const struct look *look, const struct sgd_claims *claims)
{
    if (claims->has_cti)
        return (struct sg_str){(const char *)claims->cti, sizeof(claims->cti)};
    return look->in->stripped->token;
}

static enum sgd_gate_verdict token_check(const struct look *look)
{
    struct sgd_verdict *token = NULL;
    if (look->in->stripped->token.ptr == NULL)
        return SGD_GATE_no_token;
    if (look->reader == NULL)
        return SGD_GATE_state;
    enum sgd_gate_verdict verdict = token_find(look, &token);
    if (verdict != SGD_GATE_allowed)
        return verdict;
    const struct sgd_claims *claims = &token->claims;
    memcpy(look->out->cti, claims->cti, sizeof(claims->cti));
    look->out->expires_ns = claims->expires_s * SG_NS_PER_SEC;
    look->out->rule_version = claims->has_facts ? claims->rule_version : 0;
    verdict = claims_check(look, claims);
    if (verdict == SGD_GATE_allowed && claims->has_facts &&
        claims->rule_version < look->site->rule_version)
        verdict = SGD_GATE_rule_version;
    if (verdict == SGD_GATE_expired)
        tell_renewal(look, claims);
    if (verdict == SGD_GATE_allowed)
        verdict = state_check(look, token);
    if (verdict == SGD_GATE_allowed && claims->facts_count > 0)
        verdict = freshness_check(look, &token->chains);
    if (verdict == SGD_GATE_allowed && claims->viewers > 0 && look->in->viewers != NULL &&
        !sgd_viewers_enter(look->in->viewers, token_id(look, claims), claims->viewers,
                           address_of(look), look->now_s))
        verdict = SGD_GATE_concurrency;
    look->out->token_used = verdict == SGD_GATE_allowed;
    return verdict;
}

static enum sgd_gate_verdict site_check(struct look *look)
{
    const struct sgd_gate *gate = look->gate;
    if (look->in->site >= gate->sites_count)
        return SGD_GATE_rule_unreadable;
    look->site = &gate->sites[look->in->site];
    if (!look->site->readable)
        return SGD_GATE_rule_unreadable;
    if (!site_country_holds(look))
        return SGD_GATE_country;
    switch (look->site->access) {
    case SG_CONF_ACCESS_PUBLIC:
        return SGD_GATE_public;
    case SG_CONF_ACCESS_TOKEN:
        look->tenant = &gate->tenants[look->site->tenant];
        return token_check(look);
    case SG_CONF_ACCESS_CLOSED:
        return SGD_GATE_closed;
    }
    return SGD_GATE_rule_unreadable; /* a rule of no kind that we know */
}

void sgd_gate_decide(struct sgd_gate *gate, struct sgd_gate_core *core,
                     struct sge_state_reader *reader, struct sge_stats *stats,
                     const struct sgd_gate_request *in, struct sgd_gate_answer *out)
{
    SG_ASSERT(gate != NULL && core != NULL);
    SG_ASSERT(stats != NULL && in != NULL && out != NULL);
    memset(out, 0, offsetof(struct sgd_gate_answer, location)); /* not all of it: it is large */
    struct look look = {.gate = gate,
                        .core = core,
                        .reader = reader,
                        .stats = stats,
                        .in = in,
                        .out = out,
                        .now_s = in->wall_ns / SG_NS_PER_SEC};
    out->verdict = site_check(&look);
    bool passes = out->verdict == SGD_GATE_public || out->verdict == SGD_GATE_allowed;
    sge_stat_add(stats, passes ? SGE_STAT_gate_allowed : SGE_STAT_gate_refused, 1);
    sge_stat_row_add(&stats->gate[out->verdict]);
}
