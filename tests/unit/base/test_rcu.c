#include "tests/sgt.h"

#include "base/assert.h"
#include "base/sys/rcu.h"
#include "base/sys/rcuhash.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS  20000u
#define READERS 2

struct item {
    struct sg_rcuhash_node node;
    struct sg_rcu_head rcu;
    _Atomic bool published;
    uint64_t key;
    uint64_t value; /* key * 3, until freed */
};

static struct sg_rcuhash *table;
static _Atomic bool over;
static _Atomic unsigned freed;

static bool item_is(const struct sg_rcuhash_node *node, const void *key)
{
    const struct item *item = (const struct item *)(const void *)node;
    return atomic_load_explicit(&item->published, memory_order_acquire) &&
           item->key == *(const uint64_t *)key;
}

static void item_free(struct sg_rcu_head *head)
{
    struct item *item = SG_CONTAINER_OF(head, struct item, rcu);
    item->value = 0;
    free(item);
    atomic_fetch_add(&freed, 1);
}

static void *reader(void *arg)
{
    uint64_t found = 0;
    sg_rcu_register();
    for (uint64_t i = 0; found == 0 || !atomic_load(&over); i++) { /* some remain when it is over */
        uint64_t key = i % 16;
        struct sg_rcuhash_node *node = sg_rcuhash_find(table, key, item_is, &key);
        if (node != NULL) {
            SG_ASSERT(((struct item *)(void *)node)->value == key * 3);
            found++;
        }
        if (i % 64 == 0)
            sg_rcu_quiescent();
    }
    sg_rcu_unregister();
    *(uint64_t *)arg = found;
    return NULL;
}

static void what_a_reader_found_stays_whole_until_it_is_quiescent(void **fixture)
{
    pthread_t threads[READERS];
    uint64_t found[READERS];
    unsigned replaced = 0;
    assert_int_equal(sg_rcuhash_open(16, &table), SG_OK);
    sg_rcu_register();
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &found[i]), 0);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct item *item = calloc(1, sizeof(*item));
        item->key = i % 16;
        item->value = item->key * 3;
        atomic_store_explicit(&item->published, true, memory_order_release);
        struct sg_rcuhash_node *old =
            sg_rcuhash_replace(table, item->key, item_is, &item->key, &item->node);
        if (old != NULL) {
            sg_rcu_defer(&((struct item *)(void *)old)->rcu, item_free);
            replaced++;
        }
        sg_rcu_quiescent();
    }
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) {
        sg_rcu_offline();
        pthread_join(threads[i], NULL);
        sg_rcu_online();
        assert_true(found[i] > 0);
    }
    for (uint64_t key = 0; key < 16; key++) {
        struct sg_rcuhash_node *node = sg_rcuhash_find(table, key, item_is, &key);
        assert_non_null(node);
        assert_true(sg_rcuhash_remove(table, node));
        assert_false(sg_rcuhash_remove(table, node));
        sg_rcu_defer(&((struct item *)(void *)node)->rcu, item_free);
    }
    sg_rcu_barrier();
    assert_int_equal(atomic_load(&freed), ROUNDS);
    assert_int_equal(replaced, ROUNDS - 16);
    sg_rcu_unregister();
    sg_rcuhash_close(table);
    (void)fixture;
}

static void registering_nests(void **fixture)
{
    assert_false(sg_rcu_registered());
    sg_rcu_register();
    sg_rcu_register();
    sg_rcu_unregister();
    assert_true(sg_rcu_registered());
    sg_rcu_quiescent();
    sg_rcu_unregister();
    assert_false(sg_rcu_registered());
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_a_reader_found_stays_whole_until_it_is_quiescent),
    cmocka_unit_test(registering_nests),
};
SGT_MAIN("rcu", tests)
