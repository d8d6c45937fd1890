"""Random users of both servers: what is told of them, what they may do, and what happens when they do it."""
import re

from tap import check, say

# 7.2 says who may not do what in other words than 7.0, and only it keeps rules as they were given. Beside 7.0 it is
# compared which of the three things was missing, and of rules what they let through.
REASONS = {re.compile(rb"permissions to run the|can't run this command"): b"command",
           re.compile(rb"permissions to access (the '.*' key|a key|one of the keys)|can't access at least one of the keys",
                      re.DOTALL): b"key",
           re.compile(rb"permissions to access (the '.*' channel|a channel|one of the channels)|can't publish to the channel",
                      re.DOTALL): b"channel"}
CATEGORIES = ["keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
              "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting", "all"]
COMMANDS = ["get", "set", "mset", "mget", "del", "append", "sort", "sort_ro", "copy", "rename", "eval", "georadius", "geosearchstore",
            "zadd", "zunionstore", "xadd", "xread", "xgroup", "object", "lpush", "lmove", "hset", "sadd", "config", "client", "bitop"]
SUBCOMMANDS = ["config|get", "config|set", "client|id", "client|list", "object|encoding", "object|help", "xgroup|create",
               "xinfo|stream", "script|load", "acl|whoami", "memory|usage"]
PATTERNS = ["*", "k*", "k1*", "k[0-5]", "?*", "s*", "z*", "h*", "x*", "g*", "l*", "bin*", "[", "", "\\k1", "{tag}?"]
CHANNELS = ["*", "news", "n*", "__key*"]
PASSWORD_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
BROKEN = ["", "+", "-", "@read", "+@", "+@nothing", "+nothing", "-nothing", "+get|x", "+config|nothing", "+config|get|x", "-config|get",
          "%~a", "%X~a", "%RR~k*", "#abc", "!" + PASSWORD_HASH, "<nothing", "~", "&", "(", ")", "(+get", "()", "(on)",
          "(~k* (+get))", "nonsense", "ON ", "+@all -get"]
COMMANDS_A_ROUND = 60
OUTSIDE = [[b"PUBLISH", b"news", b"x"], [b"PUBLISH", b"other", b"x"], [b"SPUBLISH", b"news", b"x"], [b"ACL", b"WHOAMI"],
           [b"CONFIG", b"GET", b"maxmemory"], [b"CLIENT", b"GETNAME"], [b"ACL", b"CAT", b"nothing"], [b"SCRIPT", b"EXISTS", b"x"],
           [b"ECHO", b"x"], [b"PING"], [b"WATCH", b"k1"], [b"UNWATCH"], [b"PUBSUB", b"CHANNELS"], [b"NOSUCH"], [b"XGROUP", b"NOSUCH"]]


NOT_DRAWN = ("dump", "scan")  # what they answer depends on the server's version and its table
# Nor are rules where ours differs on purpose: a "%" without "~", which Redis takes for a right to the empty key; one right to
# "*", which Redis does not extend to the empty key; and both rights to it, which ours takes for "~*", so that a user's
# description can be read again.


class Access:
    """Draws rules and commands with the generator of test_differential.py."""

    def __init__(self, generator, blocking):
        self.generator, self.random = generator, generator.random
        self.names = [name for name in generator.names if name not in (*blocking, *NOT_DRAWN)]

    def command_rule(self):
        sign = self.random.choice("++-")
        kind = self.random.random()
        if kind < 0.4:
            return sign + "@" + self.random.choice(CATEGORIES)
        return sign + self.random.choice(COMMANDS if kind < 0.85 else SUBCOMMANDS)

    def key_rule(self):
        sign = self.random.choice(("~", "~", "%R~", "%W~", "%RW~", "%WR~", "%r~"))
        return sign + self.random.choice(PATTERNS if sign == "~" else PATTERNS[1:])

    def rule(self, in_selector=False):
        kind = self.random.random()
        if kind < 0.45:
            return self.command_rule()
        if kind < 0.75:
            return self.key_rule()
        if kind < 0.85:
            return self.random.choice(("&" + self.random.choice(CHANNELS), "resetchannels", "allchannels", "resetkeys", "allkeys",
                                       "nocommands", "allcommands"))
        if kind < 0.88:
            return self.random.choice(BROKEN)
        if in_selector:
            return self.command_rule()
        if kind < 0.96:
            return "(" + " ".join(self.rule(True) for _ in range(self.random.randint(1, 4))) + ")"
        return self.random.choice(("reset", "clearselectors", "nopass", "resetpass", ">other", "<other", "#" + PASSWORD_HASH, "off",
                                   "skip-sanitize-payload", "sanitize-payload"))

    def description(self):
        rules = [self.rule() for _ in range(self.random.randint(1, 6))]
        return [rule.swapcase() if self.random.random() < 0.05 else rule for rule in rules]

    def commands(self):
        drawn = []
        while len(drawn) < COMMANDS_A_ROUND:
            name = self.random.choice(self.names)
            words = [name.encode()] + self.generator.makers[name]()
            drawn.append(self.random.choice(OUTSIDE) if self.random.random() < 0.15 else words)
        return drawn


def refusal(reply):
    """What is missing, of a reply that says that something is, or holds one that does; None of others."""
    lines = [line for part in reply if isinstance(part, tuple) for line in part[:1]] + [reply[0], reply[-1]]
    return next((kind for line in lines if isinstance(line, bytes) for pattern, kind in REASONS.items()
                 if pattern.search(line)), None)


class Comparison:
    def __init__(self, ours, theirs, is_exact, is_allowed):
        self.ours, self.theirs, self.is_exact, self.is_allowed = ours, theirs, is_exact, is_allowed
        self.different = self.done = self.refused = 0

    def note(self, what, ours, theirs):
        self.done += 1
        self.refused += refusal(theirs) is not None
        # Of two destinations of GEORADIUS ours names the first, Redis that of STORE.
        is_exact = self.is_exact and not any(word.lower().startswith(b"georadius") for word in what)
        if ours == theirs or (not is_exact and refusal(ours) is not None and refusal(ours) == refusal(theirs)):
            return
        self.different += 1
        say(f"{str(what)[:900]}")
        say(f"    redis-server: {str(theirs)[:400]}")
        say(f"    respite:      {str(ours)[:400]}")

    def ask(self, words):
        """One command of the administrator's."""
        ours, theirs = (side.batch([words])[0] for side in (self.ours, self.theirs))
        self.note(words, ours, theirs)

    def described(self):
        if self.is_exact:
            self.ask([b"ACL", b"GETUSER", b"u"])
            self.ask([b"ACL", b"LIST"])
        else:
            for words in ([b"ACL", b"GETUSER", b"u"], [b"ACL", b"LIST"]):
                ours, theirs = (without_commands(side.batch([words])[0]) for side in (self.ours, self.theirs))
                self.note(words, ours, theirs)

    def with_known_keys(self, commands):
        """Without those whose keys cannot be told: Redis lets some of them pass, for nothing will come of them; ours not."""
        questions = [[b"COMMAND", b"GETKEYS"] + words for words in commands]
        answers = zip(self.ours.batch(questions), self.theirs.batch(questions))
        return [words for words, pair in zip(commands, answers)
                if not any(answer[0].startswith(b"-ERR Invalid arguments") for answer in pair)]

    def dry_run(self, user, commands):
        questions = [[b"ACL", b"DRYRUN", user] + words for words in commands]
        for words, ours, theirs in zip(questions, self.ours.batch(questions), self.theirs.batch(questions)):
            self.note(words, ours, theirs)

    def execute(self, ours, theirs, commands):
        """As the user that both connections are."""
        for words, our_reply, their_reply in zip(commands, ours.batch(commands), theirs.batch(commands)):
            is_refused = refusal(our_reply) is not None or refusal(their_reply) is not None
            if our_reply == their_reply or is_refused or not self.is_allowed(words, our_reply, their_reply):
                self.note(words, our_reply, their_reply)


def without_commands(reply):
    """A description without its rules for commands, and without what 7.0 does not say where it is the default."""
    if isinstance(reply, bytes):
        words = [word for word in reply.split() if word[:1] not in b"+-" and not word[:2] in (b"(+", b"(-")]
        return b" ".join(word.rstrip(b")") for word in words if word != b"sanitize-payload")
    if reply[0][:1] == b"$":
        return without_commands(reply[1])
    if len(reply) == 1:
        return reply[0]
    return tuple(each for each in map(without_commands, reply[1:]) if each != b"")


def compare(access, sides, is_exact, is_allowed, count):
    """`sides()` are two new connections; `count` users are described. How much differs."""
    comparison = Comparison(*sides(), is_exact, is_allowed)
    for _ in range(count):
        if access.random.random() < 0.3:
            comparison.ask([b"ACL", b"DELUSER", b"u"])
        comparison.ask([b"ACL", b"SETUSER", b"u", b"on", b">word"])
        for _ in range(access.random.randint(1, 4)):
            comparison.ask([b"ACL", b"SETUSER", b"u"] + [rule.encode() for rule in access.description()])
        comparison.described()
        comparison.dry_run(b"u", comparison.with_known_keys(access.commands()))
        comparison.ask([b"ACL", b"SETUSER", b"u", b"on", b">word"])
        users = sides()
        entered = [side.batch([[b"AUTH", b"u", b"word"]])[0] for side in users]
        comparison.note([b"AUTH"], *entered)
        comparison.execute(*users, comparison.with_known_keys(access.commands()))
        for side in users:
            side.close()
        if comparison.different > 10:
            break
    comparison.ask([b"ACL", b"DELUSER", b"u"])
    say(f"{comparison.done} answers, {comparison.refused} of them refusals")
    check(comparison.refused > comparison.done / 10, "users may do everything")
    return comparison.different
