/* uring - the only door to liburing: one io_uring a worker, set up for one issuing thread whose
 * completions run only when it asks (SINGLE_ISSUER, DEFER_TASKRUN). What is prepared here goes to
 * the kernel at the next sgd_ring_wait(). The ring may be opened on any thread; the first wait
 * binds it to the thread that calls it, and from then on every call must come from there. */
#ifndef SGD_SYS_URING_H
#define SGD_SYS_URING_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct sgd_ring;

/* What the kernel tells. `tag` is the one given when the operation was prepared. */
struct sgd_cqe {
    uint64_t tag;
    int32_t result;  /* bytes, a descriptor, or a negative errno */
    uint16_t buffer; /* valid when has_buffer: which of the provided ones holds the bytes */
    bool has_buffer;
    bool more;  /* the operation goes on: another completion with this tag follows */
    bool notif; /* SEND_ZC's second: the kernel is done with the memory; result < 0: it copied */
};

/* SG_ENOSYS: this kernel has no io_uring of the kind needed (6.0 or newer). */
SG_MUST_USE enum sg_err sgd_ring_open(uint32_t entries, struct sgd_ring **out);
/* Cancels whatever is left. Accepts NULL. */
void sgd_ring_close(struct sgd_ring *ring);

/* Registers memory for sending without copies, once; a buffer is then named by its index. Each is
 * at most 1 GiB. SG_ENOMEM: more than may be locked. */
SG_MUST_USE enum sg_err sgd_ring_register(struct sgd_ring *ring, const struct iovec *buffers,
                                          uint32_t count);
/* Room for `count` (a power of two) buffers of `bytes` to receive into, one after the other in
 * `memory`. The kernel has none of them until they are given. */
SG_MUST_USE enum sg_err sgd_ring_provide(struct sgd_ring *ring, uint8_t *memory, uint32_t count,
                                         uint32_t bytes);
/* Gives the kernel buffer `id`, for the first time or again. It uses them in turn. */
void sgd_ring_give(struct sgd_ring *ring, uint16_t id);

/* Operations. SGD_RING_NO_BUFFER: `memory` is not registered. */
#define SGD_RING_NO_BUFFER UINT32_MAX
void sgd_ring_accept_multishot(struct sgd_ring *ring, int fd, uint64_t tag);
void sgd_ring_poll_multishot(struct sgd_ring *ring, int fd, uint32_t events, uint64_t tag);
void sgd_ring_poll(struct sgd_ring *ring, int fd, uint32_t events, uint64_t tag);
void sgd_ring_recv_multishot(struct sgd_ring *ring, int fd, uint64_t tag);
void sgd_ring_send(struct sgd_ring *ring, int fd, const void *memory, size_t bytes, int flags,
                   uint64_t tag);
void sgd_ring_send_zc(struct sgd_ring *ring, int fd, const void *memory, size_t bytes, int flags,
                      uint32_t buffer, uint64_t tag);
/* Whether zero-copy sends tell, by a negative result of their notification, that the kernel copied
 * after all. On at first; a kernel before 6.2 answers those sends with -EINVAL. */
void sgd_ring_zc_report(struct sgd_ring *ring, bool on);
/* `message` and what it points to must stay until the next sgd_ring_wait() returned. */
struct msghdr;
void sgd_ring_sendmsg(struct sgd_ring *ring, int fd, const struct msghdr *message, int flags,
                      uint64_t tag);
/* Ends all operations on `fd`, or those with `tag`; they complete with -ECANCELED. No completion
 * of its own when it found something; SGD_RING_TAG_NONE otherwise. */
void sgd_ring_cancel_fd(struct sgd_ring *ring, int fd);
void sgd_ring_cancel_tag(struct sgd_ring *ring, uint64_t tag);
#define SGD_RING_TAG_NONE 0ull

/* Submits, and waits until something completed or `timeout_ns` passed (0: does not wait). */
void sgd_ring_wait(struct sgd_ring *ring, uint64_t timeout_ns);
/* Takes up to `max` completions. */
uint32_t sgd_ring_take(struct sgd_ring *ring, struct sgd_cqe *out, uint32_t max);

#endif
