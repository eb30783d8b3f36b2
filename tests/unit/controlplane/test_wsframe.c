#include "tests/sgt.h"

#include "controlplane/chain/wsframe.h"

#include <string.h>

static uint8_t memory[1024];

static struct sg_str text(const void *bytes, size_t len)
{
    return (struct sg_str){bytes, len};
}

/* RFC 6455 section 1.3. */
static const uint8_t sample_nonce[16] = "the sample nonce";
#define RESPONSE(lines) "HTTP/1.1 101 Switching Protocols\r\n" lines "\r\n"
#define ACCEPT          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static int32_t shake(const char *said)
{
    return sgc_ws_read_response(sg_str_from(said), sample_nonce);
}

static void the_key_of_the_specification_is_sent_and_its_answer_taken(void **fixture)
{
    char request[512];
    struct sg_out out = sg_out_init(request, sizeof(request));
    sgc_ws_put_request(&out, SG_STR("rpc.example.org"), SG_STR("/ws"), SG_STR("A: b\r\n"),
                       sample_nonce);
    request[out.len] = '\0';
    assert_non_null(strstr(request, "GET /ws HTTP/1.1\r\nHost: rpc.example.org\r\n"));
    assert_non_null(strstr(request, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
    assert_string_equal(request + out.len - 10, "\r\nA: b\r\n\r\n");
    const char *good = RESPONSE("Upgrade: WebSocket\r\nconnection: x, upgrade\r\n" ACCEPT) "rest";
    assert_int_equal(shake(good), strlen(good) - 4);
    for (size_t len = 0; len < strlen(good) - 4; len++)
        assert_int_equal(sgc_ws_read_response(text(good, len), sample_nonce), 0);
    (void)fixture;
}

static void a_server_that_does_not_agree_is_refused(void **fixture)
{
    static const char *const bad[] = {
        "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
        "HTTP/1.1 1010 No\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
        RESPONSE("Connection: Upgrade\r\n" ACCEPT),
        RESPONSE("Upgrade: websocket\r\n" ACCEPT),
        RESPONSE("Upgrade: websocket\r\nConnection: Upgrade\r\n"),
        RESPONSE("Upgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT),
        RESPONSE("Upgrade: websocket\r\nConnection: close\r\n" ACCEPT),
        RESPONSE("Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n"),
        RESPONSE("Upgrade: websocket\r\nConnection: Upgrade\r\n" ACCEPT
                 "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        RESPONSE("Upgrade: websocket\r\nConnection: Upgrade\r\n" ACCEPT
                 "Sec-WebSocket-Protocol: chat\r\n"),
        RESPONSE("Upgrade: websocket\r\nConnection: Upgrade\r\n" ACCEPT "no field\r\n"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(shake(bad[i]), -1);
    static char endless[SGC_WS_HEAD_MAX + 1];
    memset(endless, 'x', sizeof(endless) - 1);
    assert_int_equal(shake(endless), -1);
    (void)fixture;
}

static enum sgc_ws_event event_of(const char *bytes, size_t len, struct sgc_ws_reader *reader)
{
    struct sg_str rest = text(bytes, len);
    sgc_ws_reader_init(reader, memory, 256);
    return sgc_ws_read(reader, &rest);
}

/* RFC 6455 section 5.7, in one piece and byte by byte. */
static void frames_of_the_specification_are_read(void **fixture)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum sgc_ws_event event;
        const char *message;
    } rows[] = {
        {"\x81\x05Hello", 7, SGC_WS_TEXT, "Hello"},
        {"\x01\x03Hel\x80\x02lo", 9, SGC_WS_TEXT, "Hello"},
        {"\x89\x05Hello", 7, SGC_WS_PING, "Hello"},
        {"\x8a\x00", 2, SGC_WS_PONG, ""},
        {"\x88\x02\x03\xe8", 4, SGC_WS_CLOSE, "\x03\xe8"},
        {"\x81\x00", 2, SGC_WS_TEXT, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sgc_ws_reader reader;
        enum sgc_ws_event event = event_of(rows[i].bytes, rows[i].len, &reader);
        assert_int_equal(event, rows[i].event);
        assert_true(sg_str_eq(reader.message, sg_str_from(rows[i].message)));
        sgc_ws_reader_init(&reader, memory, 256);
        for (size_t at = 0; at < rows[i].len; at++) {
            struct sg_str one = text(rows[i].bytes + at, 1);
            event = sgc_ws_read(&reader, &one);
            assert_int_equal(one.len, 0);
            assert_int_equal(event, at + 1 == rows[i].len ? rows[i].event : SGC_WS_MORE);
        }
        assert_true(sg_str_eq(reader.message, sg_str_from(rows[i].message)));
    }
    (void)fixture;
}

static void a_ping_between_fragments_disturbs_nothing(void **fixture)
{
    struct sgc_ws_reader reader;
    struct sg_str rest = text("\x01\x03Hel\x89\x01p\x80\x02lo\x81\x01x", 15);
    sgc_ws_reader_init(&reader, memory, 256);
    assert_int_equal(sgc_ws_read(&reader, &rest), SGC_WS_PING);
    assert_true(sg_str_eq(reader.message, SG_STR("p")));
    assert_int_equal(sgc_ws_read(&reader, &rest), SGC_WS_TEXT);
    assert_true(sg_str_eq(reader.message, SG_STR("Hello")));
    assert_int_equal(sgc_ws_read(&reader, &rest), SGC_WS_TEXT);
    assert_true(sg_str_eq(reader.message, SG_STR("x")));
    (void)fixture;
}

static void what_a_server_may_not_send_ends_it(void **fixture)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11}, /* masked */
        {"\x82\x01x", 3},                                     /* binary: no JSON-RPC */
        {"\xc1\x01x", 3},                                     /* a reserved bit */
        {"\x83\x01x", 3},                                     /* an unknown opcode */
        {"\x8b\x00", 2},
        {"\x80\x01x", 3},          /* goes on with nothing */
        {"\x01\x01x\x01\x01y", 6}, /* a second beginning */
        {"\x09\x00", 2},           /* a ping in fragments */
        {"\x89\x7e\x00\x7e", 4},   /* a ping too long */
        {"\x81\x7e\x00\x7d", 4},   /* lengths not in their shortest form */
        {"\x81\x7f\0\0\0\0\0\0\xff\xff", 10},
        {"\x81\x7f\x80\0\0\0\0\0\0\0", 10},
        {"\x81\x7e\x01\x01", 4}, /* more than fits */
    };
    struct sgc_ws_reader reader;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sg_str rest = text(rows[i].bytes, rows[i].len);
        enum sgc_ws_event event = SGC_WS_MORE;
        sgc_ws_reader_init(&reader, memory, 256);
        while (rest.len > 0 && event != SGC_WS_BAD)
            event = sgc_ws_read(&reader, &rest);
        if (event != SGC_WS_BAD)
            fail_msg("row %zu", i);
    }
    (void)fixture;
}

/* Fragments that fit one by one, and not together. */
static void a_message_in_pieces_is_bounded_too(void **fixture)
{
    struct sgc_ws_reader reader;
    sgc_ws_reader_init(&reader, memory, 256);
    static const uint8_t piece[102] = {1, 100}, next[102] = {0, 100};
    struct sg_str rest = text(piece, sizeof(piece));
    assert_int_equal(sgc_ws_read(&reader, &rest), SGC_WS_MORE);
    rest = text(next, sizeof(next));
    assert_int_equal(sgc_ws_read(&reader, &rest), SGC_WS_MORE);
    rest = text(next, sizeof(next));
    assert_int_equal(sgc_ws_read(&reader, &rest), SGC_WS_BAD);
    (void)fixture;
}

static void what_we_send_is_masked(void **fixture)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    char sent[512];
    struct sg_out out = sg_out_init(sent, sizeof(sent));
    sgc_ws_put(&out, SGC_WS_OP_TEXT, SG_STR("Hello"), mask);
    assert_int_equal(out.len, 11);
    assert_memory_equal(sent, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    char long_text[200] = {0};
    out = sg_out_init(sent, sizeof(sent));
    sgc_ws_put(&out, SGC_WS_OP_TEXT, text(long_text, sizeof(long_text)), mask);
    assert_int_equal(out.len, 208);
    assert_memory_equal(sent, "\x81\xfe\x00\xc8", 4);
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_the_specification_is_sent_and_its_answer_taken),
        cmocka_unit_test(a_server_that_does_not_agree_is_refused),
        cmocka_unit_test(frames_of_the_specification_are_read),
        cmocka_unit_test(a_ping_between_fragments_disturbs_nothing),
        cmocka_unit_test(what_a_server_may_not_send_ends_it),
        cmocka_unit_test(a_message_in_pieces_is_bounded_too),
        cmocka_unit_test(what_we_send_is_masked),
    };
    return sgt_main("wsframe", tests, sizeof(tests) / sizeof(tests[0]));
}
