"""known_failures: the tests of the reference that are known not to pass, as known-failures.txt lists them."""
import collections
import os

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "known-failures.txt")
SECTIONS = {"next": "The next issue", "later": "Not built yet", "differs": "Differs on purpose"}

Entry = collections.namedtuple("Entry", "section unit name reason")


def read(path=LIST):
    """The entries in their order; ValueError for a line that is none."""
    entries = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            fields = line.split("\t")
            if len(fields) != len(Entry._fields) or fields[0] not in SECTIONS or not all(fields):
                raise ValueError(f"{path}:{number}: expected section, unit, name and reason with tabs between")
            entries.append(Entry(*fields))
    return entries
