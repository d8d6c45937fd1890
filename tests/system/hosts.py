"""hosts: a whole appliance on hosts of its own: network namespaces on a bridge, whose links can be cut in one direction.

Each host is a namespace with one address; the bridge stands in a namespace too, so that nothing of the machine's own
network changes, and any number of sets stand side by side. A cut is a rule that drops what comes from one address, in
the namespace of the other host: nobody is told."""
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import tap
from appliance import Client, Steady, info, is_prefix, parse_history, wait_until
from tap import check

SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
WORKERS = ("worker-1", "worker-2", "worker-3")
HOSTS = ("proxy-1", *SENTINELS, *WORKERS, "client")
NETWORK = "10.213.7."
PORT, CONTROL = 6379, 6380
CLONE_NEWNET = 0x40000000  # linux/sched.h
libc = ctypes.CDLL(None, use_errno=True)


def need_namespaces():
    """Raises Skip where there is no root or no tool for it."""
    if os.geteuid() != 0:
        raise tap.Skip("network namespaces want root")
    for tool in ("ip", "iptables"):
        if shutil.which(tool) is None:
            raise tap.Skip(f"{tool} is missing")


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=20)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout


class HostClient(Client):
    """A RESP connection from one host to another."""

    def __init__(self, hosts, source, target, port=PORT, timeout=10):  # the parent's would connect from here
        self.socket = hosts.connect(source, target, port, timeout)
        self.file = self.socket.makefile("rb")


class Hosts:
    """Starts in __enter__; stops every process and takes the namespaces away in __exit__."""

    def __init__(self, tag, build, durability="async"):
        self.tag = f"rs{os.getpid()}{tag}"
        self.build = build
        self.durability = durability
        self.directory = tempfile.mkdtemp(prefix="respite-hosts-")
        self.processes = {}
        self.cuts = set()

    # --- the network ---

    def space(self, host):
        return f"{self.tag}-{host}"

    def address(self, host):
        return NETWORK + str(1 + HOSTS.index(host))

    def inside(self, host, *command):
        return ("ip", "netns", "exec", self.space(host), *command)

    def make_network(self):
        run("ip", "netns", "add", self.space("switch"))
        run(*self.inside("switch", "ip", "link", "add", "bridge", "type", "bridge"))
        run(*self.inside("switch", "ip", "link", "set", "bridge", "up"))
        for number, host in enumerate(HOSTS):
            run("ip", "netns", "add", self.space(host))
            run(*self.inside("switch", "ip", "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0",
                             "netns", self.space(host)))
            run(*self.inside("switch", "ip", "link", "set", f"port{number}", "master", "bridge", "up"))
            run(*self.inside(host, "ip", "address", "add", self.address(host) + "/24", "dev", "eth0"))
            run(*self.inside(host, "ip", "link", "set", "eth0", "up"))
            run(*self.inside(host, "ip", "link", "set", "lo", "up"))

    def take_network_away(self):
        for host in ("switch", *HOSTS):
            subprocess.run(("ip", "netns", "delete", self.space(host)), stderr=subprocess.DEVNULL, check=False)

    def cut(self, sources, targets):
        """Nothing from a source reaches a target from here on; the other direction stays."""
        for source in sources:
            for target in targets:
                if source != target and (source, target) not in self.cuts:
                    run(*self.inside(target, "iptables", "-w", "-A", "INPUT", "-s", self.address(source), "-j", "DROP"))
                    self.cuts.add((source, target))

    def cut_both(self, ones, others):
        self.cut(ones, others)
        self.cut(others, ones)

    def heal(self):
        for source, target in self.cuts:
            run(*self.inside(target, "iptables", "-w", "-D", "INPUT", "-s", self.address(source), "-j", "DROP"))
        self.cuts.clear()

    def connect(self, source, target, port, timeout):
        """A socket of the source's namespace: a thread enters it, and ends."""
        result = []

        def enter():
            with open(f"/run/netns/{self.space(source)}", "rb") as space:
                if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
                    result.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                result.append(socket.create_connection((self.address(target), port), timeout=timeout))
            except OSError as error:
                result.append(error)
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if isinstance(result[0], OSError):
            raise result[0]
        return result[0]

    def client(self, target, port=PORT, timeout=10):
        return HostClient(self, "client", target, port, timeout)

    # --- the processes ---

    def configuration(self, host):
        here = self.address(host)
        lines = [f'secret_file = "{self.directory}/secret";', f'pid_file = "{self.directory}/{host}/pid";',
                 f'log_file = "{self.directory}/{host}/log";']
        if host in SENTINELS:
            lines += [f'listen = [ "{here}:{PORT}" ];', f'state_directory = "{self.directory}/{host}";',
                      f'endpoint = "proxy";\nproxy = "{self.address("proxy-1")}:{PORT}";']
        elif host in WORKERS:
            lines += [f'bind = "{here}";\nport = {PORT};', f'control_listen = "{here}:{CONTROL}";',
                      f'dir = "{self.directory}/{host}";']
        else:
            sentinels = ", ".join(f'"{self.address(sentinel)}:{PORT}"' for sentinel in SENTINELS)
            lines += [f'listen = [ "{here}:{PORT}" ];', f'sentinels = [ {sentinels} ];']
        return "\n".join(lines) + "\n"

    def program(self, host):
        kind = "sentinel" if host in SENTINELS else "cacheworker" if host in WORKERS else "proxy"
        return os.path.join(self.build, f"respite-{kind}")

    def start(self, host):
        with open(os.path.join(self.directory, host, "output"), "ab") as output:
            self.processes[host] = subprocess.Popen(
                self.inside(host, self.program(host), "-c", f"{self.directory}/{host}/{host}.conf"),
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        wait_until(lambda: self.answers(host), 30, f"{host} listens")

    def answers(self, host):
        try:
            self.connect(host, host, PORT, 1).close()
            return True
        except OSError:
            check(self.processes[host].poll() is None, f"{host} ended at once; see {self.directory}")
            return False

    def kill(self, host):
        self.processes[host].kill()
        self.processes.pop(host).wait(10)

    def respitectl(self, verb, *arguments):
        return run(*self.inside("client", os.path.join(self.build, "respitectl"), verb, "--group", "main",
                                "--secret-file", f"{self.directory}/secret", *arguments))

    def create(self):
        arguments = []
        for sentinel in SENTINELS:
            arguments += ["--sentinel", f"{self.address(sentinel)}:{PORT}"]
        for worker in WORKERS:
            arguments += ["--spare" if worker == "worker-3" else "--worker",
                          f"{self.address(worker)}:{PORT},{self.address(worker)}:{CONTROL}"]
        self.respitectl("create", "--durability", self.durability, *arguments)

    def __enter__(self):
        try:
            self.make_network()
            with open(os.open(f"{self.directory}/secret", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(os.urandom(16).hex())
            for host in HOSTS[:-1]:
                os.mkdir(os.path.join(self.directory, host))
                with open(f"{self.directory}/{host}/{host}.conf", "w", encoding="ascii") as file:
                    file.write(self.configuration(host))
                self.start(host)
            self.create()
            self.wait_in_sync(30)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        self.take_network_away()
        if kind is None:
            shutil.rmtree(self.directory)
        else:
            print(f"# the logs are kept in {self.directory}", flush=True)

    # --- what they say ---

    def status(self):
        arguments = ["--endpoint", f"{self.address('proxy-1')}:{PORT}", "--json"]
        for host in HOSTS[:-1]:
            pid = self.processes[host].pid if host in self.processes else 0
            kind = host.split("-", maxsplit=1)[0]
            control = f",{self.address(host)}:{CONTROL}" if host in WORKERS else ""
            arguments += ["--process", f"{host},{kind},{self.address(host)}:{PORT}{control},{pid}"]
        return json.loads(self.respitectl("status", *arguments))

    def roles(self):
        """The workers by role, and the epoch."""
        status = self.status()
        roles = {process["role"]: process["name"] for process in status["processes"] if process["kind"] == "worker"}
        return {**roles, "master": status["master"], "epoch": status["epoch"]}

    def topology(self, host):
        client = self.client(host)
        text = client.call("RESPITE", "TOPOLOGY").decode()
        client.close()
        return text

    def in_sync(self):
        return sum(line.startswith("in-sync ") for line in self.topology("sentinel-1").splitlines())

    def wait_in_sync(self, seconds=30):
        """A master that answers, and a replica in the in-sync set."""
        def answers():
            try:
                client = self.client("proxy-1", timeout=2)
                answer = client.call("SET", "respite:hosts", "1")
                client.close()
            except OSError:
                return False
            return answer == "OK" and self.in_sync() == 1
        wait_until(answers, seconds, "a master that answers, with a replica in sync")

    def disagreement(self):
        topologies = {host: self.topology(host) for host in self.processes}
        if len(set(topologies.values())) != 1:
            return f"topologies: {topologies}"
        roles, histories = self.roles(), {}
        for role in ("replica", "master"):  # whose history grows meanwhile comes last
            client = self.client(roles[role])
            histories[role] = parse_history(info(client, "respite")["respite_history"])
            client.close()
        return None if is_prefix(histories["replica"], histories["master"]) else f"histories: {histories}"

    def check_agreed(self, seconds=20):
        """All know one topology, and the replica's history is the beginning of the master's."""
        end = time.monotonic() + seconds
        while (different := self.disagreement()) is not None:
            check(time.monotonic() < end, different)
            time.sleep(0.2)

    def steady(self):
        """The load of tests/system/steady, from the client's host through the proxy."""
        return Steady(PORT, self.build, connections=20, period_ms=20, host=self.address("proxy-1"),
                      prefix=self.inside("client"))
