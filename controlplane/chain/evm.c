#include "controlplane/chain/evm.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/keccak.h"
#include "edgecache/state/bytes.h"

#define WORD 32u

void sgc_evm_init(struct sgc_evm *evm)
{
    static const char *const texts[SGC_EVM_KINDS] = {
        [SGC_EVM_TRANSFER] = "Transfer(address,address,uint256)",
        [SGC_EVM_TRANSFER_SINGLE] = "TransferSingle(address,address,address,uint256,uint256)",
        [SGC_EVM_TRANSFER_BATCH] = "TransferBatch(address,address,address,uint256[],uint256[])",
        [SGC_EVM_UPDATE_USER] = "UpdateUser(uint256,address,uint64)",
        [SGC_EVM_DELEGATE_ALL] = "DelegateAll(address,address,bytes32,bool)",
        [SGC_EVM_DELEGATE_CONTRACT] = "DelegateContract(address,address,address,bytes32,bool)",
        [SGC_EVM_DELEGATE_ERC721] = "DelegateERC721(address,address,address,uint256,bytes32,bool)",
        [SGC_EVM_DELEGATE_ERC1155] =
            "DelegateERC1155(address,address,address,uint256,bytes32,uint256)",
    };
    for (int i = 0; i < SGC_EVM_KINDS; i++)
        sg_keccak256(texts[i], strlen(texts[i]), evm->topics[i]);
}

/* ---- events ---- */

void sgc_events_fini(struct sgc_events *events)
{
    sg_boot_free(events->items);
    *events = (struct sgc_events){0};
}

static enum sg_err events_add(struct sgc_events *events, const struct sgc_event *event)
{
    if (events->count == events->cap) {
        uint32_t cap = events->cap == 0 ? 64 : 2 * events->cap;
        struct sgc_event *items = sg_boot_alloc_array(cap, sizeof(*items));
        if (items == NULL)
            return SG_ENOMEM;
        if (events->count != 0)
            memcpy(items, events->items, events->count * sizeof(*items));
        sg_boot_free(events->items);
        events->items = items;
        events->cap = cap;
    }
    events->items[events->count++] = *event;
    return SG_OK;
}

/* ---- a log's parameters: words, each from a topic or from the data ---- */

struct params {
    const struct sgc_evm_contract *contract;
    const struct sgc_eth_log *log;
    struct sgc_events *out;
};

static const uint8_t *topic(const struct params *p, uint32_t i)
{
    SG_ASSERT(i < p->log->topics_count);
    return p->log->topics[i];
}

static const uint8_t *word(const struct params *p, uint32_t i)
{
    SG_ASSERT((i + 1) * WORD <= p->log->data_len);
    return p->log->data + i * WORD;
}

static bool shaped(const struct params *p, uint32_t topics, uint32_t words)
{
    return p->log->topics_count == topics && p->log->data_len == words * WORD;
}

static bool zeros(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

/* The zero address is nobody. False: no address stands there. */
static bool read_address(const uint8_t at[WORD], struct sg_caip_address *out)
{
    *out = (struct sg_caip_address){0};
    if (!zeros(at, 12))
        return false;
    if (!zeros(at + 12, 20)) {
        out->len = 20;
        memcpy(out->bytes, at + 12, 20);
    }
    return true;
}

static bool read_u64(const uint8_t at[WORD], uint64_t *out)
{
    if (!zeros(at, 24))
        return false;
    *out = sge_be64_get(at + 24);
    return true;
}

static struct sgc_event event_of(const struct params *p, enum sgc_event_kind kind)
{
    return (struct sgc_event){.kind = kind,
                              .has_asset = true,
                              .asset = p->contract->asset,
                              .source = p->contract->source,
                              .tx = p->log->tx,
                              .log = p->log->log};
}

static void set_id(struct sgc_event *event, const uint8_t at[WORD])
{
    event->asset.has_id = true;
    memcpy(event->asset.id.bytes, at, WORD);
}

/* ---- tokens ---- */

/* As EIP-721 has it, and as contracts older than it do: nothing indexed, or all but the id. */
static enum sg_err transfer(const struct params *p)
{
    struct sgc_event event = event_of(p, SGC_EVENT_OWNER);
    const uint8_t *from, *to, *id;
    if (shaped(p, 4, 0)) {
        from = topic(p, 1), to = topic(p, 2), id = topic(p, 3);
    } else if (shaped(p, 3, 1)) {
        from = topic(p, 1), to = topic(p, 2), id = word(p, 0);
    } else if (shaped(p, 1, 3)) {
        from = word(p, 0), to = word(p, 1), id = word(p, 2);
    } else {
        return SG_ECORRUPT;
    }
    if (!read_address(from, &event.from) || !read_address(to, &event.to))
        return SG_ECORRUPT;
    set_id(&event, id);
    return events_add(p->out, &event);
}

/* Operator, from, to are indexed: in both events of EIP-1155. */
static bool read_move(const struct params *p, struct sgc_event *event)
{
    *event = event_of(p, SGC_EVENT_MOVE);
    return p->log->topics_count == 4 && read_address(topic(p, 2), &event->from) &&
           read_address(topic(p, 3), &event->to);
}

static enum sg_err transfer_single(const struct params *p)
{
    struct sgc_event event;
    if (!read_move(p, &event) || !shaped(p, 4, 2))
        return SG_ECORRUPT;
    set_id(&event, word(p, 0));
    memcpy(event.amount.bytes, word(p, 1), WORD);
    return events_add(p->out, &event);
}

/* A dynamic array of words, whose offset is parameter `i` of the data. */
static bool read_array(const struct params *p, uint32_t i, const uint8_t **items, uint64_t *count)
{
    uint64_t at, len = p->log->data_len;
    if (len < (i + 1) * WORD || !read_u64(word(p, i), &at) || at % WORD != 0 || at >= len ||
        len - at < WORD || !read_u64(p->log->data + at, count) || *count > (len - at) / WORD - 1)
        return false;
    *items = p->log->data + at + WORD;
    return true;
}

static enum sg_err transfer_batch(const struct params *p)
{
    struct sgc_event event;
    const uint8_t *ids, *amounts;
    uint64_t ids_count, amounts_count;
    if (!read_move(p, &event) || !read_array(p, 0, &ids, &ids_count) ||
        !read_array(p, 1, &amounts, &amounts_count) || ids_count != amounts_count)
        return SG_ECORRUPT;
    enum sg_err err = SG_OK;
    for (uint64_t i = 0; i < ids_count && err == SG_OK; i++) {
        set_id(&event, ids + i * WORD);
        memcpy(event.amount.bytes, amounts + i * WORD, WORD);
        err = events_add(p->out, &event);
    }
    return err;
}

static enum sg_err update_user(const struct params *p)
{
    struct sgc_event event = event_of(p, SGC_EVENT_USER);
    if (!shaped(p, 3, 1) || !read_address(topic(p, 2), &event.to) ||
        !read_u64(word(p, 0), &event.until_s))
        return SG_ECORRUPT;
    set_id(&event, topic(p, 1));
    return events_add(p->out, &event);
}

/* ---- delegations ---- */

/* Vault and delegate, and what is delegated: all rights or nothing, since a rule asks for all. */
static enum sg_err read_delegation(const struct params *p, const uint8_t rights[WORD],
                                   const uint8_t amount[WORD], struct sgc_event *event)
{
    *event = event_of(p, SGC_EVENT_DELEGATION);
    event->has_asset = false;
    event->asset = (struct sg_caip_asset){.chain = p->contract->asset.chain};
    if (!read_address(topic(p, 1), &event->from) || !read_address(topic(p, 2), &event->to))
        return SG_ECORRUPT;
    event->amount = sg_u256_of(zeros(amount, WORD) ? 0 : 1);
    return zeros(rights, WORD) && event->from.len != 0 && event->to.len != 0 ? SG_OK : SG_ENOENT;
}

static bool read_scope(const struct params *p, enum sg_caip_standard standard,
                       struct sgc_event *event)
{
    event->has_asset = true;
    event->asset.standard = standard;
    return read_address(topic(p, 3), &event->asset.contract) && event->asset.contract.len != 0;
}

static enum sg_err delegate_all(const struct params *p)
{
    struct sgc_event event;
    if (!shaped(p, 3, 2))
        return SG_ECORRUPT;
    enum sg_err err = read_delegation(p, word(p, 0), word(p, 1), &event);
    return err == SG_OK ? events_add(p->out, &event) : err;
}

/* The registry does not say what kind of contract it is: whichever a rule asks for. */
static enum sg_err delegate_contract(const struct params *p)
{
    struct sgc_event event;
    if (!shaped(p, 4, 2))
        return SG_ECORRUPT;
    enum sg_err err = read_delegation(p, word(p, 0), word(p, 1), &event);
    if (err == SG_OK && !read_scope(p, SG_CAIP_ERC721, &event))
        err = SG_ENOENT;
    if (err == SG_OK)
        err = events_add(p->out, &event);
    event.asset.standard = SG_CAIP_ERC1155;
    return err == SG_OK ? events_add(p->out, &event) : err;
}

static enum sg_err delegate_token(const struct params *p, enum sg_caip_standard standard)
{
    struct sgc_event event;
    if (!shaped(p, 4, 3))
        return SG_ECORRUPT;
    enum sg_err err = read_delegation(p, word(p, 1), word(p, 2), &event);
    if (err == SG_OK && !read_scope(p, standard, &event))
        err = SG_ENOENT;
    if (err != SG_OK)
        return err;
    set_id(&event, word(p, 0));
    return events_add(p->out, &event);
}

/* ---- */

static enum sgc_evm_kind kind_of(const struct sgc_evm *evm, const struct sgc_eth_log *log)
{
    int kind = 0;
    while (kind < SGC_EVM_KINDS &&
           (log->topics_count == 0 || memcmp(evm->topics[kind], log->topics[0], WORD) != 0))
        kind++;
    return (enum sgc_evm_kind)kind;
}

static enum sg_err read_registry(const struct params *p, enum sgc_evm_kind kind)
{
    switch (kind) {
    case SGC_EVM_DELEGATE_ALL:
        return delegate_all(p);
    case SGC_EVM_DELEGATE_CONTRACT:
        return delegate_contract(p);
    case SGC_EVM_DELEGATE_ERC721:
        return delegate_token(p, SG_CAIP_ERC721);
    case SGC_EVM_DELEGATE_ERC1155:
        return delegate_token(p, SG_CAIP_ERC1155);
    case SGC_EVM_TRANSFER:
    case SGC_EVM_TRANSFER_SINGLE:
    case SGC_EVM_TRANSFER_BATCH:
    case SGC_EVM_UPDATE_USER:
    case SGC_EVM_KINDS:
        return SG_ENOENT;
    }
    SG_UNREACHABLE();
}

static enum sg_err read_tokens(const struct params *p, enum sgc_evm_kind kind)
{
    bool is_1155 = p->contract->asset.standard == SG_CAIP_ERC1155;
    switch (kind) {
    case SGC_EVM_TRANSFER:
        return is_1155 ? SG_ENOENT : transfer(p);
    case SGC_EVM_TRANSFER_SINGLE:
        return is_1155 ? transfer_single(p) : SG_ENOENT;
    case SGC_EVM_TRANSFER_BATCH:
        return is_1155 ? transfer_batch(p) : SG_ENOENT;
    case SGC_EVM_UPDATE_USER:
        return is_1155 ? SG_ENOENT : update_user(p);
    case SGC_EVM_DELEGATE_ALL:
    case SGC_EVM_DELEGATE_CONTRACT:
    case SGC_EVM_DELEGATE_ERC721:
    case SGC_EVM_DELEGATE_ERC1155:
    case SGC_EVM_KINDS:
        return SG_ENOENT;
    }
    SG_UNREACHABLE();
}

enum sg_err sgc_evm_events(const struct sgc_evm *evm, const struct sgc_evm_contract *contract,
                           const struct sgc_eth_log *log, struct sgc_events *out)
{
    struct params p = {.contract = contract, .log = log, .out = out};
    SG_ASSERT(contract->asset.contract.len == 20);
    enum sgc_evm_kind kind = kind_of(evm, log);
    enum sg_err err = contract->registry ? read_registry(&p, kind) : read_tokens(&p, kind);
    if (err != SG_ENOENT)
        return err;
    out->skipped++;
    return SG_OK;
}
