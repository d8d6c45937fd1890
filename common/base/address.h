/* address.h: where something listens. A value; compare with address_equal. */
#ifndef COMMON_BASE_ADDRESS_H
#define COMMON_BASE_ADDRESS_H

#include "common/base/slice.h"

#include <stdint.h>

enum { ADDRESS_HOST_MAX = 108 };

struct address {
    char host[ADDRESS_HOST_MAX]; /* NUL-terminated numeric address or name; a path ("/...") means a unix socket */
    uint16_t port;               /* 0 with a path */
};

static inline bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* "host:port" or "/path". ERR_INVALID. */
int address_parse(struct slice text, struct address *ret_address) __attribute__((warn_unused_result));

#endif
