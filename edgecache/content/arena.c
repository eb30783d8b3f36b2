#include "edgecache/content/arena.h"

#include "base/alloc.h"
#include "base/log.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_BYTES (2ull << 20)
/* A block and its cells lie in one aligned piece of address space: a cell finds its block by its
 * own address. What is never used is never touched, so it costs nothing. */
#define BLOCK_STRIDE (128u << 10)
#define CELL_NONE    0xffffffffu

static const uint32_t class_bytes[SGE_CELL_CLASSES] = {
    512,       1024,      1536,      2048,      3072,      4096,       8192,
    12288,     16384,     24576,     32768,     49152,     65536,      96 << 10,
    128 << 10, 192 << 10, 256 << 10, 340 << 10, 512 << 10, 1024 << 10,
};

struct sge_block {
    struct sg_list partial; /* in its class's list while it has free cells */
    struct sge_arena_part *part;
    uint32_t index;
    uint32_t free_head; /* cells given back */
    uint16_t fresh;     /* cells from here on were never used */
    uint16_t used;
    uint8_t class;
    struct sge_cell cells[];
};
_Static_assert(sizeof(struct sge_block) + SGE_CELLS_PER_BLOCK * sizeof(struct sge_cell) <=
                   BLOCK_STRIDE,
               "a block's cells fit its stride");

struct sge_arena_part {
    SG_ALIGNED _Atomic uint32_t let_go; /* cells nobody holds: global cell number, or CELL_NONE */
    SG_ALIGNED struct sge_arena *arena;
    uint32_t first, count;
    uint32_t *free_blocks; /* a stack of block numbers */
    uint32_t free_count;
    uint64_t used_bytes;
    struct sg_list partial[SGE_CELL_CLASSES];
};

struct sge_arena {
    uint8_t *base;
    uint64_t bytes;
    uint8_t *side; /* the blocks' descriptions, BLOCK_STRIDE each */
    void *side_map;
    size_t side_map_bytes;
    int fd;
    const char *kind;
    uint32_t shards;
    struct sge_arena_part *parts;
    uint32_t *stacks;
};

static struct sge_block *arena_block(const struct sge_arena *arena, uint32_t index)
{
    return (struct sge_block *)(void *)(arena->side + (size_t)index * BLOCK_STRIDE);
}

static struct sge_block *cell_block(const struct sge_cell *cell)
{
    return (struct sge_block *)((uintptr_t)cell & ~(uintptr_t)(BLOCK_STRIDE - 1));
}

static uint8_t class_for(uint32_t bytes)
{
    uint8_t class = 0;
    while (class_bytes[class] < bytes)
        class ++;
    return class;
}

static uint32_t class_cells(uint8_t class)
{
    return SGE_BLOCK_BYTES / class_bytes[class];
}

/* ---- mapping ---- */

static bool arena_map_huge(struct sge_arena *arena)
{
    arena->bytes = (arena->bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
    arena->fd = memfd_create("sge-arena", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
    if (arena->fd < 0 || ftruncate(arena->fd, (off_t)arena->bytes) != 0)
        return false;
    void *base = mmap(NULL, arena->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, arena->fd, 0);
    if (base == MAP_FAILED)
        return false;
    arena->base = base;
    arena->kind = "hugetlb";
    return true;
}

/* Whether the kernel gives huge pages to shmem that asks for them by madvise. */
static bool shmem_thp_allowed(void)
{
    char text[128] = "";
    int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 && strstr(text, "[never]") == NULL && strstr(text, "[deny]") == NULL;
}

static bool arena_map_pages(struct sge_arena *arena)
{
    arena->fd = memfd_create("sge-arena", MFD_CLOEXEC);
    if (arena->fd < 0 || ftruncate(arena->fd, (off_t)arena->bytes) != 0)
        return false;
    /* An address aligned to huge pages: map more, then over its aligned part. */
    size_t span = arena->bytes + HUGE_BYTES;
    uint8_t *room = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return false;
    uint8_t *base = (uint8_t *)(((uintptr_t)room + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1));
    if (base > room)
        munmap(room, (size_t)(base - room));
    munmap(base + arena->bytes, span - (size_t)(base - room) - arena->bytes);
    if (mmap(base, arena->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, arena->fd, 0) ==
        MAP_FAILED) {
        munmap(base, arena->bytes);
        return false;
    }
    arena->base = base;
    bool thp = shmem_thp_allowed() && madvise(base, arena->bytes, MADV_HUGEPAGE) == 0;
    arena->kind = thp ? "shmem-thp" : "shmem";
    return true;
}

static enum sg_err arena_map(struct sge_arena *arena, bool hugepages)
{
    if (hugepages) {
        if (arena_map_huge(arena))
            return SG_OK;
        sg_warn("content: no huge pages for %llu MiB (%s): ordinary pages are used",
                (unsigned long long)(arena->bytes >> 20), strerrordesc_np(errno));
        if (arena->fd >= 0)
            close(arena->fd);
        arena->fd = -1;
    }
    return arena_map_pages(arena) ? SG_OK : sg_err_from_errno(errno);
}

static enum sg_err arena_map_side(struct sge_arena *arena, uint32_t blocks)
{
    arena->side_map_bytes = ((size_t)blocks + 1) * BLOCK_STRIDE;
    void *map = mmap(NULL, arena->side_map_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return SG_ENOMEM;
    arena->side_map = map;
    arena->side = (uint8_t *)(((uintptr_t)map + BLOCK_STRIDE - 1) & ~(uintptr_t)(BLOCK_STRIDE - 1));
    madvise(map, arena->side_map_bytes, MADV_NOHUGEPAGE); /* sparse on purpose */
    return SG_OK;
}

/* ---- cells ---- */

static uint32_t cell_number(const struct sge_cell *cell)
{
    const struct sge_block *block = cell_block(cell);
    return block->index * SGE_CELLS_PER_BLOCK + (uint32_t)(cell - block->cells);
}

static void cell_release(struct sg_hold *hold)
{
    struct sge_cell *cell = SG_CONTAINER_OF(hold, struct sge_cell, hold);
    struct sge_arena_part *part = cell_block(cell)->part;
    uint32_t number = cell_number(cell);
    uint32_t head = atomic_load_explicit(&part->let_go, memory_order_relaxed);
    do {
        cell->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&part->let_go, &head, number,
                                                    memory_order_release, memory_order_relaxed));
}

static const struct sg_hold_ops cell_ops = {.release = cell_release};

uint8_t *sge_cell_memory(const struct sge_cell *cell)
{
    const struct sge_block *block = cell_block(cell);
    return block->part->arena->base + (size_t)block->index * SGE_BLOCK_BYTES +
           (size_t)(cell - block->cells) * class_bytes[block->class];
}

uint32_t sge_cell_bytes(const struct sge_cell *cell)
{
    return class_bytes[cell_block(cell)->class];
}

struct sge_cell *sge_cell_of(struct sge_arena *arena, const void *memory)
{
    uint64_t offset = (uint64_t)((const uint8_t *)memory - arena->base);
    SG_ASSERT(offset < arena->bytes);
    struct sge_block *block = arena_block(arena, (uint32_t)(offset / SGE_BLOCK_BYTES));
    SG_ASSERT(block->class < SGE_CELL_CLASSES);
    uint32_t within = (uint32_t)(offset % SGE_BLOCK_BYTES);
    SG_ASSERT(within % class_bytes[block->class] == 0);
    return &block->cells[within / class_bytes[block->class]];
}

uint32_t sge_cell_bytes_for(uint32_t bytes)
{
    SG_ASSERT(bytes > 0 && bytes <= SGE_BLOCK_BYTES);
    return class_bytes[class_for(bytes)];
}

static struct sge_block *part_cut_block(struct sge_arena_part *part, uint8_t class)
{
    if (part->free_count == 0)
        return NULL;
    uint32_t index = part->free_blocks[--part->free_count];
    struct sge_block *block = arena_block(part->arena, index);
    *block =
        (struct sge_block){.part = part, .index = index, .free_head = CELL_NONE, .class = class};
    sg_list_init(&block->partial);
    sg_list_push_back(&part->partial[class], &block->partial);
    return block;
}

static struct sge_cell *block_pop(struct sge_block *block)
{
    struct sge_cell *cell;
    if (block->free_head != CELL_NONE) {
        cell = &block->cells[block->free_head];
        block->free_head = cell->next;
    } else {
        cell = &block->cells[block->fresh++];
    }
    block->used++;
    if (block->used == class_cells(block->class))
        sg_list_remove(&block->partial);
    return cell;
}

struct sge_cell *sge_arena_take(struct sge_arena_part *part, uint32_t bytes,
                                enum sge_cell_kind kind, void *user)
{
    SG_ASSERT(bytes > 0 && bytes <= SGE_BLOCK_BYTES);
    SG_ASSERT(kind != SGE_CELL_FREE);
    uint8_t class = class_for(bytes);
    struct sge_block *block;
    if (!sg_list_empty(&part->partial[class]))
        block = sg_list_entry(part->partial[class].next, struct sge_block, partial);
    else if ((block = part_cut_block(part, class)) == NULL)
        return NULL;
    struct sge_cell *cell = block_pop(block);
    part->used_bytes += class_bytes[class];
    cell->kind = (uint8_t)kind;
    cell->user = user;
    cell->hold.region = (uint32_t)((uint64_t)block->index * SGE_BLOCK_BYTES / SGE_REGION_BYTES);
    cell->hold.ops = &cell_ops;
    /* Release: whoever tries a reference on the cell's former life must see what ended it. */
    atomic_store_explicit(&cell->hold.refs, 1, memory_order_release);
    return cell;
}

void sge_cell_leave(struct sge_cell *cell)
{
    SG_ASSERT(cell->user != NULL);
    cell->user = NULL;
    sg_hold_unref(&cell->hold);
}

static void part_give(struct sge_arena_part *part, struct sge_cell *cell)
{
    struct sge_block *block = cell_block(cell);
    SG_ASSERT(block->part == part);
    SG_ASSERT(block->used > 0);
    if (block->used == class_cells(block->class))
        sg_list_push_front(&part->partial[block->class], &block->partial);
    cell->kind = SGE_CELL_FREE;
    cell->user = NULL;
    cell->next = block->free_head;
    block->free_head = (uint32_t)(cell - block->cells);
    block->used--;
    part->used_bytes -= class_bytes[block->class];
    if (block->used == 0) {
        sg_list_remove(&block->partial);
        part->free_blocks[part->free_count++] = block->index;
    }
}

uint32_t sge_arena_collect(struct sge_arena_part *part)
{
    uint32_t count = 0;
    if (atomic_load_explicit(&part->let_go, memory_order_relaxed) == CELL_NONE)
        return 0;
    uint32_t number = atomic_exchange_explicit(&part->let_go, CELL_NONE, memory_order_acquire);
    while (number != CELL_NONE) {
        struct sge_block *block = arena_block(part->arena, number / SGE_CELLS_PER_BLOCK);
        struct sge_cell *cell = &block->cells[number % SGE_CELLS_PER_BLOCK];
        number = cell->next;
        part_give(part, cell);
        count++;
    }
    return count;
}

uint32_t sge_arena_blocks(const struct sge_arena_part *part)
{
    return part->count;
}

uint32_t sge_arena_blocks_free(const struct sge_arena_part *part)
{
    return part->free_count;
}

uint64_t sge_arena_used(const struct sge_arena_part *part)
{
    return part->used_bytes;
}

uint32_t sge_arena_mates(const struct sge_cell *cell, struct sge_cell **out, uint32_t max)
{
    struct sge_block *block = cell_block(cell);
    uint32_t count = 0;
    for (uint32_t i = 0; i < block->fresh && count < max; i++)
        if (block->cells[i].user != NULL)
            out[count++] = &block->cells[i];
    return count;
}

/* ---- open, close ---- */

static void part_init(struct sge_arena_part *part, struct sge_arena *arena, uint32_t first,
                      uint32_t count)
{
    part->arena = arena;
    part->first = first;
    part->count = count;
    part->free_blocks = arena->stacks + first;
    part->free_count = count;
    atomic_store_explicit(&part->let_go, CELL_NONE, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++)
        part->free_blocks[i] = first + count - 1 - i; /* low addresses first */
    for (int i = 0; i < SGE_CELL_CLASSES; i++)
        sg_list_init(&part->partial[i]);
}

enum sg_err sge_arena_open(uint64_t bytes, bool hugepages, uint32_t shards, struct sge_arena **out)
{
    SG_ASSERT(shards > 0);
    SG_ASSERT(out != NULL);
    uint64_t each = SG_MAX(bytes / shards / SGE_BLOCK_BYTES, 1ull);
    uint64_t blocks = each * shards;
    if (blocks > UINT32_MAX / SGE_CELLS_PER_BLOCK - 1) /* cells are numbered in 32 bits: 2 TiB */
        return SG_EINVAL;
    struct sge_arena *arena = sg_boot_alloc(sizeof(*arena));
    if (arena == NULL)
        return SG_ENOMEM;
    enum sg_err err = SG_ENOMEM;
    arena->fd = -1;
    arena->bytes = blocks * SGE_BLOCK_BYTES;
    arena->shards = shards;
    arena->parts = sg_boot_alloc_array(shards, sizeof(*arena->parts));
    arena->stacks = sg_boot_alloc_array(blocks, sizeof(*arena->stacks));
    if (arena->parts == NULL || arena->stacks == NULL)
        goto out;
    err = arena_map_side(arena, (uint32_t)blocks);
    if (err == SG_OK)
        err = arena_map(arena, hugepages);
    if (err != SG_OK)
        goto out;
    for (uint32_t i = 0; i < shards; i++)
        part_init(&arena->parts[i], arena, i * (uint32_t)each, (uint32_t)each);
    *out = SG_TAKE(arena);
out:
    sge_arena_close(arena);
    return err;
}

void sge_arena_close(struct sge_arena *arena)
{
    if (arena == NULL)
        return;
    if (arena->base != NULL)
        munmap(arena->base, arena->bytes);
    if (arena->fd >= 0)
        close(arena->fd);
    if (arena->side_map != NULL)
        munmap(arena->side_map, arena->side_map_bytes);
    sg_boot_free(arena->stacks);
    sg_boot_free(arena->parts);
    sg_boot_free(arena);
}

uint8_t *sge_arena_base(const struct sge_arena *arena)
{
    return arena->base;
}

uint64_t sge_arena_bytes(const struct sge_arena *arena)
{
    return arena->bytes;
}

int sge_arena_fd(const struct sge_arena *arena)
{
    return arena->fd;
}

const char *sge_arena_kind(const struct sge_arena *arena)
{
    return arena->kind;
}

struct sge_arena_part *sge_arena_part(struct sge_arena *arena, uint32_t shard)
{
    SG_ASSERT(shard < arena->shards);
    return &arena->parts[shard];
}
