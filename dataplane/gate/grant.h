/* grant - what a wallet signed, as bytes: COSE_Sign1 (RFC 9052, tags 61(18(...))) around CWT
 * claims; docs/tokens.md has the format and which text or struct each algorithm has the wallet
 * sign. What was signed is rebuilt from the claims, never taken from the client. Pure; no
 * allocation; reading takes a microsecond, verifying some 40 to 400: never on a delivery worker
 * (grants.h). */
#ifndef SGD_GATE_GRANT_H
#define SGD_GATE_GRANT_H

#include "base/caip.h"
#include "base/out.h"
#include "dataplane/gate/token.h"

#define SGD_GRANT_BYTES_MAX  4096
#define SGD_GRANT_SIGNED_MAX 8192 /* of the text or message that the wallet signs */
#define SGD_GRANT_LIFETIME_S 86400
#define SGD_GRANT_ASSETS_MAX 8
#define SGD_CKT_BYTES        32

/* COSE algorithm numbers. */
enum sgd_grant_alg {
    SGD_GRANT_SIWE = -70011,       /* EIP-4361 text by EIP-191, the grant as one ReCap (EIP-5573) */
    SGD_GRANT_EIP712 = -70012,     /* EIP-712 StreamGateGrant */
    SGD_GRANT_SOLANA_OFF = -70013, /* Solana off-chain message v0 */
    SGD_GRANT_SOLANA_TEXT = -70014, /* Solana signMessage of the sign-in text */
    SGD_GRANT_SOLANA_MEMO = -70015, /* Solana memo transaction, never submitted */
    SGD_GRANT_ON_CHAIN = -70016,    /* EIP-1271, ERC-6492, multisig: the chain is asked */
    SGD_GRANT_ES256K = -47,
    SGD_GRANT_ES256 = -7,
    SGD_GRANT_EDDSA = -8,
};
/* ES256K, ES256 and EdDSA: a back end speaks, not a wallet. */
static inline bool sgd_grant_is_issued(enum sgd_grant_alg alg)
{
    return alg == SGD_GRANT_ES256K || alg == SGD_GRANT_ES256 || alg == SGD_GRANT_EDDSA;
}

/* GRANT(name, HTTP status, reason code told to the viewer): enum, counter and text. */
enum sgd_grant_verdict {
#define GRANT(name, status, reason) SGD_GRANT_##name,
#include "dataplane/gate/grant.def"
#undef GRANT
    SGD_GRANT_VERDICTS
};
const char *sgd_grant_reason(enum sgd_grant_verdict verdict);
uint16_t sgd_grant_status(enum sgd_grant_verdict verdict);
const char *sgd_grant_name(enum sgd_grant_verdict verdict);

/* The grant; strings are borrowed from the bytes it was read from. Also what the challenge endpoint
 * fills in to tell a wallet what to sign. */
struct sgd_grant {
    enum sgd_grant_alg alg;
    struct sg_caip_account
        account;          /* iss; of issuer algorithms: whom the back end speaks of (sub) */
    struct sg_str tenant; /* aud */
    struct sg_str domain; /* -70007: the page's host[:port] that the wallet shows; ptr
                             NULL: the exact host of catu */
    uint64_t expires_s, not_before_s, issued_s;
    uint8_t cti[16];
    uint8_t ckt[SGD_CKT_BYTES]; /* the session key's thumbprint (RFC 9679) */
    uint32_t methods;           /* bits by enum sgd_method; 0: GET and HEAD */
    uint8_t matches_count, assets_count;
    struct sgd_match matches[SGD_TOKEN_MATCHES_MAX];
    struct {
        struct sg_caip_asset asset;
        struct sg_u256 min;
    } assets[SGD_GRANT_ASSETS_MAX]; /* -70001: what the wallet says it holds */
    struct sg_str issuer_key;       /* kid of issuer algorithms: which of the tenant's keys */
    struct sg_str protected_header, payload, signature; /* ptr NULL while none was made */
    struct sg_str countersignature;                     /* of ON_CHAIN; ptr NULL: none yet */
};

/* Parses and bounds; says nothing of genuineness. `bytes` is CBOR. */
enum sgd_grant_verdict sgd_grant_read(struct sg_str bytes, struct sgd_grant *out);
/* Its name: SHA-256 of protected header and payload, the same whichever way the signature is spelt.
 * The first 16 bytes are the cti of the edge tokens that are made of it. */
void sgd_grant_id(const struct sgd_grant *grant, uint8_t out[32]);
/* Writes the claims (payload) and the protected header of a grant under way, in the one form that
 * sgd_grant_read() takes and clients wrap unchanged. */
void sgd_grant_put_claims(struct sg_out *out, const struct sgd_grant *grant);
void sgd_grant_put_header(struct sg_out *out, const struct sgd_grant *grant);
/* The whole, of header, payload, signature and countersignature, which must be there (the last need
 * not). */
void sgd_grant_put(struct sg_out *out, const struct sgd_grant *grant);
/* Exactly what the wallet signs: SIWE and SOLANA_TEXT the text, EIP712 the 32-byte digest, Solana's
 * the message's bytes. SG_EMSGSIZE: it does not fit. SG_ENOTSUP: issuer algorithms sign COSE. */
SG_MUST_USE enum sg_err sgd_grant_put_signed(struct sg_out *out, const struct sgd_grant *grant);
/* The 32 bytes that an EVM key signs of that, and that a contract is asked about: EIP-191's hash of
 * the text (SIWE; ON_CHAIN, of an EVM account), EIP-712's. SG_ENOTSUP: no such algorithm. */
SG_MUST_USE enum sg_err sgd_grant_digest(const struct sgd_grant *grant, uint8_t out[32]);
/* EIP712: the typed data as JSON, for eth_signTypedData_v4. */
SG_MUST_USE enum sg_err sgd_grant_put_typed_data(struct sg_out *out, const struct sgd_grant *grant);

/* What the control plane signs of an ON_CHAIN grant: its Countersign_structure (RFC 9338,
 * CounterSignature0V2). SG_EMSGSIZE: it does not fit. */
SG_MUST_USE enum sg_err sgd_grant_put_countersigned(struct sg_out *out,
                                                    const struct sgd_grant *grant);

/* Of an ON_CHAIN grant of a Solana account: which members of a multisig signed it. False: it is not
 * that, or one of them did not. Borrows the grant's signature. */
struct sgd_multisig;
bool sgd_grant_multisig(const struct sgd_grant *grant, struct sgd_multisig *out);

/* Times, lifetime, tenant, host, domain: everything of the claims that needs no signature.
 * `domains`: those the tenant lists, for pages on other hosts than the content. `any_host`: the
 * site answers to every name, so the one that was asked for is whatever the asker likes: a page in
 * between could sign viewers in under its own name. It is no domain then, but on this machine. */
struct sgd_grant_terms {
    struct sg_str tenant;
    struct sg_str authority;
    const char *const *domains;
    uint32_t domains_count;
    bool any_host;
    uint32_t skew_s;
    uint64_t now_s;
};
enum sgd_grant_verdict sgd_grant_check(const struct sgd_grant *grant,
                                       const struct sgd_grant_terms *terms);

/* The key of a back end that issues, or of the control plane that countersigns. */
struct sgd_verify_key;
/* PEM, public: P-256, secp256k1, Ed25519. Blocks. */
SG_MUST_USE enum sg_err sgd_verify_key_load(const char *file, struct sgd_verify_key **out);
void sgd_verify_key_close(struct sgd_verify_key *key);

struct sgd_grant_keys {
    struct sgd_verify_key *const *issuers; /* the tenant's; none: issuer algorithms are refused */
    uint32_t issuers_count;
    struct sgd_verify_key *const *countersigners; /* of ON_CHAIN */
    uint32_t countersigners_count;
};
/* Allowed: genuine. on_chain: the control plane must be asked (onchain.h) and countersign. */
enum sgd_grant_verdict sgd_grant_verify(const struct sgd_grant *grant,
                                        const struct sgd_grant_keys *keys);

#endif
