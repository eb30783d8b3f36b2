/* A piece of a copy, as it comes from the network: what is judged good is written again as the same
 * bytes. */
#include "base/assert.h"
#include "edgecache/state/copyrow.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char again[1 << 20];
    const struct sge_mark mark = {.stream = "fuzz", .seq = 1u << 20};
    struct sge_copy_at at = {.table = 0};
    struct sg_str piece = {(const char *)bytes, len};
    struct sg_out out = sg_out_init(again, sizeof(again));
    struct sge_copy_row row;
    if (!sge_copy_head_take(&piece, &at))
        return 0;
    sge_copy_head_put(&out, &at);
    while (piece.len > 0) {
        if (!sge_copy_row_take(&piece, &row) || !sge_copy_row_good(&row, &mark, &at))
            return 0;
        sge_copy_row_put(&out, &row);
    }
    SG_ASSERT(out.full || sg_str_eq(sg_out_view(&out), (struct sg_str){(const char *)bytes, len}));
    return 0;
}
