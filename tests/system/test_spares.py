#!/usr/bin/python3
"""A spare takes the place of a replica that stays away; who comes back is the next spare."""
import redis

import tap
from appliance import Appliance, Client, wait_until
from tap import check

PORT = 23560
KEYS = 500
appliance = Appliance(PORT)
client = None


def write(first):
    for number in range(first, first + KEYS):
        check(client.call("SET", f"kept:{number}", number) == "OK", "SET was refused")


def check_keys(port, last):
    with redis.Redis(port=port) as client:
        for number in range(last):
            value = client.get(f"kept:{number}")
            check(value == str(number).encode(), f"kept:{number} is {value!r} on port {port}")


def wait_promotable():
    """Until the replica is in the in-sync set: before, the master's death would wait for the master's return."""
    with redis.Redis(port=appliance.process(appliance.master())["port"]) as master:
        wait_until(lambda: master.info("everything")["respite_in_sync"] == 1, 20, "the replica is in the in-sync set")


def lose_replica(first):
    """Kills the replica for good, and waits until the spare stands in its place; returns the killed one."""
    before = appliance.workers()
    epoch = appliance.status()["epoch"]
    appliance.kill(before["replica"])
    write(first)
    wait_until(lambda: appliance.workers()["replica"] == before["spare"], 60, "the spare is a replica")
    appliance.wait_in_sync()
    appliance.check_agreed()
    check(appliance.status()["epoch"] == epoch and appliance.master() == before["master"], "the master was changed")
    check_keys(appliance.process(before["spare"])["port"], first + KEYS)
    return before["replica"]


def test_replacement():
    """a killed replica is replaced by the spare, and the pair is in sync again without an operator"""
    write(0)
    lost = lose_replica(KEYS)
    appliance.restart(lost)
    appliance.wait_for_role(lost, "spare")
    told = appliance.why()["sentinel-1"]
    check("is missing: spare" in told, told)
    appliance.wait_in_sync()
    appliance.check_agreed()


def test_failover_to_former_spare():
    """the former spare is a full member of the pair: it takes over, and the dead master becomes a spare"""
    wait_promotable()
    before = appliance.workers()
    appliance.kill(before["master"])
    wait_until(lambda: appliance.master() == before["replica"], 20, "the former spare is master")
    wait_until(lambda: appliance.workers()["replica"] == before["spare"], 60, "the other spare is a replica")
    appliance.wait_in_sync()
    appliance.check_agreed()
    check_keys(appliance.process(before["spare"])["port"], 2 * KEYS)
    appliance.restart(before["master"])
    appliance.wait_for_role(before["master"], "spare")
    wait_promotable()


def test_short_absence():
    """a replica that a service manager restarts at once stays a replica"""
    before = appliance.workers()
    appliance.kill(before["replica"])
    appliance.restart(before["replica"])
    appliance.wait_in_sync()
    appliance.check_agreed()
    check(appliance.workers() == before, f"{before} became {appliance.workers()}")
    write(2 * KEYS)


with appliance:
    client = Client(PORT, timeout=30)
    tap.run([test_replacement, test_failover_to_former_spare, test_short_absence])
