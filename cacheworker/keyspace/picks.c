#include "cacheworker/keyspace/picks.h"

#include "cacheworker/keyspace/dictionary.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/packed/packed_reply.h"

enum { DRAW_FACTOR = 3 /* drawing is for less than this part of the members; else much is drawn twice */ };

bool cw_picks_parse(struct cw_call *call, const char *option, int64_t *ret_count, bool *ret_shows_more)
{
    *ret_count = 0;
    *ret_shows_more = call->argc == 4;
    if (call->argc == 2)
        return true;
    if (!cw_call_signed_count(call, 2, ret_count))
        return false;
    if (call->argc > 4 || (*ret_shows_more && !slice_equal_nocase(call->argv[3], option))) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    int64_t most = INT64_MAX / (1 + *ret_shows_more);
    if (*ret_count < -most || *ret_count > most) {
        cw_reply_error(call, "ERR value is out of range");
        return false;
    }
    return true;
}

static void begin(struct cw_call *call, const struct cw_picks *picks, uint64_t count)
{
    resp_write_array(call->reply, picks->shows_more && call->protocol == 2 ? 2 * count : count);
}

static void reply_pick(struct cw_call *call, const struct cw_picks *picks)
{
    if (picks->shows_more && call->protocol > 2)
        resp_write_array(call->reply, 2);
    cw_write_packed_value(call->reply, &picks->member);
    if (picks->shows_more)
        picks->reply_more(call, picks);
}

/* One walk over all (Fan, Muller and Rezucha 1962). */
static void pick_by_walking(struct cw_call *call, struct cw_picks *picks, uint64_t wanted)
{
    struct rand *rand = cw_keyspace_rand(call->keyspace);
    for (uint64_t left = picks->count; wanted > 0 && picks->walk(picks); left--) {
        if (rand_below(rand, left) >= wanted)
            continue;
        reply_pick(call, picks);
        wanted--;
    }
}

/* Few of many: draws, and draws again what was drawn before. Only of a dictionary, whose members are texts. */
static void pick_by_drawing(struct cw_call *call, struct cw_picks *picks, uint64_t wanted)
{
    struct cw_dictionary *drawn =
        cw_dictionary_create(cw_keyspace_arena(call->keyspace), cw_keyspace_hash_key(call->keyspace));
    while (wanted > 0) {
        bool is_new;
        picks->draw(picks, cw_keyspace_rand(call->keyspace));
        cw_dictionary_put(drawn, picks->member.text, slice_of(NULL, 0), CW_NO_EXPIRY, &is_new);
        if (!is_new)
            continue;
        reply_pick(call, picks);
        wanted--;
    }
    unsigned budget = UINT32_MAX;
    (void)cw_dictionary_free_step(drawn, &budget);
}

static void reply_one(struct cw_call *call, struct cw_picks *picks)
{
    picks->draw(picks, cw_keyspace_rand(call->keyspace));
    cw_write_packed_value(call->reply, &picks->member);
}

static void reply_many(struct cw_call *call, struct cw_picks *picks, int64_t count)
{
    if (count < 0) {
        begin(call, picks, (uint64_t)-count);
        for (; count < 0 && !cw_reply_is_full(call); count++) {
            picks->draw(picks, cw_keyspace_rand(call->keyspace));
            reply_pick(call, picks);
        }
        return;
    }
    uint64_t wanted = (uint64_t)count < picks->count ? (uint64_t)count : picks->count;
    begin(call, picks, wanted);
    if (cw_entry_is_object(picks->entry) && wanted < picks->count / DRAW_FACTOR)
        pick_by_drawing(call, picks, wanted);
    else
        pick_by_walking(call, picks, wanted);
}

void cw_picks_reply(struct cw_call *call, struct cw_picks *picks, int64_t count)
{
    bool has_count = call->argc > 2;
    if (has_count && picks->entry && count != 0)
        reply_many(call, picks, count);
    else if (has_count)
        resp_write_array(call->reply, 0);
    else if (picks->entry)
        reply_one(call, picks);
    else
        resp_write_null(call->reply, call->protocol);
}
