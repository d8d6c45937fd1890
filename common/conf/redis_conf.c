#include "common/conf/redis_conf.h"

#include "common/base/errors.h"

#include <string.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '\v' || byte == '\f';
}

static struct slice trimmed(struct slice text)
{
    while (text.length > 0 && is_blank(text.data[0]))
        text = slice_skip(text, 1);
    while (text.length > 0 && is_blank(text.data[text.length - 1]))
        text.length--;
    return text;
}

static struct slice take_line(struct redis_conf *reader)
{
    const char *end = memchr(reader->rest.data, '\n', reader->rest.length);
    size_t length = end != NULL ? (size_t)(end - reader->rest.data) : reader->rest.length;
    struct slice line = slice_of(reader->rest.data, length);
    reader->rest = slice_skip(reader->rest, end != NULL ? length + 1 : length);
    reader->number++;
    return line;
}

int redis_conf_next(struct redis_conf *reader)
{
    const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    while (reader->rest.length > 0) {
        reader->line = trimmed(take_line(reader));
        if (reader->line.length == 0 || reader->line.data[0] == '#')
            continue;
        if (reader->line.data[0] == '*' || memchr(reader->line.data, '\0', reader->line.length) != NULL)
            return ERR_INVALID; /* no inline command */
        buf_clear(&reader->copy);
        buf_add_slice(&reader->copy, reader->line);
        buf_add_text(&reader->copy, "\r\n");
        resp_request_reset(&reader->parser);
        if (resp_request_read(&reader->parser, buf_slice(&reader->copy), &limits) <= 0)
            return ERR_INVALID;
        if (reader->parser.argc > 0)
            return 1;
    }
    return 0;
}

void redis_conf_free(struct redis_conf *reader)
{
    resp_request_free(&reader->parser);
    buf_free(&reader->copy);
}

void redis_conf_add_quoted(struct buf *out, struct slice bytes)
{
    static const char named[] = "\\\"\n\r\t\a\b", names[] = "\\\"nrtab";
    buf_add_text(out, "\"");
    for (size_t i = 0; i < bytes.length; i++) {
        const char byte = bytes.data[i];
        const char *found = byte != '\0' ? strchr(named, byte) : NULL;
        if (found != NULL)
            buf_add_format(out, "\\%c", names[found - named]);
        else if (byte >= ' ' && byte <= '~')
            buf_add(out, &byte, 1);
        else
            buf_add_format(out, "\\x%02x", (unsigned char)byte);
    }
    buf_add_text(out, "\"");
}
