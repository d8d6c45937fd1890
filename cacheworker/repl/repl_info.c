#include "cacheworker/repl/repl_internal.h"
#include "common/resp/resp_writer.h"

#define NO_ID "0000000000000000000000000000000000000000"

static const char *follow_state_name(const struct cw_repl *repl)
{
    if (repl->role != REPL_FOLLOWING)
        return "connect";
    switch (repl->follow.state) {
    case FOLLOW_DOWN: return "connect";
    case FOLLOW_CONNECTING: return "connecting";
    case FOLLOW_GREETING: return "handshake";
    case FOLLOW_ANNOUNCED:
    case FOLLOW_LOADING:
    case FOLLOW_DELIMITER: return "sync";
    case FOLLOW_STREAMING: return "connected";
    }
    return "";
}

static const char *peer_state_name(const struct cw_replica_view *view)
{
    return view->is_online ? "online" : view->is_waiting ? "wait_bgsave" : "send_bulk";
}

static int64_t seconds_since(const struct cw_repl *repl, int64_t ns)
{
    return (cw_engine_now_ns(repl->engine) - ns) / NS_PER_S;
}

static void master_lines(const struct cw_repl *repl, struct buf *out)
{
    struct cw_replica_view views[CW_REPLICAS_MAX];
    int64_t now_ns = cw_engine_now_ns(repl->engine);
    size_t count = cw_repl_replicas(repl, now_ns, views, ARRAY_LENGTH(views));
    buf_add_format(out, "connected_slaves:%zu\r\n", count);
    if (repl_settings(repl)->min_replicas > 0 && repl_settings(repl)->max_lag_s > 0)
        buf_add_format(out, "min_slaves_good_slaves:%u\r\n", cw_repl_good_replicas(repl));
    for (size_t i = 0; i < count; i++)
        buf_add_format(out, "slave%zu:ip=%s,port=%u,state=%s,offset=%llu,lag=%lld\r\n", i, views[i].address.host,
                       views[i].address.port, peer_state_name(&views[i]),
                       (unsigned long long)views[i].acknowledged_offset,
                       views[i].is_online ? (long long)seconds_since(repl, views[i].acknowledged_ns) : 0LL);
}

/* Of a full sync that is under way. */
static void sync_lines(const struct cw_repl *repl, struct buf *out)
{
    const struct follow *follow = &repl->follow;
    uint64_t total = follow->has_length ? follow->received + follow->left : 0;
    double percent = total > 0 ? (double)follow->received / (double)total * 100 : 0;
    buf_add_format(out,
                   "master_sync_total_bytes:%llu\r\nmaster_sync_read_bytes:%llu\r\nmaster_sync_left_bytes:%lld\r\n"
                   "master_sync_perc:%.2f\r\nmaster_sync_last_io_seconds_ago:%lld\r\n",
                   (unsigned long long)total, (unsigned long long)follow->received,
                   (long long)(total - follow->received), percent, (long long)seconds_since(repl, follow->heard_ns));
}

static void replica_lines(const struct cw_repl *repl, struct buf *out)
{
    const struct follow *follow = &repl->follow;
    bool is_following = repl->role == REPL_FOLLOWING;
    int64_t silent_s = cw_repl_is_link_up(repl) ? seconds_since(repl, follow->heard_ns) : -1;
    buf_add_format(
        out,
        "master_host:%s\r\nmaster_port:%u\r\nmaster_link_status:%s\r\n"
        "master_last_io_seconds_ago:%lld\r\nmaster_sync_in_progress:%d\r\n"
        "slave_read_repl_offset:%llu\r\nslave_repl_offset:%llu\r\n"
        "replicas_repl_buffer_size:%llu\r\nreplicas_repl_buffer_peak:%llu\r\n",
        is_following ? follow->address.host : "", is_following ? follow->address.port : 0,
        cw_repl_is_link_up(repl) ? "up" : "down", (long long)silent_s, cw_repl_is_syncing(repl) ? 1 : 0,
        (unsigned long long)(repl->history.last_offset + buf_length(&follow->input) + cw_ahead_length(&follow->ahead)),
        (unsigned long long)repl->history.last_offset, (unsigned long long)cw_ahead_length(&follow->ahead),
        (unsigned long long)follow->ahead.peak);
    if (cw_repl_is_syncing(repl))
        sync_lines(repl, out);
    if (!cw_repl_is_link_up(repl))
        buf_add_format(out, "master_link_down_since_seconds:%lld\r\n",
                       follow->down_ns > 0 ? (long long)seconds_since(repl, follow->down_ns) : -1LL);
    if (follow->trouble[0] != '\0')
        buf_add_format(out, "respite_master_link_trouble:%s\r\n", follow->trouble);
    buf_add_format(out, "slave_priority:%lld\r\nslave_read_only:1\r\nreplica_announced:%d\r\n",
                   (long long)repl_settings(repl)->priority, repl_settings(repl)->is_announced);
    master_lines(repl, out);
}

static const char *failover_state_name(const struct cw_repl *repl)
{
    switch (repl->failover.state) {
    case FAILOVER_NONE: return "no-failover";
    case FAILOVER_WAITING: return "waiting-for-sync";
    case FAILOVER_UNDER_WAY: return "failover-in-progress";
    }
    return "";
}

void cw_repl_info(const struct cw_repl *repl, struct buf *out)
{
    bool is_master = repl->role == REPL_LEADING;
    buf_add_format(out, "role:%s\r\n", is_master ? "master" : "slave");
    if (is_master)
        master_lines(repl, out);
    else
        replica_lines(repl, out);
    if (cw_migration_refuses_writes(&repl->migration))
        repl_migration_write(repl, "respite_migration_", out);
    uint64_t held = repl->backlog.end - repl->backlog.first;
    bool has_backlog = repl->keeps_backlog || repl->backlog.count > 0;
    bool has_second = repl->second_id[0] != '\0';
    buf_add_format(out,
                   "master_failover_state:%s\r\nmaster_replid:%s\r\nmaster_replid2:%s\r\n"
                   "master_repl_offset:%llu\r\nsecond_repl_offset:%lld\r\nrepl_backlog_active:%d\r\n"
                   "repl_backlog_size:%lld\r\nrepl_backlog_first_byte_offset:%llu\r\nrepl_backlog_histlen:%llu\r\n",
                   failover_state_name(repl), repl->id, has_second ? repl->second_id : NO_ID,
                   (unsigned long long)repl->history.last_offset, has_second ? (long long)repl->second_end + 1 : -1LL,
                   has_backlog, (long long)repl_settings(repl)->backlog_bytes,
                   (unsigned long long)(has_backlog ? repl->backlog.first + 1 : 0), (unsigned long long)held);
}

static void write_master_role(const struct cw_repl *repl, struct buf *out)
{
    struct cw_replica_view views[CW_REPLICAS_MAX];
    size_t count = cw_repl_replicas(repl, cw_engine_now_ns(repl->engine), views, ARRAY_LENGTH(views));
    resp_write_array(out, 3);
    resp_write_bulk_text(out, "master");
    resp_write_integer(out, (int64_t)repl->history.last_offset);
    size_t online = 0;
    for (size_t i = 0; i < count; i++)
        online += views[i].is_online;
    resp_write_array(out, online);
    for (size_t i = 0; i < count; i++) {
        if (!views[i].is_online)
            continue;
        resp_write_array(out, 3);
        resp_write_bulk_text(out, views[i].address.host);
        resp_write_bulk_u64(out, views[i].address.port);
        resp_write_bulk_u64(out, views[i].acknowledged_offset);
    }
}

void cw_repl_role(const struct cw_repl *repl, struct buf *out, int protocol)
{
    (void)protocol; /* arrays look the same in both */
    if (repl->role == REPL_LEADING) {
        write_master_role(repl, out);
        return;
    }
    bool is_following = repl->role == REPL_FOLLOWING;
    resp_write_array(out, 5);
    resp_write_bulk_text(out, "slave");
    resp_write_bulk_text(out, is_following ? repl->follow.address.host : "");
    resp_write_integer(out, is_following ? repl->follow.address.port : 0);
    resp_write_bulk_text(out, follow_state_name(repl));
    resp_write_integer(out, cw_repl_is_link_up(repl) ? (int64_t)repl->history.last_offset : -1);
}
