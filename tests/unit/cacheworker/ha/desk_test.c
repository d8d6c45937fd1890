/* What the command thread and the control thread share, with a thread at each side; also run under ThreadSanitizer. */
#include "cacheworker/ha/mailbox.h"
#include "cacheworker/ha/newest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

enum { VALUES = 100000, LETTERS = 50000, WORDS = 64, RING_BYTES = 500, LETTER_MAX = 300 };

/* --- the newest value --- */

static void publish(struct cw_newest *newest, uint64_t number)
{
    uint64_t *draft = cw_newest_draft(newest);
    for (int i = 0; i < WORDS; i++)
        draft[i] = number;
    cw_newest_publish(newest);
}

static uint64_t read_whole(struct cw_newest *newest)
{
    const uint64_t *value = cw_newest_read(newest);
    for (int i = 1; i < WORDS; i++)
        assert_int_equal(value[i], value[0]);
    return value[0];
}

static void only_the_newest_value_is_read(void **state)
{
    (void)state;
    struct cw_newest newest;
    cw_newest_create(&newest, WORDS * sizeof(uint64_t));
    assert_int_equal(read_whole(&newest), 0);
    publish(&newest, 1);
    assert_int_equal(read_whole(&newest), 1);
    assert_int_equal(read_whole(&newest), 1); /* it stays */
    publish(&newest, 2);
    publish(&newest, 3);
    publish(&newest, 4);
    assert_int_equal(read_whole(&newest), 4);
    cw_newest_destroy(&newest);
}

static void a_draft_does_not_touch_what_is_being_read(void **state)
{
    (void)state;
    struct cw_newest newest;
    cw_newest_create(&newest, sizeof(uint64_t));
    *(uint64_t *)cw_newest_draft(&newest) = 1;
    cw_newest_publish(&newest);
    const uint64_t *value = cw_newest_read(&newest);
    for (uint64_t number = 2; number < 10; number++) {
        *(uint64_t *)cw_newest_draft(&newest) = number;
        cw_newest_publish(&newest);
        assert_int_equal(*value, 1);
    }
    cw_newest_destroy(&newest);
}

static void *publish_all(void *argument)
{
    for (uint64_t number = 1; number <= VALUES; number++)
        publish(argument, number);
    return NULL;
}

static void two_threads_never_see_half_a_value(void **state)
{
    (void)state;
    struct cw_newest newest;
    cw_newest_create(&newest, WORDS * sizeof(uint64_t));
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, publish_all, &newest), 0);
    uint64_t seen = 0;
    while (seen < VALUES) {
        uint64_t number = read_whole(&newest);
        assert_true(number >= seen);
        seen = number;
    }
    pthread_join(writer, NULL);
    cw_newest_destroy(&newest);
}

/* --- letters --- */

static void letters_come_in_order_and_whole(void **state)
{
    (void)state;
    struct cw_mailbox mailbox;
    struct buf letter = {0};
    uint64_t address;
    cw_mailbox_create(&mailbox, 64);
    assert_false(cw_mailbox_take(&mailbox, &address, &letter));
    for (uint64_t round = 0; round < 100; round++) { /* the ring's end falls everywhere */
        assert_true(cw_mailbox_put(&mailbox, round, SLICE_LITERAL("one")));
        assert_true(cw_mailbox_put(&mailbox, round + 1, SLICE_LITERAL("other")));
        assert_true(cw_mailbox_take(&mailbox, &address, &letter));
        assert_int_equal(address, round);
        assert_true(slice_equal(buf_slice(&letter), SLICE_LITERAL("one")));
        assert_true(cw_mailbox_take(&mailbox, &address, &letter));
        assert_int_equal(address, round + 1);
        assert_true(slice_equal(buf_slice(&letter), SLICE_LITERAL("other")));
        assert_false(cw_mailbox_take(&mailbox, &address, &letter));
    }
    buf_free(&letter);
    cw_mailbox_destroy(&mailbox);
}

static void a_letter_without_room_is_refused(void **state)
{
    (void)state;
    struct cw_mailbox mailbox;
    struct buf letter = {0};
    char text[64] = {0};
    uint64_t address;
    cw_mailbox_create(&mailbox, 64);
    assert_false(cw_mailbox_put(&mailbox, 1, slice_of(text, 0)));
    assert_false(cw_mailbox_put(&mailbox, 1, slice_of(text, 49))); /* 16 bytes stand before it */
    assert_true(cw_mailbox_put(&mailbox, 1, slice_of(text, 48)));
    assert_false(cw_mailbox_put(&mailbox, 2, slice_of(text, 1)));
    assert_true(cw_mailbox_take(&mailbox, &address, &letter));
    assert_int_equal(buf_length(&letter), 48);
    assert_true(cw_mailbox_put(&mailbox, 2, slice_of(text, 1)));
    buf_free(&letter);
    cw_mailbox_destroy(&mailbox);
}

static size_t length_of(uint64_t number)
{
    return 1 + number * 7 % LETTER_MAX;
}

static void *put_all(void *argument)
{
    char text[LETTER_MAX];
    for (uint64_t number = 0; number < LETTERS; number++) {
        memset(text, (int)(number % 251), sizeof(text));
        while (!cw_mailbox_put(argument, number, slice_of(text, length_of(number))))
            sched_yield();
    }
    return NULL;
}

static void two_threads_lose_no_letter(void **state)
{
    (void)state;
    struct cw_mailbox mailbox;
    struct buf letter = {0};
    pthread_t writer;
    cw_mailbox_create(&mailbox, RING_BYTES);
    assert_int_equal(pthread_create(&writer, NULL, put_all, &mailbox), 0);
    for (uint64_t number = 0; number < LETTERS;) {
        uint64_t address;
        if (!cw_mailbox_take(&mailbox, &address, &letter)) {
            sched_yield();
            continue;
        }
        struct slice text = buf_slice(&letter);
        assert_int_equal(address, number);
        assert_int_equal(text.length, length_of(number));
        assert_int_equal((unsigned char)text.data[0], number % 251);
        assert_int_equal((unsigned char)text.data[text.length - 1], number % 251);
        number++;
    }
    pthread_join(writer, NULL);
    buf_free(&letter);
    cw_mailbox_destroy(&mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_newest_value_is_read),
        cmocka_unit_test(a_draft_does_not_touch_what_is_being_read),
        cmocka_unit_test(two_threads_never_see_half_a_value),
        cmocka_unit_test(letters_come_in_order_and_whole),
        cmocka_unit_test(a_letter_without_room_is_refused),
        cmocka_unit_test(two_threads_lose_no_letter),
    };
    return cmocka_run_group_tests_name("desk", tests, NULL, NULL);
}
