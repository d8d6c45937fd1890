/* frames.h: a snapshot and the stream on one connection (docs/adr/0012-full-syncs-in-frames.md).
 *
 * A frame is a line and bytes: "d<length>\r\n" with bytes of the snapshot, "s<length>\r\n" with bytes of the stream
 * from the snapshot's moment on; lengths are of 1 to CW_FRAME_MAX. Frames end with the last byte of the snapshot; what
 * follows is the stream as ever.
 *
 * The sender's rule. A snapshot goes first, until the receiver is behind by more of the stream than is kept for it
 * anyway. From there on a frame of the stream follows those of the snapshot, as long as they were; so the snapshot has
 * half of the connection at least, and ends. It is longer only where nothing of the snapshot is ready to be sent. And
 * all of them are no longer than the room that the receiver said it had. */
#ifndef CACHEWORKER_REPL_FRAMES_H
#define CACHEWORKER_REPL_FRAMES_H

#include "common/base/buf.h"
#include "common/base/errors.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CW_FRAME_MAX = 256 << 10,     /* bytes in a frame */
    CW_FRAME_LEAST = 16 << 10,    /* of the snapshot, before a frame of the stream is worth its line */
    CW_FRAME_IDLE_MAX = 64 << 10, /* of the stream, while nothing of the snapshot is ready */
    CW_FRAME_LINE_MAX = 9,        /* "d262144\r\n" */
};

enum cw_frame_kind { CW_FRAME_NONE, CW_FRAME_SNAPSHOT, CW_FRAME_STREAM };

struct cw_frame {
    enum cw_frame_kind kind;
    size_t left; /* bytes that belong to it and were not sent, or have not come */
};

/* --- the sender --- */

struct cw_frames {
    uint64_t room;  /* of the receiver, for bytes of the stream */
    uint64_t share; /* bytes of the snapshot since the last frame of the stream, up to CW_FRAME_MAX */
};

/* The next frame, which is then sent whole; CW_FRAME_NONE: there is nothing that may be sent. `made` bytes of the
 * snapshot are ready, `behind` ones of the stream, of which `kept` are held for the receiver in any case. */
struct cw_frame cw_frames_next(struct cw_frames *frames, uint64_t made, uint64_t behind, uint64_t kept);

/* Its line. */
void cw_frame_write(const struct cw_frame *frame, struct buf *out);

/* --- the receiver --- */

struct cw_frame_reader { /* a zeroed struct awaits the first frame */
    struct cw_frame frame;
    char line[CW_FRAME_LINE_MAX];
    size_t line_length;
};

/* Takes from the front of `bytes`, which are not empty, the rest of a line or bytes of one frame: ret_bytes, borrowed
 * from them, and their kind; or nothing, CW_FRAME_NONE. Whether the frame ends with them is in reader->frame.
 * ERR_PROTOCOL. */
MUST_CHECK int cw_frame_read(struct cw_frame_reader *reader, struct slice *bytes, enum cw_frame_kind *ret_kind,
                             struct slice *ret_bytes);

#endif
