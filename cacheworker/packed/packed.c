#include "cacheworker/packed/packed.h"

static char *splice_buf(struct cw_packed *packed, size_t offset, size_t removed, size_t inserted)
{
    struct buf *buf = packed->owner;
    size_t length = buf_length(buf);
    CHECK(offset <= length && removed <= length - offset);
    buf_reserve(buf, inserted);
    char *bytes = buf->memory + buf->start;
    memmove(bytes + offset + inserted, bytes + offset + removed, length - offset - removed);
    buf->end = buf->start + length - removed + inserted;
    packed->bytes = bytes;
    packed->length = buf_length(buf);
    return bytes + offset;
}

struct cw_packed cw_packed_of_buf(struct buf *buf)
{
    struct slice bytes = buf_slice(buf);
    char *memory = bytes.length > 0 ? buf->memory + buf->start : NULL;
    return (struct cw_packed){.bytes = memory, .length = bytes.length, .splice = splice_buf, .owner = buf};
}
