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


def values(client):
    return [client.call("GET", "counter"), client.call("GET", "stock"), client.call("LRANGE", "list", 0, -1)]


def knows_all(appliance, worker, digests):
    client = Client(appliance.process(worker)["port"])
    known = client.call("SCRIPT", "EXISTS", *digests, UNKNOWN)
    libraries = client.call("FUNCTION", "LIST")
    client.close()
    return known == [1, 1, 0] and [library[1] for library in libraries] == [b"shop"]


def test_failover():
    """SCRIPT LOAD's, EVAL's and functions through a proxy, at the next master, and at its replica"""
    with Appliance(PORT) as appliance:
        client = Client(PORT, timeout=60)
        forgotten = client.call("SCRIPT", "LOAD", FORGOTTEN).decode()
        check(client.call("SCRIPT", "FLUSH") == "OK", "SCRIPT FLUSH")
        digests = [client.call("SCRIPT", "LOAD", LOADED).decode(), hashlib.sha1(EVALUATED.encode()).hexdigest()]
        check(client.call("EVAL", EVALUATED, 1, "list", "x") == 1 and client.call("DEL", "list") == 1, "EVAL")
        check(client.call("FUNCTION", "LOAD", LIBRARY) == b"shop", "FUNCTION LOAD")
        client.call("SET", "stock", 10)
        run_all(client, digests, 1)
        appliance.wait_in_sync()
        before = values(client)

        master = appliance.master()
        appliance.kill(master)
        check(values(client) == before, "the next master has what the scripts had written")
        run_all(client, digests, 2)
        gone = client.call("EVALSHA", forgotten, 0)
        check(isinstance(gone, Exception) and str(gone).startswith("NOSCRIPT "), f"a flushed script answered {gone}")
        appliance.restart(master)
        appliance.wait_in_sync(60)  # with who was the spare, or with who comes back
        replica = appliance.workers()["replica"]
        wait_until(lambda: knows_all(appliance, replica, digests), 60, f"{replica} knows scripts and functions")


tap.run([test_failover])
