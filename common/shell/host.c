#include "common/shell/host.h"

#include "common/base/errors.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/shell/clock.h"
#include "common/shell/conn.h"
#include "common/shell/file_thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    READ_MAX_BYTES = 64 * 1024,
    ARENA_BYTES = 512 * 1024,
    ARENA_ALIGN = 16,
    FLUSH_MAX_BYTES = 1024 * 1024, /* to one link in one turn */
    ACCEPTS_PER_TURN = 64,
    LINKS_MAX = 1 << 20,
    CONNECT_TIMEOUT_S = 3,
};

enum ready_kind {
    READY_NOTHING,
    READY_BYTES,
    READY_OPENED,
    READY_ENDED,
    READY_CLOSED,
    READY_ACCEPT,
    READY_FILES,
    READY_STOP
};

/* What the core will be told next. An entry whose link was closed meanwhile becomes READY_NOTHING. */
struct ready {
    enum ready_kind kind;
    struct conn *conn;         /* borrowed */
    struct listener *listener; /* borrowed */
    struct slice bytes;        /* borrowed from the arena */
};

struct host {
    struct host_config config;
    struct event_base *base;
    struct libevent_event wake_event;
    struct libevent_event timer_event;
    int wake_fd;
    atomic_bool stop_wanted;
    atomic_bool is_interrupt; /* what wants it */
    atomic_bool files_answered;
    struct file_thread *files; /* owned */
    struct host **group;       /* borrowed; whom EFFECT_WAKE wakes, this one among them */
    size_t group_size;
    int64_t timer_ns; /* when timer_event fires; NEVER_NS: it is not armed */
    int64_t now_ns;
    int64_t wall_us;

    struct conn **links; /* owned, by link number */
    size_t link_capacity;
    struct list flush; /* of conn.flush_node: links with output */
    struct effects effects;

    struct ready *ready; /* owned */
    uint32_t ready_count;
    uint32_t ready_capacity;
    char *arena; /* owned; received bytes of this turn */
    size_t arena_used;

    int64_t accept_complaint_ns; /* when it was last said that descriptors are missing */
    bool exiting;
    int exit_status;
};

static void read_clock(struct host *host)
{
    host->now_ns = clock_boot_ns();
    host->wall_us = clock_wall_us();
}

static struct ready *add_ready(struct host *host, enum ready_kind kind)
{
    if (host->ready_count == host->ready_capacity) {
        host->ready_capacity = host->ready_capacity ? 2 * host->ready_capacity : 64;
        host->ready = mem_resize(host->ready, host->ready_capacity * sizeof(struct ready));
    }
    struct ready *ready = &host->ready[host->ready_count++];
    *ready = (struct ready){.kind = kind};
    return ready;
}

static struct ready *add_ready_conn(struct conn *conn, enum ready_kind kind)
{
    CHECK(conn->ready == 0);
    struct ready *ready = add_ready(conn->host, kind);
    ready->conn = conn;
    conn->ready = conn->host->ready_count;
    return ready;
}

static void forget_ready(struct conn *conn)
{
    if (conn->ready != 0)
        conn->host->ready[conn->ready - 1].kind = READY_NOTHING;
    conn->ready = 0;
}

/* --- what libevent calls; nothing here calls the core --- */

/* The link is at its end: no more I/O, and the core will be told. */
static void conn_fail(struct conn *conn)
{
    event_del(&conn->read_event);
    event_del(&conn->write_event);
    list_remove(&conn->flush_node);
    conn->write_broken = true;
    forget_ready(conn);
    add_ready_conn(conn, READY_CLOSED);
}

/* The peer has sent all that it will; whether it listens still, only writing shows. */
static void conn_end(struct conn *conn)
{
    event_del(&conn->read_event);
    conn->ended = true;
    add_ready_conn(conn, READY_ENDED);
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct conn *conn = argument;
    struct host *host = conn->host;
    char *place = host->arena + host->arena_used;
    ssize_t length = conn->transport->read(conn, place, READ_MAX_BYTES);
    if (UNLIKELY(length <= 0)) {
        if (length == 0 && conn->accepted && host->config.door->hears_ends && !conn->write_broken)
            conn_end(conn);
        else if (length == 0 || (errno != EAGAIN && errno != EINTR))
            conn_fail(conn);
        return;
    }
    add_ready_conn(conn, READY_BYTES)->bytes = slice_of(place, (size_t)length);
    host->arena_used += ((size_t)length + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (UNLIKELY(ARENA_BYTES - host->arena_used < READ_MAX_BYTES))
        event_base_loopbreak(host->base); /* what is ready stays queued, before what becomes ready later */
}

static void connect_over(struct conn *conn, short what)
{
    event_del(&conn->write_event);
    if ((what & EV_TIMEOUT) != 0 || conn_socket_result(conn->fd) < 0)
        conn_fail(conn);
    else
        add_ready_conn(conn, READY_OPENED);
}

static void on_writable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    struct conn *conn = argument;
    if (conn->state == CONN_CONNECTING) {
        connect_over(conn, what);
    } else if ((what & EV_TIMEOUT) != 0) {
        conn_fail(conn); /* a drain that took too long */
    } else {
        list_remove(&conn->flush_node);
        list_add_last(&conn->host->flush, &conn->flush_node);
    }
}

static void on_listener_ready(struct listener *listener)
{
    add_ready(listener->context, READY_ACCEPT)->listener = listener;
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct host *host = argument;
    host->timer_ns = NEVER_NS;
}

static void on_wake(evutil_socket_t fd, short what, void *argument)
{
    (void)what;
    struct host *host = argument;
    uint64_t count;
    ssize_t length = read(fd, &count, sizeof(count));
    (void)length; /* a turn follows in any case */
    if (atomic_exchange(&host->stop_wanted, false))
        add_ready(host, READY_STOP);
    if (atomic_exchange(&host->files_answered, false))
        add_ready(host, READY_FILES);
}

/* --- links --- */

static struct conn *link_conn(const struct host *host, link_id link)
{
    return link < host->link_capacity ? host->links[link] : NULL;
}

static struct conn *conn_new(struct host *host, link_id link, int fd, enum conn_state state)
{
    CHECK(link < LINKS_MAX && link_conn(host, link) == NULL);
    if (link >= host->link_capacity) {
        size_t capacity = host->link_capacity ? host->link_capacity : 64;
        while (capacity <= link)
            capacity *= 2;
        host->links = mem_resize(host->links, capacity * sizeof(struct conn *));
        memset(host->links + host->link_capacity, 0, (capacity - host->link_capacity) * sizeof(struct conn *));
        host->link_capacity = capacity;
    }
    struct conn *conn = mem_zero(sizeof(*conn));
    conn->host = host;
    conn->transport = &transport_socket;
    conn->fd = fd;
    conn->link = link;
    conn->state = state;
    list_init(&conn->flush_node);
    event_assign(&conn->read_event, host->base, fd, EV_READ | EV_PERSIST, on_readable, conn);
    event_assign(&conn->write_event, host->base, fd, EV_WRITE | EV_PERSIST, on_writable, conn);
    host->links[link] = conn;
    return conn;
}

static void conn_free(struct conn *conn)
{
    struct host *host = conn->host;
    forget_ready(conn);
    event_del(&conn->read_event);
    event_del(&conn->write_event);
    list_remove(&conn->flush_node);
    host->links[conn->link] = NULL;
    conn->transport->close(conn);
    mem_free(conn);
}

static void disarm_write(struct conn *conn)
{
    if (conn->write_armed)
        event_del(&conn->write_event);
    conn->write_armed = false;
}

/* A draining link gets what is left of its second, however slowly the peer takes the bytes. */
static void arm_write(struct conn *conn)
{
    struct host *host = conn->host;
    if (conn->state == CONN_DRAINING) {
        int64_t left_us = (conn->drain_until_ns - host->now_ns) / NS_PER_US;
        struct timeval timeout = {.tv_usec = left_us > 0 ? left_us : 0};
        if (timeout.tv_usec >= 1000000)
            timeout = (struct timeval){.tv_sec = 1};
        event_add(&conn->write_event, &timeout);
    } else if (!conn->write_armed) {
        event_add(&conn->write_event, NULL);
    }
    conn->write_armed = true;
}

/* Closing a socket with unread bytes resets the connection and can destroy the last words under way. */
static void drain_over(struct conn *conn)
{
    for (int i = 0; i < 4; i++)
        if (conn->transport->read(conn, conn->host->arena, READ_MAX_BYTES) <= 0)
            break;
    conn_fail(conn);
}

/* A peer that is gone may have left words that are still to be read, if anybody reads. */
static void write_failed(struct conn *conn, int error_number)
{
    bool peer_is_gone = error_number == EPIPE || error_number == ECONNRESET;
    bool is_read = !conn->paused && !conn->ended && conn->state != CONN_DRAINING;
    disarm_write(conn);
    conn->write_broken = true;
    if (!peer_is_gone || !is_read)
        conn_fail(conn);
}

static void carry_out(struct host *host);

static void flush_conn(struct conn *conn, int64_t now_ns)
{
    struct host *host = conn->host;
    const struct door *door = host->config.door;
    if (conn->state == CONN_CONNECTING || conn->write_broken)
        return;
    for (size_t total = 0; total < FLUSH_MAX_BYTES;) {
        struct slice bytes = door->output(host->config.core, conn->link, now_ns);
        if (bytes.length == 0) {
            disarm_write(conn);
            if (conn->state == CONN_DRAINING)
                drain_over(conn);
            return;
        }
        ssize_t length = conn->transport->write(conn, bytes);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno != EAGAIN) {
            write_failed(conn, errno);
            return;
        }
        if (length > 0)
            door->sent(host->config.core, conn->link, (size_t)length, &host->effects);
        if (length < (ssize_t)bytes.length) {
            arm_write(conn);
            return;
        }
        total += (size_t)length;
    }
    list_add_last(&host->flush, &conn->flush_node); /* the others first */
}

/* One pass: what asks for a flush meanwhile has its turn in the next one. */
static void flush_all(struct host *host)
{
    if (list_is_empty(&host->flush))
        return;
    struct list pass;
    list_init(&pass);
    pass.next = host->flush.next;
    pass.previous = host->flush.previous;
    pass.next->previous = pass.previous->next = &pass;
    list_init(&host->flush);

    int64_t now_ns = clock_boot_ns();
    while (!list_is_empty(&pass)) {
        struct conn *conn = LIST_ENTRY(pass.next, struct conn, flush_node);
        list_remove(&conn->flush_node);
        flush_conn(conn, now_ns);
        carry_out(host);
    }
}

/* --- effects --- */

static void start_listening(struct host *host)
{
    for (size_t i = 0; i < host->config.listener_count; i++) {
        struct listener *listener = &host->config.listeners[i];
        struct buf why = {0};
        if (listener_start(listener, host->base, on_listener_ready, host, &why) < 0) {
            log_write(host->config.log, LOG_LEVEL_ERROR, buf_slice(&why));
            host->exiting = true;
            host->exit_status = EXIT_FAILURE;
        }
        buf_free(&why);
    }
}

static void start_connecting(struct host *host, link_id link, const struct address *address)
{
    int fd = -1;
    int error = conn_socket_connect(address, host->config.user_timeout_ms, &fd);
    struct conn *conn = conn_new(host, link, fd, CONN_CONNECTING);
    if (error < 0) {
        if (error == ERR_INVALID)
            log_line(host->config.log, LOG_LEVEL_ERROR, "%s is no numeric address", address->host);
        add_ready_conn(conn, READY_CLOSED);
        return;
    }
    struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
    event_add(&conn->write_event, &timeout);
}

static void want_flush(struct conn *conn)
{
    if (list_is_empty(&conn->flush_node) && !conn->write_armed)
        list_add_last(&conn->host->flush, &conn->flush_node);
}

static void start_draining(struct conn *conn)
{
    if (conn->state == CONN_CONNECTING || conn->write_broken) {
        conn_fail(conn);
        return;
    }
    forget_ready(conn);
    event_del(&conn->read_event);
    conn->state = CONN_DRAINING;
    conn->drain_until_ns = conn->host->now_ns + NS_PER_S;
    disarm_write(conn);
    want_flush(conn);
}

static void set_paused(struct conn *conn, bool paused)
{
    if (conn->paused == paused)
        return;
    conn->paused = paused;
    if (conn->state != CONN_OPEN)
        return;
    if (conn->ended)
        return;
    if (paused)
        event_del(&conn->read_event);
    else if (!(conn->ready != 0 && conn->host->ready[conn->ready - 1].kind == READY_CLOSED))
        event_add(&conn->read_event, NULL);
}

static void carry_out_link(struct conn *conn, enum effect_kind kind)
{
    switch (kind) {
    case EFFECT_FLUSH: want_flush(conn); break;
    case EFFECT_CLOSE: conn_free(conn); break;
    case EFFECT_DRAIN: start_draining(conn); break;
    case EFFECT_PAUSE: set_paused(conn, true); break;
    case EFFECT_RESUME: set_paused(conn, false); break;
    default: CHECK(false);
    }
}

/* The loop turns once more. From any thread. */
static void wake(struct host *host)
{
    uint64_t one = 1;
    ssize_t written = write(host->wake_fd, &one, sizeof(one));
    (void)written; /* it fails only when the counter is full, and then a wake-up is under way */
}

static void carry_out_one(struct host *host, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_LISTEN: start_listening(host); break;
    case EFFECT_CONNECT: start_connecting(host, effect->link, &effect->address); break;
    case EFFECT_PERSIST:
    case EFFECT_FILE: file_thread_ask(host->files, &host->effects, effect); break;
    case EFFECT_LOG:
        log_write(host->config.log, (enum log_level)effect->level, effects_text(&host->effects, effect));
        break;
    case EFFECT_LOG_LEVEL: log_sink_set_level(host->config.log, (enum log_level)effect->level); break;
    case EFFECT_WAKE:
        for (size_t i = 0; i < host->group_size; i++)
            if (host->group[i] != host)
                wake(host->group[i]);
        break;
    case EFFECT_EXIT:
        host->exiting = true;
        host->exit_status = effect->level;
        break;
    default: {
        struct conn *conn = link_conn(host, effect->link);
        if (conn != NULL)
            carry_out_link(conn, effect->kind);
    }
    }
}

static void carry_out(struct host *host)
{
    if (host->effects.count == 0)
        return;
    for (size_t i = 0; i < host->effects.count; i++)
        carry_out_one(host, &host->effects.items[i]);
    effects_clear(&host->effects);
}

/* --- events --- */

static void step(struct host *host, struct event event)
{
    event.now_ns = host->now_ns;
    event.wall_us = host->wall_us;
    host->config.door->step(host->config.core, &event, &host->effects);
    carry_out(host);
}

static void deliver_accepted(struct host *host, const struct listener *listener, int fd, const struct net_address *net)
{
    struct address peer;
    net_address_to(net, &peer);
    link_id link = host->config.door->accept(host->config.core, listener->number, &peer, host->now_ns, &host->effects);
    if (link == LINK_NONE) {
        close(fd);
    } else {
        struct conn *conn = conn_new(host, link, fd, CONN_OPEN);
        conn->accepted = true;
        event_add(&conn->read_event, NULL);
    }
    carry_out(host);
}

static void deliver_waiting(struct host *host, struct listener *listener)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd;
        struct net_address peer;
        int error = listener_accept(listener, &fd, &peer);
        if (error == ERR_TOO_BIG && host->now_ns >= host->accept_complaint_ns + NS_PER_S) {
            host->accept_complaint_ns = host->now_ns;
            log_line(host->config.log, LOG_LEVEL_ERROR,
                     "no descriptor or memory for another connection: waiting %d ms before the next one",
                     LISTENER_PAUSE_MS);
        }
        if (error < 0)
            return;
        deliver_accepted(host, listener, fd, &peer);
    }
}

static void deliver_conn(struct host *host, const struct ready *ready)
{
    struct conn *conn = ready->conn;
    link_id link = conn->link;
    conn->ready = 0;
    switch (ready->kind) {
    case READY_BYTES: step(host, (struct event){.kind = EVENT_RECEIVED, .link = link, .bytes = ready->bytes}); break;
    case READY_ENDED: step(host, (struct event){.kind = EVENT_ENDED, .link = link}); break;
    case READY_OPENED:
        conn->state = CONN_OPEN;
        if (!conn->paused)
            event_add(&conn->read_event, NULL);
        want_flush(conn);
        step(host, (struct event){.kind = EVENT_OPENED, .link = link});
        break;
    case READY_CLOSED:
        conn_free(conn);
        step(host, (struct event){.kind = EVENT_CLOSED, .link = link});
        break;
    default: CHECK(false);
    }
}

static void deliver_answers(struct host *host)
{
    struct file_answer answer;
    while (file_thread_answer(host->files, &answer))
        step(host, (struct event){.kind = answer.is_persisted ? EVENT_PERSISTED : EVENT_FILE,
                                  .token = answer.token,
                                  .result = answer.result});
}

/* What comes up meanwhile (a connection refused at once) has its turn after the next look at the links, so that a core
 * which tries again at once does not shut them out. */
static void deliver(struct host *host)
{
    uint32_t count = host->ready_count;
    for (uint32_t i = 0; i < count; i++) {
        struct ready ready = host->ready[i]; /* the list may grow and move below */
        switch (ready.kind) {
        case READY_NOTHING: break;
        case READY_STOP:
            step(host, (struct event){.kind = EVENT_STOP, .is_interrupt = atomic_load(&host->is_interrupt)});
            break;
        case READY_ACCEPT: deliver_waiting(host, ready.listener); break;
        case READY_FILES: deliver_answers(host); break;
        default: deliver_conn(host, &ready);
        }
    }
    host->ready_count -= count;
    if (host->ready_count > 0)
        memmove(host->ready, host->ready + count, host->ready_count * sizeof(struct ready));
    for (uint32_t i = 0; i < host->ready_count; i++)
        if (host->ready[i].kind != READY_NOTHING && host->ready[i].conn != NULL)
            host->ready[i].conn->ready = i + 1;
}

/* --- the loop --- */

/* The timer is moved only forward in urgency: a deadline that was put off costs one idle turn, not a timer operation in
 * every turn. */
static void arm_timer(struct host *host, int64_t deadline_ns)
{
    if (deadline_ns >= host->timer_ns)
        return;
    int64_t wait_us = (deadline_ns - clock_boot_ns() + NS_PER_US - 1) / NS_PER_US;
    if (wait_us < 0)
        wait_us = 0;
    struct timeval wait = {.tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000};
    event_add(&host->timer_event, &wait);
    host->timer_ns = deadline_ns;
}

static void wait_for_events(struct host *host)
{
    int64_t deadline_ns = host->config.door->deadline(host->config.core);
    bool at_once = host->ready_count > 0 || !list_is_empty(&host->flush) || deadline_ns <= host->now_ns;
    if (!at_once)
        arm_timer(host, deadline_ns);
    host->arena_used = 0;
    /* Once in both cases: a second look within one call would find links readable whose bytes are queued already. */
    event_base_loop(host->base, EVLOOP_ONCE | (at_once ? EVLOOP_NONBLOCK : 0));
}

int host_run(struct host *host)
{
    read_clock(host);
    step(host, (struct event){.kind = EVENT_START});
    flush_all(host);
    while (!host->exiting) {
        wait_for_events(host);
        read_clock(host);
        deliver(host);
        step(host, (struct event){.kind = EVENT_TURN, .cpu_ns = host->config.tells_cpu ? clock_cpu_ns() : 0});
        flush_all(host);
    }
    return host->exit_status;
}

void host_stop(struct host *host, bool is_interrupt)
{
    atomic_store(&host->is_interrupt, is_interrupt);
    atomic_store(&host->stop_wanted, true);
    wake(host);
}

void host_group(struct host **hosts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hosts[i]->group = hosts;
        hosts[i]->group_size = count;
    }
}

struct event_base *host_event_base(struct host *host)
{
    return host->base;
}

static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    CHECK(config != NULL);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* From the thread of the files. */
static void on_answer(void *context)
{
    struct host *host = context;
    if (!atomic_exchange(&host->files_answered, true))
        wake(host);
}

int host_create(const struct host_config *config, struct host **ret_host)
{
    int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake_fd < 0)
        return ERR_IO;
    struct event_base *base = new_base();
    if (base == NULL) {
        close(wake_fd);
        return ERR_IO;
    }
    struct host *host = mem_zero(sizeof(*host));
    host->config = *config;
    host->base = base;
    host->wake_fd = wake_fd;
    host->timer_ns = NEVER_NS;
    host->accept_complaint_ns = -NS_PER_S;
    host->arena = mem_alloc(ARENA_BYTES);
    host->files = file_thread_create(config->directory_fd, on_answer, host);
    list_init(&host->flush);
    event_assign(&host->wake_event, base, wake_fd, EV_READ | EV_PERSIST, on_wake, host);
    event_assign(&host->timer_event, base, -1, 0, on_timer, host);
    event_add(&host->wake_event, NULL);
    *ret_host = host;
    return 0;
}

void host_destroy(struct host *host)
{
    if (host == NULL)
        return;
    /* First, for who is hung up on may connect again at once: to the next process at this port, and not to this one. */
    for (size_t i = 0; i < host->config.listener_count; i++)
        listener_close(&host->config.listeners[i]);
    for (size_t i = 0; i < host->link_capacity; i++)
        if (host->links[i] != NULL)
            conn_free(host->links[i]);
    file_thread_destroy(host->files); /* before the core, whose contexts it may use */
    host->config.door->destroy(host->config.core);
    event_del(&host->wake_event);
    event_del(&host->timer_event);
    event_base_free(host->base);
    close(host->wake_fd);
    effects_free(&host->effects);
    mem_free(host->links);
    mem_free(host->ready);
    mem_free(host->arena);
    mem_free(host);
}
