#include "proxy/core/clients.h"

#include "common/resp/resp_writer.h"
#include "proxy/core/pool.h"
#include "proxy/core/session.h"

enum { SHOWN_MAX = 128 }; /* of a client's word, in an error */

/* ---- the words ---- */

static bool fail(struct buf *error, const char *text)
{
    resp_write_error(error, slice_text(text));
    return false;
}

static bool fail_at(struct buf *error, const char *text, struct slice word)
{
    int shown = word.length > SHOWN_MAX ? SHOWN_MAX : (int)word.length;
    resp_write_error_format(error, "ERR %s '%.*s'", text, shown, word.data);
    return false;
}

static bool is_type(struct slice word)
{
    static const char *const types[] = {"normal", "master", "replica", "slave", "pubsub"};
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (slice_equal_nocase(word, types[i]))
            return true;
    return false;
}

static bool judge_list(const struct slice *argv, size_t argc, struct buf *error)
{
    bool by_type = argc == 4 && slice_equal_nocase(argv[2], "type");
    bool by_id = argc > 3 && slice_equal_nocase(argv[2], "id");
    if (argc > 2 && !by_type && !by_id)
        return fail(error, "ERR syntax error");
    if (by_type && !is_type(argv[3]))
        return fail_at(error, "Unknown client type", argv[3]);
    for (size_t i = 3; by_id && i < argc; i++) {
        int64_t id;
        if (number_parse_i64(argv[i], &id) < 0)
            return fail(error, "ERR Invalid client ID");
    }
    return true;
}

struct kill_filter {
    uint64_t id;          /* 0: any */
    struct slice address; /* empty: any */
    struct slice type;
    struct slice user;
    int64_t age_s; /* at least; 0: any */
    bool skip_me;
};

/* NULL, or what is wrong with one pair of words. */
static const char *parse_pair(struct slice word, struct slice value, struct kill_filter *filter)
{
    int64_t number = 0;
    if (slice_equal_nocase(word, "id")) {
        if (number_parse_i64(value, &number) < 0 || number <= 0)
            return "ERR client-id should be greater than 0";
        filter->id = (uint64_t)number;
    } else if (slice_equal_nocase(word, "type")) {
        filter->type = value;
    } else if (slice_equal_nocase(word, "addr")) {
        filter->address = value;
    } else if (slice_equal_nocase(word, "user")) {
        filter->user = value;
    } else if (slice_equal_nocase(word, "maxage")) {
        if (number_parse_i64(value, &number) < 0 || number <= 0 || number > INT64_MAX / NS_PER_S)
            return "ERR maxage is not an integer or out of range";
        filter->age_s = number;
    } else if (slice_equal_nocase(word, "skipme")) {
        filter->skip_me = slice_equal_nocase(value, "yes");
        if (!filter->skip_me && !slice_equal_nocase(value, "no"))
            return "ERR syntax error";
    } else {
        return slice_equal_nocase(word, "laddr") ? "ERR LADDR is not known to a proxy" : "ERR syntax error";
    }
    return NULL;
}

/* CLIENT KILL addr:port, of old, or pairs of words. */
static const char *parse_kill(const struct slice *argv, size_t argc, struct kill_filter *filter)
{
    *filter = (struct kill_filter){.skip_me = argc != 3};
    if (argc == 3) {
        filter->address = argv[2];
        return NULL;
    }
    if (argc % 2 != 0)
        return "ERR syntax error";
    const char *error = NULL;
    for (size_t i = 2; error == NULL && i < argc; i += 2)
        error = parse_pair(argv[i], argv[i + 1], filter);
    return error;
}

static bool judge_kill(const struct slice *argv, size_t argc, struct buf *error)
{
    struct kill_filter filter;
    const char *text = parse_kill(argv, argc, &filter);
    if (text != NULL)
        return fail(error, text);
    if (filter.type.length > 0 && !is_type(filter.type))
        return fail_at(error, "Unknown client type", filter.type);
    return true;
}

static bool judge_unblock(const struct slice *argv, size_t argc, struct buf *error)
{
    int64_t id;
    if (argc == 4 && !slice_equal_nocase(argv[3], "timeout") && !slice_equal_nocase(argv[3], "error"))
        return fail(error, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    if (number_parse_i64(argv[2], &id) < 0)
        return fail(error, "ERR value is not an integer or out of range");
    return true;
}

bool px_clients_judge(const struct slice *argv, size_t argc, struct buf *error)
{
    if (slice_equal_nocase(argv[1], "list"))
        return judge_list(argv, argc, error);
    return slice_equal_nocase(argv[1], "kill") ? judge_kill(argv, argc, error) : judge_unblock(argv, argc, error);
}

/* ---- looking ---- */

static const char *user_of(const struct px_session *session)
{
    return session->user != NULL ? session->user->name : "default";
}

static bool is_waiting(const struct px_session *session)
{
    return session->private_link != NULL && px_parked_is_any(&session->private_link->parked);
}

static void add_flags(const struct px_session *session, struct buf *out)
{
    size_t before = buf_length(out);
    if (session->state == PX_SESSION_MONITORING)
        buf_add_text(out, "O");
    if (session->state == PX_SESSION_SUBSCRIBED)
        buf_add_text(out, "P");
    if (session->in_multi || session->phantom != PX_PHANTOM_NONE)
        buf_add_text(out, "x");
    if (is_waiting(session))
        buf_add_text(out, "b");
    if (px_session_tracks(session))
        buf_add_text(out, "t");
    if (buf_length(out) == before)
        buf_add_text(out, "N");
}

void px_clients_describe(const struct px_session *session, struct buf *out)
{
    const struct px_subscriptions none = {0};
    const struct px_subscriptions *set = session->subscriptions ? session->subscriptions : &none;
    int64_t now_ns = session->proxy->now_ns;
    buf_add_format(out, "id=%llu addr=%s name=%s age=%lld idle=%lld flags=", (unsigned long long)session->client_id,
                   session->peer, session->name != NULL ? session->name : "",
                   (long long)((now_ns - session->connected_ns) / NS_PER_S),
                   (long long)((now_ns - session->active_ns) / NS_PER_S));
    add_flags(session, out);
    buf_add_format(out,
                   " db=%u sub=%u psub=%u ssub=%u multi=%d qbuf=%zu omem=%zu cmd=%s user=%s redir=-1 resp=%u "
                   "lib-name=%s lib-ver=%s\n",
                   session->database, set->counts[PX_TOPIC_CHANNEL], set->counts[PX_TOPIC_PATTERN],
                   set->counts[PX_TOPIC_SHARD], session->in_multi ? 0 : -1, buf_length(&session->input),
                   buf_length(&session->output), session->last_command ? session->last_command->full_name : "NULL",
                   user_of(session), (unsigned)session->protocol,
                   session->library_name != NULL ? session->library_name : "",
                   session->library_version != NULL ? session->library_version : "");
}

static bool has_type(const struct px_session *session, struct slice type)
{
    return slice_equal_nocase(type, session->state == PX_SESSION_SUBSCRIBED ? "pubsub" : "normal");
}

static bool is_listed(const struct px_session *session, const struct slice *argv, size_t argc)
{
    if (argc == 2)
        return true;
    if (slice_equal_nocase(argv[2], "type"))
        return has_type(session, argv[3]);
    for (size_t i = 3; i < argc; i++) {
        uint64_t id = 0;
        if (number_parse_u64(argv[i], &id) == 0 && id == session->client_id)
            return true;
    }
    return false;
}

static bool is_killed(const struct px_session *session, const struct kill_filter *filter, uint64_t asks)
{
    if ((filter->id != 0 && session->client_id != filter->id) || (filter->skip_me && session->client_id == asks))
        return false;
    if (filter->address.length > 0 && !slice_equal(slice_text(session->peer), filter->address))
        return false;
    if (filter->type.length > 0 && !has_type(session, filter->type))
        return false;
    if (filter->user.length > 0 && !slice_equal(slice_text(user_of(session)), filter->user))
        return false;
    return session->proxy->now_ns - session->connected_ns >= filter->age_s * NS_PER_S;
}

/* Who asks hears how many it were, and is closed then. */
static void kill_one(struct px_session *session, uint64_t asks, struct px_finding *finding)
{
    finding->count++;
    if (session->client_id == asks)
        finding->is_self = true;
    else
        px_session_doom(session, "CLIENT KILL");
}

void px_finding_add(struct px_finding *finding, const struct px_finding *other)
{
    buf_add_slice(&finding->lines, buf_slice(&other->lines));
    finding->count += other->count;
    finding->is_self = finding->is_self || other->is_self;
    if (other->worker_id == 0)
        return;
    finding->worker_id = other->worker_id;
    finding->epoch = other->epoch;
}

static void unblock(struct px_session *session, bool with_error, struct px_finding *finding)
{
    if (!is_waiting(session))
        return;
    struct px_link *link = session->private_link;
    if (!link->parked.is_here) {
        finding->count += px_link_end_wait(link, with_error);
        return;
    }
    finding->worker_id = link->parked.worker_id; /* that worker knows whether it has been served meanwhile */
    finding->epoch = session->proxy->topology.epoch;
}

void px_clients_look(struct px_proxy *proxy, const struct slice *argv, size_t argc, uint64_t asks,
                     struct px_finding *finding)
{
    bool lists = slice_equal_nocase(argv[1], "list"), kills = slice_equal_nocase(argv[1], "kill");
    struct kill_filter filter = {0};
    uint64_t id = 0;
    if (kills && parse_kill(argv, argc, &filter) != NULL)
        return;
    if (!lists && !kills && number_parse_u64(argv[2], &id) < 0)
        return;
    LIST_FOR_EACH(node, &proxy->sessions)
    {
        struct px_session *session = LIST_ENTRY(node, struct px_session, node);
        bool leaves = session->state == PX_SESSION_DRAINING || !list_is_empty(&session->doomed);
        if (session->refused || leaves)
            continue;
        if (lists && is_listed(session, argv, argc))
            px_clients_describe(session, &finding->lines);
        else if (kills && is_killed(session, &filter, asks))
            kill_one(session, asks, finding);
        else if (!lists && !kills && session->client_id == id)
            unblock(session, argc == 4 && slice_equal_nocase(argv[3], "error"), finding);
    }
}
