/* Lines: rules of a user, and behind an empty line a request, a word in each. What a user's description makes of a new
 * user is the same user; a file of users reads back; a check says of both the same, and names a word of the request. */
#include "cacheworker/acl/users.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

enum { WORDS_MAX = 64 };

/* The words up to an empty line, which is consumed. */
static size_t take_words(struct slice *rest, struct slice words[WORDS_MAX])
{
    size_t count = 0;
    while (rest->length > 0 && count < WORDS_MAX) {
        const char *end = memchr(rest->data, '\n', rest->length);
        size_t length = end != NULL ? (size_t)(end - rest->data) : rest->length;
        struct slice word = slice_of(rest->data, length);
        *rest = slice_skip(*rest, end != NULL ? length + 1 : length);
        if (length == 0)
            break;
        words[count++] = word;
    }
    return count;
}

/* All users as a file, read into another table: the same file again. */
static void read_back(const struct cw_acl *acl, struct cw_acl *other)
{
    struct buf text = {0}, again = {0}, errors = {0};
    cw_acl_write(acl, &text);
    CHECK(cw_acl_read(other, buf_slice(&text), "file", &errors) == 0);
    cw_acl_bury(other);
    cw_acl_write(other, &again);
    CHECK(slice_equal(buf_slice(&text), buf_slice(&again)));
    buf_free(&text);
    buf_free(&again);
    buf_free(&errors);
}

static void check(const struct cw_acl *acl, const struct cw_acl *other, const struct slice *argv, size_t argc)
{
    const struct command *command = command_resolve(argv, argc);
    if (command == NULL || !command_arity_fits(command, argc))
        return;
    const struct cw_acl_user *user = cw_acl_find(acl, SLICE_LITERAL("u"));
    const struct cw_acl_user *same = cw_acl_find(other, SLICE_LITERAL("u"));
    size_t index, same_index;
    enum cw_acl_verdict verdict = cw_acl_user_check(user, command, argv, argc, &index);
    CHECK(verdict == cw_acl_user_check(same, command, argv, argc, &same_index));
    CHECK(index < argc && index == same_index);
    bool reads_all = cw_acl_user_may_touch_every_key(user, command, argv, argc, CW_ACL_READ);
    CHECK(!reads_all || verdict == CW_ACL_ALLOWED);
    CHECK(!user->allows_all || verdict == CW_ACL_ALLOWED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rules[WORDS_MAX], argv[WORDS_MAX];
    char *copy = fuzz_exact_copy(slice_of(data, size));
    struct slice rest = slice_of(copy, size);
    size_t rule_count = take_words(&rest, rules), argc = take_words(&rest, argv);
    struct cw_acl acl, other;
    cw_acl_init(&acl);
    cw_acl_init(&other);
    struct buf reason = {0};
    CHECK(cw_acl_set(&acl, SLICE_LITERAL("u"), NULL, 0, &reason) == 0);
    for (size_t i = 0; i < rule_count; i++) /* one by one, so that a bad one does not undo the others */
        (void)!cw_acl_set(&acl, SLICE_LITERAL("u"), &rules[i], 1, &reason);
    if (cw_acl_set(&acl, SLICE_LITERAL("v"), rules, rule_count, &reason) < 0)
        CHECK(cw_acl_find(&acl, SLICE_LITERAL("v")) == NULL && buf_length(&reason) > 0);
    read_back(&acl, &other);
    if (argc > 0)
        check(&acl, &other, argv, argc);
    cw_acl_free(&acl);
    cw_acl_free(&other);
    buf_free(&reason);
    mem_free(copy);
    return 0;
}
