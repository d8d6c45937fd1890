/* The node of a long list: edits at any place give the same bytes as in a plain buffer; pushing and popping at either
 * end costs about the same, however many elements there are. */
#include "cacheworker/list/list_node.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { TEXT_MAX = 2000 };

static struct slice random_text(struct rand *rand, char space[TEXT_MAX])
{
    size_t length = rand_below(rand, rand_below(rand, 30) == 0 ? TEXT_MAX : 12);
    memset(space, 'a' + (int)rand_below(rand, 26), length);
    return slice_of(space, length);
}

static void edit(struct rand *rand, struct cw_packed *packed, uint64_t choice, size_t place, struct slice text)
{
    if (choice < 5)
        cw_listpack_insert(packed, place, text);
    else if (place != CW_LISTPACK_END && choice == 5)
        cw_listpack_replace(packed, place, text);
    else if (place != CW_LISTPACK_END)
        cw_listpack_delete(packed, place, 1 + rand_below(rand, 4));
}

static void edits_give_the_bytes_of_a_plain_buffer(void **state)
{
    (void)state;
    struct cw_list_memory memory = {.arena = cw_arena_create()};
    struct rand rand;
    static char space[TEXT_MAX];
    rand_seed(&rand, 3);
    for (unsigned script = 0; script < 50; script++) {
        struct buf buf = {0};
        cw_listpack_init(buf_reserve(&buf, CW_LISTPACK_EMPTY_BYTES));
        buf_commit(&buf, CW_LISTPACK_EMPTY_BYTES);
        struct cw_packed plain = cw_packed_of_buf(&buf);
        struct cw_list_node *node = cw_list_node_create(&memory, buf_slice(&buf));
        struct cw_list_edit edited;
        cw_list_edit_open(&edited, &memory, node);
        for (unsigned step = 0; step < 400; step++) {
            uint64_t choice = rand_below(&rand, step % 200 < 120 ? 8 : 16);
            int64_t index = (int64_t)rand_below(&rand, cw_listpack_count(cw_packed_slice(&plain)) + 1);
            size_t place = rand_below(&rand, 2) ? cw_listpack_at(cw_packed_slice(&plain), index)
                                                : cw_listpack_first(cw_packed_slice(&plain));
            struct slice text = random_text(&rand, space);
            struct rand same = rand;
            edit(&same, &plain, choice, place, text);
            edit(&rand, &edited.packed, choice, place, text);
            assert_true(slice_equal(cw_list_node_listpack(node), cw_packed_slice(&plain)));
            assert_true(slice_equal(cw_packed_slice(&edited.packed), cw_packed_slice(&plain)));
            assert_true(node->capacity <= 4 * node->length + 8192);
        }
        cw_list_node_fit(&memory, node);
        assert_true(slice_equal(cw_list_node_listpack(node), cw_packed_slice(&plain)));
        assert_true(cw_arena_rounded(node->capacity) - cw_arena_rounded(node->length) <=
                    cw_arena_rounded(node->length) / 16);
        cw_list_node_free(&memory, node);
        buf_free(&buf);
    }
    assert_int_equal(memory.used_bytes, 0);
    cw_arena_destroy(memory.arena);
}

/* Whatever is pushed or popped at an end leaves the other elements where they are, but for a growing block. */
static void ends_do_not_move_the_middle(void **state)
{
    (void)state;
    struct cw_list_memory memory = {.arena = cw_arena_create()};
    char empty[CW_LISTPACK_EMPTY_BYTES];
    cw_listpack_init(empty);
    struct cw_list_node *node = cw_list_node_create(&memory, slice_of(empty, sizeof(empty)));
    struct cw_list_edit edit;
    cw_list_edit_open(&edit, &memory, node);
    unsigned moves = 0;
    cw_listpack_append(&edit.packed, SLICE_LITERAL("middle"));
    for (unsigned i = 0; i < 4000; i++) {
        struct cw_packed_needle needle = cw_packed_needle(SLICE_LITERAL("middle"));
        struct slice before = cw_list_node_listpack(node);
        const char *middle = before.data + cw_listpack_find(before, cw_listpack_first(before), &needle, 1);
        cw_listpack_insert(&edit.packed, i % 2 ? CW_LISTPACK_HEADER_BYTES : CW_LISTPACK_END, SLICE_LITERAL("xx"));
        struct slice after = cw_list_node_listpack(node);
        moves += after.data + cw_listpack_find(after, cw_listpack_first(after), &needle, 1) != middle;
    }
    assert_true(moves < 60);
    cw_list_node_free(&memory, node);
    cw_arena_destroy(memory.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_give_the_bytes_of_a_plain_buffer),
        cmocka_unit_test(ends_do_not_move_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
