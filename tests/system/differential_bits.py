"""Random commands on bitmaps and HyperLogLogs, for test_differential.py."""

BIT_OFFSETS = [b"-1", b"4294967296", b"9223372036854775807", b"-9223372036854775808", b"abc", b"", b"+1", b"01", b" 1", b"1.5"]
FIELD_TYPES = [b"u64", b"i65", b"u0", b"i0", b"u", b"i", b"", b"x8", b"U8", b"i-1", b"u08", b"8", b"u1", b"i1", b"i64", b"u63"]
HLL_KEYS = [b"pf%d" % number for number in range(6)]  # apart: other commands would damage most of them
HLL_VALUES = [b"", b"HYLL", b"no hyperloglog at all", b"HYLL\x01" + b"\x00" * 11, b"HYLL\x02" + b"\x00" * 11 + b"\x7f\xff",
              b"HYLL" + b"\x00" * 12299, b"HYLL" + b"\x00" * 12301, b"HYLL" + b"\x00" * 11 + b"\x80" + b"\xff" * 12288]


def corrupt_to_us(_, ours, theirs):
    return ours == (b"-INVALIDOBJ Corrupted HLL object detected\r\n",) and theirs[0].startswith(b"$")


class BitmapCommands:
    """make_*: the words behind the command's name."""

    def bit_offset(self):
        """None that is good and far off: each would cost both servers that much memory."""
        if self.chance(0.05):
            return self.random.choice(BIT_OFFSETS)
        return b"%d" % self.random.randint(0, self.random.choice((8, 100, 100, 30000)))

    def bit_range(self):
        ends = [self.integer() if self.chance(0.1) else b"%d" % self.random.randint(-100, 100) for _ in range(2)]
        return ends + ([self.random.choice((b"BIT", b"BYTE", b"bit", b"byte", b"BITS"))] if self.chance(0.6) else [])

    def bit_field_type(self):
        if self.chance(0.05):
            return self.random.choice(FIELD_TYPES)
        return b"u%d" % self.random.randint(1, 63) if self.chance(0.5) else b"i%d" % self.random.randint(1, 64)

    def bit_field(self):
        if self.chance(0.2):
            number = self.random.choice((b"0", b"1", b"2", b"5", b"17", b"300", b"", b"-1", b"#1"))
            return [self.bit_field_type(), b"#" + number]
        return [self.bit_field_type(), self.bit_offset()]

    def bit_operand(self):
        if self.chance(0.1):
            return self.integer()
        bound = 1 << self.random.randint(0, 63)
        return b"%d" % self.random.randint(-bound, bound - 1)

    def bit_field_operation(self):
        kind = self.random.random()
        if kind < 0.25:
            words = [b"GET", *self.bit_field()]
        elif kind < 0.5:
            words = [b"SET", *self.bit_field(), self.bit_operand()]
        elif kind < 0.8:
            words = [b"INCRBY", *self.bit_field(), self.bit_operand()]
        else:
            kinds = (b"WRAP", b"SAT", b"FAIL", b"wrap", b"sat", b"fail", b"SAT", b"FAIL", b"NONE")
            words = [b"OVERFLOW", self.random.choice(kinds)]
        return words[:-1] if self.chance(0.03) else words

    def make_bitcount(self):
        return [self.key()] + (self.bit_range() if self.chance(0.8) else [])

    def make_bitfield(self):
        return [self.key()] + [word for _ in range(self.random.randint(0, 5)) for word in self.bit_field_operation()]

    def make_bitfield_ro(self):
        if self.chance(0.2):
            return self.make_bitfield()
        return [self.key()] + [word for _ in range(self.random.randint(0, 3)) for word in (b"GET", *self.bit_field())]

    def make_bitop(self):
        operation = self.random.choice((b"AND", b"OR", b"XOR", b"NOT", b"and", b"or", b"xor", b"Not", b"NAND"))
        return [operation, self.key()] + (self.keys_of(1) if operation.upper() == b"NOT" else self.keys_of(5))

    def make_bitpos(self):
        bit = self.random.choice((b"0", b"1", b"0", b"1", b"0", b"1", b"2", b"x"))
        return [self.key(), bit] + self.bit_range()[:self.random.randint(0, 3)]

    def make_getbit(self):
        return [self.key(), self.bit_offset()]

    def make_setbit(self):
        return [self.key(), self.bit_offset(), self.random.choice((b"0", b"1", b"0", b"1", b"1", b"1", b"1", b"2", b"x"))]


class HyperLogLogCommands:
    """The same. Their keys are their own, but for a few commands that are given them too (hyperloglog_key)."""

    def hyperloglog_key(self):
        return self.random.choice(HLL_KEYS)

    def hyperloglog_runs(self):
        """Sparse registers, each run as often as not of the next few only."""
        runs, left = [], 16384
        while left > 0:
            kind = self.random.choice("zZvvv")
            length = min(left, self.random.randint(1, {"z": 64, "Z": self.random.choice((2000, 16384)), "v": 4}[kind]))
            if kind == "v":
                runs.append(bytes([0x80 | self.random.randint(0, 31) << 2 | length - 1]))
            else:
                runs.append(bytes([length - 1]) if kind == "z" else bytes([0x40 | length - 1 >> 8, length - 1 & 255]))
            left -= length
        return runs

    def hyperloglog(self):
        """A value as it may be, or nearly so. Not: a run cut in two, or values behind the last register. Some commands
        of Redis 7.0 take these; ours refuse them."""
        if self.chance(0.2):
            return self.random.choice(HLL_VALUES)
        if self.chance(0.1):
            return b"HYLL" + b"\x00" * 11 + b"\x80" + bytes(self.random.choice((0, 0, 1, 68, 130)) for _ in range(12288))
        runs = self.hyperloglog_runs()
        if self.chance(0.2):
            runs = runs[:-1] if self.chance(0.5) else runs + [b"\x05"]
        count = b"\x00" * 7 + b"\x80" if self.chance(0.8) else b"%c" % self.random.randint(0, 255) + b"\x00" * 7
        return b"HYLL\x01\x00\x00\x00" + count + b"".join(runs)

    def make_pfadd(self):
        count = self.random.choice((0, 1, 1, 2, 3, 10, 100, 300))
        return [self.hyperloglog_key()] + [b"%d" % self.random.randint(0, 1 << self.random.randint(1, 40))
                                         for _ in range(count)]

    def make_pfcount(self):
        return [self.hyperloglog_key() for _ in range(self.random.choice((1, 1, 1, 2, 4)))]

    def make_pfdebug(self):
        words = (b"ENCODING", b"encoding", b"DECODE", b"TODENSE", b"GETREG", b"nonesuch", b"")
        return [self.random.choices(words, (4, 1, 5, 1, 1, 1, 1))[0], self.hyperloglog_key()]

    def make_pfmerge(self):
        return [self.hyperloglog_key() for _ in range(self.random.randint(1, 4))]


ALLOWED = {
    b"pfdebug decode": (corrupt_to_us, "Redis shows runs that lead beyond the last register; ours ends at the first"),
}
