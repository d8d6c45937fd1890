/* Requests: whatever the bytes are, reading them in two pieces, at any place, comes to the same as reading them whole.
 * The first byte chooses the limits: 'u' those before authentication, 's' very small ones, else the default. */
#include "common/base/buf.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_reader.h"
#include "tests/fuzz/fuzz.h"

/* The bytes that arrived and are not used yet, and the tale of what was read. */
struct session {
    struct resp_request request;
    struct buf waiting;
    struct buf tale;
    bool ended;
};

static void tell(struct session *session, int64_t used)
{
    const struct resp_request *request = &session->request;
    if (used < 0) {
        CHECK(used == ERR_PROTOCOL && request->error[0] != '\0');
        buf_add_format(&session->tale, "error %s\n", request->error);
        return;
    }
    buf_add_format(&session->tale, "%zu arguments in %lld bytes\n", request->argc, (long long)used);
    for (size_t i = 0; i < request->argc; i++) {
        buf_add_format(&session->tale, "%zu ", request->argv[i].length);
        buf_add_slice(&session->tale, request->argv[i]);
        buf_add_text(&session->tale, "\n");
    }
}

static void arrive(struct session *session, struct slice bytes, const struct resp_limits *limits)
{
    buf_add_slice(&session->waiting, bytes);
    while (!session->ended) {
        struct slice waiting = buf_slice(&session->waiting);
        char *block = fuzz_exact_copy(waiting);
        int64_t used = resp_request_read(&session->request, slice_of(block, waiting.length), limits);
        CHECK(used <= (int64_t)waiting.length);
        if (used != 0)
            tell(session, used);
        mem_free(block);
        if (used == 0) {
            CHECK(resp_request_missing(&session->request) > 0);
            return;
        }
        session->ended = used < 0;
        if (used > 0)
            buf_consume(&session->waiting, (size_t)used);
    }
}

static void close_session(struct session *session)
{
    resp_request_free(&session->request);
    buf_free(&session->waiting);
    buf_free(&session->tale);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SPLIT_MAX = 600 };
    if (size == 0)
        return 0;
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    if (data[0] == 'u')
        limits = RESP_LIMITS_UNAUTHENTICATED;
    else if (data[0] == 's')
        limits = (struct resp_limits){
            .arguments_max = 12, .bulk_length_max = 40, .inline_length_max = 48, .request_length_max = 100};
    struct slice input = slice_of(data + 1, size - 1);

    struct session whole = {.ended = false};
    arrive(&whole, input, &limits);
    for (size_t split = 1; split < input.length && split < SPLIT_MAX; split++) {
        struct session pieces = {.ended = false};
        arrive(&pieces, slice_of(input.data, split), &limits);
        arrive(&pieces, slice_skip(input, split), &limits);
        fuzz_must_equal(buf_slice(&whole.tale), buf_slice(&pieces.tale), "a split request");
        close_session(&pieces);
    }
    struct session bytes = {.ended = false};
    for (size_t i = 0; i < input.length && input.length < SPLIT_MAX; i++)
        arrive(&bytes, slice_of(input.data + i, 1), &limits);
    if (input.length < SPLIT_MAX)
        fuzz_must_equal(buf_slice(&whole.tale), buf_slice(&bytes.tale), "a request byte by byte");
    close_session(&bytes);
    close_session(&whole);
    return 0;
}
