#include "base/assert.h"
#include "dataplane/gate/gate.h"

#define CHALLENGE(reason) "CTA-Common-Access-Token realm=\"streamgate\", error=\"" reason "\""

static const struct row {
    const char *name, *reason, *challenge;
    uint16_t status;
} rows[] = {
#define GATE(name, status, reason) {#name, reason, CHALLENGE(reason), status},
#include "dataplane/gate/verdict.def"
#undef GATE
};
_Static_assert(SG_COUNT(rows) <= SGE_GATE_REASONS_MAX, "each verdict has its counter");

static const struct row *row_of(enum sgd_gate_verdict verdict)
{
    SG_ASSERT(verdict < SGD_GATE_COUNT);
    return &rows[verdict];
}

const char *sgd_gate_name(enum sgd_gate_verdict verdict)
{
    return row_of(verdict)->name;
}

const char *sgd_gate_reason(enum sgd_gate_verdict verdict)
{
    return row_of(verdict)->reason;
}

uint16_t sgd_gate_status(enum sgd_gate_verdict verdict)
{
    return row_of(verdict)->status;
}

struct sg_str sgd_gate_challenge(enum sgd_gate_verdict verdict)
{
    const struct row *row = row_of(verdict);
    return row->status == 401 ? sg_str_from(row->challenge) : SG_STR_NONE;
}
