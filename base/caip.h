/* caip - the names of chains, accounts and assets: CAIP-2, CAIP-10, CAIP-19. Reading is strict and
 * gives each thing one normal form, since what is hashed and compared is that form alone: EVM
 * addresses in lower case hexadecimal (one with a capital must have a right EIP-55 checksum),
 * Solana's in base58 of exactly 32 bytes, token ids in decimal without leading zeros. No
 * allocation, any thread. */
#ifndef SG_BASE_CAIP_H
#define SG_BASE_CAIP_H

#include "base/base58.h"
#include "base/out.h"
#include "base/u256.h"

#include <stdbool.h>
#include <stdint.h>

enum sg_caip_namespace { SG_CAIP_EIP155, SG_CAIP_SOLANA };

/* CAIP-2: "eip155:1", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp". */
struct sg_caip_chain {
    enum sg_caip_namespace ns;
    uint64_t evm_id; /* of eip155 */
    char solana[33]; /* the reference of solana, NUL-terminated; else "" */
};

/* An account or a contract: 20 bytes of the EVM, 32 of Solana. */
struct sg_caip_address {
    uint8_t len; /* 20 or 32 */
    uint8_t bytes[32];
};

/* CAIP-10: chain and address. */
struct sg_caip_account {
    struct sg_caip_chain chain;
    struct sg_caip_address address;
};

enum sg_caip_standard {
    SG_CAIP_ERC721,  /* eip155:1/erc721:0xCONTRACT[/ID] */
    SG_CAIP_ERC1155, /* eip155:1/erc1155:0xCONTRACT[/ID] */
    SG_CAIP_NFT,     /* solana:.../nft:MINT (one of one), also a collection's mint or a creator */
    SG_CAIP_TOKEN,   /* solana:.../token:MINT (SPL, fungible) */
};
/* CAIP-19. */
struct sg_caip_asset {
    struct sg_caip_chain chain;
    enum sg_caip_standard standard;
    struct sg_caip_address contract; /* or mint */
    bool has_id;
    struct sg_u256 id; /* erc721, erc1155 */
};

/* False: not in that form. *out is then untouched. */
bool sg_caip_chain_read(struct sg_str text, struct sg_caip_chain *out);
bool sg_caip_account_read(struct sg_str text, struct sg_caip_account *out);
bool sg_caip_asset_read(struct sg_str text, struct sg_caip_asset *out);
bool sg_caip_chain_eq(const struct sg_caip_chain *a, const struct sg_caip_chain *b);
/* The normal form. */
void sg_caip_chain_put(struct sg_out *out, const struct sg_caip_chain *chain);
void sg_caip_address_put(struct sg_out *out, const struct sg_caip_address *address);
void sg_caip_account_put(struct sg_out *out, const struct sg_caip_account *account);
void sg_caip_asset_put(struct sg_out *out, const struct sg_caip_asset *asset);
/* EIP-55, 42 characters with 0x: what an EIP-4361 text must show. */
void sg_caip_eip55_put(struct sg_out *out, const uint8_t address[20]);
/* SHA-256 of the normal form: how an account stands in facts. */
void sg_caip_account_id(const struct sg_caip_account *account, uint8_t out[32]);

#endif
