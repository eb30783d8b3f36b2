#include "controlplane/feed/edges.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/feed/beat.h"

#include <pthread.h>

struct sgc_edges {
    struct sgc_sub *sub;
    pthread_mutex_t lock;
    uint32_t count;
    struct sgc_edge rows[SGC_EDGES_MAX]; /* by name */
};

/* The place of `name`, or where it belongs. */
static uint32_t place(const struct sgc_edges *edges, const char *name)
{
    uint32_t low = 0, high = edges->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (strcmp(edges->rows[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void oldest_drop(struct sgc_edges *edges)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < edges->count; i++)
        if (edges->rows[i].seen_ns < edges->rows[oldest].seen_ns)
            oldest = i;
    edges->count--;
    memmove(&edges->rows[oldest], &edges->rows[oldest + 1],
            (edges->count - oldest) * sizeof(edges->rows[0]));
}

static struct sgc_edge *row_of(struct sgc_edges *edges, const char *name)
{
    uint32_t at = place(edges, name);
    if (at < edges->count && strcmp(edges->rows[at].name, name) == 0)
        return &edges->rows[at];
    if (edges->count == SGC_EDGES_MAX) {
        oldest_drop(edges);
        at = place(edges, name);
    }
    memmove(&edges->rows[at + 1], &edges->rows[at], (edges->count - at) * sizeof(edges->rows[0]));
    edges->count++;
    edges->rows[at] = (struct sgc_edge){0};
    memcpy(edges->rows[at].name, name, strlen(name) + 1);
    return &edges->rows[at];
}

static void on_applied(void *ctx, const struct sgc_msg *msg)
{
    struct sgc_edges *edges = ctx;
    struct sgc_applied applied;
    if (sgc_applied_read(msg->data, &applied) != SG_OK)
        return;
    pthread_mutex_lock(&edges->lock);
    struct sgc_edge *row = row_of(edges, applied.edge);
    row->seq = applied.mark.seq; /* lower than before: another stream's */
    row->seen_ns = sg_clock_wall_ns();
    if (applied.applied_ns != 0) {
        row->applied_ns = applied.applied_ns;
        row->took_ns = applied.applied_ns - SG_MIN(applied.applied_ns, applied.appended_ns);
    }
    pthread_mutex_unlock(&edges->lock);
}

enum sg_err sgc_edges_open(const struct sgc_feed *feed, struct sgc_edges **out)
{
    SG_ASSERT(feed != NULL && out != NULL);
    struct sgc_edges *edges = sg_boot_alloc(sizeof(*edges));
    if (edges == NULL)
        return SG_ENOMEM;
    pthread_mutex_init(&edges->lock, NULL);
    enum sg_err err = sgc_bus_subscribe(feed->bus, feed->applied, on_applied, edges, &edges->sub);
    if (err == SG_OK)
        *out = SG_TAKE(edges);
    sgc_edges_close(edges);
    return err;
}

void sgc_edges_close(struct sgc_edges *edges)
{
    if (edges == NULL)
        return;
    sgc_sub_end(edges->sub);
    pthread_mutex_destroy(&edges->lock);
    sg_boot_free(edges);
}

uint32_t sgc_edges_list(struct sgc_edges *edges, struct sgc_edge *out, uint32_t max)
{
    pthread_mutex_lock(&edges->lock);
    uint32_t count = SG_MIN(max, edges->count);
    memcpy(out, edges->rows, count * sizeof(out[0]));
    pthread_mutex_unlock(&edges->lock);
    return count;
}
