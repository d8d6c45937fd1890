/* SENTINEL: what client libraries and monitoring ask of a Redis Sentinel. */
#include "common/base/errors.h"
#include "common/base/number.h"
#include "common/resp/resp_writer.h"
#include "sentinel/core/api.h"
#include "sentinel/core/core.h"

struct ask { /* one request */
    struct sn_sentinel *sentinel;
    struct sn_link *link;
    const struct slice *argv;
    struct buf *out;
    int protocol;
    struct sn_group *group; /* of argv[2], where the subcommand names one */
};

static void add_text(const struct ask *ask, const char *name, const char *value)
{
    resp_write_bulk_text(ask->out, name);
    resp_write_bulk_text(ask->out, value);
}

static void add_number(const struct ask *ask, const char *name, int64_t value)
{
    resp_write_bulk_text(ask->out, name);
    resp_write_bulk_i64(ask->out, value);
}

static void add_id(const struct ask *ask, const char *name, const struct identity *id)
{
    char text[IDENTITY_TEXT_LENGTH + 1];
    identity_format(id, text);
    add_text(ask, name, identity_is_nobody(id) ? "" : text);
}

static const struct sn_node *find_node(const struct sn_group *group, const struct identity *id)
{
    for (uint32_t i = 0; i < group->node_count; i++) {
        if (identity_equal(&group->nodes[i]->id, id))
            return group->nodes[i];
    }
    return NULL;
}

static int64_t age_ms(const struct ask *ask, const struct sn_node *node)
{
    return node && node->has_status ? (ask->sentinel->now_ns - node->status_ns) / NS_PER_MS : -1;
}

static uint32_t majority_of(const struct sn_group *group)
{
    return group->learned.sentinels.count / 2 + 1;
}

static uint32_t replicas_of(const struct sn_group *group)
{
    return group->learned.member_count - (group->learned.epoch > 0 ? 1 : 0);
}

static void describe_master(const struct ask *ask, const struct sn_group *group)
{
    const struct topology *learned = &group->learned;
    const struct sn_node *node = find_node(group, &learned->master.node);
    struct address address = {0};
    const char *flags = "master";
    if (!sn_api_endpoint(ask->sentinel, group, &address))
        flags = "master,s_down,disconnected"; /* client libraries pass over what is down */
    else if (sn_failover_is_agreed(ask->sentinel, group))
        flags = "master,s_down,o_down";
    else if (sn_group_sees_dead(ask->sentinel, group))
        flags = "master,s_down";

    resp_write_map(ask->out, ask->protocol, 17);
    add_text(ask, "name", group->name);
    add_text(ask, "ip", address.host);
    add_number(ask, "port", address.port);
    add_id(ask, "runid", &learned->master.node);
    add_text(ask, "flags", flags);
    add_number(ask, "link-pending-commands", 0);
    add_number(ask, "link-refcount", 1);
    add_number(ask, "last-ping-sent", 0);
    add_number(ask, "last-ok-ping-reply", age_ms(ask, node));
    add_number(ask, "last-ping-reply", age_ms(ask, node));
    add_number(ask, "down-after-milliseconds", PROMISE_NS / NS_PER_MS);
    add_text(ask, "role-reported", "master");
    add_number(ask, "config-epoch", (int64_t)learned->epoch);
    add_number(ask, "num-slaves", replicas_of(group));
    add_number(ask, "num-other-sentinels", learned->sentinels.count > 0 ? learned->sentinels.count - 1 : 0);
    add_number(ask, "quorum", majority_of(group));
    add_number(ask, "parallel-syncs", 1);
}

static void describe_replica(const struct ask *ask, const struct member *member)
{
    const struct sn_group *group = ask->group;
    const struct sn_node *node = find_node(group, &member->node);
    const struct member *master = topology_member(&group->learned, &group->learned.master.node);
    bool is_heard = node && node->has_status && ask->sentinel->now_ns - node->status_ns < PROMISE_NS;
    bool has_link = is_heard && (node->status.flags & STATUS_LINK_UP);

    resp_write_map(ask->out, ask->protocol, 12);
    resp_write_bulk_text(ask->out, "name");
    struct buf name = {0};
    buf_add_format(&name, "%s:%u", member->data.host, member->data.port);
    resp_write_bulk(ask->out, buf_slice(&name));
    buf_free(&name);
    add_text(ask, "ip", member->data.host);
    add_number(ask, "port", member->data.port);
    add_id(ask, "runid", &member->node);
    add_text(ask, "flags", is_heard ? "slave" : "slave,s_down");
    add_number(ask, "last-ok-ping-reply", age_ms(ask, node));
    add_text(ask, "role-reported", "slave");
    add_text(ask, "master-link-status", has_link ? "ok" : "err");
    add_text(ask, "master-host", master ? master->data.host : "?");
    add_number(ask, "master-port", master ? master->data.port : 0);
    add_number(ask, "slave-priority", member->priority);
    add_number(ask, "slave-repl-offset", node && node->has_status ? (int64_t)node->status.history.last_offset : 0);
}

static void describe_sentinel(const struct ask *ask, const struct sentinel_entry *entry)
{
    bool is_reached = sn_peers_reach(ask->sentinel, &entry->sentinel);
    char id[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&entry->sentinel, id);
    resp_write_map(ask->out, ask->protocol, 8);
    add_text(ask, "name", id);
    add_text(ask, "ip", entry->address.host);
    add_number(ask, "port", entry->address.port);
    add_text(ask, "runid", id);
    add_text(ask, "flags", is_reached ? "sentinel" : "sentinel,s_down,disconnected");
    add_number(ask, "last-hello-message", 0);
    add_text(ask, "voted-leader", "?");
    add_number(ask, "voted-leader-epoch", 0);
}

static void get_master_addr(const struct ask *ask)
{
    struct address address;
    if (!ask->group || !sn_api_endpoint(ask->sentinel, ask->group, &address)) {
        resp_write_null_array(ask->out, ask->protocol);
        return;
    }
    resp_write_array(ask->out, 2);
    resp_write_bulk_text(ask->out, address.host);
    resp_write_bulk_u64(ask->out, address.port);
}

static void masters(const struct ask *ask)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < ask->sentinel->group_count; i++)
        known += ask->sentinel->groups[i]->learned.version > 0;
    resp_write_array(ask->out, known);
    for (uint32_t i = 0; i < ask->sentinel->group_count; i++) {
        if (ask->sentinel->groups[i]->learned.version > 0)
            describe_master(ask, ask->sentinel->groups[i]);
    }
}

static void master(const struct ask *ask)
{
    describe_master(ask, ask->group);
}

/* Behind the proxy there is nothing else to connect to: a client that reads from replicas finds none. */
static void replicas(const struct ask *ask)
{
    const struct topology *learned = &ask->group->learned;
    if (ask->sentinel->config.endpoint == SN_ENDPOINT_PROXY) {
        resp_write_array(ask->out, 0);
        return;
    }
    resp_write_array(ask->out, replicas_of(ask->group));
    for (uint32_t i = 0; i < learned->member_count; i++) {
        if (learned->epoch == 0 || !identity_equal(&learned->members[i].node, &learned->master.node))
            describe_replica(ask, &learned->members[i]);
    }
}

static void sentinels(const struct ask *ask)
{
    const struct sentinel_list *list = &ask->group->learned.sentinels;
    bool is_listed = sentinel_list_find(list, &ask->sentinel->id) >= 0;
    resp_write_array(ask->out, list->count - (is_listed ? 1 : 0));
    for (uint32_t i = 0; i < list->count; i++) {
        if (!identity_equal(&list->entries[i].sentinel, &ask->sentinel->id))
            describe_sentinel(ask, &list->entries[i]);
    }
}

static void ckquorum(const struct ask *ask)
{
    const struct sentinel_list *list = &ask->group->learned.sentinels;
    uint32_t usable = 0;
    for (uint32_t i = 0; i < list->count; i++)
        usable += identity_equal(&list->entries[i].sentinel, &ask->sentinel->id) ||
                  sn_peers_reach(ask->sentinel, &list->entries[i].sentinel);
    if (usable >= majority_of(ask->group)) {
        buf_add_format(ask->out, "+OK %u usable Sentinels. Quorum and failover authorization can be reached\r\n",
                       usable);
        return;
    }
    resp_write_error_format(ask->out,
                            "NOQUORUM %u usable Sentinels. Not enough available Sentinels to reach the specified "
                            "quorum for this master. Not enough available Sentinels to reach the majority and "
                            "authorize a failover",
                            usable);
}

static void myid(const struct ask *ask)
{
    char id[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&ask->sentinel->id, id);
    resp_write_bulk_text(ask->out, id);
}

/* Asked by address. No vote is given here: that is what PREPARE is for. */
static void is_master_down(const struct ask *ask)
{
    bool is_down = false;
    uint64_t port;
    if (number_parse_u64(ask->argv[3], &port) != 0 || port > UINT16_MAX) {
        resp_write_error(ask->out, SLICE_LITERAL("ERR Invalid port"));
        return;
    }
    for (uint32_t i = 0; i < ask->sentinel->group_count; i++) {
        struct address address;
        if (sn_api_endpoint(ask->sentinel, ask->sentinel->groups[i], &address) && address.port == port &&
            slice_equal(ask->argv[2], slice_text(address.host)))
            is_down = sn_group_sees_dead(ask->sentinel, ask->sentinel->groups[i]);
    }
    resp_write_array(ask->out, 3);
    resp_write_integer(ask->out, is_down);
    resp_write_bulk_text(ask->out, "*");
    resp_write_integer(ask->out, 0);
}

static void help(const struct ask *ask)
{
    static const char *const lines[] = {
        "SENTINEL <subcommand> [<arg> ...]. Subcommands are:",
        "CKQUORUM <group> -- whether enough sentinels are reachable.",
        "GET-MASTER-ADDR-BY-NAME <group> -- where clients connect.",
        "IS-MASTER-DOWN-BY-ADDR <ip> <port> <epoch> <runid> -- what this sentinel sees.",
        "MASTER <group> | MASTERS -- the masters, with their state.",
        "MYID -- the id of this sentinel.",
        "REPLICAS <group> | SLAVES <group> -- the replicas that clients may read from.",
        "SENTINELS <group> -- the other sentinels.",
        "See also RESPITE HELP.",
    };
    resp_write_array(ask->out, ARRAY_LENGTH(lines));
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        resp_write_simple(ask->out, slice_text(lines[i]));
}

static const struct {
    const char *name;
    size_t argc;
    enum { NO_GROUP, GROUP_OR_NULL, GROUP } names;
    void (*run)(const struct ask *ask);
} subcommands[] = {
    {"get-master-addr-by-name", 3, GROUP_OR_NULL, get_master_addr},
    {"masters", 2, NO_GROUP, masters},
    {"master", 3, GROUP, master},
    {"replicas", 3, GROUP, replicas},
    {"slaves", 3, GROUP, replicas},
    {"sentinels", 3, GROUP, sentinels},
    {"ckquorum", 3, GROUP, ckquorum},
    {"myid", 2, NO_GROUP, myid},
    {"is-master-down-by-addr", 6, NO_GROUP, is_master_down},
    {"help", 2, NO_GROUP, help},
};

void sn_api_sentinel(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct ask ask = {sentinel, link, argv, sn_link_output(sentinel, link), link->client->protocol, NULL};
    if (argc < 2) {
        sn_api_wrong_arity(ask.out, "sentinel");
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(subcommands); i++) {
        if (!slice_equal_nocase(argv[1], subcommands[i].name))
            continue;
        if (argc != subcommands[i].argc) {
            resp_write_error_format(ask.out, "ERR wrong number of arguments for 'sentinel|%s' command",
                                    subcommands[i].name);
            return;
        }
        if (subcommands[i].names != NO_GROUP) {
            ask.group = sn_group_find(sentinel, argv[2]);
            if (ask.group && ask.group->learned.version == 0)
                ask.group = NULL;
        }
        if (subcommands[i].names == GROUP && !ask.group)
            resp_write_error(ask.out, SLICE_LITERAL("ERR No such master with that name"));
        else
            subcommands[i].run(&ask);
        return;
    }
    sn_api_unknown_subcommand(ask.out, "SENTINEL", argv[1]);
}
