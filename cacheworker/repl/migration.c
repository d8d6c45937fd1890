#include "cacheworker/repl/migration.h"

#include "common/base/door.h"
#include "common/base/errors.h"
#include "common/base/number.h"

#include <stdio.h>

static const struct slice on_word = SLICE_LITERAL("on ");
static const struct slice off_word = SLICE_LITERAL("off");

void cw_migration_free(struct cw_migration *migration)
{
    buf_free(&migration->password);
}

/* --- the source and its record --- */

/* A word that a record can hold: no blank, nothing invisible. */
static bool take_word(struct slice word, char *text, size_t capacity)
{
    if (word.length >= capacity)
        return false;
    for (size_t i = 0; i < word.length; i++)
        if ((unsigned char)word.data[i] <= ' ' || word.data[i] == 127)
            return false;
    memcpy(text, word.data, word.length);
    text[word.length] = '\0';
    return true;
}

int cw_migration_source_parse(struct slice host, struct slice port, struct slice user,
                              struct cw_migration_source *ret_source)
{
    struct cw_migration_source source = {0};
    uint64_t number;
    bool is_path = host.length > 0 && host.data[0] == '/';
    if (host.length == 0 || number_parse_u64(port, &number) < 0 || number > UINT16_MAX || (number == 0) != is_path ||
        !take_word(host, source.address.host, sizeof(source.address.host)) ||
        !take_word(user, source.user, sizeof(source.user)))
        return ERR_INVALID;
    source.address.port = (uint16_t)number;
    *ret_source = source;
    return 0;
}

bool cw_migration_source_equal(const struct cw_migration_source *a, const struct cw_migration_source *b)
{
    return address_equal(&a->address, &b->address) && strcmp(a->user, b->user) == 0;
}

void cw_migration_record_write(const struct cw_migration_source *source, struct buf *out)
{
    if (source->address.host[0] == '\0')
        buf_add_slice(out, off_word);
    else
        buf_add_format(out, "on %s %u%s%s", source->address.host, source->address.port,
                       source->user[0] != '\0' ? " " : "", source->user);
}

static struct slice next_word(struct slice *rest)
{
    size_t length = 0;
    while (length < rest->length && rest->data[length] != ' ')
        length++;
    struct slice word = slice_of(rest->data, length);
    *rest = slice_skip(*rest, length < rest->length ? length + 1 : length);
    return word;
}

int cw_migration_record_read(struct slice record, struct cw_migration_source *ret_source)
{
    if (slice_equal(record, off_word)) {
        *ret_source = (struct cw_migration_source){0};
        return 0;
    }
    if (record.length < on_word.length || memcmp(record.data, on_word.data, on_word.length) != 0)
        return ERR_CORRUPT;
    struct slice rest = slice_skip(record, on_word.length);
    struct slice host = next_word(&rest), port = next_word(&rest), user = next_word(&rest);
    return rest.length > 0 || cw_migration_source_parse(host, port, user, ret_source) < 0 ? ERR_CORRUPT : 0;
}

bool cw_migration_knows_password(const struct cw_migration *migration)
{
    return cw_migration_is_on(migration) && cw_migration_source_equal(&migration->source, &migration->known);
}

/* --- how far it is --- */

void cw_migration_note_progress(struct cw_migration *migration, int64_t now_ns)
{
    if (migration->has_end && migration->has_position && migration->offset >= migration->end)
        migration->caught_up_ns = now_ns;
}

void cw_migration_note_end(struct cw_migration *migration, uint64_t end, int64_t asked_ns, int64_t now_ns)
{
    migration->has_end = true;
    migration->end = end;
    migration->end_asked_ns = asked_ns;
    cw_migration_note_progress(migration, now_ns);
}

int64_t cw_migration_lag_bytes(const struct cw_migration *migration)
{
    if (!migration->has_end || !migration->has_position)
        return -1;
    return migration->end > migration->offset ? (int64_t)(migration->end - migration->offset) : 0;
}

int64_t cw_migration_lag_s(const struct cw_migration *migration, int64_t now_ns)
{
    int64_t bytes = cw_migration_lag_bytes(migration);
    if (bytes < 0 || (bytes > 0 && migration->caught_up_ns == 0))
        return -1;
    return bytes == 0 ? 0 : (now_ns - migration->caught_up_ns) / NS_PER_S;
}

/* --- orders --- */

void cw_migration_order_cut_over(struct cw_migration *migration, int64_t now_ns, int64_t bound_ns, bool is_forced)
{
    migration->order = CW_MIGRATION_CUT_OVER;
    migration->is_forced = is_forced;
    migration->ordered_ns = now_ns;
    migration->bound_ns = bound_ns;
    migration->deadline_ns = now_ns + bound_ns;
    migration->outcome[0] = '\0';
}

/* What the cut-over still waits for, or NULL. What the source said before the order is not enough: it may have taken
 * writes in between. */
static const char *missing(const struct cw_migration *migration, const struct cw_migration_facts *facts)
{
    if (!facts->is_streaming || !migration->has_position)
        return "the link to the source is not live";
    if (migration->is_forced)
        return NULL;
    if (!migration->has_end || migration->end_asked_ns < migration->ordered_ns)
        return "the source has not said where its stream ends (may the user say INFO?)";
    if (migration->offset < migration->end)
        return "the data are still behind the source";
    return facts->lacks_replica ? "no replica of the group is in sync" : NULL;
}

static enum cw_migration_step next_of_cut_over(struct cw_migration *migration, const struct cw_migration_facts *facts)
{
    const char *reason = missing(migration, facts);
    if (reason == NULL)
        return CW_MIGRATION_TURN_OFF;
    if (facts->now_ns < migration->deadline_ns)
        return CW_MIGRATION_WAIT;
    migration->order = CW_MIGRATION_FOLLOW;
    snprintf(migration->outcome, sizeof(migration->outcome), "the cut-over was given up after %lld ms: %s",
             (long long)((facts->now_ns - migration->ordered_ns) / NS_PER_MS), reason);
    return CW_MIGRATION_GIVE_UP;
}

static enum cw_migration_step next_of_close(const struct cw_migration *migration,
                                            const struct cw_migration_facts *facts)
{
    if (migration->is_forced)
        return CW_MIGRATION_FINISH;
    if (facts->held_offset < migration->close_offset)
        return CW_MIGRATION_WAIT;
    return facts->is_held_by_all || facts->now_ns >= migration->deadline_ns ? CW_MIGRATION_FINISH : CW_MIGRATION_WAIT;
}

enum cw_migration_step cw_migration_next(struct cw_migration *migration, const struct cw_migration_facts *facts)
{
    switch (migration->order) {
    case CW_MIGRATION_FOLLOW: return CW_MIGRATION_WAIT;
    case CW_MIGRATION_CUT_OVER: return next_of_cut_over(migration, facts);
    case CW_MIGRATION_CLOSE: return next_of_close(migration, facts);
    }
    return CW_MIGRATION_WAIT;
}

void cw_migration_close(struct cw_migration *migration, uint64_t offset, int64_t now_ns)
{
    migration->order = CW_MIGRATION_CLOSE;
    migration->close_offset = offset;
    migration->deadline_ns = now_ns + migration->bound_ns;
}
