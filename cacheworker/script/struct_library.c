#include "cacheworker/script/libraries.h"

#include <ctype.h>
#include <limits.h>

enum { INTEGER_MAX_BYTES = 32 };

struct format {
    const char *rest; /* NUL-terminated, as the reference reads it */
    bool big_endian;
    size_t alignment;
};

static size_t read_number(lua_State *state, struct format *format, size_t otherwise)
{
    if (!isdigit((unsigned char)*format->rest))
        return otherwise;
    int64_t number = 0;
    while (isdigit((unsigned char)*format->rest)) {
        number = 10 * number + (*format->rest++ - '0');
        if (number > INT_MAX)
            luaL_error(state, "integral size overflow");
    }
    return (size_t)number;
}

/* Of the item that `option` names; 0 where it has none of its own. */
static size_t read_size(lua_State *state, struct format *format, char option)
{
    switch (option) {
    case 'B':
    case 'b':
    case 'x': return 1;
    case 'H':
    case 'h': return sizeof(short);
    case 'L':
    case 'l':
    case 'T': return sizeof(long);
    case 'f': return sizeof(float);
    case 'd': return sizeof(double);
    case 'c': return read_number(state, format, 1);
    case 'i':
    case 'I': {
        size_t size = read_number(state, format, sizeof(int));
        if (size > INTEGER_MAX_BYTES)
            luaL_error(state, "integral size %d is larger than limit of %d", (int)size, INTEGER_MAX_BYTES);
        return size;
    }
    default: return 0;
    }
}

/* Bytes before an item of that size at `position`. Sizes of integers may be no powers of two; the reference takes the
 * same bits of them. */
static size_t padding_of(const struct format *format, size_t position, char option, size_t size)
{
    if (size == 0 || option == 'c')
        return 0;
    if (size > format->alignment)
        size = format->alignment;
    return (size - (position & (size - 1))) & (size - 1);
}

static void read_control(lua_State *state, struct format *format, char option)
{
    switch (option) {
    case ' ': return;
    case '>': format->big_endian = true; return;
    case '<': format->big_endian = false; return;
    case '!': {
        size_t alignment = read_number(state, format, 8);
        if (alignment == 0 || (alignment & (alignment - 1)) != 0)
            luaL_error(state, "alignment %d is not a power of 2", (int)alignment);
        format->alignment = alignment;
        return;
    }
    default: luaL_argerror(state, 1, lua_pushfstring(state, "invalid format option '%c'", option));
    }
}

static bool is_integer(char option)
{
    return option != '\0' && strchr("bBhHlLTiI", option) != NULL;
}

/* --- packing --- */

static void add_ordered(lua_State *state, const struct format *format, const void *little, size_t size)
{
    for (size_t i = 0; i < size; i++)
        cw_scratch_add_byte(state, ((const unsigned char *)little)[format->big_endian ? size - 1 - i : i]);
}

/* As a conversion of the processor that the reference runs on: what does not fit gives the lowest number. */
static int64_t to_i64(double number)
{
    return number >= -9223372036854775808.0 && number < 9223372036854775808.0 ? (int64_t)number : INT64_MIN;
}

static uint64_t to_u64(double number)
{
    if (number < 9223372036854775808.0)
        return (uint64_t)to_i64(number);
    return number < 18446744073709551616.0 ? (uint64_t)number : 0;
}

static void pack_integer(lua_State *state, const struct format *format, int argument, size_t size)
{
    double number = luaL_checknumber(state, argument);
    uint64_t value = number < 0 ? (uint64_t)to_i64(number) : to_u64(number);
    unsigned char little[INTEGER_MAX_BYTES] = {0};
    for (size_t i = 0; i < size && i < sizeof(value); i++)
        little[i] = (unsigned char)(value >> 8 * i);
    add_ordered(state, format, little, size);
}

/* The argument's first `size` bytes, or with 0 all. Returns how many were packed. */
static size_t pack_text(lua_State *state, int argument, char option, size_t size)
{
    size_t length;
    const char *text = luaL_checklstring(state, argument, &length);
    if (size == 0)
        size = length;
    luaL_argcheck(state, length >= size, argument + 1, "string too short");
    cw_scratch_add(state, text, size);
    if (option != 's')
        return size;
    cw_scratch_add_byte(state, '\0');
    return size + 1;
}

static int struct_pack(lua_State *state)
{
    struct format format = {.rest = luaL_checkstring(state, 1), .alignment = 1};
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    buf_clear(&interpreter->scratch);
    lua_pushnil(state); /* what is missing is nil, say the errors */
    int argument = 2;
    size_t position = 0;
    while (*format.rest != '\0') {
        char option = *format.rest++;
        size_t size = read_size(state, &format, option);
        size_t padding = padding_of(&format, position, option, size);
        position += padding;
        while (padding-- > 0)
            cw_scratch_add_byte(state, '\0');
        if (is_integer(option)) {
            pack_integer(state, &format, argument++, size);
        } else if (option == 'x') {
            cw_scratch_add_byte(state, '\0');
        } else if (option == 'f') {
            float number = (float)luaL_checknumber(state, argument++);
            add_ordered(state, &format, &number, sizeof(number));
        } else if (option == 'd') {
            double number = luaL_checknumber(state, argument++);
            add_ordered(state, &format, &number, sizeof(number));
        } else if (option == 'c' || option == 's') {
            size = pack_text(state, argument++, option, size);
        } else {
            read_control(state, &format, option);
        }
        position += size;
    }
    struct slice packed = buf_slice(&interpreter->scratch);
    lua_pushlstring(state, packed.data, packed.length);
    return 1;
}

/* --- unpacking --- */

static void take_ordered(const struct format *format, const char *data, size_t size, unsigned char *little)
{
    for (size_t i = 0; i < size; i++)
        little[i] = (unsigned char)data[format->big_endian ? size - 1 - i : i];
}

static double unpack_integer(const struct format *format, const char *data, char option, size_t size)
{
    unsigned char little[INTEGER_MAX_BYTES];
    take_ordered(format, data, size, little);
    uint64_t value = 0;
    for (size_t i = 0; i < size && i < sizeof(value); i++)
        value |= (uint64_t)little[i] << 8 * i;
    if (!islower((unsigned char)option))
        return (double)value;
    if (size > 0 && size < sizeof(value) && (value >> (8 * size - 1) & 1))
        value |= ~UINT64_C(0) << 8 * size;
    return (double)(int64_t)value;
}

struct unpacking {
    struct format format;
    struct slice data;
    size_t position;
    int count; /* of results on the stack */
};

static void need(lua_State *state, const struct unpacking *unpacking, size_t size)
{
    luaL_argcheck(state, size <= unpacking->data.length && unpacking->position <= unpacking->data.length - size, 2,
                  "data string too short");
}

/* Returns how many bytes the item took. */
static size_t unpack_text(lua_State *state, struct unpacking *unpacking, size_t size)
{
    if (size == 0) {
        if (unpacking->count == 0 || !lua_isnumber(state, -1))
            luaL_error(state, "format 'c0' needs a previous size");
        double wanted = lua_tonumber(state, -1);
        size = wanted >= 0 && wanted <= (double)unpacking->data.length ? (size_t)wanted : SIZE_MAX;
        lua_pop(state, 1);
        unpacking->count--;
        need(state, unpacking, size);
    }
    lua_pushlstring(state, unpacking->data.data + unpacking->position, size);
    return size;
}

static size_t unpack_terminated(lua_State *state, const struct unpacking *unpacking)
{
    const char *text = unpacking->data.data + unpacking->position;
    const char *end = memchr(text, '\0', unpacking->data.length - unpacking->position);
    if (end == NULL)
        luaL_error(state, "unfinished string in data");
    lua_pushlstring(state, text, (size_t)(end - text));
    return (size_t)(end - text) + 1;
}

/* Returns how many bytes the item took. */
static size_t unpack_item(lua_State *state, struct unpacking *unpacking, char option, size_t size)
{
    const char *data = unpacking->data.data + unpacking->position;
    unsigned char little[sizeof(double)];
    if (is_integer(option)) {
        lua_pushnumber(state, unpack_integer(&unpacking->format, data, option, size));
    } else if (option == 'f') {
        float number;
        take_ordered(&unpacking->format, data, sizeof(number), little);
        memcpy(&number, little, sizeof(number));
        lua_pushnumber(state, number);
    } else if (option == 'd') {
        double number;
        take_ordered(&unpacking->format, data, sizeof(number), little);
        memcpy(&number, little, sizeof(number));
        lua_pushnumber(state, number);
    } else if (option == 'c') {
        size = unpack_text(state, unpacking, size);
    } else if (option == 's') {
        size = unpack_terminated(state, unpacking);
    } else {
        if (option != 'x')
            read_control(state, &unpacking->format, option);
        return size;
    }
    unpacking->count++;
    return size;
}

static int struct_unpack(lua_State *state)
{
    struct unpacking unpacking = {.format = {.rest = luaL_checkstring(state, 1), .alignment = 1}};
    unpacking.data.data = luaL_checklstring(state, 2, &unpacking.data.length);
    lua_Integer position = luaL_optinteger(state, 3, 1);
    luaL_argcheck(state, position > 0, 3, "offset must be 1 or greater");
    unpacking.position = (size_t)position - 1;
    while (*unpacking.format.rest != '\0') {
        char option = *unpacking.format.rest++;
        size_t size = read_size(state, &unpacking.format, option);
        unpacking.position += padding_of(&unpacking.format, unpacking.position, option, size);
        need(state, &unpacking, size);
        luaL_checkstack(state, 2, "too many results");
        unpacking.position += unpack_item(state, &unpacking, option, size);
    }
    lua_pushinteger(state, (lua_Integer)unpacking.position + 1);
    return unpacking.count + 1;
}

static int struct_size(lua_State *state)
{
    struct format format = {.rest = luaL_checkstring(state, 1), .alignment = 1};
    size_t position = 0;
    while (*format.rest != '\0') {
        char option = *format.rest++;
        size_t size = read_size(state, &format, option);
        position += padding_of(&format, position, option, size);
        if (option == 's')
            return luaL_argerror(state, 1, "option 's' has no fixed size");
        if (option == 'c' && size == 0)
            return luaL_argerror(state, 1, "option 'c0' has no fixed size");
        if (!isalnum((unsigned char)option))
            read_control(state, &format, option);
        position += size;
    }
    lua_pushinteger(state, (lua_Integer)position);
    return 1;
}

int cw_open_struct(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"pack", struct_pack}, {"unpack", struct_unpack}, {"size", struct_size}, {NULL, NULL}};
    lua_newtable(state);
    luaL_register(state, NULL, functions);
    lua_setglobal(state, "struct");
    return 0;
}
