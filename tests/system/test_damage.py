#!/usr/bin/python3
"""Files that are damaged while a worker of a group is down: they are set aside, the node has its data from the others, and
never wins over one that has data."""
import os
import re

import tap
from appliance import Appliance, Client, info, wait_until
from tap import check

PORT = 25670
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
WORKERS = ("worker-1", "worker-2", "worker-3")
KEYS = 300
SNAPSHOT_AT = r"dump\.rdb cannot be loaded: .*at byte \d+"  # as they are named
BASE_AT = r"appendonlydir/appendonly\.aof\.\d+\.base\.rdb: .*at byte \d+"
INCREMENT_AT = r"appendonlydir/appendonly\.aof\.\d+\.incr\.aof: at byte \d+"


class Group(Appliance):
    """An appliance that knows where its workers keep their data, and what all of them are to hold."""

    def place(self, name, *parts):
        return os.path.join(self.directory, name, *parts)

    def client(self, name):
        return Client(self.process(name)["port"], timeout=30)

    def said_since(self, name, position):
        with open(self.place(name, "log"), encoding="utf-8") as file:
            file.seek(position)
            return file.read()

    def log_length(self, name):
        return os.path.getsize(self.place(name, "log"))

    def write(self, generation):
        client = Client(PORT, timeout=60)  # it waits for a master
        for number in range(KEYS):
            check(client.call("SET", f"key:{number}", f"{generation}:{number}") == "OK", "SET was refused")
        client.close()
        self.wait_in_sync(60)

    def check_keys(self, port, generation):
        client = Client(port, timeout=60)
        found = client.call("MGET", *(f"key:{number}" for number in range(KEYS)))
        wanted = [f"{generation}:{number}".encode() for number in range(KEYS)]
        check(found == wanted, f"port {port}: {str(found)[:200]}")
        client.close()

    def check_rejoined(self, name, generation):
        wait_until(lambda: self.process(name)["role"] in ("master", "replica"), 60, f"{name} has a role")
        self.wait_in_sync(60)
        self.check_keys(PORT, generation)
        self.check_keys(self.process(name)["port"], generation)

    def check_set_aside(self, name, before, damaged, where):
        """Named with the place and the reason, renamed, and made good by a full sync."""
        said = self.said_since(name, before)
        for words in (rf"{where}.+; it is set aside as {damaged}\.damaged", "full sync from"):
            check(re.search(words, said), f"{name} does not say '{words}':\n{said}")
        check(any(one.startswith(f"{damaged}.damaged") for one in os.listdir(self.place(name))), "it is not there")

    def files_of_aof(self, name):
        """By kind: the base, and the newest increment."""
        with open(self.place(name, "appendonlydir", "appendonly.aof.manifest"), encoding="utf-8") as file:
            lines = [line.split(" ") for line in file.read().splitlines()]
        return {words[5]: self.place(name, "appendonlydir", words[1]) for words in lines}


def flip(path):
    """Another byte in the middle."""
    with open(path, "r+b") as file:
        middle = os.path.getsize(path) // 2
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 0x40]))


def truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


def spoil_command(path):
    """The length of a word in the middle."""
    with open(path, "r+b") as file:
        content = file.read()
        middle = content.index(b"\r\n$3\r\nSET\r\n", len(content) // 2)
        file.seek(middle)
        file.write(b"\r\n$x\r\nSET\r\n")


def kill_all(group):
    for name in (*WORKERS, *SENTINELS):
        group.kill(name)


def restart_all(group):
    for name in (*SENTINELS, *WORKERS):
        group.restart(name)


def test_all_die(group):
    """the whole group killed, the master's dump.rdb damaged: the other's data win"""
    group.write(1)
    roles = group.workers()
    master, replica = roles["master"], roles["replica"]
    for name in (master, replica):
        check(group.client(name).call("SAVE") == "OK", f"{name} does not save")
    kill_all(group)
    flip(group.place(master, "dump.rdb"))
    for name in SENTINELS:
        group.configure(name, spare_wait_ms=600000)  # nobody is replaced, however slowly it comes back
    before = group.log_length(master)
    restart_all(group)
    group.check_keys(PORT, 1)  # as soon as there is a master
    group.check_rejoined(master, 1)
    group.check_set_aside(master, before, "dump.rdb", SNAPSHOT_AT)


def damage(group, name, generation, damaged, where, spoil):
    """`spoil` is called while it is down."""
    group.kill(name)
    before = group.log_length(name)
    spoil()
    group.restart(name)
    group.check_rejoined(name, generation)
    group.check_set_aside(name, before, damaged, where)


def test_replica_snapshot(group):
    """a replica's dump.rdb with a byte flipped, and cut in the middle: it is set aside, and a full sync brings all"""
    for spoil in (flip, truncate):
        name = group.workers()["replica"]
        check(group.client(name).call("SAVE") == "OK", "the replica does not save")
        damage(group, name, 1, "dump.rdb", SNAPSHOT_AT, lambda: spoil(group.place(name, "dump.rdb")))


def wait_for_base(worker):
    wait_until(lambda: info(worker, "persistence")["aof_rewrite_in_progress"] == "0" and
               info(worker, "persistence")["aof_rewrite_scheduled"] == "0", 30, "the first base is made")


def keep_files(group):
    for name in WORKERS:
        worker = group.client(name)
        check(worker.call("CONFIG", "SET", "appendfsync", "always", "appendonly", "yes") == "OK", f"{name} refuses")
        check(worker.call("CONFIG", "REWRITE") == "OK", f"{name} cannot keep it")
        wait_for_base(worker)
        worker.close()


def wait_for_files(group, name):
    """All that the node has is on its disk, behind a base of its own."""
    worker = group.client(name)
    wait_for_base(worker)
    wait_until(lambda: info(worker, "persistence")["aof_buffer_length"] == "0" and
               info(worker, "persistence")["aof_pending_bio_fsync"] == "0", 30, "it is on the disk")
    worker.close()


def test_replica_files(group):
    """the same with the base of a replica's append-only file, and with its increment damaged in the middle"""
    keep_files(group)
    for generation, kind, where, spoil in ((2, "b", BASE_AT, flip), (3, "i", INCREMENT_AT, spoil_command)):
        group.write(generation)
        name = group.workers()["replica"]
        wait_for_files(group, name)
        damage(group, name, generation, "appendonlydir", where, lambda: spoil(group.files_of_aof(name)[kind]))
        wait_for_files(group, name)


def test_all_die_with_files(group):
    """the whole group killed, the master's append-only file damaged: the other's data win"""
    group.write(4)
    roles = group.workers()
    master, replica = roles["master"], roles["replica"]
    wait_for_files(group, replica)
    kill_all(group)
    flip(group.files_of_aof(master)["b"])
    before = group.log_length(master)
    restart_all(group)
    group.check_keys(PORT, 4)
    group.check_rejoined(master, 4)
    group.check_set_aside(master, before, "appendonlydir", BASE_AT)


def main():
    with Group(PORT) as group:
        tests = []
        for test in (test_all_die, test_replica_snapshot, test_replica_files, test_all_die_with_files):
            def run(test=test):
                test(group)
            run.__doc__, run.__name__ = test.__doc__, test.__name__
            tests.append(run)
        tap.run(tests)


main()
