#include "tests/lib/values.h"

#include <stdio.h>

/* Small, large and extreme numbers alike. */
static uint64_t random_number(struct rand *rand)
{
    return rand_u64(rand) >> rand_below(rand, 64);
}

static bool random_truth(struct rand *rand)
{
    return rand_below(rand, 2) == 1;
}

struct identity random_identity(struct rand *rand)
{
    struct identity identity;
    for (size_t i = 0; i < sizeof(identity.bytes); i++)
        identity.bytes[i] = (uint8_t)rand_below(rand, 256);
    return identity;
}

struct life random_life(struct rand *rand)
{
    return (struct life){
        .node = random_identity(rand), .incarnation = 1 + rand_below(rand, 1000), .bits = rand_u64(rand)};
}

struct ballot random_ballot(struct rand *rand)
{
    return (struct ballot){
        .counter = random_number(rand), .sentinel = random_identity(rand), .run = random_number(rand)};
}

void random_history(struct rand *rand, struct history *ret_history)
{
    struct history history;
    memset(&history, 0, sizeof(history));
    uint64_t entries = rand_below(rand, HISTORY_ENTRIES_MAX + 1);
    for (uint64_t i = 0; i < entries; i++) {
        history_begin_epoch(&history, history_epoch(&history) + 1 + rand_below(rand, 3));
        history.last_offset += rand_below(rand, 1000000);
    }
    *ret_history = history;
}

static void random_name(struct rand *rand, char *text, size_t capacity)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t length = 1 + rand_below(rand, capacity - 1);
    for (size_t i = 0; i < length; i++)
        text[i] = alphabet[rand_below(rand, sizeof(alphabet) - 1)];
    text[length] = '\0';
}

/* Any bytes but NUL. */
static void random_text(struct rand *rand, char *text, size_t capacity)
{
    size_t length = rand_below(rand, capacity);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)(1 + rand_below(rand, 255));
    text[length] = '\0';
}

static struct address random_address(struct rand *rand)
{
    struct address address;
    memset(&address, 0, sizeof(address));
    switch (rand_below(rand, 4)) {
    case 0: break;
    case 1: snprintf(address.host, sizeof(address.host), "/run/%u.sock", (unsigned)rand_below(rand, 1000)); break;
    case 2: snprintf(address.host, sizeof(address.host), "::%x", (unsigned)rand_below(rand, 65536)); break;
    default: snprintf(address.host, sizeof(address.host), "10.0.0.%u", (unsigned)rand_below(rand, 256)); break;
    }
    if (address.host[0] != '\0' && address.host[0] != '/')
        address.port = (uint16_t)(1 + rand_below(rand, 65535));
    return address;
}

static void random_list(struct rand *rand, struct sentinel_list *list)
{
    list->count = (uint32_t)rand_below(rand, TOPOLOGY_SENTINELS_MAX + 1);
    for (uint32_t i = 0; i < list->count; i++) {
        list->entries[i].sentinel = random_identity(rand);
        list->entries[i].address = random_address(rand);
    }
}

void random_topology(struct rand *rand, struct topology *ret_topology)
{
    struct topology *topology = ret_topology;
    memset(topology, 0, sizeof(*topology));
    if (random_truth(rand))
        random_name(rand, topology->group, sizeof(topology->group));
    topology->version = random_number(rand);
    topology->epoch = random_number(rand);
    topology->master = random_life(rand);
    random_history(rand, &topology->branch);
    topology->in_sync_count = (uint32_t)rand_below(rand, TOPOLOGY_MEMBERS_MAX + 1);
    for (uint32_t i = 0; i < topology->in_sync_count; i++)
        topology->in_sync[i] = random_life(rand);
    topology->member_count = (uint32_t)rand_below(rand, TOPOLOGY_MEMBERS_MAX + 1);
    for (uint32_t i = 0; i < topology->member_count; i++)
        topology->members[i] = (struct member){.node = random_identity(rand),
                                               .kind = (enum member_kind)rand_below(rand, 2),
                                               .priority = (uint32_t)random_number(rand),
                                               .data = random_address(rand),
                                               .control = random_address(rand)};
    topology->durability = (enum durability)rand_below(rand, 3);
    topology->acknowledgements = (uint32_t)random_number(rand);
    random_list(rand, &topology->sentinels);
    random_list(rand, &topology->previous_sentinels);
    if (random_truth(rand)) {
        topology->release.epoch = 1 + rand_below(rand, 1000);
        topology->release.life = random_life(rand);
        topology->release.acknowledged_offset = random_number(rand);
        random_history(rand, &topology->release.history);
    }
    random_text(rand, topology->author, sizeof(topology->author));
    random_text(rand, topology->reason, sizeof(topology->reason));
}

static void random_status(struct rand *rand, struct status *status)
{
    status->k = random_number(rand);
    status->life = random_life(rand);
    if (random_truth(rand))
        random_name(rand, status->group, sizeof(status->group));
    status->version = random_number(rand);
    status->epoch = random_number(rand);
    status->role = (enum node_role)rand_below(rand, 4);
    status->fence = random_number(rand);
    status->flags = (uint32_t)random_number(rand);
    status->oldest_waiting_ms = (int64_t)random_number(rand);
    status->discarded_bytes = random_number(rand);
    random_history(rand, &status->history);
    status->replica_count = (uint32_t)rand_below(rand, TOPOLOGY_MEMBERS_MAX + 1);
    for (uint32_t i = 0; i < status->replica_count; i++)
        status->replicas[i] = (struct replica_lag){.life = random_life(rand),
                                                   .acknowledged_offset = random_number(rand),
                                                   .lag_ms = (int64_t)random_number(rand)};
}

static void random_promise(struct rand *rand, struct promise *promise)
{
    promise->ballot = random_ballot(rand);
    promise->has_value = random_truth(rand);
    if (promise->has_value) {
        promise->accepted = random_ballot(rand);
        random_topology(rand, &promise->value);
    }
    promise->learned_epoch = random_number(rand);
    promise->master_dead = random_truth(rand);
    promise->view_count = (uint32_t)rand_below(rand, TOPOLOGY_MEMBERS_MAX + 1);
    for (uint32_t i = 0; i < promise->view_count; i++) {
        promise->views[i].age_ms = (int64_t)random_number(rand);
        random_status(rand, &promise->views[i].status);
    }
}

static void random_fenced(struct rand *rand, struct fenced *fenced)
{
    fenced->epoch = random_number(rand);
    fenced->ballot = random_ballot(rand);
    fenced->life = random_life(rand);
    fenced->is_release = random_truth(rand);
    fenced->acknowledged_offset = random_number(rand);
    random_history(rand, &fenced->history);
    fenced->damaged = random_truth(rand);
}

static void random_insync(struct rand *rand, struct insync *insync)
{
    insync->epoch = random_number(rand);
    insync->life = random_life(rand);
    insync->expected_version = random_number(rand);
    insync->count = (uint32_t)rand_below(rand, TOPOLOGY_MEMBERS_MAX + 1);
    for (uint32_t i = 0; i < insync->count; i++)
        insync->in_sync[i] = random_life(rand);
    insync->durability = (enum durability)rand_below(rand, 3);
    insync->acknowledgements = (uint32_t)random_number(rand);
}

void random_message(struct rand *rand, enum message_kind kind, struct message *ret_message)
{
    struct message *message = ret_message;
    memset(message, 0, sizeof(*message));
    message->kind = kind;
    if (kind != MESSAGE_HELLO)
        random_name(rand, message->group, sizeof(message->group));
    switch (kind) {
    case MESSAGE_HELLO:
        message->hello.kind = (enum peer_kind)rand_below(rand, 4);
        message->hello.sender = random_identity(rand);
        message->hello.secret = SLICE_LITERAL("a secret\r\nof bytes \0");
        message->hello.protocol = 1 + (uint32_t)rand_below(rand, 3);
        break;
    case MESSAGE_POLL:
        message->poll.k = random_number(rand);
        message->poll.version = random_number(rand);
        break;
    case MESSAGE_STATUS: random_status(rand, &message->status); break;
    case MESSAGE_GRANT:
        message->grant.k = random_number(rand);
        message->grant.life = random_life(rand);
        message->grant.epoch = random_number(rand);
        break;
    case MESSAGE_FENCE:
        message->fence.epoch = random_number(rand);
        message->fence.ballot = random_ballot(rand);
        break;
    case MESSAGE_FENCED: random_fenced(rand, &message->fenced); break;
    case MESSAGE_LEARN:
    case MESSAGE_ACCEPT:
    case MESSAGE_TOPOLOGY:
        message->learn.ballot = random_ballot(rand);
        random_topology(rand, &message->learn.topology);
        break;
    case MESSAGE_INSYNC: random_insync(rand, &message->insync); break;
    case MESSAGE_PREPARE:
    case MESSAGE_ACCEPTED: message->prepare.ballot = random_ballot(rand); break;
    case MESSAGE_PROMISE: random_promise(rand, &message->promise); break;
    case MESSAGE_REFUSE:
        message->refuse.ballot = random_ballot(rand);
        message->refuse.higher = random_ballot(rand);
        message->refuse.reason = (enum refuse_reason)rand_below(rand, 2);
        break;
    case MESSAGE_DOWN:
        message->down.epoch = random_number(rand);
        message->down.life = random_life(rand);
        break;
    case MESSAGE_SUBSCRIBE: message->subscribe.version = random_number(rand); break;
    }
}
