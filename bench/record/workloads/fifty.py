"""Fifty threads that mostly wait and now and then work on ever new stacks, for a long run.

Prints a JSON list: the resident memory of this process in bytes, SAMPLES times at equal distances.
What the program itself needs does not grow. Usage: fifty.py SECONDS SAMPLES
"""
import json
import os
import random
import sys
import threading
import time


def make_functions():
    """Functions that call each other by number, so that there are as many stacks as there are walks."""
    names = {}
    text = "".join(
        "def f%d(path):\n    return FUNCTIONS[path[0]](path[1:]) if path else work()\n" % n for n in range(40)
    )
    exec(compile(text, "walks.py", "exec"), names)
    names["FUNCTIONS"] = [names["f%d" % n] for n in range(40)]
    names["work"] = work
    return names["FUNCTIONS"]


def work():
    total = 0
    for n in range(2000):
        total += n * n
    return total


def run(seed, end, functions):
    chance = random.Random(seed)
    while time.monotonic() < end:
        path = [chance.randrange(40) for _ in range(chance.randrange(3, 12))]
        functions[path[0]](path)
        time.sleep(0.02 * chance.random() + 0.02)


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    seconds, samples = float(sys.argv[1]), int(sys.argv[2])
    start = time.monotonic()
    functions = make_functions()
    threads = [threading.Thread(target=run, args=(n, start + seconds, functions)) for n in range(50)]
    for thread in threads:
        thread.start()
    told = []
    for n in range(samples):
        time.sleep(max(0, start + seconds * (n + 0.9) / samples - time.monotonic()))
        told.append(resident())
    for thread in threads:
        thread.join()
    print(json.dumps(told))
