/* cap - the door to libcap: what a process keeps of root's powers. */
#ifndef SGD_SYS_CAP_H
#define SGD_SYS_CAP_H

#include "base/err.h"

/* While still root: nothing but CAP_NET_BIND_SERVICE can ever be had again. */
SG_MUST_USE enum sg_err sgd_cap_bound(void);
/* After the change of user: leaves this thread, those it will start, and programs that they
 * execute, that one alone. */
SG_MUST_USE enum sg_err sgd_cap_keep(void);

#endif
