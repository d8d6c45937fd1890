#!/usr/bin/python3
"""A group takes over the data of a redis-server outside of it."""
import os
import subprocess
import tempfile
import threading

import tap
from appliance import Appliance, Client, build_directory, info, server, wait_until
from tap import check

PORT, SOURCE, NOBODY = 25740, 25790, 25791
USER, PASSWORD, WRONG = "mover", "the-source's-password", "another-password"
KEYS = 20000
READONLY = "READONLY migrating"


class Load(threading.Thread):
    """A client that writes to the source until it is stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopped, self.written = threading.Event(), 0

    def run(self):
        client = Client(SOURCE, timeout=60)
        while not self.stopped.is_set():
            for number in range(50):
                client.send("SET", f"load:{self.written + number}", self.written + number)
            client.send("INCRBY", "loaded", 50)
            for _ in range(51):
                client.read()
            self.written += 50
            self.stopped.wait(0.02)
        client.close()

    def stop(self):
        self.stopped.set()
        self.join(60)
        return self.written


def has_replica(appliance, master):
    """A replica that takes the stream, and is in sync: without one a dead master would be waited for."""
    client = Client(appliance.process(master)["port"], timeout=60)
    fields = {**info(client, "replication"), **info(client, "respite")}
    client.close()
    return "state=online" in fields.get("slave0", "") and fields["respite_in_sync"] == "1"


class Operator:
    """Says respitectl migrate."""

    def __init__(self, appliance):
        self.secret = os.path.join(appliance.directory, "secret")
        self.sentinels = [f"127.0.0.1:{process['port']}" for process in appliance.status()["processes"]
                          if process["kind"] == "sentinel"]
        self.files = tempfile.TemporaryDirectory()

    def say(self, action, *words):
        command = [os.path.join(build_directory(), "respitectl"), "migrate", action, "--group", "main", "--secret-file",
                   self.secret, "--timeout-ms", "10000", *words]
        for sentinel in self.sentinels:
            command += ["--sentinel", sentinel]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120)
        return done.returncode, done.stdout

    def start(self, *words, port=SOURCE, password=PASSWORD):
        path = os.path.join(self.files.name, "password")
        with open(path, "w", encoding="ascii") as file:
            file.write(password + "\n")
        return self.say("start", "--from", f"127.0.0.1:{port}", "--user", USER, "--password-file", path, *words)

    def status(self):
        """The fields as a dict; {} while nobody can be asked."""
        code, text = self.say("status")
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line) if code == 0 else {}

    def wait_for(self, what, **fields):
        """A status that has these beginnings."""
        def fits():
            status = self.status()
            return all(status.get(name, "").startswith(value) for name, value in fields.items()) and status
        try:
            return wait_until(fits, 60, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.status()}") from error


def fill():
    client = Client(SOURCE, timeout=60)
    for database in (0, 3):
        client.call("SELECT", database)
        for number in range(KEYS):
            client.send("SET", f"key:{number}", f"{database}:{number}" * 10)
        for _ in range(KEYS):
            client.read()
        client.call("HSET", "hash", "field", database)
        client.call("RPUSH", "list", *range(1000))
        client.call("SET", "passing", "soon", "PX", 1500)
        client.call("SET", "staying", "long", "EX", 100000)
    client.call("FUNCTION", "LOAD", "#!lua name=carried\nredis.register_function('carried', function() return 1 end)")
    client.close()


def check_bad_inputs(appliance, operator):
    """What cannot be begun says why; what was begun and is no use is told, and can be taken back."""
    client = Client(PORT, timeout=60)
    check(client.call("SET", "mine", "1") == "OK", "SET was refused")
    code, text = operator.start()
    check(code == 1 and "NOTEMPTY" in text, f"over data: {code} {text}")
    code, text = operator.say("cut-over")
    check(code == 1 and "not migrating" in text, f"cut-over of nothing: {code} {text}")
    code, text = operator.say("abort")
    check(code == 1 and "not migrating" in text, f"abort of nothing: {code} {text}")
    check(operator.say("start")[0] == 1 and operator.say("dance")[0] == 1 and
          operator.say("start", "--from", f"127.0.0.1:{SOURCE}", "--user", USER)[0] == 1, "words that say nothing")
    check(operator.status() == {"state": "none"}, f"{operator.status()}")

    check(operator.start("--replace", password=WRONG)[0] == 0, "start was refused")
    status = operator.wait_for("a wrong password is told", trouble="it does not take the user and password: -WRONGPASS")
    check(status["state"] == "connecting", f"{status}")
    check(str(client.call("SET", "mine", "2")).startswith(READONLY), "a write was taken")
    check(client.call("GET", "mine") == b"1", "the group's data went before there were others")
    code, text = operator.start("--replace")
    check(code == 1 and "already" in text, f"twice: {code} {text}")
    code, text = operator.say("cut-over", "--bound-ms", "300")
    check(code == 1 and "given up after" in text, f"cut-over without a link: {code} {text}")
    check(operator.say("abort")[0] == 0, "abort was refused")
    check(client.call("SET", "mine", "2") == "OK", "a write was refused behind an abort")

    check(operator.start("--replace", port=NOBODY)[0] == 0, "start was refused")
    operator.wait_for("a refused connection is told", trouble="it refuses connections")
    check(operator.say("abort")[0] == 0, "abort was refused")
    client.close()


def check_no_secrets(appliance):
    for folder, _, names in os.walk(appliance.directory):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                check(PASSWORD.encode() not in file.read(), f"the password stands in {name}")


def check_carried(written):
    ours, source = Client(PORT, timeout=60), Client(SOURCE, timeout=60)
    for database in (0, 3):
        ours.call("SELECT", database)
        source.call("SELECT", database)
        check(ours.call("DBSIZE") == source.call("DBSIZE"), f"{ours.call('DBSIZE')} keys, not {source.call('DBSIZE')}")
        for command in (["HGETALL", "hash"], ["LRANGE", "list", 0, -1], ["GET", "passing"], ["PEXPIRETIME", "staying"],
                        *(["GET", f"key:{number}"] for number in range(0, KEYS, 997))):
            check(ours.call(*command) == source.call(*command), f"{command} differs")
    ours.call("SELECT", 0)
    check(ours.call("GET", "loaded") == str(written).encode(), f"{ours.call('GET', 'loaded')} of {written} writes")
    for number in range(written):
        ours.send("GET", f"load:{number}")
    check(all(ours.read() == str(number).encode() for number in range(written)), "an acknowledged write is missing")
    check(ours.call("EXISTS", "mine") == 0, "what the group held before is still there")
    check(ours.call("FCALL", "carried", 0) == 1, "the function is missing")
    ours.close()
    source.close()


def test_migration():
    """a group follows redis-server under load, over the death of its own master, and cuts over without a loss"""
    with server(SOURCE, "/usr/bin/redis-server", "--port", str(SOURCE), "--bind", "127.0.0.1", "--save", "",
                "--logfile", os.devnull, "--user", USER, "on", f">{PASSWORD}", "+psync", "+replconf", "+ping", "+info"), \
            Appliance(PORT) as appliance:
        fill()
        operator = Operator(appliance)
        check_bad_inputs(appliance, operator)
        load = Load()
        load.start()
        check(operator.start("--replace")[0] == 0, "start was refused")
        operator.wait_for("the group follows", state="following", percent="100.00")
        client = Client(PORT, timeout=60)
        check(str(client.call("SET", "mine", "3")).startswith(READONLY), "a write was taken")
        check(client.call("GET", "key:1") == b"0:1" * 10, "a read was not answered")
        master = appliance.master()
        wait_until(lambda: has_replica(appliance, master), 60, "the replica is in step")

        appliance.kill(master)
        wait_until(lambda: appliance.master() not in (None, master), 60, "another master")
        operator.wait_for("the new master follows", state="following", lag_bytes="0")
        check(str(client.call("SET", "mine", "4")).startswith(READONLY), "a write was taken behind the failover")
        appliance.restart(master)

        written = load.stop()
        code, text = operator.say("cut-over", "--bound-ms", "60000")
        check(code == 0 and "cut over" in text, f"cut-over: {code} {text}")
        second = appliance.master()
        appliance.kill(second)  # whoever was answered has all of it, whatever dies now
        wait_until(lambda: appliance.master() not in (None, second), 60, "a third master")
        check(client.call("SET", "mine", "5") == "OK", "a write was refused behind the cut-over")
        check(client.call("DEL", "mine") == 1, "DEL")
        check_carried(written)
        appliance.restart(second)
        check(operator.status()["state"] == "none", f"{operator.status()}")
        appliance.wait_in_sync()
        appliance.check_agreed()
        check_no_secrets(appliance)
        client.close()


tap.run([test_migration])
