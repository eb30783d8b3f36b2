/* solana - what is asked of a Solana server, and how its answers and the accounts in them are read:
 * SPL Token and Token-2022 accounts and mints, Metaplex metadata. Pure: text and bytes in, numbers
 * out; no allocation, any thread. All of it comes from a server that nobody vouches for: `false` is
 * garbage. Layouts: spl-token's state.rs, token-2022's extension/mod.rs, mpl-token-metadata's
 * state/metadata.rs (Borsh). */
#ifndef SGC_CHAIN_SOLANA_H
#define SGC_CHAIN_SOLANA_H

#include "base/jsonread.h"

#include <stdbool.h>
#include <stdint.h>

#define SGC_SOL_KEY_BYTES     32
#define SGC_SOL_ACCOUNTS_MAX  100         /* of one getMultipleAccounts */
#define SGC_SOL_ACCOUNT_BYTES (64u << 10) /* an account with more is none that we read */
#define SGC_SOL_CREATORS_MAX  5

enum sgc_sol_program {
    SGC_SOL_OTHER, /* none of these */
    SGC_SOL_TOKEN,
    SGC_SOL_TOKEN_2022,
    SGC_SOL_METADATA, /* Metaplex Token Metadata */
    SGC_SOL_SQUADS,   /* Squads Multisig v4 */
    SGC_SOL_PROGRAMS,
};
/* The program's address in base58. Not of OTHER. */
struct sg_str sgc_sol_program_text(enum sgc_sol_program program);

/* CONFIRMED is the head: voted on by two thirds of the stake. FINALIZED is safe. */
enum sgc_sol_commitment { SGC_SOL_CONFIRMED, SGC_SOL_FINALIZED };

/* ---- questions: params as JSON ---- */

/* getSlot, getBlockHeight: "[{...}]". */
void sgc_sol_put_commitment_params(struct sg_out *out, enum sgc_sol_commitment commitment);
/* getMultipleAccounts, as seen at `slot_min` or later. */
void sgc_sol_put_multiple_params(struct sg_out *out, const uint8_t (*keys)[SGC_SOL_KEY_BYTES],
                                 uint32_t count, enum sgc_sol_commitment commitment,
                                 uint64_t slot_min);
/* getProgramAccounts with context: those of `program` that have `key` at `offset`. */
void sgc_sol_put_program_params(struct sg_out *out, enum sgc_sol_program program, uint32_t offset,
                                const uint8_t key[SGC_SOL_KEY_BYTES],
                                enum sgc_sol_commitment commitment, uint64_t slot_min);

/* ---- subscriptions: params, and what is heard ---- */

/* programSubscribe, confirmed: token accounts of a mint. */
void sgc_sol_put_holdings_sub(struct sg_out *out, enum sgc_sol_program program,
                              const uint8_t mint[SGC_SOL_KEY_BYTES]);
/* accountSubscribe, confirmed. */
void sgc_sol_put_account_sub(struct sg_out *out, const uint8_t key[SGC_SOL_KEY_BYTES]);
/* logsSubscribe, finalized: transactions that name an account. */
void sgc_sol_put_mentions_sub(struct sg_out *out, const uint8_t key[SGC_SOL_KEY_BYTES]);
struct sgc_sol_notice {
    uint64_t slot;
    bool is_mention; /* of a mentions_sub; else of an account */
};
bool sgc_sol_read_notice(struct sg_jsonread value, struct sgc_sol_notice *out);

/* ---- answers ---- */

struct sgc_sol_account {
    uint8_t key[SGC_SOL_KEY_BYTES]; /* of getProgramAccounts; else the caller knows it by index */
    uint32_t index;                 /* in the answer */
    bool exists;
    enum sgc_sol_program program; /* its owner */
    const uint8_t *data;          /* in the reader's scratch, until the next */
    size_t data_len;
};
/* Reads {context: {slot}, value: [...]} account by account. */
struct sgc_sol_accounts {
    struct sg_jsonread_walk walk;
    uint64_t slot;
    uint8_t *scratch; /* SGC_SOL_ACCOUNT_BYTES */
    uint32_t index;
    bool keyed;   /* getProgramAccounts: {pubkey, account} */
    bool garbage; /* why next() said false */
};
bool sgc_sol_accounts_begin(struct sgc_sol_accounts *accounts, struct sg_jsonread value, bool keyed,
                            uint8_t *scratch);
/* False: that was all, or `garbage`. */
bool sgc_sol_accounts_next(struct sgc_sol_accounts *accounts, struct sgc_sol_account *out);

/* ---- accounts ---- */

/* Where in a token account the mint stands: for sgc_sol_put_program_params(). */
#define SGC_SOL_HOLDING_MINT_AT 0u
struct sgc_sol_holding {
    uint8_t mint[SGC_SOL_KEY_BYTES], owner[SGC_SOL_KEY_BYTES];
    uint64_t amount; /* a frozen account's too: it is held, only not movable */
};
/* False: not a token account, or one that nobody initialised. */
bool sgc_sol_read_holding(const struct sgc_sol_account *account, struct sgc_sol_holding *out);

struct sgc_sol_mint {
    uint64_t supply;
    uint8_t decimals;
    bool is_hidden; /* balances of it may be confidential: what accounts say need not be all */
};
bool sgc_sol_read_mint(const struct sgc_sol_account *account, struct sgc_sol_mint *out);
/* One token there is, and no part of it: its one holder is the owner. */
static inline bool sgc_sol_is_nft(const struct sgc_sol_mint *mint)
{
    return mint->supply == 1 && mint->decimals == 0;
}

#define SGC_SOL_METADATA_MINT_AT 33u
struct sgc_sol_metadata {
    uint8_t mint[SGC_SOL_KEY_BYTES];
    bool in_collection; /* verified by the collection's authority; a claim alone does not count */
    uint8_t collection[SGC_SOL_KEY_BYTES];
    uint8_t creators_count; /* those who signed */
    uint8_t creators[SGC_SOL_CREATORS_MAX][SGC_SOL_KEY_BYTES];
};
bool sgc_sol_read_metadata(const struct sgc_sol_account *account, struct sgc_sol_metadata *out);
/* Where metadata may name its nth creator, and its collection: which of these it is depends on what
 * stands before. Metaplex pads name, symbol and URI to their largest sizes. */
#define SGC_SOL_COLLECTION_PLACES (2u * (SGC_SOL_CREATORS_MAX + 1))
uint32_t sgc_sol_creator_at(uint32_t nth);
uint32_t sgc_sol_collection_at(uint32_t place); /* 0 .. SGC_SOL_COLLECTION_PLACES - 1 */

#endif
