/* Chunked bodies: the first byte tells in which steps the rest arrives and is taken; the body and
 * the outcome do not depend on it. */
#include "base/assert.h"
#include "dataplane/http/chunked.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct outcome {
    enum sgd_chunked_result result;
    enum sgd_close why;
    size_t used, body;
    uint64_t sum;
};

static struct outcome decode(const uint8_t *bytes, size_t len, size_t step)
{
    struct outcome o = {.result = SGD_CHUNKED_MORE};
    struct sgd_chunked chunked;
    size_t offered = 0;
    sgd_chunked_begin(&chunked);
    while (o.used < len && o.result != SGD_CHUNKED_END && o.result != SGD_CHUNKED_BAD) {
        size_t framing, data;
        if (offered == o.used)
            offered = SG_MIN(len, offered + step);
        o.result =
            sgd_chunked_read(&chunked, bytes + o.used, offered - o.used, &framing, &data, &o.why);
        o.used += framing;
        SG_ASSERT(o.used <= offered && data <= offered - o.used);
        if (o.result != SGD_CHUNKED_DATA)
            continue;
        size_t took = SG_MIN(data, step);
        for (size_t i = 0; i < took; i++)
            o.sum = o.sum * 31 + bytes[o.used + i];
        sgd_chunked_took(&chunked, took);
        o.used += took;
        o.body += took;
    }
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    struct outcome a = decode(bytes + 1, len - 1, len - 1);
    struct outcome b = decode(bytes + 1, len - 1, bytes[0] % 16 + 1);
    if (a.result == SGD_CHUNKED_BAD || a.result == SGD_CHUNKED_END) {
        SG_ASSERT(b.result == a.result && b.used == a.used);
        SG_ASSERT(a.result == SGD_CHUNKED_END || a.why == b.why);
    }
    SG_ASSERT(a.sum == b.sum && a.body == b.body);
    return 0;
}
