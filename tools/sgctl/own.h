/* own - sgctl own: ownership facts by hand, where no chain follower fills them. */
#ifndef SGT_OWN_H
#define SGT_OWN_H

#include "base/config.h"

#include <stdbool.h>

/* argv[0] is "own", then set, transfer, show, list, digest or feed. Returns the exit status. */
int sgt_own_main(const struct sg_config *config, bool json, int argc, char **argv);
extern const char sgt_own_usage[];

#endif
