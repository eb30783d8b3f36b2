/* hellofault - what in a ClientHello breaks a rule that OpenSSL, which reads it otherwise, lets
 * pass or answers with another alert than the RFCs say. What it refuses by itself is not looked
 * for. Pure. */
#ifndef SGD_TLS_HELLOFAULT_H
#define SGD_TLS_HELLOFAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sgd_hellofault {
    uint8_t alert;               /* to refuse it with; 0: none */
    bool offers_13;              /* TLS 1.3 */
    bool extended_master_secret; /* RFC 7627 */
    bool max_fragment_length;    /* RFC 6066's way to say what comes next */
    uint16_t size_limit;         /* of records that it takes (RFC 8449); 0: none */
    char name[256];              /* of the server; "": none */
};

/* `message` is the whole handshake message with its header. */
void sgd_hellofault_read(const uint8_t *message, size_t len, struct sgd_hellofault *out);

#endif
