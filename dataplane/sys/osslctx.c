#include "dataplane/sys/osslctx.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/sys/crypto.h"
#include "dataplane/sys/osslkdf.h"
#include "dataplane/sys/osslshare.h"
#include "dataplane/tls/hello13.h"
#include "dataplane/tls/view.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_12                                                                                 \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
/* The first is for OpenSSL 3.5 and later. */
#define GROUPS_HYBRID "X25519:P-256:X25519MLKEM768:P-384"
#define GROUPS        "X25519:P-256:P-384"

static struct sgd_octx *octx_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* A ClientHello, before OpenSSL reads it. */
static void on_message(int writes, int version, int type, const void *message, size_t len, SSL *ssl,
                       void *arg)
{
    const uint8_t *bytes = message;
    (void)version, (void)arg;
    if (!writes && type == SSL3_RT_HANDSHAKE && len > 0 && bytes[0] == SSL3_MT_CLIENT_HELLO)
        sgd_hellofault_read(bytes, len, &sgd_ossl_hello(ssl)->fault);
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
    (void)arg;
    *alert = sgd_ossl_hello(ssl)->fault.alert;
    return *alert == 0 ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

static int on_name(SSL *ssl, int *alert, void *arg)
{
    struct sgd_octx *octx = octx_of(ssl);
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    struct sgd_octx *chosen = octx->hooks.choose(octx->arg, sni);
    (void)alert, (void)arg;
    if (chosen != octx && SSL_set_SSL_CTX(ssl, chosen->ssl_ctx) == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return sni == NULL ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl, (void)arg;
    for (unsigned i = 0; i < in_len; i += 1u + in[i]) {
        if (in[i] == 8 && i + 9 <= in_len && memcmp(in + i + 1, "http/1.1", 8) == 0) {
            *out = in + i + 1;
            *out_len = 8;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol, RFC 7301 section 3.2 */
}

static int on_staple(SSL *ssl, void *arg)
{
    struct sgd_octx *octx = octx_of(ssl);
    const X509 *sent = SSL_get_certificate(ssl);
    const uint8_t *der = NULL;
    size_t len = 0;
    (void)arg;
    for (size_t kind = 0; kind < SGD_CERT_KINDS && len == 0; kind++) {
        if (octx->certs[kind] != NULL && octx->certs[kind]->leaf == sent)
            len = octx->hooks.staple(octx->arg, octx->certs[kind], &der);
    }
    unsigned char *copy = len == 0 ? NULL : OPENSSL_memdup(der, len); /* the handshake's to free */
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)len);
    return SSL_TLSEXT_ERR_OK;
}

/* 1, or 2 when the client should get a new ticket; 0 for an unknown key, -1 for an error. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH],
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int makes)
{
    struct sgd_octx *octx = octx_of(ssl);
    struct sgd_ticket_key key;
    if (makes && sgd_ossl_is_unbound(ssl))
        return 0;
    enum sgd_ticket which = octx->hooks.ticket_key(octx->arg, makes ? NULL : name, &key);
    if (which == SGD_TICKET_UNKNOWN)
        return 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.hmac, sizeof(key.hmac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    bool ok = EVP_MAC_CTX_set_params(mac, params) == 1;
    if (makes) {
        memcpy(name, key.name, sizeof(key.name));
        sg_random(iv, 16);
    }
    ok = ok && EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.aes, iv, makes) == 1;
    sg_wipe(&key, sizeof(key));
    return !ok ? -1 : which == SGD_TICKET_OLD && !makes ? 2 : 1;
}

/* RFC 8449's answer: our limit is a full record, and from here on the client's is kept. A client
 * that offers max_fragment_length too is answered there, by OpenSSL, as if we did not know this
 * one. */
static int on_size_limit(SSL *ssl, unsigned type, unsigned context, const unsigned char **out,
                         size_t *out_len, X509 *cert, size_t index, int *alert, void *arg)
{
    static const uint8_t full12[] = {0x40, 0x00}, full13[] = {0x40, 0x01};
    struct sgd_ossl_hello *hello = sgd_ossl_hello(ssl);
    bool is_13 = (context & SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS) != 0;
    unsigned limit = hello->fault.size_limit - (is_13 ? 1u : 0); /* the content's type counts too */
    (void)type, (void)cert, (void)index, (void)alert, (void)arg;
    if (hello->fault.max_fragment_length || limit < SGD_HELLO13_PLAIN_MIN)
        return 0;
    hello->tx_plain_max = limit < SSL3_RT_MAX_PLAIN_LENGTH ? (uint16_t)limit : 0;
    SSL_set_max_send_fragment(ssl, SG_MIN(limit, (unsigned)SSL3_RT_MAX_PLAIN_LENGTH));
    *out = is_13 ? full13 : full12;
    *out_len = sizeof(full13);
    return 1;
}

/* RFC 6066 section 3: in TLS 1.2 a session is resumed only for the name that it was made for. In
 * TLS 1.3 a ticket is good once, so who used it gets another (RFC 8446 appendix C.4). */
static SSL_TICKET_RETURN on_ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                        size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
    (void)name, (void)name_len, (void)arg;
    if (status == SSL_TICKET_FATAL_ERR_MALLOC || status == SSL_TICKET_FATAL_ERR_OTHER)
        return SSL_TICKET_RETURN_ABORT;
    if (session == NULL) /* none, or one that nobody can read */
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION)
        return SSL_TICKET_RETURN_USE_RENEW;
    const char *then = SSL_SESSION_get0_hostname(session), *now = sgd_ossl_hello(ssl)->fault.name;
    if (OPENSSL_strcasecmp(then == NULL ? "" : then, now) != 0)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

static void set_hooks(SSL_CTX *ctx, uint32_t ticket_lifetime_s)
{
    SSL_CTX_set_msg_callback(ctx, on_message);
    SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_tlsext_status_cb(ctx, on_staple);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    SSL_CTX_set_session_ticket_cb(ctx, NULL, on_ticket_read, NULL);
    SSL_CTX_set_timeout(ctx, (long)ticket_lifetime_s);
}

static bool set_extensions(SSL_CTX *ctx)
{
    return SSL_CTX_add_custom_ext(ctx, SGD_TLSEXT_RECORD_SIZE_LIMIT,
                                  SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_2_SERVER_HELLO |
                                      SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS,
                                  on_size_limit, NULL, NULL, NULL, NULL) == 1;
}

static bool set_rules(SSL_CTX *ctx, bool tls13_only)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only */
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_num_tickets(ctx, 1);
    return SSL_CTX_set_min_proto_version(ctx, tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) == 1 &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS_12) == 1 &&
           (SSL_CTX_set1_groups_list(ctx, GROUPS_HYBRID) == 1 ||
            SSL_CTX_set1_groups_list(ctx, GROUPS) == 1);
}

/* Signed with by a server of our own: RSA, and ECDSA on P-256. */
static bool is_signable(const struct sgd_cert *cert)
{
    char group[32] = "";
    if (cert->kind == SGD_CERT_ECDSA)
        EVP_PKEY_get_group_name(cert->key, group, sizeof(group), NULL);
    return cert->kind == SGD_CERT_RSA || strcmp(group, "prime256v1") == 0;
}

/* Writes an entry of a Certificate message where `out` is not NULL; returns its length, 0: none. */
static size_t put_entry(X509 *cert, uint8_t *out)
{
    int len = i2d_X509(cert, NULL);
    if (len <= 0 || len > 0xffffff)
        return 0;
    if (out != NULL) {
        *out++ = (uint8_t)(len >> 16);
        *out++ = (uint8_t)(len >> 8);
        *out++ = (uint8_t)len;
        i2d_X509(cert, &out);
        out[0] = out[1] = 0; /* no extensions */
    }
    return (size_t)len + 5;
}

static enum sg_err chain_make(const struct sgd_cert *cert, struct sgd_chain *chain)
{
    size_t len = put_entry(cert->leaf, NULL), at;
    for (int i = 0; i < sk_X509_num(cert->chain); i++)
        len += put_entry(sk_X509_value(cert->chain, i), NULL);
    if (!is_signable(cert))
        return SG_OK;
    chain->bytes = sg_boot_alloc(len + 1);
    if (chain->bytes == NULL)
        return SG_ENOMEM;
    chain->len = len;
    chain->leaf_len = at = put_entry(cert->leaf, chain->bytes);
    for (int i = 0; i < sk_X509_num(cert->chain); i++)
        at += put_entry(sk_X509_value(cert->chain, i), chain->bytes + at);
    return SG_OK;
}

enum sg_err sgd_octx_open(const struct sgd_octx_conf *conf,
                          struct sgd_cert *const certs[SGD_CERT_KINDS], struct sgd_octx **out)
{
    SG_ASSERT(conf != NULL && out != NULL);
    SG_ASSERT(conf->hooks.choose != NULL && conf->hooks.ticket_key != NULL);
    enum sg_err err = sgd_okdf_load();
    if (err != SG_OK)
        return err;
    struct sgd_octx *octx = sg_boot_alloc(sizeof(*octx));
    if (octx == NULL)
        return SG_ENOMEM;
    err = SG_ETLS;
    octx->hooks = conf->hooks;
    octx->arg = conf->arg;
    octx->ticket_lifetime_s = conf->ticket_lifetime_s;
    octx->ssl_ctx = SSL_CTX_new_ex(NULL, SGD_OKDF_PROPERTIES, TLS_server_method());
    if (octx->ssl_ctx == NULL || !set_rules(octx->ssl_ctx, conf->tls13_only) ||
        !set_extensions(octx->ssl_ctx))
        goto out;
    set_hooks(octx->ssl_ctx, conf->ticket_lifetime_s);
    SSL_CTX_set_app_data(octx->ssl_ctx, octx);
    for (size_t kind = 0; kind < SGD_CERT_KINDS; kind++) {
        octx->certs[kind] = certs[kind];
        if (certs[kind] != NULL &&
            SSL_CTX_use_cert_and_key(octx->ssl_ctx, certs[kind]->leaf, certs[kind]->key,
                                     certs[kind]->chain, 1) != 1)
            goto out;
    }
    err = SG_OK;
    for (size_t kind = 0; kind < SGD_CERT_KINDS && err == SG_OK; kind++) {
        if (certs[kind] != NULL)
            err = chain_make(certs[kind], &octx->chains[kind]);
    }
    if (err == SG_OK)
        *out = SG_TAKE(octx);
out:
    ERR_clear_error();
    sgd_octx_close(octx);
    return err;
}

void sgd_octx_close(struct sgd_octx *octx)
{
    if (octx == NULL)
        return;
    SSL_CTX_free(octx->ssl_ctx);
    for (size_t kind = 0; kind < SGD_CERT_KINDS; kind++)
        sg_boot_free(octx->chains[kind].bytes);
    sg_boot_free(octx);
}

bool sgd_octx_credential(struct sgd_octx *octx, const char *sni, bool ecdsa_p256, bool rsa_pss,
                         struct sgd_octx_credential *out)
{
    struct sgd_octx *chosen = octx->hooks.choose(octx->arg, sni);
    const struct sgd_chain *ecdsa = &chosen->chains[SGD_CERT_ECDSA];
    bool others = chosen->certs[SGD_CERT_ED25519] != NULL ||
                  (chosen->certs[SGD_CERT_ECDSA] != NULL && ecdsa->bytes == NULL);
    enum sgd_cert_kind kind = ecdsa->bytes != NULL && ecdsa_p256 ? SGD_CERT_ECDSA : SGD_CERT_RSA;
    const struct sgd_chain *chain = &chosen->chains[kind];
    if (chain->bytes == NULL || (kind == SGD_CERT_RSA && (others || !rsa_pss)))
        return false;
    *out = (struct sgd_octx_credential){
        .octx = chosen,
        .cert = chosen->certs[kind],
        .scheme = kind == SGD_CERT_ECDSA ? 0x0403 : 0x0804,
        .chain = {chain->bytes, chain->len},
        .leaf_len = chain->leaf_len,
    };
    return true;
}

size_t sgd_octx_staple(const struct sgd_octx_credential *credential, const uint8_t **out)
{
    const struct sgd_octx *octx = credential->octx;
    return octx->hooks.staple(octx->arg, credential->cert, out);
}

uint32_t sgd_octx_ticket_key(const struct sgd_octx *octx, struct sgd_ticket_key *out)
{
    enum sgd_ticket which = octx->hooks.ticket_key(octx->arg, NULL, out);
    SG_ASSERT(which == SGD_TICKET_CURRENT); /* there always is one to make new ones with */
    return octx->ticket_lifetime_s;
}
