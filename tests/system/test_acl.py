#!/usr/bin/python3
"""Users of an appliance: set at the master, through the proxy; what they may do there, and that no failover forgets them."""
import os

import tap
from appliance import Appliance, Client, wait_until
from tap import check

PORT = 24820


def says(client, expected, *words):
    reply = client.call(*words)
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)
    check(expected in text, f"{' '.join(words)}: {text!r}, and not {expected!r}")


def entered(name, password):
    client = Client(PORT)
    says(client, "OK", "AUTH", name, password)
    return client


def check_rights(ann):
    says(ann, "OK", "SET", "ann:1", "x")
    says(ann, "NOPERM", "SET", "other", "x")
    says(ann, "NOPERM", "GET", "other")
    says(ann, "NOPERM", "CONFIG", "GET", "*")
    says(ann, "NOPERM", "CLIENT", "KILL", "TYPE", "normal")
    says(ann, "NOPERM", "SUBSCRIBE", "news")


def test_users_and_a_failover():
    with Appliance(PORT) as appliance:
        appliance.wait_in_sync()
        admin = Client(PORT)
        says(admin, "OK", "SET", "other", "secret")
        says(admin, "OK", "ACL", "SETUSER", "ann", "on", ">word", "~ann:*", "+@all", "-@dangerous", "resetchannels")
        wrong = Client(PORT)
        says(wrong, "WRONGPASS", "AUTH", "ann", "guess")
        says(wrong, "secret", "GET", "other")
        ann = entered("ann", "word")
        check_rights(ann)
        master = appliance.master()
        appliance.kill(master)
        wait_until(lambda: appliance.master() not in (None, master), 20, "another master")
        check_rights(ann)
        check_rights(entered("ann", "word"))
        says(admin, "ann", "ACL", "LIST")
        appliance.restart(master)
        appliance.wait_in_sync()
        for process in appliance.status()["processes"]:
            if process["kind"] == "worker" and process["role"] in ("master", "replica"):
                with open(os.path.join(appliance.directory, process["name"], "users.acl"), encoding="ascii") as file:
                    check("user ann on" in file.read(), f"{process['name']} has no file of users")

        # Who is removed is closed.
        says(admin, "1", "ACL", "DELUSER", "ann")
        wait_until(lambda: is_closed(ann), 30, "the removed user's connection is closed")
        says(Client(PORT), "WRONGPASS", "AUTH", "ann", "word")

        # A password for the default user counts at the proxy's door too.
        says(admin, "OK", "ACL", "SETUSER", "root", "on", ">root", "~*", "&*", "+@all")
        root = entered("root", "root")
        says(root, "OK", "ACL", "SETUSER", "default", "resetpass", ">new")
        stranger = Client(PORT)
        says(stranger, "NOAUTH", "GET", "other")
        says(stranger, "WRONGPASS", "AUTH", "old")
        says(stranger, "OK", "AUTH", "new")
        says(stranger, "secret", "GET", "other")
        says(root, "OK", "ACL", "SETUSER", "default", "off")
        says(Client(PORT), "WRONGPASS", "AUTH", "new")


def is_closed(client):
    try:
        reply = client.call("PING")
    except (OSError, ConnectionError, EOFError, ValueError, IndexError):
        return True
    return reply == b""


tap.run([test_users_and_a_failover])
