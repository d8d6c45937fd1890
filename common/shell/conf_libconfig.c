#include "common/shell/conf_libconfig.h"

#include "common/base/errors.h"
#include "common/base/number.h"
#include "common/shell/file_atomic.h"
#include "common/shell/net_address.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1024 * 1024, SECRET_MAX_BYTES = 4096, INT_DIGITS = 9, LONG_DIGITS = 18 };

/* --- what only the shell can check --- */

static int check_numeric(const struct address *address, struct buf *why)
{
    struct net_address net;
    if (net_address_from(address, &net) == 0)
        return 0;
    buf_add_format(why, "expected a numeric address, localhost or a short path, got \"%s\"", address->host);
    return ERR_INVALID;
}

static int check_secret_mode(int fd, const char *path, struct buf *why)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        buf_add_format(why, "expected a file, got \"%s\"", path);
        return ERR_INVALID;
    }
    if ((status.st_mode & 077) != 0) {
        buf_add_format(why, "expected a file that only its owner can read (mode 0600), got \"%s\" with mode %04o", path,
                       (unsigned)(status.st_mode & 07777));
        return ERR_DENIED;
    }
    return 0;
}

static int read_secret(struct conf_secret *secret, struct buf *why)
{
    buf_clear(&secret->bytes);
    if (secret->path[0] == '\0')
        return 0;
    int fd = open(secret->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        buf_add_format(why, "cannot read \"%s\": %s", secret->path, strerror(errno));
        return file_error(errno);
    }
    int error = check_secret_mode(fd, secret->path, why);
    close(fd);
    if (error < 0)
        return error;
    error = file_read_all(AT_FDCWD, secret->path, SECRET_MAX_BYTES, &secret->bytes);
    struct slice bytes = buf_slice(&secret->bytes);
    while (bytes.length > 0 && (bytes.data[bytes.length - 1] == '\n' || bytes.data[bytes.length - 1] == '\r'))
        bytes.length--;
    secret->bytes.end = secret->bytes.start + bytes.length;
    if (error < 0 || bytes.length == 0) {
        buf_add_format(why, "expected a secret of 1 to %d bytes in \"%s\"", SECRET_MAX_BYTES, secret->path);
        return ERR_INVALID;
    }
    return 0;
}

int conf_set_checked(const struct conf_option *option, void *settings, const struct slice *texts, size_t count,
                     struct buf *why)
{
    int error = conf_set(option, settings, texts, count, why);
    void *field = conf_field(option, settings);
    if (error == 0 && option->kind == CONF_SECRET_FILE)
        error = read_secret(field, why);
    if (error == 0 && option->kind == CONF_ADDRESS)
        error = check_numeric(field, why);
    if (error == 0 && option->kind == CONF_ADDRESS_LIST) {
        const struct conf_addresses *addresses = field;
        for (size_t i = 0; i < addresses->count && error == 0; i++)
            error = check_numeric(&addresses->items[i], why);
    }
    return error;
}

/* --- the file's text --- */

static size_t comment_length(const char *text)
{
    if (text[0] == '#' || (text[0] == '/' && text[1] == '/'))
        return strcspn(text, "\n");
    if (text[0] == '/' && text[1] == '*') {
        const char *end = strstr(text + 2, "*/");
        return end != NULL ? (size_t)(end - text) + 2 : strlen(text);
    }
    return 0;
}

/* 0: it has no end. */
static size_t string_length(const char *text)
{
    size_t length = 1;
    while (text[length] != '\0' && text[length] != '"')
        length += text[length] == '\\' && text[length + 1] != '\0' ? 2 : 1;
    return text[length] == '"' ? length + 1 : 0;
}

static size_t word_length(const char *text)
{
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) || (text[length] != '\0' && strchr("._*+-", text[length]) != NULL))
        length++;
    return length;
}

/* What libconfig 1.5 would misread in silence: an integer that does not fit 32 bits is wrapped unless it ends in L, a
 * hexadecimal one always, and what @include brings would not pass here. Of a text without end it would keep the memory.
 * NULL when the word is fine. */
static const char *refused(const char *word, size_t length, size_t digits)
{
    if (word[0] == '"')
        return "a text without its closing quote";
    if (word[0] == '@')
        return "@include is not supported";
    if (length > 1 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X'))
        return "expected a decimal number";
    if (digits == length && digits > LONG_DIGITS)
        return "the number is too big";
    return NULL;
}

/* Copies the text with an L behind big integers; lines stay where they are. */
static int widen_numbers(const char *text, struct buf *out, int *ret_line, struct buf *why)
{
    int line = 1;
    while (*text != '\0') {
        size_t length = comment_length(text);
        if (length == 0 && *text == '"')
            length = string_length(text);
        bool is_word = length == 0;
        if (is_word)
            length = word_length(text);
        if (length == 0)
            length = 1;
        size_t sign = is_word && (*text == '-' || *text == '+') ? 1 : 0;
        size_t digits = is_word ? strspn(text + sign, "0123456789") : 0;
        const char *refusal = is_word ? refused(text + sign, length - sign, digits) : NULL;
        if (refusal != NULL) {
            *ret_line = line;
            buf_add_text(why, refusal);
            return ERR_INVALID;
        }
        buf_add(out, text, length);
        if (digits > INT_DIGITS && sign + digits == length)
            buf_add_text(out, "L");
        for (size_t i = 0; i < length; i++)
            line += text[i] == '\n';
        text += length;
    }
    buf_add(out, "", 1);
    return 0;
}

/* --- settings --- */

static int scalar_text(const config_setting_t *setting, char number[NUMBER_TEXT_MAX + 8], struct slice *ret_text)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        *ret_text = slice_of(number, number_format_i64(number, config_setting_get_int64(setting)));
        return 0;
    case CONFIG_TYPE_FLOAT:
        *ret_text = slice_of(number, number_format_double(number, config_setting_get_float(setting)));
        return 0;
    case CONFIG_TYPE_BOOL: *ret_text = slice_text(config_setting_get_bool(setting) ? "true" : "false"); return 0;
    case CONFIG_TYPE_STRING: *ret_text = slice_text(config_setting_get_string(setting)); return 0;
    default: return ERR_INVALID;
    }
}

static int apply_list(const struct conf_option *option, const config_setting_t *setting, void *settings,
                      struct buf *why)
{
    struct slice texts[CONF_ADDRESSES_MAX + 1];
    char numbers[NUMBER_TEXT_MAX + 8];
    int count = config_setting_length(setting);
    if (count > CONF_ADDRESSES_MAX + 1)
        count = CONF_ADDRESSES_MAX + 1;
    for (int i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        if (config_setting_type(element) != CONFIG_TYPE_STRING || scalar_text(element, numbers, &texts[i]) < 0) {
            buf_add_text(why, "expected a list of texts");
            return ERR_INVALID;
        }
    }
    return conf_set_checked(option, settings, texts, (size_t)count, why);
}

static int apply(const struct conf_schema *schema, const config_setting_t *setting, void *settings, struct buf *why)
{
    const char *name = config_setting_name(setting);
    const struct conf_option *option = conf_find(schema, slice_text(name));
    buf_add_format(why, "%s: ", name);
    if (option == NULL) {
        buf_add_text(why, "unknown setting");
        return ERR_INVALID;
    }
    char number[NUMBER_TEXT_MAX + 8];
    struct slice text;
    if (config_setting_is_array(setting) || config_setting_is_list(setting))
        return apply_list(option, setting, settings, why);
    if (scalar_text(setting, number, &text) < 0) {
        buf_add_text(why, "expected a value, got a group");
        return ERR_INVALID;
    }
    return conf_set_checked(option, settings, &text, 1, why);
}

static int apply_all(const struct conf_schema *schema, const config_t *config, void *settings, int *ret_line,
                     struct buf *why)
{
    const config_setting_t *root = config_root_setting(config);
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *setting = config_setting_get_elem(root, (unsigned)i);
        buf_clear(why);
        int error = apply(schema, setting, settings, why);
        if (error < 0) {
            *ret_line = (int)config_setting_source_line(setting);
            return error;
        }
    }
    return 0;
}

static int read_text(const struct conf_schema *schema, const char *text, void *settings, int *ret_line, struct buf *why)
{
    config_t config;
    config_init(&config);
    int error = 0;
    if (config_read_string(&config, text) != CONFIG_TRUE) {
        *ret_line = config_error_line(&config);
        buf_add_format(why, "expected `name = value;`: %s", config_error_text(&config));
        error = ERR_INVALID;
    } else {
        error = apply_all(schema, &config, settings, ret_line, why);
    }
    config_destroy(&config);
    return error;
}

int conf_read_file(const struct conf_schema *schema, const char *path, void *settings, struct buf *why)
{
    struct buf content = {0};
    struct buf text = {0};
    struct buf reason = {0};
    int line = 0;
    int error = file_read_all(AT_FDCWD, path, FILE_MAX_BYTES, &content);
    if (error < 0) {
        buf_add_text(&reason, error_text(error));
    } else {
        buf_add(&content, "", 1);
        if (strlen(buf_slice(&content).data) + 1 < buf_length(&content)) {
            buf_add_text(&reason, "expected a text file, got a zero byte");
            error = ERR_INVALID;
        }
    }
    if (error == 0)
        error = widen_numbers(buf_slice(&content).data, &text, &line, &reason);
    if (error == 0)
        error = read_text(schema, buf_slice(&text).data, settings, &line, &reason);
    if (error < 0) {
        buf_add_text(why, path);
        if (line > 0)
            buf_add_format(why, ":%d", line);
        buf_add_text(why, ": ");
        buf_add_slice(why, buf_slice(&reason));
    }
    buf_free(&content);
    buf_free(&text);
    buf_free(&reason);
    return error;
}
