/* Those who read streams of JetStream: a thread each. One whose position is its own has the server
 * push to an inbox, without acknowledgement; when the server's numbers have a hole, its heartbeat
 * stays out or the consumer is gone with its server, another one is made from the next number on.
 * A durable is the server's: its messages are pulled one by one and acknowledged. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/sys/natsin.h"

#define ACK_WAIT_S    30
#define RETRY_MS      200
#define HEARTBEAT_MS  1000
#define SILENCE_MS    2500 /* without a heartbeat: the consumer is gone */
#define PENDING_BYTES (64 << 20)
#define PULL_MS       300 /* of one fetch: so long may ending take */

struct follower {
    struct sgc_sub sub;
    enum sg_err (*got)(void *ctx, const struct sgc_msg *msg);
    void (*changed)(void *ctx, const char *key, struct sg_str value, uint64_t revision);
    void *ctx;
    natsSubscription *from;  /* NULL: not attached; the thread's alone */
    uint64_t next;           /* of the stream */
    uint64_t consumer_seq;   /* of the consumer's last message */
    uint64_t deleted_before; /* of a watch: deletions up to this number are of no interest */
    uint32_t ack_wait_s;
    bool watches, filtered, durable;
    char stream[SGC_NAME_BYTES_MAX + sizeof(SGC_NATS_KV_STREAM)];
    char name[SGC_NAME_BYTES_MAX + 1]; /* of the durable */
    char filter[SGC_SUBJECT_BYTES_MAX + SGC_NAME_BYTES_MAX + sizeof(SGC_NATS_KV_SUBJECT) + 2];
    size_t key_at; /* of a watch: where the key begins in a subject */
};

static struct sgc_nats *nats_of(struct follower *follower)
{
    return sgc_nats_of(follower->sub.bus);
}

static void detach(struct follower *follower)
{
    sgc_nats_leave(nats_of(follower), SG_TAKE(follower->from));
}

/* ---- telling ---- */

static void tell_change(struct follower *follower, natsMsg *raw, const struct sgc_msg *msg)
{
    bool deleted = sgc_nats_kv_deleted(raw);
    if (deleted && msg->seq <= follower->deleted_before)
        return;
    follower->changed(follower->ctx, msg->subject.ptr + follower->key_at,
                      deleted ? SG_STR_NONE : msg->data, msg->seq);
}

/* Until it is taken, or we are ended. */
static void tell(struct follower *follower, natsMsg *raw, struct sgc_msg *msg)
{
    if (follower->watches) {
        tell_change(follower, raw, msg);
        return;
    }
    while (follower->got(follower->ctx, msg) != SG_OK && !sgc_sub_ended(&follower->sub)) {
        msg->again = true;
        sgc_sub_pause(&follower->sub, RETRY_MS);
    }
}

static struct sgc_msg msg_of(natsMsg *raw, const jsMsgMetaData *meta)
{
    return (struct sgc_msg){
        .subject = sg_str_from(natsMsg_GetSubject(raw)),
        .data = {natsMsg_GetData(raw) != NULL ? natsMsg_GetData(raw) : "",
                 (size_t)natsMsg_GetDataLength(raw)},
        .seq = meta->Sequence.Stream,
        .at_ns = (uint64_t)meta->Timestamp,
        .again = meta->NumDelivered > 1,
    };
}

/* ---- one whose position is its own ---- */

static natsStatus consumer_make(struct follower *follower, const char *inbox)
{
    struct sgc_nats *nats = nats_of(follower);
    jsConsumerConfig config;
    jsErrCode code = 0;
    jsOptions options;
    sgc_nats_js_options(&options, sgc_nats_until(nats));
    jsConsumerConfig_Init(&config);
    config.DeliverSubject = inbox;
    config.AckPolicy = js_AckNone;
    config.Heartbeat = (int64_t)(HEARTBEAT_MS * SG_NS_PER_MS);
    config.FlowControl = true;
    config.MemoryStorage = true;
    config.Replicas = 1;
    config.FilterSubject = follower->filtered ? follower->filter : NULL;
    config.DeliverPolicy = follower->watches ? js_DeliverLastPerSubject : js_DeliverAll;
    if (follower->next > 0) {
        config.DeliverPolicy = js_DeliverByStartSequence;
        config.OptStartSeq = follower->next;
    }
    natsStatus s = js_AddConsumer(NULL, nats->js, follower->stream, &config, &options, &code);
    if (s != NATS_OK)
        sg_debug("bus: %s: no consumer: %s, %d", follower->stream, natsStatus_GetText(s),
                 (int)code);
    return s;
}

static natsStatus attach(struct follower *follower)
{
    natsInbox *inbox = NULL;
    if (!sgc_bus_connected(follower->sub.bus))
        return NATS_CONNECTION_DISCONNECTED;
    natsStatus s = natsInbox_Create(&inbox);
    if (s == NATS_OK)
        s = natsConnection_SubscribeSync(&follower->from, nats_of(follower)->nc, inbox);
    if (s == NATS_OK)
        s = natsSubscription_SetPendingLimits(follower->from, -1, PENDING_BYTES);
    if (s == NATS_OK)
        s = consumer_make(follower, inbox);
    if (s != NATS_OK)
        detach(follower);
    follower->consumer_seq = 0;
    natsInbox_Destroy(inbox);
    return s;
}

/* The server speaks of itself: it lives, or wants to know that we keep up. False: it is gone. */
static bool status_heard(struct follower *follower, natsMsg *msg, const char *status)
{
    const char *last = NULL, *stalled = NULL;
    if (strcmp(status, "100") != 0)
        return false;
    if (natsMsg_GetReply(msg) != NULL)
        natsConnection_Publish(nats_of(follower)->nc, natsMsg_GetReply(msg), NULL, 0);
    if (natsMsgHeader_Get(msg, "Nats-Consumer-Stalled", &stalled) == NATS_OK)
        natsConnection_Publish(nats_of(follower)->nc, stalled, NULL, 0);
    if (natsMsgHeader_Get(msg, "Nats-Last-Consumer", &last) != NATS_OK)
        return true;
    return strtoull(last, NULL, 10) == follower->consumer_seq;
}

/* False: this consumer is of no more use. */
static bool pushed(struct follower *follower, natsMsg *raw)
{
    const char *status = NULL;
    jsMsgMetaData *meta = NULL;
    if (natsMsg_GetDataLength(raw) == 0 && natsMsgHeader_Get(raw, "Status", &status) == NATS_OK)
        return status_heard(follower, raw, status);
    if (natsMsg_GetMetaData(&meta, raw) != NATS_OK)
        return false;
    struct sgc_msg msg = msg_of(raw, meta);
    bool whole = meta->Sequence.Consumer == follower->consumer_seq + 1;
    jsMsgMetaData_Destroy(meta);
    if (!whole)
        return false;
    tell(follower, raw, &msg);
    follower->consumer_seq++;
    follower->next = msg.seq + 1;
    return true;
}

static void push_run(struct sgc_sub *sub)
{
    struct follower *follower = SG_CONTAINER_OF(sub, struct follower, sub);
    while (!sgc_sub_ended(sub)) {
        natsMsg *msg = NULL;
        if (follower->from == NULL && attach(follower) != NATS_OK) {
            sgc_sub_pause(sub, RETRY_MS);
            continue;
        }
        uint64_t before_ns = sg_clock_mono_ns();
        natsStatus s = NATS_TIMEOUT;
        while (s == NATS_TIMEOUT && !sgc_sub_ended(sub) &&
               sg_clock_mono_ns() - before_ns < SILENCE_MS * SG_NS_PER_MS)
            s = natsSubscription_NextMsg(&msg, follower->from, 100);
        if (s == NATS_TIMEOUT && sgc_sub_ended(sub))
            break;
        if (s != NATS_OK || !pushed(follower, msg))
            detach(follower);
        natsMsg_Destroy(msg);
    }
}

/* ---- durables ---- */

/* Made here and bound to then: one that the library makes goes with its subscription. */
static natsStatus durable_make(struct follower *follower, const char *filter, jsOptions *options,
                               jsErrCode *code)
{
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.Durable = follower->name;
    config.FilterSubject = filter;
    config.AckPolicy = js_AckExplicit;
    config.AckWait = (int64_t)(follower->ack_wait_s * SG_NS_PER_SEC);
    config.MaxAckPending = 1; /* which keeps them in order */
    return js_AddConsumer(NULL, nats_of(follower)->js, follower->stream, &config, options, code);
}

static natsStatus pull_attach(struct follower *follower)
{
    struct sgc_nats *nats = nats_of(follower);
    const char *filter = follower->filtered ? follower->filter : ">";
    jsSubOptions sub;
    jsOptions options;
    jsErrCode code = 0;
    if (!sgc_bus_connected(follower->sub.bus))
        return NATS_CONNECTION_DISCONNECTED;
    sgc_nats_js_options(&options, sgc_nats_until(nats));
    jsSubOptions_Init(&sub);
    sub.Stream = follower->stream;
    sub.Consumer = follower->name;
    natsStatus s = durable_make(follower, filter, &options, &code);
    if (s == NATS_OK)
        s = js_PullSubscribe(&follower->from, nats->js, filter, follower->name, &options, &sub,
                             &code);
    if (s != NATS_OK)
        sg_debug("bus: %s: %s: %s, %d", follower->stream, follower->name, natsStatus_GetText(s),
                 (int)code);
    return s;
}

static void pulled(struct follower *follower, natsMsg *raw)
{
    jsMsgMetaData *meta = NULL;
    if (natsMsg_GetMetaData(&meta, raw) != NATS_OK)
        return;
    struct sgc_msg msg = msg_of(raw, meta);
    jsMsgMetaData_Destroy(meta);
    if (follower->got(follower->ctx, &msg) == SG_OK)
        (void)natsMsg_Ack(raw, NULL); /* lost, it comes once more */
}

static void pull_run(struct sgc_sub *sub)
{
    struct follower *follower = SG_CONTAINER_OF(sub, struct follower, sub);
    while (!sgc_sub_ended(sub)) {
        natsMsgList list = {0};
        jsErrCode code = 0;
        if (follower->from == NULL && pull_attach(follower) != NATS_OK) {
            sgc_sub_pause(sub, RETRY_MS);
            continue;
        }
        natsStatus s = natsSubscription_Fetch(&list, follower->from, 1, PULL_MS, &code);
        for (int i = 0; s == NATS_OK && i < list.Count; i++)
            pulled(follower, list.Msgs[i]);
        natsMsgList_Destroy(&list);
        if (s != NATS_OK && s != NATS_TIMEOUT) {
            detach(follower);
            sgc_sub_pause(sub, RETRY_MS);
        }
    }
}

/* ---- beginning ---- */

static void follower_free(struct sgc_sub *sub)
{
    struct follower *follower = SG_CONTAINER_OF(sub, struct follower, sub);
    detach(follower);
    sg_boot_free(follower);
}

static const struct sgc_sub_driver push_driver = {push_run, NULL, follower_free};
static const struct sgc_sub_driver pull_driver = {pull_run, NULL, follower_free};

enum sg_err sgc_nats_follow(struct sgc_bus *bus, const struct sgc_consume_options *options,
                            enum sg_err (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                            struct sgc_sub **out)
{
    struct follower *follower = sg_boot_alloc(sizeof(*follower));
    if (follower == NULL)
        return SG_ENOMEM;
    follower->got = got;
    follower->ctx = ctx;
    follower->next = options->from;
    follower->ack_wait_s = options->ack_wait_s != 0 ? options->ack_wait_s : ACK_WAIT_S;
    memcpy(follower->stream, options->stream, strlen(options->stream) + 1);
    follower->filtered = options->filter != NULL;
    if (options->filter != NULL)
        memcpy(follower->filter, options->filter, strlen(options->filter) + 1);
    follower->durable = options->durable != NULL;
    if (options->durable != NULL)
        memcpy(follower->name, options->durable, strlen(options->durable) + 1);
    return sgc_sub_start(bus, follower->durable ? &pull_driver : &push_driver, &follower->sub, out);
}

enum sg_err sgc_nats_watch(struct sgc_bus *bus, const char *bucket, const char *filter,
                           void (*changed)(void *ctx, const char *key, struct sg_str value,
                                           uint64_t revision),
                           void *ctx, struct sgc_sub **out)
{
    struct sgc_stream_info info = {0};
    struct follower *follower = sg_boot_alloc(sizeof(*follower));
    if (follower == NULL)
        return SG_ENOMEM;
    follower->watches = follower->filtered = true;
    follower->changed = changed;
    follower->ctx = ctx;
    snprintf(follower->stream, sizeof(follower->stream), SGC_NATS_KV_STREAM "%s", bucket);
    snprintf(follower->filter, sizeof(follower->filter), SGC_NATS_KV_SUBJECT "%s.%s", bucket,
             filter);
    follower->key_at = strlen(SGC_NATS_KV_SUBJECT) + strlen(bucket) + 1;
    if (sgc_nats_stream_info(bus, follower->stream, &info) == SG_OK)
        follower->deleted_before = info.last;
    return sgc_sub_start(bus, &push_driver, &follower->sub, out);
}
