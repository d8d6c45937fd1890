#include "cacheworker/string/condition.h"

#include "cacheworker/string/xxh3.h"

#include <strings.h>

bool cw_condition_is_sound(const struct cw_condition *condition)
{
    return !condition->is_digest || condition->operand.length == CW_DIGEST_LENGTH;
}

static bool is_digest_of(struct slice digest, struct slice value)
{
    char text[CW_DIGEST_LENGTH];
    cw_digest_format(text, value);
    return digest.length == CW_DIGEST_LENGTH && strncasecmp(digest.data, text, CW_DIGEST_LENGTH) == 0;
}

bool cw_condition_holds(const struct cw_condition *condition, struct slice value)
{
    bool is_same =
        condition->is_digest ? is_digest_of(condition->operand, value) : slice_equal(condition->operand, value);
    return is_same != condition->is_negated;
}

void cw_digest_format(char *text, struct slice value)
{
    uint64_t digest = cw_xxh3(value);
    for (unsigned i = 0; i < CW_DIGEST_LENGTH; i++)
        text[i] = "0123456789abcdef"[digest >> (60 - 4 * i) & 15];
}
