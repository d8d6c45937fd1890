/* bitmap_commands.h: the bitmap commands of Redis 7.2 (redis.io/commands/?group=bitmap), and what BITOP learned in 8.2.
 * Bitmaps are strings. */
#ifndef CACHEWORKER_BITMAP_BITMAP_COMMANDS_H
#define CACHEWORKER_BITMAP_BITMAP_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_bitcount_command(struct cw_call *call);
void cw_bitop_command(struct cw_call *call);
void cw_bitpos_command(struct cw_call *call);
void cw_getbit_command(struct cw_call *call);
void cw_setbit_command(struct cw_call *call);

/* In bitfield_commands.c. */
void cw_bitfield_command(struct cw_call *call);
void cw_bitfield_ro_command(struct cw_call *call);

/* What the two files share: argv[index] as the place of a bit. "#3" is the third field of `width` bits where that is
 * not 0. Else replies the error. */
bool cw_call_bit_offset(struct cw_call *call, size_t index, unsigned width, uint64_t *ret_offset);

struct cw_ref;

struct cw_bitmap { /* a string for writing */
    char *bytes;   /* borrowed until the next change of the keyspace; NULL: the error was replied */
    size_t length;
    bool has_grown; /* or was created */
};

/* The string that was opened, made so long that it has bit `last`. */
struct cw_bitmap cw_call_bitmap(struct cw_call *call, struct cw_ref *ref, uint64_t last);

#endif
