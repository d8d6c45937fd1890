#include "tests/sim/stream.h"

#include "common/base/mem.h"
#include "tests/sim/inbox.h"
#include "tests/sim/repeats.h"

#define RETRY_NS (100 * NS_PER_MS)

struct sim_stream *stream_find(struct world *world, uint64_t serial)
{
    for (struct sim_stream *stream = world->streams; stream != NULL; stream = stream->next)
        if (stream->serial == serial)
            return stream;
    return NULL;
}

int64_t stream_delay_ns(struct world *world)
{
    const struct sim_options *options = &world->options;
    int64_t delay_ns = rand_between(&world->rand, options->delay_min_ns, options->delay_max_ns);
    if (rand_chance(&world->rand, options->delay_spike_per_million))
        delay_ns += 200 * NS_PER_MS;
    return delay_ns;
}

static struct sim_end *other_end(struct sim_end *end)
{
    return &end->stream->ends[1 - end->side];
}

static bool way_is_cut(const struct world *world, const struct sim_end *to)
{
    return world->cut[to->stream->hosts[1 - to->side]][to->stream->hosts[to->side]];
}

static void free_flight(struct sim_end *end)
{
    while (end->flight_first != NULL) {
        struct sim_segment *segment = end->flight_first;
        end->flight_first = segment->next;
        mem_free(segment);
    }
    end->flight_last = NULL;
    end->flight_bytes = 0;
}

static void detach(struct sim_end *end)
{
    if (end->process != NULL && end->link != LINK_NONE && end->process->links[end->link] == end)
        end->process->links[end->link] = NULL;
    end->process = NULL;
    end->link = LINK_NONE;
    buf_free(&end->arrived);
}

static void free_stream(struct sim_stream *stream)
{
    if (stream->next != NULL)
        stream->next->link_from = stream->link_from;
    *stream->link_from = stream->next;
    for (unsigned side = 0; side < 2; side++) {
        free_flight(&stream->ends[side]);
        detach(&stream->ends[side]);
    }
    mem_free(stream);
}

/* A stream goes when nobody holds an end and nothing is on its way to somebody. */
static void free_if_unused(struct sim_stream *stream)
{
    if (stream->ends[0].process == NULL && stream->ends[1].process == NULL)
        free_stream(stream);
}

static const struct sim_process *listener_at(const struct world *world, const struct address *address)
{
    for (unsigned i = 0; i < world->process_count; i++)
        for (unsigned k = 0; k < world->processes[i].listener_count; k++)
            if (address_equal(&world->processes[i].listeners[k], address))
                return &world->processes[i];
    return NULL;
}

struct sim_stream *stream_open(struct world *world, struct sim_process *from, link_id link,
                               const struct address *address)
{
    struct sim_stream *stream = mem_zero(sizeof(*stream));
    stream->serial = ++world->next_serial;
    stream->opened_ns = world->now_ns;
    stream->address = *address;
    const struct sim_process *listener = listener_at(world, address);
    stream->is_control = from->is_daemon && listener != NULL && address->port == listener->control_port;
    stream->hosts[0] = from->index;
    stream->hosts[1] = listener != NULL ? listener->index : from->index;
    for (unsigned side = 0; side < 2; side++) {
        stream->ends[side].stream = stream;
        stream->ends[side].side = side;
        stream->ends[side].link = LINK_NONE;
    }
    stream->ends[0].process = from;
    stream->ends[0].link = link;
    stream->next = world->streams;
    stream->link_from = &world->streams;
    if (stream->next != NULL)
        stream->next->link_from = &stream->next;
    world->streams = stream;
    queue_add(world->queue, (struct sim_event){.at_ns = world->now_ns + stream_delay_ns(world),
                                               .kind = SIM_CONNECT,
                                               .stream = stream->serial});
    return stream;
}

static void schedule_reset(struct world *world, struct sim_end *end)
{
    queue_add(world->queue, (struct sim_event){.at_ns = world->now_ns + stream_delay_ns(world),
                                               .kind = SIM_RESET,
                                               .stream = end->stream->serial,
                                               .end = end->side});
}

void stream_connect(struct world *world, struct sim_stream *stream)
{
    struct sim_end *asker = &stream->ends[0];
    struct sim_end *listener_end = &stream->ends[1];
    if (asker->process == NULL) {
        free_if_unused(stream);
        return;
    }
    struct sim_process *listener = &world->processes[stream->hosts[1]];
    bool cut = way_is_cut(world, asker) || way_is_cut(world, listener_end) || listener->powered_off;
    if (cut && world->now_ns - stream->opened_ns >= SIM_USER_TIMEOUT_NS) {
        stream_reset(world, asker);
        return;
    }
    if (cut) {
        queue_add(world->queue,
                  (struct sim_event){.at_ns = world->now_ns + RETRY_NS, .kind = SIM_CONNECT, .stream = stream->serial});
        return;
    }
    int number = -1;
    for (unsigned i = 0; i < listener->listener_count; i++)
        if (listener->running && listener->listening && address_equal(&listener->listeners[i], &stream->address))
            number = (int)i;
    if (number < 0) {
        schedule_reset(world, asker);
        return;
    }
    listener_end->process = listener;
    inbox_add(world, listener,
              (struct sim_input){.kind = INPUT_ACCEPT, .stream = stream->serial, .side = 1, .listener = number});
    queue_add(world->queue, (struct sim_event){.at_ns = world->now_ns + stream_delay_ns(world),
                                               .kind = SIM_OPENED,
                                               .stream = stream->serial});
}

static void schedule_arrival(struct world *world, struct sim_end *end)
{
    if (end->arrival_scheduled || end->flight_first == NULL)
        return;
    end->arrival_scheduled = true;
    int64_t at_ns = end->flight_first->arrival_ns;
    queue_add(world->queue, (struct sim_event){.at_ns = at_ns > world->now_ns ? at_ns : world->now_ns,
                                               .kind = SIM_ARRIVAL,
                                               .stream = end->stream->serial,
                                               .end = end->side});
}

static void add_flight(struct world *world, struct sim_end *to, struct slice bytes, bool is_end)
{
    struct sim_segment *segment = mem_alloc(sizeof(*segment) + bytes.length);
    int64_t arrival_ns = world->now_ns + stream_delay_ns(world);
    int64_t lag_ns = world->lag_ns[to->stream->hosts[1 - to->side]][to->stream->hosts[to->side]];
    if (lag_ns > 0 && rand_chance(&world->rand, 500000))
        arrival_ns += rand_between(&world->rand, 0, lag_ns);
    if (arrival_ns < to->last_arrival_ns)
        arrival_ns = to->last_arrival_ns;
    to->last_arrival_ns = arrival_ns;
    *segment = (struct sim_segment){
        .sent_ns = world->now_ns, .arrival_ns = arrival_ns, .is_end = is_end, .length = bytes.length};
    if (bytes.length > 0)
        memcpy(segment->bytes, bytes.data, bytes.length);
    if (to->flight_last != NULL)
        to->flight_last->next = segment;
    else
        to->flight_first = segment;
    to->flight_last = segment;
    to->flight_bytes += bytes.length;
    schedule_arrival(world, to);
}

static void repeat(struct world *world, struct sim_end *end, struct slice bytes)
{
    struct buf again = {0};
    repeats_draw(world, end, bytes, &again);
    if (buf_length(&again) > 0)
        add_flight(world, other_end(end), buf_slice(&again), false);
    buf_free(&again);
}

void stream_send(struct world *world, struct sim_end *end, struct slice bytes)
{
    if (bytes.length == 0 || end->is_broken) /* else the other end would read on behind a gap */
        return;
    /* Streams keep no boundaries: now and then the end comes later than the beginning, or not at all. */
    size_t first =
        rand_chance(&world->rand, 100000) ? 1 + (size_t)rand_below(&world->rand, bytes.length) : bytes.length;
    add_flight(world, other_end(end), slice_of(bytes.data, first), false);
    if (first < bytes.length)
        add_flight(world, other_end(end), slice_skip(bytes, first), false);
    if (end->stream->is_control && world->options.repeat_per_million > 0)
        repeat(world, end, bytes);
}

size_t stream_window(const struct sim_end *end)
{
    const struct sim_end *to = &end->stream->ends[1 - end->side];
    size_t held = to->flight_bytes + buf_length(&to->arrived);
    return held < SIM_WINDOW_BYTES ? SIM_WINDOW_BYTES - held : 0;
}

void stream_close_end(struct world *world, struct sim_end *end)
{
    struct sim_stream *stream = end->stream;
    free_flight(end);
    detach(end);
    if (other_end(end)->process != NULL)
        add_flight(world, other_end(end), (struct slice){0}, true);
    free_if_unused(stream);
}

void stream_forget_end(struct world *world, struct sim_end *end)
{
    (void)world;
    struct sim_stream *stream = end->stream;
    free_flight(end);
    detach(end);
    free_if_unused(stream);
}

void stream_reset(struct world *world, struct sim_end *end)
{
    struct sim_process *process = end->process;
    if (process == NULL)
        return;
    free_flight(end);
    buf_clear(&end->arrived);
    end->end_arrived = end->is_broken = true;
    inbox_add(world, process,
              (struct sim_input){.kind = INPUT_CLOSED, .stream = end->stream->serial, .side = end->side});
}

/* The sender is gone and will not send its last words again. Whoever still waits for them asks with a keepalive when
 * the way is free, and hears that there is no such stream: here, the end of it. */
static void forget_last_words(struct sim_end *end)
{
    struct sim_segment *segment = end->flight_first;
    end->flight_first = segment->next;
    free_flight(end);
    segment->next = NULL;
    segment->length = 0;
    segment->is_end = true;
    end->flight_first = end->flight_last = segment;
}

/* A segment that cannot get through is tried again; in the end its sender gives up. */
static void retry_later(struct world *world, struct sim_end *end)
{
    struct sim_end *sender = other_end(end);
    if (world->now_ns - end->flight_first->sent_ns >= SIM_USER_TIMEOUT_NS && sender->process != NULL) {
        free_flight(end);
        stream_reset(world, sender);
        return;
    }
    if (sender->process == NULL && !end->flight_first->is_end)
        forget_last_words(end);
    end->flight_first->arrival_ns = world->now_ns + RETRY_NS;
    schedule_arrival(world, end);
}

static void receive(struct world *world, struct sim_end *end, const struct sim_segment *segment)
{
    if (segment->is_end)
        end->end_arrived = true;
    buf_add(&end->arrived, segment->bytes, segment->length);
    if (end->accepted && !end->queued && !end->read_paused) {
        end->queued = true;
        inbox_add(world, end->process,
                  (struct sim_input){.kind = INPUT_RECEIVED, .stream = end->stream->serial, .side = end->side});
    }
}

void stream_arrive(struct world *world, struct sim_end *end)
{
    end->arrival_scheduled = false;
    while (end->flight_first != NULL && end->flight_first->arrival_ns <= world->now_ns) {
        if (way_is_cut(world, end) || world->processes[end->stream->hosts[end->side]].powered_off) {
            retry_later(world, end);
            return;
        }
        struct sim_segment *segment = end->flight_first;
        end->flight_first = segment->next;
        if (end->flight_first == NULL)
            end->flight_last = NULL;
        end->flight_bytes -= segment->length;
        if (end->process != NULL && !end->end_arrived)
            receive(world, end, segment);
        else if (end->process == NULL && !segment->is_end)
            schedule_reset(world, other_end(end));
        mem_free(segment);
    }
    schedule_arrival(world, end);
}

void stream_free_all(struct world *world)
{
    while (world->streams != NULL)
        free_stream(world->streams);
}
