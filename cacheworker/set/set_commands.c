#include "cacheworker/set/set_commands.h"

#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/keyspace/many_words.h"
#include "cacheworker/keyspace/picks.h"
#include "cacheworker/keyspace/scan.h"
#include "cacheworker/packed/packed_reply.h"
#include "cacheworker/set/set.h"
#include "common/base/rand.h"

enum {
    FEW_POPS = 8,       /* so few are searched one by one, also where that means to go through packed bytes */
    MOST_OF_FACTOR = 5, /* what stays is less than this part of what goes: the reference makes a new set of it */
};

static bool is_set(struct cw_call *call, const struct cw_entry *entry)
{
    return cw_call_is_type(call, entry, CW_TYPE_SET);
}

/* ---- Reading ---- */

static bool contains(const struct cw_entry *entry, struct slice text)
{
    struct cw_packed_value member = cw_set_member(text);
    return entry && cw_set_contains(entry, &member);
}

void cw_sismember_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_set(call, entry))
        resp_write_integer(call->reply, contains(entry, call->argv[2]));
}

void cw_smismember_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_set(call, entry))
        return;
    resp_write_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++)
        resp_write_integer(call->reply, contains(entry, call->argv[i]));
}

void cw_scard_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_set(call, entry))
        resp_write_integer(call->reply, entry ? (int64_t)cw_set_count(entry) : 0);
}

static void write_members(struct cw_call *call, const struct cw_entry *entry)
{
    struct cw_set_walk walk = {0};
    while (cw_set_next(entry, &walk))
        cw_write_packed_value(call->reply, &walk.member);
}

void cw_smembers_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_set(call, entry))
        return;
    resp_write_set(call->reply, call->protocol, entry ? cw_set_count(entry) : 0);
    if (entry)
        write_members(call, entry);
}

static void add_found(void *context, const struct cw_packed_value *member)
{
    struct cw_found *found = context;
    if (!cw_found_visit(found, member))
        return;
    cw_write_packed_value(&found->replies, member);
    found->count++;
}

static uint64_t scan_members(struct cw_call *call, const struct cw_entry *entry, uint64_t cursor,
                             struct cw_found *found)
{
    (void)call;
    return cw_set_scan(entry, cursor, add_found, found);
}

void cw_sscan_command(struct cw_call *call)
{
    cw_scan_value(call, CW_TYPE_SET, scan_members);
}

/* ---- Picks ---- */

static bool walk_members(struct cw_picks *picks)
{
    struct cw_set_walk *walk = picks->place;
    bool is_there = cw_set_next(picks->entry, walk);
    picks->member = walk->member;
    return is_there;
}

static void draw_member(struct cw_picks *picks, struct rand *rand)
{
    picks->member = cw_set_random(picks->entry, rand);
}

void cw_srandmember_command(struct cw_call *call)
{
    int64_t count = 0;
    if (call->argc > 3) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    if (call->argc == 3 && !cw_call_signed_count(call, 2, &count))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_set(call, entry))
        return;
    struct cw_set_walk walk = {0};
    struct cw_picks picks = {.entry = entry,
                             .count = entry ? cw_set_count(entry) : 0,
                             .place = &walk,
                             .walk = walk_members,
                             .draw = draw_member};
    cw_picks_reply(call, &picks, count);
}

/* ---- Changing ---- */

void cw_sadd_command(struct cw_call *call)
{
    struct cw_ref ref;
    if (!is_set(call, cw_call_open(call, 1, &ref)))
        return;
    int64_t added = 0;
    for (size_t i = 2; i < call->argc; i++) {
        struct cw_packed_value member = cw_set_member(call->argv[i]);
        if (i == 2)
            cw_set_expect(call->keyspace, &ref, &member, call->argc - 2);
        added += cw_set_add(call->keyspace, &ref, &member);
    }
    if (added > 0)
        cw_call_notify(call, CW_NOTIFY_SET, "sadd", ref.key);
    call->dirty += (uint64_t)added;
    resp_write_integer(call->reply, added);
}

void cw_srem_command(struct cw_call *call)
{
    struct cw_ref ref;
    if (!is_set(call, cw_call_open(call, 1, &ref)))
        return;
    int64_t removed = 0;
    for (size_t i = 2; i < call->argc && ref.entry; i++) {
        struct cw_packed_value member = cw_set_member(call->argv[i]);
        removed += cw_set_remove(call->keyspace, &ref, &member);
    }
    if (removed > 0)
        cw_call_notify_removal(call, CW_NOTIFY_SET, "srem", ref.key, !ref.entry);
    call->dirty += (uint64_t)removed;
    resp_write_integer(call->reply, removed);
}

/* Takes the member out of the one set, and adds it to the other, which may be new, where it is not there already. */
static void move_member(struct cw_call *call, const struct cw_packed_value *member, bool is_there)
{
    struct cw_ref ref;
    cw_call_open(call, 1, &ref);
    cw_set_remove(call->keyspace, &ref, member);
    cw_call_notify_removal(call, CW_NOTIFY_SET, "srem", ref.key, !ref.entry);
    call->dirty++;
    if (is_there)
        return;
    if (!cw_call_open(call, 2, &ref))
        cw_set_expect(call->keyspace, &ref, member, 1);
    cw_set_add_new(call->keyspace, &ref, member);
    cw_call_notify(call, CW_NOTIFY_SET, "sadd", ref.key);
    call->dirty++;
}

void cw_smove_command(struct cw_call *call)
{
    struct cw_packed_value member = cw_set_member(call->argv[3]);
    const struct cw_entry *from = cw_call_peek(call, 1);
    const struct cw_entry *to = cw_call_peek(call, 2);
    if (from && (!is_set(call, from) || !is_set(call, to)))
        return;
    bool is_member = from && cw_set_contains(from, &member);
    if (is_member && from != to)
        move_member(call, &member, to && cw_set_contains(to, &member));
    resp_write_integer(call->reply, is_member);
}

/* ---- SPOP: what was picked goes into the stream as SREM ---- */

/* Shows the member to the client, and names it in the stream. */
static void note_removed(struct cw_many_words *removed, const struct cw_packed_value *member)
{
    char space[NUMBER_TEXT_MAX];
    struct slice text = cw_packed_value_text(member, space);
    resp_write_bulk(removed->call->reply, text);
    cw_many_words_add(removed, text);
    removed->call->dirty++;
}

static void pop_by_drawing(struct cw_many_words *removed, struct cw_ref *ref, uint64_t count)
{
    struct cw_keyspace *keyspace = removed->call->keyspace;
    for (; count > 0; count--) {
        struct cw_packed_value member = cw_set_random(ref->entry, cw_keyspace_rand(keyspace));
        note_removed(removed, &member);
        cw_set_remove(keyspace, ref, &member);
    }
}

/* Goes through the set once; what stays becomes a set of its own, which takes the place of the old one. */
static void pop_by_walking(struct cw_many_words *removed, struct cw_ref *ref, uint64_t count, enum cw_encoding encoding)
{
    struct cw_call *call = removed->call;
    struct rand *rand = cw_keyspace_rand(call->keyspace);
    struct cw_key key = cw_call_key(call, 1);
    struct cw_set_walk walk = {0};
    struct cw_ref rest;
    cw_keyspace_open_draft(call->keyspace, call->now_ms, &rest);
    cw_set_create(call->keyspace, &rest, encoding);
    for (uint64_t left = cw_set_count(ref->entry); cw_set_next(ref->entry, &walk); left--) {
        if (rand_below(rand, left) < count) {
            note_removed(removed, &walk.member);
            count--;
        } else {
            cw_set_add_new(call->keyspace, &rest, &walk.member);
        }
    }
    if (cw_entry_expire_ms(ref->entry) != CW_NO_EXPIRY)
        cw_keyspace_expire(call->keyspace, &rest, cw_entry_expire_ms(ref->entry));
    cw_keyspace_store_draft(call->keyspace, &rest, &key);
}

static void pop_some(struct cw_call *call, struct cw_ref *ref, uint64_t count)
{
    struct cw_many_words removed;
    enum cw_encoding encoding = cw_entry_encoding(ref->entry);
    uint64_t rest = cw_set_count(ref->entry) - count;
    bool takes_most = rest <= count / MOST_OF_FACTOR;
    if (takes_most && encoding == CW_ENCODING_HASHTABLE)
        encoding = CW_ENCODING_LISTPACK; /* what stays may be small enough again */
    cw_many_words_begin(&removed, call, "SREM", call->argv[1], count);
    if (takes_most || (count > FEW_POPS && !cw_entry_is_object(ref->entry)))
        pop_by_walking(&removed, ref, count, encoding);
    else
        pop_by_drawing(&removed, ref, count);
    cw_many_words_end(&removed);
    cw_call_notify(call, CW_NOTIFY_SET, "spop", call->argv[1]);
}

static void pop_all(struct cw_call *call, struct cw_ref *ref)
{
    write_members(call, ref->entry);
    call->dirty += cw_set_count(ref->entry);
    cw_keyspace_delete(call->keyspace, ref);
    cw_call_notify_removal(call, CW_NOTIFY_SET, "spop", call->argv[1], true);
    cw_call_propagate_del(call, call->argv[1]);
}

static void pop_count(struct cw_call *call)
{
    int64_t count;
    struct cw_ref ref;
    if (number_parse_i64(call->argv[2], &count) < 0 || count < 0) {
        cw_reply_error(call, "ERR value is out of range, must be positive");
        return;
    }
    if (!is_set(call, cw_call_open(call, 1, &ref)))
        return;
    uint64_t size = ref.entry ? cw_set_count(ref.entry) : 0;
    bool takes_all = (uint64_t)count >= size;
    resp_write_set(call->reply, call->protocol, takes_all ? size : (uint64_t)count);
    if (count == 0 || size == 0)
        return;
    if (takes_all)
        pop_all(call, &ref);
    else
        pop_some(call, &ref, (uint64_t)count);
}

static void pop_one(struct cw_call *call)
{
    struct cw_ref ref;
    char space[NUMBER_TEXT_MAX];
    if (!is_set(call, cw_call_open(call, 1, &ref)))
        return;
    if (!ref.entry) {
        resp_write_null(call->reply, call->protocol);
        return;
    }
    struct cw_packed_value member = cw_set_random(ref.entry, cw_keyspace_rand(call->keyspace));
    const struct slice argv[] = {SLICE_LITERAL("SREM"), call->argv[1], cw_packed_value_text(&member, space)};
    resp_write_bulk(call->reply, argv[2]);
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
    cw_set_remove(call->keyspace, &ref, &member);
    cw_call_notify_removal(call, CW_NOTIFY_SET, "spop", call->argv[1], !ref.entry);
    call->dirty++;
}

void cw_spop_command(struct cw_call *call)
{
    if (call->argc == 2)
        pop_one(call);
    else if (call->argc == 3)
        pop_count(call);
    else
        cw_reply_error(call, CW_ERROR_SYNTAX);
}
