/* tickets - the keys that session tickets are made and opened with: read from a file that nodes
 * share, or drawn at start and rotated. Workers only read, and never wait: a set of keys is swapped
 * whole and freed no earlier than a minute later, when a look at it is long over. */
#ifndef SGD_TLS_TICKETS_H
#define SGD_TLS_TICKETS_H

#include "base/err.h"
#include "base/out.h"
#include "dataplane/sys/osslctx.h"

#include <stdint.h>

#define SGD_TICKET_KEYS_MAX 16u

struct sgd_tickets;

struct sgd_tickets_conf {
    const char *file; /* keys of 80 bytes, newest first; NULL: draw them. Copied */
    uint32_t rotate_s;
    uint32_t lifetime_s;
};

/* `before`: whose drawn keys are taken over; NULL: none. SG_ECONFIG: the report says why. */
SG_MUST_USE enum sg_err sgd_tickets_open(const struct sgd_tickets_conf *conf,
                                         const struct sgd_tickets *before, uint64_t wall_ns,
                                         struct sg_out *report, struct sgd_tickets **out);
/* Accepts NULL. */
void sgd_tickets_close(struct sgd_tickets *tickets);
/* One control thread, every few seconds: reads the file again when it changed, draws a key when
 * the newest is old. */
void sgd_tickets_tick(struct sgd_tickets *tickets, uint64_t wall_ns);
/* Any thread: as sgd_octx_hooks.ticket_key. */
enum sgd_ticket sgd_tickets_find(struct sgd_tickets *tickets, const uint8_t *name,
                                 struct sgd_ticket_key *out);

#endif
