/* config_report - the mistakes found in one configuration file, each with its line. */
#ifndef SG_BASE_CONFIG_REPORT_H
#define SG_BASE_CONFIG_REPORT_H

#include "base/out.h"
#include "base/sys/yaml.h"

#define SG_CONF_PATH_BYTES 256

struct sg_conf_report {
    const char *file;
    struct sg_out *out;   /* gets the lines; what does not fit is left out, and counted still */
    struct sg_yaml *yaml; /* where lines are looked up; NULL: there is none yet */
    uint32_t mistakes;
};

/* "FILE:LINE: PATH: text\n". */
SG_PRINTF(4, 5)
void sg_conf_mistake(struct sg_conf_report *report, uint32_t line, const char *path,
                     const char *fmt, ...);
/* The same, the line being that of `path` ("sites[2].cache.query") or, where the file leaves it
 * out, of the nearest thing around it. */
SG_PRINTF(3, 4)
void sg_conf_mistake_at(struct sg_conf_report *report, const char *path, const char *fmt, ...);

#endif
