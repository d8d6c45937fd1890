/* A small core behind the door, a real host in a thread, and real sockets against it. */
#include "common/base/buf.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/shell/clock.h"
#include "common/shell/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- the core: echoes, and obeys messages that begin with '!' --- */

enum { LINKS = 2048, OUTBOUND = LINKS - 1 };

struct echo_link {
    bool open;
    struct buf out;
    size_t give; /* bytes of the pattern still to be sent after `out` */
    size_t given;
    int64_t resume_ns;
};

struct echo {
    struct echo_link links[LINKS];
    link_id controller; /* who gets the news */
    int64_t tick_ns;
    bool changes_its_mind; /* closes OUTBOUND in the next turn */
    int64_t busy_until_ns; /* wants turns without a pause until then */
    char pattern[65536];
    struct address target;
    bool exit_at_stop;
    atomic_int turns;
    atomic_int closed;
    atomic_int ended;
    atomic_int accepted;
    atomic_int received;
    atomic_int most_accepted_in_a_turn;
    int accepted_in_this_turn;
    _Atomic int64_t cpu_ns; /* of the last turn's event */
};

static void tell(struct echo *echo, link_id link, const char *text, struct effects *effects)
{
    buf_add_text(&echo->links[link].out, text);
    effect_flush(effects, link);
}

static link_id echo_accept(void *core, int listener, const struct address *peer, int64_t now_ns,
                           struct effects *effects)
{
    struct echo *echo = core;
    (void)peer;
    (void)now_ns;
    (void)effects;
    assert_int_equal(listener, 0);
    for (link_id link = 0; link < OUTBOUND; link++) {
        if (!echo->links[link].open) {
            echo->links[link] = (struct echo_link){.open = true, .resume_ns = NEVER_NS};
            atomic_fetch_add(&echo->accepted, 1);
            if (++echo->accepted_in_this_turn > atomic_load(&echo->most_accepted_in_a_turn))
                atomic_store(&echo->most_accepted_in_a_turn, echo->accepted_in_this_turn);
            return link;
        }
    }
    return LINK_NONE;
}

static void forget_link(struct echo *echo, link_id link)
{
    buf_free(&echo->links[link].out);
    echo->links[link].open = false;
    echo->links[link].give = 0;
}

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void obey(struct echo *echo, link_id link, const char *order, int64_t now_ns, struct effects *effects)
{
    struct echo_link *self = &echo->links[link];
    long number = 0;
    if (sscanf(order, "!give %ld", &number) == 1) {
        self->give = (size_t)number;
        effect_flush(effects, link);
    } else if (sscanf(order, "!bye %ld", &number) == 1) {
        self->give = (size_t)number;
        effect_drain(effects, link);
    } else if (sscanf(order, "!stall %ld", &number) == 1) {
        self->give = (size_t)number;
        effect_flush(effects, link);
        effect_pause(effects, link);
    } else if (sscanf(order, "!pause %ld", &number) == 1) {
        effect_pause(effects, link);
        self->resume_ns = now_ns + number * NS_PER_MS;
    } else if (sscanf(order, "!tick %ld", &number) == 1) {
        echo->controller = link;
        echo->tick_ns = now_ns + number * NS_PER_MS;
    } else if (sscanf(order, "!busy %ld", &number) == 1) {
        echo->busy_until_ns = now_ns + number * NS_PER_MS;
    } else if (sscanf(order, "!sleep %ld", &number) == 1) {
        sleep_ms(number);
        tell(echo, link, "slept", effects);
    } else if (sscanf(order, "!close %ld", &number) == 1) {
        forget_link(echo, (link_id)number);
        effect_close(effects, (link_id)number);
        tell(echo, link, "done", effects);
    } else if (strncmp(order, "!connect", 8) == 0) {
        echo->controller = link;
        echo->links[OUTBOUND] = (struct echo_link){.open = true, .resume_ns = NEVER_NS};
        effect_connect(effects, OUTBOUND, &echo->target);
        echo->changes_its_mind = strcmp(order, "!connect, or not") == 0;
    } else if (strncmp(order, "!persist", 8) == 0) {
        echo->controller = link;
        effect_persist(effects, "echo.state", 42, slice_text("durable"));
    } else if (strncmp(order, "!append", 7) == 0) {
        echo->controller = link;
        effect_file(effects, &(struct file_effect){FILE_OPEN, .file = 1, .length = 0}, "echo.log", 0,
                    SLICE_LITERAL(""));
        effect_file(effects, &(struct file_effect){FILE_APPEND, .file = 1}, NULL, 0, slice_text(order));
        effect_file(effects, &(struct file_effect){FILE_SYNC, .file = 1}, NULL, 43, SLICE_LITERAL(""));
    } else if (strncmp(order, "!exit", 5) == 0) {
        effect_exit(effects, 5);
    }
}

static void on_received(struct echo *echo, const struct event *event, struct effects *effects)
{
    struct echo_link *self = &echo->links[event->link];
    assert_true(self->open);
    atomic_fetch_add(&echo->received, 1);
    if (event->bytes.data[0] == '!') {
        char order[64];
        snprintf(order, sizeof(order), "%.*s", (int)event->bytes.length, event->bytes.data);
        obey(echo, event->link, order, event->now_ns, effects);
        return;
    }
    buf_add_slice(&self->out, event->bytes);
    effect_flush(effects, event->link);
}

static void on_turn(struct echo *echo, const struct event *event, struct effects *effects)
{
    atomic_fetch_add(&echo->turns, 1);
    echo->accepted_in_this_turn = 0;
    if (echo->busy_until_ns <= event->now_ns)
        echo->busy_until_ns = 0;
    if (echo->changes_its_mind) {
        echo->changes_its_mind = false;
        forget_link(echo, OUTBOUND);
        effect_close(effects, OUTBOUND);
        tell(echo, echo->controller, "forgotten", effects);
    }
    if (echo->tick_ns <= event->now_ns) {
        echo->tick_ns = NEVER_NS;
        tell(echo, echo->controller, "tick", effects);
    }
    for (link_id link = 0; link < LINKS; link++) {
        if (echo->links[link].open && echo->links[link].resume_ns <= event->now_ns) {
            echo->links[link].resume_ns = NEVER_NS;
            effect_resume(effects, link);
        }
    }
}

static void echo_step(void *core, const struct event *event, struct effects *effects)
{
    struct echo *echo = core;
    char text[64];
    switch (event->kind) {
    case EVENT_START: effect_listen(effects); break;
    case EVENT_RECEIVED: on_received(echo, event, effects); break;
    case EVENT_TURN:
        atomic_store(&echo->cpu_ns, event->cpu_ns);
        on_turn(echo, event, effects);
        break;
    case EVENT_OPENED:
        assert_int_equal(event->link, OUTBOUND);
        tell(echo, OUTBOUND, "hello", effects);
        tell(echo, echo->controller, "opened", effects);
        break;
    case EVENT_ENDED:
        atomic_fetch_add(&echo->ended, 1);
        tell(echo, event->link, "ended", effects);
        break;
    case EVENT_CLOSED:
        forget_link(echo, event->link);
        atomic_fetch_add(&echo->closed, 1);
        if (event->link == OUTBOUND)
            tell(echo, echo->controller, "closed", effects);
        break;
    case EVENT_PERSISTED:
        snprintf(text, sizeof(text), "persisted %d %d", (int)event->token, event->result);
        tell(echo, echo->controller, text, effects);
        break;
    case EVENT_FILE:
        snprintf(text, sizeof(text), "file %d %d", (int)event->token, event->result);
        tell(echo, echo->controller, text, effects);
        break;
    case EVENT_STOP:
        effect_log(effects, LOG_LEVEL_NOTICE, "stopping");
        effect_exit(effects, 7);
        break;
    }
}

static struct slice echo_output(void *core, link_id link, int64_t now_ns)
{
    struct echo *echo = core;
    struct echo_link *self = &echo->links[link];
    assert_true(now_ns > 0);
    if (buf_length(&self->out) > 0)
        return buf_slice(&self->out);
    size_t offset = self->given % sizeof(echo->pattern);
    size_t length = sizeof(echo->pattern) - offset;
    return slice_of(echo->pattern + offset, length < self->give ? length : self->give);
}

static void echo_sent(void *core, link_id link, size_t count, struct effects *effects)
{
    struct echo_link *self = &((struct echo *)core)->links[link];
    (void)effects;
    if (buf_length(&self->out) > 0) {
        buf_consume(&self->out, count);
    } else {
        self->give -= count;
        self->given += count;
    }
}

static int64_t echo_deadline(const void *core)
{
    const struct echo *echo = core;
    int64_t deadline = echo->busy_until_ns != 0 ? 0 : echo->tick_ns;
    for (link_id link = 0; link < LINKS; link++)
        if (echo->links[link].open && echo->links[link].resume_ns < deadline)
            deadline = echo->links[link].resume_ns;
    return deadline;
}

static void echo_destroy(void *core)
{
    struct echo *echo = core;
    for (link_id link = 0; link < LINKS; link++)
        buf_free(&echo->links[link].out);
    mem_free(echo);
}

static const struct door echo_door = {
    .accept = echo_accept,
    .step = echo_step,
    .output = echo_output,
    .sent = echo_sent,
    .deadline = echo_deadline,
    .destroy = echo_destroy,
};

/* --- the world around it --- */

struct world {
    char directory[64];
    int directory_fd;
    struct log_sink log;
    struct listener listeners[2];
    uint16_t port;
    char path[96];
    struct echo *echo; /* borrowed: the host's */
    struct host *host;
    pthread_t thread;
    int status;
    bool running;
};

static void *run(void *argument)
{
    struct world *world = argument;
    world->status = host_run(world->host);
    return NULL;
}

static int set_up_with(void **state, const struct door *door)
{
    struct world *world = mem_zero(sizeof(*world));
    snprintf(world->directory, sizeof(world->directory), "/tmp/host_test.XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    world->directory_fd = open(world->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(world->path, sizeof(world->path), "%s/log", world->directory);
    assert_int_equal(log_sink_open(&world->log, "echo", world->path, LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT), 0);

    struct buf why = {0};
    struct address address = {.host = "127.0.0.1"};
    assert_int_equal(listener_bind(&world->listeners[0], &address, 0, LISTENER_ALONE, 0, &why), 0);
    struct sockaddr_in in;
    socklen_t length = sizeof(in);
    assert_int_equal(getsockname(world->listeners[0].fd, (struct sockaddr *)&in, &length), 0);
    world->port = ntohs(in.sin_port);
    snprintf(world->path, sizeof(world->path), "%s/echo.sock", world->directory);
    snprintf(address.host, sizeof(address.host), "%s", world->path);
    assert_int_equal(listener_bind(&world->listeners[1], &address, 0, LISTENER_ALONE, 0, &why), 0);
    buf_free(&why);

    world->echo = mem_zero(sizeof(*world->echo));
    world->echo->tick_ns = NEVER_NS;
    for (size_t i = 0; i < sizeof(world->echo->pattern); i++)
        world->echo->pattern[i] = (char)(i * 31 + (i >> 8));
    struct host_config config = {.door = door,
                                 .core = world->echo,
                                 .log = &world->log,
                                 .listeners = world->listeners,
                                 .listener_count = 2,
                                 .directory_fd = world->directory_fd,
                                 .user_timeout_ms = 60000,
                                 .tells_cpu = true};
    assert_int_equal(host_create(&config, &world->host), 0);
    *state = world;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, &echo_door);
}

static int set_up_hearing_ends(void **state)
{
    static struct door door;
    door = echo_door;
    door.hears_ends = true;
    return set_up_with(state, &door);
}

static void start(struct world *world)
{
    assert_int_equal(pthread_create(&world->thread, NULL, run, world), 0);
    world->running = true;
}

static int finish(struct world *world)
{
    pthread_join(world->thread, NULL);
    world->running = false;
    return world->status;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    if (world->running) {
        host_stop(world->host, false);
        finish(world);
    }
    host_destroy(world->host);
    log_sink_close(&world->log);
    unlinkat(world->directory_fd, "log", 0);
    unlinkat(world->directory_fd, "echo.state", 0);
    close(world->directory_fd);
    assert_int_equal(rmdir(world->directory), 0); /* so nothing else was left, the socket's path neither */
    mem_free(world);
    return 0;
}

/* Retried: the thread may not listen yet. */
static int dial_address(const struct sockaddr *address, socklen_t length)
{
    for (int i = 0; i < 500; i++) {
        int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        if (connect(fd, address, length) == 0) {
            struct timeval limit = {.tv_sec = 10};
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
            return fd;
        }
        close(fd);
        sleep_ms(2);
    }
    fail_msg("nobody listens");
    return -1;
}

static int dial_port(uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return dial_address((struct sockaddr *)&in, sizeof(in));
}

static int dial(const struct world *world)
{
    return dial_port(world->port);
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void hear(int fd, const char *expected)
{
    char text[128] = {0};
    assert_int_equal(recv(fd, text, strlen(expected), MSG_WAITALL), (ssize_t)strlen(expected));
    assert_string_equal(text, expected);
}

static void hear_end(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* A listening socket of the test's own. */
static int open_target(struct world *world, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t length = sizeof(in);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &length), 0);
    world->echo->target = (struct address){.host = "127.0.0.1", .port = ntohs(in.sin_port)};
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static void until(atomic_int *counter, int value)
{
    for (int i = 0; i < 2500 && atomic_load(counter) < value; i++)
        sleep_ms(2);
    assert_int_equal(atomic_load(counter), value);
}

/* --- tests --- */

static void echoes_over_tcp_and_unix(void **state)
{
    struct world *world = *state;
    start(world);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", world->path);
    int tcp = dial(world);
    int local = dial_address((struct sockaddr *)&un, sizeof(un));
    say(tcp, "over tcp");
    say(local, "over unix");
    hear(tcp, "over tcp");
    hear(local, "over unix");
    close(tcp);
    close(local);
    until(&world->echo->closed, 2);
}

static void hear_pattern(struct world *world, int fd, size_t count, bool slowly)
{
    char *piece = mem_alloc(300000);
    for (size_t heard = 0; heard < count;) {
        ssize_t length = recv(fd, piece, 300000, 0);
        assert_true(length > 0);
        for (ssize_t i = 0; i < length; i++)
            assert_int_equal(piece[i], world->echo->pattern[(heard + (size_t)i) % sizeof(world->echo->pattern)]);
        heard += (size_t)length;
        assert_true(heard <= count);
        if (slowly)
            sleep_ms(1);
    }
    mem_free(piece);
}

static void writes_the_rest_when_a_slow_reader_makes_room(void **state)
{
    struct world *world = *state;
    start(world);
    int slow = dial(world);
    int other = dial(world);
    say(slow, "!give 20000000");
    sleep_ms(50);
    say(other, "not held up");
    hear(other, "not held up");
    hear_pattern(world, slow, 20000000, true);
    say(slow, "again");
    hear(slow, "again");
    int turns = atomic_load(&world->echo->turns);
    sleep_ms(50);
    assert_int_equal(atomic_load(&world->echo->turns), turns); /* it no longer waits for room */
    close(slow);
    close(other);
}

static void drains_before_it_closes(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "!bye 3000000");
    hear_pattern(world, fd, 3000000, false);
    hear_end(fd);
    until(&world->echo->closed, 1);
    close(fd);
}

static void last_words_survive_unread_input(void **state)
{
    struct world *world = *state;
    start(world);
    int controller = dial(world);
    int fd = dial(world);
    until(&world->echo->accepted, 2);
    say(fd, "!bye 5");
    say(controller, "!sleep 50"); /* what follows reaches the socket before the drain ends, or is read with it */
    say(fd, "never to be read");
    char text[8];
    assert_int_equal(recv(fd, text, 5, MSG_WAITALL), 5);
    close(fd);
    close(controller);
}

static void gives_up_a_drain_after_a_second(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    int64_t begin = clock_boot_ns();
    say(fd, "!bye 1000000000");
    until(&world->echo->received, 1);
    say(fd, "not for the core");
    char bytes[65536]; /* a peer that sips does not get longer */
    while (recv(fd, bytes, sizeof(bytes), 0) > 0 && atomic_load(&world->echo->closed) == 0)
        sleep_ms(5);
    until(&world->echo->closed, 1);
    assert_int_equal(atomic_load(&world->echo->received), 1);
    int64_t took_ms = (clock_boot_ns() - begin) / NS_PER_MS;
    assert_in_range(took_ms, 900, 2500);
    close(fd);
}

static void a_reset_is_noticed_by_writing_where_nothing_is_read(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "!stall 50000000");
    sleep_ms(50);
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    until(&world->echo->closed, 1);
}

static void who_says_no_more_is_answered_still(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "last words");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    hear(fd, "last wordsended");
    assert_int_equal(atomic_load(&world->echo->closed), 0); /* until the core has had enough */
    int other = dial(world);
    say(other, "!give 5");
    char text[5];
    assert_int_equal(recv(other, text, sizeof(text), MSG_WAITALL), 5);
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    say(other, "!close 0");
    hear(other, "done");
    assert_int_equal(shutdown(other, SHUT_WR), 0);
    until(&world->echo->ended, 2);
    close(other);
}

static void who_says_no_more_and_is_gone_is_noticed_by_writing(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "!stall 50000000");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    sleep_ms(50);
    close(fd); /* unread bytes: the peer is reset */
    until(&world->echo->closed, 1);
}

static void reads_nothing_while_paused(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "!pause 200");
    until(&world->echo->received, 1);
    say(fd, "later");
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 100), 0);
    assert_int_equal(atomic_load(&world->echo->received), 1);
    hear(fd, "later");
    close(fd);
}

static void connects_and_notices_the_end(void **state)
{
    struct world *world = *state;
    int target = open_target(world, 8);
    start(world);
    int fd = dial(world);
    say(fd, "!connect");
    int peer = accept(target, NULL, NULL);
    hear(peer, "hello");
    hear(fd, "opened");
    close(peer);
    hear(fd, "closed");
    close(fd);
    close(target);
}

static void a_refused_connection_is_closed(void **state)
{
    struct world *world = *state;
    int target = open_target(world, -1);
    start(world);
    int fd = dial(world);
    say(fd, "!connect");
    hear(fd, "closed");
    close(target);
    snprintf(world->echo->target.host, sizeof(world->echo->target.host), "no.such.name");
    say(fd, "!connect");
    hear(fd, "closed");
    snprintf(world->echo->target.host, sizeof(world->echo->target.host), "/nobody/there");
    say(fd, "!connect");
    hear(fd, "closed");
    close(fd);
}

/* The end of the attempt is queued for the next turn when the core closes the link in this one. */
static void a_link_closed_before_its_end_is_told_is_forgotten(void **state)
{
    struct world *world = *state;
    world->echo->target = (struct address){.host = "/nobody/there"};
    start(world);
    int fd = dial(world);
    for (int i = 0; i < 3; i++) {
        say(fd, "!connect, or not");
        hear(fd, "forgotten");
    }
    assert_int_equal(atomic_load(&world->echo->closed), 0);
    close(fd);
}

static void a_silent_address_times_out_after_three_seconds(void **state)
{
    struct world *world = *state;
    int target = open_target(world, 0);
    int filler = dial_port(world->echo->target.port); /* fills the backlog, so the kernel drops the next SYN */
    start(world);
    int fd = dial(world);
    int64_t begin = clock_boot_ns();
    say(fd, "!connect");
    hear(fd, "closed");
    assert_in_range((clock_boot_ns() - begin) / NS_PER_MS, 2900, 4500);
    close(fd);
    close(filler);
    close(target);
}

static void gives_a_turn_at_the_deadline(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    int64_t begin = clock_boot_ns();
    say(fd, "!tick 80");
    hear(fd, "tick");
    say(fd, "!tick 20");
    hear(fd, "tick");
    assert_in_range((clock_boot_ns() - begin) / NS_PER_MS, 100, 500);
    int turns = atomic_load(&world->echo->turns);
    sleep_ms(100);
    assert_int_equal(atomic_load(&world->echo->turns), turns); /* no deadline, no bytes: no turn */
    close(fd);
}

/* A deadline in the past means turns without a pause; links are still looked at in each of them, once. */
static void links_are_heard_while_the_core_is_busy(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    int other = dial(world);
    say(fd, "!busy 300");
    until(&world->echo->received, 1);
    int turns = atomic_load(&world->echo->turns);
    char text[32];
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "number %d", i);
        say(fd, text);
        say(other, text);
        hear(fd, text);
        hear(other, text);
    }
    char block[200000]; /* more than one read takes: the link stays readable */
    char answer[sizeof(block)];
    memset(block, 'b', sizeof(block));
    assert_int_equal(send(fd, block, sizeof(block), 0), sizeof(block));
    assert_int_equal(recv(fd, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
    assert_memory_equal(answer, block, sizeof(block));
    sleep_ms(350);
    assert_true(atomic_load(&world->echo->turns) - turns > 500);
    turns = atomic_load(&world->echo->turns);
    sleep_ms(50);
    assert_int_equal(atomic_load(&world->echo->turns), turns);
    close(fd);
    close(other);
}

static void tells_the_processor_time_of_its_thread(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "one");
    hear(fd, "one");
    int64_t before_ns = atomic_load(&world->echo->cpu_ns);
    assert_true(before_ns > 0);
    sleep_ms(300);
    say(fd, "two");
    hear(fd, "two");
    int64_t idle_ns = atomic_load(&world->echo->cpu_ns);
    assert_in_range(idle_ns - before_ns, 1, 100 * NS_PER_MS);
    close(fd);
}

static void persists_a_file(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "!persist");
    hear(fd, "persisted 42 0");
    char text[16] = {0};
    int file = openat(world->directory_fd, "echo.state", O_RDONLY);
    assert_int_equal(read(file, text, sizeof(text)), 7);
    assert_string_equal(text, "durable");
    close(file);
    close(fd);
}

static void appends_to_a_file(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "!append");
    hear(fd, "file 43 0");
    char text[16] = {0};
    int file = openat(world->directory_fd, "echo.log", O_RDONLY);
    assert_int_equal(read(file, text, sizeof(text)), 7);
    assert_string_equal(text, "!append");
    close(file);
    unlinkat(world->directory_fd, "echo.log", 0);
    close(fd);
}

static void says_when_a_file_cannot_be_made_durable(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    assert_int_equal(mkdirat(world->directory_fd, "echo.state", 0700), 0); /* nothing can be renamed over it */
    say(fd, "!persist");
    char expected[64];
    snprintf(expected, sizeof(expected), "persisted 42 %d", ERR_IO);
    hear(fd, expected);
    assert_int_equal(unlinkat(world->directory_fd, "echo.state", AT_REMOVEDIR), 0);
    unlinkat(world->directory_fd, "echo.state.new", 0);
    close(fd);
}

static void serves_a_thousand_connections(void **state)
{
    enum { COUNT = 1000 };
    struct world *world = *state;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    start(world);
    int *fds = mem_alloc(COUNT * sizeof(int));
    for (int i = 0; i < COUNT; i++)
        fds[i] = dial(world);
    until(&world->echo->accepted, COUNT);
    assert_in_range(atomic_load(&world->echo->most_accepted_in_a_turn), 1, 64);
    char text[32];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            snprintf(text, sizeof(text), "message %d/%d", round, i);
            say(fds[i], text);
        }
        for (int i = 0; i < COUNT; i++) {
            snprintf(text, sizeof(text), "message %d/%d", round, i);
            hear(fds[i], text);
        }
    }
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    until(&world->echo->closed, COUNT);
    mem_free(fds);
}

static void everybody_is_heard_when_the_arena_is_full(void **state)
{
    enum { COUNT = 24, BYTES = 60000 };
    struct world *world = *state;
    start(world);
    int controller = dial(world);
    int fds[COUNT];
    char *block = mem_alloc(BYTES);
    char *answer = mem_alloc(BYTES);
    for (int i = 0; i < COUNT; i++)
        fds[i] = dial(world);
    until(&world->echo->accepted, COUNT + 1);
    say(controller, "!sleep 200");
    for (int i = 0; i < COUNT; i++) {
        memset(block, 'a' + i, BYTES);
        assert_int_equal(send(fds[i], block, BYTES, 0), BYTES);
    }
    hear(controller, "slept");
    for (int i = 0; i < COUNT; i++) {
        memset(block, 'a' + i, BYTES);
        assert_int_equal(recv(fds[i], answer, BYTES, MSG_WAITALL), BYTES);
        assert_memory_equal(answer, block, BYTES);
        close(fds[i]);
    }
    mem_free(block);
    mem_free(answer);
    close(controller);
}

/* A and B are readable in the same turn; A's bytes make the core close B: what B sent must not reach the core, whose
 * link number may already mean somebody else. */
static void nothing_is_delivered_for_a_link_that_was_closed(void **state)
{
    struct world *world = *state;
    start(world);
    int first = dial(world);
    until(&world->echo->accepted, 1);
    int second = dial(world);
    until(&world->echo->accepted, 2);
    int third = dial(world);
    until(&world->echo->accepted, 3);
    say(third, "!sleep 100");
    until(&world->echo->received, 1);
    say(first, "!close 1");
    say(second, "must not be seen");
    hear(third, "slept");
    hear(first, "done");
    char byte;
    assert_true(recv(second, &byte, 1, 0) <= 0);
    assert_int_equal(atomic_load(&world->echo->received), 2);
    assert_int_equal(atomic_load(&world->echo->closed), 0); /* EFFECT_CLOSE is not answered */
    close(first);
    close(second);
    close(third);
}

static void rests_when_descriptors_run_out(void **state)
{
    struct world *world = *state;
    start(world);
    int first = dial(world);
    until(&world->echo->accepted, 1);
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    int second = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rlimit tight = {.rlim_cur = (rlim_t)second + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(world->port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(second, (struct sockaddr *)&in, sizeof(in)), 0);
    int turns = atomic_load(&world->echo->turns);
    sleep_ms(500);
    turns = atomic_load(&world->echo->turns) - turns;
    say(first, "still here");
    hear(first, "still here");
    setrlimit(RLIMIT_NOFILE, &before); /* before anything can fail: the tests that follow need it */
    /* Five rests of 100 ms; a loop that spins makes tens of thousands of turns, also on a busy machine. */
    assert_in_range(turns, 1, 100);
    say(second, "at last");
    hear(second, "at last");
    close(first);
    close(second);
}

static void stops_with_the_cores_status(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    host_stop(world->host, false);
    assert_int_equal(finish(world), 7);
    close(fd);
}

static void exits_when_the_core_says_so(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "!exit");
    assert_int_equal(finish(world), 5);
    close(fd);
}

static void *destroy(void *argument)
{
    struct world *world = argument;
    host_destroy(world->host);
    return NULL;
}

static void who_is_hung_up_on_at_the_end_finds_nobody_at_the_port(void **state)
{
    enum { CONNECTIONS = 200 };
    struct world *world = *state;
    int fds[CONNECTIONS];
    start(world);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        fds[i] = dial(world);
        say(fds[i], "hello");
        hear(fds[i], "hello");
    }
    host_stop(world->host, false);
    assert_int_equal(finish(world), 7);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, destroy, world), 0);
    hear_end(fds[0]);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(world->port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr_in other = {.sin_family = AF_INET};
    other.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1); /* so that it cannot meet itself */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&other, sizeof(other)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    pthread_join(thread, NULL);
    world->host = NULL;
    for (size_t i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(echoes_over_tcp_and_unix),
        TEST(writes_the_rest_when_a_slow_reader_makes_room),
        TEST(drains_before_it_closes),
        TEST(last_words_survive_unread_input),
        TEST(gives_up_a_drain_after_a_second),
        TEST(a_reset_is_noticed_by_writing_where_nothing_is_read),
        cmocka_unit_test_setup_teardown(who_says_no_more_is_answered_still, set_up_hearing_ends, tear_down),
        cmocka_unit_test_setup_teardown(who_says_no_more_and_is_gone_is_noticed_by_writing, set_up_hearing_ends,
                                        tear_down),
        TEST(reads_nothing_while_paused),
        TEST(connects_and_notices_the_end),
        TEST(a_refused_connection_is_closed),
        TEST(a_link_closed_before_its_end_is_told_is_forgotten),
        TEST(a_silent_address_times_out_after_three_seconds),
        TEST(gives_a_turn_at_the_deadline),
        TEST(links_are_heard_while_the_core_is_busy),
        TEST(tells_the_processor_time_of_its_thread),
        TEST(persists_a_file),
        TEST(appends_to_a_file),
        TEST(says_when_a_file_cannot_be_made_durable),
        TEST(serves_a_thousand_connections),
        TEST(everybody_is_heard_when_the_arena_is_full),
        TEST(nothing_is_delivered_for_a_link_that_was_closed),
        TEST(rests_when_descriptors_run_out),
        TEST(stops_with_the_cores_status),
        TEST(exits_when_the_core_says_so),
        TEST(who_is_hung_up_on_at_the_end_finds_nobody_at_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
