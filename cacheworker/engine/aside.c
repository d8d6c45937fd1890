#include "cacheworker/engine/aside.h"

static const struct slice marks[] = {
    [CW_ASIDE_NOW] = SLICE_LITERAL("respite-field-expiry "),
    [CW_ASIDE_OF_NEXT] = SLICE_LITERAL("respite-field-expiry-of-next "),
    [CW_ASIDE_USERS] = SLICE_LITERAL("respite-users "),
    [CW_ASIDE_MIGRATION] = SLICE_LITERAL("respite-migration "),
};

void cw_aside_propagate(struct cw_call *call, enum cw_aside when, struct slice record)
{
    struct buf message = {0};
    buf_add_slice(&message, marks[when]);
    buf_add_slice(&message, record);
    const struct slice argv[] = {SLICE_LITERAL("PING"), buf_slice(&message)};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
    buf_free(&message);
}

void cw_aside_write_field_expiry(struct slice record, struct buf *out)
{
    buf_add_slice(out, marks[CW_ASIDE_NOW]);
    buf_add_slice(out, record);
}

void cw_aside_write_users(struct slice record, struct buf *out)
{
    buf_add_slice(out, marks[CW_ASIDE_USERS]);
    buf_add_slice(out, record);
}

void cw_aside_write_migration(struct slice record, struct buf *out)
{
    buf_add_slice(out, marks[CW_ASIDE_MIGRATION]);
    buf_add_slice(out, record);
}

static bool starts_with(struct slice text, struct slice beginning)
{
    return text.length >= beginning.length && memcmp(text.data, beginning.data, beginning.length) == 0;
}

enum cw_aside cw_aside_read(const struct slice *argv, size_t argc, struct slice *ret_record)
{
    if (argc != 2 || !slice_equal_nocase(argv[0], "ping"))
        return CW_ASIDE_NONE;
    for (enum cw_aside when = CW_ASIDE_NOW; when <= CW_ASIDE_MIGRATION; when++)
        if (starts_with(argv[1], marks[when])) {
            *ret_record = slice_skip(argv[1], marks[when].length);
            return when;
        }
    return CW_ASIDE_NONE;
}
