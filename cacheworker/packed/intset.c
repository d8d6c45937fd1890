#include "cacheworker/packed/intset.h"

#include "cacheworker/packed/little_endian.h"

enum { COUNT_OFFSET = 4 };

static size_t width_for(int64_t number)
{
    if (number >= INT16_MIN && number <= INT16_MAX)
        return 2;
    return number >= INT32_MIN && number <= INT32_MAX ? 4 : 8;
}

static int64_t load(const char *members, size_t width, uint32_t index)
{
    const char *member = members + width * index;
    switch (width) {
    case 2: return (int16_t)load_u16_le(member);
    case 4: return (int32_t)load_u32_le(member);
    default: return (int64_t)load_u64_le(member);
    }
}

static void store(char *members, size_t width, uint32_t index, int64_t number)
{
    char *member = members + width * index;
    switch (width) {
    case 2: store_u16_le(member, (uint16_t)number); break;
    case 4: store_u32_le(member, (uint32_t)number); break;
    default: store_u64_le(member, (uint64_t)number); break;
    }
}

static size_t width_of(const char *intset)
{
    return load_u32_le(intset);
}

void cw_intset_init(char bytes[CW_INTSET_EMPTY_BYTES])
{
    store_u32_le(bytes, 2);
    store_u32_le(bytes + COUNT_OFFSET, 0);
}

bool cw_intset_is_valid(struct slice bytes)
{
    if (bytes.length < CW_INTSET_EMPTY_BYTES)
        return false;
    size_t width = width_of(bytes.data);
    uint32_t count = load_u32_le(bytes.data + COUNT_OFFSET);
    if ((width != 2 && width != 4 && width != 8) || (uint64_t)count * width != bytes.length - CW_INTSET_EMPTY_BYTES)
        return false;
    for (uint32_t i = 1; i < count; i++)
        if (cw_intset_at(bytes, i - 1) >= cw_intset_at(bytes, i))
            return false;
    return true;
}

uint32_t cw_intset_count(struct slice intset)
{
    return load_u32_le(intset.data + COUNT_OFFSET);
}

int64_t cw_intset_at(struct slice intset, uint32_t index)
{
    return load(intset.data + CW_INTSET_EMPTY_BYTES, width_of(intset.data), index);
}

bool cw_intset_find(struct slice intset, int64_t number, uint32_t *ret_index)
{
    uint32_t count = cw_intset_count(intset);
    uint32_t low = 0;
    if (count > 0 && number > cw_intset_at(intset, count - 1)) {
        low = count; /* ascending numbers are the frequent way of adding */
    } else {
        for (uint32_t high = count; low < high;) {
            uint32_t middle = low + (high - low) / 2;
            if (cw_intset_at(intset, middle) < number)
                low = middle + 1;
            else
                high = middle;
        }
    }
    *ret_index = low;
    return low < count && cw_intset_at(intset, low) == number;
}

/* Makes every member `width` bytes, which is more than they have. From the last one on: each goes where only it and
 * those behind it were. */
static void widen(struct cw_packed *packed, size_t width)
{
    uint32_t count = cw_intset_count(cw_packed_slice(packed));
    size_t old_width = width_of(packed->bytes);
    packed->splice(packed, packed->length, 0, count * (width - old_width));
    char *members = packed->bytes + CW_INTSET_EMPTY_BYTES;
    for (uint32_t i = count; i-- > 0;)
        store(members, width, i, load(members, old_width, i));
    store_u32_le(packed->bytes, (uint32_t)width);
}

bool cw_intset_add(struct cw_packed *packed, int64_t number)
{
    uint32_t index;
    if (cw_intset_find(cw_packed_slice(packed), number, &index))
        return false;
    if (width_for(number) > width_of(packed->bytes))
        widen(packed, width_for(number));
    size_t width = width_of(packed->bytes);
    packed->splice(packed, CW_INTSET_EMPTY_BYTES + width * index, 0, width);
    store(packed->bytes + CW_INTSET_EMPTY_BYTES, width, index, number);
    store_u32_le(packed->bytes + COUNT_OFFSET, cw_intset_count(cw_packed_slice(packed)) + 1);
    return true;
}

bool cw_intset_remove(struct cw_packed *packed, int64_t number)
{
    uint32_t index;
    if (!cw_intset_find(cw_packed_slice(packed), number, &index))
        return false;
    size_t width = width_of(packed->bytes);
    packed->splice(packed, CW_INTSET_EMPTY_BYTES + width * index, width, 0);
    store_u32_le(packed->bytes + COUNT_OFFSET, cw_intset_count(cw_packed_slice(packed)) - 1);
    return true;
}
