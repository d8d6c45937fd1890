#include "tests/sim/world.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "tests/sim/disk.h"
#include "tests/sim/inbox.h"
#include "tests/sim/repeats.h"

#include <stdio.h>

#define TURN_AGAIN_NS NS_PER_US

void world_note(struct world *world, uint64_t value)
{
    world->hash = rand_mix(world->hash ^ value);
}

int64_t sim_clock_ns(const struct world *world, const struct sim_process *process)
{
    return process->clock_offset_ns + world->now_ns + world->now_ns / 1000000 * process->clock_rate_ppm;
}

int64_t sim_wall_us(const struct world *world, const struct sim_process *process)
{
    return 1700000000000000 + process->wall_offset_us + world->now_ns / NS_PER_US;
}

/* --- inbox --- */

void process_wake_at(struct world *world, struct sim_process *process, int64_t at_ns)
{
    if (!process->running || (process->wake_scheduled && process->wake_ns <= at_ns))
        return;
    process->wake_scheduled = true;
    process->wake_ns = at_ns;
    queue_add(world->queue,
              (struct sim_event){.at_ns = at_ns, .kind = SIM_WAKE, .process = process->index, .life = process->life});
}

void inbox_add(struct world *world, struct sim_process *process, struct sim_input input)
{
    struct sim_input *kept = mem_alloc(sizeof(*kept));
    *kept = input;
    kept->next = NULL;
    if (process->inbox_last != NULL)
        process->inbox_last->next = kept;
    else
        process->inbox_first = kept;
    process->inbox_last = kept;
    process_wake_at(world, process, world->now_ns);
}

void inbox_clear(struct sim_process *process)
{
    while (process->inbox_first != NULL) {
        struct sim_input *input = process->inbox_first;
        process->inbox_first = input->next;
        mem_free(input);
    }
    process->inbox_last = NULL;
}

/* --- effects --- */

static void set_link(struct sim_process *process, link_id link, struct sim_end *end)
{
    CHECK(link < 1 << 20);
    if (link >= process->link_capacity) {
        size_t capacity = 2 * (size_t)link + 16;
        process->links = mem_resize(process->links, capacity * sizeof(struct sim_end *));
        memset(process->links + process->link_capacity, 0,
               (capacity - process->link_capacity) * sizeof(struct sim_end *));
        process->link_capacity = capacity;
    }
    CHECK(end == NULL || process->links[link] == NULL);
    process->links[link] = end;
}

static struct sim_end *end_of(struct sim_process *process, link_id link)
{
    return link < process->link_capacity ? process->links[link] : NULL;
}

/* Lets the bytes out that the core gives at this moment, as far as the window reaches. */
static void write_output(struct world *world, struct sim_process *process, struct sim_end *end)
{
    end->flush_pending = false;
    link_id link = end->link;
    for (;;) {
        struct slice bytes = process->door->output(process->core, link, sim_clock_ns(world, process));
        size_t window = stream_window(end);
        size_t taken = bytes.length < window ? bytes.length : window;
        end->output_blocked = bytes.length > taken;
        if (taken == 0)
            return;
        world_note(world, rand_mix(taken) ^ process->index);
        if (world->observe_output != NULL)
            world->observe_output(world->observe_context, process, link, slice_of(bytes.data, taken));
        stream_send(world, end, slice_of(bytes.data, taken));
        process->door->sent(process->core, link, taken, &process->effects);
        if (end_of(process, link) != end)
            return;
    }
}

static void close_link(struct world *world, struct sim_process *process, struct sim_end *end)
{
    if (end->flush_pending)
        write_output(world, process, end);
    stream_close_end(world, end);
}

static void drain_link(struct world *world, struct sim_process *process, struct sim_end *end)
{
    write_output(world, process, end);
    link_id link = end->link;
    stream_close_end(world, end);
    struct event closed = {.kind = EVENT_CLOSED,
                           .link = link,
                           .now_ns = sim_clock_ns(world, process),
                           .wall_us = sim_wall_us(world, process)};
    process->door->step(process->core, &closed, &process->effects);
}

static void resume_link(struct world *world, struct sim_process *process, struct sim_end *end)
{
    end->read_paused = false;
    if (!end->queued && (buf_length(&end->arrived) > 0 || end->end_arrived)) {
        end->queued = true;
        inbox_add(world, process,
                  (struct sim_input){.kind = INPUT_RECEIVED, .stream = end->stream->serial, .side = end->side});
    }
}

static void carry_out(struct world *world, struct sim_process *process, const struct effect *effect)
{
    struct sim_end *end = end_of(process, effect->link);
    switch (effect->kind) {
    case EFFECT_LISTEN: process->listening = true; break;
    case EFFECT_CONNECT:
        set_link(process, effect->link, &stream_open(world, process, effect->link, &effect->address)->ends[0]);
        break;
    case EFFECT_FLUSH:
        if (end != NULL)
            end->flush_pending = true;
        break;
    case EFFECT_CLOSE:
        if (end != NULL)
            close_link(world, process, end);
        break;
    case EFFECT_DRAIN:
        if (end != NULL)
            drain_link(world, process, end);
        break;
    case EFFECT_PAUSE:
        if (end != NULL)
            end->read_paused = true;
        break;
    case EFFECT_RESUME:
        if (end != NULL)
            resume_link(world, process, end);
        break;
    case EFFECT_PERSIST:
    case EFFECT_FILE: disk_ask(world, process, &process->effects, effect); break;
    case EFFECT_LOG:
        if (world->verbose && effect->level >= LOG_LEVEL_INFO) {
            struct slice text = effects_text(&process->effects, effect);
            printf("# %10.6f %-12s %.*s\n", (double)world->now_ns / 1e9, process->name, (int)text.length, text.data);
        }
        break;
    case EFFECT_LOG_LEVEL:
    case EFFECT_WAKE:
    case EFFECT_EXIT: break;
    }
}

/* Everything but output is carried out at once, in order; flushes wait for the end of the turn. */
static void carry_out_all(struct world *world, struct sim_process *process)
{
    bool exits = false;
    for (size_t i = 0; i < process->effects.count; i++) {
        struct effect effect = process->effects.items[i];
        carry_out(world, process, &effect);
        exits = exits || effect.kind == EFFECT_EXIT;
    }
    effects_clear(&process->effects);
    if (!exits)
        return;
    sim_kill(world, process);
    if (world->crashed != NULL)
        world->crashed(world->crashed_context, process);
}

/* --- turns --- */

static void step(struct world *world, struct sim_process *process, struct event event)
{
    event.now_ns = sim_clock_ns(world, process);
    event.wall_us = sim_wall_us(world, process);
    world_note(world, (uint64_t)event.kind << 32 ^ event.link ^ (uint64_t)process->index << 48 ^
                          (uint64_t)world->now_ns ^ rand_mix(event.bytes.length));
    process->door->step(process->core, &event, &process->effects);
    carry_out_all(world, process);
}

static void input_accept(struct world *world, struct sim_process *process, struct sim_end *end, int listener)
{
    struct address peer = world->processes[end->stream->hosts[0]].listeners[0];
    link_id link =
        process->door->accept(process->core, listener, &peer, sim_clock_ns(world, process), &process->effects);
    if (link == LINK_NONE) {
        carry_out_all(world, process);
        stream_close_end(world, end);
        return;
    }
    end->link = link;
    end->accepted = true;
    set_link(process, link, end);
    carry_out_all(world, process);
    if (end_of(process, link) == end)
        resume_link(world, process, end);
}

static void input_received(struct world *world, struct sim_process *process, struct sim_end *end)
{
    link_id link = end->link;
    end->queued = false;
    if (end->read_paused)
        return;
    if (buf_length(&end->arrived) > 0) {
        /* The bytes stay until the turn has ended: they are borrowed. */
        step(world, process, (struct event){.kind = EVENT_RECEIVED, .link = link, .bytes = buf_slice(&end->arrived)});
        return;
    }
    if (end->end_arrived) {
        stream_close_end(world, end);
        step(world, process, (struct event){.kind = EVENT_CLOSED, .link = link});
    }
}

static void take_input(struct world *world, struct sim_process *process, const struct sim_input *input)
{
    if (input->kind == INPUT_START) {
        step(world, process, (struct event){.kind = EVENT_START});
        return;
    }
    if (input->kind == INPUT_ANSWERED) {
        step(world, process, input->answer);
        return;
    }
    struct sim_stream *stream = stream_find(world, input->stream);
    struct sim_end *end = stream != NULL ? &stream->ends[input->side] : NULL;
    if (end == NULL || end->process != process)
        return;
    link_id link = end->link;
    switch (input->kind) {
    case INPUT_ACCEPT: input_accept(world, process, end, input->listener); break;
    case INPUT_OPENED:
        end->accepted = true;
        step(world, process, (struct event){.kind = EVENT_OPENED, .link = link});
        if (process->running && end_of(process, link) == end)
            resume_link(world, process, end);
        break;
    case INPUT_RECEIVED: input_received(world, process, end); break;
    case INPUT_CLOSED:
        if (link == LINK_NONE) {
            stream_close_end(world, end);
            break;
        }
        stream_close_end(world, end);
        step(world, process, (struct event){.kind = EVENT_CLOSED, .link = link});
        break;
    default: break;
    }
}

/* What was borrowed for the turn is consumed now; a stream whose end has arrived is read once more. */
static void finish_reads(struct world *world, struct sim_process *process, const uint64_t *read, const size_t *lengths,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sim_stream *stream = stream_find(world, read[i] >> 1);
        struct sim_end *end = stream != NULL ? &stream->ends[read[i] & 1] : NULL;
        if (end == NULL || end->process != process)
            continue;
        buf_consume(&end->arrived, lengths[i]);
        struct sim_end *sender = &stream->ends[1 - end->side];
        if (sender->output_blocked && sender->process != NULL && stream_window(sender) > 0) {
            sender->output_blocked = false;
            sender->flush_pending = true;
            process_wake_at(world, sender->process, world->now_ns);
        }
        if (end->end_arrived || buf_length(&end->arrived) > 0)
            resume_link(world, process, end);
    }
}

static void schedule_deadline(struct world *world, struct sim_process *process)
{
    int64_t deadline_ns = process->door->deadline(process->core);
    if (deadline_ns == NEVER_NS)
        return;
    int64_t wait_ns = deadline_ns - sim_clock_ns(world, process);
    if (wait_ns > 3600 * NS_PER_S)
        return;
    wait_ns -= wait_ns / 1000000 * process->clock_rate_ppm;
    process_wake_at(world, process, world->now_ns + (wait_ns > TURN_AGAIN_NS ? wait_ns : TURN_AGAIN_NS));
}

static void turn(struct world *world, struct sim_process *process)
{
    enum { READ_MAX = 256 };
    uint64_t read[READ_MAX];
    size_t lengths[READ_MAX];
    size_t read_count = 0;

    struct sim_input *input = process->inbox_first;
    process->inbox_first = process->inbox_last = NULL;
    while (input != NULL) {
        struct sim_input *next = input->next;
        if (process->running && read_count < READ_MAX) {
            struct sim_stream *stream = input->kind == INPUT_RECEIVED ? stream_find(world, input->stream) : NULL;
            if (stream != NULL && stream->ends[input->side].process == process) {
                read[read_count] = input->stream << 1 | input->side;
                lengths[read_count++] =
                    stream->ends[input->side].read_paused ? 0 : buf_length(&stream->ends[input->side].arrived);
            }
            take_input(world, process, input);
        } else if (process->running) {
            inbox_add(world, process, *input);
        }
        mem_free(input);
        input = next;
    }
    if (process->running)
        step(world, process, (struct event){.kind = EVENT_TURN});
    if (!process->running)
        return;
    finish_reads(world, process, read, lengths, read_count);

    int64_t work_ns = rand_between(&world->rand, 0, world->options.work_max_ns);
    process->busy = true;
    queue_add(world->queue, (struct sim_event){.at_ns = world->now_ns + work_ns,
                                               .kind = SIM_OUTPUT,
                                               .process = process->index,
                                               .life = process->life});
    if (rand_chance(&world->rand, world->options.pause_in_turn_per_million))
        sim_pause(world, process, rand_between(&world->rand, 3500 * NS_PER_MS, 6 * NS_PER_S));
}

static void output(struct world *world, struct sim_process *process)
{
    process->busy = false;
    for (size_t link = 0; process->running && link < process->link_capacity; link++)
        if (process->links[link] != NULL && process->links[link]->flush_pending) {
            write_output(world, process, process->links[link]);
            carry_out_all(world, process);
        }
    if (!process->running)
        return;
    if (process->inbox_first != NULL)
        process_wake_at(world, process, world->now_ns);
    schedule_deadline(world, process);
}

static void wake(struct world *world, struct sim_process *process)
{
    process->wake_scheduled = false;
    if (!process->paused && !process->busy)
        turn(world, process);
}

/* --- life of a process --- */

struct sim_process *world_add(struct world *world, const char *name, const struct door *door, sim_create create,
                              void *context)
{
    CHECK(world->process_count < SIM_PROCESSES_MAX && strlen(name) < SIM_NAME_MAX);
    struct sim_process *process = &world->processes[world->process_count];
    *process = (struct sim_process){
        .world = world, .index = world->process_count, .door = door, .create = create, .context = context};
    strcpy(process->name, name);
    process->storage = disk_storage(process);
    world->process_count++;
    return process;
}

void sim_start(struct world *world, struct sim_process *process)
{
    CHECK(!process->running);
    process->life++;
    process->running = true;
    process->powered_off = false;
    process->paused = false;
    process->busy = false;
    process->wake_scheduled = false;
    process->core = process->create(world, process);
    inbox_add(world, process, (struct sim_input){.kind = INPUT_START});
}

static void end_process(struct world *world, struct sim_process *process, bool tell)
{
    if (!process->running)
        return;
    process->running = false;
    process->listening = false;
    process->paused = false;
    process->busy = false;
    disk_crash(world, process);
    process->door->destroy(process->core);
    process->core = NULL;
    inbox_clear(process);
    effects_clear(&process->effects);
    for (struct sim_stream *stream = world->streams, *next; stream != NULL; stream = next) {
        next = stream->next;
        /* Both ends may be this process': the stream is freed with the second. */
        for (unsigned side = 0; side < 2; side++) {
            if (stream_find(world, stream->serial) != stream)
                break;
            struct sim_end *end = &stream->ends[side];
            if (end->process != process)
                continue;
            bool last = stream->ends[1 - side].process == NULL;
            if (tell)
                stream_close_end(world, end);
            else
                stream_forget_end(world, end);
            if (last)
                break;
        }
    }
    memset(process->links, 0, process->link_capacity * sizeof(struct sim_end *));
}

void sim_kill(struct world *world, struct sim_process *process)
{
    end_process(world, process, true);
}

void sim_power_off(struct world *world, struct sim_process *process)
{
    process->powered_off = true;
    end_process(world, process, false);
    disk_tear(world, process);
}

void sim_stop(struct world *world, struct sim_process *process)
{
    if (process->running && !process->paused)
        step(world, process, (struct event){.kind = EVENT_STOP});
}

void sim_pause(struct world *world, struct sim_process *process, int64_t duration_ns)
{
    if (!process->running)
        return;
    int64_t resume_ns = world->now_ns + duration_ns;
    if (process->paused && process->resume_ns >= resume_ns)
        return;
    process->paused = true;
    process->resume_ns = resume_ns;
    queue_add(
        world->queue,
        (struct sim_event){.at_ns = resume_ns, .kind = SIM_RESUMED, .process = process->index, .life = process->life});
}

void sim_resume(struct world *world, struct sim_process *process)
{
    if (!process->paused)
        return;
    process->paused = false;
    if (process->busy)
        queue_add(world->queue,
                  (struct sim_event){
                      .at_ns = world->now_ns, .kind = SIM_OUTPUT, .process = process->index, .life = process->life});
    else
        process_wake_at(world, process, world->now_ns);
}

/* --- the loop --- */

static void disk_done(struct world *world, struct sim_process *process)
{
    struct event answer;
    if (disk_finish(process, process->disk_fails ? ERR_DISK_FULL : 0, &answer))
        inbox_add(world, process, (struct sim_input){.kind = INPUT_ANSWERED, .answer = answer});
}

static void handle_process_event(struct world *world, const struct sim_event *event)
{
    struct sim_process *process = &world->processes[event->process];
    if (!process->running || process->life != event->life)
        return;
    switch (event->kind) {
    case SIM_WAKE: wake(world, process); break;
    case SIM_OUTPUT:
        if (process->paused || !process->busy)
            return;
        output(world, process);
        break;
    case SIM_DISK_DONE: disk_done(world, process); return;
    case SIM_CRASH:
        sim_kill(world, process);
        if (world->crashed != NULL)
            world->crashed(world->crashed_context, process);
        return;
    case SIM_RESUMED:
        if (process->paused && process->resume_ns <= world->now_ns)
            sim_resume(world, process);
        return;
    default: return;
    }
    if (process->running && world->observe != NULL)
        world->observe(world->observe_context, world, process);
}

static void handle(struct world *world, const struct sim_event *event)
{
    struct sim_stream *stream = NULL;
    if (event->kind == SIM_ARRIVAL || event->kind == SIM_CONNECT || event->kind == SIM_OPENED ||
        event->kind == SIM_RESET) {
        stream = stream_find(world, event->stream);
        if (stream == NULL)
            return;
    }
    switch (event->kind) {
    case SIM_ARRIVAL: stream_arrive(world, &stream->ends[event->end]); break;
    case SIM_CONNECT: stream_connect(world, stream); break;
    case SIM_OPENED:
        if (stream->ends[0].process != NULL)
            inbox_add(world, stream->ends[0].process,
                      (struct sim_input){.kind = INPUT_OPENED, .stream = stream->serial, .side = 0});
        break;
    case SIM_RESET: stream_reset(world, &stream->ends[event->end]); break;
    case SIM_ACTION: event->action(world, event->context); break;
    default: handle_process_event(world, event); break;
    }
}

void world_schedule(struct world *world, int64_t at_ns, void (*action)(struct world *world, void *context),
                    void *context)
{
    queue_add(world->queue,
              (struct sim_event){.at_ns = at_ns, .kind = SIM_ACTION, .action = action, .context = context});
}

void world_run(struct world *world, int64_t until_ns)
{
    struct sim_event event;
    while (queue_next_ns(world->queue) <= until_ns && queue_take(world->queue, &event)) {
        CHECK(event.at_ns >= world->now_ns);
        world->now_ns = event.at_ns;
        world->event_count++;
        world_note(world, (uint64_t)event.kind ^ (uint64_t)event.at_ns << 4);
        handle(world, &event);
    }
    world->now_ns = until_ns;
}

void world_init(struct world *world, uint64_t seed)
{
    *world = (struct world){.queue = mem_zero(sizeof(struct sim_queue))};
    rand_seed(&world->rand, seed);
}

void world_free(struct world *world)
{
    world->observe = NULL;
    world->observe_output = NULL;
    world->observe_saved = NULL;
    for (unsigned i = 0; i < world->process_count; i++) {
        struct sim_process *process = &world->processes[i];
        sim_kill(world, process);
        sim_lose_disk(process);
        mem_free(process->links);
        effects_free(&process->effects);
    }
    stream_free_all(world);
    repeats_free(world);
    mem_free(world->queue->items);
    mem_free(world->queue);
    *world = (struct world){0};
}
