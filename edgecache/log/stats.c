#include "edgecache/log/stats.h"

#include "base/alloc.h"
#include "edgecache/log/shmfile.h"

#include <string.h>

enum stat_kind { COUNTER, GAUGE };

static const struct {
    const char *name, *help;
    enum stat_kind kind;
} rows[] = {
#define STAT(name, kind, help) {#name, help, kind},
#include "edgecache/log/stats.def"
#undef STAT
};

#define STATSFILE_MAGIC 0x5354415447534753ull

struct statsfile_head {
    SG_ALIGNED uint64_t magic;
    uint32_t stat_count; /* another version's file has other rows */
    uint32_t block_bytes;
    uint32_t workers;
};

struct sge_statsfile {
    struct sge_shmfile file;
    struct statsfile_head *head;
    struct sge_stats *blocks;
};

static struct sge_statsfile *statsfile_of(const struct sge_shmfile *file)
{
    struct sge_statsfile *stats = sg_boot_alloc(sizeof(*stats));
    if (stats == NULL)
        return NULL;
    stats->file = *file;
    stats->head = file->memory;
    stats->blocks = (struct sge_stats *)(void *)(stats->head + 1);
    return stats;
}

static size_t statsfile_bytes(uint32_t workers)
{
    return sizeof(struct statsfile_head) + (size_t)workers * sizeof(struct sge_stats);
}

enum sg_err sge_statsfile_create(const char *path, uint32_t workers, struct sge_statsfile **out)
{
    SG_ASSERT(workers > 0);
    SG_ASSERT(out != NULL);
    struct sge_shmfile file;
    enum sg_err err = sge_shmfile_create(path, statsfile_bytes(workers), &file);
    if (err != SG_OK)
        return err;
    struct sge_statsfile *stats = statsfile_of(&file);
    if (stats == NULL) {
        sge_shmfile_close(&file);
        return SG_ENOMEM;
    }
    *stats->head =
        (struct statsfile_head){STATSFILE_MAGIC, SGE_STAT_COUNT, sizeof(struct sge_stats), workers};
    err = sge_shmfile_publish(path);
    if (err == SG_OK)
        *out = SG_TAKE(stats);
    sge_statsfile_close(stats);
    return err;
}

enum sg_err sge_statsfile_open(const char *path, struct sge_statsfile **out)
{
    SG_ASSERT(out != NULL);
    struct sge_shmfile file;
    enum sg_err err = sge_shmfile_open(path, sizeof(struct statsfile_head), &file);
    if (err != SG_OK)
        return err;
    const struct statsfile_head *head = file.memory;
    if (head->magic != STATSFILE_MAGIC)
        err = SG_ECORRUPT;
    else if (head->stat_count != SGE_STAT_COUNT || head->block_bytes != sizeof(struct sge_stats))
        err = SG_EVERSION;
    else if (file.bytes < statsfile_bytes(head->workers))
        err = SG_ECORRUPT;
    struct sge_statsfile *stats = err == SG_OK ? statsfile_of(&file) : NULL;
    if (stats == NULL) {
        sge_shmfile_close(&file);
        return err == SG_OK ? SG_ENOMEM : err;
    }
    *out = stats;
    return SG_OK;
}

void sge_statsfile_close(struct sge_statsfile *file)
{
    if (file == NULL)
        return;
    sge_shmfile_close(&file->file);
    sg_boot_free(file);
}

uint32_t sge_statsfile_workers(const struct sge_statsfile *file)
{
    return file->head->workers;
}

struct sge_stats *sge_statsfile_worker(struct sge_statsfile *file, uint32_t worker)
{
    SG_ASSERT(worker < file->head->workers);
    return &file->blocks[worker];
}

const char *sge_stat_name(enum sge_stat which)
{
    SG_ASSERT(which < SGE_STAT_COUNT);
    return rows[which].name;
}

const char *sge_stat_help(enum sge_stat which)
{
    SG_ASSERT(which < SGE_STAT_COUNT);
    return rows[which].help;
}

bool sge_stat_is_gauge(enum sge_stat which)
{
    SG_ASSERT(which < SGE_STAT_COUNT);
    return rows[which].kind == GAUGE;
}
