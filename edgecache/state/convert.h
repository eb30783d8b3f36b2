/* convert - a state of format 1 (facts as owners alone, found by their key alone) becomes one of
 * format 2. Its facts keep their generations, so tokens that name them stay good; they have no name
 * to check by and nobody finds them by holder: no rule is met by them. */
#ifndef SGE_STATE_CONVERT_H
#define SGE_STATE_CONVERT_H

#include "base/err.h"

struct sg_mdb_txn;
struct sge_state;

SG_MUST_USE enum sg_err sge_state_convert(struct sge_state *state, struct sg_mdb_txn *txn);

#endif
