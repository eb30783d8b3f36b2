/* gate - may this request have what it asks for? Rules come from the signed configuration only. The
 * answer is a verdict; what can't be read, found or believed is a refusal.
 * On the request's worker, in a few hundred nanoseconds; no allocation, no I/O but look-ups in the
 * locked map of edgecache/state. */
#ifndef SGD_GATE_H
#define SGD_GATE_H

#include "base/config.h"
#include "dataplane/http/message.h"
#include "edgecache/log/stats.h"
#include "edgecache/state/state.h"

enum sgd_carrier {
    SGD_CARRIER_NONE,
    SGD_CARRIER_HEADER,
    SGD_CARRIER_COOKIE,
    SGD_CARRIER_PATH,
    SGD_CARRIER_QUERY,
};

/* GATE(name, HTTP status, reason code told to the viewer): enum, counter and text. */
enum sgd_gate_verdict {
#define GATE(name, status, reason) SGD_GATE_##name,
#include "dataplane/gate/verdict.def"
#undef GATE
    SGD_GATE_COUNT
};
/* "token_expired"; static, any thread. */
const char *sgd_gate_reason(enum sgd_gate_verdict verdict);
/* 200 where it lets pass. */
uint16_t sgd_gate_status(enum sgd_gate_verdict verdict);
/* "expired", as in the .def: for counters. */
const char *sgd_gate_name(enum sgd_gate_verdict verdict);

#define SGD_TOKEN_TEXT_MAX 5462 /* 4 KiB of CBOR in base64url */

/* Where the token was, and the request without it: what key, log and origin may see. Borrowed from
 * the request and from `memory`. Runs for every request, gated or not: a token never goes on. */
struct sgd_stripped {
    enum sgd_carrier carrier;
    struct sg_str token;  /* base64url text; ptr NULL: none */
    struct sg_str path;   /* without a path token */
    struct sg_str query;  /* without CAT; ptr NULL when nothing is left */
    struct sg_str cookie; /* without the token's cookie; ptr NULL when nothing is left */
    bool redirect;        /* carried in the query: answer 307 to the path form, in `location` */
    struct sg_str location;
};
/* `memory` (SGD_STRIP_BYTES) must live as long as the exchange. SG_EMSGSIZE: larger than any token
 * may be. */
#define SGD_STRIP_BYTES 16384
SG_MUST_USE enum sg_err sgd_token_strip(const struct sgd_request *req, char *memory,
                                        struct sgd_stripped *out);

/* Keys, geo databases and parsed rules, for one configuration snapshot. Borrows `config`. Blocks.
 * What can't be read (a secret, a database, a rule) closes the sites that need it, and each such
 * file is a line in `report`; the answer is SG_OK all the same. On a reload, a report that is not
 * empty is a reason to keep what was. */
struct sgd_gate;
SG_MUST_USE enum sg_err sgd_gate_open(const struct sg_config *config, struct sg_out *report,
                                      struct sgd_gate **out);
void sgd_gate_close(struct sgd_gate *gate);

struct sgd_viewers;   /* dataplane/gate/viewers.h */
struct sgd_gate_core; /* one worker's verdict cache */
SG_MUST_USE enum sg_err sgd_gate_core_open(uint32_t entries, struct sgd_gate_core **out);
void sgd_gate_core_close(struct sgd_gate_core *core);

struct sgd_gate_request {
    const struct sgd_request *req;
    const struct sgd_stripped *stripped;
    struct sg_str
        path;      /* decoded once, no dot segments: what the token's claims are matched with */
    uint32_t site; /* index in the configuration */
    uint64_t wall_ns;
    struct sgd_viewers *viewers; /* the node's; NULL: nobody's number is bounded (tests) */
};
/* What is told in the log, in `explain`, and to the viewer. */
struct sgd_gate_answer {
    enum sgd_gate_verdict verdict;
    uint8_t cti[16];
    uint64_t fact_key, fact_generation;
    uint64_t expires_ns;   /* Unix; 0 without a token */
    bool renewable;        /* catif asks for a redirect on expiry: in `location` */
    uint32_t rule_version; /* that the token was minted by; 0: by none */
    bool stale_knowledge;  /* allowed by a tenant's choice though the feed is old: goes to
                              Cache-Status */
    bool stale_chain;      /* the same of a chain's head */
    bool token_used;       /* a token opened it: the answer goes out private */
    char location[256];    /* with its end, where `renewable` */
};
/* What signing in at a site needs to know; borrowed from the gate and its configuration. */
struct sgd_rule;
struct sgd_verify_key;
struct sgd_gate_terms {
    struct sg_str site, path, region, tenant;
    uint32_t tenant_id;
    /* K_tenant (keys.h), and those by other secrets of the same region */
    const uint8_t *tenant_keys[1 + SG_CONF_REGIONS_MAX];
    uint32_t tenant_keys_count;
    uint32_t skew_s, token_lifetime_s, provisional_s;
    const char *const *domains;
    uint32_t domains_count;
    bool any_host; /* as in grant.h */
    struct sgd_verify_key *const *issuers, *const *countersigners;
    uint32_t issuers_count, countersigners_count;
    enum sg_conf_sign_in sign_in;
    const char *list_proofs_url; /* NULL: players are told of none */
    const struct sgd_rule *rule; /* NULL: none */
    uint32_t rule_version;
    const struct sgd_geo *geo;
};
/* The rule of a site; NULL: it has none, or is closed. */
const struct sgd_rule *sgd_gate_rule(const struct sgd_gate *gate, uint32_t site);
/* How many sites are closed for what of the configuration could not be read. */
uint32_t sgd_gate_unreadable(const struct sgd_gate *gate);
/* False: the site is closed, or needs no token. Any thread. */
SG_MUST_USE bool sgd_gate_terms(const struct sgd_gate *gate, uint32_t site,
                                struct sgd_gate_terms *out);
/* Chains on whose heads something rests: sge_chain_id(). */
#define SGD_CHAINS_MAX 8
struct sgd_chains {
    uint8_t count;
    uint32_t ids[SGD_CHAINS_MAX];
};
/* Whether what the node was told of ownership is young enough for what rests on it, at the site's
 * tenant: the feed, and apart from it each chain's head. SGD_GATE_feed_stale, SGD_GATE_chain_stale:
 * no. Any thread. */
struct sgd_gate_feed {
    bool stale, stale_chain; /* it is not, but the tenant chose to go on */
    uint64_t until_ns;       /* for so long; UINT64_MAX: no end is known */
};
enum sgd_gate_verdict sgd_gate_feed_check(const struct sgd_gate *gate, uint32_t site,
                                          const struct sge_state *state,
                                          const struct sgd_chains *chains, uint64_t wall_ns,
                                          struct sgd_gate_feed *out);

/* `reader` is between begin and end; NULL: the state could not be read, so no token is let pass. */
void sgd_gate_decide(struct sgd_gate *gate, struct sgd_gate_core *core,
                     struct sge_state_reader *reader, struct sge_stats *stats,
                     const struct sgd_gate_request *in, struct sgd_gate_answer *out);

#endif
