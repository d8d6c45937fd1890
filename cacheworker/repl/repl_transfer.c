#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl_internal.h"
#include "common/base/mem.h"

enum {
    AHEAD_ENOUGH = 256 << 10, /* bytes that the slowest peer has not taken; then the making pauses */
    WORK_AT_A_TIME = 512,     /* of cw_keyspace_snapshot_step: 25 us */
    TIMES_A_TURN = 32,
};

#define BUSY_NS (10 * NS_PER_MS) /* when to look again while something else walks through the keyspace */

/* --- making --- */

static void keep_piece(struct transfer *transfer)
{
    cw_backlog_append(&transfer->bytes, buf_slice(&transfer->piece));
    buf_clear(&transfer->piece);
}

static void write_entry(void *context, unsigned database, const struct cw_entry *entry)
{
    struct transfer *transfer = context;
    cw_rdb_write_entry(&transfer->writer, database, entry);
    keep_piece(transfer);
}

static bool write_slice(void *context, unsigned database, const struct cw_entry *entry, unsigned *budget)
{
    struct transfer *transfer = context;
    bool more = cw_rdb_write_slice(&transfer->writer, database, entry, budget);
    keep_piece(transfer);
    return more;
}

static void write_users(struct cw_repl *repl, struct transfer *transfer)
{
    struct buf users = {0};
    cw_engine_write_users(repl->engine, &users);
    cw_rdb_write_users(&transfer->writer, buf_slice(&users));
    buf_free(&users);
}

static void write_beginning(struct cw_repl *repl, struct transfer *transfer)
{
    const struct cw_keyspace *keyspace = cw_engine_keyspace(repl->engine);
    struct cw_rdb_origin origin = cw_repl_origin(repl);
    if (transfer->kind.leaves_programs)
        origin.programs = slice_of(NULL, 0);
    transfer->writer = (struct cw_rdb_writer){.out = &transfer->piece};
    cw_rdb_write_preamble(&transfer->writer, &origin, cw_engine_wall_us(repl->engine),
                          cw_keyspace_used_bytes(keyspace));
    if (transfer->kind.has_users)
        write_users(repl, transfer);
    if (!transfer->kind.leaves_data)
        cw_rdb_write_databases(&transfer->writer, keyspace);
    keep_piece(transfer);
}

static struct transfer *new_transfer(struct cw_repl *repl, struct transfer_kind kind)
{
    static const char digits[] = "0123456789abcdef";
    struct transfer *transfer = mem_zero(sizeof(*transfer));
    transfer->kind = kind;
    for (size_t i = 0; i < DELIMITER_LENGTH; i++)
        transfer->delimiter[i] = digits[rand_below(&repl->rand, 16)];
    return transfer;
}

/* The lines before the snapshot; its length is not known before all of it was made. */
static void announce(const struct cw_repl *repl, struct peer *peer)
{
    const struct transfer *transfer = peer->transfer;
    if (!peer->is_old)
        buf_add_format(&peer->head, "+FULLRESYNC %s %llu\r\n", repl->id, (unsigned long long)repl->history.last_offset);
    if (!transfer->kind.has_length)
        buf_add_format(&peer->head, "$%s:%.*s\r\n", peer->is_framed ? "FRAMES" : "EOF", DELIMITER_LENGTH,
                       transfer->delimiter);
}

static void join(struct cw_repl *repl, struct transfer *transfer, struct peer *peer)
{
    peer->transfer = transfer;
    peer->is_framed = peer->frames.room > 0 && !transfer->kind.has_length && !peer->is_old && !peer->wants_file;
    transfer->peers++;
    peer->state = PEER_SNAPSHOT;
    peer->taken = 0;
    peer->still_ns = 0;
    peer->first_offset = peer->next_offset = repl->history.last_offset;
    announce(repl, peer);
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "full sync of replica %s:%u from offset %llu",
               cw_engine_link_peer(repl->engine, peer->link)->host, peer->port,
               (unsigned long long)repl->history.last_offset);
}

static bool is_same(const struct transfer_kind *a, const struct transfer_kind *b)
{
    return a->has_users == b->has_users && a->has_length == b->has_length && a->leaves_data == b->leaves_data &&
           a->leaves_programs == b->leaves_programs;
}

static void begin(struct cw_repl *repl, struct transfer_kind kind)
{
    struct transfer *transfer = repl->transfer = new_transfer(repl, kind);
    repl->stream_database = STREAM_DATABASE_NONE; /* whoever loads this has none selected */
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        struct peer *peer = repl->peers[i];
        if (peer != NULL && peer->state == PEER_WAITING && is_same(&peer->wanted, &kind))
            join(repl, transfer, peer);
    }
    write_beginning(repl, transfer);
    if (!kind.leaves_data)
        cw_keyspace_snapshot_begin(cw_engine_keyspace(repl->engine),
                                   &(struct cw_snapshot_visitor){transfer, write_entry, write_slice});
}

static void tell_length(struct cw_repl *repl, const struct transfer *transfer)
{
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        if (repl->peers[i] != NULL && repl->peers[i]->transfer == transfer)
            buf_add_format(&repl->peers[i]->head, "$%llu\r\n", (unsigned long long)transfer->bytes.end);
}

static void end(struct cw_repl *repl)
{
    struct transfer *transfer = repl->transfer;
    cw_rdb_write_end(&transfer->writer);
    if (!transfer->kind.has_length)
        buf_add(&transfer->piece, transfer->delimiter, DELIMITER_LENGTH);
    keep_piece(transfer);
    buf_free(&transfer->piece);
    transfer->is_made = true;
    repl->transfer = NULL;
    if (transfer->kind.has_length)
        tell_length(repl, transfer);
}

/* The slowest peer is waited for, unless somebody waits for a value. */
static bool has_room(const struct cw_repl *repl)
{
    const struct transfer *transfer = repl->transfer;
    return transfer->kind.has_length || transfer->bytes.end - transfer->bytes.first < AHEAD_ENOUGH ||
           cw_keyspace_is_awaited(cw_engine_keyspace(repl->engine));
}

static void go_on(struct cw_repl *repl)
{
    struct transfer *transfer = repl->transfer;
    for (unsigned i = 0; i < TIMES_A_TURN && has_room(repl); i++) {
        if (transfer->kind.leaves_data ||
            !cw_keyspace_snapshot_step(cw_engine_keyspace(repl->engine), WORK_AT_A_TIME)) {
            end(repl);
            return;
        }
    }
}

/* --- beginning --- */

/* When the full sync of a waiting replica should begin: not before others, who come soon, could share it. Where a
 * length is wanted, as of old, nobody is waited for. */
static int64_t begins_ns(const struct cw_repl *repl, const struct peer *peer)
{
    const struct cw_repl_settings *settings = repl_settings(repl);
    int64_t most = settings->sync_replicas, count = 0;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        count += repl->peers[i] != NULL && repl->peers[i]->state == PEER_WAITING &&
                 is_same(&repl->peers[i]->wanted, &peer->wanted);
    bool is_enough = peer->wanted.has_length || (most > 0 && count >= most);
    return is_enough ? peer->waiting_ns : peer->waiting_ns + settings->sync_delay_s * NS_PER_S;
}

/* The waiting replica whose full sync begins first, or NULL. */
static const struct peer *next_in_line(const struct cw_repl *repl)
{
    const struct peer *next = NULL;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        const struct peer *peer = repl->peers[i];
        if (peer != NULL && peer->state == PEER_WAITING &&
            (next == NULL || begins_ns(repl, peer) < begins_ns(repl, next)))
            next = peer;
    }
    return next;
}

/* Whether the keyspace can be walked through now. */
static bool is_free(const struct cw_repl *repl)
{
    return !cw_engine_is_in_command(repl->engine) && !cw_keyspace_snapshot_is_active(cw_engine_keyspace(repl->engine));
}

static void begin_next(struct cw_repl *repl)
{
    const struct peer *next = next_in_line(repl);
    if (next != NULL && begins_ns(repl, next) <= cw_engine_now_ns(repl->engine) && is_free(repl))
        begin(repl, next->wanted);
}

void repl_transfer_turn(struct cw_repl *repl)
{
    if (repl->transfer == NULL && !repl->is_frozen)
        begin_next(repl);
    if (repl->transfer != NULL)
        go_on(repl);
}

int64_t repl_transfer_deadline(const struct cw_repl *repl)
{
    int64_t now_ns = cw_engine_now_ns(repl->engine);
    if (repl->transfer != NULL)
        return has_room(repl) ? now_ns : NEVER_NS;
    const struct peer *next = repl->is_frozen ? NULL : next_in_line(repl);
    if (next == NULL)
        return NEVER_NS;
    int64_t at_ns = begins_ns(repl, next);
    return at_ns <= now_ns && !is_free(repl) ? now_ns + BUSY_NS : at_ns;
}

/* --- taking --- */

struct slice repl_transfer_output(const struct peer *peer)
{
    const struct transfer *transfer = peer->transfer;
    if (transfer->kind.has_length && !transfer->is_made)
        return (struct slice){0};
    return cw_backlog_read(&transfer->bytes, peer->taken);
}

static void trim(struct cw_repl *repl, struct transfer *transfer)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        const struct peer *peer = repl->peers[i];
        if (peer != NULL && peer->transfer == transfer && peer->taken < least)
            least = peer->taken;
    }
    cw_backlog_trim(&transfer->bytes, least);
}

void repl_transfer_leave(struct cw_repl *repl, struct peer *peer)
{
    struct transfer *transfer = peer->transfer;
    peer->transfer = NULL;
    if (--transfer->peers > 0) {
        trim(repl, transfer);
        return;
    }
    if (repl->transfer == transfer) {
        if (!transfer->kind.leaves_data)
            cw_keyspace_snapshot_cancel(cw_engine_keyspace(repl->engine));
        repl->transfer = NULL;
    }
    cw_rdb_writer_free(&transfer->writer);
    cw_backlog_free(&transfer->bytes);
    buf_free(&transfer->piece);
    mem_free(transfer);
}

/* A delimiter is looked for by the reference at the end of what it has read: nothing may come right behind it. Behind a
 * length, or frames, the stream goes on, and who said SYNC acknowledges nothing. */
static void end_of_taking(struct cw_repl *repl, struct peer *peer)
{
    bool stream_goes_on = peer->transfer->kind.has_length || peer->is_framed;
    repl_transfer_leave(repl, peer);
    peer->state = !stream_goes_on ? PEER_LOADING : peer->is_old ? PEER_ONLINE : PEER_STREAMING;
    peer->heard_ns = cw_engine_now_ns(repl->engine);
    buf_shrink(&peer->head, 0);
}

void repl_transfer_sent(struct cw_repl *repl, struct peer *peer, size_t count)
{
    struct transfer *transfer = peer->transfer;
    peer->taken += count;
    peer->still_ns = 0;
    if (transfer->is_made && peer->taken == transfer->bytes.end)
        end_of_taking(repl, peer);
    else
        trim(repl, transfer);
}

/* One that several share counts where the first of them stands. */
static bool is_counted(const struct cw_repl *repl, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (repl->peers[i] != NULL && repl->peers[i]->transfer == repl->peers[index]->transfer)
            return true;
    return false;
}

size_t repl_transfer_memory(const struct cw_repl *repl)
{
    size_t bytes = 0;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        const struct peer *peer = repl->peers[i];
        if (peer != NULL && peer->transfer != NULL && !is_counted(repl, i))
            bytes +=
                sizeof(struct transfer) + cw_backlog_memory(&peer->transfer->bytes) + peer->transfer->piece.capacity;
    }
    return bytes;
}
