#!/usr/bin/python3
"""Groups created with --durability sync: what was acknowledged is there, whoever dies."""
import os
import queue
import signal
import threading
import time

import tap
from appliance import Appliance, Client, Steady, build_directory, info, wait_until
from tap import check, say

PORT = 26000
LANES = 5
PORTS_OF_A_LANE = 30
ROUNDS = 5  # of each kind
MAX_LAG_MS = 1000
BUILD = build_directory()
starting = threading.Lock()  # every start looks whether there is something to build


def pid_of(appliance, name):
    return appliance.process(name)["pid"]


def topology(appliance):
    client = Client(appliance.port + 1, timeout=5)
    text = client.call("RESPITE", "TOPOLOGY")  # None: it was started a moment ago and has learned nothing yet
    client.close()
    return text.decode().splitlines() if text is not None else []


def in_sync(appliance):
    return sum(line.startswith("in-sync ") for line in topology(appliance))


def version(appliance):
    return next(int(line.split()[1]) for line in topology(appliance) if line.startswith("version "))


def wait_protected(appliance):
    """Until a replica is in sync by commit: before, the master's death is one failure too many."""
    wait_until(lambda: in_sync(appliance) == 1, 40, "a replica is in the in-sync set")
    appliance.wait_in_sync()


# --- the kinds of failover: each takes the master away, and brings back what it stopped ---

def kill(appliance, master, _):
    appliance.kill(master)
    time.sleep(8)
    appliance.restart(master)


def kill_and_restart(appliance, master, _):
    appliance.kill(master)
    appliance.restart(master)  # empty, within the 5 s


def stop(appliance, master, _):
    pid = pid_of(appliance, master)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(7)
    os.kill(pid, signal.SIGCONT)


def end(appliance, master, _):
    appliance.kill(master, signal.SIGTERM)
    time.sleep(8)
    appliance.restart(master)


def kill_with_sentinel(appliance, master, number):
    sentinel = f"sentinel-{1 + number % 3}"
    appliance.kill(sentinel)
    appliance.kill(master)
    time.sleep(9)
    appliance.restart(sentinel)
    appliance.restart(master)


def kill_after_replica(appliance, master, _):
    replica = appliance.workers()["replica"]
    appliance.kill(replica)
    time.sleep(2)
    appliance.restart(replica)
    wait_protected(appliance)
    kill(appliance, master, _)


KINDS = (kill, kill_and_restart, stop, end, kill_with_sentinel, kill_after_replica)


def one_failover(appliance, kind, number):
    wait_protected(appliance)
    epoch = appliance.status()["epoch"]
    kind(appliance, appliance.master(), number)
    wait_until(lambda: appliance.status()["epoch"] > epoch, 20, f"a new epoch after '{kind.__name__}'")
    wait_protected(appliance)
    appliance.check_agreed()


def take_all(appliance, kinds):
    steady = Steady(appliance.port, BUILD, connections=20, period_ms=20)
    count = 0
    try:
        while True:
            one_failover(appliance, kinds.get_nowait(), count)
            count += 1
    except queue.Empty:
        return count, steady.stop()
    except BaseException:
        steady.process.kill()
        raise


def lane(number, kinds, results, failed):
    try:
        with starting:
            appliance = Appliance(PORT + PORTS_OF_A_LANE * number, "--durability", "sync")
            appliance.__enter__()
        try:
            results.append(take_all(appliance, kinds))
        except BaseException as error:
            appliance.__exit__(type(error), error, None)
            raise
        appliance.__exit__(None, None, None)
    except Exception as error:  # of a thread: the test asks for it
        failed.append(f"lane {number}: {error}")


def test_failovers():
    """30 failovers of six kinds under load: no acknowledged write lost, no connection closed, only -UNCERTAIN"""
    kinds, results, failed = queue.SimpleQueue(), [], []
    for _ in range(ROUNDS):
        for kind in KINDS:
            kinds.put(kind)
    lanes = [threading.Thread(target=lane, args=(number, kinds, results, failed)) for number in range(LANES)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    check(not failed, "; ".join(failed))
    check(sum(count for count, _ in results) == ROUNDS * len(KINDS), f"{results}")
    for count, result in results:
        say(f"{count} failovers: {result['acknowledged']} acknowledged, {result['lost']} of {result['sets']} SETs lost, "
            f"{result['uncertain']} uncertain, longest outage {result['outage_ms']} ms")
        for name in ("lost", "closed", "errors", "unanswered", "wrong"):
            check(result[name] == 0, f"{name}: {result[name]}; the first error: {result['first_error']}")
        check(result["acknowledged"] > 10000, "there was hardly any load")


def test_lost_replica():
    """a lost replica blocks writes until the set is shrunk by commit, and no longer"""
    appliance = Appliance(PORT, "--durability", "sync")
    with appliance:
        wait_protected(appliance)
        client = Client(PORT, timeout=20)
        check(client.call("SET", "before", "1") == "OK", "SET was refused")
        master, epoch, before = appliance.master(), appliance.status()["epoch"], version(appliance)
        fields = info(Client(appliance.process(master)["port"]), "respite")
        check(fields["respite_durability"] == "sync" and fields["respite_in_sync"] == "1", fields)
        appliance.kill(appliance.workers()["replica"])
        begun = time.monotonic()
        check(client.call("SET", "after", "2") == "OK", "SET was refused")
        waited_ms = round((time.monotonic() - begun) * 1000)
        fields = info(Client(appliance.process(master)["port"]), "respite")
        check(int(fields["respite_version"]) > before and fields["respite_in_sync"] == "0",
              f"a write was acknowledged while the lost replica is in the set: {fields}")
        wait_until(lambda: version(appliance) > before and in_sync(appliance) == 0, 30, "the first sentinel knows it too")
        check(MAX_LAG_MS * 0.8 <= waited_ms <= MAX_LAG_MS + 1500, f"the write waited {waited_ms} ms")
        begun = time.monotonic()
        check(client.call("SET", "later", "3") == "OK", "SET was refused")
        check(time.monotonic() - begun < 0.5, "the next write waited too")
        check(appliance.master() == master and appliance.status()["epoch"] == epoch, "the master was changed")
        say(f"the write waited {waited_ms} ms")


def test_replica_behind():
    """a replica that came back and is not in the set yet is not promoted: the group waits for what was acknowledged"""
    appliance = Appliance(PORT, "--durability", "sync")
    with appliance:
        wait_protected(appliance)
        client = Client(PORT, timeout=40)
        roles = appliance.workers()
        pid = pid_of(appliance, roles["master"])
        appliance.kill(roles["replica"])
        wait_until(lambda: in_sync(appliance) == 0, 30, "the lost replica has left the set")
        for number in range(1000):  # nobody but the master has them
            check(client.call("SET", f"alone:{number}", number) == "OK", "SET was refused")
        os.kill(pid, signal.SIGSTOP)
        try:
            appliance.restart(roles["replica"])
            time.sleep(9)
            check(in_sync(appliance) == 0, "a set was made without its master")
            worker = Client(appliance.process(roles["replica"])["port"])
            check(info(worker, "respite")["respite_role"] != "master", "a replica without the data was promoted")
            check(any("too few of the nodes" in text for text in appliance.why().values()),  # whoever got so far says it
                  f"nobody says why there is no master: {appliance.why()}")
        finally:
            os.kill(pid, signal.SIGCONT)
        for number in range(1000):
            check(client.call("GET", f"alone:{number}") == str(number).encode(), f"alone:{number} is lost")
        check(appliance.master() == roles["master"], "another master")
        wait_protected(appliance)
        appliance.check_agreed()


tap.run([test_failovers, test_lost_replica, test_replica_behind])
