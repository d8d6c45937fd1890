/* A script, and behind a NUL its argument: whatever it does, it ends, with one whole reply; the interpreter works on,
 * and all of its memory comes back. Commands answer their words. */
#include "cacheworker/script/interpreter.h"
#include "common/resp/resp_reader.h"
#include "common/resp/resp_writer.h"
#include "tests/fuzz/fuzz.h"

enum { HEAP = 8 << 20, PULSES_MAX = 30 };

static void echo(void *context, const struct slice *argv, size_t argc, int protocol, struct buf *reply)
{
    (void)context;
    if (slice_equal_nocase(argv[0], "map"))
        resp_write_map(reply, protocol, argc / 2);
    else
        resp_write_array(reply, argc / 2 * 2);
    for (size_t i = 0; i < argc / 2 * 2; i++)
        resp_write_bulk(reply, argv[i]);
}

static int may(void *context, const struct slice *argv, size_t argc)
{
    (void)context;
    (void)argv;
    return (int)(argc % 3) - 1;
}

static void replicate(void *context, int where)
{
    (void)context;
    (void)where;
}

static const char *interrupt(void *context)
{
    unsigned *pulses = context;
    return ++*pulses > PULSES_MAX ? "it takes too long" : NULL;
}

static const struct cw_script_host host = {.command = echo, .may = may, .replicate = replicate, .interrupt = interrupt};

static void check_reply(const struct buf *reply)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct resp_frame frame = {0};
    size_t used;
    CHECK(resp_frame_scan(&frame, buf_slice(reply), &limits, &used) == 1 && used == buf_length(reply));
}

static void run(struct cw_interpreter *interpreter, struct slice source, struct slice argument, struct buf *reply)
{
    int function;
    unsigned pulses = 0;
    buf_clear(reply);
    if (cw_interpreter_compile(interpreter, source, "@user_script", &function, reply) < 0)
        return;
    struct cw_script_run script = {.host = &host,
                                   .context = &pulses,
                                   .function = function,
                                   .name = "fuzz",
                                   .keys = &argument,
                                   .key_count = 1,
                                   .arguments = &argument,
                                   .argument_count = 1,
                                   .reply = reply,
                                   .protocol = 2 + (int)(argument.length % 2),
                                   .reply_max = 1 << 20};
    cw_interpreter_run(interpreter, &script);
    cw_interpreter_forget(interpreter, function);
    check_reply(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    const char *end = size > 0 ? memchr(input.data, '\0', size) : NULL;
    struct slice source = slice_of(input.data, end != NULL ? (size_t)(end - input.data) : size);
    struct slice argument = end != NULL ? slice_skip(input, source.length + 1) : slice_of("", 0);
    uint64_t random = CW_SCRIPT_RANDOM;
    struct fiber *fiber = fiber_create(CW_SCRIPT_STACK);
    struct cw_interpreter_config config = {
        .kind = CW_SCRIPT_EVAL, .limit_bytes = HEAP, .fiber = fiber, .random = &random};
    struct cw_interpreter *interpreter = cw_interpreter_create(&config);
    struct buf reply = {0};
    run(interpreter, source, argument, &reply);
    run(interpreter, SLICE_LITERAL("collectgarbage() return redis.call('a', string.upper(cjson.encode({1})))"),
        argument, &reply);
    CHECK(slice_equal(buf_slice(&reply), SLICE_LITERAL("*2\r\n$1\r\na\r\n$3\r\n[1]\r\n")));
    buf_free(&reply);
    cw_interpreter_destroy(interpreter);
    CHECK(fiber != NULL);
    fiber_free(fiber);
    return 0;
}
