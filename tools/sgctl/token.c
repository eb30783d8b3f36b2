#include "tools/sgctl/token.h"

#include "base/clock.h"
#include "tools/sgctl/say.h"
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
    "    Where a stream feeds the node it goes to all edges of the region, and the answer says\n"
    "    which have it: after --wait SECONDS (2), or as soon as all do.\n"
    "    --all: every token of the tenant, by raising its lowest accepted epoch.\n"
    "    --rule: tokens with facts must name this version of the rules, or a later one.\n";

struct revoke {
    const char *tenant, *cti, *index, *rule;
    bool all;
    uint32_t wait_ms; /* for other edges to have it too */
};

static bool revoke_options(int argc, char **argv, struct revoke *out)
{
    static const struct option longs[] = {{"tenant", 1, NULL, 't'}, {"cti", 1, NULL, 'c'},
                                          {"index", 1, NULL, 'i'},  {"rule", 1, NULL, 'r'},
                                          {"all", 0, NULL, 'a'},    {"wait", 1, NULL, 'w'},
                                          {NULL, 0, NULL, 0}};
    uint64_t wait_s = 2;
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
        else if (c != 'w' || !sgt_number_read(optarg, 3600, &wait_s))
            return false;
    }
    out->wait_ms = (uint32_t)wait_s * 1000;
    int ways = (out->cti != NULL) + (out->index != NULL) + (out->rule != NULL) + out->all;
    return ways + (argc - optind) == 1;
}

/* Fills in `word` from what was asked for; false, and says so. */
static bool word_of(const struct revoke *how, struct sge_state *state, struct sge_word *word)
{
    uint64_t number = 0;
    const char *number_text = how->index != NULL ? how->index : how->rule;
    if (number_text != NULL && !sgt_number_read(number_text, UINT32_MAX, &number))
        return false;
    word->number = (uint32_t)number;
    word->kind = how->cti != NULL     ? SGE_WORD_CTI
                 : how->index != NULL ? SGE_WORD_INDEX
                 : how->rule != NULL  ? SGE_WORD_RULE
                                      : SGE_WORD_EPOCH;
    /* Remembered until no token of that name can be alive: its epoch closes within two days. */
    word->until_ns = (sgt_now_s() + 3 * SGD_EPOCH_S) * SG_NS_PER_SEC;
    if (how->cti != NULL && !sgt_hex_read(how->cti, word->cti, sizeof(word->cti))) {
        sgt_refuse("%s: a cti is 32 hex digits", how->cti);
        return false;
    }
    if (word->kind != SGE_WORD_EPOCH && word->kind != SGE_WORD_RULE)
        return true;
    struct sge_state_reader *reader = sgt_reader_open(state);
    if (reader == NULL)
        return false;
    uint32_t rule = sge_state_rule_version(reader, word->tenant);
    uint32_t epoch = sge_state_epoch_min(reader, word->tenant);
    sgt_reader_close(reader);
    if (word->kind == SGE_WORD_EPOCH)
        word->number = sgd_epoch_current(sgt_now_s(), epoch) + 1;
    else if (word->number <= rule)
        sgt_refuse("the version is not above the present one");
    return word->kind == SGE_WORD_EPOCH || word->number > rule;
}

static int revoke_by(const struct sg_config *config, const struct revoke *how,
                     struct sge_state *state, bool json)
{
    const struct sg_conf_tenant *tenant = sgt_tenant_find(config, how->tenant);
    if (tenant == NULL)
        return SGT_REFUSED;
    struct sge_word word = {.tenant = sge_tenant_id(sg_str_from(tenant->name))};
    if (!word_of(how, state, &word))
        return SGT_REFUSED;
    json_t *told = json_pack("{s:s}", "revoked",
                             how->cti != NULL     ? how->cti
                             : how->index != NULL ? how->index
                             : how->rule != NULL  ? how->rule
                                                  : "all");
    json_object_set_new(told, "tenant", json_string(tenant->name));
    if (word.kind == SGE_WORD_EPOCH)
        json_object_set_new(told, "epoch", json_integer(word.number));
    const struct sgt_saying saying = {tenant->name, NULL, &word, how->wait_ms};
    if (!sgt_say(config, state, &saying, told)) {
        json_decref(told);
        return SGT_REFUSED;
    }
    sgt_print(told, json);
    return SGT_DONE;
}

static int revoke_token(const struct sg_config *config, const struct revoke *how, const char *text,
                        struct sge_state *state, bool json)
{
    struct sgt_token read = {.verdict = SGD_GATE_malformed};
    sgt_token_read(text, &read);
    if (read.verdict != SGD_GATE_allowed)
        return sgt_refuse("not a token: %s", sgd_gate_reason(read.verdict));
    const struct sg_conf_tenant *tenant = sgt_token_tenant(config, &read);
    if (tenant == NULL || !sgt_token_mac_holds(tenant, &read))
        return sgt_refuse("not a token of a tenant of ours, so its name can't be believed; "
                          "revoke by --cti if it is known");
    struct sge_word word = {.kind = SGE_WORD_CTI,
                            .tenant = sge_tenant_id(read.kid.tenant),
                            .until_ns = read.claims.expires_s * SG_NS_PER_SEC};
    memcpy(word.cti, read.claims.cti, sizeof(word.cti));
    json_t *told = json_pack("{s:o, s:s}", "revoked", sgt_hex_json(read.claims.cti, 16), "tenant",
                             tenant->name);
    const struct sgt_saying saying = {tenant->name, NULL, &word, how->wait_ms};
    if (!sgt_say(config, state, &saying, told)) {
        json_decref(told);
        return SGT_REFUSED;
    }
    sgt_print(told, json);
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
    int status = optind < argc ? revoke_token(config, &how, argv[optind], state, json)
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
