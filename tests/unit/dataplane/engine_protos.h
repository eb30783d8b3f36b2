/* engine_protos - two protocols to try engines with: one that answers with what it got, and one
 * that sends a long pattern out of the registered region, whose blocks it overwrites the moment
 * that the engine has given them up. */
#ifndef SGT_ENGINE_PROTOS_H
#define SGT_ENGINE_PROTOS_H

#include "tests/unit/dataplane/engine_bench.h"

#define ECHO_BYTES 65536u

struct echo {
    struct sg_hold hold; /* of `buffer`: slices point there */
    struct sgd_conn *conn;
    size_t begin, end; /* what in it was not pulled yet */
    uint32_t inputs_end, closes, wakes;
    bool end_on_fin, paused;
    bool own; /* holds its own buffer: some of it was not pulled yet */
    enum sgd_close why;
    uint64_t woken_ns;
    uint8_t buffer[ECHO_BYTES];
};

/* Of the connection accepted last. */
extern struct echo *echo_last;
/* Each connection gets one from now on. */
void use_echo(struct bench *bench);
void *echo_open(struct bench *bench, struct sgd_conn *conn);
/* Waits until it is closed. */
void echo_free(struct bench *bench);
/* For bench_until(). */
bool echo_is_open(void *arg);
bool echo_is_closed(void *arg);

#define STREAM_BLOCK  (256u * 1024)
#define STREAM_BLOCKS (BENCH_REGION_BYTES / STREAM_BLOCK)

/* Each is filled when it is handed out, and handed out again only when nobody holds it. */
struct stream {
    struct bench *bench;
    struct sgd_conn *conn;
    uint64_t total, given;
    uint32_t block_bytes; /* how much of a block is used */
    uint32_t outstanding, closes;
    enum sgd_close why;
    bool want; /* was without a free block */
    struct sg_hold blocks[STREAM_BLOCKS];
};

/* One at a time. */
extern struct stream stream;
void use_stream(struct bench *bench, uint64_t total, uint32_t block_bytes);
bool stream_is_back(void *arg); /* for bench_until(): closed, and nothing is held */

#endif
