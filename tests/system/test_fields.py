#!/usr/bin/python3
"""Fields that expire, beside a stock redis-server 7.0: it follows our stream and loads our file, and understands all but
the dates; a file that it wrote, and ours, come back."""
import os
import random
import shutil
import tempfile
import time

import tap
from appliance import Client, build_directory, info, server, wait_until
from tap import check, say

OURS, STOCK, LOADED = 24850, 24851, 24852
BINARY = os.path.join(build_directory(), "respite-cacheworker")
TURN_MAX_US = 50000  # of processor time; a machine that is busy makes it longer than ADR 6 says
KEYS = [b"h%d" % number for number in range(6)]


def stock(port, directory, *options):
    return server(port, "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory,
                  "--logfile", os.path.join(directory, "log"), *options)


def contents(client, keys):
    return {key: sorted(zip(*[iter(client.call("HGETALL", key))] * 2)) for key in keys}


def dates(client, keys):
    found = {}
    for key in keys:
        fields = sorted(client.call("HKEYS", key))
        if fields:
            found[key] = dict(zip(fields, client.call("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)))
    return found


def offsets_meet(ours, replica):
    """The stock replica is in step: its link is up and it counts as we do."""
    theirs = info(replica, "replication")
    return theirs["master_link_status"] == "up" and theirs["slave_repl_offset"] == info(ours, "replication")[
        "master_repl_offset"]


def random_change(client, draw):
    key, field = draw.choice(KEYS), b"f%d" % draw.randrange(20)
    other = b"f%d" % draw.randrange(20)
    client.call(*draw.choice((
        ("HSETEX", key, "PX", draw.randrange(1, 1500), "FIELDS", 2, field, b"x" * draw.randrange(100), other, "12"),
        ("HSETEX", key, "KEEPTTL", "FIELDS", 1, field, draw.randrange(1000)),
        ("HPEXPIRE", key, draw.randrange(0, 1500), "FIELDS", 2, field, other),
        ("HPERSIST", key, "FIELDS", 2, field, other),
        ("HGETEX", key, "EX", 1, "FIELDS", 1, field),
        ("HGETDEL", key, "FIELDS", 1, field),
        ("HSET", key, field, "plain"),
        ("HDEL", key, other),
        ("HINCRBYFLOAT", key, b"n%d" % draw.randrange(3), "0.5"),
        ("HPEXPIRE", key, draw.randrange(500, 1500), "FIELDS", 1, b"n%d" % draw.randrange(3)),
    )))


def test_stock_replica():
    """a stock replica keeps its link and its offset, and holds the same fields and values"""
    directory = tempfile.mkdtemp(prefix="respite-fields-")
    with server(OURS, BINARY, "--standalone", "--port", str(OURS)), \
            stock(STOCK, directory, "--replicaof", f"127.0.0.1 {OURS}"):
        ours, replica = Client(OURS), Client(STOCK)
        ours.call("HSETEX", "before", "EX", 1, "FIELDS", 2, "a", "1", "b", "2")  # comes with the full sync
        ours.call("HSET", "before", "c", "3")
        wait_until(lambda: offsets_meet(ours, replica), 20, "the stock replica is in step")
        draw = random.Random(1)
        ids = info(replica, "replication")["master_replid"]
        for number in range(4000):
            random_change(ours, draw)
            if number % 1000 == 999:
                wait_until(lambda: offsets_meet(ours, replica), 30, "the offsets meet")
        dump = ours.call("DUMP", KEYS[0])
        if dump is not None:
            ours.call("RESTORE", "restored", 0, dump)
        wait_until(lambda: not any(date > 0 for of_key in dates(ours, KEYS + [b"before", b"restored"]).values()
                                   for date in of_key.values()), 10, "no field has a date any more")
        wait_until(lambda: offsets_meet(ours, replica), 30, "the offsets meet")
        keys = KEYS + [b"before", b"restored"]
        check(contents(ours, keys) == contents(replica, keys), "the stock replica holds something else")
        check(contents(ours, [b"before"])[b"before"] == [(b"c", b"3")], "what came with the full sync is over")
        check(info(replica, "replication")["master_replid"] == ids, "it went on by the same stream")
        with open(os.path.join(directory, "log")) as log:
            lines = log.read().splitlines()
        loud = [line for line in lines if "CRITICAL" in line or "error" in line.lower()]
        check(not loud, f"the stock replica complains: {loud[:3]}")
        check(sum("Full resync" in line for line in lines) <= 1, "it took one full sync")
        say(f"{info(ours, 'stats')['expired_subkeys']} fields expired")
        ours.close()
        replica.close()
    shutil.rmtree(directory)


def test_files():
    """a stock server loads our file; from it we have all dates back; a file that it wrote is one of plain hashes"""
    directory = tempfile.mkdtemp(prefix="respite-fields-")
    ours_at = ("--standalone", "--port", str(OURS), "--dir", directory)
    with server(OURS, BINARY, *ours_at):
        ours = Client(OURS)
        for number in range(3000):  # more than one record
            ours.call("HSETEX", "big", "PX", 1000000 + number, "FIELDS", 1, b"a field of its own %d" % number, number)
        ours.call("HSETEX", "small", "EX", 1000, "FIELDS", 2, "a", "1", b"\x00\r\n\xff", "2")
        ours.call("HSET", "small", "c", "3")
        ours.call("EXPIRE", "small", 5000)
        ours.call("SELECT", 3)
        ours.call("HSETEX", "third", "PX", 1, "FIELDS", 1, "short", "1")
        ours.call("HSETEX", "third", "EX", 1000, "FIELDS", 1, "long", "1")
        ours.call("SELECT", 0)
        keys = [b"big", b"small"]
        wanted, dated = contents(ours, keys), dates(ours, keys)
        check(ours.call("SAVE") == "OK", "SAVE")
        ours.close()
    with stock(LOADED, directory):
        loaded = Client(LOADED)
        check(contents(loaded, keys) == wanted, "a stock server loads something else")
        check(loaded.call("PTTL", "small") > 0, "the key's own expiry is lost")
        loaded.call("SELECT", 3)
        check((b"long", b"1") in contents(loaded, [b"third"])[b"third"], "the third database")
        loaded.close()
    with server(OURS, BINARY, *ours_at):
        ours = Client(OURS)
        check(contents(ours, keys) == wanted and dates(ours, keys) == dated, "our own file brings something else back")
        ours.call("SELECT", 3)
        check(ours.call("HKEYS", "third") == [b"long"], "what was due is gone")
        ours.close()
    with stock(LOADED, directory):
        loaded = Client(LOADED)
        check(loaded.call("SAVE") == "OK", "SAVE")
        loaded.close()
    with server(OURS, BINARY, *ours_at):
        ours = Client(OURS)
        check(contents(ours, keys) == wanted, "a stock server's file brings something else back")
        check({date for of_key in dates(ours, keys).values() for date in of_key.values()} == {-1}, "dates")
        ours.close()
    shutil.rmtree(directory)


def test_a_million_fields():
    """a million fields that are due at once go in small steps, while others are served"""
    with server(OURS, BINARY, "--standalone", "--port", str(OURS)):
        ours = Client(OURS, timeout=60)
        count = 1000000
        for start in range(0, count, 10000):
            ours.call("HSET", "million", *[word for number in range(start, start + 10000) for word in (number, "x")])
        ours.call("HSET", "million", "stays", "x")
        ours.call("CONFIG", "RESETSTAT")
        for start in range(0, count, 10000):
            ours.call("HPEXPIRE", "million", 3000, "FIELDS", 10000, *range(start, start + 10000))
        end = time.monotonic() + 60
        while int(info(ours, "stats")["expired_subkeys"]) < count and time.monotonic() < end:
            check(ours.call("PING") == "PONG", "PING")
            time.sleep(0.002)
        check(ours.call("HGETALL", "million") == [b"stays", b"x"], "all but one are over")
        turn_us = int(info(ours, "everything")["respite_longest_turn_usec"])
        say(f"the longest turn took {turn_us} us of processor time")
        check(turn_us < TURN_MAX_US, f"a turn took {turn_us} us of processor time")
        ours.close()


tap.run([test_stock_replica, test_files, test_a_million_fields])
