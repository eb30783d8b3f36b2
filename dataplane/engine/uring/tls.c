/* TLS after the handshake: records are opened where they were received, and sealed from where the
 * slices lie into one buffer, which is then sent like any other. dataplane/tls/record.h has the
 * rules of both. */
#include "dataplane/engine/uring/uring_engine.h"

#include "base/sys/crypto.h"
#include "dataplane/tls/ktls.h"

void sgd_conn_tls_install(struct sgd_conn *conn, const struct sgd_tls_keys *keys)
{
    SG_ASSERT(conn->magic == sgd_conn_MAGIC && conn->tls == NULL);
    SG_ASSERT(keys != NULL && conn->engine->worker->tls_crypto != NULL);
    if (conn->state == SGD_UE_DEAD)
        return;
    struct sgd_ue_tls *tls = sg_pool_take(&conn->engine->tls); /* as many as connections */
    SG_ASSERT(tls != NULL);
    *tls = (struct sgd_ue_tls){.ktls_due = keys->ktls && !conn->engine->ktls_none};
    sgd_tlsrec_init(&tls->rec, conn->engine->worker->tls_crypto, keys);
    conn->tls = tls;
    conn->peer.path = 1;
    conn->peer.tls = keys->version == 0x0304 ? 13 : 12;
    conn->paused = false; /* what the handshake left are records */
    sgd_ue_conn_ready(conn);
}

void sgd_ue_tls_end(struct sgd_conn *conn)
{
    if (conn->tls == NULL)
        return;
    sgd_tlsrec_fini(&conn->tls->rec);
    sg_pool_give(&conn->engine->tls, SG_TAKE(conn->tls));
}

/* The protocol ends the connection after what is under way, before its key must not be used. */
static void tls_check_limit(struct sgd_conn *conn)
{
    enum sgd_close why = sgd_tlsrec_end_soon(&conn->tls->rec);
    if (why == SGD_CLOSE_none || conn->tls->told_end || conn->proto == NULL)
        return;
    conn->tls->told_end = true;
    if (conn->proto->drain != NULL)
        conn->proto->drain(conn->self, conn->engine->now_ns);
}

/* ---- receiving ---- */

/* The peer broke the rules: nothing more is read or pulled, the alert is all that is still sent. */
static void tls_failed(struct sgd_conn *conn, enum sgd_close why)
{
    conn->tls->failed = conn->tls->ended = true;
    sgd_conn_close(conn, why);
}

static void tls_open_record(struct sgd_conn *conn, uint8_t *bytes, size_t *len)
{
    struct sgd_ue_tls *tls = conn->tls;
    enum sgd_close why = SGD_CLOSE_internal;
    switch (sgd_tlsrec_open(&tls->rec, &bytes, len, &tls->lent, &tls->lent_len, &why)) {
    case SGD_TLSREC_NEED:
    case SGD_TLSREC_DATA:
        break;
    case SGD_TLSREC_END:
        conn->fin_in = true;
        break;
    case SGD_TLSREC_FAILED:
        tls_failed(conn, why);
        break;
    }
    if (tls->ktls)
        tls_check_limit(conn);
    if (sgd_tlsrec_pending(&tls->rec))
        sgd_ue_conn_ready(conn);
}

bool sgd_ue_tls_step(struct sgd_conn *conn, uint8_t *bytes, size_t *len)
{
    struct sgd_ue_tls *tls = conn->tls;
    if (tls->lent_len == 0 && *len > 0) {
        tls_open_record(conn, bytes, len);
        return true;
    }
    if (tls->lent_len == 0)
        return false;
    size_t taken = conn->proto->input(conn->self, tls->lent, tls->lent_len, conn->engine->now_ns);
    SG_ASSERT(taken <= tls->lent_len);
    tls->lent += taken;
    tls->lent_len -= taken;
    if (tls->lent_len > 0)
        conn->paused = true;
    return true;
}

/* ---- sending ---- */

void sgd_ue_tls_try_kernel(struct sgd_conn *conn)
{
    struct sgd_ue_tls *tls = conn->tls;
    SG_ASSERT(conn->batch == NULL && tls->ktls_due);
    tls->ktls_due = false;
    if (sgd_tlsrec_pending(&tls->rec))
        return; /* a KeyUpdate came first: ours must be sealed here, and then the rest too */
    struct sgd_tls_keys keys;
    sgd_tlsrec_tx_keys(&tls->rec, &keys);
    enum sg_err err = sgd_ktls_install(conn->fd, &keys);
    sg_wipe(&keys, sizeof(keys));
    conn->engine->ktls_none |= err == SG_ENOENT;
    if (err != SG_OK)
        return; /* our own records go on */
    sgd_tlsrec_ktls_on(&tls->rec);
    tls->ktls = true;
    conn->peer.path = 2;
    conn->zc_useless = true; /* zero-copy sends fail on such a socket */
}

/* The kernel seals: data goes as it lies, and what TLS has to say as a record on its own. */
static bool tls_give_kernel(struct sgd_ue_batch *batch, bool last)
{
    struct sgd_conn *conn = batch->conn;
    struct sgd_ue_tls *tls = conn->tls;
    if (batch->count > 0) {
        sgd_tlsrec_ktls_sent(&tls->rec, batch->bytes);
        sge_stat_add(conn->engine->worker->stats, SGE_STAT_records_ktls_bytes, batch->bytes);
        tls_check_limit(conn);
        return true;
    }
    if (last) {
        tls->ended = true;
        sgd_tlsrec_end(&tls->rec);
    }
    batch->memory = sg_pool_take(&conn->engine->small);
    batch->pool = SGD_UE_MEMORY_SMALL;
    batch->memory_len =
        (uint32_t)sgd_tlsrec_ktls_control(&tls->rec, &batch->record_type, batch->memory);
    return true;
}

bool sgd_ue_tls_seal(struct sgd_ue_batch *batch, bool last)
{
    struct sgd_conn *conn = batch->conn;
    struct sgd_ue_tls *tls = conn->tls;
    tls->cut &= batch->count == 0;
    if (tls->ktls)
        return tls_give_kernel(batch, last);
    bool small = sgd_tlsrec_room(&tls->rec, batch->bytes) <= SGD_UE_SMALL_BYTES;
    struct sg_pool *pool = small ? &conn->engine->small : &conn->engine->records;
    SG_ASSERT(batch->memory == NULL && pool->free_count > 0);
    if (last && !tls->ended) {
        tls->ended = true;
        sgd_tlsrec_end(&tls->rec);
    }
    batch->memory = sg_pool_take(pool);
    batch->pool = small ? SGD_UE_MEMORY_SMALL : SGD_UE_MEMORY_RECORD;
    size_t out_len = 0;
    size_t sealed = sgd_tlsrec_seal(&tls->rec, batch->slices, batch->count, 0, batch->memory,
                                    pool->item_bytes, &out_len);
    for (uint8_t i = 0; i < batch->count; i++)
        sg_slice_drop(&batch->slices[i]);
    batch->count = 0;
    batch->memory_len = (uint32_t)out_len;
    sge_stat_add(conn->engine->worker->stats, SGE_STAT_records_own_bytes, sealed);
    if (sealed < batch->bytes) /* the key is spent and can't be replaced */
        return false;
    tls_check_limit(conn);
    return true;
}

bool sgd_ue_tls_control_due(const struct sgd_conn *conn)
{
    return conn->tls != NULL && sgd_tlsrec_pending(&conn->tls->rec);
}

size_t sgd_ue_tls_budget(const struct sgd_conn *conn)
{
    const struct sgd_engine *engine = conn->engine;
    if (engine->small.free_count == 0)
        return 0;
    if (conn->tls->ktls)
        return SIZE_MAX;
    bool large = engine->records.free_count > 0;
    size_t fits =
        sgd_tlsrec_fits(&conn->tls->rec, large ? SGD_UE_RECORD_BYTES : SGD_UE_SMALL_BYTES);
    return SG_MIN(fits, (size_t)(large ? SGD_UE_RECORD_PLAIN : SGD_TLSREC_PLAIN_MAX));
}

enum sgd_close sgd_ue_tls_why(const struct sgd_conn *conn, enum sgd_close why)
{
    bool told = why == SGD_CLOSE_drained && conn->tls != NULL && conn->tls->told_end;
    return told ? sgd_tlsrec_end_soon(&conn->tls->rec) : why;
}
