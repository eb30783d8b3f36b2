/* access - what `sgctl token` and `sgctl own` share: options, the state, facts by name, output.
 * They work on the configuration and the state directly, whether a node runs or not; every running
 * node sees what they write with its next request. Messages for people go to standard error. */
#ifndef SGT_ACCESS_H
#define SGT_ACCESS_H

#include "base/config.h"
#include "dataplane/gate/mint.h"
#include "edgecache/state/state.h"

#include <jansson.h>

enum sgt_exit { SGT_DONE = 0, SGT_REFUSED = 1, SGT_USAGE = 2 };

/* "sgctl: ..." and a line end. The answer is SGT_REFUSED, to return. */
SG_PRINTF(1, 2) int sgt_refuse(const char *fmt, ...);

/* The tenant of that name; without a name, the only one. NULL, and says so, where there is none. */
const struct sg_conf_tenant *sgt_tenant_find(const struct sg_config *config, const char *name);
/* K_tenant by the secret in that file; false, and says so. */
bool sgt_tenant_key(const char *secret_file, struct sg_str tenant, uint8_t out[SGD_KEY_BYTES]);

/* NULL, and says so. For reading, a state that was never written is made. */
struct sge_state *sgt_state_open(const struct sg_config *config);
/* A reader that has begun; NULL, and says so. End with sgt_reader_close(). */
struct sge_state_reader *sgt_reader_open(struct sge_state *state);
void sgt_reader_close(struct sge_state_reader *reader);

bool sgt_hex_read(const char *text, uint8_t *out, size_t bytes);
json_t *sgt_hex_json(const void *bytes, size_t len);
/* Unix seconds as RFC 3339, UTC. */
json_t *sgt_time_json(uint64_t seconds);

/* Prints *object as JSON, or as lines "key: value" for people, and ends it. */
void sgt_print(json_t *object, bool json);

#endif
