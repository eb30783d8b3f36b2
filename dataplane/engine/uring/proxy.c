/* Connections from a balancer begin with a PROXY header, which says who the viewer is. Nothing else
 * happens before it is there. */
#include "dataplane/engine/uring/uring_engine.h"

#include "dataplane/engine/proxyv2.h"

void sgd_ue_proxy_begin(struct sgd_conn *conn)
{
    struct sgd_engine *engine = conn->engine;
    uint64_t ms = engine->worker->snapshot->config->limits.header_timeout_ms;
    SG_ASSERT(conn->state == SGD_UE_PROXY);
    sgd_wheel_set(&engine->wheel, &conn->guard, engine->now_ns + ms * SG_NS_PER_MS);
    sgd_ue_conn_ready(conn);
}

void sgd_ue_proxy_feed(struct sgd_conn *conn)
{
    uint8_t bytes[SGD_PROXYV2_BYTES_MAX];
    struct sgd_proxyv2 header;
    size_t header_len, len = sgd_ue_recv_peek(conn, bytes, sizeof(bytes));
    enum sg_err err = sgd_proxyv2_parse(bytes, len, &header, &header_len);
    if (err == SG_EAGAIN)
        return;
    if (err != SG_OK) {
        sge_stat_row_add(&conn->engine->worker->stats->close[SGD_CLOSE_proxy_header]);
        sgd_ue_conn_die(conn, SGD_CLOSE_proxy_header, true);
        return;
    }
    sgd_ue_recv_skip(conn, header_len);
    if (!header.local) {
        conn->peer.remote = header.remote;
        conn->peer.local = header.local_address;
    }
    (void)sgd_ue_conn_start(conn);
}
