#include "tests/sim/repeats.h"

#include "common/base/mem.h"
#include "common/resp/resp_reader.h"

enum { REMEMBERED = 16 };

/* What one host said to another, on links of either's opening apart. */
struct sim_repeats {
    struct sim_repeats *next;
    unsigned from, to, side;
    struct buf messages[REMEMBERED]; /* owned; ring */
    uint64_t count;
};

static struct sim_repeats *find(struct world *world, const struct sim_end *from)
{
    unsigned host = from->stream->hosts[from->side], other = from->stream->hosts[1 - from->side];
    struct sim_repeats *repeats = world->repeats;
    while (repeats != NULL && (repeats->from != host || repeats->to != other || repeats->side != from->side))
        repeats = repeats->next;
    if (repeats != NULL)
        return repeats;
    repeats = mem_zero(sizeof(*repeats));
    repeats->from = host;
    repeats->to = other;
    repeats->side = from->side;
    repeats->next = world->repeats;
    world->repeats = repeats;
    return repeats;
}

static void remember(struct sim_repeats *repeats, struct slice message)
{
    struct buf *kept = &repeats->messages[repeats->count++ % REMEMBERED];
    buf_clear(kept);
    buf_add_slice(kept, message);
}

static void draw(struct world *world, const struct sim_repeats *repeats, struct buf *again)
{
    uint64_t held = repeats->count < REMEMBERED ? repeats->count : REMEMBERED;
    if (!rand_chance(&world->rand, world->options.repeat_per_million))
        return;
    bool is_last = rand_chance(&world->rand, 300000);
    uint64_t back = is_last ? 1 : 1 + rand_below(&world->rand, held);
    buf_add_slice(again, buf_slice(&repeats->messages[(repeats->count - back) % REMEMBERED]));
    world->repeated++;
}

void repeats_draw(struct world *world, const struct sim_end *from, struct slice bytes, struct buf *again)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct sim_repeats *repeats = find(world, from);
    struct resp_request request = {0};
    int64_t used;
    while (bytes.length > 0 && (used = resp_request_read(&request, bytes, &limits)) > 0) {
        remember(repeats, slice_of(bytes.data, (size_t)used));
        draw(world, repeats, again);
        bytes = slice_skip(bytes, (size_t)used);
        resp_request_reset(&request);
    }
    resp_request_free(&request);
    if (bytes.length > 0) /* the rest of a message is still to come */
        buf_clear(again);
}

void repeats_free(struct world *world)
{
    while (world->repeats != NULL) {
        struct sim_repeats *repeats = world->repeats;
        world->repeats = repeats->next;
        for (unsigned i = 0; i < REMEMBERED; i++)
            buf_free(&repeats->messages[i]);
        mem_free(repeats);
    }
}
