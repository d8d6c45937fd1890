#include "tests/sim/scripts.h"

#include "common/base/sha1.h"
#include "common/resp/resp_writer.h"

#include <stdio.h>

enum { KEYS = 3, LONG_LOOP = 300000 }; /* iterations: about three pulses of the interpreter */

#define LIBRARY                                                                                                        \
    "#!lua name=changes\n"                                                                                             \
    "redis.register_function('shuffle', function(keys, arguments)\n"                                                   \
    "  local member = redis.call('SPOP', keys[1]) or 'none'\n"                                                         \
    "  redis.call('SADD', keys[2], member, math.random(1000), redis.call('TIME')[2])\n"                                \
    "  return redis.call('SCARD', keys[2])\n"                                                                          \
    "end)\n"                                                                                                           \
    "redis.register_function('fail', function(keys, arguments)\n"                                                      \
    "  redis.call('RPUSH', keys[1], arguments[1])\n"                                                                   \
    "  return tostring(pcall(redis.call, 'SADD', keys[1], arguments[1]))\n"                                            \
    "end)\n"

#define BY_CHANCE                                                                                                      \
    "redis.call('HSET', KEYS[1], math.random(50), math.random()) "                                                     \
    "return redis.call('HINCRBY', KEYS[1], 'f', #redis.call('HGETALL', KEYS[1]))"

static void write_words(struct buf *out, const char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    resp_write_array(out, count);
    for (size_t i = 0; i < count; i++)
        resp_write_bulk_text(out, words[i]);
}

void scripts_command(struct buf *out, const char *name, const char *key, const char *value)
{
    const char *script =
        value != NULL ? "return redis.call(ARGV[1], KEYS[1], ARGV[2])" : "return redis.call(ARGV[1], KEYS[1])";
    write_words(out, (const char *[]){"EVAL", script, "1", key, name, value, NULL});
}

void scripts_pair(struct rand *rand, struct buf *out, const char *one, const char *other, const char *value)
{
    char iterations[16];
    snprintf(iterations, sizeof(iterations), "%d", rand_chance(rand, 100000) ? LONG_LOOP : 0);
    write_words(out, (const char *[]){"EVAL",
                                      "local first = redis.call('SET', KEYS[1], ARGV[1]) "
                                      "for i = 1, ARGV[2] do end "
                                      "return {first, redis.call('SET', KEYS[2], ARGV[1])}",
                                      "2", one, other, value, iterations, NULL});
}

void scripts_draw(struct rand *rand, struct buf *out)
{
    char key[16], other[16], digest[SHA1_HEX + 1] = "";
    snprintf(key, sizeof(key), "sh:%u", (unsigned)rand_below(rand, KEYS));
    snprintf(other, sizeof(other), "ss:%u", (unsigned)rand_below(rand, KEYS));
    sha1_hex(slice_text(BY_CHANCE), digest);
    const char *const choices[][8] = {
        {"FUNCTION", "LOAD", "REPLACE", LIBRARY, NULL},
        {"SCRIPT", "LOAD", BY_CHANCE, NULL},
        {"EVAL", BY_CHANCE, "1", key, NULL},
        {"EVALSHA", digest, "1", key, NULL},
        {"FCALL", "shuffle", "2", "ss:0", other, NULL},
        {"FCALL", "fail", "1", "sl:0", key, NULL},
    };
    write_words(out, choices[rand_below(rand, ARRAY_LENGTH(choices))]);
}

bool scripts_unknown(struct slice reply)
{
    static const char *const errors[] = {"-NOSCRIPT ", "-ERR Function not found"};
    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++)
        if (reply.length >= strlen(errors[i]) && memcmp(reply.data, errors[i], strlen(errors[i])) == 0)
            return true;
    return false;
}
