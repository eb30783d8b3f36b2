#include "tests/sgt.h"

#include "base/alloc.h"
#include "edgecache/content/arena.h"

#include <string.h>

#define BLOCKS 8u

static struct sge_arena *arena;
static struct sge_arena_part *part;
static int user; /* of all cells */

static void open_one(void)
{
    assert_int_equal(sge_arena_open(BLOCKS * SGE_BLOCK_BYTES, false, 1, &arena), SG_OK);
    part = sge_arena_part(arena, 0);
}

static struct sge_cell *take(uint32_t bytes)
{
    return sge_arena_take(part, bytes, SGE_CELL_SLICE, &user);
}

static void cells_of_every_size_are_apart_and_large_enough(void **fixture)
{
    struct sge_cell *cells[1000];
    uint32_t count = 0, bytes = 1;
    open_one();
    for (; count < 1000; count++) {
        cells[count] = take(bytes);
        if (cells[count] == NULL)
            break;
        assert_true(sge_cell_bytes(cells[count]) >= bytes);
        assert_int_equal(sge_cell_bytes(cells[count]), sge_cell_bytes_for(bytes));
        assert_ptr_equal(sge_cell_of(arena, sge_cell_memory(cells[count])), cells[count]);
        if (bytes >= 4096) /* O_DIRECT reads straight into it */
            assert_int_equal((uintptr_t)sge_cell_memory(cells[count]) % 4096, 0);
        memset(sge_cell_memory(cells[count]), (int)(count & 0xff), sge_cell_bytes(cells[count]));
        bytes = bytes * 7 % 60000 + 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *memory = sge_cell_memory(cells[i]);
        uint32_t last = sge_cell_bytes(cells[i]) - 1;
        assert_true(memory[0] == (i & 0xff) && memory[last] == (i & 0xff));
        sge_cell_leave(cells[i]);
    }
    sge_arena_collect(part);
    assert_int_equal(sge_arena_used(part), 0);
    assert_int_equal(sge_arena_blocks_free(part), BLOCKS);
    sge_arena_close(arena);
    (void)fixture;
}

static void a_held_cell_is_not_used_anew_until_it_was_let_go_and_collected(void **fixture)
{
    struct sge_cell *cells[BLOCKS];
    open_one();
    for (uint32_t i = 0; i < BLOCKS; i++)
        cells[i] = take(SGE_BLOCK_BYTES);
    assert_null(take(1));
    sg_hold_ref(&cells[3]->hold); /* a reader */
    sge_cell_leave(cells[3]);
    assert_int_equal(sge_arena_collect(part), 0);
    assert_null(take(1));
    sg_hold_unref(&cells[3]->hold);
    assert_false(sg_hold_try_ref(&cells[3]->hold));
    assert_null(take(1));
    assert_int_equal(sge_arena_collect(part), 1);
    struct sge_cell *cell = take(512);
    assert_non_null(cell);
    assert_int_equal(sge_cell_memory(cell) - sge_arena_base(arena), 3 * SGE_BLOCK_BYTES);
    sge_arena_close(arena);
    (void)fixture;
}

static void a_block_is_cut_anew_for_another_size_when_it_is_empty(void **fixture)
{
    struct sge_cell *small[16], *mates[16];
    open_one();
    for (uint32_t i = 0; i < BLOCKS - 1; i++)
        assert_non_null(take(SGE_BLOCK_BYTES));
    for (uint32_t i = 0; i < 16; i++)
        small[i] = take(65536);
    assert_null(take(65536));
    assert_int_equal(sge_arena_mates(small[0], mates, 16), 16);
    for (uint32_t i = 0; i < 15; i++)
        sge_cell_leave(small[i]);
    sge_arena_collect(part);
    assert_null(take(4096));
    assert_int_equal(sge_arena_mates(small[0], mates, 16), 1);
    assert_ptr_equal(mates[0], small[15]);
    sge_cell_leave(small[15]);
    assert_int_equal(sge_arena_mates(small[0], mates, 16), 0);
    sge_arena_collect(part);
    assert_non_null(take(4096));
    sge_arena_close(arena);
    (void)fixture;
}

static void shards_have_their_own_blocks(void **fixture)
{
    assert_int_equal(sge_arena_open(3 * SGE_BLOCK_BYTES + 1, false, 3, &arena), SG_OK);
    assert_int_equal(sge_arena_bytes(arena), 3 * SGE_BLOCK_BYTES);
    for (uint32_t i = 0; i < 3; i++) {
        part = sge_arena_part(arena, i);
        assert_int_equal(sge_arena_blocks(part), 1);
        struct sge_cell *cell = take(SGE_BLOCK_BYTES);
        assert_int_equal(sge_cell_memory(cell) - sge_arena_base(arena), i * SGE_BLOCK_BYTES);
        assert_int_equal(cell->hold.region, 0);
        assert_null(take(1));
    }
    assert_true(sge_arena_fd(arena) >= 0);
    sge_arena_close(arena);
    (void)fixture;
}

static void without_huge_pages_there_are_ordinary_ones(void **fixture)
{
    assert_int_equal(sge_arena_open(1ull << 30, true, 1, &arena), SG_OK);
    assert_true(sge_arena_bytes(arena) >= 1ull << 30);
    assert_non_null(strstr("hugetlb shmem-thp shmem", sge_arena_kind(arena)));
    sge_arena_close(arena);
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        arena = NULL;
        sg_alloc_fail_nth(nth);
        err = sge_arena_open(SGE_BLOCK_BYTES, false, 1, &arena);
        assert_true(err == SG_OK ? arena != NULL : arena == NULL && err == SG_ENOMEM);
        sge_arena_close(arena);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(cells_of_every_size_are_apart_and_large_enough),
    cmocka_unit_test(a_held_cell_is_not_used_anew_until_it_was_let_go_and_collected),
    cmocka_unit_test(a_block_is_cut_anew_for_another_size_when_it_is_empty),
    cmocka_unit_test(shards_have_their_own_blocks),
    cmocka_unit_test(without_huge_pages_there_are_ordinary_ones),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("arena", tests)
