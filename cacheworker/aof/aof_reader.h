/* aof_reader.h: the commands of an append-only file, unit by unit: a command, or all from MULTI to EXEC. Pure.
 *
 * Commands are RESP arrays; lines that begin with # (as "#TS:1700000000", the time at which what follows was written)
 * are passed over. Memory grows with bytes that have arrived; a unit is bounded by whoever executes it. */
#ifndef CACHEWORKER_AOF_AOF_READER_H
#define CACHEWORKER_AOF_AOF_READER_H

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/resp/resp_reader.h"

struct cw_aof_reader { /* a zeroed struct with the public fields set stands at the begin of a file */
    /* Executes the units at the front of `bytes`, and says how many bytes those had; what it leaves comes again, with
     * the next command behind it. 0, or an error, which ends the reading. */
    int (*apply)(void *context, struct slice bytes, size_t *ret_used);
    /* Gets each line that begins with # and stands between units. NULL: they are passed over. */
    int (*note)(void *context, struct slice line);
    void *context;  /* borrowed */
    uint64_t whole; /* where in the file the last whole unit, or line, ended; set it where reading begins */

    bool is_refused; /* by `apply` or `note`: what it was given is a command, or such a line */

    /* Private. */
    struct buf input; /* owned: of a command that is not complete */
    struct resp_request request;
    struct buf unit;     /* owned: complete commands that wait for the rest of their unit */
    uint64_t unit_bytes; /* of the file that these take */
};

/* 0, ERR_CORRUPT for what is no command, or the error of `apply`: what is wrong begins at `whole`, or stands in the
 * unit that begins there. */
MUST_CHECK int cw_aof_read(struct cw_aof_reader *reader, struct slice bytes);

/* Whether nothing is left over: else the file ends within a unit. */
bool cw_aof_reader_is_whole(const struct cw_aof_reader *reader);

void cw_aof_reader_free(struct cw_aof_reader *reader);

#endif
