#include "tests/sgt.h"

#include "tests/unit/dataplane/origin/rig.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define BODY_CAP (64u << 20)

void sgt_rig_open(struct sgt_rig *rig, uint32_t threads, uint32_t ring)
{
    memset(rig, 0, sizeof(*rig));
    assert_int_equal(sg_mail_open(1 + threads, ring, &rig->mail), SG_OK);
    assert_int_equal(sgd_fetchers_open(rig->mail, 1, threads, &rig->fetchers), SG_OK);
    rig->origin = (struct sg_conf_origin){
        .name = "o",
        .urls = rig->urls,
        .connect_timeout_ms = 500,
        .first_byte_timeout_ms = 500,
        .idle_timeout_ms = 500,
        .connections_max = 100,
        .tls_verify = true,
    };
    rig->config.node.name = "here";
    rig->config.origins = &rig->origin;
    rig->config.origins_count = 1;
}

void sgt_rig_url(struct sgt_rig *rig, const char *scheme, uint16_t port)
{
    uint32_t i = rig->origin.urls_count++;
    assert_true(i < SGT_RIG_URLS_MAX);
    snprintf(rig->url_text[i], sizeof(rig->url_text[i]), "%s://127.0.0.1:%u", scheme, port);
    rig->urls[i] = (struct sg_conf_origin_url){.url = rig->url_text[i], .weight = 1};
}

void sgt_rig_pools(struct sgt_rig *rig)
{
    char text[512];
    struct sg_out report = sg_out_init(text, sizeof(text));
    assert_int_equal(sgd_pools_open(rig->fetchers, &rig->config, rig->pools, &report, &rig->pools),
                     SG_OK);
}

void sgt_rig_close(struct sgt_rig *rig)
{
    assert_int_equal(rig->in_flight, 0);
    sgd_pools_unref(rig->pools);
    sgd_fetchers_close(rig->fetchers);
    sg_mail_close(rig->mail);
}

struct sgt_get *sgt_get_make(struct sgt_rig *rig, const char *method, const char *path)
{
    struct sgt_get *get = calloc(1, sizeof(*get));
    assert_non_null(get);
    get->rig = rig;
    get->window_bytes = 65536;
    get->body_cap = BODY_CAP; /* touched only where written */
    get->body = mmap(NULL, get->body_cap, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(get->body != MAP_FAILED);
    get->fetch.pools = rig->pools;
    get->fetch.method = sg_str_from(method);
    get->fetch.path = sg_str_from(path);
    get->fetch.body_bytes_max = BODY_CAP;
    get->fetch.user = get;
    get->fetch.worker = 0;
    return get;
}

void sgt_get_free(struct sgt_get *get)
{
    munmap(get->body, BODY_CAP);
    free(get);
}

static void grant(struct sgt_get *get)
{
    while (!get->hold && get->window_bytes > 0 && get->windows_out < SGD_FETCH_WINDOWS &&
           get->granted + get->window_bytes <= get->body_cap) {
        if (!sgd_fetch_window(get->rig->fetchers, &get->fetch, get->body + get->granted,
                              get->window_bytes))
            return;
        get->granted += get->window_bytes;
        get->windows_out++;
    }
}

void sgt_get_start(struct sgt_get *get)
{
    while (!sgd_fetch_start(get->rig->fetchers, &get->fetch))
        usleep(1000);
    assert_true(get->rig->in_flight < SGT_RIG_GETS_MAX);
    get->rig->gets[get->rig->in_flight++] = get;
    grant(get);
}

static void forget(struct sgt_rig *rig, const struct sgt_get *get)
{
    for (unsigned i = 0; i < rig->in_flight; i++)
        if (rig->gets[i] == get) {
            rig->gets[i] = rig->gets[--rig->in_flight];
            return;
        }
    fail();
}

static void on_event(struct sgt_rig *rig, const struct sg_msg *msg)
{
    struct sgd_fetch *fetch = msg->ptr[0];
    struct sgt_get *get = fetch->user;
    assert_int_equal(get->dones, 0); /* DONE is the last event */
    switch ((enum sgd_fetch_event)msg->type) {
    case SGD_FETCH_HEAD:
        assert_int_equal(get->datas, 0);
        get->heads++;
        break;
    case SGD_FETCH_HINTS:
        assert_int_equal(get->heads, 0);
        assert_in_range(fetch->hints_bytes, 1, SGD_FETCH_HINTS_BYTES);
        break;
    case SGD_FETCH_DATA:
        assert_int_equal(get->heads, 1);
        get->datas++;
        get->got += msg->arg32;
        if (msg->arg64 == 1)
            get->windows_out--;
        break;
    case SGD_FETCH_BODY_TAKEN:
        assert_true(msg->arg64 > get->taken_bytes);
        get->taken_bytes = msg->arg64;
        break;
    case SGD_FETCH_DONE:
        get->dones++;
        forget(rig, get);
        return;
    case SGD_FETCH_LAST:
        fail();
    }
}

bool sgt_rig_run(struct sgt_rig *rig, struct sgt_get *get, int ms)
{
    uint64_t until_ns = sg_clock_mono_ns() + (uint32_t)ms * SG_NS_PER_MS;
    struct sg_msg got[16];
    while (sg_clock_mono_ns() < until_ns) {
        uint32_t n = sg_mail_take(rig->mail, 0, got, 16);
        for (uint32_t i = 0; i < n; i++)
            on_event(rig, &got[i]);
        for (unsigned i = 0; i < rig->in_flight; i++)
            grant(rig->gets[i]); /* each turn: the ring may have been full before */
        if (get != NULL && get->dones > 0)
            return true;
        if (n == 0 && !sg_mail_sleep_begin(rig->mail, 0)) {
            struct pollfd pfd = {sg_mail_wake_fd(rig->mail, 0), POLLIN, 0};
            uint64_t count;
            if (poll(&pfd, 1, 10) > 0)
                assert_int_equal(read(pfd.fd, &count, sizeof(count)), sizeof(count));
            sg_mail_sleep_end(rig->mail, 0);
        }
    }
    return false;
}

struct sgt_get *sgt_get_run(struct sgt_rig *rig, const char *method, const char *path)
{
    struct sgt_get *get = sgt_get_make(rig, method, path);
    sgt_get_start(get);
    assert_true(sgt_rig_run(rig, get, 5000));
    return get;
}

bool sgt_get_has_line(const struct sgt_get *get, const char *line)
{
    struct sg_str head = {get->fetch.head, get->fetch.head_bytes};
    char wanted[512];
    int len = snprintf(wanted, sizeof(wanted), "%s\r\n", line);
    for (const char *at = head.ptr;
         (at = memmem(at, head.len - (size_t)(at - head.ptr), wanted, (size_t)len)) != NULL; at++)
        if (at == head.ptr || at[-1] == '\n')
            return true;
    return false;
}
