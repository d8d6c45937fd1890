#!/usr/bin/python3
"""The master dies under load; clients notice nothing but waiting."""
import time

import tap
from appliance import Appliance, Steady, build_directory, wait_until
from tap import check, say

PORT = 22000
RUNS = 5
BUILD = build_directory()
outages = []


def one_run(appliance, number):
    steady = Steady(PORT, BUILD)
    time.sleep(3 + 0.37 * number)  # another phase of the poll each time
    master = appliance.master()
    appliance.kill(master)
    time.sleep(9)
    result = steady.stop()
    outages.append(result["outage_ms"])
    say(f"run {number}: {result['acknowledged']} acknowledged, outage {result['outage_ms']} ms, "
        f"{result['uncertain']} uncertain, {result['lost']} of {result['sets']} acknowledged SETs lost "
        f"(the oldest {result['lost_age_ms']} ms before the outage)")
    check(result["closed"] == 0, f"{result['closed']} connections were closed")
    check(result["errors"] == 0, f"{result['errors']} other errors, the first: {result['first_error']}")
    check(result["unanswered"] == 0, f"{result['unanswered']} commands were never answered")
    check(result["wrong"] == 0, f"{result['wrong']} replies were wrong")
    check(result["acknowledged"] > 5000, f"only {result['acknowledged']} commands in the whole run")
    check(result["lost_inside"] == 0, f"{result['lost_inside']} lost writes have a later one behind them")
    check(result["lost_age_ms"] <= 1500, f"a write was lost {result['lost_age_ms']} ms after its acknowledgement")
    check(3000 <= result["outage_ms"] <= 8000, f"writes stood still for {result['outage_ms']} ms")
    appliance.restart(master)
    wait_until(lambda: appliance.process(master)["role"] in ("replica", "spare"), 20, f"{master} is back")
    appliance.wait_in_sync()
    appliance.check_agreed()


def test_failovers():
    """kill -9 of the master under load, five times: no connection closed, only -UNCERTAIN, writes go on within 8 s"""
    with Appliance(PORT) as appliance:
        for number in range(RUNS):
            one_run(appliance, number)
        epoch = appliance.status()["epoch"]
        check(epoch >= RUNS + 1, f"epoch {epoch} after {RUNS} failovers")
    outages.sort()
    say(f"write outage over {RUNS} runs: min {outages[0]}, median {outages[len(outages) // 2]}, max {outages[-1]} ms")


tap.run([test_failovers])
