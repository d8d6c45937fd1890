#!/usr/bin/python3
"""Everything was killed and starts again: the best history serves, and an empty node never wins over data."""
import itertools
import os
import queue
import subprocess
import threading
import time

import tap
from appliance import Appliance, Client, build_directory, info, wait_until
from tap import check, say

PORT = 23000
LANES = 5
PORTS_OF_A_LANE = 30
KEYS = 500
BUILD = build_directory()
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
starting = threading.Lock()  # every start looks whether there is something to build


def write(port, first):
    client = Client(port, timeout=40)
    for number in range(first, first + KEYS):
        check(client.call("SET", f"key:{number}", number) == "OK", "SET was refused")
    client.close()


def save(appliance, name):
    client = Client(appliance.process(name)["port"])
    check(client.call("SAVE") == "OK", f"{name} cannot save")
    client.close()


def check_keys(port, count):
    client = Client(port, timeout=60)  # it waits for a master
    for number in range(count):
        value = client.call("GET", f"key:{number}")
        check(value == str(number).encode(), f"key:{number} is {value!r}")
    client.close()


def save_one_after_the_other(appliance, first, second):
    """Both have a snapshot; the second one's is the longer history. What is written after both is on no disk."""
    write(appliance.port, 0)
    appliance.wait_in_sync()
    save(appliance, first)
    write(appliance.port, KEYS)
    appliance.wait_in_sync()
    save(appliance, second)
    write(appliance.port, 2 * KEYS)


def kill_all(appliance, names):
    for name in names:
        appliance.kill(name)


def one_start(appliance, is_master_longer, is_master_first, with_sentinels):
    roles = appliance.workers()
    pair = [roles["master"], roles["replica"]]
    best, other = pair if is_master_longer else reversed(pair)
    save_one_after_the_other(appliance, other, best)
    epoch = appliance.status()["epoch"]
    kill_all(appliance, [*pair, roles["spare"], *(SENTINELS if with_sentinels else ())])
    time.sleep(1)
    if with_sentinels:
        for name in SENTINELS:
            appliance.restart(name)
    appliance.restart(roles["spare"])  # it has nothing
    for name in pair if is_master_first else reversed(pair):
        appliance.restart(name)
        time.sleep(2)
    begun = time.monotonic()
    check_keys(appliance.port, 2 * KEYS)
    took_ms = round((time.monotonic() - begun) * 1000)
    wait_until(lambda: appliance.master() is not None and appliance.status()["epoch"] > epoch, 20, "a new epoch")
    check(appliance.master() == best, f"{appliance.master()} is master, {best} had the longer history")
    appliance.wait_in_sync()
    appliance.check_agreed()
    return took_ms


def lane(number, cases, told, failed):
    try:
        while True:
            case = cases.get_nowait()
            with starting:
                appliance = Appliance(PORT + PORTS_OF_A_LANE * number)
                appliance.__enter__()
            try:
                told.append((*case, one_start(appliance, *case)))
            except BaseException as error:
                appliance.__exit__(type(error), error, None)
                raise
            appliance.__exit__(None, None, None)
    except queue.Empty:
        pass
    except Exception as error:  # of a thread: the test asks for it
        failed.append(f"lane {number}, {case}: {error}")


def test_every_order():
    """all killed, both orders of the pair, either with the longer history, with the sentinels and without"""
    cases, told, failed = queue.SimpleQueue(), [], []
    every = list(itertools.product((True, False), repeat=3))
    for case in every:
        cases.put(case)
    lanes = [threading.Thread(target=lane, args=(number, cases, told, failed)) for number in range(LANES)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    check(not failed, "; ".join(failed))
    check(len(told) == len(every), f"{len(told)} of {len(every)} cases ended")
    for is_master_longer, is_master_first, with_sentinels, took_ms in sorted(told):
        say(f"{'master' if is_master_longer else 'replica'} with the longer history, "
            f"{'master' if is_master_first else 'replica'} first, sentinels {'too' if with_sentinels else 'up'}: "
            f"all read {took_ms} ms after the last start")


def check_kept(appliance, name):  # and one key of quickstart's
    """What the node had for itself alone is in a file that the reference's tools accept, and in INFO."""
    worker = Client(appliance.process(name)["port"])
    fields = info(worker, "respite")
    worker.close()
    check(fields["respite_diverged_tails"] == "1" and int(fields["respite_diverged_bytes"]) > 0, fields)
    path = os.path.join(appliance.directory, name, "diverged-1.rdb")
    done = subprocess.run(["redis-check-rdb", path], stdout=subprocess.PIPE, text=True, check=False)
    check(done.returncode == 0 and f"{2 * KEYS + 1} keys read" in done.stdout, done.stdout)


def test_best_is_missing():
    """the longest history stays away: after cold_start_wait the best of the others serves, never the empty one"""
    appliance = Appliance(PORT)
    with appliance:
        roles = appliance.workers()
        save_one_after_the_other(appliance, roles["replica"], roles["master"])
        for name in SENTINELS:
            appliance.configure(name, cold_start_wait_ms=8000, spare_wait_ms=600000)
        kill_all(appliance, [roles["master"], roles["replica"], roles["spare"], *SENTINELS])
        for name in (*SENTINELS, roles["spare"], roles["replica"]):
            appliance.restart(name)
        begun = time.monotonic()
        check_keys(PORT, KEYS)
        took = time.monotonic() - begun
        check(took > 4, f"it did not wait for the missing master: {took:.1f} s")
        check(appliance.master() == roles["replica"], f"{appliance.master()} serves, which has no data")
        appliance.restart(roles["master"])  # its history goes on where the new one has branched off
        wait_until(lambda: appliance.process(roles["master"])["role"] == "replica", 30, "it is back")
        appliance.wait_in_sync(60)
        appliance.check_agreed()
        check_keys(PORT, KEYS)
        check_kept(appliance, roles["master"])
        say(f"served after {took:.1f} s")


tap.run([test_every_order, test_best_is_missing])
