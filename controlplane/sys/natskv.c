/* Values: a bucket is a stream that keeps one message a subject, as NATS's own clients have it. */
#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/sys/natsin.h"

#define OPERATION "KV-Operation"

#define STREAM_BYTES  (sizeof(SGC_NATS_KV_STREAM) + SGC_NAME_BYTES_MAX)
#define SUBJECT_BYTES (sizeof(SGC_NATS_KV_SUBJECT) + SGC_NAME_BYTES_MAX + SGC_SUBJECT_BYTES_MAX + 2)

static void stream_of(char stream[STREAM_BYTES], const char *bucket)
{
    snprintf(stream, STREAM_BYTES, SGC_NATS_KV_STREAM "%s", bucket);
}

static void subject_of(char subject[SUBJECT_BYTES], const char *bucket, const char *key)
{
    snprintf(subject, SUBJECT_BYTES, SGC_NATS_KV_SUBJECT "%s.%s", bucket, key);
}

enum sg_err sgc_nats_kv_open(struct sgc_bus *bus, const char *bucket)
{
    char stream[STREAM_BYTES], subject[SUBJECT_BYTES];
    const char *subjects[1] = {subject};
    jsStreamConfig config;
    stream_of(stream, bucket);
    subject_of(subject, bucket, ">");
    jsStreamConfig_Init(&config);
    config.Name = stream;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.MaxMsgsPerSubject = 1;
    config.Discard = js_DiscardNew;
    config.DenyDelete = true;
    config.AllowRollup = true;
    config.AllowDirect = true;
    config.Duplicates = (int64_t)(120 * SG_NS_PER_SEC);
    return sgc_nats_stream_make(sgc_nats_of(bus), &config);
}

bool sgc_nats_kv_deleted(natsMsg *msg)
{
    const char *operation = NULL;
    return natsMsgHeader_Get(msg, OPERATION, &operation) == NATS_OK &&
           (strcmp(operation, "DEL") == 0 || strcmp(operation, "PURGE") == 0);
}

/* The newest message of a key. SG_ENOENT: there never was one. */
static enum sg_err newest(struct sgc_nats *nats, const char *bucket, const char *key, natsMsg **out)
{
    char stream[STREAM_BYTES], subject[SUBJECT_BYTES];
    uint64_t until_ns = sgc_nats_until(nats);
    jsErrCode code;
    natsStatus s;
    stream_of(stream, bucket);
    subject_of(subject, bucket, key);
    do {
        jsOptions options;
        sgc_nats_js_options(&options, until_ns);
        code = 0;
        s = js_GetLastMsg(out, nats->js, stream, subject, &options, &code);
    } while (s != NATS_OK && sgc_nats_again(s, code, true, until_ns));
    return s == NATS_NO_RESPONDERS ? SG_ENOTCONN : sgc_nats_err(s, code);
}

enum sg_err sgc_nats_kv_get(struct sgc_bus *bus, const char *bucket, const char *key,
                            struct sg_out *value, uint64_t *revision)
{
    natsMsg *msg = NULL;
    enum sg_err err = newest(sgc_nats_of(bus), bucket, key, &msg);
    if (err == SG_OK && sgc_nats_kv_deleted(msg))
        err = SG_ENOENT;
    if (err == SG_OK) {
        sg_out_bytes(value, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
        err = value->full ? SG_EMSGSIZE : SG_OK;
    }
    if (err == SG_OK)
        *revision = natsMsg_GetSequence(msg);
    natsMsg_Destroy(msg);
    return err;
}

/* What must be the newest revision for there to be no value: a deletion's, or 0. */
static enum sg_err revision_of_none(struct sgc_nats *nats, const char *bucket, const char *key,
                                    uint64_t *revision)
{
    natsMsg *msg = NULL;
    enum sg_err err = newest(nats, bucket, key, &msg);
    if (err == SG_OK && !sgc_nats_kv_deleted(msg))
        err = SG_ESTALE;
    if (err == SG_OK)
        *revision = natsMsg_GetSequence(msg);
    natsMsg_Destroy(msg);
    return err == SG_ENOENT ? SG_OK : err;
}

enum sg_err sgc_nats_kv_put(struct sgc_bus *bus, const char *bucket, const char *key,
                            uint64_t expected, struct sg_str value, uint64_t *revision)
{
    struct sgc_nats *nats = sgc_nats_of(bus);
    char subject[SUBJECT_BYTES];
    natsMsg *msg = NULL;
    jsPubOptions options;
    enum sg_err err = SG_OK;
    if (expected == 0)
        err = revision_of_none(nats, bucket, key, &expected);
    if (err != SG_OK)
        return err;
    jsPubOptions_Init(&options);
    options.ExpectNoMessage = expected == 0;
    options.ExpectLastSubjectSeq = expected == SGC_ANY ? 0 : expected;
    subject_of(subject, bucket, key);
    natsStatus s = natsMsg_Create(&msg, subject, NULL, value.ptr, (int)value.len);
    if (s == NATS_OK && value.ptr == NULL)
        s = natsMsgHeader_Set(msg, OPERATION, "DEL");
    if (s == NATS_OK)
        return sgc_nats_append(nats, msg, &options, revision);
    natsMsg_Destroy(msg);
    return sgc_nats_err(s, 0);
}
