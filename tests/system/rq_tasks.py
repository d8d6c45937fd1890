"""rq_tasks: what a worker of rq is told to do."""
import time


def multiply(a, b):
    return a * b


def fail():
    raise ValueError("this one always fails")


def moment():
    return time.time()
