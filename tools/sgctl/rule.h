/* rule - sgctl rule: whether a rule would let an account in, from facts in a file or in a state,
 * and the rules of a configuration. */
#ifndef SGT_RULE_H
#define SGT_RULE_H

#include "tools/sgctl/client.h"

/* argv[0] is "rule", then test or list. Returns the exit status. */
int sgt_rule_main(const struct sgt_call *call, int argc, char **argv);
extern const char sgt_rule_usage[];

#endif
