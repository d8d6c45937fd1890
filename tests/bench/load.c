/* load: a closed-loop RESP load generator that costs little itself.
 *
 *   load --port P [--host 127.0.0.1] [--connections 50] [--pipeline 1] [--command get] [--keys 1000000]
 *        [--value-bytes 3] [--subscribers 0] [--rate N] [--seconds 1] [--warmup 0.3] [--cpu N] [--pid PID]...
 *        [--fill] [--idle]
 *
 * Every connection sends `pipeline` commands, waits for all replies, and sends the next, all together no more than
 * --rate a second. --fill writes every key once and ends. --subscribers opens as many more connections, which listen to
 * what the command "publish" says. --idle only opens the connections, prints "ready", and waits for its standard input
 * to end; with the command blpop each waits for a list of its own. --pid names server processes whose CPU time over the
 * window is reported (all threads, from /proc). Prints one JSON object: operations per second, CPU microseconds per
 * operation of each process, and those that it did not spend in the kernel, latency of a batch in microseconds (p50,
 * p99, p99.9), errors. */
#include "common/base/buf.h"
#include "common/base/door.h"
#include "common/base/mem.h"
#include "common/base/rand.h"
#include "common/resp/resp_reader.h"
#include "common/resp/resp_writer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIDS_MAX = 8, READ_BYTES = 256 * 1024, LATENCY_BUCKETS = 1 << 20 };

struct options {
    const char *host, *command;
    uint16_t port;
    unsigned connections, subscribers, pipeline, value_bytes;
    uint64_t keys;
    double rate; /* operations a second; 0: as many as the server answers */
    double seconds, warmup;
    int cpu;
    bool fill, idle;
    int pids[PIDS_MAX];
    unsigned pid_count;
};

struct connection {
    int fd;
    struct buf out; /* owned */
    struct resp_frame frame;
    unsigned awaited;
    bool only_listens;
    bool is_paused; /* its next batch is not due yet */
    int64_t sent_ns;
};

struct load {
    struct options options;
    int epoll;
    struct connection *connections; /* owned */
    struct rand rand;
    uint64_t next_fill, filled;
    uint64_t operations, errors;
    uint64_t sent;     /* in all */
    int64_t begin_ns;  /* of the first batch */
    uint32_t *latency; /* owned; batches by 100 ns */
    char *value;       /* owned */
    char *read_memory; /* owned */
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static __attribute__((noreturn)) void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* CPU nanoseconds of all threads that the process has now; ended threads are not counted. */
static int64_t process_cpu_ns(int pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return -1;
    int64_t total_ns = 0;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char file[384];
        long long run_ns = 0;
        snprintf(file, sizeof(file), "/proc/%d/task/%s/schedstat", pid, task->d_name);
        FILE *schedstat = task->d_name[0] == '.' ? NULL : fopen(file, "r");
        if (schedstat == NULL)
            continue;
        if (fscanf(schedstat, "%lld", &run_ns) == 1)
            total_ns += run_ns;
        fclose(schedstat);
    }
    closedir(tasks);
    return total_ns;
}

/* The part of it that was not spent in the kernel, as the scheduler accounts it: in ticks. */
static int64_t process_user_ns(int pid)
{
    char path[64];
    unsigned long long ticks = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *stat = fopen(path, "r");
    if (stat == NULL)
        return -1;
    if (fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu", &ticks) != 1)
        ticks = 0;
    fclose(stat);
    return (int64_t)ticks * NS_PER_S / sysconf(_SC_CLK_TCK);
}

static struct slice key_text(char text[32], uint64_t number)
{
    return slice_of(text, (size_t)snprintf(text, 32, "key:%012llu", (unsigned long long)number));
}

static uint64_t draw_key(struct load *load)
{
    return load->options.fill ? load->next_fill++ : rand_below(&load->rand, load->options.keys);
}

static void write_command(struct load *load, struct buf *out, const char *name, struct slice key, int extra,
                          const struct slice *values)
{
    (void)load;
    resp_write_array(out, 2 + (uint64_t)extra);
    resp_write_bulk_text(out, name);
    resp_write_bulk(out, key);
    for (int i = 0; i < extra; i++)
        resp_write_bulk(out, values[i]);
}

/* HSET or ZADD of ten small fields or members. */
static void write_ten(struct buf *out, bool is_zset, struct slice key)
{
    resp_write_array(out, 22);
    resp_write_bulk_text(out, is_zset ? "ZADD" : "HSET");
    resp_write_bulk(out, key);
    for (int i = 0; i < 10; i++) {
        char words[2][32];
        snprintf(words[0], sizeof(words[0]), "%s%d", is_zset ? "" : "field", i);
        snprintf(words[1], sizeof(words[1]), "%s%d", is_zset ? "member" : "value", i);
        resp_write_bulk_text(out, words[0]);
        resp_write_bulk_text(out, words[1]);
    }
}

/* A transaction of ten SETs: one operation of twelve replies. */
enum { TRANSACTION_SETS = 10, TRANSACTION_FRAMES = TRANSACTION_SETS + 2 };

static void write_transaction(struct load *load, struct buf *out, struct slice value)
{
    char key[32];
    resp_write_array(out, 1);
    resp_write_bulk_text(out, "MULTI");
    for (int i = 0; i < TRANSACTION_SETS; i++)
        write_command(load, out, "SET", key_text(key, draw_key(load)), 1, &value);
    resp_write_array(out, 1);
    resp_write_bulk_text(out, "EXEC");
}

static unsigned frames_of(const struct options *options)
{
    return strcmp(options->command, "multi10") == 0 && !options->fill ? TRANSACTION_FRAMES : 1;
}

static void write_request(struct load *load, struct buf *out)
{
    const char *command =
        load->options.fill && strcmp(load->options.command, "get") == 0 ? "set" : load->options.command;
    char key_bytes[32], number[32];
    struct slice key = key_text(key_bytes, draw_key(load));
    struct slice value = slice_of(load->value, load->options.value_bytes);
    if (strcmp(command, "get") == 0) {
        write_command(load, out, "GET", key, 0, NULL);
    } else if (strcmp(command, "set") == 0) {
        write_command(load, out, "SET", key, 1, &value);
    } else if (strcmp(command, "mix20") == 0) {
        bool is_write = rand_below(&load->rand, 5) == 0;
        write_command(load, out, is_write ? "SET" : "GET", key, is_write, &value);
    } else if (strcmp(command, "incr") == 0) {
        key_bytes[0] = 'n';
        write_command(load, out, "INCR", key, 0, NULL);
    } else if (strcmp(command, "lpush") == 0) {
        write_command(load, out, "LPUSH", SLICE_LITERAL("mylist"), 1, &value);
    } else if (strcmp(command, "publish") == 0) {
        write_command(load, out, "PUBLISH", SLICE_LITERAL("news"), 1, &value);
    } else if (strcmp(command, "hset") == 0) {
        struct slice pair[2] = {key_text(number, rand_below(&load->rand, 100)), value};
        key_bytes[0] = 'h';
        write_command(load, out, "HSET", key, 2, pair);
    } else if (strcmp(command, "zadd") == 0) {
        struct slice pair[2] = {
            slice_of(number, (size_t)snprintf(number, 32, "%u", (unsigned)rand_below(&load->rand, 1u << 30))), key};
        write_command(load, out, "ZADD", SLICE_LITERAL("myzset"), 2, pair);
    } else if (strcmp(command, "lrange100") == 0) {
        struct slice range[2] = {SLICE_LITERAL("0"), SLICE_LITERAL("99")};
        write_command(load, out, "LRANGE", SLICE_LITERAL("mylist"), 2, range);
    } else if (strcmp(command, "hash10") == 0) {
        write_ten(out, false, key);
    } else if (strcmp(command, "zset10") == 0) {
        write_ten(out, true, key);
    } else if (strcmp(command, "setex") == 0) {
        const struct slice words[] = {SLICE_LITERAL("100000"), value};
        write_command(load, out, "SETEX", key, 2, words);
    } else if (strcmp(command, "evalsha") == 0) {
        const struct slice words[] = {SLICE_LITERAL("1"), key, value};
        write_command(load, out, "EVALSHA", SLICE_LITERAL("2b20e84ba26251fc86a627f03be6dd614b31bac8"), 3,
                      words); /* run.py's script */
    } else if (strcmp(command, "multi10") == 0) {
        write_transaction(load, out, value);
    } else if (strcmp(command, "mset10") == 0) {
        resp_write_array(out, 21);
        resp_write_bulk_text(out, "MSET");
        for (int i = 0; i < 10; i++) {
            resp_write_bulk(out, key_text(key_bytes, draw_key(load)));
            resp_write_bulk(out, value);
        }
    } else {
        resp_write_array(out, 1);
        resp_write_bulk_text(out, command);
    }
}

static void send_batch(struct load *load, struct connection *connection)
{
    buf_clear(&connection->out);
    unsigned count = load->options.pipeline;
    if (load->options.fill && load->next_fill + count > load->options.keys)
        count = (unsigned)(load->options.keys - load->next_fill);
    for (unsigned i = 0; i < count; i++)
        write_request(load, &connection->out);
    load->sent += count;
    connection->awaited = count * frames_of(&load->options);
    connection->sent_ns = now_ns();
    struct slice bytes = buf_slice(&connection->out);
    while (bytes.length > 0) {
        ssize_t written = write(connection->fd, bytes.data, bytes.length);
        if (written < 0 && errno == EAGAIN) {
            /* The server reads slower than we write: let it. A batch is bounded, so this ends. */
            sched_yield();
            continue;
        }
        if (written <= 0)
            fail("write");
        bytes = slice_skip(bytes, (size_t)written);
    }
}

static bool is_ahead(const struct load *load)
{
    return load->options.rate > 0 &&
           (double)load->sent > load->options.rate * (double)(now_ns() - load->begin_ns) / NS_PER_S;
}

static void finish_batch(struct load *load, struct connection *connection)
{
    int64_t bucket = (now_ns() - connection->sent_ns) / 100;
    load->latency[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]++;
    connection->is_paused = is_ahead(load);
    if (!connection->is_paused && (!load->options.fill || load->next_fill < load->options.keys))
        send_batch(load, connection);
}

static void resume_paused(struct load *load)
{
    for (unsigned i = 0; i < load->options.connections && !is_ahead(load); i++) {
        if (!load->connections[i].is_paused)
            continue;
        load->connections[i].is_paused = false;
        send_batch(load, &load->connections[i]);
    }
}

static void read_replies(struct load *load, struct connection *connection)
{
    ssize_t got = read(connection->fd, load->read_memory, READ_BYTES);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        errno = got == 0 ? ECONNRESET : errno;
        fail("read");
    }
    if (connection->only_listens)
        return;
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct slice bytes = slice_of(load->read_memory, (size_t)got);
    while (bytes.length > 0) {
        size_t used = 0;
        int complete = resp_frame_scan(&connection->frame, bytes, &limits, &used);
        if (complete < 0)
            fail("the reply is not RESP");
        bytes = slice_skip(bytes, used);
        if (complete == 0)
            return;
        if (connection->frame.head[0] == '-' && load->errors++ == 0)
            fprintf(stderr, "load: %.*s\n", (int)connection->frame.head_length, connection->frame.head);
        load->operations++;
        load->filled++;
        if (--connection->awaited == 0)
            finish_batch(load, connection);
    }
}

static void run_until(struct load *load, int64_t end_ns)
{
    struct epoll_event events[256];
    while (now_ns() < end_ns && !(load->options.fill && load->filled >= load->options.keys)) {
        int count = epoll_wait(load->epoll, events, 256, load->options.rate > 0 ? 1 : 100);
        for (int i = 0; i < count; i++)
            read_replies(load, events[i].data.ptr);
        if (load->options.rate > 0)
            resume_paused(load);
    }
}

static void open_connections(struct load *load)
{
    const struct options *options = &load->options;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    if (inet_pton(AF_INET, options->host, &address.sin_addr) != 1)
        fail("not an IPv4 address");
    unsigned count = options->connections + options->subscribers;
    load->connections = mem_zero(count * sizeof(struct connection));
    for (unsigned i = 0; i < count; i++) {
        struct connection *connection = &load->connections[i];
        connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
            fail("connect");
        static const char subscribe[] = "SUBSCRIBE news\r\n";
        connection->only_listens = i >= options->connections;
        if (connection->only_listens && write(connection->fd, subscribe, strlen(subscribe)) < 0)
            fail("write");
        int on = 1;
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        fcntl(connection->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
            fail("epoll_ctl");
    }
}

static void block_all(struct load *load)
{
    for (unsigned i = 0; i < load->options.connections; i++) {
        struct connection *connection = &load->connections[i];
        char key[32];
        struct slice timeout = SLICE_LITERAL("0");
        write_command(load, &connection->out, "BLPOP", key_text(key, i), 1, &timeout);
        struct slice bytes = buf_slice(&connection->out);
        if (write(connection->fd, bytes.data, bytes.length) != (ssize_t)bytes.length)
            fail("write");
    }
}

static double percentile_us(const struct load *load, double share)
{
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        total += load->latency[i];
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        seen += load->latency[i];
        if ((double)seen >= share * (double)total)
            return i / 10.0;
    }
    return 0;
}

static void measure(struct load *load)
{
    const struct options *options = &load->options;
    run_until(load, now_ns() + (int64_t)(options->warmup * 1e9));
    load->operations = 0;
    memset(load->latency, 0, LATENCY_BUCKETS * sizeof(load->latency[0]));
    int64_t cpu_before[PIDS_MAX], user_before[PIDS_MAX];
    for (unsigned i = 0; i < options->pid_count; i++) {
        cpu_before[i] = process_cpu_ns(options->pids[i]);
        user_before[i] = process_user_ns(options->pids[i]);
    }
    int64_t own_before = process_cpu_ns(getpid());
    int64_t begin_ns = now_ns();
    run_until(load, begin_ns + (int64_t)(options->seconds * 1e9));
    double elapsed_s = (double)(now_ns() - begin_ns) / 1e9;
    double operations = (double)(load->operations ? load->operations : 1) / frames_of(options);
    printf("{\"operations\": %.0f, \"per_second\": %.0f, \"cpu_us\": [", operations, operations / elapsed_s);
    for (unsigned i = 0; i < options->pid_count; i++)
        printf("%s%.4f", i ? ", " : "", (double)(process_cpu_ns(options->pids[i]) - cpu_before[i]) / 1e3 / operations);
    printf("], \"user_us\": [");
    for (unsigned i = 0; i < options->pid_count; i++)
        printf("%s%.4f", i ? ", " : "",
               (double)(process_user_ns(options->pids[i]) - user_before[i]) / 1e3 / operations);
    printf("], \"generator_busy\": %.2f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"errors\": %llu}\n",
           (double)(process_cpu_ns(getpid()) - own_before) / 1e9 / elapsed_s, percentile_us(load, 0.5),
           percentile_us(load, 0.99), percentile_us(load, 0.999), (unsigned long long)load->errors);
}

static __attribute__((noreturn)) void usage(void)
{
    fprintf(stderr, "usage: load --port P [--host H] [--connections N] [--pipeline N] [--command NAME] [--keys N]\n"
                    "            [--value-bytes N] [--subscribers N] [--rate N] [--seconds S] [--warmup S] [--cpu N] "
                    "[--pid PID]... [--fill] [--idle]\n");
    exit(2);
}

static void parse(struct options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--fill") == 0) {
            options->fill = true;
            continue;
        }
        if (strcmp(name, "--idle") == 0) {
            options->idle = true;
            continue;
        }
        if (++i >= argc)
            usage();
        const char *value = argv[i];
        if (strcmp(name, "--host") == 0)
            options->host = value;
        else if (strcmp(name, "--port") == 0)
            options->port = (uint16_t)atoi(value);
        else if (strcmp(name, "--connections") == 0)
            options->connections = (unsigned)atoi(value);
        else if (strcmp(name, "--pipeline") == 0)
            options->pipeline = (unsigned)atoi(value);
        else if (strcmp(name, "--command") == 0)
            options->command = value;
        else if (strcmp(name, "--keys") == 0)
            options->keys = strtoull(value, NULL, 10);
        else if (strcmp(name, "--subscribers") == 0)
            options->subscribers = (unsigned)atoi(value);
        else if (strcmp(name, "--value-bytes") == 0)
            options->value_bytes = (unsigned)atoi(value);
        else if (strcmp(name, "--rate") == 0)
            options->rate = atof(value);
        else if (strcmp(name, "--seconds") == 0)
            options->seconds = atof(value);
        else if (strcmp(name, "--warmup") == 0)
            options->warmup = atof(value);
        else if (strcmp(name, "--cpu") == 0)
            options->cpu = atoi(value);
        else if (strcmp(name, "--pid") == 0 && options->pid_count < PIDS_MAX)
            options->pids[options->pid_count++] = atoi(value);
        else
            usage();
    }
    if (options->port == 0 || options->connections == 0 || options->pipeline == 0 || options->keys == 0)
        usage();
}

int main(int argc, char **argv)
{
    struct load load = {.options = {.host = "127.0.0.1",
                                    .command = "get",
                                    .connections = 50,
                                    .pipeline = 1,
                                    .value_bytes = 3,
                                    .keys = 1000000,
                                    .seconds = 1,
                                    .warmup = 0.3,
                                    .cpu = -1}};
    parse(&load.options, argc, argv);
    if (load.options.cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(load.options.cpu, &set);
        sched_setaffinity(0, sizeof(set), &set);
    }
    rlim_t descriptors = load.options.connections + load.options.subscribers + 64;
    struct rlimit files = {descriptors, descriptors};
    struct rlimit present;
    if (getrlimit(RLIMIT_NOFILE, &present) == 0 && present.rlim_cur < files.rlim_cur)
        setrlimit(RLIMIT_NOFILE, &files);
    rand_seed(&load.rand, 42);
    load.latency = mem_zero(LATENCY_BUCKETS * sizeof(load.latency[0]));
    load.value = mem_alloc(load.options.value_bytes + 1);
    memset(load.value, 'x', load.options.value_bytes + 1);
    load.read_memory = mem_alloc(READ_BYTES);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    open_connections(&load);
    if (load.options.idle) {
        if (strcmp(load.options.command, "blpop") == 0)
            block_all(&load);
        puts("ready");
        fflush(stdout);
        while (getchar() != EOF)
            continue;
        return 0;
    }
    load.begin_ns = now_ns();
    for (unsigned i = 0; i < load.options.connections; i++)
        if (!load.options.fill || load.next_fill < load.options.keys)
            send_batch(&load, &load.connections[i]);
    if (load.options.fill)
        run_until(&load, now_ns() + 600 * NS_PER_S);
    else
        measure(&load);
    return load.errors == 0 || !load.options.fill ? 0 : 1;
}
