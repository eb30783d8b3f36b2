#include "base/secret.h"

#include "base/b64url.h"
#include "base/sys/crypto.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEAL_MAGIC     "streamgate-sealed-1:"
#define SEAL_KEY_BYTES 32
#define SOURCE_MIN     32
#define SOURCE_MAX     1024
#define OVERHEAD       (SG_GCM_NONCE_BYTES + SG_GCM_TAG_BYTES)

static _Atomic uint32_t unlocked; /* how many allocations are not locked */
static uint8_t *seal_key;         /* NULL: none */

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

/* ---- sealing ---- */

bool sg_secret_is_sealed(struct sg_str bytes)
{
    return sg_str_starts(bytes, SG_STR(SEAL_MAGIC));
}

enum sg_err sg_secret_seal(struct sg_str contents, struct sg_out *out)
{
    if (seal_key == NULL)
        return SG_EACCES;
    if (contents.len > SG_SECRET_FILE_MAX / 2) /* the line is a third longer */
        return SG_EMSGSIZE;
    size_t len = contents.len + OVERHEAD;
    uint8_t *box = sg_secret_alloc(len);
    if (box == NULL)
        return SG_ENOMEM;
    sg_random(box, SG_GCM_NONCE_BYTES);
    bool ok = sg_gcm_seal(seal_key, box, SG_STR(SEAL_MAGIC), contents, box + SG_GCM_NONCE_BYTES,
                          box + SG_GCM_NONCE_BYTES + contents.len);
    sg_out_lit(out, SEAL_MAGIC);
    sg_b64url_put(out, box, len);
    sg_out_char(out, '\n');
    sg_secret_free(box, len);
    return !ok ? SG_ENOMEM : out->full ? SG_EMSGSIZE : SG_OK;
}

enum sg_err sg_secret_unseal(struct sg_str line, struct sg_out *out)
{
    uint8_t *box;
    size_t len = 0, cap = line.len;
    enum sg_err err = SG_OK;
    if (!sg_secret_is_sealed(line))
        return SG_ECORRUPT;
    if (seal_key == NULL)
        return SG_EACCES;
    line = sg_str_skip(line, sizeof(SEAL_MAGIC) - 1);
    if (line.len > 0 && line.ptr[line.len - 1] == '\n')
        line.len--;
    box = sg_secret_alloc(cap);
    if (box == NULL)
        return SG_ENOMEM;
    if (!sg_b64url_read(line, box, cap, &len) || len < OVERHEAD)
        err = SG_ECORRUPT;
    else if (len - OVERHEAD > out->cap - out->len)
        err = SG_EMSGSIZE;
    else if (!sg_gcm_open(seal_key, box, SG_STR(SEAL_MAGIC),
                          (struct sg_str){(const char *)box + SG_GCM_NONCE_BYTES, len - OVERHEAD},
                          (uint8_t *)out->ptr + out->len, box + len - SG_GCM_TAG_BYTES))
        err = SG_EAUTH;
    else
        out->len += len - OVERHEAD;
    sg_secret_free(box, cap);
    return err;
}

/* ---- the sealing key ---- */

static enum sg_err source_path(const char *source, char path[PATH_MAX])
{
    struct sg_str s = sg_str_from(source);
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    int n = -1;
    if (sg_str_starts(s, SG_STR("pkcs11:")))
        return SG_ENOTSUP;
    if (sg_str_starts(s, SG_STR("file:")))
        n = snprintf(path, PATH_MAX, "%s", source + strlen("file:"));
    else if (sg_str_starts(s, SG_STR("credential:")) && strchr(source, '/') == NULL &&
             folder != NULL)
        n = snprintf(path, PATH_MAX, "%s/%s", folder, source + strlen("credential:"));
    return n > 0 && n < PATH_MAX ? SG_OK : SG_EINVAL;
}

static enum sg_err key_take(const char *path, uint8_t *memory)
{
    static const char label[] = "streamgate/seal";
    size_t len = 0;
    enum sg_err err = file_read(path, memory, SOURCE_MAX + 2, &len);
    if (err == SG_OK && len > 0 && memory[len - 1] == '\n')
        len--;
    if (err == SG_OK && (len < SOURCE_MIN || len > SOURCE_MAX))
        err = SG_ERANGE;
    uint8_t *key = err == SG_OK ? sg_secret_alloc(SEAL_KEY_BYTES) : NULL;
    if (err != SG_OK)
        return err;
    if (key == NULL)
        return SG_ENOMEM;
    sg_hkdf(NULL, 0, memory, len, label, sizeof(label) - 1, key, SEAL_KEY_BYTES);
    sg_secret_free(seal_key, SEAL_KEY_BYTES);
    seal_key = key;
    return SG_OK;
}

enum sg_err sg_secret_unlock(const char *source, struct sg_out *report)
{
    char path[PATH_MAX];
    if (source == NULL) {
        sg_secret_free(SG_TAKE(seal_key), SEAL_KEY_BYTES);
        return SG_OK;
    }
    enum sg_err err = source_path(source, path);
    uint8_t *memory = err == SG_OK ? sg_secret_alloc(SOURCE_MAX + 2) : NULL;
    if (err == SG_OK)
        err = memory == NULL ? SG_ENOMEM : key_take(path, memory);
    sg_secret_free(memory, SOURCE_MAX + 2);
    if (err == SG_OK)
        return SG_OK;
    sg_out_fmt(report, "node.seal_key: %s: %s\n", source,
               err == SG_ENOTSUP  ? "PKCS#11 is not supported: right would be file:PATH or "
                                    "credential:NAME"
               : err == SG_EINVAL ? "right would be file:PATH, or credential:NAME under systemd"
               : err == SG_ERANGE || err == SG_EMSGSIZE ? "must hold 32 to 1024 bytes"
                                                        : sg_err_text(err));
    return err;
}
