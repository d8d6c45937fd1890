#include "cacheworker/expire/expire_commands.h"

#include "cacheworker/keyspace/lookup.h"

enum {
    CONDITION_NX = 1 << 0,
    CONDITION_XX = 1 << 1,
    CONDITION_GT = 1 << 2,
    CONDITION_LT = 1 << 3,
};

static bool parse_conditions(struct cw_call *call, unsigned *ret_conditions)
{
    unsigned conditions = 0;
    for (size_t i = 3; i < call->argc; i++) {
        if (slice_equal_nocase(call->argv[i], "nx")) {
            conditions |= CONDITION_NX;
        } else if (slice_equal_nocase(call->argv[i], "xx")) {
            conditions |= CONDITION_XX;
        } else if (slice_equal_nocase(call->argv[i], "gt")) {
            conditions |= CONDITION_GT;
        } else if (slice_equal_nocase(call->argv[i], "lt")) {
            conditions |= CONDITION_LT;
        } else {
            struct buf text = {0};
            buf_add_text(&text, "ERR Unsupported option ");
            buf_add_slice(&text, call->argv[i]);
            resp_write_error(call->reply, buf_slice(&text));
            buf_free(&text);
            return false;
        }
    }
    if (conditions & CONDITION_NX && conditions & ~(unsigned)CONDITION_NX) {
        cw_reply_error(call, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (conditions & CONDITION_GT && conditions & CONDITION_LT) {
        cw_reply_error(call, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    *ret_conditions = conditions;
    return true;
}

/* A key without expiry counts as one that lives for ever. */
static bool conditions_hold(unsigned conditions, int64_t current_ms, int64_t expire_ms)
{
    bool expires = current_ms != CW_NO_EXPIRY;
    if (conditions & CONDITION_NX && expires)
        return false;
    if (conditions & CONDITION_XX && !expires)
        return false;
    if (conditions & CONDITION_GT && (!expires || expire_ms <= current_ms))
        return false;
    return !(conditions & CONDITION_LT && expires && expire_ms >= current_ms);
}

static void expire_key(struct cw_call *call, int64_t unit_ms, int64_t base_ms)
{
    unsigned conditions;
    int64_t expire_ms;
    if (!parse_conditions(call, &conditions) || !cw_call_expire_ms(call, 2, unit_ms, base_ms, false, &expire_ms))
        return;
    struct cw_ref ref;
    const struct cw_entry *entry = cw_call_open(call, 1, &ref);
    if (!entry || !conditions_hold(conditions, cw_entry_expire_ms(entry), expire_ms)) {
        resp_write_integer(call->reply, 0);
        return;
    }
    if (cw_call_deletes_at(call, expire_ms)) {
        cw_keyspace_delete(call->keyspace, &ref);
        cw_call_notify(call, CW_NOTIFY_GENERIC, "del", call->argv[1]);
        cw_call_propagate_expired(call, call->argv[1]);
    } else {
        cw_keyspace_expire(call->keyspace, &ref, expire_ms);
        cw_call_notify(call, CW_NOTIFY_GENERIC, "expire", call->argv[1]);
        cw_call_propagate_pexpireat(call, call->argv[1], expire_ms);
    }
    call->dirty++;
    resp_write_integer(call->reply, 1);
}

void cw_expire_command(struct cw_call *call)
{
    expire_key(call, 1000, call->now_ms);
}

void cw_pexpire_command(struct cw_call *call)
{
    expire_key(call, 1, call->now_ms);
}

void cw_expireat_command(struct cw_call *call)
{
    expire_key(call, 1000, 0);
}

void cw_pexpireat_command(struct cw_call *call)
{
    expire_key(call, 1, 0);
}

enum { NO_KEY = -2, NO_EXPIRY = -1 }; /* replies */

/* The date less `base_ms`, not below zero, or one of the above. */
static int64_t time_left(const struct cw_call *call, int64_t base_ms)
{
    const struct cw_entry *entry = cw_call_look(call, 1);
    if (!entry)
        return NO_KEY;
    int64_t expire_ms = cw_entry_expire_ms(entry);
    if (expire_ms == CW_NO_EXPIRY)
        return NO_EXPIRY;
    return expire_ms > base_ms ? expire_ms - base_ms : 0;
}

static void reply_seconds(struct cw_call *call, int64_t ms)
{
    resp_write_integer(call->reply, ms < 0 ? ms : ms / 1000 + (ms % 1000 >= 500));
}

void cw_ttl_command(struct cw_call *call)
{
    reply_seconds(call, time_left(call, call->now_ms));
}

void cw_pttl_command(struct cw_call *call)
{
    resp_write_integer(call->reply, time_left(call, call->now_ms));
}

void cw_expiretime_command(struct cw_call *call)
{
    reply_seconds(call, time_left(call, 0));
}

void cw_pexpiretime_command(struct cw_call *call)
{
    resp_write_integer(call->reply, time_left(call, 0));
}

void cw_persist_command(struct cw_call *call)
{
    struct cw_ref ref;
    bool persisted = cw_call_open(call, 1, &ref) && cw_keyspace_persist(call->keyspace, &ref);
    if (persisted)
        cw_call_notify(call, CW_NOTIFY_GENERIC, "persist", call->argv[1]);
    call->dirty += persisted;
    resp_write_integer(call->reply, persisted);
}
