/* sgctl top: rates, once a second, over the whole terminal; colours and the cursor only where there
 * is a terminal. */
#include "base/clock.h"
#include "tools/sgctl/args.h"
#include "tools/sgctl/commands.h"
#include "tools/sgctl/counters.h"
#include "tools/sgctl/names.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PATHS_MAX   512
#define SHOWN       12
#define PATH_BYTES  96
#define BEFORE_PATH 54 /* columns of what stands before a path */

const char sgt_top_usage[] =
    "sgctl top [--count N] [--interval SECONDS]\n"
    "    Rates and the busiest paths, each second or so many, N times or until it is ended. On a\n"
    "    terminal as wide as that is, with colours unless NO_COLOR is set.\n";

/* What was asked for in one interval, by site and path. */
struct row {
    char site[65], path[PATH_BYTES];
    uint64_t requests, bytes, misses, refused;
};

struct top {
    const struct sgt_call *call;
    uint32_t count, interval_s; /* count 0: until ended */
    bool terminal, colours;
    int path_columns; /* what is left of a line for the path */
    struct sge_reqlog *ring;
    struct sge_reqlog_cursor cursor;
    struct sgt_names *names;
    struct row rows[PATHS_MAX];
    uint32_t rows_used;
};

static volatile sig_atomic_t end_asked;

static void on_end(int number)
{
    (void)number;
    end_asked = 1;
}

static struct row *row_of(struct top *top, const char *site, const char *path)
{
    for (uint32_t i = 0; i < top->rows_used; i++)
        if (strcmp(top->rows[i].path, path) == 0 && strcmp(top->rows[i].site, site) == 0)
            return &top->rows[i];
    if (top->rows_used == PATHS_MAX)
        return NULL; /* the long tail: not what top is for */
    struct row *row = &top->rows[top->rows_used++];
    *row = (struct row){0};
    snprintf(row->site, sizeof(row->site), "%s", site);
    snprintf(row->path, sizeof(row->path), "%s", path);
    return row;
}

static void count_record(struct top *top, const struct sge_record *r)
{
    char path[PATH_BYTES];
    struct sgd_record_names names = sgt_names_of(top->names, r);
    size_t len = SG_MIN((size_t)r->path_len, sizeof(path) - 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)r->text[r->host_len + i];
        path[i] = c < ' ' || c >= 0x7f ? '?' : (char)c;
    }
    path[len] = '\0';
    struct row *row = row_of(top, names.site != NULL ? names.site : "-", path);
    if (row == NULL)
        return;
    row->requests++;
    row->bytes += r->sent_bytes;
    row->misses += r->cache == SGE_CACHE_MISS || r->cache == SGE_CACHE_EXPIRED;
    row->refused += r->gate_verdict > SGD_GATE_allowed;
}

static int by_requests(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return (x->requests < y->requests) - (x->requests > y->requests);
}

static double rate(const struct sgt_counters *now, const struct sgt_counters *then,
                   enum sge_stat stat)
{
    double seconds = (double)(now->taken_ns - then->taken_ns) / 1e9;
    return seconds > 0 ? (double)(now->value[stat] - then->value[stat]) / seconds : 0;
}

static double hit_percent(const struct sgt_counters *now, const struct sgt_counters *then)
{
    double hits = rate(now, then, SGE_STAT_cache_hits) + rate(now, then, SGE_STAT_cache_stale);
    double asked = hits + rate(now, then, SGE_STAT_cache_misses) +
                   rate(now, then, SGE_STAT_cache_revalidated) +
                   rate(now, then, SGE_STAT_cache_collapsed);
    return asked > 0 ? 100 * hits / asked : 0;
}

static double busy_percent(const struct sgt_counters *now, const struct sgt_counters *then)
{
    return rate(now, then, SGE_STAT_loop_busy_ns) / 1e7 / SG_MAX(now->workers, 1u);
}

static void print_rates(const struct sgt_counters *now, const struct sgt_counters *then)
{
    printf("requests %9.0f/s   hits %5.1f %%   out %8.3f Gbit/s   from origins %8.3f Gbit/s\n",
           rate(now, then, SGE_STAT_requests), hit_percent(now, then),
           rate(now, then, SGE_STAT_sent_bytes) * 8e-9,
           rate(now, then, SGE_STAT_origin_bytes) * 8e-9);
    printf("2xx %.0f/s  3xx %.0f/s  4xx %.0f/s  5xx %.0f/s   refused %.0f/s   origin errors "
           "%.0f/s\n",
           rate(now, then, SGE_STAT_responses_2xx), rate(now, then, SGE_STAT_responses_3xx),
           rate(now, then, SGE_STAT_responses_4xx), rate(now, then, SGE_STAT_responses_5xx),
           rate(now, then, SGE_STAT_gate_refused), rate(now, then, SGE_STAT_origin_errors));
    printf("connections %llu (%.0f/s new)   workers %u, %.0f %% busy   RAM tier %.1f MiB\n",
           (unsigned long long)now->value[SGE_STAT_connections_open],
           rate(now, then, SGE_STAT_connections_accepted), now->workers, busy_percent(now, then),
           (double)now->value[SGE_STAT_arena_used_bytes] / (1 << 20));
}

static void print_rows(struct top *top)
{
    printf("\n%s%9s %9s %7s %7s  %-16s %s%s\n", top->colours ? "\033[7m" : "", "requests", "MiB",
           "misses", "refused", "site", "path", top->colours ? "\033[0m" : "");
    for (uint32_t i = 0; i < SG_MIN(top->rows_used, (uint32_t)SHOWN); i++) {
        const struct row *row = &top->rows[i];
        printf("%9llu %9.1f %7llu %7llu  %-16s %.*s\n", (unsigned long long)row->requests,
               (double)row->bytes / (1 << 20), (unsigned long long)row->misses,
               (unsigned long long)row->refused, row->site, top->path_columns, row->path);
    }
}

/* One object an interval, on a line of its own. */
static void print_json(struct top *top, const struct sgt_counters *now,
                       const struct sgt_counters *then)
{
    json_t *paths = json_array();
    for (uint32_t i = 0; i < SG_MIN(top->rows_used, (uint32_t)SHOWN); i++) {
        const struct row *row = &top->rows[i];
        json_array_append_new(
            paths,
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "site", row->site, "path", row->path,
                      "requests", (json_int_t)row->requests, "sent_bytes", (json_int_t)row->bytes,
                      "misses", (json_int_t)row->misses, "refused", (json_int_t)row->refused));
    }
    json_t *told = json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:f, s:i, s:f, s:I, s:o}",
        "requests_per_s", rate(now, then, SGE_STAT_requests), "hit_percent", hit_percent(now, then),
        "sent_bytes_per_s", rate(now, then, SGE_STAT_sent_bytes), "origin_bytes_per_s",
        rate(now, then, SGE_STAT_origin_bytes), "responses_2xx_per_s",
        rate(now, then, SGE_STAT_responses_2xx), "responses_3xx_per_s",
        rate(now, then, SGE_STAT_responses_3xx), "responses_4xx_per_s",
        rate(now, then, SGE_STAT_responses_4xx), "responses_5xx_per_s",
        rate(now, then, SGE_STAT_responses_5xx), "refused_per_s",
        rate(now, then, SGE_STAT_gate_refused), "origin_errors_per_s",
        rate(now, then, SGE_STAT_origin_errors), "connections_open",
        (json_int_t)now->value[SGE_STAT_connections_open], "connections_accepted_per_s",
        rate(now, then, SGE_STAT_connections_accepted), "workers", (int)now->workers,
        "busy_percent", busy_percent(now, then), "ram_tier_bytes",
        (json_int_t)now->value[SGE_STAT_arena_used_bytes], "paths", paths);
    json_dumpf(told, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(told);
}

/* A terminal may be made larger or smaller at any time. */
static void look_at_terminal(struct top *top)
{
    const char *no_colour = getenv("NO_COLOR");
    struct winsize size = {0};
    top->terminal = isatty(STDOUT_FILENO) == 1;
    top->colours = top->terminal && (no_colour == NULL || no_colour[0] == '\0');
    top->path_columns = PATH_BYTES;
    if (top->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        top->path_columns = size.ws_col > BEFORE_PATH ? size.ws_col - BEFORE_PATH : 1;
}

static void print_turn(struct top *top, uint32_t turn, const struct sgt_counters *now,
                       const struct sgt_counters *then)
{
    look_at_terminal(top);
    qsort(top->rows, top->rows_used, sizeof(*top->rows), by_requests);
    if (top->call->json) {
        print_json(top, now, then);
    } else {
        fputs(top->terminal ? "\033[H\033[2J" : turn != 0 ? "\n" : "", stdout);
        print_rates(now, then);
        print_rows(top);
    }
    fflush(stdout);
}

static void rows_read(struct top *top, const char *ring_path)
{
    struct sge_record record;
    uint64_t missed = 0;
    if (top->ring != NULL && !sge_reqlog_is_current(top->ring, ring_path)) {
        sge_reqlog_close(top->ring);
        sgt_names_forget(top->names);
        top->ring = NULL;
    }
    if (top->ring == NULL) {
        if (sge_reqlog_open(ring_path, &top->ring) != SG_OK)
            return;
        sge_reqlog_seek(top->ring, &top->cursor, false);
    }
    uint64_t left = 1u << 20; /* writers go on */
    while (left-- > 0 && sge_reqlog_next(top->ring, &top->cursor, &record, &missed))
        count_record(top, &record);
}

static int top_run(struct top *top)
{
    char ring_path[PATH_MAX];
    struct sgt_counters then, now;
    if (snprintf(ring_path, sizeof(ring_path), "%s/requests.ring", top->call->run_dir) >=
        (int)sizeof(ring_path))
        return SGT_USAGE;
    int status = sgt_counters_take(top->call, &then);
    for (uint32_t turn = 0; status == SGT_DONE && !end_asked; turn++) {
        if (top->count != 0 && turn == top->count)
            break;
        rows_read(top, ring_path);
        top->rows_used = 0;
        const struct timespec pause = {top->interval_s, 0};
        nanosleep(&pause, NULL);
        rows_read(top, ring_path);
        status = sgt_counters_take(top->call, &now);
        if (status != SGT_DONE || end_asked)
            break;
        print_turn(top, turn, &now, &then);
        then = now;
    }
    return status;
}

static bool positive(const char *text, uint32_t *out)
{
    uint64_t n;
    if (!sgt_number_read(text, 86400, &n))
        return false;
    if (n == 0)
        return sgt_refuse("0: a number from 1 on was expected"), false;
    *out = (uint32_t)n;
    return true;
}

static bool options_read(struct top *top, int argc, char **argv)
{
    static const struct option options[] = {{"count", required_argument, NULL, 'n'},
                                            {"interval", required_argument, NULL, 'i'},
                                            {NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {{NULL, "", 0, 0, "ni"}};
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), options};
    struct sgt_args args;
    if (sgt_args_read(&syntax, argc, argv, &args) != SGT_DONE)
        return false;
    const char *count = args.of[SGT_OPT('n')], *interval = args.of[SGT_OPT('i')];
    return (count == NULL || positive(count, &top->count)) &&
           (interval == NULL || positive(interval, &top->interval_s));
}

int sgt_top_main(const struct sgt_call *call, int argc, char **argv)
{
    struct top *top = calloc(1, sizeof(*top));
    if (top == NULL)
        return SGT_REFUSED;
    *top = (struct top){.call = call, .interval_s = 1};
    int status = options_read(top, argc, argv) ? SGT_DONE : SGT_USAGE;
    struct sigaction action = {.sa_handler = on_end};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    top->names = sgt_names_open(call->run_dir);
    if (status == SGT_DONE)
        status = top->names != NULL ? top_run(top) : SGT_REFUSED;
    sgt_names_close(top->names);
    sge_reqlog_close(top->ring);
    free(top);
    return status;
}
