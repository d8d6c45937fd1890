#include "common/shell/conn.h"

#include "common/base/errors.h"
#include "common/shell/net_address.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t socket_read(struct conn *conn, void *data, size_t capacity)
{
    return recv(conn->fd, data, capacity, 0);
}

static ssize_t socket_write(struct conn *conn, struct slice bytes)
{
    return send(conn->fd, bytes.data, bytes.length, MSG_NOSIGNAL);
}

static void socket_close(struct conn *conn)
{
    close(conn->fd);
    conn->fd = -1;
}

const struct transport transport_socket = {.read = socket_read, .write = socket_write, .close = socket_close};

/* Options are wishes: a kernel without one of them still carries bytes. */
static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

void conn_socket_keepalive(int fd, int idle_s, int interval_s)
{
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 5);
}

int conn_socket_connect(const struct address *address, uint32_t user_timeout_ms, int *ret_fd)
{
    struct net_address net;
    int error = net_address_from(address, &net);
    if (error < 0)
        return error;
    int fd = socket(net.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_CONNECTION;
    if (net.storage.ss_family != AF_UNIX) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)user_timeout_ms);
        conn_socket_keepalive(fd, 1, 1);
    }
    if (connect(fd, (const struct sockaddr *)&net.storage, net.length) < 0 && errno != EINPROGRESS) {
        close(fd);
        return ERR_CONNECTION;
    }
    *ret_fd = fd;
    return 0;
}

int conn_socket_result(int fd)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error != 0)
        return ERR_CONNECTION;
    return 0;
}
