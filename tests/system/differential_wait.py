"""Transactions, and commands that wait: draws of the random commands, and a dialogue of several connections."""
import random
import time

from tap import check, say

TIMEOUTS = [b"0.001", b"0.002", b"1e-3", b"0.0005"]  # the reference is started so that it looks at them often
ODD_TIMEOUTS = [b"x", b"", b"-1", b"nan"]
# Another number of words could make a timeout of any of them.
ENTIRE = ("blpop", "brpop", "blmove", "brpoplpush", "blmpop", "bzpopmin", "bzpopmax", "bzmpop")
CONNECTIONS = 6
PATIENCE_S = 10


class WaitingCommands:
    """Outside of a transaction nothing waits for long."""
    in_transaction = False

    def timeout(self):
        if self.chance(0.1):
            return self.random.choice(ODD_TIMEOUTS)
        if self.in_transaction:
            return self.random.choice((b"0", b"0.1", b"5"))
        return self.random.choice(TIMEOUTS)

    def list_side(self):
        return self.random.choice((b"LEFT", b"RIGHT", b"left", b"MIDDLE" if self.chance(0.05) else b"RIGHT"))

    def list_keys(self):
        return [self.key_of(b"l") for _ in range(self.random.randint(1, 3))]

    def make_blpop(self):
        return self.list_keys() + [self.timeout()]

    def make_brpop(self):
        return self.make_blpop()

    def make_blmove(self):
        return [self.key_of(b"l"), self.key_of(b"l"), self.list_side(), self.list_side(), self.timeout()]

    def make_brpoplpush(self):
        return [self.key_of(b"l"), self.key_of(b"l"), self.timeout()]

    def make_blmpop(self):
        keys = self.list_keys()
        return [self.timeout(), b"%d" % len(keys)] + keys + [self.list_side()] + self.options(
            [lambda: [b"COUNT", self.integer()]], 0.3)

    def make_bzpopmin(self):
        return [self.key_of(b"z") for _ in range(self.random.randint(1, 3))] + [self.timeout()]

    def make_bzpopmax(self):
        return self.make_bzpopmin()

    def make_bzmpop(self):
        keys = [self.key_of(b"z") for _ in range(self.random.randint(1, 3))]
        return [self.timeout(), b"%d" % len(keys)] + keys + [self.random.choice((b"MIN", b"MAX"))]


# Another number of words is an error that spoils the transaction in 7.0, and one form of them in 7.2 (WITHSCORE).
LATER_FORMS = (b"zrank", b"zrevrank")


def with_transactions(generator, count):
    """As many commands; some of them stand between MULTI and EXEC, or DISCARD, perhaps behind a WATCH."""
    commands = []
    while len(commands) < count:
        if not generator.chance(0.05):
            commands.append(generator.command())
            continue
        if generator.chance(0.4):
            commands.append([b"WATCH"] + generator.keys_of(3))
            commands += [generator.command() for _ in range(generator.random.randint(0, 2))]
        commands.append([b"MULTI"])
        generator.in_transaction = True
        queued = [generator.command() for _ in range(generator.random.randint(0, 10))]
        generator.in_transaction = False
        commands += [words for words in queued if words[0].lower() not in LATER_FORMS or len(words) == 3]
        commands.append([b"DISCARD"] if generator.chance(0.1) else [b"EXEC"])
    return commands


class Queue:
    """What a connection has queued, by its replies: which command each reply of EXEC belongs to."""

    def __init__(self):
        self.queued = None

    def note(self, words, reply):
        """The pairs to be compared: of this command, or of those that it executed."""
        name = words[0].lower()
        if name == b"exec" and self.queued is not None and len(words) == 1:
            executed, self.queued = self.queued, None
            return executed
        if name in (b"multi", b"discard") and reply == (b"+OK\r\n",):
            self.queued = [] if name == b"multi" else None
        elif reply == (b"+QUEUED\r\n",) and self.queued is not None:
            self.queued.append(words)
        return None


# ---- Several connections ----

class Dialogue:
    """Connections to one server, of which some wait. What a command is answered, and who is answered besides."""

    def __init__(self, new_side, control):
        self.control = control
        self.sides = [new_side() for _ in range(CONNECTIONS)]
        self.ids = [side.batch([[b"CLIENT", b"ID"]])[0][0][1:-2] for side in self.sides]
        self.waiting = set()

    def is_blocked(self, index):
        reply, = self.control.batch([[b"CLIENT", b"LIST", b"ID", self.ids[index]]])
        return any(word.startswith(b"flags=") and b"b" in word for word in reply[1].split())

    def has_reply(self, index):
        side = self.sides[index]
        side.socket.setblocking(False)
        try:
            return bool(side.socket.recv(1, 0x2)) or True  # MSG_PEEK
        except BlockingIOError:
            return False
        finally:
            side.socket.settimeout(30)

    def say(self, index, words):
        """{connection: reply}, of all that were answered by then; whoever is not, waits."""
        side = self.sides[index]
        side.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        deadline = time.monotonic() + PATIENCE_S
        while not self.has_reply(index) and not self.is_blocked(index):
            check(time.monotonic() < deadline, f"{words} is answered, or waits")
        self.waiting.add(index)
        answers = {}
        for other in sorted(self.waiting):
            if not self.is_blocked(other):
                answers[other] = self.sides[other].reply()
        self.waiting -= set(answers)
        return answers


class Script:
    """Draws who says what; nobody who waits says anything. Each waits for one key, and no key ever has another type: where
    there is a choice, 7.0 serves from the key that became ready, and 7.2 as if the command came then, as ours does."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.in_multi = set()
        self.entries = 0

    def key(self, prefix):
        return b"%s%d" % (prefix, self.random.randint(1, 3))

    def any_key(self):
        return self.key(self.random.choice((b"l", b"z", b"x")))

    def next_id(self):
        self.entries += 1
        return b"%d-1" % self.entries

    def two_keys(self):
        prefix = self.random.choice((b"l", b"z", b"x"))
        return [self.key(prefix), self.key(prefix)]

    def waiting_command(self):
        draw = self.random
        end = draw.choice((b"LEFT", b"RIGHT"))
        return draw.choice((
            lambda: [draw.choice((b"BLPOP", b"BRPOP")), self.key(b"l"), b"0"],
            lambda: [b"BLMOVE", self.key(b"l"), self.key(b"l"), end, b"LEFT", b"0"],
            lambda: [b"BRPOPLPUSH", self.key(b"l"), self.key(b"l"), b"0"],
            lambda: [b"BLMPOP", b"0", b"1", self.key(b"l"), end, b"COUNT", b"2"],
            lambda: [draw.choice((b"BZPOPMIN", b"BZPOPMAX")), self.key(b"z"), b"0"],
            lambda: [b"BZMPOP", b"0", b"1", self.key(b"z"), b"MAX"],
            lambda: [b"XREAD", b"BLOCK", b"0", b"STREAMS", self.key(b"x"), draw.choice((b"$", b"0"))],
            lambda: [b"XREADGROUP", b"GROUP", b"g", b"c", b"BLOCK", b"0", b"STREAMS", self.key(b"x"), b">"],
        ))()

    def changing_command(self):
        draw = self.random
        return draw.choice((
            lambda: [draw.choice((b"LPUSH", b"RPUSH")), self.key(b"l"), b"%d" % draw.randint(1, 99),
                     b"%d" % draw.randint(1, 99)][:draw.randint(3, 4)],
            lambda: [b"ZADD", self.key(b"z"), b"%d" % draw.randint(1, 9), b"m%d" % draw.randint(1, 9)],
            lambda: [b"XADD", self.key(b"x"), self.next_id(), b"f", b"v"],
            lambda: [b"XGROUP", b"CREATE", self.key(b"x"), b"g", b"$", b"MKSTREAM"],
            lambda: [b"XGROUP", b"DESTROY", self.key(b"x"), b"g"],
            lambda: [b"DEL", self.any_key(), self.any_key()],
            lambda: [b"RENAME", *self.two_keys()],
            lambda: [b"COPY", *self.two_keys(), b"REPLACE"],
            lambda: [b"LRANGE", self.key(b"l"), b"0", b"-1"],
            lambda: [b"SORT", self.key(b"l"), b"STORE", self.key(b"l")],
            lambda: [b"WATCH", self.any_key()],
            # No SWAPDB: of several keys that it brings, either server takes the first as its table has them.
            lambda: [b"FLUSHALL"] if draw.random() < 0.1 else [b"EXISTS", b"l1", b"l2", b"l3", b"z1", b"z2"],
        ))()

    def command(self, index, many_wait):
        draw = self.random.random()
        if index in self.in_multi and draw < 0.3:
            self.in_multi.discard(index)
            return [b"EXEC"]
        if index not in self.in_multi and draw < 0.1:
            self.in_multi.add(index)
            return [b"MULTI"]
        return self.changing_command() if many_wait or draw < 0.6 else self.waiting_command()


def comparable(reply):
    """That a group is gone is said in other words by 7.0."""
    if isinstance(reply, tuple):
        return tuple(comparable(part) for part in reply)
    return b"gone" if reply.startswith((b"-NOGROUP ", b"-UNBLOCKED ")) else reply


def compare_dialogues(ours, theirs, script, count):
    """How many answers differ."""
    different = waited = 0
    for _ in range(count):
        check(ours.waiting == theirs.waiting, f"the same connections wait: {ours.waiting} {theirs.waiting}")
        free = [index for index in range(CONNECTIONS) if index not in ours.waiting]
        index = script.random.choice(free)
        words = script.command(index, len(free) <= 2)
        answers = [{other: comparable(reply) for other, reply in dialogue.say(index, words).items()}
                   for dialogue in (ours, theirs)]
        waited += len(answers[0]) > 1
        if answers[0] != answers[1]:
            different += 1
            say(f"connection {index}: {words}")
            say(f"    redis-server: {str(answers[1])[:300]}")
            say(f"    respite:      {str(answers[0])[:300]}")
            if different > 5:
                break
    say(f"{count} commands; {waited} of them served somebody else")
    return different
