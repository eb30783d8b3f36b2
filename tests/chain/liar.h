/* liar - liar.py, the shim of our own in front of a real anvil, as a child process. */
#ifndef SGT_CHAIN_LIAR_H
#define SGT_CHAIN_LIAR_H

#include "tests/sgt.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct sgt_liar {
    pid_t pid;
    int in;
    uint16_t port;
};

/* `key` and `certificate`: by https; NULL: by http. */
static inline bool sgt_liar_start(struct sgt_liar *liar, const char *url, const char *key,
                                  const char *certificate)
{
    int in[2], out[2];
    char text[16] = "";
    if (pipe(in) != 0 || pipe(out) != 0)
        return false;
    liar->pid = fork();
    if (liar->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        execlp("python3", "python3", getenv("SG_CHAIN_LIAR"), url, key, certificate, NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    liar->in = in[1];
    ssize_t len = read(out[0], text, sizeof(text) - 1);
    close(out[0]);
    liar->port = (uint16_t)atoi(text);
    return len > 0;
}

static inline void sgt_liar_stop(struct sgt_liar *liar)
{
    close(liar->in);
    kill(liar->pid, SIGTERM);
    waitpid(liar->pid, NULL, 0);
}

/* What /now does from now on. */
static inline void sgt_liar_becomes(const struct sgt_liar *liar, const char *mode)
{
    char command[160];
    snprintf(command, sizeof(command), "curl -s --noproxy '*' http://127.0.0.1:%u/set/%s",
             liar->port, mode);
    assert_int_equal(system(command), 0);
}

#endif
