/* Paths and queries: what is normal stays as it is when normalised again, and has no way up. */
#include "base/assert.h"
#include "dataplane/http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_path(struct sg_str path)
{
    static char once[8192], twice[8192], decoded[8192];
    struct sg_out a = sg_out_init(once, sizeof(once)), b = sg_out_init(twice, sizeof(twice));
    struct sg_out c = sg_out_init(decoded, sizeof(decoded));
    bool ok = sgd_target_normalise(path, &a);
    SG_ASSERT(ok == sgd_target_decode(path, &c) || a.full || c.full);
    if (!ok)
        return;
    SG_ASSERT(sgd_target_normalise(sg_out_view(&a), &b) &&
              sg_str_eq(sg_out_view(&a), sg_out_view(&b)));
    for (size_t i = 0; i < a.len; i++) {
        struct sg_str rest = {once + i, a.len - i};
        SG_ASSERT(once[i] > 0x20 && once[i] < 0x7f && once[i] != '?' && once[i] != '#');
        SG_ASSERT(!sg_str_starts(rest, SG_STR("/../")) && !sg_str_starts(rest, SG_STR("/./")));
        SG_ASSERT(!sg_str_eq(rest, SG_STR("/..")) && !sg_str_eq(rest, SG_STR("/.")));
    }
}

static void check_query(struct sg_str query, enum sgd_query_policy policy)
{
    static char once[8192], twice[8192];
    struct sg_out a = sg_out_init(once, sizeof(once)), b = sg_out_init(twice, sizeof(twice));
    sgd_target_query_key(query, policy, NULL, 0, &a);
    if (a.full)
        return;
    sgd_target_query_key(sg_out_view(&a), policy, NULL, 0, &b);
    SG_ASSERT(a.len <= query.len && a.len == b.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sg_str all = {(const char *)bytes, len};
    if (len == 0 || len > 4096)
        return 0;
    check_path(all);
    check_query(all, SGD_QUERY_ALL);
    check_query(all, SGD_QUERY_SORTED);
    return 0;
}
