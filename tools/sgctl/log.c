/* sgctl log: reads the ring in shared memory. No worker ever waits for it: one that is too slow is
 * told how many requests it missed. */
#include "base/clock.h"
#include "tools/sgctl/args.h"
#include "tools/sgctl/commands.h"
#include "tools/sgctl/names.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES 8192
#define PAUSE_NS   50000000l /* between two looks at an idle ring */

const char sgt_log_usage[] =
    "sgctl log [--follow] [--from-start] [--output FILE]\n"
    "    --follow       go on with requests as they end; otherwise what is in the ring\n"
    "    --from-start   with --follow: begin with what is in the ring\n"
    "    --output FILE  append to FILE, and open it again when it was renamed or on SIGHUP\n"
    "With --json (before log) each line is a JSON object: the access log.\n";

struct log {
    const struct sgt_call *call;
    const char *output; /* NULL: standard output */
    bool follow, from_start;
    char ring_path[PATH_MAX];
    struct sge_reqlog *ring;
    struct sge_reqlog_cursor cursor;
    struct sgt_names *names;
    FILE *to;
    uint64_t missed, missed_told;
};

static volatile sig_atomic_t reopen_asked, end_asked;

static void on_signal(int number)
{
    if (number == SIGHUP)
        reopen_asked = 1;
    else
        end_asked = 1;
}

/* ---- where lines go ---- */

static bool output_open(struct log *log)
{
    if (log->output == NULL) {
        log->to = stdout;
        return true;
    }
    log->to = fopen(log->output, "ae");
    if (log->to == NULL)
        sgt_refuse("%s: %s", log->output, strerrordesc_np(errno));
    return log->to != NULL;
}

/* Renamed away by a rotation, or removed. */
static bool output_moved(const struct log *log)
{
    struct stat here, there;
    return log->output != NULL &&
           (fstat(fileno(log->to), &here) != 0 || stat(log->output, &there) != 0 ||
            here.st_ino != there.st_ino || here.st_dev != there.st_dev);
}

static bool output_keep(struct log *log)
{
    if (!reopen_asked && !output_moved(log))
        return true;
    reopen_asked = 0;
    if (log->output == NULL)
        return true;
    fclose(log->to);
    return output_open(log);
}

/* ---- lines ---- */

static void print_json(const struct log *log, const struct sge_record *record,
                       const struct sgd_record_names *names)
{
    char line[LINE_BYTES];
    struct sg_out out = sg_out_init(line, sizeof(line));
    struct sg_json json = sg_json_init(&out);
    sgd_record_json(record, names, &json, NULL);
    SG_ASSERT(!out.full); /* 512 bytes of text, escaped, and some forty numbers */
    fprintf(log->to, "%.*s\n", (int)out.len, out.ptr);
}

/* What a terminal might take for an instruction is not shown as it is. */
static void print_text_safe(FILE *to, struct sg_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        fputc(c < ' ' || c == 0x7f ? '?' : c, to);
    }
}

static void print_line(const struct log *log, const struct sge_record *r,
                       const struct sgd_record_names *names)
{
    char address[46], when[32];
    time_t seconds = (time_t)(r->start_ns / SG_NS_PER_SEC);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    sgd_record_address(r, address);
    const char *grant = sgd_record_grant(r->grant);
    fprintf(log->to, "%s.%03uZ %016llx %s %s %u %llu %s %s%s %.1fms %s ", when,
            (unsigned)(r->start_ns / SG_NS_PER_MS % 1000), (unsigned long long)r->id, address,
            names->site != NULL ? names->site : "-", r->status, (unsigned long long)r->sent_bytes,
            sgd_record_cache(r->cache), grant != NULL ? "sign-in:" : "",
            grant != NULL ? grant : sgd_record_verdict((enum sgd_gate_verdict)r->gate_verdict),
            (double)r->duration_us / 1000, sgd_record_method(r->method));
    print_text_safe(log->to, (struct sg_str){r->text, r->host_len});
    print_text_safe(log->to, (struct sg_str){r->text + r->host_len, r->path_len});
    fputc('\n', log->to);
}

static void print_record(const struct log *log, const struct sge_record *record)
{
    struct sgd_record_names names = sgt_names_of(log->names, record);
    if (log->call->json)
        print_json(log, record, &names);
    else
        print_line(log, record, &names);
}

static void tell_missed(struct log *log)
{
    if (log->missed == log->missed_told)
        return;
    sgt_refuse("%llu requests were overwritten before they were read",
               (unsigned long long)(log->missed - log->missed_told));
    log->missed_told = log->missed;
}

/* ---- the ring ---- */

static bool ring_open(struct log *log, bool from_start)
{
    enum sg_err err = sge_reqlog_open(log->ring_path, &log->ring);
    if (err == SG_OK)
        sge_reqlog_seek(log->ring, &log->cursor, from_start);
    else
        log->ring = NULL;
    return err == SG_OK;
}

/* A node that was started anew has a ring of its own: all of it is new to us. */
static void ring_keep(struct log *log)
{
    if (log->ring != NULL && sge_reqlog_is_current(log->ring, log->ring_path))
        return;
    sge_reqlog_close(log->ring);
    sgt_names_forget(log->names);
    (void)ring_open(log, true); /* none now: it is tried again */
}

static int log_follow(struct log *log)
{
    const struct timespec pause = {0, PAUSE_NS};
    struct sge_record record;
    while (!end_asked) {
        bool got =
            log->ring != NULL && sge_reqlog_next(log->ring, &log->cursor, &record, &log->missed);
        if (got) {
            print_record(log, &record);
            continue;
        }
        tell_missed(log);
        if (fflush(log->to) != 0)
            return log->output == NULL ? SGT_DONE : SGT_REFUSED; /* nobody reads on */
        nanosleep(&pause, NULL);
        ring_keep(log);
        if (!output_keep(log))
            return SGT_REFUSED;
    }
    return SGT_DONE;
}

static int log_once(struct log *log)
{
    struct sge_record record;
    uint64_t left = 1ull << 30; /* writers go on */
    while (left-- > 0 && sge_reqlog_next(log->ring, &log->cursor, &record, &log->missed))
        print_record(log, &record);
    return fflush(log->to) == 0 ? SGT_DONE : SGT_REFUSED;
}

static int log_options(struct log *log, int argc, char **argv)
{
    static const struct option options[] = {
        {"follow", no_argument, NULL, 'f'},
        {"from-start", no_argument, NULL, 's'},
        {"output", required_argument, NULL, 'o'},
        {NULL, 0, NULL, 0},
    };
    static const struct sgt_verb verbs[] = {{NULL, "", 0, 0, "fso"}};
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), options};
    struct sgt_args args;
    int status = sgt_args_read(&syntax, argc, argv, &args);
    if (status != SGT_DONE)
        return status;
    log->follow = args.of[SGT_OPT('f')] != NULL;
    log->from_start = args.of[SGT_OPT('s')] != NULL;
    log->output = args.of[SGT_OPT('o')];
    return SGT_DONE;
}

int sgt_log_main(const struct sgt_call *call, int argc, char **argv)
{
    struct log log = {.call = call};
    int status = log_options(&log, argc, argv);
    if (status != SGT_DONE)
        return status;
    if (snprintf(log.ring_path, sizeof(log.ring_path), "%s/requests.ring", call->run_dir) >=
        (int)sizeof(log.ring_path))
        return SGT_USAGE;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (!ring_open(&log, log.from_start || !log.follow) && !log.follow) {
        sgt_refuse("%s: no node has run here", log.ring_path);
        return SGT_UNREACHABLE;
    }
    log.names = sgt_names_open(call->run_dir);
    status = SGT_REFUSED;
    if (log.names != NULL && output_open(&log))
        status = log.follow ? log_follow(&log) : log_once(&log);
    tell_missed(&log);
    if (log.to != NULL && log.to != stdout)
        fclose(log.to);
    sgt_names_close(log.names);
    sge_reqlog_close(log.ring);
    return status;
}
