/* chainconf - a chain's servers as its configuration has them. */
#ifndef SGC_CHAIN_CHAINCONF_H
#define SGC_CHAIN_CHAINCONF_H

#include "base/config.h"
#include "controlplane/chain/servers.h"

/* What is returned points into `conf` and `servers`. */
static inline struct sgc_servers_options
sgc_chainconf_servers(const struct sg_conf_chain *conf,
                      struct sgc_rpc_options servers[SGC_SERVERS_MAX])
{
    for (uint32_t i = 0; i < conf->servers_count; i++)
        servers[i] = (struct sgc_rpc_options){.url = conf->servers[i].url,
                                              .fields_file = conf->servers[i].fields_file,
                                              .ca_file = conf->servers[i].ca_file,
                                              .timeout_ms = conf->timeout_ms};
    return (struct sgc_servers_options){.servers = servers,
                                        .count = conf->servers_count,
                                        .agree = conf->agree,
                                        .calls_per_s = conf->calls_per_s,
                                        .check_headers = conf->check_headers};
}

#endif
