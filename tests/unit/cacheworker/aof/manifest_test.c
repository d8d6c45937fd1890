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
        const char *written;
    } rows[] = {
        {"file a seq 1 type b\n", 0, 0, "file a seq 1 type b\n"},
        {"file a seq 1 type i", 0, 0, "file a seq 1 type i\n"},
        {"file a seq 2 type b\nfile x seq 1 type h\nfile b seq 3 type i\nfile c seq 9 type i\n", 0, 0,
         "file a seq 2 type b\nfile x seq 1 type h\nfile b seq 3 type i\nfile c seq 9 type i\n"},
        {"# words\n\ntype i later 1 seq 3 file \"a\"\n", 0, 0, "file a seq 3 type i\n"},
        {"file h seq 1 type h\n", ERR_CORRUPT, 0, NULL},
        {"", ERR_CORRUPT, 0, NULL},
        {"file a seq 1\n", ERR_CORRUPT, 1, NULL},
        {"file a seq 1 type\n", ERR_CORRUPT, 1, NULL},
        {"file a seq 1 type x\n", ERR_CORRUPT, 1, NULL},
        {"file a seq 1 type bi\n", ERR_CORRUPT, 1, NULL},
        {"file a seq x type b\n", ERR_CORRUPT, 1, NULL},
        {"file a seq 0 type b\n", ERR_CORRUPT, 1, NULL},
        {"seq 1 type b seq 2\n", ERR_CORRUPT, 1, NULL},
        {"file ../a seq 1 type b\n", ERR_CORRUPT, 1, NULL},
        {"file a/b seq 1 type b\n", ERR_CORRUPT, 1, NULL},
        {"file .a seq 1 type b\n", ERR_CORRUPT, 1, NULL},
        {"file \"a b\" seq 1 type b\n", 0, 0, "file \"a b\" seq 1 type b\n"},
        {"file \"a\\nb\" seq 1 type b\n", ERR_CORRUPT, 1, NULL},
        {"file \"a seq 1 type b\n", ERR_CORRUPT, 1, NULL},
        {"file a seq 1 type b\nfile b seq 2 type b\n", ERR_CORRUPT, 2, NULL},
        {"file a seq 2 type i\nfile b seq 2 type i\n", ERR_CORRUPT, 2, NULL},
        {"file a seq 2 type i\n# x\nfile b seq 1 type i\n", ERR_CORRUPT, 3, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct cw_manifest manifest;
        size_t line = 99;
        if (cw_manifest_parse(slice_text(rows[i].text), &manifest, &line) != rows[i].result || line != rows[i].line)
            fail_msg("'%s': line %zu", rows[i].text, line);
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
    size_t line;
    cw_manifest_write(&manifest, &text);
    assert_int_equal(cw_manifest_parse(buf_slice(&text), &again, &line), 0);
    buf_add_text(&text, "file a seq 1000 type i\n");
    assert_int_equal(cw_manifest_parse(buf_slice(&text), &again, &line), ERR_TOO_BIG);
    assert_int_equal(line, CW_MANIFEST_INCREMENTS_MAX + 1);
    buf_free(&text);
}

static void have_a_history(void **state)
{
    (void)state;
    struct cw_manifest older = {.has_base = false}, newer = {.has_base = false};
    cw_manifest_set_base(&older, "appendonly.aof", 3);
    cw_manifest_set_base(&newer, "appendonly.aof", 4);
    for (uint64_t i = 5; i < 8; i++)
        assert_int_equal(cw_manifest_add_increment(&older, "appendonly.aof", i), 0);
    assert_int_equal(cw_manifest_add_increment(&newer, "appendonly.aof", 7), 0);
    cw_manifest_take_history(&newer, &older);
    struct buf text = {0};
    cw_manifest_write(&newer, &text);
    assert_true(slice_equal(buf_slice(&text), SLICE_LITERAL("file appendonly.aof.4.base.rdb seq 4 type b\n"
                                                            "file appendonly.aof.3.base.rdb seq 3 type h\n"
                                                            "file appendonly.aof.5.incr.aof seq 5 type h\n"
                                                            "file appendonly.aof.6.incr.aof seq 6 type h\n"
                                                            "file appendonly.aof.7.incr.aof seq 7 type i\n")));
    assert_true(cw_manifest_needs(&newer, "appendonly.aof.7.incr.aof"));
    assert_false(cw_manifest_needs(&newer, "appendonly.aof.3.base.rdb"));
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(are_read_and_written), cmocka_unit_test(are_bounded),
                                       cmocka_unit_test(have_a_history)};
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
