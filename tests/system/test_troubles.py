#!/usr/bin/python3
"""A master that is busy, one that is stuck, one whose disk is full: who stays, who is replaced, and what is said."""
import contextlib
import os
import tempfile
import threading
import time

import tap
from appliance import Appliance, Client, Steady, build_directory, wait_until
from disks import fill_disk, small_disk
from tap import check, say

PORT = 23500
BUILD = build_directory()
STRANGER = "ab" * 16  # the identity of a sentinel that nobody lists


def greet(appliance, name):
    """A link to a worker's control port, as a sentinel."""
    client = Client(appliance.process(name)["port"] + 10, timeout=5)
    client.send("RESPITE", "HELLO", "sentinel", STRANGER, appliance.secret())
    return client


def poll(client):
    client.send("RESPITE", "POLL", "main", time.monotonic_ns(), 0)  # no number twice
    words = client.read()
    check(words[1] == b"STATUS", words)
    return words


def slowest_status(appliance, name, seconds):
    """Asks for STATUS ten times a second for so long; the slowest answer in ms."""
    client, slowest = greet(appliance, name), 0
    end = time.monotonic() + seconds
    while (begun := time.monotonic()) < end:
        poll(client)
        slowest = max(slowest, round((time.monotonic() - begun) * 1000))
        time.sleep(0.1)
    client.close()
    return slowest


def in_background(port, *command):
    """Sends the command to this port and does not wait for the reply, but gives it to a list."""
    replies = []

    def wait():
        client = Client(port, timeout=60)
        try:
            replies.append(client.call(*command))
        except (ConnectionError, OSError) as error:
            replies.append(error)
        client.close()
    thread = threading.Thread(target=wait)
    thread.start()
    return thread, replies


def all_say(appliance, words):
    told = appliance.why()
    check(len(told) == 3 and all(words in text for text in told.values()), f"not all say '{words}': {told}")


def troubled(port, **settings):
    """An appliance whose workers allow DEBUG, and have these settings."""
    appliance = Appliance(port)
    with appliance:
        appliance.quickstart("down")
        for name in ("worker-1", "worker-2", "worker-3"):
            appliance.configure(name, enable__debug__command="true", **settings)
        appliance.up()
        yield appliance


def test_busy():
    """DEBUG SLEEP 8 on the master: STATUS is answered, no failover, every sentinel says busy"""
    for appliance in troubled(PORT):
        steady = Steady(PORT, BUILD, connections=10, period_ms=20)
        master, epoch = appliance.master(), appliance.status()["epoch"]
        thread, replies = in_background(appliance.process(master)["port"], "DEBUG", "SLEEP", 8)
        time.sleep(0.5)
        slowest = slowest_status(appliance, master, 7)
        all_say(appliance, "is busy")
        thread.join()
        check(replies == ["OK"], f"DEBUG SLEEP was answered {replies}")
        time.sleep(2)
        all_say(appliance, "is not busy any more")
        result = steady.stop()
        check(appliance.master() == master and appliance.status()["epoch"] == epoch, "the busy master was replaced")
        check(slowest < 2000, f"a STATUS took {slowest} ms")
        for name in ("closed", "errors", "unanswered", "wrong", "uncertain", "lost"):
            check(result[name] == 0, f"{name}: {result[name]}; the first error: {result['first_error']}")
        check(7000 < result["outage_ms"] < 12000, f"writes stood still for {result['outage_ms']} ms")
        say(f"writes waited {result['outage_ms']} ms; the slowest STATUS took {slowest} ms")
        appliance.check_agreed()


def test_long_scripts():
    """scripts of 3 and 8 s on the master: others wait, then hear that it is busy; no failover, all sentinels say busy"""
    script = "local began = os.clock() while os.clock() - began < tonumber(ARGV[1]) do end return redis.call('incr', KEYS[1])"
    for appliance in troubled(PORT):
        master, epoch = appliance.master(), appliance.status()["epoch"]
        port = appliance.process(master)["port"]
        for seconds, number in ((3, 1), (8, 2)):
            thread, replies = in_background(port, "EVAL", script, 1, "n", seconds)
            time.sleep(0.5)
            other, answers = in_background(port, "GET", "n")
            slowest = slowest_status(appliance, master, seconds - 1)
            all_say(appliance, "is busy")
            thread.join()
            other.join()
            check(replies == [number], f"the script was answered {replies}")
            check(slowest < 2000, f"a STATUS took {slowest} ms")
            if seconds < 5:
                check(answers == [b"%d" % number], f"who waited was answered {answers}")
            else:
                check(str(answers[0]).startswith("BUSY ") or "BUSY" in str(answers[0]), f"who waited was answered {answers}")
            check(appliance.master() == master and appliance.status()["epoch"] == epoch, "the busy master was replaced")
        appliance.wait_in_sync(30)
        appliance.check_agreed()


def test_stuck():
    """a command thread that does not turn for stuck_limit is reported, and the node replaced within 5 s more"""
    for appliance in troubled(PORT, stuck_limit_ms=3000):
        steady = Steady(PORT, BUILD, connections=10, period_ms=20)
        time.sleep(1)
        roles = appliance.workers()
        begun = time.monotonic()
        thread, replies = in_background(appliance.process(roles["master"])["port"], "DEBUG", "SLEEP", 20)
        wait_until(lambda: appliance.master() == roles["replica"], 30, "the replica is master")
        took = time.monotonic() - begun
        all_say(appliance, "is stuck")
        check(took > 7, f"it was replaced {took:.1f} s after its last turn: 3 s and 5 s make 8 s, less a poll")
        thread.join()
        check(replies != ["OK"], "the stuck master acknowledged its command after it was replaced")
        wait_until(lambda: appliance.process(roles["master"])["role"] in ("replica", "spare"), 30, "it is back")
        appliance.wait_in_sync()
        result = steady.stop()
        for name in ("closed", "errors", "unanswered", "wrong"):
            check(result[name] == 0, f"{name}: {result[name]}; the first error: {result['first_error']}")
        say(f"replaced {took:.1f} s after its last turn; writes stood still for {result['outage_ms']} ms")
        appliance.check_agreed()


def test_full_disk():
    """a master that cannot write down a fence says so and gives up its role; with room again it comes back"""
    appliance = Appliance(PORT)
    with contextlib.ExitStack() as stack:
        for name in ("worker-1", "worker-2"):
            place = stack.enter_context(small_disk(tempfile.mkdtemp(prefix="respite-disk-")))
            os.symlink(place, os.path.join(appliance.directory, name))
        stack.enter_context(appliance)
        steady = Steady(PORT, BUILD, connections=10, period_ms=20)
        time.sleep(2)
        roles = appliance.workers()
        epoch = appliance.status()["epoch"]
        ballast = fill_disk(os.path.join(appliance.directory, roles["master"]))
        link = greet(appliance, roles["master"])
        link.send("RESPITE", "FENCE", "main", epoch + 1, f"1:{STRANGER}:1")
        wait_until(lambda: appliance.master() == roles["replica"], 20, "the replica is master")
        all_say(appliance, "cannot write to its disk")
        check(appliance.process(roles["master"])["role"] != "master", "it still takes itself for the master")
        link.close()
        os.unlink(ballast)
        wait_until(lambda: appliance.process(roles["master"])["role"] in ("replica", "spare"), 30, "it is back")
        wait_until(lambda: "can write to its disk again" in appliance.why()["sentinel-1"], 30, "this is said")
        appliance.wait_in_sync(60)
        result = steady.stop()
        for name in ("closed", "errors", "unanswered", "wrong"):
            check(result[name] == 0, f"{name}: {result[name]}; the first error: {result['first_error']}")
        say(f"writes stood still for {result['outage_ms']} ms")
        appliance.check_agreed()


tap.run([test_busy, test_long_scripts, test_stuck, test_full_disk])
