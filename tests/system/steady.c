/* steady: clients that write all the time, and remember what they were promised.
 *
 *   steady --port P [--host 127.0.0.1] [--connections 50] [--period-ms 5]
 *
 * Every connection sends, each period, the next of INCR (its own counter), SET (a key that is written once) and GET
 * (its last acknowledged key), and keeps at most 8 commands under way. It runs until a line "stop" arrives on standard
 * input, then waits for what is under way, reads everything back that was acknowledged, and prints one JSON object:
 *
 *   acknowledged, uncertain   commands
 *   errors                    other error replies; first_error is the text of the first
 *   closed                    connections that the other side closed
 *   unanswered                commands without any reply at the end
 *   wrong                     replies that cannot be right (another value than was written, a counter that repeats)
 *   outage_ms                 longest time without an acknowledged write
 *   lost                      acknowledged SETs that are not there
 *   lost_inside               those of them behind which a later acknowledged SET of the same connection, sent before
 *                             the outage, is there: a hole, which no replication in order can leave
 *   lost_age_ms               how long before the outage the oldest lost one was acknowledged
 *
 * hiredis formats the commands and reads the replies; the connections are non-blocking, on one poll loop. */
#include "common/base/buf.h"
#include "common/base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UNDER_WAY_MAX = 8, CONNECTIONS_MAX = 256, GRACE_MS = 30000 };
enum kind { KIND_INCR, KIND_SET, KIND_GET };

struct promise { /* an acknowledged SET */
    uint64_t number;
    int64_t acknowledged_ms;
    bool missing;
};

struct command {
    enum kind kind;
    uint64_t number; /* SET: which key; GET: which key was asked for */
};

struct connection {
    unsigned index;
    int descriptor;
    redisReader *reader; /* owned */
    struct buf out;      /* owned */
    struct command under_way[UNDER_WAY_MAX];
    unsigned under_way_count;
    uint64_t next; /* commands sent so far */
    uint64_t next_set;
    int64_t next_ms;
    long long counter;        /* last reply of INCR */
    bool counter_uncertain;   /* since then: it may have moved, or been set back by a loss */
    struct promise *promises; /* owned */
    size_t promise_count, promise_capacity;
    size_t verified; /* promises that were asked for again */
};

struct steady {
    in_addr_t host; /* in network order */
    uint16_t port;
    unsigned count;
    int64_t period_ms;
    struct connection connections[CONNECTIONS_MAX];
    bool stopping, verifying;
    uint64_t acknowledged, uncertain, errors, closed, wrong;
    char first_error[160];
    int64_t last_write_ms, outage_ms, outage_begin_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void open_connection(struct steady *steady, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(steady->port)};
    address.sin_addr.s_addr = steady->host;
    connection->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->descriptor < 0 ||
        connect(connection->descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fprintf(stderr, "steady: connect: %s\n", strerror(errno));
        exit(1);
    }
    int on = 1;
    setsockopt(connection->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(connection->descriptor, F_SETFL, O_NONBLOCK);
    connection->reader = redisReaderCreate();
}

static void add_command(struct connection *connection, struct command command)
{
    char *text = NULL;
    int length = command.kind == KIND_INCR
                     ? redisFormatCommand(&text, "INCR steady:%d:counter:%u", (int)getpid(), connection->index)
                 : command.kind == KIND_SET
                     ? redisFormatCommand(&text, "SET steady:%d:%u:%llu %llu", (int)getpid(), connection->index,
                                          (unsigned long long)command.number, (unsigned long long)command.number)
                     : redisFormatCommand(&text, "GET steady:%d:%u:%llu", (int)getpid(), connection->index,
                                          (unsigned long long)command.number);
    CHECK(length > 0);
    buf_add(&connection->out, text, (size_t)length);
    free(text);
    connection->under_way[connection->under_way_count++] = command;
}

static void flush(struct steady *steady, struct connection *connection)
{
    struct slice bytes = buf_slice(&connection->out);
    if (bytes.length == 0 || connection->descriptor < 0)
        return;
    ssize_t written = send(connection->descriptor, bytes.data, bytes.length, MSG_NOSIGNAL);
    if (written > 0) {
        buf_consume(&connection->out, (size_t)written);
    } else if (written < 0 && errno != EAGAIN) {
        steady->closed++;
        close(connection->descriptor);
        connection->descriptor = -1;
    }
}

static void send_next(struct steady *steady, struct connection *connection, int64_t at_ms)
{
    if (steady->verifying) {
        while (connection->under_way_count < UNDER_WAY_MAX && connection->verified < connection->promise_count)
            add_command(connection, (struct command){KIND_GET, connection->promises[connection->verified++].number});
    } else if (!steady->stopping && at_ms >= connection->next_ms && connection->under_way_count < UNDER_WAY_MAX) {
        connection->next_ms = at_ms + steady->period_ms;
        enum kind kind = (enum kind)(connection->next++ % 3);
        if (kind == KIND_GET && connection->promise_count == 0)
            kind = KIND_INCR;
        uint64_t number = kind == KIND_SET   ? connection->next_set++
                          : kind == KIND_GET ? connection->promises[connection->promise_count - 1].number
                                             : 0;
        add_command(connection, (struct command){kind, number});
    }
    flush(steady, connection);
}

static void note_write(struct steady *steady, int64_t at_ms)
{
    if (steady->last_write_ms != 0 && at_ms - steady->last_write_ms > steady->outage_ms) {
        steady->outage_ms = at_ms - steady->last_write_ms;
        steady->outage_begin_ms = steady->last_write_ms;
    }
    steady->last_write_ms = at_ms;
}

static void keep_promise(struct connection *connection, uint64_t number, int64_t at_ms)
{
    if (connection->promise_count == connection->promise_capacity) {
        connection->promise_capacity = connection->promise_capacity ? 2 * connection->promise_capacity : 256;
        connection->promises = mem_resize(connection->promises, connection->promise_capacity * sizeof(struct promise));
    }
    connection->promises[connection->promise_count++] = (struct promise){.number = number, .acknowledged_ms = at_ms};
}

static struct promise *find_promise(struct connection *connection, uint64_t number)
{
    for (size_t i = connection->promise_count; i-- > 0;)
        if (connection->promises[i].number == number)
            return &connection->promises[i];
    return NULL;
}

static void take_error(struct steady *steady, struct connection *connection, const struct command *command,
                       const redisReply *reply)
{
    if (strncmp(reply->str, "UNCERTAIN ", 10) == 0 && command->kind != KIND_GET) {
        steady->uncertain++;
        connection->counter_uncertain = true;
    } else if (steady->errors++ == 0) {
        snprintf(steady->first_error, sizeof(steady->first_error), "%s", reply->str);
    }
}

static void take_reply(struct steady *steady, struct connection *connection, const redisReply *reply, int64_t at_ms)
{
    if (connection->under_way_count == 0) {
        steady->wrong++;
        return;
    }
    struct command command = connection->under_way[0];
    memmove(connection->under_way, connection->under_way + 1,
            --connection->under_way_count * sizeof(connection->under_way[0]));
    if (reply->type == REDIS_REPLY_ERROR) {
        take_error(steady, connection, &command, reply);
        return;
    }
    steady->acknowledged += !steady->verifying;
    char expected[32];
    snprintf(expected, sizeof(expected), "%llu", (unsigned long long)command.number);
    switch (command.kind) {
    case KIND_INCR:
        /* After an uncertain one, or a loss, it may have moved by more or have been set back once. */
        if (reply->type != REDIS_REPLY_INTEGER ||
            (!connection->counter_uncertain && reply->integer != connection->counter + 1 && steady->outage_ms < 1000))
            steady->wrong++;
        connection->counter = reply->integer;
        connection->counter_uncertain = false;
        note_write(steady, at_ms);
        break;
    case KIND_SET:
        if (reply->type != REDIS_REPLY_STATUS || strcmp(reply->str, "OK") != 0)
            steady->wrong++;
        keep_promise(connection, command.number, at_ms);
        note_write(steady, at_ms);
        break;
    case KIND_GET:
        if (reply->type == REDIS_REPLY_NIL && steady->verifying)
            find_promise(connection, command.number)->missing = true;
        else if (reply->type != REDIS_REPLY_NIL &&
                 (reply->type != REDIS_REPLY_STRING || strcmp(reply->str, expected) != 0))
            steady->wrong++;
        break;
    }
}

static void read_replies(struct steady *steady, struct connection *connection)
{
    char bytes[16 * 1024];
    ssize_t got = recv(connection->descriptor, bytes, sizeof(bytes), 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        steady->closed++;
        close(connection->descriptor);
        connection->descriptor = -1;
        return;
    }
    redisReaderFeed(connection->reader, bytes, (size_t)got);
    void *reply = NULL;
    while (redisReaderGetReply(connection->reader, &reply) == REDIS_OK && reply != NULL) {
        take_reply(steady, connection, reply, now_ms());
        freeReplyObject(reply);
        reply = NULL;
    }
    if (connection->reader->err != 0)
        steady->wrong++;
}

static uint64_t under_way(const struct steady *steady)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < steady->count; i++)
        count += steady->connections[i].under_way_count;
    return count;
}

static bool is_verified(const struct steady *steady)
{
    for (unsigned i = 0; i < steady->count; i++)
        if (steady->connections[i].descriptor >= 0 &&
            steady->connections[i].verified < steady->connections[i].promise_count)
            return false;
    return under_way(steady) == 0;
}

static void check_input(struct steady *steady, struct pollfd *input)
{
    char line[64];
    if ((input->revents & (POLLIN | POLLHUP)) == 0)
        return;
    if (read(STDIN_FILENO, line, sizeof(line)) >= 0)
        steady->stopping = true;
    input->fd = -1;
}

static void run(struct steady *steady)
{
    struct pollfd polled[CONNECTIONS_MAX + 1];
    polled[steady->count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    int64_t end_ms = INT64_MAX;
    for (;;) {
        int64_t at_ms = now_ms();
        if (steady->stopping && end_ms == INT64_MAX)
            end_ms = at_ms + GRACE_MS;
        if (steady->stopping && !steady->verifying && under_way(steady) == 0)
            steady->verifying = true;
        if (at_ms >= end_ms || (steady->verifying && is_verified(steady)))
            return;
        for (unsigned i = 0; i < steady->count; i++) {
            struct connection *connection = &steady->connections[i];
            if (connection->descriptor >= 0)
                send_next(steady, connection, at_ms);
            short wanted = buf_length(&connection->out) > 0 ? POLLIN | POLLOUT : POLLIN;
            polled[i] = (struct pollfd){.fd = connection->descriptor, .events = wanted};
        }
        if (poll(polled, steady->count + 1, steady->verifying ? 10 : 1) < 0 && errno != EINTR)
            return;
        check_input(steady, &polled[steady->count]);
        for (unsigned i = 0; i < steady->count; i++)
            if (steady->connections[i].descriptor >= 0 && (polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
                read_replies(steady, &steady->connections[i]);
    }
}

static void report(const struct steady *steady)
{
    uint64_t lost = 0, inside = 0, promised = 0;
    int64_t oldest_lost_ms = INT64_MAX;
    for (unsigned i = 0; i < steady->count; i++) {
        const struct connection *connection = &steady->connections[i];
        bool later_is_there = false;
        promised += connection->promise_count;
        for (size_t k = connection->promise_count; k-- > 0;) {
            const struct promise *promise = &connection->promises[k];
            if (!promise->missing) {
                later_is_there = later_is_there || promise->acknowledged_ms <= steady->outage_begin_ms;
                continue;
            }
            lost++;
            inside += later_is_there;
            if (promise->acknowledged_ms < oldest_lost_ms)
                oldest_lost_ms = promise->acknowledged_ms;
        }
    }
    printf("{\"acknowledged\": %llu, \"uncertain\": %llu, \"errors\": %llu, \"first_error\": \"%s\", \"closed\": %llu, "
           "\"unanswered\": %llu, \"wrong\": %llu, \"outage_ms\": %lld, \"sets\": %llu, \"lost\": %llu, "
           "\"lost_inside\": %llu, \"lost_age_ms\": %lld}\n",
           (unsigned long long)steady->acknowledged, (unsigned long long)steady->uncertain,
           (unsigned long long)steady->errors, steady->first_error, (unsigned long long)steady->closed,
           (unsigned long long)under_way(steady), (unsigned long long)steady->wrong, (long long)steady->outage_ms,
           (unsigned long long)promised, (unsigned long long)lost, (unsigned long long)inside,
           lost > 0 ? (long long)(steady->outage_begin_ms - oldest_lost_ms) : 0LL);
}

int main(int argc, char **argv)
{
    static struct steady steady = {.count = 50, .period_ms = 5};
    steady.host = htonl(INADDR_LOOPBACK);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0)
            steady.port = (uint16_t)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--host") == 0)
            steady.host = inet_addr(argv[i + 1]);
        else if (strcmp(argv[i], "--connections") == 0)
            steady.count = (unsigned)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--period-ms") == 0)
            steady.period_ms = atoi(argv[i + 1]);
    }
    if (steady.port == 0 || steady.host == INADDR_NONE || steady.count == 0 || steady.count > CONNECTIONS_MAX ||
        steady.period_ms < 1) {
        fprintf(stderr, "usage: steady --port P [--host ADDRESS] [--connections N] [--period-ms N]\n");
        return 2;
    }
    int64_t begin_ms = now_ms();
    for (unsigned i = 0; i < steady.count; i++) {
        steady.connections[i].index = i;
        /* Spread over the period, so that they do not all speak at once. */
        steady.connections[i].next_ms = begin_ms + i * steady.period_ms / steady.count;
        open_connection(&steady, &steady.connections[i]);
    }
    puts("ready");
    fflush(stdout);
    run(&steady);
    report(&steady);
    return 0;
}
