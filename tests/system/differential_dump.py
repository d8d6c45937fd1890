"""Random DUMP and RESTORE, for test_differential.py: of values that both servers write the same way, and damaged ones."""

POLYNOMIAL = 0x95ac9329ac4bc9b5  # Jones' one, reflected


def table():
    entries = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (POLYNOMIAL if entry & 1 else 0)
        entries.append(entry)
    return entries


TABLE = table()


def crc64(data):
    value = 0
    for byte in data:
        value = TABLE[(value ^ byte) & 0xff] ^ value >> 8
    return value


def payload(kind, value, version=10):
    body = bytes([kind]) + value + version.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def string(text):
    return (bytes([len(text)]) if len(text) < 64 else bytes([64 | len(text) >> 8, len(text) & 255])) + text


def listpack(*texts):
    body = b"".join(bytes([0x80 | len(text)]) + text + bytes([len(text) + 1]) for text in texts)
    return (len(body) + 7).to_bytes(4, "little") + len(texts).to_bytes(2, "little") + body + b"\xff"


ZIPLIST = b"\x11\x00\x00\x00\x0d\x00\x00\x00\x02\x00" b"\x00\x01a" b"\x03\xfe\x0c" b"\xff"  # "a", 12

VALUES = [payload(0, string(b"hello")), payload(0, string(b"")), payload(0, b"\xc0\x7b"), payload(0, b"\xc1\x39\x30"),
          payload(0, b"\xc2\x15\xcd\x5b\x07"), payload(0, string(b"x" * 300)),
          payload(4, b"\x02" + string(b"a") + string(b"1") + string(b"b") + string(b"two")),
          payload(16, string(listpack(b"a", b"1", b"bb", b"22"))), payload(0, string(b"hello"), 9),
          payload(1, b"\x02" + string(b"a") + b"\xc0\x0c"), payload(10, string(ZIPLIST)),
          payload(14, b"\x02" + string(ZIPLIST) + string(ZIPLIST)), payload(18, b"\x01\x02" + string(listpack(b"a", b"1", b"b"))),
          payload(18, b"\x02\x02" + string(listpack(b"a", b"b")) + b"\x01" + string(b"plain")),
          # What must be refused.
          payload(1, b"\x00"), payload(10, string(ZIPLIST[:-1])), payload(14, b"\x01" + string(b"")),
          payload(18, b"\x01\x03" + string(listpack(b"a"))), payload(18, b"\x01\x02" + string(listpack())),
          payload(18, b"\x01\x02" + string(listpack(b"a")[:-1])), payload(18, b"\x01\x01" + string(b"")),
          payload(4, b"\x02" + string(b"a") + string(b"1") + string(b"a") + string(b"two")), payload(4, b"\x00"),
          payload(4, b"\x02" + string(b"a") + string(b"1")), payload(16, string(listpack(b"a", b"1", b"b"))),
          payload(16, string(listpack(b"a", b"1", b"a", b"2"))), payload(16, string(listpack(b"a", b"1")[:-1])),
          payload(16, string(b"")), payload(0, b"\xc3\x05\x0ahello"), payload(0, b"\x80\xff\xff\xff\xff"),
          payload(0, string(b"hello"), 99), b"", b"x" * 5, b"x" * 30]


class DumpCommands:
    def make_dump(self):
        return [self.key()]

    def make_restore(self):
        value = self.random.choice(VALUES)
        if self.chance(0.05) and value:
            place = self.random.randrange(len(value))
            value = value[:place] + bytes([value[place] ^ 1 << self.random.randrange(8)]) + value[place + 1:]
        # None that leads beyond the end of time: Redis computes with it and takes the key for an old one.
        time_to_live = b"0" if self.chance(0.6) else self.random.choice((b"-1", b"abc", b"200000", b"500000000"))
        return [self.key(), time_to_live, value] + self.options(
            [b"REPLACE", b"absttl", lambda: [b"IDLETIME", self.integer()], lambda: [b"freq", self.integer()]], 0.4)


def same_if_plain(_, ours, theirs):
    """Bytes are compared where they are short: Redis packs long strings, and a table has an order of its own."""
    if not ours[0][:1] == theirs[0][:1] == b"$":
        return False
    is_table = ours[1][:1] == theirs[1][:1] == b"\x02" and len(ours[1]) == len(theirs[1])
    is_table = is_table or (ours[1][:1] == b"\x10" and theirs[1][:1] == b"\x04")  # a small hash is packed in any case
    return is_table or max(len(ours[1]), len(theirs[1])) > 30


ALLOWED = {b"dump": (same_if_plain, "long values are packed by Redis; the members of a set are in no order")}
