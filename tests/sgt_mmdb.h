/* sgt_mmdb - writes a small MaxMind DB file (format 2.0, IPv6 tree, 24-bit records) for tests: so
 * that they need no database of anyone's. */
#ifndef SGT_MMDB_H
#define SGT_MMDB_H

#include "base/assert.h"
#include "base/out.h"

#include <arpa/inet.h>
#include <stdio.h>

enum sgt_mmdb_layout { SGT_MMDB_MAXMIND, SGT_MMDB_FLAT, SGT_MMDB_ASN };

struct sgt_mmdb_row {
    const char *network; /* "192.0.2.0" or "2001:db8::" */
    unsigned bits;
    const char *country; /* or */
    uint32_t asn;
};

struct sgt_mmdb {
    uint32_t records[4096][2]; /* 0: nothing; n: node n; above NODE_DATA: a data offset */
    uint32_t nodes;
    struct sg_out data;
};
#define SGT_MMDB_DATA 0x800000u

static inline void sgt_mmdb_text(struct sg_out *out, const char *text)
{
    SG_ASSERT(strlen(text) < 29);
    sg_out_char(out, (char)(2 << 5 | strlen(text)));
    sg_out_bytes(out, text, strlen(text));
}

/* An unsigned number of a type below 8 in `width` bytes. */
static inline void sgt_mmdb_uint(struct sg_out *out, unsigned type, uint64_t v, unsigned width)
{
    sg_out_char(out, (char)((type < 8 ? type << 5 : 0) | width));
    if (type >= 8)
        sg_out_char(out, (char)(type - 7));
    for (unsigned i = width; i-- > 0;)
        sg_out_char(out, (char)(v >> 8 * i));
}

static inline uint32_t sgt_mmdb_value(struct sgt_mmdb *db, const struct sgt_mmdb_row *row,
                                      enum sgt_mmdb_layout layout)
{
    uint32_t at = (uint32_t)db->data.len;
    sg_out_char(&db->data, (char)(7 << 5 | 1));
    if (layout == SGT_MMDB_ASN) {
        sgt_mmdb_text(&db->data, "autonomous_system_number");
        sgt_mmdb_uint(&db->data, 6, row->asn, 4);
        return SGT_MMDB_DATA + at;
    }
    if (layout == SGT_MMDB_MAXMIND) {
        sgt_mmdb_text(&db->data, "country");
        sg_out_char(&db->data, (char)(7 << 5 | 1));
    }
    sgt_mmdb_text(&db->data, layout == SGT_MMDB_MAXMIND ? "iso_code" : "country_code");
    sgt_mmdb_text(&db->data, row->country);
    return SGT_MMDB_DATA + at;
}

static inline void sgt_mmdb_add(struct sgt_mmdb *db, const struct sgt_mmdb_row *row,
                                enum sgt_mmdb_layout layout)
{
    uint8_t address[16] = {0};
    unsigned bits = row->bits;
    uint32_t node = 0;
    if (inet_pton(AF_INET6, row->network, address) != 1) {
        int good = inet_pton(AF_INET, row->network, address + 12);
        SG_ASSERT(good == 1);
        bits += 96; /* where the format keeps IPv4 */
    }
    for (unsigned i = 0; i < bits; i++) {
        uint32_t *record = &db->records[node][address[i / 8] >> (7 - i % 8) & 1];
        if (i == bits - 1) {
            *record = sgt_mmdb_value(db, row, layout);
            return;
        }
        if (*record == 0)
            *record = db->nodes++;
        node = *record;
        SG_ASSERT(node < SG_COUNT(db->records));
    }
}

static inline void sgt_mmdb_metadata(const struct sgt_mmdb *db, struct sg_out *out)
{
    sg_out_bytes(out, "\xab\xcd\xefMaxMind.com", 14);
    sg_out_char(out, (char)(7 << 5 | 9));
    sgt_mmdb_text(out, "node_count");
    sgt_mmdb_uint(out, 6, db->nodes, 4);
    sgt_mmdb_text(out, "record_size");
    sgt_mmdb_uint(out, 5, 24, 2);
    sgt_mmdb_text(out, "ip_version");
    sgt_mmdb_uint(out, 5, 6, 2);
    sgt_mmdb_text(out, "database_type");
    sgt_mmdb_text(out, "test");
    sgt_mmdb_text(out, "languages");
    sg_out_bytes(out, "\0\x04", 2); /* an empty array */
    sgt_mmdb_text(out, "description");
    sg_out_char(out, (char)(7 << 5));
    sgt_mmdb_text(out, "build_epoch");
    sgt_mmdb_uint(out, 9, 1764000000, 8);
    sgt_mmdb_text(out, "binary_format_major_version");
    sgt_mmdb_uint(out, 5, 2, 2);
    sgt_mmdb_text(out, "binary_format_minor_version");
    sgt_mmdb_uint(out, 5, 0, 2);
}

static inline void sgt_mmdb_write(const char *path, enum sgt_mmdb_layout layout,
                                  const struct sgt_mmdb_row *rows, size_t count)
{
    static struct sgt_mmdb db;
    static char data[4096], memory[65536];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    db = (struct sgt_mmdb){.nodes = 1, .data = sg_out_init(data, sizeof(data))};
    for (size_t i = 0; i < count; i++)
        sgt_mmdb_add(&db, &rows[i], layout);
    for (uint32_t node = 0; node < db.nodes; node++)
        for (int side = 0; side < 2; side++) {
            uint32_t v = db.records[node][side];
            v = v == 0 ? db.nodes : v >= SGT_MMDB_DATA ? v - SGT_MMDB_DATA + db.nodes + 16 : v;
            for (int shift = 16; shift >= 0; shift -= 8)
                sg_out_char(&out, (char)(v >> shift));
        }
    sg_out_bytes(&out, (const char[16]){0}, 16);
    sg_out_str(&out, sg_out_view(&db.data));
    sgt_mmdb_metadata(&db, &out);
    SG_ASSERT(!out.full && !db.data.full);
    FILE *f = fopen(path, "wb");
    SG_ASSERT(f != NULL);
    size_t written = fwrite(out.ptr, 1, out.len, f);
    SG_ASSERT(fclose(f) == 0 && written == out.len);
}

#endif
