#include "tests/sgt.h"

#include "tests/unit/dataplane/tls/tlspeer.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void sgt_folder_make(char path[64])
{
    snprintf(path, 64, "/tmp/sgt-tls-XXXXXX");
    assert_non_null(mkdtemp(path));
}

void sgt_folder_remove(const char *path)
{
    char file[512];
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(file);
    }
    closedir(dir);
    rmdir(path);
}

X509 *sgt_cert_make(const struct sgt_cert *cert, EVP_PKEY **key)
{
    EVP_PKEY *pkey = strcmp(cert->kind, "EC") == 0      ? EVP_EC_gen("P-256")
                     : strcmp(cert->kind, "EC384") == 0 ? EVP_EC_gen("P-384")
                     : strcmp(cert->kind, "RSA") == 0   ? EVP_RSA_gen(2048)
                                                        : EVP_PKEY_Q_keygen(NULL, NULL, cert->kind);
    X509 *x509 = X509_new();
    assert_true(pkey != NULL && x509 != NULL);
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 7);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400L * (cert->days == 0 ? 90 : cert->days));
    X509_NAME *name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cert->kind, -1, -1,
                               0);
    X509_set_issuer_name(x509, name);
    X509_set_pubkey(x509, pkey);
    if (cert->names != NULL) {
        X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, cert->names);
        assert_non_null(san);
        X509_add_ext(x509, san, -1);
        X509_EXTENSION_free(san);
    }
    const EVP_MD *md = strcmp(cert->kind, "ED25519") == 0 ? NULL : EVP_sha256();
    assert_true(X509_sign(x509, pkey, md) > 0);
    *key = pkey;
    return x509;
}

void sgt_cert_write(const char *folder, const char *name, const struct sgt_cert *cert)
{
    char path[128];
    EVP_PKEY *key;
    X509 *x509 = sgt_cert_make(cert, &key);
    snprintf(path, sizeof(path), "%s/%s.crt", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, x509), 1);
    fclose(f);
    snprintf(path, sizeof(path), "%s/%s.key", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    X509_free(x509);
    EVP_PKEY_free(key);
}

static void tls_begin(struct sgt_tls *tls, const SSL_METHOD *method,
                      const struct sgt_tls_options *options)
{
    tls->ctx = SSL_CTX_new(method);
    assert_non_null(tls->ctx);
    SSL_CTX_set_security_level(tls->ctx, 0);
    if (options->version != 0) {
        SSL_CTX_set_min_proto_version(tls->ctx, options->version);
        SSL_CTX_set_max_proto_version(tls->ctx, options->version);
    }
    if (options->ciphers != NULL)
        assert_int_equal(options->version == TLS1_3_VERSION
                             ? SSL_CTX_set_ciphersuites(tls->ctx, options->ciphers)
                             : SSL_CTX_set_cipher_list(tls->ctx, options->ciphers),
                         1);
}

static void tls_connect(struct sgt_tls *tls)
{
    tls->ssl = SSL_new(tls->ctx);
    tls->rbio = BIO_new(BIO_s_mem());
    tls->wbio = BIO_new(BIO_s_mem());
    assert_true(tls->ssl != NULL && tls->rbio != NULL && tls->wbio != NULL);
    BIO_set_mem_eof_return(tls->rbio, -1);
    SSL_set_bio(tls->ssl, tls->rbio, tls->wbio);
}

void sgt_tls_client(struct sgt_tls *tls, const struct sgt_tls_options *options)
{
    tls_begin(tls, TLS_client_method(), options);
    tls_connect(tls);
    SSL_set_connect_state(tls->ssl);
    if (options->sni != NULL)
        SSL_set_tlsext_host_name(tls->ssl, options->sni);
    if (options->alpn != NULL)
        SSL_set_alpn_protos(tls->ssl, (const uint8_t *)options->alpn,
                            (unsigned)strlen(options->alpn));
    if (options->session != NULL)
        assert_int_equal(SSL_set_session(tls->ssl, options->session), 1);
}

void sgt_tls_server(struct sgt_tls *tls, const struct sgt_tls_options *options)
{
    static EVP_PKEY *key;
    static X509 *cert; /* one for the whole test: making keys costs the most here */
    tls_begin(tls, TLS_server_method(), options);
    if (cert == NULL)
        cert = sgt_cert_make(&(struct sgt_cert){.kind = "EC"}, &key);
    assert_int_equal(SSL_CTX_use_certificate(tls->ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls->ctx, key), 1);
    SSL_CTX_set_num_tickets(tls->ctx, 0);
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_TICKET);
    tls_connect(tls);
    SSL_set_accept_state(tls->ssl);
}

void sgt_tls_end(struct sgt_tls *tls)
{
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->ctx);
    *tls = (struct sgt_tls){0};
}

size_t sgt_tls_move(struct sgt_tls *from, struct sgt_tls *to)
{
    char *bytes;
    long len = BIO_get_mem_data(from->wbio, &bytes);
    if (len > 0)
        assert_int_equal(BIO_write(to->rbio, bytes, (int)len), len);
    (void)BIO_reset(from->wbio);
    return (size_t)len;
}

static void unhex(const char *hex, uint8_t *out, size_t max)
{
    for (size_t i = 0; i < max && hex[2 * i] != 0; i++) {
        unsigned v;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
}

static void keep_secret(const SSL *ssl, const char *line)
{
    struct sgt_tls_pair *pair = SSL_get_app_data(ssl);
    const char *hex = strrchr(line, ' ') + 1;
    if (strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0)
        unhex(hex, pair->tx_secret, 48);
    if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0)
        unhex(hex, pair->rx_secret, 48);
}

static void pair_keys(struct sgt_tls_pair *pair)
{
    struct sgd_tls_keys *keys = &pair->keys;
    SSL *ssl = pair->server.ssl;
    const char *name = SSL_get_cipher_name(ssl);
    keys->version = (uint16_t)SSL_version(ssl);
    keys->aead = strstr(name, "CHACHA20") != NULL ? SGD_TLS_CHACHA20_POLY1305
                 : strstr(name, "128") != NULL    ? SGD_TLS_AES_128_GCM
                                                  : SGD_TLS_AES_256_GCM;
    keys->secret_len = strstr(name, "SHA384") != NULL ? 48 : 32;
    if (keys->version == TLS1_3_VERSION) {
        memcpy(keys->tx.secret, pair->tx_secret, 48);
        memcpy(keys->rx.secret, pair->rx_secret, 48);
        sgd_tls_direction_derive(keys->aead, keys->secret_len, &keys->tx);
        sgd_tls_direction_derive(keys->aead, keys->secret_len, &keys->rx);
        return;
    }
    uint8_t master[48], client_random[32], server_random[32];
    SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
    SSL_get_client_random(ssl, client_random, 32);
    SSL_get_server_random(ssl, server_random, 32);
    sgd_tls12_derive(master, client_random, server_random, keys);
    keys->tx.seq = keys->rx.seq = 1; /* Finished was 0 */
    memset(keys->tx.iv + (keys->aead == SGD_TLS_CHACHA20_POLY1305 ? 12 : 4), 0x5a,
           keys->aead == SGD_TLS_CHACHA20_POLY1305 ? 0 : 8);
}

void sgt_tls_pair_make(struct sgt_tls_pair *pair, int version, const char *ciphers)
{
    struct sgt_tls_options options = {.version = version, .ciphers = ciphers};
    memset(pair, 0, sizeof(*pair));
    sgt_tls_client(&pair->client, &options);
    sgt_tls_server(&pair->server, &options);
    SSL_CTX_set_keylog_callback(pair->server.ctx, keep_secret);
    SSL_set_app_data(pair->server.ssl, pair);
    for (int turn = 0; turn < 8; turn++) {
        SSL_do_handshake(pair->client.ssl);
        sgt_tls_move(&pair->client, &pair->server);
        SSL_do_handshake(pair->server.ssl);
        sgt_tls_move(&pair->server, &pair->client);
    }
    assert_true(SSL_is_init_finished(pair->client.ssl));
    assert_true(SSL_is_init_finished(pair->server.ssl));
    pair_keys(pair);
}

void sgt_tls_pair_end(struct sgt_tls_pair *pair)
{
    sgt_tls_end(&pair->client);
    sgt_tls_end(&pair->server);
}
