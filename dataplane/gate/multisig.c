#include "dataplane/gate/multisig.h"

#include "base/cbor.h"
#include "dataplane/sys/osslsig.h"

#include <string.h>

#define KEY_BYTES       32
#define SIGNATURE_BYTES 64

/* NULL: none of `len` bytes is next. */
static const uint8_t *read_bytes(struct sg_cbor *cbor, size_t len)
{
    struct sg_cbor_item item;
    bool right = sg_cbor_want(cbor, SG_CBOR_BYTES, &item) && item.bytes.len == len;
    return right ? (const uint8_t *)item.bytes.ptr : NULL;
}

static bool read_array(struct sg_cbor *cbor, uint64_t least, uint64_t most, uint64_t *count)
{
    struct sg_cbor_item item;
    if (!sg_cbor_want(cbor, SG_CBOR_ARRAY, &item) || item.value < least || item.value > most)
        return false;
    *count = item.value;
    return true;
}

static bool read_signer(struct sg_cbor *cbor, struct sgd_multisig *out)
{
    uint64_t two;
    uint8_t i = out->signers_count;
    if (!read_array(cbor, 2, 2, &two))
        return false;
    out->signers[i].key = read_bytes(cbor, KEY_BYTES);
    out->signers[i].signature = read_bytes(cbor, SIGNATURE_BYTES);
    if (out->signers[i].key == NULL || out->signers[i].signature == NULL)
        return false;
    if (i > 0 && memcmp(out->signers[i - 1].key, out->signers[i].key, KEY_BYTES) >= 0)
        return false;
    out->signers_count++;
    return true;
}

bool sgd_multisig_read(struct sg_str bytes, struct sgd_multisig *out)
{
    struct sg_cbor cbor = sg_cbor_init(bytes);
    struct sg_cbor_item vault;
    uint64_t three, count;
    struct sgd_multisig multisig = {.account = NULL};
    if (!sg_cbor_check(bytes) || !read_array(&cbor, 3, 3, &three))
        return false;
    multisig.account = read_bytes(&cbor, KEY_BYTES);
    if (multisig.account == NULL || !sg_cbor_want(&cbor, SG_CBOR_UINT, &vault) ||
        vault.value > UINT8_MAX || !read_array(&cbor, 1, SGD_MULTISIG_SIGNERS_MAX, &count))
        return false;
    multisig.vault = (uint8_t)vault.value;
    for (uint64_t i = 0; i < count; i++)
        if (!read_signer(&cbor, &multisig))
            return false;
    *out = multisig; /* nothing stands behind it: the check above saw one item */
    return true;
}

bool sgd_multisig_signed(const struct sgd_multisig *multisig, struct sg_str text)
{
    for (uint8_t i = 0; i < multisig->signers_count; i++)
        if (!sgd_osig_ed25519(multisig->signers[i].key, text, multisig->signers[i].signature))
            return false;
    return multisig->signers_count > 0;
}
