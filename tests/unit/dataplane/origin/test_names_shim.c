/* Names that resolve slowly, or not at all. The resolver is a shim: this program's getaddrinfo(),
 * which libcurl's threads call. */
#include "tests/sgt.h"

#include "base/clock.h"
#include "tests/unit/dataplane/origin/liar.h"
#include "tests/unit/dataplane/origin/rig.h"

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (name != NULL && strcmp(name, "stuck.test") == 0) {
        usleep(1500 * 1000);
        return EAI_AGAIN;
    }
    if (name != NULL && strcmp(name, "gone.test") == 0)
        return EAI_NONAME;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, out);
}

static const struct sgt_liar_step step_good[] = {
    {SGT_LIAR_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood", 0},
    {SGT_LIAR_AGAIN, NULL, 0}};
static const struct sgt_liar_script good[] = {{NULL, step_good}};

/* Origin 0 is by the name, origin 1 is there. */
struct world {
    struct sgt_liar *liar;
    struct sgt_rig rig;
    struct sg_conf_origin origins[2];
    struct sg_conf_origin_url named;
};

static void world_open(struct world *w, const char *url)
{
    w->liar = sgt_liar_open(0, good);
    sgt_rig_open(&w->rig, 1, 64);
    sgt_rig_url(&w->rig, "http", sgt_liar_port(w->liar));
    w->rig.origin.connect_timeout_ms = 200;
    w->named = (struct sg_conf_origin_url){.url = url, .weight = 1};
    w->origins[0] = w->origins[1] = w->rig.origin;
    w->origins[0].name = "named";
    w->origins[0].urls = &w->named;
    w->rig.config.origins = w->origins;
    w->rig.config.origins_count = 2;
    sgt_rig_pools(&w->rig);
}

static void world_close(struct world *w)
{
    sgt_rig_close(&w->rig);
    sgt_liar_close(w->liar);
}

static void a_name_that_does_not_exist_is_told_at_once(void **fixture)
{
    struct world w;
    world_open(&w, "http://gone.test");
    struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_dns_error);
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void a_stuck_resolver_holds_up_nobody_else(void **fixture)
{
    struct world w;
    world_open(&w, "http://stuck.test");
    uint64_t begin_ns = sg_clock_mono_ns();
    struct sgt_get *stuck = sgt_get_make(&w.rig, "GET", "/");
    struct sgt_get *aborted = sgt_get_make(&w.rig, "GET", "/");
    sgt_get_start(stuck);
    sgt_get_start(aborted);
    sgt_rig_run(&w.rig, NULL, 20);
    assert_true(sgd_fetch_abort(w.rig.fetchers, &aborted->fetch));
    assert_true(sgt_rig_run(&w.rig, aborted, 1000));
    assert_int_equal(aborted->fetch.error, SGD_ORIGIN_aborted);
    for (int i = 0; i < 5; i++) {
        struct sgt_get *get = sgt_get_make(&w.rig, "GET", "/");
        get->fetch.origin = 1;
        sgt_get_start(get);
        assert_true(sgt_rig_run(&w.rig, get, 1000));
        assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
        sgt_get_free(get);
    }
    assert_true(stuck->dones > 0 || sgt_rig_run(&w.rig, stuck, 1000));
    assert_int_equal(stuck->fetch.error, SGD_ORIGIN_dns_timeout);
    assert_true(sg_clock_mono_ns() - begin_ns < 1300 * SG_NS_PER_MS); /* the resolver sleeps on */
    sgt_get_free(stuck);
    sgt_get_free(aborted);
    world_close(&w);
    usleep(1600 * 1000); /* let its threads end before this program does */
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_name_that_does_not_exist_is_told_at_once),
    cmocka_unit_test(a_stuck_resolver_holds_up_nobody_else),
};
SGT_MAIN("names_shim", tests)
