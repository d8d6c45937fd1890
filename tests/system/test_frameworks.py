#!/usr/bin/python3
"""Libraries that stand on Redis, each doing its real job: at a worker by itself and through the proxy.

Those of Node.js stand in frameworks.js, those of Python here; what their workers do in celery_tasks.py, rq_tasks.py."""
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time

import redis
import tap
from appliance import SOURCE, wait_until
from places import NodeParts, places
from tap import check

PORT = 25530
NODE_PARTS = {
    "ioredis": "ioredis 6: scripts, transactions, channels",
    "ioredis waits": "ioredis 6: readers of lists and streams that wait",
    "ioredis-4": "ioredis 4: scripts, transactions, channels",
    "ioredis-4 waits": "ioredis 4: readers of lists and streams that wait",
    "redis": "node-redis: scripts, transactions with WATCH in a pool, patterns",
    "redis waits": "node-redis: readers of lists and streams that wait",
    "connect-redis": "connect-redis: two processes of a web application share their sessions",
    "rate-limiter-flexible": "rate-limiter-flexible: over ioredis and node-redis, and as a queue",
    "redlock": "redlock 5: no update is lost, only the owner releases, locks are extended while they are used",
    "redlock-4": "redlock 4: the same",
    "socket.io": "socket.io: two servers share rooms by channels, over ioredis and node-redis",
    "bullmq": "BullMQ: priorities, delays, retries, two workers, flows, a schedule, pause",
}


# --- python3-redis ---

def part_transactions(port):
    """python3-redis: transactions, with WATCH and again when somebody was faster"""
    client = redis.Redis(port=port, decode_responses=True)
    with client.pipeline() as pipeline:
        check(pipeline.set("a", 1).incr("a").lpush("l", "x").execute() == [True, 2, 1], "MULTI")
        pipeline.set("a", 5).lpush("a", "x").incr("a")
        replies = pipeline.execute(raise_on_error=False)
        check(replies[0] is True and replies[2] == 6 and "WRONGTYPE" in str(replies[1]), replies)
        pipeline.watch("a")
        client.set("a", 10)
        pipeline.multi()
        pipeline.set("a", 20)
        refused = False
        try:
            pipeline.execute()
        except redis.WatchError:
            refused = True
        check(refused and client.get("a") == "10", "WATCH")

    def transfer():
        own = redis.Redis(port=port, decode_responses=True)
        for _ in range(20):
            def move(pipeline):
                left, right = int(pipeline.get("left")), int(pipeline.get("right"))
                pipeline.multi()
                pipeline.mset({"left": left - 1, "right": right + 1})
            own.transaction(move, "left", "right")

    client.mset({"left": 100, "right": 0})
    threads = [threading.Thread(target=transfer) for _ in range(5)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        left, right = client.mget("left", "right")
        check(int(left) + int(right) == 100, f"{left} + {right}: half a transaction was seen")
    for thread in threads:
        thread.join()
    check(client.mget("left", "right") == ["0", "100"], "none is lost")


def part_scripts(port):
    """python3-redis: scripts, also in a pipeline and after the server forgot them; its Lock, which is made of them"""
    client = redis.Redis(port=port, decode_responses=True)
    script = client.register_script("local n = redis.call('INCRBY', KEYS[1], ARGV[1]) "
                                    "return {n, KEYS[1], false, {n * 2}}")
    check(script(keys=["n"], args=[5]) == [5, "n", None, [10]], "a script")
    client.script_flush()
    check(script(keys=["n"], args=[5]) == [10, "n", None, [20]], "sent whole again")
    with client.pipeline() as pipeline:
        script(keys=["n"], args=[1], client=pipeline)
        pipeline.get("n")
        check(pipeline.execute() == [[11, "n", None, [22]], "11"], "in a transaction")

    def count():
        own = redis.Redis(port=port, decode_responses=True)
        for _ in range(10):
            with own.lock("lock", timeout=30, sleep=0.002):
                number = int(own.get("sum"))
                time.sleep(0.001)
                own.set("sum", number + 1)

    client.set("sum", 0)
    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(client.get("sum") == "50" and not client.exists("lock"), f"{client.get('sum')} of 50")
    lock = client.lock("lock", timeout=1)
    check(lock.acquire() and not client.lock("lock").acquire(blocking=False), "it is held")
    check(lock.extend(100) and client.ttl("lock") > 90 and lock.owned(), "extended")
    client.set("lock", "somebody else's")
    refused = False
    try:
        lock.release()
    except redis.exceptions.LockNotOwnedError:
        refused = True
    check(refused and client.get("lock") == "somebody else's", "only the owner releases")


def part_waiting(port):
    """python3-redis: BLPOP, BLMOVE, BZPOPMIN and XREADGROUP wait, in the order in which they came; a listener"""
    client = redis.Redis(port=port, decode_responses=True)
    had = []

    def wait(number):
        own = redis.Redis(port=port, decode_responses=True, client_name=f"waiter-{number}")
        had.append((number, own.blpop(["queue", "urgent"], timeout=20)[1]))
        own.close()

    def waits(count):
        return sum(one["name"].startswith("waiter") and one["cmd"] == "blpop" for one in client.client_list()) == count

    threads = []
    for number in range(3):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        wait_until(lambda number=number: waits(number + 1), 30, f"waiter {number} waits")
    for job in "abc":
        client.rpush("queue", job)
        wait_until(lambda job=job: job in [value for _, value in had], 30, f"somebody has {job}")
    for thread in threads:
        thread.join()
    check(had == [(0, "a"), (1, "b"), (2, "c")], had)

    def later(command, *arguments):
        timer = threading.Timer(0.1, lambda: getattr(redis.Redis(port=port), command)(*arguments))
        timer.start()
        return timer

    later("rpush", "from", "x")
    check(client.blmove("from", "to", 20) == "x" and client.lrange("to", 0, -1) == ["x"], "BLMOVE")
    later("zadd", "board", {"x": 2})
    check(client.bzpopmin("board", 20) == ("board", "x", 2.0), "BZPOPMIN")
    client.xgroup_create("orders", "group", mkstream=True)
    later("xadd", "orders", {"order": 1})
    entries = client.xreadgroup("group", "one", {"orders": ">"}, block=20000)
    check(entries[0][1][0][1] == {"order": "1"}, entries)
    began = time.monotonic()
    check(client.brpop("nothing", timeout=1) is None and time.monotonic() - began > 0.99, "a wait that ends")

    heard = []
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.psubscribe(**{"news:*": heard.append})
    thread = listener.run_in_thread(sleep_time=0.01)
    wait_until(lambda: client.publish("news:1", "hello") == 1, 30, "the listener listens")
    wait_until(lambda: heard, 30, "it hears")
    thread.stop()
    thread.join()
    check((heard[0]["channel"], heard[0]["data"]) == ("news:1", "hello"), heard)


# --- workers ---

@contextlib.contextmanager
def worker(port, *command):
    """A process that works on tasks, for as long as the block runs; what it said, when the block fails."""
    environment = {**os.environ, "RESPITE_URL": f"redis://127.0.0.1:{port}/0", "PYTHONDONTWRITEBYTECODE": "1",
                   "PYTHONPATH": os.path.join(SOURCE, "tests/system")}
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen([sys.executable, "-m", *command], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, env=environment, cwd=directory)
        try:
            yield process
        except Exception as error:
            log.seek(0)
            raise AssertionError(f"{error}; {command[0]} said: {log.read()[-1000:]}") from error
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def part_celery(port):
    """Celery: results, errors, retries, a date, a group, a chain, a chord, and a worker that answers to its name"""
    os.environ["RESPITE_URL"] = f"redis://127.0.0.1:{port}/0"
    sys.modules.pop("celery_tasks", None)
    import celery_tasks as tasks  # pylint: disable=import-outside-toplevel
    from celery import chain, chord, group  # pylint: disable=import-outside-toplevel
    due = time.time() + 4
    with worker(port, "celery", "-A", "celery_tasks", "worker", "--concurrency", "2", "--loglevel", "INFO"):
        at_its_time = tasks.now.apply_async(countdown=4)
        check(tasks.add.delay(2, 3).get(timeout=30) == 5, "a result")
        check(group(tasks.add.s(number, number) for number in range(50))().get(timeout=30) ==
              [2 * number for number in range(50)], "a group")
        check(chain(tasks.add.s(1, 2), tasks.add.s(3), tasks.add.s(4))().get(timeout=30) == 10, "a chain")
        parts = [tasks.add.s(number, 1) for number in range(10)]
        check(chord(parts, tasks.total.s())().get(timeout=30) == 55, "a chord")
        failed = tasks.broken.delay()
        wait_until(failed.ready, 20, "the task that fails is over")
        check(failed.failed() and isinstance(failed.result, ValueError), failed.result)
        check(tasks.flaky.delay(3).get(timeout=30) == 3, "retries")
        check(len(tasks.app.control.ping(timeout=1)) == 1, "PING by way of channels")
        check(at_its_time.get(timeout=30) >= due - 0.01, "not before its time")
    tasks.app.close()


def part_rq(port):
    """rq: results, a failure with its reason, retries, dependencies, a date, who works"""
    import rq  # pylint: disable=import-outside-toplevel
    import rq_tasks as tasks  # pylint: disable=import-outside-toplevel
    from datetime import timedelta  # pylint: disable=import-outside-toplevel
    client = redis.Redis(port=port)
    high, low = rq.Queue("high", connection=client), rq.Queue("low", connection=client)
    first, second = low.enqueue(tasks.moment), high.enqueue(tasks.moment)
    due = int(time.time()) + 2  # rq counts in seconds
    late = low.enqueue_in(timedelta(seconds=2), tasks.moment)
    with worker(port, "rq.cli", "worker", "--url", f"redis://127.0.0.1:{port}/0", "--with-scheduler", "high", "low"):
        wait_until(lambda: first.get_status(refresh=True) == "finished", 20, "the first job")
        check(second.result < first.result, "the high queue comes first")
        job = low.enqueue(tasks.multiply, 6, 7)
        after = low.enqueue(tasks.multiply, 2, 3, depends_on=job)
        failing = low.enqueue(tasks.fail, retry=rq.Retry(max=2))
        wait_until(lambda: after.get_status(refresh=True) == "finished", 20, "the job behind another")
        check(job.result == 42 and after.result == 6, f"{job.result} {after.result}")
        wait_until(lambda: failing.get_status(refresh=True) == "failed", 20, "the job that fails")
        failing.refresh()
        check("this one always fails" in failing.exc_info, failing.exc_info)
        check(failing.retries_left == 0, f"{failing.retries_left} retries are left")
        check(failing.id in low.failed_job_registry.get_job_ids(), "it is in the registry of failures")
        check([one.queue_names() for one in rq.Worker.all(connection=client)] == [["high", "low"]], "who works")
        wait_until(lambda: late.get_status(refresh=True) == "finished", 20, "the late job")
        check(late.result >= due, f"{due - late.result} s before its time")


PARTS = [value for name, value in list(globals().items()) if name.startswith("part_")]


def python_test(part, ports):
    def test():
        for port in ports:
            redis.Redis(port=port).flushall()
            try:
                part(port)
            except (redis.RedisError, AssertionError) as error:
                raise AssertionError(f"port {port}: {error}") from error
    test.__doc__ = part.__doc__
    return test


with places(PORT) as ports:
    node = NodeParts("frameworks.js", ports)
    tap.run([node.test(*part) for part in NODE_PARTS.items()] + [node.test_known(NODE_PARTS)] +
            [python_test(part, ports) for part in PARTS])
