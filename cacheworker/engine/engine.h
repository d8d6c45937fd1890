/* engine.h: what the rooms of a worker (ha/, repl/, rdb/) may ask of its engine, and what the engine asks of them.
 *
 * The engine owns the links, the sessions, the keyspace and the turn. ha/ decides what this node is and whether it may
 * answer; repl/ owns the stream: its offsets, its backlog, its snapshots. All are parts of one core and are called from
 * within its steps only, so none of this is reentrant or shared.
 *
 * What the engine asks (defined in cacheworker/ha/ha.h and cacheworker/repl/repl.h, both objects owned by the engine):
 *
 *   cw_ha_create(engine, &ha)          after the keyspace exists; reads config->state. Standalone: serves at once.
 *   cw_repl_create(engine, &repl)
 *   cw_repl_take_data(repl, ...)       what dump.rdb holds, with its history: at the start
 *   cw_repl_note_left_out(repl, ...)   what was due and is left out, before that
 *   cw_repl_note_damage(repl, error)   or that it cannot be read
 *   cw_ha_destroy, cw_repl_destroy
 *   cw_repl_start(repl)                EVENT_START, or when the data are loaded, before any command
 *   cw_ha_start(ha)                    EVENT_START; it emits EFFECT_LISTEN when the node may be asked (in standalone:
 *                                      at once; else when the incarnation is durable)
 *   cw_ha_stop(ha)                     EVENT_STOP; the engine emits EFFECT_EXIT itself, afterwards
 *   cw_ha_persisted(ha, token, result) EVENT_PERSISTED
 *   cw_ha_turn(ha), cw_repl_turn(repl) once per EVENT_TURN: ha before the clients' commands are executed, repl after
 *   cw_ha_publish(ha)                  at the end of it
 *   cw_ha_take_wake(ha)                at the end of a step
 *   cw_ha_deadline(ha), cw_repl_deadline(repl)
 *   cw_ha_serving(ha, now_ns)          enum cw_serving; asked once per batch
 *   cw_ha_may_reply(ha, now_ns)        whether replies and pushes may leave to clients; asked in output()
 *   cw_ha_released(ha)                 offset of the stream up to which replies may show it; CW_RELEASED_ALL: any
 *   cw_ha_request(ha, link, argv, argc)    every RESPITE command of the data port; it answers into cw_engine_output()
 *   cw_repl_request(repl, link, argv, argc) REPLCONF, PSYNC and SYNC of a session, and every command of a
 *                                      CW_LINK_REPLICA link; the same
 *   cw_repl_link_opened / _link_closed(repl, link)     for REPLICA and MASTER links
 *   cw_repl_received(repl, link, bytes)    raw bytes of a CW_LINK_MASTER link, at EVENT_RECEIVED
 *   cw_repl_output(repl, link)         struct slice: what may be sent to a CW_LINK_REPLICA link behind the bytes that
 *                                      are in cw_engine_output(); so a backlog need not be copied for each replica
 *   cw_repl_sent(repl, link, count)    that many of these were taken
 *   cw_repl_is_feeding(repl)           whether executed writes have to be handed to cw_repl_append at all
 *   cw_repl_append(repl, database, argv, argc)  a write to be added to the stream, in order of execution; the room adds
 *                                      SELECT where the database changes
 *   cw_repl_offset(repl)               last offset of the stream: what a reply given now depends on
 *   cw_repl_acknowledged(repl, offset) how many replicas have acknowledged it (WAIT)
 *   cw_repl_lacks_replicas(repl)       whether writes are refused for that (min-replicas-to-write)
 *   cw_repl_info(repl, out)            lines "name:value\r\n" of INFO's replication section, role included
 *   cw_ha_info(ha, out)                lines of the section "respite": node, incarnation, epoch, fence, lease, ...
 *   cw_repl_role(repl, out, protocol)  the reply to ROLE
 *   cw_repl_save(repl)                 SAVE: writes dump.rdb; 0 or an error
 */
#ifndef CACHEWORKER_ENGINE_ENGINE_H
#define CACHEWORKER_ENGINE_ENGINE_H

#include "cacheworker/engine/worker.h"
#include "common/base/buf.h"
#include "common/base/door.h"

struct cw_engine;
struct cw_ha;
struct cw_keyspace;
struct cw_pending_writes;
struct cw_repl;
struct cw_repl_settings;

/* What this node may do for clients now. */
enum cw_serving {
    CW_SERVING_MASTER,    /* reads and writes; keys expire */
    CW_SERVING_MIGRATING, /* a master that follows a server outside of the group: reads only, nothing expires */
    CW_SERVING_HOLD,      /* a master without lease, or fenced: commands wait, nothing expires, nothing leaves */
    CW_SERVING_REPLICA,   /* reads; writes get -READONLY */
    CW_SERVING_STALE,     /* a replica whose link is down: -MASTERDOWN but for what may be stale */
    CW_SERVING_LOADING,   /* holds no complete data yet: -LOADING */
    CW_SERVING_UNADOPTED, /* no topology has named a role: -MASTERDOWN */
    CW_SERVING_BUSY,      /* a script has been running for too long: -BUSY but for what may be said then */
};

enum cw_link_kind {
    CW_LINK_FREE,
    CW_LINK_CLIENT,  /* sessions of the data listener */
    CW_LINK_REPLICA, /* a session that became a replica; the engine still reads its requests (REPLCONF ACK) */
    CW_LINK_MASTER,  /* outbound; its bytes go to cw_repl_received */
};

/* --- the step that runs now --- */

const struct cw_config *cw_engine_config(const struct cw_engine *engine); /* lives as long as the engine */
struct effects *cw_engine_effects(struct cw_engine *engine);              /* borrowed; valid until the step ends */
int64_t cw_engine_now_ns(const struct cw_engine *engine);                 /* of the event being handled */
int64_t cw_engine_wall_us(const struct cw_engine *engine);
struct cw_ha *cw_engine_ha(const struct cw_engine *engine);
struct cw_repl *cw_engine_repl(const struct cw_engine *engine);
struct cw_desk *cw_engine_desk(const struct cw_engine *engine); /* NULL standalone */

/* --- links --- */

/* Opens an outbound link; EVENT_OPENED or EVENT_CLOSED comes back through the owner's link_opened or link_closed. */
link_id cw_engine_connect(struct cw_engine *engine, enum cw_link_kind kind, const struct address *address);

/* Makes a client's session the room's own (PSYNC): from now on its requests, and its end, go to cw_repl. */
void cw_engine_become_replica(struct cw_engine *engine, link_id link);

/* The link belongs to a proxy that proved the secret and knows this node as master of its epoch: no password, not
 * counted in maxclients. Its commands are answered -NOTMASTER while the node is no master. */
void cw_engine_attach(struct cw_engine *engine, link_id link);

/* The same for a link that carries the commands of one user, who gave its password before, perhaps to another node.
 * False: there is no such user, or it is off. */
bool cw_engine_attach_as(struct cw_engine *engine, link_id link, struct slice user);

/* Of an attached link: whether the one or two words are what AUTH takes, a user's name and password, and whether the
 * link's user may say this; the reply is +OK or the error. Nothing changes. */
void cw_engine_answer_login(struct cw_engine *engine, link_id link, const struct slice *words, size_t count);
void cw_engine_answer_may(struct cw_engine *engine, link_id link, const struct slice *argv, size_t argc);
/* It is a link for reads: where a reply would have to wait for a write of its key, it is -HELD, and the proxy asks
 * again on another link. Others' reads need not wait behind it. */
void cw_engine_take_reads(struct cw_engine *engine, link_id link);
bool cw_engine_is_attached(const struct cw_engine *engine, link_id link);

/* Whether the session needs no AUTH, or gave one. REPLCONF, PSYNC and RESPITE pass the password's gate: who answers
 * them asks this, or for the secret. */
bool cw_engine_is_authenticated(const struct cw_engine *engine, link_id link);

enum cw_link_kind cw_engine_link_kind(const struct cw_engine *engine, link_id link);
const struct address *cw_engine_link_peer(const struct cw_engine *engine, link_id link);
void cw_engine_set_link_context(struct cw_engine *engine, link_id link, void *context); /* borrowed; the room's own */
void *cw_engine_link_context(const struct cw_engine *engine, link_id link);

/* Bytes that go out on `link`: append to it, then flush. Borrowed until the next call into the engine. */
struct buf *cw_engine_output(struct cw_engine *engine, link_id link);
void cw_engine_flush(struct cw_engine *engine, link_id link); /* at most one effect per link and step */

void cw_engine_close(struct cw_engine *engine, link_id link); /* at once; link_closed is not called for it */
void cw_engine_drain(struct cw_engine *engine, link_id link); /* sends what is there, then closes */

/* masteruser (empty: none) and masterauth. Borrowed until they are set. */
void cw_engine_master_login(const struct cw_engine *engine, struct slice *ret_user, struct slice *ret_password);

const struct cw_repl_settings *cw_engine_repl_settings(const struct cw_engine *engine); /* as CONFIG SET left them */

/* replica-full-sync-buffer-limit, or what stands for it: bytes. */
uint64_t cw_engine_full_sync_room(const struct cw_engine *engine);

/* Whether there is an append-only file that has all of the data, and whether it cannot be written now. */
bool cw_engine_has_aof(const struct cw_engine *engine);
bool cw_engine_aof_failed(const struct cw_engine *engine);

/* replica-serve-stale-data: whether a replica answers while it has no master to hear. */
bool cw_engine_serves_stale(const struct cw_engine *engine);

/* --- roles --- */

/* A gate may have opened (a lease, an acknowledgement): flushes every client that has replies waiting. */
void cw_engine_gate_opened(struct cw_engine *engine);

/* The stream is acknowledged up to `released`, or CW_RELEASED_ALL: flushes the clients whose replies waited for that.
 */
void cw_engine_release(struct cw_engine *engine, uint64_t released);

/* Up to which offset of the stream replies may show it, as ha/ and aof/ say; CW_RELEASED_ALL: any. */
uint64_t cw_engine_released(const struct cw_engine *engine);

/* Which of them wait for less than all of it; borrowed. */
struct cw_pending_writes *cw_engine_pending_writes(struct cw_engine *engine);

/* This node's term as master ended otherwise than in being chosen again at once: what was not executed is answered
 * -NOTMASTER where no reply is owed before it, and every client link is closed; replies that were held never leave. */
void cw_engine_end_term(struct cw_engine *engine);

#define CW_ERROR_ROLE_CHANGED                                                                                          \
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"

/* From here on clients may not write: whoever waits for a key is told. */
void cw_engine_stop_writing(struct cw_engine *engine);

/* Since when the oldest command without a reply that left waits; 0 when none does (STATUS). Looks at all sessions. */
int64_t cw_engine_waiting_since_ns(const struct cw_engine *engine);

/* What is no RESPITE command on the control port: PING and INFO are answered, there too. */
void cw_engine_answer_question(struct cw_engine *engine, const struct slice *argv, size_t argc, struct buf *out);

/* A script, or DEBUG SLEEP of a world without a sleep of its own, has held all commands for more than 1 s
 * (STATUS_BUSY). */
bool cw_engine_is_busy(const struct cw_engine *engine);

/* Whether a command was left in the middle (long_command.h): what it has changed is not in the stream yet. */
bool cw_engine_is_in_command(const struct cw_engine *engine);

/* CLIENT PAUSE holds: a replica of a server by itself takes nothing of the stream meanwhile. */
bool cw_engine_is_paused(const struct cw_engine *engine);

/* Whether this server is about to end, and waits for its replicas (shutdown.h). */
bool cw_engine_is_ending(const struct cw_engine *engine);

/* Ends that command at once, before the history ends to which it belongs. */
void cw_engine_end_command(struct cw_engine *engine, const char *words);

/* Writes wait until that ends, and with it whatever CLIENT PAUSE said. */
void cw_engine_pause_for_failover(struct cw_engine *engine, bool pauses);

/* --- data --- */

struct cw_keyspace *cw_engine_keyspace(struct cw_engine *engine);

/* A new, empty keyspace as this engine would make it, for a full sync to load into. Owned by the caller. */
struct cw_keyspace *cw_engine_new_keyspace(struct cw_engine *engine);

/* The data are new, from a file or a full sync, which had more keys that were due: INFO shows that. */
void cw_engine_note_loaded(struct cw_engine *engine, uint64_t left_out);

/* Whether the data are still on their way from the disk. */
bool cw_engine_is_loading(const struct cw_engine *engine);

/* Takes such a keyspace, which is not wanted any more, and frees it in steps. */
void cw_engine_discard_keyspace(struct cw_engine *engine, struct cw_keyspace *keyspace);

/* Replaces the data set; takes `keyspace`. The old one is freed in steps. */
void cw_engine_install_keyspace(struct cw_engine *engine, struct cw_keyspace *keyspace);

/* The group's users, for a full sync of one of ours, and as one of ours was told them (cacheworker/acl/share.h). */
void cw_engine_write_users(const struct cw_engine *engine, struct buf *out);
MUST_CHECK int cw_engine_take_users(struct cw_engine *engine, struct slice record);

/* Functions and scripts, as RDB has them: items that stand beside the data. Borrowed until the next call. */
struct slice cw_engine_programs(struct cw_engine *engine);
void cw_engine_install_programs(struct cw_engine *engine, struct slice items); /* in the place of all that there are */

/* Executes the complete commands at the front of `bytes` as a replica does: no reply, no gate, no propagation (the
 * room keeps the bytes themselves), expiry only by the stream's own DELs. ret_consumed counts whole commands exactly,
 * and what stands between MULTI and EXEC as one: it is executed when all of it is there, or not at all. The database
 * selected by the stream is kept between calls; cw_engine_set_stream_database sets it (after a full sync or a partial
 * one that begins elsewhere). REPLCONF GETACK sets ret_ack_wanted. ERR_PROTOCOL for what is no command, ERR_TOO_BIG for
 * a unit of more than 1 GB; the commands before it were executed and are counted. The next call begins with the bytes
 * that were not consumed, unless cw_engine_set_stream_database came between. */
MUST_CHECK int cw_engine_apply(struct cw_engine *engine, struct slice bytes, size_t *ret_consumed,
                               bool *ret_ack_wanted);

/* The same for a stream of a server that is not of ours: `told` gets what was executed as it is to be executed by
 * others, or later: in the place of times that count from now, dates, and of what chance decided, what came of it. What
 * needs no other words is told as it came. Servers before Redis 7 say EXPIRE and SETEX in their streams. */
MUST_CHECK int cw_engine_apply_telling(struct cw_engine *engine, struct slice bytes, struct buf *told,
                                       size_t *ret_consumed, bool *ret_ack_wanted);

/* Whether the last call left a whole unit because it would change what is owed to a snapshot (owed.h): to be tried
 * again in the next turn. */
bool cw_engine_is_stream_waiting(const struct cw_engine *engine);
void cw_engine_set_stream_database(struct cw_engine *engine, unsigned database);
unsigned cw_engine_stream_database(const struct cw_engine *engine);

#endif
