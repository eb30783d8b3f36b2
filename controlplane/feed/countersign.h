/* countersign - a chain's word on a signature, for nodes that can't ask the chain: over the bus
 * they ask one of their region that can (dataplane/gate/onchain.h), a subject a chain; the answer
 * is a countersignature, which they verify themselves, so whoever answers is not trusted.
 * countersign.c serves, relay.c asks. */
#ifndef SGC_FEED_COUNTERSIGN_H
#define SGC_FEED_COUNTERSIGN_H

#include "base/caip.h"
#include "controlplane/feed/feed.h"
#include "dataplane/gate/onchain.h"

struct sgc_countersign;
/* Answers questions about wallets of these chains, those of a chain one after another, until it is
 * closed, by asking `by`. The same again within seconds is answered from memory. Borrows both. */
SG_MUST_USE enum sg_err sgc_countersign_open(const struct sgc_feed *feed,
                                             const struct sgd_onchain *by,
                                             const struct sg_caip_chain *chains, uint32_t count,
                                             struct sgc_countersign **out);
/* Waits for the answers under way. Accepts NULL. */
void sgc_countersign_close(struct sgc_countersign *countersign);
/* Questions answered, and how many of them from memory. Accepts NULL. */
void sgc_countersign_counts(const struct sgc_countersign *countersign, uint64_t *answered,
                            uint64_t *remembered);

/* Asks whoever serves the grant's chain; lives as long as `feed` and the bus. Any thread may ask.
 * SG_ENOENT: nobody serves that chain. SG_ENOTCONN: the bus is away. Else as `by` answered. */
struct sgc_relay {
    struct sgd_onchain seam;
    const struct sgc_feed *feed;
};
void sgc_relay_init(struct sgc_relay *relay, const struct sgc_feed *feed);

/* What goes between the two. */
struct sgc_countersign_ask {
    uint64_t sent_ns; /* Unix time, by the clock of who asks */
    uint32_t timeout_ms;
    struct sg_str grant; /* CBOR */
};
#define SGC_COUNTERSIGN_ASK_BYTES (16 + SGD_GRANT_BYTES_MAX)
SG_MUST_USE bool sgc_countersign_ask_write(const struct sgc_countersign_ask *ask,
                                           struct sg_out *out);
/* Borrows `bytes`. */
SG_MUST_USE enum sg_err sgc_countersign_ask_read(struct sg_str bytes,
                                                 struct sgc_countersign_ask *out);
#define SGC_COUNTERSIGN_SUBJECT_BYTES 160
void sgc_countersign_subject(const struct sgc_feed *feed, const struct sg_caip_chain *chain,
                             char out[SGC_COUNTERSIGN_SUBJECT_BYTES]);

#endif
