/* A server by itself that starts with an append-only file which ends anywhere. */
#include "cacheworker/engine/worker.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { FILES = 3 };

struct file {
    const char *name;
    struct slice bytes;
    int error;      /* of opening it */
    int sync_error; /* and of its sync */
    size_t syncs;
};

struct reader {
    struct slice rest;
};

static int open_read(void *context, const char *name, void **ret_file)
{
    const struct file *files = context;
    for (size_t i = 0; i < FILES; i++) {
        if (files[i].name == NULL || strcmp(files[i].name, name) != 0)
            continue;
        if (files[i].error < 0)
            return files[i].error;
        struct reader *reader = mem_zero(sizeof(*reader));
        reader->rest = files[i].bytes;
        *ret_file = reader;
        return 0;
    }
    return ERR_NOT_FOUND;
}

static int read_some(void *context, void *file, void *data, size_t capacity, size_t *ret_length)
{
    struct reader *reader = file;
    (void)context;
    *ret_length = reader->rest.length < capacity ? reader->rest.length : capacity;
    if (*ret_length > 0)
        memcpy(data, reader->rest.data, *ret_length);
    reader->rest = slice_skip(reader->rest, *ret_length);
    return 0;
}

static void close_read(void *context, void *file)
{
    (void)context;
    mem_free(file);
}

static int sync_file(void *context, const char *name)
{
    struct file *files = context;
    for (size_t i = 0; i < FILES; i++) {
        if (files[i].name == NULL || strcmp(files[i].name, name) != 0)
            continue;
        files[i].syncs++;
        return files[i].sync_error;
    }
    return ERR_NOT_FOUND;
}

struct words {
    char text[256];
};

static void complain(void *context, struct slice words)
{
    struct words *said = context;
    snprintf(said->text, sizeof(said->text), "%.*s", (int)words.length, words.data);
}

/* What GET n is answered in one turn. */
static struct slice ask(struct cw_worker *worker, link_id client, struct effects *effects)
{
    struct event event = {.kind = EVENT_RECEIVED, .link = client, .now_ns = 1, .bytes = SLICE_LITERAL("GET n\r\n")};
    effects_clear(effects);
    cw_worker_door.step(worker, &event, effects);
    event = (struct event){.kind = EVENT_TURN, .now_ns = 1};
    cw_worker_door.step(worker, &event, effects);
    return cw_worker_door.output(worker, client, 1);
}

/* What GET n says behind the loading in slices (0: in one), -1 for null; or the error, and in `said` its words. */
static int64_t load_in(size_t slice, const struct file *files, const char *parameters, struct words *said)
{
    struct storage storage = {.context = (void *)(uintptr_t)files,
                              .open_read = open_read,
                              .read = read_some,
                              .close = close_read,
                              .sync = sync_file};
    struct cw_config config;
    struct cw_worker *worker;
    struct effects effects = {0};
    cw_config_defaults(&config, true);
    config.storage = &storage;
    config.parameters = slice_text(parameters);
    config.complain = complain;
    config.complain_context = said;
    config.loading_slice_bytes = slice;
    int error = cw_worker_create(&config, &worker);
    if (error < 0)
        return error;
    struct address peer = {.host = "127.0.0.1", .port = 1};
    link_id client = cw_worker_door.accept(worker, CW_LISTENER_DATA, &peer, 1, &effects);
    struct slice out = ask(worker, client, &effects);
    while (slice > 0 && out.length > 0 && out.data[0] == '-') {
        cw_worker_door.sent(worker, client, out.length, &effects);
        out = ask(worker, client, &effects);
    }
    assert_true(out.length >= 5 && out.data[0] == '$');
    int64_t value = out.data[1] == '-' ? -1 : out.data[4] - '0';
    cw_worker_door.destroy(worker);
    effects_free(&effects);
    return value;
}

static int64_t load(const struct file *files, const char *parameters, struct words *said)
{
    return load_in(0, files, parameters, said);
}

#define MANIFEST  "appendonlydir/appendonly.aof.manifest"
#define INCREMENT "appendonlydir/appendonly.aof.1.incr.aof"
#define SELECT    "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define INCR      "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
#define NOTE      "#TS:1700000000\r\n"
#define MULTI     "*1\r\n$5\r\nMULTI\r\n"
#define EXEC      "*1\r\n$4\r\nEXEC\r\n"
#define CONTENT   SELECT INCR NOTE INCR MULTI INCR INCR EXEC INCR

/* What is in the database when so many bytes of CONTENT are there. */
static int64_t value_at(size_t length)
{
    static const struct {
        size_t end;
        int64_t value;
    } ends[] = {
        {strlen(SELECT INCR), 1},
        {strlen(SELECT INCR NOTE INCR), 2},
        {strlen(SELECT INCR NOTE INCR MULTI INCR INCR EXEC), 4},
        {strlen(CONTENT), 5},
    };
    int64_t value = -1;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (length >= ends[i].end)
            value = ends[i].value;
    return value;
}

static struct file *files_with(struct slice content)
{
    static struct file files[FILES];
    memset(files, 0, sizeof(files));
    files[0] = (struct file){.name = MANIFEST, .bytes = SLICE_LITERAL("file appendonly.aof.1.incr.aof seq 1 type i\n")};
    files[1] = (struct file){.name = INCREMENT, .bytes = content};
    return files;
}

static void a_torn_end_is_cut_at_every_byte(void **state)
{
    (void)state;
    struct words said;
    static const size_t slices[] = {0, 1, 7};
    for (size_t length = 0; length <= strlen(CONTENT); length++)
        for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++)
            assert_int_equal(load_in(slices[i], files_with(slice_of(CONTENT, length)), "appendonly yes", &said),
                             value_at(length));
}

/* A directory cannot take the place of one that was set aside before. And what stands behind a line that cannot be is
 * no torn end, whatever the file ends in. */
/* How many operations on files were asked for; of a rename, the token. */
static size_t count_asked(struct effects *effects, const char *new_name, uint64_t *ret_token)
{
    size_t asked = 0;
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->items[i];
        if (effect->kind != EFFECT_FILE)
            continue;
        asked++;
        if (effect->file.operation != FILE_RENAME)
            continue;
        assert_string_equal(effects_name(effects, effect), "appendonlydir");
        assert_string_equal(effects_new_name(effects, effect), new_name);
        *ret_token = effect->token;
    }
    effects_clear(effects);
    return asked;
}

static bool asks_for_end(const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++)
        if (effects->items[i].kind == EFFECT_EXIT)
            return true;
    return false;
}

/* Nothing is asked of the disk before the directory has its new name: it would be done to what is damaged. */
static void set_aside(struct cw_worker *worker, const char *name, int result)
{
    struct effects effects = {0};
    uint64_t token = 0, ignored;
    cw_worker_door.step(worker, &(struct event){.kind = EVENT_START, .now_ns = 1}, &effects);
    assert_int_equal(count_asked(&effects, name, &token), 1);
    assert_true(token != 0);
    cw_worker_door.step(worker, &(struct event){.kind = EVENT_TURN, .now_ns = 2}, &effects);
    assert_int_equal(count_asked(&effects, name, &ignored), 0);
    cw_worker_door.step(worker, &(struct event){.kind = EVENT_FILE, .token = token, .result = result, .now_ns = 3},
                        &effects);
    assert_int_equal(asks_for_end(&effects), result < 0);
    cw_worker_door.step(worker, &(struct event){.kind = EVENT_TURN, .now_ns = 4}, &effects);
    assert_int_equal(count_asked(&effects, name, &ignored) > 0, result == 0);
    effects_free(&effects);
}

static void a_group_sets_its_directory_aside(void **state)
{
    static const char *const names[] = {"appendonlydir.damaged", "appendonlydir.damaged-2"};
    static const struct slice contents[] = {SLICE_LITERAL(SELECT INCR "xx"),
                                            SLICE_LITERAL(SELECT "#respite-offset:x\r\n" INCR "\0\0\0")};
    (void)state;
    for (size_t row = 0; row < 8; row++) {
        size_t before = row % 2;
        struct file *files = files_with(contents[row / 2 % 2]);
        if (before > 0)
            files[2] = (struct file){.name = names[0]};
        struct storage storage = {.context = files, .open_read = open_read, .read = read_some, .close = close_read};
        struct cw_config config;
        struct cw_worker *worker;
        cw_config_defaults(&config, false);
        config.storage = &storage;
        config.parameters = SLICE_LITERAL("appendonly yes");
        config.secret = SLICE_LITERAL("secret");
        memset(&config.new_identity, 7, sizeof(config.new_identity));
        assert_int_equal(cw_worker_create(&config, &worker), 0);
        set_aside(worker, names[before], row / 4 > 0 ? ERR_DENIED : 0);
        cw_worker_door.destroy(worker);
    }
}

/* Wherever the bytes end that reached the disk, with a few zeros behind them, and with more than a command may have. */
static void zeros_behind_a_torn_end_are_cut(void **state)
{
    static const size_t zeros[] = {1, 7, 5000, 300000};
    struct words said;
    (void)state;
    for (size_t length = 0; length <= strlen(CONTENT); length++) {
        for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) {
            char *content = mem_zero(length + zeros[i]);
            memcpy(content, CONTENT, length);
            assert_int_equal(load(files_with(slice_of(content, length + zeros[i])), "appendonly yes", &said),
                             value_at(length));
            mem_free(content);
        }
    }
}

/* What cannot be read is no reason to begin without it: what is written next would take its place. */
static void what_cannot_be_opened_is_there(void **state)
{
    static const int errors[] = {ERR_IO, ERR_DENIED};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct words said = {""};
        struct file *files = files_with(SLICE_LITERAL(CONTENT));
        files[i / 2].error = errors[i % 2];
        assert_int_equal(load(files, "appendonly yes", &said), errors[i % 2]);
        assert_non_null(strstr(said.text, files[i / 2].name));
        assert_non_null(strstr(said.text, error_text(errors[i % 2])));
        assert_null(strstr(said.text, "line 0"));
    }
}

/* It may be good another time; so the node does not say that it begins without. */
static void a_group_ends_when_its_disk_cannot_be_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct words said = {""};
        struct file *files = files_with(SLICE_LITERAL(CONTENT));
        files[i].error = ERR_IO;
        struct storage storage = {.context = files, .open_read = open_read, .read = read_some, .close = close_read};
        struct cw_config config;
        struct cw_worker *worker;
        cw_config_defaults(&config, false);
        config.storage = &storage;
        config.parameters = SLICE_LITERAL("appendonly yes");
        config.secret = SLICE_LITERAL("secret");
        memset(&config.new_identity, 7, sizeof(config.new_identity));
        config.complain = complain;
        config.complain_context = &said;
        assert_int_equal(cw_worker_create(&config, &worker), ERR_IO);
        assert_non_null(strstr(said.text, files[i].name));
        assert_null(strstr(said.text, "begins without data"));
    }
}

/* A process that was killed may have left it in memory, and a reader takes what it sees for what will be there. */
static void what_is_loaded_is_synced_before(void **state)
{
    struct words said = {""};
    struct file *files = files_with(SLICE_LITERAL(CONTENT));
    (void)state;
    assert_int_equal(load(files, "appendonly yes\nappendfsync always", &said), 5);
    assert_int_equal(files[1].syncs, 1);
    files[1].sync_error = ERR_DISK_FULL;
    assert_int_equal(load(files, "appendonly yes\nappendfsync always", &said), ERR_IO);
    assert_non_null(strstr(said.text, INCREMENT));
}

#define ZEROS "\0\0\0\0\0\0\0\0"

static void what_is_not_the_end_is_refused(void **state)
{
    static const struct {
        struct slice content;
        const char *parameters;
        int error;
        const char *words;
    } rows[] = {
        {SLICE_LITERAL(SELECT INCR ZEROS), "appendonly yes\naof-load-truncated no", ERR_CORRUPT,
         "at byte 44: corrupt data (zeros up to its end, byte 52)"},
        {SLICE_LITERAL(SELECT INCR "*2\r\n"), "appendonly yes\naof-load-truncated no", ERR_TRUNCATED, "at byte 44: "},
        {SLICE_LITERAL(SELECT INCR ZEROS INCR), "appendonly yes", ERR_CORRUPT, "at byte 44: corrupt"},
        {SLICE_LITERAL(SELECT INCR "xx" ZEROS), "appendonly yes", ERR_CORRUPT, "at byte 44: corrupt"},
        {SLICE_LITERAL(SELECT "*1\r\n$4\r\nNOPE\r\n" ZEROS), "appendonly yes", ERR_PROTOCOL,
         "at byte 23: protocol error (unknown command 'NOPE')"},
        {SLICE_LITERAL(SELECT "*1\r\n$5\r\nMULTI\r\n" INCR "*1\r\n$5\r\nNO\nPE\r\n"), "appendonly yes", ERR_PROTOCOL,
         "at byte 23: protocol error (unknown command 'NO?PE')"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct words said = {""};
        assert_int_equal(load(files_with(rows[i].content), rows[i].parameters, &said), rows[i].error);
        if (strstr(said.text, rows[i].words) == NULL)
            fail_msg("row %zu: %s", i, said.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_torn_end_is_cut_at_every_byte), cmocka_unit_test(a_group_sets_its_directory_aside),
        cmocka_unit_test(what_cannot_be_opened_is_there),  cmocka_unit_test(a_group_ends_when_its_disk_cannot_be_read),
        cmocka_unit_test(zeros_behind_a_torn_end_are_cut), cmocka_unit_test(what_is_not_the_end_is_refused),
        cmocka_unit_test(what_is_loaded_is_synced_before),
    };
    return cmocka_run_group_tests_name("aof_load", tests, NULL, NULL);
}
