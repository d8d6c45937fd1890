#include "cacheworker/stream/stream_commands.h"

#include "cacheworker/stream/stream_call.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

/* ---- XADD and XTRIM ---- */

enum { /* what an approximate trim removes at most, unless LIMIT says otherwise: 100 nodes */
       LIMIT_NODES = 100,
       LIMIT_WITHOUT_NODES = 10000,
       LIMIT_MOST = 1000000,
};

struct arguments {
    struct cw_stream_trim trim;
    size_t trim_index; /* of the length or id behind MAXLEN or MINID */
    bool has_limit;
    bool never_creates;
    struct cw_stream_id id; /* of XADD */
    enum cw_stream_id_form form;
    size_t id_index; /* argc: there is none */
};

/* A number that is not negative; else replies the error, or `negative`. */
static bool parse_count(struct cw_call *call, size_t index, const char *negative, uint64_t *ret_count)
{
    int64_t number;
    if (!cw_call_integer(call, index, &number))
        return false;
    if (number < 0) {
        cw_reply_error(call, negative);
        return false;
    }
    *ret_count = (uint64_t)number;
    return true;
}

static bool is_byte(struct slice text, char byte)
{
    return text.length == 1 && text.data[0] == byte;
}

/* MAXLEN or MINID at *index, which moves to its last word. */
static bool parse_trim(struct cw_call *call, size_t *index, struct arguments *arguments)
{
    bool by_length = slice_equal_nocase(call->argv[*index], "maxlen");
    size_t at = *index + 1;
    if (arguments->trim.by != CW_STREAM_TRIM_NONE) {
        cw_reply_error(call, "ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
        return false;
    }
    if (at + 1 < call->argc && (is_byte(call->argv[at], '~') || is_byte(call->argv[at], '='))) {
        arguments->trim.approximate = is_byte(call->argv[at], '~');
        at++;
    }
    arguments->trim.by = by_length ? CW_STREAM_TRIM_LENGTH : CW_STREAM_TRIM_ID;
    arguments->trim_index = *index = at;
    return by_length ? parse_count(call, at, "ERR The MAXLEN argument must be >= 0.", &arguments->trim.length)
                     : cw_call_stream_id(call, at, &arguments->trim.id);
}

static bool parse_id(struct cw_call *call, size_t index, struct arguments *arguments)
{
    arguments->id_index = index;
    if (cw_stream_id_parse_new(call->argv[index], &arguments->id, &arguments->form) == 0)
        return true;
    cw_reply_error(call, CW_ERROR_STREAM_ID);
    return false;
}

static bool parse_words(struct cw_call *call, bool adds, struct arguments *arguments)
{
    for (size_t i = 2; i < call->argc && arguments->id_index == call->argc; i++) {
        struct slice word = call->argv[i];
        bool has_more = i + 1 < call->argc;
        if (has_more && (slice_equal_nocase(word, "maxlen") || slice_equal_nocase(word, "minid"))) {
            if (!parse_trim(call, &i, arguments))
                return false;
        } else if (has_more && slice_equal_nocase(word, "limit")) {
            arguments->has_limit = true;
            if (!parse_count(call, ++i, "ERR The LIMIT argument must be >= 0.", &arguments->trim.limit))
                return false;
        } else if (adds && slice_equal_nocase(word, "nomkstream")) {
            arguments->never_creates = true;
        } else if (!adds) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        } else if (!parse_id(call, i, arguments)) {
            return false;
        }
    }
    return true;
}

/* What an approximate trim may do at most when the client does not say. */
static uint64_t default_limit(const struct cw_call *call)
{
    int64_t entries = cw_keyspace_packing(call->keyspace)->stream_node_max_entries;
    if (entries <= 0)
        return LIMIT_WITHOUT_NODES;
    return entries < LIMIT_MOST / LIMIT_NODES ? LIMIT_NODES * (uint64_t)entries : LIMIT_MOST;
}

static bool parse_arguments(struct cw_call *call, bool adds, struct arguments *arguments)
{
    *arguments = (struct arguments){.id_index = call->argc};
    struct cw_stream_trim *trim = &arguments->trim;
    if (!parse_words(call, adds, arguments))
        return false;
    if (trim->limit > 0 && trim->by == CW_STREAM_TRIM_NONE) {
        cw_reply_error(call, "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
        return false;
    }
    if (!adds && trim->by == CW_STREAM_TRIM_NONE) {
        cw_reply_error(call, "ERR syntax error, XTRIM must be called with a trimming strategy");
        return false;
    }
    if (call->session == NULL) { /* The master has put in what came of its limit. */
        trim->limit = 0;
        return true;
    }
    if (arguments->has_limit && !trim->approximate) {
        cw_reply_error(call, "ERR syntax error, LIMIT cannot be used without the special ~ option");
        return false;
    }
    if (!arguments->has_limit)
        trim->limit = trim->approximate ? default_limit(call) : 0;
    return true;
}

/* Replicas get the command with the id that was chosen, and with the exact trim that the approximate one came to: how
 * their entries are spread over nodes may differ. `id` is NULL where the command has none. */
static void propagate_chosen(struct cw_call *call, const struct arguments *arguments, const struct cw_stream *stream,
                             const struct cw_stream_id *id)
{
    char id_space[CW_STREAM_ID_TEXT_MAX];
    char trim_space[CW_STREAM_ID_TEXT_MAX];
    bool has_chosen_id = id && arguments->form != CW_STREAM_ID_GIVEN;
    if (!has_chosen_id && !arguments->trim.approximate)
        return;
    struct slice *argv = mem_alloc(call->argc * sizeof(*argv));
    memcpy(argv, call->argv, call->argc * sizeof(*argv));
    if (has_chosen_id)
        argv[arguments->id_index] = slice_of(id_space, cw_stream_id_format(*id, id_space));
    if (arguments->trim.approximate) {
        size_t length = arguments->trim.by == CW_STREAM_TRIM_LENGTH
                            ? number_format_u64(trim_space, stream->length)
                            : cw_stream_id_format(cw_stream_edge_id(stream), trim_space);
        argv[arguments->trim_index - 1] = SLICE_LITERAL("=");
        argv[arguments->trim_index] = slice_of(trim_space, length);
    }
    cw_call_propagate(call, argv, call->argc);
    mem_free(argv);
}

static void reply_append_error(struct cw_call *call, int error)
{
    cw_reply_error(call, error == ERR_NO_MEMORY ? CW_ERROR_NO_MEMORY
                         : error == ERR_TOO_BIG
                             ? "ERR Elements are too large to be stored"
                             : "ERR The ID specified in XADD is equal or smaller than the target stream top item");
}

/* Chooses the id and appends the fields behind it. */
static int append(struct cw_call *call, const struct arguments *arguments, struct cw_stream *stream,
                  struct cw_stream_id *ret_id)
{
    const struct cw_packing *packing = cw_keyspace_packing(call->keyspace);
    struct cw_stream_limits limits = {packing->stream_node_max_bytes, (uint64_t)packing->stream_node_max_entries};
    size_t first = arguments->id_index + 1;
    struct cw_stream_fields fields = {call->argv + first, (call->argc - first) / 2};
    *ret_id = arguments->id;
    int result = cw_stream_choose_id(stream, arguments->form, call->now_ms, ret_id);
    return result < 0 ? result : cw_stream_append(cw_call_arena(call), stream, &limits, *ret_id, &fields);
}

static void add(struct cw_call *call, const struct arguments *arguments, struct cw_ref *ref)
{
    struct cw_stream *stream = ref->entry ? cw_stream_of(ref->entry) : cw_stream_create(cw_call_arena(call));
    struct cw_stream_id id;
    int result = append(call, arguments, stream, &id);
    if (result < 0) {
        reply_append_error(call, result);
        if (!ref->entry)
            cw_stream_free(cw_call_arena(call), stream);
        return;
    }
    if (!ref->entry)
        cw_keyspace_put_object(call->keyspace, ref, CW_TYPE_STREAM, CW_ENCODING_STREAM, stream);
    cw_call_notify(call, CW_NOTIFY_STREAM, "xadd", ref->key);
    if (cw_stream_trim(cw_call_arena(call), stream, &arguments->trim) > 0)
        cw_call_notify(call, CW_NOTIFY_STREAM, "xtrim", ref->key);
    cw_reply_stream_id(call, id);
    call->dirty++;
    propagate_chosen(call, arguments, stream, &id);
}

void cw_xadd_command(struct cw_call *call)
{
    struct arguments arguments;
    struct cw_ref ref;
    if (!parse_arguments(call, true, &arguments))
        return;
    size_t words = call->argc - (arguments.id_index < call->argc ? arguments.id_index + 1 : call->argc);
    if (words < 2 || words % 2 == 1) {
        resp_write_error_format(call->reply, "ERR wrong number of arguments for '%s' command",
                                call->command->full_name);
        return;
    }
    if (arguments.form == CW_STREAM_ID_GIVEN && cw_stream_id_is_zero(arguments.id)) {
        cw_reply_error(call, "ERR The ID specified in XADD must be greater than 0-0");
        return;
    }
    if (!cw_call_is_type(call, cw_call_open(call, 1, &ref), CW_TYPE_STREAM))
        return;
    if (!ref.entry && arguments.never_creates)
        resp_write_null(call->reply, call->protocol);
    else if (ref.entry && cw_stream_id_compare(cw_stream_of(ref.entry)->last_id, CW_STREAM_ID_MAX) == 0)
        cw_reply_error(call, "ERR The stream has exhausted the last possible ID, unable to add more items");
    else
        add(call, &arguments, &ref);
}

void cw_xtrim_command(struct cw_call *call)
{
    struct arguments arguments;
    struct cw_ref ref;
    if (!parse_arguments(call, false, &arguments) ||
        !cw_call_is_type(call, cw_call_open(call, 1, &ref), CW_TYPE_STREAM))
        return;
    struct cw_stream *stream = cw_stream_of(ref.entry);
    uint64_t removed = stream ? cw_stream_trim(cw_call_arena(call), stream, &arguments.trim) : 0;
    call->dirty += removed;
    if (removed > 0)
        cw_call_notify(call, CW_NOTIFY_STREAM, "xtrim", ref.key);
    if (removed > 0)
        propagate_chosen(call, &arguments, stream, NULL);
    resp_write_integer(call->reply, (int64_t)removed);
}

/* ---- Looking ---- */

void cw_xlen_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (cw_call_is_type(call, entry, CW_TYPE_STREAM))
        resp_write_integer(call->reply, entry ? (int64_t)cw_stream_of(entry)->length : 0);
}

/* COUNT, from argv[4] on. -1: it is not given. */
static bool parse_range_count(struct cw_call *call, int64_t *ret_count)
{
    *ret_count = -1;
    for (size_t i = 4; i < call->argc; i += 2) {
        if (i + 1 == call->argc || !slice_equal_nocase(call->argv[i], "count")) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
        if (!cw_call_integer(call, i + 1, ret_count))
            return false;
        if (*ret_count < 0)
            *ret_count = 0;
    }
    return true;
}

static void range(struct cw_call *call, bool reverse)
{
    struct cw_stream_id first;
    struct cw_stream_id last;
    int64_t count;
    if (!cw_call_stream_range_first(call, reverse ? 3 : 2, &first) ||
        !cw_call_stream_range_last(call, reverse ? 2 : 3, &last) || !parse_range_count(call, &count))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!cw_call_is_type(call, entry, CW_TYPE_STREAM))
        return;
    if (!entry)
        resp_write_array(call->reply, 0);
    else if (count == 0)
        resp_write_null_array(call->reply, call->protocol);
    else
        cw_reply_stream_range(call, cw_stream_of(entry), first, last, count < 0 ? 0 : (uint64_t)count, reverse);
}

void cw_xrange_command(struct cw_call *call)
{
    range(call, false);
}

void cw_xrevrange_command(struct cw_call *call)
{
    range(call, true);
}

/* ---- XDEL and XSETID ---- */

void cw_xdel_command(struct cw_call *call)
{
    struct cw_ref ref;
    if (!cw_call_is_type(call, cw_call_open(call, 1, &ref), CW_TYPE_STREAM))
        return;
    if (!ref.entry) {
        resp_write_integer(call->reply, 0);
        return;
    }
    struct cw_stream_id *ids = cw_call_stream_ids(call, 2);
    if (!ids)
        return;
    int64_t deleted = 0;
    for (size_t i = 2; i < call->argc; i++)
        deleted += cw_stream_delete(cw_call_arena(call), cw_stream_of(ref.entry), ids[i - 2]);
    mem_free(ids);
    if (deleted > 0)
        cw_call_notify(call, CW_NOTIFY_STREAM, "xdel", ref.key);
    call->dirty += (uint64_t)deleted;
    resp_write_integer(call->reply, deleted);
}

struct setid {
    struct cw_stream_id id;
    struct cw_stream_id max_deleted_id; /* 0-0: stays */
    bool has_entries_added;
    uint64_t entries_added;
};

static bool parse_setid(struct cw_call *call, struct setid *setid)
{
    *setid = (struct setid){.has_entries_added = false};
    if (!cw_call_stream_id(call, 2, &setid->id))
        return false;
    for (size_t i = 3; i < call->argc; i += 2) {
        bool has_more = i + 1 < call->argc;
        if (has_more && slice_equal_nocase(call->argv[i], "entriesadded")) {
            setid->has_entries_added = true;
            if (!parse_count(call, i + 1, "ERR entries_added must be positive", &setid->entries_added))
                return false;
        } else if (has_more && slice_equal_nocase(call->argv[i], "maxdeletedid")) {
            if (!cw_call_stream_id(call, i + 1, &setid->max_deleted_id))
                return false;
            if (cw_stream_id_compare(setid->id, setid->max_deleted_id) < 0) {
                cw_reply_error(call,
                               "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
                return false;
            }
        } else {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

/* Why these cannot be a stream's numbers, or NULL. */
static const char *setid_error(const struct cw_stream *stream, const struct setid *setid)
{
    if (cw_stream_id_compare(setid->id, stream->max_deleted_id) < 0)
        return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
    if (stream->length == 0)
        return NULL;
    if (cw_stream_id_compare(setid->id, cw_stream_last_present_id(stream)) < 0)
        return "ERR The ID specified in XSETID is smaller than the target stream top item";
    if (setid->has_entries_added && stream->length > setid->entries_added)
        return "ERR The entries_added specified in XSETID is smaller than the target stream length";
    return NULL;
}

void cw_xsetid_command(struct cw_call *call)
{
    struct setid setid;
    struct cw_ref ref;
    if (!parse_setid(call, &setid))
        return;
    if (!cw_call_open(call, 1, &ref)) {
        cw_reply_error(call, CW_ERROR_NO_KEY);
        return;
    }
    if (!cw_call_is_type(call, ref.entry, CW_TYPE_STREAM))
        return;
    struct cw_stream *stream = cw_stream_of(ref.entry);
    const char *error = setid_error(stream, &setid);
    if (error) {
        cw_reply_error(call, error);
        return;
    }
    stream->last_id = setid.id;
    if (setid.has_entries_added)
        stream->entries_added = setid.entries_added;
    if (!cw_stream_id_is_zero(setid.max_deleted_id))
        stream->max_deleted_id = setid.max_deleted_id;
    cw_call_notify(call, CW_NOTIFY_STREAM, "xsetid", ref.key);
    call->dirty++;
    resp_write_ok(call->reply);
}
