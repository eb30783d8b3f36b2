/* The engine's way with kernel TLS, on kernels that have none: a stand-in for dataplane/tls/ktls.c
 * says that the kernel encrypts, so that the bytes arrive in the clear. What this proves is order,
 * back-pressure and lifetime; tests/vm proves the records. */
#include "tests/unit/dataplane/engine_bench.h"
#include "tests/unit/dataplane/engine_protos.h"

#include "dataplane/tls/ktls.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t installed, controls;
static bool can_install;

enum sg_err sgd_ktls_install(int fd, const struct sgd_tls_keys *keys)
{
    assert_true(fd >= 0 && keys->version == 0x0304);
    installed++;
    return can_install ? SG_OK : SG_ENOTSUP;
}

/* Nothing that a plain socket would look at: the alert's bytes arrive behind the data. */
void sgd_ktls_put_type(uint8_t type, uint8_t out[SGD_KTLS_TYPE_BYTES])
{
    assert_int_equal(type, 21);
    memset(out, 0, SGD_KTLS_TYPE_BYTES);
    *(size_t *)(void *)out = SGD_KTLS_TYPE_BYTES; /* cmsg_len of a level that nobody knows */
    controls++;
}

static struct sgd_tls_keys keys;

static void use_ktls(struct bench *bench, bool works)
{
    keys = (struct sgd_tls_keys){.version = 0x0304, .secret_len = 32, .ktls = true};
    memset(keys.tx.secret, 1, 32);
    memset(keys.rx.secret, 2, 32);
    sgd_tls_direction_derive(SGD_TLS_AES_128_GCM, 32, &keys.tx);
    sgd_tls_direction_derive(SGD_TLS_AES_128_GCM, 32, &keys.rx);
    bench->tls_keys = &keys;
    installed = controls = 0;
    can_install = works;
}

static void expect_pattern(const struct client *client, size_t total)
{
    static const uint8_t close_notify[2] = {1, 0};
    assert_int_equal(client->in_len, total + sizeof(close_notify));
    assert_memory_equal(client->in + total, close_notify, sizeof(close_notify));
    for (size_t i = 0; i < total; i++)
        if (client->in[i] != pattern(i))
            fail_msg("byte %zu is %02x instead of %02x", i, client->in[i], pattern(i));
}

static void bytes_of_every_size_go_to_the_kernel_in_order(void **fixture)
{
    static const uint32_t blocks[] = {100, 16000, 20000, 40000, 100001, STREAM_BLOCK};
    struct bench *bench = bench_of(fixture);
    struct client client;
    for (size_t i = 0; i < SG_COUNT(blocks); i++) {
        uint64_t total = SG_MIN(blocks[i] * 60ull + 3, 6u << 20);
        use_ktls(bench, true);
        use_stream(bench, total, blocks[i]);
        client_open(bench, &client, total + 3);
        assert_true(bench_until(bench, client_ended, &client));
        expect_pattern(&client, total);
        assert_int_equal(installed, 1);
        assert_int_equal(controls, 1);
        client_close(&client);
        assert_true(bench_until(bench, stream_is_back, NULL));
    }
}

static void a_slow_reader_bounds_what_is_pulled_for_the_kernel(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    uint64_t total = 8u << 20;
    use_ktls(bench, true);
    use_stream(bench, total, STREAM_BLOCK);
    client_open(bench, &client, total + 3);
    bench_for_ms(bench, 60); /* nobody reads: the socket fills */
    assert_true(stream.outstanding > 0 && stream.given < total);
    bench_for_ms(bench, 20);
    assert_true(bench_until(bench, client_ended, &client));
    expect_pattern(&client, total);
    client_close(&client);
    assert_true(bench_until(bench, stream_is_back, NULL));
}

static void a_peer_that_vanishes_leaves_nothing(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct linger hard = {1, 0};
    for (int i = 0; i < 10; i++) {
        use_ktls(bench, true);
        use_stream(bench, 64u << 20, STREAM_BLOCK);
        int fd = bench_connect(bench);
        bench_for_ms(bench, (uint32_t)i * 3);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        close(fd);
        bench_for_ms(bench, 10);
        assert_true(stream.conn == NULL || stream_is_back(NULL));
    }
    assert_true(bench_until(bench, bench_has_no_conns, bench));
}

static void without_the_cipher_own_records_go_on(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    use_ktls(bench, false);
    use_stream(bench, 5000, 5000);
    client_open(bench, &client, 8192);
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(installed, 1);
    assert_int_equal(controls, 0);
    assert_true(client.in_len > 5000);
    assert_int_equal(client.in[0], 23); /* a record of application data */
    client_close(&client);
    assert_true(bench_until(bench, stream_is_back, NULL));
}

#define KTLS(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
static const struct CMUnitTest tests[] = {
    KTLS(bytes_of_every_size_go_to_the_kernel_in_order),
    KTLS(a_slow_reader_bounds_what_is_pulled_for_the_kernel),
    KTLS(a_peer_that_vanishes_leaves_nothing),
    KTLS(without_the_cipher_own_records_go_on),
};

int main(void)
{
    bench_engine = &sgd_engine_uring;
    return sgt_main("engine_uring_ktls", tests, SG_COUNT(tests));
}
