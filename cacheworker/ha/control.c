#include "cacheworker/ha/control.h"

#include "cacheworker/ha/ha.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/ha/lease.h"
#include "common/resp/resp_reader.h"
#include "common/resp/resp_writer.h"

#include <stdio.h>

enum {
    STRANGERS_MAX = 64, /* links at one time that have not said HELLO */
    ASKERS_MAX = 32,
    POLLS_REMEMBERED = 8,      /* per link; a GRANT names one of them */
    OUTPUT_MAX_BYTES = 4 << 20 /* a peer that reads nothing is closed */
};

#define GREETING_NS      (10 * NS_PER_S)   /* within which a link says HELLO */
#define PATIENCE_NS      (100 * NS_PER_MS) /* a POLL waits so long for the letters before it to be read */
#define BUSY_NS          NS_PER_S
#define POLLED_LATELY_NS (2 * POLL_INTERVAL_NS)

static const struct resp_limits limits = {
    .arguments_max = 1024,
    .bulk_length_max = 256 << 10,
    .inline_length_max = 64 << 10,
    .request_length_max = 1 << 20,
};

struct poll {
    uint64_t k;
    int64_t status_ns; /* T: a clock reading from before the STATUS was composed */
};

/* A sentinel's polls are numbered upwards over all its links and starts, so what was recorded and is played again is
 * refused: a POLL by its number, and a GRANT since its POLL is not one of this link. */
struct asker {
    struct identity sentinel;
    char group[GROUP_NAME_MAX];
    uint64_t last_k;
};

/* One link. Its sender is nobody until a HELLO with the right secret came. */
struct talk {
    struct list node;
    link_id link;
    uint64_t address; /* of its letters */
    int64_t opened_ns;
    bool is_greeted;
    bool is_ending; /* refused: what it says is not heard any more */
    enum peer_kind peer;
    struct identity sender;
    char group[GROUP_NAME_MAX]; /* that it polls for; "": none yet */
    struct poll polls[POLLS_REMEMBERED];
    uint64_t poll_count;
    int64_t polled_ns; /* the newest; INT64_MIN: never */
    uint64_t letter;   /* the number of its last letter; 0: none */
    bool owes_status;  /* a POLL that waits for that letter to be read */
    uint64_t owed_k;
    char owed_group[GROUP_NAME_MAX];
    int64_t owed_since_ns;
    struct resp_request request; /* owned; may be incomplete */
    struct buf in;               /* owned; from the first byte of that request */
    struct buf out;              /* owned */
};

struct cw_control {
    struct cw_control_config config;
    bool is_alone;
    bool is_listening;
    bool wakes; /* the command core has something to look at */

    int64_t now_ns;          /* of the step that runs */
    struct effects *effects; /* borrowed while it runs */
    const struct cw_figures *figures;

    struct asker askers[ASKERS_MAX]; /* the oldest gives way */
    uint64_t asker_count;

    struct talk *talks[CW_CONTROL_LINKS]; /* owned; by link */
    struct list order;                    /* of struct talk, oldest first */
    unsigned strangers;
    uint64_t last_address;
    uint64_t letters_put;
    unsigned ask_turn; /* which sentinel gets the next letter to any of them */

    uint64_t term; /* whose grants these are */
    uint64_t standing;
    uint32_t grant_count;
    struct lease_grant grants[TOPOLOGY_SENTINELS_MAX * 2]; /* one per sentinel */
    struct cw_lease lease;                                 /* the last one that was published */

    struct message read; /* too big for the stack */
    struct message said;
    struct buf letter;
};

/* --- links --- */

static void forget(struct cw_control *control, struct talk *talk)
{
    control->talks[talk->link] = NULL;
    list_remove(&talk->node);
    control->strangers -= !talk->is_greeted && !talk->is_ending;
    resp_request_free(&talk->request);
    buf_free(&talk->in);
    buf_free(&talk->out);
    mem_free(talk);
}

static void close_talk(struct cw_control *control, struct talk *talk)
{
    effect_close(control->effects, talk->link);
    forget(control, talk);
}

static void count_refusal(struct cw_control *control, enum refusal refusal)
{
    atomic_fetch_add_explicit(&control->config.desk->refused[refusal], 1, memory_order_relaxed);
}

static void refuse(struct cw_control *control, struct talk *talk, enum refusal refusal, const char *error)
{
    count_refusal(control, refusal);
    control->strangers -= !talk->is_greeted && !talk->is_ending;
    talk->is_ending = true;
    talk->owes_status = false;
    resp_write_error(&talk->out, slice_text(error));
    effect_flush(control->effects, talk->link);
    effect_drain(control->effects, talk->link);
}

static void send_bytes(struct cw_control *control, struct talk *talk, struct slice bytes)
{
    if (buf_length(&talk->out) + bytes.length > OUTPUT_MAX_BYTES) {
        close_talk(control, talk);
        return;
    }
    buf_add_slice(&talk->out, bytes);
    effect_flush(control->effects, talk->link);
}

/* Who has not said HELLO in time goes, and the oldest of too many. */
static void drop_strangers(struct cw_control *control)
{
    if (LIKELY(control->strangers == 0))
        return;
    LIST_FOR_EACH(node, &control->order)
    {
        struct talk *talk = LIST_ENTRY(node, struct talk, node);
        bool is_late = control->now_ns - talk->opened_ns >= GREETING_NS;
        if (!talk->is_greeted && !talk->is_ending && (is_late || control->strangers > STRANGERS_MAX))
            close_talk(control, talk);
    }
}

/* --- the lease --- */

static void count_lease(struct cw_control *control)
{
    const struct cw_figures *figures = control->figures;
    struct cw_lease lease = {.term = control->term, .until_ns = INT64_MIN};
    if (figures->status.role == ROLE_MASTER && control->grant_count > 0)
        lease.until_ns = lease_deadline(&figures->topology, control->grants, control->grant_count);
    if (lease.term == control->lease.term && lease.until_ns == control->lease.until_ns)
        return;
    control->lease = lease;
    *(struct cw_lease *)cw_newest_draft(&control->config.desk->leases) = lease;
    cw_newest_publish(&control->config.desk->leases);
    control->wakes = true;
}

/* Looks at the figures. Grants are of one term. A lease under a new list of sentinels is counted before any STATUS says
 * that this list is known. */
static void look(struct cw_control *control)
{
    const struct cw_figures *figures = cw_newest_read(&control->config.desk->figures);
    control->figures = figures;
    if (figures->term == control->term && figures->standing == control->standing)
        return;
    if (figures->term != control->term)
        control->grant_count = 0;
    control->term = figures->term;
    control->standing = figures->standing;
    count_lease(control);
}

static const struct poll *find_poll(const struct talk *talk, uint64_t k)
{
    uint64_t held = talk->poll_count < POLLS_REMEMBERED ? talk->poll_count : POLLS_REMEMBERED;
    for (uint64_t i = 0; i < held; i++)
        if (talk->polls[i].k == k)
            return &talk->polls[i];
    return NULL;
}

static void remember_grant(struct cw_control *control, const struct identity *sentinel, int64_t status_ns)
{
    for (uint32_t i = 0; i < control->grant_count; i++) {
        if (!identity_equal(&control->grants[i].sentinel, sentinel))
            continue;
        if (control->grants[i].status_ns < status_ns)
            control->grants[i].status_ns = status_ns;
        return;
    }
    if (control->grant_count < ARRAY_LENGTH(control->grants))
        control->grants[control->grant_count++] = (struct lease_grant){.sentinel = *sentinel, .status_ns = status_ns};
}

static bool is_own_life(const struct cw_control *control, const struct life *life)
{
    const struct life *own = &control->figures->status.life;
    return control->config.mutants & CW_MUTANT_IGNORE_INCARNATION ? identity_equal(&life->node, &own->node)
                                                                  : life_equal(life, own);
}

static bool is_listed(const struct topology *topology, const struct identity *sentinel)
{
    return sentinel_list_find(&topology->sentinels, sentinel) >= 0 ||
           sentinel_list_find(&topology->previous_sentinels, sentinel) >= 0;
}

/* T is looked up by k among the polls of this very link, and never taken from the wire. */
static void take_grant(struct cw_control *control, const struct talk *talk, const struct message *message)
{
    const struct status *status = &control->figures->status;
    const struct poll *poll = find_poll(talk, message->grant.k);
    bool is_epoch = message->grant.epoch == status->epoch || control->config.mutants & CW_MUTANT_GRANT_OF_ANY_EPOCH;
    if (strcmp(message->group, status->group) != 0) {
        count_refusal(control, REFUSAL_GROUP);
        return;
    }
    if (!is_listed(&control->figures->topology, &talk->sender)) {
        count_refusal(control, REFUSAL_PERMISSION);
        return;
    }
    if (poll == NULL || status->role != ROLE_MASTER || !is_epoch || !is_own_life(control, &message->grant.life)) {
        count_refusal(control, REFUSAL_OLD);
        return;
    }
    bool from_grant = control->config.mutants & CW_MUTANT_LEASE_FROM_GRANT;
    remember_grant(control, &talk->sender, from_grant ? control->now_ns : poll->status_ns);
    count_lease(control);
}

/* --- STATUS --- */

static uint32_t flags_of_age(const struct cw_control *control)
{
    int64_t turned_ns = atomic_load_explicit(&control->config.desk->turned_ns, memory_order_relaxed);
    int64_t limit_ns = control->config.stuck_limit_ns;
    int64_t age_ns = turned_ns != 0 ? control->now_ns - turned_ns : 0;
    return (age_ns > BUSY_NS ? STATUS_BUSY : 0U) | (limit_ns > 0 && age_ns > limit_ns ? STATUS_STUCK : 0U);
}

/* What aged since it was published. */
static void add_age(const struct cw_control *control, struct status *status)
{
    const struct cw_figures *figures = control->figures;
    int64_t age_ns = control->now_ns - figures->published_ns;
    for (uint32_t i = 0; i < status->replica_count; i++)
        if (status->replicas[i].lag_ms > 0 && age_ns > 0)
            status->replicas[i].lag_ms += age_ns / NS_PER_MS;
    int64_t waited_ns = figures->waiting_since_ns != 0 ? control->now_ns - figures->waiting_since_ns : 0;
    status->oldest_waiting_ms = waited_ns > 0 ? waited_ns / NS_PER_MS : 0;
}

static void send_status(struct cw_control *control, struct talk *talk, uint64_t k, const char *group)
{
    /* The time of the event, so before the STATUS is composed. */
    talk->polls[talk->poll_count++ % POLLS_REMEMBERED] = (struct poll){.k = k, .status_ns = control->now_ns};
    talk->owes_status = false;

    struct message *said = &control->said;
    memset(said, 0, sizeof(*said));
    said->kind = MESSAGE_STATUS;
    memcpy(said->group, group, strnlen(group, GROUP_NAME_MAX - 1));
    said->status = control->figures->status;
    said->status.k = k;
    said->status.flags |= flags_of_age(control);
    add_age(control, &said->status);
    buf_clear(&control->letter);
    message_encode(said, &control->letter);
    send_bytes(control, talk, buf_slice(&control->letter));
}

static bool was_read(const struct cw_control *control, const struct talk *talk)
{
    return talk->letter <= control->figures->letters_read;
}

/* False: this number, or a later one, was heard from that sentinel before. */
static bool is_new_poll(struct cw_control *control, const struct talk *talk, const struct message *message)
{
    uint64_t k = message->poll.k;
    uint64_t held = control->asker_count < ASKERS_MAX ? control->asker_count : ASKERS_MAX;
    for (uint64_t i = 0; i < held; i++) {
        struct asker *asker = &control->askers[i];
        if (!identity_equal(&asker->sentinel, &talk->sender) || strcmp(asker->group, message->group) != 0)
            continue;
        if (k <= asker->last_k && !(control->config.mutants & CW_MUTANT_HEAR_POLLS_AGAIN))
            return false;
        asker->last_k = k;
        return true;
    }
    struct asker *asker = &control->askers[control->asker_count++ % ASKERS_MAX];
    *asker = (struct asker){.sentinel = talk->sender, .last_k = k};
    memcpy(asker->group, message->group, sizeof(asker->group));
    return true;
}

/* The newest link of a sentinel for a group is the one that counts. Another group of the same sentinel has its own. */
static void replace_older(struct cw_control *control, const struct talk *talk)
{
    LIST_FOR_EACH(node, &control->order)
    {
        struct talk *older = LIST_ENTRY(node, struct talk, node);
        if (older != talk && older->is_greeted && older->peer == PEER_SENTINEL &&
            identity_equal(&older->sender, &talk->sender) && strcmp(older->group, talk->group) == 0)
            close_talk(control, older);
    }
}

static void answer_poll(struct cw_control *control, struct talk *talk, const struct message *message)
{
    if (talk->peer == PEER_SENTINEL && !is_new_poll(control, talk, message)) {
        refuse(control, talk, REFUSAL_OLD, "ERR this poll was heard before: is a sentinel's state set back?");
        return;
    }
    if (talk->peer == PEER_SENTINEL && strcmp(talk->group, message->group) != 0) {
        memcpy(talk->group, message->group, sizeof(talk->group));
        replace_older(control, talk);
    }
    talk->polled_ns = control->now_ns;
    if (was_read(control, talk)) {
        send_status(control, talk, message->poll.k, message->group);
        return;
    }
    if (!talk->owes_status) /* a newer one takes the place of one that waits, but waits no longer */
        talk->owed_since_ns = control->now_ns;
    talk->owes_status = true;
    talk->owed_k = message->poll.k;
    memcpy(talk->owed_group, message->group, sizeof(talk->owed_group));
}

static void send_owed(struct cw_control *control)
{
    LIST_FOR_EACH(node, &control->order)
    {
        struct talk *talk = LIST_ENTRY(node, struct talk, node);
        if (talk->owes_status && (was_read(control, talk) || control->now_ns - talk->owed_since_ns >= PATIENCE_NS))
            send_status(control, talk, talk->owed_k, talk->owed_group);
    }
}

/* --- letters --- */

/* Where there is no room the request is lost: the command thread reads nothing, and whoever sent it will say it again
 * to a node that does. */
static void put_letter(struct cw_control *control, struct talk *talk, struct slice request)
{
    if (!cw_mailbox_put(&control->config.desk->to_command, talk->address, request))
        return;
    talk->letter = ++control->letters_put;
    control->wakes = true;
}

static struct talk *addressee(const struct cw_control *control, uint64_t address)
{
    LIST_FOR_EACH(node, &control->order)
    {
        struct talk *talk = LIST_ENTRY(node, struct talk, node);
        if (talk->address == address)
            return talk->is_ending ? NULL : talk;
    }
    return NULL;
}

/* One sentinel after another, of those that have polled lately. */
static struct talk *next_sentinel(struct cw_control *control)
{
    struct talk *candidates[CW_CONTROL_LINKS];
    unsigned count = 0;
    LIST_FOR_EACH(node, &control->order)
    {
        struct talk *talk = LIST_ENTRY(node, struct talk, node);
        if (talk->is_greeted && !talk->is_ending && talk->peer == PEER_SENTINEL && talk->polled_ns != INT64_MIN &&
            control->now_ns - talk->polled_ns < POLLED_LATELY_NS)
            candidates[count++] = talk;
    }
    return count > 0 ? candidates[control->ask_turn++ % count] : NULL;
}

static void deliver_letters(struct cw_control *control)
{
    uint64_t address;
    while (cw_mailbox_take(&control->config.desk->to_control, &address, &control->letter)) {
        struct talk *talk = address == CW_TO_A_SENTINEL ? next_sentinel(control) : addressee(control, address);
        if (talk != NULL)
            send_bytes(control, talk, buf_slice(&control->letter));
    }
}

/* --- requests --- */

static void greet(struct cw_control *control, struct talk *talk, const struct message *message)
{
    struct slice secret = control->config.secret;
    if (secret.length == 0 || !slice_equal_secret(message->hello.secret, secret)) {
        refuse(control, talk, REFUSAL_SECRET, "WRONGPASS wrong secret");
        return;
    }
    if (message->hello.protocol != CONTROL_PROTOCOL) {
        char text[96];
        snprintf(text, sizeof(text), "ERR control protocol %u is not spoken here, %d is", message->hello.protocol,
                 CONTROL_PROTOCOL);
        refuse(control, talk, REFUSAL_PROTOCOL, text);
        return;
    }
    talk->is_greeted = true;
    control->strangers--;
    talk->peer = message->hello.kind;
    talk->sender = message->hello.sender;
}

struct objection {
    enum refusal refusal;
    const char *error; /* NULL: none */
};

/* What is wrong with this message at this time. */
static struct objection objection(const struct talk *talk, const struct message *message)
{
    bool is_hello = message->kind == MESSAGE_HELLO;
    if (!talk->is_greeted && !is_hello)
        return (struct objection){REFUSAL_NO_HELLO, "NOAUTH say HELLO first"};
    if (talk->is_greeted && is_hello)
        return (struct objection){REFUSAL_PERMISSION, "ERR a link has one sender"};
    if (talk->is_greeted && talk->peer != PEER_SENTINEL && message->kind != MESSAGE_POLL)
        return (struct objection){REFUSAL_PERMISSION, "NOPERM only a sentinel may say that"};
    return (struct objection){REFUSAL_KINDS, NULL};
}

static void take_message(struct cw_control *control, struct talk *talk, struct slice bytes)
{
    const struct message *message = &control->read;
    struct objection found = objection(talk, message);
    if (found.error != NULL) {
        refuse(control, talk, found.refusal, found.error);
        return;
    }
    switch (message->kind) {
    case MESSAGE_HELLO: greet(control, talk, message); break;
    case MESSAGE_POLL: answer_poll(control, talk, message); break;
    case MESSAGE_GRANT: take_grant(control, talk, message); break;
    case MESSAGE_FENCE:
    case MESSAGE_LEARN: put_letter(control, talk, bytes); break;
    default: refuse(control, talk, REFUSAL_MALFORMED, "ERR not a message for a node"); break;
    }
}

/* RESPITE MIGRATE, of a tool: the command thread obeys, or says why not. */
static void take_order(struct cw_control *control, struct talk *talk, struct slice bytes)
{
    if (!talk->is_greeted)
        refuse(control, talk, REFUSAL_NO_HELLO, "NOAUTH say HELLO first");
    else if (talk->peer != PEER_TOOL)
        refuse(control, talk, REFUSAL_PERMISSION, "NOPERM only a tool may say that");
    else
        put_letter(control, talk, bytes);
}

static void take_request(struct cw_control *control, struct talk *talk, struct slice bytes)
{
    const struct resp_request *request = &talk->request;
    if (request->argc == 0)
        return; /* an empty line */
    if (!slice_equal_nocase(request->argv[0], "respite"))
        put_letter(control, talk, bytes);
    else if (request->argc >= 2 && slice_equal_nocase(request->argv[1], "migrate"))
        take_order(control, talk, bytes);
    else if (message_decode(request->argv, request->argc, &control->read) < 0)
        refuse(control, talk, REFUSAL_MALFORMED, "ERR malformed message");
    else
        take_message(control, talk, bytes);
}

static void read_requests(struct cw_control *control, struct talk *talk)
{
    /* Only the talk itself may end here, and by is_ending; a POLL closes others. */
    while (!talk->is_ending && buf_length(&talk->in) > 0) {
        int64_t used = resp_request_read(&talk->request, buf_slice(&talk->in), &limits);
        if (used == 0)
            return;
        if (used < 0) {
            char text[RESP_ERROR_TEXT_MAX + 32];
            snprintf(text, sizeof(text), "ERR Protocol error: %s", talk->request.error);
            refuse(control, talk, REFUSAL_MALFORMED, text);
            return;
        }
        link_id link = talk->link;
        take_request(control, talk, slice_of(buf_slice(&talk->in).data, (size_t)used));
        if (control->talks[link] != talk)
            return; /* it took none of its answers */
        buf_consume(&talk->in, (size_t)used);
    }
    buf_shrink(&talk->in, 1024);
}

/* --- the door --- */

struct cw_control *cw_control_create(const struct cw_control_config *config)
{
    struct cw_control *control = mem_zero(sizeof(*control));
    control->config = *config;
    control->lease.until_ns = INT64_MIN;
    control->figures = cw_newest_read(&config->desk->figures);
    list_init(&control->order);
    return control;
}

void cw_control_stand_alone(struct cw_control *control)
{
    control->is_alone = true;
}

bool cw_control_take_wake(struct cw_control *control)
{
    bool wakes = control->wakes;
    control->wakes = false;
    return wakes;
}

static void destroy(void *core)
{
    struct cw_control *control = core;
    if (control == NULL)
        return;
    LIST_FOR_EACH(node, &control->order)
    forget(control, LIST_ENTRY(node, struct talk, node));
    buf_free(&control->letter);
    mem_free(control);
}

static void end_step(struct cw_control *control)
{
    if (control->is_alone && cw_control_take_wake(control))
        effect_wake(control->effects);
}

static void turn(struct cw_control *control)
{
    if (control->is_alone && !control->is_listening && control->figures->may_be_asked) {
        control->is_listening = true;
        effect_listen(control->effects);
    }
    deliver_letters(control);
    send_owed(control);
    drop_strangers(control);
}

static link_id accept_link(void *core, int listener, const struct address *peer, int64_t now_ns,
                           struct effects *effects)
{
    struct cw_control *control = core;
    (void)listener;
    (void)peer;
    (void)effects;
    link_id link = 0;
    while (link < CW_CONTROL_LINKS && control->talks[link] != NULL)
        link++;
    if (link == CW_CONTROL_LINKS)
        return LINK_NONE;
    struct talk *talk = mem_zero(sizeof(*talk));
    talk->link = link;
    talk->address = ++control->last_address;
    talk->opened_ns = now_ns;
    talk->polled_ns = INT64_MIN;
    list_add_last(&control->order, &talk->node);
    control->talks[link] = talk;
    control->strangers++;
    return link;
}

static void step(void *core, const struct event *event, struct effects *effects)
{
    struct cw_control *control = core;
    control->now_ns = event->now_ns;
    control->effects = effects;
    look(control);
    struct talk *talk =
        event->kind == EVENT_RECEIVED || event->kind == EVENT_CLOSED ? control->talks[event->link] : NULL;
    switch (event->kind) {
    case EVENT_RECEIVED:
        if (talk != NULL && !talk->is_ending) {
            buf_add_slice(&talk->in, event->bytes);
            read_requests(control, talk);
        }
        break;
    case EVENT_CLOSED:
        if (talk != NULL)
            forget(control, talk);
        break;
    case EVENT_TURN: turn(control); break;
    case EVENT_STOP: effect_exit(effects, 0); break;
    case EVENT_START:
    case EVENT_OPENED:
    case EVENT_ENDED:
    case EVENT_PERSISTED:
    case EVENT_FILE: break;
    }
    end_step(control);
}

static struct slice output(void *core, link_id link, int64_t now_ns)
{
    const struct cw_control *control = core;
    (void)now_ns;
    return control->talks[link] != NULL ? buf_slice(&control->talks[link]->out) : slice_of(NULL, 0);
}

static void sent(void *core, link_id link, size_t count, struct effects *effects)
{
    struct cw_control *control = core;
    (void)effects;
    struct talk *talk = control->talks[link];
    if (talk == NULL)
        return;
    buf_consume(&talk->out, count);
    buf_shrink(&talk->out, 1024);
}

static int64_t deadline(const void *core)
{
    const struct cw_control *control = core;
    int64_t next_ns = NEVER_NS;
    LIST_FOR_EACH(node, &control->order)
    {
        const struct talk *talk = LIST_ENTRY(node, struct talk, node);
        if (!talk->is_greeted && !talk->is_ending && talk->opened_ns + GREETING_NS < next_ns)
            next_ns = talk->opened_ns + GREETING_NS;
        if (talk->owes_status && talk->owed_since_ns + PATIENCE_NS < next_ns)
            next_ns = talk->owed_since_ns + PATIENCE_NS;
    }
    return next_ns;
}

const struct door cw_control_door = {
    .accept = accept_link,
    .step = step,
    .output = output,
    .sent = sent,
    .deadline = deadline,
    .destroy = destroy,
};
