#!/usr/bin/python3
"""What reads wait for while others write and the disk, or a replica, has to have that before it is acknowledged: latencies
of GETs on ten connections, 2,000 a second, alone and beside SETs on fifty, at pipeline 1, at the master and through the
proxy.

    tests/bench/held.py --build DIR [--slow MS] [--durability sync] [--seconds N] [--port P]

Without --durability sync the master keeps an append-only file with `appendfsync always`; --slow makes each of its syncs
take so much longer (tests/system/disk_faults.c). It is no test."""
import argparse
import json
import os
import subprocess
import sys
import tempfile

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
sys.path.insert(0, os.path.join(SOURCE, "tests/system"))
from appliance import Appliance, Client, info, wait_until  # noqa: E402

KEYS = 100000


def start(options, port, command, connections, keys, seconds, *words):
    return subprocess.Popen([os.path.join(options.build, "tests/bench/load"), "--port", str(port), "--command", command,
                             "--connections", str(connections), "--keys", str(keys), "--seconds", str(seconds),
                             *words], stdout=subprocess.PIPE, text=True)


def result(process):
    return json.loads(process.communicate()[0])


def figures(name, told):
    return f"{name} {told['per_second']:>7} /s  p50 {told['p50_us']:>8.1f}  p99 {told['p99_us']:>8.1f}  " \
           f"p99.9 {told['p999_us']:>8.1f}"


def read(options, port, keys):
    return result(start(options, port, "get", 10, keys, options.seconds, "--warmup", "1", "--rate", "2000"))


def measure(options, place, port, keys):
    """The writers begin before the readers, and end after them."""
    print(f"{place:>13} {keys:>7} keys  {figures('GET', read(options, port, keys))}   alone", flush=True)
    writers = start(options, port, "set", 50, keys, options.seconds + 2)
    told = read(options, port, keys)
    print(f"{'':>26}  {figures('GET', told)}   {figures('SET', result(writers))}", flush=True)


def keep_file(port):
    master = Client(port, timeout=60)
    master.call("CONFIG", "SET", "appendfsync", "always", "appendonly", "yes")
    wait_until(lambda: info(master, "persistence")["aof_rewrite_in_progress"] == "0" and
               info(master, "persistence")["aof_rewrite_scheduled"] == "0", 60, "the first base is made")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--slow", type=int, default=0)
    parser.add_argument("--durability", default="async")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--port", type=int, default=21930)
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    with tempfile.TemporaryDirectory() as directory:
        faults = os.path.join(directory, "faults")
        environment = {"LD_PRELOAD": os.path.join(options.build, "tests/system/disk_faults.so"), "DISK_FAULTS": faults}
        with Appliance(options.port, "--durability", options.durability, environment=environment) as appliance:
            port = appliance.process(appliance.master())["port"]
            start(options, options.port, "set", 50, KEYS, 0, "--fill", "--pipeline", "20").wait()
            if options.durability != "sync":
                keep_file(port)
            if options.slow > 0:
                with open(faults, "w", encoding="ascii") as file:
                    file.write(f"slow {options.slow}\n")
            for keys in (KEYS, 100):
                for place, at in (("at the master", port), ("proxy", options.port)):
                    measure(options, place, at, keys)


main()
