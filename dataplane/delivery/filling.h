/* filling - a fill's insides, shared by fill.c (its life), fillhead.c (what a head means) and
 * fillbody.c (bytes). Private to this folder. */
#ifndef SGD_FILLING_H
#define SGD_FILLING_H

#include "dataplane/delivery/fill.h"
#include "dataplane/origin/fetch.h"

#define SGD_FILL_STATES(X) X(LOOKUP) X(FETCH) X(BODY) X(ENDING)
enum sgd_fill_state {
#define X(name) SGD_FILL_##name,
    SGD_FILL_STATES(X)
#undef X
};

/* The ring to the fetch's thread was full: told at the next turn. */
enum sgd_fill_due { SGD_FILL_DUE_NOTHING, SGD_FILL_DUE_START, SGD_FILL_DUE_ABORT };

#define SGD_FILL_BYTES      (96 * 1024)
#define SGD_UPLOAD_BYTES    (64 * 1024)
#define SGD_FILL_WANTS_MAX  65536
#define SGD_FILL_SLICES_MAX 16 /* of a body that one fetch of a part brings */

/* The request's body on its way to the origin: a ring of SGD_UPLOAD_BYTES. */
struct sgd_upload {
    uint64_t in, given, taken; /* bytes received, handed to the fetch, sent */
    bool ended, end_given, wanted;
    uint8_t bytes[SGD_UPLOAD_BYTES];
};

struct sgd_fill {
    SG_MAGIC_FIELD;
#define sgd_fill_MAGIC 0x66696c6c
    enum sgd_fill_state state;
    struct sgd_delivery *d;
    uint64_t serial;
    struct sg_list by_key, stuck, alive; /* nodes */
    struct sg_list wants;                /* struct sgd_want, in the order they came */
    uint32_t wants_count;
    struct sge_key key;
    uint32_t primary_len;
    struct sgd_snapshot *snapshot; /* a reference */
    const struct sg_conf_site *site;
    struct sge_object *base;   /* what is validated, or whose slice is fetched; a reference */
    struct sge_object *object; /* what the fetch became; a reference */
    struct sge_body *body;     /* a reference, its hold's */
    uint64_t purge_seq;        /* read when the fetch began */
    bool solo;                 /* for one viewer: never shared, never stored */
    bool slice_fill;           /* fetches slices of base->body */
    bool range_fill;           /* asked for a part of something new */
    bool abandoned;            /* an abort is under way: nothing more is wanted */
    enum sgd_fill_due due;     /* what the fetch could not be told yet */
    bool published;
    uint32_t next_slice, fill_slice, end_slice; /* next to grant; being filled; one past the last */
    uint64_t skip_bytes;  /* of a whole answer to a question for a part: what comes before it */
    uint32_t skip_window; /* the part of them that upload->bytes takes now; 0: none */
    uint32_t windows;     /* granted and not given back */
    struct sgd_upload *upload;     /* NULL: no request body */
    struct sgd_exchange *upload_x; /* whose it is */
    uint16_t error; /* fetch.error once it is done: until then that is the fetch thread's */
    struct sgd_fetch fetch;
    size_t used;
    char memory[SGD_FILL_BYTES];
};

/* ---- fill.c ---- */
struct sgd_want *sgd_fill_first(struct sgd_fill *fill);
struct sgd_want *sgd_fill_pop(struct sgd_fill *fill);
/* All its wants go to `wants`, which this initialises; the fill has none left. */
void sgd_fill_take_all(struct sgd_fill *fill, struct sg_list *wants);
/* What was found or fetched does not suit them: each is looked at again, a round later. */
void sgd_wants_begin_anew(struct sgd_delivery *d, struct sg_list *wants);
/* Answers all its wants with `got`. */
void sgd_fill_answer_all(struct sgd_fill *fill, enum sgd_got got);
/* Gives `want` `object` (a new reference) and answers it. */
void sgd_fill_give(struct sgd_fill *fill, struct sgd_want *want, struct sge_object *object,
                   enum sge_cache_result how);
/* No further want may join. */
void sgd_fill_close_door(struct sgd_fill *fill);
/* Ends the fetch, if it runs; the fill goes when the fetch is done. */
void sgd_fill_abandon(struct sgd_fill *fill);
/* Come back to it next turn. */
void sgd_fill_set_stuck(struct sgd_fill *fill);
void sgd_fill_enter(struct sgd_fill *fill, enum sgd_fill_state to);

/* A claimed slice that is on no disk: fetches it and what follows. Answers `want`. */
void sgd_fill_slices(struct sgd_delivery *d, struct sgd_want *want);

/* ---- fillhead.c ---- */
void sgd_fill_on_head(struct sgd_fill *fill);
/* The fetch ended before any head. */
void sgd_fill_on_failure(struct sgd_fill *fill);
/* What a fetch of a part claimed and did not bring is free for others. */
void sgd_fill_unclaim(struct sgd_fill *fill);

/* ---- fillbody.c ---- */
/* Grants windows while there is something to fetch and room for it. */
void sgd_fill_pump(struct sgd_fill *fill);
void sgd_fill_on_data(struct sgd_fill *fill, uint32_t bytes, bool window_full);
void sgd_fill_pump_upload(struct sgd_fill *fill);

#endif
