/* How much of each want the stream has: whole, once everything of it was found and the ledger was
 * told who holds each. Whoever is not among them has nothing of it, then. */
#include "base/assert.h"
#include "controlplane/chain/solfollow_impl.h"

static uint64_t group_of(const struct sgc_solfollow *follow, uint32_t want)
{
    const struct sgc_solwant *wanted = &follow->wants[want];
    const struct sg_caip_chain *chain = &follow->options.chain;
    switch (wanted->kind) {
    case SGC_SOLWANT_NFT:
    case SGC_SOLWANT_TOKEN:
        return follow->sources[want];
    case SGC_SOLWANT_COLLECTION:
        return sge_group_collection(chain, wanted->key);
    case SGC_SOLWANT_CREATOR:
        return sge_group_creator(chain, wanted->key);
    }
    SG_UNREACHABLE();
}

static enum sg_err tell(struct sgc_solfollow *follow, uint32_t want, enum sge_followed how)
{
    const struct sgc_following following = {
        .source = follow->sources[want], .group = group_of(follow, want), .how = how};
    return sgc_ledger_follow(follow->options.ledger, &follow->options.chain, &following);
}

enum sg_err sgc_solwhole_begin(struct sgc_solfollow *follow, uint32_t want)
{
    SG_ASSERT(want < follow->options.wants_count);
    return tell(follow, want, SGE_FOLLOWED_READING);
}

/* Who holds it was seen this turn, and told; or nobody can. One that there is and nobody seems to
 * hold is hidden, or on its way. */
static bool is_clear(const struct sgc_solnft *nft)
{
    if (nft->is_none)
        return true;
    return nft->is_nft && nft->looked && nft->now_held && nft->is_told && !nft->regroup &&
           memcmp(nft->owner, nft->now_owner, sizeof(nft->owner)) == 0;
}

static bool is_of(const struct sgc_solfollow *follow, const struct sgc_solnft *nft, uint32_t want)
{
    const struct sgc_solwant *wanted = &follow->wants[want];
    if (nft->want == want ||
        (wanted->kind == SGC_SOLWANT_NFT && memcmp(nft->mint, wanted->key, sizeof(nft->mint)) == 0))
        return true;
    uint64_t group = group_of(follow, want);
    for (uint8_t i = 0; i < nft->groups_count; i++)
        if (nft->groups[i] == group)
            return true;
    return false;
}

enum sg_err sgc_solwhole_tell(struct sgc_solfollow *follow)
{
    const struct sgc_solwatch *watch = &follow->watch;
    uint32_t wants_count = follow->options.wants_count;
    bool part[SGC_SOLWANTS_MAX];
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < wants_count; i++)
        part[i] = !follow->discovered || follow->is_hidden[i];
    for (uint32_t i = 0; i < watch->nfts_count; i++)
        for (uint32_t j = 0; j < wants_count && !is_clear(&watch->nfts[i]); j++)
            part[j] |= is_of(follow, &watch->nfts[i], j);
    for (uint32_t i = 0; i < watch->holders_count; i++) {
        const struct sgc_solholder *holder = &watch->holders[i];
        part[holder->want] |= !holder->is_told || holder->amount != holder->now_amount;
    }
    for (uint32_t i = 0; i < wants_count && err == SG_OK; i++)
        err = tell(follow, i, part[i] ? SGE_FOLLOWED_PART : SGE_FOLLOWED_WHOLE);
    return err;
}
