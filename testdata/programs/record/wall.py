"""Threads that sleep, wait for a descriptor, wait for a lock and work, with the truth of it.

Five threads spend the elapsed time in two functions each, in turn: the one that their name says and
a little work. `worker` works all the time, so the others wait for the interpreter whenever they come
back from waiting for something else. Prints {"THREAD": {"FUNCTION": SECONDS, …}, …} by clocks in the program, of elapsed time that
includes the wait for the interpreter. Usage: wall.py [SECONDS]
"""
import json
import os
import select
import sys
import threading
import time

TRUTH = {}
LOCK = threading.Lock()


def nap():
    time.sleep(0.012)


def poll(descriptor):
    select.select([descriptor], [], [], 0.009)


def wait_for_lock():
    with LOCK:
        pass


def hold_lock():
    with LOCK:
        time.sleep(0.015)


def think(count):
    total = 0
    for n in range(count):
        total += n * n
    return total


def think_a_little():
    return think(25000)


def think_a_lot():
    return think(120000)


def timed(spent, function, *args):
    before = time.perf_counter()
    function(*args)
    spent[function.__name__] = spent.get(function.__name__, 0.0) + time.perf_counter() - before


def take_turns(name, end, *steps):
    spent = TRUTH[name] = {}
    while time.perf_counter() < end:
        for function, args in steps:
            timed(spent, function, *args)


def main(seconds):
    end = time.perf_counter() + seconds
    silent, _ = os.pipe()
    work = (think_a_little, ())
    plans = {
        "sleeper": [(nap, ()), work],
        "selecter": [(poll, (silent,)), work],
        "holder": [(hold_lock, ()), work],
        "waiter": [(wait_for_lock, ()), work],
        "worker": [work, (think_a_lot, ())],
    }
    threads = [
        threading.Thread(target=take_turns, args=(name, end) + tuple(steps), name=name)
        for name, steps in plans.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(TRUTH))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
