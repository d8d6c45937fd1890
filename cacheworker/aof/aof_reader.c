#include "cacheworker/aof/aof_reader.h"

#include "common/base/errors.h"
#include "common/resp/resp_limits.h"

enum { NOTE_MAX = 1024 }; /* bytes of a line that begins with # */

static const struct resp_limits limits = RESP_LIMITS_DEFAULT;

/* The length of the line at the front; 0: it is not complete. */
static int64_t read_note(struct slice input)
{
    const char *end = memchr(input.data, '\n', input.length < NOTE_MAX ? input.length : NOTE_MAX);
    if (end != NULL)
        return end + 1 - input.data;
    return input.length < NOTE_MAX ? 0 : ERR_CORRUPT;
}

static int take_note(struct cw_aof_reader *reader, struct slice line)
{
    if (reader->unit_bytes > 0) {
        reader->unit_bytes += line.length;
        return 0;
    }
    int error = reader->note != NULL ? reader->note(reader->context, line) : 0;
    reader->is_refused = error < 0;
    if (error == 0)
        reader->whole += line.length;
    return error;
}

static int take_command(struct cw_aof_reader *reader, struct slice command)
{
    size_t used = 0;
    buf_add_slice(&reader->unit, command);
    reader->unit_bytes += command.length;
    int error = reader->apply(reader->context, buf_slice(&reader->unit), &used);
    reader->is_refused = error < 0;
    if (error < 0)
        return error;
    CHECK(used == 0 || used == buf_length(&reader->unit));
    if (used > 0) {
        buf_clear(&reader->unit);
        reader->whole += reader->unit_bytes;
        reader->unit_bytes = 0;
    }
    return 0;
}

/* What stands at the front: 1 it was taken; 0 it is not complete. */
static int take_next(struct cw_aof_reader *reader)
{
    struct slice input = buf_slice(&reader->input);
    if (input.length == 0)
        return 0;
    bool is_note = input.data[0] == '#';
    if (!is_note && input.data[0] != '*')
        return ERR_CORRUPT;
    int64_t used = is_note ? read_note(input) : resp_request_read(&reader->request, input, &limits);
    if (used <= 0)
        return used < 0 ? ERR_CORRUPT : 0;
    struct slice taken = slice_of(input.data, (size_t)used);
    int error = is_note ? take_note(reader, taken) : take_command(reader, taken);
    buf_consume(&reader->input, (size_t)used);
    return error < 0 ? error : 1;
}

int cw_aof_read(struct cw_aof_reader *reader, struct slice bytes)
{
    int result;
    buf_add_slice(&reader->input, bytes);
    while ((result = take_next(reader)) > 0)
        continue;
    return result;
}

bool cw_aof_reader_is_whole(const struct cw_aof_reader *reader)
{
    return buf_length(&reader->input) == 0 && buf_length(&reader->unit) == 0;
}

void cw_aof_reader_free(struct cw_aof_reader *reader)
{
    buf_free(&reader->input);
    buf_free(&reader->unit);
    resp_request_free(&reader->request);
}
