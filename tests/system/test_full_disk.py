#!/usr/bin/python3
"""A disk that is full from any operation on: what was there stays and is loaded, what was acknowledged is there, nothing
of what failed is left, and all goes on when there is room again."""
import contextlib
import os
import shutil
import signal
import subprocess

import tap
from appliance import Client, info, wait_until
from tap import check, say
from worker import BUILD, MANIFEST, with_worker

PORT = 25737


def persistence(client):
    return info(client, "persistence")


def number_on_disk(worker, appendonly):
    """What a server makes of the files as they are now."""
    copy = os.path.join(worker.directory, "copy")
    os.makedirs(os.path.join(copy, "appendonlydir"))
    names = [f"appendonlydir/{name}" for name in os.listdir(worker.files)] if os.path.isdir(worker.files) else []
    for name in ("dump.rdb", *names):
        with contextlib.suppress(FileNotFoundError):  # what nobody needs may go at any time
            shutil.copy(os.path.join(worker.directory, name), os.path.join(copy, name))
    loader = subprocess.run([os.path.join(BUILD, "tests/system/load_directories")], text=True, capture_output=True,
                            input=f"{appendonly} {copy}\n", check=False)
    shutil.rmtree(copy)
    check(loader.returncode == 0 and not loader.stdout.startswith("refused"), f"{loader.stdout}{loader.stderr}")
    return int(loader.stdout.split()[0])


def is_tidy(worker):
    found = os.listdir(worker.directory) + (os.listdir(worker.files) if os.path.isdir(worker.files) else [])
    return not [name for name in found if name.startswith("temp-") or name == "dump.rdb.new"]


def save(client, command):
    """Whether it went well."""
    answer = client.call(command)
    if command == "SAVE":
        return answer == "OK"
    wait_until(lambda: persistence(client)["rdb_bgsave_in_progress"] == "0", 30, "the save is over")
    return persistence(client)["rdb_last_bgsave_status"] == "ok"


@with_worker(PORT, "save ''")
def test_snapshots(worker):
    """full at every operation of a BGSAVE and of a SAVE: the old dump.rdb stays, or the new one is there"""
    worker.preload_faults()
    client = worker.start()
    number = 0
    for command in ("SAVE", "BGSAVE", "SAVE"):
        client.call("SET", "number", number)
        check(save(client, command), f"{command} fails")
        kept, operation, goes_well = number, 0, False
        while not goes_well:
            operation, number = operation + 1, number + 1
            check(operation < 20, f"{command} never gets to the end")
            client.call("SET", "number", number)
            worker.set_fault(f"full {operation} {number}")
            goes_well = save(client, command)
            worker.end_faults()
            found = number_on_disk(worker, "no")
            check(found == number or (found == kept and not goes_well), f"{command}, {operation}: {found} after {kept}")
            wait_until(lambda: is_tidy(worker), 30, f"nothing is left of {os.listdir(worker.directory)}")
            kept = found
        check(operation > 4, f"only {operation} operations")
        say(f"{command}: full at {operation - 1} operations")
        number += 1


def rewrite(client):
    """Whether it went well."""
    client.call("BGREWRITEAOF")
    before = int(persistence(client)["aof_rewrites"])

    def is_over():
        fields = persistence(client)
        return fields if "1" not in (fields["aof_rewrite_in_progress"], fields["aof_rewrite_scheduled"]) else None
    fields = wait_until(is_over, 30, "the rewrite is over")
    return int(fields["aof_rewrites"]) > before


def write(worker, client, number):
    """As soon as it is taken. The client."""
    def is_taken():
        nonlocal client
        try:
            return client.call("SET", "number", number) == "OK"
        except OSError:
            client = Client(PORT, timeout=30)
            return False
    wait_until(is_taken, 30, "writes are taken")
    check(number_on_disk(worker, "yes") == number, "what was acknowledged is not there")
    return client


def announce_increment(worker):
    """As it is when a worker dies while a new base is about to be begun."""
    worker.end()
    with open(os.path.join(worker.files, MANIFEST), "a", encoding="ascii") as file:
        file.write("file appendonly.aof.2.incr.aof seq 2 type i\n")
    with open(os.path.join(worker.files, "appendonly.aof.2.incr.aof"), "wb"):
        pass


@with_worker(PORT, "appendonly yes", "appendfsync always", "save ''")
def test_rewrites(worker):
    """full at every operation of a rewrite of the append-only file: all that was acknowledged is there, before and after"""
    worker.preload_faults()
    client = worker.start()
    number, operation, goes_well = 1, 0, False
    write(worker, client, number)
    announce_increment(worker)
    client = worker.start()
    while not goes_well:
        operation, number = operation + 1, number + 1
        check(operation < 60, "a rewrite never gets to the end")
        worker.set_fault(f"full {operation} {number}")
        goes_well = rewrite(client)
        check(number_on_disk(worker, "yes") == number - 1, f"operation {operation}: data are lost")
        worker.end_faults()
        client = write(worker, client, number)
    check(operation > 10, f"only {operation} operations")
    check(rewrite(client), "a rewrite fails though there is room")
    wait_until(lambda: len(os.listdir(worker.files)) == 3, 30, f"nothing is left of {os.listdir(worker.files)}")
    say(f"full at {operation - 1} operations")


@with_worker(PORT, "appendonly yes", "appendfsync everysec", "save ''")
def test_end(worker):
    """room again just before the end: what could not be written before is on the disk after it"""
    worker.preload_faults()
    client = worker.start()
    wait_until(lambda: persistence(client)["aof_rewrites"] == "1", 30, "there is a base")
    number = 0

    def has_failed():
        nonlocal number
        number += client.call("SET", "number", number + 1) == "OK"
        return persistence(client)["aof_last_write_status"] == "err"
    worker.set_fault("full 1 1")
    wait_until(has_failed, 30, "the disk is full")
    worker.end_faults()
    worker.end(signal.SIGTERM)
    worker.forget_snapshot()
    check(worker.start().call("GET", "number") == str(number).encode(), "what was acknowledged is not there")


tap.run([test_snapshots, test_rewrites, test_end])
