/* listpack.h: a sequence of strings and integers in one piece of memory, byte for byte the reference's listpack, so
 * that saving and loading are copies (source: listpack.md of Salvatore Sanfilippo, and what redis-server 7.0 writes).
 *
 *   total bytes 4, little endian | count 2 (65535: more, to be counted) | element ... | 0xff
 *   element: encoding and data | back length 1 to 5: of what stands before it in the element
 *
 * A place is an offset from the beginning. CW_LISTPACK_END (0) is no element's place; functions that seek return it
 * when there is none. Strings that read as integers of 64 bits, in canonical form, are kept as integers.
 *
 * Reading functions want a listpack that is valid: one of ours, or one that cw_listpack_is_valid has accepted. */
#ifndef CACHEWORKER_PACKED_LISTPACK_H
#define CACHEWORKER_PACKED_LISTPACK_H

#include "cacheworker/packed/packed.h"
#include "common/base/check.h"
#include "common/base/number.h"

#include <stdbool.h>
#include <stdint.h>

enum { CW_LISTPACK_END = 0, CW_LISTPACK_EMPTY_BYTES = 7, CW_LISTPACK_COUNT_UNKNOWN = 65535 };

#define CW_LISTPACK_BYTES_MAX ((size_t)1 << 30) /* the owner starts another one, or another structure, long before */

/* An element as it is read: its bytes, or an integer, which has no bytes of its own. */
struct cw_packed_value {
    struct slice text; /* borrowed from the listpack; data NULL: it is the integer */
    int64_t integer;
};

/* The text of the element; an integer's is formatted into `space`. */
struct slice cw_packed_value_text(const struct cw_packed_value *value, char space[NUMBER_TEXT_MAX]);
/* Equal as text. `integer`, if `is_integer`, is what `text` reads as: computed once by who searches. */
struct cw_packed_needle {
    struct slice text; /* borrowed */
    bool is_integer;
    int64_t integer;
};
struct cw_packed_needle cw_packed_needle(struct slice text);
bool cw_packed_value_equals(const struct cw_packed_value *value, const struct cw_packed_needle *needle);

void cw_listpack_init(char bytes[CW_LISTPACK_EMPTY_BYTES]); /* an empty one */

/* Whether these bytes are a listpack: lengths, encodings, back lengths, count, end. Anything may be asked. */
bool cw_listpack_is_valid(struct slice bytes);

/* What appending this string would add, back length included. */
size_t cw_listpack_element_bytes(struct slice text);
size_t cw_listpack_integer_bytes(int64_t integer);

uint64_t cw_listpack_count(struct slice listpack); /* O(1) below 65535, else counts */

size_t cw_listpack_first(struct slice listpack);
size_t cw_listpack_last(struct slice listpack);
size_t cw_listpack_next(struct slice listpack, size_t place);
size_t cw_listpack_previous(struct slice listpack, size_t place);
size_t cw_listpack_at(struct slice listpack, int64_t index); /* negative: from the end */
struct cw_packed_value cw_listpack_value(struct slice listpack, size_t place);

/* The first element equal to the needle among every `step`-th one, from `place` on (fields of a hash: from the first,
 * with step 2). */
size_t cw_listpack_find(struct slice listpack, size_t place, const struct cw_packed_needle *needle, unsigned step);

/* Editing. `place` CW_LISTPACK_END is behind the last element. Strings must not lie in the listpack. */
size_t cw_listpack_insert(struct cw_packed *packed, size_t place, struct slice text); /* before `place`; its place */
size_t cw_listpack_insert_integer(struct cw_packed *packed, size_t place, int64_t integer);
void cw_listpack_append(struct cw_packed *packed, struct slice text);
void cw_listpack_append_integer(struct cw_packed *packed, int64_t integer);
void cw_listpack_replace(struct cw_packed *packed, size_t place, struct slice text); /* `place` stays its place */
void cw_listpack_replace_integer(struct cw_packed *packed, size_t place, int64_t integer);
/* Deletes `count` elements from `place` on, or fewer where it ends; returns the place of what follows. */
size_t cw_listpack_delete(struct cw_packed *packed, size_t place, uint64_t count);

#endif
