/* aio - file reads and writes that don't block, for one thread with a mailbox: it waits for them
 * and for its wake-ups in one place. By io_uring. */
#ifndef SGE_SYS_AIO_H
#define SGE_SYS_AIO_H

#include "base/err.h"

#include <stdint.h>
#include <sys/uio.h>

struct sge_aio;
struct sge_aio_done {
    void *tag;
    int32_t result; /* bytes, or a negative errno */
};

/* At most `depth` operations are under way at once. `wake_fd`: an eventfd that ends waits. */
SG_MUST_USE enum sg_err sge_aio_open(uint32_t depth, int wake_fd, struct sge_aio **out);
/* Nothing is under way. Accepts NULL. */
void sge_aio_close(struct sge_aio *aio);
/* iov and what it points to stay until it is done. */
void sge_aio_read(struct sge_aio *aio, int fd, const struct iovec *iov, uint32_t count,
                  uint64_t offset, void *tag);
void sge_aio_write(struct sge_aio *aio, int fd, const struct iovec *iov, uint32_t count,
                   uint64_t offset, void *tag);
/* Hands in what was asked for, and waits for what is done, a wake-up, or `timeout_ns` (0: does not
 * wait). Returns how many of out[] were written. */
uint32_t sge_aio_wait(struct sge_aio *aio, uint64_t timeout_ns, struct sge_aio_done *out,
                      uint32_t max);

#endif
