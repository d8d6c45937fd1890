#include "sentinel/core/peers.h"

#include "common/base/mem.h"
#include "sentinel/core/core.h"

#define RETRY_NS   (250 * NS_PER_MS)
#define PING_NS    NS_PER_S
#define SILENCE_NS (3 * NS_PER_S) /* a connection on which nothing was heard for so long is made anew */

static struct sn_peer *find_or_make(struct sn_sentinel *sentinel, const struct address *address)
{
    struct sn_peers *peers = &sentinel->peers;
    for (uint32_t i = 0; i < peers->count; i++) {
        if (address_equal(&peers->items[i]->address, address))
            return peers->items[i];
    }
    if (peers->count == SN_PEERS_MAX)
        return NULL;
    struct sn_peer *peer = mem_zero(sizeof(*peer));
    peer->address = *address;
    peers->items[peers->count++] = peer;
    return peer;
}

static void want(struct sn_sentinel *sentinel, const struct sentinel_list *list, uint32_t group)
{
    for (uint32_t i = 0; i < list->count; i++) {
        /* Our address under another name is what we were called before the state was lost. */
        if (identity_equal(&list->entries[i].sentinel, &sentinel->id) ||
            address_equal(&list->entries[i].address, &sentinel->config.address))
            continue;
        struct sn_peer *peer = find_or_make(sentinel, &list->entries[i].address);
        if (peer)
            peer->groups |= UINT32_C(1) << group;
    }
}

static void want_all(struct sn_sentinel *sentinel, const struct topology *value, uint32_t group)
{
    want(sentinel, &value->sentinels, group);
    want(sentinel, &value->previous_sentinels, group);
}

static void drop_unwanted(struct sn_sentinel *sentinel)
{
    struct sn_peers *peers = &sentinel->peers;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < peers->count; i++) {
        struct sn_peer *peer = peers->items[i];
        if (peer->groups != 0) {
            peers->items[kept++] = peer;
            continue;
        }
        if (peer->link) {
            peer->link->peer = NULL;
            sn_link_condemn(sentinel, peer->link);
        }
        mem_free(peer);
    }
    peers->count = kept;
}

void sn_peers_refresh(struct sn_sentinel *sentinel)
{
    for (uint32_t i = 0; i < sentinel->peers.count; i++)
        sentinel->peers.items[i]->groups = 0;
    for (uint32_t i = 0; i < sentinel->group_count; i++) {
        const struct sn_group *group = sentinel->groups[i];
        want_all(sentinel, &group->learned, i);
        want_all(sentinel, &group->acceptor.value, i);
        if (group->creation.is_wanted)
            want_all(sentinel, &group->creation.value, i);
    }
    drop_unwanted(sentinel);
}

void sn_peer_opened(struct sn_sentinel *sentinel, struct sn_peer *peer)
{
    struct message *hello = &sentinel->outgoing;
    hello->kind = MESSAGE_HELLO;
    hello->hello.kind = PEER_SENTINEL;
    hello->hello.sender = sentinel->id;
    hello->hello.secret = sentinel->config.secret;
    hello->hello.protocol = CONTROL_PROTOCOL;
    sn_link_send(sentinel, peer->link, hello);
    peer->ping_ns = sentinel->now_ns + PING_NS;
}

void sn_peer_lost(struct sn_sentinel *sentinel, struct sn_peer *peer)
{
    peer->link = NULL;
    peer->has_said_hello = false;
    peer->retry_ns = sentinel->now_ns + RETRY_NS;
}

/* What both must know of each other is said again at every meeting: so nothing depends on a message that was lost. */
static void catch_up(struct sn_sentinel *sentinel, struct sn_peer *peer)
{
    for (uint32_t i = 0; i < sentinel->group_count; i++) {
        struct sn_group *group = sentinel->groups[i];
        if (!(peer->groups & UINT32_C(1) << i))
            continue;
        if (group->learned.version > 0)
            sn_link_send(sentinel, peer->link, sn_group_message_learn(sentinel, group));
        sn_round_catch_up(sentinel, group, peer->link);
    }
}

/* Tried again and again, but told once: a wrong secret does not heal by itself. */
static void refuse(struct sn_sentinel *sentinel, struct sn_peer *peer, const char *why)
{
    if (!peer->is_refused)
        effect_log(sentinel->effects, LOG_LEVEL_WARNING, "no sentinel of ours answers at %s:%u: %s", peer->address.host,
                   peer->address.port, why);
    peer->is_refused = true;
    sn_link_condemn(sentinel, peer->link);
}

static void hello(struct sn_sentinel *sentinel, struct sn_peer *peer, const struct message *message)
{
    if (message->hello.protocol != CONTROL_PROTOCOL) {
        sentinel->refusals.counts[REFUSAL_PROTOCOL]++;
        refuse(sentinel, peer, "it speaks another version of the control protocol");
        return;
    }
    if (message->hello.kind != PEER_SENTINEL || !slice_equal_secret(message->hello.secret, sentinel->config.secret)) {
        sentinel->refusals.counts[REFUSAL_SECRET]++;
        refuse(sentinel, peer, "wrong secret or kind");
        return;
    }
    if (identity_equal(&message->hello.sender, &sentinel->id)) {
        refuse(sentinel, peer, "it goes by our own id");
        return;
    }
    peer->is_refused = false;
    peer->id = message->hello.sender;
    peer->has_said_hello = true;
    catch_up(sentinel, peer);
}

void sn_peer_request(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct sn_peer *peer = link->peer;
    if (!peer || slice_equal(argv[0], SLICE_LITERAL("+PONG")))
        return;
    struct message *message = &sentinel->received;
    if (message_decode(argv, argc, message) != 0 || (!peer->has_said_hello && message->kind != MESSAGE_HELLO)) {
        bool is_error = argv[0].length > 0 && argv[0].data[0] == '-';
        refuse(sentinel, peer,
               is_error ? "it refused us: are the secrets the same?" : "it does not speak as a sentinel");
        return;
    }
    if (message->kind == MESSAGE_HELLO) {
        hello(sentinel, peer, message);
        return;
    }
    struct sn_group *group = sn_group_find(sentinel, slice_text(message->group));
    if (!group)
        return;
    switch (message->kind) {
    case MESSAGE_PROMISE: sn_round_promised(sentinel, group, &peer->id, &message->promise); break;
    case MESSAGE_ACCEPTED: sn_round_accepted(sentinel, group, &peer->id, &message->prepare.ballot); break;
    case MESSAGE_REFUSE: sn_round_refused(sentinel, group, &peer->id, message); break;
    default: sn_link_condemn(sentinel, link); break;
    }
}

void sn_peers_send(struct sn_sentinel *sentinel, const struct sn_group *group, const struct message *message)
{
    for (uint32_t i = 0; i < sentinel->peers.count; i++) {
        struct sn_peer *peer = sentinel->peers.items[i];
        if (peer->has_said_hello && peer->link && (peer->groups & UINT32_C(1) << group->number))
            sn_link_send(sentinel, peer->link, message);
    }
}

bool sn_peers_reach(const struct sn_sentinel *sentinel, const struct identity *id)
{
    for (uint32_t i = 0; i < sentinel->peers.count; i++) {
        const struct sn_peer *peer = sentinel->peers.items[i];
        if (peer->link && peer->has_said_hello && identity_equal(&peer->id, id))
            return true;
    }
    return false;
}

static int64_t tick(struct sn_sentinel *sentinel, struct sn_peer *peer)
{
    int64_t now = sentinel->now_ns;
    if (!peer->link) {
        if (now < peer->retry_ns)
            return peer->retry_ns;
        peer->retry_ns = now + RETRY_NS;
        peer->link = sn_link_connect(sentinel, SN_LINK_PEER, &peer->address);
        if (!peer->link)
            return peer->retry_ns;
        peer->link->peer = peer;
        return NEVER_NS;
    }
    if (!peer->link->is_open)
        return NEVER_NS;
    if (now - peer->link->heard_ns >= SILENCE_NS) {
        sn_link_condemn(sentinel, peer->link);
        return NEVER_NS;
    }
    if (now >= peer->ping_ns) {
        buf_add_text(sn_link_output(sentinel, peer->link), "*1\r\n$4\r\nPING\r\n");
        peer->ping_ns = now + PING_NS;
    }
    return sn_earlier(peer->ping_ns, peer->link->heard_ns + SILENCE_NS);
}

int64_t sn_peers_tick(struct sn_sentinel *sentinel)
{
    int64_t next = NEVER_NS;
    for (uint32_t i = 0; i < sentinel->peers.count; i++)
        next = sn_earlier(next, tick(sentinel, sentinel->peers.items[i]));
    return next;
}

void sn_peers_free(struct sn_peers *peers)
{
    for (uint32_t i = 0; i < peers->count; i++)
        mem_free(peers->items[i]);
    peers->count = 0;
}
