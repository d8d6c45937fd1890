#include "cacheworker/acl/users.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_written(const struct cw_acl *acl, const char *expected)
{
    struct buf text = {0};
    cw_acl_write(acl, &text);
    buf_add(&text, "", 1);
    assert_string_equal(text.memory, expected);
    buf_free(&text);
}

static void set(struct cw_acl *acl, const char *name, const char *rule)
{
    struct buf reason = {0};
    struct slice word = slice_text(rule);
    assert_int_equal(cw_acl_set(acl, slice_text(name), &word, 1, &reason), 0);
    buf_free(&reason);
}

static void there_is_a_default_user(void **state)
{
    (void)state;
    struct cw_acl acl;
    cw_acl_init(&acl);
    assert_written(&acl, "user default on nopass sanitize-payload ~* &* +@all\n");
    assert_true(acl.nobody->allows_all);
    assert_true(cw_acl_admits_strangers(&acl));
    assert_false(cw_acl_remove(&acl, SLICE_LITERAL("default")));
    cw_acl_set_default_password(&acl, SLICE_LITERAL("pass"));
    assert_false(cw_acl_admits_strangers(&acl));
    assert_ptr_equal(cw_acl_authenticate(&acl, SLICE_LITERAL("default"), SLICE_LITERAL("pass")), acl.nobody);
    assert_null(cw_acl_authenticate(&acl, SLICE_LITERAL("default"), SLICE_LITERAL("word")));
    assert_null(cw_acl_authenticate(&acl, SLICE_LITERAL("other"), SLICE_LITERAL("pass")));
    cw_acl_set_default_password(&acl, slice_of("", 0));
    assert_true(cw_acl_admits_strangers(&acl));
    cw_acl_free(&acl);
}

static void users_are_kept_in_order_and_removed(void **state)
{
    (void)state;
    struct cw_acl acl;
    cw_acl_init(&acl);
    set(&acl, "zoe", "on");
    set(&acl, "alice", "nopass");
    set(&acl, "al", "+get");
    assert_written(&acl, "user al off sanitize-payload resetchannels -@all +get\n"
                         "user alice off nopass sanitize-payload resetchannels -@all\n"
                         "user default on nopass sanitize-payload ~* &* +@all\n"
                         "user zoe on sanitize-payload resetchannels -@all\n");
    struct cw_acl_user *alice = cw_acl_find(&acl, SLICE_LITERAL("alice"));
    assert_true(cw_acl_remove(&acl, SLICE_LITERAL("alice")));
    assert_false(cw_acl_remove(&acl, SLICE_LITERAL("alice")));
    assert_null(cw_acl_find(&acl, SLICE_LITERAL("alice")));
    assert_true(cw_acl_is_removed(&acl, alice));
    cw_acl_bury(&acl);
    struct buf reason = {0};
    assert_int_equal(cw_acl_set(&acl, SLICE_LITERAL("a b"), NULL, 0, &reason), ERR_INVALID);
    assert_true(slice_equal(buf_slice(&reason), SLICE_LITERAL("Usernames can't contain spaces or null characters")));
    assert_int_equal(acl.count, 3);
    buf_free(&reason);
    cw_acl_free(&acl);
}

static void a_text_replaces_all_users(void **state)
{
    (void)state;
    struct cw_acl acl;
    cw_acl_init(&acl);
    set(&acl, "old", "on");
    set(&acl, "default", "-@all");
    const struct cw_acl_user *nobody = acl.nobody, *old = cw_acl_find(&acl, SLICE_LITERAL("old"));
    struct buf errors = {0};
    const char *text = "\nuser alice on nopass (~a* +get) ( +set\t%W~b )\r\n   \nuser bob -@all\n";
    assert_int_equal(cw_acl_read(&acl, slice_text(text), "file", &errors), 0);
    assert_written(&acl, "user alice on nopass sanitize-payload resetchannels -@all (~a* resetchannels -@all +get) "
                         "(%W~b resetchannels -@all +set)\n"
                         "user bob off sanitize-payload resetchannels -@all\n"
                         "user default on nopass sanitize-payload ~* &* +@all\n");
    assert_ptr_equal(acl.nobody, nobody);
    assert_true(cw_acl_is_removed(&acl, old));

    struct buf first = {0};
    cw_acl_write(&acl, &first);
    assert_int_equal(cw_acl_read(&acl, buf_slice(&first), "file", &errors), 0);
    buf_add(&first, "", 1);
    assert_written(&acl, first.memory);
    buf_free(&first);
    buf_free(&errors);
    cw_acl_free(&acl);
}

static void a_bad_text_replaces_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"alice on", "f:1 should start with user keyword followed by the username. "},
        {"\nuser", "f:2 should start with user keyword followed by the username. "},
        {"# comment\n", "f:1 should start with user keyword followed by the username. "},
        {"user a on\nuser a off", "WARNING: Duplicate user 'a' found on line 2. "},
        {"user a +x +y", "f:1: Error in applying operation '+x': Unknown command or category name in ACL. "
                         "f:1: Error in applying operation '+y': Unknown command or category name in ACL. "},
        {"user a wrong #bad", "f:1: Syntax error. "},
        {"user a (+get", "f:1: Unmatched parenthesis in selector definition."},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct cw_acl acl;
        cw_acl_init(&acl);
        set(&acl, "old", "on");
        struct buf errors = {0}, expected = {0};
        assert_int_equal(cw_acl_read(&acl, slice_text(cases[i].text), "f", &errors), ERR_INVALID);
        buf_add_text(&expected, cases[i].error);
        buf_add(&expected, "WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
                88);
        buf_add(&errors, "", 1);
        buf_add(&expected, "", 1);
        assert_string_equal(errors.memory, expected.memory);
        assert_non_null(cw_acl_find(&acl, SLICE_LITERAL("old")));
        assert_int_equal(acl.removed_count, 0);
        buf_free(&errors);
        buf_free(&expected);
        cw_acl_free(&acl);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_a_default_user),
        cmocka_unit_test(users_are_kept_in_order_and_removed),
        cmocka_unit_test(a_text_replaces_all_users),
        cmocka_unit_test(a_bad_text_replaces_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
