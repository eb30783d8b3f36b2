/* Streams of JetStream: made, appended to, asked about. Who reads them: natsfollow.c. */
#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/sys/natsin.h"

#define REPLICAS_MAX 3
#define SUBJECTS_MAX 32
#define DEDUP_S      120

/* ---- making ---- */

static bool too_many_replicas(jsErrCode code)
{
    return code == JSStreamReplicasNotSupportedErr || code == JSClusterNoPeersErr ||
           code == JSInsufficientResourcesErr;
}

static bool same_subjects(const jsStreamConfig *a, const jsStreamConfig *b)
{
    bool same = a->SubjectsLen == b->SubjectsLen;
    for (int i = 0; same && i < a->SubjectsLen; i++)
        same = strcmp(a->Subjects[i], b->Subjects[i]) == 0;
    return same;
}

/* It was made while a server was away, perhaps; where it is as many as they allow, they say so. One
 * without a cluster must not be asked: it writes the number down and finds no stream when it starts
 * again (2.9). */
static void replicas_add(struct sgc_nats *nats, const jsStreamInfo *info, jsStreamConfig *config,
                         jsOptions *options)
{
    jsErrCode code = 0;
    config->Replicas = REPLICAS_MAX;
    if (nats->replicas == 0 && info->Cluster != NULL && info->Config->Replicas < REPLICAS_MAX)
        (void)js_UpdateStream(NULL, nats->js, config, options, &code);
}

/* It is there: are its limits the wanted ones? */
static natsStatus stream_adjust(struct sgc_nats *nats, const jsStreamInfo *info,
                                jsStreamConfig *config, jsOptions *options, jsErrCode *code)
{
    const jsStreamConfig *was = info->Config;
    bool same = was->MaxMsgs == config->MaxMsgs && was->MaxBytes == config->MaxBytes &&
                was->MaxAge == config->MaxAge && was->Duplicates == config->Duplicates;
    config->Replicas = was->Replicas;
    natsStatus s = same ? NATS_OK : js_UpdateStream(NULL, nats->js, config, options, code);
    if (s == NATS_OK)
        replicas_add(nats, info, config, options);
    return s;
}

/* One attempt. SG_EEXIST through *differs. */
static natsStatus stream_try(struct sgc_nats *nats, jsStreamConfig *config, uint64_t until_ns,
                             jsErrCode *code, bool *differs)
{
    jsStreamInfo *info = NULL;
    jsOptions options;
    sgc_nats_js_options(&options, until_ns);
    *code = 0;
    natsStatus s = js_GetStreamInfo(&info, nats->js, config->Name, &options, code);
    if (s == NATS_OK) {
        *differs = !same_subjects(info->Config, config);
        if (!*differs)
            s = stream_adjust(nats, info, config, &options, code);
    } else if (s == NATS_NOT_FOUND || *code == JSStreamNotFoundErr) {
        config->Replicas = nats->replicas != 0 ? nats->replicas : REPLICAS_MAX;
        *code = 0;
        s = js_AddStream(NULL, nats->js, config, &options, code);
        while (s != NATS_OK && too_many_replicas(*code) && nats->replicas == 0 &&
               config->Replicas > 1) {
            config->Replicas--;
            *code = 0;
            s = js_AddStream(NULL, nats->js, config, &options, code);
        }
    }
    jsStreamInfo_Destroy(info);
    return s;
}

enum sg_err sgc_nats_stream_make(struct sgc_nats *nats, jsStreamConfig *config)
{
    uint64_t until_ns = sgc_nats_until(nats);
    jsErrCode code;
    natsStatus s;
    bool differs = false;
    do {
        s = stream_try(nats, config, until_ns, &code, &differs);
    } while (s != NATS_OK && sgc_nats_again(s, code, true, until_ns));
    if (s == NATS_NO_RESPONDERS)
        return natsConnection_Status(nats->nc) == NATS_CONN_STATUS_CONNECTED ? SG_ENOTSUP
                                                                             : SG_ENOTCONN;
    return differs ? SG_EEXIST : sgc_nats_err(s, code);
}

enum sg_err sgc_nats_stream_open(struct sgc_bus *bus, const struct sgc_stream_options *options)
{
    const char *subjects[SUBJECTS_MAX];
    char memory[SGC_SUBJECTS_BYTES_MAX + 1];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sg_str rest = sg_str_from(options->subjects), subject;
    jsStreamConfig config;
    uint32_t dedup_s = options->dedup_s != 0 ? options->dedup_s : DEDUP_S;
    jsStreamConfig_Init(&config);
    config.Name = options->name;
    config.Subjects = subjects;
    while (config.SubjectsLen < SUBJECTS_MAX && sgc_filters_next(&rest, &subject)) {
        subjects[config.SubjectsLen++] = out.ptr + out.len;
        sg_out_str(&out, subject);
        sg_out_char(&out, '\0');
    }
    if (out.full || rest.ptr != NULL)
        return SG_EINVAL;
    config.MaxMsgs = options->messages_max != 0 ? (int64_t)options->messages_max : -1;
    config.MaxBytes = options->bytes_max != 0 ? (int64_t)options->bytes_max : -1;
    config.MaxAge = (int64_t)(options->age_s_max * SG_NS_PER_SEC);
    if (options->age_s_max != 0) /* the server wants it so */
        dedup_s = SG_MIN(dedup_s, options->age_s_max);
    config.Duplicates = (int64_t)(dedup_s * SG_NS_PER_SEC);
    return sgc_nats_stream_make(sgc_nats_of(bus), &config);
}

/* ---- appending ---- */

enum sg_err sgc_nats_append(struct sgc_nats *nats, natsMsg *msg, jsPubOptions *options,
                            uint64_t *seq)
{
    uint64_t until_ns = sgc_nats_until(nats);
    bool harmless = options->MsgId != NULL;
    jsPubAck *ack = NULL;
    jsErrCode code;
    natsStatus s;
    do {
        jsOptions js;
        sgc_nats_js_options(&js, until_ns);
        options->MaxWait = js.Wait;
        code = 0;
        s = js_PublishMsg(&ack, nats->js, msg, options, &code);
    } while (s != NATS_OK && sgc_nats_again(s, code, harmless, until_ns));
    if (s == NATS_OK)
        *seq = ack->Sequence;
    jsPubAck_Destroy(ack);
    natsMsg_Destroy(msg);
    if (s == NATS_OK)
        return SG_OK;
    return natsConnection_Status(nats->nc) == NATS_CONN_STATUS_CONNECTED || s == NATS_TIMEOUT
               ? sgc_nats_err(s, code)
               : SG_ENOTCONN;
}

enum sg_err sgc_nats_stream_append(struct sgc_bus *bus, const char *subject, const char *id,
                                   uint64_t after, struct sg_str data, uint64_t *seq)
{
    natsMsg *msg = NULL;
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MsgId = id;
    natsStatus s = natsMsg_Create(&msg, subject, NULL, data.ptr, (int)data.len);
    if (s == NATS_OK && after == 0) /* which the options can't say */
        s = natsMsgHeader_Set(msg, "Nats-Expected-Last-Sequence", "0");
    else if (after != SGC_ANY)
        options.ExpectLastSeq = after;
    if (s == NATS_OK)
        return sgc_nats_append(sgc_nats_of(bus), msg, &options, seq);
    natsMsg_Destroy(msg);
    return sgc_nats_err(s, 0);
}

enum sg_err sgc_nats_stream_info(struct sgc_bus *bus, const char *stream,
                                 struct sgc_stream_info *out)
{
    struct sgc_nats *nats = sgc_nats_of(bus);
    uint64_t until_ns = sgc_nats_until(nats);
    jsStreamInfo *info = NULL;
    jsErrCode code;
    natsStatus s;
    do {
        jsOptions options;
        sgc_nats_js_options(&options, until_ns);
        code = 0;
        s = js_GetStreamInfo(&info, nats->js, stream, &options, &code);
    } while (s != NATS_OK && sgc_nats_again(s, code, true, until_ns));
    if (s != NATS_OK)
        return s == NATS_NO_RESPONDERS ? SG_ENOTCONN : sgc_nats_err(s, code);
    out->last = info->State.LastSeq;
    out->first = info->State.Msgs == 0 ? info->State.LastSeq + 1 : info->State.FirstSeq;
    out->made_ns = (uint64_t)info->Created;
    jsStreamInfo_Destroy(info);
    return SG_OK;
}
