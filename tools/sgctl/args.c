#include "tools/sgctl/args.h"

#include "base/assert.h"
#include "edgecache/state/facts.h"
#include "tools/sgctl/factmake.h"

#include <ctype.h>
#include <stdio.h>

#define LIST_BYTES 512
#define SHOWN      "%.100s" /* of a word that may be of any length */

/* ---- the line ---- */

/* " --a, --b": those among `letters`; NULL: all. */
static void options_list(const struct option *options, const char *letters, char out[LIST_BYTES])
{
    struct sg_out list = sg_out_init(out, LIST_BYTES - 1);
    for (const struct option *o = options; o->name != NULL; o++)
        if (letters == NULL || strchr(letters, o->val) != NULL)
            sg_out_fmt(&list, "%s --%s", list.len != 0 ? "," : "", o->name);
    out[list.len] = '\0';
}

int sgt_option_next(const char *command, int argc, char **argv, const struct option *options)
{
    char known[LIST_BYTES];
    opterr = 0;
    int c = getopt_long(argc, argv, ":", options, NULL);
    if (c != ':' && c != '?')
        return c;
    const char *word = argv[optind - 1];
    options_list(options, NULL, known);
    if (c == ':')
        sgt_refuse("%s: " SHOWN " needs a value after it", command, word);
    else if (optopt != 0 && strchr(word, '=') != NULL)
        sgt_refuse("%s: " SHOWN ": that option takes no value", command, word);
    else
        sgt_refuse("%s: there is no option " SHOWN "; it takes%s", command, word,
                   known[0] != '\0' ? known : " none");
    return '?';
}

static void verbs_list(const struct sgt_syntax *syntax, char out[LIST_BYTES])
{
    struct sg_out list = sg_out_init(out, LIST_BYTES - 1);
    for (size_t i = 0; i < syntax->verbs_count; i++)
        sg_out_fmt(&list, "%s%s",
                   i == 0                         ? ""
                   : i + 1 == syntax->verbs_count ? " or "
                                                  : ", ",
                   syntax->verbs[i].name);
    out[list.len] = '\0';
}

static const struct sgt_verb *verb_find(const struct sgt_syntax *syntax, const char *command,
                                        const char *word)
{
    char known[LIST_BYTES];
    if (syntax->verbs[0].name == NULL)
        return &syntax->verbs[0];
    for (size_t i = 0; word != NULL && i < syntax->verbs_count; i++)
        if (strcmp(syntax->verbs[i].name, word) == 0)
            return &syntax->verbs[i];
    verbs_list(syntax, known);
    if (word == NULL)
        sgt_refuse("%s: what? %s", command, known);
    else
        sgt_refuse("%s: " SHOWN ": expected %s", command, word, known);
    return NULL;
}

/* Only options that the verb knows, and as many words as it takes. */
static bool verb_fits(const struct sgt_syntax *syntax, const char *command,
                      const struct sgt_args *args)
{
    char known[LIST_BYTES];
    const struct sgt_verb *verb = args->verb;
    const char *space = verb->name != NULL ? " " : "", *name = verb->name != NULL ? verb->name : "";
    options_list(syntax->options, verb->options, known);
    for (const struct option *o = syntax->options; o->name != NULL; o++)
        if (args->of[SGT_OPT(o->val)] != NULL && strchr(verb->options, o->val) == NULL) {
            sgt_refuse("%s%s%s: --%s is not for that; it takes%s", command, space, name, o->name,
                       known[0] != '\0' ? known : " no options");
            return false;
        }
    if (args->count >= verb->min && args->count <= verb->max)
        return true;
    if (verb->max == 0)
        sgt_refuse("%s%s%s takes nothing more: " SHOWN "%s", command, space, name, args->words[0],
                   args->words[0][0] == '-' ? "; options of sgctl itself stand before it" : "");
    else
        sgt_refuse("%s%s%s takes %s: %d given", command, space, name, verb->words, args->count);
    return false;
}

int sgt_args_read(const struct sgt_syntax *syntax, int argc, char **argv, struct sgt_args *out)
{
    SG_ASSERT(argc > 0 && syntax->verbs_count > 0);
    const char *command = argv[0];
    *out = (struct sgt_args){.count = 0};
    optind = 0; /* begins anew */
    for (int c; (c = sgt_option_next(command, argc, argv, syntax->options)) != -1;) {
        if (c == '?')
            return SGT_USAGE;
        SG_ASSERT(c >= 'a' && c <= 'z');
        out->of[SGT_OPT(c)] = optarg != NULL ? optarg : "";
    }
    out->verb = verb_find(syntax, command, optind < argc ? argv[optind] : NULL);
    if (out->verb == NULL)
        return SGT_USAGE;
    optind += out->verb->name != NULL;
    out->words = argv + optind;
    out->count = argc - optind;
    return verb_fits(syntax, command, out) ? SGT_DONE : SGT_USAGE;
}

int sgt_no_words(int argc, char **argv)
{
    static const struct option none[] = {{NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {{NULL, "", 0, 0, ""}};
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), none};
    struct sgt_args args;
    return sgt_args_read(&syntax, argc, argv, &args);
}

bool sgt_args_is(const struct sgt_args *args, const char *verb)
{
    return args->verb->name != NULL && strcmp(args->verb->name, verb) == 0;
}

/* ---- words ---- */

bool sgt_number_read(const char *text, uint64_t max, uint64_t *out)
{
    if (sg_str_to_u64(sg_str_from(text), out) && *out <= max)
        return true;
    sgt_refuse(SHOWN ": a number up to %llu was expected", text, (unsigned long long)max);
    return false;
}

bool sgt_chain_read(const char *text)
{
    struct sg_caip_chain chain;
    if (sg_caip_chain_read(sg_str_from(text), &chain))
        return true;
    sgt_refuse(SHOWN ": expected a chain, such as eip155:1 or "
                     "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
               text);
    return false;
}

/* The text with its EVM address, wherever it stands, in small letters: "" where there is none. */
static void address_small(const char *text, char *out, size_t cap)
{
    const char *address = strstr(text, ":0x");
    size_t len = strlen(text);
    out[0] = '\0';
    if (address == NULL || len >= cap)
        return;
    memcpy(out, text, len + 1);
    for (char *c = out + (address - text); *c != '\0' && *c != '/'; c++)
        *c = (char)tolower((unsigned char)*c);
}

#define CHECKSUM                                                                                   \
    "its capitals are no EIP-55 checksum: a digit is mistyped, or it should be all in small "      \
    "letters"

bool sgt_account_read(const char *text, struct sg_caip_account *out)
{
    char small[200];
    if (sg_caip_account_read(sg_str_from(text), out))
        return true;
    address_small(text, small, sizeof(small));
    if (sg_caip_account_read(sg_str_from(small), out))
        sgt_refuse("%s: " CHECKSUM, text);
    else if (strncmp(text, "0x", 2) == 0)
        sgt_refuse(SHOWN ": on which chain? expected such as eip155:1:0x followed by 40 "
                         "hexadecimal digits",
                   text);
    else
        sgt_refuse(SHOWN ": expected an account, such as "
                         "eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed or "
                         "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:ADDRESS",
                   text);
    return false;
}

bool sgt_asset_read(const char *text, struct sg_caip_asset *out)
{
    char small[300];
    if (sg_caip_asset_read(sg_str_from(text), out)) {
        if (out->has_id || out->chain.ns == SG_CAIP_SOLANA)
            return true;
        sgt_refuse("%s: which token of it? Such as %s/42", text, text);
        return false;
    }
    address_small(text, small, sizeof(small));
    if (sg_caip_asset_read(sg_str_from(small), out))
        sgt_refuse("%s: " CHECKSUM, text);
    else
        sgt_refuse(SHOWN ": expected an asset, such as "
                         "eip155:1/erc721:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed/42, "
                         "eip155:1/erc1155:0xCONTRACT/1 or "
                         "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/nft:MINT",
                   text);
    return false;
}

bool sgt_fact_read(const char *name, struct sgt_fact *out)
{
    uint8_t key[8];
    struct sge_fact_id id;
    *out = (struct sgt_fact){.name = name};
    if (strncmp(name, "0x", 2) == 0 && sgt_hex_read(name + 2, key, sizeof(key))) {
        memcpy(&out->key, key, sizeof(key));
        out->key = __builtin_bswap64(out->key);
        return true;
    }
    if (!sgt_asset_read(name, &out->asset))
        return false;
    if (sgt_is_balance(&out->asset)) {
        sgt_refuse("%s has no one owner but balances: say --amount N to set one, --of ACCOUNT to "
                   "show it, and its key where a fact is named",
                   name);
        return false;
    }
    sge_fact_owner(&out->asset, &id);
    out->key = id.key;
    out->named = true;
    return true;
}

bool sgt_owner_of_chain(const char *account, const struct sg_caip_chain *chain, uint8_t out[32])
{
    char memory[256];
    struct sg_caip_account known;
    struct sg_out right = sg_out_init(memory, sizeof(memory));
    if (!sgt_account_read(account, &known))
        return false;
    if (chain != NULL && !sg_caip_chain_eq(&known.chain, chain)) {
        if (known.chain.ns == chain->ns) {
            known.chain = *chain;
            sg_caip_account_put(&right, &known);
        } else {
            sg_caip_chain_put(&right, chain);
            sg_out_lit(&right, ":ADDRESS");
        }
        sgt_refuse("%s is an account of another chain: expected such as %.*s", account,
                   (int)right.len, right.ptr);
        return false;
    }
    sg_caip_account_id(&known, out);
    return true;
}

bool sgt_owner_read(const char *account, const struct sgt_fact *fact, uint8_t out[32])
{
    if (strcmp(account, "nobody") != 0)
        return sgt_owner_of_chain(account, fact->named ? &fact->asset.chain : NULL, out);
    memset(out, 0, 32);
    return true;
}
