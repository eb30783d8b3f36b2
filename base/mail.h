/* mail - how threads talk: a mailbox a thread, and in it one single-producer single-consumer ring
 * of fixed-size messages for every thread that may write to it. Never blocks, never loses: a full
 * ring is the sender's to see (false) and to try again later. An eventfd wakes a thread that
 * sleeps; one that is awake costs the sender no system call. */
#ifndef SG_BASE_MAIL_H
#define SG_BASE_MAIL_H

#include "base/assert.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sg_msg {
    uint16_t type; /* its meaning is the receiver's: SGE_MSG_*, SGD_MSG_* */
    uint16_t from; /* the sender's mail id */
    uint32_t arg32;
    uint64_t arg64;
    void *ptr[6];
};
_Static_assert(sizeof(struct sg_msg) == SG_CACHELINE, "a message is a cache line");

/* All mailboxes of a process. Opened once, before the threads start. */
struct sg_mail;

/* `threads` mailboxes (ids 0 .. threads-1), each ring `ring_messages` deep (a power of two). */
SG_MUST_USE enum sg_err sg_mail_open(uint32_t threads, uint32_t ring_messages,
                                     struct sg_mail **out);
void sg_mail_close(struct sg_mail *mail);

/* From thread `from` only. False: the ring is full, nothing was sent. Wakes `to` if it sleeps. */
SG_MUST_USE bool sg_mail_send(struct sg_mail *mail, uint16_t from, uint16_t to,
                              const struct sg_msg *msg);
/* On thread `me` only: takes up to `max` messages, fair over senders. Returns how many. */
uint32_t sg_mail_take(struct sg_mail *mail, uint16_t me, struct sg_msg *out, uint32_t max);
/* The eventfd (non-blocking) of `me`: readable after a wake-up; the owner reads it empty. */
int sg_mail_wake_fd(struct sg_mail *mail, uint16_t me);
/* Call before sleeping; when it says true, messages are waiting: do not sleep. */
SG_MUST_USE bool sg_mail_sleep_begin(struct sg_mail *mail, uint16_t me);
void sg_mail_sleep_end(struct sg_mail *mail, uint16_t me);
/* For other threads and signal handlers: makes `to` turn its loop once. */
void sg_mail_wake(struct sg_mail *mail, uint16_t to);

#endif
