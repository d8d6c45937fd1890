#include "cacheworker/rdb/rdb_pack.h"

#include "cacheworker/rdb/lzf.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/crc64.h"
#include "common/base/mem.h"

enum {
    STRING_MIN = 21,     /* shorter ones are left alone */
    PIECE_MAX = 1 << 30, /* bytes; what stands behind them in a piece is left alone, too */
};

struct cw_rdb_packer {
    uint64_t checksum;
    uint64_t bytes;
    struct cw_lzf lzf;
    struct buf packed; /* owned */
    struct buf space;  /* owned; for one string */
};

/* Behind the bytes of a sealed piece: the strings, and then the trailer. */
struct string {
    uint32_t offset; /* of its length, which precedes it */
    uint32_t length;
};

struct trailer {
    uint32_t strings;
    uint32_t flags;
};

struct cw_rdb_packer *cw_rdb_packer_create(void)
{
    return mem_zero(sizeof(struct cw_rdb_packer));
}

void cw_rdb_packer_free(struct cw_rdb_packer *packer)
{
    if (packer == NULL)
        return;
    buf_free(&packer->packed);
    buf_free(&packer->space);
    mem_free(packer);
}

uint64_t cw_rdb_packer_bytes(const struct cw_rdb_packer *packer)
{
    return packer->bytes;
}

void cw_rdb_pack_note(struct buf *strings, const struct buf *piece, struct slice text)
{
    if (text.length < STRING_MIN || buf_length(piece) > PIECE_MAX)
        return;
    struct string string = {(uint32_t)buf_length(piece), (uint32_t)text.length};
    buf_add(strings, &string, sizeof(string));
}

void cw_rdb_pack_seal(struct buf *piece, struct buf *strings, unsigned flags)
{
    struct trailer trailer = {(uint32_t)(buf_length(strings) / sizeof(struct string)), flags};
    buf_add_slice(piece, buf_slice(strings));
    buf_add(piece, &trailer, sizeof(trailer));
    buf_clear(strings);
}

static size_t length_bytes(size_t length)
{
    return length < 1 << 6 ? 1 : length < 1 << 14 ? 2 : 5;
}

/* Adds the string compressed, or as it is. */
static void add_string(struct cw_rdb_packer *packer, struct slice whole, struct slice text)
{
    struct buf *out = &packer->packed;
    size_t before = buf_length(out);
    cw_rdb_add_byte(out, RDB_LENGTH_SPECIAL << 6 | RDB_PACKED_LZF);
    char *space = buf_reserve(&packer->space, text.length);
    size_t length = cw_lzf_pack(&packer->lzf, text, space, text.length - 4);
    if (length == 0) {
        out->end = out->start + before;
        buf_add_slice(out, whole);
        return;
    }
    cw_rdb_add_length(out, length);
    cw_rdb_add_length(out, text.length);
    buf_add(out, space, length);
}

static void compress(struct cw_rdb_packer *packer, struct slice bytes, const char *strings, uint32_t count)
{
    size_t position = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct string string;
        memcpy(&string, strings + i * sizeof(string), sizeof(string));
        size_t begin = string.offset + length_bytes(string.length);
        size_t end = begin + string.length;
        CHECK(string.offset >= position && end <= bytes.length);
        buf_add(&packer->packed, bytes.data + position, string.offset - position);
        add_string(packer, slice_of(bytes.data + string.offset, end - string.offset),
                   slice_of(bytes.data + begin, string.length));
        position = end;
    }
    buf_add_slice(&packer->packed, slice_skip(bytes, position));
}

void cw_rdb_pack(void *context, struct buf *piece)
{
    struct cw_rdb_packer *packer = context;
    struct slice all = buf_slice(piece);
    struct trailer trailer;
    CHECK(all.length >= sizeof(trailer));
    memcpy(&trailer, all.data + all.length - sizeof(trailer), sizeof(trailer));
    size_t strings_bytes = trailer.strings * sizeof(struct string);
    CHECK(all.length >= sizeof(trailer) + strings_bytes);
    struct slice bytes = slice_of(all.data, all.length - sizeof(trailer) - strings_bytes);
    if (trailer.flags & CW_RDB_PACK_FIRST)
        packer->checksum = packer->bytes = 0;
    buf_clear(&packer->packed);
    compress(packer, bytes, bytes.data + bytes.length, trailer.flags & CW_RDB_PACK_COMPRESS ? trailer.strings : 0);
    packer->checksum = crc64(packer->checksum, buf_slice(&packer->packed));
    if (trailer.flags & CW_RDB_PACK_LAST)
        cw_rdb_add_little_endian(&packer->packed, packer->checksum, RDB_CHECKSUM_LENGTH);
    packer->bytes += buf_length(&packer->packed);
    buf_clear(piece);
    buf_add_slice(piece, buf_slice(&packer->packed));
}
