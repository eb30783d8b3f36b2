/* nats - the only door to NATS: the bus over a server, or a cluster of them, with JetStream. */
#ifndef SGC_SYS_NATS_H
#define SGC_SYS_NATS_H

#include "controlplane/bus/driver.h"

/* Servers that are away are no failure: the bus goes on trying, and `report` gets no line. */
SG_MUST_USE enum sg_err sgc_nats_open(const struct sgc_bus_options *options, struct sg_out *report,
                                      struct sgc_bus **out);

#endif
