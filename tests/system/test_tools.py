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


class Terminal:
    """A program on a terminal of its own, as a user has it: it is read while lines are typed."""

    def __init__(self, *arguments):
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))  # else redis-cli asks for it
        self.leader, self.output = leader, ""
        self.process = subprocess.Popen(arguments, stdin=follower, stdout=follower, stderr=follower, close_fds=True,
                                        start_new_session=True, env={**os.environ, "TERM": "xterm"})
        os.close(follower)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()
        os.close(self.leader)

    def read_until(self, found, seconds):
        """Reads until found(output), the program's end, or the time; what it has shown since it began."""
        end = time.monotonic() + seconds
        while not found(self.output) and time.monotonic() < end:
            if select.select([self.leader], [], [], 0.1)[0]:
                try:
                    self.output += os.read(self.leader, 65536).decode(errors="replace")
                except OSError:  # it closed its side
                    break
        return self.output

    def type(self, line):
        """Types the line at the prompt that ends the output, and Enter; what was shown until the next prompt."""
        self.read_until(at_prompt, 10)
        check(at_prompt(self.output), f"no prompt for {line!r}: {self.output!r}")
        seen = len(self.output)
        os.write(self.leader, line.encode() + b"\r")
        return self.read_until(lambda output: "\n" in output[seen:] and at_prompt(output), 10)[seen:]


def at_prompt(output):
    """Whether the last line that is visible is redis-cli's prompt; it draws the line anew for each key."""
    return re.search(rf"127\.0\.0\.1:{PORT}(\[\d+\])?> (\x1b\[[\d;]*[A-Za-z])*$", output) is not None


def test_cli():
    """redis-cli, its commands on standard input and interactive on a terminal"""
    output, status = cli(text="set greeting hello\nget greeting\nincr counted\nget nothing\nselect 2\nget greeting\n")
    check(status == 0 and output.split("\n")[:3] == ["OK", "hello", "1"], output)
    check("hello" not in output.split("OK", 2)[2], f"database 2 is not empty: {output}")
    # On a terminal it asks for COMMAND DOCS, and prints a prompt with the database.
    with Terminal("redis-cli", "-p", str(PORT)) as terminal:
        output = terminal.type("get greeting")
        check('"hello"' in output, f"interactive GET: {output!r}")
        output = terminal.type("select 3")
        check(f"127.0.0.1:{PORT}[3]> " in output, f"interactive SELECT: {output!r}")
        output = terminal.type("help get")
        check("summary" in output and "string" in output, f"interactive HELP: {output!r}")
        terminal.read_until(at_prompt, 1)
        os.write(terminal.leader, b"quit\r")
        check(terminal.process.wait(10) == 0, "quit")


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


def test_looking_at_keys():
    """redis-cli --pipe writes; --bigkeys, --memkeys and --hotkeys find what is big and often read"""
    keys = [f"pipe:{number}" for number in range(3000)]
    commands = "".join(f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n$1\r\nx\r\n" for key in keys)
    output, status = cli("--pipe", text=commands)
    check(status == 0 and "errors: 0, replies: 3000" in output, output)
    client = Client(PORT)
    client.call("RPUSH", "big:list", *range(500))
    client.call("HSET", "big:hash", *range(1000))
    output, status = cli("--bigkeys")
    check(status == 0 and "\"big:list\"' has 500 items" in output and "\"big:hash\"' has 500 fields" in output, output)
    output, status = cli("--memkeys")
    check(status == 0 and re.search(r"big:hash\"' has \d{4,} bytes", output) is not None, output)
    output, status = cli("--hotkeys")
    check("ERR An LFU maxmemory policy is not selected" in output, output)
    check(client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu") == "OK", "CONFIG SET")
    for _ in range(200):
        client.call("GET", "pipe:7")
    output, status = cli("--hotkeys")
    check(client.call("CONFIG", "SET", "maxmemory-policy", "noeviction") == "OK", "CONFIG SET")
    check(status == 0 and re.search(r'hot key found with counter: \d+\s+keyname: "pipe:7"', output) is not None, output)
    client.close()


def test_monitor():
    """redis-cli MONITOR shows what others say, and what scripts do"""
    with subprocess.Popen(["redis-cli", "-p", str(PORT), "MONITOR"], stdout=subprocess.PIPE, text=True) as monitor:
        check(monitor.stdout.readline() == "OK\n", "MONITOR")
        cli("EVAL", "return redis.call('SET', KEYS[1], '1')", "1", "watched")
        while '"SET" "watched"' not in (line := monitor.stdout.readline()):
            check(line != "", "MONITOR ended")
        check(" lua] " in line, line)
        monitor.kill()


def test_copies():
    """redis-cli --rdb and --replica say that a proxy is no master"""
    for option in ["--rdb", "/nowhere/dump.rdb"], ["--replica"]:
        output, status = cli(*option)
        check(status != 0 and "replication is not possible through a proxy" in output, output)


def test_stat():
    """redis-cli --stat prints figures"""
    line = re.compile(r"^\d+\s+\S+\s+\d+\s+\d+\s+\d+ \(\+\d+\)", re.MULTILINE)
    with Terminal("redis-cli", "-p", str(PORT), "--stat", "-i", "0.5") as terminal:
        output = terminal.read_until(lambda output: len(line.findall(output)) >= 2, 10)
        check(len(line.findall(output)) >= 2, output)


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


def test_all_of_the_benchmark():
    """redis-benchmark runs all its tests without an error, and says why there is no cluster"""
    output, status = tool("redis-benchmark", "-p", str(PORT), "-n", "2000", "-P", "16", "-q", seconds=120)
    check(status == 0 and output.count("requests per second") == 20 and "rror" not in output, output)
    output, status = tool("redis-benchmark", "-p", str(PORT), "-n", "100", "--cluster", "-q")
    check(status != 0 and "cluster support disabled" in output, output)


def test_resp3():
    """redis-cli -3 speaks RESP3, and HELLO names the server redis"""
    output, status = cli("-3", "hello", "3")
    check(status == 0 and "redis" in output and "proto" in output, output)


with appliance:
    tap.run([test_cli, test_scan, test_looking_at_keys, test_monitor, test_copies, test_stat, test_latency,
             test_benchmark, test_all_of_the_benchmark, test_resp3])
