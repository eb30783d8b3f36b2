#include "controlplane/admin/metrics.h"

#include "base/clock.h"
#include "dataplane/gate/grant.h"
#include "dataplane/node/recordjson.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/tls/ctx.h"

#define URLS_MAX 64

static void head(struct sg_out *out, const char *name, const char *kind, const char *help)
{
    sg_out_fmt(out, "# HELP streamgate_%s %s\n# TYPE streamgate_%s %s\n", name, help, name, kind);
}

/* A label's value: backslash, quote and newline escaped. */
static void label(struct sg_out *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            sg_out_char(out, '\\');
        if (*value == '\n')
            sg_out_lit(out, "\\n");
        else
            sg_out_char(out, *value);
    }
}

static uint64_t value_of(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static bool in_ns(struct sg_str name)
{
    return name.len > 3 && memcmp(name.ptr + name.len - 3, "_ns", 3) == 0;
}

/* As Prometheus names things: times in seconds, counters with _total. */
static void stat_name(enum sge_stat stat, struct sg_out *out)
{
    struct sg_str name = sg_str_from(sge_stat_name(stat));
    bool ns = in_ns(name);
    sg_out_lit(out, "streamgate_");
    sg_out_str(out, (struct sg_str){name.ptr, name.len - (ns ? 3 : 0)});
    if (ns)
        sg_out_lit(out, "_seconds");
    if (!sge_stat_is_gauge(stat))
        sg_out_lit(out, "_total");
    sg_out_char(out, '\0');
}

static void write_stat(const struct sgd_node_view *view, enum sge_stat stat, struct sg_out *out)
{
    char name[64];
    struct sg_out name_out = sg_out_init(name, sizeof(name));
    bool ns = in_ns(sg_str_from(sge_stat_name(stat)));
    stat_name(stat, &name_out);
    SG_ASSERT(!name_out.full);
    sg_out_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, sge_stat_help(stat), name,
               sge_stat_is_gauge(stat) ? "gauge" : "counter");
    for (uint32_t w = 0; w < view->workers; w++) {
        uint64_t value = value_of(&sge_statsfile_worker(view->stats, w)->value[stat]);
        sg_out_fmt(out, "%s{worker=\"%u\"} ", name, w);
        if (ns)
            sg_out_fmt(out, "%.6f\n", (double)value / 1e9);
        else
            sg_out_fmt(out, "%llu\n", (unsigned long long)value);
    }
}

static void write_stats(const struct sgd_node_view *view, struct sg_out *out)
{
    for (int i = 0; i < SGE_STAT_COUNT; i++)
        write_stat(view, (enum sge_stat)i, out);
}

static uint64_t sum_close(const struct sgd_node_view *view, int reason)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < view->workers; w++)
        sum += value_of(&sge_statsfile_worker(view->stats, w)->close[reason]);
    return sum;
}

static uint64_t sum_gate(const struct sgd_node_view *view, int verdict)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < view->workers; w++)
        sum += value_of(&sge_statsfile_worker(view->stats, w)->gate[verdict]);
    return sum;
}

static uint64_t sum_grant(const struct sgd_node_view *view, int verdict)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < view->workers; w++)
        sum += value_of(&sge_statsfile_worker(view->stats, w)->grant[verdict]);
    return sum;
}

static void write_reasons(const struct sgd_node_view *view, struct sg_out *out)
{
    head(out, "close_total", "counter", "Connections and requests that ended, by reason.");
    for (int i = 0; i < SGD_CLOSE_COUNT; i++)
        sg_out_fmt(out, "streamgate_close_total{reason=\"%s\"} %llu\n",
                   sgd_close_name((enum sgd_close)i), (unsigned long long)sum_close(view, i));
    head(out, "gate_total", "counter", "Verdicts of the gate.");
    for (int i = 0; i < SGD_GATE_COUNT; i++)
        sg_out_fmt(out, "streamgate_gate_total{verdict=\"%s\"} %llu\n",
                   sgd_record_verdict((enum sgd_gate_verdict)i),
                   (unsigned long long)sum_gate(view, i));
    head(out, "grants_total", "counter", "Sign-ins and renewals, by what became of them.");
    for (int i = 0; i < SGD_GRANT_VERDICTS; i++)
        sg_out_fmt(out, "streamgate_grants_total{verdict=\"%s\"} %llu\n",
                   sgd_grant_name((enum sgd_grant_verdict)i),
                   (unsigned long long)sum_grant(view, i));
}

/* One histogram of each worker's block. */
typedef const _Atomic uint64_t *row_of(const struct sge_stats *stats);

static const _Atomic uint64_t *row_ttfb(const struct sge_stats *stats)
{
    return stats->ttfb_us_log2;
}

static const _Atomic uint64_t *row_grant(const struct sge_stats *stats)
{
    return stats->grant_us_log2;
}

/* Bucket i holds what took 2^i to 2^(i+1) - 1 us. */
static void write_histogram(const struct sgd_node_view *view, struct sg_out *out, const char *name,
                            const char *help, row_of *row)
{
    uint64_t total = 0;
    double sum_s = 0;
    head(out, name, "histogram", help);
    for (int i = 0; i < 32; i++) {
        uint64_t here = 0;
        for (uint32_t w = 0; w < view->workers; w++)
            here += value_of(&row(sge_statsfile_worker(view->stats, w))[i]);
        total += here;
        sum_s += (double)here * 1.5e-6 * (double)(1ull << i); /* by the buckets' middles */
        if (i < 31)
            sg_out_fmt(out, "streamgate_%s_bucket{le=\"%.6f\"} %llu\n", name,
                       1e-6 * (double)(1ull << (i + 1)), (unsigned long long)total);
    }
    sg_out_fmt(out, "streamgate_%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)total);
    sg_out_fmt(out, "streamgate_%s_sum %.6f\nstreamgate_%s_count %llu\n", name, sum_s, name,
               (unsigned long long)total);
}

static void write_url(const char *name, const char *origin, const char *url, double value,
                      struct sg_out *out)
{
    sg_out_fmt(out, "streamgate_origin_%s{origin=\"%s\",url=\"", name, origin);
    label(out, url);
    sg_out_fmt(out, "\"} %.6g\n", value);
}

static void write_origin_row(const struct sgd_node_view *view, const char *name, const char *kind,
                             const char *help, double (*value)(const struct sgd_url_status *),
                             struct sg_out *out)
{
    const struct sg_config *config = view->snapshot->config;
    sg_out_fmt(out, "# HELP streamgate_origin_%s %s\n# TYPE streamgate_origin_%s %s\n", name, help,
               name, kind);
    for (uint32_t i = 0; i < config->origins_count; i++) {
        struct sgd_url_status urls[URLS_MAX];
        uint32_t count = sgd_pools_status(view->snapshot->pools, i, urls, URLS_MAX);
        for (uint32_t u = 0; u < count; u++)
            write_url(name, config->origins[i].name, urls[u].url, value(&urls[u]), out);
    }
}

static double url_up(const struct sgd_url_status *url)
{
    return url->up;
}

static double url_fetches(const struct sgd_url_status *url)
{
    return (double)url->fetches;
}

static double url_errors(const struct sgd_url_status *url)
{
    return (double)url->errors;
}

static double url_latency(const struct sgd_url_status *url)
{
    return 1e-6 * url->latency_us;
}

static void write_origins(const struct sgd_node_view *view, struct sg_out *out)
{
    write_origin_row(view, "up", "gauge", "1: the URL is used.", url_up, out);
    write_origin_row(view, "url_fetches_total", "counter", "Fetches from the URL.", url_fetches,
                     out);
    write_origin_row(view, "url_errors_total", "counter", "Fetches from the URL that failed.",
                     url_errors, out);
    write_origin_row(view, "latency_seconds", "gauge", "Smoothed time to an answer's head.",
                     url_latency, out);
}

static void write_certificates(const struct sgd_node_view *view, struct sg_out *out)
{
    const struct sgd_snapshot *snapshot = view->snapshot;
    head(out, "certificate_end_time_seconds", "gauge", "When a certificate ends, in Unix time.");
    for (uint32_t i = 0; i < snapshot->config->listeners_count; i++)
        for (uint32_t c = 0; snapshot->tls[i] != NULL && c < sgd_tls_ctx_certs(snapshot->tls[i]);
             c++) {
            struct sgd_tls_cert_info cert;
            sgd_tls_ctx_cert(snapshot->tls[i], c, &cert);
            sg_out_fmt(
                out, "streamgate_certificate_end_time_seconds{listener=\"%s\",index=\"%u\",file=\"",
                snapshot->config->listeners[i].address, c);
            label(out, cert.path);
            sg_out_lit(out, "\",subject=\"");
            label(out, cert.subject);
            sg_out_fmt(out, "\"} %lld\n", (long long)cert.not_after_s);
        }
}

static void write_single(struct sg_out *out, const char *name, const char *help, double value)
{
    head(out, name, "gauge", help);
    sg_out_fmt(out, "streamgate_%s %.15g\n", name, value);
}

static void write_node(const struct sgd_node_view *view, struct sg_out *out)
{
    head(out, "build_info", "gauge", "1, with the version.");
    sg_out_fmt(out, "streamgate_build_info{version=\"%s\"} 1\n", SG_VERSION);
    head(out, "path_info", "gauge", "1 for the way in use; fallback=1: not the best one.");
    for (uint32_t i = 0; i < SGD_NODE_PATHS; i++)
        sg_out_fmt(out, "streamgate_path_info{what=\"%s\",used=\"%s\",fallback=\"%d\"} 1\n",
                   view->paths[i].what, view->paths[i].used, view->paths[i].fallback);
    write_single(out, "start_time_seconds", "When the process started, in Unix time.",
                 (double)view->started_ns / 1e9);
    write_single(out, "config_loaded_time_seconds", "When the configuration was loaded.",
                 (double)view->loaded_ns / 1e9);
    write_single(out, "config_serial", "Configurations loaded since the start.",
                 view->snapshot->serial);
    write_single(out, "sites_unreadable",
                 "Sites closed since a rule, secret or database of theirs can't be read.",
                 sgd_gate_unreadable(view->snapshot->gate));
    write_single(out, "workers_running", "Workers in their loop.", view->workers_running);
    uint64_t fed_ns = sge_state_fed_ns(view->state), now_ns = sg_clock_wall_ns();
    write_single(out, "ownership_feed_age_seconds",
                 "Since the control side last spoke; -1: it never did.",
                 fed_ns == 0       ? -1
                 : now_ns > fed_ns ? (double)(now_ns - fed_ns) / 1e9
                                   : 0);
}

void sgc_metrics_write(const struct sgd_node_view *view, struct sg_out *out)
{
    SG_ASSERT(view != NULL && out != NULL);
    write_node(view, out);
    write_stats(view, out);
    write_reasons(view, out);
    write_histogram(view, out, "ttfb_seconds",
                    "Time from a request's head to the answer's first byte.", row_ttfb);
    write_histogram(view, out, "grant_check_seconds",
                    "Work on a challenge, a grant or a renewal, off the workers.", row_grant);
    write_origins(view, out);
    write_certificates(view, out);
}
