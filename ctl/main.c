/* respitectl: the operator's tool. */
#include "ctl/verbs.h"

#include "common/base/errors.h"
#include "common/base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char usage_text[] =
    "usage: respitectl create --group NAME --secret-file FILE --sentinel HOST:PORT... --worker DATA,CONTROL...\n"
    "                         [--spare DATA,CONTROL...]                        (takes a missing replica's place)\n"
    "                         [--durability async|sync] [--acknowledgements K]     (default async, 1)\n"
    "       respitectl status --group NAME --secret-file FILE --endpoint HOST:PORT [--json]\n"
    "                         --process NAME,sentinel|proxy,HOST:PORT,PID...\n"
    "                         --process NAME,worker,DATA,CONTROL,PID...        (PID 0: it does not run)\n"
    "       respitectl failover --group NAME --secret-file FILE --sentinel HOST:PORT... [--force]\n"
    "                         (with a dead master, of those that answer: who would follow, what would be lost;\n"
    "                         --force does it)\n"
    "       respitectl migrate start --group NAME --secret-file FILE --sentinel HOST:PORT... --from HOST:PORT\n"
    "                         [--user USER] [--password-file FILE] [--replace]  (--replace: the group's data may go)\n"
    "       respitectl migrate status|abort --group NAME --secret-file FILE --sentinel HOST:PORT...\n"
    "       respitectl migrate cut-over --group NAME --secret-file FILE --sentinel HOST:PORT...\n"
    "                         [--bound-ms N] [--force]     (waits till the data are complete, 30000 ms at most)\n"
    "       respitectl --version | --help\n"
    "DATA and CONTROL are HOST:PORT. --timeout-ms N bounds the asking (default 1000).\n";

static int fail(const char *what, const char *value)
{
    fprintf(stderr, "respitectl: %s: %s\n%s", what, value, usage_text);
    return 2;
}

static int read_secret(const char *path, struct buf *secret)
{
    FILE *file = fopen(path, "r");
    char bytes[1024];
    if (file == NULL)
        return ERR_NOT_FOUND;
    size_t length = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
        length--;
    buf_add(secret, bytes, length);
    return length > 0 ? 0 : ERR_INVALID;
}

/* Cuts the part before the next comma off `rest`. */
static struct slice next_part(struct slice *rest)
{
    size_t length = 0;
    while (length < rest->length && rest->data[length] != ',')
        length++;
    struct slice part = slice_of(rest->data, length);
    *rest = slice_skip(*rest, length < rest->length ? length + 1 : length);
    return part;
}

static struct ctl_process *add_process(struct ctl_options *options, enum ctl_kind kind)
{
    if (options->count == CTL_NODES_MAX)
        return NULL;
    struct ctl_process *process = &options->processes[options->count++];
    process->kind = kind;
    return process;
}

static int parse_worker(struct ctl_process *process, struct slice *rest)
{
    return process == NULL || address_parse(next_part(rest), &process->data) < 0 ||
                   address_parse(next_part(rest), &process->control) < 0
               ? ERR_INVALID
               : 0;
}

static int parse_process(struct ctl_options *options, const char *text)
{
    struct slice rest = slice_text(text);
    struct slice name = next_part(&rest);
    struct slice kind = next_part(&rest);
    enum ctl_kind number = slice_equal_nocase(kind, "worker")     ? CTL_WORKER
                           : slice_equal_nocase(kind, "sentinel") ? CTL_SENTINEL
                                                                  : CTL_PROXY;
    struct ctl_process *process = add_process(options, number);
    if (process == NULL || name.length == 0 || name.length >= sizeof(process->name) ||
        (number == CTL_PROXY && !slice_equal_nocase(kind, "proxy")))
        return ERR_INVALID;
    memcpy(process->name, name.data, name.length);
    if (number == CTL_WORKER ? parse_worker(process, &rest) < 0 : address_parse(next_part(&rest), &process->data) < 0)
        return ERR_INVALID;
    int64_t pid;
    if (number_parse_i64(rest, &pid) < 0 || pid < 0)
        return ERR_INVALID;
    process->pid = (long)pid;
    return 0;
}

/* A group has no more replicas than that to ask. */
static int parse_acknowledgements(struct ctl_options *options, struct slice text)
{
    uint64_t number;
    if (number_parse_u64(text, &number) < 0 || number == 0 || number >= TOPOLOGY_MEMBERS_MAX)
        return ERR_INVALID;
    options->acknowledgements = (uint32_t)number;
    return 0;
}

static int parse_option(struct ctl_options *options, const char *name, const char *value)
{
    struct slice text = slice_text(value);
    if (strcmp(name, "--group") == 0 && text.length > 0 && text.length < sizeof(options->group)) {
        memcpy(options->group, value, text.length + 1);
        return 0;
    }
    if (strcmp(name, "--secret-file") == 0)
        return read_secret(value, &options->secret);
    if (strcmp(name, "--endpoint") == 0)
        return address_parse(text, &options->endpoint);
    if (strcmp(name, "--timeout-ms") == 0) {
        options->timeout_ms = atoi(value);
        return options->timeout_ms > 0 ? 0 : ERR_INVALID;
    }
    if (strcmp(name, "--bound-ms") == 0) {
        options->bound_ms = atoi(value);
        return options->bound_ms > 0 && options->bound_ms <= 3600000 ? 0 : ERR_INVALID;
    }
    if (strcmp(name, "--durability") == 0)
        return durability_parse(text, &options->durability) < 0 || options->durability == DURABILITY_SYNC_FSYNC
                   ? ERR_INVALID
                   : 0;
    if (strcmp(name, "--acknowledgements") == 0)
        return parse_acknowledgements(options, text);
    if (strcmp(name, "--from") == 0)
        return address_parse(text, &options->from);
    if (strcmp(name, "--user") == 0 && text.length < sizeof(options->user)) {
        memcpy(options->user, value, text.length + 1);
        return 0;
    }
    if (strcmp(name, "--password-file") == 0)
        return read_secret(value, &options->password);
    if (strcmp(name, "--process") == 0)
        return parse_process(options, value);
    if (strcmp(name, "--worker") == 0)
        return parse_worker(add_process(options, CTL_WORKER), &text);
    if (strcmp(name, "--spare") == 0) {
        struct ctl_process *process = add_process(options, CTL_WORKER);
        if (process == NULL)
            return ERR_TOO_BIG;
        process->is_spare = true;
        return parse_worker(process, &text);
    }
    if (strcmp(name, "--sentinel") == 0) {
        struct ctl_process *process = add_process(options, CTL_SENTINEL);
        return process == NULL ? ERR_TOO_BIG : address_parse(text, &process->data);
    }
    return ERR_UNSUPPORTED;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("respitectl " PACKAGE_VERSION);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (argc < 2)
        return fail("no verb", "create, failover, migrate or status is wanted");
    struct ctl_options options = {.group = "main", .timeout_ms = 1000, .acknowledgements = 1, .bound_ms = 30000};
    bool migrates = strcmp(argv[1], "migrate") == 0;
    if (migrates && argc < 3)
        return fail("migrate", "start, status, cut-over or abort is wanted");
    for (int i = migrates ? 3 : 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--force") == 0) {
            options.force = true;
        } else if (migrates && strcmp(argv[i], "--replace") == 0) {
            options.replace = true;
        } else if (i + 1 >= argc || parse_option(&options, argv[i], argv[i + 1]) < 0) {
            buf_free(&options.secret);
            buf_free(&options.password);
            return fail("unknown option or unfit value", argv[i]);
        } else {
            i++;
        }
    }
    int status = strcmp(argv[1], "create") == 0     ? ctl_create(&options)
                 : strcmp(argv[1], "failover") == 0 ? ctl_failover(&options)
                 : migrates                         ? ctl_migrate(&options, argv[2])
                 : strcmp(argv[1], "status") == 0   ? ctl_status(&options)
                                                    : fail("no such verb", argv[1]);
    buf_free(&options.secret);
    buf_free(&options.password);
    return status;
}
