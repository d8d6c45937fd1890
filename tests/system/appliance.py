"""appliance: a whole appliance on loopback for one test, by way of ./quickstart."""
import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from tap import check

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))


def build_directory():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    return os.path.abspath(parser.parse_known_args()[0].build)


def wait_until(condition, seconds, what):
    """Polls until condition() is true; its value, or an AssertionError that names `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Appliance:
    """Starts in __enter__ with data in a new directory; stops every process, and keeps the logs when a test failed."""

    def __init__(self, port, *options, environment=None):
        self.port = port
        self.environment = {**os.environ, **(environment or {})}  # of every process
        self.options = options  # of quickstart up
        self.directory = tempfile.mkdtemp(prefix="respite-system-")

    def quickstart(self, *arguments, check=True):
        return subprocess.run([os.path.join(SOURCE, "quickstart"), *arguments, "--dir", self.directory],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=self.environment, timeout=120, check=check)

    def up(self):
        done = self.quickstart("up", "--port", str(self.port), *self.options, check=False)
        if done.returncode != 0:
            raise AssertionError(f"quickstart up: {done.stdout}")

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.quickstart("down", check=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.quickstart("down", check=False)
        if kind is None or (kind is SystemExit and value.code == 0):
            shutil.rmtree(self.directory)
        else:
            print(f"# the logs are kept in {self.directory}", flush=True)

    def status(self):
        return json.loads(subprocess.run([os.path.join(SOURCE, "quickstart"), "status", "--json", "--dir",
                                          self.directory], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                         timeout=10, check=True).stdout)

    def process(self, name):
        return next(process for process in self.status()["processes"] if process["name"] == name)

    def master(self):
        return self.status()["master"]

    def workers(self):
        """The workers by role: {"master": name, "replica": name, "spare": name}; of a role that none has, None."""
        roles = dict.fromkeys(("master", "replica", "spare"))
        for process in self.status()["processes"]:
            if process["kind"] == "worker":
                roles[process["role"]] = process["name"]
        return roles

    def other_worker(self, name):
        """The master's replica, or the replica's master."""
        roles = self.workers()
        return roles["master"] if roles["replica"] == name else roles["replica"]

    def why(self):
        """What the decisions of each sentinel that runs say, as text by name."""
        told = {}
        for process in self.status()["processes"]:
            if process["kind"] == "sentinel" and process["pid"] is not None:
                client = Client(process["port"], timeout=5)
                told[process["name"]] = "\n".join(line.decode() for line in client.call("RESPITE", "WHY"))
                client.close()
        return told

    def configure(self, name, **settings):
        """Adds settings to the configuration of a process, for its next start."""
        with open(os.path.join(self.directory, name, f"{name}.conf"), "a", encoding="ascii") as file:
            for setting, value in settings.items():
                file.write(f"{setting.replace('__', '-')} = {value};\n")

    def secret(self):
        with open(os.path.join(self.directory, "secret"), encoding="ascii") as file:
            return file.read().strip()

    def kill(self, name, number=signal.SIGKILL):
        os.kill(self.process(name)["pid"], number)

    def restart(self, name):
        self.quickstart("restart", name)

    def wait_for_role(self, name, role, seconds=20):
        return wait_until(lambda: self.process(name)["role"] == role, seconds, f"{name} is {role}")

    def wait_in_sync(self, seconds=30):
        """A master that everybody agrees on, and a replica with its offset. What the spare holds does not matter."""
        def in_sync():
            pair = [process for process in self.status()["processes"] if process["role"] in ("master", "replica")]
            roles = sorted(process["role"] for process in pair)
            return roles == ["master", "replica"] and len({process["offset"] for process in pair}) == 1
        return wait_until(in_sync, seconds, "master and replica are in sync")

    def disagreement(self):
        """What two processes that run say differently of the topology, or a history that is no prefix of the master's;
        None when there is nothing of the kind. A spare is asked for its topology only: it follows nobody."""
        topologies, histories = {}, {}
        processes = [process for process in self.status()["processes"] if process["pid"] is not None]
        for process in sorted(processes, key=lambda one: one["role"] == "master"):  # its history grows meanwhile
            client = Client(process["port"], timeout=5)
            topologies[process["name"]] = client.call("RESPITE", "TOPOLOGY")
            if process["role"] in ("master", "replica"):
                histories[process["role"]] = parse_history(info(client, "respite")["respite_history"])
            client.close()
        if len(set(map(str, topologies.values()))) != 1:
            return f"topologies: {topologies}"
        if not {"master", "replica"} <= set(histories) or not is_prefix(histories["replica"], histories["master"]):
            return f"histories: {histories}"
        return None

    def check_agreed(self, seconds=20):
        """All processes know one topology, and what the replica has is the beginning of what the master has."""
        end = time.monotonic() + seconds
        while (different := self.disagreement()) is not None:
            check(time.monotonic() < end, different)
            time.sleep(0.2)


class Client:
    """A plain RESP connection: what is sent and what comes back, nothing in between."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rb")

    def send(self, *arguments):
        parts = [f"*{len(arguments)}\r\n".encode()]
        for argument in arguments:
            data = argument if isinstance(argument, bytes) else str(argument).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.socket.sendall(b"".join(parts))

    def read(self):
        """One reply; errors are returned as Exception values. None for null. ConnectionError when it was closed."""
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Exception(rest.decode(errors="backslashreplace"))
        if kind == b":":
            return int(rest)
        if kind == b"_":
            return None
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self.file.read(length + 2)[:-2]
        if kind in b"*>~":
            return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {self.read(): self.read() for _ in range(int(rest))}
        raise AssertionError(f"a reply of an unknown kind: {line!r}")

    def call(self, *arguments):
        self.send(*arguments)
        return self.read()

    def close(self):
        self.file.close()
        self.socket.close()


def info(client, section):
    """The fields of INFO as a dict of strings."""
    lines = client.call("INFO", section).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def parse_history(text):
    """`1:0,3:500@700` as ([(1, 0), (3, 500)], 700): epochs and where they begin, and the end."""
    entries, end = text.rsplit("@", 1)
    return [tuple(map(int, entry.split(":"))) for entry in entries.split(",") if entry], int(end)


def is_prefix(shorter, longer):
    """Whether the one history is the beginning of the other."""
    entries, end = shorter
    others, other_end = longer
    follows = others[len(entries)][1] if len(entries) < len(others) else other_end
    return entries == others[:len(entries)] and end <= follows


def has_loaded(port):
    """Whether a server listens there that has all its data."""
    try:
        client = Client(port, timeout=5)
        loads = str(client.call("PING")).startswith("LOADING")
        client.close()
        return not loads
    except OSError:
        return False


@contextlib.contextmanager
def server(port, *command):
    """A plain server on this port, for as long as the block runs; nothing of it stays on the disk."""
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=directory)
        try:
            wait_until(lambda: process.poll() is not None or has_loaded(port), 30, f"{command[0]} on port {port}")
            check(process.poll() is None, f"{command[0]} ended at once: is port {port} taken?")
            yield process
        finally:
            process.terminate()
            process.wait(30)


class Steady:
    """The program tests/system/steady: clients that write all the time."""

    def __init__(self, port, build, connections=50, period_ms=5, host="127.0.0.1", prefix=()):
        self.process = subprocess.Popen([*prefix, os.path.join(build, "tests/system/steady"), "--port", str(port),
                                         "--host", host, "--connections", str(connections), "--period-ms",
                                         str(period_ms)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            self.process.wait(5)
            raise AssertionError("steady did not start")

    def stop(self):
        output, _ = self.process.communicate("stop\n", timeout=90)
        return json.loads(output)
