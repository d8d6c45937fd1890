#include "sentinel/core/state.h"

#include "common/base/crc32c.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"

static void encode_ballot(const char *word, const struct ballot *ballot, struct buf *out)
{
    char text[LIFE_TEXT_MAX];
    ballot_format(ballot, text);
    buf_add_format(out, "%s %s\n", word, text);
}

void sn_state_encode(const struct sn_state *state, struct buf *out)
{
    size_t begin = buf_length(out);
    char id[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&state->id, id);
    buf_add_format(out, "respite-sentinel 1\nid %s\nrun %llu\n", id, (unsigned long long)state->run);
    for (uint32_t i = 0; i < state->group_count; i++) {
        const struct sn_acceptor *acceptor = &state->groups[i].acceptor;
        struct buf value = {0};
        if (acceptor->value.version > 0)
            topology_encode(&acceptor->value, &value);
        buf_add_format(out, "group %s\n", state->groups[i].name);
        encode_ballot("promised", &acceptor->promised, out);
        encode_ballot("accepted", &acceptor->accepted, out);
        buf_add_format(out, "value %zu\n", buf_length(&value));
        buf_add_slice(out, buf_slice(&value));
        buf_free(&value);
    }
    buf_add_text(out, "end ");
    buf_add_format(out, "%08x\n", crc32c(slice_skip(buf_slice(out), begin)));
}

enum { CHECKSUM_LENGTH = 9 }; /* eight digits and the end of the line */

/* Takes the text up to `end` from the front; false when there is no end. */
static bool take_until(struct slice *text, char end, struct slice *ret_part)
{
    const char *at = text->length ? memchr(text->data, end, text->length) : NULL;
    if (!at)
        return false;
    *ret_part = slice_of(text->data, (size_t)(at - text->data));
    *text = slice_skip(*text, ret_part->length + 1);
    return true;
}

static bool take_word(struct slice *text, const char *word)
{
    struct slice part;
    return take_until(text, ' ', &part) && slice_equal(part, slice_text(word));
}

static bool take_number(struct slice *text, char end, uint64_t *ret_number)
{
    struct slice part;
    return take_until(text, end, &part) && number_parse_u64(part, ret_number) == 0;
}

static bool take_identity(struct slice *text, char end, struct identity *ret_identity)
{
    struct slice part;
    return take_until(text, end, &part) && identity_parse(part, ret_identity) == 0;
}

static bool take_ballot(struct slice *text, const char *word, struct ballot *ret_ballot)
{
    struct slice part;
    return take_word(text, word) && take_until(text, '\n', &part) && ballot_parse(part, ret_ballot) == 0;
}

static bool take_group(struct slice *text, char name[GROUP_NAME_MAX], struct sn_acceptor *acceptor)
{
    struct slice part;
    uint64_t length;
    if (!take_word(text, "group") || !take_until(text, '\n', &part) || !group_name_is_valid(part))
        return false;
    memcpy(name, part.data, part.length);
    if (!take_ballot(text, "promised", &acceptor->promised) || !take_ballot(text, "accepted", &acceptor->accepted) ||
        !take_word(text, "value") || !take_number(text, '\n', &length) || length > text->length)
        return false;
    if (length > 0 && topology_decode(slice_of(text->data, length), &acceptor->value) != 0)
        return false;
    *text = slice_skip(*text, length);
    return true;
}

static bool decode(struct slice text, struct sn_state *state)
{
    struct slice line;
    if (!take_until(&text, '\n', &line) || !slice_equal(line, SLICE_LITERAL("respite-sentinel 1")) ||
        !take_word(&text, "id") || !take_identity(&text, '\n', &state->id) || !take_word(&text, "run") ||
        !take_number(&text, '\n', &state->run))
        return false;
    while (text.length != 4 + CHECKSUM_LENGTH) {
        if (state->group_count == SN_GROUPS_MAX)
            return false;
        uint32_t i = state->group_count++;
        if (!take_group(&text, state->groups[i].name, &state->groups[i].acceptor))
            return false;
    }
    return true;
}

int sn_state_decode(struct slice text, struct sn_state *ret_state)
{
    struct sn_state *state = mem_zero(sizeof(*state));
    struct buf again = {0};
    int result = ERR_CORRUPT;
    if (decode(text, state)) {
        /* The checksum, and every byte that decoding did not look at, are compared here. */
        sn_state_encode(state, &again);
        if (slice_equal(buf_slice(&again), text)) {
            *ret_state = *state;
            result = 0;
        }
    }
    buf_free(&again);
    mem_free(state);
    return result;
}
