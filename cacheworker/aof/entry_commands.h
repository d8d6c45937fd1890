/* entry_commands.h: an entry as the commands that make it anew: what the base of an append-only file is made of where
 * aof-use-rdb-preamble is no, as Redis 7 writes it, so that it loads it, too. Pure.
 *
 *     SET | RPUSH | SADD | ZADD | HMSET, with 64 items at most | XADD, XSETID, XGROUP, XCLAIM     and then PEXPIREAT
 *
 * A command has some 100 KB at most, unless a single item has more: who loads it has all of it in memory.
 *
 * Which fields of a hash expire stands in PINGs, which other servers read over (engine/aside.h). What a group has
 * pending of entries that were deleted is lost, as in Redis: XCLAIM gives nobody what is not there.
 * Source: what redis-server 7.0 writes. */
#ifndef CACHEWORKER_AOF_ENTRY_COMMANDS_H
#define CACHEWORKER_AOF_ENTRY_COMMANDS_H

#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/list/list.h"
#include "cacheworker/set/set.h"
#include "cacheworker/stream/stream.h"
#include "cacheworker/zset/zset.h"

/* A stream on its way out. */
struct cw_stream_commands {
    unsigned phase;
    bool is_made; /* there is a command that creates it */
    struct cw_stream_cursor cursor;
    uint32_t group, consumer;
    struct cw_id_place place; /* of what the consumer has pending */
};

/* An entry on its way out, part by part; all of it is private. The entry must not change, nor be moved, before the
 * end. */
struct cw_entry_commands {
    const struct cw_entry *entry; /* borrowed */
    unsigned phase;
    struct slice rest;           /* of the text that is being appended */
    bool is_in_text;             /* which has not ended yet */
    bool has_next;               /* there is another one behind it */
    struct slice next;           /* that one */
    char space[NUMBER_TEXT_MAX]; /* which may stand here */
    uint64_t left;               /* items to come */
    struct buf items;            /* owned; texts that will be one command */
    unsigned gathered;           /* items in them */
    struct cw_field_expiry expiry;
    union {
        struct cw_list_walk list;
        struct cw_set_walk set;
        struct cw_zset_place zset;
        struct cw_hash_walk hash;
        struct cw_stream_commands stream;
    };
};

/* Appends a SELECT where another database is selected. */
void cw_entry_commands_begin(struct cw_entry_commands *commands, struct buf *out, unsigned *selected, unsigned database,
                             const struct cw_entry *entry);

/* Appends parts until the budget is used up; true while there may be more. A unit is about 50 ns. */
MUST_CHECK bool cw_entry_commands_write(struct cw_entry_commands *commands, struct buf *out, unsigned *budget);

void cw_entry_commands_drop(struct cw_entry_commands *commands); /* of one that does not come to its end */

#endif
