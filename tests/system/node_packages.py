"""node_packages: Node.js and what tests/system/node/package-lock.json names, in the build directory, from npm."""
import fcntl
import os
import platform
import re
import shutil
import subprocess

import tap
from appliance import SOURCE
from tap import check

LOCK = os.path.join(SOURCE, "tests/system/node/package-lock.json")
LEAST = 22  # where the one on the PATH is older than what the packages need, npm brings another one
UNREACHABLE = r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH"


def version(program):
    try:
        done = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True)
        return int(re.match(r"v(\d+)", done.stdout).group(1))
    except (OSError, subprocess.CalledProcessError):
        return 0


def install(build):
    """(node, NODE_PATH); what was installed is found there the next time. Tests that begin together wait for one."""
    with open(os.path.join(build, "node-clients.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return install_alone(build)


def install_alone(build):
    directory = os.path.join(build, "node-clients")
    program, options = "node", ["--omit=optional"]
    if version(program) < LEAST:
        package = f"node-linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}"
        program, options = os.path.join(directory, "node_modules", package, "bin/node"), []
    with open(LOCK, encoding="utf-8") as file:
        wanted = file.read() + program
    stamp = os.path.join(directory, "installed")
    if not (os.path.exists(stamp) and open(stamp, encoding="utf-8").read() == wanted):
        if shutil.which("npm") is None:
            raise tap.Skip("no npm")
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(os.path.dirname(LOCK), name), directory)
        done = subprocess.run(["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund",
                               "--loglevel=error", *options], cwd=directory, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180, check=False)
        if done.returncode != 0 and re.search(UNREACHABLE, done.stdout):
            raise tap.Skip("the registry of npm cannot be reached")
        check(done.returncode == 0, f"npm install: {done.stdout}")
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(wanted)
    check(version(program) >= LEAST, f"{program} is older than {LEAST}")
    return program, os.path.join(directory, "node_modules")


def start(build, script, *arguments):
    """One of our scripts, with pipes at its standard input and output."""
    program, packages = install(build)
    return subprocess.Popen([program, os.path.join(SOURCE, "tests/system", script), *map(str, arguments)],
                            env={**os.environ, "NODE_PATH": packages}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
