#include "tests/sgt.h"

#include "base/alloc.h"
#include "controlplane/chain/evm.h"
#include "tests/sgt_hex.h"

static struct sgc_evm evm;
static const uint8_t contract_bytes[20] = {[19] = 0xc0};

static struct sgc_evm_contract contract_of(enum sg_caip_standard standard)
{
    struct sgc_evm_contract contract = {
        .asset = {.chain = {.ns = SG_CAIP_EIP155, .evm_id = 1}, .standard = standard}};
    contract.asset.contract.len = 20;
    memcpy(contract.asset.contract.bytes, contract_bytes, 20);
    contract.source = sge_group_contract(&contract.asset);
    return contract;
}

/* A log whose words are told by their last bytes: topics, then data. */
static struct sgc_eth_log log_of(enum sgc_evm_kind kind, const uint8_t *topics,
                                 uint8_t topics_count, uint8_t *data, size_t data_cap,
                                 const uint8_t *words, uint32_t words_count)
{
    static const uint8_t zeros[31];
    struct sg_out words_out = sg_out_init(data, data_cap);
    struct sgc_eth_log log = {
        .topics_count = (uint8_t)(topics_count + 1), .tx = 4, .log = 9, .data = data};
    memcpy(log.address, contract_bytes, 20);
    memcpy(log.topics[0], evm.topics[kind], 32);
    for (uint8_t i = 0; i < topics_count; i++)
        log.topics[i + 1][31] = topics[i];
    for (uint32_t i = 0; i < words_count; i++) {
        sg_out_bytes(&words_out, zeros, sizeof(zeros));
        sg_out_bytes(&words_out, &words[i], 1);
    }
    assert_false(words_out.full);
    log.data_len = 32 * words_count;
    return log;
}

static void assert_who(const struct sg_caip_address *address, uint8_t who)
{
    assert_int_equal(address->len, who == 0 ? 0 : 20);
    assert_int_equal(address->bytes[19], who);
}

static struct sgc_events events;

static enum sg_err read_log(enum sg_caip_standard standard, const struct sgc_eth_log *log)
{
    struct sgc_evm_contract contract = contract_of(standard);
    sgc_events_fini(&events);
    return sgc_evm_events(&evm, &contract, log, &events);
}

static enum sg_err read_registry(const struct sgc_eth_log *log)
{
    struct sgc_evm_contract contract = contract_of(SG_CAIP_ERC721);
    contract.registry = true;
    sgc_events_fini(&events);
    return sgc_evm_events(&evm, &contract, log, &events);
}

/* As Ethereum's logs have it. */
static void the_topics_are_the_published_ones(void **fixture)
{
    static const char *const texts[] = {
        [SGC_EVM_TRANSFER] = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        [SGC_EVM_TRANSFER_SINGLE] =
            "c3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62",
        [SGC_EVM_TRANSFER_BATCH] =
            "4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb",
        [SGC_EVM_UPDATE_USER] = "4e06b4e7000e659094299b3533b47b6aa8ad048e95e872d23d1f4ee55af89cfe",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint8_t topic[32];
        assert_int_equal(sgt_hex(texts[i], topic, sizeof(topic)), 32);
        assert_memory_equal(evm.topics[i], topic, 32);
    }
    (void)fixture;
}

static void a_transfer_in_any_of_its_forms_is_a_change_of_owner(void **fixture)
{
    uint8_t data[96];
    const struct {
        uint8_t topics[3], topics_count, words[3], words_count;
    } forms[] = {{{5, 6, 7}, 3, {0}, 0}, {{5, 6}, 2, {7}, 1}, {{0}, 0, {5, 6, 7}, 3}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct sgc_eth_log log = log_of(SGC_EVM_TRANSFER, forms[i].topics, forms[i].topics_count,
                                        data, sizeof(data), forms[i].words, forms[i].words_count);
        assert_int_equal(read_log(SG_CAIP_ERC721, &log), SG_OK);
        assert_int_equal(events.count, 1);
        const struct sgc_event *event = &events.items[0];
        assert_int_equal(event->kind, SGC_EVENT_OWNER);
        assert_who(&event->from, 5);
        assert_who(&event->to, 6);
        assert_int_equal(event->asset.id.bytes[31], 7);
        assert_int_equal(event->tx, 4);
        assert_int_equal(event->log, 9);
    }
    struct sgc_eth_log burn =
        log_of(SGC_EVM_TRANSFER, (uint8_t[]){5, 0, 7}, 3, data, sizeof(data), NULL, 0);
    assert_int_equal(read_log(SG_CAIP_ERC721, &burn), SG_OK);
    assert_who(&events.items[0].to, 0);
    (void)fixture;
}

static void a_transfer_that_cannot_be_read_is_no_silence(void **fixture)
{
    uint8_t data[96];
    const uint8_t words[] = {5, 6, 7};
    struct sgc_eth_log log = log_of(SGC_EVM_TRANSFER, words, 1, data, sizeof(data), words, 2);
    assert_int_equal(read_log(SG_CAIP_ERC721, &log), SG_ECORRUPT);
    log = log_of(SGC_EVM_TRANSFER, words, 3, data, sizeof(data), words, 0);
    log.topics[1][0] = 1; /* no address */
    assert_int_equal(read_log(SG_CAIP_ERC721, &log), SG_ECORRUPT);
    log = log_of(SGC_EVM_TRANSFER, words, 3, data, sizeof(data), words, 1);
    assert_int_equal(read_log(SG_CAIP_ERC721, &log), SG_ECORRUPT);
    assert_int_equal(events.count, 0);
    (void)fixture;
}

static void what_is_no_ownership_of_the_contract_is_left_out_and_counted(void **fixture)
{
    uint8_t data[96];
    const uint8_t words[] = {1, 5, 6};
    struct sgc_eth_log log = log_of(SGC_EVM_TRANSFER, words, 3, data, sizeof(data), words, 0);
    assert_int_equal(read_log(SG_CAIP_ERC1155, &log), SG_OK);
    assert_int_equal(events.count, 0);
    assert_int_equal(events.skipped, 1);
    log.topics[0][0] ^= 1;
    assert_int_equal(read_log(SG_CAIP_ERC721, &log), SG_OK);
    log.topics_count = 0;
    assert_int_equal(read_log(SG_CAIP_ERC721, &log), SG_OK);
    assert_int_equal(events.count, 0);
    (void)fixture;
}

static void a_single_transfer_is_a_move(void **fixture)
{
    uint8_t data[64];
    struct sgc_eth_log log = log_of(SGC_EVM_TRANSFER_SINGLE, (uint8_t[]){1, 0, 6}, 3, data,
                                    sizeof(data), (uint8_t[]){7, 50}, 2);
    assert_int_equal(read_log(SG_CAIP_ERC1155, &log), SG_OK);
    assert_int_equal(events.items[0].kind, SGC_EVENT_MOVE);
    assert_who(&events.items[0].from, 0);
    assert_who(&events.items[0].to, 6);
    assert_int_equal(events.items[0].asset.id.bytes[31], 7);
    assert_int_equal(events.items[0].amount.bytes[31], 50);
    log.data_len = 32;
    assert_int_equal(read_log(SG_CAIP_ERC1155, &log), SG_ECORRUPT);
    (void)fixture;
}

static void a_batch_is_as_many_moves(void **fixture)
{
    uint8_t data[32 * 8];
    const uint8_t words[] = {64, 160, 2, 7, 8, 2, 50, 60}, topics[] = {1, 5, 6};
    struct sgc_eth_log log =
        log_of(SGC_EVM_TRANSFER_BATCH, topics, 3, data, sizeof(data), words, 8);
    assert_int_equal(read_log(SG_CAIP_ERC1155, &log), SG_OK);
    assert_int_equal(events.count, 2);
    assert_int_equal(events.items[1].asset.id.bytes[31], 8);
    assert_int_equal(events.items[1].amount.bytes[31], 60);
    (void)fixture;
}

static void a_batch_whose_arrays_do_not_fit_is_refused(void **fixture)
{
    uint8_t data[32 * 8];
    const uint8_t right[] = {64, 160, 2, 7, 8, 2, 50, 60}, topics[] = {1, 5, 6};
    const struct {
        uint8_t word, value;
    } wrong[] = {{0, 65}, {0, 255}, {1, 224}, {2, 3}, {2, 200}, {5, 1}, {5, 3}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint8_t words[8];
        memcpy(words, right, sizeof(words));
        words[wrong[i].word] = wrong[i].value;
        struct sgc_eth_log log =
            log_of(SGC_EVM_TRANSFER_BATCH, topics, 3, data, sizeof(data), words, 8);
        if (read_log(SG_CAIP_ERC1155, &log) != SG_ECORRUPT)
            fail_msg("word %u as %u was read", wrong[i].word, wrong[i].value);
    }
    struct sgc_eth_log log =
        log_of(SGC_EVM_TRANSFER_BATCH, topics, 3, data, sizeof(data), right, 8);
    data[32] = 1; /* an offset beyond all memory */
    assert_int_equal(read_log(SG_CAIP_ERC1155, &log), SG_ECORRUPT);
    (void)fixture;
}

static void a_use_has_an_end(void **fixture)
{
    uint8_t data[32];
    struct sgc_eth_log log =
        log_of(SGC_EVM_UPDATE_USER, (uint8_t[]){7, 6}, 2, data, sizeof(data), (uint8_t[]){99}, 1);
    assert_int_equal(read_log(SG_CAIP_ERC721, &log), SG_OK);
    assert_int_equal(events.items[0].kind, SGC_EVENT_USER);
    assert_int_equal(events.items[0].until_s, 99);
    data[0] = 1; /* more than 64 bits */
    assert_int_equal(read_log(SG_CAIP_ERC721, &log), SG_ECORRUPT);
    (void)fixture;
}

static void delegations_of_all_rights_are_told_with_their_scope(void **fixture)
{
    uint8_t data[96];
    struct sgc_eth_log log = log_of(SGC_EVM_DELEGATE_ALL, (uint8_t[]){5, 6}, 2, data, sizeof(data),
                                    (uint8_t[]){0, 1}, 2);
    assert_int_equal(read_registry(&log), SG_OK);
    assert_int_equal(events.count, 1);
    assert_false(events.items[0].has_asset);
    assert_int_equal(events.items[0].amount.bytes[31], 1);
    data[31] = 3; /* some right only */
    assert_int_equal(read_registry(&log), SG_OK);
    assert_int_equal(events.count, 0);

    log = log_of(SGC_EVM_DELEGATE_CONTRACT, (uint8_t[]){5, 6, 0xc1}, 3, data, sizeof(data),
                 (uint8_t[]){0, 0}, 2);
    assert_int_equal(read_registry(&log), SG_OK);
    assert_int_equal(events.count, 2); /* of either standard */
    assert_int_equal(events.items[0].asset.standard, SG_CAIP_ERC721);
    assert_int_equal(events.items[1].asset.standard, SG_CAIP_ERC1155);
    assert_true(sg_u256_is_zero(&events.items[1].amount));

    log = log_of(SGC_EVM_DELEGATE_ERC1155, (uint8_t[]){5, 6, 0xc1}, 3, data, sizeof(data),
                 (uint8_t[]){7, 0, 200}, 3);
    assert_int_equal(read_registry(&log), SG_OK);
    assert_int_equal(events.items[0].asset.id.bytes[31], 7);
    assert_int_equal(events.items[0].amount.bytes[31], 1);
    assert_int_equal(read_log(SG_CAIP_ERC721, &log), SG_OK); /* of no registry */
    assert_int_equal(events.count, 0);
    (void)fixture;
}

static void no_memory_is_told(void **fixture)
{
    uint8_t data[32];
    struct sgc_eth_log log =
        log_of(SGC_EVM_TRANSFER, (uint8_t[]){5, 6, 7}, 3, data, sizeof(data), NULL, 0);
    sgc_events_fini(&events);
    sg_alloc_fail_nth(0);
    enum sg_err err = read_log(SG_CAIP_ERC721, &log);
    sg_alloc_fail_nth(UINT32_MAX);
    assert_int_equal(err, SG_ENOMEM);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_topics_are_the_published_ones),
    cmocka_unit_test(a_transfer_in_any_of_its_forms_is_a_change_of_owner),
    cmocka_unit_test(a_transfer_that_cannot_be_read_is_no_silence),
    cmocka_unit_test(what_is_no_ownership_of_the_contract_is_left_out_and_counted),
    cmocka_unit_test(a_single_transfer_is_a_move),
    cmocka_unit_test(a_batch_is_as_many_moves),
    cmocka_unit_test(a_batch_whose_arrays_do_not_fit_is_refused),
    cmocka_unit_test(a_use_has_an_end),
    cmocka_unit_test(delegations_of_all_rights_are_told_with_their_scope),
    cmocka_unit_test(no_memory_is_told),
};

int main(void)
{
    sgc_evm_init(&evm);
    int failed = sgt_main("evm", tests, sizeof(tests) / sizeof(tests[0]));
    sgc_events_fini(&events);
    return failed;
}
