/* token - sgctl token: edge tokens made, read and revoked by hand. */
#ifndef SGT_TOKEN_H
#define SGT_TOKEN_H

#include "base/config.h"

#include <stdbool.h>

/* argv[0] is "token", then mint, inspect or revoke. Returns the exit status. */
int sgt_token_main(const struct sg_config *config, bool json, int argc, char **argv);
extern const char sgt_token_usage[];

#endif
