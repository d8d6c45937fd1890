#include "cacheworker/zset/score.h"

#include "common/base/errors.h"
#include "common/base/number.h"

#include <math.h>
#include <stdlib.h>

int cw_score_parse(struct slice text, double *ret_score)
{
    int64_t integer; /* the frequent case, and much faster; both ways round to the nearest */
    if (number_parse_i64(text, &integer) == 0) {
        *ret_score = (double)integer;
        return 0;
    }
    return number_parse_double(text, ret_score);
}

int cw_score_limit_parse(struct slice text, struct cw_score_limit *ret_limit)
{
    bool exclusive = text.length > 0 && text.data[0] == '(';
    if (exclusive)
        text = slice_skip(text, 1);
    char copy[NUMBER_DOUBLE_TEXT_MAX];
    if (text.length >= sizeof(copy))
        return ERR_INVALID;
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    char *end;
    double score = strtod(copy, &end);
    if (*end != '\0' || isnan(score))
        return ERR_INVALID;
    *ret_limit = (struct cw_score_limit){.score = score, .exclusive = exclusive};
    return 0;
}

int cw_lex_limit_parse(struct slice text, struct cw_lex_limit *ret_limit)
{
    if (text.length == 0)
        return ERR_INVALID;
    struct slice rest = slice_skip(text, 1);
    bool ends = rest.length == 0 || rest.data[0] == '\0'; /* the reference looks no further than to a NUL */
    switch (text.data[0]) {
    case '-':
    case '+':
        if (!ends)
            return ERR_INVALID;
        *ret_limit = (struct cw_lex_limit){.kind = text.data[0] == '-' ? CW_LEX_BEFORE_ALL : CW_LEX_AFTER_ALL};
        return 0;
    case '[':
    case '(':
        *ret_limit = (struct cw_lex_limit){.kind = CW_LEX_MEMBER, .member = rest, .exclusive = text.data[0] == '('};
        return 0;
    default: return ERR_INVALID;
    }
}

bool cw_lex_limit_begins(const struct cw_lex_limit *limit, struct slice member)
{
    if (limit->kind != CW_LEX_MEMBER)
        return limit->kind == CW_LEX_BEFORE_ALL;
    int difference = cw_member_compare(member, limit->member);
    return difference > 0 || (difference == 0 && !limit->exclusive);
}

bool cw_lex_limit_ends(const struct cw_lex_limit *limit, struct slice member)
{
    if (limit->kind != CW_LEX_MEMBER)
        return limit->kind == CW_LEX_AFTER_ALL;
    int difference = cw_member_compare(member, limit->member);
    return difference < 0 || (difference == 0 && !limit->exclusive);
}
