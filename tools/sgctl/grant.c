#include "tools/sgctl/grant.h"

#include "base/alloc.h"
#include "base/b64url.h"
#include "base/clock.h"
#include "dataplane/gate/grant.h"
#include "tools/sgctl/say.h"
#include "tools/sgctl/tokens.h"

#include <stdio.h>

#define WAIT_MS 2000 /* for other edges to have a revocation too */

const char sgt_grant_usage[] =
    "sgctl grant inspect GRANT [AUTHORITY]\n"
    "    What it says, what its wallet signed, and whether this node would believe it now, for a\n"
    "    request to AUTHORITY: the host that it names, where none is given. Asks no chain.\n"
    "sgctl grant revoke GRANT\n"
    "    Every edge token that was made of it is refused from now on, and none is made any more.\n"
    "GRANT is COSE in base64url.\n";

struct read {
    uint8_t bytes[SGD_GRANT_BYTES_MAX];
    struct sgd_grant grant;
    uint8_t id[32];
    enum sgd_grant_verdict verdict; /* allowed, or why it can't be read */
};

static void grant_read(const char *text, struct read *out)
{
    size_t len;
    out->verdict = SGD_GRANT_malformed;
    if (!sg_b64url_read(sg_str_trim(sg_str_from(text)), out->bytes, sizeof(out->bytes), &len))
        return;
    out->verdict = sgd_grant_read((struct sg_str){(const char *)out->bytes, len}, &out->grant);
    if (out->verdict == SGD_GRANT_allowed)
        sgd_grant_id(&out->grant, out->id);
}

static const struct sg_conf_tenant *tenant_of(const struct sg_config *config,
                                              const struct read *read)
{
    for (uint32_t i = 0; i < config->tenants_count; i++)
        if (sg_str_eq(sg_str_from(config->tenants[i].name), read->grant.tenant))
            return &config->tenants[i];
    return NULL;
}

/* Public keys of the configuration; one that can't be read is said, and not there. */
static struct sgd_verify_key **keys_open(const struct sg_conf_public_key *conf, uint32_t count,
                                         uint32_t *opened)
{
    struct sgd_verify_key **keys = sg_boot_alloc((count + 1) * sizeof(*keys));
    *opened = 0;
    for (uint32_t i = 0; keys != NULL && i < count; i++) {
        enum sg_err err = sgd_verify_key_load(conf[i].key_file, &keys[*opened]);
        *opened += err == SG_OK;
        if (err != SG_OK)
            sgt_refuse("%s: %s", conf[i].key_file, sg_err_text(err));
    }
    return keys;
}

static void keys_close(struct sgd_verify_key **keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sgd_verify_key_close(keys[i]);
    sg_boot_free(keys);
}

static enum sgd_grant_verdict verified(const struct sg_config *config,
                                       const struct sg_conf_tenant *tenant,
                                       const struct sgd_grant *grant)
{
    uint32_t issuers_count, countersigners_count;
    struct sgd_verify_key **issuers =
        keys_open(tenant->issuers, tenant->issuers_count, &issuers_count);
    struct sgd_verify_key **countersigners = keys_open(
        config->gate.countersigners, config->gate.countersigners_count, &countersigners_count);
    const struct sgd_grant_keys keys = {issuers, issuers_count, countersigners,
                                        countersigners_count};
    enum sgd_grant_verdict verdict = sgd_grant_verify(grant, &keys);
    keys_close(issuers, issuers_count);
    keys_close(countersigners, countersigners_count);
    return verdict;
}

static bool is_revoked(const struct sg_config *config, const struct read *read)
{
    struct sge_state *state = sgt_state_open(config);
    struct sge_state_reader *reader = state != NULL ? sgt_reader_open(state) : NULL;
    bool revoked = reader != NULL &&
                   sge_state_cti_revoked(reader, sge_tenant_id(read->grant.tenant), read->id);
    sgt_reader_close(reader);
    sge_state_close(state);
    return revoked;
}

static struct sg_str host_of(const struct sgd_grant *grant)
{
    for (uint8_t i = 0; i < grant->matches_count; i++)
        if (grant->matches[i].part == SGD_MATCH_HOST)
            return grant->matches[i].value;
    return grant->domain;
}

/* What an edge would say of it, but for its nonce, the session key's proof and the site's rule. */
static enum sgd_grant_verdict judged(const struct sg_config *config, const struct read *read,
                                     const char *authority)
{
    if (read->verdict != SGD_GRANT_allowed)
        return read->verdict;
    const struct sg_conf_tenant *tenant = tenant_of(config, read);
    if (tenant == NULL)
        return SGD_GRANT_tenant;
    const struct sgd_grant_terms terms = {
        .tenant = read->grant.tenant,
        .authority = authority != NULL ? sg_str_from(authority) : host_of(&read->grant),
        .domains = (const char *const *)tenant->sign_in_domains,
        .domains_count = tenant->sign_in_domains_count,
        .skew_s = tenant->clock_skew_s,
        .now_s = sgt_now_s(),
    };
    enum sgd_grant_verdict verdict = sgd_grant_check(&read->grant, &terms);
    if (verdict == SGD_GRANT_allowed)
        verdict = verified(config, tenant, &read->grant);
    return verdict == SGD_GRANT_allowed && is_revoked(config, read) ? SGD_GRANT_revoked : verdict;
}

/* ---- telling ---- */

static const char *alg_name(enum sgd_grant_alg alg)
{
    switch (alg) {
    case SGD_GRANT_SIWE:
        return "siwe";
    case SGD_GRANT_EIP712:
        return "eip712";
    case SGD_GRANT_SOLANA_OFF:
        return "solana_offchain";
    case SGD_GRANT_SOLANA_TEXT:
        return "solana_text";
    case SGD_GRANT_SOLANA_MEMO:
        return "solana_memo";
    case SGD_GRANT_ON_CHAIN:
        return "on_chain";
    case SGD_GRANT_ES256K:
        return "ES256K";
    case SGD_GRANT_ES256:
        return "ES256";
    case SGD_GRANT_EDDSA:
        return "EdDSA";
    }
    SG_UNREACHABLE();
}

static json_t *text_json(const struct sg_out *text)
{
    json_t *value = text->full ? json_null() : json_stringn(text->ptr, text->len);
    return value != NULL ? value : sgt_hex_json(text->ptr, text->len); /* no UTF-8: bytes */
}

/* The text, EIP-712's JSON, or bytes in hex; of back ends nothing but the grant itself. */
static json_t *signed_json(const struct sgd_grant *grant)
{
    static char memory[SGD_GRANT_SIGNED_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    enum sg_err err = grant->alg == SGD_GRANT_EIP712 ? sgd_grant_put_typed_data(&text, grant)
                                                     : sgd_grant_put_signed(&text, grant);
    return err == SG_OK ? text_json(&text) : NULL;
}

static json_t *assets_json(const struct sgd_grant *grant)
{
    json_t *array = json_array();
    for (uint8_t i = 0; i < grant->assets_count; i++) {
        char memory[256];
        struct sg_out text = sg_out_init(memory, sizeof(memory));
        sg_caip_asset_put(&text, &grant->assets[i].asset);
        sg_out_lit(&text, " x ");
        sg_u256_put(&text, &grant->assets[i].min);
        json_array_append_new(array, text_json(&text));
    }
    return array;
}

static void add_claims(json_t *object, const struct read *read)
{
    const struct sgd_grant *grant = &read->grant;
    char memory[256];
    struct sg_out account = sg_out_init(memory, sizeof(memory));
    sg_caip_account_put(&account, &grant->account);
    json_object_set_new(object, "algorithm", json_string(alg_name(grant->alg)));
    json_object_set_new(object, "account", text_json(&account));
    json_object_set_new(object, "tenant", json_stringn(grant->tenant.ptr, grant->tenant.len));
    json_object_set_new(object, "cti", sgt_hex_json(read->id, 16));
    json_object_set_new(object, "nonce", sgt_hex_json(grant->cti, sizeof(grant->cti)));
    json_object_set_new(object, "session_key", sgt_hex_json(grant->ckt, sizeof(grant->ckt)));
    json_object_set_new(object, "expires", sgt_time_json(grant->expires_s));
    if (grant->not_before_s != 0)
        json_object_set_new(object, "not_before", sgt_time_json(grant->not_before_s));
    json_object_set_new(object, "issued", sgt_time_json(grant->issued_s));
    json_object_set_new(object, "opens", sgt_matches_json(grant->matches, grant->matches_count));
    if (grant->domain.ptr != NULL)
        json_object_set_new(object, "domain", json_stringn(grant->domain.ptr, grant->domain.len));
    if (grant->assets_count != 0)
        json_object_set_new(object, "holds", assets_json(grant));
    json_t *what = signed_json(grant);
    if (what != NULL)
        json_object_set_new(object, "signed", what);
}

static int inspect(const struct sg_config *config, bool json, const char *text,
                   const char *authority)
{
    struct read read;
    grant_read(text, &read);
    enum sgd_grant_verdict verdict = judged(config, &read, authority);
    json_t *object = json_pack("{s:s}", "verdict", sgd_grant_name(verdict));
    if (read.verdict == SGD_GRANT_allowed)
        add_claims(object, &read);
    sgt_print(object, json);
    return verdict == SGD_GRANT_allowed ? SGT_DONE : SGT_REFUSED;
}

/* Only one that is genuine: others' names would fill the list for nothing. */
static int revoke(const struct sg_config *config, bool json, const char *text)
{
    struct read read;
    grant_read(text, &read);
    if (read.verdict != SGD_GRANT_allowed)
        return sgt_refuse("not a grant: %s", sgd_grant_reason(read.verdict));
    const struct sg_conf_tenant *tenant = tenant_of(config, &read);
    if (tenant == NULL)
        return sgt_refuse("not a grant for a tenant of ours");
    enum sgd_grant_verdict verdict = verified(config, tenant, &read.grant);
    if (verdict != SGD_GRANT_allowed && verdict != SGD_GRANT_on_chain)
        return sgt_refuse("not a genuine grant: %s", sgd_grant_reason(verdict));
    struct sge_state *state = sgt_state_open(config);
    if (state == NULL)
        return SGT_REFUSED;
    struct sge_word word = {.kind = SGE_WORD_CTI,
                            .tenant = sge_tenant_id(read.grant.tenant),
                            .until_ns = read.grant.expires_s * SG_NS_PER_SEC};
    memcpy(word.cti, read.id, sizeof(word.cti));
    json_t *told =
        json_pack("{s:o, s:s}", "revoked", sgt_hex_json(read.id, 16), "tenant", tenant->name);
    const struct sgt_saying saying = {tenant->name, NULL, &word, WAIT_MS};
    bool said = sgt_say(config, state, &saying, told);
    if (said)
        sgt_print(told, json);
    else
        json_decref(told);
    sge_state_close(state);
    return said ? SGT_DONE : SGT_REFUSED;
}

int sgt_grant_main(const struct sg_config *config, bool json, int argc, char **argv)
{
    static const struct option none[] = {{NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {
        {"inspect", "GRANT [AUTHORITY]", 1, 2, ""},
        {"revoke", "GRANT", 1, 1, ""},
    };
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), none};
    struct sgt_args args;
    int status = sgt_args_read(&syntax, argc, argv, &args);
    if (status != SGT_DONE)
        return status;
    if (sgt_args_is(&args, "revoke"))
        return revoke(config, json, args.words[0]);
    return inspect(config, json, args.words[0], args.count == 2 ? args.words[1] : NULL);
}
