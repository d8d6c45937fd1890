#include "tests/sim/words.h"

#include "cacheworker/engine/inspect.h"
#include "sentinel/core/inspect.h"
#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <string.h>

void words_free(struct words *words)
{
    resp_request_free(&words->request);
}

static int64_t clock_of(const struct oracle *oracle, const struct sim_process *process)
{
    return sim_clock_ns(&oracle->appliance->world, process);
}

static bool promise_stands(const struct oracle *oracle, unsigned number)
{
    const struct sentinel_words *words = &oracle->words.sentinels[number];
    return words->epoch > 0 && !words->is_gone &&
           clock_of(oracle, oracle->appliance->sentinels[number]) < words->until_ns;
}

/* Values behind ballots that were not learned yet. */
static bool has_accepted_later(const struct sn_inspection *seen)
{
    return seen->accepted->epoch > seen->protected_epoch && seen->protected_epoch > 0 &&
           ballot_compare(&seen->accepted_ballot, &seen->learned_ballot) > 0 &&
           seen->accepted->release.epoch + 1 != seen->accepted->epoch;
}

static void check_promise(struct oracle *oracle, unsigned number, const struct sn_inspection *seen)
{
    const struct sentinel_words *words = &oracle->words.sentinels[number];
    const char *name = oracle->appliance->sentinels[number]->name;
    bool is_same = seen->protected_epoch == words->epoch && life_equal(&seen->protected_life, &words->life);
    bool is_first_look = words->seen_life != oracle->appliance->sentinels[number]->life;
    /* A start also protects a value that it had accepted and nobody ever learned: nobody was granted under that. */
    bool was_learned = words->epoch <= oracle->newest.epoch;
    if (promise_stands(oracle, number) && was_learned) {
        /* Over a restart only what somebody was told counts. */
        int64_t until_ns = is_first_look ? words->granted_ns : words->until_ns;
        bool is_less = seen->protected_epoch < words->epoch || (is_same && seen->promise_until_ns < until_ns);
        if (is_less && clock_of(oracle, oracle->appliance->sentinels[number]) < until_ns)
            oracle_violate(oracle,
                           "S12: %s has shortened its promise to epoch %" PRIu64 " by %" PRIi64 " ms, to epoch %" PRIu64
                           "%s",
                           name, words->epoch, (until_ns - seen->promise_until_ns) / NS_PER_MS, seen->protected_epoch,
                           is_first_look ? ", restarting" : "");
        if (seen->accepted->epoch > words->epoch && !seen->is_gone && has_accepted_later(seen) &&
            ballot_compare(&seen->accepted_ballot, &words->accepted) > 0)
            oracle_violate(oracle, "S12: %s has accepted epoch %" PRIu64 " while its promise to %" PRIu64 " stands",
                           name, seen->accepted->epoch, words->epoch);
    }
}

static void check_ballots(struct oracle *oracle, unsigned number, const struct sn_inspection *seen)
{
    const struct sentinel_words *words = &oracle->words.sentinels[number];
    const char *name = oracle->appliance->sentinels[number]->name;
    if (ballot_compare(&seen->promised, &words->sent_promised) < 0)
        oracle_violate(oracle, "S1: %s has forgotten a PROMISE", name);
    if (ballot_compare(&seen->accepted_ballot, &words->sent_accepted) < 0)
        oracle_violate(oracle, "S1: %s has forgotten an ACCEPTED", name);
    if (seen->accepted->epoch < words->sent_grant_epoch)
        oracle_violate(oracle, "S3: %s has forgotten epoch %" PRIu64 ", under which it granted", name,
                       words->sent_grant_epoch);
}

void words_check_sentinel(struct oracle *oracle, unsigned number)
{
    const struct sim_process *process = oracle->appliance->sentinels[number];
    struct sentinel_words *words = &oracle->words.sentinels[number];
    struct sn_inspection seen;
    if (!sn_inspect_group(process->core, "main", &seen))
        return;
    check_promise(oracle, number, &seen);
    check_ballots(oracle, number, &seen);

    if (words->seen_life != process->life || words->epoch != seen.protected_epoch)
        words->granted_ns = INT64_MIN;
    words->seen_life = process->life;
    words->epoch = seen.protected_epoch;
    words->life = seen.protected_life;
    words->until_ns = seen.promise_until_ns;
    words->is_gone = seen.is_gone;
    words->accepted = seen.accepted_ballot;
}

void words_check_worker(struct oracle *oracle, unsigned number)
{
    const struct sim_process *process = oracle->appliance->workers[number];
    if (cw_inspect_fence(process->core) < oracle->words.sent_fence[number])
        oracle_violate(oracle, "S10: %s has forgotten its fence of epoch %" PRIu64, process->name,
                       oracle->words.sent_fence[number]);
}

void words_check_lease(struct oracle *oracle, unsigned number)
{
    const struct sim_process *process = oracle->appliance->workers[number];
    uint64_t epoch = cw_inspect_epoch(process->core);
    unsigned standing = 0;
    for (unsigned i = 0; i < SENTINELS; i++)
        standing += promise_stands(oracle, i) && oracle->words.sentinels[i].epoch == epoch &&
                    life_equal(&oracle->words.sentinels[i].life, cw_inspect_life(process->core));
    if (standing < SENTINELS / 2 + 1)
        oracle_violate(oracle, "S3: %s could answer under epoch %" PRIu64 " with %u standing promises", process->name,
                       epoch, standing);
}

void words_check_deposed(struct oracle *oracle, const struct topology *before, const struct topology *after)
{
    if (before->epoch == 0 || after->release.epoch + 1 == after->epoch || after->epoch != before->epoch + 1)
        return;
    unsigned standing = 0;
    for (unsigned i = 0; i < SENTINELS; i++)
        standing += promise_stands(oracle, i) && oracle->words.sentinels[i].epoch == before->epoch &&
                    clock_of(oracle, oracle->appliance->sentinels[i]) < oracle->words.sentinels[i].granted_ns;
    if (standing > SENTINELS / 2)
        oracle_violate(oracle, "L2: epoch %" PRIu64 " begins while %u sentinels stand by the master of %" PRIu64,
                       after->epoch, standing, before->epoch);
}

static void raise_to(struct ballot *mark, const struct ballot *ballot)
{
    if (ballot_compare(ballot, mark) > 0)
        *mark = *ballot;
}

static void remember_grant(struct sentinel_words *words, uint64_t epoch)
{
    if (epoch > words->sent_grant_epoch)
        words->sent_grant_epoch = epoch;
    if (epoch == words->epoch)
        words->granted_ns = words->until_ns;
}

static void remember(struct oracle *oracle, const struct sim_process *process, const struct message *message)
{
    const struct appliance *appliance = oracle->appliance;
    for (unsigned i = 0; i < SENTINELS; i++) {
        struct sentinel_words *words = &oracle->words.sentinels[i];
        if (appliance->sentinels[i] != process)
            continue;
        if (message->kind == MESSAGE_PROMISE)
            raise_to(&words->sent_promised, &message->promise.ballot);
        else if (message->kind == MESSAGE_ACCEPTED)
            raise_to(&words->sent_accepted, &message->prepare.ballot);
        else if (message->kind == MESSAGE_GRANT)
            remember_grant(words, message->grant.epoch);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        if (appliance->workers[i] == process && message->kind == MESSAGE_FENCED &&
            message->fenced.epoch > oracle->words.sent_fence[i])
            oracle->words.sent_fence[i] = message->fenced.epoch;
}

static bool holds_a_word(struct slice bytes)
{
    static const char *const kinds[] = {"\nPROMISE\r", "\nACCEPTED\r", "\nGRANT\r", "\nFENCED\r"};
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (memmem(bytes.data, bytes.length, kinds[i], strlen(kinds[i])) != NULL)
            return true;
    return false;
}

void words_sent(struct oracle *oracle, const struct sim_process *process, struct slice bytes)
{
    struct words *words = &oracle->words;
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    if (!holds_a_word(bytes))
        return;
    resp_request_reset(&words->request);
    while (bytes.length > 0) {
        int64_t used = resp_request_read(&words->request, bytes, &limits);
        if (used <= 0)
            return;
        if (message_decode(words->request.argv, words->request.argc, &words->message) == 0)
            remember(oracle, process, &words->message);
        bytes = slice_skip(bytes, (size_t)used);
    }
}
