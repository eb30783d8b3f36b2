#include "dataplane/delivery/refs.h"

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/origin/playlist.h"

#define PLAYLIST_BYTES (256 * 1024u) /* larger ones are not looked at: this is a worker */
#define TELL_NS        (60 * SG_NS_PER_SEC)

static void tell(struct sgd_fill *fill, uint32_t refs)
{
    struct sgd_delivery *d = fill->d;
    sge_stat_add(d->worker->stats, SGE_STAT_playlists_rooted, 1);
    if (d->refs_told_ns != 0 && d->worker->now_ns - d->refs_told_ns < TELL_NS)
        return;
    d->refs_told_ns = d->worker->now_ns;
    sg_warn("site %s: %.*s has %s URIs, which a token in the path does not reach", fill->site->name,
            SG_STR_ARG(fill->fetch.path),
            (refs & SGD_PLAYLIST_ABSOLUTE) ? "absolute" : "root-relative");
}

void sgd_refs_check(struct sgd_fill *fill)
{
    struct sg_slice text;
    size_t count = 0;
    if (fill->site->access != SG_CONF_ACCESS_TOKEN || fill->solo || fill->body == NULL ||
        sge_body_bytes(fill->body) > PLAYLIST_BYTES ||
        sge_body_read(fill->body, 0, PLAYLIST_BYTES, &text, 1, &count) != SGE_READ_OK)
        return;
    uint32_t refs = sgd_playlist_refs((struct sg_str){(const char *)text.bytes, text.len});
    sg_slice_drop(&text);
    if (refs & (SGD_PLAYLIST_ROOTED | SGD_PLAYLIST_ABSOLUTE))
        tell(fill, refs);
}
