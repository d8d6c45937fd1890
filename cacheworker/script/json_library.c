#include "cacheworker/script/libraries.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

enum { NUMBERS_REFUSED = 0, NUMBERS_AS_THEY_ARE = 1, NUMBERS_AS_NULL = 2 };

/* Of one cjson table: the upvalue of its functions. */
struct json_options {
    int sparse_convert;
    int sparse_ratio;
    int sparse_safe;
    int encode_max_depth;
    int decode_max_depth;
    int encode_invalid_numbers;
    int decode_invalid_numbers;
    int number_precision;
    int keep_buffer; /* told, and nothing else: the buffer is the interpreter's */
};

static struct json_options *options_of(lua_State *state)
{
    return lua_touserdata(state, lua_upvalueindex(1));
}

/* --- options --- */

static struct json_options *option_arguments(lua_State *state, int count)
{
    luaL_argcheck(state, lua_gettop(state) <= count, count + 1, "found too many arguments");
    lua_settop(state, count);
    return options_of(state);
}

static void integer_option(lua_State *state, int index, int *option, int least, int most)
{
    if (!lua_isnil(state, index)) {
        lua_Integer value = luaL_checkinteger(state, index);
        if (value < least || value > most)
            luaL_argerror(state, 1, lua_pushfstring(state, "expected integer between %d and %d", least, most));
        *option = (int)value;
    }
    lua_pushinteger(state, *option);
}

static void choice_option(lua_State *state, int index, int *option, const char *const *names)
{
    if (lua_isboolean(state, index))
        *option = lua_toboolean(state, index);
    else if (!lua_isnil(state, index))
        *option = luaL_checkoption(state, index, NULL, names);
    if (*option <= 1)
        lua_pushboolean(state, *option);
    else
        lua_pushstring(state, names[*option]);
}

static const char *const on_or_off[] = {"off", "on", NULL};

static int json_encode_sparse_array(lua_State *state)
{
    struct json_options *options = option_arguments(state, 3);
    choice_option(state, 1, &options->sparse_convert, on_or_off);
    integer_option(state, 2, &options->sparse_ratio, 0, INT_MAX);
    integer_option(state, 3, &options->sparse_safe, 0, INT_MAX);
    return 3;
}

static int json_encode_max_depth(lua_State *state)
{
    integer_option(state, 1, &option_arguments(state, 1)->encode_max_depth, 1, INT_MAX);
    return 1;
}

static int json_decode_max_depth(lua_State *state)
{
    integer_option(state, 1, &option_arguments(state, 1)->decode_max_depth, 1, INT_MAX);
    return 1;
}

static int json_encode_number_precision(lua_State *state)
{
    integer_option(state, 1, &option_arguments(state, 1)->number_precision, 1, 14);
    return 1;
}

static int json_encode_keep_buffer(lua_State *state)
{
    choice_option(state, 1, &option_arguments(state, 1)->keep_buffer, on_or_off);
    return 1;
}

static int json_encode_invalid_numbers(lua_State *state)
{
    static const char *const names[] = {"off", "on", "null", NULL};
    choice_option(state, 1, &option_arguments(state, 1)->encode_invalid_numbers, names);
    return 1;
}

static int json_decode_invalid_numbers(lua_State *state)
{
    choice_option(state, 1, &option_arguments(state, 1)->decode_invalid_numbers, on_or_off);
    return 1;
}

/* --- encoding --- */

static void add_text(lua_State *state, const char *text)
{
    cw_scratch_add(state, text, strlen(text));
}

static int refuse_value(lua_State *state, int index, const char *reason)
{
    return luaL_error(state, "Cannot serialise %s: %s", luaL_typename(state, index), reason);
}

/* What a character is written as, when not as itself; `text` has room for seven bytes. */
static const char *escape_of(unsigned char character, char *text)
{
    switch (character) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '/': return "\\/";
    case '\b': return "\\b";
    case '\t': return "\\t";
    case '\n': return "\\n";
    case '\f': return "\\f";
    case '\r': return "\\r";
    default: break;
    }
    if (character >= ' ' && character != 127)
        return NULL;
    snprintf(text, 7, "\\u%04x", character);
    return text;
}

static void encode_string(lua_State *state, int index)
{
    size_t length;
    const char *text = lua_tolstring(state, index, &length);
    cw_scratch_add_byte(state, '"');
    size_t plain = 0; /* where the run of characters begins that need no escape */
    for (size_t i = 0; i < length; i++) {
        char escaped[7];
        const char *escape = escape_of((unsigned char)text[i], escaped);
        if (escape == NULL)
            continue;
        cw_scratch_add(state, text + plain, i - plain);
        add_text(state, escape);
        plain = i + 1;
    }
    cw_scratch_add(state, text + plain, length - plain);
    cw_scratch_add_byte(state, '"');
}

static void encode_number(lua_State *state, int index)
{
    const struct json_options *options = options_of(state);
    double number = lua_tonumber(state, index);
    bool is_valid = isfinite(number);
    if (!is_valid && options->encode_invalid_numbers == NUMBERS_REFUSED) {
        refuse_value(state, index, "must not be NaN or Inf");
    } else if (!is_valid && options->encode_invalid_numbers == NUMBERS_AS_NULL) {
        add_text(state, "null");
    } else if (isnan(number)) {
        add_text(state, "nan");
    } else {
        char text[32];
        snprintf(text, sizeof(text), "%.*g", options->number_precision, number);
        add_text(state, text);
    }
}

/* How many elements the table on top has as an array; negative: it is an object. */
static int64_t array_length(lua_State *state)
{
    const struct json_options *options = options_of(state);
    double last = 0;
    double items = 0;
    lua_pushnil(state);
    while (lua_next(state, -2)) {
        double key = lua_type(state, -2) == LUA_TNUMBER ? lua_tonumber(state, -2) : 0;
        lua_pop(state, 1);
        if (!(key >= 1 && key <= INT_MAX && floor(key) == key)) {
            lua_pop(state, 1);
            return -1;
        }
        last = key > last ? key : last;
        items++;
    }
    if (options->sparse_ratio == 0 || last <= items * options->sparse_ratio || last <= options->sparse_safe)
        return (int64_t)last;
    if (!options->sparse_convert)
        refuse_value(state, -1, "excessively sparse array");
    return -1;
}

static void encode_value(lua_State *state, int depth);

static void encode_array(lua_State *state, int64_t length, int depth)
{
    cw_scratch_add_byte(state, '[');
    for (int64_t i = 1; i <= length; i++) {
        if (i > 1)
            cw_scratch_add_byte(state, ',');
        lua_rawgeti(state, -1, (int)i);
        encode_value(state, depth);
        lua_pop(state, 1);
    }
    cw_scratch_add_byte(state, ']');
}

static void encode_object(lua_State *state, int depth)
{
    cw_scratch_add_byte(state, '{');
    bool is_first = true;
    lua_pushnil(state);
    while (lua_next(state, -2)) {
        if (!is_first)
            cw_scratch_add_byte(state, ',');
        is_first = false;
        int type = lua_type(state, -2);
        if (type == LUA_TNUMBER) {
            cw_scratch_add_byte(state, '"');
            encode_number(state, -2);
            cw_scratch_add_byte(state, '"');
        } else if (type == LUA_TSTRING) {
            encode_string(state, -2);
        } else {
            refuse_value(state, -2, "table key must be a number or string");
        }
        cw_scratch_add_byte(state, ':');
        encode_value(state, depth);
        lua_pop(state, 1);
    }
    cw_scratch_add_byte(state, '}');
}

static void encode_table(lua_State *state, int depth)
{
    if (depth > options_of(state)->encode_max_depth || !lua_checkstack(state, 4))
        luaL_error(state, "Cannot serialise, excessive nesting (%d)", depth);
    int64_t length = array_length(state);
    if (length > 0)
        encode_array(state, length, depth);
    else
        encode_object(state, depth);
}

/* The value on top, which stays there. */
static void encode_value(lua_State *state, int depth)
{
    switch (lua_type(state, -1)) {
    case LUA_TSTRING: encode_string(state, -1); break;
    case LUA_TNUMBER: encode_number(state, -1); break;
    case LUA_TBOOLEAN: add_text(state, lua_toboolean(state, -1) ? "true" : "false"); break;
    case LUA_TTABLE: encode_table(state, depth + 1); break;
    case LUA_TNIL: add_text(state, "null"); break;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(state, -1) == NULL) {
            add_text(state, "null");
            break;
        }
        FALLTHROUGH;
    default: refuse_value(state, -1, "type not supported");
    }
}

static int json_encode(lua_State *state)
{
    luaL_argcheck(state, lua_gettop(state) == 1, 1, "expected 1 argument");
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    buf_clear(&interpreter->scratch);
    encode_value(state, 0);
    struct slice text = buf_slice(&interpreter->scratch);
    lua_pushlstring(state, text.data, text.length);
    return 1;
}

/* --- decoding --- */

enum token_kind {
    TOKEN_OBJECT_BEGIN,
    TOKEN_OBJECT_END,
    TOKEN_ARRAY_BEGIN,
    TOKEN_ARRAY_END,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_BOOLEAN,
    TOKEN_NULL,
    TOKEN_COLON,
    TOKEN_COMMA,
    TOKEN_END,
    TOKEN_ERROR,
};

struct token {
    enum token_kind kind;
    size_t index; /* where it begins */
    double number;
    bool boolean;
    const char *error;
};

/* The text is Lua's, so a NUL stands behind it. A string's characters are gathered in the scratch. */
struct decoder {
    lua_State *state;
    const struct json_options *options;
    struct buf *scratch;
    const char *text;
    const char *at;
    int depth;
};

static void set_error(struct decoder *decoder, struct token *token, const char *error)
{
    token->kind = TOKEN_ERROR;
    token->index = (size_t)(decoder->at - decoder->text);
    token->error = error;
}

static int read_hex(const char *digits)
{
    int number = 0;
    for (int i = 0; i < 4; i++) {
        char digit = digits[i];
        int value = digit >= '0' && digit <= '9'   ? digit - '0'
                    : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                    : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                                   : -1;
        if (value < 0)
            return -1; /* also at the text's end */
        number = number * 16 + value;
    }
    return number;
}

static void add_utf8(lua_State *state, int character)
{
    unsigned char bytes[4];
    size_t count = character <= 0x7f ? 1 : character <= 0x7ff ? 2 : character <= 0xffff ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = count; i-- > 1; character >>= 6)
        bytes[i] = (unsigned char)(0x80 | (character & 0x3f));
    bytes[0] = (unsigned char)(leads[count] | character);
    cw_scratch_add(state, bytes, count);
}

/* At "\u": one character, which may take two of them. */
static bool decode_unicode(struct decoder *decoder)
{
    int character = read_hex(decoder->at + 2);
    if (character < 0)
        return false;
    decoder->at += 6;
    if ((character & 0xf800) == 0xd800) {
        if ((character & 0x400) != 0 || decoder->at[0] != '\\' || decoder->at[1] != 'u')
            return false;
        int low = read_hex(decoder->at + 2);
        if (low < 0 || (low & 0xfc00) != 0xdc00)
            return false;
        character = ((character & 0x3ff) << 10 | (low & 0x3ff)) + 0x10000;
        decoder->at += 6;
    }
    add_utf8(decoder->state, character);
    return true;
}

/* What stands for the escaped character; 0: nothing does. */
static char unescape(char character)
{
    switch (character) {
    case '"':
    case '\\':
    case '/': return character;
    case 'b': return '\b';
    case 't': return '\t';
    case 'n': return '\n';
    case 'f': return '\f';
    case 'r': return '\r';
    default: return '\0';
    }
}

static bool decode_escape(struct decoder *decoder, struct token *token)
{
    const char *begin = decoder->at;
    if (begin[1] == 'u') {
        if (decode_unicode(decoder))
            return true;
        decoder->at = begin;
        set_error(decoder, token, "invalid unicode escape code");
        return false;
    }
    char character = unescape(begin[1]);
    if (character == '\0') {
        set_error(decoder, token, "invalid escape code");
        return false;
    }
    cw_scratch_add(decoder->state, &character, 1);
    decoder->at += 2;
    return true;
}

static void decode_string(struct decoder *decoder, struct token *token)
{
    buf_clear(decoder->scratch);
    decoder->at++;
    for (;;) {
        size_t plain = strcspn(decoder->at, "\"\\");
        cw_scratch_add(decoder->state, decoder->at, plain);
        decoder->at += plain;
        if (*decoder->at == '"')
            break;
        if (*decoder->at == '\0') {
            set_error(decoder, token, "unexpected end of string");
            return;
        }
        if (!decode_escape(decoder, token))
            return;
    }
    decoder->at++;
    token->kind = TOKEN_STRING;
}

/* What strtod reads and JSON does not know: hexadecimal digits, leading zeros, infinity, not a number, a plus. */
static bool is_invalid_number(const char *text)
{
    if (*text == '+')
        return true;
    if (*text == '-')
        text++;
    if (*text == '0')
        return text[1] == 'x' || text[1] == 'X' || (text[1] >= '0' && text[1] <= '9');
    if (*text <= '9')
        return false;
    return strncasecmp(text, "inf", 3) == 0 || strncasecmp(text, "nan", 3) == 0;
}

static void decode_number(struct decoder *decoder, struct token *token)
{
    char *end;
    token->kind = TOKEN_NUMBER;
    token->number = strtod(decoder->at, &end);
    if (end == decoder->at)
        set_error(decoder, token, "invalid number");
    else
        decoder->at = end;
}

static bool decode_word(struct decoder *decoder, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(decoder->at, word, length) != 0)
        return false;
    decoder->at += length;
    return true;
}

/* Begins with a letter or a sign. */
static void decode_name(struct decoder *decoder, struct token *token)
{
    if (decode_word(decoder, "true") || decode_word(decoder, "false")) {
        token->kind = TOKEN_BOOLEAN;
        token->boolean = decoder->at[-2] == 'u'; /* trUe, falSe */
    } else if (decode_word(decoder, "null")) {
        token->kind = TOKEN_NULL;
    } else if (strchr("iInN+", *decoder->at) != NULL && decoder->options->decode_invalid_numbers &&
               is_invalid_number(decoder->at)) {
        decode_number(decoder, token);
    } else {
        set_error(decoder, token, "invalid token");
    }
}

static bool decode_mark(char character, enum token_kind *ret_kind)
{
    switch (character) {
    case '{': *ret_kind = TOKEN_OBJECT_BEGIN; return true;
    case '}': *ret_kind = TOKEN_OBJECT_END; return true;
    case '[': *ret_kind = TOKEN_ARRAY_BEGIN; return true;
    case ']': *ret_kind = TOKEN_ARRAY_END; return true;
    case ':': *ret_kind = TOKEN_COLON; return true;
    case ',': *ret_kind = TOKEN_COMMA; return true;
    default: return false;
    }
}

static void next_token(struct decoder *decoder, struct token *token)
{
    decoder->at += strspn(decoder->at, " \t\n\r");
    token->index = (size_t)(decoder->at - decoder->text);
    char first = *decoder->at;
    if (first == '\0') {
        token->kind = TOKEN_END;
    } else if (decode_mark(first, &token->kind)) {
        decoder->at++;
    } else if (first == '"') {
        decode_string(decoder, token);
    } else if (first == '-' || (first >= '0' && first <= '9')) {
        if (!decoder->options->decode_invalid_numbers && is_invalid_number(decoder->at))
            set_error(decoder, token, "invalid number");
        else
            decode_number(decoder, token);
    } else {
        decode_name(decoder, token);
    }
}

static void refuse_token(const struct decoder *decoder, const char *expected, const struct token *token)
{
    static const char *const names[] = {
        [TOKEN_OBJECT_BEGIN] = "T_OBJ_BEGIN",
        [TOKEN_OBJECT_END] = "T_OBJ_END",
        [TOKEN_ARRAY_BEGIN] = "T_ARR_BEGIN",
        [TOKEN_ARRAY_END] = "T_ARR_END",
        [TOKEN_STRING] = "T_STRING",
        [TOKEN_NUMBER] = "T_NUMBER",
        [TOKEN_BOOLEAN] = "T_BOOLEAN",
        [TOKEN_NULL] = "T_NULL",
        [TOKEN_COLON] = "T_COLON",
        [TOKEN_COMMA] = "T_COMMA",
        [TOKEN_END] = "T_END",
    };
    luaL_error(decoder->state, "Expected %s but found %s at character %d", expected,
               token->kind == TOKEN_ERROR ? token->error : names[token->kind], (int)token->index + 1);
}

static void descend(struct decoder *decoder, int slots)
{
    decoder->depth++;
    if (decoder->depth > decoder->options->decode_max_depth || !lua_checkstack(decoder->state, slots))
        luaL_error(decoder->state, "Found too many nested data structures (%d) at character %d", decoder->depth,
                   (int)(decoder->at - decoder->text));
}

static void push_string(const struct decoder *decoder)
{
    struct slice text = buf_slice(decoder->scratch);
    lua_pushlstring(decoder->state, text.length > 0 ? text.data : "", text.length);
}

static void decode_value(struct decoder *decoder, struct token *token);

static void decode_object(struct decoder *decoder)
{
    descend(decoder, 3);
    lua_newtable(decoder->state);
    struct token token;
    next_token(decoder, &token);
    while (token.kind != TOKEN_OBJECT_END) {
        if (token.kind != TOKEN_STRING)
            refuse_token(decoder, "object key string", &token);
        push_string(decoder);
        next_token(decoder, &token);
        if (token.kind != TOKEN_COLON)
            refuse_token(decoder, "colon", &token);
        next_token(decoder, &token);
        decode_value(decoder, &token);
        lua_rawset(decoder->state, -3);
        next_token(decoder, &token);
        if (token.kind == TOKEN_OBJECT_END)
            break;
        if (token.kind != TOKEN_COMMA)
            refuse_token(decoder, "comma or object end", &token);
        next_token(decoder, &token);
        if (token.kind == TOKEN_OBJECT_END)
            refuse_token(decoder, "object key string", &token);
    }
    decoder->depth--;
}

static void decode_array(struct decoder *decoder)
{
    descend(decoder, 2);
    lua_newtable(decoder->state);
    struct token token;
    next_token(decoder, &token);
    for (int i = 1; token.kind != TOKEN_ARRAY_END; i++) {
        decode_value(decoder, &token);
        lua_rawseti(decoder->state, -2, i);
        next_token(decoder, &token);
        if (token.kind == TOKEN_ARRAY_END)
            break;
        if (token.kind != TOKEN_COMMA)
            refuse_token(decoder, "comma or array end", &token);
        next_token(decoder, &token);
        if (token.kind == TOKEN_ARRAY_END)
            refuse_token(decoder, "value", &token);
    }
    decoder->depth--;
}

static void decode_value(struct decoder *decoder, struct token *token)
{
    lua_State *state = decoder->state;
    switch (token->kind) {
    case TOKEN_STRING: push_string(decoder); break;
    case TOKEN_NUMBER: lua_pushnumber(state, token->number); break;
    case TOKEN_BOOLEAN: lua_pushboolean(state, token->boolean); break;
    case TOKEN_OBJECT_BEGIN: decode_object(decoder); break;
    case TOKEN_ARRAY_BEGIN: decode_array(decoder); break;
    case TOKEN_NULL: lua_pushlightuserdata(state, NULL); break;
    default: refuse_token(decoder, "value", token);
    }
}

static int json_decode(lua_State *state)
{
    luaL_argcheck(state, lua_gettop(state) == 1, 1, "expected 1 argument");
    size_t length;
    const char *text = luaL_checklstring(state, 1, &length);
    if (length >= 2 && (text[0] == '\0' || text[1] == '\0'))
        return luaL_error(state, "JSON parser does not support UTF-16 or UTF-32");
    struct decoder decoder = {.state = state,
                              .options = options_of(state),
                              .scratch = &cw_interpreter_of(state)->scratch,
                              .text = text,
                              .at = text};
    struct token token;
    next_token(&decoder, &token);
    decode_value(&decoder, &token);
    next_token(&decoder, &token);
    if (token.kind != TOKEN_END)
        refuse_token(&decoder, "the end", &token);
    return 1;
}

/* --- the table --- */

static int json_new(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"encode", json_encode},
        {"decode", json_decode},
        {"encode_sparse_array", json_encode_sparse_array},
        {"encode_max_depth", json_encode_max_depth},
        {"decode_max_depth", json_decode_max_depth},
        {"encode_number_precision", json_encode_number_precision},
        {"encode_keep_buffer", json_encode_keep_buffer},
        {"encode_invalid_numbers", json_encode_invalid_numbers},
        {"decode_invalid_numbers", json_decode_invalid_numbers},
        {"new", json_new},
    };
    lua_newtable(state);
    struct json_options *options = lua_newuserdata(state, sizeof(*options));
    *options = (struct json_options){
        .sparse_ratio = 2,
        .sparse_safe = 10,
        .encode_max_depth = 1000,
        .decode_max_depth = 1000,
        .decode_invalid_numbers = 1,
        .number_precision = 14,
        .keep_buffer = 1,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(functions); i++) {
        lua_pushvalue(state, -1);
        lua_pushcclosure(state, functions[i].func, 1);
        lua_setfield(state, -3, functions[i].name);
    }
    lua_pop(state, 1);
    lua_pushlightuserdata(state, NULL);
    lua_setfield(state, -2, "null");
    lua_pushliteral(state, "cjson");
    lua_setfield(state, -2, "_NAME");
    lua_pushliteral(state, "2.1.0");
    lua_setfield(state, -2, "_VERSION");
    return 1;
}

int cw_open_json(lua_State *state)
{
    (void)json_new(state);
    lua_setglobal(state, "cjson");
    return 0;
}
