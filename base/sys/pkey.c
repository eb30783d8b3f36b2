#include "base/sys/pkey.h"

#include "base/assert.h"
#include "base/secret.h"
#include "base/sys/crypto.h"

#include <malloc.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEAP_BYTES  (64u << 20) /* some thousand keys; what is not used takes no memory */
#define GROW_BYTES  (64u << 10)
#define BLOCK_LEAST 64 /* of the smallest class, with its head; each class is twice as large */
#define CLASSES     16

/* In front of what is handed out: which keeps malloc()'s alignment. */
struct block {
    struct block *next; /* when it is free */
    uint32_t class;
    uint32_t unused;
};
_Static_assert(sizeof(struct block) % 16 == 0, "what follows is aligned");

static struct {
    uint8_t *begin, *end;
    uint8_t *fresh, *locked; /* not yet handed out; locked up to here */
    struct block *free[CLASSES];
    pthread_mutex_t lock;
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool reads_key; /* this thread's allocations go to the heap */
static _Thread_local bool wipes;     /* what this thread gives back of the ordinary heap too */

/* ---- the heap ---- */

static bool is_ours(const void *memory)
{
    const uint8_t *at = memory;
    return at >= heap.begin && at < heap.end;
}

static size_t class_bytes(uint32_t class)
{
    return (size_t)BLOCK_LEAST << class;
}

static struct block *block_fresh(uint32_t class)
{
    size_t bytes = class_bytes(class);
    if (bytes > (size_t)(heap.end - heap.fresh))
        return NULL;
    struct block *block = (struct block *)(void *)heap.fresh;
    heap.fresh += bytes;
    while (heap.locked < heap.fresh) {
        (void)mlock(heap.locked, GROW_BYTES); /* as far as the limit goes */
        heap.locked += GROW_BYTES;
    }
    return block;
}

static void *heap_alloc(size_t bytes)
{
    uint32_t class = 0;
    while (class < CLASSES && class_bytes(class) < bytes + sizeof(struct block))
        class ++;
    if (class == CLASSES)
        return NULL;
    pthread_mutex_lock(&heap.lock);
    struct block *block = heap.free[class];
    if (block != NULL)
        heap.free[class] = block->next;
    else
        block = block_fresh(class);
    pthread_mutex_unlock(&heap.lock);
    if (block == NULL)
        return NULL;
    block->class = class;
    return block + 1;
}

static size_t heap_usable(const void *memory)
{
    return class_bytes(((const struct block *)memory - 1)->class) - sizeof(struct block);
}

static void heap_free(void *memory)
{
    struct block *block = (struct block *)memory - 1;
    SG_ASSERT(block->class < CLASSES);
    sg_wipe(memory, heap_usable(memory));
    pthread_mutex_lock(&heap.lock);
    block->next = heap.free[block->class];
    heap.free[block->class] = block;
    pthread_mutex_unlock(&heap.lock);
}

/* ---- what OpenSSL calls ---- */

static void *take(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return bytes == 0 ? NULL : reads_key ? heap_alloc(bytes) : malloc(bytes);
}

static void give(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    if (memory != NULL && is_ours(memory)) {
        heap_free(memory);
        return;
    }
    if (memory != NULL && wipes)
        sg_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

/* What lies in the heap stays there, whoever makes it larger. */
static void *take_again(void *memory, size_t bytes, const char *file, int line)
{
    if (memory == NULL)
        return take(bytes, file, line);
    if (bytes == 0) {
        give(memory, file, line);
        return NULL;
    }
    bool ours = is_ours(memory);
    if (!ours && !reads_key && !wipes)
        return realloc(memory, bytes);
    size_t had = ours ? heap_usable(memory) : malloc_usable_size(memory);
    if (ours && bytes <= had)
        return memory;
    void *next = ours || reads_key ? heap_alloc(bytes) : malloc(bytes);
    if (next == NULL)
        return NULL;
    memcpy(next, memory, SG_MIN(had, bytes));
    give(memory, file, line);
    return next;
}

void sg_pkey_wipe(void)
{
    wipes = true;
}

bool sg_pkey_guard(void)
{
    SG_ASSERT(heap.begin == NULL);
    void *memory = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    if (madvise(memory, HEAP_BYTES, MADV_DONTDUMP) != 0 ||
        CRYPTO_set_mem_functions(take, take_again, give) != 1) {
        munmap(memory, HEAP_BYTES);
        return false;
    }
    heap.begin = heap.fresh = heap.locked = memory;
    heap.end = heap.begin + HEAP_BYTES;
    return true;
}

/* ---- keys ---- */

/* Asks nobody for a password. */
static int no_password(char *out, int max, int writing, void *user)
{
    (void)out;
    (void)max;
    (void)writing;
    (void)user;
    return -1;
}

/* An RSA key keeps what its first signature made of its primes: that is to lie here too. */
static void sign_once(EVP_PKEY *key)
{
    uint8_t signature[2048];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1)
        (void)EVP_DigestSign(ctx, signature, &len, (const uint8_t *)"", 0);
    EVP_MD_CTX_free(ctx);
}

void sg_pkey_begin(void)
{
    SG_ASSERT(!reads_key);
    reads_key = heap.begin != NULL;
}

void sg_pkey_end(void)
{
    reads_key = false;
}

static EVP_PKEY *key_of(const char *pem, size_t len)
{
    sg_pkey_begin();
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    if (key != NULL && EVP_PKEY_is_a(key, "RSA"))
        sign_once(key);
    sg_pkey_end();
    return key;
}

enum sg_err sg_pkey_read(const char *file, struct evp_pkey_st **out)
{
    size_t len = 0;
    char *pem = sg_secret_alloc(SG_SECRET_FILE_MAX);
    if (pem == NULL)
        return SG_ENOMEM;
    enum sg_err err = sg_secret_read(file, pem, SG_SECRET_FILE_MAX, &len);
    EVP_PKEY *key = err == SG_OK ? key_of(pem, len) : NULL;
    if (err == SG_OK && key == NULL)
        err = SG_ECORRUPT;
    if (err == SG_OK)
        *out = key;
    sg_secret_free(pem, SG_SECRET_FILE_MAX);
    return err;
}

void sg_pkey_close(struct evp_pkey_st *key)
{
    EVP_PKEY_free(key);
}
