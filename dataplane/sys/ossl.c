#include "dataplane/sys/ossl.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/sys/crypto.h"
#include "dataplane/sys/osslkdf.h"
#include "dataplane/sys/osslshare.h"

#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

#define RECORD_HEADER    5
#define EXPLICIT_NONCE   8
#define TYPE_HANDSHAKE   22
#define TYPE_APPLICATION 23

/* Watches our records go by: what OpenSSL does not tell is read off the wire. */
struct watch {
    uint8_t head[RECORD_HEADER + EXPLICIT_NONCE];
    uint8_t head_len;
    size_t left;                            /* of the record under way, beyond its head */
    uint64_t sealed;                        /* records under the application keys */
    uint8_t explicit_nonce[EXPLICIT_NONCE]; /* of the last handshake record: TLS 1.2's Finished */
};

struct sgd_ossl {
    SSL *ssl;
    struct sgd_ossl_sink sink;
    const uint8_t *in; /* only while it is fed */
    size_t in_len;
    struct watch watch;
    struct sgd_okdf_secrets secrets;
    struct sgd_ossl_hello hello;
};

/* TLS 1.3: after the client's Finished only tickets go out, and they are flushed in these states.
 */
static bool under_application_keys(const SSL *ssl)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);
    return state == TLS_ST_SW_SESSION_TICKET || state == TLS_ST_OK;
}

static void watch_head(struct sgd_ossl *ossl)
{
    struct watch *watch = &ossl->watch;
    if (watch->head[0] == TYPE_HANDSHAKE)
        memcpy(watch->explicit_nonce, watch->head + RECORD_HEADER, EXPLICIT_NONCE);
    if (watch->head[0] == TYPE_APPLICATION && under_application_keys(ossl->ssl))
        watch->sealed++;
}

static void watch_bytes(struct sgd_ossl *ossl, const uint8_t *bytes, size_t len)
{
    struct watch *watch = &ossl->watch;
    while (len > 0) {
        if (watch->left > 0) {
            size_t n = SG_MIN(watch->left, len);
            watch->left -= n;
            bytes += n;
            len -= n;
            continue;
        }
        watch->head[watch->head_len++] = *bytes++;
        len--;
        size_t body = (size_t)watch->head[3] << 8 | watch->head[4];
        size_t want = RECORD_HEADER +
                      (watch->head_len < RECORD_HEADER ? 0 : SG_MIN(body, (size_t)EXPLICIT_NONCE));
        if (watch->head_len < RECORD_HEADER || watch->head_len < want)
            continue;
        watch_head(ossl);
        watch->left = body - (want - RECORD_HEADER);
        watch->head_len = 0;
    }
}

/* RFC 8446 section 6.2 calls a PSK binder that does not verify a decrypt_error. */
static const uint8_t *right_alert(const uint8_t *bytes, size_t len)
{
    static const uint8_t wrong[] = {21, 3, 3, 0, 2, SSL3_AL_FATAL, SSL_AD_ILLEGAL_PARAMETER},
                         right[] = {21, 3, 3, 0, 2, SSL3_AL_FATAL, SSL_AD_DECRYPT_ERROR};
    bool binder = len == sizeof(wrong) && memcmp(bytes, wrong, len) == 0 &&
                  ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_BINDER_DOES_NOT_VERIFY;
    return binder ? right : bytes;
}

static int bio_write(BIO *bio, const char *text, int len)
{
    struct sgd_ossl *ossl = BIO_get_data(bio);
    if (len <= 0)
        return 0;
    const uint8_t *bytes = right_alert((const uint8_t *)text, (size_t)len);
    watch_bytes(ossl, bytes, (size_t)len);
    return ossl->sink.write(ossl->sink.arg, bytes, (size_t)len) ? len : -1;
}

/* OpenSSL asks for a header, then for exactly its record: it never takes more than is its. */
static int bio_read(BIO *bio, char *out, int max)
{
    struct sgd_ossl *ossl = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (ossl->in_len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = SG_MIN(ossl->in_len, (size_t)max);
    memcpy(out, ossl->in, n);
    ossl->in += n;
    ossl->in_len -= n;
    return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

/* For the whole process and for ever: a method is a table of functions. */
static void bio_method_make(void)
{
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory of ours");
    if (made == NULL)
        return;
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_ctrl);
    bio_method = made;
}

enum sg_err sgd_ossl_open(struct sgd_octx *octx, const struct sgd_ossl_sink *sink,
                          struct sgd_ossl **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    SG_ASSERT(octx != NULL && out != NULL);
    pthread_once(&once, bio_method_make);
    enum sg_err err = SG_ENOMEM;
    struct sgd_ossl *ossl = sg_boot_alloc(sizeof(*ossl));
    if (ossl == NULL || bio_method == NULL)
        goto out;
    ossl->sink = *sink;
    ossl->ssl = SSL_new(octx->ssl_ctx);
    BIO *bio = BIO_new(bio_method);
    if (ossl->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        goto out;
    }
    BIO_set_data(bio, ossl);
    BIO_set_init(bio, 1);
    SSL_set_bio(ossl->ssl, bio, bio);
    SSL_set_accept_state(ossl->ssl);
    if (SSL_set_app_data(ossl->ssl, &ossl->hello) != 1)
        goto out;
    *out = SG_TAKE(ossl);
    err = SG_OK;
out:
    sgd_ossl_close(ossl);
    return err;
}

void sgd_ossl_close(struct sgd_ossl *ossl)
{
    if (ossl == NULL)
        return;
    SSL_free(ossl->ssl);
    sg_wipe(ossl, sizeof(*ossl));
    sg_boot_free(ossl);
}

enum sgd_ossl_step sgd_ossl_feed(struct sgd_ossl *ossl, const uint8_t *bytes, size_t len,
                                 size_t *taken)
{
    ossl->in = bytes;
    ossl->in_len = len;
    ERR_clear_error();
    sgd_okdf_keep(&ossl->secrets);
    int rc = SSL_do_handshake(ossl->ssl);
    bool trails = rc == 1 && SSL_has_pending(ossl->ssl) == 1;
    if (trails) /* in TLS 1.2, behind Finished: let it be told that this is wrong */
        (void)SSL_peek(ossl->ssl, &(uint8_t){0}, 1);
    sgd_okdf_keep(NULL);
    *taken = len - ossl->in_len;
    ossl->in = NULL;
    ossl->in_len = 0;
    if (rc == 1 && !trails)
        return SGD_OSSL_DONE;
    bool more = !trails && SSL_get_error(ossl->ssl, rc) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return more ? SGD_OSSL_MORE : SGD_OSSL_FAILED;
}

static bool suite_of(const SSL *ssl, struct sgd_tls_keys *keys)
{
    static const struct {
        uint32_t id;
        enum sgd_tls_aead aead;
        uint8_t secret_len;
    } suites[] = {
        {TLS1_3_CK_AES_128_GCM_SHA256, SGD_TLS_AES_128_GCM, 32},
        {TLS1_3_CK_AES_256_GCM_SHA384, SGD_TLS_AES_256_GCM, 48},
        {TLS1_3_CK_CHACHA20_POLY1305_SHA256, SGD_TLS_CHACHA20_POLY1305, 32},
        {TLS1_CK_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, SGD_TLS_AES_128_GCM, 32},
        {TLS1_CK_ECDHE_RSA_WITH_AES_128_GCM_SHA256, SGD_TLS_AES_128_GCM, 32},
        {TLS1_CK_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, SGD_TLS_AES_256_GCM, 48},
        {TLS1_CK_ECDHE_RSA_WITH_AES_256_GCM_SHA384, SGD_TLS_AES_256_GCM, 48},
        {TLS1_CK_ECDHE_ECDSA_WITH_CHACHA20_POLY1305, SGD_TLS_CHACHA20_POLY1305, 32},
        {TLS1_CK_ECDHE_RSA_WITH_CHACHA20_POLY1305, SGD_TLS_CHACHA20_POLY1305, 32},
    };
    uint32_t id = (uint32_t)SSL_CIPHER_get_id(SSL_get_current_cipher(ssl));
    for (size_t i = 0; i < SG_COUNT(suites); i++) {
        if (suites[i].id == id) {
            keys->aead = suites[i].aead;
            keys->secret_len = suites[i].secret_len;
            return true;
        }
    }
    return false;
}

static enum sg_err keys13(struct sgd_ossl *ossl, struct sgd_tls_keys *keys)
{
    const struct sgd_okdf_secrets *secrets = &ossl->secrets;
    if (secrets->server_len != keys->secret_len || secrets->client_len != keys->secret_len)
        return SG_EPROTO;
    memcpy(keys->tx.secret, secrets->server, keys->secret_len);
    memcpy(keys->rx.secret, secrets->client, keys->secret_len);
    sgd_tls_direction_derive(keys->aead, keys->secret_len, &keys->tx);
    sgd_tls_direction_derive(keys->aead, keys->secret_len, &keys->rx);
    keys->tx.seq = ossl->watch.sealed;
    return SG_OK;
}

static enum sg_err keys12(struct sgd_ossl *ossl, struct sgd_tls_keys *keys)
{
    uint8_t master[48], client_random[32], server_random[32];
    const SSL *ssl = ossl->ssl;
    if ((sgd_ossl_is_unbound(ossl->ssl) && sgd_ossl_resumed(ossl)) ||
        SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master)) != sizeof(master))
        return SG_EPROTO;
    SSL_get_client_random(ssl, client_random, sizeof(client_random));
    SSL_get_server_random(ssl, server_random, sizeof(server_random));
    sgd_tls12_derive(master, client_random, server_random, keys);
    sg_wipe(master, sizeof(master));
    /* Finished was record 0; ours go on from its explicit nonce, which OpenSSL drew at random */
    keys->tx.seq = keys->rx.seq = 1;
    if (keys->aead != SGD_TLS_CHACHA20_POLY1305)
        memcpy(keys->tx.iv + 4, ossl->watch.explicit_nonce, EXPLICIT_NONCE);
    return SG_OK;
}

static void limit_records(const struct sgd_ossl *ossl, struct sgd_tls_keys *keys)
{
    unsigned fragment = SSL_SESSION_get_max_fragment_length(SSL_get_session(ossl->ssl));
    keys->tx_plain_max = ossl->hello.tx_plain_max;
    if (fragment >= TLSEXT_max_fragment_length_512 && fragment <= TLSEXT_max_fragment_length_4096)
        keys->tx_plain_max = keys->rx_plain_max = (uint16_t)(256u << fragment);
}

enum sg_err sgd_ossl_keys(struct sgd_ossl *ossl, struct sgd_tls_keys *out)
{
    struct sgd_tls_keys keys = {.version = (uint16_t)SSL_version(ossl->ssl)};
    enum sg_err err = SG_EPROTO;
    if (!suite_of(ossl->ssl, &keys))
        return err;
    if (keys.version == TLS1_3_VERSION)
        err = keys13(ossl, &keys);
    else if (keys.version == TLS1_2_VERSION)
        err = keys12(ossl, &keys);
    limit_records(ossl, &keys);
    if (err == SG_OK)
        *out = keys;
    sg_wipe(&keys, sizeof(keys));
    return err;
}

bool sgd_ossl_ends_with_ticket(const struct sgd_ossl *ossl)
{
    return SSL_version(ossl->ssl) == TLS1_3_VERSION;
}

bool sgd_ossl_resumed(const struct sgd_ossl *ossl)
{
    return SSL_session_reused(ossl->ssl) == 1;
}
