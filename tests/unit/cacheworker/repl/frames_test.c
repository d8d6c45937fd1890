#include "cacheworker/repl/frames.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* --- lines --- */

static void a_frame_is_read_as_it_was_written_in_any_pieces(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 9, 10, 4711, CW_FRAME_MAX};
    struct buf wire = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        struct cw_frame frame = {i % 2 == 0 ? CW_FRAME_SNAPSHOT : CW_FRAME_STREAM, lengths[i]};
        cw_frame_write(&frame, &wire);
        memset(buf_reserve(&wire, lengths[i]), 'a' + (int)i, lengths[i]);
        buf_commit(&wire, lengths[i]);
    }
    for (size_t piece = 1; piece < buf_length(&wire); piece = piece < 30 ? piece + 1 : 3 * piece) {
        struct cw_frame_reader reader = {0};
        size_t frame = 0, seen = 0;
        for (struct slice rest = buf_slice(&wire); rest.length > 0;) {
            struct slice bytes = slice_of(rest.data, rest.length < piece ? rest.length : piece), part;
            rest = slice_skip(rest, bytes.length);
            while (bytes.length > 0) {
                enum cw_frame_kind kind;
                assert_int_equal(cw_frame_read(&reader, &bytes, &kind, &part), 0);
                seen += part.length;
                assert_int_equal(kind == CW_FRAME_NONE, part.length == 0);
                if (part.length == 0)
                    continue;
                assert_int_equal(kind, frame % 2 == 0 ? CW_FRAME_SNAPSHOT : CW_FRAME_STREAM);
                assert_int_equal(part.data[part.length - 1], 'a' + (int)frame);
                assert_int_equal(reader.frame.left, lengths[frame] - seen);
                if (seen == lengths[frame])
                    frame++, seen = 0;
            }
        }
        assert_int_equal(frame, ARRAY_LENGTH(lengths));
        assert_int_equal(seen, 0);
    }
    buf_free(&wire);
}

static void what_is_no_line_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"\n",          "\r\n",    "d\r\n",   "d0\r\n",       "d01\r\n",
                                        "d1\n",        "d+1\r\n", "x1\r\n",  "D1\r\n",       "d-1\r\n",
                                        "d262145\r\n", "d1x\r\n", "d 1\r\n", "d1000000\r\n", "dddddddddd"};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct cw_frame_reader reader = {0};
        struct slice bytes = slice_text(lines[i]), part;
        enum cw_frame_kind kind;
        if (cw_frame_read(&reader, &bytes, &kind, &part) != ERR_PROTOCOL)
            fail_msg("%s", lines[i]);
    }
}

/* --- the sender's rule --- */

struct course {
    uint64_t ticks;
    uint64_t most_held; /* at the sender, of the stream */
    uint64_t streamed;
    bool is_complete;
};

struct way {
    uint64_t link, made, written; /* bytes in a tick */
    uint64_t data, kept, room;
};

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct course run(const struct way *way)
{
    enum { AHEAD = 256 << 10, TICKS_MAX = 200000 };
    struct cw_frames frames = {.room = way->room};
    struct cw_frame frame = {0};
    struct course course = {0};
    uint64_t unmade = way->data, ready = 0, behind = 0;
    for (; course.ticks < TICKS_MAX && unmade + ready > 0; course.ticks++) {
        uint64_t more = lesser(lesser(way->made, unmade), AHEAD > ready ? AHEAD - ready : 0);
        unmade -= more;
        ready += more;
        behind += way->written;
        for (uint64_t free = way->link; free > 0;) {
            if (frame.left == 0)
                frame = cw_frames_next(&frames, ready, behind, way->kept);
            if (frame.kind == CW_FRAME_NONE)
                break;
            uint64_t sent = lesser(free, frame.left);
            uint64_t *from = frame.kind == CW_FRAME_SNAPSHOT ? &ready : &behind;
            assert_true(frame.left <= CW_FRAME_MAX && sent <= *from);
            *from -= sent;
            frame.left -= (size_t)sent;
            free -= sent;
            course.streamed += frame.kind == CW_FRAME_STREAM ? sent : 0;
        }
        course.most_held = behind > course.most_held ? behind : course.most_held;
    }
    course.is_complete = unmade + ready == 0;
    return course;
}

enum { DATA = 20 << 20, KEPT = 1 << 20 };

static struct way way_of(uint64_t link, uint64_t written)
{
    return (struct way){
        .link = link, .made = 400 << 10, .written = written, .data = DATA, .kept = KEPT, .room = UINT64_MAX};
}

static void an_idle_master_sends_the_snapshot_alone(void **state)
{
    (void)state;
    struct way way = way_of(64 << 10, 1);
    struct course course = run(&way);
    assert_true(course.is_complete);
    assert_int_equal(course.streamed, 0);
    assert_int_equal(course.ticks, DATA / way.link);
}

static void below_half_of_the_link_no_more_than_usual_is_held(void **state)
{
    (void)state;
    for (uint64_t link = 1000; link <= 300 << 10; link *= 7) {
        struct way way = way_of(link, link * 45 / 100);
        struct course course = run(&way);
        assert_true(course.is_complete);
        if (course.most_held > KEPT + 2 * CW_FRAME_MAX)
            fail_msg("%llu bytes held at %llu a tick", (unsigned long long)course.most_held, (unsigned long long)link);
        way.room = 0;
        course = run(&way);
        assert_true(course.is_complete);
        assert_true(course.most_held > 5 * KEPT);
    }
}

/* However much is written, the snapshot takes no more than twice as long as alone. */
static void a_snapshot_ends(void **state)
{
    (void)state;
    for (uint64_t link = 1000; link <= 2000 << 10; link *= 3) {
        for (uint64_t made = 900; made <= 3000 << 10; made *= 5) {
            struct way way = {.link = link, .made = made, .data = DATA / 8, .kept = KEPT / 8};
            struct course alone = run(&way);
            way.room = UINT64_MAX;
            way.written = 10 * link;
            struct course course = run(&way);
            assert_true(alone.is_complete && course.is_complete);
            if (course.ticks > 2 * alone.ticks + 2 + 2 * CW_FRAME_MAX / link)
                fail_msg("%llu ticks, %llu alone; link %llu, made %llu", (unsigned long long)course.ticks,
                         (unsigned long long)alone.ticks, (unsigned long long)link, (unsigned long long)made);
        }
    }
}

/* What is held is never more than as if the snapshot went alone: with a link that takes what is written, the data. */
static void no_more_is_held_than_the_data(void **state)
{
    (void)state;
    for (uint64_t room = 1000; room < 64 << 20; room *= 4) {
        struct way way = way_of(50000, 49000);
        way.room = room;
        struct course course = run(&way);
        assert_true(course.is_complete);
        assert_true(course.streamed <= room);
        assert_true(course.most_held <= DATA + KEPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_read_as_it_was_written_in_any_pieces),
        cmocka_unit_test(what_is_no_line_is_refused),
        cmocka_unit_test(an_idle_master_sends_the_snapshot_alone),
        cmocka_unit_test(below_half_of_the_link_no_more_than_usual_is_held),
        cmocka_unit_test(a_snapshot_ends),
        cmocka_unit_test(no_more_is_held_than_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
