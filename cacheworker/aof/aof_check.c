#include "cacheworker/aof/aof_check.h"

#include "cacheworker/engine/aside.h"
#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/repl/migration.h"
#include "common/base/errors.h"
#include "common/command/command.h"
#include "common/conf/redis_conf.h"
#include "common/resp/resp_limits.h"

#include <inttypes.h>

static const struct slice rdb_begins[] = {SLICE_LITERAL("REDIS"), SLICE_LITERAL("VALKEY")};

enum cw_aof_form cw_aof_form_of(struct slice head)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rdb_begins); i++) {
        size_t common = head.length < rdb_begins[i].length ? head.length : rdb_begins[i].length;
        if (memcmp(head.data, rdb_begins[i].data, common) == 0)
            return common == rdb_begins[i].length ? CW_AOF_IS_RDB : CW_AOF_IS_UNKNOWN;
    }
    return CW_AOF_IS_COMMANDS;
}

/* --- commands, and lines between them --- */

static void note_refusal(struct cw_aof_check *check, struct slice name, const char *why)
{
    enum { SHOWN = 64 };
    buf_clear(&check->refused);
    redis_conf_add_quoted(&check->refused, slice_of(name.data, name.length < SHOWN ? name.length : SHOWN));
    buf_add_text(&check->refused, why);
}

static int refuse(struct cw_aof_check *check, struct slice name, const char *why)
{
    note_refusal(check, name, why);
    return ERR_CORRUPT;
}

/* What a PING tells our own servers. */
static void judge_aside(struct cw_aof_check *check, const struct slice *argv, size_t argc)
{
    struct slice record;
    struct cw_migration_source source;
    enum cw_aside aside = cw_aside_read(argv, argc, &record);
    bool is_of_fields = aside == CW_ASIDE_NOW || aside == CW_ASIDE_OF_NEXT;
    check->waits_for_next = aside == CW_ASIDE_OF_NEXT;
    if (is_of_fields && cw_field_expiry_judge(record) < 0)
        note_refusal(check, argv[0], " does not say which fields expire when");
    else if (aside == CW_ASIDE_MIGRATION && cw_migration_record_read(record, &source) < 0)
        note_refusal(check, argv[0], " does not say from where the data of a group migrate");
    else
        return;
    check->is_wrong = true;
}

static int judge(struct cw_aof_check *check, const struct slice *argv, size_t argc)
{
    if (argc == 0)
        return 0; /* who executes it passes over it */
    const struct command *command = command_resolve(argv, argc);
    if (command == NULL)
        return refuse(check, argv[0], " is no command");
    if (!command_arity_fits(command, argc))
        return refuse(check, argv[0], " has too few or too many arguments");
    bool begins = command->id == COMMAND_ID_MULTI;
    bool ends = command->id == COMMAND_ID_EXEC;
    if (begins && check->is_in_block)
        return refuse(check, argv[0], " stands within another one");
    if (ends && !check->is_in_block)
        return refuse(check, argv[0], " stands without MULTI");
    check->is_in_block = begins || (check->is_in_block && !ends);
    check->commands++;
    judge_aside(check, argv, argc);
    return 0;
}

static int look_at_unit(void *context, struct slice unit, size_t *ret_used)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct cw_aof_check *check = context;
    struct resp_request request = {0};
    int error = 0;
    while (error == 0 && check->scanned < unit.length) {
        int64_t length = resp_request_read(&request, slice_skip(unit, check->scanned), &limits);
        CHECK(length > 0); /* the reader took it for complete */
        error = judge(check, request.argv, request.argc);
        check->scanned += (size_t)length;
    }
    resp_request_free(&request);
    if (error < 0 || check->is_in_block || check->waits_for_next) {
        *ret_used = 0;
        return error;
    }
    *ret_used = unit.length;
    check->scanned = 0;
    cw_place_advance(check->place, unit.length);
    return check->is_wrong ? ERR_CORRUPT : 0;
}

static int look_at_line(void *context, struct slice line)
{
    struct cw_aof_check *check = context;
    if (cw_place_take(check->place, line) == 0)
        return 0;
    while (line.length > 0 && (line.data[line.length - 1] == '\n' || line.data[line.length - 1] == '\r'))
        line.length--;
    return refuse(check, line, " is no place in a group's stream, or none that can follow");
}

/* --- the file --- */

void cw_aof_check_init(struct cw_aof_check *check, struct cw_place *place)
{
    *check = (struct cw_aof_check){.form = CW_AOF_IS_UNKNOWN, .place = place};
    check->reader = (struct cw_aof_reader){.apply = look_at_unit, .note = look_at_line, .context = check};
}

void cw_aof_check_free(struct cw_aof_check *check)
{
    if (check->has_rdb)
        cw_rdb_check_free(&check->rdb);
    cw_aof_reader_free(&check->reader);
    buf_free(&check->head);
    buf_free(&check->refused);
}

static int read_known(struct cw_aof_check *check, struct slice bytes)
{
    while (check->form == CW_AOF_IS_RDB && bytes.length > 0) {
        size_t used = 0;
        int result = cw_rdb_check_read(&check->rdb, bytes, &used);
        if (result < 0)
            return result;
        check->reader.whole += used;
        bytes = slice_skip(bytes, used);
        if (result > 0) {
            check->form = CW_AOF_IS_COMMANDS;
            *check->place = (struct cw_place){.history = check->rdb.load.origin.history};
        }
    }
    return bytes.length > 0 ? cw_aof_read(&check->reader, bytes) : 0;
}

int cw_aof_check_read(struct cw_aof_check *check, struct slice bytes)
{
    if (check->form != CW_AOF_IS_UNKNOWN)
        return read_known(check, bytes);
    buf_add_slice(&check->head, bytes);
    check->form = cw_aof_form_of(buf_slice(&check->head));
    if (check->form == CW_AOF_IS_UNKNOWN)
        return 0;
    check->has_rdb = check->form == CW_AOF_IS_RDB;
    if (check->has_rdb)
        cw_rdb_check_init(&check->rdb);
    int error = read_known(check, buf_slice(&check->head));
    buf_free(&check->head);
    return error;
}

int cw_aof_check_end(const struct cw_aof_check *check)
{
    bool is_whole =
        buf_length(&check->head) == 0 && check->form != CW_AOF_IS_RDB && cw_aof_reader_is_whole(&check->reader);
    return is_whole ? 0 : ERR_TRUNCATED;
}

bool cw_aof_check_is_in_commands(const struct cw_aof_check *check)
{
    return check->form == CW_AOF_IS_COMMANDS;
}

void cw_aof_check_tell(const struct cw_aof_check *check, int error, struct buf *out)
{
    if (check->form == CW_AOF_IS_RDB) {
        cw_rdb_check_tell(&check->rdb, error, out);
        return;
    }
    buf_add_format(out, "at byte %" PRIu64 ": ", check->reader.whole);
    if (error == ERR_CORRUPT && buf_length(&check->refused) > 0)
        buf_add_slice(out, buf_slice(&check->refused));
    else if (error == ERR_CORRUPT)
        buf_add_text(out, "what stands there is no command");
    else if (error == ERR_TRUNCATED)
        buf_add_text(out,
                     check->is_in_block ? "the file ends between MULTI and EXEC" : "the file ends within a command");
    else
        buf_add_text(out, error_text(error));
}

void cw_aof_check_sum_up(const struct cw_aof_check *check, struct buf *out)
{
    if (check->has_rdb) {
        cw_rdb_check_sum_up(&check->rdb, out);
        buf_add_text(out, check->commands > 0 ? "; " : "");
    }
    if (check->commands > 0 || !check->has_rdb)
        buf_add_format(out, "%" PRIu64 " commands", check->commands);
}
