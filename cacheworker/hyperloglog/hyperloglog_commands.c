#include "cacheworker/hyperloglog/hyperloglog_commands.h"

#include "cacheworker/engine/settings.h"
#include "cacheworker/hyperloglog/hyperloglog.h"
#include "cacheworker/hyperloglog/self_test.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/string/string_edit.h"

static void reply_corrupt(struct cw_call *call)
{
    cw_reply_error(call, "INVALIDOBJ Corrupted HLL object detected");
}

/* Whether a key may be used as a HyperLogLog: it looks like one, or does not exist. Else replies the error. */
static bool is_hyperloglog(struct cw_call *call, const struct cw_entry *entry)
{
    if (!cw_call_is_type(call, entry, CW_TYPE_STRING))
        return false;
    if (!entry || cw_hll_is_hyperloglog(cw_entry_value(entry)))
        return true;
    cw_reply_error(call, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    return false;
}

/* The value of a key that may be used, or an empty one. False: the error was replied. */
static bool load(struct cw_call *call, const struct cw_entry *entry, struct cw_hll *hll)
{
    if (!entry) {
        cw_hll_init(hll);
        return true;
    }
    if (cw_hll_load(hll, cw_entry_value(entry)) == 0)
        return true;
    reply_corrupt(call);
    return false;
}

static void store(struct cw_call *call, struct cw_ref *ref, const struct cw_hll *hll)
{
    cw_keyspace_put(call->keyspace, ref, CW_TYPE_STRING, CW_ENCODING_RAW, cw_hll_value(hll));
}

/* ---- PFADD ---- */

static void add_to_dense(struct cw_call *call, struct cw_ref *ref)
{
    char *value = cw_string_edit(call, ref, CW_HLL_DENSE_BYTES);
    if (!value)
        return;
    for (size_t i = 2; i < call->argc; i++)
        call->dirty += cw_hll_dense_add(value, call->argv[i]);
    if (call->dirty > 0) {
        cw_hll_forget_count(value);
        cw_call_notify(call, CW_NOTIFY_STRING, "pfadd", ref->key);
    }
    resp_write_integer(call->reply, call->dirty > 0);
}

/* What was noted before a corrupt run was met stays, as in the reference, and is propagated. */
static void add_to_sparse(struct cw_call *call, struct cw_ref *ref)
{
    struct cw_hll hll;
    if (!load(call, ref->entry, &hll))
        return;
    call->dirty += ref->entry == NULL;
    int result = 0;
    for (size_t i = 2; i < call->argc && result >= 0; i++) {
        result = cw_hll_raise(&hll, cw_hll_note_of(call->argv[i]), call->settings->hll_sparse_max_bytes);
        call->dirty += result > 0;
    }
    if (call->dirty > 0) {
        cw_hll_forget_count(hll.bytes);
        store(call, ref, &hll);
    } else {
        cw_keyspace_set_encoding(ref, CW_ENCODING_RAW);
    }
    if (result >= 0 && call->dirty > 0)
        cw_call_notify(call, CW_NOTIFY_STRING, "pfadd", ref->key);
    if (result < 0)
        reply_corrupt(call);
    else
        resp_write_integer(call->reply, call->dirty > 0);
}

void cw_pfadd_command(struct cw_call *call)
{
    struct cw_ref ref;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    if (!is_hyperloglog(call, entry))
        return;
    if (entry && cw_hll_is_dense(cw_entry_value(entry)))
        add_to_dense(call, &ref);
    else
        add_to_sparse(call, &ref);
}

/* ---- PFCOUNT and PFMERGE ---- */

/* Keeps a count in the value, unless this is a replica's reader: only the stream changes what a replica holds. */
static bool keep_count(struct cw_call *call, uint64_t count)
{
    struct cw_ref ref;
    if (cw_keyspace_expiry_mode(call->keyspace) == CW_EXPIRY_HIDES)
        return true;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    char *value = cw_string_edit(call, &ref, cw_entry_value(entry).length);
    if (!value)
        return false;
    cw_hll_cache_count(value, count);
    call->dirty++;
    return true;
}

static void count_one(struct cw_call *call)
{
    uint64_t count = 0;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_hyperloglog(call, entry))
        return;
    if (entry && !cw_hll_cached_count(cw_entry_value(entry), &count)) {
        if (cw_hll_count(cw_entry_value(entry), &count) < 0) {
            reply_corrupt(call);
            return;
        }
        if (!keep_count(call, count))
            return;
    }
    resp_write_integer(call->reply, (int64_t)count);
}

struct merged {
    uint8_t registers[CW_HLL_REGISTERS];
    bool has_dense;
};

/* Merges the HyperLogLogs that the arguments name. False: the error was replied. */
static bool merge_keys(struct cw_call *call, struct merged *merged)
{
    memset(merged, 0, sizeof(*merged));
    for (size_t i = 1; i < call->argc; i++) {
        const struct cw_entry *entry = cw_call_read(call, i);
        if (!is_hyperloglog(call, entry))
            return false;
        if (!entry)
            continue;
        if (cw_hll_merge(cw_entry_value(entry), merged->registers) < 0) {
            reply_corrupt(call);
            return false;
        }
        merged->has_dense |= cw_hll_is_dense(cw_entry_value(entry));
    }
    return true;
}

void cw_pfcount_command(struct cw_call *call)
{
    struct merged merged;
    if (call->argc == 2)
        count_one(call);
    else if (merge_keys(call, &merged))
        resp_write_integer(call->reply, (int64_t)cw_hll_count_registers(merged.registers));
}

/* Raises all registers of a value that was merged, and so is valid. */
static int raise_all(struct cw_hll *hll, const struct merged *merged, size_t sparse_bytes_max)
{
    int result = merged->has_dense ? cw_hll_make_dense(hll) : 0;
    for (unsigned i = 0; i < CW_HLL_REGISTERS && result >= 0; i++)
        if (merged->registers[i] > 0)
            result = cw_hll_raise(hll, (struct cw_hll_note){i, merged->registers[i]}, sparse_bytes_max);
    return result;
}

void cw_pfmerge_command(struct cw_call *call)
{
    struct merged merged;
    struct cw_hll hll;
    struct cw_ref ref;
    if (!merge_keys(call, &merged) || !load(call, cw_call_open(call, 1, &ref), &hll))
        return;
    if (raise_all(&hll, &merged, call->settings->hll_sparse_max_bytes) < 0) {
        reply_corrupt(call);
        return;
    }
    cw_hll_forget_count(hll.bytes);
    store(call, &ref, &hll);
    cw_call_notify(call, CW_NOTIFY_STRING, "pfadd", ref.key);
    call->dirty++;
    resp_write_ok(call->reply);
}

/* ---- PFDEBUG and PFSELFTEST ---- */

/* Makes the value dense; adds to dirty when it was not. False: the error was replied. */
static bool make_dense(struct cw_call *call, struct cw_ref *ref)
{
    struct cw_hll hll;
    if (cw_hll_is_dense(cw_entry_value(ref->entry)))
        return true;
    if (!load(call, ref->entry, &hll))
        return false;
    if (cw_hll_make_dense(&hll) < 0) {
        reply_corrupt(call);
        return false;
    }
    store(call, ref, &hll);
    call->dirty++;
    return true;
}

static void debug_getreg(struct cw_call *call, struct cw_ref *ref)
{
    if (!make_dense(call, ref))
        return;
    resp_write_array(call->reply, CW_HLL_REGISTERS);
    for (unsigned i = 0; i < CW_HLL_REGISTERS; i++)
        resp_write_integer(call->reply, cw_hll_dense_register(cw_entry_value(ref->entry), i));
}

static void add_run(struct buf *text, const struct cw_hll_run *run)
{
    if (buf_length(text) > 0)
        buf_add_text(text, " ");
    if (run->value > 0)
        buf_add_format(text, "v:%u,%u", run->value, run->length);
    else
        buf_add_format(text, "%c:%u", run->bytes == 1 ? 'z' : 'Z', run->length);
}

static void debug_decode(struct cw_call *call, struct cw_ref *ref)
{
    if (cw_hll_is_dense(cw_entry_value(ref->entry))) {
        cw_reply_error(call, "ERR HLL encoding is not sparse");
        return;
    }
    struct buf text = {0};
    struct cw_hll_walk walk = cw_hll_walk_of(cw_entry_value(ref->entry));
    struct cw_hll_run run;
    int result;
    while ((result = cw_hll_walk_next(&walk, &run)) > 0)
        add_run(&text, &run);
    if (result < 0)
        reply_corrupt(call);
    else
        resp_write_bulk(call->reply, buf_slice(&text));
    buf_free(&text);
}

static void debug_encoding(struct cw_call *call, struct cw_ref *ref)
{
    resp_write_simple(call->reply, slice_text(cw_hll_is_dense(cw_entry_value(ref->entry)) ? "dense" : "sparse"));
}

static void debug_todense(struct cw_call *call, struct cw_ref *ref)
{
    if (make_dense(call, ref))
        resp_write_integer(call->reply, call->dirty > 0);
}

void cw_pfdebug_command(struct cw_call *call)
{
    static const struct {
        const char *name;
        void (*function)(struct cw_call *call, struct cw_ref *ref);
    } subcommands[] = {
        {"getreg", debug_getreg}, {"decode", debug_decode}, {"encoding", debug_encoding}, {"todense", debug_todense}};
    struct cw_ref ref;
    const struct cw_entry *entry = cw_call_open(call, 2, &ref);
    if (!entry) {
        cw_reply_error(call, "ERR The specified key does not exist");
        return;
    }
    if (!is_hyperloglog(call, entry))
        return;
    cw_keyspace_set_encoding(&ref, CW_ENCODING_RAW);
    for (size_t i = 0; i < ARRAY_LENGTH(subcommands); i++)
        if (slice_equal_nocase(call->argv[1], subcommands[i].name)) {
            subcommands[i].function(call, &ref);
            return;
        }
    resp_write_error_format(call->reply, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)call->argv[1].length,
                            call->argv[1].data);
}

void cw_pfselftest_command(struct cw_call *call)
{
    struct buf why = {0};
    if (cw_hll_self_test(call->settings->hll_sparse_max_bytes, &why))
        resp_write_ok(call->reply);
    else
        resp_write_error(call->reply, buf_slice(&why));
    buf_free(&why);
}
