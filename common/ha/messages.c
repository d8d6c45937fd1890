#include "common/ha/messages.h"

#include "common/base/errors.h"
#include "common/base/number.h"
#include "common/resp/resp_writer.h"

/* Names. */

static const char *const kind_names[] = {
    [MESSAGE_HELLO] = "HELLO",       [MESSAGE_POLL] = "POLL",     [MESSAGE_STATUS] = "STATUS",
    [MESSAGE_GRANT] = "GRANT",       [MESSAGE_FENCE] = "FENCE",   [MESSAGE_FENCED] = "FENCED",
    [MESSAGE_LEARN] = "LEARN",       [MESSAGE_INSYNC] = "INSYNC", [MESSAGE_PREPARE] = "PREPARE",
    [MESSAGE_PROMISE] = "PROMISE",   [MESSAGE_REFUSE] = "REFUSE", [MESSAGE_ACCEPT] = "ACCEPT",
    [MESSAGE_ACCEPTED] = "ACCEPTED", [MESSAGE_DOWN] = "DOWN",     [MESSAGE_SUBSCRIBE] = "SUBSCRIBE",
    [MESSAGE_TOPOLOGY] = "TOPOLOGY",
};

static const char *const peer_names[] = {
    [PEER_SENTINEL] = "sentinel",
    [PEER_PROXY] = "proxy",
    [PEER_WORKER] = "worker",
    [PEER_TOOL] = "tool",
};

static const char *const role_names[] = {
    [ROLE_UNADOPTED] = "unadopted",
    [ROLE_MASTER] = "master",
    [ROLE_REPLICA] = "replica",
    [ROLE_SPARE] = "spare",
};

static const char *const reason_names[] = {
    [REFUSE_BALLOT] = "ballot",
    [REFUSE_LEASE] = "lease",
};

static const char *const truth_names[] = {"no", "yes"};

const char *message_name(enum message_kind kind)
{
    CHECK((size_t)kind < ARRAY_LENGTH(kind_names));
    return kind_names[kind];
}

const char *node_role_name(enum node_role role)
{
    CHECK((size_t)role < ARRAY_LENGTH(role_names));
    return role_names[role];
}

/* Encoding: the fields are gathered and counted, for the array's header comes first. */

struct writer {
    struct buf fields;  /* owned */
    struct buf scratch; /* owned; one field while it is composed */
    uint64_t count;
};

static void add_bytes(struct writer *writer, struct slice bytes)
{
    resp_write_bulk(&writer->fields, bytes);
    writer->count++;
}

static void add_text(struct writer *writer, const char *text)
{
    add_bytes(writer, slice_text(text));
}

static void add_u64(struct writer *writer, uint64_t number)
{
    resp_write_bulk_u64(&writer->fields, number);
    writer->count++;
}

static void add_i64(struct writer *writer, int64_t number)
{
    resp_write_bulk_i64(&writer->fields, number);
    writer->count++;
}

static void add_truth(struct writer *writer, bool truth)
{
    add_text(writer, truth_names[truth]);
}

static void add_life(struct writer *writer, const struct life *life)
{
    char text[LIFE_TEXT_MAX];
    life_format(life, text);
    add_text(writer, text);
}

static void add_ballot(struct writer *writer, const struct ballot *ballot)
{
    char text[LIFE_TEXT_MAX];
    ballot_format(ballot, text);
    add_text(writer, text);
}

static void add_history(struct writer *writer, const struct history *history)
{
    buf_clear(&writer->scratch);
    history_format(history, &writer->scratch);
    add_bytes(writer, buf_slice(&writer->scratch));
}

static void add_topology(struct writer *writer, const struct topology *topology)
{
    buf_clear(&writer->scratch);
    topology_encode(topology, &writer->scratch);
    add_bytes(writer, buf_slice(&writer->scratch));
}

static void add_status(struct writer *writer, const struct status *status)
{
    add_u64(writer, status->k);
    add_life(writer, &status->life);
    add_text(writer, status->group);
    add_u64(writer, status->version);
    add_u64(writer, status->epoch);
    add_text(writer, node_role_name(status->role));
    add_u64(writer, status->fence);
    add_u64(writer, status->flags);
    add_i64(writer, status->oldest_waiting_ms);
    add_u64(writer, status->discarded_bytes);
    add_history(writer, &status->history);
    CHECK(status->replica_count <= TOPOLOGY_MEMBERS_MAX);
    add_u64(writer, status->replica_count);
    for (uint32_t i = 0; i < status->replica_count; i++) {
        add_life(writer, &status->replicas[i].life);
        add_u64(writer, status->replicas[i].acknowledged_offset);
        add_i64(writer, status->replicas[i].lag_ms);
    }
}

static void add_fenced(struct writer *writer, const struct fenced *fenced)
{
    add_u64(writer, fenced->epoch);
    add_ballot(writer, &fenced->ballot);
    add_life(writer, &fenced->life);
    add_truth(writer, fenced->is_release);
    add_u64(writer, fenced->acknowledged_offset);
    add_history(writer, &fenced->history);
    add_truth(writer, fenced->damaged);
}

static void add_insync(struct writer *writer, const struct insync *insync)
{
    add_u64(writer, insync->epoch);
    add_life(writer, &insync->life);
    add_u64(writer, insync->expected_version);
    add_text(writer, durability_name(insync->durability));
    add_u64(writer, insync->acknowledgements);
    CHECK(insync->count <= TOPOLOGY_MEMBERS_MAX);
    add_u64(writer, insync->count);
    for (uint32_t i = 0; i < insync->count; i++)
        add_life(writer, &insync->in_sync[i]);
}

static void add_promise(struct writer *writer, const struct promise *promise)
{
    add_ballot(writer, &promise->ballot);
    add_ballot(writer, &promise->accepted);
    add_truth(writer, promise->has_value);
    if (promise->has_value)
        add_topology(writer, &promise->value);
    add_u64(writer, promise->learned_epoch);
    add_truth(writer, promise->master_dead);
    CHECK(promise->view_count <= TOPOLOGY_MEMBERS_MAX);
    add_u64(writer, promise->view_count);
    for (uint32_t i = 0; i < promise->view_count; i++) {
        add_i64(writer, promise->views[i].age_ms);
        add_status(writer, &promise->views[i].status);
    }
}

static void add_fields(struct writer *writer, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_HELLO: {
        char sender[IDENTITY_TEXT_LENGTH + 1];
        identity_format(&message->hello.sender, sender);
        CHECK((size_t)message->hello.kind < ARRAY_LENGTH(peer_names));
        add_text(writer, peer_names[message->hello.kind]);
        add_text(writer, sender);
        add_bytes(writer, message->hello.secret);
        add_u64(writer, message->hello.protocol > 0 ? message->hello.protocol : CONTROL_PROTOCOL);
        break;
    }
    case MESSAGE_POLL:
        add_u64(writer, message->poll.k);
        add_u64(writer, message->poll.version);
        break;
    case MESSAGE_STATUS: add_status(writer, &message->status); break;
    case MESSAGE_GRANT:
        add_u64(writer, message->grant.k);
        add_life(writer, &message->grant.life);
        add_u64(writer, message->grant.epoch);
        break;
    case MESSAGE_FENCE:
        add_u64(writer, message->fence.epoch);
        add_ballot(writer, &message->fence.ballot);
        break;
    case MESSAGE_FENCED: add_fenced(writer, &message->fenced); break;
    case MESSAGE_LEARN:
    case MESSAGE_ACCEPT:
    case MESSAGE_TOPOLOGY:
        add_ballot(writer, &message->learn.ballot);
        add_topology(writer, &message->learn.topology);
        break;
    case MESSAGE_INSYNC: add_insync(writer, &message->insync); break;
    case MESSAGE_PREPARE:
    case MESSAGE_ACCEPTED: add_ballot(writer, &message->prepare.ballot); break;
    case MESSAGE_PROMISE: add_promise(writer, &message->promise); break;
    case MESSAGE_REFUSE:
        add_ballot(writer, &message->refuse.ballot);
        add_ballot(writer, &message->refuse.higher);
        CHECK((size_t)message->refuse.reason < ARRAY_LENGTH(reason_names));
        add_text(writer, reason_names[message->refuse.reason]);
        break;
    case MESSAGE_DOWN:
        add_u64(writer, message->down.epoch);
        add_life(writer, &message->down.life);
        break;
    case MESSAGE_SUBSCRIBE: add_u64(writer, message->subscribe.version); break;
    }
}

void message_encode(const struct message *message, struct buf *out)
{
    struct writer writer = {.count = 0};
    add_text(&writer, "RESPITE");
    add_text(&writer, message_name(message->kind));
    if (message->kind != MESSAGE_HELLO)
        add_text(&writer, message->group);
    add_fields(&writer, message);
    resp_write_array(out, writer.count);
    buf_add_slice(out, buf_slice(&writer.fields));
    buf_free(&writer.fields);
    buf_free(&writer.scratch);
}

/* Decoding: fields are taken one by one; the first that is wrong or missing fails the whole, which is asked at the
 * end. What is taken after a failure is zero, so that no count from a broken message is believed. */

struct reader {
    const struct slice *argv; /* borrowed */
    size_t argc;
    size_t next;
    bool failed;
};

static struct slice take_bytes(struct reader *reader)
{
    if (reader->failed || reader->next == reader->argc) {
        reader->failed = true;
        return slice_of(NULL, 0);
    }
    return reader->argv[reader->next++];
}

/* Notes a failure; true when all is well. */
static bool succeed(struct reader *reader, bool condition)
{
    if (!condition)
        reader->failed = true;
    return !reader->failed;
}

static uint64_t take_u64(struct reader *reader)
{
    uint64_t number;
    return succeed(reader, number_parse_u64(take_bytes(reader), &number) == 0) ? number : 0;
}

static uint32_t take_u32(struct reader *reader)
{
    uint64_t number = take_u64(reader);
    return succeed(reader, number <= UINT32_MAX) ? (uint32_t)number : 0;
}

static int64_t take_i64(struct reader *reader)
{
    int64_t number;
    return succeed(reader, number_parse_i64(take_bytes(reader), &number) == 0) ? number : 0;
}

static uint32_t take_count(struct reader *reader, uint32_t most)
{
    uint32_t count = take_u32(reader);
    return succeed(reader, count <= most) ? count : 0;
}

/* The index of the name that stands there. */
static unsigned take_name(struct reader *reader, const char *const *names, size_t count)
{
    struct slice name = take_bytes(reader);
    for (unsigned i = 0; i < count; i++)
        if (slice_equal(name, slice_text(names[i])))
            return i;
    reader->failed = true;
    return 0;
}

static bool take_truth(struct reader *reader)
{
    return take_name(reader, truth_names, ARRAY_LENGTH(truth_names)) == 1;
}

static void take_group(struct reader *reader, bool may_be_empty, char group[GROUP_NAME_MAX])
{
    struct slice name = take_bytes(reader);
    bool empty = may_be_empty && name.length == 0;
    memset(group, 0, GROUP_NAME_MAX);
    if (succeed(reader, empty || group_name_is_valid(name)) && !empty)
        memcpy(group, name.data, name.length);
}

static struct life take_life(struct reader *reader)
{
    struct life life;
    return succeed(reader, life_parse(take_bytes(reader), &life) == 0) ? life : (struct life){.incarnation = 0};
}

static struct ballot take_ballot(struct reader *reader)
{
    struct ballot ballot;
    return succeed(reader, ballot_parse(take_bytes(reader), &ballot) == 0) ? ballot : (struct ballot){.counter = 0};
}

static void take_history(struct reader *reader, struct history *history)
{
    succeed(reader, history_parse(take_bytes(reader), history) == 0);
}

static void take_topology(struct reader *reader, struct topology *topology)
{
    succeed(reader, topology_decode(take_bytes(reader), topology) == 0);
}

static void take_status(struct reader *reader, struct status *status)
{
    status->k = take_u64(reader);
    status->life = take_life(reader);
    take_group(reader, true, status->group);
    status->version = take_u64(reader);
    status->epoch = take_u64(reader);
    status->role = take_name(reader, role_names, ARRAY_LENGTH(role_names));
    status->fence = take_u64(reader);
    status->flags = take_u32(reader);
    status->oldest_waiting_ms = take_i64(reader);
    status->discarded_bytes = take_u64(reader);
    take_history(reader, &status->history);
    status->replica_count = take_count(reader, TOPOLOGY_MEMBERS_MAX);
    for (uint32_t i = 0; i < status->replica_count; i++) {
        status->replicas[i].life = take_life(reader);
        status->replicas[i].acknowledged_offset = take_u64(reader);
        status->replicas[i].lag_ms = take_i64(reader);
    }
}

static void take_fenced(struct reader *reader, struct fenced *fenced)
{
    fenced->epoch = take_u64(reader);
    fenced->ballot = take_ballot(reader);
    fenced->life = take_life(reader);
    fenced->is_release = take_truth(reader);
    fenced->acknowledged_offset = take_u64(reader);
    take_history(reader, &fenced->history);
    fenced->damaged = take_truth(reader);
}

static void take_insync(struct reader *reader, struct insync *insync)
{
    insync->epoch = take_u64(reader);
    insync->life = take_life(reader);
    insync->expected_version = take_u64(reader);
    succeed(reader, durability_parse(take_bytes(reader), &insync->durability) == 0);
    insync->acknowledgements = take_u32(reader);
    insync->count = take_count(reader, TOPOLOGY_MEMBERS_MAX);
    for (uint32_t i = 0; i < insync->count; i++)
        insync->in_sync[i] = take_life(reader);
}

static void take_promise(struct reader *reader, struct promise *promise)
{
    promise->ballot = take_ballot(reader);
    promise->accepted = take_ballot(reader);
    promise->has_value = take_truth(reader);
    if (promise->has_value)
        take_topology(reader, &promise->value);
    promise->learned_epoch = take_u64(reader);
    promise->master_dead = take_truth(reader);
    promise->view_count = take_count(reader, TOPOLOGY_MEMBERS_MAX);
    for (uint32_t i = 0; i < promise->view_count; i++) {
        promise->views[i].age_ms = take_i64(reader);
        take_status(reader, &promise->views[i].status);
    }
}

static void take_fields(struct reader *reader, struct message *message)
{
    switch (message->kind) {
    case MESSAGE_HELLO:
        message->hello.kind = take_name(reader, peer_names, ARRAY_LENGTH(peer_names));
        succeed(reader, identity_parse(take_bytes(reader), &message->hello.sender) == 0);
        message->hello.secret = take_bytes(reader);
        message->hello.protocol = reader->next < reader->argc ? take_u32(reader) : 1;
        succeed(reader, message->hello.protocol > 0);
        break;
    case MESSAGE_POLL:
        message->poll.k = take_u64(reader);
        message->poll.version = take_u64(reader);
        break;
    case MESSAGE_STATUS: take_status(reader, &message->status); break;
    case MESSAGE_GRANT:
        message->grant.k = take_u64(reader);
        message->grant.life = take_life(reader);
        message->grant.epoch = take_u64(reader);
        break;
    case MESSAGE_FENCE:
        message->fence.epoch = take_u64(reader);
        message->fence.ballot = take_ballot(reader);
        break;
    case MESSAGE_FENCED: take_fenced(reader, &message->fenced); break;
    case MESSAGE_LEARN:
    case MESSAGE_ACCEPT:
    case MESSAGE_TOPOLOGY:
        message->learn.ballot = take_ballot(reader);
        take_topology(reader, &message->learn.topology);
        break;
    case MESSAGE_INSYNC: take_insync(reader, &message->insync); break;
    case MESSAGE_PREPARE:
    case MESSAGE_ACCEPTED: message->prepare.ballot = take_ballot(reader); break;
    case MESSAGE_PROMISE: take_promise(reader, &message->promise); break;
    case MESSAGE_REFUSE:
        message->refuse.ballot = take_ballot(reader);
        message->refuse.higher = take_ballot(reader);
        message->refuse.reason = take_name(reader, reason_names, ARRAY_LENGTH(reason_names));
        break;
    case MESSAGE_DOWN:
        message->down.epoch = take_u64(reader);
        message->down.life = take_life(reader);
        break;
    case MESSAGE_SUBSCRIBE: message->subscribe.version = take_u64(reader); break;
    }
}

static int find_kind(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kind_names); i++)
        if (slice_equal_nocase(name, kind_names[i]))
            return (int)i;
    return -1;
}

int message_decode(const struct slice *argv, size_t argc, struct message *ret_message)
{
    int kind = argc >= 2 && slice_equal_nocase(argv[0], "RESPITE") ? find_kind(argv[1]) : -1;
    if (kind < 0)
        return ERR_NOT_FOUND;
    struct message message;
    memset(&message, 0, sizeof(message));
    message.kind = (enum message_kind)kind;
    struct reader reader = {.argv = argv, .argc = argc, .next = 2};
    if (message.kind != MESSAGE_HELLO)
        take_group(&reader, false, message.group);
    take_fields(&reader, &message);
    if (reader.failed || reader.next != argc)
        return ERR_PROTOCOL;
    *ret_message = message;
    return 0;
}
