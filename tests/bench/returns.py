#!/usr/bin/python3
"""Whether memory returns: resident megabytes of a worker that was filled, lost nine tenths of it (keys, or members of
one big value), and had a minute at most while it was asked for keys, beside a fresh worker that only got the rest.
Goal: 1.5 times as much at most.

    tests/bench/returns.py --build DIR [--cases REGEX] [--scale N]

It is no test: it takes minutes, and a gigabyte of memory."""
import argparse
import os
import re
import socket
import subprocess
import tempfile
import time

from stalls import Client, flat, groups

PORT = 21892


def text(number, length):
    return f"{number:x}".rjust(8, "0") + "x" * (length - 8)


def strings(length):
    def fill(client, numbers):
        client.pipeline(["MSET"] + flat((f"key:{i:012}", text(i, length)) for i in group) for group in numbers)

    def delete(client, numbers):
        client.pipeline(["DEL"] + [f"key:{i:012}" for i in group] for group in numbers)
    return fill, delete


def small(words, length, count):
    """Many keys, each with so many members."""
    def fill(client, numbers):
        client.pipeline([words[0], f"key:{i:012}"] + words[1](i, count, length) for group in numbers for i in group)
    return fill, strings(0)[1]


def big(words, length):
    """One key with many members."""
    def fill(client, numbers):
        for group in numbers:
            client.pipeline([[words[0], "big"] + [word for i in group for word in words[2](i, length)]])

    def delete(client, numbers):
        for group in numbers:
            client.pipeline([[words[3], "big"] + [words[4](i, length) for i in group]])
    return fill, delete


def big_list(length):
    def fill(client, numbers):
        client.pipeline(["RPUSH", "big"] + [text(i, length) for i in group] for group in numbers)

    def delete(client, numbers):
        """One of ten goes to the tail, and nine go."""
        for group in numbers:
            client.pipeline(command for _ in range(len(group) // 9)
                            for command in (("LMOVE", "big", "big", "LEFT", "RIGHT"), ("LPOP", "big", 9)))
    return fill, delete


HASH = ("HSET", lambda i, count, length: flat((f"field:{j}", text(i, length)) for j in range(count)),
        lambda i, length: (f"field:{i:08}", text(i, length)), "HDEL", lambda i, length: f"field:{i:08}")
SET = ("SADD", lambda i, count, length: [text(i * 100 + j, length) for j in range(count)],
       lambda i, length: (text(i, length),), "SREM", text)
ZSET = ("ZADD", lambda i, count, length: flat((j, text(i * 100 + j, length)) for j in range(count)),
        lambda i, length: (i * 7919 % 1000003, text(i, length)), "ZREM", text)
LIST = ("RPUSH", lambda i, count, length: [text(i, length) for _ in range(count)])


def stream_keys(length, count):
    def fill(client, numbers):
        client.pipeline(["XADD", f"key:{i:012}", "*", "field", text(i, length)] for group in numbers for i in group
                        for _ in range(count))
    return fill, strings(0)[1]


def big_group(length):
    def fill(client, numbers):
        client.pipeline(["XADD", "big", f"{i + 1}-0", "f", text(i, length)] for group in numbers for i in group)
        try:
            client.ask("XGROUP", "CREATE", "big", "g", 0)
        except RuntimeError:
            pass
        while client.ask("XREADGROUP", "GROUP", "g", "c", "COUNT", 1000, "STREAMS", "big", ">") is not None:
            pass

    def delete(client, numbers):
        client.pipeline(["XACK", "big", "g"] + [f"{i + 1}-0" for i in group] for group in numbers)
    return fill, delete


CASES = [
    ("strings of 8", 3000000, strings(8)),
    ("strings of 100", 1000000, strings(100)),
    ("strings of 700", 300000, strings(700)),
    ("strings of 3000", 100000, strings(3000)),
    ("hashes of 10 fields", 300000, small(HASH, 8, 10)),
    ("hashes of 200 fields", 10000, small(HASH, 8, 200)),
    ("sets of 300", 10000, small(SET, 8, 300)),
    ("sorted sets of 300", 10000, small(ZSET, 8, 300)),
    ("lists of 10", 300000, small(LIST, 8, 10)),
    ("lists of 2000", 10000, small(LIST, 8, 2000)),
    ("streams of 5", 100000, stream_keys(8, 5)),
    ("fields of one hash", 1000000, big(HASH, 8)),
    ("members of one set", 1000000, big(SET, 16)),
    ("members of one sorted set", 1000000, big(ZSET, 16)),
    ("elements of one list", 1000000, big_list(16)),
    ("pending of one group", 300000, big_group(8)),
]


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1024


class Worker:
    def __init__(self, options, directory):
        self.process = subprocess.Popen([os.path.join(options.build, "respite-cacheworker"), "--standalone", "--port",
                                         str(options.port)], cwd=directory, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for _ in range(100):
            time.sleep(0.05)
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", options.port)) == 0:
                    break
        self.client = Client(options.port)

    def resident(self):
        return resident_mb(self.process.pid)

    def end(self):
        self.process.terminate()
        self.process.wait()


def ask_for(client, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.pipeline(["EXISTS", f"key:{i:012}"] for i in range(100))
        time.sleep(0.01)


def measure(options, directory, count, case):
    fill, delete = case
    worker = Worker(options, directory)
    fill(worker.client, groups(count, 100))
    full = worker.resident()
    delete(worker.client, ([i for i in group if i % 10] for group in groups(count, 100)))
    deleted = worker.resident()
    worker.client.ask("CONFIG", "RESETSTAT")
    begin = time.monotonic()
    best, since = deleted, begin
    while time.monotonic() < min(begin + 60, since + 8):
        ask_for(worker.client, 1)
        now = worker.resident()
        if now < best * 0.98:
            best, since = now, time.monotonic()
    took = since - begin
    longest = int(worker.client.info("respite_longest_turn_usec"))
    worker.end()
    worker = Worker(options, directory)
    fill(worker.client, ([i for i in group if i % 10 == 0] for group in groups(count, 100)))
    fresh = worker.resident()
    worker.end()
    return full, deleted, best, fresh, best / fresh, took, longest


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--cases", default=".")
    parser.add_argument("--scale", type=float, default=1)
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    print(f"{'megabytes':<28} {'full':>8} {'deleted':>8} {'after':>8} {'fresh':>8} {'ratio':>6} {'s':>5} {'turn us':>8}")
    with tempfile.TemporaryDirectory() as directory:
        for name, count, case in CASES:
            if re.search(options.cases, name):
                row = measure(options, directory, int(count * options.scale), case)
                print(f"{name:<28} {row[0]:>8.1f} {row[1]:>8.1f} {row[2]:>8.1f} {row[3]:>8.1f} {row[4]:>6.2f} "
                      f"{row[5]:>5.0f} {row[6]:>8}", flush=True)


if __name__ == "__main__":
    main()
