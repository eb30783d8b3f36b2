#include "controlplane/chain/wsframe.h"

#include "base/assert.h"
#include "controlplane/sys/sha1.h"

#define OP_CONTINUATION 0
#define FIN             0x80
#define RESERVED        0x70
#define MASKED          0x80
#define CONTROL_MAX     125u

/* ---- handshake ---- */

static void put_base64(struct sg_out *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        size_t have = SG_MIN(len - i, (size_t)3);
        uint32_t v = (uint32_t)bytes[i] << 16 | (have > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (have > 2 ? bytes[i + 2] : 0);
        for (uint32_t j = 0; j < 4; j++)
            sg_out_char(out, j <= have ? digits[v >> (18 - 6 * j) & 63] : '=');
    }
}

void sgc_ws_put_request(struct sg_out *out, struct sg_str host, struct sg_str target,
                        struct sg_str fields, const uint8_t nonce[16])
{
    sg_out_lit(out, "GET ");
    sg_out_str(out, target);
    sg_out_lit(out, " HTTP/1.1\r\nHost: ");
    sg_out_str(out, host);
    sg_out_lit(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: ");
    put_base64(out, nonce, 16);
    sg_out_lit(out, "\r\n");
    sg_out_str(out, fields);
    sg_out_lit(out, "\r\n");
}

/* What the server must say to our key. */
static struct sg_str accept_of(const uint8_t nonce[16], char memory[32])
{
    char key_memory[64];
    uint8_t hash[20];
    struct sg_out key = sg_out_init(key_memory, sizeof(key_memory));
    struct sg_out out = sg_out_init(memory, 32);
    put_base64(&key, nonce, 16);
    sg_out_lit(&key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    sgc_sha1(key.ptr, key.len, hash);
    put_base64(&out, hash, sizeof(hash));
    SG_ASSERT(!key.full && !out.full);
    return sg_out_view(&out);
}

/* A comma-separated list has the word. */
static bool list_has(struct sg_str list, struct sg_str word)
{
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.ptr) : list.len;
        if (sg_str_eq_nocase(sg_str_trim((struct sg_str){list.ptr, len}), word))
            return true;
        list = sg_str_skip(list, len + 1);
    }
    return false;
}

enum { SAID_UPGRADE = 1, SAID_CONNECTION = 2, SAID_ACCEPT = 4, SAID_ALL = 7 };

/* What a field contributes; -1: it may not be there. */
static int field_judge(struct sg_str line, struct sg_str want)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    if (colon == NULL)
        return -1;
    struct sg_str name = {line.ptr, (size_t)(colon - line.ptr)};
    struct sg_str value = sg_str_trim(sg_str_skip(line, name.len + 1));
    if (sg_str_eq_nocase(name, SG_STR("upgrade")))
        return sg_str_eq_nocase(value, SG_STR("websocket")) ? SAID_UPGRADE : -1;
    if (sg_str_eq_nocase(name, SG_STR("connection")))
        return list_has(value, SG_STR("upgrade")) ? SAID_CONNECTION : -1;
    if (sg_str_eq_nocase(name, SG_STR("sec-websocket-accept")))
        return sg_str_eq(value, want) ? SAID_ACCEPT : -1;
    /* We asked for neither. */
    if (sg_str_eq_nocase(name, SG_STR("sec-websocket-extensions")) ||
        sg_str_eq_nocase(name, SG_STR("sec-websocket-protocol")))
        return -1;
    return 0;
}

int32_t sgc_ws_read_response(struct sg_str bytes, const uint8_t nonce[16])
{
    char memory[32];
    struct sg_str want = accept_of(nonce, memory);
    size_t whole = SG_MIN(bytes.len, (size_t)SGC_WS_HEAD_MAX);
    const char *end = memmem(bytes.ptr, whole, "\r\n\r\n", 4);
    if (end == NULL)
        return bytes.len < SGC_WS_HEAD_MAX ? 0 : -1;
    int32_t head_len = (int32_t)(end - bytes.ptr) + 4;
    struct sg_str rest = {bytes.ptr, (size_t)head_len - 2};
    if (!sg_str_starts(rest, SG_STR("HTTP/1.1 101")) ||
        (rest.ptr[12] != ' ' && rest.ptr[12] != '\r'))
        return -1;
    int said = 0;
    for (bool first = true; rest.len > 0; first = false) {
        const char *line_end = memmem(rest.ptr, rest.len, "\r\n", 2);
        SG_ASSERT(line_end != NULL);
        size_t len = (size_t)(line_end - rest.ptr);
        int one = first ? 0 : field_judge((struct sg_str){rest.ptr, len}, want);
        if (one < 0)
            return -1;
        said |= one;
        rest = sg_str_skip(rest, len + 2);
    }
    return said == SAID_ALL ? head_len : -1;
}

/* ---- reading ---- */

void sgc_ws_reader_init(struct sgc_ws_reader *reader, uint8_t *memory, uint32_t memory_bytes)
{
    *reader = (struct sgc_ws_reader){.memory = memory, .memory_bytes = memory_bytes};
}

static uint8_t opcode_of(const struct sgc_ws_reader *reader)
{
    return reader->head[0] & 15;
}

static bool is_control(const struct sgc_ws_reader *reader)
{
    return opcode_of(reader) >= SGC_WS_OP_CLOSE;
}

/* Bytes of the head that the first two announce. */
static uint32_t head_bytes(const struct sgc_ws_reader *reader)
{
    uint8_t len = reader->head[1] & 127;
    return 2 + (len == 126 ? 2 : len == 127 ? 8 : 0);
}

static uint64_t head_length(const struct sgc_ws_reader *reader)
{
    uint64_t len = reader->head[1] & 127, v = 0;
    if (len < 126)
        return len;
    for (uint32_t i = 2; i < head_bytes(reader); i++)
        v = v << 8 | reader->head[i];
    return v;
}

/* The first two bytes: what can be judged before the length is known. */
static bool head_begins_well(const struct sgc_ws_reader *reader)
{
    uint8_t opcode = opcode_of(reader);
    if ((reader->head[0] & RESERVED) != 0 || (reader->head[1] & MASKED) != 0)
        return false;
    if (is_control(reader))
        return (reader->head[0] & FIN) != 0 && reader->head[1] <= CONTROL_MAX &&
               opcode <= SGC_WS_OP_PONG;
    return opcode == OP_CONTINUATION ? reader->in_message
                                     : opcode == SGC_WS_OP_TEXT && !reader->in_message;
}

/* All of the head is there. The length has one form, and the message must fit. */
static bool head_ends_well(struct sgc_ws_reader *reader)
{
    uint64_t len = head_length(reader);
    uint32_t bytes = head_bytes(reader);
    if ((bytes == 4 && len < 126) || (bytes == 10 && len <= UINT16_MAX))
        return false;
    reader->payload_left = len;
    reader->control_used = 0;
    if (is_control(reader))
        return true;
    if (opcode_of(reader) == SGC_WS_OP_TEXT)
        reader->memory_used = 0;
    reader->in_message = true;
    return len <= reader->memory_bytes - reader->memory_used;
}

/* False: bad. */
static bool head_take(struct sgc_ws_reader *reader, struct sg_str *bytes)
{
    while (bytes->len > 0 && (reader->head_used < 2 || reader->head_used < head_bytes(reader))) {
        reader->head[reader->head_used++] = (uint8_t)bytes->ptr[0];
        *bytes = sg_str_skip(*bytes, 1);
        if (reader->head_used == 2 && !head_begins_well(reader))
            return false;
        if (reader->head_used >= 2 && reader->head_used == head_bytes(reader))
            return head_ends_well(reader);
    }
    return true;
}

static void payload_take(struct sgc_ws_reader *reader, struct sg_str *bytes)
{
    size_t len = SG_MIN(bytes->len, (size_t)reader->payload_left);
    if (len == 0)
        return;
    if (is_control(reader)) {
        memcpy(reader->control + reader->control_used, bytes->ptr, len);
        reader->control_used += (uint32_t)len;
    } else {
        memcpy(reader->memory + reader->memory_used, bytes->ptr, len);
        reader->memory_used += (uint32_t)len;
    }
    reader->payload_left -= len;
    *bytes = sg_str_skip(*bytes, len);
}

static enum sgc_ws_event frame_end(struct sgc_ws_reader *reader)
{
    uint8_t opcode = opcode_of(reader);
    reader->head_used = 0;
    if (opcode >= SGC_WS_OP_CLOSE) {
        reader->message = (struct sg_str){(char *)reader->control, reader->control_used};
        return opcode == SGC_WS_OP_CLOSE  ? SGC_WS_CLOSE
               : opcode == SGC_WS_OP_PING ? SGC_WS_PING
                                          : SGC_WS_PONG;
    }
    if ((reader->head[0] & FIN) == 0)
        return SGC_WS_MORE;
    reader->in_message = false;
    reader->message = (struct sg_str){(char *)reader->memory, reader->memory_used};
    return SGC_WS_TEXT;
}

enum sgc_ws_event sgc_ws_read(struct sgc_ws_reader *reader, struct sg_str *bytes)
{
    for (;;) {
        if (!head_take(reader, bytes))
            return SGC_WS_BAD;
        if (reader->head_used < 2 || reader->head_used < head_bytes(reader))
            return SGC_WS_MORE;
        payload_take(reader, bytes);
        if (reader->payload_left > 0)
            return SGC_WS_MORE;
        enum sgc_ws_event event = frame_end(reader);
        if (event != SGC_WS_MORE || bytes->len == 0)
            return event;
    }
}

/* ---- writing ---- */

void sgc_ws_put(struct sg_out *out, enum sgc_ws_opcode opcode, struct sg_str payload,
                const uint8_t mask[4])
{
    SG_ASSERT(payload.len <= UINT16_MAX);
    sg_out_char(out, (char)(FIN | opcode));
    if (payload.len < 126) {
        sg_out_char(out, (char)(MASKED | payload.len));
    } else {
        sg_out_char(out, (char)(MASKED | 126));
        sg_out_char(out, (char)(payload.len >> 8));
        sg_out_char(out, (char)payload.len);
    }
    sg_out_bytes(out, mask, 4);
    for (size_t i = 0; i < payload.len; i++)
        sg_out_char(out, (char)(payload.ptr[i] ^ mask[i % 4]));
}
