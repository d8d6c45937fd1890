/* redis_conf.h: the form of redis.conf (redis.io/docs/management/config-file): a directive and its arguments per line,
 * quoted as in redis-cli; lines that begin with # are comments. */
#ifndef COMMON_CONF_REDIS_CONF_H
#define COMMON_CONF_REDIS_CONF_H

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/resp/resp_reader.h"

struct redis_conf { /* a reader; zeroed but for `rest` */
    struct slice rest;
    size_t number;              /* of the line that was read last, from 1 */
    struct slice line;          /* it, as it stands, without blanks around it */
    struct resp_request parser; /* its words are parser.argv and parser.argc, until the next call */
    struct buf copy;
};

/* Goes to the next line that is neither empty nor a comment. 1; 0: the end; ERR_INVALID: the quotes of the line are not
 * balanced, or it is too long (reading can go on behind it). */
MUST_CHECK int redis_conf_next(struct redis_conf *reader);

void redis_conf_free(struct redis_conf *reader);

/* The bytes in double quotes, with \" \\ \n \r \t \a \b and \xHH where they are needed: reads back as the same. */
void redis_conf_add_quoted(struct buf *out, struct slice bytes);

#endif
