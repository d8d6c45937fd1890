#include "cacheworker/engine/server_commands.h"

#include "cacheworker/block/block.h"
#include "cacheworker/engine/dispatch.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/info/info.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"
#include "common/base/errors.h"
#include "common/base/glob.h"
#include "common/base/number.h"

/* --- CONFIG --- */

static bool has_wildcard(struct slice pattern)
{
    for (size_t i = 0; i < pattern.length; i++) {
        if (strchr("[*?", pattern.data[i]) != NULL)
            return true;
    }
    return false;
}

/* The word that asks for the parameter, or NULL. What is asked for by its name is shown as it was spelled. */
static const struct slice *wanted_by(const struct cw_call *call, size_t setting, bool *ret_by_name)
{
    for (size_t i = 2; i < call->argc; i++) {
        struct slice word = call->argv[i];
        *ret_by_name = !has_wildcard(word);
        bool is_wanted = *ret_by_name ? slice_equal_nocase(word, cw_settings_name(setting))
                                      : !cw_settings_is_hidden(setting) &&
                                            glob_match(word, slice_text(cw_settings_name(setting)), true);
        if (is_wanted)
            return &call->argv[i];
    }
    return NULL;
}

void cw_config_get_command(struct cw_call *call)
{
    size_t count = 0;
    bool by_name;
    for (size_t i = 0; i < cw_settings_count(); i++)
        count += wanted_by(call, i, &by_name) != NULL;
    resp_write_map(call->reply, call->protocol, count);
    struct buf value = {0};
    for (size_t i = 0; i < cw_settings_count(); i++) {
        const struct slice *word = wanted_by(call, i, &by_name);
        if (word == NULL)
            continue;
        buf_clear(&value);
        cw_settings_value(call->engine, i, &value);
        resp_write_bulk(call->reply, by_name ? *word : slice_text(cw_settings_name(i)));
        resp_write_bulk(call->reply, buf_slice(&value));
    }
    buf_free(&value);
}

void cw_config_set_command(struct cw_call *call)
{
    if (call->argc % 2 != 0) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    struct slice name = {0};
    struct buf reason = {0};
    int result = cw_settings_set(call->engine, call->argv + 2, (call->argc - 2) / 2, &name, &reason);
    if (result == 0)
        resp_write_ok(call->reply);
    else if (result == ERR_NOT_FOUND)
        resp_write_error_format(call->reply, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                                (int)name.length, name.data);
    else
        resp_write_error_format(call->reply, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %.*s",
                                (int)name.length, name.data, (int)buf_length(&reason), buf_slice(&reason).data);
    buf_free(&reason);
}

void cw_config_resetstat_command(struct cw_call *call)
{
    cw_statistics_reset(&call->engine->statistics);
    *cw_repl_counts(call->engine->repl) = (struct cw_repl_counts){0};
    *cw_keyspace_stats(call->keyspace) = (struct cw_keyspace_stats){0};
    resp_write_ok(call->reply);
}

void cw_config_rewrite_command(struct cw_call *call)
{
    int error = cw_overlay_write(call->engine);
    if (error == 0)
        resp_write_ok(call->reply);
    else if (error == ERR_UNSUPPORTED)
        cw_reply_error(call, "ERR The server is running without a config file");
    else
        resp_write_error_format(call->reply, "ERR Rewriting config file: %s", error_text(error));
}

void cw_config_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern> [<pattern> ...] -- parameters whose names match, with their values.",
        "RESETSTAT -- counters that INFO shows begin again at zero.",
        "REWRITE -- keep what was set: it is so after a restart, too. The configuration's own file stays as it is.",
        "SET <parameter> <value> [<parameter> <value> ...] -- all of them, or none.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}

/* --- the node --- */

void cw_info_command(struct cw_call *call)
{
    struct buf text = {0};
    cw_info_write(call->engine, call->argv + 1, call->argc - 1, &text);
    resp_write_verbatim(call->reply, call->protocol, "txt", buf_slice(&text));
    buf_free(&text);
}

/* A host and a port; else the reply says what is wrong. */
static bool parse_master(struct cw_call *call, struct address *ret_master)
{
    struct slice host = call->argv[1];
    uint64_t port;
    if (number_parse_u64(call->argv[2], &port) < 0 || port > UINT16_MAX) {
        cw_reply_error(call, "ERR Invalid master port");
        return false;
    }
    if (host.length == 0 || host.data[0] == '/' || host.length >= sizeof(ret_master->host) ||
        memchr(host.data, '\0', host.length) != NULL) {
        cw_reply_error(call, "ERR Invalid master host");
        return false;
    }
    *ret_master = (struct address){.port = (uint16_t)port};
    memcpy(ret_master->host, host.data, host.length);
    return true;
}

/* Clients that wait for keys are told, for they would wait for what cannot come. */
static void change_master(struct cw_call *call, const struct address *master)
{
    struct cw_engine *engine = call->engine;
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "by order of a client: %s %s",
               master != NULL ? "replica of" : "master", master != NULL ? master->host : "");
    cw_repl_obey(engine->repl, master);
    if (master != NULL)
        cw_engine_stop_writing(engine);
    else
        cw_engine_look_at_role(engine);
    resp_write_ok(call->reply);
}

void cw_replicaof_command(struct cw_call *call)
{
    const struct address *present = cw_repl_stock_master(call->engine->repl);
    struct address master;
    if (!call->engine->config.standalone)
        cw_reply_error(call, "ERR REPLICAOF is not for a node of a group: its sentinels say who follows whom");
    else if (cw_repl_is_failing_over(call->engine->repl))
        cw_reply_error(call, "ERR REPLICAOF not allowed while failing over.");
    else if (slice_equal_nocase(call->argv[1], "no") && slice_equal_nocase(call->argv[2], "one"))
        change_master(call, NULL);
    else if (!parse_master(call, &master))
        return;
    else if (present != NULL && address_equal(present, &master))
        resp_write_simple(call->reply, SLICE_LITERAL("OK Already connected to specified master"));
    else
        change_master(call, &master);
}

/* The words behind FAILOVER; else the reply says what is wrong. */
static bool parse_failover(struct cw_call *call, struct cw_failover_order *order, struct address *target)
{
    for (size_t i = 1; i < call->argc; i++) {
        struct slice word = call->argv[i];
        int64_t port;
        if (slice_equal_nocase(word, "timeout") && i + 1 < call->argc && order->timeout_ms == 0) {
            if (!cw_call_integer(call, ++i, &order->timeout_ms))
                return false;
            if (order->timeout_ms <= 0 || order->timeout_ms > INT64_MAX / NS_PER_MS / 2) {
                cw_reply_error(call, "ERR FAILOVER timeout must be greater than 0");
                return false;
            }
        } else if (slice_equal_nocase(word, "to") && i + 2 < call->argc && order->target == NULL) {
            struct slice host = call->argv[i + 1];
            if (!cw_call_integer(call, i + 2, &port))
                return false;
            bool may_be = host.length < sizeof(target->host) && port >= 0 && port <= UINT16_MAX;
            *target = (struct address){.port = may_be ? (uint16_t)port : 0};
            memcpy(target->host, host.data, may_be ? host.length : 0);
            order->target = target;
            i += 2;
        } else if (slice_equal_nocase(word, "force") && !order->is_forced) {
            order->is_forced = true;
        } else {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

void cw_failover_command(struct cw_call *call)
{
    struct cw_failover_order order = {.target = NULL};
    struct address target;
    const char *error;
    if (!call->engine->config.standalone)
        error = "ERR FAILOVER is not for a node of a group: its sentinels do that, by respitectl failover";
    else if (call->argc == 2 && slice_equal_nocase(call->argv[1], "abort"))
        error = cw_repl_abort_failover(call->engine->repl);
    else if (!parse_failover(call, &order, &target))
        return;
    else
        error = cw_repl_fail_over(call->engine->repl, &order);
    cw_engine_look_at_role(call->engine);
    if (error != NULL)
        cw_reply_error(call, error);
    else
        resp_write_ok(call->reply);
}

void cw_role_command(struct cw_call *call)
{
    cw_repl_role(call->engine->repl, call->reply, call->protocol);
}

void cw_time_command(struct cw_call *call)
{
    resp_write_array(call->reply, 2);
    resp_write_bulk_i64(call->reply, call->engine->wall_us / 1000000);
    resp_write_bulk_i64(call->reply, call->engine->wall_us % 1000000);
}

/* --- the disk --- */

/* A file that is about to get its name would take the place of a newer one. */
static bool has_place_to_save(struct cw_call *call)
{
    if (call->engine->config.storage == NULL) {
        cw_reply_error(call, "ERR this server was started without a directory, so it cannot save");
        return false;
    }
    if (cw_background_save_is_running(&call->engine->background_save)) {
        cw_reply_error(call, "ERR Background save already in progress");
        return false;
    }
    return true;
}

bool cw_save_or_refuse(struct cw_call *call)
{
    if (!has_place_to_save(call))
        return false;
    int result = cw_repl_save(call->engine->repl);
    if (result < 0) {
        resp_write_error_format(call->reply, "ERR %s", error_text(result));
        return false;
    }
    call->engine->saved_us = call->engine->wall_us;
    call->engine->statistics.changes = 0;
    call->engine->statistics.saves++;
    return true;
}

void cw_save_command(struct cw_call *call)
{
    if (cw_save_or_refuse(call))
        resp_write_ok(call->reply);
}

/* BGSAVE CANCEL, as Valkey has it; but a full sync goes on. */
static void cancel_save(struct cw_call *call)
{
    switch (cw_background_save_cancel(call->engine)) {
    case CW_CANCELLED_WANTED:
        resp_write_simple(call->reply, SLICE_LITERAL("Scheduled background saving cancelled"));
        break;
    case CW_CANCELLED_WRITING: resp_write_simple(call->reply, SLICE_LITERAL("Background saving cancelled")); break;
    case CW_CANCELLED_NOTHING:
        cw_reply_error(call, "ERR Background saving is currently not in progress or scheduled");
        break;
    }
}

/* Wanted, and not yet begun: another picture is being taken. */
static bool is_scheduled(const struct cw_engine *engine)
{
    return engine->background_save.state == CW_BACKGROUND_WANTED;
}

void cw_bgsave_command(struct cw_call *call)
{
    bool schedules = call->argc == 2 && slice_equal_nocase(call->argv[1], "schedule");
    bool cancels = call->argc == 2 && slice_equal_nocase(call->argv[1], "cancel");
    if (call->argc > 2 || (call->argc == 2 && !schedules && !cancels)) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    if (cancels) {
        cancel_save(call);
        return;
    }
    if (!is_scheduled(call->engine) && !has_place_to_save(call))
        return;
    bool is_in_transaction = call->flags & CW_CALL_IN_TRANSACTION;
    if (!schedules && !is_in_transaction && cw_aof_rewrite_is_running(&call->engine->aof.rewrite)) {
        cw_reply_error(call, "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE "
                             "in order to schedule a BGSAVE whenever possible.");
        return;
    }
    bool is_later = is_in_transaction || cw_keyspace_snapshot_is_active(call->keyspace);
    if (!is_scheduled(call->engine))
        CHECK(cw_background_save_want(call->engine) == 0);
    resp_write_simple(call->reply, is_later ? SLICE_LITERAL("Background saving scheduled")
                                            : SLICE_LITERAL("Background saving started"));
}

void cw_lastsave_command(struct cw_call *call)
{
    resp_write_integer(call->reply, call->engine->saved_us / 1000000);
}

/* --- what is not there, and says so --- */

void cw_lolwut_command(struct cw_call *call)
{
    int64_t version;
    if (call->argc >= 3 && slice_equal_nocase(call->argv[1], "version") && !cw_call_integer(call, 2, &version))
        return;
    resp_write_verbatim(call->reply, call->protocol, "txt",
                        SLICE_LITERAL("Respite " PACKAGE_VERSION ": keep calm, it is only a cache.\n"));
}
