#include "tests/sgt.h"

#include "base/cbor.h"
#include "dataplane/gate/check.h"
#include "tests/sgt_hex.h"
#include "tests/unit/dataplane/grant_world.h"

#include <pthread.h>

static struct grant_world w;
static struct grant_made made;

static int set_up(void **fixture)
{
    (void)fixture;
    grant_world_open(&w);
    return 0;
}

static int tear_down(void **fixture)
{
    (void)fixture;
    grant_world_close(&w);
    return 0;
}

static void a_grant_of_each_algorithm_is_good(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(grant_algs); i++) {
        struct sgd_grant grant = grant_begin(&w, grant_algs[i]);
        grant_make(&w, &grant, &made);
        assert_int_equal(grant_judge(&w, made.whole), SGD_GRANT_allowed);
    }
    (void)fixture;
}

/* The signatures are of every bit: of claims, header, envelope and of themselves. */
static void no_bit_of_a_grant_can_be_another(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(grant_algs); i++) {
        static char bytes[SGD_GRANT_BYTES_MAX];
        struct sgd_grant grant = grant_begin(&w, grant_algs[i]);
        grant_make(&w, &grant, &made);
        memcpy(bytes, made.whole.ptr, made.whole.len);
        for (size_t bit = 0; bit < 8 * made.whole.len; bit++) {
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            if (grant_judge(&w, (struct sg_str){bytes, made.whole.len}) == SGD_GRANT_allowed)
                fail_msg("alg %d, byte %zu, bit %zu", grant.alg, bit / 8, bit % 8);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
        for (size_t len = 0; len < made.whole.len; len++)
            assert_int_not_equal(grant_judge(&w, (struct sg_str){bytes, len}), SGD_GRANT_allowed);
        bytes[made.whole.len] = 0;
        assert_int_not_equal(grant_judge(&w, (struct sg_str){bytes, made.whole.len + 1}),
                             SGD_GRANT_allowed);
    }
    (void)fixture;
}

static void change_chain(struct sgd_grant *g)
{
    g->account.chain.evm_id++;
    g->account.chain.solana[31] = 'q';
}
static void change_address(struct sgd_grant *g)
{
    g->account.address.bytes[19] ^= 1;
}
static void change_tenant(struct sgd_grant *g)
{
    g->tenant = SG_STR("filmz");
}
static void change_expiry(struct sgd_grant *g)
{
    g->expires_s++;
}
static void change_begin(struct sgd_grant *g)
{
    g->not_before_s = GRANT_NOW - 1;
}
static void change_issue(struct sgd_grant *g)
{
    g->issued_s--;
}
static void change_cti(struct sgd_grant *g)
{
    g->cti[15] ^= 1;
}
static void change_ckt(struct sgd_grant *g)
{
    g->ckt[31] ^= 1;
}
static void change_methods(struct sgd_grant *g)
{
    g->methods = SG_BIT(SGD_METHOD_GET);
}
static void change_host(struct sgd_grant *g)
{
    g->matches[0].kind = SGD_MATCH_SUFFIX;
    g->domain = SG_STR("video.example.org");
}
static void change_path(struct sgd_grant *g)
{
    g->matches[1].value = SG_STR("/films/");
}
static void change_path_kind(struct sgd_grant *g)
{
    g->matches[1].kind = SGD_MATCH_EXACT;
}
static void drop_path(struct sgd_grant *g)
{
    g->matches_count = 1;
}
static void change_domain(struct sgd_grant *g)
{
    g->domain = SG_STR("video.example.org");
}
static void change_assets(struct sgd_grant *g)
{
    g->assets_count = 1;
    assert_true(sg_caip_asset_read(
        SG_STR("eip155:1/erc721:0x06012c8cf97bead5deae237070f9587f8e7a266d/771769"),
        &g->assets[0].asset));
    g->assets[0].min = sg_u256_of(1);
}

/* Each claim changed under a signature that was made without the change. ON_CHAIN: what the
 * countersignature says. */
static void no_claim_can_be_another(void **fixture)
{
    static void (*const changes[])(struct sgd_grant *) = {
        change_chain, change_address,   change_tenant, change_expiry,  change_begin,
        change_issue, change_cti,       change_ckt,    change_methods, change_host,
        change_path,  change_path_kind, drop_path,     change_domain,  change_assets,
    };
    struct sgd_grant_terms terms = w.terms;
    for (size_t i = 0; i < SG_COUNT(grant_algs); i++)
        for (size_t c = 0; c < SG_COUNT(changes); c++) {
            char memory[SGD_GRANT_BYTES_MAX], payload_memory[SGD_GRANT_BYTES_MAX];
            struct sg_out whole = sg_out_init(memory, sizeof(memory));
            struct sg_out payload = sg_out_init(payload_memory, sizeof(payload_memory));
            struct sgd_grant grant = grant_begin(&w, grant_algs[i]), read;
            grant_make(&w, &grant, &made);
            changes[c](&grant);
            sgd_grant_put_claims(&payload, &grant);
            grant.payload = sg_out_view(&payload);
            sgd_grant_put(&whole, &grant);
            assert_false(whole.full || payload.full);
            terms.tenant = grant.tenant;
            assert_int_equal(sgd_grant_read(sg_out_view(&whole), &read), SGD_GRANT_allowed);
            assert_int_equal(sgd_grant_check(&read, &terms), SGD_GRANT_allowed);
            if (sgd_grant_verify(&read, &w.keys) != SGD_GRANT_signature)
                fail_msg("alg %d, change %zu", grant.alg, c);
        }
    (void)fixture;
}

/* ---- what is read ---- */

static void all_that_can_be_said_is_read_back(void **fixture)
{
    struct sgd_grant in = grant_begin(&w, SGD_GRANT_EDDSA), out;
    uint8_t thumbprint[32];
    sgd_cosekey_okp(w.other_key, thumbprint);
    in.issuer_key = (struct sg_str){(const char *)thumbprint, sizeof(thumbprint)};
    in.not_before_s = GRANT_NOW + 5;
    in.methods = SG_BIT(SGD_METHOD_GET) | SG_BIT(SGD_METHOD_POST);
    in.domain = SG_STR("shop.example.org:8443");
    change_assets(&in);
    in.assets_count = 3;
    assert_true(sg_caip_asset_read(
        SG_STR("eip155:137/erc1155:0x06012c8cf97bead5deae237070f9587f8e7a266d/5"),
        &in.assets[1].asset));
    memset(in.assets[1].min.bytes, 0xff, 32);
    assert_true(sg_caip_asset_read(SG_STR("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/"
                                          "token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"),
                                   &in.assets[2].asset));
    in.assets[2].min = sg_u256_of(UINT64_MAX);
    grant_make(&w, &in, &made);
    assert_int_equal(sgd_grant_read(made.whole, &out), SGD_GRANT_allowed);
    assert_int_equal(out.alg, SGD_GRANT_EDDSA);
    assert_true(out.account.chain.ns == SG_CAIP_EIP155 && out.account.chain.evm_id == 1);
    assert_memory_equal(out.account.address.bytes, in.account.address.bytes, 20);
    assert_true(sg_str_eq(out.tenant, in.tenant) && sg_str_eq(out.domain, in.domain));
    assert_true(out.expires_s == in.expires_s && out.not_before_s == in.not_before_s);
    assert_true(out.issued_s == in.issued_s && out.methods == in.methods);
    assert_memory_equal(out.cti, in.cti, sizeof(in.cti));
    assert_memory_equal(out.ckt, in.ckt, sizeof(in.ckt));
    assert_int_equal(out.matches_count, 2);
    assert_true(sg_str_eq(out.matches[1].value, in.matches[1].value));
    assert_int_equal(out.assets_count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sg_u256_cmp(&out.assets[i].min, &in.assets[i].min), 0);
    assert_true(sg_str_eq(out.issuer_key, in.issuer_key));
    assert_int_equal(sgd_grant_verify(&out, &w.keys), SGD_GRANT_allowed);
    (void)fixture;
}

/* An envelope around a header and claims given in hex. */
static struct sg_str envelope(const char *header_hex, const char *claims_hex, const char *open_hex)
{
    static char memory[8192];
    static uint8_t bytes[8192];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_out_lit(&out, "\xd8\x3d\xd2\x84");
    sg_cbor_put_bytes(&out, bytes, sgt_hex(header_hex, bytes, sizeof(bytes)));
    sg_out_bytes(&out, bytes, sgt_hex(open_hex, bytes, sizeof(bytes)));
    sg_cbor_put_bytes(&out, bytes, sgt_hex(claims_hex, bytes, sizeof(bytes)));
    sg_cbor_put_bytes(&out, bytes, 64);
    return sg_out_view(&out);
}

#define HEADER "a3013a0001117a0281 3a000111d3 3a000111d301"
#define ISS_HEX                                                                                    \
    "7833 6569703135353a313a3078 "                                                                 \
    "30363031326338636639376265616435646561653233373037306639353837663865376132363664"
#define CTI_HEX "50 000102030405060708090a0b0c0d0e0f"
#define CNF_HEX "a1055820 000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"
#define CLAIMS_TO_CNF                                                                              \
    "01" ISS_HEX "03 6566696c6d73 04 1a6a18a8c0 06 1a6a189ab0 07" CTI_HEX "08" CNF_HEX
#define CATV "190136 01"
#define CATU "190138 a1 01 a1 00 61 68"

static void headers_have_one_form(void **fixture)
{
    static const struct {
        enum sgd_grant_verdict verdict;
        const char *header, *open;
    } rows[] = {
        {SGD_GRANT_allowed, HEADER, "a0"},
        {SGD_GRANT_malformed, "", "a0"},
        {SGD_GRANT_malformed, "80", "a0"},
        {SGD_GRANT_algorithm, "a0", "a0"},
        {SGD_GRANT_algorithm, "a1013a0001117a", "a0"},                             /* no crit */
        {SGD_GRANT_algorithm, "a2013a0001117a0281 3a000111d3", "a0"},              /* no profile */
        {SGD_GRANT_algorithm, "a3013a0001117a0281 3a000111d3 3a000111d302", "a0"}, /* version 2 */
        {SGD_GRANT_algorithm, "a3013a0001117a0281 3a000111d4 3a000111d301", "a0"}, /* other crit */
        {SGD_GRANT_algorithm, "a3013a0001117a0282 3a000111d3 04 3a000111d301", "a0"},
        {SGD_GRANT_algorithm, "a301250281 3a000111d3 3a000111d301", "a0"}, /* alg -6: nobody's */
        {SGD_GRANT_algorithm, "a301050281 3a000111d3 3a000111d301", "a0"}, /* a MAC */
        {SGD_GRANT_algorithm, "a301613a0281 3a000111d3 3a000111d301", "a0"},
        {SGD_GRANT_algorithm, "a30281 3a000111d3 013a0001117a 3a000111d301", "a0"}, /* order */
        {SGD_GRANT_algorithm, "a4013a0001117a0281 3a000111d3 03183d 3a000111d301", "a0"},
        {SGD_GRANT_algorithm, "a4013a0001117a0281 3a000111d3 0401 3a000111d301", "a0"}, /* kid */
        /* a wallet has no kid, and a kid is a thumbprint */
        {SGD_GRANT_algorithm,
         "a4013a0001117a0281 3a000111d3 045820 000102030405060708090a0b0c0d0e0f00010203040506"
         "0708090a0b0c0d0e0f 3a000111d301",
         "a0"},
        {SGD_GRANT_algorithm, "a401270281 3a000111d3 044101 3a000111d301", "a0"},
        /* nothing stands outside the signature, but for ON_CHAIN its countersignature */
        {SGD_GRANT_malformed, HEADER, "a1044101"},
        {SGD_GRANT_malformed, HEADER,
         "a10c5840 000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"
         "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"},
        {SGD_GRANT_malformed, "a3013a0001117f0281 3a000111d3 3a000111d301", "a10c4101"},
        {SGD_GRANT_allowed, "a3013a0001117f0281 3a000111d3 3a000111d301", "a0"},
    };
    struct sgd_grant grant;
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        const char *claims = "a8" CLAIMS_TO_CNF CATV CATU;
        if (sgd_grant_read(envelope(rows[i].header, claims, rows[i].open), &grant) !=
            rows[i].verdict)
            fail_msg("row %zu: %s", i, rows[i].header);
    }
    (void)fixture;
}

static void claims_have_one_form(void **fixture)
{
    static const struct {
        enum sgd_grant_verdict verdict;
        const char *claims;
    } rows[] = {
        {SGD_GRANT_allowed, "a8" CLAIMS_TO_CNF CATV CATU},
        {SGD_GRANT_malformed, ""},
        {SGD_GRANT_malformed, "80"},
        {SGD_GRANT_claim_missing, "a0"},
        {SGD_GRANT_claim_missing, "a7" CLAIMS_TO_CNF CATV},                      /* no catu */
        {SGD_GRANT_malformed, "a7" CLAIMS_TO_CNF CATU},                          /* no catv */
        {SGD_GRANT_malformed, "a8" CLAIMS_TO_CNF "190136 02" CATU},              /* catv 2 */
        {SGD_GRANT_malformed, "a8" CLAIMS_TO_CNF CATU CATV},                     /* order */
        {SGD_GRANT_claim_unknown, "a9" CLAIMS_TO_CNF CATV CATU "190137 01"},     /* catnip */
        {SGD_GRANT_claim_unknown, "a9" CLAIMS_TO_CNF CATV CATU "3a00011180 01"}, /* ours? no */
        {SGD_GRANT_claim_unknown, "a9" CLAIMS_TO_CNF CATV CATU "6161 01"},
        {SGD_GRANT_claim_unknown, "a9" CLAIMS_TO_CNF "1901 34 01" CATV CATU},
        {SGD_GRANT_malformed, "a9" CLAIMS_TO_CNF CATV CATU "3a00011176 00"},        /* domain 0 */
        {SGD_GRANT_malformed, "a9" CLAIMS_TO_CNF CATV CATU "3a00011176 63 61206a"}, /* a blank */
        {SGD_GRANT_malformed, "a9" CLAIMS_TO_CNF CATV CATU "3a00011170 80"},        /* no assets */
        {SGD_GRANT_malformed, "a9" CLAIMS_TO_CNF CATV CATU "3a00011170 81 82 6161 01"},
        /* regular expressions, hashes, two of a kind, a quote in the path, a path that is none */
        {SGD_GRANT_claim_unknown, "a8" CLAIMS_TO_CNF CATV "190138 a1 01 a1 03 61 68"},
        {SGD_GRANT_claim_unknown, "a8" CLAIMS_TO_CNF CATV "190138 a1 01 a1 01 61 68"},
        {SGD_GRANT_claim_unknown,
         "a8" CLAIMS_TO_CNF CATV "190138 a1 01 a1 20 5820 000102030405060708090a0b0c0d0e0f0001020"
         "30405060708090a0b0c0d0e0f"},
        {SGD_GRANT_claim_unknown, "a8" CLAIMS_TO_CNF CATV "190138 a1 01 a2 00 61 68 02 61 68"},
        {SGD_GRANT_claim_unknown,
         "a8" CLAIMS_TO_CNF CATV "190138 a2 01 a1 00 61 68 03 a1 01 63 2f2761"},
        {SGD_GRANT_claim_unknown,
         "a8" CLAIMS_TO_CNF CATV "190138 a2 01 a1 00 61 68 03 a1 01 61 61"},
        {SGD_GRANT_claim_unknown,
         "a8" CLAIMS_TO_CNF CATV "190138 a2 01 a1 00 61 68 03 a1 02 62 2f61"},
        /* no domain where there is no exact host */
        {SGD_GRANT_claim_missing, "a8" CLAIMS_TO_CNF CATV "190138 a1 01 a1 02 61 68"},
        {SGD_GRANT_claim_missing, "a8" CLAIMS_TO_CNF CATV "190138 a1 03 a1 01 61 2f"},
        /* exp: 0, above the year 9999, as text */
        {SGD_GRANT_malformed,
         "a8 01" ISS_HEX "03 6566696c6d73 04 00 06 1a6a189ab0 07" CTI_HEX "08" CNF_HEX CATV CATU},
        {SGD_GRANT_malformed,
         "a8 01" ISS_HEX "03 6566696c6d73 04 1b0000003afff44180 06 1a6a189ab0 07" CTI_HEX
         "08" CNF_HEX CATV CATU},
        {SGD_GRANT_malformed,
         "a8 01" ISS_HEX "03 6566696c6d73 04 6131 06 1a6a189ab0 07" CTI_HEX "08" CNF_HEX CATV CATU},
        /* cti of 15 bytes, cnf with a key in it, sub beside a wallet's iss, aud as bytes */
        {SGD_GRANT_malformed, "a8 01" ISS_HEX "03 6566696c6d73 04 1a6a18a8c0 06 1a6a189ab0 07 4f "
                              "000102030405060708090a0b0c0d0e 08" CNF_HEX CATV CATU},
        {SGD_GRANT_malformed,
         "a8 01" ISS_HEX "03 6566696c6d73 04 1a6a18a8c0 06 1a6a189ab0 07" CTI_HEX
         "08 a101a0" CATV CATU},
        {SGD_GRANT_claim_unknown, "a9 01" ISS_HEX "02" ISS_HEX "03 6566696c6d73 04 1a6a18a8c0 06 "
                                  "1a6a189ab0 07" CTI_HEX "08" CNF_HEX CATV CATU},
        {SGD_GRANT_malformed,
         "a8 01" ISS_HEX "03 4566696c6d73 04 1a6a18a8c0 06 1a6a189ab0 07" CTI_HEX
         "08" CNF_HEX CATV CATU},
    };
    struct sgd_grant grant;
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        if (sgd_grant_read(envelope(HEADER, rows[i].claims, "a0"), &grant) != rows[i].verdict)
            fail_msg("row %zu: %s", i, rows[i].claims);
    (void)fixture;
}

/* The same things said another way would be signed alike, and not be the same grant. */
static void other_spellings_of_the_same_are_refused(void **fixture)
{
    struct sgd_grant grant;
    char claims[1024];
    /* the account with capitals, as EIP-55 has it */
    snprintf(claims, sizeof(claims), "%s", "a8" CLAIMS_TO_CNF CATV CATU);
    static const char eip55[] = /* "06012c8cf97BEaD5deAe237070F9587f8E7A266d" */
        "30363031326338636639374245614435646541653233373037304639353837663845374132363664";
    char *at = strstr(claims, "30363031");
    assert_non_null(at);
    memcpy(at, eip55, sizeof(eip55) - 1);
    assert_int_equal(sgd_grant_read(envelope(HEADER, claims, "a0"), &grant), SGD_GRANT_malformed);
    /* catm with a name that we don't know, or in another order */
    assert_int_equal(
        sgd_grant_read(
            envelope(HEADER, "a9" CLAIMS_TO_CNF CATV CATU "190139 82 63474554 63464f4f", "a0"),
            &grant),
        SGD_GRANT_malformed);
    assert_int_equal(
        sgd_grant_read(
            envelope(HEADER, "a9" CLAIMS_TO_CNF CATV CATU "190139 82 6448454144 63474554", "a0"),
            &grant),
        SGD_GRANT_malformed);
    assert_int_equal(
        sgd_grant_read(
            envelope(HEADER, "a9" CLAIMS_TO_CNF CATV CATU "190139 82 63474554 6448454144", "a0"),
            &grant),
        SGD_GRANT_allowed);
    (void)fixture;
}

static void one_larger_than_it_may_be_is_not_looked_at(void **fixture)
{
    static char bytes[SGD_GRANT_BYTES_MAX + 1];
    struct sgd_grant grant;
    assert_int_equal(sgd_grant_read((struct sg_str){bytes, sizeof(bytes)}, &grant),
                     SGD_GRANT_too_large);
    assert_int_equal(sgd_grant_read((struct sg_str){bytes, 0}, &grant), SGD_GRANT_malformed);
    (void)fixture;
}

/* ---- what is checked ---- */

static void terms_are_judged_to_the_second(void **fixture)
{
    static const struct {
        enum sgd_grant_verdict verdict;
        int32_t issued, begins, expires; /* from now; begins 0: no nbf */
    } rows[] = {
        {SGD_GRANT_allowed, 0, 0, 3600},
        {SGD_GRANT_allowed, 60, 60, 3600}, /* the issuer's clock is ahead */
        {SGD_GRANT_not_yet, 61, 0, 3600},
        {SGD_GRANT_not_yet, 0, 61, 3600},
        {SGD_GRANT_allowed, -3600, 0, 1},
        {SGD_GRANT_expired, -3600, 0, 0}, /* to the second: no skew */
        {SGD_GRANT_expired, -3600, 0, -1},
        {SGD_GRANT_allowed, 0, 0, 86400},
        {SGD_GRANT_too_long, 0, 0, 86401},
        {SGD_GRANT_too_long, -1, 86000, 86400},
        {SGD_GRANT_too_long, 10, 0, 10}, /* no time at all */
        {SGD_GRANT_too_long, 10, 0, 9},
        {SGD_GRANT_too_long, 0, 50, 50},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_grant grant = grant_begin(&w, SGD_GRANT_SIWE);
        grant.issued_s = GRANT_NOW + (uint64_t)(int64_t)rows[i].issued;
        grant.expires_s = GRANT_NOW + (uint64_t)(int64_t)rows[i].expires;
        grant.not_before_s =
            rows[i].begins == 0 ? 0 : GRANT_NOW + (uint64_t)(int64_t)rows[i].begins;
        if (sgd_grant_check(&grant, &w.terms) != rows[i].verdict)
            fail_msg("row %zu", i);
    }
    (void)fixture;
}

static void tenant_host_and_domain_are_those_of_the_request(void **fixture)
{
    static const char *const listed[] = {"shop.example.net", "localhost:8080"};
    const struct {
        enum sgd_grant_verdict verdict;
        const char *tenant, *authority, *host, *domain;
        enum sgd_match_kind kind;
    } rows[] = {
        {SGD_GRANT_allowed, "films", "video.example.org", "video.example.org", NULL, 0},
        {SGD_GRANT_allowed, "films", "video.example.org:8443", "Video.Example.org", NULL, 0},
        {SGD_GRANT_allowed, "films", "video.example.org:8443", "video.example.org",
         "video.example.org:8443", 0},
        {SGD_GRANT_domain, "films", "video.example.org:8443", "video.example.org",
         "video.example.org:444", 0},
        {SGD_GRANT_domain, "films", "video.example.org", "video.example.org",
         "video.example.org:8443", 0},
        {SGD_GRANT_allowed, "films", "video.example.org", "video.example.org", "shop.example.net",
         0},
        {SGD_GRANT_allowed, "films", "video.example.org", "video.example.org", "localhost:8080", 0},
        {SGD_GRANT_domain, "films", "video.example.org", "video.example.org", "localhost", 0},
        {SGD_GRANT_domain, "films", "video.example.org", "video.example.org", "evil.example.net",
         0},
        {SGD_GRANT_tenant, "Films", "video.example.org", "video.example.org", NULL, 0},
        {SGD_GRANT_host, "films", "other.example.org", "video.example.org", NULL, 0},
        {SGD_GRANT_allowed, "films", "a.example.org", ".example.org", "a.example.org",
         SGD_MATCH_SUFFIX},
        {SGD_GRANT_host, "films", "example.org", ".example.org", "example.org", SGD_MATCH_SUFFIX},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_grant grant = grant_begin(&w, SGD_GRANT_SIWE);
        struct sgd_grant_terms terms = w.terms;
        terms.tenant = sg_str_from(rows[i].tenant);
        terms.authority = sg_str_from(rows[i].authority);
        terms.domains = listed;
        terms.domains_count = SG_COUNT(listed);
        grant.matches[0].kind = rows[i].kind;
        grant.matches[0].value = sg_str_from(rows[i].host);
        grant.domain = sg_str_from(rows[i].domain);
        if (sgd_grant_check(&grant, &terms) != rows[i].verdict)
            fail_msg("row %zu", i);
    }
    (void)fixture;
}

static void a_name_that_the_asker_chose_is_no_domain(void **fixture)
{
    static const struct {
        const char *asked, *domain;
        enum sgd_grant_verdict verdict;
    } rows[] = {
        {"evil.example.net", "evil.example.net", SGD_GRANT_domain},
        {"evil.example.net:8443", "evil.example.net:8443", SGD_GRANT_domain},
        {"192.0.2.1", "192.0.2.1", SGD_GRANT_domain},
        {"127.0.0.1.evil.net", "127.0.0.1.evil.net", SGD_GRANT_domain},
        {"127.evil", "127.evil", SGD_GRANT_domain},
        {"[::1]:80", "[::1]:80", SGD_GRANT_allowed},
        {"127.0.0.1:8080", "127.0.0.1:8080", SGD_GRANT_allowed},
        {"localhost", "localhost", SGD_GRANT_allowed},
        {"evil.example.net", "tv.example.org", SGD_GRANT_allowed}, /* which the wallet shows */
    };
    static const char *const listed[] = {"tv.example.org"};
    (void)fixture;
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_grant grant = grant_begin(&w, SGD_GRANT_SIWE);
        struct sgd_grant_terms terms = w.terms;
        terms.any_host = true;
        terms.authority = sg_str_from(rows[i].asked);
        terms.domains = listed;
        terms.domains_count = SG_COUNT(listed);
        grant.matches[0].value = sgd_authority_host(terms.authority);
        grant.domain = sg_str_from(rows[i].domain);
        if (sgd_grant_check(&grant, &terms) != rows[i].verdict)
            fail_msg("row %zu", i);
        grant.alg = SGD_GRANT_ES256; /* a back end shows it to nobody */
        assert_int_equal(sgd_grant_check(&grant, &terms), SGD_GRANT_allowed);
    }
}

static void an_algorithm_fits_its_chain(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(grant_algs); i++) {
        struct sgd_grant grant = grant_begin(&w, grant_algs[i]);
        const bool evm = grant.alg == SGD_GRANT_SIWE || grant.alg == SGD_GRANT_EIP712;
        const bool any = grant.alg == SGD_GRANT_ON_CHAIN || grant.alg >= SGD_GRANT_ES256K;
        assert_int_equal(sgd_grant_check(&grant, &w.terms), SGD_GRANT_allowed);
        grant.account.chain.ns = SG_CAIP_EIP155;
        assert_int_equal(sgd_grant_check(&grant, &w.terms),
                         evm || any ? SGD_GRANT_allowed : SGD_GRANT_chain);
        grant.account.chain.ns = SG_CAIP_SOLANA;
        assert_int_equal(sgd_grant_check(&grant, &w.terms),
                         evm ? SGD_GRANT_chain : SGD_GRANT_allowed);
    }
    (void)fixture;
}

static void *judge_all(void *arg)
{
    struct grant_made *grants = arg;
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < SG_COUNT(grant_algs); i++)
            if (grant_judge(&w, grants[i].whole) != SGD_GRANT_allowed)
                return NULL;
    return arg;
}

static void threads_judge_at_the_same_time(void **fixture)
{
    static struct grant_made grants[SG_COUNT(grant_algs)];
    pthread_t threads[4];
    void *good;
    for (size_t i = 0; i < SG_COUNT(grant_algs); i++) {
        struct sgd_grant grant = grant_begin(&w, grant_algs[i]);
        grant_make(&w, &grant, &grants[i]);
    }
    for (size_t t = 0; t < SG_COUNT(threads); t++)
        assert_int_equal(pthread_create(&threads[t], NULL, judge_all, grants), 0);
    for (size_t t = 0; t < SG_COUNT(threads); t++) {
        assert_int_equal(pthread_join(threads[t], &good), 0);
        assert_non_null(good);
    }
    (void)fixture;
}

static void verdicts_have_names_reasons_and_statuses(void **fixture)
{
    for (int v = 0; v < SGD_GRANT_VERDICTS; v++) {
        assert_true(strlen(sgd_grant_name((enum sgd_grant_verdict)v)) > 0);
        assert_true(sgd_grant_status((enum sgd_grant_verdict)v) >= 200);
        assert_true((v == SGD_GRANT_allowed) ==
                    (sgd_grant_reason((enum sgd_grant_verdict)v)[0] == 0));
    }
    assert_int_equal(sgd_grant_status(SGD_GRANT_on_chain), 202);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_grant_of_each_algorithm_is_good, set_up, tear_down),
    cmocka_unit_test_setup_teardown(no_bit_of_a_grant_can_be_another, set_up, tear_down),
    cmocka_unit_test_setup_teardown(no_claim_can_be_another, set_up, tear_down),
    cmocka_unit_test_setup_teardown(all_that_can_be_said_is_read_back, set_up, tear_down),
    cmocka_unit_test(headers_have_one_form),
    cmocka_unit_test(claims_have_one_form),
    cmocka_unit_test(other_spellings_of_the_same_are_refused),
    cmocka_unit_test(one_larger_than_it_may_be_is_not_looked_at),
    cmocka_unit_test_setup_teardown(terms_are_judged_to_the_second, set_up, tear_down),
    cmocka_unit_test_setup_teardown(tenant_host_and_domain_are_those_of_the_request, set_up,
                                    tear_down),
    cmocka_unit_test_setup_teardown(a_name_that_the_asker_chose_is_no_domain, set_up, tear_down),
    cmocka_unit_test_setup_teardown(an_algorithm_fits_its_chain, set_up, tear_down),
    cmocka_unit_test_setup_teardown(threads_judge_at_the_same_time, set_up, tear_down),
    cmocka_unit_test(verdicts_have_names_reasons_and_statuses),
};
SGT_MAIN("grant", tests)
