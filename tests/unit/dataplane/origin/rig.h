/* rig - plays the worker for origin's tests: one mailbox, one or two fetch threads, and fetches
 * whose events are collected. */
#ifndef SGT_RIG_H
#define SGT_RIG_H

#include "dataplane/origin/fetch.h"

#define SGT_RIG_URLS_MAX 4
#define SGT_RIG_GETS_MAX 128

struct sgt_get;

struct sgt_rig {
    struct sg_mail *mail;
    struct sgd_fetchers *fetchers;
    struct sgd_pools *pools;
    struct sg_config config;
    struct sg_conf_origin origin;
    struct sg_conf_origin_url urls[SGT_RIG_URLS_MAX];
    char url_text[SGT_RIG_URLS_MAX][64];
    struct sgt_get *gets[SGT_RIG_GETS_MAX]; /* those without their DONE */
    unsigned in_flight;
};

struct sgt_get {
    struct sgd_fetch fetch;
    struct sgt_rig *rig;
    uint32_t window_bytes; /* of each window granted; 0: none are */
    uint32_t windows_out;
    uint8_t *body; /* grown as needed; windows point into it */
    size_t body_cap, granted, got;
    unsigned heads, dones, datas;
    uint64_t taken_bytes; /* of the request's body */
    bool hold;            /* grant nothing for now */
};

/* An origin of one URL, http://127.0.0.1:port, with limits of half a second; change rig->origin and
 * add urls before sgt_rig_pools(). `ring` messages a ring. */
void sgt_rig_open(struct sgt_rig *rig, uint32_t threads, uint32_t ring);
void sgt_rig_url(struct sgt_rig *rig, const char *scheme, uint16_t port);
void sgt_rig_pools(struct sgt_rig *rig);
void sgt_rig_close(struct sgt_rig *rig);

/* A fetch of `path` by `method`, not yet started; windows of 64 KiB. */
struct sgt_get *sgt_get_make(struct sgt_rig *rig, const char *method, const char *path);
void sgt_get_free(struct sgt_get *get);
void sgt_get_start(struct sgt_get *get);
/* Takes messages until `get` is done (or, with NULL, for `ms`); false: not within `ms`. */
bool sgt_rig_run(struct sgt_rig *rig, struct sgt_get *get, int ms);
/* Makes, starts, runs to its end. */
struct sgt_get *sgt_get_run(struct sgt_rig *rig, const char *method, const char *path);
/* Whether the head has that line. */
bool sgt_get_has_line(const struct sgt_get *get, const char *line);

#endif
