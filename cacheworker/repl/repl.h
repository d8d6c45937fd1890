/* repl.h: history and stream of one node: what a master sends, what a replica takes.
 *
 * Offsets count bytes of the stream (RESP arrays, as the reference sends them). The history says in which epochs they
 * were written; by (history, offset) a replica continues, or takes a full sync: an RDB stream of a snapshot, loaded
 * into a keyspace beside the old one, verified, then swapped in. Nothing is dropped before its replacement is complete.
 *
 * Neither REPLCONF, PSYNC nor what goes to a replica is gated by the lease. A replica of the appliance proves the
 * secret in REPLCONF, so its session needs no AUTH before it.
 *
 * All calls are made within a step of the engine; `now` and effects are the engine's (engine.h).
 * Source: redis.io/docs/management/replication, QUORUM sections 3 to 6. */
#ifndef CACHEWORKER_REPL_REPL_H
#define CACHEWORKER_REPL_REPL_H

#include "cacheworker/engine/engine.h"
#include "cacheworker/rdb/rdb.h"
#include "cacheworker/repl/diverged.h"
#include "common/ha/topology.h"

enum {
    CW_REPLID_LENGTH = 40,
    CW_REPLICAS_MAX = 32, /* sessions that sent REPLCONF or PSYNC at one time */
};

struct cw_repl;

void cw_repl_create(struct cw_engine *engine, struct cw_repl **ret_repl);
void cw_repl_destroy(struct cw_repl *repl); /* NULL is fine */

/* At the start: the data that the disk holds, whose history is this node's. A server by itself goes on in the stream in
 * which they stand, if in any: as a replica where it was, as a master under a new id. Takes `fresh`. */
void cw_repl_take_data(struct cw_repl *repl, struct cw_keyspace *fresh, const struct cw_rdb_origin *origin,
                       struct slice programs);
/* Before that, of a master by itself: deletes what the file has and is left out, for whoever follows it. */
void cw_repl_note_left_out(struct cw_repl *repl, unsigned database, const struct slice *argv, size_t argc);
/* Or: the file of the data cannot be read whole; cw_repl_is_damaged() says so until a full sync is complete. */
void cw_repl_note_damage(struct cw_repl *repl, int error);

/* Once the data are there, from EVENT_START on: whoever is to follow a master does so before anything expires here. */
void cw_repl_start(struct cw_repl *repl);

/* --- roles, given by ha; each closes the links of the one before --- */

/* Master of `epoch`, which is appended to the history. A standalone worker leads epoch 0 from its creation. */
void cw_repl_lead(struct cw_repl *repl, const struct life *self, uint64_t epoch);
/* Replica of `master` in `epoch`: connects, and again after each loss. */
void cw_repl_follow(struct cw_repl *repl, const struct life *self, uint64_t epoch, const struct life *master,
                    const struct address *address);
void cw_repl_rest(struct cw_repl *repl);
/* A fence: nothing is added to the history any more and the stream is refused, until lead or follow. A master's
 * replicas keep their links and get what the history holds. */
void cw_repl_freeze(struct cw_repl *repl);

/* Of a server by itself, REPLICAOF: a replica of the server at this address, stock or ours; NULL: a master again, with
 * what it holds. Obeyed at once, or, within a unit, in the turn's end. */
void cw_repl_obey(struct cw_repl *repl, const struct address *master);
/* Whom it follows by that, or NULL. */
const struct address *cw_repl_stock_master(const struct cw_repl *repl);

/* --- migration (migration.h) --- */

/* RESPITE MIGRATE, without these two words, which a tool said on the control port. */
void cw_repl_migrate(struct cw_repl *repl, const struct slice *argv, size_t argc, struct buf *reply);

/* A record of the stream, or of a snapshot. ERR_CORRUPT. */
MUST_CHECK int cw_repl_note_migration(struct cw_repl *repl, struct slice record);

bool cw_repl_refuses_writes(const struct cw_repl *repl);  /* clients' ones, while the data are another server's */
bool cw_repl_follows_outside(const struct cw_repl *repl); /* what is applied is that server's stream */

/* FAILOVER, of a server by itself: it hands its place to a replica that has all of the stream, and follows it. The
 * result is NULL, or why not, in Redis' words. */
struct cw_failover_order {
    const struct address *target; /* NULL: any */
    int64_t timeout_ms;           /* 0: none */
    bool is_forced;               /* the target takes over when the time is over, whatever it has */
};
const char *cw_repl_fail_over(struct cw_repl *repl, const struct cw_failover_order *order);
const char *cw_repl_abort_failover(struct cw_repl *repl);
bool cw_repl_is_failing_over(const struct cw_repl *repl);

/* --- the engine's calls; see engine.h --- */

void cw_repl_request(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc);
void cw_repl_link_opened(struct cw_repl *repl, link_id link);
void cw_repl_link_closed(struct cw_repl *repl, link_id link);
void cw_repl_received(struct cw_repl *repl, link_id link, struct slice bytes);
struct slice cw_repl_output(struct cw_repl *repl, link_id link);
void cw_repl_sent(struct cw_repl *repl, link_id link, size_t count);
void cw_repl_turn(struct cw_repl *repl);
int64_t cw_repl_deadline(const struct cw_repl *repl);

/* Adds one command to the stream. A master's only, and not while frozen. */
bool cw_repl_is_feeding(const struct cw_repl *repl);
void cw_repl_append(struct cw_repl *repl, unsigned database, const struct slice *argv, size_t argc);

/* From here on the append-only file gets what is added to the stream, and what is received of it; a master's part
 * begins with a SELECT. */
void cw_repl_record(struct cw_repl *repl, bool is_recorded);

/* For the beginning of a file of that: the database that is selected there, and the place in a group's stream
 * (aof/place.h). */
void cw_repl_write_place(const struct cw_repl *repl, struct buf *out);

/* At creation, of a group's member: the data are those of the append-only file. */
void cw_repl_take_history(struct cw_repl *repl, const struct history *history);

/* While muted nothing is added: what a script wants no replica to hear (redis.set_repl). */
void cw_repl_mute(struct cw_repl *repl, bool is_muted);

/* What is added between the two is one unit: it is held back until it ends, and stands between MULTI and EXEC when it
 * has more than one command. end_unit returns whether it had any. The offset counts it when it has ended. */
void cw_repl_begin_unit(struct cw_repl *repl);
bool cw_repl_end_unit(struct cw_repl *repl);

/* Writes dump.rdb. ERR_NOT_FOUND without a storage, ERR_BUSY while it is loaded, ERR_IO, ERR_DISK_FULL. */
MUST_CHECK int cw_repl_save(struct cw_repl *repl);

/* Where the data stand in the stream, for a file of them; and whether such a file could be written (error < 0: not). */
struct cw_rdb_origin cw_repl_origin(const struct cw_repl *repl);
void cw_repl_note_disk(struct cw_repl *repl, int error);

/* Replaces the data by that of dump.rdb, which must have been written just now: history and stream do not know of it.
 * Not while a snapshot of the keyspace runs. ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT...: the data is as it was. */
MUST_CHECK int cw_repl_reload(struct cw_repl *repl);

/* --- facts --- */

bool cw_repl_is_leading(const struct cw_repl *repl);
const struct history *cw_repl_history(const struct cw_repl *repl);
uint64_t cw_repl_offset(const struct cw_repl *repl);
/* Of which stream the data are, and as of how many bytes of it: of a server by itself, its own; of a master that
 * follows a migration's source, that one's. False: of none that has an id. */
bool cw_repl_position(const struct cw_repl *repl, struct slice *ret_id, uint64_t *ret_offset);
bool cw_repl_is_damaged(const struct cw_repl *repl);  /* the data file was there, and could not be read whole */
bool cw_repl_disk_failed(const struct cw_repl *repl); /* the last SAVE, or the loading, failed */
bool cw_repl_is_link_up(const struct cw_repl *repl);  /* replica: the stream is live */
bool cw_repl_is_syncing(const struct cw_repl *repl);  /* replica: a full sync is under way */
bool cw_repl_holds_data(const struct cw_repl *repl);  /* replica: it has been in step with this epoch's master */

const struct cw_diverged *cw_repl_diverged(const struct cw_repl *repl); /* what full syncs have discarded */

/* A new id for the stream, of a server by itself only: else false. */
bool cw_repl_draw_new_id(struct cw_repl *repl);

struct cw_repl_counts { /* reset by CONFIG RESETSTAT */
    uint64_t full_syncs;
    uint64_t partial_syncs;
    uint64_t refused_partial_syncs; /* that became full ones */
};
struct cw_repl_counts *cw_repl_counts(struct cw_repl *repl);

struct cw_replica_view {
    struct life life;       /* nobody: not one of ours (a stock server) */
    struct address address; /* the port as it told */
    bool is_online;         /* takes the stream; else a full sync is under way, */
    bool is_waiting;        /* or about to begin */
    uint64_t acknowledged_offset;
    int64_t acknowledged_ns; /* when its last ack came; when it came, before the first */
    int64_t lag_ns;          /* age of the oldest byte that it has not acknowledged; 0 when it has all */
};
size_t cw_repl_replicas(const struct cw_repl *repl, int64_t now_ns, struct cw_replica_view *views, size_t capacity);

/* Age of the oldest byte of the stream behind `offset`; 0 when there is none. */
int64_t cw_repl_lag(const struct cw_repl *repl, uint64_t offset, int64_t now_ns);

/* Online replicas that have acknowledged within min-replicas-max-lag; and whether there are fewer than a master is to
 * have. */
unsigned cw_repl_good_replicas(const struct cw_repl *repl);
bool cw_repl_lacks_replicas(const struct cw_repl *repl);

/* How many online replicas have acknowledged `offset`; request_acks puts REPLCONF GETACK * into the stream. */
/* How many replicas have not acknowledged all of the stream, of how many: those that acknowledge anything. */
unsigned cw_repl_lagging(const struct cw_repl *repl, unsigned *ret_replicas);
unsigned cw_repl_acknowledged(const struct cw_repl *repl, uint64_t offset);
unsigned cw_repl_synced(const struct cw_repl *repl, uint64_t offset); /* the same, on their disks */
void cw_repl_request_acks(struct cw_repl *repl);

void cw_repl_info(const struct cw_repl *repl, struct buf *out); /* lines of INFO's replication section */
void cw_repl_role(const struct cw_repl *repl, struct buf *out, int protocol);
size_t cw_repl_memory(const struct cw_repl *repl); /* bytes of backlog and snapshot pieces */

#endif
