#include "cacheworker/rdb/rdb.h"

#include "cacheworker/aof/entry_commands.h"
#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/hash/hash_rdb.h"
#include "cacheworker/keyspace/budget.h"
#include "cacheworker/keyspace/entry.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_value.h"
#include "common/base/crc64.h"
#include "common/base/mem.h"
#include "common/base/number.h"

#include <limits.h>

enum {
    DRAINED_AT_ONCE = 64 << 10, /* bytes */
    BYTES_FOR_ONE = 32,         /* copied several times, and summed up, until they are with the kernel */
};

static void add_aux(struct buf *out, const char *name, struct slice value)
{
    cw_rdb_add_byte(out, RDB_OPCODE_AUX);
    cw_rdb_add_string(out, slice_text(name));
    cw_rdb_add_string(out, value);
}

static void add_aux_number(struct buf *out, const char *name, int64_t number)
{
    char text[NUMBER_TEXT_MAX];
    add_aux(out, name, slice_of(text, number_format_i64(text, number)));
}

/* Adds to the checksum what was appended since `before`. The length counts, not the place: `out` may have moved. */
static void sum_up(struct cw_rdb_writer *writer, size_t before)
{
    if (writer->strings == NULL)
        writer->checksum = crc64(writer->checksum, slice_skip(buf_slice(writer->out), before));
}

void cw_rdb_write_preamble(struct cw_rdb_writer *writer, const struct cw_rdb_origin *origin, int64_t wall_us,
                           uint64_t memory_used)
{
    size_t before = buf_length(writer->out);
    struct buf text = {0};
    history_format(&origin->history, &text);
    buf_add_format(writer->out, "REDIS%04d", CW_RDB_VERSION);
    add_aux(writer->out, "redis-ver", SLICE_LITERAL("7.2.4"));
    add_aux_number(writer->out, "redis-bits", 64);
    add_aux_number(writer->out, "ctime", wall_us / 1000000);
    add_aux_number(writer->out, "used-mem", (int64_t)memory_used);
    add_aux_number(writer->out, RDB_AUX_STREAM_DATABASE, origin->stream_database);
    if (origin->stream_id[0] != '\0') {
        add_aux(writer->out, RDB_AUX_STREAM_ID, slice_text(origin->stream_id));
        add_aux_number(writer->out, RDB_AUX_STREAM_OFFSET, (int64_t)origin->stream_offset);
    }
    add_aux(writer->out, RDB_AUX_HISTORY, buf_slice(&text));
    if (origin->migration[0] != '\0')
        add_aux(writer->out, RDB_AUX_MIGRATION, slice_text(origin->migration));
    buf_add_slice(writer->out, origin->programs);
    sum_up(writer, before);
    buf_free(&text);
}

void cw_rdb_write_users(struct cw_rdb_writer *writer, struct slice record)
{
    size_t before = buf_length(writer->out);
    add_aux(writer->out, RDB_AUX_USERS, record);
    sum_up(writer, before);
}

static void add_select(struct buf *out, unsigned *selected, unsigned database)
{
    cw_rdb_add_byte(out, RDB_OPCODE_SELECT);
    cw_rdb_add_length(out, database);
    *selected = database;
}

void cw_rdb_write_database(struct cw_rdb_writer *writer, unsigned database, uint64_t keys, uint64_t expires)
{
    size_t before = buf_length(writer->out);
    add_select(writer->out, &writer->database, database);
    cw_rdb_add_byte(writer->out, RDB_OPCODE_RESIZE);
    cw_rdb_add_length(writer->out, keys);
    cw_rdb_add_length(writer->out, expires);
    sum_up(writer, before);
}

void cw_rdb_write_databases(struct cw_rdb_writer *writer, const struct cw_keyspace *keyspace)
{
    for (unsigned i = 0; i < cw_keyspace_databases(keyspace); i++)
        if (cw_keyspace_count(keyspace, i) > 0)
            cw_rdb_write_database(writer, i, cw_keyspace_count(keyspace, i), cw_keyspace_count_expires(keyspace, i));
}

/* Database and expiry of the key that comes. */
static void add_before_key(struct buf *out, unsigned *selected, unsigned database, int64_t expire_ms)
{
    if (database != *selected)
        add_select(out, selected, database);
    if (expire_ms != CW_NO_EXPIRY) {
        cw_rdb_add_byte(out, RDB_OPCODE_EXPIRE_MS);
        cw_rdb_add_little_endian(out, (uint64_t)expire_ms, 8);
    }
}

void cw_rdb_write_string(struct cw_rdb_writer *writer, unsigned database, struct slice key, struct slice value,
                         int64_t expire_ms)
{
    size_t before = buf_length(writer->out);
    add_before_key(writer->out, &writer->database, database, expire_ms);
    cw_rdb_add_byte(writer->out, RDB_TYPE_STRING);
    cw_rdb_add_string(writer->out, key);
    cw_rdb_add_string(writer->out, value);
    sum_up(writer, before);
}

/* ---- Entries ---- */

/* An entry as items of RDB, on its way out. */
struct entry_items {
    struct cw_rdb_parts parts;
    bool has_all_parts;
    struct cw_hash_walk fields; /* whose expiry is told */
    struct cw_field_expiry expiry;
};

/* The same in the form that the writer writes. */
struct entry_form {
    bool is_of_commands;
    union {
        struct entry_items items;
        struct cw_entry_commands commands;
    };
};

struct cw_rdb_open_value {
    const struct cw_entry *entry; /* borrowed */
    struct entry_form form;
    bool is_complete; /* but for what was put aside */

    /* What is shown meanwhile, behind it. */
    struct buf aside; /* owned */
    unsigned aside_database;
};

#define NO_DATABASE UINT_MAX

static void add_field_expiry(void *context, struct slice record)
{
    add_aux(context, RDB_AUX_FIELD_EXPIRY, record);
}

static void begin_items(struct entry_items *items, struct buf *out, unsigned *selected, unsigned database,
                        const struct cw_entry *entry)
{
    *items = (struct entry_items){.parts.entry = entry, .fields.from_ms = CW_HASH_ALL};
    items->expiry = (struct cw_field_expiry){
        .database = database, .key = cw_entry_key(entry), .emit = add_field_expiry, .context = out};
    add_before_key(out, selected, database, cw_entry_expire_ms(entry));
    cw_rdb_add_byte(out, cw_rdb_value_type(entry));
    cw_rdb_add_string(out, cw_entry_key(entry));
}

static bool write_items(struct entry_items *items, struct buf *out, unsigned *budget)
{
    const struct cw_entry *entry = items->parts.entry;
    if (!items->has_all_parts && cw_rdb_parts_write(&items->parts, out, budget))
        return true;
    items->has_all_parts = true;
    return cw_entry_has(entry, CW_ENTRY_PARTS) && cw_hash_rdb_tell_part(entry, &items->fields, &items->expiry, budget);
}

/* `strings`: as in the writer, or NULL for what stands aside. */
static void begin_form(struct entry_form *form, const struct cw_rdb_writer *writer, struct buf *out,
                       struct buf *strings, unsigned *selected, unsigned database, const struct cw_entry *entry)
{
    form->is_of_commands = writer->says_commands;
    if (form->is_of_commands) {
        cw_entry_commands_begin(&form->commands, out, selected, database, entry);
    } else {
        begin_items(&form->items, out, selected, database, entry);
        form->items.parts.strings = strings;
    }
}

/* True while there may be more. */
static bool go_on(struct entry_form *form, struct buf *out, unsigned *budget)
{
    return form->is_of_commands ? cw_entry_commands_write(&form->commands, out, budget)
                                : write_items(&form->items, out, budget);
}

static void drop_form(struct entry_form *form)
{
    if (form->is_of_commands)
        cw_entry_commands_drop(&form->commands);
    else
        cw_field_expiry_drop(&form->items.expiry);
}

static void write_whole(const struct cw_rdb_writer *writer, struct buf *out, struct buf *strings, unsigned *selected,
                        unsigned database, const struct cw_entry *entry)
{
    struct entry_form form;
    unsigned budget;
    begin_form(&form, writer, out, strings, selected, database, entry);
    do
        budget = UINT_MAX;
    while (go_on(&form, out, &budget));
}

void cw_rdb_write_entry(struct cw_rdb_writer *writer, unsigned database, const struct cw_entry *entry)
{
    struct cw_rdb_open_value *open = writer->open;
    if (open != NULL) {
        write_whole(writer, &open->aside, NULL, &open->aside_database, database, entry);
        return;
    }
    size_t before = buf_length(writer->out);
    write_whole(writer, writer->out, writer->strings, &writer->database, database, entry);
    sum_up(writer, before);
}

/* Lets what was put aside follow the value; true while there is more of it. */
static bool drain(struct cw_rdb_open_value *open, struct buf *out, unsigned *budget)
{
    while (*budget > 0 && buf_length(&open->aside) > 0) {
        struct slice aside = buf_slice(&open->aside);
        size_t length = aside.length < DRAINED_AT_ONCE ? aside.length : DRAINED_AT_ONCE;
        buf_add(out, aside.data, length);
        buf_consume(&open->aside, length);
        cw_spend(budget, 1 + (unsigned)(length / BYTES_FOR_ONE));
    }
    return buf_length(&open->aside) > 0;
}

static void close_value(struct cw_rdb_writer *writer)
{
    struct cw_rdb_open_value *open = writer->open;
    if (open->aside_database != NO_DATABASE)
        writer->database = open->aside_database;
    writer->open = NULL;
    buf_free(&open->aside);
    mem_free(open);
}

bool cw_rdb_write_slice(struct cw_rdb_writer *writer, unsigned database, const struct cw_entry *entry, unsigned *budget)
{
    struct buf *out = writer->out;
    size_t before = buf_length(out);
    if (writer->open == NULL) {
        writer->open = mem_zero(sizeof(*writer->open));
        writer->open->entry = entry;
        writer->open->aside_database = NO_DATABASE;
        begin_form(&writer->open->form, writer, out, writer->strings, &writer->database, database, entry);
    }
    struct cw_rdb_open_value *open = writer->open;
    CHECK(open->entry == entry);
    open->is_complete = open->is_complete || !go_on(&open->form, out, budget);
    bool more = !open->is_complete || drain(open, out, budget);
    sum_up(writer, before);
    if (!more)
        close_value(writer);
    return more;
}

void cw_rdb_writer_say_commands(struct cw_rdb_writer *writer)
{
    writer->says_commands = true;
    writer->database = NO_DATABASE;
}

size_t cw_rdb_bytes_aside(const struct cw_rdb_writer *writer)
{
    return writer->open != NULL ? buf_length(&writer->open->aside) : 0;
}

void cw_rdb_writer_free(struct cw_rdb_writer *writer)
{
    if (writer->open == NULL)
        return;
    buf_free(&writer->open->aside);
    drop_form(&writer->open->form);
    mem_free(writer->open);
    writer->open = NULL;
}

void cw_rdb_write_end(struct cw_rdb_writer *writer)
{
    size_t before = buf_length(writer->out);
    cw_rdb_add_byte(writer->out, RDB_OPCODE_END);
    sum_up(writer, before);
    if (writer->strings == NULL)
        cw_rdb_add_little_endian(writer->out, writer->checksum, RDB_CHECKSUM_LENGTH);
}
