/* notify_classes.h: which keyspace notifications are wanted (redis.io/docs/manual/keyspace-notifications): the classes
 * of events, and the letters of notify-keyspace-events. */
#ifndef CACHEWORKER_PUBSUB_NOTIFY_CLASSES_H
#define CACHEWORKER_PUBSUB_NOTIFY_CLASSES_H

#include "common/base/buf.h"

#include <stdint.h>

enum cw_notify_class {
    CW_NOTIFY_KEYSPACE = 1 << 0, /* K: events of a key, in the channel of the key */
    CW_NOTIFY_KEYEVENT = 1 << 1, /* E: keys of an event, in the channel of the event */
    CW_NOTIFY_GENERIC = 1 << 2,  /* g */
    CW_NOTIFY_STRING = 1 << 3,   /* $ */
    CW_NOTIFY_LIST = 1 << 4,     /* l */
    CW_NOTIFY_SET = 1 << 5,      /* s */
    CW_NOTIFY_HASH = 1 << 6,     /* h */
    CW_NOTIFY_ZSET = 1 << 7,     /* z */
    CW_NOTIFY_EXPIRED = 1 << 8,  /* x */
    CW_NOTIFY_EVICTED = 1 << 9,  /* e */
    CW_NOTIFY_STREAM = 1 << 10,  /* t */
    CW_NOTIFY_MODULE = 1 << 11,  /* d; we have no modules */
    CW_NOTIFY_MISS = 1 << 12,    /* m; not in A */
    CW_NOTIFY_NEW = 1 << 13,     /* n; not in A */
    CW_NOTIFY_ALL = 0x3ff << 2,  /* A */
};

/* The classes that the letters name, in any order; ERR_INVALID for any other letter. */
MUST_CHECK int cw_notify_classes_parse(struct slice letters, uint32_t *ret_classes);

/* The letters as CONFIG GET shows them. */
void cw_notify_classes_format(uint32_t classes, struct buf *out);

#endif
