/* What commands leave in the replication stream: results and dates, so that every replica comes to the same. */
#include "common/base/number.h"
#include "common/resp/resp_reader.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What DUMP says of "v" in RDB version 10, as a client quotes it, and as it is but for the zeros. */
#define PAYLOAD "\"\\x00\\x01v\\x0a\\x00\\x91\\x08\\xce\\xb2\\x198\\x8a\\xce\""
#define PAYLOAD_BYTES                                                                                                  \
    "0\x01v\n0\x91\x08\xce\xb2\x19"                                                                                    \
    "8\x8a\xce"

/* One after the other, on one set of data. */
static const struct {
    const char *line;
    const char *stream; /* words with a space between, commands with "; "; "" for nothing */
} cases[] = {
    /* Dates are absolute; it is second 1700000001. */
    {"SET s v", "SET s v"},
    {"SET s v EX 100", "SET s v PXAT 1700000101000"},
    {"SETEX s 100 v", "SET s v PXAT 1700000101000"},
    {"GETEX s PX 5000", "PEXPIREAT s 1700000006000"},
    {"GETEX s PERSIST", "PERSIST s"},
    {"EXPIRE s 100", "PEXPIREAT s 1700000101000"},
    {"EXPIRE s 100 NX", ""},
    {"EXPIREAT s 1700000001", "DEL s"},

    /* Results, not what they were computed from. */
    {"INCRBYFLOAT f 1.5", "SET f 1.5 KEEPTTL"},
    {"GETDEL f", "DEL f"},
    {"GETDEL f", ""},
    {"SETNX s v", "SETNX s v"},
    {"SETNX s v", ""},
    {"DEL nosuch", ""},
    {"SADD i 1 2 3", "SADD i 1 2 3"},
    {"SPOP i 3", "DEL i"},

    /* What others should free beside their work. */
    {"CONFIG SET lazyfree-lazy-server-del yes", ""},
    {"SADD i 1 2 3", "SADD i 1 2 3"},
    {"SPOP i 3", "UNLINK i"},
    {"SET d v", "SET d v"},
    {"EXPIREAT d 1", "DEL d"},
    {"CONFIG SET lazyfree-lazy-server-del no lazyfree-lazy-expire yes", ""},
    {"SET d v", "SET d v"},
    {"EXPIREAT d 1", "UNLINK d"},
    {"SET d v", "SET d v"},
    {"GETEX d EXAT 1", "UNLINK d"},
    {"CONFIG SET lazyfree-lazy-expire no", ""},

    {"RESTORE r 100 " PAYLOAD, "RESTORE r 1700000001100 " PAYLOAD_BYTES " REPLACE ABSTTL"},
    {"RESTORE r 0 " PAYLOAD " REPLACE IDLETIME 7", "RESTORE r 0 " PAYLOAD_BYTES " REPLACE ABSTTL IDLETIME 7"},
    {"RESTORE r 1 " PAYLOAD " REPLACE ABSTTL", "DEL r"},
    {"RESTORE r 1 " PAYLOAD " ABSTTL", ""},

    {"HSET h f 1", "HSET h f 1"},
    {"HINCRBYFLOAT h f 0.5", "HSET h f 1.5"},
    {"HDEL h nosuch", ""},

    {"RPUSH l a b c d", "RPUSH l a b c d"},
    {"LPUSHX nosuch a", ""},
    {"LMPOP 2 nosuch l LEFT", "LPOP l 1"},
    {"LMPOP 1 l RIGHT COUNT 2", "RPOP l 2"},
    {"LMPOP 1 nosuch LEFT", ""},
    {"LMOVE l m LEFT RIGHT", "LMOVE l m LEFT RIGHT"},
    {"LMOVE m m LEFT RIGHT", "LMOVE m m LEFT RIGHT"},
    {"RPOPLPUSH l m", ""},
    {"LPOP m 0", ""},
    {"LREM m 0 nosuch", ""},
    {"LTRIM m 0 -1", ""},
    {"LSET m 5 x", ""},
    {"LINSERT m AFTER nosuch x", ""},
    {"LINSERT m AFTER b x", "LINSERT m AFTER b x"},
    {"LTRIM m 5 9", "LTRIM m 5 9"},

    {"ZADD z 1 a 2 b 3 c", "ZADD z 1 a 2 b 3 c"},
    {"ZMPOP 2 nosuch z MIN", "ZPOPMIN z 1"},
    {"ZMPOP 1 z MAX COUNT 10", "ZPOPMAX z 2"},
    {"ZMPOP 1 z MAX COUNT 10", ""},
};

static void expect(struct bench *bench, link_id replica, const char *stream, const char *line, struct slice reply)
{
    struct buf words = {0};
    bench_read_stream(bench_take(bench, replica), &words);
    if (!slice_equal(buf_slice(&words), slice_text(stream)))
        fail_msg("%s: %.*s, reply %.*s", line, (int)buf_length(&words), buf_slice(&words).data, (int)reply.length,
                 reply.data);
    buf_free(&words);
}

static void ask(struct bench *bench, link_id client, link_id replica, const char *line, const char *stream)
{
    char request[256];
    snprintf(request, sizeof(request), "%s\r\n", line);
    expect(bench, replica, stream, line, bench_ask(bench, client, request));
}

static void test_stream(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    link_id replica = bench_attach_replica(&bench);
    ask(&bench, client, replica, "SET first write", "SELECT 0; SET first write");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        ask(&bench, client, replica, cases[i].line, cases[i].stream);
    bench_end(&bench);
}

/* The worker deletes keys by itself: those that are over, and those for which memory does not last. */
static void test_deletions_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *word;
    } rows[] = {{"no", "DEL k"}, {"yes", "UNLINK k"}};
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    link_id replica = bench_attach_replica(&bench);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char line[128];
        snprintf(line, sizeof(line), "CONFIG SET lazyfree-lazy-expire %s lazyfree-lazy-eviction %s\r\n",
                 rows[i].settings, rows[i].settings);
        bench_ask(&bench, client, line);
        bench_ask(&bench, client, "SET k v PX 1\r\n");
        bench_take(&bench, replica);
        bench_advance(&bench, 500 * NS_PER_MS);
        expect(&bench, replica, rows[i].word, "expiry", slice_of("", 0));
        bench_ask(&bench, client, "SET k v\r\n");
        bench_take(&bench, replica);
        ask(&bench, client, replica, "CONFIG SET maxmemory 1 maxmemory-policy allkeys-random", rows[i].word);
        ask(&bench, client, replica, "CONFIG SET maxmemory 0", "");
    }
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_deletions_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
