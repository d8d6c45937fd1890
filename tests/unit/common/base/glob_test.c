#include "common/base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *pattern;
    const char *text;
    bool ignore_case;
    bool matches;
} cases[] = {
    {"", "", false, true},
    {"", "a", false, false},
    {"*", "", false, true},
    {"*", "anything", false, true},
    {"a*c", "abbbc", false, true},
    {"a*c", "abbbd", false, false},
    {"*a*b*", "xxaxxbxx", false, true},
    {"*a*b", "xxbxxa", false, false},
    {"h?llo", "hello", false, true},
    {"h?llo", "hllo", false, false},
    {"h[ae]llo", "hallo", false, true},
    {"h[ae]llo", "hillo", false, false},
    {"h[^e]llo", "hallo", false, true},
    {"h[^e]llo", "hello", false, false},
    {"h[a-b]llo", "hbllo", false, true},
    {"h[b-a]llo", "hallo", false, true},
    {"h[a-b]llo", "hcllo", false, false},
    {"[abc", "c", false, true},
    {"[\\]]", "]", false, true},
    {"[\\a-c]", "b", false, false}, /* what is escaped begins no range */
    {"[\\a-c]", "-", false, true},
    {"a\\*c", "a*c", false, true},
    {"a\\*c", "abc", false, false},
    {"a\\", "a\\", false, true},
    {"MAX*", "maxmemory", true, true},
    {"MAX*", "maxmemory", false, false},
    {"[A-C]x", "bX", true, true},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool got = glob_match(slice_text(cases[i].pattern), slice_text(cases[i].text), cases[i].ignore_case);
        if (got != cases[i].matches)
            fail_msg("'%s' against '%s'", cases[i].pattern, cases[i].text);
    }
}

/* A matcher that tries every star again would not come back from this one. */
static void test_many_stars_end(void **state)
{
    (void)state;
    char text[2001];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(glob_match(slice_text("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), slice_text(text), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_many_stars_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
