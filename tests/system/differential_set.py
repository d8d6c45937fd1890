"""Random commands on sets, for test_differential.py."""

MEMBERS = [b"m%d" % number for number in range(8)] + [
    b"", b"12", b"-7", b"007", b"-0", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808",
    b"bin\x00\r\n\xff", b"F" * 64, b"G" * 65, b"H" * 300]
COUNTS = [b"0", b"-0", b"abc", b"", b"1.5", b"-9223372036854775808", b"9223372036854775807", b"9223372036854775808"]
BIG = [[b"%d" % number for number in range(600)], [b"m%d" % number for number in range(140)],
       [b"%d" % (number << 20) for number in range(100)] + [b"last"]]

ONLY = b"="  # of a set with one member, also where words change their case
ENTIRE = ("sadd", "spop")  # with a member more, or without its count, it pops what chance has it


def same_members(_, ours, theirs):
    return ours[0] == theirs[0] and sorted(ours[1:]) == sorted(theirs[1:])


def same_shape(_, ours, theirs):
    """As many of the same kind: of a random choice."""
    if ours[0][:1] == b"$":
        return theirs[0][:1] == b"$"
    return ours[0] == theirs[0] and len(ours) == len(theirs)


def same_scan(words, ours, theirs):
    """A step of a walk: a cursor of its own, members. Redis takes anything that strtoul reads for a cursor."""
    if ours == (b"-ERR invalid cursor\r\n",):
        return not words[2].isdigit() or words[2].startswith(b"0")
    return len(ours) == len(theirs) == 3


class SetCommands:
    """make_*: the words behind the command's name. Keys that begin with i have integers only, those with o one member."""

    def set_key(self):
        return self.key_of(b"i" if self.chance(0.4) else b"s")

    def set_keys(self, most):
        return [self.set_key() for _ in range(self.random.randint(1, most))]

    def set_member(self, key):
        if key.startswith(b"i"):
            return b"%d" % (self.random.randint(-20, 20) << self.random.choice((0, 0, 0, 14, 30, 58)))
        return self.random.choice(MEMBERS) if self.chance(0.7) else self.integer()

    def set_members_of(self, key, most):
        return [self.set_member(key) for _ in range(self.random.randint(1, most))]

    def make_sadd(self):
        if self.chance(0.02):
            return [self.set_key()] + self.random.choice(BIG)
        if self.chance(0.1):
            return [self.key_of(b"o"), ONLY]
        key = self.set_key()
        return [key] + self.set_members_of(key, 4)

    def make_srem(self):
        if self.chance(0.02):
            return [self.set_key()] + self.random.choice(BIG)[3:]
        key = self.set_key()
        return [key] + self.set_members_of(key, 4)

    def make_sismember(self):
        key = self.set_key()
        return [key, self.set_member(key)]

    def make_smismember(self):
        key = self.set_key()
        return [key] + self.set_members_of(key, 4)

    def make_scard(self):
        return [self.set_key()]

    def make_smembers(self):
        return [self.set_key()]

    def make_smove(self):
        key = self.set_key()
        return [key, self.set_key(), self.set_member(key)]

    def make_spop(self):
        """Where nothing is left to chance, or the sets would differ for ever."""
        if self.chance(0.3):
            return [b"o" + self.key()]
        if self.chance(0.3):
            return [b"o" + self.key(), self.random.choice([b"0", b"1", b"2", b"9223372036854775807"])]
        return [self.set_key(), self.random.choice(COUNTS + [b"-1", b"100000"])]

    def pick_count(self):
        return self.random.choice(COUNTS) if self.chance(0.2) else self.integer()[:4]

    def make_srandmember(self):
        if self.chance(0.3):
            return [self.set_key()]
        return [self.set_key(), self.pick_count()]

    def make_sinter(self):
        return self.set_keys(4)

    def make_sintercard(self):
        keys = self.set_keys(4)
        count = b"%d" % len(keys) if self.chance(0.8) else self.integer()
        return [count] + keys + self.options([lambda: [b"LIMIT", self.integer()], b"limit"], 0.3)

    def make_sinterstore(self):
        return self.set_keys(4) + [self.set_key()]

    def make_sunion(self):
        return self.set_keys(4)

    def make_sunionstore(self):
        return self.set_keys(3) + [self.set_key()]

    def make_sdiff(self):
        return self.set_keys(4)

    def make_sdiffstore(self):
        return self.set_keys(4) + [self.set_key()]

    def make_sscan(self):
        return [self.set_key(), b"0" if self.chance(0.9) else self.integer()] + self.options(
            [lambda: [b"match", self.random.choice((b"*", b"m*", b"?1"))], lambda: [b"count", self.integer()]], 0.3)


ALLOWED = {
    b"smembers": (same_members, "the order is that of the table"),
    b"sinter": (same_members, "the same"),
    b"sunion": (same_members, "the same"),
    b"sdiff": (same_members, "the same"),
    b"spop": (same_members, "the same, where all go"),
    b"srandmember": (same_shape, "random"),
    b"sscan": (same_scan, "a cursor is the server's own, and how much a step shows"),
}
