/* answer - a response's head for one viewer, made from a stored object or from nothing but a
 * status: conditions, ranges, and what every answer of the node says of itself. No memory but the
 * caller's. */
#ifndef SGD_ANSWER_H
#define SGD_ANSWER_H

#include "base/config.h"
#include "dataplane/delivery/plan.h"
#include "dataplane/gate/gate.h"
#include "dataplane/http/message.h"
#include "edgecache/log/reqlog.h"

/* How this answer came about, for its Cache-Status, Proxy-Status and Server-Timing. */
struct sgd_provenance {
    enum sge_cache_result how;
    bool stored; /* a later request may get it from the store */
    bool collapsed;
    bool vary_miss;         /* with SGE_CACHE_MISS */
    bool expired;           /* something was stored, and could not be used as it was */
    bool client_asked;      /* the viewer's own directives made us go to the origin */
    uint16_t origin_status; /* 0: the origin was not asked */
    uint16_t origin_error;  /* enum sgd_origin_error */
    uint32_t origin_us;
    struct sg_str upstream; /* host:port */
};

/* What is asked and known: constant while the answer is made. */
struct sgd_answer_ask {
    const struct sgd_request *req;
    const struct sg_conf_site *site; /* NULL: no site was found */
    const struct sgd_gate_answer *gate;
    struct sgd_provenance from;
    uint64_t request_id;
    uint64_t wall_ns;
    struct sg_str allow; /* methods; ptr NULL: the site's */
    struct sg_str named; /* lines beside the object's, for this viewer alone */
};

/* Working memory; what `response` points to lives here until the next use. */
struct sgd_answer {
    struct sgd_response response;
    struct sg_out text;
    struct sgd_field fields[SGD_FIELDS_MAX];
    struct sgd_field stored[SGD_FIELDS_MAX]; /* the object's head, read once */
    uint16_t stored_count;
    char memory[8192];
};

/* 200, 206, 304, 412, 416 or the stored status, and the plan of the body. `object` may be any
 * stored or passed-on response. `part_text` (SGD_PART_TEXT_BYTES) must live as long as the plan:
 * part heads go there. */
#define SGD_PART_TEXT_BYTES 4096
void sgd_answer_object(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                       const struct sge_object *object, struct sgd_plan *plan, char *part_text);

/* An answer of our own: `status`, a short text/plain body that says `code` and `what` (and what to
 * do), made in `body_text` (SGD_REFUSAL_BYTES), which must live as long as the plan. */
#define SGD_REFUSAL_BYTES 512
void sgd_answer_refusal(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                        uint16_t status, const char *code, const char *what, struct sgd_plan *plan,
                        char *body_text);
/* An answer of our own that is not a sentence: no-store, and what every answer says. The texts must
 * live as long as the plan. */
struct sgd_answer_own {
    uint16_t status;
    const char *reason; /* of a refusal; NULL: it is none */
    struct sg_str type, body;
    uint32_t retry_after_s; /* 0: not said */
    struct sg_str allow;    /* said with 405 */
    struct sg_str cookie;   /* a Set-Cookie; len 0: none */
};
void sgd_answer_own(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                    const struct sgd_answer_own *own, struct sgd_plan *plan);
/* 204 for a CORS preflight or OPTIONS; `allow` is the site's methods. */
void sgd_answer_options(struct sgd_answer *answer, const struct sgd_answer_ask *ask);
/* 307 to `location`. */
void sgd_answer_redirect(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                         struct sg_str location);

#endif
