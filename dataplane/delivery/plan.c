#include "dataplane/delivery/plan.h"

void sgd_plan_init(struct sgd_plan *plan, struct sge_body *body, struct sg_hold *text_hold)
{
    plan->body = body;
    plan->text_hold = text_hold;
    plan->count = plan->at = 0;
    plan->offset = 0;
}

void sgd_plan_text(struct sgd_plan *plan, struct sg_str text)
{
    SG_ASSERT(plan->count < SGD_PLAN_PARTS);
    SG_ASSERT(text.ptr != NULL);
    if (text.len > 0)
        plan->parts[plan->count++] = (struct sgd_part){text, 0, text.len};
}

void sgd_plan_body(struct sgd_plan *plan, uint64_t first, uint64_t end)
{
    SG_ASSERT(plan->count < SGD_PLAN_PARTS);
    SG_ASSERT(first <= end);
    if (first < end && plan->body != NULL)
        plan->parts[plan->count++] = (struct sgd_part){SG_STR_NONE, first, end};
}

uint64_t sgd_plan_bytes(const struct sgd_plan *plan)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->parts[i].end == UINT64_MAX)
            return SGE_LENGTH_UNKNOWN;
        total += plan->parts[i].end - plan->parts[i].first;
    }
    return total;
}

bool sgd_plan_done(const struct sgd_plan *plan)
{
    return plan->at == plan->count;
}

void sgd_plan_body_rest(const struct sgd_plan *plan, uint64_t *first, uint64_t *end)
{
    SG_ASSERT(!sgd_plan_done(plan));
    const struct sgd_part *part = &plan->parts[plan->at];
    SG_ASSERT(part->text.ptr == NULL);
    *first = part->first + plan->offset;
    *end = SG_MIN(part->end, sge_body_bytes(plan->body));
}

static void advance(struct sgd_plan *plan, uint64_t bytes)
{
    const struct sgd_part *part = &plan->parts[plan->at];
    plan->offset += bytes;
    SG_ASSERT(plan->offset <= part->end - part->first);
    if (plan->offset == part->end - part->first) {
        plan->at++;
        plan->offset = 0;
    }
}

static void pull_text(struct sgd_plan *plan, uint64_t budget, struct sg_slice *out)
{
    struct sg_str rest = sg_str_skip(plan->parts[plan->at].text, plan->offset);
    sg_hold_ref(plan->text_hold);
    *out = (struct sg_slice){(const uint8_t *)rest.ptr,
                             (uint32_t)SG_MIN((uint64_t)rest.len, budget), plan->text_hold};
    advance(plan, out->len);
}

static enum sge_read pull_body(struct sgd_plan *plan, uint64_t budget, struct sg_slice *out,
                               size_t max, size_t *count)
{
    const struct sgd_part *part = &plan->parts[plan->at];
    uint64_t at = part->first + plan->offset;
    uint64_t bytes = 0;
    enum sge_read read =
        sge_body_read(plan->body, at, SG_MIN(budget, part->end - at), out, max, count);
    if (read == SGE_READ_END && part->end != UINT64_MAX)
        return SGE_READ_FAILED; /* shorter than its head said */
    if (read == SGE_READ_END) {
        plan->at++;
        plan->offset = 0;
    }
    if (read != SGE_READ_OK)
        return read;
    for (size_t i = 0; i < *count; i++)
        bytes += out[i].len;
    advance(plan, bytes);
    return SGE_READ_OK;
}

enum sge_read sgd_plan_pull(struct sgd_plan *plan, uint64_t budget, struct sg_slice *out,
                            size_t max, size_t *count)
{
    size_t total = 0;
    enum sge_read read = SGE_READ_END;
    while (total < max && budget > 0 && !sgd_plan_done(plan)) {
        size_t n = 1;
        read = SGE_READ_OK;
        if (plan->parts[plan->at].text.ptr != NULL)
            pull_text(plan, budget, &out[total]);
        else
            read = pull_body(plan, budget, out + total, max - total, &n);
        if (read == SGE_READ_END)
            continue; /* a part of unknown length is over */
        if (read != SGE_READ_OK)
            break;
        for (size_t i = 0; i < n; i++)
            budget -= out[total + i].len;
        total += n;
    }
    *count = total;
    return total > 0 ? SGE_READ_OK : read;
}
