#include "cacheworker/pubsub/notify_classes.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_shown(const char *letters, const char *expected)
{
    uint32_t classes;
    struct buf text = {0};
    assert_int_equal(cw_notify_classes_parse(slice_text(letters), &classes), 0);
    cw_notify_classes_format(classes, &text);
    buf_add(&text, "", 1);
    assert_string_equal(buf_slice(&text).data, expected);
    buf_free(&text);
}

/* What redis-server 7.2 shows of the same. */
static void test_canonical_text(void **state)
{
    (void)state;
    assert_shown("", "");
    assert_shown("E", "E");
    assert_shown("mEK", "KEm");
    assert_shown("xgnl$", "g$lxn");
    assert_shown("g$lshzxetdKE", "AKE");
    assert_shown("AAgn", "A");
    assert_shown("Amn", "Am");
    assert_shown("$tezhs", "$shzet");
    assert_shown("ntd", "tdn");
}

static void test_other_letters(void **state)
{
    (void)state;
    uint32_t classes = 7;
    assert_int_equal(cw_notify_classes_parse(slice_text("KEy"), &classes), ERR_INVALID);
    assert_int_equal(cw_notify_classes_parse(slice_text("a"), &classes), ERR_INVALID);
    assert_int_equal(cw_notify_classes_parse(slice_of("K\0", 2), &classes), ERR_INVALID);
    assert_int_equal(classes, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_text),
        cmocka_unit_test(test_other_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
