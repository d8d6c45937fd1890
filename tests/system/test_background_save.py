#!/usr/bin/python3
"""BGSAVE and save points of a worker: what is on the disk is one moment of the data, whatever is written meanwhile."""
import os
import signal
import threading
import time

import tap
from appliance import Client, info, server, wait_until
from tap import check, say
from worker import with_worker

PORT, REFERENCE = 23450, 23451
by_itself = with_worker(PORT)
KEYS = 300000


def persistence(client):
    return info(client, "persistence")


def wait_saved(client):
    wait_until(lambda: persistence(client)["rdb_bgsave_in_progress"] == "0", 60, "the background save is over")


class Pairs(threading.Thread):
    """Sets two keys to one number in one command, all the time: in any picture they are equal."""

    def __init__(self):
        super().__init__()
        self.client, self.number, self.is_over, self.slowest_ms = Client(PORT, timeout=30), 0, False, 0

    def run(self):
        while not self.is_over:
            self.number += 1
            begun = time.monotonic()
            self.client.call("MSET", "pair:a", str(self.number), f"filler:{self.number % 5000}", "x" * 100, "pair:b",
                             str(self.number))
            self.slowest_ms = max(self.slowest_ms, (time.monotonic() - begun) * 1000)


@by_itself
def test_picture(worker):
    """a background save under load is one moment, between its begin and its end, and redis-server loads it"""
    client = worker.start()
    client.call("DEBUG", "POPULATE", KEYS)
    client.call("RPUSH", "list", *[str(i) for i in range(1000)])
    pairs = Pairs()
    pairs.start()
    time.sleep(0.3)
    before = pairs.number
    check(client.call("BGSAVE") == "Background saving started", "BGSAVE was refused")
    check(persistence(client)["rdb_bgsave_in_progress"] == "1", "INFO does not show it")
    refusal = client.call("SAVE")
    check(isinstance(refusal, Exception) and "Background save already in progress" in str(refusal), f"SAVE: {refusal}")
    wait_saved(client)
    after = pairs.number
    pairs.is_over = True
    pairs.join()
    fields = persistence(client)
    check(fields["rdb_last_bgsave_status"] == "ok" and int(fields["rdb_saves"]) == 1, f"{fields}")
    check(0 < int(fields["rdb_changes_since_last_save"]) < pairs.number * 3, "changes were not counted from the picture on")
    check(after > before + 5, f"hardly a write was executed meanwhile: {before} to {after}")
    check(sorted(os.listdir(worker.directory)) == ["dump.rdb", "lock"], f"{os.listdir(worker.directory)}")
    with server(REFERENCE, "redis-server", "--port", str(REFERENCE), "--dir", worker.directory, "--save", "",
                "--dbfilename", "dump.rdb"):
        reference = Client(REFERENCE, timeout=30)
        wait_until(lambda: info(reference, "persistence")["loading"] == "0", 30, "redis-server has loaded")
        first, second = (int(reference.call("GET", key)) for key in ("pair:a", "pair:b"))
        check(first == second and before - 1 <= first <= after, f"{before} - 1 <= {first} = {second} <= {after}")
        check(reference.call("DBSIZE") >= KEYS + 3, "keys are missing")
        check(reference.call("LLEN", "list") == 1000, "the list is not whole")
    say(f"{after - before} writes during the save of {KEYS} keys, the slowest took {pairs.slowest_ms:.1f} ms")


@by_itself
def test_save_points(worker):
    """save points: after so many changes, in so many seconds; what they saved is there after kill -9"""
    client = worker.start()
    refusal = client.call("CONFIG", "SET", "save", "1 2 3")
    check(isinstance(refusal, Exception) and "Invalid save parameters" in str(refusal), f"{refusal}")
    check(client.call("CONFIG", "SET", "save", "3600 1 1 3") == "OK", "save was refused")
    check(client.call("CONFIG", "GET", "save") == [b"save", b"3600 1 1 3"], "save reads otherwise")
    client.call("SET", "one", "1")
    client.call("SET", "two", "2")
    time.sleep(1.5)
    check(int(persistence(client)["rdb_saves"]) == 0, "two changes were enough")
    client.call("SET", "three", "3")
    wait_until(lambda: persistence(client)["rdb_saves"] == "1", 30, "the save point saves")
    check(persistence(client)["rdb_changes_since_last_save"] == "0", "the changes are still counted")
    worker.end()
    client = worker.start()
    check([client.call("GET", key) for key in ("one", "two", "three")] == [b"1", b"2", b"3"], "data are missing")


@by_itself
def test_failure(worker):
    """a full disk: the old file stays, INFO says err, and the next one works"""
    client = worker.start()
    client.call("SET", "kept", "1")
    check(client.call("SAVE") == "OK", "SAVE failed")
    with open(os.path.join(worker.directory, "dump.rdb"), "rb") as file:
        saved = file.read()
    os.symlink("/dev/full", os.path.join(worker.directory, "temp-bgsave.rdb"))
    client.call("SET", "new", "2")
    client.call("BGSAVE")
    wait_saved(client)
    check(persistence(client)["rdb_last_bgsave_status"] == "err", "INFO does not say it")
    with open(os.path.join(worker.directory, "dump.rdb"), "rb") as file:
        check(file.read() == saved, "the old file was touched")
    check(client.call("GET", "new") == b"2", "the worker does not serve")
    check(not os.path.lexists(os.path.join(worker.directory, "temp-bgsave.rdb")), "half a file was left")
    client.call("BGSAVE")
    wait_saved(client)
    check(persistence(client)["rdb_last_bgsave_status"] == "ok", "the next one failed too")
    worker.end()
    check(worker.start().call("GET", "new") == b"2", "the new key is missing")


def is_error(reply, words):
    return isinstance(reply, Exception) and words in str(reply)


@by_itself
def test_cancel(worker):
    """BGSAVE CANCEL, of one under way and of one that waits for the append-only file; the old file stays"""
    client = worker.start()
    client.call("SET", "kept", "1")
    check(client.call("SAVE") == "OK", "SAVE failed")
    saved = client.call("LASTSAVE")
    check(is_error(client.call("BGSAVE", "CANCEL"), "Background saving is currently not in progress or scheduled"),
          "there was something to cancel")
    for number in range(200):
        client.call("SET", f"key:{number}", "1")
    check(client.call("CONFIG", "SET", "rdb-key-save-delay", "100000000") == "OK", "the delay was refused")
    check(client.call("BGSAVE") == "Background saving started", "BGSAVE was refused")
    fields = persistence(client)
    check(fields["rdb_bgsave_in_progress"] == "1" and fields["current_save_keys_total"] == "201" and
          int(fields["current_save_keys_processed"]) < 201, f"{fields}")
    check(int(fields["current_cow_size"]) > 0 and int(fields["current_cow_peak"]) >= int(fields["current_cow_size"]),
          f"{fields}")
    check(client.call("SET", "kept", "2") == "OK", "a write was refused")
    check(client.call("BGSAVE", "CANCEL") == "Background saving cancelled", "it was not cancelled")
    wait_saved(client)
    check(client.call("LASTSAVE") == saved and persistence(client)["rdb_last_bgsave_status"] == "ok", "it counts")
    check(sorted(os.listdir(worker.directory)) == ["dump.rdb", "lock"], f"{os.listdir(worker.directory)}")

    check(client.call("CONFIG", "SET", "appendonly", "yes") == "OK", "no append-only file")
    wait_until(lambda: persistence(client)["current_save_keys_total"] == "201", 30, "a base is written")
    check(is_error(client.call("BGSAVE"), "Another child process is active"), "BGSAVE beside a rewrite")
    check(client.call("BGSAVE", "SCHEDULE") == "Background saving scheduled", "it was not scheduled")
    check(persistence(client)["rdb_bgsave_in_progress"] == "0", "what is scheduled is under way")
    check(client.call("BGSAVE", "CANCEL") == "Scheduled background saving cancelled", "it cannot be cancelled")
    check(client.call("BGSAVE", "SCHEDULE") == "Background saving scheduled", "it was not scheduled again")
    check(client.call("CONFIG", "SET", "rdb-key-save-delay", "0") == "OK", "the delay stays")
    wait_until(lambda: persistence(client)["rdb_saves"] == "2", 30, "what was scheduled is saved")
    check(int(persistence(client)["rdb_last_cow_size"]) > 0, "INFO does not say what it took")


@by_itself
def test_flushall(worker):
    """FLUSHALL calls off a background save; where there are save points, the data are saved anew"""
    client = worker.start()
    path = os.path.join(worker.directory, "dump.rdb")
    for number in range(200):
        client.call("SET", f"key:{number}", "1")
    client.call("CONFIG", "SET", "rdb-key-save-delay", "100000000")
    check(client.call("BGSAVE") == "Background saving started", "BGSAVE was refused")
    client.call("FLUSHALL", "now")
    check(persistence(client)["current_save_keys_total"] == "200", "a FLUSHALL that is refused called it off")
    check(client.call("FLUSHALL") == "OK", "FLUSHALL was refused")
    wait_saved(client)
    fields = persistence(client)
    check(int(fields["rdb_changes_since_last_save"]) >= 400 and fields["rdb_saves"] == "0" and
          fields["rdb_last_bgsave_status"] == "ok" and not os.path.exists(path), f"{fields}")

    client.call("SET", "key", "1")
    check(client.call("CONFIG", "SET", "save", "3600 1000") == "OK", "save was refused")
    for wanted in ("FUNCTION FLUSH", "BGSAVE"):  # nothing is under way, then something is
        saves = int(persistence(client)["rdb_saves"])
        client.call(*wanted.split())
        check(client.call("FLUSHALL") == "OK", "FLUSHALL was refused")
        wait_until(lambda: int(persistence(client)["rdb_saves"]) > saves, 30, "what is left is saved")
        check(persistence(client)["rdb_changes_since_last_save"] == "0", "the changes are still counted")
        client.call("SET", "key", "1")
    worker.end()
    check(worker.start().call("DBSIZE") == 0, "what was flushed is back")


@by_itself
def test_big_values(worker):
    """values that are written in slices, and changed meanwhile: redis-server finds them as they were"""
    client = worker.start()
    for first in range(0, 100000, 1000):
        names = [f"member:{number}" for number in range(first, first + 1000)]
        client.call("HSET", "hash", *(word for name in names for word in (name, "old")))
        client.call("ZADD", "zset", *(word for name in names for word in ("1", name)))
        client.call("SADD", "set", *names)
        client.call("RPUSH", "list", *names)
        client.call("XADD", "stream", "*", *(names[:100]))
    client.call("SET", "string", "s" * 5000000)
    for number in range(1000):
        client.call("SET", f"text:{number}", "some words " * 500)
    for command in (("BGSAVE",), ("HSET", "hash", "member:99999", "new"), ("ZREM", "zset", "member:0"), ("DEL", "set"),
                    ("LPUSH", "list", "new"), ("XTRIM", "stream", "MAXLEN", "0"), ("APPEND", "string", "x")):
        reply = client.call(*command)
        check(not isinstance(reply, Exception), f"{command[0]}: {reply}")
    wait_saved(client)
    size = os.path.getsize(os.path.join(worker.directory, "dump.rdb"))
    check(size < 5000000 + 100000 * 60, f"{size} bytes: the texts are not compressed")
    check(client.call("HGET", "hash", "member:99999") == b"new" and client.call("EXISTS", "set") == 0, "lost writes")
    with server(REFERENCE, "redis-server", "--port", str(REFERENCE), "--dir", worker.directory, "--save", ""):
        reference = Client(REFERENCE, timeout=30)
        wait_until(lambda: info(reference, "persistence")["loading"] == "0", 30, "redis-server has loaded")
        found = [reference.call(*words) for words in (
            ("HLEN", "hash"), ("HGET", "hash", "member:99999"), ("ZCARD", "zset"), ("ZSCORE", "zset", "member:0"),
            ("SCARD", "set"), ("LLEN", "list"), ("LINDEX", "list", "0"), ("XLEN", "stream"), ("STRLEN", "string"),
            ("GET", "text:999"))]
        check(found == [100000, b"old", 100000, b"1", 100000, 100000, b"member:0", 100, 5000000, b"some words " * 500],
              f"{found}")


@by_itself
def test_end_in_the_middle(worker):
    """a worker that is asked to end in the middle of a background save keeps the newest data"""
    for number in (signal.SIGTERM, signal.SIGKILL):
        client = worker.start()
        client.call("DEBUG", "POPULATE", KEYS)
        for delay_ms in (0, 20, 60, 120):
            client.call("SET", "at", f"{number} {delay_ms}")
            if number == signal.SIGKILL:
                client.call("SAVE")
            client.call("BGSAVE")
            time.sleep(delay_ms / 1000)
            client.call("SET", "newest", f"{number} {delay_ms}")
            worker.end(number)
            client = worker.start()
            wanted = f"{number} {delay_ms}".encode()
            check(client.call("GET", "at") == wanted, f"after {delay_ms} ms an older file was loaded")
            if number == signal.SIGTERM:
                check(client.call("GET", "newest") == wanted, f"after {delay_ms} ms the last write is missing")
            check(client.call("DBSIZE") >= KEYS + 1, "keys are missing")
        worker.end()


tap.run([test_picture, test_save_points, test_failure, test_cancel, test_flushall, test_big_values, test_end_in_the_middle])
