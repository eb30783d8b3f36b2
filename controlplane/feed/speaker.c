#include "controlplane/feed/speaker.h"

#include "base/alloc.h"

#include <pthread.h>

struct sgc_speaker {
    struct sgc_feed feed;
    pthread_t thread;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    bool ended;
    uint64_t given, done; /* tickets so far: 1 .. given; said: 1 .. done */
    struct {
        struct sge_word word;
        struct sgc_said said;
    } tickets[SGC_TICKETS_KEPT]; /* by ticket % SGC_TICKETS_KEPT */
};

static void *speaker_run(void *arg)
{
    struct sgc_speaker *speaker = arg;
    pthread_mutex_lock(&speaker->lock);
    while (!speaker->ended) {
        if (speaker->done == speaker->given) {
            pthread_cond_wait(&speaker->changed, &speaker->lock);
            continue;
        }
        uint64_t at = (speaker->done + 1) % SGC_TICKETS_KEPT;
        struct sge_word word = speaker->tickets[at].word;
        struct sgc_said said = {.done = true};
        pthread_mutex_unlock(&speaker->lock);
        said.err = sgc_feed_say(&speaker->feed, &word, 1, &said.seq);
        pthread_mutex_lock(&speaker->lock);
        speaker->tickets[at].said = said;
        speaker->done++;
    }
    pthread_mutex_unlock(&speaker->lock);
    return NULL;
}

enum sg_err sgc_speaker_open(const struct sgc_feed *feed, struct sgc_speaker **out)
{
    SG_ASSERT(feed != NULL && out != NULL);
    struct sgc_speaker *speaker = sg_boot_alloc(sizeof(*speaker));
    if (speaker == NULL)
        return SG_ENOMEM;
    speaker->feed = *feed;
    pthread_mutex_init(&speaker->lock, NULL);
    pthread_cond_init(&speaker->changed, NULL);
    int rc = pthread_create(&speaker->thread, NULL, speaker_run, speaker);
    if (rc == 0) {
        *out = speaker;
        return SG_OK;
    }
    sg_boot_free(speaker);
    return sg_err_from_errno(rc);
}

void sgc_speaker_close(struct sgc_speaker *speaker)
{
    if (speaker == NULL)
        return;
    pthread_mutex_lock(&speaker->lock);
    speaker->ended = true;
    pthread_cond_broadcast(&speaker->changed);
    pthread_mutex_unlock(&speaker->lock);
    pthread_join(speaker->thread, NULL);
    pthread_cond_destroy(&speaker->changed);
    pthread_mutex_destroy(&speaker->lock);
    sg_boot_free(speaker);
}

enum sg_err sgc_speaker_say(struct sgc_speaker *speaker, const struct sge_word *word,
                            uint64_t *ticket)
{
    SG_ASSERT(speaker != NULL && word != NULL && ticket != NULL);
    enum sg_err err = SG_EFULL;
    pthread_mutex_lock(&speaker->lock);
    if (speaker->given - speaker->done < SGC_TICKETS_KEPT) {
        *ticket = ++speaker->given;
        speaker->tickets[*ticket % SGC_TICKETS_KEPT].word = *word;
        speaker->tickets[*ticket % SGC_TICKETS_KEPT].said = (struct sgc_said){.done = false};
        pthread_cond_broadcast(&speaker->changed);
        err = SG_OK;
    }
    pthread_mutex_unlock(&speaker->lock);
    return err;
}

enum sg_err sgc_speaker_said(struct sgc_speaker *speaker, uint64_t ticket, struct sgc_said *out)
{
    SG_ASSERT(speaker != NULL && out != NULL);
    enum sg_err err = SG_ENOENT;
    pthread_mutex_lock(&speaker->lock);
    if (ticket > 0 && ticket <= speaker->given && speaker->given - ticket < SGC_TICKETS_KEPT) {
        *out = speaker->tickets[ticket % SGC_TICKETS_KEPT].said;
        err = SG_OK;
    }
    pthread_mutex_unlock(&speaker->lock);
    return err;
}
