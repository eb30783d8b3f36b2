/* config_diff - what a reload cannot change. */
#ifndef SG_BASE_CONFIG_DIFF_H
#define SG_BASE_CONFIG_DIFF_H

#include "base/config.h"
#include "base/out.h"

/* A line "KEY: counts from the next start" in `out` for every key that differs and is fixed at
 * start. Returns how many. */
uint32_t sg_conf_diff_fixed(const struct sg_config *now, const struct sg_config *next,
                            struct sg_out *out);

#endif
