/* signin - from a wallet's word to an edge token: what /.well-known/streamgate/{challenge,grant,
 * renew} decide, with nothing of HTTP in it but the names of what was asked. docs/signin.md has the
 * requests and answers. On a verifying thread (grants.h): takes up to a millisecond, more where a
 * chain is asked. No allocation. */
#ifndef SGD_GATE_SIGNIN_H
#define SGD_GATE_SIGNIN_H

#include "dataplane/gate/budget.h"
#include "dataplane/gate/geo.h"
#include "dataplane/gate/grant.h"
#include "dataplane/gate/grantbody.h"
#include "dataplane/gate/onchain.h"
#include "dataplane/gate/remember.h"

#include <stdatomic.h>

#define SGD_SIGNIN_NONCE_S    600 /* from a challenge to its grant */
#define SGD_SIGNIN_BODY_BYTES 8192
#define SGD_SIGNIN_TEXT_BYTES 32768 /* of an answer */
#define SGD_SIGNIN_CHAIN_MS   5000  /* so long a sign-in waits for a chain, its turn included */

enum sgd_signin_kind { SGD_SIGNIN_CHALLENGE, SGD_SIGNIN_GRANT, SGD_SIGNIN_RENEW };

/* What is asked; borrowed. */
struct sgd_signin_ask {
    enum sgd_signin_kind kind;
    const struct sgd_gate *gate;
    uint32_t site; /* of the configuration: the one that the wanted path belongs to */
    bool https;
    struct sg_str authority; /* host[:port] that was asked */
    struct sg_str path;      /* of the endpoint, without query: what the proof must name */
    struct sg_str query;     /* ptr NULL: none */
    struct sg_str origin;    /* the page's, as browsers say it; ptr NULL: not said */
    struct sg_str proof;     /* DPoP; ptr NULL: none */
    struct sg_str token;     /* the edge token in use; ptr NULL: none */
    struct sg_str body;
    bool body_is_json;
    bool has_address;
    struct in6_addr address;
    uint32_t tenant_most; /* requests of this kind at the tenant in a minute; 0: no limit */
    uint32_t chain_most;  /* the same of questions to chains */
    uint64_t wall_ns;
};

/* What is answered; the texts are in the caller's memory. */
struct sgd_signin_answer {
    enum sgd_grant_verdict verdict;
    const char *detail;   /* static, for who writes a player; NULL: the verdict says all */
    struct sg_out json;   /* of SGD_GRANT_allowed */
    struct sg_out cookie; /* a Set-Cookie; empty: none */
    uint8_t cti[16];      /* the token's name, or zero */
    char why[160];        /* what of the rule decided, for the log; empty: it was not asked */
};

/* What all sign-ins of a node share. */
struct sgd_signin_desk {
    struct sgd_remember *minted;               /* grants that a first token was minted of */
    struct sgd_remember *proofs;               /* proofs that were used */
    struct sgd_remember *verified;             /* grants whose signature held */
    struct sgd_budget *budget;                 /* of addresses and tenants */
    const struct sgd_onchain *_Atomic onchain; /* NULL: nobody asks chains here */
};
SG_MUST_USE enum sg_err sgd_signin_desk_init(struct sgd_signin_desk *desk);
void sgd_signin_desk_fini(struct sgd_signin_desk *desk);

/* One thread's part. */
struct sgd_signin_clerk {
    struct sgd_signin_desk *desk;
    struct sge_state_reader *reader;
    struct sgd_geo_cache *geo;
    uint64_t wait_until_ns; /* for a chain, monotonic; 0: SGD_GRANT_on_chain says that one must be
                               asked */
    uint8_t body[SGD_GRANT_BYTES_MAX];
    struct sgd_list_proofs list_proofs; /* that the grant under way brought */
    char params[4096];
};

/* *out has its memory already (json, cookie); all else is written. */
void sgd_signin(struct sgd_signin_clerk *clerk, const struct sgd_signin_ask *ask,
                struct sgd_signin_answer *out);

#endif
