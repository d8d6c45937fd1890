"""A worker by itself, which is started again and again with the same directory."""
import contextlib
import os
import signal
import subprocess
import tempfile

from appliance import Client, build_directory, has_loaded, wait_until
from tap import check

BUILD = build_directory()
MANIFEST = "appendonly.aof.manifest"


class Worker:
    """`lines` of a redis.conf are what it is started with where a start says nothing else."""

    def __init__(self, port, directory, lines=()):
        self.port, self.directory, self.lines = port, directory, lines
        self.files = os.path.join(directory, "appendonlydir")
        self.configuration = os.path.join(directory, "redis.conf")
        self.faults = os.path.join(directory, "faults")
        self.environment = dict(os.environ)
        self.process = None

    def preload_faults(self):
        shim = os.path.join(BUILD, "tests/system/disk_faults.so")
        self.environment |= {"LD_PRELOAD": shim, "DISK_FAULTS": self.faults}

    def set_fault(self, words):
        with open(self.faults + ".new", "w", encoding="utf-8") as file:
            file.write(words)
        os.rename(self.faults + ".new", self.faults)

    def end_faults(self):
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.faults)

    def configure(self, lines):
        """What the command line says of them."""
        if not lines:
            return []
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return ["--redis-conf", self.configuration]

    def launch(self, *lines):
        self.process = subprocess.Popen([os.path.join(BUILD, "respite-cacheworker"), "--standalone", "--port",
                                         str(self.port), "--dir", self.directory, "--enable-debug-command", "yes",
                                         *self.configure(lines or self.lines)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        env=self.environment)

    def start(self, *lines):
        self.launch(*lines)
        wait_until(lambda: self.process.poll() is not None or has_loaded(self.port), 60, "the worker has its data")
        check(self.process.poll() is None, f"the worker ended at once: is port {self.port} taken?")
        return Client(self.port, timeout=30)

    def refusal(self, *lines):
        """What it says when it does not start."""
        self.launch(*lines)
        _, words = self.process.communicate(timeout=20)
        check(self.process.returncode != 0, "it started")
        return words

    def end(self, number=signal.SIGKILL):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)
        if self.process is not None:
            self.process.stderr.close()

    def forget_snapshot(self):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self.directory, "dump.rdb"))

    def newest(self):
        with open(os.path.join(self.files, MANIFEST), encoding="utf-8") as file:
            return os.path.join(self.files, file.read().split("\n")[-2].split(" ")[1])


def with_worker(port, *lines):
    """For a test that takes a worker, with a directory that lasts as long as the test."""
    def of_test(test):
        def run():
            with tempfile.TemporaryDirectory() as directory:
                worker = Worker(port, directory, lines)
                try:
                    test(worker)
                finally:
                    worker.end()
        run.__doc__, run.__name__ = test.__doc__, test.__name__
        return run
    return of_test
