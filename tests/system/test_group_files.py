#!/usr/bin/python3
"""A group whose workers keep append-only files: all of it dies at once, and nothing that was acknowledged is lost; a worker
that comes back goes on where its file ends."""
import os

import tap
from appliance import Appliance, Client, info, wait_until
from tap import check, say

PORT = 25640
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
WORKERS = ("worker-1", "worker-2", "worker-3")


def keep_files(appliance):
    """For good: CONFIG REWRITE keeps it."""
    for name in WORKERS:
        worker = Client(appliance.process(name)["port"], timeout=30)
        check(worker.call("CONFIG", "SET", "appendfsync", "always", "appendonly", "yes") == "OK", f"{name} refuses")
        check(worker.call("CONFIG", "REWRITE") == "OK", f"{name} cannot keep it")
        wait_until(lambda worker=worker: info(worker, "persistence")["aof_rewrite_in_progress"] == "0" and
                   info(worker, "persistence")["aof_rewrite_scheduled"] == "0", 30, "the first base is made")
        worker.close()


def write(first, last):
    client = Client(PORT, timeout=60)
    client.call("SELECT", 2)
    for number in range(first, last):
        check(client.call("SET", f"key:{number}", number) == "OK", "SET was refused")
    client.close()


def check_keys(port, last):
    client = Client(port, timeout=60)  # it waits for a master
    client.call("SELECT", 2)
    missing = [number for number in range(last) if client.call("GET", f"key:{number}") != str(number).encode()]
    check(not missing, f"{len(missing)} of {last} keys are missing: {missing[:5]}")
    client.close()


def test_all_die(appliance):
    """every process killed at once: what was acknowledged with appendfsync always is there"""
    write(0, 400)
    for name in (*WORKERS, *SENTINELS):
        appliance.kill(name)
    for name in SENTINELS:
        appliance.configure(name, spare_wait_ms=600000)  # nobody is replaced, however slowly it comes back
    for name in (*SENTINELS, *WORKERS):
        appliance.restart(name)
    check_keys(PORT, 400)
    appliance.wait_in_sync(60)
    appliance.check_agreed(60)


def test_replica_comes_back(appliance):
    """a replica killed and started again: a partial resync from where its file ends"""
    name = appliance.workers()["replica"]
    log = os.path.join(appliance.directory, name, "log")
    appliance.kill(name)
    before = os.path.getsize(log)
    write(400, 500)
    appliance.restart(name)
    appliance.wait_for_role(name, "replica", 60)
    appliance.wait_in_sync(60)
    with open(log, encoding="utf-8") as file:
        file.seek(before)
        said = file.read()
    check("partial resync with" in said and "full sync from" not in said, said)
    check_keys(PORT, 500)
    say(f"{info(Client(appliance.process(name)['port']), 'persistence')['aof_current_size']} bytes in its file")


def main():
    with Appliance(PORT) as appliance:
        keep_files(appliance)
        tests = []
        for test in (test_all_die, test_replica_comes_back):
            def run(test=test):
                test(appliance)
            run.__doc__, run.__name__ = test.__doc__, test.__name__
            tests.append(run)
        tap.run(tests)


main()
