#!/usr/bin/python3
"""Writes whose replies are held, or that are not executed yet, keep nobody's reads waiting, through the proxy."""
import glob
import os
import select
import socket
import tempfile

import tap
from appliance import Appliance, Client, build_directory, info, wait_until
from tap import check

PORT = 25700
STALL_MS = 120000  # longer than the test; it does not wait for the end


def keep_file(port):
    worker = Client(port, timeout=30)
    check(worker.call("CONFIG", "SET", "appendfsync", "always", "appendonly", "yes") == "OK", "the master refuses")
    wait_until(lambda: info(worker, "persistence")["aof_rewrite_in_progress"] == "0" and
               info(worker, "persistence")["aof_rewrite_scheduled"] == "0", 30, "the first base is made")
    worker.close()


def is_answered(client):
    return bool(select.select([client.socket], [], [], 0)[0])


def get_within_half_a_second():
    """What stands behind a held reply on the same link is not answered before that, whenever it was asked."""
    reader = Client(PORT, timeout=0.5)
    try:
        return reader.call("GET", "other") == b"value"
    except socket.timeout:
        return False
    finally:
        reader.close()


def check_reads_pass(writer):
    """The link of reads opens when the worker says that it holds something: the first reads may still be late."""
    wait_until(get_within_half_a_second, 30, "a read of somebody else is answered")
    check(not is_answered(writer), "the write was answered: nothing was held")


def test_pause(master, writer):
    """reads are answered while a write waits for the end of CLIENT PAUSE WRITE"""
    check(master.call("CLIENT", "PAUSE", "600000", "WRITE") == "OK", "CLIENT PAUSE")
    writer.send("SET", "paused", "1")
    check_reads_pass(writer)
    check(master.call("CLIENT", "UNPAUSE") == "OK", "CLIENT UNPAUSE")
    check(writer.read() == "OK", "the write after the pause")


def test_disk(appliance, faults, writer):
    """reads of other keys are answered while the disk has a write; a read of that key is not"""
    with open(faults, "w", encoding="ascii") as file:
        file.write(f"slow {STALL_MS}\n")
    writer.send("SET", "stalled", "1")
    files = os.path.join(appliance.directory, appliance.master(), "**", "*.aof")

    def is_written():
        return any(b"stalled" in open(name, "rb").read() for name in glob.glob(files, recursive=True))
    wait_until(is_written, 30, "the write is executed, and on its way to the disk")
    check_reads_pass(writer)
    of_the_key = Client(PORT, timeout=30)
    of_the_key.send("GET", "stalled")
    check_reads_pass(writer)  # nor does that one keep them waiting
    check(not is_answered(of_the_key), "a write was shown before it was on the disk")


def main():
    with tempfile.TemporaryDirectory() as directory:
        faults = os.path.join(directory, "faults")
        environment = {"LD_PRELOAD": os.path.join(build_directory(), "tests/system/disk_faults.so"), "DISK_FAULTS": faults}
        with Appliance(PORT, environment=environment) as appliance:
            name = appliance.master()
            port = appliance.process(name)["port"]
            keep_file(port)
            master, writer = Client(port, timeout=30), Client(PORT, timeout=30)
            check(writer.call("SET", "other", "value") == "OK", "SET")
            tests = []
            for test, arguments in ((test_pause, (master, writer)), (test_disk, (appliance, faults, writer))):
                def run(test=test, arguments=arguments):
                    test(*arguments)
                run.__doc__ = test.__doc__
                tests.append(run)
            try:
                tap.run(tests)
            finally:
                appliance.kill(name)  # it would wait for its disk
                if os.path.exists(faults):
                    os.remove(faults)


main()
