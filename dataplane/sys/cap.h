/* cap - the door to libcap: what a process keeps of root's powers. */
#ifndef SGD_SYS_CAP_H
#define SGD_SYS_CAP_H

#include "base/err.h"

#include <stdbool.h>

/* While still root: nothing but CAP_NET_BIND_SERVICE (`bind_low`) can ever be had again. */
SG_MUST_USE enum sg_err sgd_cap_bound(bool bind_low);
/* After the change of user: leaves this thread, and those it will start, that one or nothing. */
SG_MUST_USE enum sg_err sgd_cap_keep(bool bind_low);
/* "cap_net_bind_service" or "none", of this thread; static. */
const char *sgd_cap_text(void);

#endif
