#include "common/resp/resp_writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static void write_header(struct buf *out, char type, uint64_t number)
{
    char *place = buf_reserve(out, NUMBER_TEXT_MAX + 3);
    place[0] = type;
    size_t length = 1 + number_format_u64(place + 1, number);
    place[length] = '\r';
    place[length + 1] = '\n';
    buf_commit(out, length + 2);
}

/* One line of text in which nothing can end the line early. */
static void write_line(struct buf *out, char type, struct slice text)
{
    char *place = buf_reserve(out, text.length + 3);
    place[0] = type;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        place[1 + i] = byte == '\r' || byte == '\n' ? ' ' : byte;
    }
    place[1 + text.length] = '\r';
    place[2 + text.length] = '\n';
    buf_commit(out, text.length + 3);
}

void resp_write_simple(struct buf *out, struct slice text)
{
    write_line(out, '+', text);
}

void resp_write_error(struct buf *out, struct slice text)
{
    write_line(out, '-', text);
}

void resp_write_error_format(struct buf *out, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    write_line(out, '-', slice_of(text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1));
}

void resp_write_integer(struct buf *out, int64_t number)
{
    char *place = buf_reserve(out, NUMBER_TEXT_MAX + 3);
    place[0] = ':';
    size_t length = 1 + number_format_i64(place + 1, number);
    place[length] = '\r';
    place[length + 1] = '\n';
    buf_commit(out, length + 2);
}

void resp_write_bulk(struct buf *out, struct slice bytes)
{
    char *place = buf_reserve(out, bytes.length + NUMBER_TEXT_MAX + 5);
    place[0] = '$';
    size_t length = 1 + number_format_u64(place + 1, bytes.length);
    place[length++] = '\r';
    place[length++] = '\n';
    if (bytes.length > 0)
        memcpy(place + length, bytes.data, bytes.length);
    length += bytes.length;
    place[length++] = '\r';
    place[length++] = '\n';
    buf_commit(out, length);
}

void resp_write_bulk_text(struct buf *out, const char *text)
{
    resp_write_bulk(out, slice_text(text));
}

void resp_write_bulk_i64(struct buf *out, int64_t number)
{
    char text[NUMBER_TEXT_MAX];
    resp_write_bulk(out, slice_of(text, number_format_i64(text, number)));
}

void resp_write_bulk_u64(struct buf *out, uint64_t number)
{
    char text[NUMBER_TEXT_MAX];
    resp_write_bulk(out, slice_of(text, number_format_u64(text, number)));
}

void resp_write_double(struct buf *out, int protocol, double number)
{
    char text[40];
    size_t length = number_format_double(text, number);
    if (protocol >= 3)
        write_line(out, ',', slice_of(text, length));
    else
        resp_write_bulk(out, slice_of(text, length));
}

void resp_write_boolean(struct buf *out, int protocol, bool value)
{
    if (protocol >= 3)
        buf_add(out, value ? "#t\r\n" : "#f\r\n", 4);
    else
        buf_add(out, value ? ":1\r\n" : ":0\r\n", 4);
}

void resp_write_null(struct buf *out, int protocol)
{
    if (protocol >= 3)
        buf_add(out, "_\r\n", 3);
    else
        buf_add(out, "$-1\r\n", 5);
}

void resp_write_null_array(struct buf *out, int protocol)
{
    if (protocol >= 3)
        buf_add(out, "_\r\n", 3);
    else
        buf_add(out, "*-1\r\n", 5);
}

void resp_write_array(struct buf *out, uint64_t count)
{
    write_header(out, '*', count);
}

static void insert_header(struct buf *out, size_t length, char type, uint64_t number)
{
    char space[NUMBER_TEXT_MAX + 3];
    struct buf header = {.memory = space, .capacity = sizeof(space)};
    write_header(&header, type, number);
    buf_insert(out, length, buf_slice(&header));
}

void resp_insert_array(struct buf *out, size_t length, uint64_t count)
{
    insert_header(out, length, '*', count);
}

void resp_insert_map(struct buf *out, size_t length, uint64_t pairs)
{
    insert_header(out, length, '%', pairs);
}

void resp_insert_set(struct buf *out, int protocol, size_t length, uint64_t count)
{
    insert_header(out, length, protocol >= 3 ? '~' : '*', count);
}

void resp_write_map(struct buf *out, int protocol, uint64_t pairs)
{
    if (protocol >= 3)
        write_header(out, '%', pairs);
    else
        write_header(out, '*', 2 * pairs);
}

void resp_write_set(struct buf *out, int protocol, uint64_t count)
{
    write_header(out, protocol >= 3 ? '~' : '*', count);
}

void resp_write_push(struct buf *out, int protocol, uint64_t count)
{
    write_header(out, protocol >= 3 ? '>' : '*', count);
}

void resp_write_verbatim(struct buf *out, int protocol, const char *format, struct slice text)
{
    if (protocol < 3) {
        resp_write_bulk(out, text);
        return;
    }
    write_header(out, '=', text.length + 4);
    buf_add(out, format, 3);
    buf_add(out, ":", 1);
    buf_add_slice(out, text);
    buf_add(out, "\r\n", 2);
}

void resp_write_big_number(struct buf *out, int protocol, struct slice digits)
{
    if (protocol >= 3)
        write_line(out, '(', digits);
    else
        resp_write_bulk(out, digits);
}
