/* The acceptor, the promise that goes with a grant, and what makes a sentinel unsettled. */
#include "sentinel/core/acceptor.h"
#include "sentinel/core/node.h"
#include "sentinel/core/settled.h"
#include "sentinel/core/why.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND NS_PER_S

static struct ballot ballot(uint64_t counter, uint8_t sentinel, uint64_t run)
{
    return (struct ballot){.counter = counter, .sentinel = {{sentinel}}, .run = run};
}

static struct life life(uint8_t node, uint64_t incarnation)
{
    return (struct life){.node = {{node}}, .incarnation = incarnation, .bits = incarnation * 7};
}

static struct topology value(uint64_t version, uint64_t epoch)
{
    return (struct topology){.group = "main", .version = version, .epoch = epoch};
}

static void only_a_higher_ballot_is_promised(void **state)
{
    (void)state;
    struct sn_acceptor acceptor = {0};
    struct ballot b = ballot(5, 2, 1);
    assert_true(sn_acceptor_promise(&acceptor, &b));
    assert_false(sn_acceptor_promise(&acceptor, &b));
    b = ballot(5, 1, 9);
    assert_false(sn_acceptor_promise(&acceptor, &b));
    b = ballot(4, 9, 9);
    assert_false(sn_acceptor_promise(&acceptor, &b));
    b = ballot(5, 2, 2); /* the same sentinel after a restart */
    assert_true(sn_acceptor_promise(&acceptor, &b));
    b = ballot(5, 3, 1);
    assert_true(sn_acceptor_promise(&acceptor, &b));
}

static void the_promised_ballot_never_goes_down(void **state)
{
    (void)state;
    struct sn_acceptor acceptor = {0};
    struct sn_protection nobody = {0};
    struct rand rand;
    rand_seed(&rand, 1);
    for (int i = 0; i < 20000; i++) {
        struct sn_acceptor before = acceptor;
        struct ballot b = ballot(rand_below(&rand, 50) + (uint64_t)i / 500, (uint8_t)rand_below(&rand, 4), 1);
        struct topology v = value(1 + rand_below(&rand, 3), rand_below(&rand, 3));
        switch (rand_below(&rand, 3)) {
        case 0: assert_int_equal(sn_acceptor_promise(&acceptor, &b), ballot_compare(&b, &before.promised) > 0); break;
        case 1:
            assert_int_equal(sn_acceptor_accept(&acceptor, &nobody, &b, &v, 0) == SN_ACCEPTED,
                             ballot_compare(&b, &before.promised) >= 0);
            break;
        case 2: assert_int_equal(sn_acceptor_learn(&acceptor, &b, &v), ballot_compare(&b, &before.accepted) > 0); break;
        }
        assert_true(ballot_compare(&acceptor.promised, &before.promised) >= 0);
        assert_true(ballot_compare(&acceptor.accepted, &before.accepted) >= 0);
        assert_true(ballot_compare(&acceptor.promised, &acceptor.accepted) >= 0);
    }
}

static void an_accepted_ballot_becomes_the_promised_one(void **state)
{
    (void)state;
    struct sn_acceptor acceptor = {0};
    struct sn_protection nobody = {0};
    struct ballot b = ballot(7, 1, 1), lower = ballot(6, 1, 1);
    struct topology v = value(3, 1);
    assert_int_equal(sn_acceptor_accept(&acceptor, &nobody, &b, &v, 0), SN_ACCEPTED);
    assert_int_equal(acceptor.value.version, 3);
    assert_int_equal(sn_acceptor_accept(&acceptor, &nobody, &lower, &v, 0), SN_REFUSED_BALLOT);
    assert_int_equal(sn_acceptor_accept(&acceptor, &nobody, &b, &v, 0), SN_ACCEPTED); /* the same again */
    assert_false(sn_acceptor_promise(&acceptor, &lower));
}

/* Every line of QUORUM section 2 on what may be accepted while a promise stands. */
static void the_lease_decides_about_higher_epochs_only(void **state)
{
    static const struct {
        uint64_t protected_epoch;
        bool is_gone;
        int64_t now_ns;
        uint64_t epoch, release_epoch;
        enum sn_verdict verdict;
    } rows[] = {
        {3, false, 4 * SECOND, 3, 0, SN_ACCEPTED},          /* the protected epoch */
        {3, false, 4 * SECOND, 2, 0, SN_ACCEPTED},          /* a lower one */
        {3, false, 4 * SECOND, 4, 0, SN_REFUSED_LEASE},     /* a higher one */
        {3, false, 5 * SECOND - 1, 4, 0, SN_REFUSED_LEASE}, /* until the very end */
        {3, false, 5 * SECOND, 4, 0, SN_ACCEPTED},          /* the promise has run out */
        {3, true, 0, 4, 0, SN_ACCEPTED},                    /* the life is gone */
        {3, false, 0, 4, 3, SN_ACCEPTED},                   /* the epoch before it was released */
        {3, false, 0, 5, 4, SN_ACCEPTED},                   /* also where it is not the protected one */
        {3, false, 0, 5, 3, SN_REFUSED_LEASE},              /* but not an earlier one */
        {3, false, 0, 4, 2, SN_REFUSED_LEASE},
        {0, false, 0, 1, 0, SN_ACCEPTED}, /* epoch 0 has nobody to protect */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct sn_acceptor acceptor = {0};
        struct sn_protection protection = {0};
        struct ballot b = ballot(1, 1, 1);
        struct topology v = value(9, rows[i].epoch);
        struct life master = life(1, 1);
        sn_protection_begin(&protection, rows[i].protected_epoch, &master, 0);
        protection.is_gone = rows[i].is_gone;
        v.release.epoch = rows[i].release_epoch;
        assert_int_equal(sn_acceptor_accept(&acceptor, &protection, &b, &v, rows[i].now_ns), rows[i].verdict);
        assert_int_equal(acceptor.value.version, rows[i].verdict == SN_ACCEPTED ? 9 : 0);
        assert_int_equal(acceptor.promised.counter, rows[i].verdict == SN_ACCEPTED ? 1 : 0);
    }
}

static void a_promise_only_grows(void **state)
{
    (void)state;
    struct sn_protection protection = {0};
    struct life master = life(1, 1), next = life(2, 1);
    assert_true(sn_protection_has_ended(&protection, 0));
    sn_protection_begin(&protection, 1, &master, 10 * SECOND);
    assert_int_equal(protection.until_ns, 15 * SECOND);
    sn_protection_begin(&protection, 1, &master, 9 * SECOND);
    assert_int_equal(protection.until_ns, 15 * SECOND);
    sn_protection_begin(&protection, 1, &master, 12 * SECOND);
    assert_int_equal(protection.until_ns, 17 * SECOND);
    protection.is_gone = true;
    sn_protection_begin(&protection, 2, &next, 13 * SECOND);
    assert_int_equal(protection.until_ns, 18 * SECOND);
    assert_false(protection.is_gone);
    assert_false(sn_protection_has_ended(&protection, 18 * SECOND - 1));
    assert_true(sn_protection_has_ended(&protection, 18 * SECOND));
    sn_protection_begin(&protection, 0, &(struct life){{{0}}, 0, 0}, 13 * SECOND);
    assert_true(sn_protection_has_ended(&protection, 13 * SECOND));
}

static void a_late_loop_renews_what_still_stood(void **state)
{
    (void)state;
    struct sn_protection protection = {0};
    struct life master = life(1, 1);
    sn_protection_begin(&protection, 1, &master, 0);
    sn_protection_renew_late(&protection, 2 * SECOND, 20 * SECOND); /* it stood when the loop was last alive */
    assert_int_equal(protection.until_ns, 25 * SECOND);
    sn_protection_renew_late(&protection, 25 * SECOND, 40 * SECOND); /* it had ended before */
    assert_int_equal(protection.until_ns, 25 * SECOND);
}

static void only_learning_as_high_settles(void **state)
{
    (void)state;
    struct sn_settled settled = {.due_ns = 0};
    struct ballot low = ballot(1, 1, 1), middle = ballot(2, 1, 1), high = ballot(3, 1, 1);
    assert_true(sn_settled_is(&settled) && sn_settled_may_grant(&settled));
    sn_settled_await(&settled, &middle, true, 5);
    sn_settled_await(&settled, &low, true, 6);
    assert_int_equal(settled.due_ns, 6);
    sn_settled_learn(&settled, &low);
    assert_false(sn_settled_is(&settled) || sn_settled_may_grant(&settled));
    sn_settled_await(&settled, &high, false, 7); /* a value of the learned epoch forbids no grant by itself */
    sn_settled_learn(&settled, &middle);
    assert_false(sn_settled_is(&settled));
    assert_true(sn_settled_may_grant(&settled));
    sn_settled_learn(&settled, &high);
    assert_true(sn_settled_is(&settled));
}

static void a_poll_is_answered_once_and_in_time(void **state)
{
    (void)state;
    struct sn_node node = {.last_k = 0};
    uint64_t first = sn_node_begin_poll(&node, 0);
    uint64_t second = sn_node_begin_poll(&node, SECOND / 2);
    assert_int_equal(second, first + 1);
    assert_false(sn_node_end_poll(&node, 0, 0));
    assert_false(sn_node_end_poll(&node, second + 1, 0));
    assert_true(sn_node_end_poll(&node, first, SECOND)); /* exactly 1 s old is still valid */
    assert_false(sn_node_end_poll(&node, first, SECOND));
    assert_false(sn_node_end_poll(&node, second, 2 * SECOND));
    uint64_t old = sn_node_begin_poll(&node, 2 * SECOND);
    for (int i = 0; i < SN_POLLS_KEPT; i++)
        (void)sn_node_begin_poll(&node, 2 * SECOND);
    assert_false(sn_node_end_poll(&node, old, 2 * SECOND)); /* forgotten, not mistaken for another */
}

static void an_older_or_other_life_is_refused(void **state)
{
    (void)state;
    struct sn_node node = {.id = {{1}}, .newest = {.node = {{1}}}};
    struct life first = life(1, 4), same = first, set_back = life(1, 4), older = life(1, 3), newer = life(1, 5),
                other = life(2, 9);
    set_back.bits ^= 1;
    assert_true(sn_node_meet_life(&node, &first));
    assert_true(sn_node_meet_life(&node, &same));
    assert_false(sn_node_meet_life(&node, &set_back));
    assert_false(sn_node_meet_life(&node, &older));
    assert_false(sn_node_meet_life(&node, &other));
    assert_true(sn_node_meet_life(&node, &newer));
    assert_false(sn_node_meet_life(&node, &first));
}

static void the_ring_of_reasons_keeps_the_last_and_counts_repeats(void **state)
{
    static struct sn_why why;
    char text[32];
    (void)state;
    for (int i = 0; i < SN_WHY_MAX + 10; i++) {
        snprintf(text, sizeof(text), "reason %d", i);
        assert_true(sn_why_note(&why, i, 1, 1, text));
    }
    assert_int_equal(sn_why_kept(&why), SN_WHY_MAX);
    assert_string_equal(sn_why_at(&why, 0)->text, "reason 10");
    assert_false(sn_why_note(&why, 999, 1, 1, "reason 136"));
    assert_int_equal(sn_why_at(&why, SN_WHY_MAX - 2)->times, 2);
    assert_int_equal(sn_why_at(&why, SN_WHY_MAX - 2)->last_us, 999);
    assert_true(sn_why_note(&why, 999, 2, 1, "reason 136")); /* of another version it is another reason */
    char big[2 * SN_WHY_TEXT_MAX];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    assert_true(sn_why_note(&why, 1, 1, 1, big));
    assert_int_equal(strlen(sn_why_at(&why, SN_WHY_MAX - 1)->text), SN_WHY_TEXT_MAX - 1);
    assert_false(sn_why_note(&why, 2, 1, 1, big));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_higher_ballot_is_promised),
        cmocka_unit_test(the_promised_ballot_never_goes_down),
        cmocka_unit_test(an_accepted_ballot_becomes_the_promised_one),
        cmocka_unit_test(the_lease_decides_about_higher_epochs_only),
        cmocka_unit_test(a_promise_only_grows),
        cmocka_unit_test(a_late_loop_renews_what_still_stood),
        cmocka_unit_test(only_learning_as_high_settles),
        cmocka_unit_test(a_poll_is_answered_once_and_in_time),
        cmocka_unit_test(an_older_or_other_life_is_refused),
        cmocka_unit_test(the_ring_of_reasons_keeps_the_last_and_counts_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
