#include "tools/sgctl/token.h"

#include "base/clock.h"
#include "tools/sgctl/say.h"
#include "tools/sgctl/tokens.h"

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

static const struct option revoke_options[] = {{"tenant", required_argument, NULL, 't'},
                                               {"cti", required_argument, NULL, 'c'},
                                               {"index", required_argument, NULL, 'i'},
                                               {"rule", required_argument, NULL, 'r'},
                                               {"all", no_argument, NULL, 'a'},
                                               {"wait", required_argument, NULL, 'w'},
                                               {NULL, 0, NULL, 0}};
static const struct sgt_verb verbs[] = {
    {"revoke", "TOKEN, or --cti, --index, --rule or --all", 0, 1, "tcriaw"},
};
static const struct sgt_syntax revoke_syntax = {verbs, SG_COUNT(verbs), revoke_options};

struct revoke {
    const char *tenant, *cti, *index, *rule, *token;
    bool all;
    uint64_t number;  /* of --index or --rule */
    uint8_t name[16]; /* of --cti */
    uint32_t wait_ms; /* for other edges to have it too */
};

static bool revoke_read(int argc, char **argv, struct revoke *out)
{
    struct sgt_args args;
    uint64_t wait_s = 2;
    if (sgt_args_read(&revoke_syntax, argc, argv, &args) != SGT_DONE)
        return false;
    const char *wait = args.of[SGT_OPT('w')];
    *out = (struct revoke){.tenant = args.of[SGT_OPT('t')],
                           .cti = args.of[SGT_OPT('c')],
                           .index = args.of[SGT_OPT('i')],
                           .rule = args.of[SGT_OPT('r')],
                           .token = args.count > 0 ? args.words[0] : NULL,
                           .all = args.of[SGT_OPT('a')] != NULL};
    int ways = (out->cti != NULL) + (out->index != NULL) + (out->rule != NULL) +
               (out->token != NULL) + out->all;
    const char *number = out->index != NULL ? out->index : out->rule;
    if (ways != 1)
        return sgt_refuse("token revoke: expected one of TOKEN, --cti, --index, --rule and --all"),
               false;
    if (out->cti != NULL && !sgt_hex_read(out->cti, out->name, sizeof(out->name)))
        return sgt_refuse("--cti %.100s: expected 32 hexadecimal digits", out->cti), false;
    if ((number != NULL && !sgt_number_read(number, UINT32_MAX, &out->number)) ||
        (wait != NULL && !sgt_number_read(wait, 3600, &wait_s)))
        return false;
    out->wait_ms = (uint32_t)wait_s * 1000;
    return true;
}

/* Fills in `word` from what was asked for; false, and says so. */
static bool word_of(const struct revoke *how, struct sge_state *state, struct sge_word *word)
{
    word->number = (uint32_t)how->number;
    word->kind = how->cti != NULL     ? SGE_WORD_CTI
                 : how->index != NULL ? SGE_WORD_INDEX
                 : how->rule != NULL  ? SGE_WORD_RULE
                                      : SGE_WORD_EPOCH;
    /* Remembered until no token of that name can be alive: its epoch closes within two days. */
    word->until_ns = (sgt_now_s() + 3 * SGD_EPOCH_S) * SG_NS_PER_SEC;
    memcpy(word->cti, how->name, sizeof(word->cti));
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
    if (sgt_token_genuine(config, &read) != SGD_GATE_allowed)
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
    if (!revoke_read(argc, argv, &how))
        return SGT_USAGE;
    struct sge_state *state = sgt_state_open(config);
    if (state == NULL)
        return SGT_REFUSED;
    int status = how.token != NULL ? revoke_token(config, &how, how.token, state, json)
                                   : revoke_by(config, &how, state, json);
    sge_state_close(state);
    return status;
}

int sgt_token_main(const struct sg_config *config, bool json, int argc, char **argv)
{
    const char *verb = argc >= 2 ? argv[1] : NULL;
    if (verb != NULL && strcmp(verb, "mint") == 0)
        return sgt_token_mint(config, json, argc - 1, argv + 1);
    if (verb != NULL && strcmp(verb, "inspect") == 0)
        return sgt_token_inspect(config, json, argc - 1, argv + 1);
    if (verb != NULL && strcmp(verb, "revoke") == 0)
        return revoke(config, json, argc, argv);
    if (verb == NULL)
        sgt_refuse("token: what? mint, inspect or revoke");
    else
        sgt_refuse("token: %.100s: expected mint, inspect or revoke", verb);
    return SGT_USAGE;
}
