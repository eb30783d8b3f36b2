/* How much of each want the stream has: whole, once everything of it was found and the ledger was
 * told who holds each. Whoever is not among them has nothing of it, then. */
#include "base/assert.h"
#include "controlplane/chain/solfollow_impl.h"

static uint64_t group_as(const struct sgc_solfollow *follow, uint32_t want,
                         enum sgc_solwant_kind kind)
{
    const uint8_t *key = follow->wants[want].key;
    const struct sg_caip_chain *chain = &follow->options.chain;
    switch (kind) {
    case SGC_SOLWANT_NFT:
    case SGC_SOLWANT_TOKEN:
        return follow->sources[want];
    case SGC_SOLWANT_COLLECTION:
        return sge_group_collection(chain, key);
    case SGC_SOLWANT_CREATOR:
        return sge_group_creator(chain, key);
    }
    SG_UNREACHABLE();
}

static uint64_t group_of(const struct sgc_solfollow *follow, uint32_t want)
{
    return group_as(follow, want, follow->wants[want].kind);
}

static enum sg_err tell_group(struct sgc_solfollow *follow, uint32_t want, uint64_t group,
                              enum sge_followed how)
{
    const struct sgc_following following = {
        .source = follow->sources[want], .group = group, .how = how};
    return sgc_ledger_follow(follow->options.ledger, &follow->options.chain, &following);
}

static enum sg_err tell(struct sgc_solfollow *follow, uint32_t want, enum sge_followed how)
{
    return tell_group(follow, want, group_of(follow, want), how);
}

static bool is_wanted(const struct sgc_solfollow *follow, uint64_t group)
{
    bool wanted = false;
    for (uint32_t i = 0; i < follow->options.wants_count && !wanted; i++)
        wanted = group_of(follow, i) == group;
    return wanted;
}

enum sg_err sgc_solwhole_leave(struct sgc_solfollow *follow)
{
    static const enum sgc_solwant_kind kinds[] = {SGC_SOLWANT_NFT, SGC_SOLWANT_COLLECTION,
                                                  SGC_SOLWANT_CREATOR};
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < follow->options.wants_count; i++)
        for (size_t k = 0; k < SG_COUNT(kinds) && err == SG_OK; k++) {
            uint64_t group = group_as(follow, i, kinds[k]);
            if (!is_wanted(follow, group))
                err = tell_group(follow, i, group, SGE_FOLLOWED_NOT);
        }
    return err;
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
