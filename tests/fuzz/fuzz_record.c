/* Records of the volume: the first bytes choose what is changed in a sealed record; a change of
 * payload or seal is always seen. And any page is parsed as a seal. */
#include "base/assert.h"
#include "edgecache/content/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t rest[SGE_REST_BYTES_MAX], page[SGE_PAGE_BYTES];
    struct sge_record record = {.volume = 1, .key_hash = {2, 3}, .body_id = 4}, found;
    if (len < 5 || len > 1 << 18)
        return 0;
    memset(page, 0, sizeof(page));
    memcpy(page + sizeof(page) - SG_MIN(len, sizeof(page)), bytes, SG_MIN(len, sizeof(page)));
    (void)!sge_record_parse(page, &found);
    uint32_t at;
    memcpy(&at, bytes, sizeof(at));
    record.length = (uint32_t)len - 4;
    uint8_t *payload = malloc(record.length);
    SG_ASSERT(payload != NULL);
    memcpy(payload, bytes + 4, record.length);
    uint32_t rest_bytes = sge_record_seal(&record, payload, rest);
    uint32_t pages = sge_record_pages_bytes(record.length);
    SG_ASSERT(sge_record_check(&record, payload, rest, rest_bytes) == SG_OK);
    at %= record.length;
    uint8_t *where = at < pages ? &payload[at] : &rest[at - pages];
    *where ^= bytes[0] | 1;
    SG_ASSERT(sge_record_check(&record, payload, rest, rest_bytes) == SG_ECORRUPT);
    free(payload);
    return 0;
}
