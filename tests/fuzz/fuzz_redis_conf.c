/* A redis.conf: its words, written out in quotes, are read as the same words, and no line is read twice. */
#include "common/base/check.h"
#include "common/conf/redis_conf.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_words(const struct resp_request *words)
{
    struct buf text = {0};
    for (size_t i = 0; i < words->argc; i++) {
        redis_conf_add_quoted(&text, words->argv[i]);
        buf_add_text(&text, " ");
    }
    if (buf_length(&text) >= 64 << 10)
        goto done; /* quotes made it longer than a line may be */
    struct redis_conf again = {.rest = buf_slice(&text)};
    CHECK(redis_conf_next(&again) == 1 && again.parser.argc == words->argc);
    for (size_t i = 0; i < words->argc; i++)
        CHECK(slice_equal(again.parser.argv[i], words->argv[i]));
    CHECK(redis_conf_next(&again) == 0);
    redis_conf_free(&again);
done:
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_conf reader = {.rest = slice_of((const char *)data, size)};
    size_t number = 0;
    for (int more = redis_conf_next(&reader); more != 0; more = redis_conf_next(&reader)) {
        CHECK(reader.number > number);
        number = reader.number;
        if (more > 0)
            check_words(&reader.parser);
    }
    CHECK(reader.rest.length == 0);
    redis_conf_free(&reader);
    return 0;
}
