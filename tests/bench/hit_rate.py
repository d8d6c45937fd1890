#!/usr/bin/python3
"""How many requests the eviction policies of a worker and of redis-server answer from memory.

Both are asked for the same keys at the same time, drawn from a Zipf distribution; what is missing is set, as a cache's client
does. Each has memory for a tenth of the keys, by its own account. The clock of LRU counts seconds, so this is done at a
steady rate that lets a key live for some tens of them; that of LFU counts minutes, so a policy takes two of them. Beside the
two stands what exact LRU would find with as many keys.

    tests/bench/hit_rate.py --build DIR [--keys N] [--rate N] [--seconds N] [--exponent S] [--policies P,P]
"""
import argparse
import collections
import itertools
import os
import random
import socket
import subprocess
import tempfile
import time

PORTS = 21840, 21841  # own range, below the ephemeral ports
VALUE = b"v" * 100
BATCH = 200  # requests under way at once
LIFETIME_S = 1_000_000  # of the keys, where only those with one may go; and as much again, at random


class Server:
    """One of the two, and the connection to it."""

    def __init__(self, name, port, command):
        self.name = name
        self.directory = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self.directory.name)
        self.socket = self.connect(port)
        self.socket.settimeout(60)
        self.file = self.socket.makefile("rb")

    def connect(self, port):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                return socket.create_connection(("127.0.0.1", port))
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{self.name} does not answer on port {port}")

    def send(self, commands):
        self.socket.sendall(b"".join(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word)
                                                                       for word in words) for words in commands))

    def reply(self):
        line = self.file.readline()
        if line.startswith(b"$") and line != b"$-1\r\n":
            return self.file.read(int(line[1:]) + 2)[:-2]
        if line.startswith(b"-"):
            raise SystemExit(f"{self.name}: {line!r}")
        return None if line == b"$-1\r\n" else line

    def ask(self, *words):
        self.send([[word if isinstance(word, bytes) else str(word).encode() for word in words]])
        return self.reply()

    def info(self, field):
        fields = dict(line.split(":", 1) for line in self.ask("INFO").decode().splitlines() if ":" in line)
        return int(fields[field])

    def count_keys(self):
        return int(self.ask("DBSIZE")[1:])

    def counted_bytes(self):
        return self.info("used_memory") - self.info("mem_not_counted_for_evict")

    def set_all(self, keys, volatile):
        keys = list(keys)
        for first in range(0, len(keys), BATCH):
            part = keys[first:first + BATCH]
            self.send([self.set_words(key, volatile) for key in part])
            for _ in part:
                self.reply()

    @staticmethod
    def set_words(key, volatile):
        return [b"SET", key, VALUE] + ([b"EX", b"%d" % (LIFETIME_S + random.randrange(LIFETIME_S))] if volatile else [])

    def limit_to(self, count, policy):
        """Memory for that many keys."""
        self.ask("FLUSHALL")
        self.ask("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", policy)
        self.set_all((b"first:%08d" % number for number in range(count)), policy.startswith("volatile"))
        limit = self.counted_bytes()
        self.ask("FLUSHALL")
        self.ask("CONFIG", "SET", "maxmemory", limit)
        self.ask("CONFIG", "RESETSTAT")

    def ask_for(self, keys):
        self.send([[b"GET", key] for key in keys])

    def take(self, keys, volatile):
        """How many were there; the others are set."""
        missing = list(dict.fromkeys(key for key in keys if self.reply() is None))
        self.set_all(missing, volatile)
        return len(keys) - len(missing)

    def end(self):
        self.process.terminate()
        self.process.wait(10)
        self.directory.cleanup()


class ExactLru:
    def __init__(self, capacity):
        self.capacity = capacity
        self.keys = collections.OrderedDict()

    def ask_for(self, keys):
        hits = 0
        for key in keys:
            if key in self.keys:
                hits += 1
                self.keys.move_to_end(key)
            else:
                self.keys[key] = True
                if len(self.keys) > self.capacity:
                    self.keys.popitem(last=False)
        return hits


def replay(servers, policy, options, weights):
    """The share of hits of each server and of exact LRU in the second half of the time."""
    volatile = policy.startswith("volatile")
    for server in servers:
        server.limit_to(options.keys // 10, policy)
    exact = ExactLru(options.keys // 10)
    generator = random.Random(options.seed)
    batches = options.seconds * options.rate // BATCH
    hits, asked = [0] * (len(servers) + 1), 0
    start = time.monotonic()
    for batch in range(batches):
        keys = [b"asked:%08d" % rank for rank in generator.choices(range(options.keys), cum_weights=weights, k=BATCH)]
        for server in servers:
            server.ask_for(keys)
        found = [server.take(keys, volatile) for server in servers] + [exact.ask_for(keys)]
        if batch >= batches // 2:
            hits = [total + count for total, count in zip(hits, found)]
            asked += BATCH
        ahead = start + (batch + 1) * BATCH / options.rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    return [count / asked for count in hits], time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--keys", type=int, default=500_000, help="that are asked for; a tenth fits into memory")
    parser.add_argument("--rate", type=int, default=12_000, help="requests per second")
    parser.add_argument("--seconds", type=int, default=120, help="per policy; the second half counts")
    parser.add_argument("--exponent", type=float, default=0.99, help="of the Zipf distribution")
    parser.add_argument("--policies", default="allkeys-lru,allkeys-lfu,volatile-lru,volatile-lfu")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    weights = list(itertools.accumulate(1 / rank ** options.exponent for rank in range(1, options.keys + 1)))
    worker = os.path.join(os.path.abspath(options.build), "respite-cacheworker")
    servers = [Server("respite", PORTS[0], [worker, "--standalone", "--port", str(PORTS[0])])]
    servers.append(Server("redis-server", PORTS[1], ["redis-server", "--port", str(PORTS[1]), "--bind", "127.0.0.1",
                                                     "--save", ""]))
    print(f"{options.keys} keys, memory for {options.keys // 10}, exponent {options.exponent}, {options.rate} requests/s")
    print(f"{'policy':14}  {'respite':>21}  {'redis-server':>21}  {'exact LRU':>9}   hits, keys, evictions")
    for policy in options.policies.split(","):
        shares, took = replay(servers, policy, options, weights)
        columns = [f"{share:.2%} {server.count_keys():6} {server.info('evicted_keys'):7}"
                   for share, server in zip(shares, servers)]
        print(f"{policy:14}  {columns[0]:>21}  {columns[1]:>21}  {shares[2]:9.2%}   ({took:.0f} s)", flush=True)
    for server in servers:
        server.end()


if __name__ == "__main__":
    main()
