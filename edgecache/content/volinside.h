/* volinside - the volume's insides, shared by volume.c (its thread, what is asked of it) and
 * volkeep.c (what goes to disk). Private to this folder; all of it is the volume thread's. */
#ifndef SGE_CONTENT_VOLINSIDE_H
#define SGE_CONTENT_VOLINSIDE_H

#include "base/clock.h"
#include "edgecache/content/body.h"
#include "edgecache/content/card.h"
#include "edgecache/content/object.h"
#include "edgecache/content/vollog.h"
#include "edgecache/content/volume.h"
#include "edgecache/sys/aio.h"

#include <pthread.h>

#define SGE_VOLUME_JOBS      32  /* reads and writes under way */
#define SGE_VOLUME_KEEPERS   24  /* objects being written */
#define SGE_VOLUME_KEEPS_MAX 512 /* objects waiting to be */
#define SGE_CARD_BYTES_MAX                                                                         \
    (512 + (SGE_TAGS_MAX + SGE_PREFIXES_MAX) * 8 + SGE_CARD_SLICES_MAX * 4 + SGE_KEY_BYTES_MAX +   \
     SGE_HEAD_BYTES_MAX)

/* One read or write under way. */
struct sge_volume_job {
    struct sge_volume_job *next;
    struct sge_volume_keeper *keeper; /* a write's; NULL: a read for `ask` */
    struct sge_ask *ask;
    struct sge_record record;
    struct sg_slice slice; /* a write's source, held */
    struct iovec iov[2];
    uint8_t *rest; /* SGE_REST_BYTES_MAX, aligned */
    uint32_t bytes;
};

/* One object on its way to disk: what of it is in RAM and not there yet. */
struct sge_volume_keeper {
    struct sge_object *object; /* NULL: idle */
    uint32_t *places;          /* SGE_CARD_SLICES_MAX */
    uint32_t slices, begun, under_way;
    bool failed; /* or superseded: nothing comes of it */
    bool again;  /* more of it came meanwhile */
};

struct sge_volume {
    struct sge_content *content;
    struct sg_mail *mail;
    uint16_t mail_id;
    pthread_t thread;
    bool running;
    _Atomic bool stop, forget_all;
    _Atomic bool let_go; /* asked to give the disk up */
    _Atomic bool gone;   /* it was given up: nothing is there any more */
    struct sge_voldisk disk;
    struct sge_volindex *index;
    struct sge_vollog *log;
    struct sge_aio *aio;
    struct sge_volume_job jobs[SGE_VOLUME_JOBS], *free_jobs;
    uint32_t jobs_under_way;
    uint8_t *rests;
    struct sge_volume_keeper keepers[SGE_VOLUME_KEEPERS];
    uint32_t *places;
    struct sge_object *keeps[SGE_VOLUME_KEEPS_MAX]; /* a ring */
    uint32_t keeps_first, keeps_count;
    struct sge_ask *answers; /* whose shards' mailboxes were full */
    uint8_t *card;           /* a card on its way */
    uint64_t commit_ns;      /* when the changes must be committed; SG_NEVER: none */
    uint64_t paused_until_ns;
    uint64_t linger_end_ns; /* giving up: nothing is kept after it; 0: we don't */
    uint32_t errors_in_a_row;
    bool blind; /* the index could not forget: nothing is found until it is emptied */
    _Atomic uint64_t reads, writes, errors, kept, objects, dropped, readmitted;
};

/* ---- volume.c ---- */

void sge_volume_count(_Atomic uint64_t *counter);
/* Giving up, and it is too late to begin anything. */
bool sge_volume_lingered(const struct sge_volume *volume);
void sge_volume_disk_error(struct sge_volume *volume, const char *what, enum sg_err err);
/* What a change of the index came to. */
void sge_volume_changed(struct sge_volume *volume, enum sg_err err);
void sge_volume_drop(struct sge_volume *volume, const uint64_t hash[2]);
/* The card of `hash`, if it is whole. SG_ENOENT otherwise: a bad one is forgotten. */
enum sg_err sge_volume_card(struct sge_volume *volume, const uint64_t hash[2], struct sg_str *bytes,
                            struct sge_card *card);
struct sge_volume_job *sge_volume_job_take(struct sge_volume *volume);
void sge_volume_job_give(struct sge_volume *volume, struct sge_volume_job *job);
/* Whole pages straight from or to the cell, the rest by way of the job's own two pages. Returns how
 * many parts there are. */
uint32_t sge_volume_job_parts(struct sge_volume_job *job, uint8_t *memory);

/* ---- volkeep.c ---- */

/* Takes the reference. What was on its way under that key comes to nothing, unless it is that. */
void sge_volkeep_add(struct sge_volume *volume, struct sge_object *object);
/* What is on its way under that key comes to nothing. */
void sge_volkeep_supersede(struct sge_volume *volume, const uint64_t hash[2]);
/* Begins what can be begun, ends what is done. */
void sge_volkeep_work(struct sge_volume *volume);
void sge_volkeep_written(struct sge_volume *volume, struct sge_volume_job *job, int32_t result);
bool sge_volkeep_busy(const struct sge_volume *volume);

#endif
