/* verdicts - one worker's cache of tokens whose MAC held and whose claims were read: a token is
 * compared whole, so nothing but itself finds it. Only genuine tokens get in, so nobody without a
 * key can push others out. What may change between two requests (time, facts, revocations, path,
 * host, method, network, place) is not here: it is judged on every request. */
#ifndef SGD_GATE_VERDICTS_H
#define SGD_GATE_VERDICTS_H

#include "dataplane/gate/check.h"

#define SGD_VERDICT_TEXT_MAX    768 /* larger tokens are judged from scratch each time */
#define SGD_VERDICT_PAYLOAD_MAX 576

struct sgd_verdict {
    uint64_t gate;          /* serial of the gate whose key it was; 0: not findable */
    uint64_t state_version; /* the state's version that found nothing against it; 0: none yet */
    uint32_t tenant, epoch;
    uint32_t epoch_min;       /* in that version of the state */
    struct sgd_chains chains; /* of its facts, in that version of the state */
    uint16_t text_len;
    struct sgd_claims claims; /* strings lie in payload */
    char text[SGD_VERDICT_TEXT_MAX];
    uint8_t payload[SGD_VERDICT_PAYLOAD_MAX];
};

struct sgd_verdicts;
/* `entries` is rounded up to a power of two, 16 at least. Memory is touched as entries are used. */
SG_MUST_USE enum sg_err sgd_verdicts_open(uint32_t entries, struct sgd_verdicts **out);
void sgd_verdicts_close(struct sgd_verdicts *verdicts);
/* NULL: not there. *hash is the text's, for _place(). */
struct sgd_verdict *sgd_verdicts_find(struct sgd_verdicts *verdicts, uint64_t gate,
                                      struct sg_str text, uint64_t *hash);
/* An emptied entry with `text` and a copy of `payload`: for the caller to
 * fill, and to make findable by setting `gate`. NULL: too large to be kept. */
struct sgd_verdict *sgd_verdicts_place(struct sgd_verdicts *verdicts, uint64_t hash,
                                       struct sg_str text, struct sg_str payload);

#endif
