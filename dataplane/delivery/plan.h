/* plan - which bytes an answer's body is made of: pieces of a stored body and pieces of text (the
 * part heads of multipart/byteranges, an error's sentence), pulled in order. */
#ifndef SGD_PLAN_H
#define SGD_PLAN_H

#include "base/slice.h"
#include "base/str.h"
#include "dataplane/http/cond.h"
#include "edgecache/content/content.h"

#define SGD_PLAN_PARTS (2 * SGD_RANGES_MAX + 1)

struct sgd_part {
    struct sg_str text;  /* ptr NULL: a piece of the body */
    uint64_t first, end; /* UINT64_MAX: to wherever the body ends */
};

struct sgd_plan {
    struct sge_body *body; /* the exchange holds it */
    struct sg_hold *text_hold;
    uint32_t count, at;
    uint64_t offset; /* within parts[at] */
    struct sgd_part parts[SGD_PLAN_PARTS];
};

/* No bytes at all until parts are added. `text_hold` keeps the texts alive while they are sent. */
void sgd_plan_init(struct sgd_plan *plan, struct sge_body *body, struct sg_hold *text_hold);
void sgd_plan_text(struct sgd_plan *plan, struct sg_str text);
void sgd_plan_body(struct sgd_plan *plan, uint64_t first, uint64_t end);
/* All parts' bytes; SGE_LENGTH_UNKNOWN when one has no end yet. */
uint64_t sgd_plan_bytes(const struct sgd_plan *plan);
/* SGE_READ_OK with slices and perhaps more to come; SGE_READ_END when all was given before; the
 * others as sge_body_read() has them, when no slice could be given. */
enum sge_read sgd_plan_pull(struct sgd_plan *plan, uint64_t budget, struct sg_slice *out,
                            size_t max, size_t *count);
/* Nothing is left: the slices just given were the last. A body without a known end never says so
 * before the pull that answers SGE_READ_END. */
bool sgd_plan_done(const struct sgd_plan *plan);
/* Which bytes of the body the current part has still to give: for asking after missing slices. */
void sgd_plan_body_rest(const struct sgd_plan *plan, uint64_t *first, uint64_t *end);

#endif
