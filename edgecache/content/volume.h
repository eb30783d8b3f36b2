/* volume - the disk tier: two threads with a mailbox each, that alone touch the disk. One writes:
 * it is handed whole objects to keep and keys to forget, and has the log on the disk (vollog) and
 * the content index (volindex). The other reads (volread): shards ask it for objects and slices,
 * which it reads into cells of the arena that they gave it.
 *
 * What is kept is in the index only after its bytes were written, and found once that was
 * committed. Commits gather for a fraction of a second: a crash loses at most that. Errors are
 * counted and told; the node goes on without. */
#ifndef SGE_CONTENT_VOLUME_H
#define SGE_CONTENT_VOLUME_H

#include "base/list.h"
#include "edgecache/content/content.h"

struct sge_volume;

enum sge_ask_kind { SGE_ASK_LOOK_UP, SGE_ASK_LOAD };
/* A shard's question, and its answer. The shard's memory; the reader's between the two. */
struct sge_ask {
    struct sg_list link;  /* the shard's: look-ups under way */
    struct sge_ask *next; /* the reader's */
    enum sge_ask_kind kind;
    uint16_t shard;
    bool ok;       /* answer: it is there */
    bool outdated; /* the shard's: the key was changed meanwhile, the answer is of no use */
    uint64_t cookie;
    uint64_t hash[2];
    struct sg_str key; /* look-up: the bytes are behind the struct */
    void *card;        /* look-up's answer: sg_boot_free() it */
    size_t card_bytes;
    struct sge_body *body; /* load: a reference of the shard's */
    struct sge_cell *cell; /* load: with room for the slice */
    uint32_t slice;
};

/* Messages between shards and volume; within SGE_MSG_FIRST .. SGE_MSG_LAST. */
enum sge_volume_msg {
    SGE_MSG_ASK = SGE_MSG_FIRST + 1, /* ptr[0]: struct sge_ask */
    SGE_MSG_ANSWER,                  /* ptr[0]: the same */
    SGE_MSG_KEEP,                    /* ptr[0]: struct sge_object, with a reference */
    SGE_MSG_FORGET,                  /* ptr[0], ptr[1]: hash of the key */
    SGE_MSG_LAST_CALL,               /* to a shard: the disk is given up; hand over what is whole */
    SGE_MSG_LAST_SAID,               /* and its answer: nothing follows */
    SGE_MSG_BAD, /* the reader's: the same, if arg64 is its body still; 0: if it can't be read */
};

/* Opens disk and index, and starts the thread. SG_OK and *out NULL: there is no disk to be had,
 * which was said. On SG_OK with a volume, hash_key is the one that its index needs. Blocks. */
SG_MUST_USE enum sg_err sge_volume_open(struct sge_content *content,
                                        const struct sge_content_conf *conf, uint8_t hash_key[16],
                                        struct sge_volume **out);
/* After the shards' threads ended: takes what they still sent, flushes, ends. Accepts NULL. */
void sge_volume_close(struct sge_volume *volume);

/* ---- on a shard's thread; none blocks; false: the mailbox is full ---- */
bool sge_volume_ask(struct sge_volume *volume, struct sge_ask *ask);
/* Takes a reference to it when true. */
bool sge_volume_keep(struct sge_volume *volume, struct sge_object *object);
bool sge_volume_last_said(struct sge_volume *volume, uint16_t shard);
bool sge_volume_forget(struct sge_volume *volume, uint16_t shard, const uint64_t hash[2]);
/* How many of the shard's words to forget, in the order it told them, are in force for good: who
 * looks up after it read this finds nothing that those took away. */
uint64_t sge_volume_forgotten(const struct sge_volume *volume, uint16_t shard);
/* What other processes with this disk tier made invalid, and which words of it are in force since
 * the volume was opened. */
struct sge_invalid *sge_volume_invalid(struct sge_volume *volume);
uint64_t sge_volume_invalid_from(const struct sge_volume *volume);
/* When even forgetting can't be told any more: everything is forgotten. */
void sge_volume_forget_all(struct sge_volume *volume);

/* Any other thread: see sge_content_give_up_disk(). */
bool sge_volume_give_up(struct sge_volume *volume, uint64_t patience_ns);
void sge_volume_counts(const struct sge_volume *volume, struct sge_volume_counts *out);

#endif
