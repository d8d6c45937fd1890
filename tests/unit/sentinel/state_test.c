/* "sentinel.state": whole or nothing. */
#include "sentinel/core/state.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "tests/lib/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void fill(struct rand *rand, struct sn_state *state, uint32_t groups)
{
    memset(state, 0, sizeof(*state));
    state->id = random_identity(rand);
    state->run = rand_u64(rand);
    state->group_count = groups;
    for (uint32_t i = 0; i < groups; i++) {
        struct sn_acceptor *acceptor = &state->groups[i].acceptor;
        snprintf(state->groups[i].name, GROUP_NAME_MAX, "group-%u", i);
        acceptor->promised = random_ballot(rand);
        acceptor->accepted = random_ballot(rand);
        if (i % 3 != 2) { /* else nothing was accepted */
            random_topology(rand, &acceptor->value);
            acceptor->value.version |= 1;
        }
    }
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct sn_state *written = mem_zero(sizeof(*written)), *read = mem_zero(sizeof(*read));
    struct rand rand;
    rand_seed(&rand, 3);
    for (uint32_t i = 0; i < 60; i++) {
        struct buf text = {0}, again = {0};
        fill(&rand, written, i % (SN_GROUPS_MAX + 1));
        sn_state_encode(written, &text);
        assert_int_equal(sn_state_decode(buf_slice(&text), read), 0);
        sn_state_encode(read, &again);
        assert_true(slice_equal(buf_slice(&text), buf_slice(&again)));
        assert_true(identity_equal(&read->id, &written->id));
        assert_int_equal(read->run, written->run);
        assert_int_equal(read->group_count, written->group_count);
        buf_free(&text);
        buf_free(&again);
    }
    mem_free(written);
    mem_free(read);
}

/* Every byte changed, every length cut, bytes added: never a state, and never a partial one. */
static void any_damage_is_noticed(void **state)
{
    (void)state;
    struct sn_state *written = mem_zero(sizeof(*written)), *read = mem_zero(sizeof(*read));
    struct rand rand;
    struct buf text = {0};
    rand_seed(&rand, 4);
    fill(&rand, written, 2);
    sn_state_encode(written, &text);
    memset(read, 0xaa, sizeof(*read));
    struct sn_state *untouched = mem_alloc(sizeof(*untouched));
    memcpy(untouched, read, sizeof(*read));
    for (size_t i = 0; i < buf_length(&text); i++) {
        char *byte = text.memory + text.start + i;
        char kept = *byte;
        *byte = (char)(kept ^ (1 << i % 8));
        assert_int_equal(sn_state_decode(buf_slice(&text), read), ERR_CORRUPT);
        *byte = '\0';
        assert_int_equal(sn_state_decode(buf_slice(&text), read), ERR_CORRUPT);
        *byte = kept;
        assert_int_equal(sn_state_decode(slice_of(text.memory + text.start, i), read), ERR_CORRUPT);
    }
    buf_add_text(&text, "\n");
    assert_int_equal(sn_state_decode(buf_slice(&text), read), ERR_CORRUPT);
    assert_memory_equal(read, untouched, sizeof(*read));
    buf_free(&text);
    mem_free(untouched);
    mem_free(written);
    mem_free(read);
}

static void more_groups_than_fit_are_damage(void **state)
{
    (void)state;
    struct sn_state *written = mem_zero(sizeof(*written)), *read = mem_zero(sizeof(*read));
    struct buf text = {0}, longer = {0};
    sn_state_encode(written, &text);
    struct slice head = slice_of(text.memory, buf_length(&text) - strlen("end 00000000\n"));
    buf_add_slice(&longer, head);
    for (int i = 0; i <= SN_GROUPS_MAX; i++)
        buf_add_format(&longer, "group g%d\npromised 0:%032d:0\naccepted 0:%032d:0\nvalue 0\n", i, 0, 0);
    buf_add_text(&longer, "end 00000000\n");
    assert_int_equal(sn_state_decode(buf_slice(&longer), read), ERR_CORRUPT);
    assert_int_equal(sn_state_decode(SLICE_LITERAL(""), read), ERR_CORRUPT);
    buf_free(&text);
    buf_free(&longer);
    mem_free(written);
    mem_free(read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(any_damage_is_noticed),
        cmocka_unit_test(more_groups_than_fit_are_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
