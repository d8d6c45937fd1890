"""celery_tasks: what a worker of Celery is told to do; the server's URL is in RESPITE_URL."""
import os
import time

from celery import Celery

app = Celery("celery_tasks", broker=os.environ["RESPITE_URL"], backend=os.environ["RESPITE_URL"])


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def broken():
    raise ValueError("this one always fails")


@app.task(bind=True, max_retries=5)
def flaky(self, failures):
    if self.request.retries < failures:
        raise self.retry(countdown=0.05)
    return self.request.retries


@app.task
def now():
    return time.time()
