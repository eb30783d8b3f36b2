/* What goes over the feed beside entries: beats, reports, the words of a copy. The first byte says
 * which. */
#include "base/assert.h"
#include "controlplane/feed/beat.h"
#include "controlplane/feed/copies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void beat(struct sg_str bytes, struct sg_out *out)
{
    static struct sgc_beat read;
    if (sgc_beat_read(bytes, &read) == SG_OK)
        SG_ASSERT(sgc_beat_write(&read, out) && sg_str_eq(sg_out_view(out), bytes));
}

static void applied(struct sg_str bytes, struct sg_out *out)
{
    struct sgc_applied read;
    if (sgc_applied_read(bytes, &read) == SG_OK)
        SG_ASSERT(sgc_applied_write(&read, out) && sg_str_eq(sg_out_view(out), bytes));
}

static void begun(struct sg_str bytes, struct sg_out *out)
{
    struct sgc_copy_begun read;
    if (sgc_copy_begun_read(bytes, &read) == SG_OK)
        SG_ASSERT(sgc_copy_begun_write(&read, out) && sg_str_eq(sg_out_view(out), bytes));
}

static void ask(struct sg_str bytes, struct sg_out *out)
{
    uint64_t session;
    uint32_t piece;
    if (sgc_copy_ask_read(bytes, &session, &piece) == SG_OK)
        SG_ASSERT(sgc_copy_ask_write(session, piece, out) && sg_str_eq(sg_out_view(out), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const all[])(struct sg_str bytes, struct sg_out * out) = {beat, applied, begun,
                                                                            ask};
    static char memory[SGC_BEAT_BYTES_MAX];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    if (size > 0)
        all[data[0] % SG_COUNT(all)]((struct sg_str){(const char *)data + 1, size - 1}, &out);
    return 0;
}
