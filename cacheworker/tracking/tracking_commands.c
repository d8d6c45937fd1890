#include "cacheworker/tracking/tracking_commands.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/tracking/tracking.h"
#include "common/base/mem.h"
#include "common/base/number.h"

struct options {
    unsigned mode;
    uint64_t redirect;
    struct slice *prefixes; /* owned */
    size_t prefix_count;
};

/* --- TRACKING --- */

static bool parse_redirect(struct cw_call *call, size_t index, struct options *options)
{
    int64_t id;
    if (options->redirect != 0) {
        cw_reply_error(call, "ERR A client can only redirect to a single other client");
        return false;
    }
    if (number_parse_i64(call->argv[index], &id) < 0) {
        cw_reply_error(call, CW_ERROR_NOT_INTEGER);
        return false;
    }
    if (id < 0 || cw_session_with_id(call->engine, (uint64_t)id) == NULL) {
        cw_reply_error(call, "ERR The client ID you want redirect to does not exist");
        return false;
    }
    options->redirect = (uint64_t)id;
    return true;
}

static unsigned mode_named(struct slice word)
{
    return slice_equal_nocase(word, "bcast")    ? CW_TRACKING_BCAST
           : slice_equal_nocase(word, "optin")  ? CW_TRACKING_OPTIN
           : slice_equal_nocase(word, "optout") ? CW_TRACKING_OPTOUT
           : slice_equal_nocase(word, "noloop") ? CW_TRACKING_NOLOOP
                                                : 0;
}

static bool parse_options(struct cw_call *call, struct options *options)
{
    for (size_t i = 3; i < call->argc; i++) {
        struct slice word = call->argv[i];
        unsigned mode = mode_named(word);
        bool has_more = i + 1 < call->argc;
        options->mode |= mode;
        if (has_more && slice_equal_nocase(word, "redirect")) {
            if (!parse_redirect(call, ++i, options))
                return false;
        } else if (has_more && slice_equal_nocase(word, "prefix")) {
            options->prefixes[options->prefix_count++] = call->argv[++i];
        } else if (mode == 0) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

/* Why these cannot be the options of a session that tracks in `present` mode, or not; NULL: they can. */
static const char *objection(const struct options *options, unsigned present)
{
    const unsigned choices = CW_TRACKING_OPTIN | CW_TRACKING_OPTOUT;
    if (!(options->mode & CW_TRACKING_BCAST) && options->prefix_count > 0)
        return "ERR PREFIX option requires BCAST mode to be enabled";
    if ((present & CW_TRACKING_ON) && (present ^ options->mode) & CW_TRACKING_BCAST)
        return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling "
               "it with a different mode.";
    if ((options->mode & CW_TRACKING_BCAST) && (options->mode & choices))
        return "ERR OPTIN and OPTOUT are not compatible with BCAST";
    if ((options->mode & choices) == choices)
        return "ERR You can't specify both OPTIN mode and OPTOUT mode";
    if (((options->mode | present) & choices) == choices)
        return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling "
               "it with a different mode.";
    return NULL;
}

static bool overlap(struct slice a, struct slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    return shorter == 0 || memcmp(a.data, b.data, shorter) == 0;
}

static bool refuse_overlap(struct cw_call *call, struct slice prefix, const char *which, struct slice other)
{
    struct buf text = {0};
    buf_add_text(&text, "ERR Prefix '");
    buf_add_slice(&text, prefix);
    buf_add_format(&text, "' overlaps with %s prefix '", which);
    buf_add_slice(&text, other);
    buf_add_text(&text, "'. Prefixes for a single client must not overlap.");
    resp_write_error(call->reply, buf_slice(&text));
    buf_free(&text);
    return false;
}

/* A key must not be told twice. */
static bool prefixes_fit(struct cw_call *call, const struct options *options)
{
    struct slice present[CW_TRACKING_PREFIXES_MAX];
    size_t count = cw_tracking_prefixes_of(call->engine->tracking, call->session, present);
    if (count + options->prefix_count >= CW_TRACKING_PREFIXES_MAX) {
        cw_reply_error(call, "ERR too many prefixes");
        return false;
    }
    for (size_t i = 0; i < options->prefix_count; i++) {
        struct slice prefix = options->prefixes[i];
        for (size_t j = 0; j < count; j++)
            if (overlap(prefix, present[j]))
                return refuse_overlap(call, prefix, "an existing", present[j]);
        for (size_t j = i + 1; j < options->prefix_count; j++)
            if (overlap(prefix, options->prefixes[j]))
                return refuse_overlap(call, prefix, "another provided", options->prefixes[j]);
    }
    return true;
}

static bool start(struct cw_call *call, const struct options *options)
{
    const char *words = objection(options, cw_tracking_mode(call->session));
    if (words != NULL) {
        cw_reply_error(call, words);
        return false;
    }
    if ((options->mode & CW_TRACKING_BCAST) && !prefixes_fit(call, options))
        return false;
    cw_tracking_start(call->engine->tracking, call->session, options->mode, options->redirect, options->prefixes,
                      options->prefix_count);
    return true;
}

static bool switch_tracking(struct cw_call *call, struct options *options)
{
    if (!parse_options(call, options))
        return false;
    if (slice_equal_nocase(call->argv[2], "on"))
        return start(call, options);
    if (!slice_equal_nocase(call->argv[2], "off")) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    cw_tracking_stop(call->engine->tracking, call->session);
    return true;
}

void cw_client_tracking_command(struct cw_call *call)
{
    struct options options = {.prefixes = mem_alloc(call->argc * sizeof(struct slice))};
    if (switch_tracking(call, &options))
        resp_write_ok(call->reply);
    mem_free(options.prefixes);
}

/* --- CACHING, GETREDIR, TRACKINGINFO --- */

static const char *caching_objection(struct slice word, unsigned mode)
{
    if (!(mode & CW_TRACKING_ON))
        return "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
               "enabled";
    if (slice_equal_nocase(word, "yes"))
        return mode & CW_TRACKING_OPTIN
                   ? NULL
                   : "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
    if (slice_equal_nocase(word, "no"))
        return mode & CW_TRACKING_OPTOUT
                   ? NULL
                   : "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.";
    return CW_ERROR_SYNTAX;
}

void cw_client_caching_command(struct cw_call *call)
{
    const char *words = caching_objection(call->argv[2], cw_tracking_mode(call->session));
    if (words != NULL) {
        cw_reply_error(call, words);
        return;
    }
    cw_tracking_set_caching(call->session);
    resp_write_ok(call->reply);
}

static int64_t shown_redirect(const struct cw_session *session)
{
    return cw_tracking_mode(session) & CW_TRACKING_ON ? (int64_t)cw_tracking_redirect(session) : -1;
}

void cw_client_getredir_command(struct cw_call *call)
{
    resp_write_integer(call->reply, shown_redirect(call->session));
}

static void reply_flags(struct cw_call *call)
{
    unsigned mode = cw_tracking_mode(call->session);
    const struct {
        bool is_set;
        const char *name;
    } flags[] = {
        {mode & CW_TRACKING_ON, "on"},
        {!(mode & CW_TRACKING_ON), "off"},
        {mode & CW_TRACKING_BCAST, "bcast"},
        {mode & CW_TRACKING_OPTIN, "optin"},
        {mode & CW_TRACKING_OPTIN && mode & CW_TRACKING_CACHING, "caching-yes"},
        {mode & CW_TRACKING_OPTOUT, "optout"},
        {mode & CW_TRACKING_OPTOUT && mode & CW_TRACKING_CACHING, "caching-no"},
        {mode & CW_TRACKING_NOLOOP, "noloop"},
        {mode & CW_TRACKING_BROKEN, "broken_redirect"},
    };
    size_t before = buf_length(call->reply);
    uint64_t count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
        if (!flags[i].is_set)
            continue;
        resp_write_bulk_text(call->reply, flags[i].name);
        count++;
    }
    resp_insert_set(call->reply, call->protocol, before, count);
}

void cw_client_trackinginfo_command(struct cw_call *call)
{
    resp_write_map(call->reply, call->protocol, 3);
    resp_write_bulk_text(call->reply, "flags");
    reply_flags(call);
    resp_write_bulk_text(call->reply, "redirect");
    resp_write_integer(call->reply, shown_redirect(call->session));
    resp_write_bulk_text(call->reply, "prefixes");
    struct slice prefixes[CW_TRACKING_PREFIXES_MAX];
    size_t count = cw_tracking_prefixes_of(call->engine->tracking, call->session, prefixes);
    resp_write_array(call->reply, count);
    for (size_t i = 0; i < count; i++)
        resp_write_bulk(call->reply, prefixes[i]);
}
