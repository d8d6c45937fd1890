/* migration.h: a group's data come from a server outside of it: what is known of that, and what is to be done next.
 *
 * A migration is a fact of the group's stream, the *record*: "on <host> <port> <user>" stands there from the order to
 * begin until "off". While it is on, the group's data are another server's, and clients may read but not write. So
 * every master after a failover knows of it. Passwords are in no stream, file or log: each worker is told them by the
 * tool, and forgets them when it ends (docs/adr/0010-migration.md).
 *
 * Everything here is values and arithmetic; links and data are repl's (repl_migration.c). */
#ifndef CACHEWORKER_REPL_MIGRATION_H
#define CACHEWORKER_REPL_MIGRATION_H

#include "common/base/address.h"
#include "common/base/buf.h"
#include "common/base/check.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CW_MIGRATION_USER_MAX = 128,      /* with the NUL */
    CW_MIGRATION_PASSWORD_MAX = 1024, /* bytes */
    CW_MIGRATION_OUTCOME_MAX = 192,   /* of a sentence, with the NUL */
    CW_MIGRATION_ID_LENGTH = 40,      /* of a server's stream */
};

struct cw_migration_source { /* no host: none */
    struct address address;
    char user[CW_MIGRATION_USER_MAX]; /* empty: the default user */
};

enum cw_migration_order {
    CW_MIGRATION_FOLLOW,
    CW_MIGRATION_CUT_OVER, /* as soon as all is here that the source had when the order came */
    CW_MIGRATION_CLOSE,    /* "off" is in the stream, and waits for the replicas */
};

struct cw_migration {                  /* zeroed: there is none */
    struct cw_migration_source source; /* of the record; no host: it is off */

    struct cw_migration_source known; /* whose password this worker was told; no host: none */
    struct buf password;              /* owned; empty: the source asks for none */

    bool is_following; /* this worker, as master, keeps a link to the source */
    enum cw_migration_order order;
    bool is_forced; /* the order does not wait for replicas, nor for what the source says of its end */
    int64_t ordered_ns;
    int64_t bound_ns;      /* of a cut-over, and once more of its end */
    int64_t deadline_ns;   /* of the one that is under way */
    uint64_t close_offset; /* of our stream, behind "off" */

    bool has_position;               /* our data are the source's as of: */
    char id[CW_MIGRATION_ID_LENGTH]; /* its stream, */
    uint64_t offset;                 /* so many bytes of it */

    bool has_end;         /* the source has said where its stream ends: */
    uint64_t end;         /* there, */
    int64_t end_asked_ns; /* when it was asked at the earliest */
    int64_t caught_up_ns; /* when we last had all that was known of; 0: never */

    char outcome[CW_MIGRATION_OUTCOME_MAX]; /* of the last order, for status; empty: there was none */
};

void cw_migration_free(struct cw_migration *migration);

static inline bool cw_migration_is_on(const struct cw_migration *migration)
{
    return migration->source.address.host[0] != '\0';
}

/* Whether clients may not write: until the replicas in sync know that it is off. */
static inline bool cw_migration_refuses_writes(const struct cw_migration *migration)
{
    return cw_migration_is_on(migration) || migration->order == CW_MIGRATION_CLOSE;
}

/* From what a tool says. ERR_INVALID for what no record can hold: a host that is not a numeric address or a path, a
 * port that is none, a user that is too long or has characters other than visible ones. */
MUST_CHECK int cw_migration_source_parse(struct slice host, struct slice port, struct slice user,
                                         struct cw_migration_source *ret_source);
bool cw_migration_source_equal(const struct cw_migration_source *a, const struct cw_migration_source *b);

/* The record: "on <host> <port> <user>", where the user may be missing, or "off" (a source without a host).
 * ERR_CORRUPT. */
void cw_migration_record_write(const struct cw_migration_source *source, struct buf *out);
MUST_CHECK int cw_migration_record_read(struct slice record, struct cw_migration_source *ret_source);

/* Whether this worker was told how to speak to the source. */
bool cw_migration_knows_password(const struct cw_migration *migration);

/* What the source said of the end of its stream, when it was asked at `asked_ns`; and that we have come further. */
void cw_migration_note_end(struct cw_migration *migration, uint64_t end, int64_t asked_ns, int64_t now_ns);
void cw_migration_note_progress(struct cw_migration *migration, int64_t now_ns);

/* How far the data are behind what is known of the source; -1: not known. The seconds since they were not. */
int64_t cw_migration_lag_bytes(const struct cw_migration *migration);
int64_t cw_migration_lag_s(const struct cw_migration *migration, int64_t now_ns);

/* The operator's order. A later one takes the place of an earlier one. */
void cw_migration_order_cut_over(struct cw_migration *migration, int64_t now_ns, int64_t bound_ns, bool is_forced);

enum cw_migration_step {
    CW_MIGRATION_WAIT,
    CW_MIGRATION_TURN_OFF, /* say "off" */
    CW_MIGRATION_FINISH,   /* it is over: clients may write */
    CW_MIGRATION_GIVE_UP,  /* the cut-over: it goes on following; why stands in `outcome` */
};

struct cw_migration_facts {
    int64_t now_ns;
    bool is_streaming;    /* the link to the source is live */
    bool lacks_replica;   /* the group wants replicas, and none is in sync */
    uint64_t held_offset; /* of our stream, which all replicas in sync hold */
    bool is_held_by_all;  /* every replica that is up holds our stream up to close_offset, and one at least is up */
};

/* What is to be done now. Changes nothing but, with GIVE_UP, order and outcome.
 *
 * Behind "off" the replicas in sync are waited for without a bound, the others for as long as the bound of the cut-over
 * says: "off" cannot be taken back, and a group whose replicas are gone has to go on. */
enum cw_migration_step cw_migration_next(struct cw_migration *migration, const struct cw_migration_facts *facts);

/* "off" is said: it ends at `offset` of our stream. */
void cw_migration_close(struct cw_migration *migration, uint64_t offset, int64_t now_ns);

#endif
