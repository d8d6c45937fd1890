#!/usr/bin/python3
"""The clients that everybody has: through the proxy, at a worker by itself, and across the death of the master."""
import json
import os
import subprocess
import threading
import time

import node_packages
import redis
import tap
from appliance import Appliance, Client, build_directory, server, wait_until
from tap import check, say

PORT = 22340                  # of the appliance
ALONE, REFERENCE = 22370, 22371  # a worker by itself, and redis-server
BUILD = build_directory()
PASSWORD = "pass word"
appliance = Appliance(PORT)


def alone(*options):
    return server(ALONE, os.path.join(BUILD, "respite-cacheworker"), "--standalone", "--port", str(ALONE), *options)


def reference(*options):
    return server(REFERENCE, "redis-server", "--port", str(REFERENCE), "--bind", "127.0.0.1", "--save", "", *options)


def set_password(line):
    """Gives the proxy's configuration this last line, or takes it away again."""
    path = os.path.join(appliance.directory, "proxy-1", "proxy-1.conf")
    with open(path, encoding="ascii") as file:
        lines = [kept for kept in file if not kept.startswith("requirepass")]
    with open(path, "w", encoding="ascii") as file:
        file.write("".join(lines) + line)
    appliance.restart("proxy-1")


def everywhere(test):
    """Runs the test with the port of the proxy and that of a worker by itself."""
    test(PORT)
    with alone():
        test(ALONE)


# --- python3-redis ---

def python_strings(port):
    client = redis.Redis(port=port)
    check(client.set("py:a", b"\0\r\n\xff") is True and client.get("py:a") == b"\0\r\n\xff", "SET and GET of bytes")
    check(client.get("py:none") is None, "GET of nothing")
    check(client.set("py:a", 1, nx=True) is None and client.set("py:a", "5", ex=100, get=True) == b"\0\r\n\xff",
          "SET NX, SET GET")
    check(client.incrby("py:a", 37) == 42 and client.incrbyfloat("py:a", 0.5) == 42.5, "INCRBY, INCRBYFLOAT")
    check(client.mset({"py:b": "b", "py:c": "c"}) and client.mget("py:b", "py:none", "py:c") == [b"b", None, b"c"],
          "MSET, MGET")
    check(client.append("py:b", "bb") == 3 and client.getrange("py:b", 1, 2) == b"bb", "APPEND, GETRANGE")
    check(client.setrange("py:bits", 2, b"\1") == 3 and client.get("py:bits") == b"\0\0\1", "SETRANGE")
    check(client.rename("py:b", "py:d") and client.type("py:d") == b"string" and client.exists("py:b", "py:d") == 1,
          "RENAME, TYPE, EXISTS")
    check(client.getdel("py:d") == b"bbb" and client.delete("py:a", "py:c", "py:bits", "py:none") == 3, "GETDEL, DEL")
    big = os.urandom(1 << 20) * 16
    check(client.set("py:big", big) and client.get("py:big") == big and client.unlink("py:big") == 1, "16 MB")


def python_expiry(port):
    client = redis.Redis(port=port)
    client.set("py:a", "1", px=300)
    check(0 < client.pttl("py:a") <= 300, "PTTL")
    client.set("py:b", "1", ex=100)
    check(client.persist("py:b") is True and client.ttl("py:b") == -1 and client.ttl("py:none") == -2, "PERSIST, TTL")
    check(client.expireat("py:b", int(time.time()) + 50) is True and 48 <= client.ttl("py:b") <= 50, "EXPIREAT")
    wait_until(lambda: client.get("py:a") is None, 30, "py:a is gone")
    client.delete("py:b")


def python_pipelines(port):
    client = redis.Redis(port=port)
    with client.pipeline(transaction=False) as pipeline:
        for number in range(5000):
            pipeline.set(f"py:{number}", number).get(f"py:{number}")
        replies = pipeline.execute()
        check(replies == [reply for number in range(5000) for reply in (True, str(number).encode())], "10,000 in one")
        pipeline.set("py:text", "text").incr("py:text").get("py:text")
        replies = pipeline.execute(raise_on_error=False)
        check(replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] == b"text", replies)
    keys = list(client.scan_iter("py:[0-9]*", count=77))
    check(sorted(keys) == sorted(f"py:{number}".encode() for number in range(5000)), f"SCAN: {len(keys)} keys")
    check(client.delete(*keys, "py:text") == 5001, "DEL of 5,001")


def python_databases(port):
    clients = [redis.Redis(port=port, db=number) for number in range(5)]
    for number, client in enumerate(clients):
        client.set("py:db", number)
    check([client.get("py:db") for client in clients] == [b"0", b"1", b"2", b"3", b"4"], "five databases")
    check(clients[4].flushdb() and clients[4].dbsize() == 0 and clients[3].get("py:db") == b"3", "FLUSHDB")
    for client in clients:
        client.delete("py:db")


def python_pubsub(port):
    client = redis.Redis(port=port)
    listener = client.pubsub()
    listener.subscribe("py:news")
    listener.psubscribe("py:w*")
    kinds = [listener.get_message(timeout=5)["type"] for _ in range(2)]
    check(kinds == ["subscribe", "psubscribe"], kinds)
    check(client.publish("py:news", "one") == 1 and client.publish("py:weather", b"\0") == 1, "PUBLISH")
    check(client.publish("py:other", "two") == 0, "nobody listens")
    first, second = listener.get_message(timeout=5), listener.get_message(timeout=5)
    check((first["type"], first["channel"], first["data"]) == ("message", b"py:news", b"one"), first)
    check((second["type"], second["pattern"], second["data"]) == ("pmessage", b"py:w*", b"\0"), second)
    listener.ping()
    check(listener.get_message(timeout=5)["type"] == "pong", "PING of a subscriber")
    listener.unsubscribe()
    listener.punsubscribe()
    check(listener.get_message(timeout=5)["data"] == 1 and listener.get_message(timeout=5)["data"] == 0, "the counts")
    listener.close()


def raises(kind, text, call):
    try:
        reply = call()
    except redis.RedisError as error:
        check(type(error) is kind and str(error).startswith(text), f"{type(error).__name__}: {error}")
        return
    raise AssertionError(f"expected {text}, got {reply!r}")


def python_errors(port):
    client = redis.Redis(port=port)
    client.set("py:text", "text")
    for text, words in (("value is not an integer or out of range", ("INCR", "py:text")),
                        ("unknown command 'NONSENSE'", ("NONSENSE", "x")),
                        ("wrong number of arguments for 'get' command", ("GET",)),
                        ("syntax error", ("SET", "py:text", "x", "EX")),
                        ("invalid expire time in 'set' command", ("SET", "py:text", "x", "EX", "0")),
                        ("DB index is out of range", ("SELECT", "999")),
                        ("no such key", ("RENAME", "py:none", "py:other")),
                        ("offset is out of range", ("SETRANGE", "py:text", "-1", "x"))):
        raises(redis.ResponseError, text, lambda words=words: client.execute_command(*words))
    check(client.get("py:text") == b"text" and client.ping(), "the connection goes on")
    client.delete("py:text")


def python_server(port):
    client = redis.Redis(port=port, client_name="tester")
    info = client.info()
    wanted = {"redis_version": "7.2.4", "loading": 0, "role": "master"}
    check({key: info.get(key) for key in wanted} == wanted, {key: info.get(key) for key in wanted})
    for field in ("respite_version", "run_id", "maxmemory_policy", "connected_clients", "used_memory",
                  "uptime_in_seconds", "connected_slaves", "total_commands_processed", "tcp_port", "redis_mode"):
        check(field in info, f"INFO has no {field}")
    check("redis_version" in client.info("server") and "used_memory" not in client.info("server"), "INFO server")
    check(client.client_getname() == "tester" and client.client_id() > 0, "CLIENT GETNAME, ID")
    check(client.config_get("save") == {"save": ""} and client.config_get("appendonly") == {"appendonly": "no"},
          f"CONFIG GET of redis-benchmark: {client.config_get('save')} {client.config_get('appendonly')}")
    check(abs(client.time()[0] - time.time()) < 5 and client.command_count() > 50, "TIME, COMMAND COUNT")
    check(client.echo("x") == b"x" and client.dbsize() >= 0 and client.client_list(), "ECHO, DBSIZE, CLIENT LIST")
    get = client.command()["get"]
    check(get["arity"] == 2 and "readonly" in get["flags"], get)


def test_python():
    """python3-redis: strings, expiry, pipelines, databases, pub/sub, errors, INFO and CONFIG"""
    def test(port):
        for part in (python_strings, python_expiry, python_pipelines, python_databases, python_pubsub, python_errors,
                     python_server):
            try:
                part(port)
            except redis.RedisError as error:
                raise AssertionError(f"{part.__name__} on port {port}: {error}") from error
    everywhere(test)


# --- hiredis ---

def hiredis(port, part, **options):
    return subprocess.Popen([os.path.join(BUILD, "tests/system/hiredis_client"), "--port", str(port), part],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


def test_hiredis():
    """hiredis: commands one by one and in pipelines, 1 MB of any bytes, errors, databases, pub/sub"""
    def test(port):
        process = hiredis(port, "basics")
        output, _ = process.communicate(timeout=60)
        check(process.returncode == 0, output)
    everywhere(test)


def test_hiredis_reconnect():
    """hiredis reconnects after a restart of the proxy"""
    process = hiredis(PORT, "reconnect")
    check(process.stdout.readline() == "ready\n", "hiredis_client did not start")
    appliance.restart("proxy-1")
    output, _ = process.communicate("go\n", timeout=60)
    check(process.returncode == 0, output)


# --- Node.js ---

def node(library, port, password, part):
    return node_packages.start(BUILD, "node_clients.js", library, port, password, part)


def node_basics(library):
    def test(port, password=""):
        output, _ = node(library, port, password, "basics").communicate(timeout=60)
        check(output == "good\n", f"port {port}: {output}")
    everywhere(test)
    with alone("--requirepass", PASSWORD):
        test(ALONE, PASSWORD)
    set_password(f'requirepass = "{PASSWORD}";\n')
    try:
        test(PORT, PASSWORD)
    finally:
        set_password("")


def test_ioredis():
    """ioredis: commands, pipelines, scanStream, databases, pub/sub, with a password and without"""
    node_basics("ioredis")


def test_node_redis():
    """node-redis: commands, scanIterator, databases, pub/sub, with a password and without"""
    node_basics("redis")


# --- what is said at connect ---

HANDSHAKES = (
    (("PING",), ("GET", "a"), ("AUTH", PASSWORD), ("GET", "hand:none"), ("PING",)),
    (("AUTH", "wrong"), ("AUTH", "default", "wrong"), ("AUTH", "nobody", PASSWORD), ("GET", "a")),
    (("AUTH", "default", PASSWORD), ("SELECT", "1"), ("SELECT", "0"), ("AUTH", "wrong"), ("GET", "hand:none")),
    (("AUTH",), ("AUTH", "a", "b", "c"), ("AUTH", "")),
    (("HELLO",), ("HELLO", "2"), ("HELLO", "3"), ("HELLO", "4"), ("HELLO", "x")),
    (("HELLO", "3", "AUTH", "default", "wrong"), ("HELLO", "4", "AUTH", "default", PASSWORD), ("GET", "a")),
    (("HELLO", "3", "AUTH", "default"), ("HELLO", "3", "NONSENSE"), ("HELLO", "3", "SETNAME", "two words")),
    (("CLIENT", "SETNAME", "x"), ("SELECT", "1"), ("GET",), ("AUTH", PASSWORD), ("NONSENSE",), ("SELECT", "1")),
    (("AUTH", PASSWORD), ("CLIENT", "SETNAME", "two words"), ("CLIENT", "SETNAME", "one"), ("CLIENT", "GETNAME"),
     ("CLIENT", "NONSENSE"), ("CLIENT",), ("CLIENT", "REPLY", "x"), ("CLIENT", "KILL", "x", "y")),
)
UNPROTECTED = (
    (("AUTH", "x"), ("AUTH", "default", "x"), ("AUTH", "nobody", "x"), ("HELLO", "3", "AUTH", "default", "x"), ("PING",)),
    (("CLIENT", "MAINT_NOTIFICATIONS", "ON", "moving-endpoint-type", "external-ip"), ("PING",)),
    (("CLIENT", "NO-EVICT", "on"), ("CLIENT", "NO-EVICT", "x"), ("PING", "a", "b"), ("ECHO",)),
    (("CONFIG", "GET"), ("CONFIG", "NONSENSE"), ("CONFIG", "GET", "save"), ("CONFIG", "GET", "appendonly")),
    (("COMMAND", "NONSENSE"), ("COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"), ("COMMAND", "GETKEYS", "MSET", "a")),
    (("SELECT", "x"), ("SELECT", "-1"), ("SELECT",), ("QUIT",)),
)


def in_words(reply):
    """A reply as a line that can be compared; an id or a version differs by right."""
    if isinstance(reply, Exception):  # the reference is a version older in this one text
        return f"-{reply}".replace("the HELLO AUTH", "the HELLO <proto> AUTH")
    if isinstance(reply, dict) or (isinstance(reply, list) and b"proto" in reply):
        pairs = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
        return str({key: pairs[key] for key in sorted(pairs) if key not in (b"id", b"version")})
    return repr(reply)


def dialogue(port, requests):
    client, lines = Client(port, timeout=5), []
    for request in requests:
        try:
            lines.append(f"{' '.join(request)} => {in_words(client.call(*request))}")
        except ConnectionError:
            lines.append(f"{' '.join(request)} => closed")
            break
    client.close()
    return lines


def compare(dialogues, port):
    differences = []
    for requests in dialogues:
        for ours, theirs in zip(dialogue(port, requests), dialogue(REFERENCE, requests)):
            if ours != theirs:
                differences.append(f"port {port} says {ours}; redis-server: {theirs}")
    check(not differences, "\n".join(differences))


def test_handshakes():
    """HELLO, AUTH, CLIENT and what needs them are answered as redis-server answers, with a password and without"""
    with reference(), alone():
        compare(UNPROTECTED, ALONE)
        compare(UNPROTECTED, PORT)
    with reference("--requirepass", PASSWORD), alone("--requirepass", PASSWORD):
        compare(HANDSHAKES, ALONE)
        set_password(f'requirepass = "{PASSWORD}";\n')
        try:
            compare(HANDSHAKES, PORT)
        finally:
            set_password("")


def test_newer_handshakes():
    """CLIENT SETINFO, NO-TOUCH and COMMAND DOCS, which are newer than the reference here or differ by right"""
    def test(port):
        client = Client(port)
        check(client.call("CLIENT", "SETINFO", "LIB-NAME", "x") == "OK", "SETINFO LIB-NAME")
        check(client.call("CLIENT", "SETINFO", "LIB-VER", "1.2") == "OK", "SETINFO LIB-VER")
        check(isinstance(client.call("CLIENT", "SETINFO", "LIB-NAME", "two words"), Exception), "SETINFO with a space")
        check(isinstance(client.call("CLIENT", "SETINFO", "NONSENSE", "x"), Exception), "SETINFO NONSENSE")
        check(b"lib-name=x" in client.call("CLIENT", "INFO"), "CLIENT INFO")
        check(client.call("CLIENT", "NO-TOUCH", "on") == "OK", "NO-TOUCH")
        docs = client.call("COMMAND", "DOCS", "get", "set", "nonsense")
        check(docs[0::2] == [b"get", b"set"] and b"summary" in docs[1], docs)
        hello = client.call("HELLO", "3")
        check(hello[b"server"] == b"redis" and hello[b"proto"] == 3 and hello[b"version"] == b"7.2.4"
              and hello[b"role"] == b"master" and hello[b"mode"] == b"standalone", hello)
        check(isinstance(client.call("COMMAND", "DOCS"), dict), "COMMAND DOCS in RESP3 is a map")
        client.close()
    everywhere(test)


# --- across a failover ---

class PythonWriter:
    """python3-redis, writing through one connection that may never be another one."""

    def __init__(self):
        self.client = redis.Redis(port=PORT, single_connection_client=True, socket_timeout=30, retry_on_timeout=False)
        self.id, self.acknowledged, self.uncertain, self.errors = self.client.client_id(), 0, 0, []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self):
        while not self.stopped.is_set():
            try:
                self.client.set("py:steady", self.acknowledged)
                self.acknowledged += 1
            except redis.RedisError as error:
                if str(error).startswith("UNCERTAIN "):
                    self.uncertain += 1
                else:
                    self.errors.append(f"{type(error).__name__}: {error}")
                    return
            self.stopped.wait(0.002)

    def stop(self):
        self.stopped.set()
        self.thread.join(60)
        check(self.errors == [], self.errors)
        check(self.client.client_id() == self.id, "it is another connection now")
        return self.acknowledged, self.uncertain


def is_ready(process):
    line = process.stdout.readline()
    check(line == "ready\n", f"a client did not start: {line}")


def test_failover():
    """the master is killed while all of them write: no connection ends, and no error but UNCERTAIN"""
    appliance.wait_in_sync()
    reason = None
    try:
        nodes = {library: node(library, PORT, "", "steady") for library in ("ioredis", "redis")}
    except tap.Skip as skip:
        nodes, reason = {}, skip
    native = hiredis(PORT, "steady")
    for process in (native, *nodes.values()):
        is_ready(process)
    python = PythonWriter()
    time.sleep(1)
    master = appliance.master()
    appliance.kill(master)
    wait_until(lambda: appliance.master() not in (None, master), 20, "another master")
    reached = python.acknowledged
    wait_until(lambda: python.acknowledged > reached + 200 or python.errors, 20, "writes after the failover")

    acknowledged, uncertain = python.stop()
    say(f"python3-redis: {acknowledged} acknowledged, {uncertain} uncertain")
    output, _ = native.communicate("stop\n", timeout=60)
    check(native.returncode == 0, f"hiredis: {output}")
    say(f"hiredis: {output.strip()}")
    for library, process in nodes.items():
        output, _ = process.communicate(timeout=60)
        check(process.returncode == 0, f"{library}: {output}")
        result = json.loads(output)
        say(f"{library}: {result['acknowledged']} acknowledged, {result['uncertain']} uncertain")
        check(result["errors"] == [] and result["events"] == [], f"{library}: {output}")
        check(result["acknowledged"] > 1000, f"{library}: {output}")
    appliance.restart(master)
    wait_until(lambda: appliance.process(master)["role"] in ("replica", "spare"), 20, f"{master} is back")
    if reason:
        raise reason


with appliance:
    tap.run([test_python, test_hiredis, test_hiredis_reconnect, test_ioredis, test_node_redis, test_handshakes,
             test_newer_handshakes, test_failover])
