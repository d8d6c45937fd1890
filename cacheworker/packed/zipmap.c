#include "cacheworker/packed/zipmap.h"

enum {
    EMPTY_BYTES = 2,
    COUNT_UNKNOWN = 254,
    LONG_LENGTH = 254, /* four bytes of length follow */
    END_BYTE = 0xff,
};

/* Takes a length from the front. One that is longer than it must be is refused: the reference would read it as another.
 */
static bool take_length(struct slice *bytes, size_t *ret_length)
{
    if (bytes->length == 0)
        return false;
    size_t length = (unsigned char)bytes->data[0];
    size_t used = 1;
    if (length == END_BYTE)
        return false;
    if (length == LONG_LENGTH) {
        if (bytes->length < 5)
            return false;
        length = load_u32_le(bytes->data + 1);
        used = 5;
        if (length < LONG_LENGTH)
            return false;
    }
    *bytes = slice_skip(*bytes, used);
    *ret_length = length;
    return true;
}

static bool take(struct slice *bytes, size_t length, struct slice *ret_taken)
{
    if (length > bytes->length)
        return false;
    *ret_taken = slice_of(bytes->data, length);
    *bytes = slice_skip(*bytes, length);
    return true;
}

/* Takes a field and its value from the front; false: they are not there, or not all of them. */
static bool take_pair(struct slice *bytes, struct slice *ret_field, struct slice *ret_value)
{
    size_t length;
    struct slice free_count;
    struct slice free_bytes;
    return take_length(bytes, &length) && take(bytes, length, ret_field) && take_length(bytes, &length) &&
           take(bytes, 1, &free_count) && take(bytes, length, ret_value) &&
           take(bytes, (unsigned char)free_count.data[0], &free_bytes);
}

bool cw_zipmap_is_valid(struct slice bytes)
{
    if (bytes.length < EMPTY_BYTES || bytes.length > CW_ZIPMAP_BYTES_MAX ||
        (unsigned char)bytes.data[bytes.length - 1] != END_BYTE)
        return false;
    struct slice pairs = slice_of(bytes.data + CW_ZIPMAP_FIRST, bytes.length - EMPTY_BYTES);
    uint64_t count = 0;
    for (; pairs.length > 0; count++) {
        struct slice field;
        struct slice value;
        if (!take_pair(&pairs, &field, &value))
            return false;
    }
    unsigned char told = (unsigned char)bytes.data[0];
    return told == COUNT_UNKNOWN || told == count;
}

bool cw_zipmap_next(struct slice zipmap, size_t *place, struct slice *ret_field, struct slice *ret_value)
{
    struct slice pairs = slice_of(zipmap.data + *place, zipmap.length - 1 - *place);
    if (pairs.length == 0)
        return false;
    CHECK(take_pair(&pairs, ret_field, ret_value)); /* it was validated */
    *place = zipmap.length - 1 - pairs.length;
    return true;
}

void cw_zipmap_append_to(struct slice zipmap, struct cw_packed *listpack)
{
    size_t place = CW_ZIPMAP_FIRST;
    struct slice field;
    struct slice value;
    while (cw_zipmap_next(zipmap, &place, &field, &value)) {
        cw_listpack_append(listpack, field);
        cw_listpack_append(listpack, value);
    }
}
