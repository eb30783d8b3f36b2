/* server13 - the server's side of a TLS 1.3 handshake of our own, for the plain case that nearly
 * every client is (hello13.h); OpenSSL does all others. The public-key operations are OpenSSL's,
 * the records are record.h's; what is here is the order of the messages and the key schedule
 * (RFC 8446 sections 4 and 7.1). Does no I/O; nothing is allocated but in _open(). */
#ifndef SGD_TLS_SERVER13_H
#define SGD_TLS_SERVER13_H

#include "base/err.h"
#include "base/sys/crypto.h"
#include "dataplane/tls/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sgd_octx;
struct sgd_servers13; /* what the handshakes of one worker share: room to write in */

/* Borrows `crypto`. */
SG_MUST_USE enum sg_err sgd_servers13_open(struct sgd_tlscrypto *crypto,
                                           struct sgd_servers13 **out);
/* Accepts NULL. */
void sgd_servers13_close(struct sgd_servers13 *servers);

/* One handshake, in the caller's memory; its fields are server13.c's own. */
struct sgd_server13 {
    struct sgd_tlsrec rec; /* zeroed: none is under way */
    struct sgd_tls_direction tx_data, rx_data;
    struct sg_sha256 transcript;
    const struct sgd_octx *octx; /* as long as the listener's context */
    uint8_t master[32];
    uint8_t expected[36]; /* the client's Finished */
    uint8_t got[36];
    uint8_t got_len;
    uint8_t aead; /* enum sgd_tls_aead */
    bool tickets;
    uint16_t tx_plain_max; /* as struct sgd_tls_keys has it */
    struct sgd_server13_random {
        uint8_t hello[32], ticket_iv[16];
        uint32_t ticket_age_add;
    } random; /* drawn at once */
};

/* `record` is a client's first one, whole. True: the handshake is under way, and *out is the answer
 * to send (good until the next call about this worker). False: this is for OpenSSL. */
SG_MUST_USE bool sgd_server13_begin(struct sgd_server13 *server, struct sgd_servers13 *servers,
                                    struct sgd_octx *octx, const uint8_t *record, size_t len,
                                    struct sgd_span *out);

enum sgd_server13_step { SGD_SERVER13_MORE, SGD_SERVER13_DONE, SGD_SERVER13_FAILED };
/* Takes what belongs to the handshake off the front of the bytes; *out (which may be empty) is to
 * be sent: a ticket when DONE, an alert when FAILED. `now_s` is Unix time. */
SG_MUST_USE enum sgd_server13_step
sgd_server13_feed(struct sgd_server13 *server, struct sgd_servers13 *servers, const uint8_t *bytes,
                  size_t len, uint64_t now_s, size_t *taken, struct sgd_span *out);
/* After DONE. */
void sgd_server13_keys(const struct sgd_server13 *server, struct sgd_tls_keys *out);
/* Wipes. Harmless when called twice or on zeroed memory. */
void sgd_server13_fini(struct sgd_server13 *server);

#endif
