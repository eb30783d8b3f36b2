#include "base/secret.h"

#include "base/alloc.h"
#include "base/b64url.h"
#include "base/sys/crypto.h"
#include "base/sys/p11.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_MAGIC     "streamgate-sealed-1:"
#define SEAL_KEY_BYTES 32
#define SOURCE_MIN     32
#define SOURCE_MAX     1024
#define OVERHEAD       (SG_GCM_NONCE_BYTES + SG_GCM_TAG_BYTES)

static _Atomic uint32_t unlocked; /* how many allocations are not locked */

/* What files are sealed under: bytes of our own, or a key in a token, which is gone to when it is
 * needed and left when sg_secret_rest() says so. */
struct sealer {
    uint8_t *key;         /* secret memory; NULL: a token's */
    struct sg_p11 *token; /* NULL: at rest */
    bool refused;         /* at rest, and the token would not come back: not asked again */
    char uri[];           /* of the token's key */
};

static struct sealer *sealer; /* NULL: none */
static struct sealer *before; /* until sg_secret_settle() */
static char words[512];       /* a token's, for sg_secret_fault() */

/* ---- memory ---- */

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (SG_MAX(bytes, (size_t)1) + page - 1) / page * page;
}

void *sg_secret_alloc(size_t bytes)
{
    size_t len = whole_pages(bytes);
    void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (madvise(memory, len, MADV_DONTDUMP) != 0) {
        munmap(memory, len);
        return NULL;
    }
    if (mlock(memory, len) != 0)
        atomic_fetch_add_explicit(&unlocked, 1, memory_order_relaxed);
    return memory;
}

void sg_secret_free(void *memory, size_t bytes)
{
    if (memory == NULL)
        return;
    sg_wipe(memory, bytes);
    munmap(memory, whole_pages(bytes));
}

bool sg_secret_locked(void)
{
    return atomic_load_explicit(&unlocked, memory_order_relaxed) == 0;
}

/* ---- files ---- */

static enum sg_err file_read(const char *file, uint8_t *bytes, size_t cap, size_t *len)
{
    size_t got = 0;
    ssize_t n = 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sg_err_from_errno(errno);
    do {
        n = read(fd, bytes + got, cap - got);
        got += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && got < cap) || (n < 0 && errno == EINTR));
    enum sg_err err = n < 0 ? sg_err_from_errno(errno) : got == cap ? SG_EMSGSIZE : SG_OK;
    close(fd);
    *len = got;
    return err;
}

static enum sg_err file_take(const char *file, uint8_t *memory, void *out, size_t cap, size_t *len)
{
    size_t got = 0;
    struct sg_out unsealed = sg_out_init(out, cap);
    enum sg_err err = file_read(file, memory, SG_SECRET_FILE_MAX + 1, &got);
    if (err != SG_OK)
        return err;
    struct sg_str bytes = {(const char *)memory, got};
    if (!sg_secret_is_sealed(bytes))
        sg_out_str(&unsealed, bytes);
    else
        err = sg_secret_unseal(bytes, &unsealed);
    if (err == SG_OK && unsealed.full)
        err = SG_EMSGSIZE;
    if (err == SG_OK)
        *len = unsealed.len;
    return err;
}

enum sg_err sg_secret_read(const char *file, void *out, size_t cap, size_t *len)
{
    SG_ASSERT(file != NULL && out != NULL && len != NULL);
    uint8_t *memory = sg_secret_alloc(SG_SECRET_FILE_MAX + 1);
    if (memory == NULL)
        return SG_ENOMEM;
    enum sg_err err = file_take(file, memory, out, cap, len);
    sg_secret_free(memory, SG_SECRET_FILE_MAX + 1);
    return err;
}

/* ---- sources of a sealing key ---- */

/* Where "file:PATH", "credential:NAME" and, for a PIN, a mere path lead. */
static bool source_path(const char *source, char path[PATH_MAX])
{
    struct sg_str s = sg_str_from(source);
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    int n = -1;
    if (sg_str_starts(s, SG_STR("file:")))
        n = snprintf(path, PATH_MAX, "%s", source + strlen("file:"));
    else if (sg_str_starts(s, SG_STR("credential:")) && strchr(source, '/') == NULL &&
             folder != NULL)
        n = snprintf(path, PATH_MAX, "%s/%s", folder, source + strlen("credential:"));
    return n > 0 && n < PATH_MAX;
}

static enum sg_err key_derive(const char *path, uint8_t *memory, uint8_t *key)
{
    static const char label[] = "streamgate/seal";
    size_t len = 0;
    enum sg_err err = file_read(path, memory, SOURCE_MAX + 2, &len);
    if (err == SG_OK && len > 0 && memory[len - 1] == '\n')
        len--;
    if (err == SG_EMSGSIZE || (err == SG_OK && (len < SOURCE_MIN || len > SOURCE_MAX)))
        err = SG_ERANGE;
    if (err == SG_OK)
        sg_hkdf(NULL, 0, memory, len, label, sizeof(label) - 1, key, SEAL_KEY_BYTES);
    return err;
}

static enum sg_err key_open(struct sealer *it, const char *source, struct sg_out *fault)
{
    char path[PATH_MAX];
    if (!source_path(source, path)) {
        sg_out_lit(fault, "right would be file:PATH, pkcs11:..., or credential:NAME under systemd");
        return SG_EINVAL;
    }
    it->key = sg_secret_alloc(SEAL_KEY_BYTES);
    uint8_t *memory = sg_secret_alloc(SOURCE_MAX + 2);
    enum sg_err err =
        it->key == NULL || memory == NULL ? SG_ENOMEM : key_derive(path, memory, it->key);
    sg_secret_free(memory, SOURCE_MAX + 2);
    if (err != SG_OK)
        sg_out_fmt(fault, "%s", err == SG_ERANGE ? "must hold 32 to 1024 bytes" : sg_err_text(err));
    return err;
}

/* A sg_p11_pin_fn. */
static enum sg_err pin_read(const char *source, uint8_t pin[SG_P11_PIN_BYTES_MAX], size_t *len,
                            struct sg_out *fault)
{
    char path[PATH_MAX];
    struct stat st;
    size_t got = 0;
    if (source[0] == '/')
        (void)snprintf(path, sizeof(path), "%s", source);
    else if (!source_path(source, path)) {
        sg_out_lit(fault,
                   "pin-source: right would be a file's whole name, or credential:NAME under "
                   "systemd");
        return SG_EINVAL;
    }
    enum sg_err err = stat(path, &st) != 0 ? sg_err_from_errno(errno) : SG_OK;
    if (err == SG_OK && (st.st_mode & S_IRWXO) != 0) {
        sg_out_fmt(fault, "the PIN in %s is anybody's to read or write: chmod o= %s", path, path);
        return SG_EPERM;
    }
    if (err == SG_OK)
        err = file_read(path, pin, SG_P11_PIN_BYTES_MAX, &got);
    if (err != SG_OK)
        sg_out_fmt(fault, "the PIN in %s: %s", path,
                   err == SG_EMSGSIZE ? "it is too long" : sg_err_text(err));
    *len = got > 0 && pin[got - 1] == '\n' ? got - 1 : got;
    return err;
}

/* ---- the sealing key ---- */

static void sealer_close(struct sealer *it)
{
    if (it == NULL)
        return;
    sg_secret_free(it->key, SEAL_KEY_BYTES);
    sg_p11_close(it->token);
    sg_boot_free(it);
}

static enum sg_err sealer_open(const char *source, struct sg_out *fault, struct sealer **out)
{
    struct sealer *it = sg_boot_alloc(sizeof(*it) + strlen(source) + 1);
    if (it == NULL)
        return SG_ENOMEM;
    memcpy(it->uri, source, strlen(source));
    enum sg_err err = sg_str_starts(sg_str_from(source), SG_STR("pkcs11:"))
                          ? sg_p11_open(it->uri, pin_read, fault, &it->token)
                          : key_open(it, source, fault);
    if (err == SG_OK)
        *out = SG_TAKE(it);
    sealer_close(it);
    return err;
}

/* Up to its query, which might hold what should not have been written there. */
static int source_shown(const char *source)
{
    return (int)strcspn(source, "?");
}

enum sg_err sg_secret_unlock(const char *source, struct sg_out *report)
{
    char memory[sizeof(words)];
    struct sg_out fault = sg_out_init(memory, sizeof(memory));
    struct sealer *next = NULL;
    sg_secret_rest(); /* a process logs in to a token once: with the other PIN, if that is another
                       */
    enum sg_err err = source == NULL ? SG_OK : sealer_open(source, &fault, &next);
    if (err != SG_OK) {
        if (fault.len == 0)
            sg_out_fmt(&fault, "%s", sg_err_text(err));
        sg_out_fmt(report, "node.seal_key: %.*s: %.*s\n", source_shown(source), source,
                   (int)fault.len, fault.ptr);
        return err;
    }
    sealer_close(before);
    before = sealer;
    sealer = next;
    return SG_OK;
}

void sg_secret_settle(bool keep)
{
    struct sealer *loser = keep ? before : sealer;
    if (!keep)
        sealer = before;
    before = NULL;
    sealer_close(loser);
}

void sg_secret_rest(void)
{
    if (sealer != NULL)
        sg_p11_close(SG_TAKE(sealer->token));
}

/* The token's words are kept until the next time. */
static enum sg_err said(enum sg_err err, const struct sg_out *fault)
{
    if (err == SG_OK || err == SG_EAUTH || err == SG_ENOMEM)
        return err;
    (void)snprintf(words, sizeof(words), "the token of node.seal_key: %.*s", (int)fault->len,
                   fault->ptr);
    return SG_ENOTCONN;
}

/* A token that was left is gone to once more. Where it does not let us in we don't knock again
 * until the next sg_secret_unlock(): each time might count as a wrong PIN. */
static enum sg_err sealer_wake(struct sealer *it)
{
    char memory[sizeof(words) - 64];
    struct sg_out fault = sg_out_init(memory, sizeof(memory));
    if (it->key != NULL || it->token != NULL)
        return SG_OK;
    if (it->refused)
        return SG_ENOTCONN;
    enum sg_err err = sg_p11_open(it->uri, pin_read, &fault, &it->token);
    it->refused = err != SG_OK;
    return said(err, &fault);
}

/* ---- sealing ---- */

bool sg_secret_is_sealed(struct sg_str bytes)
{
    return sg_str_starts(bytes, SG_STR(SEAL_MAGIC));
}

bool sg_secret_file_is_sealed(const char *file)
{
    char first[sizeof(SEAL_MAGIC)];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, first, sizeof(first)) : -1;
    if (fd >= 0)
        close(fd);
    return n > 0 && sg_secret_is_sealed((struct sg_str){first, (size_t)n});
}

/* `box` gets nonce, contents and tag. */
static enum sg_err box_seal(struct sealer *it, struct sg_str contents, uint8_t *box)
{
    char memory[sizeof(words) - 64];
    struct sg_out fault = sg_out_init(memory, sizeof(memory));
    uint8_t *sealed = box + SG_GCM_NONCE_BYTES;
    sg_random(box, SG_GCM_NONCE_BYTES);
    if (it->key == NULL)
        return said(sg_p11_seal(it->token, box, SG_STR(SEAL_MAGIC), contents, sealed, &fault),
                    &fault);
    return sg_gcm_seal(it->key, box, SG_STR(SEAL_MAGIC), contents, sealed, sealed + contents.len)
               ? SG_OK
               : SG_ENOMEM;
}

/* `plain` has room for `len`, and gets OVERHEAD less. */
static enum sg_err box_unseal(struct sealer *it, uint8_t *box, size_t len, uint8_t *plain)
{
    char memory[sizeof(words) - 64];
    struct sg_out fault = sg_out_init(memory, sizeof(memory));
    struct sg_str sealed = {(const char *)box + SG_GCM_NONCE_BYTES, len - SG_GCM_NONCE_BYTES};
    if (it->key == NULL)
        return said(sg_p11_unseal(it->token, box, SG_STR(SEAL_MAGIC), sealed, plain, &fault),
                    &fault);
    sealed.len -= SG_GCM_TAG_BYTES;
    return sg_gcm_open(it->key, box, SG_STR(SEAL_MAGIC), sealed, plain,
                       box + len - SG_GCM_TAG_BYTES)
               ? SG_OK
               : SG_EAUTH;
}

enum sg_err sg_secret_seal(struct sg_str contents, struct sg_out *out)
{
    if (sealer == NULL)
        return SG_ESEALED;
    if (contents.len > SG_SECRET_FILE_MAX / 2) /* the line is a third longer */
        return SG_EMSGSIZE;
    enum sg_err err = sealer_wake(sealer);
    if (err != SG_OK)
        return err;
    size_t len = contents.len + OVERHEAD;
    uint8_t *box = sg_secret_alloc(len);
    if (box == NULL)
        return SG_ENOMEM;
    err = box_seal(sealer, contents, box);
    if (err == SG_OK) {
        sg_out_lit(out, SEAL_MAGIC);
        sg_b64url_put(out, box, len);
        sg_out_char(out, '\n');
    }
    sg_secret_free(box, len);
    return err == SG_OK && out->full ? SG_EMSGSIZE : err;
}

/* `memory` has 2 * line.len bytes: the box, and what was in it. */
static enum sg_err line_unseal(struct sg_str line, uint8_t *memory, struct sg_out *out)
{
    uint8_t *plain = memory + line.len;
    size_t len = 0;
    line = sg_str_skip(line, sizeof(SEAL_MAGIC) - 1);
    if (line.len > 0 && line.ptr[line.len - 1] == '\n')
        line.len--;
    if (!sg_b64url_read(line, memory, line.len, &len) || len < OVERHEAD)
        return SG_ECORRUPT;
    if (len - OVERHEAD > out->cap - out->len)
        return SG_EMSGSIZE;
    enum sg_err err = box_unseal(sealer, memory, len, plain);
    if (err == SG_OK)
        sg_out_bytes(out, plain, len - OVERHEAD);
    return err;
}

enum sg_err sg_secret_unseal(struct sg_str line, struct sg_out *out)
{
    if (!sg_secret_is_sealed(line))
        return SG_ECORRUPT;
    if (sealer == NULL)
        return SG_ESEALED;
    enum sg_err err = sealer_wake(sealer);
    if (err != SG_OK)
        return err;
    uint8_t *memory = sg_secret_alloc(2 * line.len);
    if (memory == NULL)
        return SG_ENOMEM;
    err = line_unseal(line, memory, out);
    sg_secret_free(memory, 2 * line.len);
    return err;
}

const char *sg_secret_fault(enum sg_err err)
{
    return err == SG_EAUTH      ? "sealed under another key, or changed since"
           : err == SG_ENOTCONN ? words
                                : sg_err_text(err);
}
