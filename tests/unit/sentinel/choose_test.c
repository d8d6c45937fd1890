/* Truth tables of "enough", of the ranking, of the new in-sync set and of the cold start (QUORUM sections 3, 5, 6). */
#include "sentinel/core/choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Node 0 is the master of epoch 3, which began at offset 1000; 1 and 2 are in sync; 3 is a replica that is not; 4 is a
 * spare. All in their first life. */
enum { MASTER, FIRST, SECOND, OUTSIDE, SPARE };

static struct life life(unsigned node, uint64_t incarnation)
{
    return (struct life){.node = {{(uint8_t)(node + 1)}}, .incarnation = incarnation, .bits = incarnation};
}

static struct history on_branch(uint64_t offset)
{
    struct history history = {.count = 2, .entries = {{1, 0}, {3, 1000}}, .last_offset = offset};
    return history;
}

static struct topology group(enum durability durability, uint32_t k)
{
    struct topology topology = {.group = "main", .version = 9, .epoch = 3, .durability = durability};
    topology.acknowledgements = k;
    topology.master = life(MASTER, 1);
    topology.branch = on_branch(1000);
    topology.in_sync[topology.in_sync_count++] = life(FIRST, 1);
    topology.in_sync[topology.in_sync_count++] = life(SECOND, 1);
    for (unsigned i = MASTER; i <= SPARE; i++) {
        struct member *member = &topology.members[topology.member_count++];
        member->node = life(i, 1).node;
        member->priority = 100;
        member->kind = i == SPARE ? MEMBER_SPARE : MEMBER_REPLICA;
    }
    return topology;
}

static struct fenced word(unsigned node, uint64_t incarnation, uint64_t offset)
{
    return (struct fenced){.epoch = 4, .life = life(node, incarnation), .history = on_branch(offset)};
}

static void add(struct sn_answers *answers, unsigned node, uint64_t incarnation, uint64_t offset)
{
    struct fenced fenced = word(node, incarnation, offset);
    sn_answers_add(answers, &fenced, true);
}

static void add_release(struct sn_answers *answers, uint64_t offset, uint64_t acknowledged, bool counts)
{
    struct fenced fenced = word(MASTER, 1, offset);
    fenced.is_release = true;
    fenced.acknowledged_offset = acknowledged;
    sn_answers_add(answers, &fenced, counts);
}

/* Which of master, first, second, outside answered (bit by node), and whether in their listed lives. */
static bool is_enough(enum durability durability, uint32_t k, unsigned own_lives, unsigned new_lives)
{
    struct topology topology = group(durability, k);
    struct sn_answers answers = {0};
    for (unsigned i = MASTER; i <= OUTSIDE; i++) {
        if (own_lives & 1u << i)
            add(&answers, i, 1, 1500);
        else if (new_lives & 1u << i)
            add(&answers, i, 2, 1500);
    }
    return sn_answers_enough(&answers, &topology);
}

#define M (1u << MASTER)
#define F (1u << FIRST)
#define S (1u << SECOND)
#define O (1u << OUTSIDE)

static void enough_by_durability(void **state)
{
    (void)state;
    /* async: the master's own life, or any life of I. */
    for (unsigned own = 0; own < 16; own++)
        assert_int_equal(is_enough(DURABILITY_ASYNC, 1, own, 0), (own & (M | F | S)) != 0);
    /* sync, k = 1 of |I| = 2: the master's own life, or both. */
    for (unsigned own = 0; own < 16; own++)
        assert_int_equal(is_enough(DURABILITY_SYNC, 1, own, 0), (own & M) || (own & (F | S)) == (F | S));
    /* sync, k = 2, or more than there are: every acknowledged write is in each. */
    for (unsigned own = 0; own < 16; own++) {
        assert_int_equal(is_enough(DURABILITY_SYNC, 2, own, 0), (own & (M | F | S)) != 0);
        assert_int_equal(is_enough(DURABILITY_SYNC, 7, own, 0), (own & (M | F | S)) != 0);
    }
    /* Newer lives of these nodes count for nothing: what they held in memory is gone. */
    for (unsigned anew = 0; anew < 16; anew++) {
        assert_false(is_enough(DURABILITY_ASYNC, 1, 0, anew));
        assert_false(is_enough(DURABILITY_SYNC, 2, 0, anew));
    }
    /* sync-fsync: any life that read its whole log. */
    for (unsigned anew = 0; anew < 16; anew++)
        assert_int_equal(is_enough(DURABILITY_SYNC_FSYNC, 1, 0, anew), (anew & M) || (anew & (F | S)) == (F | S));
}

static void a_damaged_disk_is_not_a_log(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_SYNC_FSYNC, 2);
    struct sn_answers answers = {0};
    struct fenced fenced = word(FIRST, 2, 1500);
    fenced.damaged = true;
    sn_answers_add(&answers, &fenced, true);
    assert_false(sn_answers_enough(&answers, &topology));
    fenced.damaged = false;
    sn_answers_add(&answers, &fenced, true);
    assert_true(sn_answers_enough(&answers, &topology));
}

static void an_empty_in_sync_set_leaves_the_masters_life_only(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_ASYNC, 1);
    struct sn_answers answers = {0};
    topology.in_sync_count = 0;
    add(&answers, FIRST, 1, 5000);
    add(&answers, SECOND, 1, 5000);
    assert_false(sn_answers_enough(&answers, &topology));
    add(&answers, MASTER, 1, 10);
    assert_true(sn_answers_enough(&answers, &topology));
}

static void answers_that_do_not_count_are_not_enough(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_ASYNC, 1);
    struct sn_answers answers = {0};
    struct fenced fenced = word(MASTER, 1, 1500);
    sn_answers_add(&answers, &fenced, false);
    assert_false(sn_answers_enough(&answers, &topology));
    assert_null(sn_answers_best(&answers, &topology));
}

/* Whoever holds all that the released master acknowledged may be chosen, even if it was not in sync. */
static void a_release_names_what_is_enough(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_SYNC, 1);
    struct sn_answers answers = {0};
    add_release(&answers, 1500, 1400, false);
    add(&answers, OUTSIDE, 1, 1399);
    assert_false(sn_answers_enough(&answers, &topology));
    add(&answers, OUTSIDE, 1, 1400);
    assert_true(sn_answers_enough(&answers, &topology));

    struct sn_answers diverged = {0};
    add_release(&diverged, 1500, 1400, false);
    add(&diverged, OUTSIDE, 1, 1600); /* more than the master itself had: not its stream */
    assert_false(sn_answers_enough(&diverged, &topology));

    struct sn_answers anew = {0};
    struct fenced fenced = word(MASTER, 2, 1500);
    fenced.is_release = true; /* claimed by another life than the master's */
    sn_answers_add(&anew, &fenced, true);
    assert_null(sn_answers_release(&anew, &topology));
}

static const struct sn_answer *best_of(struct sn_answers *answers)
{
    static struct topology topology;
    topology = group(DURABILITY_ASYNC, 1);
    topology.members[SECOND].priority = 50;
    topology.members[OUTSIDE].priority = 0; /* never */
    return sn_answers_best(answers, &topology);
}

static void the_best_history_wins(void **state)
{
    (void)state;
    struct sn_answers answers = {0};
    add(&answers, MASTER, 1, 1500);
    add(&answers, FIRST, 1, 1501);
    assert_true(life_equal(&best_of(&answers)->fenced.life, &(struct life){{{FIRST + 1}}, 1, 1}));
}

static void then_the_present_master_then_priority_then_id(void **state)
{
    (void)state;
    struct sn_answers answers = {0};
    add(&answers, OUTSIDE, 1, 1500);
    assert_null(best_of(&answers)); /* priority 0 */
    add(&answers, SPARE, 1, 1500);
    assert_int_equal(best_of(&answers)->fenced.life.node.bytes[0], SPARE + 1); /* better than nobody */
    add(&answers, FIRST, 1, 1500);
    assert_int_equal(best_of(&answers)->fenced.life.node.bytes[0], FIRST + 1);
    add(&answers, SECOND, 1, 1500);
    assert_int_equal(best_of(&answers)->fenced.life.node.bytes[0], SECOND + 1); /* priority */
    add(&answers, MASTER, 2, 1500);
    assert_int_equal(best_of(&answers)->fenced.life.node.bytes[0], SECOND + 1); /* another life is not the master */
    add(&answers, MASTER, 1, 1500);
    assert_int_equal(best_of(&answers)->fenced.life.node.bytes[0], MASTER + 1);
    add(&answers, SPARE, 1, 9000);
    assert_int_equal(best_of(&answers)->fenced.life.node.bytes[0], SPARE + 1); /* nothing is better than the data */
}

static void ids_decide_between_equals(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_ASYNC, 1);
    struct sn_answers answers = {0};
    add(&answers, SECOND, 1, 1500);
    add(&answers, FIRST, 1, 1500);
    assert_int_equal(sn_answers_best(&answers, &topology)->fenced.life.node.bytes[0], FIRST + 1);
}

static void only_the_branch_can_be_continued(void **state)
{
    struct topology topology = group(DURABILITY_ASYNC, 1);
    struct fenced fenced = word(FIRST, 1, 0);
    const struct {
        struct history history;
        bool may;
    } rows[] = {
        {{.count = 0}, true},                                                       /* nothing: a prefix of all */
        {{.count = 1, .entries = {{1, 0}}, .last_offset = 900}, true},              /* before the branch */
        {{.count = 1, .entries = {{1, 0}}, .last_offset = 1000}, true},             /* where it begins */
        {{.count = 1, .entries = {{1, 0}}, .last_offset = 1001}, false},            /* beyond it, in an old epoch */
        {{.count = 2, .entries = {{1, 0}, {3, 1000}}, .last_offset = 1000}, true},  /* the branch */
        {{.count = 2, .entries = {{1, 0}, {3, 1000}}, .last_offset = 99999}, true}, /* and more */
        {{.count = 2, .entries = {{1, 0}, {3, 999}}, .last_offset = 2000}, false},  /* another beginning */
        {{.count = 2, .entries = {{1, 0}, {2, 1000}}, .last_offset = 2000}, false}, /* another epoch */
        {{.count = 3, .entries = {{1, 0}, {3, 1000}, {4, 1500}}, .last_offset = 1500}, false}, /* a later one */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct sn_answers answers = {0};
        fenced.history = rows[i].history;
        sn_answers_add(&answers, &fenced, true);
        assert_int_equal(sn_answers_best(&answers, &topology) != NULL, rows[i].may);
    }
}

static void complete_means_everybody_who_could_matter(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_SYNC, 1);
    struct sn_answers answers = {0};
    add(&answers, FIRST, 2, 1500);
    add(&answers, SECOND, 2, 1500);
    assert_false(sn_answers_complete(&answers, &topology));
    struct fenced unheard = word(MASTER, 2, 0);
    sn_answers_add(&answers, &unheard, false);
    assert_false(sn_answers_complete(&answers, &topology));
    add(&answers, MASTER, 2, 0);
    assert_true(sn_answers_complete(&answers, &topology));

    topology.epoch = 0; /* then all members, spares too */
    assert_false(sn_answers_complete(&answers, &topology));
    add(&answers, OUTSIDE, 1, 0);
    assert_false(sn_answers_complete(&answers, &topology));
    add(&answers, SPARE, 1, 0);
    assert_true(sn_answers_complete(&answers, &topology));
    assert_false(sn_answers_enough(&answers, &topology)); /* epoch 0 has no other way */
}

static void a_spare_that_is_chosen_is_one_no_more(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_ASYNC, 1);
    struct sn_answers answers = {0};
    struct topology next;
    add(&answers, SPARE, 1, 1500);
    sn_answers_successor(&answers, &topology, sn_answers_best(&answers, &topology), &next);
    assert_int_equal(next.master.node.bytes[0], SPARE + 1);
    for (unsigned i = MASTER; i <= SPARE; i++)
        assert_int_equal(next.members[i].kind, MEMBER_REPLICA);
}

static void data_are_seen_in_any_answer(void **state)
{
    (void)state;
    struct sn_answers answers = {0};
    struct fenced fenced = {.epoch = 4, .life = life(FIRST, 1)};
    assert_false(sn_answers_any_data(&answers));
    sn_answers_add(&answers, &fenced, true);
    assert_false(sn_answers_any_data(&answers));
    fenced = word(OUTSIDE, 1, 1500); /* may not become master, and counts for nothing: it holds data all the same */
    sn_answers_add(&answers, &fenced, false);
    assert_true(sn_answers_any_data(&answers));
}

static void data_of_another_branch_are_better_than_none(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_ASYNC, 1);
    struct sn_answers answers = {0};
    struct fenced fenced = {.epoch = 4, .life = life(FIRST, 2)}; /* empty */
    sn_answers_add(&answers, &fenced, true);
    assert_null(sn_answers_salvage(&answers, &topology));
    fenced = word(SECOND, 1, 0);
    fenced.history = (struct history){.count = 1, .entries = {{1, 0}}, .last_offset = 1200}; /* behind the fork */
    sn_answers_add(&answers, &fenced, true);
    assert_int_equal(best_of(&answers)->fenced.life.node.bytes[0], FIRST + 1);
    assert_int_equal(sn_answers_salvage(&answers, &topology)->fenced.life.node.bytes[0], SECOND + 1);

    fenced.life = life(MASTER, 2);
    fenced.history = (struct history){.count = 1, .entries = {{7, 0}}, .last_offset = 9000}; /* another register's */
    sn_answers_add(&answers, &fenced, true);
    assert_int_equal(sn_answers_salvage(&answers, &topology)->fenced.life.node.bytes[0], SECOND + 1);
    answers.items[1].counts = false;
    assert_null(sn_answers_salvage(&answers, &topology));
}

static void all_empty_means_all(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_ASYNC, 1);
    struct sn_answers answers = {0};
    struct fenced fenced = {.epoch = 4};
    for (unsigned i = MASTER; i <= SPARE; i++) {
        assert_false(sn_answers_all_empty(&answers, &topology));
        fenced.life = life(i, 1);
        sn_answers_add(&answers, &fenced, true);
    }
    assert_true(sn_answers_all_empty(&answers, &topology));
    add(&answers, FIRST, 1, 1500);
    assert_false(sn_answers_all_empty(&answers, &topology));
}

static struct topology successor(const struct sn_answers *answers, const struct topology *topology)
{
    struct topology next;
    const struct sn_answer *winner = sn_answers_best(answers, topology);
    assert_non_null(winner);
    sn_answers_successor(answers, topology, winner, &next);
    assert_int_equal(next.version, topology->version + 1);
    assert_int_equal(next.epoch, topology->epoch + 1);
    assert_int_equal(history_epoch(&next.branch), next.epoch);
    assert_int_equal(next.branch.entries[next.branch.count - 1].first_offset, winner->fenced.history.last_offset);
    assert_false(topology_in_sync(&next, &next.master));
    return next;
}

static void the_new_in_sync_set(void **state)
{
    (void)state;
    struct sn_answers answers = {0};
    add(&answers, FIRST, 1, 1500);
    add(&answers, SECOND, 1, 1400);
    add(&answers, OUTSIDE, 1, 1500);
    add(&answers, SPARE, 1, 1500);

    struct topology sync = group(DURABILITY_SYNC, 1);
    struct topology next = successor(&answers, &sync);
    assert_true(life_equal(&next.master, &(struct life){{{FIRST + 1}}, 1, 1}));
    assert_int_equal(next.in_sync_count, 1); /* exactly what the winner has; never a spare */
    assert_int_equal(next.in_sync[0].node.bytes[0], OUTSIDE + 1);
    assert_int_equal(next.release.epoch, 0);

    struct topology async = group(DURABILITY_ASYNC, 1);
    next = successor(&answers, &async);
    assert_int_equal(next.in_sync_count, 2); /* also who was in sync and is on the winner's way */
    assert_true(topology_in_sync(&next, &async.in_sync[1]));

    add(&answers, SECOND, 2, 1400); /* lives are listed, not nodes */
    next = successor(&answers, &async);
    assert_int_equal(next.in_sync_count, 1);
}

static void a_release_widens_the_new_in_sync_set(void **state)
{
    (void)state;
    struct topology topology = group(DURABILITY_SYNC, 1);
    struct sn_answers answers = {0};
    add_release(&answers, 1500, 1400, true);
    add(&answers, FIRST, 1, 1400);
    add(&answers, SECOND, 1, 1399);
    struct topology next = successor(&answers, &topology);
    assert_true(life_equal(&next.master, &topology.master)); /* chosen again */
    assert_int_equal(next.release.epoch, 3);
    assert_int_equal(next.release.acknowledged_offset, 1400);
    assert_int_equal(next.in_sync_count, 1);
    assert_int_equal(next.in_sync[0].node.bytes[0], FIRST + 1);
}

static void a_second_answer_replaces_the_first(void **state)
{
    (void)state;
    struct sn_answers answers = {0};
    add(&answers, FIRST, 1, 10);
    add(&answers, FIRST, 2, 20);
    assert_int_equal(answers.count, 1);
    assert_int_equal(sn_answers_of(&answers, &(struct identity){{FIRST + 1}})->fenced.life.incarnation, 2);
    for (unsigned i = 0; i < 40; i++)
        add(&answers, i, 1, 0);
    assert_int_equal(answers.count, TOPOLOGY_MEMBERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_by_durability),
        cmocka_unit_test(a_damaged_disk_is_not_a_log),
        cmocka_unit_test(an_empty_in_sync_set_leaves_the_masters_life_only),
        cmocka_unit_test(answers_that_do_not_count_are_not_enough),
        cmocka_unit_test(a_release_names_what_is_enough),
        cmocka_unit_test(the_best_history_wins),
        cmocka_unit_test(then_the_present_master_then_priority_then_id),
        cmocka_unit_test(ids_decide_between_equals),
        cmocka_unit_test(only_the_branch_can_be_continued),
        cmocka_unit_test(complete_means_everybody_who_could_matter),
        cmocka_unit_test(a_spare_that_is_chosen_is_one_no_more),
        cmocka_unit_test(data_are_seen_in_any_answer),
        cmocka_unit_test(data_of_another_branch_are_better_than_none),
        cmocka_unit_test(all_empty_means_all),
        cmocka_unit_test(the_new_in_sync_set),
        cmocka_unit_test(a_release_widens_the_new_in_sync_set),
        cmocka_unit_test(a_second_answer_replaces_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
