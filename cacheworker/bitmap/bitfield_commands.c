#include "cacheworker/bitmap/bitmap_commands.h"
#include "cacheworker/bitmap/bits.h"
#include "cacheworker/keyspace/lookup.h"
#include "common/base/number.h"

/* BITFIELD is read twice: the first time only to know that all of it is well-formed and how long the string must be,
 * the second time to carry it out. */
struct cursor {
    size_t next; /* argument */
    enum cw_bits_overflow overflow;
};

enum kind { KIND_GET, KIND_SET, KIND_INCRBY };

struct operation {
    enum kind kind;
    struct cw_bits_type type;
    enum cw_bits_overflow overflow;
    uint64_t offset;
    int64_t operand; /* of SET and INCRBY */
};

static bool parse_overflow(struct cw_call *call, size_t index, enum cw_bits_overflow *ret_overflow)
{
    static const char *const names[] = {[CW_BITS_WRAP] = "wrap", [CW_BITS_SATURATE] = "sat", [CW_BITS_FAIL] = "fail"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (slice_equal_nocase(call->argv[index], names[i])) {
            *ret_overflow = (enum cw_bits_overflow)i;
            return true;
        }
    cw_reply_error(call, "ERR Invalid OVERFLOW type specified");
    return false;
}

static bool parse_type(struct cw_call *call, size_t index, struct cw_bits_type *ret_type)
{
    struct slice text = call->argv[index];
    bool is_signed = text.length > 0 && text.data[0] == 'i';
    int64_t width;
    if (text.length == 0 || (!is_signed && text.data[0] != 'u') || number_parse_i64(slice_skip(text, 1), &width) < 0 ||
        width < 1 || width > (is_signed ? 64 : 63)) {
        cw_reply_error(call, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
                             "i64 is.");
        return false;
    }
    *ret_type = (struct cw_bits_type){is_signed, (unsigned)width};
    return true;
}

/* The word of an operation, if enough arguments follow it. */
static bool parse_kind(const struct cw_call *call, size_t index, enum kind *ret_kind)
{
    static const struct {
        const char *name;
        size_t arguments;
    } kinds[] = {[KIND_GET] = {"get", 2}, [KIND_SET] = {"set", 3}, [KIND_INCRBY] = {"incrby", 3}};
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (slice_equal_nocase(call->argv[index], kinds[i].name) && call->argc - index - 1 >= kinds[i].arguments) {
            *ret_kind = (enum kind)i;
            return true;
        }
    return false;
}

/* Reads the operation that begins at the cursor; false: the error was replied. */
static bool parse_operation(struct cw_call *call, struct cursor *cursor, struct operation *ret_operation)
{
    size_t at = cursor->next;
    struct operation operation = {.overflow = cursor->overflow};
    if (!parse_kind(call, at, &operation.kind)) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    if (!parse_type(call, at + 1, &operation.type) ||
        !cw_call_bit_offset(call, at + 2, operation.type.width, &operation.offset) ||
        (operation.kind != KIND_GET && !cw_call_integer(call, at + 3, &operation.operand)))
        return false;
    cursor->next = at + (operation.kind == KIND_GET ? 3 : 4);
    *ret_operation = operation;
    return true;
}

enum step { STEP_OPERATION, STEP_END, STEP_ERROR };

static enum step next_operation(struct cw_call *call, struct cursor *cursor, struct operation *ret_operation)
{
    while (cursor->next + 1 < call->argc && slice_equal_nocase(call->argv[cursor->next], "overflow")) {
        if (!parse_overflow(call, cursor->next + 1, &cursor->overflow))
            return STEP_ERROR;
        cursor->next += 2;
    }
    if (cursor->next >= call->argc)
        return STEP_END;
    return parse_operation(call, cursor, ret_operation) ? STEP_OPERATION : STEP_ERROR;
}

#define CURSOR_AT_START ((struct cursor){.next = 2, .overflow = CW_BITS_WRAP})

struct plan {
    size_t operations;
    bool writes;
    uint64_t last_written; /* bit */
};

static bool make_plan(struct cw_call *call, struct plan *ret_plan)
{
    struct plan plan = {0};
    struct cursor cursor = CURSOR_AT_START;
    struct operation operation;
    enum step step;
    while ((step = next_operation(call, &cursor, &operation)) == STEP_OPERATION) {
        plan.operations++;
        if (operation.kind == KIND_GET)
            continue;
        uint64_t last = operation.offset + operation.type.width - 1;
        plan.writes = true;
        plan.last_written = last > plan.last_written ? last : plan.last_written;
    }
    *ret_plan = plan;
    return step == STEP_END;
}

/* Carries out a SET or INCRBY and replies. It counts as a change when the field has another number now, or came with
 * the string's new length. */
static void write_field(struct cw_call *call, const struct operation *operation, const struct cw_bitmap *bitmap,
                        int64_t old)
{
    int64_t number;
    bool fits = operation->kind == KIND_SET
                    ? cw_bits_convert(operation->type, operation->overflow, operation->operand, &number)
                    : cw_bits_add(operation->type, operation->overflow, old, operation->operand, &number);
    if (!fits) {
        resp_write_null(call->reply, call->protocol);
        return;
    }
    cw_bits_write(bitmap->bytes, operation->offset, operation->type.width, (uint64_t)number);
    resp_write_integer(call->reply, operation->kind == KIND_SET ? old : number);
    call->dirty += bitmap->has_grown || number != old;
}

/* Carries out a plan that was made. `bitmap` is `value` for writing, or NULL for a plan that only reads. */
static void carry_out(struct cw_call *call, const struct plan *plan, struct slice value, const struct cw_bitmap *bitmap)
{
    struct cursor cursor = CURSOR_AT_START;
    struct operation operation;
    resp_write_array(call->reply, plan->operations);
    while (next_operation(call, &cursor, &operation) == STEP_OPERATION) {
        int64_t number = cw_bits_number(operation.type, cw_bits_read(value, operation.offset, operation.type.width));
        if (operation.kind == KIND_GET)
            resp_write_integer(call->reply, number);
        else
            write_field(call, &operation, bitmap, number);
    }
}

static void read_fields(struct cw_call *call, const struct plan *plan)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (cw_call_is_type(call, entry, CW_TYPE_STRING))
        carry_out(call, plan, entry ? cw_entry_value(entry) : slice_of(NULL, 0), NULL);
}

void cw_bitfield_command(struct cw_call *call)
{
    struct plan plan;
    if (!make_plan(call, &plan))
        return;
    if (!plan.writes) {
        read_fields(call, &plan);
        return;
    }
    struct cw_ref ref;
    if (!cw_call_is_type(call, cw_call_open(call, 1, &ref), CW_TYPE_STRING))
        return;
    struct cw_bitmap bitmap = cw_call_bitmap(call, &ref, plan.last_written);
    if (!bitmap.bytes)
        return;
    carry_out(call, &plan, slice_of(bitmap.bytes, bitmap.length), &bitmap);
    if (call->dirty > 0)
        cw_call_notify(call, CW_NOTIFY_STRING, "setbit", ref.key);
    if (bitmap.has_grown && call->dirty == 0)
        call->dirty = 1; /* nothing fitted, but the string is longer: the replicas must know */
}

void cw_bitfield_ro_command(struct cw_call *call)
{
    struct plan plan;
    if (!make_plan(call, &plan))
        return;
    if (plan.writes)
        cw_reply_error(call, "ERR BITFIELD_RO only supports the GET subcommand");
    else
        read_fields(call, &plan);
}
