#include "cacheworker/script/values.h"

#include "cacheworker/script/interpreter.h"
#include "common/base/number.h"
#include "common/resp/resp_limits.h"
#include "common/resp/resp_writer.h"

#include <stdlib.h>

/* --- replies to Lua --- */

enum {
    REPLY_DEPTH_MAX = 64,               /* no command nests deeper */
    WRITTEN_DEPTH = RESP_DEPTH_MAX - 2, /* what our own proxy reads, with EXEC's array around it */
};

struct reply_reader {
    lua_State *state;
    struct slice rest;
    int depth;
};

static int refuse_reply(lua_State *state)
{
    return luaL_error(state, "malformed reply");
}

/* The line behind the type byte. */
static struct slice take_line(struct reply_reader *reader)
{
    const char *begin = reader->rest.data;
    const char *end = memchr(begin, '\r', reader->rest.length);
    if (end == NULL || (size_t)(end - begin) + 2 > reader->rest.length)
        refuse_reply(reader->state);
    struct slice line = slice_of(begin, (size_t)(end - begin));
    reader->rest = slice_skip(reader->rest, line.length + 2);
    return line;
}

static int64_t take_integer(struct reply_reader *reader)
{
    int64_t number = 0;
    if (number_parse_i64(take_line(reader), &number) < 0)
        refuse_reply(reader->state);
    return number;
}

static struct slice take_bytes(struct reply_reader *reader, int64_t length)
{
    if (length < 0 || reader->rest.length < 2 || (uint64_t)length > reader->rest.length - 2)
        refuse_reply(reader->state);
    struct slice bytes = slice_of(reader->rest.data, (size_t)length);
    reader->rest = slice_skip(reader->rest, (size_t)length + 2);
    return bytes;
}

static void push_slice(lua_State *state, struct slice bytes)
{
    lua_pushlstring(state, bytes.data, bytes.length);
}

static void set_text(lua_State *state, const char *field, struct slice text)
{
    push_slice(state, text);
    lua_setfield(state, -2, field);
}

static void push_value(struct reply_reader *reader);

static void push_bulk(struct reply_reader *reader)
{
    int64_t length = take_integer(reader);
    if (length < 0)
        lua_pushboolean(reader->state, 0);
    else
        push_slice(reader->state, take_bytes(reader, length));
}

static void push_array(struct reply_reader *reader)
{
    int64_t count = take_integer(reader);
    if (count < 0) {
        lua_pushboolean(reader->state, 0);
        return;
    }
    bool is_plausible = (uint64_t)count <= reader->rest.length / 3; /* the shortest value takes three bytes */
    lua_createtable(reader->state, is_plausible && count < 1 << 20 ? (int)count : 0, 0);
    for (int64_t i = 1; i <= count; i++) {
        push_value(reader);
        lua_rawseti(reader->state, -2, (int)i);
    }
}

/* A nil as a key is left out. */
static void set_pair(lua_State *state)
{
    if (lua_isnil(state, -2))
        lua_pop(state, 2);
    else
        lua_rawset(state, -3);
}

static void push_map(struct reply_reader *reader)
{
    int64_t pairs = take_integer(reader);
    lua_newtable(reader->state);
    lua_newtable(reader->state);
    for (int64_t i = 0; i < pairs; i++) {
        push_value(reader);
        push_value(reader);
        set_pair(reader->state);
    }
    lua_setfield(reader->state, -2, "map");
}

static void push_set(struct reply_reader *reader)
{
    int64_t count = take_integer(reader);
    lua_newtable(reader->state);
    lua_newtable(reader->state);
    for (int64_t i = 0; i < count; i++) {
        push_value(reader);
        lua_pushboolean(reader->state, 1);
        set_pair(reader->state);
    }
    lua_setfield(reader->state, -2, "set");
}

static void push_verbatim(struct reply_reader *reader)
{
    struct slice bytes = take_bytes(reader, take_integer(reader));
    if (bytes.length < 4)
        refuse_reply(reader->state);
    lua_newtable(reader->state);
    lua_newtable(reader->state);
    set_text(reader->state, "string", slice_skip(bytes, 4));
    set_text(reader->state, "format", slice_of(bytes.data, 3));
    lua_setfield(reader->state, -2, "verbatim_string");
}

static void push_double(struct reply_reader *reader)
{
    struct slice line = take_line(reader);
    char text[64];
    size_t length = line.length < sizeof(text) ? line.length : sizeof(text) - 1;
    memcpy(text, line.data, length);
    text[length] = '\0';
    lua_newtable(reader->state);
    lua_pushnumber(reader->state, strtod(text, NULL));
    lua_setfield(reader->state, -2, "double");
}

static void push_error_reply(struct reply_reader *reader)
{
    struct slice line = take_line(reader);
    cw_push_error(reader->state, slice_of(line.data - 1, line.length + 1));
    lua_pushboolean(reader->state, 1);
    lua_setfield(reader->state, -2, "ignore_error_stats_update");
}

/* Pairs that scripts do not get to see, and the value behind them. */
static void skip_attribute(struct reply_reader *reader)
{
    int64_t pairs = take_integer(reader);
    for (int64_t i = 0; i < pairs; i++) {
        push_value(reader);
        push_value(reader);
        lua_pop(reader->state, 2);
    }
    push_value(reader);
}

static void push_value(struct reply_reader *reader)
{
    lua_State *state = reader->state;
    if (reader->rest.length == 0 || ++reader->depth > REPLY_DEPTH_MAX)
        refuse_reply(state);
    luaL_checkstack(state, 4, "reply nests too deep");
    char type = *reader->rest.data;
    reader->rest = slice_skip(reader->rest, 1);
    switch (type) {
    case '$': push_bulk(reader); break;
    case ':': lua_pushnumber(state, (lua_Number)take_integer(reader)); break;
    case '+':
        lua_newtable(state);
        set_text(state, "ok", take_line(reader));
        break;
    case '-': push_error_reply(reader); break;
    case '*':
    case '>': push_array(reader); break;
    case '%': push_map(reader); break;
    case '~': push_set(reader); break;
    case '_':
        (void)take_line(reader);
        lua_pushnil(state);
        break;
    case '#': lua_pushboolean(state, *take_line(reader).data == 't'); break;
    case ',': push_double(reader); break;
    case '(':
        lua_newtable(state);
        set_text(state, "big_number", take_line(reader));
        break;
    case '=': push_verbatim(reader); break;
    case '|': skip_attribute(reader); break;
    default: refuse_reply(state);
    }
    reader->depth--;
}

void cw_push_reply(lua_State *state, struct slice reply)
{
    struct reply_reader reader = {.state = state, .rest = reply};
    push_value(&reader);
}

/* --- Lua to replies --- */

struct reply_writer {
    lua_State *state;
    struct buf *out;
    int protocol;
    int script_protocol;
    size_t max;
    int depth;
};

static void write_value(struct reply_writer *writer);

/* Up to the first NUL, as the reference reads texts of one line. */
static struct slice line_at(lua_State *state, int index)
{
    return slice_text(lua_tostring(state, index));
}

/* Pushes the table's field, and says whether it is of that type. Else it is taken away again. */
static bool push_field(lua_State *state, const char *name, int type)
{
    lua_pushstring(state, name);
    lua_rawget(state, -2);
    if (lua_type(state, -1) == type)
        return true;
    lua_pop(state, 1);
    return false;
}

/* On top is what "verbatim_string" holds. */
static bool write_verbatim(struct reply_writer *writer)
{
    lua_State *state = writer->state;
    if (!push_field(state, "format", LUA_TSTRING))
        return false;
    char format[4] = "   ";
    struct slice given = line_at(state, -1);
    memcpy(format, given.data, given.length < 3 ? given.length : 3);
    lua_pop(state, 1);
    if (!push_field(state, "string", LUA_TSTRING))
        return false;
    struct slice text;
    text.data = lua_tolstring(state, -1, &text.length);
    resp_write_verbatim(writer->out, writer->protocol, format, text);
    lua_pop(state, 1);
    return true;
}

/* On top is a table whose keys, and for a map values, are the elements. */
static void write_pairs(struct reply_writer *writer, bool is_map)
{
    lua_State *state = writer->state;
    size_t before = buf_length(writer->out);
    uint64_t count = 0;
    lua_pushnil(state);
    while (lua_next(state, -2)) {
        if (is_map) {
            lua_pushvalue(state, -2);
            write_value(writer);
            write_value(writer);
        } else {
            lua_pop(state, 1);
            lua_pushvalue(state, -1);
            write_value(writer);
        }
        count++;
    }
    if (!is_map)
        resp_insert_set(writer->out, writer->protocol, before, count);
    else if (writer->protocol == 3)
        resp_insert_map(writer->out, before, count);
    else
        resp_insert_array(writer->out, before, 2 * count);
}

/* Up to the first nil. */
static void write_array(struct reply_writer *writer)
{
    lua_State *state = writer->state;
    size_t before = buf_length(writer->out);
    int count = 0;
    for (;;) {
        lua_rawgeti(state, -1, count + 1);
        if (lua_isnil(state, -1))
            break;
        write_value(writer);
        count++;
    }
    lua_pop(state, 1);
    resp_insert_array(writer->out, before, (uint64_t)count);
}

static int64_t to_integer(lua_Number number)
{
    return number >= -9223372036854775808.0 && number < 9223372036854775808.0 ? (int64_t)number : INT64_MIN;
}

/* On top are the digits, in which ends of lines become spaces. */
static void write_big_number(struct reply_writer *writer)
{
    struct slice digits;
    digits.data = lua_tolstring(writer->state, -1, &digits.length);
    struct buf *scratch = &cw_interpreter_of(writer->state)->scratch;
    buf_clear(scratch);
    cw_scratch_add(writer->state, digits.data, digits.length);
    for (size_t i = scratch->start; i < scratch->end; i++) {
        if (scratch->memory[i] == '\r' || scratch->memory[i] == '\n')
            scratch->memory[i] = ' ';
    }
    resp_write_big_number(writer->out, writer->protocol, buf_slice(scratch));
}

/* One of the tables that stand for a type of their own; else false. */
static bool write_marked(struct reply_writer *writer)
{
    lua_State *state = writer->state;
    if (push_field(state, "err", LUA_TSTRING)) {
        lua_insert(state, -2);
        cw_note_counted_error(state);
        lua_insert(state, -2);
        resp_write_error(writer->out, line_at(state, -1));
    } else if (push_field(state, "ok", LUA_TSTRING)) {
        resp_write_simple(writer->out, line_at(state, -1));
    } else if (push_field(state, "double", LUA_TNUMBER)) {
        resp_write_double(writer->out, writer->protocol, lua_tonumber(state, -1));
    } else if (push_field(state, "big_number", LUA_TSTRING)) {
        write_big_number(writer);
    } else {
        if (push_field(state, "verbatim_string", LUA_TTABLE)) {
            bool is_whole = write_verbatim(writer);
            lua_pop(state, 1);
            if (is_whole)
                return true;
        }
        if (push_field(state, "map", LUA_TTABLE))
            write_pairs(writer, true);
        else if (push_field(state, "set", LUA_TTABLE))
            write_pairs(writer, false);
        else
            return false;
    }
    lua_pop(state, 1);
    return true;
}

static void write_boolean(struct reply_writer *writer, bool value)
{
    if (writer->script_protocol == 3)
        resp_write_boolean(writer->out, writer->protocol, value);
    else if (value)
        resp_write_integer(writer->out, 1);
    else
        resp_write_null(writer->out, writer->protocol);
}

/* The value on top, which is taken away. */
static void write_value(struct reply_writer *writer)
{
    lua_State *state = writer->state;
    if (!lua_checkstack(state, 4) || (lua_istable(state, -1) && writer->depth >= WRITTEN_DEPTH)) {
        resp_write_error(writer->out, SLICE_LITERAL("ERR reached lua stack limit"));
        lua_pop(state, 1);
        return;
    }
    int type = buf_length(writer->out) > writer->max ? LUA_TNIL : lua_type(state, -1);
    switch (type) {
    case LUA_TSTRING: {
        struct slice bytes;
        bytes.data = lua_tolstring(state, -1, &bytes.length);
        resp_write_bulk(writer->out, bytes);
        break;
    }
    case LUA_TBOOLEAN: write_boolean(writer, lua_toboolean(state, -1)); break;
    case LUA_TNUMBER: resp_write_integer(writer->out, to_integer(lua_tonumber(state, -1))); break;
    case LUA_TTABLE:
        writer->depth++;
        if (!write_marked(writer))
            write_array(writer);
        writer->depth--;
        break;
    default: resp_write_null(writer->out, writer->protocol); break;
    }
    lua_pop(state, 1);
}

void cw_write_lua_value(lua_State *state, struct buf *out, int protocol, int script_protocol, size_t reply_max)
{
    struct reply_writer writer = {
        .state = state, .out = out, .protocol = protocol, .script_protocol = script_protocol, .max = reply_max};
    write_value(&writer);
}
