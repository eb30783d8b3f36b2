/* sgctl - the operator's tool: a table of commands. */
#include "base/secret.h"
#include "base/str.h"
#include "tools/sgctl/access.h"
#include "tools/sgctl/commands.h"
#include "tools/sgctl/confsign.h"
#include "tools/sgctl/grant.h"
#include "tools/sgctl/key.h"
#include "tools/sgctl/list.h"
#include "tools/sgctl/own.h"
#include "tools/sgctl/rule.h"
#include "tools/sgctl/token.h"

#include <getopt.h>
#include <stdio.h>

#define CONFIG "/etc/streamgate/streamgate.yaml"

static const struct command {
    const char *name;
    int (*run)(const struct sgt_call *call, int argc, char **argv);                  /* or */
    int (*access)(const struct sg_config *config, bool json, int argc, char **argv); /* this */
    const char *help;
} commands[] = {
    {"status", sgt_status_main, NULL, "what the node is, which paths it uses, its certificates"},
    {"stat", sgt_stat_main, NULL, "every counter, once"},
    {"top", sgt_top_main, NULL, "rates and the busiest paths: [--count N] [--interval SECONDS]"},
    {"log", sgt_log_main, NULL, "finished requests: [--follow] [--from-start] [--output FILE]"},
    {"explain", sgt_explain_main, NULL, "how a request was decided: its X-Request-Id"},
    {"origins", sgt_origins_main, NULL, "each origin's URLs, whether they are up, and errors"},
    {"feed", sgt_feed_main, NULL, "status: what is known of the chains here, and on which edges"},
    {"chain", sgt_chain_main, NULL, "the chains that are followed: [status] | rebuild CHAIN"},
    {"purge", sgt_purge_main, NULL,
     "[--soft] url URL | prefix URL | tag TAG [--tenant NAME] | tenant NAME"},
    {"reload", sgt_reload_main, NULL,
     "read the configuration again, listeners too; a bad one changes nothing"},
    {"drain", sgt_drain_main, NULL, "finish what is under way, then end"},
    {"token", NULL, sgt_token_main, "mint, inspect or revoke edge tokens: sgctl token --help"},
    {"key", NULL, sgt_key_main,
     "a tenant's key for its back end; secrets made, sealed, unsealed: sgctl key --help"},
    {"grant", NULL, sgt_grant_main, "inspect or revoke wallets' grants: sgctl grant --help"},
    {"list", NULL, sgt_list_main, "allow lists: set, remove, show, proofs: sgctl list --help"},
    {"own", NULL, sgt_own_main, "ownership facts, by hand: sgctl own --help"},
    {"rule", sgt_rule_main, NULL, "would a rule let an account in: sgctl rule --help"},
    {"config", sgt_confsign_main, NULL, "sign configurations: sgctl config --help"},
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
          "Exit status: 0 done, 1 failed or refused, 2 wrong use, 3 no node answers.\n",
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
    bool helps = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (helps) {
        fputs(command->access == sgt_own_main     ? sgt_own_usage
              : command->access == sgt_grant_main ? sgt_grant_usage
              : command->access == sgt_key_main   ? sgt_key_usage
              : command->access == sgt_list_main  ? sgt_list_usage
                                                  : sgt_token_usage,
              stdout);
        return SGT_DONE;
    }
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
    sg_config_free(config);
    return status;
}

static int run_command(struct sgt_call *call, const char *socket, int argc, char **argv)
{
    const struct command *command = argc > 0 ? command_find(argv[0]) : NULL;
    if (command == NULL) {
        if (argc > 0)
            sgt_refuse("\"%s\" is no command", argv[0]);
        print_help(stderr);
        return SGT_USAGE;
    }
    if (command->access != NULL)
        return run_access(command, call, argc, argv);
    if (command->run == sgt_rule_main || command->run == sgt_confsign_main)
        return command->run(call, argc, argv); /* on files alone */
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        printf("sgctl %s: %s\n", command->name, command->help);
        return SGT_DONE;
    }
    sgt_call_find(call, socket);
    return command->run(call, argc, argv);
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
        } else if (option == 's') {
            socket = optarg;
        } else if (option == 'j') {
            call.json = true;
        } else if (option == 'V') {
            printf("sgctl %s\n", SG_VERSION);
            return SGT_DONE;
        } else {
            print_help(option == 'h' ? stdout : stderr);
            return option == 'h' ? SGT_DONE : SGT_USAGE;
        }
    }
    return run_command(&call, socket, argc - optind, argv + optind);
}
