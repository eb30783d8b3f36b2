#include "base/assert.h"
#include "dataplane/gate/gate.h"

static const struct row {
    const char *name, *reason;
    uint16_t status;
} rows[] = {
#define GATE(name, status, reason) {#name, reason, status},
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
