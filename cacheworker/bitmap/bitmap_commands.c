#include "cacheworker/bitmap/bitmap_commands.h"

#include "cacheworker/bitmap/bits.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/string/string_edit.h"
#include "common/base/mem.h"
#include "common/base/number.h"

static bool is_string(struct cw_call *call, const struct cw_entry *entry)
{
    return cw_call_is_type(call, entry, CW_TYPE_STRING);
}

bool cw_call_bit_offset(struct cw_call *call, size_t index, unsigned width, uint64_t *ret_offset)
{
    struct slice text = call->argv[index];
    bool counts_fields = width > 0 && text.length > 0 && text.data[0] == '#';
    int64_t unit = counts_fields ? width : 1;
    int64_t offset;
    if (number_parse_i64(slice_skip(text, counts_fields ? 1 : 0), &offset) < 0 ||
        __builtin_mul_overflow(offset, unit, &offset) || offset < 0 ||
        (uint64_t)offset / 8 >= cw_string_length_max(call)) {
        cw_reply_error(call, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *ret_offset = (uint64_t)offset;
    return true;
}

struct cw_bitmap cw_call_bitmap(struct cw_call *call, struct cw_ref *ref, uint64_t last)
{
    size_t length = ref->entry ? cw_entry_value(ref->entry).length : 0;
    size_t needed = last / 8 + 1;
    bool grows = needed > length;
    if (grows)
        length = needed;
    return (struct cw_bitmap){cw_string_edit(call, ref, length), length, grows};
}

/* ---- One bit ---- */

void cw_getbit_command(struct cw_call *call)
{
    uint64_t offset;
    if (!cw_call_bit_offset(call, 2, 0, &offset))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_string(call, entry))
        resp_write_integer(call->reply, entry ? (int64_t)cw_bits_read(cw_entry_value(entry), offset, 1) : 0);
}

void cw_setbit_command(struct cw_call *call)
{
    uint64_t offset;
    int64_t bit;
    if (!cw_call_bit_offset(call, 2, 0, &offset))
        return;
    if (number_parse_i64(call->argv[3], &bit) < 0 || (bit != 0 && bit != 1)) {
        cw_reply_error(call, "ERR bit is not an integer or out of range");
        return;
    }
    struct cw_ref ref;
    if (!is_string(call, cw_call_open(call, 1, &ref)))
        return;
    struct cw_bitmap bitmap = cw_call_bitmap(call, &ref, offset);
    if (!bitmap.bytes)
        return;
    int64_t old = (int64_t)cw_bits_read(slice_of(bitmap.bytes, bitmap.length), offset, 1);
    cw_bits_write(bitmap.bytes, offset, 1, (uint64_t)bit);
    bool is_change = bitmap.has_grown || old != bit;
    if (is_change)
        cw_call_notify(call, CW_NOTIFY_STRING, "setbit", ref.key);
    call->dirty += is_change;
    resp_write_integer(call->reply, old);
}

/* ---- Counting and finding ---- */

/* "BYTE" or "BIT" in argv[index]; else replies the error. */
static bool parse_unit(struct cw_call *call, size_t index, bool *ret_is_bit)
{
    *ret_is_bit = slice_equal_nocase(call->argv[index], "bit");
    if (*ret_is_bit || slice_equal_nocase(call->argv[index], "byte"))
        return true;
    cw_reply_error(call, CW_ERROR_SYNTAX);
    return false;
}

struct range { /* of bytes or bits, both ends included; negative ones count from the end of the string */
    int64_t first;
    int64_t last;
    bool is_bit;
};

static int64_t from_the_front(int64_t place, int64_t length)
{
    if (place < 0)
        place += length;
    return place < 0 ? 0 : place;
}

/* The bits of a string of `length` bytes that a range means; false when these are none. */
static bool resolve(const struct range *range, size_t length, uint64_t *ret_first, uint64_t *ret_last)
{
    int64_t units = (int64_t)length * (range->is_bit ? 8 : 1);
    int64_t first = from_the_front(range->first, units);
    int64_t last = from_the_front(range->last, units);
    if (last >= units)
        last = units - 1;
    if (first > last)
        return false;
    *ret_first = (uint64_t)first * (range->is_bit ? 1 : 8);
    *ret_last = (uint64_t)last * (range->is_bit ? 1 : 8) + (range->is_bit ? 0 : 7);
    return true;
}

void cw_bitcount_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_string(call, entry))
        return;
    if (!entry) {
        resp_write_integer(call->reply, 0);
        return;
    }
    struct range range = {.first = 0, .last = INT64_MAX};
    if (call->argc == 3 || call->argc > 5) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    if (call->argc > 3 && (!cw_call_integer(call, 2, &range.first) || !cw_call_integer(call, 3, &range.last)))
        return;
    /* The reference sees that such a range is empty before it looks at the unit. */
    bool is_reversed = range.first < 0 && range.last < 0 && range.first > range.last;
    if (!is_reversed && call->argc == 5 && !parse_unit(call, 4, &range.is_bit))
        return;
    struct slice value = cw_entry_value(entry);
    uint64_t first;
    uint64_t last;
    bool has_bits = !is_reversed && resolve(&range, value.length, &first, &last);
    resp_write_integer(call->reply, has_bits ? (int64_t)cw_bits_count_between(value, first, last) : 0);
}

/* The range of BITPOS, from argv[3] on; else replies the error. The end is read after its unit. */
static bool parse_position_range(struct cw_call *call, struct range *ret_range)
{
    struct range range = {.first = 0, .last = INT64_MAX};
    if (call->argc > 6) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    if ((call->argc > 3 && !cw_call_integer(call, 3, &range.first)) ||
        (call->argc > 5 && !parse_unit(call, 5, &range.is_bit)) ||
        (call->argc > 4 && !cw_call_integer(call, 4, &range.last)))
        return false;
    *ret_range = range;
    return true;
}

void cw_bitpos_command(struct cw_call *call)
{
    int64_t bit;
    if (!cw_call_integer(call, 2, &bit))
        return;
    if (bit != 0 && bit != 1) {
        cw_reply_error(call, "ERR The bit argument must be 1 or 0.");
        return;
    }
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!entry) {
        resp_write_integer(call->reply, bit == 1 ? CW_BITS_NOT_FOUND : 0);
        return;
    }
    struct range range;
    if (!is_string(call, entry) || !parse_position_range(call, &range))
        return;
    uint64_t first;
    uint64_t last;
    int64_t place = CW_BITS_NOT_FOUND;
    if (resolve(&range, cw_entry_value(entry).length, &first, &last)) {
        place = cw_bits_find(cw_entry_value(entry), bit == 1, first, last);
        /* Behind a string are zeros, unless the range says where it ends. */
        if (place == CW_BITS_NOT_FOUND && bit == 0 && call->argc < 5)
            place = (int64_t)last + 1;
    }
    resp_write_integer(call->reply, place);
}

/* ---- BITOP ---- */

static const struct operation {
    const char *name;
    enum cw_bits_operation operation;
    bool needs_two; /* sources */
    bool is_new;    /* of 8.2: an older replica does not know it */
} operations[] = {
    {"AND", CW_BITS_AND, false, false},    {"OR", CW_BITS_OR, false, false},   {"XOR", CW_BITS_XOR, false, false},
    {"NOT", CW_BITS_NOT, false, false},    {"DIFF", CW_BITS_DIFF, true, true}, {"DIFF1", CW_BITS_DIFF1, true, true},
    {"ANDOR", CW_BITS_AND_OR, true, true}, {"ONE", CW_BITS_ONE, false, true},
};

/* The operation of argv[1], if it may have so many sources; else replies the error. */
static const struct operation *parse_operation(struct cw_call *call)
{
    const struct operation *found = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(operations); i++)
        if (slice_equal_nocase(call->argv[1], operations[i].name))
            found = &operations[i];
    if (!found) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return NULL;
    }
    if (found->operation == CW_BITS_NOT && call->argc != 4) {
        cw_reply_error(call, "ERR BITOP NOT must be called with a single source key.");
        return NULL;
    }
    if (found->needs_two && call->argc < 5) {
        resp_write_error_format(call->reply, "ERR BITOP %s must be called with at least two source keys.", found->name);
        return NULL;
    }
    return found;
}

enum { FIRST_SOURCE = 3 };

/* Whether all sources are strings or absent; else replies the error. What was due among them is gone afterwards. */
static bool read_sources(struct cw_call *call)
{
    struct cw_key_group group = {.next = FIRST_SOURCE};
    while (cw_key_group_next(&group, call, 1))
        for (size_t i = 0; i < group.count; i++) {
            const struct cw_entry *entry = cw_keyspace_read(call->keyspace, call->database, call->argv[group.first + i],
                                                            group.hashes[i], call->now_ms);
            if (!is_string(call, entry))
                return false;
        }
    return true;
}

/* The values of sources that were read; returns the length of the longest. */
static size_t look_at_sources(const struct cw_call *call, struct slice *ret_sources)
{
    size_t longest = 0;
    for (size_t i = FIRST_SOURCE; i < call->argc; i++) {
        const struct cw_entry *entry = cw_call_peek(call, i);
        struct slice value = entry ? cw_entry_value(entry) : slice_of(NULL, 0);
        ret_sources[i - FIRST_SOURCE] = value;
        longest = value.length > longest ? value.length : longest;
    }
    return longest;
}

/* What BITOP comes to; NULL when there is no memory. To be freed by the caller. */
static char *combine(const struct cw_call *call, const struct operation *operation, size_t *ret_length)
{
    size_t count = call->argc - FIRST_SOURCE;
    struct slice *sources = mem_alloc(count * sizeof(*sources));
    size_t length = look_at_sources(call, sources);
    char *result = mem_try_alloc(length);
    if (result)
        cw_bits_combine(operation->operation, sources, count, result, length);
    mem_free(sources);
    *ret_length = length;
    return result;
}

/* Gives the destination its value, or takes it away when that is empty. */
static void store(struct cw_call *call, struct slice value)
{
    struct cw_ref ref;
    const struct cw_entry *entry = cw_call_open(call, 2, &ref);
    if (value.length > 0) {
        cw_keyspace_put_expiring(call->keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_RAW, value, CW_NO_EXPIRY);
        cw_call_notify(call, CW_NOTIFY_STRING, "set", ref.key);
        call->dirty++;
    } else if (entry) {
        cw_keyspace_delete(call->keyspace, &ref);
        cw_call_notify(call, CW_NOTIFY_GENERIC, "del", ref.key);
        call->dirty++;
    }
}

static void propagate_result(struct cw_call *call, struct slice value)
{
    const struct slice argv[] = {SLICE_LITERAL("SET"), call->argv[2], value};
    if (value.length > 0)
        cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
    else
        cw_call_propagate_del(call, call->argv[2]);
}

void cw_bitop_command(struct cw_call *call)
{
    const struct operation *operation = parse_operation(call);
    if (!operation || !read_sources(call))
        return;
    size_t length;
    char *result = combine(call, operation, &length);
    if (!result) {
        cw_reply_error(call, CW_ERROR_NO_MEMORY);
        return;
    }
    store(call, slice_of(result, length));
    if (operation->is_new && call->dirty > 0)
        propagate_result(call, slice_of(result, length));
    mem_free(result);
    resp_write_integer(call->reply, (int64_t)length);
}
