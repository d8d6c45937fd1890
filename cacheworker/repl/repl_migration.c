/* A group's master follows a server outside of the group, by its operator's order (migration.h). The link to the source
 * is that of repl_follow.c; a second one, the probe, asks it where its stream ends. */
#include "cacheworker/engine/aside.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl_internal.h"
#include "common/base/errors.h"
#include "common/base/number.h"
#include "common/resp/resp_writer.h"

#include <stdio.h>

enum { PROBE_ANSWER_MAX = 64 << 10 }; /* bytes of INFO replication */

#define PROBE_INTERVAL_NS (500 * NS_PER_MS)
#define PROBE_RETRY_NS    (2 * NS_PER_S)
#define PROBE_PATIENCE_NS (10 * NS_PER_S) /* until an answer is there */
#define CUT_OVER_MAX_MS   3600000

static int64_t now_of(const struct cw_repl *repl)
{
    return cw_engine_now_ns(repl->engine);
}

static void log_notice(struct cw_repl *repl, const char *what)
{
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "migration: %s", what);
}

static bool has_mutant(const struct cw_repl *repl, unsigned mutant)
{
    return cw_engine_config(repl->engine)->mutants & mutant;
}

/* --- the probe --- */

static void close_probe(struct cw_repl *repl, int64_t again_ns)
{
    struct probe *probe = &repl->probe;
    if (probe->link != LINK_NONE)
        cw_engine_close(repl->engine, probe->link);
    buf_free(&probe->input);
    *probe = (struct probe){.link = LINK_NONE, .next_ns = again_ns};
}

static void ask_for_end(struct cw_repl *repl)
{
    struct probe *probe = &repl->probe;
    struct buf *out = cw_engine_output(repl->engine, probe->link);
    resp_write_array(out, 2);
    resp_write_bulk_text(out, "INFO");
    resp_write_bulk_text(out, "replication");
    cw_engine_flush(repl->engine, probe->link);
    probe->is_asking = true;
    probe->asked_ns = now_of(repl);
}

void repl_probe_opened(struct cw_repl *repl)
{
    struct probe *probe = &repl->probe;
    probe->is_open = true;
    probe->awaits_login = repl_stock_log_in(repl, cw_engine_output(repl->engine, probe->link));
    ask_for_end(repl);
}

void repl_probe_closed(struct cw_repl *repl)
{
    repl->probe.link = LINK_NONE; /* it is gone already */
    close_probe(repl, now_of(repl) + PROBE_RETRY_NS);
}

/* The value behind `name` in the text of INFO; empty: it is not there. */
static struct slice field_of(struct slice text, const char *name)
{
    const char *at = memmem(text.data, text.length, name, strlen(name));
    if (at == NULL)
        return slice_of(NULL, 0);
    struct slice rest = slice_skip(text, (size_t)(at - text.data) + strlen(name));
    size_t length = 0;
    while (length < rest.length && rest.data[length] != '\r' && rest.data[length] != '\n')
        length++;
    return slice_of(rest.data, length);
}

/* Only of the stream that we follow: after a failover of the source its offsets say nothing. */
static void take_info(struct cw_repl *repl, struct slice text)
{
    struct cw_migration *migration = &repl->migration;
    uint64_t end;
    bool is_same = slice_equal(field_of(text, "master_replid:"), slice_of(migration->id, CW_MIGRATION_ID_LENGTH));
    if (is_same && number_parse_u64(field_of(text, "master_repl_offset:"), &end) == 0)
        cw_migration_note_end(migration, end, repl->probe.asked_ns, now_of(repl));
}

/* One answer at the front of what has come. 1: there was one; 0: not all of it is there; ERR_PROTOCOL. */
static int take_answer(struct cw_repl *repl)
{
    struct probe *probe = &repl->probe;
    struct slice bytes = buf_slice(&probe->input);
    uint64_t length;
    const char *end = bytes.length > 0 ? memchr(bytes.data, '\n', bytes.length) : NULL;
    if (end == NULL)
        return bytes.length > PROBE_ANSWER_MAX ? ERR_PROTOCOL : 0;
    size_t used = (size_t)(end - bytes.data) + 1;
    if (probe->awaits_login && bytes.data[0] == '+') {
        probe->awaits_login = false;
        buf_consume(&probe->input, used);
        return 1;
    }
    if (bytes.data[0] != '$' || used < 4 || number_parse_u64(slice_of(bytes.data + 1, used - 3), &length) < 0 ||
        length > PROBE_ANSWER_MAX)
        return ERR_PROTOCOL;
    if (bytes.length < used + length + 2)
        return 0;
    take_info(repl, slice_of(bytes.data + used, (size_t)length));
    buf_consume(&probe->input, used + (size_t)length + 2);
    probe->is_asking = false;
    probe->next_ns = now_of(repl) + PROBE_INTERVAL_NS;
    return 1;
}

void repl_probe_received(struct cw_repl *repl, struct slice bytes)
{
    int result;
    buf_add_slice(&repl->probe.input, bytes);
    while ((result = take_answer(repl)) > 0) {}
    if (result < 0)
        close_probe(repl, now_of(repl) + PROBE_RETRY_NS);
}

static void turn_probe(struct cw_repl *repl)
{
    struct probe *probe = &repl->probe;
    int64_t now_ns = now_of(repl);
    if (repl->follow.state != FOLLOW_STREAMING)
        return;
    if (probe->link == LINK_NONE && now_ns >= probe->next_ns) {
        probe->link = cw_engine_connect(repl->engine, CW_LINK_MASTER, &repl->migration.source.address);
        probe->asked_ns = now_ns;
        probe->next_ns = now_ns + PROBE_RETRY_NS;
    } else if (probe->is_open && !probe->is_asking && now_ns >= probe->next_ns) {
        ask_for_end(repl);
    } else if (probe->link != LINK_NONE && probe->is_asking && now_ns - probe->asked_ns >= PROBE_PATIENCE_NS) {
        close_probe(repl, now_ns);
    }
}

static int64_t probe_deadline(const struct cw_repl *repl)
{
    const struct probe *probe = &repl->probe;
    if (repl->follow.state != FOLLOW_STREAMING)
        return NEVER_NS;
    if (probe->link == LINK_NONE || (probe->is_open && !probe->is_asking))
        return probe->next_ns;
    return probe->is_asking ? probe->asked_ns + PROBE_PATIENCE_NS : NEVER_NS;
}

/* --- following --- */

static bool may_follow(const struct cw_repl *repl)
{
    return repl->role == REPL_LEADING && !repl->is_frozen && !repl->is_standalone &&
           repl->migration.order != CW_MIGRATION_CLOSE && cw_migration_knows_password(&repl->migration);
}

void repl_migration_stop(struct cw_repl *repl)
{
    struct cw_migration *migration = &repl->migration;
    if (!migration->is_following)
        return;
    close_probe(repl, 0);
    repl_follow_end(repl);
    migration->is_following = false;
    migration->has_end = false;
}

static void begin_following(struct cw_repl *repl)
{
    struct cw_migration *migration = &repl->migration;
    migration->is_following = true;
    migration->has_end = false;
    migration->caught_up_ns = 0;
    repl->stream_database = STREAM_DATABASE_NONE; /* the source's stream says which */
    close_probe(repl, now_of(repl));
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "migration: following %s:%u",
               migration->source.address.host, migration->source.address.port);
    repl_follow_begin(repl, NULL, &migration->source.address);
}

void repl_choose_feeding(struct cw_repl *repl)
{
    bool has_hearers = repl->keeps_backlog || repl->is_recorded;
    repl->is_feeding = repl->role == REPL_LEADING && has_hearers && !cw_migration_refuses_writes(&repl->migration);
}

void repl_migration_lead(struct cw_repl *repl)
{
    struct cw_migration *migration = &repl->migration;
    migration->order = CW_MIGRATION_FOLLOW;
    if (UNLIKELY(has_mutant(repl, CW_MUTANT_FORGET_MIGRATION)))
        migration->source = (struct cw_migration_source){0};
    repl_choose_feeding(repl);
    if (may_follow(repl))
        begin_following(repl);
    else if (cw_migration_is_on(migration) && !repl->is_standalone)
        log_notice(repl, "interrupted: this worker does not know the source's password; say migrate start again");
}

void repl_migration_leave(struct cw_repl *repl)
{
    struct cw_migration *migration = &repl->migration;
    repl_migration_stop(repl);
    if (migration->order != CW_MIGRATION_FOLLOW)
        snprintf(migration->outcome, sizeof(migration->outcome), "the cut-over ended with this master's role");
    migration->order = CW_MIGRATION_FOLLOW;
}

void repl_migration_say_database(struct cw_repl *repl)
{
    struct buf command = {0};
    resp_write_array(&command, 2);
    resp_write_bulk_text(&command, "SELECT");
    resp_write_bulk_u64(&command, cw_engine_stream_database(repl->engine));
    repl_add_commands(repl, buf_slice(&command));
    buf_free(&command);
}

/* The snapshot is no part of our stream. What is added here is, and none of it is kept: so whoever has not got it takes
 * a full sync, and holds a history that is a prefix of ours until it is done. */
void repl_migration_jump(struct cw_repl *repl)
{
    static const struct slice argv[] = {SLICE_LITERAL("PING"), SLICE_LITERAL("respite-snapshot-of-source")};
    struct cw_migration *migration = &repl->migration;
    repl_append_notice(repl, argv, ARRAY_LENGTH(argv));
    cw_backlog_reset(&repl->backlog, repl->history.last_offset);
    repl_migration_say_database(repl); /* for the append-only file, which begins anew here */
    migration->has_position = true;
    migration->has_end = false;
    migration->caught_up_ns = 0;
    migration->offset = repl->follow.snapshot_offset;
    memcpy(migration->id, repl->follow.announced_id, sizeof(migration->id));
}

/* --- the record --- */

static void say_record(struct cw_repl *repl, const struct cw_migration_source *source)
{
    struct buf record = {0}, message = {0}, command = {0};
    cw_migration_record_write(source, &record);
    cw_aside_write_migration(buf_slice(&record), &message);
    resp_write_array(&command, 2);
    resp_write_bulk_text(&command, "PING");
    resp_write_bulk(&command, buf_slice(&message));
    repl_add_commands(repl, buf_slice(&command));
    repl->migration.source = *source;
    buf_free(&record);
    buf_free(&message);
    buf_free(&command);
}

static void forget_credentials(struct cw_migration *migration)
{
    migration->known = (struct cw_migration_source){0};
    cw_migration_free(migration);
}

int cw_repl_note_migration(struct cw_repl *repl, struct slice record)
{
    if (repl->is_standalone)
        return 0;
    struct cw_migration_source source;
    if (cw_migration_record_read(record, &source) < 0)
        return ERR_CORRUPT;
    repl->migration.source = source;
    if (!cw_migration_is_on(&repl->migration))
        forget_credentials(&repl->migration);
    return 0;
}

int repl_note_origin(struct cw_repl *repl, const struct cw_rdb_origin *origin)
{
    return cw_repl_note_migration(repl, slice_text(origin->migration[0] != '\0' ? origin->migration : "off"));
}

bool cw_repl_refuses_writes(const struct cw_repl *repl)
{
    return cw_migration_refuses_writes(&repl->migration);
}

bool cw_repl_follows_outside(const struct cw_repl *repl)
{
    return repl->migration.is_following;
}

/* --- the end --- */

static void finish(struct cw_repl *repl, const char *outcome)
{
    struct cw_migration *migration = &repl->migration;
    migration->order = CW_MIGRATION_FOLLOW;
    migration->has_position = false;
    forget_credentials(migration);
    snprintf(migration->outcome, sizeof(migration->outcome), "%s", outcome);
    repl->stream_database = STREAM_DATABASE_NONE;
    repl_choose_feeding(repl);
    log_notice(repl, outcome);
}

/* Stops following and says so; clients may write when the replicas have heard it. */
static void turn_off(struct cw_repl *repl)
{
    static const struct cw_migration_source none = {0};
    struct cw_migration *migration = &repl->migration;
    repl_migration_stop(repl);
    say_record(repl, &none);
    cw_migration_close(migration, repl->history.last_offset, now_of(repl));
    repl_choose_feeding(repl);
}

void repl_migration_turn(struct cw_repl *repl)
{
    struct cw_migration *migration = &repl->migration;
    if (migration->is_following)
        turn_probe(repl);
    if (migration->order == CW_MIGRATION_FOLLOW || repl->role != REPL_LEADING || repl->is_frozen)
        return;
    const struct cw_ha *ha = cw_engine_ha(repl->engine);
    struct cw_migration_facts facts = {.now_ns = now_of(repl),
                                       .is_streaming = repl->follow.state == FOLLOW_STREAMING,
                                       .lacks_replica = cw_ha_lacks_replica(ha),
                                       .held_offset = cw_ha_held_in_sync(ha),
                                       .is_held_by_all = cw_ha_is_held_by_all(ha, migration->close_offset)};
    switch (cw_migration_next(migration, &facts)) {
    case CW_MIGRATION_WAIT: break;
    case CW_MIGRATION_TURN_OFF: turn_off(repl); break;
    case CW_MIGRATION_GIVE_UP: log_notice(repl, migration->outcome); break;
    case CW_MIGRATION_FINISH:
        finish(repl, facts.is_held_by_all ? "cut over: the group is its own, and takes writes"
                                          : "cut over: the group is its own, and takes writes; some replicas do not "
                                            "hold all of it yet");
        break;
    }
}

int64_t repl_migration_deadline(const struct cw_repl *repl)
{
    const struct cw_migration *migration = &repl->migration;
    int64_t deadline_ns = migration->is_following ? probe_deadline(repl) : NEVER_NS;
    /* Behind the bound of its end there is nothing but the replicas in sync to wait for. */
    bool is_bound = migration->order == CW_MIGRATION_CUT_OVER ||
                    (migration->order == CW_MIGRATION_CLOSE && migration->deadline_ns > now_of(repl));
    if (is_bound && migration->deadline_ns < deadline_ns)
        deadline_ns = migration->deadline_ns;
    return deadline_ns;
}

/* --- orders --- */

static void refuse(struct buf *reply, const char *words)
{
    resp_write_error(reply, slice_text(words));
}

/* Whether this worker may be ordered; else the reply says why not. */
static bool may_order(const struct cw_repl *repl, struct buf *reply)
{
    enum cw_serving serving = cw_ha_serving(cw_engine_ha(repl->engine), now_of(repl));
    const char *words = NULL;
    if (serving != CW_SERVING_MASTER && serving != CW_SERVING_MIGRATING)
        words = "NOTMASTER this worker is not the group's master now";
    else if (cw_engine_is_in_command(repl->engine))
        words = "BUSY a script is running; try again";
    else if (repl->migration.order == CW_MIGRATION_CLOSE)
        words = "BUSY the cut-over is being finished; try again";
    if (words != NULL)
        refuse(reply, words);
    return words == NULL;
}

/* CREDENTIALS host port user password: for whoever is, or will be, master. */
static void take_credentials(struct cw_repl *repl, const struct slice *words, struct buf *reply)
{
    struct cw_migration *migration = &repl->migration;
    struct cw_migration_source source;
    if (cw_migration_source_parse(words[0], words[1], words[2], &source) < 0) {
        refuse(reply, "ERR unfit host, port or user");
        return;
    }
    if (words[3].length > CW_MIGRATION_PASSWORD_MAX) {
        refuse(reply, "ERR the password is too long");
        return;
    }
    migration->known = source;
    buf_clear(&migration->password);
    buf_add_slice(&migration->password, words[3]);
    resp_write_ok(reply);
}

static bool is_empty(const struct cw_repl *repl)
{
    struct cw_keyspace *keyspace = cw_engine_keyspace(repl->engine);
    for (unsigned i = 0; i < cw_keyspace_databases(keyspace); i++)
        if (cw_keyspace_count(keyspace, i) > 0)
            return false;
    return true;
}

/* START host port user empty|replace */
static void start(struct cw_repl *repl, const struct slice *words, struct buf *reply)
{
    struct cw_migration *migration = &repl->migration;
    struct cw_migration_source source;
    bool replaces = slice_equal_nocase(words[3], "replace");
    if ((!replaces && !slice_equal_nocase(words[3], "empty")) ||
        cw_migration_source_parse(words[0], words[1], words[2], &source) < 0) {
        refuse(reply, "ERR unfit host, port, user or mode");
    } else if (!may_order(repl, reply)) {
        return;
    } else if (!cw_migration_source_equal(&source, &migration->known)) {
        refuse(reply, "ERR this worker was not told the source's credentials");
    } else if (migration->is_following) {
        refuse(reply, "ERR the group is migrating already: cut over or abort before");
    } else if (!replaces && !cw_migration_is_on(migration) && !is_empty(repl)) {
        refuse(reply, "NOTEMPTY the group has data, which would be replaced: say so with --replace");
    } else {
        say_record(repl, &source);
        migration->has_position = false;
        migration->outcome[0] = '\0';
        repl_choose_feeding(repl);
        cw_engine_stop_writing(repl->engine);
        begin_following(repl);
        resp_write_ok(reply);
    }
}

/* CUT-OVER bound_ms ordinary|force */
static void cut_over(struct cw_repl *repl, const struct slice *words, struct buf *reply)
{
    uint64_t bound_ms;
    bool is_forced = slice_equal_nocase(words[1], "force");
    if (number_parse_u64(words[0], &bound_ms) < 0 || bound_ms > CUT_OVER_MAX_MS ||
        (!is_forced && !slice_equal_nocase(words[1], "ordinary"))) {
        refuse(reply, "ERR unfit bound or mode");
    } else if (!may_order(repl, reply)) {
        return;
    } else if (!repl->migration.is_following) {
        refuse(reply, cw_migration_is_on(&repl->migration)
                          ? "ERR the migration is interrupted: start it again, or abort"
                          : "ERR the group is not migrating");
    } else {
        is_forced |= has_mutant(repl, CW_MUTANT_CUT_OVER_AT_ONCE);
        cw_migration_order_cut_over(&repl->migration, now_of(repl), (int64_t)bound_ms * NS_PER_MS, is_forced);
        if (!repl->probe.is_asking)
            repl->probe.next_ns = now_of(repl);
        log_notice(repl, is_forced ? "cut-over by force" : "cut-over");
        resp_write_ok(reply);
    }
}

static void abort_migration(struct cw_repl *repl, struct buf *reply)
{
    if (!may_order(repl, reply))
        return;
    if (!cw_migration_is_on(&repl->migration)) {
        refuse(reply, "ERR the group is not migrating");
        return;
    }
    turn_off(repl);
    finish(repl, "aborted: the group keeps what it holds, and takes writes");
    resp_write_ok(reply);
}

/* --- what is told --- */

static const char *state_name(const struct cw_repl *repl)
{
    const struct cw_migration *migration = &repl->migration;
    if (migration->order == CW_MIGRATION_CLOSE)
        return "closing";
    if (!cw_migration_is_on(migration))
        return "none";
    if (!migration->is_following)
        return repl->role == REPL_LEADING ? "interrupted" : "replica";
    if (migration->order == CW_MIGRATION_CUT_OVER)
        return "cutting-over";
    switch (repl->follow.state) {
    case FOLLOW_DOWN:
    case FOLLOW_CONNECTING:
    case FOLLOW_GREETING: return "connecting";
    case FOLLOW_ANNOUNCED:
    case FOLLOW_LOADING:
    case FOLLOW_DELIMITER: return "copying";
    case FOLLOW_STREAMING: return "following";
    }
    return "";
}

/* Lines "name:value\r\n". Bytes are those of the snapshot; -1: not known. */
void repl_migration_write(const struct cw_repl *repl, const char *prefix, struct buf *out)
{
    const struct cw_migration *migration = &repl->migration;
    const struct follow *follow = &repl->follow;
    bool is_sized = follow->has_length && follow->received + follow->left > 0;
    uint64_t total = follow->received + follow->left;
    buf_add_format(out, "%sstate:%s\r\n", prefix, state_name(repl));
    if (cw_migration_is_on(migration))
        buf_add_format(out, "%sfrom:%s:%u\r\n", prefix, migration->source.address.host, migration->source.address.port);
    if (migration->is_following)
        buf_add_format(out,
                       "%scopied_bytes:%llu\r\n%stotal_bytes:%lld\r\n%spercent:%.2f\r\n%slag_bytes:%lld\r\n"
                       "%slag_seconds:%lld\r\n",
                       prefix, (unsigned long long)follow->received, prefix, is_sized ? (long long)total : -1LL, prefix,
                       migration->has_position ? 100.0
                       : is_sized              ? (double)follow->received / (double)total * 100
                                               : -1.0,
                       prefix, (long long)cw_migration_lag_bytes(migration), prefix,
                       (long long)cw_migration_lag_s(migration, now_of(repl)));
    if (migration->is_following && follow->trouble[0] != '\0')
        buf_add_format(out, "%strouble:%s\r\n", prefix, follow->trouble);
    if (migration->outcome[0] != '\0')
        buf_add_format(out, "%soutcome:%s\r\n", prefix, migration->outcome);
}

static void write_status(const struct cw_repl *repl, struct buf *reply)
{
    struct buf text = {0};
    repl_migration_write(repl, "", &text);
    resp_write_bulk(reply, buf_slice(&text));
    buf_free(&text);
}

void cw_repl_migrate(struct cw_repl *repl, const struct slice *argv, size_t argc, struct buf *reply)
{
    struct slice verb = argc > 0 ? argv[0] : slice_of(NULL, 0);
    if (argc == 5 && slice_equal_nocase(verb, "credentials"))
        take_credentials(repl, argv + 1, reply);
    else if (argc == 5 && slice_equal_nocase(verb, "start"))
        start(repl, argv + 1, reply);
    else if (argc == 3 && slice_equal_nocase(verb, "cut-over"))
        cut_over(repl, argv + 1, reply);
    else if (argc == 1 && slice_equal_nocase(verb, "abort"))
        abort_migration(repl, reply);
    else if (argc == 1 && slice_equal_nocase(verb, "status"))
        write_status(repl, reply);
    else
        refuse(reply, "ERR usage: RESPITE MIGRATE CREDENTIALS host port user password | START host port user "
                      "empty|replace | CUT-OVER bound-ms ordinary|force | ABORT | STATUS");
}
