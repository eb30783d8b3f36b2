/* What is read is written in a normal form, which reads as the same thing and is its own normal
 * form. */
#include "base/assert.h"
#include "base/caip.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void account_again(const struct sg_caip_account *account)
{
    static char first[256], second[256];
    struct sg_out a = sg_out_init(first, sizeof(first)), b = sg_out_init(second, sizeof(second));
    struct sg_caip_account read;
    sg_caip_account_put(&a, account);
    SG_ASSERT(!a.full && sg_caip_account_read(sg_out_view(&a), &read));
    sg_caip_account_put(&b, &read);
    SG_ASSERT(sg_str_eq(sg_out_view(&a), sg_out_view(&b)));
}

static void asset_again(const struct sg_caip_asset *asset)
{
    static char first[256], second[256];
    struct sg_out a = sg_out_init(first, sizeof(first)), b = sg_out_init(second, sizeof(second));
    struct sg_caip_asset read;
    sg_caip_asset_put(&a, asset);
    SG_ASSERT(!a.full && sg_caip_asset_read(sg_out_view(&a), &read));
    sg_caip_asset_put(&b, &read);
    SG_ASSERT(sg_str_eq(sg_out_view(&a), sg_out_view(&b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sg_str text = {(const char *)bytes, len};
    struct sg_caip_account account;
    struct sg_caip_asset asset;
    struct sg_caip_chain chain;
    if (sg_caip_account_read(text, &account))
        account_again(&account);
    if (sg_caip_asset_read(text, &asset))
        asset_again(&asset);
    SG_ASSERT(!sg_caip_chain_read(text, &chain) || len <= 64);
    return 0;
}
