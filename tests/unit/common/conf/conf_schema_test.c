#include "common/conf/conf_schema.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

struct settings {
    int64_t number;
    bool flag;
    char *text;
    int64_t bytes;
    int64_t wait_ms;
    int color;
    struct address address;
    struct conf_addresses list;
    struct conf_secret secret;
};

#define FIELD(member) .offset = offsetof(struct settings, member)

static const char *const colors[] = {"red", "green", NULL};

static const struct conf_option options[] = {
    {.name = "number", .kind = CONF_INTEGER, FIELD(number), .minimum = -5, .maximum = 10, .initial = "7"},
    {.name = "flag", .kind = CONF_BOOLEAN, FIELD(flag), .initial = "yes"},
    {.name = "text", .kind = CONF_TEXT, FIELD(text), .maximum = 4, .required = true},
    {.name = "bytes", .kind = CONF_BYTES, FIELD(bytes), .minimum = 1, .maximum = INT64_MAX, .initial = "1kb"},
    {.name = "wait_ms", .kind = CONF_MILLISECONDS, FIELD(wait_ms), .minimum = 0, .maximum = 86400000},
    {.name = "color", .kind = CONF_CHOICE, FIELD(color), .choices = colors, .initial = "green"},
    {.name = "address", .kind = CONF_ADDRESS, FIELD(address), .required = true},
    {.name = "list", .kind = CONF_ADDRESS_LIST, FIELD(list), .minimum = 1, .maximum = 2, .required = true},
    {.name = "secret", .kind = CONF_SECRET_FILE, FIELD(secret), .required = true, .description = "A secret."},
};
static const struct conf_schema schema = {options, ARRAY_LENGTH(options)};

static int set_up(void **state)
{
    static struct settings settings;
    settings = (struct settings){.number = 0};
    conf_defaults(&schema, &settings);
    *state = &settings;
    return 0;
}

static int tear_down(void **state)
{
    conf_free(&schema, *state);
    conf_free(&schema, *state); /* twice is harmless */
    return 0;
}

static int set_many(struct settings *settings, const char *name, const char *const *texts, size_t count,
                    struct buf *why)
{
    struct slice slices[8];
    for (size_t i = 0; i < count; i++)
        slices[i] = slice_text(texts[i]);
    const struct conf_option *option = conf_find(&schema, slice_text(name));
    assert_non_null(option);
    return conf_set(option, settings, slices, count, why);
}

static void good(struct settings *settings, const char *name, const char *text)
{
    struct buf why = {0};
    assert_int_equal(set_many(settings, name, &text, 1, &why), 0);
    assert_int_equal(buf_length(&why), 0);
    buf_free(&why);
}

static void bad_many(struct settings *settings, const char *name, const char *const *texts, size_t count,
                     const char *expected)
{
    struct buf why = {0};
    assert_int_equal(set_many(settings, name, texts, count, &why), ERR_INVALID);
    buf_add(&why, "", 1);
    assert_string_equal(buf_slice(&why).data, expected);
    buf_free(&why);
}

static void bad(struct settings *settings, const char *name, const char *text, const char *expected)
{
    bad_many(settings, name, &text, 1, expected);
}

static void defaults_are_parsed_like_the_file(void **state)
{
    const struct settings *settings = *state;
    assert_int_equal(settings->number, 7);
    assert_true(settings->flag);
    assert_string_equal(settings->text, "");
    assert_int_equal(settings->bytes, 1024);
    assert_int_equal(settings->color, 1);
    assert_int_equal(settings->list.count, 0);
    assert_string_equal(settings->secret.path, "");
}

static void numbers_have_a_range(void **state)
{
    struct settings *settings = *state;
    good(settings, "number", "-5");
    assert_int_equal(settings->number, -5);
    good(settings, "number", "10");
    bad(settings, "number", "11", "expected a number from -5 to 10, got \"11\"");
    bad(settings, "number", "-6", "expected a number from -5 to 10, got \"-6\"");
    bad(settings, "number", "1.5", "expected a number from -5 to 10, got \"1.5\"");
    bad(settings, "number", "", "expected a number from -5 to 10, got \"\"");
    bad(settings, "wait_ms", "abc", "expected a number from 0 to 86400000, got \"abc\"");
    bad(settings, "number", "99999999999999999999", "expected a number from -5 to 10, got \"99999999999999999999\"");
    assert_int_equal(settings->number, 10); /* a refused value changes nothing */
}

static void sizes_have_the_suffixes_of_redis(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"1", 1},         {"12b", 12},        {"1k", 1000},       {"1kb", 1024},     {"2M", 2000000},
                 {"2Mb", 2 << 20}, {"1g", 1000000000}, {"3GB", 3LL << 30}, {"8gb", 8LL << 30}};
    struct settings *settings = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        good(settings, "bytes", cases[i].text);
        assert_int_equal(settings->bytes, cases[i].bytes);
    }
    const char *expected = "expected a size such as 1024, 64kb, 16mb or 1gb, from 1 to 9223372036854775807 bytes, got ";
    static const char *const refused[] = {"0", "-1", "1tb", "kb", "1 kb", "9999999999gb", "1kbb", ""};
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        char text[160];
        snprintf(text, sizeof(text), "%s\"%s\"", expected, refused[i]);
        bad(settings, "bytes", refused[i], text);
    }
}

static void booleans_and_choices(void **state)
{
    struct settings *settings = *state;
    good(settings, "flag", "no");
    assert_false(settings->flag);
    good(settings, "flag", "TRUE");
    assert_true(settings->flag);
    bad(settings, "flag", "1", "expected true or false, got \"1\"");
    good(settings, "color", "RED");
    assert_int_equal(settings->color, 0);
    bad(settings, "color", "blue", "expected one of red green, got \"blue\"");
}

static void texts_have_a_length(void **state)
{
    struct settings *settings = *state;
    good(settings, "text", "four");
    assert_string_equal(settings->text, "four");
    bad(settings, "text", "fives", "expected a text of at most 4 bytes, got \"fives\"");
    char long_text[100];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    bad(settings, "text", long_text,
        "expected a text of at most 4 bytes, got "
        "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"...");
    assert_string_equal(settings->text, "four");
}

static void addresses_and_lists(void **state)
{
    struct settings *settings = *state;
    good(settings, "address", "127.0.0.1:6379");
    assert_string_equal(settings->address.host, "127.0.0.1");
    assert_int_equal(settings->address.port, 6379);
    bad(settings, "address", "127.0.0.1",
        "expected an address such as 127.0.0.1:6379 or /run/respite.sock, got \"127.0.0.1\"");
    bad(settings, "address", "host:70000",
        "expected an address such as 127.0.0.1:6379 or /run/respite.sock, got \"host:70000\"");

    const char *const two[] = {"1.2.3.4:1", "/run/x.sock"};
    struct buf why = {0};
    assert_int_equal(set_many(settings, "list", two, 2, &why), 0);
    assert_int_equal(settings->list.count, 2);
    assert_string_equal(settings->list.items[1].host, "/run/x.sock");
    const char *const three[] = {"1.2.3.4:1", "1.2.3.4:2", "1.2.3.4:3"};
    bad_many(settings, "list", three, 3, "expected a list of 1 to 2 addresses, got 3");
    bad_many(settings, "list", NULL, 0, "expected a list of 1 to 2 addresses, got 0");
    const char *const half[] = {"1.2.3.4:1", "bad"};
    bad_many(settings, "list", half, 2, "expected an address such as 127.0.0.1:6379 or /run/respite.sock, got \"bad\"");
    assert_int_equal(settings->list.count, 2);
    bad_many(settings, "number", two, 2, "expected one value, got a list");
    bad_many(settings, "number", NULL, 0, "expected one value, got none");
}

static void the_first_required_one_that_is_missing_is_named(void **state)
{
    struct settings *settings = *state;
    assert_string_equal(conf_missing(&schema, settings)->name, "text");
    good(settings, "text", "x");
    assert_string_equal(conf_missing(&schema, settings)->name, "address");
    good(settings, "address", "1.2.3.4:5");
    assert_string_equal(conf_missing(&schema, settings)->name, "list");
    good(settings, "list", "1.2.3.4:5");
    assert_string_equal(conf_missing(&schema, settings)->name, "secret");
    good(settings, "secret", "/some/path");
    assert_null(conf_missing(&schema, settings));
    assert_null(conf_find(&schema, SLICE_LITERAL("numbe")));
    assert_null(conf_find(&schema, SLICE_LITERAL("numbers")));
}

static void help_shows_defaults_and_duties(void **state)
{
    (void)state;
    struct buf out = {0};
    conf_describe(&schema, &out);
    buf_add(&out, "", 1);
    assert_non_null(strstr(buf_slice(&out).data, "  number "));
    assert_non_null(strstr(buf_slice(&out).data, "Default: 7.\n"));
    assert_non_null(strstr(buf_slice(&out).data, "A secret. Required.\n"));
    buf_free(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_parsed_like_the_file),
        TEST(numbers_have_a_range),
        TEST(sizes_have_the_suffixes_of_redis),
        TEST(booleans_and_choices),
        TEST(texts_have_a_length),
        TEST(addresses_and_lists),
        TEST(the_first_required_one_that_is_missing_is_named),
        TEST(help_shows_defaults_and_duties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
