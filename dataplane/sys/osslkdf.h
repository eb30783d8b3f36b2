/* osslkdf - TLS 1.3's key schedule as an OpenSSL provider of ours. OpenSSL computes the schedule
 * through the algorithm "TLS13-KDF"; this one is a few HMACs on plain memory, and keeps the two
 * traffic secrets that no other interface gives but the key log, which is printed a byte at a time.
 * Together that is a fifth of a handshake's CPU. For the whole process; any thread. */
#ifndef SGD_SYS_OSSLKDF_H
#define SGD_SYS_OSSLKDF_H

#include "base/err.h"

#include <stdint.h>

/* What SSL_CTX_new_ex() is to be given so that it takes ours where there is one. */
#define SGD_OKDF_PROPERTIES "?provider=streamgate"

struct sgd_okdf_secrets {
    uint8_t server[48], client[48]; /* application_traffic_secret_0 */
    uint8_t server_len, client_len; /* 0: not derived yet */
};

/* Loads the provider, the first time. SG_ETLS: OpenSSL refused it. */
SG_MUST_USE enum sg_err sgd_okdf_load(void);
/* What this thread derives from here on is kept in *secrets; NULL ends it. */
void sgd_okdf_keep(struct sgd_okdf_secrets *secrets);

#endif
