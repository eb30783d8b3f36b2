/* wsframe - the client's side of the WebSocket protocol (RFC 6455): handshake, frames in, frames
 * out. Bytes come in as they were received; no I/O, no allocation, bounded by the caller's memory.
 * Strict: what a server may not send ends the connection. */
#ifndef SGC_CHAIN_WSFRAME_H
#define SGC_CHAIN_WSFRAME_H

#include "base/out.h"

#include <stdbool.h>
#include <stdint.h>

#define SGC_WS_HEAD_MAX 8192 /* of the answer to the handshake */

/* ---- handshake ---- */

/* `host` as in the URL's authority; `fields` are more lines, each with its CRLF. */
void sgc_ws_put_request(struct sg_out *out, struct sg_str host, struct sg_str target,
                        struct sg_str fields, const uint8_t nonce[16]);
/* The server's head. 0: not whole yet; > 0: its length, it agreed; < 0: it did not. */
int32_t sgc_ws_read_response(struct sg_str bytes, const uint8_t nonce[16]);

/* ---- frames ---- */

enum sgc_ws_event {
    SGC_WS_MORE, /* all was taken, nothing is whole */
    SGC_WS_TEXT, /* `message` */
    SGC_WS_PING, /* `message` is to be sent back in a pong */
    SGC_WS_PONG,
    SGC_WS_CLOSE,
    SGC_WS_BAD, /* against the protocol, or larger than the memory: end it */
};
struct sgc_ws_reader {
    uint8_t *memory; /* the caller's; a message's limit */
    uint32_t memory_bytes, memory_used;
    bool in_message;  /* a message's first fragments are there */
    uint8_t head[14]; /* of the frame under way */
    uint8_t head_used;
    uint8_t control[125];  /* of a ping between fragments */
    uint64_t payload_left; /* of the frame under way, once its head is whole */
    uint32_t control_used;
    struct sg_str message; /* until the next read */
};
void sgc_ws_reader_init(struct sgc_ws_reader *reader, uint8_t *memory, uint32_t memory_bytes);
/* Takes bytes from the front of *bytes until something is whole. */
enum sgc_ws_event sgc_ws_read(struct sgc_ws_reader *reader, struct sg_str *bytes);

enum sgc_ws_opcode { SGC_WS_OP_TEXT = 1, SGC_WS_OP_CLOSE = 8, SGC_WS_OP_PING = 9, SGC_WS_OP_PONG };
/* One whole frame. `mask` is to be chance: RFC 6455 section 5.3. */
void sgc_ws_put(struct sg_out *out, enum sgc_ws_opcode opcode, struct sg_str payload,
                const uint8_t mask[4]);

#endif
