#include "common/base/door.h"

#include "common/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void effects_clear(struct effects *effects)
{
    effects->count = 0;
    buf_clear(&effects->text);
}

void effects_free(struct effects *effects)
{
    mem_free(effects->items);
    buf_free(&effects->text);
    *effects = (struct effects){0};
}

struct slice effects_text(const struct effects *effects, const struct effect *effect)
{
    struct slice all = buf_slice(&effects->text);
    CHECK(effect->text_offset + effect->text_length <= all.length);
    return effect->text_length > 0 ? slice_of(all.data + effect->text_offset, effect->text_length) : slice_of(NULL, 0);
}

static const char *name_at(const struct effects *effects, size_t offset)
{
    return offset == NO_NAME ? NULL : buf_slice(&effects->text).data + offset;
}

const char *effects_name(const struct effects *effects, const struct effect *effect)
{
    return name_at(effects, effect->name_offset);
}

const char *effects_new_name(const struct effects *effects, const struct effect *effect)
{
    return name_at(effects, effect->new_name_offset);
}

static struct effect *append(struct effects *effects, enum effect_kind kind, link_id link)
{
    if (effects->count == effects->capacity) {
        effects->capacity = effects->capacity ? 2 * effects->capacity : 64;
        effects->items = mem_resize(effects->items, effects->capacity * sizeof(struct effect));
    }
    struct effect *effect = &effects->items[effects->count++];
    effect->kind = kind;
    effect->link = link;
    effect->level = 0;
    effect->token = 0;
    effect->name_offset = effect->new_name_offset = NO_NAME;
    effect->text_offset = effect->text_length = 0;
    return effect;
}

void effect_listen(struct effects *effects)
{
    append(effects, EFFECT_LISTEN, LINK_NONE);
}

void effect_connect(struct effects *effects, link_id link, const struct address *address)
{
    append(effects, EFFECT_CONNECT, link)->address = *address;
}

void effect_flush(struct effects *effects, link_id link)
{
    append(effects, EFFECT_FLUSH, link);
}

void effect_close(struct effects *effects, link_id link)
{
    append(effects, EFFECT_CLOSE, link);
}

void effect_drain(struct effects *effects, link_id link)
{
    append(effects, EFFECT_DRAIN, link);
}

void effect_pause(struct effects *effects, link_id link)
{
    append(effects, EFFECT_PAUSE, link);
}

void effect_resume(struct effects *effects, link_id link)
{
    append(effects, EFFECT_RESUME, link);
}

/* Returns where it stands. */
static size_t add_name(struct effects *effects, const char *name)
{
    if (name == NULL)
        return NO_NAME;
    size_t offset = buf_length(&effects->text);
    buf_add(&effects->text, name, strlen(name) + 1);
    return offset;
}

void effect_persist(struct effects *effects, const char *name, uint64_t token, struct slice bytes)
{
    struct effect *effect = append(effects, EFFECT_PERSIST, LINK_NONE);
    effect->name_offset = add_name(effects, name);
    effect->token = token;
    effect->text_offset = buf_length(&effects->text);
    effect->text_length = bytes.length;
    buf_add_slice(&effects->text, bytes);
}

void effect_file(struct effects *effects, const struct file_effect *file, const char *name, uint64_t token,
                 struct slice bytes)
{
    CHECK(file->file < FILES_MAX);
    struct effect *effect = append(effects, EFFECT_FILE, LINK_NONE);
    effect->file = *file;
    effect->file.new_name = NULL;
    effect->new_name_offset = add_name(effects, file->new_name);
    effect->name_offset = add_name(effects, name);
    effect->token = token;
    effect->text_offset = buf_length(&effects->text);
    effect->text_length = bytes.length;
    buf_add_slice(&effects->text, bytes);
}

void effect_wake(struct effects *effects)
{
    append(effects, EFFECT_WAKE, LINK_NONE);
}

void effect_exit(struct effects *effects, int status)
{
    append(effects, EFFECT_EXIT, LINK_NONE)->level = status;
}

void effect_log_level(struct effects *effects, enum log_level level)
{
    append(effects, EFFECT_LOG_LEVEL, LINK_NONE)->level = (int)level;
}

void effect_log(struct effects *effects, enum log_level level, const char *format, ...)
{
    struct effect *effect = append(effects, EFFECT_LOG, LINK_NONE);
    effect->level = (int)level;
    effect->text_offset = buf_length(&effects->text);

    va_list arguments;
    va_start(arguments, format);
    int needed = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(needed >= 0);
    char *place = buf_reserve(&effects->text, (size_t)needed + 1);
    va_start(arguments, format);
    vsnprintf(place, (size_t)needed + 1, format, arguments);
    va_end(arguments);
    buf_commit(&effects->text, (size_t)needed);
    effect->text_length = (size_t)needed;
}
