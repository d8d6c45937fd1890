#!/usr/bin/python3
"""A master whose data was in memory only is restarted at once, empty."""
import tap
from appliance import Appliance, Client, wait_until
from tap import check

PORT = 22040
KEYS = 2000


def test_empty_master():
    """a master that comes back empty at once costs no key, and ends as a replica"""
    with Appliance(PORT) as appliance:
        client = Client(PORT)
        for number in range(KEYS):
            check(client.call("SET", f"kept:{number}", number) == "OK", "SET was refused")
        appliance.wait_in_sync()
        master = appliance.master()
        epoch = appliance.status()["epoch"]
        appliance.kill(master)
        appliance.restart(master)
        wait_until(lambda: appliance.status()["epoch"] > epoch, 30, "a new epoch")
        check(appliance.master() != master, "the empty node was chosen again")
        appliance.wait_for_role(master, "replica")
        for number in range(KEYS):
            value = client.call("GET", f"kept:{number}")
            check(value == str(number).encode(), f"kept:{number} is {value!r}")
        appliance.wait_in_sync()
        appliance.check_agreed()
        check(client.call("DBSIZE") >= KEYS, "keys are missing")


tap.run([test_empty_master])
