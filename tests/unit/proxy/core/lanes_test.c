/* Which of two links a command goes over: each client's commands are executed, and answered, in the order in which it
 * has sent them, whatever the links do; and no write goes where reads of others would wait behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/rand.h"
#include "proxy/core/lanes.h"

#include <string.h>

enum { CLIENTS = 4, ON_A_LANE_MAX = 64, STEPS = 4000, SEEDS = 50 };

struct command {
    unsigned client, number;
    bool is_read, is_refused;
    uint64_t moment; /* of its execution */
};

struct lane { /* commands that were sent, in order: the first `executed` are, and their answers are on their way */
    struct command commands[ON_A_LANE_MAX];
    unsigned count, executed;
};

struct client {
    struct px_lanes lanes;
    unsigned sent, answered, outstanding;
    uint64_t moment; /* of the execution of what was answered last */
    bool next_reads, waits;
};

struct model {
    struct rand rand;
    struct client clients[CLIENTS];
    struct lane lanes[2];
    uint64_t now;
    unsigned on_reads, later, moved;
};

/* The next command of a client, which stays the same until it was sent. */
static void send_one(struct model *model, unsigned number, bool has_reads)
{
    struct client *client = &model->clients[number];
    if (client->waits)
        return;
    enum px_lane chosen = px_lanes_choose(&client->lanes, client->next_reads, has_reads, client->outstanding);
    if (chosen == PX_LANE_LATER) {
        assert_true(client->outstanding > 0 && (!client->next_reads || client->lanes.is_moving));
        client->waits = true;
        model->later++;
        return;
    }
    struct lane *lane = &model->lanes[chosen == PX_LANE_READS];
    if (model->lanes[PX_LANE_ALL].count + model->lanes[PX_LANE_READS].count == ON_A_LANE_MAX)
        return;
    assert_true(chosen == PX_LANE_ALL || client->next_reads);
    lane->commands[lane->count++] =
        (struct command){.client = number, .number = client->sent++, .is_read = client->next_reads};
    client->outstanding++;
    model->on_reads += chosen == PX_LANE_READS;
    client->next_reads = rand_below(&model->rand, 3) > 0;
}

/* On the lane of reads some are refused. */
static void execute_one(struct model *model, struct lane *lane)
{
    if (lane->executed == lane->count)
        return;
    struct command *command = &lane->commands[lane->executed++];
    command->moment = ++model->now;
    command->is_refused = lane == &model->lanes[PX_LANE_READS] && rand_below(&model->rand, 8) == 0;
}

static void take_first(struct lane *lane)
{
    lane->count--;
    lane->executed--;
    memmove(lane->commands, lane->commands + 1, lane->count * sizeof(lane->commands[0]));
}

static void answer_one(struct model *model, struct lane *lane)
{
    if (lane->executed == 0)
        return;
    struct command command = lane->commands[0];
    struct client *client = &model->clients[command.client];
    take_first(lane);
    if (lane == &model->lanes[PX_LANE_READS] && px_lanes_move(&client->lanes, command.is_refused)) {
        struct lane *all = &model->lanes[PX_LANE_ALL];
        all->commands[all->count++] = command;
        model->moved++;
        return;
    }
    assert_false(command.is_refused);
    assert_int_equal(command.number, client->answered++);
    assert_true(command.moment > client->moment);
    client->moment = command.moment;
    if (--client->outstanding == 0)
        client->waits = false;
}

static void clients_see_their_own_order(void **state)
{
    (void)state;
    unsigned on_reads = 0, later = 0, moved = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct model model = {.on_reads = 0};
        rand_seed(&model.rand, seed);
        bool has_reads = false;
        for (int step = 0; step < STEPS; step++) {
            struct lane *lane = &model.lanes[rand_below(&model.rand, 2)];
            switch (rand_below(&model.rand, 5)) {
            case 0:
            case 1: answer_one(&model, lane); break;
            case 2:
            case 3: execute_one(&model, lane); break;
            default: send_one(&model, (unsigned)rand_below(&model.rand, CLIENTS), has_reads); break;
            }
            if (rand_below(&model.rand, 40) == 0)
                has_reads = !has_reads;
            if (rand_below(&model.rand, 10) == 0) /* bursts that are forgotten, or they are all that there are */
                model.clients[rand_below(&model.rand, CLIENTS)].lanes.mixed_bursts = 0;
        }
        on_reads += model.on_reads;
        later += model.later;
        moved += model.moved;
    }
    assert_true(on_reads > SEEDS && later > SEEDS && moved > SEEDS);
}

static void one_at_a_time_reads_and_writes_part(void **state)
{
    (void)state;
    struct px_lanes lanes = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(px_lanes_choose(&lanes, true, true, 0), PX_LANE_READS);
        assert_int_equal(px_lanes_choose(&lanes, false, true, 0), PX_LANE_ALL);
        assert_int_equal(px_lanes_choose(&lanes, true, false, 0), PX_LANE_ALL);
    }
}

/* It waits once for its replies, and not in the bursts that follow. */
static void mixed_pipelines_take_one_lane(void **state)
{
    (void)state;
    struct px_lanes lanes = {0};
    for (int round = 0; round < 2; round++) {
        assert_int_equal(px_lanes_choose(&lanes, true, true, 0), PX_LANE_READS);
        assert_int_equal(px_lanes_choose(&lanes, true, true, 1), PX_LANE_READS);
        assert_int_equal(px_lanes_choose(&lanes, false, true, 2), PX_LANE_LATER);
        assert_int_equal(px_lanes_choose(&lanes, false, true, 0), PX_LANE_ALL);
        for (int burst = 0; burst < PX_LANES_MIXED_BURSTS; burst++) {
            assert_int_equal(px_lanes_choose(&lanes, true, true, 0), PX_LANE_ALL);
            assert_int_equal(px_lanes_choose(&lanes, false, true, 1), PX_LANE_ALL);
            assert_int_equal(px_lanes_choose(&lanes, true, true, 2), PX_LANE_ALL);
        }
    }
}

/* What is under way stays where it is, also when there is a lane of reads now, or none any more. */
static void lanes_change_between_bursts(void **state)
{
    (void)state;
    struct px_lanes lanes = {0};
    assert_int_equal(px_lanes_choose(&lanes, true, false, 0), PX_LANE_ALL);
    assert_int_equal(px_lanes_choose(&lanes, true, true, 1), PX_LANE_ALL);
    assert_int_equal(px_lanes_choose(&lanes, true, true, 0), PX_LANE_READS);
    assert_int_equal(px_lanes_choose(&lanes, true, false, 1), PX_LANE_READS);
    assert_int_equal(px_lanes_choose(&lanes, false, false, 1), PX_LANE_LATER);
}

static void reads_behind_a_refused_one_move_with_it(void **state)
{
    (void)state;
    struct px_lanes lanes = {0};
    assert_int_equal(px_lanes_choose(&lanes, true, true, 0), PX_LANE_READS);
    assert_int_equal(px_lanes_choose(&lanes, true, true, 1), PX_LANE_READS);
    assert_false(px_lanes_move(&lanes, false));
    assert_true(px_lanes_move(&lanes, true));
    assert_true(px_lanes_move(&lanes, false));
    assert_int_equal(px_lanes_choose(&lanes, true, true, 1), PX_LANE_LATER);
    assert_int_equal(px_lanes_choose(&lanes, true, true, 0), PX_LANE_READS);
    assert_false(px_lanes_move(&lanes, false));
}

static void the_word_is_known(void **state)
{
    (void)state;
    assert_true(px_lanes_are_held(SLICE_LITERAL(">1\r\n$12\r\nrespite-held\r\n")));
    assert_false(px_lanes_are_held(SLICE_LITERAL(">1\r\n$12\r\nrespite-hell\r\n")));
    assert_false(px_lanes_are_held(SLICE_LITERAL(">1\r\n")));
    assert_true(px_lanes_are_refused(SLICE_LITERAL("-HELD x\r\n")));
    assert_false(px_lanes_are_refused(SLICE_LITERAL("-HELDX x\r\n")) || px_lanes_are_refused(SLICE_LITERAL("-\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_see_their_own_order),
        cmocka_unit_test(one_at_a_time_reads_and_writes_part),
        cmocka_unit_test(mixed_pipelines_take_one_lane),
        cmocka_unit_test(lanes_change_between_bursts),
        cmocka_unit_test(reads_behind_a_refused_one_move_with_it),
        cmocka_unit_test(the_word_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
