/* config_keep - what a reload cannot change. */
#ifndef SG_BASE_CONFIG_KEEP_H
#define SG_BASE_CONFIG_KEEP_H

#include "base/config.h"
#include "base/out.h"

/* Sets each key of `next` that is fixed at start, and differs, back to what it is in `now`, with a
 * line "KEY: counts from the next start" in `out`: whoever reads `next` acts on what is so. Items
 * of lists are the same where their names are. SG_ENOMEM: `next` is half of each, to be freed. */
SG_MUST_USE enum sg_err sg_conf_keep_fixed(const struct sg_config *now, struct sg_config *next,
                                           struct sg_out *out);

#endif
