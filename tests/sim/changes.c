#include "tests/sim/changes.h"

#include "common/resp/resp_writer.h"

#include <stdio.h>

enum { WORDS_MAX = 16, KEYS = 3, NUMBERS = 200 };

/* Words in the form of printf; each "%u" is a number of its own. Keys end in a digit that is drawn. */
static const char *const templates[] = {
    "APPEND b:%u %u",
    "SETRANGE b:%u 7 %u",
    "HSET h:%u f%u %u",
    "HSET h:%u f%u a-value-that-is-longer-than-a-listpack-takes-for-one-of-its-own-and-more-%u",
    "HDEL h:%u f%u",
    "HDEL h:%u f%u f1 f2 f3 f4 f5 f6 f7 f8 f9",
    "HINCRBY n:%u f%u %u",
    "HINCRBYFLOAT n:%u g%u 0.%u",
    "ZADD z:%u %u m%u",
    "ZINCRBY z:%u 1.%u m%u",
    "ZREM z:%u m%u",
    "ZPOPMIN z:%u",
    "ZPOPMAX z:%u",
    "ZREMRANGEBYRANK z:%u 0 1",
    "ZREMRANGEBYSCORE z:%u %u 150",
    "SADD s:%u m%u %u",
    "SADD i:%u %u %u",
    "SREM s:%u m%u m1 m2 m3",
    "SPOP s:%u",
    "SPOP s:%u %u",
    "SPOP i:%u 2",
    "SMOVE i:%u s:0 %u",
    "SUNIONSTORE s:%u s:0 i:0",
    "SINTERSTORE copy:i i:%u i:1",
    "SDIFFSTORE s:%u s:1 i:1",
    "SORT s:%u ALPHA STORE sorted:s",
    "SORT i:%u BY h:*->f1 ALPHA GET # GET h:*->f2 STORE sorted:i",
    "ZUNIONSTORE z:%u 2 z:0 z:1 WEIGHTS 1 %u AGGREGATE MAX",
    "ZUNIONSTORE combined:z:%u 3 z:0 z:1 z:2",
    "ZINTERSTORE combined:z:%u 2 z:0 z:1 AGGREGATE MIN",
    "ZDIFFSTORE combined:z:%u 2 z:0 z:2",
    "ZRANGESTORE ranged:z:%u z:0 5 %u",
    "GEOADD g:%u 13.%u 38.%u m%u",
    "GEOSEARCHSTORE g:%u g:0 FROMLONLAT 13.5 38.5 BYRADIUS %u km",
    "GEORADIUS g:0 13.5 38.5 100 km STOREDIST near:g:%u COUNT 5",
    "XADD x:%u * f %u",
    "XADD x:%u MAXLEN ~ 150 * f %u other a-value-of-its-own",
    "XADD x:%u * g %u",
    "XTRIM x:%u MAXLEN %u",
    "XGROUP CREATE x:%u g 0 MKSTREAM",
    "XGROUP CREATE x:%u h $ MKSTREAM",
    "XREADGROUP GROUP g c%u COUNT 3 STREAMS x:0 >",
    "XREADGROUP GROUP g c%u COUNT 3 NOACK STREAMS x:1 >",
    "XREADGROUP GROUP h c%u STREAMS x:0 x:1 > >",
    "XREADGROUP GROUP g c%u COUNT 2 STREAMS x:0 0",
    "XAUTOCLAIM x:%u g c%u 0 - COUNT 2",
    "COPY h:%u copy:h REPLACE",
    "COPY s:%u copy:s REPLACE",
    "COPY x:%u copy:x REPLACE",
    "COPY z:%u copy:z REPLACE",
};

static size_t split(char *text, struct slice words[WORDS_MAX])
{
    size_t count = 0;
    for (char *at = text; *at != '\0' && count < WORDS_MAX;) {
        size_t length = strcspn(at, " ");
        words[count++] = slice_of(at, length);
        at += length;
        at += *at == ' ';
    }
    return count;
}

/* Fills in the numbers: the first is the key's, which are few, so that they meet. */
static void fill(struct rand *rand, const char *template, char *out, size_t size)
{
    uint64_t most = KEYS;
    size_t length = 0;
    while (*template != '\0' && length + 24 < size) {
        if (template[0] == '%' && template[1] == 'u') {
            length += (size_t)snprintf(out + length, size - length, "%u", (unsigned)rand_below(rand, most));
            most = NUMBERS;
            template += 2;
        } else {
            out[length++] = *template ++;
        }
    }
    out[length] = '\0';
}

void changes_draw(struct rand *rand, struct buf *out)
{
    char text[256];
    struct slice words[WORDS_MAX];
    fill(rand, templates[rand_below(rand, ARRAY_LENGTH(templates))], text, sizeof(text));
    size_t count = split(text, words);
    resp_write_array(out, count);
    for (size_t i = 0; i < count; i++)
        resp_write_bulk(out, words[i]);
}
