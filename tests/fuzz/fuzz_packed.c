/* Packed bytes: whatever they are, they are refused or they can be walked in both directions, searched and edited as a
 * listpack or an intset, and stay valid; read as a ziplist or zipmap, they become a listpack. Lengths at the beginning
 * are also tried as they should be, so that the search is not stopped by them. */
#include "cacheworker/packed/intset.h"
#include "cacheworker/packed/listpack.h"
#include "cacheworker/packed/ziplist.h"
#include "cacheworker/packed/zipmap.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

enum { EDITS_MAX = 24, FINDS_MAX = 200, COUNT_OFFSET = 4 };

static void must_be_listpack(const struct cw_packed *packed, uint64_t count)
{
    char *block = fuzz_exact_copy(cw_packed_slice(packed));
    struct slice listpack = slice_of(block, packed->length);
    CHECK(cw_listpack_is_valid(listpack));
    CHECK(cw_listpack_count(listpack) == count);
    mem_free(block);
}

static struct slice text_at(struct slice listpack, size_t place, char space[NUMBER_TEXT_MAX])
{
    struct cw_packed_value value = cw_listpack_value(listpack, place);
    return cw_packed_value_text(&value, space);
}

static void walk_listpack(struct slice listpack)
{
    char space[NUMBER_TEXT_MAX];
    uint64_t count = cw_listpack_count(listpack);
    uint64_t seen = 0;
    for (size_t place = cw_listpack_first(listpack); place != CW_LISTPACK_END;
         place = cw_listpack_next(listpack, place), seen++) {
        struct cw_packed_needle needle = cw_packed_needle(text_at(listpack, place, space));
        CHECK(cw_listpack_find(listpack, place, &needle, 1) == place);
        if (seen >= FINDS_MAX)
            continue;
        size_t found = cw_listpack_find(listpack, cw_listpack_first(listpack), &needle, 1);
        CHECK(found != CW_LISTPACK_END && found <= place);
        cw_listpack_find(listpack, cw_listpack_first(listpack), &needle, 2);
        CHECK(cw_listpack_at(listpack, (int64_t)seen) == place);
        CHECK(cw_listpack_at(listpack, (int64_t)seen - (int64_t)count) == place);
    }
    CHECK(seen == count);
    for (size_t place = cw_listpack_last(listpack); place != CW_LISTPACK_END;
         place = cw_listpack_previous(listpack, place))
        seen--;
    CHECK(seen == 0);
}

/* Copies elements to other places, as strings and as integers, and takes some away. What to do comes from `script`. */
static void edit_listpack(struct slice listpack, struct slice script)
{
    struct buf buf = {0};
    buf_add_slice(&buf, listpack);
    struct cw_packed packed = cw_packed_of_buf(&buf);
    for (size_t i = 0; i < script.length && i < EDITS_MAX; i++) {
        unsigned char order = (unsigned char)script.data[i];
        uint64_t count = cw_listpack_count(cw_packed_slice(&packed));
        size_t place = cw_listpack_at(cw_packed_slice(&packed), order >> 2);
        struct slice text = slice_of(script.data, script.length - i);
        switch (order & 3) {
        case 0:
            cw_listpack_insert(&packed, place, text);
            must_be_listpack(&packed, count + 1);
            break;
        case 1:
            cw_listpack_insert_integer(&packed, place, (int64_t)(order * 0x0123456789abcdefu >> i));
            must_be_listpack(&packed, count + 1);
            break;
        case 2:
            if (place != CW_LISTPACK_END)
                cw_listpack_replace(&packed, place, text);
            must_be_listpack(&packed, count);
            break;
        default:
            for (uint64_t deleted = 0; deleted < 2 && place != CW_LISTPACK_END; deleted++, count--)
                place = cw_listpack_delete(&packed, place, 1);
            must_be_listpack(&packed, count);
        }
    }
    buf_free(&buf);
}

static void try_listpack(struct slice bytes)
{
    if (!cw_listpack_is_valid(bytes))
        return;
    walk_listpack(bytes);
    edit_listpack(bytes, bytes);
}

static void try_intset(struct slice bytes)
{
    if (!cw_intset_is_valid(bytes))
        return;
    struct buf buf = {0};
    buf_add_slice(&buf, bytes);
    struct cw_packed packed = cw_packed_of_buf(&buf);
    uint32_t count = cw_intset_count(bytes);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index;
        int64_t number = cw_intset_at(bytes, i);
        CHECK(cw_intset_find(bytes, number, &index) && index == i);
        if (i >= EDITS_MAX)
            continue;
        CHECK(!cw_intset_add(&packed, number) && cw_intset_remove(&packed, number));
        CHECK(!cw_intset_remove(&packed, number) && cw_intset_is_valid(cw_packed_slice(&packed)));
        cw_intset_add(&packed, (int64_t)((uint64_t)number << i));
        CHECK(cw_intset_is_valid(cw_packed_slice(&packed)));
        cw_intset_add(&packed, number);
        CHECK(cw_intset_find(cw_packed_slice(&packed), number, &index));
    }
    buf_free(&buf);
}

static void start_listpack(struct buf *buf, struct cw_packed *packed)
{
    cw_listpack_init(buf_reserve(buf, CW_LISTPACK_EMPTY_BYTES));
    buf_commit(buf, CW_LISTPACK_EMPTY_BYTES);
    *packed = cw_packed_of_buf(buf);
}

static void try_ziplist(struct slice bytes)
{
    if (!cw_ziplist_is_valid(bytes))
        return;
    struct buf buf = {0};
    struct cw_packed packed;
    start_listpack(&buf, &packed);
    cw_ziplist_append_to(bytes, &packed);
    CHECK(cw_listpack_is_valid(cw_packed_slice(&packed)));
    size_t place = cw_listpack_first(cw_packed_slice(&packed));
    for (size_t old = cw_ziplist_first(bytes); old != CW_ZIPLIST_END; old = cw_ziplist_next(bytes, old)) {
        char space[NUMBER_TEXT_MAX];
        char old_space[NUMBER_TEXT_MAX];
        struct cw_packed_value value = cw_ziplist_value(bytes, old);
        fuzz_must_equal(cw_packed_value_text(&value, old_space), text_at(cw_packed_slice(&packed), place, space),
                        "a ziplist as a listpack");
        place = cw_listpack_next(cw_packed_slice(&packed), place);
    }
    CHECK(place == CW_LISTPACK_END);
    buf_free(&buf);
}

static void try_zipmap(struct slice bytes)
{
    if (!cw_zipmap_is_valid(bytes))
        return;
    struct buf buf = {0};
    struct cw_packed packed;
    start_listpack(&buf, &packed);
    cw_zipmap_append_to(bytes, &packed);
    uint64_t pairs = 0;
    size_t place = CW_ZIPMAP_FIRST;
    struct slice field;
    struct slice value;
    while (cw_zipmap_next(bytes, &place, &field, &value))
        pairs++;
    must_be_listpack(&packed, 2 * pairs);
    buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *block = fuzz_exact_copy(slice_of(data, size));
    struct slice bytes = slice_of(block, size);
    try_listpack(bytes);
    try_intset(bytes);
    try_ziplist(bytes);
    try_zipmap(bytes);
    if (size >= CW_LISTPACK_EMPTY_BYTES) {
        store_u32_le(block, (uint32_t)size);
        try_ziplist(bytes);
        store_u16_le(block + COUNT_OFFSET, CW_LISTPACK_COUNT_UNKNOWN);
        block[size - 1] = (char)CW_LISTPACK_END_BYTE;
        try_listpack(bytes);
    }
    if (size >= CW_INTSET_EMPTY_BYTES) {
        uint32_t width = 2u << data[0] % 3;
        store_u32_le(block, width);
        store_u32_le(block + COUNT_OFFSET, (uint32_t)(size - CW_INTSET_EMPTY_BYTES) / width);
        try_intset(bytes);
    }
    mem_free(block);
    return 0;
}
