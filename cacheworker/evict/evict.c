#include "cacheworker/evict/evict.h"

#include "common/base/mem.h"

enum {
    POOL_SIZE = 16,
    LOOK_MAX = 32,         /* entries of a bucket; longer chains do not occur */
    DRAW_OF = 14,          /* more than a bucket holds mostly */
    EVICT_COST = 16,       /* units of the budget, beside the looking */
    BYTES_PER_UNIT = 4096, /* of a value, that go back to the kernel */
    FREE_STEP = 64,        /* entries freed between two looks at the memory */
    FREE_COST = 4,         /* for each of them */
};

/* Looks follow each other at the golden ratio of the table, which covers it evenly however far one goes (a Weyl
 * sequence): a key is hardly looked at twice before all were once. Going from bucket to bucket would do that too, but
 * thin the table out on one side. */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

struct candidate {
    const struct cw_entry *entry; /* not followed until the keyspace has said that it is still there */
    uint64_t hash;
    uint64_t mark;
    uint64_t score; /* the higher, the rather it goes */
    unsigned database;
};

struct cw_evict {
    struct rand rand;
    unsigned databases;
    uint64_t *positions;   /* owned; of the last look, per database */
    enum cw_policy policy; /* that the scores in the pool are of */
    unsigned count;
    struct candidate pool[POOL_SIZE]; /* the best one last */
};

struct cw_evict *cw_evict_create(unsigned databases, uint64_t seed)
{
    struct cw_evict *evict = mem_zero(sizeof(*evict));
    rand_seed(&evict->rand, seed);
    evict->databases = databases;
    evict->positions = mem_zero(databases * sizeof(*evict->positions));
    return evict;
}

void cw_evict_destroy(struct cw_evict *evict)
{
    if (evict)
        mem_free(evict->positions);
    mem_free(evict);
}

static void spend(unsigned *budget, size_t cost)
{
    *budget -= cost < *budget ? (unsigned)cost : *budget;
}

/* ---- Scores ---- */

/* What of an entry a score is made from, but for the time: while it stays the same, the key was not used. */
static uint64_t mark_of(const struct cw_evict_rules *rules, const struct cw_entry *entry)
{
    return rules->policy == CW_POLICY_VOLATILE_TTL ? (uint64_t)cw_entry_expire_ms(entry) : entry->access;
}

/* How much rather than others an entry goes. */
static uint64_t score_of(const struct cw_evict_rules *rules, const struct cw_entry *entry, int64_t now_ms)
{
    if (rules->policy == CW_POLICY_VOLATILE_TTL)
        return UINT64_MAX - ((uint64_t)cw_entry_expire_ms(entry) ^ (uint64_t)INT64_MIN); /* the sign in its order */
    if (!cw_policy_is_lfu(rules->policy))
        return UINT64_MAX - (uint64_t)(now_ms / 1000 - cw_access_idle_s(entry->access, now_ms));
    /* Of those whose counters have come to the same, the one goes that had not counted more before: mostly a key that
     * is new, of which there are always many. */
    uint32_t left = cw_access_frequency(rules->access, entry->access, now_ms);
    return UINT64_MAX - (left << CW_ACCESS_FREQUENCY_BITS | cw_access_counted(entry->access));
}

/* ---- The pool ---- */

static bool is_in_pool(const struct cw_evict *evict, const struct cw_entry *entry)
{
    for (unsigned i = 0; i < evict->count; i++)
        if (evict->pool[i].entry == entry)
            return true;
    return false;
}

static void offer(struct cw_evict *evict, const struct cw_keyspace *keyspace, const struct cw_evict_rules *rules,
                  unsigned database, const struct cw_entry *entry, int64_t now_ms)
{
    uint64_t score = score_of(rules, entry, now_ms);
    bool is_full = evict->count == POOL_SIZE;
    if ((is_full && score <= evict->pool[0].score) || is_in_pool(evict, entry))
        return;
    unsigned place = evict->count;
    while (place > 0 && evict->pool[place - 1].score > score)
        place--;
    if (is_full) {
        place--;
        memmove(&evict->pool[0], &evict->pool[1], place * sizeof(evict->pool[0]));
    } else {
        memmove(&evict->pool[place + 1], &evict->pool[place], (evict->count - place) * sizeof(evict->pool[0]));
        evict->count++;
    }
    evict->pool[place] = (struct candidate){.entry = entry,
                                            .hash = cw_keyspace_hash(keyspace, cw_entry_key(entry)),
                                            .mark = mark_of(rules, entry),
                                            .score = score,
                                            .database = database};
}

/* The best of the pool that is still there, and was not used meanwhile. */
static bool take(struct cw_evict *evict, const struct cw_keyspace *keyspace, const struct cw_evict_rules *rules,
                 struct candidate *ret_victim)
{
    while (evict->count > 0) {
        const struct candidate *best = &evict->pool[--evict->count];
        if (!cw_keyspace_holds(keyspace, best->database, best->hash, best->entry))
            continue;
        if (cw_policy_is_volatile(rules->policy) && !(best->entry->flags & CW_ENTRY_EXPIRES))
            continue;
        if (mark_of(rules, best->entry) != best->mark)
            continue;
        *ret_victim = *best;
        return true;
    }
    return false;
}

/* ---- Looking ---- */

static uint64_t eligible(const struct cw_keyspace *keyspace, unsigned database, enum cw_policy policy)
{
    return cw_policy_is_volatile(policy) ? cw_keyspace_count_expires(keyspace, database)
                                         : cw_keyspace_count(keyspace, database);
}

/* A database, by chance in proportion to the keys that may go; false when there is none. */
static bool draw_database(struct cw_evict *evict, const struct cw_keyspace *keyspace, enum cw_policy policy,
                          unsigned *ret_database)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < evict->databases; i++)
        total += eligible(keyspace, i, policy);
    if (total == 0)
        return false;
    uint64_t drawn = rand_below(&evict->rand, total);
    unsigned database = 0;
    for (uint64_t count; drawn >= (count = eligible(keyspace, database, policy)); database++)
        drawn -= count;
    *ret_database = database;
    return true;
}

/* Offers some keys of a database to the pool. */
static void look(struct cw_evict *evict, struct cw_keyspace *keyspace, const struct cw_evict_rules *rules,
                 unsigned database, int64_t now_ms, unsigned *budget)
{
    const struct cw_entry *entries[LOOK_MAX];
    int64_t left = rules->samples;
    while (left > 0 && *budget > 0) {
        uint64_t position = evict->positions[database] += GOLDEN;
        cw_keyspace_prefetch_bucket(keyspace, database, position + 2 * GOLDEN);
        cw_keyspace_prefetch_look(keyspace, database, position + GOLDEN);
        unsigned count = cw_keyspace_look(keyspace, database, cw_policy_is_volatile(rules->policy), &position, entries,
                                          LOOK_MAX, budget);
        for (unsigned i = 0; i < count; i++)
            offer(evict, keyspace, rules, database, entries[i], now_ms);
        left -= count;
    }
}

/* Any key of a database. */
static bool draw_victim(struct cw_evict *evict, struct cw_keyspace *keyspace, enum cw_policy policy, unsigned database,
                        unsigned *budget, struct candidate *ret_victim)
{
    const struct cw_entry *entries[LOOK_MAX];
    const struct cw_entry *entry = NULL;
    if (cw_policy_is_volatile(policy)) {
        uint64_t position = rand_u64(&evict->rand);
        unsigned count = cw_keyspace_look(keyspace, database, true, &position, entries, LOOK_MAX, budget);
        uint64_t drawn = rand_below(&evict->rand, DRAW_OF);
        entry = drawn < count ? entries[drawn] : NULL; /* or a lonely key would be drawn more often */
    } else {
        entry = cw_keyspace_random(keyspace, database);
    }
    if (entry)
        *ret_victim = (struct candidate){
            .entry = entry, .hash = cw_keyspace_hash(keyspace, cw_entry_key(entry)), .database = database};
    return entry != NULL;
}

/* False when the budget is used up, or there is no key that may go. */
static bool find_victim(struct cw_evict *evict, struct cw_keyspace *keyspace, const struct cw_evict_rules *rules,
                        int64_t now_ms, unsigned *budget, struct candidate *ret_victim, bool *ret_any)
{
    unsigned database;
    while ((*ret_any = draw_database(evict, keyspace, rules->policy, &database)) && *budget > 0) {
        if (cw_policy_is_random(rules->policy)) {
            if (draw_victim(evict, keyspace, rules->policy, database, budget, ret_victim))
                return true;
        } else {
            look(evict, keyspace, rules, database, now_ms, budget);
            if (take(evict, keyspace, rules, ret_victim))
                return true;
        }
    }
    return false;
}

/* ---- Evicting ---- */

static void evict_one(struct cw_keyspace *keyspace, const struct candidate *victim, unsigned *budget,
                      cw_evicted evicted, void *context)
{
    spend(budget, EVICT_COST + cw_entry_used_bytes(victim->entry) / BYTES_PER_UNIT);
    evicted(context, victim->database, cw_entry_key(victim->entry));
    cw_keyspace_evict(keyspace, victim->database, victim->hash, victim->entry);
}

static void free_some(struct cw_keyspace *keyspace, unsigned *budget)
{
    (void)cw_keyspace_free_step(keyspace, FREE_STEP);
    spend(budget, FREE_STEP * FREE_COST);
}

enum cw_evict_result cw_evict_step(struct cw_evict *evict, struct cw_keyspace *keyspace,
                                   const struct cw_evict_rules *rules, int64_t now_ms, unsigned *budget,
                                   cw_evicted evicted, void *context)
{
    if (evict->policy != rules->policy)
        evict->count = 0;
    evict->policy = rules->policy;
    while (rules->limit_bytes > 0 && cw_keyspace_data_bytes(keyspace) > rules->limit_bytes) {
        struct candidate victim;
        bool any = false;
        if (cw_keyspace_to_free(keyspace) > 0) {
            if (*budget == 0)
                return CW_EVICT_MORE;
            free_some(keyspace, budget);
        } else if (rules->policy == CW_POLICY_NOEVICTION) {
            return CW_EVICT_STUCK;
        } else if (find_victim(evict, keyspace, rules, now_ms, budget, &victim, &any)) {
            evict_one(keyspace, &victim, budget, evicted, context);
        } else {
            return any ? CW_EVICT_MORE : CW_EVICT_STUCK;
        }
    }
    return CW_EVICT_DONE;
}
