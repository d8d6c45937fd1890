#include "cacheworker/aof/place.h"

#include "common/base/errors.h"
#include "common/base/number.h"

#include <inttypes.h>

static const struct slice offset_word = SLICE_LITERAL("#respite-offset:");
static const struct slice epoch_word = SLICE_LITERAL("#respite-epoch:");
static const struct slice aside_word = SLICE_LITERAL("#respite-aside:");

/* --- writing --- */

static void write_epoch(const struct history_entry *entry, struct buf *out)
{
    buf_add_format(out, "#respite-epoch:%" PRIu64 ":%" PRIu64 "\r\n", entry->epoch, entry->first_offset);
}

void cw_place_write(const struct history *history, const struct history *branch, struct buf *out)
{
    buf_add_format(out, "#respite-offset:%" PRIu64 "\r\n", history->last_offset);
    for (uint32_t i = 0; i < branch->count; i++)
        if (branch->entries[i].epoch > history_epoch(history))
            write_epoch(&branch->entries[i], out);
}

void cw_place_write_aside(size_t bytes, struct buf *out)
{
    buf_add_format(out, "#respite-aside:%zu\r\n", bytes);
}

void cw_place_write_epoch(const struct history *history, struct buf *out)
{
    write_epoch(&history->entries[history->count - 1], out);
}

/* --- reading --- */

static bool take_word(struct slice *line, struct slice word)
{
    if (line->length < word.length || memcmp(line->data, word.data, word.length) != 0)
        return false;
    *line = slice_skip(*line, word.length);
    return true;
}

static void forget_ahead(struct history *history)
{
    while (history->count > 0 && history->entries[history->count - 1].first_offset > history->last_offset)
        history->entries[--history->count] = (struct history_entry){0};
}

static int take_offset(struct history *history, struct slice number)
{
    if (number_parse_u64(number, &history->last_offset) < 0)
        return ERR_CORRUPT;
    forget_ahead(history);
    return 0;
}

/* As history_begin_epoch has it, for an offset that may be ahead. */
static int take_epoch(struct history *history, struct slice text)
{
    const char *colon = memchr(text.data, ':', text.length);
    struct history_entry entry;
    if (colon == NULL)
        return ERR_CORRUPT;
    struct slice epoch = slice_of(text.data, (size_t)(colon - text.data));
    if (number_parse_u64(epoch, &entry.epoch) < 0 || entry.epoch <= history_epoch(history) ||
        number_parse_u64(slice_skip(text, epoch.length + 1), &entry.first_offset) < 0)
        return ERR_CORRUPT;
    uint64_t least = history->count > 0 ? history->entries[history->count - 1].first_offset : 0;
    if (entry.first_offset < least || entry.first_offset < history->last_offset)
        return ERR_CORRUPT;
    uint64_t last_offset = history->last_offset;
    history->last_offset = entry.first_offset;
    history_begin_epoch(history, entry.epoch);
    history->last_offset = last_offset;
    return 0;
}

int cw_place_take(struct cw_place *place, struct slice line)
{
    while (line.length > 0 && (line.data[line.length - 1] == '\n' || line.data[line.length - 1] == '\r'))
        line.length--;
    if (take_word(&line, aside_word))
        return number_parse_u64(line, &place->aside) < 0 ? ERR_CORRUPT : 0;
    if (take_word(&line, offset_word)) {
        place->aside = 0;
        return take_offset(&place->history, line);
    }
    if (take_word(&line, epoch_word)) {
        place->aside = 0;
        return take_epoch(&place->history, line);
    }
    return 0;
}

void cw_place_advance(struct cw_place *place, uint64_t bytes)
{
    uint64_t aside = bytes < place->aside ? bytes : place->aside;
    place->aside -= aside;
    place->history.last_offset += place->history.count > 0 ? bytes - aside : 0;
}

struct history cw_place_history(const struct cw_place *place)
{
    struct history history = place->history;
    forget_ahead(&history);
    if (history.count == 0)
        history.last_offset = 0;
    return history;
}
