/* What the checker accepts, the reader must walk to its last byte, meeting nothing it refuses. */
#include "base/assert.h"
#include "base/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sg_str all = {(const char *)bytes, len};
    struct sg_cbor whole = sg_cbor_init(all), heads = whole;
    struct sg_cbor_item item;
    bool good = sg_cbor_check(all), skipped = sg_cbor_skip(&whole);
    SG_ASSERT(whole.at <= whole.end);
    SG_ASSERT(!good || (skipped && whole.at == whole.end));
    while (sg_cbor_next(&heads, &item))
        SG_ASSERT(item.bytes.len <= len);
    SG_ASSERT(heads.at <= heads.end);
    SG_ASSERT(!good || heads.at == heads.end);
    return 0;
}
