/* tokens - the parts of sgctl token, a file each: tokenmint.c, tokenread.c, and token.c, which
 * revokes and chooses. Those three include this, and grant.c. */
#ifndef SGT_TOKENS_H
#define SGT_TOKENS_H

#include "tools/sgctl/args.h"

#define SGT_METHODS 7
extern const struct sgt_method {
    const char *name;
    enum sgd_method method;
} sgt_methods[SGT_METHODS];

/* A token given on the command line, read without believing it. */
struct sgt_token {
    uint8_t bytes[SGD_TOKEN_BYTES_MAX];
    struct sgd_token token;
    struct sgd_kid kid;
    struct sgd_claims claims;
    enum sgd_gate_verdict verdict; /* allowed, or why it can't be read */
};

void sgt_token_read(const char *text, struct sgt_token *out);
/* The tenant that its kid names; NULL: none of ours. */
const struct sg_conf_tenant *sgt_token_tenant(const struct sg_config *config,
                                              const struct sgt_token *read);
/* Whether it is under one of that tenant's keys: the region's, or one of `regions`. SGD_GATE_mac,
 * SGD_GATE_key_unknown: no. */
enum sgd_gate_verdict sgt_token_genuine(const struct sg_config *config,
                                        const struct sgt_token *read);

uint64_t sgt_now_s(void);

/* catu: what a token or a grant opens. */
json_t *sgt_matches_json(const struct sgd_match *matches, uint8_t count);

/* argv[0] is the verb. */
int sgt_token_mint(const struct sg_config *config, bool json, int argc, char **argv);
int sgt_token_inspect(const struct sg_config *config, bool json, int argc, char **argv);

#endif
