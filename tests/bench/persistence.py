"""The part of `make bench` about files and replicas: snapshots, loading, full syncs and the append-only file, beside
redis-server 7.0. Used by run.py; five million keys, a minute a round, two gigabytes of memory and one of disk."""
import contextlib
import os
import re
import statistics
import subprocess
import time

from stalls import Client, Prober

PORT = 21820  # eight of them
KEYS = 5000000
VALUE_BYTES = 8
WRITES_A_SECOND = 50000

# What is measured of both, and the goal of Respite / redis-server.
SAVE, MEMORY, TURN, STALL, LOAD, SYNC = (
    "seconds of a snapshot, idle", "extra memory in a snapshot, % of the data", "longest turn in a snapshot, ms",
    "longest wait of a probe in a snapshot, ms", "seconds to load a snapshot", "seconds of a full sync")
GOALS = {SAVE: 1.0, LOAD: 0.6, SYNC: 0.7}
MEMORY_GOAL_PERCENT = 10.0
TURN_GOAL_MS = 3.0
EVERYSEC_GOAL = 1.25
ALWAYS_GOAL = 1 / 1.2
GET_GOAL = 1.5


def proportional_bytes(pid):
    """Of a process and its children: what they share counts once."""
    total = 0
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        pids = [str(pid)] + file.read().split()
    for number in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{number}/smaps_rollup", encoding="ascii") as file:
            found = re.search(r"^Pss:\s+(\d+) kB", file.read(), re.M)
            total += int(found.group(1)) * 1024 if found else 0
    return total


class Server:
    """One of the two kinds, in a directory of its own."""

    def __init__(self, bench, kind, port, processor=0):
        self.bench, self.kind, self.port, self.processor = bench, kind, port, processor
        self.directory = os.path.join(bench.directory, f"{kind}-{port}")
        os.makedirs(self.directory, exist_ok=True)
        self.process = self.client = None
        self.seconds_to_start = self.start()

    def command(self):
        if self.kind == "respite":
            return [os.path.join(self.bench.options.build, "respite-cacheworker"), "--standalone", "--port", str(self.port),
                    "--dir", self.directory]
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.directory]

    def start(self):
        begin = time.monotonic()
        self.process = subprocess.Popen(["taskset", "-c", str(self.processor)] + self.command(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.directory)
        self.bench.processes.append(self.process)
        while time.monotonic() < begin + 120:
            with contextlib.suppress(OSError, RuntimeError):
                self.client = self.client or Client(self.port)
                if self.client.ask("PING") == b"PONG":
                    break
            time.sleep(0.005)
        return time.monotonic() - begin

    def restart(self):
        with contextlib.suppress(OSError):
            self.client.ask("SHUTDOWN", "NOSAVE")
        self.process.wait(30)
        self.client = None
        self.seconds_to_start = self.start()

    def set(self, **settings):
        for name, value in settings.items():
            self.client.ask("CONFIG", "SET", name.replace("_", "-"), value)

    def info(self, name):
        return self.client.info(name)

    def load(self, command, seconds, connections=50, pipeline=16, rate=0, fill=False, keys=KEYS):
        """A generator under way; its figures are what it prints."""
        arguments = [self.bench.load_program, "--port", str(self.port), "--command", command, "--value-bytes",
                     str(VALUE_BYTES), "--connections", str(connections), "--pipeline", str(pipeline), "--keys", str(keys),
                     "--cpu", "1", "--seconds", str(seconds), "--rate", str(rate), "--pid", str(self.process.pid)]
        return subprocess.Popen(arguments + (["--fill"] if fill else []), stdout=subprocess.PIPE, text=True)

    def save(self):
        """Seconds that a BGSAVE takes; it yields while the save goes on."""
        begin = time.monotonic()
        self.client.ask("BGSAVE")
        while self.info("rdb_bgsave_in_progress") == "1":
            yield
            time.sleep(0.01)
        if self.info("rdb_last_bgsave_status") != "ok":
            raise RuntimeError(f"{self.kind}: the snapshot failed")
        return time.monotonic() - begin


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@contextlib.contextmanager
def writers(server):
    generator = server.load("set", 600, pipeline=10, rate=WRITES_A_SECOND)
    time.sleep(0.5)
    try:
        yield
    finally:
        generator.terminate()
        generator.wait()


def extra_memory_percent(server):
    before = proportional_bytes(server.process.pid)
    most = before
    with writers(server):
        for _ in server.save():
            most = max(most, proportional_bytes(server.process.pid))
            time.sleep(0.1)
    return 100 * (most - before) / before


def stalls_ms(server):
    """The longest turn, which only ours knows, and the longest wait of a client with one command at a time."""
    with writers(server):
        server.client.ask("CONFIG", "RESETSTAT")
        prober = Prober(server.port)
        prober.start()
        finish(server.save())
        prober.ends = True
        prober.join()
    turn = int(server.info("respite_longest_turn_usec")) / 1000 if server.kind == "respite" else float("nan")
    return turn, prober.longest * 1000


def full_sync_seconds(server):
    replica = Server(server.bench, server.kind, server.port + 4, processor=1)
    server.set(repl_diskless_sync_delay=0)
    begin = time.monotonic()
    replica.client.ask("REPLICAOF", "127.0.0.1", server.port)
    while replica.info("master_link_status") != "up":
        time.sleep(0.01)
    took = time.monotonic() - begin
    if replica.client.ask("DBSIZE") != server.client.ask("DBSIZE"):
        raise RuntimeError(f"{server.kind}: the replica has other keys")
    replica.process.terminate()
    replica.process.wait(30)
    return took


def measure(server, figures):
    figures[SAVE].append(finish(server.save()))
    server.restart()
    figures[LOAD].append(server.seconds_to_start)
    figures[SYNC].append(full_sync_seconds(server))
    figures[MEMORY].append(extra_memory_percent(server))
    turn, stall = stalls_ms(server)
    figures[TURN].append(turn)
    figures[STALL].append(stall)


def bench_snapshot(bench):
    if not bench.wanted("persistence", "snapshot"):
        return
    sides = []
    for kind, port in (("respite", PORT), ("redis", PORT + 1)):
        server = Server(bench, kind, port)
        server.load("set", 1, pipeline=64, fill=True).communicate()
        sides.append((server, {name: [] for name in (SAVE, MEMORY, TURN, STALL, LOAD, SYNC)}))
    for _ in range(bench.options.rounds):
        for server, figures in sides:
            measure(server, figures)
    ours, peer = ({name: statistics.median(values) for name, values in figures.items()} for _, figures in sides)
    bench.header(f"Snapshots of {KEYS} keys, {WRITES_A_SECOND} writes a second where it is not idle", "redis 7.0")
    for name, goal in GOALS.items():
        bench.row("persistence", name, ours[name], peer[name], goal, "s")
    bench.row("persistence", MEMORY, ours[MEMORY], peer[MEMORY], MEMORY_GOAL_PERCENT / peer[MEMORY], "%")
    bench.row("persistence", TURN, ours[TURN], TURN_GOAL_MS, 1.0, "ms", "beside the goal")
    bench.row("persistence", STALL, ours[STALL], peer[STALL], float("inf"), "ms")
    bench.stop_all()


def cpu_per_set(server, seconds):
    text, _ = server.load("set", seconds, keys=1000000).communicate()
    return float(re.search(r'"cpu_us": \[([\d.]+)', text).group(1))


def bench_everysec(bench):
    if not bench.wanted("persistence", "everysec"):
        return
    ratios, figures = [], []
    for kind in ("respite", "redis"):
        sides = [Server(bench, kind, PORT + number) for number in (0, 1)]
        sides[0].set(appendonly="yes", appendfsync="everysec", auto_aof_rewrite_percentage=0)
        samples = [[], []]
        for _ in range(bench.options.rounds):
            for side, server in zip(samples, sides):
                side.append(cpu_per_set(server, max(3, bench.options.seconds)))
        figures.append([statistics.median(side) for side in samples])
        ratios.append(figures[-1][0] / figures[-1][1])
        bench.stop_all()
    bench.header("Append-only file, everysec: CPU microseconds per SET, pipeline 16", "without")
    bench.row("persistence", "everysec", *figures[0], EVERYSEC_GOAL, "us",
              f"redis-server {figures[1][0]:.3f} / {figures[1][1]:.3f}: {ratios[1]:.2f}")


def rate_of(generator):
    text, _ = generator.communicate()
    return float(re.search(r'"per_second": ([\d.]+)', text).group(1))


def p99_of(generator):
    text, _ = generator.communicate()
    return float(re.search(r'"p99_us": ([\d.]+)', text).group(1))


def bench_always(bench):
    if not bench.wanted("persistence", "always"):
        return
    servers = [Server(bench, kind, port) for kind, port in (("respite", PORT), ("redis", PORT + 1))]
    for server in servers:
        server.set(appendonly="yes", appendfsync="always", auto_aof_rewrite_percentage=0)
    samples = [[], []]
    for _ in range(bench.options.rounds):
        for side, server in zip(samples, servers):
            side.append(1e6 / rate_of(server.load("set", max(3, bench.options.seconds), pipeline=1)))
    bench.header("Append-only file, always: microseconds between SETs of 50 connections", "redis 7.0")
    bench.row("persistence", "always", *map(statistics.median, samples), ALWAYS_GOAL, "us")

    waits = {(server.kind, appends): [] for server in servers for appends in ("yes", "no")}
    for _ in range(bench.options.rounds):
        for server in servers:
            for appends in ("yes", "no"):
                server.set(appendonly=appends)
                writing = server.load("set", 600, connections=10, pipeline=1, rate=2000)
                reading = server.load("get", 3, connections=10, pipeline=1, rate=10000)
                waits[server.kind, appends].append(p99_of(reading))
                writing.terminate()
                writing.wait()
    ours, ours_without, peer, peer_without = (statistics.median(values) for values in waits.values())
    bench.header("What others' SETs cost a GET: p99 in microseconds, always", "no file")
    bench.row("persistence", "always, GETs beside it", ours, ours_without, GET_GOAL, "us",
              f"redis-server {peer:.0f} / {peer_without:.0f}: {peer / peer_without:.2f}")
    bench.stop_all()


def bench_persistence(bench):
    bench_snapshot(bench)
    bench_everysec(bench)
    bench_always(bench)
