#!/usr/bin/python3
"""What a server tells of itself: exporters, MONITOR, an existing redis.conf, CONFIG REWRITE."""
import os
import subprocess
import tempfile
import time
import urllib.request

import tap
from appliance import Appliance, Client, build_directory, server, wait_until
from tap import check, say

PORT = 25100
WORKER, EXPORTER, PLAIN = PORT + 60, PORT + 61, PORT + 62
appliance = Appliance(PORT)
worker_program = os.path.join(build_directory(), "respite-cacheworker")


def scrape(address):
    """The metrics that prometheus-redis-exporter makes of a server, and what it logged."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(["prometheus-redis-exporter", "-redis.addr", f"redis://{address}",
                                    "-web.listen-address", f"127.0.0.1:{EXPORTER}", "-include-system-metrics"],
                                   stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{EXPORTER}/metrics"

            def answer():
                try:
                    return urllib.request.urlopen(url, timeout=5).read().decode()
                except OSError:
                    return None
            wait_until(answer, 30, "the exporter")
            text = answer()
        finally:
            process.terminate()
            process.wait(10)
        log.seek(0)
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return dict(line.rsplit(" ", 1) for line in lines), log.read()


def check_metrics(metrics, log):
    bad = [line for line in log.splitlines() if "level=error" in line or "level=warn" in line]
    check(not bad, "\n".join(bad[:10]))
    check(float(metrics["redis_up"]) == 1, "redis_up is not 1")
    check(float(metrics["redis_exporter_last_scrape_error{err=\"\"}"]) == 0, "the last scrape failed")
    for name in ("redis_connected_clients", "redis_memory_used_bytes", "redis_commands_processed_total",
                 "redis_net_input_bytes_total", "redis_start_time_seconds", "redis_slowlog_length",
                 "redis_uptime_in_seconds", "redis_config_maxclients", "redis_expired_keys_total",
                 "redis_evicted_keys_total", "redis_cpu_sys_seconds_total", "redis_replication_backlog_bytes"):
        check(name in metrics, f"{name} is missing")
    check(any(name.startswith("redis_commands_total{cmd=\"set\"") for name in metrics), "no figures of SET")
    check(any(name.startswith("redis_db_keys{db=\"db0\"") for name in metrics), "no figures of keys")


def test_exporter_at_a_worker():
    """prometheus-redis-exporter makes metrics of a worker by itself, without a complaint"""
    with server(WORKER, worker_program, "--standalone", "--port", str(WORKER)):
        client = Client(WORKER)
        for i in range(10):
            check(client.call("SET", f"key{i}", "x") == "OK", "SET fails")
        metrics, log = scrape(f"127.0.0.1:{WORKER}")
        check_metrics(metrics, log)
        check(float(metrics["redis_db_keys{db=\"db0\"}"]) == 10, "there are not 10 keys")
        say(f"{len(metrics)} metrics")


def test_exporter_at_the_proxy():
    """and of the master, through the proxy"""
    client = Client(PORT)
    check(client.call("SET", "key", "x") == "OK", "SET fails")
    metrics, log = scrape(f"127.0.0.1:{PORT}")
    check_metrics(metrics, log)
    check(any("role=\"master\"" in name for name in metrics), "there is no master")


def test_monitor_through_the_proxy():
    """MONITOR through the proxy shows what others do, without their passwords, until RESET"""
    monitor, client = Client(PORT), Client(PORT)
    check(monitor.call("MONITOR") == "OK", "MONITOR is refused")
    check(client.call("SET", "seen", "a b") == "OK", "SET fails")
    lines = [monitor.read()]
    while "\"SET\"" not in lines[-1]:
        lines.append(monitor.read())
    check(lines[-1].endswith("\"SET\" \"seen\" \"a b\""), lines[-1])
    check(monitor.call("RESET") in ("RESET",) or monitor.read() == "RESET", "RESET is refused")
    check(monitor.call("ECHO", "again") == b"again", "the connection is of no use behind RESET")


def test_maxclients():
    """CONFIG SET maxclients goes as far as the process may have descriptors, and says how far that is"""
    with server(WORKER, "prlimit", "--nofile=700:700", worker_program, "--standalone", "--port", str(WORKER),
                "--maxclients", "100"):
        client = Client(WORKER)
        said = str(client.call("CONFIG", "SET", "maxclients", "10000"))
        check("try with 508" in said, said)
        check(client.call("CONFIG", "SET", "maxclients", "508") == "OK", "508 are refused")
        clients = [Client(WORKER) for _ in range(500)]
        check(all(one.call("PING") == "PONG" for one in clients), "not all are served")


REDIS_CONF = """
# As somebody may bring it along.
include {directory}/more*.conf
bind 127.0.0.1 -::1
port {port}
dir "{directory}/state"
requirepass "with \\"quotes\\" \\x21"
save 60 1
save ""
save 3600 1
save 300 100
save
maxmemory 100mb
maxmemory-policy allkeys-lru
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit pubsub 32mb 8mb 60
hash-max-ziplist-entries 77
appendonly yes
dbfilename mine.rdb
appenddirname "our log"
appendfilename "my log"
rename-command FLUSHALL ""
user alice on >wonder ~cached:* +get +ping
"""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def start(path, *arguments):
    process = subprocess.Popen([worker_program, "--standalone", "--redis-conf", path, *arguments],
                               stderr=subprocess.PIPE, text=True)
    for _ in range(100):
        try:
            client = Client(PLAIN)
            break
        except OSError:
            time.sleep(0.05)
    check(client.call("AUTH", "with \"quotes\" !") == "OK", "the password is another one")
    return process, client


def stop(process):
    process.terminate()
    return process.communicate(timeout=10)[1]


def value(client, name):
    return client.call("CONFIG", "GET", name)[1].decode()


def test_redis_conf():
    """a redis.conf is taken: options, parameters, users; what has no effect is named; wrong values end the start"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "redis.conf")
        write(path, REDIS_CONF.format(directory=directory, port=PLAIN))
        write(os.path.join(directory, "more.conf"), "timeout 300\n")
        process, client = start(path)
        for name, expected in (("hash-max-listpack-entries", "77"), ("timeout", "300"), ("maxmemory", "104857600"),
                               ("maxmemory-policy", "allkeys-lru"), ("dir", f"{directory}/state"), ("save", "3600 1 300 100"), ("appendonly", "yes"),
                               ("client-output-buffer-limit",
                                "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60")):
            check(value(client, name) == expected, f"{name} is {value(client, name)}")
        check(client.call("SET", "key", "x") == "OK" and client.call("SAVE") == "OK", "SET or SAVE fails")
        check(os.path.exists(f"{directory}/state/mine.rdb"), "SAVE writes another file")
        wait_until(lambda: os.path.exists(f"{directory}/state/our log/my log.manifest"), 30, "the append-only file")
        alice = Client(PLAIN)
        check(alice.call("AUTH", "alice", "wonder") == "OK", "alice is not known")
        check("NOPERM" in str(alice.call("GET", "other")), "alice may read what she must not")
        said = stop(process)
        check(" rename-command: " in said, f"nothing is said of rename-command: {said}")
        check(" maxmemory: " not in said and " user: " not in said, said)
        for wrong, word in (("timeout never", "more.conf:1: "), ("aclfile else/where", " aclfile: ")):
            write(os.path.join(directory, "more.conf"), wrong + "\n")
            done = subprocess.run([worker_program, "--standalone", "--redis-conf", path, "-t"], stderr=subprocess.PIPE,
                                  text=True, timeout=10, check=False)
            check(done.returncode != 0 and word in done.stderr, done.stderr)


def test_rewrite():
    """CONFIG REWRITE keeps what was set over a restart, and does not touch the configuration's own files"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "redis.conf")
        text = REDIS_CONF.format(directory=directory, port=PLAIN)
        write(path, text)
        process, client = start(path)
        check(client.call("CONFIG", "SET", "timeout", "60", "slowlog-max-len", "9") == "OK", "CONFIG SET fails")
        check(client.call("ACL", "SETUSER", "bob", "on", "nopass", "+ping") == "OK", "ACL SETUSER fails")
        check(client.call("CONFIG", "REWRITE") == "OK", "CONFIG REWRITE fails")
        check(client.call("CONFIG", "SET", "slowlog-max-len", "10") == "OK", "CONFIG SET fails")
        stop(process)
        process, client = start(path)
        check(value(client, "timeout") == "60" and value(client, "slowlog-max-len") == "9", "the values are not kept")
        check(client.call("ACL", "USERS") == [b"alice", b"bob", b"default"], "the users are not kept")
        with open(path, encoding="utf-8") as file:
            check(file.read() == text, "the administrator's file was changed")
        check(client.call("SET", "key", "x") == "OK", "SET fails")
        stop(process)
        process, client = start(path)
        check(client.call("GET", "key") == b"x", "the data are not found again")
        for order, role in ((("127.0.0.1", str(EXPORTER)), [b"slave", b"127.0.0.1", EXPORTER]), (("no", "one"), [b"master"])):
            check(client.call("REPLICAOF", *order) == "OK", "REPLICAOF fails")
            check(client.call("CONFIG", "REWRITE") == "OK", "CONFIG REWRITE fails")
            stop(process)
            process, client = start(path)
            check(client.call("ROLE")[:len(role)] == role, f"after REPLICAOF {order}: {client.call('ROLE')}")
        # What is as the file says needs no keeping.
        check(client.call("CONFIG", "SET", "timeout", "0") == "OK", "CONFIG SET fails")
        check(client.call("CONFIG", "REWRITE") == "OK", "CONFIG REWRITE fails")
        stop(process)
        with open(os.path.join(directory, "state/parameters.conf"), encoding="utf-8") as file:
            kept = file.read()
        check("timeout" not in kept and "slowlog-max-len \"9\"" in kept, kept)
        # A broken line costs that line alone.
        write(os.path.join(directory, "state/parameters.conf"), kept + "timeout never\nslowlog-max-len 11\n")
        process, client = start(path)
        check(value(client, "slowlog-max-len") == "11" and value(client, "timeout") == "0", "the good line is lost")
        said = stop(process)
        check("parameters.conf" in said and "timeout" in said, said)


with appliance:
    tap.run([test_exporter_at_a_worker, test_exporter_at_the_proxy, test_monitor_through_the_proxy, test_maxclients,
             test_redis_conf, test_rewrite])
