/* clock - time. Protocol code never calls these: it is handed now_ns. */
#ifndef SG_BASE_CLOCK_H
#define SG_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SG_NS_PER_US  1000ull
#define SG_NS_PER_MS  1000000ull
#define SG_NS_PER_SEC 1000000000ull
#define SG_NEVER      UINT64_MAX /* a wake_at_ns that never comes */

static inline uint64_t sg_clock_mono_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * SG_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Unix time. For Date, Age, tokens: what the world outside reads. */
static inline uint64_t sg_clock_wall_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * SG_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

#endif
