#include "dataplane/close.h"

#include "base/assert.h"

static const struct {
    const char *name, *text;
    uint16_t status;
} rows[] = {
#define CLOSE(name, status, text) {#name, text, status},
#include "dataplane/close.def"
#undef CLOSE
};

const char *sgd_close_name(enum sgd_close why)
{
    SG_ASSERT(why < SGD_CLOSE_COUNT);
    return rows[why].name;
}

const char *sgd_close_text(enum sgd_close why)
{
    SG_ASSERT(why < SGD_CLOSE_COUNT);
    return rows[why].text;
}

uint16_t sgd_close_status(enum sgd_close why)
{
    SG_ASSERT(why < SGD_CLOSE_COUNT);
    return rows[why].status;
}
