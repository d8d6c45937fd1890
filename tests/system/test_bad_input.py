#!/usr/bin/python3
"""Whatever arrives on whichever port: an error in the protocol's own form or a close, and the appliance goes on."""
import os
import random
import socket
import threading
import time

import tap
from appliance import Appliance, Client, info, wait_until
from tap import check, say

PORT = 22300
RANDOM = random.Random(2)
GROWTH_MAX = 48 << 20  # of a process's memory, when everything that was sent at it is over
LOG_LINES_MAX = 100    # of a process, for all of this
AT_ONCE_S = 5          # as a busy machine does it: a failover, and a link that is given up, take longer
SO_RCVBUFFORCE = 33    # Linux has it, this module not
STRANGER = "ab" * 16   # the identity of nobody

DATA_PORTS = {"proxy-1": PORT, "worker-1": PORT + 11}
SENTINEL_PORTS = {"sentinel-1": PORT + 1}
CONTROL_PORTS = {"worker-1": PORT + 21, "worker-2": PORT + 22}
COUNTED = (DATA_PORTS["worker-1"], PORT + 12, SENTINEL_PORTS["sentinel-1"])  # where INFO counts what was refused
PORTS = sorted({*DATA_PORTS.values(), *SENTINEL_PORTS.values(), *CONTROL_PORTS.values(), PORT + 12})

appliance = Appliance(PORT)
before = {}


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM:"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def log_lines(name):
    with open(os.path.join(appliance.directory, name, "log"), "rb") as file:
        return sum(1 for _ in file)


def remember():
    """What the processes are like before anything bad arrives."""
    status = appliance.wait_in_sync()
    status = appliance.status()
    before["epoch"], before["master"] = status["epoch"], status["master"]
    for process in status["processes"]:
        name, pid = process["name"], process["pid"]
        before[name] = {"pid": pid, "resident": resident(pid), "descriptors": descriptors(pid),
                        "lines": log_lines(name)}


def names():
    return [name for name in before if name not in ("epoch", "master")]


def answers(port):
    """Seconds until this port answers a PING."""
    begin = time.monotonic()
    client = Client(port, timeout=30)
    client.call("PING")
    client.close()
    return time.monotonic() - begin


def check_unharmed():
    """The same processes, that answer at once; no failover; memory and descriptors given back; quiet logs."""
    slowest = max(answers(port) for port in PORTS)
    check(slowest < AT_ONCE_S, f"a PING took {slowest:.2f} s")
    client = Client(PORT)
    check(client.call("SET", "unharmed", "1") == "OK" and client.call("GET", "unharmed") == b"1", "SET and GET")
    client.close()
    status = appliance.status()
    check((status["epoch"], status["master"]) == (before["epoch"], before["master"]),
          f"there was a failover: epoch {status['epoch']}, master {status['master']}")
    for process in status["processes"]:
        name, pid, was = process["name"], process["pid"], before[process["name"]]
        check(pid == was["pid"], f"{name} was pid {was['pid']}, is {pid}")
        wait_until(lambda: descriptors(pid) <= was["descriptors"], 10,
                   f"{name} had {was['descriptors']} descriptors, and as few again (now {descriptors(pid)})")
        wait_until(lambda: resident(pid) - was["resident"] <= GROWTH_MAX, 10,
                   f"{name} grew by at most {GROWTH_MAX} bytes (now {resident(pid) - was['resident']})")
        lines = log_lines(name) - was["lines"]
        check(lines <= LOG_LINES_MAX, f"{name} logged {lines} lines")


def tell(port, data, silence=0.3, seconds=20):
    """Sends the bytes, reads until the end or until nothing comes for a while: (what came, whether it was closed)."""
    received, data = b"", memoryview(data)
    end = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        link.settimeout(5)
        try:
            while data:
                data = data[link.send(data[:1 << 16]):]
        except (ConnectionError, socket.timeout):
            pass  # it has heard enough
        link.settimeout(silence)
        while time.monotonic() < end:
            try:
                part = link.recv(1 << 16)
            except socket.timeout:
                return received, False
            except ConnectionError:
                return received, True
            if not part:
                return received, True
            received += part
    raise AssertionError(f"port {port} goes on for {seconds} s: {received[:100]!r}")


def check_refused(port, what, data, must_close=True):
    """An error or nothing, and then a close: never a reply that means success."""
    received, closed = tell(port, data)
    lines = received.split(b"\r\n")[:-1]
    check(all(line.startswith(b"-") for line in lines) and (not received or received.endswith(b"\r\n")),
          f"port {port}, {what}: {received[:200]!r}")
    check(closed or not must_close, f"port {port}, {what}: the connection stays open, after {received[:200]!r}")
    return received


def test_malformed_requests():
    """malformed and oversized requests get a protocol error and a close, on every port"""
    for port in PORTS:
        for what, data in (("a request of too many arguments", b"*1000000000\r\n"),
                           ("a request of a negative length", b"*-5\r\n*9999999999999999999999\r\n"),
                           ("a bulk that is too long", b"*2\r\n$3\r\nGET\r\n$999999999999\r\n"),
                           ("a bulk of a negative length", b"*2\r\n$3\r\nGET\r\n$-7\r\n"),
                           ("a bulk of no length", b"*1\r\n$\r\n\r\n"),
                           ("a length with letters", b"*1x\r\n$4\r\nPING\r\n"),
                           ("no bulk in a request", b"*1\r\n:5\r\n"),
                           ("a length line without an end", b"*" + b"1" * 100000),
                           ("nested arrays", b"*1\r\n" * 1000000),
                           ("a line of 1 MB", b"x" * (1 << 20)),
                           ("unbalanced quotes", b'set "a\r\n')):
            received = check_refused(port, what, data)
            if port in DATA_PORTS.values():
                check(received.startswith(b"-ERR Protocol error: "), f"port {port}, {what}: {received[:200]!r}")
    check_unharmed()


def test_noise():
    """random bytes, NULs and lines of nonsense do no harm"""
    alphabet = b"*$:+-_#,(!=%~>|\r\n\r\n0123456789 abcPINGSETHELLORESPITE\"'\\x\0\xff"
    for port in PORTS:
        for length in (1, 100, 10000, 1000000):
            tell(port, RANDOM.randbytes(length), 0.1)
        for _ in range(10):
            tell(port, bytes(RANDOM.choices(alphabet, k=2000)), 0.1)
        check_refused(port, "NULs", b"\0" * 100000, must_close=False)
        check_refused(port, "lines of NULs", b"\0\0\0\r\n" * 1000, must_close=False)
        check_refused(port, "a command of NULs", b"*1\r\n$4\r\n\0\0\0\0\r\n", must_close=False)
    check_unharmed()


def test_half_requests():
    """half a request and then a close, at every byte, leaves nothing behind"""
    request = b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$100\r\n" + b"v" * 99
    for port in PORTS:
        for length in range(1, len(request)):
            link = socket.create_connection(("127.0.0.1", port), 5)
            link.sendall(request[:length])
            link.close()
    check(Client(PORT).call("EXISTS", "half") == 0, "half a SET was executed")
    check_unharmed()


def test_long_argument_unfinished():
    """64 MB of an argument that never ends is given back when its client goes; links without a secret are cut early"""
    head, part = b"*3\r\n$3\r\nSET\r\n$4\r\nlong\r\n$500000000\r\n", b"v" * (1 << 20)
    for port in PORTS:
        link, sent = socket.create_connection(("127.0.0.1", port), 5), 0
        link.settimeout(5)
        try:
            link.sendall(head)
            for _ in range(64):
                link.sendall(part)
                sent += len(part)
        except ConnectionError:
            pass
        if port in CONTROL_PORTS.values():
            check(sent < 16 << 20, f"control port {port} took {sent} bytes of a stranger")
        link.close()
    check_unharmed()


def test_slow_drip():
    """300 connections that send a byte now and then get their replies, and disturb nobody"""
    request = b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n"
    for port in PORTS:
        links = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(300)]
        slowest = 0.0
        for position in range(len(request)):
            for link in links:
                try:
                    link.sendall(request[position:position + 1])
                except ConnectionError:
                    pass
            slowest = max(slowest, answers(port))
        check(slowest < AT_ONCE_S, f"port {port}: a PING took {slowest:.2f} s")
        replies = set()
        for link in links:
            link.settimeout(5)
            try:
                replies.add(link.recv(100))
            except ConnectionError:
                replies.add(b"")
            link.close()
        if port in DATA_PORTS.values():
            check(replies == {b"$2\r\nhi\r\n"}, f"port {port}: {replies}")
        else:
            check(all(reply == b"" or reply[:1] in b"-$" for reply in replies), f"port {port}: {replies}")
    check_unharmed()


def test_reader_that_does_not_read():
    """a client that asks for 400 MB and reads nothing is cut off at the proxy's bound; the others are served"""
    other = Client(PORT)
    check(other.call("SET", "big", b"v" * (1 << 20)) == "OK", "SET of 1 MB")
    greedy = socket.create_connection(("127.0.0.1", PORT), 5)
    greedy.sendall(b"GET big\r\n" * 400)

    def is_cut_off():
        begin = time.monotonic()
        check(other.call("PING") == "PONG" and time.monotonic() - begin < AT_ONCE_S, "the others wait")
        try:
            greedy.sendall(b"PING\r\n")
        except ConnectionError:
            return True
        return False

    wait_until(is_cut_off, 30, "it is cut off")
    peak = peak_resident(before["proxy-1"]["pid"]) - before["proxy-1"]["resident"]
    check(32 << 20 < peak < 160 << 20, f"the proxy grew by {peak >> 20} MB for it")
    say(f"the proxy grew by up to {peak >> 20} MB for a client that does not read")
    greedy.close()
    direct = socket.create_connection(("127.0.0.1", DATA_PORTS["worker-1"]), 5)
    direct.sendall(b"INFO everything\r\n" * 50000)
    time.sleep(0.5)
    direct.close()
    check(other.call("DEL", "big") == 1, "DEL")
    other.close()
    check_unharmed()


def secret():
    with open(os.path.join(appliance.directory, "secret"), encoding="ascii") as file:
        return file.read().strip()


def said(port, *requests):
    """Everything that comes for these requests on one connection, until it is closed or silent."""
    data = b""
    for request in requests:
        data += b"*%d\r\n" % len(request)
        for word in request:
            word = word if isinstance(word, bytes) else str(word).encode()
            data += b"$%d\r\n%s\r\n" % (len(word), word)
    return tell(port, data)


def topology():
    """The register as a subscriber gets it: (ballot, text)."""
    client = Client(SENTINEL_PORTS["sentinel-1"])
    client.send("RESPITE", "HELLO", "tool", STRANGER, secret())
    client.send("RESPITE", "SUBSCRIBE", "main", 0)
    reply = client.read()
    while not (isinstance(reply, list) and reply[1] == b"TOPOLOGY"):
        reply = client.read()
    client.close()
    return reply[3].decode(), reply[4].decode()


def state_files():
    """What must be durable, of every node and sentinel, byte for byte."""
    found = {}
    for name in names():
        for file in ("node.state", "sentinel.state"):
            path = os.path.join(appliance.directory, name, file)
            if os.path.exists(path):
                with open(path, "rb") as state:
                    found[path] = state.read()
    check(len(found) == 6, f"{sorted(found)}")
    return found


def refused(port):
    """How often something was refused, by reason."""
    client = Client(port)
    counts = info(client, "respite")["respite_refused"]
    client.close()
    return {name: int(count) for name, count in (field.split("=") for field in counts.split(","))}


def test_other_protocols():
    """a HELLO of a protocol that is not ours is refused in words that say so, and counted"""
    for port, counted in ((CONTROL_PORTS["worker-1"], DATA_PORTS["worker-1"]),
                          (SENTINEL_PORTS["sentinel-1"], SENTINEL_PORTS["sentinel-1"])):
        count = refused(counted)["protocol"]
        for protocol in (2, 4000000000):
            received, closed = said(port, ("RESPITE", "HELLO", "sentinel", STRANGER, secret(), protocol),
                                    ("RESPITE", "POLL", "main", 1, 0))
            check(received == b"-ERR control protocol %d is not spoken here, 1 is\r\n" % protocol and closed,
                  f"port {port}: {received!r}")
        for protocol in ("0", "-1", "x", "99999999999999999999"):
            received, closed = said(port, ("RESPITE", "HELLO", "sentinel", STRANGER, secret(), protocol))
            check(received == b"-ERR malformed message\r\n" and closed, f"port {port}: {received!r}")
        wait_until(lambda: refused(counted)["protocol"] == count + 2, 30, f"they are counted: {refused(counted)}")
    check_unharmed()


def test_strangers_on_control_links():
    """without the secret nothing is taken on a control link, and the link is closed"""
    ballot, text = topology()
    states, counts = state_files(), {port: refused(port) for port in COUNTED}
    for port in CONTROL_PORTS.values():
        for request in (("RESPITE", "POLL", "main", 1, 1), ("RESPITE", "LEARN", "main", ballot, text),
                        ("RESPITE", "FENCE", "main", 99, ballot)):
            received, closed = said(port, request)
            check(received.startswith(b"-NOAUTH") and closed, f"{request[1]} without HELLO: {received!r}")
        for word in ("wrong", "", secret()[:-1], secret() + "0"):
            received, closed = said(port, ("RESPITE", "HELLO", "sentinel", STRANGER, word),
                                    ("RESPITE", "FENCE", "main", 99, ballot))
            check(received == b"-WRONGPASS wrong secret\r\n" and closed, f"a wrong secret: {received!r}")
        received, closed = said(port, ("RESPITE", "HELLO", "tool", STRANGER, secret()),
                                ("RESPITE", "FENCE", "main", 99, ballot))
        check(received.startswith(b"-NOPERM") and closed, f"a FENCE of a tool: {received!r}")
    port = SENTINEL_PORTS["sentinel-1"]
    for request in (("RESPITE", "PREPARE", "main", ballot), ("RESPITE", "ACCEPT", "main", ballot, text),
                    ("RESPITE", "SUBSCRIBE", "main", 0)):
        received, closed = said(port, request)
        check(received.startswith(b"-NOAUTH") and closed, f"{request[1]} without HELLO: {received!r}")
    received, closed = said(port, ("RESPITE", "HELLO", "sentinel", STRANGER, "wrong"),
                            ("RESPITE", "PREPARE", "main", ballot))
    check(received.startswith(b"-WRONGPASS") and closed, f"a wrong secret: {received!r}")
    for _ in range(300):  # somebody tries all day
        link = Client(port)
        link.send("RESPITE", "HELLO", "sentinel", STRANGER, "wrong")
        check(str(link.read()).startswith("WRONGPASS"), "a wrong secret")
        link.close()
    check(state_files() == states, "something was written for a stranger")
    time.sleep(0.3)
    for port, earlier in counts.items():
        grown = {name: count - earlier[name] for name, count in refused(port).items()}
        check(grown["secret"] >= 1 and grown["no_hello"] >= 3, f"port {port}: {grown}")
    check_unharmed()


def test_messages_of_another_group():
    """messages of another group, damaged ones, and votes of a sentinel that nobody lists, change nothing"""
    ballot, text = topology()
    states, counts = state_files(), {port: refused(port) for port in COUNTED}
    other = text.replace("group main", "group other")
    high = ballot.replace(ballot.split(":")[0], "1000000", 1)
    newer = other.replace("version ", "version 9").replace("epoch ", "epoch 9", 1)
    hello = ("RESPITE", "HELLO", "sentinel", STRANGER, secret())
    for port in CONTROL_PORTS.values():
        received, _ = said(port, hello, ("RESPITE", "FENCE", "other", 99, high),
                           ("RESPITE", "LEARN", "other", high, other), ("RESPITE", "LEARN", "other", high, newer),
                           ("RESPITE", "GRANT", "other", 1, text.split("master ")[1].split("\n")[0], 99),
                           ("RESPITE", "POLL", "other", 7, 0))
        check(b"FENCED" not in received, f"it was fenced for another group: {received!r}")
        check(received.count(b"STATUS") == 1 and b"$4\r\nmain\r\n" in received, f"its group is main: {received!r}")
        for damaged in (text[:-10], text.replace("epoch", "epoche"), text + text, "\0" * 100, "x" * 100000,
                        text.replace("version ", "version -")):
            received, closed = said(port, hello, ("RESPITE", "LEARN", "main", high, damaged))
            check(received.startswith(b"-ERR malformed") and closed, f"a damaged topology: {received!r}")
    port, master = SENTINEL_PORTS["sentinel-1"], text.split("master ")[1].split("\n")[0]
    for request in (("PREPARE", "other", high), ("ACCEPT", "other", high, other), ("LEARN", "other", high, other)):
        said(port, hello, ("RESPITE", *request))
    for request in (("ACCEPT", "main", high, other), ("LEARN", "main", high, other)):
        received, closed = said(port, hello, ("RESPITE", *request))
        check(received.endswith(b"-ERR the topology is of another group\r\n") and closed, f"{request[0]}: {received!r}")
    for number in range(10):  # as many votes as anybody could need, of sentinels that nobody lists
        said(port, ("RESPITE", "HELLO", "sentinel", f"{number:032x}"[::-1], secret()),
             ("RESPITE", "DOWN", "main", before["epoch"], master))
    time.sleep(1.5)  # polls and leases have gone round
    after = topology()[1]
    check(after == text, f"the topology changed: {after}")
    now = state_files()
    for path, state in states.items():
        if path.endswith("node.state"):
            check(now[path] == state, f"{path} changed")
    for port, earlier in counts.items():
        grown = {name: count - earlier[name] for name, count in refused(port).items()}
        check(grown["group"] >= 2 and grown["malformed"] >= (6 if port in DATA_PORTS.values() else 0),
              f"port {port}: {grown}")
    check_unharmed()


class Eavesdropper:
    """Takes down what is sent to these ports on loopback, by connection: raw sockets, so it wants root."""

    def __init__(self, ports):
        self.ports = set(ports)
        self.heard = {}  # (source port, port): [bytes]
        self.stop = threading.Event()
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        except PermissionError:
            raise tap.Skip("no raw sockets") from None
        # A machine that is busy lets us read late, and what does not fit is lost; without FORCE the bound is 208 KB.
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        self.socket.bind(("lo", 0))
        self.socket.settimeout(0.1)
        self.thread = threading.Thread(target=self.listen)

    def listen(self):
        while not self.stop.is_set():
            try:
                packet, origin = self.socket.recvfrom(1 << 17)
            except socket.timeout:
                continue
            if origin[2] == socket.PACKET_OUTGOING or packet[9] != socket.IPPROTO_TCP:
                continue
            segment = packet[(packet[0] & 15) * 4:int.from_bytes(packet[2:4], "big")]
            source, port = int.from_bytes(segment[:2], "big"), int.from_bytes(segment[2:4], "big")
            payload = segment[(segment[12] >> 4) * 4:]
            if port in self.ports and payload:
                self.heard.setdefault((source, port), []).append(payload)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop.set()
        self.thread.join()
        self.socket.close()


def test_replays():
    """everything that sentinels said on control links during a failover, said again later, changes nothing"""
    ports = [*CONTROL_PORTS.values(), *(PORT + number for number in (1, 2, 3))]
    with Eavesdropper(ports) as eavesdropper:
        for number in (1, 2, 3):  # links begin with a HELLO, which must be on the record
            appliance.restart(f"sentinel-{number}")
            wait_until(lambda: appliance.status()["master"] is not None, 30, "a master")
        appliance.wait_in_sync()
        epoch, master = appliance.status()["epoch"], appliance.master()
        appliance.kill(master)
        wait_until(lambda: appliance.status()["epoch"] > epoch, 20, "another master")
        appliance.restart(master)
        wait_until(lambda: appliance.process(master)["role"] in ("replica", "spare"), 20, f"{master} is back")
        appliance.wait_in_sync()
    said_once = [(port, b"".join(parts)) for (_, port), parts in sorted(eavesdropper.heard.items())]
    said_once = [(port, data) for port, data in said_once if b"\r\nHELLO\r\n$8\r\nsentinel\r\n" in data]
    everything = b"".join(data for _, data in said_once)
    for kind in ("HELLO", "POLL", "GRANT", "FENCE", "LEARN", "PREPARE", "ACCEPT", "DOWN"):
        check(b"\r\n%s\r\n" % kind.encode() in everything, f"no {kind} on the record")
    time.sleep(4)  # the in-sync set is complete
    remember()
    text, states, counts = topology()[1], state_files(), {port: refused(port) for port in COUNTED}
    master_port = next(process["port"] for process in appliance.status()["processes"] if process["role"] == "master")
    stop, slow = threading.Event(), []

    def work():
        client = Client(PORT, timeout=5)
        while not stop.is_set():
            begin = time.monotonic()
            check(client.call("SET", "work", "1") == "OK", "SET")
            slow.append(time.monotonic() - begin)
            time.sleep(0.005)
        client.close()

    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(2):
        for port, data in said_once:
            tell(port, data, 0.1, 5)
    time.sleep(1)
    stop.set()
    worker.join()
    check(len(slow) > 50 and max(slow) < AT_ONCE_S, f"{len(slow)} commands, the slowest took {max(slow, default=0):.2f} s")
    check(topology()[1] == text, f"the topology changed: {topology()[1]}")
    now = state_files()
    check(now == states, f"these changed: {[path for path in states if now[path] != states[path]]}")
    grown = {port: sum(refused(port).values()) - sum(earlier.values()) for port, earlier in counts.items()}
    check(grown[master_port] > 0, f"nothing was refused by the master: {grown}")
    say(f"{len(everything)} bytes on {len(said_once)} links, said twice; refused: {grown}; "
        f"the slowest write meanwhile took {max(slow) * 1000:.0f} ms")
    check_unharmed()


def test_all_at_once():
    """all of it at once, while a client works"""
    stop, slow = threading.Event(), []

    def work():
        client = Client(PORT, timeout=5)
        while not stop.is_set():
            begin = time.monotonic()
            check(client.call("SET", "work", "1") == "OK", "SET")
            slow.append(time.monotonic() - begin)
            time.sleep(0.005)
        client.close()

    def annoy(port, seed):
        rng = random.Random(seed)
        while not stop.is_set():
            try:
                link = socket.create_connection(("127.0.0.1", port), 5)
                link.sendall(rng.choice([b"*1000000000\r\n", b"*1\r\n" * 10000, rng.randbytes(20000), b"x" * 200000,
                                         b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$90000\r\n" + b"v" * 50000, b"\0" * 1000]))
                link.close()
            except OSError:
                pass

    threads = [threading.Thread(target=work)]
    threads += [threading.Thread(target=annoy, args=(port, port)) for port in PORTS]
    for thread in threads:
        thread.start()
    time.sleep(5)
    end = time.monotonic() + 30
    while len(slow) <= 100 and threads[0].is_alive() and time.monotonic() < end:  # the machine may be busy
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    check(len(slow) > 100 and max(slow) < AT_ONCE_S, f"{len(slow)} commands, the slowest took {max(slow, default=0):.2f} s")
    check_unharmed()


with appliance:
    remember()
    tap.run([test_malformed_requests, test_noise, test_half_requests, test_long_argument_unfinished, test_slow_drip,
             test_reader_that_does_not_read, test_other_protocols, test_strangers_on_control_links,
             test_messages_of_another_group, test_all_at_once, test_replays])
