/* Every encoding that a snapshot may have, old and new, written by hand: what is loaded from it; that no part of it is
 * taken for the whole, and that what is loaded from a damaged one can be read. */
#include "cacheworker/engine/objects.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/list/list.h"
#include "cacheworker/rdb/rdb_load.h"
#include "cacheworker/set/set.h"
#include "cacheworker/stream/stream_group.h"
#include "cacheworker/zset/zset.h"
#include "common/base/crc64.h"
#include "tests/unit/cacheworker/packed/bytes.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>

#include <cmocka.h>

enum { DATABASES = 4 };

/* --- what is in a keyspace, as text --- */

static void show_packed(struct buf *out, const struct cw_packed_value *value)
{
    char space[NUMBER_TEXT_MAX];
    struct slice text = cw_packed_value_text(value, space);
    buf_add_text(out, " ");
    buf_add_slice(out, text);
}

static void show_list(struct buf *out, const struct cw_entry *entry)
{
    struct cw_list_walk walk;
    for (bool stands = cw_list_at(entry, 0, &walk); stands; stands = cw_list_next(&walk, CW_LIST_HEAD)) {
        struct cw_packed_value value = cw_list_value(&walk);
        show_packed(out, &value);
    }
}

static void show_set(struct buf *out, const struct cw_entry *entry)
{
    struct cw_set_walk walk = {0};
    while (cw_set_next(entry, &walk))
        show_packed(out, &walk.member);
}

static void show_zset(struct buf *out, const struct cw_entry *entry)
{
    struct cw_zset_place place;
    for (bool is_there = cw_zset_at(entry, 0, &place); is_there; is_there = cw_zset_next(entry, &place)) {
        show_packed(out, &place.member);
        buf_add_format(out, "=%g", place.score);
    }
}

static void show_hash(struct buf *out, const struct cw_entry *entry)
{
    struct cw_hash_walk walk = {.from_ms = CW_HASH_ALL};
    while (cw_hash_next(entry, &walk)) {
        show_packed(out, &walk.field);
        show_packed(out, &walk.value);
        if (walk.expire_ms != CW_NO_EXPIRY)
            buf_add_format(out, "@%" PRId64, walk.expire_ms);
    }
}

static void show_id(struct buf *out, struct cw_stream_id id)
{
    buf_add_format(out, " %" PRIu64 "-%" PRIu64, id.ms, id.seq);
}

static void show_group(struct buf *out, const struct cw_stream_group *group)
{
    buf_add_format(out, " group %.*s", (int)group->named.name.length, group->named.name.data);
    show_id(out, group->last_id);
    buf_add_format(out, " read %" PRId64, group->entries_read);
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        const struct cw_stream_consumer *consumer = cw_stream_consumer_at(group, i);
        buf_add_format(out, " consumer %.*s seen %" PRId64 " active %" PRId64, (int)consumer->named.name.length,
                       consumer->named.name.data, consumer->seen_ms, consumer->active_ms);
    }
    for (struct cw_id_place place = cw_id_map_first(&group->pending); place.leaf; place = cw_id_map_next(place)) {
        const struct cw_stream_pending *pending = cw_id_map_item(place)->value;
        show_id(out, cw_id_map_item(place)->id);
        buf_add_format(out, " %.*s %" PRId64 " %" PRIu64, (int)pending->consumer->named.name.length,
                       pending->consumer->named.name.data, pending->delivery_ms, pending->deliveries);
    }
}

static void show_stream(struct buf *out, const struct cw_entry *entry)
{
    const struct cw_stream *stream = cw_entry_object(entry);
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, false);
    while (cw_stream_cursor_next(&cursor)) {
        show_id(out, cursor.id);
        while (cursor.fields > 0) {
            struct cw_packed_value name;
            struct cw_packed_value value;
            cw_stream_cursor_field(&cursor, &name, &value);
            show_packed(out, &name);
            show_packed(out, &value);
        }
    }
    buf_add_format(out, " added %" PRIu64 " to", stream->entries_added);
    show_id(out, stream->last_id);
    for (uint32_t i = 0; i < stream->groups.count; i++)
        show_group(out, cw_stream_group_at(stream, i));
}

static void show_entry(void *context, unsigned database, const struct cw_entry *entry)
{
    struct buf *out = context;
    struct slice key = cw_entry_key(entry);
    buf_add_format(out, "%u %.*s", database, (int)key.length, key.data);
    if (cw_entry_expire_ms(entry) != CW_NO_EXPIRY)
        buf_add_format(out, "@%" PRId64, cw_entry_expire_ms(entry));
    buf_add_text(out, ":");
    switch (cw_entry_type(entry)) {
    case CW_TYPE_STRING:
        buf_add_text(out, " ");
        buf_add_slice(out, cw_entry_value(entry));
        break;
    case CW_TYPE_LIST: show_list(out, entry); break;
    case CW_TYPE_SET: show_set(out, entry); break;
    case CW_TYPE_ZSET: show_zset(out, entry); break;
    case CW_TYPE_HASH: show_hash(out, entry); break;
    case CW_TYPE_STREAM: show_stream(out, entry); break;
    }
    buf_add_text(out, "\n");
}

/* --- loading --- */

/* The result of the loading in pieces of this length; `out` gets what was loaded, or what is wrong. */
static int load(struct slice bytes, size_t piece, struct buf *out)
{
    const struct cw_keyspace_config config = {
        .databases = DATABASES, .seed = 5, .expiry_mode = CW_EXPIRY_IGNORED, .objects = &cw_objects};
    struct cw_keyspace *keyspace = cw_keyspace_create(&config);
    struct cw_rdb_load load;
    cw_rdb_load_init(&load, keyspace);
    int result = 0;
    for (size_t position = 0; result == 0 && position < bytes.length; position += piece) {
        size_t left = bytes.length - position;
        struct slice exact = exact_copy(slice_of(bytes.data + position, piece < left ? piece : left));
        size_t used;
        result = cw_rdb_read(&load.reader, exact, &used);
        free_copy(exact);
    }
    if (result < 0)
        cw_rdb_reader_tell(&load.reader, result, out);
    for (unsigned i = 0; result > 0 && i < DATABASES; i++)
        cw_keyspace_for_each(keyspace, i, show_entry, out);
    buf_add_slice(out, buf_slice(&load.programs));
    cw_rdb_load_free(&load);
    cw_keyspace_destroy(keyspace);
    return result;
}

/* Header, items, the end, and the checksum. */
static struct buf snapshot(const char *header, const char *items, bool is_summed)
{
    struct buf bytes = {0};
    buf_add_text(&bytes, header);
    hex_add(&bytes, items);
    hex_add(&bytes, "ff");
    uint64_t checksum = is_summed ? crc64(0, buf_slice(&bytes)) : 0;
    for (unsigned i = 0; i < 8; i++) {
        char byte = (char)(checksum >> (8 * i));
        buf_add(&bytes, &byte, 1);
    }
    return bytes;
}

/* --- what is good --- */

#define ZIPLIST      "10000000 0d000000 0200 000161 03f6 ff" /* a, 5 */
#define LISTPACK     "0c000000 0200 816102 0501 ff"          /* a, 5 */
#define TRIPLE       "0e000000 0300 816102 0501 0001 ff"     /* a, 5, 0 */
#define DATED_TRIPLE "0f000000 0300 816102 0501 c3e802 ff"   /* a, 5, 1000 */
#define ID           "0000000000000001 0000000000000001"     /* 1-1 */
#define TIME_7       "0700000000000000"
#define TIME_8       "0800000000000000"
#define STREAM_NODE  "10" ID "1d 1d000000 0a00 0101 0001 0101 816602 0001 0201 0001 0001 817602 0401 ff"
#define PENDING      "01" ID TIME_7 "02" /* one, delivered twice */
#define REJSON       "81 45e25238df912c03"

static const struct fixture {
    const char *header;
    const char *items;
    const char *shown;
} fixtures[] = {
    {"REDIS0006", "", ""},
    {"REDIS0006", "00 016b 0176", "0 k: v\n"},
    {"REDIS0012", "00 016b c0f9", "0 k: -7\n"},
    {"REDIS0012", "00 016b c1e803", "0 k: 1000\n"},
    {"REDIS0012", "00 c27fffffff c2a0860100", "0 -129: 100000\n"},
    {"REDIS0009", "00 016b c3050a 0061e00000", "0 k: aaaaaaaaaa\n"},
    {"REDIS0009", "00 016b 4001 76", "0 k: v\n"},
    {"REDIS0009", "00 016b 8000000001 76", "0 k: v\n"},
    {"REDIS0009", "00 016b 810000000000000001 76", "0 k: v\n"},
    {"REDIS0006", "fd01000000 00 016b 0176", "0 k@1000: v\n"},
    {"REDIS0006", "fe02 fb0101 fc0200000000000000 f805 f907 00 016b 0176", "2 k@2: v\n"},
    {"REDIS0006", "01 016c 02 0161 c005", "0 l: a 5\n"},
    {"REDIS0006", "0a 016c 10" ZIPLIST, "0 l: a 5\n"},
    {"REDIS0007", "0e 016c 02 10" ZIPLIST "10" ZIPLIST, "0 l: a 5 a 5\n"},
    {"REDIS0010", "12 016c 02 01 0162 02 0c" LISTPACK, "0 l: b a 5\n"},
    {"REDIS0006", "02 0173 02 0161 c005", "0 s: a 5\n"},
    {"REDIS0006", "0b 0173 0c 02000000 02000000 0100 0500", "0 s: 1 5\n"},
    {"REDIS0006", "0b 0173 10 04000000 02000000 ffffffff 05000000", "0 s: -1 5\n"},
    {"REDIS0011", "14 0173 0c" LISTPACK, "0 s: a 5\n"},
    {"REDIS0006", "03 017a 03 0161 03312e35 0162 fe 0163 ff", "0 z: c=-inf a=1.5 b=inf\n"},
    {"REDIS0008", "05 017a 01 0161 000000000000f83f", "0 z: a=1.5\n"},
    {"REDIS0006", "0c 017a 10" ZIPLIST, "0 z: a=5\n"},
    {"REDIS0010", "11 017a 0c" LISTPACK, "0 z: a=5\n"},
    {"REDIS0006", "04 0168 01 0161 c005", "0 h: a 5\n"},
    {"REDIS0006", "09 0168 07 01 0161 0100 35 ff", "0 h: a 5\n"},
    {"REDIS0006", "0d 0168 10" ZIPLIST, "0 h: a 5\n"},
    {"REDIS0010", "10 0168 0c" LISTPACK, "0 h: a 5\n"},
    {"REDIS0012", "16 0168 02 00 0161 0131 43e8 0162 0132", "0 h: a 1 b 2@1000\n"},
    {"REDIS0012", "17 0168 0e" TRIPLE, "0 h: a 5\n"},
    {"REDIS0012", "18 0168 e803000000000000 03 00 0161 0131 01 0162 0132 03 0163 0133", "0 h: a 1 b 2@1000 c 3@1002\n"},
    {"REDIS0012", "19 0168 e803000000000000 0f" DATED_TRIPLE, "0 h: a 5@1000\n"},
    {"VALKEY080", "16 0168 02 0161 0131 ffffffffffffffff 0162 0132 e803000000000000", "0 h: a 1 b 2@1000\n"},
    {"VALKEY080", "10 0168 0c" LISTPACK, "0 h: a 5\n"},
    {"REDIS0009", "0f 0178 01" STREAM_NODE "01 0101 01 0167 0101" PENDING "01 0163" TIME_8 "01" ID,
     "0 x: 1-1 f v added 1 to 1-1 group g 1-1 read 1 consumer c seen 8 active 8 1-1 c 7 2\n"},
    {"REDIS0010", "13 0178 01" STREAM_NODE "01 0101 0101 0000 01 01 0167 0101 01" PENDING "01 0163" TIME_8 "01" ID,
     "0 x: 1-1 f v added 1 to 1-1 group g 1-1 read 1 consumer c seen 8 active 8 1-1 c 7 2\n"},
    {"REDIS0011",
     "15 0178 01" STREAM_NODE "01 0101 0101 0000 01 01 0167 0101 01" PENDING "01 0163" TIME_8 TIME_7 "01" ID,
     "0 x: 1-1 f v added 1 to 1-1 group g 1-1 read 1 consumer c seen 8 active 7 1-1 c 7 2\n"},
    {"REDIS0010", "f5 0161",
     "\xf5\x01"
     "a"},
    {"REDIS0012", "fe00 f4050301 00 016b 0176", "0 k: v\n"},
    {"REDIS0012", "f7" REJSON "02 02 0105 0205 0300000000 04" TIME_7 "05 0161 00 00 016b 0176", "0 k: v\n"},
};

static void expect_shown(const struct fixture *fixture, size_t piece)
{
    struct buf bytes = snapshot(fixture->header, fixture->items, true);
    struct buf shown = {0};
    int result = load(buf_slice(&bytes), piece, &shown);
    if (result != 1 || !slice_equal(buf_slice(&shown), slice_text(fixture->shown)))
        fail_msg("%s %s: %d, %.*s", fixture->header, fixture->items, result, (int)buf_length(&shown),
                 buf_slice(&shown).data);
    buf_free(&bytes);
    buf_free(&shown);
}

static void every_encoding_is_read_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++)
        for (size_t piece = 1; piece < 200; piece = piece * 2 + 1)
            expect_shown(&fixtures[i], piece);
}

/* --- what is cut, or has a wrong bit --- */

static void no_part_is_taken_for_the_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        struct buf bytes = snapshot(fixtures[i].header, fixtures[i].items, true);
        for (size_t length = 0; length < buf_length(&bytes); length++) {
            struct buf shown = {0};
            assert_int_equal(load(slice_of(buf_slice(&bytes).data, length), 1000, &shown), 0);
            buf_free(&shown);
        }
        buf_free(&bytes);
    }
}

static bool tells_an_old_version(struct slice bytes)
{
    return memcmp(bytes.data, "REDIS000", 8) == 0 && bytes.data[8] < '0' + CW_RDB_VERSION_SUMMED;
}

static void a_wrong_bit_is_found_by_the_checksum(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        struct buf bytes = snapshot(fixtures[i].header, fixtures[i].items, true);
        for (size_t bit = 0; bit < 8 * buf_length(&bytes); bit++) {
            struct buf shown = {0};
            flip_bit(bytes.memory, bit);
            if (load(buf_slice(&bytes), 1000, &shown) > 0 && !tells_an_old_version(buf_slice(&bytes)))
                fail_msg("%s %s: bit %zu", fixtures[i].header, fixtures[i].items, bit);
            flip_bit(bytes.memory, bit);
            buf_free(&shown);
        }
        buf_free(&bytes);
    }
}

/* Where the writer made no checksum, other data may come of it, but only such as every reader can walk through. */
static void what_is_loaded_from_damage_can_be_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fixtures); i++) {
        struct buf bytes = snapshot(fixtures[i].header, fixtures[i].items, false);
        for (size_t bit = 0; bit < 8 * (buf_length(&bytes) - 8); bit++) {
            struct buf shown = {0};
            flip_bit(bytes.memory, bit);
            (void)!load(buf_slice(&bytes), 1000, &shown);
            flip_bit(bytes.memory, bit);
            buf_free(&shown);
        }
        buf_free(&bytes);
    }
}

static void old_versions_have_no_checksum(void **state)
{
    (void)state;
    for (unsigned version = 1; version < CW_RDB_VERSION_SUMMED; version++) {
        char header[16];
        struct buf shown = {0};
        snprintf(header, sizeof(header), "REDIS%04u", version);
        struct buf bytes = snapshot(header, "fe00 00 0161 0162", false);
        struct slice whole = slice_of(buf_slice(&bytes).data, buf_length(&bytes) - 8);
        assert_int_equal(load(whole, 1, &shown), 1);
        assert_true(slice_equal(buf_slice(&shown), SLICE_LITERAL("0 a: b\n")));
        whole.length--;
        assert_int_equal(load(whole, 1000, &shown), 0);
        buf_free(&bytes);
        buf_free(&shown);
    }
}

/* --- what is refused, and with which words --- */

static const struct fixture refused[] = {
    {"REDIS0000", "", "at byte 0: RDB of this version is not read"},
    {"REDIS0013", "", "at byte 0: RDB of this version is not read"},
    {"VALKEY011", "", "at byte 0: RDB of this version is not read"},
    {"VALKEY081", "", "at byte 0: RDB of this version is not read"},
    {"VALKEX080", "", "at byte 0: this is no RDB file"},
    {"REDIS001x", "", "at byte 0: the version is no number"},
    {"REDIS0010", "00 0161 0162 00 0161 0163", "at byte 14, key \"a\" of database 0 (string): this key came before"},
    {"REDIS0010", "fe01 00 0161 0162 01 0161 01 0163",
     "at byte 16, key \"a\" of database 1 (list): this key came before"},
    {"REDIS0010", "00 0161 c7", "at byte 9, key \"a\" of database 0 (string): no such form of a string"},
    {"REDIS0010", "00 0161 c30509 0061e00000",
     "at byte 9, key \"a\" of database 0 (string): a compressed string is "
     "damaged"},
    {"REDIS0010", "10 0168 05 0500000000",
     "at byte 9, key \"h\" of database 0 (hash as listpack): the listpack is damaged"},
    {"REDIS0010", "10 0168 0a 0a000000 0100 816102 ff",
     "at byte 9, key \"h\" of database 0 (hash as listpack): a field has no value"},
    {"REDIS0010", "10 0168 11 11000000 0400 816102 0501 816102 0501 ff",
     "at byte 9, key \"h\" of database 0 (hash as listpack): a field stands there twice"},
    {"REDIS0010", "04 0168 02 0161 0162 0161 0163",
     "at byte 9, key \"h\" of database 0 (hash): a field stands there twice"},
    {"REDIS0010", "0d 0168 01 00", "at byte 9, key \"h\" of database 0 (hash as ziplist): the ziplist is damaged"},
    {"REDIS0010", "09 0168 02 01ff", "at byte 9, key \"h\" of database 0 (hash as zipmap): the zipmap is damaged"},
    {"VALKEY080", "16 0168 01 0161 0131 feffffffffffffff",
     "at byte 9, key \"h\" of database 0 (hash with dates, of Valkey): no such date"},
    {"VALKEY080", "18 0168", "at byte 9, key \"h\" of database 0 (of a type that is not known): not supported"},
    {"REDIS0012", "1a 0168", "at byte 9, key \"h\" of database 0 (of a type that is not known): not supported"},
    {"REDIS0010", "0b 0173 0c 02000000 02000000 0500 0100",
     "at byte 9, key \"s\" of database 0 (set as intset): the intset is damaged"},
    {"REDIS0010", "02 0173 02 0161 0161", "at byte 9, key \"s\" of database 0 (set): a member stands there twice"},
    {"REDIS0010", "05 017a 01 0161 000000000000f87f",
     "at byte 9, key \"z\" of database 0 (sorted set): a score is no number"},
    {"REDIS0010", "03 017a 01 0161 fd",
     "at byte 9, key \"z\" of database 0 (sorted set, scores as text): a score is no number"},
    {"REDIS0010", "12 016c 01 03 0c" LISTPACK,
     "at byte 9, key \"l\" of database 0 (list of listpacks): a node of the list is damaged"},
    {"REDIS0010", "13 0178 01" STREAM_NODE "02 0101 0101 0000 01 00",
     "at byte 9, key \"x\" of database 0 (stream, version 2): the stream has not as many entries as it says"},
    {"REDIS0010", "fc0100000000000000 fe00", "at byte 18: no key follows its expiry"},
    {"REDIS0010", "fe04", "at byte 9: a database with so high a number is not configured"},
    {"REDIS0010", "f6 0161", "at byte 9: functions of a release candidate of 7.0 are not read"},
    {"REDIS0010", "f0", "at byte 9: no such item is known"},
    {"VALKEY080", "f3 0161 01 00 05", "at byte 9: a cluster was moving slots: its data are incomplete"},
    {"REDIS0010", "07 016a" REJSON "05 0161 00",
     "at byte 9, key \"j\" of database 0 (of a module ReJSON-RL): values of modules are not known here"},
    {"REDIS0010", "f7" REJSON "05 0161 00", "at byte 9: data of a module do not say when they are to be loaded"},
    {"REDIS0010", "f7" REJSON "02 02 06", "at byte 9: no such part of a module's data"},
};

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        struct buf bytes = snapshot(refused[i].header, refused[i].items, true);
        struct buf shown = {0};
        int result = load(buf_slice(&bytes), i % 2 ? 1 : 1000, &shown);
        if (result >= 0 || !slice_equal(buf_slice(&shown), slice_text(refused[i].shown)))
            fail_msg("%s %s: %d, %.*s", refused[i].header, refused[i].items, result, (int)buf_length(&shown),
                     buf_slice(&shown).data);
        buf_free(&bytes);
        buf_free(&shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_encoding_is_read_in_any_pieces),
        cmocka_unit_test(no_part_is_taken_for_the_whole),
        cmocka_unit_test(a_wrong_bit_is_found_by_the_checksum),
        cmocka_unit_test(what_is_loaded_from_damage_can_be_read),
        cmocka_unit_test(old_versions_have_no_checksum),
        cmocka_unit_test(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests_name("encodings", tests, NULL, NULL);
}
