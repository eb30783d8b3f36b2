/* list - sgctl list: allow lists, from a file of accounts to the root that list() asks for. */
#ifndef SGT_LIST_H
#define SGT_LIST_H

#include "base/config.h"

#include <stdbool.h>

extern const char sgt_list_usage[];
int sgt_list_main(const struct sg_config *config, bool json, int argc, char **argv);

#endif
