#include "tools/sgctl/own.h"

#include "base/clock.h"
#include "tools/sgctl/access.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char sgt_own_usage[] =
    "sgctl own set FACT OWNER [--block N] [--head-only]\n"
    "    OWNER (an account, or nobody) owns FACT, at head and at safe; --head-only: a transfer "
    "that is\n"
    "    not safe yet, so tokens are refused and none is minted.\n"
    "sgctl own transfer FACT FROM TO [--block N] [--head-only]\n"
    "    The same, only if FROM owns it at head now.\n"
    "sgctl own show FACT\n"
    "sgctl own feed [--every SECONDS]\n"
    "    Says that all facts are known up to now; every so many seconds until it is ended. Each "
    "set\n"
    "    and transfer says so too. Tokens with facts are refused when nobody said it for longer "
    "than\n"
    "    the tenant's stale_limit_s.\n"
    "FACT is any text, such as eip155:1/erc721:0xabc/42, or a key as 0x and 16 hex digits.\n";

struct options {
    uint64_t block, every_s;
    bool head_only;
};

static bool options_read(int argc, char **argv, struct options *out)
{
    static const struct option longs[] = {{"block", required_argument, NULL, 'b'},
                                          {"head-only", no_argument, NULL, 'h'},
                                          {"every", required_argument, NULL, 'e'},
                                          {NULL, 0, NULL, 0}};
    bool good = true;
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'b')
            good = sg_str_to_u64(sg_str_from(optarg), &out->block) && good;
        else if (c == 'e')
            good = sg_str_to_u64(sg_str_from(optarg), &out->every_s) && good;
        else if (c == 'h')
            out->head_only = true;
        else
            good = false;
    }
    return good;
}

static uint64_t now_ns(void)
{
    return sg_clock_wall_ns();
}

static json_t *fact_json(const char *name, const struct sge_fact *fact)
{
    uint64_t key = __builtin_bswap64(sgt_fact_key(name));
    return json_pack("{s:s, s:o, s:I, s:I, s:o, s:o, s:b, s:o}", "fact", name, "key",
                     sgt_hex_json(&key, sizeof(key)), "generation", (json_int_t)fact->generation,
                     "block", (json_int_t)fact->block, "owner_head",
                     sgt_hex_json(fact->owner_head, 32), "owner_safe",
                     sgt_hex_json(fact->owner_safe, 32), "safe",
                     memcmp(fact->owner_head, fact->owner_safe, 32) == 0, "changed",
                     sgt_time_json(fact->changed_ns / SG_NS_PER_SEC));
}

/* SG_ENOENT is left to the caller to tell. */
static enum sg_err fact_get(struct sge_state *state, const char *name, struct sge_fact *out)
{
    struct sge_state_reader *reader = sgt_reader_open(state);
    if (reader == NULL)
        return SG_EIO;
    enum sg_err err = sge_state_fact(reader, sgt_fact_key(name), out);
    sgt_reader_close(reader);
    return err;
}

static int show(struct sge_state *state, const char *name, bool json)
{
    struct sge_fact fact;
    enum sg_err err = fact_get(state, name, &fact);
    if (err == SG_ENOENT)
        return sgt_refuse("nothing is known of %s", name);
    if (err != SG_OK)
        return sgt_refuse("%s: %s", name, sg_err_text(err));
    sgt_print(fact_json(name, &fact), json);
    return SGT_DONE;
}

static int set(struct sge_state *state, const char *name, const char *owner,
               const struct options *options, bool json)
{
    struct sge_fact before = {0};
    uint8_t head[32], safe[32];
    uint64_t generation;
    sgt_owner_hash(owner, head);
    memcpy(safe, head, sizeof(safe));
    enum sg_err err = fact_get(state, name, &before);
    if (options->head_only)
        memcpy(safe, before.owner_safe, sizeof(safe));
    if (err == SG_OK || err == SG_ENOENT)
        err = sge_state_fact_set(state, sgt_fact_key(name), head, safe,
                                 options->block != 0 ? options->block : before.block, &generation);
    if (err == SG_OK)
        err = sge_state_heartbeat(state, now_ns());
    if (err != SG_OK)
        return sgt_refuse("%s: %s", name, sg_err_text(err));
    return show(state, name, json);
}

/* Two at the same time are told apart by the state's one writer only after the fact: by hand, that
 * is soon enough. */
static int transfer(struct sge_state *state, char **argv, const struct options *options, bool json)
{
    struct sge_fact fact;
    uint8_t from[32];
    enum sg_err err = fact_get(state, argv[0], &fact);
    if (err != SG_OK)
        return err == SG_ENOENT ? sgt_refuse("nothing is known of %s", argv[0])
                                : sgt_refuse("%s: %s", argv[0], sg_err_text(err));
    sgt_owner_hash(argv[1], from);
    if (memcmp(from, fact.owner_head, sizeof(from)) != 0)
        return sgt_refuse("%s is not %s's to give", argv[0], argv[1]);
    return set(state, argv[0], argv[2], options, json);
}

static int feed(struct sge_state *state, uint64_t every_s)
{
    do {
        enum sg_err err = sge_state_heartbeat(state, now_ns());
        if (err != SG_OK)
            return sgt_refuse("%s", sg_err_text(err));
    } while (every_s > 0 && nanosleep(&(struct timespec){.tv_sec = (time_t)every_s}, NULL) == 0);
    return SGT_DONE;
}

static int run(struct sge_state *state, const char *verb, int argc, char **argv,
               const struct options *options, bool json)
{
    if (strcmp(verb, "set") == 0 && argc == 2)
        return set(state, argv[0], argv[1], options, json);
    if (strcmp(verb, "transfer") == 0 && argc == 3)
        return transfer(state, argv, options, json);
    if (strcmp(verb, "show") == 0 && argc == 1)
        return show(state, argv[0], json);
    if (strcmp(verb, "feed") == 0 && argc == 0)
        return feed(state, options->every_s);
    fputs(sgt_own_usage, stderr);
    return SGT_USAGE;
}

int sgt_own_main(const struct sg_config *config, bool json, int argc, char **argv)
{
    struct options options = {.block = 0};
    if (argc < 2 || !options_read(argc - 1, argv + 1, &options)) {
        fputs(sgt_own_usage, stderr);
        return SGT_USAGE;
    }
    struct sge_state *state = sgt_state_open(config);
    if (state == NULL)
        return SGT_REFUSED;
    int status = run(state, argv[1], argc - 1 - optind, argv + 1 + optind, &options, json);
    sge_state_close(state);
    return status;
}
