#include "common/base/throttle.h"

#include "common/base/check.h"
#include "common/base/door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct address from(const char *host)
{
    struct address address = {.port = 1};
    snprintf(address.host, sizeof(address.host), "%s", host);
    return address;
}

static void fail_times(struct throttle *throttle, const struct address *peer, unsigned times, int64_t now_ns)
{
    for (unsigned i = 0; i < times; i++) {
        assert_false(throttle_refuses(throttle, peer, now_ns));
        throttle_failed(throttle, peer, now_ns);
    }
}

static void who_fails_too_often_waits(void **state)
{
    (void)state;
    struct throttle throttle;
    throttle_init(&throttle, (struct siphash_key){{1, 2}});
    struct address bad = from("10.0.0.1"), good = from("10.0.0.2");
    int64_t now_ns = 5 * NS_PER_S;
    fail_times(&throttle, &bad, THROTTLE_ALLOWANCE, now_ns);
    assert_true(throttle_refuses(&throttle, &bad, now_ns));
    assert_false(throttle_refuses(&throttle, &good, now_ns));
    bad.port = 2; /* another connection of the same host */
    assert_true(throttle_refuses(&throttle, &bad, now_ns));
    now_ns += NS_PER_S;
    fail_times(&throttle, &bad, THROTTLE_BACK_PER_S, now_ns);
    assert_true(throttle_refuses(&throttle, &bad, now_ns));
    now_ns += 3600 * NS_PER_S; /* no more than the whole allowance comes back */
    fail_times(&throttle, &bad, THROTTLE_ALLOWANCE, now_ns);
    assert_true(throttle_refuses(&throttle, &bad, now_ns));
}

static void networks_of_one_host_are_one(void **state)
{
    (void)state;
    struct throttle throttle;
    throttle_init(&throttle, (struct siphash_key){{1, 2}});
    struct address one = from("2001:db8:1:2:3:4:5:6"), same = from("2001:db8:1:2:9:9:9:9"),
                   other = from("2001:db8:1:3:3:4:5:6");
    fail_times(&throttle, &one, THROTTLE_ALLOWANCE, 0);
    assert_true(throttle_refuses(&throttle, &same, 0));
    assert_false(throttle_refuses(&throttle, &other, 0));
}

/* However many addresses fail now and then, one that fails all the time is remembered. */
static void a_crowd_does_not_hide_anybody(void **state)
{
    (void)state;
    struct throttle throttle;
    throttle_init(&throttle, (struct siphash_key){{1, 2}});
    struct address bad = from("10.0.0.1");
    fail_times(&throttle, &bad, THROTTLE_ALLOWANCE, 0);
    char host[32];
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(host, sizeof(host), "10.1.%u.%u", i / 256, i % 256);
        struct address peer = from(host);
        throttle_failed(&throttle, &peer, 0);
    }
    assert_true(throttle_refuses(&throttle, &bad, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_fails_too_often_waits),
        cmocka_unit_test(networks_of_one_host_are_one),
        cmocka_unit_test(a_crowd_does_not_hide_anybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
