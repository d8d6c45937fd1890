#!/usr/bin/python3
"""Limits of rates and locks: our commands, and beside them the scripts of docs/PRIMITIVES.md in redis-server 7.0."""
import os
import random
import re
import time

import tap
from appliance import Client, build_directory, server
from tap import check, say

REFERENCE, OURS = 22854, 22855
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/PRIMITIVES.md")
SECOND_MS = 1000
LATE_MS = 300  # between the two answers
COMMANDS = 3000


def scripts():
    """The Lua of the page, in order."""
    with open(PAGE, encoding="ascii") as page:
        return re.findall(r"```lua\n(.*?)```", page.read(), re.S)


def both(ours, theirs, command, script, key, *arguments):
    return ours.call(*command), theirs.call("EVAL", script, 1, key, *arguments)


def are_the_same(ours, theirs, unit_ms):
    """Whether two replies of a limiter are the same, but that time went on between them."""
    apart = -(-LATE_MS // unit_ms)
    return ours[:3] == theirs[:3] and all((our < 0) == (their < 0) and abs(our - their) <= apart
                                          for our, their in zip(ours[3:], theirs[3:]))


def compare_limiters(name, script, unit_ms, draw_arguments):
    """A moment between the answers may let one in and keep the other out; then both begin anew."""
    ours, theirs, different, limited = Client(OURS), Client(REFERENCE), 0, 0
    for number in range(COMMANDS):
        key, arguments = f"{name}{number % 7}", draw_arguments(number % 7)
        first, second = both(ours, theirs, (name, key, *arguments), script, key, *arguments)
        limited += first[0]
        if not are_the_same(first, second, unit_ms):
            different += 1
            ours.call("DEL", key), theirs.call("DEL", key)
        if number % 50 == 0:
            time.sleep(0.01)
    say(f"{limited} of {COMMANDS} limited, {different} not answered alike")
    check(different < COMMANDS / 20, f"{different} of {COMMANDS} answers differ")
    check(COMMANDS / 10 < limited < COMMANDS * 9 / 10, f"{limited} of {COMMANDS} limited shows little")


def test_throttle():
    """CL.THROTTLE says what the script says"""
    draw = random.Random(1)
    compare_limiters("CL.THROTTLE", scripts()[0], SECOND_MS,
                     lambda number: (number, draw.choice((70, 300, 1000)), 1 + number % 3, draw.choice((0, 1, 1, 2, 5))))


def test_window():
    """RATELIMIT.WINDOW says what the script says"""
    draw = random.Random(2)
    compare_limiters("RATELIMIT.WINDOW", scripts()[1], 1,
                     lambda number: (10 + number, 50 + 10 * number, draw.choice((0, 1, 1, 2, 12))))


def test_window_holds():
    """no window of that length lets through more than twice what is asked for, and a patient client gets its share"""
    client, came, end = Client(OURS), [], time.monotonic() + 3
    while time.monotonic() < end:
        reply = client.call("RATELIMIT.WINDOW", "patient", 10, 500)
        if reply[0] == 0:
            came.append(time.monotonic())
        else:
            check(reply[3] > 0, f"{reply}")
            time.sleep(reply[3] / 1000)
    check(40 <= len(came) <= 70, f"{len(came)} came in 3 s")


def test_locks():
    """locks are taken, kept and given back as by the scripts"""
    ours, theirs, draw = Client(OURS), Client(REFERENCE), random.Random(3)
    release, prolong, compare_and_set = scripts()[2:]
    for _ in range(COMMANDS):
        key, token, other = draw.choice("ab"), draw.choice("xyz"), draw.choice("xyz")
        kind = draw.randrange(5)
        if kind == 0:
            words = ("SET", key, token, "NX", "PX", 100000)
            first, second = ours.call(*words), theirs.call(*words)
        elif kind == 1:
            first, second = both(ours, theirs, ("DELEX", key, "IFEQ", token), release, key, token)
        elif kind == 2:
            first, second = both(ours, theirs, ("DELIFEQ", key, token), release, key, token)
        elif kind == 3:
            first, second = both(ours, theirs, ("SET", key, token, "IFEQ", token, "PX", 50000), prolong, key, token, 50000)
        else:
            first, second = both(ours, theirs, ("SET", key, token, "IFEQ", other), compare_and_set, key, token, other)
        check(first == second, f"{kind} {key} {token} {other}: {first} {second}")
        check(ours.call("GET", key) == theirs.call("GET", key), "the values differ")
        check((ours.call("PTTL", key) > 0) == (theirs.call("PTTL", key) > 0), "the expiries differ")


BINARY = os.path.join(build_directory(), "respite-cacheworker")
with server(REFERENCE, "redis-server", "--port", str(REFERENCE), "--bind", "127.0.0.1", "--save", ""), \
        server(OURS, BINARY, "--standalone", "--port", str(OURS)):
    tap.run([test_throttle, test_window, test_window_holds, test_locks])
