/* Names of facts and groups: hashes of normal forms, each kind under a letter of its own. */
#include "base/assert.h"
#include "base/sys/crypto.h"
#include "edgecache/state/bytes.h"
#include "edgecache/state/facts.h"

#define TEXT_MAX 256 /* more than any normal form of an asset has */

static void begin(struct sg_sha256 *hash, char kind)
{
    sg_sha256_init(hash);
    sg_sha256_add(hash, "streamgate/", strlen("streamgate/"));
    sg_sha256_add(hash, &kind, 1);
    sg_sha256_add(hash, "/", 1);
}

/* With its end, so that nothing which follows could be part of it. */
static void add_asset(struct sg_sha256 *hash, const struct sg_caip_asset *asset)
{
    char text[TEXT_MAX];
    struct sg_out out = sg_out_init(text, sizeof(text));
    sg_caip_asset_put(&out, asset);
    SG_ASSERT(!out.full);
    sg_sha256_add(hash, text, out.len);
    sg_sha256_add(hash, "", 1);
}

static void add_chain(struct sg_sha256 *hash, const struct sg_caip_chain *chain)
{
    char text[TEXT_MAX];
    struct sg_out out = sg_out_init(text, sizeof(text));
    sg_caip_chain_put(&out, chain);
    SG_ASSERT(!out.full);
    sg_sha256_add(hash, text, out.len);
    sg_sha256_add(hash, "", 1);
}

static void fact_end(struct sg_sha256 *hash, struct sge_fact_id *out)
{
    uint8_t digest[SG_SHA256_BYTES];
    sg_sha256_final(hash, digest);
    out->key = sge_be64_get(digest);
    out->check = sge_be64_get(digest + 8);
}

static uint64_t group_end(struct sg_sha256 *hash)
{
    struct sge_fact_id id;
    fact_end(hash, &id);
    return id.key == 0 ? 1 : id.key; /* 0 is "any" */
}

void sge_fact_owner(const struct sg_caip_asset *asset, struct sge_fact_id *out)
{
    struct sg_sha256 hash;
    begin(&hash, 'o');
    add_asset(&hash, asset);
    fact_end(&hash, out);
}

void sge_fact_user(const struct sg_caip_asset *asset, struct sge_fact_id *out)
{
    struct sg_sha256 hash;
    begin(&hash, 'u');
    add_asset(&hash, asset);
    fact_end(&hash, out);
}

void sge_fact_balance_begin(const struct sg_caip_asset *asset, struct sg_sha256 *begun)
{
    begin(begun, 'b');
    add_asset(begun, asset);
}

void sge_fact_balance_end(const struct sg_sha256 *begun, const uint8_t account[32],
                          struct sge_fact_id *out)
{
    struct sg_sha256 hash = *begun;
    sg_sha256_add(&hash, account, 32);
    fact_end(&hash, out);
}

void sge_fact_balance(const struct sg_caip_asset *asset, const uint8_t account[32],
                      struct sge_fact_id *out)
{
    struct sg_sha256 begun;
    sge_fact_balance_begin(asset, &begun);
    sge_fact_balance_end(&begun, account, out);
}

void sge_fact_delegation(const uint8_t vault[32], const uint8_t delegate[32],
                         const struct sg_caip_asset *scope, struct sge_fact_id *out)
{
    struct sg_sha256 hash;
    begin(&hash, 'd');
    sg_sha256_add(&hash, vault, 32);
    sg_sha256_add(&hash, delegate, 32);
    if (scope != NULL)
        add_asset(&hash, scope);
    fact_end(&hash, out);
}

void sge_fact_root(uint32_t tenant, struct sg_str list, struct sge_fact_id *out)
{
    struct sg_sha256 hash;
    uint8_t number[4];
    sge_be32_put(number, tenant);
    begin(&hash, 'r');
    sg_sha256_add(&hash, number, sizeof(number));
    sg_sha256_add(&hash, list.ptr, list.len);
    fact_end(&hash, out);
}

void sge_fact_followed(uint64_t group, struct sge_fact_id *out)
{
    struct sg_sha256 hash;
    uint8_t number[8];
    sge_be64_put(number, group);
    begin(&hash, 'f');
    sg_sha256_add(&hash, number, sizeof(number));
    fact_end(&hash, out);
}

uint64_t sge_group_contract(const struct sg_caip_asset *asset)
{
    struct sg_caip_asset contract = *asset;
    struct sg_sha256 hash;
    contract.has_id = false;
    begin(&hash, 'C');
    add_asset(&hash, &contract);
    return group_end(&hash);
}

uint64_t sge_group_collection(const struct sg_caip_chain *chain, const uint8_t mint[32])
{
    struct sg_sha256 hash;
    begin(&hash, 'M');
    add_chain(&hash, chain);
    sg_sha256_add(&hash, mint, 32);
    return group_end(&hash);
}

uint64_t sge_group_creator(const struct sg_caip_chain *chain, const uint8_t creator[32])
{
    struct sg_sha256 hash;
    begin(&hash, 'A');
    add_chain(&hash, chain);
    sg_sha256_add(&hash, creator, 32);
    return group_end(&hash);
}

uint64_t sge_group_delegations(const struct sg_caip_chain *chain)
{
    struct sg_sha256 hash;
    begin(&hash, 'D');
    add_chain(&hash, chain);
    return group_end(&hash);
}

uint32_t sge_chain_id(const struct sg_caip_chain *chain)
{
    struct sg_sha256 hash;
    begin(&hash, 'c');
    add_chain(&hash, chain);
    uint32_t id = (uint32_t)(group_end(&hash) >> 32);
    return id == 0 ? 1 : id; /* 0: of no chain */
}
