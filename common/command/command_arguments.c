#include "common/command/command_arguments.h"

#include "common/base/check.h"

static const char *const type_names[] = {
    [ARGUMENT_STRING] = "string",    [ARGUMENT_INTEGER] = "integer", [ARGUMENT_DOUBLE] = "double",
    [ARGUMENT_KEY] = "key",          [ARGUMENT_PATTERN] = "pattern", [ARGUMENT_UNIX_TIME] = "unix-time",
    [ARGUMENT_TOKEN] = "pure-token", [ARGUMENT_ONE_OF] = "oneof",    [ARGUMENT_BLOCK] = "block",
};

const char *command_argument_type_name(enum command_argument_type type)
{
    return type_names[type];
}

/* In the table a token is but a token. */
static enum command_argument_type type_by_name(struct slice name)
{
    if (slice_equal_nocase(name, "token"))
        return ARGUMENT_TOKEN;
    for (unsigned type = 0; type < sizeof(type_names) / sizeof(*type_names); type++)
        if (slice_equal_nocase(name, type_names[type]))
            return (enum command_argument_type)type;
    CHECK(false);
    return ARGUMENT_STRING;
}

static bool take(struct slice *text, const char *expected)
{
    size_t length = strlen(expected);
    if (text->length < length || memcmp(text->data, expected, length) != 0)
        return false;
    *text = slice_skip(*text, length);
    return true;
}

static bool is_capital(char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

static bool is_of_word(char byte)
{
    return is_capital(byte) || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
           byte == '_';
}

static struct slice take_word(struct slice *text)
{
    size_t length = 0;
    while (length < text->length && is_of_word(text->data[length]))
        length++;
    struct slice word = slice_of(text->data, length);
    *text = slice_skip(*text, length);
    return word;
}

static struct slice take_until(struct slice *text, char end)
{
    const char *at = text->length > 0 ? memchr(text->data, end, text->length) : NULL;
    CHECK(at != NULL);
    struct slice taken = slice_of(text->data, (size_t)(at - text->data));
    *text = slice_skip(*text, taken.length + 1);
    return taken;
}

static struct slice take_version(struct slice *text)
{
    size_t length = 0;
    while (length < text->length &&
           (text->data[length] == '.' || (text->data[length] >= '0' && text->data[length] <= '9')))
        length++;
    struct slice version = slice_of(text->data, length);
    *text = slice_skip(*text, length);
    return version;
}

/* What stands in parentheses, the first of which has been taken; a quoted word may be one. */
static struct slice take_nested(struct slice *text, bool *ret_has_choice)
{
    bool is_quoted = false;
    unsigned depth = 1;
    *ret_has_choice = false;
    for (size_t i = 0; i < text->length; i++) {
        char byte = text->data[i];
        if (byte == '\'')
            is_quoted = !is_quoted;
        if (is_quoted)
            continue;
        depth += byte == '(';
        depth -= byte == ')';
        if (depth == 1 && byte == '|')
            *ret_has_choice = true;
        if (depth == 0) {
            struct slice nested = slice_of(text->data, i);
            *text = slice_skip(*text, i + 1);
            return nested;
        }
    }
    CHECK(false);
    return *text;
}

static void set_name(struct command_argument *argument, struct slice name)
{
    CHECK(name.length > 0 && name.length < sizeof(argument->name));
    for (size_t i = 0; i < name.length; i++)
        argument->name[i] = (char)(is_capital(name.data[i]) ? name.data[i] - 'A' + 'a' : name.data[i]);
}

/* NX, name, COUNT=name, '~'=name. */
static void take_name(struct slice *text, struct command_argument *argument)
{
    struct slice word = take(text, "'") ? take_until(text, '\'') : take_word(text);
    if (take(text, "=")) {
        argument->has_token = true;
        argument->token = word;
        word = take_word(text);
    } else if (word.length > 0 && is_capital(*word.data)) {
        argument->has_token = true;
        argument->token = word;
        argument->type = ARGUMENT_TOKEN;
    }
    set_name(argument, word);
}

static void take_type(struct slice *text, struct command_argument *argument)
{
    if (take(text, ":"))
        argument->type = type_by_name(take_word(text));
    else if (text->length > 0 && *text->data == '#')
        argument->type = ARGUMENT_KEY;
    if (take(text, "#")) {
        struct slice digit = take_word(text);
        CHECK(digit.length == 1);
        argument->key_spec = *digit.data - '0';
    }
    if (take(text, "(")) {
        bool has_choice;
        argument->arguments = take_nested(text, &has_choice);
        argument->type = has_choice ? ARGUMENT_ONE_OF : ARGUMENT_BLOCK;
    }
}

bool command_argument_next(struct slice *text, struct command_argument *ret_argument)
{
    while (take(text, " ") || take(text, "|"))
        ;
    if (text->length == 0)
        return false;
    *ret_argument = (struct command_argument){.key_spec = -1};
    ret_argument->is_optional = take(text, "[");
    take_name(text, ret_argument);
    if (take(text, "<"))
        ret_argument->shown = take_until(text, '>');
    take_type(text, ret_argument);
    ret_argument->is_token_repeated = take(text, "&");
    ret_argument->is_repeated = take(text, "...");
    if (take(text, "@"))
        ret_argument->since = take_version(text);
    if (take(text, "~"))
        ret_argument->deprecated = take_version(text);
    bool is_closed = take(text, "]");
    CHECK(is_closed == ret_argument->is_optional);
    CHECK(text->length == 0 || *text->data == ' ' || *text->data == '|');
    return true;
}

unsigned command_argument_count(struct slice text)
{
    struct command_argument argument;
    unsigned count = 0;
    while (command_argument_next(&text, &argument))
        count++;
    return count;
}
