/* head1 - the head of an HTTP/1.1 request, read strictly: RFC 9112 with none of its leniencies but
 * one empty line in front. Incremental, without I/O, clock or allocation. What it lets pass has one
 * reading only, or it is refused: a row of close.def tells why.
 *
 * The caller gathers a head's bytes in one place, which it owns and which this module changes
 * (names and host are put in lower case), and calls sgd_head1_read() with all of them each time
 * more came: work is not repeated. */
#ifndef SGD_HTTP_HEAD1_H
#define SGD_HTTP_HEAD1_H

#include "dataplane/http/message.h"

#define SGD_HEAD1_METHOD_MAX 32

struct sgd_head1_limits {
    uint32_t head_bytes; /* all lines together */
    uint32_t fields;     /* lines; no more than SGD_FIELDS_MAX */
    bool https;          /* how the viewer reached us */
};

struct sgd_head1 {
    struct sgd_head1_limits limits;
    uint32_t at;      /* where the line under way begins; once done, the head's length */
    uint32_t scanned; /* bytes seen to be no control character, counted from the start */
    bool begun;       /* the request line was read */
    bool empty_line;  /* the one in front was there */
    /* the request line */
    struct sg_str method_text, target;
    enum sgd_method method;
    uint8_t minor; /* of HTTP/1.x */
    bool absolute, absolute_https;
    struct sg_str authority, path, query; /* of the target; authority where it is absolute */
    /* framing and connection */
    bool has_host, has_length, has_coding, chunked, coding_unknown;
    bool close, keep_alive, options_other; /* of Connection; options_other: it names fields */
    bool expect_continue;
    struct sg_str host;
    uint64_t length;
    uint16_t fields_count, lines_count;
    struct sgd_field fields[SGD_FIELDS_MAX]; /* those that are the request's own */
};

enum sgd_head1_result {
    SGD_HEAD1_MORE, /* whole so far, and right */
    SGD_HEAD1_DONE, /* *req is filled but for peer; head->at is where the body begins */
    SGD_HEAD1_BAD,  /* *why tells; the connection's framing is lost */
};

/* The fields[] need not be zeroed; the rest is. */
void sgd_head1_begin(struct sgd_head1 *head, const struct sgd_head1_limits *limits);
/* `bytes` begins where the head does, as before; `len` has grown. What *req borrows lies in `bytes`
 * and *head. An HTTP/1.0 request may come without authority (empty): the caller knows the address.
 * Whatever was read of the request line when a head turns out bad is in head->method_text,
 * ->target. */
enum sgd_head1_result sgd_head1_read(struct sgd_head1 *head, char *bytes, size_t len,
                                     struct sgd_request *req, enum sgd_close *why);
/* After DONE: the connection may take another request after this one (RFC 9112 section 9.3). */
static inline bool sgd_head1_persists(const struct sgd_head1 *head)
{
    return !head->close && (head->minor != 0 || head->keep_alive);
}

#endif
