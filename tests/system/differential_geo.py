"""Random commands on positions, for test_differential.py."""

LONGITUDES = [b"0", b"13.361389", b"15.087269", b"-122.4", b"179.99999", b"-179.99999", b"-180", b"200", b"abc", b"-0"]
LATITUDES = [b"0", b"38.115556", b"37.502669", b"85.05", b"-85.05112878", b"-70", b"86", b"nan", b"1e-7"]
UNITS = [b"m", b"km", b"KM", b"ft", b"mi", b"miles", b""]
DISTANCES = [b"0", b"1", b"100", b"1500.5", b"20000", b"-1", b"abc", b"1e300", b"inf"]
NAMES = [b"g%d" % number for number in range(30)] + [b"12", b"-7", b""]


def items_of(reply):
    """The members of a search's reply, in their order, each with what came with it."""
    return list(reply[1:]) if isinstance(reply[0], bytes) and reply[0][:1] == b"*" else None


def finds_as_much(words, ours, theirs):
    """The reference misses what lies around a pole or at the last meridian; the rest is the same, in the same order.
    When COUNT leaves some out, those at the same distance have no order."""
    ours, theirs = items_of(ours), items_of(theirs)
    if ours is None or theirs is None:
        return False
    if len(ours) == len(theirs):
        return b"count" in [word.lower() for word in words] and sorted(ours) == sorted(theirs)
    return [item for item in ours if item in theirs] == theirs


class GeoCommands:
    """make_*: the words behind the command's name."""

    def name(self):
        return self.random.choice(NAMES)

    def geo_key(self):
        return self.key_of(b"g" if self.chance(0.9) else b"z")

    def position(self):
        """Mostly near each other, where parallels are neither long nor short; else anywhere."""
        if self.chance(0.03):
            return [self.random.choice(LONGITUDES), self.random.choice(LATITUDES)]
        if self.chance(0.7):
            return [b"%.7f" % self.random.uniform(10, 20), b"%.7f" % self.random.uniform(-40, 45)]
        return [b"%.10f" % self.random.uniform(-180, 180), b"%.10f" % self.random.uniform(-60, 60)]

    def unit(self):
        return self.random.choice(UNITS[:5] if self.chance(0.97) else UNITS)

    def distance(self):
        if self.chance(0.1):
            return self.random.choice(DISTANCES)
        return b"%.*f" % (self.random.randint(0, 3), 10 ** self.random.uniform(0, 3.3))

    def make_geoadd(self):
        count = self.random.choice((1, 2, 3, 30))
        words = [word for _ in range(count) for word in (*self.position(), self.name())]
        if self.chance(0.02):  # many members: another structure
            words = [word for number in range(150) for word in (*self.position(), b"m%d" % number)]
        return [self.geo_key()] + self.options([b"NX", b"xx", b"CH"], 0.1) + words

    def make_geopos(self):
        return [self.geo_key()] + [self.name() for _ in range(self.random.randint(1, 4))]

    def make_geohash(self):
        return self.make_geopos()

    def make_geodist(self):
        return [self.geo_key(), self.name(), self.name()] + ([self.unit()] if self.chance(0.6) else [])

    def count(self):
        return [b"COUNT", b"%d" % self.random.randint(1, 20) if self.chance(0.9) else self.integer()]

    def count_any(self):
        return self.count() + [b"ANY"]

    def found(self, *more):
        return self.options([b"ASC", b"desc", self.count, self.count_any, *more], 0.2)

    def extras(self):
        return self.options([b"WITHDIST", b"withcoord", b"WITHHASH"], 0.3)

    def centre(self):
        if self.chance(0.03):
            return []
        return [b"FROMMEMBER", self.name()] if self.chance(0.5) else [b"fromlonlat", *self.position()]

    def shape(self):
        if self.chance(0.03):
            return []
        if self.chance(0.5):
            return [b"BYRADIUS", self.distance(), self.unit()]
        return [b"bybox", self.distance(), self.distance(), self.unit()]

    def make_geosearch(self):
        words = self.options([self.centre, self.shape], 0.98) + self.found() + self.extras()
        return [self.geo_key()] + words

    def make_geosearchstore(self):
        words = self.options([self.centre, self.shape], 0.98) + self.found(b"STOREDIST")
        return [self.key_of(b"z"), self.geo_key()] + words + (self.extras() if self.chance(0.05) else [])

    def make_georadius(self):
        words = [self.geo_key(), *self.position(), self.distance(), self.unit()] + self.found()
        if self.chance(0.4):
            return words + self.options([lambda: [b"STORE", self.key_of(b"z")], lambda: [b"storedist", self.key_of(b"z")],
                                         b"WITHDIST"], 0.3)
        return words + self.extras()

    def make_georadius_ro(self):
        return self.make_georadius()

    def make_georadiusbymember(self):
        words = self.make_georadius()
        return words[:1] + [self.name()] + words[3:]

    def make_georadiusbymember_ro(self):
        return self.make_georadiusbymember()


ALLOWED = {name: (finds_as_much, "the reference misses members around a pole and at the last meridian")
           for name in (b"geosearch", b"georadius", b"georadius_ro", b"georadiusbymember", b"georadiusbymember_ro")}
