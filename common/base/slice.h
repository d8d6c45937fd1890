/* slice.h: borrowed bytes. The owner and the time of the loan stand where the slice is declared. */
#ifndef COMMON_BASE_SLICE_H
#define COMMON_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data; /* borrowed; may be NULL only when length is 0 */
    size_t length;
};

#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})

static inline struct slice slice_of(const void *data, size_t length)
{
    return (struct slice){(const char *)data, length};
}

static inline struct slice slice_text(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline struct slice slice_skip(struct slice bytes, size_t count)
{
    return (struct slice){count > 0 ? bytes.data + count : bytes.data, bytes.length - count};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* ASCII case is ignored, as Redis does for command names and options. */
static inline bool slice_equal_nocase(struct slice bytes, const char *text)
{
    return bytes.length == strlen(text) && strncasecmp(bytes.data, text, bytes.length) == 0;
}

static inline bool slice_starts_with(struct slice bytes, const char *text)
{
    return bytes.length >= strlen(text) && memcmp(bytes.data, text, strlen(text)) == 0;
}

/* Equality in a time that depends on the lengths only; for secrets. */
static inline bool slice_equal_secret(struct slice given, struct slice secret)
{
    unsigned char difference = given.length == secret.length ? 0 : 1;
    for (size_t i = 0; i < given.length; i++)
        difference |= (unsigned char)(given.data[i] ^ (secret.length ? secret.data[i % secret.length] : 1));
    return difference == 0;
}

/* Takes the next word, up to a space, from the front of `text`; empty at the end. */
static inline struct slice slice_take_word(struct slice *text)
{
    while (text->length > 0 && *text->data == ' ')
        *text = slice_skip(*text, 1);
    size_t length = 0;
    while (length < text->length && text->data[length] != ' ')
        length++;
    struct slice word = slice_of(text->data, length);
    *text = slice_skip(*text, length);
    return word;
}

#endif
