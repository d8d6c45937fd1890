#include "cacheworker/shell/check_files.h"

#include "cacheworker/aof/aof_check.h"
#include "cacheworker/aof/manifest.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 256 << 10 };

const char check_files_help[] =
    "       respite-cacheworker --check-rdb FILE\n"
    "       respite-cacheworker --check-aof DIR [--fix]\n\n"
    "  --check-rdb FILE         say whether FILE is a whole RDB file, or where and why it is not\n"
    "  --check-aof DIR [--fix]  the same of an append-only file: DIR is the directory of its\n"
    "                           manifest, or the one above; --fix cuts off a command that is\n"
    "                           not complete at its very end, and nothing else\n\n";

static int cannot(const char *path, const char *words)
{
    fprintf(stderr, "%s: %s\n", path, words);
    return EXIT_FAILURE;
}

static void say(const char *path, const struct buf *words)
{
    printf("%s: %.*s\n", path, (int)buf_length(words), buf_length(words) > 0 ? buf_slice(words).data : "");
}

/* Gives `take` the bytes of a file from `first` to `end`. Its error; ERR_IO when they cannot be read. */
static int feed(int fd, uint64_t first, uint64_t end, int (*take)(void *context, struct slice bytes), void *context)
{
    char *piece = mem_alloc(PIECE);
    int error = 0;
    while (error == 0 && first < end) {
        size_t wanted = end - first < PIECE ? (size_t)(end - first) : PIECE;
        ssize_t length = pread(fd, piece, wanted, (off_t)first);
        if (length == 0)
            break;
        if (length < 0)
            error = errno == EINTR ? 0 : ERR_IO;
        else
            error = take(context, slice_of(piece, (size_t)length));
        first += length > 0 ? (uint64_t)length : 0;
    }
    mem_free(piece);
    return error;
}

/* --- an RDB file --- */

static int take_rdb(void *context, struct slice bytes)
{
    struct cw_rdb_check *check = context;
    size_t used = 0;
    if (!check->is_complete) {
        int result = cw_rdb_check_read(check, bytes, &used);
        if (result < 0)
            return result;
    }
    return used < bytes.length ? ERR_TOO_BIG : 0;
}

static int check_rdb(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cannot(path, strerror(errno));
    struct cw_rdb_check check;
    struct buf words = {0};
    cw_rdb_check_init(&check);
    int error = feed(fd, 0, UINT64_MAX, take_rdb, &check);
    if (error == 0 && !check.is_complete)
        error = ERR_TRUNCATED;
    if (error == ERR_TOO_BIG && check.is_complete)
        buf_add_text(&words, "the file goes on behind the end of the data");
    else if (error < 0)
        cw_rdb_check_tell(&check, error, &words);
    buf_add_text(&words, error < 0 ? "; before that: " : "good: ");
    cw_rdb_check_sum_up(&check, &words);
    say(path, &words);
    cw_rdb_check_free(&check);
    buf_free(&words);
    close(fd);
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- an append-only file --- */

struct aof { /* that is looked at */
    char directory[PATH_MAX];
    char manifest_path[PATH_MAX + NAME_MAX + 2];
    struct cw_manifest manifest;
    bool fixes;
    struct cw_place place; /* behind the files that were looked at */
};

static int take_aof(void *context, struct slice bytes)
{
    return cw_aof_check_read(context, bytes);
}

static uint64_t length_of(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END);
    return end > 0 ? (uint64_t)end : 0;
}

struct content { /* of a part of a file */
    uint64_t position;
    uint64_t end; /* behind the last byte that is not 0 */
};

static int find_content(void *context, struct slice bytes)
{
    struct content *content = context;
    for (size_t i = bytes.length; i > 0; i--) {
        if (bytes.data[i - 1] == '\0')
            continue;
        content->end = content->position + i;
        break;
    }
    content->position += bytes.length;
    return 0;
}

static int pass_over(void *context, struct slice bytes, size_t *ret_used)
{
    (void)context;
    *ret_used = bytes.length;
    return 0;
}

static int read_on(void *context, struct slice bytes)
{
    return cw_aof_read(context, bytes);
}

/* Whether what is behind the last whole unit is nothing but the beginning of one, and zeros: what a host that died may
 * leave of a file. */
static bool ends_in_zeros(int fd, uint64_t whole)
{
    struct content content = {.position = whole, .end = whole};
    struct cw_aof_reader reader = {.apply = pass_over};
    if (feed(fd, whole, UINT64_MAX, find_content, &content) < 0 || content.end == content.position)
        return false;
    int error = feed(fd, whole, content.end, read_on, &reader);
    cw_aof_reader_free(&reader);
    return error == 0;
}

/* Says what it cuts before it does. */
static int cut(const char *path, int fd, uint64_t whole, uint64_t length)
{
    printf("%s: cutting off %" PRIu64 " bytes at byte %" PRIu64 "\n", path, length - whole, whole);
    fflush(stdout);
    if (ftruncate(fd, (off_t)whole) < 0 || fsync(fd) < 0)
        return cannot(path, strerror(errno));
    return EXIT_SUCCESS;
}

static int judge_file(struct aof *aof, const char *path, int fd, bool is_last)
{
    struct cw_aof_check check;
    struct buf words = {0};
    cw_aof_check_init(&check, &aof->place);
    int error = feed(fd, 0, UINT64_MAX, take_aof, &check);
    if (error == 0)
        error = cw_aof_check_end(&check);
    bool in_commands = error < 0 && cw_aof_check_is_in_commands(&check);
    bool has_zeros =
        error == ERR_CORRUPT && in_commands && !check.reader.is_refused && ends_in_zeros(fd, check.reader.whole);
    bool may_be_cut = is_last && in_commands && (error == ERR_TRUNCATED || has_zeros);
    if (error < 0)
        cw_aof_check_tell(&check, error, &words);
    if (has_zeros)
        buf_add_text(&words, ", but zeros up to the end of the file");
    buf_add_text(&words, error < 0 ? "; before that: " : "good: ");
    cw_aof_check_sum_up(&check, &words);
    if (may_be_cut && !aof->fixes)
        buf_add_text(&words, "; --fix would cut it there");
    say(path, &words);
    int status = error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (may_be_cut && aof->fixes)
        status = cut(path, fd, check.reader.whole, length_of(fd));
    cw_aof_check_free(&check);
    buf_free(&words);
    return status;
}

static int check_file(struct aof *aof, const char *name, bool is_last)
{
    char path[PATH_MAX + NAME_MAX + 2];
    snprintf(path, sizeof(path), "%s/%s", aof->directory, name);
    int fd = open(path, (aof->fixes && is_last ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return cannot(path, strerror(errno));
    int status = judge_file(aof, path, fd, is_last);
    close(fd);
    return status;
}

/* --- its manifest --- */

static bool ends_in(const char *name, const char *end)
{
    size_t length = strlen(name), end_length = strlen(end);
    return length > end_length && strcmp(name + length - end_length, end) == 0;
}

/* What a server that writes a new one calls it until it is whole, and leaves when it dies. */
static bool is_aside(const char *name)
{
    return strncmp(name, "temp-", strlen("temp-")) == 0;
}

/* How many manifests the directory has; the path of one. -1: it cannot be read. */
static int find_manifest(struct aof *aof)
{
    DIR *directory = opendir(aof->directory);
    if (directory == NULL)
        return -1;
    int found = 0;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (!ends_in(entry->d_name, ".manifest") || is_aside(entry->d_name))
            continue;
        found++;
        snprintf(aof->manifest_path, sizeof(aof->manifest_path), "%s/%s", aof->directory, entry->d_name);
    }
    closedir(directory);
    return found;
}

static int take_text(void *context, struct slice bytes)
{
    buf_add_slice(context, bytes);
    return buf_length((struct buf *)context) > CW_MANIFEST_BYTES_MAX ? ERR_TOO_BIG : 0;
}

static int read_manifest(struct aof *aof)
{
    int fd = open(aof->manifest_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cannot(aof->manifest_path, strerror(errno));
    struct buf text = {0};
    struct cw_manifest_fault fault = {.words = NULL};
    int error = feed(fd, 0, UINT64_MAX, take_text, &text);
    if (error == 0)
        error = cw_manifest_parse(buf_slice(&text), &aof->manifest, &fault);
    close(fd);
    buf_free(&text);
    if (error < 0)
        printf("%s: line %zu: %s\n", aof->manifest_path, fault.line,
               fault.words != NULL ? fault.words : error_text(error));
    else
        printf("%s: good: %s and %zu increments\n", aof->manifest_path, aof->manifest.has_base ? "a base" : "no base",
               aof->manifest.count);
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int open_manifest(struct aof *aof, const char *path)
{
    snprintf(aof->directory, sizeof(aof->directory), "%s", path);
    int found = find_manifest(aof);
    if (found == 0) {
        snprintf(aof->directory, sizeof(aof->directory), "%s/appendonlydir", path);
        found = find_manifest(aof);
    }
    if (found == 1)
        return read_manifest(aof);
    return cannot(path, found > 1 ? "there is more than one manifest" : "there is no append-only file");
}

static bool is_empty(const struct aof *aof, const char *name)
{
    char path[PATH_MAX + NAME_MAX + 2];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", aof->directory, name);
    return stat(path, &status) == 0 && status.st_size == 0;
}

/* How many increments there are up to the last that has got something, or is the only one: its end may be torn. */
static size_t find_last(const struct aof *aof)
{
    size_t count = aof->manifest.count;
    while (count > 1 && is_empty(aof, aof->manifest.increments[count - 1].name))
        count--;
    return count;
}

/* The server that writes the files holds the lock of the directory above. */
static bool is_in_use(const struct aof *aof)
{
    char path[PATH_MAX + sizeof("/../lock")];
    snprintf(path, sizeof(path), "%s/../lock", aof->directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_locked = flock(fd, LOCK_EX | LOCK_NB) < 0;
    close(fd);
    return is_locked;
}

static int check_aof(const char *path, bool fixes)
{
    struct aof *aof = mem_zero(sizeof(*aof));
    aof->fixes = fixes;
    int status = open_manifest(aof, path);
    if (status == EXIT_SUCCESS && fixes && is_in_use(aof))
        status = cannot(path, "a server is running on it");
    size_t last = find_last(aof);
    if (status == EXIT_SUCCESS && aof->manifest.has_base)
        status = check_file(aof, aof->manifest.base.name, last == 0);
    for (size_t i = 0; i < aof->manifest.count && status == EXIT_SUCCESS; i++)
        status = check_file(aof, aof->manifest.increments[i].name, i + 1 == last);
    mem_free(aof);
    return status;
}

/* --- the command line --- */

bool check_files_asked(int argc, char **argv, int *ret_status)
{
    const char *word = argc > 1 ? argv[1] : "";
    bool of_rdb = strcmp(word, "--check-rdb") == 0;
    bool of_aof = strcmp(word, "--check-aof") == 0;
    bool fixes = of_aof && argc == 4 && strcmp(argv[3], "--fix") == 0;
    if (!of_rdb && !of_aof)
        return false;
    if (argc != 3 && !fixes)
        *ret_status = cannot("usage", of_rdb ? "--check-rdb FILE" : "--check-aof DIR [--fix]");
    else
        *ret_status = of_rdb ? check_rdb(argv[2]) : check_aof(argv[2], fixes);
    return true;
}
