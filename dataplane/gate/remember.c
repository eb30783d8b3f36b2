#include "dataplane/gate/remember.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/siphash.h"
#include "base/sys/crypto.h"

#include <pthread.h>
#include <string.h>

#define WAYS 16 /* places that a name may have */

struct place {
    uint8_t name[SGD_REMEMBER_BYTES];
    uint64_t until_s; /* free when it is past */
};

struct sgd_remember {
    pthread_mutex_t lock;
    uint8_t key[16]; /* so that nobody can aim at one row */
    uint32_t rows;   /* a power of two */
    struct place *places;
};

enum sg_err sgd_remember_open(uint32_t names, struct sgd_remember **out)
{
    SG_ASSERT(names > 0 && names <= 1u << 30);
    SG_ASSERT(out != NULL);
    struct sgd_remember *set = sg_boot_alloc(sizeof(*set));
    if (set == NULL)
        return SG_ENOMEM;
    set->rows = 1;
    while (set->rows * WAYS < names)
        set->rows *= 2;
    set->places = sg_boot_alloc_array((size_t)set->rows * WAYS, sizeof(*set->places));
    if (set->places == NULL) {
        sg_boot_free(set);
        return SG_ENOMEM;
    }
    sg_random(set->key, sizeof(set->key));
    pthread_mutex_init(&set->lock, NULL);
    *out = set;
    return SG_OK;
}

void sgd_remember_close(struct sgd_remember *set)
{
    if (set == NULL)
        return;
    pthread_mutex_destroy(&set->lock);
    sg_boot_free(set->places);
    sg_boot_free(set);
}

static struct place *row_of(const struct sgd_remember *set, const uint8_t *name)
{
    uint64_t hash = sg_siphash64(set->key, name, SGD_REMEMBER_BYTES);
    return set->places + (hash & (set->rows - 1)) * WAYS;
}

/* Its place, or NULL; *soonest: the one of its row that is forgotten first. */
static struct place *find(const struct sgd_remember *set, const uint8_t *name, uint64_t now_s,
                          struct place **soonest)
{
    struct place *row = row_of(set, name);
    *soonest = row;
    for (size_t i = 0; i < WAYS; i++) {
        if (row[i].until_s > now_s && memcmp(row[i].name, name, SGD_REMEMBER_BYTES) == 0)
            return &row[i];
        if (row[i].until_s < (*soonest)->until_s)
            *soonest = &row[i];
    }
    return NULL;
}

static void put(struct place *place, const uint8_t *name, uint64_t until_s)
{
    memcpy(place->name, name, SGD_REMEMBER_BYTES);
    place->until_s = until_s;
}

enum sg_err sgd_remember_once(struct sgd_remember *set, const uint8_t name[SGD_REMEMBER_BYTES],
                              uint64_t until_s, uint64_t now_s)
{
    struct place *soonest;
    enum sg_err err = SG_EEXIST;
    pthread_mutex_lock(&set->lock);
    if (find(set, name, now_s, &soonest) == NULL) {
        err = soonest->until_s > now_s ? SG_EFULL : SG_OK;
        if (err == SG_OK)
            put(soonest, name, until_s);
    }
    pthread_mutex_unlock(&set->lock);
    return err;
}

void sgd_remember_keep(struct sgd_remember *set, const uint8_t name[SGD_REMEMBER_BYTES],
                       uint64_t until_s, uint64_t now_s)
{
    struct place *soonest;
    pthread_mutex_lock(&set->lock);
    struct place *known = find(set, name, now_s, &soonest);
    if (known == NULL)
        put(soonest, name, until_s);
    else if (known->until_s < until_s)
        known->until_s = until_s;
    pthread_mutex_unlock(&set->lock);
}

bool sgd_remember_has(struct sgd_remember *set, const uint8_t name[SGD_REMEMBER_BYTES],
                      uint64_t now_s)
{
    struct place *soonest;
    pthread_mutex_lock(&set->lock);
    bool has = find(set, name, now_s, &soonest) != NULL;
    pthread_mutex_unlock(&set->lock);
    return has;
}
