/* replay.c: runs a fuzz target over files and directories given as arguments, or over its checked-in corpus; TAP. */
#include "common/base/buf.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { INPUTS_MAX = 10000 };

struct inputs {
    char *paths[INPUTS_MAX]; /* owned */
    size_t count;
};

static void add_path(struct inputs *inputs, const char *path)
{
    CHECK(inputs->count < INPUTS_MAX);
    char *copy = strdup(path);
    CHECK(copy != NULL);
    inputs->paths[inputs->count++] = copy;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* A file, or every file of a directory in the order of their names. */
static int collect(struct inputs *inputs, const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return -1;
    if (!S_ISDIR(status.st_mode)) {
        add_path(inputs, path);
        return 0;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        add_path(inputs, name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return count > 0 ? 0 : -1;
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    struct buf bytes = {0};
    size_t length;
    do {
        length = fread(buf_reserve(&bytes, 65536), 1, 65536, file);
        buf_commit(&bytes, length);
    } while (length > 0);
    int failed = ferror(file);
    fclose(file);
    if (!failed)
        LLVMFuzzerTestOneInput((const uint8_t *)buf_slice(&bytes).data, buf_length(&bytes));
    buf_free(&bytes);
    return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    char corpus[4096];
    snprintf(corpus, sizeof(corpus), "%s/%s", CORPUS_DIR, program);

    static struct inputs inputs;
    int missing = 0;
    for (int i = 1; i < argc; i++)
        missing += collect(&inputs, argv[i]) < 0;
    if (argc == 1)
        missing += collect(&inputs, corpus) < 0;
    if (missing > 0 || inputs.count == 0) {
        printf("1..1\nnot ok 1 - %s: no input at %s\n", program, argc == 1 ? corpus : "some of the arguments");
        return 1;
    }

    int failures = 0;
    printf("1..%zu\n", inputs.count);
    for (size_t i = 0; i < inputs.count; i++) {
        fflush(stdout); /* a finding ends the process: what was well before it is told */
        const char *name = strrchr(inputs.paths[i], '/') ? strrchr(inputs.paths[i], '/') + 1 : inputs.paths[i];
        int error = run_file(inputs.paths[i]);
        failures += error < 0;
        printf("%s %zu - %s\n", error < 0 ? "not ok" : "ok", i + 1, name);
        free(inputs.paths[i]);
    }
    return failures > 0;
}
