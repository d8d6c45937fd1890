#!/usr/bin/python3
"""redis-server 7.0 loads what a worker saved, and a worker what redis-server saved: every value comes over as it was,
and whoever checks such a file finds it good, and says where a damaged one is not.

The data are what random commands make of keys of every type, under several limits of packed forms.
"""
import os
import random
import subprocess
import tempfile

import tap
from appliance import Client, build_directory, server, wait_until
from tap import check, say

REFERENCE, OURS = 22890, 22891
KEYS = 30  # of each type
LIMITS = [{}, {b"list-max-listpack-size": b"4", b"hash-max-listpack-entries": b"4", b"zset-max-listpack-entries": b"4",
               b"set-max-intset-entries": b"4", b"stream-node-max-entries": b"3"},
          {b"list-max-listpack-size": b"-1"}, {b"list-max-listpack-size": b"-5"}]
TEXTS = [b"", b"a", b"12", b"-7", b"007", b"bin\x00\r\n\xff", b"9223372036854775807", b"-9223372036854775808", b"x" * 63,
         b"y" * 64, b"z" * 5000, b"w" * 9000, b"v" * 70000]
READS = {b"list": (b"LRANGE", b"0", b"-1"), b"hash": (b"HGETALL",), b"zset": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"),
         b"set": (b"SMEMBERS",), b"string": (b"GET",), b"stream": (b"XRANGE", b"-", b"+")}
LIBRARY = b"#!lua name=counts\nredis.register_function('two', function() return 2 end)"


def text(rand):
    kind = rand.random()
    if kind < 0.4:
        return b"%d" % rand.randint(-100000, 100000)
    if kind < 0.9:
        return b"element %d" % rand.randint(0, 1000)
    return rand.choice(TEXTS)


def stream_commands(rand, key):
    """Entries, some of them gone, and a group with what two consumers have."""
    for number in range(rand.randint(1, 40)):
        yield [b"XADD", key, b"%d-%d" % (number // 3 + 1, number % 3 + 1), rand.choice((b"f", b"g")), text(rand)]
    yield [b"XDEL", key, b"1-2", b"2-1"]
    yield [b"XGROUP", b"CREATE", key, b"group", rand.choice((b"0", b"2-1", b"$")), b"ENTRIESREAD", b"2"]
    for consumer in b"one", b"two":
        yield [b"XREADGROUP", b"GROUP", b"group", consumer, b"COUNT", b"3", b"STREAMS", key, b">"]
    yield [b"XACK", key, b"group", b"1-1", b"2-2"]


def commands(rand):
    """Keys l0, l1, ..., h0, ..., of any size, made in several steps."""
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
            yield [b"SADD", b"s%d" % number] + texts
        yield [b"SADD", b"i%d" % number] + [b"%d" % rand.choice((7, 70000, 7 << 40)) for _ in range(9)]
        yield [b"SET", b"t%d" % number, text(rand)]
        yield from stream_commands(rand, b"x%d" % number)
        if rand.random() < 0.3:
            yield [b"PEXPIREAT", b"%c%d" % (rand.choice(b"lhzsitx"), number), b"%d" % (4 * 10**12 + number)]
    yield [b"FUNCTION", b"LOAD", LIBRARY]
    yield [b"SELECT", b"3"]
    yield [b"SET", b"elsewhere", b"1"]
    yield [b"SELECT", b"0"]


def pending(client, key):
    """What a stream has beside its entries; how long ago something was is by the clock."""
    groups = client.call("XINFO", "GROUPS", key)
    rows = client.call("XPENDING", key, "group", "-", "+", "1000")
    return groups, [(row[0], row[1], row[3]) for row in rows], client.call("XINFO", "STREAM", key)[:2]


def contents(client):
    """Every key with its type, its expiry and its value; pairs in one order."""
    found = {"functions": client.call("FUNCTION", "LIST", "WITHCODE")}
    for key in client.call("KEYS", "*"):
        kind = client.call("TYPE", key).encode()
        value = client.call(READS[kind][0], key, *READS[kind][1:])
        if kind == b"hash":
            value = sorted(zip(value[::2], value[1::2]))
        if kind == b"set":
            value = sorted(value)
        if kind == b"zset":
            value = [(name, float(score)) for name, score in zip(value[::2], value[1::2])]  # 7.0 writes more digits
        beside = pending(client, key) if kind == b"stream" else None
        found[key] = (kind, client.call("PEXPIRETIME", key), value, beside)
    return found


def checks(*words):
    """The exit status and what a program that checks files says."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def expect_good(directory):
    """Both tools find the file good."""
    for words in ["redis-check-rdb"], [BINARY, "--check-rdb"]:
        status, said = checks(*words, os.path.join(directory, "dump.rdb"))
        check(status == 0, f"{words}: {status}, {said}")


def exchange(saver, loader, port_of, seed, limits):
    """One server is given data and saves them, the other one loads a copy of its directory."""
    with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as copy:
        with server(port_of[saver[0]], *saver, "--dir", source):
            client = Client(port_of[saver[0]], timeout=30)
            for name, value in limits.items():
                check(client.call("CONFIG", "SET", name, value) == "OK", f"CONFIG SET {name!r}")
            for words in commands(random.Random(seed)):
                reply = client.call(*words)
                check(not isinstance(reply, Exception) or "no such key" in str(reply), f"{words[:2]}: {reply}")
            wanted = contents(client)
            check(client.call("SAVE") == "OK", "SAVE was refused")
            client.close()
        expect_good(source)
        subprocess.run(f"tar -C {source} -cf - . | tar -C {copy} -xf -", shell=True, check=True, timeout=30)
        with server(port_of[loader[0]], *loader, "--dir", copy):
            client = Client(port_of[loader[0]], timeout=30)
            wait_until(lambda: client.call("PING") == "PONG", 30, "the file is loaded")
            found = contents(client)
            check(client.call("FCALL", "two", "0") == 2, "the function is not what it was")
            client.call("SELECT", "3")
            check(client.call("GET", "elsewhere") == b"1", "the other database is empty")
            client.close()
        check(set(found) == set(wanted), f"keys {sorted(set(found) ^ set(wanted))} are not the same")
        different = [(key, found[key], wanted[key]) for key in wanted if found[key] != wanted[key]]
        check(not different, f"{len(different)} are different, as {str(different[:1])[:500]}")
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


def test_check():
    """--check-rdb and --check-aof name what is wrong and where; --fix cuts an incomplete end, and nothing else"""
    with tempfile.TemporaryDirectory() as directory:
        manifest = os.path.join(directory, "appendonlydir", "appendonly.aof.manifest")
        with server(OURS, *WORKER, "--dir", directory):
            client = Client(OURS, timeout=30)
            check(client.call("CONFIG", "SET", "appendonly", "yes") == "OK", "there is no append-only file")
            wait_until(lambda: os.path.exists(manifest), 30, "the append-only file has begun")
            for words in commands(random.Random(7)):
                client.call(*words)
            check(client.call("SAVE") == "OK", "SAVE was refused")
            status, said = checks(BINARY, "--check-aof", directory, "--fix")
            check(status == 1 and "a server is running on it" in said, said)
            client.close()
        dump = os.path.join(directory, "dump.rdb")
        increment = os.path.join(directory, "appendonlydir", "appendonly.aof.1.incr.aof")
        expect_good(directory)
        check(checks(BINARY, "--check-aof", directory)[0] == 0, "the append-only file is not good")
        check(checks("redis-check-aof", manifest)[0] == 0, "nor for redis-check-aof")
        with open(dump, "r+b") as file:
            whole = file.read()
            file.truncate(len(whole) // 2)
        status, said = checks(BINARY, "--check-rdb", dump)
        check(status == 1 and ": at byte " in said and "incomplete data" in said, said)
        with open(dump, "wb") as file:
            file.write(whole[:-1] + bytes([whole[-1] ^ 1]))
        status, said = checks(BINARY, "--check-rdb", dump)
        check(status == 1 and "the checksum is wrong" in said, said)
        length = os.path.getsize(increment)
        with open(increment, "ab") as file:
            file.write(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n")
        status, said = checks(BINARY, "--check-aof", directory)
        check(status == 1 and f"at byte {length}: the file ends within a command" in said, said)
        check(os.path.getsize(increment) > length, "it was cut without --fix")
        status, said = checks(BINARY, "--check-aof", directory, "--fix")
        check(status == 0 and f"cutting off 20 bytes at byte {length}" in said, said)
        check(os.path.getsize(increment) == length, "it was not cut")
        with open(increment, "ab") as file:
            file.write(b"*1\r\n$7\r\nNOTHING\r\n")
        status, said = checks(BINARY, "--check-aof", directory, "--fix")
        check(status == 1 and '"NOTHING" is no command' in said, said)
        check(os.path.getsize(increment) > length, "what is no incomplete end was cut")


BINARY = os.path.join(build_directory(), "respite-cacheworker")
WORKER = [BINARY, "--standalone", "--port", str(OURS)]
REDIS = ["redis-server", "--port", str(REFERENCE), "--bind", "127.0.0.1", "--save", "", "--sanitize-dump-payload", "yes"]
tap.run([test_ours, test_theirs, test_check])
