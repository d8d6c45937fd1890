"""Random commands on lists, for test_differential.py."""

ELEMENTS = [b"a", b"b", b"c", b"", b"12", b"-7", b"007", b"bin\x00\r\n\xff", b"x" * 63, b"y" * 64, b"z" * 5000, b"w" * 9000]
NUMKEYS = [b"0", b"-1", b"abc", b"", b"9", b"1.5", b"01"]  # none that makes the reference's index overflow


def least_rank(words, ours, _):
    return b"-9223372036854775808" in words and ours[0].startswith(b"-ERR value is out of range, value must between")


class ListCommands:
    """make_*: the words behind the command's name."""

    def list_key(self):
        return self.key_of(b"l")

    def element(self):
        return self.random.choice(ELEMENTS) if self.chance(0.8) else self.value()

    def elements(self, most):
        return [self.element() for _ in range(self.random.randint(1, most))]

    def list_end(self):
        return self.random.choice((b"LEFT", b"RIGHT", b"left", b"Right")) if self.chance(0.95) else self.value()

    def index(self):
        return self.integer() if self.chance(0.3) else b"%d" % self.random.choice((0, -1, 1, -2, 3, -4, 10, -10, 100, 300))

    def make_lpush(self):
        if self.chance(0.03):  # many elements: another structure
            return [self.list_key()] + [b"%d" % number for number in range(3000)]
        return [self.list_key()] + self.elements(6)

    def make_rpush(self):
        if self.chance(0.03):
            return [self.list_key()] + [b"element %d" % (number % 100) for number in range(1000)]
        return [self.list_key()] + self.elements(6)

    def make_lpushx(self):
        return [self.list_key()] + self.elements(3)

    def make_rpushx(self):
        return [self.list_key()] + self.elements(3)

    def make_lpop(self):
        return [self.list_key()] + ([self.index()] if self.chance(0.4) else [])

    def make_rpop(self):
        return [self.list_key()] + ([self.index()] if self.chance(0.4) else [])

    def make_llen(self):
        return [self.list_key()]

    def make_lindex(self):
        return [self.list_key(), self.index()]

    def make_linsert(self):
        side = self.random.choice((b"BEFORE", b"AFTER", b"before")) if self.chance(0.95) else self.value()
        return [self.list_key(), side, self.element(), self.element()]

    def make_lset(self):
        return [self.list_key(), self.index(), self.element()]

    def make_lrange(self):
        return [self.list_key()] + (([b"0", b"-1"]) if self.chance(0.3) else [self.index(), self.index()])

    def make_lrem(self):
        return [self.list_key(), self.index(), self.element()]

    def make_ltrim(self):
        return [self.list_key(), self.index(), self.index()]

    def make_lpos(self):
        return [self.list_key(), self.element()] + self.options(
            [lambda: [b"RANK", self.index()], lambda: [b"COUNT", self.index()], lambda: [b"MAXLEN", self.index()],
             b"COUNT"], 0.3)

    def make_lmove(self):
        return [self.list_key(), self.list_key(), self.list_end(), self.list_end()]

    def make_rpoplpush(self):
        return [self.list_key(), self.list_key()]

    def make_lmpop(self):
        keys = [self.list_key() for _ in range(self.random.randint(1, 3))]
        count = b"%d" % len(keys) if self.chance(0.9) else self.random.choice(NUMKEYS)
        return [count] + keys + [self.list_end()] + self.options([lambda: [b"COUNT", self.index()]], 0.5)


ALLOWED = {
    b"lpos": (least_rank, "7.0 takes the least number for a rank, 7.2 refuses it"),
}
