#include "proxy/core/parked.h"

#include "common/base/number.h"
#include "common/base/door.h"
#include "common/command/command.h"
#include "common/command/command_id.h"
#include "common/resp/resp_writer.h"
#include "proxy/core/route.h"

#include <stdio.h>

enum { KEPT_BYTES = 4 << 10 };

static const struct slice header = SLICE_LITERAL(">3\r\n$14\r\nrespite-parked\r\n");

/* ---- the time that a command may wait ---- */

/* Where it stands; 0: nowhere that we know. *ret_unit_ns: what it is counted in. */
static size_t time_of(const struct slice *argv, size_t argc, int64_t *ret_unit_ns)
{
    const struct command *row = command_lookup(argv[0]);
    *ret_unit_ns = NS_PER_S;
    if (row == NULL || argc < 3)
        return 0;
    switch (row->id) {
    case COMMAND_ID_BLPOP:
    case COMMAND_ID_BRPOP:
    case COMMAND_ID_BRPOPLPUSH:
    case COMMAND_ID_BLMOVE:
    case COMMAND_ID_BZPOPMIN:
    case COMMAND_ID_BZPOPMAX: return argc - 1;
    case COMMAND_ID_BLMPOP:
    case COMMAND_ID_BZMPOP: return 1;
    case COMMAND_ID_XREAD:
    case COMMAND_ID_XREADGROUP: {
        size_t block = px_route_block(argv, argc);
        *ret_unit_ns = NS_PER_MS;
        return block > 0 && block + 1 < argc ? block + 1 : 0;
    }
    default: return 0;
    }
}

/* When a wait that begins now is over. */
static int64_t end_of(const struct slice *argv, size_t argc, int64_t now_ns)
{
    int64_t unit_ns;
    double units;
    size_t index = time_of(argv, argc, &unit_ns);
    if (index == 0 || number_parse_double(argv[index], &units) < 0 || units <= 0)
        return NEVER_NS;
    double wait_ns = units * (double)unit_ns;
    return wait_ns < (double)(NEVER_NS - now_ns) / 2 ? now_ns + (int64_t)wait_ns : NEVER_NS;
}

/* ---- what a worker says ---- */

bool px_parked_is_said(struct slice frame)
{
    return frame.length >= header.length && memcmp(frame.data, header.data, header.length) == 0;
}

/* The words of a command that is complete. */
static bool parse(struct resp_request *request, struct slice command, const struct resp_limits *limits)
{
    bool is_array = command.length > 0 && command.data[0] == '*';
    return is_array && resp_request_read(request, command, limits) == (int64_t)command.length && request->argc > 0;
}

/* The id, which stands before the command; a bulk string of digits. */
static bool take_id(struct slice *bytes, uint64_t *ret_id)
{
    for (int line = 0; line < 2; line++) {
        const char *end = bytes->length > 0 ? memchr(bytes->data, '\r', bytes->length) : NULL;
        if (end == NULL || end + 2 > bytes->data + bytes->length)
            return false;
        size_t length = (size_t)(end - bytes->data);
        if (line == 1 && number_parse_u64(slice_of(bytes->data, length), ret_id) < 0)
            return false;
        *bytes = slice_skip(*bytes, length + 2);
    }
    return true;
}

void px_parked_take(struct px_parked *parked, struct slice frame, const struct resp_limits *limits, int64_t now_ns)
{
    struct slice command = slice_skip(frame, header.length);
    struct resp_request request = {0};
    uint64_t id = 0;
    if (take_id(&command, &id) && parse(&request, command, limits)) {
        if (!px_parked_is_any(parked))
            parked->until_ns = end_of(request.argv, request.argc, now_ns);
        parked->worker_id = id;
        parked->is_here = true;
        buf_clear(&parked->command);
        buf_add_slice(&parked->command, command);
    }
    resp_request_free(&request);
}

static void write_time(struct buf *out, int64_t left_ms, int64_t unit_ns)
{
    char text[48];
    int length = unit_ns == NS_PER_MS ? snprintf(text, sizeof(text), "%lld", (long long)left_ms)
                                      : snprintf(text, sizeof(text), "%lld.%03lld", (long long)(left_ms / 1000),
                                                 (long long)(left_ms % 1000));
    resp_write_bulk(out, slice_of(text, (size_t)length));
}

void px_parked_write(const struct px_parked *parked, const struct resp_limits *limits, int64_t now_ns, struct buf *out)
{
    struct slice command = buf_slice(&parked->command);
    if (parked->until_ns == NEVER_NS) {
        buf_add_slice(out, command);
        return;
    }
    struct resp_request request = {0};
    bool parsed = parse(&request, command, limits);
    CHECK(parsed); /* as it was when it was taken */
    int64_t unit_ns;
    size_t index = time_of(request.argv, request.argc, &unit_ns);
    int64_t left_ms = (parked->until_ns - now_ns) / NS_PER_MS;
    resp_write_array(out, request.argc);
    for (size_t i = 0; i < request.argc; i++) {
        if (i == index)
            write_time(out, left_ms > 0 ? left_ms : 1, unit_ns);
        else
            resp_write_bulk(out, request.argv[i]);
    }
    resp_request_free(&request);
}

void px_parked_forget(struct px_parked *parked)
{
    buf_clear(&parked->command);
    buf_shrink(&parked->command, KEPT_BYTES);
    parked->is_here = false;
}

void px_parked_free(struct px_parked *parked)
{
    buf_free(&parked->command);
    *parked = (struct px_parked){0};
}
