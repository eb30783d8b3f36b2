#include "base/assert.h"
#include "base/b64url.h"
#include "dataplane/gate/evmsig.h"
#include "dataplane/gate/grant_impl.h"
#include "dataplane/http/date.h"

#define ABILITY_NAMESPACE "streamgate"
#define ABILITY           "watch"
/* The claims keep path and host within these bounds, and JSON adds less than the rest. */
#define RECAP_MAX (SGD_GRANT_PATH_BYTES + SGD_GRANT_TEXT_BYTES + 256)

void sgd_grant_put_time(struct sg_out *out, uint64_t unix_s)
{
    char text[20];
    SG_ASSERT(unix_s <= SGD_GRANT_TIME_S_MAX);
    sgd_rfc3339_write((int64_t)unix_s, text);
    sg_out_bytes(out, text, sizeof(text));
}

static const struct sgd_match *match_of(const struct sgd_grant *grant, enum sgd_match_part part)
{
    for (uint8_t i = 0; i < grant->matches_count; i++)
        if (grant->matches[i].part == part)
            return &grant->matches[i];
    return NULL;
}

void sgd_grant_put_target(struct sg_out *out, const struct sgd_grant *grant)
{
    const struct sgd_match *host = match_of(grant, SGD_MATCH_HOST);
    const struct sgd_match *path = match_of(grant, SGD_MATCH_PATH);
    sg_out_lit(out, "https://");
    if (host == NULL || host->kind == SGD_MATCH_SUFFIX)
        sg_out_char(out, '*');
    if (host != NULL)
        sg_out_str(out, host->value);
    if (path != NULL)
        sg_out_str(out, path->value);
    else
        sg_out_char(out, '/');
    if (path == NULL || path->kind == SGD_MATCH_PREFIX)
        sg_out_char(out, '*');
}

/* EIP-5573: the capabilities for people, which end the statement ... */
static void put_recap_statement(struct sg_out *out, const struct sgd_grant *grant)
{
    sg_out_lit(out, "I further authorize the stated URI to perform the following actions on my "
                    "behalf: (1) '" ABILITY_NAMESPACE "': '" ABILITY "' for '");
    sgd_grant_put_target(out, grant);
    sg_out_lit(out, "'.");
}

/* ... and for machines, as one resource: what is granted, and the hash of the whole grant, which is
 * every claim and the algorithm. */
static bool put_recap(struct sg_out *out, const struct sgd_grant *grant)
{
    char memory[RECAP_MAX];
    uint8_t hash[SG_SHA256_BYTES];
    struct sg_out json = sg_out_init(memory, sizeof(memory));
    if (!sgd_grant_hash(grant, hash))
        return false;
    sg_out_lit(&json, "{\"att\":{\"");
    sgd_grant_put_target(&json, grant); /* holds nothing that JSON would escape */
    sg_out_lit(&json, "\":{\"" ABILITY_NAMESPACE "/" ABILITY "\":[{\"grant\":\"");
    sg_b64url_put(&json, hash, sizeof(hash));
    sg_out_lit(&json, "\"}]}},\"prf\":[]}");
    sg_out_lit(out, "urn:recap:");
    sg_b64url_put(out, json.ptr, json.len);
    return !json.full;
}

/* Solana's sign-in texts name the clusters. */
static struct sg_str cluster_of(const struct sg_caip_chain *chain)
{
    static const struct {
        const char *reference;
        struct sg_str name;
    } clusters[] = {
        {"5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", {"mainnet", 7}},
        {"EtWTRABZaYq6iMfeYKouRu166VU2xqa1", {"devnet", 6}},
        {"4uhcVJyU9pJkvQyS88uRDiswHScCKQ3z", {"testnet", 7}},
    };
    for (size_t i = 0; i < SG_COUNT(clusters); i++)
        if (strcmp(chain->solana, clusters[i].reference) == 0)
            return clusters[i].name;
    return sg_str_from(chain->solana);
}

static void put_who(struct sg_out *out, const struct sgd_grant *grant)
{
    const bool evm = grant->account.chain.ns == SG_CAIP_EIP155;
    sg_out_str(out, sgd_grant_domain(grant));
    sg_out_lit(out, " wants you to sign in with your ");
    sg_out_str(out, evm ? SG_STR("Ethereum") : SG_STR("Solana"));
    sg_out_lit(out, " account:\n");
    if (evm)
        sg_caip_eip55_put(out, grant->account.address.bytes);
    else
        sg_base58_put(out, grant->account.address.bytes, grant->account.address.len);
    sg_out_lit(out, "\n\n");
}

static void put_field_time(struct sg_out *out, struct sg_str name, uint64_t unix_s)
{
    if (unix_s == 0)
        return;
    sg_out_char(out, '\n');
    sg_out_str(out, name);
    sgd_grant_put_time(out, unix_s);
}

/* EIP-4361, and the same words for Solana. The URI is whom the wallet authorizes: the session key
 * (RFC 9679 section 6). */
bool sgd_grant_put_text(struct sg_out *out, const struct sgd_grant *grant)
{
    put_who(out, grant);
    put_recap_statement(out, grant);
    sg_out_lit(out, "\n\nURI: urn:ietf:params:oauth:ckt:sha-256:");
    sg_b64url_put(out, grant->ckt, sizeof(grant->ckt));
    sg_out_lit(out, "\nVersion: 1\nChain ID: ");
    if (grant->account.chain.ns == SG_CAIP_EIP155)
        sg_out_u64(out, grant->account.chain.evm_id);
    else
        sg_out_str(out, cluster_of(&grant->account.chain));
    sg_out_lit(out, "\nNonce: ");
    sg_out_hex(out, grant->cti, sizeof(grant->cti));
    put_field_time(out, SG_STR("Issued At: "), grant->issued_s);
    put_field_time(out, SG_STR("Expiration Time: "), grant->expires_s);
    put_field_time(out, SG_STR("Not Before: "), grant->not_before_s);
    sg_out_lit(out, "\nResources:\n- ");
    return put_recap(out, grant) && !out->full;
}

enum sg_err sgd_grant_put_signed(struct sg_out *out, const struct sgd_grant *grant)
{
    uint8_t digest[32];
    bool put = false;
    switch (grant->alg) {
    case SGD_GRANT_SIWE:
    case SGD_GRANT_SOLANA_TEXT:
    case SGD_GRANT_ON_CHAIN:
        put = sgd_grant_put_text(out, grant);
        break;
    case SGD_GRANT_EIP712:
        put = sgd_grant_typed_digest(grant, digest);
        sg_out_bytes(out, digest, sizeof(digest));
        break;
    case SGD_GRANT_SOLANA_OFF:
        put = sgd_grant_put_offchain(out, grant);
        break;
    case SGD_GRANT_SOLANA_MEMO:
        put = sgd_grant_put_memo_transaction(out, grant);
        break;
    case SGD_GRANT_ES256K:
    case SGD_GRANT_ES256:
    case SGD_GRANT_EDDSA:
        return SG_ENOTSUP;
    }
    return put && !out->full ? SG_OK : SG_EMSGSIZE;
}

enum sg_err sgd_grant_digest(const struct sgd_grant *grant, uint8_t out[32])
{
    if (grant->account.chain.ns != SG_CAIP_EIP155)
        return SG_ENOTSUP;
    if (grant->alg == SGD_GRANT_EIP712)
        return sgd_grant_typed_digest(grant, out) ? SG_OK : SG_EMSGSIZE;
    if (grant->alg != SGD_GRANT_SIWE && grant->alg != SGD_GRANT_ON_CHAIN)
        return SG_ENOTSUP;
    char memory[SGD_GRANT_SIGNED_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    if (!sgd_grant_put_text(&text, grant))
        return SG_EMSGSIZE;
    sgd_evm_text_hash(sg_out_view(&text), out);
    return SG_OK;
}
