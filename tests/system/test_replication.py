#!/usr/bin/python3
"""A replica holds what its master holds: after full and partial syncs, under load, through kills, stops and expiry."""
import os
import re
import signal
import threading
import time

import tap
from appliance import Appliance, Client, wait_until
from tap import check, say

PORT = 22400
DATA_PORTS = {"worker-1": PORT + 11, "worker-2": PORT + 12}
KEYS = 200000
DATABASES = 5
STOPPED_GROWTH_MAX = 400 << 20  # the backlog (64 MB), what a replica may be behind (256 MB), and room
appliance = Appliance(PORT)


def pipeline(client, requests, window=2000):
    """The replies to many requests, with at most `window` of them under way."""
    replies = []
    for start in range(0, len(requests), window):
        some = requests[start:start + window]
        client.socket.sendall(b"".join(
            b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
            for words in some))
        replies += [client.read() for _ in some]
    return replies


def contents(port):
    """Every key of every database: {(database, key): (value, expiry in ms or -1)}."""
    client, found = Client(port, timeout=30), {}
    for database in range(DATABASES):
        check(client.call("SELECT", database) == "OK", "SELECT")
        cursor, keys = b"0", set()
        while True:
            cursor, some = client.call("SCAN", cursor, "COUNT", 5000)
            keys.update(some)
            if cursor == b"0":
                break
        keys = sorted(keys)
        values = pipeline(client, [(b"GET", key) for key in keys])
        expiries = pipeline(client, [(b"PEXPIRETIME", key) for key in keys])
        for key, value, expiry in zip(keys, values, expiries):
            if expiry != -2:  # else it expired behind the SCAN
                found[database, key] = value, expiry
    client.close()
    found.pop((0, b"respite:quickstart"), None)  # its try-out, which expires
    return found


def check_equal(least):
    """Both workers hold the same keys, values and expiry times, and at least so many keys."""
    appliance.wait_in_sync()
    time.sleep(0.2)  # then the shortest lives are over
    first, second = (contents(port) for port in DATA_PORTS.values())
    different = [key for key in first.keys() | second.keys() if first.get(key) != second.get(key)]
    shown = [(key, str(first.get(key))[:80], str(second.get(key))[:80]) for key in different[:3]]
    check(not different, f"{len(different)} of {len(first)} and {len(second)} keys differ: {shown}")
    check(len(first) >= least, f"only {len(first)} keys")
    return len(first)


def roles():
    master = appliance.master()
    return master, appliance.other_worker(master)


def log_of(name):
    with open(os.path.join(appliance.directory, name, "log"), encoding="utf-8") as file:
        return file.read()


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Load:
    """A client that writes all the time through the proxy: new values, expiries, deletions, counters."""

    def __enter__(self):
        self.stopped, self.written, self.error = threading.Event(), 0, None
        self.thread = threading.Thread(target=self.write)
        self.thread.start()
        wait_until(lambda: self.written > 0 or self.error, 30, "the load writes")
        return self

    def __exit__(self, kind, value, trace):
        self.stopped.set()
        self.thread.join(60)
        if kind is None:
            check(self.error is None, f"under load: {self.error!r}")

    def write(self):
        try:
            client = Client(PORT, timeout=30)
            while not self.stopped.is_set():
                requests = []
                for number in range(self.written, self.written + 100):
                    key = b"key:%d" % (number * 7919 % KEYS)
                    requests += [(b"SET", key, b"new %d" % number), (b"INCR", b"counter:%d" % (number % 50)),
                                 (b"PEXPIRE", b"key:%d" % (number * 31 % KEYS), b"600000"),
                                 (b"APPEND", b"log:%d" % (number % 20), b"x"),
                                 (b"DEL", b"key:%d" % (number * 17 % KEYS)),
                                 (b"SET", b"short:%d" % number, b"lived", b"PX", b"50")]
                wrong = [reply for reply in pipeline(client, requests) if isinstance(reply, Exception)]
                check(not wrong, f"{wrong[:1]}")
                self.written += 100
            client.close()
        except Exception as error:  # shown by the test's own thread
            self.error = error


def fill():
    """200,000 keys, half of them with a time to live, some in other databases; and 48 MB in big values."""
    client = Client(PORT, timeout=60)
    requests = [(b"SET", b"key:%d" % number, b"value %d" % number) + ((b"PX", b"%d" % (600000 + number)) if number % 2
                                                                        else ()) for number in range(KEYS)]
    check(set(pipeline(client, requests)) == {"OK"}, "SET")
    check(set(pipeline(client, [(b"SET", b"big:%d" % number, os.urandom(1 << 20)) for number in range(48)], 4))
          == {"OK"}, "SET of 1 MB")
    for database in range(1, DATABASES):
        check(client.call("SELECT", database) == "OK", "SELECT")
        check(set(pipeline(client, [(b"SET", b"other:%d" % number, b"%d" % database) for number in range(100)]))
              == {"OK"}, "SET")
    client.close()


def test_stream():
    """200,000 keys through the stream arrive as they are"""
    fill()
    check(check_equal(KEYS) == KEYS + 48 + 400, "not every key is there")


def test_full_sync_under_load():
    """a replica that comes back empty takes a full sync while the master is written to"""
    _, replica = roles()
    with Load() as load:
        appliance.kill(replica)
        written, seen = load.written, len(log_of(replica))
        wait_until(lambda: load.written > written + 2000 or load.error, 20, "writes without a replica")
        begin = time.monotonic()
        appliance.restart(replica)
        wait_until(lambda: "full sync complete" in log_of(replica)[seen:], 60, "the full sync")
        say(f"started and synced in {time.monotonic() - begin:.1f} s under load")
        written = load.written
        wait_until(lambda: load.written > written + 2000 or load.error, 20, "writes after the sync")
    check_equal(KEYS // 2)


def test_partial_resync():
    """a replica that comes back with its data continues where it was"""
    master, replica = roles()
    client = Client(DATA_PORTS[replica])
    check(client.call("SAVE") == "OK", "SAVE on the replica")
    client.close()
    before = log_of(replica)
    appliance.kill(replica, signal.SIGTERM)
    wait_until(lambda: appliance.process(replica)["pid"] is None, 30, "the replica's end")
    client = Client(PORT)
    check(set(pipeline(client, [(b"SET", b"away:%d" % number, b"x") for number in range(5000)])) == {"OK"}, "SET")
    check(client.call("DEL", "big:0") == 1, "DEL")
    client.close()
    appliance.restart(replica)
    check_equal(KEYS // 2)
    since = log_of(replica)[len(before):]
    check("partial resync with" in since and "full sync" not in since, since)
    check(appliance.master() == master, "there was a failover")


def start_and_kill_in_sync(replica):
    """Starts it, kills it as soon as its log speaks of a full sync; whether that was before the sync's end."""
    seen = len(log_of(replica))
    starter = threading.Thread(target=lambda: appliance.quickstart("restart", replica, check=False))
    starter.start()
    end = time.monotonic() + 20
    while "full sync from" not in log_of(replica)[seen:]:
        check(time.monotonic() < end, "no full sync begins")
        time.sleep(0.001)
    with open(os.path.join(appliance.directory, replica, "pid"), encoding="ascii") as file:
        os.kill(int(file.read()), signal.SIGKILL)
    starter.join()
    return "full sync complete" not in log_of(replica)[seen:]


def test_killed_in_full_sync():
    """a replica that is killed in the midst of its full sync starts again; the master forgets it"""
    master, replica = roles()
    dump = os.path.join(appliance.directory, replica, "dump.rdb")
    if os.path.exists(dump):
        os.unlink(dump)
    pid = appliance.process(master)["pid"]
    size, count = resident(pid), len(os.listdir(f"/proc/{pid}/fd"))
    interrupted = 0
    appliance.kill(replica)
    with Load():
        for _ in range(5):
            interrupted += start_and_kill_in_sync(replica)
    check(interrupted > 0, "no full sync was interrupted")
    say(f"{interrupted} of 5 full syncs were interrupted")
    wait_until(lambda: len(os.listdir(f"/proc/{pid}/fd")) < count + 3, 30, "the links of the dead are closed")
    appliance.restart(replica)
    check_equal(KEYS // 2)
    check(appliance.master() == master and appliance.process(master)["pid"] == pid, "the master is another one")
    grown = resident(pid) - size
    check(grown < 160 << 20, f"the master grew by {grown >> 20} MB")


def test_expiry():
    """a key that expires on the master goes from the replica, by the master's word"""
    master, replica = roles()
    writer, reader = Client(PORT), Client(DATA_PORTS[replica])
    for client in (writer, reader):
        check(client.call("SELECT", 4) == "OK", "SELECT")
    check(writer.call("FLUSHDB") == "OK", "FLUSHDB")
    check(set(pipeline(writer, [(b"SET", b"short:%d" % number, b"x", b"PX", b"3000") for number in range(1000)]))
          == {"OK"}, "SET")
    begin = time.monotonic()
    wait_until(lambda: reader.call("DBSIZE") == 1000, 2.5, "1,000 keys on the replica")
    check(0 < reader.call("PTTL", "short:0") <= 3000, "PTTL on the replica")
    wait_until(lambda: reader.call("GET", "short:999") is None, 30, "a key past its time is not read on the replica")
    check(time.monotonic() - begin > 2.5, "it went too early")
    wait_until(lambda: writer.call("DBSIZE") == 0, 30, "all are gone from the master")
    wait_until(lambda: reader.call("DBSIZE") == 0, 30, "and from the replica")
    reply = reader.call("SET", "a", "b")
    check(str(reply).startswith("READONLY "), f"a write to a replica: {reply}")
    writer.close()
    reader.close()


def test_stopped_replica():
    """a replica that stands still for 5 s does not make the master grow without bound, and catches up"""
    master, replica = roles()
    pid = appliance.process(master)["pid"]
    size, epoch, seen = resident(pid), appliance.status()["epoch"], len(log_of(master))
    client, stopped = Client(PORT, timeout=30), appliance.process(replica)["pid"]
    value, sent, peak = b"v" * 10000, 0, 0
    os.kill(stopped, signal.SIGSTOP)
    try:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if sent < 600 << 20:
                check(set(pipeline(client, [(b"SET", b"wide:%d" % number, value) for number in range(200)])) == {"OK"},
                      "SET")
                sent += 200 * len(value)
            else:
                time.sleep(0.05)
            peak = max(peak, resident(pid) - size)
    finally:
        os.kill(stopped, signal.SIGCONT)
    say(f"{sent >> 20} MB were written; the master grew by up to {peak >> 20} MB")
    check(sent > STOPPED_GROWTH_MAX, f"only {sent >> 20} MB were written")
    check(peak < STOPPED_GROWTH_MAX, f"the master grew by {peak >> 20} MB")
    check("too far behind" in log_of(master)[seen:], "the master kept the replica's stream, or says nothing of it")
    check_equal(KEYS // 2)
    check(appliance.status()["epoch"] == epoch, "there was a failover")
    client.close()


def test_quiet_logs():
    """no worker logged an error, damage or a diverged history"""
    for name in DATA_PORTS:
        check(not re.search(r" error |damaged|diverged", log_of(name)), f"{name}: {log_of(name)[-2000:]}")


with appliance:
    tap.run([test_stream, test_full_sync_under_load, test_partial_resync, test_killed_in_full_sync, test_expiry,
             test_stopped_replica, test_quiet_logs])
