/* want - what an exchange asks of the worker that owns its key. It belongs to the worker it came
 * from; the owner has it from SGD_MSG_WANT until SGD_MSG_GOT, and only reads the asking part, since
 * the viewer may leave meanwhile: then `x` is NULL, which only the asking worker looks at. */
#ifndef SGD_WANT_H
#define SGD_WANT_H

#include "base/list.h"
#include "dataplane/delivery/delivery.h"
#include "dataplane/http/fresh.h"
#include "dataplane/http/message.h"
#include "edgecache/log/reqlog.h"

struct sgd_exchange;
struct sgd_fill;

enum sgd_want_kind {
    SGD_WANT_OBJECT,     /* a response to req */
    SGD_WANT_SLICE,      /* `slice` of have->body, which is nowhere in RAM */
    SGD_WANT_INVALIDATE, /* RFC 9111 section 4.4; nobody waits */
    SGD_WANT_RELEASE,    /* the viewer of a response that is only his is done with it */
};

enum sgd_got {
    SGD_GOT_OBJECT, /* object: a reference is the receiver's */
    SGD_GOT_SLICE,  /* it is there or under way: read again */
    SGD_GOT_SOLO,   /* what came may not be shared: fetch on your own */
    SGD_GOT_ERROR,  /* error tells why */
    SGD_GOT_FULL,   /* a bounded resource is out */
};

#define SGD_WANT_BYTES (80 * 1024)

struct sgd_want {
    SG_MAGIC_FIELD;
#define sgd_want_MAGIC 0x77616e74
    uint16_t from;  /* worker */
    uint8_t rounds; /* how often the owner began anew with it */
    enum sgd_want_kind kind;
    struct sg_list node; /* in a fill's wants, or an outbox: whoever has the want owns it */
    /* asking */
    struct sgd_exchange *x;        /* the asking worker's alone */
    struct sgd_snapshot *snapshot; /* a reference */
    uint32_t site;
    bool background; /* nobody waits for the answer */
    bool prefetch;   /* a background one that sgd_prefetch_done() counts */
    bool pass;       /* past the store, for this viewer alone */
    bool whole;      /* the owner's: parts of it can't be told to belong together */
    struct sgd_cc cc;
    struct sgd_request req;            /* its own copy, in memory[] */
    struct sg_str path, query, cookie; /* stripped of tokens */
    struct sge_key primary;
    struct sge_object *have; /* SLICE: a reference */
    uint32_t slice, slices;  /* SLICE: the first missing one, and how many the viewer will read */
    struct sg_str hints;     /* of a 103 that came before the answer; set once */
    /* answered */
    enum sgd_got got;
    struct sge_object *object;
    struct sg_str named; /* lines of the answer that are this viewer's alone */
    enum sge_cache_result how;
    bool stored, vary_miss;
    uint16_t origin_status, origin_error;
    uint32_t origin_us;
    char upstream[64];
    struct sgd_fill *lease; /* the fill that feeds this viewer alone */
    uint64_t lease_serial;
    /* where the strings are */
    size_t used;
    struct sgd_field fields[SGD_FIELDS_MAX];
    char memory[SGD_WANT_BYTES];
};

/* What makes a want of a request. Borrowed for the call. */
struct sgd_want_ask {
    const struct sgd_request *req;
    const struct sgd_cc *cc;
    struct sg_str path, query, cookie;
    struct sg_str primary;
    struct sgd_snapshot *snapshot;
    uint32_t site;
};

/* A want with its own copies. NULL: none is free, or the request is larger than one holds. */
struct sgd_want *sgd_want_make(struct sgd_delivery *d, const struct sgd_want_ask *ask);
/* To its key's owner: at once if that is this worker. */
void sgd_want_send(struct sgd_delivery *d, struct sgd_want *want);
/* On the owner: back to where it came from. */
void sgd_want_answer(struct sgd_delivery *d, struct sgd_want *want);
/* On the owner, before that: want->hints to where it came from, if there is room for the word. */
void sgd_want_hint(struct sgd_delivery *d, struct sgd_want *want);
/* On the worker it came from, after the answer was taken. */
void sgd_want_free(struct sgd_delivery *d, struct sgd_want *want);
/* Sends again what had no room before. */
void sgd_want_outbox(struct sgd_delivery *d);
/* `len` bytes of the want's own memory; NULL when it is used up. */
char *sgd_want_memory(struct sgd_want *want, size_t len);

#endif
