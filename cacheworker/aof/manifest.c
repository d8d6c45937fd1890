#include "cacheworker/aof/manifest.h"

#include "common/base/errors.h"
#include "common/base/number.h"
#include "common/conf/redis_conf.h"

#include <inttypes.h>
#include <stdio.h>

static const char too_many[] = "there are too many increments";

/* --- reading --- */

struct line {
    struct cw_manifest_file file;
    char type;
};

/* Nothing that leads elsewhere, and nothing that would have to be escaped when it is written. */
static bool is_plain_name(struct slice name)
{
    if (name.length == 0 || name.length >= CW_MANIFEST_NAME_MAX || name.data[0] == '.')
        return false;
    for (size_t i = 0; i < name.length; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        if (byte < ' ' || byte >= 0x7f || byte == '/' || byte == '"' || byte == '\'' || byte == '\\')
            return false;
    }
    return true;
}

/* What else is said of a file, by a later version, is passed over. NULL, or what is wrong. */
static const char *take_pair(struct line *line, struct slice name, struct slice value)
{
    if (slice_equal_nocase(name, "file")) {
        if (!is_plain_name(value))
            return "the file is no plain name";
        memcpy(line->file.name, value.data, value.length);
        line->file.name[value.length] = '\0';
    } else if (slice_equal_nocase(name, "seq")) {
        if (number_parse_u64(value, &line->file.number) < 0)
            return "seq is no number";
    } else if (slice_equal_nocase(name, "type")) {
        if (value.length != 1)
            return "the type is none of b, i and h";
        line->type = value.data[0];
    }
    return NULL;
}

static const char *take_base(struct cw_manifest *manifest, const struct cw_manifest_file *file)
{
    if (manifest->has_base)
        return "there is a base already";
    manifest->has_base = true;
    manifest->base = *file;
    return NULL;
}

static const char *take_increment(struct cw_manifest *manifest, const struct cw_manifest_file *file)
{
    const struct cw_manifest_file *newest = cw_manifest_newest(manifest);
    if (newest != NULL && file->number <= newest->number)
        return "its seq is not above the one before";
    if (manifest->count == CW_MANIFEST_INCREMENTS_MAX)
        return too_many;
    manifest->increments[manifest->count++] = *file;
    return NULL;
}

static void take_history(struct cw_manifest *manifest, const struct cw_manifest_file *file)
{
    if (manifest->history_count < CW_MANIFEST_HISTORY_MAX)
        manifest->history[manifest->history_count++] = *file;
}

static const char *take_words(struct cw_manifest *manifest, const struct slice *words, size_t count)
{
    struct line line = {.type = '\0'};
    if (count < 6 || count % 2 != 0)
        return "it is not made of the pairs file, seq and type";
    for (size_t i = 0; i < count; i += 2) {
        const char *wrong = take_pair(&line, words[i], words[i + 1]);
        if (wrong != NULL)
            return wrong;
    }
    if (line.file.name[0] == '\0' || line.file.number == 0)
        return "it names no file, or no seq above 0";
    switch (line.type) {
    case 'b': return take_base(manifest, &line.file);
    case 'i': return take_increment(manifest, &line.file);
    case 'h': take_history(manifest, &line.file); return NULL;
    default: return "the type is none of b, i and h";
    }
}

static const char *take_line(struct cw_manifest *manifest, struct redis_conf *reader, int more)
{
    if (more < 0)
        return "its words cannot be told apart";
    if (reader->line.length > CW_MANIFEST_LINE_MAX)
        return "it is too long";
    return take_words(manifest, reader->parser.argv, reader->parser.argc);
}

/* The number of the first one; 0: there is none. */
static size_t find_blank_line(struct slice text)
{
    for (size_t number = 1; text.length > 0; number++) {
        const char *end = memchr(text.data, '\n', text.length);
        size_t length = end != NULL ? (size_t)(end - text.data) : text.length;
        struct slice line = slice_of(text.data, length);
        if (slice_take_word(&line).length == 0)
            return number;
        text = slice_skip(text, end != NULL ? length + 1 : length);
    }
    return 0;
}

static struct cw_manifest_fault find_fault(struct slice text, struct cw_manifest *manifest)
{
    struct redis_conf reader = {.rest = text};
    struct cw_manifest_fault fault = {.line = find_blank_line(text), .words = "it is blank"};
    if (fault.line > 0)
        return fault;
    fault.words = NULL;
    for (int more = redis_conf_next(&reader); more != 0 && fault.words == NULL; more = redis_conf_next(&reader)) {
        fault.words = take_line(manifest, &reader, more);
        fault.line = reader.number;
    }
    redis_conf_free(&reader);
    if (fault.words == NULL && !manifest->has_base && manifest->count == 0)
        return (struct cw_manifest_fault){.words = "no file is named"};
    return fault;
}

int cw_manifest_parse(struct slice text, struct cw_manifest *ret_manifest, struct cw_manifest_fault *ret_fault)
{
    struct cw_manifest manifest = {.has_base = false};
    *ret_fault = find_fault(text, &manifest);
    if (ret_fault->words != NULL)
        return ret_fault->words == too_many ? ERR_TOO_BIG : ERR_CORRUPT;
    *ret_manifest = manifest;
    return 0;
}

/* --- history --- */

bool cw_manifest_needs(const struct cw_manifest *manifest, const char *name)
{
    if (manifest->has_base && strcmp(manifest->base.name, name) == 0)
        return true;
    for (size_t i = 0; i < manifest->count; i++) {
        if (strcmp(manifest->increments[i].name, name) == 0)
            return true;
    }
    return false;
}

void cw_manifest_take_history(struct cw_manifest *manifest, const struct cw_manifest *older)
{
    manifest->history_count = 0;
    if (older->has_base && !cw_manifest_needs(manifest, older->base.name))
        take_history(manifest, &older->base);
    for (size_t i = 0; i < older->count; i++) {
        if (!cw_manifest_needs(manifest, older->increments[i].name))
            take_history(manifest, &older->increments[i]);
    }
    for (size_t i = 0; i < older->history_count; i++) {
        if (!cw_manifest_needs(manifest, older->history[i].name))
            take_history(manifest, &older->history[i]);
    }
}

/* --- writing --- */

static void write_file(const struct cw_manifest_file *file, char type, struct buf *out)
{
    const char *quote = strchr(file->name, ' ') != NULL ? "\"" : "";
    buf_add_format(out, "file %s%s%s seq %" PRIu64 " type %c\n", quote, file->name, quote, file->number, type);
}

void cw_manifest_write(const struct cw_manifest *manifest, struct buf *out)
{
    if (manifest->has_base)
        write_file(&manifest->base, 'b', out);
    for (size_t i = 0; i < manifest->history_count; i++)
        write_file(&manifest->history[i], 'h', out);
    for (size_t i = 0; i < manifest->count; i++)
        write_file(&manifest->increments[i], 'i', out);
}

static struct cw_manifest_file name_file(const char *name, uint64_t number, const char *suffix)
{
    struct cw_manifest_file file = {.number = number};
    snprintf(file.name, sizeof(file.name), "%s.%" PRIu64 ".%s", name, number, suffix);
    return file;
}

void cw_manifest_set_base(struct cw_manifest *manifest, const char *name, uint64_t number, bool is_of_commands)
{
    manifest->has_base = true;
    manifest->base = name_file(name, number, is_of_commands ? "base.aof" : "base.rdb");
}

int cw_manifest_add_increment(struct cw_manifest *manifest, const char *name, uint64_t number)
{
    struct cw_manifest_file file = name_file(name, number, "incr.aof");
    return take_increment(manifest, &file) == NULL ? 0 : ERR_TOO_BIG;
}

const struct cw_manifest_file *cw_manifest_newest(const struct cw_manifest *manifest)
{
    return manifest->count > 0 ? &manifest->increments[manifest->count - 1] : NULL;
}
