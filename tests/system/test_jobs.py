#!/usr/bin/python3
"""What users have a cache for, as their applications do it, in ioredis and python3-redis: at a worker and by the proxy.

The jobs of ioredis stand in jobs.js; those of python3-redis here."""
import collections
import concurrent.futures
import json
import random
import struct
import threading
import time

import redis
import tap
from appliance import wait_until
from places import NodeParts, places
from tap import check

PORT = 25430  # and the 40 behind it
ROUNDING = 0.003  # seconds

NODE_JOBS = {
    "cacheAside": "a cache in front of an origin: filled at a miss, forgotten at an update, gone at its date",
    "jitter": "keys that are written at once with lives of their own go one by one, each at its date",
    "bulk": "1,000 keys are read, written and deleted in pipelines; an error is that of one command",
    "stampede": "of twenty that miss the same key at once, one asks the origin",
    "objects": "objects as hashes: parts of them read, changed and counted, the life of the whole kept",
    "sessions": "sessions that live while they are used, and all of a user's ended at once",
    "leaderboard": "the best hundred in a sorted set, with rank and score, pages, and a ranking of friends",
    "uniqueVisitors": "HyperLogLog: visitors of pages, and of pages together, within the promised error",
    "counters": "twenty connections count: each answer is another number; sums, resets, an overflow refused",
    "fixedWindow": "a rate limit by a counter with a life: no more than allowed, and anew after the window",
    "slidingWindow": "a rate limit by a sorted set of dates",
    "locks": "SET NX PX as a lock: no update is lost, only the owner releases, a dead owner's lock ends",
    "namespaces": "SCAN finds the keys of an application, by pattern and type, while others have theirs",
    "keyBrowser": "type, life, memory, idle time and dump of every type, HSCAN, RENAME, RESTORE",
    "monitor": "hit rate and memory from INFO",
    "connection": "lazy connect, ready check, reconnect in the same database, automatic pipelines",
    "scriptedLookup": "a script tells one of twenty to fetch what is missing; it is sent again when it was forgotten",
    "scriptedLimit": "a script counts and gives the counter its life",
    "versionedUpdate": "a script refuses to overwrite what is newer, by the JSON that is there",
    "scriptedWindow": "a script keeps a sliding window",
    "tokenBucket": "a script keeps a bucket of tokens in a hash",
    "scriptedLock": "scripts release and extend a lock, for its owner only",
}


# --- python3-redis: each job is a function of a client; the database is empty, and nobody else writes to it ---

def expires(client, key, life, write):
    """`write` gives the key so many seconds to live: it is there before they are over, and not there after."""
    sent = time.monotonic()
    write()
    answered = time.monotonic()
    while True:
        asked = time.monotonic()
        if not client.exists(key):
            check(time.monotonic() >= sent + life - ROUNDING, f"{key} was gone too early")
            return
        check(asked <= answered + life + ROUNDING, f"{key} was there too long")
        time.sleep(0.005)


def together(count, port, work):
    """Runs work(client, number) in so many threads at once, each with a client of its own; what they returned."""
    barrier = threading.Barrier(count)

    def one(number):
        client = redis.Redis(port=port, decode_responses=True)
        client.ping()
        barrier.wait(30)
        result = work(client, number)
        client.close()
        return result

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def refused(write):
    """What the server says to a write, when it refuses it."""
    try:
        write()
    except redis.ResponseError as error:
        return str(error)
    return ""


def job_flash_sale(client, port):
    """a hundred packets, thirty who grab: each packet is had once, and the stock never goes below nothing"""
    packets = [f"packet:{number}" for number in range(100)]
    client.rpush("sale:packets", *packets)
    client.set("sale:stock", 100)

    def grab(own, number):
        taken = []
        while (packet := own.lpop("sale:packets")) is not None:
            own.hset("sale:owners", packet, number)
            taken.append((packet, own.decr("sale:stock")))
        return taken

    taken = [pair for each in together(30, port, grab) for pair in each]
    check(sorted(packet for packet, _ in taken) == sorted(packets), "a packet was had twice, or by nobody")
    check(sorted(left for _, left in taken) == list(range(100)), "two saw the same stock")
    check(client.hlen("sale:owners") == 100 and client.exists("sale:packets") == 0, "owners, and an empty list is none")


def job_reliable_queue(client, port):
    """a list as a queue, whose jobs move to the worker's own list while they are done: none is lost with a worker"""
    client.lpush("queue:jobs", *(f"job:{number}" for number in range(60)))

    def work(own, number):
        mine, done = f"queue:of:{number}", []
        while (job := own.lmove("queue:jobs", mine, "RIGHT", "LEFT")) is not None:
            if number == 0 and len(done) == 3:
                return done  # it dies with a job in its hands
            done.append(job)
            check(own.lrem(mine, 1, job) == 1, f"{job} is not in {mine}")
        return done

    done = [job for each in together(4, port, work) for job in each]
    left = client.lrange("queue:of:0", 0, -1)
    check(len(left) == 1 and client.llen("queue:jobs") == 0, f"left: {left}")
    check(client.rpoplpush("queue:of:0", "queue:jobs") == left[0] == client.rpop("queue:jobs"), "taken back")
    check(sorted(done + left) == sorted(f"job:{number}" for number in range(60)), "done once each")


def job_latest(client, port):
    """the latest of a feed: a list that is kept short, read by pages, from either end"""
    with client.pipeline(transaction=False) as pipeline:
        for number in range(500):
            pipeline.lpush("feed:user", f"post:{number}").ltrim("feed:user", 0, 99)
        pipeline.execute()
    check(client.llen("feed:user") == 100, "the latest hundred")
    check(client.lrange("feed:user", 0, 2) == ["post:499", "post:498", "post:497"], "the first page")
    check(client.lrange("feed:user", 97, 200) == ["post:402", "post:401", "post:400"], "the last page")
    check(client.lindex("feed:user", -1) == "post:400" and client.lpos("feed:user", "post:450") == 49, "LINDEX, LPOS")
    check(client.linsert("feed:user", "BEFORE", "post:450", "advertisement") == 101, "LINSERT")
    check(client.lrange("feed:user", 48, 50) == ["post:451", "advertisement", "post:450"], "in its place")
    check(client.lrem("feed:user", 0, "advertisement") == 1 and client.lset("feed:user", 0, "new"), "LREM, LSET")
    check(client.lpushx("feed:nobody", "post") == 0 and client.exists("feed:nobody") == 0, "LPUSHX")


def job_delayed(client, port):
    """tasks with a date in a sorted set: whoever removes one has it, so each is done once and none before its date"""
    now = time.time()
    client.zadd("delayed", {f"task:{number}": now + number * 0.005 for number in range(60)})

    def work(own, number):
        had = []
        while own.zcard("delayed") > 0:
            for task, due in own.zrangebyscore("delayed", "-inf", time.time(), start=0, num=5, withscores=True):
                if own.zrem("delayed", task):
                    check(time.time() >= due, f"{task} was done too early")
                    had.append(task)
            time.sleep(0.002)
        return had

    had = [task for each in together(4, port, work) for task in each]
    check(sorted(had) == sorted(f"task:{number}" for number in range(60)), "once each")
    client.zadd("priorities", {"low": 1, "high": 9, "middle": 5})
    check(client.zpopmax("priorities") == [("high", 9.0)] and client.zpopmin("priorities", 2) ==
          [("low", 1.0), ("middle", 5.0)] and client.zpopmax("priorities") == [], "priorities")


def job_stream_groups(client, port):
    """a stream and groups: each entry goes to one of a group, to every group, stays pending until it is acknowledged"""
    client.xgroup_create("orders", "payment", id="0", mkstream=True)
    client.xgroup_create("orders", "mail", id="0")
    ids = [client.xadd("orders", {"order": number}) for number in range(200)]
    check(ids == sorted(ids, key=lambda text: tuple(map(int, text.split("-")))) and len(set(ids)) == 200, "ids grow")

    def consume(own, number):
        had = []
        while entries := own.xreadgroup("payment", f"consumer-{number}", {"orders": ">"}, count=7):
            for entry, fields in entries[0][1]:
                had.append((entry, fields["order"]))
                if number > 0 or len(had) > 5:  # what consumer-0 had first, it dies with
                    check(own.xack("orders", "payment", entry) == 1, "XACK")
        return had

    had = [pair for each in together(4, port, consume) for pair in each]
    check(sorted(order for _, order in had) == sorted(map(str, range(200))), "each went to one of the group")
    pending = client.xpending("orders", "payment")
    dead = [entry["message_id"] for entry in client.xpending_range("orders", "payment", "-", "+", 10)]
    check(pending["pending"] == len(dead) <= 5, f"{pending} {dead}")
    if dead:
        claimed = client.xautoclaim("orders", "payment", "consumer-9", min_idle_time=0)
        check([entry for entry, _ in claimed[1]] == dead, f"{claimed} {dead}")
        check(client.xack("orders", "payment", *dead) == len(dead), "the heir acknowledges")
    check(client.xpending("orders", "payment")["pending"] == 0, "nothing is pending")
    check(len(client.xreadgroup("mail", "m", {"orders": ">"}, count=500)[0][1]) == 200, "the other group has all")
    check(len(client.xreadgroup("mail", "m", {"orders": "0"}, count=500)[0][1]) == 200, "its own history")
    groups = {group["name"]: (group["pending"], group["last-delivered-id"]) for group in client.xinfo_groups("orders")}
    check(groups == {"payment": (0, ids[-1]), "mail": (200, ids[-1])}, groups)


def job_event_log(client, port):
    """a stream as a log of events: ranges of time, forwards and backwards, kept short by length and by age"""
    for second in range(100):
        client.xadd("log", {"level": "info", "second": second}, id=f"{1000 + second}-0")
    check([fields["second"] for _, fields in client.xrange("log", 1010, 1012)] == ["10", "11", "12"], "XRANGE")
    check([entry for entry, _ in client.xrevrange("log", count=2)] == ["1099-0", "1098-0"], "XREVRANGE")
    check(client.xread({"log": "1097-0"})[0][1][0][0] == "1098-0", "XREAD goes on behind")
    check(client.xread({"log": "1099-0"}) == [], "nothing is new")
    check(client.xtrim("log", minid="1050", approximate=False) == 50 and client.xlen("log") == 50, "by age")
    client.xadd("log", {"level": "info"}, id="2000-0", maxlen=10, approximate=False)
    check(client.xlen("log") == 10 and client.xrange("log", count=1)[0][0] == "1091-0", "by length")
    check(client.xdel("log", "1095-0") == 1 and client.xlen("log") == 9, "XDEL")
    late = refused(lambda: client.xadd("log", {"level": "late"}, id="1999-0"))
    check("equal or smaller" in late, f"an entry before the last one: {late}")


CITIES = {"Paris": (2.3522, 48.8566), "London": (-0.1276, 51.5074), "Berlin": (13.4050, 52.5200),
          "Brussels": (4.3517, 50.8503), "Amsterdam": (4.9041, 52.3676), "Madrid": (-3.7038, 40.4168)}


def job_nearby(client, port):
    """places near a place: by circle and box, nearest first, with distances; distances as on a globe"""
    client.geoadd("cities", [part for name, where in CITIES.items() for part in (*where, name)])
    near = client.geosearch("cities", longitude=4.35, latitude=50.85, radius=300, unit="km", sort="ASC", withdist=True)
    check([name for name, _ in near] == ["Brussels", "Amsterdam", "Paris"], near)
    check(abs(float(near[1][1]) - 173) < 3 and abs(float(near[2][1]) - 264) < 3, near)
    check(abs(client.geodist("cities", "Paris", "London", unit="km") - 343.5) < 1, "GEODIST")
    check(client.geosearch("cities", member="Berlin", width=1400, height=600, unit="km", count=2, sort="ASC") ==
          ["Berlin", "Amsterdam"], "a box")
    for name, place in zip(CITIES, client.geopos("cities", *CITIES)):
        check(max(abs(a - b) for a, b in zip(place, CITIES[name])) < 0.0001, f"{name} is at {place}")
    check(client.geosearchstore("near", "cities", member="Paris", radius=500, unit="km", storedist=True) == 4, "STORE")
    check(client.zrange("near", 0, -1) == ["Paris", "Brussels", "London", "Amsterdam"], "by distance")
    check(client.zrem("cities", "Madrid") == 1 and client.geopos("cities", "Madrid") == [None], "a place that is gone")


def job_attendance(client, port):
    """a bit per user and day: who came, how many, who came on all days or any, the first who did not; small fields"""
    days = {"day:1": range(0, 10000, 2), "day:2": range(0, 10000, 3), "day:3": range(0, 10000, 5)}
    for day, users in days.items():
        with client.pipeline(transaction=False) as pipeline:
            for user in users:
                pipeline.setbit(day, user, 1)
            pipeline.execute()
    check([client.bitcount(day) for day in days] == [5000, 3334, 2000], "BITCOUNT")
    check([client.getbit("day:1", user) for user in (9998, 9999, 1 << 20)] == [1, 0, 0], "GETBIT")
    client.bitop("AND", "all", *days)
    client.bitop("OR", "any", *days)
    check(client.bitcount("all") == len(range(0, 10000, 30)), "on all days")
    check(client.bitcount("any") == len(set().union(*days.values())), "on any")
    check(client.bitpos("any", 0) == 1 and client.bitpos("all", 1, 1) == 30, "BITPOS")
    field = client.bitfield("levels", default_overflow="SAT")
    check(field.set("u4", "#3", 14).incrby("u4", "#3", 5).get("u4", "#3").execute() == [0, 15, 15], "BITFIELD")


def job_tags(client, port):
    """answers under tags: all of a tag are forgotten at once; sets of friends, of what both like, a lottery"""
    for number in range(50):
        client.set(f"page:{number}", "html", ex=100)
        client.sadd(f"tag:{number % 5}", f"page:{number}")
        client.sadd("tag:all", f"page:{number}")
    check(client.unlink(*client.smembers("tag:3"), "tag:3") == 11 and client.exists("page:3", "page:4") == 1, "tag 3")
    check(client.sdiff("tag:all", *(f"tag:{number}" for number in (0, 1, 2, 4))) == {f"page:{3 + 5 * number}"
                                                                                     for number in range(10)}, "SDIFF")
    client.sadd("friends:a", "x", "y", "z")
    client.sadd("friends:b", "y", "z", "w")
    check(client.sinter("friends:a", "friends:b") == {"y", "z"}, "in common")
    check(client.sintercard(2, ["friends:a", "friends:b"]) == 2, "how many in common")
    check(client.sunionstore("friends:both", "friends:a", "friends:b") == 4, "together")
    check(client.smismember("friends:a", ["x", "w"]) in ([1, 0], [True, False]), "SMISMEMBER")
    check(client.smove("friends:a", "friends:b", "x") and client.sismember("friends:b", "x"), "SMOVE")
    tickets = {f"ticket:{number}" for number in range(1000)}
    client.sadd("lottery", *tickets)
    seen = set(client.srandmember("lottery", 100))
    check(len(seen) == 100 and seen < tickets and client.scard("lottery") == 1000, "drawn and put back")
    winners = [client.spop("lottery") for _ in range(500)] + client.spop("lottery", 500)
    check(set(winners) == tickets and len(winners) == 1000 and client.exists("lottery") == 0, "each wins once")


def job_lottery_is_fair(client, port):
    """SRANDMEMBER prefers nobody: chi-squared of 20,000 draws among twenty, from a small set and a big table"""
    for key, count in (("fair:small", 20), ("fair:big", 1000)):
        client.sadd(key, *(f"member of {key} {number}" for number in range(count)))
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(20):
                pipeline.srandmember(key, -1000)
            drawn = collections.Counter(member for some in pipeline.execute() for member in some)
        expected = 20000 / count
        chi = sum((drawn[member] - expected) ** 2 / expected for member in client.smembers(key))
        bound = (count - 1) + 8 * (2 * (count - 1)) ** 0.5  # eight standard deviations above the mean
        check(chi < bound, f"{key}: chi-squared is {chi:.0f}, the bound {bound:.0f}")


def job_autocomplete(client, port):
    """words that begin alike, in the order of the alphabet, from a sorted set whose scores are all the same"""
    words = ["ape", "apple", "applet", "apply", "banana", "band", "Zebra", "äpfel"]
    client.zadd("words", dict.fromkeys(words, 0))

    def begin(prefix, count=10):
        return client.zrangebylex("words", f"[{prefix}", f"({prefix}\xff", start=0, num=count)

    check([begin("app"), begin("ban", 1), begin("x")] == [["apple", "applet", "apply"], ["banana"], []], "ZRANGEBYLEX")
    check(client.zrange("words", 0, -1) == sorted(words, key=str.encode), "the order of bytes")
    check(client.zlexcount("words", "-", "+") == 8, "ZLEXCOUNT")
    check(client.zremrangebylex("words", "[app", "(b") == 3, "ZREMRANGEBYLEX")


def job_inventory(client, port):
    """a basket and a stock as hashes: ten buyers take from the same stock, and what is sold is what is missing"""
    client.hset("stock", mapping={f"article:{number}": 20 for number in range(5)})

    def buy(own, number):
        chance, bought = random.Random(number), collections.Counter()
        for _ in range(30):
            article = f"article:{chance.randrange(5)}"
            if own.hincrby("stock", article, -1) < 0:
                own.hincrby("stock", article, 1)  # there was none left
            else:
                bought[article] += 1
                own.hincrby(f"basket:{number}", article, 1)
        return bought

    bought = sum(together(10, port, buy), collections.Counter())
    stock = {article: int(left) for article, left in client.hgetall("stock").items()}
    check(min(stock.values()) >= 0, f"{stock}")
    check(all(stock[article] + bought[article] == 20 for article in stock), f"{stock} {bought}")
    baskets = sum((collections.Counter({article: int(count) for article, count in client.hgetall(key).items()})
                   for key in client.scan_iter("basket:*")), collections.Counter())
    check(baskets == bought, f"{baskets} {bought}")


def job_seen_before(client, port):
    """once only: a bloom filter of bits knows all that it has seen; SET NX tells a message from its repetition"""
    def positions(word):
        chance = random.Random(word)
        return [chance.randrange(1 << 16) for _ in range(5)]

    def ask(words):
        with client.pipeline(transaction=False) as pipeline:
            for word in words:
                for position in positions(word):
                    pipeline.getbit("bloom", position)
            bits = pipeline.execute()
        return [all(bits[at:at + 5]) for at in range(0, len(bits), 5)]

    known, unknown = [f"known {number}" for number in range(1000)], [f"unknown {number}" for number in range(1000)]
    with client.pipeline(transaction=False) as pipeline:
        for word in known:
            for position in positions(word):
                pipeline.setbit("bloom", position, 1)
        pipeline.execute()
    check(all(ask(known)) and sum(ask(unknown)) < 10, "the filter")
    got = together(10, port, lambda own, _: [bool(own.set(f"message:{word}", 1, nx=True, ex=60)) for word in range(50)])
    check(all(sum(each[word] for each in got) == 1 for word in range(50)), "each message is new to one of ten")


def job_verification_code(client, port):
    """a code that is good once, for a while, and for three guesses; a new one no more often than every while"""
    def send(user, code):
        if not client.set(f"code:wait:{user}", 1, nx=True, px=300):
            return False
        client.set(f"code:{user}", code, ex=60)
        client.delete(f"code:guesses:{user}")
        return True

    def verify(user, guess):
        if client.incr(f"code:guesses:{user}") > 3:
            return False
        client.expire(f"code:guesses:{user}", 60)
        return client.get(f"code:{user}") == guess and client.getdel(f"code:{user}") == guess

    sent = time.monotonic()
    check(send("u", "123456"), "the first code")
    again = send("u", "654321")
    check(not again or time.monotonic() >= sent + 0.3 - ROUNDING, "another one too soon")
    if not again:
        check(not verify("u", "000000") and verify("u", "123456") and not verify("u", "123456"), "good once")
    wait_until(lambda: not client.exists("code:wait:u"), 30, "the wait is over")
    check(send("u", "111111"), "another code")
    check([verify("u", guess) for guess in ("1", "2", "3", "111111")] == [False] * 4, "guessing")


def job_big_values(client, port):
    """values of any bytes: pictures of 5 MB, numbers packed by the client, parts of a value read and written"""
    own = redis.Redis(port=port)
    picture = random.Random(1).randbytes(5 << 20)
    check(own.set("picture", picture, ex=60) and own.get("picture") == picture, "5 MB")
    check(own.getrange("picture", 1 << 20, (1 << 20) + 99) == picture[1 << 20:(1 << 20) + 100], "GETRANGE")
    numbers = struct.pack("<1000d", *(number / 7 for number in range(1000)))
    own.set("series", numbers)
    own.setrange("series", 8 * 500, struct.pack("<d", -1.5))
    check(struct.unpack("<d", own.getrange("series", 4000, 4007)) == (-1.5,), "SETRANGE")
    check(own.strlen("series") == 8000, "STRLEN")
    document = {"text": "Łódź \u2028 \0", "list": [1, 2.5, None]}
    own.set("json", json.dumps(document))
    check(json.loads(own.get("json")) == document, "JSON")
    check(own.mget("picture", "none", "json")[1] is None, "MGET")


def job_expiring_places(client, port):
    """who is here: members with a date in a sorted set, fields that expire by themselves; all ways to give a date"""
    now = 1_700_000_000
    client.zadd("online", {f"user:{number}": now + number for number in range(100)})
    check(client.zremrangebyscore("online", "-inf", f"({now + 90}") == 90 and client.zcard("online") == 10, "who left")
    client.set("date", "x")
    for write in (lambda: client.pexpire("date", 200), lambda: client.psetex("date", 200, "y"),
                  lambda: client.set("date", "z", px=200), lambda: client.getex("date", px=200)):
        client.set("date", "x")
        expires(client, "date", 0.2, write)
    client.set("date", "x", ex=100)
    check(client.expire("date", 50) and 48 <= client.ttl("date") <= 50 and client.persist("date"), "EXPIRE, PERSIST")
    check(client.expireat("date", int(time.time()) - 1) and not client.exists("date"), "a date that is past")
    client.hset("devices", mapping={"phone": "1", "laptop": "2"})
    check(client.execute_command("HPEXPIRE", "devices", 100, "FIELDS", 1, "phone") == [1], "HPEXPIRE")
    wait_until(lambda: client.hgetall("devices") == {"laptop": "2"}, 30, "the phone is gone")


def job_notifications(client, port):
    """copies of values in the memory of a process, which hears of each key that is written, deleted or expires"""
    events = client.config_get("notify-keyspace-events")["notify-keyspace-events"]
    client.config_set("notify-keyspace-events", "Kg$x")
    listener = client.pubsub(ignore_subscribe_messages=True)
    try:
        listener.psubscribe("__keyspace@0__:copy:*")
        copies = {}

        def hears(key, event):
            def have():
                while message := listener.get_message(timeout=0.01):
                    copies.setdefault(message["channel"].split(":", 1)[1], []).append(message["data"])
                return event in copies.get(key, [])
            wait_until(have, 30, f"{event} of {key} is heard")

        listener.get_message(timeout=10)  # that it is subscribed
        client.set("copy:a", 1, px=200)
        client.set("other", 1)
        hears("copy:a", "expire")
        hears("copy:a", "expired")
        client.set("copy:b", 1)
        hears("copy:b", "set")
        client.delete("copy:b")
        hears("copy:b", "del")
        check(copies == {"copy:a": ["set", "expire", "expired"], "copy:b": ["set", "del"]}, copies)
    finally:
        client.config_set("notify-keyspace-events", events)
        listener.close()


def fill(client, prefix, count, hot=()):
    """Writes so many values of 10 KB that expire some day, and reads the hot keys all the while."""
    for at in range(0, count, 20):
        with client.pipeline(transaction=False) as pipeline:
            for number in range(at, min(at + 20, count)):
                pipeline.set(f"{prefix}:{number}", "v" * 10000, ex=1000)
            pipeline.execute()
        if hot:
            client.mget(hot)


def job_bounded_memory(client, port):
    """a bound of memory: what is used stays, what has no date stays where only dates go, or writes are refused"""
    bound = client.info("memory")["used_memory"] - client.info("memory")["mem_not_counted_for_evict"] + (5 << 20)
    evicted = client.info("stats")["evicted_keys"]
    hot = [f"hot:{number}" for number in range(50)]
    try:
        client.mset(dict.fromkeys(hot, "h" * 1000))
        client.config_set("maxmemory", bound)
        client.config_set("maxmemory-policy", "allkeys-lru")
        fill(client, "old", 400)
        time.sleep(1.2)  # what was used within the same second was used at the same time
        fill(client, "new", 300, hot)
        check(client.exists(*hot) >= 48, f"{client.exists(*hot)} of what was used last")
        client.config_set("maxmemory-policy", "allkeys-lfu")
        fill(client, "page", 1500, hot)
        memory, left = client.info("memory"), client.dbsize()
        used = memory["used_memory"] - memory["mem_not_counted_for_evict"]  # which is what replicas are sent
        check(used <= bound + (256 << 10), f"{used} B of {bound}")  # and what is being received
        check(client.info("stats")["evicted_keys"] - evicted >= 1600 and left < 700, f"{left} keys are left")
        check(client.exists(*hot) >= 48, f"{client.exists(*hot)} of what is used most")
        client.flushall()
        client.mset(dict.fromkeys(hot, "h" * 1000))
        client.config_set("maxmemory-policy", "volatile-lru")
        fill(client, "page", 1500)
        check(client.exists(*hot) == 50 and client.dbsize() < 700, "what has no date")
        client.config_set("maxmemory-policy", "noeviction")
        text = refused(lambda: fill(client, "more", 1500))
        check("command not allowed when used memory > 'maxmemory'" in text and client.get("hot:1") == "h" * 1000, text)
        check(client.unlink(*client.scan_iter("page:*"), *client.scan_iter("more:*")) > 100, "what may go")
        check(client.set("a", 1), "there is room again")
    finally:
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")


PYTHON_JOBS = [value for name, value in list(globals().items()) if name.startswith("job_")]


def python_test(job, ports):
    def test():
        for port in ports:
            client = redis.Redis(port=port, decode_responses=True)
            client.flushall()
            try:
                job(client, port)
            except (redis.RedisError, AssertionError) as error:
                raise AssertionError(f"port {port}: {error}") from error
            client.close()
    test.__doc__ = f"python3-redis: {job.__doc__}"
    return test


with places(PORT) as ports:
    node = NodeParts("jobs.js", ports)
    tap.run([node.test(name, f"ioredis: {text}") for name, text in NODE_JOBS.items()] + [node.test_known(NODE_JOBS)] +
            [python_test(job, ports) for job in PYTHON_JOBS])
