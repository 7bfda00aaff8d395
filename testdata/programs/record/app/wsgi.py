"""A web application for a server with worker processes: each request uses CPU time in `answer`.

The answer is the process id, so that whoever asks can count the processes.
"""
import os
import time


def work(seconds):
    end = time.thread_time() + seconds
    total = 0
    while time.thread_time() < end:
        total += 1
    return total


def answer():
    work(0.004)
    return b"%d\n" % os.getpid()


def application(environment, start_response):
    body = answer()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
