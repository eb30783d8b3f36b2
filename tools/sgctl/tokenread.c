#include "base/assert.h"
#include "base/b64url.h"
#include "base/clock.h"
#include "dataplane/gate/check.h"
#include "tools/sgctl/tokens.h"

#include <arpa/inet.h>

const struct sgt_method sgt_methods[SGT_METHODS] = {
    {"GET", SGD_METHOD_GET},    {"HEAD", SGD_METHOD_HEAD}, {"OPTIONS", SGD_METHOD_OPTIONS},
    {"POST", SGD_METHOD_POST},  {"PUT", SGD_METHOD_PUT},   {"DELETE", SGD_METHOD_DELETE},
    {"PATCH", SGD_METHOD_PATCH}};

uint64_t sgt_now_s(void)
{
    return sg_clock_wall_ns() / SG_NS_PER_SEC;
}

/* Players' forms are taken too: "cat:TOKEN". */
void sgt_token_read(const char *text, struct sgt_token *out)
{
    struct sg_str t = sg_str_trim(sg_str_from(text));
    size_t len;
    if (sg_str_starts(t, SG_STR("cat:")))
        t = sg_str_skip(t, 4);
    if (!sg_b64url_read(t, out->bytes, sizeof(out->bytes), &len)) {
        out->verdict = SGD_GATE_malformed;
        return;
    }
    out->verdict = sgd_token_read((struct sg_str){(const char *)out->bytes, len}, &out->token);
    if (out->verdict == SGD_GATE_allowed)
        out->verdict = sgd_kid_read(out->token.kid, &out->kid);
    if (out->verdict == SGD_GATE_allowed)
        out->verdict = sgd_claims_read(out->token.payload, &out->claims);
    if (out->verdict == SGD_GATE_allowed && !out->claims.has_cti) {
        uint8_t digest[SG_SHA256_BYTES]; /* as the gate names it */
        sg_sha256(t.ptr, t.len, digest);
        memcpy(out->claims.cti, digest, sizeof(out->claims.cti));
    }
}

const struct sg_conf_tenant *sgt_token_tenant(const struct sg_config *config,
                                              const struct sgt_token *read)
{
    for (uint32_t i = 0; i < config->tenants_count; i++)
        if (sg_str_eq(sg_str_from(config->tenants[i].name), read->kid.tenant))
            return &config->tenants[i];
    return NULL;
}

/* One of the tenant's secrets, if it is the token's region's; *verdict says more than before. */
static void key_try(const struct sgt_token *read, const char *region, const char *secret_file,
                    enum sgd_gate_verdict *verdict)
{
    uint8_t tenant_key[SGD_KEY_BYTES], epoch_key[SGD_KEY_BYTES];
    struct sg_hmac_key key;
    if (*verdict == SGD_GATE_allowed || !sg_str_eq(sg_str_from(region), read->kid.region))
        return;
    *verdict = SGD_GATE_mac;
    if (!sgt_tenant_key(secret_file, read->kid.tenant, tenant_key))
        return;
    sgd_key_epoch(tenant_key, read->kid.epoch, epoch_key);
    sg_hmac_key_init(&key, epoch_key, sizeof(epoch_key));
    if (sgd_token_mac_holds(&read->token, &key))
        *verdict = SGD_GATE_allowed;
}

enum sgd_gate_verdict sgt_token_genuine(const struct sg_config *config,
                                        const struct sgt_token *read)
{
    const struct sg_conf_tenant *tenant = sgt_token_tenant(config, read);
    enum sgd_gate_verdict verdict = SGD_GATE_key_unknown;
    if (tenant == NULL || tenant->secret_file == NULL)
        return verdict;
    key_try(read, config->node.region, tenant->secret_file, &verdict);
    for (uint32_t i = 0; i < tenant->regions_count; i++)
        key_try(read, tenant->regions[i].name, tenant->regions[i].secret_file, &verdict);
    return verdict;
}

json_t *sgt_matches_json(const struct sgd_match *matches, uint8_t count)
{
    json_t *array = json_array();
    for (uint8_t i = 0; i < count; i++) {
        const struct sgd_match *match = &matches[i];
        bool hash = match->kind == SGD_MATCH_SHA256;
        const char *kind = hash                              ? "sha256"
                           : match->kind == SGD_MATCH_PREFIX ? "prefix"
                           : match->kind == SGD_MATCH_SUFFIX ? "suffix"
                                                             : "exact";
        json_array_append_new(
            array, json_pack("{s:s, s:s, s:o}", "part",
                             match->part == SGD_MATCH_HOST ? "host" : "path", "kind", kind, "value",
                             hash ? sgt_hex_json(match->value.ptr, match->value.len)
                                  : json_stringn(match->value.ptr, match->value.len)));
    }
    return array;
}

static json_t *methods_json(const struct sgd_claims *claims)
{
    json_t *array = json_array();
    for (size_t m = 0; m < SGT_METHODS; m++)
        if ((claims->methods & SG_BIT(sgt_methods[m].method)) != 0)
            json_array_append_new(array, json_string(sgt_methods[m].name));
    return array;
}

static json_t *network_json(const struct sgd_token_network *network)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct in6_addr address;
    memcpy(&address, network->address, sizeof(address));
    if (network->asn != 0)
        return json_sprintf("AS%u", network->asn);
    bool v4 = network->bits >= 96 && IN6_IS_ADDR_V4MAPPED(&address);
    inet_ntop(v4 ? AF_INET : AF_INET6, network->address + (v4 ? 12 : 0), text, sizeof(text));
    return json_sprintf("%s/%u", text, network->bits - (v4 ? 96u : 0u));
}

static json_t *networks_json(const struct sgd_claims *claims)
{
    json_t *array = json_array();
    for (uint8_t i = 0; i < claims->networks_count; i++)
        json_array_append_new(array, network_json(&claims->networks[i]));
    return array;
}

static json_t *countries_json(const struct sgd_claims *claims)
{
    json_t *array = json_array();
    for (uint8_t i = 0; i < claims->countries_count; i++)
        json_array_append_new(array, json_stringn(claims->countries[i], 2));
    return array;
}

static json_t *facts_json(const struct sgd_claims *claims)
{
    json_t *array = json_array();
    for (uint8_t i = 0; i < claims->facts_count; i++) {
        uint64_t key = __builtin_bswap64(claims->facts[i].key);
        json_array_append_new(array,
                              json_pack("{s:o, s:I}", "key", sgt_hex_json(&key, sizeof(key)),
                                        "generation", (json_int_t)claims->facts[i].generation));
    }
    return array;
}

static void add_text(json_t *object, const char *key, struct sg_str text)
{
    if (text.ptr == NULL)
        return;
    json_t *value = json_stringn(text.ptr, text.len); /* NULL where it is not UTF-8 */
    json_object_set_new(object, key, value != NULL ? value : sgt_hex_json(text.ptr, text.len));
}

static json_t *claims_json(const struct sgd_claims *claims)
{
    json_t *object = json_object();
    add_text(object, "issuer", claims->issuer);
    add_text(object, "subject", claims->subject);
    add_text(object, "audience", claims->audience);
    json_object_set_new(object, "cti", sgt_hex_json(claims->cti, sizeof(claims->cti)));
    json_object_set_new(object, "expires", sgt_time_json(claims->expires_s));
    if (claims->not_before_s != 0)
        json_object_set_new(object, "not_before", sgt_time_json(claims->not_before_s));
    if (claims->issued_s != 0)
        json_object_set_new(object, "issued", sgt_time_json(claims->issued_s));
    json_object_set_new(object, "opens", sgt_matches_json(claims->matches, claims->matches_count));
    if (claims->has_methods)
        json_object_set_new(object, "methods", methods_json(claims));
    if (claims->networks_count != 0)
        json_object_set_new(object, "networks", networks_json(claims));
    if (claims->countries_count != 0)
        json_object_set_new(object, "countries", countries_json(claims));
    if (claims->has_facts) {
        json_object_set_new(object, "rule_version", json_integer(claims->rule_version));
        json_object_set_new(object, "facts", facts_json(claims));
    }
    if (claims->has_index)
        json_object_set_new(object, "index", json_integer(claims->index));
    if (claims->viewers != 0)
        json_object_set_new(object, "viewers", json_integer(claims->viewers));
    add_text(object, "renewal", claims->renewal);
    return object;
}

/* What the gate would say now of all that does not depend on a request. */
static enum sgd_gate_verdict judged(const struct sg_config *config, const struct sgt_token *read)
{
    const struct sg_conf_tenant *tenant = sgt_token_tenant(config, read);
    struct sgd_token_fact fact;
    struct sgd_chains chains;
    enum sgd_gate_verdict verdict = read->verdict;
    if (verdict == SGD_GATE_allowed)
        verdict = sgt_token_genuine(config, read);
    if (verdict != SGD_GATE_allowed)
        return verdict;
    const uint32_t id = sge_tenant_id(read->kid.tenant);
    struct sge_state *state = sgt_state_open(config);
    struct sge_state_reader *reader = state != NULL ? sgt_reader_open(state) : NULL;
    verdict = SGD_GATE_state;
    if (reader != NULL) {
        verdict = sgd_check_tenant(&read->claims, read->kid.tenant);
        if (verdict == SGD_GATE_allowed)
            verdict = sgd_check_time(&read->claims, sgt_now_s(), tenant->clock_skew_s);
        if (verdict == SGD_GATE_allowed &&
            !sgd_epoch_accepted(read->kid.epoch, sgt_now_s(), tenant->clock_skew_s,
                                sge_state_epoch_min(reader, id)))
            verdict = SGD_GATE_epoch;
        if (verdict == SGD_GATE_allowed)
            verdict = sgd_check_state(&read->claims, reader, id, &fact, &chains);
    }
    sgt_reader_close(reader);
    sge_state_close(state);
    return verdict;
}

int sgt_token_inspect(const struct sg_config *config, bool json, int argc, char **argv)
{
    struct sgt_token read = {.verdict = SGD_GATE_malformed};
    if (argc != 2)
        return sgt_refuse("token inspect takes TOKEN: %d given", argc - 1), SGT_USAGE;
    sgt_token_read(argv[1], &read);
    enum sgd_gate_verdict verdict = judged(config, &read);
    json_t *object = json_pack("{s:s}", "verdict", sgd_gate_reason(verdict));
    if (read.verdict == SGD_GATE_allowed) {
        add_text(object, "kid", read.token.kid);
        json_t *claims = claims_json(&read.claims);
        json_object_update(object, claims);
        json_decref(claims);
    }
    sgt_print(object, json);
    return verdict == SGD_GATE_allowed ? SGT_DONE : SGT_REFUSED;
}
