#include "tools/sgctl/say.h"

#include "base/clock.h"
#include "tools/sgctl/client.h"

#include <stdio.h>
#include <unistd.h>

#define HERE_MS      10000 /* for the stream, and this node, to have it */
#define POLL_US      10000
#define TARGET_BYTES 512

/* ---- to this machine's state ---- */

static bool say_here(struct sge_state *state, const struct sge_word *word)
{
    enum sg_err err = SG_EINVAL;
    switch (word->kind) {
    case SGE_WORD_CTI:
        err = sge_state_revoke_cti(state, word->tenant, word->cti, word->until_ns);
        break;
    case SGE_WORD_INDEX:
        err = sge_state_revoke_index(state, word->tenant, word->number);
        break;
    case SGE_WORD_EPOCH:
        err = sge_state_raise_epoch(state, word->tenant, word->number);
        break;
    case SGE_WORD_RULE:
        err = sge_state_raise_rule(state, word->tenant, word->number);
        break;
    case SGE_WORD_ROOT:
        err = sge_state_set_root(state, word);
        if (err == SG_OK) /* what was said by hand is known now */
            err = sge_state_heartbeat(state, sg_clock_wall_ns());
        break;
    }
    if (err == SG_ERANGE)
        sgt_refuse("the version is not above the present one");
    else if (err != SG_OK)
        sgt_refuse("the state did not take it: %s", sg_err_text(err));
    return err == SG_OK;
}

static bool is_fed(struct sge_state *state)
{
    static const struct sge_mark none;
    struct sge_mark mark = none;
    struct sge_state_reader *reader = sgt_reader_open(state);
    if (reader == NULL)
        return false;
    sge_state_mark(reader, &mark);
    sgt_reader_close(reader);
    return memcmp(mark.stream, none.stream, sizeof(none.stream)) != 0;
}

/* ---- to the stream ---- */

static void target_write(const struct sgt_saying *saying, char *target, size_t cap)
{
    static const char *const kinds[] = {"cti", "index", "epoch", "rule", "root"};
    const struct sge_word *word = saying->word;
    char text[72];
    struct sg_out hex = sg_out_init(text, sizeof(text) - 1);
    snprintf(target, cap, "/v1/feed/say?kind=%s", kinds[word->kind]);
    sgt_call_param(target, cap, "tenant", saying->tenant);
    if (word->kind == SGE_WORD_CTI) {
        sg_out_hex(&hex, word->cti, sizeof(word->cti));
        text[hex.len] = '\0';
        sgt_call_param(target, cap, "cti", text);
        snprintf(text, sizeof(text), "%llu", (unsigned long long)(word->until_ns / SG_NS_PER_SEC));
        sgt_call_param(target, cap, "until_s", text);
    } else if (word->kind == SGE_WORD_ROOT) {
        sg_out_hex(&hex, word->root, sizeof(word->root));
        text[hex.len] = '\0';
        sgt_call_param(target, cap, "root", text);
        sgt_call_param(target, cap, "list", saying->list);
    } else {
        snprintf(text, sizeof(text), "%u", word->number);
        sgt_call_param(target, cap, "number", text);
    }
}

static bool all_confirmed(const json_t *said)
{
    size_t i;
    json_t *edge;
    json_array_foreach(json_object_get(said, "edges"), i,
                       edge) if (!json_is_true(json_object_get(edge, "confirmed"))) return false;
    return true;
}

/* Asks until the word counts here, then until all edges have it or `wait_ms` are over. NULL, and
 * says so: it did not come into the stream, as far as is known. */
static json_t *said_wait(const struct sgt_call *call, json_int_t ticket, uint32_t wait_ms)
{
    char target[64];
    uint64_t until_ns = sg_clock_mono_ns() + HERE_MS * SG_NS_PER_MS;
    bool here = false;
    json_t *said = NULL;
    snprintf(target, sizeof(target), "/v1/feed/said?ticket=%lld", (long long)ticket);
    do {
        json_decref(said);
        said = NULL;
        if (sgt_call_ask(call, false, target, &said) != SGT_DONE)
            break;
        const char *error = json_string_value(json_object_get(said, "error"));
        if (error != NULL) {
            sgt_refuse("the stream did not take it: %s", error);
            json_decref(said);
            return NULL;
        }
        if (!here && json_is_true(json_object_get(said, "applied"))) {
            here = true;
            until_ns = sg_clock_mono_ns() + wait_ms * SG_NS_PER_MS;
        }
        if (here && all_confirmed(said))
            return said;
        usleep(POLL_US);
    } while (sg_clock_mono_ns() < until_ns);
    if (here)
        return said;
    json_decref(said);
    sgt_refuse("not known to count yet: the node has not applied it within %d s", HERE_MS / 1000);
    return NULL;
}

static bool say_stream(const struct sgt_call *call, const struct sgt_saying *saying, json_t *told)
{
    char target[TARGET_BYTES];
    json_t *answer = NULL;
    target_write(saying, target, sizeof(target));
    if (sgt_call_ask(call, true, target, &answer) != SGT_DONE) {
        sgt_call_complain(answer);
        json_decref(answer);
        return false;
    }
    json_t *said =
        said_wait(call, json_integer_value(json_object_get(answer, "ticket")), saying->wait_ms);
    json_decref(answer);
    if (said == NULL)
        return false;
    json_object_set(told, "seq", json_object_get(said, "seq"));
    json_object_set(told, "edges", json_object_get(said, "edges"));
    json_decref(said);
    return true;
}

bool sgt_say(const struct sg_config *config, struct sge_state *state,
             const struct sgt_saying *saying, json_t *told)
{
    struct sgt_call call = {.quiet = true};
    json_t *feed = NULL;
    snprintf(call.socket, sizeof(call.socket), "%s", config->admin.socket);
    int status = sgt_call_ask(&call, false, "/v1/feed", &feed);
    bool fed = status == SGT_DONE && json_is_true(json_object_get(feed, "fed"));
    json_decref(feed);
    call.quiet = false;
    if (fed)
        return say_stream(&call, saying, told);
    if (status != SGT_DONE && is_fed(state))
        fprintf(stderr, "sgctl: no node answers at %s: it counts on this machine alone\n",
                call.socket);
    return say_here(state, saying->word);
}
