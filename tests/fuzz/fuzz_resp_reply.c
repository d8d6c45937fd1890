/* Replies: whatever the bytes are, frames end at the same places whether they come whole, in two pieces or byte by
 * byte; the first byte chooses the limits ('s': small ones). */
#include "common/base/buf.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_reader.h"
#include "tests/fuzz/fuzz.h"

struct session {
    struct resp_frame frame;
    struct buf tale;
    uint64_t length; /* of the frame so far */
    bool ended;
};

static void arrive(struct session *session, struct slice bytes, const struct resp_limits *limits)
{
    while (bytes.length > 0 && !session->ended) {
        char *block = fuzz_exact_copy(bytes);
        size_t used = 0;
        int result = resp_frame_scan(&session->frame, slice_of(block, bytes.length), limits, &used);
        mem_free(block);
        if (result < 0) {
            CHECK(result == ERR_PROTOCOL);
            buf_add_text(&session->tale, "error\n");
            session->ended = true;
            return;
        }
        CHECK(used > 0 && used <= bytes.length);
        CHECK(result == 1 || used == bytes.length);
        CHECK(session->frame.inside == (result == 0));
        session->length += used;
        bytes = slice_skip(bytes, used);
        if (result == 1) {
            buf_add_format(&session->tale, "%c %llu ", session->frame.type, (unsigned long long)session->length);
            buf_add(&session->tale, session->frame.head, session->frame.head_length);
            buf_add_text(&session->tale, "\n");
            session->length = 0;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SPLIT_MAX = 600 };
    if (size == 0)
        return 0;
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    if (data[0] == 's')
        limits.bulk_length_max = 20;
    struct slice input = slice_of(data + 1, size - 1);

    struct session whole = {.ended = false};
    arrive(&whole, input, &limits);
    for (size_t split = 1; split < input.length && split < SPLIT_MAX; split++) {
        struct session pieces = {.ended = false};
        arrive(&pieces, slice_of(input.data, split), &limits);
        arrive(&pieces, slice_skip(input, split), &limits);
        fuzz_must_equal(buf_slice(&whole.tale), buf_slice(&pieces.tale), "a split reply");
        buf_free(&pieces.tale);
    }
    struct session bytes = {.ended = false};
    for (size_t i = 0; i < input.length; i++)
        arrive(&bytes, slice_of(input.data + i, 1), &limits);
    fuzz_must_equal(buf_slice(&whole.tale), buf_slice(&bytes.tale), "a reply byte by byte");
    buf_free(&bytes.tale);
    buf_free(&whole.tale);
    return 0;
}
