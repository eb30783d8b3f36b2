/* volinside - the volume's insides, shared by volume.c (its thread, what is told to it), volkeep.c
 * (what goes to disk) and volread.c (the thread that reads it). Private to this folder; all of it
 * is the volume thread's but for what is atomic, `disk` and what was set before the threads. */
#ifndef SGE_CONTENT_VOLINSIDE_H
#define SGE_CONTENT_VOLINSIDE_H

#include "base/clock.h"
#include "edgecache/content/body.h"
#include "edgecache/content/card.h"
#include "edgecache/content/object.h"
#include "edgecache/content/voljob.h"
#include "edgecache/content/vollog.h"
#include "edgecache/content/volread.h"
#include "edgecache/content/voltrouble.h"
#include "edgecache/content/volume.h"
#include "edgecache/sys/aio.h"

#include <pthread.h>

#define SGE_VOLUME_KEEPERS   24   /* objects being written */
#define SGE_VOLUME_KEEPS_MAX 512  /* objects waiting to be */
#define SGE_VOLUME_CHANGES   1024 /* at which they are committed */
#define SGE_CARD_BYTES_MAX                                                                         \
    (512 + (SGE_TAGS_MAX + SGE_PREFIXES_MAX) * 8 + SGE_CARD_SLICES_MAX * 4 + SGE_KEY_BYTES_MAX +   \
     SGE_HEAD_BYTES_MAX)

/* One object on its way to disk: what of it is in RAM and not there yet. */
struct sge_volume_keeper {
    struct sge_object *object; /* NULL: idle */
    uint32_t *places;          /* SGE_CARD_SLICES_MAX */
    uint32_t slices, begun, under_way;
    uint64_t advances; /* of the log, when it began */
    bool failed;       /* or superseded: nothing comes of it */
    bool again;        /* more of it came meanwhile */
};

/* A body whose records are written and whose card is not committed yet; a reference. */
struct sge_volume_written {
    struct sge_body *body; /* NULL: the object has none */
    bool whole;
};

struct sge_volume {
    struct sge_content *content;
    struct sg_mail *mail;
    uint16_t mail_id;
    pthread_t thread;
    bool running;
    _Atomic bool stop, forget_all;
    _Atomic bool blind;  /* the index could not forget: nothing is found until it is emptied */
    _Atomic bool let_go; /* asked to give the disk up */
    _Atomic bool gone;   /* it was given up: nothing is there any more */
    struct sge_voldisk disk;
    struct sge_volindex *index;
    struct sge_invalid *invalid;
    uint64_t invalid_from;
    struct sge_vollog *log;
    struct sge_volread *read;
    struct sge_aio *aio;
    struct sge_voljobs jobs;
    struct sge_volume_keeper keepers[SGE_VOLUME_KEEPERS];
    uint32_t keepers_first; /* the one that began first */
    uint32_t *places;
    struct sge_object *keeps[SGE_VOLUME_KEEPS_MAX]; /* a ring */
    uint32_t keeps_first, keeps_count;
    struct sge_volume_written written[SGE_VOLUME_CHANGES + SGE_VOLUME_KEEPERS];
    uint32_t written_count;
    uint8_t *card;      /* a card on its way */
    uint64_t commit_ns; /* when the changes must be committed; SG_NEVER: none */
    _Atomic uint64_t paused_until_ns;
    uint32_t called, said; /* giving up: shards that were told, and that answered */
    uint32_t errors_in_a_row;
    uint64_t forgotten[SGE_WORKERS_MAX]; /* what each shard told to forget: so many */
    _Atomic uint64_t forgotten_for_good[SGE_WORKERS_MAX]; /* and so many of them were committed */
    struct sge_volused used;
    struct sge_troubles troubles;
    _Atomic uint64_t writes, kept, kept_for_good, objects, dropped, readmitted;
};

/* ---- volume.c ---- */

void sge_volume_count(_Atomic uint64_t *counter);
/* Writes failed too often in a row. */
bool sge_volume_is_paused(const struct sge_volume *volume);
void sge_volume_write_failed(struct sge_volume *volume, uint32_t page, enum sg_err err);
/* What a change of the index came to. */
void sge_volume_changed(struct sge_volume *volume, enum sg_err err);
void sge_volume_drop(struct sge_volume *volume, const uint64_t hash[2]);
/* The card of `hash`, if it is whole. SG_ENOENT otherwise: a bad one is forgotten. */
enum sg_err sge_volume_card(struct sge_volume *volume, const uint64_t hash[2], struct sg_str *bytes,
                            struct sge_card *card);
/* Room on the disk for a record of `bytes`. May clean a segment first, and commit: blocks then. */
SG_MUST_USE enum sg_err sge_volume_place(struct sge_volume *volume, uint32_t bytes, uint32_t *page);
/* Its card is in the index: what it says of `body` counts once that is committed. */
void sge_volume_written(struct sge_volume *volume, struct sge_body *body, bool whole);
SG_MUST_USE enum sg_err sge_volume_thread(pthread_t *thread, void *(*run)(void *), void *arg,
                                          const char *name);

/* ---- volkeep.c ---- */

/* Takes the reference. What was on its way under that key comes to nothing, unless it is that. */
void sge_volkeep_add(struct sge_volume *volume, struct sge_object *object);
/* What is on its way under that key comes to nothing. */
void sge_volkeep_supersede(struct sge_volume *volume, const uint64_t hash[2]);
/* Begins what can be begun, ends what is done. */
void sge_volkeep_work(struct sge_volume *volume);
void sge_volkeep_written(struct sge_volume *volume, struct sge_voljob *job, int32_t result);
bool sge_volkeep_busy(const struct sge_volume *volume);

#endif
