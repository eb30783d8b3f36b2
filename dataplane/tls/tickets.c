#include "dataplane/tls/tickets.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/sys/crypto.h"
#include "dataplane/tls/file.h"

#include <stdatomic.h>
#include <string.h>

#define KEY_BYTES 80
#define GRACE_NS  (60 * SG_NS_PER_SEC)

_Static_assert(sizeof(struct sgd_ticket_key) == KEY_BYTES, "a key is as it stands in the file");

/* Immutable once it is the current one. */
struct keys {
    struct keys *retired_next;
    uint64_t retired_ns;
    uint64_t drawn_ns; /* the newest one */
    uint32_t count;
    struct sgd_ticket_key key[SGD_TICKET_KEYS_MAX]; /* newest first */
};

struct sgd_tickets {
    struct keys *_Atomic current;
    struct keys *retired;
    char *file;
    struct sgd_file_stamp stamp;
    bool told; /* that the file can't be used */
    uint64_t rotate_ns;
    uint32_t keep; /* so many, that a ticket is good for its lifetime */
};

static void keys_free(struct keys *keys)
{
    sg_secret_free(keys, sizeof(*keys));
}

static void retired_free(struct sgd_tickets *tickets, uint64_t before_ns)
{
    struct keys **at = &tickets->retired;
    while (*at != NULL) {
        struct keys *keys = *at;
        if (keys->retired_ns > before_ns) {
            at = &keys->retired_next;
            continue;
        }
        *at = keys->retired_next;
        keys_free(keys);
    }
}

static void make_current(struct sgd_tickets *tickets, struct keys *keys, uint64_t wall_ns)
{
    struct keys *old = atomic_exchange(&tickets->current, keys);
    if (old == NULL)
        return;
    old->retired_ns = wall_ns;
    old->retired_next = tickets->retired;
    tickets->retired = old;
}

static enum sg_err load_file(struct sgd_tickets *tickets, uint64_t wall_ns)
{
    struct keys *keys = sg_secret_alloc(sizeof(*keys));
    size_t len = 0;
    if (keys == NULL)
        return SG_ENOMEM;
    /* Looked at before it is read: what changes in between is read once more. */
    const struct sgd_file_stamp stamp = sgd_file_stamp_of(tickets->file);
    enum sg_err err = sg_secret_read(tickets->file, keys->key, sizeof(keys->key), &len);
    if (err == SG_OK && (len == 0 || len % KEY_BYTES != 0))
        err = SG_ECORRUPT;
    if (err != SG_OK) {
        keys_free(keys);
        return err;
    }
    keys->count = (uint32_t)(len / KEY_BYTES);
    tickets->stamp = stamp;
    make_current(tickets, keys, wall_ns);
    return SG_OK;
}

static const char *file_fault(enum sg_err err)
{
    return err == SG_ECORRUPT   ? "its length is not a multiple of 80 bytes"
           : err == SG_EMSGSIZE ? "more than 16 keys of 80 bytes"
                                : sg_secret_fault(err);
}

/* A new key in front of the old ones that are still of use. */
static enum sg_err draw(struct sgd_tickets *tickets, const struct keys *old, uint64_t wall_ns)
{
    struct keys *keys = sg_secret_alloc(sizeof(*keys));
    if (keys == NULL)
        return SG_ENOMEM;
    sg_random(&keys->key[0], sizeof(keys->key[0]));
    keys->drawn_ns = wall_ns;
    keys->count = 1;
    for (uint32_t i = 0; old != NULL && i < old->count && keys->count < tickets->keep; i++)
        keys->key[keys->count++] = old->key[i];
    make_current(tickets, keys, wall_ns);
    return SG_OK;
}

static enum sg_err take_over(struct sgd_tickets *tickets, const struct keys *old, uint64_t wall_ns)
{
    struct keys *keys = sg_secret_alloc(sizeof(*keys));
    if (keys == NULL)
        return SG_ENOMEM;
    *keys = *old;
    keys->retired_next = NULL;
    keys->count = SG_MIN(keys->count, tickets->keep);
    make_current(tickets, keys, wall_ns);
    return SG_OK;
}

enum sg_err sgd_tickets_open(const struct sgd_tickets_conf *conf, const struct sgd_tickets *before,
                             uint64_t wall_ns, struct sg_out *report, struct sgd_tickets **out)
{
    SG_ASSERT(conf != NULL && out != NULL);
    SG_ASSERT(conf->file != NULL || conf->rotate_s > 0);
    struct sgd_tickets *tickets = sg_boot_alloc(sizeof(*tickets));
    if (tickets == NULL)
        return SG_ENOMEM;
    enum sg_err err = SG_ENOMEM;
    tickets->rotate_ns = conf->rotate_s * SG_NS_PER_SEC;
    if (conf->rotate_s > 0)
        tickets->keep = SG_MIN(conf->lifetime_s / conf->rotate_s + 2, SGD_TICKET_KEYS_MAX);
    if (conf->file != NULL) {
        tickets->file = sg_boot_alloc(strlen(conf->file) + 1);
        if (tickets->file == NULL)
            goto out;
        memcpy(tickets->file, conf->file, strlen(conf->file));
        err = load_file(tickets, wall_ns);
        if (err != SG_OK && err != SG_ENOMEM) {
            sg_out_fmt(report, "%s: ticket keys: %s\n", conf->file, file_fault(err));
            err = SG_ECONFIG;
        }
    } else if (before != NULL && before->file == NULL) {
        err = take_over(tickets, atomic_load(&before->current), wall_ns);
    } else {
        err = draw(tickets, NULL, wall_ns);
    }
    if (err == SG_OK)
        *out = SG_TAKE(tickets);
out:
    sgd_tickets_close(tickets);
    return err;
}

void sgd_tickets_close(struct sgd_tickets *tickets)
{
    if (tickets == NULL)
        return;
    retired_free(tickets, UINT64_MAX);
    keys_free(atomic_load(&tickets->current));
    sg_boot_free(tickets->file);
    sg_boot_free(tickets);
}

void sgd_tickets_tick(struct sgd_tickets *tickets, uint64_t wall_ns)
{
    const struct keys *current = atomic_load(&tickets->current);
    retired_free(tickets, wall_ns - SG_MIN(wall_ns, GRACE_NS));
    if (tickets->file == NULL) {
        if (wall_ns >= current->drawn_ns + tickets->rotate_ns)
            (void)draw(tickets, current, wall_ns); /* without memory the old key serves on */
        return;
    }
    if (!sgd_file_changed(tickets->file, &tickets->stamp))
        return;
    enum sg_err err = load_file(tickets, wall_ns);
    if (err == SG_OK)
        sg_info("%s: ticket keys read again", tickets->file);
    else if (!tickets->told)
        sg_warn("%s: the ticket keys that were read before stay in use: %s", tickets->file,
                file_fault(err));
    tickets->told = err != SG_OK;
}

enum sgd_ticket sgd_tickets_find(struct sgd_tickets *tickets, const uint8_t *name,
                                 struct sgd_ticket_key *out)
{
    const struct keys *keys = atomic_load(&tickets->current);
    for (uint32_t i = 0; i < keys->count; i++) {
        if (name != NULL && memcmp(name, keys->key[i].name, sizeof(keys->key[i].name)) != 0)
            continue;
        *out = keys->key[i];
        return i == 0 ? SGD_TICKET_CURRENT : SGD_TICKET_OLD;
    }
    return SGD_TICKET_UNKNOWN;
}
