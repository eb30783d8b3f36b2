/* Smart wallets of a real anvil asked whether they signed a grant; the countersignature that
 * follows, judged by the edge's own code. */
#include "tests/sgt.h"

#include "base/clock.h"
#include "controlplane/chain/agreed.h"
#include "controlplane/chain/eip1271.h"
#include "controlplane/chain/onchain.h"
#include "tests/chain/anvil.h"
#include "tests/sgt_dir.h"

#include <string.h>
#include <sys/stat.h>

static struct sgt_anvil chain;
static struct sgc_onchain *onchain;
static struct sgc_servers *servers;
static struct sgd_verify_key *countersigner;
static char dir[SGT_DIR_BYTES], key_file[SGT_DIR_BYTES + 16], other_key_file[SGT_DIR_BYTES + 16];
static struct sgc_onchain_options asking;
static uint8_t wallet[20], factory[20];
static const uint8_t salt[32] = {7};

/* A grant of `account`, unsigned. */
static struct sgd_grant grant_of(const uint8_t account[20])
{
    uint64_t now_s = sg_clock_wall_ns() / SG_NS_PER_SEC;
    struct sgd_grant grant = {
        .alg = SGD_GRANT_ON_CHAIN,
        .account = {.chain = {.ns = SG_CAIP_EIP155, .evm_id = 31337}, .address = {.len = 20}},
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
    memcpy(grant.account.address.bytes, account, 20);
    return grant;
}

/* What `key` says to the grant's text, by EIP-191. */
static void sign(const struct sgd_grant *grant, const uint8_t key[20], uint8_t signature[65])
{
    char memory[SGD_GRANT_SIGNED_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    assert_int_equal(sgd_grant_put_signed(&text, grant), SG_OK);
    json_t *said = sgt_anvil_rpc(
        &chain, "eth_sign",
        json_pack("[s, s]", sgt_hex0x(key, 20), sgt_hex0x(memory, (uint32_t)text.len)));
    assert_int_equal(sgt_unhex0x(json_string_value(said), signature, 65), 65);
    json_decref(said);
}

static enum sg_err ask(const struct sgd_grant *grant, uint8_t out[64])
{
    const struct sgd_onchain *seam = sgc_onchain_seam(onchain);
    return seam->ask(seam->ctx, grant, 5000, out);
}

/* factory.create(owner, salt), wrapped around the signature as ERC-6492 has it. */
static uint32_t wrap(const uint8_t owner[20], const uint8_t *inner, uint32_t inner_len,
                     uint8_t out[2048])
{
    static const uint8_t create[4] = {0xa3, 0xde, 0xf9, 0x23};
    uint8_t call[68] = {0};
    memcpy(call, create, 4);
    memcpy(call + 16, owner, 20);
    memcpy(call + 36, salt, 32);
    memset(out, 0, 2048);
    memcpy(out + 12, factory, 20);
    out[63] = 0x60;
    out[94] = (uint8_t)((0x60 + 32 + 96) >> 8);
    out[95] = (uint8_t)(0x60 + 32 + 96);
    out[127] = sizeof(call);
    memcpy(out + 128, call, sizeof(call));
    out[254] = (uint8_t)(inner_len >> 8);
    out[255] = (uint8_t)inner_len;
    memcpy(out + 256, inner, inner_len);
    uint32_t len = 256 + (inner_len + 31) / 32 * 32;
    for (uint32_t i = 0; i < 32; i++)
        out[len + i] = i % 2 == 0 ? 0x64 : 0x92;
    return len + 32;
}

static void a_wallets_yes_is_countersigned_and_every_edge_believes_it(void **fixture)
{
    struct sgd_grant grant = grant_of(wallet), read;
    uint8_t signature[65], countersignature[64];
    char memory[SGD_GRANT_BYTES_MAX];
    struct sg_out whole = sg_out_init(memory, sizeof(memory));
    sign(&grant, chain.accounts[1], signature);
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    assert_int_equal(ask(&grant, countersignature), SG_OK);
    /* The grant as it travels, from bytes. */
    grant.countersignature = (struct sg_str){(char *)countersignature, sizeof(countersignature)};
    char header_memory[64], payload_memory[SGD_GRANT_BYTES_MAX];
    struct sg_out header = sg_out_init(header_memory, sizeof(header_memory));
    struct sg_out payload = sg_out_init(payload_memory, sizeof(payload_memory));
    sgd_grant_put_header(&header, &grant);
    sgd_grant_put_claims(&payload, &grant);
    grant.protected_header = sg_out_view(&header);
    grant.payload = sg_out_view(&payload);
    sgd_grant_put(&whole, &grant);
    assert_false(whole.full);
    assert_int_equal(sgd_grant_read(sg_out_view(&whole), &read), SGD_GRANT_allowed);
    struct sgd_verify_key *const keys[] = {countersigner};
    const struct sgd_grant_keys known = {.countersigners = keys, .countersigners_count = 1};
    assert_int_equal(sgd_grant_verify(&read, &known), SGD_GRANT_allowed);
    /* Every bit of it counts. */
    for (uint32_t bit = 0; bit < 512; bit++) {
        countersignature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        read.countersignature = grant.countersignature;
        assert_int_equal(sgd_grant_verify(&read, &known), SGD_GRANT_signature);
        countersignature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    (void)fixture;
}

static void anothers_signature_is_refused(void **fixture)
{
    struct sgd_grant grant = grant_of(wallet);
    uint8_t signature[65], out[64];
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    sign(&grant, chain.accounts[2], signature);
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    sign(&grant, chain.accounts[1], signature);
    signature[40] ^= 1;
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    signature[40] ^= 1;
    grant.cti[0] ^= 1; /* another grant than the one signed */
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    grant.cti[0] ^= 1;
    assert_int_equal(ask(&grant, out), SG_OK);
    (void)fixture;
}

static void a_wallet_whose_owner_changed_says_no(void **fixture)
{
    struct sgd_grant grant = grant_of(wallet);
    uint8_t signature[65], out[64];
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    sign(&grant, chain.accounts[1], signature);
    sgt_anvil_send(&chain, NULL, wallet, "setOwner(address)", "a", chain.accounts[5]);
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    sgt_anvil_send(&chain, NULL, wallet, "setOwner(address)", "a", chain.accounts[1]);
    assert_int_equal(ask(&grant, out), SG_OK);
    (void)fixture;
}

static void an_account_without_code_is_no_wallet(void **fixture)
{
    struct sgd_grant grant = grant_of(chain.accounts[1]);
    uint8_t signature[65], out[64];
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    sign(&grant, chain.accounts[1], signature);
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    (void)fixture;
}

static void a_wallet_that_is_not_deployed_yet_is_asked_by_way_of_its_factory(void **fixture)
{
    uint8_t said[32], inner[65], signature[2048], out[64], code[64];
    sgt_anvil_call(&chain, said, sizeof(said), factory, "addressOf(address,bytes32)", "aw",
                   chain.accounts[3], salt);
    struct sgd_grant grant = grant_of(said + 12);
    sign(&grant, chain.accounts[3], inner);
    grant.signature = (struct sg_str){(char *)signature,
                                      wrap(chain.accounts[3], inner, sizeof(inner), signature)};
    assert_int_equal(ask(&grant, out), SG_OK);
    /* Nothing was deployed by asking. */
    json_t *said_code = sgt_anvil_rpc(&chain, "eth_getCode",
                                      json_pack("[s, s]", sgt_hex0x(said + 12, 20), "latest"));
    assert_int_equal(sgt_unhex0x(json_string_value(said_code), code, sizeof(code)), 0);
    json_decref(said_code);
    /* Another's signature; another's wallet; a factory that makes another wallet. */
    sign(&grant, chain.accounts[4], inner);
    grant.signature.len = wrap(chain.accounts[3], inner, sizeof(inner), signature);
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    grant.signature.len = wrap(chain.accounts[4], inner, sizeof(inner), signature);
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    /* Once it stands there the wrapping is not needed, and does no harm. */
    sign(&grant, chain.accounts[3], inner);
    sgt_anvil_send(&chain, NULL, factory, "create(address,bytes32)", "aw", chain.accounts[3], salt);
    grant.signature.len = wrap(chain.accounts[3], inner, sizeof(inner), signature);
    assert_int_equal(ask(&grant, out), SG_OK);
    grant.signature = (struct sg_str){(char *)inner, sizeof(inner)};
    assert_int_equal(ask(&grant, out), SG_OK);
    (void)fixture;
}

static void wrapping_that_is_broken_is_a_no(void **fixture)
{
    uint8_t inner[65] = {0}, signature[2048], out[64];
    struct sgd_grant grant = grant_of(wallet);
    uint32_t len = wrap(chain.accounts[3], inner, sizeof(inner), signature);
    grant.signature = (struct sg_str){(char *)signature, len};
    signature[95] = 0xff; /* an offset out of bounds */
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    grant.signature = (struct sg_str){(char *)signature + len - 32, 32}; /* the mark alone */
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    (void)fixture;
}

/* As Solidity returns bytes of a contract's own making: OddWallet says what it was given. */
static void answers_that_are_no_yes_are_a_no(void **fixture)
{
    static uint8_t large[4096] = {0x16, 0x26, 0xba, 0x7e};
    static const struct {
        const char *what;
        uint32_t len;
        uint8_t bytes[64];
        enum sg_err want;
    } rows[] = {
        {"nothing", 0, {0}, SG_EAUTH},
        {"four bytes", 4, {0x16, 0x26, 0xba, 0x7e}, SG_EAUTH},
        {"true", 32, {[31] = 1}, SG_EAUTH},
        {"aligned to the right", 32, {[28] = 0x16, 0x26, 0xba, 0x7e}, SG_EAUTH},
        {"with something behind", 32, {0x16, 0x26, 0xba, 0x7e, 1}, SG_EAUTH},
        {"the magic", 32, {0x16, 0x26, 0xba, 0x7e}, SG_OK},
        {"the magic and another word", 64, {0x16, 0x26, 0xba, 0x7e}, SG_OK},
    };
    uint8_t odd[20], signature[65] = {0}, out[64];
    struct sgc_servers_stats stats;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sgt_anvil_deploy(&chain, odd, "OddWallet", "b", rows[i].len, rows[i].bytes);
        struct sgd_grant grant = grant_of(odd);
        grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
        if (ask(&grant, out) != rows[i].want)
            fail_msg("%s", rows[i].what);
    }
    sgt_anvil_deploy(&chain, odd, "OddWallet", "b", (uint32_t)sizeof(large), large);
    assert_int_equal(sgc_eip1271_ask(servers, odd, salt, SG_STR("x")), SG_EAUTH);
    sgc_servers_stats(servers, &stats); /* and the servers are not to blame for it */
    assert_int_equal(stats.in_use, 2);
    (void)fixture;
}

/* Whoever brings the signature wrote the wallet: each of these is a no, and none of them keeps the
 * servers from answering for others. */
static void a_wallet_that_goes_wrong_costs_itself_a_no_and_no_server(void **fixture)
{
    static const char *const codes[] = {
        "0xfe",
        "0x0c",
        "0x60006000fd",
        "0x50",
        "0x600556",
        "0x5b5a600056",
        "0x5b600056",
        "0x600160015500",
        "0xef00",
        "0x600060006000600060005af100",
        "0x627fffff51",
        "0x620f42406000f3",
        "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff51",
        "0x6000600060006000305afa00", /* asks itself */
        "0x6e3d3d3d3d3d3d3d3d3d3d3d3d3d3dff",
        "0x33ff",
    };
    const uint8_t address[20] = {0xba, 0xd0, [19] = 1};
    uint8_t signature[65] = {0}, out[64];
    struct sgc_servers_stats stats;
    struct sgd_grant grant = grant_of(address);
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        json_decref(sgt_anvil_rpc(&chain, "anvil_setCode",
                                  json_pack("[s, s]", sgt_hex0x(address, 20), codes[i])));
        if (ask(&grant, out) != SG_EAUTH ||
            sgc_eip1271_ask(servers, address, salt, SG_STR("x")) != SG_EAUTH)
            fail_msg("%s", codes[i]);
    }
    sgc_servers_stats(servers, &stats);
    assert_int_equal(stats.in_use, 2);
    (void)fixture;
}

/* A server gives 30 million and more to whoever names no limit: a second of its time and ours. */
static void a_wallet_has_only_so_much_gas_to_say_yes_with(void **fixture)
{
    uint8_t thirsty[20], signature[65] = {0}, out[64];
    sgt_anvil_deploy(&chain, thirsty, "ThirstyWallet", "u", (uint64_t)10000000);
    struct sgd_grant grant = grant_of(thirsty);
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    assert_int_equal(ask(&grant, out), SG_OK); /* it was given no more */
    sgt_anvil_deploy(&chain, thirsty, "ThirstyWallet", "u", (uint64_t)1000000);
    grant = grant_of(thirsty);
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    assert_int_equal(ask(&grant, out), SG_EAUTH);
    (void)fixture;
}

static void accounts_of_other_chains_cannot_be_asked(void **fixture)
{
    struct sgd_grant grant = grant_of(wallet);
    uint8_t signature[65] = {0}, out[64];
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    grant.account.chain.evm_id = 1;
    assert_int_equal(ask(&grant, out), SG_ENOTSUP);
    grant.account.chain =
        (struct sg_caip_chain){.ns = SG_CAIP_SOLANA, .solana = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"};
    assert_int_equal(ask(&grant, out), SG_ENOTSUP);
    (void)fixture;
}

static void a_key_that_others_may_read_is_refused(void **fixture)
{
    struct sgd_grant grant = grant_of(wallet);
    uint8_t signature[65], out[64];
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    sign(&grant, chain.accounts[1], signature);
    chmod(key_file, 0640);
    assert_int_equal(sgc_onchain_set(onchain, &asking), SG_EPERM);
    chmod(key_file, 0600);
    const struct sgc_onchain_options none = {.key_file = "/nonexistent"};
    assert_int_equal(sgc_onchain_set(onchain, &none), SG_ENOENT);
    assert_int_equal(ask(&grant, out), SG_OK); /* and all is as it was */
    (void)fixture;
}

static void another_key_and_other_chains_are_taken_while_it_runs(void **fixture)
{
    struct sgd_grant grant = grant_of(wallet);
    uint8_t signature[65], out[64], before[64];
    const struct sgc_onchain_options without = {.key_file = NULL};
    struct sgc_onchain_options other = asking;
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    sign(&grant, chain.accounts[1], signature);
    assert_int_equal(ask(&grant, before), SG_OK);
    assert_int_equal(sgc_onchain_set(onchain, &without), SG_OK);
    assert_int_equal(ask(&grant, out), SG_ENOTSUP);
    other.count = 0;
    assert_int_equal(sgc_onchain_set(onchain, &other), SG_OK);
    assert_int_equal(ask(&grant, out), SG_ENOTSUP);
    other.count = asking.count;
    other.key_file = other_key_file;
    assert_int_equal(sgc_onchain_set(onchain, &other), SG_OK);
    assert_int_equal(ask(&grant, out), SG_OK);
    assert_memory_not_equal(out, before, sizeof(out));
    assert_int_equal(sgc_onchain_set(onchain, &asking), SG_OK);
    assert_int_equal(ask(&grant, out), SG_OK);
    assert_memory_equal(out, before, sizeof(out));
    (void)fixture;
}

/* Servers of another chain would speak of another chain's wallets. */
static void servers_of_another_chain_are_not_believed(void **fixture)
{
    struct sgd_grant grant = grant_of(wallet);
    uint8_t signature[65], out[64];
    struct sgc_onchain_chain elsewhere = asking.chains[0];
    struct sgc_onchain_options wrong = asking;
    wrong.chains = &elsewhere;
    elsewhere.chain.evm_id = 1;
    grant.account.chain.evm_id = 1;
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    sign(&grant, chain.accounts[1], signature);
    assert_int_equal(sgc_onchain_set(onchain, &wrong), SG_OK);
    assert_int_equal(ask(&grant, out), SG_ENOTSUP);
    assert_int_equal(sgc_onchain_set(onchain, &asking), SG_OK);
    (void)fixture;
}

static void a_tenant_asks_so_often_in_a_minute_and_no_more(void **fixture)
{
    struct sgd_grant grant = grant_of(wallet);
    uint8_t signature[65], out[64];
    struct sgc_onchain_options few = asking;
    few.per_tenant_per_minute = 3;
    grant.tenant = SG_STR("eager");
    grant.signature = (struct sg_str){(char *)signature, sizeof(signature)};
    sign(&grant, chain.accounts[1], signature);
    assert_int_equal(sgc_onchain_set(onchain, &few), SG_OK);
    enum sg_err err = SG_OK;
    for (int i = 0; i < 7 && err == SG_OK; i++) /* a minute may begin in between */
        err = ask(&grant, out);
    assert_int_equal(err, SG_EBUSY);
    grant.tenant = SG_STR("others");
    sign(&grant, chain.accounts[1], signature);
    assert_int_equal(ask(&grant, out), SG_OK);
    assert_int_equal(sgc_onchain_set(onchain, &asking), SG_OK);
    (void)fixture;
}

static bool key_make(const char *key, const char *public)
{
    char command[2048];
    snprintf(command, sizeof(command),
             "umask 077; openssl genpkey -algorithm ed25519 -out %s && "
             "openssl pkey -in %s -pubout -out %s",
             key, key, public);
    return system(command) == 0;
}

static int set_up(void)
{
    char public[SGT_DIR_BYTES + 16], other_public[SGT_DIR_BYTES + 16];
    sgt_dir_make(dir);
    snprintf(key_file, sizeof(key_file), "%s/key.pem", dir);
    snprintf(other_key_file, sizeof(other_key_file), "%s/other.pem", dir);
    snprintf(public, sizeof(public), "%s/public.pem", dir);
    snprintf(other_public, sizeof(other_public), "%s/other.pub", dir);
    if (!key_make(key_file, public) || !key_make(other_key_file, other_public) ||
        sgd_verify_key_load(public, &countersigner) != SG_OK)
        return -1;
    sgt_anvil_deploy(&chain, wallet, "Wallet", "a", chain.accounts[1]);
    sgt_anvil_deploy(&chain, factory, "WalletFactory", "");
    static struct sgc_rpc_options options[2];
    options[0].url = options[1].url = chain.url;
    static const struct sgc_onchain_chain chains[] = {{
        .chain = {.ns = SG_CAIP_EIP155, .evm_id = 31337},
        .servers = {.servers = options, .count = 2, .agree = 2},
    }};
    asking = (struct sgc_onchain_options){.key_file = key_file, .chains = chains, .count = 1};
    return sgc_servers_open(&chains[0].servers, &servers) == SG_OK &&
                   sgc_onchain_open(&onchain) == SG_OK && sgc_onchain_set(onchain, &asking) == SG_OK
               ? 0
               : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wallets_yes_is_countersigned_and_every_edge_believes_it),
        cmocka_unit_test(anothers_signature_is_refused),
        cmocka_unit_test(a_wallet_whose_owner_changed_says_no),
        cmocka_unit_test(an_account_without_code_is_no_wallet),
        cmocka_unit_test(a_wallet_that_is_not_deployed_yet_is_asked_by_way_of_its_factory),
        cmocka_unit_test(wrapping_that_is_broken_is_a_no),
        cmocka_unit_test(answers_that_are_no_yes_are_a_no),
        cmocka_unit_test(a_wallet_that_goes_wrong_costs_itself_a_no_and_no_server),
        cmocka_unit_test(a_wallet_has_only_so_much_gas_to_say_yes_with),
        cmocka_unit_test(accounts_of_other_chains_cannot_be_asked),
        cmocka_unit_test(a_key_that_others_may_read_is_refused),
        cmocka_unit_test(another_key_and_other_chains_are_taken_while_it_runs),
        cmocka_unit_test(servers_of_another_chain_are_not_believed),
        cmocka_unit_test(a_tenant_asks_so_often_in_a_minute_and_no_more),
    };
    if (!sgt_anvil_start(&chain, NULL))
        return SGT_SKIP;
    int failed = set_up();
    if (failed == 0)
        failed = sgt_main("onchain", tests, sizeof(tests) / sizeof(tests[0]));
    sgc_onchain_close(onchain);
    sgc_servers_close(servers);
    sgd_verify_key_close(countersigner);
    sgt_dir_remove(dir);
    sgt_anvil_stop(&chain);
    return failed;
}
