#include "tools/sgctl/token.h"

#include "base/clock.h"
#include "tools/sgctl/tokens.h"

#include <getopt.h>
#include <stdio.h>

const char sgt_token_usage[] =
    "sgctl token mint --path PREFIX [--tenant NAME] [--host HOST] [--lifetime SECONDS] ...\n"
    "    Prints an edge token. At least one of --path, --path-exact, --path-suffix, --host.\n"
    "    --path PREFIX       what it opens: decoded paths that begin so\n"
    "    --path-exact PATH, --path-suffix SUFFIX, --host HOST, --host-suffix SUFFIX\n"
    "    --lifetime SECONDS  default: the tenant's token_lifetime_s\n"
    "    --not-before SECONDS  from now\n"
    "    --method LIST       default GET,HEAD\n"
    "    --network NET       192.0.2.0/24, 2001:db8::/32 or AS64496; may be repeated\n"
    "    --country CC        may be repeated\n"
    "    --fact FACT         that must stay as it is now (sgctl own); may be repeated\n"
    "    --owner ACCOUNT     who must own all those facts, at head and at safe\n"
    "    --index N           by which it can be revoked\n"
    "    --viewers N         addresses that may use it within a minute, at most 16\n"
    "    --subject TEXT      a pseudonym of the viewer\n"
    "    --renewal URL       where a viewer is sent once it expired\n"
    "sgctl token inspect TOKEN\n"
    "    What it says, and whether this node would believe it now.\n"
    "sgctl token revoke TOKEN\n"
    "sgctl token revoke --tenant NAME --cti HEX | --index N | --all | --rule VERSION\n"
    "    --all: every token of the tenant, by raising its lowest accepted epoch.\n"
    "    --rule: tokens with facts must name this version of the rules from now on.\n";

struct revoke {
    const char *tenant, *cti, *index, *rule;
    bool all;
};

static bool revoke_options(int argc, char **argv, struct revoke *out)
{
    static const struct option longs[] = {{"tenant", 1, NULL, 't'}, {"cti", 1, NULL, 'c'},
                                          {"index", 1, NULL, 'i'},  {"rule", 1, NULL, 'r'},
                                          {"all", 0, NULL, 'a'},    {NULL, 0, NULL, 0}};
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 't')
            out->tenant = optarg;
        else if (c == 'c')
            out->cti = optarg;
        else if (c == 'i')
            out->index = optarg;
        else if (c == 'r')
            out->rule = optarg;
        else if (c == 'a')
            out->all = true;
        else
            return false;
    }
    int ways = (out->cti != NULL) + (out->index != NULL) + (out->rule != NULL) + out->all;
    return ways + (argc - optind) == 1;
}

/* Remembered until no token of that name can be alive: its epoch closes within two days. */
static enum sg_err revoke_cti(struct sge_state *state, uint32_t tenant, const char *hex)
{
    uint8_t cti[16];
    if (!sgt_hex_read(hex, cti, sizeof(cti))) {
        sgt_refuse("%s: a cti is 32 hex digits", hex);
        return SG_EINVAL;
    }
    return sge_state_revoke_cti(state, tenant, cti,
                                (sgt_now_s() + 3 * SGD_EPOCH_S) * SG_NS_PER_SEC);
}

static enum sg_err revoke_all(struct sge_state *state, uint32_t tenant, uint32_t *epoch)
{
    struct sge_state_reader *reader = sgt_reader_open(state);
    if (reader == NULL)
        return SG_EIO;
    *epoch = sgd_epoch_current(sgt_now_s(), sge_state_epoch_min(reader, tenant)) + 1;
    sgt_reader_close(reader);
    return sge_state_raise_epoch(state, tenant, *epoch);
}

static int revoke_by(const struct sg_config *config, const struct revoke *how,
                     struct sge_state *state, bool json)
{
    const struct sg_conf_tenant *tenant = sgt_tenant_find(config, how->tenant);
    uint64_t number = 0;
    uint32_t epoch = 0;
    enum sg_err err = SG_EINVAL;
    const char *number_text = how->index != NULL ? how->index : how->rule;
    if (tenant == NULL)
        return SGT_REFUSED;
    if (number_text != NULL && !sgt_number_read(number_text, UINT32_MAX, &number))
        return SGT_REFUSED;
    const uint32_t id = sge_tenant_id(sg_str_from(tenant->name));
    if (how->cti != NULL)
        err = revoke_cti(state, id, how->cti);
    else if (how->index != NULL)
        err = sge_state_revoke_index(state, id, (uint32_t)number);
    else if (how->rule != NULL)
        err = sge_state_raise_rule(state, id, (uint32_t)number);
    else
        err = revoke_all(state, id, &epoch);
    if (err == SG_ERANGE)
        return sgt_refuse("the version is not above the present one");
    if (err != SG_OK)
        return sgt_refuse("not revoked: %s", sg_err_text(err));
    json_t *told = json_pack("{s:s}", "revoked",
                             how->cti != NULL      ? how->cti
                             : number_text != NULL ? number_text
                                                   : "all");
    json_object_set_new(told, "tenant", json_string(tenant->name));
    if (epoch != 0)
        json_object_set_new(told, "epoch", json_integer(epoch));
    sgt_print(told, json);
    return SGT_DONE;
}

static int revoke_token(const struct sg_config *config, const char *text, struct sge_state *state,
                        bool json)
{
    struct sgt_token read = {.verdict = SGD_GATE_malformed};
    sgt_token_read(text, &read);
    if (read.verdict != SGD_GATE_allowed)
        return sgt_refuse("not a token: %s", sgd_gate_reason(read.verdict));
    const struct sg_conf_tenant *tenant = sgt_token_tenant(config, &read);
    if (tenant == NULL || !sgt_token_mac_holds(tenant, &read))
        return sgt_refuse("not a token of a tenant of ours, so its name can't be believed; "
                          "revoke by --cti if it is known");
    enum sg_err err = sge_state_revoke_cti(state, sge_tenant_id(read.kid.tenant), read.claims.cti,
                                           read.claims.expires_s * SG_NS_PER_SEC);
    if (err != SG_OK)
        return sgt_refuse("not revoked: %s", sg_err_text(err));
    sgt_print(json_pack("{s:o, s:s}", "revoked", sgt_hex_json(read.claims.cti, 16), "tenant",
                        tenant->name),
              json);
    return SGT_DONE;
}

static int revoke(const struct sg_config *config, bool json, int argc, char **argv)
{
    struct revoke how = {.tenant = NULL};
    if (!revoke_options(argc, argv, &how))
        return SGT_USAGE;
    struct sge_state *state = sgt_state_open(config);
    if (state == NULL)
        return SGT_REFUSED;
    int status = optind < argc ? revoke_token(config, argv[optind], state, json)
                               : revoke_by(config, &how, state, json);
    sge_state_close(state);
    return status;
}

int sgt_token_main(const struct sg_config *config, bool json, int argc, char **argv)
{
    int status = SGT_USAGE;
    if (argc >= 2 && strcmp(argv[1], "mint") == 0)
        status = sgt_token_mint(config, json, argc - 1, argv + 1);
    else if (argc >= 2 && strcmp(argv[1], "inspect") == 0)
        status = sgt_token_inspect(config, json, argc - 1, argv + 1);
    else if (argc >= 2 && strcmp(argv[1], "revoke") == 0)
        status = revoke(config, json, argc - 1, argv + 1);
    if (status == SGT_USAGE)
        fputs(sgt_token_usage, stderr);
    return status;
}
