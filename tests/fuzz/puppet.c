#include "tests/fuzz/puppet.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

enum {
    LINKS_MAX = 4096,
    OPEN_MAX = 26,
    LINES_MAX = 300,
    EVENTS_MAX = 10000, /* of one input: a core that never comes to rest is a finding */
    OUTPUTS_MAX = 1000,
    RESTS = 3,
};

struct puppet {
    const struct door *door;
    void *core;
    struct effects effects;
    int64_t now_ns;
    link_id open[OPEN_MAX]; /* in the order in which they were opened */
    unsigned open_count;
    bool is_known[LINKS_MAX]; /* open or connecting */
    bool is_paused[LINKS_MAX];
    bool is_accepted[LINKS_MAX];
    bool has_said_all[LINKS_MAX];
    struct event *due; /* owned ring of what is to be told */
    size_t due_first, due_count, due_capacity;
    unsigned events;
    bool has_ended;
    const struct puppet_stage *stage;
};

static void tell_later(struct puppet *puppet, struct event event)
{
    if (puppet->due_count == puppet->due_capacity) {
        puppet->due_capacity = puppet->due_capacity ? 2 * puppet->due_capacity : 64;
        puppet->due = mem_resize(puppet->due, puppet->due_capacity * sizeof(struct event));
    }
    puppet->due[puppet->due_count++] = event;
}

static void add_open(struct puppet *puppet, link_id link)
{
    if (puppet->open_count == OPEN_MAX) { /* it stays open, but nobody speaks on it any more */
        memmove(puppet->open, puppet->open + 1, (OPEN_MAX - 1) * sizeof(link_id));
        puppet->open_count--;
    }
    puppet->open[puppet->open_count++] = link;
}

static void take_out(struct puppet *puppet, link_id link)
{
    puppet->is_known[link] = puppet->is_paused[link] = false;
    puppet->is_accepted[link] = puppet->has_said_all[link] = false;
    for (unsigned i = 0; i < puppet->open_count; i++) {
        if (puppet->open[i] != link)
            continue;
        puppet->open_count--;
        memmove(puppet->open + i, puppet->open + i + 1, (puppet->open_count - i) * sizeof(link_id));
        return;
    }
}

static bool is_open(const struct puppet *puppet, link_id link)
{
    for (unsigned i = 0; i < puppet->open_count; i++)
        if (puppet->open[i] == link)
            return true;
    return false;
}

static void carry_out_all(struct puppet *puppet);

static void pull(struct puppet *puppet, link_id link)
{
    for (unsigned i = 0; i < OUTPUTS_MAX && puppet->is_known[link]; i++) {
        struct slice bytes = puppet->door->output(puppet->core, link, puppet->now_ns);
        if (bytes.length == 0)
            return;
        mem_free(fuzz_exact_copy(bytes)); /* all of it is readable */
        puppet->door->sent(puppet->core, link, bytes.length, &puppet->effects);
    }
}

static void write_file(struct puppet *puppet, const struct effects *effects, const struct effect *effect)
{
    struct memory_disk *disk = puppet->stage->disk;
    int result = disk != NULL ? memory_disk_carry_out(disk, effects, effect) : 0;
    bool is_persist = effect->kind == EFFECT_PERSIST;
    if (is_persist || effect->token != 0)
        tell_later(puppet, (struct event){.kind = is_persist ? EVENT_PERSISTED : EVENT_FILE,
                                          .token = effect->token,
                                          .result = result});
}

static void carry_out(struct puppet *puppet, const struct effects *effects, const struct effect *effect)
{
    link_id link = effect->link;
    CHECK(link == LINK_NONE || link < LINKS_MAX);
    switch (effect->kind) {
    case EFFECT_CONNECT:
        CHECK(!puppet->is_known[link]);
        puppet->is_known[link] = true;
        tell_later(puppet, (struct event){.kind = EVENT_OPENED, .link = link});
        break;
    case EFFECT_FLUSH: pull(puppet, link); break;
    case EFFECT_CLOSE:
        CHECK(puppet->is_known[link]);
        take_out(puppet, link);
        break;
    case EFFECT_DRAIN:
        pull(puppet, link);
        if (puppet->is_known[link]) {
            take_out(puppet, link);
            tell_later(puppet, (struct event){.kind = EVENT_CLOSED, .link = link});
        }
        break;
    case EFFECT_PERSIST:
    case EFFECT_FILE: write_file(puppet, effects, effect); break;
    case EFFECT_PAUSE: puppet->is_paused[link] = true; break;
    case EFFECT_RESUME: puppet->is_paused[link] = false; break;
    case EFFECT_EXIT: puppet->has_ended = true; break;
    case EFFECT_LISTEN:
    case EFFECT_LOG:
    case EFFECT_LOG_LEVEL:
    case EFFECT_WAKE: break;
    }
}

/* What the core adds to its effects while they are carried out comes after them. */
static void carry_out_all(struct puppet *puppet)
{
    while (puppet->effects.count > 0) {
        struct effects effects = puppet->effects;
        puppet->effects = (struct effects){0};
        for (size_t i = 0; i < effects.count; i++)
            carry_out(puppet, &effects, &effects.items[i]);
        effects_free(&effects);
    }
}

static void step(struct puppet *puppet, struct event event)
{
    CHECK(++puppet->events < EVENTS_MAX);
    event.now_ns = puppet->now_ns;
    event.wall_us = puppet->now_ns / NS_PER_US;
    puppet->door->step(puppet->core, &event, &puppet->effects);
    carry_out_all(puppet);
    if (puppet->stage->watch != NULL)
        puppet->stage->watch(puppet->stage->context, puppet->core);
}

static void turn(struct puppet *puppet)
{
    for (size_t i = 0; i < puppet->due_count; i++) {
        struct event event = puppet->due[i];
        bool is_of_link = event.kind == EVENT_OPENED;
        if (is_of_link && !puppet->is_known[event.link])
            continue; /* closed meanwhile */
        if (is_of_link)
            add_open(puppet, event.link);
        step(puppet, event);
    }
    puppet->due_count = 0;
    step(puppet, (struct event){.kind = EVENT_TURN});
}

static void settle(struct puppet *puppet)
{
    for (int i = 0; i < 100 && (puppet->due_count > 0 || puppet->door->deadline(puppet->core) <= puppet->now_ns); i++)
        turn(puppet);
}

static void pass(struct puppet *puppet, int64_t ns)
{
    int64_t end_ns = puppet->now_ns + ns;
    for (int i = 0; i < 400; i++) {
        int64_t next_ns = puppet->door->deadline(puppet->core);
        if (next_ns >= end_ns)
            break;
        puppet->now_ns = next_ns > puppet->now_ns ? next_ns : puppet->now_ns + NS_PER_MS;
        turn(puppet);
    }
    puppet->now_ns = end_ns;
    turn(puppet);
}

static void say(struct puppet *puppet, link_id link, struct slice words, bool ends)
{
    struct buf bytes = {0};
    if (puppet->is_paused[link] || puppet->has_said_all[link])
        return;
    buf_add_slice(&bytes, words);
    if (ends)
        buf_add_text(&bytes, "\r\n");
    char *block = fuzz_exact_copy(buf_slice(&bytes)); /* borrowed until the turn has returned, and no longer */
    if (buf_length(&bytes) > 0)
        step(puppet,
             (struct event){.kind = EVENT_RECEIVED, .link = link, .bytes = slice_of(block, buf_length(&bytes))});
    turn(puppet);
    mem_free(block);
    buf_free(&bytes);
}

static void accept_from(struct puppet *puppet, int listener)
{
    struct address peer = {.host = "127.0.0.1", .port = 40000};
    link_id link = puppet->door->accept(puppet->core, listener, &peer, puppet->now_ns, &puppet->effects);
    if (link != LINK_NONE) {
        CHECK(link < LINKS_MAX && !puppet->is_known[link]);
        puppet->is_known[link] = puppet->is_accepted[link] = true;
        add_open(puppet, link);
    }
    carry_out_all(puppet);
}

static void hang_up(struct puppet *puppet, link_id link)
{
    take_out(puppet, link);
    step(puppet, (struct event){.kind = EVENT_CLOSED, .link = link});
}

/* An end that a core does not hear of is the end of the link. */
static void end_input(struct puppet *puppet, link_id link)
{
    if (puppet->is_paused[link] || puppet->has_said_all[link])
        return;
    if (!puppet->is_accepted[link] || !puppet->door->hears_ends) {
        hang_up(puppet, link);
        return;
    }
    puppet->has_said_all[link] = true;
    step(puppet, (struct event){.kind = EVENT_ENDED, .link = link});
    turn(puppet);
}

static void play_line(struct puppet *puppet, struct slice line)
{
    char what = line.length > 0 ? line.data[0] : '\0';
    struct slice rest = slice_skip(line, line.length > 0);
    bool is_order = what == '!' || what == '?';
    unsigned named = is_order && rest.length > 0 ? (unsigned)(rest.data[0] - 'a') : (unsigned)((what | 0x20) - 'a');
    if (what == '+' && rest.length > 0 && (rest.data[0] == '0' || rest.data[0] == '1'))
        accept_from(puppet, rest.data[0] - '0');
    else if (what == '.' || what == '@' || what == '#')
        pass(puppet, what == '.' ? 20 * NS_PER_MS : what == '@' ? NS_PER_S / 2 : 8 * NS_PER_S);
    else if (what == '%' && puppet->stage->disk != NULL)
        puppet->stage->disk->is_full = !puppet->stage->disk->is_full;
    else if (named < puppet->open_count && what == '!')
        hang_up(puppet, puppet->open[named]);
    else if (named < puppet->open_count && what == '?')
        end_input(puppet, puppet->open[named]);
    else if (named < puppet->open_count && is_open(puppet, puppet->open[named]))
        say(puppet, puppet->open[named], rest, what >= 'a');
    settle(puppet);
}

/* Long enough for what is tried again, and for what is written anew in steps. */
static void rest(struct puppet *puppet)
{
    if (puppet->stage->disk != NULL)
        puppet->stage->disk->is_full = false;
    puppet->events = 0;
    for (int i = 0; i < RESTS && !puppet->has_ended; i++) {
        pass(puppet, 2 * NS_PER_S);
        settle(puppet);
    }
}

void puppet_play_on(const struct puppet_stage *stage, struct slice input)
{
    struct puppet *puppet = mem_zero(sizeof(*puppet));
    puppet->door = stage->door;
    puppet->core = stage->core;
    puppet->stage = stage;
    puppet->now_ns = 1000 * NS_PER_S;
    step(puppet, (struct event){.kind = EVENT_START});
    settle(puppet);
    for (int i = 0; i < LINES_MAX && input.length > 0 && !puppet->has_ended; i++) {
        const char *end = memchr(input.data, '\n', input.length);
        size_t length = end != NULL ? (size_t)(end - input.data) : input.length;
        play_line(puppet, slice_of(input.data, length));
        input = slice_skip(input, end != NULL ? length + 1 : length);
    }
    if (stage->look_back != NULL) {
        rest(puppet);
        stage->look_back(stage->context, puppet->core);
    }
    puppet->door->destroy(puppet->core);
    effects_free(&puppet->effects);
    mem_free(puppet->due);
    mem_free(puppet);
}

void puppet_play(const struct door *door, void *core, struct slice input)
{
    puppet_play_on(&(struct puppet_stage){.door = door, .core = core}, input);
}
