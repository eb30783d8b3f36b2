/* factmake - facts by hand: from names to what the state has, for sgctl own and sgctl rule. */
#ifndef SGT_FACTMAKE_H
#define SGT_FACTMAKE_H

#include "dataplane/gate/rule.h"

#include <jansson.h>

/* Each fills *out with a change that bumps, of no block. `head` and `safe`: as the kind has them.
 */
void sgt_owner_make(const struct sg_caip_asset *asset, const uint8_t head[32],
                    const uint8_t safe[32], struct sge_change *out);
void sgt_balance_make(const struct sg_caip_asset *asset, const uint8_t account[32],
                      const struct sg_u256 *head, const struct sg_u256 *safe,
                      struct sge_change *out);
/* Is a fact of that asset somebody's balance, rather than its owner? */
bool sgt_is_balance(const struct sg_caip_asset *asset);

/* The facts of a list as docs/rules.md has it, applied to an empty state, in which all that `rule`
 * names is followed: wholly, on chains that are caught up. False, and says which item is wrong.
 * `tenant`: whose lists they are. */
bool sgt_facts_apply(const json_t *facts, const struct sgd_rule *rule, uint32_t tenant,
                     struct sge_state *state);

#endif
