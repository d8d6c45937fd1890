#include "cacheworker/stream/stream_id.h"

#include "common/base/errors.h"
#include "common/base/number.h"

#include <ctype.h>

enum { TEXT_LENGTH_MAX = 127 }; /* beyond it the reference does not look */

bool cw_stream_id_increment(struct cw_stream_id *id)
{
    id->seq++;
    if (id->seq == 0)
        id->ms++;
    return !cw_stream_id_is_zero(*id);
}

bool cw_stream_id_decrement(struct cw_stream_id *id)
{
    bool was_zero = cw_stream_id_is_zero(*id);
    if (id->seq == 0)
        id->ms--;
    id->seq--;
    return !was_zero;
}

static bool is_byte(struct slice text, char byte)
{
    return text.length == 1 && text.data[0] == byte;
}

/* As the reference reads a text: up to its first NUL. */
static struct slice up_to_nul(struct slice text)
{
    const char *nul = text.length > 0 ? memchr(text.data, '\0', text.length) : NULL;
    return nul ? slice_of(text.data, (size_t)(nul - text.data)) : text;
}

/* What strtoull takes, without a minus sign. */
static int parse_number(struct slice text, uint64_t *ret_number)
{
    while (text.length > 0 && isspace((unsigned char)text.data[0]))
        text = slice_skip(text, 1);
    if (text.length > 0 && text.data[0] == '+')
        text = slice_skip(text, 1);
    while (text.length > 1 && text.data[0] == '0')
        text = slice_skip(text, 1);
    return number_parse_u64(text, ret_number) < 0 ? ERR_INVALID : 0;
}

/* Cuts the text at its first dash; ret_seq is empty when there is none. False: it is too long. */
static bool split(struct slice text, struct slice *ret_ms, struct slice *ret_seq, bool *ret_has_seq)
{
    if (text.length > TEXT_LENGTH_MAX)
        return false;
    text = up_to_nul(text);
    const char *dash = text.length > 0 ? memchr(text.data, '-', text.length) : NULL;
    size_t length = dash ? (size_t)(dash - text.data) : text.length;
    *ret_ms = slice_of(text.data, length);
    *ret_seq = dash ? slice_skip(text, length + 1) : slice_of(NULL, 0);
    *ret_has_seq = dash != NULL;
    return true;
}

int cw_stream_id_parse(struct slice text, uint64_t missing_seq, struct cw_stream_id *ret_id)
{
    struct slice ms;
    struct slice seq;
    bool has_seq;
    struct cw_stream_id id = {.seq = missing_seq};
    if (!split(text, &ms, &seq, &has_seq) || parse_number(ms, &id.ms) < 0 ||
        (has_seq && parse_number(seq, &id.seq) < 0))
        return ERR_INVALID;
    *ret_id = id;
    return 0;
}

int cw_stream_id_parse_end(struct slice text, uint64_t missing_seq, struct cw_stream_id *ret_id)
{
    if (!is_byte(text, '-') && !is_byte(text, '+'))
        return cw_stream_id_parse(text, missing_seq, ret_id);
    *ret_id = text.data[0] == '-' ? CW_STREAM_ID_MIN : CW_STREAM_ID_MAX;
    return 0;
}

static bool is_exclusive(struct slice text)
{
    return text.length > 1 && text.data[0] == '(';
}

int cw_stream_id_parse_range_first(struct slice text, struct cw_stream_id *ret_id)
{
    if (!is_exclusive(text))
        return cw_stream_id_parse_end(text, 0, ret_id);
    struct cw_stream_id id;
    if (cw_stream_id_parse(slice_skip(text, 1), 0, &id) < 0)
        return ERR_INVALID;
    if (!cw_stream_id_increment(&id))
        return ERR_RANGE;
    *ret_id = id;
    return 0;
}

int cw_stream_id_parse_range_last(struct slice text, struct cw_stream_id *ret_id)
{
    if (!is_exclusive(text))
        return cw_stream_id_parse_end(text, UINT64_MAX, ret_id);
    struct cw_stream_id id;
    if (cw_stream_id_parse(slice_skip(text, 1), UINT64_MAX, &id) < 0)
        return ERR_INVALID;
    if (!cw_stream_id_decrement(&id))
        return ERR_RANGE;
    *ret_id = id;
    return 0;
}

int cw_stream_id_parse_new(struct slice text, struct cw_stream_id *ret_id, enum cw_stream_id_form *ret_form)
{
    struct slice ms;
    struct slice seq;
    bool has_seq;
    if (is_byte(text, '*')) {
        *ret_id = CW_STREAM_ID_MIN;
        *ret_form = CW_STREAM_ID_AUTO;
        return 0;
    }
    if (split(text, &ms, &seq, &has_seq) && is_byte(seq, '*')) {
        struct cw_stream_id id = {0};
        if (parse_number(ms, &id.ms) < 0)
            return ERR_INVALID;
        *ret_id = id;
        *ret_form = CW_STREAM_ID_AUTO_SEQ;
        return 0;
    }
    int result = cw_stream_id_parse(text, 0, ret_id);
    if (result == 0)
        *ret_form = CW_STREAM_ID_GIVEN;
    return result;
}

size_t cw_stream_id_format(struct cw_stream_id id, char text[CW_STREAM_ID_TEXT_MAX])
{
    char number[NUMBER_TEXT_MAX];
    size_t length = number_format_u64(number, id.ms);
    memcpy(text, number, length);
    text[length++] = '-';
    size_t seq_length = number_format_u64(number, id.seq);
    memcpy(text + length, number, seq_length);
    return length + seq_length;
}

static void encode_number(uint64_t number, char bytes[8])
{
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (char)(number >> (56 - 8 * i) & 0xff);
}

static uint64_t decode_number(const char bytes[8])
{
    uint64_t number = 0;
    for (unsigned i = 0; i < 8; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return number;
}

void cw_stream_id_encode(struct cw_stream_id id, char bytes[CW_STREAM_ID_BYTES])
{
    encode_number(id.ms, bytes);
    encode_number(id.seq, bytes + 8);
}

struct cw_stream_id cw_stream_id_decode(const char bytes[CW_STREAM_ID_BYTES])
{
    return (struct cw_stream_id){decode_number(bytes), decode_number(bytes + 8)};
}
