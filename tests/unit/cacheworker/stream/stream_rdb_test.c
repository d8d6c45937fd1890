/* Streams as RDB carries them: what redis-server 7.0 dumps is read, and written the same; the older and the newer form
 * are read; what is cut off waits, and what makes no sense is refused. */
#include "cacheworker/stream/stream_rdb.h"

#include "cacheworker/engine/objects.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/stream/stream_group.h"
#include "common/base/errors.h"
#include "tests/unit/cacheworker/packed/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* XADD s 5-3 a 1 b hello; XADD s 5-4 a -70000 b ""; XADD s 6-1 c d; XADD s 5000000000-0 a 12 b 5000000000; XDEL s 5-4;
 * XGROUP CREATE s g 5-3; XREADGROUP GROUP g c1 COUNT 1 STREAMS s >; then DUMP s without compression. */
#define NODES                                                                                                          \
    "01 10 0000000000000005 0000000000000003 4063 63000000 1f00 0301 0101 0201 816102 816202 0001 "                    \
    "0201 0001 0001 0101 8568656c6c6f06 0501 0301 0001 0101 f290eefe04 8001 0501 0001 0101 dffe02 0101 816302 816402 " \
    "0601 0201 f4fbf1052a0100000009 dffd02 0c01 f400f2052a0100000009 0501 ff "                                         \
    "03 81000000012a05f200 00"
#define MORE_NUMBERS "05 03 05 04 04"
#define ENTRIES_READ "81ffffffffffffffff"
#define DELIVERY     "0000000000000006 0000000000000001 911f15fda1010000 01"
#define PENDING      "01" DELIVERY
#define SEEN         "911f15fda1010000"
#define OWNED        "01 0000000000000006 0000000000000001"

static const char type_15[] = NODES "01 0167 0601" PENDING "01 026331" SEEN OWNED;
static const char type_19[] = NODES MORE_NUMBERS "01 0167 0601" ENTRIES_READ PENDING "01 026331" SEEN OWNED;
static const char type_21[] =
    NODES MORE_NUMBERS "01 0167 0601" ENTRIES_READ PENDING "01 026331" SEEN "9a1f15fda1010000" OWNED;

enum { ACTIVE_21 = 0x9a - 0x91 };
#define SEEN_MS 0x01a1fd151f91

struct fixture {
    struct cw_keyspace *keyspace;
    struct cw_ref ref;
    struct cw_rdb_value value;
};

static void open_fixture(struct fixture *fixture, unsigned type)
{
    struct cw_keyspace_config config = {
        .databases = 1, .seed = 1, .expiry_mode = CW_EXPIRY_IGNORED, .objects = &cw_objects};
    *fixture = (struct fixture){.keyspace = cw_keyspace_create(&config)};
    struct slice key = SLICE_LITERAL("s");
    cw_keyspace_open(fixture->keyspace, 0, key, cw_keyspace_hash(fixture->keyspace, key), 0, &fixture->ref);
    fixture->value = (struct cw_rdb_value){.keyspace = fixture->keyspace, .ref = &fixture->ref, .type = type};
}

static void close_fixture(struct fixture *fixture)
{
    cw_rdb_value_free(&fixture->value);
    cw_keyspace_destroy(fixture->keyspace);
}

static int read_whole(struct fixture *fixture, struct slice bytes)
{
    struct cw_rdb_cursor cursor = {.bytes = bytes};
    int result = cw_rdb_value_read(&fixture->value, &cursor);
    return result > 0 && cursor.position != bytes.length ? ERR_CORRUPT : result;
}

static int read_text(const char *text, unsigned type)
{
    struct fixture fixture;
    struct buf bytes = {0};
    hex_add(&bytes, text);
    open_fixture(&fixture, type);
    int result = read_whole(&fixture, buf_slice(&bytes));
    close_fixture(&fixture);
    buf_free(&bytes);
    return result;
}

static void assert_stream(const struct cw_stream *stream, int64_t entries_read, int64_t active_ms, bool has_deleted_id)
{
    assert_int_equal(stream->length, 3);
    assert_int_equal(stream->last_id.ms, 5000000000);
    assert_int_equal(stream->first_id.ms, 5);
    assert_int_equal(stream->first_id.seq, 3);
    assert_int_equal(stream->max_deleted_id.seq, has_deleted_id ? 4 : 0);
    assert_int_equal(stream->entries_added, has_deleted_id ? 4 : 3);
    const struct cw_stream_group *group = cw_stream_group_find(stream, SLICE_LITERAL("g"));
    assert_int_equal(group->last_id.ms, 6);
    assert_int_equal(group->entries_read, entries_read);
    const struct cw_stream_consumer *consumer = cw_stream_consumer_find(group, SLICE_LITERAL("c1"));
    assert_int_equal(consumer->seen_ms, SEEN_MS);
    assert_int_equal(consumer->active_ms, active_ms);
    const struct cw_stream_pending *pending = cw_stream_pending_find(group, (struct cw_stream_id){6, 1});
    assert_ptr_equal(pending->consumer, consumer);
    assert_int_equal(pending->delivery_ms, SEEN_MS);
    assert_int_equal(pending->deliveries, 1);
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned type;
        int64_t active_ms;
        bool has_deleted_id;
    } cases[] = {
        {type_15, RDB_TYPE_STREAM_LISTPACKS, SEEN_MS, false},
        {type_19, RDB_TYPE_STREAM_LISTPACKS_2, SEEN_MS, true},
        {type_21, RDB_TYPE_STREAM_LISTPACKS_3, SEEN_MS + ACTIVE_21, true},
    };
    struct buf expected = {0};
    hex_add(&expected, type_19);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct fixture fixture;
        struct buf bytes = {0};
        struct buf written = {0};
        hex_add(&bytes, cases[i].text);
        open_fixture(&fixture, cases[i].type);
        assert_int_equal(read_whole(&fixture, buf_slice(&bytes)), 1);
        assert_stream(cw_entry_object(fixture.ref.entry), CW_STREAM_READ_UNKNOWN, cases[i].active_ms,
                      cases[i].has_deleted_id);
        assert_int_equal(cw_rdb_value_type(fixture.ref.entry), RDB_TYPE_STREAM_LISTPACKS_2);
        cw_rdb_add_value(&written, fixture.ref.entry);
        if (cases[i].has_deleted_id)
            assert_true(slice_equal(buf_slice(&written), buf_slice(&expected)));
        buf_free(&bytes);
        buf_free(&written);
        close_fixture(&fixture);
    }
    buf_free(&expected);
}

/* Byte after byte: parts that are complete are taken, the rest is waited for. */
static void test_pieces(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buf bytes = {0};
    struct buf written = {0};
    hex_add(&bytes, type_19);
    open_fixture(&fixture, RDB_TYPE_STREAM_LISTPACKS_2);
    size_t taken = 0;
    for (size_t length = 0; length <= buf_length(&bytes); length++) {
        struct slice rest = exact_copy(slice_of(buf_slice(&bytes).data + taken, length - taken));
        struct cw_rdb_cursor cursor = {.bytes = rest};
        int result = cw_rdb_value_read(&fixture.value, &cursor);
        free_copy(rest);
        assert_int_equal(result, length == buf_length(&bytes));
        assert_true(result > 0 || cursor.needed > rest.length);
        taken += cursor.position;
    }
    assert_int_equal(taken, buf_length(&bytes));
    cw_rdb_add_value(&written, fixture.ref.entry);
    assert_true(slice_equal(buf_slice(&written), buf_slice(&bytes)));
    buf_free(&bytes);
    buf_free(&written);
    close_fixture(&fixture);
}

static void test_an_empty_stream(void **state)
{
    (void)state;
    assert_int_equal(read_text("00 00 0000 0000 0000 00 00", RDB_TYPE_STREAM_LISTPACKS_2), 1);
    assert_int_equal(read_text("00 00 0504 0000 0503 07 00", RDB_TYPE_STREAM_LISTPACKS_2), 1);
}

static void test_what_makes_no_sense(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "00 01 0000 0000 0000 00 00", /* a length without entries */
        "01 0f 00000000000005 0000000000000003 07 07000000 0000 ff 00 0000 0000 0000 00 00",   /* an id of 15 bytes */
        "01 10 0000000000000005 0000000000000003 07 07000000 0000 ff 00 0000 0000 0000 00 00", /* no node */
        "00 00 0000 0000 0000 00 02 0167 0000 00 00 00 0167 0000 00 00 00",                    /* a group twice */
        "00 00 0000 0000 0000 00 01 0167 0000 00 00 02 0163" SEEN "00 0163" SEEN "00",         /* a consumer twice */
        "00 00 0000 0000 0000 00 01 0167 0000 00" PENDING "00",                                /* pending for nobody */
        "00 00 0000 0000 0000 00 01 0167 0000 00 00 01 0163" SEEN OWNED, /* a consumer's, not the group's */
        "00 00 0000 0000 0000 00 01 0167 0000 00" PENDING "02 0163" SEEN OWNED "0164" SEEN OWNED, /* of two consumers */
        "00 00 0000 0000 0000 00 01 0167 0000 00 02" DELIVERY DELIVERY,                           /* pending twice */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_int_equal(read_text(texts[i], RDB_TYPE_STREAM_LISTPACKS_2), ERR_CORRUPT);
}

/* Whatever bit is wrong: it is refused, or what was read can be written and copied. */
static void test_broken_bits(void **state)
{
    (void)state;
    struct buf bytes = {0};
    hex_add(&bytes, type_21);
    for (size_t bit = 0; bit < 8 * buf_length(&bytes); bit++) {
        struct fixture fixture;
        struct slice broken = exact_copy(buf_slice(&bytes));
        flip_bit((char *)(uintptr_t)broken.data, bit);
        open_fixture(&fixture, RDB_TYPE_STREAM_LISTPACKS_3);
        if (read_whole(&fixture, broken) > 0) {
            struct buf written = {0};
            cw_rdb_add_value(&written, fixture.ref.entry);
            assert_in_range(buf_length(&written), 1, 2 * buf_length(&bytes));
            buf_free(&written);
        }
        free_copy(broken);
        close_fixture(&fixture);
    }
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),           cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_an_empty_stream), cmocka_unit_test(test_what_makes_no_sense),
        cmocka_unit_test(test_broken_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
