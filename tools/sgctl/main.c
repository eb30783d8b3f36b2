/* sgctl - the operator's tool: a table of commands. */
#include "base/secret.h"
#include "base/str.h"
#include "tools/sgctl/args.h"
#include "tools/sgctl/commands.h"
#include "tools/sgctl/confsign.h"
#include "tools/sgctl/grant.h"
#include "tools/sgctl/key.h"
#include "tools/sgctl/list.h"
#include "tools/sgctl/own.h"
#include "tools/sgctl/rule.h"
#include "tools/sgctl/token.h"

#include <stdio.h>

#define CONFIG "/etc/streamgate/streamgate.yaml"

static const struct command {
    const char *name;
    int (*run)(const struct sgt_call *call, int argc, char **argv);                  /* or */
    int (*access)(const struct sg_config *config, bool json, int argc, char **argv); /* this */
    const char *help;
    const char *usage; /* all that --help says; NULL: help is all */
} commands[] = {
    {"status", sgt_status_main, NULL, "what the node is, which paths it uses, its certificates",
     NULL},
    {"stat", sgt_stat_main, NULL, "every counter, once", NULL},
    {"top", sgt_top_main, NULL, "rates and the busiest paths: [--count N] [--interval SECONDS]",
     sgt_top_usage},
    {"log", sgt_log_main, NULL, "finished requests: [--follow] [--from-start] [--output FILE]",
     sgt_log_usage},
    {"explain", sgt_explain_main, NULL, "how a request was decided: its X-Request-Id", NULL},
    {"origins", sgt_origins_main, NULL, "each origin's URLs, whether they are up, and errors",
     NULL},
    {"feed", sgt_feed_main, NULL, "[status]: what is known of the chains here, and on which edges",
     sgt_feed_usage},
    {"chain", sgt_chain_main, NULL, "the chains that are followed: [status] | rebuild CHAIN",
     sgt_chain_usage},
    {"purge", sgt_purge_main, NULL,
     "[--soft] url URL | prefix URL | tag TAG [--tenant NAME] | tenant NAME", sgt_purge_usage},
    {"reload", sgt_reload_main, NULL,
     "read the configuration again, listeners too; a bad one changes nothing", NULL},
    {"drain", sgt_drain_main, NULL, "finish what is under way, then end", NULL},
    {"token", NULL, sgt_token_main, "mint, inspect or revoke edge tokens: sgctl token --help",
     sgt_token_usage},
    {"key", NULL, sgt_key_main,
     "a tenant's key for its back end; secrets made, sealed, unsealed: sgctl key --help",
     sgt_key_usage},
    {"grant", NULL, sgt_grant_main, "inspect or revoke wallets' grants: sgctl grant --help",
     sgt_grant_usage},
    {"list", NULL, sgt_list_main, "allow lists: set, remove, show, proofs: sgctl list --help",
     sgt_list_usage},
    {"own", NULL, sgt_own_main, "ownership facts, by hand: sgctl own --help", sgt_own_usage},
    {"rule", sgt_rule_main, NULL, "would a rule let an account in: sgctl rule --help",
     sgt_rule_usage},
    {"config", sgt_confsign_main, NULL, "sign configurations: sgctl config --help",
     sgt_confsign_usage},
};

static void print_help(FILE *to)
{
    fputs("sgctl [--config FILE] [--socket PATH] [--json] COMMAND ...\n\n", to);
    for (size_t i = 0; i < SG_COUNT(commands); i++)
        fprintf(to, "  %-8s  %s\n", commands[i].name, commands[i].help);
    fputs("\n"
          "  -c, --config FILE  the node's configuration (" CONFIG ")\n"
          "  -s, --socket PATH  the node's admin socket (from the configuration)\n"
          "  -j, --json         answers as JSON\n"
          "  -V, --version      print the version\n"
          "  -h, --help         print this\n"
          "\n"
          "Exit status: 0 done; 1 failed, or no was the answer; 2 the words are wrong, and nothing "
          "was\n"
          "done; 3 no node answers.\n",
          to);
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < SG_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* token and own work on the configuration and the state themselves. */
static int run_access(const struct command *command, const struct sgt_call *call, int argc,
                      char **argv)
{
    static char memory[65536];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    struct sg_config *config = NULL;
    enum sg_err err = sg_config_load(call->config, &report, &config);
    if (err != SG_OK) {
        fwrite(report.ptr, 1, report.len, stderr);
        return sgt_refuse("the configuration: %s", sg_err_text(err));
    }
    err = sg_secret_unlock(config->node.seal_key, &report);
    if (err != SG_OK) {
        fwrite(report.ptr, 1, report.len, stderr);
        sg_config_free(config);
        return SGT_REFUSED;
    }
    int status = command->access(config, call->json, argc, argv);
    sg_secret_rest();
    sg_config_free(config);
    return status;
}

/* --help stands wherever one happens to think of it: sgctl token mint --help. */
static bool help_asked(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* So does --json, which is taken out of the words. */
static int json_take(int argc, char **argv, bool *json)
{
    int kept = 0, at = 0;
    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (at > 0 && strcmp(argv[at], "--json") == 0)
            *json = true;
        else
            argv[kept++] = argv[at];
    }
    for (; at < argc; at++)
        argv[kept++] = argv[at];
    argv[kept] = NULL;
    return kept;
}

static int run_command(struct sgt_call *call, const char *socket, int argc, char **argv)
{
    const struct command *command = argc > 0 ? command_find(argv[0]) : NULL;
    if (command == NULL) {
        if (argc > 0)
            sgt_refuse("%.100s: there is no such command; sgctl --help lists them", argv[0]);
        else
            print_help(stderr);
        return SGT_USAGE;
    }
    if (help_asked(argc, argv)) {
        if (command->usage != NULL)
            fputs(command->usage, stdout);
        else
            printf("sgctl %s: %s\n", command->name, command->help);
        return SGT_DONE;
    }
    const char *name = command->name;
    int status = SGT_DONE;
    argc = json_take(argc, argv, &call->json);
    if (command->access == NULL && command->run != sgt_rule_main &&
        command->run != sgt_confsign_main) /* which work on files alone */
        status = sgt_call_find(call, socket);
    if (status == SGT_DONE)
        status = command->access != NULL ? run_access(command, call, argc, argv)
                                         : command->run(call, argc, argv);
    if (status == SGT_USAGE)
        fprintf(stderr, "sgctl %s --help tells what is right\n", name);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"socket", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},         {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct sgt_call call = {.config = CONFIG};
    const char *socket = NULL;
    for (int option; (option = getopt_long(argc, argv, "+c:s:jVh", options, NULL)) != -1;) {
        if (option == 'c') {
            call.config = optarg;
            call.config_named = true;
        } else if (option == 's') {
            socket = optarg;
        } else if (option == 'j') {
            call.json = true;
        } else if (option == 'V') {
            printf("sgctl %s\n", SG_VERSION);
            return SGT_DONE;
        } else {
            if (option == 'h')
                print_help(stdout);
            else
                fputs("sgctl --help tells what is right\n", stderr);
            return option == 'h' ? SGT_DONE : SGT_USAGE;
        }
    }
    return run_command(&call, socket, argc - optind, argv + optind);
}
