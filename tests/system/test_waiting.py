#!/usr/bin/python3
"""Transactions and commands that wait, through a proxy and over the death of the master."""
import re
import socket
import time

import tap
from appliance import Appliance, Client, info, wait_until
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
    check(time.monotonic() - began > 0.45, f"after {time.monotonic() - began} s")
    client.send("BLPOP", "list", "0")
    other.call("RPUSH", "list", "element")
    check(client.read() == [b"list", b"element"], "BLPOP is served")
    client.send("XREAD", "BLOCK", "0", "STREAMS", "stream", "$")
    time.sleep(0.3)
    entry = other.call("XADD", "stream", "*", "field", "value")
    check(client.read() == [[b"stream", [[entry, [b"field", b"value"]]]]], "XREAD is served")


def say_all(text):
    """What a client hears that says this and no more, as in `printf ... | nc -N`."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=40) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


def unblocking(client, other):
    for reason, answer in (("TIMEOUT", "None"), ("ERROR", "UNBLOCKED client unblocked via CLIENT UNBLOCK")):
        number = client.call("CLIENT", "ID")
        client.send("BLPOP", "nothing", "0")
        wait_until(lambda: other.call("CLIENT", "UNBLOCK", number, reason) == 1, 30, "it waits, and is unblocked")
        heard = client.read()
        check(str(heard) == answer, f"{reason}: {heard}")
    check(other.call("CLIENT", "UNBLOCK", number) == 0, "who does not wait is not unblocked")
    check(other.call("CLIENT", "PAUSE", "600000", "WRITE") == "OK", "PAUSE")
    client.send("SET", "paused", "value")
    time.sleep(0.1)
    check(other.call("CLIENT", "UNPAUSE") == "OK" and client.read() == "OK", "UNPAUSE, though a write is held back")


def saying_no_more(other):
    many = say_all(b"INCR many\r\n" * 3000 + b"MULTI\r\nINCR many\r\nEXEC\r\nPING")
    expected = b"".join(b":%d\r\n" % (number + 1) for number in range(3000)) + b"+OK\r\n+QUEUED\r\n*1\r\n:3001\r\n"
    check(many == expected, f"all is answered: {len(many)} bytes, {many[-60:]}")
    check(say_all(b"BLPOP nobody 0\r\n") == b"", "who says no more does not wait")
    check(other.call("RPUSH", "nobody", "element") == 1 and other.call("LLEN", "nobody") == 1, "so it takes nothing")
    check(say_all(b"BLPOP nobody 0\r\n") == b"*2\r\n$6\r\nnobody\r\n$7\r\nelement\r\n", "unless it is there")


WAITERS = 20


def begin_to_wait():
    """Clients that wait by every sort of command, and the list, set or stream that each waits for; all are parked."""
    waiters = [(Client(PORT, timeout=60), f"queue:{number}") for number in range(WAITERS)]
    for client, name in waiters:
        client.send("BLPOP", name, "0")
    others = {"BRPOPLPUSH": ["moved:from", "moved:to", "0"], "BZPOPMIN": ["scores", "600"],
              "XREADGROUP": ["GROUP", "group", "consumer", "BLOCK", "0", "STREAMS", "grouped", ">"],
              "XREAD": ["BLOCK", "600000", "STREAMS", "entries", "$"]}
    clients = {command: Client(PORT, timeout=60) for command in others}
    for command, arguments in others.items():
        clients[command].send(command, *arguments)
    probe = Client(PORT, timeout=40)
    wait_until(lambda: int(info(probe, "clients")["blocked_clients"]) == WAITERS + len(others), 30, "all wait")
    return waiters, clients


def repeated(client):
    """How many commands the proxy took back from a lost link, to send them again."""
    return int(re.search(r"repeated:(\d+)", client.call("RESPITE", "PROXY").decode()).group(1))


def serve(other, waiters, clients):
    """Each gets what is pushed after the failover, and nobody an error."""
    for number, (client, name) in enumerate(waiters):
        check(other.call("RPUSH", name, f"element {number}") == 1, f"RPUSH {name}")
    for number, (client, name) in enumerate(waiters):
        answer = client.read()
        check(answer == [name.encode(), f"element {number}".encode()], f"waiter {number} was answered {answer}")
    other.call("RPUSH", "moved:from", "moved"), other.call("ZADD", "scores", "1", "member")
    entries = [other.call("XADD", stream, "*", "field", "value") for stream in ("grouped", "entries")]
    expected = {"BRPOPLPUSH": b"moved", "BZPOPMIN": [b"scores", b"member", b"1"],
                "XREADGROUP": [[b"grouped", [[entries[0], [b"field", b"value"]]]]],
                "XREAD": [[b"entries", [[entries[1], [b"field", b"value"]]]]]}
    answers = {command: client.read() for command, client in clients.items()}
    check(answers == expected, f"{answers}")
    lengths = [other.call("LLEN", name) for _, name in waiters]
    check(lengths == [0] * WAITERS, f"nothing is left: {lengths}")
    for client, _ in waiters:
        check(client.call("PING") == "PONG", "the connection lives on")


def test_through_a_proxy():
    """transactions, watched keys, BLPOP and XREAD BLOCK through a proxy; the master dies, and who waits does not hear"""
    with Appliance(PORT) as appliance:
        client, other = Client(PORT, timeout=40), Client(PORT, timeout=40)
        transactions(client, other)
        waiting(client, other)
        saying_no_more(other)
        unblocking(client, other)
        other.call("XGROUP", "CREATE", "grouped", "group", "$", "MKSTREAM"), other.call("XADD", "entries", "*", "a", "b")
        appliance.wait_in_sync()
        appliance.check_agreed()

        client.call("MULTI"), client.call("INCR", "counter")
        waiters, clients = begin_to_wait()
        master = appliance.master()
        appliance.kill(master)
        wait_until(lambda: repeated(other) > WAITERS, 30, "the proxy has lost its links")
        answer = client.call("EXEC")
        check(isinstance(answer, Exception) and str(answer).startswith("EXECABORT "), f"EXEC was answered {answer}")
        serve(other, waiters, clients)
        check(client.call("GET", "counter") == b"3", "nothing of the transaction was executed")
        transactions_left = client.call("MULTI"), client.call("INCR", "counter"), client.call("EXEC")
        check(transactions_left == ("OK", "QUEUED", [4]), f"{transactions_left}")
        appliance.restart(master)
        wait_until(lambda: appliance.process(master)["role"] in ("replica", "spare"), 30, f"{master} is back")
        appliance.wait_in_sync()
        appliance.check_agreed()


tap.run([test_through_a_proxy])
