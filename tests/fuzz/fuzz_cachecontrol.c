/* A response's head: Cache-Control, the targeted forms, Vary, dates, ages. Durations stay where no
 * sum of them overflows. */
#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/http/fresh.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MAX_NS ((1ull << 31) * SG_NS_PER_SEC)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sg_str lines = {(const char *)bytes, len};
    struct sgd_field field = {SG_STR("cache-control"), lines};
    struct sgd_request req = {
        .method = SGD_METHOD_GET, .fields = &field, .fields_count = 1, .version = "1.1"};
    struct sgd_fresh_policy policy = {.swr_ns = 1};
    struct sgd_fresh fresh;
    struct sgd_cc cc;
    bool targeted, star;
    char names[512], key[2048];
    struct sg_out names_out = sg_out_init(names, sizeof(names));
    struct sg_out key_out = sg_out_init(key, sizeof(key));

    sgd_cc_of_response(lines, &cc, &targeted);
    SG_ASSERT(cc.max_age_ns <= MAX_NS && cc.s_maxage_ns <= MAX_NS && cc.sie_ns <= MAX_NS);
    SG_ASSERT(!(cc.flags & SGD_CC_PRIVATE_FIELDS) || cc.private_fields.len != 0);
    sgd_cc_of_request(&req, &cc);
    SG_ASSERT(cc.max_stale_ns <= MAX_NS && cc.min_fresh_ns <= MAX_NS);
    sgd_fresh_of_response(&req, 200, lines, &policy, 1700000000 * SG_NS_PER_SEC,
                          1700000001 * SG_NS_PER_SEC, &fresh);
    SG_ASSERT(fresh.lifetime_ns <= MAX_NS && fresh.initial_age_ns <= 2 * MAX_NS);
    if (sgd_vary_names(lines, &names_out, &star) && !star && !names_out.full)
        sgd_vary_key(&req, sg_out_view(&names_out), &key_out);
    return 0;
}
