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
    wait_until(lambda: Client(PORT).call("PING") == "PONG", 5, "a place is free again")


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


def test_subscriber_survives():
    """a subscriber keeps its connection and its subscription over a failover"""
    subscriber, publisher = Client(PORT, timeout=30), Client(PORT, timeout=30)
    subscriber.send("SUBSCRIBE", "news")
    check(subscriber.read()[0] == b"subscribe", "SUBSCRIBE")
    appliance.wait_in_sync()
    master = appliance.master()
    appliance.kill(master, signal.SIGKILL)
    answer = publisher.call("SET", "after", "1")
    if str(answer).startswith("UNCERTAIN "):  # it was on its way when the master died
        answer = publisher.call("SET", "after", "1")
    check(answer == "OK", f"the write after the failover was answered {answer!r}")
    wait_until(lambda: publisher.call("PUBLISH", "news", "again") == 1, 10, "the subscription on the new master")
    check(subscriber.read() == [b"message", b"news", b"again"], "the subscriber heard nothing")


with appliance:
    tap.run([test_connections, test_idle, test_subscriber_survives])
