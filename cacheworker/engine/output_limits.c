#include "cacheworker/engine/output_limits.h"

#include "cacheworker/engine/settings.h"
#include "common/base/door.h"
#include "common/base/number.h"

#include <inttypes.h>

static const char *const class_names[CW_OUTPUT_CLASSES] = {"normal", "slave", "pubsub"};

static size_t smaller(size_t a, size_t b)
{
    return b != 0 && (a == 0 || b < a) ? b : a;
}

static void find_least(struct cw_output_limits *limits)
{
    size_t least = CW_OUTPUT_JUDGED_FROM;
    for (size_t i = 0; i < CW_OUTPUT_CLASSES; i++)
        least = smaller(smaller(least, limits->of[i].hard), limits->of[i].soft);
    limits->least = least;
}

void cw_output_limits_create(struct cw_output_limits *limits, size_t most)
{
    *limits = (struct cw_output_limits){.of = {[CW_OUTPUT_NORMAL] = {most, 0, 0},
                                               [CW_OUTPUT_REPLICA] = {smaller(256 << 20, most), 64 << 20, 60},
                                               [CW_OUTPUT_PUBSUB] = {smaller(32 << 20, most), 8 << 20, 60}}};
    find_least(limits);
}

static bool parse_class(struct slice word, size_t *ret_class)
{
    if (slice_equal_nocase(word, "replica"))
        word = SLICE_LITERAL("slave");
    for (size_t i = 0; i < CW_OUTPUT_CLASSES; i++) {
        *ret_class = i;
        if (slice_equal_nocase(word, class_names[i]))
            return true;
    }
    return false;
}

static bool parse_limit(const struct slice *words, struct cw_output_limit *ret_limit)
{
    int64_t hard, soft, soft_s;
    if (cw_settings_parse_memory(words[0], &hard) < 0 || cw_settings_parse_memory(words[1], &soft) < 0 ||
        number_parse_i64(words[2], &soft_s) < 0 || soft_s < 0 || soft_s > INT64_MAX / NS_PER_S)
        return false;
    *ret_limit = (struct cw_output_limit){(size_t)hard, (size_t)soft, soft_s};
    return true;
}

static size_t count_words(struct slice text)
{
    size_t count = 0;
    while (slice_take_word(&text).length > 0)
        count++;
    return count;
}

const char *cw_output_limits_parse(struct cw_output_limits *limits, struct slice text)
{
    if (count_words(text) % 4 != 0)
        return "Wrong number of arguments in buffer limit configuration.";
    struct cw_output_limits wanted = *limits;
    for (struct slice word = slice_take_word(&text); word.length > 0; word = slice_take_word(&text)) {
        size_t index;
        if (!parse_class(word, &index))
            return "Invalid client class specified in buffer limit configuration.";
        struct slice words[3];
        for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
            words[i] = slice_take_word(&text);
        if (!parse_limit(words, &wanted.of[index]))
            return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    find_least(&wanted);
    *limits = wanted;
    return NULL;
}

void cw_output_limits_write(const struct cw_output_limits *limits, struct buf *out)
{
    for (size_t i = 0; i < CW_OUTPUT_CLASSES; i++)
        buf_add_format(out, "%s%s %zu %zu %" PRId64, i > 0 ? " " : "", class_names[i], limits->of[i].hard,
                       limits->of[i].soft, limits->of[i].soft_s);
}

bool cw_output_limit_exceeded(const struct cw_output_limit *limit, size_t length, int64_t now_ns,
                              int64_t *soft_since_ns)
{
    if (limit->hard > 0 && length >= limit->hard)
        return true;
    if (limit->soft == 0 || length < limit->soft) {
        *soft_since_ns = 0;
        return false;
    }
    if (*soft_since_ns == 0)
        *soft_since_ns = now_ns;
    return now_ns - *soft_since_ns > limit->soft_s * NS_PER_S;
}
