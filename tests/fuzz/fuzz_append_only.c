/* The directory of an append-only file, in a real one: what the loader makes of it, and what --check-aof says of it.
 *
 * Where the loader takes all, it is good. Where it takes all but the end of the last file, --fix would cut just that,
 * and without aof-load-truncated the loader refuses it. Where it refuses, so does --check-aof, unless the form is good
 * and only who keeps or executes it can tell: a key that comes twice, a database that there is not, a script. What only
 * a group's members read, a server by itself may take where --check-aof refuses it.
 *
 * Looking changes no file. --fix cuts what the loader would cut; then both take all, and the data and the place in a
 * group's stream are the same as before. Or it changes nothing.
 *
 * The input: "s" for a server by itself or "g" for a member of a group, a line end, the manifest, and the files, each
 * behind a line "--NAME". A line end before such a line belongs to it. */
#include "cacheworker/aof/aof_load.h"
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/shell/check_files.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/shell/storage_directory.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST "appendonly.aof.manifest"

enum { CONTENTS_MAX = 8, NAME_MAX_LENGTH = 40, PATH_LENGTH = 128, SLICE = 100 };

struct file {
    char path[PATH_LENGTH];
    struct slice bytes;
};

struct place {
    bool is_standalone;
    char root[PATH_LENGTH];
    char directory[PATH_LENGTH];
    struct file files[CONTENTS_MAX];
    size_t count;
};

/* --- the files --- */

static bool is_plain(struct slice name)
{
    for (size_t i = 0; i < name.length; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyz.0123456789-", name.data[i]) == NULL || name.data[i] == '\0')
            return false;
    bool is_manifest = memmem(name.data, name.length, ".manifest", strlen(".manifest")) != NULL;
    return name.length > 0 && name.length <= NAME_MAX_LENGTH && name.data[0] != '.' && !is_manifest;
}

static void add_file(struct place *place, struct slice name, struct slice bytes)
{
    struct file *file = &place->files[place->count];
    snprintf(file->path, sizeof(file->path), "%.80s/%.*s", place->directory, (int)name.length, name.data);
    for (size_t i = 0; i < place->count; i++)
        if (strcmp(place->files[i].path, file->path) == 0)
            return;
    file->bytes = bytes;
    place->count++;
}

/* Up to the next line that names a file; *rest begins behind the two dashes. */
static struct slice take_content(struct slice *rest)
{
    struct slice all = *rest;
    const char *next = memmem(all.data, all.length, "\n--", 3);
    size_t length = next != NULL ? (size_t)(next - all.data) : all.length;
    *rest = slice_skip(all, next != NULL ? length + 3 : length);
    return slice_of(all.data, length);
}

static void take_files(struct place *place, struct slice input)
{
    add_file(place, SLICE_LITERAL(MANIFEST), take_content(&input));
    while (input.length > 0 && place->count < CONTENTS_MAX) {
        const char *end = memchr(input.data, '\n', input.length);
        if (end == NULL)
            return;
        struct slice name = slice_of(input.data, (size_t)(end - input.data));
        input = slice_skip(input, name.length + 1);
        struct slice bytes = take_content(&input);
        if (is_plain(name))
            add_file(place, name, bytes);
    }
}

static void make_directories(struct place *place)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* where a sync takes no time */
    snprintf(place->root, sizeof(place->root), "%s/fuzz-append-only-XXXXXX", parent);
    CHECK(mkdtemp(place->root) != NULL);
    snprintf(place->directory, sizeof(place->directory), "%.64s/appendonlydir", place->root);
    CHECK(mkdir(place->directory, 0700) == 0);
}

static void store(const struct file *file)
{
    FILE *stream = fopen(file->path, "wb");
    CHECK(stream != NULL);
    CHECK(fwrite(file->bytes.data, 1, file->bytes.length, stream) == file->bytes.length);
    CHECK(fclose(stream) == 0);
}

static size_t read_file(const struct file *file, char *ret_bytes)
{
    FILE *stream = fopen(file->path, "rb");
    CHECK(stream != NULL);
    size_t length = fread(ret_bytes, 1, file->bytes.length + 1, stream);
    fclose(stream);
    return length;
}

/* How many bytes of them are gone, of one file at the most; all that is left is as it was. */
static size_t look_for_cut(const struct place *place)
{
    size_t gone = 0;
    for (size_t i = 0; i < place->count; i++) {
        const struct file *file = &place->files[i];
        char *bytes = mem_alloc(file->bytes.length + 1);
        size_t length = read_file(file, bytes);
        CHECK(length <= file->bytes.length && memcmp(bytes, file->bytes.data, length) == 0);
        CHECK(gone == 0 || length == file->bytes.length);
        gone += file->bytes.length - length;
        mem_free(bytes);
    }
    return gone;
}

static void remove_files(const struct place *place)
{
    char lock[PATH_LENGTH];
    for (size_t i = 0; i < place->count; i++)
        CHECK(unlink(place->files[i].path) == 0);
    snprintf(lock, sizeof(lock), "%.64s/lock", place->root);
    CHECK(unlink(lock) == 0 && rmdir(place->directory) == 0 && rmdir(place->root) == 0);
}

/* --- the loader --- */

struct loaded {
    int error;
    bool is_of_keeping; /* the error: it is in RDB, and not looked for where nothing is kept */
    uint64_t cut_bytes;
    struct cw_digest digest;
    struct history history;
};

static bool ends_in(struct slice text, const char *end)
{
    size_t length = strlen(end);
    return text.length >= length && memcmp(text.data + text.length - length, end, length) == 0;
}

static void read_all(struct cw_engine *engine, struct loaded *ret_loaded)
{
    struct cw_aof_input *input;
    struct buf why = {0};
    int result = cw_aof_input_open(engine, &input, &why);
    while (result == 0)
        result = cw_aof_input_read(input, SLICE, &why);
    *ret_loaded = (struct loaded){.error = result < 0 ? result : 0};
    CHECK((result < 0) == (buf_length(&why) > 0));
    ret_loaded->is_of_keeping = ends_in(buf_slice(&why), ": this key came before") ||
                                ends_in(buf_slice(&why), ": a database with so high a number is not configured");
    if (result == 1) {
        ret_loaded->cut_bytes = cw_aof_input_loaded(input)->cut_bytes;
        ret_loaded->history = cw_aof_input_loaded(input)->history;
        cw_keyspace_set_expiry_mode(engine->keyspace, CW_EXPIRY_IGNORED);
        CHECK(cw_digest_keyspace(engine->keyspace, 0, &ret_loaded->digest));
    }
    cw_aof_input_close(input);
    buf_free(&why);
}

static struct loaded load(const struct place *place, const char *parameters)
{
    struct cw_config config;
    struct cw_worker *worker;
    struct storage_directory directory;
    struct loaded loaded;
    CHECK(storage_directory_open(&directory, place->root) == 0);
    cw_config_defaults(&config, place->is_standalone);
    config.storage = &directory.storage;
    config.parameters = slice_text(parameters);
    config.secret = SLICE_LITERAL("secret");
    config.new_identity = (struct identity){.bytes = {1}};
    config.random_seed = 1;
    CHECK(cw_worker_create(&config, &worker) == 0);
    read_all(&worker->engine, &loaded);
    cw_worker_door.destroy(worker);
    storage_directory_close(&directory);
    return loaded;
}

/* --- the check --- */

struct verdict {
    bool is_good;
    bool would_cut;   /* or did */
    bool is_of_group; /* what is wrong is for a group's members to read */
};

/* What it prints is caught: where standard output goes is a variable of the C library. */
static struct verdict check(const struct place *place, bool fixes)
{
    char directory[PATH_LENGTH], *text = NULL;
    char *argv[] = {"respite-cacheworker", "--check-aof", directory, "--fix", NULL};
    size_t length;
    int status = -1;
    FILE *output = stdout, *errors = stderr;
    snprintf(directory, sizeof(directory), "%s", fixes ? place->root : place->directory);
    FILE *words = open_memstream(&text, &length);
    CHECK(words != NULL);
    stdout = stderr = words;
    bool is_asked = check_files_asked(fixes ? 4 : 3, argv, &status);
    stdout = output;
    stderr = errors;
    CHECK(fclose(words) == 0 && is_asked && length > 0);
    struct verdict verdict = {.is_good = status == EXIT_SUCCESS};
    /* Names of keys are quoted, and no line ends in one. */
    verdict.would_cut = fixes ? look_for_cut(place) > 0 : strstr(text, "; --fix would cut it there\n") != NULL;
    verdict.is_of_group = !verdict.is_good && (strstr(text, "\" is no place in a group's stream, ") != NULL ||
                                               strstr(text, "\" does not say from where the data of a group ") != NULL);
    free(text);
    return verdict;
}

/* --- both --- */

static void must_be_same(const struct loaded *first, const struct loaded *second)
{
    CHECK(second->error == 0 && second->cut_bytes == 0);
    CHECK(memcmp(&first->digest, &second->digest, sizeof(first->digest)) == 0);
    CHECK(memcmp(&first->history, &second->history, sizeof(first->history)) == 0);
}

/* These may name a database that there is not. */
static bool tells_of_fields(const struct place *place)
{
    static const char word[] = "respite-field-expiry";
    for (size_t i = 0; i < place->count; i++)
        if (memmem(place->files[i].bytes.data, place->files[i].bytes.length, word, strlen(word)) != NULL)
            return true;
    return false;
}

/* Only who keeps it or executes it can tell. */
static bool is_beyond_form(const struct place *place, const struct loaded *loaded)
{
    int error = loaded->error;
    return loaded->is_of_keeping || error == ERR_PROTOCOL || error == ERR_UNSUPPORTED ||
           (error == ERR_CORRUPT && tells_of_fields(place));
}

static void judge(const struct place *place)
{
    struct loaded lenient = load(place, "aof-load-truncated yes");
    struct loaded strict = load(place, "aof-load-truncated no");
    struct verdict verdict = check(place, false);
    CHECK(look_for_cut(place) == 0);
    if (place->is_standalone && verdict.is_of_group)
        return;
    if (lenient.error == 0) {
        CHECK(verdict.is_good == (lenient.cut_bytes == 0));
        CHECK(verdict.would_cut == (lenient.cut_bytes > 0));
        CHECK((strict.error == 0) == (lenient.cut_bytes == 0));
    } else {
        CHECK(strict.error < 0);
        CHECK(!verdict.is_good || is_beyond_form(place, &lenient));
        CHECK(!verdict.would_cut || is_beyond_form(place, &lenient));
    }

    struct verdict fixed = check(place, true);
    CHECK(fixed.would_cut == verdict.would_cut && fixed.is_good == (verdict.is_good || verdict.would_cut));
    if (lenient.error == 0) {
        CHECK(look_for_cut(place) == lenient.cut_bytes);
        strict = load(place, "aof-load-truncated no");
        must_be_same(&lenient, &strict);
        CHECK(check(place, false).is_good);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct place place = {.is_standalone = size > 0 && data[0] == 's'};
    if (size < 2)
        return 0;
    make_directories(&place);
    take_files(&place, slice_of((const char *)data + 2, size - 2));
    for (size_t i = 0; i < place.count; i++)
        store(&place.files[i]);
    judge(&place);
    remove_files(&place);
    return 0;
}
