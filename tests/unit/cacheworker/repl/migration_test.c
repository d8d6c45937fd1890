/* What is known of a migration, and what is to be done next. */
#include "cacheworker/repl/migration.h"
#include "common/base/door.h"
#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define LONG_WORD                                                                                                      \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "0123456789012345678901"

static struct cw_migration_source source_of(const char *host, const char *port, const char *user)
{
    struct cw_migration_source source;
    assert_int_equal(cw_migration_source_parse(slice_text(host), slice_text(port), slice_text(user), &source), 0);
    return source;
}

static void a_record_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const struct {
        const char *host, *port, *user, *record;
    } cases[] = {
        {"10.0.0.1", "6379", "", "on 10.0.0.1 6379"},
        {"[::1]", "65535", "mover", "on [::1] 65535 mover"},
        {"/run/redis.sock", "0", "mover", "on /run/redis.sock 0 mover"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct cw_migration_source source = source_of(cases[i].host, cases[i].port, cases[i].user), read;
        struct buf record = {0};
        cw_migration_record_write(&source, &record);
        assert_true(slice_equal(buf_slice(&record), slice_text(cases[i].record)));
        assert_int_equal(cw_migration_record_read(buf_slice(&record), &read), 0);
        assert_true(cw_migration_source_equal(&source, &read));
        buf_free(&record);
    }
    struct cw_migration_source none = {0}, read = source_of("10.0.0.1", "1", "");
    struct buf record = {0};
    cw_migration_record_write(&none, &record);
    assert_int_equal(cw_migration_record_read(buf_slice(&record), &read), 0);
    assert_true(read.address.host[0] == '\0');
    buf_free(&record);
}

static void what_no_record_can_hold_is_refused(void **state)
{
    (void)state;
    static const char *const records[] = {"",
                                          "on",
                                          "of",
                                          "offer",
                                          "on 10.0.0.1",
                                          "on  1",
                                          "on a 0",
                                          "on a x",
                                          "on a 65536",
                                          "on /a 1",
                                          "on a 1 b c",

                                          "on a\n 1",
                                          "on a 1 \x7f",
                                          "on " LONG_WORD " 1",
                                          "on a 1 " LONG_WORD};
    struct cw_migration_source source;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
        if (cw_migration_record_read(slice_text(records[i]), &source) != ERR_CORRUPT)
            fail_msg("read: %s", records[i]);
    assert_int_equal(cw_migration_source_parse(SLICE_LITERAL("a b"), SLICE_LITERAL("1"), SLICE_LITERAL(""), &source),
                     ERR_INVALID);
    assert_int_equal(cw_migration_source_parse(SLICE_LITERAL("a\0b"), SLICE_LITERAL("1"), SLICE_LITERAL(""), &source),
                     ERR_INVALID);
}

static void only_the_same_source_has_the_password(void **state)
{
    (void)state;
    struct cw_migration migration = {.known = source_of("10.0.0.1", "6379", "mover")};
    assert_false(cw_migration_knows_password(&migration));
    migration.source = source_of("10.0.0.1", "6379", "mover");
    assert_true(cw_migration_knows_password(&migration));
    migration.source = source_of("10.0.0.1", "6379", "");
    assert_false(cw_migration_knows_password(&migration));
    migration.source = source_of("10.0.0.1", "6380", "mover");
    assert_false(cw_migration_knows_password(&migration));
    migration.source = source_of("10.0.0.2", "6379", "mover");
    assert_false(cw_migration_knows_password(&migration));
}

static void the_lag_is_what_is_known_and_not_there(void **state)
{
    (void)state;
    struct cw_migration migration = {0};
    assert_int_equal(cw_migration_lag_bytes(&migration), -1);
    cw_migration_note_end(&migration, 100, 1, NS_PER_S);
    assert_int_equal(cw_migration_lag_bytes(&migration), -1); /* nothing is here yet */
    migration.has_position = true;
    migration.offset = 40;
    assert_int_equal(cw_migration_lag_bytes(&migration), 60);
    assert_int_equal(cw_migration_lag_s(&migration, 2 * NS_PER_S), -1); /* it was never caught up */
    migration.offset = 120;
    cw_migration_note_progress(&migration, 3 * NS_PER_S);
    assert_int_equal(cw_migration_lag_bytes(&migration), 0);
    assert_int_equal(cw_migration_lag_s(&migration, 9 * NS_PER_S), 0);
    cw_migration_note_end(&migration, 150, 2, 5 * NS_PER_S);
    assert_int_equal(cw_migration_lag_bytes(&migration), 30);
    assert_int_equal(cw_migration_lag_s(&migration, 9 * NS_PER_S), 6);
}

/* --- the cut-over --- */

#define ORDERED NS_PER_S
#define BOUND   (5 * NS_PER_S)

static struct cw_migration ordered(bool is_forced)
{
    struct cw_migration migration = {.source = source_of("10.0.0.1", "6379", ""), .is_following = true};
    migration.has_position = true;
    migration.offset = 100;
    cw_migration_note_end(&migration, 100, ORDERED - 1, ORDERED - 1);
    cw_migration_order_cut_over(&migration, ORDERED, BOUND, is_forced);
    return migration;
}

static struct cw_migration_facts facts_at(int64_t now_ns)
{
    return (struct cw_migration_facts){.now_ns = now_ns, .is_streaming = true};
}

static void expect_given_up(struct cw_migration *migration, struct cw_migration_facts facts, const char *why)
{
    facts.now_ns = ORDERED + BOUND - 1;
    assert_int_equal(cw_migration_next(migration, &facts), CW_MIGRATION_WAIT);
    facts.now_ns = ORDERED + BOUND;
    assert_int_equal(cw_migration_next(migration, &facts), CW_MIGRATION_GIVE_UP);
    assert_int_equal(migration->order, CW_MIGRATION_FOLLOW);
    assert_non_null(strstr(migration->outcome, why));
    assert_non_null(strstr(migration->outcome, "5000 ms"));
    assert_int_equal(cw_migration_next(migration, &facts), CW_MIGRATION_WAIT);
    assert_true(cw_migration_refuses_writes(migration));
}

static void a_cut_over_waits_for_all_that_was_there_when_it_was_ordered(void **state)
{
    (void)state;
    struct cw_migration_facts facts = facts_at(ORDERED + 1);
    struct cw_migration migration = ordered(false);
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_WAIT); /* the end is of before the order */
    cw_migration_note_end(&migration, 130, ORDERED, ORDERED + 1);
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_WAIT);
    migration.offset = 129;
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_WAIT);
    migration.offset = 130;
    facts.lacks_replica = true;
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_WAIT);
    facts.lacks_replica = false;
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_TURN_OFF);
}

static void a_cut_over_that_cannot_be_is_given_up(void **state)
{
    (void)state;
    struct cw_migration_facts facts = facts_at(ORDERED);
    struct cw_migration migration = ordered(false);
    expect_given_up(&migration, facts, "has not said where its stream ends");
    migration = ordered(false);
    cw_migration_note_end(&migration, 101, ORDERED + 1, ORDERED + 1);
    expect_given_up(&migration, facts, "still behind the source");
    migration = ordered(false);
    cw_migration_note_end(&migration, 100, ORDERED + 1, ORDERED + 1);
    facts.lacks_replica = true;
    expect_given_up(&migration, facts, "no replica of the group is in sync");
    facts.lacks_replica = facts.is_streaming = false;
    migration = ordered(false);
    expect_given_up(&migration, facts, "the link to the source is not live");
    migration = ordered(true); /* by force neither */
    expect_given_up(&migration, facts, "the link to the source is not live");
}

static void force_waits_for_the_link_only(void **state)
{
    (void)state;
    struct cw_migration migration = ordered(true);
    struct cw_migration_facts facts = facts_at(ORDERED);
    facts.lacks_replica = true;
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_TURN_OFF);
    cw_migration_close(&migration, 500, ORDERED);
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_FINISH);
}

static struct cw_migration closed_at(int64_t now_ns)
{
    struct cw_migration migration = ordered(false);
    migration.source = (struct cw_migration_source){0};
    cw_migration_close(&migration, 500, now_ns);
    return migration;
}

static void writes_wait_until_the_replicas_in_sync_know(void **state)
{
    (void)state;
    struct cw_migration migration = closed_at(ORDERED);
    struct cw_migration_facts facts = facts_at(ORDERED + 100 * BOUND);
    facts.held_offset = 499;
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_WAIT); /* no bound: "off" is in the stream */
    assert_true(cw_migration_refuses_writes(&migration));
    facts.held_offset = 500;
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_FINISH);
    migration.order = CW_MIGRATION_FOLLOW;
    assert_false(cw_migration_refuses_writes(&migration));
}

static void writes_wait_for_the_other_replicas_for_as_long_as_the_bound_says(void **state)
{
    (void)state;
    struct cw_migration migration = closed_at(ORDERED + BOUND - 1);
    struct cw_migration_facts facts = facts_at(ORDERED + BOUND);
    facts.held_offset = UINT64_MAX; /* nobody is in sync */
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_WAIT);
    facts.is_held_by_all = true;
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_FINISH);
    facts.held_offset = 499; /* by all that are up, and one that is not is in sync still */
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_WAIT);
    facts = facts_at(ORDERED + 2 * BOUND - 2);
    facts.held_offset = 500;
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_WAIT);
    facts.now_ns++; /* the bound, from the moment at which it was said */
    assert_int_equal(cw_migration_next(&migration, &facts), CW_MIGRATION_FINISH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(what_no_record_can_hold_is_refused),
        cmocka_unit_test(only_the_same_source_has_the_password),
        cmocka_unit_test(the_lag_is_what_is_known_and_not_there),
        cmocka_unit_test(a_cut_over_waits_for_all_that_was_there_when_it_was_ordered),
        cmocka_unit_test(a_cut_over_that_cannot_be_is_given_up),
        cmocka_unit_test(force_waits_for_the_link_only),
        cmocka_unit_test(writes_wait_until_the_replicas_in_sync_know),
        cmocka_unit_test(writes_wait_for_the_other_replicas_for_as_long_as_the_bound_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
