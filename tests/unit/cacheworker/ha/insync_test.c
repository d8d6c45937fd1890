#include "cacheworker/ha/insync.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MAX_LAG NS_PER_S
#define LOOK    CW_INSYNC_INTERVAL_NS

static struct life life(uint8_t number, uint64_t incarnation)
{
    return (struct life){.node = {.bytes = {number}}, .incarnation = incarnation, .bits = 1};
}

static struct topology topology(void)
{
    struct topology value = {.group = "main", .version = 10, .epoch = 3, .member_count = 4, .master = life(1, 1)};
    for (uint8_t i = 0; i < 4; i++)
        value.members[i] =
            (struct member){.node = life((uint8_t)(i + 1), 0).node, .kind = i == 3 ? MEMBER_SPARE : MEMBER_REPLICA};
    return value;
}

struct world {
    struct topology topology;
    struct cw_insync insync;
    struct cw_replica_view views[4];
    size_t count;
    uint64_t acknowledged;
    int64_t now_ns;
};

static void begin(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->topology = topology();
    world->now_ns = 100 * NS_PER_S;
}

static void start(struct world *world)
{
    cw_insync_begin(&world->insync, &world->topology, MAX_LAG, false, world->now_ns);
}

static void connect(struct world *world, struct life who)
{
    world->views[world->count++] = (struct cw_replica_view){.life = who, .is_online = true};
}

/* Looks every 100 ms; views ack at once unless `silent`. Returns after how many milliseconds it asked, or -1. */
static int64_t look_until_asked(struct world *world, int64_t at_most_ns, bool silent)
{
    int64_t began_ns = world->now_ns;
    while (world->now_ns - began_ns < at_most_ns) {
        world->now_ns += LOOK;
        for (size_t i = 0; i < world->count && !silent; i++)
            world->views[i].acknowledged_ns = world->now_ns;
        struct life self = life(1, 1);
        if (cw_insync_look(&world->insync, &world->topology, &self, world->views, world->count, world->acknowledged,
                           world->now_ns))
            return (world->now_ns - began_ns) / NS_PER_MS;
    }
    return -1;
}

static void who_was_in_step_for_two_seconds_is_added(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world);
    connect(&world, life(2, 7));
    world.views[0].lag_ns = MAX_LAG / 2 - 1;
    assert_int_equal(look_until_asked(&world, 10 * NS_PER_S, false), 2100);
    assert_int_equal(world.insync.request.count, 1);
    assert_true(life_equal(&world.insync.request.in_sync[0], &world.views[0].life));
    assert_int_equal(world.insync.request.expected_version, 10);
    assert_int_equal(world.insync.request.epoch, 3);
}

static void who_lags_falls_silent_or_is_no_replica_is_not(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct world world;
        begin(&world);
        start(&world);
        connect(&world, i == 0 ? life(4, 1) : i == 1 ? life(9, 1) : i == 2 ? life(1, 2) : life(2, 7));
        if (i == 3)
            world.views[0].lag_ns = MAX_LAG / 2;
        if (i == 4)
            world.views[0].is_online = false;
        assert_int_equal(look_until_asked(&world, 5 * NS_PER_S, false), -1);
    }
    struct world world;
    begin(&world);
    start(&world);
    connect(&world, life(2, 7));
    assert_int_equal(look_until_asked(&world, 5 * NS_PER_S, true), -1);
}

static void a_lapse_begins_the_two_seconds_anew(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world);
    connect(&world, life(2, 7));
    assert_int_equal(look_until_asked(&world, 1900 * NS_PER_MS, false), -1);
    world.views[0].lag_ns = MAX_LAG;
    assert_int_equal(look_until_asked(&world, LOOK, false), -1);
    world.views[0].lag_ns = 0;
    assert_int_equal(look_until_asked(&world, 10 * NS_PER_S, false), 2100);
}

static void who_is_silent_for_max_lag_is_removed(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.topology.in_sync_count = 2;
    world.topology.in_sync[0] = life(2, 7);
    world.topology.in_sync[1] = life(3, 1);
    start(&world);
    connect(&world, life(3, 1));
    assert_int_equal(look_until_asked(&world, 10 * NS_PER_S, false), 1100);
    assert_int_equal(world.insync.request.count, 1);
    assert_true(life_equal(&world.insync.request.in_sync[0], &world.views[0].life));
}

static void who_lags_behind_is_removed_though_it_talks(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.topology.in_sync_count = 1;
    world.topology.in_sync[0] = life(2, 7);
    start(&world);
    connect(&world, life(2, 7));
    world.views[0].lag_ns = MAX_LAG;
    assert_int_equal(look_until_asked(&world, 3 * NS_PER_S, false), -1);
    world.views[0].lag_ns = MAX_LAG + 1;
    assert_int_equal(look_until_asked(&world, 3 * NS_PER_S, false), 100);
    assert_int_equal(world.insync.request.count, 0);
}

static void a_new_life_takes_the_place_of_the_old(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.topology.in_sync_count = 1;
    world.topology.in_sync[0] = life(2, 7);
    start(&world);
    connect(&world, life(2, 8));
    /* First the old one is silent; the register follows. */
    assert_int_equal(look_until_asked(&world, 3 * NS_PER_S, false), 1100);
    assert_int_equal(world.insync.request.count, 0);
    world.topology.version++;
    world.topology.in_sync_count = 0;
    assert_int_equal(look_until_asked(&world, 3 * NS_PER_S, false), 1000);
    assert_int_equal(world.insync.request.count, 1);
    assert_int_equal(world.insync.request.in_sync[0].incarnation, 8);
}

/* The same request until a higher version is learned, also when the wish has changed meanwhile. */
static void one_request_at_a_time(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    start(&world);
    connect(&world, life(2, 7));
    assert_int_equal(look_until_asked(&world, 10 * NS_PER_S, false), 2100);
    world.views[0].lag_ns = 5 * MAX_LAG;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(look_until_asked(&world, 10 * NS_PER_S, false), 500);
        assert_int_equal(world.insync.request.count, 1);
        assert_int_equal(world.insync.request.expected_version, 10);
    }
    world.topology.version = 11;
    world.topology.in_sync_count = 1;
    world.topology.in_sync[0] = life(2, 7);
    assert_int_equal(look_until_asked(&world, 10 * NS_PER_S, false), 100);
    assert_int_equal(world.insync.request.count, 0);
    assert_int_equal(world.insync.request.expected_version, 11);
}

static void whoever_slept_observes_anew(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.topology.in_sync_count = 1;
    world.topology.in_sync[0] = life(2, 7);
    start(&world);
    connect(&world, life(2, 7));
    assert_int_equal(look_until_asked(&world, 500 * NS_PER_MS, false), -1);
    world.now_ns += 4 * NS_PER_S; /* stopped; the acks of that time were not read yet */
    assert_int_equal(look_until_asked(&world, LOOK, true), -1);
    assert_int_equal(look_until_asked(&world, 5 * NS_PER_S, false), -1);
}

/* In a sync mode a set is only wished for until enough of it hold what was acknowledged. */
static void a_sync_set_is_asked_for_when_it_holds_what_was_acknowledged(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.topology.durability = DURABILITY_SYNC;
    world.topology.acknowledgements = 1;
    world.acknowledged = 500;
    start(&world);
    connect(&world, life(2, 7));
    world.views[0].acknowledged_offset = 499;
    assert_int_equal(look_until_asked(&world, 10 * NS_PER_S, false), -1);
    assert_true(world.insync.is_asking); /* its rule is in force */
    assert_false(world.insync.is_sent);
    assert_int_equal(cw_insync_rule(&world.insync).count, 1);
    world.views[0].acknowledged_offset = 500;
    assert_int_equal(look_until_asked(&world, NS_PER_S, false), 100);
    assert_true(world.insync.is_sent);
}

static void a_wish_that_was_not_sent_may_change(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.topology.durability = DURABILITY_SYNC;
    world.topology.acknowledgements = 1;
    world.topology.in_sync_count = 2;
    world.topology.in_sync[0] = life(2, 7);
    world.topology.in_sync[1] = life(3, 1);
    world.acknowledged = 500;
    start(&world);
    connect(&world, life(3, 1)); /* the other one held what was acknowledged, and is silent */
    world.views[0].acknowledged_offset = 400;
    assert_int_equal(look_until_asked(&world, 1200 * NS_PER_MS, false), -1);
    assert_true(world.insync.is_asking);
    connect(&world, life(2, 7)); /* here it is again */
    world.views[1].acknowledged_offset = 500;
    assert_int_equal(look_until_asked(&world, 200 * NS_PER_MS, false), -1);
    assert_false(world.insync.is_asking);
    world.count = 0; /* both are gone: an empty set holds what it must */
    assert_int_equal(look_until_asked(&world, 3 * NS_PER_S, true), 1100);
    assert_int_equal(world.insync.request.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_in_step_for_two_seconds_is_added),
        cmocka_unit_test(who_lags_falls_silent_or_is_no_replica_is_not),
        cmocka_unit_test(a_lapse_begins_the_two_seconds_anew),
        cmocka_unit_test(who_is_silent_for_max_lag_is_removed),
        cmocka_unit_test(who_lags_behind_is_removed_though_it_talks),
        cmocka_unit_test(a_new_life_takes_the_place_of_the_old),
        cmocka_unit_test(one_request_at_a_time),
        cmocka_unit_test(whoever_slept_observes_anew),
        cmocka_unit_test(a_sync_set_is_asked_for_when_it_holds_what_was_acknowledged),
        cmocka_unit_test(a_wish_that_was_not_sent_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
