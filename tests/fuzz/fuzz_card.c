/* Cards of the content index: whatever their numbers say, what is read lies within the bytes, and a
 * card that is accepted is written again as it was. The checksum is made right first, or nothing
 * else would ever be tried. */
#include "base/assert.h"
#include "edgecache/content/card.h"
#include "edgecache/content/crc32c.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void card_use(const struct sge_card *card, const uint8_t *bytes, size_t len)
{
    uint32_t *places = calloc(card->slices + 1, sizeof(*places));
    uint8_t *again = malloc(len);
    SG_ASSERT(places != NULL && again != NULL);
    for (uint32_t i = 0; i < card->slices; i++) {
        places[i] = sge_card_place(card, i);
        SG_ASSERT(sge_card_slice_bytes(card, i) > 0);
    }
    SG_ASSERT(sge_card_bytes(card) == len);
    SG_ASSERT(sge_card_write(card, places, again) == len);
    SG_ASSERT(memcmp(again + 8, bytes + 8, 28) == 0); /* between them: always written as zero */
    SG_ASSERT(memcmp(again + 40, bytes + 40, len - 40) == 0);
    free(places);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sge_card card;
    if (len < 10 || len > 1 << 20)
        return 0;
    uint8_t *copy = malloc(len);
    SG_ASSERT(copy != NULL);
    memcpy(copy, bytes, len);
    (void)!sge_card_parse(copy, len, &card);
    memcpy(copy, "CEGS", 4); /* the magic, little-endian */
    copy[8] = 1;
    copy[9] = 0;
    uint32_t crc = sge_crc32c(0, copy + 8, len - 8);
    memcpy(copy + 4, &crc, sizeof(crc));
    if (sge_card_parse(copy, len, &card) == SG_OK)
        card_use(&card, copy, len);
    free(copy);
    return 0;
}
