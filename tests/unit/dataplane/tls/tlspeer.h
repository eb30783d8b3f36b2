/* tlspeer - the other side of our TLS in tests: OpenSSL over memory, and certificates made on the
 * spot. */
#ifndef SGT_TLSPEER_H
#define SGT_TLSPEER_H

#include "dataplane/tls/keys.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A folder that is removed with what is in it. */
void sgt_folder_make(char path[64]);
void sgt_folder_remove(const char *path);

struct sgt_cert {
    const char *kind;  /* "EC", "EC384", "RSA", "ED25519" */
    const char *names; /* "DNS:a.example,DNS:*.b.example" */
    int days;          /* 0: 90 */
};
/* Writes FOLDER/NAME.crt and FOLDER/NAME.key, self-signed. */
void sgt_cert_write(const char *folder, const char *name, const struct sgt_cert *cert);
X509 *sgt_cert_make(const struct sgt_cert *cert, EVP_PKEY **key);

/* An OpenSSL endpoint: what it writes is in wbio, what it is to read goes to rbio. */
struct sgt_tls {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *rbio, *wbio; /* owned by ssl */
};
struct sgt_tls_options {
    int version;         /* 0: any */
    const char *ciphers; /* of this version; NULL: default */
    const char *sni;
    const char *alpn; /* wire format */
    SSL_SESSION *session;
};
void sgt_tls_client(struct sgt_tls *tls, const struct sgt_tls_options *options);
void sgt_tls_server(struct sgt_tls *tls, const struct sgt_tls_options *options);
void sgt_tls_end(struct sgt_tls *tls);
/* Moves all that `from` wrote to `to`. */
size_t sgt_tls_move(struct sgt_tls *from, struct sgt_tls *to);

/* A finished handshake of two OpenSSLs, and the server's keys: from here on our record layer can
 * take the server's place. */
struct sgt_tls_pair {
    struct sgt_tls client, server;
    uint8_t tx_secret[48], rx_secret[48];
    struct sgd_tls_keys keys;
};
void sgt_tls_pair_make(struct sgt_tls_pair *pair, int version, const char *ciphers);
void sgt_tls_pair_end(struct sgt_tls_pair *pair);

#endif
