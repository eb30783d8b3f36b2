#include "dataplane/delivery/reuse.h"

#include "base/clock.h"

/* What another thread's clock may be ahead of a worker's, which it reads once a turn. */
#define CLOCKS_APART_NS (2 * SG_NS_PER_SEC)

uint64_t sgd_reuse_age_ns(const struct sge_meta *meta, uint64_t wall_ns)
{
    uint64_t resident = wall_ns > meta->response_ns ? wall_ns - meta->response_ns : 0;
    return meta->initial_age_ns + resident;
}

static uint64_t staleness_ns(const struct sge_meta *meta, uint64_t age_ns)
{
    return age_ns > meta->lifetime_ns ? age_ns - meta->lifetime_ns : 0;
}

/* The viewer asks for something younger than this is. */
static bool too_old_for(const struct sgd_cc *cc, const struct sge_meta *meta, uint64_t age_ns)
{
    if (cc->flags & SGD_CC_NO_CACHE)
        return true;
    if ((cc->flags & SGD_CC_MAX_AGE) && age_ns > cc->max_age_ns)
        return true;
    return (cc->flags & SGD_CC_MIN_FRESH) &&
           (meta->lifetime_ns < age_ns || meta->lifetime_ns - age_ns < cc->min_fresh_ns);
}

static bool stale_welcome(const struct sgd_cc *cc, uint64_t stale_ns)
{
    return (cc->flags & SGD_CC_MAX_STALE_ANY) ||
           ((cc->flags & SGD_CC_MAX_STALE) && stale_ns <= cc->max_stale_ns);
}

/* The clock was set back since it came: how old it is nobody knows. */
static bool is_of_the_future(const struct sge_meta *meta, uint64_t wall_ns)
{
    return meta->response_ns > wall_ns + CLOCKS_APART_NS;
}

enum sgd_reuse sgd_reuse_check(const struct sge_meta *meta, bool stale_forced,
                               const struct sgd_cc *cc, uint64_t wall_ns)
{
    uint64_t age_ns = sgd_reuse_age_ns(meta, wall_ns);
    uint64_t stale_ns = staleness_ns(meta, age_ns);
    if ((meta->flags & SGD_STORE_NO_CACHE) || is_of_the_future(meta, wall_ns))
        return SGD_REUSE_VALIDATE;
    if (cc != NULL && too_old_for(cc, meta, age_ns))
        return SGD_REUSE_VALIDATE;
    if (!stale_forced && age_ns < meta->lifetime_ns)
        return SGD_REUSE_FRESH;
    if (meta->flags & SGD_STORE_MUST_REVALIDATE)
        return SGD_REUSE_VALIDATE;
    if (stale_ns < meta->stale_while_ns)
        return SGD_REUSE_WHILE_REVALIDATE;
    if (!stale_forced && cc != NULL && stale_welcome(cc, stale_ns))
        return SGD_REUSE_STALE;
    return SGD_REUSE_VALIDATE;
}

bool sgd_reuse_on_error(const struct sge_meta *meta, const struct sgd_cc *cc, uint64_t wall_ns)
{
    uint64_t stale_ns = staleness_ns(meta, sgd_reuse_age_ns(meta, wall_ns));
    if (meta->flags & (SGD_STORE_MUST_REVALIDATE | SGD_STORE_NO_CACHE))
        return false;
    if (cc != NULL && (cc->flags & SGD_CC_SIE) && stale_ns < cc->sie_ns)
        return true;
    return stale_ns < meta->stale_error_ns;
}
