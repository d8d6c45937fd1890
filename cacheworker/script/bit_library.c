#include "cacheworker/script/libraries.h"

/* A number's lowest 32 bits: the sum with 2^52 + 2^51 has them in its own lowest ones, rounded to even. */
static uint32_t bits_at(lua_State *state, int index)
{
    double number = lua_tonumber(state, index);
    if (number == 0 && !lua_isnumber(state, index))
        luaL_typerror(state, index, "number");
    number += 6755399441055744.0;
    uint64_t representation;
    memcpy(&representation, &number, sizeof(representation));
    return (uint32_t)representation;
}

static int push_bits(lua_State *state, uint32_t bits)
{
    lua_pushnumber(state, (int32_t)bits);
    return 1;
}

static int bit_tobit(lua_State *state)
{
    return push_bits(state, bits_at(state, 1));
}

static int bit_bnot(lua_State *state)
{
    return push_bits(state, ~bits_at(state, 1));
}

static int bit_band(lua_State *state)
{
    uint32_t bits = bits_at(state, 1);
    for (int i = lua_gettop(state); i > 1; i--)
        bits &= bits_at(state, i);
    return push_bits(state, bits);
}

static int bit_bor(lua_State *state)
{
    uint32_t bits = bits_at(state, 1);
    for (int i = lua_gettop(state); i > 1; i--)
        bits |= bits_at(state, i);
    return push_bits(state, bits);
}

static int bit_bxor(lua_State *state)
{
    uint32_t bits = bits_at(state, 1);
    for (int i = lua_gettop(state); i > 1; i--)
        bits ^= bits_at(state, i);
    return push_bits(state, bits);
}

static uint32_t rotate_left(uint32_t bits, unsigned count)
{
    count &= 31;
    return count == 0 ? bits : bits << count | bits >> (32 - count);
}

static int bit_lshift(lua_State *state)
{
    uint32_t bits = bits_at(state, 1);
    return push_bits(state, bits << (bits_at(state, 2) & 31));
}

static int bit_rshift(lua_State *state)
{
    uint32_t bits = bits_at(state, 1);
    return push_bits(state, bits >> (bits_at(state, 2) & 31));
}

static int bit_arshift(lua_State *state)
{
    uint32_t bits = bits_at(state, 1);
    return push_bits(state, (uint32_t)((int32_t)bits >> (bits_at(state, 2) & 31)));
}

static int bit_rol(lua_State *state)
{
    uint32_t bits = bits_at(state, 1);
    return push_bits(state, rotate_left(bits, bits_at(state, 2)));
}

static int bit_ror(lua_State *state)
{
    uint32_t bits = bits_at(state, 1);
    return push_bits(state, rotate_left(bits, 32 - (bits_at(state, 2) & 31)));
}

static int bit_bswap(lua_State *state)
{
    return push_bits(state, __builtin_bswap32(bits_at(state, 1)));
}

static int bit_tohex(lua_State *state)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    uint32_t bits = bits_at(state, 1);
    int64_t wanted = lua_isnone(state, 2) ? 8 : (int32_t)bits_at(state, 2);
    const char *digits = wanted < 0 ? upper : lower;
    size_t count = (size_t)(wanted < 0 ? -wanted : wanted);
    char text[8];
    if (count > sizeof(text))
        count = sizeof(text);
    for (size_t i = count; i-- > 0; bits >>= 4)
        text[i] = digits[bits & 15];
    lua_pushlstring(state, text, count);
    return 1;
}

int cw_open_bit(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"tobit", bit_tobit}, {"bnot", bit_bnot},     {"band", bit_band},     {"bor", bit_bor},
        {"bxor", bit_bxor},   {"lshift", bit_lshift}, {"rshift", bit_rshift}, {"arshift", bit_arshift},
        {"rol", bit_rol},     {"ror", bit_ror},       {"bswap", bit_bswap},   {"tohex", bit_tohex},
        {NULL, NULL},
    };
    lua_newtable(state);
    luaL_register(state, NULL, functions);
    lua_setglobal(state, "bit");
    return 0;
}
