#include "controlplane/node/reload.h"

#include "base/log.h"
#include "controlplane/node/parts.h"

static const char *const texts[] = {
    [SGC_RELOAD_REFUSED] = "refused, nothing changed",
    [SGC_RELOAD_PART] = "in force, but not for chains and bus",
    [SGC_RELOAD_DONE] = "done",
};

struct sgc_reloaded sgc_reload(struct sgd_node *node, struct sgc_control *control,
                               struct sg_out *report)
{
    struct sgd_node_view view;
    struct sgc_reloaded done = {.err = sgd_node_reload(node, report)};
    sgd_node_view(node, &view);
    if (done.err == SG_OK) {
        done.err = sgc_control_reload(control, view.snapshot->config, report);
        done.how = done.err == SG_OK ? SGC_RELOAD_DONE : SGC_RELOAD_PART;
    }
    if (done.how == SGC_RELOAD_PART)
        sg_out_lit(report, "chains and bus go on as they were; the rest of the configuration is in "
                           "force\n");
    sg_log(done.err == SG_OK ? SG_LOG_INFO : SG_LOG_WARN, "reload: %s, serial %u", texts[done.how],
           view.snapshot->serial);
    if (control != NULL) {
        control->reloads++;
        control->last_reload = done.how;
    }
    return done;
}

uint32_t sgc_reloads(const struct sgc_control *control, enum sgc_reload *last)
{
    *last = control->last_reload;
    return control->reloads;
}
