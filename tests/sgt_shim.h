/* sgt_shim - a server of our own in node, which says its port and answers JSON-RPC, and how a test
 * steers it. Link jansson and libcurl. */
#ifndef SGT_SHIM_H
#define SGT_SHIM_H

#include "tests/sgt.h"

#include <curl/curl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct sgt_shim {
    pid_t pid;
    int in; /* it ends with it */
    char url[64];
};

/* `script` with node. False: it said no port. */
static inline bool sgt_shim_start(struct sgt_shim *shim, const char *script)
{
    int in[2], out[2];
    char port[16] = "";
    if (pipe(in) != 0 || pipe(out) != 0)
        abort();
    shim->pid = fork();
    if (shim->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        execlp("node", "node", script, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    shim->in = in[1];
    ssize_t n = read(out[0], port, sizeof(port) - 1);
    close(out[0]);
    snprintf(shim->url, sizeof(shim->url), "http://127.0.0.1:%d", atoi(port));
    return n > 0;
}

static inline void sgt_shim_stop(struct sgt_shim *shim)
{
    close(shim->in);
    waitpid(shim->pid, NULL, 0);
}

static inline size_t sgt_shim_take(char *bytes, size_t size, size_t count, void *ctx)
{
    return fwrite(bytes, size, count, (FILE *)ctx);
}

/* The result where it is a text, else "", into `out`. Fails the test where it is an error. */
static inline void sgt_shim_ask(struct sgt_shim *shim, char *out, size_t cap, const char *method,
                                const char *params)
{
    char *text = NULL, *body = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    CURL *curl = curl_easy_init();
    if (asprintf(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
                 params) < 0)
        abort();
    curl_easy_setopt(curl, CURLOPT_URL, shim->url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, sgt_shim_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, file);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_cleanup(curl);
    fclose(file);
    json_t *said = json_loads(text, 0, NULL);
    if (said == NULL || json_object_get(said, "error") != NULL)
        fail_msg("%s %s: %s", method, params, text);
    const char *result = json_string_value(json_object_get(said, "result"));
    snprintf(out, cap, "%s", result != NULL ? result : "");
    json_decref(said);
    free(body);
    free(text);
}

#endif
