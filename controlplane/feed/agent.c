#include "controlplane/feed/agent.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/feed/beat.h"
#include "controlplane/feed/copies.h"
#include "controlplane/feed/entry.h"
#include "edgecache/state/copyrow.h"

#include <pthread.h>

#define RETRY_MS   500
#define ALL_OF_IT  10000 /* a stream of so few entries is read from its first rather than copied */
#define BEATS_KEPT 2     /* the oldest that waits, and the newest: so one of them is met some day */

const uint32_t sgc_apply_bucket_ms[SGC_APPLY_BUCKETS - 1] = {1,   2,   5,   10,   20,  50,
                                                             100, 200, 500, 1000, 5000};

struct sgc_agent {
    struct sgc_agent_options options;
    pthread_t thread;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    bool ended, look_again;
    uint8_t stream[16]; /* the one that is followed */
    struct sgc_agent_view view;
    uint32_t beats_count;
    struct sgc_beat beats[BEATS_KEPT]; /* that are ahead of us, oldest first */
    struct sgc_beat heard;             /* the beats' thread's alone */
    struct sgc_entry_room room;        /* the entries' thread's alone */
};

const char *sgc_agent_phase_name(enum sgc_agent_phase phase)
{
    static const char *const names[] = {"seeking", "copying", "following"};
    return names[phase];
}

static void phase_enter(struct sgc_agent *agent, enum sgc_agent_phase phase)
{
    pthread_mutex_lock(&agent->lock);
    agent->view.phase = phase;
    pthread_mutex_unlock(&agent->lock);
}

static void trouble_tell(struct sgc_agent *agent, enum sg_err err, const char *what)
{
    pthread_mutex_lock(&agent->lock);
    bool news = agent->view.trouble != err;
    agent->view.trouble = err;
    pthread_mutex_unlock(&agent->lock);
    if (news && err != SG_OK)
        sg_error("feed: %s: %s", what, sg_err_text(err));
    else if (news)
        sg_info("feed: %s", what);
}

/* With the lock held: what is followed is no more what we should follow. */
static void look_again(struct sgc_agent *agent)
{
    agent->look_again = true;
    pthread_cond_broadcast(&agent->changed);
}

/* To the head: entry `seq` is applied; or only that we are there (`applied_ns` 0). */
static void report(struct sgc_agent *agent, uint64_t seq, uint64_t appended_ns, uint64_t applied_ns)
{
    struct sgc_applied applied = {.appended_ns = appended_ns, .applied_ns = applied_ns};
    char memory[SGC_APPLIED_BYTES_MAX];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sg_str name = sg_str_from(agent->options.name);
    memcpy(applied.edge, name.ptr, SG_MIN(name.len, sizeof(applied.edge) - 1));
    memcpy(applied.mark.stream, agent->stream, sizeof(applied.mark.stream));
    applied.mark.seq = seq;
    if (!sgc_applied_write(&applied, &out) ||
        sgc_bus_publish(agent->options.feed->bus, agent->options.feed->applied,
                        sg_out_view(&out)) != SG_OK)
        sg_debug("feed: entry %llu: nobody could be told that it is applied",
                 (unsigned long long)seq);
}

/* ---- beats ---- */

/* With the lock held: says for every beat that we have caught up with how young the state is. */
static void beats_settle(struct sgc_agent *agent)
{
    while (agent->beats_count > 0 && agent->view.mark.seq >= agent->beats[0].mark.seq) {
        const struct sgc_beat *beat = &agent->beats[0];
        uint64_t now_ns = sg_clock_wall_ns();
        enum sg_err err = sge_state_heartbeat(agent->options.state, SG_MIN(beat->at_ns, now_ns));
        for (uint32_t i = 0; err == SG_OK && i < beat->chains_count; i++)
            err = sge_state_chain_heard(agent->options.state, &beat->chains[i]);
        if (err != SG_OK)
            sg_error("feed: the state can't be told of a beat: %s", sg_err_text(err));
        agent->beats_count--;
        memmove(&agent->beats[0], &agent->beats[1], agent->beats_count * sizeof(agent->beats[0]));
    }
}

static void beat_keep(struct sgc_agent *agent, const struct sgc_beat *beat)
{
    uint32_t at = SG_MIN(agent->beats_count, (uint32_t)BEATS_KEPT - 1);
    agent->beats[at] = *beat;
    agent->beats_count = at + 1;
    agent->view.beats++;
    agent->view.known = SG_MAX(agent->view.known, beat->mark.seq);
    beats_settle(agent);
}

static void on_beat(void *ctx, const struct sgc_msg *msg)
{
    struct sgc_agent *agent = ctx;
    enum sg_err err = sgc_beat_read(msg->data, &agent->heard);
    if (err != SG_OK) {
        sg_error("feed: what should be a beat is none: %s", sg_err_text(err));
        return;
    }
    pthread_mutex_lock(&agent->lock);
    if (agent->view.phase == SGC_AGENT_FOLLOWING &&
        memcmp(agent->stream, agent->heard.mark.stream, sizeof(agent->stream)) != 0)
        look_again(agent);
    else if (agent->view.phase == SGC_AGENT_FOLLOWING)
        beat_keep(agent, &agent->heard);
    uint64_t seq = agent->view.mark.seq;
    pthread_mutex_unlock(&agent->lock);
    report(agent, seq, 0, 0);
}

/* ---- entries ---- */

/* It is in the state, whoever put it there. */
static void reached(struct sgc_agent *agent, uint64_t seq)
{
    pthread_mutex_lock(&agent->lock);
    agent->view.mark.seq = SG_MAX(agent->view.mark.seq, seq);
    agent->view.known = SG_MAX(agent->view.known, seq);
    beats_settle(agent);
    pthread_mutex_unlock(&agent->lock);
}

static void applied(struct sgc_agent *agent, const struct sgc_msg *msg)
{
    uint64_t now_ns = sg_clock_wall_ns();
    uint64_t took_ns = now_ns > msg->at_ns ? now_ns - msg->at_ns : 0;
    uint32_t bucket = 0;
    while (bucket < SGC_APPLY_BUCKETS - 1 && took_ns > sgc_apply_bucket_ms[bucket] * SG_NS_PER_MS)
        bucket++;
    pthread_mutex_lock(&agent->lock);
    agent->view.applied++;
    agent->view.apply_buckets[bucket]++;
    agent->view.apply_sum_ns += took_ns;
    pthread_mutex_unlock(&agent->lock);
    reached(agent, msg->seq);
    report(agent, msg->seq, msg->at_ns, now_ns);
}

/* What can't be read or written is never passed over: the state stays where it is, and grows old.
 */
static enum sg_err on_entry(void *ctx, const struct sgc_msg *msg)
{
    struct sgc_agent *agent = ctx;
    struct sge_batch batch = {.seq = msg->seq};
    memcpy(batch.stream, agent->stream, sizeof(batch.stream));
    enum sg_err err = sgc_entry_read(msg->data, &agent->room, &batch);
    if (err != SG_OK) {
        trouble_tell(agent, err, "an entry of the stream can't be read");
        return err;
    }
    err = sge_state_apply(agent->options.state, &batch);
    if (err == SG_OK || err == SG_EEXIST) {
        applied(agent, msg);
        trouble_tell(agent, SG_OK, "entries are applied");
        return SG_OK;
    }
    if (err == SG_EALREADY) { /* by the process that this one takes over from */
        reached(agent, msg->seq);
        return SG_OK;
    }
    if (err == SG_ERANGE || err == SG_EVERSION) {
        pthread_mutex_lock(&agent->lock);
        look_again(agent);
        pthread_mutex_unlock(&agent->lock);
        return err;
    }
    trouble_tell(agent, err, "an entry of the stream can't be applied");
    return err;
}

/* ---- where to begin ---- */

static enum sg_err state_mark(struct sgc_agent *agent, struct sge_mark *mark)
{
    struct sge_state_reader *reader = NULL;
    enum sg_err err = sge_state_reader_open(agent->options.state, &reader);
    if (err != SG_OK)
        return err;
    err = sge_state_begin(reader);
    if (err == SG_OK) {
        sge_state_mark(reader, mark);
        sge_state_end(reader);
    }
    sge_state_reader_close(reader);
    return err;
}

/* An empty state of that stream, from whose first entry we go on. One that no stream ever fed keeps
 * what was revoked by hand. */
static enum sg_err begin_empty(struct sgc_agent *agent, const uint8_t stream[16],
                               struct sge_mark *mark)
{
    static const uint8_t none[16];
    struct sge_load *load = NULL;
    struct sge_mark first = {.seq = 0};
    char memory[64];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    bool never = memcmp(mark->stream, none, sizeof(none)) == 0;
    memcpy(first.stream, stream, sizeof(first.stream));
    if (never) {
        *mark = first;
        return SG_OK;
    }
    enum sg_err err = sge_state_load_begin(agent->options.state, &first, &load);
    if (err != SG_OK)
        return err;
    sge_copy_head_put(&out, &(struct sge_copy_at){0});
    sge_copy_row_put(&out, &(struct sge_copy_row){.table = SGE_COPY_END});
    err = sge_state_load_add(load, sg_out_view(&out));
    if (err == SG_OK)
        err = sge_state_load_end(load);
    else
        sge_state_load_abandon(load);
    if (err == SG_OK)
        *mark = first;
    return err;
}

static enum sg_err copy(struct sgc_agent *agent, const uint8_t stream[16], struct sge_mark *mark)
{
    phase_enter(agent, SGC_AGENT_COPYING);
    uint64_t began_ns = sg_clock_mono_ns();
    enum sg_err err = sgc_copy_fetch(agent->options.feed, agent->options.state, stream, mark);
    phase_enter(agent, SGC_AGENT_SEEKING);
    if (err != SG_OK)
        return err;
    sg_info("feed: a copy of the state up to entry %llu, in %llu ms", (unsigned long long)mark->seq,
            (unsigned long long)((sg_clock_mono_ns() - began_ns) / SG_NS_PER_MS));
    pthread_mutex_lock(&agent->lock);
    agent->view.copies++;
    pthread_mutex_unlock(&agent->lock);
    return SG_OK;
}

/* Brings the state to a mark from which the stream `last` can be followed. */
static enum sg_err catch_up(struct sgc_agent *agent, const struct sgc_stream_info *info,
                            const struct sge_mark *last, struct sge_mark *mark)
{
    bool same = memcmp(mark->stream, last->stream, sizeof(mark->stream)) == 0;
    if (same && mark->seq > info->last) {
        sg_error("feed: entry %llu is applied, but the stream ends with %llu: it was put back "
                 "to an older state, and must be made anew",
                 (unsigned long long)mark->seq, (unsigned long long)info->last);
        return SG_ECORRUPT;
    }
    if (same && mark->seq + 1 >= info->first)
        return SG_OK;
    enum sg_err err = SG_ENOENT;
    if (info->first > 1 || info->last > ALL_OF_IT)
        err = copy(agent, last->stream, mark);
    if (err == SG_OK && mark->seq + 1 < info->first)
        return SG_ESTALE; /* who has it missed the same entries */
    if (err != SG_ENOENT || info->first > 1)
        return err;
    /* Nobody has one, or it is not worth it: the stream has it all. */
    return begin_empty(agent, last->stream, mark);
}

static enum sg_err seek(struct sgc_agent *agent, struct sge_mark *mark)
{
    struct sgc_stream_info info;
    struct sge_mark last;
    enum sg_err err = sgc_feed_at(agent->options.feed, &info, &last);
    if (err == SG_OK)
        err = state_mark(agent, mark);
    if (err == SG_OK)
        err = catch_up(agent, &info, &last, mark);
    if (err != SG_OK)
        return err;
    pthread_mutex_lock(&agent->lock);
    memcpy(agent->stream, last.stream, sizeof(agent->stream));
    agent->view.mark = *mark;
    agent->view.known = info.last;
    agent->view.phase = SGC_AGENT_FOLLOWING;
    agent->look_again = false;
    agent->beats_count = 0;
    pthread_mutex_unlock(&agent->lock);
    return SG_OK;
}

/* ---- the thread ---- */

static void follow(struct sgc_agent *agent, uint64_t from)
{
    const struct sgc_feed *feed = agent->options.feed;
    const struct sgc_consume_options options = {.stream = feed->stream, .from = from};
    struct sgc_sub *entries = NULL, *beats = NULL;
    enum sg_err err = sgc_stream_consume(feed->bus, &options, on_entry, agent, &entries);
    if (err == SG_OK)
        err = sgc_bus_subscribe(feed->bus, feed->beats, on_beat, agent, &beats);
    if (err == SG_OK &&
        sgc_bus_publish(feed->bus, feed->hellos, sg_str_from(agent->options.name)) != SG_OK)
        sg_debug("feed: no beat could be asked for: the next one will do");
    trouble_tell(agent, err, "following the ownership stream");
    report(agent, from - 1, 0, 0);
    pthread_mutex_lock(&agent->lock);
    while (err == SG_OK && !agent->ended && !agent->look_again)
        pthread_cond_wait(&agent->changed, &agent->lock);
    pthread_mutex_unlock(&agent->lock);
    sgc_sub_end(beats);
    sgc_sub_end(entries);
    phase_enter(agent, SGC_AGENT_SEEKING);
}

/* False: the end. */
static bool pause_ms(struct sgc_agent *agent, uint32_t ms)
{
    struct timespec until;
    uint64_t until_ns = sg_clock_mono_ns() + ms * SG_NS_PER_MS;
    until = (struct timespec){(time_t)(until_ns / SG_NS_PER_SEC), (long)(until_ns % SG_NS_PER_SEC)};
    int rc = 0;
    pthread_mutex_lock(&agent->lock);
    while (!agent->ended && rc == 0)
        rc = pthread_cond_timedwait(&agent->changed, &agent->lock, &until);
    bool ended = agent->ended;
    pthread_mutex_unlock(&agent->lock);
    return !ended;
}

static void *agent_run(void *arg)
{
    struct sgc_agent *agent = arg;
    struct sge_mark mark;
    do {
        enum sg_err err = SG_OK;
        if (agent->options.first)
            err = sgc_feed_stream_open(agent->options.feed);
        if (err == SG_OK)
            err = seek(agent, &mark);
        if (err == SG_OK)
            follow(agent, mark.seq + 1);
        else
            trouble_tell(agent, err, "the ownership stream can't be followed yet");
    } while (pause_ms(agent, RETRY_MS));
    return NULL;
}

enum sg_err sgc_agent_open(const struct sgc_agent_options *options, struct sgc_agent **out)
{
    SG_ASSERT(options != NULL && options->feed != NULL);
    SG_ASSERT(options->state != NULL && options->name != NULL && out != NULL);
    pthread_condattr_t attr;
    struct sgc_agent *agent = sg_boot_alloc(sizeof(*agent));
    if (agent == NULL)
        return SG_ENOMEM;
    agent->options = *options;
    agent->view.trouble = SG_EAGAIN;
    pthread_mutex_init(&agent->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&agent->changed, &attr);
    pthread_condattr_destroy(&attr);
    int rc = pthread_create(&agent->thread, NULL, agent_run, agent);
    if (rc == 0) {
        *out = agent;
        return SG_OK;
    }
    sg_boot_free(agent);
    return sg_err_from_errno(rc);
}

void sgc_agent_close(struct sgc_agent *agent)
{
    if (agent == NULL)
        return;
    pthread_mutex_lock(&agent->lock);
    agent->ended = true;
    pthread_cond_broadcast(&agent->changed);
    pthread_mutex_unlock(&agent->lock);
    pthread_join(agent->thread, NULL);
    pthread_cond_destroy(&agent->changed);
    pthread_mutex_destroy(&agent->lock);
    sg_boot_free(agent);
}

void sgc_agent_view(struct sgc_agent *agent, struct sgc_agent_view *out)
{
    pthread_mutex_lock(&agent->lock);
    *out = agent->view;
    pthread_mutex_unlock(&agent->lock);
}
