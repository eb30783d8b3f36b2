/* fakeconn - an engine with one connection, in memory: what the protocol under test is run on. It
 * keeps the promises of dataplane/engine/engine.h, and after sgd_conn_tls_install() runs the real
 * record layer. */
#ifndef SGT_FAKECONN_H
#define SGT_FAKECONN_H

#include "dataplane/engine/engine.h"
#include "dataplane/tls/record.h"
#include "dataplane/worker/worker.h"

struct sgd_conn {
    struct sgd_worker *worker;
    const struct sgd_proto *proto;
    void *self;
    uint64_t wake_at_ns;
    bool want_send, closing, gone, tls;
    enum sgd_close why;
    struct sgd_tlsrec rec;
    struct sgd_tls_keys keys;
    uint8_t in[1 << 16], out[1 << 17]; /* not yet consumed; not yet taken by the peer */
    size_t in_len, out_len;
    size_t pull_budget; /* 0: large */
};

void sgt_conn_begin(struct sgd_conn *conn, struct sgd_worker *worker);
/* Bytes of the peer; runs the protocol until it has nothing to do. */
void sgt_conn_give(struct sgd_conn *conn, const void *bytes, size_t len, uint64_t now_ns);
void sgt_conn_wake(struct sgd_conn *conn, uint64_t now_ns);
/* The peer is gone: closed() is called if it was not. */
void sgt_conn_end(struct sgd_conn *conn);

#endif
