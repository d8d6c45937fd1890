/* A whole worker behind its door, told anything: it answers or closes, and it comes to rest.
 *
 * The input is lines. "0" to "3" and the line goes to that connection, which opens when it is closed; "=" and it is
 * sent as it stands, without a line end, to connection 0; "@" and half a second passes; "-" closes connection 0.
 *
 * A string may have 1 MiB, and no line may change that: 512 MiB are one SETRANGE away, and take the time of many
 * inputs. */
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/cacheworker/engine/bench.h"

enum { CONNECTIONS = 4, LINES_MAX = 200 };

#define BOUND_PARAMETER "proto-max-bulk-len"

static link_id open_link(struct bench *bench, link_id *link)
{
    if (*link == LINK_NONE || !bench->links[*link].is_open)
        *link = bench_connect(bench);
    return *link;
}

static void say(struct bench *bench, link_id link, struct slice bytes, bool ends)
{
    if (link == LINK_NONE)
        return;
    struct buf line = {0};
    buf_add_slice(&line, bytes);
    if (ends)
        buf_add_text(&line, "\r\n");
    char *block = fuzz_exact_copy(buf_slice(&line)); /* borrowed until the turn has returned, and no longer */
    bench_receive(bench, link, slice_of(block, buf_length(&line)));
    bench_turn(bench);
    mem_free(block);
    buf_free(&line);
    bench_take(bench, link);
}

static bool names_bound(struct slice line)
{
    size_t length = sizeof(BOUND_PARAMETER) - 1;
    for (; line.length >= length; line = slice_skip(line, 1)) {
        if (slice_equal_nocase(slice_of(line.data, length), BOUND_PARAMETER))
            return true;
    }
    return false;
}

static void play_line(struct bench *bench, link_id links[CONNECTIONS], struct slice line)
{
    if (line.length == 0 || names_bound(line))
        return;
    char what = line.data[0];
    struct slice rest = slice_skip(line, 1);
    if (what >= '0' && what < '0' + CONNECTIONS) {
        say(bench, open_link(bench, &links[what - '0']), rest, true);
    } else if (what == '=') {
        say(bench, open_link(bench, &links[0]), rest, false);
    } else if (what == '@') {
        bench_advance(bench, 500 * NS_PER_MS);
    } else if (what == '-' && links[0] != LINK_NONE && bench->links[links[0]].is_open) {
        bench_close(bench, links[0]);
        links[0] = LINK_NONE;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench bench;
    struct cw_config config;
    bench_config(&config, true);
    config.max_clients = 3;
    config.client_output_max = 1 << 20;
    config.client_memory_max = 4 << 20;
    config.query_buffer_max = 1 << 20;
    bench_start(&bench, &config);
    link_id first = bench_connect(&bench);
    fuzz_must_equal(SLICE_LITERAL("+OK\r\n"), bench_ask(&bench, first, "CONFIG SET " BOUND_PARAMETER " 1mb\r\n"),
                    "the bound");
    bench_close(&bench, first);
    link_id links[CONNECTIONS] = {LINK_NONE, LINK_NONE, LINK_NONE, LINK_NONE};
    struct slice rest = slice_of(data, size);
    for (unsigned lines = 0; rest.length > 0 && lines < LINES_MAX && !bench.exited; lines++) {
        const char *end = memchr(rest.data, '\n', rest.length);
        size_t length = end != NULL ? (size_t)(end - rest.data) : rest.length;
        play_line(&bench, links, slice_of(rest.data, length));
        rest = slice_skip(rest, end != NULL ? length + 1 : length);
    }
    bench_end(&bench);
    return 0;
}
