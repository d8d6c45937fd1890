#include "cacheworker/ha/assignment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct identity node(uint8_t number)
{
    return (struct identity){.bytes = {number}};
}

static struct life life(uint8_t number, uint64_t incarnation)
{
    return (struct life){.node = node(number), .incarnation = incarnation, .bits = incarnation * 1000};
}

/* Nodes 1 and 2 are replicas, 3 is a spare; 1 is the master in its life 5. */
static struct topology topology(uint64_t version, uint64_t epoch)
{
    struct topology value = {.group = "main", .version = version, .epoch = epoch, .member_count = 3};
    for (uint8_t i = 0; i < 3; i++)
        value.members[i] =
            (struct member){.node = node((uint8_t)(i + 1)), .kind = i == 2 ? MEMBER_SPARE : MEMBER_REPLICA};
    if (epoch > 0)
        value.master = life(1, 5);
    return value;
}

static void roles_by_life_and_node(void **state)
{
    (void)state;
    static const struct {
        uint64_t epoch;
        uint8_t node;
        uint64_t incarnation;
        enum node_role role;
    } rows[] = {
        {1, 1, 5, ROLE_MASTER},    {1, 1, 6, ROLE_UNADOPTED}, {1, 1, 4, ROLE_UNADOPTED}, {1, 2, 1, ROLE_REPLICA},
        {1, 2, 9, ROLE_REPLICA},   {1, 3, 1, ROLE_SPARE},     {1, 4, 1, ROLE_UNADOPTED}, {0, 1, 5, ROLE_UNADOPTED},
        {0, 2, 1, ROLE_UNADOPTED}, {0, 3, 1, ROLE_UNADOPTED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct topology value = topology(1, rows[i].epoch);
        struct life who = life(rows[i].node, rows[i].incarnation);
        assert_int_equal(cw_assigned_role(&value, &who), rows[i].role);
    }
    struct topology value = topology(1, 1);
    struct life same_counter = life(1, 5);
    same_counter.bits++; /* a restored disk */
    assert_int_equal(cw_assigned_role(&value, &same_counter), ROLE_UNADOPTED);
}

static void learning_goes_by_version_fence_and_group(void **state)
{
    (void)state;
    static const struct {
        uint64_t version, fence, role_epoch; /* of the node */
        enum node_role role;
        const char *group;
        uint64_t new_version, new_epoch;
        uint8_t node;
        enum cw_learning learning;
    } rows[] = {
        {0, 0, 0, ROLE_UNADOPTED, "main", 1, 1, 2, CW_LEARN_ADOPT},
        {5, 0, 3, ROLE_REPLICA, "main", 5, 4, 2, CW_LEARN_IGNORE}, /* the same version */
        {5, 0, 3, ROLE_REPLICA, "main", 4, 9, 2, CW_LEARN_IGNORE}, /* an older one, whatever its epoch */
        {5, 0, 3, ROLE_REPLICA, "main", 6, 3, 2, CW_LEARN_NOTE},   /* nothing new for us */
        {5, 0, 3, ROLE_REPLICA, "main", 6, 4, 2, CW_LEARN_ADOPT},
        {5, 0, 3, ROLE_REPLICA, "main", 9, 7, 2, CW_LEARN_ADOPT},   /* skipping is fine */
        {5, 4, 3, ROLE_REPLICA, "main", 6, 3, 2, CW_LEARN_NOTE},    /* below the fence */
        {5, 4, 3, ROLE_REPLICA, "main", 6, 4, 2, CW_LEARN_ADOPT},   /* at the fence */
        {5, 5, 3, ROLE_REPLICA, "main", 6, 4, 2, CW_LEARN_NOTE},    /* later than ours, but below the fence */
        {5, 4, 3, ROLE_MASTER, "main", 6, 3, 1, CW_LEARN_NOTE},     /* a fenced master stays one, and waits */
        {5, 4, 3, ROLE_MASTER, "main", 6, 4, 1, CW_LEARN_ADOPT},    /* chosen again */
        {5, 0, 3, ROLE_SPARE, "main", 6, 3, 2, CW_LEARN_ADOPT},     /* a spare becomes a replica */
        {5, 0, 3, ROLE_REPLICA, "other", 6, 4, 2, CW_LEARN_IGNORE}, /* another group's */
        {5, 0, 3, ROLE_REPLICA, "main", 6, 4, 9, CW_LEARN_DROP},    /* its own group lists it no more */
        {0, 0, 0, ROLE_UNADOPTED, "", 6, 4, 9, CW_LEARN_IGNORE},    /* a group that it never belonged to */
        {5, 0, 5, ROLE_REPLICA, "main", 6, 4, 2, CW_LEARN_NOTE},    /* epochs never go back */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct topology value = topology(rows[i].new_version, rows[i].new_epoch);
        struct cw_standing standing = {.life = life(rows[i].node, 5),
                                       .group = rows[i].group,
                                       .version = rows[i].version,
                                       .fence = rows[i].fence,
                                       .role = rows[i].role,
                                       .epoch = rows[i].role_epoch};
        if (cw_learn(&standing, &value) != rows[i].learning)
            fail_msg("row %zu", i);
    }
}

static void a_branch_must_be_the_own_history(void **state)
{
    (void)state;
    struct history own = {.count = 2, .entries = {{1, 0}, {3, 50}}, .last_offset = 80};
    struct topology value = topology(9, 4);
    value.branch = (struct history){.count = 3, .entries = {{1, 0}, {3, 50}, {4, 80}}, .last_offset = 80};
    assert_true(cw_branch_fits(&value, &own));
    own.last_offset = 81;
    assert_false(cw_branch_fits(&value, &own));
    own.last_offset = 79;
    assert_false(cw_branch_fits(&value, &own));
    own.last_offset = 80;
    own.entries[1].first_offset = 51;
    assert_false(cw_branch_fits(&value, &own));
    own.entries[1] = (struct history_entry){2, 50};
    assert_false(cw_branch_fits(&value, &own));
    own = value.branch; /* it is in that epoch already */
    assert_false(cw_branch_fits(&value, &own));
    own = (struct history){0};
    value.branch = (struct history){.count = 1, .entries = {{4, 0}}};
    assert_true(cw_branch_fits(&value, &own));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_by_life_and_node),
        cmocka_unit_test(learning_goes_by_version_fence_and_group),
        cmocka_unit_test(a_branch_must_be_the_own_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
