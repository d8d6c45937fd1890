#include "cacheworker/tracking/tracking.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/tracking/broadcast.h"
#include "cacheworker/tracking/read_keys.h"
#include "common/base/hashmap.h"
#include "common/base/mem.h"

enum {
    KEYS_MAX = 64,          /* of a command, without memory for more */
    VALUE_KEPT = 64 << 10,  /* bytes of memory for the next key */
    FREED_AT_ONCE = 256,    /* keys that were cleared */
    DROPPED_AT_ONCE = 1000, /* keys that the table has too many */
};

/* Of a session that tracks, or did, or that another one is redirected to. */
struct cw_tracker {
    struct hashmap_node by_id;
    struct cw_session *session; /* borrowed */
    unsigned mode;
    uint64_t redirect;
    struct cw_tracker *target; /* of the redirection; NULL: there is none any more */
    struct list redirected;    /* in target->sources */
    struct list sources;       /* those that are redirected to this one */
};

struct cw_tracking {
    struct cw_engine *engine; /* borrowed */
    struct cw_listener listener;
    struct hashmap trackers; /* by session->id */
    size_t clients;          /* that track */
    struct cw_read_keys *keys;
    struct cw_broadcast broadcast;
    struct buf value;           /* what is being told, encoded */
    uint64_t told_all_commands; /* how many commands there had been when all were told to forget everything */
    bool told_all;
    bool is_freeing;
};

/* --- trackers --- */

static struct cw_tracker *find(const struct cw_tracking *tracking, uint64_t id)
{
    struct hashmap_node *node = hashmap_find(&tracking->trackers, hashmap_number(&id));
    return node != NULL ? CONTAINER_OF(node, struct cw_tracker, by_id) : NULL;
}

static struct cw_tracker *tracker_of(struct cw_tracking *tracking, struct cw_session *session)
{
    if (session->tracker == NULL) {
        session->tracker = mem_zero(sizeof(*session->tracker));
        session->tracker->session = session;
        list_init(&session->tracker->redirected);
        list_init(&session->tracker->sources);
        hashmap_add(&tracking->trackers, &session->tracker->by_id, hashmap_number(&session->id));
    }
    return session->tracker;
}

static void redirect(struct cw_tracking *tracking, struct cw_tracker *tracker, uint64_t id)
{
    list_remove(&tracker->redirected);
    tracker->redirect = id;
    tracker->target = NULL;
    struct cw_session *session = id != 0 ? cw_session_with_id(tracking->engine, id) : NULL;
    if (session == NULL)
        return;
    tracker->target = tracker_of(tracking, session);
    list_add_last(&tracker->target->sources, &tracker->redirected);
}

/* --- telling --- */

/* Who is to be sent what is for the tracker; NULL: nobody. */
static struct cw_session *receiver_of(struct cw_tracking *tracking, struct cw_tracker *tracker)
{
    if (tracker->redirect == 0)
        return tracker->session->protocol > 2 ? tracker->session : NULL;
    if (tracker->target != NULL) {
        struct cw_session *session = tracker->target->session;
        return session->protocol > 2 || (session->flags & CW_SESSION_IN_PUBSUB) ? session : NULL;
    }
    tracker->mode |= CW_TRACKING_BROKEN;
    if (tracker->session->protocol > 2) {
        struct buf text = {0};
        resp_write_push(&text, 3, 2);
        resp_write_bulk_text(&text, "tracking-redir-broken");
        resp_write_integer(&text, (int64_t)tracker->redirect);
        cw_session_push(tracking->engine, tracker->session, buf_slice(&text));
        buf_free(&text);
    }
    return NULL;
}

/* `value` is an array of keys, encoded; without data it is null, which means all. */
static void tell(struct cw_tracking *tracking, struct cw_tracker *tracker, struct slice value)
{
    struct cw_session *receiver = receiver_of(tracking, tracker);
    if (receiver == NULL)
        return;
    bool is_resp3 = receiver->protocol > 2;
    cw_session_push(tracking->engine, receiver,
                    is_resp3 ? SLICE_LITERAL(">2\r\n$10\r\ninvalidate\r\n")
                             : SLICE_LITERAL("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n"));
    if (value.data != NULL)
        cw_session_push(tracking->engine, receiver, value);
    else
        cw_session_push(tracking->engine, receiver, is_resp3 ? SLICE_LITERAL("_\r\n") : SLICE_LITERAL("$-1\r\n"));
}

static void tell_reader(void *context, uint64_t id)
{
    struct cw_tracking *tracking = context;
    struct cw_tracker *tracker = find(tracking, id);
    if (tracker == NULL || (tracker->mode & (CW_TRACKING_ON | CW_TRACKING_BCAST)) != CW_TRACKING_ON)
        return;
    if ((tracker->mode & CW_TRACKING_NOLOOP) && tracker->session == tracking->engine->executing)
        return;
    tell(tracking, tracker, buf_slice(&tracking->value));
}

/* Tells those who read the key, and forgets that they did. `key` may lie in the table. */
static void invalidate(struct cw_tracking *tracking, struct slice key)
{
    resp_write_array(&tracking->value, 1);
    resp_write_bulk(&tracking->value, key);
    cw_read_keys_take(tracking->keys, key, tell_reader, tracking);
    buf_clear(&tracking->value);
    buf_shrink(&tracking->value, VALUE_KEPT);
}

static void tell_all_to_forget(struct cw_tracking *tracking)
{
    cw_read_keys_clear(tracking->keys);
    tracking->is_freeing = true;
    /* A command that flushes several databases is told once: without a command nobody could read anything since. */
    uint64_t commands = tracking->engine->statistics.total_commands;
    if (tracking->told_all && tracking->told_all_commands == commands)
        return;
    tracking->told_all = true;
    tracking->told_all_commands = commands;
    LIST_FOR_EACH(node, &tracking->engine->sessions)
    {
        struct cw_tracker *tracker = LIST_ENTRY(node, struct cw_session, all)->tracker;
        if (tracker != NULL && (tracker->mode & CW_TRACKING_ON))
            tell(tracking, tracker, slice_of(NULL, 0));
    }
}

/* --- what changes --- */

static void changed(void *context, const struct cw_change *change)
{
    struct cw_tracking *tracking = context;
    cw_broadcast_note(&tracking->broadcast, change->key, change->session != NULL ? change->session->id : 0);
    if (cw_read_keys_count(tracking->keys) > 0)
        invalidate(tracking, change->key);
}

/* After SWAPDB too, of which the reference tells nobody: what was read may be of the other database now. */
static void upheaved(void *context, unsigned database, enum cw_upheaval upheaval, struct cw_session *session)
{
    (void)database;
    (void)upheaval;
    (void)session;
    tell_all_to_forget(context);
}

static bool ignores_own(void *context, uint64_t member)
{
    return find(context, member)->mode & CW_TRACKING_NOLOOP;
}

static void tell_member(void *context, uint64_t member, struct slice keys)
{
    tell(context, find(context, member), keys);
}

/* --- beginning and end --- */

/* One that tracks no more may do so again, and is then told of what it read before, as in the reference. */
static bool is_alive(void *context, uint64_t reader)
{
    return find(context, reader) != NULL;
}

struct cw_tracking *cw_tracking_create(struct cw_engine *engine)
{
    struct cw_tracking *tracking = mem_zero(sizeof(*tracking));
    tracking->engine = engine;
    tracking->listener = (struct cw_listener){.context = tracking, .changed = changed, .upheaved = upheaved};
    list_init(&tracking->listener.node);
    hashmap_init(&tracking->trackers, (struct siphash_key){{rand_u64(&engine->rand), rand_u64(&engine->rand)}});
    tracking->keys = cw_read_keys_create(rand_u64(&engine->rand), is_alive, tracking);
    cw_broadcast_create(&tracking->broadcast, rand_u64(&engine->rand));
    return tracking;
}

void cw_tracking_destroy(struct cw_tracking *tracking)
{
    if (tracking == NULL)
        return;
    CHECK(tracking->trackers.count == 0);
    hashmap_free(&tracking->trackers);
    cw_read_keys_destroy(tracking->keys);
    cw_broadcast_destroy(&tracking->broadcast);
    buf_free(&tracking->value);
    mem_free(tracking);
}

void cw_tracking_start(struct cw_tracking *tracking, struct cw_session *session, unsigned mode, uint64_t id,
                       const struct slice *prefixes, size_t prefix_count)
{
    struct cw_tracker *tracker = tracker_of(tracking, session);
    if (!(tracker->mode & CW_TRACKING_ON) && tracking->clients++ == 0)
        cw_changes_listen(&tracking->engine->changes, &tracking->listener);
    tracker->mode = mode | CW_TRACKING_ON | (tracker->mode & CW_TRACKING_CACHING);
    session->flags |= CW_SESSION_TRACKING;
    redirect(tracking, tracker, id);
    if ((mode & CW_TRACKING_BCAST) && prefix_count == 0)
        cw_broadcast_join(&tracking->broadcast, SLICE_LITERAL(""), session->id);
    for (size_t i = 0; i < prefix_count; i++)
        cw_broadcast_join(&tracking->broadcast, prefixes[i], session->id);
}

void cw_tracking_stop(struct cw_tracking *tracking, struct cw_session *session)
{
    struct cw_tracker *tracker = session->tracker;
    if (tracker == NULL || !(tracker->mode & CW_TRACKING_ON))
        return;
    if (tracker->mode & CW_TRACKING_BCAST)
        cw_broadcast_leave(&tracking->broadcast, session->id);
    tracker->mode = 0;
    session->flags &= ~(uint32_t)CW_SESSION_TRACKING;
    redirect(tracking, tracker, 0);
    if (--tracking->clients > 0)
        return;
    /* Nobody is told of changes any more, so what stands in the table would be wrong later. */
    cw_changes_ignore(&tracking->engine->changes, &tracking->listener);
    cw_read_keys_clear(tracking->keys);
    tracking->is_freeing = true;
}

void cw_tracking_forget(struct cw_tracking *tracking, struct cw_session *session)
{
    struct cw_tracker *tracker = session->tracker;
    if (tracker == NULL)
        return;
    cw_tracking_stop(tracking, session);
    LIST_FOR_EACH(node, &tracker->sources)
    {
        LIST_ENTRY(node, struct cw_tracker, redirected)->target = NULL;
        list_remove(node);
    }
    hashmap_remove(&tracking->trackers, &tracker->by_id);
    mem_free(tracker);
    session->tracker = NULL;
}

/* --- looking --- */

unsigned cw_tracking_mode(const struct cw_session *session)
{
    return session->tracker != NULL ? session->tracker->mode : 0;
}

uint64_t cw_tracking_redirect(const struct cw_session *session)
{
    return session->tracker != NULL ? session->tracker->redirect : 0;
}

size_t cw_tracking_prefixes_of(const struct cw_tracking *tracking, const struct cw_session *session,
                               struct slice *prefixes)
{
    return cw_broadcast_prefixes_of(&tracking->broadcast, session->id, prefixes);
}

size_t cw_tracking_clients(const struct cw_tracking *tracking)
{
    return tracking->clients;
}

size_t cw_tracking_keys(const struct cw_tracking *tracking)
{
    return cw_read_keys_count(tracking->keys);
}

uint64_t cw_tracking_items(const struct cw_tracking *tracking)
{
    return cw_read_keys_readers(tracking->keys);
}

size_t cw_tracking_prefixes(const struct cw_tracking *tracking)
{
    return tracking->broadcast.count;
}

/* --- what is read --- */

void cw_tracking_set_caching(struct cw_session *session)
{
    session->tracker->mode |= CW_TRACKING_CACHING;
}

static bool is_tracked(unsigned mode)
{
    if (mode & CW_TRACKING_BCAST)
        return false;
    if (mode & CW_TRACKING_OPTIN)
        return mode & CW_TRACKING_CACHING;
    return !((mode & CW_TRACKING_OPTOUT) && (mode & CW_TRACKING_CACHING));
}

/* A script tracks nothing itself, but by the commands that it calls. */
static bool reads(const struct command *command)
{
    return (command->flags & COMMAND_READONLY) && !(command->flags & COMMAND_PUBSUB) &&
           command->id != COMMAND_ID_EVAL_RO && command->id != COMMAND_ID_EVALSHA_RO &&
           command->id != COMMAND_ID_FCALL_RO;
}

static bool has_too_many(const struct cw_tracking *tracking)
{
    int64_t most = tracking->engine->settings.tracking_table_max_keys;
    return most > 0 && cw_read_keys_count(tracking->keys) > (uint64_t)most;
}

static void remember_keys(struct cw_tracking *tracking, const struct cw_call *call, const struct command_key *keys,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cw_read_keys_add(tracking->keys, call->argv[keys[i].index], call->session->id);
        if (has_too_many(tracking))
            invalidate(tracking, cw_read_keys_oldest(tracking->keys));
    }
}

void cw_tracking_remember(struct cw_tracking *tracking, const struct cw_call *call)
{
    struct command_key few[KEYS_MAX];
    size_t count;
    if (!reads(call->command) || !is_tracked(cw_tracking_mode(call->session)) ||
        command_keys(call->command, call->argv, call->argc, few, KEYS_MAX, &count) < 0)
        return;
    if (count <= KEYS_MAX) {
        remember_keys(tracking, call, few, count);
        return;
    }
    struct command_key *all = mem_alloc(count * sizeof(*all));
    if (command_keys(call->command, call->argv, call->argc, all, count, &count) == 0)
        remember_keys(tracking, call, all, count);
    mem_free(all);
}

void cw_tracking_end_request(struct cw_session *session, const struct command *command)
{
    bool is_client = command != NULL && command->container != NULL && command->container->id == COMMAND_ID_CLIENT;
    if (!is_client && !(session->flags & CW_SESSION_IN_MULTI))
        session->tracker->mode &= ~(unsigned)CW_TRACKING_CACHING;
}

bool cw_tracking_turn(struct cw_tracking *tracking)
{
    if (tracking->is_freeing)
        tracking->is_freeing = cw_read_keys_free_step(tracking->keys, FREED_AT_ONCE);
    if (tracking->broadcast.has_changes) {
        const struct cw_broadcast_audience audience = {ignores_own, tell_member, tracking};
        cw_broadcast_tell(&tracking->broadcast, &audience);
    }
    for (unsigned i = 0; i < DROPPED_AT_ONCE && has_too_many(tracking); i++)
        invalidate(tracking, cw_read_keys_oldest(tracking->keys));
    return tracking->is_freeing || has_too_many(tracking);
}
