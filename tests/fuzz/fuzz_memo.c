/* A Solana transaction's message that is said to be a grant's memo, from anyone: one that is taken
 * is no larger than a transaction, is signed by the account alone, names no programs but Memo and
 * ComputeBudget, and holds the memo once. */
#include "base/assert.h"
#include "base/base58.h"
#include "dataplane/gate/grant_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The grant that the corpus is of. */
static const struct sgd_grant *grant_of(void)
{
    static struct sgd_grant grant = {
        .alg = SGD_GRANT_SOLANA_MEMO,
        .account = {.chain = {.ns = SG_CAIP_SOLANA, .solana = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"},
                    .address = {32, "an account of thirty-two letters"}},
        .tenant = {"films", 5},
        .expires_s = 1780003600,
        .issued_s = 1780000000,
        .cti = "sixteen letters",
        .ckt = "a session key's thirty-two bytes",
        .matches_count = 1,
        .matches = {{SGD_MATCH_HOST, SGD_MATCH_EXACT, {"video.example.org", 17}}},
    };
    return &grant;
}

static size_t count_of(struct sg_str text, const void *bytes, size_t len)
{
    size_t count = 0;
    for (const char *at = text.ptr, *end = text.ptr + text.len; at < end; at++, count++) {
        at = memmem(at, (size_t)(end - at), bytes, len);
        if (at == NULL)
            break;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char promise[] = ". This transaction pays nothing and can never land. Grant: ";
    const struct sg_str message = {(const char *)bytes, len};
    const struct sgd_grant *grant = grant_of();
    uint8_t memo[32], budget[32];
    SG_ASSERT(sg_base58_read(SG_STR("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"), memo, 32));
    SG_ASSERT(sg_base58_read(SG_STR("ComputeBudget111111111111111111111111111111"), budget, 32));
    if (!sgd_grant_is_memo_transaction(grant, message))
        return 0;
    const size_t at = bytes[0] == 0x80 ? 1 : 0, accounts = bytes[at + 3];
    SG_ASSERT(len <= SGD_SOLANA_MESSAGE_MAX - 65);
    SG_ASSERT(bytes[at] == 1 && bytes[at + 1] == 0 && accounts <= 3);
    SG_ASSERT(memcmp(bytes + at + 4, grant->account.address.bytes, 32) == 0);
    SG_ASSERT(count_of(message, memo, 32) == 1);
    SG_ASSERT(count_of(message, budget, 32) == accounts - 2);
    SG_ASSERT(count_of(message, promise, sizeof(promise) - 1) == 1);
    return 0;
}
