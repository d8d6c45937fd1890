#include "cacheworker/ha/node_state.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct cw_node_state sample(const char *group)
{
    struct cw_node_state state = {.life = {.incarnation = 7, .bits = UINT64_MAX}, .fence = 12};
    for (size_t i = 0; i < sizeof(state.life.node.bytes); i++)
        state.life.node.bytes[i] = (uint8_t)(i * 17);
    strcpy(state.group, group);
    return state;
}

static void a_state_comes_back(void **unused)
{
    (void)unused;
    static const char *const groups[] = {"", "main", "a-group_with.31-characters-in-it"};
    for (size_t i = 0; i < ARRAY_LENGTH(groups); i++) {
        if (strlen(groups[i]) >= GROUP_NAME_MAX)
            continue;
        struct cw_node_state state = sample(groups[i]);
        struct cw_node_state back;
        struct buf text = {0};
        cw_node_state_encode(&state, &text);
        assert_int_equal(cw_node_state_decode(buf_slice(&text), &back), 0);
        assert_true(cw_node_state_equal(&state, &back));
        buf_free(&text);
    }
}

static void every_changed_byte_is_refused(void **unused)
{
    (void)unused;
    struct cw_node_state state = sample("main");
    struct cw_node_state back;
    struct buf text = {0};
    cw_node_state_encode(&state, &text);
    for (size_t i = 0; i < buf_length(&text); i++) {
        for (int byte = 0; byte < 256; byte++) {
            char kept = text.memory[text.start + i];
            if ((char)byte == kept)
                continue;
            text.memory[text.start + i] = (char)byte;
            assert_int_equal(cw_node_state_decode(buf_slice(&text), &back), ERR_CORRUPT);
            text.memory[text.start + i] = kept;
        }
    }
    buf_free(&text);
}

static void every_truncation_and_surplus_is_refused(void **unused)
{
    (void)unused;
    struct cw_node_state state = sample("main");
    struct cw_node_state back;
    struct buf text = {0};
    cw_node_state_encode(&state, &text);
    for (size_t length = 0; length < buf_length(&text); length++)
        assert_int_equal(cw_node_state_decode(slice_of(buf_slice(&text).data, length), &back), ERR_CORRUPT);
    buf_add_text(&text, "\n");
    assert_int_equal(cw_node_state_decode(buf_slice(&text), &back), ERR_CORRUPT);
    buf_free(&text);
}

/* Sound by its checksum, but no node's: nobody, or never started. */
static void nobodys_state_is_refused(void **unused)
{
    (void)unused;
    struct cw_node_state back;
    for (int i = 0; i < 2; i++) {
        struct cw_node_state state = sample("main");
        if (i == 0)
            memset(&state.life.node, 0, sizeof(state.life.node));
        else
            state.life.incarnation = 0;
        struct buf text = {0};
        cw_node_state_encode(&state, &text);
        assert_int_equal(cw_node_state_decode(buf_slice(&text), &back), ERR_CORRUPT);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_comes_back),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(every_truncation_and_surplus_is_refused),
        cmocka_unit_test(nobodys_state_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
