#include "dataplane/tls/ktls.h"

#include "base/assert.h"
#include "base/sys/crypto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#define VERSION_12 0x0303

/* What the kernel asks for, by cipher. */
union crypto_info {
    struct tls_crypto_info info;
    struct tls12_crypto_info_aes_gcm_128 gcm128;
    struct tls12_crypto_info_aes_gcm_256 gcm256;
    struct tls12_crypto_info_chacha20_poly1305 chacha;
};

static void put_u64(uint8_t *out, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(out, &v, sizeof(v));
}

/* The nonce's last 8 bytes. In TLS 1.2 the kernel counts the explicit nonce on from here, apart
 * from the sequence number; record 0's is in the iv (dataplane/tls/keys.h). */
static void put_iv(uint8_t out[8], const struct sgd_tls_keys *keys)
{
    uint64_t iv;
    memcpy(&iv, keys->tx.iv + 4, sizeof(iv));
    if (keys->version == VERSION_12)
        put_u64(out, __builtin_bswap64(iv) + keys->tx.seq);
    else
        memcpy(out, &iv, sizeof(iv));
}

static socklen_t crypto_info_fill(union crypto_info *out, const struct sgd_tls_keys *keys)
{
    const struct sgd_tls_direction *tx = &keys->tx;
    memset(out, 0, sizeof(*out));
    out->info.version = keys->version;
    switch (keys->aead) {
    case SGD_TLS_AES_128_GCM:
        out->info.cipher_type = TLS_CIPHER_AES_GCM_128;
        memcpy(out->gcm128.key, tx->key, sizeof(out->gcm128.key));
        memcpy(out->gcm128.salt, tx->iv, sizeof(out->gcm128.salt));
        put_iv(out->gcm128.iv, keys);
        put_u64(out->gcm128.rec_seq, tx->seq);
        return sizeof(out->gcm128);
    case SGD_TLS_AES_256_GCM:
        out->info.cipher_type = TLS_CIPHER_AES_GCM_256;
        memcpy(out->gcm256.key, tx->key, sizeof(out->gcm256.key));
        memcpy(out->gcm256.salt, tx->iv, sizeof(out->gcm256.salt));
        put_iv(out->gcm256.iv, keys);
        put_u64(out->gcm256.rec_seq, tx->seq);
        return sizeof(out->gcm256);
    case SGD_TLS_CHACHA20_POLY1305:
        out->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
        memcpy(out->chacha.key, tx->key, sizeof(out->chacha.key));
        memcpy(out->chacha.iv, tx->iv, sizeof(out->chacha.iv));
        put_u64(out->chacha.rec_seq, tx->seq);
        return sizeof(out->chacha);
    }
    SG_UNREACHABLE();
}

enum sg_err sgd_ktls_install(int fd, const struct sgd_tls_keys *keys)
{
    union crypto_info crypto;
    SG_ASSERT(keys != NULL);
    if (setsockopt(fd, SOL_TCP, TCP_ULP, "tls", sizeof("tls")) != 0 && errno != EEXIST)
        return sg_err_from_errno(errno);
    socklen_t len = crypto_info_fill(&crypto, keys);
    int rc = setsockopt(fd, SOL_TLS, TLS_TX, &crypto, len);
    int err_no = errno;
    sg_wipe(&crypto, sizeof(crypto));
    if (rc == 0)
        return SG_OK;
    /* EINVAL: this version or cipher is not known; ENOENT: known, but its module is not there */
    return err_no == EINVAL || err_no == ENOENT ? SG_ENOTSUP : sg_err_from_errno(err_no);
}

static enum sg_err probe_pair(int listener, int client)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    struct sgd_tls_keys keys = {.version = 0x0304, .aead = SGD_TLS_AES_128_GCM};
    if (bind(listener, (struct sockaddr *)&addr, len) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&addr, &len) != 0 ||
        connect(client, (struct sockaddr *)&addr, len) != 0)
        return sg_err_from_errno(errno);
    return sgd_ktls_install(client, &keys);
}

enum sg_err sgd_ktls_probe(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum sg_err err = listener < 0 || client < 0 ? SG_EMFILE : probe_pair(listener, client);
    if (client >= 0)
        close(client);
    if (listener >= 0)
        close(listener);
    return err;
}

_Static_assert(SGD_KTLS_TYPE_BYTES == CMSG_SPACE(sizeof(uint8_t)), "room for the type");

void sgd_ktls_put_type(uint8_t type, uint8_t out[SGD_KTLS_TYPE_BYTES])
{
    struct cmsghdr *header = (struct cmsghdr *)(void *)out;
    memset(out, 0, SGD_KTLS_TYPE_BYTES);
    header->cmsg_len = CMSG_LEN(sizeof(uint8_t));
    header->cmsg_level = SOL_TLS;
    header->cmsg_type = TLS_SET_RECORD_TYPE;
    *CMSG_DATA(header) = type;
}
