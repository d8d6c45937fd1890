#include "cacheworker/pubsub/notify_classes.h"

#include "common/base/errors.h"

/* In the order in which they are shown. */
static const struct {
    char letter;
    uint32_t classes;
} letters[] = {
    {'A', CW_NOTIFY_ALL},      {'g', CW_NOTIFY_GENERIC},  {'$', CW_NOTIFY_STRING}, {'l', CW_NOTIFY_LIST},
    {'s', CW_NOTIFY_SET},      {'h', CW_NOTIFY_HASH},     {'z', CW_NOTIFY_ZSET},   {'x', CW_NOTIFY_EXPIRED},
    {'e', CW_NOTIFY_EVICTED},  {'t', CW_NOTIFY_STREAM},   {'d', CW_NOTIFY_MODULE}, {'n', CW_NOTIFY_NEW},
    {'K', CW_NOTIFY_KEYSPACE}, {'E', CW_NOTIFY_KEYEVENT}, {'m', CW_NOTIFY_MISS},
};

static uint32_t classes_of(char letter)
{
    for (size_t i = 0; i < ARRAY_LENGTH(letters); i++) {
        if (letters[i].letter == letter)
            return letters[i].classes;
    }
    return 0;
}

int cw_notify_classes_parse(struct slice text, uint32_t *ret_classes)
{
    uint32_t classes = 0;
    for (size_t i = 0; i < text.length; i++) {
        uint32_t more = classes_of(text.data[i]);
        if (more == 0)
            return ERR_INVALID;
        classes |= more;
    }
    *ret_classes = classes;
    return 0;
}

/* Beside A the reference does not show n, though it is set. */
void cw_notify_classes_format(uint32_t classes, struct buf *out)
{
    bool shows_all = (classes & CW_NOTIFY_ALL) == CW_NOTIFY_ALL;
    for (size_t i = 0; i < ARRAY_LENGTH(letters); i++) {
        bool is_in_all = i > 0 && (letters[i].classes & (CW_NOTIFY_ALL | CW_NOTIFY_NEW));
        if ((classes & letters[i].classes) == letters[i].classes && !(shows_all && is_in_all))
            buf_add(out, &letters[i].letter, 1);
    }
}
