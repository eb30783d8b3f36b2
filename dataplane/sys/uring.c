#include "dataplane/sys/uring.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"

#include <liburing.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECV_GROUP 1
#ifndef IORING_SEND_ZC_REPORT_USAGE /* not in liburing 2.3 */
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3)
#endif

struct sgd_ring {
    struct io_uring ring;
    bool open, bound;
    bool zc_report;
    struct io_uring_buf_ring *provided;
    uint8_t *provided_memory;
    uint32_t provided_count, provided_bytes;
};

enum sg_err sgd_ring_open(uint32_t entries, struct sgd_ring **out)
{
    SG_ASSERT(entries > 0 && out != NULL);
    struct sgd_ring *ring = sg_boot_alloc(sizeof(*ring));
    if (ring == NULL)
        return SG_ENOMEM;
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        .cq_entries = entries * 4,
    };
    int res = io_uring_queue_init_params(entries, &ring->ring, &params);
    if (res < 0) {
        sg_boot_free(ring);
        return res == -EINVAL ? SG_ENOSYS : sg_err_from_errno(-res);
    }
    ring->open = ring->zc_report = true;
    *out = ring;
    return SG_OK;
}

void sgd_ring_close(struct sgd_ring *ring)
{
    if (ring == NULL)
        return;
    if (ring->open)
        io_uring_queue_exit(&ring->ring);
    if (ring->provided != NULL)
        munmap(ring->provided, ring->provided_count * sizeof(struct io_uring_buf));
    sg_boot_free(ring);
}

enum sg_err sgd_ring_register(struct sgd_ring *ring, const struct iovec *buffers, uint32_t count)
{
    int res = io_uring_register_buffers(&ring->ring, buffers, count);
    return res < 0 ? sg_err_from_errno(-res) : SG_OK;
}

enum sg_err sgd_ring_provide(struct sgd_ring *ring, uint8_t *memory, uint32_t count, uint32_t bytes)
{
    SG_ASSERT(ring->provided == NULL);
    SG_ASSERT(count > 0 && (count & (count - 1)) == 0 && count <= 32768);
    /* The ring must start on a page. */
    void *pages = mmap(NULL, count * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return SG_ENOMEM;
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)pages, .ring_entries = count, .bgid = RECV_GROUP};
    int res = io_uring_register_buf_ring(&ring->ring, &reg, 0);
    if (res < 0) {
        munmap(pages, count * sizeof(struct io_uring_buf));
        return sg_err_from_errno(-res);
    }
    ring->provided = pages;
    ring->provided_memory = memory;
    ring->provided_count = count;
    ring->provided_bytes = bytes;
    io_uring_buf_ring_init(ring->provided);
    return SG_OK;
}

void sgd_ring_give(struct sgd_ring *ring, uint16_t id)
{
    SG_DASSERT(id < ring->provided_count);
    io_uring_buf_ring_add(ring->provided, ring->provided_memory + (size_t)id * ring->provided_bytes,
                          ring->provided_bytes, id, io_uring_buf_ring_mask(ring->provided_count),
                          0);
    io_uring_buf_ring_advance(ring->provided, 1);
}

/* A free entry; submits what is there when the queue is full. A kernel that takes nothing more
 * leaves nothing to be done. */
static struct io_uring_sqe *ring_sqe(struct sgd_ring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);
    for (int tries = 0; sqe == NULL && tries < 1000; tries++) {
        int res = io_uring_submit(&ring->ring);
        SG_ASSERT(res >= 0 || res == -EAGAIN || res == -EINTR || res == -EBUSY);
        sqe = io_uring_get_sqe(&ring->ring);
    }
    SG_ASSERT(sqe != NULL);
    return sqe;
}

void sgd_ring_accept_multishot(struct sgd_ring *ring, int fd, uint64_t tag)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    sqe->user_data = tag;
}

void sgd_ring_poll_multishot(struct sgd_ring *ring, int fd, uint32_t events, uint64_t tag)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    io_uring_prep_poll_multishot(sqe, fd, events);
    sqe->user_data = tag;
}

void sgd_ring_poll(struct sgd_ring *ring, int fd, uint32_t events, uint64_t tag)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    io_uring_prep_poll_add(sqe, fd, events);
    sqe->user_data = tag;
}

void sgd_ring_recv_multishot(struct sgd_ring *ring, int fd, uint64_t tag)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RECV_GROUP;
    sqe->user_data = tag;
}

void sgd_ring_send(struct sgd_ring *ring, int fd, const void *memory, size_t bytes, int flags,
                   uint64_t tag)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    io_uring_prep_send(sqe, fd, memory, bytes, flags);
    sqe->user_data = tag;
}

void sgd_ring_send_zc(struct sgd_ring *ring, int fd, const void *memory, size_t bytes, int flags,
                      uint32_t buffer, uint64_t tag)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    if (buffer == SGD_RING_NO_BUFFER)
        io_uring_prep_send_zc(sqe, fd, memory, bytes, flags, 0);
    else
        io_uring_prep_send_zc_fixed(sqe, fd, memory, bytes, flags, 0, buffer);
    if (ring->zc_report)
        sqe->ioprio |= IORING_SEND_ZC_REPORT_USAGE;
    sqe->user_data = tag;
}

void sgd_ring_zc_report(struct sgd_ring *ring, bool on)
{
    ring->zc_report = on;
}

void sgd_ring_sendmsg(struct sgd_ring *ring, int fd, const struct msghdr *message, int flags,
                      uint64_t tag)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    io_uring_prep_sendmsg(sqe, fd, message, (unsigned)flags);
    sqe->user_data = tag;
}

void sgd_ring_cancel_fd(struct sgd_ring *ring, int fd)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = SGD_RING_TAG_NONE;
}

void sgd_ring_cancel_tag(struct sgd_ring *ring, uint64_t tag)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    io_uring_prep_cancel64(sqe, tag, IORING_ASYNC_CANCEL_ALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = SGD_RING_TAG_NONE;
}

/* The thread that waits first is the one that issues from then on. */
static void ring_bind(struct sgd_ring *ring)
{
    /* liburing 2.3 declares io_uring_enable_rings() but does not export it. */
    long enabled =
        syscall(__NR_io_uring_register, ring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    SG_ASSERT(enabled >= 0);
    int res = io_uring_register_ring_fd(&ring->ring);
    if (res < 0)
        sg_debug("io_uring: ring descriptor not registered: %s", strerror(-res));
    ring->bound = true;
}

void sgd_ring_wait(struct sgd_ring *ring, uint64_t timeout_ns)
{
    if (!ring->bound)
        ring_bind(ring);
    if (timeout_ns == 0 || io_uring_cq_ready(&ring->ring) != 0) {
        (void)io_uring_submit_and_get_events(&ring->ring);
        return;
    }
    struct __kernel_timespec ts = {.tv_sec = (int64_t)(timeout_ns / SG_NS_PER_SEC),
                                   .tv_nsec = (int64_t)(timeout_ns % SG_NS_PER_SEC)};
    struct io_uring_cqe *cqe;
    /* ETIME and EINTR are ordinary ends of a wait; what fails to submit stays queued. */
    (void)io_uring_submit_and_wait_timeout(&ring->ring, &cqe, 1, &ts, NULL);
}

uint32_t sgd_ring_take(struct sgd_ring *ring, struct sgd_cqe *out, uint32_t max)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    uint32_t taken = 0;
    io_uring_for_each_cqe(&ring->ring, head, cqe)
    {
        if (taken == max)
            break;
        out[taken++] = (struct sgd_cqe){
            .tag = cqe->user_data,
            .result = cqe->res,
            .buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT),
            .has_buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0,
            .more = (cqe->flags & IORING_CQE_F_MORE) != 0,
            .notif = (cqe->flags & IORING_CQE_F_NOTIF) != 0,
        };
    }
    io_uring_cq_advance(&ring->ring, taken);
    return taken;
}
