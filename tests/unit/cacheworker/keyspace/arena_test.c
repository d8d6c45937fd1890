/* The arena: blocks that do not overlap, and pages that come back. */
#include "cacheworker/keyspace/arena.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCKS = 20000, OPERATIONS = 300000 };

struct block {
    unsigned char *bytes;
    size_t size;
    unsigned char fill;
};

static size_t random_size(struct rand *rand)
{
    uint64_t kind = rand_below(rand, 20);
    if (kind == 0)
        return CW_ARENA_SEGMENT_SIZE;
    return 1 + rand_below(rand, kind == 1 ? 20000 : kind < 5 ? 512 : 64);
}

static void assert_filled(const struct block *block)
{
    for (size_t i = 0; i < block->size; i++)
        assert_int_equal(block->bytes[i], block->fill);
}

static void test_random_blocks(void **state)
{
    (void)state;
    static struct block blocks[BLOCKS];
    struct cw_arena *arena = cw_arena_create();
    struct rand rand;
    rand_seed(&rand, 1);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        struct block *block = &blocks[rand_below(&rand, BLOCKS)];
        if (block->bytes) {
            assert_filled(block);
            cw_arena_free(arena, block->bytes, block->size);
            block->bytes = NULL;
        } else {
            block->size = random_size(&rand);
            block->fill = (unsigned char)rand_u64(&rand);
            block->bytes = cw_arena_alloc(arena, block->size);
            assert_int_equal((uintptr_t)block->bytes % 8, 0);
            if (block->size % 64 == 0 && block->size <= CW_ARENA_SMALL_MAX)
                assert_int_equal((uintptr_t)block->bytes % 64, 0);
            memset(block->bytes, block->fill, block->size);
        }
    }
    assert_true(cw_arena_used_bytes(arena) <= cw_arena_held_bytes(arena));
    for (unsigned i = 0; i < BLOCKS; i++)
        if (blocks[i].bytes) {
            assert_filled(&blocks[i]);
            cw_arena_free(arena, blocks[i].bytes, blocks[i].size);
        }
    assert_int_equal(cw_arena_used_bytes(arena), 0);
    cw_arena_destroy(arena);
}

static void test_rounding(void **state)
{
    (void)state;
    assert_int_equal(cw_arena_rounded(1), 8);
    assert_int_equal(cw_arena_rounded(32), 32);
    assert_int_equal(cw_arena_rounded(33), 40);
    assert_int_equal(cw_arena_rounded(CW_ARENA_SMALL_MAX), CW_ARENA_SMALL_MAX);
    assert_int_equal(cw_arena_rounded(CW_ARENA_SEGMENT_SIZE), CW_ARENA_SEGMENT_SIZE);
    for (size_t size = CW_ARENA_SMALL_MAX + 1; size <= CW_ARENA_PAGED_MAX; size++) {
        size_t rounded = cw_arena_rounded(size);
        size_t in_page = ((64 << 10) - 64) / rounded;
        assert_in_range(rounded, size, size + size / in_page + 8);
        assert_int_equal(cw_arena_rounded(rounded), rounded);
    }
    for (size_t size = CW_ARENA_PAGED_MAX + 1; size < CW_ARENA_PAGED_MAX + 1000; size++)
        assert_in_range(cw_arena_rounded(size), size, size + 15);
}

/* Each step costs what it may, and not much more. */
static void trim(struct cw_arena *arena)
{
    bool more = true;
    while (more) {
        size_t before = cw_arena_held_bytes(arena);
        unsigned budget = 100;
        more = cw_arena_trim_step(arena, &budget);
        assert_true(!more || budget == 0);
        assert_in_range(before - cw_arena_held_bytes(arena), 0, 4 << 20);
    }
}

/* Pages that were emptied serve another size, and what is too much goes back to the kernel. */
static void test_pages_come_back(void **state)
{
    (void)state;
    static void *blocks[200000];
    enum { COUNT = sizeof(blocks) / sizeof(blocks[0]) };
    struct cw_arena *arena = cw_arena_create();
    size_t held_full = 0;
    for (size_t size = 32; size <= 96; size += 32) {
        for (unsigned i = 0; i < COUNT; i++)
            blocks[i] = cw_arena_alloc(arena, size);
        held_full = cw_arena_held_bytes(arena);
        assert_in_range(held_full, size * COUNT, size * COUNT * 11 / 10 + ((size_t)4 << 20));
        for (unsigned i = 0; i < COUNT; i++)
            cw_arena_free(arena, blocks[(i * 7919ull) % COUNT], size);
        trim(arena);
        assert_true(cw_arena_held_bytes(arena) <= (size_t)4 << 20);
    }
    cw_arena_destroy(arena);
}

/* A few blocks that stay keep their pages, not their chunks' other pages. */
static void test_scattered_blocks_hold_little(void **state)
{
    (void)state;
    static void *blocks[400000];
    enum { COUNT = sizeof(blocks) / sizeof(blocks[0]), KEPT_EVERY = 40000 };
    struct cw_arena *arena = cw_arena_create();
    for (unsigned i = 0; i < COUNT; i++)
        blocks[i] = cw_arena_alloc(arena, 40);
    for (unsigned i = 0; i < COUNT; i++)
        if (i % KEPT_EVERY != 0)
            cw_arena_free(arena, blocks[i], 40);
    size_t kept = COUNT / KEPT_EVERY;
    assert_int_equal(cw_arena_used_bytes(arena), kept * 40);
    trim(arena);
    assert_true(cw_arena_held_bytes(arena) <= (kept + 33) * (64 << 10));
    for (unsigned i = 0; i < COUNT; i += KEPT_EVERY)
        cw_arena_free(arena, blocks[i], 40);
    cw_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_blocks),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_pages_come_back),
        cmocka_unit_test(test_scattered_blocks_hold_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
