#include "dataplane/node/paths.h"

#include "base/secret.h"
#include "edgecache/content/content.h"

#include <string.h>

struct sgd_node_path sgd_path_arena(const struct sge_content *content,
                                    const struct sg_config *config)
{
    struct sge_arena_view arena;
    sge_content_arena(content, &arena);
    bool fallback = config->cache.hugepages && strcmp(arena.kind, "hugetlb") != 0;
    return (struct sgd_node_path){"arena", arena.kind, fallback,
                                  fallback ? "too few huge pages are free: sysctl vm.nr_hugepages"
                                           : ""};
}

struct sgd_node_path sgd_path_disk(const struct sge_content *content, bool wanted)
{
    struct sge_volume_counts counts;
    if (!wanted)
        return (struct sgd_node_path){"disk", "off", false, ""};
    if (!sge_content_volume_counts(content, &counts))
        return (struct sgd_node_path){"disk", "none", true,
                                      "it can't be used, the log says why: RAM only"};
    if (counts.given_up)
        return (struct sgd_node_path){"disk", "given-up", true,
                                      "for an upgrade: RAM only until the next start"};
    if (counts.blind)
        return (struct sgd_node_path){"disk", "blind", true,
                                      "its index can't be committed: nothing is found on it"};
    if (counts.paused)
        return (struct sgd_node_path){"disk", "read-only", true,
                                      "writing failed: nothing is written for a while"};
    return counts.direct ? (struct sgd_node_path){"disk", "direct", false, ""}
                         : (struct sgd_node_path){"disk", "page-cache", true,
                                                  "the file system has no O_DIRECT"};
}

static struct sgd_node_path path_memory(const char *what, bool locked)
{
    if (locked)
        return (struct sgd_node_path){what, "locked", false, ""};
    return (struct sgd_node_path){what, "pageable", true,
                                  "the limit on locked memory is too low: LimitMEMLOCK"};
}

struct sgd_node_path sgd_path_state(const struct sge_state *state)
{
    return path_memory("state_memory", sge_state_locked(state) == SG_OK);
}

struct sgd_node_path sgd_path_secrets(void)
{
    return path_memory("secret_memory", sg_secret_locked());
}

struct sgd_node_path sgd_path_config(const struct sgd_trust *trust)
{
    return (struct sgd_node_path){"config", trust != NULL ? "signed" : "unsigned", false, ""};
}

struct sgd_node_path sgd_path_ktls(enum sg_err probed)
{
    if (probed == SG_OK)
        return (struct sgd_node_path){"ktls", "kernel", false, ""};
    return (struct sgd_node_path){"ktls", "own-records", true, "this kernel has no TLS (tls.ko)"};
}

struct sgd_node_path sgd_path_crypto(const char *used)
{
    bool fallback = strcmp(used, "ipsec-mb") != 0;
    return (struct sgd_node_path){
        "record_crypto", used, fallback,
        fallback ? "ipsec-mb is absent, not wanted, or slower on this processor" : ""};
}
