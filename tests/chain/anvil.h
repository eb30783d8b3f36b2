/* anvil - a real EVM chain for a C test, with the contracts of tests/chain/contracts. What goes
 * wrong here aborts the test; only a machine without the npm packages is told by `false`. */
#ifndef SGT_CHAIN_ANVIL_H
#define SGT_CHAIN_ANVIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sgt_anvil {
    pid_t pid;
    uint16_t port;
    char url[64]; /* http://127.0.0.1:PORT; ws: the same with ws:// */
    char log[64]; /* what it prints */
    void *curl;   /* CURL * */
    json_t *contracts;
    uint8_t accounts[10][20]; /* unlocked */
};

/* Starts anvil on a free port, in its own process group's place: it dies with us. `options`: more
 * arguments, NULL at the end ("--port" can be the first); NULL for none. False: skip the test,
 * anvil can't be had. */
bool sgt_anvil_start(struct sgt_anvil *anvil, const char *const *options);
void sgt_anvil_stop(struct sgt_anvil *anvil);

/* Takes `params` over. The result, to be json_decref()ed; an error of the chain aborts. */
json_t *sgt_anvil_rpc(struct sgt_anvil *anvil, const char *method, json_t *params);
void sgt_anvil_mine(struct sgt_anvil *anvil, uint32_t blocks);
/* anvil_reorg: the last `depth` blocks anew, empty. */
void sgt_anvil_reorg(struct sgt_anvil *anvil, uint32_t depth);

/* Arguments by letters of `types`: a `const uint8_t *` of 20 bytes; w of 32; u uint64_t;
 * U uint32_t count, const uint64_t * (uint256[]); b uint32_t length, const uint8_t * (bytes). */
void sgt_anvil_deploy(struct sgt_anvil *anvil, uint8_t out[20], const char *contract,
                      const char *types, ...);
/* `function` with its types, "mint(address,uint256)", of any of the contracts. Mined when automine
 * is on; *tx (may be NULL) is the transaction's hash. Aborts when it was mined and failed. */
void sgt_anvil_send(struct sgt_anvil *anvil, uint8_t tx[32], const uint8_t to[20],
                    const char *function, const char *types, ...);
/* Returns the answer's length. */
uint32_t sgt_anvil_call(struct sgt_anvil *anvil, uint8_t *out, uint32_t max, const uint8_t to[20],
                        const char *function, const char *types, ...);

/* 0x and lower-case hex, of up to 64 KiB; the text lives until the fourth call after this one. */
const char *sgt_hex0x(const void *bytes, uint32_t len);
uint32_t sgt_unhex0x(const char *text, uint8_t *out, uint32_t max);

#endif
