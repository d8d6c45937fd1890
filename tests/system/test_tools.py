#!/usr/bin/python3
"""The tools that everybody has, through the proxy."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

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


def on_terminal(arguments, lines, seconds):
    """What the program shows on a terminal on which the lines are typed, within the time; it is ended then."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))  # else redis-cli asks for it
    process = subprocess.Popen(arguments, stdin=follower, stdout=follower, stderr=follower, close_fds=True)
    os.close(follower)
    output, end = b"", time.monotonic() + seconds
    time.sleep(0.5)
    for line in lines:
        os.write(leader, line.encode() + b"\n")
        time.sleep(0.2)
    while time.monotonic() < end and process.poll() is None:
        if select.select([leader], [], [], 0.1)[0]:
            try:
                output += os.read(leader, 65536)
            except OSError:
                break
    process.kill()
    process.wait()
    os.close(leader)
    return output.decode(errors="replace")


def test_cli():
    """redis-cli, its commands on standard input and interactive on a terminal"""
    output, status = cli(text="set greeting hello\nget greeting\nincr counted\nget nothing\nselect 2\nget greeting\n")
    check(status == 0 and output.split("\n")[:3] == ["OK", "hello", "1"], output)
    check("hello" not in output.split("OK", 2)[2], f"database 2 is not empty: {output}")
    # On a terminal it asks for COMMAND DOCS, and prints a prompt with the database.
    output = on_terminal(["redis-cli", "-p", str(PORT)], ["get greeting", "select 3", "help get", "quit"], 5)
    check('"hello"' in output and f"{PORT}[3]>" in output and "summary" in output, f"interactive: {output!r}")


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
    output = on_terminal(["redis-cli", "-p", str(PORT), "--stat", "-i", "1"], [], 3)
    check(len(re.findall(r"^\d+\s+\S+\s+\d+\s+\d+\s+\d+ \(\+\d+\)", output, re.MULTILINE)) >= 2, output)


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
