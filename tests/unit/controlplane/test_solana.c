#include "tests/sgt.h"

#include "base/assert.h"
#include "controlplane/chain/solana.h"

#include <string.h>

static struct sgc_sol_account account_of(enum sgc_sol_program program, const uint8_t *data,
                                         size_t len)
{
    return (struct sgc_sol_account){
        .exists = true, .program = program, .data = data, .data_len = len};
}

static void holding_make(uint8_t data[400])
{
    memset(data, 0, 400);
    memset(data, 1, 32);
    memset(data + 32, 2, 32);
    data[64] = 5;
    data[108] = 1;
}

static void a_token_account_tells_mint_owner_and_amount(void **fixture)
{
    uint8_t data[400];
    struct sgc_sol_holding holding;
    holding_make(data);
    struct sgc_sol_account account = account_of(SGC_SOL_TOKEN, data, 165);
    assert_true(sgc_sol_read_holding(&account, &holding));
    assert_memory_equal(holding.mint, data, 32);
    assert_memory_equal(holding.owner, data + 32, 32);
    assert_int_equal(holding.amount, 5);
    data[108] = 2; /* frozen: it is still held */
    assert_true(sgc_sol_read_holding(&account, &holding));
    (void)fixture;
}

static void what_is_no_token_account_is_not_taken_for_one(void **fixture)
{
    uint8_t data[400];
    struct sgc_sol_holding holding;
    holding_make(data);
    struct sgc_sol_account account = account_of(SGC_SOL_TOKEN, data, 165);
    data[108] = 0; /* nobody initialised it */
    assert_false(sgc_sol_read_holding(&account, &holding));
    holding_make(data);
    account.exists = false;
    assert_false(sgc_sol_read_holding(&account, &holding));
    account = account_of(SGC_SOL_OTHER, data, 165); /* anybody's program may write such bytes */
    assert_false(sgc_sol_read_holding(&account, &holding));
    account = account_of(SGC_SOL_TOKEN, data, 164);
    assert_false(sgc_sol_read_holding(&account, &holding));
    data[165] = 2;
    account = account_of(SGC_SOL_TOKEN, data, 170); /* extensions are Token-2022's */
    assert_false(sgc_sol_read_holding(&account, &holding));
    account = account_of(SGC_SOL_TOKEN_2022, data, 170);
    assert_true(sgc_sol_read_holding(&account, &holding));
    data[165] = 1; /* a mint with extensions has the same length */
    assert_false(sgc_sol_read_holding(&account, &holding));
    data[165] = 2;
    account = account_of(SGC_SOL_TOKEN_2022, data, 355); /* a multisig */
    assert_false(sgc_sol_read_holding(&account, &holding));
    (void)fixture;
}

static void a_mint_is_one_of_one_or_not(void **fixture)
{
    uint8_t data[400] = {0};
    struct sgc_sol_mint mint;
    struct sgc_sol_account account = account_of(SGC_SOL_TOKEN, data, 82);
    assert_false(sgc_sol_read_mint(&account, &mint));
    data[36] = 1;
    data[45] = 1;
    assert_true(sgc_sol_read_mint(&account, &mint));
    assert_true(sgc_sol_is_nft(&mint));
    data[44] = 1;
    assert_true(sgc_sol_read_mint(&account, &mint));
    assert_false(sgc_sol_is_nft(&mint));
    data[44] = 0;
    data[43] = 1; /* the supply's highest byte */
    assert_true(sgc_sol_read_mint(&account, &mint));
    assert_false(sgc_sol_is_nft(&mint));
    data[165] = 1;
    account = account_of(SGC_SOL_TOKEN_2022, data, 234);
    assert_true(sgc_sol_read_mint(&account, &mint));
    data[165] = 2;
    assert_false(sgc_sol_read_mint(&account, &mint));
    (void)fixture;
}

/* Borsh, as Metaplex writes it. */
struct borsh {
    uint8_t bytes[1024];
    size_t len;
};

static void put(struct borsh *borsh, const void *bytes, size_t len)
{
    memcpy(borsh->bytes + borsh->len, bytes, len);
    borsh->len += len;
}

static void put_fill(struct borsh *borsh, uint8_t byte, size_t len)
{
    memset(borsh->bytes + borsh->len, byte, len);
    borsh->len += len;
}

static void put_text(struct borsh *borsh, uint32_t len)
{
    put(borsh, &len, sizeof(len));
    put_fill(borsh, 'x', len);
}

static void metadata_make(struct borsh *borsh, uint32_t creators, bool standard, uint8_t verified)
{
    borsh->len = 0;
    put_fill(borsh, 4, 1);
    put_fill(borsh, 7, 32);
    put_fill(borsh, 8, 32);
    put_text(borsh, 32);
    put_text(borsh, 10);
    put_text(borsh, 200);
    put_fill(borsh, 0, 2);
    put_fill(borsh, creators > 0, 1);
    if (creators > 0)
        put(borsh, &creators, 4);
    for (uint32_t i = 0; i < creators; i++) {
        put_fill(borsh, (uint8_t)(100 + i), 32);
        put_fill(borsh, i % 2 == 0, 1); /* every other one signed */
        put_fill(borsh, 0, 1);
    }
    put_fill(borsh, 1, 2);
    put(borsh, "\1\377", 2);
    put(borsh, "\1\0", standard ? 2 : 0);
    put(borsh, "\0", standard ? 0 : 1);
    put_fill(borsh, 1, 1);
    put_fill(borsh, verified, 1);
    put_fill(borsh, 9, 32);
}

static void metadata_stand_where_they_are_looked_for(void **fixture)
{
    struct borsh borsh;
    struct sgc_sol_metadata metadata;
    for (uint32_t place = 0; place < SGC_SOL_COLLECTION_PLACES; place++) {
        metadata_make(&borsh, place / 2, place % 2 == 0, 1);
        struct sgc_sol_account account = account_of(SGC_SOL_METADATA, borsh.bytes, borsh.len);
        assert_true(sgc_sol_read_metadata(&account, &metadata));
        assert_true(metadata.in_collection);
        assert_memory_equal(metadata.collection, borsh.bytes + sgc_sol_collection_at(place), 32);
        assert_int_equal(metadata.creators_count, (place / 2 + 1) / 2);
        for (uint32_t i = 0; i < place / 2; i++)
            assert_int_equal(borsh.bytes[sgc_sol_creator_at(i)], 100 + i);
        assert_memory_equal(metadata.mint, borsh.bytes + SGC_SOL_METADATA_MINT_AT, 32);
    }
    (void)fixture;
}

static void a_collection_that_nobody_verified_is_none(void **fixture)
{
    struct borsh borsh;
    struct sgc_sol_metadata metadata;
    metadata_make(&borsh, 1, true, 0);
    struct sgc_sol_account account = account_of(SGC_SOL_METADATA, borsh.bytes, borsh.len);
    assert_true(sgc_sol_read_metadata(&account, &metadata));
    assert_false(metadata.in_collection);
    account.program = SGC_SOL_OTHER;
    assert_false(sgc_sol_read_metadata(&account, &metadata));
    (void)fixture;
}

static void metadata_cut_short_anywhere_name_no_collection(void **fixture)
{
    struct borsh borsh;
    struct sgc_sol_metadata metadata;
    metadata_make(&borsh, 5, true, 1);
    for (size_t len = 0; len < borsh.len; len++) {
        uint8_t *exact = malloc(len + 1); /* so that a sanitizer sees a read past the end */
        memcpy(exact, borsh.bytes, len);
        struct sgc_sol_account account = account_of(SGC_SOL_METADATA, exact, len);
        assert_false(sgc_sol_read_metadata(&account, &metadata) && metadata.in_collection);
        free(exact);
    }
    metadata_make(&borsh, 5, true, 1);
    borsh.bytes[sgc_sol_creator_at(0) - 4] = 6; /* more creators than there may be */
    struct sgc_sol_account account = account_of(SGC_SOL_METADATA, borsh.bytes, borsh.len);
    assert_false(sgc_sol_read_metadata(&account, &metadata));
    (void)fixture;
}

static bool answer_is_read(const char *text, bool keyed, uint32_t *count)
{
    static uint8_t scratch[SGC_SOL_ACCOUNT_BYTES];
    struct sgc_sol_accounts accounts;
    struct sgc_sol_account account;
    struct sg_jsonread value;
    assert_true(sg_jsonread_check(sg_str_from(text), 8, &value));
    *count = 0;
    if (!sgc_sol_accounts_begin(&accounts, value, keyed, scratch))
        return false;
    while (sgc_sol_accounts_next(&accounts, &account))
        (*count)++;
    return !accounts.garbage;
}

static void answers_that_are_not_whole_are_garbage(void **fixture)
{
    static const char *const bad[] = {
        "[]",
        "{\"value\":[]}",
        "{\"context\":{\"slot\":\"7\"},\"value\":[]}",
        "{\"context\":{\"slot\":7},\"value\":{}}",
        "{\"context\":{\"slot\":7},\"value\":[{}]}",
        "{\"context\":{\"slot\":7},\"value\":[{\"owner\":\"x\",\"data\":[\"AAA\",\"base64\"]}]}",
        "{\"context\":{\"slot\":7},\"value\":[{\"owner\":\"x\",\"data\":[\"AA==\",\"base58\"]}]}",
        "{\"context\":{\"slot\":7},\"value\":[{\"owner\":7,\"data\":[\"AA==\",\"base64\"]}]}",
    };
    uint32_t count;
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_false(answer_is_read(bad[i], false, &count));
    assert_true(answer_is_read("{\"context\":{\"slot\":7},\"value\":[null,{\"owner\":\"x\","
                               "\"data\":[\"AA==\",\"base64\"]}]}",
                               false, &count));
    assert_int_equal(count, 2);
    assert_false(answer_is_read("{\"context\":{\"slot\":7},\"value\":[{\"pubkey\":\"1\","
                                "\"account\":{\"owner\":\"x\",\"data\":[\"AA==\",\"base64\"]}}]}",
                                true, &count));
    (void)fixture;
}

static void questions_are_json_with_the_commitment_and_the_least_slot(void **fixture)
{
    uint8_t key[1][32] = {{0}};
    char memory[512];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sgc_sol_put_multiple_params(&out, (const uint8_t(*)[32])key, 1, SGC_SOL_FINALIZED, 7);
    assert_true(
        sg_str_eq(sg_out_view(&out),
                  SG_STR("[[\"11111111111111111111111111111111\"],{\"commitment\":\"finalized\","
                         "\"encoding\":\"base64\",\"minContextSlot\":7}]")));
    out = sg_out_init(memory, sizeof(memory));
    sgc_sol_put_program_params(&out, SGC_SOL_TOKEN, 0, key[0], SGC_SOL_CONFIRMED, 9);
    assert_true(sg_str_eq(
        sg_out_view(&out),
        SG_STR("[\"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA\",{\"commitment\":\"confirmed\","
               "\"encoding\":\"base64\",\"minContextSlot\":9,\"withContext\":true,\"filters\":[{"
               "\"memcmp\":{\"offset\":0,\"bytes\":\"11111111111111111111111111111111\"}}]}]")));
    (void)fixture;
}

/* A mint of Token-2022 with one extension, and bytes of another one. */
static bool is_hidden(uint8_t type, uint8_t len, size_t bytes)
{
    uint8_t data[256] = {0};
    struct sgc_sol_mint mint;
    data[45] = 1;  /* initialised */
    data[165] = 1; /* a mint */
    data[166] = 3;
    data[168] = 2;
    data[172] = type;
    data[174] = len;
    const struct sgc_sol_account account = {
        .exists = true, .program = SGC_SOL_TOKEN_2022, .data = data, .data_len = bytes};
    assert_true(sgc_sol_read_mint(&account, &mint));
    return mint.is_hidden;
}

static void a_mint_tells_whether_balances_may_be_hidden(void **fixture)
{
    assert_true(is_hidden(4, 65, 241));
    assert_false(is_hidden(3, 65, 241));
    assert_false(is_hidden(0, 0, 241));
    assert_true(is_hidden(3, 66, 241)); /* cut short: who knows */
    assert_false(is_hidden(3, 65, 172));
    assert_false(is_hidden(4, 65, 175)); /* no whole head */
    (void)fixture;
}

static bool notice_is_read(const char *text, struct sgc_sol_notice *out)
{
    struct sg_jsonread value;
    assert_true(sg_jsonread_check(sg_str_from(text), 8, &value));
    return sgc_sol_read_notice(value, out);
}

static void subscriptions_and_what_they_tell(void **fixture)
{
    static const uint8_t key[32];
    char memory[512];
    struct sgc_sol_notice notice;
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sgc_sol_put_holdings_sub(&out, SGC_SOL_TOKEN, key);
    assert_true(sg_str_eq(
        sg_out_view(&out),
        SG_STR("[\"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA\",{\"commitment\":\"confirmed\","
               "\"encoding\":\"base64\",\"filters\":[{\"memcmp\":{\"offset\":0,\"bytes\":"
               "\"11111111111111111111111111111111\"}}]}]")));
    out = sg_out_init(memory, sizeof(memory));
    sgc_sol_put_mentions_sub(&out, key);
    assert_true(sg_str_eq(sg_out_view(&out),
                          SG_STR("[{\"mentions\":[\"11111111111111111111111111111111\"]},{"
                                 "\"commitment\":\"finalized\"}]")));
    assert_true(notice_is_read("{\"context\":{\"slot\":7},\"value\":{\"pubkey\":\"1\"}}", &notice));
    assert_true(notice.slot == 7 && !notice.is_mention);
    assert_true(
        notice_is_read("{\"context\":{\"slot\":8},\"value\":{\"signature\":\"1\"}}", &notice));
    assert_true(notice.slot == 8 && notice.is_mention);
    assert_false(notice_is_read("{\"context\":{\"slot\":-1},\"value\":{}}", &notice));
    assert_false(notice_is_read("{\"context\":{\"slot\":8}}", &notice));
    assert_false(notice_is_read("[8]", &notice));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_token_account_tells_mint_owner_and_amount),
    cmocka_unit_test(what_is_no_token_account_is_not_taken_for_one),
    cmocka_unit_test(a_mint_is_one_of_one_or_not),
    cmocka_unit_test(metadata_stand_where_they_are_looked_for),
    cmocka_unit_test(a_collection_that_nobody_verified_is_none),
    cmocka_unit_test(metadata_cut_short_anywhere_name_no_collection),
    cmocka_unit_test(answers_that_are_not_whole_are_garbage),
    cmocka_unit_test(questions_are_json_with_the_commitment_and_the_least_slot),
    cmocka_unit_test(a_mint_tells_whether_balances_may_be_hidden),
    cmocka_unit_test(subscriptions_and_what_they_tell),
};
SGT_MAIN("solana", tests)
