/* The order of SORT, and the names that its patterns stand for. */
#include "cacheworker/sort/sort.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { COUNT = 300 };

static void assert_order(const struct cw_sort_item *items, size_t count, const char *expected)
{
    struct buf text = {0};
    for (size_t i = 0; i < count; i++)
        buf_add_slice(&text, items[i].element);
    assert_true(slice_equal(buf_slice(&text), slice_text(expected)));
    buf_free(&text);
}

static void numbers_decide_and_then_elements(void **state)
{
    (void)state;
    struct cw_sort_item items[] = {
        {.element = SLICE_LITERAL("d"), .number = 2},  {.element = SLICE_LITERAL("b"), .number = 1},
        {.element = SLICE_LITERAL("a"), .number = 1},  {.element = SLICE_LITERAL("c"), .number = -3.5},
        {.element = SLICE_LITERAL("aa"), .number = 1},
    };
    cw_sort_items(items, 5, CW_SORT_NUMBERS, false);
    assert_order(items, 5, "caaabd");
    cw_sort_items(items, 5, CW_SORT_NUMBERS, true);
    assert_order(items, 5, "dbaaac");
}

static void texts_decide_and_then_places(void **state)
{
    (void)state;
    struct cw_sort_item items[] = {
        {.element = SLICE_LITERAL("1"), .text = SLICE_LITERAL("b"), .index = 0},
        {.element = SLICE_LITERAL("2"), .text = SLICE_LITERAL("a"), .index = 1},
        {.element = SLICE_LITERAL("3"), .index = 2},
        {.element = SLICE_LITERAL("4"), .text = SLICE_LITERAL("a"), .index = 3},
        {.element = SLICE_LITERAL("5"), .text = SLICE_LITERAL(""), .index = 4},
        {.element = SLICE_LITERAL("6"), .text = SLICE_LITERAL("\xff"), .index = 5},
        {.element = SLICE_LITERAL("7"), .index = 6},
    };
    cw_sort_items(items, 7, CW_SORT_TEXTS, false);
    assert_order(items, 7, "3752416");
    cw_sort_items(items, 7, CW_SORT_TEXTS, true);
    assert_order(items, 7, "6124537");
    for (size_t i = 0; i < 7; i++)
        items[i].index = 0;
    cw_sort_items(items, 7, CW_SORT_TEXTS, true);
    assert_order(items, 7, "6124537"); /* by their elements, up also where texts go down */
}

/* Whatever the order was before, it is the same afterwards. */
static void the_order_is_total(void **state)
{
    (void)state;
    struct rand rand;
    char names[COUNT][8];
    struct cw_sort_item items[COUNT];
    struct cw_sort_item first[COUNT];
    rand_seed(&rand, 1);
    for (unsigned mode = 0; mode < 4; mode++) {
        for (unsigned i = 0; i < COUNT; i++) {
            struct slice name = slice_of(names[i], (size_t)snprintf(names[i], sizeof(names[i]), "%03u", i));
            items[i] = (struct cw_sort_item){.element = name, .number = (double)rand_below(&rand, 20)};
            if (rand_below(&rand, 10) > 0)
                items[i].text = slice_of(names[i], rand_below(&rand, 3));
        }
        for (unsigned round = 0; round < 5; round++) {
            cw_sort_items(items, COUNT, mode % 2 ? CW_SORT_TEXTS : CW_SORT_NUMBERS, mode / 2);
            if (round == 0)
                memcpy(first, items, sizeof(first));
            for (unsigned i = 0; i < COUNT; i++)
                assert_ptr_equal(first[i].element.data, items[i].element.data);
            for (unsigned i = COUNT - 1; i > 0; i--) {
                unsigned other = (unsigned)rand_below(&rand, i + 1);
                struct cw_sort_item item = items[i];
                items[i] = items[other];
                items[other] = item;
            }
        }
    }
}

static void patterns_name_keys_and_fields(void **state)
{
    (void)state;
    static const struct {
        struct slice pattern;
        const char *key; /* NULL: it names nothing */
        const char *field;
    } rows[] = {
        {SLICE_LITERAL("weight_*"), "weight_E", NULL},
        {SLICE_LITERAL("*"), "E", NULL},
        {SLICE_LITERAL("a*b*c"), "aEb*c", NULL},
        {SLICE_LITERAL("h_*->field"), "h_E", "field"},
        {SLICE_LITERAL("h_*x->a->b"), "h_Ex", "a->b"},
        {SLICE_LITERAL("h->_*x"), "h->_Ex", NULL},
        {SLICE_LITERAL("h_*->"), "h_E->", NULL},
        {SLICE_LITERAL("*->*"), "E", "*"},
        {SLICE_LITERAL("*>-"), "E>-", NULL},
        {SLICE_LITERAL("fixed"), NULL, NULL},
        {SLICE_LITERAL("#"), NULL, NULL},
        {SLICE_LITERAL(""), NULL, NULL},
        {SLICE_LITERAL("a\0*"), NULL, NULL},
    };
    struct buf key = {0};
    struct slice field;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        bool names = cw_sort_substitute(rows[i].pattern, SLICE_LITERAL("E"), &key, &field);
        assert_int_equal(names, rows[i].key != NULL);
        assert_int_equal(cw_sort_has_star(rows[i].pattern), names);
        if (!names)
            continue;
        assert_true(slice_equal(buf_slice(&key), slice_text(rows[i].key)));
        assert_int_equal(field.data != NULL, rows[i].field != NULL);
        if (rows[i].field)
            assert_true(slice_equal(field, slice_text(rows[i].field)));
    }
    assert_true(cw_sort_substitute(SLICE_LITERAL("*->\0x"), SLICE_LITERAL(""), &key, &field));
    assert_true(slice_equal(buf_slice(&key), SLICE_LITERAL("->\0x")));
    assert_null(field.data);
    assert_true(cw_sort_substitute(SLICE_LITERAL("*->f\0x"), SLICE_LITERAL("E"), &key, &field));
    assert_true(slice_equal(field, SLICE_LITERAL("f\0x")));
    buf_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_decide_and_then_elements),
        cmocka_unit_test(texts_decide_and_then_places),
        cmocka_unit_test(the_order_is_total),
        cmocka_unit_test(patterns_name_keys_and_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
