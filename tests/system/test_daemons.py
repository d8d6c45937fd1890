#!/usr/bin/python3
"""Each daemon by itself: its command line, its configuration, how it refuses to start and how it ends."""
import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import tap
from appliance import SOURCE, Client, build_directory, wait_until
from disks import fill_disk, read_only, small_disk
from tap import check

PORT = 21150
DAEMONS = ("cacheworker", "proxy", "sentinel")
PR_CAPBSET_DROP, CAP_SYS_RESOURCE = 24, 24  # linux/prctl.h, linux/capability.h
STATUS_DISK_ERROR = 1 << 3                  # common/ha/messages.h
STRANGER = "ab" * 16                        # the identity of a sentinel
directory = tempfile.mkdtemp(prefix="respite-daemons-")


def path(name):
    return os.path.join(directory, name)


def write(name, text, mode=0o644):
    with open(path(name), "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path(name), mode)
    return path(name)


def run(daemon, *arguments, seconds=10, **options):
    """The ended process, its output and errors as text."""
    return subprocess.run([os.path.join(build_directory(), f"respite-{daemon}"), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds, check=False,
                          **options)


class Daemon:
    """A running daemon; ends with SIGTERM, and must then have said nothing (a sanitizer would) and succeed."""

    def __init__(self, daemon, *arguments, **options):
        self.process = subprocess.Popen([os.path.join(build_directory(), f"respite-{daemon}"), *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, **options)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def listens_on(self, port):
        wait_until(lambda: self.process.poll() is not None or connects(port), 30, f"port {port}")
        check(self.process.poll() is None, f"ended: {self.process.stderr.read() if self.process.poll() else ''}")

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        check(self.process.returncode == 0, f"status {self.process.returncode}: {err}")
        check("ERROR" not in err and "runtime error" not in err, err)
        return out + err


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def ask(port, line):
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(line.encode() + b"\r\n")
        return client.recv(65536).decode()


def sample(daemon):
    """The shipped sample, with paths and ports of this test."""
    with open(os.path.join(SOURCE, "etc", f"{daemon}.conf"), encoding="ascii") as file:
        text = file.read()
    text = text.replace("/etc/respite/secret", path("secret"))
    text = re.sub(r"/var/lib/respite/\w+", path(f"{daemon}-data"), text)
    return re.sub(r"127\.0\.0\.1:63(\d\d)", lambda match: f"127.0.0.1:{PORT + int(match.group(1)) - 79}", text).replace(
        "port = 6384", f"port = {PORT + 5}")


def listening_port(daemon):
    return {"proxy": PORT, "sentinel": PORT + 2, "cacheworker": PORT + 5}[daemon]


def test_version_and_help():
    """--version and --help"""
    for daemon in DAEMONS:
        done = run(daemon, "--version")
        check(re.fullmatch(rf"respite-{daemon} \d+\.\d+\.\d+\n", done.stdout), done.stdout)
        done = run(daemon, "--help")
        check(done.returncode == 0 and "log_level" in done.stdout and done.stderr == "", done.stdout)


def test_samples():
    """the samples are good, and show every setting with its true default"""
    for daemon in DAEMONS:
        file = write(f"{daemon}.conf", sample(daemon))
        done = run(daemon, "-c", file, "-t")
        check(done.returncode == 0 and "is good" in done.stdout, done.stderr)
        everything = write("all.conf", re.sub(r"^#(?=[\w-]+ = .*;$)", "", sample(daemon), flags=re.M))
        done = run(daemon, "-c", everything, "-t")
        check(done.returncode == 0, done.stderr)
        with open(everything, encoding="ascii") as file:
            shown = dict(re.findall(r"^([\w-]+) = (.*);$", file.read(), flags=re.M))
        known = dict(re.findall(r"^  ([\w-]+) {2,}.*?(?: Default: (.*)\.)?$", run(daemon, "--help").stdout, flags=re.M))
        known = {name: value for name, value in known.items() if not name.startswith("-")}
        check(sorted(shown) == sorted(known), f"{daemon}: {sorted(set(shown) ^ set(known))}")
        for name, value in known.items():
            commented = re.search(rf"^#{re.escape(name)} = (.*);$", sample(daemon), flags=re.M)
            if commented and value:
                said = {"no": "false", "yes": "true"}.get(value, value)
                check(commented.group(1).strip('"') == said, f"{daemon}: {name}: {commented.group(1)}, is {said}")


def test_bad_configurations():
    """a bad configuration is refused with file and line, with -t and without"""
    for daemon in DAEMONS:
        good = sample(daemon)
        line = good.count("\n") + 1
        for addition, reason in (('log_level = "loud";', "log_level: expected one of debug info notice warning error"),
                                 ("nonsense = 5;", "nonsense: unknown setting"),
                                 ("log_level = ;", "expected `name = value;`")):
            file = write("bad.conf", good + addition + "\n")
            for arguments in (("-t",), ()):
                done = run(daemon, "-c", file, *arguments)
                check(done.returncode == 1, f"status {done.returncode}")
                check(done.stderr.startswith(f"respite-{daemon}: {file}:{line}: {reason}"), done.stderr)
        done = run(daemon, "-c", path("none.conf"))
        check(done.returncode == 1 and "none.conf: not found" in done.stderr, done.stderr)
    done = run("sentinel", "-c", write("bad.conf", sample("sentinel").replace("proxy = ", "#proxy = ")))
    check(done.returncode == 1 and 'proxy: required where endpoint is "proxy"' in done.stderr, done.stderr)
    done = run("cacheworker", "-c", write("bad.conf", sample("cacheworker").replace("control_listen", "#control_listen")))
    check(done.returncode == 1 and "control_listen: required unless standalone" in done.stderr, done.stderr)
    done = run("proxy", "-c", write("bad.conf", "listen = \"127.0.0.1:1\";\n"))
    check(done.returncode == 1 and "sentinels: required, and not set" in done.stderr, done.stderr)


def test_bad_command_lines():
    """a bad command line is refused"""
    for arguments, reason in ((("--bogus",), "--bogus: unknown option"), (("word",), "word: expected an option"),
                              (("-c",), "-c: expected a file"), (("--standalone", "--port"), "--port: expected a value"),
                              (("--standalone", "--port", "0"), "--port: expected a number from 1 to 65535, got \"0\""),
                              (("--standalone", "--bind", "example.org"), "bind: expected a numeric address"),
                              (("--port", "1"), "control_listen: required unless standalone")):
        done = run("cacheworker", *arguments)
        check(done.returncode == 1 and reason in done.stderr, f"{arguments}: {done.stderr}")


def test_secret_mode():
    """a secret that others can read is refused"""
    os.chmod(path("secret"), 0o640)
    try:
        for daemon in DAEMONS:
            done = run(daemon, "-c", write("x.conf", sample(daemon)), "-t")
            check(done.returncode == 1 and "mode 0600" in done.stderr and "mode 0640" in done.stderr, done.stderr)
    finally:
        os.chmod(path("secret"), 0o600)


def test_start_and_end():
    """each starts from its sample, writes its pid, ends at SIGTERM and SIGINT, and leaks nothing"""
    for daemon in DAEMONS:
        for number in (signal.SIGTERM, signal.SIGINT):
            file = write(f"{daemon}.conf", sample(daemon))
            with Daemon(daemon, "-c", file, "--pid_file", path("pid"), "--log_format", "json") as process:
                process.listens_on(listening_port(daemon))
                with open(path("pid"), encoding="ascii") as pid:
                    check(int(pid.read()) == process.process.pid, "another pid")
                with socket.create_connection(("127.0.0.1", listening_port(daemon)), 5) as client:
                    client.sendall(b"PING\r\n")  # a proxy without a master holds it
                    time.sleep(0.1)
                    for line in process.end(number).splitlines():
                        check(re.fullmatch(r'\{"time":"[^"]*","level":"\w+","daemon":"[\w-]+","message":".*"\}', line),
                              line)
                check(not os.path.exists(path("pid")), "the pid file is left")


def test_busy_port():
    """a busy port is named, and the status is not 0"""
    for daemon in DAEMONS:
        port = listening_port(daemon)
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            done = run(daemon, "-c", write("x.conf", sample(daemon)))
            check(done.returncode == 1, f"status {done.returncode}")
            check(f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr, done.stderr)


def test_busy_directory():
    """a directory belongs to one process, and so does its pid file"""
    for daemon, move in (("sentinel", ("--listen", f"127.0.0.1:{PORT + 20}")),
                         ("cacheworker", ("--port", str(PORT + 20), "--control_listen", f"127.0.0.1:{PORT + 21}"))):
        file = write(f"{daemon}.conf", sample(daemon))
        with Daemon(daemon, "-c", file, "--pid_file", path("pid")) as process:
            process.listens_on(listening_port(daemon))
            done = run(daemon, "-c", file, "--pid_file", path("pid"), *move)
            check(done.returncode == 1 and "another process uses this directory" in done.stderr, done.stderr)
            with open(path("pid"), encoding="ascii") as pid:
                check(int(pid.read()) == process.process.pid, "the refused start took the pid file")
            process.end()


def test_descriptors():
    """the descriptor limit is raised, or the start refused with the reason"""
    def unprivileged_limit():
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0)  # or root raises every limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1024))

    for daemon in ("cacheworker", "proxy"):
        done = run(daemon, "-c", write("x.conf", sample(daemon)), preexec_fn=unprivileged_limit)
        check(done.returncode == 1 and "descriptors, and the system allows 1024" in done.stderr, done.stderr)
    with Daemon("cacheworker", "--standalone", "--port", str(PORT + 5), preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))) as process:
        process.listens_on(PORT + 5)
        check(resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE)[0] > 10000, "the limit was not raised")
        process.end()


def test_standalone():
    """--standalone serves on loopback, 16 databases, and without --dir touches no disk"""
    empty = path("empty")
    os.mkdir(empty)
    before = os.getcwd()
    os.chdir(empty)
    try:
        with Daemon("cacheworker", "--standalone", "--port", str(PORT + 5)) as process:
            process.listens_on(PORT + 5)
            check(ask(PORT + 5, "SET key value") == "+OK\r\n", "SET")
            check(ask(PORT + 5, "GET key") == "$5\r\nvalue\r\n", "GET")
            check(ask(PORT + 5, "SELECT 15") == "+OK\r\n", "SELECT 15")
            check(ask(PORT + 5, "SELECT 16").startswith("-"), "SELECT 16")
            check(ask(PORT + 5, "DEBUG SLEEP 0").startswith("-"), "DEBUG is on")
            process.end()
        check(os.listdir(empty) == [], f"{os.listdir(empty)}")
    finally:
        os.chdir(before)


def test_standalone_directory():
    """--standalone --dir keeps the data over SAVE and a restart"""
    arguments = ("--standalone", "--port", str(PORT + 5), "--dir", path("standalone"), "--enable-debug-command", "yes",
                 "--databases", "3", "--unixsocket", path("sock"))
    with Daemon("cacheworker", *arguments) as process:
        process.listens_on(PORT + 5)
        check(ask(PORT + 5, "SET key value") == "+OK\r\n", "SET")
        check(ask(PORT + 5, "SELECT 3").startswith("-"), "SELECT 3")
        check(ask(PORT + 5, "DEBUG SLEEP 0") == "+OK\r\n", "DEBUG is off")
        check(ask(PORT + 5, "SAVE") == "+OK\r\n", "SAVE")
        process.end()
    check(not os.path.exists(path("sock")), "the socket's path is left")
    with Daemon("cacheworker", *arguments) as process:
        process.listens_on(PORT + 5)
        check(ask(PORT + 5, "GET key") == "$5\r\nvalue\r\n", "GET after the restart")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path("sock"))
            client.sendall(b"GET key\r\n")
            check(client.recv(100) == b"$5\r\nvalue\r\n", "GET over the unix socket")
        process.end()


def fill_with_strings(port):
    """Two databases with text, bytes, a long value and times to live."""
    client = Client(port)
    for number in range(2000):
        words = ("SET", f"key:{number}", os.urandom(number % 300) if number % 3 else str(number))
        check(client.call(*words, *(("PX", 3600000 + number) if number % 4 == 0 else ())) == "OK", "SET")
    check(client.call("SET", b"\0\r\n\xff", "text " * 50000) == "OK", "SET of 250 kB")
    check(client.call("SELECT", 7) == "OK" and client.call("SET", "seven", "7") == "OK", "SELECT")
    client.close()


def contents(port):
    client, found = Client(port), {}
    for database in (0, 7):
        check(client.call("SELECT", database) == "OK", "SELECT")
        for key in client.call("KEYS", "*"):
            found[database, key] = client.call("GET", key), client.call("PEXPIRETIME", key)
    client.close()
    return found


def test_snapshot_of_the_reference():
    """redis-check-rdb accepts dump.rdb, and redis-server loads from it what was saved; and the other way round"""
    place = path("rdb")
    arguments = ("--standalone", "--port", str(PORT + 5), "--dir", place)
    with Daemon("cacheworker", *arguments) as process:
        process.listens_on(PORT + 5)
        fill_with_strings(PORT + 5)
        ours = contents(PORT + 5)
        check(ask(PORT + 5, "SAVE") == "+OK\r\n", "SAVE")
        process.end()
    done = subprocess.run(["redis-check-rdb", os.path.join(place, "dump.rdb")], stdout=subprocess.PIPE, text=True,
                          check=False)
    check(done.returncode == 0 and "RDB looks OK" in done.stdout, done.stdout)
    reference = subprocess.Popen(["redis-server", "--port", str(PORT + 6), "--bind", "127.0.0.1", "--dir", place,
                                  "--save", ""], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: connects(PORT + 6) and ask(PORT + 6, "PING") == "+PONG\r\n", 30, "redis-server")
        theirs = contents(PORT + 6)
        check(len(ours) == 2002 and theirs == ours, f"{len(ours)} keys of ours, {len(theirs)} of theirs")
        check(ask(PORT + 6, "SAVE") == "+OK\r\n", "SAVE of redis-server")
    finally:
        reference.terminate()
        reference.wait(10)
    with Daemon("cacheworker", *arguments) as process:
        process.listens_on(PORT + 5)
        check(contents(PORT + 5) == ours, "what redis-server saved was loaded otherwise")
        process.end()


def test_corrupt_snapshot():
    """a dump.rdb that cannot be read is named, refused and left alone"""
    place = path("corrupt")
    os.mkdir(place)
    arguments = ("--standalone", "--port", str(PORT + 5), "--dir", place)
    with Daemon("cacheworker", *arguments) as process:
        process.listens_on(PORT + 5)
        fill_with_strings(PORT + 5)
        check(ask(PORT + 5, "SAVE") == "+OK\r\n", "SAVE")
        process.end()
    dump = os.path.join(place, "dump.rdb")
    with open(dump, "rb") as file:
        good = file.read()
    middle = len(good) // 2
    for bad in (good[:middle], good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1:], good + b"x",
                b"not a snapshot", b""):
        with open(dump, "wb") as file:
            file.write(bad)
        done = run("cacheworker", *arguments)
        check(done.returncode == 1 and "dump.rdb cannot be loaded: " in done.stderr, f"{done.returncode} {done.stderr}")
        with open(dump, "rb") as file:
            check(file.read() == bad, "the file was changed")


def test_save_on_a_full_disk():
    """SAVE on a full disk says so, keeps the snapshot before it, and the server goes on"""
    with small_disk(path("disk")) as place, Daemon("cacheworker", "--standalone", "--port", str(PORT + 5), "--dir",
                                       place) as process:
        process.listens_on(PORT + 5)
        check(ask(PORT + 5, "SET key value") == "+OK\r\n" and ask(PORT + 5, "SAVE") == "+OK\r\n", "SAVE")
        with open(os.path.join(place, "dump.rdb"), "rb") as file:
            before = file.read()
        client = Client(PORT + 5)
        check(client.call("SET", "big", os.urandom(2 << 20)) == "OK", "SET")
        reply = client.call("SAVE")
        check(isinstance(reply, Exception), f"SAVE of 2 MB to 1 MB: {reply}")
        check(client.call("GET", "key") == b"value", "GET")
        with open(os.path.join(place, "dump.rdb"), "rb") as file:
            check(file.read() == before, "the snapshot before it was changed")
        check(sorted(os.listdir(place)) == ["dump.rdb", "lock"], f"left behind: {os.listdir(place)}")
        check(client.call("DEL", "big") == 1 and client.call("SAVE") == "OK", "SAVE, now that it fits")
        client.close()
        check("cannot write dump.rdb: no space left" in process.end(), "nothing of it in the log")


def test_read_only_directory():
    """a data directory that cannot be written is a refused start with the reason"""
    for daemon, setting in (("cacheworker", "--dir"), ("sentinel", "--state_directory")):
        with small_disk(path("disk")) as place:
            read_only(place)
            done = run(daemon, "-c", write("x.conf", sample(daemon)), setting, place)
            check(done.returncode == 1 and "ead-only file system" in done.stderr, f"{done.returncode} {done.stderr}")


def greet(port):
    client = Client(port)
    client.send("RESPITE", "HELLO", "sentinel", STRANGER, "a secret of this test")
    return client


def status_of(client):
    """STATUS as the node answers it now: life, group, role, flags."""
    client.send("RESPITE", "POLL", "main", time.monotonic_ns(), 0)  # no number twice
    words = client.read()
    check(words[1] == b"STATUS", words)
    return words[4].decode(), words[5].decode(), words[8].decode(), int(words[10])


def topology_of(life):
    node, address = life.split(":")[0], f"127.0.0.1:{PORT + 5} 127.0.0.1:{PORT + 4}"
    return (f"group main\nversion 1\nepoch 1\nmaster {life}\nbranch 1:0@0\nmember {node} replica 100 {address}\n"
            f"durability async 1\nsentinel {STRANGER} 127.0.0.1:{PORT + 2}\nauthor test\nreason test\n")


def test_node_on_a_full_disk():
    """a node whose incarnation is not durable does not listen; one that cannot be bound durably says so in STATUS"""
    with small_disk(path("disk")) as place:
        ballast = fill_disk(place)
        control = f"127.0.0.1:{PORT + 4}"
        with Daemon("cacheworker", "-c", write("x.conf", sample("cacheworker")), "--dir", place, "--control_listen",
                    control, "--pid_file", path("pid")) as process:
            wait_until(lambda: os.path.exists(path("pid")), 30, "its start")
            time.sleep(1.5)  # it has tried again
            check(process.process.poll() is None, "it ended")
            with socket.socket() as client:
                client.settimeout(0.5)
                try:
                    client.connect(("127.0.0.1", PORT + 4))
                    client.sendall(b"PING\r\n")
                    answered = client.recv(100)
                except OSError:
                    answered = b""
            check(answered == b"", f"it answers under a life that is not durable: {answered!r}")
            os.unlink(ballast)
            process.listens_on(PORT + 5)

            client = greet(PORT + 4)
            life, group, role, flags = status_of(client)
            check((group, role, flags & STATUS_DISK_ERROR) == ("", "unadopted", 0), f"{group} {role} {flags}")
            ballast = fill_disk(place)
            client.send("RESPITE", "LEARN", "main", f"1:{STRANGER}:1", topology_of(life))
            wait_until(lambda: status_of(client)[3] & STATUS_DISK_ERROR, 30, "STATUS shows the disk's error")
            check(status_of(client)[1:3] == ("", "unadopted"), f"it acts all the same: {status_of(client)}")
            os.unlink(ballast)
            wait_until(lambda: status_of(client)[1:3] == ("main", "master"), 30, "it goes on when there is room")
            check(status_of(client)[3] & STATUS_DISK_ERROR == 0, "STATUS still shows an error")
            client.close()
            said = process.end()
            check(said.count("cannot make node.state durable") == 2, said)


def test_sentinel_on_a_full_disk():
    """a sentinel that cannot keep its vote does not give it"""
    with small_disk(path("disk")) as place:
        ballast = fill_disk(place)
        arguments = ("-c", write("x.conf", sample("sentinel")), "--state_directory", place)
        done = run("sentinel", *arguments)
        check(done.returncode == 1 and "the state could not be made durable" in done.stderr, done.stderr)
        os.unlink(ballast)
        with Daemon("sentinel", *arguments) as process:
            process.listens_on(PORT + 2)
            client = greet(PORT + 2)
            check(client.read()[1] == b"HELLO", "HELLO")
            client.send("RESPITE", "PREPARE", "main", f"5:{STRANGER}:1")
            check(client.read()[1] == b"PROMISE", "a vote while there is room")
            fill_disk(place)
            client.send("RESPITE", "PREPARE", "main", f"6:{STRANGER}:1")
            try:
                raise AssertionError(f"it voted: {client.read()}")
            except ConnectionError:
                pass
            _, err = process.process.communicate(timeout=10)
            check(process.process.returncode == 1 and "the state could not be made durable" in err, err)


def test_threads():
    """a proxy of four threads answers on one port, and another proxy does not get the port"""
    file = write("proxy.conf", sample("proxy"))
    with Daemon("proxy", "-c", file, "--threads", "4") as process:
        process.listens_on(PORT)
        wait_until(lambda: len(os.listdir(f"/proc/{process.process.pid}/task")) >= 4, 30, "four threads")
        for _ in range(32):
            check(ask(PORT, "CLIENT ID").startswith(":"), "CLIENT ID")
        done = run("proxy", "-c", file, "--threads", "2")
        check(done.returncode == 1 and "Address already in use" in done.stderr, done.stderr)
        process.end()


def test_no_descriptor_is_left():
    """descriptors of closed connections are given back"""
    with Daemon("cacheworker", "--standalone", "--port", str(PORT + 5)) as process:
        process.listens_on(PORT + 5)
        listing = f"/proc/{process.process.pid}/fd"
        ask(PORT + 5, "PING")
        time.sleep(0.2)
        before = len(os.listdir(listing))
        clients = [socket.create_connection(("127.0.0.1", PORT + 5), 5) for _ in range(200)]
        for client in clients:
            client.sendall(b"PING\r\n")
            client.recv(100)
        check(len(os.listdir(listing)) == before + 200, "a connection is no descriptor")
        for client in clients:
            client.close()
        wait_until(lambda: len(os.listdir(listing)) == before, 30, "descriptors given back")
        process.end()


if __name__ == "__main__":
    write("secret", "a secret of this test\n", 0o600)
    try:
        tap.run([test_version_and_help, test_samples, test_bad_configurations, test_bad_command_lines, test_secret_mode,
                 test_start_and_end, test_busy_port, test_busy_directory, test_descriptors, test_standalone,
                 test_standalone_directory, test_snapshot_of_the_reference, test_corrupt_snapshot,
                 test_save_on_a_full_disk, test_read_only_directory, test_node_on_a_full_disk,
                 test_sentinel_on_a_full_disk, test_threads, test_no_descriptor_is_left])
    finally:
        shutil.rmtree(directory)
