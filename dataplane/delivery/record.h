/* record - a finished exchange as counters and as one record of the request ring. */
#ifndef SGD_RECORD_H
#define SGD_RECORD_H

#include "dataplane/delivery/exchange.h"

void sgd_record_write(const struct sgd_exchange *x, enum sgd_close why, uint64_t sent_bytes,
                      uint64_t now_ns);

#endif
