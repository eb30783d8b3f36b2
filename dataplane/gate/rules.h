/* rules - the rules of one configuration, compiled. One that can't be compiled stays in the list
 * without its code, so that the sites that name it are closed rather than without a rule. */
#ifndef SGD_GATE_RULES_H
#define SGD_GATE_RULES_H

#include "base/config.h"
#include "dataplane/gate/rule.h"

struct sgd_rules;
/* Borrows `config`. Each rule that can't be compiled is a line in `report`; the answer is SG_OK all
 * the same. */
SG_MUST_USE enum sg_err sgd_rules_open(const struct sg_config *config, struct sg_out *report,
                                       struct sgd_rules **out);
/* Accepts NULL. */
void sgd_rules_close(struct sgd_rules *rules);
/* The rule of a site that names one; NULL: closed, with why in *fault (static). `country_db`: there
 * is one that can be read. */
const struct sgd_rule *sgd_rules_of(const struct sgd_rules *rules, const struct sg_conf_site *site,
                                    bool country_db, uint32_t *version, const char **fault);

#endif
