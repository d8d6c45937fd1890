/* Manifests: what is taken, what is refused and in which line, and what is written. */
#include "cacheworker/aof/manifest.h"
#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        size_t line;
        const char *written; /* or what is wrong */
    } rows[] = {
        {"file a seq 1 type b\n", 0, 0, "file a seq 1 type b\n"},
        {"file a seq 1 type i", 0, 0, "file a seq 1 type i\n"},
        {"file a seq 2 type b\nfile x seq 1 type h\nfile b seq 3 type i\nfile c seq 9 type i\n", 0, 0,
         "file a seq 2 type b\nfile x seq 1 type h\nfile b seq 3 type i\nfile c seq 9 type i\n"},
        {"# words\ntype i later 1 seq 3 file \"a\"\n", 0, 0, "file a seq 3 type i\n"},
        {"file a seq 1 type b\n \n", ERR_CORRUPT, 2, "it is blank"},
        {"\n", ERR_CORRUPT, 1, "it is blank"},
        {"file h seq 1 type h\n", ERR_CORRUPT, 0, "no file is named"},
        {"", ERR_CORRUPT, 0, "no file is named"},
        {"file a seq 1\n", ERR_CORRUPT, 1, "it is not made of the pairs file, seq and type"},
        {"file a seq 1 type\n", ERR_CORRUPT, 1, "it is not made of the pairs file, seq and type"},
        {"file a seq 1 type x\n", ERR_CORRUPT, 1, "the type is none of b, i and h"},
        {"file a seq 1 type bi\n", ERR_CORRUPT, 1, "the type is none of b, i and h"},
        {"file a seq x type b\n", ERR_CORRUPT, 1, "seq is no number"},
        {"file a seq 0 type b\n", ERR_CORRUPT, 1, "it names no file, or no seq above 0"},
        {"seq 1 type b seq 2\n", ERR_CORRUPT, 1, "it names no file, or no seq above 0"},
        {"file ../a seq 1 type b\n", ERR_CORRUPT, 1, "the file is no plain name"},
        {"file a/b seq 1 type b\n", ERR_CORRUPT, 1, "the file is no plain name"},
        {"file .a seq 1 type b\n", ERR_CORRUPT, 1, "the file is no plain name"},
        {"file \"a b\" seq 1 type b\n", 0, 0, "file \"a b\" seq 1 type b\n"},
        {"file \"a\\nb\" seq 1 type b\n", ERR_CORRUPT, 1, "the file is no plain name"},
        {"file \"a seq 1 type b\n", ERR_CORRUPT, 1, "its words cannot be told apart"},
        {"file a seq 1 type b\nfile b seq 2 type b\n", ERR_CORRUPT, 2, "there is a base already"},
        {"file a seq 2 type i\nfile b seq 2 type i\n", ERR_CORRUPT, 2, "its seq is not above the one before"},
        {"file a seq 2 type i\n# x\nfile b seq 1 type i\n", ERR_CORRUPT, 3, "its seq is not above the one before"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct cw_manifest manifest;
        struct cw_manifest_fault fault = {.line = 99};
        int result = cw_manifest_parse(slice_text(rows[i].text), &manifest, &fault);
        if (result != rows[i].result)
            fail_msg("'%s': %d", rows[i].text, result);
        if (result < 0 && (fault.line != rows[i].line || strcmp(fault.words, rows[i].written) != 0))
            fail_msg("'%s': line %zu: %s", rows[i].text, fault.line, fault.words);
        if (rows[i].result < 0)
            continue;
        struct buf written = {0};
        cw_manifest_write(&manifest, &written);
        if (!slice_equal(buf_slice(&written), slice_text(rows[i].written)))
            fail_msg("'%s'", rows[i].text);
        buf_free(&written);
    }
}

static void are_bounded(void **state)
{
    (void)state;
    struct cw_manifest manifest = {.has_base = false};
    assert_null(cw_manifest_newest(&manifest));
    for (unsigned i = 1; i <= CW_MANIFEST_INCREMENTS_MAX; i++)
        assert_int_equal(cw_manifest_add_increment(&manifest, "appendonly.aof", i), 0);
    assert_int_equal(cw_manifest_add_increment(&manifest, "appendonly.aof", 1000), ERR_TOO_BIG);
    assert_string_equal(cw_manifest_newest(&manifest)->name, "appendonly.aof.64.incr.aof");
    struct buf text = {0};
    struct cw_manifest again;
    struct cw_manifest_fault fault;
    cw_manifest_write(&manifest, &text);
    assert_int_equal(cw_manifest_parse(buf_slice(&text), &again, &fault), 0);
    buf_add_text(&text, "file a seq 1000 type i\n");
    assert_int_equal(cw_manifest_parse(buf_slice(&text), &again, &fault), ERR_TOO_BIG);
    assert_int_equal(fault.line, CW_MANIFEST_INCREMENTS_MAX + 1);
    buf_free(&text);
}

static void have_lines_of_some_length(void **state)
{
    (void)state;
    struct cw_manifest manifest;
    struct cw_manifest_fault fault;
    struct buf text = {0};
    buf_add_format(&text, "file a seq 1 type b later %0*d", CW_MANIFEST_LINE_MAX - 26, 0);
    assert_int_equal(buf_length(&text), CW_MANIFEST_LINE_MAX);
    assert_int_equal(cw_manifest_parse(buf_slice(&text), &manifest, &fault), 0);
    buf_add_text(&text, "0");
    assert_int_equal(cw_manifest_parse(buf_slice(&text), &manifest, &fault), ERR_CORRUPT);
    assert_string_equal(fault.words, "it is too long");
    buf_free(&text);
}

static void have_a_history(void **state)
{
    (void)state;
    struct cw_manifest older = {.has_base = false}, newer = {.has_base = false};
    cw_manifest_set_base(&older, "appendonly.aof", 3, false);
    cw_manifest_set_base(&newer, "appendonly.aof", 4, true);
    for (uint64_t i = 5; i < 8; i++)
        assert_int_equal(cw_manifest_add_increment(&older, "appendonly.aof", i), 0);
    assert_int_equal(cw_manifest_add_increment(&newer, "appendonly.aof", 7), 0);
    cw_manifest_take_history(&newer, &older);
    struct buf text = {0};
    cw_manifest_write(&newer, &text);
    assert_true(slice_equal(buf_slice(&text), SLICE_LITERAL("file appendonly.aof.4.base.aof seq 4 type b\n"
                                                            "file appendonly.aof.3.base.rdb seq 3 type h\n"
                                                            "file appendonly.aof.5.incr.aof seq 5 type h\n"
                                                            "file appendonly.aof.6.incr.aof seq 6 type h\n"
                                                            "file appendonly.aof.7.incr.aof seq 7 type i\n")));
    struct cw_manifest newest = {.has_base = false};
    cw_manifest_set_base(&newest, "appendonly.aof", 5, false);
    cw_manifest_take_history(&newest, &newer); /* nobody has removed them */
    assert_int_equal(newest.history_count, 5);
    assert_string_equal(newest.history[2].name, "appendonly.aof.3.base.rdb");
    assert_true(cw_manifest_needs(&newer, "appendonly.aof.7.incr.aof"));
    assert_false(cw_manifest_needs(&newer, "appendonly.aof.3.base.rdb"));
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(are_read_and_written), cmocka_unit_test(are_bounded),
                                       cmocka_unit_test(have_lines_of_some_length), cmocka_unit_test(have_a_history)};
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
