#include "tests/chain/anvil.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_BYTES (64u << 10)
#define TRIES_MAX  1000 /* of 10 ms */

#define MUST(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

const char *sgt_hex0x(const void *bytes, uint32_t len)
{
    static char text[4][2 * ARGS_BYTES + 3];
    static uint32_t turn;
    MUST(len <= ARGS_BYTES);
    char *out = text[turn++ % 4];
    strcpy(out, "0x");
    for (uint32_t i = 0; i < len; i++)
        sprintf(out + 2 + 2 * i, "%02x", ((const uint8_t *)bytes)[i]);
    return out;
}

uint32_t sgt_unhex0x(const char *text, uint8_t *out, uint32_t max)
{
    MUST(strncmp(text, "0x", 2) == 0);
    uint32_t len = (uint32_t)strlen(text + 2) / 2;
    MUST(len <= max);
    for (uint32_t i = 0; i < len; i++)
        MUST(sscanf(text + 2 + 2 * i, "%2hhx", out + i) == 1);
    return len;
}

/* ---- the process ---- */

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static pid_t process_start(const char *program, const char *log, const char *const *options)
{
    const char *argv[32] = {program, "--host", "127.0.0.1", "--slots-in-an-epoch", "1"};
    uint32_t argc = 5;
    if (options == NULL || *options == NULL || strcmp(*options, "--port") != 0) {
        argv[argc++] = "--port";
        argv[argc++] = "0";
    }
    for (; options != NULL && *options != NULL; options++) {
        MUST(argc < 31);
        argv[argc++] = *options;
    }
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execv(program, (char *const *)argv);
    _exit(127);
}

static uint16_t log_port(const char *log)
{
    char text[16384] = "";
    FILE *file = fopen(log, "r");
    if (file == NULL)
        return 0;
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    const char *said = strstr(text, "Listening on 127.0.0.1:");
    return said == NULL || strchr(said, '\n') == NULL ? 0 : (uint16_t)atoi(said + 23);
}

static void accounts_read(struct sgt_anvil *anvil)
{
    json_t *accounts = sgt_anvil_rpc(anvil, "eth_accounts", json_array());
    for (size_t i = 0; i < 10; i++)
        sgt_unhex0x(json_string_value(json_array_get(accounts, i)), anvil->accounts[i], 20);
    json_decref(accounts);
}

bool sgt_anvil_start(struct sgt_anvil *anvil, const char *const *options)
{
    const char *packages = getenv("SG_CHAIN_PACKAGES"), *prepare = getenv("SG_CHAIN_PREPARE");
    char text[1024];
    if (packages == NULL || prepare == NULL)
        return false;
    snprintf(text, sizeof(text), "'%s' '%s'", prepare, packages);
    if (system(text) != 0)
        return false;
    *anvil = (struct sgt_anvil){0};
    snprintf(text, sizeof(text), "%s/contracts.json", packages);
    anvil->contracts = json_load_file(text, 0, NULL);
    MUST(anvil->contracts != NULL);
    snprintf(anvil->log, sizeof(anvil->log), "/tmp/sgt.anvil.XXXXXX");
    close(mkstemp(anvil->log));
    snprintf(text, sizeof(text), "%s/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil",
             packages);
    anvil->pid = process_start(text, anvil->log, options);
    for (uint32_t i = 0; anvil->port == 0; i++) {
        MUST(i < TRIES_MAX && waitpid(anvil->pid, NULL, WNOHANG) == 0);
        pause_ms(10);
        anvil->port = log_port(anvil->log);
    }
    snprintf(anvil->url, sizeof(anvil->url), "http://127.0.0.1:%u", anvil->port);
    anvil->curl = curl_easy_init();
    MUST(anvil->curl != NULL);
    accounts_read(anvil);
    return true;
}

void sgt_anvil_stop(struct sgt_anvil *anvil)
{
    if (anvil->pid == 0)
        return;
    kill(anvil->pid, SIGKILL);
    waitpid(anvil->pid, NULL, 0);
    unlink(anvil->log);
    curl_easy_cleanup(anvil->curl);
    json_decref(anvil->contracts);
    *anvil = (struct sgt_anvil){0};
}

/* ---- asking ---- */

static size_t body_more(char *bytes, size_t size, size_t count, void *user)
{
    return fwrite(bytes, size, count, user);
}

static char *post(struct sgt_anvil *anvil, const char *body, size_t *len)
{
    char *text = NULL;
    FILE *answer = open_memstream(&text, len);
    struct curl_slist *fields = curl_slist_append(NULL, "content-type: application/json");
    curl_easy_setopt(anvil->curl, CURLOPT_URL, anvil->url);
    curl_easy_setopt(anvil->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(anvil->curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(anvil->curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(anvil->curl, CURLOPT_WRITEFUNCTION, body_more);
    curl_easy_setopt(anvil->curl, CURLOPT_WRITEDATA, answer);
    MUST(curl_easy_perform(anvil->curl) == CURLE_OK);
    curl_slist_free_all(fields);
    fclose(answer);
    return text;
}

json_t *sgt_anvil_rpc(struct sgt_anvil *anvil, const char *method, json_t *params)
{
    size_t len = 0;
    json_t *ask = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method", method,
                            "params", params);
    char *body = json_dumps(ask, JSON_COMPACT);
    char *text = post(anvil, body, &len);
    json_t *answer = json_loadb(text, len, 0, NULL);
    json_t *result = json_incref(json_object_get(answer, "result"));
    if (result == NULL)
        fprintf(stderr, "%s: %.*s\n", method, (int)len, text);
    MUST(result != NULL);
    json_decref(ask);
    json_decref(answer);
    free(body);
    free(text);
    return result;
}

void sgt_anvil_mine(struct sgt_anvil *anvil, uint32_t blocks)
{
    json_decref(sgt_anvil_rpc(anvil, "anvil_mine", json_pack("[i]", (int)blocks)));
}

void sgt_anvil_reorg(struct sgt_anvil *anvil, uint32_t depth)
{
    json_decref(sgt_anvil_rpc(anvil, "anvil_reorg", json_pack("[i, []]", (int)depth)));
}

/* ---- contracts ---- */

static void word_u64(uint8_t *out, uint64_t v)
{
    memset(out, 0, 32);
    for (uint32_t i = 0; i < 8; i++)
        out[31 - i] = (uint8_t)(v >> (8 * i));
}

static uint32_t tail_put(uint8_t *out, char type, va_list *args)
{
    uint32_t count = va_arg(*args, uint32_t);
    word_u64(out, count);
    if (type == 'b') {
        MUST(count < ARGS_BYTES / 4);
        memcpy(out + 32, va_arg(*args, const uint8_t *), count);
        return 32 + (count + 31) / 32 * 32;
    }
    const uint64_t *values = va_arg(*args, const uint64_t *);
    MUST(count < ARGS_BYTES / 64);
    for (uint32_t i = 0; i < count; i++)
        word_u64(out + 32 + 32 * i, values[i]);
    return 32 + 32 * count;
}

static uint32_t args_put(uint8_t *out, const char *types, va_list *args)
{
    uint32_t end = 32 * (uint32_t)strlen(types);
    memset(out, 0, ARGS_BYTES / 2);
    for (uint32_t i = 0; types[i] != '\0'; i++) {
        MUST(end < ARGS_BYTES / 4);
        if (types[i] == 'a') {
            memcpy(out + 32 * i + 12, va_arg(*args, const uint8_t *), 20);
        } else if (types[i] == 'w') {
            memcpy(out + 32 * i, va_arg(*args, const uint8_t *), 32);
        } else if (types[i] == 'u') {
            word_u64(out + 32 * i, va_arg(*args, uint64_t));
        } else {
            word_u64(out + 32 * i, end);
            end += tail_put(out + end, types[i], args);
        }
    }
    return end;
}

static uint32_t selector_put(struct sgt_anvil *anvil, uint8_t out[4], const char *function)
{
    const char *name;
    json_t *contract;
    json_object_foreach(anvil->contracts, name, contract)
    {
        const char *found =
            json_string_value(json_object_get(json_object_get(contract, "selectors"), function));
        if (found == NULL)
            continue;
        for (uint32_t i = 0; i < 4; i++)
            MUST(sscanf(found + 2 * i, "%2hhx", out + i) == 1);
        return 4;
    }
    fprintf(stderr, "no contract has %s\n", function);
    abort();
}

/* NULL: not mined yet. */
static json_t *receipt_of(struct sgt_anvil *anvil, const char *tx)
{
    for (uint32_t i = 0; i < TRIES_MAX; i++) {
        json_t *receipt = sgt_anvil_rpc(anvil, "eth_getTransactionReceipt", json_pack("[s]", tx));
        if (!json_is_null(receipt))
            return receipt;
        json_decref(receipt);
        json_t *automine = sgt_anvil_rpc(anvil, "anvil_getAutomine", json_array());
        bool is_auto = json_is_true(automine);
        json_decref(automine);
        if (!is_auto)
            return NULL;
        pause_ms(2);
    }
    return NULL;
}

/* The receipt, or NULL while it waits for a block. */
static json_t *transact(struct sgt_anvil *anvil, uint8_t tx[32], json_t *call)
{
    json_object_set_new(call, "from", json_string(sgt_hex0x(anvil->accounts[0], 20)));
    json_object_set_new(call, "gas", json_string("0x1ba8140"));
    json_t *sent = sgt_anvil_rpc(anvil, "eth_sendTransaction", json_pack("[o]", call));
    if (tx != NULL)
        sgt_unhex0x(json_string_value(sent), tx, 32);
    json_t *receipt = receipt_of(anvil, json_string_value(sent));
    if (receipt != NULL)
        MUST(strcmp(json_string_value(json_object_get(receipt, "status")), "0x1") == 0);
    json_decref(sent);
    return receipt;
}

void sgt_anvil_deploy(struct sgt_anvil *anvil, uint8_t out[20], const char *contract,
                      const char *types, ...)
{
    static uint8_t args[ARGS_BYTES];
    va_list list;
    va_start(list, types);
    uint32_t len = args_put(args, types, &list);
    va_end(list);
    const char *code =
        json_string_value(json_object_get(json_object_get(anvil->contracts, contract), "code"));
    MUST(code != NULL);
    json_t *data = json_sprintf("%s%s", code, sgt_hex0x(args, len) + 2);
    json_t *receipt = transact(anvil, NULL, json_pack("{s:o}", "data", data));
    MUST(receipt != NULL); /* automine is on */
    sgt_unhex0x(json_string_value(json_object_get(receipt, "contractAddress")), out, 20);
    json_decref(receipt);
}

void sgt_anvil_send(struct sgt_anvil *anvil, uint8_t tx[32], const uint8_t to[20],
                    const char *function, const char *types, ...)
{
    static uint8_t data[ARGS_BYTES];
    va_list list;
    va_start(list, types);
    uint32_t len = selector_put(anvil, data, function);
    len += args_put(data + len, types, &list);
    va_end(list);
    json_decref(transact(
        anvil, tx, json_pack("{s:s, s:s}", "to", sgt_hex0x(to, 20), "data", sgt_hex0x(data, len))));
}

uint32_t sgt_anvil_call(struct sgt_anvil *anvil, uint8_t *out, uint32_t max, const uint8_t to[20],
                        const char *function, const char *types, ...)
{
    static uint8_t data[ARGS_BYTES];
    va_list list;
    va_start(list, types);
    uint32_t len = selector_put(anvil, data, function);
    len += args_put(data + len, types, &list);
    va_end(list);
    json_t *said = sgt_anvil_rpc(anvil, "eth_call",
                                 json_pack("[{s:s, s:s}, s]", "to", sgt_hex0x(to, 20), "data",
                                           sgt_hex0x(data, len), "latest"));
    len = sgt_unhex0x(json_string_value(said), out, max);
    json_decref(said);
    return len;
}
