"""Tells an impossible stack from a possible one.

`main` calls `hot_a` and `hot_b` in turn; only `hot_a` calls `leaf_a` and only `hot_b` calls `leaf_b`,
all for so short a time that a profiler that reads a stack while it changes mixes the two. With
THREADS, as many threads do the same. Usage: oracle.py [SECONDS] [THREADS]
"""
import sys
import threading
import time


def leaf_a():
    return sum([1, 2, 3])


def leaf_b():
    return sum([4, 5, 6])


def hot_a():
    return leaf_a() + leaf_a()


def hot_b():
    return leaf_b() + leaf_b()


def main(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        for _ in range(200):
            hot_a()
            hot_b()


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.4
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    threads = [threading.Thread(target=main, args=(seconds,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    main(seconds)
    for thread in threads:
        thread.join()
