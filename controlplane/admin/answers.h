/* answers - what the admin server says to each path. Control thread. */
#ifndef SGC_ADMIN_ANSWERS_H
#define SGC_ADMIN_ANSWERS_H

#include "controlplane/admin/request.h"
#include "controlplane/node/control.h"
#include "dataplane/node/node.h"

struct sgc_answer {
    uint16_t status;
    const char *type; /* of the content */
};

/* Writes the body to `body`. `trusted`: it came over the socket from somebody who may command.
 * `control`: NULL once it was left (admin.h). */
struct sgc_answer sgc_answer_request(struct sgd_node *node, struct sgc_control *control,
                                     const struct sgc_request *request, bool trusted,
                                     struct sg_out *body);

#endif
