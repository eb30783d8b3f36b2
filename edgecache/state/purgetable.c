#include "edgecache/state/purgetable.h"

#include "base/alloc.h"

#include <sys/mman.h>

#define BUCKETS      SGE_PURGES_HELD
#define TENANT_SLOTS (2u * SGE_PURGED_TENANTS_MAX)
#define ROW_NONE     0u /* rows are numbered from 1 */

/* One purge of a URL, prefix or tag. The rows are a ring: the oldest goes when it is full. */
struct purge_row {
    uint64_t match, seq;
    uint32_t tenant;
    uint32_t next; /* an older row of the same bucket */
    bool soft;
};

struct purge_tenant {
    uint32_t tenant;
    bool used;
    uint64_t newest;     /* of any scope */
    uint64_t hard, soft; /* of the whole tenant */
};

struct sge_purgetable {
    uint64_t newest;
    uint32_t rows_first, rows_count; /* the ring */
    struct purge_row *rows;
    uint32_t *buckets; /* row number, 0: none */
    struct purge_tenant *tenants;
    uint32_t tenants_count;
    struct purge_tenant all; /* where one tenant too many ended up */
};

static struct purge_tenant *table_tenant(struct sge_purgetable *table, uint32_t tenant, bool make)
{
    for (uint32_t i = 0; i < TENANT_SLOTS; i++) {
        struct purge_tenant *row = &table->tenants[(tenant + i) % TENANT_SLOTS];
        if (row->used && row->tenant == tenant)
            return row;
        if (row->used)
            continue;
        if (!make)
            return NULL;
        if (table->tenants_count == SGE_PURGED_TENANTS_MAX)
            return &table->all;
        table->tenants_count++;
        *row = (struct purge_tenant){.tenant = tenant, .used = true};
        return row;
    }
    return make ? &table->all : NULL;
}

static void tenant_purged(struct purge_tenant *row, uint64_t seq, bool soft)
{
    uint64_t *which = soft ? &row->soft : &row->hard;
    *which = SG_MAX(*which, seq);
}

static uint32_t *table_bucket(struct sge_purgetable *table, uint64_t match)
{
    return &table->buckets[match % BUCKETS];
}

/* The oldest row becomes a purge of its tenant. */
static void table_fold(struct sge_purgetable *table)
{
    uint32_t number = table->rows_first + 1;
    struct purge_row *row = &table->rows[table->rows_first];
    uint32_t *at = table_bucket(table, row->match);
    while (*at != number) {
        SG_ASSERT(*at != ROW_NONE);
        at = &table->rows[*at - 1].next;
    }
    *at = row->next;
    tenant_purged(table_tenant(table, row->tenant, true), row->seq, row->soft);
    table->rows_first = (table->rows_first + 1) % SGE_PURGES_HELD;
    table->rows_count--;
}

void sge_purgetable_add(struct sge_purgetable *table, const struct sge_purge *purge)
{
    struct purge_tenant *tenant = table_tenant(table, purge->tenant, true);
    tenant->newest = SG_MAX(tenant->newest, purge->seq);
    table->newest = SG_MAX(table->newest, purge->seq);
    /* One tenant too many: its purges count for all, since its objects look there. */
    if (purge->scope == SGE_PURGE_TENANT || tenant == &table->all) {
        tenant_purged(tenant, purge->seq, purge->soft);
        return;
    }
    if (table->rows_count == SGE_PURGES_HELD)
        table_fold(table);
    uint32_t index = (table->rows_first + table->rows_count++) % SGE_PURGES_HELD;
    uint32_t *bucket = table_bucket(table, purge->match);
    table->rows[index] =
        (struct purge_row){purge->match, purge->seq, purge->tenant, *bucket, purge->soft};
    *bucket = index + 1;
}

uint64_t sge_purgetable_newest(const struct sge_purgetable *table)
{
    return table->newest;
}

/* ---- the question ---- */

static enum sge_purged purged_by_tenant(const struct purge_tenant *row, uint64_t since)
{
    if (row->hard > since)
        return SGE_PURGED_HARD;
    return row->soft > since ? SGE_PURGED_SOFT : SGE_PURGED_NOT;
}

static enum sge_purged purged_by_rows(struct sge_purgetable *table, const uint64_t *matches,
                                      uint32_t count, uint64_t since)
{
    enum sge_purged got = SGE_PURGED_NOT;
    for (uint32_t i = 0; i < count; i++) {
        /* A bucket's rows are newest first: the first one that is old ends the search. */
        for (uint32_t n = *table_bucket(table, matches[i]); n != ROW_NONE;) {
            const struct purge_row *row = &table->rows[n - 1];
            if (row->seq <= since)
                break;
            if (row->match == matches[i] && !row->soft)
                return SGE_PURGED_HARD;
            if (row->match == matches[i])
                got = SGE_PURGED_SOFT;
            n = row->next;
        }
    }
    return got;
}

enum sge_purged sge_purgetable_check(struct sge_purgetable *table, const struct sge_meta *meta,
                                     uint64_t since)
{
    const struct purge_tenant *tenant = table_tenant(table, meta->tenant, false);
    enum sge_purged got = purged_by_tenant(&table->all, since);
    if (tenant == NULL || tenant->newest <= since)
        return got;
    got = SG_MAX(got, purged_by_tenant(tenant, since));
    if (got != SGE_PURGED_HARD)
        got = SG_MAX(got, purged_by_rows(table, meta->tags, meta->tags_count, since));
    if (got != SGE_PURGED_HARD)
        got = SG_MAX(got, purged_by_rows(table, meta->prefixes, meta->prefixes_count, since));
    return got;
}

/* ---- open, close ---- */

static void *table_map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

enum sg_err sge_purgetable_open(struct sge_purgetable **out)
{
    SG_ASSERT(out != NULL);
    struct sge_purgetable *table = sg_boot_alloc(sizeof(*table));
    if (table == NULL)
        return SG_ENOMEM;
    table->rows = table_map(SGE_PURGES_HELD * sizeof(*table->rows));
    table->buckets = table_map(BUCKETS * sizeof(*table->buckets));
    table->tenants = table_map(TENANT_SLOTS * sizeof(*table->tenants));
    if (table->rows == NULL || table->buckets == NULL || table->tenants == NULL) {
        sge_purgetable_close(table);
        return SG_ENOMEM;
    }
    *out = table;
    return SG_OK;
}

void sge_purgetable_close(struct sge_purgetable *table)
{
    if (table == NULL)
        return;
    if (table->rows != NULL)
        munmap(table->rows, SGE_PURGES_HELD * sizeof(*table->rows));
    if (table->buckets != NULL)
        munmap(table->buckets, BUCKETS * sizeof(*table->buckets));
    if (table->tenants != NULL)
        munmap(table->tenants, TENANT_SLOTS * sizeof(*table->tenants));
    sg_boot_free(table);
}
