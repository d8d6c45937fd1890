"""places: where the tests of clients run: at a worker by itself, and through the proxy of an appliance.

With --at PORT they run there instead, against a server that somebody else has started: how a test itself is tested."""
import argparse
import contextlib
import json
import os

import node_packages
from appliance import Appliance, build_directory, server
from tap import check

BUILD = build_directory()


@contextlib.contextmanager
def places(port):
    """The ports, for as long as the block runs. The proxy listens on `port`, the worker 40 behind it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", type=int)
    at = parser.parse_known_args()[0].at
    if at is not None:
        yield [at]
        return
    worker = os.path.join(BUILD, "respite-cacheworker")
    with Appliance(port), server(port + 40, worker, "--standalone", "--port", str(port + 40)):
        yield [port + 40, port]


class NodeParts:
    """What the parts of one of our scripts for Node.js came to at each place. It runs when the first of them is asked
    for, at all places at the same time."""

    def __init__(self, script, ports):
        self.script, self.ports, self.outputs = script, ports, {}

    def results(self, port):
        """What was printed there by name; what Node.js warns of stands before it."""
        if not self.outputs:
            processes = {each: node_packages.start(BUILD, self.script, each) for each in self.ports}
            self.outputs = {each: process.communicate(timeout=300)[0] for each, process in processes.items()}
        last = self.outputs[port].rstrip().rsplit("\n", 1)[-1]
        check(last.startswith("{"), f"{self.script} at port {port}: {self.outputs[port]}")
        return json.loads(last)

    def test(self, name, text):
        """A test that this part came to nothing bad."""
        def test():
            for port in self.ports:
                results = self.results(port)
                check(name in results, f"{self.script} does not know {name}")
                check(results[name] is None, f"port {port}: {results[name]}")
        test.__doc__ = text
        return test

    def test_known(self, names):
        """A test that the script has no part but these."""
        def test():
            known = set(self.results(self.ports[0]))
            check(known == set(names), known ^ set(names))
        test.__doc__ = f"every part of {self.script} is asked for"
        return test
