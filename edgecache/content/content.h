/* content - what a node stores: objects (a response's head and what the cache must know of it) and
 * their bodies, cut into slices that live in the RAM arena, on the disk volume, or both.
 *
 * Who may do what:
 * - Every key has one owning shard (one shard a worker, chosen by the primary key's hash). Only the
 *   owner's thread fills, publishes, evicts and frees.
 * - Any worker finds objects (sge_content_find, under RCU: within one turn of its loop) and reads
 *   bodies by taking references, which may outlive the turn.
 * - The volume's two threads alone touch the disk and the content index (LMDB): one reads, the
 *   other writes. Shards and they exchange messages. Nothing here blocks a worker.
 *
 * A body's bytes never change; a freshened object (304, RFC 9111 section 4.3.4) is a new object
 * over the same body. */
#ifndef SGE_CONTENT_H
#define SGE_CONTENT_H

#include "base/err.h"
#include "base/mail.h"
#include "base/slice.h"
#include "base/str.h"

#define SGE_WORKERS_MAX    64
#define SGE_KEY_BYTES_MAX  4096
#define SGE_HEAD_BYTES_MAX (32 * 1024)
#define SGE_TAGS_MAX       32
#define SGE_PREFIXES_MAX   16
#define SGE_LENGTH_UNKNOWN UINT64_MAX
#define SGE_VOLUME_MAILS   2          /* mailboxes that the volume's threads need */
#define SGE_SLICES_ALL     UINT32_MAX /* in place of a slice's number: all of a body's */

/* A cache key: the bytes are compared, the hash (SipHash-2-4-128 under the store's own key) only
 * finds. Borrowed bytes. `owner_hash` is the hash of the primary key: all variants of one resource
 * have one owner. */
struct sge_key {
    struct sg_str bytes;
    uint64_t hash[2];
    uint64_t owner_hash;
};

/* What the cache knows of a stored response; the rest is `head`, which is the writer's. Times are
 * Unix nanoseconds unless they say otherwise. */
struct sge_meta {
    uint16_t status;
    uint16_t flags;           /* the writer's (dataplane/delivery): no-cache, must-revalidate ... */
    uint32_t tenant;          /* stable id: hash of the tenant's name */
    uint64_t birth_purge_seq; /* purge sequence read when the fetch began */
    uint64_t response_ns;     /* when the response was received (RFC 9111 section 4.2.3) */
    uint64_t initial_age_ns;  /* corrected_initial_age */
    uint64_t lifetime_ns;     /* freshness_lifetime */
    uint64_t stale_while_ns, stale_error_ns; /* RFC 5861, counted from expiry */
    uint64_t body_bytes; /* SGE_LENGTH_UNKNOWN while it arrives without a length */
    uint64_t tags[SGE_TAGS_MAX];
    uint64_t prefixes[SGE_PREFIXES_MAX]; /* hashes of the path's prefixes, for purging */
    uint8_t tags_count, prefixes_count;
};

struct sge_content; /* the store: one a process */
struct sge_shard;   /* what one worker owns of it */
struct sge_body;    /* counted by its hold; opaque */

/* Read by any holder of a reference; constant once published, but for the atomics. */
struct sge_object {
    struct sg_hold hold;
    struct sge_key key; /* its own copy of the bytes */
    struct sge_meta meta;
    struct sg_str head;    /* opaque to the store */
    struct sge_body *body; /* NULL: none (a marker, or an empty body) */
    uint16_t shard;
    _Atomic uint64_t purge_checked_seq; /* no purge up to here touched it */
    _Atomic bool stale_forced;          /* soft-purged, or invalidated by RFC 9111 section 4.4 */
};

struct sge_content_conf {
    uint64_t ram_bytes;
    bool hugepages;
    uint32_t slice_bytes;  /* 64 KiB .. 1 MiB, a power of two */
    const char *disk_path; /* NULL: RAM only */
    uint64_t disk_bytes;
    bool disk_second_hit;  /* only what is asked for a second time goes to disk; else everything */
    const char *index_dir; /* the content index (LMDB) is its folder "content", both are made */
    uint32_t workers;
    uint32_t objects_max;    /* in RAM; 0: from ram_bytes */
    struct sg_mail *mail;    /* worker i has mail id i */
    uint16_t volume_mail_id; /* the first of SGE_VOLUME_MAILS; read only with a disk */
};

/* Opens the arena, the volume and its thread. Blocks; before the workers start. A damaged volume or
 * index loses what is damaged, never refuses the start, and says so. */
SG_MUST_USE enum sg_err sge_content_open(const struct sge_content_conf *conf,
                                         struct sge_content **out);
/* After the workers ended: flushes what is written and closes. */
void sge_content_close(struct sge_content *content);
/* For a process that another one follows: keeps what is whole or has all its bytes, finishes what
 * is on its way to and from the disk, closes volume and index, and goes on in RAM. A control
 * thread's, while the workers run; blocks for patience_ns at most, and can be asked again. True:
 * the next process can have the disk tier (it is locked before). */
bool sge_content_give_up_disk(struct sge_content *content, uint64_t patience_ns);
struct sge_shard *sge_content_shard(struct sge_content *content, uint16_t worker);
/* How this store cuts its bodies. */
uint32_t sge_content_slice_bytes(const struct sge_content *content);
/* Gives `tenant` (as in meta.tenant) `percent` of the store as its own: others don't evict it from
 * there, and it is evicted from first when it has more. 0: it competes with all others. False: 63
 * tenants have shares already. Any one control thread at a time. */
bool sge_content_share(struct sge_content *content, uint32_t tenant, uint32_t percent);
/* The arena, for engines to register: in regions of 1 GiB (the last may be shorter). A slice's
 * hold->region is the number of its region, and no slice crosses a border. */
struct sge_arena_view {
    uint8_t *base;
    size_t bytes;
    int fd;
    const char *kind; /* "hugetlb", "shmem-thp", "shmem" */
};
void sge_content_arena(const struct sge_content *content, struct sge_arena_view *out);

/* Fills *key's hashes for `bytes`, with `primary` being the part all variants share (a prefix of
 * bytes). Any thread. */
void sge_key_make(const struct sge_content *content, struct sg_str bytes, size_t primary_len,
                  struct sge_key *key);
uint16_t sge_key_owner(const struct sge_content *content, const struct sge_key *key);

/* ---- any worker ---- */

/* The published object, with a reference for the caller (sg_hold_unref(&obj->hold)), or NULL. RAM
 * only. Counts as a use for eviction. */
struct sge_object *sge_content_find(struct sge_content *content, const struct sge_key *key);

/* RFC 9111 section 4.4: what is stored under `key` is stale from now on, for every worker of this
 * process and of another that has the same disk tier, before or after it (upgrade). Its owner still
 * has to take it away. */
void sge_content_invalidate(struct sge_content *content, const struct sge_key *key);
/* On the shard's own thread, before it finds anything: takes in what other processes made invalid.
 * The usual cost: a load and a compare. */
void sge_shard_heed(struct sge_shard *shard);

enum sge_read {
    SGE_READ_OK,      /* *count slices, at least one */
    SGE_READ_WAIT,    /* being filled: watch, and come back when told */
    SGE_READ_MISSING, /* nobody is filling it: ask the owner for that slice */
    SGE_READ_END,     /* offset is at the end of a finished body */
    SGE_READ_FAILED,  /* the fill ended short: there is no more */
};
/* Up to `max` slices from `offset`, together at most `budget` bytes, each with a reference. */
enum sge_read sge_body_read(struct sge_body *body, uint64_t offset, uint64_t budget,
                            struct sg_slice *out, size_t max, size_t *count);
/* Asks that worker `worker` be told (SGE_MSG_BODY_MOVED, ptr[0] the body) at the next progress or
 * end. True: something may have moved since the read, so read again instead of waiting. Call it
 * right after a read that said WAIT; false comes at the second time at the latest, unless something
 * really moved. */
SG_MUST_USE bool sge_body_watch(struct sge_body *body, uint16_t worker);
/* Length, or SGE_LENGTH_UNKNOWN while it is not known. */
uint64_t sge_body_bytes(const struct sge_body *body);
/* Some of it was evicted and is on no disk: only the origin can give it back, and only if what it
 * has can be told to be the same. */
bool sge_body_lossy(const struct sge_body *body);
struct sg_hold *sge_body_hold(struct sge_body *body);

/* ---- the owner's thread only ---- */

struct sge_object_new {
    const struct sge_key *key;
    const struct sge_meta *meta;
    struct sg_str head;
    struct sge_body *body; /* a reference is taken; NULL: none */
};
/* An object that nobody can find yet; bytes are copied. NULL: no room even after evicting. */
struct sge_object *sge_object_make(struct sge_shard *shard, const struct sge_object_new *from);
/* Makes it findable in place of what had its key; takes the caller's reference. `keep`: on disk too
 * (when a volume is there and admission agrees). */
void sge_object_publish(struct sge_shard *shard, struct sge_object *object, bool keep);
/* No longer findable, in RAM and on disk. Holders keep their references. */
void sge_object_withdraw(struct sge_shard *shard, struct sge_object *object);
/* The same for whatever has `key`, also where it is on disk only. */
void sge_key_withdraw(struct sge_shard *shard, const struct sge_key *key);

/* A body to be filled, `bytes` long or SGE_LENGTH_UNKNOWN. `once`: its slices are forgotten as soon
 * as they were read (a response that may not be stored). `tenant_share` as in meta.tenant. The
 * caller holds one reference. NULL: no room. */
struct sge_body *sge_body_make(struct sge_shard *shard, uint64_t bytes, uint32_t tenant, bool once);
/* Memory for the bytes of slice `slice`, from where its fill stands to the slice's end: filled in
 * order within a slice. False: the arena is pinned or full; try after the next event. The memory
 * stays good until the slice is full or the fill was ended. */
SG_MUST_USE bool sge_body_window(struct sge_shard *shard, struct sge_body *body, uint32_t slice,
                                 uint8_t **memory, uint32_t *bytes);
/* `bytes` more of that slice are there: readers may have them. Tells watchers. */
void sge_body_filled(struct sge_shard *shard, struct sge_body *body, uint32_t slice,
                     uint32_t bytes);
/* The fill of everything is over, well (the length is now known) or not. Tells watchers. A body
 * that is shorter than it was to be counts as not well, whatever `whole` says. */
void sge_body_finish(struct sge_shard *shard, struct sge_body *body, bool whole);
/* A fill of some slices is over: what came of it may go to disk. */
void sge_body_parts_filled(struct sge_shard *shard, struct sge_body *body);
/* One slice's fill ended short (range fill): what came of it is dropped, and its readers see
 * MISSING again. SGE_SLICES_ALL: undoes that claim. */
void sge_body_slice_abandon(struct sge_shard *shard, struct sge_body *body, uint32_t slice);
/* Marks slice as being filled: readers get WAIT rather than MISSING. False: it is, or is there.
 * SGE_SLICES_ALL: the whole body is on its way from its front, so that readers wait anywhere in it
 * (for one fetch that brings everything; a body of unknown length begins like that). */
SG_MUST_USE bool sge_body_slice_claim(struct sge_shard *shard, struct sge_body *body,
                                      uint32_t slice);
uint32_t sge_body_slice_bytes(const struct sge_body *body);
/* For once-bodies: bytes filled and not yet read, for back-pressure. */
uint64_t sge_body_unread(const struct sge_body *body);

/* Asks the volume for an object that is not in RAM. False: there is no volume, or its queue is
 * full: take it for a miss. Otherwise SGE_EVENT_LOOKED_UP follows with `cookie`. */
SG_MUST_USE bool sge_shard_look_up(struct sge_shard *shard, const struct sge_key *key,
                                   uint64_t cookie);
/* Reads a claimed slice back from the volume. False: it is not there; the claim stands.
 * Otherwise SGE_EVENT_LOADED follows. */
SG_MUST_USE bool sge_body_load(struct sge_shard *shard, struct sge_body *body, uint32_t slice,
                               uint64_t cookie);

enum sge_event_kind {
    SGE_EVENT_LOOKED_UP, /* object: found and published (a reference is the receiver's), or NULL */
    SGE_EVENT_LOADED,    /* ok: the slice is there; else it is lost, and the claim stands */
};
struct sge_event {
    enum sge_event_kind kind;
    uint64_t cookie;
    struct sge_object *object;
    bool ok;
};
/* The worker hands every message with a type of SGE_MSG_FIRST .. SGE_MSG_LAST here. Returns true
 * and fills *event where the fill's director has to act. */
bool sge_shard_message(struct sge_shard *shard, const struct sg_msg *msg, struct sge_event *event);
/* Once a loop turn: frees what other threads let go, a bounded amount of upkeep. */
void sge_shard_turn(struct sge_shard *shard);
/* For counters and status; on the owner's thread. */
struct sge_shard_counts {
    uint64_t used_bytes; /* of RAM */
    uint64_t objects;    /* findable now */
    uint64_t evicted_objects, evicted_slices;
    uint64_t no_room;                         /* times nothing could be evicted */
    uint64_t looks, looked_up, loads, loaded; /* asked of the volume, and found there */
    uint64_t not_kept;                        /* the volume's mailbox was full */
};
void sge_shard_counts(const struct sge_shard *shard, struct sge_shard_counts *out);
/* The disk tier. False: there is none. Any thread. */
struct sge_volume_counts {
    uint64_t bytes, objects;
    uint64_t kept, kept_for_good;       /* objects written, or written anew; and committed: found */
    uint64_t dropped, readmitted;       /* when their segment's turn to be written came */
    uint64_t reads, writes;             /* slices */
    uint64_t read_errors, write_errors; /* the disk's */
    uint64_t record_errors;             /* what was read was torn, rotten or another's */
    uint64_t index_errors;              /* the content index's */
    bool direct;                        /* O_DIRECT */
    bool given_up;                      /* another process has it */
    bool paused; /* writes failed too often in a row: tried again in a while */
    bool blind;  /* the index could not be committed: nothing is found until it could be */
};
bool sge_content_volume_counts(const struct sge_content *content, struct sge_volume_counts *out);

enum sge_msg_type {
    SGE_MSG_FIRST = 0x100,
    SGE_MSG_BODY_MOVED = SGE_MSG_FIRST, /* ptr[0]: body (no reference: compare only) */
    /* the store's own follow */
    SGE_MSG_LAST = 0x1ff,
};

#endif
