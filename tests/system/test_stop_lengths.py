#!/usr/bin/python3
"""The master's process is stopped for lengths around its lease: at no moment do two nodes acknowledge.

Each lane is an appliance of its own, and takes the next length when it is whole again. One loop of each lane writes
straight to both workers of the pair and sees the answers of both, so that their order is known."""
import os
import queue
import select
import signal
import threading
import time

import tap
from appliance import Appliance, Client, build_directory
from tap import check, say

PORT = 22500
LANES = 6
PORTS_OF_A_LANE = 30
LENGTHS_MS = range(3500, 6001, 100)
UNDER_WAY_MAX = 16
KEPT_MS = 3800   # the last answer before a stop is at most 1 s old, and 5 s of silence are death
ENDED_MS = 5700  # by then an epoch has ended, whoever is chosen for the next
BUILD = build_directory()
starting = threading.Lock()  # every start looks whether there is something to build


class Writer:
    """Writes to one worker all the time, through new connections where one ends; notes when it was told OK."""

    def __init__(self, port):
        self.port = port
        self.client = None
        self.under_way = 0
        self.number = 0
        self.acknowledged = []  # times
        self.refused = 0

    def socket(self):
        if self.client is None:
            self.client = Client(self.port, timeout=5)
            self.client.socket.setblocking(False)
            self.under_way, self.rest = 0, b""  # of the connection
        return self.client.socket

    def write(self):
        while self.under_way < UNDER_WAY_MAX:  # a stopped process finds them in its socket when it goes on
            self.number += 1
            self.client.socket.send(b"SET w:%d:%d %d\r\n" % (self.port, self.number, self.number))
            self.under_way += 1

    def read(self, now):
        try:
            data = self.client.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.client.close()
            self.client = None
            return
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        self.under_way -= len(lines)
        good = lines.count(b"+OK")
        self.refused += len(lines) - good
        self.acknowledged.extend([now] * good)


def write_until(writers, end, at, action):
    """Lets all writers write until `end`; calls `action` once at the time `at`, and returns when that was."""
    acted = None
    while (now := time.monotonic()) < end:
        if acted is None and now >= at:
            acted = now
            action()
        sockets = [writer.socket() for writer in writers]
        for writer in writers:
            try:
                writer.write()
            except (BlockingIOError, ConnectionError):
                pass
        ready = select.select(sockets, [], [], 0.005)[0]
        now = time.monotonic()
        for writer, one in zip(writers, sockets):  # the old master's first: both of one round count as its before
            if one in ready:
                writer.read(now)
        time.sleep(0.002)
    return acted


def one_stop(appliance, length_ms):
    """Stops the master for so long under load; returns what is to be told."""
    roles = appliance.workers()
    old, new = roles["master"], roles["replica"]
    processes = {process["name"]: process for process in appliance.status()["processes"]}
    pid = processes[old]["pid"]
    epoch = appliance.status()["epoch"]
    writers = [Writer(processes[old]["port"]), Writer(processes[new]["port"])]
    started = time.monotonic()
    stopped = write_until(writers, started + 0.6, started + 0.5, lambda: os.kill(pid, signal.SIGSTOP))
    try:
        continued = write_until(writers, stopped + length_ms / 1000 + 4, stopped + length_ms / 1000,
                                lambda: os.kill(pid, signal.SIGCONT))
    finally:
        os.kill(pid, signal.SIGCONT)
    before, after = writers[0].acknowledged, writers[1].acknowledged
    check(before and before[0] < stopped, "the master acknowledged nothing before it was stopped")
    late = [moment for moment in before if after and moment > after[0]]
    check(not late, f"stopped for {length_ms} ms: {old} acknowledged {len(late)} writes after {new} had begun to, "
                    f"the last {round((late[-1] - after[0]) * 1000) if late else 0} ms later")
    appliance.wait_in_sync(30)
    appliance.check_agreed()
    epochs = appliance.status()["epoch"] - epoch
    check(length_ms > KEPT_MS or (epochs == 0 and not after), f"{length_ms} ms of silence cost the master its role")
    check(length_ms < ENDED_MS or epochs > 0, f"{length_ms} ms of silence, and the epoch goes on")
    gap_ms = round((after[0] - before[-1]) * 1000) if after else None
    resumed_ms = round((before[-1] - continued) * 1000) if before[-1] > continued else None
    return (f"{length_ms} ms: {epochs} new epochs; {old} acknowledged {len(before)}, "
            + (f"{new} from {gap_ms} ms after its last" if after else f"and went on for {resumed_ms} ms")
            + f"; {writers[0].refused} refused")


def lane(number, lengths, told, failed):
    try:
        appliance = Appliance(PORT + PORTS_OF_A_LANE * number)
        with starting:
            appliance.__enter__()
        try:
            while True:
                appliance.wait_in_sync()
                told.append(one_stop(appliance, lengths.get_nowait()))
        except queue.Empty:
            appliance.__exit__(None, None, None)
        except BaseException as error:
            appliance.__exit__(type(error), error, None)
            raise
    except Exception as error:  # of a thread: the test asks for it
        failed.append(f"lane {number}: {error}")


def test_stop_lengths():
    """stops of 3.5 to 6 s in steps of 0.1 s: never two that acknowledge, and all is well again"""
    lengths = queue.SimpleQueue()
    for length_ms in sorted(LENGTHS_MS, reverse=True):
        lengths.put(length_ms)
    told, failed = [], []
    lanes = [threading.Thread(target=lane, args=(number, lengths, told, failed)) for number in range(LANES)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    for line in sorted(told):
        say(line)
    check(not failed, "; ".join(failed))
    check(len(told) == len(LENGTHS_MS), f"{len(told)} of {len(LENGTHS_MS)} lengths were tried")


tap.run([test_stop_lengths])
