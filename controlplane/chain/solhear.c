#include "controlplane/chain/solhear.h"

#include "base/assert.h"

#define SUB_BYTES 320u /* more than any of them has */

struct asked {
    uint32_t count;
    struct sgc_sub subs[SGC_SUBS_MAX];
    char texts[SGC_SUBS_MAX][SUB_BYTES];
};

static void on_notice(void *ctx, uint32_t sub, struct sg_jsonread result)
{
    struct sgc_sol_notice notice;
    (void)sub;
    if (sgc_sol_read_notice(result, &notice))
        sgc_soltrack_wake(ctx, notice.slot, notice.is_mention);
}

static struct sg_out begin(struct asked *asked)
{
    SG_ASSERT(asked->count < SGC_SUBS_MAX);
    return sg_out_init(asked->texts[asked->count], SUB_BYTES);
}

static void end(struct asked *asked, const char *method, const struct sg_out *params)
{
    SG_ASSERT(!params->full);
    asked->subs[asked->count++] = (struct sgc_sub){method, sg_out_view(params)};
}

static void ask_holdings(struct asked *asked, const uint8_t mint[SGC_SOL_KEY_BYTES])
{
    static const enum sgc_sol_program programs[] = {SGC_SOL_TOKEN, SGC_SOL_TOKEN_2022};
    for (size_t i = 0; i < SG_COUNT(programs) && asked->count < SGC_SUBS_MAX; i++) {
        struct sg_out params = begin(asked);
        sgc_sol_put_holdings_sub(&params, programs[i], mint);
        end(asked, "programSubscribe", &params);
    }
}

static void ask_mentions(struct asked *asked, const uint8_t key[SGC_SOL_KEY_BYTES])
{
    struct sg_out params = begin(asked);
    sgc_sol_put_mentions_sub(&params, key);
    end(asked, "logsSubscribe", &params);
}

enum sg_err sgc_solhear_open(const struct sgc_rpc_options *servers, uint32_t servers_count,
                             const struct sgc_solwant *wants, uint32_t wants_count,
                             struct sgc_soltrack *track, struct sgc_subs **out)
{
    struct asked asked = {.count = 0};
    SG_ASSERT(track != NULL && wants_count > 0);
    for (uint32_t i = 0; i < wants_count && asked.count < SGC_SUBS_MAX; i++) {
        bool one = wants[i].kind == SGC_SOLWANT_NFT || wants[i].kind == SGC_SOLWANT_TOKEN;
        if (one)
            ask_holdings(&asked, wants[i].key);
        else
            ask_mentions(&asked, wants[i].key);
    }
    const struct sgc_subs_options options = {.servers = servers,
                                             .servers_count = servers_count,
                                             .subs = asked.subs,
                                             .subs_count = asked.count,
                                             .notice = on_notice,
                                             .ctx = track};
    return sgc_subs_open(&options, out);
}
