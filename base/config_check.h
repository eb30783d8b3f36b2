/* config_check - what a schema cannot say: names that must be known or unique, values that must fit
 * together. Reads a loaded configuration; some of it may be missing when mistakes were found
 * before. */
#ifndef SG_BASE_CONFIG_CHECK_H
#define SG_BASE_CONFIG_CHECK_H

#include "base/config.h"
#include "base/config_report.h"

void sg_conf_check(const struct sg_config *config, struct sg_conf_report *report);

#endif
