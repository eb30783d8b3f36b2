#include "controlplane/feed/countersign.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/sys/crypto.h"

#include <string.h>

#define REMEMBERED 64
#define YES_NS     (30 * SG_NS_PER_SEC) /* edges keep it for longer */
#define NO_NS      (3 * SG_NS_PER_SEC)
/* Whoever asked that long before their time was up, by our clock, waits no more. Clocks may be so
 * much apart. */
#define CLOCKS_NS (15 * SG_NS_PER_SEC)

/* What was said of a grant lately. */
struct said {
    uint8_t grant[SG_SHA256_BYTES];
    uint64_t until_ns; /* 0: nothing */
    enum sg_err err;
    uint8_t countersignature[64];
};

/* One chain's; all of it is its subscription's thread's. */
struct counter {
    struct sgc_countersign *of;
    struct sg_caip_chain chain;
    struct sgc_sub *sub;
    uint32_t next;
    struct said said[REMEMBERED];
};

struct sgc_countersign {
    const struct sgd_onchain *by;
    uint64_t answered, remembered; /* atomic */
    uint32_t count;
    struct counter counters[];
};

static void counted(uint64_t *counter)
{
    __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* ---- what was said ---- */

static struct said *said_find(struct counter *counter, const uint8_t grant[SG_SHA256_BYTES])
{
    uint64_t now_ns = sg_clock_mono_ns();
    for (uint32_t i = 0; i < REMEMBERED; i++) {
        struct said *said = &counter->said[i];
        if (said->until_ns > now_ns && memcmp(said->grant, grant, SG_SHA256_BYTES) == 0)
            return said;
    }
    return NULL;
}

static struct said *said_add(struct counter *counter, const uint8_t grant[SG_SHA256_BYTES])
{
    struct said *said = &counter->said[counter->next++ % REMEMBERED];
    *said = (struct said){0};
    memcpy(said->grant, grant, SG_SHA256_BYTES);
    return said;
}

/* ---- answering ---- */

static bool is_late(const struct sgc_countersign_ask *ask)
{
    uint64_t until_ns = ask->sent_ns + ask->timeout_ms * SG_NS_PER_MS + CLOCKS_NS;
    return sg_clock_wall_ns() > until_ns;
}

/* The one that we are asked about, if it is one to ask this chain about. */
static enum sg_err grant_read(const struct counter *counter, struct sg_str bytes,
                              struct sgd_grant *out)
{
    if (sgd_grant_read(bytes, out) != SGD_GRANT_allowed || out->alg != SGD_GRANT_ON_CHAIN ||
        !sg_caip_chain_eq(&out->account.chain, &counter->chain) ||
        out->expires_s < sg_clock_wall_ns() / SG_NS_PER_SEC)
        return SG_EINVAL;
    return SG_OK;
}

static void ask_chain(struct counter *counter, const struct sgd_grant *grant, uint32_t timeout_ms,
                      struct said *said)
{
    const struct sgd_onchain *by = counter->of->by;
    said->err = by->ask(by->ctx, grant, timeout_ms, said->countersignature);
    if (said->err == SG_OK || said->err == SG_EAUTH)
        said->until_ns = sg_clock_mono_ns() + (said->err == SG_OK ? YES_NS : NO_NS);
}

static enum sg_err on_ask(void *ctx, struct sg_str request, struct sg_out *reply)
{
    struct counter *counter = ctx;
    struct sgc_countersign_ask ask;
    struct sgd_grant grant;
    uint8_t name[SG_SHA256_BYTES];
    enum sg_err err = sgc_countersign_ask_read(request, &ask);
    if (err == SG_OK)
        err = is_late(&ask) ? SG_ETIMEDOUT : grant_read(counter, ask.grant, &grant);
    if (err != SG_OK)
        return err;
    sg_sha256(ask.grant.ptr, ask.grant.len, name);
    struct said *said = said_find(counter, name);
    if (said != NULL) {
        counted(&counter->of->remembered);
    } else {
        said = said_add(counter, name);
        ask_chain(counter, &grant, ask.timeout_ms, said);
    }
    counted(&counter->of->answered);
    if (said->err == SG_OK)
        sg_out_bytes(reply, said->countersignature, sizeof(said->countersignature));
    return said->err;
}

/* ---- opening ---- */

static enum sg_err counter_open(struct sgc_countersign *countersign, const struct sgc_feed *feed,
                                const struct sg_caip_chain *chain)
{
    char subject[SGC_COUNTERSIGN_SUBJECT_BYTES];
    struct counter *counter = &countersign->counters[countersign->count];
    counter->of = countersign;
    counter->chain = *chain;
    sgc_countersign_subject(feed, chain, subject);
    enum sg_err err = sgc_bus_serve(feed->bus, subject, on_ask, counter, &counter->sub);
    countersign->count += err == SG_OK;
    return err;
}

enum sg_err sgc_countersign_open(const struct sgc_feed *feed, const struct sgd_onchain *by,
                                 const struct sg_caip_chain *chains, uint32_t count,
                                 struct sgc_countersign **out)
{
    SG_ASSERT(feed != NULL && by != NULL && out != NULL);
    enum sg_err err = SG_OK;
    struct sgc_countersign *countersign =
        sg_boot_alloc(sizeof(*countersign) + count * sizeof(countersign->counters[0]));
    if (countersign == NULL)
        return SG_ENOMEM;
    countersign->by = by;
    for (uint32_t i = 0; i < count && err == SG_OK; i++)
        err = counter_open(countersign, feed, &chains[i]);
    if (err == SG_OK)
        *out = SG_TAKE(countersign);
    sgc_countersign_close(countersign);
    return err;
}

void sgc_countersign_close(struct sgc_countersign *countersign)
{
    if (countersign == NULL)
        return;
    for (uint32_t i = 0; i < countersign->count; i++)
        sgc_sub_end(countersign->counters[i].sub);
    sg_boot_free(countersign);
}

void sgc_countersign_counts(const struct sgc_countersign *countersign, uint64_t *answered,
                            uint64_t *remembered)
{
    *answered = *remembered = 0;
    if (countersign == NULL)
        return;
    *answered = __atomic_load_n(&countersign->answered, __ATOMIC_RELAXED);
    *remembered = __atomic_load_n(&countersign->remembered, __ATOMIC_RELAXED);
}
