#include "cacheworker/engine/debug_commands.h"

#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/server_commands.h"
#include "cacheworker/info/timing.h"
#include "cacheworker/keyspace/key_commands.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/rdb/rdb_value.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"
#include "common/base/errors.h"
#include "common/base/number.h"

#include <inttypes.h>

enum { LOGGED_MAX = 1024 }; /* bytes of the client's words that are said again */

#define PACKED_THRESHOLD_MAX ((int64_t)4 << 30)

/* --- time --- */

static void debug_sleep(struct cw_call *call)
{
    double seconds;
    if (number_parse_double(call->argv[2], &seconds) < 0 || seconds < 0 || seconds > 1e6) {
        cw_reply_error(call, CW_ERROR_NOT_FLOAT);
        return;
    }
    struct cw_engine *engine = call->engine;
    int64_t sleep_ns = (int64_t)(seconds * (double)NS_PER_S);
    if (engine->config.sleep_ns != NULL)
        engine->config.sleep_ns(sleep_ns); /* what comes behind it waits for the next turn, which knows the time */
    else
        cw_timing_note(engine, call->session, call->command, call->argv, call->argc, sleep_ns);
    engine->sleep_since_ns = engine->now_ns;
    engine->sleep_until_ns = engine->now_ns + sleep_ns;
    resp_write_ok(call->reply); /* it leaves when the sleep is over (output()) */
}

static void debug_set_active_expire(struct cw_call *call)
{
    call->engine->active_expiry = !slice_equal(call->argv[2], SLICE_LITERAL("0"));
    resp_write_ok(call->reply);
}

static void debug_set_disable_deny_scripts(struct cw_call *call)
{
    call->engine->scripting->may_say_all = !slice_equal(call->argv[2], SLICE_LITERAL("0"));
    resp_write_ok(call->reply);
}

static void debug_pause_cron(struct cw_call *call)
{
    call->engine->cron_paused = !slice_equal(call->argv[2], SLICE_LITERAL("0"));
    resp_write_ok(call->reply);
}

static void debug_set_skip_checksum_validation(struct cw_call *call)
{
    call->engine->settings.trusts_dumps = !slice_equal(call->argv[2], SLICE_LITERAL("0"));
    resp_write_ok(call->reply);
}

/* --- data --- */

static bool parse_positive(struct cw_call *call, size_t index, int64_t *ret_number)
{
    if (number_parse_i64(call->argv[index], ret_number) == 0 && *ret_number >= 0)
        return true;
    cw_reply_error(call, "ERR value is out of range, must be positive");
    return false;
}

/* Makes the value so long, with zeros behind it; 0: as it is. */
static void pad(struct buf *value, size_t length)
{
    size_t present = buf_length(value);
    if (length == 0)
        return;
    if (length > present) {
        memset(buf_reserve(value, length - present), 0, length - present);
        buf_commit(value, length - present);
    }
    value->end = value->start + length;
}

static void refuse_digest(struct cw_call *call)
{
    cw_reply_error(call, "ERR there is a value of a type that has no digest");
}

static void debug_digest(struct cw_call *call)
{
    struct cw_digest digest;
    char text[CW_DIGEST_TEXT_LENGTH + 1];
    if (!cw_digest_keyspace(call->keyspace, call->now_ms, &digest)) {
        refuse_digest(call);
        return;
    }
    cw_digest_write(&digest, text);
    resp_write_simple(call->reply, slice_text(text));
}

static void debug_digest_value(struct cw_call *call)
{
    struct buf texts = {0};
    bool is_whole = true;
    for (size_t i = 2; i < call->argc && is_whole; i++) {
        struct cw_digest digest = {{0}};
        char text[CW_DIGEST_TEXT_LENGTH + 1];
        const struct cw_entry *entry = cw_call_peek(call, i);
        is_whole = entry == NULL || cw_digest_value(entry, cw_call_parts_from(call), &digest);
        cw_digest_write(&digest, text);
        resp_write_simple(&texts, slice_text(text));
    }
    if (is_whole) {
        resp_write_array(call->reply, call->argc - 2);
        buf_add_slice(call->reply, buf_slice(&texts));
    } else {
        refuse_digest(call);
    }
    buf_free(&texts);
}

/* Bytes of the value in a snapshot. */
static size_t serialized_length(const struct cw_entry *entry)
{
    struct buf out = {0};
    cw_rdb_add_value(&out, entry);
    size_t length = buf_length(&out);
    buf_free(&out);
    return length;
}

static const void *address_of(const struct cw_entry *entry)
{
    return cw_entry_is_object(entry) ? cw_entry_object(entry) : cw_entry_value(entry).data;
}

static void debug_object(struct cw_call *call)
{
    const struct cw_entry *entry =
        cw_keyspace_standing(call->keyspace, call->database, call->argv[2], cw_call_hash(call, 2));
    if (entry == NULL) {
        cw_reply_error(call, CW_ERROR_NO_KEY);
        return;
    }
    struct buf text = {0};
    buf_add_format(&text, "Value at:%p refcount:%d encoding:%s serializedlength:%zu lru:%u lru_seconds_idle:%u",
                   address_of(entry), cw_entry_refcount(entry), cw_entry_encoding_name(entry), serialized_length(entry),
                   (unsigned)entry->access, cw_access_idle_s(entry->access, call->now_ms));
    resp_write_simple(call->reply, buf_slice(&text));
    buf_free(&text);
}

/* LOADAOF, too, reads back a snapshot that was just written to the disk. */
static void debug_reload(struct cw_call *call)
{
    if (cw_keyspace_snapshot_is_active(call->keyspace)) {
        cw_reply_error(call, "ERR a replica is being given a snapshot; try again later");
        return;
    }
    bool saves = true;
    for (size_t i = 2; i < call->argc; i++) {
        /* A group would fall apart over an older file. */
        if (!slice_equal_nocase(call->argv[i], "nosave") || !call->engine->config.standalone) {
            cw_reply_error(call, "ERR DEBUG RELOAD only supports the NOSAVE option, of a server by itself.");
            return;
        }
        saves = false;
    }
    if (saves && !cw_save_or_refuse(call))
        return;
    int result = cw_repl_reload(call->engine->repl);
    if (result < 0)
        resp_write_error_format(call->reply, "ERR %s", error_text(result));
    else
        resp_write_ok(call->reply);
}

/* Strings "key:0", "key:1" and so on, as far as there are none yet. */
static void debug_populate(struct cw_call *call)
{
    int64_t count, length = 0;
    struct slice prefix = call->argc > 3 ? call->argv[3] : SLICE_LITERAL("key");
    if (!parse_positive(call, 2, &count) || (call->argc == 5 && !parse_positive(call, 4, &length)))
        return;
    if (call->engine->serving != CW_SERVING_MASTER) {
        cw_reply_error(call, "READONLY You can't write against a read only replica.");
        return;
    }
    if ((uint64_t)length > call->settings->limits.bulk_length_max) {
        cw_reply_error(call, CW_ERROR_NOT_INTEGER);
        return;
    }
    struct buf name = {0}, value = {0};
    for (int64_t i = 0; i < count; i++) {
        struct cw_ref ref;
        buf_clear(&name);
        buf_add_format(&name, "%.*s:%" PRId64, (int)prefix.length, prefix.data, i);
        struct slice key = buf_slice(&name);
        if (cw_keyspace_open(call->keyspace, call->database, key, cw_keyspace_hash(call->keyspace, key), call->now_ms,
                             &ref) != NULL)
            continue;
        buf_clear(&value);
        buf_add_format(&value, "value:%" PRId64, i);
        pad(&value, (size_t)length);
        cw_keyspace_put(call->keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, buf_slice(&value));
        cw_call_propagate(call, (struct slice[]){SLICE_LITERAL("SET"), key, buf_slice(&value)}, 3);
        call->dirty++;
    }
    buf_free(&name);
    buf_free(&value);
    resp_write_ok(call->reply);
}

static void debug_change_repl_id(struct cw_call *call)
{
    if (cw_repl_draw_new_id(call->engine->repl))
        resp_write_ok(call->reply);
    else
        cw_reply_error(call, "ERR the history of a group's node has the id that its master gave it");
}

static void debug_sdslen(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_peek(call, 2);
    if (entry == NULL) {
        cw_reply_error(call, CW_ERROR_NO_KEY);
        return;
    }
    if (cw_entry_type(entry) != CW_TYPE_STRING) {
        cw_reply_error(call, "ERR Not an sds encoded string.");
        return;
    }
    size_t key = call->argv[2].length, value = cw_entry_value(entry).length; /* both lie in one block, without room */
    struct buf text = {0};
    buf_add_format(&text,
                   "key_sds_len:%zu, key_sds_avail:0, key_zmalloc: %zu, val_sds_len:%zu, val_sds_avail:0, "
                   "val_zmalloc: %zu",
                   key, key, value, value);
    resp_write_simple(call->reply, buf_slice(&text));
    buf_free(&text);
}

static void debug_listpack(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_peek(call, 2);
    if (entry == NULL)
        cw_reply_error(call, CW_ERROR_NO_KEY);
    else if (strcmp(cw_entry_encoding_name(entry), "listpack") != 0 || cw_entry_is_object(entry))
        cw_reply_error(call, "ERR Not a listpack encoded object.");
    else
        resp_write_simple(call->reply, SLICE_LITERAL("OBJECT and DUMP tell what is in it"));
}

static void debug_htstats(struct cw_call *call)
{
    int database;
    if (!cw_call_int(call, 2, NULL, &database))
        return;
    if (database < 0 || (unsigned)database >= call->engine->config.databases) {
        cw_reply_error(call, "ERR Out of range database");
        return;
    }
    struct buf text = {0};
    unsigned index = (unsigned)database;
    buf_add_format(&text,
                   "[Dictionary HT]\n number of elements: %" PRIu64 "\n bytes: %zu\n[Expires HT]\n number of "
                   "elements: %" PRIu64 "\n",
                   cw_keyspace_count(call->keyspace, index), cw_keyspace_table_bytes(call->keyspace, index),
                   cw_keyspace_count_expires(call->keyspace, index));
    resp_write_verbatim(call->reply, call->protocol, "txt", buf_slice(&text));
    buf_free(&text);
}

/* --- words --- */

static void write_numbers(struct cw_call *call)
{
    for (int64_t i = 0; i < 3; i++)
        resp_write_integer(call->reply, i);
}

static void write_array(struct cw_call *call)
{
    resp_write_array(call->reply, 3);
    write_numbers(call);
}

static void write_set(struct cw_call *call)
{
    resp_write_set(call->reply, call->protocol, 3);
    write_numbers(call);
}

static void write_map(struct cw_call *call)
{
    resp_write_map(call->reply, call->protocol, 3);
    for (int64_t i = 0; i < 3; i++) {
        resp_write_integer(call->reply, i);
        resp_write_boolean(call->reply, call->protocol, i == 1);
    }
}

static void write_attribute(struct cw_call *call)
{
    if (call->protocol > 2) {
        buf_add_text(call->reply, "|1\r\n");
        resp_write_bulk_text(call->reply, "key-popularity");
        resp_write_array(call->reply, 2);
        resp_write_bulk_text(call->reply, "key:123");
        resp_write_integer(call->reply, 90);
    }
    resp_write_bulk_text(call->reply, "Some real reply following the attribute");
}

static void write_push(struct cw_call *call)
{
    if (call->protocol == 2) {
        cw_reply_error(call, "ERR RESP2 is not supported by this command");
        return;
    }
    call->session->flags |= CW_SESSION_PUSHED;
    resp_write_push(call->reply, call->protocol, 2);
    resp_write_bulk_text(call->reply, "server-cpu-usage");
    resp_write_integer(call->reply, 42);
    resp_write_bulk_text(call->reply, "Some real reply following the push reply");
}

/* The reply types of the protocol, with the reference's samples, on which tests of clients rely. */
static void debug_protocol(struct cw_call *call)
{
    struct slice type = call->argv[2];
    struct buf *out = call->reply;
    int protocol = call->protocol;
    if (slice_equal_nocase(type, "string"))
        resp_write_bulk_text(out, "Hello World");
    else if (slice_equal_nocase(type, "integer"))
        resp_write_integer(out, 12345);
    else if (slice_equal_nocase(type, "double"))
        resp_write_double(out, protocol, 3.141);
    else if (slice_equal_nocase(type, "null"))
        resp_write_null(out, protocol);
    else if (slice_equal_nocase(type, "array"))
        write_array(call);
    else if (slice_equal_nocase(type, "set"))
        write_set(call);
    else if (slice_equal_nocase(type, "map"))
        write_map(call);
    else if (slice_equal_nocase(type, "attrib"))
        write_attribute(call);
    else if (slice_equal_nocase(type, "push"))
        write_push(call);
    else if (slice_equal_nocase(type, "verbatim"))
        resp_write_verbatim(out, protocol, "txt", SLICE_LITERAL("This is a verbatim\nstring"));
    else if (slice_equal_nocase(type, "true") || slice_equal_nocase(type, "false"))
        resp_write_boolean(out, protocol, slice_equal_nocase(type, "true"));
    else if (slice_equal_nocase(type, "bignum"))
        resp_write_big_number(out, protocol, SLICE_LITERAL("1234567999999999999999999999999999999"));
    else
        cw_reply_error(call, "ERR Wrong protocol type name. Please use one of the following: string|integer|double|"
                             "bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

static void debug_error(struct cw_call *call)
{
    resp_write_error(call->reply, call->argv[2]);
}

static void debug_log(struct cw_call *call)
{
    struct slice words = call->argv[2];
    effect_log(call->engine->effects, LOG_LEVEL_WARNING, "DEBUG LOG: %.*s",
               (int)(words.length < LOGGED_MAX ? words.length : LOGGED_MAX), words.data);
    resp_write_ok(call->reply);
}

/* --- knobs that this engine does not have --- */

static void debug_quicklist_packed_threshold(struct cw_call *call)
{
    int64_t bytes;
    if (cw_settings_parse_memory(call->argv[2], &bytes) < 0 || bytes < 0 || bytes > PACKED_THRESHOLD_MAX)
        cw_reply_error(call, "ERR argument must be a memory value bigger than 1 and smaller than 4gb");
    else
        resp_write_ok(call->reply);
}

static void debug_nothing(struct cw_call *call)
{
    resp_write_ok(call->reply);
}

static void debug_replybuffer(struct cw_call *call)
{
    int64_t milliseconds;
    struct slice value = call->argv[3];
    if (slice_equal_nocase(call->argv[2], "resizing"))
        resp_write_ok(call->reply);
    else if (!slice_equal_nocase(call->argv[2], "peak-reset-time"))
        cw_reply_subcommand_syntax_error(call);
    else if (slice_equal_nocase(value, "never") || slice_equal_nocase(value, "reset") ||
             cw_call_integer(call, 3, &milliseconds))
        resp_write_ok(call->reply);
}

/* --- which of them --- */

static void debug_help(struct cw_call *call)
{
    static const char *const lines[] = {
        "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANGE-REPL-ID -- a new id for the stream of a server by itself.",
        "DICT-RESIZING <0|1>, REPLYBUFFER <option> <value>, SET-DISABLE-DENY-SCRIPTS <0|1> -- nothing.",
        "DIGEST -- a signature of all data.",
        "DIGEST-VALUE <key> [<key> ...] -- a signature of the value of each key.",
        "ERROR <text> -- the text as an error.",
        "HELP -- these lines.",
        "HTSTATS <database> -- how large the table of keys is.",
        "LISTPACK <key> -- whether the value is a listpack.",
        "LOADAOF -- as RELOAD.",
        "LOG <text> -- the text, in the log.",
        "OBJECT <key> -- how the value of the key is kept.",
        "PAUSE-CRON <0|1> -- whether nothing is done that nobody asked for: expiry, and closing of idle clients.",
        "POPULATE <count> [<prefix> [<length>]] -- so many strings.",
        "PROTOCOL <type> -- a sample of a reply: string, integer, double, bignum, null, array, set, map, attrib, push,",
        "    verbatim, true, false.",
        "QUICKLIST-PACKED-THRESHOLD <size> -- nothing: lists here have no such threshold.",
        "RELOAD -- the data, saved and loaded again.",
        "SDSLEN <key> -- lengths of the key and its string.",
        "SET-ACTIVE-EXPIRE <0|1> -- whether keys that are due are deleted before somebody asks for them.",
        "SET-SKIP-CHECKSUM-VALIDATION <0|1> -- whether RESTORE takes payloads whatever their checksum is.",
        "SLEEP <seconds> -- no command is executed for so long.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}

static const struct word {
    const char *name;
    size_t argc_min, argc_max;
    cw_command_function function;
} words[] = {
    {"change-repl-id", 2, 2, debug_change_repl_id},
    {"dict-resizing", 3, 3, debug_nothing},
    {"digest", 2, 2, debug_digest},
    {"digest-value", 2, SIZE_MAX, debug_digest_value},
    {"error", 3, 3, debug_error},
    {"help", 2, 2, debug_help},
    {"htstats", 3, 4, debug_htstats},
    {"listpack", 3, 3, debug_listpack},
    {"loadaof", 2, 2, debug_reload},
    {"log", 3, 3, debug_log},
    {"object", 3, 3, debug_object},
    {"pause-cron", 3, 3, debug_pause_cron},
    {"populate", 3, 5, debug_populate},
    {"protocol", 3, 3, debug_protocol},
    {"quicklist-packed-threshold", 3, 3, debug_quicklist_packed_threshold},
    {"reload", 2, SIZE_MAX, debug_reload},
    {"replybuffer", 4, 4, debug_replybuffer},
    {"sdslen", 3, 3, debug_sdslen},
    {"set-active-expire", 3, 3, debug_set_active_expire},
    {"set-disable-deny-scripts", 3, 3, debug_set_disable_deny_scripts},
    {"set-skip-checksum-validation", 3, 3, debug_set_skip_checksum_validation},
    {"sleep", 3, 3, debug_sleep},
};

static const struct word *find_word(const struct cw_call *call)
{
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (slice_equal_nocase(call->argv[1], words[i].name) && call->argc >= words[i].argc_min &&
            call->argc <= words[i].argc_max)
            return &words[i];
    }
    return NULL;
}

void cw_debug_command(struct cw_call *call)
{
    if (!call->engine->config.enable_debug_command) {
        cw_reply_error(call,
                       "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you "
                       "can run it from a local connection, otherwise you need to set this option in the "
                       "configuration file, and then restart the server.");
        return;
    }
    const struct word *word = find_word(call);
    if (word != NULL)
        word->function(call);
    else
        cw_reply_subcommand_syntax_error(call);
}
