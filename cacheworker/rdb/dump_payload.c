#include "cacheworker/rdb/dump_payload.h"

#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "common/base/crc64.h"

enum { VERSION_BYTES = 2, CHECKSUM_BYTES = 8, FOOTER_BYTES = VERSION_BYTES + CHECKSUM_BYTES };

void cw_dump_end(struct buf *payload, unsigned version)
{
    cw_rdb_add_little_endian(payload, version, VERSION_BYTES);
    cw_rdb_add_little_endian(payload, crc64(0, buf_slice(payload)), CHECKSUM_BYTES);
}

static uint64_t little_endian(struct slice bytes)
{
    uint64_t number = 0;
    for (size_t i = bytes.length; i-- > 0;)
        number = number << 8 | (unsigned char)bytes.data[i];
    return number;
}

unsigned cw_dump_version(struct slice payload)
{
    return (unsigned)little_endian(slice_of(payload.data + payload.length - FOOTER_BYTES, VERSION_BYTES));
}

bool cw_dump_open(struct slice payload, bool trusts, struct slice *ret_items)
{
    if (payload.length < FOOTER_BYTES)
        return false;
    struct slice items = slice_of(payload.data, payload.length - FOOTER_BYTES);
    struct slice summed = slice_of(payload.data, payload.length - CHECKSUM_BYTES);
    uint64_t checksum = little_endian(slice_skip(payload, summed.length));
    if (!cw_rdb_version_is_known(cw_dump_version(payload)) || (!trusts && crc64(0, summed) != checksum))
        return false;
    *ret_items = items;
    return true;
}
