"""Random SORT and SORT_RO, for test_differential.py."""

PATTERNS = [b"w*", b"k*", b"hk*->f1", b"h*->12", b"hk1", b"nosort", b"*", b"#", b"", b"k*->", b"h*->f*", b"*->f1", b"ik*"]


class SortCommands:
    def sort_options(self, stores):
        """What is stored must be the same on both servers: not in the order of a table where weights are equal."""
        alphabetical = self.chance(0.6)
        drawn = [b"asc", b"desc", lambda: [b"limit", self.integer(), self.integer()],
                 lambda: [b"limit", b"1", b"3"], lambda: [b"get", self.random.choice(PATTERNS)],
                 lambda: [b"get", self.random.choice(PATTERNS)]]
        by = [b"nosort"] if stores and alphabetical else PATTERNS
        drawn += [lambda: [b"by", self.random.choice(by)]] * self.random.randint(0, 1)
        return self.options(drawn, 0.3) + [b"ALPHA"] * alphabetical

    def sort_key(self):
        return self.key_of(self.random.choice((b"i", b"s", b"l", b"z", b"z")))

    def make_sort(self):
        if self.chance(0.3):
            return [self.sort_key(), *self.sort_options(True), b"store", self.key_of(b"l")]
        return [self.sort_key(), *self.sort_options(False)]

    def make_sort_ro(self):
        stores = self.chance(0.1)
        return [self.sort_key(), *self.sort_options(stores)] + [b"store", self.key()] * stores


def is_unordered(words, ours, theirs):
    options = [word.lower() for word in words[2:]]
    if b"by" not in options or ours[0] != theirs[0] or ours[0][:1] != b"*":
        return False
    if b"limit" not in options and b"get" not in options and sorted(ours[1:]) != sorted(theirs[1:]):
        return False
    return b"alpha" in options or words[1][:1] in (b"i", b"s")


ALLOWED = {
    b"sort": (is_unordered, "equal weights, and sets that are not sorted, come in the order of Redis' table"),
    b"sort_ro": (is_unordered, "the same"),
}
