/* transfer - one fetch on its thread: its attempts, the windows that its body goes to, and what its
 * worker is still to be told. Owned by its fetcher. */
#ifndef SGD_ORIGIN_TRANSFER_H
#define SGD_ORIGIN_TRANSFER_H

#include "dataplane/origin/fetcher.h"
#include "dataplane/origin/head.h"
#include "dataplane/origin/pool.h"

enum sgd_transfer_state {
    SGD_TRANSFER_QUEUED, /* for a connection */
    SGD_TRANSFER_CONNECT,
    SGD_TRANSFER_ANSWER, /* the request leaves or left; no whole head yet */
    SGD_TRANSFER_BODY,   /* the head was handed on */
    SGD_TRANSFER_DRAIN,  /* the origin is done; the rest waits for windows */
    SGD_TRANSFER_ENDED,  /* DONE is still to be told */
    SGD_TRANSFER_STATE_COUNT
};

struct sgd_window {
    uint8_t *memory;
    uint32_t bytes, filled, told;
};

struct sgd_span {
    const uint8_t *bytes;
    uint32_t len, sent;
};

struct sgd_transfer {
    struct sg_list all, untold;
    struct sg_list waiting;    /* in its lane */
    struct sgd_transfer *next; /* in its bucket */
    struct sgd_fetcher *fetcher;
    struct sgd_fetch *fetch;
    uint16_t worker;
    struct sgd_pools *pools; /* one reference */
    struct sgd_pool *pool;
    struct sgd_lane *lane;
    struct sgd_curl_xfer *xfer; /* NULL: none is under way */
    enum sgd_transfer_state state;
    enum sgd_origin_error error;
    uint32_t url;      /* of this attempt */
    uint32_t next_url; /* picked already: this answer is refused in favour of its */
    uint32_t tried;    /* a bit each */
    uint32_t attempts;
    uint32_t retry_after_s; /* as this attempt's answer asked */
    bool has_slot;          /* one of the lane's */
    bool hints_told, head_told;
    bool body_held; /* libcurl waits for a window */
    struct sgd_head head;
    uint64_t moved_ns; /* when a byte last went either way, or we last held it up */
    struct sgd_window windows[SGD_FETCH_WINDOWS];
    uint32_t windows_first, windows_count;
    uint32_t stash_at, stash_len;
    struct sgd_span spans[SGD_FETCH_SPANS];
    uint32_t spans_first, spans_count;
    bool spans_last;
    bool upload_over; /* an error came before the body was sent: the rest is not wanted */
    uint64_t sent_bytes, sent_told;
    uint8_t stash[SGD_CURL_PIECE_BYTES]; /* body bytes beyond the windows */
};

/* Takes over the fetch; the first attempt is under way, or the transfer has ENDED, on return. */
void sgd_transfer_start(struct sgd_fetcher *fetcher, struct sgd_fetch *fetch);
/* What the worker sent since; `transfer` is found by sgd_transfer_find(). */
struct sgd_transfer *sgd_transfer_find(struct sgd_fetcher *fetcher, struct sgd_fetch *fetch,
                                       uint16_t worker);
void sgd_transfer_window(struct sgd_transfer *transfer, uint8_t *memory, uint32_t bytes);
void sgd_transfer_body(struct sgd_transfer *transfer, const uint8_t *bytes, uint32_t len,
                       bool last);
void sgd_transfer_abort(struct sgd_transfer *transfer);
/* Ends it if a time limit has passed. */
void sgd_transfer_tick(struct sgd_transfer *transfer);
/* Starts what waits for a connection and can have one now. */
void sgd_lanes_turn(struct sgd_fetcher *fetcher);
/* Tells the worker what it was not told yet. False: its ring is full. True after DONE: it is
 * freed. */
bool sgd_transfer_tell(struct sgd_transfer *transfer);

#endif
