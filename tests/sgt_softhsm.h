/* sgt_softhsm - a token of SoftHSM's, made and filled by its own tools, in a folder of the test's.
 */
#ifndef SGT_SOFTHSM_H
#define SGT_SOFTHSM_H

#include "tests/sgt_dir.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SGT_SOFTHSM_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define SGT_SOFTHSM_PIN    "4321-right"

static inline bool sgt_softhsm_here(void)
{
    return access(SGT_SOFTHSM_MODULE, R_OK) == 0 && access("/usr/bin/softhsm2-util", X_OK) == 0 &&
           access("/usr/bin/pkcs11-tool", X_OK) == 0;
}

/* Runs a command quietly; aborts where it fails. */
__attribute__((format(printf, 1, 2))) static inline void sgt_softhsm_run(const char *fmt, ...)
{
    char words[2048], command[2100];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    snprintf(command, sizeof(command), "(%s) >/dev/null 2>&1", words);
    if (system(command) != 0)
        abort();
}

/* Writes the configuration, which this process and its children go by from here on. `mechanisms`
 * as SoftHSM's slots.mechanisms: "ALL". */
static inline void sgt_softhsm_begin(const char *dir, const char *mechanisms)
{
    char path[SGT_DIR_BYTES + 16];
    snprintf(path, sizeof(path), "%s/softhsm", dir);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        abort();
    fprintf(file,
            "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n"
            "slots.mechanisms = %s\n",
            dir, mechanisms);
    fclose(file);
    setenv("SOFTHSM2_CONF", path, 1);
}

static inline void sgt_softhsm_token(const char *label)
{
    sgt_softhsm_run("softhsm2-util --init-token --free --label %s --so-pin 87654321 --pin %s",
                    label, SGT_SOFTHSM_PIN);
}

/* `words` say what is done there, as pkcs11-tool takes them. */
static inline void sgt_softhsm_tool(const char *token, const char *words)
{
    sgt_softhsm_run("pkcs11-tool --module %s --token-label %s --login --pin %s %s",
                    SGT_SOFTHSM_MODULE, token, SGT_SOFTHSM_PIN, words);
}

#endif
