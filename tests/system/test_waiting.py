#!/usr/bin/python3
"""Transactions and commands that wait, through a proxy and over the death of the master."""
import time

import tap
from appliance import Appliance, Client, wait_until
from tap import check

PORT = 24500


def transactions(client, other):
    check(client.call("MULTI") == "OK", "MULTI")
    check(client.call("INCR", "counter") == "QUEUED" and client.call("INCR", "counter") == "QUEUED", "queued")
    check(client.call("EXEC") == [1, 2], "EXEC")
    check(client.call("WATCH", "counter") == "OK", "WATCH")
    check(other.call("INCR", "counter") == 3, "INCR by another")
    client.call("MULTI"), client.call("SET", "counter", "lost")
    check(client.call("EXEC") is None, "a transaction whose key was changed is not executed")
    check(client.call("GET", "counter") == b"3", "and changes nothing")


def waiting(client, other):
    began = time.monotonic()
    check(client.call("BLPOP", "list", "0.5") is None, "BLPOP ends by its timeout")
    check(0.45 < time.monotonic() - began < 2, f"after {time.monotonic() - began} s")
    client.send("BLPOP", "list", "0")
    other.call("RPUSH", "list", "element")
    check(client.read() == [b"list", b"element"], "BLPOP is served")
    client.send("XREAD", "BLOCK", "0", "STREAMS", "stream", "$")
    time.sleep(0.3)
    entry = other.call("XADD", "stream", "*", "field", "value")
    check(client.read() == [[b"stream", [[entry, [b"field", b"value"]]]]], "XREAD is served")


def test_through_a_proxy():
    """transactions, watched keys, BLPOP and XREAD BLOCK through a proxy; replicas have the same; the master dies"""
    with Appliance(PORT) as appliance:
        client, other = Client(PORT, timeout=40), Client(PORT, timeout=40)
        transactions(client, other)
        waiting(client, other)
        appliance.wait_in_sync()
        appliance.check_agreed()

        client.call("MULTI"), client.call("INCR", "counter")
        waiter = Client(PORT, timeout=40)
        waiter.send("BLPOP", "list", "0")
        time.sleep(0.5)
        master = appliance.master()
        appliance.kill(master)
        # Nobody knows whether it had been served: its element may be gone. The connection stays, and waits anew.
        answer = waiter.read()
        check(isinstance(answer, Exception) and str(answer).startswith("UNCERTAIN "), f"BLPOP was answered {answer}")
        waiter.send("BLPOP", "list", "0")
        time.sleep(0.5)  # by now the proxy knows that the other connection was lost, too
        answer = client.call("EXEC")
        check(isinstance(answer, Exception) and str(answer).startswith("EXECABORT "), f"EXEC was answered {answer}")
        check(other.call("RPUSH", "list", "after") == 1, "RPUSH at the new master")
        check(waiter.read() == [b"list", b"after"], "BLPOP is served by the new master")
        check(client.call("GET", "counter") == b"3", "nothing of the transaction was executed")
        transactions_left = client.call("MULTI"), client.call("INCR", "counter"), client.call("EXEC")
        check(transactions_left == ("OK", "QUEUED", [4]), f"{transactions_left}")
        appliance.restart(master)
        wait_until(lambda: appliance.process(master)["role"] in ("replica", "spare"), 20, f"{master} is back")
        appliance.wait_in_sync()
        appliance.check_agreed()


tap.run([test_through_a_proxy])
