"""tap: tests as functions, their results as TAP."""
import sys
import traceback


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason."""


def check(condition, text):
    """Fails the test when the condition does not hold; `text` says what was expected and what was seen."""
    if not condition:
        raise AssertionError(text)


def say(text):
    """A line for the reader of the log."""
    print(f"# {text}", flush=True)


def run(tests):
    """Runs the functions in order, prints TAP, ends the process with the right status."""
    failed = 0
    for number, test in enumerate(tests, 1):
        name = (test.__doc__ or test.__name__).strip().splitlines()[0]
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception as error:  # any error at all is a failed test
            failed += 1
            print(f"not ok {number} - {name}: {error}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"#   {line}", flush=True)
    print(f"1..{len(tests)}", flush=True)
    sys.exit(1 if failed else 0)
