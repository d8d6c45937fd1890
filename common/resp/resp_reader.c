#include "common/resp/resp_reader.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"

#include <stdio.h>

/* What an unusually long request made bigger than this (elements, bytes) is given back before the next one. */
enum { CAPACITY_FIRST = 8, CAPACITY_KEPT = 1024 };

static int fail(struct resp_request *request, const char *words)
{
    snprintf(request->error, sizeof(request->error), "%s", words);
    resp_request_reset(request);
    return ERR_PROTOCOL;
}

static int wait_for(struct resp_request *request, size_t missing)
{
    request->missing = missing;
    return 0;
}

/* Inline requests: a line of words, as a person types it. */

static int hexadecimal_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Unquotes from behind the opening `quote`. Double quotes know the escapes \n \r \t \b \a \xHH, single ones only \'.
 * Returns the place behind the closing quote, NULL when it is missing or touches the next word. */
static const char *read_quoted(const char *at, const char *end, char quote, struct buf *out)
{
    for (; at < end && *at != quote; at++) {
        char byte = *at;
        if (byte == '\\' && quote == '\'' && end - at > 1 && at[1] == '\'') {
            byte = *++at;
        } else if (byte == '\\' && quote == '"' && end - at > 3 && at[1] == 'x' && hexadecimal_digit(at[2]) >= 0 &&
                   hexadecimal_digit(at[3]) >= 0) {
            byte = (char)(hexadecimal_digit(at[2]) * 16 + hexadecimal_digit(at[3]));
            at += 3;
        } else if (byte == '\\' && quote == '"' && end - at > 1) {
            switch (*++at) {
            case 'n': byte = '\n'; break;
            case 'r': byte = '\r'; break;
            case 't': byte = '\t'; break;
            case 'b': byte = '\b'; break;
            case 'a': byte = '\a'; break;
            default: byte = *at; break;
            }
        }
        buf_add(out, &byte, 1);
    }
    if (at == end || (end - at > 1 && !is_space(at[1])))
        return NULL;
    return at + 1;
}

/* One word; a quote may open anywhere in it, and its end is the word's. */
static const char *read_word(const char *at, const char *end, struct buf *out)
{
    for (; at < end && *at != ' ' && *at != '\t' && *at != '\r'; at++) {
        if (*at == '"' || *at == '\'')
            return read_quoted(at + 1, end, *at, out);
        buf_add(out, at, 1);
    }
    return at;
}

static void argv_reserve(struct resp_request *request, size_t count)
{
    if (LIKELY(count <= request->argv_capacity))
        return;
    size_t capacity = request->argv_capacity ? 2 * request->argv_capacity : CAPACITY_FIRST;
    request->argv = mem_resize(request->argv, capacity * sizeof(struct slice));
    request->argv_capacity = capacity;
}

static int64_t read_inline(struct resp_request *request, struct slice input, const struct resp_limits *limits)
{
    size_t searched = input.length < limits->inline_length_max + 1 ? input.length : limits->inline_length_max + 1;
    const char *newline = memchr(input.data, '\n', searched);
    if (newline == NULL)
        return searched > limits->inline_length_max ? fail(request, "too big inline request") : wait_for(request, 1);

    const char *end = newline > input.data && newline[-1] == '\r' ? newline - 1 : newline;
    const char *nul = memchr(input.data, '\0', (size_t)(end - input.data));
    if (nul != NULL)
        end = nul; /* as the reference, to which a line is a C string */

    /* Reserved once, so that the words stay where they are: unquoting never makes them longer. */
    struct buf *text = &request->inline_text;
    buf_clear(text);
    buf_reserve(text, (size_t)(end - input.data));
    for (const char *at = input.data;;) {
        while (at < end && is_space(*at))
            at++;
        if (at == end)
            break;
        size_t start = buf_length(text);
        at = read_word(at, end, text);
        if (at == NULL)
            return fail(request, "unbalanced quotes in request");
        argv_reserve(request, request->argc + 1);
        request->argv[request->argc++] = slice_skip(buf_slice(text), start);
    }
    return newline + 1 - input.data;
}

/* Arrays of bulk strings. */

/* The words for a header that is wrong, by its type. */
struct header_words {
    char type;
    const char *too_long;
    const char *invalid;
    const char *unauthenticated;
};

static const struct header_words array_words = {'*', "too big mbulk count string", "invalid multibulk length",
                                                "unauthenticated multibulk length"};
static const struct header_words bulk_words = {'$', "too big bulk count string", "invalid bulk length",
                                               "unauthenticated bulk length"};

/* Reads "<type><number>\r\n" where it is plain and all there. Returns the place behind it, or NULL: look closer. */
static inline const char *read_header_fast(const char *at, const char *end, char type, int64_t *ret_number)
{
    if (end - at < 4 || *at != type)
        return NULL;
    int64_t number = (unsigned char)at[1] - '0';
    if (number < 0 || number > 9)
        return NULL;
    const char *last = end - at > 10 ? at + 10 : end;
    const char *place = at + 2;
    for (; place < last && *place >= '0' && *place <= '9'; place++)
        number = number * 10 + (*place - '0');
    if (end - place < 2 || place[0] != '\r' || place[1] != '\n' || (at[1] == '0' && place != at + 2))
        return NULL;
    *ret_number = number;
    return place + 2;
}

/* As read_header_fast, for whatever else can stand there. 1: read, 0: incomplete, or ERR_PROTOCOL. */
static int read_header_slow(struct resp_request *request, const char *at, const char *end,
                            const struct header_words *words, const struct resp_limits *limits, int64_t *ret_number,
                            const char **ret_next)
{
    size_t searched = (size_t)(end - at);
    if (searched > limits->inline_length_max + 1)
        searched = limits->inline_length_max + 1;
    const char *line_end = searched > 0 ? memchr(at, '\r', searched) : NULL;
    if (line_end == NULL && searched > limits->inline_length_max)
        return fail(request, words->too_long);
    if (line_end == NULL || line_end + 1 == end)
        return wait_for(request, 1);
    if (*at != words->type) {
        char got[RESP_ERROR_TEXT_MAX];
        snprintf(got, sizeof(got), "expected '%c', got '%c'", words->type, *at ? *at : ' ');
        return fail(request, got);
    }
    if (line_end[1] != '\n' || number_parse_i64(slice_of(at + 1, (size_t)(line_end - at - 1)), ret_number) < 0)
        return fail(request, words->invalid);
    *ret_next = line_end + 2;
    return 1;
}

static inline int read_header(struct resp_request *request, const char *at, const char *end,
                              const struct header_words *words, const struct resp_limits *limits, int64_t *ret_number,
                              const char **ret_next)
{
    const char *next = read_header_fast(at, end, words->type, ret_number);
    if (UNLIKELY(next == NULL))
        return read_header_slow(request, at, end, words, limits, ret_number, ret_next);
    *ret_next = next;
    return 1;
}

static int fail_above_limit(struct resp_request *request, const struct header_words *words,
                            const struct resp_limits *limits)
{
    return fail(request, limits->unauthenticated ? words->unauthenticated : words->invalid);
}

/* The arguments that this call found are remembered by offset: the bytes may stand elsewhere at the next one. */
static void remember(struct resp_request *request, const char *begin, size_t first)
{
    if (request->parsed > request->arguments_capacity) {
        request->arguments_capacity = request->argv_capacity;
        request->arguments = mem_resize(request->arguments, request->arguments_capacity * sizeof(struct resp_argument));
    }
    for (size_t i = first; i < request->parsed; i++)
        request->arguments[i] = (struct resp_argument){.offset = (size_t)(request->argv[i].data - begin),
                                                       .length = request->argv[i].length};
}

static void recall(struct resp_request *request, const char *begin, size_t count)
{
    for (size_t i = 0; i < count; i++)
        request->argv[i] = slice_of(begin + request->arguments[i].offset, request->arguments[i].length);
}

/* Reads one argument at `at`; 1: appended to argv, 0: incomplete, or ERR_PROTOCOL. */
static inline int read_argument(struct resp_request *request, const char *begin, const char *at, const char *end,
                                const struct resp_limits *limits, const char **ret_next)
{
    int64_t length;
    const char *data;
    int result = read_header(request, at, end, &bulk_words, limits, &length, &data);
    if (UNLIKELY(result <= 0))
        return result;
    if (UNLIKELY(length < 0))
        return fail(request, bulk_words.invalid);
    if (UNLIKELY((uint64_t)length > limits->bulk_length_max))
        return fail_above_limit(request, &bulk_words, limits);
    size_t with_newline = (size_t)length + 2;
    if (UNLIKELY((size_t)(data - begin) + with_newline > limits->request_length_max))
        return fail(request, "too big request");
    size_t arrived = (size_t)(end - data);
    if (UNLIKELY(arrived < with_newline))
        return wait_for(request, with_newline - arrived);
    if (UNLIKELY(data[length] != '\r' || data[length + 1] != '\n'))
        return fail(request, "expected CRLF behind a bulk");

    argv_reserve(request, request->parsed + 1);
    request->argv[request->parsed++] = slice_of(data, (size_t)length);
    *ret_next = data + with_newline;
    return 1;
}

/* 1: in_array, or an empty array that ends the request; 0: incomplete, or ERR_PROTOCOL. */
static int read_array_header(struct resp_request *request, struct slice input, const struct resp_limits *limits)
{
    int64_t count;
    const char *next;
    int result = read_header(request, input.data, input.data + input.length, &array_words, limits, &count, &next);
    if (UNLIKELY(result <= 0))
        return result;
    if (UNLIKELY(count > 0 && (uint64_t)count > limits->arguments_max))
        return fail_above_limit(request, &array_words, limits);
    request->expected = count > 0 ? (size_t)count : 0;
    request->parsed = 0;
    request->position = (size_t)(next - input.data);
    request->in_array = true;
    return 1;
}

static int64_t read_array(struct resp_request *request, struct slice input, const struct resp_limits *limits)
{
    const char *begin = input.data;
    const char *end = begin + input.length;
    CHECK(request->position <= input.length);
    const char *at = begin + request->position;
    size_t first = request->parsed;
    while (request->parsed < request->expected) {
        int result = read_argument(request, begin, at, end, limits, &at);
        if (UNLIKELY(result < 0))
            return result;
        if (UNLIKELY(result == 0)) {
            remember(request, begin, first);
            request->position = (size_t)(at - begin);
            return 0;
        }
    }
    recall(request, begin, first);
    request->argc = request->parsed;
    request->in_array = false;
    return at - begin;
}

static void give_back(struct resp_request *request)
{
    mem_free(request->argv);
    mem_free(request->arguments);
    request->argv = NULL;
    request->arguments = NULL;
    request->argv_capacity = request->arguments_capacity = 0;
    buf_free(&request->inline_text);
}

int64_t resp_request_read(struct resp_request *request, struct slice input, const struct resp_limits *limits)
{
    if (!request->in_array) {
        request->argc = 0;
        if (UNLIKELY(request->argv_capacity > CAPACITY_KEPT || request->inline_text.capacity > CAPACITY_KEPT))
            give_back(request);
        if (UNLIKELY(input.length == 0))
            return wait_for(request, 1);
        if (UNLIKELY(input.data[0] != '*'))
            return read_inline(request, input, limits);
        int result = read_array_header(request, input, limits);
        if (UNLIKELY(result <= 0))
            return result;
    }
    return read_array(request, input, limits);
}

size_t resp_request_missing(const struct resp_request *request)
{
    return request->missing > 0 ? request->missing : 1;
}

void resp_request_reset(struct resp_request *request)
{
    request->in_array = false;
    request->argc = 0;
    request->expected = request->parsed = request->position = request->missing = 0;
}

size_t resp_request_memory(const struct resp_request *request)
{
    return sizeof(*request) + request->argv_capacity * sizeof(*request->argv) +
           request->arguments_capacity * sizeof(*request->arguments) + request->inline_text.capacity;
}

void resp_request_free(struct resp_request *request)
{
    give_back(request);
    *request = (struct resp_request){0};
}

/* Replies. */

/* A value ended: so do all aggregates of which it was the last. True when that ends the frame. */
static inline bool end_value(struct resp_frame *frame)
{
    frame->state = RESP_FRAME_TYPE;
    while (frame->depth > 0) {
        if (--frame->remaining[frame->depth - 1] > 0)
            return false;
        frame->depth--;
    }
    return true;
}

/* A header is read: 1 when it ends the frame, 0 when something follows, or ERR_PROTOCOL. */
static inline int begin_body(struct resp_frame *frame, int64_t number, const struct resp_limits *limits)
{
    char type = frame->value_type;
    if (number < 0) /* RESP2's null */
        return number == -1 && (type == '$' || type == '*') ? end_value(frame) : ERR_PROTOCOL;
    if (type == '$' || type == '=' || type == '!') {
        if ((uint64_t)number > limits->bulk_length_max)
            return ERR_PROTOCOL;
        frame->left = (uint64_t)number;
        frame->state = RESP_FRAME_BULK;
        return 0;
    }
    if (number > UINT32_MAX)
        return ERR_PROTOCOL;
    uint64_t values = (uint64_t)number;
    if (type == '%')
        values *= 2;
    else if (type == '|')
        values = 2 * values + 1; /* and the value that the attribute describes: together they are one */
    if (values == 0)
        return end_value(frame);
    if (frame->depth == RESP_DEPTH_MAX)
        return ERR_PROTOCOL;
    frame->remaining[frame->depth++] = values;
    frame->state = RESP_FRAME_TYPE;
    return 0;
}

static int begin_value(struct resp_frame *frame, char type)
{
    switch (type) {
    case '$':
    case '=':
    case '!':
    case '*':
    case '~':
    case '>':
    case '%':
    case '|':
        frame->header_length = 0;
        frame->state = RESP_FRAME_HEADER;
        break;
    case '+':
    case '-':
    case ':':
    case '_':
    case '#':
    case ',':
    case '(':
        frame->left = 0;
        frame->state = RESP_FRAME_TEXT;
        break;
    default: return ERR_PROTOCOL;
    }
    frame->value_type = type;
    return 0;
}

/* Goes on in the value at *at, which is before `end`. 1: the frame ended, 0: not yet, or ERR_PROTOCOL. */
static int scan_some(struct resp_frame *frame, const char **at, const char *end, const struct resp_limits *limits)
{
    int64_t number;
    switch (frame->state) {
    case RESP_FRAME_TYPE: {
        int result = begin_value(frame, **at);
        if (result < 0)
            return result;
        const char *next =
            frame->state == RESP_FRAME_HEADER ? read_header_fast(*at, end, frame->value_type, &number) : NULL;
        *at = next ? next : *at + 1;
        return next ? begin_body(frame, number, limits) : 0;
    }
    case RESP_FRAME_HEADER:
        for (; *at < end && **at != '\r'; (*at)++) {
            if (frame->header_length == RESP_HEADER_MAX)
                return ERR_PROTOCOL;
            frame->header[frame->header_length++] = **at;
        }
        if (*at < end) {
            frame->state = RESP_FRAME_HEADER_NEWLINE;
            (*at)++;
        }
        return 0;
    case RESP_FRAME_HEADER_NEWLINE:
        if (*(*at)++ != '\n' || number_parse_i64(slice_of(frame->header, frame->header_length), &number) < 0)
            return ERR_PROTOCOL;
        return begin_body(frame, number, limits);
    case RESP_FRAME_TEXT: {
        const char *line_end = memchr(*at, '\r', (size_t)(end - *at));
        frame->left += (uint64_t)((line_end ? line_end : end) - *at);
        if (frame->left > limits->bulk_length_max)
            return ERR_PROTOCOL;
        *at = line_end ? line_end + 1 : end;
        if (line_end)
            frame->state = RESP_FRAME_NEWLINE;
        return 0;
    }
    case RESP_FRAME_BULK: {
        uint64_t arrived = (uint64_t)(end - *at);
        uint64_t taken = frame->left < arrived ? frame->left : arrived;
        *at += taken;
        frame->left -= taken;
        if (frame->left == 0)
            frame->state = RESP_FRAME_BULK_RETURN;
        return 0;
    }
    case RESP_FRAME_BULK_RETURN: frame->state = RESP_FRAME_NEWLINE; return *(*at)++ == '\r' ? 0 : ERR_PROTOCOL;
    case RESP_FRAME_NEWLINE: return *(*at)++ == '\n' ? end_value(frame) : ERR_PROTOCOL;
    }
    return ERR_PROTOCOL;
}

static void keep_head(struct resp_frame *frame, struct slice scanned)
{
    size_t room = RESP_FRAME_HEAD - (size_t)frame->head_length;
    size_t taken = scanned.length < room ? scanned.length : room;
    memcpy(frame->head + frame->head_length, scanned.data, taken);
    frame->head_length = (uint8_t)(frame->head_length + taken);
}

int resp_frame_scan(struct resp_frame *frame, struct slice input, const struct resp_limits *limits, size_t *ret_used)
{
    if (input.length == 0) {
        *ret_used = 0;
        return 0;
    }
    if (!frame->inside) {
        frame->inside = true;
        frame->type = input.data[0];
        frame->head_length = 0;
        frame->depth = 0;
        frame->state = RESP_FRAME_TYPE;
    }
    const char *at = input.data;
    const char *end = at + input.length;
    int result = 0;
    while (at < end && result == 0)
        result = scan_some(frame, &at, end, limits);
    if (result < 0)
        return result;
    *ret_used = (size_t)(at - input.data);
    keep_head(frame, slice_of(input.data, *ret_used));
    if (result == 1)
        frame->inside = false;
    return result;
}
