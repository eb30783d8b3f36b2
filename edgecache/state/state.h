/* state - what the control side tells the dataplane, in an LMDB environment that outlives both:
 * purges, ownership facts, revocations, tenant epochs. The control side writes (one writer at a
 * time, in any process), durably before it answers; the dataplane reads in short transactions and
 * never blocks: the map is locked and prefaulted. */
#ifndef SGE_STATE_H
#define SGE_STATE_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct sge_state;

/* `dir` is the node's state_dir: the state is its folder "state", both made when absent (writable).
 * Blocks. One open a process and directory; not across fork(). A state of
 * format 1 is converted (writable); SG_EVERSION: of format 1 and not writable, or of a newer
 * version of us. */
SG_MUST_USE enum sg_err sge_state_open(const char *dir, bool writable, struct sge_state **out);
void sge_state_close(struct sge_state *state);
/* Why the map is not locked in memory (SG_OK: it is): for status. */
enum sg_err sge_state_locked(const struct sge_state *state);
/* Changes whenever anything was committed, by any process; a load from the map: cheap enough for
 * every request. Any thread. For an instant a reader may begin at the commit before it: remember
 * what was seen by sge_state_reader_version(), not by this. */
uint64_t sge_state_version(const struct sge_state *state);
/* Unix ns of the last word of the control side (feed heartbeat): how old the knowledge is. 0: it
 * never spoke. Any thread. */
uint64_t sge_state_fed_ns(const struct sge_state *state);

/* A reader: one a thread, made at start. begin/end bracket a few look-ups within one loop turn. */
struct sge_state_reader;
SG_MUST_USE enum sg_err sge_state_reader_open(struct sge_state *state,
                                              struct sge_state_reader **out);
void sge_state_reader_close(struct sge_state_reader *reader);
SG_MUST_USE enum sg_err sge_state_begin(struct sge_state_reader *reader);
void sge_state_end(struct sge_state_reader *reader);
/* The version that this reader sees; within begin/end. */
uint64_t sge_state_reader_version(const struct sge_state_reader *reader);
const struct sge_state *sge_state_of(const struct sge_state_reader *reader);

/* ---- purges ---- */
enum sge_purge_scope { SGE_PURGE_URL, SGE_PURGE_PREFIX, SGE_PURGE_TAG, SGE_PURGE_TENANT };
struct sge_purge {
    uint64_t seq;    /* assigned by the store: 1, 2, 3 ... never reused */
    uint32_t tenant; /* sge_tenant_id() */
    uint8_t scope;   /* enum sge_purge_scope */
    bool soft;       /* stale, not gone */
    uint64_t match;  /* hash of the url key, prefix or tag: sge_purge_hash() */
    uint64_t at_ns;
};
/* Durable when it returns SG_OK; *seq is its sequence number. */
SG_MUST_USE enum sg_err sge_state_purge(struct sge_state *state, const struct sge_purge *purge,
                                        uint64_t *seq);
/* The newest sequence number; within begin/end. */
uint64_t sge_state_purge_seq(struct sge_state_reader *reader);
/* Those after `seq`, oldest first, up to `max`; returns how many. Within begin/end. The log keeps
 * the newest SGE_PURGES_KEPT; what is older is kept as one purge of its whole tenant. */
#define SGE_PURGES_KEPT (1u << 18)
uint32_t sge_state_purges_after(struct sge_state_reader *reader, uint64_t seq,
                                struct sge_purge *out, uint32_t max);
/* Stable over restarts and nodes: FNV or alike would be guessable, so the first 8 bytes of
 * SHA-256 over scope, tenant and text. */
uint64_t sge_purge_hash(enum sge_purge_scope scope, uint32_t tenant, struct sg_str text);
uint32_t sge_tenant_id(struct sg_str name);

/* ---- ownership facts (TOKEN claims, -70002) ---- */
#define SGE_FACT_GROUPS_MAX 8
struct sge_fact {
    uint64_t generation; /* the event's number in the region's ownership stream; never reused */
    uint8_t owner_head[32], owner_safe[32]; /* SHA-256 of the CAIP-10 account; zero: nobody */
    uint64_t block;
    uint32_t log;        /* index of the log, or instruction, in its block */
    uint64_t changed_ns; /* when this node heard of its generation */
    uint32_t chain;      /* sge_chain_id(); 0: of none */
    uint8_t groups_count;
    uint64_t groups[SGE_FACT_GROUPS_MAX]; /* what it belongs to: facts.h */
};
/* SG_ENOENT: not known, which is never a yes. Within begin/end. */
SG_MUST_USE enum sg_err sge_state_fact(struct sge_state_reader *reader, uint64_t fact_key,
                                       struct sge_fact *out);
/* By hand: assigns the next generation when the owner at head changes (and only then); durable. No
 * rule is met by it, as its whole name is not known: sge_state_change() knows it. SG_EPERM: a
 * stream feeds this state, and only that changes its facts. */
SG_MUST_USE enum sg_err sge_state_fact_set(struct sge_state *state, uint64_t fact_key,
                                           const uint8_t owner_head[32],
                                           const uint8_t owner_safe[32], uint64_t block,
                                           uint64_t *generation);

/* The lowest version of the tenant's rules that tokens with facts may name; 0 until first raised.
 */
uint32_t sge_state_rule_version(struct sge_state_reader *reader, uint32_t tenant);
/* SG_ERANGE: it is not above the present one. Durable. */
SG_MUST_USE enum sg_err sge_state_raise_rule(struct sge_state *state, uint32_t tenant,
                                             uint32_t version);

/* ---- revocations ---- */
/* Within begin/end. What can't be read counts as revoked, as the highest epoch or rule version:
 * nothing passes. */
bool sge_state_cti_revoked(struct sge_state_reader *reader, uint32_t tenant, const uint8_t cti[16]);
bool sge_state_index_revoked(struct sge_state_reader *reader, uint32_t tenant, uint32_t index);
uint32_t sge_state_epoch_min(struct sge_state_reader *reader, uint32_t tenant);
/* Durable when they return. `until_ns`: when the token would have expired, after which it may be
 * forgotten. */
SG_MUST_USE enum sg_err sge_state_revoke_cti(struct sge_state *state, uint32_t tenant,
                                             const uint8_t cti[16], uint64_t until_ns);
SG_MUST_USE enum sg_err sge_state_revoke_index(struct sge_state *state, uint32_t tenant,
                                               uint32_t index);
/* SG_ERANGE: it is not above the present one. */
SG_MUST_USE enum sg_err sge_state_raise_epoch(struct sge_state *state, uint32_t tenant,
                                              uint32_t epoch);
/* The control side says that it is alive and its feed is whole up to now. SG_EACCES: the state was
 * opened for reading alone. */
SG_MUST_USE enum sg_err sge_state_heartbeat(struct sge_state *state, uint64_t now_ns);

#endif
