/* Which value a round goes on with, and what majorities are (QUORUM section 1). */
#include "sentinel/core/values.h"
#include "sentinel/core/votes.h"

#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct identity id(unsigned sentinel)
{
    return (struct identity){{(uint8_t)(sentinel + 1)}};
}

static struct topology value(uint64_t version, uint64_t epoch, unsigned sentinels)
{
    struct topology topology = {.group = "main", .version = version, .epoch = epoch};
    for (unsigned i = 0; i < sentinels; i++)
        topology.sentinels.entries[topology.sentinels.count++].sentinel = id(i);
    return topology;
}

/* A promise of that sentinel, who accepted `accepted` at that counter; 0: nothing. */
static struct promise *promise(struct sn_votes *votes, unsigned sentinel, uint64_t counter,
                               const struct topology *accepted)
{
    struct identity sender = id(sentinel);
    struct sn_vote *vote = sn_votes_of(votes, &sender);
    vote->promise = mem_zero(sizeof(*vote->promise));
    vote->promise->accepted.counter = counter;
    if (accepted) {
        vote->promise->has_value = true;
        vote->promise->value = *accepted;
    }
    return vote->promise;
}

static void say_dead(struct promise *promise, uint64_t epoch)
{
    promise->master_dead = true;
    promise->learned_epoch = epoch;
}

static void the_highest_ballot_is_taken(void **state)
{
    (void)state;
    struct sn_votes votes = {0};
    struct topology nothing = {.version = 0}, old = value(4, 1, 3), new = value(5, 1, 3);
    assert_null(sn_votes_take(&votes, &nothing));
    promise(&votes, 0, 0, NULL);
    assert_null(sn_votes_take(&votes, &nothing));
    promise(&votes, 1, 7, &old);
    assert_int_equal(sn_votes_take(&votes, &nothing)->version, 4);
    promise(&votes, 2, 9, &new);
    assert_int_equal(sn_votes_take(&votes, &old)->version, 5);
    sn_votes_clear(&votes);
}

/* Only one of three accepted epoch 2, and no majority says dead: it cannot have been committed, and is left aside. */
static void an_uncommitted_newer_epoch_is_left_aside(void **state)
{
    (void)state;
    struct topology learned = value(4, 1, 3), newer = value(5, 2, 3);
    for (unsigned dead = 0; dead <= 3; dead++) {
        struct sn_votes votes = {0};
        struct promise *all[3] = {promise(&votes, 0, 9, &newer), promise(&votes, 1, 7, &learned),
                                  promise(&votes, 2, 7, &learned)};
        for (unsigned i = 0; i < dead; i++)
            say_dead(all[i], 1);
        assert_int_equal(sn_votes_take(&votes, &learned)->epoch, dead < 2 ? 1 : 2);
        sn_votes_clear(&votes);
    }
}

static void what_may_have_been_committed_is_never_left_aside(void **state)
{
    (void)state;
    struct topology learned = value(4, 1, 3), newer = value(5, 2, 3), nothing = {.version = 0};
    struct sn_votes votes = {0};
    promise(&votes, 0, 9, &newer);
    promise(&votes, 1, 7, &learned); /* the third may have accepted it, and did not answer */
    assert_int_equal(sn_votes_take(&votes, &learned)->epoch, 2);
    promise(&votes, 2, 9, &newer); /* two of three did */
    assert_int_equal(sn_votes_take(&votes, &learned)->epoch, 2);
    assert_int_equal(sn_votes_take(&votes, &nothing)->epoch, 2); /* who learned nothing knows no newer epoch */
    sn_votes_clear(&votes);
}

static void a_newer_version_of_the_epoch_is_taken(void **state)
{
    (void)state;
    struct topology learned = value(4, 1, 3), newer = value(5, 1, 3);
    struct sn_votes votes = {0};
    promise(&votes, 0, 9, &newer);
    promise(&votes, 1, 7, &learned);
    promise(&votes, 2, 7, &learned);
    assert_int_equal(sn_votes_take(&votes, &learned)->version, 5);
    sn_votes_clear(&votes);
}

static void several_epochs_are_left_aside_one_by_one(void **state)
{
    (void)state;
    struct topology learned = value(4, 1, 5), second = value(5, 2, 5), third = value(5, 2, 5);
    struct sn_votes votes = {0};
    memcpy(third.reason, "other", 6);
    promise(&votes, 0, 11, &third);
    promise(&votes, 1, 9, &second);
    promise(&votes, 2, 7, &learned);
    promise(&votes, 3, 7, &learned);
    promise(&votes, 4, 7, &learned);
    assert_int_equal(sn_votes_take(&votes, &learned)->epoch, 1);
    sn_votes_clear(&votes);
}

static void dead_is_said_of_the_epoch_that_was_learned(void **state)
{
    (void)state;
    struct topology learned = value(4, 2, 3);
    struct sn_votes votes = {0};
    say_dead(promise(&votes, 0, 7, &learned), 2);
    assert_false(sn_votes_say_dead(&votes, &learned));
    struct promise *lagging = promise(&votes, 1, 7, &learned);
    say_dead(lagging, 1); /* it has not learned epoch 2: it speaks of another master */
    assert_false(sn_votes_say_dead(&votes, &learned));
    say_dead(lagging, 2);
    assert_true(sn_votes_say_dead(&votes, &learned));
    sn_votes_clear(&votes);
}

static void only_listed_sentinels_count_and_each_once(void **state)
{
    (void)state;
    struct topology list = value(4, 1, 3);
    struct sn_votes votes = {0};
    promise(&votes, 0, 0, NULL);
    promise(&votes, 7, 0, NULL); /* whom no list names */
    promise(&votes, 8, 0, NULL);
    assert_false(sn_votes_promised(&votes, &list));
    struct identity first = id(0);
    assert_int_equal(sn_votes_of(&votes, &first)->promise != NULL, 1);
    assert_int_equal(votes.count, 3);
    promise(&votes, 2, 0, NULL);
    assert_true(sn_votes_promised(&votes, &list));
    assert_false(sn_votes_promised_all(&votes, &list));
    promise(&votes, 1, 0, NULL);
    assert_true(sn_votes_promised_all(&votes, &list));
    sn_votes_clear(&votes);
}

static void under_two_lists_a_majority_is_one_of_each(void **state)
{
    (void)state;
    struct topology list = value(4, 1, 3);
    struct sn_votes votes = {0};
    for (unsigned i = 2; i < 5; i++)
        list.previous_sentinels.entries[list.previous_sentinels.count++].sentinel = id(i);
    promise(&votes, 0, 0, NULL);
    promise(&votes, 1, 0, NULL);
    assert_false(sn_votes_promised(&votes, &list));
    promise(&votes, 3, 0, NULL);
    assert_false(sn_votes_promised(&votes, &list));
    promise(&votes, 4, 0, NULL);
    assert_true(sn_votes_promised(&votes, &list));
    sn_votes_clear(&votes);
}

static void an_own_vote_counts_when_it_is_durable(void **state)
{
    (void)state;
    struct topology list = value(4, 1, 1);
    struct sn_votes votes = {.durable = 4};
    struct identity own = id(0);
    promise(&votes, 0, 0, NULL);
    sn_votes_of(&votes, &own)->sequence = 5;
    sn_votes_of(&votes, &own)->has_accepted = true;
    assert_false(sn_votes_promised(&votes, &list));
    assert_false(sn_votes_accepted(&votes, &list));
    votes.durable = 5;
    assert_true(sn_votes_promised(&votes, &list));
    assert_true(sn_votes_accepted(&votes, &list));
    sn_votes_clear(&votes);
}

static void refusals_may_leave_no_majority(void **state)
{
    (void)state;
    struct topology list = value(4, 1, 3);
    struct sn_votes votes = {0};
    struct identity first = id(0), second = id(1);
    assert_true(sn_votes_can_accept(&votes, &list));
    sn_votes_of(&votes, &first)->has_refused = true;
    assert_true(sn_votes_can_accept(&votes, &list));
    sn_votes_of(&votes, &second)->has_refused = true;
    assert_false(sn_votes_can_accept(&votes, &list));
    sn_votes_clear(&votes);
}

static void heard_means_by_a_majority_and_lately(void **state)
{
    (void)state;
    struct topology list = value(4, 1, 3);
    struct identity node = {{99}};
    struct sn_votes votes = {0};
    for (unsigned i = 0; i < 2; i++) {
        struct promise *p = promise(&votes, i, 0, NULL);
        p->view_count = 1;
        p->views[0].status.life.node = node;
        p->views[0].age_ms = 2000;
    }
    assert_true(sn_votes_heard(&votes, &list, &node));
    votes.items[1].promise->views[0].age_ms = 2001;
    assert_false(sn_votes_heard(&votes, &list, &node));
    assert_true(sn_votes_any_heard(&votes, &node));
    votes.items[0].promise->views[0].age_ms = 2001;
    assert_false(sn_votes_any_heard(&votes, &node));
    sn_votes_clear(&votes);
}

static void too_many_voters_are_dropped(void **state)
{
    (void)state;
    struct sn_votes votes = {0};
    for (unsigned i = 0; i < SN_VOTES_MAX; i++) {
        struct identity sender = id(i);
        assert_non_null(sn_votes_of(&votes, &sender));
    }
    struct identity one_more = id(SN_VOTES_MAX);
    assert_null(sn_votes_of(&votes, &one_more));
    sn_votes_clear(&votes);
}

static void values_are_compared_whole(void **state)
{
    (void)state;
    struct topology a = value(4, 1, 3), b = a;
    assert_true(sn_values_equal(&a, &b));
    memcpy(b.reason, "x", 2);
    assert_false(sn_values_equal(&a, &b));
    b = a;
    b.in_sync[b.in_sync_count++] = (struct life){{{1}}, 1, 1};
    assert_false(sn_values_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_ballot_is_taken),
        cmocka_unit_test(an_uncommitted_newer_epoch_is_left_aside),
        cmocka_unit_test(what_may_have_been_committed_is_never_left_aside),
        cmocka_unit_test(a_newer_version_of_the_epoch_is_taken),
        cmocka_unit_test(several_epochs_are_left_aside_one_by_one),
        cmocka_unit_test(dead_is_said_of_the_epoch_that_was_learned),
        cmocka_unit_test(only_listed_sentinels_count_and_each_once),
        cmocka_unit_test(under_two_lists_a_majority_is_one_of_each),
        cmocka_unit_test(an_own_vote_counts_when_it_is_durable),
        cmocka_unit_test(refusals_may_leave_no_majority),
        cmocka_unit_test(heard_means_by_a_majority_and_lately),
        cmocka_unit_test(too_many_voters_are_dropped),
        cmocka_unit_test(values_are_compared_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
