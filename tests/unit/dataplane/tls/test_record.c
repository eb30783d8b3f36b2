#include "tests/sgt.h"

#include "base/alloc.h"
#include "dataplane/tls/record.h"
#include "tests/unit/dataplane/tls/tlspeer.h"

#include <string.h>

static const struct suite {
    int version;
    const char *ciphers;
    enum sgd_tls_aead aead;
} suites[] = {
    {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", SGD_TLS_AES_128_GCM},
    {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", SGD_TLS_AES_256_GCM},
    {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", SGD_TLS_CHACHA20_POLY1305},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", SGD_TLS_AES_128_GCM},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", SGD_TLS_AES_256_GCM},
    {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", SGD_TLS_CHACHA20_POLY1305},
};
static const enum sg_conf_record_crypto libraries[] = {SG_CONF_CRYPTO_OPENSSL,
                                                       SG_CONF_CRYPTO_IPSEC_MB};
#define TLS13_SUITES 3

/* One end of ours with keys made up, and the other end of it: what one seals the other opens. */
struct ends {
    struct sgd_tlscrypto *crypto;
    struct sgd_tlsrec server, client;
};

static uint8_t plain_of_16k[3 * SGD_TLSREC_PLAIN_MAX + 100];
static uint8_t wire[1 << 17];

static void ends_open(struct ends *ends, uint16_t version, enum sgd_tls_aead aead,
                      enum sg_conf_record_crypto library)
{
    struct sgd_tls_keys keys = {.version = version, .aead = aead, .secret_len = 32}, mirror;
    memset(keys.tx.secret, 1, 32);
    memset(keys.rx.secret, 2, 32);
    if (version == TLS1_3_VERSION) {
        sgd_tls_direction_derive(aead, 32, &keys.tx);
        sgd_tls_direction_derive(aead, 32, &keys.rx);
    } else {
        sgd_tls12_derive(keys.tx.secret, keys.rx.secret, keys.rx.secret, &keys);
    }
    mirror = keys;
    mirror.tx = keys.rx;
    mirror.rx = keys.tx;
    memset(ends, 0, sizeof(*ends));
    assert_int_equal(sgd_tlscrypto_open(library, 4, &ends->crypto), SG_OK);
    sgd_tlsrec_init(&ends->server, ends->crypto, &keys);
    sgd_tlsrec_init(&ends->client, ends->crypto, &mirror);
}

static void ends_close(struct ends *ends)
{
    sgd_tlsrec_fini(&ends->server);
    sgd_tlsrec_fini(&ends->client);
    sgd_tlscrypto_close(ends->crypto);
}

static bool library_is_here(enum sg_conf_record_crypto library)
{
    struct sgd_tlscrypto *crypto = NULL;
    enum sg_err err = sgd_tlscrypto_open(library, 1, &crypto);
    assert_true(err == SG_OK || err == SG_ENOTSUP);
    sgd_tlscrypto_close(crypto);
    return err == SG_OK;
}

static size_t seal(struct sgd_tlsrec *rec, const void *bytes, size_t len, uint8_t *out, size_t cap)
{
    struct sg_slice slice = {bytes, (uint32_t)len, NULL};
    size_t out_len = 0;
    assert_int_equal(sgd_tlsrec_seal(rec, &slice, len > 0, 0, out, cap, &out_len), len);
    return out_len;
}

/* Opens all that is there, appending the data; what open() said last. */
static enum sgd_tlsrec_got open_all(struct sgd_tlsrec *rec, uint8_t *in, size_t in_len,
                                    uint8_t *data, size_t *data_len, enum sgd_close *why)
{
    enum sgd_tlsrec_got got;
    uint8_t *plain;
    size_t len;
    while ((got = sgd_tlsrec_open(rec, &in, &in_len, &plain, &len, why)) == SGD_TLSREC_DATA) {
        assert_true(len > 0);
        memcpy(data + *data_len, plain, len);
        *data_len += len;
    }
    assert_true(got == SGD_TLSREC_FAILED || in_len == 0);
    return got;
}

static enum sgd_close fails_with(struct sgd_tlsrec *rec, uint8_t *in, size_t in_len)
{
    static uint8_t data[1 << 16];
    size_t len = 0;
    enum sgd_close why = SGD_CLOSE_none;
    assert_int_equal(open_all(rec, in, in_len, data, &len, &why), SGD_TLSREC_FAILED);
    assert_int_equal(len, 0);
    return why;
}

static void openssl_reads_what_we_seal_and_we_what_it_seals(void **fixture)
{
    static uint8_t got[sizeof(plain_of_16k)];
    for (size_t lib = 0; lib < SG_COUNT(libraries); lib++) {
        if (!library_is_here(libraries[lib]))
            continue;
        struct sgd_tlscrypto *crypto;
        assert_int_equal(sgd_tlscrypto_open(libraries[lib], 4, &crypto), SG_OK);
        for (size_t i = 0; i < SG_COUNT(suites); i++) {
            struct sgt_tls_pair pair;
            struct sgd_tlsrec rec;
            enum sgd_close why;
            sgt_tls_pair_make(&pair, suites[i].version, suites[i].ciphers);
            assert_int_equal(pair.keys.aead, suites[i].aead);
            sgd_tlsrec_init(&rec, crypto, &pair.keys);
            for (int turn = 0; turn < 3; turn++) {
                size_t len = seal(&rec, plain_of_16k, sizeof(plain_of_16k), wire, sizeof(wire));
                assert_true(len <= sgd_tlsrec_room(&rec, sizeof(plain_of_16k)));
                BIO_write(pair.client.rbio, wire, (int)len);
                size_t have = 0, n;
                while (SSL_read_ex(pair.client.ssl, got + have, sizeof(got) - have, &n) == 1)
                    have += n;
                assert_int_equal(have, sizeof(plain_of_16k));
                assert_memory_equal(got, plain_of_16k, have);
                SSL_write(pair.client.ssl, plain_of_16k, sizeof(plain_of_16k));
                char *bytes;
                long bytes_len = BIO_get_mem_data(pair.client.wbio, &bytes);
                have = 0;
                assert_int_equal(
                    open_all(&rec, (uint8_t *)bytes, (size_t)bytes_len, got, &have, &why),
                    SGD_TLSREC_NEED);
                assert_int_equal(have, sizeof(plain_of_16k));
                assert_memory_equal(got, plain_of_16k, have);
                (void)BIO_reset(pair.client.wbio);
            }
            sgd_tlsrec_end(&rec);
            assert_true(sgd_tlsrec_pending(&rec));
            size_t len = seal(&rec, NULL, 0, wire, sizeof(wire));
            BIO_write(pair.client.rbio, wire, (int)len);
            assert_int_equal(SSL_read(pair.client.ssl, got, 1), 0);
            assert_int_equal(SSL_get_error(pair.client.ssl, 0), SSL_ERROR_ZERO_RETURN);
            assert_false(sgd_tlsrec_pending(&rec));
            sgd_tlsrec_fini(&rec);
            sgt_tls_pair_end(&pair);
        }
        sgd_tlscrypto_close(crypto);
    }
    (void)fixture;
}

static void keys_follow_updates_of_either_side(void **fixture)
{
    uint8_t got[64];
    for (size_t i = 0; i < TLS13_SUITES; i++) {
        struct sgt_tls_pair pair;
        struct sgd_tlscrypto *crypto;
        struct sgd_tlsrec rec;
        enum sgd_close why;
        assert_int_equal(sgd_tlscrypto_open(SG_CONF_CRYPTO_AUTO, 4, &crypto), SG_OK);
        sgt_tls_pair_make(&pair, suites[i].version, suites[i].ciphers);
        sgd_tlsrec_init(&rec, crypto, &pair.keys);
        sgd_tlscrypto_set_limit(crypto, 5); /* ours come by themselves */
        for (int turn = 0; turn < 40; turn++) {
            char *bytes;
            size_t have = 0;
            SSL_key_update(pair.client.ssl,
                           turn % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
            SSL_write(pair.client.ssl, "hello", 5);
            long len = BIO_get_mem_data(pair.client.wbio, &bytes);
            assert_int_equal(open_all(&rec, (uint8_t *)bytes, (size_t)len, got, &have, &why),
                             SGD_TLSREC_NEED);
            (void)BIO_reset(pair.client.wbio);
            assert_int_equal(have, 5);
            assert_int_equal(sgd_tlsrec_pending(&rec), turn % 2);
            size_t out_len = seal(&rec, "answer", 6, wire, sizeof(wire));
            BIO_write(pair.client.rbio, wire, (int)out_len);
            assert_int_equal(SSL_read(pair.client.ssl, got, sizeof(got)), 6);
            assert_memory_equal(got, "answer", 6);
            assert_int_equal(sgd_tlsrec_end_soon(&rec), SGD_CLOSE_none);
        }
        sgd_tlsrec_fini(&rec);
        sgd_tlscrypto_close(crypto);
        sgt_tls_pair_end(&pair);
    }
    (void)fixture;
}

static void records_cut_at_every_byte_are_put_together(void **fixture)
{
    static uint8_t once[512];
    uint8_t data[512];
    for (size_t i = 0; i < SG_COUNT(suites); i++) {
        struct ends ends;
        enum sgd_close why;
        ends_open(&ends, (uint16_t)suites[i].version, suites[i].aead, SG_CONF_CRYPTO_AUTO);
        for (size_t cut = 0; cut < 200; cut++) {
            size_t n = seal(&ends.client, "the first", 9, once, sizeof(once)), have = 0;
            n += seal(&ends.client, "and the second", 14, once + n, sizeof(once) - n);
            cut = SG_MIN(cut, n);
            assert_int_equal(open_all(&ends.server, once, cut, data, &have, &why), SGD_TLSREC_NEED);
            assert_int_equal(open_all(&ends.server, once + cut, n - cut, data, &have, &why),
                             SGD_TLSREC_NEED);
            assert_int_equal(have, 23);
            assert_memory_equal(data, "the firstand the second", 23);
            assert_null(ends.server.partial); /* nothing is held between requests */
            if (cut == n)
                break;
        }
        size_t n = seal(&ends.client, "byte by byte", 12, once, sizeof(once)), have = 0;
        for (size_t at = 0; at < n; at++)
            assert_int_equal(open_all(&ends.server, once + at, 1, data, &have, &why),
                             SGD_TLSREC_NEED);
        assert_int_equal(have, 12);
        ends_close(&ends);
    }
    (void)fixture;
}

static void a_bit_changed_anywhere_ends_the_connection_with_an_alert(void **fixture)
{
    static uint8_t sealed[256], bad[256];
    for (size_t i = 0; i < SG_COUNT(suites); i++) {
        struct ends ends;
        ends_open(&ends, (uint16_t)suites[i].version, suites[i].aead, SG_CONF_CRYPTO_AUTO);
        size_t n = seal(&ends.client, "genuine", 7, sealed, sizeof(sealed));
        for (size_t at = 0; at < n; at++) {
            struct sgd_tlsrec rec = ends.server;
            memcpy(bad, sealed, n);
            bad[at] ^= 0x10;
            if (at == 3)
                bad[3] = 0x41; /* 16 KiB and more: too large */
            if (at == 4)
                bad[4] = 3; /* too short for a tag */
            enum sgd_close why = fails_with(&rec, bad, n);
            assert_true(why == SGD_CLOSE_tls_bad_record ||
                        (at < 3 && why == SGD_CLOSE_tls_unexpected) ||
                        (at == 3 && why == SGD_CLOSE_tls_record_overflow));
            assert_true(sgd_tlsrec_pending(&rec));
            assert_true(seal(&rec, NULL, 0, wire, sizeof(wire)) > 0);
            assert_false(sgd_tlsrec_pending(&rec));
            assert_int_equal(seal(&rec, NULL, 0, wire, sizeof(wire)), 0);
            sgd_tlsrec_fini(&rec);
        }
        ends_close(&ends);
    }
    (void)fixture;
}

static void the_alert_is_one_that_the_peer_can_read(void **fixture)
{
    struct ends ends;
    uint8_t forged[64] = {23, 3, 3, 0, 40};
    ends_open(&ends, TLS1_3_VERSION, SGD_TLS_AES_128_GCM, SG_CONF_CRYPTO_AUTO);
    assert_int_equal(fails_with(&ends.server, forged, 45), SGD_CLOSE_tls_bad_record);
    size_t n = seal(&ends.server, NULL, 0, wire, sizeof(wire));
    assert_int_equal(fails_with(&ends.client, wire, n), SGD_CLOSE_tls_alert);
    assert_false(sgd_tlsrec_pending(&ends.client)); /* an alert is not answered */
    ends_close(&ends);
    (void)fixture;
}

static void close_notify_ends_reading_and_not_writing(void **fixture)
{
    struct ends ends;
    uint8_t data[64];
    size_t have = 0;
    enum sgd_close why;
    ends_open(&ends, TLS1_2_VERSION, SGD_TLS_AES_256_GCM, SG_CONF_CRYPTO_AUTO);
    sgd_tlsrec_end(&ends.client);
    size_t n = seal(&ends.client, "last words", 10, wire, sizeof(wire));
    assert_int_equal(open_all(&ends.server, wire, n, data, &have, &why), SGD_TLSREC_END);
    assert_int_equal(have, 10);
    memset(wire, 0xff, 20);
    assert_int_equal(open_all(&ends.server, wire, 20, data, &have, &why), SGD_TLSREC_NEED);
    have = 0;
    n = seal(&ends.server, "still here", 10, wire, sizeof(wire));
    assert_int_equal(open_all(&ends.client, wire, n, data, &have, &why), SGD_TLSREC_NEED);
    assert_memory_equal(data, "still here", 10);
    ends_close(&ends);
    (void)fixture;
}

static void slices_are_gathered_from_any_offset_and_records_stop_where_the_room_does(void **fixture)
{
    static uint8_t got[sizeof(plain_of_16k)];
    struct sg_slice slices[40];
    struct ends ends;
    enum sgd_close why;
    size_t total = 0, done = 0, have = 0, index = 0, skip = 0;
    for (size_t i = 0; i < 40; i++) {
        uint32_t len = i == 20 ? 0 : i == 30 ? 40000 : (uint32_t)(i * 7 % 300);
        slices[i] = (struct sg_slice){plain_of_16k + total, len, NULL};
        total += len;
    }
    ends_open(&ends, TLS1_3_VERSION, SGD_TLS_AES_128_GCM, SG_CONF_CRYPTO_AUTO);
    for (size_t room = 128; done < total; room = room * 2 % 6007 + 128) {
        size_t n = 0, sealed = sgd_tlsrec_seal(&ends.server, slices + index, 40 - index, skip, wire,
                                               room, &n);
        assert_true(sealed > 0 && n <= room);
        assert_int_equal(open_all(&ends.client, wire, n, got, &have, &why), SGD_TLSREC_NEED);
        done += sealed;
        for (skip += sealed; index < 40 && skip >= slices[index].len; index++)
            skip -= slices[index].len;
    }
    assert_int_equal(have, total);
    assert_memory_equal(got, plain_of_16k, total);
    ends_close(&ends);
    (void)fixture;
}

/* Seals a record of any type and content as the client. */
static size_t client_record(struct ends *ends, uint8_t type, const void *content, size_t len,
                            size_t padding, uint8_t *out)
{
    uint8_t inner[17000];
    memcpy(inner, content, len);
    inner[len] = type;
    memset(inner + len + 1, 0, padding);
    /* a data record whose inner type is ours to choose: seal one and take its crypto's place */
    struct sgd_tlsrec *rec = &ends->client;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t nonce[12];
    size_t total = len + 1 + padding;
    int n;
    memcpy(nonce, rec->tx.iv, 12);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] ^= (uint8_t)(rec->tx.seq >> (56 - 8 * i));
    memcpy(out, (uint8_t[5]){23, 3, 3, (uint8_t)((total + 16) >> 8), (uint8_t)(total + 16)}, 5);
    EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, rec->tx.key, nonce);
    EVP_EncryptUpdate(ctx, NULL, &n, out, 5);
    EVP_EncryptUpdate(ctx, out + 5, &n, inner, (int)total);
    EVP_EncryptFinal_ex(ctx, out + 5 + total, &n);
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + 5 + total);
    EVP_CIPHER_CTX_free(ctx);
    rec->tx.seq++;
    return 5 + total + 16;
}

static void what_a_peer_may_not_send_is_refused_by_name(void **fixture)
{
    static const struct {
        uint8_t type, len, content[8];
        enum sgd_close why;
    } rows[] = {
        {22, 5, {1, 0, 0, 1, 0}, SGD_CLOSE_tls_unexpected},      /* ClientHello */
        {22, 5, {24, 0, 0, 2, 0}, SGD_CLOSE_tls_unexpected},     /* a KeyUpdate of two bytes */
        {22, 5, {24, 0, 0, 1, 2}, SGD_CLOSE_tls_unexpected},     /* request 2 */
        {22, 6, {24, 0, 0, 1, 0, 24}, SGD_CLOSE_tls_unexpected}, /* goes on under the old key */
        {22, 0, {0}, SGD_CLOSE_tls_unexpected},
        {20, 1, {1}, SGD_CLOSE_tls_unexpected},       /* change_cipher_spec */
        {24, 3, {1, 0, 0}, SGD_CLOSE_tls_unexpected}, /* heartbeat */
        {21, 1, {2}, SGD_CLOSE_tls_unexpected},
        {21, 3, {2, 40, 0}, SGD_CLOSE_tls_unexpected},
        {21, 2, {2, 40}, SGD_CLOSE_tls_alert},
        {21, 2, {1, 40}, SGD_CLOSE_tls_alert}, /* TLS 1.3 ignores the level */
        {0, 4, {0}, SGD_CLOSE_tls_unexpected}, /* all zero: no type */
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct ends ends;
        ends_open(&ends, TLS1_3_VERSION, SGD_TLS_AES_128_GCM, SG_CONF_CRYPTO_AUTO);
        size_t n = client_record(&ends, rows[i].type, rows[i].content, rows[i].len, 0, wire);
        assert_int_equal(fails_with(&ends.server, wire, n), rows[i].why);
        ends_close(&ends);
    }
    (void)fixture;
}

static void padding_is_taken_off_and_too_much_of_it_is_refused(void **fixture)
{
    struct ends ends;
    uint8_t data[64];
    size_t have = 0;
    enum sgd_close why;
    ends_open(&ends, TLS1_3_VERSION, SGD_TLS_AES_128_GCM, SG_CONF_CRYPTO_AUTO);
    size_t n = client_record(&ends, 23, "padded", 6, SGD_TLSREC_PLAIN_MAX - 6, wire);
    assert_int_equal(open_all(&ends.server, wire, n, data, &have, &why), SGD_TLSREC_NEED);
    assert_int_equal(have, 6);
    n = client_record(&ends, 23, "padded", 6, SGD_TLSREC_PLAIN_MAX - 5, wire);
    assert_int_equal(fails_with(&ends.server, wire, n), SGD_CLOSE_tls_record_overflow);
    ends_close(&ends);
    (void)fixture;
}

static void a_key_update_in_pieces_is_one_and_nothing_may_come_between(void **fixture)
{
    struct ends ends;
    uint8_t data[64];
    size_t have = 0;
    enum sgd_close why;
    ends_open(&ends, TLS1_3_VERSION, SGD_TLS_AES_128_GCM, SG_CONF_CRYPTO_AUTO);
    size_t n = client_record(&ends, 22, (uint8_t[]){24, 0, 0}, 3, 0, wire);
    n += client_record(&ends, 22, (uint8_t[]){1, 1}, 2, 0, wire + n);
    sgd_tls_direction_next(SGD_TLS_AES_128_GCM, 32, &ends.client.tx);
    n += client_record(&ends, 23, "under the new key", 17, 0, wire + n);
    assert_int_equal(open_all(&ends.server, wire, n, data, &have, &why), SGD_TLSREC_NEED);
    assert_int_equal(have, 17);
    assert_true(sgd_tlsrec_pending(&ends.server));
    n = client_record(&ends, 22, (uint8_t[]){24}, 1, 0, wire);
    n += client_record(&ends, 23, "between", 7, 0, wire + n);
    assert_int_equal(fails_with(&ends.server, wire, n), SGD_CLOSE_tls_unexpected);
    ends_close(&ends);
    (void)fixture;
}

static void records_without_data_are_borne_but_not_for_ever(void **fixture)
{
    struct ends ends;
    uint8_t data[64];
    size_t have = 0;
    enum sgd_close why;
    ends_open(&ends, TLS1_3_VERSION, SGD_TLS_AES_128_GCM, SG_CONF_CRYPTO_AUTO);
    for (int i = 0; i < 100; i++) {
        size_t n = client_record(&ends, 23, "", 0, 5, wire);
        n += client_record(&ends, 23, "x", 1, 0, wire + n);
        assert_int_equal(open_all(&ends.server, wire, n, data, &have, &why), SGD_TLSREC_NEED);
        have = 0;
    }
    size_t n = 0;
    for (int i = 0; i < 33; i++)
        n += client_record(&ends, 23, "", 0, 0, wire + n);
    assert_int_equal(fails_with(&ends.server, wire, n), SGD_CLOSE_tls_unexpected);
    ends_close(&ends);
    (void)fixture;
}

static void renegotiation_is_refused_in_tls_12(void **fixture)
{
    struct sgt_tls_pair pair;
    struct sgd_tlscrypto *crypto;
    struct sgd_tlsrec rec;
    char *bytes;
    sgt_tls_pair_make(&pair, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256");
    assert_int_equal(sgd_tlscrypto_open(SG_CONF_CRYPTO_AUTO, 4, &crypto), SG_OK);
    sgd_tlsrec_init(&rec, crypto, &pair.keys);
    assert_int_equal(SSL_renegotiate(pair.client.ssl), 1);
    SSL_do_handshake(pair.client.ssl);
    long len = BIO_get_mem_data(pair.client.wbio, &bytes);
    assert_true(len > 0);
    assert_int_equal(fails_with(&rec, (uint8_t *)bytes, (size_t)len), SGD_CLOSE_tls_unexpected);
    size_t n = seal(&rec, NULL, 0, wire, sizeof(wire));
    BIO_write(pair.client.rbio, wire, (int)n);
    assert_true(SSL_do_handshake(pair.client.ssl) <= 0);
    sgd_tlsrec_fini(&rec);
    sgd_tlscrypto_close(crypto);
    sgt_tls_pair_end(&pair);
    (void)fixture;
}

static void a_key_that_cant_be_replaced_ends_its_connection_in_time(void **fixture)
{
    struct ends ends;
    ends_open(&ends, TLS1_2_VERSION, SGD_TLS_AES_128_GCM, SG_CONF_CRYPTO_AUTO);
    sgd_tlscrypto_set_limit(ends.crypto, 3);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(sgd_tlsrec_end_soon(&ends.server),
                         i < 3 ? SGD_CLOSE_none : SGD_CLOSE_tls_aead_limit);
        assert_true(seal(&ends.server, "x", 1, wire, sizeof(wire)) > 0);
    }
    struct sg_slice slice = {(const uint8_t *)"x", 1, NULL};
    size_t n = 1;
    assert_int_equal(sgd_tlsrec_seal(&ends.server, &slice, 1, 0, wire, sizeof(wire), &n), 0);
    assert_int_equal(n, 0);
    ends_close(&ends);
    (void)fixture;
}

static void
with_ktls_control_records_come_in_the_clear_and_an_update_asked_for_ends_it(void **fixture)
{
    struct ends ends;
    uint8_t data[8], type = 0, out[2];
    size_t have = 0;
    enum sgd_close why;
    ends_open(&ends, TLS1_3_VERSION, SGD_TLS_AES_128_GCM, SG_CONF_CRYPTO_AUTO);
    sgd_tlsrec_ktls_on(&ends.server);
    size_t n = client_record(&ends, 22, (uint8_t[]){24, 0, 0, 1, 0}, 5, 0, wire);
    assert_int_equal(open_all(&ends.server, wire, n, data, &have, &why), SGD_TLSREC_NEED);
    assert_int_equal(sgd_tlsrec_end_soon(&ends.server), SGD_CLOSE_none);
    sgd_tls_direction_next(SGD_TLS_AES_128_GCM, 32, &ends.client.tx);
    n = client_record(&ends, 22, (uint8_t[]){24, 0, 0, 1, 1}, 5, 0, wire);
    assert_int_equal(open_all(&ends.server, wire, n, data, &have, &why), SGD_TLSREC_NEED);
    assert_int_equal(sgd_tlsrec_end_soon(&ends.server), SGD_CLOSE_tls_key_update);
    assert_int_equal(sgd_tlsrec_ktls_control(&ends.server, &type, out), 0);
    sgd_tlsrec_end(&ends.server);
    assert_int_equal(sgd_tlsrec_ktls_control(&ends.server, &type, out), 2);
    assert_true(type == 21 && out[0] == 1 && out[1] == 0);
    assert_int_equal(sgd_tlsrec_ktls_control(&ends.server, &type, out), 0);
    ends_close(&ends);
    (void)fixture;
}

static void cut_records_beyond_the_pool_are_refused_for_want_of_memory(void **fixture)
{
    struct ends ends;
    struct sgd_tlsrec recs[5];
    uint8_t *plain, *at = (uint8_t *)"\x17\x03", *in;
    size_t plain_len, len;
    enum sgd_close why = SGD_CLOSE_none;
    ends_open(&ends, TLS1_3_VERSION, SGD_TLS_AES_128_GCM, SG_CONF_CRYPTO_AUTO);
    for (int i = 0; i < 5; i++) {
        recs[i] = ends.server;
        in = at;
        len = 2;
        assert_int_equal(sgd_tlsrec_open(&recs[i], &in, &len, &plain, &plain_len, &why),
                         i < 4 ? SGD_TLSREC_NEED : SGD_TLSREC_FAILED);
    }
    assert_int_equal(why, SGD_CLOSE_no_memory);
    for (int i = 0; i < 5; i++)
        sgd_tlsrec_fini(&recs[i]);
    ends_close(&ends);
    (void)fixture;
}

/* More directions than expanded keys are kept: every one is still under its own key. */
static void a_thousand_connections_share_the_expanded_keys(void **fixture)
{
    enum { COUNT = 1000 };
    static struct sgd_tlsrec server[COUNT], client[COUNT];
    for (size_t lib = 0; lib < SG_COUNT(libraries); lib++) {
        struct sgd_tlscrypto *crypto;
        if (!library_is_here(libraries[lib]))
            continue;
        assert_int_equal(sgd_tlscrypto_open(libraries[lib], 4, &crypto), SG_OK);
        for (size_t i = 0; i < COUNT; i++) {
            struct sgd_tls_keys keys = {.version = TLS1_3_VERSION, .secret_len = 32}, mirror;
            keys.aead = i % 3;
            memcpy(keys.tx.secret, &i, sizeof(i));
            sgd_tls_direction_derive(keys.aead, 32, &keys.tx);
            mirror = keys;
            mirror.rx = keys.tx;
            sgd_tlsrec_init(&server[i], crypto, &keys);
            sgd_tlsrec_init(&client[i], crypto, &mirror);
        }
        for (size_t turn = 0; turn < 3 * COUNT; turn++) {
            size_t i = turn * 7 % COUNT, have = 0, n;
            uint8_t data[16];
            enum sgd_close why;
            n = seal(&server[i], &turn, sizeof(turn), wire, sizeof(wire));
            assert_int_equal(open_all(&client[i], wire, n, data, &have, &why), SGD_TLSREC_NEED);
            assert_memory_equal(data, &turn, sizeof(turn));
        }
        for (size_t i = 0; i < COUNT; i++) {
            sgd_tlsrec_fini(&server[i]);
            sgd_tlsrec_fini(&client[i]);
        }
        sgd_tlscrypto_close(crypto);
    }
    (void)fixture;
}

/* RFC 8448 section 3: simple 1-RTT handshake. */
static void keys_are_those_of_rfc_8448(void **fixture)
{
    static const uint8_t secret[] = {0xa1, 0x1a, 0xf9, 0xf0, 0x55, 0x31, 0xf8, 0x56,
                                     0xad, 0x47, 0x11, 0x6b, 0x45, 0xa9, 0x50, 0x32,
                                     0x82, 0x04, 0xb4, 0xf4, 0x4b, 0xfb, 0x6b, 0x3a,
                                     0x4b, 0x4f, 0x1f, 0x3f, 0xcb, 0x63, 0x16, 0x43};
    static const uint8_t key[] = {0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef,
                                  0xc2, 0x6b, 0xb9, 0xf2, 0xac, 0x92, 0xe3, 0x56};
    static const uint8_t iv[] = {0xcf, 0x78, 0x2b, 0x88, 0xdd, 0x83,
                                 0x54, 0x9a, 0xad, 0xf1, 0xe9, 0x84};
    struct sgd_tls_direction dir = {.seq = 9};
    memcpy(dir.secret, secret, sizeof(secret));
    sgd_tls_direction_derive(SGD_TLS_AES_128_GCM, 32, &dir);
    assert_memory_equal(dir.key, key, sizeof(key));
    assert_memory_equal(dir.iv, iv, sizeof(iv));
    assert_int_equal(dir.seq, 0);
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_tlscrypto *crypto = NULL;
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        sg_alloc_fail_nth(nth);
        err = sgd_tlscrypto_open(SG_CONF_CRYPTO_AUTO, 4, &crypto);
        assert_true(err == SG_OK ? crypto != NULL : crypto == NULL && err == SG_ENOMEM);
        sgd_tlscrypto_close(crypto);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(keys_are_those_of_rfc_8448),
    cmocka_unit_test(openssl_reads_what_we_seal_and_we_what_it_seals),
    cmocka_unit_test(keys_follow_updates_of_either_side),
    cmocka_unit_test(records_cut_at_every_byte_are_put_together),
    cmocka_unit_test(a_bit_changed_anywhere_ends_the_connection_with_an_alert),
    cmocka_unit_test(the_alert_is_one_that_the_peer_can_read),
    cmocka_unit_test(close_notify_ends_reading_and_not_writing),
    cmocka_unit_test(slices_are_gathered_from_any_offset_and_records_stop_where_the_room_does),
    cmocka_unit_test(what_a_peer_may_not_send_is_refused_by_name),
    cmocka_unit_test(padding_is_taken_off_and_too_much_of_it_is_refused),
    cmocka_unit_test(a_key_update_in_pieces_is_one_and_nothing_may_come_between),
    cmocka_unit_test(records_without_data_are_borne_but_not_for_ever),
    cmocka_unit_test(renegotiation_is_refused_in_tls_12),
    cmocka_unit_test(a_key_that_cant_be_replaced_ends_its_connection_in_time),
    cmocka_unit_test(with_ktls_control_records_come_in_the_clear_and_an_update_asked_for_ends_it),
    cmocka_unit_test(cut_records_beyond_the_pool_are_refused_for_want_of_memory),
    cmocka_unit_test(a_thousand_connections_share_the_expanded_keys),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};

int main(void)
{
    for (size_t i = 0; i < sizeof(plain_of_16k); i++)
        plain_of_16k[i] = (uint8_t)(i * 31 + i / 251);
    return sgt_main("tls_record", tests, SG_COUNT(tests));
}
