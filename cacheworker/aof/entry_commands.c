#include "cacheworker/aof/entry_commands.h"

#include "cacheworker/aof/entry_commands_stream.h"
#include "cacheworker/engine/aside.h"
#include "cacheworker/hash/hash_rdb.h"
#include "cacheworker/keyspace/budget.h"
#include "common/resp/resp_writer.h"

enum {
    ITEMS_MAX = 64,         /* of a command */
    STRING_PART = 64 << 10, /* bytes; a longer text is written in several parts */
    PART_COST = 2,
    SCORE_COST = 4,     /* a member of a sorted set, beside that: its score becomes text */
    BYTES_FOR_ONE = 32, /* as rdb_writer.c has it */
};

enum phase { PHASE_ITEMS, PHASE_FIELD_EXPIRY, PHASE_EXPIRY, PHASE_END };

/* ---- Texts ---- */

static void end_text(struct cw_entry_commands *commands, struct buf *out)
{
    buf_add(out, "\r\n", 2);
    commands->is_in_text = false;
}

static void begin_text(struct cw_entry_commands *commands, struct buf *out, struct slice text)
{
    if (text.length <= STRING_PART) {
        resp_write_bulk(out, text);
        return;
    }
    buf_add_format(out, "$%zu\r\n", text.length);
    commands->rest = text;
    commands->is_in_text = true;
}

void cw_entry_commands_add(struct cw_entry_commands *commands, struct buf *out, const struct cw_packed_value *value)
{
    char space[NUMBER_TEXT_MAX];
    if (!commands->is_in_text) {
        begin_text(commands, out, cw_packed_value_text(value, space));
        return;
    }
    commands->next = cw_packed_value_text(value, commands->space);
    commands->has_next = true;
}

static void go_on_with_text(struct cw_entry_commands *commands, struct buf *out)
{
    struct slice rest = commands->rest;
    size_t length = rest.length < STRING_PART ? rest.length : STRING_PART;
    buf_add(out, rest.data, length);
    commands->rest = slice_skip(rest, length);
    if (length < rest.length)
        return;
    end_text(commands, out);
    if (!commands->has_next)
        return;
    commands->has_next = false;
    begin_text(commands, out, commands->next);
}

/* ---- Items ---- */

struct item { /* of a value */
    struct cw_packed_value texts[2];
    char score[NUMBER_DOUBLE_TEXT_MAX];
};

static uint64_t begin_string(struct cw_entry_commands *commands)
{
    (void)commands;
    return 1;
}

static void next_string(struct cw_entry_commands *commands, struct item *ret_item)
{
    ret_item->texts[0] = cw_set_member(cw_entry_value(commands->entry));
}

static uint64_t begin_list(struct cw_entry_commands *commands)
{
    bool is_there = cw_list_at(commands->entry, 0, &commands->list);
    CHECK(is_there);
    return cw_list_count(commands->entry);
}

static void next_element(struct cw_entry_commands *commands, struct item *ret_item)
{
    ret_item->texts[0] = cw_list_value(&commands->list);
    (void)cw_list_next(&commands->list, CW_LIST_HEAD);
}

static uint64_t begin_set(struct cw_entry_commands *commands)
{
    commands->set = (struct cw_set_walk){.has_begun = false};
    return cw_set_count(commands->entry);
}

static void next_member(struct cw_entry_commands *commands, struct item *ret_item)
{
    bool is_there = cw_set_next(commands->entry, &commands->set);
    CHECK(is_there);
    ret_item->texts[0] = commands->set.member;
}

static uint64_t begin_zset(struct cw_entry_commands *commands)
{
    bool is_there = cw_zset_at(commands->entry, 0, &commands->zset);
    CHECK(is_there);
    return cw_zset_count(commands->entry);
}

static void next_scored_member(struct cw_entry_commands *commands, struct item *ret_item)
{
    size_t length = number_format_double(ret_item->score, commands->zset.score);
    ret_item->texts[0] = cw_set_member(slice_of(ret_item->score, length));
    ret_item->texts[1] = commands->zset.member;
    (void)cw_zset_next(commands->entry, &commands->zset);
}

static void begin_fields(struct cw_entry_commands *commands)
{
    commands->hash = (struct cw_hash_walk){.from_ms = CW_HASH_ALL};
}

static uint64_t begin_hash(struct cw_entry_commands *commands)
{
    begin_fields(commands);
    return cw_hash_count(commands->entry, CW_HASH_ALL);
}

static void next_field(struct cw_entry_commands *commands, struct item *ret_item)
{
    bool is_there = cw_hash_next(commands->entry, &commands->hash);
    CHECK(is_there);
    ret_item->texts[0] = commands->hash.field;
    ret_item->texts[1] = commands->hash.value;
}

static const struct kind {
    struct slice command;
    unsigned texts;                                        /* of an item */
    uint64_t (*begin)(struct cw_entry_commands *commands); /* how many items there are */
    void (*next)(struct cw_entry_commands *commands, struct item *ret_item);
} kinds[CW_TYPES] = {
    [CW_TYPE_STRING] = {SLICE_LITERAL("SET"), 1, begin_string, next_string},
    [CW_TYPE_LIST] = {SLICE_LITERAL("RPUSH"), 1, begin_list, next_element},
    [CW_TYPE_SET] = {SLICE_LITERAL("SADD"), 1, begin_set, next_member},
    [CW_TYPE_ZSET] = {SLICE_LITERAL("ZADD"), 2, begin_zset, next_scored_member},
    [CW_TYPE_HASH] = {SLICE_LITERAL("HMSET"), 2, begin_hash, next_field},
};

static const struct kind *kind_of(const struct cw_entry_commands *commands)
{
    return &kinds[cw_entry_type(commands->entry)];
}

static void begin_command(const struct cw_entry_commands *commands, struct buf *out, unsigned items)
{
    const struct kind *kind = kind_of(commands);
    resp_write_array(out, 2 + (uint64_t)kind->texts * items);
    resp_write_bulk(out, kind->command);
    resp_write_bulk(out, cw_entry_key(commands->entry));
}

/* A command of what was gathered. */
static void write_gathered(struct cw_entry_commands *commands, struct buf *out)
{
    if (commands->gathered == 0)
        return;
    begin_command(commands, out, commands->gathered);
    buf_add_slice(out, buf_slice(&commands->items));
    buf_clear(&commands->items);
    commands->gathered = 0;
}

static void gather(struct cw_entry_commands *commands, const struct item *item, unsigned texts)
{
    for (unsigned i = 0; i < texts; i++) {
        char space[NUMBER_TEXT_MAX];
        resp_write_bulk(&commands->items, cw_packed_value_text(&item->texts[i], space));
    }
    commands->gathered++;
}

static bool is_long(const struct item *item, unsigned texts)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < texts; i++)
        bytes += item->texts[i].text.data != NULL ? item->texts[i].text.length : 0;
    return bytes > STRING_PART;
}

/* A long item, and the only one of a value, has a command of its own, so that no other one gets long. False: there is
 * none. */
static bool next_item(struct cw_entry_commands *commands, struct buf *out)
{
    if (cw_entry_type(commands->entry) == CW_TYPE_STREAM)
        return cw_stream_commands_next(commands, out);
    if (commands->left == 0)
        return false;
    const struct kind *kind = kind_of(commands);
    struct item item;
    kind->next(commands, &item);
    commands->left--;
    bool is_only = commands->left == 0 && commands->gathered == 0;
    if (!is_only && !is_long(&item, kind->texts)) {
        gather(commands, &item, kind->texts);
        if (commands->left == 0 || commands->gathered == ITEMS_MAX || buf_length(&commands->items) > STRING_PART)
            write_gathered(commands, out);
        return true;
    }
    write_gathered(commands, out);
    begin_command(commands, out, 1);
    for (unsigned i = 0; i < kind->texts; i++)
        cw_entry_commands_add(commands, out, &item.texts[i]);
    return true;
}

/* ---- What follows ---- */

static void emit_field_expiry(void *context, struct slice record)
{
    struct buf message = {0};
    cw_aside_write_field_expiry(record, &message);
    resp_write_array(context, 2);
    resp_write_bulk(context, SLICE_LITERAL("PING"));
    resp_write_bulk(context, buf_slice(&message));
    buf_free(&message);
}

static bool tell_field_expiry(struct cw_entry_commands *commands, struct buf *out, unsigned *budget)
{
    if (!cw_entry_has(commands->entry, CW_ENTRY_PARTS))
        return false;
    commands->expiry.context = out;
    return cw_hash_rdb_tell_part(commands->entry, &commands->hash, &commands->expiry, budget);
}

static void write_expiry(const struct cw_entry *entry, struct buf *out)
{
    if (cw_entry_expire_ms(entry) == CW_NO_EXPIRY)
        return;
    resp_write_array(out, 3);
    resp_write_bulk(out, SLICE_LITERAL("PEXPIREAT"));
    resp_write_bulk(out, cw_entry_key(entry));
    resp_write_bulk_i64(out, cw_entry_expire_ms(entry));
}

static void write_part(struct cw_entry_commands *commands, struct buf *out)
{
    if (commands->is_in_text) {
        go_on_with_text(commands, out);
    } else if (commands->phase == PHASE_EXPIRY) {
        write_expiry(commands->entry, out);
        commands->phase = PHASE_END;
    } else if (!next_item(commands, out)) {
        buf_free(&commands->items);
        begin_fields(commands);
        commands->phase = PHASE_FIELD_EXPIRY;
    }
}

/* ---- All of it ---- */

static void select_database(struct buf *out, unsigned database)
{
    resp_write_array(out, 2);
    resp_write_bulk(out, SLICE_LITERAL("SELECT"));
    resp_write_bulk_u64(out, database);
}

void cw_entry_commands_begin(struct cw_entry_commands *commands, struct buf *out, unsigned *selected, unsigned database,
                             const struct cw_entry *entry)
{
    if (database != *selected)
        select_database(out, database);
    *selected = database;
    *commands = (struct cw_entry_commands){.entry = entry, .phase = PHASE_ITEMS};
    commands->expiry =
        (struct cw_field_expiry){.database = database, .key = cw_entry_key(entry), .emit = emit_field_expiry};
    if (cw_entry_type(entry) == CW_TYPE_STREAM)
        cw_stream_commands_begin(commands);
    else
        commands->left = kind_of(commands)->begin(commands);
}

static unsigned part_cost(const struct cw_entry_commands *commands)
{
    return cw_entry_type(commands->entry) == CW_TYPE_ZSET ? PART_COST + SCORE_COST : PART_COST;
}

bool cw_entry_commands_write(struct cw_entry_commands *commands, struct buf *out, unsigned *budget)
{
    while (*budget > 0 && commands->phase != PHASE_END) {
        if (commands->phase == PHASE_FIELD_EXPIRY) {
            if (!tell_field_expiry(commands, out, budget))
                commands->phase = PHASE_EXPIRY;
            continue;
        }
        size_t before = buf_length(out);
        write_part(commands, out);
        cw_spend(budget, part_cost(commands) + (unsigned)((buf_length(out) - before) / BYTES_FOR_ONE));
    }
    return commands->phase != PHASE_END;
}

void cw_entry_commands_drop(struct cw_entry_commands *commands)
{
    buf_free(&commands->items);
    cw_field_expiry_drop(&commands->expiry);
}
