/* gate_world - what a test of the gate needs around it: a state, a configuration with two tenants
 * and a few sites, a request that is let pass, and a token for it; the test then changes one thing.
 * Everything is one struct that the test's set-up fills. */
#ifndef SGT_GATE_WORLD_H
#define SGT_GATE_WORLD_H

#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/gate/gate.h"
#include "dataplane/gate/mint.h"
#include "dataplane/gate/viewers.h"
#include "tests/sgt_dir.h"

#include <arpa/inet.h>

#define WORLD_NOW_S 1764000000ull

enum world_site { WORLD_GATED, WORLD_PUBLIC, WORLD_CLOSED, WORLD_OTHER, WORLD_SITES };

struct world {
    char dir[SGT_DIR_BYTES];
    char *secret_file;
    struct sg_conf_tenant tenants[2];
    struct sg_conf_site sites[WORLD_SITES];
    struct sg_config config;
    char report_memory[4096];
    struct sg_out report;
    struct sgd_gate *gate;
    struct sgd_gate_core *core;
    struct sgd_viewers *viewers;
    struct sge_state *state;
    struct sge_state_reader *reader;
    struct sge_stats stats;
    uint8_t tenant_key[SGD_KEY_BYTES];
    /* the token, before and after minting */
    struct sgd_claims claims;
    struct sgd_kid kid;
    char text[SGD_TOKEN_TEXT_MAX];
    /* the request */
    struct sgd_peer peer;
    struct sgd_request req;
    struct sgd_stripped stripped;
    struct sg_str path;
    uint32_t site;
    uint64_t now_s;
};

static inline void world_write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    SG_ASSERT(f != NULL);
    fputs(text, f);
    fclose(f);
}

#define WORLD_SECRET "a secret of thirty-two bytes or more\n"

static inline void world_configure(struct world *w)
{
    for (int i = 0; i < 2; i++)
        w->tenants[i] = (struct sg_conf_tenant){.name = i == 0 ? "acme" : "rival",
                                                .secret_file = w->secret_file,
                                                .stale_limit_s = 30,
                                                .on_stale = SG_CONF_STALE_REFUSE,
                                                .clock_skew_s = 60};
    static const enum sg_conf_access access[] = {SG_CONF_ACCESS_TOKEN, SG_CONF_ACCESS_PUBLIC,
                                                 SG_CONF_ACCESS_CLOSED, SG_CONF_ACCESS_TOKEN};
    static const char *const names[] = {"gated", "public", "closed", "other"};
    for (int i = 0; i < WORLD_SITES; i++)
        w->sites[i] = (struct sg_conf_site){
            .name = names[i], .tenant = i == WORLD_OTHER ? "rival" : "acme", .access = access[i]};
    w->config = (struct sg_config){.node = {.region = "local"},
                                   .gate = {.verdict_cache_entries = 64},
                                   .tenants = w->tenants,
                                   .tenants_count = 2,
                                   .sites = w->sites,
                                   .sites_count = WORLD_SITES};
}

/* Opens the gate anew, over what the configuration says now. */
static inline void world_open_gate(struct world *w)
{
    sgd_gate_close(w->gate);
    w->gate = NULL;
    w->report = sg_out_init(w->report_memory, sizeof(w->report_memory));
    enum sg_err err = sgd_gate_open(&w->config, &w->report, &w->gate);
    SG_ASSERT(err == SG_OK);
}

static inline void world_default_claims(struct world *w)
{
    w->claims = (struct sgd_claims){
        .issuer = SG_STR("sg:acme"),
        .audience = SG_STR("acme"),
        .issued_s = WORLD_NOW_S - 10,
        .expires_s = WORLD_NOW_S + 3600,
        .cti = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .has_cti = true,
        .has_methods = true,
        .methods = SG_BIT(SGD_METHOD_GET) | SG_BIT(SGD_METHOD_HEAD),
        .matches_count = 2,
        .matches = {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("video.example")},
                    {SGD_MATCH_PATH, SGD_MATCH_PREFIX, SG_STR("/asset/")}},
    };
    w->kid = (struct sgd_kid){SG_STR("local"), SG_STR("acme"), sgd_epoch_current(WORLD_NOW_S, 0)};
}

static inline void world_default_request(struct world *w)
{
    w->peer = (struct sgd_peer){.remote = {.sin6_family = AF_INET6}};
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &w->peer.remote.sin6_addr);
    w->path = SG_STR("/asset/seg1.m4s");
    w->req = (struct sgd_request){.method = SGD_METHOD_GET,
                                  .authority = SG_STR("video.example:8443"),
                                  .path = w->path,
                                  .peer = &w->peer};
    w->site = WORLD_GATED;
    w->now_s = WORLD_NOW_S;
}

/* Signs the claims under the epoch of the kid. */
static inline void world_mint(struct world *w)
{
    struct sg_hmac_key key;
    uint8_t epoch_key[SGD_KEY_BYTES];
    struct sg_out text = sg_out_init(w->text, sizeof(w->text));
    sgd_key_epoch(w->tenant_key, w->kid.epoch, epoch_key);
    sg_hmac_key_init(&key, epoch_key, sizeof(epoch_key));
    enum sg_err err = sgd_mint(&w->claims, &w->kid, &key, &text);
    SG_ASSERT(err == SG_OK);
    w->stripped = (struct sgd_stripped){.carrier = SGD_CARRIER_HEADER, .token = sg_out_view(&text)};
}

static inline struct sgd_gate_answer world_answer(struct world *w)
{
    struct sgd_gate_answer answer;
    const struct sgd_gate_request in = {.req = &w->req,
                                        .stripped = &w->stripped,
                                        .path = w->path,
                                        .site = w->site,
                                        .wall_ns = w->now_s * SG_NS_PER_SEC,
                                        .viewers = w->viewers};
    enum sg_err err = sge_state_begin(w->reader);
    SG_ASSERT(err == SG_OK);
    sgd_gate_decide(w->gate, w->core, w->reader, &w->stats, &in, &answer);
    sge_state_end(w->reader);
    return answer;
}

static inline enum sgd_gate_verdict world_verdict(struct world *w)
{
    return world_answer(w).verdict;
}

/* Mints what the claims are now, and asks. */
static inline enum sgd_gate_verdict world_mint_verdict(struct world *w)
{
    world_mint(w);
    return world_verdict(w);
}

static inline int world_set_up(void **fixture)
{
    static struct world world;
    struct world *w = &world;
    memset(w, 0, sizeof(*w));
    sgt_dir_make(w->dir);
    if (asprintf(&w->secret_file, "%s/secret", w->dir) < 0)
        return 1;
    world_write_file(w->secret_file, WORLD_SECRET);
    world_configure(w);
    world_open_gate(w);
    world_default_claims(w);
    world_default_request(w);
    *fixture = w;
    bool good = sgd_gate_core_open(64, &w->core) == SG_OK &&
                sgd_viewers_open(&w->viewers) == SG_OK &&
                sge_state_open(w->dir, true, &w->state) == SG_OK &&
                sge_state_reader_open(w->state, &w->reader) == SG_OK &&
                sgd_key_tenant_load(w->secret_file, SG_STR("acme"), w->tenant_key) == SG_OK;
    if (good)
        world_mint(w);
    return !good;
}

static inline int world_tear_down(void **fixture)
{
    struct world *w = *fixture;
    sge_state_reader_close(w->reader);
    sge_state_close(w->state);
    sgd_gate_core_close(w->core);
    sgd_viewers_close(w->viewers);
    sgd_gate_close(w->gate);
    sgt_dir_remove(w->dir);
    free(w->secret_file);
    return 0;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

#endif
