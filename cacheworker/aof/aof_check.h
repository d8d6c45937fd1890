/* aof_check.h: one file of an append-only file that is looked at and executed nowhere: RDB, or commands, or commands
 * behind RDB. Of commands their form is judged, that each is known and has as many arguments as it wants, and that what
 * begins with MULTI ends with EXEC; of the lines between them, whether they can tell where the commands stand in a
 * group's stream (place.h), as a member of the group would read them: a server by itself reads over them. Pure. */
#ifndef CACHEWORKER_AOF_AOF_CHECK_H
#define CACHEWORKER_AOF_AOF_CHECK_H

#include "cacheworker/aof/aof_reader.h"
#include "cacheworker/aof/place.h"
#include "cacheworker/rdb/rdb_check.h"

enum cw_aof_form { CW_AOF_IS_UNKNOWN, CW_AOF_IS_RDB, CW_AOF_IS_COMMANDS };

/* By the first bytes; unknown while they are too few to tell. */
enum cw_aof_form cw_aof_form_of(struct slice head);

struct cw_aof_check {
    struct cw_aof_reader reader;
    uint64_t commands;
    bool has_rdb;
    struct cw_rdb_check rdb; /* if has_rdb */
    struct cw_place *place;  /* borrowed; of the stream: goes on from file to file */

    /* Private. */
    enum cw_aof_form form;
    struct buf head;     /* owned; until it tells the form */
    size_t scanned;      /* bytes of the unit that were looked at */
    bool is_in_block;    /* it began with MULTI */
    bool waits_for_next; /* its last command is one with that behind it (engine/aside.h) */
    bool is_wrong;       /* what it says will be found wrong when it is executed, which is at its end */
    struct buf refused;  /* owned; why a command is, or such a line */
};

void cw_aof_check_init(struct cw_aof_check *check, struct cw_place *place);
void cw_aof_check_free(struct cw_aof_check *check);

/* 0, or an error: nothing more is to be read. */
MUST_CHECK int cw_aof_check_read(struct cw_aof_check *check, struct slice bytes);

/* At the end of the file: 0; ERR_TRUNCATED: it ends within an item, a command, or between MULTI and EXEC. */
MUST_CHECK int cw_aof_check_end(const struct cw_aof_check *check);

/* Whether what is wrong is among commands, so that all before reader.whole is good. */
bool cw_aof_check_is_in_commands(const struct cw_aof_check *check);

void cw_aof_check_tell(const struct cw_aof_check *check, int error, struct buf *out);
void cw_aof_check_sum_up(const struct cw_aof_check *check, struct buf *out);

#endif
