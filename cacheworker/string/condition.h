/* condition.h: "only if its value is so": IFEQ, IFNE, IFDEQ and IFDNE of SET and DELEX (Redis 8.4;
 * valkey.io/commands/set has the first of them), and DELIFEQ (Valkey 9). */
#ifndef CACHEWORKER_STRING_CONDITION_H
#define CACHEWORKER_STRING_CONDITION_H

#include "common/base/slice.h"

#include <stdbool.h>

enum { CW_DIGEST_LENGTH = 16 };

struct cw_condition {
    bool is_negated;
    bool is_digest;       /* of the value, not the value itself */
    struct slice operand; /* borrowed */
};

/* Whether the operand can be meant: a digest has CW_DIGEST_LENGTH bytes, whatever they are. */
bool cw_condition_is_sound(const struct cw_condition *condition);
bool cw_condition_holds(const struct cw_condition *condition, struct slice value);

/* What DIGEST answers: CW_DIGEST_LENGTH hexadecimal digits, without a NUL. */
void cw_digest_format(char *text, struct slice value);

#endif
