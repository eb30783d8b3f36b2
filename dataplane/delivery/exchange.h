/* exchange - one request and its answer, from head to last byte: what dataplane/http/exchange.h
 * promises. Private to this folder.
 *
 *   HEAD -> WAIT (the owner is asked, perhaps the origin) -> SEND -> DONE */
#ifndef SGD_DELIVERY_EXCHANGE_H
#define SGD_DELIVERY_EXCHANGE_H

#include "dataplane/delivery/core.h"
#include "dataplane/delivery/plan.h"
#include "dataplane/engine/limits.h"
#include "dataplane/gate/gate.h"
#include "dataplane/gate/grants.h"

#define SGD_EXCHANGE_STATES(X) X(HEAD) X(WAIT) X(SEND) X(DONE)
enum sgd_exchange_state {
#define X(name) SGD_X_##name,
    SGD_EXCHANGE_STATES(X)
#undef X
};

#define SGD_PATH_BYTES 65536 /* what limits.header_bytes may let in */

struct sgd_exchange {
    SG_MAGIC_FIELD;
#define sgd_exchange_MAGIC 0x65786368
    enum sgd_exchange_state state;
    struct sg_hold hold; /* its texts may be on the wire after it closed */
    struct sgd_delivery *d;
    const struct sgd_request *req;
    struct sgd_reply *reply;
    struct sgd_snapshot *snapshot;   /* a reference */
    const struct sg_conf_site *site; /* NULL until routed */
    uint16_t listener;               /* in that snapshot, or SGD_LISTENER_GONE */
    uint32_t site_index;
    uint32_t *tenant_busy; /* where this exchange is counted; NULL: it is not */
    struct sgd_limits_ticket address_ticket, token_ticket;
    uint64_t id;
    uint64_t start_ns, start_wall_ns, first_ns;
    struct sgd_cc cc;
    struct sgd_stripped stripped;
    struct sg_str path, decoded; /* normalised; fully decoded */
    struct sge_key primary;
    struct sgd_gate_answer gate;
    struct sgd_provenance from;
    uint16_t status; /* as told */
    uint64_t request_bytes;
    struct sge_object *object; /* a reference */
    struct sg_str named;       /* a want's, while its object is served */
    struct sgd_want *want;     /* asked and not answered */
    uint64_t want_since_ns;
    uint64_t missing_at; /* where the body was last asked for, and how often in a row */
    uint8_t missing_asks;
    struct sgd_fill *lease; /* the fill that feeds this exchange alone: for ending it */
    uint64_t lease_serial;
    struct sg_list waiting; /* in delivery's waiting[], for its body to move */
    struct sg_list patient; /* in delivery's patient, while want is set */
    struct {
        bool on; /* this is a sign-in (wellknown.h): its body lies in decoded_memory */
        enum sgd_signin_kind kind;
        uint8_t verdict; /* 1 + enum sgd_grant_verdict, once there is one */
        size_t body_len;
        struct sgd_signin_job *job; /* with the threads; NULL: not there */
        struct sg_str why;          /* what of the rule decided; in decoded_memory */
    } signin;
    struct sgd_plan plan;
    char upstream[64];
    /* texts; not cleared */
    char part_text[SGD_PART_TEXT_BYTES];
    char key_memory[SGE_KEY_BYTES_MAX];
    char path_memory[SGD_PATH_BYTES];
    char decoded_memory[SGD_PATH_BYTES];
    char strip_memory[SGD_STRIP_BYTES];
};

/* For wellknown.h. */
struct sgd_answer_ask sgd_exchange_ask(const struct sgd_exchange *x);
/* Sends the head that delivery's answer holds; the plan is the body's. */
void sgd_exchange_answer(struct sgd_exchange *x);
/* The answer is made elsewhere. */
void sgd_exchange_wait(struct sgd_exchange *x);

#endif
