#include "edgecache/content/voljob.h"

#include "base/alloc.h"
#include "base/assert.h"

enum sg_err sge_voljobs_init(struct sge_voljobs *jobs)
{
    jobs->rests = sg_boot_alloc((size_t)(SGE_VOLJOBS + 1) * SGE_REST_BYTES_MAX);
    if (jobs->rests == NULL)
        return SG_ENOMEM;
    uintptr_t rests = ((uintptr_t)jobs->rests + SGE_PAGE_BYTES - 1) & ~(SGE_PAGE_BYTES - 1ul);
    for (uint32_t i = 0; i < SGE_VOLJOBS; i++) {
        jobs->all[i].rest = (uint8_t *)rests + (size_t)i * SGE_REST_BYTES_MAX;
        jobs->all[i].next = jobs->unused;
        jobs->unused = &jobs->all[i];
    }
    return SG_OK;
}

void sge_voljobs_fini(struct sge_voljobs *jobs)
{
    sg_boot_free(jobs->rests);
}

struct sge_voljob *sge_voljobs_take(struct sge_voljobs *jobs)
{
    struct sge_voljob *job = jobs->unused;
    SG_ASSERT(job != NULL);
    jobs->unused = job->next;
    jobs->under_way++;
    return job;
}

void sge_voljobs_give(struct sge_voljobs *jobs, struct sge_voljob *job)
{
    SG_ASSERT(jobs->under_way > 0);
    job->next = jobs->unused;
    jobs->unused = job;
    jobs->under_way--;
}

uint32_t sge_voljob_aim(struct sge_voljob *job, uint32_t page, uint8_t *memory)
{
    uint32_t pages = sge_record_pages_bytes(job->record.length), n = 0;
    job->page = page;
    job->bytes = sge_record_bytes(job->record.length);
    if (pages > 0)
        job->iov[n++] = (struct iovec){memory, pages};
    job->iov[n++] = (struct iovec){job->rest, job->bytes - pages};
    return n;
}
