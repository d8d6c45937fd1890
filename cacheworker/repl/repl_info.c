#include "cacheworker/repl/repl_internal.h"
#include "common/resp/resp_writer.h"

#define NO_ID "0000000000000000000000000000000000000000"

static const char *follow_state_name(const struct cw_repl *repl)
{
    if (repl->role != REPL_FOLLOWING)
        return "connect";
    switch (repl->follow.state) {
    case FOLLOW_DOWN: return "connect";
    case FOLLOW_CONNECTING:
    case FOLLOW_GREETING: return "connecting";
    case FOLLOW_ANNOUNCED:
    case FOLLOW_LOADING:
    case FOLLOW_DELIMITER: return "sync";
    case FOLLOW_STREAMING: return "connected";
    }
    return "";
}

static const char *peer_state_name(const struct cw_replica_view *view)
{
    return view->is_online ? "online" : "send_bulk";
}

static void master_lines(const struct cw_repl *repl, struct buf *out)
{
    struct cw_replica_view views[CW_REPLICAS_MAX];
    int64_t now_ns = cw_engine_now_ns(repl->engine);
    size_t count = cw_repl_replicas(repl, now_ns, views, ARRAY_LENGTH(views));
    buf_add_format(out, "connected_slaves:%zu\r\n", count);
    for (size_t i = 0; i < count; i++)
        buf_add_format(out, "slave%zu:ip=%s,port=%u,state=%s,offset=%llu,lag=%lld\r\n", i, views[i].address.host,
                       views[i].address.port, peer_state_name(&views[i]),
                       (unsigned long long)views[i].acknowledged_offset,
                       (long long)((now_ns - views[i].acknowledged_ns) / NS_PER_S));
}

static void replica_lines(const struct cw_repl *repl, struct buf *out)
{
    const struct follow *follow = &repl->follow;
    bool is_following = repl->role == REPL_FOLLOWING;
    int64_t silent_s =
        is_following && follow->link != LINK_NONE ? (cw_engine_now_ns(repl->engine) - follow->heard_ns) / NS_PER_S : -1;
    buf_add_format(out,
                   "master_host:%s\r\nmaster_port:%u\r\nmaster_link_status:%s\r\n"
                   "master_last_io_seconds_ago:%lld\r\nmaster_sync_in_progress:%d\r\n"
                   "slave_read_repl_offset:%llu\r\nslave_repl_offset:%llu\r\n",
                   is_following ? follow->address.host : "", is_following ? follow->address.port : 0,
                   cw_repl_is_link_up(repl) ? "up" : "down", (long long)silent_s, cw_repl_is_syncing(repl) ? 1 : 0,
                   (unsigned long long)(repl->history.last_offset + buf_length(&follow->input)),
                   (unsigned long long)repl->history.last_offset);
    if (!cw_repl_is_link_up(repl))
        buf_add_format(out, "master_link_down_since_seconds:%lld\r\n",
                       follow->down_ns > 0 ? (long long)((cw_engine_now_ns(repl->engine) - follow->down_ns) / NS_PER_S)
                                           : -1LL);
    if (follow->trouble[0] != '\0')
        buf_add_format(out, "respite_master_link_trouble:%s\r\n", follow->trouble);
    buf_add_text(out, "slave_priority:100\r\nslave_read_only:1\r\nreplica_announced:1\r\n");
    master_lines(repl, out);
}

void cw_repl_info(const struct cw_repl *repl, struct buf *out)
{
    bool is_master = repl->role == REPL_LEADING;
    buf_add_format(out, "role:%s\r\n", is_master ? "master" : "slave");
    if (is_master)
        master_lines(repl, out);
    else
        replica_lines(repl, out);
    uint64_t held = repl->backlog.end - repl->backlog.first;
    bool has_second = repl->second_id[0] != '\0';
    buf_add_format(out,
                   "master_failover_state:no-failover\r\nmaster_replid:%s\r\nmaster_replid2:%s\r\n"
                   "master_repl_offset:%llu\r\nsecond_repl_offset:%lld\r\nrepl_backlog_active:%d\r\n"
                   "repl_backlog_size:%zu\r\nrepl_backlog_first_byte_offset:%llu\r\nrepl_backlog_histlen:%llu\r\n",
                   repl->id, has_second ? repl->second_id : NO_ID, (unsigned long long)repl->history.last_offset,
                   has_second ? (long long)repl->second_end + 1 : -1LL, repl->backlog.count > 0,
                   cw_engine_config(repl->engine)->backlog_bytes,
                   (unsigned long long)(held > 0 ? repl->backlog.first + 1 : 0), (unsigned long long)held);
}

static void write_master_role(const struct cw_repl *repl, struct buf *out)
{
    struct cw_replica_view views[CW_REPLICAS_MAX];
    size_t count = cw_repl_replicas(repl, cw_engine_now_ns(repl->engine), views, ARRAY_LENGTH(views));
    resp_write_array(out, 3);
    resp_write_bulk_text(out, "master");
    resp_write_integer(out, (int64_t)repl->history.last_offset);
    resp_write_array(out, count);
    for (size_t i = 0; i < count; i++) {
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
    resp_write_integer(out, (int64_t)repl->history.last_offset);
}
