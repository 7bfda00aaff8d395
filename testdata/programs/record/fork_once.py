"""Forks once while it has a single thread, as a strict program does: warnings are errors.

Since 3.12 Python warns of a fork in a process that has several threads, which this one has not.
Prints "parent" and "child". Usage: fork_once.py
"""
import os
import sys
import time
import warnings

warnings.simplefilter("error")


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


burn(0.1)
for _ in range(3):
    child = os.fork()
    if child == 0:
        burn(0.05)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print("parent", status, flush=True)
    burn(0.05)
sys.exit(0)
