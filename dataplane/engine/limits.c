#include "dataplane/engine/limits.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/siphash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/random.h>

#define ROWS     2
#define COUNTERS 65536u

/* The first row of each. */
#define ADDRESSES 0u
#define TOKENS    ROWS

struct sgd_limits {
    SG_ALIGNED _Atomic uint32_t connections;
    SG_ALIGNED uint8_t key[16];
    _Atomic uint32_t counters[2 * ROWS * COUNTERS]; /* addresses', then tokens' */
};

enum sg_err sgd_limits_open(struct sgd_limits **out)
{
    SG_ASSERT(out != NULL);
    struct sgd_limits *limits = sg_boot_alloc(sizeof(*limits));
    if (limits == NULL)
        return SG_ENOMEM;
    if (getrandom(limits->key, sizeof(limits->key), 0) != (ssize_t)sizeof(limits->key)) {
        sg_boot_free(limits);
        return SG_EIO;
    }
    *out = limits;
    return SG_OK;
}

void sgd_limits_close(struct sgd_limits *limits)
{
    if (limits != NULL)
        SG_ASSERT(atomic_load(&limits->connections) == 0);
    sg_boot_free(limits);
}

/* One more, unless that passes `max`. */
static bool counter_take(_Atomic uint32_t *counter, uint32_t max)
{
    if (atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) < max)
        return true;
    atomic_fetch_sub_explicit(counter, 1, memory_order_relaxed);
    return false;
}

static void counter_give(_Atomic uint32_t *counter)
{
    uint32_t was = atomic_fetch_sub_explicit(counter, 1, memory_order_relaxed);
    SG_ASSERT(was != 0);
}

enum sgd_close sgd_limits_enter(struct sgd_limits *limits, uint32_t connections_max,
                                struct sgd_limits_ticket *ticket)
{
    SG_ASSERT(ticket->node == 0);
    if (!counter_take(&limits->connections, connections_max))
        return SGD_CLOSE_connections_full;
    ticket->node = 1;
    return SGD_CLOSE_none;
}

static void rows_give(struct sgd_limits *limits, struct sgd_limits_ticket *ticket)
{
    for (int i = 0; i < ROWS; i++) {
        if (ticket->row[i] != 0)
            counter_give(&limits->counters[ticket->row[i] - 1]);
        ticket->row[i] = 0;
    }
}

/* One more of what hashes so, in both rows, unless both are at `max`. */
static bool rows_take(struct sgd_limits *limits, uint32_t first_row, const uint64_t hash[2],
                      uint32_t max, struct sgd_limits_ticket *ticket)
{
    uint32_t lowest = UINT32_MAX;
    SG_ASSERT(ticket->row[0] == 0 && ticket->row[1] == 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t number = (first_row + i) * COUNTERS + (uint32_t)(hash[i] % COUNTERS);
        uint32_t was =
            atomic_fetch_add_explicit(&limits->counters[number], 1, memory_order_relaxed);
        lowest = SG_MIN(lowest, was);
        ticket->row[i] = number + 1;
    }
    if (lowest < max)
        return true;
    rows_give(limits, ticket);
    return false;
}

enum sgd_close sgd_limits_enter_address(struct sgd_limits *limits, const struct in6_addr *address,
                                        uint32_t connections_max, struct sgd_limits_ticket *ticket)
{
    uint64_t hash[2];
    sg_siphash128(limits->key, address, IN6_IS_ADDR_V4MAPPED(address) ? 16 : 8, hash);
    return rows_take(limits, ADDRESSES, hash, connections_max, ticket) ? SGD_CLOSE_none
                                                                       : SGD_CLOSE_address_full;
}

bool sgd_limits_enter_token(struct sgd_limits *limits, struct sg_str id, uint32_t requests_max,
                            struct sgd_limits_ticket *ticket)
{
    uint64_t hash[2];
    sg_siphash128(limits->key, id.ptr, id.len, hash);
    return rows_take(limits, TOKENS, hash, requests_max, ticket);
}

void sgd_limits_leave(struct sgd_limits *limits, struct sgd_limits_ticket *ticket)
{
    rows_give(limits, ticket);
    if (ticket->node != 0)
        counter_give(&limits->connections);
    *ticket = (struct sgd_limits_ticket){0};
}

uint32_t sgd_limits_count(const struct sgd_limits *limits)
{
    return atomic_load_explicit(&limits->connections, memory_order_relaxed);
}
