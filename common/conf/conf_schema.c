#include "common/conf/conf_schema.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"

enum { TEXT_MAX_DEFAULT = 1024, SHOWN_MAX = 64 };

static void say_got(struct buf *why, struct slice text)
{
    int shown = text.length < SHOWN_MAX ? (int)text.length : SHOWN_MAX;
    buf_add_format(why, ", got \"%.*s\"%s", shown, text.data, (size_t)shown < text.length ? "..." : "");
}

static int set_number(const struct conf_option *option, int64_t *field, struct slice text, struct buf *why)
{
    int64_t number;
    if (number_parse_i64(text, &number) < 0 || number < option->minimum || number > option->maximum) {
        buf_add_format(why, "expected a number from %lld to %lld", (long long)option->minimum,
                       (long long)option->maximum);
        say_got(why, text);
        return ERR_INVALID;
    }
    *field = number;
    return 0;
}

/* The suffixes of redis.conf. */
static int parse_bytes(struct slice text, int64_t *ret_bytes)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } units[] = {
        {"", 1},           {"b", 1},
        {"k", 1000},       {"kb", 1024},
        {"m", 1000000},    {"mb", 1024 * 1024},
        {"g", 1000000000}, {"gb", 1024 * 1024 * 1024},
    };
    size_t digits = 0;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    int64_t number;
    if (number_parse_i64(slice_of(text.data, digits), &number) < 0)
        return ERR_INVALID;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (slice_equal_nocase(slice_skip(text, digits), units[i].suffix))
            return __builtin_mul_overflow(number, units[i].factor, ret_bytes) ? ERR_RANGE : 0;
    return ERR_INVALID;
}

static int set_bytes(const struct conf_option *option, int64_t *field, struct slice text, struct buf *why)
{
    int64_t bytes;
    if (parse_bytes(text, &bytes) < 0 || bytes < option->minimum || bytes > option->maximum) {
        buf_add_format(why, "expected a size such as 1024, 64kb, 16mb or 1gb, from %lld to %lld bytes",
                       (long long)option->minimum, (long long)option->maximum);
        say_got(why, text);
        return ERR_INVALID;
    }
    *field = bytes;
    return 0;
}

static int set_boolean(bool *field, struct slice text, struct buf *why)
{
    bool yes = slice_equal_nocase(text, "true") || slice_equal_nocase(text, "yes");
    if (!yes && !slice_equal_nocase(text, "false") && !slice_equal_nocase(text, "no")) {
        buf_add_text(why, "expected true or false");
        say_got(why, text);
        return ERR_INVALID;
    }
    *field = yes;
    return 0;
}

static int set_choice(const struct conf_option *option, int *field, struct slice text, struct buf *why)
{
    for (int i = 0; option->choices[i] != NULL; i++) {
        if (slice_equal_nocase(text, option->choices[i])) {
            *field = i;
            return 0;
        }
    }
    buf_add_text(why, "expected one of");
    for (int i = 0; option->choices[i] != NULL; i++)
        buf_add_format(why, " %s", option->choices[i]);
    say_got(why, text);
    return ERR_INVALID;
}

static int set_text(const struct conf_option *option, char **field, struct slice text, struct buf *why)
{
    int64_t most = option->maximum > 0 ? option->maximum : TEXT_MAX_DEFAULT;
    if (text.length > (size_t)most || memchr(text.data, '\0', text.length) != NULL) {
        buf_add_format(why, "expected a text of at most %lld bytes", (long long)most);
        say_got(why, text);
        return ERR_INVALID;
    }
    mem_free(*field);
    *field = mem_copy_text(text.data, text.length);
    return 0;
}

static int parse_address(struct slice text, struct address *ret_address, struct buf *why)
{
    if (address_parse(text, ret_address) == 0)
        return 0;
    buf_add_text(why, "expected an address such as 127.0.0.1:6379 or /run/respite.sock");
    say_got(why, text);
    return ERR_INVALID;
}

static int set_addresses(const struct conf_option *option, struct conf_addresses *field, const struct slice *texts,
                         size_t count, struct buf *why)
{
    CHECK(option->maximum > 0 && option->maximum <= CONF_ADDRESSES_MAX);
    if (count < (size_t)option->minimum || count > (size_t)option->maximum) {
        buf_add_format(why, "expected a list of %lld to %lld addresses, got %zu", (long long)option->minimum,
                       (long long)option->maximum, count);
        return ERR_INVALID;
    }
    struct conf_addresses addresses = {.count = count};
    for (size_t i = 0; i < count; i++) {
        int error = parse_address(texts[i], &addresses.items[i], why);
        if (error < 0)
            return error;
    }
    *field = addresses;
    return 0;
}

int conf_set(const struct conf_option *option, void *settings, const struct slice *texts, size_t count, struct buf *why)
{
    void *field = conf_field(option, settings);
    if (option->kind == CONF_ADDRESS_LIST)
        return set_addresses(option, field, texts, count, why);
    if (count != 1) {
        buf_add_format(why, "expected one value, got %s", count == 0 ? "none" : "a list");
        return ERR_INVALID;
    }
    switch (option->kind) {
    case CONF_INTEGER:
    case CONF_MILLISECONDS: return set_number(option, field, texts[0], why);
    case CONF_BYTES: return set_bytes(option, field, texts[0], why);
    case CONF_BOOLEAN: return set_boolean(field, texts[0], why);
    case CONF_CHOICE: return set_choice(option, field, texts[0], why);
    case CONF_TEXT: return set_text(option, field, texts[0], why);
    case CONF_SECRET_FILE: return set_text(option, &((struct conf_secret *)field)->path, texts[0], why);
    case CONF_ADDRESS: return parse_address(texts[0], field, why);
    case CONF_ADDRESS_LIST: break;
    }
    CHECK(false);
    return ERR_INVALID;
}

const struct conf_option *conf_find(const struct conf_schema *schema, struct slice name)
{
    for (size_t i = 0; i < schema->count; i++)
        if (slice_equal(slice_text(schema->options[i].name), name))
            return &schema->options[i];
    return NULL;
}

static bool is_empty(const struct conf_option *option, void *field)
{
    switch (option->kind) {
    case CONF_TEXT: return (*(char **)field)[0] == '\0';
    case CONF_SECRET_FILE: return ((struct conf_secret *)field)->path[0] == '\0';
    case CONF_ADDRESS: return ((struct address *)field)->host[0] == '\0';
    case CONF_ADDRESS_LIST: return ((struct conf_addresses *)field)->count == 0;
    default: return false;
    }
}

const struct conf_option *conf_missing(const struct conf_schema *schema, void *settings)
{
    for (size_t i = 0; i < schema->count; i++)
        if (schema->options[i].required && is_empty(&schema->options[i], conf_field(&schema->options[i], settings)))
            return &schema->options[i];
    return NULL;
}

void conf_defaults(const struct conf_schema *schema, void *settings)
{
    for (size_t i = 0; i < schema->count; i++) {
        const struct conf_option *option = &schema->options[i];
        const char *initial = option->initial;
        if (initial == NULL && (option->kind == CONF_TEXT || option->kind == CONF_SECRET_FILE))
            initial = "";
        if (initial == NULL)
            continue;
        struct slice text = slice_text(initial);
        struct buf why = {0};
        CHECK(conf_set(option, settings, &text, 1, &why) == 0);
    }
}

void conf_free(const struct conf_schema *schema, void *settings)
{
    for (size_t i = 0; i < schema->count; i++) {
        void *field = conf_field(&schema->options[i], settings);
        if (schema->options[i].kind == CONF_TEXT) {
            char **text = field;
            mem_free(*text);
            *text = NULL;
        } else if (schema->options[i].kind == CONF_SECRET_FILE) {
            struct conf_secret *secret = field;
            mem_free(secret->path);
            secret->path = NULL;
            buf_free(&secret->bytes);
        }
    }
}

void conf_describe(const struct conf_schema *schema, struct buf *out)
{
    for (size_t i = 0; i < schema->count; i++) {
        const struct conf_option *option = &schema->options[i];
        buf_add_format(out, "  %-28s %s", option->name, option->description);
        if (option->required)
            buf_add_text(out, " Required.");
        else if (option->initial != NULL && option->initial[0] != '\0')
            buf_add_format(out, " Default: %s.", option->initial);
        buf_add_text(out, "\n");
    }
}
