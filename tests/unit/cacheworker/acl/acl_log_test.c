#include "cacheworker/acl/acl_log.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct cw_acl_denial denial_of(const char *object, int64_t now_ms)
{
    return (struct cw_acl_denial){.reason = CW_ACL_REASON_KEY,
                                  .context = CW_ACL_TOPLEVEL,
                                  .object = slice_text(object),
                                  .user = SLICE_LITERAL("u"),
                                  .client = SLICE_LITERAL("id=1"),
                                  .now_ms = now_ms};
}

static void add(struct cw_acl_log *log, const char *object, int64_t now_ms, size_t limit)
{
    struct cw_acl_denial denial = denial_of(object, now_ms);
    cw_acl_log_add(log, &denial, limit);
}

static void assert_reply(const struct cw_acl_log *log, size_t limit, int64_t now_ms, int protocol, const char *expected)
{
    struct buf reply = {0};
    cw_acl_log_write(log, limit, now_ms, protocol, &reply);
    buf_add(&reply, "", 1);
    assert_string_equal(buf_slice(&reply).data, expected);
    buf_free(&reply);
}

static void an_entry_tells_all(void **state)
{
    (void)state;
    struct cw_acl_log log;
    cw_acl_log_init(&log);
    assert_reply(&log, 10, 0, 2, "*0\r\n");
    add(&log, "key", 1000, 128);
    struct cw_acl_denial other = denial_of("key", 3500);
    other.client = SLICE_LITERAL("id=2");
    cw_acl_log_add(&log, &other, 128);
    assert_reply(&log, 10, 4000, 2,
                 "*1\r\n*20\r\n$5\r\ncount\r\n:2\r\n$6\r\nreason\r\n$3\r\nkey\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n"
                 "$6\r\nobject\r\n$3\r\nkey\r\n$8\r\nusername\r\n$1\r\nu\r\n$11\r\nage-seconds\r\n$3\r\n0.5\r\n"
                 "$11\r\nclient-info\r\n$4\r\nid=2\r\n$8\r\nentry-id\r\n:0\r\n$17\r\ntimestamp-created\r\n:1000\r\n"
                 "$22\r\ntimestamp-last-updated\r\n:3500\r\n");
    assert_reply(&log, 10, 4000, 3,
                 "*1\r\n%10\r\n$5\r\ncount\r\n:2\r\n$6\r\nreason\r\n$3\r\nkey\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n"
                 "$6\r\nobject\r\n$3\r\nkey\r\n$8\r\nusername\r\n$1\r\nu\r\n$11\r\nage-seconds\r\n,0.5\r\n"
                 "$11\r\nclient-info\r\n$4\r\nid=2\r\n$8\r\nentry-id\r\n:0\r\n$17\r\ntimestamp-created\r\n:1000\r\n"
                 "$22\r\ntimestamp-last-updated\r\n:3500\r\n");
    assert_reply(&log, 0, 4000, 2, "*0\r\n");
    cw_acl_log_reset(&log);
}

static void what_is_alike_within_a_minute_is_one(void **state)
{
    (void)state;
    struct cw_acl_log log;
    cw_acl_log_init(&log);
    add(&log, "a", 0, 128);
    add(&log, "a", 60000, 128);
    assert_int_equal(log.count, 1);
    add(&log, "a", 120001, 128);
    assert_int_equal(log.count, 2);
    struct cw_acl_denial denial = denial_of("a", 120001);
    denial.context = CW_ACL_MULTI;
    cw_acl_log_add(&log, &denial, 128);
    denial.reason = CW_ACL_REASON_COMMAND;
    cw_acl_log_add(&log, &denial, 128);
    denial.user = SLICE_LITERAL("v");
    cw_acl_log_add(&log, &denial, 128);
    assert_int_equal(log.count, 5);
    /* Only the newest are looked at. */
    char object[16];
    for (int i = 0; i < 10; i++) {
        snprintf(object, sizeof(object), "b%d", i);
        add(&log, object, 120001, 128);
    }
    cw_acl_log_add(&log, &denial, 128);
    assert_int_equal(log.count, 16);
    cw_acl_log_reset(&log);
    assert_int_equal(log.count, 0);
}

static void the_oldest_go(void **state)
{
    (void)state;
    struct cw_acl_log log;
    cw_acl_log_init(&log);
    static char long_object[100000];
    memset(long_object, 'x', sizeof(long_object) - 1);
    add(&log, "a", 0, 2);
    add(&log, "b", 0, 2);
    add(&log, long_object, 0, 2);
    assert_int_equal(log.count, 2);
    struct buf reply = {0};
    cw_acl_log_write(&log, 10, 0, 2, &reply);
    assert_null(memmem(reply.memory, buf_length(&reply), "\r\na\r\n", 5));
    assert_non_null(memmem(reply.memory, buf_length(&reply), "\r\nb\r\n", 5));
    assert_true(buf_length(&reply) < 3000); /* long keys are kept in part */
    buf_free(&reply);
    add(&log, "c", 0, 0);
    assert_int_equal(log.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_tells_all),
        cmocka_unit_test(what_is_alike_within_a_minute_is_one),
        cmocka_unit_test(the_oldest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
