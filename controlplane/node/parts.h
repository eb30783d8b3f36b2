/* parts - what a node's control plane is made of. Only for controlplane/node. */
#ifndef SGC_NODE_PARTS_H
#define SGC_NODE_PARTS_H

#include "controlplane/chain/chains.h"
#include "controlplane/chain/onchain.h"
#include "controlplane/feed/agent.h"
#include "controlplane/feed/copies.h"
#include "controlplane/feed/countersign.h"
#include "controlplane/feed/edges.h"
#include "controlplane/feed/publisher.h"
#include "controlplane/node/control.h"
#include "controlplane/node/reload.h"

struct sgc_control {
    enum sgc_role role;
    struct sge_state *state;
    char name[80]; /* of the node */
    struct sgc_bus *bus;
    struct sgc_feed feed;
    struct sgc_speaker *speaker;
    struct sgc_ledger *ledger; /* this and what follows: NULL on an edge */
    struct sgc_chains *chains; /* the followers */
    struct sgc_publisher *publisher;
    struct sgc_copies *copies;
    struct sgc_edges *edges;
    struct sgc_agent *agent;     /* on every node */
    struct sgc_onchain *onchain; /* borrowed; NULL: not yet */
    struct sgc_relay relay;
    struct sgc_countersign *countersign; /* NULL: nobody is answered */
    uint32_t reloads;                    /* that were asked for */
    enum sgc_reload last_reload;
};

#endif
