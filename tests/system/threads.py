#!/usr/bin/python3
"""The daemons that have threads, built with ThreadSanitizer, under load and over a failover: no report.

The build is given by --build; ./runtests makes it (part threads)."""
import glob
import os
import time

import tap
from appliance import Appliance, Client, Steady, build_directory
from tap import check, say

PORT = 22850
BUILD = build_directory()
LIBRARY = """#!lua name=numbers
redis.register_function('count', function(keys) for i = 1, 1000000 do end return redis.call('INCR', keys[1]) end)"""


def reports(directory):
    """The first lines of what ThreadSanitizer wrote into its log files."""
    found = []
    for path in glob.glob(os.path.join(directory, "tsan.*")):
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if "ThreadSanitizer" in text:
            found.append(f"{os.path.basename(path)}: " + " | ".join(text.splitlines()[:12]))
    return found


def give_threads(appliance, count):
    path = os.path.join(appliance.directory, "proxy-1", "proxy-1.conf")
    with open(path, encoding="ascii") as file:
        text = file.read()
    check("threads = 1;" in text, "quickstart's proxy has not one thread")
    with open(path, "w", encoding="ascii") as file:
        file.write(text.replace("threads = 1;", f"threads = {count};"))
    appliance.restart("proxy-1")


def look_at_all_clients():
    """Each client sees those of all threads, while they come and go."""
    clients = [Client(PORT, timeout=60) for _ in range(16)]
    numbers = [client.call("CLIENT", "ID") for client in clients]
    for client in clients:
        lines = client.call("CLIENT", "LIST").decode().splitlines()
        listed = {int(line.split()[0][len("id="):]) for line in lines}
        check(listed >= set(numbers), f"{sorted(set(numbers) - listed)} are not listed")
    for number in numbers[1:]:
        check(clients[0].call("CLIENT", "KILL", "ID", number) == 1, f"client {number} was not found")
    check(clients[0].call("CLIENT", "LIST", "ID", *numbers).count(b"\n") == 1, "some are still there")


def test_that_it_reports():
    """ThreadSanitizer is in the programs, and its reports are found"""
    with open(os.path.join(BUILD, "respite-cacheworker"), "rb") as file:
        check(b"__tsan_init" in file.read(), f"{BUILD} is not built with --enable-thread-sanitizer")


def test_failover():
    """a worker with its control thread, a proxy of four threads: load, long commands, scripts, a failover, an end"""
    appliance = Appliance(PORT)
    os.environ["RESPITE_BUILD"] = BUILD
    os.environ["TSAN_OPTIONS"] = f"log_path={appliance.directory}/tsan exitcode=0 second_deadlock_stack=1"
    with appliance:
        give_threads(appliance, 4)
        steady = Steady(PORT, BUILD, connections=40, period_ms=20)
        time.sleep(3)
        look_at_all_clients()
        master = appliance.master()
        direct = Client(PORT)  # through the proxy, while the worker is asked for long answers
        for number in range(200):
            check(direct.call("SET", f"big-{number}", "x" * 20000) == "OK", "SET was refused")
        direct.call("KEYS", "*")
        direct.call("FUNCTION", "LOAD", LIBRARY)
        for number in range(20):  # on a fiber, which is left while others have their turns
            check(direct.call("FCALL", "count", 1, "counted") == number + 1, "FCALL was refused")
        appliance.kill(master)
        time.sleep(8)
        appliance.restart(master)
        appliance.wait_in_sync(60)
        result = steady.stop()
        say(f"{result['acknowledged']} acknowledged, outage {result['outage_ms']} ms")
        check(result["acknowledged"] > 500, f"only {result['acknowledged']} commands were acknowledged")
        check(result["closed"] == 0, f"{result['closed']} connections were closed")
        appliance.quickstart("down")
        found = reports(appliance.directory)
        check(not found, f"{len(found)} reports, the first: {found[0] if found else ''}")


tap.run([test_that_it_reports, test_failover])
