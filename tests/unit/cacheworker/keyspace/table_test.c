/* The table by itself: its shape as it grows and shrinks, and its order. */
#include "cacheworker/keyspace/table.h"

#include "common/base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { COUNT = 50000, ENTRY_BYTES = sizeof(struct cw_entry) + 8 };

static const struct cw_hash_key hash_key = {{1, 2}};

/* An entry whose key are the eight bytes of its number. */
static struct cw_entry *make_entry(struct cw_arena *arena, uint64_t number)
{
    struct cw_entry *entry = cw_arena_alloc(arena, ENTRY_BYTES);
    *entry = (struct cw_entry){.key_length = sizeof(number)};
    memcpy(cw_entry_after_header(entry), &number, sizeof(number));
    return entry;
}

static uint64_t hash_of(uint64_t number)
{
    return cw_hash(&hash_key, slice_of(&number, sizeof(number)));
}

static void insert(struct cw_table *table, uint64_t number)
{
    struct cw_bucket *bucket;
    unsigned slot;
    struct cw_entry *entry = make_entry(table->arena, number);
    cw_table_insert(table, entry, hash_of(number), &bucket, &slot);
    assert_ptr_equal(bucket->slots[slot], entry);
}

static void erase(struct cw_table *table, uint64_t number)
{
    struct cw_bucket *bucket;
    unsigned slot;
    struct cw_entry *entry = cw_table_find(table, slice_of(&number, sizeof(number)), hash_of(number), &bucket, &slot);
    assert_non_null(entry);
    cw_table_remove(table, hash_of(number), bucket, slot);
    cw_table_merge(table, hash_of(number));
    cw_arena_free(table->arena, entry, ENTRY_BYTES);
}

struct order {
    uint64_t first, next; /* hashes of the bucket at hand */
    uint64_t seen;
};

static void check_order(void *context, struct cw_entry *entry)
{
    struct order *order = context;
    uint64_t hash = cw_hash(&hash_key, cw_entry_key(entry));
    assert_true(hash >= order->first && (order->next == 0 || hash < order->next));
    order->seen++;
}

/* Buckets are intervals of hashes that follow one another without a gap, and hold what belongs there. */
static void assert_ordered(const struct cw_table *table)
{
    struct order order = {0};
    uint64_t position = 0;
    do {
        struct cw_place place = cw_table_place(table, position);
        assert_int_equal(place.first, position);
        order.first = place.first;
        order.next = place.next;
        cw_bucket_for_each(&place.segment->buckets[place.index], check_order, &order);
        position = place.next;
    } while (position != 0);
    assert_int_equal(order.seen, table->count);
}

static void test_grows_and_shrinks(void **state)
{
    (void)state;
    struct cw_arena *arena = cw_arena_create();
    struct cw_table *table = cw_table_create(arena, &hash_key, NULL);
    for (uint64_t i = 0; i < COUNT; i++)
        insert(table, i);
    assert_int_equal(table->count, COUNT);
    assert_in_range(table->segments, COUNT / CW_SEGMENT_SPLIT, 3 * COUNT / CW_SEGMENT_SPLIT);
    assert_in_range(table->depth, 8, 10);
    assert_ordered(table);

    for (uint64_t i = 0; i < COUNT - 1000; i++)
        erase(table, i);
    assert_in_range(table->segments, 1000 / CW_SEGMENT_SPLIT, 4 * 1000 / CW_SEGMENT_MERGE);
    assert_ordered(table);
    for (uint64_t i = COUNT - 1000; i < COUNT; i++)
        erase(table, i);
    assert_int_equal(table->segments, 1);
    assert_int_equal(table->depth, 0);
    cw_table_destroy(table);
    assert_int_equal(cw_arena_used_bytes(arena), 0);
    cw_arena_destroy(arena);
}

/* The words compared eight at a time find what comparing one at a time finds. */
static void test_match(void **state)
{
    (void)state;
    uint64_t control = 1;
    for (unsigned round = 0; round < 100000; round++) {
        control = control * 6364136223846793005 + 1442695040888963407;
        uint64_t sample = round % 2 ? control & 0x0101010101010101 : control; /* many equal bytes, and few */
        uint64_t expected = 0;
        uint64_t hash = control >> 20 & (round % 2 ? 1 : 0xff);
        for (unsigned slot = 0; slot < CW_BUCKET_SLOTS; slot++)
            if ((sample >> (8 * (slot + 1)) & 0xff) == hash)
                expected |= (uint64_t)0x80 << (8 * slot);
        assert_int_equal(cw_bucket_match(sample, hash), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_shrinks),
        cmocka_unit_test(test_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
