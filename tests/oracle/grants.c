/* grants - the gate's grants and proofs, asked line by line by grants.mjs, which has them made by
 * the libraries of others. A line in is a command and its words (no bytes: "-"), a line out the
 * answer:
 *   verify HEX NOW TENANT AUTHORITY KEYS   read, check, verify; KEYS: PEM files, or "-"
 *   signed HEX                             what its wallet signs, hex
 *   digest HEX                             the hash that an EVM key signs
 *   typed HEX                              EIP-712's JSON
 *   countersigned HEX                      what the control plane signs
 *   proof JWT METHOD URI TOKEN CKT NOW     TOKEN "-": none
 *   ckt JWT
 *   keccak HEX */
#include "base/assert.h"
#include "base/keccak.h"
#include "dataplane/gate/proof.h"
#include "tests/sgt_hex.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 65536
#define WORDS_MAX      8

static char *words[WORDS_MAX];
static uint8_t input[LINE_MAX_BYTES / 2];
static char output[LINE_MAX_BYTES];

static struct sg_str hex(const char *text)
{
    if (strcmp(text, "-") == 0)
        return SG_STR("");
    return (struct sg_str){(const char *)input, sgt_hex(text, input, sizeof(input))};
}

static void put_hex(const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        printf("%02x", ((const uint8_t *)bytes)[i]);
    printf("\n");
}

/* Public keys are both issuers and countersigners. */
static uint32_t load_keys(char *files, struct sgd_verify_key *keys[8])
{
    uint32_t count = 0;
    char *rest = NULL;
    if (strcmp(files, "-") == 0)
        return 0;
    for (char *file = strtok_r(files, ",", &rest); file != NULL; file = strtok_r(NULL, ",", &rest))
        SG_ASSERT(count < 8 && sgd_verify_key_load(file, &keys[count++]) == SG_OK);
    return count;
}

static void verify(void)
{
    struct sgd_grant grant;
    struct sgd_verify_key *keys[8];
    struct sgd_grant_terms terms = {.tenant = sg_str_from(words[3]),
                                    .authority = sg_str_from(words[4]),
                                    .skew_s = 60,
                                    .now_s = strtoull(words[2], NULL, 10)};
    const uint32_t count = load_keys(words[5], keys);
    const struct sgd_grant_keys all = {keys, count, keys, count};
    enum sgd_grant_verdict verdict = sgd_grant_read(hex(words[1]), &grant);
    const char *step = "read";
    if (verdict == SGD_GRANT_allowed) {
        verdict = sgd_grant_check(&grant, &terms);
        step = "check";
    }
    if (verdict == SGD_GRANT_allowed) {
        verdict = sgd_grant_verify(&grant, &all);
        step = "verify";
    }
    printf("%s %s\n", sgd_grant_name(verdict), step);
    for (uint32_t i = 0; i < count; i++)
        sgd_verify_key_close(keys[i]);
}

static void put(enum sg_err (*writer)(struct sg_out *, const struct sgd_grant *), bool text)
{
    struct sgd_grant grant;
    struct sg_out out = sg_out_init(output, sizeof(output));
    if (sgd_grant_read(hex(words[1]), &grant) != SGD_GRANT_allowed || writer(&out, &grant) != SG_OK)
        printf("error\n");
    else if (text)
        printf("%.*s\n", (int)out.len, out.ptr);
    else
        put_hex(out.ptr, out.len);
}

static enum sg_err put_digest(struct sg_out *out, const struct sgd_grant *grant)
{
    uint8_t digest[32];
    enum sg_err err = sgd_grant_digest(grant, digest);
    sg_out_bytes(out, digest, sizeof(digest));
    return err;
}

static void proof(void)
{
    struct sgd_proof_terms terms = {.method = sg_str_from(words[2]),
                                    .uri = sg_str_from(words[3]),
                                    .token = sg_str_from(words[4]),
                                    .now_s = strtoull(words[6], NULL, 10)};
    struct sgd_proof proof;
    if (sg_str_eq(terms.token, SG_STR("-")))
        terms.token = SG_STR_NONE;
    SG_ASSERT(sgt_hex(words[5], terms.ckt, sizeof(terms.ckt)) == sizeof(terms.ckt));
    printf("%s\n", sgd_grant_name(sgd_proof_check(sg_str_from(words[1]), &terms, &proof)));
}

static void answer(void)
{
    uint8_t hash[SG_KECCAK256_BYTES];
    if (strcmp(words[0], "verify") == 0) {
        verify();
    } else if (strcmp(words[0], "signed") == 0) {
        put(sgd_grant_put_signed, false);
    } else if (strcmp(words[0], "digest") == 0) {
        put(put_digest, false);
    } else if (strcmp(words[0], "typed") == 0) {
        put(sgd_grant_put_typed_data, true);
    } else if (strcmp(words[0], "countersigned") == 0) {
        put(sgd_grant_put_countersigned, false);
    } else if (strcmp(words[0], "proof") == 0) {
        proof();
    } else if (strcmp(words[0], "ckt") == 0) {
        if (sgd_proof_ckt(sg_str_from(words[1]), hash))
            put_hex(hash, sizeof(hash));
        else
            printf("error\n");
    } else if (strcmp(words[0], "keccak") == 0) {
        struct sg_str bytes = hex(words[1]);
        sg_keccak256(bytes.ptr, bytes.len, hash);
        put_hex(hash, sizeof(hash));
    } else {
        printf("what?\n");
    }
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *rest = NULL, *word = strtok_r(line, " \n", &rest);
        size_t count = 0;
        for (; word != NULL && count < WORDS_MAX; word = strtok_r(NULL, " \n", &rest))
            words[count++] = word;
        while (count < WORDS_MAX)
            words[count++] = NULL;
        if (words[0] != NULL)
            answer();
        fflush(stdout);
    }
    return 0;
}
