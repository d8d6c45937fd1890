#!/usr/bin/python3
"""redis-server 7.0 loads what a worker saved, and a worker what redis-server saved: every value comes over as it was.

The data are what random commands make of keys of every type, under several limits of packed forms.
"""
import os
import random
import tempfile

import tap
from appliance import Client, build_directory, server, wait_until
from tap import check, say

REFERENCE, OURS = 22890, 22891
KEYS = 30  # of each type
LIMITS = [{}, {b"list-max-listpack-size": b"4", b"hash-max-listpack-entries": b"4", b"zset-max-listpack-entries": b"4"},
          {b"list-max-listpack-size": b"-1"}, {b"list-max-listpack-size": b"-5"}]
TEXTS = [b"", b"a", b"12", b"-7", b"007", b"bin\x00\r\n\xff", b"9223372036854775807", b"-9223372036854775808", b"x" * 63,
         b"y" * 64, b"z" * 5000, b"w" * 9000, b"v" * 70000]
READS = {b"list": (b"LRANGE", b"0", b"-1"), b"hash": (b"HGETALL",), b"zset": (b"ZRANGE", b"0", b"-1", b"WITHSCORES")}


def text(rand):
    kind = rand.random()
    if kind < 0.4:
        return b"%d" % rand.randint(-100000, 100000)
    if kind < 0.9:
        return b"element %d" % rand.randint(0, 1000)
    return rand.choice(TEXTS)


def commands(rand):
    """Keys l0, l1, ..., h0, ..., z0, ... of any size, made in several steps."""
    for number in range(KEYS):
        for _ in range(rand.randint(1, 12)):
            most = rand.choice((3, 30, 300))
            texts = [text(rand) for _ in range(rand.randint(1, most))]
            yield [rand.choice((b"RPUSH", b"LPUSH")), b"l%d" % number] + texts
            yield [b"LREM", b"l%d" % number, b"%d" % rand.randint(-3, 3), rand.choice(texts)]
            yield [b"LSET", b"l%d" % number, b"-1", text(rand)]
            yield [b"LINSERT", b"l%d" % number, b"BEFORE", rand.choice(texts), text(rand)]
            yield [b"HSET", b"h%d" % number] + [word for name in texts for word in (name, text(rand))]
            yield [b"ZADD", b"z%d" % number] + [word for name in texts for word in (b"%r" % rand.uniform(-9, 9), name)]
        if rand.random() < 0.3:
            yield [b"PEXPIREAT", b"%c%d" % (rand.choice(b"lhz"), number), b"%d" % (4 * 10**12 + number)]


def contents(client):
    """Every key with its type, its expiry and its value; pairs in one order."""
    found = {}
    for key in client.call("KEYS", "*"):
        kind = client.call("TYPE", key).encode()
        value = client.call(READS[kind][0], key, *READS[kind][1:])
        if kind == b"hash":
            value = sorted(zip(value[::2], value[1::2]))
        if kind == b"zset":
            value = [(name, float(score)) for name, score in zip(value[::2], value[1::2])]  # 7.0 writes more digits
        found[key] = (kind, client.call("PEXPIRETIME", key), value)
    return found


def exchange(saver, loader, port_of, seed, limits):
    """One server is given data and saves them, the other one loads the file."""
    with tempfile.TemporaryDirectory() as directory:
        def start(command):
            return server(port_of[command[0]], *command, *(["--dir", directory]))
        with start(saver):
            client = Client(port_of[saver[0]], timeout=30)
            for name, value in limits.items():
                check(client.call("CONFIG", "SET", name, value) == "OK", f"CONFIG SET {name!r}")
            for words in commands(random.Random(seed)):
                reply = client.call(*words)
                check(not isinstance(reply, Exception) or "no such key" in str(reply), f"{words[:2]}: {reply}")
            wanted = contents(client)
            check(client.call("SAVE") == "OK", "SAVE was refused")
            client.close()
        with start(loader):
            client = Client(port_of[loader[0]], timeout=30)
            wait_until(lambda: client.call("PING") == "PONG", 30, "the file is loaded")
            found = contents(client)
            client.close()
        check(set(found) == set(wanted), f"keys {sorted(set(found) ^ set(wanted))} are not the same")
        different = sorted(key for key in wanted if found[key] != wanted[key])
        check(not different, f"{different} are different")
        return len(wanted)


def exchange_all(saver, loader):
    port_of = {"redis-server": REFERENCE, BINARY: OURS}
    count = sum(exchange(saver, loader, port_of, seed, limits) for seed, limits in enumerate(LIMITS))
    say(f"{count} keys")


def test_ours():
    """redis-server loads what a worker saved"""
    exchange_all(WORKER, REDIS)


def test_theirs():
    """a worker loads what redis-server saved"""
    exchange_all(REDIS, WORKER)


BINARY = os.path.join(build_directory(), "respite-cacheworker")
WORKER = [BINARY, "--standalone", "--port", str(OURS)]
REDIS = ["redis-server", "--port", str(REFERENCE), "--bind", "127.0.0.1", "--save", "", "--sanitize-dump-payload", "yes"]
tap.run([test_ours, test_theirs])
