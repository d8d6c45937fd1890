#include "common/base/door.h"

#include "common/base/errors.h"
#include "common/base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void effects_keep_their_order_and_what_they_carry(void **state)
{
    (void)state;
    struct effects effects = {0};
    const struct address address = {.host = "10.0.0.1", .port = 80};
    effect_listen(&effects);
    effect_connect(&effects, 3, &address);
    effect_persist(&effects, "vote", 9, SLICE_LITERAL("dura\0ble"));
    effect_log(&effects, LOG_LEVEL_WARNING, "node %d is %s", 4, "down");
    effect_flush(&effects, 5);
    effect_pause(&effects, 6);
    effect_resume(&effects, 6);
    effect_drain(&effects, 7);
    effect_close(&effects, 8);
    effect_exit(&effects, 2);
    effect_log_level(&effects, LOG_LEVEL_INFO);

    static const struct {
        enum effect_kind kind;
        link_id link;
    } expected[] = {
        {EFFECT_LISTEN, LINK_NONE},
        {EFFECT_CONNECT, 3},
        {EFFECT_PERSIST, LINK_NONE},
        {EFFECT_LOG, LINK_NONE},
        {EFFECT_FLUSH, 5},
        {EFFECT_PAUSE, 6},
        {EFFECT_RESUME, 6},
        {EFFECT_DRAIN, 7},
        {EFFECT_CLOSE, 8},
        {EFFECT_EXIT, LINK_NONE},
        {EFFECT_LOG_LEVEL, LINK_NONE},
    };
    assert_int_equal(ARRAY_LENGTH(expected), effects.count);
    for (size_t i = 0; i < effects.count; i++) {
        assert_int_equal(expected[i].kind, effects.items[i].kind);
        assert_int_equal(expected[i].link, effects.items[i].link);
    }
    assert_true(address_equal(&address, &effects.items[1].address));
    assert_string_equal("vote", effects_name(&effects, &effects.items[2]));
    assert_null(effects_name(&effects, &effects.items[3]));
    assert_int_equal(9, effects.items[2].token);
    assert_true(slice_equal(SLICE_LITERAL("dura\0ble"), effects_text(&effects, &effects.items[2])));
    assert_int_equal(LOG_LEVEL_WARNING, effects.items[3].level);
    assert_true(slice_equal(SLICE_LITERAL("node 4 is down"), effects_text(&effects, &effects.items[3])));
    assert_int_equal(0, effects_text(&effects, &effects.items[4]).length);
    assert_int_equal(2, effects.items[9].level);
    assert_int_equal(LOG_LEVEL_INFO, effects.items[10].level);
    effects_free(&effects);
}

static void names_of_files_are_copied(void **state)
{
    (void)state;
    struct effects effects = {0};
    char name[] = "aside", new_name[] = "place";
    for (unsigned i = 0; i < 100; i++)
        effect_file(&effects, &(struct file_effect){.operation = FILE_RENAME, .new_name = new_name}, name, 1,
                    SLICE_LITERAL("bytes"));
    effect_file(&effects, &(struct file_effect){.operation = FILE_SYNC}, NULL, 2, SLICE_LITERAL(""));
    name[0] = new_name[0] = '?';
    for (unsigned i = 0; i < 100; i++) {
        assert_string_equal("aside", effects_name(&effects, &effects.items[i]));
        assert_string_equal("place", effects_new_name(&effects, &effects.items[i]));
        assert_true(slice_equal(SLICE_LITERAL("bytes"), effects_text(&effects, &effects.items[i])));
    }
    assert_null(effects_name(&effects, &effects.items[100]));
    assert_null(effects_new_name(&effects, &effects.items[100]));
    effects_free(&effects);
}

static void cleared_effects_leave_nothing_to_the_next_step(void **state)
{
    (void)state;
    struct effects effects = {0};
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 500; i++)
            effect_log(&effects, LOG_LEVEL_INFO, "%u", i);
        for (unsigned i = 0; i < 500; i++) {
            char text[16];
            snprintf(text, sizeof(text), "%u", i);
            assert_true(slice_equal(slice_text(text), effects_text(&effects, &effects.items[i])));
        }
        effects_clear(&effects);
        effect_flush(&effects, 1);
        assert_int_equal(1, effects.count);
        assert_int_equal(0, effects_text(&effects, &effects.items[0]).length);
        effects_clear(&effects);
    }
    effects_free(&effects);
}

struct item {
    int number;
    struct list node;
};

static void lists_keep_order_and_lose_members_while_walked(void **state)
{
    (void)state;
    struct list list;
    list_init(&list);
    assert_true(list_is_empty(&list));
    struct item items[5];
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        list_add_last(&list, &items[i].node);
    }
    list_remove(&items[0].node);
    list_add_first(&list, &items[0].node);
    int expected = 0;
    LIST_FOR_EACH(node, &list)
    {
        assert_int_equal(expected++, LIST_ENTRY(node, struct item, node)->number);
        if (expected % 2 == 0)
            list_remove(node);
    }
    assert_int_equal(5, expected);
    list_remove(&items[1].node); /* already out: harmless */
    expected = 0;
    LIST_FOR_EACH(node, &list)
    {
        assert_int_equal(expected, LIST_ENTRY(node, struct item, node)->number);
        expected += 2;
        list_remove(node);
    }
    assert_int_equal(6, expected);
    assert_true(list_is_empty(&list));
}

static void every_error_has_a_number_and_words_of_its_own(void **state)
{
    (void)state;
    static const int codes[] = {
#define X(name, number, text) name,
        ERROR_LIST(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        assert_true(codes[i] < 0);
        assert_string_not_equal("unknown error", error_text(codes[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(error_text(codes[j]), error_text(codes[i]));
    }
    assert_string_equal("ok", error_text(0));
    assert_string_equal("unknown error", error_text(-1000));
    assert_string_equal("unknown error", error_text(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effects_keep_their_order_and_what_they_carry),
        cmocka_unit_test(names_of_files_are_copied),
        cmocka_unit_test(cleared_effects_leave_nothing_to_the_next_step),
        cmocka_unit_test(lists_keep_order_and_lose_members_while_walked),
        cmocka_unit_test(every_error_has_a_number_and_words_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
