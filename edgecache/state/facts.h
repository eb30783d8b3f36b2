/* facts - what the chains say of who holds what: the part of the state that chain followers write
 * and the gate reads. A fact is a row with a value at the chain's head and one at its safe block, a
 * generation and where it came from. Changes come in numbered batches, the entries of the region's
 * ownership stream, and each is applied in one transaction, whole and once.
 * What writes blocks; what reads does so between sge_state_begin() and sge_state_end(). */
#ifndef SGE_STATE_FACTS_H
#define SGE_STATE_FACTS_H

#include "base/caip.h"
#include "base/sys/crypto.h"
#include "edgecache/state/state.h"

enum sge_fact_kind {
    SGE_FACT_OWNER = 1,  /* of an ERC-721 token or a one-of-one mint: values are account ids */
    SGE_FACT_BALANCE,    /* of one account, in an ERC-1155 id or an SPL mint: values are u256 */
    SGE_FACT_DELEGATION, /* from a vault to a delegate (delegate.xyz v2): value 1 or 0 as u256 */
    SGE_FACT_USER,       /* of an ERC-4907 token: values are account ids, good until until_s */
    SGE_FACT_ROOT,       /* of an allow list: values are Merkle roots */
    SGE_FACT_FOLLOWED,   /* of a group: values are enum sge_followed, as u256 */
};

/* How much of a group (a contract, a collection, ...) comes with the stream. The facts of it that
 * lie in the state are worth no more than this says. */
enum sge_followed {
    SGE_FOLLOWED_NOT,     /* never, or no longer: what is known of it is of then */
    SGE_FOLLOWED_READING, /* its history is being read: nothing of it is known yet */
    SGE_FOLLOWED_PART,    /* what is known is so; what is not known may be so all the same */
    SGE_FOLLOWED_WHOLE,   /* and what is not known is not so */
};

/* Which fact: `key` is what tokens name and rows are found by; `check`, the next 64 bits of the
 * same hash, tells two facts apart whose keys somebody made equal. */
struct sge_fact_id {
    uint64_t key, check;
};
void sge_fact_owner(const struct sg_caip_asset *asset, struct sge_fact_id *out);
void sge_fact_user(const struct sg_caip_asset *asset, struct sge_fact_id *out);
/* `account`: sg_caip_account_id(). */
void sge_fact_balance(const struct sg_caip_asset *asset, const uint8_t account[32],
                      struct sge_fact_id *out);
/* The same in two steps, for many accounts: *begun may be used again and again. */
void sge_fact_balance_begin(const struct sg_caip_asset *asset, struct sg_sha256 *begun);
void sge_fact_balance_end(const struct sg_sha256 *begun, const uint8_t account[32],
                          struct sge_fact_id *out);
/* `scope`: the asset, or the contract (without an id), that the delegation is for; NULL: all. */
void sge_fact_delegation(const uint8_t vault[32], const uint8_t delegate[32],
                         const struct sg_caip_asset *scope, struct sge_fact_id *out);
void sge_fact_root(uint32_t tenant, struct sg_str list, struct sge_fact_id *out);
void sge_fact_followed(uint64_t group, struct sge_fact_id *out);

/* Assets of one holder are found by what they belong to: a contract, a collection, a creator, the
 * delegations to it. */
uint64_t sge_group_contract(const struct sg_caip_asset *asset); /* the id does not count */
uint64_t sge_group_collection(const struct sg_caip_chain *chain, const uint8_t mint[32]);
uint64_t sge_group_creator(const struct sg_caip_chain *chain, const uint8_t creator[32]);
uint64_t sge_group_delegations(const struct sg_caip_chain *chain);
uint32_t sge_chain_id(const struct sg_caip_chain *chain);

/* A fact as it is from now on; all of it, so that applying it twice is applying it once. */
struct sge_change {
    struct sge_fact_id id;
    uint8_t kind;
    bool bump;      /* the value at head changed (of balances: fell) since the last change */
    uint32_t chain; /* sge_chain_id() */
    uint32_t log;   /* index of the log, or instruction, in its block */
    uint64_t block;
    uint64_t until_s; /* of SGE_FACT_USER; else 0 */
    uint8_t head[32], safe[32];
    uint8_t holder[32]; /* the account under which it is found; zero: nobody */
    uint8_t token[32];  /* token id, mint, or vault: what rules of ranges compare */
    uint8_t groups_count;
    uint64_t groups[SGE_FACT_GROUPS_MAX];
};

/* The change that says so. */
void sge_followed_make(uint64_t group, uint32_t chain, enum sge_followed how,
                       struct sge_change *out);

enum sge_word_kind {
    SGE_WORD_CTI,
    SGE_WORD_INDEX,
    SGE_WORD_EPOCH,
    SGE_WORD_RULE,
    SGE_WORD_ROOT, /* an allow list is this tree from now on; zero: there is none */
};
/* What else the stream says: revocations, lowest versions and allow lists of a tenant. */
struct sge_word {
    enum sge_word_kind kind;
    uint32_t tenant;
    uint32_t number; /* index, epoch, rule version */
    uint8_t cti[16];
    uint64_t until_ns;       /* of CTI */
    struct sge_fact_id list; /* of ROOT: sge_fact_root() */
    uint8_t root[32];
};

struct sge_batch {
    uint8_t stream[16]; /* which stream: one rebuilt from nothing is another */
    uint64_t seq;       /* this entry's number there, from 1; the generation of what it bumps */
    const struct sge_change *changes;
    uint32_t changes_count;
    const struct sge_word *words;
    uint32_t words_count;
};
/* Durable and whole when it returns SG_OK. SG_EALREADY: seq was applied before, nothing happened.
 * SG_ERANGE: an entry before it is missing. SG_EVERSION: of another stream: load a copy first.
 * SG_EEXIST: two facts with one key; the batch is applied without the later one, which is told in
 * the log: it is never a yes. */
SG_MUST_USE enum sg_err sge_state_apply(struct sge_state *state, const struct sge_batch *batch);

/* By hand, where no stream feeds this state: one change (`bump` is found out here), whose
 * generation is the next of a counter of this state's own when it is new or takes something from
 * somebody. SG_EPERM: a stream feeds it, and only that does. SG_EEXIST: the key is another fact's.
 */
SG_MUST_USE enum sg_err sge_state_change(struct sge_state *state, const struct sge_change *change,
                                         uint64_t *generation);

/* The same of SGE_WORD_ROOT. */
SG_MUST_USE enum sg_err sge_state_set_root(struct sge_state *state, const struct sge_word *word);

struct sge_mark {
    uint8_t stream[16]; /* zero: none was ever applied */
    uint64_t seq;
};
void sge_state_mark(struct sge_state_reader *reader, struct sge_mark *out);

/* A fact, by its whole name. SG_ENOENT: not known. */
SG_MUST_USE enum sg_err sge_state_fact_get(struct sge_state_reader *reader,
                                           const struct sge_fact_id *id, struct sge_change *out,
                                           uint64_t *generation);
/* What can't be read is followed no longer. */
enum sge_followed sge_state_followed(struct sge_state_reader *reader, uint64_t group);
/* Whether changes of the fact are heard of: one of its groups is followed, and no longer only read
 * for the first time. Of no chain: what was said by hand is so until it is said otherwise. */
bool sge_state_fact_is_watched(struct sge_state_reader *reader, const struct sge_fact *fact);
/* No stream ever fed it: what it has was said by hand. */
bool sge_state_by_hand(struct sge_state_reader *reader);
struct sge_holding {
    struct sge_change change;
    uint64_t generation;
};
#define SGE_HOLDINGS_ANY_MAX 256u
/* What `holder` has at head in `group`, in the order of keys after *after (0 begins): up to `max`;
 * returns how many, and moves *after to the last one. Group 0: in any, up to SGE_HOLDINGS_ANY_MAX
 * at once, and slow: each call goes through all that the holder has. */
uint32_t sge_state_holdings(struct sge_state_reader *reader, const uint8_t holder[32],
                            uint64_t group, uint64_t *after, struct sge_holding *out, uint32_t max);
uint64_t sge_state_facts_count(struct sge_state_reader *reader);

/* ---- how far each chain is followed: beside the map, since it changes with every block ---- */
#define SGE_CHAINS_MAX 64
struct sge_chain {
    uint32_t id;   /* sge_chain_id() */
    char name[64]; /* CAIP-2 */
    uint32_t zero;
    uint64_t head, safe; /* block numbers, or slots */
    uint64_t head_s;     /* the head block's own time */
    uint64_t heard_ns;   /* when the servers last agreed on a head */
    uint64_t late_s;     /* a head that is older than this by its own time says that the chain, or
                            all who tell us of it, stand still; 0: that is not judged */
    uint8_t head_hash[32];
};
/* Any process that opened the state for writing; a word in shared memory, not durable. */
SG_MUST_USE enum sg_err sge_state_chain_heard(struct sge_state *state,
                                              const struct sge_chain *chain);
/* Any thread; no transaction. SG_ENOENT: never heard of. */
SG_MUST_USE enum sg_err sge_state_chain(const struct sge_state *state, uint32_t id,
                                        struct sge_chain *out);
/* The same, of it what every request asks. */
struct sge_chain_times {
    uint64_t head_s, heard_ns, late_s;
};
SG_MUST_USE enum sg_err sge_state_chain_times(const struct sge_state *state, uint32_t id,
                                              struct sge_chain_times *out);
uint32_t sge_state_chains(const struct sge_state *state, struct sge_chain *out, uint32_t max);

/* ---- copies: a new edge, and one that was away too long ---- */
/* Writes rows from *at on (zeroed: the first) until `out` has `want` bytes more, or no room, and
 * moves *at: a piece of the copy, whole in itself. The reader stays between begin and end for the
 * whole copy, so it is of one mark. SG_ENOENT: all were written. SG_EMSGSIZE: not one row fits. The
 * form is portable and versioned (copyrow.h). */
struct sge_copy_at {
    uint8_t table;
    uint8_t key[32];
    uint8_t key_len;
};
SG_MUST_USE enum sg_err sge_state_copy(struct sge_state_reader *reader, struct sge_copy_at *at,
                                       size_t want, struct sg_out *out);
/* Takes a copy's pieces in their order, into a file; what was there before counts until _end(),
 * which puts the copy in its place in one transaction, of what differs alone. Revocations of before
 * stay. Where other facts were there (another stream's, or made by hand) the epochs of all tenants
 * are closed: no token that names one is good any more.
 * SG_ECORRUPT: not such a piece, or not the next one. */
struct sge_load;
SG_MUST_USE enum sg_err sge_state_load_begin(struct sge_state *state, const struct sge_mark *mark,
                                             struct sge_load **out);
SG_MUST_USE enum sg_err sge_state_load_add(struct sge_load *load, struct sg_str piece);
/* Ends *load either way. SG_ECORRUPT: the copy was not whole. SG_ESTALE: what is here is newer. */
SG_MUST_USE enum sg_err sge_state_load_end(struct sge_load *load);
/* Accepts NULL. */
void sge_state_load_abandon(struct sge_load *load);

/* A Merkle tree over the facts by the first byte of their keys: what two edges compare. */
struct sge_digest {
    struct sge_mark mark;
    uint8_t root[32];
    uint8_t ranges[256][32];
};
SG_MUST_USE enum sg_err sge_state_digest(struct sge_state_reader *reader, struct sge_digest *out);

#endif
