#!/usr/bin/python3
"""The tools that everybody has, through the proxy."""
import re
import subprocess

import tap
from appliance import Appliance, Client
from tap import check, say

PORT = 22160
appliance = Appliance(PORT)


def tool(*arguments, text="", seconds=30):
    done = subprocess.run(arguments, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds, check=False)
    return done.stdout, done.returncode


def cli(*arguments, **options):
    return tool("redis-cli", "-p", str(PORT), *arguments, **options)


def test_cli():
    """redis-cli, its commands on standard input and interactive on a terminal"""
    output, status = cli(text="set greeting hello\nget greeting\nincr counted\nget nothing\nselect 2\nget greeting\n")
    check(status == 0 and output.split("\n")[:3] == ["OK", "hello", "1"], output)
    check("hello" not in output.split("OK", 2)[2], f"database 2 is not empty: {output}")
    # `script` gives it a terminal, so it asks for COMMAND DOCS and prints a prompt.
    output, _ = tool("script", "-qec", f"redis-cli -p {PORT}", "/dev/null", text="get greeting\nquit\n")
    check('"hello"' in output, f"interactive: {output!r}")


def test_scan():
    """redis-cli --scan lists every key once"""
    client = Client(PORT)
    for number in range(1500):
        client.send("SET", f"scan:{number}", "x")
    for number in range(1500):
        check(client.read() == "OK", "SET")
    output, status = cli("--scan", "--pattern", "scan:*")
    keys = output.split()
    check(status == 0 and sorted(keys) == sorted(f"scan:{number}" for number in range(1500)),
          f"{len(keys)} keys, {len(set(keys))} different")


def test_stat():
    """redis-cli --stat prints figures"""
    output, _ = tool("timeout", "3", "redis-cli", "-p", str(PORT), "--stat", "-i", "1")
    check(re.search(r"^\d+\s+\S+\s+\d+\s+\d+\s+\d+", output, re.MULTILINE), output)


def test_latency():
    """redis-cli --latency measures"""
    output, _ = tool("timeout", "--foreground", "3", "redis-cli", "-p", str(PORT), "--latency", "-i", "1", "--raw")
    figures = output.split()
    check(len(figures) >= 4 and int(figures[3]) > 50, output)
    say(f"latency of PING through the proxy: min {figures[0]}, max {figures[1]}, average {figures[2]} ms")


def test_benchmark():
    """redis-benchmark -t set,get,incr -P 16 runs without an error"""
    output, status = tool("redis-benchmark", "-p", str(PORT), "-t", "set,get,incr", "-P", "16", "-n", "100000", "-q",
                          seconds=120)
    check(status == 0 and output.count("requests per second") == 3 and "rror" not in output, output)
    for line in re.findall(r"(\w+: [\d.]+ requests per second)", output):
        say(line)


def test_resp3():
    """redis-cli -3 speaks RESP3, and HELLO names the server redis"""
    output, status = cli("-3", "hello", "3")
    check(status == 0 and "redis" in output and "proto" in output, output)


with appliance:
    tap.run([test_cli, test_scan, test_stat, test_latency, test_benchmark, test_resp3])
