/* grant - what judging a wallet's grant costs beside the bare signature, in microseconds, on the
 * core that it runs on:
 *   bench_grant [SECONDS A CASE]
 * Each case is the whole of it: COSE and claims read, terms checked, what was signed rebuilt and
 * hashed, the signature verified. Bare: libsecp256k1's ecdsa_recover, OpenSSL's EVP_DigestVerify
 * with a key made before. Both are measured in CPU time and in turns of a millisecond, so that
 * whatever else the machine does falls on both; a line tells the medians, and that of the turns'
 * ratios. */
#include "base/clock.h"
#include "dataplane/gate/evmsig.h"
#include "tests/unit/dataplane/grant_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS_MAX 4096
#define STEPS      16 /* of a turn */

static struct grant_world w;
static struct grant_made made;
static struct sgd_grant grant;
static EVP_MD_CTX *md;
static char signed_memory[SGD_GRANT_SIGNED_MAX];
static struct sg_str signed_part;
static uint8_t digest[32];

static void judge(void)
{
    SG_ASSERT(grant_judge(&w, made.whole) == SGD_GRANT_allowed);
}

static void bare_recover(void)
{
    secp256k1_ecdsa_recoverable_signature signature;
    secp256k1_pubkey key;
    const uint8_t *rsv = (const uint8_t *)grant.signature.ptr;
    SG_ASSERT(secp256k1_ecdsa_recoverable_signature_parse_compact(
                  secp256k1_context_static, &signature, rsv, rsv[64] - 27) == 1);
    SG_ASSERT(secp256k1_ecdsa_recover(secp256k1_context_static, &key, &signature, digest) == 1);
}

static void bare_ed25519(void)
{
    SG_ASSERT(EVP_DigestVerifyInit(md, NULL, NULL, NULL, w.solana) == 1);
    SG_ASSERT(EVP_DigestVerify(md, (const uint8_t *)grant.signature.ptr, 64,
                               (const uint8_t *)signed_part.ptr, signed_part.len) == 1);
}

static double time_us(void (*step)(void))
{
    struct timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (int i = 0; i < STEPS; i++)
        step();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
           (STEPS * 1e3);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

static void measure(const char *name, enum sgd_grant_alg alg, uint64_t case_ns)
{
    static double ours[ROUNDS_MAX], bare[ROUNDS_MAX], ratio[ROUNDS_MAX];
    size_t count = 0;
    struct sg_out out = sg_out_init(signed_memory, sizeof(signed_memory));
    grant = grant_begin(&w, alg);
    grant_make(&w, &grant, &made);
    const bool evm = sgd_grant_digest(&grant, digest) == SG_OK;
    SG_ASSERT(sgd_grant_put_signed(&out, &grant) == SG_OK);
    signed_part = sg_out_view(&out);
    for (uint64_t from = sg_clock_mono_ns();
         count < 3 || (count < ROUNDS_MAX && sg_clock_mono_ns() - from < case_ns); count++) {
        bare[count] = time_us(evm ? bare_recover : bare_ed25519);
        ours[count] = time_us(judge);
        ratio[count] = ours[count] / bare[count];
    }
    printf("%-18s %7.2f us, bare %7.2f us, ratio %5.3f; %zu bytes signed\n", name,
           median(ours, count), median(bare, count), median(ratio, count), signed_part.len);
}

int main(int argc, char **argv)
{
    const uint64_t case_ns = (uint64_t)((argc > 1 ? atof(argv[1]) : 2.0) * (double)SG_NS_PER_SEC);
    grant_world_open(&w);
    md = EVP_MD_CTX_new();
    SG_ASSERT(md != NULL);
    measure("SIWE", SGD_GRANT_SIWE, case_ns);
    measure("EIP-712", SGD_GRANT_EIP712, case_ns);
    measure("Solana, off-chain", SGD_GRANT_SOLANA_OFF, case_ns);
    measure("Solana, text", SGD_GRANT_SOLANA_TEXT, case_ns);
    measure("Solana, memo", SGD_GRANT_SOLANA_MEMO, case_ns);
    EVP_MD_CTX_free(md);
    grant_world_close(&w);
    return 0;
}
