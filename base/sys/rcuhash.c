#include "base/sys/rcuhash.h"

#include "base/assert.h"

#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

_Static_assert(sizeof(struct cds_lfht_node) == sizeof(struct sg_rcuhash_node),
               "sg_rcuhash_node holds liburcu's node");

static struct cds_lfht *rcuhash_lib(struct sg_rcuhash *hash)
{
    return (struct cds_lfht *)hash;
}

static struct sg_rcuhash_node *rcuhash_ours(struct cds_lfht_node *node)
{
    return (struct sg_rcuhash_node *)node;
}

/* The library's match is `int (*)(node *, const void *)`; ours goes along with the key. */
struct rcuhash_ask {
    sg_rcuhash_match match;
    const void *key;
};

static int rcuhash_asked(struct cds_lfht_node *node, const void *arg)
{
    const struct rcuhash_ask *ask = arg;
    return ask->match(rcuhash_ours(node), ask->key);
}

enum sg_err sg_rcuhash_open(uint32_t buckets, struct sg_rcuhash **out)
{
    SG_ASSERT(buckets > 0 && buckets <= 1u << 31);
    SG_ASSERT(out != NULL);
    unsigned long size = 1;
    while (size < buckets)
        size *= 2;
    struct cds_lfht *lib = cds_lfht_new_flavor(size, size, size, 0, &urcu_qsbr_flavor, NULL);
    if (lib == NULL)
        return SG_ENOMEM;
    *out = (struct sg_rcuhash *)lib;
    return SG_OK;
}

void sg_rcuhash_close(struct sg_rcuhash *hash)
{
    if (hash == NULL)
        return;
    int rc = cds_lfht_destroy(rcuhash_lib(hash), NULL);
    SG_ASSERT(rc == 0); /* it was empty */
}

struct sg_rcuhash_node *sg_rcuhash_find(struct sg_rcuhash *hash, uint64_t h, sg_rcuhash_match match,
                                        const void *key)
{
    struct rcuhash_ask ask = {match, key};
    struct cds_lfht_iter iter;
    cds_lfht_lookup(rcuhash_lib(hash), h, rcuhash_asked, &ask, &iter);
    return rcuhash_ours(cds_lfht_iter_get_node(&iter));
}

struct sg_rcuhash_node *sg_rcuhash_replace(struct sg_rcuhash *hash, uint64_t h,
                                           sg_rcuhash_match match, const void *key,
                                           struct sg_rcuhash_node *node)
{
    struct rcuhash_ask ask = {match, key};
    struct cds_lfht_node *lib = (struct cds_lfht_node *)node;
    cds_lfht_node_init(lib);
    return rcuhash_ours(cds_lfht_add_replace(rcuhash_lib(hash), h, rcuhash_asked, &ask, lib));
}

bool sg_rcuhash_remove(struct sg_rcuhash *hash, struct sg_rcuhash_node *node)
{
    return cds_lfht_del(rcuhash_lib(hash), (struct cds_lfht_node *)node) == 0;
}
