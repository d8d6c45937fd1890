#!/usr/bin/python3
"""Every type survives: a replica has the same data, a failover keeps them, a full sync and a restart bring them back."""
import signal

import tap
from appliance import Appliance, Client, wait_until
from tap import check, say

PORT = 23400
LONG = b"a value that is longer than what a listpack takes for one of its own: " + b"x" * 100

# What is written, by key: commands, of which each ends with the words of the key's own.
WRITES = {
    b"string": [[b"SET", b"string", b"value"]],
    b"big string": [[b"SET", b"big string", b"v" * 100000]],
    b"expiring": [[b"SET", b"expiring", b"1", b"EX", b"100000"]],
    b"bits": [[b"SETRANGE", b"bits", b"1000", b"\xff\x0f"]],
    b"small hash": [[b"HSET", b"small hash", b"a", b"1", b"b", b"two"]],
    b"shown hash": [[b"HSET", b"shown hash", b"a", LONG]],
    b"dated hash": [[b"HSETEX", b"dated hash", b"EX", b"100000", b"FIELDS", b"1", b"f%d" % number, b"%d" % number]
                    for number in range(300)] + [[b"HSET", b"dated hash", b"for ever", b"1"]],
    b"big hash": [[b"HSET", b"big hash", b"f%d" % number, b"%d" % (number * 7)] for number in range(2000)],
    b"small zset": [[b"ZADD", b"small zset", b"1.5", b"a", b"-inf", b"b", b"3", b"c"]],
    b"small list": [[b"RPUSH", b"small list", b"a", b"1", LONG]],
    b"big list": [[b"RPUSH", b"big list", b"element %d" % number] for number in range(5000)],
    b"big zset": [[b"ZADD", b"big zset", b"%f" % (number / 3), b"m%d" % number] for number in range(2000)],
}
# How they are read: what two nodes must answer alike, in any order where the type has none.
READS = {b"string": b"GET", b"hash": b"HGETALL", b"zset": b"ZRANGE", b"list": b"LRANGE", b"set": b"SMEMBERS",
         b"stream": b"XRANGE"}
RANGES = {b"zset": (b"0", b"-1", b"WITHSCORES"), b"list": (b"0", b"-1"), b"stream": (b"-", b"+")}

# The types that this build has; a command that it does not know is no part of the test.
OPTIONAL = {
    b"integers": [[b"SADD", b"integers"] + [b"%d" % number for number in range(100)]],
    b"small set": [[b"SADD", b"small set", b"a", b"b", b"12"]],
    b"big set": [[b"SADD", b"big set", b"member %d" % number] for number in range(2000)],
    b"stream": [[b"XADD", b"stream", b"%d-1" % (number + 1), b"field", b"%d" % number] for number in range(500)],
    b"hyperloglog": [[b"PFADD", b"hyperloglog"] + [b"%d" % number for number in range(1000)]],
    b"geo": [[b"GEOADD", b"geo", b"13.361389", b"38.115556", b"Palermo", b"15.087269", b"37.502669", b"Catania"]],
}


def write_all(client):
    """Writes everything that the worker knows how to; the keys."""
    keys = []
    for key, commands in {**WRITES, **OPTIONAL}.items():
        replies = []
        for command in commands:
            client.send(*command)
        for _ in commands:
            replies.append(client.read())
        unknown = key in OPTIONAL and str(replies[0]).startswith("ERR unknown command")
        errors = [str(reply) for reply in replies if isinstance(reply, Exception)]
        check(unknown or not errors, f"{key!r}: {errors[:1]}")
        if unknown:
            say(f"{key.decode()}: the worker does not know {commands[0][0].decode()}")
        else:
            keys.append(key)
    return keys


def contents(client, keys):
    """Type, encoding and value of every key."""
    found = {}
    for key in keys:
        kind = client.call("TYPE", key).encode()
        check(kind in READS, f"{key!r} is a {kind!r}")
        value = client.call(READS[kind], key, *RANGES.get(kind, ()))
        if kind == b"set":
            value = sorted(value)
        if kind == b"hash":
            dates = client.call("HPEXPIRETIME", key, "FIELDS", len(value) // 2, *value[::2])
            value = sorted(zip(value[::2], value[1::2], dates))
        found[key] = (kind, client.call("OBJECT", "ENCODING", key), client.call("PTTL", key) > 0, value)
    return found


def check_same(port, keys, wanted, where):
    client = Client(port, timeout=10)
    found = contents(client, keys)
    client.close()
    different = [key for key in keys if found[key] != wanted[key]]
    check(not different, f"{where}: different are {different}: "
                         f"{str([found[key] for key in different])[:300]} {str([wanted[key] for key in different])[:300]}")


def wait_for_data(appliance):
    appliance.wait_in_sync(60)
    return appliance.workers()


def test_every_type():
    """values of every type are the same on a replica, after a failover, a full sync, and a restart from disk"""
    with Appliance(PORT) as appliance:
        client = Client(PORT, timeout=30)
        keys = write_all(client)
        wanted = contents(client, keys)
        roles = wait_for_data(appliance)
        check_same(appliance.process(roles["replica"])["port"], keys, wanted, "the replica")

        appliance.kill(roles["master"])
        wait_until(lambda: appliance.status()["master"] == roles["replica"], 20, "the replica is master")
        check(client.call("SET", "after", "1") == "OK", "SET was refused")
        check_same(PORT, keys, wanted, "after the failover")
        before = appliance.process(roles["replica"])["pid"]

        appliance.restart(roles["master"])  # empty: a full sync
        roles = wait_for_data(appliance)
        check_same(appliance.process(roles["replica"])["port"], keys, wanted, "the replica that came back")

        worker = Client(appliance.process(roles["master"])["port"], timeout=30)
        check(worker.call("SAVE") == "OK", "SAVE was refused")
        worker.close()
        other = Client(appliance.process(roles["replica"])["port"], timeout=30)
        check(other.call("SAVE") == "OK", "SAVE was refused")
        other.close()
        for name in (roles["master"], roles["replica"]):
            appliance.kill(name, signal.SIGKILL)
        for name in (roles["master"], roles["replica"]):
            appliance.restart(name)
        wait_until(lambda: appliance.status()["master"] is not None, 60, "a master")
        check(client.call("SET", "again", "1") == "OK", "SET was refused")
        check_same(PORT, keys, wanted, "after a restart from disk")
        check(appliance.process(roles["master"])["pid"] != before, "it was not restarted")
        say(f"{len(keys)} keys of {len({kind for kind, *_ in wanted.values()})} types")


tap.run([test_every_type])
