#include "cacheworker/info/info.h"

#include "cacheworker/engine/memory.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/info/memory_report.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/pubsub/pubsub.h"
#include "cacheworker/tracking/tracking.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"

#include <inttypes.h>

/* --- sections --- */

static const char *known(const char *text)
{
    return text != NULL ? text : "";
}

static void write_server(const struct cw_engine *engine, struct buf *out)
{
    int64_t uptime_s = (engine->now_ns - engine->start_ns) / NS_PER_S;
    char identity[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&cw_ha_life(engine->ha)->node, identity);
    buf_add_format(out, "redis_version:%s\r\n", CW_REDIS_VERSION);
    buf_add_format(out, "respite_version:%s\r\n", PACKAGE_VERSION);
    buf_add_text(out, "redis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:0\r\n");
    buf_add_text(out, "redis_mode:standalone\r\n");
    buf_add_format(out, "os:%s\r\narch_bits:%zu\r\n", known(engine->config.system), sizeof(void *) * 8);
    buf_add_text(out, "monotonic_clock:POSIX clock_gettime\r\nmultiplexing_api:epoll\r\natomicvar_api:c11-builtin\r\n");
    buf_add_format(out, "gcc_version:%d.%d.%d\r\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
    buf_add_format(out, "process_id:%d\r\nprocess_supervised:no\r\n", engine->config.pid);
    buf_add_format(out, "run_id:%s%08" PRIx64 "\r\n", identity, engine->config.incarnation_bits & UINT32_MAX);
    buf_add_format(out, "tcp_port:%u\r\n", engine->config.port);
    buf_add_format(out, "server_time_usec:%" PRId64 "\r\n", engine->wall_us);
    buf_add_format(out, "uptime_in_seconds:%" PRId64 "\r\nuptime_in_days:%" PRId64 "\r\n", uptime_s, uptime_s / 86400);
    buf_add_format(out, "hz:%" PRId64 "\r\nconfigured_hz:%" PRId64 "\r\nio_threads_active:0\r\n", engine->settings.hz,
                   engine->settings.hz);
    buf_add_format(out, "lru_clock:%" PRId64 "\r\n", engine->wall_us / 1000000 & 0xffffff);
    buf_add_format(out, "executable:%s\r\nconfig_file:%s\r\n", known(engine->config.executable),
                   known(engine->config.config_file));
    buf_add_format(out, "listener0:name=tcp,bind=%s,port=%u\r\n", engine->config.data.host, engine->config.port);
    if (engine->shutdown.state == CW_SHUTDOWN_AWAITS_REPLICAS)
        buf_add_format(out, "shutdown_in_milliseconds:%" PRId64 "\r\n",
                       (engine->shutdown.end_ns - engine->now_ns) / NS_PER_MS);
}

/* Clients with a command that waits for the end of CLIENT PAUSE. */
static unsigned count_paused(const struct cw_engine *engine)
{
    unsigned count = 0;
    if (engine->pause_until_ns == 0)
        return 0;
    LIST_FOR_EACH(node, &engine->parked)
    count++;
    return count;
}

static void write_clients(const struct cw_engine *engine, struct buf *out)
{
    size_t largest_input = 0, largest_output = 0;
    unsigned connected = 0, waiting = count_paused(engine), listening = 0;
    LIST_FOR_EACH(node, &engine->sessions)
    {
        const struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session->kind != CW_LINK_CLIENT)
            continue;
        connected++;
        waiting += (session->flags & CW_SESSION_WAITING) != 0;
        listening += (session->flags & CW_SESSION_IN_PUBSUB) != 0;
        if (buf_length(&session->kept) > largest_input)
            largest_input = buf_length(&session->kept);
        if (buf_length(&session->out) > largest_output)
            largest_output = buf_length(&session->out);
    }
    buf_add_format(out, "connected_clients:%u\r\ncluster_connections:0\r\n", connected);
    buf_add_format(out, "maxclients:%" PRId64 "\r\n", engine->settings.max_clients);
    buf_add_format(out, "client_recent_max_input_buffer:%zu\r\n", largest_input);
    buf_add_format(out, "client_recent_max_output_buffer:%zu\r\n", largest_output);
    buf_add_format(out, "blocked_clients:%u\r\ntracking_clients:%zu\r\npubsub_clients:%u\r\n", waiting,
                   cw_tracking_clients(engine->tracking), listening);
    buf_add_format(out,
                   "total_blocking_keys:%zu\r\ntotal_blocking_keys_on_nokey:%zu\r\nclients_in_timeout_table:%zu\r\n",
                   engine->waiters.keys.count, engine->waiters.ending, engine->waiters.deadlines.count);
}

static void add_human_size(struct buf *out, size_t bytes)
{
    static const char units[] = "BKMGT";
    double size = (double)bytes;
    size_t unit = 0;
    for (; size >= 1024 && unit + 2 < sizeof(units); unit++)
        size /= 1024;
    buf_add_format(out, unit == 0 ? "%.0f%c" : "%.2f%c", size, units[unit]);
}

static void add_size(struct buf *out, const char *name, size_t bytes)
{
    buf_add_format(out, "%s:%zu\r\n%s_human:", name, bytes, name);
    add_human_size(out, bytes);
    buf_add_text(out, "\r\n");
}

static void add_share(struct buf *out, const char *name, size_t part, size_t whole)
{
    buf_add_format(out, "%s:%.2f%%\r\n", name, cw_percentage(part, whole));
}

/* How much more `whole` is than `part`, or less. */
static void add_excess(struct buf *out, const char *name, size_t whole, size_t part)
{
    buf_add_format(out, "%s_ratio:%.2f\r\n%s_bytes:%" PRId64 "\r\n", name, cw_ratio(whole, part), name,
                   (int64_t)whole - (int64_t)part);
}

static void write_scripts_memory(const struct cw_engine *engine, struct buf *out)
{
    struct cw_scripting_figures figures;
    cw_scripting_figures(engine->scripting, &figures);
    add_size(out, "used_memory_lua", figures.eval_bytes);
    buf_add_format(out, "used_memory_vm_eval:%zu\r\nused_memory_scripts_eval:%zu\r\nnumber_of_cached_scripts:%zu\r\n",
                   figures.eval_bytes, figures.script_bytes, figures.scripts);
    buf_add_format(out, "number_of_functions:%zu\r\nnumber_of_libraries:%zu\r\nused_memory_vm_functions:%zu\r\n",
                   figures.functions, figures.libraries, figures.library_bytes);
    add_size(out, "used_memory_vm_total", figures.eval_bytes + figures.library_bytes);
    buf_add_format(out, "used_memory_functions:%zu\r\n", figures.function_bytes);
    add_size(out, "used_memory_scripts", figures.script_bytes + figures.function_bytes);
}

static void write_memory(const struct cw_engine *engine, struct buf *out)
{
    const struct cw_evict_rules *eviction = &engine->settings.eviction;
    struct cw_memory_report report;
    cw_memory_report(engine, &report);
    add_size(out, "used_memory", report.used);
    add_size(out, "used_memory_rss", report.resident);
    add_size(out, "used_memory_peak", report.peak);
    add_share(out, "used_memory_peak_perc", report.used, report.peak);
    buf_add_format(out, "used_memory_overhead:%zu\r\nused_memory_startup:%zu\r\nused_memory_dataset:%zu\r\n",
                   report.overhead, report.startup, report.dataset);
    add_share(out, "used_memory_dataset_perc", report.dataset, report.used - report.startup);
    buf_add_format(out, "allocator_allocated:%zu\r\nallocator_active:%zu\r\nallocator_resident:%zu\r\n", report.data,
                   report.data_held, report.data_held);
    add_size(out, "total_system_memory", engine->config.system_memory_bytes);
    write_scripts_memory(engine, out);
    add_size(out, "maxmemory", eviction->limit_bytes);
    buf_add_format(out, "maxmemory_policy:%s\r\n", cw_policy_name(eviction->policy));
    add_excess(out, "allocator_frag", report.data_held, report.data);
    add_excess(out, "mem_fragmentation", report.resident, report.used);
    add_excess(out, "allocator_rss", report.data_held, report.data_held);
    add_excess(out, "rss_overhead", report.resident,
               report.resident < report.data_held ? report.resident : report.data_held);
    buf_add_format(out, "mem_not_counted_for_evict:%zu\r\n", report.used - report.data);
    buf_add_format(out, "mem_total_replication_buffers:%zu\r\n", report.replication + report.replicas);
    buf_add_format(out, "mem_replication_backlog:%zu\r\nmem_clients_slaves:%zu\r\nmem_clients_normal:%zu\r\n",
                   report.replication, report.replicas, report.clients);
    buf_add_text(out, "mem_cluster_links:0\r\nmem_aof_buffer:0\r\nmem_allocator:libc\r\n");
    buf_add_format(out, "active_defrag_running:%d\r\n", engine->compacting ? 1 : 0);
    buf_add_format(out, "lazyfree_pending_objects:%" PRIu64 "\r\nlazyfreed_objects:%" PRIu64 "\r\n",
                   cw_keyspace_to_free(engine->keyspace) + cw_leaving_to_free(&engine->leaving),
                   cw_keyspace_stats(engine->keyspace)->freed_later);
}

/* The one on its way to a file, or NULL. */
static const struct cw_picture *current_picture(const struct cw_engine *engine)
{
    if (engine->background_save.picture.is_being_shown)
        return &engine->background_save.picture;
    return engine->aof.rewrite.picture.is_being_shown ? &engine->aof.rewrite.picture : NULL;
}

/* Nothing is forked, and no memory copied when it is written to: what a picture takes are the bytes that wait for the
 * disk, or for the end of a big value. */
static void write_picture(const struct cw_engine *engine, struct buf *out)
{
    const struct cw_picture *picture = current_picture(engine);
    uint64_t keys = picture != NULL ? picture->keys : 0, total = picture != NULL ? picture->keys_total : 0;
    buf_add_format(out, "current_cow_peak:%zu\r\ncurrent_cow_size:%zu\r\ncurrent_cow_size_age:0\r\n",
                   picture != NULL ? picture->held_peak : 0, picture != NULL ? cw_picture_held(picture) : 0);
    buf_add_format(out, "current_fork_perc:%.2f\r\n", total > 0 ? (double)keys / (double)total * 100 : 0.0);
    buf_add_format(out, "current_save_keys_processed:%" PRIu64 "\r\ncurrent_save_keys_total:%" PRIu64 "\r\n", keys,
                   total);
}

/* No process is ever forked: what tells of those stands still. */
static void write_persistence(const struct cw_engine *engine, struct buf *out)
{
    buf_add_format(out, "loading:%d\r\nasync_loading:0\r\n", engine->serving == CW_SERVING_LOADING ? 1 : 0);
    const struct cw_background_save *save = &engine->background_save;
    bool is_scheduled = save->state == CW_BACKGROUND_WANTED && cw_keyspace_snapshot_is_active(engine->keyspace);
    bool is_saving = cw_background_save_is_running(save) && !is_scheduled;
    write_picture(engine, out);
    buf_add_format(out, "rdb_changes_since_last_save:%" PRIu64 "\r\n", engine->statistics.changes);
    buf_add_format(out, "rdb_bgsave_in_progress:%d\r\n", is_saving ? 1 : 0);
    buf_add_format(out, "rdb_last_save_time:%" PRId64 "\r\n", engine->saved_us / 1000000);
    buf_add_format(out, "rdb_last_bgsave_status:%s\r\n", cw_repl_disk_failed(engine->repl) ? "err" : "ok");
    buf_add_format(out, "rdb_last_bgsave_time_sec:%" PRId64 "\r\nrdb_current_bgsave_time_sec:%" PRId64 "\r\n",
                   save->took_ns > 0 ? save->took_ns / NS_PER_S : -1,
                   save->state == CW_BACKGROUND_WRITING ? (engine->now_ns - save->began_ns) / NS_PER_S : -1);
    buf_add_format(out, "rdb_saves:%" PRIu64 "\r\n", engine->statistics.saves);
    buf_add_format(out, "rdb_last_load_keys_expired:%" PRIu64 "\r\nrdb_last_load_keys_loaded:%" PRIu64 "\r\n",
                   engine->due_keys, engine->loaded_keys);
    buf_add_format(out, "rdb_last_cow_size:%zu\r\n", save->held_peak);
    cw_aof_info(engine, out);
    buf_add_text(out, "module_fork_in_progress:0\r\nmodule_fork_last_cow_size:0\r\n");
    cw_loading_info(engine, out);
}

static void add_rate(const struct cw_engine *engine, const struct cw_rate *rate, const char *name, struct buf *out)
{
    buf_add_format(out, "%s:%.2f\r\n", name, (double)cw_rate_per_second(rate, engine->now_ns) / 1024);
}

/* The reference tells of its event loop; here that is turns, and the processor time that they took. */
static void add_turns(const struct cw_engine *engine, struct buf *out)
{
    const struct cw_statistics *statistics = &engine->statistics;
    uint64_t commands_ns = 0;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++)
        commands_ns += statistics->commands[id].total_ns;
    uint64_t turns = cw_rate_per_second(&statistics->turns_rate, engine->now_ns);
    uint64_t turns_ns = cw_rate_per_second(&statistics->turns_ns_rate, engine->now_ns);
    buf_add_format(out,
                   "eventloop_cycles:%" PRIu64 "\r\neventloop_duration_sum:%" PRIu64
                   "\r\neventloop_duration_cmd_sum:%" PRIu64 "\r\ninstantaneous_eventloop_cycles_per_sec:%" PRIu64
                   "\r\ninstantaneous_eventloop_duration_usec:%" PRIu64 "\r\n",
                   statistics->turns, statistics->turns_ns / (uint64_t)NS_PER_US, commands_ns / (uint64_t)NS_PER_US,
                   turns, turns > 0 ? turns_ns / turns / (uint64_t)NS_PER_US : 0);
}

static void write_stats(const struct cw_engine *engine, struct buf *out)
{
    const struct cw_statistics *statistics = &engine->statistics;
    const struct cw_keyspace_stats *keys = cw_keyspace_stats(engine->keyspace);
    buf_add_format(out, "total_connections_received:%" PRIu64 "\r\n", statistics->total_connections);
    buf_add_format(out, "total_commands_processed:%" PRIu64 "\r\n", statistics->total_commands);
    buf_add_format(out, "instantaneous_ops_per_sec:%" PRIu64 "\r\n",
                   cw_rate_per_second(&statistics->commands_rate, engine->now_ns));
    buf_add_format(out, "total_net_input_bytes:%" PRIu64 "\r\n", statistics->input_bytes);
    buf_add_format(out, "total_net_output_bytes:%" PRIu64 "\r\n", statistics->output_bytes);
    buf_add_format(out, "total_net_repl_input_bytes:%" PRIu64 "\r\n", statistics->replication_input_bytes);
    buf_add_format(out, "total_net_repl_output_bytes:%" PRIu64 "\r\n", statistics->replication_output_bytes);
    add_rate(engine, &statistics->input_rate, "instantaneous_input_kbps", out);
    add_rate(engine, &statistics->output_rate, "instantaneous_output_kbps", out);
    add_rate(engine, &statistics->replication_input_rate, "instantaneous_input_repl_kbps", out);
    add_rate(engine, &statistics->replication_output_rate, "instantaneous_output_repl_kbps", out);
    buf_add_format(out, "rejected_connections:%" PRIu64 "\r\n", statistics->rejected_connections);
    const struct cw_repl_counts *syncs = cw_repl_counts(engine->repl);
    buf_add_format(out, "sync_full:%" PRIu64 "\r\nsync_partial_ok:%" PRIu64 "\r\nsync_partial_err:%" PRIu64 "\r\n",
                   syncs->full_syncs, syncs->partial_syncs, syncs->refused_partial_syncs);
    buf_add_format(out, "expired_keys:%" PRIu64 "\r\nexpired_subkeys:%" PRIu64 "\r\n", keys->expired,
                   keys->expired_parts);
    buf_add_format(out, "evicted_keys:%" PRIu64 "\r\nevicted_clients:%" PRIu64 "\r\n", statistics->evicted_keys,
                   statistics->evicted_clients);
    buf_add_format(out, "total_eviction_exceeded_time:%" PRId64 "\r\ncurrent_eviction_exceeded_time:%" PRId64 "\r\n",
                   cw_memory_exceeded_ns(engine) / NS_PER_MS, cw_memory_exceeds_since_ns(engine) / NS_PER_MS);
    buf_add_format(out, "keyspace_hits:%" PRIu64 "\r\nkeyspace_misses:%" PRIu64 "\r\n", keys->hits, keys->misses);
    buf_add_format(out, "pubsub_channels:%zu\r\npubsub_patterns:%zu\r\npubsubshard_channels:%zu\r\n",
                   cw_pubsub_topics(engine->pubsub, CW_TOPIC_CHANNEL),
                   cw_pubsub_topics(engine->pubsub, CW_TOPIC_PATTERN),
                   cw_pubsub_topics(engine->pubsub, CW_TOPIC_SHARD_CHANNEL));
    buf_add_format(out, "acl_access_denied_auth:%" PRIu64 "\r\nacl_access_denied_cmd:%" PRIu64 "\r\n",
                   statistics->denied[CW_ACL_REASON_AUTH], statistics->denied[CW_ACL_REASON_COMMAND]);
    buf_add_format(out, "acl_access_denied_key:%" PRIu64 "\r\nacl_access_denied_channel:%" PRIu64 "\r\n",
                   statistics->denied[CW_ACL_REASON_KEY], statistics->denied[CW_ACL_REASON_CHANNEL]);
    buf_add_format(out,
                   "expired_stale_perc:0.00\r\nexpired_time_cap_reached_count:%" PRIu64
                   "\r\nexpire_cycle_cpu_milliseconds:%" PRIu64 "\r\n",
                   statistics->expire_cycles_cut, statistics->expire_cycles_ns / (uint64_t)NS_PER_MS);
    buf_add_text(out, "latest_fork_usec:0\r\ntotal_forks:0\r\nmigrate_cached_sockets:0\r\n"
                      "slave_expires_tracked_keys:0\r\n");
    buf_add_format(out,
                   "tracking_total_keys:%zu\r\ntracking_total_items:%" PRIu64 "\r\ntracking_total_prefixes:%zu\r\n",
                   cw_tracking_keys(engine->tracking), cw_tracking_items(engine->tracking),
                   cw_tracking_prefixes(engine->tracking));
    buf_add_format(out, "total_error_replies:%" PRIu64 "\r\n", statistics->total_errors);
    buf_add_format(out, "client_query_buffer_limit_disconnections:%" PRIu64 "\r\n",
                   statistics->query_limit_disconnections);
    buf_add_format(out, "client_output_buffer_limit_disconnections:%" PRIu64 "\r\n",
                   statistics->output_limit_disconnections);
    buf_add_format(out, "total_reads_processed:%" PRIu64 "\r\ntotal_writes_processed:%" PRIu64 "\r\n",
                   statistics->reads, statistics->writes);
    buf_add_text(out, "active_defrag_hits:0\r\nactive_defrag_misses:0\r\nactive_defrag_key_hits:0\r\n"
                      "active_defrag_key_misses:0\r\ntotal_active_defrag_time:0\r\ncurrent_active_defrag_time:0\r\n"
                      "unexpected_error_replies:0\r\ndump_payload_sanitizations:0\r\n"
                      "reply_buffer_shrinks:0\r\nreply_buffer_expands:0\r\n");
    buf_add_text(out, "io_threaded_reads_processed:0\r\nio_threaded_writes_processed:0\r\n");
    add_turns(engine, out);
    buf_add_format(out, "respite_longest_turn_usec:%" PRId64 "\r\n", statistics->longest_turn_ns / NS_PER_US);
}

static void write_modules(const struct cw_engine *engine, struct buf *out)
{
    (void)engine;
    (void)out; /* there are none */
}

static void write_replication(const struct cw_engine *engine, struct buf *out)
{
    cw_repl_info(engine->repl, out);
}

static void write_commandstats(const struct cw_engine *engine, struct buf *out)
{
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        const struct cw_command_statistics *command = &engine->statistics.commands[id];
        if (command->calls == 0 && command->rejected == 0)
            continue;
        uint64_t usec = command->total_ns / NS_PER_US;
        buf_add_format(out,
                       "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,rejected_calls=%" PRIu64
                       ",failed_calls=%" PRIu64 "\r\n",
                       command_table[id].full_name, command->calls, usec,
                       command->calls > 0 ? (double)usec / (double)command->calls : 0.0, command->rejected,
                       command->failed);
    }
}

static void write_errorstats(const struct cw_engine *engine, struct buf *out)
{
    for (unsigned i = 0; i < engine->statistics.error_kinds; i++)
        buf_add_format(out, "errorstat_%s:count=%" PRIu64 "\r\n", engine->statistics.errors[i].code,
                       engine->statistics.errors[i].count);
}

static void add_percentiles(const struct cw_engine *engine, const struct cw_histogram *histogram, struct buf *out)
{
    const struct cw_percentiles *percentiles = &engine->settings.percentiles;
    for (size_t i = 0; i < percentiles->count; i++) {
        buf_add_text(out, i > 0 ? ",p" : "p");
        cw_settings_write_percentile(percentiles->of[i], out);
        buf_add_format(out, "=%.3f", (double)cw_histogram_percentile_ns(histogram, percentiles->of[i]) / 1000);
    }
}

static void write_latencystats(const struct cw_engine *engine, struct buf *out)
{
    if (!engine->settings.latency_tracking)
        return;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        const struct cw_histogram *histogram = engine->statistics.commands[id].histogram;
        if (histogram == NULL)
            continue;
        buf_add_format(out, "latency_percentiles_usec_%s:", command_table[id].full_name);
        add_percentiles(engine, histogram, out);
        buf_add_text(out, "\r\n");
    }
}

static void write_cluster(const struct cw_engine *engine, struct buf *out)
{
    (void)engine;
    buf_add_text(out, "cluster_enabled:0\r\n");
}

static void write_keyspace(const struct cw_engine *engine, struct buf *out)
{
    for (unsigned database = 0; database < engine->config.databases; database++) {
        uint64_t keys = cw_keyspace_count(engine->keyspace, database);
        if (keys == 0)
            continue;
        buf_add_format(out, "db%u:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=0\r\n", database, keys,
                       cw_keyspace_count_expires(engine->keyspace, database));
    }
}

static void add_seconds(struct buf *out, const char *name, int64_t us)
{
    buf_add_format(out, "%s:%" PRId64 ".%06" PRId64 "\r\n", name, us / 1000000, us % 1000000);
}

/* There are no child processes, and never were. */
static void write_cpu(const struct cw_engine *engine, struct buf *out)
{
    struct cw_cpu_times times = {0};
    if (engine->config.cpu_times != NULL)
        engine->config.cpu_times(&times);
    add_seconds(out, "used_cpu_sys", times.system_us);
    add_seconds(out, "used_cpu_user", times.user_us);
    add_seconds(out, "used_cpu_sys_children", 0);
    add_seconds(out, "used_cpu_user_children", 0);
    add_seconds(out, "used_cpu_sys_main_thread", times.command_system_us);
    add_seconds(out, "used_cpu_user_main_thread", times.command_user_us);
}

static void write_respite(const struct cw_engine *engine, struct buf *out)
{
    cw_ha_info(engine->ha, out);
}

/* --- which of them --- */

static const struct section {
    const char *title;
    bool is_default;
    void (*write)(const struct cw_engine *engine, struct buf *out);
} sections[] = {
    {"Server", true, write_server},
    {"Clients", true, write_clients},
    {"Memory", true, write_memory},
    {"Persistence", true, write_persistence},
    {"Stats", true, write_stats},
    {"Replication", true, write_replication},
    {"CPU", true, write_cpu},
    {"Modules", true, write_modules},
    {"Respite", true, write_respite},
    {"Commandstats", false, write_commandstats},
    {"Errorstats", true, write_errorstats},
    {"Latencystats", false, write_latencystats},
    {"Cluster", true, write_cluster},
    {"Keyspace", true, write_keyspace},
};

static bool is_wanted(const struct section *section, const struct slice *names, size_t count)
{
    if (count == 0)
        return section->is_default;
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_nocase(names[i], section->title) || slice_equal_nocase(names[i], "all") ||
            slice_equal_nocase(names[i], "everything") ||
            (section->is_default && slice_equal_nocase(names[i], "default")))
            return true;
    }
    return false;
}

void cw_info_write(const struct cw_engine *engine, const struct slice *names, size_t count, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(sections); i++) {
        if (!is_wanted(&sections[i], names, count))
            continue;
        if (buf_length(out) > 0)
            buf_add_text(out, "\r\n");
        buf_add_format(out, "# %s\r\n", sections[i].title);
        sections[i].write(engine, out);
    }
}
