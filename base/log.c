#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static _Atomic int log_level = SG_LOG_INFO;

void sg_log_set_level(enum sg_log_level level)
{
    atomic_store(&log_level, (int)level);
}

static const char *level_word(enum sg_log_level level)
{
    switch (level) {
    case SG_LOG_ERROR:
        return "error";
    case SG_LOG_WARN:
        return "warning";
    case SG_LOG_INFO:
        return "info";
    case SG_LOG_DEBUG:
        return "debug";
    }
    return "?";
}

void sg_log(enum sg_log_level level, const char *fmt, ...)
{
    char line[1024];
    int at;
    if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
        return;
    if (getenv("JOURNAL_STREAM") != NULL) {
        at = snprintf(line, sizeof(line), "<%d>", (int)level);
    } else {
        struct timespec ts;
        struct tm tm;
        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        at = snprintf(line, sizeof(line),
                      "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s: ", tm.tm_year + 1900, tm.tm_mon + 1,
                      tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000,
                      level_word(level));
    }
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line + at, sizeof(line) - (size_t)at - 1, fmt, args);
    va_end(args);
    at = n < 0 ? at : SG_MIN(at + n, (int)sizeof(line) - 2);
    for (int i = 0; i < at; i++) /* one call is one line, whatever a peer put into it */
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    line[at++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)at) < 0)
        return; /* nobody listens; there is nobody else to tell */
}
