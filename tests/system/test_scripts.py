#!/usr/bin/python3
"""Scripts and functions over the death of the master: whoever knows the digest of a script need not send it again."""
import hashlib

import tap
from appliance import Appliance, Client, wait_until
from tap import check

PORT = 25300
LOADED = "return {'loaded', redis.call('INCR', KEYS[1])}"
EVALUATED = "redis.call('RPUSH', KEYS[1], ARGV[1], math.random(1000000), redis.call('TIME')[2]) return #ARGV"
FORGOTTEN = "return 'forgotten'"
LIBRARY = """#!lua name=shop
redis.register_function('sell', function(keys, arguments)
    local left = redis.call('DECRBY', keys[1], arguments[1])
    if left < 0 then
        redis.call('INCRBY', keys[1], arguments[1])
        return redis.error_reply('SOLDOUT there are fewer')
    end
    return left
end)
redis.register_function{function_name='stock', callback=function(keys) return redis.call('GET', keys[1]) end,
                        flags={'no-writes'}}"""
UNKNOWN = "0" * 40

# What applications keep in scripts, each with the requests that are made before the master dies and after, and the answers.
# The date is the application's, so that the test can say what they are.
LOCKED_LOOKUP = """
local value = redis.call('GET', KEYS[1])
if value then return {'HIT', value} end
if redis.call('SET', KEYS[1] .. ':lock', ARGV[1], 'NX', 'EX', ARGV[2]) then return {'MISS', 'fetch'} end
return {'MISS', 'wait'}"""
CAPPED_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return {count, count <= tonumber(ARGV[1]) and 1 or 0}"""
CONDITIONAL_UPDATE = """
local present = redis.call('GET', KEYS[1])
if present and cjson.decode(present).version ~= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1"""
SLIDING_WINDOW = """
local now, since, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', since)
local count = redis.call('ZCARD', KEYS[1])
if count >= limit then return {0, 0} end
redis.call('ZADD', KEYS[1], now, now .. '-' .. math.random(1000000))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {1, limit - count - 1}"""
TOKEN_BUCKET = """
local size, rate, now, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local state = redis.call('HMGET', KEYS[1], 'tokens', 'date')
local tokens, date = tonumber(state[1]) or size, tonumber(state[2]) or now
tokens = math.min(size, tokens + (now - date) / 1000 * rate)
local allowed = tokens >= wanted
if allowed then tokens = tokens - wanted end
redis.call('HMSET', KEYS[1], 'tokens', tokens, 'date', now)
redis.call('EXPIRE', KEYS[1], math.ceil(size / rate) + 1)
return {allowed and 1 or 0, math.floor(tokens)}"""
APPLICATION = {
    LOCKED_LOOKUP: ([(("page", "me", 600), [b"MISS", b"fetch"]), (("page", "you", 600), [b"MISS", b"wait"])],
                    [(("page", "you", 600), [b"MISS", b"wait"])]),
    CAPPED_COUNT: ([(("visits", 3, 600), [1, 1]), (("visits", 3, 600), [2, 1])],
                   [(("visits", 3, 600), [3, 1]), (("visits", 3, 600), [4, 0])]),
    CONDITIONAL_UPDATE: ([(("document", '{"value": "a", "version": 2}', 9, 600), 1),
                          (("document", '{"value": "b", "version": 3}', 1, 600), 0)],
                         [(("document", '{"value": "c", "version": 3}', 2, 600), 1),
                          (("document", '{"value": "d", "version": 4}', 2, 600), 0)]),
    SLIDING_WINDOW: ([(("window", 1000, 0, 3, 600), [1, 2]), (("window", 1500, 500, 3, 600), [1, 1])],
                     [(("window", 1900, 900, 3, 600), [1, 0]), (("window", 1950, 950, 3, 600), [0, 0]),
                      (("window", 2200, 1200, 3, 600), [1, 0])]),
    TOKEN_BUCKET: ([(("bucket", 10, 0.1, 0, 7), [1, 3]), (("bucket", 10, 0.1, 0, 4), [0, 3])],
                   [(("bucket", 10, 0.1, 20000, 5), [1, 0]), (("bucket", 10, 0.1, 200000, 10), [1, 0])]),
}


def run_all(client, digests, round_number):
    """Every script and function once, through the proxy; the round's number is how often it was done."""
    loaded, evaluated = digests
    check(client.call("EVALSHA", loaded, 1, "counter") == [b"loaded", round_number], "SCRIPT LOAD's by its digest")
    check(client.call("EVALSHA", evaluated, 1, "list", round_number) == 1, "EVAL's by its digest")
    check(client.call("FCALL", "sell", 1, "stock", 2) == 10 - 2 * round_number, "a function")
    check(client.call("FCALL_RO", "stock", 1, "stock") == str(10 - 2 * round_number).encode(), "one that reads")
    check(client.call("LLEN", "list") == 3 * round_number, "what the scripts have written is there")
    refused = client.call("FCALL", "sell", 1, "stock", 100)
    check(isinstance(refused, Exception) and str(refused) == "SOLDOUT there are fewer", f"answered {refused}")


def digest(script):
    return hashlib.sha1(script.encode()).hexdigest()


def run_application(client, is_after):
    for script, rounds in APPLICATION.items():
        for words, expected in rounds[is_after]:
            found = client.call("EVALSHA", digest(script), 1, *words)
            check(found == expected, f"{words}: {found}, not {expected}")


def values(client):
    return [client.call("GET", "counter"), client.call("GET", "stock"), client.call("LRANGE", "list", 0, -1)]


def knows_all(appliance, worker, digests):
    client = Client(appliance.process(worker)["port"])
    known = client.call("SCRIPT", "EXISTS", *digests, UNKNOWN)
    libraries = client.call("FUNCTION", "LIST")
    client.close()
    return known == [1] * len(digests) + [0] and [library[1] for library in libraries] == [b"shop"]


def test_failover():
    """scripts of applications by their digest, and functions: through a proxy, at the next master, and at its replica"""
    with Appliance(PORT) as appliance:
        client = Client(PORT, timeout=60)
        forgotten = client.call("SCRIPT", "LOAD", FORGOTTEN).decode()
        check(client.call("SCRIPT", "FLUSH") == "OK", "SCRIPT FLUSH")
        digests = [client.call("SCRIPT", "LOAD", LOADED).decode(), digest(EVALUATED)]
        check(client.call("EVAL", EVALUATED, 1, "list", "x") == 1 and client.call("DEL", "list") == 1, "EVAL")
        check(client.call("FUNCTION", "LOAD", LIBRARY) == b"shop", "FUNCTION LOAD")
        client.call("SET", "stock", 10)
        loaded = [client.call("SCRIPT", "LOAD", script).decode() for script in APPLICATION]
        check(loaded == [digest(script) for script in APPLICATION], f"SCRIPT LOAD: {loaded}")
        run_all(client, digests, 1)
        run_application(client, False)
        appliance.wait_in_sync()
        before = values(client)

        master = appliance.master()
        appliance.kill(master)
        check(values(client) == before, "the next master has what the scripts had written")
        run_all(client, digests, 2)
        run_application(client, True)
        gone = client.call("EVALSHA", forgotten, 0)
        check(isinstance(gone, Exception) and str(gone).startswith("NOSCRIPT "), f"a flushed script answered {gone}")
        appliance.restart(master)
        appliance.wait_in_sync(60)  # with who was the spare, or with who comes back
        replica = appliance.workers()["replica"]
        wait_until(lambda: knows_all(appliance, replica, digests + loaded), 60, f"{replica} knows scripts and functions")


tap.run([test_failover])
