#include "dataplane/origin/health.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "dataplane/origin/head.h"
#include "dataplane/origin/request.h"

#include <stdio.h>

#define HEAD_BYTES   8192
#define BODY_BYTES   65536 /* read so that the connection can be used again; beyond it is dropped */
#define TARGET_BYTES 2048
#define FIELD_BYTES  4096

struct health_check {
    struct sgd_health *health;
    struct sgd_pool *pool;
    uint32_t url;
    char *path;
    uint64_t interval_ns, timeout_ns;
    uint16_t status_min, status_max;
    uint64_t due_ns; /* the next check, or while one is under way its time limit */
    struct sgd_curl_xfer *xfer;
    struct sgd_head head;
    char head_memory[HEAD_BYTES];
    uint32_t body_bytes;
};

struct sgd_health {
    const char *node_id;
    struct health_check *checks;
    uint32_t count;
};

static void check_over(struct health_check *check, const char *error)
{
    char text[64];
    uint16_t status = check->head.status;
    check->due_ns = sg_clock_mono_ns() + check->interval_ns;
    if (check->head.state == SGD_HEAD_WHOLE) {
        bool good = status >= check->status_min && status <= check->status_max;
        snprintf(text, sizeof(text), "status %u", status);
        sgd_pool_checked(check->pool, check->url, good, text);
        return;
    }
    sgd_pool_checked(check->pool, check->url, false, error);
}

static void on_sending(void *self)
{
    (void)self;
}

static bool on_line(void *self, const char *line, size_t len)
{
    struct health_check *check = self;
    return sgd_head_line(&check->head, line, len) == SGD_ORIGIN_none;
}

static enum sgd_curl_take on_body(void *self, const uint8_t *bytes, size_t len)
{
    struct health_check *check = self;
    (void)bytes;
    check->body_bytes += (uint32_t)len;
    return check->body_bytes > BODY_BYTES ? SGD_CURL_FAIL : SGD_CURL_TAKEN;
}

static size_t on_upload(void *self, uint8_t *out, size_t max)
{
    (void)self;
    (void)out;
    (void)max;
    return 0;
}

static void on_done(void *self, enum sgd_origin_error error, const char *text)
{
    struct health_check *check = self;
    check->xfer = NULL;
    check_over(check, error == SGD_ORIGIN_aborted ? "the answer's head is malformed" : text);
}

static const struct sgd_curl_ops health_ops = {
    .sending = on_sending,
    .line = on_line,
    .body = on_body,
    .upload = on_upload,
    .done = on_done,
};

static void check_start(struct health_check *check, struct sgd_curl *curl, uint64_t now_ns)
{
    char target[TARGET_BYTES], fields[FIELD_BYTES];
    struct sg_out target_out = sg_out_init(target, sizeof(target));
    struct sg_out fields_out = sg_out_init(fields, sizeof(fields));
    const struct sgd_url *url = &check->pool->urls[check->url];
    struct sgd_ask ask = {
        .pool = check->pool,
        .url = url,
        .node_id = check->health->node_id,
        .method = SG_STR("GET"),
        .path = sg_str_from(check->path),
        .fields = SG_STR("User-Agent: StreamGate-health\r\n"),
        .wall_s = sg_clock_wall_ns() / SG_NS_PER_SEC,
    };
    struct sgd_curl_request req = {
        .url = url->authority,
        .connect_to = url->connect_to,
        .target = target,
        .method = "GET",
        .fields = fields,
        .expect_h2 = atomic_load_explicit(&url->h2, memory_order_relaxed),
        .connect_timeout_ms = (uint32_t)(check->timeout_ns / SG_NS_PER_MS),
        .tls = &check->pool->tls,
    };
    sgd_head_begin(&check->head, check->head_memory, sizeof(check->head_memory));
    check->body_bytes = 0;
    check->due_ns = now_ns + check->timeout_ns;
    if (sgd_ask_write(&ask, &target_out, &fields_out) != SGD_ORIGIN_none ||
        sgd_curl_start(curl, &req, &health_ops, check, &check->xfer) != SG_OK)
        check_over(check, "the check's request cannot be made");
}

uint64_t sgd_health_turn(struct sgd_health *health, struct sgd_curl *curl, uint64_t now_ns)
{
    uint64_t next_ns = SG_NEVER;
    for (uint32_t i = 0; health != NULL && i < health->count; i++) {
        struct health_check *check = &health->checks[i];
        if (check->due_ns <= now_ns && check->xfer != NULL) {
            sgd_curl_stop(SG_TAKE(check->xfer));
            check_over(check, "no answer in time");
        } else if (check->due_ns <= now_ns) {
            check_start(check, curl, now_ns);
        }
        next_ns = SG_MIN(next_ns, check->due_ns);
    }
    return next_ns;
}

void sgd_health_stop(struct sgd_health *health)
{
    for (uint32_t i = 0; health != NULL && i < health->count; i++)
        if (health->checks[i].xfer != NULL)
            sgd_curl_stop(SG_TAKE(health->checks[i].xfer));
}

void sgd_health_close(struct sgd_health *health)
{
    if (health == NULL)
        return;
    for (uint32_t i = 0; health->checks != NULL && i < health->count; i++) {
        SG_ASSERT(health->checks[i].xfer == NULL);
        sg_boot_free(health->checks[i].path);
    }
    sg_boot_free(health->checks);
    sg_boot_free(health);
}

static enum sg_err check_init(struct health_check *check, const struct sg_conf_health *conf)
{
    size_t len = strlen(conf->path);
    check->interval_ns = SG_MAX(conf->interval_ms, 10u) * SG_NS_PER_MS;
    check->timeout_ns = SG_MAX(conf->timeout_ms, 1u) * SG_NS_PER_MS;
    check->status_min = (uint16_t)conf->status_min;
    check->status_max = (uint16_t)conf->status_max;
    check->path = sg_boot_alloc(len + 1);
    if (check->path == NULL)
        return SG_ENOMEM;
    memcpy(check->path, conf->path, len);
    return SG_OK;
}

static enum sg_err checks_init(struct sgd_health *health, struct sgd_pools *pools,
                               const struct sg_config *config)
{
    for (uint32_t i = 0; i < pools->count; i++) {
        struct sgd_pool *pool = &pools->pools[i];
        for (uint32_t url = 0; config->origins[i].health.path != NULL && url < pool->urls_count;
             url++) {
            struct health_check *check = &health->checks[health->count++];
            check->health = health;
            check->pool = pool;
            check->url = url;
            enum sg_err err = check_init(check, &config->origins[i].health);
            if (err != SG_OK)
                return err;
        }
    }
    return SG_OK;
}

enum sg_err sgd_health_open(struct sgd_pools *pools, const struct sg_config *config,
                            struct sgd_health **out)
{
    size_t count = 0;
    for (uint32_t i = 0; i < pools->count; i++)
        count += config->origins[i].health.path != NULL ? pools->pools[i].urls_count : 0;
    *out = NULL;
    if (count == 0)
        return SG_OK;
    struct sgd_health *health = sg_boot_alloc(sizeof(*health));
    if (health == NULL)
        return SG_ENOMEM;
    health->node_id = pools->node;
    health->checks = sg_boot_alloc_array(count, sizeof(*health->checks));
    enum sg_err err = health->checks == NULL ? SG_ENOMEM : checks_init(health, pools, config);
    if (err == SG_OK)
        *out = SG_TAKE(health);
    sgd_health_close(health);
    return err;
}
