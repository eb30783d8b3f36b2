/* liar - a shim: an origin in threads of the test, which sends what its script says, right or
 * wrong. A script is chosen by the path of the request. */
#ifndef SGT_LIAR_H
#define SGT_LIAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sgt_liar;

enum sgt_liar_kind {
    SGT_LIAR_END,   /* close in order */
    SGT_LIAR_SEND,  /* text */
    SGT_LIAR_FILL,  /* number bytes of a pattern: byte i is (uint8_t)(i * 31 + i / 256) */
    SGT_LIAR_WAIT,  /* number milliseconds, or until the peer closes */
    SGT_LIAR_RESET, /* close by RST */
    SGT_LIAR_AGAIN, /* read the next request on this connection and begin its script */
    SGT_LIAR_READ,  /* read number bytes of the request's body */
};
struct sgt_liar_step {
    enum sgt_liar_kind kind;
    const char *text;
    uint64_t number;
};
/* The array ends with a row whose path is NULL; scripts with SGT_LIAR_END, _RESET or _AGAIN. */
struct sgt_liar_script {
    const char *path;
    const struct sgt_liar_step *steps;
};

/* `port` 0: any. Aborts when it can't. */
struct sgt_liar *sgt_liar_open(uint16_t port, const struct sgt_liar_script *scripts);
void sgt_liar_close(struct sgt_liar *liar);
uint16_t sgt_liar_port(const struct sgt_liar *liar);
/* How many connections and requests came so far. */
unsigned sgt_liar_connections(const struct sgt_liar *liar);
unsigned sgt_liar_requests(const struct sgt_liar *liar);
/* The last request's head as it came, NUL-terminated; valid until the next one comes. */
const char *sgt_liar_last_head(struct sgt_liar *liar);

static inline uint8_t sgt_liar_pattern(uint64_t i)
{
    return (uint8_t)(i * 31 + i / 256);
}

#endif
