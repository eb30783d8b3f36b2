#include "tests/sgt.h"

#include "tests/unit/dataplane/tls/fakeconn.h"

#include <string.h>

void sgd_conn_set_proto(struct sgd_conn *conn, const struct sgd_proto *proto, void *self)
{
    conn->proto = proto;
    conn->self = self;
}

void sgd_conn_want_send(struct sgd_conn *conn)
{
    conn->want_send = true;
}

void sgd_conn_read_resume(struct sgd_conn *conn)
{
    (void)conn; /* what was left is offered at every turn */
}

void sgd_conn_wake_at(struct sgd_conn *conn, uint64_t wake_at_ns)
{
    conn->wake_at_ns = wake_at_ns;
}

void sgd_conn_close(struct sgd_conn *conn, enum sgd_close why)
{
    conn->closing = true;
    conn->why = why;
}

void sgd_conn_abort(struct sgd_conn *conn, enum sgd_close why)
{
    conn->gone = true;
    conn->why = why;
}

void sgd_conn_tls_install(struct sgd_conn *conn, const struct sgd_tls_keys *keys)
{
    assert_false(conn->tls);
    conn->tls = true;
    conn->keys = *keys;
    sgd_tlsrec_init(&conn->rec, conn->worker->tls_crypto, keys);
}

void sgt_conn_begin(struct sgd_conn *conn, struct sgd_worker *worker)
{
    memset(conn, 0, offsetof(struct sgd_conn, in));
    conn->in_len = conn->out_len = conn->pull_budget = 0;
    conn->worker = worker;
    conn->wake_at_ns = UINT64_MAX;
}

static void deliver_plain(struct sgd_conn *conn, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    while (len > 0 && !conn->gone) {
        size_t n = conn->proto->input(conn->self, bytes, len, now_ns);
        assert_true(n > 0 && n <= len); /* the tests' protocols take all */
        bytes += n;
        len -= n;
    }
}

static void deliver_records(struct sgd_conn *conn, uint64_t now_ns)
{
    uint8_t *in = conn->in, *plain;
    size_t plain_len;
    enum sgd_tlsrec_got got;
    while ((got = sgd_tlsrec_open(&conn->rec, &in, &conn->in_len, &plain, &plain_len,
                                  &conn->why)) == SGD_TLSREC_DATA)
        deliver_plain(conn, plain, plain_len, now_ns);
    if (got == SGD_TLSREC_END)
        conn->proto->input_end(conn->self, now_ns);
    if (got == SGD_TLSREC_FAILED)
        conn->closing = true;
    if (sgd_tlsrec_pending(&conn->rec))
        conn->want_send = true;
}

static bool deliver(struct sgd_conn *conn, uint64_t now_ns)
{
    if (conn->in_len == 0 || conn->gone)
        return false;
    if (conn->tls) {
        deliver_records(conn, now_ns);
        return true;
    }
    size_t n = conn->proto->input(conn->self, conn->in, conn->in_len, now_ns);
    assert_true(n <= conn->in_len);
    memmove(conn->in, conn->in + n, conn->in_len - n);
    conn->in_len -= n;
    return n > 0 || conn->tls;
}

static void send_slices(struct sgd_conn *conn, struct sg_slice *slices, size_t count, bool sealed)
{
    if (sealed) {
        size_t n;
        (void)sgd_tlsrec_seal(&conn->rec, slices, count, 0, conn->out + conn->out_len,
                              sizeof(conn->out) - conn->out_len, &n);
        conn->out_len += n;
    }
    for (size_t i = 0; i < count; i++) {
        if (!sealed) {
            memcpy(conn->out + conn->out_len, slices[i].bytes, slices[i].len);
            conn->out_len += slices[i].len;
        }
        sg_slice_drop(&slices[i]);
    }
}

static void pull(struct sgd_conn *conn, uint64_t now_ns)
{
    struct sg_slice slices[4];
    enum sgd_pull_more more = SGD_PULL_MORE;
    conn->want_send = false;
    while (more == SGD_PULL_MORE && !conn->gone) {
        bool sealed = conn->tls; /* what this call gives was written before any install in it */
        size_t budget = conn->pull_budget == 0 ? 1 << 16 : conn->pull_budget;
        size_t n = conn->proto->pull(conn->self, budget, slices, 4, &more, now_ns);
        send_slices(conn, slices, n, sealed);
    }
    if (conn->closing || more == SGD_PULL_END)
        conn->gone = true;
}

static void run(struct sgd_conn *conn, uint64_t now_ns)
{
    for (int turn = 0; turn < 100 && !conn->gone; turn++) {
        bool did = deliver(conn, now_ns);
        if (conn->want_send || conn->closing)
            pull(conn, now_ns);
        else if (!did)
            break;
    }
    if (conn->gone && conn->proto != NULL) {
        const struct sgd_proto *proto = conn->proto;
        conn->proto = NULL;
        proto->closed(conn->self, conn->why);
    }
}

void sgt_conn_give(struct sgd_conn *conn, const void *bytes, size_t len, uint64_t now_ns)
{
    assert_true(conn->in_len + len <= sizeof(conn->in));
    memcpy(conn->in + conn->in_len, bytes, len);
    conn->in_len += len;
    run(conn, now_ns);
}

void sgt_conn_wake(struct sgd_conn *conn, uint64_t now_ns)
{
    conn->wake_at_ns = UINT64_MAX;
    conn->proto->wake(conn->self, now_ns);
    run(conn, now_ns);
}

void sgt_conn_end(struct sgd_conn *conn)
{
    conn->gone = true;
    run(conn, 0);
    if (conn->proto != NULL) {
        conn->proto->closed(conn->self, SGD_CLOSE_peer_closed);
        conn->proto = NULL;
    }
    sgd_tlsrec_fini(&conn->rec);
}
