#include "base/assert.h"
#include "tools/sgctl/tokens.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* The command line of mint, as claims and what they need. */
struct mint {
    const char *tenant, *owner;
    struct sgt_fact facts[SGD_TOKEN_FACTS_MAX];
    uint8_t owners[SGD_TOKEN_FACTS_MAX][32]; /* `owner`, as each fact would have it */
    uint64_t lifetime_s, not_before_s, index, viewers;
    struct sgd_claims claims;
};

static bool add_match(struct sgd_claims *claims, enum sgd_match_part part, enum sgd_match_kind kind,
                      const char *text)
{
    if (claims->matches_count == SGD_TOKEN_MATCHES_MAX || text[0] == 0 ||
        (part == SGD_MATCH_PATH && kind != SGD_MATCH_SUFFIX && text[0] != '/')) {
        sgt_refuse("%s: a path begins with a slash, a host is not empty, and there are at most %d",
                   text, SGD_TOKEN_MATCHES_MAX);
        return false;
    }
    claims->matches[claims->matches_count++] = (struct sgd_match){part, kind, sg_str_from(text)};
    return true;
}

static bool add_methods(struct sgd_claims *claims, const char *list)
{
    claims->has_methods = true;
    claims->methods = 0;
    while (*list != 0) {
        size_t len = strcspn(list, ","), m = 0;
        while (m < SGT_METHODS &&
               !sg_str_eq((struct sg_str){list, len}, sg_str_from(sgt_methods[m].name)))
            m++;
        if (m == SGT_METHODS) {
            sgt_refuse("%.*s is no method that a token can name", (int)len, list);
            return false;
        }
        claims->methods |= SG_BIT(sgt_methods[m].method);
        list += len + (list[len] == ',');
    }
    return true;
}

/* "192.0.2.0/24", "2001:db8::/32", either without a length for one address, or "AS64496". */
static bool network_read(const char *text, struct sgd_token_network *out)
{
    char address[64];
    struct in_addr v4;
    struct in6_addr v6;
    size_t len = strcspn(text, "/");
    uint64_t bits = 0;
    bool has_bits = text[len] == '/';
    *out = (struct sgd_token_network){.bits = 0};
    if (strncmp(text, "AS", 2) == 0 && sg_str_to_u64(sg_str_from(text + 2), &bits) && bits > 0 &&
        bits <= UINT32_MAX) {
        out->asn = (uint32_t)bits;
        return true;
    }
    if (len >= sizeof(address) || (has_bits && !sg_str_to_u64(sg_str_from(text + len + 1), &bits)))
        return false;
    memcpy(address, text, len);
    address[len] = 0;
    bool is_v4 = inet_pton(AF_INET, address, &v4) == 1;
    uint64_t width = is_v4 ? 32 : 128;
    if ((!is_v4 && inet_pton(AF_INET6, address, &v6) != 1) || bits > width)
        return false;
    if (is_v4) {
        memset(out->address + 10, 0xff, 2);
        memcpy(out->address + 12, &v4, sizeof(v4));
    } else {
        memcpy(out->address, &v6, sizeof(v6));
    }
    out->bits = (uint8_t)(128 - width + (has_bits ? bits : width));
    return true;
}

static bool add_network(struct sgd_claims *claims, const char *text)
{
    if (claims->networks_count == SGD_TOKEN_NETWORKS_MAX ||
        !network_read(text, &claims->networks[claims->networks_count])) {
        sgt_refuse("%s: a network is 192.0.2.0/24, 2001:db8::/32 or AS64496, at most %d", text,
                   SGD_TOKEN_NETWORKS_MAX);
        return false;
    }
    claims->networks_count++;
    return true;
}

static bool add_country(struct sgd_claims *claims, const char *text)
{
    if (claims->countries_count == SGD_TOKEN_COUNTRIES_MAX || strlen(text) != 2 ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2) {
        sgt_refuse("%s: a country is two capital letters, at most %d", text,
                   SGD_TOKEN_COUNTRIES_MAX);
        return false;
    }
    memcpy(claims->countries[claims->countries_count++], text, 2);
    return true;
}

static bool add_fact(struct mint *mint, const char *name)
{
    if (mint->claims.facts_count == SGD_TOKEN_FACTS_MAX) {
        sgt_refuse("at most %d facts", SGD_TOKEN_FACTS_MAX);
        return false;
    }
    if (!sgt_fact_read(name, &mint->facts[mint->claims.facts_count]))
        return false;
    mint->claims.has_facts = true;
    mint->claims.facts_count++;
    return true;
}

enum mint_option {
    OPT_TENANT = 1,
    OPT_PATH,
    OPT_PATH_EXACT,
    OPT_PATH_SUFFIX,
    OPT_HOST,
    OPT_HOST_SUFFIX,
    OPT_LIFETIME,
    OPT_NOT_BEFORE,
    OPT_METHOD,
    OPT_NETWORK,
    OPT_COUNTRY,
    OPT_FACT,
    OPT_OWNER,
    OPT_INDEX,
    OPT_SUBJECT,
    OPT_RENEWAL,
    OPT_VIEWERS,
};

static bool mint_option(struct mint *mint, int option, const char *text)
{
    const uint64_t year_s = 366ull * 86400;
    struct sgd_claims *claims = &mint->claims;
    switch ((enum mint_option)option) {
    case OPT_TENANT:
        mint->tenant = text;
        return true;
    case OPT_PATH:
        return add_match(claims, SGD_MATCH_PATH, SGD_MATCH_PREFIX, text);
    case OPT_PATH_EXACT:
        return add_match(claims, SGD_MATCH_PATH, SGD_MATCH_EXACT, text);
    case OPT_PATH_SUFFIX:
        return add_match(claims, SGD_MATCH_PATH, SGD_MATCH_SUFFIX, text);
    case OPT_HOST:
        return add_match(claims, SGD_MATCH_HOST, SGD_MATCH_EXACT, text);
    case OPT_HOST_SUFFIX:
        return add_match(claims, SGD_MATCH_HOST, SGD_MATCH_SUFFIX, text);
    case OPT_LIFETIME:
        return sgt_number_read(text, year_s, &mint->lifetime_s);
    case OPT_NOT_BEFORE:
        return sgt_number_read(text, year_s, &mint->not_before_s);
    case OPT_METHOD:
        return add_methods(claims, text);
    case OPT_NETWORK:
        return add_network(claims, text);
    case OPT_COUNTRY:
        return add_country(claims, text);
    case OPT_FACT:
        return add_fact(mint, text);
    case OPT_OWNER:
        mint->owner = text;
        return true;
    case OPT_INDEX:
        claims->has_index = true;
        return sgt_number_read(text, UINT32_MAX, &mint->index);
    case OPT_VIEWERS:
        return sgt_number_read(text, SGD_TOKEN_VIEWERS_MAX, &mint->viewers);
    case OPT_SUBJECT:
        claims->subject = sg_str_from(text);
        return true;
    case OPT_RENEWAL:
        claims->renewal = sg_str_from(text);
        return true;
    }
    return false;
}

static bool owners_read(struct mint *mint)
{
    for (uint8_t i = 0; mint->owner != NULL && i < mint->claims.facts_count; i++)
        if (!sgt_owner_read(mint->owner, &mint->facts[i], mint->owners[i]))
            return false;
    return true;
}

static bool mint_options(int argc, char **argv, struct mint *mint)
{
    static const struct option longs[] = {{"tenant", 1, NULL, OPT_TENANT},
                                          {"path", 1, NULL, OPT_PATH},
                                          {"path-exact", 1, NULL, OPT_PATH_EXACT},
                                          {"path-suffix", 1, NULL, OPT_PATH_SUFFIX},
                                          {"host", 1, NULL, OPT_HOST},
                                          {"host-suffix", 1, NULL, OPT_HOST_SUFFIX},
                                          {"lifetime", 1, NULL, OPT_LIFETIME},
                                          {"not-before", 1, NULL, OPT_NOT_BEFORE},
                                          {"method", 1, NULL, OPT_METHOD},
                                          {"network", 1, NULL, OPT_NETWORK},
                                          {"country", 1, NULL, OPT_COUNTRY},
                                          {"fact", 1, NULL, OPT_FACT},
                                          {"owner", 1, NULL, OPT_OWNER},
                                          {"index", 1, NULL, OPT_INDEX},
                                          {"subject", 1, NULL, OPT_SUBJECT},
                                          {"renewal", 1, NULL, OPT_RENEWAL},
                                          {"viewers", 1, NULL, OPT_VIEWERS},
                                          {NULL, 0, NULL, 0}};
    optind = 0;
    for (int c; (c = sgt_option_next("token mint", argc, argv, longs)) != -1;)
        if (c == '?' || !mint_option(mint, c, optarg))
            return false;
    if (optind < argc)
        return sgt_refuse("token mint takes options alone: %.100s", argv[optind]), false;
    if (mint->claims.matches_count == 0)
        return sgt_refuse("token mint: what does it open? Say --path PREFIX, or --host HOST"),
               false;
    if (mint->owner != NULL && mint->claims.facts_count == 0)
        return sgt_refuse("token mint: --owner needs a --fact: of what?"), false;
    return owners_read(mint);
}

/* Generations as they are now; only of facts that are known, safe, and `owner`'s where one is asked
 * for: deny at head, allow at safe. */
static bool mint_facts(struct mint *mint, struct sge_state_reader *reader)
{
    for (uint8_t i = 0; i < mint->claims.facts_count; i++) {
        struct sge_fact fact;
        const char *name = mint->facts[i].name;
        enum sg_err err = sge_state_fact(reader, mint->facts[i].key, &fact);
        if (err != SG_OK) {
            sgt_refuse("fact %s: %s", name, err == SG_ENOENT ? "not known" : sg_err_text(err));
            return false;
        }
        if (memcmp(fact.owner_head, fact.owner_safe, 32) != 0 ||
            (mint->owner != NULL && memcmp(fact.owner_head, mint->owners[i], 32) != 0)) {
            sgt_refuse("fact %s: %s", name,
                       mint->owner != NULL ? "not that owner's, at head and at safe"
                                           : "its owner is not safe yet");
            return false;
        }
        mint->claims.facts[i] = (struct sgd_token_fact){mint->facts[i].key, fact.generation};
    }
    return true;
}

static bool mint_complete(struct mint *mint, const struct sg_config *config,
                          const struct sg_conf_tenant *tenant, struct sgd_kid *kid)
{
    const uint32_t id = sge_tenant_id(sg_str_from(tenant->name));
    struct sge_state *state = sgt_state_open(config);
    struct sge_state_reader *reader = state != NULL ? sgt_reader_open(state) : NULL;
    bool good = reader != NULL && mint_facts(mint, reader);
    if (good) {
        mint->claims.rule_version = sge_state_rule_version(reader, id);
        for (uint32_t i = 0; i < config->rules_count; i++)
            if (strcmp(config->rules[i].tenant, tenant->name) == 0)
                mint->claims.rule_version =
                    SG_MAX(mint->claims.rule_version, config->rules[i].version);
        *kid = (struct sgd_kid){sg_str_from(config->node.region), sg_str_from(tenant->name),
                                sgd_epoch_current(sgt_now_s(), sge_state_epoch_min(reader, id))};
    }
    sgt_reader_close(reader);
    sge_state_close(state);
    mint->claims.issued_s = sgt_now_s();
    mint->claims.not_before_s = mint->not_before_s != 0 ? sgt_now_s() + mint->not_before_s : 0;
    mint->claims.expires_s =
        sgt_now_s() + (mint->lifetime_s != 0 ? mint->lifetime_s : tenant->token_lifetime_s);
    mint->claims.index = (uint32_t)mint->index;
    mint->claims.viewers = (uint32_t)mint->viewers;
    sg_random(mint->claims.cti, sizeof(mint->claims.cti));
    return good;
}

int sgt_token_mint(const struct sg_config *config, bool json, int argc, char **argv)
{
    struct mint mint = {.claims = {.has_methods = true,
                                   .methods = SG_BIT(SGD_METHOD_GET) | SG_BIT(SGD_METHOD_HEAD)}};
    struct sgd_kid kid;
    uint8_t tenant_key[SGD_KEY_BYTES], epoch_key[SGD_KEY_BYTES];
    struct sg_hmac_key key;
    char memory[SGD_TOKEN_TEXT_MAX], issuer[512];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    if (!mint_options(argc, argv, &mint))
        return SGT_USAGE;
    const struct sg_conf_tenant *tenant = sgt_tenant_find(config, mint.tenant);
    if (tenant == NULL ||
        !sgt_tenant_key(tenant->secret_file, sg_str_from(tenant->name), tenant_key) ||
        !mint_complete(&mint, config, tenant, &kid))
        return SGT_REFUSED;
    snprintf(issuer, sizeof(issuer), "sg:%s", tenant->name);
    mint.claims.issuer = sg_str_from(issuer);
    mint.claims.audience = sg_str_from(tenant->name);
    sgd_key_epoch(tenant_key, kid.epoch, epoch_key);
    sg_hmac_key_init(&key, epoch_key, sizeof(epoch_key));
    if (sgd_mint(&mint.claims, &kid, &key, &text) != SG_OK)
        return sgt_refuse("the token would be larger than one may be");
    if (json)
        sgt_print(json_pack("{s:s%, s:o, s:o, s:I}", "token", text.ptr, text.len, "cti",
                            sgt_hex_json(mint.claims.cti, 16), "expires",
                            sgt_time_json(mint.claims.expires_s), "epoch", (json_int_t)kid.epoch),
                  true);
    else
        printf("%.*s\n", (int)text.len, text.ptr);
    return SGT_DONE;
}
