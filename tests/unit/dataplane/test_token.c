#include "tests/sgt.h"

#include "base/b64url.h"
#include "base/cbor.h"
#include "dataplane/gate/check.h"
#include "dataplane/gate/mint.h"
#include "tests/sgt_hex.h"

static struct sg_str hex(const char *text)
{
    static uint8_t bytes[SGD_TOKEN_BYTES_MAX];
    size_t len = sgt_hex(text, bytes, sizeof(bytes));
    return (struct sg_str){(const char *)bytes, len};
}

/* COSE working group's examples, hmac-examples/HMac-enc-01: HMAC 256/256 by a shared secret. */
#define WG_MAC0                                                                                    \
    "d1 84 43 a10105 a0 54 546869732069732074686520636f6e74656e742e"                               \
    "58 20 a1a848d3471f9d61ee49018d244c824772f223ad4f935293f1789fc3a08d8c58"
#define WG_KEY "849b57219dae48de646d07dbb533566e976686457c1491be3a76dcea6c427188"

static void the_cose_groups_example_verifies(void **fixture)
{
    uint8_t secret[32], bytes[256];
    struct sg_hmac_key key;
    struct sgd_token token;
    size_t len = sgt_hex("d83d" WG_MAC0, bytes, sizeof(bytes));
    sg_hmac_key_init(&key, secret, sgt_hex(WG_KEY, secret, sizeof(secret)));
    assert_int_equal(sgd_token_read((struct sg_str){(const char *)bytes, len}, &token),
                     SGD_GATE_allowed);
    assert_true(sg_str_eq(token.payload, SG_STR("This is the content.")));
    assert_true(sgd_token_mac_holds(&token, &key));
    bytes[len - 1] ^= 1;
    assert_false(sgd_token_mac_holds(&token, &key));
    (void)fixture;
}

static void what_is_not_our_cose_is_refused(void **fixture)
{
    static const struct {
        enum sgd_gate_verdict verdict;
        const char *hex;
    } rows[] = {
        {SGD_GATE_malformed, ""},
        {SGD_GATE_malformed, WG_MAC0}, /* without the CWT tag */
        {SGD_GATE_malformed, "d83d" WG_MAC0 "00"},
        {SGD_GATE_malformed, "d83dd83d" WG_MAC0},
        {SGD_GATE_malformed, "d83d d2 84 43a10105 a0 41 00 41 00"}, /* COSE_Sign1 */
        {SGD_GATE_malformed, "d83d d1 83 43a10105 a0 41 00"},
        {SGD_GATE_malformed, "d83d d1 84 43a10105 a0 f6 41 00"},            /* detached payload */
        {SGD_GATE_malformed, "d83d d1 84 43a10105 a0 41 00 41 00"},         /* a short tag */
        {SGD_GATE_alg, "d83d d1 84 43a10104 a0 41 00 48 0000000000000000"}, /* HMAC 256/64 */
        {SGD_GATE_alg, "d83d d1 84 43a10100 a0 41 00 40"},                  /* alg 0, "none" */
        {SGD_GATE_alg, "d83d d1 84 40 a0 41 00 40"},                        /* no alg */
        {SGD_GATE_alg, "d83d d1 84 41a0 a0 41 00 40"},
        {SGD_GATE_alg, "d83d d1 84 40 a10105 41 00 40"},       /* alg outside the MAC */
        {SGD_GATE_alg, "d83d d1 84 43a10105 a10100 41 00 40"}, /* and inside */
        {SGD_GATE_alg,
         "d83d d1 84 50 a3 0105 02 81 3a000111d3 3a000111d3 01 a0 41 00 40"}, /* crit */
        {SGD_GATE_malformed, "d83d d1 84 44a1010500 a0 41 00 40"},
        {SGD_GATE_malformed, "d83d d1 84 45a201050105 a0 41 00 40"}, /* a label twice */
        {SGD_GATE_malformed, "d83d d1 84 45a201050401 a0 41 00 40"}, /* a kid that is a number */
    };
    struct sgd_token token;
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        assert_int_equal(sgd_token_read(hex(rows[i].hex), &token), rows[i].verdict);
    static char large[SGD_TOKEN_BYTES_MAX + 1];
    assert_int_equal(sgd_token_read((struct sg_str){large, sizeof(large)}, &token),
                     SGD_GATE_too_large);
    (void)fixture;
}

static void a_kid_stands_inside_or_outside_but_not_twice(void **fixture)
{
#define TAG32 "5820 0000000000000000000000000000000000000000000000000000000000000000"
    struct sgd_token token;
    assert_int_equal(sgd_token_read(hex("d83d d1 84 47a2010504 426b31 a0 41 00" TAG32), &token),
                     SGD_GATE_allowed);
    assert_true(sg_str_eq(token.kid, SG_STR("k1")));
    assert_int_equal(sgd_token_read(hex("d83d d1 84 43a10105 a104426b32 41 00" TAG32), &token),
                     SGD_GATE_allowed);
    assert_true(sg_str_eq(token.kid, SG_STR("k2")));
    assert_int_equal(
        sgd_token_read(hex("d83d d1 84 47a2010504 426b31 a104426b32 41 00" TAG32), &token),
        SGD_GATE_malformed);
    (void)fixture;
}

/* Or its holder could write it in as many ways as it likes, each with a name of its own to be
 * revoked by, and viewers of its own. */
static void nothing_but_a_kid_stands_where_the_mac_does_not_reach(void **fixture)
{
    static const char *const open[] = {"a1 1863 01", "a1 6178 01",          "a1 00 00",
                                       "a1 3863 40", "a2 04426b32 1863 01", "a1 0c 40"};
    struct sgd_token token;
    for (size_t i = 0; i < SG_COUNT(open); i++) {
        char text[256];
        snprintf(text, sizeof(text), "d83d d1 84 43a10105 %s 41 00" TAG32, open[i]);
        assert_int_equal(sgd_token_read(hex(text), &token), SGD_GATE_malformed);
    }
    assert_int_equal(sgd_token_read(hex("d83d d1 84 46a20105186301 a0 41 00" TAG32), &token),
                     SGD_GATE_allowed); /* within it, it changes nothing */
    (void)fixture;
}

static void a_kid_is_region_tenant_and_epoch(void **fixture)
{
    static const char *const bad[] = {"",       "a",      "a/b",    "a/b/",
                                      "a/b/x",  "a/b/-1", "a/b/01", "a/b/4294967296",
                                      "a/b/1 ", "//",     "a/b/1/"};
    struct sgd_kid kid;
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_int_equal(sgd_kid_read(sg_str_from(bad[i]), &kid), SGD_GATE_key_unknown);
    assert_int_equal(sgd_kid_read(SG_STR("eu/acme/20415"), &kid), SGD_GATE_allowed);
    assert_true(sg_str_eq(kid.region, SG_STR("eu")) && sg_str_eq(kid.tenant, SG_STR("acme")));
    assert_int_equal(kid.epoch, 20415);
    assert_int_equal(sgd_kid_read(SG_STR("eu/acme/0"), &kid), SGD_GATE_allowed);
    (void)fixture;
}

static void claims_that_we_cannot_enforce_are_refused(void **fixture)
{
    static const struct {
        enum sgd_gate_verdict verdict;
        const char *hex;
    } rows[] = {
        {SGD_GATE_allowed, "a20409190138a103a101632f612f"}, /* the least that is a token */
        {SGD_GATE_allowed,
         "a50409190138a103a101632f612f20f63a00011170a10181023a0001869e6178"}, /* private claims are
                                                                                 their maker's */
        {SGD_GATE_allowed, "a40409190138a103a101632f612f1901340019013601"},
        {SGD_GATE_allowed,
         "a30409190138a103a101632f612f3a000111718101"},       /* a rule's version alone */
        {SGD_GATE_malformed, "a1190138a103a101632f612f"},     /* no exp: good for ever */
        {SGD_GATE_malformed, "a20400190138a103a101632f612f"}, /* exp 0 */
        {SGD_GATE_malformed, "a20420190138a103a101632f612f"},
        {SGD_GATE_malformed, "a2046139190138a103a101632f612f"},
        {SGD_GATE_malformed,
         "a2041b1000000000000000190138a103a101632f612f"}, /* seconds that are no time */
        {SGD_GATE_malformed, "a10409"},                   /* no catu: good for everything */
        {SGD_GATE_claim_unknown, "a20409190138a0"},       /* a catu that asks for nothing */
        {SGD_GATE_claim_unknown, "a20409190138a103a0"},
        {SGD_GATE_claim_unknown, "a20409190138a103a10160"}, /* an empty prefix is every path's */
        {SGD_GATE_claim_unknown, "a20409190138a103a10481622e2a"}, /* regular expressions */
        {SGD_GATE_claim_unknown, "a20409190138a103a1036161"},     /* contains */
        {SGD_GATE_claim_unknown,
         "a20409190138a103a201632f612f04816178"}, /* beside one that we know */
        {SGD_GATE_claim_unknown, "a20409190138a103a120581f00000000000000000000000000000000000000000"
                                 "000000000000000000000"}, /* a hash of another length */
        {SGD_GATE_claim_unknown,
         "a20409190138a200a10065687474707303a101632f612f"}, /* parts of the URI that we don't judge
                                                             */
        {SGD_GATE_claim_unknown, "a20409190138a104a1006171"},
        {SGD_GATE_claim_unknown, "a204091901388101"},
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f08a0"}, /* cnf: proof on every request */
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f190141a0"},       /* catdpop */
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f1901356178"},     /* catpor */
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f19013a81626832"}, /* catalpn */
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f19013ba161616162"}, /* cath: a header that a client may leave
                                                             out */
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f0001"},
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f1a0001869f01"},
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f6365787009"}, /* names as labels */
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f19013401"}, /* catreplay: once only */
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f19013602"}, /* catv: another version */
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f19013780"}, /* catnip: no network at all */
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f19013781693139322e302e322e31"},
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f1901378100"},
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f19013781d834450000000000"},
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f19013781d8348218214400000000"},
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f19013781d8368208510000000000000000000000000000000000"},
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f19013781d8354400000000"},
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f19013781d8348244000000001818"}, /* an interface, not a network
                                                                       */
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f190137910101010101010101010101010101010101"}, /* more than are
                                                                                       held */
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f19013c80"},
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f19013c816555532d4341"}, /* parts of countries */
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f19013c624445"},
        {SGD_GATE_malformed, "a30409190138a103a101632f612f19013963474554"},
        {SGD_GATE_malformed,
         "a30409190138a103a101632f612f074f000000000000000000000000000000"}, /* cti */
        {SGD_GATE_malformed, "a30409190138a103a101632f612f077030313233343536373839616263646566"},
        {SGD_GATE_malformed, "a30409190138a103a101632f612f03816161"}, /* aud: one tenant */
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f3a000111718a0182480000000000000000018248000000000000000001824"
         "80000000000000000018248000000000000000001824800000000000000000182480000000000000000018248"
         "00000000000000000182480000000000000000018248000000000000000001"}, /* facts: too many */
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f3a00011171820182470000000000000001"},
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f3a0001117182018248000000000000000020"},
        {SGD_GATE_claim_unknown, "a30409190138a103a101632f612f3a00011171820181480000000000000000"},
        {SGD_GATE_claim_unknown,
         "a30409190138a103a101632f612f3a000111731b0000000100000000"},         /* index */
        {SGD_GATE_malformed, "a30409190138a103a101632f612f190142a104190133"}, /* catif */
        {SGD_GATE_malformed, "a30409190138a103a101632f612f190142a10481190133"},
        {SGD_GATE_allowed, "a30409190138a103a101632f612f190142a20483190133a1684c6f636174696f6e662f7"
                           "2656e6577636b696407820102"},
        {SGD_GATE_malformed, "8101"}, /* no map */
    };
    struct sgd_claims claims;
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        assert_int_equal(sgd_claims_read(hex(rows[i].hex), &claims), rows[i].verdict);
    (void)fixture;
}

/* The payload is gone through once, so each reader asks what sg_cbor_check() would. */
static void claims_that_could_be_read_two_ways_are_refused(void **fixture)
{
    static const struct {
        enum sgd_gate_verdict verdict;
        const char *hex;
    } rows[] = {
        {SGD_GATE_allowed, "a320f6190138a103a101632f612f0409"},
        {SGD_GATE_malformed, "a304090409190138a103a101632f612f"},
        {SGD_GATE_malformed, "a4040920f6190138a103a101632f612f0409"},
        {SGD_GATE_malformed, "a4040920f6190138a103a101632f612f20f6"},
        {SGD_GATE_claim_unknown, "a20409190138a103a201632f612f01632f612f"},
        {SGD_GATE_claim_unknown, "a20409190138a203a101632f612f03a101632f612f"},
        {SGD_GATE_malformed, "a30409190138a103a101632f612f20a201020103"},
        {SGD_GATE_malformed, "a20409190138a103a101632f612f00"},     /* something behind */
        {SGD_GATE_malformed, "a30409190138a103a101632f612f0161ff"}, /* no UTF-8 */
        {SGD_GATE_malformed, "a30409190138a103a101632f612f1901398161ff"},
        {SGD_GATE_claim_unknown, "a20409190138a103a10162c320"},
        {SGD_GATE_malformed, "a30409190138a103a101632f612f2061ff"},
        {SGD_GATE_allowed, "a30409190138a103a101632f612f2081818181818100"}, /* eight deep */
        {SGD_GATE_malformed, "a30409190138a103a101632f612f208181818181818100"},
        {SGD_GATE_malformed, "b8410409"}, /* more claims than a map may have */
    };
    struct sgd_claims claims;
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        assert_int_equal(sgd_claims_read(hex(rows[i].hex), &claims), rows[i].verdict);
        assert_int_equal(sg_cbor_check(hex(rows[i].hex)), rows[i].verdict == SGD_GATE_allowed);
    }
    (void)fixture;
}

static void hosts_and_paths_match_as_their_kind_says(void **fixture)
{
    uint8_t digest[SG_SHA256_BYTES];
    sg_sha256("/a/b", 4, digest);
    const struct sg_str hash = {(const char *)digest, sizeof(digest)};
    const struct {
        struct sgd_match match;
        const char *authority, *path;
        enum sgd_gate_verdict verdict;
    } rows[] = {
        {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("h.example")},
         "h.example",
         "/",
         SGD_GATE_allowed},
        {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("H.Example")},
         "h.example:1",
         "/",
         SGD_GATE_allowed},
        {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("h.example")},
         "h.example.evil",
         "/",
         SGD_GATE_host},
        {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("[::1]")}, "[::1]:80", "/", SGD_GATE_allowed},
        {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("[::1]")}, "[::1]", "/", SGD_GATE_allowed},
        {{SGD_MATCH_HOST, SGD_MATCH_SUFFIX, SG_STR(".h.example")},
         "a.h.example",
         "/",
         SGD_GATE_allowed},
        {{SGD_MATCH_HOST, SGD_MATCH_SUFFIX, SG_STR(".h.example")}, "h.example", "/", SGD_GATE_host},
        {{SGD_MATCH_PATH, SGD_MATCH_PREFIX, SG_STR("/a/")}, "h", "/a/b", SGD_GATE_allowed},
        {{SGD_MATCH_PATH, SGD_MATCH_PREFIX, SG_STR("/a/")}, "h", "/A/b", SGD_GATE_path},
        {{SGD_MATCH_PATH, SGD_MATCH_PREFIX, SG_STR("/a/")}, "h", "/a", SGD_GATE_path},
        {{SGD_MATCH_PATH, SGD_MATCH_EXACT, SG_STR("/a/b")}, "h", "/a/b", SGD_GATE_allowed},
        {{SGD_MATCH_PATH, SGD_MATCH_EXACT, SG_STR("/a/b")}, "h", "/a/bc", SGD_GATE_path},
        {{SGD_MATCH_PATH, SGD_MATCH_SUFFIX, SG_STR(".m4s")}, "h", "/a/b.m4s", SGD_GATE_allowed},
        {{SGD_MATCH_PATH, SGD_MATCH_SUFFIX, SG_STR(".m4s")}, "h", "m4s", SGD_GATE_path},
        {{SGD_MATCH_PATH, SGD_MATCH_SHA256, hash}, "h", "/a/b", SGD_GATE_allowed},
        {{SGD_MATCH_PATH, SGD_MATCH_SHA256, hash}, "h", "/a/c", SGD_GATE_path},
        {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("h")}, "", "/", SGD_GATE_host},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_claims claims = {.matches_count = 1, .matches = {rows[i].match}};
        assert_int_equal(
            sgd_check_uri(&claims, sg_str_from(rows[i].authority), sg_str_from(rows[i].path)),
            rows[i].verdict);
    }
    struct sgd_claims both = {.matches_count = 2, .matches = {rows[7].match, rows[12].match}};
    assert_int_equal(sgd_check_uri(&both, SG_STR("h"), SG_STR("/a/b.m4s")), SGD_GATE_allowed);
    assert_int_equal(sgd_check_uri(&both, SG_STR("h"), SG_STR("/a/b.mpd")), SGD_GATE_path);
    (void)fixture;
}

static void keys_are_those_that_docs_tokens_md_tells_back_ends_to_derive(void **fixture)
{
    /* By another HKDF: node -e
     * "c=require('crypto');k=c.hkdfSync('sha256','0123456789abcdef0123456789abcdef',
     * '','streamgate/tenant/acme',32);console.log(Buffer.from(k).toString('hex'),Buffer.from(
     * c.hkdfSync('sha256',Buffer.from(k),'','streamgate/epoch/20415',32)).toString('hex'))" */
    uint8_t tenant[SGD_KEY_BYTES], epoch[SGD_KEY_BYTES], want[SGD_KEY_BYTES];
    sgd_key_tenant("0123456789abcdef0123456789abcdef", 32, SG_STR("acme"), tenant);
    sgt_hex("3b1ba8d33cd960cc89879e6f2ef249cf7291752e928b8372152353a90ecf947f", want, sizeof(want));
    assert_memory_equal(tenant, want, sizeof(want));
    sgd_key_epoch(tenant, 20415, epoch);
    sgt_hex("2f84f22cf70c58b3bd546513110cfa6de6648580eb0d83a3ade4704ac0210870", want, sizeof(want));
    assert_memory_equal(epoch, want, sizeof(want));
    (void)fixture;
}

static void what_is_minted_is_read_back_whole(void **fixture)
{
    static char memory[SGD_TOKEN_TEXT_MAX];
    static uint8_t bytes[SGD_TOKEN_BYTES_MAX];
    struct sgd_claims in = {
        .issuer = SG_STR("sg:acme"),
        .subject = SG_STR("0123456789abcdef"),
        .subject_is_bytes = true,
        .audience = SG_STR("acme"),
        .expires_s = 1764003600,
        .not_before_s = 1764000000,
        .issued_s = 1764000001,
        .cti = "fifteen letters",
        .has_methods = true,
        .methods = SG_BIT(SGD_METHOD_GET) | SG_BIT(SGD_METHOD_PATCH),
        .has_facts = true,
        .rule_version = 3,
        .facts_count = 2,
        .facts = {{0x0102030405060708, 9}, {UINT64_MAX, UINT64_MAX}},
        .has_index = true,
        .index = UINT32_MAX,
        .viewers = 4,
        .networks_count = 3,
        .networks = {{.address = {[10] = 0xff, [11] = 0xff, [12] = 10}, .bits = 104},
                     {.address = {0x20, 1}, .bits = 16},
                     {.asn = 64496}},
        .countries_count = 2,
        .countries = {"DE", "FR"},
        .matches_count = 3,
        .matches = {{SGD_MATCH_HOST, SGD_MATCH_SUFFIX, SG_STR(".example")},
                    {SGD_MATCH_PATH, SGD_MATCH_PREFIX, SG_STR("/a/")},
                    {SGD_MATCH_PATH, SGD_MATCH_SUFFIX, SG_STR(".m4s")}},
        .renewal = SG_STR("https://h.example/renew"),
    };
    struct sgd_claims out;
    struct sgd_token token;
    struct sg_hmac_key key;
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    const struct sgd_kid kid = {SG_STR("eu"), SG_STR("acme"), 20415};
    size_t len;
    sg_hmac_key_init(&key, "key", 3);
    assert_int_equal(sgd_mint(&in, &kid, &key, &text), SG_OK);
    assert_true(sg_b64url_read(sg_out_view(&text), bytes, sizeof(bytes), &len));
    assert_int_equal(sgd_token_read((struct sg_str){(const char *)bytes, len}, &token),
                     SGD_GATE_allowed);
    assert_true(sg_str_eq(token.kid, SG_STR("eu/acme/20415")));
    assert_true(sgd_token_mac_holds(&token, &key));
    assert_int_equal(sgd_claims_read(token.payload, &out), SGD_GATE_allowed);
    assert_true(sg_str_eq(out.issuer, in.issuer) && sg_str_eq(out.subject, in.subject));
    assert_true(out.subject_is_bytes);
    assert_true(sg_str_eq(out.audience, in.audience) && sg_str_eq(out.renewal, in.renewal));
    assert_true(out.expires_s == in.expires_s && out.not_before_s == in.not_before_s);
    assert_true(out.issued_s == in.issued_s && out.has_cti && out.has_methods);
    assert_memory_equal(out.cti, in.cti, sizeof(in.cti));
    assert_true(out.methods == in.methods && out.index == in.index && out.has_index);
    assert_true(out.viewers == 4 && out.rule_version == 3);
    assert_true(out.facts_count == 2 && out.networks_count == 3 && out.countries_count == 2);
    assert_memory_equal(out.facts, in.facts, 2 * sizeof(in.facts[0]));
    assert_memory_equal(out.countries, in.countries, 2 * sizeof(in.countries[0]));
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(out.networks[i].address, in.networks[i].address, 16);
        assert_true(out.networks[i].bits == in.networks[i].bits);
        assert_true(out.networks[i].asn == in.networks[i].asn);
        assert_true(out.matches[i].part == in.matches[i].part);
        assert_true(out.matches[i].kind == in.matches[i].kind);
        assert_true(sg_str_eq(out.matches[i].value, in.matches[i].value));
    }
    (void)fixture;
}

static void a_token_larger_than_one_may_be_is_not_minted(void **fixture)
{
    static char memory[2 * SGD_TOKEN_TEXT_MAX], big[SGD_TOKEN_BYTES_MAX];
    struct sgd_claims claims = {.expires_s = 9,
                                .subject = {big, sizeof(big) - 200},
                                .matches_count = 1,
                                .matches = {{SGD_MATCH_PATH, SGD_MATCH_PREFIX, SG_STR("/")}}};
    const struct sgd_kid kid = {SG_STR("eu"), SG_STR("acme"), 1};
    struct sg_hmac_key key;
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    sg_hmac_key_init(&key, "key", 3);
    assert_int_equal(sgd_mint(&claims, &kid, &key, &text), SG_OK);
    assert_true(text.len <= SGD_TOKEN_TEXT_MAX);
    claims.subject.len = sizeof(big) - 60;
    text.len = 0;
    assert_int_equal(sgd_mint(&claims, &kid, &key, &text), SG_EMSGSIZE);
    text = sg_out_init(memory, 100);
    claims.subject.len = 16;
    assert_int_equal(sgd_mint(&claims, &kid, &key, &text), SG_EMSGSIZE);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_cose_groups_example_verifies),
    cmocka_unit_test(what_is_not_our_cose_is_refused),
    cmocka_unit_test(a_kid_stands_inside_or_outside_but_not_twice),
    cmocka_unit_test(nothing_but_a_kid_stands_where_the_mac_does_not_reach),
    cmocka_unit_test(a_kid_is_region_tenant_and_epoch),
    cmocka_unit_test(claims_that_we_cannot_enforce_are_refused),
    cmocka_unit_test(claims_that_could_be_read_two_ways_are_refused),
    cmocka_unit_test(hosts_and_paths_match_as_their_kind_says),
    cmocka_unit_test(keys_are_those_that_docs_tokens_md_tells_back_ends_to_derive),
    cmocka_unit_test(what_is_minted_is_read_back_whole),
    cmocka_unit_test(a_token_larger_than_one_may_be_is_not_minted),
};
SGT_MAIN("token", tests)
