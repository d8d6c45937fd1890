/* Nodes: their bytes are what redis-server 7.0 writes, and what is no node is told from one. */
#include "cacheworker/stream/stream_node.h"

#include "common/base/errors.h"
#include "tests/unit/cacheworker/packed/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* XADD s 5-3 a 1 b hello; XADD s 5-4 a -70000 b ""; XADD s 6-1 c d; XADD s 5000000000-0 a 12 b 5000000000; XDEL s 5-4;
 * then what DUMP s has of the node. */
static const char reference[] = "63000000 1f00"
                                "0301 0101 0201 816102 816202 0001"
                                "0201 0001 0001 0101 8568656c6c6f06 0501"
                                "0301 0001 0101 f290eefe04 8001 0501"
                                "0001 0101 dffe02 0101 816302 816402 0601"
                                "0201 f4fbf1052a0100000009 dffd02 0c01 f400f2052a0100000009 0501"
                                "ff";

struct fixture {
    struct cw_arena *arena;
    struct cw_stream_held held;
    struct cw_stream_memory memory;
    struct cw_stream_node *node;
};

#define NODE_ID ((struct cw_stream_id){5, 3})

static void append(struct fixture *fixture, struct cw_stream_id id, const char *const *words, size_t count)
{
    struct slice texts[8];
    for (size_t i = 0; i < count; i++)
        texts[i] = slice_text(words[i]);
    struct cw_stream_fields fields = {texts, count / 2};
    if (!fixture->node)
        assert_int_equal(cw_stream_node_create(&fixture->memory, &fields, &fixture->node), 0);
    assert_int_equal(cw_stream_node_append(&fixture->memory, &fixture->node, NODE_ID, id, &fields), 0);
}

#define APPEND(fixture, ms, seq, ...)                                                                                  \
    append(fixture, (struct cw_stream_id){ms, seq}, (const char *const[]){__VA_ARGS__},                                \
           ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})))

static void open_fixture(struct fixture *fixture)
{
    *fixture = (struct fixture){.arena = cw_arena_create()};
    fixture->memory = (struct cw_stream_memory){fixture->arena, &fixture->held};
    APPEND(fixture, 5, 3, "a", "1", "b", "hello");
    APPEND(fixture, 5, 4, "a", "-70000", "b", "");
    APPEND(fixture, 6, 1, "c", "d");
    APPEND(fixture, 5000000000, 0, "a", "12", "b", "5000000000");
    assert_true(cw_stream_node_is_valid(cw_stream_node_listpack(fixture->node)));
}

static void close_fixture(struct fixture *fixture)
{
    cw_stream_node_free(&fixture->memory, fixture->node);
    assert_int_equal(fixture->held.bytes, 0);
    assert_int_equal(fixture->held.blocks, 0);
    assert_int_equal(cw_arena_used_bytes(fixture->arena), 0);
    cw_arena_destroy(fixture->arena);
}

static size_t entry_place(const struct cw_stream_node *node, unsigned index)
{
    struct slice listpack = cw_stream_node_listpack(node);
    struct cw_stream_master master = cw_stream_node_master(listpack);
    size_t place = master.first_entry;
    for (; index > 0; index--) {
        struct cw_stream_entry entry = cw_stream_node_entry(listpack, NODE_ID, &master, place);
        place = cw_stream_node_after(listpack, entry.data, cw_stream_entry_elements(&entry));
    }
    return place;
}

static void test_bytes(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buf expected = {0};
    hex_add(&expected, reference);
    open_fixture(&fixture);
    cw_stream_node_delete(&fixture.memory, &fixture.node, entry_place(fixture.node, 1));
    assert_int_equal(fixture.node->length, buf_length(&expected));
    assert_memory_equal(fixture.node->bytes, buf_slice(&expected).data, buf_length(&expected));

    struct cw_stream_node *loaded = cw_stream_node_load(&fixture.memory, buf_slice(&expected));
    assert_true(slice_equal(cw_stream_node_listpack(loaded), buf_slice(&expected)));
    cw_stream_node_free(&fixture.memory, loaded);
    buf_free(&expected);
    close_fixture(&fixture);
}

static void test_looking(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture);
    struct slice listpack = cw_stream_node_listpack(fixture.node);
    struct cw_stream_master master = cw_stream_node_master(listpack);
    assert_int_equal(master.live, 4);
    assert_int_equal(master.deleted, 0);
    assert_int_equal(master.names, 2);
    static const struct cw_stream_id ids[] = {{5, 3}, {5, 4}, {6, 1}, {5000000000, 0}};
    size_t back = CW_LISTPACK_END;
    for (unsigned i = 0; i < ARRAY_LENGTH(ids); i++) {
        struct cw_stream_entry entry = cw_stream_node_entry(listpack, NODE_ID, &master, entry_place(fixture.node, i));
        assert_int_equal(cw_stream_id_compare(entry.id, ids[i]), 0);
        assert_int_equal(entry.fields, i == 2 ? 1 : 2);
        assert_int_equal(entry.has_names, i == 2);
        assert_false(entry.is_deleted);
        back = cw_stream_node_before(listpack, back);
        assert_int_equal(back, entry_place(fixture.node, 3 - i));
    }
    assert_int_equal(cw_stream_node_before(listpack, back), CW_LISTPACK_END);
    assert_int_equal(entry_place(fixture.node, 4), CW_LISTPACK_END);
    close_fixture(&fixture);
}

static void test_trim(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture);
    cw_stream_node_delete(&fixture.memory, &fixture.node, entry_place(fixture.node, 0));
    assert_int_equal(cw_stream_node_trim(&fixture.memory, &fixture.node, NODE_ID, 1, NULL), 1);
    struct cw_stream_master master = cw_stream_node_master(cw_stream_node_listpack(fixture.node));
    assert_int_equal(master.live, 2);
    assert_int_equal(master.deleted, 2);
    struct cw_stream_id before = {6, 1};
    assert_int_equal(cw_stream_node_trim(&fixture.memory, &fixture.node, NODE_ID, UINT64_MAX, &before), 0);
    before.seq = 2;
    assert_int_equal(cw_stream_node_trim(&fixture.memory, &fixture.node, NODE_ID, UINT64_MAX, &before), 1);
    assert_true(cw_stream_node_is_valid(cw_stream_node_listpack(fixture.node)));
    close_fixture(&fixture);
}

/* Counts and differences that need more bytes than before. */
static void test_many(void **state)
{
    (void)state;
    struct fixture fixture = {.arena = cw_arena_create()};
    fixture.memory = (struct cw_stream_memory){fixture.arena, &fixture.held};
    for (uint64_t i = 0; i < 20000; i++)
        APPEND(&fixture, 5 + i / 10, 3 + i, "a", "b");
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(cw_stream_node_trim(&fixture.memory, &fixture.node, NODE_ID, 1, NULL), 1);
    struct cw_stream_master master = cw_stream_node_master(cw_stream_node_listpack(fixture.node));
    assert_int_equal(master.live, 15000);
    assert_int_equal(master.deleted, 5000);
    assert_true(cw_stream_node_is_valid(cw_stream_node_listpack(fixture.node)));
    cw_stream_node_shrink(&fixture.memory, &fixture.node);
    assert_in_range(fixture.held.bytes, fixture.node->length, fixture.node->length + 64);
    close_fixture(&fixture);
}

static void assert_no_node(const char *text)
{
    struct buf bytes = {0};
    hex_add(&bytes, text);
    assert_false(cw_stream_node_is_valid(buf_slice(&bytes)));
    buf_free(&bytes);
}

static void test_what_is_no_node(void **state)
{
    (void)state;
    assert_no_node("");
    assert_no_node("07000000 0000 ff");                                                       /* nothing */
    assert_no_node("0f000000 0400 0001 0001 0001 0001 ff");                                   /* no entry */
    assert_no_node("0d000000 0300 0001 0001 0001 ff");                                        /* no end of the master */
    assert_no_node("1d000000 0b00 0201 0001 0101 816102 0001 0201 0001 0001 816202 0401 ff"); /* 2 live, says it */
    assert_no_node("1d000000 0a00 0101 0101 0101 816102 0001 0201 0001 0001 816202 0401 ff"); /* 1 deleted */
    assert_no_node("1d000000 0a00 0101 0001 0101 816102 0001 0201 0001 0001 816202 0501 ff"); /* back by one more */
    assert_no_node("1d000000 0a00 0101 0001 0201 816102 0001 0201 0001 0001 816202 0401 ff"); /* 2 names */
    assert_no_node("1d000000 0a00 0101 0001 dfff02 6102 0001 0201 0001 0001 816202 0401 ff"); /* -1 names */
    assert_no_node("1e000000 0a00 0101 0001 0101 816102 816102 0201 0001 0001 816202 0401 ff"); /* "a", not 0 */

    struct buf good = {0}; /* That the pieces above are well but for their fault. */
    hex_add(&good, "1d000000 0a00 0101 0001 0101 816102 0001 0201 0001 0001 816202 0401 ff");
    assert_true(cw_stream_node_is_valid(buf_slice(&good)));
    buf_free(&good);
}

/* No single byte that is changed makes a node that cannot be read to its end. */
static void test_broken_bytes(void **state)
{
    (void)state;
    struct buf bytes = {0};
    hex_add(&bytes, reference);
    struct slice listpack = exact_copy(buf_slice(&bytes));
    char *at = (char *)(uintptr_t)listpack.data;
    unsigned accepted = 0;
    for (size_t i = 0; i < listpack.length; i++)
        for (unsigned value = 0; value < 256; value++) {
            at[i] = (char)value;
            if (cw_stream_node_is_valid(listpack)) {
                struct cw_stream_master master = cw_stream_node_master(listpack);
                uint64_t entries = 0;
                for (size_t place = cw_stream_node_before(listpack, CW_LISTPACK_END); place != CW_LISTPACK_END;
                     place = cw_stream_node_before(listpack, place))
                    entries++;
                assert_int_equal(entries, master.live + master.deleted);
                accepted++;
            }
            at[i] = bytes.memory[i];
        }
    assert_in_range(accepted, listpack.length, 10000);
    free_copy(listpack);
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes), cmocka_unit_test(test_looking),         cmocka_unit_test(test_trim),
        cmocka_unit_test(test_many),  cmocka_unit_test(test_what_is_no_node), cmocka_unit_test(test_broken_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
