/* chainlock - who follows a chain: a file that one follower holds, of whatever process. It is free
 * again when its descriptor is closed, or its process is gone. */
#ifndef SGC_CHAIN_CHAINLOCK_H
#define SGC_CHAIN_CHAINLOCK_H

#include "base/err.h"

#include <stdatomic.h>

/* Waits a second for the one before, who is about to end in a reload, unless *stop becomes true. On
 * SG_OK the caller owns *fd. SG_EAGAIN: another has it. */
SG_MUST_USE enum sg_err sgc_chainlock_take(const char *file, const atomic_bool *stop, int *fd);

#endif
