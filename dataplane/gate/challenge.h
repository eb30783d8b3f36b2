/* challenge - a grant made ready for signing: the server writes the claims, says in which words the
 * wallet is to be asked, and keeps nothing. */
#ifndef SGD_GATE_CHALLENGE_H
#define SGD_GATE_CHALLENGE_H

#include "dataplane/gate/signin.h"

/* Does everything beneath `prefix` lie in the site of `site_path`? */
bool sgd_signin_under(struct sg_str site_path, struct sg_str prefix);

/* Writes JSON to *answer, or the refusal. `scratch` is for decoded parameters. */
void sgd_challenge(const struct sgd_signin_ask *ask, const struct sgd_gate_terms *terms,
                   struct sg_out *scratch, struct sgd_signin_answer *answer);

#endif
