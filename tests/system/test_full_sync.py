#!/usr/bin/python3
"""Full syncs that break off anywhere leave the old data; one ends while its master is written to all the time, and holds
little of that."""
import argparse
import os
import socket
import threading

import tap
from appliance import Client, build_directory, info, server, wait_until
from tap import check, say

MASTER, REPLICA, OTHER_REPLICA, RELAY = 25850, 25851, 25852, 25853
CUTS = 50
CUTS_AWAITED = 4  # of these, the replica comes back by itself
PIECE = 16 << 10
KEYS = 2000  # of 10 kB


class Relay:
    """Stands between a replica and its master; cuts each connection when so many bytes of the master's have passed."""

    def __init__(self, port, to):
        self.to, self.limit, self.passed, self.cuts = to, None, 0, 0
        self.before_piece = lambda: None
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                replica = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(replica,), daemon=True).start()

    def serve(self, replica):
        with replica, socket.socket() as master:
            master.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
            master.connect(("127.0.0.1", self.to))
            threading.Thread(target=self.pass_on, args=(replica, master), daemon=True).start()
            self.passed, limit = 0, self.limit
            try:
                while limit is None or self.passed < limit:
                    piece = master.recv(PIECE if limit is None else min(PIECE, limit - self.passed))
                    if not piece:
                        return
                    self.before_piece()
                    replica.sendall(piece)
                    self.passed += len(piece)
            except OSError:
                return  # the replica went first
            finally:
                for end in (replica, master):
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
            self.cuts += 1

    def pass_on(self, replica, master):
        try:
            for piece in iter(lambda: replica.recv(PIECE), b""):
                master.sendall(piece)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # or who waits in accept() would hold the port
        self.listener.close()


def worker(port):
    return server(port, BINARY, "--standalone", "--port", str(port), "--enable-debug-command")


def client_of(port):
    client = Client(port, timeout=60)
    settings = ("repl-diskless-sync-delay", 0, "repl-ping-replica-period", 3600)
    check(client.call("CONFIG", "SET", *settings) == "OK", "CONFIG SET")
    return client


def populate(client, keys=1500):
    for number in range(keys // 5):
        client.call("SET", f"string:{number}", "v" * (number % 700))
        client.call("RPUSH", f"list:{number}", *range(number % 40 + 1))
        client.call("HSET", f"hash:{number}", *range(2 * (number % 40 + 1)))
        client.call("ZADD", f"zset:{number}", *range(2 * (number % 40 + 1)))
        client.call("XADD", f"stream:{number}", "1-1", "f", "v" * (number % 200))


def in_step(master, replica):
    first, second = info(master, "replication"), info(replica, "replication")
    return second.get("master_link_status") == "up" and first["master_repl_offset"] == second["master_repl_offset"]


def follow(replica, port):
    check(replica.call("REPLICAOF", "127.0.0.1", port) == "OK", "REPLICAOF")


def check_same(master, replica):
    wait_until(lambda: in_step(master, replica), 30, "the replica holds all of the stream")
    check(master.call("DEBUG", "DIGEST") == replica.call("DEBUG", "DIGEST"), "the data differ")


def test_cuts():
    """a full sync that is cut at any byte leaves the replica with its old data, and then it is in sync"""
    with worker(MASTER), worker(REPLICA):
        master, replica = client_of(MASTER), client_of(REPLICA)
        populate(master)
        check(master.call("SET", "written", "never") == "OK", "SET")
        check(replica.call("SET", "mine", 1) == "OK", "SET")
        relay = Relay(RELAY, MASTER)
        follow(replica, RELAY)
        wait_until(lambda: info(replica, "replication")["master_link_status"] == "up", 30, "a full sync")
        whole = relay.passed
        check(whole > 100_000, f"a full sync of {whole} bytes")
        check(replica.call("REPLICAOF", "NO", "ONE") == "OK", "REPLICAOF NO ONE")
        check(replica.call("FLUSHALL") == "OK" and replica.call("SET", "mine", 1) == "OK", "data of its own")
        limits = [1, 60, 101, 150, *(whole * number // CUTS for number in range(1, CUTS)), whole - 200, whole - 45, whole - 20]
        for number, relay.limit in enumerate(limits):
            cuts = relay.cuts
            if number >= CUTS_AWAITED:
                check(replica.call("REPLICAOF", "NO", "ONE") == "OK", "REPLICAOF NO ONE")
            if number == 0 or number >= CUTS_AWAITED:
                follow(replica, RELAY)
            wait_until(lambda: relay.cuts > cuts, 30, f"the cut at {relay.limit} of {whole} bytes")
            wait_until(lambda: info(replica, "replication")["master_sync_in_progress"] == "0", 30, "the end of that sync")
            held = replica.call("GET", "mine"), replica.call("DBSIZE"), replica.call("EXISTS", "string:1")
            check(held == (b"1", 1, 0), f"after the cut at {relay.limit} of {whole} bytes: {held}")
            check(master.call("SET", "written", f"{number:05}") == "OK", "SET")
        relay.limit = None
        check_same(master, replica)
        check(replica.call("GET", "mine") is None, "the master's data")
        say(f"{relay.cuts} cuts of {whole} bytes")
        relay.close()


class Load:
    """Clients that write all the time, many commands at once."""

    def __init__(self, port, clients=2):
        self.port, self.clients, self.written, self.errors = port, clients, 0, []
        self.stopped = threading.Event()

    def __enter__(self):
        self.threads = [threading.Thread(target=self.write, args=(number,)) for number in range(self.clients)]
        for thread in self.threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, kind, value, trace):
        self.stop()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)

    def wait_for_more(self):
        before = self.written
        wait_until(lambda: self.written > before + 20000 or self.errors, 60, "the load goes on")
        check(not self.errors, f"{self.errors}")

    def write(self, seed):
        def words(*parts):
            return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        try:
            client, number = Client(self.port, timeout=60), seed
            while not self.stopped.is_set():
                batch = []
                for _ in range(250):
                    number += 7919
                    key = b"%d" % (number % 100000)
                    batch += [words(b"SET", b"key:" + key, b"w" * (number % 90)), words(b"INCR", b"counter"),
                              words(b"HSET", b"hash:" + key[:-1], key, key), words(b"DEL", b"key:" + key[:-1])]
                client.socket.sendall(b"".join(batch))
                wrong = [reply for reply in (client.read() for _ in batch) if isinstance(reply, Exception)]
                check(not wrong, f"{wrong[:1]}")
                self.written += len(batch)
            client.close()
        except Exception as error:  # shown by the test's own thread
            self.errors.append(error)


def is_up(replica):
    return info(replica, "replication")["master_link_status"] == "up"


def test_busy_master():
    """full syncs end, and come once each, while the master is written to as fast as clients can"""
    with worker(MASTER), worker(REPLICA), worker(OTHER_REPLICA):
        master, replicas = client_of(MASTER), [client_of(REPLICA), client_of(OTHER_REPLICA)]
        check(master.call("CONFIG", "SET", "client-output-buffer-limit", "slave 65536 65536 1") == "OK", "CONFIG SET")
        check(master.call("DEBUG", "POPULATE", 200000, "key", 60) == "OK", "DEBUG POPULATE")
        with Load(MASTER) as load:
            for replica in replicas:
                follow(replica, MASTER)
                load.wait_for_more()
            for replica in replicas:
                wait_until(lambda: is_up(replica), 60, "a full sync ends")
            load.wait_for_more()
            load.stop()
            say(f"{load.written} commands; {info(master, 'replication')['master_repl_offset']} bytes of the stream")
        for replica in replicas:
            check_same(master, replica)
        figures = info(master, "stats")
        check((figures["sync_full"], figures["sync_partial_ok"]) == ("2", "0"), f"{figures}")


class Writer:
    """Writes some bytes for each that passed a relay, however fast that is; and looks at what the master holds."""

    SHARE, VALUE = 0.4, 10000

    def __init__(self, master, relay):
        self.master, self.relay = master, relay
        self.written = self.most_held = self.count = 0

    def write(self):
        while self.written < self.SHARE * self.relay.passed:
            check(self.master.call("SET", f"key:{self.count % KEYS}", os.urandom(self.VALUE)) == "OK", "SET")
            self.written += self.VALUE
            self.count += 1
            if self.count % 16 == 0:
                held = int(info(self.master, "replication")["repl_backlog_histlen"])
                self.most_held = max(self.most_held, held)


def most_held(room):
    """Of the stream, by a master that is written to while a replica with so much room takes 20 MB of data from it."""
    with worker(MASTER), worker(REPLICA):
        master, replica, writes = client_of(MASTER), client_of(REPLICA), client_of(MASTER)
        check(replica.call("CONFIG", "SET", "replica-full-sync-buffer-limit", room) == "OK", "CONFIG SET")
        check(master.call("CONFIG", "SET", "repl-backlog-size", "1mb") == "OK", "CONFIG SET")
        for number in range(KEYS):
            check(master.call("SET", f"key:{number}", os.urandom(Writer.VALUE)) == "OK", "SET")
        relay = Relay(RELAY, MASTER)
        writer = Writer(writes, relay)
        relay.before_piece = writer.write
        follow(replica, RELAY)
        wait_until(lambda: is_up(replica), 60, "a full sync ends")
        relay.before_piece = lambda: None
        check_same(master, replica)
        check(info(master, "stats")["sync_full"] == "1", "one full sync")
        figures = info(replica, "replication")
        say(f"{writer.written} bytes written, {writer.most_held} held; the replica's most {figures['replicas_repl_buffer_peak']}")
        check(figures["replicas_repl_buffer_size"] == "0", f"{figures}")
        relay.close()
        return writer.most_held, int(figures["replicas_repl_buffer_peak"])


def test_little_is_held():
    """the stream goes beside the snapshot to a slow replica that has room, and is not held by the master"""
    held, peak = most_held("100mb")
    check(held < 3 << 20 and peak > 3 << 20, f"{held} bytes held at the master, {peak} at the replica")
    held, peak = most_held(1)
    check(held > 3 << 20, f"{held} bytes held at the master of a replica without room")


parser = argparse.ArgumentParser()
parser.add_argument("--build")
arguments = parser.parse_args()
BINARY = os.path.join(build_directory(), "respite-cacheworker")
tap.run([test_cuts, test_busy_master, test_little_is_held])
