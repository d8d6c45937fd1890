#include "cacheworker/script/libraries.h"

#include <limits.h>
#include <math.h>

enum {
    PACK_DEPTH_MAX = 16,     /* deeper tables are packed as nil, so that cycles end */
    UNPACK_DEPTH_MAX = 2000, /* of arrays and maps in what is unpacked */
};

/* --- packing --- */

/* A type byte and a number of `size` bytes behind it, the highest first. */
static void add_head(lua_State *state, unsigned char type, uint64_t number, unsigned size)
{
    unsigned char bytes[9] = {type};
    for (unsigned i = 0; i < size; i++)
        bytes[1 + i] = (unsigned char)(number >> 8 * (size - 1 - i));
    cw_scratch_add(state, bytes, 1 + size);
}

static void pack_string(lua_State *state)
{
    size_t length;
    const char *text = lua_tolstring(state, -1, &length);
    if (length < 32)
        add_head(state, (unsigned char)(0xa0 | length), 0, 0);
    else if (length <= UINT8_MAX)
        add_head(state, 0xd9, length, 1);
    else if (length <= UINT16_MAX)
        add_head(state, 0xda, length, 2);
    else
        add_head(state, 0xdb, length, 4);
    cw_scratch_add(state, text, length);
}

static void pack_integer(lua_State *state, int64_t number)
{
    if (number >= -32 && number <= INT8_MAX)
        add_head(state, (unsigned char)number, 0, 0);
    else if (number >= 0 && number <= UINT8_MAX)
        add_head(state, 0xcc, (uint64_t)number, 1);
    else if (number >= 0 && number <= UINT16_MAX)
        add_head(state, 0xcd, (uint64_t)number, 2);
    else if (number >= 0 && number <= UINT32_MAX)
        add_head(state, 0xce, (uint64_t)number, 4);
    else if (number >= 0)
        add_head(state, 0xcf, (uint64_t)number, 8);
    else if (number >= INT8_MIN)
        add_head(state, 0xd0, (uint64_t)number, 1);
    else if (number >= INT16_MIN)
        add_head(state, 0xd1, (uint64_t)number, 2);
    else if (number >= INT32_MIN)
        add_head(state, 0xd2, (uint64_t)number, 4);
    else
        add_head(state, 0xd3, (uint64_t)number, 8);
}

static void pack_number(lua_State *state)
{
    double number = lua_tonumber(state, -1);
    if (number >= -9223372036854775808.0 && number < 9223372036854775808.0 && (double)(int64_t)number == number) {
        pack_integer(state, (int64_t)number);
        return;
    }
    float shorter = (float)number;
    if ((double)shorter == number) {
        uint32_t bits;
        memcpy(&bits, &shorter, sizeof(bits));
        add_head(state, 0xca, bits, 4);
    } else {
        uint64_t bits;
        memcpy(&bits, &number, sizeof(bits));
        add_head(state, 0xcb, bits, 8);
    }
}

/* Whether the keys of the table on top are 1 to n, and how many keys it has. */
static bool is_array(lua_State *state, size_t *ret_count)
{
    size_t count = 0;
    double last = 0;
    bool numbers_only = true;
    luaL_checkstack(state, 3, "in function table_is_an_array");
    lua_pushnil(state);
    while (lua_next(state, -2)) {
        double key = lua_type(state, -2) == LUA_TNUMBER ? lua_tonumber(state, -2) : 0;
        lua_pop(state, 1);
        numbers_only = numbers_only && key >= 1 && key <= INT_MAX && floor(key) == key;
        last = key > last ? key : last;
        count++;
    }
    *ret_count = count;
    return numbers_only && last == (double)count;
}

/* An array's or a map's head; `type` is that of the shortest one. */
static void add_count(lua_State *state, unsigned char type, size_t count)
{
    unsigned char longer = type == 0x90 ? 0xdc : 0xde;
    if (count <= 15)
        add_head(state, (unsigned char)(type | count), 0, 0);
    else if (count <= UINT16_MAX)
        add_head(state, longer, count, 2);
    else
        add_head(state, (unsigned char)(longer + 1), count, 4);
}

static void pack_value(lua_State *state, int depth);

static void pack_table(lua_State *state, int depth)
{
    size_t count;
    luaL_checkstack(state, 4, "in function mp_encode_lua_table_as_map");
    if (is_array(state, &count)) {
        add_count(state, 0x90, count);
        for (size_t i = 1; i <= count; i++) {
            lua_rawgeti(state, -1, (int)i);
            pack_value(state, depth + 1);
        }
        return;
    }
    add_count(state, 0x80, count);
    lua_pushnil(state);
    while (lua_next(state, -2)) {
        lua_pushvalue(state, -2);
        pack_value(state, depth + 1);
        pack_value(state, depth + 1);
    }
}

/* The value on top, which is taken away. */
static void pack_value(lua_State *state, int depth)
{
    int type = lua_type(state, -1);
    if (type == LUA_TSTRING)
        pack_string(state);
    else if (type == LUA_TBOOLEAN)
        cw_scratch_add_byte(state, lua_toboolean(state, -1) ? 0xc3 : 0xc2);
    else if (type == LUA_TNUMBER)
        pack_number(state);
    else if (type == LUA_TTABLE && depth < PACK_DEPTH_MAX)
        pack_table(state, depth);
    else
        cw_scratch_add_byte(state, 0xc0);
    lua_pop(state, 1);
}

static int msgpack_pack(lua_State *state)
{
    int count = lua_gettop(state);
    if (count == 0)
        return luaL_argerror(state, 0, "MessagePack pack needs input.");
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    buf_clear(&interpreter->scratch);
    for (int i = 1; i <= count; i++) {
        luaL_checkstack(state, 1, "in function mp_check");
        lua_pushvalue(state, i);
        pack_value(state, 0);
    }
    struct slice packed = buf_slice(&interpreter->scratch);
    lua_pushlstring(state, packed.data, packed.length);
    return 1;
}

/* --- unpacking --- */

struct unpacker {
    lua_State *state;
    struct slice rest;
    int depth;
};

static const unsigned char *take(struct unpacker *unpacker, size_t count)
{
    if (unpacker->rest.length < count)
        luaL_error(unpacker->state, "Missing bytes in input.");
    const unsigned char *bytes = (const unsigned char *)unpacker->rest.data;
    unpacker->rest = slice_skip(unpacker->rest, count);
    return bytes;
}

static uint64_t take_number(struct unpacker *unpacker, unsigned size)
{
    const unsigned char *bytes = take(unpacker, size);
    uint64_t number = 0;
    for (unsigned i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

static void unpack_string(struct unpacker *unpacker, size_t length)
{
    const unsigned char *bytes = take(unpacker, length);
    lua_pushlstring(unpacker->state, (const char *)bytes, length);
}

static void unpack_value(struct unpacker *unpacker);

static void descend(struct unpacker *unpacker)
{
    if (++unpacker->depth > UNPACK_DEPTH_MAX)
        luaL_error(unpacker->state, "too many nested data structures");
    luaL_checkstack(unpacker->state, 3, "in function mp_decode_to_lua_array");
    lua_newtable(unpacker->state);
}

/* No memory is taken by the count alone: each element needs its byte. */
static void unpack_array(struct unpacker *unpacker, uint64_t count)
{
    descend(unpacker);
    for (uint64_t i = 1; i <= count; i++) {
        unpack_value(unpacker);
        lua_rawseti(unpacker->state, -2, (int)i);
    }
    unpacker->depth--;
}

static void unpack_map(struct unpacker *unpacker, uint64_t count)
{
    descend(unpacker);
    for (uint64_t i = 0; i < count; i++) {
        unpack_value(unpacker);
        unpack_value(unpacker);
        lua_rawset(unpacker->state, -3);
    }
    unpacker->depth--;
}

static void unpack_float(struct unpacker *unpacker, unsigned size)
{
    uint64_t bits = take_number(unpacker, size);
    double number;
    memcpy(&number, &bits, sizeof(number));
    if (size == sizeof(float)) {
        uint32_t lower = (uint32_t)bits;
        float shorter;
        memcpy(&shorter, &lower, sizeof(shorter));
        number = shorter;
    }
    lua_pushnumber(unpacker->state, number);
}

/* Types whose first byte holds a small number too. False: there is no such type. */
static bool unpack_short(struct unpacker *unpacker, unsigned char type)
{
    if (type <= 0x7f)
        lua_pushinteger(unpacker->state, type);
    else if (type >= 0xe0)
        lua_pushinteger(unpacker->state, (signed char)type);
    else if ((type & 0xe0) == 0xa0)
        unpack_string(unpacker, type & 0x1f);
    else if ((type & 0xf0) == 0x90)
        unpack_array(unpacker, type & 0xf);
    else if ((type & 0xf0) == 0x80)
        unpack_map(unpacker, type & 0xf);
    else
        return false;
    return true;
}

static void unpack_value(struct unpacker *unpacker)
{
    lua_State *state = unpacker->state;
    luaL_checkstack(state, 1, "too many return values at once; use unpack_one or unpack_limit instead.");
    unsigned char type = *take(unpacker, 1);
    switch (type) {
    case 0xc0: lua_pushnil(state); break;
    case 0xc2:
    case 0xc3: lua_pushboolean(state, type == 0xc3); break;
    case 0xca: unpack_float(unpacker, 4); break;
    case 0xcb: unpack_float(unpacker, 8); break;
    case 0xcc: lua_pushnumber(state, (lua_Number)take_number(unpacker, 1)); break;
    case 0xcd: lua_pushnumber(state, (lua_Number)take_number(unpacker, 2)); break;
    case 0xce: lua_pushnumber(state, (lua_Number)take_number(unpacker, 4)); break;
    case 0xcf: /* as the reference has it: the highest bit is a sign */
    case 0xd3: lua_pushnumber(state, (lua_Number)(int64_t)take_number(unpacker, 8)); break;
    case 0xd0: lua_pushnumber(state, (int8_t)take_number(unpacker, 1)); break;
    case 0xd1: lua_pushnumber(state, (int16_t)take_number(unpacker, 2)); break;
    case 0xd2: lua_pushnumber(state, (int32_t)take_number(unpacker, 4)); break;
    case 0xd9: unpack_string(unpacker, take_number(unpacker, 1)); break;
    case 0xda: unpack_string(unpacker, take_number(unpacker, 2)); break;
    case 0xdb: unpack_string(unpacker, take_number(unpacker, 4)); break;
    case 0xdc: unpack_array(unpacker, take_number(unpacker, 2)); break;
    case 0xdd: unpack_array(unpacker, take_number(unpacker, 4)); break;
    case 0xde: unpack_map(unpacker, take_number(unpacker, 2)); break;
    case 0xdf: unpack_map(unpacker, take_number(unpacker, 4)); break;
    default:
        if (!unpack_short(unpacker, type))
            luaL_error(state, "Bad data format in input.");
    }
}

/* With a limit or an offset, the first result is where to go on, or -1 at the end. */
static int unpack_from(lua_State *state, lua_Integer limit, lua_Integer offset)
{
    struct slice input;
    input.data = luaL_checklstring(state, 1, &input.length);
    bool unpacks_all = limit == 0 && offset == 0;
    if (offset < 0 || limit < 0)
        return luaL_error(state, "Invalid request to unpack with offset of %d and limit of %d.", (int)offset,
                          (int)input.length);
    if ((size_t)offset > input.length)
        return luaL_error(state, "Start offset %d greater than input length %d.", (int)offset, (int)input.length);
    struct unpacker unpacker = {.state = state, .rest = slice_skip(input, (size_t)offset)};
    int count = 0;
    for (; unpacker.rest.length > 0 && (unpacks_all || count < limit); count++)
        unpack_value(&unpacker);
    if (unpacks_all)
        return count;
    luaL_checkstack(state, 1, "in function mp_unpack_full");
    lua_pushinteger(state, unpacker.rest.length == 0 ? -1 : (lua_Integer)(input.length - unpacker.rest.length));
    lua_insert(state, 2);
    return count + 1;
}

static int msgpack_unpack(lua_State *state)
{
    lua_settop(state, 1);
    return unpack_from(state, 0, 0);
}

static int msgpack_unpack_one(lua_State *state)
{
    lua_Integer offset = luaL_optinteger(state, 2, 0);
    lua_settop(state, 1);
    return unpack_from(state, 1, offset);
}

static int msgpack_unpack_limit(lua_State *state)
{
    lua_Integer limit = luaL_checkinteger(state, 2);
    lua_Integer offset = luaL_optinteger(state, 3, 0);
    lua_settop(state, 1);
    return unpack_from(state, limit, offset);
}

int cw_open_msgpack(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"pack", msgpack_pack},
        {"unpack", msgpack_unpack},
        {"unpack_one", msgpack_unpack_one},
        {"unpack_limit", msgpack_unpack_limit},
        {NULL, NULL},
    };
    lua_newtable(state);
    luaL_register(state, NULL, functions);
    lua_pushliteral(state, "cmsgpack");
    lua_setfield(state, -2, "_NAME");
    lua_pushliteral(state, "lua-cmsgpack 0.4.0");
    lua_setfield(state, -2, "_VERSION");
    lua_setglobal(state, "cmsgpack");
    return 0;
}
