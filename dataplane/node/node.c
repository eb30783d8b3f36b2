#include "dataplane/node/node.h"

#include "base/alloc.h"
#include "base/config_keep.h"
#include "base/log.h"
#include "base/secret.h"
#include "dataplane/engine/limits.h"
#include "dataplane/gate/grants.h"
#include "dataplane/gate/viewers.h"
#include "dataplane/node/load.h"
#include "dataplane/node/paths.h"
#include "dataplane/node/rights.h"
#include "dataplane/node/thread.h"
#include "dataplane/node/trust.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/sys/uring.h"
#include "dataplane/tls/ctx.h"
#include "dataplane/tls/ktls.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define RETIRED_MAX      16 /* snapshots that some exchange may still use */
#define FETCH_THREADS    2u
#define MAIL_MESSAGES    1024u
#define SEND_TRIES       5000 /* of a millisecond: a worker that took no mail so long is stuck */
#define TRY_PAUSE_NS     1000000l
#define LET_GO_TRIES     1000 /* of a millisecond, for workers to leave listeners; later, by tick */
#define DRAIN_SLACK_NS   (3 * SG_NS_PER_SEC) /* for what was cut to end in order */
#define GIVE_UP_NS       (5 * SG_NS_PER_SEC)
#define DISK_TRIES       10000 /* of a millisecond, for another process to give the disk up */
#define WORKERS_MAIL_LOW 256u  /* rings grow with the square of the threads */

struct sgd_node {
    struct sgd_trust *trust; /* NULL: any configuration is taken */
    char file[PATH_MAX];
    struct sgd_snapshot *snapshot; /* our reference */
    struct sgd_snapshot *retired[RETIRED_MAX];
    uint32_t retired_count;
    uint32_t workers;
    uint16_t volume_mail_id, fetch_mail_id, grants_mail_id, control_mail_id;
    int lock_fd, disk_lock_fd;
    bool follows;      /* another process still has what this one takes over */
    bool deaf;         /* nobody can connect */
    bool locked;       /* run_dir is ours */
    bool without_disk; /* the disk tier is not */
    bool gives_up_disk;
    bool draining;
    uint64_t drain_end_ns; /* monotonic: nothing is waited for after it */
    uint64_t started_ns, loaded_ns;
    struct sgd_listen *listen;
    struct sgd_listen *listen_before; /* until no worker uses what only this one has; or NULL */
    struct sgd_limits *limits;
    struct sgd_viewers *viewers;
    struct sg_mail *mail;
    struct sge_state *state;
    struct sge_content *content;
    struct sge_purges *purges;
    struct sge_reqlog *reqlog;
    struct sge_statsfile *stats;
    struct sgd_fetchers *fetchers;
    struct sgd_grants *grants;
    struct sgd_thread *threads;
    enum sg_err ktls;
};

/* ---- opening ---- */

/* The cores that this process may use. */
static uint32_t cores_allowed(int cores[CPU_SETSIZE])
{
    cpu_set_t set;
    uint32_t count = 0;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 0;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, &set))
            cores[count++] = i;
    return count;
}

static uint32_t workers_wanted(const struct sg_config *config)
{
    int cores[CPU_SETSIZE];
    uint32_t count = config->node.workers != 0 ? config->node.workers : cores_allowed(cores);
    count = SG_MIN(count, (uint32_t)SGE_WORKERS_MAX);
    return SG_MAX(count, 1u);
}

/* For as long as the process lives. SG_EBUSY: another process has it. */
static enum sg_err lock_take(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0 ? SG_OK : SG_EBUSY;
}

/* On SG_EBUSY, too, *fd is the caller's: to try again. */
static enum sg_err lock_open(const char *dir, const char *name, int *fd)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return SG_EMSGSIZE;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return *fd < 0 ? sg_err_from_errno(errno) : lock_take(*fd);
}

/* One node a run_dir: two would overwrite each other's ring, counters and socket. */
static enum sg_err node_lock(struct sgd_node *node, const struct sg_config *config,
                             struct sg_out *report)
{
    const char *run_dir = config->node.run_dir;
    enum sg_err err = lock_open(run_dir, "lock", &node->lock_fd);
    if (err == SG_OK)
        err = sgd_rights_give(config, node->lock_fd);
    if (err == SG_EBUSY && node->follows)
        return SG_OK; /* sgd_node_tick() takes it when its holder is gone */
    if (err == SG_EBUSY)
        sg_out_fmt(report, "node.run_dir: another node runs on %s\n", run_dir);
    else if (err != SG_OK)
        sg_out_fmt(report, "node.run_dir: %s/lock: %s\n", run_dir, sg_err_text(err));
    node->locked = err == SG_OK;
    return err;
}

/* One node a disk tier: two would write over each other's objects. */
static enum sg_err node_lock_disk(struct sgd_node *node, const struct sg_config *config,
                                  struct sg_out *report)
{
    if (config->cache.disk_path == NULL || node->deaf)
        return SG_OK;
    enum sg_err err = lock_open(config->node.state_dir, "disk.lock", &node->disk_lock_fd);
    /* A slow disk: its holder serves on meanwhile, and lets go as soon as what waited is written.
     */
    const struct timespec pause = {0, TRY_PAUSE_NS};
    for (int tries = 0; err == SG_EBUSY && node->follows && tries < DISK_TRIES; tries++) {
        nanosleep(&pause, NULL);
        err = lock_take(node->disk_lock_fd);
    }
    if (err == SG_EBUSY && node->follows) {
        sg_warn("disk tier: the process that this one takes over from still has it: RAM only "
                "until the next start");
        node->without_disk = true;
        return SG_OK;
    }
    if (err != SG_OK)
        sg_out_fmt(report, "cache.disk_path: %s\n",
                   err == SG_EBUSY ? "another node uses it" : sg_err_text(err));
    return err;
}

static enum sg_err node_dirs(struct sgd_node *node, const struct sg_config *config,
                             struct sg_out *report)
{
    const char *const dirs[] = {config->node.state_dir, config->node.run_dir};
    const char *const keys[] = {"node.state_dir", "node.run_dir"};
    for (size_t i = 0; i < SG_COUNT(dirs); i++) {
        enum sg_err err = sgd_rights_make_dir(config, dirs[i]);
        if (err != SG_OK) {
            sg_out_fmt(report, "%s: %s: %s\n", keys[i], dirs[i], sg_err_text(err));
            return err;
        }
    }
    return node_lock(node, config, report);
}

/* The first sockets, or those of a reload. */
static enum sg_err listen_open(const struct sgd_node *node, const struct sg_config *config,
                               struct sg_out *report, struct sgd_listen **out)
{
    struct sg_config open = *config; /* borrowed, but for how many listeners there are */
    if (node->deaf)
        open.listeners_count = 0;
    return node->listen == NULL ? sgd_listen_open(&open, node->workers, report, out)
                                : sgd_listen_next(node->listen, &open, report, out);
}

/* What needs the rights the process was started with. */
static enum sg_err node_open_privileged(struct sgd_node *node, const struct sg_config *config,
                                        struct sg_out *report)
{
    sgd_rights_raise_limits(config, node->workers);
    enum sg_err err = sgd_rights_check_memory(config, report);
    if (err == SG_OK)
        err = node_dirs(node, config, report);
    if (err == SG_OK)
        err = listen_open(node, config, report, &node->listen);
    if (err != SG_OK)
        return err;
    err = sgd_rights_drop(config, node->listen);
    if (err != SG_OK)
        sg_out_fmt(report, "node.user: cannot become \"%s\": %s\n", config->node.user,
                   sg_err_text(err));
    return err;
}

static enum sg_err node_open_state(struct sgd_node *node, const struct sg_config *config,
                                   struct sg_out *report)
{
    enum sg_err err = sge_state_open(config->node.state_dir, true, &node->state);
    if (err != SG_OK)
        sg_out_fmt(report, "node.state_dir: %s: %s\n", config->node.state_dir, sg_err_text(err));
    if (err == SG_OK)
        err = sge_purges_open(node->state, node->workers, &node->purges);
    if (err == SG_OK)
        err = sgd_grants_open(node->mail, node->state, node->grants_mail_id,
                              config->gate.verify_threads, &node->grants);
    return err;
}

static enum sg_err node_open_log(struct sgd_node *node, const struct sg_config *config,
                                 struct sg_out *report)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/requests.ring", config->node.run_dir);
    enum sg_err err =
        sge_reqlog_create(path, node->workers, config->log.ring_records, &node->reqlog);
    if (err == SG_OK) {
        snprintf(path, sizeof(path), "%s/counters", config->node.run_dir);
        err = sge_statsfile_create(path, node->workers, &node->stats);
    }
    if (err != SG_OK)
        sg_out_fmt(report, "%s: %s\n", path, sg_err_text(err));
    return err;
}

static enum sg_err node_open_content(struct sgd_node *node, const struct sg_config *config,
                                     struct sg_out *report)
{
    const struct sge_content_conf conf = {
        .ram_bytes = config->cache.ram_bytes,
        .hugepages = config->cache.hugepages,
        .slice_bytes = config->cache.slice_bytes,
        .disk_path = node->without_disk ? NULL : config->cache.disk_path,
        .disk_bytes = config->cache.disk_bytes,
        .disk_second_hit = config->cache.disk_second_hit,
        .index_dir = config->node.state_dir,
        .workers = node->workers,
        .mail = node->mail,
        .volume_mail_id = node->volume_mail_id,
    };
    enum sg_err err = sge_content_open(&conf, &node->content);
    if (err != SG_OK) {
        sg_out_fmt(report, "cache: the store could not be opened: %s\n", sg_err_text(err));
        return err;
    }
    for (uint32_t i = 0; i < config->tenants_count; i++)
        if (!sge_content_share(node->content, sge_tenant_id(sg_str_from(config->tenants[i].name)),
                               config->tenants[i].cache_share_percent))
            sg_warn("tenant %s: too many tenants for shares: it competes with all others",
                    config->tenants[i].name);
    return SG_OK;
}

static enum sg_err node_open_mail(struct sgd_node *node, const struct sg_config *config)
{
    node->volume_mail_id = (uint16_t)node->workers;
    node->fetch_mail_id = (uint16_t)(node->volume_mail_id + SGE_VOLUME_MAILS);
    node->grants_mail_id = (uint16_t)(node->fetch_mail_id + FETCH_THREADS);
    node->control_mail_id =
        (uint16_t)(node->grants_mail_id + config->gate.verify_threads + SGD_GRANTS_ASKERS);
    uint32_t messages = node->workers <= 16 ? MAIL_MESSAGES : WORKERS_MAIL_LOW;
    enum sg_err err = sg_mail_open(node->control_mail_id + 1u, messages, &node->mail);
    if (err == SG_OK)
        err = sgd_fetchers_open(node->mail, node->fetch_mail_id, FETCH_THREADS, &node->fetchers);
    if (err == SG_OK)
        err = sgd_limits_open(&node->limits);
    if (err == SG_OK)
        err = sgd_viewers_open(&node->viewers);
    return err;
}

static void thread_prepare(struct sgd_node *node, uint16_t i, sem_t *ready, int core)
{
    struct sgd_thread *thread = &node->threads[i];
    struct sge_arena_view arena;
    sge_content_arena(node->content, &arena);
    thread->arena = (struct sgd_region){arena.base, arena.bytes, arena.fd};
    thread->core = core;
    thread->ready = ready;
    thread->listeners = sgd_listen_worker(node->listen, i, &thread->listeners_count);
    thread->worker = (struct sgd_worker){
        .id = i,
        .workers_count = (uint16_t)node->workers,
        .mail = node->mail,
        .snapshot = node->snapshot,
        .engine_ops = &sgd_engine_uring,
        .content = node->content,
        .shard = sge_content_shard(node->content, i),
        .state = node->state,
        .purges = node->purges,
        .reqlog = node->reqlog,
        .stats = sge_statsfile_worker(node->stats, i),
        .fetchers = node->fetchers,
        .grants = node->grants,
        .limits = node->limits,
        .viewers = node->viewers,
    };
}

/* Starts all, then waits for all: they open at the same time. */
static enum sg_err node_start_workers(struct sgd_node *node, struct sg_out *report)
{
    const struct sg_config *config = node->snapshot->config;
    int cores[CPU_SETSIZE];
    uint32_t core_count = config->node.pin_workers ? cores_allowed(cores) : 0, started = 0;
    enum sg_err err = SG_OK;
    sem_t ready;
    if (sem_init(&ready, 0, 0) != 0)
        return sg_err_from_errno(errno);
    for (uint16_t i = 0; i < node->workers && err == SG_OK; i++) {
        thread_prepare(node, i, &ready, i < core_count ? cores[i] : -1);
        err = sgd_thread_start(&node->threads[i]);
        started += err == SG_OK;
    }
    for (uint32_t i = 0; i < started; i++)
        while (sem_wait(&ready) != 0)
            continue;
    sem_destroy(&ready);
    for (uint32_t i = 0; i < started && err == SG_OK; i++) {
        err = node->threads[i].opened;
        if (err != SG_OK)
            sg_out_fmt(report, "worker %u: %s could not be opened: %s\n", i,
                       node->threads[i].failed_at, sg_err_text(err));
    }
    return err;
}

static enum sg_err node_check_kernel(struct sg_out *report)
{
    struct sgd_ring *ring = NULL;
    enum sg_err err = sgd_ring_open(8, &ring);
    sgd_ring_close(ring);
    if (err != SG_OK)
        sg_out_fmt(report,
                   "io_uring: %s: the kernel must be 6.1 or later, and allow it "
                   "(sysctl kernel.io_uring_disabled=0, no seccomp filter)\n",
                   sg_err_text(err));
    return err;
}

static enum sg_err node_check_ktls(const struct sgd_node *node, const struct sg_config *config,
                                   struct sg_out *report)
{
    for (uint32_t i = 0; i < config->listeners_count; i++) {
        const struct sg_conf_tls *tls = config->listeners[i].tls;
        if (node->ktls == SG_OK || tls == NULL || tls->ktls != SG_CONF_KTLS_ON)
            continue;
        sg_out_fmt(report,
                   "listeners[%u].tls.ktls: on, but this kernel has none (%s): load the "
                   "module tls, or set auto\n",
                   i, sg_err_text(node->ktls));
        return SG_ENOTSUP;
    }
    return SG_OK;
}

static enum sg_err node_open_all(struct sgd_node *node, struct sg_config *config,
                                 struct sg_out *report)
{
    node->workers = node->deaf ? 1 : workers_wanted(config);
    node->ktls = sgd_ktls_probe();
    enum sg_err err = node_check_kernel(report);
    if (err == SG_OK)
        err = node_check_ktls(node, config, report);
    if (err == SG_OK)
        err = node_open_privileged(node, config, report);
    if (err == SG_OK)
        err = node_open_mail(node, config);
    if (err == SG_OK)
        err = node_open_state(node, config, report);
    if (err == SG_OK)
        err = node_open_log(node, config, report);
    if (err == SG_OK)
        err = node_lock_disk(node, config, report);
    if (err == SG_OK)
        err = node_open_content(node, config, report);
    if (err != SG_OK) {
        sg_config_free(config);
        return err;
    }
    err = sgd_load_snapshot(node->file, config, node->fetchers, NULL, report, &node->snapshot);
    if (err == SG_OK)
        err = sgd_load_write_names(node->snapshot);
    if (err == SG_OK)
        err = node_start_workers(node, report);
    return err;
}

static void node_tell_paths(const struct sgd_node *node)
{
    struct sgd_node_view view;
    sgd_node_view(node, &view);
    for (uint32_t i = 0; i < SGD_NODE_PATHS; i++)
        sg_log(view.paths[i].fallback ? SG_LOG_WARN : SG_LOG_INFO, "%s: %s%s%s", view.paths[i].what,
               view.paths[i].used, view.paths[i].fallback ? ": " : "", view.paths[i].why);
}

static struct sgd_node *node_make(const char *file, const struct sgd_node_start *how)
{
    struct sgd_node *node = sg_boot_alloc(sizeof(*node));
    if (node == NULL)
        return NULL;
    node->lock_fd = node->disk_lock_fd = -1;
    node->follows = how->follows;
    node->deaf = how->deaf;
    node->without_disk = how->deaf;
    node->started_ns = node->loaded_ns = sg_clock_wall_ns();
    node->threads = sg_boot_alloc_array(SGE_WORKERS_MAX, sizeof(*node->threads));
    bool ok = node->threads != NULL && realpath(file, node->file) != NULL;
    if (ok)
        return node;
    sgd_node_close(node);
    return NULL;
}

static void apply_log_level(const struct sg_config *config)
{
    static const struct {
        const char *name;
        enum sg_log_level level;
    } levels[] = {{"error", SG_LOG_ERROR},
                  {"warning", SG_LOG_WARN},
                  {"info", SG_LOG_INFO},
                  {"debug", SG_LOG_DEBUG}};
    for (size_t i = 0; i < SG_COUNT(levels); i++)
        if (strcmp(config->log.level, levels[i].name) == 0)
            sg_log_set_level(levels[i].level);
}

enum sg_err sgd_node_open(const char *file, const struct sgd_node_start *how, struct sg_out *report,
                          struct sgd_node **out)
{
    SG_ASSERT(file != NULL && report != NULL);
    SG_ASSERT(how != NULL && out != NULL);
    struct sg_config *config = NULL;
    struct sgd_trust *trust = NULL;
    enum sg_err err = sgd_trust_open(how->trust_file, report, &trust);
    if (err == SG_OK)
        err = sgd_trust_load(trust, file, report, &config);
    if (err == SG_OK)
        err = sg_secret_unlock(config->node.seal_key, report);
    struct sgd_node *node = err == SG_OK ? node_make(file, how) : NULL;
    if (node == NULL) {
        sgd_trust_close(trust);
        sg_config_free(config);
        return err == SG_OK ? SG_ENOMEM : err;
    }
    node->trust = trust;
    apply_log_level(config);
    err = node_open_all(node, config, report);
    if (err == SG_OK)
        err = sgd_trust_keep(node->trust, node->snapshot->config, report);
    if (err == SG_OK) {
        node_tell_paths(node);
        *out = SG_TAKE(node);
    }
    sgd_node_close(node);
    return err;
}

/* ---- steering ---- */

/* To every worker that still runs. A full ring is waited for: control may block, a worker does not
 * stop reading its mail. */
static void node_tell(struct sgd_node *node, const struct sg_msg *msg)
{
    const struct timespec pause = {0, TRY_PAUSE_NS};
    for (uint16_t i = 0; i < node->workers; i++) {
        const struct sgd_thread *thread = &node->threads[i];
        if (!thread->started || thread->opened != SG_OK)
            continue;
        int tries = 0;
        while (!sg_mail_send(node->mail, node->control_mail_id, i, msg)) {
            SG_ASSERT(tries++ < SEND_TRIES);
            nanosleep(&pause, NULL);
        }
    }
}

static void node_give_up_disk(struct sgd_node *node, uint64_t patience_ns)
{
    if (node->disk_lock_fd < 0 || !sge_content_give_up_disk(node->content, patience_ns))
        return;
    close(node->disk_lock_fd);
    node->disk_lock_fd = -1;
}

void sgd_node_give_up_disk(struct sgd_node *node)
{
    node->gives_up_disk = true;
    node_give_up_disk(node, GIVE_UP_NS);
}

void sgd_node_drain(struct sgd_node *node)
{
    if (node->draining)
        return;
    node->draining = true;
    uint64_t cut_ns = sg_clock_mono_ns() + node->snapshot->config->node.drain_s * SG_NS_PER_SEC;
    node->drain_end_ns = cut_ns + DRAIN_SLACK_NS;
    const struct sg_msg msg = {.type = SGD_MSG_DRAIN, .arg64 = cut_ns};
    node_tell(node, &msg);
}

bool sgd_node_draining(const struct sgd_node *node)
{
    return node->draining;
}

static uint32_t node_running(const struct sgd_node *node)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < node->workers; i++)
        running += node->threads[i].started && !atomic_load(&node->threads[i].ended);
    return running;
}

/* A socket that nobody accepts from must not take connections: viewers would wait in it. A process
 * that took over has its own descriptors of it. */
static void node_close_listeners(struct sgd_node *node)
{
    for (uint32_t i = 0; i < node->workers; i++)
        if (!atomic_load_explicit(&node->threads[i].worker.deaf, memory_order_acquire))
            return;
    sgd_listen_close_but(SG_TAKE(node->listen_before), node->listen);
    sgd_listen_close(SG_TAKE(node->listen));
}

bool sgd_node_drained(struct sgd_node *node)
{
    if (!node->draining)
        return false;
    if (node->listen != NULL)
        node_close_listeners(node);
    for (uint32_t i = 0; i < node->workers; i++)
        if (!atomic_load_explicit(&node->threads[i].worker.quiet, memory_order_acquire))
            return sg_clock_mono_ns() >= node->drain_end_ns;
    return true;
}

/* Frees those that only we still hold, so that no worker ever frees one. */
static void node_sweep(struct sgd_node *node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->retired_count; i++) {
        struct sgd_snapshot *snapshot = node->retired[i];
        if (atomic_load_explicit(&snapshot->refs, memory_order_acquire) == 1)
            sgd_snapshot_unref(snapshot);
        else
            node->retired[kept++] = snapshot;
    }
    node->retired_count = kept;
}

/* Closes the sockets that a reload took away, once no worker uses them. */
static void node_let_go(struct sgd_node *node)
{
    if (node->listen_before == NULL)
        return;
    for (uint32_t i = 0; i < node->workers; i++)
        if (atomic_load_explicit(&node->threads[i].worker.listens_by, memory_order_acquire) !=
            node->snapshot->serial)
            return;
    sgd_listen_close_but(node->listen_before, node->listen);
    node->listen_before = NULL;
}

static void node_switch(struct sgd_node *node, struct sgd_snapshot *snapshot,
                        struct sgd_listen *listen)
{
    const struct timespec pause = {0, TRY_PAUSE_NS};
    const struct sg_msg msg = {.type = SGD_MSG_SNAPSHOT, .ptr = {snapshot, listen}};
    for (uint32_t i = 0; i < node->workers; i++)
        sgd_snapshot_ref(snapshot); /* each worker's own */
    node_tell(node, &msg);
    node->retired[node->retired_count++] = node->snapshot;
    node->snapshot = snapshot;
    node->listen_before = SG_TAKE(node->listen);
    node->listen = listen;
    node->loaded_ns = sg_clock_wall_ns();
    apply_log_level(snapshot->config);
    node_let_go(node);
    for (int tries = 0; node->listen_before != NULL && tries < LET_GO_TRIES; tries++) {
        nanosleep(&pause, NULL);
        node_let_go(node);
    }
}

/* At start what can't be read closes its sites, and the rest is served; a file that is new need not
 * come that far. */
static bool gate_is_worse(const struct sgd_snapshot *snapshot, const struct sg_out *report,
                          size_t before)
{
    return report->len > before && sgd_gate_unreadable(snapshot->gate) > 0;
}

/* Takes `config`. */
static enum sg_err node_take(struct sgd_node *node, struct sg_config *config, struct sg_out *report)
{
    struct sgd_snapshot *snapshot = NULL;
    struct sgd_listen *listen = NULL;
    size_t before = report->len;
    enum sg_err err =
        sgd_load_snapshot(node->file, config, node->fetchers, node->snapshot, report, &snapshot);
    if (err != SG_OK)
        return err;
    err = gate_is_worse(snapshot, report, before) ? SG_ECONFIG : SG_OK;
    if (err == SG_OK)
        err = sgd_trust_keep(node->trust, config, report);
    if (err == SG_OK) /* the last that can fail, for it is seen from outside */
        err = listen_open(node, config, report, &listen);
    if (err != SG_OK) {
        sgd_snapshot_unref(snapshot);
        return err;
    }
    if (sgd_load_write_names(snapshot) != SG_OK)
        sg_warn("the names for readers of the log could not be written");
    node_switch(node, snapshot, listen);
    return SG_OK;
}

enum sg_err sgd_node_reload(struct sgd_node *node, struct sg_out *report)
{
    SG_ASSERT(node != NULL && report != NULL);
    struct sg_config *config = NULL;
    node_sweep(node);
    if (node->draining || node->retired_count == RETIRED_MAX || node->listen_before != NULL) {
        sg_out_fmt(report, node->draining ? "the node is draining\n"
                                          : "too many configurations are still in use by "
                                            "requests under way: try again later\n");
        return SG_EBUSY;
    }
    enum sg_err err = sgd_trust_load(node->trust, node->file, report, &config);
    if (err != SG_OK)
        return err;
    err = node_check_ktls(node, config, report);
    if (err == SG_OK)
        err = sg_conf_keep_fixed(node->snapshot->config, config, report);
    if (err == SG_OK)
        err = sg_secret_unlock(config->node.seal_key, report);
    if (err != SG_OK) {
        sg_config_free(config);
        return err;
    }
    err = node_take(node, config, report);
    sg_secret_settle(err == SG_OK);
    return err;
}

void sgd_node_tick(struct sgd_node *node)
{
    uint64_t wall_ns = sg_clock_wall_ns();
    node_sweep(node);
    node_let_go(node);
    if (!node->locked)
        node->locked = lock_take(node->lock_fd) == SG_OK;
    if (node->gives_up_disk)
        node_give_up_disk(node, 0);
    const struct sgd_snapshot *snapshot = node->snapshot;
    for (uint32_t i = 0; i < snapshot->config->listeners_count; i++)
        if (snapshot->tls[i] != NULL)
            sgd_tls_ctx_tick(snapshot->tls[i], wall_ns);
}

enum sg_err sgd_node_check(const char *file, const char *trust_file, struct sg_out *report)
{
    struct sg_config *config = NULL;
    struct sgd_snapshot *snapshot = NULL;
    struct sgd_trust *trust = NULL;
    enum sg_err err = sgd_trust_open(trust_file, report, &trust);
    if (err == SG_OK)
        err = sgd_trust_load(trust, file, report, &config);
    sgd_trust_close(trust);
    if (err == SG_OK) {
        err = sg_secret_unlock(config->node.seal_key, report);
        if (err != SG_OK)
            sg_config_free(config);
    }
    if (err == SG_OK)
        err = sgd_load_snapshot(file, config, NULL, NULL, report, &snapshot);
    if (err == SG_OK && gate_is_worse(snapshot, report, 0))
        err = SG_ECONFIG;
    if (snapshot != NULL)
        sgd_snapshot_unref(snapshot);
    sg_secret_rest();
    return err;
}

void sgd_node_set_onchain(struct sgd_node *node, const struct sgd_onchain *onchain)
{
    sgd_grants_set_onchain(node->grants, onchain);
}

/* ---- closing ---- */

static void node_stop_workers(struct sgd_node *node)
{
    const struct sg_msg msg = {.type = SGD_MSG_STOP};
    if (node->mail != NULL)
        node_tell(node, &msg);
    for (uint32_t i = 0; node->threads != NULL && i < node->workers; i++)
        sgd_thread_join(&node->threads[i]);
}

/* No worker runs: a reference that is left is that of something that was cut. */
static void node_end_snapshot(struct sgd_snapshot *snapshot)
{
    while (atomic_load(&snapshot->refs) > 1)
        sgd_snapshot_unref(snapshot);
    sgd_snapshot_unref(snapshot);
}

void sgd_node_close(struct sgd_node *node)
{
    if (node == NULL)
        return;
    node_stop_workers(node);
    sgd_grants_close(node->grants);
    for (uint32_t i = 0; i < node->retired_count; i++)
        node_end_snapshot(node->retired[i]);
    if (node->snapshot != NULL)
        node_end_snapshot(node->snapshot);
    sgd_fetchers_close(node->fetchers);
    for (uint32_t i = 0; node->threads != NULL && i < node->workers; i++)
        sgd_thread_fini(&node->threads[i]);
    sge_content_close(node->content);
    sge_purges_close(node->purges);
    sge_state_close(node->state);
    sge_reqlog_close(node->reqlog);
    sge_statsfile_close(node->stats);
    sg_mail_close(node->mail);
    sgd_limits_close(node->limits);
    sgd_viewers_close(node->viewers);
    sgd_listen_close_but(node->listen_before, node->listen);
    sgd_listen_close(node->listen);
    if (node->disk_lock_fd >= 0)
        close(node->disk_lock_fd);
    if (node->lock_fd >= 0)
        close(node->lock_fd);
    sg_boot_free(node->threads);
    sgd_trust_close(node->trust);
    sg_boot_free(node);
}

/* ---- showing ---- */

void sgd_node_view(const struct sgd_node *node, struct sgd_node_view *out)
{
    SG_ASSERT(node != NULL && out != NULL);
    *out = (struct sgd_node_view){
        .file = node->file,
        .snapshot = node->snapshot,
        .retired = node->retired,
        .retired_count = node->retired_count,
        .state = node->state,
        .stats = node->stats,
        .reqlog = node->reqlog,
        .listen = node->listen,
        .content = node->content,
        .started_ns = node->started_ns,
        .loaded_ns = node->loaded_ns,
        .workers = node->workers,
        .workers_running = node_running(node),
        .deaf = node->deaf,
        .paths = {{"engine", sgd_engine_uring.name, false, ""},
                  sgd_path_arena(node->content, node->snapshot->config),
                  sgd_path_disk(node->content,
                                !node->deaf && node->snapshot->config->cache.disk_path != NULL),
                  sgd_path_state(node->state),
                  sgd_path_secrets(),
                  sgd_path_config(node->trust),
                  sgd_path_ktls(node->ktls),
                  sgd_path_crypto(node->threads[0].crypto)},
    };
}
