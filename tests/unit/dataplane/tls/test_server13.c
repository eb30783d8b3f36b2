/* Our own server of TLS 1.3 against OpenSSL's client, and against a client that has the keys and
 * breaks the rules. */
#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "dataplane/tls/ctx.h"
#include "dataplane/tls/ctx_impl.h"
#include "dataplane/tls/hello13.h"
#include "dataplane/tls/server13.h"
#include "tests/unit/dataplane/tls/tlspeer.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

enum { UNEXPECTED_MESSAGE = 10, BAD_RECORD_MAC = 20, DECODE_ERROR = 50, DECRYPT_ERROR = 51 };

static char folder[64];
static struct sgd_tlscrypto *crypto;
static struct sgd_servers13 *servers;
static struct sgd_tls_ctx *ec, *rsa, *ed25519, *p384;
static struct sgd_server13 server;

static struct sgd_tls_ctx *ctx_of(const char *name)
{
    char cert[128], key[128], text[512];
    struct sg_out report = sg_out_init(text, sizeof(text));
    struct sgd_tls_ctx *ctx = NULL;
    snprintf(cert, sizeof(cert), "%s/%s.crt", folder, name);
    snprintf(key, sizeof(key), "%s/%s.key", folder, name);
    struct sg_conf_certificate one = {cert, key, NULL};
    struct sg_conf_tls conf = {.certificates = &one,
                               .certificates_count = 1,
                               .ticket_rotate_s = 3600,
                               .ticket_lifetime_s = 7200};
    return sgd_tls_ctx_open(&conf, NULL, &report, &ctx) == SG_OK ? ctx : NULL;
}

/* A ClientHello's record, as OpenSSL's client with these options writes it. */
static size_t hello_of(struct sgt_tls *client, const struct sgt_tls_options *options,
                       const char *groups, uint8_t *out, size_t max)
{
    sgt_tls_client(client, options);
    assert_int_equal(SSL_set1_groups_list(client->ssl, groups), 1);
    SSL_do_handshake(client->ssl);
    int len = BIO_read(client->wbio, out, (int)max);
    assert_true(len > 0);
    return (size_t)len;
}

static bool begin(struct sgd_tls_ctx *ctx, const uint8_t *record, size_t len, struct sgd_span *out)
{
    sgd_server13_fini(&server);
    return sgd_server13_begin(&server, servers, sgd_tls_ctx_first(ctx), record, len, out);
}

/* A handshake that waits for the client's Finished. */
static void begin_with(struct sgt_tls *client, const struct sgt_tls_options *options)
{
    uint8_t hello[2048];
    struct sgd_span out;
    size_t len = hello_of(client, options, "X25519", hello, sizeof(hello));
    assert_true(begin(ec, hello, len, &out));
    BIO_write(client->rbio, out.bytes, (int)out.len);
}

static enum sgd_server13_step feed(const uint8_t *bytes, size_t len, size_t *taken,
                                   struct sgd_span *out)
{
    return sgd_server13_feed(&server, servers, bytes, len, sg_clock_wall_ns() / SG_NS_PER_SEC,
                             taken, out);
}

static void finishes(struct sgd_tls_ctx *ctx, const struct sgt_tls_options *options)
{
    struct sgt_tls client;
    uint8_t bytes[4096], text[64], *plain;
    struct sgd_span out;
    struct sgd_tls_keys keys;
    struct sgd_tlsrec rec;
    size_t taken, plain_len, len = hello_of(&client, options, "X25519", bytes, sizeof(bytes));
    enum sgd_close why;
    assert_true(begin(ctx, bytes, len, &out));
    BIO_write(client.rbio, out.bytes, (int)out.len);
    assert_int_equal(SSL_do_handshake(client.ssl), 1);
    assert_int_equal(SSL_write(client.ssl, "request", 7), 7);
    len = (size_t)BIO_read(client.wbio, bytes, sizeof(bytes));
    assert_int_equal(feed(bytes, len, &taken, &out), SGD_SERVER13_DONE);
    assert_true(taken < len); /* the request is not the handshake's */
    BIO_write(client.rbio, out.bytes, (int)out.len);
    sgd_server13_keys(&server, &keys);
    sgd_server13_fini(&server);
    sgd_tlsrec_init(&rec, crypto, &keys);
    uint8_t *in = bytes + taken;
    len -= taken;
    assert_int_equal(sgd_tlsrec_open(&rec, &in, &len, &plain, &plain_len, &why), SGD_TLSREC_DATA);
    assert_memory_equal(plain, "request", plain_len);
    struct sg_slice answer = {(const uint8_t *)"answer", 6, NULL};
    (void)sgd_tlsrec_seal(&rec, &answer, 1, 0, bytes, sizeof(bytes), &len);
    BIO_write(client.rbio, bytes, (int)len);
    assert_int_equal(SSL_read(client.ssl, text, sizeof(text)), 6); /* past the ticket */
    assert_memory_equal(text, "answer", 6);
    assert_int_equal(SSL_SESSION_has_ticket(SSL_get0_session(client.ssl)), 1);
    sgd_tlsrec_fini(&rec);
    sgt_tls_end(&client);
}

static void plain_clients_get_their_answer(void **fixture)
{
    struct sgt_tls_options any = {.version = TLS1_3_VERSION};
    struct sgt_tls_options named = {
        .version = TLS1_3_VERSION, .sni = "a.example", .alpn = "\x02h2\x08http/1.1"};
    struct sgt_tls_options chacha = {.version = TLS1_3_VERSION,
                                     .ciphers =
                                         "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"};
    finishes(ec, &any);
    finishes(rsa, &any);
    finishes(ec, &named);
    finishes(ec, &chacha);
    assert_int_equal(server.aead, 0); /* wiped */
    (void)fixture;
}

static void leaves(struct sgd_tls_ctx *ctx, const struct sgt_tls_options *options,
                   const char *groups)
{
    struct sgt_tls client;
    uint8_t hello[2048];
    struct sgd_span out;
    size_t len = hello_of(&client, options, groups, hello, sizeof(hello));
    assert_false(begin(ctx, hello, len, &out));
    sgt_tls_end(&client);
}

static void what_is_not_plain_is_left_to_openssl(void **fixture)
{
    struct sgt_tls_options any = {.version = TLS1_3_VERSION}, tls12 = {.version = TLS1_2_VERSION};
    struct sgt_tls_options h2 = {.version = TLS1_3_VERSION, .alpn = "\x02h2"};
    struct sgt_tls_options aes256 = {.version = TLS1_3_VERSION,
                                     .ciphers = "TLS_AES_256_GCM_SHA384"};
    leaves(ec, &tls12, "X25519");
    leaves(ec, &any, "P-256:X25519"); /* a share of the first only */
    leaves(ec, &h2, "X25519");
    leaves(ec, &aes256, "X25519");
    leaves(ed25519, &any, "X25519");
    leaves(p384, &any, "X25519");
    (void)fixture;
}

/* An extension at the end of a ClientHello's record. */
static size_t extended(const uint8_t *record, size_t len, const uint8_t *extension, size_t more,
                       uint8_t *out)
{
    size_t at = 5 + 4 + 2 + 32;
    memcpy(out, record, len);
    memcpy(out + len, extension, more);
    at += 1u + out[at];
    at += 2u + (size_t)(out[at] << 8 | out[at + 1]);
    at += 1u + out[at];
    size_t fields[][2] = {
        {3, 2}, {6, 3}, {at, 2}}; /* where lengths stand, and how long those are */
    for (size_t i = 0; i < 3; i++) {
        size_t value = 0;
        for (size_t k = 0; k < fields[i][1]; k++)
            value = value << 8 | out[fields[i][0] + k];
        value += more;
        for (size_t k = fields[i][1]; k-- > 0; value >>= 8)
            out[fields[i][0] + k] = (uint8_t)value;
    }
    return len + more;
}

static void a_hello_with_anything_odd_is_left_to_openssl(void **fixture)
{
    static const struct {
        uint8_t bytes[40], len;
        bool ours;
    } rows[] = {
        {{0xfa, 0xfa, 0, 1, 0}, 5, true},              /* unknown */
        {{0, 43, 0, 3, 2, 3, 4}, 7, false},            /* twice */
        {{0, 41, 0, 0}, 4, false},                     /* pre_shared_key */
        {{0, 42, 0, 0}, 4, false},                     /* early_data */
        {{0, 44, 0, 2, 0, 0}, 6, false},               /* cookie */
        {{0, 1, 0, 1, 1}, 5, false},                   /* max_fragment_length */
        {{0, 50, 0, 4, 0, 2, 4, 3}, 8, false},         /* signature_algorithms_cert */
        {{0, 49, 0, 0}, 4, true},                      /* post_handshake_auth */
        {{0, 49, 0, 1, 0}, 5, false},                  /* with something in it */
        {{0, 5, 0, 5, 1, 0, 0, 0, 0}, 9, true},        /* status_request */
        {{0, 5, 0, 5, 2, 0, 0, 0, 0}, 9, false},       /* of a type that nobody knows */
        {{0, 0, 0, 6, 0, 4, 0, 0, 1, 'a'}, 10, true},  /* server_name */
        {{0, 0, 0, 6, 0, 4, 0, 0, 1, 0}, 10, false},   /* a NUL in it */
        {{0, 0, 0, 6, 0, 4, 1, 0, 1, 'a'}, 10, false}, /* of another type */
        {{0, 0, 0, 5, 0, 3, 0, 0, 0}, 9, false},       /* empty */
        {{0xfa, 0xfa, 0, 9, 0}, 5, false},             /* longer than the rest */
        {{0xfa, 0xfa, 0}, 3, false},                   /* cut */
    };
    struct sgt_tls client;
    uint8_t hello[2048], longer[2048 + 64];
    struct sgd_span out;
    size_t len = hello_of(&client, &(struct sgt_tls_options){.version = TLS1_3_VERSION}, "X25519",
                          hello, sizeof(hello));
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        size_t more = extended(hello, len, rows[i].bytes, rows[i].len, longer);
        assert_int_equal(begin(ec, longer, more, &out), rows[i].ours);
    }
    sgt_tls_end(&client);
    (void)fixture;
}

/* A byte changed anywhere may still be a hello, but never one that is read past its end. */
static void no_hello_is_read_past_its_end(void **fixture)
{
    struct sgt_tls client;
    struct sgd_hello13 read;
    uint8_t hello[2048];
    size_t len = hello_of(&client, &(struct sgt_tls_options){.version = TLS1_3_VERSION}, "X25519",
                          hello, sizeof(hello));
    for (size_t cut = 6; cut < len; cut++)
        assert_false(sgd_hello13_read(hello + 5, cut - 5, &read));
    for (size_t i = 0; i < len; i++) {
        struct sgd_span out;
        hello[i] ^= 0xff;
        uint8_t *exact = malloc(len - 5);
        memcpy(exact, hello + 5, len - 5);
        (void)sgd_hello13_read(exact, len - 5, &read);
        free(exact);
        if (i < 11) /* the record's head, the message's, the version */
            assert_false(begin(ec, hello, len, &out));
        hello[i] ^= 0xff;
    }
    sgt_tls_end(&client);
    (void)fixture;
}

static void a_share_of_small_order_is_left_to_openssl(void **fixture)
{
    struct sgt_tls client;
    struct sgd_hello13 read;
    struct sgd_span out;
    uint8_t hello[2048];
    size_t len = hello_of(&client, &(struct sgt_tls_options){.version = TLS1_3_VERSION}, "X25519",
                          hello, sizeof(hello));
    assert_true(sgd_hello13_read(hello + 5, len - 5, &read));
    memset((uint8_t *)(uintptr_t)read.share, 0, 32);
    assert_false(begin(ec, hello, len, &out));
    sgt_tls_end(&client);
    (void)fixture;
}

/* ---- a client that has the keys ---- */

struct rogue {
    struct sgt_tls client; /* made the hello */
    struct sgd_tlsrec rec;
    uint8_t finished[36];
};

static void rogue_begin(struct rogue *rogue)
{
    begin_with(&rogue->client, &(struct sgt_tls_options){.version = TLS1_3_VERSION});
    struct sgd_tls_keys keys = {.version = 0x0304,
                                .aead = (enum sgd_tls_aead)server.aead,
                                .secret_len = 32,
                                .tx = server.rec.rx,
                                .rx = server.tx_data};
    sgd_tlsrec_init(&rogue->rec, crypto, &keys);
    rogue->rec.shaking = true;
    memcpy(rogue->finished, server.expected, sizeof(rogue->finished));
}

static void rogue_end(struct rogue *rogue)
{
    sgd_tlsrec_fini(&rogue->rec);
    sgt_tls_end(&rogue->client);
}

/* What the server's alert says, or -1 for none. */
static int alert_of(struct rogue *rogue, struct sgd_span out)
{
    uint8_t bytes[256], *in = bytes, *plain;
    size_t len = out.len, plain_len;
    enum sgd_close why = SGD_CLOSE_none;
    if (len == 0)
        return -1;
    memcpy(bytes, out.bytes, len);
    assert_int_equal(sgd_tlsrec_open(&rogue->rec, &in, &len, &plain, &plain_len, &why),
                     SGD_TLSREC_FAILED);
    assert_int_equal(why, SGD_CLOSE_tls_alert);
    return in[-18]; /* opened in place: level, alert, type, tag */
}

/* Gives the server some bytes; it must refuse them with this alert (-1: none). */
static void refused_with(struct rogue *rogue, const uint8_t *bytes, size_t len, int alert)
{
    struct sgd_span out;
    size_t taken;
    assert_int_equal(feed(bytes, len, &taken, &out), SGD_SERVER13_FAILED);
    assert_int_equal(alert_of(rogue, out), alert);
    rogue_end(rogue);
}

static void message_refused(const uint8_t *message, size_t len, int alert)
{
    struct rogue rogue;
    uint8_t record[512];
    rogue_begin(&rogue);
    refused_with(&rogue, record, sgd_tlsrec_seal_messages(&rogue.rec, message, len, record), alert);
}

static void a_finished_that_is_not_the_one_is_refused(void **fixture)
{
    struct rogue rogue;
    uint8_t record[512], message[80];
    for (size_t i = 4; i < 36; i += 5) {
        rogue_begin(&rogue);
        rogue.finished[i] ^= 0x10;
        refused_with(&rogue, record,
                     sgd_tlsrec_seal_messages(&rogue.rec, rogue.finished, 36, record),
                     DECRYPT_ERROR);
    }
    memset(message, 0, sizeof(message));
    memcpy(message, (uint8_t[]){20, 0, 0, 31}, 4);
    message_refused(message, 35, DECODE_ERROR);
    memcpy(message, (uint8_t[]){20, 0, 0, 64}, 4);
    message_refused(message, 68, DECODE_ERROR);
    memcpy(message, (uint8_t[]){24, 0, 0, 1}, 4); /* a KeyUpdate */
    message_refused(message, 5, UNEXPECTED_MESSAGE);
    memcpy(message, (uint8_t[]){1, 0, 0, 1}, 4);
    message_refused(message, 5, UNEXPECTED_MESSAGE);
    rogue_begin(&rogue); /* the right one, and something behind it */
    memcpy(message, rogue.finished, 36);
    refused_with(&rogue, record, sgd_tlsrec_seal_messages(&rogue.rec, message, 41, record),
                 UNEXPECTED_MESSAGE);
    (void)fixture;
}

static void records_that_do_not_belong_are_refused(void **fixture)
{
    static const uint8_t fatal[] = {21, 3, 3, 0, 2, 2, 40}, hello[] = {22, 3, 3, 0, 4, 1, 0, 0, 0};
    static const uint8_t ccs_of_2[] = {20, 3, 3, 0, 1, 2}, long_ccs[] = {20, 3, 3, 0, 2, 1, 1};
    struct rogue rogue;
    uint8_t record[512], many[33 * 6];
    size_t len;
    rogue_begin(&rogue);
    refused_with(&rogue, fatal, sizeof(fatal), -1);
    rogue_begin(&rogue);
    refused_with(&rogue, hello, sizeof(hello), UNEXPECTED_MESSAGE);
    rogue_begin(&rogue);
    refused_with(&rogue, ccs_of_2, sizeof(ccs_of_2), UNEXPECTED_MESSAGE);
    rogue_begin(&rogue);
    refused_with(&rogue, long_ccs, sizeof(long_ccs), UNEXPECTED_MESSAGE);
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = (uint8_t[]){20, 3, 3, 0, 1, 1}[i % 6];
    rogue_begin(&rogue);
    refused_with(&rogue, many, sizeof(many), UNEXPECTED_MESSAGE);
    rogue_begin(&rogue); /* data before Finished */
    struct sg_slice data = {(const uint8_t *)"data", 4, NULL};
    (void)sgd_tlsrec_seal(&rogue.rec, &data, 1, 0, record, sizeof(record), &len);
    refused_with(&rogue, record, len, UNEXPECTED_MESSAGE);
    rogue_begin(&rogue);
    len = sgd_tlsrec_seal_messages(&rogue.rec, rogue.finished, 36, record);
    record[len - 1] ^= 1;
    refused_with(&rogue, record, len, BAD_RECORD_MAC);
    (void)fixture;
}

static void a_finished_in_pieces_is_the_same(void **fixture)
{
    struct rogue rogue;
    uint8_t records[512] = {20, 3, 3, 0, 1, 1};
    struct sgd_span out;
    size_t len = 6, taken;
    rogue_begin(&rogue);
    len += sgd_tlsrec_seal_messages(&rogue.rec, rogue.finished, 3, records + len);
    len += sgd_tlsrec_seal_messages(&rogue.rec, rogue.finished + 3, 20, records + len);
    len += sgd_tlsrec_seal_messages(&rogue.rec, rogue.finished + 23, 13, records + len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(feed(records + i, 1, &taken, &out),
                         i + 1 < len ? SGD_SERVER13_MORE : SGD_SERVER13_DONE);
        assert_int_equal(taken, 1);
    }
    assert_true(out.len > 0); /* a ticket */
    rogue_end(&rogue);
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_servers13 *one = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sgd_servers13_open(crypto, &one);
        assert_true(err == SG_OK ? one != NULL : one == NULL && err == SG_ENOMEM);
        sgd_servers13_close(one);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(plain_clients_get_their_answer),
    cmocka_unit_test(what_is_not_plain_is_left_to_openssl),
    cmocka_unit_test(a_hello_with_anything_odd_is_left_to_openssl),
    cmocka_unit_test(no_hello_is_read_past_its_end),
    cmocka_unit_test(a_share_of_small_order_is_left_to_openssl),
    cmocka_unit_test(a_finished_that_is_not_the_one_is_refused),
    cmocka_unit_test(records_that_do_not_belong_are_refused),
    cmocka_unit_test(a_finished_in_pieces_is_the_same),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};

int main(void)
{
    sgt_folder_make(folder);
    sgt_cert_write(folder, "ec", &(struct sgt_cert){.kind = "EC"});
    sgt_cert_write(folder, "rsa", &(struct sgt_cert){.kind = "RSA"});
    sgt_cert_write(folder, "ed25519", &(struct sgt_cert){.kind = "ED25519"});
    sgt_cert_write(folder, "p384", &(struct sgt_cert){.kind = "EC384"});
    ec = ctx_of("ec");
    rsa = ctx_of("rsa");
    ed25519 = ctx_of("ed25519");
    p384 = ctx_of("p384");
    if (ec == NULL || rsa == NULL || ed25519 == NULL || p384 == NULL ||
        sgd_tlscrypto_open(SG_CONF_CRYPTO_AUTO, 8, &crypto) != SG_OK ||
        sgd_servers13_open(crypto, &servers) != SG_OK)
        return 1;
    int failed = sgt_main("tls_server13", tests, SG_COUNT(tests));
    sgd_server13_fini(&server);
    sgd_servers13_close(servers);
    sgd_tlscrypto_close(crypto);
    sgd_tls_ctx_unref(ec);
    sgd_tls_ctx_unref(rsa);
    sgd_tls_ctx_unref(ed25519);
    sgd_tls_ctx_unref(p384);
    sgt_folder_remove(folder);
    return failed;
}
