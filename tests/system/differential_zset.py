"""Random commands on sorted sets, for test_differential.py."""

MEMBERS = [b"m%d" % number for number in range(10)] + [b"", b"12", b"-7", b"007", b"bin\x00\r\n\xff", b"M" * 64, b"N" * 65]
SCORES = [b"0", b"1", b"2", b"2.5", b"-1", b"3", b"inf", b"-inf", b"+inf", b"1e300", b"0.1", b"-0", b"nan", b"abc", b"",
          b"0x10", b"1e-7", b"123456789012", b"3.0000000000000004", b"17976931348623157e292", b"4503599627370497"]
LIMITS = [b"-inf", b"+inf", b"(1", b"1", b"(2.5", b"2", b"(-1", b"inf", b"(inf", b"abc", b"(", b"5", b"-5"]
LEX_LIMITS = [b"-", b"+", b"[m1", b"(m1", b"[m5", b"(m9", b"[", b"(", b"[a", b"[zz", b"m1", b"", b"++"]


def same_shape(_, ours, theirs):
    """As many of the same kind: of a random choice."""
    if ours[0][:1] == b"$":
        return theirs[0][:1] == b"$"
    return ours[0] == theirs[0] and len(ours) == len(theirs)


def same_scan(words, ours, theirs):
    """A step of a walk: a cursor of its own, pairs. Redis takes anything that strtoul reads for a cursor."""
    if ours == (b"-ERR invalid cursor\r\n",):
        return not words[2].isdigit() or words[2].startswith(b"0")
    return len(ours) == len(theirs) == 3 and len(ours[2]) % 2 == 1 and len(theirs[2]) % 2 == 1


def same_number(ours, theirs):
    """The same text, or what version 7.0 writes with seventeen digits and 7.2 with as few as it takes."""
    if ours == theirs:
        return True
    try:
        number = float(ours.strip(b"$,\r\n"))
        return theirs.strip(b"$,\r\n") == b"%.17g" % number
    except ValueError:
        return False


def same_numbers(_, ours, theirs):
    """The same reply, but for how a score is written."""
    if isinstance(ours, bytes) or isinstance(theirs, bytes):
        return isinstance(ours, bytes) and isinstance(theirs, bytes) and same_number(ours, theirs)
    if len(ours) == len(theirs) == 2 and ours[0][:1] == theirs[0][:1] == b"$":
        return same_number(ours[1], theirs[1])
    return len(ours) == len(theirs) and all(same_numbers(None, *pair) for pair in zip(ours, theirs))


def newer_rank(words, ours, theirs):
    """Version 7.2 takes WITHSCORE."""
    return len(words) == 4 and ours[0] == b"-ERR syntax error\r\n" and theirs[0].startswith(b"-ERR wrong number")


class SortedSetCommands:
    """make_*: the words behind the command's name."""

    def member(self):
        return self.random.choice(MEMBERS)

    def score(self):
        return self.random.choice(SCORES[:6]) if self.chance(0.7) else self.random.choice(SCORES)

    def scored(self, most):
        return [word for _ in range(self.random.randint(1, most)) for word in (self.score(), self.member())]

    def lexical_key(self):
        """A sorted set of equal scores, or no sorted set: of others ranges of members are anything."""
        return self.random.choice((b"zl", b"zl", b"zl", b"zl", b"h")) + self.key()

    def make_zadd(self):
        if self.chance(0.2):
            names = [self.member() for _ in range(3)] if self.chance(0.9) else [b"n%d" % number for number in range(200)]
            return [b"zl" + self.key()] + [word for name in names for word in (b"0", name)]
        if self.chance(0.02):  # many members: another structure
            return [self.key_of(b"z")] + [word for number in range(200) for word in (b"%d" % (number % 50), b"n%d" % number)]
        return [self.key_of(b"z")] + self.options([b"NX", b"xx", b"GT", b"lt", b"CH", b"incr"], 0.1) + self.scored(3)

    def make_zincrby(self):
        return [self.key_of(b"z"), self.score(), self.member()]

    def make_zrem(self):
        return [self.key_of(b"z")] + [self.member() for _ in range(self.random.randint(1, 3))]

    def make_zcard(self):
        return [self.key_of(b"z")]

    def make_zscore(self):
        return [self.key_of(b"z"), self.member()]

    def make_zmscore(self):
        return [self.key_of(b"z")] + [self.member() for _ in range(self.random.randint(1, 3))]

    def make_zrank(self):
        return [self.key_of(b"z"), self.member()]

    def make_zrevrank(self):
        return [self.key_of(b"z"), self.member()]

    def make_zcount(self):
        return [self.key_of(b"z"), self.random.choice(LIMITS), self.random.choice(LIMITS)]

    def make_zlexcount(self):
        return [self.lexical_key(), self.random.choice(LEX_LIMITS), self.random.choice(LEX_LIMITS)]

    def limit(self):
        return [b"LIMIT", self.integer()[:3], self.integer()[:3]]

    def rank(self):
        return b"%d" % self.random.randint(-6, 12) if self.chance(0.9) else self.integer()

    def make_zrange(self):
        kind = self.random.choice((b"", b"BYSCORE", b"bylex"))
        choice = {b"": self.rank, b"BYSCORE": lambda: self.random.choice(LIMITS),
                  b"bylex": lambda: self.random.choice(LEX_LIMITS)}[kind]
        words = self.options([b"REV", b"withscores", self.limit], 0.3) + ([kind] if kind else [])
        return [self.lexical_key() if kind == b"bylex" else self.key_of(b"z"), choice(), choice()] + words

    def make_zrevrange(self):
        return [self.key_of(b"z"), self.rank(), self.rank()] + self.options([b"WITHSCORES", self.limit], 0.2)

    def make_zrangebyscore(self):
        return [self.key_of(b"z"), self.random.choice(LIMITS), self.random.choice(LIMITS)] + self.options(
            [b"WITHSCORES", self.limit], 0.4)

    def make_zrevrangebyscore(self):
        return self.make_zrangebyscore()

    def make_zrangebylex(self):
        return [self.lexical_key(), self.random.choice(LEX_LIMITS), self.random.choice(LEX_LIMITS)] + self.options(
            [self.limit], 0.4)

    def make_zrevrangebylex(self):
        return self.make_zrangebylex()

    def make_zremrangebyrank(self):
        return [self.key_of(b"z"), self.rank(), self.rank()]

    def make_zremrangebyscore(self):
        return [self.key_of(b"z"), self.random.choice(LIMITS), self.random.choice(LIMITS)]

    def make_zremrangebylex(self):
        return [self.lexical_key(), self.random.choice(LEX_LIMITS), self.random.choice(LEX_LIMITS)]

    def make_zpopmin(self):
        return [self.key_of(b"z")] + ([self.integer()] if self.chance(0.5) else [])

    def make_zpopmax(self):
        return self.make_zpopmin()

    def make_zmpop(self):
        keys = [self.key_of(b"z") for _ in range(self.random.randint(1, 3))]
        count = b"%d" % len(keys) if self.chance(0.9) else self.integer()
        return [count] + keys + [self.random.choice((b"MIN", b"max", b"x"))] + self.options(
            [lambda: [b"COUNT", self.integer()]], 0.4)

    def make_zrandmember(self):
        if self.chance(0.3):
            return [self.key_of(b"z")]
        return [self.key_of(b"z"), self.pick_count()] + self.options([b"withscores"], 0.4)

    def sources(self):
        """Two to combine, mostly; sets count as sorted sets."""
        keys = [self.key_of(b"z" if self.chance(0.85) else b"s") for _ in range(self.random.choice((1, 2, 2, 2, 3, 4)))]
        return [b"%d" % len(keys) if self.chance(0.95) else self.integer()] + keys

    def weights(self, sources):
        count = len(sources) - 1 if self.chance(0.95) else self.random.randint(0, 4)
        return [b"weights"] + [self.score() if self.chance(0.5) else b"1" for _ in range(count)]

    def combined(self, *options):
        sources = self.sources()
        aggregates = (b"SUM", b"min", b"MAX", b"avg")
        return sources + self.options(
            [lambda: self.weights(sources), lambda: [b"AGGREGATE", self.random.choice(aggregates)], *options], 0.35)

    def make_zunion(self):
        return self.combined(b"WITHSCORES", b"withscores")

    def make_zinter(self):
        return self.make_zunion()

    def make_zdiff(self):
        return self.sources() + self.options([b"withscores", b"WEIGHTS"], 0.3)

    def make_zintercard(self):
        return self.sources() + self.options([lambda: [b"LIMIT", self.integer()], b"withscores"], 0.2)

    def make_zunionstore(self):
        return [self.key_of(b"z")] + (self.combined() if self.chance(0.9) else self.make_zunion())

    def make_zinterstore(self):
        return self.make_zunionstore()

    def make_zdiffstore(self):
        return [self.key_of(b"z")] + (self.sources() if self.chance(0.9) else self.make_zdiff())

    def make_zrangestore(self):
        return [self.key_of(b"z")] + self.make_zrange()

    def make_zscan(self):
        return [self.key_of(b"z"), b"0" if self.chance(0.9) else self.integer()] + self.options(
            [lambda: [b"match", self.random.choice((b"*", b"m*", b"?1"))], lambda: [b"count", self.integer()]], 0.3)


ALLOWED = {
    **{name: (same_numbers, "version 7.2 writes the shortest text of a number")
       for name in (b"zadd", b"zincrby", b"zscore", b"zmscore", b"zrange", b"zrevrange", b"zrangebyscore",
                    b"zrevrangebyscore", b"zpopmin", b"zpopmax", b"zmpop", b"bzpopmin", b"bzpopmax", b"bzmpop", b"zunion",
                    b"zinter", b"zdiff")},
    b"zrank": (newer_rank, "version 7.2 takes WITHSCORE"),
    b"zrevrank": (newer_rank, "the same"),
    b"zrandmember": (same_shape, "random"),
    b"zscan": (same_scan, "a cursor is the server's own, and how much a step shows"),
}
