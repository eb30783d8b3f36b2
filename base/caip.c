#include "base/caip.h"

#include "base/keccak.h"
#include "base/sys/crypto.h"

#define EVM_BYTES        20
#define SOLANA_BYTES     32
#define SOLANA_REF_CHARS 32 /* of the genesis hash in base58 */
#define TOKEN_ID_CHARS   78
#define ACCOUNT_CHARS    128 /* more than any normal form of an account has */

/* What stands before the first `c`, which is dropped; *rest is what follows. False: no `c`. */
static bool cut(struct sg_str text, char c, struct sg_str *before, struct sg_str *rest)
{
    const char *at = text.len == 0 ? NULL : memchr(text.ptr, c, text.len);
    if (at == NULL)
        return false;
    *before = (struct sg_str){text.ptr, (size_t)(at - text.ptr)};
    *rest = (struct sg_str){at + 1, text.len - before->len - 1};
    return true;
}

/* Digits with no zero before the first, but for "0" itself. */
static bool is_decimal(struct sg_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len == 1 || (text.len > 1 && text.ptr[0] != '0');
}

static bool chain_read(struct sg_str ns, struct sg_str reference, struct sg_caip_chain *out)
{
    *out = (struct sg_caip_chain){.ns = SG_CAIP_EIP155};
    if (sg_str_eq(ns, SG_STR("eip155")))
        return is_decimal(reference) && sg_str_to_u64(reference, &out->evm_id) && out->evm_id != 0;
    if (!sg_str_eq(ns, SG_STR("solana")) || reference.len != SOLANA_REF_CHARS)
        return false;
    out->ns = SG_CAIP_SOLANA;
    memcpy(out->solana, reference.ptr, SOLANA_REF_CHARS);
    return sg_base58_is(reference); /* of a part: its letters can be told */
}

bool sg_caip_chain_read(struct sg_str text, struct sg_caip_chain *out)
{
    SG_ASSERT(out != NULL);
    struct sg_str ns, reference;
    struct sg_caip_chain chain;
    if (!cut(text, ':', &ns, &reference) || !chain_read(ns, reference, &chain))
        return false;
    *out = chain;
    return true;
}

/* ---- addresses ---- */

static void eip55(const uint8_t address[EVM_BYTES], char text[2 + 2 * EVM_BYTES])
{
    static const char small[] = "0123456789abcdef", large[] = "0123456789ABCDEF";
    uint8_t hash[SG_KECCAK256_BYTES];
    for (size_t i = 0; i < 2 * EVM_BYTES; i++)
        text[2 + i] = small[address[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    sg_keccak256(text + 2, 2 * EVM_BYTES, hash);
    for (size_t i = 0; i < 2 * EVM_BYTES; i++)
        if ((hash[i / 2] >> (i % 2 == 0 ? 4 : 0) & 8) != 0)
            text[2 + i] = large[address[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    text[0] = '0';
    text[1] = 'x';
}

static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    const char small = (char)(c | 0x20);
    return small >= 'a' && small <= 'f' ? (unsigned)(small - 'a') + 10 : 16;
}

static bool evm_address_read(struct sg_str text, struct sg_caip_address *out)
{
    char right[2 + 2 * EVM_BYTES];
    bool capitals = false;
    if (text.len != sizeof(right) || !sg_str_starts(text, SG_STR("0x")))
        return false;
    out->len = EVM_BYTES;
    for (size_t i = 0; i < EVM_BYTES; i++) {
        const char *at = text.ptr + 2 + 2 * i;
        const unsigned high = hex_digit(at[0]), low = hex_digit(at[1]);
        if (high > 15 || low > 15)
            return false;
        out->bytes[i] = (uint8_t)(high << 4 | low);
        capitals = capitals || (at[0] >= 'A' && at[0] <= 'F') || (at[1] >= 'A' && at[1] <= 'F');
    }
    if (!capitals)
        return true;
    eip55(out->bytes, right);
    return memcmp(right, text.ptr, sizeof(right)) == 0;
}

static bool address_read(const struct sg_caip_chain *chain, struct sg_str text,
                         struct sg_caip_address *out)
{
    *out = (struct sg_caip_address){.len = SOLANA_BYTES}; /* no byte of it is left to chance */
    if (chain->ns == SG_CAIP_EIP155)
        return evm_address_read(text, out);
    return sg_base58_read(text, out->bytes, SOLANA_BYTES);
}

bool sg_caip_account_read(struct sg_str text, struct sg_caip_account *out)
{
    SG_ASSERT(out != NULL);
    struct sg_str ns, reference, address;
    struct sg_caip_account account;
    if (!cut(text, ':', &ns, &text) || !cut(text, ':', &reference, &address) ||
        !chain_read(ns, reference, &account.chain) ||
        !address_read(&account.chain, address, &account.address))
        return false;
    *out = account;
    return true;
}

/* ---- assets ---- */

static const struct {
    const char *name;
    enum sg_caip_namespace ns;
} standards[] = {
    [SG_CAIP_ERC721] = {"erc721", SG_CAIP_EIP155},
    [SG_CAIP_ERC1155] = {"erc1155", SG_CAIP_EIP155},
    [SG_CAIP_NFT] = {"nft", SG_CAIP_SOLANA},
    [SG_CAIP_TOKEN] = {"token", SG_CAIP_SOLANA},
};

static bool standard_read(struct sg_str text, enum sg_caip_namespace ns, enum sg_caip_standard *out)
{
    for (size_t i = 0; i < SG_COUNT(standards); i++)
        if (standards[i].ns == ns && sg_str_eq(text, sg_str_from(standards[i].name))) {
            *out = (enum sg_caip_standard)i;
            return true;
        }
    return false;
}

/* "/ID", of the EVM alone. */
static bool id_read(struct sg_str text, struct sg_caip_asset *asset)
{
    asset->has_id = true;
    return asset->chain.ns == SG_CAIP_EIP155 && text.len <= TOKEN_ID_CHARS && is_decimal(text) &&
           sg_u256_read(text, &asset->id);
}

bool sg_caip_asset_read(struct sg_str text, struct sg_caip_asset *out)
{
    SG_ASSERT(out != NULL);
    struct sg_str chain, standard, contract, id = SG_STR_NONE;
    struct sg_caip_asset asset = {.has_id = false};
    if (!cut(text, '/', &chain, &text) || !cut(text, ':', &standard, &contract))
        return false;
    bool has_id = cut(contract, '/', &contract, &id);
    if (!sg_caip_chain_read(chain, &asset.chain) ||
        !standard_read(standard, asset.chain.ns, &asset.standard) ||
        !address_read(&asset.chain, contract, &asset.contract) || (has_id && !id_read(id, &asset)))
        return false;
    *out = asset;
    return true;
}

bool sg_caip_chain_eq(const struct sg_caip_chain *a, const struct sg_caip_chain *b)
{
    return a->ns == b->ns && a->evm_id == b->evm_id && strcmp(a->solana, b->solana) == 0;
}

/* ---- writing ---- */

void sg_caip_chain_put(struct sg_out *out, const struct sg_caip_chain *chain)
{
    if (chain->ns == SG_CAIP_EIP155) {
        sg_out_lit(out, "eip155:");
        sg_out_u64(out, chain->evm_id);
        return;
    }
    sg_out_lit(out, "solana:");
    sg_out_str(out, sg_str_from(chain->solana));
}

void sg_caip_address_put(struct sg_out *out, const struct sg_caip_address *address)
{
    SG_ASSERT(address->len == EVM_BYTES || address->len == SOLANA_BYTES);
    if (address->len == SOLANA_BYTES) {
        sg_base58_put(out, address->bytes, SOLANA_BYTES);
        return;
    }
    sg_out_lit(out, "0x");
    sg_out_hex(out, address->bytes, EVM_BYTES);
}

void sg_caip_account_put(struct sg_out *out, const struct sg_caip_account *account)
{
    sg_caip_chain_put(out, &account->chain);
    sg_out_char(out, ':');
    sg_caip_address_put(out, &account->address);
}

void sg_caip_asset_put(struct sg_out *out, const struct sg_caip_asset *asset)
{
    sg_caip_chain_put(out, &asset->chain);
    sg_out_char(out, '/');
    sg_out_str(out, sg_str_from(standards[asset->standard].name));
    sg_out_char(out, ':');
    sg_caip_address_put(out, &asset->contract);
    if (!asset->has_id)
        return;
    sg_out_char(out, '/');
    sg_u256_put(out, &asset->id);
}

void sg_caip_eip55_put(struct sg_out *out, const uint8_t address[20])
{
    char text[2 + 2 * EVM_BYTES];
    eip55(address, text);
    sg_out_bytes(out, text, sizeof(text));
}

void sg_caip_account_id(const struct sg_caip_account *account, uint8_t out[32])
{
    char text[ACCOUNT_CHARS];
    struct sg_out normal = sg_out_init(text, sizeof(text));
    sg_caip_account_put(&normal, account);
    SG_ASSERT(!normal.full);
    sg_sha256(text, normal.len, out);
}
