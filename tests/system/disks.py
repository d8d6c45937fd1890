"""disks: small file systems of a test's own, to be filled and spoiled."""
import contextlib
import os
import subprocess

import tap


@contextlib.contextmanager
def small_disk(place):
    """Makes the directory `place` a file system of its own, of 1 MB; it is gone afterwards."""
    os.makedirs(place, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        raise tap.Skip(f"no file system of our own: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        os.rmdir(place)


def fill_disk(place):
    """Writes until nothing more fits; the file's name."""
    name = os.path.join(place, "ballast")
    with open(name, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return name


def read_only(place):
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
