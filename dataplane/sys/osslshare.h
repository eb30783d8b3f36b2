/* osslshare - what the doors to OpenSSL's TLS know of each other; nobody else includes it. */
#ifndef SGD_SYS_OSSLSHARE_H
#define SGD_SYS_OSSLSHARE_H

#include "dataplane/sys/osslcert.h"
#include "dataplane/sys/osslctx.h"
#include "dataplane/tls/hellofault.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

struct sgd_cert {
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    enum sgd_cert_kind kind;
    int64_t not_after_s;
    char *subject;
    char **names;
    size_t names_count;
};

struct sgd_octx {
    SSL_CTX *ssl_ctx;
    struct sgd_octx_hooks hooks;
    void *arg;
    uint32_t ticket_lifetime_s;
    struct sgd_cert *certs[SGD_CERT_KINDS];
    struct sgd_chain {
        uint8_t *bytes; /* as struct sgd_octx_credential has it; NULL: for OpenSSL to send */
        size_t len, leaf_len;
    } chains[SGD_CERT_KINDS];
};

/* An SSL's application data: what stood in the ClientHello, and what follows from it. */
struct sgd_ossl_hello {
    struct sgd_hellofault fault;
    uint16_t tx_plain_max; /* as struct sgd_tls_keys has it */
};

static inline struct sgd_ossl_hello *sgd_ossl_hello(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* A session of TLS 1.2 whose keys do not stand for its handshake (RFC 7627): never to be resumed.
 */
static inline bool sgd_ossl_is_unbound(const SSL *ssl)
{
    return SSL_version(ssl) == TLS1_2_VERSION && !sgd_ossl_hello(ssl)->fault.extended_master_secret;
}

#endif
