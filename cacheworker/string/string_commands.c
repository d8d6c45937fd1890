#include "cacheworker/string/string_commands.h"

#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/string/condition.h"
#include "cacheworker/string/lcs.h"
#include "cacheworker/string/long_double.h"
#include "cacheworker/string/string_edit.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"

#include <math.h>

static bool is_string(struct cw_call *call, const struct cw_entry *entry)
{
    return cw_call_is_type(call, entry, CW_TYPE_STRING);
}

/* Replies the error when a string of `length` bytes, and `more` behind them, would be too long. */
static bool length_fits(struct cw_call *call, size_t length, size_t more)
{
    size_t max = cw_string_length_max(call);
    if (length <= max && more <= max - length)
        return true;
    cw_reply_error(call, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

static void reply_value(struct cw_call *call, const struct cw_entry *entry)
{
    if (entry)
        resp_write_bulk(call->reply, cw_entry_value(entry));
    else
        resp_write_null(call->reply, call->protocol);
}

static void put_plain(struct cw_call *call, struct cw_ref *ref, struct slice value, int64_t expire_ms)
{
    cw_keyspace_put_expiring(call->keyspace, ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, value, expire_ms);
    call->dirty++;
}

static void set(struct cw_call *call, struct cw_ref *ref, struct slice value, int64_t expire_ms)
{
    put_plain(call, ref, value, expire_ms);
    cw_call_notify(call, CW_NOTIFY_STRING, "set", ref->key);
}

static void delete (struct cw_call *call, struct cw_ref *ref)
{
    cw_keyspace_delete(call->keyspace, ref);
    cw_call_notify(call, CW_NOTIFY_GENERIC, "del", ref->key);
    call->dirty++;
}

/* ---- GET and its relatives ---- */

void cw_get_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_string(call, entry))
        reply_value(call, entry);
}

void cw_mget_command(struct cw_call *call)
{
    resp_write_array(call->reply, call->argc - 1);
    struct cw_key_group group = {.next = 1};
    while (cw_key_group_next(&group, call, 1))
        for (size_t i = 0; i < group.count && !cw_reply_is_full(call); i++) {
            const struct cw_entry *entry = cw_keyspace_read(call->keyspace, call->database, call->argv[group.first + i],
                                                            group.hashes[i], call->now_ms);
            reply_value(call, entry && cw_entry_type(entry) == CW_TYPE_STRING ? entry : NULL);
        }
}

void cw_strlen_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_string(call, entry))
        resp_write_integer(call->reply, entry ? (int64_t)cw_entry_value(entry).length : 0);
}

/* The part of `value` from first to last, which count from the end when negative. */
static struct slice part(struct slice value, int64_t first, int64_t last)
{
    int64_t length = (int64_t)value.length;
    if (first < 0 && last < 0 && first > last)
        return slice_of(NULL, 0);
    if (first < 0)
        first = first < -length ? 0 : first + length;
    if (last < 0)
        last = last < -length ? 0 : last + length;
    if (last >= length)
        last = length - 1;
    if (first > last || length == 0)
        return slice_of(NULL, 0);
    return slice_of(value.data + first, (size_t)(last - first + 1));
}

void cw_getrange_command(struct cw_call *call)
{
    int64_t first;
    int64_t last;
    if (!cw_call_integer(call, 2, &first) || !cw_call_integer(call, 3, &last))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_string(call, entry))
        resp_write_bulk(call->reply, entry ? part(cw_entry_value(entry), first, last) : slice_of(NULL, 0));
}

void cw_getdel_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_string(call, entry))
        return;
    reply_value(call, entry);
    struct cw_ref ref;
    if (!entry || !cw_call_open(call, 1, &ref))
        return;
    delete (call, &ref);
    cw_call_propagate_del(call, call->argv[1]);
}

void cw_getset_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_string(call, entry))
        return;
    reply_value(call, entry);
    struct cw_ref ref;
    cw_call_open(call, 1, &ref);
    set(call, &ref, call->argv[2], CW_NO_EXPIRY);
    const struct slice argv[] = {SLICE_LITERAL("SET"), call->argv[1], call->argv[2]};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

/* ---- SET, GETEX and others, and their options ---- */

enum {
    OPTION_NX = 1 << 0,
    OPTION_XX = 1 << 1,
    OPTION_GET = 1 << 2,
    OPTION_KEEPTTL = 1 << 3,
    OPTION_PERSIST = 1 << 4,
    OPTION_EX = 1 << 5,
    OPTION_PX = 1 << 6,
    OPTION_EXAT = 1 << 7,
    OPTION_PXAT = 1 << 8,
    OPTION_IFEQ = 1 << 9,
    OPTION_IFNE = 1 << 10,
    OPTION_IFDEQ = 1 << 11,
    OPTION_IFDNE = 1 << 12,
    OPTIONS_TIME = OPTION_EX | OPTION_PX | OPTION_EXAT | OPTION_PXAT,
    OPTIONS_EXPIRY = OPTIONS_TIME | OPTION_KEEPTTL | OPTION_PERSIST,
    OPTIONS_EXISTENCE = OPTION_NX | OPTION_XX,
    OPTIONS_MATCH = OPTION_IFEQ | OPTION_IFNE | OPTION_IFDEQ | OPTION_IFDNE,
    OPTIONS_CONDITION = OPTIONS_EXISTENCE | OPTIONS_MATCH,
    OPTIONS_OF_SET = OPTIONS_CONDITION | OPTION_GET | OPTION_KEEPTTL | OPTIONS_TIME,
    OPTIONS_OF_MSETEX = OPTIONS_EXISTENCE | OPTION_KEEPTTL | OPTIONS_TIME,
    OPTIONS_OF_GETEX = OPTION_PERSIST | OPTIONS_TIME,
};

static const struct option {
    const char *name;
    unsigned bit;
    unsigned excludes; /* options that may not have been seen yet */
} option_table[] = {
    {"nx", OPTION_NX, OPTIONS_CONDITION & ~OPTION_NX},
    {"xx", OPTION_XX, OPTIONS_CONDITION & ~OPTION_XX},
    {"get", OPTION_GET, 0},
    {"keepttl", OPTION_KEEPTTL, OPTIONS_TIME},
    {"persist", OPTION_PERSIST, OPTIONS_TIME},
    {"ex", OPTION_EX, OPTIONS_EXPIRY & ~OPTION_EX},
    {"px", OPTION_PX, OPTIONS_EXPIRY & ~OPTION_PX},
    {"exat", OPTION_EXAT, OPTIONS_EXPIRY & ~OPTION_EXAT},
    {"pxat", OPTION_PXAT, OPTIONS_EXPIRY & ~OPTION_PXAT},
    {"ifeq", OPTION_IFEQ, OPTIONS_CONDITION & ~OPTION_IFEQ},
    {"ifne", OPTION_IFNE, OPTIONS_CONDITION & ~OPTION_IFNE},
    {"ifdeq", OPTION_IFDEQ, OPTIONS_CONDITION & ~OPTION_IFDEQ},
    {"ifdne", OPTION_IFDNE, OPTIONS_CONDITION & ~OPTION_IFDNE},
};

static const struct option *find_option(struct slice word, unsigned allowed)
{
    for (size_t i = 0; i < ARRAY_LENGTH(option_table); i++)
        if (option_table[i].bit & allowed && slice_equal_nocase(word, option_table[i].name))
            return &option_table[i];
    return NULL;
}

struct options {
    unsigned seen;
    size_t time_index;  /* of what stands behind one of OPTIONS_TIME */
    size_t match_index; /* of what stands behind one of OPTIONS_MATCH */
};

/* Reads the options from argv[first] on. False: the syntax error was replied. */
static bool parse_options(struct cw_call *call, size_t first, unsigned allowed, struct options *ret_options)
{
    struct options options = {0};
    for (size_t i = first; i < call->argc; i++) {
        const struct option *option = find_option(call->argv[i], allowed);
        bool takes_word = option && option->bit & (OPTIONS_TIME | OPTIONS_MATCH);
        if (!option || option->excludes & options.seen || (takes_word && i + 1 == call->argc)) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
        options.seen |= option->bit;
        if (option->bit & OPTIONS_TIME)
            options.time_index = ++i;
        else if (option->bit & OPTIONS_MATCH)
            options.match_index = ++i;
    }
    *ret_options = options;
    return true;
}

/* The date that the time option means; CW_NO_EXPIRY when there is none. */
static bool parse_time(struct cw_call *call, const struct options *options, int64_t *ret_expire_ms)
{
    if (!(options->seen & OPTIONS_TIME)) {
        *ret_expire_ms = CW_NO_EXPIRY;
        return true;
    }
    int64_t unit_ms = options->seen & (OPTION_EX | OPTION_EXAT) ? 1000 : 1;
    int64_t base_ms = options->seen & (OPTION_EX | OPTION_PX) ? call->now_ms : 0;
    return cw_call_expire_ms(call, options->time_index, unit_ms, base_ms, true, ret_expire_ms);
}

static void propagate_set_pxat(struct cw_call *call, struct slice key, struct slice value, int64_t expire_ms)
{
    char text[NUMBER_TEXT_MAX];
    const struct slice argv[] = {SLICE_LITERAL("SET"), key, value, SLICE_LITERAL("PXAT"),
                                 slice_of(text, number_format_i64(text, expire_ms))};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

/* What a SET that was carried out is to the others: its conditions are settled, and nobody there waits for a reply. */
static void propagate_set(struct cw_call *call, struct slice key, struct slice value, unsigned options,
                          int64_t expire_ms)
{
    const struct slice argv[] = {SLICE_LITERAL("SET"), key, value, SLICE_LITERAL("KEEPTTL")};
    if (options & OPTIONS_TIME)
        propagate_set_pxat(call, key, value, expire_ms);
    else
        cw_call_propagate(call, argv, options & OPTION_KEEPTTL ? 4 : 3);
}

enum verdict {
    VERDICT_NO,
    VERDICT_YES,
    VERDICT_ERROR, /* replied */
};

/* Whether an existing string is as one of OPTIONS_MATCH asks. */
static enum verdict judge_value(struct cw_call *call, unsigned option, struct slice operand,
                                const struct cw_entry *entry)
{
    struct cw_condition condition = {.is_negated = option & (OPTION_IFNE | OPTION_IFDNE),
                                     .is_digest = option & (OPTION_IFDEQ | OPTION_IFDNE),
                                     .operand = operand};
    if (!cw_condition_is_sound(&condition)) {
        cw_reply_error(call, "ERR must be exactly 16 hexadecimal characters");
        return VERDICT_ERROR;
    }
    return cw_condition_holds(&condition, cw_entry_value(entry)) ? VERDICT_YES : VERDICT_NO;
}

/* Whether the conditions of a SET let it change the key. */
static enum verdict judge_set(struct cw_call *call, const struct options *options, const struct cw_entry *entry)
{
    if (options->seen & OPTIONS_MATCH && entry)
        return is_string(call, entry)
                   ? judge_value(call, options->seen & OPTIONS_MATCH, call->argv[options->match_index], entry)
                   : VERDICT_ERROR;
    bool is_denied = entry ? options->seen & OPTION_NX : options->seen & (OPTION_XX | OPTION_IFEQ | OPTION_IFDEQ);
    return is_denied ? VERDICT_NO : VERDICT_YES;
}

static void set_with_options(struct cw_call *call)
{
    struct options options;
    int64_t expire_ms;
    if (!parse_options(call, 3, OPTIONS_OF_SET, &options) || !parse_time(call, &options, &expire_ms))
        return;
    bool wants_old = options.seen & OPTION_GET;
    if (wants_old && !is_string(call, cw_call_read(call, 1)))
        return;

    struct cw_ref ref;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    enum verdict verdict = judge_set(call, &options, entry);
    if (verdict == VERDICT_ERROR)
        return;
    if (wants_old)
        reply_value(call, entry);
    else if (verdict == VERDICT_YES)
        resp_write_ok(call->reply);
    else
        resp_write_null(call->reply, call->protocol);
    if (verdict == VERDICT_NO)
        return;
    if (options.seen & OPTION_KEEPTTL && entry)
        expire_ms = cw_entry_expire_ms(entry);
    set(call, &ref, call->argv[2], expire_ms);
    if (options.seen & OPTIONS_TIME)
        cw_call_notify(call, CW_NOTIFY_GENERIC, "expire", ref.key);
    if (options.seen & (OPTIONS_TIME | OPTIONS_MATCH | OPTION_GET))
        propagate_set(call, call->argv[1], call->argv[2], options.seen, expire_ms);
}

void cw_set_command(struct cw_call *call)
{
    if (call->argc > 3) {
        set_with_options(call);
        return;
    }
    struct cw_ref ref;
    cw_call_open(call, 1, &ref);
    set(call, &ref, call->argv[2], CW_NO_EXPIRY);
    resp_write_ok(call->reply);
}

void cw_setnx_command(struct cw_call *call)
{
    struct cw_ref ref;
    bool exists = cw_call_open(call, 1, &ref) != NULL;
    if (!exists)
        set(call, &ref, call->argv[2], CW_NO_EXPIRY);
    resp_write_integer(call->reply, !exists);
}

static void set_expiring(struct cw_call *call, int64_t unit_ms)
{
    int64_t expire_ms;
    if (!cw_call_expire_ms(call, 2, unit_ms, call->now_ms, true, &expire_ms))
        return;
    struct cw_ref ref;
    cw_call_open(call, 1, &ref);
    set(call, &ref, call->argv[3], expire_ms);
    cw_call_notify(call, CW_NOTIFY_GENERIC, "expire", ref.key);
    propagate_set_pxat(call, call->argv[1], call->argv[3], expire_ms);
    resp_write_ok(call->reply);
}

void cw_setex_command(struct cw_call *call)
{
    set_expiring(call, 1000);
}

void cw_psetex_command(struct cw_call *call)
{
    set_expiring(call, 1);
}

/* GETEX has replied the value; now its options work on the key. */
static void getex_apply(struct cw_call *call, unsigned options, int64_t expire_ms)
{
    struct cw_ref ref;
    cw_call_open(call, 1, &ref);
    if (options & (OPTION_EXAT | OPTION_PXAT) && cw_call_deletes_at(call, expire_ms)) {
        delete (call, &ref);
        cw_call_propagate_expired(call, call->argv[1]);
    } else if (options & OPTIONS_TIME) {
        cw_keyspace_expire(call->keyspace, &ref, expire_ms);
        cw_call_notify(call, CW_NOTIFY_GENERIC, "expire", ref.key);
        cw_call_propagate_pexpireat(call, call->argv[1], expire_ms);
        call->dirty++;
    } else if (cw_keyspace_persist(call->keyspace, &ref)) {
        const struct slice argv[] = {SLICE_LITERAL("PERSIST"), call->argv[1]};
        cw_call_notify(call, CW_NOTIFY_GENERIC, "persist", ref.key);
        cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
        call->dirty++;
    }
}

void cw_getex_command(struct cw_call *call)
{
    struct options options;
    int64_t expire_ms;
    if (!parse_options(call, 2, OPTIONS_OF_GETEX, &options))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_string(call, entry))
        return;
    if (entry && !parse_time(call, &options, &expire_ms))
        return;
    reply_value(call, entry);
    if (entry && options.seen != 0)
        getex_apply(call, options.seen, expire_ms);
}

/* ---- DIGEST, DELEX, DELIFEQ ---- */

void cw_digest_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_string(call, entry))
        return;
    if (!entry) {
        resp_write_null(call->reply, call->protocol);
        return;
    }
    char text[CW_DIGEST_LENGTH];
    cw_digest_format(text, cw_entry_value(entry));
    resp_write_bulk(call->reply, slice_of(text, sizeof(text)));
}

static enum verdict judge_delex(struct cw_call *call, const struct cw_entry *entry)
{
    if (!entry)
        return VERDICT_NO;
    if (call->argc == 2)
        return VERDICT_YES;
    if (cw_entry_type(entry) != CW_TYPE_STRING) {
        cw_reply_error(call, "ERR Key should be of string type if conditions are specified");
        return VERDICT_ERROR;
    }
    const struct option *option = find_option(call->argv[2], OPTIONS_MATCH);
    if (!option) {
        cw_reply_error(call, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
        return VERDICT_ERROR;
    }
    return judge_value(call, option->bit, call->argv[3], entry);
}

static void delete_if(struct cw_call *call, struct cw_ref *ref, enum verdict verdict)
{
    if (verdict == VERDICT_ERROR)
        return;
    resp_write_integer(call->reply, verdict == VERDICT_YES);
    if (verdict == VERDICT_NO)
        return;
    delete (call, ref);
    cw_call_propagate_del(call, ref->key);
}

void cw_delex_command(struct cw_call *call)
{
    if (call->argc != 2 && call->argc != 4) {
        resp_write_error_format(call->reply, "ERR wrong number of arguments for '%s' command",
                                call->command->full_name);
        return;
    }
    struct cw_ref ref;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    delete_if(call, &ref, judge_delex(call, entry));
}

void cw_delifeq_command(struct cw_call *call)
{
    struct cw_ref ref;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    if (is_string(call, entry))
        delete_if(call, &ref, entry ? judge_value(call, OPTION_IFEQ, call->argv[2], entry) : VERDICT_NO);
}

/* ---- Several keys ---- */

static bool pairs_are_complete(struct cw_call *call)
{
    if (call->argc % 2 == 1)
        return true;
    resp_write_error_format(call->reply, "ERR wrong number of arguments for '%s' command", call->command->full_name);
    return false;
}

/* Sets the pairs from argv[first] on. */
static void set_pairs(struct cw_call *call, size_t first, bool keep_expiry, int64_t expire_ms)
{
    struct cw_key_group group = {.next = first};
    while (cw_key_group_next(&group, call, 2))
        for (size_t i = 0; i < group.count; i++) {
            size_t index = group.first + 2 * i;
            struct cw_ref ref;
            const struct cw_entry *entry = cw_keyspace_open(call->keyspace, call->database, call->argv[index],
                                                            group.hashes[i], call->now_ms, &ref);
            set(call, &ref, call->argv[index + 1], keep_expiry && entry ? cw_entry_expire_ms(entry) : expire_ms);
        }
}

/* Whether one of the keys of the pairs from argv[first] to argv[end] exists, or is absent. */
static bool any_key_is(const struct cw_call *call, size_t first, size_t end, bool present)
{
    for (size_t i = first; i < end; i += 2)
        if ((cw_call_peek(call, i) != NULL) == present)
            return true;
    return false;
}

void cw_mset_command(struct cw_call *call)
{
    if (!pairs_are_complete(call))
        return;
    set_pairs(call, 1, false, CW_NO_EXPIRY);
    resp_write_ok(call->reply);
}

void cw_msetnx_command(struct cw_call *call)
{
    if (!pairs_are_complete(call))
        return;
    if (any_key_is(call, 1, call->argc, true)) {
        resp_write_integer(call->reply, 0);
        return;
    }
    set_pairs(call, 1, false, CW_NO_EXPIRY);
    resp_write_integer(call->reply, 1);
}

/* MSETEX as a MSET or as SETs, which every replica knows. */
static void propagate_msetex(struct cw_call *call, const struct options *options, int64_t expire_ms, size_t end)
{
    if (options->seen & (OPTIONS_TIME | OPTION_KEEPTTL)) {
        for (size_t i = 2; i < end; i += 2)
            propagate_set(call, call->argv[i], call->argv[i + 1], options->seen, expire_ms);
        return;
    }
    struct slice *argv = mem_alloc((end - 1) * sizeof(*argv));
    argv[0] = SLICE_LITERAL("MSET");
    memcpy(argv + 1, call->argv + 2, (end - 2) * sizeof(*argv));
    cw_call_propagate(call, argv, end - 1);
    mem_free(argv);
}

void cw_msetex_command(struct cw_call *call)
{
    static const char bad_count[] = "ERR invalid numkeys value";
    struct options options;
    int64_t expire_ms;
    int count;
    if (!cw_call_int(call, 1, bad_count, &count))
        return;
    if (count < 1) {
        cw_reply_error(call, bad_count);
        return;
    }
    size_t end = 2 + 2 * (size_t)count;
    if (end > call->argc) {
        cw_reply_error(call, "ERR wrong number of key-value pairs");
        return;
    }
    if (!parse_options(call, end, OPTIONS_OF_MSETEX, &options) || !parse_time(call, &options, &expire_ms))
        return;
    if (options.seen & OPTIONS_EXISTENCE && any_key_is(call, 2, end, options.seen & OPTION_NX)) {
        resp_write_integer(call->reply, 0);
        return;
    }
    struct cw_call pairs = *call; /* without the options, which are no keys */
    pairs.argc = end;
    set_pairs(&pairs, 2, options.seen & OPTION_KEEPTTL, expire_ms);
    call->dirty = pairs.dirty;
    propagate_msetex(call, &options, expire_ms, end);
    resp_write_integer(call->reply, 1);
}

/* ---- Editing ---- */

/* The value's bytes, made `length` long, or the error. */
static char *edit(struct cw_call *call, struct cw_ref *ref, size_t length)
{
    char *bytes = cw_string_edit(call, ref, length);
    if (bytes)
        call->dirty++;
    return bytes;
}

void cw_append_command(struct cw_call *call)
{
    struct slice more = call->argv[2];
    struct cw_ref ref;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    if (!is_string(call, entry))
        return;
    if (!entry) {
        put_plain(call, &ref, more, CW_NO_EXPIRY);
        cw_call_notify(call, CW_NOTIFY_STRING, "append", ref.key);
        resp_write_integer(call->reply, (int64_t)more.length);
        return;
    }
    size_t length = cw_entry_value(entry).length;
    if (!length_fits(call, length, more.length))
        return;
    char *bytes = edit(call, &ref, length + more.length);
    if (!bytes)
        return;
    memcpy(bytes + length, more.data, more.length);
    cw_call_notify(call, CW_NOTIFY_STRING, "append", ref.key);
    resp_write_integer(call->reply, (int64_t)(length + more.length));
}

void cw_setrange_command(struct cw_call *call)
{
    struct slice patch = call->argv[3];
    int64_t offset;
    if (!cw_call_integer(call, 2, &offset))
        return;
    if (offset < 0) {
        cw_reply_error(call, "ERR offset is out of range");
        return;
    }
    struct cw_ref ref;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    if (!is_string(call, entry))
        return;
    size_t length = entry ? cw_entry_value(entry).length : 0;
    if (patch.length == 0) {
        resp_write_integer(call->reply, (int64_t)length);
        return;
    }
    if (!length_fits(call, (size_t)offset, patch.length))
        return;
    size_t end = (size_t)offset + patch.length;
    char *bytes = edit(call, &ref, end > length ? end : length);
    if (!bytes)
        return;
    memcpy(bytes + offset, patch.data, patch.length);
    cw_call_notify(call, CW_NOTIFY_STRING, "setrange", ref.key);
    resp_write_integer(call->reply, (int64_t)(end > length ? end : length));
}

static void add_integer(struct cw_call *call, int64_t increment)
{
    struct cw_ref ref;
    int64_t number = 0;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    if (!is_string(call, entry))
        return;
    if (entry && number_parse_i64(cw_entry_value(entry), &number) < 0) {
        cw_reply_error(call, CW_ERROR_NOT_INTEGER);
        return;
    }
    if (__builtin_add_overflow(number, increment, &number)) {
        cw_reply_error(call, "ERR increment or decrement would overflow");
        return;
    }
    char text[NUMBER_TEXT_MAX];
    size_t length = number_format_i64(text, number);
    cw_keyspace_put(call->keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, slice_of(text, length));
    cw_call_notify(call, CW_NOTIFY_STRING, "incrby", ref.key);
    call->dirty++;
    resp_write_integer(call->reply, number);
}

void cw_incr_command(struct cw_call *call)
{
    add_integer(call, 1);
}

void cw_decr_command(struct cw_call *call)
{
    add_integer(call, -1);
}

void cw_incrby_command(struct cw_call *call)
{
    int64_t increment;
    if (cw_call_integer(call, 2, &increment))
        add_integer(call, increment);
}

void cw_decrby_command(struct cw_call *call)
{
    int64_t decrement;
    if (!cw_call_integer(call, 2, &decrement))
        return;
    if (decrement == INT64_MIN)
        cw_reply_error(call, "ERR decrement would overflow");
    else
        add_integer(call, -decrement);
}

void cw_incrbyfloat_command(struct cw_call *call)
{
    struct cw_ref ref;
    long double number = 0;
    long double increment;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    if (!is_string(call, entry))
        return;
    if ((entry && cw_long_double_parse(cw_entry_value(entry), &number) < 0) ||
        cw_long_double_parse(call->argv[2], &increment) < 0) {
        cw_reply_error(call, CW_ERROR_NOT_FLOAT);
        return;
    }
    number += increment;
    if (isnan(number) || isinf(number)) {
        cw_reply_error(call, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[CW_LONG_DOUBLE_TEXT_MAX];
    struct slice value = slice_of(text, cw_long_double_format(text, number));
    cw_keyspace_put(call->keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_TEXT, value);
    cw_call_notify(call, CW_NOTIFY_STRING, "incrbyfloat", ref.key);
    call->dirty++;
    resp_write_bulk(call->reply, value);
    /* Another machine may round otherwise, so the others get the result. */
    const struct slice argv[] = {SLICE_LITERAL("SET"), call->argv[1], value, SLICE_LITERAL("KEEPTTL")};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

/* ---- LCS ---- */

struct lcs_options {
    bool length_only;
    bool indexes;
    bool match_lengths;
    int64_t match_length_min;
};

static bool parse_lcs_options(struct cw_call *call, struct lcs_options *ret_options)
{
    struct lcs_options options = {0};
    for (size_t i = 3; i < call->argc; i++) {
        struct slice word = call->argv[i];
        if (slice_equal_nocase(word, "idx")) {
            options.indexes = true;
        } else if (slice_equal_nocase(word, "len")) {
            options.length_only = true;
        } else if (slice_equal_nocase(word, "withmatchlen")) {
            options.match_lengths = true;
        } else if (slice_equal_nocase(word, "minmatchlen") && i + 1 < call->argc) {
            if (!cw_call_integer(call, ++i, &options.match_length_min))
                return false;
        } else {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    if (options.indexes && options.length_only) {
        cw_reply_error(call, "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    *ret_options = options;
    return true;
}

struct lcs_matches {
    const struct lcs_options *options;
    struct buf text;
    uint64_t count;
};

static void write_range(struct buf *out, size_t first, size_t last)
{
    resp_write_array(out, 2);
    resp_write_integer(out, (int64_t)first);
    resp_write_integer(out, (int64_t)last);
}

static void lcs_add_match(void *context, const struct cw_lcs_range *range)
{
    struct lcs_matches *matches = context;
    int64_t length = (int64_t)(range->a_last - range->a_first + 1);
    if (length < matches->options->match_length_min)
        return;
    matches->count++;
    resp_write_array(&matches->text, matches->options->match_lengths ? 3 : 2);
    write_range(&matches->text, range->a_first, range->a_last);
    write_range(&matches->text, range->b_first, range->b_last);
    if (matches->options->match_lengths)
        resp_write_integer(&matches->text, length);
}

static void lcs_reply_indexes(struct cw_call *call, const struct cw_lcs *lcs, const struct lcs_options *options)
{
    struct lcs_matches matches = {.options = options};
    cw_lcs_ranges(lcs, lcs_add_match, &matches);
    resp_write_map(call->reply, call->protocol, 2);
    resp_write_bulk_text(call->reply, "matches");
    resp_write_array(call->reply, matches.count);
    buf_add_slice(call->reply, buf_slice(&matches.text));
    resp_write_bulk_text(call->reply, "len");
    resp_write_integer(call->reply, cw_lcs_length(lcs));
    buf_free(&matches.text);
}

struct lcs_text {
    const char *from;
    char *end; /* the ranges come from the last to the first */
};

static void lcs_prepend(void *context, const struct cw_lcs_range *range)
{
    struct lcs_text *text = context;
    size_t length = range->a_last - range->a_first + 1;
    text->end -= length;
    memcpy(text->end, text->from + range->a_first, length);
}

static void lcs_reply_text(struct cw_call *call, const struct cw_lcs *lcs)
{
    uint32_t length = cw_lcs_length(lcs);
    char *bytes = mem_alloc(length);
    struct lcs_text text = {lcs->a.data, bytes + length};
    cw_lcs_ranges(lcs, lcs_prepend, &text);
    resp_write_bulk(call->reply, slice_of(bytes, length));
    mem_free(bytes);
}

void cw_lcs_command(struct cw_call *call)
{
    const struct cw_entry *a = cw_call_read(call, 1);
    struct slice a_value = a ? cw_entry_value(a) : SLICE_LITERAL("");
    const struct cw_entry *b = cw_call_read(call, 2);
    struct slice b_value = b ? cw_entry_value(b) : SLICE_LITERAL("");
    if ((a && cw_entry_type(a) != CW_TYPE_STRING) || (b && cw_entry_type(b) != CW_TYPE_STRING)) {
        cw_reply_error(call, "ERR The specified keys must contain string values");
        return;
    }
    struct lcs_options options;
    if (!parse_lcs_options(call, &options))
        return;

    size_t bytes;
    struct cw_lcs lcs;
    if (a_value.length >= UINT32_MAX - 1 || b_value.length >= UINT32_MAX - 1) {
        cw_reply_error(call, "ERR String too long for LCS");
    } else if (!cw_lcs_table_bytes(a_value, b_value, &bytes) || bytes > cw_string_length_max(call)) {
        cw_reply_error(call, "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    } else if (cw_lcs_compute(a_value, b_value, &lcs) < 0) {
        cw_reply_error(call, "ERR Insufficient memory, failed allocating transient memory for LCS");
    } else {
        if (options.indexes)
            lcs_reply_indexes(call, &lcs, &options);
        else if (options.length_only)
            resp_write_integer(call->reply, cw_lcs_length(&lcs));
        else
            lcs_reply_text(call, &lcs);
        cw_lcs_free(&lcs);
    }
}
