#include "common/ha/messages.h"

#include "common/base/errors.h"
#include "common/resp/resp_reader.h"
#include "common/resp/resp_writer.h"
#include "tests/lib/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { KINDS = MESSAGE_TOPOLOGY + 1 };

static const struct resp_limits limits = RESP_LIMITS_DEFAULT;

static int decode_wire(struct slice wire, struct message *ret_message)
{
    struct resp_request request = {0};
    int error = ERR_PROTOCOL;
    if (resp_request_read(&request, wire, &limits) == (int64_t)wire.length)
        error = message_decode(request.argv, request.argc, ret_message);
    resp_request_free(&request);
    return error;
}

/* Field by field, not through the codec under test. A union's unused rest is zero on both sides. */
static void assert_same(const struct message *sent, const struct message *got)
{
    assert_int_equal(sent->kind, got->kind);
    assert_string_equal(sent->group, got->group);
    if (sent->kind == MESSAGE_HELLO) {
        assert_int_equal(sent->hello.kind, got->hello.kind);
        assert_memory_equal(&sent->hello.sender, &got->hello.sender, sizeof(sent->hello.sender));
        return;
    }
    assert_memory_equal(sent, got, sizeof(*sent));
}

static void random_messages_survive_the_wire(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 1);
    static struct message sent, got;
    struct buf wire = {0};
    for (unsigned round = 0; round < 200; round++) {
        for (int kind = 0; kind < KINDS; kind++) {
            random_message(&rand, (enum message_kind)kind, &sent);
            buf_clear(&wire);
            message_encode(&sent, &wire);
            memset(&got, 0xaa, sizeof(got));
            assert_int_equal(0, decode_wire(buf_slice(&wire), &got));
            assert_same(&sent, &got);
        }
    }
    buf_free(&wire);
}

static void a_secret_is_carried_as_bytes(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 2);
    static struct message sent, got;
    random_message(&rand, MESSAGE_HELLO, &sent);
    struct buf wire = {0};
    message_encode(&sent, &wire);
    struct resp_request request = {0};
    assert_int_equal(buf_length(&wire), resp_request_read(&request, buf_slice(&wire), &limits));
    assert_int_equal(0, message_decode(request.argv, request.argc, &got));
    assert_true(slice_equal(got.hello.secret, sent.hello.secret));
    assert_int_equal(got.hello.protocol, sent.hello.protocol);
    resp_request_free(&request);
    buf_free(&wire);
}

/* The bytes behind which mutations count: the array's header, "RESPITE" and the kind may stand in any case. */
static size_t strict_from(enum message_kind kind)
{
    struct buf kind_text = {0};
    resp_write_bulk_text(&kind_text, message_name(kind));
    size_t length = strlen("*00\r\n$7\r\nRESPITE\r\n") + buf_length(&kind_text);
    buf_free(&kind_text);
    return length;
}

static void assert_refused_or_canonical(struct slice wire)
{
    static struct message got;
    if (decode_wire(wire, &got) < 0 || got.kind == MESSAGE_HELLO) /* a HELLO's secret is gone with the request */
        return;
    struct buf again = {0};
    message_encode(&got, &again);
    assert_int_equal(wire.length, buf_length(&again));
    assert_memory_equal(wire.data, buf_slice(&again).data, wire.length);
    buf_free(&again);
}

static void changed_bytes_are_refused_or_mean_what_they_say(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 3);
    static struct message sent;
    struct buf wire = {0};
    for (int kind = 0; kind < KINDS; kind++) {
        random_message(&rand, (enum message_kind)kind, &sent);
        buf_clear(&wire);
        message_encode(&sent, &wire);
        size_t step = 1 + buf_length(&wire) / 1500; /* all bytes of the small ones */
        for (size_t at = strict_from((enum message_kind)kind); at < buf_length(&wire); at += step) {
            char *byte = wire.memory + wire.start + at;
            char saved = *byte;
            static const char replacements[] = "0 9ax:@,-\n\\";
            for (size_t i = 0; i < sizeof(replacements); i++) {
                *byte = replacements[i];
                assert_refused_or_canonical(buf_slice(&wire));
            }
            *byte = (char)(saved ^ (1 << rand_below(&rand, 8)));
            assert_refused_or_canonical(buf_slice(&wire));
            *byte = saved;
        }
    }
    buf_free(&wire);
}

static void every_missing_or_surplus_argument_is_refused(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 4);
    static struct message sent, got;
    struct buf wire = {0};
    for (int kind = 0; kind < KINDS; kind++) {
        random_message(&rand, (enum message_kind)kind, &sent);
        buf_clear(&wire);
        message_encode(&sent, &wire);
        struct resp_request request = {0};
        assert_int_equal(buf_length(&wire), resp_request_read(&request, buf_slice(&wire), &limits));
        size_t least = request.argc - (kind == MESSAGE_HELLO); /* the protocol may be missing: 1 */
        for (size_t argc = 2; argc < least; argc++)
            assert_int_equal(ERR_PROTOCOL, message_decode(request.argv, argc, &got));
        if (kind == MESSAGE_HELLO) {
            assert_int_equal(0, message_decode(request.argv, least, &got));
            assert_int_equal(1, got.hello.protocol);
        }

        struct slice surplus[1024];
        assert_true(request.argc < ARRAY_LENGTH(surplus));
        memcpy(surplus, request.argv, request.argc * sizeof(struct slice));
        surplus[request.argc] = SLICE_LITERAL("0");
        assert_int_equal(ERR_PROTOCOL, message_decode(surplus, request.argc + 1, &got));
        resp_request_free(&request);
    }
    buf_free(&wire);
}

static int decode_words(const char *const *words, size_t count, struct message *ret_message)
{
    struct slice argv[32];
    assert_true(count <= ARRAY_LENGTH(argv));
    for (size_t i = 0; i < count; i++)
        argv[i] = slice_text(words[i]);
    return message_decode(argv, count, ret_message);
}

#define DECODE(message, ...)                                                                                           \
    decode_words((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),      \
                 message)

static void messages_can_be_typed(void **state)
{
    (void)state;
    static struct message got;
    assert_int_equal(0, DECODE(&got, "respite", "poll", "main", "7", "12"));
    assert_int_equal(MESSAGE_POLL, got.kind);
    assert_string_equal("main", got.group);
    assert_int_equal(7, got.poll.k);
    assert_int_equal(12, got.poll.version);
    assert_int_equal(0, DECODE(&got, "RESPITE", "Subscribe", "main", "0"));
    assert_int_equal(MESSAGE_SUBSCRIBE, got.kind);
}

static void strangers_are_told_apart_from_mistakes(void **state)
{
    (void)state;
    static struct message got, before;
    memset(&got, 0x55, sizeof(got));
    before = got;
    assert_int_equal(ERR_NOT_FOUND, DECODE(&got, "RESPITE"));
    assert_int_equal(ERR_NOT_FOUND, DECODE(&got, "RESPITE", "WHY"));
    assert_int_equal(ERR_NOT_FOUND, DECODE(&got, "GET", "POLL", "main", "7", "12"));
    assert_int_equal(ERR_PROTOCOL, DECODE(&got, "RESPITE", "POLL", "ma in", "7", "12"));
    assert_int_equal(ERR_PROTOCOL, DECODE(&got, "RESPITE", "POLL", "", "7", "12"));
    assert_int_equal(ERR_PROTOCOL, DECODE(&got, "RESPITE", "POLL", "a-name-that-is-one-byte-too-long", "7", "12"));
    assert_int_equal(ERR_PROTOCOL, DECODE(&got, "RESPITE", "POLL", "main", "-7", "12"));
    assert_int_equal(ERR_PROTOCOL, DECODE(&got, "RESPITE", "POLL", "main", "7", "012"));
    assert_memory_equal(&before, &got, sizeof(got));
}

static void a_count_is_bounded_before_it_is_believed(void **state)
{
    (void)state;
    static struct message got;
    const char *life = "00112233445566778899aabbccddeeff:3:0123456789abcdef";
    assert_int_equal(0, DECODE(&got, "RESPITE", "INSYNC", "main", "1", life, "2", "async", "1", "1", life));
    assert_int_equal(1, got.insync.count);
    assert_int_equal(ERR_PROTOCOL, DECODE(&got, "RESPITE", "INSYNC", "main", "1", life, "2", "async", "1", "17"));
    assert_int_equal(ERR_PROTOCOL,
                     DECODE(&got, "RESPITE", "INSYNC", "main", "1", life, "2", "async", "1", "4294967297", life));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_messages_survive_the_wire),
        cmocka_unit_test(a_secret_is_carried_as_bytes),
        cmocka_unit_test(changed_bytes_are_refused_or_mean_what_they_say),
        cmocka_unit_test(every_missing_or_surplus_argument_is_refused),
        cmocka_unit_test(messages_can_be_typed),
        cmocka_unit_test(strangers_are_told_apart_from_mistakes),
        cmocka_unit_test(a_count_is_bounded_before_it_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
