/* key - sgctl key: what a tenant's back end needs of the keys, and files with secrets made, sealed
 * and unsealed. */
#ifndef SGT_KEY_H
#define SGT_KEY_H

#include "base/config.h"

extern const char sgt_key_usage[];
int sgt_key_main(const struct sg_config *config, bool json, int argc, char **argv);

#endif
