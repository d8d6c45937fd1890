/* score.h: the scores of sorted sets and the limits of their ranges, read from clients as Redis 7.2 reads them.
 *
 * Scores are written by resp_write_double and number_format_double: their text is that of Redis 7.2. A score is never
 * NaN; -0.0 equals 0.0, and keeps its sign. */
#ifndef CACHEWORKER_ZSET_SCORE_H
#define CACHEWORKER_ZSET_SCORE_H

#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdbool.h>

/* The whole text as number_parse_double reads it: "1.5", "-inf", "0x1p-3". ERR_INVALID. */
MUST_CHECK int cw_score_parse(struct slice text, double *ret_score);

/* "1.5", "(1.5", "-inf": an end of a range of scores. The reference is less strict here than with scores, and so are
 * we: spaces in front and overflow are fine, no text at all is zero, and the text ends at its first NUL. ERR_INVALID.
 */
struct cw_score_limit {
    double score;
    bool exclusive;
};

MUST_CHECK int cw_score_limit_parse(struct slice text, struct cw_score_limit *ret_limit);

/* Whether a range that begins, or ends, with this limit has the score. */
static inline bool cw_score_limit_begins(const struct cw_score_limit *limit, double score)
{
    return limit->exclusive ? score > limit->score : score >= limit->score;
}

static inline bool cw_score_limit_ends(const struct cw_score_limit *limit, double score)
{
    return limit->exclusive ? score < limit->score : score <= limit->score;
}

/* "[member", "(member", "-", "+": an end of a range of members. ERR_INVALID. */
enum cw_lex_kind {
    CW_LEX_BEFORE_ALL, /* "-" */
    CW_LEX_AFTER_ALL,  /* "+" */
    CW_LEX_MEMBER,
};

struct cw_lex_limit {
    enum cw_lex_kind kind;
    struct slice member; /* borrowed from the text that was parsed */
    bool exclusive;
};

MUST_CHECK int cw_lex_limit_parse(struct slice text, struct cw_lex_limit *ret_limit);

bool cw_lex_limit_begins(const struct cw_lex_limit *limit, struct slice member);
bool cw_lex_limit_ends(const struct cw_lex_limit *limit, struct slice member);

/* The order of members of equal scores: by bytes, a prefix first. Below, equal to or above 0. */
static inline int cw_member_compare(struct slice a, struct slice b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int difference = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return difference ? difference : (a.length > b.length) - (a.length < b.length);
}

#endif
