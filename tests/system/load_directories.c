/* load_directories: what a server by itself makes of directories that a host left behind, many in one process.
 *
 * Each line of the input is "yes DIRECTORY" or "no DIRECTORY": appendonly. Each line of the output is "NUMBER KEYS
 * VERDICT", the value of the key "number" (0: there is none), how many keys there are, and what --check-aof says: good,
 * cut (--fix would do it), bad, or none (there is nothing to check); or "refused", why it does not start, and the
 * verdict. The loader changes no file. */
#include "cacheworker/shell/check_files.h"
#include "common/base/errors.h"
#include "common/shell/storage_directory.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 1024 };

static const char *verdict(const char *root)
{
    char directory[LINE + 32], *text = NULL;
    char *argv[] = {"respite-cacheworker", "--check-aof", directory, NULL};
    size_t length;
    int status = EXIT_FAILURE;
    snprintf(directory, sizeof(directory), "%s/appendonlydir/appendonly.aof.manifest", root);
    if (access(directory, F_OK) != 0)
        return "none";
    snprintf(directory, sizeof(directory), "%s", root);
    FILE *output = stdout, *errors = stderr;
    FILE *words = open_memstream(&text, &length);
    CHECK(words != NULL);
    stdout = stderr = words;
    bool is_asked = check_files_asked(3, argv, &status);
    stdout = output;
    stderr = errors;
    CHECK(fclose(words) == 0 && is_asked);
    bool would_cut = strstr(text, "; --fix would cut it there\n") != NULL;
    free(text);
    return status == EXIT_SUCCESS ? "good" : would_cut ? "cut" : "bad";
}

static long ask_for_number(struct bench *bench, link_id link, const char *request)
{
    char text[32] = "";
    struct slice reply = bench_ask(bench, link, request);
    CHECK(reply.length > 1 && reply.length < sizeof(text));
    memcpy(text, reply.data, reply.length);
    if (text[0] == ':')
        return strtol(text + 1, NULL, 10);
    CHECK(text[0] == '$');
    const char *line = strchr(text, '\n');
    return text[1] == '-' ? 0 : strtol(line + 1, NULL, 10);
}

static void complain(void *context, struct slice words)
{
    (void)context;
    printf("refused %.*s", (int)words.length, words.data);
}

static void look_at(const char *appendonly, const char *root)
{
    static struct bench bench;
    struct storage_directory directory;
    struct cw_config config;
    char parameters[64];
    int error = storage_directory_open(&directory, root);
    CHECK(error == 0);
    bench_config(&config, true);
    snprintf(parameters, sizeof(parameters), "appendonly %.3s\nappendfsync everysec\n", appendonly);
    config.parameters = slice_text(parameters);
    config.storage = &directory.storage;
    config.complain = complain;
    struct cw_worker *worker;
    error = cw_worker_create(&config, &worker); /* the bench takes it for granted */
    if (error == 0) {
        cw_worker_door.destroy(worker);
        bench_start(&bench, &config);
        link_id link = bench_connect(&bench);
        long number = ask_for_number(&bench, link, "GET number\r\n");
        long keys = ask_for_number(&bench, link, "DBSIZE\r\n");
        bench_end(&bench);
        printf("%ld %ld", number, keys);
    }
    storage_directory_close(&directory);
    printf(" %s\n", verdict(root));
}

int main(void)
{
    char line[LINE];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *root = strchr(line, ' ');
        CHECK(root != NULL);
        *root++ = '\0';
        look_at(line, root);
    }
    return EXIT_SUCCESS;
}
