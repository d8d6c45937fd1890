#include "sentinel/core/sentinel.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_writer.h"
#include "sentinel/core/api.h"
#include "sentinel/core/core.h"
#include "sentinel/core/poll.h"

#include <stdarg.h>
#include <stdio.h>

static const char state_name[] = "sentinel.state";

enum { PASSES_MAX = 8 }; /* over the timers of one turn; what is due then is done in the next */

/* Shared by the files of this core. */

uint64_t sn_touch(struct sn_sentinel *sentinel)
{
    return ++sentinel->sequence;
}

struct sn_short_id sn_short_id(const struct identity *identity)
{
    char text[IDENTITY_TEXT_LENGTH + 1];
    struct sn_short_id id = {{0}};
    identity_format(identity, text);
    memcpy(id.text, text, sizeof(id.text) - 1);
    return id;
}

void sn_decide(struct sn_sentinel *sentinel, struct sn_group *group, const char *format, ...)
{
    char text[SN_WHY_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (sn_why_note(&group->why, sentinel->wall_us, group->learned.version, group->learned.epoch, text))
        effect_log(sentinel->effects, LOG_LEVEL_NOTICE, "%s: %s", group->name, text);
}

void sn_refused(struct sn_sentinel *sentinel, enum refusal refusal, const char *who, const char *what)
{
    sentinel->refusals.counts[refusal]++;
    if (!refusals_tell(&sentinel->refusals, sentinel->now_ns))
        return;
    struct buf text = {0};
    refusals_format(&sentinel->refusals, &text);
    effect_log(sentinel->effects, LOG_LEVEL_WARNING, "refused %s: %s (so far: %.*s)", who, what, (int)buf_length(&text),
               buf_slice(&text).data);
    buf_free(&text);
}

void sn_link_lost(struct sn_sentinel *sentinel, struct sn_link *link)
{
    if (link->node)
        sn_poll_lost(sentinel, link->node);
    if (link->peer)
        sn_peer_lost(sentinel, link->peer);
}

void sn_link_dispatch(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    switch (link->kind) {
    case SN_LINK_CLIENT: sn_api_request(sentinel, link, argv, argc); break;
    case SN_LINK_NODE: sn_poll_request(sentinel, link, argv, argc); break;
    case SN_LINK_PEER: sn_peer_request(sentinel, link, argv, argc); break;
    }
}

/* Creation. */

static struct slice own_copy(struct slice bytes)
{
    return slice_of(mem_copy_text(bytes.data ? bytes.data : "", bytes.length), bytes.length);
}

static void restore_group(struct sn_sentinel *sentinel, const char *name, const struct sn_acceptor *acceptor)
{
    struct sn_group *group = sn_group_make(sentinel, name);
    group->acceptor = *acceptor;
    group->highest_counter = acceptor->promised.counter;
}

/* Who this is, and what it promised. Without a readable state it is somebody new, whom no list names. */
static void restore(struct sn_sentinel *sentinel, const struct sn_config *config)
{
    struct sn_state *state = mem_zero(sizeof(*state));
    if (config->state_found && sn_state_decode(config->state, state) == 0) {
        sentinel->id = state->id;
        sentinel->run = state->run;
        for (uint32_t i = 0; i < state->group_count; i++)
            restore_group(sentinel, state->groups[i].name, &state->groups[i].acceptor);
    } else {
        sentinel->id = config->new_identity;
    }
    mem_free(state);
}

int sn_sentinel_create(const struct sn_config *config, struct sn_sentinel **ret_sentinel)
{
    if (identity_is_nobody(&config->new_identity) || config->address.host[0] == '\0' ||
        config->cold_start_wait_ns < 0 || config->spare_wait_ns < 0 ||
        (config->endpoint == SN_ENDPOINT_PROXY && config->proxy.host[0] == '\0'))
        return ERR_INVALID;
    struct sn_sentinel *sentinel = mem_zero(sizeof(*sentinel));
    sentinel->config = *config;
    sentinel->config.secret = own_copy(config->secret);
    sentinel->config.requirepass = own_copy(config->requirepass);
    sentinel->config.state = (struct slice){0};
    sentinel->deadline_ns = NEVER_NS;
    rand_seed(&sentinel->rand, config->random_seed);
    restore(sentinel, config);
    *ret_sentinel = sentinel;
    return 0;
}

static void destroy(void *core)
{
    struct sn_sentinel *sentinel = core;
    if (!sentinel)
        return;
    for (link_id id = 0; id < sentinel->links.count; id++) {
        if (sentinel->links.items[id])
            sn_link_delete(sentinel, sentinel->links.items[id]);
    }
    for (uint32_t i = 0; i < sentinel->group_count; i++)
        sn_group_free(sentinel->groups[i]);
    sn_peers_free(&sentinel->peers);
    sn_held_free(&sentinel->held);
    mem_free((void *)sentinel->config.secret.data);
    mem_free((void *)sentinel->config.requirepass.data);
    mem_free(sentinel);
}

/* Durability. */

static void write_state(struct sn_sentinel *sentinel)
{
    struct sn_state *state = mem_zero(sizeof(*state));
    struct buf text = {0};
    state->id = sentinel->id;
    state->run = sentinel->run;
    for (uint32_t i = 0; i < sentinel->group_count; i++) {
        const struct sn_group *group = sentinel->groups[i];
        if (group->acceptor.promised.counter == 0)
            continue; /* asked for, but nothing was promised yet */
        memcpy(state->groups[state->group_count].name, group->name, GROUP_NAME_MAX);
        state->groups[state->group_count++].acceptor = group->acceptor;
    }
    sn_state_encode(state, &text);
    effect_persist(sentinel->effects, state_name, sentinel->sequence, buf_slice(&text));
    sentinel->written = sentinel->sequence;
    buf_free(&text);
    mem_free(state);
}

/* After a restart every promise that may have been given is given again, and what was accepted is not yet learned. */
static void resume_promises(struct sn_sentinel *sentinel)
{
    for (uint32_t i = 0; i < sentinel->group_count; i++) {
        struct sn_group *group = sentinel->groups[i];
        const struct sn_acceptor *acceptor = &group->acceptor;
        group->spares.observed_ns = sentinel->now_ns;
        if (acceptor->value.version == 0)
            continue;
        if (!sn_mutant(sentinel, SN_MUTANT_FORGET_STARTUP_PROMISE))
            sn_protection_begin(&group->protection, acceptor->value.epoch, &acceptor->value.master, sentinel->now_ns);
        sn_settled_await(&group->settled, &acceptor->accepted, true, sentinel->now_ns + SN_SETTLE_VALUE_NS);
    }
}

static void start(struct sn_sentinel *sentinel)
{
    char id[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&sentinel->id, id);
    if (sentinel->run == 0)
        effect_log(sentinel->effects, LOG_LEVEL_NOTICE,
                   "no readable state: this is the new sentinel %s, which votes where a list names it", id);
    else
        effect_log(sentinel->effects, LOG_LEVEL_NOTICE, "sentinel %s, start %llu", id,
                   (unsigned long long)sentinel->run + 1);
    sentinel->run++;
    sn_touch(sentinel);
    resume_promises(sentinel);
}

static void persisted(struct sn_sentinel *sentinel, const struct event *event)
{
    if (event->result < 0) {
        effect_log(sentinel->effects, LOG_LEVEL_ERROR,
                   "the state could not be made durable (%s): a sentinel that cannot "
                   "keep its word must not give it",
                   error_text(event->result));
        effect_exit(sentinel->effects, 1);
        sentinel->has_ended = true;
        return;
    }
    if (event->token > sentinel->durable)
        sentinel->durable = event->token;
    sn_held_release(sentinel);
    if (sentinel->is_serving)
        return;
    sentinel->is_serving = true;
    sn_peers_refresh(sentinel);
    effect_listen(sentinel->effects);
}

/* Connections. */

static void opened(struct sn_sentinel *sentinel, struct sn_link *link)
{
    link->is_open = true;
    link->heard_ns = sentinel->now_ns;
    if (link->node)
        sn_poll_opened(sentinel, link->node);
    else if (link->peer)
        sn_peer_opened(sentinel, link->peer);
}

static void closed(struct sn_sentinel *sentinel, struct sn_link *link)
{
    sn_link_lost(sentinel, link);
    sn_link_delete(sentinel, link);
}

/* The table is full: the client that has been silent longest makes room, never another sentinel, proxy or node. So
 * strangers cannot keep the sentinels from one another. */
static void make_room(struct sn_sentinel *sentinel)
{
    struct sn_link *idlest = NULL;
    for (link_id id = 0; id < sentinel->links.count; id++) {
        struct sn_link *link = sentinel->links.items[id];
        if (link && link->kind == SN_LINK_CLIENT && !link->client->is_control && !link->is_condemned &&
            (!idlest || link->heard_ns < idlest->heard_ns))
            idlest = link;
    }
    if (idlest) {
        sn_link_condemn(sentinel, idlest);
        sn_links_bury(sentinel);
    }
}

static link_id accept_link(void *core, int listener, const struct address *peer, int64_t now_ns,
                           struct effects *effects)
{
    struct sn_sentinel *sentinel = core;
    (void)listener;
    if (!sentinel->is_serving || sentinel->has_ended)
        return LINK_NONE;
    sentinel->effects = effects;
    sentinel->now_ns = now_ns;
    struct sn_link *link = sn_link_new(sentinel, SN_LINK_CLIENT);
    if (!link) {
        make_room(sentinel);
        link = sn_link_new(sentinel, SN_LINK_CLIENT);
    }
    if (link) {
        link->is_open = true;
        link->client = sn_client_new(peer);
    }
    sentinel->effects = NULL;
    return link ? link->id : LINK_NONE;
}

static struct slice output(void *core, link_id id, int64_t now_ns)
{
    const struct sn_sentinel *sentinel = core;
    const struct sn_link *link = sn_link_at(sentinel, id);
    (void)now_ns;
    return link ? buf_slice(&link->out) : slice_of(NULL, 0);
}

static void sent(void *core, link_id id, size_t count, struct effects *effects)
{
    struct sn_link *link = sn_link_at(core, id);
    (void)effects;
    if (!link)
        return;
    buf_consume(&link->out, count);
    buf_shrink(&link->out, 64 << 10);
}

/* Steps. */

/* A loop that was late says nothing of the masters, whose answers may lie unread. */
static void note_time(struct sn_sentinel *sentinel, const struct event *event)
{
    sentinel->now_ns = event->now_ns;
    sentinel->wall_us = event->wall_us;
    if (sentinel->deadline_ns != NEVER_NS && sentinel->now_ns - sentinel->deadline_ns > SN_LATE_NS) {
        for (uint32_t i = 0; i < sentinel->group_count; i++) {
            sn_protection_renew_late(&sentinel->groups[i]->protection, sentinel->seen_ns, sentinel->now_ns);
            sentinel->groups[i]->spares.observed_ns = sentinel->now_ns;
        }
    }
    sentinel->seen_ns = sentinel->now_ns;
}

static int64_t pass(struct sn_sentinel *sentinel)
{
    int64_t next = sn_peers_tick(sentinel);
    for (uint32_t i = 0; i < sentinel->group_count; i++)
        next = sn_earlier(next, sn_group_tick(sentinel, sentinel->groups[i]));
    return next;
}

static int64_t turn(struct sn_sentinel *sentinel)
{
    int64_t next = NEVER_NS;
    for (int i = 0; i < PASSES_MAX; i++) {
        next = pass(sentinel);
        if (next > sentinel->now_ns)
            break;
    }
    return next;
}

static void stop(struct sn_sentinel *sentinel)
{
    effect_exit(sentinel->effects, 0);
    sentinel->has_ended = true;
}

static void step(void *core, const struct event *event, struct effects *effects)
{
    struct sn_sentinel *sentinel = core;
    if (sentinel->has_ended)
        return;
    sentinel->effects = effects;
    note_time(sentinel, event);
    int64_t next = sentinel->now_ns; /* anything that happened wants a turn */

    struct sn_link *link = sn_link_at(sentinel, event->link);
    switch (event->kind) {
    case EVENT_START: start(sentinel); break;
    case EVENT_OPENED:
        if (link)
            opened(sentinel, link);
        break;
    case EVENT_RECEIVED:
        if (link)
            sn_link_receive(sentinel, link, event->bytes);
        break;
    case EVENT_CLOSED:
        if (link)
            closed(sentinel, link);
        break;
    case EVENT_PERSISTED: persisted(sentinel, event); break;
    case EVENT_ENDED:
    case EVENT_FILE: break;
    case EVENT_TURN: next = sentinel->is_serving ? turn(sentinel) : NEVER_NS; break;
    case EVENT_STOP: stop(sentinel); break;
    }

    if (sentinel->links.has_condemned)
        next = sentinel->now_ns;
    sn_links_bury(sentinel);
    if (!sentinel->has_ended && sentinel->sequence > sentinel->written && sentinel->written <= sentinel->durable)
        write_state(sentinel);
    sentinel->deadline_ns = sentinel->has_ended ? NEVER_NS : next;
    sentinel->effects = NULL;
}

static int64_t deadline(const void *core)
{
    const struct sn_sentinel *sentinel = core;
    return sentinel->deadline_ns;
}

const struct door sn_sentinel_door = {
    .accept = accept_link,
    .step = step,
    .output = output,
    .sent = sent,
    .deadline = deadline,
    .destroy = destroy,
};
