#include "base/assert.h"
#include "tools/sgctl/args.h"
#include "tools/sgctl/commands.h"

#include <stdio.h>

#define TARGET_BYTES 8000
#define NO_SITE      0xffff /* in a record */

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "-";
}

static long long number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static void dump(const json_t *answer)
{
    json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
}

int sgt_ask(const struct sgt_call *call, bool post, const char *target, json_t **out)
{
    json_t *answer = NULL;
    int status = sgt_call_ask(call, post, target, &answer);
    if (answer != NULL && call->json)
        dump(answer);
    else if (answer != NULL && status != SGT_DONE)
        sgt_call_complain(answer);
    if (status == SGT_DONE)
        *out = answer;
    else
        json_decref(answer);
    return status;
}

/* ---- status ---- */

static void print_size(const char *name, long long bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    printf("%-14s %.*f %s\n", name, unit == 0 || value >= 100 ? 0 : 1, value, units[unit]);
}

static void print_status(const json_t *s)
{
    size_t i, c;
    json_t *item, *cert;
    const json_t *counters = json_object_get(s, "counters");
    printf("%-14s %s, region %s, pop %s\n", "node", text(s, "node"), text(s, "region"),
           text(s, "pop"));
    printf("%-14s %s, version %s, process %lld, since %s\n", "state", text(s, "state"),
           text(s, "version"), number(s, "pid"), text(s, "started"));
    printf("%-14s %s, number %lld, since %s\n", "configuration", text(s, "config_file"),
           number(s, "config_serial"), text(s, "config_loaded"));
    printf("%-14s %lld of %lld running\n", "workers", number(s, "workers_running"),
           number(s, "workers"));
    json_array_foreach(json_object_get(s, "paths"), i, item)
        printf("%-14s %s%s%s\n", text(item, "what"), text(item, "used"),
               is_true(item, "fallback") ? "  <- fallback: " : "",
               is_true(item, "fallback") ? text(item, "why") : "");
    json_array_foreach(json_object_get(s, "listeners"), i, item)
    {
        printf("%-14s %s, %s, %lld connections%s\n", "listener", text(item, "address"),
               is_true(item, "tls") ? "TLS" : "plain", number(item, "connections"),
               is_true(item, "removed") ? ", removed: served to their end" : "");
        json_array_foreach(json_object_get(item, "certificates"), c, cert)
            printf("%-14s   %s (%s%s) until %s\n", "", text(cert, "subject"), text(cert, "kind"),
                   is_true(cert, "stapled") ? ", stapled" : "", text(cert, "not_after"));
    }
    printf("%-14s %s\n", "ownership feed", text(s, "ownership_feed"));
    print_size("RAM tier", number(s, "ram_bytes"));
    print_size("  in use", number(counters, "arena_used_bytes"));
    if (number(s, "disk_bytes") != 0)
        print_size("disk tier", number(s, "disk_bytes"));
    printf("%-14s %lld open, %lld accepted\n", "connections", number(counters, "connections_open"),
           number(counters, "connections_accepted"));
    printf("%-14s %lld, %lld of them hits\n", "requests", number(counters, "requests"),
           number(counters, "cache_hits"));
}

int sgt_status_main(const struct sgt_call *call, int argc, char **argv)
{
    json_t *answer = NULL;
    int status = sgt_no_words(argc, argv);
    if (status == SGT_DONE)
        status = sgt_ask(call, false, "/v1/status", &answer);
    if (status == SGT_DONE && !call->json)
        print_status(answer);
    json_decref(answer);
    return status;
}

/* ---- origins ---- */

int sgt_origins_main(const struct sgt_call *call, int argc, char **argv)
{
    json_t *answer = NULL, *origin, *url;
    size_t i, u;
    int status = sgt_no_words(argc, argv);
    if (status == SGT_DONE)
        status = sgt_ask(call, false, "/v1/origins", &answer);
    if (status == SGT_DONE && !call->json) {
        printf("%-16s %-5s %6s %9s %9s %9s  %s\n", "ORIGIN", "STATE", "WEIGHT", "FETCHES", "ERRORS",
               "HEAD ms", "URL");
        json_array_foreach(json_object_get(answer, "origins"), i, origin)
        {
            json_array_foreach(json_object_get(origin, "urls"), u, url) printf(
                "%-16s %-5s %6lld %9lld %9lld %9.1f  %s %s\n", text(origin, "name"),
                is_true(url, "up") ? "up" : "down", number(url, "weight"), number(url, "fetches"),
                number(url, "errors"), (double)number(url, "latency_us") / 1000, text(url, "url"),
                json_is_null(json_object_get(url, "last_error")) ? "" : text(url, "last_error"));
        }
    }
    json_decref(answer);
    return status;
}

/* ---- explain ---- */

static void explain_cache(const json_t *r)
{
    printf("cache    %s", text(r, "cache"));
    if (number(r, "age_s") != 0 || number(r, "ttl_s") != 0)
        printf(", %lld s old, %lld s to go", number(r, "age_s"), number(r, "ttl_s"));
    printf(", key %s\n", text(r, "key_hash"));
    if (number(r, "origin_us") != 0 || number(r, "origin_status") != 0)
        printf("origin   %lld after %.1f ms\n", number(r, "origin_status"),
               (double)number(r, "origin_us") / 1000);
    if (!json_is_null(json_object_get(r, "origin_error")))
        printf("origin   failed: %s\n", text(r, "origin_error"));
}

static void explain_gate(const json_t *r)
{
    bool signs_in = !json_is_null(json_object_get(r, "grant"));
    printf("%s  %s", signs_in ? "sign-in" : "gate   ", text(r, signs_in ? "grant" : "gate"));
    if (!json_is_null(json_object_get(r, "cti")))
        printf(", token %s%s%s", text(r, "cti"), signs_in ? "" : " in the ",
               signs_in ? "" : text(r, "carrier"));
    if (number(r, "fact_generation") != 0)
        printf(", by fact 0x%s at generation %lld", text(r, "fact_key"),
               number(r, "fact_generation"));
    if (number(r, "rule_version") != 0)
        printf(", rule version %lld", number(r, "rule_version"));
    putchar('\n');
    if (json_object_get(r, "why") != NULL)
        printf("         by %s\n", text(r, "why"));
}

static void explain_fact(const json_t *fact)
{
    if (fact == NULL)
        return;
    printf("fact     %s block %lld, log %lld, now at generation %lld%s%s\n", text(fact, "chain"),
           number(fact, "block"), number(fact, "log"), number(fact, "generation"),
           is_true(fact, "same") ? "" : ": changed since",
           is_true(fact, "followed") ? "" : ": nobody follows what it belongs to any more");
}

static void explain_site(const json_t *answer, const json_t *r)
{
    const json_t *rule = json_object_get(answer, "rule");
    if (json_is_string(json_object_get(r, "site")))
        printf("site     %s of tenant %s\n", text(r, "site"), text(r, "tenant"));
    else if (number(r, "site") == NO_SITE)
        puts("site     none");
    else
        printf("site     number %lld of configuration %lld, which is not the present one\n",
               number(r, "site"), number(r, "config_serial"));
    if (rule != NULL)
        printf("rule     access %s under %s, origin %s%s\n", text(rule, "access"),
               text(rule, "path"), text(rule, "origin"),
               is_true(rule, "cache") ? "" : ", no cache");
    if (number(r, "site") == NO_SITE) /* refused before anything was decided */
        return;
    explain_gate(r);
    explain_fact(json_object_get(answer, "fact"));
    explain_cache(r);
}

static void print_explanation(const json_t *answer)
{
    const json_t *r = json_object_get(answer, "request");
    printf("request  %s at %s\n", text(r, "id"), text(r, "time"));
    printf("         %s %s%s from %s, HTTP/%s%s%s\n", text(r, "method"), text(r, "host"),
           text(r, "path"), text(r, "client"), text(r, "http"),
           json_is_null(json_object_get(r, "tls")) ? "" : ", TLS ",
           json_is_null(json_object_get(r, "tls")) ? "" : text(r, "tls"));
    explain_site(answer, r);
    printf("answer   %lld, %lld bytes in %.1f ms, the first after %.1f ms\n", number(r, "status"),
           number(r, "sent_bytes"), (double)number(r, "duration_us") / 1000,
           (double)number(r, "first_byte_us") / 1000);
    printf("end      %s\n", text(answer, "end_text"));
    printf("path     %s, worker %lld, configuration %lld\n", text(r, "engine_path"),
           number(r, "worker"), number(r, "config_serial"));
}

int sgt_explain_main(const struct sgt_call *call, int argc, char **argv)
{
    char target[TARGET_BYTES] = "/v1/explain";
    static const struct option none[] = {{NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {
        {NULL, "a request's id, the X-Request-Id of its answer", 1, 1, ""}};
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), none};
    struct sgt_args args;
    json_t *answer = NULL;
    int status = sgt_args_read(&syntax, argc, argv, &args);
    if (status != SGT_DONE)
        return status;
    sgt_call_param(target, sizeof(target), "id", args.words[0]);
    status = sgt_ask(call, false, target, &answer);
    if (status == SGT_DONE && !call->json)
        print_explanation(answer);
    json_decref(answer);
    return status;
}

/* ---- purge ---- */

const char sgt_purge_usage[] =
    "sgctl purge [--soft] url URL\n"
    "sgctl purge [--soft] prefix URL\n"
    "sgctl purge [--soft] tag TAG [--tenant NAME]\n"
    "sgctl purge [--soft] tenant NAME\n"
    "    On disk and in force when it returns. --soft: kept as stale, and fetched anew.\n";

int sgt_purge_main(const struct sgt_call *call, int argc, char **argv)
{
    static const struct option options[] = {{"soft", no_argument, NULL, 's'},
                                            {"tenant", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {
        {"url", "URL", 1, 1, "s"},
        {"prefix", "URL", 1, 1, "s"},
        {"tag", "TAG", 1, 1, "st"},
        {"tenant", "NAME", 1, 1, "s"},
    };
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), options};
    struct sgt_args args;
    char target[TARGET_BYTES] = "/v1/purge";
    json_t *answer = NULL;
    int status = sgt_args_read(&syntax, argc, argv, &args);
    if (status != SGT_DONE)
        return status;
    bool whole_tenant = sgt_args_is(&args, "tenant");
    sgt_call_param(target, sizeof(target), "scope", args.verb->name);
    sgt_call_param(target, sizeof(target), "text", whole_tenant ? NULL : args.words[0]);
    sgt_call_param(target, sizeof(target), "tenant",
                   whole_tenant ? args.words[0] : args.of[SGT_OPT('t')]);
    sgt_call_param(target, sizeof(target), "soft", args.of[SGT_OPT('s')] != NULL ? "1" : NULL);
    status = sgt_ask(call, true, target, &answer);
    if (status == SGT_DONE && !call->json)
        printf("purge %lld is on disk and in force\n", number(answer, "seq"));
    json_decref(answer);
    return status;
}

/* ---- reload, drain ---- */

int sgt_reload_main(const struct sgt_call *call, int argc, char **argv)
{
    json_t *answer = NULL, *line;
    size_t i;
    int status = sgt_no_words(argc, argv);
    if (status == SGT_DONE)
        status = sgt_ask(call, true, "/v1/reload", &answer);
    if (status == SGT_DONE && !call->json) {
        json_array_foreach(json_object_get(answer, "report"), i, line)
            printf("%s\n", json_string_value(line));
        printf("configuration %lld is in force\n", number(answer, "config_serial"));
    }
    json_decref(answer);
    return status;
}

int sgt_drain_main(const struct sgt_call *call, int argc, char **argv)
{
    json_t *answer = NULL;
    int status = sgt_no_words(argc, argv);
    if (status == SGT_DONE)
        status = sgt_ask(call, true, "/v1/drain", &answer);
    if (status == SGT_DONE && !call->json)
        printf("the node drains\n");
    json_decref(answer);
    return status;
}
