/* commands - what sgctl does beside token and own, a function a command. argv[0] is the command's
 * name; the return value is the exit status. */
#ifndef SGT_COMMANDS_H
#define SGT_COMMANDS_H

#include "tools/sgctl/client.h"

/* ask.c: over the admin socket */
int sgt_status_main(const struct sgt_call *call, int argc, char **argv);
int sgt_origins_main(const struct sgt_call *call, int argc, char **argv);
int sgt_explain_main(const struct sgt_call *call, int argc, char **argv);
int sgt_purge_main(const struct sgt_call *call, int argc, char **argv);
extern const char sgt_purge_usage[];
int sgt_reload_main(const struct sgt_call *call, int argc, char **argv);
int sgt_drain_main(const struct sgt_call *call, int argc, char **argv);
/* Asks, complains, dumps where JSON is wanted. SGT_DONE and *out: the caller prints and ends it. */
int sgt_ask(const struct sgt_call *call, bool post, const char *target, json_t **out);
/* chain.c: over the admin socket */
int sgt_chain_main(const struct sgt_call *call, int argc, char **argv);
extern const char sgt_chain_usage[];
/* feed.c: over the admin socket */
int sgt_feed_main(const struct sgt_call *call, int argc, char **argv);
extern const char sgt_feed_usage[];
/* log.c, stat.c, top.c: from shared memory, whether the node answers or not */
int sgt_log_main(const struct sgt_call *call, int argc, char **argv);
extern const char sgt_log_usage[];
int sgt_stat_main(const struct sgt_call *call, int argc, char **argv);
int sgt_top_main(const struct sgt_call *call, int argc, char **argv);
extern const char sgt_top_usage[];

#endif
