#include "tools/streamgated/options.h"

#include "base/config_doc.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

static const char help[] =
    "streamgated [--config FILE] [--trust KEY] [--check] [--role all|edge|control]\n"
    "Serves viewers as the configuration says. See streamgated(8) and docs/operations.md.\n"
    "\n"
    "  -c, --config FILE  the configuration (/etc/streamgate/streamgate.yaml)\n"
    "  -k, --trust KEY    take only configurations that this public key (PEM, Ed25519) signed,\n"
    "                     in FILE.sig; also in $STREAMGATE_TRUST\n"
    "  -t, --check        say what is wrong with it, and end: 0 nothing, 1 something\n"
    "  -r, --role ROLE    all (default): both planes in this process; edge: serves viewers, fed "
    "over\n"
    "                     the bus; control: feeds edges, serves nobody\n"
    "      --config-doc   print docs/configuration.md, from the schema\n"
    "  -V, --version      print the version\n"
    "  -h, --help         print this\n"
    "\n"
    "SIGTERM drains, SIGHUP reads the configuration again, SIGUSR2 starts the program file anew,\n"
    "which takes over the listeners while this process drains.\n";

static int role_parse(const char *word, enum sgc_role *out)
{
    if (strcmp(word, "all") == 0)
        *out = SGC_ROLE_ALL;
    else if (strcmp(word, "edge") == 0)
        *out = SGC_ROLE_EDGE;
    else if (strcmp(word, "control") == 0)
        *out = SGC_ROLE_CONTROL;
    else
        return EXIT_USAGE;
    return -1;
}

static int option_apply(int option, struct sgt_options *out)
{
    switch (option) {
    case 'c':
        out->config = optarg;
        return -1;
    case 'k':
        out->trust = optarg;
        return -1;
    case 't':
        out->check = true;
        return -1;
    case 'r':
        if (role_parse(optarg, &out->role) == -1)
            return -1;
        fprintf(stderr, "streamgated: --role %s: right would be all, edge or control\n", optarg);
        return EXIT_USAGE;
    case 'V':
        printf("streamgated %s\n", SG_VERSION);
        return 0;
    case 'd':
        sg_conf_doc_write(stdout);
        return 0;
    case 'h':
        fputs(help, stdout);
        return 0;
    default:
        return EXIT_USAGE;
    }
}

int sgt_options_parse(int argc, char **argv, struct sgt_options *out)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"trust", required_argument, NULL, 'k'},
        {"check", no_argument, NULL, 't'},        {"role", required_argument, NULL, 'r'},
        {"version", no_argument, NULL, 'V'},      {"help", no_argument, NULL, 'h'},
        {"config-doc", no_argument, NULL, 'd'},   {NULL, 0, NULL, 0},
    };
    *out = (struct sgt_options){.config = "/etc/streamgate/streamgate.yaml",
                                .trust = getenv("STREAMGATE_TRUST")};
    for (int option; (option = getopt_long(argc, argv, "c:k:tr:Vh", options, NULL)) != -1;) {
        int status = option_apply(option, out);
        if (status >= 0)
            return status;
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "streamgated: \"%s\" is no option; see streamgated --help\n", argv[optind]);
    return EXIT_USAGE;
}
