#include "controlplane/chain/ledger.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "controlplane/chain/ledgerwork.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAP_BYTES   (1ull << 36) /* address space, and how large it may grow */
#define READERS_MAX 8
#define DBS_MAX     16

struct sgc_ledger {
    struct sg_mdb *mdb;
    struct sgc_ledgerdb db;
    pthread_mutex_t read_lock; /* over the reader */
    struct sg_mdb_txn *reader;
    pthread_mutex_t fd_lock; /* the descriptor says what the outbox is */
    int fd;
    uint8_t name[16];
};

static enum sg_err read_begin(struct sgc_ledger *ledger)
{
    pthread_mutex_lock(&ledger->read_lock);
    enum sg_err err = sg_mdb_renew(ledger->reader);
    if (err != SG_OK)
        pthread_mutex_unlock(&ledger->read_lock);
    return err;
}

static void read_end(struct sgc_ledger *ledger)
{
    sg_mdb_reset(ledger->reader);
    pthread_mutex_unlock(&ledger->read_lock);
}

/* ---- the outbox's descriptor ---- */

static void fd_raise(struct sgc_ledger *ledger)
{
    pthread_mutex_lock(&ledger->fd_lock);
    (void)eventfd_write(ledger->fd, 1);
    pthread_mutex_unlock(&ledger->fd_lock);
}

/* Whoever adds raises it after the commit, so one that is seen here as empty is raised later. */
static void fd_lower_if_empty(struct sgc_ledger *ledger)
{
    eventfd_t was;
    pthread_mutex_lock(&ledger->fd_lock);
    if (read_begin(ledger) == SG_OK) {
        if (sg_mdb_count(ledger->reader, ledger->db.outbox) == 0)
            (void)eventfd_read(ledger->fd, &was);
        read_end(ledger);
    }
    pthread_mutex_unlock(&ledger->fd_lock);
}

/* ---- open ---- */

static enum sg_err name_read(struct sgc_ledger *ledger)
{
    struct sg_str name;
    enum sg_err err = read_begin(ledger);
    if (err != SG_OK)
        return err;
    err = sg_mdb_get(ledger->reader, ledger->db.marks, SG_STR("name"), &name);
    if (err == SG_OK && name.len == sizeof(ledger->name))
        memcpy(ledger->name, name.ptr, name.len);
    else
        err = SG_ECORRUPT;
    read_end(ledger);
    return err;
}

static enum sg_err ledger_init(struct sgc_ledger *ledger, const char *dir)
{
    struct sg_mdb_conf conf = {.dir = dir,
                               .map_bytes = MAP_BYTES,
                               .readers_max = READERS_MAX,
                               .dbs_max = DBS_MAX,
                               .writable = true,
                               .sync = SG_MDB_DURABLE};
    enum sg_err err = sg_mdb_open(&conf, &ledger->mdb);
    if (err == SG_OK)
        err = sgc_ledgerdb_init(ledger->mdb, &ledger->db);
    if (err == SG_OK)
        err = sg_mdb_reader_open(ledger->mdb, &ledger->reader);
    if (err != SG_OK)
        return err;
    err = name_read(ledger);
    if (err != SG_OK)
        return err;
    ledger->fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    return ledger->fd >= 0 ? SG_OK : sg_err_from_errno(errno);
}

enum sg_err sgc_ledger_open(const char *dir, struct sgc_ledger **out)
{
    SG_ASSERT(dir != NULL);
    SG_ASSERT(out != NULL);
    struct sgc_ledger *ledger = sg_boot_alloc(sizeof(*ledger));
    if (ledger == NULL)
        return SG_ENOMEM;
    ledger->fd = -1;
    pthread_mutex_init(&ledger->read_lock, NULL);
    pthread_mutex_init(&ledger->fd_lock, NULL);
    enum sg_err err = ledger_init(ledger, dir);
    if (err != SG_OK)
        goto out;
    fd_lower_if_empty(ledger);
    *out = SG_TAKE(ledger);
out:
    sgc_ledger_close(ledger);
    return err;
}

void sgc_ledger_close(struct sgc_ledger *ledger)
{
    if (ledger == NULL)
        return;
    if (ledger->fd >= 0)
        close(ledger->fd);
    if (ledger->reader != NULL)
        sg_mdb_reader_close(ledger->reader);
    sg_mdb_close(ledger->mdb);
    pthread_mutex_destroy(&ledger->read_lock);
    pthread_mutex_destroy(&ledger->fd_lock);
    sg_boot_free(ledger);
}

void sgc_ledger_name(struct sgc_ledger *ledger, uint8_t out[16])
{
    memcpy(out, ledger->name, sizeof(ledger->name));
}

/* ---- a contract's history ---- */

static enum sg_err work_end(struct sgc_ledger *ledger, struct sgc_work *work, enum sg_err err)
{
    bool told = false;
    err = sgc_work_end(work, err, &told);
    if (err == SG_OK && told)
        fd_raise(ledger);
    return err;
}

enum sg_err sgc_ledger_followed(struct sgc_ledger *ledger, const struct sg_caip_asset *contract,
                                struct sgc_ledger_progress *out)
{
    struct sgc_sourcerow row;
    enum sg_err err = read_begin(ledger);
    if (err != SG_OK)
        return err;
    err = sgc_source_get(ledger->reader, &ledger->db, sge_group_contract(contract), &row);
    if (err == SG_OK)
        *out = (struct sgc_ledger_progress){.to = row.to, .told = row.told != 0};
    read_end(ledger);
    return err;
}

static enum sg_err check_unread(struct sgc_work *work, const struct sgc_span *span)
{
    uint64_t first = span->blocks_count != 0 ? span->blocks[0].number : span->to;
    for (uint32_t i = 0; i < span->contracts_count; i++) {
        struct sgc_sourcerow source;
        enum sg_err err =
            sgc_source_get(work->txn, work->db, sge_group_contract(&span->contracts[i]), &source);
        if (err == SG_OK && source.to >= first)
            return SG_EALREADY;
        if (err != SG_OK && err != SG_ENOENT)
            return err;
    }
    return SG_OK;
}

enum sg_err sgc_ledger_add_safe(struct sgc_ledger *ledger, const struct sgc_span *span)
{
    struct sgc_work work;
    SG_ASSERT(span->to != SGC_LEDGER_JOINED);
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(span->chain));
    if (err == SG_OK)
        err = check_unread(&work, span);
    for (uint32_t i = 0; i < span->blocks_count && err == SG_OK; i++) {
        SG_ASSERT(span->blocks[i].number <= span->to);
        err = sgc_work_apply(&work, &span->blocks[i]);
    }
    if (err == SG_OK)
        err = sgc_work_store(&work, SGC_STORE_SAFE, 0);
    if (err == SG_OK)
        err = sgc_work_read_to(&work, span->contracts, span->contracts_count, span->to);
    return work_end(ledger, &work, err);
}

enum sg_err sgc_ledger_base(struct sgc_ledger *ledger, const struct sgc_block *block)
{
    struct sgc_work work;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(block->chain));
    if (err == SG_OK && work.based &&
        (work.at.head != work.at.safe || work.at.head >= block->number))
        err = SG_ESTALE;
    if (err == SG_OK) {
        work.based = true;
        work.at.safe = block->number;
        err = sgc_work_drop_blocks_below(&work, block->number);
    }
    if (err == SG_OK)
        err = sgc_work_new_head(&work, block);
    return work_end(ledger, &work, err);
}

struct found {
    bool any;
    uint64_t number;
    struct sgc_blockrow row;
};

static enum sg_err take_first(void *ctx, struct sg_str key, struct sg_str value,
                              enum sgc_step *step)
{
    struct found *found = ctx;
    if (value.len != sizeof(found->row))
        return SG_ECORRUPT;
    found->any = true;
    found->number = sgc_block_key_number(key);
    memcpy(&found->row, value.ptr, sizeof(found->row));
    *step = SGC_STEP_STOP;
    return SG_OK;
}

/* The first block of the journal from `number` on. */
static enum sg_err block_from(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint32_t chain,
                              uint64_t number, struct found *out)
{
    uint8_t from[SGC_BLOCK_KEY_BYTES];
    sgc_block_key(chain, number, from);
    out->any = false;
    enum sg_err err = sgc_ledgerdb_walk(txn, db->blocks, sge_bytes(from, sizeof(from)),
                                        sizeof(chain), take_first, out);
    return err == SG_OK && !out->any ? SG_ENOENT : err;
}

/* `block` is the one of the journal that comes after those the contract was read up to. */
static enum sg_err check_next(struct sgc_work *work, const struct sgc_block *block,
                              const struct sg_caip_asset *contract)
{
    struct sgc_sourcerow source;
    struct found next;
    enum sg_err err = sgc_source_get(work->txn, work->db, sge_group_contract(contract), &source);
    if (err == SG_OK && source.to >= block->number)
        return SG_EALREADY;
    if (err == SG_OK)
        err = block_from(work->txn, work->db, work->chain, source.to + 1, &next);
    if (err == SG_ENOENT)
        return SG_ESTALE;
    if (err == SG_OK && (next.number != block->number ||
                         memcmp(next.row.hash, block->hash, sizeof(block->hash)) != 0))
        return SG_ESTALE;
    return err;
}

enum sg_err sgc_ledger_add_more(struct sgc_ledger *ledger, const struct sgc_block *block,
                                const struct sg_caip_asset *contracts, uint32_t contracts_count)
{
    struct sgc_work work;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(block->chain));
    for (uint32_t i = 0; i < contracts_count && err == SG_OK; i++)
        err = check_next(&work, block, &contracts[i]);
    if (err == SG_OK)
        err = sgc_work_apply(&work, block);
    if (err == SG_OK)
        err = sgc_work_store(&work, SGC_STORE_JOURNAL, block->number);
    if (err == SG_OK)
        err = sgc_work_read_to(&work, contracts, contracts_count, block->number);
    return work_end(ledger, &work, err);
}

enum sg_err sgc_ledger_join(struct sgc_ledger *ledger, const struct sg_caip_asset *contract)
{
    struct sgc_work work;
    struct sgc_sourcerow source;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(&contract->chain));
    if (err == SG_OK)
        err = sgc_source_get(work.txn, work.db, sge_group_contract(contract), &source);
    if (err == SG_ENOENT || (err == SG_OK && (!work.based || (source.to != SGC_LEDGER_JOINED &&
                                                              source.to != work.at.head))))
        err = SG_ESTALE;
    if (err == SG_OK)
        err = sgc_work_publish(&work, sge_group_contract(contract), source.told == 0);
    if (err == SG_OK)
        err = sgc_work_read_to(&work, contract, 1, SGC_LEDGER_JOINED);
    return work_end(ledger, &work, err);
}

/* So, or further than being read. */
static bool is_followed_so(struct sgc_ledger *ledger, const struct sgc_following *following)
{
    struct sge_change now;
    struct sge_fact_id id;
    sge_fact_followed(following->group, &id);
    enum sg_err err = sgc_ledger_fact(ledger, &id, &now);
    if (err != SG_OK)
        return err == SG_ENOENT && following->how == SGE_FOLLOWED_NOT;
    return now.head[31] == following->how ||
           (following->how == SGE_FOLLOWED_READING && now.head[31] > SGE_FOLLOWED_READING);
}

enum sg_err sgc_ledger_follow(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                              const struct sgc_following *following)
{
    struct sgc_work work;
    SG_ASSERT(following != NULL && following->source != 0 && following->group != 0);
    if (is_followed_so(ledger, following))
        return SG_OK;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(chain));
    if (err == SG_OK)
        err = sgc_work_follow(&work, following);
    return work_end(ledger, &work, err);
}

/* What joined was read up to the head, and no further from now on. */
static enum sg_err part(struct sgc_work *work, uint64_t source)
{
    struct sgc_sourcerow row;
    enum sg_err err = sgc_source_get(work->txn, work->db, source, &row);
    if (err != SG_OK || row.to != SGC_LEDGER_JOINED)
        return err == SG_ENOENT ? SG_OK : err;
    row.to = work->at.head;
    return sgc_source_put(work->txn, work->db, source, &row);
}

/* By its group: a contract that the configuration no longer names has no other name here. */
static enum sg_err leave(struct sgc_ledger *ledger, uint32_t chain, uint64_t source)
{
    struct sgc_work work;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, chain);
    if (err == SG_OK)
        err = sgc_work_unfollow(&work, source);
    if (err == SG_OK)
        err = part(&work, source);
    return work_end(ledger, &work, err);
}

enum sg_err sgc_ledger_reread(struct sgc_ledger *ledger, const struct sg_caip_asset *contract)
{
    struct sgc_work work;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(&contract->chain));
    if (err == SG_OK)
        err = part(&work, sge_group_contract(contract));
    return work_end(ledger, &work, err);
}

enum sg_err sgc_ledger_leave(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                             uint64_t source)
{
    return leave(ledger, sge_chain_id(chain), source);
}

/* The first contract that joined, of a chain that is not among those kept. */
struct stray {
    const struct sg_caip_chain *kept;
    uint32_t count, chain; /* chain 0: there is none */
    uint64_t source;
};

static enum sg_err take_stray(void *ctx, struct sg_str key, struct sg_str value,
                              enum sgc_step *step)
{
    struct stray *stray = ctx;
    struct sgc_sourcerow row;
    if (key.len != sizeof(uint64_t) || value.len != sizeof(row))
        return SG_ECORRUPT;
    memcpy(&row, value.ptr, sizeof(row));
    bool kept = row.to != SGC_LEDGER_JOINED;
    for (uint32_t i = 0; i < stray->count && !kept; i++)
        kept = sge_chain_id(&stray->kept[i]) == row.chain;
    if (kept)
        return SG_OK;
    stray->chain = row.chain;
    stray->source = sge_be64_get(key.ptr);
    *step = SGC_STEP_STOP;
    return SG_OK;
}

enum sg_err sgc_ledger_leave_chains(struct sgc_ledger *ledger, const struct sg_caip_chain *kept,
                                    uint32_t count)
{
    struct stray stray = {.kept = kept, .count = count, .chain = 1};
    enum sg_err err = SG_OK;
    while (err == SG_OK && stray.chain != 0) {
        stray.chain = 0;
        err = read_begin(ledger);
        if (err != SG_OK)
            return err;
        err = sgc_ledgerdb_walk(ledger->reader, ledger->db.sources, SG_STR_NONE, 0, take_stray,
                                &stray);
        read_end(ledger);
        if (err == SG_OK && stray.chain != 0)
            err = leave(ledger, stray.chain, stray.source);
    }
    return err;
}

enum sg_err sgc_ledger_forget(struct sgc_ledger *ledger, const struct sg_caip_asset *contract)
{
    struct sgc_work work;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(&contract->chain));
    if (err == SG_OK)
        err = sgc_work_forget(&work, sge_group_contract(contract));
    return work_end(ledger, &work, err);
}

enum sg_err sgc_ledger_forget_chain(struct sgc_ledger *ledger, const struct sg_caip_chain *chain)
{
    struct sgc_work work;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(chain));
    if (err == SG_OK)
        err = sgc_work_forget(&work, 0);
    return work_end(ledger, &work, err);
}

struct sources {
    uint32_t chain, count, max;
    uint64_t *out;
};

static enum sg_err take_source(void *ctx, struct sg_str key, struct sg_str value,
                               enum sgc_step *step)
{
    struct sources *sources = ctx;
    struct sgc_sourcerow row;
    if (key.len != sizeof(uint64_t) || value.len != sizeof(row))
        return SG_ECORRUPT;
    memcpy(&row, value.ptr, sizeof(row));
    if (row.chain == sources->chain && sources->count < sources->max)
        sources->out[sources->count++] = sge_be64_get(key.ptr);
    *step = sources->count == sources->max ? SGC_STEP_STOP : SGC_STEP_ON;
    return SG_OK;
}

uint32_t sgc_ledger_sources(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                            uint64_t *out, uint32_t max)
{
    struct sources sources = {.chain = sge_chain_id(chain), .max = max, .out = out};
    if (max == 0 || read_begin(ledger) != SG_OK)
        return 0;
    enum sg_err err = sgc_ledgerdb_walk(ledger->reader, ledger->db.sources, SG_STR_NONE, 0,
                                        take_source, &sources);
    read_end(ledger);
    return err == SG_OK ? sources.count : 0;
}

/* ---- the head ---- */

static enum sg_err check_on_top(const struct sgc_work *work, const struct sgc_block *block)
{
    if (!work->based)
        return SG_ENOENT;
    if (memcmp(work->at.head_hash, block->hash, sizeof(block->hash)) == 0)
        return SG_EALREADY;
    if (memcmp(work->at.head_hash, block->parent, sizeof(block->parent)) != 0)
        return SG_ESTALE;
    return block->number > work->at.head ? SG_OK : SG_EINVAL;
}

enum sg_err sgc_ledger_add(struct sgc_ledger *ledger, const struct sgc_block *block)
{
    struct sgc_work work;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(block->chain));
    if (err == SG_OK)
        err = check_on_top(&work, block);
    if (err == SG_OK)
        err = sgc_work_apply(&work, block);
    if (err == SG_OK)
        err = sgc_work_store(&work, SGC_STORE_JOURNAL, block->number);
    if (err == SG_OK)
        err = sgc_work_new_head(&work, block);
    return work_end(ledger, &work, err);
}

enum sg_err sgc_ledger_undo(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                            uint64_t number)
{
    struct sgc_work work;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(chain));
    if (err == SG_OK && !work.based)
        err = SG_ENOENT;
    if (err == SG_OK && number < work.at.safe)
        err = SG_ERANGE;
    if (err == SG_OK && number < work.at.head) {
        err = sgc_work_undo(&work, number);
        if (err == SG_OK)
            err = sgc_work_store(&work, SGC_STORE_PLAIN, 0);
    }
    return work_end(ledger, &work, err);
}

enum sg_err sgc_ledger_safe(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                            uint64_t number)
{
    struct sgc_work work;
    enum sg_err err = sgc_work_begin(&work, &ledger->db, sge_chain_id(chain));
    if (err == SG_OK && !work.based)
        err = SG_ENOENT;
    if (err == SG_OK && number > work.at.head)
        number = work.at.head;
    if (err == SG_OK && number > work.at.safe) {
        err = sgc_work_safe(&work, number);
        if (err == SG_OK)
            err = sgc_work_store(&work, SGC_STORE_PLAIN, 0);
    }
    return work_end(ledger, &work, err);
}

/* ---- what is known ---- */

enum sg_err sgc_ledger_at(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                          struct sgc_ledger_at *out)
{
    struct sgc_chainrow row;
    struct found first;
    enum sg_err err = read_begin(ledger);
    if (err != SG_OK)
        return err;
    err = sgc_chain_get(ledger->reader, &ledger->db, sge_chain_id(chain), &row);
    if (err == SG_OK)
        err = block_from(ledger->reader, &ledger->db, sge_chain_id(chain), 0, &first);
    if (err == SG_OK) {
        *out = (struct sgc_ledger_at){
            .head = row.head,
            .safe = row.safe,
            .first = first.number,
            .head_s = row.head_s,
            .facts = sg_mdb_count(ledger->reader, ledger->db.facts),
            .undone = row.undone,
            .odd = row.odd,
        };
        memcpy(out->head_hash, row.head_hash, sizeof(out->head_hash));
    }
    read_end(ledger);
    return err;
}

enum sg_err sgc_ledger_hash(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                            uint64_t number, uint8_t out[32])
{
    struct sgc_blockrow row;
    enum sg_err err = read_begin(ledger);
    if (err != SG_OK)
        return err;
    err = sgc_block_get(ledger->reader, &ledger->db, sge_chain_id(chain), number, &row);
    if (err == SG_OK)
        memcpy(out, row.hash, sizeof(row.hash));
    read_end(ledger);
    return err;
}

enum sg_err sgc_ledger_next(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                            uint64_t number, struct sgc_block *out)
{
    struct found next;
    if (number == UINT64_MAX)
        return SG_ENOENT;
    enum sg_err err = read_begin(ledger);
    if (err != SG_OK)
        return err;
    err = block_from(ledger->reader, &ledger->db, sge_chain_id(chain), number + 1, &next);
    if (err == SG_OK) {
        *out = (struct sgc_block){.chain = chain, .number = next.number, .time_s = next.row.time_s};
        memcpy(out->hash, next.row.hash, sizeof(out->hash));
    }
    read_end(ledger);
    return err;
}

enum sg_err sgc_ledger_fact(struct sgc_ledger *ledger, const struct sge_fact_id *id,
                            struct sge_change *out)
{
    struct sgc_factrow row;
    enum sg_err err = read_begin(ledger);
    if (err != SG_OK)
        return err;
    err = sgc_fact_get(ledger->reader, &ledger->db, id, &row);
    if (err == SG_OK)
        sgc_factrow_change(&row, id, out);
    read_end(ledger);
    return err;
}

/* ---- the outbox ---- */

uint32_t sgc_ledger_outbox(struct sgc_ledger *ledger, uint64_t *id, struct sge_change *out,
                           uint32_t max)
{
    uint32_t count = 0;
    SG_ASSERT(max >= SGC_OUTBOX_CHANGES_MAX);
    if (read_begin(ledger) != SG_OK)
        return 0;
    enum sg_err err = sgc_outbox_oldest(ledger->reader, &ledger->db, id, out, &count);
    read_end(ledger);
    return err == SG_OK ? count : 0;
}

enum sg_err sgc_ledger_sent(struct sgc_ledger *ledger, uint64_t id)
{
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sg_mdb_write_begin(ledger->mdb, &txn);
    if (err != SG_OK)
        return err;
    err = sgc_outbox_drop(txn, &ledger->db, id);
    if (err != SG_OK) {
        sg_mdb_abort(txn);
        return err;
    }
    err = sg_mdb_commit(txn);
    if (err == SG_OK)
        fd_lower_if_empty(ledger);
    return err;
}

int sgc_ledger_fd(const struct sgc_ledger *ledger)
{
    SG_ASSERT(ledger != NULL);
    return ledger->fd;
}
