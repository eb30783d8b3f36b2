#include "dataplane/sys/cap.h"

#include <stddef.h>
#include <sys/capability.h>

enum sg_err sgd_cap_bound(bool bind_low)
{
    for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++)
        if ((cap != CAP_NET_BIND_SERVICE || !bind_low) && cap_drop_bound(cap) != 0)
            return sg_err_from_errno(errno);
    return SG_OK;
}

enum sg_err sgd_cap_keep(bool bind_low)
{
    const cap_value_t low = CAP_NET_BIND_SERVICE;
    cap_t caps = cap_init();
    if (caps == NULL)
        return SG_ENOMEM;
    int failed = 0;
    if (bind_low)
        failed = cap_set_flag(caps, CAP_PERMITTED, 1, &low, CAP_SET) != 0 ||
                 cap_set_flag(caps, CAP_EFFECTIVE, 1, &low, CAP_SET) != 0;
    enum sg_err err = SG_OK;
    if (failed || cap_set_proc(caps) != 0)
        err = sg_err_from_errno(errno);
    cap_free(caps);
    return err;
}

const char *sgd_cap_text(void)
{
    cap_flag_value_t has = CAP_CLEAR;
    cap_t caps = cap_get_proc();
    if (caps == NULL)
        return "unknown";
    (void)cap_get_flag(caps, CAP_NET_BIND_SERVICE, CAP_EFFECTIVE, &has);
    cap_flag_value_t all = CAP_CLEAR;
    (void)cap_get_flag(caps, CAP_SYS_ADMIN, CAP_EFFECTIVE, &all);
    cap_free(caps);
    return all == CAP_SET ? "all of root's" : has == CAP_SET ? "cap_net_bind_service" : "none";
}
