#include "controlplane/node/control.h"

#include "base/alloc.h"
#include "base/log.h"
#include "controlplane/node/parts.h"

#include <limits.h>
#include <stdio.h>

static const char *const role_names[] = {"all", "edge", "control"};

/* Does anything ask for a bus? */
static bool is_fed(const struct sg_config *config, enum sgc_role role)
{
    return role != SGC_ROLE_ALL || config->bus.url != NULL || config->chains_count > 0;
}

enum sg_err sgc_control_check(const struct sg_config *config, enum sgc_role role,
                              struct sg_out *report)
{
    bool alone = config->bus.url == NULL || strncmp(config->bus.url, "embedded:", 9) == 0;
    if (role == SGC_ROLE_ALL || !alone)
        return SG_OK;
    sg_out_fmt(report, "bus.url: --role %s talks to other nodes: right would be nats://...\n",
               role_names[role]);
    return SG_ECONFIG;
}

static enum sg_err bus_open(struct sgc_control *control, const struct sg_config *config,
                            struct sg_out *report)
{
    char dir[PATH_MAX];
    if (snprintf(dir, sizeof(dir), "%s/bus", config->node.state_dir) >= (int)sizeof(dir))
        return SG_EMSGSIZE;
    const struct sgc_bus_options options = {
        .url = config->bus.url != NULL ? config->bus.url : "embedded:",
        .dir = dir,
        .name = config->node.name,
        .creds_file = config->bus.creds_file,
        .ca_file = config->bus.ca_file,
        .cert_file = config->bus.cert_file,
        .key_file = config->bus.key_file,
        .replicas = config->bus.replicas,
    };
    enum sg_err err = sgc_control_check(config, control->role, report);
    if (err == SG_OK)
        err = sgc_bus_open(&options, report, &control->bus);
    if (err != SG_OK)
        return err;
    if (sgc_feed_init(&control->feed, control->bus, config->node.region))
        return SG_OK;
    sg_out_fmt(report,
               "node.region: %s: letters, digits, - and _ are right for one with a bus, up to %d\n",
               config->node.region, SGC_REGION_MAX);
    return SG_ECONFIG;
}

static enum sg_err ledger_open(struct sgc_control *control, const struct sg_config *config,
                               struct sg_out *report)
{
    char dir[PATH_MAX];
    if (snprintf(dir, sizeof(dir), "%s/ledger", config->node.state_dir) >= (int)sizeof(dir))
        return SG_EMSGSIZE;
    enum sg_err err = sgc_ledger_open(dir, &control->ledger);
    if (err != SG_OK)
        sg_out_fmt(report, "ledger: %s: %s\n", dir, sg_err_text(err));
    return err;
}

static struct sgc_chains_options chains_options(const struct sgc_control *control,
                                                const struct sg_config *config)
{
    return (struct sgc_chains_options){.config = config,
                                       .ledger = control->ledger,
                                       .state = control->state,
                                       .lock_dir = config->node.state_dir};
}

/* What feeds others. */
static enum sg_err head_open(struct sgc_control *control, const struct sg_config *config,
                             struct sg_out *report)
{
    enum sg_err err = ledger_open(control, config, report);
    const struct sgc_publisher_options options = {
        .feed = &control->feed, .ledger = control->ledger, .state = control->state};
    const struct sgc_chains_options chains = chains_options(control, config);
    if (err == SG_OK)
        err = sgc_chains_open(&chains, report, &control->chains);
    if (err == SG_OK)
        err = sgc_publisher_open(&options, &control->publisher);
    if (err == SG_OK)
        err = sgc_copies_open(&control->feed, control->state, &control->copies);
    if (err == SG_OK)
        err = sgc_edges_open(&control->feed, &control->edges);
    return err;
}

static enum sg_err parts_open(struct sgc_control *control, const struct sg_config *config,
                              struct sg_out *report)
{
    const struct sgc_agent_options options = {.feed = &control->feed,
                                              .state = control->state,
                                              .name = control->name,
                                              .first = control->role != SGC_ROLE_EDGE};
    enum sg_err err = bus_open(control, config, report);
    if (err == SG_OK)
        err = sgc_speaker_open(&control->feed, &control->speaker);
    if (err == SG_OK && control->role != SGC_ROLE_EDGE)
        err = head_open(control, config, report);
    if (err == SG_OK)
        err = sgc_agent_open(&options, &control->agent);
    return err;
}

static void parts_close(struct sgc_control *control)
{
    if (control->onchain != NULL)
        sgc_onchain_set_relay(control->onchain, NULL);
    sgc_countersign_close(SG_TAKE(control->countersign));
    sgc_chains_close(SG_TAKE(control->chains));
    sgc_agent_close(SG_TAKE(control->agent));
    sgc_edges_close(SG_TAKE(control->edges));
    sgc_copies_close(SG_TAKE(control->copies));
    sgc_publisher_close(SG_TAKE(control->publisher));
    sgc_ledger_close(SG_TAKE(control->ledger));
    sgc_speaker_close(SG_TAKE(control->speaker));
    sgc_bus_close(SG_TAKE(control->bus));
}

/* Anew for the chains that can be asked now. An edge answers nobody but itself. */
static enum sg_err countersign_open(struct sgc_control *control)
{
    struct sg_caip_chain chains[SGC_ONCHAIN_CHAINS_MAX];
    sgc_countersign_close(SG_TAKE(control->countersign));
    uint32_t count = sgc_onchain_chains(control->onchain, chains);
    if (count == 0 || control->role == SGC_ROLE_EDGE)
        return SG_OK;
    return sgc_countersign_open(&control->feed, sgc_onchain_here(control->onchain), chains, count,
                                &control->countersign);
}

static enum sg_err relay_open(struct sgc_control *control)
{
    sgc_relay_init(&control->relay, &control->feed);
    sgc_onchain_set_relay(control->onchain, &control->relay.seam);
    return countersign_open(control);
}

static enum sg_err feed_open(struct sgc_control *control, const struct sg_config *config,
                             struct sg_out *report)
{
    enum sg_err err = parts_open(control, config, report);
    if (err == SG_OK && control->onchain != NULL)
        err = relay_open(control);
    if (err == SG_OK)
        sg_info("feed: region %s, bus %s, role %s", config->node.region, sgc_bus_kind(control->bus),
                role_names[control->role]);
    else
        parts_close(control);
    return err;
}

enum sg_err sgc_control_open(const struct sg_config *config, enum sgc_role role,
                             struct sge_state *state, struct sg_out *report,
                             struct sgc_control **out)
{
    SG_ASSERT(config != NULL && state != NULL);
    SG_ASSERT(report != NULL && out != NULL);
    struct sgc_control *control = sg_boot_alloc(sizeof(*control));
    if (control == NULL)
        return SG_ENOMEM;
    control->role = role;
    control->state = state;
    snprintf(control->name, sizeof(control->name), "%s", config->node.name);
    enum sg_err err = is_fed(config, role) ? feed_open(control, config, report) : SG_OK;
    if (err == SG_OK)
        *out = SG_TAKE(control);
    sgc_control_close(control);
    return err;
}

void sgc_control_close(struct sgc_control *control)
{
    if (control == NULL)
        return;
    parts_close(control);
    sg_boot_free(control);
}

bool sgc_control_is_fed(const struct sgc_control *control)
{
    return control != NULL && control->bus != NULL;
}

enum sg_err sgc_control_reload(struct sgc_control *control, const struct sg_config *config,
                               struct sg_out *report)
{
    enum sg_err err = SG_OK;
    if (control == NULL)
        return SG_OK;
    if (control->onchain != NULL)
        err = sgc_onchain_configure(control->onchain, config, report);
    if (err == SG_OK && !sgc_control_is_fed(control))
        return is_fed(config, control->role) ? feed_open(control, config, report) : SG_OK;
    if (err == SG_OK && control->onchain != NULL)
        err = countersign_open(control);
    if (err != SG_OK || control->ledger == NULL)
        return err;
    const struct sgc_chains_options options = chains_options(control, config);
    return sgc_chains_reload(control->chains, &options, report);
}

enum sg_err sgc_control_rebuild(struct sgc_control *control, struct sg_str chain)
{
    return !sgc_control_is_fed(control) ? SG_ENOENT : sgc_chains_rebuild(control->chains, chain);
}

enum sg_err sgc_control_set_onchain(struct sgc_control *control, struct sgc_onchain *onchain)
{
    if (control == NULL)
        return SG_OK;
    control->onchain = onchain;
    return sgc_control_is_fed(control) ? relay_open(control) : SG_OK;
}

enum sg_err sgc_control_say(struct sgc_control *control, const struct sge_word *word,
                            uint64_t *ticket)
{
    SG_ASSERT(sgc_control_is_fed(control));
    return sgc_speaker_say(control->speaker, word, ticket);
}
