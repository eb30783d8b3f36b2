/* token - an edge token as bytes: COSE_Mac0 (RFC 9052, tags 61(17(...))) around CWT claims with the
 * labels of the Common Access Token; docs/tokens.md has the format. Read in place, in two steps:
 * what the MAC needs first, the claims only once the MAC is right. Pure; no allocation. */
#ifndef SGD_GATE_TOKEN_H
#define SGD_GATE_TOKEN_H

#include "base/sys/crypto.h"
#include "dataplane/gate/gate.h"

#define SGD_TOKEN_BYTES_MAX     4096
#define SGD_TOKEN_FACTS_MAX     8
#define SGD_TOKEN_MATCHES_MAX   8
#define SGD_TOKEN_NETWORKS_MAX  16
#define SGD_TOKEN_COUNTRIES_MAX 32
#define SGD_TOKEN_VIEWERS_MAX   16

enum sgd_claim {
    SGD_CLAIM_ISS = 1,
    SGD_CLAIM_SUB = 2,
    SGD_CLAIM_AUD = 3,
    SGD_CLAIM_EXP = 4,
    SGD_CLAIM_NBF = 5,
    SGD_CLAIM_IAT = 6,
    SGD_CLAIM_CTI = 7,
    SGD_CLAIM_CATREPLAY = 308,
    SGD_CLAIM_CATV = 310,
    SGD_CLAIM_CATNIP = 311,
    SGD_CLAIM_CATU = 312,
    SGD_CLAIM_CATM = 313,
    SGD_CLAIM_CATGEOISO3166 = 316,
    SGD_CLAIM_CATIF = 322,
    SGD_CLAIM_CATR = 323,
    SGD_CLAIM_FACTS = -70002,
    SGD_CLAIM_VIEWERS = -70003,
    SGD_CLAIM_INDEX = -70004,
    SGD_CLAIM_SESSION = -70006, /* thumbprint of the key that renewal is bound to */
    SGD_CLAIM_SITE = -70008,    /* the site whose rule was met: it opens no other */
};

/* The parts of the COSE structure; borrowed. */
struct sgd_token {
    struct sg_str protected_header, payload, tag;
    struct sg_str kid;
};

/* Which key: "region/tenant/epoch". */
struct sgd_kid {
    struct sg_str region, tenant;
    uint32_t epoch;
};

enum sgd_match_part { SGD_MATCH_HOST = 1, SGD_MATCH_PATH = 3 };
enum sgd_match_kind {
    SGD_MATCH_EXACT = 0,
    SGD_MATCH_PREFIX = 1,
    SGD_MATCH_SUFFIX = 2,
    SGD_MATCH_SHA256 = -1,
};
struct sgd_match {
    enum sgd_match_part part;
    enum sgd_match_kind kind;
    struct sg_str value; /* of SHA256: 32 bytes */
};

struct sgd_token_network {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d; zero below `bits` */
    uint8_t bits;        /* of the 128 */
    uint32_t asn;        /* instead of a network when not 0 */
};

struct sgd_token_fact {
    uint64_t key, generation;
};

/* The claims. Strings are borrowed from the payload. Also what mint.h makes a token of. */
struct sgd_claims {
    struct sg_str issuer, subject, audience; /* ptr NULL: absent */
    uint64_t expires_s, not_before_s, issued_s;
    uint8_t cti[16];
    bool has_cti;
    bool subject_is_bytes; /* sub is a text elsewhere (RFC 8392); 16 bytes serve us as well */
    bool has_facts, has_index;
    uint32_t index;
    uint32_t rule_version;
    uint32_t methods; /* bits by enum sgd_method */
    bool has_methods; /* catm is there: what is not in it is refused */
    uint32_t viewers; /* addresses at the same time; 0: no bound */
    uint8_t facts_count, matches_count, networks_count, countries_count;
    struct sg_str session; /* 32 bytes; not judged. ptr NULL: it can't be renewed */
    struct sg_str site;    /* ptr NULL: any of the tenant's, where the rest holds */
    struct sg_str renewal; /* where catif sends a viewer whose token expired; ptr NULL: nowhere */
    /* Of these as many as are counted above; the rest is not set. */
    struct sgd_token_fact facts[SGD_TOKEN_FACTS_MAX];
    struct sgd_match matches[SGD_TOKEN_MATCHES_MAX];           /* all must hold */
    struct sgd_token_network networks[SGD_TOKEN_NETWORKS_MAX]; /* one must hold, when any */
    char countries[SGD_TOKEN_COUNTRIES_MAX][2];                /* the same */
};

/* These three answer SGD_GATE_allowed, or the refusal; *out is of use only for the former. */
enum sgd_gate_verdict sgd_token_read(struct sg_str bytes, struct sgd_token *out);
enum sgd_gate_verdict sgd_kid_read(struct sg_str kid, struct sgd_kid *out);
/* SGD_GATE_claim_unknown: a claim that we would have to enforce and can't. */
enum sgd_gate_verdict sgd_claims_read(struct sg_str payload, struct sgd_claims *out);

/* The MAC over MAC_structure (RFC 9052 section 6.3), without external data. */
void sgd_token_mac(const struct sgd_token *token, const struct sg_hmac_key *key,
                   uint8_t out[SG_SHA256_BYTES]);
/* In constant time. */
bool sgd_token_mac_holds(const struct sgd_token *token, const struct sg_hmac_key *key);

#endif
