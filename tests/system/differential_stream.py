"""Random commands on streams, for test_differential.py.

Times are what the two servers differ in: so entries get ids that are given, or a number within a given millisecond, and
nobody waits. Version 7.0 creates a consumer when it first gets something, 7.2 and ours when it first asks: so who exists is
not compared. XSETID sets no id below one that was deleted, which 7.0 would do and 7.2 refuses.
"""

IDS = [b"%d-%d" % (ms, seq) for ms in (1, 2, 3, 5, 8, 13, 21) for seq in (0, 1, 2)]
RECENT = 20  # ids of the entries added last that are drawn again
ODD_IDS = [b"", b"-", b"+", b"$", b">", b"5-*", b"x", b"5-x", b"-5", b"5-", b"5-3-1", b"0", b"0-0", b"0-1", b"(5", b"(-",
           b"007-01", b"+7", b" 7", b"5-18446744073709551615", b"18446744073709551616", b"5-3\x00",
           b"(18446744073709551615-18446744073709551615", b"(0-0", b"5 -3", b"9" * 130]
GROUPS = [b"g1", b"g2", b"G3", b""]
CONSUMERS = [b"alice", b"bob", b"c", b""]
FIELDS = [b"f1", b"f2", b"12", b"-7", b"", b"bin\x00\r\n\xff", b"F" * 70]
CLOCKS_APART_MS = 3000


def number(reply):
    return int(reply[0][1:])


def near(ours, theirs):
    """Two times, or spans of time."""
    return ours[0][:1] == theirs[0][:1] == b":" and abs(number(ours) - number(theirs)) <= CLOCKS_APART_MS


def same_pending(words, ours, theirs):
    """[id, consumer, idle, deliveries] each; the idle time differs."""
    if len(words) == 3 or ours[0] != theirs[0] or ours[0][:1] != b"*":
        return False
    return all(mine[:3] == other[:3] and near(mine[3], other[3]) and mine[4] == other[4]
               for mine, other in zip(ours[1:], theirs[1:]))


def fields(reply):
    """A map, in RESP2 or RESP3, by its names."""
    return {reply[place][1][:-2]: reply[place + 1] for place in range(1, len(reply), 2)}


def consumers_that_own(reply, name):
    """The consumers with something pending: name and how much."""
    listed = [fields(consumer) for consumer in reply[1:]]
    return [(consumer[b"name"], consumer[name]) for consumer in listed if number(consumer[name]) > 0]


def same_owned(ours, theirs):
    return len(ours) == len(theirs) and all(
        mine[1] == other[1] and near(mine[-2], other[-2]) and mine[-1] == other[-1] and mine[2:-2] == other[2:-2]
        for mine, other in zip(ours[1:], theirs[1:]))


def same_group(ours, theirs):
    ours, theirs = fields(ours), fields(theirs)
    owners = [consumers_that_own(group.pop(b"consumers"), b"pel-count") for group in (ours, theirs)]
    return owners[0] == owners[1] and same_owned(ours.pop(b"pending"), theirs.pop(b"pending")) and ours == theirs


def same_info(words, ours, theirs):
    """XINFO, but for times, and for consumers that have nothing pending."""
    what = words[1].lower() if len(words) > 1 else b""
    if ours[0][:1] == b"-" or theirs[0][:1] == b"-":
        return False
    if what == b"help":
        return True
    if what == b"consumers":
        return consumers_that_own(ours, b"pending") == consumers_that_own(theirs, b"pending")
    if what == b"groups":
        without = [[{**fields(group), b"consumers": None} for group in reply[1:]] for reply in (ours, theirs)]
        return without[0] == without[1]
    ours, theirs = fields(ours), fields(theirs)
    if b"entries" not in ours:  # not FULL
        return ours == theirs
    groups = ours.pop(b"groups"), theirs.pop(b"groups")
    return ours == theirs and len(groups[0]) == len(groups[1]) and all(map(same_group, groups[0][1:], groups[1][1:]))


def same_group_command(words, ours, theirs):
    what = words[1].lower() if len(words) > 1 else b""
    if what == b"createconsumer":
        return ours[0] in (b":0\r\n", b":1\r\n") and theirs[0] in (b":0\r\n", b":1\r\n")
    return what == b"help" and ours[0][:1] == theirs[0][:1] == b"*"


def newer_words(_, ours, theirs):
    """How an uneven list of streams is refused."""
    return ours[0].startswith(b"-ERR Unbalanced '") and theirs[0].startswith(b"-ERR Unbalanced XREAD list")


class StreamCommands:
    """make_*: the words behind the command's name."""

    added = 0

    def stream(self):
        """One of few, so that what commands do meets."""
        return b"xk%d" % self.random.randint(1, 2) if self.chance(0.9) else self.key_of(b"x")

    def id(self):
        if self.added > 0 and self.chance(0.6):
            return self.id_number(max(1, self.added - self.random.randint(0, RECENT)))
        return self.random.choice(IDS) if self.chance(0.9) else self.random.choice(ODD_IDS)

    def id_number(self, number):
        """Ids that go up, several to a millisecond, above all others."""
        return b"%d-%d" % (30 + number // 5, 10 * (number % 5))

    def end(self, usual):
        return usual if self.chance(0.3) else self.random.choice((b"", b"", b"(")) + self.id()

    def group(self):
        return self.random.choice(GROUPS[:2]) if self.chance(0.9) else self.random.choice(GROUPS)

    def consumer(self):
        return self.random.choice(CONSUMERS)

    def small(self):
        return b"%d" % self.random.randint(0, 12) if self.chance(0.9) else self.integer()

    def trim(self):
        words = [self.random.choice((b"MAXLEN", b"maxlen"))] if self.chance(0.5) else [b"MINID"]
        words += self.random.choice(([], [b"="], [b"~"], [b"~"]))
        words.append(self.id() if words[0] == b"MINID" else self.small() if self.chance(0.2) else
                     b"%d" % self.random.randint(10, 60))
        return words + ([b"LIMIT", self.small()] if self.chance(0.2) else [])

    def make_xadd(self):
        drawn = self.random.random()
        self.added += 1
        identity = self.id_number(self.added)
        if drawn < 0.2:
            identity = identity.split(b"-")[0] + b"-*"
        elif drawn < 0.3:
            identity = self.id()
        names = FIELDS[:2] if self.chance(0.7) else [self.random.choice(FIELDS) for _ in range(self.random.randint(1, 4))]
        pairs = [word for name in names for word in (name, self.value())]
        return [self.stream()] + self.options([b"NOMKSTREAM", self.trim], 0.15) + [identity] + pairs

    def make_xlen(self):
        return [self.stream()]

    def make_xdel(self):
        return [self.stream()] + [self.id() for _ in range(self.random.randint(1, 3))]

    def make_xtrim(self):
        return [self.stream()] + self.trim() + self.options([b"limit"], 0.05)

    def make_xrange(self):
        return [self.stream(), self.end(b"-"), self.end(b"+")] + self.options([lambda: [b"COUNT", self.small()]], 0.3)

    def make_xrevrange(self):
        return [self.stream(), self.end(b"+"), self.end(b"-")] + self.options([lambda: [b"COUNT", self.small()]], 0.3)

    def make_xsetid(self):
        last = self.id_number(self.added) if self.chance(0.9) else self.random.choice((b"x", b"+", b"-", b"(5"))
        return [self.stream(), last] + self.options(
            [lambda: [b"ENTRIESADDED", self.small()], lambda: [b"MAXDELETEDID", self.random.choice(IDS)]], 0.3)

    def make_xread(self):
        streams = [self.stream() for _ in range(self.random.randint(1, 3))]
        after = [b"$" if self.chance(0.1) else self.id() for _ in streams]
        return self.options([lambda: [b"COUNT", self.small()], lambda: [b"BLOCK", self.random.choice((b"-1", b"x"))], b"NOACK",
                             lambda: [b"GROUP", self.group(), self.consumer()]], 0.1) + [b"STREAMS"] + streams + after

    def make_xreadgroup(self):
        streams = [self.stream()] if self.chance(0.8) else [self.stream(), self.stream()]
        after = [b">" if self.chance(0.7) else self.id() for _ in streams]
        return [b"GROUP", self.group(), self.consumer()] + self.options(
            [lambda: [b"COUNT", self.small()], b"NOACK"], 0.3) + [b"STREAMS"] + streams + after

    def make_xgroup(self):
        what = self.random.choice((b"CREATE", b"create", b"SETID", b"DESTROY", b"CREATECONSUMER", b"DELCONSUMER"))
        if self.chance(0.6):
            what = b"CREATE"
        elif self.chance(0.05):
            what = self.random.choice((b"HELP", b"nonesuch"))
        if what == b"HELP":
            return [what]
        words = [what, self.stream(), self.group()]
        if what.lower() in (b"create", b"setid"):
            words.append(self.random.choice((b"$", b"0", b"0", self.id())))
            options = [lambda: [b"ENTRIESREAD", self.small()]] + ([b"MKSTREAM"] if what != b"SETID" else [])
            words += self.options(options, 0.3)
        elif what in (b"CREATECONSUMER", b"DELCONSUMER"):
            words.append(self.consumer())
        return words

    def make_xack(self):
        return [self.stream(), self.group()] + [self.id() for _ in range(self.random.randint(1, 6))]

    def make_xpending(self):
        words = [self.stream(), self.group()]
        if self.chance(0.4):
            return words
        idle = [b"IDLE", self.random.choice((b"0", b"1000000", b"-5", b"x"))] if self.chance(0.3) else []
        return words + idle + [self.end(b"-"), self.end(b"+"), self.small()] + (
            [self.consumer()] if self.chance(0.3) else [])

    def idle(self):
        return self.random.choice((b"0", b"1000000", b"-1", b"x")) if self.chance(0.2) else b"0"

    def make_xclaim(self):
        return [self.stream(), self.group(), self.consumer(), self.idle()] + [
            self.id() for _ in range(self.random.randint(1, 3))] + self.options(
                [b"FORCE", b"JUSTID", lambda: [b"IDLE", self.integer()], lambda: [b"TIME", self.integer()],
                 lambda: [b"RETRYCOUNT", self.small()], lambda: [b"LASTID", self.id()]], 0.2)

    def make_xautoclaim(self):
        return [self.stream(), self.group(), self.consumer(), self.idle(), self.end(b"0")] + self.options(
            [lambda: [b"COUNT", b"%d" % self.random.randint(-1, 5)], b"JUSTID"], 0.3)

    def make_xinfo(self):
        what = self.random.choice((b"STREAM", b"stream", b"GROUPS", b"CONSUMERS"))
        if self.chance(0.03):
            what = self.random.choice((b"HELP", b"nonesuch"))
        if what == b"HELP":
            return [what]
        if what == b"CONSUMERS":
            return [what, self.stream(), self.group()]
        if what.lower() == b"stream" and self.chance(0.5):
            return [what, self.stream(), b"FULL"] + ([b"COUNT", self.small()] if self.chance(0.4) else [])
        return [what, self.stream()]


# What is drawn more often when nothing but streams is: entries must come before anything can be done with them.
OFTEN = {"xadd": 8, "xgroup": 3, "xreadgroup": 5, "xack": 2, "xclaim": 2, "xautoclaim": 2}

ALLOWED = {
    b"xpending": (same_pending, "the servers carry out a command at different times"),
    b"xinfo": (same_info, "the same; and what version 7.2 says more, and when it creates consumers"),
    b"xgroup": (same_group_command, "version 7.2 creates consumers earlier; the help is our own"),
    b"xread": (newer_words, "version 7.2 names the command"),
    b"xreadgroup": (newer_words, "the same"),
}
