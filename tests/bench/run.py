#!/usr/bin/python3
"""make bench: Respite beside its peers, in one run, interleaved.

Servers are pinned to processor 0, the generator to processor 1. Each row is measured in windows A B A B; the figures
are medians. CPU is that of the server processes, in microseconds per operation. A missed goal is shown, not an error.

    tests/bench/run.py --build DIR [--source DIR] [--cases REGEX] [--rounds N] [--seconds S] [--json FILE]
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import persistence

PORT = 21800  # own range, below the ephemeral ports
KEYS = 1000000

# name, command, value bytes, connections, pipeline, goal (Respite / redis-server 7.0)
WORKER_ROWS = [
    ("GET 3 B, pipeline 1", "get", 3, 50, 1, 1.0),
    ("GET 3 B, pipeline 16", "get", 3, 50, 16, 0.73 / 1.33),
    ("GET 3 B, pipeline 100", "get", 3, 50, 100, 0.6),
    ("SET 3 B, pipeline 1", "set", 3, 50, 1, 1.0),
    ("SET 3 B, pipeline 16", "set", 3, 50, 16, 0.77 / 1.34),
    ("SET 3 B, pipeline 100", "set", 3, 50, 100, 0.6),
    ("GET 1 KiB, pipeline 1", "get", 1024, 50, 1, 5.8 / 7.31),
    ("GET 1 KiB, pipeline 16", "get", 1024, 50, 16, 1.9 / 3.53),
    ("SET 1 KiB, pipeline 1", "set", 1024, 50, 1, 5.8 / 8.08),
    ("SET 1 KiB, pipeline 16", "set", 1024, 50, 16, 2.0 / 3.16),
    ("INCR, pipeline 1", "incr", 3, 50, 1, 0.8),
    ("INCR, pipeline 16", "incr", 3, 50, 16, 0.65 / 1.13),
    ("INCR, pipeline 100", "incr", 3, 50, 100, 0.40 / 0.82),
    ("MSET of 10, pipeline 1", "mset10", 3, 50, 1, 7.5 / 13.7),
    ("MSET of 10, pipeline 16", "mset10", 3, 50, 16, 4.2 / 9.43),
    ("MULTI of 10 SETs, pipeline 1", "multi10", 3, 50, 1, 0.6),
    ("MULTI of 10 SETs, pipeline 16", "multi10", 3, 50, 16, 0.6),
    ("EVALSHA of SET and GET, pipeline 1", "evalsha", 3, 50, 1, 1.0),
    ("EVALSHA of SET and GET, pipeline 16", "evalsha", 3, 50, 16, 0.7),
    ("HSET, pipeline 100", "hset", 3, 50, 100, 0.5),
    ("ZADD of one set, pipeline 100", "zadd", 3, 50, 100, 0.5),
    ("LPUSH of one list, pipeline 100", "lpush", 3, 50, 100, 0.6),
    ("LRANGE of its first 100, pipeline 100", "lrange100", 3, 50, 100, 0.5),
]

# name, connections, pipeline, goal of proxy / HAProxy, goal of proxy + worker / redis-server without a proxy
PROXY_ROWS = [
    ("50 connections, pipeline 1", 50, 1, 0.75, 1.0),
    ("500 connections, pipeline 1", 500, 1, 5.2 / 10.06, 1.0),
    ("1,900 connections, pipeline 1", 1900, 1, 8.0 / 22.6, 1.0),
    ("50 connections, pipeline 16", 50, 16, 0.55 / 0.74, 1.0),
]

# name, command, pipeline, goal of a worker with BLOCKED clients that wait for lists / one without
BLOCKED = 10000
BLOCKED_ROWS = [
    ("GET 3 B, pipeline 1", "get", 1, 1.03),
    ("GET 3 B, pipeline 16", "get", 16, 1.03),
    ("GET 3 B, pipeline 100", "get", 100, 1.03),
    ("SET 3 B, pipeline 100", "set", 100, 1.2),
]

# name, command, pipeline, goal of the CPU per operation (restricted user / one who may do everything)
RESTRICTED_ROWS = [
    ("GET 3 B, pipeline 16", "get", 16, 1.05),
    ("SET 3 B, pipeline 16", "set", 16, 1.05),
]

# name, subscribers, pipeline, goal of all CPU, goal of what is not spent in the kernel
PUBLISH_ROWS = [
    ("1,000 subscribers, pipeline 1", 1000, 1, 1.0, 0.5),
    ("1,000 subscribers, pipeline 16", 1000, 16, 0.75, 0.75),
]

# name, connections, pipeline, goal of the master's CPU per SET (sync / async)
DURABILITY_ROWS = [
    ("SET 3 B, 50 connections, pipeline 1", 50, 1, 1.3),
    ("SET 3 B, 50 connections, pipeline 16", 50, 16, 1.3),
    ("SET 3 B, 1 connection, pipeline 1", 1, 1, 1.3),
]

# name, command, keys, value bytes, goal of resident bytes per key
MEMORY_ROWS = [
    ("keys of 16 B, values of 8 B", "set", 2000000, 8, 56),
    ("keys of 16 B, values of 100 B", "set", 1000000, 100, 150),
    ("the same of 8 B with a time to live", "setex", 1000000, 8, 64),
    ("hashes of 10 small fields", "hash10", 100000, 8, 200),
    ("sorted sets of 10 small members", "zset10", 100000, 8, 150),
    ("members of one sorted set", "zadd", 1000000, 8, 80),
    ("elements of one list", "lpush", 1000000, 8, 12),
]


def wait_for_port(port, process=None, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            sys.exit(f"bench: {process.args[0]} ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"bench: nothing listens on port {port} after {seconds} s")


class Bench:
    def __init__(self, options):
        self.options = options
        self.processes = []
        self.rows = []
        self.directory = tempfile.mkdtemp(prefix="respite-bench-")
        self.load_program = os.path.join(options.build, "tests/bench/load")
        self.appliances = []

    def start(self, arguments, port):
        process = subprocess.Popen(["taskset", "-c", "0"] + arguments, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.directory)
        self.processes.append(process)
        wait_for_port(port, process)
        return process.pid

    def redis(self, port):
        return self.start(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--maxclients",
                           "4000"], port)

    def worker(self, port):
        return self.start([os.path.join(self.options.build, "respite-cacheworker"), "--standalone", "--port",
                           str(port)], port)

    def haproxy(self, port, backend):
        path = os.path.join(self.directory, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"""global
    nbthread 1
    maxconn 5000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    server s 127.0.0.1:{backend}
""")
        return self.start(["haproxy", "-db", "-f", path], port)

    def load(self, port, pids, command="get", value=3, connections=50, pipeline=1, keys=KEYS, fill=False, subscribers=0):
        arguments = [self.load_program, "--port", str(port), "--command", command, "--value-bytes", str(value),
                     "--connections", str(connections), "--pipeline", str(pipeline), "--keys", str(keys), "--cpu", "1",
                     "--seconds", str(self.options.seconds), "--subscribers", str(subscribers)]
        for pid in pids:
            arguments += ["--pid", str(pid)]
        if fill:
            arguments += ["--fill"]
        done = subprocess.run(arguments, stdout=subprocess.PIPE, check=True, text=True)
        return None if fill else json.loads(done.stdout)

    def stop_all(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        for directory in self.appliances:
            subprocess.run([self.quickstart(), "down", "--dir", directory], stdout=subprocess.DEVNULL, check=False)
            shutil.rmtree(directory)
        self.appliances = []

    def quickstart(self):
        return os.path.join(self.options.source, "quickstart")

    def close(self):
        self.stop_all()
        shutil.rmtree(self.directory)

    def row(self, part, name, ours, peer, goal, unit, extra=""):
        ratio = ours / peer if peer else float("nan")
        self.rows.append({"part": part, "name": name, "ours": ours, "peer": peer, "ratio": ratio, "goal": goal,
                          "unit": unit, "met": ratio <= goal})
        mark = "met" if ratio <= goal else "MISSED"
        print(f"{name:<44} {ours:>9.3f} {peer:>9.3f} {ratio:>7.2f} {goal:>6.2f}  {mark:<6} {extra}", flush=True)

    def wanted(self, part, name):
        return re.search(self.options.cases, f"{part}: {name}") is not None

    @staticmethod
    def header(title, peer):
        print(f"\n{title}\n{'':<44} {'respite':>9} {peer:>9} {'ratio':>7} {'goal':>6}")

    @staticmethod
    def load_script(port):
        """The one of load.c's EVALSHA."""
        script = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])"
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n${len(script)}\r\n{script}\r\n".encode())
            connection.recv(100)

    def bench_worker(self):
        rows = [row for row in WORKER_ROWS if self.wanted("worker", row[0])]
        if not rows:
            return
        self.header("Worker: CPU microseconds per operation", "redis 7.0")
        for value in sorted({row[2] for row in rows}):
            servers = [(self.worker(PORT + 1), PORT + 1), (self.redis(PORT + 2), PORT + 2)]
            for _, port in servers:
                self.load(port, [], "set", value, pipeline=64, fill=True)
                self.load_script(port)
            for name, command, _, connections, pipeline, goal in [row for row in rows if row[2] == value]:
                samples = [[], []]
                latency = [[], []]
                for _ in range(self.options.rounds):
                    for side, (pid, port) in enumerate(servers):
                        result = self.load(port, [pid], command, value, connections, pipeline)
                        samples[side].append(result["cpu_us"][0])
                        latency[side].append(result["p99_us"])
                p99 = [statistics.median(side) for side in latency]
                self.row("worker", name, statistics.median(samples[0]), statistics.median(samples[1]), goal, "us",
                         f"p99 {p99[0]:.0f} / {p99[1]:.0f} us")
            self.stop_all()

    def bench_restricted(self):
        rows = [row for row in RESTRICTED_ROWS if self.wanted("restricted", row[0])]
        if not rows:
            return
        ports = (PORT + 1, PORT + 2)
        pids = [self.worker(port) for port in ports]
        for port in ports:
            self.load(port, [], "set", 3, pipeline=64, fill=True)
        with socket.create_connection(("127.0.0.1", ports[0])) as connection:
            connection.sendall(b"ACL SETUSER default resetkeys ~k* resetchannels\r\n")
            if connection.recv(100) != b"+OK\r\n":
                sys.exit("bench: the user cannot be restricted")
        self.header("What a user with a pattern of keys costs: CPU microseconds per operation", "without")
        for name, command, pipeline, goal in rows:
            samples = [[], []]
            for _ in range(self.options.rounds):
                for side, port in enumerate(ports):
                    result = self.load(port, [pids[side]], command, 3, 50, pipeline)
                    samples[side].append(result["cpu_us"][0])
            self.row("restricted", name, statistics.median(samples[0]), statistics.median(samples[1]), goal, "us")
        self.stop_all()

    def bench_blocked(self):
        rows = [row for row in BLOCKED_ROWS if self.wanted("blocked", row[0])]
        if not rows:
            return
        ports = (PORT + 1, PORT + 2)
        pids = [self.worker(port) for port in ports]
        for port in ports:
            self.load(port, [], "set", 3, pipeline=64, fill=True)
        with socket.create_connection(("127.0.0.1", ports[0])) as connection:
            connection.sendall(f"CONFIG SET maxclients {BLOCKED + 1000}\r\n".encode())
            connection.recv(100)
        blocked = subprocess.Popen([self.load_program, "--port", str(ports[0]), "--connections", str(BLOCKED), "--idle",
                                    "--command", "blpop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if blocked.stdout.readline() != "ready\n":
            sys.exit("bench: the clients that wait did not connect")
        self.header(f"What {BLOCKED} blocked clients cost: CPU microseconds per operation", "without")
        for name, command, pipeline, goal in rows:
            samples = [[], []]
            for _ in range(self.options.rounds):
                for side, port in enumerate(ports):
                    result = self.load(port, [pids[side]], command, 3, 50, pipeline)
                    samples[side].append(result["cpu_us"][0])
            self.row("blocked", name, statistics.median(samples[0]), statistics.median(samples[1]), goal, "us")
        blocked.communicate()
        self.stop_all()

    def bench_publish(self):
        rows = [row for row in PUBLISH_ROWS if self.wanted("publish", row[0])]
        if not rows:
            return
        self.header("PUBLISH: CPU microseconds per message", "redis 7.0")
        servers = [(self.worker(PORT + 1), PORT + 1), (self.redis(PORT + 2), PORT + 2)]
        for name, subscribers, pipeline, *goals in rows:
            samples = {"cpu_us": [[], []], "user_us": [[], []]}
            for _ in range(self.options.rounds):
                for side, (pid, port) in enumerate(servers):
                    result = self.load(port, [pid], "publish", 100, 1, pipeline, subscribers=subscribers)
                    for key, sides in samples.items():
                        sides[side].append(result[key][0])
            for (key, sides), goal in zip(samples.items(), goals):
                self.row("publish", name + (", user" if key == "user_us" else ""), *map(statistics.median, sides), goal, "us")
        self.stop_all()

    def start_appliance(self, port, durability="async"):
        directory = os.path.join(self.directory, f"appliance-{port}")
        self.appliances.append(directory)
        subprocess.run([self.quickstart(), "up", "--dir", directory, "--port", str(port), "--durability", durability],
                       stdout=subprocess.DEVNULL, check=True)
        status = json.loads(subprocess.run([self.quickstart(), "status", "--dir", directory, "--json"],
                                           stdout=subprocess.PIPE, check=True, text=True).stdout)
        pids = {}
        for process in status["processes"]:
            subprocess.run(["taskset", "-a", "-p", "-c", "0", str(process["pid"])], stdout=subprocess.DEVNULL,
                           check=True)
            pids[process["name"]] = process["pid"]
        return pids["proxy-1"], pids[status["master"]]

    def bench_proxy(self):
        rows = [row for row in PROXY_ROWS if self.wanted("proxy", row[0])]
        if not rows:
            return
        proxy, master = self.start_appliance(PORT + 50)
        redis = self.redis(PORT + 2)
        haproxy = self.haproxy(PORT + 3, PORT + 2)
        self.load(PORT + 50, [], "set", pipeline=64, fill=True)
        self.load(PORT + 2, [], "set", pipeline=64, fill=True)
        results = []
        for name, connections, pipeline, goal, both_goal in rows:
            samples = {"proxy": [], "both": [], "haproxy": [], "direct": []}
            for _ in range(self.options.rounds):
                ours = self.load(PORT + 50, [proxy, master], connections=connections, pipeline=pipeline)["cpu_us"]
                peer = self.load(PORT + 3, [haproxy, redis], connections=connections, pipeline=pipeline)["cpu_us"]
                direct = self.load(PORT + 2, [redis], connections=connections, pipeline=pipeline)["cpu_us"]
                samples["proxy"].append(ours[0])
                samples["both"].append(ours[0] + ours[1])
                samples["haproxy"].append(peer[0])
                samples["direct"].append(direct[0])
            results.append((name, goal, both_goal, {key: statistics.median(value) for key, value in samples.items()}))
        self.header("Proxy alone: CPU microseconds per operation (GET 3 B)", "haproxy")
        for name, goal, _, median in results:
            self.row("proxy", name, median["proxy"], median["haproxy"], goal, "us")
        self.header("Proxy + worker, against redis-server without any proxy", "redis 7.0")
        for name, _, both_goal, median in results:
            self.row("through", name, median["both"], median["direct"], both_goal, "us")
        self.stop_all()

    def bench_durability(self):
        rows = [row for row in DURABILITY_ROWS if self.wanted("durability", row[0])]
        if not rows:
            return
        sides = [(port, *self.start_appliance(port, durability))
                 for port, durability in ((PORT + 100, "sync"), (PORT + 150, "async"))]
        time.sleep(5)  # the replicas are in the in-sync set
        self.header("What sync costs: the master's CPU microseconds per SET, through the proxy", "async")
        for name, connections, pipeline, goal in rows:
            results = [[], []]
            for _ in range(self.options.rounds):
                for side, (port, _, master) in enumerate(sides):
                    results[side].append(self.load(port, [master], "set", connections=connections, pipeline=pipeline))
            sync, none = ({key: statistics.median(result[key] if key != "cpu_us" else result[key][0]
                                                  for result in side)
                           for key in ("cpu_us", "p50_us", "p99_us", "per_second")} for side in results)
            self.row("durability", name, sync["cpu_us"], none["cpu_us"], goal, "us",
                     f"p50 {sync['p50_us']:.0f} / {none['p50_us']:.0f} us, p99 {sync['p99_us']:.0f} / "
                     f"{none['p99_us']:.0f} us, throughput {sync['per_second'] / none['per_second']:.2f}")
        self.stop_all()

    @staticmethod
    def resident_bytes(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024

    def bench_memory(self):
        rows = [row for row in MEMORY_ROWS if self.wanted("memory", row[0])]
        if not rows:
            return
        self.header("Memory: resident bytes per key", "redis 7.0")
        for name, command, keys, value, goal in rows:
            figures = []
            for start, port in ((self.worker, PORT + 1), (self.redis, PORT + 2)):
                pid = start(port)
                before = self.resident_bytes(pid)
                self.load(port, [], command, value, pipeline=64, keys=keys, fill=True)
                figures.append((self.resident_bytes(pid) - before) / keys)
            self.row("memory", name, figures[0], figures[1], goal / figures[1], "bytes", f"goal {goal} bytes")
            self.stop_all()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--source", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    parser.add_argument("--cases", default=".")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", default="")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    for tool in ("redis-server", "haproxy", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"bench: {tool} is missing; ./runtests installs it")
    if os.sched_getaffinity(0) < {0, 1}:
        sys.exit("bench: two processors are needed")
    bench = Bench(options)
    try:
        bench.bench_worker()
        bench.bench_blocked()
        bench.bench_restricted()
        bench.bench_publish()
        bench.bench_proxy()
        bench.bench_durability()
        bench.bench_memory()
        persistence.bench_persistence(bench)
    finally:
        bench.close()
    missed = sum(not row["met"] for row in bench.rows)
    print(f"\n{len(bench.rows)} rows, {missed} goals missed")
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(bench.rows, file, indent=1)


if __name__ == "__main__":
    main()
