#include "common/ha/topology.h"

#include "common/base/errors.h"
#include "tests/lib/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct history history_of(const char *text)
{
    struct history history;
    memset(&history, 0, sizeof(history));
    assert_int_equal(0, history_parse(slice_text(text), &history));
    return history;
}

static struct identity identity_of(unsigned number)
{
    struct identity identity = {{0}};
    identity.bytes[15] = (uint8_t)number;
    return identity;
}

/* Identities, lives, ballots. */

static void identities_are_hexadecimal_words(void **state)
{
    (void)state;
    struct identity identity;
    char text[IDENTITY_TEXT_LENGTH + 1];
    assert_int_equal(0, identity_parse(SLICE_LITERAL("00112233445566778899aabbccddeeff"), &identity));
    assert_int_equal(0x11, identity.bytes[1]);
    assert_int_equal(0xff, identity.bytes[15]);
    identity_format(&identity, text);
    assert_string_equal("00112233445566778899aabbccddeeff", text);
    assert_false(identity_is_nobody(&identity));
    assert_int_equal(0, identity_parse(SLICE_LITERAL("00000000000000000000000000000000"), &identity));
    assert_true(identity_is_nobody(&identity));
    assert_true(identity_parse(SLICE_LITERAL("00112233445566778899AABBCCDDEEFF"), &identity) < 0);
    assert_true(identity_parse(SLICE_LITERAL("00112233445566778899aabbccddeef"), &identity) < 0);
    assert_true(identity_parse(SLICE_LITERAL("00112233445566778899aabbccddeefff"), &identity) < 0);
    assert_true(identity_parse(SLICE_LITERAL("0011223344556677g899aabbccddeeff"), &identity) < 0);
    assert_true(identity_parse(SLICE_LITERAL(""), &identity) < 0);
}

static void a_life_is_node_start_and_bits(void **state)
{
    (void)state;
    const struct life life = {.node = identity_of(1), .incarnation = 3, .bits = 5};
    struct life other = life;
    assert_true(life_equal(&life, &other));
    other.bits = 6;
    assert_false(life_equal(&life, &other));
    other = life;
    other.incarnation = 4;
    assert_false(life_equal(&life, &other));
    other = life;
    other.node = identity_of(2);
    assert_false(life_equal(&life, &other));

    char text[LIFE_TEXT_MAX];
    const struct life extreme = {
        .node = identity_of(255), .incarnation = UINT64_MAX, .bits = UINT64_C(0x0123456789abcdef)};
    life_format(&extreme, text);
    assert_string_equal("000000000000000000000000000000ff:18446744073709551615:0123456789abcdef", text);
    assert_int_equal(0, life_parse(slice_text(text), &other));
    assert_true(life_equal(&extreme, &other));
    assert_true(life_parse(SLICE_LITERAL("000000000000000000000000000000ff:1"), &other) < 0);
    assert_true(life_parse(SLICE_LITERAL("000000000000000000000000000000ff:1:123456789abcdef"), &other) < 0);
    assert_true(life_parse(SLICE_LITERAL("000000000000000000000000000000ff:01:0123456789abcdef"), &other) < 0);
    assert_true(life_parse(SLICE_LITERAL("000000000000000000000000000000ff:1:0123456789abcdef:"), &other) < 0);
}

static void ballots_are_ordered_by_counter_then_sentinel_then_run(void **state)
{
    (void)state;
    const struct ballot rising[] = {
        {.counter = 0},
        {.counter = 1, .sentinel = identity_of(1), .run = 9},
        {.counter = 1, .sentinel = identity_of(2), .run = 1},
        {.counter = 1, .sentinel = identity_of(2), .run = 2},
        {.counter = 2, .sentinel = identity_of(1), .run = 1},
        {.counter = UINT64_MAX, .sentinel = identity_of(200), .run = UINT64_MAX},
    };
    for (int i = 0; i < (int)ARRAY_LENGTH(rising); i++) {
        for (int j = 0; j < (int)ARRAY_LENGTH(rising); j++) {
            int order = ballot_compare(&rising[i], &rising[j]);
            assert_int_equal((i > j) - (i < j), (order > 0) - (order < 0));
        }
        char text[LIFE_TEXT_MAX];
        struct ballot again;
        ballot_format(&rising[i], text);
        assert_int_equal(0, ballot_parse(slice_text(text), &again));
        assert_int_equal(0, ballot_compare(&rising[i], &again));
    }
}

/* Histories. */

static void history_text_is_strict(void **state)
{
    (void)state;
    static const char *const good[] = {"@0", "1:0@0", "1:0@500", "1:0,2:500@500", "1:0,7:0,8:9@18446744073709551615"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct history history = history_of(good[i]);
        struct buf text = {0};
        history_format(&history, &text);
        assert_true(slice_equal(slice_text(good[i]), buf_slice(&text)));
        buf_free(&text);
    }
    static const char *const bad[] = {"",        "@",         "@1",        "1:0",       "1:0@",       "1@5",
                                      "1:@5",    ":0@5",      "1:0,@5",    ",1:0@5",    "1:0,,2:1@5", "0:0@5",
                                      "1:9@8",   "2:0,2:1@5", "2:0,1:1@5", "1:5,2:4@9", "01:0@5",     "1:0@5@5",
                                      "1:0:0@5", "1:0@05",    "1:0 @5",    "-1:0@5"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct history history;
        if (history_parse(slice_text(bad[i]), &history) == 0)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void a_history_holds_so_many_entries_and_no_more(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    for (uint64_t epoch = 1; epoch <= HISTORY_ENTRIES_MAX + 3; epoch++) {
        history_begin_epoch(&history, epoch);
        history.last_offset += 10;
    }
    assert_int_equal(HISTORY_ENTRIES_MAX, history.count);
    assert_int_equal(4, history.entries[0].epoch);
    assert_int_equal(30, history.entries[0].first_offset);
    assert_int_equal(HISTORY_ENTRIES_MAX + 3, history_epoch(&history));

    struct buf text = {0};
    history_format(&history, &text);
    struct history again;
    assert_int_equal(0, history_parse(buf_slice(&text), &again));
    buf_clear(&text);
    buf_add_text(&text, "1:0,2:1,3:2,");
    history_format(&history, &text);
    assert_true(history_parse(buf_slice(&text), &again) < 0);
    buf_free(&text);
}

static void an_empty_history_has_no_offset(void **state)
{
    (void)state;
    const struct history history = {.count = 0, .last_offset = 77};
    struct buf text = {0};
    history_format(&history, &text);
    assert_true(slice_equal(SLICE_LITERAL("@0"), buf_slice(&text)));
    buf_free(&text);
}

static void prefixes_by_truth_table(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool prefix;
    } rows[] = {
        {"@0", "@0", true},
        {"@0", "1:0@100", true},
        {"1:0@0", "@0", false},
        {"1:0@100", "1:0@100", true},
        {"1:0@50", "1:0@100", true},
        {"1:0@101", "1:0@100", false},            /* longer in the last epoch */
        {"1:0@100", "1:0,2:100@100", true},       /* ends where the next epoch began */
        {"1:0@101", "1:0,2:100@200", false},      /* wrote on after the next epoch had begun: the lost tail */
        {"1:0,2:100@150", "1:0@100", false},      /* newer is no prefix of older */
        {"1:0,2:100@150", "1:0,2:100@150", true}, /* the same */
        {"1:0,2:100@150", "1:0,2:90@150", false}, /* the epoch began elsewhere */
        {"1:0,2:100@150", "1:0,3:100@150", false},
        {"1:0,3:100@150", "1:0,2:50,3:100@150", false}, /* lacks an epoch in between */
        {"2:0@10", "1:0,2:0@10", false},                /* b dropped nothing, so a lacks an epoch in front */
        {"1:0,2:0@10", "2:0@10", false},                /* and the other way round */
        {"1:5@10", "1:0@10", false},
        {"1:0,2:100@100", "1:0,2:100,3:100,4:100@100", true},
        {"1:0,2:100@101", "1:0,2:100,3:100,4:100@100", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct history a = history_of(rows[i].a);
        struct history b = history_of(rows[i].b);
        if (history_is_prefix(&a, &b) != rows[i].prefix)
            fail_msg("%s of %s", rows[i].a, rows[i].b);
    }
}

/* Where entries were dropped, what is still kept decides, and the last entry of the shorter one must be among it. */
static void prefixes_of_a_history_that_dropped_entries(void **state)
{
    (void)state;
    struct history all[HISTORY_ENTRIES_MAX + 10];
    struct history history = {.count = 0};
    for (unsigned i = 0; i < ARRAY_LENGTH(all); i++) {
        history_begin_epoch(&history, i + 1);
        history.last_offset += 10;
        all[i] = history;
    }
    const struct history *longest = &all[ARRAY_LENGTH(all) - 1]; /* keeps epochs 11 and later */
    for (unsigned i = 0; i < ARRAY_LENGTH(all); i++) {
        assert_int_equal(i >= 10, history_is_prefix(&all[i], longest));
        if (i < ARRAY_LENGTH(all) - 1)
            assert_false(history_is_prefix(longest, &all[i]));
        struct history tail = all[i];
        tail.last_offset++;
        assert_false(history_is_prefix(&tail, longest));
    }
}

static void histories_are_one_up_to_where_they_part(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        uint64_t common;
    } rows[] = {
        {"@0", "@0", 0},
        {"@0", "1:0@10", 0},
        {"1:0@10", "1:0@7", 7},
        {"1:0@10", "1:0,2:7@7", 7},
        {"1:0@10", "1:0,2:7@90", 7},
        {"1:0,2:7@30", "1:0,3:7@90", 7},
        {"1:0,2:7@30", "1:0,2:7,3:20@90", 20},
        {"1:0,2:7,3:9@30", "1:0,2:8,3:12@90", 7},
        {"1:0@10", "2:0@10", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct history a = history_of(rows[i].a);
        struct history b = history_of(rows[i].b);
        if (history_common_offset(&a, &b) != rows[i].common || history_common_offset(&b, &a) != rows[i].common)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

static void prefix_holds_along_one_line_and_breaks_at_a_fork(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 7);
    for (unsigned round = 0; round < 2000; round++) {
        struct history early, late;
        random_history(&rand, &early);
        late = early;
        uint64_t written = rand_below(&rand, 3);
        late.last_offset += late.count > 0 ? written : 0;
        for (uint64_t more = rand_below(&rand, 4); more > 0 && late.count < HISTORY_ENTRIES_MAX; more--) {
            history_begin_epoch(&late, history_epoch(&late) + 1);
            late.last_offset += rand_below(&rand, 3);
        }
        assert_true(history_is_prefix(&early, &late));
        assert_true(history_compare(&early, &late) <= 0);
        assert_int_equal(history_compare(&early, &late) == 0, history_is_prefix(&late, &early));

        struct history fork = early;
        if (early.count == HISTORY_ENTRIES_MAX || late.count == early.count)
            continue;
        history_begin_epoch(&fork, history_epoch(&late) + 1);
        fork.last_offset++;
        assert_false(history_is_prefix(&fork, &late));
        assert_false(history_is_prefix(&late, &fork));
    }
}

static void better_means_later_epoch_then_further_offset(void **state)
{
    (void)state;
    static const char *const rising[] = {"@0", "1:0@0", "1:0@10", "1:0,2:5@5", "2:0@7", "1:0,2:10@10", "3:0@0"};
    for (int i = 0; i < (int)ARRAY_LENGTH(rising); i++)
        for (int j = 0; j < (int)ARRAY_LENGTH(rising); j++) {
            struct history a = history_of(rising[i]);
            struct history b = history_of(rising[j]);
            assert_int_equal((i > j) - (i < j), history_compare(&a, &b));
        }
}

/* Majorities. */

static bool is_listed(void *context, const struct identity *sentinel)
{
    unsigned voters = *(unsigned *)context;
    return (voters >> sentinel->bytes[15] & 1) != 0;
}

static struct sentinel_list list_of(unsigned first, unsigned count)
{
    struct sentinel_list list;
    memset(&list, 0, sizeof(list));
    list.count = count;
    for (unsigned i = 0; i < count; i++)
        list.entries[i].sentinel = identity_of(first + i);
    return list;
}

static void a_majority_is_of_all_that_are_listed(void **state)
{
    (void)state;
    struct topology topology;
    memset(&topology, 0, sizeof(topology));
    unsigned voters = ~0u;
    assert_false(topology_majority(&topology, is_listed, &voters));
    for (unsigned count = 1; count <= TOPOLOGY_SENTINELS_MAX; count++) {
        topology.sentinels = list_of(0, count);
        for (voters = 0; voters < 1u << (TOPOLOGY_SENTINELS_MAX + 1); voters++) {
            unsigned votes = (unsigned)__builtin_popcount(voters & ((1u << count) - 1));
            assert_int_equal(votes >= count / 2 + 1, topology_majority(&topology, is_listed, &voters));
        }
    }
}

static void under_two_lists_both_must_agree(void **state)
{
    (void)state;
    struct topology topology;
    memset(&topology, 0, sizeof(topology));
    topology.sentinels = list_of(0, 3);          /* 0 1 2 */
    topology.previous_sentinels = list_of(2, 3); /* 2 3 4 */
    for (unsigned voters = 0; voters < 32; voters++) {
        bool expected = __builtin_popcount(voters & 0x07) >= 2 && __builtin_popcount(voters & 0x1c) >= 2;
        assert_int_equal(expected, topology_majority(&topology, is_listed, &voters));
    }
}

static void members_and_lives_are_found(void **state)
{
    (void)state;
    struct topology topology;
    memset(&topology, 0, sizeof(topology));
    struct identity one = identity_of(1), two = identity_of(2);
    assert_null(topology_member(&topology, &one));
    topology.member_count = 2;
    topology.members[0].node = one;
    topology.members[1].node = two;
    assert_ptr_equal(&topology.members[1], topology_member(&topology, &two));
    topology.in_sync_count = 1;
    topology.in_sync[0] = (struct life){.node = two, .incarnation = 4, .bits = 9};
    struct life life = topology.in_sync[0];
    assert_true(topology_in_sync(&topology, &life));
    life.incarnation = 5; /* listed by life, not by node */
    assert_false(topology_in_sync(&topology, &life));
    topology.sentinels = list_of(5, 2);
    assert_int_equal(1, sentinel_list_find(&topology.sentinels, &(struct identity){{[15] = 6}}));
    assert_int_equal(-1, sentinel_list_find(&topology.sentinels, &one));
}

/* Text. */

static void random_topologies_survive_their_text(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 5);
    static struct topology topology, again;
    struct buf text = {0};
    for (unsigned round = 0; round < 1000; round++) {
        random_topology(&rand, &topology);
        buf_clear(&text);
        topology_encode(&topology, &text);
        memset(&again, 0xaa, sizeof(again));
        assert_int_equal(0, topology_decode(buf_slice(&text), &again));
        assert_string_equal(topology.author, again.author);
        assert_string_equal(topology.reason, again.reason);
        /* What lies behind the NUL of these two says nothing. */
        memcpy(again.author, topology.author, sizeof(again.author));
        memcpy(again.reason, topology.reason, sizeof(again.reason));
        assert_memory_equal(&topology, &again, sizeof(topology));
    }
    buf_free(&text);
}

static const char sample[] = "group main\n"
                             "version 12\n"
                             "epoch 3\n"
                             "master 00000000000000000000000000000001:2:00000000000000aa\n"
                             "branch 1:0,3:500@500\n"
                             "in-sync 00000000000000000000000000000002:1:00000000000000bb\n"
                             "member 00000000000000000000000000000001 replica 100 10.0.0.1:7001 10.0.0.1:7002\n"
                             "member 00000000000000000000000000000002 replica 100 10.0.0.2:7001 /run/worker.sock\n"
                             "member 00000000000000000000000000000003 spare 0 [::1]:7001 -\n"
                             "wanted-replicas 1\n"
                             "durability sync 1\n"
                             "sentinel 0000000000000000000000000000000a 10.0.0.1:26379\n"
                             "sentinel 0000000000000000000000000000000b 10.0.0.2:26379\n"
                             "previous-sentinel 0000000000000000000000000000000a 10.0.0.1:26379\n"
                             "release 2 00000000000000000000000000000001:2:00000000000000aa 480 1:0@500\n"
                             "author operator\n"
                             "reason planned: \\x5cold\\x5c host\\x0agoes away\n";

static void the_text_reads_as_it_looks(void **state)
{
    (void)state;
    static struct topology topology;
    assert_int_equal(0, topology_decode(slice_text(sample), &topology));
    assert_string_equal("main", topology.group);
    assert_int_equal(12, topology.version);
    assert_int_equal(3, topology.epoch);
    assert_int_equal(2, topology.master.incarnation);
    assert_int_equal(0xaa, topology.master.bits);
    assert_int_equal(2, topology.branch.count);
    assert_int_equal(1, topology.in_sync_count);
    assert_int_equal(3, topology.member_count);
    assert_int_equal(MEMBER_SPARE, topology.members[2].kind);
    assert_string_equal("/run/worker.sock", topology.members[1].control.host);
    assert_int_equal(0, topology.members[1].control.port);
    assert_string_equal("[::1]", topology.members[2].data.host);
    assert_string_equal("", topology.members[2].control.host);
    assert_int_equal(1, topology.wanted_replicas);
    assert_int_equal(DURABILITY_SYNC, topology.durability);
    assert_int_equal(2, topology.sentinels.count);
    assert_int_equal(1, topology.previous_sentinels.count);
    assert_int_equal(480, topology.release.acknowledged_offset);
    assert_string_equal("planned: \\old\\ host\ngoes away", topology.reason);
}

static void assert_refused_or_canonical(struct slice text)
{
    static struct topology topology;
    if (topology_decode(text, &topology) < 0)
        return;
    struct buf again = {0};
    topology_encode(&topology, &again);
    assert_true(slice_equal(text, buf_slice(&again)));
    buf_free(&again);
}

static void no_changed_text_is_taken_for_another(void **state)
{
    (void)state;
    char changed[sizeof(sample)];
    size_t length = sizeof(sample) - 1;
    for (size_t at = 0; at < length; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(changed, sample, length);
            changed[at] = (char)byte;
            assert_refused_or_canonical(slice_of(changed, length));
        }
        memcpy(changed, sample, at);
        memcpy(changed + at, sample + at + 1, length - at - 1);
        assert_refused_or_canonical(slice_of(changed, length - 1));
    }
}

/* All that can still be read after a cut is a topology without what stood in its optional last lines. */
static void a_cut_text_is_refused_but_for_its_optional_lines(void **state)
{
    (void)state;
    static struct topology topology;
    unsigned accepted = 0;
    for (size_t length = 0; length < sizeof(sample) - 1; length++) {
        bool whole_lines = length > 0 && sample[length - 1] == '\n';
        if (topology_decode(slice_of(sample, length), &topology) < 0)
            continue;
        assert_true(whole_lines);
        accepted++;
    }
    assert_int_equal(6, accepted); /* behind durability, two sentinels, previous-sentinel, release and author */
}

/* Replaces the line that begins with `key` by `line`. */
static int decode_with(const char *key, const char *line)
{
    static struct topology topology;
    const char *place = strstr(sample, key);
    assert_non_null(place);
    const char *rest = strchr(place, '\n') + 1;
    struct buf text = {0};
    buf_add(&text, sample, (size_t)(place - sample));
    buf_add_text(&text, line);
    buf_add_text(&text, rest);
    int error = topology_decode(buf_slice(&text), &topology);
    buf_free(&text);
    return error;
}

static void nobody_is_listed_twice_and_limits_hold(void **state)
{
    (void)state;
    assert_int_equal(0, decode_with("version", "version 13\n"));
    assert_int_equal(ERR_CORRUPT, decode_with("version", ""));
    assert_int_equal(ERR_CORRUPT, decode_with("version", "version 12\nversion 12\n"));
    assert_int_equal(ERR_CORRUPT, decode_with("version", "version 12 \n"));
    assert_int_equal(ERR_CORRUPT, decode_with("version", "version 12\nfuture 1\n"));
    assert_int_equal(ERR_CORRUPT, decode_with("group", "group ma in\n"));
    assert_int_equal(0, decode_with("wanted-replicas", "")); /* none are wanted */
    assert_int_equal(ERR_CORRUPT, decode_with("wanted-replicas", "wanted-replicas 0\n"));
    assert_int_equal(ERR_CORRUPT, decode_with("wanted-replicas", "wanted-replicas 4294967296\n"));
    assert_int_equal(ERR_CORRUPT, decode_with("durability", "durability sync 4294967296\n"));
    assert_int_equal(ERR_CORRUPT, decode_with("durability", "durability eventual 1\n"));
    assert_int_equal(ERR_CORRUPT,
                     decode_with("sentinel", "sentinel 0000000000000000000000000000000b 10.0.0.1:26379\n"));
    assert_int_equal(ERR_CORRUPT,
                     decode_with("in-sync", "in-sync 00000000000000000000000000000002:1:00000000000000bb\n"
                                            "in-sync 00000000000000000000000000000002:2:00000000000000cc\n"));
    assert_int_equal(
        ERR_CORRUPT,
        decode_with("member", "member 00000000000000000000000000000002 replica 100 10.0.0.1:7001 10.0.0.1:7002\n"));

    struct buf many = {0};
    for (unsigned i = 0; i <= TOPOLOGY_SENTINELS_MAX; i++)
        buf_add_format(&many, "previous-sentinel 0000000000000000000000000000000%x 10.0.0.1:26379\n", i);
    buf_add(&many, "", 1);
    assert_int_equal(ERR_CORRUPT, decode_with("previous-sentinel", buf_slice(&many).data));
    buf_clear(&many);
    buf_add_text(&many, "author ");
    for (unsigned i = 0; i < TOPOLOGY_TEXT_MAX; i++)
        buf_add_text(&many, "a");
    buf_add(&many, "\n", 2);
    assert_int_equal(ERR_CORRUPT, decode_with("author", buf_slice(&many).data));
    buf_free(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_are_hexadecimal_words),
        cmocka_unit_test(a_life_is_node_start_and_bits),
        cmocka_unit_test(ballots_are_ordered_by_counter_then_sentinel_then_run),
        cmocka_unit_test(history_text_is_strict),
        cmocka_unit_test(a_history_holds_so_many_entries_and_no_more),
        cmocka_unit_test(an_empty_history_has_no_offset),
        cmocka_unit_test(prefixes_by_truth_table),
        cmocka_unit_test(prefixes_of_a_history_that_dropped_entries),
        cmocka_unit_test(histories_are_one_up_to_where_they_part),
        cmocka_unit_test(prefix_holds_along_one_line_and_breaks_at_a_fork),
        cmocka_unit_test(better_means_later_epoch_then_further_offset),
        cmocka_unit_test(a_majority_is_of_all_that_are_listed),
        cmocka_unit_test(under_two_lists_both_must_agree),
        cmocka_unit_test(members_and_lives_are_found),
        cmocka_unit_test(random_topologies_survive_their_text),
        cmocka_unit_test(the_text_reads_as_it_looks),
        cmocka_unit_test(no_changed_text_is_taken_for_another),
        cmocka_unit_test(a_cut_text_is_refused_but_for_its_optional_lines),
        cmocka_unit_test(nobody_is_listed_twice_and_limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
