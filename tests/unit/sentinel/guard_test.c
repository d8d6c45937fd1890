/* One test for each guard that a mutant takes away: with the guard it passes, with the mutant the same scene fails.
 *
 * In most scenes the test plays the third sentinel and talks to the first, which nobody else helps to settle. */
#include "tests/unit/sentinel/cluster.h"

#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static bool has_master(struct cluster *cluster)
{
    return cluster_master(cluster) >= 0;
}

static struct cluster *start(unsigned nodes, enum durability durability, unsigned mutants)
{
    struct sn_config config = {.secret = SLICE_LITERAL("secret"),
                               .proxy = {.host = "127.0.0.1", .port = 7001},
                               .restart_shortcut = true,
                               .cold_start_wait_ns = 30 * NS_PER_S,
                               .spare_wait_ns = 10 * NS_PER_S,
                               .random_seed = 1,
                               .mutants = mutants};
    struct cluster *cluster = cluster_new(3, nodes, &config);
    cluster_create_group(cluster, durability);
    if (cluster_until(cluster, has_master, 10 * NS_PER_S) < 0)
        exit(2);
    cluster_run(cluster, 3 * NS_PER_S);
    return cluster;
}

static void say(struct cluster *cluster, unsigned client, const struct message *message)
{
    struct buf bytes = {0};
    message_encode(message, &bytes);
    cluster_say(cluster, client, buf_slice(&bytes));
    buf_free(&bytes);
    cluster_run(cluster, MS(5));
}

static bool was_told(struct cluster *cluster, unsigned client, const char *word)
{
    struct slice heard = cluster_heard(cluster, client);
    return heard.length > 0 && memmem(heard.data, heard.length, word, strlen(word)) != NULL;
}

static struct message *new_message(enum message_kind kind)
{
    struct message *message = mem_zero(sizeof(*message));
    message->kind = kind;
    memcpy(message->group, "main", 5);
    return message;
}

/* Connects to the first sentinel as the third, which is killed; with `alone` the second is, too. */
static unsigned play_third(struct cluster *cluster, bool alone)
{
    cluster_kill_sentinel(cluster, 2);
    if (alone)
        cluster_kill_sentinel(cluster, 1);
    cluster_run(cluster, MS(10));
    unsigned client = cluster_connect(cluster, 0);
    struct message *hello = new_message(MESSAGE_HELLO);
    hello->hello.kind = PEER_SENTINEL;
    hello->hello.sender = cluster_sentinel(cluster, 2)->id;
    hello->hello.secret = SLICE_LITERAL("secret");
    hello->hello.protocol = CONTROL_PROTOCOL;
    say(cluster, client, hello);
    mem_free(hello);
    return client;
}

/* A ballot of the third sentinel above all others, and the first one's value with a master for epoch 2. */
static void ask_to_accept(struct cluster *cluster, unsigned client, bool is_released)
{
    struct message *accept = new_message(MESSAGE_ACCEPT);
    struct topology *value = &accept->learn.topology;
    accept->learn.ballot = (struct ballot){1000, cluster_sentinel(cluster, 2)->id, 9};
    *value = *cluster_inspect(cluster, 0).learned;
    value->version++;
    value->epoch++;
    value->master = cluster_node(cluster, 1)->life;
    history_begin_epoch(&value->branch, value->epoch);
    if (is_released)
        value->release = (struct release){.epoch = 1, .life = cluster_node(cluster, 0)->life};
    say(cluster, client, accept);
    mem_free(accept);
}

static bool accepts_no_epoch_above_its_promise(unsigned mutants)
{
    struct cluster *cluster = start(2, DURABILITY_ASYNC, mutants);
    unsigned client = play_third(cluster, true);
    ask_to_accept(cluster, client, false);
    bool holds = cluster_inspect(cluster, 0).accepted->epoch == 1 && was_told(cluster, client, "lease");
    cluster_free(cluster);
    return holds;
}

/* Its promise runs out while the master goes on answering its polls. */
static bool stops_granting(struct cluster *cluster)
{
    int64_t until_ns = cluster_inspect(cluster, 0).promise_until_ns;
    unsigned polls = cluster_node(cluster, 0)->polls_taken;
    cluster_run(cluster, 3 * NS_PER_S);
    return cluster_inspect(cluster, 0).promise_until_ns == until_ns &&
           cluster_node(cluster, 0)->polls_taken >= polls + 2;
}

static bool does_not_grant_after_accepting(unsigned mutants)
{
    struct cluster *cluster = start(2, DURABILITY_ASYNC, mutants);
    unsigned client = play_third(cluster, true);
    ask_to_accept(cluster, client, true);
    bool holds = cluster_inspect(cluster, 0).accepted->epoch == 2 && stops_granting(cluster);
    cluster_free(cluster);
    return holds;
}

static bool does_not_renew_after_refusing(unsigned mutants)
{
    struct cluster *cluster = start(2, DURABILITY_ASYNC, mutants);
    unsigned client = play_third(cluster, true);
    ask_to_accept(cluster, client, false);
    bool holds = cluster_inspect(cluster, 0).accepted->epoch == 1 && stops_granting(cluster);
    cluster_free(cluster);
    return holds;
}

/* `meets_older`: before the ACCEPT it learns the group's first value, in which nobody is protected. */
static bool refuses_after_its_start(unsigned mutants, bool meets_older)
{
    struct cluster *cluster = start(2, DURABILITY_ASYNC, mutants);
    unsigned client;
    cluster_kill_sentinel(cluster, 0);
    cluster_run(cluster, MS(10));
    cluster_kill_sentinel(cluster, 1);
    cluster_start_sentinel(cluster, 0);
    cluster_kill_sentinel(cluster, 2);
    cluster_start_sentinel(cluster, 2);
    client = play_third(cluster, false);
    if (meets_older) {
        struct message *learn = new_message(MESSAGE_LEARN);
        learn->learn.ballot = (struct ballot){1, cluster_sentinel(cluster, 2)->id, 1};
        learn->learn.topology = cluster_first_topology(cluster, DURABILITY_ASYNC);
        say(cluster, client, learn);
        mem_free(learn);
    }
    struct message *accept = new_message(MESSAGE_ACCEPT);
    accept->learn.ballot = (struct ballot){1000, cluster_sentinel(cluster, 2)->id, 9};
    accept->learn.topology = *cluster_inspect(cluster, 0).accepted;
    accept->learn.topology.version++;
    accept->learn.topology.epoch++;
    say(cluster, client, accept);
    bool holds = was_told(cluster, client, "lease");
    mem_free(accept);
    cluster_free(cluster);
    return holds;
}

static bool promises_again_when_it_starts(unsigned mutants)
{
    return refuses_after_its_start(mutants, false);
}

static bool keeps_that_promise_when_it_meets_an_older_value(unsigned mutants)
{
    return refuses_after_its_start(mutants, true);
}

static bool answers_when_it_is_durable(unsigned mutants)
{
    struct cluster *cluster = start(2, DURABILITY_ASYNC, mutants);
    unsigned client = play_third(cluster, true);
    struct message *prepare = new_message(MESSAGE_PREPARE);
    cluster_set_disk_delay(cluster, MS(500));
    prepare->prepare.ballot = (struct ballot){1000, cluster_sentinel(cluster, 2)->id, 9};
    (void)cluster_heard(cluster, client);
    say(cluster, client, prepare);
    cluster_run(cluster, MS(400));
    bool holds = !was_told(cluster, client, "PROMISE");
    cluster_run(cluster, MS(200));
    holds = holds && was_told(cluster, client, "PROMISE");
    mem_free(prepare);
    cluster_free(cluster);
    return holds;
}

static bool grants_when_what_it_learned_is_durable(unsigned mutants)
{
    struct cluster *cluster = start(2, DURABILITY_ASYNC, mutants);
    unsigned client = play_third(cluster, true);
    struct message *learn = new_message(MESSAGE_LEARN);
    cluster_set_disk_delay(cluster, 2 * NS_PER_S);
    learn->learn.ballot = (struct ballot){1000, cluster_sentinel(cluster, 2)->id, 9};
    learn->learn.topology = *cluster_inspect(cluster, 0).learned;
    say(cluster, client, learn);
    int64_t until_ns = cluster_inspect(cluster, 0).promise_until_ns;
    cluster_run(cluster, MS(1900));
    bool holds = cluster_inspect(cluster, 0).promise_until_ns == until_ns;
    cluster_run(cluster, MS(1500));
    holds = holds && cluster_inspect(cluster, 0).promise_until_ns > until_ns;
    mem_free(learn);
    cluster_free(cluster);
    return holds;
}

static bool fences_whom_it_chooses_among(unsigned mutants)
{
    struct cluster *cluster = start(2, DURABILITY_ASYNC, mutants);
    cluster_kill_node(cluster, 0);
    cluster_run(cluster, 7 * NS_PER_S);
    bool holds = cluster_epoch(cluster) == 2 && cluster_node(cluster, 1)->fence == 2;
    cluster_free(cluster);
    return holds;
}

/* Only one sentinel hears the better node; its answer must not count. */
static bool counts_only_whom_a_majority_heard(unsigned mutants)
{
    struct cluster *cluster = start(3, DURABILITY_ASYNC, mutants);
    cluster_node(cluster, 2)->history.last_offset = 1000;
    for (unsigned other = 0; other < 2; other++)
        cluster_cut_pair(cluster, other, 2, true);
    cluster_run(cluster, 4 * NS_PER_S);
    cluster_kill_node(cluster, 0);
    cluster_run(cluster, 8 * NS_PER_S);
    bool holds = cluster_epoch(cluster) == 2 && cluster_master(cluster) == 1;
    cluster_free(cluster);
    return holds;
}

static bool waits_for_all_before_a_cold_start(unsigned mutants)
{
    struct cluster *cluster = start(3, DURABILITY_SYNC, mutants);
    cluster_kill_node(cluster, 0);
    cluster_kill_node(cluster, 1);
    cluster_run(cluster, 10 * NS_PER_S);
    bool holds = cluster_epoch(cluster) == 1;
    cluster_free(cluster);
    return holds;
}

static bool leaves_out_who_lags(unsigned mutants)
{
    struct cluster *cluster = start(3, DURABILITY_SYNC, mutants);
    cluster_node(cluster, 1)->history.last_offset = 100;
    cluster_node(cluster, 2)->history.last_offset = 50;
    cluster_kill_node(cluster, 0);
    cluster_run(cluster, 7 * NS_PER_S);
    const struct topology *learned = cluster_inspect(cluster, 0).learned;
    bool holds = learned->epoch == 2 && cluster_master(cluster) == 1 && learned->in_sync_count == 0;
    cluster_free(cluster);
    return holds;
}

/* The master's node lives anew and takes itself for the master. */
static bool protects_lives_not_nodes(unsigned mutants)
{
    struct cluster *cluster = start(2, DURABILITY_ASYNC, mutants);
    struct topology *before = mem_alloc(sizeof(*before));
    (void)play_third(cluster, true);
    *before = cluster_node(cluster, 0)->topology;
    cluster_kill_node(cluster, 0);
    cluster_start_node(cluster, 0);
    cluster_node(cluster, 0)->topology = *before;
    cluster_node(cluster, 0)->role = ROLE_MASTER;
    bool holds = stops_granting(cluster);
    mem_free(before);
    cluster_free(cluster);
    return holds;
}

/* One sentinel sees the master dead and is told so by a voice that no promise confirms. */
static bool fences_nobody_unless_a_majority_says_dead(unsigned mutants)
{
    struct cluster *cluster = start(2, DURABILITY_ASYNC, mutants);
    cluster_cut_pair(cluster, 0, 0, true);
    cluster_run(cluster, 6 * NS_PER_S);
    unsigned client = cluster_connect(cluster, 0), fences = cluster_node(cluster, 1)->fences_taken;
    struct message *message = new_message(MESSAGE_HELLO);
    message->hello.kind = PEER_SENTINEL;
    message->hello.sender = cluster_sentinel(cluster, 2)->id;
    message->hello.secret = SLICE_LITERAL("secret");
    message->hello.protocol = CONTROL_PROTOCOL;
    say(cluster, client, message);
    message->kind = MESSAGE_DOWN;
    message->down.epoch = 1;
    message->down.life = cluster_node(cluster, 0)->life;
    struct ballot promised = cluster_inspect(cluster, 1).promised;
    for (int i = 0; i < 10; i++) {
        say(cluster, client, message);
        cluster_run(cluster, MS(200));
    }
    struct ballot later = cluster_inspect(cluster, 1).promised;
    bool holds = ballot_compare(&later, &promised) > 0 && cluster_node(cluster, 1)->fences_taken == fences;
    mem_free(message);
    cluster_free(cluster);
    return holds;
}

/* A child plays the scene, so that a mutant may also break an oracle of the cluster. */
static bool plays_well(bool (*scene)(unsigned mutants), unsigned mutants)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (mutants && !freopen("/dev/null", "w", stderr))
            _exit(3);
        bool holds = scene(mutants);
        _exit(holds ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const struct {
    const char *name;
    bool (*scene)(unsigned mutants);
    unsigned mutant;
} guards[] = {
    {"accepts_no_epoch_above_its_promise", accepts_no_epoch_above_its_promise, SN_MUTANT_IGNORE_LEASE},
    {"does_not_grant_after_accepting", does_not_grant_after_accepting, SN_MUTANT_GRANT_AFTER_ACCEPTING},
    {"does_not_renew_after_refusing", does_not_renew_after_refusing, SN_MUTANT_RENEW_AFTER_REFUSING},
    {"promises_again_when_it_starts", promises_again_when_it_starts, SN_MUTANT_FORGET_STARTUP_PROMISE},
    {"keeps_that_promise_when_it_meets_an_older_value", keeps_that_promise_when_it_meets_an_older_value,
     SN_MUTANT_FORGET_STARTUP_PROMISE},
    {"answers_when_it_is_durable", answers_when_it_is_durable, SN_MUTANT_REPLY_BEFORE_DURABLE},
    {"grants_when_what_it_learned_is_durable", grants_when_what_it_learned_is_durable, SN_MUTANT_GRANT_BEFORE_DURABLE},
    {"fences_whom_it_chooses_among", fences_whom_it_chooses_among, SN_MUTANT_CHOOSE_WITHOUT_FENCING},
    {"counts_only_whom_a_majority_heard", counts_only_whom_a_majority_heard, SN_MUTANT_COUNT_UNHEARD},
    {"waits_for_all_before_a_cold_start", waits_for_all_before_a_cold_start, SN_MUTANT_EAGER_COLD_START},
    {"leaves_out_who_lags", leaves_out_who_lags, SN_MUTANT_KEEP_LAGGING},
    {"protects_lives_not_nodes", protects_lives_not_nodes, SN_MUTANT_IGNORE_INCARNATION},
    {"fences_nobody_unless_a_majority_says_dead", fences_nobody_unless_a_majority_says_dead,
     SN_MUTANT_DECIDE_WITHOUT_DEAD},
};

static void each_guard_is_missed(void **state)
{
    (void)state;
    unsigned seen = 0, wrong = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(guards); i++) {
        bool with_guard = plays_well(guards[i].scene, 0), without = plays_well(guards[i].scene, guards[i].mutant);
        if (!with_guard || without) {
            print_message("# %s: with the guard %s, without it %s\n", guards[i].name, with_guard ? "holds" : "fails",
                          without ? "holds" : "fails");
            wrong++;
        }
        seen |= guards[i].mutant;
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(seen, 2 * SN_MUTANT_DECIDE_WITHOUT_DEAD - 1); /* a scene for every mutant */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_guard_is_missed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
