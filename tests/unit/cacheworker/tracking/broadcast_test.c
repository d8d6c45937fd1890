#include "cacheworker/tracking/broadcast.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What is told, as "member: array" with spaces for CR LF; members from 10 on ignore their own changes. */
static struct buf told;

static bool ignores_own(void *context, uint64_t member)
{
    (void)context;
    return member >= 10;
}

static void tell(void *context, uint64_t member, struct slice keys)
{
    (void)context;
    buf_add_format(&told, "%u:", (unsigned)member);
    for (size_t i = 0; i < keys.length; i++)
        if (keys.data[i] != '\r')
            buf_add(&told, keys.data[i] == '\n' ? " " : keys.data + i, 1);
}

static const struct cw_broadcast_audience audience = {ignores_own, tell, NULL};

static void assert_told(struct cw_broadcast *broadcast, const char *expected)
{
    cw_broadcast_tell(broadcast, &audience);
    assert_false(broadcast->has_changes);
    buf_add(&told, "", 1);
    assert_string_equal(told.memory, expected);
    buf_clear(&told);
}

static void join(struct cw_broadcast *broadcast, const char *prefix, uint64_t member)
{
    cw_broadcast_join(broadcast, slice_text(prefix), member);
}

static void note(struct cw_broadcast *broadcast, const char *key, uint64_t changer)
{
    cw_broadcast_note(broadcast, slice_text(key), changer);
}

static void test_prefixes(void **state)
{
    (void)state;
    struct cw_broadcast broadcast;
    struct slice prefixes[8];
    cw_broadcast_create(&broadcast, 1);
    note(&broadcast, "alone", 0);
    assert_false(broadcast.has_changes);
    join(&broadcast, "b", 1);
    join(&broadcast, "", 2);
    join(&broadcast, "ab", 1);
    join(&broadcast, "ab", 2);
    join(&broadcast, "ab", 2);
    assert_int_equal(broadcast.count, 3);
    assert_int_equal(cw_broadcast_prefixes_of(&broadcast, 1, prefixes), 2);
    assert_true(slice_equal(prefixes[0], slice_text("ab")) && slice_equal(prefixes[1], slice_text("b")));
    note(&broadcast, "b2", 0);
    note(&broadcast, "b1", 0);
    note(&broadcast, "abc", 0);
    note(&broadcast, "a", 0);
    note(&broadcast, "b1", 0);
    assert_told(&broadcast, "2:*4 $1 a $3 abc $2 b1 $2 b2 1:*1 $3 abc 2:*1 $3 abc 1:*2 $2 b1 $2 b2 ");
    assert_told(&broadcast, "");
    cw_broadcast_leave(&broadcast, 1);
    assert_int_equal(broadcast.count, 2);
    assert_int_equal(cw_broadcast_prefixes_of(&broadcast, 1, prefixes), 0);
    note(&broadcast, "ab", 0);
    cw_broadcast_leave(&broadcast, 2);
    assert_told(&broadcast, "");
    assert_int_equal(broadcast.count, 0);
    cw_broadcast_destroy(&broadcast);
    buf_free(&told);
}

static void test_own_changes(void **state)
{
    (void)state;
    struct cw_broadcast broadcast;
    cw_broadcast_create(&broadcast, 1);
    join(&broadcast, "", 10);
    join(&broadcast, "", 11);
    join(&broadcast, "", 3);
    note(&broadcast, "a", 10);
    note(&broadcast, "b", 11);
    note(&broadcast, "c", 3);
    assert_told(&broadcast, "10:*2 $1 b $1 c 11:*2 $1 a $1 c 3:*3 $1 a $1 b $1 c ");
    /* Whoever changed it last counts; nothing is told where nothing is left. */
    note(&broadcast, "a", 11);
    note(&broadcast, "a", 10);
    assert_told(&broadcast, "11:*1 $1 a 3:*1 $1 a ");
    note(&broadcast, "a", 0);
    cw_broadcast_destroy(&broadcast);
    buf_free(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_own_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
