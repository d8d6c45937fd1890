#!/usr/bin/python3
"""HyperLogLogs are the same bytes here and in redis-server, after the same commands, and each continues the other's."""
import argparse
import os
import random

import tap
from appliance import Client, build_directory, server, wait_until
from tap import check, say

REFERENCE, OURS, REPLICA = 22860, 22861, 22862
STALE = b"HYLL\x01\x00\x00\x00" + b"\x00" * 7 + b"\x80"


class Pair:
    """Both servers; what is asked of one is asked of the other, and must be answered the same."""

    def __init__(self):
        self.ours, self.theirs = Client(OURS, timeout=30), Client(REFERENCE, timeout=30)
        self.call("FLUSHALL")
        self.call("CONFIG", "SET", "hll-sparse-max-bytes", 3000)

    def call(self, *words):
        ours, theirs = self.ours.call(*words), self.theirs.call(*words)
        check(str(ours) == str(theirs), f"{str(words)[:200]}: {str(ours)[:200]}; redis-server: {str(theirs)[:200]}")
        return ours


def numbers(generator, count):
    return [b"%d" % generator.getrandbits(40) for _ in range(count)]


def test_growth():
    """an element after the other, and many at once, at every limit of the sparse form"""
    pair, generator = Pair(), random.Random(1)
    for limit in (0, 17, 18, 21, 30, 100, 1000, 3000, 5000, 20000, 10**9):
        pair.call("CONFIG", "SET", "hll-sparse-max-bytes", limit)
        pair.call("DEL", "h")
        for count in [1] * 100 + [10] * 40 + [500] * 5 + [10000]:
            pair.call("PFADD", "h", *numbers(generator, count))
            pair.call("GET", "h")
            if generator.random() < 0.3:
                pair.call("PFCOUNT", "h")
                pair.call("GET", "h")


def runs(generator):
    """Sparse registers as anybody may write them, with many neighbours to be joined."""
    found, left, values = [], 16384, generator.randint(1, 32)
    while left > 0:
        kind = generator.choice("zZvvvvv")
        length = min(left, generator.randint(1, {"z": 64, "Z": generator.choice((100, 3000)), "v": 4}[kind]))
        if kind == "v":
            found.append(bytes([0x80 | generator.randrange(values) << 2 | length - 1]))
        else:
            found.append(bytes([length - 1]) if kind == "z" else bytes([0x40 | length - 1 >> 8, length - 1 & 255]))
        left -= length
    return b"".join(found)


def test_runs():
    """runs of any kind are split and joined in the same way"""
    pair, generator, dense = Pair(), random.Random(2), 0
    for _ in range(300):
        value = STALE + runs(generator)
        pair.call("CONFIG", "SET", "hll-sparse-max-bytes", len(value) + generator.choice((1, 5, 100)))
        pair.call("SET", "h", value)
        for _ in range(30):
            pair.call("PFADD", "h", *numbers(generator, generator.randint(1, 3)))
            dense += len(pair.call("GET", "h")) == 12304
        pair.call("PFCOUNT", "h")
        pair.call("GET", "h")
    check(dense > 1000, f"only {dense} values were dense")


def test_merge():
    """sparse and dense ones are merged to the same bytes"""
    pair, generator = Pair(), random.Random(3)
    for _ in range(100):
        pair.call("DEL", "a", "b", "c")
        for key in "abc":
            if generator.random() < 0.8:
                pair.call("PFADD", key, *numbers(generator, generator.choice((0, 1, 20, 300, 900))))
            if generator.random() < 0.2:
                pair.call("PFDEBUG", "TODENSE", key)
        pair.call("PFMERGE", "a", *generator.sample("abc", generator.randint(0, 3)))
        pair.call("GET", "a")
        pair.call("PFCOUNT", "a")
        pair.call("PFCOUNT", "a", "b", "c")


def test_exchange():
    """each goes on with what the other wrote"""
    pair, generator = Pair(), random.Random(4)
    for count in (0, 1, 50, 500, 5000, 100000):
        pair.call("DEL", "h")
        writer, reader = pair.ours, pair.theirs
        for _ in range(4):
            for start in range(0, count, 1000):
                writer.call("PFADD", "h", *numbers(generator, min(1000, count - start)))
            writer.call("PFADD", "h")
            reader.call("SET", "h", writer.call("GET", "h"))
            say(f"{pair.call('PFCOUNT', 'h')} of {count} at a time")
            pair.call("PFADD", "h", "x", "y")
            pair.call("GET", "h")
            writer, reader = reader, writer


def test_replica():
    """a redis-server that replicates from ours has the same bytes after each command, PFCOUNT too"""
    pair, generator, replica = Pair(), random.Random(5), Client(REPLICA, timeout=30)

    def is_equal():
        return all(replica.call("GET", key) == pair.ours.call("GET", key) for key in ("h", "s", "f", "d"))
    check(replica.call("REPLICAOF", "127.0.0.1", OURS) == "OK", "REPLICAOF")
    pair.call("SET", "s", STALE + b"\x50\x00")  # 4097 registers only: some elements can be added, some cannot
    wait_until(is_equal, 30, "the replica follows")
    for _ in range(20):
        pair.call("PFADD", "h", *numbers(generator, 100))
        wait_until(is_equal, 30, "PFADD is on the replica")
        pair.call("PFCOUNT", "h")
        wait_until(is_equal, 30, "PFCOUNT is on the replica")
        pair.ours.call("PFADD", "s", *numbers(generator, 3))
        pair.ours.call("BITFIELD", "f", "OVERFLOW", "FAIL", "SET", "u1", generator.randrange(1000), 2)
        pair.ours.call("BITOP", generator.choice(("DIFF", "DIFF1", "ANDOR", "ONE")), "d", "h", "s")
        wait_until(is_equal, 30, "what partly failed, and what is newer than the replica, is on the replica")
    check(replica.call("REPLICAOF", "NO", "ONE") == "OK", "REPLICAOF NO ONE")


def test_corrupt():
    """strings that are nearly HyperLogLogs are refused, whoever looks, and the worker goes on"""
    client, generator = Client(OURS), random.Random(6)
    client.call("PFADD", "good", "a")
    for _ in range(3000):
        value = bytearray(STALE + runs(generator))
        for _ in range(generator.randint(1, 3)):
            value[generator.randrange(4, len(value))] = generator.randrange(256)
        client.call("SET", "h", bytes(value[:generator.randint(0, len(value))]))
        for words in (("PFADD", "h", generator.random()), ("PFCOUNT", "h"), ("PFCOUNT", "good", "h"),
                      ("PFMERGE", "h", "good"), ("PFDEBUG", "DECODE", "h"), ("PFDEBUG", "GETREG", "h")):
            reply = client.call(*words)
            known = ("INVALIDOBJ Corrupted HLL object detected", "ERR HLL encoding is not sparse",
                     "WRONGTYPE Key is not a valid HyperLogLog string value.")
            check(not isinstance(reply, Exception) or str(reply) in known, f"{words}: {reply}")


arguments_parser = argparse.ArgumentParser()
arguments_parser.add_argument("--build")
arguments_parser.parse_args()
BINARY = os.path.join(build_directory(), "respite-cacheworker")
REDIS = ("redis-server", "--bind", "127.0.0.1", "--save", "", "--port")
with server(REFERENCE, *REDIS, str(REFERENCE)), server(REPLICA, *REDIS, str(REPLICA)), \
        server(OURS, BINARY, "--standalone", "--port", str(OURS)):
    tap.run([test_growth, test_runs, test_merge, test_exchange, test_replica, test_corrupt])
