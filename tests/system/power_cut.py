"""power_cut: which directories a file system may show after the power was cut, by what disk_record.c wrote down.

What was synced is there. Of what was not, a file has the first operations, the last of them by half perhaps, and zeros
perhaps where it was longer; a directory has the first of its changes; and a name may be there without what its file was
given, or the other way round. So journals have it (ext4, XFS; Pillai et al., OSDI 2014), and a little worse: here no
order holds between two files, or two directories."""
import os
import random


class File:
    """Its bytes on the disk, and the operations behind them."""

    def __init__(self, content=b""):
        self.synced, self.pending = content, []

    def sync(self):
        self.synced, self.pending = self.show(len(self.pending)), []

    def show(self, operations, part=0, has_zeros=False):
        """The first of the operations are done, and this part of the next one, if that is a write."""
        content = bytearray(self.synced)
        longest = len(content)
        for number, (position, data) in enumerate(self.pending):
            if number > operations or (number == operations and data is None):
                break
            if data is None:
                del content[position:]
                content.extend(bytes(position - len(content)))
                longest = len(content)
                continue
            taken = data if number < operations else data[:int(len(data) * part)]
            content[len(content):] = bytes(max(position - len(content), 0))
            content[position:position + len(taken)] = taken
            longest = max(longest, position + len(data))
        return bytes(content) + (bytes(longest - len(content)) if has_zeros else b"")


class Directory:
    """Its names on the disk, and the changes behind them."""

    def __init__(self):
        self.synced, self.pending = {}, []

    def sync(self):
        self.synced, self.pending = self.show(len(self.pending)), []

    def show(self, changes):
        names = dict(self.synced)
        for name, what, new_name in self.pending[:changes]:
            if what is not None:
                names[name] = what
            elif new_name is not None:
                names[new_name] = names.pop(name)
            else:
                names.pop(name, None)
        return names


class Disk:
    """A directory, from what is in it now, which is on the disk."""

    def __init__(self, path):
        self.nodes = {}
        self.root = self._take(path)

    def _take(self, path):
        is_directory = os.path.isdir(path)
        node = self.nodes[os.stat(path).st_ino] = Directory() if is_directory else File()
        if is_directory:
            for name in os.listdir(path):
                node.synced[name] = self._take(os.path.join(path, name))
        else:
            with open(path, "rb") as file:
                node.synced = file.read()
        return node

    def execute(self, words, data):
        """One record. False: it is of nothing that lies here."""
        node = self.nodes.get(int(words[1]))
        if node is None:
            return False
        if words[0] == "new":
            made = self.nodes[int(words[3])] = Directory() if words[2].endswith("dir") else File()
            node.pending.append((words[2], made, None))
        elif words[0] == "cut":
            node.pending.append((int(words[2]), None))
        elif words[0] == "write":
            node.pending.append((int(words[2]), data))
        elif words[0] == "sync":
            node.sync()
        elif words[0] == "rename":
            node.pending.append((words[2], None, words[3]))
        else:
            assert words[0] == "remove", words
            node.pending.append((words[2], None, None))
        return True

    def show(self, show_directory, show_file):
        """What is there, as {path: bytes}; a directory is {path + "/": b""}. The functions choose among what may be."""
        shown = {}

        def walk(directory, prefix):
            for name, node in show_directory(directory).items():
                if isinstance(node, Directory):
                    shown[prefix + name + "/"] = b""
                    walk(node, prefix + name + "/")
                else:
                    shown[prefix + name] = show_file(node)
        walk(self.root, "")
        return shown

    def states(self, chance):
        """Some of what may be shown after a cut at this moment."""
        def whole(node):
            return node.show(len(node.pending))

        def synced(node):
            return node.show(0)

        def some(node):
            return node.show(chance.randint(0, len(node.pending)))

        def torn(node):
            return node.show(chance.randint(0, len(node.pending)), chance.random())

        def zeros(node):
            return node.show(chance.randint(0, len(node.pending)), chance.random(), True)

        def nothing_but_zeros(node):
            return node.show(0, 0, True)

        choices = ((whole, whole), (synced, synced), (whole, synced), (synced, whole), (whole, torn), (whole, zeros),
                   (whole, nothing_but_zeros)) + 2 * ((some, torn), (some, zeros), (whole, torn), (some, whole))
        return [self.show(*choice) for choice in choices]


def read_records(path):
    """(words, bytes) of each."""
    with open(path, "rb") as file:
        while line := file.readline():
            words = line.decode().split()
            data = b""
            if words[0] in ("write", "say"):
                data = file.read(int(words[-1]))
                file.read(1)
            yield words, data


def store(shown, directory):
    os.mkdir(directory)
    for path, content in shown.items():
        if path.endswith("/"):
            os.mkdir(os.path.join(directory, path))
            continue
        with open(os.path.join(directory, path), "wb") as file:
            file.write(content)


def choose(seed):
    return random.Random(seed)
