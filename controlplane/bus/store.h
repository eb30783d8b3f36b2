/* store - the streams and values of the embedded bus, in one LMDB environment: durable when a call
 * returns. Threads, waiting and calling back are embedded.c's. Any thread; calls block. */
#ifndef SGC_BUS_STORE_H
#define SGC_BUS_STORE_H

#include "controlplane/bus/bus.h"

struct sgc_store;
/* Makes `dir` when absent (its parent must be there). */
SG_MUST_USE enum sg_err sgc_store_open(const char *dir, struct sgc_store **out);
/* Accepts NULL. */
void sgc_store_close(struct sgc_store *store);

/* What a look-up found: the bytes lie in `memory`, which grows as needed and is the caller's:
 * zeroed before the first call, ended with sg_boot_free(). */
struct sgc_found {
    struct sg_str subject, data; /* of a value: key, value; data.ptr NULL: deleted */
    uint64_t seq, at_ns;         /* of a value: its revision, 0 */
    char *memory;
    size_t cap;
};

/* ---- streams: errors as in bus.h ---- */
SG_MUST_USE enum sg_err sgc_store_stream(struct sgc_store *store,
                                         const struct sgc_stream_options *options);
SG_MUST_USE enum sg_err sgc_store_append(struct sgc_store *store, const char *subject,
                                         const char *id, uint64_t after, struct sg_str data,
                                         uint64_t *seq);
SG_MUST_USE enum sg_err sgc_store_info(struct sgc_store *store, const char *stream,
                                       struct sgc_stream_info *out);
/* The first message from `from` on that `filter` (NULL: any) matches. SG_ENOENT: none; *upto is
 * then the last number that was looked at. */
SG_MUST_USE enum sg_err sgc_store_next(struct sgc_store *store, const char *stream,
                                       const char *filter, uint64_t from, struct sgc_found *found,
                                       uint64_t *upto);
/* Up to which number a durable has acknowledged; 0: nothing yet. */
SG_MUST_USE enum sg_err sgc_store_position(struct sgc_store *store, const char *stream,
                                           const char *durable, uint64_t *seq);
SG_MUST_USE enum sg_err sgc_store_position_set(struct sgc_store *store, const char *stream,
                                               const char *durable, uint64_t seq);

/* ---- values ---- */
SG_MUST_USE enum sg_err sgc_store_bucket(struct sgc_store *store, const char *bucket);
SG_MUST_USE enum sg_err sgc_store_get(struct sgc_store *store, const char *bucket, const char *key,
                                      struct sgc_found *found);
/* As the driver's kv_put. */
SG_MUST_USE enum sg_err sgc_store_put(struct sgc_store *store, const char *bucket, const char *key,
                                      uint64_t expected, struct sg_str value, uint64_t *revision);
/* The oldest present state of a key (deleted ones too) whose revision is above `after`. */
SG_MUST_USE enum sg_err sgc_store_changed(struct sgc_store *store, const char *bucket,
                                          const char *filter, uint64_t after,
                                          struct sgc_found *found);

#endif
