#include "cacheworker/repl/diverged.h"

#include "cacheworker/engine/aside.h"
#include "common/base/buf.h"
#include "common/resp/resp_reader.h"

#include <stdio.h>

bool cw_tail_find(const struct history *ours, const struct history *theirs, struct cw_tail *ret_tail)
{
    if (history_is_prefix(ours, theirs))
        return false;
    *ret_tail = (struct cw_tail){
        .epoch = history_epoch(ours), .first = history_common_offset(ours, theirs), .end = ours->last_offset};
    return ret_tail->first < ret_tail->end;
}

bool cw_tail_is_held(const struct cw_tail *tail, const struct cw_backlog *backlog)
{
    return backlog->first <= tail->first && tail->end == backlog->end;
}

void cw_tail_name(const struct cw_tail *tail, const char *suffix, char name[CW_TAIL_NAME_MAX])
{
    snprintf(name, CW_TAIL_NAME_MAX, "diverged-%llu.%s", (unsigned long long)tail->epoch, suffix);
}

static void copy(const struct cw_backlog *backlog, uint64_t first, uint64_t end, struct buf *out)
{
    while (first < end) {
        struct slice piece = cw_backlog_read(backlog, first);
        size_t length = piece.length < end - first ? piece.length : (size_t)(end - first);
        buf_add(out, piece.data, length);
        first += length;
    }
}

/* What keeps a link alive and what chooses a database changes no data; an aside that belongs to the next command is one
 * with it. */
static bool is_write(const struct slice *argv, size_t argc)
{
    static const char *const others[] = {"SELECT", "PING", "REPLCONF", "MULTI", "EXEC"};
    struct slice record;
    if (cw_aside_read(argv, argc, &record) == CW_ASIDE_NOW)
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        if (slice_equal_nocase(argv[0], others[i]))
            return false;
    return true;
}

uint64_t cw_tail_writes(const struct cw_tail *tail, const struct cw_backlog *backlog)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct resp_request request = {0};
    struct buf text = {0};
    uint64_t writes = 0;
    copy(backlog, tail->first, tail->end, &text);
    struct slice rest = buf_slice(&text);
    for (;;) {
        int64_t length = resp_request_read(&request, rest, &limits);
        if (length <= 0)
            break;
        writes += request.argc > 0 && is_write(request.argv, request.argc);
        rest = slice_skip(rest, (size_t)length);
    }
    resp_request_free(&request);
    buf_free(&text);
    return writes;
}

/* A stream selects a database before its first write. The last SELECT before the tail says which one it was; where the
 * backlog does not reach so far back it has been the same for a long time, and the first is as likely as any. */
static void add_select(const struct cw_tail *tail, const struct cw_backlog *backlog, struct buf *out)
{
    static const char words[] = "*2\r\n$6\r\nSELECT\r\n$";
    enum { BEHIND_MAX = sizeof("10\r\n4294967295\r\n") };
    struct buf before = {0};
    copy(backlog, backlog->first, tail->first, &before);
    struct slice text = buf_slice(&before);
    const char *found = NULL;
    for (const char *next = text.data; next != NULL;) {
        next = memmem(next, (size_t)(text.data + text.length - next), words, sizeof(words) - 1);
        if (next != NULL)
            found = next++;
    }
    size_t held = found != NULL ? (size_t)(text.data + text.length - found) : 0;
    struct resp_request request = {0};
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    int64_t length = held > 0 ? resp_request_read(&request, slice_of(found, held), &limits) : 0;
    if (length > 0 && length <= (int64_t)(sizeof(words) + BEHIND_MAX))
        buf_add(out, found, (size_t)length);
    else
        buf_add_text(out, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n");
    resp_request_free(&request);
    buf_free(&before);
}

int cw_tail_write(const struct cw_tail *tail, const struct cw_backlog *backlog, const struct storage *storage)
{
    char name[CW_TAIL_NAME_MAX];
    struct buf text = {0};
    void *file;
    cw_tail_name(tail, "aof", name);
    int error = storage->open_write(storage->context, name, &file);
    if (error < 0)
        return error;
    add_select(tail, backlog, &text);
    copy(backlog, tail->first, tail->end, &text);
    error = storage->write(storage->context, file, buf_slice(&text));
    buf_free(&text);
    if (error < 0) {
        storage->close(storage->context, file);
        return error;
    }
    return storage->commit(storage->context, file);
}
