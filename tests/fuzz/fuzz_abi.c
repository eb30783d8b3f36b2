/* Types in the first line, bytes after it. What is read is walked whole, written, and read again
 * as the same. */
#include "base/assert.h"
#include "controlplane/chain/abi.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void items_write(struct sgc_abi_writer *writer, const struct sgc_abi_value *value)
{
    for (uint32_t i = 0; i < sgc_abi_count(value); i++) {
        struct sgc_abi_value item = sgc_abi_item(value, i);
        enum sgc_abi_kind kind = sgc_abi_kind_of(&item);
        if (kind <= SGC_ABI_FIXED_BYTES) {
            sgc_abi_put_word(writer, sgc_abi_word(&item));
        } else if (kind == SGC_ABI_BYTES || kind == SGC_ABI_STRING) {
            struct sg_str text = sgc_abi_bytes(&item);
            sgc_abi_put_bytes(writer, text.ptr, text.len);
        } else {
            sgc_abi_open(writer, sgc_abi_count(&item));
            items_write(writer, &item);
            sgc_abi_shut(writer);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t first[1 << 16], second[1 << 16];
    struct sgc_abi abi;
    struct sgc_abi_value root, again;
    struct sgc_abi_writer writer;
    const uint8_t *end = len > 0 ? memchr(bytes, '\n', len) : NULL;
    if (end == NULL ||
        !sgc_abi_types((struct sg_str){(const char *)bytes, (size_t)(end - bytes)}, &abi))
        return 0;
    size_t rest = len - (size_t)(end + 1 - bytes);
    if (abi.types[0].kind != SGC_ABI_TUPLE || !sgc_abi_read(&abi, end + 1, rest, &root))
        return 0;
    struct sg_out out = sg_out_init(first, sizeof(first)),
                  copy = sg_out_init(second, sizeof(second));
    sgc_abi_write(&writer, &abi, &out);
    items_write(&writer, &root);
    if (out.full)
        return 0;
    SG_ASSERT(out.len <= (rest + 31) / 32 * 32); /* it can't have grown */
    bool is_read = sgc_abi_read(&abi, first, out.len, &again);
    SG_ASSERT(is_read);
    sgc_abi_write(&writer, &abi, &copy);
    items_write(&writer, &again);
    SG_ASSERT(copy.len == out.len && memcmp(first, second, out.len) == 0);
    return 0;
}
