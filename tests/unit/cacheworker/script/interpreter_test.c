/* One Lua of ours, with no engine in sight: what scripts return, may not touch, and cannot break. */
#include "cacheworker/script/interpreter.h"

#include "common/base/mem.h"
#include "common/resp/resp_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { HEAP = 16 << 20, ERROR_SHOWN = 60, KEPT = 512 << 10 };

struct scene {
    struct fiber *fiber;
    struct cw_interpreter *interpreter;
    uint64_t random;
    struct buf reply;
    unsigned pulses_left; /* until the script is ended; 0: it may run for ever */
    unsigned pulses;
};

/* Replies the words. */
static void echo(void *context, const struct slice *argv, size_t argc, int protocol, struct buf *reply)
{
    (void)context;
    (void)protocol;
    resp_write_array(reply, argc);
    for (size_t i = 0; i < argc; i++)
        resp_write_bulk(reply, argv[i]);
}

static int allow(void *context, const struct slice *argv, size_t argc)
{
    (void)context;
    (void)argv;
    return argc > 1 ? 1 : -1;
}

static void ignore_where(void *context, int where)
{
    (void)context;
    (void)where;
}

static const char *interrupt(void *context)
{
    struct scene *scene = context;
    scene->pulses++;
    return scene->pulses_left > 0 && scene->pulses >= scene->pulses_left ? "stopped by the test" : NULL;
}

static const struct cw_script_host host = {
    .command = echo, .may = allow, .replicate = ignore_where, .interrupt = interrupt};

static void open_scene(struct scene *scene)
{
    *scene = (struct scene){.random = CW_SCRIPT_RANDOM};
    scene->fiber = fiber_create(CW_SCRIPT_STACK);
    struct cw_interpreter_config config = {
        .kind = CW_SCRIPT_EVAL, .limit_bytes = HEAP, .fiber = scene->fiber, .random = &scene->random};
    scene->interpreter = cw_interpreter_create(&config);
    assert_non_null(scene->interpreter);
}

static void close_scene(struct scene *scene)
{
    cw_interpreter_destroy(scene->interpreter);
    fiber_free(scene->fiber);
    buf_free(&scene->reply);
}

/* The reply, or what is wrong with the source; a C string that lives until the next call. */
static const char *run(struct scene *scene, const char *source)
{
    int function;
    buf_clear(&scene->reply);
    scene->pulses = 0;
    if (cw_interpreter_compile(scene->interpreter, slice_text(source), "@user_script", &function, &scene->reply) == 0) {
        struct cw_script_run script = {.host = &host,
                                       .context = scene,
                                       .function = function,
                                       .name = "sha",
                                       .reply = &scene->reply,
                                       .protocol = 2,
                                       .reply_max = 1 << 20};
        cw_interpreter_run(scene->interpreter, &script);
        cw_interpreter_forget(scene->interpreter, function);
    }
    buf_add(&scene->reply, "", 1);
    return buf_slice(&scene->reply).data;
}

static void assert_begins(const char *source, const char *text, const char *beginning)
{
    if (strncmp(text, beginning, strlen(beginning)) != 0)
        fail_msg("%.200s\ngave %.200s\ninstead of %s", source, text, beginning);
}

struct row {
    const char *source, *reply;
};

static void check_rows(const struct row *rows, size_t count)
{
    struct scene scene;
    open_scene(&scene);
    for (size_t i = 0; i < count; i++)
        assert_begins(rows[i].source, run(&scene, rows[i].source), rows[i].reply);
    close_scene(&scene);
}

static void test_values(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"return 1", ":1\r\n"},
        {"return {1, 'two', {3}, true, false, nil, 4}", "*5\r\n:1\r\n$3\r\ntwo\r\n*1\r\n:3\r\n:1\r\n$-1\r\n"},
        {"return redis.call('a', 1, 2.5)", "*3\r\n$1\r\na\r\n$1\r\n1\r\n$3\r\n2.5\r\n"},
        {"return {ok = 'x\\r\\ny'}", "+x  y\r\n"},
        {"return {err = 'x\\r\\ny'}", "-x  y\r\n"},
        {"return {map = {a = 1}}", "*2\r\n$1\r\na\r\n:1\r\n"},
        {"return {big_number = '1\\n2'}", "$3\r\n1 2\r\n"},
        {"return 1e300", ":-9223372036854775808\r\n"},
        {"return redis.acl_check_cmd('a', 'b')", ":1\r\n"},
        {"return redis.acl_check_cmd('a')", "-ERR Invalid command passed to redis.acl_check_cmd()"},
        {"return tostring(math.random())", "$"},
        {"local ok, e = pcall(error, {err = 'words'}) return e", "$5\r\nwords\r\n"},
        {"return select('#', pcall(error, {}))", ":3\r\n"}, /* as in the reference: an odd third */
        {"return os.clock()", ":0\r\n"},
        {"return cjson.encode({a = {1, 2, cjson.null}})", "$18\r\n{\"a\":[1,2,null]}\r\n"},
    };
    check_rows(rows, ARRAY_LENGTH(rows) - 1);
}

/* What scripts hold in common cannot be changed, past metatables either. */
static void test_nothing_is_left_behind(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"x = 1", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"redis.x = 1", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"string.rep = 1", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"_G.x = 1", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"_G._G = {}", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"getmetatable('').x = 1", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"getmetatable('').__index.x = 1", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"getmetatable(_G).__index = 1", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"rawset(_G, 'x', 1)", "-ERR Attempt to modify a readonly table"},
        {"rawset(redis, 'x', 1)", "-ERR Attempt to modify a readonly table"},
        {"setmetatable(_G, nil)", "-ERR Attempt to modify a readonly table"},
        {"setmetatable(bit, {})", "-ERR Attempt to modify a readonly table"},
        {"table.insert(redis, 1)", "-ERR Attempt to modify a readonly table"},
        {"table.remove(redis)", "-ERR Attempt to modify a readonly table"},
        {"table.sort(redis)", "-ERR Attempt to modify a readonly table"},
        {"for name, value in pairs(redis) do redis[name] = nil end", "-ERR user_script:1: Attempt to modify"},
        {"local f, t = pairs(redis) rawset(t, 'x', 1)", "-ERR Attempt to modify a readonly table"},
        {"getfenv(redis.call).x = 1", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"getfenv(0).x = 1", "-ERR user_script:1: Attempt to modify a readonly table"},
        {"setfenv(0, {})", "-ERR user_script:1: 'setfenv' cannot change environment of given object"},
        {"setfenv(1, {redis = redis}) y = 1 return y", ":1\r\n"},
        {"return y", "-ERR user_script:1: Script attempted to access nonexistent global variable 'y'"},
        {"return newproxy(true)", "-ERR user_script:1: Script attempted to access nonexistent global variable"},
        {"return debug", "-ERR user_script:1: Script attempted to access nonexistent global variable 'debug'"},
        {"return print", "-ERR user_script:1: Script attempted to access nonexistent global variable 'print'"},
        {"return io", "-ERR user_script:1: Script attempted to access nonexistent global variable 'io'"},
        {"return require", "-ERR user_script:1: Script attempted to access nonexistent global variable 'require'"},
        {"return os.execute", "$-1\r\n"},
        {"collectgarbage('stop') return collectgarbage('setpause', 1000)", ":200\r\n"},
        {"return type(next(_G)) .. type(rawget(_G, 'redis'))", "$11\r\nstringtable\r\n"},
        {"return redis.call('still', 'there')", "*2\r\n"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

/* One row or more for each hole that the reference's Lua has had. */
static void test_what_the_reference_was_attacked_by(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* CVE-2015-8080, CVE-2018-11219, CVE-2020-14147: sizes in formats of struct. */
        {"return struct.pack('>I2147483648', 1)", "-ERR user_script:1: integral size overflow"},
        {"return struct.unpack('>I99999999999999999999', 'x')", "-ERR user_script:1: integral size overflow"},
        {"return struct.pack('I33', 1)", "-ERR user_script:1: integral size 33 is larger than limit of 32"},
        {"return struct.unpack('c2147483647', 'x')", "-ERR user_script:1: bad argument #2"},
        {"return struct.unpack('bc0', '\\255x')", "-ERR user_script:1: bad argument #2"},
        {"return struct.unpack('i', 'xxxx', 2147483647)", "-ERR user_script:1: bad argument #2"},
        {"return #struct.pack('c0', string.rep('x', 100000))", ":100000\r\n"},
        /* CVE-2018-11218: stacks under what is unpacked. */
        {"return cmsgpack.unpack(string.rep('\\145', 100000))", "-ERR user_script:1: too many nested data structures"},
        {"return cmsgpack.unpack('\\221\\255\\255\\255\\255')", "-ERR user_script:1: Missing bytes in input."},
        {"return cmsgpack.unpack('\\223\\255\\255\\255\\255')", "-ERR user_script:1: Missing bytes in input."},
        {"return cmsgpack.unpack('\\219\\255\\255\\255\\255x')", "-ERR user_script:1: Missing bytes in input."},
        {"return #{cmsgpack.unpack(string.rep('\\1', 9000))}", "-ERR user_script:1: stack overflow (too many return"},
        {"return cmsgpack.unpack('\\193')", "-ERR user_script:1: Bad data format in input."},
        /* CVE-2021-32626: deep tables, deep errors. */
        {"local t = {} for i = 1, 20000 do t = {t} end return t", "*1\r\n*1\r\n"},
        {"local t = {} t[1] = t return t", "*1\r\n*1\r\n"},
        {"local t = {} for i = 1, 40 do t = {t, t} end return t", "*"},
        {"local function f() return f() + 1 end return f()", "-ERR user_script:1: stack overflow"},
        {"local function f() return pcall(f) end return {f()}", "*"},
        {"local f f = function() return coroutine.wrap(f)() end return f()", "-"},
        {"local f f = function() local c = coroutine.create(f) return coroutine.resume(c) end return {f()}", "*"},
        {"local s = 'x' local f f = function() return (s:gsub('x', f)) end return f()", "-ERR C stack overflow"},
        {"return tostring(setmetatable({}, {__tostring = function(t) return tostring(t) end}))", "-"},
        {"local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
         "-ERR user_script:1: loop in gettable"},
        {"return loadstring(string.rep('(', 10000))", "$-1\r\n"},
        {"return string.find(string.rep('a', 100000), string.rep('a?', 100000))", "-ERR user_script:1: pattern too"},
        {"return string.find(string.rep('a', 9000), string.rep('a?', 9000))", ":1\r\n"},
        /* CVE-2022-24834: escapes of cjson, six bytes for one. */
        {"return #cjson.encode(string.rep('\\0', 1000000))", ":6000002\r\n"},
        {"return cjson.encode(string.rep('\\0', 4000000))", "-ERR user_script:1: not enough memory"},
        {"local t = {} for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
         "-ERR user_script:1: not enough memory"},
        {"local t = {} t.t = t return cjson.encode(t)",
         "-ERR user_script:1: Cannot serialise, excessive nesting (1001)"},
        {"return cjson.decode(string.rep('[', 1001))", "-ERR user_script:1: Found too many nested data structures"},
        {"cjson.encode_max_depth(2147483647) local t = {} for i = 1, 20000 do t = {t} end return cjson.encode(t)",
         "-ERR user_script:1: Cannot serialise, excessive nesting"},
        /* CVE-2024-31449: the most negative count of digits. */
        {"return bit.tohex(65535, -2147483648)", "$8\r\n0000FFFF\r\n"},
        {"return bit.tohex(65535, 2147483647)", "$8\r\n0000ffff\r\n"},
        /* CVE-2024-46981: finalizers of scripts; there are none. */
        {"return getmetatable(cjson.null) == nil", ":1\r\n"},
        /* CVE-2025-46817: ranges of unpack. */
        {"return unpack({}, 0, 2147483647)", "-ERR user_script:1: too many results to unpack"},
        {"return unpack({}, -2147483648, 2147483647)", "-ERR user_script:1: too many results to unpack"},
        {"return {unpack({1, 2}, 2147483647, -2147483648)}", "*0\r\n"},
        {"return {unpack({1, 2}, 2147483646, 2147483647)}", "*0\r\n"},
        /* CVE-2025-46819: brackets of long strings. */
        {"return loadstring('return [' .. string.rep('=', 1000000) .. '[')", "$-1\r\n"},
        {"return #loadstring('return [' .. string.rep('=', 999) .. '[x]' .. string.rep('=', 999) .. ']')()", ":1\r\n"},
        /* CVE-2025-49844: a chunk's name while the collector runs in the parser. */
        {"for i = 1, 50 do collectgarbage() loadstring(string.rep('local a = {} ', 150), string.rep('n', 5000) .. i) "
         "end "
         "return 1",
         ":1\r\n"},
        {"local i = 0 return load(function() collectgarbage() i = i + 1 if i < 20 then return ' local x' .. i .. ' = "
         "1' "
         "end end, string.rep('n', 5000)) ~= nil",
         ":1\r\n"},
        /* Compiled code, in all its ways. */
        {"return loadstring(string.dump(function() end))", "$-1\r\n"},
        {"local s = string.dump(function() end) return load(function() local p = s s = nil return p end)", "$-1\r\n"},
        {"local s, i = string.dump(function() end), 0 return load(function() i = i + 1 return s:sub(i, i) end)",
         "$-1\r\n"},
        /* Loops without an instruction of Lua. */
        {"return string.rep('', 2147483647)", "$0\r\n\r\n"},
        {"return string.rep('x', 2147483647)", "-ERR user_script:1: resulting string too large"},
        {"table.insert({}, -2147483648, 1)",
         "-ERR user_script:1: bad argument #2 to 'insert' (position out of bounds)"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}

/* Whoever takes all memory gets an error, and it comes back. */
static void test_memory_comes_back(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "local t = {} for i = 1, 1e9 do t[i] = {i} end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = tostring(#t) .. 'x' end",
        "local t = {} while true do t = {t} end",
        "local f = function() end while true do f = (function(g) return function() return g end end)(f) end",
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
        "return loadstring(string.rep('local x = {} ', 1000000))",
        "local t = {} for i = 1, 1e7 do t['k' .. i] = i end return cmsgpack.pack(t)",
        "local s = ('['):rep(900) .. (']'):rep(900) local t = {} while true do t[#t + 1] = cjson.decode(s) end",
    };
    struct scene scene;
    open_scene(&scene);
    run(&scene, "return 1");
    (void)run(&scene, "collectgarbage() return 1");
    size_t before = scene.interpreter->used_bytes;
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
        const char *reply = run(&scene, sources[i]);
        if (*reply != '-' && strncmp(reply, "$-1", 3) != 0)
            fail_msg("%s\ngave %.*s", sources[i], ERROR_SHOWN, reply);
        (void)run(&scene, "collectgarbage() collectgarbage() return 1");
        if (scene.interpreter->used_bytes > before + KEPT)
            fail_msg("%s\nleft %zu bytes", sources[i], scene.interpreter->used_bytes - before);
    }
    assert_begins("", run(&scene, "return redis.call('a')"), "*1\r\n$1\r\na\r\n");
    close_scene(&scene);
}

/* However it is written, a script that is to end ends. */
static void test_interruption(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() pcall(f) f() end f()",
        "while true do pcall(pcall, pcall, error) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "local c = coroutine.wrap(function() while 1 do coroutine.yield() end end) while 1 do c() end",
        "table.sort({1, 2, 3}, function() while true do end end)",
        "string.gsub('x', 'x', function() while true do end end)",
        "return setmetatable({}, {__index = function(t, k) while true do end end}).x",
        "load(function() while true do end end)",
    };
    struct scene scene;
    open_scene(&scene);
    scene.pulses_left = 3;
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
        const char *reply = run(&scene, sources[i]);
        bool is_told = strstr(reply, "stopped by the test") != NULL || *reply == '-' || strncmp(reply, "$-1", 3) == 0;
        if (!is_told || scene.pulses < 3)
            fail_msg("%s\ngave %.*s", sources[i], ERROR_SHOWN, reply);
    }
    scene.pulses_left = 0;
    assert_begins("", run(&scene, "return 1"), ":1\r\n");
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_nothing_is_left_behind),
        cmocka_unit_test(test_what_the_reference_was_attacked_by),
        cmocka_unit_test(test_memory_comes_back),
        cmocka_unit_test(test_interruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
