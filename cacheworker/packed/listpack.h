/* listpack.h: a sequence of strings and integers in one piece of memory, byte for byte the reference's listpack, so
 * that saving and loading are copies (source: listpack.md of Salvatore Sanfilippo, and what redis-server 7.0 writes).
 *
 *   total bytes 4, little endian | count 2 (65535: more, to be counted) | element ... | 0xff
 *   element: encoding and data | back length 1 to 5: of what stands before it in the element
 *
 * A place is an offset from the beginning. CW_LISTPACK_END (0) is no element's place; functions that seek return it
 * when there is none. Strings that read as integers of 64 bits, in canonical form, are kept as integers.
 *
 * Reading functions want a listpack that is valid: one of ours, or one that cw_listpack_is_valid has accepted. */
#ifndef CACHEWORKER_PACKED_LISTPACK_H
#define CACHEWORKER_PACKED_LISTPACK_H

#include "cacheworker/packed/little_endian.h"
#include "cacheworker/packed/packed.h"
#include "common/base/check.h"
#include "common/base/number.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CW_LISTPACK_END = 0,
    CW_LISTPACK_HEADER_BYTES = 6, /* where the first element is */
    CW_LISTPACK_EMPTY_BYTES = 7,
    CW_LISTPACK_COUNT_UNKNOWN = 65535,
};

#define CW_LISTPACK_BYTES_MAX ((size_t)1 << 30) /* the owner starts another one, or another structure, long before */

/* An element as it is read: its bytes, or an integer, which has no bytes of its own. */
struct cw_packed_value {
    struct slice text; /* borrowed from the listpack; data NULL: it is the integer */
    int64_t integer;
};

/* The text of the element; an integer's is formatted into `space`. */
struct slice cw_packed_value_text(const struct cw_packed_value *value, char space[NUMBER_TEXT_MAX]);
/* Equal as text. `integer`, if `is_integer`, is what `text` reads as: computed once by who searches. */
struct cw_packed_needle {
    struct slice text; /* borrowed */
    bool is_integer;
    int64_t integer;
};
struct cw_packed_needle cw_packed_needle(struct slice text);
bool cw_packed_value_equals(const struct cw_packed_value *value, const struct cw_packed_needle *needle);

void cw_listpack_init(char bytes[CW_LISTPACK_EMPTY_BYTES]); /* an empty one */

/* Whether these bytes are a listpack: lengths, encodings, back lengths, count, end. Anything may be asked. */
bool cw_listpack_is_valid(struct slice bytes);

/* What appending this string would add, back length included. */
size_t cw_listpack_element_bytes(struct slice text);
size_t cw_listpack_integer_bytes(int64_t integer);

uint64_t cw_listpack_count(struct slice listpack); /* O(1) below 65535, else counts */

static inline size_t cw_listpack_first(struct slice listpack);
static inline size_t cw_listpack_last(struct slice listpack);
/* Of what is behind, or before, the element at `place`. */
static inline size_t cw_listpack_next(struct slice listpack, size_t place);
static inline size_t cw_listpack_previous(struct slice listpack, size_t place);
size_t cw_listpack_at(struct slice listpack, int64_t index); /* negative: from the end */
static inline struct cw_packed_value cw_listpack_value(struct slice listpack, size_t place);

/* The first element equal to the needle among every `step`-th one, from `place` on (fields of a hash: from the first,
 * with step 2). */
size_t cw_listpack_find(struct slice listpack, size_t place, const struct cw_packed_needle *needle, unsigned step);

/* Editing; never beyond CW_LISTPACK_BYTES_MAX, which is CHECKed. `place` CW_LISTPACK_END is behind the last element.
 * Strings must not lie in the listpack. */
size_t cw_listpack_insert(struct cw_packed *packed, size_t place, struct slice text); /* before `place`; its place */
size_t cw_listpack_insert_integer(struct cw_packed *packed, size_t place, int64_t integer);
void cw_listpack_append(struct cw_packed *packed, struct slice text);
void cw_listpack_append_integer(struct cw_packed *packed, int64_t integer);
void cw_listpack_append_all(struct cw_packed *packed, struct slice other); /* the elements of another listpack */
void cw_listpack_replace(struct cw_packed *packed, size_t place, struct slice text); /* `place` stays its place */
void cw_listpack_replace_integer(struct cw_packed *packed, size_t place, int64_t integer);
/* Deletes `count` elements from `place` on, or fewer where it ends; returns the place of what follows. */
size_t cw_listpack_delete(struct cw_packed *packed, size_t place, uint64_t count);

/* --- what walking is made of, here so that it is inlined ---
 *
 *   0xxxxxxx  7 bits, not negative        11110001  16 bits    11110000  string, length 32 bits, little endian
 *   10xxxxxx  string, length 6 bits       11110010  24 bits    11111111  the end
 *   110xxxxx  13 bits, big endian         11110011  32 bits
 *   1110xxxx  string, length 12 bits      11110100  64 bits */

enum {
    CW_LISTPACK_TEXT_32 = 0xf0,
    CW_LISTPACK_INTEGER_16 = 0xf1,
    CW_LISTPACK_INTEGER_24 = 0xf2,
    CW_LISTPACK_INTEGER_32 = 0xf3,
    CW_LISTPACK_INTEGER_64 = 0xf4,
    CW_LISTPACK_END_BYTE = 0xff,
};

/* How many bytes stand before the text of an element that begins with `first`; 0: it is an integer. */
static inline size_t cw_listpack_text_offset(unsigned char first)
{
    if ((first & 0xc0) == 0x80)
        return 1;
    if ((first & 0xf0) == 0xe0)
        return 2;
    return first == CW_LISTPACK_TEXT_32 ? 5 : 0;
}

/* Encoding and data of an element, without its back length; 0 for what begins none. */
static inline size_t cw_listpack_body_bytes(const char *element)
{
    unsigned char first = (unsigned char)element[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc0)
        return 1 + (first & 0x3fu);
    if (first < 0xe0)
        return 2;
    if (first < 0xf0)
        return 2 + ((first & 0x0fu) << 8 | (unsigned char)element[1]);
    switch (first) {
    case CW_LISTPACK_TEXT_32: return 5 + (size_t)load_u32_le(element + 1);
    case CW_LISTPACK_INTEGER_16: return 3;
    case CW_LISTPACK_INTEGER_24: return 4;
    case CW_LISTPACK_INTEGER_32: return 5;
    case CW_LISTPACK_INTEGER_64: return 9;
    default: return 0;
    }
}

/* The bytes of the back length. The limits are one too low, as the reference has them. */
static inline size_t cw_listpack_back_bytes(size_t body_bytes)
{
    if (LIKELY(body_bytes <= 127))
        return 1;
    if (body_bytes < 16383)
        return 2;
    if (body_bytes < 2097151)
        return 3;
    return body_bytes < 268435455 ? 4 : 5;
}

/* The whole element. Strings below 64 bytes and small integers are what is there mostly, and have one of back length.
 */
static inline size_t cw_listpack_whole_bytes(const char *element)
{
    unsigned char first = (unsigned char)element[0];
    if (LIKELY(first < 0xc0))
        return first < 0x80 ? 2 : 2 + (first & 0x3fu);
    size_t body_bytes = cw_listpack_body_bytes(element);
    return body_bytes + cw_listpack_back_bytes(body_bytes);
}

static inline int64_t cw_listpack_integer(const char *element)
{
    unsigned char first = (unsigned char)element[0];
    switch (first) {
    case CW_LISTPACK_INTEGER_16: return (int16_t)load_u16_le(element + 1);
    case CW_LISTPACK_INTEGER_24: return load_i24_le(element + 1);
    case CW_LISTPACK_INTEGER_32: return (int32_t)load_u32_le(element + 1);
    case CW_LISTPACK_INTEGER_64: return (int64_t)load_u64_le(element + 1);
    default:
        if (first < 0x80)
            return first;
        uint32_t bits = (first & 0x1fu) << 8 | (unsigned char)element[1];
        return (int32_t)(bits << 19) >> 19;
    }
}

static inline size_t cw_listpack_first(struct slice listpack)
{
    return listpack.length > CW_LISTPACK_EMPTY_BYTES ? CW_LISTPACK_HEADER_BYTES : CW_LISTPACK_END;
}

static inline size_t cw_listpack_next(struct slice listpack, size_t place)
{
    place += cw_listpack_whole_bytes(listpack.data + place);
    return (unsigned char)listpack.data[place] == CW_LISTPACK_END_BYTE ? CW_LISTPACK_END : place;
}

static inline size_t cw_listpack_previous(struct slice listpack, size_t place)
{
    if (place == CW_LISTPACK_HEADER_BYTES)
        return CW_LISTPACK_END;
    unsigned char byte = (unsigned char)listpack.data[--place];
    size_t body_bytes = byte & 127u; /* seven bits a byte, the lowest ones last; all but the first byte have bit 7 */
    for (unsigned shift = 7; byte & 128; shift += 7) {
        byte = (unsigned char)listpack.data[--place];
        body_bytes |= (size_t)(byte & 127u) << shift;
    }
    return place - body_bytes;
}

static inline size_t cw_listpack_last(struct slice listpack)
{
    return cw_listpack_previous(listpack, listpack.length - 1);
}

static inline struct cw_packed_value cw_listpack_value(struct slice listpack, size_t place)
{
    const char *element = listpack.data + place;
    size_t offset = cw_listpack_text_offset((unsigned char)element[0]);
    if (offset == 0)
        return (struct cw_packed_value){.integer = cw_listpack_integer(element)};
    return (struct cw_packed_value){.text = slice_of(element + offset, cw_listpack_body_bytes(element) - offset)};
}

#endif
