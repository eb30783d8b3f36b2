/* abi_peer - our ABI reader and writer on lines "TYPES HEX" of standard input, for abi.mjs: "no",
 * or "VALUES HEX" with the values as nested lists of hex, and them written again. */
#include "base/assert.h"
#include "controlplane/chain/abi.h"

#include <stdio.h>
#include <stdlib.h>

#define BYTES_MAX (1u << 20)

static char text[4 * BYTES_MAX];

static void put_value(struct sg_out *out, const struct sgc_abi_value *value)
{
    enum sgc_abi_kind kind = sgc_abi_kind_of(value);
    if (kind <= SGC_ABI_FIXED_BYTES) {
        sg_out_hex(out, sgc_abi_word(value), 32);
        return;
    }
    if (kind == SGC_ABI_BYTES || kind == SGC_ABI_STRING) {
        struct sg_str bytes = sgc_abi_bytes(value);
        sg_out_char(out, '"');
        sg_out_hex(out, bytes.ptr, bytes.len);
        return;
    }
    sg_out_char(out, '[');
    for (uint32_t i = 0; i < sgc_abi_count(value); i++) {
        struct sgc_abi_value item = sgc_abi_item(value, i);
        sg_out_str(out, i > 0 ? SG_STR(",") : SG_STR_NONE);
        put_value(out, &item);
    }
    sg_out_char(out, ']');
}

static void write_items(struct sgc_abi_writer *writer, const struct sgc_abi_value *value);

static void write_value(struct sgc_abi_writer *writer, const struct sgc_abi_value *value)
{
    enum sgc_abi_kind kind = sgc_abi_kind_of(value);
    if (kind <= SGC_ABI_FIXED_BYTES) {
        sgc_abi_put_word(writer, sgc_abi_word(value));
    } else if (kind == SGC_ABI_BYTES || kind == SGC_ABI_STRING) {
        struct sg_str bytes = sgc_abi_bytes(value);
        sgc_abi_put_bytes(writer, bytes.ptr, bytes.len);
    } else {
        sgc_abi_open(writer, sgc_abi_count(value));
        write_items(writer, value);
        sgc_abi_shut(writer);
    }
}

static void write_items(struct sgc_abi_writer *writer, const struct sgc_abi_value *value)
{
    for (uint32_t i = 0; i < sgc_abi_count(value); i++) {
        struct sgc_abi_value item = sgc_abi_item(value, i);
        write_value(writer, &item);
    }
}

static uint32_t unhex(const char *hex, uint8_t *out)
{
    uint32_t len = (uint32_t)strcspn(hex, "\n") / 2;
    for (uint32_t i = 0; i < len; i++)
        SG_ASSERT(sscanf(hex + 2 * i, "%2hhx", out + i) == 1);
    return len;
}

static void answer(char *line)
{
    static uint8_t bytes[BYTES_MAX], again[BYTES_MAX];
    struct sg_out values = sg_out_init(text, sizeof(text));
    struct sg_out out = sg_out_init(again, sizeof(again));
    struct sgc_abi_writer writer;
    struct sgc_abi abi;
    struct sgc_abi_value root;
    char *hex = strchr(line, ' ');
    SG_ASSERT(hex != NULL);
    *hex++ = '\0';
    if (!sgc_abi_types(sg_str_from(line), &abi) ||
        !sgc_abi_read(&abi, bytes, unhex(hex, bytes), &root)) {
        puts("no");
        return;
    }
    put_value(&values, &root);
    sgc_abi_write(&writer, &abi, &out);
    write_items(&writer, &root);
    SG_ASSERT(!values.full && !out.full);
    printf("%.*s ", SG_STR_ARG(sg_out_view(&values)));
    for (size_t i = 0; i < out.len; i++)
        printf("%02x", again[i]);
    puts("");
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0)
        answer(line);
    free(line);
    return 0;
}
