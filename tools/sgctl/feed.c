#include "tools/sgctl/args.h"
#include "tools/sgctl/commands.h"

#include <stdio.h>

const char sgt_feed_usage[] =
    "sgctl feed [status]\n"
    "    What the ownership feed has brought to this node: the stream, how far it is known and "
    "read, a\n"
    "    copy that is being loaded; on a node that feeds others, how far each edge is.\n";

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "-";
}

static long long number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void print_edges(const json_t *feed)
{
    size_t i;
    json_t *edge;
    if (json_object_get(feed, "edges") == NULL)
        return;
    printf("\n%-24s %10s %8s %10s  %s\n", "EDGE", "SEQ", "BEHIND", "TOOK ms", "APPLIED");
    json_array_foreach(json_object_get(feed, "edges"), i, edge)
        printf("%-24s %10lld %8lld %10.1f  %s\n", text(edge, "edge"), number(edge, "seq"),
               number(feed, "known") - number(edge, "seq"), (double)number(edge, "took_us") / 1000,
               text(edge, "applied"));
}

static void print_feed(const json_t *feed)
{
    const json_t *publisher = json_object_get(feed, "publisher");
    if (!json_is_true(json_object_get(feed, "fed"))) {
        printf("no stream feeds this node: its state is written by hand\n");
        return;
    }
    printf("%-10s %s, %s, role %s\n", "bus", text(feed, "bus"),
           json_is_true(json_object_get(feed, "connected")) ? "connected" : "AWAY",
           text(feed, "role"));
    printf("%-10s %s %s\n", "stream", text(feed, "name"), text(feed, "stream"));
    printf("%-10s %s, entry %lld of %lld\n", "state", text(feed, "phase"), number(feed, "seq"),
           number(feed, "known"));
    printf("%-10s %s\n", "fed", text(feed, "fed_at"));
    printf("%-10s %lld loaded\n", "copies", number(feed, "copies"));
    if (json_is_string(json_object_get(feed, "trouble")))
        printf("%-10s %s\n", "trouble", text(feed, "trouble"));
    if (publisher != NULL)
        printf("%-10s %s, %lld entries\n", "publisher",
               json_is_true(json_object_get(publisher, "ready")) ? "ready"
                                                                 : text(publisher, "trouble"),
               number(publisher, "entries"));
    print_edges(feed);
}

int sgt_feed_main(const struct sgt_call *call, int argc, char **argv)
{
    static const struct option none[] = {{NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {{"status", "", 0, 0, ""}};
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), none};
    struct sgt_args args;
    json_t *answer = NULL;
    int status = argc == 1 ? SGT_DONE : sgt_args_read(&syntax, argc, argv, &args);
    if (status == SGT_DONE)
        status = sgt_ask(call, false, "/v1/feed", &answer);
    if (status == SGT_DONE && !call->json)
        print_feed(answer);
    json_decref(answer);
    return status;
}
