#include "common/shell/conf_libconfig.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings {
    int64_t idle_timeout_ms;
    int64_t big;
    bool flag;
    char *text;
    int64_t memory;
    struct address address;
    struct conf_addresses list;
    struct conf_secret secret;
};

#define FIELD(member) .offset = offsetof(struct settings, member)

static const struct conf_option options[] = {
    {.name = "idle_timeout_ms", .kind = CONF_MILLISECONDS, FIELD(idle_timeout_ms), .maximum = 86400000},
    {.name = "big", .kind = CONF_INTEGER, FIELD(big), .minimum = INT64_MIN, .maximum = INT64_MAX},
    {.name = "flag", .kind = CONF_BOOLEAN, FIELD(flag)},
    {.name = "text", .kind = CONF_TEXT, FIELD(text)},
    {.name = "max-memory", .kind = CONF_BYTES, FIELD(memory), .maximum = INT64_MAX},
    {.name = "address", .kind = CONF_ADDRESS, FIELD(address)},
    {.name = "list", .kind = CONF_ADDRESS_LIST, FIELD(list), .minimum = 1, .maximum = 3},
    {.name = "secret_file", .kind = CONF_SECRET_FILE, FIELD(secret)},
};
static const struct conf_schema schema = {options, ARRAY_LENGTH(options)};

static char directory[64];
static char path[96];
static char secret_path[96];
static struct settings settings;

static void write_file(const char *name, const char *text, size_t length, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), (ssize_t)length);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/conf_libconfig_test.XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/x.conf", directory);
    snprintf(secret_path, sizeof(secret_path), "%s/secret", directory);
    settings = (struct settings){.idle_timeout_ms = 0};
    conf_defaults(&schema, &settings);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    conf_free(&schema, &settings);
    unlink(path);
    unlink(secret_path);
    return rmdir(directory);
}

static void good(const char *text)
{
    struct buf why = {0};
    write_file(path, text, strlen(text), 0644);
    int error = conf_read_file(&schema, path, &settings, &why);
    if (error < 0)
        print_message("# %.*s\n", (int)buf_length(&why), buf_slice(&why).data);
    assert_int_equal(error, 0);
    assert_int_equal(buf_length(&why), 0);
    buf_free(&why);
}

/* `expected` is what follows the path. */
static void bad(const char *text, int error, const char *expected)
{
    struct buf why = {0};
    char whole[512];
    write_file(path, text, strlen(text), 0644);
    assert_int_equal(conf_read_file(&schema, path, &settings, &why), error);
    buf_add(&why, "", 1);
    snprintf(whole, sizeof(whole), "%s%s", path, expected);
    assert_string_equal(buf_slice(&why).data, whole);
    buf_free(&why);
}

static void reads_every_kind(void **state)
{
    (void)state;
    char text[512];
    write_file(secret_path, "open sesame\n", 12, 0600);
    snprintf(text, sizeof(text),
             "# A comment with \"quotes\" and 99999999999999999999.\n"
             "idle_timeout_ms = 5000;\n"
             "/* 123456789012345678901234 */ flag = true;\n"
             "text = \"a 12345678901234567890 \\\"text\\\"\"; // @include\n"
             "max-memory = \"4gb\";\n"
             "address = \"localhost:1\";\n"
             "list = [ \"127.0.0.1:1\", \"[::1]:2\" ];\n"
             "secret_file = \"%s\";\n",
             secret_path);
    good(text);
    assert_int_equal(settings.idle_timeout_ms, 5000);
    assert_true(settings.flag);
    assert_string_equal(settings.text, "a 12345678901234567890 \"text\"");
    assert_int_equal(settings.memory, 4LL << 30);
    assert_int_equal(settings.list.count, 2);
    assert_true(slice_equal(buf_slice(&settings.secret.bytes), SLICE_LITERAL("open sesame")));
}

/* libconfig 1.5 alone reads 4294967296 as 0. */
static void big_numbers_are_not_wrapped(void **state)
{
    (void)state;
    good("big = 4294967296;");
    assert_int_equal(settings.big, 4294967296);
    good("big = -4294967297;");
    assert_int_equal(settings.big, -4294967297);
    good("big = 123456789012345678;");
    assert_int_equal(settings.big, 123456789012345678);
    good("big = 4294967296L;");
    assert_int_equal(settings.big, 4294967296);
    good("max-memory = 8589934592;");
    assert_int_equal(settings.memory, 8589934592);
    bad("\nbig = 99999999999999999999;", ERR_INVALID, ":2: the number is too big");
    bad("big = 0x1ffffffff;", ERR_INVALID, ":1: expected a decimal number");
}

static void an_error_names_file_line_and_expectation(void **state)
{
    (void)state;
    bad("flag = true;\n\nidle_timeout_ms = \"abc\";\n", ERR_INVALID,
        ":3: idle_timeout_ms: expected a number from 0 to 86400000, got \"abc\"");
    bad("idle_timeout_ms = 1.5;", ERR_INVALID,
        ":1: idle_timeout_ms: expected a number from 0 to 86400000, got \"1.5\"");
    bad("/* two\nlines */ text = \"x\"; idle_timeout_ms = 86400001;", ERR_INVALID,
        ":2: idle_timeout_ms: expected a number from 0 to 86400000, got \"86400001\"");
    bad("flag = 3;", ERR_INVALID, ":1: flag: expected true or false, got \"3\"");
    bad("flag = { a = 1; };", ERR_INVALID, ":1: flag: expected a value, got a group");
    bad("flag = [ true, false ];", ERR_INVALID, ":1: flag: expected a list of texts");
    bad("text = [ \"a\", \"b\" ];", ERR_INVALID, ":1: text: expected one value, got a list");
    bad("list = [ \"127.0.0.1:1\", \"example.org:2\" ];", ERR_INVALID,
        ":1: list: expected a numeric address, localhost or a short path, got \"example.org\"");
    bad("address = \"redis.internal:6379\";", ERR_INVALID,
        ":1: address: expected a numeric address, localhost or a short path, got \"redis.internal\"");
}

static void an_unknown_setting_is_an_error(void **state)
{
    (void)state;
    bad("flag = true;\nidle_timeout = 5;\n", ERR_INVALID, ":2: idle_timeout: unknown setting");
}

static void bad_grammar_is_an_error(void **state)
{
    (void)state;
    bad("flag = true;\nidle_timeout_ms = = 5;\n", ERR_INVALID, ":2: expected `name = value;`: syntax error");
    bad("flag = true;\nflag = false;\n", ERR_INVALID, ":2: expected `name = value;`: duplicate setting name");
    bad("\n@include \"other.conf\"\n", ERR_INVALID, ":2: @include is not supported");
    bad("flag = true;\ntext = \"no end\n\n", ERR_INVALID, ":2: a text without its closing quote");
}

static void zero_bytes_do_not_hide_the_rest(void **state)
{
    (void)state;
    struct buf why = {0};
    write_file(path, "flag = true;\0unknown = 1;", 25, 0600);
    assert_int_equal(conf_read_file(&schema, path, &settings, &why), ERR_INVALID);
    buf_free(&why);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct buf why = {0};
    char expected[128];
    assert_int_equal(conf_read_file(&schema, path, &settings, &why), ERR_NOT_FOUND);
    buf_add(&why, "", 1);
    snprintf(expected, sizeof(expected), "%s: not found", path);
    assert_string_equal(buf_slice(&why).data, expected);
    buf_free(&why);
}

static void a_secret_belongs_to_its_owner_alone(void **state)
{
    (void)state;
    char text[256];
    char expected[512];
    snprintf(text, sizeof(text), "secret_file = \"%s\";", secret_path);

    snprintf(expected, sizeof(expected), ":1: secret_file: cannot read \"%s\": No such file or directory", secret_path);
    bad(text, ERR_NOT_FOUND, expected);

    static const mode_t modes[] = {0640, 0604, 0620, 0601};
    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
        write_file(secret_path, "s", 1, modes[i]);
        snprintf(expected, sizeof(expected),
                 ":1: secret_file: expected a file that only its owner can read (mode 0600), got \"%s\" with mode %04o",
                 secret_path, (unsigned)modes[i]);
        bad(text, ERR_DENIED, expected);
    }
    write_file(secret_path, "\n\r\n", 3, 0600);
    snprintf(expected, sizeof(expected), ":1: secret_file: expected a secret of 1 to 4096 bytes in \"%s\"",
             secret_path);
    bad(text, ERR_INVALID, expected);
    write_file(secret_path, text, 1, 0400);
    good(text);

    snprintf(text, sizeof(text), "secret_file = \"%s\";", directory);
    snprintf(expected, sizeof(expected), ":1: secret_file: expected a file, got \"%s\"", directory);
    bad(text, ERR_INVALID, expected);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_every_kind),
        TEST(big_numbers_are_not_wrapped),
        TEST(an_error_names_file_line_and_expectation),
        TEST(an_unknown_setting_is_an_error),
        TEST(bad_grammar_is_an_error),
        TEST(zero_bytes_do_not_hide_the_rest),
        TEST(a_missing_file_is_named),
        TEST(a_secret_belongs_to_its_owner_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
