#include "controlplane/chain/solana.h"

#include "base/assert.h"
#include "base/b64url.h"
#include "base/base58.h"
#include "controlplane/chain/borsh.h"
#include "edgecache/state/bytes.h"

#define HOLDING_BYTES          165u
#define MINT_BYTES             82u
#define MULTISIG_BYTES         355u /* a third kind of account, whose length no extension may have */
#define KIND_AT                HOLDING_BYTES /* Token-2022: what an account with extensions is */
#define KIND_MINT              1
#define KIND_HOLDING           2
#define METADATA_KEY           4 /* Key::MetadataV1 */
#define EXTENSION_HEAD         4u
#define EXTENSION_CONFIDENTIAL 4u /* ExtensionType::ConfidentialTransferMint */
#define NAME_BYTES_MAX         32u
#define SYMBOL_BYTES_MAX       10u
#define URI_BYTES_MAX          200u
#define CREATOR_BYTES          34u
#define CREATORS_AT                                                                                \
    (1u + 32 + 32 + 4 + NAME_BYTES_MAX + 4 + SYMBOL_BYTES_MAX + 4 + URI_BYTES_MAX + 2)

struct sg_str sgc_sol_program_text(enum sgc_sol_program program)
{
    static const struct sg_str texts[SGC_SOL_PROGRAMS] = {
        [SGC_SOL_TOKEN] = SG_STR("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"),
        [SGC_SOL_TOKEN_2022] = SG_STR("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"),
        [SGC_SOL_METADATA] = SG_STR("metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s"),
        [SGC_SOL_SQUADS] = SG_STR("SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf"),
    };
    SG_ASSERT(program != SGC_SOL_OTHER && program < SGC_SOL_PROGRAMS);
    return texts[program];
}

/* ---- questions ---- */

static void put_commitment(struct sg_out *out, enum sgc_sol_commitment commitment)
{
    if (commitment == SGC_SOL_FINALIZED)
        sg_out_lit(out, "\"commitment\":\"finalized\"");
    else
        sg_out_lit(out, "\"commitment\":\"confirmed\"");
}

static void put_context(struct sg_out *out, enum sgc_sol_commitment commitment, uint64_t slot_min)
{
    put_commitment(out, commitment);
    sg_out_lit(out, ",\"encoding\":\"base64\",\"minContextSlot\":");
    sg_out_u64(out, slot_min);
}

static void put_key(struct sg_out *out, const uint8_t key[SGC_SOL_KEY_BYTES])
{
    sg_out_char(out, '"');
    sg_base58_put(out, key, SGC_SOL_KEY_BYTES);
    sg_out_char(out, '"');
}

void sgc_sol_put_commitment_params(struct sg_out *out, enum sgc_sol_commitment commitment)
{
    sg_out_lit(out, "[{");
    put_commitment(out, commitment);
    sg_out_lit(out, "}]");
}

void sgc_sol_put_multiple_params(struct sg_out *out, const uint8_t (*keys)[SGC_SOL_KEY_BYTES],
                                 uint32_t count, enum sgc_sol_commitment commitment,
                                 uint64_t slot_min)
{
    SG_ASSERT(count > 0 && count <= SGC_SOL_ACCOUNTS_MAX);
    sg_out_lit(out, "[[");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            sg_out_char(out, ',');
        put_key(out, keys[i]);
    }
    sg_out_lit(out, "],{");
    put_context(out, commitment, slot_min);
    sg_out_lit(out, "}]");
}

void sgc_sol_put_program_params(struct sg_out *out, enum sgc_sol_program program, uint32_t offset,
                                const uint8_t key[SGC_SOL_KEY_BYTES],
                                enum sgc_sol_commitment commitment, uint64_t slot_min)
{
    sg_out_lit(out, "[\"");
    sg_out_str(out, sgc_sol_program_text(program));
    sg_out_lit(out, "\",{");
    put_context(out, commitment, slot_min);
    sg_out_lit(out, ",\"withContext\":true,\"filters\":[{\"memcmp\":{\"offset\":");
    sg_out_u64(out, offset);
    sg_out_lit(out, ",\"bytes\":");
    put_key(out, key);
    sg_out_lit(out, "}}]}]");
}

void sgc_sol_put_holdings_sub(struct sg_out *out, enum sgc_sol_program program,
                              const uint8_t mint[SGC_SOL_KEY_BYTES])
{
    sg_out_lit(out, "[\"");
    sg_out_str(out, sgc_sol_program_text(program));
    sg_out_lit(out, "\",{");
    put_commitment(out, SGC_SOL_CONFIRMED);
    sg_out_lit(out, ",\"encoding\":\"base64\",\"filters\":[{\"memcmp\":{\"offset\":");
    sg_out_u64(out, SGC_SOL_HOLDING_MINT_AT);
    sg_out_lit(out, ",\"bytes\":");
    put_key(out, mint);
    sg_out_lit(out, "}}]}]");
}

void sgc_sol_put_account_sub(struct sg_out *out, const uint8_t key[SGC_SOL_KEY_BYTES])
{
    sg_out_char(out, '[');
    put_key(out, key);
    sg_out_lit(out, ",{");
    put_commitment(out, SGC_SOL_CONFIRMED);
    sg_out_lit(out, ",\"encoding\":\"base64\"}]");
}

void sgc_sol_put_mentions_sub(struct sg_out *out, const uint8_t key[SGC_SOL_KEY_BYTES])
{
    sg_out_lit(out, "[{\"mentions\":[");
    put_key(out, key);
    sg_out_lit(out, "]},{");
    put_commitment(out, SGC_SOL_FINALIZED);
    sg_out_lit(out, "}]");
}

/* ---- answers ---- */

bool sgc_sol_read_notice(struct sg_jsonread value, struct sgc_sol_notice *out)
{
    struct sg_jsonread context, slot, told, signature;
    struct sgc_sol_notice notice;
    if (!sg_jsonread_member(value, "context", &context) ||
        !sg_jsonread_member(context, "slot", &slot) || !sg_jsonread_u64(slot, &notice.slot) ||
        !sg_jsonread_member(value, "value", &told))
        return false;
    notice.is_mention = sg_jsonread_member(told, "signature", &signature);
    *out = notice;
    return true;
}

bool sgc_sol_accounts_begin(struct sgc_sol_accounts *accounts, struct sg_jsonread value, bool keyed,
                            uint8_t *scratch)
{
    struct sg_jsonread context, slot, list;
    *accounts = (struct sgc_sol_accounts){.keyed = keyed, .scratch = scratch};
    if (!sg_jsonread_member(value, "context", &context) ||
        !sg_jsonread_member(context, "slot", &slot) || !sg_jsonread_u64(slot, &accounts->slot) ||
        !sg_jsonread_member(value, "value", &list) || sg_jsonread_kind(list) != SG_JSONREAD_ARRAY)
        return false;
    accounts->walk = sg_jsonread_walk(list);
    return true;
}

static bool read_program(struct sg_jsonread account, enum sgc_sol_program *out)
{
    struct sg_jsonread owner;
    struct sg_str text;
    if (!sg_jsonread_member(account, "owner", &owner) || !sg_jsonread_plain(owner, &text))
        return false;
    *out = SGC_SOL_OTHER;
    for (enum sgc_sol_program p = SGC_SOL_TOKEN; p < SGC_SOL_PROGRAMS; p++)
        if (sg_str_eq(text, sgc_sol_program_text(p)))
            *out = p;
    return true;
}

/* ["...", "base64"] */
static bool read_data(struct sg_jsonread account, uint8_t *scratch, size_t *len)
{
    struct sg_jsonread pair, text, encoding;
    struct sg_str data, name;
    return sg_jsonread_member(account, "data", &pair) && sg_jsonread_item(pair, 0, &text) &&
           sg_jsonread_item(pair, 1, &encoding) && sg_jsonread_plain(encoding, &name) &&
           sg_str_eq(name, SG_STR("base64")) && sg_jsonread_plain(text, &data) &&
           sg_b64_read(data, scratch, SGC_SOL_ACCOUNT_BYTES, len);
}

static bool read_key(struct sg_jsonread item, uint8_t out[SGC_SOL_KEY_BYTES])
{
    struct sg_jsonread key;
    struct sg_str text;
    return sg_jsonread_member(item, "pubkey", &key) && sg_jsonread_plain(key, &text) &&
           sg_base58_read(text, out, SGC_SOL_KEY_BYTES);
}

static bool read_account(const struct sgc_sol_accounts *accounts, struct sg_jsonread item,
                         struct sgc_sol_account *out)
{
    struct sg_jsonread account = item;
    *out = (struct sgc_sol_account){.index = accounts->index, .data = accounts->scratch};
    if (accounts->keyed &&
        (!read_key(item, out->key) || !sg_jsonread_member(item, "account", &account)))
        return false;
    out->exists = !sg_jsonread_is_null(account);
    if (!out->exists)
        return !accounts->keyed;
    return read_program(account, &out->program) &&
           read_data(account, accounts->scratch, &out->data_len);
}

bool sgc_sol_accounts_next(struct sgc_sol_accounts *accounts, struct sgc_sol_account *out)
{
    struct sg_str none;
    struct sg_jsonread item;
    if (!sg_jsonread_next(&accounts->walk, &none, &item))
        return false;
    accounts->garbage = !read_account(accounts, item, out);
    accounts->index++;
    return !accounts->garbage;
}

/* ---- accounts ---- */

static uint64_t le64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof(v));
    return v;
}

/* The base of an account, followed by a byte that says what it is where extensions follow. */
static bool is_kind(const struct sgc_sol_account *account, size_t base, uint8_t kind)
{
    if (account->program == SGC_SOL_TOKEN || account->data_len == base)
        return account->data_len == base &&
               (account->program == SGC_SOL_TOKEN || account->program == SGC_SOL_TOKEN_2022);
    return account->program == SGC_SOL_TOKEN_2022 && account->data_len > KIND_AT &&
           account->data_len != MULTISIG_BYTES && account->data[KIND_AT] == kind;
}

bool sgc_sol_read_holding(const struct sgc_sol_account *account, struct sgc_sol_holding *out)
{
    if (!account->exists || !is_kind(account, HOLDING_BYTES, KIND_HOLDING))
        return false;
    uint8_t state = account->data[108];
    if (state != 1 && state != 2) /* initialised, frozen */
        return false;
    memcpy(out->mint, account->data, sizeof(out->mint));
    memcpy(out->owner, account->data + 32, sizeof(out->owner));
    out->amount = le64(account->data + 64);
    return true;
}

/* Extensions follow as type, length and value; what is cut short may be any. */
static bool has_extension(const struct sgc_sol_account *account, uint32_t type)
{
    const uint8_t *at = account->data + KIND_AT + 1;
    size_t left = account->data_len > KIND_AT + 1 ? account->data_len - KIND_AT - 1 : 0;
    while (left >= EXTENSION_HEAD) {
        uint32_t kind = at[0] | (uint32_t)at[1] << 8, len = at[2] | (uint32_t)at[3] << 8;
        if (kind == type || len > left - EXTENSION_HEAD)
            return true;
        if (kind == 0) /* padding */
            return false;
        at += EXTENSION_HEAD + len;
        left -= EXTENSION_HEAD + len;
    }
    return false;
}

bool sgc_sol_read_mint(const struct sgc_sol_account *account, struct sgc_sol_mint *out)
{
    if (!account->exists || !is_kind(account, MINT_BYTES, KIND_MINT) || account->data[45] != 1)
        return false;
    out->supply = le64(account->data + 36);
    out->decimals = account->data[44];
    out->is_hidden = has_extension(account, EXTENSION_CONFIDENTIAL);
    return true;
}

static void skip_string(struct sgc_borsh *borsh, uint32_t max)
{
    uint64_t len = sgc_borsh_number(borsh, 4);
    borsh->bad |= len > max;
    sgc_borsh_take(borsh, len);
}

static void take_creators(struct sgc_borsh *borsh, struct sgc_sol_metadata *out)
{
    uint64_t count = sgc_borsh_flag(borsh) ? sgc_borsh_number(borsh, 4) : 0;
    borsh->bad |= count > SGC_SOL_CREATORS_MAX;
    for (uint64_t i = 0; i < count && !borsh->bad; i++) {
        const uint8_t *creator = sgc_borsh_take(borsh, CREATOR_BYTES);
        if (creator != NULL && creator[32] == 1)
            memcpy(out->creators[out->creators_count++], creator, SGC_SOL_KEY_BYTES);
    }
}

/* Old metadata ends after is_mutable, or is zero from there on. */
static void take_collection(struct sgc_borsh *borsh, struct sgc_sol_metadata *out)
{
    sgc_borsh_take(borsh, 2); /* primary_sale_happened, is_mutable */
    if (sgc_borsh_flag(borsh))
        sgc_borsh_take(borsh, 1); /* edition_nonce */
    if (sgc_borsh_flag(borsh))
        sgc_borsh_take(borsh, 1); /* token_standard */
    if (!sgc_borsh_flag(borsh))
        return;
    bool verified = sgc_borsh_flag(borsh);
    const uint8_t *key = sgc_borsh_take(borsh, SGC_SOL_KEY_BYTES);
    out->in_collection = verified && key != NULL;
    if (out->in_collection)
        memcpy(out->collection, key, SGC_SOL_KEY_BYTES);
}

bool sgc_sol_read_metadata(const struct sgc_sol_account *account, struct sgc_sol_metadata *out)
{
    struct sgc_borsh borsh = sgc_borsh_init(account->data, account->data_len);
    struct sgc_sol_metadata metadata = {.in_collection = false};
    if (!account->exists || account->program != SGC_SOL_METADATA)
        return false;
    if (sgc_borsh_number(&borsh, 1) != METADATA_KEY)
        return false;
    sgc_borsh_take(&borsh, SGC_SOL_KEY_BYTES); /* update_authority */
    const uint8_t *mint = sgc_borsh_take(&borsh, SGC_SOL_KEY_BYTES);
    if (mint != NULL)
        memcpy(metadata.mint, mint, sizeof(metadata.mint));
    skip_string(&borsh, NAME_BYTES_MAX);
    skip_string(&borsh, SYMBOL_BYTES_MAX);
    skip_string(&borsh, URI_BYTES_MAX);
    sgc_borsh_take(&borsh, 2); /* seller_fee_basis_points */
    take_creators(&borsh, &metadata);
    if (borsh.bad)
        return false;
    take_collection(&borsh, &metadata);
    if (borsh.bad)
        metadata.in_collection = false;
    *out = metadata;
    return true;
}

uint32_t sgc_sol_creator_at(uint32_t nth)
{
    SG_ASSERT(nth < SGC_SOL_CREATORS_MAX);
    return CREATORS_AT + 1 + 4 + nth * CREATOR_BYTES;
}

/* With 0 to 5 creators (0: none at all), with a token standard and without; the edition's nonce has
 * been there for as long as collections have. */
uint32_t sgc_sol_collection_at(uint32_t place)
{
    SG_ASSERT(place < SGC_SOL_COLLECTION_PLACES);
    uint32_t creators = place / 2;
    uint32_t creators_bytes = creators == 0 ? 1 : 1 + 4 + creators * CREATOR_BYTES;
    return CREATORS_AT + creators_bytes + 2 + 2 + (place % 2 == 0 ? 2 : 1) + 1 + 1;
}
