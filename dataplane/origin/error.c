#include "dataplane/origin/error.h"

#include "base/assert.h"

static const struct {
    const char *type;
    uint16_t status;
} rows[] = {
#define ORIGIN_ERROR(name, type, status) {type, status},
#include "dataplane/origin/error.def"
#undef ORIGIN_ERROR
};

const char *sgd_origin_error_type(enum sgd_origin_error error)
{
    SG_ASSERT(error < SGD_ORIGIN_ERROR_COUNT);
    return rows[error].type;
}

uint16_t sgd_origin_error_status(enum sgd_origin_error error)
{
    SG_ASSERT(error < SGD_ORIGIN_ERROR_COUNT);
    return rows[error].status;
}
