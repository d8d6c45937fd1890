/* RESPITE: what operators and tools ask, and the control messages of sentinels and proxies (common/ha/messages.h). */
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_writer.h"
#include "sentinel/core/api.h"
#include "sentinel/core/core.h"

#include <stdio.h>

/* The group that is named, or the only one. NULL: an error was written. */
static struct sn_group *find_group(struct sn_sentinel *sentinel, struct buf *out, const struct slice *argv, size_t argc)
{
    struct sn_group *group = NULL;
    if (argc == 3)
        group = sn_group_find(sentinel, argv[2]);
    else if (sentinel->group_count == 1)
        group = sentinel->groups[0];
    if (!group)
        resp_write_error(out, argc == 2 && sentinel->group_count > 1 ? SLICE_LITERAL("ERR several groups: name one")
                                                                     : SLICE_LITERAL("ERR no such group"));
    return group;
}

static void topology(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    const struct sn_group *group = find_group(sentinel, out, argv, argc);
    struct buf text = {0};
    if (!group)
        return;
    if (group->learned.version == 0) {
        resp_write_null(out, link->client->protocol);
        return;
    }
    topology_encode(&group->learned, &text);
    resp_write_bulk(out, buf_slice(&text));
    buf_free(&text);
}

/* The date of a number of days since 1970-01-01 (proleptic Gregorian; the year is made to begin in March). */
static void civil_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153;
    *ret_day = day_of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = (int64_t)year_of_era + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

static void add_time(struct buf *out, int64_t wall_us)
{
    int64_t ms = wall_us / 1000, seconds = ms / 1000, year;
    unsigned month, day;
    unsigned second = (unsigned)(seconds % 86400);
    civil_date(seconds / 86400, &year, &month, &day);
    buf_add_format(out, "%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ", (long long)year, month, day, second / 3600,
                   second / 60 % 60, second % 60, (unsigned)(ms % 1000));
}

static void why(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    const struct sn_group *group = find_group(sentinel, out, argv, argc);
    if (!group)
        return;
    resp_write_array(out, sn_why_kept(&group->why));
    for (uint32_t i = 0; i < sn_why_kept(&group->why); i++) {
        const struct sn_reason *reason = sn_why_at(&group->why, i);
        struct buf line = {0};
        add_time(&line, reason->first_us);
        buf_add_format(&line, " version %llu epoch %llu: %s", (unsigned long long)reason->version,
                       (unsigned long long)reason->epoch, reason->text);
        if (reason->times > 1) {
            buf_add_format(&line, " (%llu times, last at ", (unsigned long long)reason->times);
            add_time(&line, reason->last_us);
            buf_add_text(&line, ")");
        }
        resp_write_bulk(out, buf_slice(&line));
        buf_free(&line);
    }
}

static void write_group_status(const struct sn_sentinel *sentinel, const struct sn_group *group, struct buf *out)
{
    struct buf line = {0};
    buf_add_format(&line,
                   "group=%s version=%llu epoch=%llu votes=%s state=%s settled=%s dead=%s downs=%u failovers=%llu "
                   "lost_estimated_bytes=%llu lost_known_bytes=%llu",
                   group->name, (unsigned long long)group->learned.version, (unsigned long long)group->learned.epoch,
                   sn_group_votes(sentinel, group) ? "yes" : "no", sm_name(&group->failover.state),
                   sn_settled_is(&group->settled) ? "yes" : "no", sn_group_sees_dead(sentinel, group) ? "yes" : "no",
                   sn_failover_downs(sentinel, group), (unsigned long long)group->losses.failovers,
                   (unsigned long long)group->losses.estimated_bytes, (unsigned long long)group->losses.known_bytes);
    resp_write_bulk(out, buf_slice(&line));
    buf_free(&line);
}

static void write_node_status(const struct sn_sentinel *sentinel, const struct sn_node *node, struct buf *out)
{
    struct buf line = {0};
    char text[LIFE_TEXT_MAX];
    identity_format(&node->id, text);
    bool is_open = node->link && node->link->is_open;
    bool is_loading = is_open && node->loading_ns > 0 && sentinel->now_ns - node->loading_ns <= SN_HEARD_NS;
    buf_add_format(&line, "node=%s control=%s:%u connected=%s%s", text, node->control.host, node->control.port,
                   is_open ? "yes" : "no", is_loading ? " loading=yes" : "");
    if (node->has_status) {
        const struct status *status = &node->status;
        life_format(&status->life, text);
        buf_add_format(&line,
                       " age_ms=%lld life=%s role=%s version=%llu epoch=%llu fence=%llu flags=%u "
                       "oldest_waiting_ms=%lld replicas=%u losses=%u history=",
                       (long long)((sentinel->now_ns - node->status_ns) / NS_PER_MS), text,
                       node_role_name(status->role), (unsigned long long)status->version,
                       (unsigned long long)status->epoch, (unsigned long long)status->fence, status->flags,
                       (long long)status->oldest_waiting_ms, status->replica_count, node->losses);
        history_format(&status->history, &line);
    }
    resp_write_bulk(out, buf_slice(&line));
    buf_free(&line);
}

static void write_sentinel_status(const struct sn_sentinel *sentinel, const struct sentinel_entry *entry,
                                  struct buf *out)
{
    struct buf line = {0};
    char id[IDENTITY_TEXT_LENGTH + 1];
    bool is_self = identity_equal(&entry->sentinel, &sentinel->id);
    identity_format(&entry->sentinel, id);
    buf_add_format(&line, "sentinel=%s address=%s:%u connected=%s", id, entry->address.host, entry->address.port,
                   is_self                                      ? "self"
                   : sn_peers_reach(sentinel, &entry->sentinel) ? "yes"
                                                                : "no");
    resp_write_bulk(out, buf_slice(&line));
    buf_free(&line);
}

static void status(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    const struct sn_group *group = find_group(sentinel, out, argv, argc);
    if (!group)
        return;
    resp_write_array(out, 1 + (uint64_t)group->node_count + group->learned.sentinels.count);
    write_group_status(sentinel, group, out);
    for (uint32_t i = 0; i < group->node_count; i++)
        write_node_status(sentinel, group->nodes[i], out);
    for (uint32_t i = 0; i < group->learned.sentinels.count; i++)
        write_sentinel_status(sentinel, &group->learned.sentinels.entries[i], out);
}

/* Only who knows the secret, or the password where there is one, may change something. */
static bool may_change(const struct sn_sentinel *sentinel, const struct sn_client *client)
{
    return client->is_control || (sentinel->config.requirepass.length > 0 && client->is_authenticated);
}

static void create(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    (void)argc;
    if (!may_change(sentinel, link->client)) {
        resp_write_error(out, SLICE_LITERAL("NOPERM say RESPITE HELLO with the control secret first"));
        return;
    }
    struct topology *value = mem_zero(sizeof(*value));
    if (topology_decode(argv[2], value) != 0)
        resp_write_error(out, SLICE_LITERAL("ERR this is no topology"));
    else if (value->durability == DURABILITY_SYNC_FSYNC)
        resp_write_error(out, SLICE_LITERAL("ERR durability sync-fsync is not supported yet: async or sync"));
    else
        sn_creation_ask(sentinel, link, value);
    mem_free(value);
}

/* RESPITE FAILOVER <group> FORCE | DRYRUN */
static void failover(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    struct sn_group *group = find_group(sentinel, out, argv, argc - 1);
    bool is_order = slice_equal_nocase(argv[3], "force");
    if (!group)
        return;
    if (!is_order && !slice_equal_nocase(argv[3], "dryrun"))
        resp_write_error(out, SLICE_LITERAL("ERR syntax error, FORCE or DRYRUN is wanted"));
    else if (is_order && !may_change(sentinel, link->client))
        resp_write_error(out, SLICE_LITERAL("NOPERM say RESPITE HELLO with the control secret first"));
    else
        sn_force_ask(sentinel, group, is_order, out);
}

static void help(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    static const char *const lines[] = {
        "RESPITE <subcommand> [<arg> ...]. Subcommands are:",
        "CREATE <topology> -- make a group: version 1, epoch 0. Needs the control secret or a password.",
        "FAILOVER <group> DRYRUN -- with a dead master, whom the living would choose, and what would be lost.",
        "FAILOVER <group> FORCE -- does so, though too few have answered. Needs the control secret or a password.",
        "STATUS [<group>] -- what this sentinel sees of every node and sentinel.",
        "TOPOLOGY [<group>] -- the topology that is known to be committed.",
        "WHY [<group>] -- the last decisions, in order, with their reasons.",
        "HELLO <kind> <id> <secret> [<protocol>] -- begins a control link.",
    };
    struct buf *out = sn_link_output(sentinel, link);
    (void)argv;
    (void)argc;
    resp_write_array(out, ARRAY_LENGTH(lines));
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        resp_write_simple(out, slice_text(lines[i]));
}

/* Control messages. */

static void refuse(struct sn_sentinel *sentinel, struct sn_link *link, enum refusal refusal, const char *error)
{
    sn_refused(sentinel, refusal, link->client->address.host, error);
    resp_write_error(sn_link_output(sentinel, link), slice_text(error));
    sn_link_drain(sentinel, link);
}

static void refuse_protocol(struct sn_sentinel *sentinel, struct sn_link *link, uint32_t protocol)
{
    char text[96];
    snprintf(text, sizeof(text), "ERR control protocol %u is not spoken here, %d is", protocol, CONTROL_PROTOCOL);
    refuse(sentinel, link, REFUSAL_PROTOCOL, text);
}

static void hello(struct sn_sentinel *sentinel, struct sn_link *link, const struct message *message)
{
    struct slice secret = sentinel->config.secret;
    if (secret.length == 0 || !slice_equal_secret(message->hello.secret, secret)) {
        refuse(sentinel, link, REFUSAL_SECRET, "WRONGPASS wrong secret");
        return;
    }
    if (message->hello.protocol != CONTROL_PROTOCOL) {
        refuse_protocol(sentinel, link, message->hello.protocol);
        return;
    }
    if (message->hello.kind == PEER_SENTINEL && identity_equal(&message->hello.sender, &sentinel->id)) {
        refuse(sentinel, link, REFUSAL_PERMISSION, "ERR this id is ours: is a state directory copied?");
        return;
    }
    link->client->is_control = true;
    link->client->peer = message->hello.kind;
    link->client->sender = message->hello.sender;
    if (message->hello.kind == PEER_TOOL)
        resp_write_ok(sn_link_output(sentinel, link));
    if (message->hello.kind != PEER_SENTINEL)
        return;
    struct message *answer = &sentinel->outgoing;
    answer->kind = MESSAGE_HELLO;
    answer->hello.kind = PEER_SENTINEL;
    answer->hello.sender = sentinel->id;
    answer->hello.secret = secret;
    answer->hello.protocol = CONTROL_PROTOCOL;
    sn_link_send(sentinel, link, answer);
}

static void subscribe(struct sn_sentinel *sentinel, struct sn_link *link, const struct message *message)
{
    memcpy(link->client->group, message->group, GROUP_NAME_MAX);
    struct sn_group *group = sn_group_find(sentinel, slice_text(message->group));
    if (!group)
        return;
    sn_group_met_version(sentinel, group, message->subscribe.version);
    if (group->learned.version == 0)
        return;
    struct message *answer = &sentinel->outgoing;
    answer->kind = MESSAGE_TOPOLOGY;
    memcpy(answer->group, group->name, GROUP_NAME_MAX);
    answer->learn.ballot = group->learned_ballot;
    answer->learn.topology = group->learned;
    sn_link_send(sentinel, link, answer);
}

static bool is_of_register(enum message_kind kind)
{
    return kind == MESSAGE_PREPARE || kind == MESSAGE_ACCEPT || kind == MESSAGE_LEARN || kind == MESSAGE_DOWN;
}

static bool lists(const struct topology *topology, const struct identity *sentinel)
{
    return sentinel_list_find(&topology->sentinels, sentinel) >= 0 ||
           sentinel_list_find(&topology->previous_sentinels, sentinel) >= 0;
}

/* Where the register holds something, only who stands in its lists may raise a ballot; and a value is taken of who
 * stands in the value's. So a sentinel that was struck off, or never listed, changes nothing here. */
static bool may_propose(const struct sn_sentinel *sentinel, const struct message *message,
                        const struct identity *sender)
{
    const struct sn_group *group = sn_group_find(sentinel, slice_text(message->group));
    if (message->kind == MESSAGE_ACCEPT || message->kind == MESSAGE_LEARN)
        return lists(&message->learn.topology, sender);
    if (!group || (group->learned.version == 0 && group->acceptor.value.version == 0))
        return true;
    return lists(&group->learned, sender) || lists(&group->acceptor.value, sender);
}

static void of_register(struct sn_sentinel *sentinel, struct sn_link *link, const struct message *message)
{
    bool has_value = message->kind == MESSAGE_ACCEPT || message->kind == MESSAGE_LEARN;
    if (link->client->peer != PEER_SENTINEL) {
        refuse(sentinel, link, REFUSAL_PERMISSION, "NOPERM only a sentinel may say that");
        return;
    }
    if (has_value &&
        (message->learn.topology.version == 0 || strcmp(message->learn.topology.group, message->group) != 0)) {
        refuse(sentinel, link, REFUSAL_GROUP, "ERR the topology is of another group");
        return;
    }
    if (!may_propose(sentinel, message, &link->client->sender)) {
        refuse(sentinel, link, REFUSAL_PERMISSION, "NOPERM no list of that group names this sentinel");
        return;
    }
    struct sn_group *group = sn_group_make(sentinel, message->group);
    if (!group) {
        refuse(sentinel, link, REFUSAL_GROUP, "ERR too many groups");
        return;
    }
    switch (message->kind) {
    case MESSAGE_PREPARE: sn_group_prepare(sentinel, group, link, &message->prepare.ballot); break;
    case MESSAGE_ACCEPT:
        sn_group_accept(sentinel, group, link, &message->learn.ballot, &message->learn.topology);
        break;
    case MESSAGE_LEARN: sn_group_learn(sentinel, group, &message->learn.ballot, &message->learn.topology, false); break;
    default: sn_failover_heard(sentinel, group, &link->client->sender, message->down.epoch, &message->down.life); break;
    }
}

static void control(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct message *message = &sentinel->received;
    int error = message_decode(argv, argc, message);
    if (error == ERR_NOT_FOUND)
        sn_api_unknown_subcommand(sn_link_output(sentinel, link), "RESPITE", argv[1]);
    else if (error != 0)
        refuse(sentinel, link, REFUSAL_MALFORMED, "ERR malformed message");
    else if (message->kind == MESSAGE_HELLO)
        hello(sentinel, link, message);
    else if (!link->client->is_control)
        refuse(sentinel, link, REFUSAL_NO_HELLO, "NOAUTH say RESPITE HELLO first");
    else if (message->kind == MESSAGE_SUBSCRIBE)
        subscribe(sentinel, link, message);
    else if (is_of_register(message->kind))
        of_register(sentinel, link, message);
    else
        refuse(sentinel, link, REFUSAL_MALFORMED, "ERR this is not for a sentinel");
}

static const struct {
    const char *name;
    size_t argc_least, argc_most; /* a control message of the same name has more arguments */
    void (*run)(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);
} questions[] = {
    {"topology", 2, 3, topology}, {"why", 2, 3, why},   {"status", 2, 3, status},
    {"create", 3, 3, create},     {"help", 2, 2, help}, {"failover", 4, 4, failover},
};

void sn_api_respite(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    if (argc < 2) {
        sn_api_wrong_arity(sn_link_output(sentinel, link), "respite");
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(questions); i++) {
        if (!slice_equal_nocase(argv[1], questions[i].name) || argc < questions[i].argc_least ||
            argc > questions[i].argc_most)
            continue;
        if (sn_client_is_known(sentinel, link->client))
            questions[i].run(sentinel, link, argv, argc);
        else
            resp_write_error(sn_link_output(sentinel, link), SLICE_LITERAL("NOAUTH Authentication required."));
        return;
    }
    control(sentinel, link, argv, argc);
}
