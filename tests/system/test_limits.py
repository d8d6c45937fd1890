#!/usr/bin/python3
"""2,000 connections, 150 s idle: the proxy's limits."""
import os
import resource
import signal
import socket
import time

import tap
from appliance import Appliance, Client, wait_until
from tap import check

PORT = 22120
appliance = Appliance(PORT)


def test_connections():
    """2,000 connections are served, the next one is told so and closed"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        raise tap.Skip(f"{hard} descriptors are too few")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    clients = [Client(PORT) for _ in range(2000)]
    for client in clients:
        client.send("PING")
    for client in clients:
        check(client.read() == "PONG", "one of the 2,000 was not served")
    refused = Client(PORT)
    check(str(refused.read()) == "ERR max number of clients reached", "the 2,001st was not told")
    try:
        refused.read()
        raise AssertionError("the 2,001st was not closed")
    except ConnectionError:
        pass
    check(clients[0].call("SET", "still", "1") == "OK", "the others were disturbed")
    for client in clients:
        client.close()
    wait_until(lambda: Client(PORT).call("PING") == "PONG", 30, "a place is free again")


def set_option(line):
    path = os.path.join(appliance.directory, "proxy-1", "proxy-1.conf")
    with open(path, "a", encoding="ascii") as file:
        file.write(line + "\n")


def test_idle():
    """an idle connection is closed after idle_timeout_ms; one that speaks, and a subscriber, are not"""
    set_option("idle_timeout_ms = 2000;")
    appliance.restart("proxy-1")
    idle, busy, subscriber = Client(PORT), Client(PORT), Client(PORT)
    check(idle.call("PING") == "PONG", "PING")
    subscriber.send("SUBSCRIBE", "news")
    check(subscriber.read()[0] == b"subscribe", "SUBSCRIBE")
    begin = time.monotonic()
    closed_after = None
    idle.socket.settimeout(0.2)
    while time.monotonic() - begin < 5:
        check(busy.call("PING") == "PONG", "the busy one was closed")
        try:
            if idle.socket.recv(1) == b"" and closed_after is None:
                closed_after = time.monotonic() - begin
        except (socket.timeout, ConnectionResetError):
            pass
        time.sleep(0.05)
    check(closed_after is not None and 1.9 <= closed_after <= 3.5, f"the idle one was closed after {closed_after} s")
    check(busy.call("PUBLISH", "news", "hello") == 1, "the subscriber is gone")
    check(subscriber.read() == [b"message", b"news", b"hello"], "the subscriber heard nothing")


def test_listeners_survive():
    """subscribers, also of shard channels, and a session that tracks keep what they asked for over a failover"""
    subscriber, sharded, tracker = (Client(PORT, timeout=30) for _ in range(3))
    publisher = Client(PORT, timeout=30)
    subscriber.send("SUBSCRIBE", "news")
    check(subscriber.read()[0] == b"subscribe", "SUBSCRIBE")
    sharded.send("SSUBSCRIBE", "news")
    check(sharded.read() == [b"ssubscribe", b"news", 1], "SSUBSCRIBE")
    check(publisher.call("SET", "before", "1") == "OK", "SET")
    tracker.call("HELLO", "3")
    check(tracker.call("CLIENT", "TRACKING", "ON") == "OK", "CLIENT TRACKING")
    check(tracker.call("GET", "before") == b"1", "GET")
    check(publisher.call("SET", "before", "2") == "OK", "SET")
    check(tracker.read() == [b"invalidate", [b"before"]], "the change was not told")
    check(tracker.call("GET", "before") == b"2", "GET")
    appliance.wait_in_sync()
    master = appliance.master()
    appliance.kill(master, signal.SIGKILL)
    check(tracker.read() == [b"invalidate", None], "the one who tracks was not told to forget everything")
    answer = publisher.call("SET", "after", "1")
    if str(answer).startswith("UNCERTAIN "):  # it was on its way when the master died
        answer = publisher.call("SET", "after", "1")
    check(answer == "OK", f"the write after the failover was answered {answer!r}")
    wait_until(lambda: publisher.call("PUBLISH", "news", "again") == 1, 30, "the subscription on the new master")
    check(subscriber.read() == [b"message", b"news", b"again"], "the subscriber heard nothing")
    wait_until(lambda: publisher.call("SPUBLISH", "news", "again") == 1, 30, "the shard channel on the new master")
    check(sharded.read() == [b"smessage", b"news", b"again"], "the subscriber of the shard channel heard nothing")
    check(tracker.call("GET", "after") == b"1", "GET")
    check(publisher.call("SET", "after", "2") == "OK", "SET")
    check(tracker.read() == [b"invalidate", [b"after"]], "the change on the new master was not told")


with appliance:
    tap.run([test_connections, test_listeners_survive, test_idle])  # the last one shortens idle_timeout_ms
