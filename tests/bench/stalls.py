#!/usr/bin/python3
"""What big pieces of work cost the others: the longest turn of a worker, in microseconds of processor time
(`respite_longest_turn_usec`), while a value of a million members goes, is trimmed or is touched, and while the memory
of what is gone is given back. 50 clients read small keys meanwhile; beside it stand the milliseconds that the command
itself took, and the longest wait of one more client.

    tests/bench/stalls.py --build DIR [--cases REGEX] [--members N] [--keys N] [--no-load]

It is no test: machines are shared. Three minutes; a gigabyte of memory."""
import argparse
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

PORT = 21890


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    @staticmethod
    def encode(words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

    def reply(self):
        line = self.file.readline()[:-2]
        if not line:
            raise ConnectionError("the connection was closed")
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind in b"*%~":
            return [self.reply() for _ in range(int(rest) * (2 if kind == b"%" else 1))]
        return rest

    def ask(self, *words):
        self.socket.sendall(self.encode(words))
        return self.reply()

    def pipeline(self, commands):
        batch, count = [], 0
        for words in commands:
            batch.append(self.encode(words))
            count += 1
            if count % 100 == 0:
                self.socket.sendall(b"".join(batch))
                for _ in batch:
                    self.reply()
                batch = []
        self.socket.sendall(b"".join(batch))
        for _ in batch:
            self.reply()

    def info(self, name):
        text = self.ask("INFO", "everything").decode()
        return re.search(rf"^{name}:(.*)\r$", text, re.M).group(1)


class Prober(threading.Thread):
    """Asks one question after the other, and remembers the longest wait."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.client = Client(port)
        self.longest = 0
        self.ends = False

    def run(self):
        while not self.ends:
            begin = time.perf_counter()
            self.client.ask("GET", "small")
            self.longest = max(self.longest, time.perf_counter() - begin)
            time.sleep(0.001)


def groups(count, size=1000):
    return (range(at, min(at + size, count)) for at in range(0, count, size))


def flat(pairs):
    return [word for pair in pairs for word in pair]


def fill_string(client, count):
    client.ask("SETRANGE", "big", count * 20, "x")


def fill_list(client, count):
    client.pipeline(["RPUSH", "big"] + [f"element:{i}" for i in group] for group in groups(count))


def fill_set(client, count):
    client.pipeline(["SADD", "big"] + [f"member:{i}" for i in group] for group in groups(count))


def fill_zset(client, count):
    client.pipeline(["ZADD", "big"] + flat((i * 7919 % count, f"member:{i}") for i in group) for group in groups(count))


def fill_hash(client, count):
    client.pipeline(["HSET", "big"] + flat((f"field:{i}", f"value:{i}") for i in group) for group in groups(count))


def fill_due_hash(client, count):
    fill_hash(client, count)
    client.ask("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    when = int(time.time() * 1000) + 2000 + count // 200
    client.pipeline(["HPEXPIREAT", "big", when, "FIELDS", len(group)] + [f"field:{i}" for i in group]
                    for group in groups(count))
    client.ask("HSET", "big", "stays", 1)
    time.sleep(max(0.0, when / 1000 - time.time()) + 0.1)


def fill_stream(client, count):
    client.pipeline(["XADD", "big", f"{i + 1}-0", "field", f"value:{i}"] for i in range(count))


def fill_group(client, count):
    fill_stream(client, count)
    client.ask("XGROUP", "CREATE", "big", "group", 0)
    client.pipeline(["XREADGROUP", "GROUP", "group", "consumer", "COUNT", 1000, "STREAMS", "big", ">"]
                    for _ in groups(count))


FILLS = {"string": fill_string, "list": fill_list, "set": fill_set, "zset": fill_zset, "hash": fill_hash,
         "stream": fill_stream, "group": fill_group, "due hash": fill_due_hash}


def expire(client):
    client.ask("PEXPIRE", "big", 100)
    time.sleep(0.5)


def evict(client):
    """The key that is idle longest is the big one."""
    used = int(client.info("allocator_allocated"))
    client.ask("CONFIG", "SET", "maxmemory-samples", 64, "maxmemory-policy", "allkeys-lru", "maxmemory", used - 100000)
    while client.ask("EXISTS", "big") != b"0":
        time.sleep(0.01)
    client.ask("CONFIG", "SET", "maxmemory", 0)


def save(client):
    client.ask("BGSAVE")
    while client.info("rdb_bgsave_in_progress") == "1":
        time.sleep(0.02)


def save_and(*words):
    """A background save, and a write to the value that it is about to write: how long that waits is the command's ms."""
    def work(client):
        client.ask("BGSAVE")
        client.ask(*words)
    return work


def rewrite(client):
    client.ask("CONFIG", "SET", "appendonly", "yes")
    while client.info("aof_rewrite_in_progress") == "1":
        time.sleep(0.02)
    client.ask("CONFIG", "SET", "appendonly", "no")


def rewrite_as_commands(client):
    client.ask("CONFIG", "SET", "aof-use-rdb-preamble", "no")
    rewrite(client)
    client.ask("CONFIG", "SET", "aof-use-rdb-preamble", "yes")


def full_sync(client):
    with socket.create_connection(("127.0.0.1", client.socket.getpeername()[1])) as replica:
        replica.sendall(b"SYNC\r\n")
        replica.settimeout(2)
        try:
            while replica.recv(1 << 20):
                pass
        except TimeoutError:
            pass


def command(*words):
    return lambda client: client.ask(*words)


def cases(members):
    for kind in ("string", "list", "set", "zset", "hash", "stream", "group"):
        yield f"DEL {kind}", kind, command("DEL", "big")
    for kind in ("hash", "zset"):
        yield f"UNLINK {kind}", kind, command("UNLINK", "big")
        yield f"SET over {kind}", kind, command("SET", "big", 1)
        yield f"expiry of {kind}", kind, expire
        yield f"eviction of {kind}", kind, evict
        yield f"FLUSHALL of {kind}", kind, command("FLUSHALL")
        yield f"FLUSHALL SYNC of {kind}", kind, command("FLUSHALL", "SYNC")
    yield "HLEN of due fields", "due hash", command("HLEN", "big")
    yield "HGET of due fields", "due hash", command("HGET", "big", "field:1")
    yield "HSET of due fields", "due hash", command("HSET", "big", "field:1", 1)
    yield "HRANDFIELD of due fields", "due hash", command("HRANDFIELD", "big")
    yield "active expiry of due fields", "due hash", command("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    for kind in ("string", "list", "set", "zset", "hash", "stream", "group"):
        yield f"BGSAVE with {kind}", kind, save
    yield "BGSAVE, HSET", "hash", save_and("HSET", "big", "field", 1)
    yield "BGSAVE, ZADD", "zset", save_and("ZADD", "big", 1, "member")
    yield "BGREWRITEAOF with hash", "hash", rewrite
    for kind in ("string", "list", "set", "zset", "hash", "stream", "group"):
        yield f"base of commands with {kind}", kind, rewrite_as_commands
    yield "full sync with hash", "hash", full_sync
    yield "XTRIM MAXLEN 0", "stream", command("XTRIM", "big", "MAXLEN", 0)
    yield "XADD MAXLEN 1", "stream", command("XADD", "big", "MAXLEN", 1, "*", "a", "b")
    yield "XGROUP DESTROY", "group", command("XGROUP", "DESTROY", "big", "group")
    yield "XGROUP DELCONSUMER", "group", command("XGROUP", "DELCONSUMER", "big", "group", "consumer")
    yield "LTRIM to 1", "list", command("LTRIM", "big", 0, 0)
    yield "ZREMRANGEBYRANK of all", "zset", command("ZREMRANGEBYRANK", "big", 0, -1)
    yield "ZREMRANGEBYRANK but one", "zset", command("ZREMRANGEBYRANK", "big", 1, -1)


def settle(client):
    begin = time.monotonic()
    while time.monotonic() < begin + 30:
        time.sleep(0.05)
        if client.info("lazyfree_pending_objects") == "0":
            break
    time.sleep(0.2)
    return time.monotonic() - begin


def measure(client, port, work):
    prober = Prober(port)
    prober.start()
    client.ask("CONFIG", "RESETSTAT")
    begin = time.perf_counter()
    work(client)
    took = time.perf_counter() - begin
    settle(client)
    prober.ends = True
    prober.join()
    return int(client.info("respite_longest_turn_usec")), took * 1000, prober.longest * 1000


def show(name, figures):
    print(f"{name:<32} {figures[0]:>10} {figures[1]:>12.2f} {figures[2]:>12.2f}", flush=True)


def fill_keys(client, count):
    client.pipeline(["MSET"] + flat((f"key:{i:012}", f"value{i % 1000:03}") for i in group)
                    for group in groups(count, 100))


def run(client, port, options):
    show("nothing", measure(client, port, lambda client: time.sleep(2)))
    for name, kind, work in cases(options.members):
        if not re.search(options.cases, name):
            continue
        FILLS[kind](client, options.members)
        client.ask("SET", "small", 1)
        show(name, measure(client, port, work))
        client.ask("DEBUG", "SET-ACTIVE-EXPIRE", 1)
        client.ask("FLUSHALL")
        settle(client)
    for name, work in ((f"FLUSHALL of {options.keys} keys", command("FLUSHALL")),
                       (f"FLUSHALL SYNC of {options.keys} keys", command("FLUSHALL", "SYNC"))):
        if re.search(options.cases, name):
            fill_keys(client, options.keys)
            show(name, measure(client, port, work))
    if re.search(options.cases, "filling"):
        show("filling", measure(client, port, lambda client: fill_keys(client, options.keys)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--cases", default=".")
    parser.add_argument("--members", type=int, default=1000000)
    parser.add_argument("--keys", type=int, default=5000000)
    parser.add_argument("--no-load", action="store_true")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    processes = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            processes.append(subprocess.Popen([os.path.join(build, "respite-cacheworker"), "--standalone", "--port",
                                               str(options.port), "--enable-debug-command", "yes", "--dir", directory],
                                               stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL))
            for _ in range(100):
                time.sleep(0.05)
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", options.port)) == 0:
                        break
            client = Client(options.port)
            client.ask("SET", "small", 1)
            if not options.no_load:
                processes.append(subprocess.Popen(
                    [os.path.join(build, "tests/bench/load"), "--port", str(options.port), "--command", "get",
                     "--keys", "1000", "--seconds", "100000"], stdout=subprocess.DEVNULL))
            print(f"{'':<32} {'turn us':>10} {'command ms':>12} {'wait ms':>12}")
            run(client, options.port, options)
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
