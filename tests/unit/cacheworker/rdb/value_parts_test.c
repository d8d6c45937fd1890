/* Values on their way out: in slices of any size they are the same bytes as in one, and what is shown meanwhile stands
 * behind them. */
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/engine.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_load.h"
#include "cacheworker/rdb/rdb_pack.h"
#include "common/base/rand.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { LONG = 150000, MANY = 700 };

static struct bench bench;
static link_id client;

static void add_word(struct buf *request, struct slice word)
{
    buf_add_format(request, "$%zu\r\n", word.length);
    buf_add_slice(request, word);
    buf_add_text(request, "\r\n");
}

/* Words with spaces between; "LONG" is a long one. */
static void say(const char *text)
{
    static char longest[LONG];
    struct buf request = {0};
    struct buf words = {0};
    size_t count = 0;
    memset(longest, 'x', sizeof(longest));
    for (struct slice rest = slice_text(text); rest.length > 0; count++) {
        size_t length = 0;
        while (length < rest.length && rest.data[length] != ' ')
            length++;
        struct slice word = slice_of(rest.data, length);
        add_word(&words, slice_equal(word, SLICE_LITERAL("LONG")) ? slice_of(longest, LONG) : word);
        rest = slice_skip(rest, length < rest.length ? length + 1 : length);
    }
    buf_add_format(&request, "*%zu\r\n", count);
    buf_add_slice(&request, buf_slice(&words));
    bench_receive(&bench, client, buf_slice(&request));
    bench_turn(&bench);
    struct slice reply = bench_take(&bench, client);
    assert_true(reply.length > 0 && reply.data[0] != '-');
    buf_free(&words);
    buf_free(&request);
}

/* Once with each number in the place of '#'. */
static void say_for_each(unsigned count, const char *pattern)
{
    for (unsigned i = 0; i < count; i++) {
        struct buf text = {0};
        for (const char *at = pattern; *at != '\0'; at++)
            if (*at == '#')
                buf_add_u64(&text, i);
            else
                buf_add(&text, at, 1);
        buf_add(&text, "", 1);
        say(buf_slice(&text).data);
        buf_free(&text);
    }
}

static int fill(void **state)
{
    (void)state;
    bench_start_standalone(&bench);
    client = bench_connect(&bench);
    say("SET string:short abc");
    say("SET string:long LONG");
    say("SET string:number 1234567");
    say("HSET hash:packed a 1 b two");
    say_for_each(MANY, "HSET hash:big field:# value:#");
    say("HSET hash:big LONG 1 long LONG");
    say("HSET hash:long LONG LONG");
    say_for_each(MANY, "HSET hash:dated field:# #");
    say("HPEXPIREAT hash:dated 1800000000000 FIELDS 3 field:1 field:2 field:500");
    say_for_each(MANY, "SADD set:integers #");
    say("SADD set:packed one two");
    say_for_each(MANY, "SADD set:big member:#");
    say("SADD set:big LONG");
    say("ZADD zset:packed 1 one 2 two");
    say_for_each(MANY, "ZADD zset:big #.5 member:#");
    say("ZADD zset:big 3 LONG inf above");
    say("RPUSH list:packed one two 3");
    say_for_each(MANY, "RPUSH list:big element:#:that-takes-some-room-so-that-there-are-many-nodes-of-them");
    say("RPUSH list:big LONG last");
    say("RPUSH list:long LONG");
    say_for_each(MANY, "XADD stream #-1 field value:#");
    say("XADD stream 5000-1 field LONG");
    say("XGROUP CREATE stream empty 0");
    say("XGROUP CREATE stream first 0");
    say("XGROUP CREATE stream second 0");
    say("XGROUP CREATECONSUMER stream first idle");
    say("XREADGROUP GROUP first one COUNT 300 STREAMS stream >");
    say("XREADGROUP GROUP first two COUNT 300 STREAMS stream >");
    say("XREADGROUP GROUP second one COUNT 3 STREAMS stream >");
    say("PEXPIREAT zset:big 1900000000000");
    return 0;
}

static int empty(void **state)
{
    (void)state;
    bench_end(&bench);
    return 0;
}

static struct cw_keyspace *keyspace(void)
{
    return bench.worker->engine.keyspace;
}

static void check_entry(void *context, unsigned database, const struct cw_entry *entry)
{
    struct rand *rand = context;
    for (unsigned most = 1; most < 1 << 20; most *= 8) {
        struct buf whole = {0}, sliced = {0};
        struct cw_rdb_writer in_one = {.out = &whole}, in_slices = {.out = &sliced};
        cw_rdb_write_entry(&in_one, database, entry);
        unsigned budget, slices = 0;
        do {
            budget = 1 + (unsigned)rand_below(rand, most);
            slices++;
        } while (cw_rdb_write_slice(&in_slices, database, entry, &budget));
        assert_true(slice_equal(buf_slice(&whole), buf_slice(&sliced)));
        assert_true(in_one.checksum == in_slices.checksum);
        assert_true(most > 1 || slices > buf_length(&whole) / (200 << 10));
        buf_free(&whole);
        buf_free(&sliced);
    }
}

static void are_the_same_in_slices(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 1);
    cw_keyspace_for_each(keyspace(), 0, check_entry, &rand);
}

/* No slice is much longer than its budget says. */
static void check_slices(void *context, unsigned database, const struct cw_entry *entry)
{
    (void)context;
    struct buf out = {0};
    struct cw_rdb_writer writer = {.out = &out};
    unsigned budget;
    do {
        buf_clear(&out);
        budget = 100;
        if (!cw_rdb_write_slice(&writer, database, entry, &budget))
            break;
        assert_true(buf_length(&out) < (3 * 64 << 10));
    } while (true);
    buf_free(&out);
}

static void slices_are_short(void **state)
{
    (void)state;
    cw_keyspace_for_each(keyspace(), 0, check_slices, NULL);
}

struct mixing {
    struct rand rand;
    struct cw_rdb_writer writer;
    const struct cw_entry *entries[64];
    size_t count;
};

static void gather(void *context, unsigned database, const struct cw_entry *entry)
{
    (void)database;
    struct mixing *mixing = context;
    mixing->entries[mixing->count++] = entry;
}

/* Each entry once: some in slices, and others, whole, in the middle of these. Of different databases. */
static void write_mixed(struct mixing *mixing)
{
    struct cw_rdb_writer *writer = &mixing->writer;
    for (size_t i = 0; i < mixing->count;) {
        const struct cw_entry *entry = mixing->entries[i];
        unsigned database = (unsigned)i++ % 3;
        unsigned budget;
        do {
            budget = 1 + (unsigned)rand_below(&mixing->rand, 3000);
            if (i < mixing->count && writer->open != NULL && rand_below(&mixing->rand, 4) == 0) {
                cw_rdb_write_entry(writer, (unsigned)i % 3, mixing->entries[i]);
                i++;
                assert_true(cw_rdb_bytes_aside(writer) > 0);
            }
        } while (cw_rdb_write_slice(writer, database, entry, &budget));
        assert_int_equal(cw_rdb_bytes_aside(writer), 0);
    }
}

static void compare(const struct mixing *mixing, struct cw_keyspace *read)
{
    for (size_t i = 0; i < mixing->count; i++) {
        struct buf expected = {0}, found = {0};
        struct cw_rdb_writer before = {.out = &expected, .database = 9}, after = {.out = &found, .database = 9};
        struct slice key = cw_entry_key(mixing->entries[i]);
        const struct cw_entry *entry = cw_keyspace_standing(read, (unsigned)i % 3, key, cw_keyspace_hash(read, key));
        assert_non_null(entry);
        cw_rdb_write_entry(&before, (unsigned)i % 3, mixing->entries[i]);
        cw_rdb_write_entry(&after, (unsigned)i % 3, entry);
        assert_int_equal(buf_length(&expected), buf_length(&found)); /* the order of fields is another one */
        buf_free(&expected);
        buf_free(&found);
    }
}

static void others_stand_behind(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 30; seed++) {
        struct buf out = {0};
        struct mixing mixing = {.writer = {.out = &out}};
        rand_seed(&mixing.rand, seed);
        cw_keyspace_for_each(keyspace(), 0, gather, &mixing);
        struct cw_rdb_origin origin = {.stream_database = 0};
        cw_rdb_write_preamble(&mixing.writer, &origin, 0, 0);
        write_mixed(&mixing);
        cw_rdb_write_end(&mixing.writer);

        struct cw_keyspace *read = cw_engine_new_keyspace(&bench.worker->engine);
        cw_keyspace_set_expiry_mode(read, CW_EXPIRY_IGNORED);
        struct cw_rdb_load load;
        size_t used;
        cw_rdb_load_init(&load, read);
        assert_int_equal(cw_rdb_read(&load.reader, buf_slice(&out), &used), 1);
        assert_int_equal(used, buf_length(&out));
        compare(&mixing, read);
        cw_rdb_load_free(&load);
        cw_keyspace_destroy(read);
        buf_free(&out);
    }
}

/* As a picture does it: in pieces, which are packed one after the other. With and without compression. */
static void packed_pieces_are_read(void **state)
{
    (void)state;
    struct cw_rdb_packer *packer = cw_rdb_packer_create();
    size_t lengths[2];
    for (unsigned seed = 0; seed < 20; seed++) {
        struct buf piece = {0}, strings = {0}, file = {0};
        struct mixing mixing = {.writer = {.out = &piece, .strings = &strings}};
        unsigned flags = seed % 2 == 0 ? CW_RDB_PACK_COMPRESS : 0;
        rand_seed(&mixing.rand, seed);
        cw_keyspace_for_each(keyspace(), 0, gather, &mixing);
        struct cw_rdb_origin origin = {.stream_database = 0};
        cw_rdb_write_preamble(&mixing.writer, &origin, 0, 0);
        for (size_t i = 0; i <= mixing.count; i++) {
            unsigned budget = 1000;
            if (i == mixing.count)
                cw_rdb_write_end(&mixing.writer);
            else if (mixing.writer.open == NULL && rand_below(&mixing.rand, 2) == 0)
                cw_rdb_write_entry(&mixing.writer, 0, mixing.entries[i]);
            else if (cw_rdb_write_slice(&mixing.writer, 0, mixing.entries[i], &budget))
                i--;
            cw_rdb_pack_seal(&piece, &strings,
                             flags | (buf_length(&file) == 0 ? CW_RDB_PACK_FIRST : 0) |
                                 (i == mixing.count ? CW_RDB_PACK_LAST : 0));
            cw_rdb_pack(packer, &piece);
            buf_add_slice(&file, buf_slice(&piece));
            buf_clear(&piece);
        }
        assert_int_equal(cw_rdb_packer_bytes(packer), buf_length(&file));
        lengths[seed % 2] = buf_length(&file);
        struct cw_keyspace *read = cw_engine_new_keyspace(&bench.worker->engine);
        cw_keyspace_set_expiry_mode(read, CW_EXPIRY_IGNORED);
        struct cw_rdb_load load;
        size_t used;
        cw_rdb_load_init(&load, read);
        load.reader.require_checksum = true;
        assert_int_equal(cw_rdb_read(&load.reader, buf_slice(&file), &used), 1);
        assert_int_equal(used, buf_length(&file));
        assert_int_equal(cw_keyspace_count(read, 0), mixing.count);
        struct cw_digest before, after;
        assert_true(cw_digest_keyspace(keyspace(), 0, &before) && cw_digest_keyspace(read, 0, &after));
        assert_memory_equal(&before, &after, sizeof(before));
        cw_rdb_load_free(&load);
        cw_keyspace_destroy(read);
        buf_free(&piece);
        buf_free(&strings);
        buf_free(&file);
    }
    assert_true(lengths[0] < lengths[1]);
    cw_rdb_packer_free(packer);
}

/* Behind a date: all of them, or none. */
static void are_left_out_when_they_are_due(void **state)
{
    (void)state;
    enum { DATE_MS = 1000 };
    struct buf out = {0};
    struct mixing mixing = {.writer = {.out = &out}};
    struct cw_rdb_origin origin = {.stream_database = 0};
    uint64_t later = cw_keyspace_count_expires(keyspace(), 0); /* they say so themselves, behind that date */
    cw_keyspace_for_each(keyspace(), 0, gather, &mixing);
    cw_rdb_write_preamble(&mixing.writer, &origin, 0, 0);
    for (size_t i = 0; i < mixing.count; i++) {
        cw_rdb_add_byte(&out, RDB_OPCODE_EXPIRE_MS);
        cw_rdb_add_little_endian(&out, DATE_MS, 8);
        cw_rdb_write_entry(&mixing.writer, 0, mixing.entries[i]);
    }
    cw_rdb_add_byte(&out, RDB_OPCODE_END); /* without a checksum, which would be waited for */
    for (int is_due = 0; is_due < 2; is_due++) {
        struct cw_keyspace *read = cw_engine_new_keyspace(&bench.worker->engine);
        cw_keyspace_set_expiry_mode(read, CW_EXPIRY_IGNORED);
        struct cw_rdb_load load;
        size_t used;
        cw_rdb_load_init(&load, read);
        load.left_out_before_ms = DATE_MS + is_due;
        assert_int_equal(cw_rdb_read(&load.reader, buf_slice(&out), &used), 0);
        assert_int_equal(load.keys_left_out, is_due ? mixing.count - later : 0);
        assert_int_equal(cw_keyspace_count(read, 0), is_due ? later : mixing.count);
        assert_int_equal(cw_keyspace_count_expires(read, 0), is_due ? later : mixing.count);
        cw_rdb_load_free(&load);
        cw_keyspace_destroy(read);
    }
    buf_free(&out);
}

static void what_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    struct buf out = {0};
    struct mixing mixing = {.writer = {.out = &out}};
    cw_keyspace_for_each(keyspace(), 0, gather, &mixing);
    for (size_t i = 0; i < mixing.count; i++)
        for (unsigned budget = 1; budget < 1 << 14; budget *= 4) {
            unsigned left = budget;
            if (cw_rdb_write_slice(&mixing.writer, 0, mixing.entries[i], &left))
                cw_rdb_write_entry(&mixing.writer, 0, mixing.entries[0]);
            cw_rdb_writer_free(&mixing.writer);
            assert_null(mixing.writer.open);
        }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_the_same_in_slices),
        cmocka_unit_test(slices_are_short),
        cmocka_unit_test(others_stand_behind),
        cmocka_unit_test(packed_pieces_are_read),
        cmocka_unit_test(are_left_out_when_they_are_due),
        cmocka_unit_test(what_is_given_up_leaves_nothing),
    };
    return cmocka_run_group_tests_name("value_parts", tests, fill, empty);
}
