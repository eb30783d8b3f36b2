#include "controlplane/chain/prove.h"

#include "base/assert.h"
#include "controlplane/chain/proof.h"
#include "edgecache/state/facts.h"

static const struct sgc_evm_contract *provable(const struct sgc_prove *prove,
                                               const struct sgc_event *event)
{
    const struct sgc_evm_contract *contract = prove->contract_of(prove->ctx, &event->asset);
    return contract != NULL && contract->has_proof_slot ? contract : NULL;
}

static bool same_asset(const struct sgc_event *a, const struct sgc_event *b)
{
    return memcmp(a->asset.id.bytes, b->asset.id.bytes, sizeof(a->asset.id.bytes)) == 0 &&
           memcmp(a->asset.contract.bytes, b->asset.contract.bytes, 20) == 0;
}

/* ---- owners ---- */

/* A later one of the block is what counts. */
static bool is_last(const struct sgc_event *events, uint32_t count, uint32_t at)
{
    for (uint32_t i = at + 1; i < count; i++) {
        if (events[i].kind == SGC_EVENT_OWNER && same_asset(&events[i], &events[at]))
            return false;
    }
    return true;
}

static enum sg_err owner_prove(const struct sgc_prove *prove, const struct sgc_eth_block *block,
                               const struct sgc_event *event, const uint8_t slot[32])
{
    static const uint8_t nobody[20];
    uint8_t owner[20];
    enum sg_err err = sgc_proof_owner(prove->servers, block, event->asset.contract.bytes, slot,
                                      &event->asset.id, owner);
    if (err != SG_OK)
        return err;
    const uint8_t *said = event->to.len == 20 ? event->to.bytes : nobody;
    return memcmp(owner, said, sizeof(owner)) == 0 ? SG_OK : SG_EAUTH;
}

static enum sg_err owners_prove(const struct sgc_prove *prove, const struct sgc_eth_block *block,
                                const struct sgc_event *events, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (events[i].kind != SGC_EVENT_OWNER)
            continue;
        const struct sgc_evm_contract *contract = provable(prove, &events[i]);
        if (contract == NULL || !is_last(events, count, i))
            continue;
        enum sg_err err = owner_prove(prove, block, &events[i], contract->proof_slot.bytes);
        if (err != SG_OK)
            return err;
        ++*prove->proven;
    }
    return SG_OK;
}

/* ---- balances ---- */

/* Whether one more balance of the block is proven. */
static bool may_prove(const struct sgc_prove *prove, uint32_t *total)
{
    if (*total == SGC_PROVE_BALANCES_MAX) {
        *prove->cut = true;
        return false;
    }
    ++*total;
    return true;
}

/* What is asked of one contract at once. */
struct batch {
    const struct sgc_evm_contract *contract;
    uint32_t count, total; /* total: of the block */
    uint8_t slots[SGC_PROOF_SLOTS_MAX][32];
    struct sg_u256 wanted[SGC_PROOF_SLOTS_MAX];
};

static bool address_eq(const struct sg_caip_address *a, const struct sg_caip_address *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Of nothing, or to oneself, changes nothing: anybody may make such moves. */
static bool is_move(const struct sgc_event *event)
{
    return event->kind == SGC_EVENT_MOVE && !sg_u256_is_zero(&event->amount) &&
           !address_eq(&event->from, &event->to);
}

static bool touches(const struct sgc_event *event, const struct sgc_event *of,
                    const struct sg_caip_address *holder)
{
    return is_move(event) && same_asset(event, of) &&
           (address_eq(&event->from, holder) || address_eq(&event->to, holder));
}

static enum sg_err balance_before(const struct sgc_prove *prove, const struct sgc_event *of,
                                  const struct sg_caip_address *holder, struct sg_u256 *out)
{
    const struct sg_caip_account account = {of->asset.chain, *holder};
    uint8_t name[32];
    struct sge_fact_id id;
    struct sge_change fact;
    sg_caip_account_id(&account, name);
    sge_fact_balance(&of->asset, name, &id);
    enum sg_err err = sgc_ledger_fact(prove->ledger, &id, &fact);
    *out = sg_u256_of(0);
    if (err == SG_OK)
        memcpy(out->bytes, fact.head, sizeof(out->bytes));
    return err == SG_ENOENT ? SG_OK : err;
}

/* As the logs have it after the block. False: they move more than there is. */
static bool balance_after(const struct sgc_event *events, uint32_t count,
                          const struct sgc_event *of, const struct sg_caip_address *holder,
                          struct sg_u256 *balance)
{
    bool right = true;
    for (uint32_t i = 0; i < count && right; i++) {
        if (!touches(&events[i], of, holder))
            continue;
        right = address_eq(&events[i].from, holder)
                    ? sg_u256_sub(balance, &events[i].amount, balance)
                    : sg_u256_add(balance, &events[i].amount, balance);
    }
    return right;
}

static enum sg_err batch_prove(const struct sgc_prove *prove, const struct sgc_eth_block *block,
                               struct batch *batch)
{
    struct sg_u256 values[SGC_PROOF_SLOTS_MAX];
    uint32_t count = batch->count;
    if (count == 0)
        return SG_OK;
    batch->count = 0;
    enum sg_err err = sgc_proof_slots(prove->servers, block, batch->contract->asset.contract.bytes,
                                      (const uint8_t(*)[32])batch->slots, count, values);
    if (err != SG_OK)
        return err;
    for (uint32_t i = 0; i < count; i++)
        if (sg_u256_cmp(&values[i], &batch->wanted[i]) != 0)
            return SG_EAUTH;
    *prove->proven += count;
    return SG_OK;
}

/* The holder's part of events[at], where it is the first of the block that touches it. */
static enum sg_err batch_add(const struct sgc_prove *prove, const struct sgc_eth_block *block,
                             const struct sgc_event *events, uint32_t count, uint32_t at,
                             const struct sg_caip_address *holder, struct batch *batch)
{
    const struct sgc_event *event = &events[at];
    struct sg_u256 balance;
    if (holder->len == 0)
        return SG_OK;
    for (uint32_t i = 0; i < at; i++)
        if (touches(&events[i], event, holder))
            return SG_OK;
    if (!may_prove(prove, &batch->total))
        return SG_OK;
    enum sg_err err = balance_before(prove, event, holder, &balance);
    if (err != SG_OK)
        return err;
    if (!balance_after(events, count, event, holder, &balance))
        return SG_EAUTH;
    batch->wanted[batch->count] = balance;
    sgc_proof_balance_slot(&event->asset.id, holder->bytes, batch->contract->proof_slot.bytes,
                           batch->slots[batch->count]);
    batch->count++;
    return batch->count == SGC_PROOF_SLOTS_MAX ? batch_prove(prove, block, batch) : SG_OK;
}

static enum sg_err balances_prove(const struct sgc_prove *prove, const struct sgc_eth_block *block,
                                  const struct sgc_event *events, uint32_t count)
{
    struct batch batch = {.contract = NULL};
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < count && err == SG_OK; i++) {
        if (!is_move(&events[i]))
            continue;
        const struct sgc_evm_contract *contract = provable(prove, &events[i]);
        if (contract == NULL)
            continue;
        if (contract != batch.contract)
            err = batch_prove(prove, block, &batch);
        batch.contract = contract;
        if (err == SG_OK)
            err = batch_add(prove, block, events, count, i, &events[i].from, &batch);
        if (err == SG_OK)
            err = batch_add(prove, block, events, count, i, &events[i].to, &batch);
    }
    return err == SG_OK ? batch_prove(prove, block, &batch) : err;
}

/* ---- how many of an ERC-721 ---- */

/* What the block's logs add to and take from the counts of some holders of one contract. */
struct counts {
    const struct sgc_evm_contract *contract;
    const struct sgc_eth_block *block;
    struct sgc_eth_block parent; /* asked for with the first batch */
    bool has_parent;
    uint32_t count, total;
    uint8_t slots[SGC_PROOF_SLOTS_MAX][32];
    uint32_t gained[SGC_PROOF_SLOTS_MAX], lost[SGC_PROOF_SLOTS_MAX];
};

static bool is_count(const struct sgc_event *event, const struct sgc_event *of)
{
    return event->kind == SGC_EVENT_OWNER && event->source == of->source;
}

static enum sg_err parent_of(const struct sgc_prove *prove, struct counts *counts)
{
    struct sgc_eth_at at = {.kind = SGC_ETH_HASH};
    if (counts->has_parent)
        return SG_OK;
    memcpy(at.hash, counts->block->parent, sizeof(at.hash));
    enum sg_err err = sgc_agreed_block(prove->servers, &at, &counts->parent);
    counts->has_parent = err == SG_OK;
    return err == SG_ENOENT ? SG_EAGAIN : err; /* a reorg, or servers that are behind */
}

/* What there was and what came is what there is and what went. */
static bool adds_up(const struct sg_u256 *before, uint32_t gained, const struct sg_u256 *after,
                    uint32_t lost)
{
    struct sg_u256 had, has, came = sg_u256_of(gained), went = sg_u256_of(lost);
    return sg_u256_add(before, &came, &had) && sg_u256_add(after, &went, &has) &&
           sg_u256_cmp(&had, &has) == 0;
}

static enum sg_err counts_ask(const struct sgc_prove *prove, struct counts *counts)
{
    const uint8_t *contract = counts->contract->asset.contract.bytes;
    const uint8_t(*slots)[32] = (const uint8_t(*)[32])counts->slots;
    struct sg_u256 before[SGC_PROOF_SLOTS_MAX], after[SGC_PROOF_SLOTS_MAX];
    enum sg_err err = parent_of(prove, counts);
    if (err == SG_OK)
        err = sgc_proof_slots(prove->servers, &counts->parent, contract, slots, counts->count,
                              before);
    if (err == SG_OK)
        err = sgc_proof_slots(prove->servers, counts->block, contract, slots, counts->count, after);
    if (err != SG_OK)
        return err;
    for (uint32_t i = 0; i < counts->count; i++)
        if (!adds_up(&before[i], counts->gained[i], &after[i], counts->lost[i]))
            return SG_EAUTH;
    *prove->proven += counts->count;
    counts->count = 0;
    return SG_OK;
}

/* The holder's part of events[at], where it is the first of the block that touches it. */
static enum sg_err counts_add(const struct sgc_prove *prove, const struct sgc_event *events,
                              uint32_t count, uint32_t at, const struct sg_caip_address *holder,
                              struct counts *counts)
{
    uint32_t gained = 0, lost = 0;
    if (holder->len == 0)
        return SG_OK;
    for (uint32_t i = 0; i < count; i++) {
        bool from = address_eq(&events[i].from, holder), to = address_eq(&events[i].to, holder);
        if (!is_count(&events[i], &events[at]) || (!from && !to))
            continue;
        if (i < at)
            return SG_OK; /* proven with that one */
        gained += to;
        lost += from;
    }
    if (!may_prove(prove, &counts->total))
        return SG_OK;
    counts->gained[counts->count] = gained;
    counts->lost[counts->count] = lost;
    sgc_proof_count_slot(holder->bytes, counts->contract->balances_slot.bytes,
                         counts->slots[counts->count]);
    return ++counts->count == SGC_PROOF_SLOTS_MAX ? counts_ask(prove, counts) : SG_OK;
}

static enum sg_err counts_prove(const struct sgc_prove *prove, const struct sgc_eth_block *block,
                                const struct sgc_event *events, uint32_t count)
{
    struct counts counts = {.block = block};
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < count && err == SG_OK; i++) {
        if (events[i].kind != SGC_EVENT_OWNER)
            continue;
        const struct sgc_evm_contract *contract = prove->contract_of(prove->ctx, &events[i].asset);
        if (contract == NULL || !contract->has_balances_slot)
            continue;
        if (contract != counts.contract && counts.count > 0)
            err = counts_ask(prove, &counts);
        counts.contract = contract;
        if (err == SG_OK)
            err = counts_add(prove, events, count, i, &events[i].from, &counts);
        if (err == SG_OK && !address_eq(&events[i].from, &events[i].to))
            err = counts_add(prove, events, count, i, &events[i].to, &counts);
    }
    return err == SG_OK && counts.count > 0 ? counts_ask(prove, &counts) : err;
}

enum sg_err sgc_prove_events(const struct sgc_prove *prove, const struct sgc_eth_block *block,
                             const struct sgc_event *events, uint32_t count)
{
    enum sg_err err = owners_prove(prove, block, events, count);
    if (err == SG_OK)
        err = balances_prove(prove, block, events, count);
    return err == SG_OK ? counts_prove(prove, block, events, count) : err;
}
