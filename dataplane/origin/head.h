/* head - reads an origin's response head line by line and keeps what may go on: checked, names in
 * lower case, blanks trimmed, hop-by-hop and framing fields left out. Pure; uses the caller's
 * memory. Stricter than HTTP asks of a client: what it lets through is stored and sent to others.
 */
#ifndef SGD_ORIGIN_HEAD_H
#define SGD_ORIGIN_HEAD_H

#include "base/out.h"
#include "dataplane/http/message.h"
#include "dataplane/origin/error.h"

enum sgd_head_state { SGD_HEAD_STATUS, SGD_HEAD_FIELDS, SGD_HEAD_WHOLE };

struct sgd_head {
    enum sgd_head_state state;
    uint16_t status;
    uint8_t version; /* 10, 11, 20 */
    uint16_t fields_count;
    bool length_known;
    bool chunked;
    bool connection; /* there is a Connection field: it may name others to drop */
    uint64_t length; /* what Content-Length said */
    struct sg_out lines;
    struct sg_out hints; /* where the fields of the first 103 go; full: they did not fit */
};

/* `memory` gets "name: value\r\n" lines. No hints are kept unless ->hints is then set. */
void sgd_head_begin(struct sgd_head *head, char *memory, size_t bytes);
/* One line with its line end. Interim heads (1xx) are read and
 * forgotten, but for hints. Lines after the head is
 * whole (trailers) are ignored. Anything but SGD_ORIGIN_none: give the response up. */
enum sgd_origin_error sgd_head_line(struct sgd_head *head, const char *line, size_t len);

#endif
