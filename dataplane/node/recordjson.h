/* recordjson - a record of the request ring as JSON: one shape for the access log, `sgctl log` and
 * `sgctl explain`. Any thread, any process. */
#ifndef SGD_NODE_RECORDJSON_H
#define SGD_NODE_RECORDJSON_H

#include "base/json.h"
#include "dataplane/gate/gate.h"
#include "edgecache/log/reqlog.h"

/* What the record's indices mean; NULL: not known, only the number is written. */
struct sgd_record_names {
    const char *site, *tenant, *listener;
};

/* An object, the value of `key` (NULL: an item). */
void sgd_record_json(const struct sge_record *record, const struct sgd_record_names *names,
                     struct sg_json *json, const char *key);
/* Words for the record's enums; "?" for a number that has none. Static. */
const char *sgd_record_method(uint8_t method);
const char *sgd_record_cache(uint8_t cache);
const char *sgd_record_verdict(enum sgd_gate_verdict verdict);
/* Of a sign-in: "allowed", or the refusal's reason. NULL: the request is none. */
const char *sgd_record_grant(uint8_t grant);
/* "203.0.113.0"; `out` has room for INET6_ADDRSTRLEN. */
void sgd_record_address(const struct sge_record *record, char out[46]);

#endif
