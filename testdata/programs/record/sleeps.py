"""Counts how often a sleep in C is cut short by a signal.

Threads call C's `nanosleep` over and over, as a database driver or a message queue would wait, with
some work in between; Python's own `time.sleep` would hide it. Prints {"sleeps": N, "interrupted": N}.
Usage: sleeps.py [SECONDS] [THREADS]
"""
import ctypes
import errno
import json
import sys
import threading
import time


class TimeSpec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


C = ctypes.CDLL(None, use_errno=True)
COUNTS = {"sleeps": 0, "interrupted": 0}
LOCK = threading.Lock()


def work():
    return sum(n * n for n in range(10000))


def sleep_in_c(end):
    while time.perf_counter() < end:
        work()
        wanted = TimeSpec(0, 4000000)
        interrupted = C.nanosleep(ctypes.byref(wanted), None) != 0 and ctypes.get_errno() == errno.EINTR
        with LOCK:
            COUNTS["sleeps"] += 1
            COUNTS["interrupted"] += interrupted


if __name__ == "__main__":
    end = time.perf_counter() + (float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    threads = [threading.Thread(target=sleep_in_c, args=(end,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(COUNTS))
