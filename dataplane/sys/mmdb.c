#include "dataplane/sys/mmdb.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <maxminddb.h>
#include <stdbool.h>
#include <string.h>

struct sgd_mmdb {
    MMDB_s db;
    bool open;
};

enum sg_err sgd_mmdb_open(const char *path, struct sgd_mmdb **out)
{
    SG_ASSERT(path != NULL);
    SG_ASSERT(out != NULL);
    struct sgd_mmdb *db = sg_boot_alloc(sizeof(*db));
    if (db == NULL)
        return SG_ENOMEM;
    enum sg_err err = SG_OK;
    errno = 0;
    switch (MMDB_open(path, MMDB_MODE_MMAP, &db->db)) {
    case MMDB_SUCCESS:
        db->open = true;
        *out = SG_TAKE(db);
        break;
    case MMDB_OUT_OF_MEMORY_ERROR:
        err = SG_ENOMEM;
        break;
    case MMDB_FILE_OPEN_ERROR:
    case MMDB_IO_ERROR:
        err = errno != 0 ? sg_err_from_errno(errno) : SG_EIO;
        break;
    default:
        err = SG_ECORRUPT;
        break;
    }
    sgd_mmdb_close(db);
    return err;
}

void sgd_mmdb_close(struct sgd_mmdb *db)
{
    if (db == NULL)
        return;
    if (db->open)
        MMDB_close(&db->db);
    sg_boot_free(db);
}

static enum sg_err entry_find(const struct sgd_mmdb *db, const struct in6_addr *address,
                              MMDB_entry_s *entry)
{
    int rc = 0;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = *address};
    bool mapped = IN6_IS_ADDR_V4MAPPED(address);
    memcpy(&v4.sin_addr, &address->s6_addr[12], 4);
    if (!mapped && db->db.metadata.ip_version == 4)
        return SG_ENOENT;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(
        &db->db, mapped ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6, &rc);
    if (rc != MMDB_SUCCESS)
        return SG_ECORRUPT;
    *entry = found.entry;
    return found.found_entry ? SG_OK : SG_ENOENT;
}

static enum sg_err value_get(MMDB_entry_s *entry, const char *const *path, MMDB_entry_data_s *data)
{
    int rc = MMDB_aget_value(entry, data, path);
    if (rc == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
        return SG_ENOENT;
    if (rc != MMDB_SUCCESS)
        return SG_ECORRUPT;
    return data->has_data ? SG_OK : SG_ENOENT;
}

static bool code_read(const MMDB_entry_data_s *data, char code[2])
{
    if (data->type != MMDB_DATA_TYPE_UTF8_STRING || data->data_size != 2)
        return false;
    for (int i = 0; i < 2; i++) {
        char upper = data->utf8_string[i] & (char)~0x20;
        if (upper < 'A' || upper > 'Z')
            return false;
        code[i] = upper;
    }
    return true;
}

enum sg_err sgd_mmdb_country(const struct sgd_mmdb *db, const struct in6_addr *address,
                             char code[2])
{
    static const char *const maxmind[] = {"country", "iso_code", NULL};
    static const char *const flat[] = {"country_code", NULL};
    MMDB_entry_s entry;
    MMDB_entry_data_s data;
    SG_ASSERT(db != NULL && address != NULL);
    enum sg_err err = entry_find(db, address, &entry);
    if (err != SG_OK)
        return err;
    err = value_get(&entry, maxmind, &data);
    if (err == SG_ENOENT)
        err = value_get(&entry, flat, &data);
    if (err != SG_OK)
        return err;
    return code_read(&data, code) ? SG_OK : SG_ENOENT;
}

enum sg_err sgd_mmdb_asn(const struct sgd_mmdb *db, const struct in6_addr *address, uint32_t *asn)
{
    static const char *const path[] = {"autonomous_system_number", NULL};
    MMDB_entry_s entry;
    MMDB_entry_data_s data;
    SG_ASSERT(db != NULL && address != NULL);
    enum sg_err err = entry_find(db, address, &entry);
    if (err == SG_OK)
        err = value_get(&entry, path, &data);
    if (err != SG_OK)
        return err;
    if (data.type != MMDB_DATA_TYPE_UINT32 && data.type != MMDB_DATA_TYPE_UINT16)
        return SG_ENOENT;
    *asn = data.type == MMDB_DATA_TYPE_UINT32 ? data.uint32 : data.uint16;
    return SG_OK;
}
