#include "common/shell/storage_directory.h"

#include "common/base/errors.h"
#include "common/shell/file_atomic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char parent[64];
static char path[96];
static struct storage_directory directory;

static int set_up(void **state)
{
    (void)state;
    snprintf(parent, sizeof(parent), "/tmp/storage_directory_test.XXXXXX");
    assert_non_null(mkdtemp(parent));
    snprintf(path, sizeof(path), "%s/data", parent);
    assert_int_equal(storage_directory_open(&directory, path), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    storage_directory_close(&directory);
    storage_directory_close(&directory);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", parent);
    return system(command);
}

static const struct storage *storage(void)
{
    return &directory.storage;
}

static void put(const char *name, const char *text)
{
    void *file;
    assert_int_equal(storage()->open_write(storage()->context, name, &file), 0);
    assert_int_equal(storage()->write(storage()->context, file, slice_text(text)), 0);
    assert_int_equal(storage()->commit(storage()->context, file), 0);
}

static void expect_content(const char *name, const char *expected)
{
    void *file;
    char text[64] = {0};
    size_t length;
    size_t total = 0;
    assert_int_equal(storage()->open_read(storage()->context, name, &file), 0);
    do { /* in small pieces, to the end */
        assert_int_equal(storage()->read(storage()->context, file, text + total, 3, &length), 0);
        total += length;
    } while (length > 0);
    storage()->close(storage()->context, file);
    assert_string_equal(text, expected);
}

static bool exists(const char *name)
{
    return faccessat(directory.fd, name, F_OK, 0) == 0;
}

static void makes_a_private_directory(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    struct storage_directory other;
    assert_int_equal(storage_directory_open(&other, "/nowhere/at/all"), ERR_NOT_FOUND);
}

static void a_commit_replaces_the_old_file(void **state)
{
    (void)state;
    put("dump.rdb", "first");
    expect_content("dump.rdb", "first");
    put("dump.rdb", "second one");
    expect_content("dump.rdb", "second one");
    assert_false(exists("dump.rdb.new"));
}

static void an_abandoned_writer_leaves_the_old_file(void **state)
{
    (void)state;
    void *file;
    put("dump.rdb", "first");
    assert_int_equal(storage()->open_write(storage()->context, "dump.rdb", &file), 0);
    assert_int_equal(storage()->write(storage()->context, file, SLICE_LITERAL("half of")), 0);
    expect_content("dump.rdb", "first");
    storage()->close(storage()->context, file);
    expect_content("dump.rdb", "first");
    assert_false(exists("dump.rdb.new"));
}

static void what_a_dead_process_left_aside_is_removed(void **state)
{
    (void)state;
    put("dump.rdb", "first");
    put("dump.rdb.new", "half of");
    storage()->forget(storage()->context, "dump.rdb");
    assert_false(exists("dump.rdb.new"));
    expect_content("dump.rdb", "first");
    storage()->forget(storage()->context, "dump.rdb");
    expect_content("dump.rdb", "first");
}

static void files_are_synced_by_name(void **state)
{
    (void)state;
    put("one", "1");
    assert_int_equal(mkdirat(directory.fd, "below", 0700), 0);
    assert_int_equal(linkat(directory.fd, "one", directory.fd, "below/two", 0), 0);
    assert_int_equal(storage()->sync(storage()->context, "one"), 0);
    assert_int_equal(storage()->sync(storage()->context, "below/two"), 0);
    assert_int_equal(storage()->sync(storage()->context, "below/three"), ERR_NOT_FOUND);
    assert_int_equal(storage()->sync(storage()->context, "../x"), ERR_INVALID);
}

static void names_stay_in_the_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"", ".", "..", "../x", "a/.b", "a/b/c", "a/", "/etc/passwd", ".hidden"};
    void *file;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(storage()->open_read(storage()->context, names[i], &file), ERR_INVALID);
        assert_int_equal(storage()->open_write(storage()->context, names[i], &file), ERR_INVALID);
    }
    assert_int_equal(storage()->open_read(storage()->context, "missing", &file), ERR_NOT_FOUND);
}

static void one_process_at_a_time(void **state)
{
    (void)state;
    struct storage_directory other;
    assert_int_equal(storage_directory_open(&other, path), ERR_BUSY);
    pid_t child = fork();
    if (child == 0)
        _exit(storage_directory_open(&other, path) == ERR_BUSY ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    storage_directory_close(&directory);
    assert_int_equal(storage_directory_open(&directory, path), 0); /* given back with the process, or the close */
}

static void small_files_are_replaced_and_read_whole(void **state)
{
    (void)state;
    struct buf content = {0};
    char big[40000];
    memset(big, 'b', sizeof(big));
    assert_int_equal(file_read_all(directory.fd, "x.state", 100, &content), ERR_NOT_FOUND);
    assert_int_equal(file_atomic_replace(directory.fd, "x.state", SLICE_LITERAL("one")), 0);
    assert_int_equal(file_atomic_replace(directory.fd, "x.state", slice_of(big, sizeof(big))), 0);
    assert_int_equal(file_read_all(directory.fd, "x.state", sizeof(big), &content), 0);
    assert_true(slice_equal(buf_slice(&content), slice_of(big, sizeof(big))));
    buf_clear(&content);
    assert_int_equal(file_read_all(directory.fd, "x.state", sizeof(big) - 1, &content), ERR_TOO_BIG);
    buf_free(&content);
    assert_false(exists("x.state.new"));
}

/* /dev/full takes a file's open and no byte of it. */
static void a_full_disk_is_told(void **state)
{
    (void)state;
    assert_int_equal(symlinkat("/dev/full", directory.fd, "x.state.new"), 0);
    assert_int_equal(file_atomic_replace(directory.fd, "x.state", SLICE_LITERAL("one")), ERR_DISK_FULL);
    assert_false(exists("x.state"));
    assert_false(exists("x.state.new"));
}

static void what_cannot_get_its_name_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(directory.fd, "x.state", 0700), 0);
    assert_int_equal(file_atomic_replace(directory.fd, "x.state", SLICE_LITERAL("one")), ERR_IO);
    assert_false(exists("x.state.new"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(makes_a_private_directory),
        TEST(a_commit_replaces_the_old_file),
        TEST(an_abandoned_writer_leaves_the_old_file),
        TEST(what_a_dead_process_left_aside_is_removed),
        TEST(files_are_synced_by_name),
        TEST(names_stay_in_the_directory),
        TEST(one_process_at_a_time),
        TEST(small_files_are_replaced_and_read_whole),
        TEST(a_full_disk_is_told),
        TEST(what_cannot_get_its_name_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
