#!/usr/bin/python3
"""Without a majority of sentinels nobody is promoted."""
import time

import tap
from appliance import Appliance, Client, wait_until
from tap import check

PORT = 22080


def test_quorum():
    """two of three sentinels dead, then the master: no promotion; one sentinel back: promotion"""
    with Appliance(PORT) as appliance:
        client = Client(PORT, timeout=40)
        check(client.call("SET", "before", "1") == "OK", "SET was refused")
        appliance.wait_in_sync()
        master = appliance.master()
        replica = appliance.other_worker(master)
        epoch = appliance.status()["epoch"]
        appliance.kill("sentinel-1")
        appliance.kill("sentinel-2")
        appliance.kill(master)
        time.sleep(10)
        status = appliance.status()
        check(status["epoch"] == epoch, f"one sentinel of three raised the epoch to {status['epoch']}")
        check(appliance.process(replica)["role"] == "replica", "the replica was promoted")
        client.send("SET", "during", "2")  # waits for a master, no longer than hold_timeout_ms (15 s)
        appliance.restart("sentinel-1")
        wait_until(lambda: appliance.status()["epoch"] > epoch, 30, "a new epoch with two sentinels")
        appliance.wait_for_role(replica, "master")
        answer = client.read()
        check(answer == "OK", f"the write that waited was answered {answer}")
        check(client.call("GET", "before") == b"1", "a key is lost")
        for name in (master, "sentinel-2"):
            appliance.restart(name)
        appliance.wait_in_sync(60)
        appliance.check_agreed()


tap.run([test_quorum])
