/* confsign - sgctl config: the key by which configurations are signed, signing, verifying. Works on
 * files alone; no node need run. */
#ifndef SGT_CONFSIGN_H
#define SGT_CONFSIGN_H

#include "tools/sgctl/client.h"

/* argv[0] is "config", then keygen, sign or verify. Returns the exit status. */
int sgt_confsign_main(const struct sgt_call *call, int argc, char **argv);
extern const char sgt_confsign_usage[];

#endif
