/* docs/COMPATIBILITY.md says of every command of Redis 7.2, and of newer ones that are here, whether it is: between two
 * marks stands what the command table, what is bound to it, and the remarks of tests/compat/command-remarks.txt
 * ("name", a tab, a sentence) make together. With --rewrite it is written anew. */
#include "cacheworker/engine/absent_commands.h"
#include "cacheworker/engine/bind.h"
#include "cacheworker/engine/command_commands.h"
#include "common/base/buf.h"
#include "common/command/command.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BEGIN "<!-- commands: tests/unit/cacheworker/engine/matrix_test --rewrite -->\n"
#define END   "<!-- end of commands -->\n"

enum { PATH_MAX_BYTES = 4096, FILE_PIECE = 4096 };

static bool rewrite;

static void open_path(const char *name, const char *mode, FILE **ret_file)
{
    const char *source = getenv("srcdir");
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof(path), "%s/%s", source != NULL ? source : ".", name);
    *ret_file = fopen(path, mode);
    assert_non_null(*ret_file);
}

static void read_whole(const char *name, struct buf *out)
{
    FILE *file;
    open_path(name, "r", &file);
    for (size_t count = 1; count > 0;) {
        count = fread(buf_reserve(out, FILE_PIECE), 1, FILE_PIECE, file);
        buf_commit(out, count);
    }
    fclose(file);
}

/* --- remarks --- */

struct remarks {
    struct buf text;
    size_t used;
};

static bool find_remark(struct remarks *remarks, const char *name, struct slice *ret_remark)
{
    struct slice rest = buf_slice(&remarks->text);
    while (rest.length > 0) {
        const char *end = memchr(rest.data, '\n', rest.length);
        assert_non_null(end);
        struct slice line = slice_of(rest.data, (size_t)(end - rest.data));
        rest = slice_skip(rest, line.length + 1);
        if (line.length > strlen(name) && memcmp(line.data, name, strlen(name)) == 0 &&
            line.data[strlen(name)] == '\t') {
            *ret_remark = slice_skip(line, strlen(name) + 1);
            remarks->used++;
            return true;
        }
    }
    return false;
}

static size_t count_remarks(const struct remarks *remarks)
{
    size_t count = 0;
    struct slice text = buf_slice(&remarks->text);
    for (size_t i = 0; i < text.length; i++)
        count += text.data[i] == '\n';
    return count;
}

/* --- the table --- */

static void add_name(struct buf *out, const char *name)
{
    for (; *name != '\0'; name++) {
        char letter = (char)toupper((unsigned char)*name);
        buf_add(out, letter == '|' ? " " : &letter, 1);
    }
}

/* A command that is refused whatever it says is bound, and not there. */
static bool is_there(const struct command *row)
{
    for (unsigned i = 0; i < row->subcommand_count; i++)
        if (is_there(&row->subcommands[i]))
            return true;
    cw_command_function function = cw_functions[row->id];
    return cw_is_bound(NULL, row) && row->subcommand_count == 0 && function != cw_cluster_command &&
           function != cw_module_load_command;
}

static void add_missing(struct buf *out, const struct command *row)
{
    unsigned missing = 0;
    for (unsigned i = 0; i < row->subcommand_count; i++) {
        const struct command *subcommand = &row->subcommands[i];
        if (is_there(subcommand))
            continue;
        buf_add_text(out, missing++ > 0 ? ", " : "without ");
        add_name(out, subcommand->name);
    }
    if (missing > 0)
        buf_add_text(out, ". ");
}

static void add_row(struct buf *out, const struct command *row, struct remarks *remarks)
{
    struct slice remark;
    buf_add_text(out, "| ");
    add_name(out, row->full_name);
    buf_add_format(out, " | %s | %s | ", row->since, is_there(row) ? "yes" : "no");
    if (is_there(row))
        add_missing(out, row);
    if (find_remark(remarks, row->full_name, &remark))
        buf_add_slice(out, remark);
    while (out->memory[out->end - 1] == ' ')
        out->end--;
    buf_add_text(out, " |\n");
}

static bool is_told_of(const struct command *row)
{
    return !(row->flags & (COMMAND_IS_RESPITE | COMMAND_ONLY_SENTINEL));
}

static void add_groups(struct buf *out, struct remarks *remarks)
{
    for (unsigned first = 0; first < command_rows(); first++) {
        const char *group = command_at(first)->group;
        bool is_new = is_told_of(command_at(first));
        for (unsigned i = 0; i < first; i++)
            is_new &= strcmp(command_at(i)->group, group) != 0 || !is_told_of(command_at(i));
        if (!is_new)
            continue;
        buf_add_format(out, "\n### %c%s\n\n| command | since | | |\n|---|---|---|---|\n",
                       toupper((unsigned char)group[0]), group + 1);
        for (unsigned i = first; i < command_rows(); i++) {
            const struct command *row = command_at(i);
            if (strcmp(row->group, group) == 0 && is_told_of(row))
                add_row(out, row, remarks);
        }
    }
    buf_add_text(out, "\n");
}

static void test_document(void **state)
{
    (void)state;
    struct buf document = {0}, wanted = {0};
    struct remarks remarks = {.used = 0};
    read_whole("docs/COMPATIBILITY.md", &document);
    read_whole("tests/compat/command-remarks.txt", &remarks.text);
    struct slice text = buf_slice(&document);
    const char *begin = memmem(text.data, text.length, BEGIN, strlen(BEGIN));
    const char *end = memmem(text.data, text.length, END, strlen(END));
    assert_non_null(begin);
    assert_non_null(end);
    buf_add(&wanted, text.data, (size_t)(begin - text.data) + strlen(BEGIN));
    add_groups(&wanted, &remarks);
    buf_add(&wanted, end, text.length - (size_t)(end - text.data));
    assert_int_equal(remarks.used, count_remarks(&remarks)); /* each is about a command that there is */
    if (rewrite) {
        FILE *file;
        open_path("docs/COMPATIBILITY.md", "w", &file);
        assert_int_equal(fwrite(buf_slice(&wanted).data, 1, buf_length(&wanted), file), buf_length(&wanted));
        fclose(file);
    } else {
        assert_true(slice_equal(text, buf_slice(&wanted)));
    }
    buf_free(&document);
    buf_free(&wanted);
    buf_free(&remarks.text);
}

int main(int argc, char **argv)
{
    rewrite = argc > 1 && strcmp(argv[1], "--rewrite") == 0;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_document)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
