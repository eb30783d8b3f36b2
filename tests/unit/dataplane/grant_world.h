/* grant_world - grants of each algorithm, signed as a wallet, a back end or a contract would. The
 * keys are sgt_sign.h's number 1; the control plane's and the back ends' Ed25519 key is number 2.
 */
#ifndef SGT_GRANT_WORLD_H
#define SGT_GRANT_WORLD_H

#include "dataplane/gate/cosekey.h"
#include "dataplane/gate/grant.h"
#include "tests/sgt_dir.h"
#include "tests/sgt_sign.h"

#include <openssl/pem.h>

#define GRANT_NOW       1780000000u
#define GRANT_TENANT    "films"
#define GRANT_AUTHORITY "video.example.org"

static const enum sgd_grant_alg grant_algs[] = {
    SGD_GRANT_SIWE,        SGD_GRANT_EIP712,      SGD_GRANT_SOLANA_OFF,
    SGD_GRANT_SOLANA_TEXT, SGD_GRANT_SOLANA_MEMO, SGD_GRANT_ON_CHAIN,
    SGD_GRANT_ES256K,      SGD_GRANT_ES256,       SGD_GRANT_EDDSA,
};

struct grant_world {
    EVP_PKEY *solana, *p256, *other;
    uint8_t solana_key[32], p256_point[64], other_key[32];
    struct sgd_verify_key *listed[3]; /* secp256k1's number 1, P-256, Ed25519's number 2 */
    struct sgd_grant_keys keys;
    struct sgd_grant_terms terms;
};

struct grant_made {
    char header[128], payload[SGD_GRANT_BYTES_MAX];
    uint8_t signature[SGD_GRANT_BYTES_MAX], countersignature[64];
    char bytes[2 * SGD_GRANT_BYTES_MAX];
    struct sg_str whole;
};

/* SubjectPublicKeyInfo of secp256k1: its fixed part, and the point. */
static inline EVP_PKEY *grant_secp_public(uint8_t number)
{
    static const uint8_t head[] = {0x30, 0x56, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                   0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                   0x81, 0x04, 0x00, 0x0a, 0x03, 0x42, 0x00, 0x04};
    uint8_t der[sizeof(head) + 64];
    const uint8_t *at = der;
    memcpy(der, head, sizeof(head));
    sgt_secp_public(number, der + sizeof(head));
    return d2i_PUBKEY(NULL, &at, sizeof(der));
}

static inline struct sgd_verify_key *grant_list_key(EVP_PKEY *key)
{
    char dir[SGT_DIR_BYTES], file[SGT_DIR_BYTES + 16];
    struct sgd_verify_key *out;
    sgt_dir_make(dir);
    snprintf(file, sizeof(file), "%s/key", dir);
    FILE *pem = fopen(file, "we");
    SG_ASSERT(key != NULL && pem != NULL && PEM_write_PUBKEY(pem, key) == 1);
    fclose(pem);
    SG_ASSERT(sgd_verify_key_load(file, &out) == SG_OK);
    sgt_dir_remove(dir);
    return out;
}

static inline void grant_world_open(struct grant_world *w)
{
    EVP_PKEY *secp = grant_secp_public(1);
    w->solana = sgt_ed25519(1, w->solana_key);
    w->other = sgt_ed25519(2, w->other_key);
    w->p256 = sgt_p256(w->p256_point);
    w->listed[0] = grant_list_key(secp);
    w->listed[1] = grant_list_key(w->p256);
    w->listed[2] = grant_list_key(w->other);
    w->keys = (struct sgd_grant_keys){w->listed, 3, w->listed + 2, 1};
    w->terms = (struct sgd_grant_terms){.tenant = SG_STR(GRANT_TENANT),
                                        .authority = SG_STR(GRANT_AUTHORITY),
                                        .skew_s = 60,
                                        .now_s = GRANT_NOW};
    EVP_PKEY_free(secp);
}

static inline void grant_world_close(struct grant_world *w)
{
    for (int i = 0; i < 3; i++)
        sgd_verify_key_close(w->listed[i]);
    EVP_PKEY_free(w->solana);
    EVP_PKEY_free(w->other);
    EVP_PKEY_free(w->p256);
}

/* What is under way before anybody signs: good for an hour, one host, one path. */
static inline struct sgd_grant grant_begin(const struct grant_world *w, enum sgd_grant_alg alg)
{
    struct sgd_grant grant = {
        .alg = alg,
        .account = {.chain = {.ns = SG_CAIP_EIP155, .evm_id = 1}, .address = {.len = 20}},
        .tenant = SG_STR(GRANT_TENANT),
        .expires_s = GRANT_NOW + 3600,
        .issued_s = GRANT_NOW,
        .cti = "sixteen letters",
        .ckt = "a session key's thirty-two bytes",
        .matches_count = 2,
        .matches = {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("video.example.org")},
                    {SGD_MATCH_PATH, SGD_MATCH_PREFIX, SG_STR("/films/asset/")}},
    };
    sgt_secp_address(1, grant.account.address.bytes);
    if (alg == SGD_GRANT_SOLANA_OFF || alg == SGD_GRANT_SOLANA_TEXT ||
        alg == SGD_GRANT_SOLANA_MEMO) {
        grant.account.chain = (struct sg_caip_chain){.ns = SG_CAIP_SOLANA,
                                                     .solana = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"};
        grant.account.address.len = 32;
        memcpy(grant.account.address.bytes, w->solana_key, 32);
    }
    return grant;
}

static inline void grant_put_bytes(struct sg_out *out, struct sg_str bytes)
{
    SG_ASSERT(bytes.len < 65536);
    if (bytes.len >= 256) {
        sg_out_char(out, 0x59);
        sg_out_char(out, (char)(bytes.len >> 8));
    } else if (bytes.len >= 24) {
        sg_out_char(out, 0x58);
    }
    sg_out_char(out, (char)(bytes.len < 24 ? 0x40 | bytes.len : bytes.len & 0xff));
    sg_out_str(out, bytes);
}

/* What COSE signs (RFC 9052 section 4.4), written here a second time. */
static inline struct sg_str grant_sig_structure(const struct sgd_grant *grant)
{
    static char memory[2 * SGD_GRANT_BYTES_MAX];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_out_lit(&out, "\x84\x6aSignature1");
    grant_put_bytes(&out, grant->protected_header);
    sg_out_lit(&out, "\x40");
    grant_put_bytes(&out, grant->payload);
    SG_ASSERT(!out.full);
    return sg_out_view(&out);
}

static inline size_t grant_sign(const struct grant_world *w, const struct sgd_grant *grant,
                                uint8_t *out)
{
    static char memory[SGD_GRANT_SIGNED_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    uint8_t digest[32], rsv[65];
    struct sg_str structure;
    switch (grant->alg) {
    case SGD_GRANT_SIWE:
    case SGD_GRANT_EIP712:
        SG_ASSERT(sgd_grant_digest(grant, digest) == SG_OK);
        sgt_secp_sign(1, digest, out);
        return 65;
    case SGD_GRANT_SOLANA_OFF:
    case SGD_GRANT_SOLANA_TEXT:
    case SGD_GRANT_SOLANA_MEMO:
        SG_ASSERT(sgd_grant_put_signed(&text, grant) == SG_OK);
        sgt_ed25519_sign(w->solana, sg_out_view(&text), out);
        if (grant->alg != SGD_GRANT_SOLANA_MEMO)
            return 64;
        memcpy(out + 64, text.ptr, text.len);
        return 64 + text.len;
    case SGD_GRANT_ON_CHAIN:
        memset(out, 0x5a, 130); /* two owners' signatures, say */
        return 130;
    case SGD_GRANT_ES256K:
        structure = grant_sig_structure(grant);
        sg_sha256(structure.ptr, structure.len, digest);
        sgt_secp_sign(1, digest, rsv);
        memcpy(out, rsv, 64);
        return 64;
    case SGD_GRANT_ES256:
        sgt_p256_sign(w->p256, grant_sig_structure(grant), out);
        return 64;
    case SGD_GRANT_EDDSA:
        sgt_ed25519_sign(w->other, grant_sig_structure(grant), out);
        return 64;
    }
    SG_UNREACHABLE();
}

/* As a client does: header and claims as they are, the signature, and all of it wrapped. */
static inline void grant_make(const struct grant_world *w, struct sgd_grant *grant,
                              struct grant_made *made)
{
    static char memory[2 * SGD_GRANT_BYTES_MAX];
    struct sg_out header = sg_out_init(made->header, sizeof(made->header));
    struct sg_out payload = sg_out_init(made->payload, sizeof(made->payload));
    struct sg_out whole = sg_out_init(made->bytes, sizeof(made->bytes));
    struct sg_out signed_part = sg_out_init(memory, sizeof(memory));
    sgd_grant_put_header(&header, grant);
    sgd_grant_put_claims(&payload, grant);
    SG_ASSERT(!header.full && !payload.full);
    grant->protected_header = sg_out_view(&header);
    grant->payload = sg_out_view(&payload);
    grant->signature =
        (struct sg_str){(const char *)made->signature, grant_sign(w, grant, made->signature)};
    if (grant->alg == SGD_GRANT_ON_CHAIN) {
        SG_ASSERT(sgd_grant_put_countersigned(&signed_part, grant) == SG_OK);
        sgt_ed25519_sign(w->other, sg_out_view(&signed_part), made->countersignature);
        grant->countersignature = (struct sg_str){(const char *)made->countersignature, 64};
    }
    sgd_grant_put(&whole, grant);
    SG_ASSERT(!whole.full);
    made->whole = sg_out_view(&whole);
}

/* Read, checked, verified. */
static inline enum sgd_grant_verdict grant_judge(const struct grant_world *w, struct sg_str bytes)
{
    struct sgd_grant grant;
    enum sgd_grant_verdict verdict = sgd_grant_read(bytes, &grant);
    if (verdict == SGD_GRANT_allowed)
        verdict = sgd_grant_check(&grant, &w->terms);
    return verdict == SGD_GRANT_allowed ? sgd_grant_verify(&grant, &w->keys) : verdict;
}

#endif
