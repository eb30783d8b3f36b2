#include "controlplane/feed/feed.h"

#include "base/sys/crypto.h"
#include "controlplane/bus/subject.h"
#include "controlplane/feed/entry.h"

#include <stdio.h>

#define KEPT_S     (7 * 86400u) /* an edge that was away for longer loads a copy */
#define KEPT_BYTES (1ull << 30) /* or that missed more */
#define DEDUP_S    86400u       /* so long may an entry wait for its acknowledgement */
#define SAY_BYTES  (64u << 10)

bool sgc_feed_init(struct sgc_feed *feed, struct sgc_bus *bus, const char *region)
{
    struct sg_str name = sg_str_from(region);
    if (!sgc_name_right(name) || name.len > SGC_REGION_MAX)
        return false;
    feed->bus = bus;
    snprintf(feed->stream, sizeof(feed->stream), "own-%s", region);
    snprintf(feed->entries, sizeof(feed->entries), "streamgate.%s.own", region);
    snprintf(feed->beats, sizeof(feed->beats), "streamgate.%s.beat", region);
    snprintf(feed->applied, sizeof(feed->applied), "streamgate.%s.applied", region);
    snprintf(feed->hellos, sizeof(feed->hellos), "streamgate.%s.hello", region);
    snprintf(feed->copies, sizeof(feed->copies), "streamgate.%s.copy", region);
    snprintf(feed->countersign, sizeof(feed->countersign), "streamgate.%s.countersign", region);
    return true;
}

enum sg_err sgc_feed_stream_open(const struct sgc_feed *feed)
{
    const struct sgc_stream_options options = {.name = feed->stream,
                                               .subjects = feed->entries,
                                               .bytes_max = KEPT_BYTES,
                                               .age_s_max = KEPT_S,
                                               .dedup_s = DEDUP_S};
    return sgc_stream_open(feed->bus, &options);
}

enum sg_err sgc_feed_at(const struct sgc_feed *feed, struct sgc_stream_info *info,
                        struct sge_mark *last)
{
    uint8_t digest[SG_SHA256_BYTES];
    struct sg_sha256 hash;
    enum sg_err err = sgc_stream_info(feed->bus, feed->stream, info);
    if (err != SG_OK)
        return err;
    sg_sha256_init(&hash);
    sg_sha256_add(&hash, feed->stream, strlen(feed->stream) + 1);
    sg_sha256_add(&hash, &info->made_ns, sizeof(info->made_ns));
    sg_sha256_final(&hash, digest);
    memcpy(last->stream, digest, sizeof(last->stream));
    last->seq = info->last;
    return SG_OK;
}

enum sg_err sgc_feed_say(const struct sgc_feed *feed, const struct sge_word *words, uint32_t count,
                         uint64_t *seq)
{
    const struct sge_batch batch = {.words = words, .words_count = count};
    char bytes[SAY_BYTES], id[40];
    uint8_t random[16];
    struct sg_out out = sg_out_init(bytes, sizeof(bytes)), id_out = sg_out_init(id, sizeof(id) - 1);
    sg_random(random, sizeof(random));
    sg_out_hex(&id_out, random, sizeof(random));
    id[id_out.len] = '\0';
    if (!sgc_entry_write(&batch, &out))
        return SG_EMSGSIZE;
    return sgc_stream_append(feed->bus, feed->entries, id, SGC_ANY, sg_out_view(&out), seq);
}
