#include "dataplane/sys/cap.h"

#include <stddef.h>
#include <sys/capability.h>

enum sg_err sgd_cap_bound(void)
{
    for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++)
        if (cap != CAP_NET_BIND_SERVICE && cap_drop_bound(cap) != 0)
            return sg_err_from_errno(errno);
    return SG_OK;
}

enum sg_err sgd_cap_keep(void)
{
    static const cap_flag_t sets[] = {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE};
    const cap_value_t low = CAP_NET_BIND_SERVICE;
    cap_t caps = cap_init();
    if (caps == NULL)
        return SG_ENOMEM;
    int failed = 0;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]) && !failed; i++)
        failed = cap_set_flag(caps, sets[i], 1, &low, CAP_SET);
    enum sg_err err = SG_OK;
    if (failed || cap_set_proc(caps) != 0 || cap_set_ambient(low, CAP_SET) != 0)
        err = sg_err_from_errno(errno);
    cap_free(caps);
    return err;
}
