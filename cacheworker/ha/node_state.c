#include "cacheworker/ha/node_state.h"

#include "common/base/crc32c.h"
#include "common/base/errors.h"
#include "common/base/number.h"

bool cw_node_state_equal(const struct cw_node_state *a, const struct cw_node_state *b)
{
    return life_equal(&a->life, &b->life) && a->fence == b->fence && strcmp(a->group, b->group) == 0;
}

void cw_node_state_encode(const struct cw_node_state *state, struct buf *out)
{
    size_t before = buf_length(out);
    char node[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&state->life.node, node);
    buf_add_format(out, "respite-node 1\nnode %s\nincarnation %llu %llu\nfence %llu\ngroup %s\n", node,
                   (unsigned long long)state->life.incarnation, (unsigned long long)state->life.bits,
                   (unsigned long long)state->fence, state->group[0] != '\0' ? state->group : "-");
    buf_add_format(out, "crc32c %08x\n", crc32c(slice_skip(buf_slice(out), before)));
}

/* Takes the line "<name> <rest>\n" from the front of `text`. */
static int take_line(struct slice *text, const char *name, struct slice *ret_rest)
{
    const char *end = text->length > 0 ? memchr(text->data, '\n', text->length) : NULL;
    size_t name_length = strlen(name);
    if (end == NULL)
        return ERR_CORRUPT;
    struct slice line = slice_of(text->data, (size_t)(end - text->data));
    if (line.length <= name_length || memcmp(line.data, name, name_length) != 0 || line.data[name_length] != ' ')
        return ERR_CORRUPT;
    *ret_rest = slice_skip(line, name_length + 1);
    *text = slice_skip(*text, line.length + 1);
    return 0;
}

static int parse_incarnation(struct slice text, struct life *life)
{
    const char *space = text.length > 0 ? memchr(text.data, ' ', text.length) : NULL;
    if (space == NULL)
        return ERR_CORRUPT;
    size_t length = (size_t)(space - text.data);
    if (number_parse_u64(slice_of(text.data, length), &life->incarnation) < 0 ||
        number_parse_u64(slice_skip(text, length + 1), &life->bits) < 0)
        return ERR_CORRUPT;
    return 0;
}

static int parse_group(struct slice text, char group[GROUP_NAME_MAX])
{
    if (text.length >= GROUP_NAME_MAX)
        return ERR_CORRUPT;
    if (slice_equal(text, SLICE_LITERAL("-")))
        return 0;
    memcpy(group, text.data, text.length);
    return 0;
}

int cw_node_state_decode(struct slice text, struct cw_node_state *ret_state)
{
    struct cw_node_state state = {0};
    struct slice rest = text;
    struct slice word;
    if (take_line(&rest, "respite-node", &word) < 0 || take_line(&rest, "node", &word) < 0 ||
        identity_parse(word, &state.life.node) < 0)
        return ERR_CORRUPT;
    if (take_line(&rest, "incarnation", &word) < 0 || parse_incarnation(word, &state.life) < 0)
        return ERR_CORRUPT;
    if (take_line(&rest, "fence", &word) < 0 || number_parse_u64(word, &state.fence) < 0)
        return ERR_CORRUPT;
    if (take_line(&rest, "group", &word) < 0 || parse_group(word, state.group) < 0)
        return ERR_CORRUPT;

    /* One value has one text: comparing with it checks the checksum, the spelling and the end at once. */
    struct buf canonical = {0};
    cw_node_state_encode(&state, &canonical);
    bool equal = slice_equal(text, buf_slice(&canonical));
    buf_free(&canonical);
    if (!equal || identity_is_nobody(&state.life.node) || state.life.incarnation == 0)
        return ERR_CORRUPT;
    *ret_state = state;
    return 0;
}
