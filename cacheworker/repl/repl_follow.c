#include "cacheworker/aof/aof.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_file.h"
#include "cacheworker/repl/repl_internal.h"
#include "cacheworker/repl/resync.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/resp/resp_writer.h"

#include <stdio.h>

enum {
    LINE_MAX_LENGTH = 4096, /* of what a master says in words */
    GREETING_REPLIES = 1,   /* to the REPLCONF of one of ours */
    HELD_MAX = 16 << 20,    /* bytes of the stream that wait for a script, or for the end of a pause */
};

#define COMPLAINT_INTERVAL_NS      NS_PER_S
#define SAME_COMPLAINT_INTERVAL_NS (30 * NS_PER_S)

/* No stream gets there. What begins behind it might come to the end of all numbers: stock servers' are signed. */
#define SNAPSHOT_OFFSET_MAX ((uint64_t)1 << 62)

/* To a server that is not ours: its owner is to notice nothing, whatever goes wrong here. */
#define OUTSIDE_RECONNECT_NS   NS_PER_S
#define MALFORMED_RECONNECT_NS (30 * NS_PER_S)

static int64_t now_of(const struct cw_repl *repl)
{
    return cw_engine_now_ns(repl->engine);
}

/* A master in a migration: the link is that to its source. */
static bool is_outside(const struct cw_repl *repl)
{
    return repl->migration.is_following;
}

/* Where our data stand in the stream that is followed. */
static uint64_t position(const struct cw_repl *repl)
{
    return is_outside(repl) ? repl->migration.offset : repl->history.last_offset;
}

static const char *stream_id(const struct cw_repl *repl)
{
    return is_outside(repl) ? repl->migration.id : repl->id;
}

static int64_t reconnect_ns(const struct cw_repl *repl)
{
    if (!is_outside(repl))
        return RECONNECT_NS;
    return repl->follow.was_malformed ? MALFORMED_RECONNECT_NS : OUTSIDE_RECONNECT_NS;
}

static void stop_loading(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    if (follow->loading == NULL)
        return;
    cw_rdb_load_free(&follow->load);
    cw_engine_discard_keyspace(repl->engine, follow->loading);
    follow->loading = NULL;
}

static bool holds_stream(const struct follow *follow)
{
    return cw_ahead_length(&follow->ahead) > 0;
}

static void forget_held(struct follow *follow)
{
    buf_free(&follow->input);
    cw_ahead_clear(&follow->ahead);
}

/* What came of the stream before the link was lost is applied all the same: by then the master may not have it. */
static void go_down(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    stop_loading(repl);
    bool is_lost = follow->state == FOLLOW_STREAMING || follow->state == FOLLOW_DOWN;
    if (!is_lost || follow->wants_full || !holds_stream(follow))
        forget_held(follow);
    if (follow->state == FOLLOW_STREAMING)
        follow->down_ns = now_of(repl);
    else if (follow->state > FOLLOW_CONNECTING)
        follow->takes_any_length = !follow->takes_any_length;
    follow->state = FOLLOW_DOWN;
    follow->link = LINK_NONE;
    follow->retry_ns = now_of(repl) + reconnect_ns(repl);
}

/* What a master says may be anything. */
static void note_trouble(struct follow *follow, const char *reason)
{
    snprintf(follow->trouble, sizeof(follow->trouble), "%s", reason);
    for (char *at = follow->trouble; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
}

/* The same trouble is told now and then, another one at once. */
static void tell_trouble(struct cw_repl *repl, const char *reason)
{
    struct follow *follow = &repl->follow;
    char before[TROUBLE_MAX];
    memcpy(before, follow->trouble, sizeof(before));
    note_trouble(follow, reason);
    bool is_same = strcmp(before, follow->trouble) == 0;
    int64_t silent_ns = now_of(repl) - follow->complained_ns;
    if (silent_ns < (is_same ? SAME_COMPLAINT_INTERVAL_NS : COMPLAINT_INTERVAL_NS))
        return;
    follow->complained_ns = now_of(repl);
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_WARNING, "link to master %s:%u closed: %s",
               follow->address.host, follow->address.port, follow->trouble);
}

static void hang_up(struct cw_repl *repl, const char *reason)
{
    tell_trouble(repl, reason);
    if (repl->follow.link != LINK_NONE)
        cw_engine_close(repl->engine, repl->follow.link);
    go_down(repl);
}

void repl_follow_begin(struct cw_repl *repl, const struct life *master, const struct address *address)
{
    struct follow *follow = &repl->follow;
    follow->is_stock = master == NULL;
    if (master != NULL) {
        follow->master = *master;
        repl->migration.has_position = false; /* what we hold is about to be that master's */
    }
    follow->address = *address;
    follow->trouble[0] = '\0';
    follow->wants_full = is_outside(repl) && !repl->migration.has_position;
    follow->takes_any_length = false;
    follow->was_malformed = false;
    follow->received = follow->left = 0;
    follow->has_been_in_step = false;
    follow->retry_ns = now_of(repl);
    repl_follow_turn(repl);
}

void repl_follow_end(struct cw_repl *repl)
{
    if (repl->follow.link != LINK_NONE)
        cw_engine_close(repl->engine, repl->follow.link);
    go_down(repl);
    forget_held(&repl->follow);
}

void repl_follow_free(struct cw_repl *repl)
{
    stop_loading(repl);
    forget_held(&repl->follow);
}

static const char *loss_in(enum follow_state state)
{
    switch (state) {
    case FOLLOW_DOWN: return "";
    case FOLLOW_CONNECTING: return "it refuses connections, or does not answer";
    case FOLLOW_GREETING: return "it hung up during the greeting";
    case FOLLOW_ANNOUNCED:
    case FOLLOW_LOADING:
    case FOLLOW_DELIMITER: return "it hung up before its snapshot was complete";
    case FOLLOW_STREAMING: return "it hung up";
    }
    return "";
}

void repl_follow_closed(struct cw_repl *repl)
{
    tell_trouble(repl, loss_in(repl->follow.state));
    go_down(repl);
}

/* --- greeting --- */

static void write_field(struct buf *out, const char *name, const char *value)
{
    resp_write_bulk_text(out, name);
    resp_write_bulk_text(out, value);
}

void repl_follow_write_room(struct cw_repl *repl, struct buf *out)
{
    char text[sizeof(FRAMES_ABILITY) + NUMBER_TEXT_MAX] = FRAMES_ABILITY;
    repl->follow.room = cw_engine_full_sync_room(repl->engine);
    size_t length = strlen(FRAMES_ABILITY) + number_format_u64(text + strlen(FRAMES_ABILITY), repl->follow.room);
    resp_write_bulk_text(out, "capa");
    resp_write_bulk(out, slice_of(text, length));
}

/* One REPLCONF carries what the reference sends in several, and who we are and whom we mean. The reference's PING is
 * left out: a master without a lease would hold the answer back. */
static void greet(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    const struct cw_config *config = cw_engine_config(repl->engine);
    struct buf *out = cw_engine_output(repl->engine, follow->link);
    char text[LIFE_TEXT_MAX];
    struct buf history = {0};

    resp_write_array(out, 19);
    resp_write_bulk_text(out, "REPLCONF");
    resp_write_bulk_text(out, "respite-secret");
    resp_write_bulk(out, config->secret);
    resp_write_bulk_text(out, "listening-port");
    resp_write_bulk_u64(out, config->data.port);
    write_field(out, "capa", "eof");
    write_field(out, "capa", "psync2");
    repl_follow_write_room(repl, out);
    resp_write_bulk_text(out, "respite-epoch");
    resp_write_bulk_u64(out, repl->epoch);
    life_format(&repl->self, text);
    write_field(out, "respite-life", text);
    life_format(&follow->master, text);
    write_field(out, "respite-master", text);
    history_format(&repl->history, &history);
    resp_write_bulk_text(out, "respite-history");
    resp_write_bulk(out, buf_slice(&history));
    buf_free(&history);
    cw_engine_flush(repl->engine, follow->link);
    follow->replies_wanted = GREETING_REPLIES;
}

void repl_follow_opened(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    follow->state = FOLLOW_GREETING;
    follow->replies_seen = 0;
    follow->heard_ns = now_of(repl);
    if (follow->is_stock)
        repl_stock_greet(repl);
    else
        greet(repl);
}

static void send_psync(struct cw_repl *repl)
{
    struct buf *out = cw_engine_output(repl->engine, repl->follow.link);
    bool hands_over = repl->failover.state == FAILOVER_UNDER_WAY;
    resp_write_array(out, hands_over ? 4 : 3);
    resp_write_bulk_text(out, "PSYNC");
    repl->follow.asked_full = repl->follow.wants_full || (!repl->follow.is_stock && repl->history.count == 0);
    if (repl->follow.asked_full) {
        resp_write_bulk_text(out, "?");
        resp_write_bulk_i64(out, -1);
    } else {
        resp_write_bulk(out, slice_of(stream_id(repl), CW_REPLID_LENGTH));
        resp_write_bulk_u64(out, position(repl) + 1);
    }
    if (hands_over)
        resp_write_bulk_text(out, "FAILOVER");
    cw_engine_flush(repl->engine, repl->follow.link);
    repl->follow.acked_ns = now_of(repl);
}

/* --- the master's answer --- */

static void send_ack(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    struct buf *out = cw_engine_output(repl->engine, follow->link);
    bool has_disk = !is_outside(repl) && cw_engine_has_aof(repl->engine);
    resp_write_array(out, has_disk ? 5 : 3);
    resp_write_bulk_text(out, "REPLCONF");
    resp_write_bulk_text(out, "ACK");
    resp_write_bulk_u64(out, position(repl));
    if (has_disk) {
        resp_write_bulk_text(out, "FACK");
        resp_write_bulk_u64(out, cw_aof_synced_offset(repl->engine));
    }
    cw_engine_flush(repl->engine, follow->link);
    follow->acked_ns = now_of(repl);
    follow->ack_wanted = false;
}

static void be_in_step(struct cw_repl *repl)
{
    repl->follow.state = FOLLOW_STREAMING;
    repl->follow.trouble[0] = '\0';
    repl->follow.was_malformed = false;
    repl->follow.has_been_in_step = true;
    repl->follow.wants_full = false;
    send_ack(repl);
}

static void say_that_it_continues(struct cw_repl *repl)
{
    /* The same database goes on; a command that was cut off comes again from its beginning. */
    cw_engine_set_stream_database(repl->engine, cw_engine_stream_database(repl->engine));
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "partial resync with %s:%u from offset %llu",
               repl->follow.address.host, repl->follow.address.port, (unsigned long long)position(repl));
    be_in_step(repl);
}

/* "<id>", behind "+CONTINUE "; or nothing, of an old master. Whoever follows us is to learn another id. */
static void take_stock_continue(struct cw_repl *repl, struct slice text)
{
    struct slice id = slice_of(stream_id(repl), CW_REPLID_LENGTH);
    if (repl->follow.asked_full || (text.length != 0 && text.length != CW_REPLID_LENGTH)) {
        repl->follow.wants_full = true;
        hang_up(repl, "it continues what it was not asked for");
        return;
    }
    if (is_outside(repl)) {
        if (text.length != 0)
            memcpy(repl->migration.id, text.data, CW_REPLID_LENGTH);
    } else if (text.length != 0 && !slice_equal(text, id)) {
        repl_keep_second_id(repl);
        memcpy(repl->id, text.data, CW_REPLID_LENGTH);
        repl_peers_drop_all(repl);
    }
    say_that_it_continues(repl);
}

/* "<id> <history>", behind "+CONTINUE ". */
static void take_continue(struct cw_repl *repl, struct slice text)
{
    struct follow *follow = &repl->follow;
    if (follow->asked_full || text.length <= CW_REPLID_LENGTH + 1 || text.data[CW_REPLID_LENGTH] != ' ' ||
        history_parse(slice_skip(text, CW_REPLID_LENGTH + 1), &follow->branch) < 0 ||
        history_epoch(&follow->branch) != repl->epoch || !history_is_prefix(&repl->history, &follow->branch)) {
        follow->wants_full = true;
        hang_up(repl, "it continues a history that is not ours");
        return;
    }
    memcpy(repl->id, text.data, CW_REPLID_LENGTH);
    repl_note_branch(repl);
    cw_history_advance(&repl->history, &follow->branch);
    say_that_it_continues(repl);
}

/* "<id> <offset>", behind "+FULLRESYNC ". */
static void take_fullresync(struct cw_repl *repl, struct slice text)
{
    struct follow *follow = &repl->follow;
    if (text.length <= CW_REPLID_LENGTH + 1 || text.data[CW_REPLID_LENGTH] != ' ' ||
        number_parse_u64(slice_skip(text, CW_REPLID_LENGTH + 1), &follow->snapshot_offset) < 0) {
        hang_up(repl, "malformed answer to PSYNC");
        return;
    }
    if (follow->snapshot_offset > SNAPSHOT_OFFSET_MAX) {
        hang_up(repl, "the offset of its snapshot is too high to be counted on from");
        return;
    }
    memcpy(follow->announced_id, text.data, CW_REPLID_LENGTH);
    follow->state = FOLLOW_ANNOUNCED;
}

static void begin_loading(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    follow->loading = cw_engine_new_keyspace(repl->engine);
    cw_keyspace_set_expiry_mode(follow->loading, CW_EXPIRY_IGNORED);
    cw_rdb_load_init(&follow->load, follow->loading);
    follow->load.reader.require_checksum = !follow->is_stock; /* rdbchecksum no */
    follow->state = FOLLOW_LOADING;
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "full sync from %s:%u at offset %llu",
               follow->address.host, follow->address.port, (unsigned long long)follow->snapshot_offset);
}

/* Whether it says how the snapshot will end. */
static bool take_announcement(struct follow *follow, bool may_be_framed, struct slice line)
{
    follow->delimiter_seen = 0;
    follow->received = 0;
    follow->has_length = false;
    follow->is_framed = may_be_framed && slice_starts_with(line, "$FRAMES:");
    follow->frames = (struct cw_frame_reader){0};
    const char *begin = follow->is_framed ? "$FRAMES:" : "$EOF:";
    if (line.length == strlen(begin) + DELIMITER_LENGTH && slice_starts_with(line, begin)) {
        memcpy(follow->delimiter, line.data + strlen(begin), DELIMITER_LENGTH);
        return true;
    }
    follow->has_length =
        follow->is_stock && line.data[0] == '$' && number_parse_u64(slice_skip(line, 1), &follow->left) == 0;
    return follow->has_length;
}

static void take_greeting_reply(struct cw_repl *repl, struct slice line)
{
    struct follow *follow = &repl->follow;
    char why[TROUBLE_MAX];
    if (follow->is_stock && !repl_stock_take_reply(repl, line, why)) {
        hang_up(repl, why);
        return;
    }
    if (!follow->is_stock)
        follow->replies_seen++;
    if (follow->replies_seen == follow->replies_wanted)
        send_psync(repl);
}

static void take_line(struct cw_repl *repl, struct slice line)
{
    struct follow *follow = &repl->follow;
    if (line.length == 0)
        return; /* a sign of life while others are served */
    bool is_greeting = follow->state == FOLLOW_GREETING && follow->replies_seen < follow->replies_wanted;
    if (line.data[0] == '-' && !(is_greeting && follow->is_stock)) {
        char text[TROUBLE_MAX];
        snprintf(text, sizeof(text), "%.*s", (int)(line.length < TROUBLE_MAX ? line.length : TROUBLE_MAX), line.data);
        hang_up(repl, text);
        repl_failover_answered(repl, false);
    } else if (follow->state == FOLLOW_ANNOUNCED) {
        if (take_announcement(follow, !is_outside(repl), line))
            begin_loading(repl);
        else
            hang_up(repl, "malformed announcement of a snapshot");
    } else if (is_greeting) {
        take_greeting_reply(repl, line);
    } else if (follow->is_stock && slice_starts_with(line, "+CONTINUE")) {
        repl_failover_answered(repl, true);
        take_stock_continue(repl, slice_skip(line, line.length > 10 ? 10 : line.length));
    } else if (slice_starts_with(line, "+CONTINUE ")) {
        take_continue(repl, slice_skip(line, strlen("+CONTINUE ")));
    } else if (slice_starts_with(line, "+FULLRESYNC ")) {
        repl_failover_answered(repl, true);
        take_fullresync(repl, slice_skip(line, strlen("+FULLRESYNC ")));
    } else {
        hang_up(repl, "unexpected answer to PSYNC");
    }
}

/* --- the snapshot --- */

/* Never an older epoch's data, nor, in place of data, those that stand in no history. */
static const char *snapshot_refusal(const struct cw_repl *repl)
{
    const struct history *history = &repl->follow.load.origin.history;
    if (repl->follow.is_stock)
        return NULL;
    if (history_epoch(history) != repl->epoch)
        return "its snapshot is of another epoch";
    if (history->last_offset != repl->follow.snapshot_offset)
        return "its snapshot is of another offset";
    return NULL;
}

static int keep_data(struct cw_repl *repl, const char *name)
{
    struct cw_rdb_origin origin = cw_repl_origin(repl);
    return cw_rdb_save(cw_engine_config(repl->engine)->storage, name, cw_engine_keyspace(repl->engine), &origin,
                       cw_engine_wall_us(repl->engine));
}

/* What is about to be replaced and stands in no branch: kept in a file, counted, said. A disk that does not take it
 * does not keep the node out of its group. */
static void keep_diverged(struct cw_repl *repl, const struct history *branch)
{
    struct cw_tail tail;
    char name[CW_TAIL_NAME_MAX];
    const struct storage *storage = cw_engine_config(repl->engine)->storage;
    if (!cw_tail_find(&repl->history, branch, &tail))
        return;
    bool is_held = cw_tail_is_held(&tail, &repl->backlog);
    uint64_t writes = is_held ? cw_tail_writes(&tail, &repl->backlog) : 0;
    repl->diverged.tails++;
    repl->diverged.writes += writes;
    repl->diverged.bytes += tail.end - tail.first;

    cw_tail_name(&tail, is_held ? "aof" : "rdb", name);
    int error = storage == NULL ? ERR_NOT_FOUND
                : is_held       ? cw_tail_write(&tail, &repl->backlog, storage)
                                : keep_data(repl, name);
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_WARNING,
               "discarding %llu writes (%s; %llu bytes of the stream) behind offset %llu of epoch %llu: %s %s",
               (unsigned long long)writes, is_held ? "all" : "older ones are not in the backlog",
               (unsigned long long)(tail.end - tail.first), (unsigned long long)tail.first,
               (unsigned long long)tail.epoch, error < 0 ? "not kept," : "kept in",
               error < 0 ? error_text(error) : name);
}

/* With the data come the users. */
static const char *take_users(struct cw_repl *repl)
{
    struct slice users = buf_slice(&repl->follow.load.users);
    return users.length > 0 && !repl->follow.is_stock && cw_engine_take_users(repl->engine, users) < 0
               ? "its users cannot be read"
               : NULL;
}

/* The verified data set takes the place of the old one. */
static void install(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    struct cw_keyspace *fresh = follow->loading;
    follow->loading = NULL;
    cw_engine_install_keyspace(repl->engine, fresh);
    cw_engine_note_loaded(repl->engine, 0);
    cw_engine_install_programs(repl->engine, buf_slice(&follow->load.programs));
    cw_rdb_load_free(&follow->load);
    cw_engine_set_stream_database(repl->engine, follow->load.origin.stream_database);
    repl->is_damaged = false;
}

static void be_complete(struct cw_repl *repl)
{
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "full sync complete at offset %llu",
               (unsigned long long)position(repl));
    be_in_step(repl);
}

/* Of a migration's source. Our history goes on. */
static void take_outside_snapshot(struct cw_repl *repl)
{
    cw_engine_end_command(repl->engine, "LOADING other data came in while the script ran");
    repl_peers_drop_all(repl);
    install(repl);
    repl_migration_jump(repl);
    be_complete(repl);
}

static void take_snapshot(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    const char *refusal = snapshot_refusal(repl);
    if (refusal == NULL)
        refusal = take_users(repl);
    if (refusal == NULL && !follow->is_stock && repl_note_origin(repl, &follow->load.origin) < 0)
        refusal = "what it says of a migration cannot be read";
    if (refusal != NULL) {
        hang_up(repl, refusal);
        return;
    }
    if (is_outside(repl)) {
        take_outside_snapshot(repl);
        return;
    }
    follow->branch =
        follow->is_stock ? (struct history){.last_offset = follow->snapshot_offset} : follow->load.origin.history;
    cw_engine_end_command(repl->engine, "LOADING other data came in while the script ran");
    repl_peers_drop_all(repl); /* what they hold was replaced */
    if (!follow->is_stock)
        keep_diverged(repl, &follow->branch);
    install(repl);
    memcpy(repl->id, follow->announced_id, CW_REPLID_LENGTH);
    repl->second_id[0] = '\0';
    repl->history = follow->branch;
    cw_backlog_reset(&repl->backlog, repl->history.last_offset);
    be_complete(repl);
}

/* What is sent with its length before it. */
static void note_length(struct cw_repl *repl, bool has_ended, size_t used)
{
    struct follow *follow = &repl->follow;
    follow->left -= used;
    if (has_ended && follow->left == 0)
        take_snapshot(repl);
    else if (has_ended || follow->left == 0)
        hang_up(repl, "its snapshot is not as long as it said");
}

static void hang_up_on_snapshot(struct cw_repl *repl, int error)
{
    struct buf why = {0};
    char text[TROUBLE_MAX];
    buf_add_text(&why, "its snapshot cannot be loaded: ");
    cw_rdb_reader_tell(&repl->follow.load.reader, error, &why);
    size_t length = buf_length(&why) < TROUBLE_MAX ? buf_length(&why) : TROUBLE_MAX;
    snprintf(text, sizeof(text), "%.*s", (int)length, buf_slice(&why).data);
    buf_free(&why);
    repl->follow.was_malformed = true;
    hang_up(repl, text);
}

static struct slice take_loading(struct cw_repl *repl, struct slice bytes)
{
    struct follow *follow = &repl->follow;
    bool is_more = follow->has_length && bytes.length > follow->left;
    size_t used;
    int result =
        cw_rdb_read(&follow->load.reader, slice_of(bytes.data, is_more ? (size_t)follow->left : bytes.length), &used);
    if (result < 0) {
        hang_up_on_snapshot(repl, result);
        return (struct slice){0};
    }
    follow->received += used;
    if (follow->has_length)
        note_length(repl, result > 0, used);
    else if (result > 0)
        follow->state = FOLLOW_DELIMITER;
    return slice_skip(bytes, used);
}

static struct slice take_delimiter(struct cw_repl *repl, struct slice bytes)
{
    struct follow *follow = &repl->follow;
    while (bytes.length > 0 && follow->delimiter_seen < DELIMITER_LENGTH) {
        if (bytes.data[0] != follow->delimiter[follow->delimiter_seen++]) {
            hang_up(repl, "its snapshot does not end where it should");
            return (struct slice){0};
        }
        bytes = slice_skip(bytes, 1);
    }
    if (follow->delimiter_seen < DELIMITER_LENGTH)
        return bytes;
    if (follow->is_framed && (bytes.length > 0 || follow->frames.frame.left > 0)) {
        hang_up(repl, "its snapshot does not end with its frame");
        return (struct slice){0};
    }
    take_snapshot(repl);
    return bytes;
}

/* --- the stream --- */

/* Our own stream, and an append-only file, get what a server outside said in words that mean the same elsewhere and
 * later; who follows us in its stream gets its bytes. */
static void keep_stream(struct cw_repl *repl, struct slice bytes, struct slice told)
{
    if (is_outside(repl)) {
        repl->migration.offset += bytes.length;
        if (told.length > 0)
            repl_add_commands(repl, told);
        cw_migration_note_progress(&repl->migration, now_of(repl));
        return;
    }
    cw_backlog_append(&repl->backlog, bytes);
    if (repl->is_recorded)
        cw_aof_append(repl->engine, told);
    repl->history.last_offset += bytes.length;
    cw_history_advance(&repl->history, &repl->follow.branch);
}

static bool is_paused(const struct cw_repl *repl)
{
    return repl->follow.is_stock && cw_engine_is_paused(repl->engine);
}

static bool takes_stream(const struct follow *follow)
{
    return follow->state == FOLLOW_STREAMING || (follow->state == FOLLOW_DOWN && holds_stream(follow));
}

/* Applies whole commands, and counts these only: a command that was cut off by a failover was never there. */
static size_t apply(struct cw_repl *repl, struct slice bytes)
{
    size_t consumed;
    bool ack_wanted;
    if (UNLIKELY(cw_engine_is_in_command(repl->engine))) {
        repl->follow.is_held = true;
        if (bytes.length <= HELD_MAX)
            return 0; /* a script reads: it sees one moment */
        cw_engine_end_command(repl->engine, "ERR the master's stream cannot wait any longer for the script");
    }
    if (UNLIKELY(is_paused(repl)) && bytes.length <= HELD_MAX) {
        repl->follow.is_held = true;
        return 0;
    }
    struct buf told = {0};
    bool tells = is_outside(repl) || (repl->follow.is_stock && repl->is_recorded);
    int error = tells ? cw_engine_apply_telling(repl->engine, bytes, &told, &consumed, &ack_wanted)
                      : cw_engine_apply(repl->engine, bytes, &consumed, &ack_wanted);
    repl->follow.is_held |= cw_engine_is_stream_waiting(repl->engine);
    keep_stream(repl, slice_of(bytes.data, consumed), tells ? buf_slice(&told) : slice_of(bytes.data, consumed));
    buf_free(&told);
    repl->follow.ack_wanted |= ack_wanted || (consumed > 0 && cw_ha_acks_at_once(cw_engine_ha(repl->engine)));
    if (error < 0) {
        repl->follow.wants_full = true;
        repl->follow.was_malformed = true;
        hang_up(repl, "its stream is malformed");
    }
    return consumed;
}

static void take_stream(struct cw_repl *repl, struct slice bytes)
{
    struct follow *follow = &repl->follow;
    if (buf_length(&follow->input) == 0) {
        size_t consumed = apply(repl, bytes);
        if (takes_stream(follow))
            buf_add_slice(&follow->input, slice_skip(bytes, consumed));
        return;
    }
    buf_add_slice(&follow->input, bytes);
    size_t consumed = apply(repl, buf_slice(&follow->input));
    if (!takes_stream(follow))
        return;
    buf_consume(&follow->input, consumed);
    buf_shrink(&follow->input, 64 << 10);
}

static void take_live(struct cw_repl *repl, struct slice bytes)
{
    if (holds_stream(&repl->follow))
        cw_ahead_add(&repl->follow.ahead, bytes);
    else
        take_stream(repl, bytes);
}

/* A turn's share of what is held. What waits for a script, or the end of a pause, is not made longer, unless more is
 * held than there is room for. */
static void catch_up(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    while (takes_stream(follow) && (!follow->is_held || cw_ahead_length(&follow->ahead) > follow->room)) {
        struct slice bytes = cw_ahead_next(&follow->ahead);
        if (bytes.length == 0)
            return;
        take_stream(repl, bytes);
        if (takes_stream(follow))
            cw_ahead_take(&follow->ahead, bytes.length);
    }
}

/* --- a snapshot in frames, with the stream between --- */

static struct slice take_snapshot_bytes(struct cw_repl *repl, struct slice bytes)
{
    return repl->follow.state == FOLLOW_LOADING ? take_loading(repl, bytes) : take_delimiter(repl, bytes);
}

static bool is_taking_snapshot(const struct follow *follow)
{
    return follow->state == FOLLOW_LOADING || follow->state == FOLLOW_DELIMITER;
}

static const char *take_frame(struct cw_repl *repl, struct slice *bytes)
{
    struct follow *follow = &repl->follow;
    struct slice part;
    enum cw_frame_kind kind;
    if (cw_frame_read(&follow->frames, bytes, &kind, &part) < 0)
        return "what it sends with its snapshot is no frame";
    if (kind == CW_FRAME_STREAM && cw_ahead_length(&follow->ahead) + part.length > follow->room)
        return "it sends more of the stream than there is room for";
    if (kind == CW_FRAME_STREAM)
        cw_ahead_add(&follow->ahead, part);
    while (kind == CW_FRAME_SNAPSHOT && part.length > 0 && is_taking_snapshot(follow))
        part = take_snapshot_bytes(repl, part);
    return NULL;
}

static struct slice take_frames(struct cw_repl *repl, struct slice bytes)
{
    const char *refusal = take_frame(repl, &bytes);
    if (refusal != NULL)
        hang_up(repl, refusal);
    return bytes;
}

/* --- bytes --- */

/* Takes one line, which may have come in pieces; returns what is behind it. */
static struct slice take_words(struct cw_repl *repl, struct slice bytes)
{
    struct follow *follow = &repl->follow;
    const char *end = memchr(bytes.data, '\n', bytes.length);
    size_t length = end != NULL ? (size_t)(end - bytes.data) + 1 : bytes.length;
    if (buf_length(&follow->input) + length > LINE_MAX_LENGTH) {
        hang_up(repl, "a line without end");
        return (struct slice){0};
    }
    buf_add(&follow->input, bytes.data, length);
    if (end != NULL) {
        char text[LINE_MAX_LENGTH];
        size_t held = buf_length(&follow->input) - 1;
        memcpy(text, buf_slice(&follow->input).data, held);
        buf_clear(&follow->input);
        if (held > 0 && text[held - 1] == '\r')
            held--;
        take_line(repl, slice_of(text, held));
    }
    return slice_skip(bytes, length);
}

void repl_follow_received(struct cw_repl *repl, struct slice bytes)
{
    struct follow *follow = &repl->follow;
    follow->heard_ns = now_of(repl);
    while (bytes.length > 0) {
        switch (follow->state) {
        case FOLLOW_DOWN:
        case FOLLOW_CONNECTING: return;
        case FOLLOW_GREETING:
        case FOLLOW_ANNOUNCED: bytes = take_words(repl, bytes); break;
        case FOLLOW_LOADING:
        case FOLLOW_DELIMITER:
            bytes = follow->is_framed ? take_frames(repl, bytes) : take_snapshot_bytes(repl, bytes);
            break;
        case FOLLOW_STREAMING: take_live(repl, bytes); return;
        }
    }
}

/* --- time --- */

static void send_alive(struct cw_repl *repl)
{
    struct buf *out = cw_engine_output(repl->engine, repl->follow.link);
    if (repl->follow.is_stock) {
        buf_add_text(out, "\n");
    } else {
        resp_write_array(out, 2);
        resp_write_bulk_text(out, "REPLCONF");
        resp_write_bulk_text(out, "respite-alive");
    }
    cw_engine_flush(repl->engine, repl->follow.link);
    repl->follow.acked_ns = now_of(repl);
}

static int64_t talk_interval_ns(const struct follow *follow)
{
    return follow->state == FOLLOW_STREAMING && !follow->is_stock ? ACK_INTERVAL_NS : NEWLINE_INTERVAL_NS;
}

/* After PSYNC was sent: before, the master does not know us yet. A stock one that waits for other replicas to join this
 * one's full sync (repl-diskless-sync-delay) waits until nothing was heard of it for so long. */
static bool may_talk(const struct follow *follow)
{
    if (follow->is_stock)
        return follow->state >= FOLLOW_LOADING;
    return follow->state > FOLLOW_GREETING ||
           (follow->state == FOLLOW_GREETING && follow->replies_seen == follow->replies_wanted);
}

static bool may_apply(const struct cw_repl *repl)
{
    return takes_stream(&repl->follow) && !cw_engine_is_in_command(repl->engine) && !is_paused(repl);
}

/* What is held of the stream. */
static void apply_held(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    cw_ahead_begin_turn(&follow->ahead);
    if (follow->is_held && may_apply(repl)) {
        follow->is_held = false;
        take_stream(repl, slice_of(NULL, 0));
    }
    if (UNLIKELY(holds_stream(follow)))
        catch_up(repl);
    if (follow->state == FOLLOW_DOWN && !holds_stream(follow))
        buf_free(&follow->input); /* a command that was cut off */
}

static void reconnect(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    follow->link = cw_engine_connect(repl->engine, CW_LINK_MASTER, &follow->address);
    follow->retry_ns = now_of(repl) + RECONNECT_NS;
    follow->heard_ns = now_of(repl);
    if (follow->link != LINK_NONE)
        follow->state = FOLLOW_CONNECTING;
}

void repl_follow_turn(struct cw_repl *repl)
{
    struct follow *follow = &repl->follow;
    int64_t now_ns = now_of(repl);
    apply_held(repl);
    if (follow->state == FOLLOW_DOWN) {
        if (now_ns >= follow->retry_ns && !holds_stream(follow))
            reconnect(repl);
        return;
    }
    if (now_ns - follow->heard_ns >= repl_timeout_ns(repl)) {
        hang_up(repl, "no sign of life");
        return;
    }
    if (!may_talk(follow))
        return;
    if (follow->state == FOLLOW_STREAMING &&
        (follow->ack_wanted || now_ns - follow->acked_ns >= talk_interval_ns(follow)))
        send_ack(repl);
    else if (now_ns - follow->acked_ns >= talk_interval_ns(follow))
        send_alive(repl);
}

int64_t repl_follow_deadline(const struct cw_repl *repl)
{
    const struct follow *follow = &repl->follow;
    if (holds_stream(follow) && takes_stream(follow) && !follow->is_held)
        return now_of(repl);
    if (follow->state == FOLLOW_DOWN)
        return follow->retry_ns;
    int64_t silent_ns = follow->heard_ns + repl_timeout_ns(repl);
    int64_t talk_ns = may_talk(follow) ? follow->acked_ns + talk_interval_ns(follow) : NEVER_NS;
    return talk_ns < silent_ns ? talk_ns : silent_ns;
}
