#!/usr/bin/python3
"""quickstart itself: what it prints, refuses and resumes."""
import json
import os
import signal
import socket
import subprocess
import time

import tap
from appliance import SOURCE, Appliance, Client
from tap import check

PORT = 22200
appliance = Appliance(PORT)


def test_status():
    """status --json prints the promised object, and nothing else"""
    status = appliance.status()
    check(list(status) == ["endpoint", "epoch", "master", "processes"], f"{list(status)}")
    check(status["endpoint"] == {"host": "127.0.0.1", "port": PORT}, f"{status['endpoint']}")
    names = [process["name"] for process in status["processes"]]
    check(sorted(names) == ["proxy-1", "sentinel-1", "sentinel-2", "sentinel-3", "worker-1", "worker-2", "worker-3"],
          f"{names}")
    for process in status["processes"]:
        check(list(process) == ["name", "kind", "role", "host", "port", "pid", "offset"], f"{list(process)}")
        check(PORT <= process["port"] <= PORT + 29, f"port {process['port']}")
        check((process["offset"] is None) == (process["kind"] != "worker"), f"offset of {process['name']}")
    roles = sorted(process["role"] for process in status["processes"])
    check(roles == ["master", "replica", "spare", "up", "up", "up", "up"], f"{roles}")
    check(appliance.workers()["spare"] == "worker-3", f"{appliance.workers()}")
    check(status["epoch"] >= 1 and status["master"] in ("worker-1", "worker-2"), f"{status}")


def test_second_up():
    """a second up in the same directory is refused and disturbs nothing"""
    done = appliance.quickstart("up", check=False)
    check(done.returncode != 0 and "already up" in done.stdout, done.stdout)
    check(Client(PORT).call("PING") == "PONG", "the first one was disturbed")


def test_spelling():
    """however its directory is spelled, an appliance is found, and not started twice"""
    parent, name = os.path.split(appliance.directory)
    for spelling in (name, f"./{name}/", f"../{os.path.basename(parent)}/{name}", f"{appliance.directory}//."):
        done = subprocess.run([os.path.join(SOURCE, "quickstart"), "up", "--dir", spelling], cwd=parent, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        check(done.returncode != 0 and "already up" in done.stdout, f"{spelling}: {done.stdout}")


def test_busy_port():
    """a busy port is a clear refusal, and nothing is left half-started"""
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", 22252))
        busy.listen()
        directory = appliance.directory + "-busy"
        done = subprocess.run([os.path.join(SOURCE, "quickstart"), "up", "--dir", directory, "--port", "22250"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    check(done.returncode != 0 and "22252" in done.stdout and "busy" in done.stdout, done.stdout)
    check(not os.path.exists(os.path.join(directory, "port")), "something was left")


def test_stopped_processes():
    """status answers also when processes are stopped or dead"""
    appliance.kill("sentinel-1", signal.SIGSTOP)
    appliance.kill("sentinel-2", signal.SIGKILL)
    begin = time.monotonic()
    status = appliance.status()
    elapsed = time.monotonic() - begin
    check(elapsed < 10, f"{elapsed:.2f} s")
    by_name = {process["name"]: process for process in status["processes"]}
    check(by_name["sentinel-2"]["role"] == "down" and by_name["sentinel-2"]["pid"] is None, f"{by_name['sentinel-2']}")
    check(by_name["sentinel-1"]["pid"] is not None, "a stopped process still has a pid")
    check(by_name["worker-1"]["role"] in ("master", "replica"), f"{by_name['worker-1']}")
    os.kill(by_name["sentinel-1"]["pid"], signal.SIGCONT)
    appliance.restart("sentinel-2")
    check(appliance.process("sentinel-2")["role"] == "up", "sentinel-2 did not come back")


def test_resume():
    """up after down resumes with the data that were saved"""
    client = Client(PORT)
    check(client.call("SET", "kept", "over a restart") == "OK", "SET")
    appliance.wait_in_sync()
    for name in (appliance.workers()["master"], appliance.workers()["replica"]):
        check(Client(appliance.process(name)["port"]).call("SAVE") == "OK", f"SAVE on {name}")
    epoch = appliance.status()["epoch"]
    appliance.quickstart("down")
    status = json.loads(appliance.quickstart("status", "--json").stdout)
    check({process["role"] for process in status["processes"]} == {"down"}, f"{status}")
    appliance.up()
    value = Client(PORT, timeout=30).call("GET", "kept")
    check(value == b"over a restart", f"kept is {value!r}")
    check(appliance.status()["epoch"] > epoch, "a new life must have a new epoch")


def test_descriptors():
    """the daemons hold no descriptor of the caller, and are sessions of their own"""
    pid = appliance.process("worker-1")["pid"]
    check(os.getsid(pid) == pid, "not a session of its own")
    names = [os.readlink(f"/proc/{pid}/fd/{descriptor}") for descriptor in os.listdir(f"/proc/{pid}/fd")]
    # A pipe of its own has both its ends here.
    foreign = [name for name in names if name.startswith("pipe:") and names.count(name) == 1]
    check(not foreign, f"descriptors of the caller: {foreign}")
    check(os.readlink(f"/proc/{pid}/fd/0") == "/dev/null", "standard input is not /dev/null")


with appliance:
    tap.run([test_status, test_second_up, test_spelling, test_busy_port, test_stopped_processes, test_resume, test_descriptors])
