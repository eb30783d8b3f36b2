#include "dataplane/origin/pool.h"

#include "base/log.h"

#include <stdio.h>

/* ---- states ---- */

static const uint8_t url_edges[SGD_URL_STATE_COUNT] = {
    [SGD_URL_UP] = SG_BIT(SGD_URL_DOWN),
    [SGD_URL_DOWN] = SG_BIT(SGD_URL_TRIAL) | SG_BIT(SGD_URL_DOWN) | SG_BIT(SGD_URL_UP),
    [SGD_URL_TRIAL] = SG_BIT(SGD_URL_UP) | SG_BIT(SGD_URL_DOWN),
};

static void url_enter(struct sgd_url *url, enum sgd_url_state to)
{
    SG_ASSERT(url_edges[url->state] & SG_BIT(to));
    url->state = to;
}

static void url_up(struct sgd_pool *pool, struct sgd_url *url)
{
    bool was_down = url->downs > 0 || url->state != SGD_URL_UP;
    url->failures = url->downs = 0;
    if (url->state != SGD_URL_UP)
        url_enter(url, SGD_URL_UP);
    if (was_down)
        sg_info("origin %s: %s is up again", pool->name, url->text);
}

static uint64_t pool_random(struct sgd_pool *pool)
{
    pool->random ^= pool->random << 13; /* xorshift64: spreads nodes, guards nothing */
    pool->random ^= pool->random >> 7;
    pool->random ^= pool->random << 17;
    return pool->random;
}

static void url_down(struct sgd_pool *pool, struct sgd_url *url, uint64_t for_ns, uint64_t now_ns)
{
    url_enter(url, SGD_URL_DOWN);
    url->down_until_ns = SG_MAX(now_ns + for_ns, url->down_until_ns);
    url->failures = 0;
    sg_warn("origin %s: %s is down for %llu ms: %s", pool->name, url->text,
            (unsigned long long)(for_ns / 1000000), url->last_error);
}

static void url_back_off(struct sgd_pool *pool, struct sgd_url *url, uint64_t now_ns)
{
    uint64_t for_ns = SGD_POOL_BACKOFF_MIN_NS << SG_MIN(url->downs, 16u);
    for_ns = SG_MIN(for_ns, SGD_POOL_BACKOFF_MAX_NS);
    url->downs++;
    url_down(pool, url, for_ns - for_ns / 4 + pool_random(pool) % (for_ns / 2), now_ns);
}

static bool url_usable(const struct sgd_url *url, uint64_t now_ns)
{
    if (url->check_down || url->state == SGD_URL_TRIAL)
        return false;
    return url->state == SGD_URL_UP || url->down_until_ns <= now_ns;
}

/* ---- choice ---- */

/* Smooth: a, b, a, c, a rather than a, a, a, b, c for weights of 3, 1, 1. */
static uint32_t pool_pick_of(struct sgd_pool *pool, uint32_t tried, bool backup, uint64_t now_ns)
{
    uint32_t best = SGD_POOL_URL_NONE;
    int64_t total = 0;
    for (uint32_t i = 0; i < pool->urls_count; i++) {
        struct sgd_url *url = &pool->urls[i];
        if ((tried & SG_BIT(i)) || url->backup != backup || !url_usable(url, now_ns))
            continue;
        url->credit += url->weight;
        total += url->weight;
        if (best == SGD_POOL_URL_NONE || url->credit > pool->urls[best].credit)
            best = i;
    }
    if (best != SGD_POOL_URL_NONE)
        pool->urls[best].credit -= total;
    return best;
}

uint32_t sgd_pool_pick(struct sgd_pool *pool, uint32_t tried, uint64_t now_ns)
{
    pthread_mutex_lock(&pool->lock);
    uint32_t index = pool_pick_of(pool, tried, false, now_ns);
    if (index == SGD_POOL_URL_NONE)
        index = pool_pick_of(pool, tried, true, now_ns);
    if (index != SGD_POOL_URL_NONE) {
        struct sgd_url *url = &pool->urls[index];
        url->fetches++;
        if (url->state == SGD_URL_DOWN)
            url_enter(url, SGD_URL_TRIAL);
    }
    pthread_mutex_unlock(&pool->lock);
    return index;
}

static uint32_t smoothed(uint32_t was_us, uint64_t latency_ns)
{
    uint32_t us = (uint32_t)SG_MIN(latency_ns / 1000 + 1, (uint64_t)UINT32_MAX);
    return was_us == 0 ? us : (uint32_t)(((uint64_t)was_us * 7 + us) / 8);
}

/* What it was down for is not forgotten yet: its body may still break. */
void sgd_pool_answered(struct sgd_pool *pool, uint32_t url, uint64_t latency_ns)
{
    SG_ASSERT(url < pool->urls_count);
    pthread_mutex_lock(&pool->lock);
    struct sgd_url *u = &pool->urls[url];
    u->latency_us = smoothed(u->latency_us, latency_ns);
    if (u->state == SGD_URL_TRIAL)
        url_enter(u, SGD_URL_UP);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- results ---- */

enum sgd_outcome sgd_outcome_of_status(uint16_t status)
{
    if (status == 429 || (status >= 502 && status <= 504))
        return SGD_OUTCOME_BUSY;
    if (status == 501 || status == 505) /* about the request, not the server's health */
        return SGD_OUTCOME_GOOD;
    return status >= 500 ? SGD_OUTCOME_BROKEN : SGD_OUTCOME_GOOD;
}

static bool others_up(const struct sgd_pool *pool, const struct sgd_url *but)
{
    for (uint32_t i = 0; i < pool->urls_count; i++)
        if (&pool->urls[i] != but && pool->urls[i].state == SGD_URL_UP && !pool->urls[i].check_down)
            return true;
    return false;
}

static void url_failed(struct sgd_pool *pool, struct sgd_url *url, uint32_t patience,
                       uint64_t now_ns)
{
    /* DOWN: put there by another fetch while this one was under way. */
    if (url->state == SGD_URL_DOWN)
        return;
    if (url->state == SGD_URL_TRIAL || ++url->failures >= pool->fall * patience)
        url_back_off(pool, url, now_ns);
}

static void url_result(struct sgd_pool *pool, struct sgd_url *url,
                       const struct sgd_attempt *attempt, uint64_t now_ns)
{
    uint32_t asked_s = SG_MIN(attempt->retry_after_s, (uint32_t)SGD_POOL_RETRY_AFTER_S);
    switch (attempt->outcome) {
    case SGD_OUTCOME_UNUSED:
        if (url->state == SGD_URL_TRIAL)
            url_enter(url, SGD_URL_DOWN); /* its time has passed: the next one tries */
        return;
    case SGD_OUTCOME_GOOD:
        if (url->state != SGD_URL_DOWN) /* an answer from before it went down proves nothing */
            url_up(pool, url);
        return;
    case SGD_OUTCOME_BUSY:
        if (asked_s > 0)
            url_down(pool, url, asked_s * 1000000000ull, now_ns);
        else /* a few busy objects must not take all others of the only server away */
            url_failed(pool, url, others_up(pool, url) ? 1 : SGD_POOL_ALONE_FACTOR, now_ns);
        return;
    case SGD_OUTCOME_BROKEN:
        /* One broken object must not take the only server of all others away. */
        if (url->state == SGD_URL_TRIAL || others_up(pool, url))
            url_failed(pool, url, 1, now_ns);
        return;
    case SGD_OUTCOME_FAILED:
        url_failed(pool, url, 1, now_ns);
        return;
    }
}

void sgd_pool_result(struct sgd_pool *pool, uint32_t url, const struct sgd_attempt *attempt,
                     uint64_t now_ns)
{
    SG_ASSERT(url < pool->urls_count);
    pthread_mutex_lock(&pool->lock);
    if (attempt->error != NULL) {
        pool->urls[url].errors++;
        snprintf(pool->urls[url].last_error, sizeof(pool->urls[url].last_error), "%s",
                 attempt->error);
    }
    url_result(pool, &pool->urls[url], attempt, now_ns);
    pthread_mutex_unlock(&pool->lock);
}

static void url_check_good(struct sgd_pool *pool, struct sgd_url *url)
{
    if (!url->check_down) {
        url->check_run = 0;
        if (url->state == SGD_URL_DOWN) /* a trial under way will speak for itself */
            url_up(pool, url);
        return;
    }
    if (++url->check_run < pool->rise)
        return;
    url->check_down = false;
    url->check_run = 0;
    sg_info("origin %s: %s passes its health check again", pool->name, url->text);
    if (url->state == SGD_URL_DOWN)
        url_up(pool, url);
}

static void url_check_bad(struct sgd_pool *pool, struct sgd_url *url, const char *error)
{
    snprintf(url->last_error, sizeof(url->last_error), "health check: %s", error);
    if (url->check_down) {
        url->check_run = 0;
        return;
    }
    if (++url->check_run < pool->fall)
        return;
    url->check_down = true;
    url->check_run = 0;
    sg_warn("origin %s: %s is down by its health check: %s", pool->name, url->text, error);
}

void sgd_pool_checked(struct sgd_pool *pool, uint32_t url, bool good, const char *error)
{
    SG_ASSERT(url < pool->urls_count);
    SG_ASSERT(good || error != NULL);
    pthread_mutex_lock(&pool->lock);
    if (good)
        url_check_good(pool, &pool->urls[url]);
    else
        url_check_bad(pool, &pool->urls[url], error);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- reload, status ---- */

static void url_inherit(struct sgd_url *url, const struct sgd_url *old)
{
    url->state =
        old->state == SGD_URL_TRIAL ? SGD_URL_DOWN : old->state; /* its trial is not ours */
    url->check_down = old->check_down;
    url->check_run = old->check_run;
    url->failures = old->failures;
    url->downs = old->downs;
    url->down_until_ns = old->down_until_ns;
    url->fetches = old->fetches;
    url->errors = old->errors;
    url->latency_us = old->latency_us;
    memcpy(url->last_error, old->last_error, sizeof(url->last_error));
    atomic_store(&url->h2, atomic_load(&old->h2));
}

void sgd_pool_inherit(struct sgd_pool *pool, struct sgd_pool *old)
{
    pthread_mutex_lock(&old->lock);
    for (uint32_t i = 0; i < pool->urls_count; i++)
        for (uint32_t k = 0; k < old->urls_count; k++)
            if (strcmp(pool->urls[i].text, old->urls[k].text) == 0)
                url_inherit(&pool->urls[i], &old->urls[k]);
    pthread_mutex_unlock(&old->lock);
}

uint32_t sgd_pool_status(struct sgd_pool *pool, struct sgd_url_status *out, uint32_t max)
{
    uint32_t count = SG_MIN(pool->urls_count, max);
    pthread_mutex_lock(&pool->lock);
    for (uint32_t i = 0; i < count; i++) {
        const struct sgd_url *url = &pool->urls[i];
        out[i] = (struct sgd_url_status){
            .url = url->text,
            .up = url->state == SGD_URL_UP && !url->check_down,
            .weight = url->weight,
            .fetches = url->fetches,
            .errors = url->errors,
            .latency_us = url->latency_us,
            .backoff_until_ns = url->state == SGD_URL_UP ? 0 : url->down_until_ns,
        };
        memcpy(out[i].last_error, url->last_error, sizeof(out[i].last_error));
    }
    pthread_mutex_unlock(&pool->lock);
    return count;
}
