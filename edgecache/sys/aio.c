#include "edgecache/sys/aio.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"

#include <liburing.h>
#include <poll.h>
#include <unistd.h>

struct sge_aio {
    struct io_uring ring;
    int wake_fd;
    bool polling; /* the wake-up's poll is under way */
};

enum sg_err sge_aio_open(uint32_t depth, int wake_fd, struct sge_aio **out)
{
    SG_ASSERT(depth > 0);
    struct sge_aio *aio = sg_boot_alloc(sizeof(*aio));
    if (aio == NULL)
        return SG_ENOMEM;
    int rc = io_uring_queue_init(depth + 2, &aio->ring, 0);
    if (rc != 0) {
        sg_boot_free(aio);
        return sg_err_from_errno(-rc);
    }
    aio->wake_fd = wake_fd;
    *out = aio;
    return SG_OK;
}

void sge_aio_close(struct sge_aio *aio)
{
    if (aio == NULL)
        return;
    io_uring_queue_exit(&aio->ring);
    sg_boot_free(aio);
}

/* There is always one: no more than the ring holds are under way, and waits hand all in. */
static struct io_uring_sqe *aio_sqe(struct sge_aio *aio)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&aio->ring);
    SG_ASSERT(sqe != NULL);
    return sqe;
}

void sge_aio_read(struct sge_aio *aio, int fd, const struct iovec *iov, uint32_t count,
                  uint64_t offset, void *tag)
{
    struct io_uring_sqe *sqe = aio_sqe(aio);
    io_uring_prep_readv(sqe, fd, iov, count, offset);
    io_uring_sqe_set_data(sqe, tag);
}

void sge_aio_write(struct sge_aio *aio, int fd, const struct iovec *iov, uint32_t count,
                   uint64_t offset, void *tag)
{
    struct io_uring_sqe *sqe = aio_sqe(aio);
    io_uring_prep_writev(sqe, fd, iov, count, offset);
    io_uring_sqe_set_data(sqe, tag);
}

static void aio_poll(struct sge_aio *aio)
{
    if (aio->polling)
        return;
    struct io_uring_sqe *sqe = aio_sqe(aio);
    io_uring_prep_poll_add(sqe, aio->wake_fd, POLLIN);
    io_uring_sqe_set_data(sqe, aio);
    aio->polling = true;
}

static void aio_woken(struct sge_aio *aio)
{
    uint64_t count;
    aio->polling = false;
    ssize_t n = read(aio->wake_fd, &count, sizeof(count));
    (void)n; /* EAGAIN: somebody else emptied it */
}

uint32_t sge_aio_wait(struct sge_aio *aio, uint64_t timeout_ns, struct sge_aio_done *out,
                      uint32_t max)
{
    struct __kernel_timespec ts = {.tv_sec = (int64_t)(timeout_ns / SG_NS_PER_SEC),
                                   .tv_nsec = (long long)(timeout_ns % SG_NS_PER_SEC)};
    struct io_uring_cqe *cqe = NULL;
    uint32_t count = 0;
    aio_poll(aio);
    if (timeout_ns == 0)
        io_uring_submit(&aio->ring);
    else /* times out, or is interrupted: what is done is looked at all the same */
        (void)io_uring_submit_and_wait_timeout(&aio->ring, &cqe, 1, &ts, NULL);
    while (count < max && io_uring_peek_cqe(&aio->ring, &cqe) == 0) {
        void *tag = io_uring_cqe_get_data(cqe);
        int32_t result = cqe->res;
        io_uring_cqe_seen(&aio->ring, cqe);
        if (tag == aio)
            aio_woken(aio);
        else
            out[count++] = (struct sge_aio_done){tag, result};
    }
    return count;
}
