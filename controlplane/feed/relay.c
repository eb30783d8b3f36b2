#include "base/clock.h"
#include "controlplane/feed/countersign.h"
#include "controlplane/feed/wire.h"

#include <string.h>

#define VERSION        1
#define TIMEOUT_MS_MAX 60000
/* The answer's way back is part of the time that the asker has. */
#define BACK(ms) ((ms)-SG_MIN((ms) / 10, 500u))

/* ---- what goes over the bus ---- */

bool sgc_countersign_ask_write(const struct sgc_countersign_ask *ask, struct sg_out *out)
{
    sgc_wire_put(out, VERSION, 1);
    sgc_wire_put(out, ask->sent_ns, 8);
    sgc_wire_put(out, ask->timeout_ms, 4);
    sg_out_str(out, ask->grant);
    return !out->full;
}

enum sg_err sgc_countersign_ask_read(struct sg_str bytes, struct sgc_countersign_ask *out)
{
    struct sgc_wire in = {.rest = bytes};
    uint64_t version = sgc_wire_number(&in, 1);
    struct sgc_countersign_ask ask;
    ask.sent_ns = sgc_wire_number(&in, 8);
    ask.timeout_ms = (uint32_t)sgc_wire_below(&in, 4, TIMEOUT_MS_MAX);
    ask.grant = in.rest;
    if (in.bad || version != VERSION || ask.grant.len == 0 || ask.grant.len > SGD_GRANT_BYTES_MAX ||
        ask.sent_ns > INT64_MAX)
        return SG_EPROTO;
    *out = ask;
    return SG_OK;
}

void sgc_countersign_subject(const struct sgc_feed *feed, const struct sg_caip_chain *chain,
                             char out[SGC_COUNTERSIGN_SUBJECT_BYTES])
{
    struct sg_out text = sg_out_init(out, SGC_COUNTERSIGN_SUBJECT_BYTES - 1);
    sg_out_str(&text, sg_str_from(feed->countersign));
    sg_out_char(&text, '.');
    size_t at = text.len;
    sg_caip_chain_put(&text, chain);
    SG_ASSERT(!text.full);
    for (size_t i = at; i < text.len; i++)
        out[i] = out[i] == ':' ? '-' : out[i]; /* as subjects' words may be */
    out[text.len] = '\0';
}

/* ---- asking ---- */

static enum sg_err on_ask(void *ctx, const struct sgd_grant *grant, uint32_t timeout_ms,
                          uint8_t out[64])
{
    const struct sgc_relay *relay = ctx;
    char subject[SGC_COUNTERSIGN_SUBJECT_BYTES], bytes[SGC_COUNTERSIGN_ASK_BYTES], back[128];
    char whole[SGD_GRANT_BYTES_MAX];
    struct sg_out text = sg_out_init(whole, sizeof(whole));
    struct sg_out request = sg_out_init(bytes, sizeof(bytes));
    struct sg_out reply = sg_out_init(back, sizeof(back));
    sgd_grant_put(&text, grant);
    const struct sgc_countersign_ask ask = {
        .sent_ns = sg_clock_wall_ns(), .timeout_ms = BACK(timeout_ms), .grant = sg_out_view(&text)};
    if (text.full || !sgc_countersign_ask_write(&ask, &request))
        return SG_EMSGSIZE;
    sgc_countersign_subject(relay->feed, &grant->account.chain, subject);
    enum sg_err err =
        sgc_bus_request(relay->feed->bus, subject, sg_out_view(&request), timeout_ms, &reply);
    if (err == SG_OK && reply.len != 64)
        err = SG_EPROTO;
    if (err == SG_OK)
        memcpy(out, reply.ptr, 64);
    return err;
}

void sgc_relay_init(struct sgc_relay *relay, const struct sgc_feed *feed)
{
    SG_ASSERT(relay != NULL && feed != NULL);
    *relay = (struct sgc_relay){.seam = {relay, on_ask}, .feed = feed};
}
