#include "common/ha/topology.h"

#include "common/base/errors.h"
#include "common/base/number.h"

#include <stdio.h>

/* Words: what a text consists of. */

/* Cuts the bytes before the first `separator` off the front of `rest`; all of them when there is none. */
static struct slice take_until(struct slice *rest, char separator)
{
    if (rest->length == 0)
        return *rest;
    const char *found = memchr(rest->data, separator, rest->length);
    struct slice word = found ? slice_of(rest->data, (size_t)(found - rest->data)) : *rest;
    *rest = slice_skip(*rest, found ? word.length + 1 : word.length);
    return word;
}

static int hexadecimal_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Exactly `count` bytes, two lower-case digits each. */
static int parse_hexadecimal(struct slice text, uint8_t *bytes, size_t count)
{
    if (text.length != 2 * count)
        return ERR_INVALID;
    for (size_t i = 0; i < count; i++) {
        int high = hexadecimal_value(text.data[2 * i]);
        int low = hexadecimal_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_INVALID;
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    return 0;
}

static int parse_u32(struct slice text, uint32_t *ret_number)
{
    uint64_t number;
    int error = number_parse_u64(text, &number);
    if (error < 0)
        return error;
    if (number > UINT32_MAX)
        return ERR_RANGE;
    *ret_number = (uint32_t)number;
    return 0;
}

/* Identities, lives, ballots. */

bool identity_equal(const struct identity *a, const struct identity *b)
{
    return identity_compare(a, b) == 0;
}

int identity_compare(const struct identity *a, const struct identity *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool identity_is_nobody(const struct identity *identity)
{
    static const struct identity nobody;
    return identity_equal(identity, &nobody);
}

void identity_format(const struct identity *identity, char text[IDENTITY_TEXT_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof(identity->bytes); i++) {
        text[2 * i] = digits[identity->bytes[i] >> 4];
        text[2 * i + 1] = digits[identity->bytes[i] & 15];
    }
    text[IDENTITY_TEXT_LENGTH] = '\0';
}

int identity_parse(struct slice text, struct identity *ret_identity)
{
    struct identity identity;
    int error = parse_hexadecimal(text, identity.bytes, sizeof(identity.bytes));
    if (error < 0)
        return error;
    *ret_identity = identity;
    return 0;
}

bool life_equal(const struct life *a, const struct life *b)
{
    return identity_equal(&a->node, &b->node) && a->incarnation == b->incarnation && a->bits == b->bits;
}

bool life_is_nobody(const struct life *life)
{
    return life->incarnation == 0 || identity_is_nobody(&life->node);
}

void life_format(const struct life *life, char text[LIFE_TEXT_MAX])
{
    char node[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&life->node, node);
    snprintf(text, LIFE_TEXT_MAX, "%s:%llu:%016llx", node, (unsigned long long)life->incarnation,
             (unsigned long long)life->bits);
}

int life_parse(struct slice text, struct life *ret_life)
{
    struct life life;
    struct slice node = take_until(&text, ':');
    struct slice incarnation = take_until(&text, ':');
    uint8_t bits[8];
    if (identity_parse(node, &life.node) < 0 || number_parse_u64(incarnation, &life.incarnation) < 0 ||
        parse_hexadecimal(text, bits, sizeof(bits)) < 0)
        return ERR_INVALID;
    life.bits = 0;
    for (size_t i = 0; i < sizeof(bits); i++)
        life.bits = life.bits << 8 | bits[i];
    *ret_life = life;
    return 0;
}

int ballot_compare(const struct ballot *a, const struct ballot *b)
{
    if (a->counter != b->counter)
        return a->counter < b->counter ? -1 : 1;
    int order = identity_compare(&a->sentinel, &b->sentinel);
    if (order != 0)
        return order;
    return a->run < b->run ? -1 : a->run > b->run;
}

void ballot_format(const struct ballot *ballot, char text[LIFE_TEXT_MAX])
{
    char sentinel[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&ballot->sentinel, sentinel);
    snprintf(text, LIFE_TEXT_MAX, "%llu:%s:%llu", (unsigned long long)ballot->counter, sentinel,
             (unsigned long long)ballot->run);
}

int ballot_parse(struct slice text, struct ballot *ret_ballot)
{
    struct ballot ballot;
    struct slice counter = take_until(&text, ':');
    struct slice sentinel = take_until(&text, ':');
    if (number_parse_u64(counter, &ballot.counter) < 0 || identity_parse(sentinel, &ballot.sentinel) < 0 ||
        number_parse_u64(text, &ballot.run) < 0)
        return ERR_INVALID;
    *ret_ballot = ballot;
    return 0;
}

/* Names. */

bool group_name_is_valid(struct slice name)
{
    if (name.length == 0 || name.length >= GROUP_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.data[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!letter && !(byte >= '0' && byte <= '9') && byte != '-' && byte != '_' && byte != '.')
            return false;
    }
    return true;
}

static const char *const durability_names[] = {
    [DURABILITY_ASYNC] = "async",
    [DURABILITY_SYNC] = "sync",
    [DURABILITY_SYNC_FSYNC] = "sync-fsync",
};

static const char *const member_kind_names[] = {
    [MEMBER_REPLICA] = "replica",
    [MEMBER_SPARE] = "spare",
};

/* The index of a name, or -1. */
static int find_name(const char *const *names, size_t count, struct slice text)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(text, slice_text(names[i])))
            return (int)i;
    return -1;
}

const char *durability_name(enum durability durability)
{
    CHECK((size_t)durability < ARRAY_LENGTH(durability_names));
    return durability_names[durability];
}

int durability_parse(struct slice text, enum durability *ret_durability)
{
    int found = find_name(durability_names, ARRAY_LENGTH(durability_names), text);
    if (found < 0)
        return ERR_INVALID;
    *ret_durability = (enum durability)found;
    return 0;
}

/* Histories. */

uint64_t history_epoch(const struct history *history)
{
    return history->count > 0 ? history->entries[history->count - 1].epoch : 0;
}

int history_compare(const struct history *a, const struct history *b)
{
    uint64_t epoch_a = history_epoch(a);
    uint64_t epoch_b = history_epoch(b);
    if (epoch_a != epoch_b)
        return epoch_a < epoch_b ? -1 : 1;
    if (epoch_a == 0)
        return 0;
    return a->last_offset < b->last_offset ? -1 : a->last_offset > b->last_offset;
}

bool history_is_prefix(const struct history *a, const struct history *b)
{
    if (a->count == 0)
        return true;
    if (b->count == 0)
        return false;

    /* Only a full history can have dropped entries; where it may have, the older ones of `a` are not judged. But at
     * least its last one must be: an epoch has one branch, so agreement there speaks for all before it. */
    uint32_t skipped = 0;
    if (b->count == HISTORY_ENTRIES_MAX)
        while (skipped < a->count && a->entries[skipped].epoch < b->entries[0].epoch)
            skipped++;
    uint32_t compared = a->count - skipped;
    if (compared == 0 || compared > b->count)
        return false;
    for (uint32_t i = 0; i < compared; i++) {
        const struct history_entry *ours = &a->entries[skipped + i];
        if (ours->epoch != b->entries[i].epoch || ours->first_offset != b->entries[i].first_offset)
            return false;
    }
    uint64_t end = compared < b->count ? b->entries[compared].first_offset : b->last_offset;
    return a->last_offset >= b->entries[compared - 1].first_offset && a->last_offset <= end;
}

/* An epoch has one branch: the last epoch that both have, with the same beginning, is theirs up to where one ends. */
uint64_t history_common_offset(const struct history *a, const struct history *b)
{
    for (uint32_t i = a->count; i > 0; i--) {
        for (uint32_t j = b->count; j > 0; j--) {
            if (a->entries[i - 1].epoch != b->entries[j - 1].epoch ||
                a->entries[i - 1].first_offset != b->entries[j - 1].first_offset)
                continue;
            uint64_t a_end = i < a->count ? a->entries[i].first_offset : a->last_offset;
            uint64_t b_end = j < b->count ? b->entries[j].first_offset : b->last_offset;
            return a_end < b_end ? a_end : b_end;
        }
    }
    return 0;
}

void history_begin_epoch(struct history *history, uint64_t epoch)
{
    CHECK(epoch > history_epoch(history));
    if (history->count == HISTORY_ENTRIES_MAX) {
        memmove(history->entries, history->entries + 1, (HISTORY_ENTRIES_MAX - 1) * sizeof(history->entries[0]));
        history->count--;
    }
    history->entries[history->count++] = (struct history_entry){.epoch = epoch, .first_offset = history->last_offset};
}

void history_format(const struct history *history, struct buf *out)
{
    for (uint32_t i = 0; i < history->count; i++) {
        if (i > 0)
            buf_add(out, ",", 1);
        buf_add_u64(out, history->entries[i].epoch);
        buf_add(out, ":", 1);
        buf_add_u64(out, history->entries[i].first_offset);
    }
    buf_add(out, "@", 1);
    buf_add_u64(out, history->count > 0 ? history->last_offset : 0);
}

/* "epoch:first,epoch:first" */
static int parse_entries(struct slice text, struct history *history)
{
    uint32_t count = 1;
    for (size_t i = 0; i < text.length; i++)
        count += text.data[i] == ',';
    if (count > HISTORY_ENTRIES_MAX)
        return ERR_INVALID;
    struct history_entry previous = {.epoch = 0};
    for (; history->count < count; history->count++) {
        struct slice word = take_until(&text, ',');
        struct slice epoch = take_until(&word, ':');
        struct history_entry entry;
        if (number_parse_u64(epoch, &entry.epoch) < 0 || number_parse_u64(word, &entry.first_offset) < 0)
            return ERR_INVALID;
        if (entry.epoch <= previous.epoch || entry.first_offset < previous.first_offset)
            return ERR_INVALID;
        history->entries[history->count] = previous = entry;
    }
    return 0;
}

int history_parse(struct slice text, struct history *ret_history)
{
    struct history history = {.count = 0};
    struct slice entries = take_until(&text, '@');
    if (entries.length > 0 && parse_entries(entries, &history) < 0)
        return ERR_INVALID;
    if (number_parse_u64(text, &history.last_offset) < 0)
        return ERR_INVALID;
    uint64_t least = history.count > 0 ? history.entries[history.count - 1].first_offset : 0;
    if (history.last_offset < least || (history.count == 0 && history.last_offset != 0))
        return ERR_INVALID;
    *ret_history = history;
    return 0;
}

/* Topologies. */

const struct member *topology_member(const struct topology *topology, const struct identity *node)
{
    for (uint32_t i = 0; i < topology->member_count; i++)
        if (identity_equal(&topology->members[i].node, node))
            return &topology->members[i];
    return NULL;
}

bool topology_in_sync(const struct topology *topology, const struct life *life)
{
    for (uint32_t i = 0; i < topology->in_sync_count; i++)
        if (life_equal(&topology->in_sync[i], life))
            return true;
    return false;
}

int sentinel_list_find(const struct sentinel_list *list, const struct identity *sentinel)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (identity_equal(&list->entries[i].sentinel, sentinel))
            return (int)i;
    return -1;
}

static bool list_majority(const struct sentinel_list *list, bool (*has)(void *context, const struct identity *sentinel),
                          void *context)
{
    uint32_t votes = 0;
    for (uint32_t i = 0; i < list->count; i++)
        votes += has(context, &list->entries[i].sentinel);
    return votes > list->count / 2;
}

bool topology_majority(const struct topology *topology, bool (*has)(void *context, const struct identity *sentinel),
                       void *context)
{
    if (!list_majority(&topology->sentinels, has, context))
        return false;
    return topology->previous_sentinels.count == 0 || list_majority(&topology->previous_sentinels, has, context);
}

/* The text of a topology: one pair of functions per field. Decoding sets what a line says; that the lines are those,
 * and in that form, which encoding writes, is checked by encoding the result again. */

static void add_word(struct buf *out, const char *text)
{
    buf_add(out, " ", 1);
    buf_add_text(out, text);
}

static void add_number(struct buf *out, uint64_t number)
{
    buf_add(out, " ", 1);
    buf_add_u64(out, number);
}

static void add_identity(struct buf *out, const struct identity *identity)
{
    char text[IDENTITY_TEXT_LENGTH + 1];
    identity_format(identity, text);
    add_word(out, text);
}

static void add_life(struct buf *out, const struct life *life)
{
    char text[LIFE_TEXT_MAX];
    life_format(life, text);
    add_word(out, text);
}

static void add_history(struct buf *out, const struct history *history)
{
    buf_add(out, " ", 1);
    history_format(history, out);
}

/* "-" where there is none. */
static void add_address(struct buf *out, const struct address *address)
{
    add_word(out, address->host[0] != '\0' ? address->host : "-");
    if (address->host[0] != '\0' && address->host[0] != '/') {
        buf_add(out, ":", 1);
        buf_add_u64(out, address->port);
    }
}

static struct slice take_word(struct slice *words)
{
    return take_until(words, ' ');
}

static int take_address(struct slice *words, struct address *ret_address)
{
    struct slice word = take_word(words);
    if (slice_equal(word, SLICE_LITERAL("-"))) {
        *ret_address = (struct address){.port = 0};
        return 0;
    }
    return address_parse(word, ret_address);
}

static void encode_group(const struct topology *topology, struct buf *out)
{
    if (topology->group[0] != '\0')
        buf_add_format(out, "group %s\n", topology->group);
}

static int decode_group(struct slice words, struct topology *topology)
{
    if (!group_name_is_valid(words))
        return ERR_INVALID;
    memcpy(topology->group, words.data, words.length);
    return 0;
}

static void encode_version(const struct topology *topology, struct buf *out)
{
    buf_add_text(out, "version");
    add_number(out, topology->version);
    buf_add(out, "\n", 1);
}

static int decode_version(struct slice words, struct topology *topology)
{
    return number_parse_u64(words, &topology->version);
}

static void encode_epoch(const struct topology *topology, struct buf *out)
{
    buf_add_text(out, "epoch");
    add_number(out, topology->epoch);
    buf_add(out, "\n", 1);
}

static int decode_epoch(struct slice words, struct topology *topology)
{
    return number_parse_u64(words, &topology->epoch);
}

static void encode_master(const struct topology *topology, struct buf *out)
{
    buf_add_text(out, "master");
    add_life(out, &topology->master);
    buf_add(out, "\n", 1);
}

static int decode_master(struct slice words, struct topology *topology)
{
    return life_parse(words, &topology->master);
}

static void encode_branch(const struct topology *topology, struct buf *out)
{
    buf_add_text(out, "branch");
    add_history(out, &topology->branch);
    buf_add(out, "\n", 1);
}

static int decode_branch(struct slice words, struct topology *topology)
{
    return history_parse(words, &topology->branch);
}

static void encode_in_sync(const struct topology *topology, struct buf *out)
{
    CHECK(topology->in_sync_count <= TOPOLOGY_MEMBERS_MAX);
    for (uint32_t i = 0; i < topology->in_sync_count; i++) {
        buf_add_text(out, "in-sync");
        add_life(out, &topology->in_sync[i]);
        buf_add(out, "\n", 1);
    }
}

static int decode_in_sync(struct slice words, struct topology *topology)
{
    struct life life;
    if (topology->in_sync_count == TOPOLOGY_MEMBERS_MAX || life_parse(words, &life) < 0)
        return ERR_INVALID;
    for (uint32_t i = 0; i < topology->in_sync_count; i++)
        if (identity_equal(&topology->in_sync[i].node, &life.node))
            return ERR_EXISTS;
    topology->in_sync[topology->in_sync_count++] = life;
    return 0;
}

static void encode_members(const struct topology *topology, struct buf *out)
{
    CHECK(topology->member_count <= TOPOLOGY_MEMBERS_MAX);
    for (uint32_t i = 0; i < topology->member_count; i++) {
        const struct member *member = &topology->members[i];
        CHECK((size_t)member->kind < ARRAY_LENGTH(member_kind_names));
        buf_add_text(out, "member");
        add_identity(out, &member->node);
        add_word(out, member_kind_names[member->kind]);
        add_number(out, member->priority);
        add_address(out, &member->data);
        add_address(out, &member->control);
        buf_add(out, "\n", 1);
    }
}

static int decode_member(struct slice words, struct topology *topology)
{
    struct member member;
    if (topology->member_count == TOPOLOGY_MEMBERS_MAX || identity_parse(take_word(&words), &member.node) < 0)
        return ERR_INVALID;
    int kind = find_name(member_kind_names, ARRAY_LENGTH(member_kind_names), take_word(&words));
    if (kind < 0 || parse_u32(take_word(&words), &member.priority) < 0)
        return ERR_INVALID;
    member.kind = (enum member_kind)kind;
    if (take_address(&words, &member.data) < 0 || take_address(&words, &member.control) < 0)
        return ERR_INVALID;
    if (topology_member(topology, &member.node) != NULL)
        return ERR_EXISTS;
    topology->members[topology->member_count++] = member;
    return 0;
}

static void encode_wanted(const struct topology *topology, struct buf *out)
{
    if (topology->wanted_replicas == 0)
        return;
    buf_add_text(out, "wanted-replicas");
    add_number(out, topology->wanted_replicas);
    buf_add(out, "\n", 1);
}

static int decode_wanted(struct slice words, struct topology *topology)
{
    return parse_u32(words, &topology->wanted_replicas);
}

static void encode_durability(const struct topology *topology, struct buf *out)
{
    buf_add_text(out, "durability");
    add_word(out, durability_name(topology->durability));
    add_number(out, topology->acknowledgements);
    buf_add(out, "\n", 1);
}

static int decode_durability(struct slice words, struct topology *topology)
{
    int error = durability_parse(take_word(&words), &topology->durability);
    return error < 0 ? error : parse_u32(words, &topology->acknowledgements);
}

static void encode_list(const struct sentinel_list *list, const char *key, struct buf *out)
{
    CHECK(list->count <= TOPOLOGY_SENTINELS_MAX);
    for (uint32_t i = 0; i < list->count; i++) {
        buf_add_text(out, key);
        add_identity(out, &list->entries[i].sentinel);
        add_address(out, &list->entries[i].address);
        buf_add(out, "\n", 1);
    }
}

static int decode_list_entry(struct slice words, struct sentinel_list *list)
{
    struct sentinel_entry entry;
    if (list->count == TOPOLOGY_SENTINELS_MAX || identity_parse(take_word(&words), &entry.sentinel) < 0 ||
        take_address(&words, &entry.address) < 0)
        return ERR_INVALID;
    if (sentinel_list_find(list, &entry.sentinel) >= 0)
        return ERR_EXISTS;
    list->entries[list->count++] = entry;
    return 0;
}

static void encode_sentinels(const struct topology *topology, struct buf *out)
{
    encode_list(&topology->sentinels, "sentinel", out);
}

static int decode_sentinel(struct slice words, struct topology *topology)
{
    return decode_list_entry(words, &topology->sentinels);
}

static void encode_previous_sentinels(const struct topology *topology, struct buf *out)
{
    encode_list(&topology->previous_sentinels, "previous-sentinel", out);
}

static int decode_previous_sentinel(struct slice words, struct topology *topology)
{
    return decode_list_entry(words, &topology->previous_sentinels);
}

static void encode_release(const struct topology *topology, struct buf *out)
{
    const struct release *release = &topology->release;
    if (release->epoch == 0)
        return;
    buf_add_text(out, "release");
    add_number(out, release->epoch);
    add_life(out, &release->life);
    add_number(out, release->acknowledged_offset);
    add_history(out, &release->history);
    buf_add(out, "\n", 1);
}

static int decode_release(struct slice words, struct topology *topology)
{
    struct release *release = &topology->release;
    if (number_parse_u64(take_word(&words), &release->epoch) < 0 || life_parse(take_word(&words), &release->life) < 0 ||
        number_parse_u64(take_word(&words), &release->acknowledged_offset) < 0)
        return ERR_INVALID;
    return history_parse(words, &release->history);
}

/* Free text: whatever could end the line, or is no sight for an operator, is written as \xHH. */
static void encode_text(const char *key, const char *text, struct buf *out)
{
    if (text[0] == '\0')
        return;
    buf_add_format(out, "%s ", key);
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 127 || *at == '\\')
            buf_add_format(out, "\\x%02x", (unsigned)(unsigned char)*at);
        else
            buf_add(out, at, 1);
    }
    buf_add(out, "\n", 1);
}

static int decode_text(struct slice words, char text[TOPOLOGY_TEXT_MAX])
{
    size_t length = 0;
    for (size_t i = 0; i < words.length; i++) {
        uint8_t byte = (uint8_t)words.data[i];
        if (byte == '\\') {
            if (words.length - i < 4 || words.data[i + 1] != 'x' ||
                parse_hexadecimal(slice_of(words.data + i + 2, 2), &byte, 1) < 0)
                return ERR_INVALID;
            i += 3;
        }
        if (byte == '\0' || length == TOPOLOGY_TEXT_MAX - 1)
            return ERR_INVALID;
        text[length++] = (char)byte;
    }
    text[length] = '\0';
    return 0;
}

static void encode_author(const struct topology *topology, struct buf *out)
{
    encode_text("author", topology->author, out);
}

static int decode_author(struct slice words, struct topology *topology)
{
    return decode_text(words, topology->author);
}

static void encode_reason(const struct topology *topology, struct buf *out)
{
    encode_text("reason", topology->reason, out);
}

static int decode_reason(struct slice words, struct topology *topology)
{
    return decode_text(words, topology->reason);
}

static const struct {
    const char *key;
    void (*encode)(const struct topology *topology, struct buf *out); /* no line, one or several */
    int (*decode)(struct slice words, struct topology *topology);     /* one line, without its key */
} fields[] = {
    {"group", encode_group, decode_group},
    {"version", encode_version, decode_version},
    {"epoch", encode_epoch, decode_epoch},
    {"master", encode_master, decode_master},
    {"branch", encode_branch, decode_branch},
    {"in-sync", encode_in_sync, decode_in_sync},
    {"member", encode_members, decode_member},
    {"wanted-replicas", encode_wanted, decode_wanted},
    {"durability", encode_durability, decode_durability},
    {"sentinel", encode_sentinels, decode_sentinel},
    {"previous-sentinel", encode_previous_sentinels, decode_previous_sentinel},
    {"release", encode_release, decode_release},
    {"author", encode_author, decode_author},
    {"reason", encode_reason, decode_reason},
};

void topology_encode(const struct topology *topology, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        fields[i].encode(topology, out);
}

static int decode_line(struct slice line, struct topology *topology)
{
    struct slice key = take_word(&line);
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (slice_equal(key, slice_text(fields[i].key)))
            return fields[i].decode(line, topology);
    return ERR_NOT_FOUND;
}

int topology_decode(struct slice text, struct topology *ret_topology)
{
    struct topology topology = {.version = 0};
    struct slice rest = text;
    while (rest.length > 0)
        if (decode_line(take_until(&rest, '\n'), &topology) < 0)
            return ERR_CORRUPT;

    struct buf again = {0};
    topology_encode(&topology, &again);
    bool canonical = slice_equal(text, buf_slice(&again));
    buf_free(&again);
    if (!canonical)
        return ERR_CORRUPT;
    *ret_topology = topology;
    return 0;
}
