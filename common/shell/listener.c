#include "common/shell/listener.h"

#include "common/base/errors.h"
#include "common/shell/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEEPALIVE_IDLE_S = 300, KEEPALIVE_INTERVAL_S = 60 };

static void say(struct buf *why, const struct address *address, const char *text)
{
    if (address->host[0] == '/')
        buf_add_format(why, "%s: %s", address->host, text);
    else
        buf_add_format(why, "%s:%u: %s", address->host, address->port, text);
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* A socket file outlives its process. It is removed if nobody answers there, and never when it is something else. */
static void remove_stale_path(const struct net_address *net, const char *path)
{
    struct stat status;
    if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&net->storage, net->length) < 0 && errno == ECONNREFUSED)
        unlink(path);
    close(fd);
}

static int open_bound(const struct net_address *net, bool shared)
{
    int fd = socket(net->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (net->storage.ss_family != AF_UNIX)
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (net->storage.ss_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (shared)
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (bind(fd, (const struct sockaddr *)&net->storage, net->length) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int listener_bind(struct listener *listener, const struct address *address, int number, enum listener_sharing sharing,
                  uint32_t user_timeout_ms, struct buf *why)
{
    struct net_address net;
    *listener = (struct listener){.fd = -1};
    if (net_address_from(address, &net) < 0) {
        say(why, address, "expected a numeric address or the path of a socket");
        return ERR_INVALID;
    }
    bool is_unix = net.storage.ss_family == AF_UNIX;
    if (is_unix)
        remove_stale_path(&net, address->host);
    int fd = open_bound(&net, sharing == LISTENER_FURTHER && !is_unix);
    if (fd >= 0 && sharing == LISTENER_FIRST && !is_unix) {
        /* SO_REUSEPORT alone would let a second daemon of the same user in, unnoticed: so it is tried without first. */
        close(fd);
        fd = open_bound(&net, true);
    }
    if (fd < 0) {
        int error = errno == EADDRINUSE ? ERR_BUSY : errno == EACCES ? ERR_DENIED : ERR_CONNECTION;
        say(why, address, strerror(errno));
        return error;
    }
    if (!is_unix) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        conn_socket_keepalive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S);
        if (user_timeout_ms > 0)
            set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)user_timeout_ms);
    }
    *listener = (struct listener){.fd = fd, .number = number, .address = *address};
    return 0;
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct listener *listener = argument;
    listener->on_ready(listener);
}

static void on_pause_over(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct listener *listener = argument;
    event_add(&listener->read_event, NULL);
}

int listener_start(struct listener *listener, struct event_base *base, void (*on_ready)(struct listener *listener),
                   void *context, struct buf *why)
{
    if (listen(listener->fd, LISTENER_BACKLOG) < 0) {
        say(why, &listener->address, strerror(errno));
        return errno == EADDRINUSE ? ERR_BUSY : ERR_CONNECTION;
    }
    listener->on_ready = on_ready;
    listener->context = context;
    event_assign(&listener->read_event, base, listener->fd, EV_READ | EV_PERSIST, on_readable, listener);
    event_assign(&listener->pause_event, base, -1, 0, on_pause_over, listener);
    event_add(&listener->read_event, NULL);
    listener->started = true;
    return 0;
}

int listener_accept(struct listener *listener, int *ret_fd, struct net_address *ret_peer)
{
    ret_peer->length = sizeof(ret_peer->storage);
    int fd =
        accept4(listener->fd, (struct sockaddr *)&ret_peer->storage, &ret_peer->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        *ret_fd = fd;
        return 0;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        struct timeval pause = {.tv_usec = LISTENER_PAUSE_MS * 1000};
        event_del(&listener->read_event);
        event_add(&listener->pause_event, &pause);
        return ERR_TOO_BIG;
    }
    return ERR_NOT_FOUND;
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    if (listener->started) {
        event_del(&listener->read_event);
        event_del(&listener->pause_event);
    }
    close(listener->fd);
    listener->fd = -1;
    if (listener->address.host[0] == '/')
        unlink(listener->address.host);
}
