/* Configuration files: what is accepted lies within the bounds of its table, and written out plainly it is read as the
 * same settings; what is refused is explained in a sentence that begins with the file's name and tells the line. The
 * file is in memory; of files that it names only their first bytes could ever be read. */
#include "common/base/mem.h"
#include "common/shell/conf_libconfig.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* libconfig 1.5 keeps the text that stands where its grammar ends; the daemon that read it exits with the reason. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

struct settings {
    int64_t integer;
    int64_t any_integer;
    int64_t bytes;
    int64_t time_ms;
    bool flag;
    char *text;
    int choice;
    struct address address;
    struct conf_addresses list;
};

#define FIELD(member) .offset = offsetof(struct settings, member)

static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct conf_option options[] = {
    {.name = "integer", .kind = CONF_INTEGER, FIELD(integer), .minimum = -5, .maximum = 65535},
    {.name = "any-integer", .kind = CONF_INTEGER, FIELD(any_integer), .minimum = INT64_MIN, .maximum = INT64_MAX},
    {.name = "bytes", .kind = CONF_BYTES, FIELD(bytes), .maximum = INT64_MAX},
    {.name = "time_ms", .kind = CONF_MILLISECONDS, FIELD(time_ms), .minimum = 1, .maximum = 86400000, .initial = "9"},
    {.name = "flag", .kind = CONF_BOOLEAN, FIELD(flag)},
    {.name = "text", .kind = CONF_TEXT, FIELD(text), .maximum = 40},
    {.name = "choice", .kind = CONF_CHOICE, FIELD(choice), .choices = colours, .initial = "red"},
    {.name = "address", .kind = CONF_ADDRESS, FIELD(address)},
    {.name = "list", .kind = CONF_ADDRESS_LIST, FIELD(list), .minimum = 1, .maximum = 3},
};
static const struct conf_schema schema = {options, ARRAY_LENGTH(options)};

static int read_settings(struct slice file, struct settings *settings, struct buf *why)
{
    char path[64];
    int fd = memfd_create("x.conf", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, file.data, file.length) == (ssize_t)file.length);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *settings = (struct settings){.integer = 0};
    conf_defaults(&schema, settings);
    int error = conf_read_file(&schema, path, settings, why);
    CHECK((error < 0) == (buf_length(why) > 0));
    if (error < 0)
        CHECK(buf_length(why) > strlen(path) + 2 && memcmp(buf_slice(why).data, path, strlen(path)) == 0 &&
              buf_slice(why).data[strlen(path)] == ':');
    close(fd);
    return error;
}

static void write_quoted(struct buf *out, const char *text)
{
    buf_add_text(out, "\"");
    for (const char *c = text; *c != '\0'; c++)
        buf_add_format(out, "\\x%02x", (unsigned char)*c);
    buf_add_text(out, "\"");
}

static void write_address(struct buf *out, const struct address *address)
{
    char text[ADDRESS_HOST_MAX + 8];
    if (address->port == 0)
        snprintf(text, sizeof(text), "%s", address->host);
    else
        snprintf(text, sizeof(text), "%s:%u", address->host, address->port);
    write_quoted(out, text);
}

static void write_settings(const struct settings *settings, struct buf *out)
{
    buf_add_format(out, "integer = %lld;\nany-integer = \"%lld\";\nbytes = \"%lld\";\ntime_ms = %lld;\nflag = %s;\n",
                   (long long)settings->integer, (long long)settings->any_integer, (long long)settings->bytes,
                   (long long)settings->time_ms, settings->flag ? "true" : "false");
    buf_add_text(out, "text = ");
    write_quoted(out, settings->text);
    buf_add_format(out, ";\nchoice = \"%s\";\n", colours[settings->choice]);
    if (settings->address.host[0] != '\0') {
        buf_add_text(out, "address = ");
        write_address(out, &settings->address);
        buf_add_text(out, ";\n");
    }
    for (size_t i = 0; i < settings->list.count; i++) {
        buf_add_text(out, i == 0 ? "list = [" : ", ");
        write_address(out, &settings->list.items[i]);
    }
    if (settings->list.count > 0)
        buf_add_text(out, "];\n");
}

static void must_be_bounded(const struct settings *settings)
{
    CHECK(settings->integer >= -5 && settings->integer <= 65535);
    CHECK(settings->bytes >= 0);
    CHECK(settings->time_ms >= 1 && settings->time_ms <= 86400000);
    CHECK(strlen(settings->text) <= 40);
    CHECK(settings->choice >= 0 && settings->choice < 3);
    CHECK(settings->list.count <= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings;
    struct settings again;
    struct buf why = {0};
    struct buf plain = {0};
    struct buf plain_again = {0};
    if (read_settings(slice_of(data, size), &settings, &why) == 0) {
        must_be_bounded(&settings);
        write_settings(&settings, &plain);
        if (read_settings(buf_slice(&plain), &again, &why) < 0)
            fuzz_must_equal(slice_of(NULL, 0), buf_slice(&why), "settings written and read again");
        write_settings(&again, &plain_again);
        fuzz_must_equal(buf_slice(&plain), buf_slice(&plain_again), "settings written and read again");
        conf_free(&schema, &again);
    }
    conf_free(&schema, &settings);
    buf_free(&plain_again);
    buf_free(&plain);
    buf_free(&why);
    return 0;
}
