/* "sentinel.state": what is accepted is written again as it was read, nothing but the whole file is accepted, and a
 * sentinel that starts from it keeps its name and every promise, with a run of its own. Anything else costs it its
 * name. The input is the file, but for its last line: the checksum is put there. */
#include "common/base/crc32c.h"
#include "common/base/mem.h"
#include "sentinel/core/inspect.h"
#include "sentinel/core/sentinel.h"
#include "sentinel/core/state.h"
#include "tests/fuzz/fuzz.h"

static void must_be_whole(struct slice text)
{
    enum { STEPS = 64 }; /* of a file of some length: each costs its decoding */
    static struct sn_state state;
    char *block = fuzz_exact_copy(text);
    for (size_t step = 0; step < STEPS; step++) {
        size_t at = step * text.length / STEPS;
        CHECK(sn_state_decode(slice_of(block, at), &state) < 0);
        block[at] ^= (char)(1 << step % 8);
        CHECK(sn_state_decode(slice_of(block, text.length), &state) < 0);
        block[at] ^= (char)(1 << step % 8);
    }
    mem_free(block);
}

/* The text that the sentinel asks to be made durable when it starts. */
static void start_sentinel(struct slice text, const struct identity *stranger, struct buf *persisted)
{
    struct sn_sentinel *sentinel;
    struct effects effects = {0};
    struct sn_config config = {.secret = SLICE_LITERAL("secret"),
                               .address = {.host = "127.0.0.1", .port = 26379},
                               .endpoint = SN_ENDPOINT_MASTER,
                               .restart_shortcut = true,
                               .cold_start_wait_ns = 30 * NS_PER_S,
                               .random_seed = 1,
                               .new_identity = *stranger,
                               .state = text,
                               .state_found = true};
    CHECK(sn_sentinel_create(&config, &sentinel) == 0);
    sn_sentinel_door.step(sentinel, &(struct event){.kind = EVENT_START, .now_ns = NS_PER_S}, &effects);
    CHECK(!sn_inspect_is_serving(sentinel));
    for (size_t i = 0; i < effects.count; i++) {
        if (effects.items[i].kind == EFFECT_PERSIST)
            buf_add_slice(persisted, effects_text(&effects, &effects.items[i]));
    }
    effects_free(&effects);
    sn_sentinel_door.destroy(sentinel);
}

static void must_go_on(const struct sn_state *before, const struct sn_state *after)
{
    CHECK(identity_equal(&before->id, &after->id) && after->run == before->run + 1);
    CHECK(before->group_count == after->group_count);
    for (uint32_t i = 0; i < before->group_count; i++) {
        CHECK(strcmp(before->groups[i].name, after->groups[i].name) == 0);
        CHECK(ballot_compare(&before->groups[i].acceptor.promised, &after->groups[i].acceptor.promised) == 0);
        CHECK(ballot_compare(&before->groups[i].acceptor.accepted, &after->groups[i].acceptor.accepted) == 0);
        CHECK(before->groups[i].acceptor.value.version == after->groups[i].acceptor.value.version);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sn_state state;
    static struct sn_state started;
    static const struct identity stranger = {{0xee, 1}};
    struct buf text = {0};
    struct buf again = {0};
    struct buf persisted = {0};
    buf_add(&text, data, size);
    buf_add_format(&text, "end %08x\n", crc32c(slice_of(text.memory, size)));
    struct slice file = buf_slice(&text);

    bool accepted = sn_state_decode(file, &state) == 0;
    if (accepted) {
        sn_state_encode(&state, &again);
        fuzz_must_equal(file, buf_slice(&again), "a sentinel's state");
        must_be_whole(file);
    }
    start_sentinel(file, &stranger, &persisted);
    CHECK(sn_state_decode(buf_slice(&persisted), &started) == 0);
    if (accepted)
        must_go_on(&state, &started);
    else
        CHECK(identity_equal(&started.id, &stranger) && started.run == 1 && started.group_count == 0);
    buf_free(&persisted);
    buf_free(&again);
    buf_free(&text);
    return 0;
}
