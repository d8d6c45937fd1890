#!/usr/bin/python3
"""The failover that is disturbed: its proposer dies, its successor dies, its replica was not ready, its operator knows."""
import os
import subprocess
import threading
import time

import tap
from appliance import SOURCE, Appliance, Client, Steady, build_directory, info, wait_until
from tap import check, say

PORT = 23200
PORTS_OF_A_LANE = 30
BUILD = build_directory()
STEPS = ("PREPARE", "FENCE", "ACCEPT", "LEARN")
BIG_VALUES = 400  # of 1 MB: a full sync of them takes long enough to die in it
starting = threading.Lock()  # every start looks whether there is something to build


def side_by_side(*scenes):
    """Runs each scene with an appliance of its own: (function, options of quickstart, environment, arguments)."""
    failed = []

    def run(number, scene, options, environment, arguments):
        appliance = Appliance(PORT + PORTS_OF_A_LANE * number, *options, environment=environment)
        try:
            with starting:
                appliance.__enter__()
            try:
                scene(appliance, *arguments)
            except BaseException as error:
                appliance.__exit__(type(error), error, None)
                raise
            appliance.__exit__(None, None, None)
        except Exception as error:  # of a thread: the test asks for it
            failed.append(f"{scene.__name__} {arguments}: {error!r}")

    threads = [threading.Thread(target=run, args=(number, *scene)) for number, scene in enumerate(scenes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not failed, "; ".join(failed))


def in_sync(appliance):
    client = Client(appliance.port + 1, timeout=5)
    text = client.call("RESPITE", "TOPOLOGY")  # None: it was started a moment ago and has learned nothing yet
    client.close()
    return sum(line.startswith("in-sync ") for line in (text or b"").decode().splitlines())


def wait_protected(appliance):
    wait_until(lambda: in_sync(appliance) == 1, 40, "a replica is in the in-sync set")
    appliance.wait_in_sync()


def wait_epoch(appliance, epoch, seconds):
    """Until a master of a later epoch acknowledges a write."""
    wait_until(lambda: (appliance.status()["epoch"] or 0) > epoch, seconds, f"an epoch after {epoch}")
    client = Client(appliance.port, timeout=seconds)
    check(client.call("SET", "again", epoch) == "OK", "SET was refused")
    client.close()


def check_steady(result, most_ms):
    for name in ("closed", "errors", "unanswered", "wrong"):
        check(result[name] == 0, f"{name}: {result[name]}; the first error: {result['first_error']}")
    check(result["acknowledged"] > 300, f"there was hardly any load: {result['acknowledged']} commands")
    check(result["outage_ms"] <= most_ms, f"writes stood still for {result['outage_ms']} ms")


# --- the proposer dies ---

def lose_proposers(appliance, flag, steps):
    for step in steps:
        wait_protected(appliance)
        status = appliance.status()
        alive = {process["name"] for process in status["processes"] if process["pid"] is not None}
        steady = Steady(appliance.port, BUILD, connections=10, period_ms=20)
        try:
            time.sleep(2)
            with open(flag, "w", encoding="ascii") as file:
                file.write(step)
            appliance.kill(status["master"])
            wait_epoch(appliance, status["epoch"], 25)
        finally:
            result = steady.stop()
        left = {process["name"] for process in appliance.status()["processes"] if process["pid"] is not None}
        lost = sorted(alive - left - {status["master"]})
        check(len(lost) == 1 and lost[0].startswith("sentinel-"), f"after {step}, these died: {lost}")
        check(not os.path.exists(flag), f"nobody said {step}")
        check_steady(result, 20000)  # some 6 s; the bound is for a machine that has other work
        check(result["lost"] == 0 or result["lost_age_ms"] <= 1500, f"lost one of {result['lost_age_ms']} ms before")
        say(f"{lost[0]} died after {step}: writes stood still for {result['outage_ms']} ms")
        appliance.restart(lost[0])
        appliance.restart(status["master"])
        wait_protected(appliance)
        appliance.check_agreed()


def test_proposer_dies():
    """a proposer that is killed after each of its steps: another one finishes, and nothing is decided twice"""
    shim = os.path.join(BUILD, "tests/system/end_after.so")
    scenes = []
    for number, steps in enumerate((STEPS[:2], STEPS[2:])):
        flag = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"respite-end-after-{os.getpid()}-{number}")
        scenes.append((lose_proposers, (), {"LD_PRELOAD": shim, "END_AFTER": flag}, (flag, steps)))
    side_by_side(*scenes)


# --- twice ---

def die_twice_restarted(appliance):
    """Both masters come back at once, empty; each time the other has everything."""
    wait_protected(appliance)
    steady = Steady(appliance.port, BUILD, connections=10, period_ms=20)
    try:
        begun = time.monotonic()
        for _ in range(2):
            epoch, master = appliance.status()["epoch"], appliance.master()
            appliance.kill(master)
            appliance.restart(master)
            wait_epoch(appliance, epoch, 20)
            wait_protected(appliance)
        took = time.monotonic() - begun
    finally:
        result = steady.stop()
    check_steady(result, 7000)
    check(result["lost_age_ms"] <= 1500, f"one was lost {result['lost_age_ms']} ms after its acknowledgement")
    appliance.check_agreed()
    say(f"two masters died and came back within {took:.1f} s: {result['lost']} of {result['sets']} acknowledged lost")


def die_twice_dead(appliance):
    """The second master dies within 10 s of the first, before anybody has what it got; then both come back."""
    wait_protected(appliance)
    steady = Steady(appliance.port, BUILD, connections=10, period_ms=20)
    try:
        first, epoch = appliance.master(), appliance.status()["epoch"]
        begun = time.monotonic()
        appliance.kill(first)
        wait_until(lambda: appliance.status()["epoch"] > epoch, 20, "a second master")
        second = appliance.master()
        appliance.kill(second)
        took = time.monotonic() - begun
        time.sleep(2)
        appliance.restart(first)
        appliance.restart(second)
        wait_epoch(appliance, epoch + 1, 60)
    finally:
        result = steady.stop()
    for name in ("closed", "errors", "unanswered"):
        check(result[name] == 0, f"{name}: {result[name]}; the first error: {result['first_error']}")
    check(took < 10, f"the second master died after {took:.1f} s")
    wait_protected(appliance)
    appliance.check_agreed()
    say(f"two masters died within {took:.1f} s, and nobody was left: writes stood still for {result['outage_ms']} ms")


def test_twice():
    """two masters that die within 10 s of each other, returning at once or later, leave a group that serves"""
    side_by_side((die_twice_restarted, (), {}, ()), (die_twice_dead, (), {}, ()))


# --- the master dies while its replica is in full sync ---

def die_in_full_sync(appliance):
    wait_protected(appliance)
    client = Client(appliance.port, timeout=60)
    for number in range(100):
        check(client.call("SET", f"kept:{number}", number) == "OK", "SET was refused")
    roles = appliance.workers()
    appliance.wait_in_sync()
    for name in (roles["master"], roles["replica"]):
        worker = Client(appliance.process(name)["port"])
        check(worker.call("SAVE") == "OK", "SAVE was refused")
        worker.close()
    epoch = appliance.status()["epoch"]
    appliance.kill(roles["replica"])
    value = b"v" * (1 << 20)
    for number in range(BIG_VALUES):  # more than the backlog holds: the replica needs a full sync
        check(client.call("SET", f"big:{number}", value) == "OK", "SET was refused")
    worker = Client(appliance.process(roles["master"])["port"], timeout=60)
    check(worker.call("SAVE") == "OK", "SAVE was refused")
    master_pid = appliance.process(roles["master"])["pid"]
    port = appliance.process(roles["replica"])["port"]
    appliance.restart(roles["replica"])
    replica = Client(port)
    wait_until(lambda: info(replica, "replication").get("master_sync_in_progress") == "1", 20, "a full sync runs")
    os.kill(master_pid, 9)
    during = info(replica, "replication")
    check(during.get("master_link_status") != "up", f"the sync was over already: {during}")
    time.sleep(8)
    check(appliance.status()["epoch"] == epoch, "somebody was promoted in the middle of a full sync")
    check(info(replica, "respite")["respite_role"] != "master", "it was promoted in the middle of a full sync")
    appliance.restart(roles["master"])
    wait_epoch(appliance, epoch, 30)
    check(appliance.master() == roles["master"], "the best history did not win")
    for number in range(100):
        check(client.call("GET", f"kept:{number}") == str(number).encode(), f"kept:{number}")
    for number in range(BIG_VALUES):
        check(client.call("GET", f"big:{number}") == value, f"big:{number} is lost")
    wait_protected(appliance)
    appliance.check_agreed()


# --- the operator knows that nobody comes back ---

def respitectl(appliance, *arguments):
    """respitectl failover, of all sentinels: (exit status, what it said)."""
    sentinels = [f"--sentinel=127.0.0.1:{appliance.port + number}" for number in (1, 2, 3)]
    words = [word for sentinel in sentinels for word in sentinel.split("=")]
    done = subprocess.run([os.path.join(BUILD, "respitectl"), "failover", "--secret-file",
                           os.path.join(appliance.directory, "secret"), *words, *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=20, check=False)
    return done.returncode, done.stdout


def force(appliance):
    wait_protected(appliance)
    client = Client(appliance.port, timeout=60)
    for number in range(100):
        check(client.call("SET", f"kept:{number}", number) == "OK", "SET was refused")
    status, said = respitectl(appliance)
    check(status == 1 and "nothing to force" in said, f"with a master: {status} {said}")
    roles = appliance.workers()
    appliance.wait_in_sync()
    worker = Client(appliance.process(roles["replica"])["port"])
    check(worker.call("SAVE") == "OK", "SAVE was refused")
    check(client.call("SET", "late", "1") == "OK", "SET was refused")  # by then the master had it, and the replica
    time.sleep(1.5)                                                    # a poll has told the sentinels
    epoch = appliance.status()["epoch"]
    appliance.kill(roles["replica"])
    appliance.kill(roles["master"])
    appliance.restart(roles["replica"])  # a new life, which speaks for nobody
    time.sleep(9)
    check(appliance.status()["epoch"] == epoch, "a sync group chose a master that may lack acknowledged writes")
    status, said = respitectl(appliance)
    check(status == 0 and "would be chosen" in said and "bytes of its stream would be lost" in said, f"{status} {said}")
    check(" 0 bytes" not in said, f"the late write is not foretold: {said}")
    time.sleep(2)
    check(appliance.status()["epoch"] == epoch, "a question was taken for an order")
    status, said = respitectl(appliance, "--force")
    check(status == 0, f"{status} {said}")
    wait_epoch(appliance, epoch, 10)
    check(appliance.master() == roles["replica"], f"the master is {appliance.master()}")
    for number in range(100):
        check(client.call("GET", f"kept:{number}") == str(number).encode(), f"kept:{number}")
    check(any("forced by the operator" in text for text in appliance.why().values()), f"{appliance.why()}")
    say(f"respitectl said: {said.strip().splitlines()[-1]}")
    appliance.restart(roles["master"])
    wait_protected(appliance)
    appliance.check_agreed()


def test_last_copies():
    """a master that dies in a full sync is waited for; an operator may order to go on without"""
    side_by_side((die_in_full_sync, (), {}, ()), (force, ("--durability", "sync"), {}, ()))


tap.run([test_proposer_dies, test_twice, test_last_copies])
