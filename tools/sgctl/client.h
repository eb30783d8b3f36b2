/* client - how sgctl finds a node and talks to it: where its files are, and HTTP over its admin
 * socket. What a configuration that does not load still says of run_dir and socket is used, so that
 * a node can be asked why it refuses that file. */
#ifndef SGT_CLIENT_H
#define SGT_CLIENT_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#define SGT_UNREACHABLE 3 /* exit status beside those of access.h */

/* What every command gets. */
struct sgt_call {
    const char *config; /* file; may be absent or wrong */
    bool config_named;  /* by --config */
    bool json;
    bool quiet; /* when no node answers */
    char run_dir[PATH_MAX];
    char socket[PATH_MAX];
};

/* Fills in where the node's files are; `socket` as given on the command line, or NULL. SGT_REFUSED,
 * and says so, when a configuration was named that says nothing: another node is not asked. */
int sgt_call_find(struct sgt_call *call, const char *socket);

/* Asks `target` ("/v1/status") and reads the answer, JSON. 0 and *out; SGT_REFUSED when the node
 * said no, SGT_USAGE when the question made no sense to it (*out is what it said, or NULL);
 * SGT_UNREACHABLE, and says so. */
int sgt_call_ask(const struct sgt_call *call, bool post, const char *target, json_t **out);
/* Appends "&name=value", escaped; value NULL: nothing. What does not fit leaves `target` empty,
 * which sgt_call_ask() refuses. */
void sgt_call_param(char *target, size_t cap, const char *name, const char *value);
/* Prints the node's "error" and its report's lines to standard error. */
void sgt_call_complain(const json_t *answer);

#endif
