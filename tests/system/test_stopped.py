#!/usr/bin/python3
"""The master's process is stopped and goes on: it acknowledges nothing more, and ends as a replica."""
import os
import signal
import time

import tap
from appliance import Appliance, Client, Steady, build_directory, wait_until
from tap import check, say

PORT = 22700
BUILD = build_directory()


def data_port(name):
    return PORT + 10 + int(name.split("-")[1])


def test_stop_of_eight_seconds():
    """SIGSTOP of the master for 8 s under load: no connection closed, only -UNCERTAIN, nothing acknowledged after"""
    with Appliance(PORT) as appliance:
        steady = Steady(PORT, BUILD)
        time.sleep(2)
        master = appliance.master()
        pid = appliance.process(master)["pid"]
        direct = Client(data_port(master))
        check(direct.call("SET", "direct", "before") == "OK", "the master does not serve a client of its own")
        os.kill(pid, signal.SIGSTOP)
        try:
            direct.send("SET", "direct", "after")  # it lies in the socket until the process goes on
            time.sleep(8)
        finally:
            os.kill(pid, signal.SIGCONT)
        try:
            reply = direct.read()
        except (ConnectionError, OSError):
            reply = None
        check(reply != "OK", "the old master acknowledged a write after it was stopped for 8 s")
        say(f"the old master's answer to its own client: {reply}")
        appliance.wait_for_role(master, "replica")
        time.sleep(2)
        result = steady.stop()
        say(f"outage {result['outage_ms']} ms, {result['uncertain']} uncertain")
        check(appliance.master() != master, "the stopped master is the master again")
        for name in ("closed", "errors", "unanswered", "wrong"):
            check(result[name] == 0, f"{name}: {result[name]}; the first error: {result['first_error']}")
        appliance.wait_in_sync()
        appliance.check_agreed()


tap.run([test_stop_of_eight_seconds])
