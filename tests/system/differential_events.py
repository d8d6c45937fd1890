"""Keyspace notifications of the same commands, beside the reference's: the same events in the same order."""
from tap import check, say

CLASSES = b"KEAnm"
FENCE = b"__key__:done"
# Not compared: keys expire when somebody comes upon them, and 7.0 makes consumers at other moments than 7.2.
IGNORED = (b"expired", b"xgroup-createconsumer", b"xgroup-delconsumer")


def twice(_, ours, theirs):
    return theirs == ours + ours


def nothing_read(_, ours, theirs):
    return ours == [] and all(b"keymiss" in (text, channel.rpartition(b":")[2]) for channel, text in theirs)

def other_order(words, ours, theirs):
    """Of keys that patterns name; with LIMIT they may be other ones, where weights are equal."""
    return sorted(ours) == sorted(theirs) or (len(ours) == len(theirs) and b"limit" in [word.lower() for word in words])


# Command: how its events may differ from the reference's, and why.
ALLOWED = {
    b"sort": (other_order, "sets, sorted sets and equal weights come in the order of the reference's table"),
    b"sort_ro": (other_order, "the same"),
    b"xread": (twice, "the reference looks for the keys twice, and misses them twice"),
    b"scan": (nothing_read, "the reference misses keys that are over where it asks for their type"),
    b"hscan": (nothing_read, "ours refuses cursors that the reference reads as another number"),
    b"sscan": (nothing_read, "the same"),
    b"zscan": (nothing_read, "the same"),
    b"lpos": (nothing_read, "7.0 takes the least number for a rank, 7.2 refuses it"),
    b"xautoclaim": (nothing_read, "ours reads the options before the key, the error being the same"),
}


def is_allowed(words, ours, theirs):
    allowed = ALLOWED.get(words[0].lower())
    return allowed is not None and allowed[0](words, ours, theirs)


class Listener:
    """Hears the events of one server while commands are sent through `side`."""

    def __init__(self, side, listener):
        self.side, self.listener = side, listener
        check(side.batch([[b"CONFIG", b"SET", b"notify-keyspace-events", CLASSES]])[0] == (b"+OK\r\n",), "CONFIG SET")
        check(len(listener.batch([[b"PSUBSCRIBE", b"__key*__:*"]])) == 1, "PSUBSCRIBE")

    def events(self):
        """Those up to the fence, as (channel, message)."""
        found = []
        while True:
            message = self.listener.reply()
            channel, text = message[3][1][:-2], message[4][1][:-2]
            if channel == FENCE:
                return found
            if text not in IGNORED and channel.rpartition(b":")[2] not in IGNORED:
                found.append((channel, text))

    def run(self, commands):
        """The events of each command."""
        self.side.batch([words for command in commands for words in (command, [b"PUBLISH", FENCE, b""])])
        return [self.events() for _ in commands]


def compare(ours, theirs, commands):
    """How many commands had other events, of how many that had any."""
    different = eventful = 0
    for words, our_events, their_events in zip(commands, ours.run(commands), theirs.run(commands)):
        eventful += bool(their_events)
        if our_events != their_events and not is_allowed(words, our_events, their_events):
            different += 1
            say(f"{str(words)[:300]}")
            say(f"    redis-server: {str(their_events)[:400]}")
            say(f"    respite:      {str(our_events)[:400]}")
    return different, eventful
