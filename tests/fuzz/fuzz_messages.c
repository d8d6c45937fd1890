/* Control messages (what begins with '*') and topologies (anything else): what is accepted is written again as it was
 * read. Of a message only the first two words, which may stand in any case, can differ, and a HELLO may leave out the
 * protocol. */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/ha/messages.h"
#include "common/resp/resp_reader.h"
#include "tests/fuzz/fuzz.h"

static const struct resp_limits limits = RESP_LIMITS_DEFAULT;

static void try_topology(struct slice text)
{
    static struct topology topology;
    if (topology_decode(text, &topology) < 0)
        return;
    struct buf again = {0};
    topology_encode(&topology, &again);
    fuzz_must_equal(text, buf_slice(&again), "a topology");
    buf_free(&again);
}

static void try_message(struct slice wire)
{
    static struct message message;
    struct resp_request read = {0};
    struct resp_request again = {0};
    struct buf written = {0};
    if (resp_request_read(&read, wire, &limits) <= 0 || message_decode(read.argv, read.argc, &message) < 0)
        goto done;
    message_encode(&message, &written);
    CHECK(resp_request_read(&again, buf_slice(&written), &limits) == (int64_t)buf_length(&written));
    bool names_no_protocol = message.kind == MESSAGE_HELLO && read.argc == 5;
    CHECK(again.argc == read.argc + names_no_protocol);
    for (size_t i = 2; i < read.argc; i++)
        fuzz_must_equal(read.argv[i], again.argv[i], "a message");
done:
    buf_free(&written);
    resp_request_free(&again);
    resp_request_free(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    char *block = fuzz_exact_copy(input);
    if (size > 0 && data[0] == '*')
        try_message(slice_of(block, size));
    else
        try_topology(slice_of(block, size));
    mem_free(block);
    return 0;
}
