/* Multisigs that the Squads SDK wrote, over a shim: do the members who signed a grant speak for the
 * vault? No program ran: shim.mjs says what that leaves open. */
#include "tests/sgt.h"

#include "base/base58.h"
#include "base/cbor.h"
#include "base/clock.h"
#include "controlplane/chain/onchain.h"
#include "controlplane/chain/solpda.h"
#include "controlplane/chain/squads.h"
#include "controlplane/sys/ed25519.h"
#include "tests/sgt_dir.h"
#include "tests/sgt_hex.h"
#include "tests/sgt_shim.h"

#include <string.h>

#define TEXT        64
#define MEMBERS_MAX 40

static struct sgt_shim shim;
static struct sgc_onchain *onchain;
static struct sgd_verify_key *countersigner;
static struct sgc_onchain_options asking;
static char dir[SGT_DIR_BYTES], key_file[SGT_DIR_BYTES + 16];

/* ---- keys and multisigs ---- */

static void key_of(const char *text, uint8_t out[32])
{
    assert_true(sg_base58_read(sg_str_from(text), out, 32));
}

struct member {
    char text[TEXT];
    uint8_t key[32];
};
static struct member members[MEMBERS_MAX]; /* ascending */

static int member_order(const void *a, const void *b)
{
    return memcmp(((const struct member *)a)->key, ((const struct member *)b)->key, 32);
}

static void members_make(void)
{
    for (int i = 0; i < MEMBERS_MAX; i++) {
        sgt_shim_ask(&shim, members[i].text, TEXT, "test_member", "[]");
        key_of(members[i].text, members[i].key);
    }
    qsort(members, MEMBERS_MAX, sizeof(members[0]), member_order);
}

/* Of members 0 .. count - 1, with permissions `masks` ("7", "5" ...; NULL: all), and `more` of the
 * shim's words. */
static void put_multisig(struct sg_out *out, int count, const char *masks, const char *more)
{
    sg_out_lit(out, "{\"members\":[");
    for (int i = 0; i < count; i++)
        sg_out_fmt(out, "%s{\"key\":\"%s\",\"mask\":%c}", i > 0 ? "," : "", members[i].text,
                   masks != NULL ? masks[i] : '7');
    sg_out_fmt(out, "],%s}", more);
    assert_false(out->full);
}

static void multisig_make(char address[TEXT], int count, const char *masks, const char *more)
{
    char memory[8192];
    struct sg_out params = sg_out_init(memory, sizeof(memory) - 1);
    sg_out_char(&params, '[');
    put_multisig(&params, count, masks, more);
    sg_out_char(&params, ']');
    memory[params.len] = '\0';
    sgt_shim_ask(&shim, address, TEXT, "test_multisig", memory);
}

static void multisig_change(const char *address, int count, const char *masks, const char *more)
{
    char memory[8192], nothing[TEXT];
    struct sg_out params = sg_out_init(memory, sizeof(memory) - 1);
    sg_out_fmt(&params, "[\"%s\",", address);
    put_multisig(&params, count, masks, more);
    sg_out_char(&params, ']');
    memory[params.len] = '\0';
    sgt_shim_ask(&shim, nothing, TEXT, "test_change", memory);
}

static void vault_of(const char *address, int index, uint8_t out[32])
{
    char params[128], text[TEXT];
    snprintf(params, sizeof(params), "[\"%s\",%d]", address, index);
    sgt_shim_ask(&shim, text, TEXT, "test_vault", params);
    key_of(text, out);
}

/* ---- grants ---- */

struct made {
    struct sgd_grant grant;
    char blob[SGD_GRANT_BYTES_MAX], header[128], payload[1024];
};

static void grant_make(struct made *made, const char *address, int vault)
{
    uint64_t now_s = sg_clock_wall_ns() / SG_NS_PER_SEC;
    struct sg_out header = sg_out_init(made->header, sizeof(made->header));
    struct sg_out payload = sg_out_init(made->payload, sizeof(made->payload));
    made->grant = (struct sgd_grant){
        .alg = SGD_GRANT_ON_CHAIN,
        .account = {.chain = {.ns = SG_CAIP_SOLANA, .solana = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"},
                    .address = {.len = 32}},
        .tenant = SG_STR("films"),
        .domain = SG_STR("play.example.org"),
        .expires_s = now_s + 3600,
        .not_before_s = now_s,
        .issued_s = now_s,
        .cti = {1},
        .ckt = {2},
        .matches_count = 2,
        .matches = {{SGD_MATCH_HOST, SGD_MATCH_EXACT, SG_STR("play.example.org")},
                    {SGD_MATCH_PATH, SGD_MATCH_PREFIX, SG_STR("/films/")}},
    };
    vault_of(address, vault, made->grant.account.address.bytes);
    sgd_grant_put_header(&header, &made->grant);
    sgd_grant_put_claims(&payload, &made->grant);
    made->grant.protected_header = sg_out_view(&header);
    made->grant.payload = sg_out_view(&payload);
}

static void sign(const struct sgd_grant *grant, const struct member *member, uint8_t out[64])
{
    char text_memory[SGD_GRANT_SIGNED_MAX], params_memory[3 * SGD_GRANT_SIGNED_MAX], hex[160];
    struct sg_out text = sg_out_init(text_memory, sizeof(text_memory));
    struct sg_out params = sg_out_init(params_memory, sizeof(params_memory) - 1);
    assert_int_equal(sgd_grant_put_signed(&text, grant), SG_OK);
    sg_out_fmt(&params, "[\"%s\",\"", member->text);
    sg_out_hex(&params, (const uint8_t *)text.ptr, text.len);
    sg_out_lit(&params, "\"]");
    params_memory[params.len] = '\0';
    sgt_shim_ask(&shim, hex, sizeof(hex), "test_sign", params_memory);
    assert_int_equal(sgt_hex(hex, out, 64), 64);
}

/* In the name of vault `vault` of `address`, by members[who[0]], ... up to -1. */
static void sign_all(struct made *made, const char *address, int vault, const int *who)
{
    struct sg_out blob = sg_out_init(made->blob, sizeof(made->blob));
    uint8_t account[32], signature[64];
    uint64_t count = 0;
    while (who[count] >= 0)
        count++;
    key_of(address, account);
    sg_cbor_put_array(&blob, 3);
    sg_cbor_put_bytes(&blob, account, 32);
    sg_cbor_put_uint(&blob, (uint64_t)vault);
    sg_cbor_put_array(&blob, count);
    for (; *who >= 0; who++) {
        sign(&made->grant, &members[*who], signature);
        sg_cbor_put_array(&blob, 2);
        sg_cbor_put_bytes(&blob, members[*who].key, 32);
        sg_cbor_put_bytes(&blob, signature, 64);
    }
    assert_false(blob.full);
    made->grant.signature = sg_out_view(&blob);
}
#define SIGNERS(...) ((const int[]){__VA_ARGS__, -1})

static enum sg_err ask(const struct made *made, uint8_t out[64])
{
    const struct sgd_onchain *seam = sgc_onchain_seam(onchain);
    return seam->ask(seam->ctx, &made->grant, 5000, out);
}

static enum sg_err asked(const char *address, int vault, const int *who)
{
    struct made made;
    uint8_t out[64];
    grant_make(&made, address, vault);
    sign_all(&made, address, vault, who);
    return ask(&made, out);
}

/* ---- tests ---- */

static void as_many_voters_as_the_threshold_says_speak_for_the_vault(void **fixture)
{
    struct sgd_verify_key *const keys[] = {countersigner};
    const struct sgd_grant_keys known = {.countersigners = keys, .countersigners_count = 1};
    char address[TEXT];
    struct made made;
    uint8_t countersignature[64];
    multisig_make(address, 3, NULL, "\"threshold\":2");
    grant_make(&made, address, 0);
    sign_all(&made, address, 0, SIGNERS(0, 2));
    assert_int_equal(sgd_grant_verify(&made.grant, &known), SGD_GRANT_on_chain); /* go and ask */
    assert_int_equal(ask(&made, countersignature), SG_OK);
    made.grant.countersignature = (struct sg_str){(char *)countersignature, 64};
    assert_int_equal(sgd_grant_verify(&made.grant, &known), SGD_GRANT_allowed);
    assert_int_equal(asked(address, 0, SIGNERS(0, 1, 2)), SG_OK);
    assert_int_equal(asked(address, 0, SIGNERS(1)), SG_EAUTH);
    assert_int_equal(asked(address, 3, SIGNERS(0, 1)), SG_OK); /* another vault of the same */
    (void)fixture;
}

static void every_bit_of_what_the_members_signed_counts(void **fixture)
{
    const struct sgd_grant_keys none = {.countersigners_count = 0};
    char address[TEXT];
    struct made made;
    uint8_t out[64];
    multisig_make(address, 2, NULL, "\"threshold\":2");
    grant_make(&made, address, 0);
    sign_all(&made, address, 0, SIGNERS(0, 1));
    assert_int_equal(ask(&made, out), SG_OK);
    for (size_t bit = 0; bit < made.grant.signature.len * 8; bit += 13) {
        made.blob[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(ask(&made, out), SG_EAUTH);
        made.blob[bit / 8] ^= (char)(1 << bit % 8);
    }
    made.grant.cti[0] ^= 1; /* another grant than the one signed */
    assert_int_equal(ask(&made, out), SG_EAUTH);
    assert_int_equal(sgd_grant_verify(&made.grant, &none),
                     SGD_GRANT_signature); /* seen at the edge */
    made.grant.cti[0] ^= 1;
    made.grant.signature.len--;
    assert_int_equal(ask(&made, out), SG_EAUTH);
    made.grant.signature.len += 2; /* a byte behind it */
    assert_int_equal(ask(&made, out), SG_EAUTH);
    made.grant.signature.len--;
    assert_int_equal(ask(&made, out), SG_OK);
    (void)fixture;
}

static void who_signs_twice_or_may_not_vote_or_is_no_member_counts_for_nothing(void **fixture)
{
    char address[TEXT];
    multisig_make(address, 4, "7572", "\"threshold\":2"); /* the second may propose and execute */
    assert_int_equal(asked(address, 0, SIGNERS(0, 2)), SG_OK);
    assert_int_equal(asked(address, 0, SIGNERS(0, 3)), SG_OK);
    assert_int_equal(asked(address, 0, SIGNERS(0, 1)), SG_EAUTH);
    assert_int_equal(asked(address, 0, SIGNERS(0, 1, 2)), SG_OK);
    assert_int_equal(asked(address, 0, SIGNERS(0, 5)), SG_EAUTH);
    assert_int_equal(asked(address, 0, SIGNERS(0, 0)), SG_EAUTH);
    assert_int_equal(asked(address, 0, SIGNERS(2, 0)), SG_EAUTH); /* not ascending */
    assert_int_equal(asked(address, 0, (const int[]){-1}), SG_EAUTH);
    (void)fixture;
}

static void a_vault_of_another_index_or_multisig_is_not_theirs(void **fixture)
{
    char ours[TEXT], others[TEXT];
    struct made made;
    uint8_t out[64];
    multisig_make(ours, 1, NULL, "\"threshold\":1");
    multisig_make(others, 1, NULL, "\"threshold\":1");
    grant_make(&made, ours, 1);
    sign_all(&made, ours, 0, SIGNERS(0));
    assert_int_equal(ask(&made, out), SG_EAUTH);
    grant_make(&made, ours, 0);
    sign_all(&made, others, 0, SIGNERS(0));
    assert_int_equal(ask(&made, out), SG_EAUTH);
    grant_make(&made, ours, 0);
    key_of(members[0].text, made.grant.account.address.bytes); /* a member is no vault */
    sign_all(&made, ours, 0, SIGNERS(0));
    assert_int_equal(ask(&made, out), SG_EAUTH);
    sign_all(&made, ours, 0, SIGNERS(0));
    grant_make(&made, ours, 0);
    sign_all(&made, ours, 0, SIGNERS(0));
    assert_int_equal(ask(&made, out), SG_OK);
    (void)fixture;
}

static void accounts_that_are_no_multisig_of_the_program_say_no(void **fixture)
{
    static const struct {
        const char *what, *how;
        enum sg_err want;
    } rows[] = {
        {"as it is", "\"threshold\":1", SG_OK},
        {"with a rent collector", "\"threshold\":1,\"collector\":true", SG_OK},
        {"with room behind", "\"threshold\":1,\"more\":\"0000000000000000\"", SG_OK},
        {"with a time lock", "\"threshold\":1,\"timeLock\":86400", SG_OK},
        {"of another program",
         "\"threshold\":1,\"owner\":\"SMPLecH534NA9acpos4G6x7uf3LWbCAwZQE9e8ZekMu\"", SG_EAUTH},
        {"of the system", "\"threshold\":1,\"owner\":\"11111111111111111111111111111111\"",
         SG_EAUTH},
        {"closed", "\"gone\":true", SG_EAUTH},
        {"empty", "\"bytes\":\"\"", SG_EAUTH},
        {"of another kind", "\"bytes\":\"e07479ba44a14fed0000000000000000\"", SG_EAUTH},
        {"with a threshold of nobody", "\"threshold\":0", SG_EAUTH},
        {"with a threshold of more than vote", "\"threshold\":2", SG_EAUTH},
        {"with more stale transactions than there were", "\"threshold\":1,\"stale\":4", SG_EAUTH},
    };
    char address[TEXT];
    multisig_make(address, 1, NULL, "\"threshold\":1");
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        multisig_change(address, 1, NULL, rows[i].how);
        if (asked(address, 0, SIGNERS(0)) != rows[i].want)
            fail_msg("%s", rows[i].what);
    }
    (void)fixture;
}

/* A member who was removed may stand in the room behind the others. */
static void who_was_a_member_is_none(void **fixture)
{
    char address[TEXT], memory[256];
    struct sg_out more = sg_out_init(memory, sizeof(memory) - 1);
    multisig_make(address, 2, NULL, "\"threshold\":2");
    assert_int_equal(asked(address, 0, SIGNERS(0, 1)), SG_OK);
    sg_out_lit(&more, "\"threshold\":1,\"more\":\"");
    sg_out_hex(&more, members[1].key, 32);
    sg_out_lit(&more, "07\"");
    memory[more.len] = '\0';
    multisig_change(address, 1, NULL, memory);
    assert_int_equal(asked(address, 0, SIGNERS(1)), SG_EAUTH);
    assert_int_equal(asked(address, 0, SIGNERS(0)), SG_OK);
    (void)fixture;
}

static void as_many_sign_as_a_grant_has_room_for(void **fixture)
{
    char address[TEXT];
    int who[MEMBERS_MAX];
    for (int i = 0; i < 33; i++)
        who[i] = i;
    multisig_make(address, MEMBERS_MAX, NULL, "\"threshold\":32");
    who[32] = -1;
    assert_int_equal(asked(address, 0, who), SG_OK);
    who[32] = 32;
    who[33] = -1;
    assert_int_equal(asked(address, 0, who), SG_EAUTH);
    (void)fixture;
}

/* Any byte of the account changed, cut or moved: a no, or what it says is as sound. */
static void no_spoilt_account_is_read_past_its_end(void **fixture)
{
    char address[TEXT], params[96], hex[2048];
    uint8_t bytes[1024];
    multisig_make(address, 3, "723", "\"threshold\":2,\"collector\":true");
    snprintf(params, sizeof(params), "[\"%s\"]", address);
    sgt_shim_ask(&shim, hex, sizeof(hex), "test_bytes", params);
    size_t len = sgt_hex(hex, bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= len; cut++) {
        uint8_t *exact = malloc(cut + 1); /* so that a sanitizer sees what is read behind */
        struct sgc_squads squads;
        memcpy(exact, bytes, cut);
        const struct sgc_sol_account account = {
            .exists = true, .program = SGC_SOL_SQUADS, .data = exact, .data_len = cut};
        assert_int_equal(sgc_squads_read(&account, &squads), cut == len);
        free(exact);
    }
    struct sgc_squads squads;
    const struct sgc_sol_account account = {
        .exists = true, .program = SGC_SOL_SQUADS, .data = bytes, .data_len = len};
    assert_true(sgc_squads_read(&account, &squads));
    assert_int_equal(squads.threshold, 2);
    assert_int_equal(squads.members_count, 3);
    assert_int_equal(squads.transaction_index, 3);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (sgc_squads_read(&account, &squads))
            assert_true(squads.threshold > 0 && squads.threshold <= squads.members_count &&
                        squads.members_count <= 3);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    (void)fixture;
}

static void addresses_are_derived_as_the_sdk_derives_them(void **fixture)
{
    char params[128], text[TEXT];
    uint8_t ours[32], theirs[32];
    for (int i = 0; i < 40; i++) {
        snprintf(params, sizeof(params), "[\"%.63s\",%d]", members[i].text, i * 6);
        sgt_shim_ask(&shim, text, TEXT, "test_vault", params);
        key_of(text, theirs);
        assert_int_equal(sgc_squads_vault(members[i].key, (uint8_t)(i * 6), ours), SG_OK);
        assert_memory_equal(ours, theirs, 32);
    }
    (void)fixture;
}

static void points_of_the_curve_are_told_as_the_sdk_tells_them(void **fixture)
{
    char memory[16384], said[256];
    uint8_t bytes[200][32];
    struct sg_out params = sg_out_init(memory, sizeof(memory) - 1);
    sg_out_lit(&params, "[[");
    for (int i = 0; i < 200; i++) {
        sg_sha256(&i, sizeof(i), bytes[i]);
        sg_out_fmt(&params, "%s\"", i > 0 ? "," : "");
        sg_base58_put(&params, bytes[i], 32);
        sg_out_char(&params, '"');
    }
    sg_out_lit(&params, "]]");
    memory[params.len] = '\0';
    sgt_shim_ask(&shim, said, sizeof(said), "test_points", memory);
    uint32_t points = 0;
    for (int i = 0; i < 200; i++) {
        bool is_point;
        assert_int_equal(sgc_ed25519_is_point(bytes[i], &is_point), SG_OK);
        assert_int_equal(is_point, said[i] == '1');
        points += is_point;
    }
    assert_in_range(points, 60, 140);
    /* x = 0 under either sign; y of the order-4 points; 2 is none. */
    static const struct {
        uint8_t first, last;
        bool is_point;
    } rows[] = {{1, 0, true}, {1, 0x80, true}, {0, 0, true}, {2, 0, false}};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        uint8_t y[32] = {[0] = rows[i].first, [31] = rows[i].last};
        bool is_point;
        assert_int_equal(sgc_ed25519_is_point(y, &is_point), SG_OK);
        assert_int_equal(is_point, rows[i].is_point);
    }
    (void)fixture;
}

/* ---- the servers ---- */

static void servers_of_another_cluster_are_not_believed(void **fixture)
{
    struct sgc_onchain_chain elsewhere = asking.chains[0];
    struct sgc_onchain_options wrong = asking;
    char address[TEXT];
    struct made made;
    uint8_t out[64];
    wrong.chains = &elsewhere;
    snprintf(elsewhere.chain.solana, sizeof(elsewhere.chain.solana),
             "EtWTRABZaYq6iMfeYKouRu166VU2xqa1");
    multisig_make(address, 1, NULL, "\"threshold\":1");
    grant_make(&made, address, 0);
    made.grant.account.chain = elsewhere.chain;
    sign_all(&made, address, 0, SIGNERS(0));
    assert_int_equal(sgc_onchain_set(onchain, &wrong), SG_OK);
    assert_int_equal(ask(&made, out), SG_ENOTSUP);
    assert_int_equal(sgc_onchain_set(onchain, &asking), SG_OK);
    assert_int_equal(ask(&made, out), SG_ENOTSUP); /* and devnet has no servers here */
    (void)fixture;
}

static int set_up(void)
{
    char public[SGT_DIR_BYTES + 16];
    sgt_dir_make(dir);
    snprintf(key_file, sizeof(key_file), "%s/key.pem", dir);
    snprintf(public, sizeof(public), "%s/public.pem", dir);
    if (sgc_ed25519_make(key_file, public) != SG_OK ||
        sgd_verify_key_load(public, &countersigner) != SG_OK)
        return -1;
    static struct sgc_rpc_options server;
    server.url = shim.url;
    static const struct sgc_onchain_chain chains[] = {{
        .chain = {.ns = SG_CAIP_SOLANA, .solana = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"},
        .servers = {.servers = &server, .count = 1, .agree = 1},
    }};
    asking = (struct sgc_onchain_options){.key_file = key_file, .chains = chains, .count = 1};
    members_make();
    return sgc_onchain_open(&onchain) == SG_OK && sgc_onchain_set(onchain, &asking) == SG_OK ? 0
                                                                                             : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_voters_as_the_threshold_says_speak_for_the_vault),
        cmocka_unit_test(every_bit_of_what_the_members_signed_counts),
        cmocka_unit_test(who_signs_twice_or_may_not_vote_or_is_no_member_counts_for_nothing),
        cmocka_unit_test(a_vault_of_another_index_or_multisig_is_not_theirs),
        cmocka_unit_test(accounts_that_are_no_multisig_of_the_program_say_no),
        cmocka_unit_test(who_was_a_member_is_none),
        cmocka_unit_test(as_many_sign_as_a_grant_has_room_for),
        cmocka_unit_test(no_spoilt_account_is_read_past_its_end),
        cmocka_unit_test(addresses_are_derived_as_the_sdk_derives_them),
        cmocka_unit_test(points_of_the_curve_are_told_as_the_sdk_tells_them),
        cmocka_unit_test(servers_of_another_cluster_are_not_believed),
    };
    char command[4096], script[4096];
    snprintf(command, sizeof(command), "'%s' '%s' '%s' >&2", getenv("SG_SQUADS_PREPARE"),
             getenv("SG_SQUADS_HERE"), getenv("SG_SQUADS_PACKAGES"));
    snprintf(script, sizeof(script), "%s/shim.mjs", getenv("SG_SQUADS_HERE"));
    if (system(command) != 0 || !sgt_shim_start(&shim, script))
        return SGT_SKIP;
    int failed = set_up();
    if (failed == 0)
        failed = sgt_main("squads_shim", tests, SG_COUNT(tests));
    sgc_onchain_close(onchain);
    sgd_verify_key_close(countersigner);
    sgt_dir_remove(dir);
    sgt_shim_stop(&shim);
    return failed;
}
