/* log - lines for the operator, to standard error, one line a call, with syslog's <N> level in
 * front when systemd reads them. May block on the pipe: never on a worker's hot path, where
 * counters and the request ring (edgecache/log) speak. Any thread. */
#ifndef SG_BASE_LOG_H
#define SG_BASE_LOG_H

#include "base/assert.h"

enum sg_log_level { SG_LOG_ERROR = 3, SG_LOG_WARN = 4, SG_LOG_INFO = 6, SG_LOG_DEBUG = 7 };

/* What is less urgent than `level` is dropped. Default SG_LOG_INFO. */
void sg_log_set_level(enum sg_log_level level);
SG_PRINTF(2, 3) void sg_log(enum sg_log_level level, const char *fmt, ...);

#define sg_error(...) sg_log(SG_LOG_ERROR, __VA_ARGS__)
#define sg_warn(...)  sg_log(SG_LOG_WARN, __VA_ARGS__)
#define sg_info(...)  sg_log(SG_LOG_INFO, __VA_ARGS__)
#define sg_debug(...) sg_log(SG_LOG_DEBUG, __VA_ARGS__)

#endif
