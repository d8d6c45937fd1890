/* Requests in order on real files: what is answered, what fails and stays failed, what is there afterwards. */
#include "common/shell/file_thread.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char path[64];
static int directory_fd;
static sem_t answered;
static struct file_thread *thread;
static struct effects effects;

static void wake(void *context)
{
    sem_post(context);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/file_thread_test.XXXXXX");
    assert_non_null(mkdtemp(path));
    directory_fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(directory_fd >= 0);
    assert_int_equal(sem_init(&answered, 0, 0), 0);
    thread = file_thread_create(directory_fd, wake, &answered);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    file_thread_destroy(thread);
    thread = NULL;
    effects_free(&effects);
    close(directory_fd);
    sem_destroy(&answered);
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", path);
    return system(command);
}

static void ask_all(void)
{
    for (size_t i = 0; i < effects.count; i++)
        file_thread_ask(thread, &effects, &effects.items[i]);
    effects_clear(&effects);
}

static void ask(struct file_effect file, const char *name, uint64_t token, const char *bytes)
{
    effect_file(&effects, &file, name, token, slice_text(bytes));
    ask_all();
}

static struct file_answer next_answer(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    struct file_answer answer;
    assert_int_equal(sem_timedwait(&answered, &until), 0);
    assert_true(file_thread_answer(thread, &answer));
    return answer;
}

static void expect(uint64_t token, int result)
{
    struct file_answer answer = next_answer();
    assert_int_equal(answer.token, token);
    assert_int_equal(answer.result, result);
    assert_false(answer.is_persisted);
}

static void expect_content(const char *name, const char *expected)
{
    char text[128] = {0};
    int fd = openat(directory_fd, name, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    assert_string_equal(text, expected);
}

static bool exists(const char *name)
{
    return faccessat(directory_fd, name, F_OK, 0) == 0;
}

static void appends_in_order_and_answers_what_carries_a_token(void **state)
{
    (void)state;
    ask((struct file_effect){FILE_OPEN, .file = 3, .length = 0}, "grows", 0, "");
    for (int i = 0; i < 10; i++) {
        char digit[2] = {(char)('0' + i)};
        ask((struct file_effect){FILE_APPEND, .file = 3}, NULL, i == 5 ? 50 : 0, digit);
    }
    ask((struct file_effect){FILE_SYNC, .file = 3}, NULL, 7, "");
    expect(50, 0);
    expect(7, 0);
    expect_content("grows", "0123456789");
    struct file_answer none;
    assert_false(file_thread_answer(thread, &none));
}

static void goes_on_at_the_length_that_is_wanted(void **state)
{
    (void)state;
    ask((struct file_effect){FILE_OPEN, .file = 0, .length = 0}, "a", 0, "");
    ask((struct file_effect){FILE_APPEND, .file = 0}, NULL, 0, "whole, torn");
    ask((struct file_effect){FILE_CLOSE, .file = 0}, NULL, 1, "");
    expect(1, 0);
    ask((struct file_effect){FILE_OPEN, .file = 1, .length = 5}, "a", 0, "");
    ask((struct file_effect){FILE_APPEND, .file = 1}, NULL, 2, "!");
    expect(2, 0);
    expect_content("a", "whole!");
    ask((struct file_effect){FILE_OPEN, .file = 1, .length = FILE_WHOLE}, "a", 0, "");
    ask((struct file_effect){FILE_APPEND, .file = 1}, NULL, 3, "?");
    expect(3, 0);
    expect_content("a", "whole!?");
}

static void double_every_byte(void *context, struct buf *bytes)
{
    struct buf twice = {0};
    struct slice once = buf_slice(bytes);
    for (size_t i = 0; i < once.length; i++) {
        buf_add(&twice, once.data + i, 1);
        buf_add(&twice, once.data + i, 1);
    }
    *(size_t *)context += once.length;
    buf_free(bytes);
    *bytes = twice;
}

static void packs_before_it_writes(void **state)
{
    (void)state;
    size_t seen = 0;
    ask((struct file_effect){FILE_OPEN, .file = 0, .length = 0}, "packed", 0, "");
    ask((struct file_effect){FILE_APPEND, .file = 0, .pack = double_every_byte, .pack_context = &seen}, NULL, 0, "abc");
    ask((struct file_effect){FILE_SYNC, .file = 0}, NULL, 1, "");
    expect(1, 0);
    expect_content("packed", "aabbcc");
    assert_int_equal(seen, 3);
}

static void renames_and_removes_also_in_a_directory_of_its_own(void **state)
{
    (void)state;
    ask((struct file_effect){FILE_OPEN, .file = 0, .length = 0}, "folder/aside", 1, "");
    ask((struct file_effect){FILE_APPEND, .file = 0}, NULL, 0, "content");
    ask((struct file_effect){FILE_SYNC, .file = 0}, NULL, 0, "");
    ask((struct file_effect){FILE_CLOSE, .file = 0}, NULL, 0, "");
    ask((struct file_effect){.operation = FILE_RENAME, .new_name = "folder/final"}, "folder/aside", 2, "");
    ask((struct file_effect){.operation = FILE_RENAME, .new_name = "folder/x"}, "folder/aside", 3, "");
    expect(1, 0);
    expect(2, 0);
    expect(3, ERR_NOT_FOUND);
    expect_content("folder/final", "content");
    ask((struct file_effect){.operation = FILE_REMOVE}, "folder/final", 4, "");
    ask((struct file_effect){.operation = FILE_REMOVE}, "folder/final", 5, "");
    expect(4, 0);
    expect(5, 0);
    assert_false(exists("folder/final"));
}

/* /dev/full takes a file's open and no byte of it. */
static void what_failed_stays_failed_until_it_is_opened_anew(void **state)
{
    (void)state;
    assert_int_equal(symlinkat("/dev/full", directory_fd, "full"), 0);
    ask((struct file_effect){FILE_OPEN, .file = 2, .length = FILE_WHOLE}, "full", 1, "");
    ask((struct file_effect){FILE_APPEND, .file = 2}, NULL, 0, "lost");
    ask((struct file_effect){FILE_APPEND, .file = 2}, NULL, 2, "lost too");
    ask((struct file_effect){FILE_SYNC, .file = 2}, NULL, 3, "");
    ask((struct file_effect){FILE_CLOSE, .file = 2}, NULL, 4, "");
    expect(1, 0);
    expect(2, ERR_DISK_FULL);
    expect(3, ERR_DISK_FULL);
    expect(4, ERR_DISK_FULL);
    ask((struct file_effect){FILE_APPEND, .file = 2}, NULL, 5, "closed");
    expect(5, ERR_INVALID);
    ask((struct file_effect){FILE_OPEN, .file = 2, .length = 0}, "empty", 0, "");
    ask((struct file_effect){FILE_SYNC, .file = 2}, NULL, 6, "");
    expect(6, 0);
    expect_content("empty", "");
}

static void names_stay_in_the_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"", "..", "../x", "/tmp/x", ".hidden", "a/../../x", "a/b/c", "a/", "a/.x"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        ask((struct file_effect){FILE_OPEN, .file = 0, .length = 0}, names[i], i + 1, "");
        expect(i + 1, ERR_INVALID);
    }
    char name[FILE_NAME_MAX + 1];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    ask((struct file_effect){.operation = FILE_REMOVE}, name, 99, "");
    expect(99, ERR_INVALID);
}

static void persists_among_the_others(void **state)
{
    (void)state;
    ask((struct file_effect){FILE_OPEN, .file = 0, .length = 0}, "log", 0, "");
    effect_persist(&effects, "node.state", 8, SLICE_LITERAL("state"));
    ask_all();
    struct file_answer answer = next_answer();
    assert_true(answer.is_persisted);
    assert_int_equal(answer.token, 8);
    assert_int_equal(answer.result, 0);
    expect_content("node.state", "state");
    assert_true(exists("log"));
}

static void carries_out_everything_before_it_ends(void **state)
{
    (void)state;
    ask((struct file_effect){FILE_OPEN, .file = 0, .length = 0}, "all", 0, "");
    for (int i = 0; i < 100; i++)
        ask((struct file_effect){FILE_APPEND, .file = 0}, NULL, 0, "x");
    ask((struct file_effect){FILE_SYNC, .file = 0}, NULL, 1, "");
    file_thread_destroy(thread);
    thread = file_thread_create(directory_fd, wake, &answered);
    struct stat status;
    assert_int_equal(fstatat(directory_fd, "all", &status, 0), 0);
    assert_int_equal(status.st_size, 100);
}

static void without_a_directory_everything_fails(void **state)
{
    (void)state;
    file_thread_destroy(thread);
    thread = file_thread_create(-1, wake, &answered);
    ask((struct file_effect){FILE_OPEN, .file = 0, .length = 0}, "x", 1, "");
    expect(1, ERR_UNSUPPORTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(appends_in_order_and_answers_what_carries_a_token),
        TEST(goes_on_at_the_length_that_is_wanted),
        TEST(packs_before_it_writes),
        TEST(renames_and_removes_also_in_a_directory_of_its_own),
        TEST(what_failed_stays_failed_until_it_is_opened_anew),
        TEST(names_stay_in_the_directory),
        TEST(persists_among_the_others),
        TEST(carries_out_everything_before_it_ends),
        TEST(without_a_directory_everything_fails),
    };
    return cmocka_run_group_tests_name("file_thread", tests, NULL, NULL);
}
