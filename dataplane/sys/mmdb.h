/* mmdb - the only door to libmaxminddb: which country and which autonomous system an address is of.
 * Reads MaxMind's layout (country.iso_code, autonomous_system_number) and the flat one of others
 * (country_code). Read-only after open: any thread. */
#ifndef SGD_SYS_MMDB_H
#define SGD_SYS_MMDB_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdint.h>

struct sgd_mmdb;
/* Maps the file. SG_ENOENT and alike: not readable; SG_ECORRUPT: not an mmdb. */
SG_MUST_USE enum sg_err sgd_mmdb_open(const char *path, struct sgd_mmdb **out);
void sgd_mmdb_close(struct sgd_mmdb *db);
/* IPv4 comes as ::ffff:a.b.c.d. SG_ENOENT: the address is in no entry, or the entry has no such
 * value; SG_ECORRUPT: the file is damaged. Code in upper case. */
SG_MUST_USE enum sg_err sgd_mmdb_country(const struct sgd_mmdb *db, const struct in6_addr *address,
                                         char code[2]);
SG_MUST_USE enum sg_err sgd_mmdb_asn(const struct sgd_mmdb *db, const struct in6_addr *address,
                                     uint32_t *asn);

#endif
