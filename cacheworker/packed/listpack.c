#include "cacheworker/packed/listpack.h"

enum { COUNT_OFFSET = 4, BACK_BYTES_MAX = 5 };

/* An element of at least two bytes, 65534 times: what is shorter has fewer. */
#define SURELY_COUNTABLE_BYTES ((size_t)CW_LISTPACK_EMPTY_BYTES + 2 * (CW_LISTPACK_COUNT_UNKNOWN - 1))

/* --- values --- */

struct slice cw_packed_value_text(const struct cw_packed_value *value, char space[NUMBER_TEXT_MAX])
{
    if (value->text.data != NULL)
        return value->text;
    return slice_of(space, number_format_i64(space, value->integer));
}

struct cw_packed_needle cw_packed_needle(struct slice text)
{
    struct cw_packed_needle needle = {.text = text};
    needle.is_integer = number_parse_i64(text, &needle.integer) == 0;
    return needle;
}

bool cw_packed_value_equals(const struct cw_packed_value *value, const struct cw_packed_needle *needle)
{
    if (value->text.data != NULL)
        return slice_equal(value->text, needle->text);
    return needle->is_integer && value->integer == needle->integer;
}

/* --- elements as they are written --- */

struct element {
    unsigned char head[9];
    size_t head_bytes;
    struct slice text; /* borrowed; behind the head */
};

static size_t body_bytes(const struct element *element)
{
    return element->head_bytes + element->text.length;
}

static size_t element_bytes(const struct element *element)
{
    size_t body = body_bytes(element);
    return body + cw_listpack_back_bytes(body);
}

static bool fits(int64_t integer, unsigned bits)
{
    int64_t limit = (int64_t)1 << (bits - 1);
    return integer >= -limit && integer < limit;
}

static struct element wide_integer(unsigned char first, unsigned bytes, int64_t integer)
{
    struct element element = {.head = {first}, .head_bytes = 1 + bytes};
    for (unsigned i = 0; i < bytes; i++)
        element.head[1 + i] = (unsigned char)((uint64_t)integer >> 8 * i);
    return element;
}

static struct element element_of_integer(int64_t integer)
{
    if (integer >= 0 && integer < 128)
        return (struct element){.head = {(unsigned char)integer}, .head_bytes = 1};
    if (fits(integer, 13))
        return (struct element){
            .head = {(unsigned char)(0xc0 | (integer >> 8 & 0x1f)), (unsigned char)integer},
            .head_bytes = 2,
        };
    if (fits(integer, 16))
        return wide_integer(CW_LISTPACK_INTEGER_16, 2, integer);
    if (fits(integer, 24))
        return wide_integer(CW_LISTPACK_INTEGER_24, 3, integer);
    if (fits(integer, 32))
        return wide_integer(CW_LISTPACK_INTEGER_32, 4, integer);
    return wide_integer(CW_LISTPACK_INTEGER_64, 8, integer);
}

static struct element element_of_text(struct slice text)
{
    int64_t integer;
    if (number_parse_i64(text, &integer) == 0)
        return element_of_integer(integer);
    struct element element = {.text = text};
    if (text.length < 64) {
        element.head[0] = (unsigned char)(0x80 | text.length);
        element.head_bytes = 1;
    } else if (text.length < 4096) {
        element.head[0] = (unsigned char)(0xe0 | text.length >> 8);
        element.head[1] = (unsigned char)text.length;
        element.head_bytes = 2;
    } else {
        CHECK(text.length <= CW_LISTPACK_BYTES_MAX);
        element.head[0] = CW_LISTPACK_TEXT_32;
        store_u32_le(element.head + 1, (uint32_t)text.length);
        element.head_bytes = 5;
    }
    return element;
}

static void write_back_length(unsigned char *to, size_t body)
{
    for (size_t i = cw_listpack_back_bytes(body); i-- > 0; body >>= 7)
        to[i] = (unsigned char)((body & 127) | (i > 0 ? 128 : 0));
}

static void write_element(char *to, const struct element *element)
{
    memcpy(to, element->head, element->head_bytes);
    to += element->head_bytes;
    if (element->text.length > 0)
        memcpy(to, element->text.data, element->text.length);
    write_back_length((unsigned char *)to + element->text.length, body_bytes(element));
}

size_t cw_listpack_element_bytes(struct slice text)
{
    struct element element = element_of_text(text);
    return element_bytes(&element);
}

size_t cw_listpack_integer_bytes(int64_t integer)
{
    struct element element = element_of_integer(integer);
    return element_bytes(&element);
}

/* --- the whole --- */

void cw_listpack_init(char bytes[CW_LISTPACK_EMPTY_BYTES])
{
    store_u32_le(bytes, CW_LISTPACK_EMPTY_BYTES);
    store_u16_le(bytes + COUNT_OFFSET, 0);
    bytes[CW_LISTPACK_HEADER_BYTES] = (char)CW_LISTPACK_END_BYTE;
}

/* The bytes of the element that `bytes` begin with; 0: there is none, or not all of it. */
static size_t valid_element_bytes(struct slice bytes)
{
    unsigned char first = (unsigned char)bytes.data[0];
    size_t offset = cw_listpack_text_offset(first);
    if (bytes.length < offset)
        return 0; /* the length is not there */
    size_t body = cw_listpack_body_bytes(bytes.data);
    if (body == 0 || body >= bytes.length)
        return 0;
    size_t back_bytes = cw_listpack_back_bytes(body);
    if (back_bytes > bytes.length - body)
        return 0;
    unsigned char back_length[BACK_BYTES_MAX];
    write_back_length(back_length, body);
    return memcmp(bytes.data + body, back_length, back_bytes) == 0 ? body + back_bytes : 0;
}

bool cw_listpack_is_valid(struct slice bytes)
{
    if (bytes.length < CW_LISTPACK_EMPTY_BYTES || bytes.length > CW_LISTPACK_BYTES_MAX ||
        load_u32_le(bytes.data) != bytes.length || (unsigned char)bytes.data[bytes.length - 1] != CW_LISTPACK_END_BYTE)
        return false;
    uint64_t count = 0;
    struct slice rest = slice_of(bytes.data + CW_LISTPACK_HEADER_BYTES, bytes.length - CW_LISTPACK_EMPTY_BYTES);
    for (; rest.length > 0; count++) {
        size_t length = valid_element_bytes(rest);
        if (length == 0)
            return false;
        rest = slice_skip(rest, length);
    }
    uint16_t told = load_u16_le(bytes.data + COUNT_OFFSET);
    return told == CW_LISTPACK_COUNT_UNKNOWN || told == count;
}

static uint64_t count_elements(struct slice listpack)
{
    uint64_t count = 0;
    for (size_t place = cw_listpack_first(listpack); place != CW_LISTPACK_END;
         place = cw_listpack_next(listpack, place))
        count++;
    return count;
}

uint64_t cw_listpack_count(struct slice listpack)
{
    uint16_t told = load_u16_le(listpack.data + COUNT_OFFSET);
    return LIKELY(told != CW_LISTPACK_COUNT_UNKNOWN) ? told : count_elements(listpack);
}

static size_t at_from_front(struct slice listpack, uint64_t steps)
{
    size_t place = cw_listpack_first(listpack);
    for (; steps > 0 && place != CW_LISTPACK_END; steps--)
        place = cw_listpack_next(listpack, place);
    return place;
}

static size_t at_from_back(struct slice listpack, uint64_t steps)
{
    size_t place = cw_listpack_last(listpack);
    for (; steps > 0 && place != CW_LISTPACK_END; steps--)
        place = cw_listpack_previous(listpack, place);
    return place;
}

size_t cw_listpack_at(struct slice listpack, int64_t index)
{
    bool from_back = index < 0;
    uint64_t steps = from_back ? ~(uint64_t)index : (uint64_t)index;
    uint64_t count = load_u16_le(listpack.data + COUNT_OFFSET);
    if (count != CW_LISTPACK_COUNT_UNKNOWN) {
        if (steps >= count)
            return CW_LISTPACK_END;
        if (steps > count / 2) { /* the other end is nearer */
            steps = count - 1 - steps;
            from_back = !from_back;
        }
    }
    return from_back ? at_from_back(listpack, steps) : at_from_front(listpack, steps);
}

static inline bool element_equals(const char *element, const struct cw_packed_needle *needle)
{
    size_t offset = cw_listpack_text_offset((unsigned char)element[0]);
    if (offset == 0)
        return needle->is_integer && cw_listpack_integer(element) == needle->integer;
    size_t length = cw_listpack_body_bytes(element) - offset;
    return length == needle->text.length && (length == 0 || memcmp(element + offset, needle->text.data, length) == 0);
}

size_t cw_listpack_find(struct slice listpack, size_t place, const struct cw_packed_needle *needle, unsigned step)
{
    CHECK(step > 0);
    while (place != CW_LISTPACK_END && !element_equals(listpack.data + place, needle))
        for (unsigned passed = 0; passed < step && place != CW_LISTPACK_END; passed++)
            place = cw_listpack_next(listpack, place);
    return place;
}

/* --- editing --- */

/* After a splice: writes the length, and the count that changed by so much. An unknown count becomes known again when
 * counting is cheap, or a listpack that was big once would be counted for ever. */
static void update_header(struct cw_packed *packed, int64_t count_change)
{
    CHECK(packed->length <= CW_LISTPACK_BYTES_MAX);
    store_u32_le(packed->bytes, (uint32_t)packed->length);
    uint16_t told = load_u16_le(packed->bytes + COUNT_OFFSET);
    uint64_t count = told;
    if (told != CW_LISTPACK_COUNT_UNKNOWN)
        count += (uint64_t)count_change;
    else if (packed->length < SURELY_COUNTABLE_BYTES)
        count = count_elements(cw_packed_slice(packed));
    store_u16_le(packed->bytes + COUNT_OFFSET,
                 (uint16_t)(count < CW_LISTPACK_COUNT_UNKNOWN ? count : CW_LISTPACK_COUNT_UNKNOWN));
}

static size_t insert_element(struct cw_packed *packed, size_t place, const struct element *element)
{
    if (place == CW_LISTPACK_END)
        place = packed->length - 1;
    write_element(packed->splice(packed, place, 0, element_bytes(element)), element);
    update_header(packed, 1);
    return place;
}

static void replace_element(struct cw_packed *packed, size_t place, const struct element *element)
{
    size_t old_bytes = cw_listpack_whole_bytes(packed->bytes + place);
    write_element(packed->splice(packed, place, old_bytes, element_bytes(element)), element);
    update_header(packed, 0);
}

size_t cw_listpack_insert(struct cw_packed *packed, size_t place, struct slice text)
{
    struct element element = element_of_text(text);
    return insert_element(packed, place, &element);
}

size_t cw_listpack_insert_integer(struct cw_packed *packed, size_t place, int64_t integer)
{
    struct element element = element_of_integer(integer);
    return insert_element(packed, place, &element);
}

void cw_listpack_append(struct cw_packed *packed, struct slice text)
{
    cw_listpack_insert(packed, CW_LISTPACK_END, text);
}

void cw_listpack_append_integer(struct cw_packed *packed, int64_t integer)
{
    cw_listpack_insert_integer(packed, CW_LISTPACK_END, integer);
}

void cw_listpack_append_all(struct cw_packed *packed, struct slice other)
{
    uint64_t count = cw_listpack_count(other);
    struct slice elements = slice_of(other.data + CW_LISTPACK_HEADER_BYTES, other.length - CW_LISTPACK_EMPTY_BYTES);
    memcpy(packed->splice(packed, packed->length - 1, 0, elements.length), elements.data, elements.length);
    update_header(packed, (int64_t)count);
}

void cw_listpack_replace(struct cw_packed *packed, size_t place, struct slice text)
{
    struct element element = element_of_text(text);
    replace_element(packed, place, &element);
}

void cw_listpack_replace_integer(struct cw_packed *packed, size_t place, int64_t integer)
{
    struct element element = element_of_integer(integer);
    replace_element(packed, place, &element);
}

size_t cw_listpack_delete(struct cw_packed *packed, size_t place, uint64_t count)
{
    struct slice listpack = cw_packed_slice(packed);
    size_t behind = place;
    uint64_t deleted = 0;
    for (; deleted < count && behind != CW_LISTPACK_END; deleted++)
        behind = cw_listpack_next(listpack, behind);
    if (deleted == 0)
        return place;
    size_t end = behind == CW_LISTPACK_END ? listpack.length - 1 : behind;
    packed->splice(packed, place, end - place, 0);
    update_header(packed, -(int64_t)deleted);
    return behind == CW_LISTPACK_END ? CW_LISTPACK_END : place;
}
