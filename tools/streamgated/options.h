/* options - the command line of streamgated. */
#ifndef SGT_STREAMGATED_OPTIONS_H
#define SGT_STREAMGATED_OPTIONS_H

#include "controlplane/node/control.h"

#include <stdbool.h>

struct sgt_options {
    const char *config;
    const char *trust; /* NULL: configurations need no signature */
    enum sgc_role role;
    bool check;
};

/* -1: run on with *out; else the exit status (after --help, --version, or a mistake told). */
int sgt_options_parse(int argc, char **argv, struct sgt_options *out);

#endif
