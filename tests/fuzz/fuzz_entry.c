/* An entry of the ownership stream: whatever is read is written back as the same bytes, but for
 * an older version's number. */
#include "base/assert.h"
#include "controlplane/feed/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sgc_entry_room room;
    static char memory[SGC_ENTRY_BYTES_MAX];
    struct sge_batch batch = {0};
    struct sg_str bytes = {(const char *)data, size};
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    if (sgc_entry_read(bytes, &room, &batch) != SG_OK)
        return 0;
    SG_ASSERT(sgc_entry_write(&batch, &out));
    SG_ASSERT(sg_str_eq(sg_str_skip(sg_out_view(&out), 1), sg_str_skip(bytes, 1)));
    return 0;
}
