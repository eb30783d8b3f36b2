/* The feed for those who look at it: JSON of the admin server, metrics. */
#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/node/parts.h"

/* ---- JSON ---- */

static void put_edges(struct sgc_control *control, uint64_t wanted_seq, struct sg_json *json)
{
    struct sgc_edge *edges = sg_boot_alloc_array(SGC_EDGES_MAX, sizeof(*edges));
    uint32_t count = 0;
    if (edges != NULL && control->edges != NULL)
        count = sgc_edges_list(control->edges, edges, SGC_EDGES_MAX);
    sg_json_array(json, "edges");
    for (uint32_t i = 0; i < count; i++) {
        sg_json_object(json, NULL);
        sg_json_text(json, "edge", edges[i].name);
        sg_json_u64(json, "seq", edges[i].seq);
        sg_json_time(json, "seen", edges[i].seen_ns);
        if (edges[i].applied_ns != 0) {
            sg_json_time(json, "applied", edges[i].applied_ns);
            sg_json_u64(json, "took_us", edges[i].took_ns / SG_NS_PER_US);
        }
        if (wanted_seq != 0)
            sg_json_bool(json, "confirmed", edges[i].seq >= wanted_seq);
        sg_json_object_end(json);
    }
    sg_json_array_end(json);
    sg_boot_free(edges);
}

enum sg_err sgc_control_said(struct sgc_control *control, uint64_t ticket, struct sg_json *json)
{
    struct sgc_said said;
    struct sgc_agent_view agent;
    SG_ASSERT(sgc_control_is_fed(control));
    enum sg_err err = sgc_speaker_said(control->speaker, ticket, &said);
    if (err != SG_OK)
        return err;
    sgc_agent_view(control->agent, &agent);
    bool ok = said.done && said.err == SG_OK;
    sg_json_bool(json, "done", said.done);
    if (said.done && said.err != SG_OK)
        sg_json_text(json, "error", sg_err_text(said.err));
    sg_json_u64(json, "seq", said.seq);
    sg_json_bool(json, "applied", ok && agent.mark.seq >= said.seq);
    if (ok)
        put_edges(control, said.seq, json);
    return SG_OK;
}

static void put_agent(struct sgc_control *control, struct sg_json *json)
{
    struct sgc_agent_view agent;
    sgc_agent_view(control->agent, &agent);
    sg_json_text(json, "phase", sgc_agent_phase_name(agent.phase));
    sg_json_hex(json, "stream", agent.mark.stream, sizeof(agent.mark.stream));
    sg_json_u64(json, "seq", agent.mark.seq);
    sg_json_u64(json, "known", agent.known);
    sg_json_u64(json, "applied", agent.applied);
    sg_json_u64(json, "copies", agent.copies);
    sg_json_u64(json, "beats", agent.beats);
    sg_json_text(json, "trouble", agent.trouble != SG_OK ? sg_err_text(agent.trouble) : NULL);
}

static void put_publisher(struct sgc_control *control, struct sg_json *json)
{
    struct sgc_publisher_view view;
    sgc_publisher_view(control->publisher, &view);
    sg_json_object(json, "publisher");
    sg_json_bool(json, "ready", view.ready);
    sg_json_u64(json, "entries", view.entries);
    sg_json_u64(json, "last", view.last);
    sg_json_u64(json, "copies_given", sgc_copies_given(control->copies));
    sg_json_text(json, "trouble", view.trouble != SG_OK ? sg_err_text(view.trouble) : NULL);
    sg_json_object_end(json);
}

void sgc_control_status(struct sgc_control *control, struct sg_json *json)
{
    sg_json_bool(json, "fed", sgc_control_is_fed(control));
    if (!sgc_control_is_fed(control))
        return;
    uint64_t fed_ns = sge_state_fed_ns(control->state);
    static const char *const roles[] = {"all", "edge", "control"};
    sg_json_text(json, "role", roles[control->role]);
    sg_json_text(json, "bus", sgc_bus_kind(control->bus));
    sg_json_bool(json, "connected", sgc_bus_connected(control->bus));
    sg_json_text(json, "name", control->feed.stream);
    put_agent(control, json);
    if (fed_ns != 0)
        sg_json_time(json, "fed_at", fed_ns);
    sgc_chains_status(control->chains, json);
    if (control->publisher != NULL) {
        put_publisher(control, json);
        put_edges(control, 0, json);
    }
}

void sgc_control_chains(struct sgc_control *control, struct sg_json *json)
{
    sgc_chains_status(control != NULL ? control->chains : NULL, json);
}

/* ---- metrics ---- */

static void metric(struct sg_out *out, const char *name, const char *kind, const char *help,
                   uint64_t value)
{
    sg_out_fmt(out,
               "# HELP streamgate_feed_%s %s\n# TYPE streamgate_feed_%s %s\n"
               "streamgate_feed_%s %llu\n",
               name, help, name, kind, name, (unsigned long long)value);
}

static void put_histogram(const struct sgc_agent_view *agent, struct sg_out *out)
{
    uint64_t sum = 0;
    sg_out_lit(out, "# HELP streamgate_feed_apply_seconds From an entry's place in the stream to "
                    "its place in the state.\n"
                    "# TYPE streamgate_feed_apply_seconds histogram\n");
    for (uint32_t i = 0; i < SGC_APPLY_BUCKETS - 1; i++) {
        sum += agent->apply_buckets[i];
        sg_out_fmt(out, "streamgate_feed_apply_seconds_bucket{le=\"%.3f\"} %llu\n",
                   sgc_apply_bucket_ms[i] / 1e3, (unsigned long long)sum);
    }
    sg_out_fmt(out,
               "streamgate_feed_apply_seconds_bucket{le=\"+Inf\"} %llu\n"
               "streamgate_feed_apply_seconds_sum %.6f\n"
               "streamgate_feed_apply_seconds_count %llu\n",
               (unsigned long long)agent->applied, (double)agent->apply_sum_ns / 1e9,
               (unsigned long long)agent->applied);
}

static void put_edges_behind(struct sgc_control *control, struct sg_out *out)
{
    struct sgc_edge *edges = sg_boot_alloc_array(SGC_EDGES_MAX, sizeof(*edges));
    uint32_t count = edges == NULL ? 0 : sgc_edges_list(control->edges, edges, SGC_EDGES_MAX);
    if (count > 0)
        sg_out_lit(out, "# HELP streamgate_feed_edge_seq The last entry that each edge applied.\n"
                        "# TYPE streamgate_feed_edge_seq gauge\n");
    for (uint32_t i = 0; i < count; i++)
        sg_out_fmt(out, "streamgate_feed_edge_seq{edge=\"%s\"} %llu\n", edges[i].name,
                   (unsigned long long)edges[i].seq);
    sg_boot_free(edges);
}

static void put_countersign(struct sgc_control *control, struct sg_out *out)
{
    uint64_t answered, remembered;
    sgc_countersign_counts(control->countersign, &answered, &remembered);
    sg_out_fmt(out,
               "# HELP streamgate_onchain_answered_total Other nodes' questions about signatures "
               "that were answered, by where from.\n"
               "# TYPE streamgate_onchain_answered_total counter\n"
               "streamgate_onchain_answered_total{from=\"chain\"} %llu\n"
               "streamgate_onchain_answered_total{from=\"memory\"} %llu\n",
               (unsigned long long)(answered - remembered), (unsigned long long)remembered);
}

void sgc_control_metrics(struct sgc_control *control, struct sg_out *out)
{
    struct sgc_agent_view agent;
    if (!sgc_control_is_fed(control))
        return;
    sgc_agent_view(control->agent, &agent);
    metric(out, "connected", "gauge", "Is the bus there?", sgc_bus_connected(control->bus));
    metric(out, "following", "gauge", "Does the agent follow the ownership stream?",
           agent.phase == SGC_AGENT_FOLLOWING);
    metric(out, "seq", "gauge", "The last entry that is in the state.", agent.mark.seq);
    metric(out, "known_seq", "gauge", "The last entry that the node heard of.", agent.known);
    metric(out, "copies_total", "counter", "Copies of the state that were loaded.", agent.copies);
    metric(out, "beats_total", "counter", "Beats heard.", agent.beats);
    put_histogram(&agent, out);
    if (control->onchain != NULL)
        sgc_onchain_metrics(control->onchain, out);
    if (control->publisher == NULL)
        return;
    struct sgc_publisher_view publisher;
    sgc_publisher_view(control->publisher, &publisher);
    metric(out, "published_total", "counter", "Entries brought into the stream.",
           publisher.entries);
    metric(out, "publisher_ready", "gauge", "Is all that the ledger has in the stream?",
           publisher.ready);
    put_edges_behind(control, out);
    sgc_chains_metrics(control->chains, out);
    put_countersign(control, out);
}
