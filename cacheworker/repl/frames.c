#include "cacheworker/repl/frames.h"

#include "common/base/number.h"

/* --- the sender --- */

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t stream_frame(const struct cw_frames *frames, uint64_t made, uint64_t behind, uint64_t kept)
{
    if (behind <= kept || (made > 0 && frames->share < CW_FRAME_LEAST))
        return 0;
    uint64_t most = made > 0 || frames->share > CW_FRAME_IDLE_MAX ? frames->share : CW_FRAME_IDLE_MAX;
    return lesser(lesser(behind, most), frames->room);
}

struct cw_frame cw_frames_next(struct cw_frames *frames, uint64_t made, uint64_t behind, uint64_t kept)
{
    uint64_t length = stream_frame(frames, made, behind, kept);
    if (length > 0) {
        frames->room -= length;
        frames->share = 0;
        return (struct cw_frame){CW_FRAME_STREAM, (size_t)length};
    }
    if (made == 0)
        return (struct cw_frame){CW_FRAME_NONE, 0};
    length = lesser(made, CW_FRAME_MAX);
    frames->share = lesser(frames->share + length, CW_FRAME_MAX);
    return (struct cw_frame){CW_FRAME_SNAPSHOT, (size_t)length};
}

void cw_frame_write(const struct cw_frame *frame, struct buf *out)
{
    CHECK(frame->kind != CW_FRAME_NONE && frame->left > 0 && frame->left <= CW_FRAME_MAX);
    buf_add(out, frame->kind == CW_FRAME_SNAPSHOT ? "d" : "s", 1);
    buf_add_u64(out, frame->left);
    buf_add(out, "\r\n", 2);
}

/* --- the receiver --- */

static int take_line(struct cw_frame_reader *reader)
{
    size_t length = reader->line_length;
    char kind = reader->line[0];
    uint64_t left;
    if (length < 4 || reader->line[length - 2] != '\r' || (kind != 'd' && kind != 's') ||
        number_parse_u64(slice_of(reader->line + 1, length - 3), &left) < 0 || left == 0 || left > CW_FRAME_MAX)
        return ERR_PROTOCOL;
    reader->frame = (struct cw_frame){kind == 'd' ? CW_FRAME_SNAPSHOT : CW_FRAME_STREAM, (size_t)left};
    reader->line_length = 0;
    return 0;
}

int cw_frame_read(struct cw_frame_reader *reader, struct slice *bytes, enum cw_frame_kind *ret_kind,
                  struct slice *ret_bytes)
{
    while (reader->frame.left == 0 && bytes->length > 0) {
        if (reader->line_length == CW_FRAME_LINE_MAX)
            return ERR_PROTOCOL;
        char byte = reader->line[reader->line_length++] = bytes->data[0];
        *bytes = slice_skip(*bytes, 1);
        int error = byte == '\n' ? take_line(reader) : 0;
        if (error < 0)
            return error;
    }
    size_t length = reader->frame.left < bytes->length ? reader->frame.left : bytes->length;
    *ret_kind = length > 0 ? reader->frame.kind : CW_FRAME_NONE;
    *ret_bytes = slice_of(bytes->data, length);
    *bytes = slice_skip(*bytes, length);
    reader->frame.left -= length;
    return 0;
}
