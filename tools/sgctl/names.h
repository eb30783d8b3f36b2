/* names - what the indices in the request ring mean: the node writes them beside the ring, a file a
 * configuration (run_dir/names.SERIAL.json). */
#ifndef SGT_NAMES_H
#define SGT_NAMES_H

#include "dataplane/node/recordjson.h"

struct sgt_names;
struct sgt_names *sgt_names_open(const char *run_dir);
void sgt_names_close(struct sgt_names *names);
/* Those of `record`, where they are known; good until the next call. */
struct sgd_record_names sgt_names_of(struct sgt_names *names, const struct sge_record *record);
/* A restarted node counts configurations from 1 again. */
void sgt_names_forget(struct sgt_names *names);

#endif
