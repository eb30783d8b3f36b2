/* An origin's response head: what is let through has lower-case token names, no control characters,
 * and none of the fields that are not for others. */
#include "base/assert.h"
#include "dataplane/origin/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(struct sg_str lines)
{
    bool in_name = true;
    for (size_t i = 0; i < lines.len; i++) {
        unsigned char c = (unsigned char)lines.ptr[i];
        if (in_name)
            SG_ASSERT(c > 0x20 && c < 0x7f && !(c >= 'A' && c <= 'Z'));
        else
            SG_ASSERT(c != 0 && c != 0x7f && (c >= 0x20 || c == '\t' || c == '\r' || c == '\n'));
        if (c == ':')
            in_name = false;
        if (c == '\n') {
            SG_ASSERT(i > 0 && lines.ptr[i - 1] == '\r');
            in_name = true;
        }
    }
    SG_ASSERT(in_name);
    SG_ASSERT(!sg_str_starts(lines, SG_STR("connection:")));
    SG_ASSERT(memmem(lines.ptr, lines.len, "\ntransfer-encoding:", 19) == NULL);
    SG_ASSERT(memmem(lines.ptr, lines.len, "\nconnection:", 12) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char memory[32768], hints[512];
    struct sgd_head head;
    const char *at = (const char *)bytes, *end = at + len;
    sgd_head_begin(&head, memory, sizeof(memory));
    head.hints = sg_out_init(hints, sizeof(hints));
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        size_t line_len = lf != NULL ? (size_t)(lf - at) + 1 : (size_t)(end - at);
        if (sgd_head_line(&head, at, line_len) != SGD_ORIGIN_none)
            return 0;
        at += line_len;
    }
    check(sg_out_view(&head.hints));
    if (head.state == SGD_HEAD_WHOLE)
        check(sg_out_view(&head.lines));
    return 0;
}
