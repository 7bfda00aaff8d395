"""Spends its CPU time in three functions of different kinds, in rounds of fixed work.

`python_loop` is one loop of bytecode, `many_calls` calls small functions, and `c_calls` is in
functions of C for milliseconds at a time, where no signal handler written in Python can run.
Prints {"python_loop": SECONDS, …}, the CPU time that each took by the thread's own clock, which is
the truth where no profiler slows one of them down. Usage: accuracy.py [ROUNDS]
"""
import json
import sys
import time

NUMBERS = [n * 7919 % 200003 for n in range(100000)]


def python_loop():
    total = 0
    for n in range(220000):
        total = (total + n * n) % 65521
    return total


def one(n):
    return n + 1


def two(n):
    return one(n) + one(n)


def many_calls():
    total = 0
    for n in range(60000):
        total += two(n)
    return total


def c_calls():
    total = 0
    for _ in range(3):
        total += sum(NUMBERS)
        total += sorted(NUMBERS)[5]
    return total


PARTS = [python_loop, many_calls, c_calls]


def main(rounds):
    spent = {part.__name__: 0.0 for part in PARTS}
    for _ in range(rounds):
        for part in PARTS:
            before = time.thread_time()
            part()
            spent[part.__name__] += time.thread_time() - before
    print(json.dumps(spent))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
