#include "tools/sgctl/args.h"
#include "tools/sgctl/commands.h"

#include <stdio.h>
#include <string.h>

#define TARGET_BYTES 512

const char sgt_chain_usage[] =
    "sgctl chain [status]\n"
    "    Each chain that is followed: its head, what is safe, reorgs, contracts, how far history "
    "is\n"
    "    read, and every server with its errors.\n"
    "sgctl chain rebuild CHAIN\n"
    "    Forgets what is known of CHAIN, such as eip155:1, and reads it anew: nobody owns anything "
    "of\n"
    "    it until that is done.\n";

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "-";
}

static long long number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void print_server(const json_t *server)
{
    const char *name;
    json_t *count;
    printf("  server   %s: head %lld, %.1f ms, asked %lld", text(server, "name"),
           number(server, "head"), (double)number(server, "took_us") / 1000,
           number(server, "asked"));
    json_object_foreach(json_object_get(server, "ends"), name, count)
    {
        if (strcmp(name, "ok") != 0)
            printf(", %s %lld", name, (long long)json_integer_value(count));
    }
    if (!json_is_true(json_object_get(server, "in_use")))
        printf("  <- left out for %.1f s", (double)number(server, "left_out_ms") / 1000);
    putchar('\n');
}

/* Of what is subscribed to: at once, or as far as there is room and servers take it. */
static void print_hearing(const json_t *hearing)
{
    long long missing =
        number(hearing, "asked") - number(hearing, "taken") + number(hearing, "polled");
    if (json_is_true(json_object_get(hearing, "up")) && missing == 0)
        printf("  hears    of news at once");
    else if (number(hearing, "taken") != 0)
        printf("  hears    of some: %lld of %lld are polled", missing,
               number(hearing, "asked") + number(hearing, "polled"));
    else
        printf("  hears    nothing: it polls");
    printf(", %lld notices, %lld failures\n", number(hearing, "notices"),
           number(hearing, "failures"));
}

static void print_chain(const json_t *chain)
{
    size_t i;
    json_t *server;
    const json_t *contracts = json_object_get(chain, "contracts");
    const json_t *reorgs = json_object_get(chain, "reorgs");
    const json_t *counts = json_object_get(chain, "counts");
    const json_t *hearing = json_object_get(chain, "subscription");
    printf("%s  %s", text(chain, "chain"), text(chain, "state"));
    if (json_is_string(json_object_get(chain, "why")))
        printf(": %s", text(chain, "why"));
    printf("\n  head     %lld of %lld (%lld behind), safe %lld\n", number(chain, "head"),
           number(chain, "latest"), number(chain, "lag_blocks"), number(chain, "safe"));
    printf("  heard    %s, head made %s\n", text(chain, "heard"), text(chain, "head_time"));
    printf("  reorgs   %lld, the last of %lld blocks, the deepest of %lld\n",
           number(reorgs, "count"), number(reorgs, "depth"), number(reorgs, "depth_max"));
    printf("  followed %lld of %lld contracts", number(contracts, "joined"),
           number(contracts, "all"));
    if (number(contracts, "refused") != 0)
        printf(", %lld refused", number(contracts, "refused"));
    if (json_object_get(contracts, "read_to") != NULL)
        printf(", the history of the last one is read to block %lld of %lld",
               number(contracts, "read_to"), number(chain, "safe"));
    printf("\n  errors   %lld of %lld looks, %lld without a quorum\n",
           number(counts, "turns_failed"), number(counts, "turns"), number(chain, "no_quorum"));
    if (hearing != NULL)
        print_hearing(hearing);
    json_array_foreach(json_object_get(chain, "servers"), i, server)
    {
        print_server(server);
    }
}

static int status(const struct sgt_call *call)
{
    size_t i;
    json_t *answer = NULL, *chain;
    int code = sgt_ask(call, false, "/v1/chains", &answer);
    if (code == SGT_DONE && !call->json) {
        json_array_foreach(json_object_get(answer, "chains"), i, chain)
        {
            print_chain(chain);
        }
        if (json_array_size(json_object_get(answer, "chains")) == 0)
            puts("no chain is followed here");
    }
    json_decref(answer);
    return code;
}

static int rebuild(const struct sgt_call *call, const char *chain)
{
    char target[TARGET_BYTES] = "/v1/chains/rebuild";
    json_t *answer = NULL;
    sgt_call_param(target, sizeof(target), "chain", chain);
    int code = sgt_ask(call, true, target, &answer);
    if (code == SGT_DONE && !call->json)
        printf("%s is forgotten and read anew: nobody owns anything of it until that is done\n",
               chain);
    json_decref(answer);
    return code;
}

int sgt_chain_main(const struct sgt_call *call, int argc, char **argv)
{
    static const struct option none[] = {{NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {
        {"status", "", 0, 0, ""},
        {"rebuild", "CHAIN", 1, 1, ""},
    };
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), none};
    struct sgt_args args;
    if (argc == 1)
        return status(call);
    int code = sgt_args_read(&syntax, argc, argv, &args);
    if (code != SGT_DONE || sgt_args_is(&args, "status"))
        return code == SGT_DONE ? status(call) : code;
    return sgt_chain_read(args.words[0]) ? rebuild(call, args.words[0]) : SGT_USAGE;
}
