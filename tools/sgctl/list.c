#include "tools/sgctl/list.h"

#include "dataplane/gate/rule.h"
#include "tools/sgctl/listtree.h"
#include "tools/sgctl/say.h"
#include "tools/sgctl/tokens.h"

#include <stdio.h>
#include <sys/stat.h>

#define NAME_MAX_BYTES 64 /* as in a rule */
#define LISTS_MAX      64

const char sgt_list_usage[] =
    "sgctl list set NAME --file FILE [--proofs FOLDER] [--tenant NAME] [--wait SECONDS]\n"
    "sgctl list set NAME --root HEX [--tenant NAME] [--wait SECONDS]\n"
    "    list(\"NAME\") means these accounts from now on, on all edges of the region where a "
    "stream\n"
    "    feeds the node. FILE has one account a line: 0x..., base58 of Solana's, or CAIP-10.\n"
    "    --proofs: also writes each account's proof to FOLDER/ADDRESS.json (list_proofs_url).\n"
    "    --root: of a tree made elsewhere: OpenZeppelin's StandardMerkleTree of ['address'].\n"
    "    Tokens that rest on another tree of that name end.\n"
    "sgctl list remove NAME [--tenant NAME] [--wait SECONDS]\n"
    "    Nobody is in it any more.\n"
    "sgctl list show [NAME] [--tenant NAME]\n"
    "    The root of that list, or of all that the configuration's rules name.\n"
    "sgctl list proof FILE ACCOUNT\n"
    "    The account's proof, as a sign-in takes it in list_proofs.\n";

static const struct option options[] = {
    {"tenant", required_argument, NULL, 't'}, {"file", required_argument, NULL, 'f'},
    {"root", required_argument, NULL, 'r'},   {"proofs", required_argument, NULL, 'p'},
    {"wait", required_argument, NULL, 'w'},   {NULL, 0, NULL, 0}};
static const struct sgt_verb verbs[] = {
    {"set", "NAME, and --file FILE or --root HEX", 1, 1, "tfrpw"},
    {"remove", "NAME", 1, 1, "tw"},
    {"show", "[NAME]", 0, 1, "t"},
    {"proof", "FILE ACCOUNT", 2, 2, ""},
};
static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), options};

struct asked {
    const char *tenant, *file, *root, *proofs;
    uint64_t wait_s;
};

static json_t *root_json(const uint8_t root[SGD_LIST_HASH_BYTES])
{
    char memory[80];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_out_lit(&out, "0x");
    sg_out_hex(&out, root, SGD_LIST_HASH_BYTES);
    return json_stringn(out.ptr, out.len);
}

/* ---- proofs ---- */

static json_t *proof_json(const struct sgt_list_tree *tree, uint32_t at)
{
    const uint8_t *hashes[SGD_LIST_HASHES_MAX];
    uint32_t count = sgt_list_proof(tree, at, hashes);
    json_t *proof = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(proof, root_json(hashes[i]));
    return proof;
}

static bool proofs_write(const struct sgt_list_tree *tree, const char *folder)
{
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return sgt_refuse("%s: %s", folder, sg_err_text(sg_err_from_errno(errno))), false;
    for (uint32_t i = 0; i < tree->count; i++) {
        char memory[4096];
        struct sg_out path = sg_out_init(memory, sizeof(memory) - 1);
        sg_out_fmt(&path, "%s/", folder);
        sg_caip_address_put(&path, &tree->accounts[i]); /* as the challenge names it */
        sg_out_lit(&path, ".json");
        memory[path.len] = '\0';
        json_t *proof = proof_json(tree, i);
        int failed = path.full ? -1 : json_dump_file(proof, memory, JSON_COMPACT);
        json_decref(proof);
        if (failed != 0)
            return sgt_refuse("%s: it can't be written", memory), false;
    }
    return true;
}

static int proof(const char *file, const char *account, bool json)
{
    struct sgt_list_tree tree;
    struct sg_caip_address address;
    if (!sgt_list_account(sg_str_from(account), &address))
        return SGT_USAGE;
    int status = SGT_REFUSED;
    if (sgt_list_read(file, &tree)) {
        uint32_t at = sgt_list_find(&tree, &address);
        if (at == UINT32_MAX) {
            sgt_refuse("%s is not in %s", account, file);
        } else if (json) {
            sgt_print(json_pack("{s:o, s:o}", "root", root_json(tree.nodes[0]), "proof",
                                proof_json(&tree, at)),
                      true);
            status = SGT_DONE;
        } else {
            json_t *hashes = proof_json(&tree, at);
            json_dumpf(hashes, stdout, JSON_COMPACT);
            putchar('\n');
            json_decref(hashes);
            status = SGT_DONE;
        }
    }
    sgt_list_free(&tree);
    return status;
}

/* ---- setting ---- */

/* The word's root, of a file or as it is given. False, and says so. */
static bool root_read(const struct asked *asked, uint8_t root[SGD_LIST_HASH_BYTES],
                      uint32_t *accounts)
{
    struct sgt_list_tree tree;
    if (asked->root != NULL) {
        const char *hex = asked->root + (strncmp(asked->root, "0x", 2) == 0 ? 2 : 0);
        if (sgt_hex_read(hex, root, SGD_LIST_HASH_BYTES))
            return true;
        return sgt_refuse("--root %s: expected 64 hexadecimal digits", asked->root), false;
    }
    bool good = sgt_list_read(asked->file, &tree);
    if (good) {
        memcpy(root, tree.nodes[0], SGD_LIST_HASH_BYTES);
        *accounts = tree.count;
        good = asked->proofs == NULL || proofs_write(&tree, asked->proofs);
    }
    sgt_list_free(&tree);
    return good;
}

static int say(const struct sg_config *config, const struct asked *asked, const char *name,
               struct sge_word *word, json_t *told, bool json)
{
    const struct sg_conf_tenant *tenant = sgt_tenant_find(config, asked->tenant);
    struct sge_state *state = tenant != NULL ? sgt_state_open(config) : NULL;
    bool said = false;
    if (state != NULL) {
        const struct sgt_saying saying = {tenant->name, name, word, (uint32_t)asked->wait_s * 1000};
        word->tenant = sge_tenant_id(sg_str_from(tenant->name));
        sge_fact_root(word->tenant, sg_str_from(name), &word->list);
        json_object_set_new(told, "tenant", json_string(tenant->name));
        said = sgt_say(config, state, &saying, told);
    }
    sge_state_close(state);
    if (said)
        sgt_print(told, json);
    else
        json_decref(told);
    return said ? SGT_DONE : SGT_REFUSED;
}

static int set(const struct sg_config *config, const struct asked *asked, const char *name,
               bool json)
{
    struct sge_word word = {.kind = SGE_WORD_ROOT};
    uint32_t accounts = 0;
    if (!root_read(asked, word.root, &accounts))
        return asked->root != NULL ? SGT_USAGE : SGT_REFUSED;
    json_t *told = json_pack("{s:s, s:o}", "list", name, "root", root_json(word.root));
    if (accounts != 0)
        json_object_set_new(told, "accounts", json_integer(accounts));
    return say(config, asked, name, &word, told, json);
}

static int remove_list(const struct sg_config *config, const struct asked *asked, const char *name,
                       bool json)
{
    struct sge_word word = {.kind = SGE_WORD_ROOT}; /* a root of zeros: there is none any more */
    return say(config, asked, name, &word, json_pack("{s:s}", "removed", name), json);
}

/* ---- showing ---- */

/* NULL: the state has none. */
static json_t *list_json(struct sge_state_reader *reader, const char *tenant, struct sg_str name)
{
    static const uint8_t none[SGD_LIST_HASH_BYTES];
    struct sge_fact_id id;
    struct sge_change fact;
    uint64_t generation = 0;
    sge_fact_root(sge_tenant_id(sg_str_from(tenant)), name, &id);
    bool known = sge_state_fact_get(reader, &id, &fact, &generation) == SG_OK &&
                 memcmp(fact.head, none, sizeof(none)) != 0;
    return json_pack("{s:s%, s:s, s:o, s:I}", "list", name.ptr, name.len, "tenant", tenant, "root",
                     known ? root_json(fact.head) : json_null(), "generation",
                     (json_int_t)generation);
}

static void rule_show(const struct sg_conf_rule *conf, struct sge_state_reader *reader, json_t *all)
{
    char memory[512];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    struct sgd_rule *rule = NULL;
    struct sg_str names[LISTS_MAX];
    if (sgd_rule_compile(sg_str_from(conf->require), 0, &report, &rule) != SG_OK)
        return;
    uint32_t count = sgd_rule_lists(rule, names, LISTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        json_t *list = list_json(reader, conf->tenant, names[i]);
        json_object_set_new(list, "rule", json_string(conf->name));
        json_array_append_new(all, list);
    }
    sgd_rule_free(rule);
}

static int show(const struct sg_config *config, const struct asked *asked, const char *name,
                bool json)
{
    const struct sg_conf_tenant *tenant =
        name != NULL || asked->tenant != NULL ? sgt_tenant_find(config, asked->tenant) : NULL;
    if (tenant == NULL && (name != NULL || asked->tenant != NULL))
        return SGT_REFUSED;
    struct sge_state *state = sgt_state_open(config);
    struct sge_state_reader *reader = state != NULL ? sgt_reader_open(state) : NULL;
    if (reader == NULL) {
        sge_state_close(state);
        return SGT_REFUSED;
    }
    json_t *all = json_array();
    if (name != NULL)
        json_array_append_new(all, list_json(reader, tenant->name, sg_str_from(name)));
    for (uint32_t i = 0; name == NULL && i < config->rules_count; i++)
        if (tenant == NULL || strcmp(config->rules[i].tenant, tenant->name) == 0)
            rule_show(&config->rules[i], reader, all);
    sgt_reader_close(reader);
    sge_state_close(state);
    sgt_print(json_pack("{s:o}", "lists", all), json);
    return SGT_DONE;
}

/* What the command line says, checked before anything is touched. */
static bool asked_read(const struct sgt_args *args, struct asked *out)
{
    const char *wait = args->of[SGT_OPT('w')];
    *out = (struct asked){.tenant = args->of[SGT_OPT('t')],
                          .file = args->of[SGT_OPT('f')],
                          .root = args->of[SGT_OPT('r')],
                          .proofs = args->of[SGT_OPT('p')],
                          .wait_s = 2};
    if (wait != NULL && !sgt_number_read(wait, 3600, &out->wait_s))
        return false;
    if (sgt_args_is(args, "set") && (out->file != NULL) == (out->root != NULL))
        return sgt_refuse("list set: expected --file FILE or --root HEX, one of them"), false;
    if (out->proofs != NULL && out->file == NULL)
        return sgt_refuse("list set: --proofs needs --file: a root has no accounts"), false;
    if (sgt_args_is(args, "proof") || args->count == 0)
        return true;
    size_t len = strlen(args->words[0]);
    if (len > 0 && len <= NAME_MAX_BYTES)
        return true;
    return sgt_refuse("a list's name has 1 to %d bytes", NAME_MAX_BYTES), false;
}

int sgt_list_main(const struct sg_config *config, bool json, int argc, char **argv)
{
    struct sgt_args args;
    struct asked asked;
    int status = sgt_args_read(&syntax, argc, argv, &args);
    if (status != SGT_DONE || !asked_read(&args, &asked))
        return SGT_USAGE;
    const char *name = args.count > 0 ? args.words[0] : NULL;
    if (sgt_args_is(&args, "set"))
        return set(config, &asked, name, json);
    if (sgt_args_is(&args, "remove"))
        return remove_list(config, &asked, name, json);
    if (sgt_args_is(&args, "show"))
        return show(config, &asked, name, json);
    return proof(args.words[0], args.words[1], json);
}
