/* "node.state", the incarnation and fence of a node: what is accepted is written again as it was read, nothing but the
 * whole file is accepted, and a worker that starts from it goes on as the same node, in a newer life, with its fence.
 * Anything else makes it a new node. The input is the file, but for its last line: the checksum is put there. */
#include "cacheworker/engine/inspect.h"
#include "cacheworker/ha/node_state.h"
#include "common/base/crc32c.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/cacheworker/engine/bench.h"

static void must_be_whole(struct slice text)
{
    struct cw_node_state state;
    for (size_t length = 0; length < text.length; length++) {
        char *cut = fuzz_exact_copy(slice_of(text.data, length));
        CHECK(cw_node_state_decode(slice_of(cut, length), &state) < 0);
        mem_free(cut);
    }
    char *flipped = fuzz_exact_copy(text);
    for (size_t bit = 0; bit < 8 * text.length; bit++) {
        flipped[bit / 8] ^= (char)(1 << bit % 8);
        CHECK(cw_node_state_decode(slice_of(flipped, text.length), &state) < 0);
        flipped[bit / 8] ^= (char)(1 << bit % 8);
    }
    mem_free(flipped);
}

static void start_worker(struct slice text, const struct cw_node_state *state)
{
    struct bench bench;
    struct cw_config config;
    bench_config(&config, false);
    config.state = text;
    config.state_found = true;
    bench_start(&bench, &config);
    const struct life *life = cw_inspect_life(bench.worker);
    if (state != NULL) {
        CHECK(identity_equal(&life->node, &state->life.node));
        CHECK(life->incarnation > state->life.incarnation || state->life.incarnation == UINT64_MAX);
        CHECK(cw_inspect_fence(bench.worker) == state->fence);
    } else {
        CHECK(identity_equal(&life->node, &config.new_identity) && life->incarnation == 1);
        CHECK(cw_inspect_fence(bench.worker) == 0);
    }
    CHECK(life->bits == config.incarnation_bits);
    bench_end(&bench);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_node_state state;
    struct buf text = {0};
    struct buf again = {0};
    buf_add(&text, data, size);
    buf_add_format(&text, "crc32c %08x\n", crc32c(slice_of(data, size)));
    char *block = fuzz_exact_copy(buf_slice(&text));
    struct slice file = slice_of(block, buf_length(&text));
    bool accepted = cw_node_state_decode(file, &state) == 0;
    if (accepted) {
        cw_node_state_encode(&state, &again);
        fuzz_must_equal(file, buf_slice(&again), "a node's state");
        must_be_whole(file);
    }
    start_worker(file, accepted ? &state : NULL);
    mem_free(block);
    buf_free(&again);
    buf_free(&text);
    return 0;
}
