#include "ctl/ask.h"

#include "common/base/errors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ASKS_MAX = 64 };

void ask_add(struct ask *ask, const char *format, ...)
{
    char *command = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = redisvFormatCommand(&command, format, arguments);
    va_end(arguments);
    CHECK(length > 0);
    buf_add(&ask->request, command, (size_t)length);
    free(command);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static socklen_t socket_address(const struct address *address, struct sockaddr_storage *ret_socket)
{
    memset(ret_socket, 0, sizeof(*ret_socket));
    struct sockaddr_in *inet = (struct sockaddr_in *)ret_socket;
    struct sockaddr_in6 *inet6 = (struct sockaddr_in6 *)ret_socket;
    struct sockaddr_un *local = (struct sockaddr_un *)ret_socket;
    if (address->host[0] == '/' && strlen(address->host) < sizeof(local->sun_path)) {
        local->sun_family = AF_UNIX;
        strcpy(local->sun_path, address->host);
        return sizeof(*local);
    }
    const char *host = strcmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host;
    if (inet_pton(AF_INET, host, &inet->sin_addr) == 1) {
        inet->sin_family = AF_INET;
        inet->sin_port = htons(address->port);
        return sizeof(*inet);
    }
    if (inet_pton(AF_INET6, host, &inet6->sin6_addr) == 1) {
        inet6->sin6_family = AF_INET6;
        inet6->sin6_port = htons(address->port);
        return sizeof(*inet6);
    }
    return 0;
}

static void open_socket(struct ask *ask)
{
    struct sockaddr_storage address;
    socklen_t length = socket_address(&ask->address, &address);
    ask->result = ERR_CONNECTION;
    ask->descriptor = length == 0 ? -1 : socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (ask->descriptor < 0)
        return;
    if (connect(ask->descriptor, (struct sockaddr *)&address, length) != 0 && errno != EINPROGRESS) {
        close(ask->descriptor);
        ask->descriptor = -1;
        return;
    }
    ask->reader = redisReaderCreate();
    ask->result = ERR_TIMEOUT;
}

static void finish(struct ask *ask, int result)
{
    ask->result = result;
    close(ask->descriptor);
    ask->descriptor = -1;
}

static void write_request(struct ask *ask)
{
    struct slice bytes = buf_slice(&ask->request);
    ssize_t written = send(ask->descriptor, bytes.data, bytes.length, MSG_NOSIGNAL);
    if (written > 0)
        buf_consume(&ask->request, (size_t)written);
    else if (written < 0 && errno != EAGAIN)
        finish(ask, ERR_CONNECTION);
}

static void read_replies(struct ask *ask)
{
    char bytes[16 * 1024];
    ssize_t got = read(ask->descriptor, bytes, sizeof(bytes));
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        finish(ask, ERR_CONNECTION);
        return;
    }
    if (redisReaderFeed(ask->reader, bytes, (size_t)got) != REDIS_OK) {
        finish(ask, ERR_PROTOCOL);
        return;
    }
    while (ask->count < ask->wanted) {
        void *reply = NULL;
        if (redisReaderGetReply(ask->reader, &reply) != REDIS_OK) {
            finish(ask, ERR_PROTOCOL);
            return;
        }
        if (reply == NULL)
            return;
        ask->replies[ask->count++] = reply;
    }
    finish(ask, 0);
}

void ask_all(struct ask *asks, unsigned count, int timeout_ms)
{
    CHECK(count <= ASKS_MAX);
    struct pollfd polled[ASKS_MAX];
    int64_t end_ms = now_ms() + timeout_ms;
    for (unsigned i = 0; i < count; i++)
        open_socket(&asks[i]);
    for (;;) {
        unsigned open_count = 0;
        for (unsigned i = 0; i < count; i++) {
            short wanted = buf_length(&asks[i].request) > 0 ? POLLIN | POLLOUT : POLLIN;
            polled[i] = (struct pollfd){.fd = asks[i].descriptor, .events = wanted};
            open_count += asks[i].descriptor >= 0;
        }
        int64_t left_ms = end_ms - now_ms();
        if (open_count == 0 || left_ms <= 0)
            break;
        if (poll(polled, count, (int)left_ms) < 0 && errno != EINTR)
            break;
        for (unsigned i = 0; i < count; i++) {
            if (asks[i].descriptor >= 0 && (polled[i].revents & POLLOUT) != 0)
                write_request(&asks[i]);
            if (asks[i].descriptor >= 0 && (polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
                read_replies(&asks[i]);
        }
    }
    for (unsigned i = 0; i < count; i++)
        if (asks[i].descriptor >= 0)
            finish(&asks[i], ERR_TIMEOUT);
}

void ask_free(struct ask *ask)
{
    for (unsigned i = 0; i < ask->count; i++)
        freeReplyObject(ask->replies[i]);
    if (ask->reader != NULL)
        redisReaderFree(ask->reader);
    buf_free(&ask->request);
    *ask = (struct ask){.descriptor = -1};
}
