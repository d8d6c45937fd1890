"""Random scripts, for test_differential.py. An error that is a table without words is not drawn: redis-server ends of it."""

CALLS = ["append", "decr", "decrby", "del", "exists", "get", "getdel", "getrange", "getset", "incr", "incrby", "lpush", "llen",
         "lrange", "mget", "mset", "rpush", "scard", "set", "setnx", "setrange", "strlen", "zcard"]
WRAPPERS = [b"return redis.call(unpack(ARGV))", b"return redis.pcall(unpack(ARGV))",
            b"return {redis.pcall(unpack(ARGV)), #ARGV, KEYS[1]}",
            b"local ok, e = pcall(redis.call, unpack(ARGV)) return {tostring(ok), type(e)}",
            b"local r = redis.call(unpack(ARGV)) return type(r) == 'table' and #r or r",
            b"redis.setresp(3) return redis.call(unpack(ARGV))"]
VALUES = ["1", "-1", "2.5", "0", "1e15", "2^40", "-2^31", "'a'", "''", "'\\0\\255'", "{}", "{1, 2, 3}", "{a = 1}",
          "{1, {2, {'x'}}}", "nil", "true", "false", "'12'", "'0x10'", "cjson.null", "string.rep('ab', 40)", "{[1] = 1, [3] = 2}"]
LIBRARIES = ["cjson.encode(%s)", "cjson.decode(%s)", "cjson.decode(cjson.encode(%s))", "cmsgpack.pack(%s, %s)",
             "{cmsgpack.unpack(%s)}", "cjson.encode({cmsgpack.unpack(cmsgpack.pack(%s, %s))})", "struct.pack('>i2Hs', %s, %s, %s)",
             "{struct.unpack('<i4c0', %s)}", "struct.pack('c0i3', %s, %s)", "struct.size(%s)", "bit.band(%s, %s)", "bit.tohex(%s, %s)",
             "bit.arshift(%s, %s)", "bit.rol(%s, %s)", "tostring(%s == %s)", "redis.sha1hex(%s)", "redis.status_reply(%s)",
             "redis.error_reply(%s)", "{redis.error_reply(%s)}", "{ok = %s}", "{err = %s}", "{double = %s}", "{map = {k = %s}}",
             "{%s, %s, %s}", "{verbatim_string = {format = 'txt', string = %s}}", "{big_number = %s}", "#%s", "%s .. %s",
             "unpack(%s)", "{unpack({%s, %s})}", "string.format('%%s %%5.1f', %s, %s)", "tonumber(%s)", "type(%s)",
             "select('#', %s, %s)", "rawget(%s, 1)", "next(%s)", "math.floor(%s)", "('x'):rep(%s)", "string.byte(%s, 1, -1)",
             "table.concat(%s, ',')", "loadstring(%s)", "{pcall(error, %s)}", "redis.call('echo', %s)", "redis.call(%s)",
             "redis.acl_check_cmd('get', 'k')", "redis.log(%s, %s)", "redis.setresp(%s)", "getmetatable(%s)", "KEYS[%s]", "_G[%s]"]
BROKEN = [b"", b"return", b"return (", b"x = 1", b"return x", b"return redis.call()", b"return redis.call('multi')",
          b"#!lua flags=no-writes\nreturn redis.call('del', 'k')", b"#!lua flags=odd\nreturn 1", b"#!lua\nreturn 1", b"#!x\n",
          b"redis.call = nil", b"KEYS = nil", b"string.x = 1", b"return redis.nothing", b"return -"]


class ScriptCommands:
    def script(self):
        if self.chance(0.1):
            return self.random.choice(BROKEN)
        text = self.random.choice(LIBRARIES)
        values = tuple(self.random.choice(VALUES) for _ in range(text.replace("%%", "").count("%s")))
        return ("return " + text % values).encode()

    def script_call(self):
        name = self.random.choice(CALLS)
        keys = [self.key()] if self.chance(0.5) else []
        return [self.random.choice(WRAPPERS), b"%d" % len(keys), *keys, name.encode(), *self.makers[name]()]

    def make_eval(self):
        if self.chance(0.5):
            return self.script_call()
        return [self.script(), self.integer() if self.chance(0.1) else b"0"]

    def make_eval_ro(self):
        return self.script_call() if self.chance(0.7) else [self.script(), b"0"]

    def make_evalsha(self):
        return [self.random.choice((b"0" * 40, b"short", b"f" * 40)), b"0"]

    def make_script(self):
        return self.random.choice(([b"exists", b"0" * 40, self.value()], [b"kill"], [b"flush", b"sync"], [b"flush", self.value()],
                                   [b"load", b"return 1"], [b"load", b"return ("], [b"nosuch"]))


def text_of_number(words, ours, theirs):
    """A number as an argument: 7.0 writes 17 digits, 7.2 as few as there must be."""
    return any(mark in words[1] for mark in (b"2.5", b"1e15", b"2^", b"1e"))


ALLOWED = {
    b"eval": (text_of_number, "numbers as Redis 7.2 writes them"),
    b"eval_ro": (text_of_number, "the same"),
}
