"""Recursion DEPTH deep, with CPU time used at the bottom. Prints DEPTH.

Usage: deep.py [DEPTH] [SECONDS]
"""
import sys
import threading
import time

DEPTH = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 0.4


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return 0


def descend(depth):
    if depth == 0:
        return burn(SECONDS)
    return descend(depth - 1) + 1


def main():
    print(descend(DEPTH))


if __name__ == "__main__":
    sys.setrecursionlimit(DEPTH + 1000)
    threading.stack_size(512 * 1024 * 1024)
    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
