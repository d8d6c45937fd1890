#include "cacheworker/engine/settings.h"

#include "cacheworker/acl/share.h"
#include "cacheworker/engine/dispatch.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/pubsub/notify_classes.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"

#include <inttypes.h>
#include <stdio.h>

/* --- the table --- */

enum kind { BOOLEAN, INTEGER, OCTAL, MEMORY, SHARE, TEXT, CHOICE, OWN };
enum { IMMUTABLE = 1 << 0, HIDDEN = 1 << 1, SENSITIVE = 1 << 2, PROTECTED = 1 << 3, SEVERAL = 1 << 4, ALONE = 1 << 5 };

/* What a parameter needs beyond its kind; each may be NULL. */
struct hooks {
    void (*write)(const struct cw_engine *engine, struct buf *out);
    void (*judge)(const struct cw_engine *engine, struct slice value, struct buf *reason);
    void (*assign)(struct cw_settings *settings, struct slice value); /* of OWN; of others, after the field was set */
    void (*changed)(struct cw_engine *engine);                        /* by CONFIG SET, after all of it was assigned */
};

struct parameter {
    const char *name;
    const char *of; /* of an alias: the name that is meant */
    enum kind kind;
    size_t offset; /* in struct cw_settings: bool, int64_t, size_t, struct slice or (a choice's index) int */
    const char *initial;
    int64_t least, most; /* of a number */
    unsigned flags;
    const char *const *choices; /* ended by NULL */
    const struct hooks *hooks;
};

#define KEPT SIZE_MAX

enum { GROUP_TIMEOUT_S = 30 }; /* repl-timeout in a group, where nothing else is set */

static const char *const acl_pubsub_default_names[] = {"allchannels", "resetchannels", NULL};
static const char *const appendfsync_names[] = {"everysec", "always", "no", NULL};
static const char *const cluster_preferred_endpoint_type_names[] = {"ip", "hostname", "unknown-endpoint", NULL};
/* By enum log_level. */
static const char *const loglevel_names[] = {"debug", "verbose", "notice", "warning", "nothing", NULL};
static const char *const oom_score_adj_names[] = {"no", "yes", "relative", "absolute", NULL};
static const char *const propagation_error_behavior_names[] = {"ignore", "panic", "panic-on-replicas", NULL};
static const char *const protected_action_names[] = {"no", "yes", "local", NULL};
static const char *const repl_diskless_load_names[] = {"disabled", "on-empty-db", "swapdb", NULL};
static const char *const sanitize_dump_payload_names[] = {"no", "yes", "clients", NULL};
static const char *const shutdown_on_sig_names[] = {"default", "save", "nosave", "now", "force", NULL};
static const char *const supervised_mode_names[] = {"upstart", "systemd", "auto", "no", NULL};
static const char *const syslog_facility_names[] = {"user",   "local0", "local1", "local2", "local3",
                                                    "local4", "local5", "local6", "local7", NULL};
static const char *const tls_auth_clients_names[] = {"no", "yes", "optional", NULL};

static void write_databases(const struct cw_engine *engine, struct buf *out)
{
    buf_add_u64(out, engine->config.databases);
}

static void write_port(const struct cw_engine *engine, struct buf *out)
{
    buf_add_u64(out, engine->config.port);
}

static void write_acl_file(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, engine->config.acl_file);
}

static void write_rdb_file(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, engine->config.rdb_file);
}

static void write_aof_directory(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, engine->config.aof_directory);
}

static void write_aof_name(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, engine->config.aof_name);
}

static void write_bind(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, engine->config.data.host);
}

static void write_output_limits(const struct cw_engine *engine, struct buf *out)
{
    cw_output_limits_write(&engine->settings.output, out);
}

static void judge_output_limits(const struct cw_engine *engine, struct slice value, struct buf *reason)
{
    struct cw_output_limits limits = engine->settings.output;
    const char *words = cw_output_limits_parse(&limits, value);
    if (words != NULL)
        buf_add_text(reason, words);
}

static void assign_output_limits(struct cw_settings *settings, struct slice value)
{
    CHECK(cw_output_limits_parse(&settings->output, value) == NULL);
}

static void write_debug(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, engine->config.enable_debug_command ? "yes" : "no");
}

static void policy_changed(struct cw_settings *settings, struct slice value)
{
    (void)value;
    settings->access.counts_uses = cw_policy_is_lfu(settings->eviction.policy);
}

static void write_classes(const struct cw_engine *engine, struct buf *out)
{
    cw_notify_classes_format(engine->settings.notify_classes, out);
}

static void judge_classes(const struct cw_engine *engine, struct slice value, struct buf *reason)
{
    (void)engine;
    uint32_t classes;
    if (cw_notify_classes_parse(value, &classes) < 0)
        buf_add_text(reason, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
}

static void assign_classes(struct cw_settings *settings, struct slice value)
{
    CHECK(cw_notify_classes_parse(value, &settings->notify_classes) == 0);
}

static void slowness_changed(struct cw_settings *settings, struct slice value)
{
    (void)value;
    int64_t log_us = settings->slowlog_slower_than_us, monitor_ms = settings->latency_threshold_ms;
    int64_t slow_ns = log_us < 0 || log_us > INT64_MAX / NS_PER_US ? INT64_MAX : log_us * NS_PER_US;
    if (monitor_ms > 0 && monitor_ms <= slow_ns / NS_PER_MS)
        slow_ns = monitor_ms * NS_PER_MS;
    settings->slow_ns = slow_ns;
}

static const char *parse_percentiles(struct slice text, struct cw_percentiles *ret_percentiles)
{
    struct cw_percentiles percentiles = {.count = 0};
    for (struct slice word = slice_take_word(&text); word.length > 0; word = slice_take_word(&text)) {
        double percent;
        if (number_parse_double(word, &percent) < 0)
            return "Invalid latency-tracking-info-percentiles parameters";
        if (!(percent >= 0 && percent <= 100))
            return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
        if (percentiles.count == CW_PERCENTILES_MAX)
            return "there are too many of them";
        percentiles.of[percentiles.count++] = percent;
    }
    *ret_percentiles = percentiles;
    return NULL;
}

void cw_settings_write_percentile(double percent, struct buf *out)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%f", percent);
    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    buf_add(out, text, (size_t)length);
}

static void write_percentiles(const struct cw_engine *engine, struct buf *out)
{
    const struct cw_percentiles *percentiles = &engine->settings.percentiles;
    for (size_t i = 0; i < percentiles->count; i++) {
        if (i > 0)
            buf_add_text(out, " ");
        cw_settings_write_percentile(percentiles->of[i], out);
    }
}

static void judge_percentiles(const struct cw_engine *engine, struct slice value, struct buf *reason)
{
    (void)engine;
    struct cw_percentiles percentiles;
    const char *words = parse_percentiles(value, &percentiles);
    if (words != NULL)
        buf_add_text(reason, words);
}

static void assign_percentiles(struct cw_settings *settings, struct slice value)
{
    CHECK(parse_percentiles(value, &settings->percentiles) == NULL);
}

static const struct hooks slowness_hooks = {.assign = slowness_changed};
static const struct hooks percentiles_hooks = {
    .write = write_percentiles, .judge = judge_percentiles, .assign = assign_percentiles};

static void requirepass_changed(struct cw_engine *engine)
{
    cw_acl_set_default_password(&engine->access.acl, engine->settings.requirepass);
    if (engine->access.is_shared)
        cw_share_user(engine, engine->access.acl.nobody);
    cw_access_users_changed(engine);
}

static void acl_changed(struct cw_engine *engine)
{
    engine->access.acl.all_channels = engine->settings.pubsub_default == 0;
}

static const struct hooks acl_hooks = {.changed = acl_changed};
static const struct hooks acl_file_hooks = {.write = write_acl_file};
static const struct hooks rdb_file_hooks = {.write = write_rdb_file};
static const struct hooks aof_directory_hooks = {.write = write_aof_directory};
static const struct hooks aof_name_hooks = {.write = write_aof_name};
static const struct hooks requirepass_hooks = {.changed = requirepass_changed};

static void write_save_points(const struct cw_engine *engine, struct buf *out)
{
    cw_save_points_format(&engine->settings.save_points, out);
}

static void judge_save_points(const struct cw_engine *engine, struct slice value, struct buf *reason)
{
    (void)engine;
    struct cw_save_points points;
    int error = cw_save_points_parse(value, &points);
    if (error == ERR_TOO_BIG)
        buf_add_format(reason, "at most %d save points are taken", CW_SAVE_POINTS_MAX);
    else if (error < 0)
        buf_add_text(reason, "Invalid save parameters");
}

static void assign_save_points(struct cw_settings *settings, struct slice value)
{
    CHECK(cw_save_points_parse(value, &settings->save_points) == 0);
}

static const struct hooks save_points_hooks = {
    .write = write_save_points, .judge = judge_save_points, .assign = assign_save_points};

static void judge_appendonly(const struct cw_engine *engine, struct slice value, struct buf *reason)
{
    bool is_running = engine->repl != NULL; /* else it is judged when the worker is created */
    if (is_running && slice_equal_nocase(value, "yes") && engine->config.storage == NULL)
        buf_add_text(reason, "it needs a directory (dir)");
}

static void judge_shutdown(const struct cw_engine *engine, struct slice value, struct buf *reason)
{
    bool is_saved = false, is_unsaved = false;
    (void)engine;
    for (struct slice word = slice_take_word(&value); word.length > 0; word = slice_take_word(&value)) {
        is_saved |= slice_equal_nocase(word, "save");
        is_unsaved |= slice_equal_nocase(word, "nosave");
    }
    if (is_saved && is_unsaved)
        buf_add_text(reason, "shutdown options SAVE and NOSAVE can't be used simultaneously");
}

static const struct hooks shutdown_hooks = {.judge = judge_shutdown};
static const struct hooks appendonly_hooks = {.judge = judge_appendonly, .changed = cw_aof_settings_changed};
static const struct hooks appendfsync_hooks = {.changed = cw_aof_settings_changed};

/* How often the reference looks for work; what is out of bounds is taken for the next within. */
static void hz_changed(struct cw_settings *settings, struct slice value)
{
    enum { HZ_LEAST = 1, HZ_MOST = 500 };
    (void)value;
    if (settings->hz < HZ_LEAST)
        settings->hz = HZ_LEAST;
    if (settings->hz > HZ_MOST)
        settings->hz = HZ_MOST;
}

static void log_level_changed(struct cw_engine *engine)
{
    if (engine->effects != NULL) /* else EVENT_START says it */
        effect_log_level(engine->effects, (enum log_level)engine->settings.log_level);
}

static const struct hooks hz_hooks = {.assign = hz_changed};
static const struct hooks log_level_hooks = {.changed = log_level_changed};

static void write_directory(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, engine->config.directory != NULL ? engine->config.directory : "");
}

static const struct hooks directory_hooks = {.write = write_directory};
static void judge_max_clients(const struct cw_engine *engine, struct slice value, struct buf *reason)
{
    int64_t clients, most = engine->config.max_clients_most;
    if (most > 0 && number_parse_i64(value, &clients) == 0 && clients > most)
        buf_add_format(reason,
                       "The operating system is not able to handle the specified number of clients, try with %" PRId64,
                       most);
}

static const struct hooks max_clients_hooks = {.judge = judge_max_clients};
static void write_replicaof(const struct cw_engine *engine, struct buf *out)
{
    const struct address *master = engine->repl != NULL ? cw_repl_stock_master(engine->repl) : NULL;
    if (master != NULL)
        buf_add_format(out, "%s %u", master->host, master->port);
}

/* What is less is taken for the least, as the reference does. */
static void backlog_size_changed(struct cw_settings *settings, struct slice value)
{
    enum { BACKLOG_LEAST = 16 << 10 };
    (void)value;
    if (settings->replication.backlog_bytes < BACKLOG_LEAST)
        settings->replication.backlog_bytes = BACKLOG_LEAST;
}

static void enough_replicas_changed(struct cw_engine *engine)
{
    if (engine->repl != NULL) /* else it is being created */
        cw_engine_look_at_role(engine);
}

static const struct hooks replicaof_hooks = {.write = write_replicaof};
static const struct hooks enough_replicas_hooks = {.changed = enough_replicas_changed};
static const struct hooks databases_hooks = {.write = write_databases};
static const struct hooks port_hooks = {.write = write_port};
static const struct hooks bind_hooks = {.write = write_bind};
static const struct hooks backlog_size_hooks = {.assign = backlog_size_changed};
static const struct hooks output_limits_hooks = {
    .write = write_output_limits, .judge = judge_output_limits, .assign = assign_output_limits};
static const struct hooks debug_hooks = {.write = write_debug};
static const struct hooks policy_hooks = {.assign = policy_changed};
static const struct hooks classes_hooks = {.write = write_classes, .judge = judge_classes, .assign = assign_classes};

#define AT(field) offsetof(struct cw_settings, field)
#define PARAMETER(named, of_kind, place, first, minimum, maximum, with_flags, ...)                                     \
    {.name = named,                                                                                                    \
     .kind = of_kind,                                                                                                  \
     .offset = place,                                                                                                  \
     .initial = first,                                                                                                 \
     .least = minimum,                                                                                                 \
     .most = maximum,                                                                                                  \
     .flags = with_flags,                                                                                              \
     __VA_ARGS__},
#define ALIAS(named, meant) {.name = named, .of = meant, .offset = KEPT},

static const struct parameter parameters[] = {
#include "cacheworker/engine/parameters.def"
};

#undef ALIAS
#undef PARAMETER
#undef AT

size_t cw_settings_count(void)
{
    return ARRAY_LENGTH(parameters);
}

const char *cw_settings_name(size_t index)
{
    return parameters[index].name;
}

bool cw_settings_is_hidden(size_t index)
{
    return parameters[index].flags & HIDDEN;
}

int cw_settings_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(parameters); i++) {
        if (slice_equal_nocase(name, parameters[i].name))
            return (int)i;
    }
    return CW_SETTINGS_NONE;
}

/* The parameter itself, where the index is that of an alias. */
static const struct parameter *meant_by(size_t index)
{
    const struct parameter *parameter = &parameters[index];
    return parameter->of != NULL ? &parameters[cw_settings_find(slice_text(parameter->of))] : parameter;
}

/* Whether there is a way to set it at all. */
static bool is_settable(const struct parameter *parameter)
{
    return parameter->offset != KEPT || (parameter->hooks != NULL && parameter->hooks->assign != NULL);
}

bool cw_settings_is_settable(size_t index)
{
    const struct parameter *parameter = &parameters[index];
    return parameter->of == NULL && is_settable(parameter) && !(parameter->flags & (IMMUTABLE | PROTECTED));
}

bool cw_settings_is_sensitive(size_t index)
{
    return meant_by(index)->flags & SENSITIVE;
}

/* --- values as text --- */

int cw_settings_parse_memory(struct slice text, int64_t *ret_bytes)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } units[] = {{"kb", 1024}, {"mb", 1024 * 1024}, {"gb", 1024 * 1024 * 1024},
                 {"k", 1000},  {"m", 1000 * 1000},  {"g", 1000 * 1000 * 1000},
                 {"b", 1}};
    int64_t factor = 1;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        size_t length = strlen(units[i].suffix);
        if (text.length > length && strncasecmp(text.data + text.length - length, units[i].suffix, length) == 0) {
            factor = units[i].factor;
            text.length -= length;
            break;
        }
    }
    int64_t number;
    if (number_parse_i64(text, &number) < 0 || number < 0 || __builtin_mul_overflow(number, factor, ret_bytes))
        return ERR_INVALID;
    return 0;
}

static void read_boolean(struct slice value, struct buf *out, struct buf *reason)
{
    if (slice_equal_nocase(value, "yes") || slice_equal_nocase(value, "no"))
        buf_add_text(out, slice_equal_nocase(value, "yes") ? "yes" : "no");
    else
        buf_add_text(reason, "argument must be 'yes' or 'no'");
}

static const char *find_choice(const struct parameter *parameter, struct slice word)
{
    for (size_t i = 0; parameter->choices[i] != NULL; i++) {
        if (slice_equal_nocase(word, parameter->choices[i]))
            return parameter->choices[i];
    }
    return NULL;
}

static void read_choice(const struct parameter *parameter, struct slice value, struct buf *out, struct buf *reason)
{
    struct slice rest = value;
    struct slice word = parameter->flags & SEVERAL ? slice_take_word(&rest) : value;
    for (bool first = true; first || word.length > 0; first = false) {
        const char *choice = find_choice(parameter, word);
        if (choice == NULL) {
            buf_add_text(reason, "argument(s) must be one of the following: ");
            for (size_t i = 0; parameter->choices[i] != NULL; i++)
                buf_add_format(reason, "%s%s", i > 0 ? ", " : "", parameter->choices[i]);
            return;
        }
        buf_add_format(out, "%s%s", first ? "" : " ", choice);
        word = parameter->flags & SEVERAL ? slice_take_word(&rest) : slice_of(NULL, 0);
    }
}

static bool parse_octal(struct slice text, int64_t *ret_number)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '7' || number > INT64_MAX / 8 - 8)
            return false;
        number = 8 * number + (text.data[i] - '0');
    }
    *ret_number = number;
    return true;
}

/* "5%" is kept as -5. */
static bool parse_percent(struct slice text, int64_t *ret_number)
{
    if (text.length < 2 || text.data[text.length - 1] != '%' ||
        number_parse_i64(slice_of(text.data, text.length - 1), ret_number) < 0 || *ret_number < 0)
        return false;
    *ret_number = -*ret_number;
    return true;
}

static const char *parse_number(const struct parameter *parameter, struct slice value, int64_t *ret_number)
{
    switch (parameter->kind) {
    case MEMORY: return cw_settings_parse_memory(value, ret_number) == 0 ? NULL : "argument must be a memory value";
    case SHARE:
        return cw_settings_parse_memory(value, ret_number) == 0 || parse_percent(value, ret_number)
                   ? NULL
                   : "argument must be a memory or percent value";
    case OCTAL: return parse_octal(value, ret_number) ? NULL : "argument couldn't be parsed as an octal number";
    default: return number_parse_i64(value, ret_number) == 0 ? NULL : "argument couldn't be parsed into an integer";
    }
}

static void write_number(const struct parameter *parameter, int64_t number, struct buf *out)
{
    if (parameter->kind == OCTAL)
        buf_add_format(out, "%" PRIo64, number);
    else if (parameter->kind == SHARE && number < 0)
        buf_add_format(out, "%" PRId64 "%%", -number);
    else
        buf_add_i64(out, number);
}

static void read_number(const struct parameter *parameter, struct slice value, struct buf *out, struct buf *reason)
{
    int64_t number = 0;
    const char *words = parse_number(parameter, value, &number);
    if (words != NULL)
        buf_add_text(reason, words);
    else if (parameter->kind == SHARE && number < parameter->least)
        buf_add_format(reason, "percentage argument must be less or equal to %" PRId64, -parameter->least);
    else if (number < parameter->least || number > parameter->most)
        buf_add_format(reason,
                       parameter->kind == OCTAL ? "argument must be between %" PRIo64 " and %" PRIo64 " inclusive"
                                                : "argument must be between %" PRId64 " and %" PRId64 " inclusive",
                       parameter->least, parameter->most);
    else
        write_number(parameter, number, out);
}

/* The value as CONFIG GET would show it; or, in `reason`, why it is none of the parameter's. */
static void read_value(const struct parameter *parameter, struct slice value, struct buf *out, struct buf *reason)
{
    switch (parameter->kind) {
    case BOOLEAN: read_boolean(value, out, reason); break;
    case CHOICE: read_choice(parameter, value, out, reason); break;
    case TEXT:
    case OWN: buf_add_slice(out, value); break;
    case INTEGER:
    case OCTAL:
    case MEMORY:
    case SHARE: read_number(parameter, value, out, reason); break;
    }
}

static void write_choice(const struct parameter *parameter, int number, struct buf *out)
{
    if (!(parameter->flags & SEVERAL) || number == 0) {
        buf_add_text(out, parameter->choices[number]);
        return;
    }
    for (int i = 1; parameter->choices[i] != NULL; i++)
        if (number & (1 << i) >> 1)
            buf_add_format(out, "%s%s", number & ((1 << (i - 1)) - 1) ? " " : "", parameter->choices[i]);
}

void cw_settings_value(const struct cw_engine *engine, size_t index, struct buf *out)
{
    const struct parameter *parameter = meant_by(index);
    if (parameter->hooks != NULL && parameter->hooks->write != NULL) {
        parameter->hooks->write(engine, out);
        return;
    }
    if (parameter->offset == KEPT) {
        buf_add_text(out, parameter->initial);
        return;
    }
    const void *field = (const char *)&engine->settings + parameter->offset;
    switch (parameter->kind) {
    case BOOLEAN: buf_add_text(out, *(const bool *)field ? "yes" : "no"); break;
    case CHOICE: write_choice(parameter, *(const int *)field, out); break;
    case TEXT: buf_add_slice(out, *(const struct slice *)field); break;
    case OWN: break;
    case INTEGER:
    case OCTAL:
    case MEMORY:
    case SHARE: write_number(parameter, *(const int64_t *)field, out); break;
    }
}

/* --- assignment --- */

static int choice_index(const struct parameter *parameter, struct slice value)
{
    int index = 0;
    while (!slice_equal_nocase(value, parameter->choices[index]))
        index++;
    return index;
}

/* Of one of SEVERAL, bits: of its first choice, that nothing of the others is chosen. */
static int chosen(const struct parameter *parameter, struct slice value)
{
    int bits = 0;
    if (!(parameter->flags & SEVERAL))
        return choice_index(parameter, value);
    for (struct slice word = slice_take_word(&value); word.length > 0; word = slice_take_word(&value))
        bits |= (1 << choice_index(parameter, word)) >> 1;
    return bits;
}

void cw_settings_set_text(struct slice *text, struct slice value)
{
    char *copy = mem_copy_text(value.data, value.length);
    mem_free((void *)(uintptr_t)text->data);
    *text = slice_of(copy, value.length);
}

/* `value` was judged. */
static void assign(struct cw_settings *settings, const struct parameter *parameter, struct slice value)
{
    if (parameter->offset != KEPT) {
        void *field = (char *)settings + parameter->offset;
        switch (parameter->kind) {
        case BOOLEAN: *(bool *)field = slice_equal_nocase(value, "yes"); break;
        case CHOICE: *(int *)field = chosen(parameter, value); break;
        case TEXT: cw_settings_set_text(field, value); break;
        case OWN: break;
        case INTEGER:
        case OCTAL:
        case MEMORY:
        case SHARE: CHECK(parse_number(parameter, value, field) == NULL); break;
        }
    }
    if (parameter->hooks != NULL && parameter->hooks->assign != NULL)
        parameter->hooks->assign(settings, value);
}

void cw_settings_create(struct cw_settings *settings, const struct cw_config *config)
{
    *settings = (struct cw_settings){
        .limits = RESP_LIMITS_DEFAULT,
        .access = CW_ACCESS_RULES_DEFAULT,
        .eviction = {.access = &settings->access},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(parameters); i++) {
        if (parameters[i].of == NULL && is_settable(&parameters[i]) && parameters[i].initial != NULL)
            assign(settings, &parameters[i], slice_text(parameters[i].initial));
    }
    cw_settings_set_text(&settings->requirepass, config->requirepass);
    settings->serves_stale = config->standalone;
    settings->replication.backlog_bytes = (int64_t)config->backlog_bytes;
    if (!config->standalone) { /* whose replicas are needed, and are near */
        settings->replication.sync_delay_s = 0;
        settings->replication.timeout_s = GROUP_TIMEOUT_S;
    }
    settings->acllog_max_length = config->acllog_max_len;
    settings->pubsub_default = config->acl_pubsub_all ? 0 : 1;
    settings->max_clients = config->max_clients;
    settings->log_level = (int)config->log_level;
    settings->query_buffer_max = config->query_buffer_max;
    cw_output_limits_create(&settings->output, config->client_output_max);
    settings->eviction.limit_bytes = config->maxmemory_bytes;
    settings->eviction.policy = config->maxmemory_policy;
    policy_changed(settings, slice_of(NULL, 0));
}

void cw_settings_destroy(struct cw_settings *settings)
{
    mem_free((void *)(uintptr_t)settings->requirepass.data);
    mem_free((void *)(uintptr_t)settings->masteruser.data);
    mem_free((void *)(uintptr_t)settings->masterauth.data);
    mem_free((void *)(uintptr_t)settings->replication.announced_host.data);
    settings->requirepass = settings->masteruser = settings->masterauth = settings->replication.announced_host =
        slice_of(NULL, 0);
}

/* --- CONFIG SET --- */

static bool is_present_value(const struct cw_engine *engine, size_t index, struct slice value)
{
    struct buf present = {0};
    cw_settings_value(engine, index, &present);
    bool same = slice_equal(buf_slice(&present), value);
    buf_free(&present);
    return same;
}

/* Adds why `value` cannot be given to the parameter; nothing when it can. */
static void judge(const struct cw_engine *engine, size_t index, struct slice value, struct buf *reason)
{
    const struct parameter *parameter = meant_by(index);
    struct buf shown = {0};
    read_value(parameter, value, &shown, reason);
    if (buf_length(reason) > 0 || (!is_settable(parameter) && is_present_value(engine, index, buf_slice(&shown)))) {
        /* Saying what is so anyway is fine: clients do it to be sure. */
    } else if ((parameter->flags & ALONE) && !engine->config.standalone) {
        if (!is_present_value(engine, index, buf_slice(&shown)))
            buf_add_text(reason, CW_SETTINGS_NO_USE);
    } else if (!is_settable(parameter)) {
        buf_add_text(reason, parameter->hooks != NULL ? CW_SETTINGS_FROM_START : CW_SETTINGS_NO_USE);
    } else if (parameter->hooks != NULL && parameter->hooks->judge != NULL) {
        parameter->hooks->judge(engine, value, reason);
    }
    buf_free(&shown);
}

enum cw_settings_verdict cw_settings_judge(const struct cw_config *config, struct slice name, struct slice value,
                                           struct buf *reason)
{
    int index = cw_settings_find(name);
    if (index == CW_SETTINGS_NONE)
        return CW_SETTINGS_UNKNOWN;
    struct cw_engine *engine = mem_zero(sizeof(*engine)); /* with as much of it as tells what parameters are */
    engine->config = *config;
    cw_settings_create(&engine->settings, config);
    const struct parameter *parameter = meant_by((size_t)index);
    struct buf shown = {0};
    enum cw_settings_verdict verdict = CW_SETTINGS_TAKES;
    read_value(parameter, value, &shown, reason);
    if (buf_length(reason) == 0 && !is_settable(parameter)) {
        bool is_so = is_present_value(engine, (size_t)index, buf_slice(&shown));
        verdict = is_so ? CW_SETTINGS_SO_ANYWAY : CW_SETTINGS_NO_EFFECT;
    }
    judge(engine, (size_t)index, value, reason);
    if (verdict == CW_SETTINGS_TAKES && buf_length(reason) > 0)
        verdict = CW_SETTINGS_WRONG;
    buf_free(&shown);
    cw_settings_destroy(&engine->settings);
    mem_free(engine);
    return verdict;
}

/* What is wrong with the pair whatever its value is. */
static int judge_name(const struct slice *pairs, size_t pair, struct buf *reason)
{
    int index = cw_settings_find(pairs[2 * pair]);
    if (index == CW_SETTINGS_NONE)
        return ERR_NOT_FOUND;
    unsigned flags = meant_by((size_t)index)->flags;
    if (flags & (IMMUTABLE | PROTECTED)) {
        buf_add_text(reason, flags & IMMUTABLE ? "can't set immutable config" : "can't set protected config");
        return ERR_INVALID;
    }
    for (size_t i = 0; i < pair; i++) {
        if (cw_settings_find(pairs[2 * i]) == index) {
            buf_add_text(reason, "duplicate parameter");
            return ERR_EXISTS;
        }
    }
    return 0;
}

int cw_settings_set(struct cw_engine *engine, const struct slice *pairs, size_t count, struct slice *ret_name,
                    struct buf *reason)
{
    for (size_t i = 0; i < count; i++) {
        *ret_name = pairs[2 * i];
        int result = judge_name(pairs, i, reason);
        if (result < 0)
            return result;
    }
    for (size_t i = 0; i < count; i++) {
        size_t index = (size_t)cw_settings_find(pairs[2 * i]);
        *ret_name = slice_text(parameters[index].name);
        judge(engine, index, pairs[2 * i + 1], reason);
        if (buf_length(reason) > 0)
            return ERR_INVALID;
    }
    for (size_t i = 0; i < count; i++)
        assign(&engine->settings, meant_by((size_t)cw_settings_find(pairs[2 * i])), pairs[2 * i + 1]);
    cw_keyspace_announce(engine->keyspace, engine->settings.notify_classes & CW_NOTIFY_NEW,
                         engine->settings.notify_classes & CW_NOTIFY_MISS);
    for (size_t i = 0; i < count; i++) {
        const struct hooks *hooks = meant_by((size_t)cw_settings_find(pairs[2 * i]))->hooks;
        if (hooks != NULL && hooks->changed != NULL)
            hooks->changed(engine);
    }
    return 0;
}
