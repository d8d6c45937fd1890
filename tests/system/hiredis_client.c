/* hiredis_client: hiredis, as an application uses it.
 *
 *   hiredis_client --port P basics     sync and pipelined commands, binary safety, errors, pub/sub, databases
 *   hiredis_client --port P steady     "ready", then INCR one after the other until a line arrives on standard input
 *   hiredis_client --port P reconnect  "ready"; after a line (the other side was restarted by then) the old connection
 *                                      reports its end, redisReconnect mends it, and what was written is there
 *
 * Ends with 0, or with 1 and the reason. steady prints "acknowledged N uncertain N". */
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    exit(1);
}

static redisContext *open_connection(int port)
{
    struct timeval timeout = {.tv_sec = 20};
    redisContext *context = redisConnectWithTimeout("127.0.0.1", port, timeout);
    if (context == NULL || context->err != 0)
        fail("connect: %s", context != NULL ? context->errstr : "no memory");
    if (redisSetTimeout(context, timeout) != REDIS_OK)
        fail("timeout: %s", context->errstr);
    return context;
}

/* What is expected of the next reply; takes the reply, and frees it. */
static void expect_text(redisContext *context, redisReply *reply, int type, const char *text)
{
    if (reply == NULL)
        fail("expected %s, the connection says: %s", text, context->errstr);
    if (reply->type != type || reply->len != strlen(text) || memcmp(reply->str, text, reply->len) != 0)
        fail("expected %s, got type %d: %.*s", text, reply->type, (int)reply->len, reply->str);
    freeReplyObject(reply);
}

static void expect_integer(redisContext *context, redisReply *reply, long long value)
{
    if (reply == NULL)
        fail("expected %lld, the connection says: %s", value, context->errstr);
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer != value)
        fail("expected %lld, got type %d, %lld", value, reply->type, reply->integer);
    freeReplyObject(reply);
}

static void test_sync(redisContext *context)
{
    expect_text(context, redisCommand(context, "PING"), REDIS_REPLY_STATUS, "PONG");
    expect_text(context, redisCommand(context, "SET hiredis:a %s", "one two"), REDIS_REPLY_STATUS, "OK");
    expect_text(context, redisCommand(context, "GET hiredis:a"), REDIS_REPLY_STRING, "one two");
    expect_integer(context, redisCommand(context, "STRLEN hiredis:a"), 7);
    redisReply *reply = redisCommand(context, "MGET hiredis:a hiredis:none");
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING || reply->element[1]->type != REDIS_REPLY_NIL)
        fail("MGET");
    freeReplyObject(reply);
}

static void test_binary(redisContext *context)
{
    enum { LENGTH = 1 << 20 };
    char *value = malloc(LENGTH);
    if (value == NULL)
        fail("no memory");
    for (size_t i = 0; i < LENGTH; i++)
        value[i] = (char)(i * 31 >> 3);
    static const char key[] = "hiredis:\0\r\n\xff";
    expect_text(context, redisCommand(context, "SET %b %b", key, sizeof(key) - 1, value, (size_t)LENGTH),
                REDIS_REPLY_STATUS, "OK");
    redisReply *reply = redisCommand(context, "GET %b", key, sizeof(key) - 1);
    if (reply == NULL || reply->type != REDIS_REPLY_STRING || reply->len != LENGTH ||
        memcmp(reply->str, value, LENGTH) != 0)
        fail("a value of 1 MB of every byte came back changed");
    freeReplyObject(reply);
    expect_integer(context, redisCommand(context, "DEL %b", key, sizeof(key) - 1), 1);
    free(value);
}

static void test_pipeline(redisContext *context)
{
    enum { COUNT = 10000 };
    expect_integer(context, redisCommand(context, "EXISTS hiredis:pipeline"), 0);
    for (int i = 0; i < COUNT; i++)
        if (redisAppendCommand(context, i % 1000 == 500 ? "INCR hiredis:a" : "INCR hiredis:pipeline") != REDIS_OK)
            fail("append: %s", context->errstr);
    long long expected = 0;
    for (int i = 0; i < COUNT; i++) {
        redisReply *reply = NULL;
        if (redisGetReply(context, (void **)&reply) != REDIS_OK)
            fail("reply %d: %s", i, context->errstr);
        if (i % 1000 == 500) /* an error in the midst is one reply like the others */
            expect_text(context, reply, REDIS_REPLY_ERROR, "ERR value is not an integer or out of range");
        else
            expect_integer(context, reply, ++expected);
    }
    expect_integer(context, redisCommand(context, "DEL hiredis:pipeline hiredis:a"), 2);
}

static void test_errors(redisContext *context)
{
    expect_text(context, redisCommand(context, "NONSENSE with arguments"), REDIS_REPLY_ERROR,
                "ERR unknown command 'NONSENSE', with args beginning with: 'with' 'arguments' ");
    expect_text(context, redisCommand(context, "GET"), REDIS_REPLY_ERROR,
                "ERR wrong number of arguments for 'get' command");
    expect_text(context, redisCommand(context, "SET a b c"), REDIS_REPLY_ERROR, "ERR syntax error");
    expect_text(context, redisCommand(context, "SELECT 4000"), REDIS_REPLY_ERROR, "ERR DB index is out of range");
    expect_text(context, redisCommand(context, "PING"), REDIS_REPLY_STATUS, "PONG");
}

static void test_databases(redisContext *context)
{
    expect_text(context, redisCommand(context, "SELECT 3"), REDIS_REPLY_STATUS, "OK");
    expect_text(context, redisCommand(context, "SET hiredis:three 3"), REDIS_REPLY_STATUS, "OK");
    expect_text(context, redisCommand(context, "SELECT 0"), REDIS_REPLY_STATUS, "OK");
    expect_integer(context, redisCommand(context, "EXISTS hiredis:three"), 0);
    expect_text(context, redisCommand(context, "SELECT 3"), REDIS_REPLY_STATUS, "OK");
    expect_integer(context, redisCommand(context, "DEL hiredis:three"), 1);
    expect_text(context, redisCommand(context, "SELECT 0"), REDIS_REPLY_STATUS, "OK");
}

static void expect_push(redisContext *context, const char *kind, const char *channel, const char *payload)
{
    redisReply *reply = NULL;
    if (redisGetReply(context, (void **)&reply) != REDIS_OK)
        fail("%s: %s", kind, context->errstr);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 || strcmp(reply->element[0]->str, kind) != 0 ||
        strcmp(reply->element[1]->str, channel) != 0 ||
        (payload != NULL && strcmp(reply->element[2]->str, payload) != 0))
        fail("expected %s of %s", kind, channel);
    freeReplyObject(reply);
}

static void test_pubsub(redisContext *context, int port)
{
    redisContext *subscriber = open_connection(port);
    if (redisAppendCommand(subscriber, "SUBSCRIBE hiredis:one hiredis:two") != REDIS_OK)
        fail("SUBSCRIBE");
    expect_push(subscriber, "subscribe", "hiredis:one", NULL);
    expect_push(subscriber, "subscribe", "hiredis:two", NULL);
    expect_integer(context, redisCommand(context, "PUBLISH hiredis:two news"), 1);
    expect_push(subscriber, "message", "hiredis:two", "news");
    redisFree(subscriber);
}

static void basics(int port)
{
    redisContext *context = open_connection(port);
    test_sync(context);
    test_binary(context);
    expect_text(context, redisCommand(context, "SET hiredis:a text"), REDIS_REPLY_STATUS, "OK");
    test_pipeline(context);
    test_errors(context);
    test_databases(context);
    test_pubsub(context, port);
    redisFree(context);
}

static bool line_arrived(int timeout_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[64];
    return poll(&input, 1, timeout_ms) > 0 && read(STDIN_FILENO, line, sizeof(line)) >= 0;
}

static void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

static void steady(int port)
{
    redisContext *context = open_connection(port);
    expect_text(context, redisCommand(context, "SET hiredis:steady 0"), REDIS_REPLY_STATUS, "OK");
    say_ready();
    long long acknowledged = 0, uncertain = 0, last = 0;
    while (!line_arrived(2)) {
        redisReply *reply = redisCommand(context, "INCR hiredis:steady");
        if (reply == NULL)
            fail("the connection ended: %s", context->errstr);
        if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "UNCERTAIN ", 10) == 0)
            uncertain++;
        else if (reply->type == REDIS_REPLY_INTEGER) /* an asynchronous replica may have been behind by some */
            acknowledged++, last = reply->integer;
        else
            fail("INCR: %.*s", (int)reply->len, reply->str);
        freeReplyObject(reply);
    }
    printf("acknowledged %lld uncertain %lld last %lld\n", acknowledged, uncertain, last);
    redisFree(context);
}

static void reconnect(int port)
{
    redisContext *context = open_connection(port);
    expect_text(context, redisCommand(context, "SET hiredis:kept value"), REDIS_REPLY_STATUS, "OK");
    say_ready();
    while (!line_arrived(1000)) {}
    redisReply *reply = redisCommand(context, "GET hiredis:kept");
    if (reply != NULL || (context->err != REDIS_ERR_EOF && context->err != REDIS_ERR_IO))
        fail("the connection outlived the restart");
    if (redisReconnect(context) != REDIS_OK)
        fail("reconnect: %s", context->errstr);
    expect_text(context, redisCommand(context, "GET hiredis:kept"), REDIS_REPLY_STRING, "value");
    redisFree(context);
}

int main(int argc, char **argv)
{
    if (argc != 4 || strcmp(argv[1], "--port") != 0)
        fail("usage: hiredis_client --port P basics|steady|reconnect");
    int port = atoi(argv[2]);
    if (strcmp(argv[3], "basics") == 0)
        basics(port);
    else if (strcmp(argv[3], "steady") == 0)
        steady(port);
    else if (strcmp(argv[3], "reconnect") == 0)
        reconnect(port);
    else
        fail("no test is called %s", argv[3]);
    return 0;
}
