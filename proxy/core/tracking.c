#include "proxy/core/tracking.h"

void px_tracking_free(struct px_tracking *tracking)
{
    buf_free(&tracking->requests);
    buf_free(&tracking->asked);
    *tracking = (struct px_tracking){0};
}

static bool has_word(const struct slice *argv, size_t argc, const char *word)
{
    for (size_t i = 3; i < argc; i++) {
        if (slice_equal_nocase(argv[i], word))
            return true;
        if (slice_equal_nocase(argv[i], "prefix"))
            i++; /* what follows is the client's own */
    }
    return false;
}

bool px_tracking_redirects(const struct slice *argv, size_t argc)
{
    return has_word(argv, argc, "redirect");
}

void px_tracking_ask(struct px_tracking *tracking, const struct slice *argv, size_t argc, struct slice bytes)
{
    tracking->asked_on = slice_equal_nocase(argv[2], "on");
    tracking->asked_adds = has_word(argv, argc, "bcast");
    buf_clear(&tracking->asked);
    buf_add_slice(&tracking->asked, bytes);
}

void px_tracking_grant(struct px_tracking *tracking)
{
    if (!tracking->asked_adds || !tracking->asked_on) {
        buf_clear(&tracking->requests);
        tracking->count = 0;
    }
    tracking->is_on = tracking->asked_on;
    if (!tracking->asked_on)
        return;
    buf_add_slice(&tracking->requests, buf_slice(&tracking->asked));
    tracking->count++;
}

uint32_t px_tracking_write(const struct px_tracking *tracking, struct buf *out)
{
    buf_add_slice(out, buf_slice(&tracking->requests));
    if (tracking->caching == PX_CACHING_NONE)
        return tracking->count;
    buf_add_text(out, tracking->caching == PX_CACHING_YES ? "*3\r\n$6\r\nCLIENT\r\n$7\r\nCACHING\r\n$3\r\nYES\r\n"
                                                          : "*3\r\n$6\r\nCLIENT\r\n$7\r\nCACHING\r\n$2\r\nNO\r\n");
    return tracking->count + 1;
}
