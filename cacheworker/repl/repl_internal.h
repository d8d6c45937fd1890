/* repl_internal.h: what the files of this room share. */
#ifndef CACHEWORKER_REPL_REPL_INTERNAL_H
#define CACHEWORKER_REPL_REPL_INTERNAL_H

#include "cacheworker/engine/pending_writes.h"
#include "cacheworker/rdb/rdb_load.h"
#include "cacheworker/repl/ahead.h"
#include "cacheworker/repl/backlog.h"
#include "cacheworker/repl/diverged.h"
#include "cacheworker/repl/frames.h"
#include "cacheworker/repl/migration.h"
#include "cacheworker/repl/patience.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/repl/repl_settings.h"
#include "common/base/rand.h"

enum {
    LENGTH_FIRST_MAX = 256 << 20, /* bytes of data that are sent with their length before them */
    MARKS = 256,                  /* remembered moments of the stream */
    DELIMITER_LENGTH = 40,        /* random bytes that end a snapshot on the wire */
    PENDING_MAX = 256 << 20, /* bytes that a replica may be behind before it is given up, with a larger backlog more */
    STREAM_DATABASE_NONE = -1,
    TROUBLE_MAX = 200, /* bytes of a sentence about a link, with the NUL */
};

/* REPLCONF capa: of a replica that takes frames, and the bytes that it has room for. */
#define FRAMES_ABILITY "respite-frames="

#define ACK_INTERVAL_NS     (100 * NS_PER_MS)
#define NEWLINE_INTERVAL_NS NS_PER_S /* to a replica that waits for its snapshot */
#define RECONNECT_NS        (200 * NS_PER_MS)

enum repl_role {
    REPL_RESTING,
    REPL_LEADING,
    REPL_FOLLOWING,
};

/* At `ns` the stream ended at `offset`; whatever lies behind it is younger. */
struct mark {
    uint64_t offset;
    int64_t ns;
};

enum peer_state {
    PEER_GREETING,  /* REPLCONF came, PSYNC did not */
    PEER_WAITING,   /* for its full sync to begin */
    PEER_SNAPSHOT,  /* its snapshot is being made and sent */
    PEER_LOADING,   /* all of the snapshot has left; the stream waits for its first ack */
    PEER_STREAMING, /* a partial resync; it has not acknowledged yet */
    PEER_ONLINE,
};

/* What is in a snapshot, and how it ends: replicas that want the same share one. */
struct transfer_kind {
    bool has_users;   /* for ours */
    bool has_length;  /* before it, for those that do not know a delimiter; then all of it is made before it leaves */
    bool leaves_data; /* out of it: REPLCONF rdb-filter-only */
    bool leaves_programs;
};

/* A snapshot on its way to replicas. One traversal of the keyspace serves them all: each has a position of its own. */
struct transfer {
    struct transfer_kind kind;
    unsigned peers;
    bool is_made;            /* all of it stands in `bytes` */
    struct cw_backlog bytes; /* from the first one that a peer has not taken */
    struct buf piece;        /* owned; what was just made */
    struct cw_rdb_writer writer;
    char delimiter[DELIMITER_LENGTH];
};

struct peer { /* a replica's link, at its master */
    link_id link;
    enum peer_state state;
    bool is_ours;    /* it proved the secret and named life, epoch and history */
    bool wants_file; /* rdb-only: the snapshot, and no stream */
    bool is_old;     /* SYNC: it need not acknowledge anything */
    struct life life;
    struct life master; /* that it means to follow */
    uint64_t epoch;
    struct history history;
    uint16_t port;
    char host[ADDRESS_HOST_MAX]; /* that it wants to be known by; empty: as its link shows it */
    struct transfer_kind wanted;
    struct buf head;           /* owned: what is said before the snapshot */
    struct transfer *transfer; /* shared; NULL but in PEER_SNAPSHOT */
    uint64_t taken;            /* of its bytes */
    bool is_framed;            /* both the snapshot and the stream go to it, in frames (frames.h) */
    struct cw_frames frames;   /* with the room that it said it has; none: it knows no frames */
    struct cw_frame frame;     /* that is being sent */
    int64_t still_ns;          /* since when it has not taken what it could; 0: it does */
    int64_t waiting_ns;        /* since when it has waited for one */
    uint64_t next_offset;      /* of the stream: the first byte that was not handed over */
    uint64_t first_offset;     /* of the stream that it gets; an ack below is not of this stream */
    struct cw_patience patience;
    uint64_t acknowledged_offset;
    bool has_synced; /* it keeps an append-only file, and said up to where: */
    uint64_t synced_offset;
    int64_t acknowledged_ns;
    int64_t heard_ns;
    int64_t newline_ns;
};

enum follow_state {
    FOLLOW_DOWN, /* not connected; reconnects at retry_ns */
    FOLLOW_CONNECTING,
    FOLLOW_GREETING,  /* until PSYNC is answered */
    FOLLOW_ANNOUNCED, /* +FULLRESYNC came; "$EOF:" and the delimiter, or "$" and a length, are next */
    FOLLOW_LOADING,   /* the snapshot */
    FOLLOW_DELIMITER, /* the bytes that end it */
    FOLLOW_STREAMING,
};

struct follow { /* the link to the master, at a replica */
    enum follow_state state;
    link_id link;
    struct life master;
    struct address address;
    bool is_stock;           /* of a server by itself: REPLICAOF */
    unsigned replies_seen;   /* of the greeting */
    unsigned replies_wanted; /* before PSYNC */
    bool gave_password;      /* its second reply is to AUTH */
    bool asked_full;         /* by the PSYNC that was sent */
    bool wants_full;         /* what we hold did not fit: no partial resync */
    bool has_been_in_step;   /* with the master of this epoch */
    bool is_held;            /* bytes of the stream wait for the end of a script or pause, or for a snapshot */
    struct buf input;        /* owned: bytes of a line or a command that is not complete */
    struct cw_ahead ahead;   /* owned: what comes behind that; in part it may have come with the snapshot: */
    bool is_framed;          /* the snapshot comes in frames */
    uint64_t room;           /* for the stream meanwhile, as the master was told */
    struct cw_frame_reader frames;
    struct history branch;       /* the master's, as it stood when the link was made */
    struct cw_keyspace *loading; /* owned, while a snapshot is read; NULL */
    struct cw_rdb_load load;
    char announced_id[CW_REPLID_LENGTH]; /* of the stream that goes on behind the snapshot */
    uint64_t snapshot_offset;
    bool was_malformed;    /* what came last of the snapshot or the stream */
    bool takes_any_length; /* of a migration: what was last asked, see repl_stock.c */
    bool has_length;       /* the snapshot: no delimiter ends it */
    uint64_t left;         /* of that length */
    uint64_t received;
    char delimiter[DELIMITER_LENGTH];
    unsigned delimiter_seen;
    int64_t retry_ns;
    int64_t heard_ns;
    int64_t acked_ns;
    int64_t down_ns;           /* when the stream was lost; 0: there was none */
    int64_t complained_ns;     /* when a loss of the link was last logged */
    char trouble[TROUBLE_MAX]; /* why the link is down, or went down before it streamed; empty: all is well */
    bool ack_wanted;
};

struct probe { /* a link to the source of a migration, which is asked for the end of its stream */
    link_id link;
    bool is_open;
    bool awaits_login; /* the answer to AUTH is next */
    bool is_asking;
    struct buf input; /* owned */
    int64_t asked_ns;
    int64_t next_ns; /* when to connect, or to ask again */
};

enum failover_state {
    FAILOVER_NONE,
    FAILOVER_WAITING,   /* for a replica that has all of the stream */
    FAILOVER_UNDER_WAY, /* the target is followed, and is to take over */
};

struct failover { /* of a server by itself, by order of a client */
    enum failover_state state;
    struct address target; /* no host: any */
    bool is_forced;
    int64_t end_ns; /* of waiting */
};

struct cw_repl {
    struct cw_engine *engine;                 /* borrowed */
    struct cw_pending_writes *pending_writes; /* borrowed; the engine's */
    bool is_standalone;
    bool is_frozen;
    bool is_damaged;
    bool disk_failed;
    bool is_feeding;    /* it leads, and there is somebody who wants the stream: */
    bool keeps_backlog; /* replicas, if there are any */
    bool is_recorded;   /* the append-only file */
    enum repl_role role;
    struct life self;
    uint64_t epoch;
    struct history history;
    struct cw_backlog backlog;
    struct buf scratch; /* owned: the command being appended */
    bool is_muted;
    bool in_unit;
    struct buf unit; /* owned: the commands of the unit that is going on */
    uint64_t unit_commands;
    int stream_database;
    struct mark marks[MARKS]; /* ring, oldest at mark_count - MARKS */
    uint64_t mark_count;
    int64_t pinged_ns;
    int64_t left_ns; /* when the last replica went, or the role began */
    struct rand rand;
    char id[CW_REPLID_LENGTH + 1];
    char second_id[CW_REPLID_LENGTH + 1]; /* the stream's former id; empty: none */
    uint64_t second_end;                  /* up to which it had that */
    bool has_order;                       /* one of REPLICAOF in a transaction, which is obeyed behind it */
    struct address order;
    struct peer *peers[CW_REPLICAS_MAX]; /* owned; on a replica, some who are about to be refused */
    unsigned peer_count;
    struct cw_repl_counts counts;
    struct transfer *transfer; /* that is being made; its peers own it */
    struct follow follow;
    struct failover failover;
    struct cw_diverged diverged;
    struct cw_migration migration;
    struct probe probe;
};

/* repl.c */
/* A replica takes up a stream, of which it holds what its history says, and goes on in follow.branch. */
void repl_note_branch(struct cw_repl *repl);
void repl_add_to_stream(struct cw_repl *repl, struct slice bytes);
const struct cw_repl_settings *repl_settings(const struct cw_repl *repl);
int64_t repl_timeout_ns(const struct cw_repl *repl); /* of silence, after which either side gives the other up */

/* Adds to the stream, for replicas and the append-only file, what is one of its units. */
void repl_add_commands(struct cw_repl *repl, struct slice bytes);
/* The same for a command that belongs to no database, and to no unit. */
void repl_append_notice(struct cw_repl *repl, const struct slice *argv, size_t argc);

/* repl_peers.c: a master and its replicas. */
void repl_peers_request(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc);
void repl_peers_closed(struct cw_repl *repl, struct peer *peer);
void repl_peers_drop_all(struct cw_repl *repl); /* closes their links */
void repl_peers_free(struct cw_repl *repl);     /* forgets them; the engine is being destroyed */
void repl_peers_turn(struct cw_repl *repl);
int64_t repl_peers_deadline(const struct cw_repl *repl);
uint64_t repl_peers_oldest_offset(const struct cw_repl *repl); /* that one of them still needs */

/* repl_failover.c: FAILOVER. */
void repl_failover_turn(struct cw_repl *repl);
int64_t repl_failover_deadline(const struct cw_repl *repl);
void repl_failover_answered(struct cw_repl *repl, bool is_taken);      /* PSYNC was */
const char *repl_failover_take(struct cw_repl *repl, struct slice id); /* of the other side; NULL, or why not */

/* repl_transfer.c: snapshots on their way to replicas. */
void repl_transfer_turn(struct cw_repl *repl);
int64_t repl_transfer_deadline(const struct cw_repl *repl);
struct slice repl_transfer_output(const struct peer *peer); /* of a peer that has a transfer */
void repl_transfer_sent(struct cw_repl *repl, struct peer *peer, size_t count);
void repl_transfer_leave(struct cw_repl *repl, struct peer *peer); /* it goes, or has taken all */
size_t repl_transfer_memory(const struct cw_repl *repl);

void repl_keep_second_id(struct cw_repl *repl); /* the id is about to be another, and the stream goes on */

/* repl_stock.c: what is said to a stock master before PSYNC: of a server by itself, and of a migration's source. */
void repl_stock_greet(struct cw_repl *repl);
/* False: the link is no use; `why` says so, with the master's own words. */
bool repl_stock_take_reply(struct cw_repl *repl, struct slice line, char why[TROUBLE_MAX]);

/* Whether AUTH was written. */
bool repl_stock_log_in(const struct cw_repl *repl, struct buf *out);

/* repl_migration.c: a group's master and the server outside that it follows. While it does, follow is the link to that,
 * and the role is still REPL_LEADING. */
void repl_migration_lead(struct cw_repl *repl);  /* the role of master begins */
void repl_migration_leave(struct cw_repl *repl); /* it ends */
void repl_migration_stop(struct cw_repl *repl);  /* closes the links; the migration goes on, if it does, later */
void repl_migration_jump(struct cw_repl *repl);  /* the source's snapshot has taken the place of the data */
void repl_migration_turn(struct cw_repl *repl);
void repl_migration_say_database(struct cw_repl *repl); /* SELECT, of the source's stream */
/* Whether the worker's own commands go into the stream: while clients may not write, it is the source's alone. */
void repl_choose_feeding(struct cw_repl *repl);
int64_t repl_migration_deadline(const struct cw_repl *repl);
int repl_note_origin(struct cw_repl *repl, const struct cw_rdb_origin *origin); /* of data that are loaded */
void repl_migration_write(const struct cw_repl *repl, const char *prefix, struct buf *out);
void repl_probe_opened(struct cw_repl *repl);
void repl_probe_closed(struct cw_repl *repl);
void repl_probe_received(struct cw_repl *repl, struct slice bytes);

/* repl_follow.c: a replica and its master. */
/* `master` is NULL for a stock one. */
void repl_follow_begin(struct cw_repl *repl, const struct life *master, const struct address *address);
void repl_follow_end(struct cw_repl *repl);  /* closes the link, throws away what was being loaded */
void repl_follow_free(struct cw_repl *repl); /* the engine is being destroyed */
void repl_follow_opened(struct cw_repl *repl);
void repl_follow_closed(struct cw_repl *repl);
void repl_follow_received(struct cw_repl *repl, struct slice bytes);
void repl_follow_turn(struct cw_repl *repl);
void repl_follow_write_room(struct cw_repl *repl, struct buf *out); /* two words: capa, FRAMES_ABILITY */
int64_t repl_follow_deadline(const struct cw_repl *repl);

#endif
