/* Frames cut anywhere are read as in one piece, and no message outgrows its memory. The first byte
 * says how the input is cut. */
#include "base/assert.h"
#include "controlplane/chain/wsframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MEMORY_BYTES 512

/* Appends each event and its message to *out; ends with what is bad. */
static void read_all(struct sg_str bytes, size_t step, struct sg_out *out)
{
    static uint8_t memory[MEMORY_BYTES];
    struct sgc_ws_reader reader;
    sgc_ws_reader_init(&reader, memory, sizeof(memory));
    while (bytes.len > 0) {
        struct sg_str piece = {bytes.ptr, SG_MIN(step, bytes.len)};
        bytes = sg_str_skip(bytes, piece.len);
        while (piece.len > 0) {
            enum sgc_ws_event event = sgc_ws_read(&reader, &piece);
            SG_ASSERT(event != SGC_WS_MORE || piece.len == 0);
            if (event == SGC_WS_MORE)
                continue;
            sg_out_char(out, (char)event);
            if (event == SGC_WS_BAD)
                return;
            SG_ASSERT(reader.message.len <= MEMORY_BYTES);
            sg_out_str(out, reader.message);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char whole_memory[1 << 16], cut_memory[1 << 16];
    static const uint8_t nonce[16];
    struct sg_out whole = sg_out_init(whole_memory, sizeof(whole_memory));
    struct sg_out cut = sg_out_init(cut_memory, sizeof(cut_memory));
    if (len == 0)
        return 0;
    struct sg_str rest = {(const char *)bytes + 1, len - 1};
    read_all(rest, SIZE_MAX, &whole);
    read_all(rest, 1 + bytes[0] % 8, &cut);
    SG_ASSERT(whole.full == cut.full && sg_str_eq(sg_out_view(&whole), sg_out_view(&cut)));
    SG_ASSERT(sgc_ws_read_response(rest, nonce) <= (int32_t)rest.len);
    return 0;
}
