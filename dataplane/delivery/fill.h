/* fill - how content comes in: one fetch (or one look into the volume) at a time for a key, and the
 * wants that wait for it. Runs on the key's owner; a fill for one viewer alone runs on his worker.
 *
 *   LOOKUP -> FETCH -> BODY -> (gone)       each step may end it
 *
 * Wants are answered at the head, and from then on read the body as it arrives. A fill for the
 * store goes on when all its viewers left; one for a viewer alone ends with him. */
#ifndef SGD_FILL_H
#define SGD_FILL_H

#include "dataplane/delivery/core.h"

/* Acts for `want`, which is answered sooner or later, perhaps before this returns. */
void sgd_fill_want(struct sgd_delivery *d, struct sgd_want *want);
/* The same past the store, on want's own worker. want->lease is set when it returns and the want
 * was not answered yet. */
void sgd_fill_solo(struct sgd_delivery *d, struct sgd_want *want);
/* The viewer of a leased fill is done: ends it if it still runs. */
void sgd_fill_release(struct sgd_fill *fill, uint64_t serial);

/* Ends every fetch that runs, whoever waits for it; those that still look into the volume come
 * later. */
void sgd_fill_abandon_all(struct sgd_delivery *d);

/* The request's body, for a solo fill. Returns how many bytes were taken; when fewer than given,
 * the exchange's reply is told (body_wanted) once there is room. */
size_t sgd_fill_upload(struct sgd_fill *fill, const uint8_t *bytes, size_t len);
void sgd_fill_upload_end(struct sgd_fill *fill);

/* SGD_FETCH_* and SGE_EVENT_*. */
void sgd_fill_fetch_event(struct sgd_delivery *d, const struct sg_msg *msg);
void sgd_fill_store_event(struct sgd_delivery *d, const struct sge_event *event);
/* Retries what had to wait. Returns when it wants to be called next. */
uint64_t sgd_fill_turn(struct sgd_delivery *d, uint64_t now_ns);
size_t sgd_fill_bytes(void); /* of one, for the pool */

#endif
