"""Threads in numbers, while the main thread uses CPU time in `busy`.

`idle N`: N threads that wait for the end. `short N`: N threads one after the other in a few at a
time, each done after a moment of `brief`. `names`: a few that work under names of their own.
Prints {"threads": N}. Usage: threads.py KIND COUNT [SECONDS]
"""
import json
import sys
import threading
import time


def spin(seconds):
    end = time.thread_time() + seconds
    total = 0
    while time.thread_time() < end:
        for n in range(1000):
            total += n * n
    return total


def busy(seconds):
    return spin(seconds)


def brief():
    return spin(0.002)


def rest(event):
    event.wait()


def idle(count, seconds):
    event = threading.Event()
    threads = [threading.Thread(target=rest, args=(event,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    busy(seconds)
    event.set()
    for thread in threads:
        thread.join()


def short(count, seconds):
    for _ in range(count // 4):
        threads = [threading.Thread(target=brief) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    busy(seconds)


def names(count, seconds):
    threads = [
        threading.Thread(target=busy, args=(seconds,), name="worker ; %d\u00e9" % n)
        for n in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    threading.stack_size(256 * 1024)
    kind, count = sys.argv[1], int(sys.argv[2])
    {"idle": idle, "short": short, "names": names}[kind](count, float(sys.argv[3]))
    print(json.dumps({"threads": count}))
