"""Random commands on hashes, for test_differential.py."""

FIELDS = [b"f%d" % number for number in range(8)] + [b"", b"12", b"-7", b"007", b"bin\x00\r\n\xff", b"F" * 64, b"G" * 65, b"H" * 300]


def by_pairs(reply):
    return sorted(zip(reply[1::2], reply[2::2]))


def same_pairs(_, ours, theirs):
    return ours[0] == theirs[0] and by_pairs(ours) == by_pairs(theirs)


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


def same_members(_, ours, theirs):
    return ours[0] == theirs[0] and sorted(ours[1:]) == sorted(theirs[1:])


class HashCommands:
    """make_*: the words behind the command's name."""

    def field(self):
        return self.random.choice(FIELDS)

    def fields_of(self, most):
        return [self.field() for _ in range(self.random.randint(1, most))]

    def field_pairs(self, most):
        return [word for field in self.fields_of(most) for word in (field, self.value())]

    def make_hset(self):
        if self.chance(0.02):  # many fields: another structure
            return [self.key_of(b"h")] + [word for number in range(600) for word in (b"m%d" % number, b"%d" % number)]
        return [self.key_of(b"h")] + self.field_pairs(4)

    def make_hmset(self):
        return [self.key_of(b"h")] + self.field_pairs(4)

    def make_hsetnx(self):
        return [self.key_of(b"h"), self.field(), self.value()]

    def make_hget(self):
        return [self.key_of(b"h"), self.field()]

    def make_hmget(self):
        return [self.key_of(b"h")] + self.fields_of(4)

    def make_hgetall(self):
        return [self.key_of(b"h")]

    def make_hkeys(self):
        return [self.key_of(b"h")]

    def make_hvals(self):
        return [self.key_of(b"h")]

    def make_hlen(self):
        return [self.key_of(b"h")]

    def make_hexists(self):
        return [self.key_of(b"h"), self.field()]

    def make_hstrlen(self):
        return [self.key_of(b"h"), self.field()]

    def make_hdel(self):
        return [self.key_of(b"h")] + self.fields_of(3)

    def make_hincrby(self):
        return [self.key_of(b"h"), self.field(), self.integer()]

    def make_hincrbyfloat(self):
        return [self.key_of(b"h"), self.field(), self.float() if self.chance(0.7) else self.value()]

    def make_hrandfield(self):
        if self.chance(0.3):
            return [self.key_of(b"h")]
        return [self.key_of(b"h"), self.pick_count()] + self.options([b"withvalues"], 0.4)

    def make_hscan(self):
        return [self.key_of(b"h"), b"0" if self.chance(0.9) else self.integer()] + self.options(
            [lambda: [b"match", self.random.choice((b"*", b"f*", b"?1"))], lambda: [b"count", self.integer()]], 0.3)


ALLOWED = {
    b"hgetall": (same_pairs, "the order is that of the table"),
    b"hkeys": (same_members, "the same"),
    b"hvals": (same_members, "the same"),
    b"hrandfield": (same_shape, "random"),
    b"hscan": (same_scan, "a cursor is the server's own, and how much a step shows"),
}
