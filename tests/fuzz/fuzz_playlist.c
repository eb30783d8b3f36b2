/* HLS playlists and DASH manifests (one function reads both): whatever is written is an absolute
 * path of its own line, and no more than asked. */
#include "base/assert.h"
#include "dataplane/origin/playlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(struct sg_str out, uint32_t count)
{
    uint32_t lines = 0;
    for (size_t i = 0; i < out.len; i++) {
        SG_ASSERT(out.ptr[i] == '\n' || (out.ptr[i] > 0x20 && out.ptr[i] < 0x7f));
        SG_ASSERT((i != 0 && out.ptr[i - 1] != '\n') || out.ptr[i] == '/');
        lines += out.ptr[i] == '\n';
    }
    SG_ASSERT(lines == count && count <= 5);
}

/* The input's first line is what was asked for, the rest the playlist. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sg_str text = {(const char *)bytes, len};
    const char *end = len > 0 ? memchr(bytes, '\n', len) : NULL;
    struct sg_str after = {text.ptr, end != NULL ? (size_t)(end - text.ptr) : len};
    char memory[8192];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    text = sg_str_skip(text, after.len + 1);
    (void)sgd_playlist_refs(text);
    uint32_t count = sgd_playlist_next(text, SG_STR("/a/b/list"), after, 5, &out);
    check(sg_out_view(&out), count);
    return 0;
}
