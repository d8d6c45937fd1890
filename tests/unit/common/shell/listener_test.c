#include "common/shell/listener.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct event_base *base;
static struct listener first;
static struct listener second;
static struct buf why;

static int set_up(void **state)
{
    (void)state;
    base = event_base_new();
    first.fd = second.fd = -1;
    return base == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    listener_close(&first);
    listener_close(&second);
    event_base_free(base);
    buf_free(&why);
    return 0;
}

static struct address local(uint16_t port)
{
    return (struct address){.host = "127.0.0.1", .port = port};
}

static uint16_t port_of(const struct listener *listener)
{
    struct sockaddr_in in;
    socklen_t length = sizeof(in);
    assert_int_equal(getsockname(listener->fd, (struct sockaddr *)&in, &length), 0);
    return ntohs(in.sin_port);
}

static const char *reason(void)
{
    buf_add(&why, "", 1);
    return buf_slice(&why).data;
}

static void nobody(struct listener *listener)
{
    (void)listener;
}

static void a_busy_port_is_named(void **state)
{
    (void)state;
    struct address address = local(0);
    char expected[64];
    assert_int_equal(listener_bind(&first, &address, 0, LISTENER_ALONE, 0, &why), 0);
    assert_int_equal(listener_start(&first, base, nobody, NULL, &why), 0);
    address.port = port_of(&first);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u: Address already in use", address.port);
    assert_int_equal(listener_bind(&second, &address, 0, LISTENER_ALONE, 0, &why), ERR_BUSY);
    assert_string_equal(reason(), expected);
}

static void threads_share_a_port_and_daemons_do_not(void **state)
{
    (void)state;
    struct address address = local(0);
    assert_int_equal(listener_bind(&first, &address, 0, LISTENER_FIRST, 0, &why), 0);
    assert_int_equal(listener_start(&first, base, nobody, NULL, &why), 0);
    address.port = port_of(&first);
    assert_int_equal(listener_bind(&second, &address, 0, LISTENER_FURTHER, 0, &why), 0);
    assert_int_equal(listener_start(&second, base, nobody, NULL, &why), 0);
    struct listener another_daemon;
    assert_int_equal(listener_bind(&another_daemon, &address, 0, LISTENER_FIRST, 0, &why), ERR_BUSY);
    assert_int_equal(listener_bind(&another_daemon, &address, 0, LISTENER_ALONE, 0, &why), ERR_BUSY);
}

static void a_name_is_refused(void **state)
{
    (void)state;
    struct address address = {.host = "redis.internal", .port = 6379};
    assert_int_equal(listener_bind(&first, &address, 0, LISTENER_ALONE, 0, &why), ERR_INVALID);
    assert_string_equal(reason(), "redis.internal:6379: expected a numeric address or the path of a socket");
}

static void a_dead_process_leaves_its_path_and_a_live_one_keeps_it(void **state)
{
    (void)state;
    char directory[] = "/tmp/listener_test.XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct address address = {.port = 0};
    snprintf(address.host, sizeof(address.host), "%s/sock", directory);
    assert_int_equal(listener_bind(&first, &address, 0, LISTENER_ALONE, 0, &why), 0);
    assert_int_equal(listener_start(&first, base, nobody, NULL, &why), 0);
    assert_int_equal(listener_bind(&second, &address, 0, LISTENER_ALONE, 0, &why), ERR_BUSY);

    event_del(&first.read_event);
    close(first.fd); /* as a crash would */
    first.fd = -1;
    assert_int_equal(access(address.host, F_OK), 0);
    assert_int_equal(listener_bind(&second, &address, 0, LISTENER_ALONE, 0, &why), 0);
    listener_close(&second);
    assert_int_not_equal(access(address.host, F_OK), 0);

    int fd = open(address.host, O_WRONLY | O_CREAT, 0600); /* a file that is no socket is nobody's to remove */
    close(fd);
    assert_int_equal(listener_bind(&second, &address, 0, LISTENER_ALONE, 0, &why), ERR_BUSY);
    assert_int_equal(access(address.host, F_OK), 0);
    unlink(address.host);
    assert_int_equal(rmdir(directory), 0);
}

static void peers_are_named(void **state)
{
    (void)state;
    struct address address = local(0);
    struct net_address peer;
    struct address named;
    int fd;
    assert_int_equal(listener_bind(&first, &address, 0, LISTENER_ALONE, 0, &why), 0);
    assert_int_equal(listener_start(&first, base, nobody, NULL, &why), 0);
    assert_int_equal(listener_accept(&first, &fd, &peer), ERR_NOT_FOUND);

    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port_of(&first))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listener_accept(&first, &fd, &peer), 0);
    net_address_to(&peer, &named);
    assert_string_equal(named.host, "127.0.0.1");
    socklen_t length = sizeof(in);
    assert_int_equal(getsockname(client, (struct sockaddr *)&in, &length), 0);
    assert_int_equal(named.port, ntohs(in.sin_port));
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    close(fd);
    close(client);
}

static void addresses_in_all_spellings(void **state)
{
    static const struct {
        const char *host;
        const char *back; /* NULL: refused */
    } cases[] = {{"127.0.0.1", "127.0.0.1"},
                 {"localhost", "127.0.0.1"},
                 {"::1", "::1"},
                 {"[::1]", "::1"},
                 {"0.0.0.0", "0.0.0.0"},
                 {"256.1.1.1", NULL},
                 {"1.2.3", NULL},
                 {"[1.2.3.4", NULL},
                 {"", NULL},
                 {"example.org", NULL},
                 {"localhost.", NULL}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address address = {.port = 99};
        struct address back;
        struct net_address net;
        snprintf(address.host, sizeof(address.host), "%s", cases[i].host);
        assert_int_equal(net_address_from(&address, &net), cases[i].back ? 0 : ERR_INVALID);
        if (cases[i].back == NULL)
            continue;
        net_address_to(&net, &back);
        assert_string_equal(back.host, cases[i].back);
        assert_int_equal(back.port, 99);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_busy_port_is_named), TEST(threads_share_a_port_and_daemons_do_not),
        TEST(a_name_is_refused),    TEST(a_dead_process_leaves_its_path_and_a_live_one_keeps_it),
        TEST(peers_are_named),      TEST(addresses_in_all_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
