#include "cacheworker/packed/ziplist.h"

enum {
    LAST_OFFSET = 4,
    COUNT_OFFSET = 8,
    HEADER_BYTES = 10,
    EMPTY_BYTES = 11,
    COUNT_UNKNOWN = 65535,
    LONG_LENGTH = 0xfe, /* four bytes of length follow */
    END_BYTE = 0xff,
};

enum { /* encodings; strings: 00 and 6 bits of length, 01 and 14, 10 and 32 in the next bytes, all big endian */
       INTEGER_16 = 0xc0,
       INTEGER_32 = 0xd0,
       INTEGER_64 = 0xe0,
       INTEGER_24 = 0xf0,
       IMMEDIATE_0 = 0xf1, /* and so on: the number is in the encoding */
       IMMEDIATE_12 = 0xfd,
       INTEGER_8 = 0xfe,
};

struct entry {
    size_t previous_bytes; /* of the entry before, as this one tells it */
    unsigned char encoding;
    size_t data_offset;
    size_t data_bytes;
};

static size_t entry_bytes(const struct entry *entry)
{
    return entry->data_offset + entry->data_bytes;
}

/* The bytes of an integer's data; -1: no such encoding. */
static int integer_bytes(unsigned char encoding)
{
    switch (encoding) {
    case INTEGER_8: return 1;
    case INTEGER_16: return 2;
    case INTEGER_24: return 3;
    case INTEGER_32: return 4;
    case INTEGER_64: return 8;
    default: return encoding >= IMMEDIATE_0 && encoding <= IMMEDIATE_12 ? 0 : -1;
    }
}

static size_t load_u32_be(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* Adds the encoding at `data_offset`, and moves that behind it. `bytes` end with the entry's or later. */
static bool read_encoding(struct slice bytes, struct entry *entry)
{
    if (bytes.length <= entry->data_offset)
        return false;
    const unsigned char *at = (const unsigned char *)bytes.data + entry->data_offset;
    size_t available = bytes.length - entry->data_offset;
    entry->encoding = at[0];
    switch (at[0] >> 6) {
    case 0:
        entry->data_offset += 1;
        entry->data_bytes = at[0];
        return true;
    case 1:
        if (available < 2)
            return false;
        entry->data_offset += 2;
        entry->data_bytes = (at[0] & 0x3fu) << 8 | at[1];
        return true;
    case 2:
        if (available < 5)
            return false;
        entry->data_offset += 5;
        entry->data_bytes = load_u32_be(at + 1);
        return true;
    default:;
        int data_bytes = integer_bytes(at[0]);
        entry->data_offset += 1;
        entry->data_bytes = data_bytes < 0 ? 0 : (size_t)data_bytes;
        return data_bytes >= 0;
    }
}

/* The entry that `bytes` begin with; false: there is none, or not all of it. */
static bool read_entry(struct slice bytes, struct entry *ret_entry)
{
    if (bytes.length == 0)
        return false;
    unsigned char first = (unsigned char)bytes.data[0];
    if (first == END_BYTE || (first == LONG_LENGTH && bytes.length < 5))
        return false;
    struct entry entry = {.previous_bytes = first, .data_offset = 1};
    if (first == LONG_LENGTH) {
        entry.previous_bytes = load_u32_le(bytes.data + 1);
        entry.data_offset = 5;
    }
    if (!read_encoding(bytes, &entry) || entry.data_bytes > bytes.length - entry.data_offset)
        return false;
    *ret_entry = entry;
    return true;
}

bool cw_ziplist_is_valid(struct slice bytes)
{
    if (bytes.length < EMPTY_BYTES || bytes.length > CW_ZIPLIST_BYTES_MAX || load_u32_le(bytes.data) != bytes.length ||
        (unsigned char)bytes.data[bytes.length - 1] != END_BYTE)
        return false;
    struct slice entries = slice_of(bytes.data, bytes.length - 1);
    uint64_t count = 0;
    size_t last = HEADER_BYTES;
    size_t last_bytes = 0;
    for (size_t place = HEADER_BYTES; place < entries.length; place += last_bytes) {
        struct entry entry;
        if (!read_entry(slice_skip(entries, place), &entry) || entry.previous_bytes != last_bytes)
            return false;
        last = place;
        last_bytes = entry_bytes(&entry);
        count++;
    }
    uint16_t told = load_u16_le(bytes.data + COUNT_OFFSET);
    return load_u32_le(bytes.data + LAST_OFFSET) == last && (told == COUNT_UNKNOWN || told == count);
}

static struct entry entry_at(struct slice ziplist, size_t place)
{
    struct entry entry;
    CHECK(read_entry(slice_skip(ziplist, place), &entry)); /* it was validated */
    return entry;
}

size_t cw_ziplist_first(struct slice ziplist)
{
    return ziplist.length > EMPTY_BYTES ? HEADER_BYTES : CW_ZIPLIST_END;
}

size_t cw_ziplist_next(struct slice ziplist, size_t place)
{
    struct entry entry = entry_at(ziplist, place);
    place += entry_bytes(&entry);
    return place < ziplist.length - 1 ? place : CW_ZIPLIST_END;
}

static int64_t integer_of(unsigned char encoding, const char *data)
{
    switch (encoding) {
    case INTEGER_8: return (signed char)data[0];
    case INTEGER_16: return (int16_t)load_u16_le(data);
    case INTEGER_24: return load_i24_le(data);
    case INTEGER_32: return (int32_t)load_u32_le(data);
    case INTEGER_64: return (int64_t)load_u64_le(data);
    default: return encoding - IMMEDIATE_0;
    }
}

struct cw_packed_value cw_ziplist_value(struct slice ziplist, size_t place)
{
    struct entry entry = entry_at(ziplist, place);
    const char *data = ziplist.data + place + entry.data_offset;
    if (entry.encoding >= INTEGER_16)
        return (struct cw_packed_value){.integer = integer_of(entry.encoding, data)};
    return (struct cw_packed_value){.text = slice_of(data, entry.data_bytes)};
}

void cw_ziplist_append_to(struct slice ziplist, struct cw_packed *listpack)
{
    for (size_t place = cw_ziplist_first(ziplist); place != CW_ZIPLIST_END; place = cw_ziplist_next(ziplist, place)) {
        struct cw_packed_value value = cw_ziplist_value(ziplist, place);
        if (value.text.data != NULL)
            cw_listpack_append(listpack, value.text);
        else
            cw_listpack_append_integer(listpack, value.integer);
    }
}
