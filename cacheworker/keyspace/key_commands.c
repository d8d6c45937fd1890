#include "cacheworker/keyspace/key_commands.h"

#include "cacheworker/engine/settings.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/keyspace/scan.h"
#include "cacheworker/rdb/background_save.h"
#include "common/base/glob.h"
#include "common/base/number.h"

enum {
    RANDOM_TRIES = 100,
    FLUSH_NOW_MAX = 4096, /* of cw_keyspace_free_step: a fifth of a millisecond */
};

/* ---- Existence ---- */

static void delete_keys(struct cw_call *call)
{
    int64_t deleted = 0;
    struct cw_key_group group = {.next = 1};
    while (cw_key_group_next(&group, call, 1))
        for (size_t i = 0; i < group.count; i++) {
            struct cw_ref ref;
            if (!cw_keyspace_open(call->keyspace, call->database, call->argv[group.first + i], group.hashes[i],
                                  call->now_ms, &ref))
                continue;
            cw_keyspace_delete(call->keyspace, &ref);
            cw_call_notify(call, CW_NOTIFY_GENERIC, "del", ref.key);
            deleted++;
        }
    call->dirty += (uint64_t)deleted;
    resp_write_integer(call->reply, deleted);
}

void cw_del_command(struct cw_call *call)
{
    delete_keys(call);
}

void cw_unlink_command(struct cw_call *call)
{
    delete_keys(call);
}

void cw_touch_command(struct cw_call *call)
{
    int64_t found = 0;
    struct cw_key_group group = {.next = 1};
    while (cw_key_group_next(&group, call, 1))
        for (size_t i = 0; i < group.count; i++)
            found += cw_keyspace_read(call->keyspace, call->database, call->argv[group.first + i], group.hashes[i],
                                      call->now_ms) != NULL;
    resp_write_integer(call->reply, found);
}

static bool exists(const struct cw_call *call, size_t index, uint64_t hash)
{
    struct slice key = call->argv[index];
    bool is_there = cw_keyspace_peek(call->keyspace, call->database, key, hash, call->now_ms) != NULL;
    if (!is_there)
        cw_call_notify(call, CW_NOTIFY_MISS, "keymiss", key);
    return is_there;
}

void cw_exists_command(struct cw_call *call)
{
    uint64_t found = 0;
    struct cw_key_group group = {.next = 1};
    while (cw_key_group_next(&group, call, 1))
        for (size_t i = 0; i < group.count; i++)
            found += exists(call, group.first + i, group.hashes[i]);
    cw_keyspace_stats(call->keyspace)->hits += found;
    cw_keyspace_stats(call->keyspace)->misses += call->argc - 1 - found;
    resp_write_integer(call->reply, (int64_t)found);
}

void cw_type_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_look(call, 1);
    resp_write_simple(call->reply, slice_text(entry ? cw_type_name(cw_entry_type(entry)) : "none"));
}

/* ---- Names ---- */

struct names { /* those that a walk has chosen */
    const struct cw_call *call;
    struct slice pattern; /* borrowed */
    struct slice type;    /* borrowed; no data: any */
    struct buf text;      /* as bulk strings */
    uint64_t count;
    uint64_t visited;
    struct buf due; /* keys to be expired when the walk is over: size_t length, then the bytes */
};

static void add_name(void *context, unsigned database, const struct cw_entry *entry)
{
    (void)database;
    struct names *names = context;
    struct slice key = cw_entry_key(entry);
    names->visited++;
    if (names->pattern.data && !glob_match(names->pattern, key, false))
        return;
    if (UNLIKELY(cw_keyspace_is_due(names->call->keyspace, entry, names->call->now_ms))) {
        buf_add(&names->due, &key.length, sizeof(key.length));
        buf_add_slice(&names->due, key);
        return;
    }
    if (names->type.data && !slice_equal_nocase(names->type, cw_type_name(cw_entry_type(entry))))
        return;
    resp_write_bulk(&names->text, key);
    names->count++;
}

static void reply_names(struct cw_call *call, struct names *names)
{
    resp_write_array(call->reply, names->count);
    buf_add_slice(call->reply, buf_slice(&names->text));
    buf_free(&names->text);

    while (buf_length(&names->due) > 0) {
        size_t length;
        struct slice due = buf_slice(&names->due);
        memcpy(&length, due.data, sizeof(length));
        struct slice key = slice_of(due.data + sizeof(length), length);
        /* Looking at a due key deletes it, where that is this node's to do. */
        (void)cw_keyspace_peek(call->keyspace, call->database, key, cw_keyspace_hash(call->keyspace, key),
                               call->now_ms);
        buf_consume(&names->due, sizeof(length) + length);
    }
    buf_free(&names->due);
}

void cw_keys_command(struct cw_call *call)
{
    struct names names = {.call = call, .pattern = call->argv[1]};
    cw_keyspace_for_each(call->keyspace, call->database, add_name, &names);
    reply_names(call, &names);
}

void cw_scan_command(struct cw_call *call)
{
    struct cw_scan scan;
    if (!cw_scan_parse_cursor(call, 1, &scan) || !cw_scan_parse_options(call, 2, true, &scan))
        return;
    struct names names = {.call = call, .pattern = scan.pattern, .type = scan.type};
    uint64_t places = 0;
    do {
        scan.cursor = cw_keyspace_scan(call->keyspace, call->database, scan.cursor, add_name, &names);
        places++;
    } while (scan.cursor != 0 && names.visited < scan.count && places / CW_SCAN_PLACES_PER_COUNT < scan.count);
    resp_write_array(call->reply, 2);
    resp_write_bulk_u64(call->reply, scan.cursor);
    reply_names(call, &names);
}

void cw_randomkey_command(struct cw_call *call)
{
    for (unsigned tries = 1;; tries++) {
        const struct cw_entry *entry = cw_keyspace_random(call->keyspace, call->database);
        if (!entry) {
            resp_write_null(call->reply, call->protocol);
            return;
        }
        struct slice key = cw_entry_key(entry);
        if (!cw_keyspace_is_due(call->keyspace, entry, call->now_ms) ||
            (tries >= RANDOM_TRIES && cw_keyspace_expiry_mode(call->keyspace) == CW_EXPIRY_HIDES)) {
            resp_write_bulk(call->reply, key);
            return;
        }
        struct buf name = {0}; /* The key goes with its entry. */
        buf_add_slice(&name, key);
        (void)cw_keyspace_peek(call->keyspace, call->database, buf_slice(&name),
                               cw_keyspace_hash(call->keyspace, buf_slice(&name)), call->now_ms);
        buf_free(&name);
    }
}

/* ---- Another name, another place ---- */

static void rename_key(struct cw_call *call, bool replace)
{
    if (!cw_call_peek(call, 1)) {
        cw_reply_error(call, CW_ERROR_NO_KEY);
        return;
    }
    bool same = slice_equal(call->argv[1], call->argv[2]);
    bool exists = same || cw_call_peek(call, 2);
    if (!same && (replace || !exists)) {
        struct cw_key from = cw_call_key(call, 1);
        struct cw_key to = cw_call_key(call, 2);
        cw_keyspace_move(call->keyspace, &from, &to);
        cw_call_notify(call, CW_NOTIFY_GENERIC, "rename_from", from.name);
        cw_call_notify(call, CW_NOTIFY_GENERIC, "rename_to", to.name);
        call->dirty++;
    }
    if (replace)
        resp_write_ok(call->reply);
    else
        resp_write_integer(call->reply, !exists);
}

void cw_rename_command(struct cw_call *call)
{
    rename_key(call, true);
}

void cw_renamenx_command(struct cw_call *call)
{
    rename_key(call, false);
}

#define SAME_OBJECT "ERR source and destination objects are the same"

static bool exists_at(const struct cw_call *call, const struct cw_key *key)
{
    return cw_keyspace_peek(call->keyspace, key->database, key->name, key->hash, call->now_ms) != NULL;
}

/* An event of a key that may be in another database. */
static void notify_at(const struct cw_call *call, const char *event, const struct cw_key *key)
{
    if (UNLIKELY(call->settings->notify_classes & CW_NOTIFY_GENERIC))
        cw_notify(call->engine, CW_NOTIFY_GENERIC, event, key->database, key->name);
}

static bool parse_database(struct cw_call *call, size_t index, unsigned *ret_database)
{
    int number;
    if (!cw_call_int(call, index, NULL, &number) || !cw_call_has_database(call, number))
        return false;
    *ret_database = (unsigned)number;
    return true;
}

void cw_copy_command(struct cw_call *call)
{
    struct cw_key from = cw_call_key(call, 1);
    struct cw_key to = cw_call_key(call, 2);
    bool replace = false;
    for (size_t i = 3; i < call->argc; i++) {
        if (slice_equal_nocase(call->argv[i], "replace")) {
            replace = true;
        } else if (slice_equal_nocase(call->argv[i], "db") && i + 1 < call->argc) {
            if (!parse_database(call, ++i, &to.database))
                return;
        } else {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return;
        }
    }
    if (from.database == to.database && slice_equal(from.name, to.name)) {
        cw_reply_error(call, SAME_OBJECT);
        return;
    }
    if (!cw_call_read(call, 1) || (!replace && exists_at(call, &to))) {
        resp_write_integer(call->reply, 0);
        return;
    }
    if (!cw_keyspace_copy(call->keyspace, &from, &to)) {
        cw_reply_error(call, CW_ERROR_NO_MEMORY);
        return;
    }
    notify_at(call, "copy_to", &to);
    call->dirty++;
    resp_write_integer(call->reply, 1);
}

void cw_move_command(struct cw_call *call)
{
    struct cw_key from = cw_call_key(call, 1);
    struct cw_key to = from;
    if (!parse_database(call, 2, &to.database))
        return;
    if (from.database == to.database) {
        cw_reply_error(call, SAME_OBJECT);
        return;
    }
    if (!exists_at(call, &from) || exists_at(call, &to)) {
        resp_write_integer(call->reply, 0);
        return;
    }
    cw_keyspace_move(call->keyspace, &from, &to);
    notify_at(call, "move_from", &from);
    notify_at(call, "move_to", &to);
    call->dirty++;
    resp_write_integer(call->reply, 1);
}

/* ---- Whole databases ---- */

void cw_dbsize_command(struct cw_call *call)
{
    resp_write_integer(call->reply, (int64_t)cw_keyspace_count(call->keyspace, call->database));
}

static bool parse_flush(struct cw_call *call, bool *ret_now)
{
    if (call->argc > 2 || (call->argc == 2 && !slice_equal_nocase(call->argv[1], "sync") &&
                           !slice_equal_nocase(call->argv[1], "async"))) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    *ret_now = call->argc == 1 ? !call->settings->lazy_user_flush : slice_equal_nocase(call->argv[1], "sync");
    return true;
}

/* What is not asynchronous frees as much as it may at once: all of what is small. A flush goes into the stream also
 * when there was nothing to flush: a replica may have been given more. */
static void flush_databases(struct cw_call *call, unsigned first, unsigned last, bool now)
{
    for (unsigned i = first; i <= last; i++)
        call->dirty += cw_keyspace_flush(call->keyspace, i);
    if (now)
        (void)cw_keyspace_free_step(call->keyspace, FLUSH_NOW_MAX);
    cw_call_propagate(call, call->argv, call->argc);
    resp_write_ok(call->reply);
}

void cw_flushdb_command(struct cw_call *call)
{
    bool now;
    if (parse_flush(call, &now))
        flush_databases(call, call->database, call->database, now);
}

void cw_flushall_command(struct cw_call *call)
{
    bool now;
    if (!parse_flush(call, &now))
        return;
    cw_background_save_flush(call->engine); /* first: a snapshot would be shown all that goes */
    flush_databases(call, 0, cw_keyspace_databases(call->keyspace) - 1, now);
}

void cw_swapdb_command(struct cw_call *call)
{
    int a;
    int b;
    if (!cw_call_int(call, 1, "ERR invalid first DB index", &a) ||
        !cw_call_int(call, 2, "ERR invalid second DB index", &b) || !cw_call_has_database(call, a) ||
        !cw_call_has_database(call, b))
        return;
    cw_keyspace_swap_databases(call->keyspace, (unsigned)a, (unsigned)b);
    call->dirty++;
    resp_write_ok(call->reply);
}

/* ---- What a key is made of ---- */

static const struct cw_entry *peek_or_null(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_peek(call, 2);
    if (!entry)
        resp_write_null(call->reply, call->protocol);
    return entry;
}

void cw_object_encoding_command(struct cw_call *call)
{
    const struct cw_entry *entry = peek_or_null(call);
    if (entry)
        resp_write_bulk_text(call->reply, cw_entry_encoding_name(entry));
}

void cw_object_refcount_command(struct cw_call *call)
{
    const struct cw_entry *entry = peek_or_null(call);
    if (entry)
        resp_write_integer(call->reply, cw_entry_refcount(entry));
}

#define ADJUSTS                                                                                                        \
    "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."

void cw_object_idletime_command(struct cw_call *call)
{
    const struct cw_entry *entry = peek_or_null(call);
    if (!entry)
        return;
    if (cw_keyspace_access_rules(call->keyspace)->counts_uses)
        cw_reply_error(call, "ERR An LFU maxmemory policy is selected, idle time not tracked. " ADJUSTS);
    else
        resp_write_integer(call->reply, cw_access_idle_s(entry->access, call->now_ms));
}

void cw_object_freq_command(struct cw_call *call)
{
    const struct cw_entry *entry = peek_or_null(call);
    const struct cw_access_rules *rules = cw_keyspace_access_rules(call->keyspace);
    if (!entry)
        return;
    if (rules->counts_uses)
        resp_write_integer(call->reply, cw_access_frequency(rules, entry->access, call->now_ms));
    else
        cw_reply_error(call, "ERR An LFU maxmemory policy is not selected, access frequency not tracked. " ADJUSTS);
}

void cw_object_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    How the value of <key> is kept.",
        "FREQ <key>",
        "    How often <key> is used; needs an LFU maxmemory-policy.",
        "HELP",
        "    These lines.",
        "IDLETIME <key>",
        "    Seconds since <key> was last used.",
        "REFCOUNT <key>",
        "    How many keys share the value of <key>.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}

void cw_memory_usage_command(struct cw_call *call)
{
    /* SAMPLES matters for collections of elements, which a string is not; it is checked all the same. */
    for (size_t i = 3; i < call->argc; i += 2) {
        int64_t samples = -1;
        bool has_value = i + 1 < call->argc && slice_equal_nocase(call->argv[i], "samples");
        if (has_value && !cw_call_integer(call, i + 1, &samples))
            return;
        if (samples < 0) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return;
        }
    }
    const struct cw_entry *entry = peek_or_null(call);
    if (entry)
        resp_write_integer(call->reply, (int64_t)cw_keyspace_entry_bytes(call->keyspace, entry));
}
