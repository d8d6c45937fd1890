#!/usr/bin/python3
"""A stock redis-server is a replica of ours, and a master of ours: both hold the same, key by key."""
import argparse
import contextlib
import os
import re
import subprocess
import tempfile
import threading

import tap
from appliance import Client, build_directory, info, server, wait_until
from differential_wait import ENTIRE as WAITING, with_transactions
from tap import check, say
from test_differential import Generator

OURS, STOCK, OTHER_STOCK = 25800, 25801, 25802
DATABASES = 16
RANDOM_COMMANDS = 6000
OTHER_LIBRARY = b"#!lua name=other\nredis.register_function('other', function() return 1 end)"
LIBRARY = b"#!lua name=lib\nredis.register_function('put', function(keys, args) " \
          b"redis.call('SET', keys[1], args[1]) return redis.call('RPUSH', keys[2], args[1]) end)"


@contextlib.contextmanager
def ours(port=OURS, *words):
    """A worker that waits for no other replicas before a full sync."""
    with server(port, BINARY, "--standalone", "--port", str(port), *words) as process:
        client = Client(port)
        check(client.call("CONFIG", "SET", "repl-diskless-sync-delay", 0) == "OK", "CONFIG SET")
        client.close()
        yield process


def stock(port=STOCK, *words):
    return server(port, arguments.reference, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--logfile",
                  os.devnull, *words)


def replica_of(port=OURS, at=STOCK, *words):
    return stock(at, "--replicaof", f"127.0.0.1 {port}", *words)


def in_step(master, replica):
    """Both stand at the same offset of the same stream."""
    first, second = info(master, "replication"), info(replica, "replication")
    return second.get("master_link_status") == "up" and \
        (first["master_replid"], first["master_repl_offset"]) == (second["master_replid"], second["master_repl_offset"])


def wait_in_step(master, replica):
    wait_until(lambda: in_step(master, replica), 30, "the replica holds all of the stream")


def comparable(value):
    return tuple(map(comparable, value)) if isinstance(value, list) else str(value) if isinstance(value, Exception) else value


def groups_of(client, key):
    """The groups of a stream, with what they have pending."""
    found = []
    for group in client.call("XINFO", "GROUPS", key):
        group = dict(zip(group[::2], group[1::2]))
        pending = client.call("XPENDING", key, group[b"name"], "-", "+", 1000)
        found.append((group[b"name"], group[b"last-delivered-id"], [(one[0], one[1], one[3]) for one in pending]))
    return sorted(found)


def value_of(client, key, kind):
    if kind == "string":
        return client.call("GET", key)
    if kind == "list":
        return client.call("LRANGE", key, 0, -1)
    if kind == "hash":
        pairs = client.call("HGETALL", key)
        return sorted(zip(pairs[::2], pairs[1::2]))
    if kind == "set":
        return sorted(client.call("SMEMBERS", key))
    if kind == "zset":
        pairs = client.call("ZRANGE", key, 0, -1, "WITHSCORES")
        return list(zip(pairs[::2], map(float, pairs[1::2])))  # 7.0 writes more digits
    if kind == "stream":
        return [client.call("XRANGE", key, "-", "+"), groups_of(client, key)]
    return kind


def contents(port):
    """Every key of every database with its type, value and expiry time; and the functions."""
    client, found = Client(port, timeout=30), {}
    for database in range(DATABASES):
        check(client.call("SELECT", database) == "OK", "SELECT")
        for key in client.call("KEYS", "*"):
            kind = client.call("TYPE", key)
            found[database, key] = comparable([kind, value_of(client, key, kind), client.call("PEXPIRETIME", key)])
    libraries = client.call("FUNCTION", "LIST", "WITHCODE")
    client.close()
    found["functions"] = sorted(library[-1] for library in libraries)
    return found


def check_equal(first_port=OURS, second_port=STOCK, least=1):
    first, second = contents(first_port), contents(second_port)
    different = [key for key in first.keys() | second.keys() if first.get(key) != second.get(key)]
    shown = [(key, str(first.get(key))[:200], str(second.get(key))[:200]) for key in different[:3]]
    check(not different, f"{len(different)} of {len(first)} and {len(second)} keys differ: {shown}")
    check(len(first) > least, f"only {len(first) - 1} keys")


def batch(client, commands):
    """The replies to commands that are sent together."""
    client.socket.sendall(b"".join(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
                                   for words in commands))
    return [client.read() for _ in commands]


def is_left_out(words):
    """What a stock master takes its time for; and HyperLogLogs of any bytes, which it adds to and ours refuses."""
    return words[0].lower().decode("latin-1") in WAITING or any(word.startswith(b"HYLL") for word in words)


def write_randomly(client, seed, count=RANDOM_COMMANDS):
    """Random commands of every kind, transactions among them. Only the first may delete all that there is."""
    commands = [words for number, words in enumerate(with_transactions(Generator(seed), count))
                if (number < count // 4 or not words[0].lower().startswith(b"flush")) and not is_left_out(words)]
    for start in range(0, len(commands), 100):
        batch(client, commands[start:start + 100])


def write_every_kind(client):
    """What a command, a script or a function leaves behind that cannot be sent as it came."""
    plain = [["SET", "expires", "1", "EX", 1000], ["SET", "over", "1", "PX", 20], ["HSET", "fields", "a", 1, "b", 2, "c", 3],
             ["HPEXPIRE", "fields", 20, "FIELDS", 1, "a"], ["HSETEX", "fields", "EX", 1000, "FIELDS", 1, "d", 4],
             ["FUNCTION", "LOAD", "REPLACE", LIBRARY], ["FCALL", "put", 2, "by:function", "list:function", "x"],
             ["EVAL", "redis.call('SELECT', 3) redis.call('SET', KEYS[1], ARGV[1]) return redis.call('INCR', 'n')", 1,
              "by:script", "y"], ["SADD", "set", *range(50)], ["SPOP", "set", 7],
             ["MSETEX", 2, "m1", 1, "m2", 2, "EX", 1000], ["SET", "same", "v"], ["DELIFEQ", "same", "v"],
             ["CL.THROTTLE", "throttle", 15, 30, 60], ["RATELIMIT.WINDOW", "window", 5, 10**9],
             ["XADD", "x", "*", "f", "v"], ["XGROUP", "CREATE", "x", "g", 0], ["XREADGROUP", "GROUP", "g", "me", "STREAMS", "x", ">"],
             ["MULTI"], ["INCR", "n"], ["SELECT", 5], ["INCR", "n"], ["EXEC"], ["SELECT", 0],
             ["INCRBYFLOAT", "float", 1.5], ["GETEX", "float", "EX", 500], ["RPUSH", "popped", 1, 2, 3],
             ["BLMPOP", 0, 1, "popped", "LEFT", "COUNT", 2], ["COPY", "set", "copied", "DB", 2], ["PFADD", "hll", *range(100)]]
    for words in plain:
        reply = client.call(*words)
        if isinstance(reply, Exception):
            check("unknown command" in str(reply), f"{words}: {reply}")
            say(f"{words[0]}: {reply}")


PAST = 1000  # a date in milliseconds
FUTURE = 4 * 10**12
# What both servers know, and what cannot be sent as it came: dates that are over, other databases, words of chance.
AWKWARD = [["MSET", "gone", 1, "gone2", 2, "gone3", 3, "gone4", 4, "gone5", 5, "gone6", 6, "kept", 7],
           ["EXPIRE", "gone", -1], ["PEXPIREAT", "gone2", PAST], ["EXPIREAT", "gone3", 1], ["GETEX", "gone4", "PXAT", PAST],
           ["SET", "gone5", "x", "PXAT", PAST], ["PEXPIRE", "gone6", 0], ["EXPIRE", "kept", 1000, "NX"], ["PERSIST", "kept"],
           ["EXPIRE", "kept", 1000, "GT"], ["EXPIRE", "kept", 10**7, "LT"], ["SETEX", "short", 10**6, "v"],
           ["RENAME", "short", "renamed"], ["COPY", "renamed", "renamed", "DB", 6, "REPLACE"], ["MOVE", "renamed", 7],
           ["SELECT", 8], ["MSET", "swapped", 1, "other", 2], ["SWAPDB", 8, 9], ["SELECT", 10], ["SET", "flushed", 1],
           ["FLUSHDB"], ["SELECT", 0], ["RPUSH", "long", *range(400)], ["LTRIM", "long", 5, 300], ["SADD", "many", *range(300)],
           ["SPOP", "many"], ["SPOP", "many", 250], ["SPOP", "many", 1000], ["ZADD", "ranked", *range(200)],
           ["ZPOPMIN", "ranked", 10], ["BZMPOP", 1, 1, "ranked", "MAX", "COUNT", 5], ["ZRANGESTORE", "stored", "ranked", 0, 20],
           ["SORT", "long", "LIMIT", 0, 50, "STORE", "sorted"], ["GEOADD", "places", 13.3, 38.1, "a", 15.1, 37.5, "b"],
           ["GEOSEARCHSTORE", "near", "places", "FROMLONLAT", 15, 37, "BYRADIUS", 300, "km"],
           ["HINCRBYFLOAT", "numbers", "f", 0.1], ["INCRBYFLOAT", "number", "0.1"], ["SETRANGE", "bytes", 100, "x"],
           ["BITOP", "NOT", "inverse", "bytes"], ["PFADD", "h1", *range(50)], ["PFMERGE", "h2", "h1"],
           ["XADD", "log", "NOMKSTREAM", "*", "f", "v"], *(["XADD", "log", "MAXLEN", "~", 20, "*", "f", number] for number in range(50)),
           ["XGROUP", "CREATE", "log", "g", "0", "MKSTREAM"], ["XREADGROUP", "GROUP", "g", "one", "COUNT", 8, "STREAMS", "log", ">"],
           ["XAUTOCLAIM", "log", "g", "two", 0, 0, "COUNT", 3], ["XGROUP", "CREATECONSUMER", "log", "g", "three"],
           ["XREADGROUP", "GROUP", "g", "one", "NOACK", "COUNT", 2, "STREAMS", "log", ">"], ["XTRIM", "log", "MAXLEN", 9],
           ["XGROUP", "DELCONSUMER", "log", "g", "two"], ["SCRIPT", "LOAD", "return 1"],
           ["EVAL", "redis.call('SET', 'a', redis.call('TIME')[1]) redis.call('SPOP', KEYS[1]) redis.call('EXPIRE', 'a', -1)", 1, "many"],
           ["EVAL", "redis.setresp(3) redis.pcall('SET', 'left', 1, 'EX', 'x') return 1", 0], ["FUNCTION", "LOAD", OTHER_LIBRARY],
           ["FUNCTION", "DELETE", "other"], ["MULTI"], ["SET", "in", 1], ["EXPIRE", "in", -1], ["SELECT", 11], ["SET", "in", 2],
           ["INCR", "in"], ["EXEC"], ["SELECT", 0], ["MULTI"], ["GET", "in"], ["EXEC"], ["ACL", "SETUSER", "someone", "on", "+@all"]]
# What a stock server does not know, and hears of in other words.
OURS_ALONE = [["HSET", "h", *range(40)], ["HEXPIREAT", "h", 1, "FIELDS", 1, "0"], ["HPEXPIRE", "h", 0, "FIELDS", 1, "2"],
              ["HEXPIRE", "h", 10**6, "FIELDS", 1, "4"], ["HPERSIST", "h", "FIELDS", 1, "4"], ["HGETDEL", "h", "FIELDS", 1, "6"],
              ["HGETEX", "h", "PXAT", PAST, "FIELDS", 1, "8"], ["HSETEX", "h", "FNX", "PX", 10**8, "FIELDS", 1, "new", "v"],
              ["HSETEX", "h", "FXX", "KEEPTTL", "FIELDS", 1, "new", "w"], ["HSET", "all", "f", 1],
              ["HPEXPIREAT", "all", PAST, "FIELDS", 1, "f"], ["SET", "same", "v"], ["SET", "same", "w", "IFEQ", "v", "EX", 10**6],
              ["SET", "same", "x", "IFEQ", "v"], ["SET", "same", "y", "IFNE", "v"], ["DELEX", "same", "IFEQ", "v"],
              ["DELEX", "same", "IFEQ", "y"], ["MSETEX", 2, "p", 1, "q", 2, "NX", "PXAT", FUTURE],
              ["MSETEX", 2, "p", 3, "new", 4, "NX"], ["MSETEX", 1, "p", 5, "XX", "KEEPTTL"], ["MSETEX", 1, "q", 5, "PXAT", PAST],
              ["CL.THROTTLE", "limit", 3, 10, 60, 2], ["CL.THROTTLE", "limit", 3, 10, 60, 9], ["RATELIMIT.WINDOW", "window2", 3, 10**8],
              ["EVAL", "redis.call('SET', KEYS[1], 'b', 'IFNE', 'a') redis.call('HSETEX', 'e', 'PX', 10^8, 'FIELDS', 1, 'f', 'v') "
               "return redis.call('DELEX', KEYS[1], 'IFEQ', 'b')", 1, "by:eval"],
              ["MULTI"], ["HPEXPIRE", "h", 0, "FIELDS", 1, "10"], ["MSETEX", 1, "in:multi", 1, "EX", 10**6], ["EXEC"]]


def say_all(client, commands):
    for words in commands:
        reply = client.call(*words)
        replies = reply if isinstance(reply, list) and words[0] == "EXEC" else [reply]
        wrong = [one for one in replies if isinstance(one, Exception)]
        check(not wrong, f"{words}: {wrong}")


def serve_who_waits(port):
    """Clients that wait for keys, and one that brings them."""
    commands = [["BLPOP", "wait:1", 0], ["BLMOVE", "wait:2", "moved", "LEFT", "RIGHT", 0], ["BZPOPMAX", "wait:3", 0],
                ["BLMPOP", 0, 1, "wait:4", "LEFT", "COUNT", 2], ["XREADGROUP", "GROUP", "g", "me", "BLOCK", 0, "STREAMS", "wait:5", ">"]]
    bring = [["RPUSH", "wait:1", 1], ["MULTI"], ["RPUSH", "wait:2", 2, 3], ["ZADD", "wait:3", 1, "a", 2, "b"], ["EXEC"],
             ["EVAL", "redis.call('RPUSH', 'wait:4', 4, 5, 6) return redis.call('LPUSH', 'wait:4', 7)", 0], ["XADD", "wait:5", "*", "f", "v"]]
    writer, waiting = Client(port, timeout=30), [Client(port, timeout=30) for _ in commands]
    check(writer.call("XGROUP", "CREATE", "wait:5", "g", "$", "MKSTREAM") == "OK", "XGROUP")
    for client, words in zip(waiting, commands):
        client.send(*words)
    wait_until(lambda: int(info(writer, "clients")["blocked_clients"]) >= len(commands), 30, "clients wait")
    say_all(writer, bring)
    for client in waiting:
        check(not isinstance(client.read(), Exception), "who waits is served")
        client.close()
    writer.close()


def evict(client):
    """Keys go for want of memory: the replica keeps those that its master keeps."""
    memory = info(client, "memory")
    used = int(memory["used_memory"]) - int(memory["mem_not_counted_for_evict"])
    check(client.call("SELECT", 12) == "OK", "SELECT")
    check(client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", used + 400_000) == "OK", "CONFIG SET")
    before = int(info(client, "stats")["evicted_keys"])
    for start in range(0, 4000, 100):
        batch(client, [[b"SET", b"evicted:%d" % number, b"v" * 500] for number in range(start, start + 100)])
    check(int(info(client, "stats")["evicted_keys"]) > before, "nothing was evicted")
    check(client.call("CONFIG", "SET", "maxmemory", 0) == "OK" and client.call("SELECT", 0) == "OK", "CONFIG SET")


def check_not_replicated(replica):
    """Scripts and users are a server's own."""
    scripts = replica.call("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")  # of: return 1
    check(scripts == [0], f"SCRIPT EXISTS: {scripts}")
    check(replica.call("ACL", "USERS") == [b"default"], "ACL USERS")
    check(int(info(replica, "stats")["unexpected_error_replies"]) == 0, "the replica could not carry out a command")


def test_full_sync():
    """a stock server that becomes our replica takes over every key, of every type and database, and the functions"""
    with ours(), stock():
        master, replica = Client(OURS, timeout=30), Client(STOCK, timeout=30)
        write_randomly(master, 1)
        check(master.call("SELECT", 0) == "OK", "SELECT")
        write_every_kind(master)
        check(replica.call("SET", "mine", 1) == "OK", "SET")
        check(replica.call("REPLICAOF", "127.0.0.1", OURS) == "OK", "REPLICAOF")
        wait_until(lambda: master.call("EXISTS", "over") == 0 and master.call("HEXISTS", "fields", "a") == 0, 5,
                   "what expires has expired")
        wait_in_step(master, replica)
        check_equal(least=30)


def test_stream():
    """what random commands, transactions, scripts and functions did stands in the replica, too"""
    with ours(), replica_of():
        master, replica = Client(OURS, timeout=30), Client(STOCK, timeout=30)
        for seed in range(2, 5):
            write_randomly(master, seed)
            wait_in_step(master, replica)
            check_equal()
        check(master.call("SELECT", 0) == "OK", "SELECT")
        write_every_kind(master)
        wait_until(lambda: master.call("EXISTS", "over") == 0 and master.call("HEXISTS", "fields", "a") == 0, 5,
                   "what expires has expired")
        wait_in_step(master, replica)
        check_equal(least=15)
        check(replica.call("HGET", "fields", "a") is None and replica.call("DBSIZE") == master.call("DBSIZE"), "a field is over")
        say_all(master, AWKWARD + OURS_ALONE)
        serve_who_waits(OURS)
        evict(master)
        wait_in_step(master, replica)
        check_equal(least=30)
        check_not_replicated(replica)


class Load:
    """A client that writes all the time."""

    def __init__(self, port):
        self.port = port

    def __enter__(self):
        self.stopped, self.written, self.error = threading.Event(), 0, None
        self.thread = threading.Thread(target=self.write)
        self.thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, kind, value, trace):
        self.stopped.set()
        self.thread.join(30)
        check(kind is not None or self.error is None, f"under load: {self.error!r}")

    def wait_for_more(self):
        before = self.written
        wait_until(lambda: self.written > before + 2000 or self.error, 20, "the load goes on")

    def write(self):
        try:
            client = Client(self.port, timeout=30)
            while not self.stopped.is_set():
                commands = []
                for number in range(self.written, self.written + 100):
                    key = b"%d" % (number * 7919 % 5000)
                    commands += [[b"SET", b"k" + key, b"%d" % number], [b"HSET", b"h" + key, b"f", key], [b"DEL", b"k" + key[:-1]],
                                 [b"MULTI"], [b"INCR", b"n"], [b"LPUSH", b"l" + key, key], [b"EXEC"]]
                wrong = [reply for reply in batch(client, commands) if isinstance(reply, Exception)]
                check(not wrong, f"{wrong[:1]}")
                self.written += 100
            client.close()
        except Exception as error:  # shown by the test's own thread
            self.error = error


def test_partial_resync():
    """links are killed under load: the replica goes on where it was, without another full sync"""
    with ours(), replica_of():
        master, replica = Client(OURS, timeout=30), Client(STOCK, timeout=30)
        with Load(OURS) as load:
            wait_until(lambda: info(replica, "replication")["master_link_status"] == "up", 20, "the first sync")
            for victim, words in ((replica, ("CLIENT", "KILL", "TYPE", "MASTER")), (master, ("CLIENT", "KILL", "TYPE", "REPLICA"))):
                before = int(info(master, "stats")["sync_partial_ok"])
                check(victim.call(*words) == 1, f"{words}")
                wait_until(lambda: int(info(master, "stats")["sync_partial_ok"]) > before, 20, "a partial resync")
                load.wait_for_more()
        wait_in_step(master, replica)
        check_equal(least=5000)
        figures = info(master, "stats")
        check(figures["sync_full"] == "1", f"{figures['sync_full']} full syncs")
        check(figures["sync_partial_err"] == "0", f"{figures['sync_partial_err']} refused partial syncs")


def test_two_replicas_under_load():
    """two stock replicas take full syncs while the master is written to"""
    with ours():
        master = Client(OURS, timeout=30)
        with Load(OURS) as load:
            load.wait_for_more()
            with replica_of(), replica_of(at=OTHER_STOCK):
                replicas = [Client(port, timeout=30) for port in (STOCK, OTHER_STOCK)]
                for replica in replicas:
                    wait_until(lambda: info(replica, "replication")["master_link_status"] == "up", 30, "the sync")
                load.wait_for_more()
                load.stopped.set()
                load.thread.join(30)
                for replica, port in zip(replicas, (STOCK, OTHER_STOCK)):
                    wait_in_step(master, replica)
                    check_equal(OURS, port, least=5000)


def test_what_it_tells():
    """INFO, ROLE and WAIT tell of a stock replica as a stock master's do"""
    with ours(), replica_of():
        master, replica = Client(OURS), Client(STOCK)
        wait_until(lambda: info(master, "replication").get("slave0", "").find("state=online") > 0, 20, "a replica online")
        check(master.call("SET", "k", "v") == "OK", "SET")
        check(master.call("WAIT", 1, 5000) == 1, "WAIT")
        check(master.call("WAIT", 2, 50) == 1, "WAIT for two")
        wait_in_step(master, replica)
        told = info(master, "replication")
        check(told["role"] == "master" and told["connected_slaves"] == "1", f"{told}")
        wait_until(lambda: info(master, "replication")["slave0"].split("offset=")[1].split(",")[0] == told["master_repl_offset"],
                   5, "the ack")
        check(re.fullmatch(rf"ip=127.0.0.1,port={STOCK},state=online,offset=\d+,lag=[01]", told["slave0"]), told["slave0"])
        check(re.fullmatch("[0-9a-f]{40}", told["master_replid"]) and told["master_replid2"] == "0" * 40, f"{told}")
        check(told["second_repl_offset"] == "-1" and told["repl_backlog_active"] == "1", f"{told}")
        check(int(told["repl_backlog_first_byte_offset"]) + int(told["repl_backlog_histlen"]) ==
              int(told["master_repl_offset"]) + 1, f"{told}")
        role = master.call("ROLE")
        check(role[:2] == [b"master", int(told["master_repl_offset"])], f"{role}")
        check(role[2] == [[b"127.0.0.1", b"%d" % STOCK, told["master_repl_offset"].encode()]], f"{role}")
        check(replica.call("ROLE")[:4] == [b"slave", b"127.0.0.1", OURS, b"connected"], f"{replica.call('ROLE')}")


def cli(*words, text=None):
    """What redis-cli says to our server's port."""
    told = subprocess.run(["redis-cli", "-p", str(OURS), *words], input=text, timeout=30, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    check(told.returncode == 0, f"{words}: {told.stdout}")
    return told.stdout.decode()


def test_tools():
    """redis-cli --rdb and --functions-rdb fetch files that a stock server loads; --pipe; --replica shows the stream"""
    with ours(), tempfile.TemporaryDirectory() as directory:
        master = Client(OURS)
        write_randomly(master, 6, 2000)
        check(master.call("SELECT", 0) == "OK", "SELECT")
        check(master.call("SET", "k", "v") == "OK", "SET")
        cli("--rdb", os.path.join(directory, "dump.rdb"))
        with stock(STOCK, "--dir", directory):
            check_equal()
        check(master.call("FUNCTION", "LOAD", OTHER_LIBRARY) == b"other", "FUNCTION LOAD")
        cli("--functions-rdb", os.path.join(directory, "dump.rdb"))
        with stock(STOCK, "--dir", directory):
            client = Client(STOCK)
            check(client.call("DBSIZE") == 0, "functions, and no data")
            check([library[1] for library in client.call("FUNCTION", "LIST")] == [b"other"], "the functions")
        commands = b"".join(b"SET piped:%d %d\r\n" % (number, number) for number in range(5000))
        told = cli("--pipe", text=commands)
        check("errors: 0, replies: 5000" in told and master.call("GET", "piped:4999") == b"4999", told)
        with subprocess.Popen(["redis-cli", "-p", str(OURS), "--replica"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as listener:
            try:
                wait_until(lambda: info(master, "replication")["connected_slaves"] == "1", 30, "redis-cli is a replica")
                seen = []
                reader = threading.Thread(target=lambda: seen.extend(iter(listener.stdout.readline, b"")))
                reader.start()
                wait_until(lambda: any(b"SYNC done" in line for line in seen), 30, "redis-cli has read the snapshot")
                check(master.call("SET", "shown", "to redis-cli") == "OK", "SET")
                wait_until(lambda: any(b'"SET","shown","to redis-cli"' in line for line in seen), 30, f"the stream: {seen}")
            finally:
                listener.terminate()
        reader.join(10)


def follow(replica, port, what="the link to the master is up"):
    check(replica.call("REPLICAOF", "127.0.0.1", port) == "OK", "REPLICAOF")
    wait_until(lambda: info(replica, "replication").get("master_link_status") == "up", 30, what)


def write_stock_kinds(client):
    """What a stock master sends in other words, or for a script, a function, a transaction."""
    for words in (["SET", "expires", "1", "EX", 1000], ["SET", "over", "1", "PX", 20], ["FUNCTION", "LOAD", "REPLACE", LIBRARY],
                  ["FCALL", "put", 2, "by:function", "list:function", "x"],
                  ["EVAL", "redis.call('SELECT', 3) redis.call('SET', KEYS[1], ARGV[1]) return redis.call('INCR', 'n')", 1,
                   "by:script", "y"], ["SADD", "set", *range(600)], ["SPOP", "set", 7], ["MULTI"], ["INCR", "n"], ["SELECT", 5],
                  ["INCR", "n"], ["EXEC"], ["SELECT", 0], ["INCRBYFLOAT", "float", 1.5], ["PUBLISH", "channel", "message"],
                  ["RPUSH", "popped", *range(300)], ["BLMPOP", 0, 1, "popped", "LEFT", "COUNT", 2], ["PFADD", "hll", *range(100)],
                  ["PFCOUNT", "hll"], ["XADD", "x", "*", "f", "v"], ["XGROUP", "CREATE", "x", "g", 0],
                  ["XREADGROUP", "GROUP", "g", "me", "STREAMS", "x", ">"], ["HSET", "big", "f", "v" * 5000]):
        reply = client.call(*words)
        check(not isinstance(reply, Exception), f"{words}: {reply}")


def test_full_sync_from_stock():
    """ours takes over every key of a stock master: by a delimiter, and by a length"""
    for diskless in ("yes", "no"):
        with stock(STOCK, "--repl-diskless-sync", diskless, "--repl-diskless-sync-delay", "0", "--rdbchecksum", diskless), ours():
            master, replica = Client(STOCK, timeout=30), Client(OURS, timeout=30)
            write_randomly(master, 7)
            check(master.call("SELECT", 0) == "OK", "SELECT")
            write_stock_kinds(master)
            check(replica.call("SET", "mine", 1) == "OK", "SET")
            follow(replica, STOCK)
            wait_until(lambda: master.call("EXISTS", "over") == 0, 30, "what expires has expired")
            wait_in_step(master, replica)
            check_equal(STOCK, OURS, least=20)


def test_stream_from_stock():
    """what random commands, transactions, scripts and functions did at a stock master stands in ours"""
    with stock(STOCK, "--repl-diskless-sync-delay", "0"), ours():
        master, replica = Client(STOCK, timeout=30), Client(OURS, timeout=30)
        follow(replica, STOCK)
        for seed in range(8, 11):
            write_randomly(master, seed)
            wait_in_step(master, replica)
            check_equal(STOCK, OURS)
        check(master.call("SELECT", 0) == "OK", "SELECT")
        listener = Client(OURS)
        check(listener.call("SUBSCRIBE", "channel")[0] == b"subscribe", "SUBSCRIBE")
        write_stock_kinds(master)
        check(listener.read() == [b"message", b"channel", b"message"], "PUBLISH reaches who listens at the replica")
        wait_until(lambda: master.call("EXISTS", "over") == 0, 30, "what expires has expired")
        wait_in_step(master, replica)
        check_equal(STOCK, OURS, least=15)
        say_all(master, AWKWARD)
        serve_who_waits(STOCK)
        evict(master)
        wait_in_step(master, replica)
        check_equal(STOCK, OURS, least=30)
        check_not_replicated(replica)
        check(master.call("SET", "k", "v") == "OK" and master.call("WAIT", 1, 5000) == 1, "WAIT")
        told = info(master, "replication")
        check(f"port={OURS},state=online" in told["slave0"], told["slave0"])


def test_partial_resync_from_stock():
    """links to a stock master are killed under load, by it and by us: ours goes on where it was"""
    with stock(STOCK, "--repl-diskless-sync-delay", "0", "--repl-backlog-size", "64mb"), ours():
        master, replica = Client(STOCK, timeout=30), Client(OURS, timeout=30)
        with Load(STOCK) as load:
            follow(replica, STOCK)
            for client, kind in ((master, "REPLICA"), (replica, "MASTER"), (master, "REPLICA")):
                before = int(info(master, "stats")["sync_partial_ok"])
                check(client.call("CLIENT", "KILL", "TYPE", kind) == 1, "CLIENT KILL")
                wait_until(lambda: int(info(master, "stats")["sync_partial_ok"]) > before, 20, "a partial resync")
                load.wait_for_more()
        wait_in_step(master, replica)
        check_equal(STOCK, OURS, least=5000)
        check(info(master, "stats")["sync_full"] == "1", "another full sync")


def test_read_only():
    """a replica refuses writes, answers with old data or says that it has no master, and is a master again"""
    with ours():
        replica, waiting = Client(OURS, timeout=30), Client(OURS, timeout=30)
        check(replica.call("CONFIG", "GET", "replicaof") == [b"replicaof", b""], "CONFIG GET")
        with stock(STOCK, "--repl-diskless-sync-delay", "0", "--requirepass", "secret"):
            master = Client(STOCK)
            check(master.call("AUTH", "secret") == "OK" and master.call("SET", "k", "v") == "OK", "SET")
            check(master.call("ACL", "SETUSER", "copy", "on", ">word", "+psync", "+replconf", "+ping") == "OK", "ACL SETUSER")
            check(replica.call("CONFIG", "SET", "masteruser", "copy", "masterauth", "word") == "OK", "CONFIG SET")
            waiting.send("BLPOP", "never", 0)
            wait_until(lambda: info(replica, "clients")["blocked_clients"] == "1", 30, "BLPOP waits")
            follow(replica, STOCK)
            check(str(waiting.read()).startswith("UNBLOCKED"), "who waits is told")
            check(replica.call("CONFIG", "GET", "replicaof")[1] == b"127.0.0.1 %d" % STOCK, "CONFIG GET")
            check(str(replica.call("REPLICAOF", "127.0.0.1", STOCK)).startswith("OK Already connected"), "the same again")
            check(replica.call("GET", "k") == b"v", "GET")
            check(str(replica.call("SET", "k", "w")) == "READONLY You can't write against a read only replica.", "SET")
            check(replica.call("ROLE")[:4] == [b"slave", b"127.0.0.1", STOCK, b"connected"], f"{replica.call('ROLE')}")
        wait_until(lambda: info(replica, "replication")["master_link_status"] == "down", 30, "the link is lost")
        check(int(info(replica, "replication")["master_link_down_since_seconds"]) >= 0, "since when")
        check(replica.call("GET", "k") == b"v", "GET of old data")
        check(replica.call("CONFIG", "SET", "replica-serve-stale-data", "no") == "OK", "CONFIG SET")
        check(str(replica.call("GET", "k")).startswith("MASTERDOWN Link with MASTER is down"), "GET without a master")
        before = info(replica, "replication")
        check(replica.call("REPLICAOF", "NO", "ONE") == "OK" and replica.call("SET", "k", "w") == "OK", "a master again")
        told = info(replica, "replication")
        check(told["role"] == "master" and told["master_replid2"] == before["master_replid"], f"{told}")
        check(int(told["second_repl_offset"]) == int(before["master_repl_offset"]) + 1, f"{told}")
        check(str(replica.call("REPLICAOF", "127.0.0.1", "x")) == "ERR Invalid master port", "a port that is none")


def test_cut_off_sync():
    """a full sync that breaks off leaves the data as they were"""
    with ours(), stock(STOCK, "--repl-diskless-sync-delay", "0", "--rdb-key-save-delay", "2000"):
        master, replica = Client(STOCK, timeout=30), Client(OURS, timeout=30)
        batch(master, [[b"SET", b"k%d" % number, os.urandom(2000)] for number in range(2000)])
        check(replica.call("SET", "mine", 1) == "OK", "SET")
        check(replica.call("REPLICAOF", "127.0.0.1", STOCK) == "OK", "REPLICAOF")
        wait_until(lambda: info(replica, "replication")["master_sync_in_progress"] == "1", 30, "the full sync")
        check(replica.call("GET", "mine") == b"1", "the old data while the new come")
        check(master.call("CLIENT", "KILL", "TYPE", "REPLICA") == 1, "CLIENT KILL")
        wait_until(lambda: info(replica, "replication")["master_sync_in_progress"] == "0", 30, "the end")
        check(replica.call("GET", "mine") == b"1", "the old data")
        check(replica.call("REPLICAOF", "NO", "ONE") == "OK" and replica.call("DBSIZE") == 1, "a master with its own data")


def test_chain():
    """stock, ours, stock: the last holds what the first does, and goes on with ours when that becomes a master"""
    with stock(STOCK, "--repl-diskless-sync-delay", "0"), ours(), stock(OTHER_STOCK):
        first, middle, last = (Client(port, timeout=30) for port in (STOCK, OURS, OTHER_STOCK))
        write_randomly(first, 11, 2000)
        check(str(middle.call("REPLICAOF", "127.0.0.1", STOCK)) == "OK", "REPLICAOF")
        follow(last, OURS)
        with Load(STOCK) as load:
            load.wait_for_more()
        wait_in_step(first, last)
        check_equal(STOCK, OTHER_STOCK, least=5000)
        before = int(info(middle, "stats")["sync_partial_ok"])
        check(middle.call("REPLICAOF", "NO", "ONE") == "OK", "REPLICAOF NO ONE")
        check(middle.call("SELECT", 2) == "OK" and middle.call("SET", "new", 1) == "OK", "SET")
        wait_until(lambda: int(info(middle, "stats")["sync_partial_ok"]) > before, 20, "a partial resync by the second id")
        wait_in_step(middle, last)
        check_equal(OURS, OTHER_STOCK, least=5000)


def test_failover():
    """FAILOVER hands over to a stock server and back, while clients write, without another full sync"""
    with ours(), replica_of():
        first, second = Client(OURS, timeout=30), Client(STOCK, timeout=30)
        wait_until(lambda: info(second, "replication")["master_link_status"] == "up", 20, "the first sync")
        for master, replica, port, stream_port in ((first, second, STOCK, OURS), (second, first, OURS, STOCK)):
            writer, written = Client(stream_port, timeout=30), 0
            wait_until(lambda: "state=online" in info(master, "replication").get("slave0", ""), 20, "a replica online")
            check(master.call("FAILOVER", "TO", "127.0.0.1", port, "TIMEOUT", 60000) == "OK", "FAILOVER")
            while not isinstance(reply := writer.call("RPUSH", f"written:{port}", written), Exception):
                written += 1
            check(str(reply).startswith("READONLY"), f"{reply}")
            wait_until(lambda: info(master, "replication").get("master_link_status") == "up", 30, "the former master follows")
            check(replica.call("ROLE")[0] == b"master", f"{replica.call('ROLE')}")
            check(replica.call("LLEN", f"written:{port}") == written, "what was acknowledged")
            check(replica.call("SET", "by", port) == "OK", "SET")
            wait_in_step(replica, master)
            check_equal(least=1)
            writer.close()
        figures = info(first, "stats")
        check(figures["sync_full"] == "1", f"{figures['sync_full']} full syncs")


def test_order_in_a_transaction():
    """a stock sentinel's transaction makes a replica; a redis.conf does"""
    with tempfile.TemporaryDirectory() as directory, stock(STOCK, "--repl-diskless-sync-delay", "0"):
        path = os.path.join(directory, "redis.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"replicaof 127.0.0.1 {STOCK}\n")
        with ours(OURS, "--redis-conf", path):
            replica = Client(OURS)
            wait_until(lambda: info(replica, "replication").get("master_link_status") == "up", 20, "it follows")
            replies = [replica.call(*words) for words in (["MULTI"], ["SLAVEOF", "NO", "ONE"], ["CLIENT", "KILL", "TYPE", "PUBSUB"],
                                                          ["EXEC"])]
            check(replies == ["OK", "QUEUED", "QUEUED", ["OK", 0]], f"{replies}")
            wait_until(lambda: info(replica, "replication")["role"] == "master", 30, "a master")
            replies = [replica.call(*words) for words in (["MULTI"], ["SET", "k", "v"], ["SLAVEOF", "127.0.0.1", STOCK], ["EXEC"])]
            check(replies[-1] == ["OK", "OK"], f"{replies}")
            wait_until(lambda: info(replica, "replication").get("master_link_status") == "up", 20, "it follows again")
            check(replica.call("GET", "k") is None, "the master's data")


parser = argparse.ArgumentParser()
parser.add_argument("--build")
parser.add_argument("--reference", default="redis-server")
arguments = parser.parse_args()
BINARY = os.path.join(build_directory(), "respite-cacheworker")
tap.run([test_full_sync, test_stream, test_partial_resync, test_two_replicas_under_load, test_what_it_tells, test_tools,
         test_full_sync_from_stock, test_stream_from_stock, test_partial_resync_from_stock, test_read_only, test_cut_off_sync,
         test_chain, test_failover, test_order_in_a_transaction])
