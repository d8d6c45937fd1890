#include "ctl/verbs.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "ctl/control.h"

#include <netdb.h>
#include <stdio.h>
#include <time.h>

enum {
    REFUSED = 1, /* the exit status of whatever did not work */
    LOOK_EVERY_MS = 200,
    CLOSING_MS = 30000, /* what finishing may take beyond the cut-over's own bound */
};

static int complain(const char *what)
{
    fprintf(stderr, "respitectl: migrate: %s\n", what);
    return REFUSED;
}

static int complain_of(const struct address *address, const char *what)
{
    fprintf(stderr, "respitectl: migrate: %s:%u: %s\n", address->host, address->port, what);
    return REFUSED;
}

/* --- who is asked --- */

static void take_topology(const struct ask *ask, struct topology *newest)
{
    const redisReply *reply = ask->count > 0 ? ask->replies[0] : NULL;
    if (reply == NULL || reply->type != REDIS_REPLY_STRING)
        return;
    struct topology *topology = mem_alloc(sizeof(*topology));
    if (topology_decode(slice_of(reply->str, (size_t)reply->len), topology) == 0 && topology->version > newest->version)
        *newest = *topology;
    mem_free(topology);
}

/* The newest that any sentinel knows. */
static int find_topology(const struct ctl_options *options, struct topology *ret_topology)
{
    struct ask *asks = mem_zero(CTL_NODES_MAX * sizeof(*asks));
    unsigned count = 0;
    for (unsigned i = 0; i < options->count; i++) {
        if (options->processes[i].kind != CTL_SENTINEL)
            continue;
        asks[count].address = options->processes[i].data;
        asks[count].wanted = 1;
        ask_add(&asks[count++], "RESPITE TOPOLOGY %s", options->group);
    }
    ask_all(asks, count, options->timeout_ms);
    *ret_topology = (struct topology){0};
    for (unsigned i = 0; i < count; i++) {
        take_topology(&asks[i], ret_topology);
        ask_free(&asks[i]);
    }
    mem_free(asks);
    if (ret_topology->version == 0)
        return complain("no sentinel knows this group");
    return 0;
}

static const struct member *master_of(const struct topology *topology)
{
    return topology_member(topology, &topology->master.node);
}

static void begin(const struct ctl_options *options, struct ask *ask, const struct address *control)
{
    *ask = (struct ask){.address = *control, .wanted = 1}; /* a worker says nothing to HELLO */
    control_hello(ask, buf_slice(&options->secret));
}

/* Asks what was added, and frees the ask. 0 and the text of the answer, to be freed; or what went wrong was told. */
static int finish(const struct ctl_options *options, struct ask *ask, struct buf *ret_text)
{
    struct address address = ask->address;
    ask_all(ask, 1, options->timeout_ms);
    const redisReply *reply = ask->count > 0 ? ask->replies[0] : NULL;
    int status = 0;
    if (reply == NULL)
        status = complain_of(&address, error_text(ask->result));
    else if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS)
        status = complain_of(&address,
                             reply->type == REDIS_REPLY_ERROR ? reply->str : "this is not a worker's control port");
    else
        buf_add(ret_text, reply->str, (size_t)reply->len);
    ask_free(ask);
    return status;
}

/* A word or two to the present master. */
static int order(const struct ctl_options *options, const char *words, struct buf *ret_text)
{
    struct topology *topology = mem_alloc(sizeof(*topology));
    struct ask ask;
    int status = find_topology(options, topology);
    const struct member *master = status == 0 ? master_of(topology) : NULL;
    if (status == 0 && master == NULL)
        status = complain("the group has no master now");
    if (status == 0) {
        begin(options, &ask, &master->control);
        ask_add(&ask, words);
        status = finish(options, &ask, ret_text);
    }
    mem_free(topology);
    return status;
}

/* --- start --- */

/* A name is looked up here, once: workers know numeric addresses only. */
static int resolve(const struct address *from, struct address *ret_address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    *ret_address = *from;
    if (from->host[0] == '/' || from->host[0] == '[')
        return 0;
    if (getaddrinfo(from->host, NULL, &hints, &found) != 0 || found == NULL)
        return complain_of(from, "there is no such host");
    int error = getnameinfo(found->ai_addr, found->ai_addrlen, ret_address->host, sizeof(ret_address->host), NULL, 0,
                            NI_NUMERICHOST);
    freeaddrinfo(found);
    return error != 0 ? complain_of(from, "its address cannot be written down") : 0;
}

/* Whoever is, or may become, master is told the password; it goes no other way. */
static int tell_credentials(const struct ctl_options *options, const struct topology *topology,
                            const struct address *from)
{
    struct slice password = buf_slice(&options->password);
    int status = 0;
    for (uint32_t i = 0; i < topology->member_count; i++) {
        const struct member *member = &topology->members[i];
        struct ask ask;
        struct buf answer = {0};
        begin(options, &ask, &member->control);
        ask_add(&ask, "RESPITE MIGRATE CREDENTIALS %s %d %s %b", from->host, (int)from->port, options->user,
                password.length > 0 ? password.data : "", password.length);
        int error = finish(options, &ask, &answer);
        if (error != 0 && member == master_of(topology))
            status = error; /* another one only cannot take the migration up if it becomes master */
        buf_free(&answer);
    }
    return status;
}

static int start(const struct ctl_options *options)
{
    struct topology *topology = mem_alloc(sizeof(*topology));
    struct address from;
    struct buf answer = {0};
    struct ask ask;
    int status = 0;
    if (options->from.host[0] == '\0')
        status = complain("--from HOST:PORT is wanted");
    else if (options->user[0] != '\0' && buf_length(&options->password) == 0)
        status = complain("--user wants --password-file");
    else
        status = resolve(&options->from, &from);
    if (status == 0)
        status = find_topology(options, topology);
    const struct member *master = status == 0 ? master_of(topology) : NULL;
    if (status == 0 && master == NULL)
        status = complain("the group has no master now");
    if (status == 0)
        status = tell_credentials(options, topology, &from);
    if (status == 0) {
        begin(options, &ask, &master->control);
        ask_add(&ask, "RESPITE MIGRATE START %s %d %s %s", from.host, (int)from.port, options->user,
                options->replace ? "replace" : "empty");
        status = finish(options, &ask, &answer);
    }
    if (status == 0)
        printf("the group follows %s:%u; see respitectl migrate status\n", from.host, from.port);
    buf_free(&answer);
    mem_free(topology);
    return status;
}

/* --- the rest --- */

static int print_status(const struct ctl_options *options)
{
    struct buf text = {0};
    int status = order(options, "RESPITE MIGRATE STATUS", &text);
    if (status == 0)
        printf("%.*s", (int)buf_length(&text), buf_slice(&text).data);
    buf_free(&text);
    return status;
}

static bool has_line(const struct buf *text, const char *beginning)
{
    struct slice all = buf_slice(text);
    return memmem(all.data, all.length, beginning, strlen(beginning)) != NULL;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the worker says that it is done, or that it has given up, which has the bound twice: for what the source has,
 * and for the replicas behind that. A master that is gone meanwhile says neither. */
static int await_end(const struct ctl_options *options)
{
    int64_t end_ms = now_ms() + 2 * (int64_t)options->bound_ms + CLOSING_MS;
    while (now_ms() < end_ms) {
        struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
        struct buf text = {0};
        nanosleep(&pause, NULL);
        int status = order(options, "RESPITE MIGRATE STATUS", &text);
        bool is_over = status == 0 && !has_line(&text, "state:cutting-over") && !has_line(&text, "state:closing");
        bool is_done = is_over && has_line(&text, "state:none") && has_line(&text, "outcome:cut over");
        if (is_over)
            printf("%.*s", (int)buf_length(&text), buf_slice(&text).data);
        buf_free(&text);
        if (is_over)
            return is_done ? 0 : REFUSED;
    }
    return complain("it is not known whether the cut-over was done; see respitectl migrate status");
}

static int cut_over(const struct ctl_options *options)
{
    char words[96];
    struct buf answer = {0};
    snprintf(words, sizeof(words), "RESPITE MIGRATE CUT-OVER %d %s", options->bound_ms,
             options->force ? "force" : "ordinary");
    int status = order(options, words, &answer);
    buf_free(&answer);
    return status == 0 ? await_end(options) : status;
}

static int abort_migration(const struct ctl_options *options)
{
    struct buf answer = {0};
    int status = order(options, "RESPITE MIGRATE ABORT", &answer);
    buf_free(&answer);
    return status == 0 ? print_status(options) : status;
}

int ctl_migrate(struct ctl_options *options, const char *action)
{
    if (strcmp(action, "start") == 0)
        return start(options);
    if (strcmp(action, "status") == 0)
        return print_status(options);
    if (strcmp(action, "cut-over") == 0)
        return cut_over(options);
    if (strcmp(action, "abort") == 0)
        return abort_migration(options);
    return complain("start, status, cut-over or abort is wanted");
}
