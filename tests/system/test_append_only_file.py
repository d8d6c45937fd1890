#!/usr/bin/python3
"""The append-only file of a server by itself: what is there after kill -9, what redis-server reads of it and writes for
it, full disks, and new bases under load."""
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import tap
from appliance import Client, info, server, wait_until
from disks import fill_disk, small_disk
from tap import check, say
from worker import BUILD, MANIFEST, with_worker

PORT, REFERENCE = 25600, 25601
by_itself = with_worker(PORT, "appendonly yes", "appendfsync always")


def persistence(client):
    return info(client, "persistence")


def wait_for_base(client):
    wait_until(lambda: persistence(client)["aof_rewrite_in_progress"] == "0" and
               persistence(client)["aof_rewrite_scheduled"] == "0", 30, "the base is made")


def wait_for_disk(client):
    """An acknowledgement of a replica says nothing of its disk."""
    wait_until(lambda: persistence(client)["aof_buffer_length"] == "0" and
               persistence(client)["aof_pending_bio_fsync"] == "0", 30, "it is on the disk")


class Writer(threading.Thread):
    """Sets keys to rising numbers, and knows what was acknowledged, and when."""

    def __init__(self, name):
        super().__init__()
        self.name, self.acknowledged, self.sent, self.moments = name, 0, 0, []
        self.client = Client(PORT, timeout=30)

    def run(self):
        try:
            while True:
                self.sent += 1
                if self.client.call("SET", self.name, str(self.sent)) != "OK":
                    return
                self.acknowledged = self.sent
                self.moments.append((time.monotonic(), self.sent))
        except OSError:
            pass


def kill_under_load(worker, seconds, during=lambda: None):
    """Returns the writers, and when the worker was killed."""
    writers = [Writer(f"writer:{i}") for i in range(8)]
    for writer in writers:
        writer.start()
    during()
    time.sleep(seconds)
    killed = time.monotonic()
    worker.end()
    for writer in writers:
        writer.join()
    return writers, killed


def check_acknowledged(client, writers):
    for writer in writers:
        value = int(client.call("GET", writer.name) or 0)
        check(writer.acknowledged <= value <= writer.sent, f"{writer.name}: {value} is not {writer.acknowledged} or the "
              "one behind")


def fill(client, seed):
    """All types, several databases, expiry, transactions, scripts, functions."""
    chance = random.Random(seed)
    for database in (0, 3, 0, 9):
        client.call("SELECT", database)
        for i in range(60):
            value = chance.randbytes(chance.randrange(200)).hex()
            client.call("SET", f"string:{i}", value)
            client.call("RPUSH", f"list:{i % 7}", value, str(i))
            client.call("HSET", f"hash:{i % 7}", f"field:{i}", value)
            client.call("SADD", f"set:{i % 7}", value, str(i))
            client.call("ZADD", f"zset:{i % 7}", str(chance.random()), value)
            client.call("XADD", f"stream:{i % 3}", "*", "name", value)
            client.call("INCR", "counter")
        client.call("EXPIRE", "string:1", 10000)
        client.call("SET", "string:2", "x", "EX", 5000)
        client.call("DEL", "string:3")
        client.call("SPOP", "set:1", 2)
        client.call("XGROUP", "CREATE", "stream:1", "group", "0")
        client.call("XREADGROUP", "GROUP", "group", "me", "COUNT", 5, "STREAMS", "stream:1", ">")
        client.call("MULTI")
        client.call("INCRBY", "counter", 5)
        client.call("LPOP", "list:1")
        client.call("EXEC")
        client.call("EVAL", "redis.call('SET', KEYS[1], 'by script'); redis.call('INCR', 'counter')", 1, "scripted")
    client.call("SWAPDB", 3, 4)
    client.call("SELECT", 0)


def value(client, key):
    """What the key holds, in an order that does not depend on the server."""
    kind = client.call("TYPE", key)
    if kind == "string":
        return client.call("GET", key)
    if kind == "list":
        return client.call("LRANGE", key, 0, -1)
    if kind == "set":
        return sorted(client.call("SMEMBERS", key))
    if kind == "hash":
        words = client.call("HGETALL", key)
        return sorted(zip(words[::2], words[1::2]))
    if kind == "zset":
        words = client.call("ZRANGE", key, 0, -1, "WITHSCORES")
        return list(zip(words[::2], map(float, words[1::2])))
    check(kind == "stream", f"{key} is a {kind}")
    groups = [group[1] for group in client.call("XINFO", "GROUPS", key)]
    return (client.call("XRANGE", key, "-", "+"),
            [client.call("XPENDING", key, group, "-", "+", 1000)[0][:2] for group in groups])


def contents(client):
    """All that a server holds."""
    found = {}
    for database in range(16):
        client.call("SELECT", database)
        for key in client.call("KEYS", "*"):
            found[(database, key)] = (value(client, key), client.call("PEXPIRETIME", key))
    client.call("SELECT", 0)
    return found


def check_same(here, there, words):
    names = [name for name in sorted(here.keys() | there.keys()) if here.get(name) != there.get(name)]
    check(here and not names, f"{words}: {len(names)} differ of {len(here)}: {names[:5]}")


@by_itself
def test_always(worker):
    """kill -9 under load with appendfsync always: every acknowledged write is there, again and again"""
    for _ in range(4):
        client = worker.start()
        writers, _ = kill_under_load(worker, 0.7)
        worker.forget_snapshot()
        check_acknowledged(worker.start(), writers)
        worker.end()
        say(f"{sum(writer.acknowledged for writer in writers)} writes acknowledged")


@by_itself
def test_everysec(worker):
    """kill -9 under load with appendfsync everysec: at most the last second is lost; no: what there is, is whole"""
    for policy in ("everysec", "no"):
        worker.start("appendonly yes", f"appendfsync {policy}")
        writers, killed = kill_under_load(worker, 1.5)
        client = worker.start("appendonly yes", f"appendfsync {policy}")
        for writer in writers:
            value = int(client.call("GET", writer.name))
            old = [number for moment, number in writer.moments if moment < killed - 1]
            check(old and old[-1] <= value <= writer.sent, f"{writer.name}: {value}, and {old[-1:]} was a second old")
        worker.end()


def check_files(worker):
    found = subprocess.run(["redis-check-aof", os.path.join(worker.files, MANIFEST)], capture_output=True, text=True,
                           check=False)
    check(found.returncode == 0 and "All AOF files and manifest are valid" in found.stdout, f"{found.stdout}")
    found = subprocess.run([os.path.join(BUILD, "respite-cacheworker"), "--check-aof", worker.directory],
                           capture_output=True, text=True, check=False)
    check(found.returncode == 0 and found.stdout.count(": good: ") >= 2, f"{found.stdout}")


@by_itself
def test_interchange(worker):
    """redis-server starts with our directory, redis-check-aof accepts it; ours starts with one of redis-server's"""
    client = worker.start()
    fill(client, 1)
    ours = contents(client)
    worker.end()
    worker.forget_snapshot()
    check_same(contents(worker.start()), ours, "it does not load what it wrote")
    worker.end()
    worker.forget_snapshot()
    check_files(worker)
    stock = ("redis-server", "--port", str(REFERENCE), "--dir", worker.directory, "--save", "", "--appendonly", "yes",
             "--enable-debug-command", "yes", "--aof-timestamp-enabled", "yes")
    with server(REFERENCE, *stock):
        reference = Client(REFERENCE, timeout=30)
        wait_until(lambda: info(reference, "persistence")["loading"] == "0", 30, "redis-server has loaded")
        check_same(contents(reference), ours, "redis-server has other data")
        fill(reference, 2)
        reference.call("BGREWRITEAOF")
        wait_until(lambda: persistence(reference)["aof_rewrite_in_progress"] == "0", 30, "redis-server has rewritten it")
        fill(reference, 3)
        theirs = contents(reference)
    client = worker.start()
    check_same(contents(client), theirs, "ours has other data than redis-server")
    fill(client, 4)
    theirs = contents(client)
    worker.end()
    worker.forget_snapshot()
    check_same(contents(worker.start()), theirs, "what came behind redis-server's is not there")


def fill_more(client):
    """What only the form of a base matters to: values that are written in slices, fields that expire, functions."""
    big = "for i = 1, 20000 do redis.call(ARGV[1], KEYS[1], unpack(ARGV[2] == 'pair' and {i, i} or {i})) end"
    for command, kind in (("RPUSH", "one"), ("SADD", "one"), ("ZADD", "pair"), ("HSET", "pair")):
        client.call("EVAL", big, 1, f"big:{command}", command, kind)
    client.call("EVAL", "for i = 1, 5000 do redis.call('XADD', KEYS[1], i .. '-1', 'name', i) end", 1, "big:stream")
    client.call("XGROUP", "CREATE", "big:stream", "group", "0")
    client.call("XREADGROUP", "GROUP", "group", "me", "COUNT", 3000, "STREAMS", "big:stream", ">")
    client.call("SET", "big:string", b"\0\r\n" * 300000)
    client.call("HSET", "dated", "a", "1", "b", "2")
    client.call("HPEXPIREAT", "dated", 1900000000000, "FIELDS", 1, "a")
    client.call("FUNCTION", "LOAD", "#!lua name=mine\nredis.register_function('f', function() return 'mine' end)")


@by_itself
def test_base_of_commands(worker):
    """aof-use-rdb-preamble no: a base of commands, which redis-server and redis-check-aof take, as ours takes theirs"""
    lines = ("appendonly yes", "appendfsync everysec", "aof-use-rdb-preamble no")
    client = worker.start(*lines)
    fill(client, 1)
    fill_more(client)
    client.call("BGREWRITEAOF")
    wait_for_base(client)
    fill(client, 2)
    ours = contents(client)
    worker.end(signal.SIGTERM)
    worker.forget_snapshot()
    base = os.path.join(worker.files, "appendonly.aof.2.base.aof")
    with open(base, "rb") as file:
        check(file.read(1) == b"*", "the base is not of commands")
    check_files(worker)
    client = worker.start(*lines)
    check_same(contents(client), ours, "it does not load what it wrote")
    check(client.call("HPEXPIRETIME", "dated", "FIELDS", 2, "a", "b") == [1900000000000, -1], "fields expire otherwise")
    worker.end()
    worker.forget_snapshot()
    stock = ("redis-server", "--port", str(REFERENCE), "--dir", worker.directory, "--save", "", "--appendonly", "yes",
             "--enable-debug-command", "yes", "--aof-use-rdb-preamble", "no")
    with server(REFERENCE, *stock):
        reference = Client(REFERENCE, timeout=30)
        wait_until(lambda: info(reference, "persistence")["loading"] == "0", 30, "redis-server has loaded")
        check_same(contents(reference), ours, "redis-server has other data")
        check(reference.call("FCALL", "f", 0) == b"mine", "redis-server has not the function")
        reference.call("BGREWRITEAOF")
        wait_until(lambda: persistence(reference)["aof_rewrite_in_progress"] == "0", 30, "redis-server has rewritten it")
        fill(reference, 3)
        theirs = contents(reference)
    client = worker.start(*lines)
    check_same(contents(client), theirs, "ours has other data than redis-server")
    check(client.call("FCALL", "f", 0) == b"mine", "ours has not the function")


@by_itself
def test_torn(worker):
    """what is left of a command at the end is cut, and said; damage elsewhere is refused with file and place"""
    client = worker.start()
    for i in range(20):
        client.call("SET", f"key:{i}", str(i))
    client.call("MULTI")
    client.call("SET", "a", "1")
    client.call("SET", "b", "1")
    client.call("EXEC")
    worker.end()
    newest = worker.newest()
    with open(newest, "rb") as file:
        whole = file.read()
    begin = whole.rindex(b"*1\r\n$5\r\nMULTI")
    for length in (len(whole) - 1, len(whole) - 14, begin + 5):
        with open(newest, "wb") as file:
            file.write(whole[:length])
        words = worker.refusal("appendonly yes", "aof-load-truncated no")
        check(os.path.basename(newest) in words and f"at byte {begin}" in words, words)
        client = worker.start()
        check(client.call("EXISTS", "a", "b") == 0 and client.call("GET", "key:19") == b"19", f"cut at {length}")
        check(client.call("SET", "after", str(length)) == "OK", "no write")
        worker.end()
        client = worker.start()
        check(client.call("GET", "after") == str(length).encode(), "what came behind the cut is not there")
        worker.end()
    manifest = os.path.join(worker.files, MANIFEST)
    with open(manifest, encoding="utf-8") as file:
        named = file.read()
    with open(newest, "wb") as file:
        file.write(whole[:begin + 5])
    with open(manifest, "a", encoding="utf-8") as file:  # as it is while a new base is about to be begun
        file.write("file appendonly.aof.2.incr.aof seq 2 type i\n")
    with open(os.path.join(worker.files, "appendonly.aof.2.incr.aof"), "wb"):
        pass
    check(worker.start().call("SET", "after", "all") == "OK", "it is not cut before an empty increment")
    worker.end()
    check(worker.start().call("GET", "after") == b"all", "what came behind the cut is not there")
    worker.end()
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(named)
    with open(newest, "wb") as file:
        file.write(whole[:begin].replace(b"key:7", b"kex:7\r", 1) + whole[begin:])
    words = worker.refusal()
    check(os.path.basename(newest) in words and "at byte" in words, words)
    with open(newest, "wb") as file:
        file.write(whole)
    with open(os.path.join(worker.files, MANIFEST), "a", encoding="utf-8") as file:
        file.write("file ../x seq 99 type i\n")
    words = worker.refusal()
    check(MANIFEST in words and "line 3" in words, words)


@by_itself
def test_single_file(worker):
    """the single file of Redis before 7 is read, with RDB at its beginning too, and its torn end cut; then there is a base"""
    commands = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
    preamble = b"REDIS0009\xfe\x00\x00\x01r\x011\xff" + bytes(8)
    for head, torn in ((b"", b""), (preamble, b""), (b"", commands[:-5])):
        with open(os.path.join(worker.directory, "appendonly.aof"), "wb") as file:
            file.write(head + commands + torn)
        client = worker.start()
        check(client.call("GET", "a") == b"1", "the command is lost")
        check(client.call("GET", "r") == (b"1" if head else None), "the data at the beginning are lost")
        check(client.call("SET", "b", "2") == "OK", "SET fails")
        worker.end()
        client = worker.start()
        check(client.call("MGET", "a", "b") == [b"1", b"2"], "the data are not in the base")
        worker.end()
        shutil.rmtree(worker.files)
    with open(os.path.join(worker.directory, "appendonly.aof"), "wb") as file:
        file.write(commands + commands[:-5])
    said = worker.refusal("appendonly yes", "aof-load-truncated no")
    check(" appendonly.aof: at byte %d" % len(commands) in said, said)


@by_itself
def test_rewrite(worker):
    """a new base under load, then kill -9: every acknowledged write is there, and no older file is"""
    client = worker.start()
    client.call("DEBUG", "POPULATE", 100000)
    for delay in (0, 0.02, 0.1, 0.6):
        client.call("SET", "delay", str(delay))
        writers, _ = kill_under_load(worker, delay, lambda: client.call("BGREWRITEAOF"))
        worker.forget_snapshot()
        client = worker.start()
        check(client.call("GET", "delay") == str(delay).encode() and client.call("EXISTS", "key:99999") == 1, "data")
        check_acknowledged(client, writers)
    check(client.call("BGREWRITEAOF") == "Background append only file rewriting started", "BGREWRITEAOF")
    wait_for_base(client)
    fields = persistence(client)
    check(fields["aof_rewrites"] == "1" and fields["aof_last_bgrewrite_status"] == "ok", f"{fields}")
    check(fields["aof_current_size"] == fields["aof_base_size"], f"{fields}")
    time.sleep(0.3)
    check(len(os.listdir(worker.files)) == 3, f"{os.listdir(worker.files)}")


@by_itself
def test_rewrite_by_itself(worker):
    """the file is rewritten when it has grown by its percentage"""
    client = worker.start("appendonly yes", "auto-aof-rewrite-min-size 100kb")
    wait_for_base(client)
    for i in range(2000):
        client.call("SET", "same", "x" * 100 + str(i))
    wait_until(lambda: int(persistence(client)["aof_rewrites"]) > 1, 30, "it is rewritten")
    wait_for_base(client)
    check(int(persistence(client)["aof_current_size"]) < 200000, f"{persistence(client)}")
    same = client.call("GET", "same")
    check(client.call("WAITAOF", 1, 0, 30000) == [1, 0], "it is not on the disk")  # of everysec
    worker.end()
    worker.forget_snapshot()
    check(worker.start("appendonly yes").call("GET", "same") == same, "the newest value")


@by_itself
def test_at_run_time(worker):
    """appendonly set while it runs: on, off, and on again; and a base alone, by BGREWRITEAOF while it is off"""
    client = worker.start("save 3600 1")
    fill(client, 5)
    check(client.call("CONFIG", "SET", "appendonly", "yes") == "OK", "refused")
    wait_for_base(client)
    client.call("SET", "behind", "1")
    check(client.call("CONFIG", "SET", "appendonly", "no") == "OK", "refused")
    check(persistence(client)["aof_enabled"] == "0", "INFO")
    client.call("SET", "without", "1")
    client.call("MULTI")
    client.call("SET", "in", "1")
    client.call("CONFIG", "SET", "appendonly", "yes")
    client.call("SET", "in", "2")
    client.call("CONFIG", "SET", "appendonly", "no")
    check(client.call("EXEC") == ["OK"] * 4, "EXEC")
    check(client.call("CONFIG", "SET", "appendfsync", "always", "appendonly", "yes") == "OK", "refused")
    wait_for_base(client)
    client.call("SET", "last", "1")
    data = contents(client)
    check({(0, name) for name in (b"behind", b"without", b"in", b"last")} <= data.keys(), "keys are missing")
    worker.end()
    worker.forget_snapshot()
    client = worker.start()
    check_same(contents(client), data, "the second time is not there")
    check(client.call("CONFIG", "SET", "appendonly", "no") == "OK", "refused")
    client.call("SET", "in the base alone", "1")
    data = contents(client)
    check(client.call("BGREWRITEAOF") == "Background append only file rewriting started", "BGREWRITEAOF")
    wait_for_base(client)
    check(info(client, "persistence")["aof_enabled"] == "0", "INFO")
    client.call("SET", "behind the base", "1")
    worker.end()
    worker.forget_snapshot()
    client = worker.start()
    check_same(contents(client), data, "the base alone is not there")
    wait_for_base(client)
    client.call("SET", "behind the base", "2")
    data = contents(client)
    worker.end()
    check_same(contents(worker.start()), data, "what came behind the base alone is not there")


@by_itself
def test_replica(worker):
    """a replica of redis-server keeps one: a full sync begins it anew, the stream goes on in it, also when it is promoted"""
    client = worker.start()
    client.call("SET", "own", "1")
    stock = ("redis-server", "--port", str(REFERENCE), "--dir", worker.directory, "--save", "",
             "--repl-diskless-sync-delay", "0", "--shutdown-timeout", "0")
    with server(REFERENCE, *stock):
        reference = Client(REFERENCE, timeout=30)
        fill(reference, 6)
        check(client.call("REPLICAOF", "127.0.0.1", str(REFERENCE)) == "OK", "REPLICAOF")
        wait_until(lambda: info(client, "replication")["master_link_status"] == "up", 30, "the full sync is over")
        wait_for_base(client)
        reference.call("SELECT", 5)
        fill(reference, 7)
        wait_until(lambda: reference.call("WAIT", 1, 100) == 1, 30, "the replica has it")
        wait_for_disk(client)
        theirs = contents(reference)
        worker.end()
        worker.forget_snapshot()
        client = worker.start()
        check_same(contents(client), theirs, "what the replica's file holds")
        check(client.call("REPLICAOF", "127.0.0.1", str(REFERENCE)) == "OK", "REPLICAOF")
        wait_until(lambda: info(client, "replication")["master_link_status"] == "up", 30, "the full sync is over")
        reference.call("SET", "behind", "1")
        wait_until(lambda: client.call("GET", "behind") == b"1", 30, "the replica has it")
    check(client.call("REPLICAOF", "NO", "ONE") == "OK", "REPLICAOF NO ONE")
    client.call("SELECT", 3)
    client.call("SET", "promoted", "1")
    ours = contents(client)
    check((0, b"behind") in ours and (3, b"promoted") in ours and (0, b"own") not in ours, "keys")
    wait_for_base(client)
    client.call("WAITAOF", 1, 0, 0)
    worker.end()
    worker.forget_snapshot()
    check_same(contents(worker.start()), ours, "what the promoted one's file holds")


@by_itself
def test_waitaof(worker):
    """WAITAOF: this disk, and a replica's, as redis-server's replicas and ours tell it"""
    client = worker.start("appendonly yes", "appendfsync everysec", "repl-diskless-sync-delay 0")
    client.call("SET", "a", "1")
    check(client.call("WAITAOF", 1, 0, 0) == [1, 0], "this disk")
    replica_directory = os.path.join(worker.directory, "replica")
    os.mkdir(replica_directory)
    ours = (os.path.join(BUILD, "respite-cacheworker"), "--standalone", "--port", str(REFERENCE), "--dir",
            replica_directory, "--redis-conf", worker.configuration)
    with server(REFERENCE, *ours):
        replica = Client(REFERENCE, timeout=30)
        check(replica.call("REPLICAOF", "127.0.0.1", str(PORT)) == "OK", "REPLICAOF")
        wait_until(lambda: info(replica, "replication")["master_link_status"] == "up", 30, "the full sync is over")
        client.call("SET", "a", "2")
        check(client.call("WAITAOF", 1, 1, 30000) == [1, 1], "both disks")
        check(replica.call("CONFIG", "SET", "appendonly", "no") == "OK", "refused")
        client.call("SET", "a", "3")
        check(client.call("WAIT", 1, 30000) == 1 and client.call("WAITAOF", 0, 1, 100)[1] == 0, "a replica without")
        check(isinstance(replica.call("WAITAOF", 0, 0, 0), Exception), "WAITAOF at a replica")


def write_and_rewrite(client, first):
    """Sets a number that rises while a new base is made. What was acknowledged, and whether all of it went well."""
    number = first
    try:
        for step in range(6):
            if client.call("SET", "number", str(number + 1)) != "OK":
                break
            number += 1
            if step == 2:
                client.call("BGREWRITEAOF")
        wait_for_base(client)
        client.call("PING")
        return number, True
    except (OSError, ValueError):
        return number, False


@by_itself
def test_killed_anywhere(worker):
    """killed at every operation on files from the first write to the end of a rewrite: all that was acknowledged is there"""
    worker.preload_faults()
    client = worker.start()
    wait_for_base(client)
    number, operation, goes_well = 0, 0, False
    while not goes_well:
        operation += 1
        check(operation < 150, "it never gets to the end of a rewrite")
        worker.set_fault(f"kill {operation}")
        number, goes_well = write_and_rewrite(client, number)
        worker.end()
        worker.end_faults()
        client = worker.start()
        found = int(client.call("GET", "number") or 0)
        check(number <= found <= number + 1, f"operation {operation}: {found}, and {number} was acknowledged")
        number = found
    check(operation > 25, f"only {operation} operations")
    say(f"killed at {operation - 1} operations")


def save(client, number):
    """Whether it got to the end."""
    try:
        client.call("SET", "number", str(number))
        client.call("BGSAVE")
        wait_until(lambda: persistence(client)["rdb_bgsave_in_progress"] == "0", 30, "the save ends")
        return True
    except (OSError, ValueError):
        return False


@by_itself
def test_killed_while_it_saves(worker):
    """killed at every operation on files of a BGSAVE: dump.rdb is the one before, or the new one"""
    worker.preload_faults()
    client = worker.start("save ''")
    check(save(client, 0), "it does not save")
    kept, operation, goes_well = 0, 0, False
    while not goes_well:
        operation += 1
        check(operation < 50, "it never gets to the end of a save")
        worker.set_fault(f"kill {operation}")
        goes_well = save(client, operation)
        worker.end()
        worker.end_faults()
        client = worker.start("save ''")
        found = int(client.call("GET", "number") or -1)
        check(found == operation or (found == kept and not goes_well), f"operation {operation}: {found} after {kept}")
        kept = found
    check(operation > 4, f"only {operation} operations")
    say(f"killed at {operation - 1} operations")


@by_itself
def test_failing_sync(worker):
    """a sync that fails: nobody hears of the writes, they are refused until it works, and nothing acknowledged is lost"""
    worker.preload_faults()
    client = worker.start()
    wait_for_base(client)
    check(client.call("SET", "before", "1") == "OK", "SET")
    worker.set_fault("fail")
    try:
        heard = client.call("SET", "unheard", "1")
    except (OSError, ValueError):
        heard = None
    check(heard != "OK", f"{heard}")
    client = Client(PORT, timeout=30)
    check(str(client.call("SET", "refused", "1")).startswith("MISCONF Errors writing to the AOF file"), "not refused")
    check(client.call("GET", "before") == b"1" and persistence(client)["aof_last_write_status"] == "err", "reads, INFO")
    worker.end_faults()
    wait_until(lambda: client.call("SET", "after", "1") == "OK", 30, "writes are taken again")
    worker.end()
    worker.forget_snapshot()
    client = worker.start()
    check([client.call("GET", name) for name in ("before", "after", "refused")] == [b"1", b"1", None], "lost, or too much")


@by_itself
def test_group_commit(worker):
    """syncs that take long: many connections' writes go with one"""
    worker.preload_faults()
    wait_for_base(worker.start())
    clients = [Client(PORT, timeout=30) for _ in range(40)]
    worker.set_fault("slow 100")
    for i, client in enumerate(clients):
        client.send("SET", f"key:{i}", "1")
    check([client.read() for client in clients] == ["OK"] * 40, "replies")
    syncs = os.path.getsize(worker.faults + ".syncs")
    check(0 < syncs < 40, f"{syncs} syncs for 40 writes")
    say(f"{syncs} syncs for 40 writes")


def live_through_full_disk(worker):
    client = worker.start()
    wait_for_base(client)
    client.call("SET", "before", "1")
    ballast = fill_disk(worker.files)
    acknowledged, refused = 0, None
    for i in range(20000):
        try:
            answer = client.call("SET", "number", str(i), "EX", 1000)
        except OSError:
            client = Client(PORT, timeout=30)
            answer = client.call("SET", "number", str(i))
        if isinstance(answer, Exception):
            refused = str(answer)
            break
        acknowledged = i
    check(refused is not None and refused.startswith("MISCONF Errors writing to the AOF file"), f"{refused}")
    check(persistence(client)["aof_last_write_status"] == "err", "INFO")
    check(client.call("GET", "before") == b"1", "no reads")
    os.remove(ballast)
    wait_until(lambda: client.call("SET", "after", "1") == "OK", 30, "writes are taken again")
    check(persistence(client)["aof_last_write_status"] == "ok", "INFO")
    worker.end()
    worker.forget_snapshot()
    client = worker.start()
    check(client.call("GET", "after") == b"1" and int(client.call("GET", "number")) >= acknowledged, "lost")


@by_itself
def test_full_disk(worker):
    """a full disk: writes are refused until there is room again, and then all that was acknowledged is there"""
    with small_disk(worker.files):
        try:
            live_through_full_disk(worker)
        finally:
            worker.end()  # or it would make files in the directory below the disk


tap.run([test_always, test_everysec, test_interchange, test_base_of_commands, test_torn, test_single_file, test_rewrite,
         test_rewrite_by_itself, test_at_run_time, test_replica, test_waitaof, test_killed_anywhere, test_killed_while_it_saves, test_failing_sync,
         test_group_commit, test_full_disk])
