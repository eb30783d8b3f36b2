#include "tests/sgt.h"

#include "dataplane/tls/ktls.h"
#include "dataplane/tls/record.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Both ends of a TCP connection over the loopback. */
static void connection(int ends[2])
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&addr, len), 0);
    ends[1] = accept(listener, NULL, NULL);
    assert_true(ends[1] >= 0);
    close(listener);
}

static void send_control(int fd, uint8_t type, uint8_t *bytes, size_t len)
{
    _Alignas(8) uint8_t control[SGD_KTLS_TYPE_BYTES];
    struct iovec iov = {bytes, len};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    sgd_ktls_put_type(type, control);
    assert_int_equal(sendmsg(fd, &msg, 0), len);
}

/* The kernel seals, our reader opens: data, then close_notify. */
static void kernel_to_reader(uint16_t version, enum sgd_tls_aead aead)
{
    struct sgd_tls_keys keys = {.version = version, .aead = aead, .secret_len = 32}, mirror;
    struct sgd_tlscrypto *crypto;
    struct sgd_tlsrec rec;
    uint8_t bytes[256], *in = bytes, *plain;
    size_t plain_len, have = 0, want = 0;
    enum sgd_close why;
    int ends[2];
    memset(keys.tx.key, 3, sizeof(keys.tx.key));
    memset(keys.tx.iv, 4, sizeof(keys.tx.iv));
    keys.tx.seq = 77;
    mirror = keys;
    mirror.rx = keys.tx;
    connection(ends);
    enum sg_err err = sgd_ktls_install(ends[0], &keys);
    if (err == SG_ENOTSUP && aead != SGD_TLS_AES_128_GCM) {
        close(ends[0]);
        close(ends[1]);
        return; /* an older kernel */
    }
    assert_int_equal(err, SG_OK);
    assert_int_equal(sgd_tlscrypto_open(SG_CONF_CRYPTO_AUTO, 1, &crypto), SG_OK);
    sgd_tlsrec_init(&rec, crypto, &mirror);
    assert_int_equal(send(ends[0], "by the kernel", 13, 0), 13);
    send_control(ends[0], 21, (uint8_t[]){1, 0}, 2);
    size_t overhead = version == 0x0304 ? 22 : aead == SGD_TLS_CHACHA20_POLY1305 ? 21 : 29;
    for (want = 13 + 2 + 2 * overhead; have < want;) {
        ssize_t n = recv(ends[1], bytes + have, sizeof(bytes) - have, 0);
        assert_true(n > 0);
        have += (size_t)n;
    }
    assert_int_equal(sgd_tlsrec_open(&rec, &in, &have, &plain, &plain_len, &why), SGD_TLSREC_DATA);
    assert_int_equal(plain_len, 13);
    assert_memory_equal(plain, "by the kernel", 13);
    assert_int_equal(sgd_tlsrec_open(&rec, &in, &have, &plain, &plain_len, &why), SGD_TLSREC_END);
    sgd_tlsrec_fini(&rec);
    sgd_tlscrypto_close(crypto);
    close(ends[0]);
    close(ends[1]);
}

static void what_the_kernel_seals_our_reader_opens(void **fixture)
{
    for (enum sgd_tls_aead aead = 0; aead < 3; aead++) {
        kernel_to_reader(0x0304, aead);
        kernel_to_reader(0x0303, aead);
    }
    (void)fixture;
}

static void a_socket_the_kernel_wont_take_is_told_apart(void **fixture)
{
    struct sgd_tls_keys keys = {.version = 0x0304};
    assert_int_equal(sgd_ktls_install(-1, &keys), SG_EBADF);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_the_kernel_seals_our_reader_opens),
    cmocka_unit_test(a_socket_the_kernel_wont_take_is_told_apart),
};

int main(void)
{
    enum sg_err err = sgd_ktls_probe();
    if (err == SG_OK)
        return sgt_main("tls_ktls", tests, sizeof(tests) / sizeof(tests[0]));
    printf("1..0 # skip: no kernel TLS here (%s): tests/vm has it\n", sg_err_text(err));
    return err == SG_ENOENT || err == SG_ENOTSUP ? 0 : 1;
}
