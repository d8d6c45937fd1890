#include "cacheworker/keyspace/many_words.h"

#include "common/base/mem.h"

enum { MEMBERS_MAX = 1024 /* of one piece */, FIRST_MEMBER = 2 };

void cw_many_words_begin(struct cw_many_words *words, struct cw_call *call, const char *name, struct slice key,
                         uint64_t count)
{
    size_t most = count < MEMBERS_MAX ? (size_t)count : MEMBERS_MAX;
    *words = (struct cw_many_words){.call = call, .most = most};
    words->argv = mem_alloc((FIRST_MEMBER + most) * sizeof(struct slice));
    words->argv[0] = slice_text(name);
    words->argv[1] = key;
}

static void propagate(struct cw_many_words *words)
{
    struct slice texts = buf_slice(&words->texts);
    const char *text = texts.length > 0 ? texts.data : "";
    for (size_t i = FIRST_MEMBER; i < FIRST_MEMBER + words->count; i++) {
        words->argv[i].data = text;
        text += words->argv[i].length;
    }
    cw_call_propagate(words->call, words->argv, FIRST_MEMBER + words->count);
    words->count = 0;
    buf_clear(&words->texts);
}

void cw_many_words_add(struct cw_many_words *words, struct slice member)
{
    words->argv[FIRST_MEMBER + words->count++].length = member.length;
    buf_add_slice(&words->texts, member);
    if (words->count == words->most)
        propagate(words);
}

void cw_many_words_end(struct cw_many_words *words)
{
    if (words->count > 0)
        propagate(words);
    mem_free(words->argv);
    buf_free(&words->texts);
}
