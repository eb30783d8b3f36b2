/* Who is refused whatever a token says: ctis, index bits, and of each tenant the lowest epoch and
 * rule version. */
#include "base/assert.h"
#include "base/clock.h"
#include "edgecache/state/inside.h"

#define INDEX_CHUNK_BITS  (SGE_INDEX_CHUNK_BYTES * 8)
#define CTI_FORGET_AT_ONE 8     /* how many ended revocations one new one clears away */
#define CTI_FORGET_AFTER  90000 /* seconds past their end: the grant of that name lives a day */
#define EPOCH_S           86400 /* an epoch's length where nobody raised it */

_Static_assert(sizeof(struct sge_tenant_row) == 8, "format on disk");

/* ---- tenants: lowest epoch, rule version ---- */

static enum sg_err tenant_get(struct sg_mdb_txn *txn, const struct sge_state *state,
                              uint32_t tenant, struct sge_tenant_row *row)
{
    uint8_t key[4];
    sge_be32_put(key, tenant);
    *row = (struct sge_tenant_row){0};
    enum sg_err err =
        sge_row_get(txn, state->tenants, sge_bytes(key, sizeof(key)), row, sizeof(*row));
    return err == SG_ENOENT ? SG_OK : err;
}

static enum sg_err tenant_put(struct sg_mdb_txn *txn, const struct sge_state *state,
                              uint32_t tenant, const struct sge_tenant_row *row)
{
    uint8_t key[4];
    sge_be32_put(key, tenant);
    return sg_mdb_put(txn, state->tenants, sge_bytes(key, sizeof(key)),
                      sge_bytes(row, sizeof(*row)));
}

static enum sg_err floor_get(struct sg_mdb_txn *txn, const struct sge_state *state, uint32_t *epoch)
{
    *epoch = 0;
    enum sg_err err = sge_row_get(txn, state->about, SG_STR("epoch_floor"), epoch, sizeof(*epoch));
    return err == SG_ENOENT ? SG_OK : err;
}

/* What this version of the state says of a tenant; what can't be read lets nothing pass, and is not
 * remembered. */
static struct sge_tenant_row tenant_now(struct sge_state_reader *reader, uint32_t tenant)
{
    struct sge_tenant_known *known = &reader->tenants[tenant % SGE_TENANTS_KNOWN];
    const uint64_t version = sg_mdb_txnid(reader->txn);
    struct sge_tenant_row row;
    uint32_t floor;
    if (known->version == version && known->tenant == tenant)
        return known->row;
    enum sg_err err = tenant_get(reader->txn, reader->state, tenant, &row);
    if (err == SG_OK)
        err = floor_get(reader->txn, reader->state, &floor);
    if (err != SG_OK)
        return (struct sge_tenant_row){UINT32_MAX, UINT32_MAX};
    row.epoch_min = SG_MAX(row.epoch_min, floor);
    *known = (struct sge_tenant_known){version, tenant, row};
    return row;
}

uint32_t sge_state_epoch_min(struct sge_state_reader *reader, uint32_t tenant)
{
    SG_ASSERT(reader != NULL);
    return tenant_now(reader, tenant).epoch_min;
}

uint32_t sge_state_rule_version(struct sge_state_reader *reader, uint32_t tenant)
{
    SG_ASSERT(reader != NULL);
    return tenant_now(reader, tenant).rule_version;
}

enum sg_err sge_tenant_merge(struct sge_state *state, struct sg_mdb_txn *txn, uint32_t tenant,
                             const struct sge_tenant_row *row)
{
    struct sge_tenant_row known;
    enum sg_err err = tenant_get(txn, state, tenant, &known);
    if (err != SG_OK)
        return err;
    known.epoch_min = SG_MAX(known.epoch_min, row->epoch_min);
    known.rule_version = SG_MAX(known.rule_version, row->rule_version);
    return tenant_put(txn, state, tenant, &known);
}

/* Raises what *row has of numbers; SG_ERANGE where that is not above the present one. */
static enum sg_err tenant_raise(struct sge_state *state, uint32_t tenant,
                                const struct sge_tenant_row *row)
{
    struct sg_mdb_txn *txn = NULL;
    struct sge_tenant_row known;
    enum sg_err err = sge_write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = tenant_get(txn, state, tenant, &known);
    if (err == SG_OK && row->epoch_min <= known.epoch_min &&
        row->rule_version <= known.rule_version)
        err = SG_ERANGE;
    if (err == SG_OK)
        err = sge_tenant_merge(state, txn, tenant, row);
    return sge_write_finish(txn, err);
}

enum sg_err sge_state_raise_epoch(struct sge_state *state, uint32_t tenant, uint32_t epoch)
{
    return tenant_raise(state, tenant, &(struct sge_tenant_row){.epoch_min = epoch});
}

enum sg_err sge_state_raise_rule(struct sge_state *state, uint32_t tenant, uint32_t version)
{
    return tenant_raise(state, tenant, &(struct sge_tenant_row){.rule_version = version});
}

/* A tenant that was raised above today's epoch has tokens of that one: it goes one higher. */
static enum sg_err tenants_above(struct sge_state *state, struct sg_mdb_txn *txn, uint32_t epoch)
{
    struct sge_tenant_row row;
    struct sg_str key, value;
    struct sg_mdb_cursor *cursor = NULL;
    uint8_t next[4] = {0};
    enum sg_err err = sg_mdb_cursor_open(txn, state->tenants, &cursor);
    if (err != SG_OK)
        return err;
    for (uint32_t tenant = 0;;) {
        sge_be32_put(next, tenant);
        err = sg_mdb_cursor_seek(cursor, sge_bytes(next, sizeof(next)), &key, &value);
        if (err != SG_OK || value.len != sizeof(row) || key.len != sizeof(next))
            break;
        memcpy(&row, value.ptr, sizeof(row));
        tenant = sge_be32_get(key.ptr);
        row.epoch_min++;
        if (row.epoch_min > epoch)
            err = tenant_put(txn, state, tenant, &row);
        if (err != SG_OK || ++tenant == 0)
            break;
    }
    sg_mdb_cursor_close(cursor);
    return err == SG_ENOENT ? SG_OK : err;
}

enum sg_err sge_floor_merge(struct sge_state *state, struct sg_mdb_txn *txn, uint32_t epoch)
{
    uint32_t known;
    enum sg_err err = floor_get(txn, state, &known);
    if (err != SG_OK || epoch <= known)
        return err;
    return sg_mdb_put(txn, state->about, SG_STR("epoch_floor"), sge_bytes(&epoch, sizeof(epoch)));
}

enum sg_err sge_epochs_close(struct sge_state *state, struct sg_mdb_txn *txn, uint64_t now_s)
{
    uint32_t epoch;
    enum sg_err err = floor_get(txn, state, &epoch);
    if (err != SG_OK)
        return err;
    epoch = SG_MAX(epoch, (uint32_t)(now_s / EPOCH_S)) + 1;
    err = tenants_above(state, txn, epoch);
    return err != SG_OK ? err : sge_floor_merge(state, txn, epoch);
}

/* ---- revocations ---- */

#define CTI_KEY_BYTES SGE_CTI_KEY_BYTES
#define CTI_END_BYTES (8 + CTI_KEY_BYTES)

static void cti_key(uint8_t key[CTI_KEY_BYTES], uint32_t tenant, const uint8_t cti[16])
{
    sge_be32_put(key, tenant);
    memcpy(key + 4, cti, 16);
}

bool sge_state_cti_revoked(struct sge_state_reader *reader, uint32_t tenant, const uint8_t cti[16])
{
    uint8_t key[CTI_KEY_BYTES];
    struct sg_str value;
    SG_ASSERT(reader != NULL);
    cti_key(key, tenant, cti);
    enum sg_err err =
        sg_mdb_get(reader->txn, reader->state->ctis, sge_bytes(key, sizeof(key)), &value);
    return err != SG_ENOENT;
}

static void cti_end(uint8_t end[CTI_END_BYTES], uint64_t until_ns, const uint8_t key[CTI_KEY_BYTES])
{
    sge_be64_put(end, until_ns);
    memcpy(end + 8, key, CTI_KEY_BYTES);
}

/* Forgets a few of those whose token has long expired anyway. */
static enum sg_err ctis_forget(struct sge_state *state, struct sg_mdb_txn *txn, uint64_t now_ns)
{
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str end, nothing;
    enum sg_err err = sg_mdb_cursor_open(txn, state->cti_ends, &cursor);
    if (err != SG_OK)
        return err;
    for (int i = 0; i < CTI_FORGET_AT_ONE; i++) {
        err = sg_mdb_cursor_seek(cursor, SG_STR_NONE, &end, &nothing);
        if (err != SG_OK || end.len != CTI_END_BYTES ||
            sge_be64_get(end.ptr) >= now_ns - SG_MIN(now_ns, CTI_FORGET_AFTER * SG_NS_PER_SEC))
            break;
        err = sg_mdb_del(txn, state->ctis, sge_bytes(end.ptr + 8, CTI_KEY_BYTES));
        if (err == SG_OK || err == SG_ENOENT)
            err = sg_mdb_cursor_del(cursor);
        if (err != SG_OK)
            break;
    }
    sg_mdb_cursor_close(cursor);
    return err == SG_ENOENT ? SG_OK : err;
}

/* A cti revoked again keeps the later end. */
static enum sg_err cti_put(struct sge_state *state, struct sg_mdb_txn *txn,
                           const uint8_t key[CTI_KEY_BYTES], uint64_t until_ns)
{
    uint8_t end[CTI_END_BYTES];
    uint64_t before = 0;
    struct sg_str row = sge_bytes(key, CTI_KEY_BYTES);
    enum sg_err err = sge_row_get(txn, state->ctis, row, &before, sizeof(before));
    if (err == SG_OK && before >= until_ns)
        return SG_OK;
    if (err == SG_OK) {
        cti_end(end, before, key);
        err = sg_mdb_del(txn, state->cti_ends, sge_bytes(end, sizeof(end)));
    }
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    cti_end(end, until_ns, key);
    err = sg_mdb_put(txn, state->cti_ends, sge_bytes(end, sizeof(end)), SG_STR(""));
    return err != SG_OK ? err
                        : sg_mdb_put(txn, state->ctis, row, sge_bytes(&until_ns, sizeof(until_ns)));
}

enum sg_err sge_cti_put(struct sge_state *state, struct sg_mdb_txn *txn, uint32_t tenant,
                        const uint8_t cti[16], uint64_t until_ns)
{
    uint8_t key[CTI_KEY_BYTES];
    cti_key(key, tenant, cti);
    enum sg_err err = ctis_forget(state, txn, sg_clock_wall_ns());
    return err != SG_OK ? err : cti_put(state, txn, key, until_ns);
}

enum sg_err sge_state_revoke_cti(struct sge_state *state, uint32_t tenant, const uint8_t cti[16],
                                 uint64_t until_ns)
{
    SG_ASSERT(cti != NULL);
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sge_write_begin(state, &txn);
    return err != SG_OK ? err
                        : sge_write_finish(txn, sge_cti_put(state, txn, tenant, cti, until_ns));
}

static void index_key(uint8_t key[8], uint32_t tenant, uint32_t index)
{
    sge_be32_put(key, tenant);
    sge_be32_put(key + 4, index / INDEX_CHUNK_BITS);
}

bool sge_state_index_revoked(struct sge_state_reader *reader, uint32_t tenant, uint32_t index)
{
    uint8_t key[8];
    struct sg_str bits;
    SG_ASSERT(reader != NULL);
    index_key(key, tenant, index);
    enum sg_err err =
        sg_mdb_get(reader->txn, reader->state->index_bits, sge_bytes(key, sizeof(key)), &bits);
    if (err != SG_OK || bits.len != INDEX_CHUNK_BITS / 8)
        return err != SG_ENOENT;
    uint32_t bit = index % INDEX_CHUNK_BITS;
    return ((uint8_t)bits.ptr[bit / 8] & SG_BIT(bit % 8)) != 0;
}

enum sg_err sge_index_merge(struct sge_state *state, struct sg_mdb_txn *txn, struct sg_str key,
                            struct sg_str bits)
{
    uint8_t known[SGE_INDEX_CHUNK_BYTES] = {0};
    SG_ASSERT(bits.len == sizeof(known));
    enum sg_err err = sge_row_get(txn, state->index_bits, key, known, sizeof(known));
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    for (size_t i = 0; i < sizeof(known); i++)
        known[i] |= (uint8_t)bits.ptr[i];
    return sg_mdb_put(txn, state->index_bits, key, sge_bytes(known, sizeof(known)));
}

enum sg_err sge_index_put(struct sge_state *state, struct sg_mdb_txn *txn, uint32_t tenant,
                          uint32_t index)
{
    uint8_t key[8], bits[SGE_INDEX_CHUNK_BYTES] = {0};
    uint32_t bit = index % INDEX_CHUNK_BITS;
    index_key(key, tenant, index);
    bits[bit / 8] = (uint8_t)SG_BIT(bit % 8);
    return sge_index_merge(state, txn, sge_bytes(key, sizeof(key)), sge_bytes(bits, sizeof(bits)));
}

enum sg_err sge_state_revoke_index(struct sge_state *state, uint32_t tenant, uint32_t index)
{
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sge_write_begin(state, &txn);
    return err != SG_OK ? err : sge_write_finish(txn, sge_index_put(state, txn, tenant, index));
}
