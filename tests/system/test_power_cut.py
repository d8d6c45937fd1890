#!/usr/bin/python3
"""The power is cut at any moment: whatever a file system may show then of a directory, the worker starts with it, has
all that was acknowledged, and never a half of anything."""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

import tap
from appliance import Client, build_directory, has_loaded, info, server, wait_until
from power_cut import Disk, choose, read_records, store
from tap import check, say

PORT, MASTER = 25735, 25736
BUILD = build_directory()
MANIFEST = "appendonly.aof.manifest"
LOST_MS = 2000  # a second until a sync is asked for, and time until it is done
PAUSE_MS = 50
SECOND = "local n = redis.call('INCR', 'number'); redis.call('SET', ARGV[2] .. n, ARGV[1]); return n"


def write(client, *lengths, before=None, prefix="key:"):
    """Writes, sent in one piece. Every second number has a key beside it, of so many bytes, in one transaction."""
    if before is not None:
        client.send(before)
    for length in lengths:
        client.send("INCR", "number")
        client.send("EVAL", SECOND, 0, "x" * length, prefix)
    if before is not None:
        check(not isinstance(client.read(), Exception), before)
    return [client.read() for _ in range(2 * len(lengths))]


class Life:
    """A worker by itself whose every operation on files is written down, from its start to its sudden end."""

    def __init__(self, place, *lines, policy=None):
        self.directory = os.path.join(place, "data")
        configuration, record = os.path.join(place, "redis.conf"), os.path.join(place, "record")
        with open(record, "a", encoding="ascii") as file:
            said = [line.split()[1] for line in lines if line.startswith("appendfsync")]
            file.write((policy or (said or ["snapshots"])[0]) + "\n")
        with open(configuration, "w", encoding="ascii") as file:
            file.write("\n".join(("save ''", *lines)) + "\n")
        shim = os.path.join(BUILD, "tests/system/disk_record.so")
        self.process = subprocess.Popen([os.path.join(BUILD, "respite-cacheworker"), "--standalone", "--port", str(PORT),
                                         "--dir", self.directory, "--redis-conf", configuration],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, "LD_PRELOAD": shim, "DISK_RECORD": record})
        self.client = None

    def __enter__(self):
        try:
            wait_until(lambda: self.process.poll() is not None or has_loaded(PORT), 60, "the worker has its data")
            check(self.process.poll() is None, "the worker ended at once")
            self.client = Client(PORT, timeout=30)
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def write(self, *lengths, **options):
        return write(self.client, *lengths, **options)

    def say_saved(self, number):
        self.client.call("EVAL", "return redis.status_reply(ARGV[1])", 0, f"saved:{number}")

    def shut_down(self, number, *before):
        """This, two writes more, the last of which is the number, and an end; then it is promised."""
        self.client.send(*before)
        self.client.send("INCR", "number")
        self.client.send("EVAL", SECOND, 0, "", "key:")
        self.client.send("SHUTDOWN", "SAVE", "FORCE")
        self.process.wait(30)
        said = b"+saved:%d\r\n" % number
        with open(os.path.join(os.path.dirname(self.directory), "record"), "ab") as file:
            file.write(b"say %d %d\n%s\n" % (time.monotonic() * 1000, len(said), said))

    def wait_for(self, *fields):
        wait_until(lambda: {info(self.client, "persistence")[field] for field in fields} == {"0"}, 30, f"{fields} are 0")

    def wait_for_base(self):
        self.wait_for("aof_rewrite_in_progress", "aof_rewrite_scheduled")


@contextlib.contextmanager
def recorded():
    """A place for a worker's lives. What it leaves is to be judged before the end."""
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=parent) as place:
        os.mkdir(os.path.join(place, "data"))
        yield place


class Promises:
    """What was acknowledged, or shown by a read, so far; and how much of that must be there after a cut."""

    def __init__(self):
        self.policy, self.all, self.ms, self.said_at = None, [], 0, None

    def hear(self, now, said):
        """While the process, or its host, stands still, no time passes that it could use: so it does not count."""
        if self.said_at is not None:
            self.ms += min(now - self.said_at, PAUSE_MS)
        self.said_at = now
        lines = said.split(b"\r\n")
        if self.policy in ("snapshots", "no"):
            numbers = [said[7:]] if said.startswith(b"+saved:") else []
        elif lines[0][:1] == b"$":
            numbers = [lines[1]] if len(lines) == 3 and lines[1].isdigit() else []
        else:
            numbers = [line[1:] for line in lines if line[:1] == b":"]
        self.all += [(self.ms, int(number)) for number in numbers]

    def floor(self):
        old = self.ms - LOST_MS if self.policy == "everysec" else self.ms
        return max((number for ms, number in self.all if ms <= old), default=0)


def gather_states(disk, record, every):
    """{state: the least number that it must hold}, for prefixes of what was done; and the last of these numbers."""
    states, promises, chance = {}, Promises(), choose(1)
    for count, (words, data) in enumerate(read_records(record)):
        if len(words) == 1:
            promises.policy, promises.said_at = words[0], None
            continue
        if words[0] == "say":
            promises.hear(int(words[1]), data)
        elif not disk.execute(words, data):
            continue
        if count % every:
            continue
        for shown in disk.states(chance):
            state = tuple(sorted(shown.items()))
            states[state] = max(states.get(state, 0), promises.floor())
    return states, promises.floor()


def load(place, states, appendonly):
    """What the loader says of each."""
    directories = [os.path.join(place, f"state-{number}") for number in range(len(states))]
    for state, directory in zip(states, directories):
        store(dict(state), directory)
    loader = subprocess.run([os.path.join(BUILD, "tests/system/load_directories")], text=True, capture_output=True,
                            input="".join(f"{appendonly} {directory}\n" for directory in directories), check=False)
    for directory in directories:
        shutil.rmtree(directory)
    check(loader.returncode == 0, f"the loader: {loader.stderr}")
    return loader.stdout.splitlines()


def describe(state):
    return ", ".join(f"{path} {len(content)}" for path, content in state)


def judge(place, disk, appendonly, every=1):
    """States of what was written down, after each so many records: they are loaded, whole, with all that was promised."""
    states, floor = gather_states(disk, os.path.join(place, "record"), every)
    answers = load(place, list(states), appendonly)
    check(len(answers) == len(states), f"{len(answers)} answers for {len(states)} states")
    for (state, least), answer in zip(states.items(), answers):
        check(not answer.startswith("refused") and answer.split()[2] in ("good", "cut", "none"),
              f"{answer}: {describe(state)}")
        number, keys = map(int, answer.split()[:2])
        check(number >= least, f"{number} of {least} are there: {describe(state)}")
        check(keys == number // 2 + (number > 0), f"{number} and {keys} keys: {describe(state)}")
    say(f"{len(states)} states, {floor} promised")
    return floor, list(states)


def lives_from(place, states, count, *lines):
    """Lives that begin in some of the states, evenly spread. Who takes one ends it."""
    for number in range(count):
        shutil.rmtree(os.path.join(place, "data"))
        store(dict(states[(2 * number + 1) * len(states) // (2 * count)]), os.path.join(place, "data"))
        yield Life(place, *lines)


def leftovers(state):
    """What of it no start needs: files that nobody names."""
    files = dict(state)
    named = files.get("appendonlydir/" + MANIFEST, b"").decode().split()[1::6]
    needed = {"lock", "dump.rdb", "appendonlydir/", "appendonlydir/" + MANIFEST}
    return sorted(files.keys() - needed - {"appendonlydir/" + name for name in named})


def present(place):
    """The names in the directory now, and what the manifest says."""
    found = {}
    directory = os.path.join(place, "data")
    for name in os.listdir(directory):
        found[name] = b""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(os.path.join(directory, "appendonlydir")):
            found["appendonlydir/" + name] = b""
        with open(os.path.join(directory, "appendonlydir", MANIFEST), "rb") as file:
            found["appendonlydir/" + MANIFEST] = file.read()
    found.pop("appendonlydir", None)
    return found.items()


def check_tidy(place):
    wait_until(lambda: not leftovers(present(place)), 30, f"of {leftovers(present(place))} nothing is left")


def check_data(client, number):
    check(client.call("GET", "number") == str(number).encode(), f"the number is not {number}")
    check(client.call("DBSIZE") == number // 2 + 1, f"{client.call('DBSIZE')} keys, and the number is {number}")


def test_snapshots():
    """BGSAVE and SAVE: dump.rdb is the one before or the new one, and whoever heard that it is saved finds it so"""
    with recorded() as place:
        disk = Disk(os.path.join(place, "data"))
        with Life(place) as life:
            for command in ("SAVE", "BGSAVE", "BGSAVE", "SAVE"):
                number = life.write(10, 3000)[-1]
                life.client.call(command)
                life.wait_for("rdb_bgsave_in_progress")
                life.say_saved(number)
        floor, states = judge(place, disk, "no")
        check(floor == 16, "it was not saved")
        for name in ("dump.rdb.new", "temp-bgsave.rdb"):
            for life in lives_from(place, [state for state in states if name in leftovers(state)], 1):
                with life:
                    check_tidy(place)


def test_append_only_file():
    """appendfsync always: the first base, new bases under writes, of commands too; all that was acknowledged is there"""
    with recorded() as place:
        directory = os.path.join(place, "data")
        disk = Disk(directory)
        with Life(place, "appendonly yes", "appendfsync always") as life:
            life.write(10, 20)
            life.wait_for_base()
            life.write(5000)
            for _ in range(2):
                life.write(10, 9000, before="BGREWRITEAOF")
                life.write(10)
                life.wait_for_base()
            life.write(10)
        with Life(place, "appendonly yes", "appendfsync always", "aof-use-rdb-preamble no") as life:
            life.write(10)
            life.write(10, 10, before="BGREWRITEAOF")
            life.wait_for_base()
        floor, states = judge(place, disk, "yes")
        check(floor == 26, "writes were refused")
        for life in lives_from(place, [state for state in states if leftovers(state)], 4, "appendonly yes",
                               "appendfsync always"):
            with life:
                check_tidy(place)
                life.write(10)
                life.write(10, before="BGREWRITEAOF")
                life.wait_for_base()
                number = life.write(10)[-1]
            with Life(place, "appendonly yes", "appendfsync always") as life:
                check_data(life.client, number)


FIRST_INCREMENT = "data/appendonlydir/appendonly.aof.1.incr.aof"


def transactions(place):
    """How many the increment has."""
    with open(os.path.join(place, FIRST_INCREMENT), "rb") as file:
        return file.read().count(b"EXEC\r\n")


def tear(place):
    """Half a command at the end of the increment, as a sudden end leaves it."""
    path = os.path.join(place, FIRST_INCREMENT)
    torn = b"*3\r\n$3\r\nSET\r\n$6\r\nnum"
    with open(path, "ab") as file, open(os.path.join(place, "record"), "ab") as record:
        record.write(b"write %d %d %d\n%s\n" % (os.stat(path).st_ino, file.tell(), len(torn), torn))
        file.write(torn)


def test_unsynced():
    """what the file holds after kill -9 is on no disk yet: who reads it with appendfsync always waits until it is"""
    with recorded() as place:
        disk = Disk(os.path.join(place, "data"))
        with Life(place, "appendonly yes", "appendfsync no") as life:
            life.wait_for_base()
            life.write(10)
            life.write(10, 5000)
            wait_until(lambda: transactions(place) == 3, 30, "all is written")
        tear(place)
        with Life(place, "appendonly yes", "appendfsync always") as life:
            check(life.client.call("GET", "number") == b"6", "it is not there")
        with Life(place, "appendonly yes", "appendfsync no") as life:
            life.write(10)
            check(life.client.call("CONFIG", "SET", "appendfsync", "always") == "OK", "CONFIG SET")
        with Life(place, "appendonly yes", "appendfsync always") as life:
            life.write(10)
        check(judge(place, disk, "yes")[0] == 10, "writes were refused")


def test_everysec():
    """appendfsync everysec: what was acknowledged two seconds before is there, and what is there is a beginning of it"""
    with recorded() as place:
        disk = Disk(os.path.join(place, "data"))
        with Life(place, "appendonly yes", "appendfsync everysec") as life:
            life.wait_for_base()
            for step in range(150):
                life.write(20, before="BGREWRITEAOF" if step == 70 else None)
                time.sleep(0.02)
        check(judge(place, disk, "yes", 7)[0] > 50, "nothing was promised")


def test_at_run_time():
    """appendonly and appendfsync set while it runs: what there is, is a beginning of what was written, or older and whole"""
    with recorded() as place:
        disk = Disk(os.path.join(place, "data"))
        with Life(place, "appendonly yes", "appendfsync no") as life:
            life.wait_for_base()
            for parameter, value in (("appendfsync", "always"), ("appendonly", "no"), ("appendonly", "yes"),
                                     ("appendfsync", "no"), ("appendonly", "no"), ("appendonly", "yes")):
                life.write(20, 5000)
                life.write(20, before="BGREWRITEAOF")
                life.wait_for_base()
                check(life.client.call("CONFIG", "SET", parameter, value) == "OK", f"CONFIG SET {parameter} {value}")
                life.write(20)
                life.wait_for_base()
            check(life.client.call("CONFIG", "SET", "appendfsync", "always") == "OK", "CONFIG SET appendfsync always")
            life.say_saved(life.write(20)[-1])
        check(judge(place, disk, "yes")[0] == 50, "writes were refused")


def test_end():
    """SHUTDOWN in the middle of a rewrite, and of a first base beside an old file: all is there when the process is gone"""
    with recorded() as place:
        disk = Disk(os.path.join(place, "data"))
        with Life(place, "appendonly yes", "appendfsync everysec", policy="no") as life:
            life.wait_for_base()
            number = life.write(10, 10)[-1]
            life.shut_down(number + 2, "BGREWRITEAOF")
        with Life(place, "appendonly yes", "appendfsync no") as life:
            check_data(life.client, 6)
            check(life.client.call("CONFIG", "SET", "appendonly", "no") == "OK", "CONFIG SET")
            number = life.write(10, 20)[-1]
            life.shut_down(number + 2, "CONFIG", "SET", "appendonly", "yes")
        with Life(place, "appendonly yes", "appendfsync always") as life:
            check_data(life.client, 12)
            life.wait_for_base()
            check_tidy(place)
            life.write(10)
        check(judge(place, disk, "yes")[0] == 14, "writes were refused")


def test_first_base():
    """a first base beside dump.rdb: what that holds, or all"""
    with recorded() as place:
        with Life(place) as life:
            life.write(10, 20)
            check(life.client.call("SAVE") == "OK", "SAVE")
        os.remove(os.path.join(place, "record"))
        disk = Disk(os.path.join(place, "data"))
        with Life(place, "appendonly yes", "appendfsync always") as life:
            life.write(10)
            life.wait_for_base()
            life.write(10)
        check(judge(place, disk, "yes")[0] == 8, "writes were refused")


def follow(life, master, length):
    """A full sync, and what comes meanwhile and behind it in the stream. The last number, which is on the replica's disk."""
    check(life.client.call("REPLICAOF", "127.0.0.1", MASTER) == "OK", "REPLICAOF")
    write(master, length)
    wait_until(lambda: info(life.client, "replication")["master_link_status"] == "up", 30, "the full sync is over")
    life.wait_for_base()
    number = write(master, length)[-1]
    check(master.call("WAITAOF", 0, 1, 30000)[1] == 1, "it is not on the replica's disk")
    life.say_saved(number)
    return number


def test_full_sync():
    """a full sync of a replica with files: its old data, or the new, never some of both; and what it said is on its disk"""
    program = os.path.join(BUILD, "respite-cacheworker")
    with recorded() as place, server(MASTER, program, "--standalone", "--port", str(MASTER)):
        disk, master = Disk(os.path.join(place, "data")), Client(MASTER, timeout=30)
        check(master.call("CONFIG", "SET", "repl-diskless-sync-delay", 0) == "OK", "CONFIG SET")
        write(master, *[3000] * 5)
        with Life(place, "appendonly yes", "appendfsync always", policy="no") as life:
            life.wait_for_base()
            life.write(10, 10, prefix="old:")
            life.client.call("SAVE")
            life.say_saved(4)
            follow(life, master, 10)
            check(life.client.call("REPLICAOF", "NO", "ONE") == "OK", "REPLICAOF NO ONE")
            life.write(10, prefix="old:")
            follow(life, master, 9000)
        floor, states = judge(place, disk, "yes")
        check(floor == 18, "it was not on its disk")
        for life in lives_from(place, states, 4, "appendonly yes", "appendfsync always"):
            with life:
                number = follow(life, master, 10)
                check_data(life.client, number)
            with Life(place, "appendonly yes", "appendfsync always") as life:
                check_data(life.client, number)


tap.run([test_snapshots, test_append_only_file, test_unsynced, test_everysec,
         test_at_run_time, test_end, test_first_base, test_full_sync])
