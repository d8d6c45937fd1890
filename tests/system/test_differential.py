#!/usr/bin/python3
"""The same random commands to a worker and to redis-server 7.0: every reply must be the same to the byte.

--count N commands from --seed S, in RESP2 and RESP3 by turns. What may differ stands in ALLOWED, with the reason. A
difference is printed with its number; the same seed and count show it again.
"""
import argparse
import os
import random
import time

import differential_acl
import differential_bits
import differential_dump
import differential_events
import differential_geo
import differential_hash
import differential_list
import differential_script
import differential_set
import differential_sort
import differential_stream
import differential_wait
import differential_zset
import tap
from appliance import Client, build_directory, info, server
from tap import check, say

REFERENCE, OURS = 22850, 22851
BATCH = 100              # commands under way at once; one batch is one protocol version
CLOCKS_APART_MS = 3000   # how far apart the two servers may carry out a command
COMPARED_GROUPS = (b"bitmap", b"generic", b"geo", b"hash", b"hyperloglog", b"list", b"set", b"stream", b"string")
SHOWN_MAX = 10           # differences, then the run ends: what follows are their consequences

DISTANT_MS = 100_000     # the least time to live: no key expires in the middle of a run
KEYS = [b"k%d" % number for number in range(12)] + [b"", b"bin\x00\r\n\xff", b"L" * 300, b"{tag}x"]
INTEGERS = [b"0", b"-0", b"1", b"-1", b"3", b"7", b"10", b"100", b"-100", b"+1", b"01", b" 1", b"1 ", b"1.5", b"abc", b"",
            b"2147483647", b"2147483648", b"4294967296", b"9223372036854775807", b"-9223372036854775808",
            b"9223372036854775808", b"-9223372036854775809", b"99999999999999999999", b"1\x00", b"0x10", b"1e3"]
FLOATS = [b"1.5", b"-2.25", b"1e10", b"0.1", b"inf", b"-inf", b"nan", b"1e400", b"0x10", b"0x1p-3", b"1e-20", b"3.0", b" 1",
          b"1 ", b"5000000000000000000000", b"1e4000", b"-1e4932", b"1e5000", b".5", b"5.", b"-0", b"1e-5000", b"+2",
          b"10.00000000000000000", b"abc", b"", b"1.5\x00", b"17179869184.000000000000001"]
VALUES = [b"", b"a", b"hello world", b"ohmytext", b"mynewtext", b"x" * 44, b"x" * 45, b"y" * 200, b"z" * 1024, b"z" * 1025,
          b"w" * 3000, b"12345", b"-7", b"007", b"1.5", b"\x00\x01\xff", b"\r\n", b"OK", b"-ERR no"]
PATTERNS = [b"*", b"k*", b"k1?", b"", b"k[1-3]", b"k[^1-3]", b"k[3-1]", b"*1*", b"\\k1", b"bin*", b"[", b"k[", b"k[1", b"k\\",
            b"?", b"{tag}*", b"K*"]  # not "**": in Redis it misses the empty key
TIMES_TO_LIVE = [b"abc", b"", b"1.5", b"0", b"-1", b"-5", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775",
                 b"9223372036854776", b"-9223372036854775", b"-9223372036854776", b"9223370000000000"]
DATABASES = [b"0", b"1", b"2", b"15", b"16", b"-1", b"x", b"", b"99999999999", b"+1"]


class Generator(
        differential_bits.BitmapCommands,
        differential_bits.HyperLogLogCommands,
        differential_dump.DumpCommands,
        differential_geo.GeoCommands,
        differential_hash.HashCommands,
        differential_list.ListCommands,
        differential_script.ScriptCommands,
        differential_set.SetCommands,
        differential_sort.SortCommands,
        differential_stream.StreamCommands,
        differential_wait.WaitingCommands,
        differential_zset.SortedSetCommands):
    """Draws commands; the same seed draws the same ones, but for the distance of absolute times from now."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now_ms = int(time.time() * 1000)
        self.makers = {name[len("make_"):]: getattr(self, name) for name in dir(self) if name.startswith("make_")}
        self.names = sorted(self.makers)

    def chance(self, probability):
        return self.random.random() < probability

    def key(self):
        return self.random.choice(KEYS)

    def key_of(self, prefix):
        """A key that has a value of one type, most of the time."""
        return prefix + self.key() if self.chance(0.9) else self.key()

    def integer(self):
        return self.random.choice(INTEGERS) if self.chance(0.4) else b"%d" % self.random.randint(-20, 50)

    def value(self):
        kind = self.random.random()
        if kind < 0.4:
            return self.random.choice(VALUES)
        if kind < 0.7:
            return self.integer()
        return bytes(self.random.choice(b"abcd") for _ in range(self.random.randint(0, 30)))

    def time_to_live(self, unit_ms):
        if self.chance(0.25):
            return self.random.choice(TIMES_TO_LIVE)
        return b"%d" % (self.random.randint(DISTANT_MS, 10**9) // unit_ms)

    def moment(self, unit_ms):
        if self.chance(0.15):
            return self.random.choice(TIMES_TO_LIVE)
        distance = self.random.choice((-100_000, -1, 200_000, 400_000, 600_000))
        return b"%d" % ((self.now_ms + distance) // unit_ms)

    def expiry_option(self):
        word, draw, unit_ms = self.random.choice(((b"EX", self.time_to_live, 1000), (b"PX", self.time_to_live, 1),
                                                  (b"EXAT", self.moment, 1000), (b"PXAT", self.moment, 1)))
        return [word] if self.chance(0.05) else [word, draw(unit_ms)]

    def options(self, choices, probability=0.25):
        """Some of these options in any order, words or functions that draw several."""
        drawn = [choice() if callable(choice) else [choice] for choice in choices if self.chance(probability)]
        self.random.shuffle(drawn)
        if self.chance(0.02):
            drawn.append([self.value()])
        return [word for option in drawn for word in option]

    def keys_of(self, most):
        return [self.key() for _ in range(self.random.randint(1, most))]

    def pairs(self, most):
        return [word for _ in range(self.random.randint(1, most)) for word in (self.key(), self.value())]

    def key_or_hyperloglog(self):
        return self.hyperloglog_key() if self.chance(0.1) else self.key()

    # Strings.

    def make_append(self):
        return [self.key(), self.value()]

    def make_decr(self):
        return [self.key()]

    def make_decrby(self):
        return [self.key(), self.integer()]

    def make_get(self):
        return [self.key_or_hyperloglog()]

    def make_getdel(self):
        return [self.key()]

    def make_getex(self):
        return [self.key()] + self.options([b"PERSIST", self.expiry_option, self.expiry_option], 0.3)

    def make_getrange(self):
        return [self.key(), self.integer(), self.integer()]

    def make_getset(self):
        return [self.key(), self.value()]

    def make_incr(self):
        return [self.key()]

    def make_incrby(self):
        return [self.key(), self.integer()]

    def float(self):
        drawn = [self.random.choice(FLOATS), self.integer(), b"%f" % self.random.uniform(-100, 100)]
        return self.random.choice(drawn)

    def make_incrbyfloat(self):
        return [self.key(), self.float()]

    def make_lcs(self):
        return [self.key(), self.key()] + self.options([b"IDX", b"LEN", b"WITHMATCHLEN", b"MINMATCHLEN",
                                                        lambda: [b"MINMATCHLEN", self.integer()]], 0.3)

    def make_mget(self):
        return self.keys_of(40)

    def make_mset(self):
        return self.pairs(5)

    def make_msetnx(self):
        return self.pairs(2)

    def make_psetex(self):
        return [self.key(), self.time_to_live(1), self.value()]

    def make_set(self):
        if self.chance(0.4):
            return [self.hyperloglog_key(), self.hyperloglog()]
        return [self.key(), self.value()] + self.options([b"NX", b"XX", b"GET", b"KEEPTTL", self.expiry_option], 0.15)

    def make_setex(self):
        return [self.key(), self.time_to_live(1000), self.value()]

    def make_setnx(self):
        return [self.key(), self.value()]

    def make_setrange(self):
        return [self.key(), self.random.choice([self.integer(), b"3", b"5000", b"536870912", b"9223372036854775807"]),
                self.value()]

    def make_strlen(self):
        return [self.key_or_hyperloglog()]

    def make_substr(self):
        return self.make_getrange()

    # Any key.

    def make_copy(self):
        return [self.key(), self.key()] + self.options([b"REPLACE", b"DB", lambda: [b"DB", self.random.choice(DATABASES)]],
                                                       0.3)

    def make_del(self):
        return self.keys_of(4)

    def make_exists(self):
        return self.keys_of(4)

    def make_keys(self):
        return [self.random.choice(PATTERNS)]

    def make_move(self):
        return [self.key(), self.random.choice(DATABASES)]

    def make_object(self):
        if self.chance(0.05):
            return self.random.choice(([b"HELP"], [b"nonesuch"], [b"nonesuch", self.key()], []))
        return [self.random.choice((b"ENCODING", b"encoding", b"REFCOUNT", b"FREQ", b"IDLETIME")), self.key()]

    def make_randomkey(self):
        return []

    def make_rename(self):
        return [self.key(), self.key()]

    def make_renamenx(self):
        return [self.key(), self.key()]

    def make_scan(self):
        # From 0 the whole walk is made and compared as a set; any other cursor must be bad.
        cursor = b"0" if self.chance(0.7) else self.random.choice((b"x", b"12x", b"", b"-1", b" 0", b"99999999999999999999"))
        return [cursor] + self.options([lambda: [b"COUNT", self.random.choice((b"1", b"5", b"1000", b"0", b"-1", b"x"))],
                                        lambda: [b"MATCH", self.random.choice(PATTERNS)], b"COUNT",
                                        lambda: [b"TYPE", self.random.choice((b"string", b"STRING", b"list", b"foo"))]])

    def make_touch(self):
        return self.keys_of(4)

    def make_type(self):
        return [self.key()]

    def make_unlink(self):
        return [self.key_or_hyperloglog() for _ in range(self.random.randint(1, 4))]

    # Expiry.

    def condition(self):
        return self.options([b"NX", b"XX", b"GT", b"LT", b"gt"], 0.15)

    def make_expire(self):
        return [self.key(), self.time_to_live(1000)] + self.condition()

    def make_expireat(self):
        return [self.key(), self.moment(1000)] + self.condition()

    def make_expiretime(self):
        return [self.key()]

    def make_persist(self):
        return [self.key()]

    def make_pexpire(self):
        return [self.key(), self.time_to_live(1)] + self.condition()

    def make_pexpireat(self):
        return [self.key(), self.moment(1)] + self.condition()

    def make_pexpiretime(self):
        return [self.key()]

    def make_pttl(self):
        return [self.key()]

    def make_ttl(self):
        return [self.key()]

    # Databases.

    def make_dbsize(self):
        return []

    def make_flushall(self):
        return self.make_flushdb()

    def make_flushdb(self):
        if self.chance(0.97):
            return [b"nonesuch"]
        return self.random.choice(([], [b"SYNC"], [b"async"], [b"SYNC", b"ASYNC"]))

    def make_memory(self):
        return [b"USAGE", self.key()] + self.options([b"SAMPLES", lambda: [b"SAMPLES", self.integer()]], 0.1)

    def make_select(self):
        return [self.random.choice(DATABASES[:3] if self.chance(0.9) else DATABASES)]

    def make_swapdb(self):
        return [self.random.choice(DATABASES), self.random.choice(DATABASES)]

    def command(self):
        name = self.random.choice(self.names)
        words = [name.encode()] + self.makers[name]()
        if self.chance(0.1):
            words = [word.swapcase() if len(word) < 12 and word not in KEYS else word for word in words]
        if self.chance(0.03) and name not in differential_set.ENTIRE + differential_wait.ENTIRE:  # the wrong number of arguments
            words = words[:self.random.randint(1, len(words))] if self.chance(0.5) else words + [self.value()]
        if self.chance(0.002):
            words = [self.random.choice((b"nonesuch", b"", b"g\x00t", b"x" * 200, b"get "))] + words[1:]
        return words


class Side(Client):
    """One connection to one of the servers; a reply is nested tuples of the very bytes."""

    def __init__(self, port, version):
        super().__init__(port, timeout=30)
        self.version = version
        if version == 3:
            self.call("HELLO", 3)

    def reply(self):
        line = self.file.readline()
        check(line.endswith(b"\r\n"), f"a reply that ends: {line!r}")
        kind, length = line[:1], line[1:-2]
        if kind in (b"$", b"=") and length != b"-1":
            return line, self.file.read(int(length) + 2)
        if kind in (b"*", b"~", b"%"):
            return (line, *[self.reply() for _ in range(int(length) * (2 if kind == b"%" else 1))])
        check(kind in b"+-:_$#,(", f"a reply of an unknown kind: {line!r}")
        return (line,)

    def batch(self, commands):
        self.socket.sendall(b"".join(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word)
                                                                       for word in words) for words in commands))
        return [self.reply() for _ in commands]

    def scan(self, words):
        """All that the walk from cursor 0 shows, sorted; or the error."""
        found, cursor = set(), words[1]
        while True:
            reply, = self.batch([[words[0], cursor] + words[2:]])
            if not reply[0].startswith(b"*"):
                return reply
            found.update(reply[2][1:])
            cursor = reply[1][1][:-2]
            if cursor == b"0":
                return tuple(sorted(found))


def same_kind(_, ours, theirs):
    return ours[0][:1] == theirs[0][:1]


def numbers_within(distance):
    def compare(_, ours, theirs):
        if not ours[0][:1] == theirs[0][:1] == b":":
            return False
        low, high = sorted((int(ours[0][1:]), int(theirs[0][1:])))
        return low >= 0 and high - low <= distance  # a negative number is a statement, not a time
    return compare


def newer_encoding(_, ours, theirs):
    return ours[1:] == (b"listpack\r\n",) and theirs[1:] in ((b"hashtable\r\n",), (b"quicklist\r\n",))


def memory_usage(_, ours, theirs):
    return same_kind(_, ours, theirs) or (ours[0] in (b"$-1\r\n", b"_\r\n") and theirs[0][:1] == b":")


def same_members(_, ours, theirs):
    return ours[0] == theirs[0] and sorted(ours[1:]) == sorted(theirs[1:])


def strtoul_takes_it(words, ours, _):
    return words[1] in (b"", b"-1") and ours == (b"-ERR invalid cursor\r\n",)


def quotes(beginning):
    """An error that quotes words: Redis ends each at a NUL and takes line ends off the end; ours makes these spaces."""
    def compare(words, ours, theirs):
        return any(b"\x00" in word or b"\n" in word for word in words) and (
            ours[0].startswith(beginning) and theirs[0].startswith(beginning))
    return compare


# Command: how its two replies are compared where they are not the same bytes, and why they may differ.
ALLOWED = {
    b"ttl": (numbers_within(CLOCKS_APART_MS // 1000), "the servers carry out a command at different times"),
    b"pttl": (numbers_within(CLOCKS_APART_MS), "the same"),
    b"expiretime": (numbers_within(CLOCKS_APART_MS // 1000), "the same, where the time to live was relative"),
    b"pexpiretime": (numbers_within(CLOCKS_APART_MS), "the same"),
    b"object idletime": (numbers_within(CLOCKS_APART_MS // 1000), "the same"),
    b"object encoding": (newer_encoding, "7.0 knows no lists and sets that are listpacks, 7.2 does"),
    b"object idletime": (numbers_within(1 << 31), "which commands that fail had looked at a key is not the same"),
    b"object refcount": (numbers_within(1 << 31), "small integers are shared objects in Redis; ours share nothing"),
    b"keys": (same_members, "the order is that of the table"),
    b"randomkey": (same_kind, "random"),
    b"scan": (strtoul_takes_it, "Redis reads the empty cursor as 0 and a negative one as a huge one; ours refuses them"),
    b"dbsize": (numbers_within(len(KEYS)), "it counts keys that are over and not yet reclaimed"),
    b"object help": (same_kind, "our own sentences"),
    b"memory usage": (memory_usage, "another layout in memory; Redis measures keys that are over, too"),
    **differential_bits.ALLOWED,
    **differential_dump.ALLOWED,
    **differential_geo.ALLOWED,
    **differential_hash.ALLOWED,
    **differential_list.ALLOWED,
    **differential_script.ALLOWED,
    **differential_set.ALLOWED,
    **differential_sort.ALLOWED,
    **differential_stream.ALLOWED,
    **differential_zset.ALLOWED,
}


# The same of any command.
ALWAYS_ALLOWED = (
    (quotes(b"-ERR unknown command '"), "words with a NUL or a line end are quoted differently"),
    (quotes(b"-ERR Unsupported option "), "the same"),
)


def is_allowed(words, ours, theirs):
    name = words[0].lower()
    if name in (b"object", b"memory", b"pfdebug") and len(words) > 1:
        name += b" " + words[1].lower()
    compares = [compare for compare, _ in ALWAYS_ALLOWED] + ([ALLOWED[name][0]] if name in ALLOWED else [])
    return any(compare(words, ours, theirs) for compare in compares)


class Comparison:
    """Sends commands to both servers and keeps what differs."""

    def __init__(self):
        self.done = 0
        self.differences = []
        self.queues = {}  # by connection

    def note(self, words, ours, theirs, version):
        self.done += 1
        if ours != theirs and not is_allowed(words, ours, theirs):
            self.differences.append((self.done, words))
            say(f"command {self.done}, RESP{version}: {str(words)[:300]}")
            say(f"    redis-server: {str(theirs)[:300]}")
            say(f"    respite:      {str(ours)[:300]}")

    def note_all(self, words, our_reply, their_reply, side):
        """One reply, or those that EXEC gives, each as that of its command."""
        queued = self.queues.setdefault(side, differential_wait.Queue()).note(words, their_reply)
        if queued is None or our_reply[0] != their_reply[0] or len(their_reply) != len(queued) + 1:
            self.note(words, our_reply, their_reply, side.version)
            return
        for command, ours, theirs in zip(queued, our_reply[1:], their_reply[1:]):
            self.note(command, ours, theirs, side.version)

    def run(self, ours, theirs, commands):
        walks = [words for words in commands if words[0].lower() == b"scan" and words[1:2] == [b"0"]]
        plain = [words for words in commands if words not in walks]
        for words, our_reply, their_reply in zip(plain, ours.batch(plain), theirs.batch(plain)):
            self.note_all(words, our_reply, their_reply, ours)
        for words in walks:
            self.note(words, ours.scan(words), theirs.scan(words), ours.version)

    def check(self):
        check(not self.differences, f"{len(self.differences)} of {self.done} replies differ")


def sides(version):
    return Side(OURS, version), Side(REFERENCE, version)


def test_random_commands():
    """random commands get the replies of redis-server"""
    generator, comparison = Generator(arguments.seed), Comparison()
    pairs = [sides(2), sides(3)]
    start = time.monotonic()
    while comparison.done < arguments.count and len(comparison.differences) < SHOWN_MAX:
        comparison.run(*generator.random.choice(pairs), differential_wait.with_transactions(generator, BATCH))
    say(f"seed {arguments.seed}: {comparison.done} commands of {len(generator.names)} names, "
        f"{time.monotonic() - start:.1f} s")
    comparison.check()


def move_streams(ours, theirs):
    """Dumps every stream of each server and restores it at the other, where it must be the same; how many."""
    moved = 0
    for source, target in ((ours, theirs), (theirs, ours)):
        for key in [reply[1][:-2] for reply in source.batch([[b"KEYS", b"*"]])[0][1:]]:
            kind, payload = source.batch([[b"TYPE", key], [b"DUMP", key]])
            if kind != (b"+stream\r\n",):
                continue
            restored, = target.batch([[b"RESTORE", b"moved", b"0", payload[1][:-2], b"REPLACE"]])
            check(restored == (b"+OK\r\n",), f"{key!r}: RESTORE said {restored}")
            words = [b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]
            before, = source.batch([words])
            after, = target.batch([[b"XINFO", b"STREAM", b"moved"] + words[3:]])
            check(before == after or is_allowed(words, before, after), f"{key!r}: {str(before)[:200]} {str(after)[:200]}")
            moved += 1
        target.batch([[b"DEL", b"moved"]])
    return moved


def test_streams_alone():
    """commands on streams, drawn alone so that they meet, get the replies of redis-server; each reads the other's dumps"""
    generator, comparison = Generator(arguments.seed), Comparison()
    pairs = [sides(2), sides(3)]
    pairs[0][0].batch([[b"FLUSHALL"]]), pairs[0][1].batch([[b"FLUSHALL"]])
    generator.names = [name for name in generator.names if hasattr(differential_stream.StreamCommands, "make_" + name)
                       for _ in range(differential_stream.OFTEN.get(name, 1))]
    while comparison.done < arguments.count // 2 and len(comparison.differences) < SHOWN_MAX:
        comparison.run(*pairs[comparison.done // BATCH % 2], [generator.command() for _ in range(BATCH)])
    comparison.check()
    say(f"{move_streams(*pairs[0])} streams were dumped and restored")


def test_waiting():
    """several connections wait, change keys and end transactions in a drawn order: the same are served, with the same"""
    for version in (2, 3):
        dialogues = [differential_wait.Dialogue(lambda port=port: Side(port, version), Side(port, 2))
                     for port in (OURS, REFERENCE)]
        for dialogue in dialogues:
            dialogue.control.batch([[b"FLUSHALL"]])
        script = differential_wait.Script(arguments.seed + version)
        different = differential_wait.compare_dialogues(*dialogues, script, arguments.count // 10)
        check(different == 0, f"the answers to {different} commands differ")


def test_events():
    """random commands are told in keyspace notifications as by redis-server"""
    generator = Generator(arguments.seed)
    listeners = [differential_events.Listener(Side(port, 2), Side(port, 2)) for port in (OURS, REFERENCE)]
    different = eventful = done = 0
    for listener in listeners:
        listener.run([[b"FLUSHALL"]])
    while done < arguments.count and different < SHOWN_MAX:
        more = differential_events.compare(*listeners, [generator.command() for _ in range(BATCH)])
        different, eventful, done = different + more[0], eventful + more[1], done + BATCH
    for listener in listeners:
        listener.run([[b"CONFIG", b"SET", b"notify-keyspace-events", b""], [b"FLUSHALL"]])
    say(f"{eventful} of {done} commands had events")
    check(different == 0, f"the events of {different} commands differ")


def test_access():
    """random users are described alike, and may do the same, when asked and when they try"""
    generator = Generator(arguments.seed)
    access = differential_acl.Access(generator, differential_wait.ENTIRE)
    version = info(Client(REFERENCE), "server")["redis_version"]
    different = sum(differential_acl.compare(access, lambda: sides(protocol), version >= "7.2", is_allowed,
                                             arguments.count // 1000) for protocol in (2, 3))
    check(different == 0, f"{different} answers differ")


def test_arity():
    """every number of arguments is refused, or not, in the same words"""
    comparison = Comparison()
    for pair in (sides(2), sides(3)):
        for name in Generator(0).names:
            comparison.run(*pair, [[name.encode()] + [b"0"] * count for count in range(8)])
    comparison.check()


def test_memory_settings():
    """what limits memory is set, shown and refused in the same words, and says what it knows of a key"""
    policies = [b"volatile-lru", b"VOLATILE-LFU", b"volatile-random", b"volatile-ttl", b"allkeys-lru", b"allkeys-lfu",
                b"allkeys-random", b"noeviction", b"lru", b"", b"0"]
    settings = [(b"maxmemory", value) for value in (b"0", b"100gb", b"1g", b"0b", b"-1", b"1.5gb", b"x", b"1gbb", b"0")]
    settings += [(name, value) for name in (b"maxmemory-samples", b"lfu-log-factor", b"lfu-decay-time",
                                            b"maxmemory-eviction-tenacity")
                 for value in (b"-1", b"0", b"1", b"100", b"101", b"2147483647", b"2147483648", b"x", b"1.5", b"", b"10")]
    commands = [[b"CONFIG", b"SET", name, value] for name, value in settings]
    for policy in policies:
        commands += [[b"CONFIG", b"SET", b"maxmemory-policy", policy], [b"DEL", b"k"], [b"SET", b"k", b"v"]]
        commands += [[b"OBJECT", word, key] for key in (b"k", b"none") for word in (b"FREQ", b"IDLETIME")]
    commands += [[b"CONFIG", b"SET", b"maxmemory-policy", b"noeviction"]]
    comparison = Comparison()
    for pair in (sides(2), sides(3)):
        comparison.run(*pair, commands)
        comparison.run(*pair, [[b"CONFIG", b"GET", name] for name, _ in settings] + [[b"MEMORY", b"PURGE"], [b"FLUSHALL"]])
    comparison.check()


def test_full_memory():
    """where no memory is left, the same commands are refused, behind the same other reasons"""
    comparison = Comparison()
    for pair in (sides(2), sides(3)):
        comparison.run(*pair, [[b"SET", b"0", b"0"], [b"CONFIG", b"SET", b"maxmemory", b"1"]])
        for name in Generator(0).names:
            comparison.run(*pair, [[name.encode()] + [b"0"] * count for count in range(8)])
        comparison.run(*pair, [[b"CONFIG", b"SET", b"maxmemory", b"0"], [b"FLUSHALL"]])
    comparison.check()


def test_every_command():
    """every command of the groups that are compared takes part, as far as the worker has it"""
    client = Client(OURS)
    documents = client.call("COMMAND", "DOCS")
    groups = {name: fields[fields.index(b"group") + 1] for name, fields in zip(documents[::2], documents[1::2])}
    known = {name.decode() for name, group in groups.items() if group in COMPARED_GROUPS}
    missing = known - set(Generator(0).names)
    newer = {"cl.throttle", "delex", "delifeq", "digest", "msetex", "ratelimit.window"}
    newer |= {"hexpire", "hexpireat", "hexpiretime", "hgetdel", "hgetex", "hpersist", "hpexpire", "hpexpireat",
              "hpexpiretime", "hpttl", "hsetex", "httl"}
    check(missing == {"pfselftest", "wait", "waitaof"} | newer,
          f"{missing} are never drawn; only PFSELFTEST, those about replicas, and newer ones have nothing to compare")


if __name__ == "__main__":  # the random commands are drawn by other tests, too
    arguments_parser = argparse.ArgumentParser()
    arguments_parser.add_argument("--build")
    arguments_parser.add_argument("--seed", type=int, default=1)
    arguments_parser.add_argument("--count", type=int, default=100000)
    arguments_parser.add_argument("--reference", default="redis-server")
    arguments = arguments_parser.parse_args()
    BINARY = os.path.join(build_directory(), "respite-cacheworker")
    with server(REFERENCE, arguments.reference, "--port", str(REFERENCE), "--bind", "127.0.0.1", "--save", "",
                "--hz", "500"), \
            server(OURS, BINARY, "--standalone", "--port", str(OURS)):
        # Without it the reference takes packed values as they come; ours looks into them.
        check(Client(REFERENCE).call("CONFIG", "SET", "sanitize-dump-payload", "yes") == "OK", "CONFIG SET")
        tap.run([test_every_command, test_arity, test_memory_settings, test_full_memory, test_random_commands,
                 test_streams_alone, test_waiting, test_events, test_access])
