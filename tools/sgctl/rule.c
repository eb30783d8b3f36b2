#include "tools/sgctl/rule.h"

#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/gate/geo.h"
#include "dataplane/gate/rule.h"
#include "tools/sgctl/args.h"
#include "tools/sgctl/factmake.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LIST_BYTES 65536

const char sgt_rule_usage[] =
    "sgctl rule test RULE --account CAIP10 [--facts FILE.json | --state DIR] [--tenant NAME]\n"
    "           [--at TIME] [--country XX] [--provisional] [--contract]\n"
    "    Whether RULE, its text or a file with it, would let the account in: from the facts in a "
    "file,\n"
    "    those in a node's state_dir, or none. TIME is such as 2026-01-31T18:00:00Z, or Unix "
    "seconds.\n"
    "    --provisional: what holds at the head is enough. --contract: a contract signed, whose\n"
    "    account is good on its own chain alone. Exit status: 0 it holds, 1 it does not, 2 it is "
    "no rule.\n"
    "sgctl rule list\n"
    "    The configuration's rules, which sites name them, and what chains must be followed for "
    "them.\n"
    "docs/rules.md has the language.\n";

struct options {
    const char *account, *facts, *state, *tenant, *at, *country;
    bool provisional, contract;
};

static bool time_read(const char *text, uint64_t *out)
{
    struct tm tm = {.tm_sec = 0};
    if (text == NULL) {
        *out = sg_clock_wall_ns() / SG_NS_PER_SEC;
        return true;
    }
    if (sg_str_to_u64(sg_str_from(text), out))
        return true;
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (end == NULL)
        end = strptime(text, "%Y-%m-%dT%H:%MZ", &tm);
    *out = (uint64_t)timegm(&tm);
    return end != NULL && *end == 0;
}

/* The rule's text: what the file of that name has, or the name itself. */
static char *text_read(const char *rule)
{
    char memory[SGD_RULE_TEXT_MAX + 2] = "";
    FILE *file = fopen(rule, "re");
    if (file == NULL)
        return strdup(rule);
    size_t len = fread(memory, 1, sizeof(memory) - 1, file);
    fclose(file);
    return strndup(memory, len);
}

/* ---- the state that is asked: a node's, or one of its own for the file's facts ---- */

struct asked {
    char dir[64]; /* "": a node's state */
    struct sge_state *state;
    struct sge_state_reader *reader;
};

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static void asked_close(struct asked *asked)
{
    sgt_reader_close(asked->reader);
    sge_state_close(asked->state);
    if (asked->dir[0] != 0)
        nftw(asked->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool facts_load(const char *file, const struct sgd_rule *rule, uint32_t tenant,
                       struct sge_state *state)
{
    json_error_t error;
    json_t *facts = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    if (facts == NULL)
        sgt_refuse("%s:%d: %s", file, error.line, error.text);
    bool good = facts != NULL && sgt_facts_apply(facts, rule, tenant, state);
    json_decref(facts);
    return good;
}

static bool asked_open(const struct options *options, const struct sgd_rule *rule, uint32_t tenant,
                       struct asked *out)
{
    const char *dir = options->state;
    if (dir == NULL) {
        const char *tmp = getenv("TMPDIR");
        snprintf(out->dir, sizeof(out->dir), "%.40s/sgctl.XXXXXX", tmp != NULL ? tmp : "/tmp");
        dir = mkdtemp(out->dir);
    }
    enum sg_err err = dir == NULL ? sg_err_from_errno(errno)
                                  : sge_state_open(dir, options->state == NULL, &out->state);
    if (err != SG_OK) {
        sgt_refuse("the state in %s: %s", dir != NULL ? dir : out->dir, sg_err_text(err));
        return false;
    }
    if (options->facts != NULL && !facts_load(options->facts, rule, tenant, out->state))
        return false;
    out->reader = sgt_reader_open(out->state);
    return out->reader != NULL;
}

/* ---- test ---- */

static json_t *facts_json(const struct sgd_rule_answer *answer)
{
    json_t *facts = json_array();
    for (uint8_t i = 0; i < answer->facts_count; i++) {
        uint64_t key = __builtin_bswap64(answer->facts[i].key);
        json_array_append_new(facts,
                              json_pack("{s:o, s:I}", "key", sgt_hex_json(&key, sizeof(key)),
                                        "generation", (json_int_t)answer->facts[i].generation));
    }
    return facts;
}

static void answer_print(const struct sgd_rule *rule, const struct sgd_rule_answer *answer,
                         bool json)
{
    static char memory[LIST_BYTES];
    struct sg_out code = sg_out_init(memory, sizeof(memory));
    json_t *told =
        json_pack("{s:b, s:s, s:b, s:o, s:o}", "holds", answer->holds, "why", answer->why,
                  "provisional", answer->provisional, "until",
                  !answer->holds || answer->until_s == UINT64_MAX ? json_null()
                                                                  : sgt_time_json(answer->until_s),
                  "facts", facts_json(answer));
    sgd_rule_list(rule, &code);
    if (json)
        json_object_set_new(told, "code", json_stringn(code.ptr, code.len));
    sgt_print(told, json);
}

static int check(const struct sgd_rule *rule, const struct options *options, uint32_t tenant,
                 bool json)
{
    struct sgd_rule_answer answer;
    struct asked asked = {.state = NULL};
    struct sgd_place place = {.asn = 0};
    struct sgd_holder holder = {.any_evm_chain = !options->contract,
                                .provisional = options->provisional};
    struct sgd_countries any = {{0}};
    if (!sgt_account_read(options->account, &holder.account))
        return SGT_USAGE;
    if (!time_read(options->at, &holder.now_s))
        return sgt_refuse("--at %s: expected such as 2026-01-31T18:00:00Z", options->at), SGT_USAGE;
    if (options->country != NULL && !sgd_countries_add(&any, sg_str_from(options->country)))
        return sgt_refuse("--country %s: expected two letters", options->country), SGT_USAGE;
    if (options->country != NULL) {
        memcpy(place.country, options->country, sizeof(place.country));
        holder.place = &place;
    }
    bool opened = asked_open(options, rule, tenant, &asked);
    if (opened) {
        sgd_rule_check(rule, asked.reader, &holder, &answer);
        answer_print(rule, &answer, json);
    }
    asked_close(&asked);
    return !opened ? SGT_USAGE : answer.holds ? SGT_DONE : SGT_REFUSED;
}

static int test(const char *name, const struct options *options, bool json)
{
    char memory[512];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    struct sgd_rule *rule = NULL;
    uint32_t tenant = sge_tenant_id(sg_str_from(options->tenant != NULL ? options->tenant : ""));
    char *text = text_read(name);
    int status = SGT_USAGE;
    enum sg_err err =
        text == NULL ? SG_ENOMEM : sgd_rule_compile(sg_str_from(text), tenant, &report, &rule);
    if (err == SG_ECONFIG)
        sgt_refuse("rule test: at character %.*s", (int)report.len, report.ptr);
    else if (err != SG_OK)
        sgt_refuse("%s", sg_err_text(err));
    else
        status = check(rule, options, tenant, json);
    sgd_rule_free(rule);
    free(text);
    return status;
}

/* ---- list ---- */

static json_t *assets_json(const struct sgd_rule *rule)
{
    struct sg_caip_asset assets[64];
    json_t *list = json_array();
    uint32_t count = sgd_rule_assets(rule, assets, SG_COUNT(assets));
    for (uint32_t i = 0; i < count; i++) {
        char memory[160];
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        sg_caip_asset_put(&out, &assets[i]);
        json_array_append_new(list, json_stringn(out.ptr, out.len));
    }
    return list;
}

/* Of each condition that asks a chain, how much of that this node's state has. */
static json_t *followed_json(const struct sgd_rule *rule, struct sge_state_reader *reader)
{
    static const char *const names[] = {[SGE_FOLLOWED_NOT] = "not",
                                        [SGE_FOLLOWED_READING] = "reading",
                                        [SGE_FOLLOWED_PART] = "part",
                                        [SGE_FOLLOWED_WHOLE] = "whole"};
    struct sgd_rule_source sources[256];
    json_t *list = json_array();
    uint32_t count = sgd_rule_sources(rule, sources, SG_COUNT(sources));
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s%, s:s}", "condition", sources[i].text.ptr,
                                              sources[i].text.len, "followed",
                                              names[sge_state_followed(reader, sources[i].group)]));
    return list;
}

/* `reader` NULL: there is no state here. */
static json_t *rule_json(const struct sg_config *config, const struct sg_conf_rule *conf,
                         struct sge_state_reader *reader)
{
    char memory[512];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    struct sgd_rule *rule = NULL;
    json_t *sites = json_array();
    for (uint32_t i = 0; i < config->sites_count; i++)
        if (config->sites[i].rule != NULL && strcmp(config->sites[i].rule, conf->name) == 0)
            json_array_append_new(sites, json_string(config->sites[i].name));
    enum sg_err err = sgd_rule_compile(sg_str_from(conf->require),
                                       sge_tenant_id(sg_str_from(conf->tenant)), &report, &rule);
    json_t *told =
        json_pack("{s:s, s:s, s:I, s:s, s:o}", "name", conf->name, "tenant", conf->tenant,
                  "version", (json_int_t)conf->version, "require", conf->require, "sites", sites);
    if (err == SG_OK)
        json_object_set_new(told, "assets", assets_json(rule));
    if (err == SG_OK && reader != NULL)
        json_object_set_new(told, "followed", followed_json(rule, reader));
    if (err != SG_OK)
        json_object_set_new(told, "wrong", json_stringn(report.ptr, report.len));
    sgd_rule_free(rule);
    return told;
}

static int list(const char *file, bool json)
{
    static char memory[LIST_BYTES];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    struct sg_config *config = NULL;
    enum sg_err err = sg_config_load(file, &report, &config);
    if (err != SG_OK) {
        fwrite(report.ptr, 1, report.len, stderr);
        return sgt_refuse("the configuration: %s", sg_err_text(err));
    }
    struct sge_state *state = NULL;
    struct sge_state_reader *reader = NULL;
    if (sge_state_open(config->node.state_dir, false, &state) == SG_OK)
        reader = sgt_reader_open(state);
    json_t *rules = json_array();
    for (uint32_t i = 0; i < config->rules_count; i++)
        json_array_append_new(rules, rule_json(config, &config->rules[i], reader));
    if (json) {
        sgt_print(json_pack("{s:o}", "rules", rules), true);
    } else {
        for (size_t i = 0; i < json_array_size(rules); i++) {
            printf("%s", i == 0 ? "" : "\n");
            sgt_print(json_incref(json_array_get(rules, i)), false);
        }
        json_decref(rules);
    }
    sgt_reader_close(reader);
    sge_state_close(state);
    sg_config_free(config);
    return SGT_DONE;
}

int sgt_rule_main(const struct sgt_call *call, int argc, char **argv)
{
    static const struct option longs[] = {{"account", required_argument, NULL, 'a'},
                                          {"facts", required_argument, NULL, 'f'},
                                          {"state", required_argument, NULL, 's'},
                                          {"tenant", required_argument, NULL, 't'},
                                          {"at", required_argument, NULL, 'w'},
                                          {"country", required_argument, NULL, 'c'},
                                          {"provisional", no_argument, NULL, 'p'},
                                          {"contract", no_argument, NULL, 'k'},
                                          {NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {
        {"test", "RULE --account ACCOUNT", 1, 1, "afstwcpk"},
        {"list", "", 0, 0, ""},
    };
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), longs};
    struct sgt_args args;
    int status = sgt_args_read(&syntax, argc, argv, &args);
    if (status != SGT_DONE)
        return status;
    if (sgt_args_is(&args, "list"))
        return list(call->config, call->json);
    const struct options options = {.account = args.of[SGT_OPT('a')],
                                    .facts = args.of[SGT_OPT('f')],
                                    .state = args.of[SGT_OPT('s')],
                                    .tenant = args.of[SGT_OPT('t')],
                                    .at = args.of[SGT_OPT('w')],
                                    .country = args.of[SGT_OPT('c')],
                                    .provisional = args.of[SGT_OPT('p')] != NULL,
                                    .contract = args.of[SGT_OPT('k')] != NULL};
    if (options.account == NULL)
        return sgt_refuse("rule test: --account is missing: would it let whom in?"), SGT_USAGE;
    if (options.facts != NULL && options.state != NULL)
        return sgt_refuse("rule test: --facts or --state, not both"), SGT_USAGE;
    return test(args.words[0], &options, call->json);
}
