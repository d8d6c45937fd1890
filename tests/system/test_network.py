#!/usr/bin/python3
"""Networks that fall apart, on hosts in namespaces: who acknowledges, who is promoted, and that all come together again.

Each scene has a set of hosts of its own, and several run side by side: they mostly wait."""
import queue
import threading
import time

import tap
from appliance import build_directory, info, wait_until
from hosts import SENTINELS, Hosts, need_namespaces
from tap import check, say

LANES = 4
BUILD = build_directory()


class Scribe:
    """Writes to one worker from the client's host, one command after the other, and notes when it was told OK."""

    def __init__(self, hosts, target):
        self.hosts, self.target = hosts, target
        self.times = []
        self.ends = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client, number = None, 0
        while not self.ends:
            try:
                client = client or self.hosts.client(self.target, timeout=1)
                number += 1
                if client.call("SET", f"scribe:{self.target}:{number}", number) == "OK":
                    self.times.append(time.monotonic())
            except OSError:
                client = None  # a reply that comes later than the next command could not be told from its own
            time.sleep(0.005)

    def stop(self):
        self.ends = True
        self.thread.join()
        return self.times


def check_clean(result):
    for name in ("closed", "errors", "unanswered", "wrong", "lost_inside"):
        check(result[name] == 0, f"{name}: {result[name]}; the first error: {result['first_error']}")


def finish(hosts, steady):
    hosts.heal()
    hosts.wait_in_sync(60)
    time.sleep(1)
    result = steady.stop()
    check_clean(result)
    hosts.check_agreed()
    return result


def knows_losses(hosts, sentinel):
    return "lost_known_bytes=0" not in hosts.client(sentinel).call("INFO", "respite").decode()


def lose_master(hosts, cut, expects_both_directions=True):
    """The master is cut off, so that another is chosen; the old one has ceased before that one begins."""
    before = hosts.roles()
    old, new = before["master"], before["replica"]
    steady, scribes = hosts.steady(), (Scribe(hosts, old), Scribe(hosts, new))
    time.sleep(2)
    cut(old, new)
    wait_until(lambda: hosts.roles()["master"] == new, 20, "the replica is master")
    time.sleep(3)
    last, first = scribes[0].stop(), scribes[1].stop()
    check(last and first, f"{old} acknowledged {len(last)}, {new} {len(first)} writes")
    check(last[-1] < first[0], f"{old} acknowledged {round((last[-1] - first[0]) * 1000)} ms after {new} had begun to")
    result = finish(hosts, steady)
    check(hosts.roles()["epoch"] == before["epoch"] + 1 or not expects_both_directions, f"{hosts.roles()}")
    if hosts.durability == "sync":
        check(result["lost"] == 0, f"{result['lost']} acknowledged writes are lost")
    check(result["lost"] == 0 or result["lost_age_ms"] <= 2000, f"one was lost that was {result['lost_age_ms']} ms old")
    if result["lost"] > 0:  # the old master's host was heard again, with what it had for itself
        wait_until(lambda: all(knows_losses(hosts, name) for name in SENTINELS), 5,
                   f"{result['lost']} are lost, and every sentinel knows of some")
    check(result["outage_ms"] <= 8000, f"writes stood still for {result['outage_ms']} ms")
    return (f"the new master began {round((first[0] - last[-1]) * 1000)} ms after the old one's last word; writes stood "
            f"still for {result['outage_ms']} ms, {result['lost']} of {result['sets']} acknowledged lost")


def keep_master(hosts, cut, seconds):
    """Something is cut, and the master stays: no epoch, and writes go on."""
    before = hosts.roles()
    steady = hosts.steady()
    time.sleep(2)
    cut(before["master"], before["replica"])
    time.sleep(seconds)
    during = hosts.roles()
    result = finish(hosts, steady)
    check(during["master"] == before["master"] and during["epoch"] == before["epoch"], f"{before} became {during}")
    check(result["lost"] == 0 and result["uncertain"] == 0, f"{result['lost']} lost, {result['uncertain']} uncertain")
    return result


# --- the scenes ---

def from_sentinels_and_replica(hosts):
    """the master is cut from the sentinels and the replica, not from the proxy"""
    return lose_master(hosts, lambda old, new: hosts.cut_both([old], [*SENTINELS, new]))


def from_sentinels_and_replica_in_sync(hosts):
    """the same in sync: nothing acknowledged is lost"""
    return lose_master(hosts, lambda old, new: hosts.cut_both([old], [*SENTINELS, new]))


def to_sentinels(hosts):
    """the sentinels do not hear the master"""
    return lose_master(hosts, lambda old, _: hosts.cut([old], SENTINELS))


def by_sentinels(hosts):
    """the master does not hear the sentinels"""
    return lose_master(hosts, lambda old, _: hosts.cut(SENTINELS, [old]))


def whole_host(hosts):
    """the master's host is gone from the network: half-open connections everywhere"""
    return lose_master(hosts, lambda old, _: hosts.cut_both(
        [old], [*SENTINELS, "proxy-1", "client", "worker-1", "worker-2", "worker-3"]))


def one_sentinel(hosts):
    """a sentinel is cut off, and comes back"""
    others = ["sentinel-1", "sentinel-2", "worker-1", "worker-2", "worker-3", "proxy-1"]
    result = keep_master(hosts, lambda *_: hosts.cut_both(["sentinel-3"], others), 9)
    check(result["outage_ms"] < 3000, f"writes stood still for {result['outage_ms']} ms")
    return f"the longest time without a write was {result['outage_ms']} ms"


def replica_from_master(hosts):
    """the replica is cut from the master only: it leaves the set by commit, and returns"""
    sizes = []

    def cut(master, replica):
        hosts.cut_both([master], [replica])
        wait_until(lambda: hosts.in_sync() == 0, 30, "the replica has left the set")
        sizes.append(hosts.in_sync())
    result = keep_master(hosts, cut, 5)
    check(sizes == [0], f"{sizes}")
    check(result["outage_ms"] < 3000, f"writes stood still for {result['outage_ms']} ms")
    return f"writes were held for {result['outage_ms']} ms at most"


def replica_from_master_in_sync(hosts):
    """the same in sync: writes wait until the set is shrunk"""
    return replica_from_master(hosts)


def proxy_from_sentinels(hosts):
    """the proxy is cut from the sentinels only: it serves, and switches when it hears of the new master"""
    result = keep_master(hosts, lambda *_: hosts.cut_both(["proxy-1"], SENTINELS), 8)
    check(result["outage_ms"] < 3000, f"writes stood still for {result['outage_ms']} ms")
    roles = hosts.roles()
    steady = hosts.steady()
    time.sleep(2)
    hosts.cut_both(["proxy-1"], SENTINELS)
    hosts.kill(roles["master"])
    time.sleep(10)  # the sentinels have chosen; the proxy cannot know
    begun = time.monotonic()
    hosts.heal()
    client = hosts.client("proxy-1", timeout=30)
    check(client.call("SET", "heard", "1") == "OK", "the proxy does not find the new master")
    took_ms = round((time.monotonic() - begun) * 1000)
    check(took_ms < 10000, f"the proxy needed {took_ms} ms to find the new master")
    hosts.start(roles["master"])
    hosts.wait_in_sync(60)
    result = steady.stop()
    check_clean(result)
    hosts.check_agreed()
    return f"it switched {took_ms} ms after it could hear again"


def flapping(hosts):
    """the master's link is up for 3 s and down for 3 s, and then well"""
    before = hosts.roles()
    steady = hosts.steady()
    time.sleep(1)
    for _ in range(4):
        hosts.cut_both([before["master"]], [*SENTINELS, before["replica"]])
        time.sleep(3)
        hosts.heal()
        time.sleep(3)
    result = finish(hosts, steady)
    worker = hosts.client(hosts.roles()["master"])
    check(info(worker, "respite")["respite_role"] == "master", "there is no master")
    return f"epoch {before['epoch']} became {hosts.roles()['epoch']}; the longest time without a write was " \
           f"{result['outage_ms']} ms"


SCENES = (from_sentinels_and_replica, from_sentinels_and_replica_in_sync, to_sentinels, by_sentinels, whole_host,
          one_sentinel, replica_from_master, replica_from_master_in_sync, proxy_from_sentinels, flapping)
outcomes = {}


def lane(number, scenes):
    while True:
        try:
            scene = scenes.get_nowait()
        except queue.Empty:
            return
        durability = "sync" if scene.__name__.endswith("_in_sync") else "async"
        try:
            with Hosts(f"l{number}", BUILD, durability) as hosts:
                outcomes[scene] = scene(hosts)
        except Exception as error:  # of a thread: the test of that scene raises it
            outcomes[scene] = error


def play_all():
    """hosts in network namespaces can be made, and all scenes were played"""
    need_namespaces()
    scenes = queue.SimpleQueue()
    for scene in SCENES:
        scenes.put(scene)
    lanes = [threading.Thread(target=lane, args=(number, scenes)) for number in range(LANES)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()


def outcome_of(scene):
    def test():
        need_namespaces()
        outcome = outcomes[scene]
        if isinstance(outcome, Exception):
            raise outcome
        say(outcome)
    test.__doc__ = scene.__doc__
    return test


tap.run([play_all, *map(outcome_of, SCENES)])
