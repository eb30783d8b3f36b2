#include "tests/unit/dataplane/engine_contract.h"
#include "tests/unit/dataplane/engine_protos.h"

#include "dataplane/tls/record.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The other end: sealed bytes go out and come in by `raw`, `plain` is what they held. */
struct tls_client {
    struct client raw;
    struct sgd_tlscrypto *crypto;
    struct sgd_tlsrec rec;
    size_t opened; /* of raw.in */
    uint8_t *plain;
    size_t plain_len, plain_want;
    bool ended; /* close_notify came */
    enum sgd_close failed;
};

static struct sgd_tls_keys server_keys;

static void use_tls(struct bench *bench)
{
    server_keys = (struct sgd_tls_keys){.version = 0x0304, .secret_len = 32};
    memset(server_keys.tx.secret, 1, 32);
    memset(server_keys.rx.secret, 2, 32);
    sgd_tls_direction_derive(SGD_TLS_AES_128_GCM, 32, &server_keys.tx);
    sgd_tls_direction_derive(SGD_TLS_AES_128_GCM, 32, &server_keys.rx);
    bench->tls_keys = &server_keys;
}

static void tls_client_open(struct bench *bench, struct tls_client *client, size_t in_cap)
{
    struct sgd_tls_keys mirror = server_keys;
    mirror.tx = server_keys.rx;
    mirror.rx = server_keys.tx;
    memset(client, 0, sizeof(*client));
    client_open(bench, &client->raw, in_cap + in_cap / 64 + 4096);
    client->plain = malloc(in_cap);
    assert_non_null(client->plain);
    assert_int_equal(sgd_tlscrypto_open(SG_CONF_CRYPTO_OPENSSL, 4, &client->crypto), SG_OK);
    sgd_tlsrec_init(&client->rec, client->crypto, &mirror);
}

static void tls_client_close(struct tls_client *client)
{
    sgd_tlsrec_fini(&client->rec);
    sgd_tlscrypto_close(client->crypto);
    free(client->plain);
    client_close(&client->raw);
}

static void tls_client_pump(struct tls_client *client)
{
    client_pump(&client->raw);
    uint8_t *in = client->raw.in + client->opened, *plain;
    size_t in_len = client->raw.in_len - client->opened, plain_len;
    while (in_len > 0 && !client->ended && client->failed == SGD_CLOSE_none) {
        switch (sgd_tlsrec_open(&client->rec, &in, &in_len, &plain, &plain_len, &client->failed)) {
        case SGD_TLSREC_DATA:
            memcpy(client->plain + client->plain_len, plain, plain_len);
            client->plain_len += plain_len;
            break;
        case SGD_TLSREC_END:
            client->ended = true;
            break;
        case SGD_TLSREC_NEED:
        case SGD_TLSREC_FAILED:
            break;
        }
    }
    client->opened = client->raw.in_len - in_len;
}

static bool tls_client_has_all(void *arg)
{
    struct tls_client *client = arg;
    tls_client_pump(client);
    return client->plain_len >= client->plain_want;
}

static bool tls_client_ended(void *arg)
{
    struct tls_client *client = arg;
    tls_client_pump(client);
    return client->raw.in_end != 0;
}

/* Seals `len` bytes (0: only what is pending) to the end of what goes out. */
static void tls_client_say(struct tls_client *client, const uint8_t *bytes, size_t len)
{
    static uint8_t wire[1 << 20];
    struct sg_slice slice = {bytes, (uint32_t)len, NULL};
    size_t out_len = 0;
    assert_int_equal(client->raw.out_len, client->raw.out_sent); /* one thing at a time */
    assert_int_equal(
        sgd_tlsrec_seal(&client->rec, &slice, len > 0, 0, wire, sizeof(wire), &out_len), len);
    client->raw.out = wire;
    client->raw.out_len = out_len;
    client->raw.out_sent = 0;
}

void tls_echoes_plaintext_both_ways(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct tls_client client;
    static uint8_t out[200000];
    use_tls(bench);
    use_echo(bench);
    fill_pattern(out, sizeof(out), 0);
    tls_client_open(bench, &client, sizeof(out) + 1);
    tls_client_say(&client, out, 3); /* a short one, then records over many received buffers */
    client.plain_want = 3;
    assert_true(bench_until(bench, tls_client_has_all, &client));
    tls_client_say(&client, out + 3, sizeof(out) - 3);
    client.plain_want = sizeof(out);
    assert_true(bench_until(bench, tls_client_has_all, &client));
    assert_memory_equal(client.plain, out, sizeof(out));
    sgd_tlsrec_end(&client.rec);
    tls_client_say(&client, NULL, 0);
    assert_true(bench_until(bench, tls_client_ended, &client));
    assert_true(client.ended && client.raw.in_end == 1);
    tls_client_close(&client);
    echo_free(bench);
}

void tls_streams_byte_for_byte_and_ends_with_close_notify(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct tls_client client;
    static const uint32_t blocks[] = {700, 16384, 20000, STREAM_BLOCK};
    for (size_t i = 0; i < SG_COUNT(blocks); i++) {
        uint64_t total = SG_MIN(blocks[i] * 50ull, 9u << 20);
        use_tls(bench);
        use_stream(bench, total, blocks[i]);
        tls_client_open(bench, &client, total + 1);
        assert_true(bench_until(bench, tls_client_ended, &client));
        assert_true(client.ended);
        assert_int_equal(client.plain_len, total);
        for (size_t at = 0; at < total; at++)
            assert_true(client.plain[at] == pattern(at));
        tls_client_close(&client);
        assert_true(bench_until(bench, stream_is_back, NULL));
    }
}

void tls_key_updates_are_answered(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct tls_client client;
    use_tls(bench);
    use_echo(bench);
    sgd_tlscrypto_set_limit(bench->worker.tls_crypto, 4); /* the engine's own key updates */
    tls_client_open(bench, &client, 4096);
    sgd_tlscrypto_set_limit(client.crypto, 3);
    for (int i = 0; i < 20; i++) {
        tls_client_say(&client, (const uint8_t *)"round and round", 15);
        client.plain_want += 15;
        assert_true(bench_until(bench, tls_client_has_all, &client));
    }
    assert_true(client.failed == SGD_CLOSE_none);
    tls_client_close(&client);
    echo_free(bench);
}

void tls_a_forged_record_ends_with_an_alert(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct tls_client client;
    use_tls(bench);
    use_echo(bench);
    tls_client_open(bench, &client, 4096);
    tls_client_say(&client, (const uint8_t *)"forged", 6);
    ((uint8_t *)(uintptr_t)client.raw.out)[7] ^= 1;
    assert_true(bench_until(bench, tls_client_ended, &client));
    assert_int_equal(client.failed, SGD_CLOSE_tls_alert);
    assert_int_equal(client.plain_len, 0);
    tls_client_close(&client);
    assert_true(bench_until(bench, echo_is_closed, NULL));
    assert_int_equal(echo_last->why, SGD_CLOSE_tls_bad_record);
    echo_free(bench);
}

void tls_unconsumed_plaintext_is_kept(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct tls_client client;
    static uint8_t out[40000];
    use_tls(bench);
    use_echo(bench);
    fill_pattern(out, sizeof(out), 9);
    tls_client_open(bench, &client, sizeof(out) + 1);
    assert_true(bench_until(bench, echo_is_open, NULL));
    echo_last->paused = true;
    tls_client_say(&client, out, sizeof(out));
    tls_client_pump(&client);
    bench_for_ms(bench, 30);
    assert_int_equal(echo_last->end, 0);
    echo_last->paused = false;
    sgd_conn_read_resume(echo_last->conn);
    client.plain_want = sizeof(out);
    assert_true(bench_until(bench, tls_client_has_all, &client));
    assert_memory_equal(client.plain, out, sizeof(out));
    tls_client_close(&client);
    echo_free(bench);
}
