/* args - a command line, held against a table of what is right, and its words read as what they
 * mean. What is wrong is said on standard error in one line, with what would be right. */
#ifndef SGT_ARGS_H
#define SGT_ARGS_H

#include "base/caip.h"
#include "tools/sgctl/access.h"

#include <getopt.h>

/* One thing that a command does. */
struct sgt_verb {
    const char *name;    /* NULL, in a table of one: the command has no verbs */
    const char *words;   /* what follows, as people read it: "FACT OWNER" */
    int min, max;        /* how many that are */
    const char *options; /* which of the command's it takes: their letters */
};

struct sgt_syntax {
    const struct sgt_verb *verbs;
    size_t verbs_count;
    const struct option *options; /* getopt's; each `val` is a small letter of its own */
};

struct sgt_args {
    const struct sgt_verb *verb;
    const char *of[26]; /* an option's word, by SGT_OPT(letter); "" where it takes none */
    int count;
    char **words; /* those that follow the verb */
};
#define SGT_OPT(letter) ((letter) - 'a')

/* argv[0] is the command's name. Options may stand anywhere after it; of one that comes twice the
 * last one counts. SGT_DONE and *out, or SGT_USAGE. */
int sgt_args_read(const struct sgt_syntax *syntax, int argc, char **argv, struct sgt_args *out);
/* Of a command that is no more than its name. */
int sgt_no_words(int argc, char **argv);
bool sgt_args_is(const struct sgt_args *args, const char *verb);
/* getopt_long(), which says what is wrong in our words: `command`'s. -1 at the end, '?' if so. */
int sgt_option_next(const char *command, int argc, char **argv, const struct option *options);

/* ---- words ---- each false where it says what is wrong. */

bool sgt_number_read(const char *text, uint64_t max, uint64_t *out);
bool sgt_chain_read(const char *text);
bool sgt_account_read(const char *text, struct sg_caip_account *out);
/* One token: an asset with an id, a Solana mint; or all of a contract or mint that has balances. */
bool sgt_asset_read(const char *text, struct sg_caip_asset *out);

/* A fact about an owner, by its name: an asset (CAIP-19) of which there is one, or the key itself,
 * "0x" and 16 hex digits, which any fact has. */
struct sgt_fact {
    const char *name;
    uint64_t key;
    bool named; /* by `asset` */
    struct sg_caip_asset asset;
};
/* False, and says so. */
bool sgt_fact_read(const char *name, struct sgt_fact *out);
/* An account (CAIP-10) as facts hold it, sg_caip_account_id(); "nobody" is all zero. It must be of
 * the fact's chain, where that has one. False, and says so. */
bool sgt_owner_read(const char *account, const struct sgt_fact *fact, uint8_t out[32]);
/* The account must be of that chain: an owner elsewhere is another. False, and says so. */
bool sgt_owner_of_chain(const char *account, const struct sg_caip_chain *chain, uint8_t out[32]);

#endif
