"""A program that spends part of its time in the kernel.

It reads random bytes, which the kernel computes, writes them to /dev/null and
counts them in Python. Made for perf, whose stacks then have frames of the
kernel, of native code and of Python. Runs under Python 3.
Usage: kernel.py [SECONDS]
"""
import os
import sys
import time


def read_random(size):
    return os.urandom(size)


def count_even(data):
    return sum(1 for byte in data if byte % 2 == 0)


def copy(rounds, sink):
    for _ in range(rounds):
        data = read_random(1 << 16)
        os.write(sink, data)
        count_even(data[:2000])


def main(seconds):
    end = time.time() + seconds
    sink = os.open("/dev/null", os.O_WRONLY)
    while time.time() < end:
        copy(20, sink)
    os.close(sink)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
