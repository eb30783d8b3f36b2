/* grant - sgctl grant: wallets' grants read, judged and revoked by hand. */
#ifndef SGT_GRANT_H
#define SGT_GRANT_H

#include "base/config.h"

#include <stdbool.h>

/* argv[0] is "grant", then inspect or revoke. Returns the exit status. */
int sgt_grant_main(const struct sg_config *config, bool json, int argc, char **argv);
extern const char sgt_grant_usage[];

#endif
