#include "edgecache/content/voltrouble.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define TELL_AGAIN_NS (10 * SG_NS_PER_SEC)

static const char *const trouble_texts[] = {
    [SGE_TROUBLE_READ] = "reading failed",
    [SGE_TROUBLE_WRITE] = "writing failed",
    [SGE_TROUBLE_RECORD] = "a record is not what it should be",
    [SGE_TROUBLE_INDEX] = "the content index failed",
};

/* True for one of those who come, once in a while. */
static bool trouble_is_news(struct sge_troubles *troubles, enum sge_trouble kind)
{
    uint64_t now_ns = sg_clock_mono_ns();
    uint64_t told_ns = atomic_load_explicit(&troubles->told_ns[kind], memory_order_relaxed);
    return (told_ns == 0 || now_ns - told_ns >= TELL_AGAIN_NS) &&
           atomic_compare_exchange_strong_explicit(&troubles->told_ns[kind], &told_ns, now_ns,
                                                   memory_order_relaxed, memory_order_relaxed);
}

void sge_trouble(struct sge_troubles *troubles, enum sge_trouble kind, uint64_t offset_bytes,
                 enum sg_err err)
{
    char place[48] = "";
    uint64_t count = atomic_fetch_add_explicit(&troubles->count[kind], 1, memory_order_relaxed) + 1;
    if (!trouble_is_news(troubles, kind))
        return;
    uint64_t untold =
        count - atomic_exchange_explicit(&troubles->told[kind], count, memory_order_relaxed);
    if (offset_bytes != SGE_TROUBLE_NOWHERE)
        snprintf(place, sizeof(place), " at byte %" PRIu64, offset_bytes);
    sg_error("volume: %s%s: %s (%" PRIu64 " since last told)", trouble_texts[kind], place,
             sg_err_text(err), untold);
}

uint64_t sge_trouble_count(const struct sge_troubles *troubles, enum sge_trouble kind)
{
    return atomic_load_explicit(&troubles->count[kind], memory_order_relaxed);
}
