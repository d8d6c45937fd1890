#!/usr/bin/python3
"""Client-side caching beside redis-server: the same sessions say the same, and hear the same, to the byte.

--count N commands from --seed S, each by one of four sessions: two that speak RESP3, one whose messages are redirected, and
the RESP2 session that they are redirected to. After each command all of them are asked what they have heard.
"""
import argparse
import os
import random

import tap
from appliance import Client, build_directory, server
from tap import check, say

REFERENCE, OURS = 22852, 22853
KEYS = ["a1", "a2", "ab", "b1", "b2", "c"]
PREFIXES = ["a", "ab", "b", "a1", "c", ""]
SHOWN_MAX = 5
FENCE = (b"$5\r\n", b"fence\r\n")


class Session(Client):
    def __init__(self, port, version, subscribes=False):
        super().__init__(port, timeout=20)
        self.subscribes = subscribes
        if version == 3:
            self.call("HELLO", 3)
        self.number = self.call("CLIENT", "ID")
        if subscribes:
            self.say(["SUBSCRIBE", "__redis__:invalidate"])

    def say(self, words):
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode())
                                                               for word in words))

    def item(self):
        """A reply, or a push: nested tuples of lines."""
        line = self.file.readline()
        check(line.endswith(b"\r\n"), f"a line that ends: {line!r}")
        kind, length = line[:1], line[1:-2]
        if kind == b"$" and length != b"-1":
            return line, self.file.read(int(length) + 2)
        if kind in b"*~%>":
            return (line, *[self.item() for _ in range(int(length) * (2 if kind == b"%" else 1))])
        return (line,)

    def hear(self):
        """All that comes up to the answer to a PING."""
        self.say(["PING", "fence"])
        items = []
        while True:
            items.append(self.item())
            if FENCE in (items[-1], items[-1][-1]):
                return items[:-1]


def is_push(item):
    return item[0].startswith(b">") or item[1:2] == ((b"$7\r\n", b"message\r\n"),)


class Side:
    """The sessions of one server."""

    def __init__(self, port):
        for _ in range(100):  # so that no reply looks like the id of a session
            Client(port).close()
        self.sessions = [Session(port, 3), Session(port, 3), Session(port, 2), Session(port, 2, True)]
        for session in self.sessions:
            session.hear()
        self.last = Client(port)  # when nobody tracks any more, ours forgets what was read
        check(self.last.call("CLIENT", "TRACKING", "ON") == "OK", "CLIENT TRACKING")

    def run(self, index, commands):
        """What each session hears of commands that one of them says; ids are those of the sessions here."""
        for words in commands:
            self.sessions[index].say([str(self.sessions[int(word[1:])].number) if word.startswith("#") else word
                                      for word in words])
        heard = [session.hear() for session in (self.sessions[index], *self.sessions)]
        heard = heard[1:index + 1] + [heard[0] + heard[index + 1]] + heard[index + 2:]
        return [self.in_order(items) for items in heard]

    def in_order(self, items):
        """Replies, and pushes sorted: whom they are about comes in any order. And whether a push came before a reply."""
        pushes = [is_push(item) for item in items]
        is_first = arguments.ordered and pushes != sorted(pushes)
        return [self.named(item) for item in items if not is_push(item)], sorted(
            repr(self.named(item)) for item in items if is_push(item)), is_first

    def named(self, item):
        """With the sessions' own numbers for ids, and one null: redis-server says it as the one who tracks would."""
        if isinstance(item, tuple):
            return tuple(self.named(part) for part in item)
        numbers = {b":%d\r\n" % session.number: b":#%d" % i for i, session in enumerate(self.sessions)}
        return b"_\r\n" if item == b"$-1\r\n" else numbers.get(item, item)


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def tracking(self):
        words = ["CLIENT", "TRACKING", "ON"]
        for option, chance in (("BCAST", 0.3), ("NOLOOP", 0.3), ("OPTIN", 0.15), ("OPTOUT", 0.15)):
            if self.random.random() < chance:
                words.append(option)
        if "BCAST" in words and self.random.random() < 0.7:
            words += ["PREFIX", self.random.choice(PREFIXES)]  # one: the reference answers twice where two overlap
        if self.random.random() < 0.3:
            words += ["REDIRECT", self.random.choice(("#3", "#3", "#0", "12345678"))]
        return words

    def words(self):
        key, other = self.random.choice(KEYS), self.random.choice(KEYS)
        number = str(self.random.randint(0, 5))
        return self.random.choice((
            ["GET", key], ["GET", key], ["MGET", key, other], ["STRLEN", key], ["EXISTS", key, other], ["TTL", key],
            ["SET", key, number], ["SET", key, number], ["SETNX", key, number], ["DEL", key, other], ["INCR", key],
            ["MSET", key, number, other, number], ["RENAME", key, other], ["EXPIRE", key, "100"], ["PERSIST", key],
            ["GETDEL", key], ["SETRANGE", key, "0", ""], ["EXPIRE", key, "-1"], ["SELECT", "0"], ["CLIENT", "CACHING", "YES"],
            ["CLIENT", "CACHING", "NO"], self.tracking(), self.tracking(), self.tracking(), ["CLIENT", "TRACKING", "OFF"],
            ["CLIENT", "TRACKINGINFO"], ["CLIENT", "GETREDIR"], ["FLUSHDB"] if number == "0" else ["GET", key],
            ["FLUSHALL"] if number == "0" else ["GET", key], ["CLIENT", "TRACKING", "ON", "PREFIX", "x"],
            ["CLIENT", "TRACKING", "x"], ["LPUSH", "l" + key, number], ["LPOP", "l" + key], ["LRANGE", "l" + key, "0", "1"],
            ["COPY", key, other, "REPLACE"], ["SORT_RO", "l" + key], ["OBJECT", "ENCODING", key],
            ["BITFIELD_RO", key, "GET", "u8", "0"]))

    def commands(self):
        """Which session, and what it says: mostly one command, now and then a transaction, into which 7.0 mixes pushes."""
        if arguments.ordered and self.random.random() < 0.1:
            drawn = [words for words in (self.words() for _ in range(5)) if words[0] != "CLIENT"]
            return self.random.randrange(3), [["MULTI"], *drawn, ["EXEC"]]
        return self.random.randrange(3), [self.words()]


def test_sessions():
    """sessions that track hear what those of redis-server hear, in the same order"""
    sides, generator, different = (Side(OURS), Side(REFERENCE)), Generator(arguments.seed), 0
    for number in range(arguments.count):
        index, commands = generator.commands()
        ours, theirs = (side.run(index, commands) for side in sides)
        if ours != theirs:
            different += 1
            say(f"command {number}: session {index} says {commands}")
            for who, (our_lines, their_lines) in enumerate(zip(ours, theirs)):
                if our_lines != their_lines:
                    say(f"    {who} of redis-server heard {their_lines}")
                    say(f"    {who} of respite heard      {our_lines}")
        if different >= SHOWN_MAX:
            break
    check(different == 0, f"{different} commands made other things heard")


arguments_parser = argparse.ArgumentParser()
arguments_parser.add_argument("--build")
arguments_parser.add_argument("--seed", type=int, default=1)
arguments_parser.add_argument("--count", type=int, default=4000)
arguments_parser.add_argument("--reference", default="redis-server")
arguments_parser.add_argument("--ordered", action="store_true", help="the reference is 7.2: it pushes behind its replies")
arguments = arguments_parser.parse_args()
BINARY = os.path.join(build_directory(), "respite-cacheworker")
with server(REFERENCE, arguments.reference, "--port", str(REFERENCE), "--bind", "127.0.0.1", "--save", ""), \
        server(OURS, BINARY, "--standalone", "--port", str(OURS)):
    tap.run([test_sessions])
