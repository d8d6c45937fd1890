#include "common/base/address.h"

#include "common/base/check.h"
#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void hosts_ports_and_paths_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:6379", "127.0.0.1", 6379},
        {"cache.example:1", "cache.example", 1},
        {"::1:65535", "::1", 65535},
        {"[::1]:80", "[::1]", 80},
        {"/run/worker.sock", "/run/worker.sock", 0},
        {"/run/a:6379", "/run/a:6379", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct address address;
        assert_int_equal(0, address_parse(slice_text(rows[i].text), &address));
        assert_string_equal(rows[i].host, address.host);
        assert_int_equal(rows[i].port, address.port);
    }
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         ":",       ":6379",    "host",       "host:",    "host:0",
                                      "host:x",   "host:-1", "host:065", "host:65536", "ho st:80", "host :80",
                                      "host:80 ", "/a b",    "/a\n",     "\x7f:80"};
    struct address address;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(ERR_INVALID, address_parse(slice_text(bad[i]), &address));
    assert_int_equal(ERR_INVALID, address_parse(SLICE_LITERAL("ho\0st:80"), &address));
}

static void the_longest_fits_and_no_longer(void **state)
{
    (void)state;
    char text[ADDRESS_HOST_MAX + 1];
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    struct address address;
    assert_int_equal(0, address_parse(slice_of(text, ADDRESS_HOST_MAX - 1), &address));
    assert_int_equal(ADDRESS_HOST_MAX - 1, strlen(address.host));
    assert_int_equal(ERR_INVALID, address_parse(slice_of(text, ADDRESS_HOST_MAX), &address));
}

static void equality_is_of_host_and_port(void **state)
{
    (void)state;
    struct address a, b;
    assert_int_equal(0, address_parse(SLICE_LITERAL("10.0.0.1:80"), &a));
    assert_int_equal(0, address_parse(SLICE_LITERAL("10.0.0.1:80"), &b));
    assert_true(address_equal(&a, &b));
    b.port = 81;
    assert_false(address_equal(&a, &b));
    assert_int_equal(0, address_parse(SLICE_LITERAL("10.0.0.2:80"), &b));
    assert_false(address_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_ports_and_paths_are_told_apart),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(the_longest_fits_and_no_longer),
        cmocka_unit_test(equality_is_of_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
