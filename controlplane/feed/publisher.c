#include "controlplane/feed/publisher.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/feed/beat.h"
#include "controlplane/feed/entry.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_MS 500
#define AHEAD_MS 5
#define ASKED_MS 100 /* a beat at most so often, however many edges ask for one */

struct sgc_publisher {
    struct sgc_publisher_options options;
    struct sge_state_reader *reader;
    pthread_t thread;
    int wake_fd; /* readable: it is the end, or an edge asks for a beat */
    atomic_bool ended, asked;
    struct sgc_sub *hellos; /* NULL: not subscribed yet */
    uint64_t beat_at_ns;    /* the next, monotonic */
    bool opened;            /* the stream is there */
    bool claimed;           /* and our ledger's */
    uint8_t name[16];       /* of the ledger */
    struct sgc_beat beat;
    char beat_bytes[SGC_BEAT_BYTES_MAX], entry_bytes[SGC_ENTRY_BYTES_MAX];
    struct sge_change changes[SGC_OUTBOX_CHANGES_MAX];
    pthread_mutex_t lock; /* over `view` */
    struct sgc_publisher_view view;
};
_Static_assert(SGC_OUTBOX_CHANGES_MAX <= SGC_ENTRY_CHANGES_MAX, "what comes out goes in");

/* ---- whose stream it is ---- */

/* The first ledger that has something for a stream claims it, for good: two that write one would
 * put each other's facts back. One made anew after a loss is another ledger, and needs a stream
 * that is made anew too. */
struct claim {
    uint8_t stream[16], ledger[16];
};
#define BUCKET "feed"

/* SG_ENOENT: nobody has claimed this stream. */
static enum sg_err claim_get(struct sgc_publisher *publisher, struct claim *claim,
                             uint64_t *revision)
{
    const struct sgc_feed *feed = publisher->options.feed;
    struct sgc_stream_info info;
    struct sge_mark last;
    struct sg_out out = sg_out_init(claim, sizeof(*claim));
    *revision = 0;
    enum sg_err err = sgc_feed_at(feed, &info, &last);
    if (err == SG_OK)
        err = sgc_kv_get(feed->bus, BUCKET, feed->stream, &out, revision);
    if (err == SG_OK && out.len != sizeof(*claim))
        err = SG_ECORRUPT;
    if (err == SG_OK && memcmp(claim->stream, last.stream, sizeof(last.stream)) != 0)
        err = SG_ENOENT;
    if (err == SG_ENOENT)
        memcpy(claim->stream, last.stream, sizeof(claim->stream));
    return err;
}

static bool claim_is_ours(const struct sgc_publisher *publisher, const struct claim *claim)
{
    return memcmp(claim->ledger, publisher->name, sizeof(claim->ledger)) == 0;
}

/* SG_EPERM: the stream is another ledger's. */
static enum sg_err claim_take(struct sgc_publisher *publisher)
{
    const struct sgc_feed *feed = publisher->options.feed;
    struct claim claim;
    uint64_t revision;
    enum sg_err err = claim_get(publisher, &claim, &revision);
    if (err == SG_OK)
        return claim_is_ours(publisher, &claim) ? SG_OK : SG_EPERM;
    if (err != SG_ENOENT)
        return err;
    if (revision != 0 && claim_is_ours(publisher, &claim))
        sg_error("feed: the stream %s is not the one that this ledger wrote: what it told that one "
                 "is in no edge's state any more: sgctl chain rebuild, for each chain",
                 feed->stream);
    memcpy(claim.ledger, publisher->name, sizeof(claim.ledger));
    return sgc_kv_swap(feed->bus, BUCKET, feed->stream, revision,
                       (struct sg_str){(const char *)&claim, sizeof(claim)}, &revision);
}

/* ---- entries ---- */

static bool is_far_ahead(struct sgc_publisher *publisher, uint64_t seq)
{
    struct sge_mark mark = {.seq = 0};
    if (sge_state_begin(publisher->reader) != SG_OK)
        return true;
    sge_state_mark(publisher->reader, &mark);
    sge_state_end(publisher->reader);
    return seq > mark.seq + SGC_PUBLISHER_AHEAD_MAX;
}

/* The id makes one out of two attempts, whatever happened between them. */
static enum sg_err entry_append(struct sgc_publisher *publisher, uint64_t outbox_id, uint32_t count)
{
    const struct sge_batch batch = {.changes = publisher->changes, .changes_count = count};
    struct sg_out out = sg_out_init(publisher->entry_bytes, sizeof(publisher->entry_bytes));
    char id[32];
    uint64_t seq;
    if (!sgc_entry_write(&batch, &out))
        return SG_EMSGSIZE;
    snprintf(id, sizeof(id), "outbox-%llu", (unsigned long long)outbox_id);
    if (!publisher->claimed) {
        enum sg_err err = claim_take(publisher);
        if (err != SG_OK)
            return err;
        publisher->claimed = true;
    }
    enum sg_err err =
        sgc_stream_append(publisher->options.feed->bus, publisher->options.feed->entries, id,
                          SGC_ANY, sg_out_view(&out), &seq);
    while (err == SG_OK && is_far_ahead(publisher, seq) && !atomic_load(&publisher->ended))
        (void)poll(NULL, 0, AHEAD_MS);
    return err;
}

/* Everything that is in the outbox now. */
static enum sg_err outbox_drain(struct sgc_publisher *publisher)
{
    struct sgc_ledger *ledger = publisher->options.ledger;
    enum sg_err err = SG_OK;
    uint64_t id;
    uint32_t count;
    while (err == SG_OK && ledger != NULL &&
           (count = sgc_ledger_outbox(ledger, &id, publisher->changes, SGC_OUTBOX_CHANGES_MAX)) >
               0) {
        err = entry_append(publisher, id, count);
        if (err == SG_OK)
            err = sgc_ledger_sent(ledger, id);
        pthread_mutex_lock(&publisher->lock);
        publisher->view.entries += err == SG_OK;
        pthread_mutex_unlock(&publisher->lock);
    }
    return err;
}

/* ---- beats ---- */

/* Only who writes the stream knows when it is whole; as long as nobody does, anybody. */
static enum sg_err beat_may(struct sgc_publisher *publisher)
{
    struct claim claim;
    uint64_t revision;
    enum sg_err err = claim_get(publisher, &claim, &revision);
    if (err == SG_OK && !claim_is_ours(publisher, &claim))
        return SG_EPERM;
    return err == SG_ENOENT ? SG_OK : err;
}

/* `whole_ns`: when the outbox was about to be found empty. What is in the stream by the time that
 * its last number is read was there then, or came later. */
static enum sg_err beat_send(struct sgc_publisher *publisher, uint64_t whole_ns)
{
    const struct sgc_feed *feed = publisher->options.feed;
    struct sgc_beat *beat = &publisher->beat;
    struct sgc_stream_info info;
    struct sg_out out = sg_out_init(publisher->beat_bytes, sizeof(publisher->beat_bytes));
    beat->at_ns = whole_ns;
    beat->chains_count = sge_state_chains(publisher->options.state, beat->chains, SGE_CHAINS_MAX);
    enum sg_err err = beat_may(publisher);
    if (err == SG_OK)
        err = sgc_feed_at(feed, &info, &beat->mark);
    if (err == SG_OK && !sgc_beat_write(beat, &out))
        err = SG_EMSGSIZE;
    if (err == SG_OK)
        err = sgc_bus_publish(feed->bus, feed->beats, sg_out_view(&out));
    if (err != SG_OK)
        return err;
    pthread_mutex_lock(&publisher->lock);
    publisher->view.beats++;
    publisher->view.last = beat->mark.seq;
    pthread_mutex_unlock(&publisher->lock);
    return SG_OK;
}

/* ---- the thread ---- */

/* An edge that has just come does not know how young it is until it hears a beat. */
static void on_hello(void *ctx, const struct sgc_msg *msg)
{
    struct sgc_publisher *publisher = ctx;
    (void)msg;
    atomic_store(&publisher->asked, true);
    (void)eventfd_write(publisher->wake_fd, 1);
}

/* Waits for the outbox, an edge, the end or `until_ns` (monotonic). False: the end. */
static bool publisher_wait(struct sgc_publisher *publisher, bool outbox_too, uint64_t until_ns)
{
    struct sgc_ledger *ledger = publisher->options.ledger;
    uint64_t now_ns = sg_clock_mono_ns();
    struct pollfd fds[] = {
        {publisher->wake_fd, POLLIN, 0},
        {outbox_too && ledger != NULL ? sgc_ledger_fd(ledger) : -1, POLLIN, 0},
    };
    uint64_t ms = until_ns > now_ns ? (until_ns - now_ns) / SG_NS_PER_MS + 1 : 0;
    eventfd_t woken;
    (void)poll(fds, SG_COUNT(fds), (int)ms);
    (void)eventfd_read(publisher->wake_fd, &woken);
    return !atomic_load(&publisher->ended);
}

static void trouble_tell(struct sgc_publisher *publisher, enum sg_err err)
{
    pthread_mutex_lock(&publisher->lock);
    bool news = publisher->view.trouble != err;
    publisher->view.trouble = err;
    publisher->view.ready = err == SG_OK;
    pthread_mutex_unlock(&publisher->lock);
    if (news && err == SG_EPERM)
        sg_error(
            "feed: the stream %s is another ledger's: one control node a region; a ledger made "
            "anew needs a stream made anew",
            publisher->options.feed->stream);
    else if (news && err != SG_OK)
        sg_error("feed: the stream can't be written: %s", sg_err_text(err));
    else if (news)
        sg_info("feed: the stream is written");
}

/* Soon, where an edge asks: those that come at the same time share one. */
static void beat_sooner(struct sgc_publisher *publisher)
{
    uint64_t soon_ns = sg_clock_mono_ns() + ASKED_MS * SG_NS_PER_MS;
    if (atomic_exchange(&publisher->asked, false))
        publisher->beat_at_ns = SG_MIN(publisher->beat_at_ns, soon_ns);
}

static enum sg_err publisher_turn(struct sgc_publisher *publisher)
{
    const struct sgc_feed *feed = publisher->options.feed;
    enum sg_err err = SG_OK;
    if (!publisher->opened)
        err = sgc_feed_stream_open(feed);
    if (err == SG_OK && !publisher->opened)
        err = sgc_kv_open(feed->bus, BUCKET);
    if (err == SG_OK && publisher->hellos == NULL)
        err = sgc_bus_subscribe(feed->bus, feed->hellos, on_hello, publisher, &publisher->hellos);
    publisher->opened = err == SG_OK;
    uint64_t whole_ns = sg_clock_wall_ns();
    if (err == SG_OK)
        err = outbox_drain(publisher);
    beat_sooner(publisher);
    if (err == SG_OK && sg_clock_mono_ns() >= publisher->beat_at_ns) {
        err = beat_send(publisher, whole_ns);
        publisher->beat_at_ns = sg_clock_mono_ns() + publisher->options.beat_ms * SG_NS_PER_MS;
    }
    return err;
}

static void *publisher_run(void *arg)
{
    struct sgc_publisher *publisher = arg;
    uint64_t until_ns;
    enum sg_err err;
    publisher->view.trouble = SG_EAGAIN;
    do {
        err = publisher_turn(publisher);
        trouble_tell(publisher, err);
        if (err == SG_ENOENT) /* somebody took the stream away: another one is made */
            publisher->opened = publisher->claimed = false;
        until_ns =
            err == SG_OK ? publisher->beat_at_ns : sg_clock_mono_ns() + RETRY_MS * SG_NS_PER_MS;
    } while (publisher_wait(publisher, err == SG_OK, until_ns));
    return NULL;
}

enum sg_err sgc_publisher_open(const struct sgc_publisher_options *options,
                               struct sgc_publisher **out)
{
    SG_ASSERT(options != NULL && options->feed != NULL && options->state != NULL);
    SG_ASSERT(out != NULL);
    struct sgc_publisher *publisher = sg_boot_alloc(sizeof(*publisher));
    if (publisher == NULL)
        return SG_ENOMEM;
    publisher->options = *options;
    enum sg_err err = sge_state_reader_open(options->state, &publisher->reader);
    if (err != SG_OK) {
        sg_boot_free(publisher);
        return err;
    }
    if (options->ledger != NULL)
        sgc_ledger_name(options->ledger, publisher->name);
    if (publisher->options.beat_ms == 0)
        publisher->options.beat_ms = SGC_FEED_BEAT_MS;
    publisher->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&publisher->lock, NULL);
    int rc = publisher->wake_fd < 0
                 ? errno
                 : pthread_create(&publisher->thread, NULL, publisher_run, publisher);
    if (rc == 0) {
        *out = publisher;
        return SG_OK;
    }
    if (publisher->wake_fd >= 0)
        close(publisher->wake_fd);
    sge_state_reader_close(publisher->reader);
    sg_boot_free(publisher);
    return sg_err_from_errno(rc);
}

void sgc_publisher_close(struct sgc_publisher *publisher)
{
    if (publisher == NULL)
        return;
    atomic_store(&publisher->ended, true);
    (void)eventfd_write(publisher->wake_fd, 1);
    pthread_join(publisher->thread, NULL);
    sgc_sub_end(publisher->hellos);
    close(publisher->wake_fd);
    pthread_mutex_destroy(&publisher->lock);
    sge_state_reader_close(publisher->reader);
    sg_boot_free(publisher);
}

void sgc_publisher_view(struct sgc_publisher *publisher, struct sgc_publisher_view *out)
{
    pthread_mutex_lock(&publisher->lock);
    *out = publisher->view;
    pthread_mutex_unlock(&publisher->lock);
}
