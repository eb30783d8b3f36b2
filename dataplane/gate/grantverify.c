#include "base/alloc.h"
#include "base/assert.h"
#include "dataplane/gate/cosekey.h"
#include "dataplane/gate/evmsig.h"
#include "dataplane/gate/grant_impl.h"
#include "dataplane/gate/multisig.h"
#include "dataplane/sys/osslsig.h"
#include "dataplane/sys/secp256k1.h"

#define SIGNATURE_BYTES 64

struct sgd_verify_key {
    struct sgd_osig_public key;
    uint8_t thumbprint[SGD_CKT_BYTES]; /* what a kid names it by */
};

enum sg_err sgd_verify_key_load(const char *file, struct sgd_verify_key **out)
{
    SG_ASSERT(file != NULL);
    SG_ASSERT(out != NULL);
    struct sgd_osig_public public;
    enum sg_err err = sgd_osig_load(file, &public);
    if (err != SG_OK)
        return err;
    struct sgd_verify_key *key = sg_boot_alloc(sizeof(*key));
    if (key == NULL)
        return SG_ENOMEM;
    key->key = public;
    if (public.kind == SGD_OSIG_ED25519)
        sgd_cosekey_okp(public.bytes, key->thumbprint);
    else
        sgd_cosekey_ec2(public.kind == SGD_OSIG_P256 ? SGD_COSE_P256 : SGD_COSE_SECP256K1,
                        public.bytes, key->thumbprint);
    *out = key;
    return SG_OK;
}

void sgd_verify_key_close(struct sgd_verify_key *key)
{
    sg_boot_free(key);
}

/* ---- wallets ---- */

static bool evm_signed(const struct sgd_grant *grant)
{
    uint8_t digest[32], address[SGD_EVM_ADDRESS_BYTES];
    return sgd_grant_digest(grant, digest) == SG_OK &&
           sgd_evm_signer(digest, grant->signature, address) &&
           sg_equal_secret(address, grant->account.address.bytes, sizeof(address));
}

static bool solana_signed(const struct sgd_grant *grant)
{
    char memory[SGD_GRANT_SIGNED_MAX];
    struct sg_out message = sg_out_init(memory, sizeof(memory));
    const uint8_t *signature = (const uint8_t *)grant->signature.ptr;
    return grant->signature.len == SIGNATURE_BYTES &&
           sgd_grant_put_signed(&message, grant) == SG_OK &&
           sgd_osig_ed25519(grant->account.address.bytes, sg_out_view(&message), signature);
}

/* The transaction stands behind its signature: a wallet may have added what it costs. */
static bool memo_signed(const struct sgd_grant *grant)
{
    const uint8_t *signature = (const uint8_t *)grant->signature.ptr;
    struct sg_str message = sg_str_skip(grant->signature, SIGNATURE_BYTES);
    return message.len > 0 && sgd_grant_is_memo_transaction(grant, message) &&
           sgd_osig_ed25519(grant->account.address.bytes, message, signature);
}

bool sgd_grant_multisig(const struct sgd_grant *grant, struct sgd_multisig *out)
{
    char memory[SGD_GRANT_SIGNED_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    SG_ASSERT(grant->alg == SGD_GRANT_ON_CHAIN);
    return grant->account.chain.ns == SG_CAIP_SOLANA && sgd_multisig_read(grant->signature, out) &&
           sgd_grant_put_signed(&text, grant) == SG_OK &&
           sgd_multisig_signed(out, sg_out_view(&text));
}

/* Is there something to ask the chain about? A multisig's members sign with keys of their own. */
static enum sgd_grant_verdict worth_asking(const struct sgd_grant *grant)
{
    struct sgd_multisig multisig;
    bool worth = grant->account.chain.ns != SG_CAIP_SOLANA || sgd_grant_multisig(grant, &multisig);
    return worth ? SGD_GRANT_on_chain : SGD_GRANT_signature;
}

/* ---- keys that are listed ---- */

static bool key_signed(const struct sgd_osig_public *key, struct sg_str message,
                       struct sg_str signature)
{
    const uint8_t *bytes = (const uint8_t *)signature.ptr;
    uint8_t digest[SG_SHA256_BYTES];
    if (signature.len != SIGNATURE_BYTES)
        return false;
    switch (key->kind) {
    case SGD_OSIG_P256:
        return sgd_osig_p256(key->bytes, message, bytes);
    case SGD_OSIG_SECP256K1:
        sg_sha256(message.ptr, message.len, digest);
        return sgd_secp_verify(digest, bytes, key->bytes);
    case SGD_OSIG_ED25519:
        return sgd_osig_ed25519(key->bytes, message, bytes);
    }
    SG_UNREACHABLE();
}

static enum sgd_osig_kind kind_of(enum sgd_grant_alg alg)
{
    SG_ASSERT(sgd_grant_is_issued(alg));
    return alg == SGD_GRANT_ES256K  ? SGD_OSIG_SECP256K1
           : alg == SGD_GRANT_ES256 ? SGD_OSIG_P256
                                    : SGD_OSIG_ED25519;
}

static bool key_is_meant(const struct sgd_verify_key *key, const struct sgd_grant *grant)
{
    return key->key.kind == kind_of(grant->alg) &&
           (grant->issuer_key.ptr == NULL ||
            memcmp(key->thumbprint, grant->issuer_key.ptr, sizeof(key->thumbprint)) == 0);
}

static enum sgd_grant_verdict issuer_verify(const struct sgd_grant *grant,
                                            const struct sgd_grant_keys *keys)
{
    char memory[SGD_GRANT_BYTES_MAX + SGD_GRANT_HEADER_MAX];
    struct sg_out structure = sg_out_init(memory, sizeof(memory));
    enum sgd_grant_verdict verdict = SGD_GRANT_issuer; /* no such key */
    if (!sgd_grant_put_sig_structure(&structure, grant))
        return SGD_GRANT_malformed;
    for (uint32_t i = 0; i < keys->issuers_count; i++) {
        if (!key_is_meant(keys->issuers[i], grant))
            continue;
        if (key_signed(&keys->issuers[i]->key, sg_out_view(&structure), grant->signature))
            return SGD_GRANT_allowed;
        verdict = SGD_GRANT_signature;
    }
    return verdict;
}

static enum sgd_grant_verdict countersignature_verify(const struct sgd_grant *grant,
                                                      const struct sgd_grant_keys *keys)
{
    char memory[2 * SGD_GRANT_BYTES_MAX];
    struct sg_out structure = sg_out_init(memory, sizeof(memory));
    if (grant->countersignature.ptr == NULL)
        return worth_asking(grant);
    if (sgd_grant_put_countersigned(&structure, grant) != SG_OK)
        return SGD_GRANT_malformed;
    for (uint32_t i = 0; i < keys->countersigners_count; i++)
        if (key_signed(&keys->countersigners[i]->key, sg_out_view(&structure),
                       grant->countersignature))
            return SGD_GRANT_allowed;
    return SGD_GRANT_signature;
}

enum sgd_grant_verdict sgd_grant_verify(const struct sgd_grant *grant,
                                        const struct sgd_grant_keys *keys)
{
    SG_ASSERT(grant->signature.ptr != NULL); /* of one that was read */
    bool good = false;
    switch (grant->alg) {
    case SGD_GRANT_SIWE:
    case SGD_GRANT_EIP712:
        good = evm_signed(grant);
        break;
    case SGD_GRANT_SOLANA_OFF:
    case SGD_GRANT_SOLANA_TEXT:
        good = solana_signed(grant);
        break;
    case SGD_GRANT_SOLANA_MEMO:
        good = memo_signed(grant);
        break;
    case SGD_GRANT_ON_CHAIN:
        return countersignature_verify(grant, keys);
    case SGD_GRANT_ES256K:
    case SGD_GRANT_ES256:
    case SGD_GRANT_EDDSA:
        return issuer_verify(grant, keys);
    }
    return good ? SGD_GRANT_allowed : SGD_GRANT_signature;
}
