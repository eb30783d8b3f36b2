#include "controlplane/chain/chainlock.h"

#include "base/assert.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define TRIES   50
#define STEP_MS 20

enum sg_err sgc_chainlock_take(const char *file, const atomic_bool *stop, int *fd)
{
    SG_ASSERT(file != NULL && fd != NULL);
    int taken = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (taken < 0)
        return sg_err_from_errno(errno);
    for (uint32_t i = 0; i < TRIES && !atomic_load(stop); i++) {
        if (flock(taken, LOCK_EX | LOCK_NB) == 0) {
            *fd = taken;
            return SG_OK;
        }
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * (long)SG_NS_PER_MS}, NULL);
    }
    close(taken);
    return SG_EAGAIN;
}
