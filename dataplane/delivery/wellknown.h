/* wellknown - /.well-known/streamgate/{challenge,grant,renew}: how a wallet's owner gets an edge
 * token. Answered before the gate, on every site that asks for tokens; what is decided is
 * dataplane/gate/signin.h's, on threads of its own. Private to this folder. */
#ifndef SGD_DELIVERY_WELLKNOWN_H
#define SGD_DELIVERY_WELLKNOWN_H

#include "dataplane/delivery/exchange.h"

/* `path` normalised. */
bool sgd_wellknown_is(struct sg_str path);
/* The head is there: refuses at once, or waits for the end of the body. */
void sgd_wellknown_open(struct sgd_exchange *x);
/* All that is given is taken. */
void sgd_wellknown_body(struct sgd_exchange *x, const uint8_t *bytes, size_t len);
void sgd_wellknown_body_end(struct sgd_exchange *x);
/* A job came back from the threads. */
void sgd_wellknown_got(struct sgd_delivery *d, struct sgd_signin_job *job);
/* The viewer goes. */
void sgd_wellknown_leave(struct sgd_exchange *x);

#endif
